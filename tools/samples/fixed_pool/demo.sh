# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The demo of kspan_fixed_pool: interrupts a busy shell a thousand times a second,
# shows whom, and that no more records are taken than there are.
# shellcheck disable=SC1091
. "${KSPAN_GUEST:-/guest}/demo-lib.sh"

# every MICROSECONDS: an interrupt
every() {
	step "echo $1 >/dev/kspan_fixed_pool"
	echo "$1" >/dev/kspan_fixed_pool || fail "the interval was refused"
}

demo() {
	local lost_before taken
	every 1000
	step "sort $INPUT_NAME | uniq -c >/dev/null; sleep 1"
	sort "$INPUT" | uniq -c >/dev/null
	sleep 1
	every 0
	step "cat /dev/kspan_fixed_pool >log; head -n 3 log"
	cat /dev/kspan_fixed_pool >"$SCRATCH/log" || fail "the log was not given"
	head -n 3 "$SCRATCH/log"
	[ -s "$SCRATCH/log" ] || fail "no interrupt was noted"
	! grep -vqE '^[0-9]+\.[0-9]{9} cpu [0-9]+ late [0-9]+ ns pid [0-9]+ .+$' "$SCRATCH/log" ||
		fail "a line is no record"
	sort -n -c "$SCRATCH/log" 2>/dev/null || fail "the records are not in their order"
	expect "records that come twice" "$(cat /dev/kspan_fixed_pool)" ""
	step "awk '{ print \$NF }' log | sort | uniq -c    (whom the $(wc -l <"$SCRATCH/log") interrupts found)"
	awk '{ print $NF }' "$SCRATCH/log" | sort | uniq -c | sort -rn | head -n 5

	# A slow machine may have lost some before.
	lost_before=$(parameter lost)
	every 100
	step "until [ \$(cat lost) -gt $lost_before ]; do sleep 1; done"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ "$(parameter lost)" -eq "$lost_before" ] || break
		sleep 1
	done
	every 0
	[ "$(parameter lost)" -gt "$lost_before" ] || fail "no interrupt was without a record"
	step "wc -l </dev/kspan_fixed_pool"
	taken=$(wc -l </dev/kspan_fixed_pool)
	echo "$taken"
	expect "records" "$taken" "$(parameter records)"
}

run_demo fixed_pool
