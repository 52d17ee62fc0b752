# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The demo of kspan_words: counts the words of a text, and shows what kspan did.
# shellcheck disable=SC1091
. "${KSPAN_GUEST:-/guest}/demo-lib.sh"

# counts TIMES: what the device must say when the text was written that often
counts() {
	lines_of_input | tr -cs 'A-Za-z0-9_\200-\377' '\n' | awk -v times="$1" '
		$0 != "" { count[$0]++ }
		END { for (word in count) print times * count[word], word }' | sort
}

demo() {
	show lsmod
	step "cat $INPUT_NAME >/dev/kspan_words    ($(wc -c <"$INPUT") bytes)"
	cat "$INPUT" >/dev/kspan_words || fail "the text was not taken"
	step "sort -rn /dev/kspan_words | head -n 10"
	sort -rn /dev/kspan_words >"$SCRATCH/words" || fail "the words were not given"
	[ -s "$SCRATCH/words" ] || fail "no word came back"
	head -n 10 "$SCRATCH/words"
	counts 1 >"$SCRATCH/counts"
	sort "$SCRATCH/words" | cmp - "$SCRATCH/counts" || fail "the counts are wrong"
	echo "($(wc -l <"$SCRATCH/words") different words)"
	show cat $DEBUGFS/stats
	step "the ten busiest lines of $DEBUGFS/classes"
	busiest $DEBUGFS/classes
	show cat $DEBUGFS/heaps
	show head -n 5 $DEBUGFS/map

	parameter reset 1
	expect "words after a reset" "$(wc -l </dev/kspan_words)" 0
	expect "bytes in use after a reset" "$(heap_value words in_use_bytes)" 0
	step "cat $INPUT_NAME >/dev/kspan_words & cat $INPUT_NAME >/dev/kspan_words"
	cat "$INPUT" >/dev/kspan_words &
	cat "$INPUT" >/dev/kspan_words || fail "the text was not taken again"
	wait $! || fail "the text was not taken at the same time"
	counts 2 >"$SCRATCH/counts"
	sort /dev/kspan_words | cmp - "$SCRATCH/counts" || fail "the counts are wrong"
	echo "(each word has twice its count)"
}

# The module frees its words before it destroys the heap.
demo_end() {
	! dmesg | grep -q 'heap words: .* never freed' || fail "words were left in the heap"
}

run_demo words
