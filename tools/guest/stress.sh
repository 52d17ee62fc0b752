# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: kspan_stress for $STRESS_SECONDS, while CPUs go and come, memory gets
# scarce and kspan's debugfs files are read; then all is to be as before. Prints
# a line of progress every 10 s, and KTAP.
# shellcheck disable=SC1091
. /guest/lib.sh
. /guest/ktap.sh

SECONDS_ASKED=${STRESS_SECONDS:-60}
COUNTERS=/sys/kernel/debug/kspan_stress
PRESSURE=/tmp/pressure

# cpu N 0|1. From 6.12 on a CPU may warn on its way down although nothing is
# wrong: tools/testing/selftests/kspan/cpu_hotplug.c says why.
cpu() {
	[ "$2" = 1 ] || echo "kspan-expect: sched_cpu_dying" >/dev/kmsg
	echo "$2" >"/sys/devices/system/cpu/cpu$1/online"
}

# All CPUs but the first go, the highest first, and come back; of many, the last seven.
hotplug_loop() {
	local n last first=1
	last=$(($(nproc) - 1))
	[ $last -lt 8 ] || first=$((last - 6))
	while [ -e $ON ]; do
		for n in $(seq $last -1 $first); do
			cpu "$n" 0 || done_once refused
			sleep 0.2
		done
		for n in $(seq $first $last); do
			cpu "$n" 1 || done_once refused
			sleep 0.2
		done
		done_once hotplug
	done
}

# A file grows until a sixth of what was free at first is left, and goes again:
# near enough for reclaim, and far enough from the OOM killer.
pressure_loop() {
	local piece=8192 least size
	least=$(($(mem_kb MemAvailable) / 6))
	while [ -e $ON ]; do
		size=0
		while [ -e $ON ] && [ $(($(mem_kb MemAvailable) - piece)) -gt $least ]; do
			fallocate -o $((size * 1024)) -l $((piece * 1024)) $PRESSURE/file || break
			size=$((size + piece))
		done
		[ $size -eq 0 ] || done_once pressure
		rm -f $PRESSURE/file
		sleep 1
	done
}

read_loop() {
	local file
	while [ -e $ON ]; do
		for file in stats classes arenas map; do
			cat $DEBUGFS/$file >/dev/null || done_once unreadable
		done
		# An attempt that fails is in CacheDrawn for a moment.
		[ "$(stat_of CacheDrawn)" -le $(($(stat_of CacheLimit) + $(nproc) * 131072)) ] ||
			done_once overdrawn
		done_once reads
		sleep 0.5
	done
}

progress() {
	echo "# $1 of $SECONDS_ASKED s: $(value_of operations $COUNTERS) operations;" \
	     "CPUs went and came $(count hotplug) times, memory got scarce $(count pressure) times," \
	     "debugfs was read $(count reads) times"
}

run() {
	local loops start passed=0
	mkdir -p $PRESSURE
	mount -t tmpfs -o size=100% tmpfs $PRESSURE
	counts hotplug pressure reads refused unreadable overdrawn
	: >$ON
	load kspan_stress.ko "seconds=$SECONDS_ASKED" || return 1
	start=$(uptime_seconds)
	hotplug_loop &
	loops=$!
	pressure_loop &
	loops="$loops $!"
	read_loop &
	loops="$loops $!"
	while [ $passed -lt "$SECONDS_ASKED" ]; do
		sleep 10
		passed=$(($(uptime_seconds) - start))
		progress $passed
	done
	rm -f $ON
	# shellcheck disable=SC2086 # a word each
	wait $loops
	umount $PRESSURE
	cat $COUNTERS
	rmmod kspan_stress
}

memory_begin || exit 1
suite kspan_stress 10
load kspan.ko || exit 1
run
result "starts and ends" $?
dmesg | sed -n 's/.*kspan-stress: /# kspan-stress: /p'
[ "$(dmesg | sed -n 's/.*kspan-stress: verdict //p')" = ok ]
result "the module finds nothing wrong" $?
[ "$(count hotplug)" -gt 0 ] && [ "$(count refused)" -eq 0 ]
result "CPUs go and come" $? "$(count hotplug) times, $(count refused) refused"
[ "$(count pressure)" -gt 0 ]
result "memory gets scarce" $?
[ "$(count reads)" -gt 0 ] && [ "$(count unreadable)" -eq 0 ]
result "debugfs can be read" $? "$(count unreadable) of $(count reads) could not"
[ "$(count overdrawn)" -eq 0 ] && [ "$(stat_of CacheLimit)" -gt 0 ]
result "caches draw no more than their share of memory" $? "$(count overdrawn) times of $(count reads)"
at_rest
result "nothing is left" $? "$(grep -E 'Heap|Mallocs|Frees' $DEBUGFS/stats | xargs)"
# Whoever gives back what is idle has had the time to.
sleep 5
echo "# kspan-stress: at rest on $(nproc) CPUs: $(($(stat_of Sys) >> 10)) KiB, of these in arenas" \
     "$(($(stat_of HeapSys) >> 10)), caches $(($(stat_of MCacheSys) >> 10)), spans" \
     "$(($(stat_of MSpanSys) >> 10)), other $(($(stat_of OtherSys) >> 10)); of $(mem_kb MemTotal) KiB"
if [ -e /sys/kernel/debug/kmemleak ]; then
	leak_scan
	result "kmemleak finds nothing while kspan is loaded" $?
else
	result "kmemleak finds nothing while kspan is loaded # SKIP no kmemleak" 0
fi
rmmod kspan
result "unloads" $?
memory_end
result "memory comes back" $?
suite_end
