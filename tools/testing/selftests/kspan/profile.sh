#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The heap profile of a module at work: its estimates are what the module has, the files agree with
# each other, a leak is found with its call site, and only root may look. At the end it prints
# heap_profile, each line after "# heap_profile: ", for the tests of pprof outside.

# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/kspan_lib.sh"

PARAMETERS=/sys/module/kspan/parameters
SCRATCH=$(mktemp -d)
# So many samples that the estimates are within one percent, mostly.
RATE=512

# Words of many lengths, some MiB of them
work() {
	seq 100000 250000 | sed 's/.*/word&-&&&&/; n; s/.*/w&/' >$DEVICE
}

# estimate COLUMN HEAP: the sum of a column of samples, times the size, scaled. The awk of busybox
# has no exp(): exp(-x) is (1 - y + y^2/2)^1024, where y is x/1024.
estimate() {
	awk -F'\t' -v column="$1" -v heap="$2" '
		function sampled(x,   y, i) {
			y = x / 1024
			y = 1 - y + y * y / 2
			for (i = 0; i < 10; i++)
				y *= y
			return 1 - y
		}
		NR == 1 { split($0, head, " "); rate = head[5] }
		NR > 2 && $9 == heap {
			sum += $column * $7 / (rate > 1 ? sampled($7 / rate) : 1)
		}
		END { printf "%d\n", sum }' "$SCRATCH/samples"
}

# in_use HEAP: what the heap has, from heaps
in_use() {
	awk -v heap="$1" 'NR > 1 && $1 == heap { print $6 }' $DEBUGFS/heaps
}

# close A B: A is within 5 percent of B
close() {
	awk -v a="$1" -v b="$2" 'BEGIN { exit !(b > 0 && a > b * 0.95 && a < b * 1.05) }'
}

test_estimate() {
	cat $DEBUGFS/samples >"$SCRATCH/samples"
	TRUTH=$(in_use words)
	ktap_print_msg "in use $TRUTH bytes, estimated $(estimate 1 words)"
	[ "$TRUTH" -gt 8000000 ] && close "$(estimate 1 words)" "$TRUTH"
}

# live OBJECTS and BYTES of a file: heap_profile's header, and the sum of its rows
test_files_agree() {
	cat $DEBUGFS/heap_profile >"$SCRATCH/heap_profile"
	tr '][:' '   ' <"$SCRATCH/heap_profile" | awk '
		NR == 1 { live = $3; bytes = $4; allocs = $5; next }
		{ live -= $1; bytes -= $2; allocs -= $3 }
		END { exit live != 0 || bytes != 0 || allocs != 0 || NR < 3 }' || {
		head -n 3 "$SCRATCH/heap_profile" | sed 's/^/# /'
		return 1
	}
	[ "$(($(wc -l <"$SCRATCH/heap_profile") - 1))" -eq "$(($(wc -l <"$SCRATCH/samples") - 2))" ]
}

test_sites() {
	cat $DEBUGFS/alloc_sites >"$SCRATCH/sites"
	# The first site has most live bytes.
	sed -n 3p "$SCRATCH/sites" | grep -q "heap=words" &&
		grep -q 'words_.*\[kspan_counter\]' "$SCRATCH/sites" &&
		sed -n 3p "$SCRATCH/sites" | grep -qE 'age_ms=[0-9]+/[0-9]+/[0-9]+ ' || {
		head -n 9 "$SCRATCH/sites" | sed 's/^/# /'
		return 1
	}
}

# Nothing is as old as that; then all that the words hold is.
test_leaks() {
	echo 3600 >$PARAMETERS/leak_seconds
	[ "$(wc -l <$DEBUGFS/leaks)" -eq 2 ] || return 1
	echo 1 >$PARAMETERS/leak_seconds
	sleep 2
	cat $DEBUGFS/leaks >"$SCRATCH/leaks"
	grep -q 'heap=words' "$SCRATCH/leaks" && grep -q 'words_.*\[kspan_counter\]' "$SCRATCH/leaks" || {
		head -n 9 "$SCRATCH/leaks" | sed 's/^/# /'
		return 1
	}
}

# Freed objects leave the profile, and have had a lifetime; the peak stays.
test_frees() {
	echo 1 >/sys/module/kspan_counter/parameters/reset
	cat $DEBUGFS/samples >"$SCRATCH/samples"
	ktap_print_msg "live $(estimate 1 words), peak $(estimate 5 words), ever $(estimate 3 words)"
	[ "$(estimate 1 words)" -lt $((TRUTH / 20)) ] && close "$(estimate 5 words)" "$TRUTH" &&
		close "$(estimate 3 words)" "$TRUTH" && [ "$(wc -l <$DEBUGFS/lifetimes)" -gt 1 ]
}

test_reset() {
	echo 1 >$DEBUGFS/profile_reset
	[ "$(wc -l <$DEBUGFS/samples)" -eq 2 ] && ! echo 2 2>/dev/null >$DEBUGFS/profile_reset
}

test_off() {
	echo 0 >$PARAMETERS/profile_rate
	seq 300000 310000 >$DEVICE
	[ "$(wc -l <$DEBUGFS/samples)" -eq 2 ] && grep -q ' rate 0 ' $DEBUGFS/samples
}

# Bad values are refused, and the one before stays.
test_bad_values() {
	for value in -1 many 1099511627777 ''; do
		! echo "$value" 2>/dev/null >$PARAMETERS/profile_rate || return 1
	done
	[ "$(cat $PARAMETERS/profile_rate)" = 0 ]
}

test_root_only() {
	for file in heap_profile samples alloc_sites leaks lifetimes; do
		[ "$(stat -c %a $DEBUGFS/$file)" = 400 ] || return 1
	done
	[ "$(stat -c %a $DEBUGFS/profile_reset)" = 200 ]
}

# 64 readers at once, while words come and go and the rate changes
test_readers() {
	local i pids=
	echo 1024 >$PARAMETERS/profile_rate
	(for i in 1 2 3; do seq 400000 410000 >$DEVICE; echo 1 >/sys/module/kspan_counter/parameters/reset; done) &
	pids=$!
	for i in $(seq 16); do
		for file in heap_profile samples alloc_sites leaks; do
			(cat $DEBUGFS/$file >"$SCRATCH/$file.$i") &
			pids="$pids $!"
		done
	done
	echo 2048 >$PARAMETERS/profile_rate
	for i in $pids; do
		wait "$i" || return 1
	done
	[ "$(cat "$SCRATCH"/heap_profile.* | grep -c '^heap profile: ')" -eq 16 ]
}

begin
ktap_set_plan 12
trap 'unload_all; rm -rf "$SCRATCH"' EXIT
mark_log
load kspan profile_rate=$RATE || skip_all "cannot load kspan (KSPAN_MODULES?)"
need kspan_counter
work
ktap_test_result "the estimate is what the module has" test_estimate
ktap_test_result "the files agree" test_files_agree
ktap_print_msg "heap_profile of $(awk 'NR > 1 { n += $6 } END { print n }' $DEBUGFS/heaps) bytes"
sed 's/^/# heap_profile: /' "$SCRATCH/heap_profile"
ktap_test_result "alloc_sites names the caller" test_sites
ktap_test_result "leaks are old" test_leaks
ktap_test_result "freed objects leave it" test_frees
ktap_test_result "it begins anew" test_reset
ktap_test_result "at rate 0 nothing is sampled" test_off
ktap_test_result "bad rates are refused" test_bad_values
ktap_test_result "only root may look" test_root_only
ktap_test_result "64 readers see whole files" test_readers
rmmod kspan_counter
ktap_test_result "unloads with samples" rmmod kspan
ktap_test_result "nothing to complain about in the kernel log" test_quiet_log
ktap_finished
