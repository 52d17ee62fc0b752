# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: the demo. Loads kspan and the words sample on a stock kernel, counts
# the words of /payload/input, shows what kspan did, and unloads both.
# shellcheck disable=SC1091
. /guest/lib.sh

debugfs=/sys/kernel/debug/kspan

show() {
	echo
	echo "# $*"
	"$@" || exit 1
}

# The table's head, and its ten lines with most allocations. The first line
# names the columns, the last of them as many as a line has fields.
busiest() {
	awk 'NR == 1 { head = $0; names = NF; split($0, name); next }
	     { line[NR] = $0; fields = NF }
	     NR == 2 { for (i = 1; i <= names; i++) if (name[i] ~ /^alloc/) col = i - (names - NF) }
	     { print (col ? $col : 0) "\t" $0 }' "$1" | sort -rn | head -n 10 | cut -f2- >/tmp/busiest
	head -n 1 "$1"
	cat /tmp/busiest
}

# A first load settles what only a first load takes.
load kspan.ko >/dev/null && load kspan_words.ko >/dev/null || exit 1
rmmod kspan_words && rmmod kspan || exit 1

echo "KSPAN-DEMO begin"
echo "Linux $(uname -r), stock, $(nproc) CPUs"
before=$(settled_mem_free)

show insmod kspan.ko
show insmod kspan_words.ko
show lsmod
echo
echo "# cat $INPUT_NAME >/dev/kspan_words    ($(wc -c </payload/input) bytes)"
cat /payload/input >/dev/kspan_words || exit 1
echo
echo "# head /dev/kspan_words"
cat /dev/kspan_words >/tmp/words || exit 1
[ -s /tmp/words ] || { echo "no word came back"; exit 1; }
head -n 10 /tmp/words
echo "($(wc -l </tmp/words) different words)"
show cat $debugfs/stats
echo
echo "# the ten busiest lines of $debugfs/classes"
busiest $debugfs/classes

rm -f /tmp/words /tmp/busiest
show rmmod kspan_words
show rmmod kspan
after=$(settled_mem_free)
echo
echo "# dmesg | grep kspan | tail"
dmesg | grep -E 'kspan(_words)?: ' | grep -v -e 'taints' -e 'module verification' | tail -n 4
echo
echo "free pages (MemFree and per-CPU lists) before loading: $before kB, after unloading: $after kB, difference: $((before - after)) kB"
echo "KSPAN-DEMO end"

# The page allocator keeps a few pages per CPU aside; an arena is 4 MiB.
if [ $((before - after)) -gt 2048 ]; then
	echo "unloading did not give all memory back"
	exit 1
fi
