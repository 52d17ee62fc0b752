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
    """Name to (file, text of a comment of one line, or None)."""
    docs = {}
    for path, text in TEXTS.items():
        for found in re.finditer(r'^/\*\*\n \* (?:(?:struct|union|enum) )?(\w+)(?:\(\))?\s+- ',
                                 text, re.M):
            docs.setdefault(found.group(1), (path, None))
        # kernel-doc passes over these.
        for found in re.finditer(r'^/\*\* (?:(?:struct|union|enum) )?(\w+)(?:\(\))?\s+- (.*?) ?\*/\n',
                                 text, re.M):
            docs.setdefault(found.group(1), (path, found.group(2)))
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
            names_of_line = re.findall(r'\b(?:struct|union|enum)\s+(\w+)\s*\{', line) + \
                re.findall(r'\b((?:__)?(?:devm_)?kspan\w*)\s*\(', line)
        for name in names_of_line:
            if name not in names:
                names.append(name)
        if not line.startswith('#'):
            depth += line.count('{') - line.count('}')
    return names


def prototype(name):
    """The first line of a function's definition, without attributes."""
    text = without_comments(TEXTS[DOCS[name][0]])
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
    return re.sub(r'(?<![\w`])((?:devm_)?_*kspan_\w+(?:\(\))?)', r'``\1``', text)


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
        if name not in DOCS:
            continue
        path, short = DOCS[name]
        if short is None:
            lines += [f'.. kernel-doc:: {path}', f'   :identifiers: {name}', '']
            continue
        proto = prototype(name)
        lines += [f'.. c:function:: {proto}' if proto else f'.. c:macro:: {name}', '',
                  f'   {sentence(short)}', '']
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
    names, short = {}, []
    for path, text in TEXTS.items():
        for found in re.finditer(r'^EXPORT_SYMBOL(?:_GPL)?\((\w+)\)', text, re.M):
            names[found.group(1)] = path
    for name, path in sorted(names.items()):
        if name not in DOCS:
            lacks(f'{path}: {name}() is exported and has no kernel-doc')
        elif DOCS[name][1] is not None:
            short.append(name)
    if short:
        print('kspan: note: the comment of these exported calls is one line, so their arguments '
              'are not described:\n       ' + ' '.join(short), file=sys.stderr)
    return len(names)


def main():
    write_tree()
    write_reference()
    exports = check_exports()
    for text in missing:
        print(text, file=sys.stderr)
    if missing:
        sys.exit(f'kspan: error: the documentation lacks {len(missing)} things that the code has')
    print(f'kspan: {exports} exported calls have kernel-doc', file=sys.stderr)


main()
