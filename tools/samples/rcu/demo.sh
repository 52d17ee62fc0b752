# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The demo of kspan_rcu: stores under each word of a text the number of the last
# line that has it, while others read, and deletes every other word.
# shellcheck disable=SC1091
. "${KSPAN_GUEST:-/guest}/demo-lib.sh"

# same_pairs WHAT FILE: the device has these lines, in any order
same_pairs() {
	sort /dev/kspan_rcu >"$SCRATCH/pairs"
	sort "$2" | cmp - "$SCRATCH/pairs" || fail "$1"
}

# Reads as long as the file is there; a line is always a key and the number of a line.
read_on() {
	while [ -e "$SCRATCH/reading" ]; do
		! grep -vE '^[A-Za-z0-9_]+ line [0-9]+$' /dev/kspan_rcu || return 1
		echo >>"$SCRATCH/rounds"
	done
}

demo() {
	local reader
	awk '{ gsub(/[^A-Za-z0-9_]+/, " "); for (i = 1; i <= NF; i++) print "set", $i, "line", NR }' \
		"$INPUT" >"$SCRATCH/requests"
	awk '{ last[$2] = $4 } END { for (word in last) print word, "line", last[word] }' \
		"$SCRATCH/requests" >"$SCRATCH/expected"
	step "head -n 3 requests"
	head -n 3 "$SCRATCH/requests"
	step "cat requests >/dev/kspan_rcu    ($(wc -l <"$SCRATCH/requests") lines, from $INPUT_NAME, while others read)"
	touch "$SCRATCH/reading"
	read_on &
	reader=$!
	cat "$SCRATCH/requests" >/dev/kspan_rcu || fail "the requests were not taken"
	same_pairs "the device has other pairs than were set" "$SCRATCH/expected"
	show head -n 3 /dev/kspan_rcu
	echo "($(wc -l <"$SCRATCH/pairs") pairs)"

	awk 'NR % 2 { print "del", $1 }' "$SCRATCH/pairs" >"$SCRATCH/requests"
	awk 'NR % 2 == 0' "$SCRATCH/pairs" >"$SCRATCH/expected"
	step "cat deletions >/dev/kspan_rcu    ($(wc -l <"$SCRATCH/requests") lines)"
	cat "$SCRATCH/requests" >/dev/kspan_rcu || fail "the deletions were not taken"
	same_pairs "the device has other pairs than were left" "$SCRATCH/expected"
	rm "$SCRATCH/reading"
	wait $reader || fail "a reader found what is no pair"
	echo "(read $(wc -l <"$SCRATCH/rounds") times meanwhile)"
	step "echo nonsense >/dev/kspan_rcu"
	# shellcheck disable=SC2015 # it is the failure that is wanted
	echo nonsense >/dev/kspan_rcu 2>/dev/null && fail "nonsense was taken" || echo "refused"
	show grep -E '^(Mallocs|Frees|HeapObjects):' "$DEBUGFS/stats"
}

run_demo rcu
