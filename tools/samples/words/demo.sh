# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The demo of kspan_words: counts the words of a text, and shows what kspan did.
# shellcheck disable=SC1091
. "${KSPAN_GUEST:-/guest}/demo-lib.sh"

demo() {
	show lsmod
	step "cat $INPUT_NAME >/dev/kspan_words    ($(wc -c <"$INPUT") bytes)"
	cat "$INPUT" >/dev/kspan_words || fail "the text was not taken"
	step "head /dev/kspan_words"
	cat /dev/kspan_words >"$SCRATCH/words" || fail "the words were not given"
	[ -s "$SCRATCH/words" ] || fail "no word came back"
	head -n 10 "$SCRATCH/words"
	echo "($(wc -l <"$SCRATCH/words") different words)"
	show cat $DEBUGFS/stats
	step "the ten busiest lines of $DEBUGFS/classes"
	busiest $DEBUGFS/classes
	show cat $DEBUGFS/heaps
	show head -n 5 $DEBUGFS/map
}

run_demo words
