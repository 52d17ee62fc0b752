#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Memory given back, and limits: debugfs/trim, the scavenger, the kernel's shrinkers,
# soft_limit and hard_limit with their counters and tracepoint, seen from user space
# with kspan_counter as the module that allocates.

# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/kspan_lib.sh"

PARAMETERS=/sys/module/kspan/parameters
TRACEFS=/sys/kernel/tracing
if [ -n "$DETECTORS" ]; then
	WORDS=5000
else
	WORDS=50000
fi
# Far below what that many words take.
LIMIT=$((WORDS * 40))
TEXT=$(mktemp)

# fresh [parameter=value...]: kspan with them, and kspan_counter
fresh() {
	unload_all
	load kspan "$@" && load kspan_counter
}

# Waits until a number is at most so many: at_most NAME BYTES SECONDS
at_most() {
	local second
	for second in $(seq "$3"); do
		[ "$(stat_of "$1")" -gt "$2" ] || return 0
		sleep 1
	done
	ktap_print_msg "$1 is $(stat_of "$1") after $second s"
	return 1
}

# The bytes of one of the smallest arenas on each node.
smallest_arenas() {
	echo $((131072 * $(echo /sys/devices/system/node/node[0-9]* | wc -w)))
}

store() {
	cat "$TEXT" 2>/dev/null >$DEVICE
}

# The words go, and nothing gives their memory back by itself.
leave_idle() {
	fresh scavenge_ms=0 arena_reserve=1024 idle_percent=100 && store && rmmod kspan_counter &&
		[ "$(stat_of HeapSys)" -gt $LIMIT ]
}

test_trim() {
	local held trimmed
	leave_idle || return 1
	held=$(stat_of HeapSys)
	echo 1 >$DEBUGFS/trim || return 1
	trimmed=$(cat $DEBUGFS/trim)
	ktap_print_msg "of $held bytes trim gave back $trimmed"
	[ "$trimmed" = "$held" ] && [ "$(stat_of HeapSys)" -eq 0 ] &&
		[ "$(stat_of ReleasedByTrim)" = "$held" ]
}

test_trim_in_use() {
	local held
	fresh scavenge_ms=0 && store || return 1
	held=$(stat_of HeapSys)
	echo 1 >$DEBUGFS/trim || return 1
	# All that is left is in use, and the words are what they were.
	[ "$(stat_of HeapSys)" -le "$held" ] && [ "$(stat_of HeapIdle)" -eq 0 ] &&
		[ "$(wc -l <$DEVICE)" -eq $WORDS ]
}

test_scavenger() {
	leave_idle || return 1
	echo 20 >$PARAMETERS/scavenge_ms || return 1
	at_most HeapSys "$(smallest_arenas)" 60 &&
		[ "$(stat_of ReleasedByScavenger)" -gt $LIMIT ]
}

test_no_scavenger() {
	leave_idle || return 1
	sleep 2
	[ "$(stat_of HeapSys)" -gt $LIMIT ] && [ "$(stat_of ReleasedByScavenger)" -eq 0 ]
}

# The kernel's own call of all shrinkers. What other CPUs keep comes back a moment after
# it was asked for, so the last of it goes when it is asked for again. An arena of the smallest
# size may stay on each node: more than half of it is kept by CPUs then.
test_shrinker() {
	local smallest
	leave_idle || return 1
	smallest=$(smallest_arenas)
	for _ in $(seq 10); do
		echo 2 >/proc/sys/vm/drop_caches
		at_most HeapSys "$smallest" 1 && break
	done
	[ "$(stat_of HeapSys)" -le "$smallest" ] && [ "$(stat_of ReleasedByShrinker)" -gt $LIMIT ]
}

# What the kernel can have back for the asking, apart from slabs, in bytes: MemAvailable has
# at least half of it. Once the counters of all CPUs were added up.
reclaimable() {
	[ ! -r /proc/sys/vm/stat_refresh ] || cat /proc/sys/vm/stat_refresh
	sleep 3
	awk '$1 == "KReclaimable:" { kb += $2 } $1 == "SReclaimable:" { kb -= $2 }
	     END { print kb * 1024 }' /proc/meminfo
}

test_reclaimable() {
	local held idle trimmed
	fresh scavenge_ms=0 arena_reserve=1024 idle_percent=100 &&
		seq $((4 * WORDS)) | sed 's/^/a_word_that_is_rather_long_/' >$DEVICE &&
		rmmod kspan_counter || return 1
	held=$(stat_of HeapIdle)
	idle=$(reclaimable)
	echo 1 >$DEBUGFS/trim || return 1
	trimmed=$(reclaimable)
	ktap_print_msg "of $held idle bytes $idle are said to be reclaimable, $trimmed after trim"
	[ "$held" -gt $LIMIT ] && [ "$idle" -gt $((held / 4)) ] && [ "$idle" -le $((2 * held)) ] &&
		[ "$trimmed" -le $((idle / 4)) ]
}

test_hard_limit() {
	fresh hard_limit=$LIMIT || return 1
	! store || return 1
	ktap_print_msg "HeapSys $(stat_of HeapSys), hits $(stat_of HardLimitHits)"
	[ "$(stat_of HeapSys)" -le $LIMIT ] && [ "$(stat_of HardLimitHits)" -gt 0 ] &&
		[ "$(stat_of HardLimit)" -eq $LIMIT ]
}

# After test_hard_limit: it can be raised, and then all goes well.
test_raised_limit() {
	echo 0 >$PARAMETERS/hard_limit && rmmod kspan_counter && load kspan_counter && store &&
		[ "$(wc -l <$DEVICE)" -eq $WORDS ]
}

test_soft_limit() {
	fresh soft_limit=$LIMIT && store || return 1
	ktap_print_msg "HeapSys $(stat_of HeapSys), hits $(stat_of SoftLimitHits)"
	[ "$(stat_of HeapSys)" -gt $LIMIT ] && [ "$(stat_of SoftLimitHits)" -gt 0 ] &&
		[ "$(stat_of HardLimitHits)" -eq 0 ] && [ "$(wc -l <$DEVICE)" -eq $WORDS ]
}

test_tracepoints() {
	local found rc=0
	fresh scavenge_ms=0 soft_limit=$LIMIT || return 1
	echo 1 >$TRACEFS/events/kspan/enable || return 1
	store || rc=1
	echo 1 >$DEBUGFS/trim || rc=1
	found=$(grep 'kspan_' $TRACEFS/trace)
	echo 0 >$TRACEFS/events/kspan/enable
	: >$TRACEFS/trace
	ktap_print_msg "$(echo "$found" | head -n 1)"
	[ $rc -eq 0 ] && echo "$found" | grep -q "kspan_limit: limit=soft bytes=$LIMIT held=" &&
		echo "$found" | grep -q 'kspan_reclaim: by=trim node=-1 bytes='
}

begin
need kspan
unload_all

trap 'unload_all; rm -f "$TEXT"' EXIT
seq $WORDS | sed 's/^/a_word_that_is_rather_long_/' >"$TEXT"
mark_log

ktap_set_plan 11
ktap_test_result "trim gives back all that is idle, and says how much" test_trim
ktap_test_result "trim leaves what is in use" test_trim_in_use
if [ -z "$DETECTORS" ]; then
	ktap_test_result "the scavenger gives back what is not used any more" test_scavenger
else
	# A look takes 100 times as long there, and so does the pause that it has to make.
	ktap_test_skip "the scavenger gives back what is not used any more: minutes, with detectors"
fi
ktap_test_result "without the scavenger nothing goes by itself" test_no_scavenger
if [ -w /proc/sys/vm/drop_caches ]; then
	ktap_test_result "the kernel's shrinkers take what is idle" test_shrinker
else
	ktap_test_skip "the kernel's shrinkers take what is idle: no drop_caches here"
fi
ktap_test_result "the kernel knows of idle memory" test_reclaimable
ktap_test_result "nothing is held beyond hard_limit, and a request fails cleanly" test_hard_limit
ktap_test_result "hard_limit can be raised" test_raised_limit
ktap_test_result "soft_limit is counted, and lets pass" test_soft_limit
if [ -d $TRACEFS/events ]; then
	ktap_test_result "tracepoints tell of limits and of what went back" test_tracepoints
else
	ktap_test_skip "tracepoints tell of limits and of what went back: no tracefs here"
fi
unload_all
ktap_test_result "nothing to complain about in the kernel log" test_quiet_log
ktap_finished
