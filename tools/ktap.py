#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Count the test cases of a KTAP log, suite by suite.

Usage: tools/ktap.py [--kselftest] LOG

Reads KUnit's KTAP out of a kernel log, or, with --kselftest, what the
kernel's kselftest runner printed (each test's own KTAP behind "# "). Prints
"SUITE PASSED FAILED SKIPPED" a line. A case that was planned and never
reported counts as failed, and so does a suite that failed while all its cases
passed. Exit 0 if all passed, 1 if one failed, 2 if there was none.
"""
import re
import sys

STAMP = re.compile(r'^(<\d+>)?\[ *\d+\.\d+\](\[ *[TC]\d+\])? ')
RESULT = re.compile(r'^(not ok|ok)\b *(\d+)?(?: +- +| +)?(.*)$')
DIRECTIVE = re.compile(r'\s*# *(SKIP|TODO|XFAIL|TIMEOUT)\b.*$', re.I)
PLAN = re.compile(r'^1\.\.(\d+)')
PASSED, FAILED, SKIPPED = range(3)


def outcome(word, directive):
    if directive in ('SKIP', 'TODO', 'XFAIL'):
        return SKIPPED
    return PASSED if word == 'ok' else FAILED


def parse(line):
    """(outcome, name) of a result line, or None."""
    found = RESULT.match(line)
    if not found:
        return None
    word, _, rest = found.groups()
    directive = DIRECTIVE.search(rest)
    kind = directive.group(1).upper() if directive else None
    return outcome(word, kind), DIRECTIVE.sub('', rest).strip() or '?'


class Suite:
    """Cases at the deepest level that reports any; subtests are cases too."""

    def __init__(self):
        self.counts = [0, 0, 0]
        self.missing = 0
        self.levels = {}      # depth -> [planned, seen, cases below]

    def level(self, depth):
        return self.levels.setdefault(depth, [None, 0, 0])

    def plan(self, depth, count):
        self.level(depth)[0] = count

    def close(self, depth):
        """Ends the levels below depth; returns the cases they held."""
        cases = 0
        for below in sorted(d for d in self.levels if d > depth):
            planned, seen, _ = self.levels.pop(below)
            if planned is not None and seen < planned:
                self.missing += planned - seen
            cases += seen
        return cases

    def result(self, depth, kind):
        cases_below = self.close(depth)
        self.level(depth)[1] += 1
        if cases_below == 0:
            self.counts[kind] += 1
        elif kind == FAILED and not self.counts[FAILED] and not self.missing:
            self.counts[FAILED] += 1

    def row(self, name):
        self.close(-1)
        passed, failed, skipped = self.counts
        return (name, passed, failed + self.missing, skipped)


def kunit(lines):
    """Suites are the results at depth 0; their cases are indented by four."""
    suite, name, started = Suite(), None, False
    planned = seen = 0
    rows = []
    for line in lines:
        line = STAMP.sub('', line)
        if not started:
            started = line.strip() in ('KTAP version 1', 'TAP version 14')
            continue
        text = line.lstrip(' ')
        depth = (len(line) - len(text)) // 4
        if depth and text.startswith('# Subtest: ') and depth == 1:
            if name:            # the one before never reported its end
                suite.missing += 1
                rows.append(suite.row(name))
                suite = Suite()
            name = text[len('# Subtest: '):].strip()
        elif PLAN.match(text):
            if depth == 0:
                planned += int(PLAN.match(text).group(1))
            else:
                suite.plan(depth, int(PLAN.match(text).group(1)))
        else:
            result = parse(text)
            if not result or (depth == 0 and not re.match(r'(not )?ok \d+ ', text)):
                continue
            suite.result(depth, result[0])
            if depth == 0:
                seen += 1
                rows.append(suite.row(result[1].lstrip('- ')))
                suite, name = Suite(), None
    if name:
        suite.missing += 1
        rows.append(suite.row(name))
        seen += 1
    if seen < planned:
        rows.append(('suites-that-never-ran', 0, planned - seen, 0))
    return rows


def kselftest(lines):
    """A suite is a test program; its own KTAP stands behind '# '."""
    suite, rows = Suite(), []
    planned = 0
    for line in lines:
        line = STAMP.sub('', line)
        if line.startswith('# '):
            inner, depth = line, 0
            while inner.startswith('# '):
                inner, depth = inner[2:], depth + 1
            text = inner.lstrip(' ')
            depth += (len(inner) - len(text)) // 4
            if PLAN.match(text):
                suite.plan(depth, int(PLAN.match(text).group(1)))
            elif re.match(r'(not )?ok \d+', text):
                suite.result(depth, parse(text)[0])
        elif PLAN.match(line):
            planned += int(PLAN.match(line).group(1))
        elif re.match(r'(not )?ok \d+ selftests: ', line):
            kind, name = parse(line)
            suite.result(0, kind)
            name = re.sub(r' # exit=.*', '', name).split(': ')[-1]
            rows.append(suite.row(name))
            suite = Suite()
    if len(rows) < planned:
        rows.append(('programs-that-never-ended', 0, planned - len(rows), 0))
    return rows


def main():
    arguments = sys.argv[1:]
    read = kunit
    if arguments[:1] == ['--kselftest']:
        read, arguments = kselftest, arguments[1:]
    if len(arguments) != 1:
        sys.exit(__doc__)
    with open(arguments[0], errors='replace') as log:
        text = log.read().replace('\r', '').replace('\0', '')
    rows = read(text.split('\n'))
    for row in rows:
        print(*row)
    if not any(sum(row[1:]) for row in rows):
        return 2
    return 1 if any(row[2] for row in rows) else 0


if __name__ == '__main__':
    sys.exit(main())
