# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Functions of stress.sh and pressure.sh, which judge by themselves: KTAP, counts of what
# loops beside them did, and what kspan says of itself.

DEBUGFS=/sys/kernel/debug/kspan
# Loops beside the run go on as long as this file is there.
# shellcheck disable=SC2034
ON=/tmp/on

FAILED=0
CASES=0

# suite NAME CASES: what suite_end sums up
suite() {
	SUITE=$1
	echo "KTAP version 1"
	echo "1..1"
	echo "    KTAP version 1"
	echo "    # Subtest: $SUITE"
	echo "    1..$2"
}

# result NAME STATUS [why]
result() {
	CASES=$((CASES + 1))
	if [ "$2" -eq 0 ]; then
		echo "    ok $CASES $1"
	else
		[ -z "$3" ] || echo "    # $3"
		echo "    not ok $CASES $1"
		FAILED=1
	fi
}

suite_end() {
	[ $FAILED -eq 0 ] || { echo "not ok 1 $SUITE"; return 1; }
	echo "ok 1 $SUITE"
}

# counts WHAT...: from 0
counts() {
	local what
	for what; do
		: >"/tmp/count.$what"
	done
}

# One character for each time something was done.
done_once() {
	printf . >>"/tmp/count.$1"
}

count() {
	wc -c <"/tmp/count.$1"
}

# value_of NAME FILE: of lines "NAME: value", where what stands before NAME is summed up.
value_of() {
	awk -v name="$1:" '{ at = length($1) - length(name) + 1 }
		at > 0 && substr($1, at) == name { sum += $2 } END { print sum + 0 }' "$2"
}

stat_of() {
	awk -v name="$1:" '$1 == name { print $2 }' $DEBUGFS/stats
}

# Nothing is allocated any more, and the files agree about it.
at_rest() {
	[ "$(stat_of HeapObjects)" = 0 ] && [ "$(stat_of Alloc)" = 0 ] &&
		[ "$(stat_of Mallocs)" = "$(stat_of Frees)" ] &&
		[ "$(stat_of HeapSys)" = $(($(stat_of HeapInuse) + $(stat_of HeapIdle))) ]
}

mem_kb() {
	awk -v name="$1:" '$1 == name { print $2 }' /proc/meminfo
}
