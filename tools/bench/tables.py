#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Make tables of the benchmark's lines, which are words "name=value". tools/bench.sh calls this.

Usage: tools/bench/tables.py show KEY COLUMN... <LINES   the lines that begin with KEY=
       tools/bench/tables.py words LINES                 bytes per word of BENCH_WHAT=words
       tools/bench/tables.py rst KERNEL...               the last runs as the documentation has
                                                         them, kernels side by side
       tools/bench/tables.py tsv KERNEL...               the last runs, a line per measurement

The last runs are in KSPAN_CACHE/bench, a directory for each.
"""
import glob
import os
import re
import sys

TSV = '''what pattern order gfp call peer size n batch held live kspan slub ratio q1 q3
reading cycle sample operations requested kspan_held slub_held low high creep slub_creep
arenas spans cached metadata cached_share metadata_share slub_slabs kspan_locked slub_locked
kspan_acquired slub_acquired kspan_off slub_off kspan_ticks slub_ticks kspan_slowest
slub_slowest kspan_oom slub_oom'''.split()

RUNS = os.environ.get('KSPAN_CACHE', '') + '/bench'

# What is in the documentation, and the columns before the figures.
RST = (('pairs', 'pattern size n'), ('calls', 'call peer size batch'),
       ('large', 'pattern size n peer'), ('churn', 'pattern size n peer'),
       ('scaling', 'pattern size n held live'))


def values(line):
    return dict(word.split('=', 1) for word in line.split() if '=' in word)


def lines_of(file):
    try:
        with open(file, errors='replace') as lines:
            return lines.read().replace('\r', '').replace('\0', '').split('\n')
    except FileNotFoundError:
        return []


def show(key, *columns):
    def put(cells):
        print(' '.join(cell.ljust(27 if name in ('call', 'peer') else max(9, len(name)))
                       for name, cell in zip(columns, cells)).rstrip())
    put(columns)
    for line in sys.stdin:
        if line.startswith(key + '='):
            row = values(line)
            put([row.get(name, '') for name in columns])


def words(file):
    """The words, the slots in use, the pages of the spans, and these with what describes them.

    A span has two bits a slot; one of tiny objects one more, and a bit per byte.
    """
    count, sums = {}, {'malloc': [0, 0, 0], 'tiny': [0, 0, 0]}
    for line in lines_of(file):
        row = values(line)
        if line.startswith('words='):
            count = row
            print(line)
        elif line.startswith('store='):
            spans, slots = int(row['spans']), int(row['slots'])
            bits = 3 * slots + 8192 * spans if row['class'] == 'tiny' else 2 * slots
            total = sums[row['store']]
            total[0] += int(row['in_use']) * int(row['slot'])
            total[1] += spans * 8192
            total[2] += spans * (8192 + float(row['descriptor'])) + bits / 8
            print(line)
    if not count:
        sys.exit(f'the benchmark printed nothing; see {file}')
    print('store        text    slots    pages  with_metadata')
    for store, total in sums.items():
        text, slots, pages, described = (n / int(count['short']) for n in
                                         [int(count['short_bytes'])] + total)
        print(f'{store:8} {text:8.2f} {slots:8.2f} {pages:8.2f} {described:14.2f}')


def figure(text, form):
    return format(float(text), form) if re.search('[0-9]', text) else '-'


def rst(kernels, what, columns):
    head, rows = columns.split(), {}
    for kernel in kernels:
        for line in lines_of(f'{RUNS}/{kernel}-{what}/results.log'):
            if line.startswith(head[0] + '='):
                row = values(line)
                rows.setdefault(tuple(row.get(name, '') for name in head), {})[kernel] = row
    table = [head + [name for kernel in kernels for name in (kernel, 'SLUB', 'ratio')]]
    for cells, costs in rows.items():
        row = list(cells)
        for kernel in kernels:
            cost = costs.get(kernel, {})
            row += [figure(cost.get('kspan', ''), '.0f'), figure(cost.get('slub', ''), '.0f'),
                    cost.get('ratio') or '-']
        table.append(row)
    widths = [max(map(len, column)) for column in zip(*table)]
    rule = '  '.join('=' * width for width in widths)
    body = ['  '.join(cell.rjust(width) if i else cell.ljust(width)
                      for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
            for row in table]
    print('\n'.join([rule, body[0], rule] + body[1:] + [rule]))


def tsv(kernels):
    """The name of a run is KERNEL-WHAT[-MACHINE][-init]: see name_of() of tools/bench.sh."""
    print('\t'.join(['kernel', 'on', 'init_on_alloc'] + TSV))
    for run in sorted(glob.glob(RUNS + '/*/')):
        kernel, *rest = os.path.basename(run[:-1]).split('-')
        init = rest[-1:] == ['init']
        what, *on = rest[:-1] if init else rest or ['words']
        if kernel not in kernels or what == 'words':
            continue
        for line in lines_of(run + 'results.log') + lines_of(run + 'locks.log'):
            if line.startswith(('pattern=', 'call=')):
                row = dict(values(line), what=what)
                print('\t'.join([kernel, '-'.join(on) or 'icount', str(int(init))] +
                                [row.get(name, '') for name in TSV]))


if __name__ == '__main__':
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if sys.argv[1] == 'rst':
        for position, (table, before) in enumerate(RST):
            print(end='\n' if position else '')
            rst(sys.argv[2:], table, before)
    elif sys.argv[1] == 'tsv':
        tsv(sys.argv[2:])
    else:
        {'show': show, 'words': words}[sys.argv[1]](*sys.argv[2:])
