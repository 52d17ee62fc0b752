# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: memory that comes later, or lies far away (tools/hotplug). By $HOTPLUG,
#
#	added	MiB of memory are added while kspan is loaded, $ADDED of them
#	far	there is a DIMM at the address $FAR, with a gap below it
#
# tools/qemu.sh adds memory when it reads KSPAN-PLUG. Prints KTAP.
# shellcheck disable=SC1091
. /guest/lib.sh
. /guest/ktap.sh

MEMORY=/sys/devices/system/memory
SERVE=/sys/module/kspan_hotplug/parameters/serve
HOLD=/sys/module/kspan_hotplug/parameters/hold
# Objects, and their size.
COUNT=20480
SIZE=8192

blocks() {
	grep -lx "$1" $MEMORY/memory*/state 2>/dev/null
}

present_kb() {
	echo $(($(blocks online | wc -l) * $((0x$(cat $MEMORY/block_size_bytes))) / 1024))
}

# What the kernel did not online by itself, for kernel memory.
online_all() {
	local state
	for state in $(blocks offline); do
		echo online_kernel 2>/dev/null >"$state" || return 1
	done
}

# wait_for KB: until so much is present
wait_for() {
	for _ in $(seq 60); do
		online_all
		[ "$(present_kb)" -lt "$1" ] || return 0
		sleep 1
	done
	return 1
}

# ask FILE WORDS: of the module
ask() {
	echo "$2" >"$1"
}

# serve NAME WORDS: the module serves itself objects and frees them
serve() {
	local name=$1
	shift
	echo "# $name begins"
	ask $SERVE "$*"
	result "$name" $? "$(dmesg | sed -n 's/.*kspan-hotplug: //p' | tail -n 1)"
}

# What insmod takes of memory in kB: the map, and what a load takes anyway.
cost_of_load() {
	local before after
	before=$(mem_free)
	load kspan.ko || return 1
	after=$(mem_free)
	COST=$((before - after))
}

added() {
	local before
	before=$(present_kb)
	# Serves from what there is, at first.
	serve "serves before" $((COUNT / 8)) $SIZE normal 0
	echo "KSPAN-PLUG $ADDED"
	wait_for $((before + ADDED * 1024))
	result "memory is added" $? "$before kB, then $(present_kb) kB"
	serve "serves all" $COUNT $SIZE normal 0
	serve "serves from new memory" $COUNT $SIZE normal 0x100000000
	serve "serves all of __GFP_NOFAIL" $COUNT $SIZE nofail 0
	# What is left of the old memory is not enough.
	ask $HOLD $(($(mem_kb MemTotal) / 1024 - ADDED - 128))
	result "old memory is taken" $?
	serve "serves all without old memory" $COUNT $SIZE normal 0
	serve "serves all of __GFP_NOFAIL without it" $COUNT $SIZE nofail 0
	serve "serves small ones" $COUNT 64 normal 0
	serve "serves large ones" 256 262144 normal 0
}

far() {
	local allowed
	echo "# $(present_kb) kB are present; kspan.ko took $COST kB"
	# 0.05 % and 1 MiB for the map, and 2 MiB for what every load takes.
	allowed=$(($(present_kb) / 2000 + 1024 + 2048))
	[ "$COST" -le $allowed ]
	result "the map costs no more than memory that is present" $? "$COST kB, allowed: $allowed kB"
	serve "serves" $((COUNT / 8)) $SIZE normal 0
	serve "serves from far memory" 15000 $SIZE normal "$FAR"
	serve "serves small ones from far memory" 500000 256 normal "$FAR"
	[ "$(stat_of OtherSys)" -le $((allowed * 1024)) ]
	result "the map costs no more when it is used" $? "OtherSys $(stat_of OtherSys)"
}

online_all
memory_begin || exit 1
case $HOTPLUG in
added) suite kspan_hotplug 15 ;;
far) suite kspan_far_memory 10 ;;
esac
cost_of_load
result "kspan loads" $?
load kspan_hotplug.ko
result "the module loads" $?
"$HOTPLUG"
rmmod kspan_hotplug
result "the module unloads" $?
rmmod kspan
result "kspan unloads" $?
# What was added is free now, but for what describes it: 64 bytes a page of the kernel's.
memory_before=$((memory_before + (ADDED - ADDED / 64) * 1024))
memory_end
result "memory comes back" $?
suite_end
