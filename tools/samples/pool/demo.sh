# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The demo of kspan_pool: counts the lines of a text that have a word twice, and
# shows how few parsers that took.
# shellcheck disable=SC1091
. "${KSPAN_GUEST:-/guest}/demo-lib.sh"

# What the device must say of the text, twice.
counts() {
	lines_of_input | awk '{
		lines += 2
		gsub(/[^A-Za-z0-9_]+/, " ")
		words += 2 * NF
		split("", seen)
		twice = 0
		for (i = 1; i <= NF; i++) twice = seen[$i]++ || twice
		repeats += 2 * twice
	} END { print "lines", lines; print "words", words; print "repeats", repeats + 0 }'
}

demo() {
	step "cat $INPUT_NAME >/dev/kspan_pool & cat $INPUT_NAME >/dev/kspan_pool    ($(wc -c <"$INPUT") bytes, twice)"
	cat "$INPUT" >/dev/kspan_pool &
	cat "$INPUT" >/dev/kspan_pool || fail "the text was not taken"
	wait $! || fail "the text was not taken at the same time"
	show cat /dev/kspan_pool
	expect "the counts" "$(cat /dev/kspan_pool)" "$(counts)"
	show cat "$DEBUGFS/pools"
	made=$(awk '$1 == "parsers" { print $7 }' "$DEBUGFS/pools")
	gets=$(awk '$1 == "parsers" { print $5 }' "$DEBUGFS/pools")
	expect "lines that got a parser" "$gets" $((2 * $(lines_of_input | wc -l)))
	[ "$made" -le 8 ] || fail "$made parsers were made"
	step "echo 1 >$DEBUGFS/trim"
	echo 1 >"$DEBUGFS/trim" || fail "trim was refused"
	show cat "$DEBUGFS/pools"
	expect "objects after trim" "$(awk '!/^#/ { sum += $3 + $4 } END { print sum }' "$DEBUGFS/pools")" 0
}

run_demo pool
