#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tools/qemu.sh judges guests by silence, and repeats a boot for the emulator's faults: see it do so.
# And tools refuse bad input before they do anything, and name it.
# Usage: tools/qemu-test.sh BZIMAGE OUT LABEL    prints "runner PASSED FAILED 0"
set -euo pipefail
. "$(dirname "$0")/lib.sh"

IMAGE=$1 OUT=$2 LABEL=$3
# Seconds of silence that are too many, and between two lines of a guest that talks.
LIMIT=20 EVERY=4
PASSED=0 FAILED=0

# verdict_of CASE TIMES [option...]: of a guest
verdict_of() {
	local name=$1 times=$2
	shift 2
	"$KSPAN_TOP/tools/qemu.sh" --kernel "$IMAGE" --guest runner.sh --out "$OUT/$name" \
		--cpus 1 --nodes 1 --mem 256 --label "$LABEL, $name" --env "RUNNER=${name%-*}" \
		--env "EVERY=$EVERY" --env "TIMES=$times" "$@" >&2 || :
	cat "$OUT/$name/verdict" 2>/dev/null || echo "fail: the runner itself failed"
}

# expect PATTERN CASE TIMES [option...]
expect() {
	local pattern=$1 verdict
	shift
	verdict=$(verdict_of "$@")
	# shellcheck disable=SC2254 # a pattern
	case $verdict in
	$pattern) PASSED=$((PASSED + 1)) ;;
	*)
		FAILED=$((FAILED + 1))
		info "$LABEL, $2: the verdict is \"$verdict\", where \"$pattern\" was expected"
		;;
	esac
}

# refuses NAME=VALUE TOOL: exit 2, and VALUE is in the first line of what it says
refuses() {
	local said rc=0 tool=$2
	said=$(timeout 60 env "$1" "$KSPAN_TOP/tools/$tool" 2>&1 </dev/null) || rc=$?
	if [ $rc -eq 2 ] && [[ $(head -n 1 <<<"$said") == "kspan: error: "*"${1#*=}"* ]]; then
		PASSED=$((PASSED + 1))
	else
		FAILED=$((FAILED + 1))
		info "$LABEL, $1 tools/$tool: exit $rc, \"$said\""
	fi
}

mkdir -p "$OUT"
for value in abc 0 -1 08 99999999999; do
	refuses JOBS=$value check.sh
	refuses TIMEOUT=$value check.sh
	refuses SILENCE=$value check.sh
	refuses MINUTES=$value check.sh
	refuses TIMEOUT=$value bench.sh
done
refuses BENCH=garbage bench.sh
refuses BENCH=nosuch=1 bench.sh
refuses BENCH_KSPAN=nosuch=1 bench.sh
refuses KERNEL=9.9 demo.sh
refuses SAMPLE=nosuch demo.sh
refuses MODULE=/nosuch run.sh
refuses MODULE=/dev/null run.sh
# Twice the limit, and never silent for as long.
expect 'pass*' talk $((2 * LIMIT / EVERY)) --silence $LIMIT
expect "fail: silent for $LIMIT s, in runner, after says something now and then" hang 1 --silence $LIMIT
expect "fail: the kernel complained: *; silent for $LIMIT s, in runner, after says something now and then" \
	stall 1 --silence $LIMIT
expect 'fail: no verdict within 30 s, in runner*' talk-late 1000 --silence $LIMIT --timeout 30
expect 'fail: the kernel complained: *KCSAN: data-race in *' race 1 --silence $LIMIT
expect pass strange 1 --silence $LIMIT
# Twice, as nothing else went wrong.
expect 'fail: *exc_debug_kernel* (boot repeated: the kernel complained: *' emulator 1 --silence $LIMIT
echo "runner $PASSED $FAILED 0"
