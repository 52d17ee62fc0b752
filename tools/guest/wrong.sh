# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: kspan_wrong for $STRESS_SECONDS, half of it with stale pointers freed, half with
# stale pointers looked at; then all is to be as before. Prints a line of progress every
# 10 s, and KTAP.
# shellcheck disable=SC1091
. /guest/lib.sh
. /guest/ktap.sh

SECONDS_ASKED=$((${STRESS_SECONDS:-60} / 2))
COUNTERS=/sys/kernel/debug/kspan_wrong

# run LOOKS: leaves the module's last word in the kernel's log
run() {
	local start passed=0
	load kspan_wrong.ko "seconds=$SECONDS_ASKED looks=$1" || return 1
	start=$(uptime_seconds)
	while [ $passed -lt "$SECONDS_ASKED" ]; do
		sleep 10
		passed=$(($(uptime_seconds) - start))
		echo "# $passed of $SECONDS_ASKED s, looks=$1: $(value_of wrong_frees $COUNTERS) wrong frees," \
		     "$(value_of wrong_looks $COUNTERS) wrong looks, $(value_of allocations $COUNTERS) allocations"
	done
	cat $COUNTERS
	rmmod kspan_wrong
}

verdicts() {
	dmesg | sed -n 's/.*kspan-wrong: verdict //p' | tail -n 1
}

# Of an object that is freed twice, and handed out twice, kmemleak hears twice, and gives up.
if [ -e /sys/kernel/debug/kmemleak ]; then
	echo "kspan-expect: kmemleak: Kernel memory leak detector disabled" >/dev/kmsg
	echo off >/sys/kernel/debug/kmemleak
fi
memory_begin || exit 1
suite kspan_wrong 7
load kspan.ko || exit 1
for looks in N Y; do
	run $looks
	result "starts and ends, looks=$looks" $?
	[ "$(verdicts)" = ok ]
	result "the module finds nothing wrong, looks=$looks" $?
done
dmesg | sed -n 's/.*kspan-wrong: /# kspan-wrong: /p'
at_rest
result "nothing is left" $? "$(grep -E 'Heap|Mallocs|Frees' $DEBUGFS/stats | xargs)"
rmmod kspan
result "unloads" $?
memory_end
result "memory comes back" $?
suite_end
