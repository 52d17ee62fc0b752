#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Count the test cases of a KTAP log, suite by suite.

Usage: tools/ktap.py SOURCE [--kselftest] LOG

The parser is the kernel's own, tools/testing/kunit/kunit_parser.py of the source tree SOURCE.
LOG is a kernel log with KUnit's KTAP, or, with --kselftest, what the kernel's kselftest runner
printed. Prints "SUITE PASSED FAILED SKIPPED" a line; the parser's report goes to stderr.
Exit 0 if all cases passed, 1 if one failed, 2 if there was none.

These are failures too: a case or a suite that was planned and has no result, a suite that
failed while all its cases passed, a suite or a log without a plan, a result beyond the plan.
"""
import contextlib
import inspect
import os
import re
import sys

STAMP = re.compile(r'^(<\d+>)?\[ *\d+\.\d+\](\[ *[TC]\d+\])? ')
VERSION = re.compile(r' *(KTAP version 1|TAP version 14)$')
SUITE = re.compile(r' {4}# Subtest: ')
NESTED = re.compile(r'((?:# )+)( *(?:(?:not )?ok \d+|1\.\.\d+|K?TAP version|# Subtest).*)')
PROGRAM = re.compile(r'((?:not )?ok \d+) selftests: (?:\S+: )?(\S+).*?( # SKIP.*)?$')
RESULT = re.compile(r' *(not )?ok \d+')
PLAN = re.compile(r'1\.\.\d+')


def kunit(lines):
    """The KTAP documents of a kernel log. The parser takes one, and stops where its plan ends."""
    lines = lines[next((i for i, line in enumerate(lines) if VERSION.match(line)), len(lines)):]
    # Up to 6.5 the suites of a module stand alone, without version and plan above them.
    if lines and lines[0][0] == ' ':
        lines[:0] = ['KTAP version 1', '1..%d' % sum(bool(SUITE.match(line)) for line in lines)]
    starts = [i for i, line in enumerate(lines) if VERSION.match(line) and line[0] != ' ']
    return [lines[start:end] for start, end in zip(starts, starts[1:] + [len(lines)])]


def kselftest(lines):
    """The runner's own results, and those of its programs, which have "# " before them.

    The parser takes "# " for a note, and the words after a program's result for its name. Up to
    6.4 it takes no notes before a plan.
    """
    document, notes = ['TAP version 13'], []
    for line in lines:
        nested = NESTED.match(line)
        program = PROGRAM.match(line)
        if nested:
            line = '    ' * nested[1].count('#') + nested[2]
        elif program:
            line = f'{program[1]} {program[2]}{program[3] or ""}'
        elif line.startswith('# '):
            notes.append(line)
            continue
        elif not PLAN.match(line):
            continue
        if RESULT.match(line):
            document += notes
            notes = []
        document.append(line)
    return [document] if len(document) > 1 else []


def fine(test):
    """Not only by its cases: a test's own result counts, too."""
    return test.ok_status() and not test.counts.errors and all(map(fine, test.subtests))


def row(suite):
    counts = suite.counts
    if not counts.total():
        counts.add_status(suite.status)
    failed = counts.failed + counts.crashed
    if not failed and (not fine(suite) or suite.subtests and suite.expected_count is None):
        failed = 1
    return suite.name, counts.passed, failed, counts.skipped


def rows_of(parser, document):
    """What the parser finds in a document, and what it does not mind: see the top."""
    lines = iter(document)
    parse = parser.parse_run_tests
    # Up to 6.14 it has one printer for all.
    printer = [parser.Printer()] if len(inspect.signature(parse).parameters) > 1 else []
    try:
        test = parse(lines, *printer)
    except ValueError as why:       # A log that ends in a result may be more than it can take.
        print(why, file=sys.stderr)
        return [('parser-gave-up', 0, 1, 0)]
    rows = [row(suite) for suite in test.subtests if suite.name]
    lost = sum(not suite.name for suite in test.subtests)
    if lost:
        rows.append(('suites-that-never-ran', 0, lost, 0))
    beyond = sum(bool(parser.TEST_RESULT.match(line)) for line in lines)
    if beyond:
        rows.append(('results-beyond-the-plan', 0, beyond, 0))
    if test.expected_count is None:
        rows.append(('no-plan', 0, 1, 0))
    if test.counts.errors and not any(failed for _, _, failed, _ in rows):
        rows.append(('errors-in-the-log', 0, 1, 0))
    return rows


def main():
    arguments = sys.argv[1:]
    read = kunit
    if '--kselftest' in arguments:
        read = kselftest
        arguments.remove('--kselftest')
    if len(arguments) != 2:
        sys.exit(__doc__)
    with open(arguments[1], errors='replace') as log:
        text = log.read().replace('\r', '').replace('\0', '')
    documents = read([STAMP.sub('', line) for line in text.split('\n')])
    sys.path.insert(0, os.path.join(arguments[0], 'tools/testing/kunit'))
    sys.dont_write_bytecode = True
    # Its printer takes the standard output as it is when it is imported.
    with contextlib.redirect_stdout(sys.stderr):
        import kunit_parser as parser
        rows = [found for document in documents for found in rows_of(parser, document)]
    for found in rows:
        print(*found)
    if not any(sum(found[1:]) for found in rows):
        return 2
    return 1 if any(found[2] for found in rows) else 0


if __name__ == '__main__':
    sys.exit(main())
