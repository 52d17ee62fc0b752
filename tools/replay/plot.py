#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Draw a replay as SVG, with nothing but Python: what is requested and what kspan and
# SLUB hold along a trace, a panel for each kernel; the first round of each.
#
#   tools/replay.sh tsv | tools/replay/plot.py TRACE FILE.svg

import collections
import html
import math
import sys

COLOURS = {'requested': '#7f7f7f', 'kspan: arenas and metadata': '#1f77b4',
           'kspan: spans and metadata': '#17becf', 'SLUB': '#d62728'}
WIDTH, HEIGHT = 460, 320
LEFT, TOP, BOTTOM, GAP = 62, 56, 66, 24
MIB = 1 << 20


def die(text):
    sys.exit(f'kspan: error: {text}')


def read_rows(trace):
    lines = [line.rstrip('\n').split('\t') for line in sys.stdin]
    if len(lines) < 2:
        die('there are no samples to plot; run tools/replay.sh first')
    rows = [dict(zip(lines[0], line)) for line in lines[1:]]
    found = [row for row in rows if row['trace'] == trace and row['round'] == '1']
    if not found:
        known = ', '.join(sorted({row['trace'] for row in rows}))
        die(f'no samples of the trace {trace}; there are: {known}')
    return found


def curves(rows):
    """The lines of a panel: name to points (events, MiB)."""
    lines = collections.defaultdict(list)
    # Metadata that is there without an object is not held by objects.
    fixed = min((int(row['metadata']) + int(row['arenas']) - int(row['held'])
                 for row in rows if row['on'] == 'kspan'), default=0)
    for row in rows:
        events = int(row['events'])
        if row['on'] == 'kspan':
            lines['kspan: arenas and metadata'].append((events, int(row['held']) / MIB))
            lines['kspan: spans and metadata'].append(
                (events, (int(row['spans']) + int(row['metadata']) - fixed) / MIB))
        else:
            lines['SLUB'].append((events, int(row['held']) / MIB))
        if row['on'] == rows[0]['on']:
            lines['requested'].append((events, int(row['requested']) / MIB))
    return lines


def step_of(largest):
    """A round step that gives four to eight ticks."""
    step = 10 ** math.floor(math.log10(largest / 4))
    for factor in (1, 2, 5, 10):
        if largest / (step * factor) <= 8:
            return step * factor
    return step * 10


class Chart:
    def __init__(self, title, panels):
        self.out = []
        width = len(panels) * (LEFT + WIDTH + GAP)
        height = TOP + HEIGHT + BOTTOM
        self.out.append(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">')
        self.out.append('<!-- SPDX-License-Identifier: GPL-2.0 -->')
        self.out.append(f'<rect width="{width}" height="{height}" fill="white"/>')
        self.text(width / 2, 20, title, 'font-size="15" text-anchor="middle"')
        points = [point for _, lines in panels for line in lines.values() for point in line]
        self.most = [max(point[0] for point in points), 1.03 * max(point[1] for point in points)]
        for i, (name, lines) in enumerate(panels):
            self.panel(i * (LEFT + WIDTH + GAP) + LEFT, name, lines, 'MiB' if i == 0 else '')
        for i, (name, colour) in enumerate(COLOURS.items()):
            left, top = LEFT + i * 200, TOP + HEIGHT + BOTTOM - 14
            self.out.append(f'<line x1="{left}" y1="{top}" x2="{left + 24}" y2="{top}" '
                            f'stroke="{colour}" stroke-width="2"/>')
            self.text(left + 30, top + 4, name)
        self.out.append('</svg>')

    def text(self, x, y, text, more=''):
        self.out.append(f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(text)}</text>')

    def panel(self, left, name, lines, y_label):
        bottom = TOP + HEIGHT
        across, up = (step_of(most) for most in self.most)
        self.out.append(f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" '
                        'fill="none" stroke="#444"/>')
        self.text(left + WIDTH / 2, TOP - 10, name, 'font-size="13" text-anchor="middle"')
        for i in range(int(self.most[0] / across) + 1):
            at = left + i * across / self.most[0] * WIDTH
            self.out.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{bottom}" stroke="#ddd"/>')
            self.text(at, bottom + 15, f'{i * across / 1000:g}', 'text-anchor="middle"')
        for i in range(int(self.most[1] / up) + 1):
            at = bottom - i * up / self.most[1] * HEIGHT
            self.out.append(f'<line x1="{left}" y1="{at:.1f}" x2="{left + WIDTH}" y2="{at:.1f}" '
                            'stroke="#ddd"/>')
            self.text(left - 6, at + 4, f'{i * up:g}', 'text-anchor="end"')
        self.text(left + WIDTH / 2, bottom + 34, 'thousands of events', 'text-anchor="middle"')
        if y_label:
            self.text(0, 0, y_label, 'text-anchor="middle" '
                      f'transform="translate({left - 44} {TOP + HEIGHT / 2}) rotate(-90)"')
        for key, colour in COLOURS.items():
            places = [(left + x / self.most[0] * WIDTH, bottom - y / self.most[1] * HEIGHT)
                      for x, y in lines.get(key, [])]
            path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in places)
            self.out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                            'stroke-width="1.6"/>')


def main():
    if len(sys.argv) != 3:
        die('usage: tools/replay.sh tsv | tools/replay/plot.py TRACE FILE.svg')
    rows = read_rows(sys.argv[1])
    kernels = sorted({row['kernel'] for row in rows},
                     key=lambda kernel: [int(part) for part in kernel.split('.')])
    panels = [(f'Linux {kernel}', curves([row for row in rows if row['kernel'] == kernel]))
              for kernel in kernels]
    chart = Chart(f'The trace "{sys.argv[1]}": what is requested and what is held', panels)
    with open(sys.argv[2], 'w', encoding='ascii') as file:
        file.write('\n'.join(chart.out) + '\n')


main()
