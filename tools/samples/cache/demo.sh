# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The demo of kspan_cache: each word of a text is a packet of its own flow. Writers
# send them at the same time, flows end while others use them, and what is counted at
# last is exact.
# shellcheck disable=SC1091
. "${KSPAN_GUEST:-/guest}/demo-lib.sh"

WRITERS=3

# send_all FILE: all writers at the same time
send_all() {
	local writer pids=
	for writer in $(seq $WRITERS); do
		cat "$1" >/dev/kspan_cache &
		pids="$pids $!"
	done
	for writer in $pids; do
		wait "$writer" || fail "a packet was not taken"
	done
}

# counted: the flows are those that all writers together have sent
counted() {
	awk -v writers=$WRITERS '{ packets[$1]++; bytes[$1] += $2 }
		END { for (i in packets) print i, writers * packets[i], writers * bytes[i] }' \
		"$SCRATCH/packets" | sort >"$SCRATCH/expected"
	sort /dev/kspan_cache | cmp - "$SCRATCH/expected" || fail "the flows have other counts"
}

demo() {
	local churn
	awk '{ for (i = 1; i <= NF; i++) {
			if (!($i in flow)) flow[$i] = ++flows
			print flow[$i], length($i)
		} }' "$INPUT" >"$SCRATCH/packets"
	awk '!seen[$1]++ { print $1, "end" }' "$SCRATCH/packets" >"$SCRATCH/ends"
	step "cat packets >/dev/kspan_cache    ($(wc -l <"$SCRATCH/packets") lines, from $INPUT_NAME, $WRITERS times at once)"
	send_all "$SCRATCH/packets"
	counted
	show head -n 3 /dev/kspan_cache
	echo "($(wc -l </dev/kspan_cache) flows)"
	step "grep -e '#' -e flows $DEBUGFS/heaps"
	grep -e '#' -e flows $DEBUGFS/heaps || fail "there is no such cache"

	step "the same while flows end"
	while [ ! -e "$SCRATCH/stop" ]; do
		cat "$SCRATCH/ends" >/dev/kspan_cache
		echo >>"$SCRATCH/rounds"
	done &
	churn=$!
	send_all "$SCRATCH/packets"
	touch "$SCRATCH/stop"
	wait $churn
	echo "(each flow ended $(wc -l <"$SCRATCH/rounds") times)"
	cat "$SCRATCH/ends" >/dev/kspan_cache || fail "an end was not taken"
	expect "flows that are left" "$(wc -l </dev/kspan_cache)" 0

	step "and without that"
	send_all "$SCRATCH/packets"
	counted
	echo "($(wc -l </dev/kspan_cache) flows)"
}

run_demo cache
