#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What pprof makes of the debugfs file heap_profile: the selftest profile.sh prints it, and how many
# bytes the module had in use. Both readers, that of Go and that of gperftools, must come to that
# number, but for 5 percent. Usage: tools/kspan/judge-profile.sh LOG OUT
# prints "heap_profile PASSED FAILED SKIPPED"
set -euo pipefail
LOG=$1 OUT=$2
PASSED=0 FAILED=0

# total READER BYTES
total() {
	if awk -v got="$2" -v want="$IN_USE" 'BEGIN { exit !(got > want * 0.95 && got < want * 1.05) }'; then
		PASSED=$((PASSED + 1))
	else
		FAILED=$((FAILED + 1))
		echo "$1: $2 bytes instead of $IN_USE, from $OUT/heap_profile" >&2
	fi
}

sed -n 's/^.*# heap_profile: //p' "$LOG" >"$OUT/heap_profile"
IN_USE=$(sed -n 's/^.*# heap_profile of \([0-9]*\) bytes$/\1/p' "$LOG")
if [ -n "$IN_USE" ] && [ -s "$OUT/heap_profile" ]; then
	go tool pprof -top -sample_index=inuse_space -unit=b "$OUT/heap_profile" >"$OUT/pprof.txt" 2>&1 || :
	total "go tool pprof" "$(sed -n 's/^Showing nodes .* of \([0-9]*\)B total$/\1/p' "$OUT/pprof.txt")"
	google-pprof --text /bin/true "$OUT/heap_profile" >"$OUT/google-pprof.txt" 2>/dev/null || :
	total google-pprof "$(awk '$1 == "Total:" && $3 == "MB" { print $2 * 1048576 }' "$OUT/google-pprof.txt")"
else
	FAILED=1
	echo "there is no heap_profile in $LOG" >&2
fi
echo "heap_profile $PASSED $FAILED 0"
