#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kspan and kspan_counter as modules: load, unload, reload, bad parameters, who may
# be unloaded when, and that the kernel has all its memory back and nothing to
# complain about.

# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/kspan_lib.sh"

if [ -n "$DETECTORS" ]; then
	RELOADS=3
	WORDS=1000
	BAD_VALUES=-1
else
	RELOADS=10
	WORDS=5000
	BAD_VALUES="what -1 M 8Q 99999999999999999999"
fi
# What all rounds together may seem to cost: the kernel's own noise.
NOISE_KB=1024
PAGE_KB=$(awk '$1 == "KernelPageSize:" { print $2; exit }' /proc/self/smaps)
TEXT=$(mktemp)

# Without the module, and those that use it, whatever was there.
unload() {
	! loaded kspan_counter || rmmod kspan_counter
	[ "$1" = kspan_counter ] || ! loaded kspan || rmmod kspan
}

# Some 700 kB in kspan, or a fifth of it.
use_words() {
	cat "$TEXT" >$DEVICE && [ "$(wc -l <$DEVICE)" -eq $WORDS ]
}

# cycle [parameter=value...]: load kspan with them, use it, unload; true if all
# went well and nothing is left
cycle() {
	load kspan "$@" && load kspan_counter && use_words &&
		rmmod kspan_counter && rmmod kspan &&
		! loaded kspan && [ ! -e $DEVICE ] && [ ! -e $DEBUGFS ]
}

# A sanitizer keeps freed slab objects for a while; its kernel has kmemleak to
# look for those of kspan that were not freed.
slab_counted() {
	if grep -q kasan_quarantine /proc/kallsyms; then
		echo Slab:
	else
		echo SReclaimable:
	fi
}

# What is free in kB: with the pages that wait in the CPUs' lists for their next
# use, which may be many more after a round than before.
mem_free() {
	sleep 1
	awk -v page_kb="$PAGE_KB" -v slab="$(slab_counted)" '
		$1 == "MemFree:" || $1 == slab { free += $2 }
		$1 == "count:" { free += $2 * page_kb }
		END { print free }' /proc/meminfo /proc/zoneinfo
}

# The tests, in this order

test_load() {
	load kspan && loaded kspan && [ -r $DEBUGFS/stats ]
}

test_load_words() {
	load kspan_counter && [ -c $DEVICE ]
}

test_kspan_in_use() {
	! rmmod kspan 2>/dev/null && loaded kspan
}

# The device is open.
test_words_in_use() {
	# shellcheck disable=SC2217
	! rmmod kspan_counter 2>/dev/null <$DEVICE && loaded kspan_counter
}

test_unload_words() {
	rmmod kspan_counter && [ ! -e $DEVICE ] && loaded kspan
}

test_unload() {
	rmmod kspan && ! loaded kspan && [ ! -e $DEBUGFS ]
}

# Rounds that do not end where they began would show: a leak of 100 kB a round
# is more than the noise.
test_reload() {
	local i before after
	cycle || return 1
	before=$(mem_free)
	for i in $(seq $RELOADS); do
		cycle || { ktap_print_msg "round $i failed"; return 1; }
	done
	after=$(mem_free)
	ktap_print_msg "free before $RELOADS rounds: $before kB, after: $after kB"
	[ $((before - after)) -le $NOISE_KB ]
}

# not_written MODULE PARAMETER=VALUE: sysfs does not take it
not_written() {
	local file=/sys/module/$1/parameters/${2%%=*} before after
	[ -w "$file" ] || return 0
	before=$(cat "$file" 2>/dev/null)
	if echo "${2#*=}" 2>/dev/null >"$file"; then
		ktap_print_msg "$file took ${2#*=}"
		return 1
	fi
	after=$(cat "$file" 2>/dev/null)
	[ "$before" = "$after" ]
}

# not_loaded MODULE PARAMETER=VALUE: insmod does not take it
not_loaded() {
	if load "$1" "$2"; then
		ktap_print_msg "$1 was loaded with $2"
		rmmod "$1"
		return 1
	fi
	! loaded "$1"
}

# refused MODULE PARAMETER=VALUE...: neither insmod nor sysfs takes any of them
refused() {
	local module=$1 setting rc=0
	shift
	unload_all
	load kspan && load kspan_counter || return 1
	for setting; do
		not_written "$module" "$setting" || rc=1
	done
	unload "$module"
	for setting; do
		not_loaded "$module" "$setting" || rc=1
	done
	unload_all
	return $rc
}

# All parameters are numbers or switches: none takes any of these.
test_bad_values() {
	local module parameter value settings rc=0
	load kspan && load kspan_counter || return 1
	for module in kspan kspan_counter; do
		settings=
		for parameter in "/sys/module/$module/parameters"/*; do
			for value in $BAD_VALUES; do
				settings="$settings ${parameter##*/}=$value"
			done
			settings="$settings ${parameter##*/}="
		done
		# shellcheck disable=SC2086 # a word each
		refused $module $settings || rc=1
		load kspan && load kspan_counter || return 1
	done
	unload_all
	return $rc
}

test_bad_ranges() {
	local rc=0
	refused kspan arena_reserve=1025 magazine_bytes=15 magazine_bytes=1048577 \
		depot_bytes=1073741825 cpu_cache_bytes=1073741825 \
		large_cache_bytes=1073741825 large_cache_bytes=2G hard_limit=16777216T \
		soft_limit=16777216T pool_seconds=86401 arena_growth=101 \
		cache_share=1001 scavenge_ms=3600001 idle_percent=101 || rc=1
	refused kspan_counter max_word=0 max_word=1048577 || rc=1
	return $rc
}

# reads PARAMETER VALUE: of kspan
reads() {
	local value
	value=$(cat "/sys/module/kspan/parameters/$1")
	[ "$value" = "$2" ] || { ktap_print_msg "$1 is $value, not $2"; return 1; }
}

# Sizes have suffixes, for insmod and in sysfs, and are shown as bytes.
test_suffixes() {
	local sysfs=/sys/module/kspan/parameters
	load kspan hard_limit=2g magazine_bytes=64K && reads hard_limit 2147483648 &&
		reads magazine_bytes 65536 && echo 8M >$sysfs/cpu_cache_bytes &&
		reads cpu_cache_bytes 8388608 && echo 1T >$sysfs/soft_limit &&
		reads soft_limit 1099511627776 && echo 1G >$sysfs/depot_bytes &&
		reads depot_bytes 1073741824 && ! echo 2G 2>/dev/null >$sysfs/depot_bytes &&
		echo 4m >$sysfs/large_cache_bytes && reads large_cache_bytes 4194304 && rmmod kspan
}

# The smallest and the largest caches there can be.
test_good_ranges() {
	cycle arena_reserve=0 magazine_bytes=16 depot_bytes=0 cpu_cache_bytes=1 pool_seconds=0 &&
		cycle cpu_cache_bytes=0 large_cache_bytes=0 arena_growth=0 scavenge_ms=0 \
			idle_percent=0 cache_share=0 &&
		cycle arena_growth=100 scavenge_ms=1 soft_limit=1 hard_limit=1073741824 &&
		cycle arena_reserve=1024 magazine_bytes=1048576 depot_bytes=1073741824 \
			cpu_cache_bytes=1073741824 large_cache_bytes=1073741824 idle_percent=100 cache_share=1000
}

# kspan_leftover frees nothing of its 3 objects of 64 bytes and 2 of 64 KiB.
test_leftovers() {
	local found
	load kspan && load kspan_leftover && rmmod kspan_leftover && rmmod kspan || return 1
	found=$(dmesg | grep 'never freed')
	ktap_print_msg "$found"
	echo "$found" | grep -q 'heap default: 3 objects of class 64 were never freed' &&
		echo "$found" | grep -q '2 large objects, 128 KiB, were never freed' &&
		[ "$(echo "$found" | wc -l)" -eq 2 ]
}

# Rounds with leftovers do not lose their memory.
test_leftover_pages() {
	local i before after
	before=$(mem_free)
	for i in $(seq $RELOADS); do
		load kspan && load kspan_leftover && rmmod kspan_leftover && rmmod kspan ||
			return 1
	done
	after=$(mem_free)
	ktap_print_msg "free before $RELOADS rounds: $before kB, after: $after kB"
	[ $((before - after)) -le $NOISE_KB ]
}

# kspan_orphans destroys nothing of what it made; its functions are not called any more, by
# trims, the shrinker, or the clock.
test_orphans() {
	local kind found i
	load kspan pool_seconds=1 && load kspan_orphans && rmmod kspan_orphans || return 1
	for i in 1 2 3; do
		echo 1 >$DEBUGFS/trim
		echo 3 >/proc/sys/vm/drop_caches
		sleep 2
	done
	cat $DEBUGFS/pools $DEBUGFS/heaps >/dev/null && rmmod kspan || return 1
	found=$(dmesg | grep 'kspan: .*orphans')
	ktap_print_msg "$found"
	for kind in "heap orphan_heap" "cache orphan_cache" "pool orphan_pool" "fixed pool" \
		"region" "region for each CPU"; do
		echo "$found" | grep -q "module kspan_orphans goes and leaves behind: $kind," ||
			return 1
	done
	[ "$(echo "$found" | grep -c 'not called any more')" -eq 2 ] &&
		echo "$found" | grep -q "cache orphan_cache .* so it can't grow any more"
}

# A failed load leaves nothing behind that a good one stumbles over.
test_load_after_refusal() {
	cycle
}

begin
need kspan
unload_all

trap 'unload_all; rm -f "$TEXT"' EXIT
awk -v words=$WORDS 'BEGIN { for (i = 0; i < words; i++) printf "%d_%0100d ", i, 0 }' >"$TEXT"

ktap_set_plan 16
if [ -z "$KSPAN_MODULES" ] || [ -e "$KSPAN_MODULES/kspan_leftover.ko" ]; then
	ktap_test_result "what was left behind is told" test_leftovers
	ktap_test_result "what was left behind goes back" test_leftover_pages
	ktap_test_result "no function of a module that is gone is called" test_orphans
else
	ktap_test_skip "what was left behind is told (no kspan_leftover.ko: kernel without KUnit)"
	ktap_test_skip "what was left behind goes back (no kspan_leftover.ko: kernel without KUnit)"
	ktap_test_skip "no function of a module that is gone is called (no kspan_orphans.ko: kernel without KUnit)"
fi
mark_log
ktap_test_result "load kspan" test_load
ktap_test_result "load kspan_counter" test_load_words
ktap_test_result "kspan stays while kspan_counter uses it" test_kspan_in_use
ktap_test_result "kspan_counter stays while its device is open" test_words_in_use
ktap_test_result "unload kspan_counter" test_unload_words
ktap_test_result "unload kspan" test_unload
ktap_test_result "reload $RELOADS times, memory comes back" test_reload
ktap_test_result "bad values of parameters are refused" test_bad_values
ktap_test_result "values out of range are refused" test_bad_ranges
ktap_test_result "the smallest and the largest values work" test_good_ranges
ktap_test_result "sizes may have suffixes" test_suffixes
ktap_test_result "load after a refusal" test_load_after_refusal
ktap_test_result "nothing to complain about in the kernel log" test_quiet_log
ktap_finished
