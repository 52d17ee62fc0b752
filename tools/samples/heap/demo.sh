# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The demo of kspan_heap: writes a text in pieces, each a document, many times over,
# so that old documents have to make room in a heap with a limit.
# shellcheck disable=SC1091
. "${KSPAN_GUEST:-/guest}/demo-lib.sh"

# Bytes that are written, in MiB, to a heap of 1 MiB.
WRITE_MIB=2
# that the text is written in
PIECES=16

# heap_value COLUMN: of the heap's line in debugfs, whose columns have no "# kspan
# heaps v1:" before them
heap_value() {
	awk -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) col = i - 4 }
	     $1 == "documents" { print $col }' $DEBUGFS/heaps
}

show_heap() {
	step "grep -e '#' -e documents $DEBUGFS/heaps"
	grep -e '#' -e documents $DEBUGFS/heaps || fail "there is no such heap"
	[ "$(heap_value held_bytes)" -le 1048576 ] || fail "the heap exceeds its limit"
}

write_documents() {
	local bytes rounds written=0 piece
	awk -v piece="$SCRATCH/piece." -v lines=$(($(wc -l <"$INPUT") / PIECES + 1)) \
		'{ print >(piece int(NR / lines)) }' "$INPUT"
	bytes=$(wc -c <"$INPUT")
	rounds=$((WRITE_MIB * 1048576 / bytes + 1))
	while [ $rounds -gt 0 ]; do
		for piece in "$SCRATCH"/piece.*; do
			cat "$piece" >/dev/kspan_heap || fail "a document was not taken"
			written=$((written + 1))
		done
		rounds=$((rounds - 1))
	done
	rm "$SCRATCH"/piece.*
	echo "($written documents)"
	WRITTEN=$written
}

demo() {
	local kept
	step "cat piece >/dev/kspan_heap    (1/$PIECES of $INPUT_NAME at a time, until $WRITE_MIB MiB are written)"
	write_documents
	step "tail -n 3 /dev/kspan_heap"
	tail -n 3 /dev/kspan_heap
	kept=$(wc -l </dev/kspan_heap)
	echo "($kept documents)"
	[ "$kept" -gt 0 ] || fail "there is no document"
	expect "the last document" "$(tail -n 1 /dev/kspan_heap | cut -d' ' -f1)" "$WRITTEN"
	step "cat /sys/module/kspan_heap/parameters/evicted"
	parameter evicted
	[ "$(parameter evicted)" -gt 0 ] || fail "no document had to make room"
	expect "documents" $((kept + $(parameter evicted))) "$WRITTEN"
	show_heap

	parameter reset 1
	expect "documents after a reset" "$(wc -l </dev/kspan_heap)" 0
	show_heap
	expect "bytes in use after a reset" "$(heap_value in_use_bytes)" 0
	step "cat $INPUT_NAME >/dev/kspan_heap, which is there at the end"
	head -c 65536 "$INPUT" >/dev/kspan_heap || fail "a document was not taken"
	cat /dev/kspan_heap
}

# What was in the heap when it was destroyed is told, by class.
demo_end() {
	dmesg | grep -q 'heap documents: .* never freed' || fail "nothing was told of the last document"
}

run_demo heap
