#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What kspan holds does not creep over a long churn whose sizes wander, and goes back
# when most objects are freed. kspan_bench with what=memory does it, beside SLUB; this
# judges its readings.

# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/kspan_lib.sh"

LOG=$(mktemp)
TOTAL=4
OPERATIONS=1200000
# The largest arena in KiB: what is held comes and goes in steps of one.
ARENA_KB=4096
# Lists and slabs of the kernel's own that come and go meanwhile.
NOISE_KB=1024

# value NAME WORDS...: of the line that has these words, what stands behind NAME=.
value() {
	local name=$1 word line
	shift
	line=$(cat "$LOG")
	for word; do
		line=$(echo "$line" | grep -w -- "$word")
	done
	line=$(echo "$line" | tail -n 1 | sed -n "s/.* $name=\([0-9]*\).*/\1/p")
	echo "${line:-none}"
}

# at_most WHAT VALUE MOST: a value that is missing is too much.
at_most() {
	ktap_print_msg "$1: $2 KiB, at most $3 KiB"
	[ "$2" -le "$3" ] 2>/dev/null
}

test_run() {
	log_since_mark | sed -n 's/.*kspan-bench: //p' >"$LOG"
	[ "$(grep -c '^pattern=small reading=' "$LOG")" -eq 5 ] &&
		[ "$(grep -c '^pattern=mixed reading=' "$LOG")" -eq 5 ] &&
		[ "$(grep -c '^pattern=drift reading=sample' "$LOG")" -eq 50 ]
}

# All that wander as far hold as much, but for the arena that was just taken.
test_creep() {
	local first last
	first=$(value kspan_held pattern=drift reading=peak cycle=1)
	last=$(value kspan_held pattern=drift reading=peak cycle=5)
	at_most "peak of the last wandering, that of the first was $first KiB" "$last" \
		$((first + first / 10 + ARENA_KB))
}

# After a trim there is no free page in an arena: arenas are spans.
test_trimmed() {
	local pattern rc=0
	for pattern in small mixed drift; do
		at_most "arenas of $pattern after a trim" \
			"$(value arenas pattern=$pattern reading=shrunk)" \
			"$(value spans pattern=$pattern reading=shrunk)" || rc=1
	done
	return $rc
}

# Of objects of which nine of ten are gone, no more than SLUB.
test_beside_slub() {
	local pattern rc=0
	for pattern in small mixed; do
		at_most "held by $pattern after a trim" \
			"$(value kspan_held pattern=$pattern reading=shrunk)" \
			$(($(value slub_held pattern=$pattern reading=shrunk) + NOISE_KB)) || rc=1
	done
	return $rc
}

test_empty() {
	local pattern rc=0
	for pattern in small mixed drift; do
		at_most "arenas of $pattern without an object" \
			"$(value arenas pattern=$pattern reading=empty)" 0 || rc=1
		at_most "held by $pattern without an object" \
			"$(value kspan_held pattern=$pattern reading=empty)" $NOISE_KB || rc=1
	done
	return $rc
}

begin
# Detectors take memory of their own for each object, and many times as long.
[ -z "$DETECTORS" ] || skip_all "a kernel with kmemleak holds more than the objects"
need kspan

trap 'unload_all; rm -f "$LOG"' EXIT
mark_log
load kspan_bench what=memory pattern=small,mixed,drift repeats=1 total=$TOTAL \
	operations=$OPERATIONS

ktap_set_plan 6
ktap_test_result "objects are allocated, replaced and freed" test_run
ktap_test_result "what is held does not creep" test_creep
ktap_test_result "no free page stays after a trim" test_trimmed
ktap_test_result "what is held after most is freed is no more than SLUB's" test_beside_slub
ktap_test_result "nothing is held without an object" test_empty
unload_all
ktap_test_result "nothing to complain about in the kernel log" test_quiet_log
ktap_finished
