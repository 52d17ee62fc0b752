# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Functions of the guest's scripts. Output goes to the results port; a line
# that starts with KSPAN- speaks to tools/qemu.sh on the host.

# A line in the kernel's log, to find its parts by.
log_mark() {
	echo "kspan-guest: $*" >/dev/kmsg
}

# load FILE [param=value...]: insmod. From the first one on, no failure of the
# boot is put down to the emulator.
load() {
	echo "KSPAN-LOADING $1"
	insmod "$@"
}

# tune NAME VALUE: a sysctl; fails where the kernel does not have it
tune() {
	[ -w "/proc/sys/$1" ] && echo "$2" >"/proc/sys/$1"
}

uptime_seconds() {
	cut -d. -f1 /proc/uptime
}

# Free memory in kB: MemFree, what the page allocator keeps on its per-CPU lists,
# what alloc_percpu() has, pages and descriptions, as the kernel keeps an empty chunk of
# it (several MiB each that come and go, free all the same), and what debugobjects keeps.
mem_free() {
	awk '$1 == "MemFree:" || $1 == "Percpu:" { kb += $2 }
	     $1 == "count:" { kb += 4 * $2 }
	     $3 ~ /^pcpu_/ && $4 ~ /^pages=/ { kb += 4 * substr($4, 7) }
	     $1 == "debug_objects_cache" { kb += 4 * $6 * $15 }
	     END { print kb }' /proc/meminfo /proc/zoneinfo /proc/vmallocinfo /proc/slabinfo
}

# The free memory of all CPUs is added up, which they do once a second by themselves.
mem_free_now() {
	[ ! -w /proc/sys/vm/stat_refresh ] || echo 1 >/proc/sys/vm/stat_refresh
	mem_free
}

# Waits until free memory grows no more: RCU and workqueues free some of it later.
await_frees() {
	local before after
	before=$(mem_free_now)
	for _ in 1 2 3 4 5 6 7 8; do
		sleep 0.2
		after=$(mem_free_now)
		[ $((after - before)) -ge 64 ] || break
		before=$after
	done
}

# Free memory in kB after everything that can be given back was. Shrinking a
# slab cache also empties KASAN's quarantine of it, up to 1/32 of the memory.
settled_mem_free() {
	sync
	for shrink in /sys/kernel/slab/*/shrink; do
		[ ! -w "$shrink" ] || echo 1 >"$shrink"
	done
	for _ in 1 2; do
		[ ! -e /proc/sys/vm/drop_caches ] || echo 3 >/proc/sys/vm/drop_caches
		[ ! -e /proc/sys/vm/compact_memory ] || echo 1 >/proc/sys/vm/compact_memory
		await_frees
	done
	mem_free_now
}

# settled_at KB: the same, once more and again if it is less: what the kernel keeps for a
# while comes back, what is lost does not.
settled_at() {
	local free
	for _ in 1 2 3; do
		free=$(settled_mem_free)
		[ "$free" -lt "$1" ] || break
		sleep 2
	done
	echo "$free"
}

# kB of each slab cache
slabs() {
	awk 'NR > 2 { print $1, 4 * $6 * $15 }' /proc/slabinfo
}

# What loading and unloading kspan alone does to free memory is noise; what a
# test loses beyond that and 2 MiB would be a leak (an arena has 4 MiB; slabs and
# per-CPU pages that a thousand heaps took, the kernel keeps for what is to come).
# Detectors keep memory themselves (lock and stack records): 16 MiB there. Where there are
# many CPUs the kernel has started a worker on each of them, and keeps slabs there: 5 MB of
# slabs and 2 MB of stacks were what 64 had taken more.
#
# memory_begin notes what is free before a test, memory_end fails if the test
# has not given it back.
memory_begin() {
	local first
	kspan_cycle || return 1
	first=$(settled_mem_free)
	kspan_cycle || return 1
	memory_before=$(settled_mem_free)
	cp /proc/meminfo /tmp/meminfo.before
	slabs >/tmp/slabs.before
	memory_noise=$((first - memory_before))
	[ $memory_noise -ge 0 ] || memory_noise=$((-memory_noise))
}

memory_end() {
	local after lost allowed=2048
	[ ! -e /sys/kernel/debug/kmemleak ] || allowed=16384
	[ "$(nproc)" -le 8 ] || allowed=$((allowed + 128 * $(nproc)))
	after=$(settled_at $((memory_before - allowed)))
	lost=$((memory_before - after))
	echo "free pages (MemFree and per-CPU lists) before: $memory_before kB, after: $after kB," \
	     "lost: $lost kB (noise: $memory_noise kB, allowed: $allowed kB + noise)"
	[ $lost -le $((allowed + memory_noise)) ] && return
	awk 'NR == FNR { before[$1] = $2; next }
	     $2 - before[$1] > 256 || before[$1] - $2 > 256 { print "# " $1, before[$1], "kB, then", $2 }' \
		/tmp/meminfo.before /proc/meminfo
	slabs | awk 'NR == FNR { before[$1] = $2; next }
	     $2 - before[$1] > 256 { print "# slabs of " $1 ":", before[$1] + 0, "kB, then", $2 }' \
		/tmp/slabs.before -
	return 1
}

kspan_cycle() {
	load kspan.ko && rmmod kspan
}

# Two scans, as an object must be 5 s old and stay unreferenced.
leak_scan() {
	local file=/sys/kernel/debug/kmemleak
	[ -e $file ] || return 0
	sleep 6
	echo scan >$file
	sleep 1
	echo scan >$file
	if [ -n "$(head -c 1 $file)" ]; then
		cat $file
		return 1
	fi
	echo "kmemleak: two scans, nothing found"
}

# The last word: whatever comes after it is not believed.
verdict() {
	log_mark "verdict: $1"
	sleep 1
	echo "KSPAN-VERDICT $1"
	sync
	sleep 1
	poweroff -f
}
