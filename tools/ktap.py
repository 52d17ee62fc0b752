#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Count the test cases of a KTAP log, suite by suite.

Usage: tools/ktap.py SOURCE [--kselftest] LOG

The parser is the kernel's, of the source tree SOURCE. LOG is a kernel log with KUnit's KTAP,
or, with --kselftest, what the kernel's kselftest runner printed (each test's own KTAP stands
behind "# "). Prints "SUITE PASSED FAILED SKIPPED" a line. A case that was planned and
never reported counts as failed, and so does a suite that failed while all its cases passed.
Exit 0 if all passed, 1 if one failed, 2 if there was none.
"""
import contextlib
import io
import os
import re
import sys

STAMP = re.compile(r'^(<\d+>)?\[ *\d+\.\d+\](\[ *[TC]\d+\])? ')
NESTED = re.compile(r'^(?:# )+')
TESTS = re.compile(r'^(ok|not ok) (\d+) selftests: (?:\S+: )?(\S+).*?(# SKIP.*)?$')


def kunit(lines):
    """What follows the first version line: the stamps of a kernel log are no part of it."""
    lines = [STAMP.sub('', line) for line in lines]
    for i, line in enumerate(lines):
        if line.strip() in ('KTAP version 1', 'TAP version 14'):
            # Up to 6.5 a module's suites have none above them.
            return lines[i:] if line[0] != ' ' else ['KTAP version 1'] + lines[i:]
    return []


def kselftest(lines):
    """A level of "# " is a level of subtests; a program's version and plan open it."""
    made = ['TAP version 13']
    for line in (STAMP.sub('', line) for line in lines):
        nested = NESTED.match(line)
        if nested and re.match(r' *((not )?ok \d+|1\.\.\d+|K?TAP version|# Subtest)', line[nested.end():]):
            made.append('    ' * (len(nested.group()) // 2) + line[nested.end():])
        elif TESTS.match(line):
            made.append(TESTS.sub(r'\1 \2 \3 \4', line).rstrip())
        elif re.match(r'1\.\.\d+', line) and len(made) == 1:
            made.append(line)
    return made if len(made) > 1 else []


def row(parser, suite):
    """A suite without cases is a case itself; one that failed has a failed case at least."""
    counts = suite.counts
    failed = counts.failed + counts.crashed
    fine = suite.status in (parser.TestStatus.SUCCESS, parser.TestStatus.SKIPPED)
    if not counts.passed + failed + counts.skipped:
        counts.add_status(suite.status)
        failed = counts.failed + counts.crashed
    if not failed and (counts.errors or not fine):
        failed = 1
    return suite.name, counts.passed, failed, counts.skipped


def main():
    arguments = sys.argv[1:]
    read = kunit
    if '--kselftest' in arguments:
        read = kselftest
        arguments.remove('--kselftest')
    if len(arguments) != 2:
        sys.exit(__doc__)
    sys.path.insert(0, os.path.join(arguments[0], 'tools/testing/kunit'))
    sys.dont_write_bytecode = True
    with open(arguments[1], errors='replace') as log:
        lines = read(log.read().replace('\r', '').replace('\0', '').split('\n'))
    if not lines:
        return 2
    # Its printer takes the standard output as it is when it is imported.
    with contextlib.redirect_stdout(io.StringIO()):
        import kunit_parser as parser
        test = parser.parse_run_tests(lines)
    rows = [row(parser, suite) for suite in test.subtests if suite.name]
    lost = sum(not suite.name for suite in test.subtests)
    if lost or (test.counts.errors and not any(failed for _, _, failed, _ in rows)):
        rows.append(('suites-that-never-ran', 0, lost or 1, 0))
    for line in rows:
        print(*line)
    if not any(sum(line[1:]) for line in rows):
        return 2
    return 1 if any(line[2] for line in rows) else 0


if __name__ == '__main__':
    sys.exit(main())
