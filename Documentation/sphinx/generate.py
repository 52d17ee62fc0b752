#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Write the reference of the calls, and check the documentation against the code.
#
#   Documentation/sphinx/generate.py CHECKOUT SPHINX_SOURCE
#
# Writes SPHINX_SOURCE/calls/NAME.rst for each header of module/include/linux/. A page has the
# calls in the order of the header. The text is each call's kernel-doc comment, wherever in
# module/ it stands. Prints what the documentation lacks, and exits 1 if it lacks anything.

import os
import re
import sys

TOP, OUT = sys.argv[1:]
INCLUDE = 'module/include/linux'
MANUAL = 'Documentation/man/kspan.4'

# The pages in order, and their titles. Another header comes after these, by its name.
TITLES = {
    'kspan': 'The default heap',
    'kspan_obj': 'Objects by type',
    'kspan_kvmalloc': 'Objects of any size',
    'kspan_heap': 'Private heaps',
    'kspan_cache': 'Typed caches',
    'kspan_region': 'Regions',
    'kspan_pool': 'Object pools and fixed pools',
    'kspan_copy': 'Copies of memory of users and others',
    'kspan_devm': 'Objects of a device',
    'kspan_mempool': 'Mempools',
}
# Generated tables of sizes: no call is declared there.
LEFT_OUT = {'kspan_size_class'}

missing = []


def lacks(text):
    missing.append(text)


def read(path):
    with open(os.path.join(TOP, path), encoding='utf-8') as file:
        return file.read()


def sources():
    found = []
    for directory, _, names in sorted(os.walk(os.path.join(TOP, 'module'))):
        for name in sorted(names):
            if re.search(r'(?<!\.mod)\.[ch]$', name):
                found.append(os.path.relpath(os.path.join(directory, name), TOP))
    return found


TEXTS = {path: read(path) for path in sources()}


# --- kernel-doc

def kernel_docs():
    """
    Name to (file, text of the comment, whether it is one line). The name of a structure has its
    keyword before it, as a function may have the same name.
    """
    docs = {}
    for path, text in TEXTS.items():
        for found in re.finditer(r'^/\*\*\n \* ((?:(?:struct|union|enum) )?\w+)(?:\(\))?\s+- .*?\*/',
                                 text, re.M | re.S):
            docs.setdefault(found.group(1), (path, found.group(), False))
        # kernel-doc passes over these.
        for found in re.finditer(r'^/\*\* ((?:(?:struct|union|enum) )?\w+)(?:\(\))?\s+- (.*?) ?\*/\n',
                                 text, re.M):
            docs.setdefault(found.group(1), (path, found.group(2), True))
    return docs


DOCS = kernel_docs()


def without_comments(text):
    return re.sub(r'/\*.*?\*/', lambda found: '\n' * found.group().count('\n'), text, flags=re.S)


def declared(text):
    """What a header declares, in its order: names of functions, macros and structures."""
    text = without_comments(text)
    text = re.sub(r'\\\n', ' ', text)
    names = []
    depth = 0
    for line in text.split('\n'):
        names_of_line = []
        define = re.match(r'#\s*define\s+(\w+)', line)
        if define:
            names_of_line = [define.group(1)]
        elif not re.match('#|DEFINE_FREE', line) and depth == 0:
            names_of_line = re.findall(r'\b((?:struct|union|enum) \w+)\s*\{', line) + \
                re.findall(r'\b((?:__)?(?:devm_)?kspan\w*)\s*\(', line)
        for name in names_of_line:
            if name not in names:
                names.append(name)
        if not line.startswith('#'):
            depth += line.count('{') - line.count('}')
    return names


def prototype(name, text=None):
    """The first line of a function's definition, without attributes."""
    text = without_comments(text or TEXTS[DOCS[name][0]])
    found = re.search(r'^((?:static|[a-z])[^;{}#]*\b%s\s*\([^{;]*?\))\s*\{' % re.escape(name), text, re.M)
    if not found:
        return None
    line = re.sub(r'\b(static|inline|__always_inline|__must_check)\b|__\w+_size\([^)]*\)|'
                  r'__printf\([^)]*\)', '', found.group(1))
    return re.sub(r'\s+', ' ', line).strip()


def escaped(text):
    """Prose of a comment as reStructuredText: no character of it is markup."""
    text = re.sub(r'([\\*`|])', r'\\\1', text)
    text = re.sub(r'_(?=\W|$)', r'\\_', text)
    return re.sub(r'(?<![\w`])((?:devm_)?_*kspan_\w+(?:\([\w, ]*\))?)(?=(\w|\()?)',
                  lambda found: f'``{found.group(1)}``' + ('\\ ' if found.group(2) else ''), text)


def head_of(text):
    """The paragraphs of the comment at a header's top."""
    found = re.match(r'(?:/\*[^\n]*SPDX[^\n]*\*/|//[^\n]*SPDX[^\n]*)\n/\*(.*?)\*/', text, re.S)
    if not found:
        return ''
    lines = [re.sub(r'^ ?\* ?', '', line) for line in found.group(1).strip().split('\n')]
    return '\n'.join(escaped(line) for line in lines)


def sentence(text):
    text = escaped(text.strip())
    return text[:1].upper() + text[1:] + ('' if text.endswith('.') else '.')


def underlined(title, mark):
    return f'{title}\n{mark * len(title)}\n'


def write_header_page(stem, text):
    title = TITLES.get(stem, stem)
    lines = ['.. SPDX-License-Identifier: GPL-2.0', '', underlined(title, '='),
             f'``#include <linux/{stem}.h>``', '', head_of(text), '']
    for name in declared(text):
        if name not in DOCS and '__' + name in DOCS:
            # An inline function that adds THIS_MODULE, or finds the class.
            macro = re.search(r'^#define (%s\([^)]*\))' % name, text, re.M)
            proto = prototype(name, text)
            lines += [f'.. c:function:: {proto}' if proto else f'.. c:macro:: {macro.group(1) if macro else name}', '',
                      f'   Calls :c:func:`__{name}`, which has the description.', '']
            continue
        if name not in DOCS:
            other = re.search(r'^#define %s\s+(\w+)$' % name, text, re.M)
            if other and other.group(1) in DOCS:
                lines += [f'.. c:macro:: {name}', '',
                          f'   Another name of :c:func:`{other.group(1)}`.', '']
            elif re.match(r'(devm_)?kspan_', name):
                lacks(f'{INCLUDE}/{stem}.h: {name} is declared and has no kernel-doc')
            continue
        path, doc, short = DOCS[name]
        if not short:
            directive = [f'.. kernel-doc:: {path}', f'   :identifiers: {name.split()[-1]}', '']
            # To Sphinx a structure and a function of one name are one thing.
            if ' ' in name and name.split()[-1] in DOCS:
                directive = ['.. c:namespace-push:: types', ''] + directive + ['.. c:namespace-pop::', '']
            lines += directive
            continue
        proto = prototype(name)
        lines += [f'.. c:function:: {proto}' if proto else f'.. c:macro:: {name}', '',
                  f'   {sentence(doc)}', '']
    with open(os.path.join(OUT, 'calls', stem + '.rst'), 'w', encoding='utf-8') as file:
        file.write('\n'.join(lines) + '\n')


def write_tree():
    """
    Copies of the sources for kernel-doc. A word like kspan_heap_, which stands for a family of
    calls, would be a link without a target.
    """
    for path, text in TEXTS.items():
        text = re.sub(r'^/\*\*\n.*?\*/', lambda found: re.sub(
            r'(?<![\w`])(\w+_)(?![\w`])', r'``\1``', found.group()), text, flags=re.M | re.S)
        copy = os.path.join(OUT, 'tree', path)
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        with open(copy, 'w', encoding='utf-8') as file:
            file.write(text)


def write_reference():
    os.makedirs(os.path.join(OUT, 'calls'), exist_ok=True)
    stems = sorted({os.path.basename(path)[:-2] for path in TEXTS if path.startswith(INCLUDE)} -
                   LEFT_OUT, key=lambda stem: (list(TITLES).index(stem) if stem in TITLES else 99, stem))
    for stem in stems:
        write_header_page(stem, TEXTS[f'{INCLUDE}/{stem}.h'])
    with open(os.path.join(OUT, 'calls', 'index.rst'), 'w', encoding='utf-8') as file:
        file.write('.. SPDX-License-Identifier: GPL-2.0\n\n' + underlined('The calls', '=') +
                   '\nThese pages are made from the kernel-doc comments of the code. ``<linux/kspan.h>``\n'
                   'includes the other headers.\n\n.. toctree::\n   :maxdepth: 2\n\n' +
                   ''.join(f'   {stem}\n' for stem in stems))


def check_exports():
    """Each exported call says where it may be called, and what it returns."""
    names = {}
    for path, text in TEXTS.items():
        # Not in a module that is for users: see base/stretch.h.
        if path != 'module/base/stretch.c':
            for found in re.finditer(r'^EXPORT_SYMBOL(?:_GPL)?\((\w+)\)', text, re.M):
                names[found.group(1)] = path
    for name, path in sorted(names.items()):
        if name not in DOCS or DOCS[name][2]:
            lacks(f'{path}: {name}() is exported and has no kernel-doc of its arguments')
            continue
        doc = DOCS[name][1]
        if '\n * Context: ' not in doc:
            lacks(f'{path}: the kernel-doc of {name}() has no "Context:"')
        if '\n * Return: ' not in doc and not (prototype(name) or 'void ').startswith('void '):
            lacks(f'{path}: the kernel-doc of {name}() has no "Return:"')
    return len(names)


# --- parameters.rst

def check_parameters():
    text = read('Documentation/parameters.rst')
    # Name to the cells behind it.
    rows = {found.group(1): [cell.strip() for cell in found.group(2).split('\n     - ')]
            for found in re.finditer(r'^   \* - ``(\w+)``\n     - (.*?)(?=\n   \* - |\n\n|\Z)',
                                     text, re.M | re.S)}
    code = '\n'.join(TEXTS.values())
    names = {}
    for found in re.finditer(r'^module_param(?:_cb|_named|)\(\s*(\w+),.*?(0\d+)\);', code, re.M | re.S):
        names[found.group(1)] = int(found.group(2), 8)
    for name, mode in sorted(names.items()):
        if name not in rows:
            lacks(f'Documentation/parameters.rst: there is no row of the parameter {name}')
            continue
        default, _, writable = rows[name][:3]
        described = re.search(r'MODULE_PARM_DESC\(%s,(.*?)\);' % name, code, re.S)
        said = re.search(r'\(default ([^),;]+)', described.group(1)) if described else None
        if said and said.group(1) != default:
            lacks(f'Documentation/parameters.rst: {name}: default {default}, but the code says '
                  f'{said.group(1)}')
        if (writable == 'yes') != bool(mode & 0o200):
            lacks(f'Documentation/parameters.rst: {name}: writable is {writable}, but its mode is {mode:o}')
    for name in sorted(set(rows) - set(names)):
        lacks(f'Documentation/parameters.rst: {name} is no parameter of the code')
    manual = re.findall(r'^\.BR (\w+) " \(', read(MANUAL), re.M)
    compare(MANUAL, 'the parameter', sorted(names), sorted(manual))
    return len(names)


# --- debugfs.rst

def section(text, title):
    found = re.search(r'^%s\n=+\n(.*?)(?=^[^\n]+\n=+\n|\Z)' % re.escape(title), text, re.M | re.S)
    return found.group(1) if found else None


def rows_of(text):
    return re.findall(r'^   (?:\* -(?:\n     -)?| +-) ``(\w+)``$', text, re.M)


def compare(path, what, there, documented):
    for name in there:
        if name not in documented:
            lacks(f'{path}: {what} {name} is not there')
    for name in documented:
        if name not in there:
            lacks(f'{path}: {what} {name} is no longer in the code')


def literals(text):
    return re.findall(r'"((?:[^"\\\n]|\\.)*)"', text)


def check_debugfs():
    path = 'Documentation/debugfs.rst'
    text = read(path)
    code = '\n'.join(TEXTS.values())
    files = re.findall(r'(?:debugfs_create_\w+|create_both)\("(\w+)",', code)
    files = [name for name in files if name != 'kspan'] + \
        re.findall(r'fault_create_debugfs_attr\("(\w+)"', code)
    compare(MANUAL, 'the file', sorted(files), sorted(re.findall(r'^\.TP\n\.I (\w+)$', read(MANUAL), re.M)))
    compare(path, 'the file', files, re.findall(r'^``(\w+)`` +0[0-7]+ ', text, re.M))
    for name in files:
        if section(text, name) is None:
            lacks(f'{path}: there is no section "{name}"')

    units = dict(re.findall(r'show_stat\(t, "(\w+)", "(\w+)",', code))
    keys = list(units)
    compare(path, 'the key of stats', keys, rows_of(section(text, 'stats') or ''))
    for name, unit in re.findall(r'^   \* - ``(\w+)``\n     - (\w+)', section(text, 'stats'), re.M):
        if units.get(name, unit) != unit:
            lacks(f'{path}: stats: {name} is in {unit}, but the code says {units[name]}')

    for table, version, rest in re.findall(r'"# kspan (\w+) (v\d+): ([^"\n]*?)\\n"', code):
        line = f'# kspan {table} {version}: ' + rest.replace('%lu', '8192')
        part = section(text, table) or ''
        if line not in part:
            lacks(f'{path}: {table}: the first line is not the one of the code: {line}')
        elif table not in ('map', 'stats'):
            compare(path, f'the column of {table}', rest.split(), rows_of(part))

    fields = re.findall(r'kspan_table_key\(t, "(\w+)"\)', TEXTS['module/objects/bad_free.c'])
    compare(path, 'the field of bad_frees', list(dict.fromkeys(fields)),
            rows_of(section(text, 'bad_frees') or ''))

    events = []
    for event, body in re.findall(r'^(?:TRACE_EVENT|DECLARE_EVENT_CLASS)\((\w+),(.*?)^\);', code,
                                  re.M | re.S):
        events += [event] * ('DECLARE_EVENT_CLASS(' + event not in code) + \
            re.findall(r'(\w+)=%', body[body.index('TP_printk'):])
    events += re.findall(r'^DEFINE_EVENT\(\w+, (\w+),', code, re.M)
    compare(path, 'the tracepoint or its field', list(dict.fromkeys(events)),
            list(dict.fromkeys(rows_of(section(text, 'Tracepoints') or ''))))
    return len(keys) + len(files)


# --- architecture.rst

def files_to_describe():
    """Name in the page to files: of module/ and kunit/ without the suffix, of tools/ with it."""
    there = {}
    for name in TEXTS:
        there.setdefault(re.sub(r'^module/(.*)\.[ch]$', r'\1', name), []).append(name)
    for top in ('kunit', 'tools'):
        for directory, _, names in os.walk(os.path.join(TOP, top)):
            for name in names:
                path = os.path.relpath(os.path.join(directory, name), TOP)
                # A sample's demo.sh has its sentence with the sample.
                if re.search(r'(?<!\.mod)\.(c|h|sh|py|rs)$', name) and \
                        not re.match(r'tools/samples/\w+/demo\.sh$', path):
                    key = re.sub(r'\.[ch]$', '', path) if top == 'kunit' else path
                    there.setdefault(key, []).append(path)
    return there


def check_files():
    path = 'Documentation/architecture.rst'
    said = re.findall(r'^``([\w/.-]+)``\n    \S', read(path), re.M)
    there = files_to_describe()
    for name, files in sorted(there.items()):
        if name not in said:
            lacks(f'{path}: {" and ".join(files)} has no sentence; add one as\n'
                  f'\t``{name}``\n\t    does this and that.')
    for name in said:
        if name not in there and not os.path.isfile(os.path.join(TOP, name)):
            lacks(f'{path}: there is no {name} any more; take its sentence away')
    return sum(len(files) for files in there.values())


def main():
    write_tree()
    write_reference()
    exports = check_exports()
    parameters = check_parameters()
    keys = check_debugfs()
    files = check_files()
    for text in missing:
        print(text, file=sys.stderr)
    if missing:
        sys.exit(f'kspan: error: the documentation lacks {len(missing)} things that the code has')
    print(f'kspan: the documentation has {exports} exported calls, {parameters} parameters, '
          f'{keys} files and keys of debugfs, {files} files', file=sys.stderr)


main()
