# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The demo of kspan_mempool: counts a text while there is memory for requests, and
# while there is none.
# shellcheck disable=SC1091
. "${KSPAN_GUEST:-/guest}/demo-lib.sh"

# counts TIMES: what the device must say when the text was written that often
counts() {
	lines_of_input | awk -v times="$1" '{ words += NF }
		END { print "lines", times * NR; print "words", times * words }'
}

demo() {
	step "cat $INPUT_NAME >/dev/kspan_mempool    ($(wc -c <"$INPUT") bytes)"
	cat "$INPUT" >/dev/kspan_mempool || fail "the text was not taken"
	show cat /dev/kspan_mempool
	expect "the counts" "$(cat /dev/kspan_mempool)" "$(counts 1)"
	expect "refusals" "$(parameter refusals)" 0

	parameter scarce 1
	step "cat $INPUT_NAME >/dev/kspan_mempool    (again)"
	cat "$INPUT" >/dev/kspan_mempool || fail "the text was not taken without memory"
	show cat /dev/kspan_mempool
	expect "the counts" "$(cat /dev/kspan_mempool)" "$(counts 2)"
	step "cat /sys/module/kspan_mempool/parameters/refusals"
	parameter refusals
	[ "$(parameter refusals)" -ge "$(lines_of_input | wc -l)" ] || fail "there was memory"
	parameter scarce 0
	show grep -E '^(Mallocs|Frees|HeapObjects):' "$DEBUGFS/stats"
}

run_demo mempool
