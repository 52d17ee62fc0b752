# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: kspan beside kmalloc() in fragmented memory (tools/fragmented). With
# FRAGMENTED_JUDGE=1 each cell is a case, KTAP, and there is a case more: all memory comes
# back. kspan is to serve 0.95 of what kmalloc() serves, but for what is in the lists of the
# CPU, which come and go in batches; to call the OOM killer where that does; and to take
# twice its time at most, for the slowest request and for all. Ticks are instructions
# (-icount), so little is left out: 100 us, and 1 ms where a request may wait, as kswapd gets
# the CPU then. Requests with __GFP_NORETRY are those for which nothing is there for sure
# (fragmented.c): what reclaim and compaction find for one or the other, and how soon, is
# luck, so only the OOM killer is looked at. On 6.1 kmalloc() of 16 KiB is an eighth cheaper
# than on others: there kspan takes 2.0 to 2.2 of its time.
# shellcheck disable=SC1091
. /guest/lib.sh
. /guest/ktap.sh

judge() {
	local large=2
	case $(uname -r) in
	6.1.*) large=2.4 ;;
	esac
	awk -v first="$CASES" -v served=0.95 -v large=$large '
		function slow(ours, theirs) {
			return ours > (v["size"] == 16384 ? large : 2) * theirs + (v["gfp"] ~ /kernel|nofs/ ? 1000000 : 100000)
		}
		function per_byte(ticks, kib, other) { return kib > other ? ticks * other / kib : ticks }
		/^pattern=fragmented / {
			for (i = 1; i <= NF; i++) {
				split($i, pair, "=")
				v[pair[1]] = pair[2]
			}
			why = ""
			spare = 4 * (v["kspan_lists"] - v["slub_lists"])
			enough = v["asked"] > 0 ? v["asked"] : v["slub"]
			sure = v["gfp"] !~ /noretry/
			if (sure && v["kspan"] + (spare > 0 ? spare : 0) < served * enough)
				why = why "; served " v["kspan"] " of " v["slub"] " KiB"
			if (v["kspan_oom"] > v["slub_oom"])
				why = why "; the OOM killer was called"
			if (sure && slow(v["kspan_slowest"], v["slub_slowest"]))
				why = why "; a request took " v["kspan_slowest"] " instructions, not " v["slub_slowest"]
			if (sure && slow(per_byte(v["kspan_ticks"], v["kspan"], v["slub"]), v["slub_ticks"]))
				why = why "; all took " v["kspan_ticks"] " instructions, not " v["slub_ticks"]
			if (v["larger"] > 8 || v["kspan_free"] < 0.99 * v["slub_free"])
				why = why "; the state was not as it is to be"
			if (why) printf "    # %s\n    not ", substr(why, 3)
			else printf "    "
			printf "ok %d order %s, %s, %s bytes\n", ++first, v["order"], v["gfp"], v["size"]
		}' /tmp/lines
}

tune vm/watermark_boost_factor 0
# The reserves follow memory; what is free here is less.
tune vm/min_free_kbytes 1024
# The shortest lists that there are.
tune vm/percpu_pagelist_high_fraction 1000000
[ -z "$FRAGMENTED_JUDGE" ] || { suite kspan_fragmented 129; memory_begin; } || exit 1
load kspan.ko || exit 1
# shellcheck disable=SC2086 # parameters, one a word
load kspan_fragmented.ko $BENCH
status=$?
dmesg | sed -n 's/.*kspan-fragmented: //p' >/tmp/lines
cat /tmp/lines
rmmod kspan_fragmented
rmmod kspan || status=1
[ -n "$FRAGMENTED_JUDGE" ] || exit $status
judge >/tmp/cases
cat /tmp/cases
CASES=$(grep -cE '^ *(not )?ok [0-9]' /tmp/cases)
# shellcheck disable=SC2034 # suite_end reads it
! grep -q "not ok" /tmp/cases || FAILED=1
memory_end && [ $status -eq 0 ]
result "memory comes back" $?
suite_end
