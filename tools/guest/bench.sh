# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: run the benchmark; its lines are in the kernel's log and in ours.
# With BENCH_WHAT=words, what the words of /payload/input take, as objects of
# kspan_malloc() and as tiny objects.
# shellcheck disable=SC1091
. /guest/lib.sh

debugfs=/sys/kernel/debug/kspan
# Modules that were built in another way.
[ -z "$BENCH_FROM" ] || cd "$BENCH_FROM" || exit 1

# The classes that words of 1 to 16 bytes are in, and bytes of a descriptor.
show_classes() {
	awk -v store="$1" '
		FILENAME ~ /stats/ { if ($1 == "MSpanInuse:") descriptors = $2; next }
		/^#/ { next }
		{ spans += NF > 9 ? $4 : 0 }
		$1 == 1 || $1 == 2 || $1 == "tiny" {
			line[++n] = "class=" $1 " slot=" $2 " spans=" $4 " slots=" $5 \
				" in_use=" $6 " objects=" $(NF - 1)
		}
		END {
			for (i = 1; i <= n; i++)
				print "store=" store, line[i], "descriptor=" descriptors / spans
		}' $debugfs/stats $debugfs/classes
}

count_words() {
	awk '{
		len = length($2)
		words++; bytes += len
		if (len <= 16) { short++; short_bytes += len }
	} END { print "words=" words " bytes=" bytes " short=" short " short_bytes=" short_bytes }'
}

store_words() {
	load kspan.ko && load kspan_counter.ko "tiny=$2" || return 1
	cat /payload/input >/dev/kspan_counter || return 1
	cat /dev/kspan_counter >/tmp/words || return 1
	[ "$2" = 1 ] || count_words </tmp/words
	show_classes "$1"
	rmmod kspan_counter && rmmod kspan
}

if [ "$BENCH_WHAT" = words ]; then
	store_words malloc 0 && store_words tiny 1
	exit
fi

# tools/bench/profile.py is at the other end of the results port; it has to know
# the modules' symbols before it reads the first instruction.
ask_profiler() {
	echo "KSPAN-PROFILE $1"
	read -r _ </dev/ttyS1
}

profile() {
	load kspan.ko || return 1
	# shellcheck disable=SC2086 # parameters, one a word
	load kspan_bench.ko what=nothing rounds=2 $BENCH || return 1
	awk '$4 ~ /^\[kspan/ { print "symbol=" $1, $2, $3 }' /proc/kallsyms
	ask_profiler on
	echo profile >/sys/module/kspan_bench/parameters/what || return 1
	ask_profiler off
	dmesg | sed -n 's/.*kspan-bench: //p'
	rmmod kspan_bench && rmmod kspan
}

if [ "$BENCH_WHAT" = profile ]; then
	profile
	exit
fi
if [ "$BENCH_WHAT" = fragmented ]; then
	sh /guest/fragmented.sh
	exit
fi
for file in /sys/devices/system/cpu/vulnerabilities/*; do
	[ ! -e "$file" ] || echo "mitigation ${file##*/}: $(cat "$file")"
done
echo "command line: $(cat /proc/cmdline)"
[ -w /proc/sys/vm/drop_caches ] || echo no_drop_caches
# Samples come at random, and each takes as long as some hundred pairs: BENCH_KSPAN=profile_rate=
# puts them back. The documentation says what they cost.
# shellcheck disable=SC2086 # parameters, one a word
load kspan.ko profile_rate=0 $BENCH_KSPAN || exit 1
# shellcheck disable=SC2086
load kspan_bench.ko "what=$BENCH_WHAT" $BENCH || exit 1
dmesg | sed -n 's/.*kspan-bench: //p'
rmmod kspan_bench && rmmod kspan
