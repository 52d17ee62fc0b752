#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Draw the benchmark's results as SVG, with nothing but Python.
#
#   tools/bench.sh tsv | tools/bench/plot.py KIND FILE.svg
#
# KIND is one of
#   pairs, large, churn   the ratio of kspan's cost to SLUB's by size, a panel for each
#                         kernel, a line for each pattern; instructions
#   uml                   pairs in nanoseconds, under User Mode Linux
#   scaling               the cost of an operation by what is held besides it
#   cpus                  the cost of an operation, and its locked instructions, by CPUs
#   memory                what is held by what was asked for, a panel for each reading, bars
#                         of both for each pattern
#   drift                 the same over a long churn whose sizes wander, a panel for each kernel
# Lines are drawn at 1, where both cost the same, and at the ratio that is aimed at.

import collections
import html
import math
import sys

COLOURS = ('#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#ff7f0e', '#17becf', '#8c564b',
           '#e377c2', '#7f7f7f', '#bcbd22', '#000000', '#66aa00')
WIDTH, HEIGHT = 400, 320
LEFT, TOP, BOTTOM, GAP = 62, 56, 52, 24
ENTRY = 16

# What each kind aims at, by kernel: see the project's numbers.
AIMS = {
    'pairs': {'': [0.40], '7.3': [0.40, 0.60]},
    'churn': {'': [0.40], '7.3': [0.60]},
    'large': {'': [0.30]},
    'uml': {'': [0.50]},
}


def die(text):
    sys.exit(f'kspan: error: {text}')


def read_rows():
    lines = [line.rstrip('\n').split('\t') for line in sys.stdin]
    if len(lines) < 2:
        die('there are no results to plot; run tools/bench.sh first')
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def size_text(size):
    for unit, bytes_ in (('M', 1 << 20), ('K', 1 << 10)):
        if size >= bytes_ and size % bytes_ == 0:
            return f'{int(size) // bytes_}{unit}'
    return f'{size:g}'


def count_text(value):
    return f'10^{round(math.log10(value))}' if value >= 1000 else f'{value:g}'


class Axis:
    """A logarithmic axis of the given base, over whole powers of it."""

    def __init__(self, values, base, length, text, most=12):
        low = math.floor(math.log(min(values), base) + 1e-9)
        high = math.ceil(math.log(max(values), base) - 1e-9)
        self.low, self.base, self.length = low, base, length
        self.high = max(high, low + 1)
        step = max(1, math.ceil((self.high - self.low) / most))
        self.ticks = [(base ** i, text(float(base) ** i))
                      for i in range(self.low, self.high + 1, step)]

    def at(self, value):
        return (math.log(value, self.base) - self.low) / (self.high - self.low) * self.length


class Linear:
    """A linear axis."""

    def __init__(self, values, length):
        self.low, self.high, self.length = min(values), max(values) * 1.05, length
        step = 10 ** math.floor(math.log10(self.high - self.low))
        step = next(s for s in (step / 5, step / 2, step) if (self.high - self.low) / s <= 10)
        self.ticks = [(self.low + i * step, f'{self.low + i * step:g}')
                      for i in range(int((self.high - self.low) / step) + 1)]

    def at(self, value):
        return (value - self.low) / (self.high - self.low) * self.length


class Chart:
    def __init__(self, title, panels, x, y, x_label, y_label):
        self.out = []
        self.x, self.y = x, y
        names = list(dict.fromkeys(name for _, series, _ in panels for name, _ in series))
        style = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
        columns = max(1, (len(panels) * (LEFT + WIDTH) + GAP) // 240)
        legend = (len(names) + columns - 1) // columns * ENTRY + 12
        width = len(panels) * (LEFT + WIDTH + GAP)
        height = TOP + HEIGHT + BOTTOM + legend
        self.out.append(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">')
        self.out.append('<!-- SPDX-License-Identifier: GPL-2.0 -->')
        self.out.append(f'<rect width="{width}" height="{height}" fill="white"/>')
        self.text(width / 2, 20, title, 'font-size="15" text-anchor="middle"')
        for i, (name, series, lines) in enumerate(panels):
            self.panel(i * (LEFT + WIDTH + GAP) + LEFT, name, series, lines, style,
                       x_label, y_label if i == 0 else '')
        for i, name in enumerate(names):
            left = LEFT + i % columns * 220
            top = TOP + HEIGHT + BOTTOM + i // columns * ENTRY
            dash = self.dash(name)
            self.out.append(f'<line x1="{left}" y1="{top}" x2="{left + 24}" y2="{top}" '
                            f'stroke="{style[name]}" stroke-width="2"{dash}/>')
            self.text(left + 30, top + 4, name)
        self.out.append('</svg>')

    @staticmethod
    def dash(name):
        return ' stroke-dasharray="5 3"' if name.startswith('SLUB') else ''

    def text(self, x, y, text, more=''):
        self.out.append(f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(text)}</text>')

    def panel(self, left, name, series, lines, style, x_label, y_label):
        bottom = TOP + HEIGHT
        self.out.append(f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" '
                        'fill="none" stroke="#444"/>')
        self.text(left + WIDTH / 2, TOP - 10, name, 'font-size="13" text-anchor="middle"')
        for value, label in self.x.ticks:
            at = left + self.x.at(value)
            self.out.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{bottom}" stroke="#ddd"/>')
            self.text(at, bottom + 15, label, 'text-anchor="middle"')
        for value, label in self.y.ticks:
            at = bottom - self.y.at(value)
            self.out.append(f'<line x1="{left}" y1="{at:.1f}" x2="{left + WIDTH}" y2="{at:.1f}" '
                            'stroke="#ddd"/>')
            self.text(left - 6, at + 4, label, 'text-anchor="end"')
        for value, label in lines:
            at = bottom - self.y.at(value)
            self.out.append(f'<line x1="{left}" y1="{at:.1f}" x2="{left + WIDTH}" y2="{at:.1f}" '
                            'stroke="#000" stroke-width="1.2" stroke-dasharray="2 3"/>')
            self.text(left + 4, at - 4, label)
        self.text(left + WIDTH / 2, bottom + 34, x_label, 'text-anchor="middle"')
        if y_label:
            self.text(0, 0, y_label, 'text-anchor="middle" '
                      f'transform="translate({left - 44} {TOP + HEIGHT / 2}) rotate(-90)"')
        for name_, points in series:
            places = [(left + self.x.at(x), bottom - self.y.at(y)) for x, y in sorted(points)]
            path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in places)
            self.out.append(f'<polyline points="{path}" fill="none" stroke="{style[name_]}" '
                            f'stroke-width="1.8"{self.dash(name_)}/>')
            for x, y in places:
                self.out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{style[name_]}"/>')


def kernel_key(kernel):
    return [int(part) for part in kernel.split('.')]


def series_name(row):
    if row['n'] in ('', '1') or row['pattern'] == 'churn':
        return row['pattern']
    return f"{row['pattern']}, n={row['n']}"


def ratios(kind, rows):
    what, on = ('pairs', 'uml') if kind == 'uml' else (kind, 'icount')
    rows = [row for row in rows if row['what'] == what and row['on'] == on and
            row['init_on_alloc'] == '0' and number(row['slub'])]
    if not rows:
        die(f'no results of BENCH_WHAT={what} BENCH_ON={on}')
    panels = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in rows:
        ratio = number(row['kspan']) / number(row['slub'])
        panels[row['kernel'], row['peer']][series_name(row)].append(
            (number(row['size']), max(ratio, 0.005)))
    aims = AIMS[kind]
    drawn = []
    for kernel, peer in sorted(panels, key=lambda key: (kernel_key(key[0]), key[1])):
        drawn.append((f'Linux {kernel}, beside {peer}()', list(panels[kernel, peer].items()),
                      [(1, 'the same')] +
                      [(aim, f'aim: {aim:g}') for aim in aims.get(kernel, aims[''])]))
    values = [point for _, series, _ in drawn for _, points in series for point in points]
    unit = 'nanoseconds, User Mode Linux' if kind == 'uml' else 'instructions, icount'
    return Chart(f'{what}: kspan beside SLUB ({unit})', drawn,
                 Axis([x for x, _ in values], 2, WIDTH, size_text, 10),
                 Axis([y for _, y in values] + [1, 0.25], 2, HEIGHT, lambda v: f'{v:g}'),
                 'largest size, bytes' if kind == 'churn' else 'size, bytes',
                 'cost of kspan / cost of SLUB')


def scaling(rows):
    rows = [row for row in rows if row['what'] == 'scaling' and row['on'] == 'icount']
    if not rows:
        die('no results of BENCH_WHAT=scaling')
    kernel = max((row['kernel'] for row in rows), key=kernel_key)
    panels = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in rows:
        if row['kernel'] != kernel:
            continue
        name = f"{row['pattern']}, {row['size']} bytes, n={row['n']}"
        held = f"objects of {size_text(number(row['held']))} bytes held"
        for allocator, label in ('kspan', 'kspan'), ('slub', 'SLUB'):
            panels[held][f'{label} {name}'].append(
                (number(row['live']), max(number(row[allocator]), 1)))
    drawn = [(title, list(series.items()), []) for title, series in panels.items()]
    values = [point for _, series, _ in drawn for _, points in series for point in points]
    return Chart(f'The cost of an operation by what is held besides (Linux {kernel}, icount)', drawn,
                 Axis([x for x, _ in values], 10, WIDTH, count_text),
                 Axis([y for _, y in values], 2, HEIGHT, lambda v: f'{v:g}'),
                 'live objects', 'instructions per alloc and free')


def cpus(rows):
    rows = [row for row in rows if row['what'] == 'profile' and
            (row['on'] == 'icount' or row['on'].startswith('cpus'))]
    several = [row for row in rows if row['on'] != 'icount']
    if not several:
        die('no results of BENCH_WHAT=profile with CPUS= above 1')
    kernel = max((row['kernel'] for row in several), key=kernel_key)
    panels = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in rows:
        if row['kernel'] != kernel:
            continue
        count = 1 if row['on'] == 'icount' else int(row['on'][len('cpus'):])
        name = f"{row['pattern']}, {row['size']} bytes, n={row['n']}"
        if not any(r['on'] != 'icount' and all(r[k] == row[k] for k in ('pattern', 'size', 'n'))
                   for r in several if r['kernel'] == kernel):
            continue
        for allocator, label in ('kspan', 'kspan'), ('slub', 'SLUB'):
            panels['instructions of an alloc and its free'][f'{label} {name}'].append(
                (count, max(number(row[allocator]), 1)))
            # No zero on a logarithmic axis.
            panels['locked instructions in 1000 of them, and 1'][f'{label} {name}'].append(
                (count, number(row[allocator + '_locked']) + 1))
    drawn = [(title, list(series.items()), []) for title, series in panels.items()]
    values = [point for _, series, _ in drawn for _, points in series for point in points]
    return Chart(f'The cost of an operation by CPUs (Linux {kernel})', drawn,
                 Axis([x for x, _ in values], 2, WIDTH, lambda v: f'{v:g}'),
                 Axis([y for _, y in values], 2, HEIGHT, lambda v: f'{v:g}'),
                 'CPUs of the guest', '')


READINGS = {
    'filled': 'allocated',
    'churned': 'each replaced ten times',
    'freed': 'nine of ten freed',
    'shrunk': 'nine of ten freed, and shrunk',
}


class Bars:
    """Panels of pairs of bars, kspan's and SLUB's, over a linear axis from 0 on."""

    def __init__(self, title, panels, y_label):
        self.out = []
        width = len(panels) * (LEFT + WIDTH + GAP)
        height = TOP + HEIGHT + BOTTOM + 2 * ENTRY
        self.out.append(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">')
        self.out.append('<!-- SPDX-License-Identifier: GPL-2.0 -->')
        self.out.append(f'<rect width="{width}" height="{height}" fill="white"/>')
        self.text(width / 2, 20, title, 'font-size="15" text-anchor="middle"')
        for i, (name, groups) in enumerate(panels):
            self.panel(i * (LEFT + WIDTH + GAP) + LEFT, name, groups, y_label if i == 0 else '')
        for i, name in enumerate(('kspan', 'SLUB')):
            top = TOP + HEIGHT + BOTTOM + ENTRY
            self.rect(LEFT + i * 120, top - 9, 12, 12, COLOURS[i])
            self.text(LEFT + i * 120 + 18, top + 1, name)
        self.out.append('</svg>')

    def text(self, x, y, text, more=''):
        self.out.append(f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(text)}</text>')

    def rect(self, x, y, width, height, colour):
        self.out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                        f'height="{height:.1f}" fill="{colour}"/>')

    def panel(self, left, name, groups, y_label):
        bottom = TOP + HEIGHT
        most = max(value for _, values in groups for value in values) * 1.1
        step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if most / s <= 10)
        self.text(left + WIDTH / 2, TOP - 10, name, 'font-size="13" text-anchor="middle"')
        for i in range(int(most / step) + 1):
            at = bottom - i * step / most * HEIGHT
            self.out.append(f'<line x1="{left}" y1="{at:.1f}" x2="{left + WIDTH}" y2="{at:.1f}" '
                            'stroke="#ddd"/>')
            self.text(left - 6, at + 4, f'{i * step:g}', 'text-anchor="end"')
        if y_label:
            self.text(0, 0, y_label, 'text-anchor="middle" '
                      f'transform="translate({left - 44} {TOP + HEIGHT / 2}) rotate(-90)"')
        each = WIDTH / len(groups)
        for i, (label, values) in enumerate(groups):
            for j, value in enumerate(values):
                x, bar = left + i * each + each * (0.1 + 0.4 * j), value / most * HEIGHT
                self.rect(x, bottom - bar, each * 0.38, bar, COLOURS[j])
                self.text(x + each * 0.19, bottom - bar - 4, f'{value:.2f}',
                          'font-size="8" text-anchor="middle"')
            self.text(left + (i + 0.5) * each, bottom + 15, label, 'text-anchor="middle"')
        self.out.append(f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" '
                        'fill="none" stroke="#444"/>')


def memory_rows(rows):
    rows = [row for row in rows if row['what'] == 'memory' and row['on'] == 'mttcg' and
            row['init_on_alloc'] == '0' and number(row['kspan']) and number(row['slub'])]
    if not rows:
        die('no results of BENCH_WHAT=memory')
    return rows


def memory(rows):
    rows = [row for row in memory_rows(rows) if row['pattern'] != 'drift']
    kernel = max((row['kernel'] for row in rows), key=kernel_key)
    panels = collections.defaultdict(list)
    for row in rows:
        if row['kernel'] == kernel:
            panels[READINGS[row['reading']]].append(
                (row['pattern'], (number(row['kspan']), number(row['slub']))))
    return Bars(f'What is held of the system\'s pages, by what was asked for (Linux {kernel})',
                list(panels.items()), 'bytes held / bytes requested')


def drift(rows):
    panels = collections.defaultdict(lambda: collections.defaultdict(list))
    rows = [row for row in memory_rows(rows) if row['reading'] == 'sample']
    for row in rows:
        for allocator, label in ('kspan', 'kspan'), ('slub', 'SLUB'):
            panels[row['kernel']][label].append((number(row['sample']), number(row[allocator])))
    if not rows:
        die('no results of BENCH_WHAT=memory with pattern=drift')
    drawn = [(f'Linux {kernel}', list(panels[kernel].items()), [])
             for kernel in sorted(panels, key=kernel_key)]
    values = [y for _, series, _ in drawn for _, points in series for _, y in points]
    return Chart('What is held while sizes wander five times', drawn,
                 Linear([0, max(number(row['sample']) for row in rows)], WIDTH),
                 Linear([0, max(values)], HEIGHT), 'reading', 'bytes held / bytes requested')


def main():
    kinds = sorted(AIMS) + ['scaling', 'cpus', 'memory', 'drift']
    if len(sys.argv) != 3 or sys.argv[1] not in kinds:
        die(f'usage: tools/bench.sh tsv | tools/bench/plot.py {"|".join(kinds)} FILE.svg')
    rows = read_rows()
    drawings = {'scaling': scaling, 'cpus': cpus, 'memory': memory, 'drift': drift}
    chart = drawings[sys.argv[1]](rows) if sys.argv[1] in drawings else ratios(sys.argv[1], rows)
    with open(sys.argv[2], 'w', encoding='ascii') as file:
        file.write('\n'.join(chart.out) + '\n')


main()
