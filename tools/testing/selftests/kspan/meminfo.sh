#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What kspan says it gave back is seen in /proc/meminfo: MemFree and MemAvailable rise by as
# much within a second, after trim, the kernel's shrinkers, the scavenger, and rmmod. The
# objects are of kspan_pressure: 24 MiB of 8 to 1024 bytes. Blocks of up to 32 KiB, whoever
# frees them, the page allocator may keep in the list of the CPU: where arenas are in use it
# counts what is there, too.

# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/kspan_lib.sh"

CONTROL=/sys/kernel/debug/kspan_pressure
PARAMETERS=/sys/module/kspan/parameters
MIB=24
# What others take and give meanwhile, in kB.
NOISE=768

# meminfo NAME: kB, once the counters of all CPUs were added up
meminfo() {
	[ ! -r /proc/sys/vm/stat_refresh ] || cat /proc/sys/vm/stat_refresh
	awk -v name="$1:" '$1 == name { print $2 }' /proc/meminfo
}

# in_lists: kB in the lists of all CPUs
in_lists() {
	awk '$1 == "count:" { pages += $2 } END { print pages * 4 }' /proc/zoneinfo
}

# fresh: kspan that gives back nothing by itself, and objects for it
fresh() {
	unload_all
	load kspan scavenge_ms=0 arena_reserve=1024 idle_percent=100 && load kspan_pressure
}

before() {
	held=$(stat_of HeapSys)
	free=$(meminfo MemFree)
	available=$(meminfo MemAvailable)
	idle=$(stat_of HeapIdle)
	lists=$(in_lists)
}

# rose WHAT LEAST [pieces]: at least so many kB went, and both figures rose by them.
# MemAvailable had at least half of what was idle before.
rose() {
	local gave now kept=0
	sleep 1
	gave=0
	[ ! -d /sys/module/kspan ] || gave=$(stat_of HeapSys)
	gave=$(((held - gave) / 1024))
	now=$(($(meminfo MemFree) - free))
	kept=$(($(in_lists) - lists))
	ktap_print_msg "$1 gave back $gave kB: MemFree rose by $now kB, MemAvailable by" \
		       "$(($(meminfo MemAvailable) - available)) kB, of $((idle / 1024)) kB that were idle;" \
		       "$kept kB of pieces are in the lists of CPUs"
	[ "${3:-}" = pieces ] && [ $kept -ge 0 ] || kept=0
	[ $gave -ge "$2" ] && [ $((now + kept)) -ge $((gave - NOISE)) ] &&
		[ $(($(meminfo MemAvailable) - available + kept)) -ge $((gave - idle / 1024 - NOISE)) ]
}

test_trim() {
	fresh && echo $MIB >$CONTROL/small || return 1
	before
	echo 1 >$DEBUGFS/trim && rose trim $((MIB * 1000))
}

# One of 64 objects stays, and most arenas with it.
test_trim_of_sparse() {
	fresh && echo $MIB >$CONTROL/sparse || return 1
	before
	echo 1 >$DEBUGFS/trim && rose trim $((MIB * 512)) pieces
}

test_shrinker() {
	fresh && echo $MIB >$CONTROL/small || return 1
	# Pages of files go now, so that they don't later.
	echo 1 >/proc/sys/vm/drop_caches
	before
	# The last arenas have cached objects in them, and go in pieces.
	echo 2 >/proc/sys/vm/drop_caches && rose drop_caches $((MIB * 512)) pieces
}

test_scavenger() {
	fresh && echo $MIB >$CONTROL/sparse || return 1
	before
	echo 5 >$PARAMETERS/idle_percent && echo 50 >$PARAMETERS/scavenge_ms || return 1
	# It takes a hundredth of a CPU.
	for _ in 1 2 3 4 5 6; do
		sleep 5
		[ $(((held - $(stat_of HeapSys)) / 1024)) -lt $((MIB * 256)) ] || break
	done
	rose "the scavenger" $((MIB * 256)) pieces
}

test_unload() {
	fresh && echo $MIB >$CONTROL/sparse || return 1
	rmmod kspan_pressure || return 1
	before
	rmmod kspan && rose rmmod $((MIB * 512))
}

begin
[ -z "$DETECTORS" ] || skip_all "a kernel with kmemleak holds more than the objects"
need kspan kspan_pressure
# All that is loaded once for good is there from here on.
unload_all

trap 'unload_all' EXIT
mark_log

ktap_set_plan 6
ktap_test_result "what trim gives back is free" test_trim
ktap_test_result "what trim gives back of arenas in use is free" test_trim_of_sparse
if [ -w /proc/sys/vm/drop_caches ]; then
	ktap_test_result "what the kernel's shrinkers took is free" test_shrinker
else
	ktap_test_skip "what the kernel's shrinkers took is free: no drop_caches here"
fi
ktap_test_result "what the scavenger gives back is free" test_scavenger
ktap_test_result "what unloading gives back is free" test_unload
unload_all
ktap_test_result "nothing to complain about in the kernel log" test_quiet_log
ktap_finished
