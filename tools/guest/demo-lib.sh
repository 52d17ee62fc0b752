# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Functions of the samples' demos, tools/samples/NAME/demo.sh. A demo defines
# demo(), which shows what is particular to its sample, and ends with
#
#	run_demo NAME
#
# which loads kspan and kspan_NAME, calls demo(), unloads both, and fails if the
# memory that was free before is not free again. If there is a demo_end(), it is
# called when kspan_NAME is unloaded. The modules are in the working directory;
# INPUT is a text to work on, and INPUT_NAME what to call it.
# shellcheck disable=SC1091
. "${KSPAN_GUEST:-/guest}/lib.sh"

# shellcheck disable=SC2034 # for the demos
DEBUGFS=/sys/kernel/debug/kspan
INPUT=${INPUT:-/payload/input}
INPUT_NAME=${INPUT_NAME:-input}
SCRATCH=$(mktemp -d) || exit 1
trap 'rm -rf "$SCRATCH"' EXIT

# The lines above a step of a demo.
step() {
	echo
	echo "# $*"
}

# show COMMAND...: the command and what it prints
show() {
	step "$*"
	"$@" || fail "$1 failed"
}

fail() {
	echo "the demo failed: $*"
	exit 1
}

# expect WHAT VALUE EXPECTED: the demo's own check of what the sample did
expect() {
	[ "$2" = "$3" ] || fail "$1: $2, expected $3"
}

# The text as the samples take it: a line has 1024 bytes at most.
lines_of_input() {
	fold -b -w 1024 "$INPUT"
	# close() ends a line, too.
	[ -z "$(tail -c 1 "$INPUT")" ] || echo
}

# heap_value HEAP COLUMN: of its line in debugfs, whose columns have no "# kspan heaps v1:"
# before them
heap_value() {
	awk -v heap="$1" -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) col = i - 4 }
	     $1 == heap { print $col }' $DEBUGFS/heaps
}

# parameter NAME [VALUE]: reads or writes a parameter of the sample
parameter() {
	if [ $# -eq 1 ]; then
		cat "/sys/module/kspan_$SAMPLE/parameters/$1"
	else
		step "echo $2 >/sys/module/kspan_$SAMPLE/parameters/$1"
		echo "$2" >"/sys/module/kspan_$SAMPLE/parameters/$1" || fail "$1 was refused"
	fi
}

# The table's head, and its ten lines with most allocations. The first line
# names the columns, the last of them as many as a line has fields.
busiest() {
	awk 'NR == 1 { head = $0; names = NF; split($0, name); next }
	     { line[NR] = $0; fields = NF }
	     NR == 2 { for (i = 1; i <= names; i++) if (name[i] ~ /^alloc/) col = i - (names - NF) }
	     { print (col ? $col : 0) "\t" $0 }' "$1" | sort -rn | head -n 10 | cut -f2- >"$SCRATCH/busiest"
	head -n 1 "$1"
	cat "$SCRATCH/busiest"
	rm "$SCRATCH/busiest"
}

# The page allocator keeps a few pages per CPU aside, detectors records; an arena
# is 4 MiB.
memory_is_back() {
	local lost=$(($1 - $2)) allowed=2048
	[ ! -e /sys/kernel/debug/kmemleak ] || allowed=16384
	echo
	echo "free pages (MemFree and per-CPU lists) before loading: $1 kB, after unloading: $2 kB, difference: $lost kB"
	[ $lost -le $allowed ]
}

# What the modules said, without what the kernel says of every module.
show_log() {
	step "dmesg | grep kspan | tail"
	dmesg | grep -E "kspan(_$SAMPLE)?: " | grep -v -e 'taints' -e 'module verification' | tail -n 4
}

run_demo() {
	local before after
	SAMPLE=$1
	# A first load settles what only a first load takes.
	load kspan.ko >/dev/null && load "kspan_$SAMPLE.ko" >/dev/null || exit 1
	rmmod "kspan_$SAMPLE" && rmmod kspan || exit 1

	echo "KSPAN-DEMO begin"
	echo "Linux $(uname -r), $(nproc) CPUs, the sample $SAMPLE"
	before=$(settled_mem_free)
	show insmod kspan.ko
	show insmod "kspan_$SAMPLE.ko"
	demo
	rm -f "$SCRATCH"/*
	show rmmod "kspan_$SAMPLE"
	! type demo_end >/dev/null 2>&1 || demo_end
	show rmmod kspan
	after=$(settled_at $((before - 2048)))
	show_log
	memory_is_back "$before" "$after" || fail "unloading did not give all memory back"
	echo "KSPAN-DEMO end"
}
