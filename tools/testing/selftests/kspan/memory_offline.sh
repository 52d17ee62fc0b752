#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Memory hotplug: a memory block that holds an arena in use can't be taken
# offline, and nothing happens to the objects in it; when kspan has given its
# arenas back the same block can.
#
# The kernel itself refuses, before it asks anybody: pages of kspan are not
# movable. So empty arenas must have been given back before, by debugfs/trim.

# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/kspan_lib.sh"

MEMORY=/sys/devices/system/memory
if [ -n "$DETECTORS" ]; then
	WORDS=2000
else
	WORDS=40000
fi
TEXT=$(mktemp)
BEFORE=$(mktemp)
AFTER=$(mktemp)
FILLER=$(mktemp -d)

# The memory block of each arena, as a path. The start of an arena is a number of
# 8 KiB pages from the first page of memory, which is that of address 0 on x86.
blocks_with_arenas() {
	awk '!/^#/ { print $2 }' $DEBUGFS/arenas | while read -r start; do
		echo "$MEMORY/memory$((start * 8192 / 0x$(cat $MEMORY/block_size_bytes)))"
	done | sort -u
}

# The kernel tries to move pages until it can, or is interrupted.
offline() {
	timeout 30 sh -c "echo offline >'$1/state'" 2>/dev/null
}

online() {
	echo online 2>/dev/null >"$1/state"
}

# Blocks that the kernel lets go while kspan is not there. With detectors each
# of them takes seconds, and the detectors learn nothing: none there.
find_offlinable() {
	local block
	[ -z "$DETECTORS" ] || return 0
	for block in "$MEMORY"/memory[0-9]*; do
		if offline "$block"; then
			online "$block" && echo "$block"
		fi
	done
}

# A file of half the free memory, half of that of each node.
take_half() {
	local kb
	kb=$(awk '$1 == "MemFree:" { print int($2 / 2) }' /proc/meminfo)
	mount -t tmpfs -o size=100%,mpol=interleave tmpfs "$FILLER" 2>/dev/null ||
		mount -t tmpfs -o size=100% tmpfs "$FILLER" || return 1
	dd if=/dev/zero of="$FILLER/half" bs=64k count=$((kb / 64)) 2>/dev/null
}

# The page allocator gives the highest pages first, where the kernel has some of
# its own that never go. A file takes those, so that arenas come from below.
fill() {
	local rc=0
	[ -n "$DETECTORS" ] || take_half || return 1
	load kspan && load kspan_counter && cat "$TEXT" >$DEVICE && sort $DEVICE >"$BEFORE" || rc=1
	[ -n "$DETECTORS" ] || umount "$FILLER"
	return $rc
}

# The kernel may have put immovable pages of its own there meanwhile: then the
# block does not go without kspan either, and tells nothing.
is_others() {
	[ -n "$HELD" ] || return 1
	! offline "$HELD" || { online "$HELD"; return 1; }
	unload_all
	sleep 1
	if offline "$HELD"; then
		online "$HELD"
		load kspan
		return 1
	fi
	load kspan
}

# Of the blocks that could be taken offline before, one that holds an arena.
find_held() {
	local block
	for block in $(blocks_with_arenas); do
		case " $OFFLINABLE " in
		*" $block "*) echo "$block"; return ;;
		esac
	done
}

test_refused() {
	local block rc=0
	for block in $(blocks_with_arenas); do
		if offline "$block"; then
			ktap_print_msg "$block went offline under an arena"
			online "$block"
			rc=1
		elif [ "$(cat "$block/state")" != online ]; then
			ktap_print_msg "$block is $(cat "$block/state")"
			rc=1
		fi
	done
	return $rc
}

test_objects() {
	sort $DEVICE >"$AFTER" && cmp -s "$BEFORE" "$AFTER"
}

# kspan stays loaded, but has nothing in use.
test_trim() {
	rmmod kspan_counter && echo 1 >$DEBUGFS/trim && [ -z "$(blocks_with_arenas)" ]
}

test_trim_values() {
	! echo 2 2>/dev/null >$DEBUGFS/trim
}

test_offline() {
	offline "$HELD" && [ "$(cat "$HELD/state")" = offline ]
}

# With less memory than before, and with it back.
test_use_meanwhile() {
	load kspan_counter && cat "$TEXT" >$DEVICE && test_objects && rmmod kspan_counter
}

test_online() {
	online "$HELD" && test_use_meanwhile
}

begin
[ -e $MEMORY/block_size_bytes ] && [ "$(uname -m)" = x86_64 ] ||
	skip_all "no memory hotplug here, or not x86-64"

trap 'unload_all; rm -f "$TEXT" "$BEFORE" "$AFTER"; rmdir "$FILLER"' EXIT
awk -v words=$WORDS 'BEGIN { for (i = 0; i < words; i++) printf "%d_%0100d ", i, 0 }' >"$TEXT"

OFFLINABLE=$(find_offlinable | tr '\n' ' ')
ktap_print_msg "can go offline: ${OFFLINABLE:-none}"
fill || skip_all "cannot load kspan and kspan_counter (KSPAN_MODULES?)"
HELD=$(find_held)

ktap_set_plan 7
ktap_test_result "memory that holds arenas stays" test_refused
ktap_test_result "the objects are as they were" test_objects
ktap_test_result "trim takes 1 and nothing else" test_trim_values
ktap_test_result "trim gives all arenas back" test_trim
if [ -n "$HELD" ] && ! is_others; then
	ktap_test_result "$HELD goes offline then" test_offline
	ktap_test_result "kspan works without it" test_use_meanwhile
	ktap_test_result "and with it again" test_online
else
	for name in "goes offline then" "kspan works without it" "and with it again"; do
		ktap_test_skip "$name (no arena in a block that could go offline before, and still can without kspan)"
	done
fi
ktap_finished
