# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: kspan while memory is scarce (tools/pressure). First kspan holds memory that
# nobody uses, and kspan_hog takes all there is: it is to get that. Then the hog comes
# and goes for $PRESSURE_SECONDS, while kspan's users allocate with all kinds of flags.
# The OOM killer may have the hog, and nobody else. Prints KTAP.
# shellcheck disable=SC1091
. /guest/lib.sh
. /guest/ktap.sh

# With detectors all takes several times as long.
if [ -e /proc/lockdep ]; then SECONDS_ASKED=${PRESSURE_SECONDS:-60}; else SECONDS_ASKED=${PRESSURE_SECONDS:-15}; fi
CONTROL=/sys/kernel/debug/kspan_pressure
# How long a round of the hog takes, in milliseconds.
HOLD=2500
REST=300
# More than there is, in KiB.
ALL=1000000

did() {
	value_of "$1" $CONTROL/stats
}

# What the page allocator keeps for emergencies, in kB.
reserve_kb() {
	awk '$1 == "min" { pages += $2 } END { print pages * 4 }' /proc/zoneinfo
}

# ask FILE VALUE: of the module
ask() {
	echo "$2" >"$CONTROL/$1"
}

# The hog, which the OOM killer may have. An expected complaint allows one: of the second
# line, the hog alone.
hog() {
	echo "kspan-expect: invoked oom-killer" >/dev/kmsg
	echo "kspan-expect: (kspan_hog) total-vm" >/dev/kmsg
	./kspan_hog "$@"
}

# round LEAVE_KB MOST_KB MILLISECONDS: of the hog
round() {
	hog "$1" "$2" "$3" $REST 1
	case $? in
	0) done_once rounds ;;
	137) done_once kills ;;
	*) done_once trouble ;;
	esac
}

hog_loop() {
	while [ -e $ON ]; do
		round "$LEAVE" $ALL $HOLD
	done
}

# A hog that takes nothing. The one that was killed may be still on its way out when the
# OOM killer is called again, and a kernel that finds nobody to kill panics.
spare_loop() {
	while [ -e $ON ]; do
		hog $ALL $ALL $HOLD 0 1 >/dev/null || done_once spares
	done
}

# Memory that nobody uses, and somebody who needs three quarters of it.
idle_memory() {
	local idle before after
	ask fill $FILL
	result "allocates and frees $FILL MiB" $?
	idle=$(stat_of HeapIdle)
	before=$(stat_of HeapSys)
	[ "$idle" -ge $((FILL * 1024 * 1024 / 2)) ]
	result "holds memory that nobody uses" $? "$idle bytes of $FILL MiB"
	round 0 $(($(mem_kb MemFree) + idle / 1024 * 3 / 4)) 1000
	after=$(stat_of HeapSys)
	echo "# kspan-pressure: of $((before >> 20)) MiB the hog left $((after >> 20)) MiB to kspan"
	[ "$after" -le $((before - idle / 2)) ]
	result "gives it to whoever needs it" $? "$after bytes of $before are left"
	[ "$(count rounds)" -eq 1 ]
	result "nobody is killed for it" $?
}

# atomic: kB that others get at once
atomic() {
	ask atomic 1
	echo $(($(did atomic_pages) * 4))
}

# within SECONDS COMMAND ARG...: it succeeds until then. Tells when.
within() {
	local start limit=$1
	start=$(uptime_seconds)
	shift
	until "$@"; do
		[ $(($(uptime_seconds) - start)) -le "$limit" ] || return 1
		sleep 0.25
	done
	echo "# kspan-pressure: $*: within $(($(uptime_seconds) - start + 1)) s"
}

keeps_at_most() {
	held=$(stat_of HeapSys)
	[ "$held" -le "$1" ]
}

# What a burst leaves, with the parameters that everybody has: others are to have it at
# once, but for idle_percent, and free pages of arenas that some cached objects are in (0.79
# to 0.99 of what there was, measured). Those come within 2 s where the processors are not busy
# elsewhere, by the scavenger alone: to take all memory meanwhile would wake kswapd.
burst() {
	local before after idle held
	load kspan.ko && load kspan_pressure.ko || return 1
	before=$(atomic)
	ask fill $FILL
	result "a burst of $FILL MiB comes and goes" $?
	idle=$(stat_of HeapIdle)
	after=$(atomic)
	echo "# kspan-pressure: atomic requests get $after kB of $before kB after a burst of $FILL MiB," \
	     "$((idle >> 10)) kB idle"
	if [ -e /sys/kernel/debug/kmemleak ]; then
		result "atomic requests of others get what it left # SKIP with KASAN it takes longer than that to give back" 0
	else
		[ "$before" -gt 0 ] && [ "$after" -ge $((before * 70 / 100)) ]
		result "atomic requests of others get what it left" $? "$after kB, $before kB before"
	fi
	within 10 keeps_at_most $((before * 1024 * 4 / 100))
	after=$(atomic)
	[ "$after" -ge $((before * 95 / 100)) ]
	result "soon they get all of it" $? "$after kB, $before kB before"
	ask fill $FILL
	within 20 keeps_at_most $((FILL << 17))
	result "kspan keeps little of it" $? "$held bytes of $FILL MiB"
	rmmod kspan_pressure && rmmod kspan
}

users_and_hog() {
	local loops
	# Kept memory would save them from the hog, if it were not given back.
	echo 1 >/sys/module/kspan/parameters/arena_reserve
	echo 5 >/sys/module/kspan/parameters/idle_percent
	echo 1000 >/sys/module/kspan/parameters/scavenge_ms
	echo 1 >$DEBUGFS/trim
	: >$ON
	ask run 1 || return 1
	spare_loop &
	loops=$!
	spare_loop &
	loops="$loops $!"
	hog_loop &
	loops="$loops $!"
	sleep "$SECONDS_ASKED"
	rm -f $ON
	# shellcheck disable=SC2086 # a word each
	wait $loops
	[ $(($(count rounds) + $(count kills))) -gt 1 ] && [ "$(count trouble)" -eq 0 ]
}

# No small request may fail any more, as there is enough for all of them, and there are
# many. Large ones may, in memory that is in use all over, but not when it is not.
works_again() {
	local allocs failed
	echo $((AVAILABLE / 1024 / 2)) >/sys/module/kspan_pressure/parameters/mib
	sleep 3
	cp $CONTROL/stats /tmp/stats
	allocs=$(did _allocs)
	failed=$(did _failed)
	sleep 2
	more=$(($(did _allocs) - allocs))
	more_failed=$(($(did _failed) - failed))
	# Interrupts can't wait for a block: one in a thousand may still fail.
	[ $more -gt 1000 ] && [ $more_failed -le $((more / 1000)) ] && return
	diff /tmp/stats $CONTROL/stats | sed -n 's/^[-+]\([a-z]*_failed[a-z_]*\)/# \1/p'
	return 1
}

tell() {
	echo "# kspan-pressure: $(did _allocs) allocations, $(did _failed) and of large ones" \
	     "$(did _failed_large) failed, the hog came $(($(count rounds) + $(count kills))) times and was killed" \
	     "$(count kills) times, a spare one $(count spares) times; direct reclaim inside of kspan $(did reclaim_inside) times," \
	     "kspan's shrinker called $(did shrink_count_inside) times and run" \
	     "$(did shrink_scan_inside) times by itself, $(did shrink_scan_others) times by others"
}

# fails WHAT KIND...: else there was no pressure on them. With detectors interrupts are so slow
# that what the kernel keeps for them may do.
fails() {
	local what=$1 kind failed=0
	shift
	for kind; do
		failed=$((failed + $(did "${kind}_failed") + $(did "${kind}_failed_large")))
	done
	if [ "$failed" -eq 0 ] && [ -e /proc/lockdep ] && [ "$what" = "requests of interrupts" ]; then
		result "some $what fail # SKIP none failed, with detectors" 0
		return
	fi
	[ "$failed" -gt 0 ]
	result "some $what fail" $?
}

all_of_it() {
	load kspan_pressure.ko "mib=$((AVAILABLE / 1024))"
	result "the module loads" $?
	idle_memory
	users_and_hog
	result "users and hog come and go" $? \
	       "$(count rounds) rounds, $(count kills) killed, $(count trouble) in trouble"
	works_again
	result "small requests succeed when memory is back" $? "$more did, $more_failed did not"
	ask run 0
	result "users stop" $?
	ask fill $((FILL / 2))
	result "large ones succeed when nobody uses any" $?
	tell
	sed 's/^/# /' $CONTROL/stats
	fails "requests that may reclaim" noretry nofs noio heap
	fails "requests that may not" nowait
	fails "requests of interrupts" softirq hardirq
	[ "$(did broken)" -eq 0 ] && [ "$(did _allocs)" -eq "$(did _frees)" ]
	result "no object is lost" $? "$(did broken) broken, $(did _frees) of $(did _allocs) freed"
	[ "$(did reclaim_inside)" -gt 0 ]
	result "kspan enters reclaim" $?
	[ "$(did shrink_scan_inside)" -gt 0 ]
	result "reclaim enters kspan again" $? "watched: $(did shrink_scan_watched)"
	ask check 1
	result "every layer is consistent" $?
	rmmod kspan_pressure
	result "the module unloads" $?
}

# Neither this script nor what it starts is for the OOM killer.
echo -1000 >/proc/self/oom_score_adj
# Who waits for memory for as long must be stuck.
tune kernel/hung_task_timeout_secs 20
# What the first kprobe takes for its code the kernel keeps, 2 MiB since it has a cache of it.
{ load kspan.ko && load kspan_pressure.ko && rmmod kspan_pressure kspan; } || exit 1
memory_begin || exit 1
# More is kept for emergencies at times, unless that can be turned off.
LEAVE=$(($(reserve_kb) * 4))
! tune vm/watermark_boost_factor 0 || LEAVE=$((LEAVE / 2))
AVAILABLE=$(mem_kb MemAvailable)
FILL=$((AVAILABLE * 5 / 8 / 1024))
counts rounds kills spares trouble
echo "# kspan-pressure: $AVAILABLE kB available, the hog leaves $LEAVE kB"
suite kspan_pressure 25
burst
result "what it takes to see that is there" $?
# So that nobody but the shrinker gives back what is kept.
load kspan.ko arena_reserve=1024 idle_percent=100 scavenge_ms=0 || exit 1
all_of_it
at_rest
result "nothing is left" $? "$(grep -E 'Heap|Mallocs|Frees' $DEBUGFS/stats | xargs)"
rmmod kspan
result "kspan unloads" $?
memory_end
result "memory comes back" $?
suite_end
