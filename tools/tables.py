#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Make tables of what benchmarks print. tools/bench.sh and tools/replay.sh call this.

Of lines of words "name=value", where the last runs are in KSPAN_CACHE/bench, a directory each:

    tools/tables.py show KEY COLUMN... <LINES       the lines that begin with KEY=
    tools/tables.py words LINES                     bytes per word of BENCH_WHAT=words
    tools/tables.py rst KERNEL...                   the last runs as the documentation has them,
                                                    kernels side by side
    tools/tables.py tsv KERNEL...                   the last runs, a line per measurement

Of replays, where a kernel's DIRECTORY has results.log and samples.tsv:

    tools/tables.py replay [KERNEL DIRECTORY]...    what is held at the peak
    tools/tables.py replay-rst [KERNEL DIRECTORY]...      as the documentation has it
    tools/tables.py curves [KERNEL DIRECTORY]...    what Documentation/sphinx/plots.py draws
"""
import collections
import csv
import glob
import os
import re
import sys

TSV = '''what pattern order gfp call peer size n batch held live kspan slub ratio q1 q3
reading cycle sample operations requested kspan_held slub_held low high creep slub_creep
arenas spans cached metadata cached_share metadata_share slub_slabs kspan_locked slub_locked
kspan_acquired slub_acquired kspan_off slub_off kspan_ticks slub_ticks kspan_slowest
slub_slowest kspan_oom slub_oom'''.split()

MIB = 1 << 20
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


def put_rst(table):
    widths = [max(map(len, column)) for column in zip(*table)]
    rule = '  '.join('=' * width for width in widths)
    body = ['  '.join(cell.rjust(width) if i else cell.ljust(width)
                      for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
            for row in table]
    print('\n'.join([rule, body[0], rule] + body[1:] + [rule]))


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
    put_rst(table)


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


# Of what kspan replay prints: the means of a trace's rounds on a kernel.
PEAKS = '''trace kernel events requested kspan SLUB kspan/req SLUB/req spans/req ratio lost_ratio
most_ratio kspan_ticks SLUB_ticks'''.split()


def replays(log):
    """The fields of each trace's lines."""
    traces = {}
    for line in lines_of(log):
        word = line.split()
        if word[:1] == ['trace:']:
            lines = traces.setdefault(word[1], [])
        elif traces and len(word) > 5:
            lines.append(word)
    return traces


def peak(trace, kernel, lines):
    sums, rounds, fixed = collections.Counter(), collections.Counter(), {}
    events = requested = 0
    for word in lines:
        on, reading = word[0], word[2]
        if on == 'time:':
            row = values(' '.join(word))
            sums[row['on'], 'ticks'] += float(row['ticks_per_event'])
        elif reading == 'before':
            fixed[on] = int(word[11])
        elif reading == 'peak':
            rounds[on] += 1
            requested = int(word[4])
            sums[on, 'held'] += int(word[5])
            sums[on, 'lost'] += int(word[7])
            sums[on, 'spans'] += int(word[10]) + int(word[11]) - fixed[on]
        elif reading == 'most':
            sums[on, 'most'] += int(word[5])
        elif reading == 'end':
            events = word[3]

    def mean(on, what):
        return sums[on, what] / rounds[on] if rounds[on] else 0

    def ratio(what):
        return f'{mean("kspan", what) / mean("slub", what):.2f}' if mean('slub', what) else '-'

    return [trace, kernel, str(events), f'{requested / MIB:.2f}',
            *(f'{mean(on, "held") / MIB:.2f}' for on in ('kspan', 'slub')),
            *(f'{mean(on, "held") / requested:.3f}' for on in ('kspan', 'slub')),
            f'{mean("kspan", "spans") / requested:.3f}', ratio('held'), ratio('lost'),
            ratio('most'), *(f'{mean(on, "ticks"):.0f}' for on in ('kspan', 'slub'))]


def peaks(runs):
    rows = [peak(trace, kernel, lines) for kernel, run in runs
            for trace, lines in replays(run + '/results.log').items()]
    return [PEAKS] + sorted(rows, key=lambda row: (row[0], [int(n) for n in row[1].split('.')]))


def show_peaks(runs):
    print('At the peak: MiB requested; MiB held by each, and held / requested; kspan\'s spans and\n'
          'metadata / requested; kspan held / SLUB held, the same of what the system lost, and\n'
          'of the most that is held at any time; ticks of an event, an empty run subtracted.\n'
          'Means of the rounds.')
    for row in peaks(runs):
        print(' '.join([row[0].ljust(12)] + [cell.rjust(11) for cell in row[1:]]))


def curves(runs):
    """In MiB, the first round of each. Metadata that is there without an object is not held."""
    print('# SPDX-License-Identifier: GPL-2.0')
    print('trace\tkernel\tevents\trequested\tkspan_held\tkspan_spans\tslub_held')
    for kernel, run in runs:
        traces = {}
        for row in csv.DictReader(lines_of(run + '/samples.tsv'), delimiter='\t'):
            if row['round'] == '1':
                traces.setdefault(row['trace'], {}).setdefault(row['on'], []).append(
                    {name: int(cell) for name, cell in row.items() if cell.isdigit()})
        for trace, on in traces.items():
            if len(on) < 2:
                continue
            fixed = min(at['metadata'] + at['arenas'] - at['held'] for at in on['kspan'])
            for ours, theirs in zip(on['kspan'], on['slub']):
                figures = (ours['requested'], ours['held'],
                           ours['spans'] + ours['metadata'] - fixed, theirs['held'])
                print('\t'.join([trace, kernel, str(ours['events'])] +
                                [f'{n / MIB:.2f}' for n in figures]))


def main():
    command, *arguments = sys.argv[1:] or ['']
    runs = list(zip(arguments[::2], arguments[1::2]))
    if command in ('show', 'words') and arguments:
        {'show': show, 'words': words}[command](*arguments)
    elif command == 'rst':
        for position, (what, before) in enumerate(RST):
            print(end='\n' if position else '')
            rst(arguments, what, before)
    elif command == 'tsv':
        tsv(arguments)
    elif command == 'replay':
        show_peaks(runs)
    elif command == 'replay-rst':
        put_rst(peaks(runs))
    elif command == 'curves':
        curves(runs)
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main()
