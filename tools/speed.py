#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Judge the instructions that a boot of tools/check.sh speed has counted.

    tools/speed.py pairs KERNEL LOG       pairs of malloc and free, by tools/bench/golden
    tools/speed.py stretches KERNEL LOG   the most instructions with interrupts or preemption
                                          off, by the limit that each line names
    tools/speed.py list COLUMN            the values of a column of tools/bench/golden

LOG has lines of words "name=value". A pair fails that took more than the golden count and its
tolerance, a stretch that was longer than its limit; and each of both that the log lacks. Prints
"NAME PASSED FAILED SKIPPED"; what failed goes to stderr, a line each. Exit 0 if all passed, 1 if
one failed, 2 if there was nothing to judge.
"""
import os
import sys

sys.dont_write_bytecode = True
from tables import lines_of, values  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'bench/golden')

# What tools/bench/stretch.c measures.
STRETCHES = '''random sparse bulk steal trim trim_all scavenge shrink stats classes heaps arenas
map cpus pools trim_heaps destroy destroy_tracked heap_trim reset heap_trim_all limit cache
typesafe cache_destroy deferred deferred_heap wrong rcu prefill prefill_each'''.split()
# These files of debugfs turn nothing off for long.
MAY_BE_0 = ('cpus', 'pools')


def golden():
    """The lines: kernel, pattern, size, n, instructions, and by how many percent they may rise."""
    return [line.split() for line in lines_of(GOLDEN) if line and not line.startswith('#')]


def judge_pairs(kernel, lines):
    """Yields, for each golden line of the kernel, True or why it fails."""
    rows = [values(line) for line in lines if line.startswith('pattern=')]
    counted = {(row.get('pattern'), row.get('size'), row.get('n')): row.get('kspan')
               for row in rows}
    for on, pattern, size, n, most, percent in golden():
        if on != kernel:
            continue
        found = counted.get((pattern, size, n))
        if found and float(found) <= float(most) * (1 + float(percent) / 100):
            yield True
        else:
            yield f'pattern={pattern} size={size} n={n}: {found or "no"} instructions, golden {most}'


def judge_stretches(_, lines):
    """Yields True, None for one that the kernel can't run, or why it fails."""
    absent = set()
    ran = set()
    for line in lines:
        if line.startswith('no_drop_caches'):
            absent.add('shrink')
        # It has no limit, and only has to run.
        if line.startswith('pattern=prefill_each '):
            ran.add('prefill_each')
        if not line.startswith('pattern=') or ' limit=' not in line:
            continue
        row = values(line)
        pattern, longest = row['pattern'], float(row.get('kspan') or 0)
        ran.add(pattern)
        fits = longest <= float(row['limit']) and (longest > 0 or pattern in MAY_BE_0)
        yield True if fits else line
    for pattern in STRETCHES:
        if pattern in absent:
            yield None
        elif pattern not in ran:
            yield f'pattern={pattern} did not run'


def main():
    arguments = sys.argv[1:]
    if len(arguments) == 2 and arguments[0] == 'list':
        print(','.join(sorted({row[int(arguments[1]) - 1] for row in golden()})))
        return 0
    judges = {'pairs': judge_pairs, 'stretches': judge_stretches}
    if len(arguments) != 3 or arguments[0] not in judges:
        sys.exit(__doc__)
    what, kernel, log = arguments
    results = list(judges[what](kernel, lines_of(log)))
    passed, skipped = results.count(True), results.count(None)
    failed = len(results) - passed - skipped
    print(what, passed, failed, skipped)
    for result in results:
        if isinstance(result, str):
            print(f'{kernel}: {result}', file=sys.stderr)
    return 2 if not results else 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
