# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: the demo of regions. Has the kernel's own settings, as sysctl prints them,
# made into a tree, shows that a wrong message changes nothing, and unloads all.
# shellcheck disable=SC1091
. /guest/lib.sh

device=/dev/kspan_region

fail() {
	echo "$*"
	exit 1
}

show() {
	echo
	echo "# $*"
	"$@" || exit 1
}

# A first load settles what only a first load takes.
load kspan.ko >/dev/null && load kspan_region.ko >/dev/null || exit 1
rmmod kspan_region && rmmod kspan || exit 1

echo "KSPAN-DEMO begin"
echo "Linux $(uname -r), $(nproc) CPUs"
before=$(settled_mem_free)

show insmod kspan.ko
show insmod kspan_region.ko
sysctl -a >/tmp/settings 2>/dev/null
[ -s /tmp/settings ] || fail "sysctl printed nothing"
echo
echo "# sysctl -a >$device    ($(wc -l </tmp/settings) lines, $(wc -c </tmp/settings) bytes)"
cat /tmp/settings >$device || exit 1
cat $device >/tmp/tree || exit 1
echo
echo "# head -n 12 $device; tail -n 1 $device"
head -n 12 /tmp/tree
tail -n 1 /tmp/tree
echo
echo "# every name of the settings is there, with its last value:"
awk '$0 ~ / = / { name = $1; value[name] = $0 } END { for (n in value) print value[n] }' \
	/tmp/settings | sed 's/ *= */=/; s/[ \t]*$//' | sort >/tmp/want
awk '/^#/ { next } {
	match($0, /^ */); depth = RLENGTH / 2; line = substr($0, RLENGTH + 1)
	eq = index(line, " = ")
	path[depth] = eq ? substr(line, 1, eq - 1) : line
	sub(/ =$/, "", path[depth])
	if (!eq && line !~ / =$/) next
	full = path[0]
	for (i = 1; i <= depth; i++) full = full "." path[i]
	print full "=" (eq ? substr(line, eq + 3) : "")
}' /tmp/tree | sed 's/[ \t]*$//' | sort >/tmp/got
cmp /tmp/want /tmp/got || fail "the tree is not what was written"
wc -l </tmp/got

echo
echo "# a message whose second line is no setting:"
printf 'kernel.made_up.name = 1\nthis is none\n' >$device 2>/dev/null &&
	fail "the message was taken"
cat $device >/tmp/again || exit 1
cmp /tmp/tree /tmp/again || fail "it has changed the tree"
echo "refused; the tree and the bytes that it takes are as before"

echo
echo "# echo 'kernel.hostname = other' >$device"
echo 'kernel.hostname = other' >$device || exit 1
grep ' hostname = ' $device || exit 1
show grep -E '^(HeapInuse|Sys|BadFreeRegion|RefusedMark):' /sys/kernel/debug/kspan/stats
echo
echo "# echo 1 >/sys/module/kspan_region/parameters/reset; cat $device"
echo 1 >/sys/module/kspan_region/parameters/reset
cat $device
[ "$(wc -l <$device)" -eq 1 ] || fail "settings were left"

rm -f /tmp/settings /tmp/tree /tmp/again /tmp/want /tmp/got
show rmmod kspan_region
show rmmod kspan
after=$(settled_mem_free)
echo
echo "free pages (MemFree and per-CPU lists) before loading: $before kB, after unloading: $after kB, difference: $((before - after)) kB"
echo "KSPAN-DEMO end"

# The page allocator keeps a few pages per CPU aside; an arena is 4 MiB.
if [ $((before - after)) -gt 2048 ]; then
	echo "unloading did not give all memory back"
	exit 1
fi
