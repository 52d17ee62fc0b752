# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: run the KUnit suites, and see that unloading gives all memory back.
# The suites' KTAP is in the kernel's log, between two marks.
# shellcheck disable=SC1091
. /guest/lib.sh

# What loading and unloading kspan alone does to free memory is noise; what the
# run with the tests lost beyond that and 1 MiB would be a leak (an arena has 4).
# Detectors keep memory themselves (lock and stack records): 16 MiB there.
allowed=1024
[ ! -e /sys/kernel/debug/kmemleak ] || allowed=16384

cycle() {
	load kspan.ko && rmmod kspan || exit 1
}

cycle
first=$(settled_mem_free)
cycle
before=$(settled_mem_free)
noise=$((first - before))
[ $noise -ge 0 ] || noise=$((-noise))

log_mark "kunit begin"
load kspan.ko || exit 1
load kspan_kunit.ko || exit 1
log_mark "kunit end"
rmmod kspan_kunit || exit 1
rmmod kspan || exit 1
after=$(settled_mem_free)

echo "free pages (MemFree and per-CPU lists) before: $before kB, after: $after kB," \
     "lost: $((before - after)) kB (noise: $noise kB, allowed: $allowed kB + noise)"
if [ $((before - after)) -gt $((allowed + noise)) ]; then
	echo "unloading did not give all memory back"
	exit 1
fi
