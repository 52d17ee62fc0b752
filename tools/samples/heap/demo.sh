# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The demo of kspan_heap: writes a text many times over, so that old lines have to make
# room in a heap with a limit.
# shellcheck disable=SC1091
. "${KSPAN_GUEST:-/guest}/demo-lib.sh"

# Bytes that are written, in MiB, to a heap of 1 MiB.
WRITE_MIB=2

# The text, as often as that takes.
text() {
	local rounds=$((WRITE_MIB * 1048576 / $(wc -c <"$INPUT") + 1))
	while [ $rounds -gt 0 ]; do
		lines_of_input
		rounds=$((rounds - 1))
	done
}

demo() {
	local written kept
	text >"$SCRATCH/text"
	written=$(wc -l <"$SCRATCH/text")
	step "cat text >/dev/kspan_heap    ($written lines, $(wc -c <"$SCRATCH/text") bytes, $INPUT_NAME many times)"
	cat "$SCRATCH/text" >/dev/kspan_heap || fail "the text was not taken"
	cat /dev/kspan_heap >"$SCRATCH/log" || fail "the lines were not given"
	kept=$(wc -l <"$SCRATCH/log")
	step "tail -n 3 /dev/kspan_heap"
	tail -n 3 "$SCRATCH/log"
	echo "($kept lines)"
	[ "$kept" -gt 0 ] || fail "there is no line"
	step "cat /sys/module/kspan_heap/parameters/evicted"
	parameter evicted
	[ "$(parameter evicted)" -gt 0 ] || fail "no line had to make room"
	expect "lines" $((kept + $(parameter evicted))) "$written"
	expect "the last line's number" "$(tail -n 1 "$SCRATCH/log" | cut -d' ' -f1)" "$written"
	tail -n "$kept" "$SCRATCH/text" >"$SCRATCH/last"
	cut -d' ' -f2- "$SCRATCH/log" | cmp - "$SCRATCH/last" || fail "these are not the last lines"
	step "grep -e '#' -e log $DEBUGFS/heaps"
	grep -e '#' -e log $DEBUGFS/heaps || fail "there is no such heap"
	[ "$(heap_value log held_bytes)" -le 1048576 ] || fail "the heap exceeds its limit"
}

# What was in the heap when it was destroyed is told, by class.
demo_end() {
	dmesg | grep -q 'heap log: .* never freed' || fail "nothing was told of the last lines"
}

run_demo heap
