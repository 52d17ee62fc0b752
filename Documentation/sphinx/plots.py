#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Draw the plots of the documentation from tables of measurements.
#
#   Documentation/sphinx/plots.py DIRECTORY
#
# Reads results.tsv and memory.tsv (tools/bench.sh tsv) and replay.tsv (tools/replay.sh
# curves) in DIRECTORY, and writes there
#
#   pairs.svg, large.svg, churn.svg   kspan's instructions by SLUB's, by size
#   uml.svg                           the same of nanoseconds, under User Mode Linux
#   scaling.svg                       instructions by what is held besides
#   cpus.svg                          instructions and locked instructions by CPUs
#   memory.svg, drift.svg             bytes held by bytes requested
#   replay-TRACE.svg                  MiB held along a trace
#
# A panel has at most MOST_LINES lines, and no two of the same colour.

import csv
import math
import os
import sys

import matplotlib
matplotlib.use('svg')
import matplotlib.pyplot as plt     # noqa: E402

MOST_LINES = 5
COLOURS = {'fifo': '#1f77b4', 'lifo': '#ff7f0e', 'random': '#2ca02c', 'hot': '#d62728',
           'zeroed': '#9467bd', 'churn': '#1f77b4', 'kspan': '#1f77b4', 'SLUB': '#d62728',
           'requested': '#7f7f7f', 'kspan: arenas and metadata': '#1f77b4',
           'kspan: spans and metadata': '#17becf'}
GROUPS = {'1': 'one object at once', '16': '16 objects', '64': '64 objects', '1000': '1000 objects',
          '10000': '10000 objects'}

plt.rcParams.update({'svg.hashsalt': 'kspan', 'font.size': 8, 'axes.grid': True, 'grid.color': '#dddddd',
                     'lines.linewidth': 1.4, 'lines.markersize': 3, 'figure.dpi': 80})


def die(text):
    sys.exit(f'kspan: error: {text}')


def read(name):
    with open(os.path.join(WHERE, name), encoding='ascii') as file:
        lines = (line for line in file if not line.startswith('#'))
        return list(csv.DictReader(lines, delimiter='\t'))


def number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def kernel_key(kernel):
    return [int(part) for part in kernel.split('.')]


def kernels_of(rows):
    return sorted({row['kernel'] for row in rows}, key=kernel_key)


def size_text(size, _=None):
    for unit, bytes_ in (('M', 1 << 20), ('K', 1 << 10)):
        if size >= bytes_:
            return f'{size / bytes_:g}{unit}'
    return f'{size:g}'


class Grid:
    """Panels in rows and columns, with axes in common."""

    def __init__(self, name, title, rows, columns, size=(3.2, 2.5)):
        self.name = name
        self.rows, self.columns = rows, columns
        self.figure, self.axes = plt.subplots(rows, columns, squeeze=False, sharex=True, sharey='row',
                                              figsize=(size[0] * columns, size[1] * rows + 0.8))
        self.figure.suptitle(title, fontsize=10)

    def panel(self, row, column, title, lines, x_label='', y_label='', logs=(None, None), same=False,
              markers=True):
        if len(lines) > MOST_LINES:
            die(f'{self.name}: the panel "{title}" has {len(lines)} lines, {MOST_LINES} are the most')
        colours = [COLOURS[key] for key in lines]
        if len(set(colours)) < len(colours):
            die(f'{self.name}: two lines of the panel "{title}" have the same colour')
        axes = self.axes[row][column]
        for key, points in lines.items():
            points = sorted(points)
            axes.plot([x for x, _ in points], [y for _, y in points], color=COLOURS[key], label=key,
                      marker='o' if markers else None)
        if same:
            axes.axhline(1, color='black', linewidth=0.8, linestyle=':')
        if logs[0]:
            axes.set_xscale('log', base=logs[0])
        if logs[1]:
            axes.set_yscale('log', base=logs[1])
            axes.yaxis.set_major_formatter(lambda value, _: f'{value:g}')
        axes.set_title(title, fontsize=8)
        if row == self.rows - 1:
            axes.set_xlabel(x_label)
        if column == 0:
            axes.set_ylabel(y_label)
        axes.legend(fontsize=6)
        return axes

    def save(self):
        self.figure.tight_layout()
        path = os.path.join(WHERE, self.name + '.svg')
        self.figure.savefig(path, metadata={'Date': None})
        plt.close(self.figure)


def ratios(name, rows, what, on, unit):
    """Rows: kernels and peers. Columns: how many objects."""
    rows = [row for row in rows if row['what'] == what and row['on'] == on and
            row['init_on_alloc'] == '0' and number(row['slub'])]
    if not rows:
        return
    sides = sorted({(row['kernel'], row['peer']) for row in rows},
                   key=lambda side: (side[1] != 'kmalloc', kernel_key(side[0])))
    counts = sorted({row['n'] for row in rows}, key=number)
    grid = Grid(name, f'{what}: cost of kspan / cost of SLUB ({unit}); dotted: the same', len(sides),
                len(counts))
    for i, (kernel, peer) in enumerate(sides):
        for j, count in enumerate(counts):
            lines = {}
            for row in rows:
                if (row['kernel'], row['peer'], row['n']) == (kernel, peer, count):
                    ratio = number(row['kspan']) / number(row['slub'])
                    lines.setdefault(row['pattern'], []).append((number(row['size']), max(ratio, 0.005)))
            axes = grid.panel(i, j, f'Linux {kernel}, {peer}(), {GROUPS.get(count, count + " objects")}', lines,
                              'largest size, bytes' if what == 'churn' else 'size, bytes', 'kspan / SLUB',
                              (2, 2), same=True)
            axes.xaxis.set_major_formatter(size_text)
    grid.save()


def both(row, suffix='', add=0):
    return {'kspan': number(row['kspan' + suffix]) + add, 'SLUB': number(row['slub' + suffix]) + add}


def scaling(rows):
    rows = [row for row in rows if row['what'] == 'scaling' and row['on'] == 'icount']
    if not rows:
        return
    kernel = kernels_of(rows)[-1]
    rows = [row for row in rows if row['kernel'] == kernel]
    held = sorted({row['held'] for row in rows}, key=number)
    loads = list(dict.fromkeys((row['pattern'], row['size'], row['n']) for row in rows))
    grid = Grid('scaling', f'The cost of an operation by what is held besides (Linux {kernel}, instructions)',
                len(held), len(loads))
    for i, size in enumerate(held):
        for j, load in enumerate(loads):
            lines = {'kspan': [], 'SLUB': []}
            for row in rows:
                if row['held'] == size and (row['pattern'], row['size'], row['n']) == load:
                    for key, value in both(row).items():
                        lines[key].append((number(row['live']), max(value, 1)))
            grid.panel(i, j, f'{load[0]}, {size_text(number(load[1]))}, n={load[2]};\n'
                       f'held: objects of {size_text(number(size))}', lines, 'live objects', 'instructions',
                       (10, 2))
    grid.save()


def cpus(rows):
    rows = [row for row in rows if row['what'] == 'profile' and
            (row['on'] == 'icount' or row['on'].startswith('cpus'))]
    several = [row for row in rows if row['on'] != 'icount']
    if not several:
        return
    kernel = kernels_of(several)[-1]
    loads = list(dict.fromkeys((row['pattern'], row['size'], row['n']) for row in several
                               if row['kernel'] == kernel))
    grid = Grid('cpus', f'The cost of an operation by CPUs of the guest (Linux {kernel})', 2, len(loads))
    for j, load in enumerate(loads):
        lines = [{'kspan': [], 'SLUB': []}, {'kspan': [], 'SLUB': []}]
        for row in rows:
            if row['kernel'] != kernel or (row['pattern'], row['size'], row['n']) != load:
                continue
            count = 1 if row['on'] == 'icount' else int(row['on'][len('cpus'):])
            for key, value in both(row).items():
                lines[0][key].append((count, max(value, 1)))
            # No zero on a logarithmic axis.
            for key, value in both(row, '_locked', 1).items():
                lines[1][key].append((count, value))
        title = f'{load[0]}, {size_text(number(load[1]))}, n={load[2]}'
        grid.panel(0, j, title, lines[0], y_label='instructions', logs=(2, 2))
        grid.panel(1, j, title, lines[1], 'CPUs', 'locked instructions\nin 1000 of them, and 1', (2, 2))
    grid.save()


READINGS = {'filled': 'allocated', 'churned': 'each replaced ten times', 'freed': 'nine of ten freed',
            'shrunk': 'nine of ten freed, and shrunk'}


def memory(rows):
    rows = [row for row in rows if row['what'] == 'memory' and row['pattern'] != 'drift' and
            row['init_on_alloc'] == '0' and row['reading'] in READINGS and number(row['slub'])]
    if not rows:
        return
    kernel = kernels_of(rows)[-1]
    rows = [row for row in rows if row['kernel'] == kernel]
    figure, axes = plt.subplots(1, len(READINGS), figsize=(3.2 * len(READINGS), 3.2))
    figure.suptitle(f'Bytes held / bytes requested (Linux {kernel})', fontsize=10)
    for panel, (reading, title) in zip(axes, READINGS.items()):
        found = [row for row in rows if row['reading'] == reading]
        for shift, key in (-0.2, 'kspan'), (0.2, 'SLUB'):
            bars = panel.bar([i + shift for i in range(len(found))], [both(row)[key] for row in found], 0.38,
                             color=COLOURS[key], label=key)
            panel.bar_label(bars, fmt='%.2f', fontsize=5)
        panel.set_xticks(range(len(found)), [row['pattern'] for row in found])
        panel.set_title(title, fontsize=8)
    axes[0].legend(fontsize=6)
    figure.tight_layout()
    figure.savefig(os.path.join(WHERE, 'memory.svg'), metadata={'Date': None})
    plt.close(figure)


def drift(rows):
    rows = [row for row in rows if row['what'] == 'memory' and row['reading'] == 'sample' and
            row['init_on_alloc'] == '0' and number(row['slub'])]
    if not rows:
        return
    kernels = kernels_of(rows)
    grid = Grid('drift', 'Bytes held / bytes requested while sizes wander five times', 1, len(kernels), (5, 2.8))
    for j, kernel in enumerate(kernels):
        lines = {'kspan': [], 'SLUB': []}
        for row in rows:
            if row['kernel'] == kernel:
                for key, value in both(row).items():
                    lines[key].append((number(row['sample']), value))
        axes = grid.panel(0, j, f'Linux {kernel}', lines, 'reading', 'held / requested')
        axes.set_ylim(bottom=0)
    grid.save()


REPLAYED = {'requested': 'requested', 'kspan_held': 'kspan: arenas and metadata',
            'kspan_spans': 'kspan: spans and metadata', 'slub_held': 'SLUB'}


def replay(rows):
    for trace in sorted({row['trace'] for row in rows}):
        mine = [row for row in rows if row['trace'] == trace]
        kernels = kernels_of(mine)
        grid = Grid('replay-' + trace, f'The trace "{trace}": MiB requested and held', 1, len(kernels), (5, 3))
        for j, kernel in enumerate(kernels):
            lines = {}
            for row in mine:
                if row['kernel'] != kernel:
                    continue
                for column, line in REPLAYED.items():
                    if number(row[column]) is not None:
                        lines.setdefault(line, []).append((number(row['events']) / 1000, number(row[column])))
            axes = grid.panel(0, j, f'Linux {kernel}', lines, 'thousands of events', 'MiB', markers=False)
            axes.set_ylim(bottom=0)
        grid.save()


def main():
    results, held = read('results.tsv'), read('memory.tsv')
    for what in 'pairs', 'large', 'churn':
        ratios(what, results, what, 'icount', 'instructions')
    ratios('uml', results, 'pairs', 'uml', 'nanoseconds, User Mode Linux')
    scaling(results)
    cpus(results)
    memory(held)
    drift(held)
    replay(read('replay.tsv'))


if len(sys.argv) != 2:
    die('usage: Documentation/sphinx/plots.py DIRECTORY')
WHERE = sys.argv[1]
main()
