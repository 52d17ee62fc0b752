# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The demo of kspan_glue: stores under each word of a text the number of the last
# line that has it, and deletes every other word while there is no memory.
# shellcheck disable=SC1091
. "${KSPAN_GUEST:-/guest}/demo-lib.sh"

# same_pairs WHAT FILE: the device has these lines, in any order
same_pairs() {
	sort /dev/kspan_glue >"$SCRATCH/pairs"
	sort "$2" | cmp - "$SCRATCH/pairs" || fail "$1"
}

demo() {
	local requests
	awk '{ gsub(/[^A-Za-z0-9_]+/, " "); for (i = 1; i <= NF; i++) print "set", $i, "line", NR }' \
		"$INPUT" >"$SCRATCH/requests"
	awk '{ last[$2] = $4 } END { for (word in last) print word, "line", last[word] }' \
		"$SCRATCH/requests" >"$SCRATCH/expected"
	requests=$(wc -l <"$SCRATCH/requests")
	step "head -n 3 requests"
	head -n 3 "$SCRATCH/requests"
	step "cat requests >/dev/kspan_glue    ($requests lines, from $INPUT_NAME)"
	cat "$SCRATCH/requests" >/dev/kspan_glue || fail "the requests were not taken"
	same_pairs "the device has other pairs than were set" "$SCRATCH/expected"
	show head -n 3 /dev/kspan_glue
	echo "($(wc -l <"$SCRATCH/pairs") pairs)"

	read -r word line <"$SCRATCH/pairs"
	step "echo 'get $word' >&3; cat <&3"
	exec 3<>/dev/kspan_glue
	echo "get $word" >&3
	got=$(cat <&3)
	exec 3>&-
	echo "$got"
	expect "the value of $word" "$got" "$line"

	parameter scarce 1
	awk 'NR % 2 { print "del", $1 }' "$SCRATCH/pairs" >"$SCRATCH/requests"
	awk 'NR % 2 == 0' "$SCRATCH/pairs" >"$SCRATCH/expected"
	requests=$(wc -l <"$SCRATCH/requests")
	step "cat deletions >/dev/kspan_glue    ($requests lines)"
	cat "$SCRATCH/requests" >/dev/kspan_glue || fail "the deletions were not taken"
	same_pairs "the device has other pairs than were left" "$SCRATCH/expected"
	step "cat /sys/module/kspan_glue/parameters/refusals"
	parameter refusals
	[ "$(parameter refusals)" -ge "$requests" ] || fail "there was memory"
	parameter scarce 0
	show grep -E '^(Mallocs|Frees|HeapObjects):' "$DEBUGFS/stats"
}

run_demo glue
