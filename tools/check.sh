#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every check, on every kernel: make check, make kunit, make kselftest.
#
#   tools/check.sh [style] [kunit] [kselftest]     default: all three
#
# Without KERNEL= and FLAVOUR=: 6.12 plain, 6.12 debug, 6.1 plain, 7.3 plain.
# KERNEL= or FLAVOUR= alone keeps those of the four that match; both name one
# kernel. The last line counts the test cases that ran: "N passed, N failed".
# Exit 0 only if something ran and nothing failed. JOBS= is how many guests may
# run at a time (default 2), TIMEOUT= a guest's time limit in seconds.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# The slowest first: the others run beside it.
DEFAULT_MATRIX="6.12/debug 6.12/plain 6.1/plain 7.3/plain"
RUN=$KSPAN_CACHE/check/$(date +%Y%m%d-%H%M%S)-$$
JOBS=${JOBS:-2}
STYLE='' KUNIT='' KSELFTEST=''

choose_suites() {
	[ $# -gt 0 ] || set -- style kunit kselftest
	local suite
	for suite; do
		case $suite in
		style) STYLE=1 ;;
		kunit) KUNIT=1 ;;
		kselftest) KSELFTEST=1 ;;
		*) die "no such suite: $suite" "There are: style kunit kselftest" ;;
		esac
	done
}

# Prints the kernels to test, KERNEL/FLAVOUR.
matrix() {
	local entry
	if [ -n "${KERNEL:-}" ] && [ -n "${FLAVOUR:-}" ]; then
		echo "$KERNEL/$FLAVOUR"
		return
	fi
	for entry in $DEFAULT_MATRIX; do
		[ -z "${KERNEL:-}" ] || [ "${entry%/*}" = "$KERNEL" ] || continue
		[ -z "${FLAVOUR:-}" ] || [ "${entry#*/}" = "$FLAVOUR" ] || continue
		echo "$entry"
	done
}

check_arguments() {
	[ -z "${KERNEL:-}" ] || check_kernel "$KERNEL"
	[ -z "${FLAVOUR:-}" ] || check_flavour "$FLAVOUR"
	[ -n "$(matrix)" ] ||
		die "FLAVOUR=$FLAVOUR is not among the kernels of make check." \
		    "Name the kernel too: KERNEL=6.12 FLAVOUR=$FLAVOUR"
}

# row KERNEL/FLAVOUR KIND SUITE PASSED FAILED SKIPPED [why]
row() {
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" "$6" "${7:-}" >>"$RUN/rows"
}

# rows_of KERNEL/FLAVOUR KIND < "SUITE PASSED FAILED SKIPPED" lines
rows_of() {
	local suite passed failed skipped
	while read -r suite passed failed skipped; do
		row "$1" "$2" "$suite" "$passed" "$failed" "$skipped"
	done
}

# The part of the kernel's log between the guest's two marks.
marked() {
	sed -n "/kspan-guest: $1 begin/,/kspan-guest: $1 end/p" "$2"
}

# The source tree's own parser has the say; ours counts suite by suite.
judge_kunit() {
	local entry=$1 out=$2 source=$3 rc=0 parser=$3/tools/testing/kunit/kunit.py
	marked kunit "$out/console.log" >"$out/kunit.log"
	"$KSPAN_TOP/tools/ktap.py" "$out/kunit.log" >"$out/suites" || rc=$?
	rows_of "$entry" kunit <"$out/suites"
	if [ $rc -eq 2 ]; then
		row "$entry" kunit no-suite-ran 0 1 0 "see $out"
	elif [ $rc -eq 0 ] && [ -r "$parser" ] &&
	     ! python3 "$parser" parse "$out/kunit.log" >"$out/kunit.txt" 2>&1; then
		row "$entry" kunit kunit.py-disagrees 0 1 0 "see $out/kunit.txt"
	fi
	# A debug kernel tells leaks apart by itself; this is the page allocator.
	grep -h 'free pages .MemFree' "$out/results.log" | sed "s|^|$entry kunit: |" >>"$RUN/memory" || :
}

judge_kselftest() {
	local entry=$1 out=$2 rc=0
	"$KSPAN_TOP/tools/ktap.py" --kselftest "$out/results.log" >"$out/suites" || rc=$?
	rows_of "$entry" kselftest <"$out/suites"
	[ $rc -ne 2 ] || row "$entry" kselftest no-test-ran 0 1 0 "see $out"
	grep -h 'free pages .MemFree' "$out/results.log" | sed "s|^|$entry kselftest: |" >>"$RUN/memory" || :
}

# One boot: run_guest KERNEL/FLAVOUR KIND KERNEL_BUILD SOURCE
run_guest() {
	local entry=$1 kind=$2 kdir=$3 source=$4 out=$RUN/${1/\//-}-$2 mem=1024 limit=600
	[ "${entry#*/}" = plain ] || mem=2048 limit=1200
	"$KSPAN_TOP/tools/qemu.sh" --kernel "$kdir/arch/x86/boot/bzImage" \
		--payload "$RUN/${entry/\//-}-payload-$kind" --guest "$kind.sh" --out "$out" \
		--mem $mem --timeout "${TIMEOUT:-$limit}" --label "$entry $kind" || :
	"judge_$kind" "$entry" "$out" "$source"
	local verdict
	verdict=$(cat "$out/verdict" 2>/dev/null || echo "fail: the runner itself failed")
	case $verdict in
	pass) ;;
	pass*) row "$entry" "$kind" boot 0 0 0 "$verdict" ;;
	*) row "$entry" "$kind" kernel 0 1 0 "${verdict#fail: }; see $out" ;;
	esac
}

# Waits until fewer than JOBS guests run.
slot() {
	while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
		wait -n 2>/dev/null || :
	done
}

# What one boot finds in /payload: modules, and the tests for kselftest.
make_payload() {
	local modules=$1 kernel=$2 entry=$3 payload=$RUN/${3/\//-}-payload
	if [ -n "$KUNIT" ]; then
		mkdir -p "$payload-kunit"
		cp "$modules"/*.ko "$payload-kunit/"
	fi
	if [ -n "$KSELFTEST" ]; then
		mkdir -p "$payload-kselftest/modules"
		cp "$modules"/*.ko "$payload-kselftest/modules/"
		"$KSPAN_TOP/tools/kselftest.sh" "$kernel" "$payload-kselftest/kselftest"
	fi
}

test_kernel() {
	local entry=$1 kernel=${1%/*} flavour=${1#*/} kdir modules source
	if ! kdir=$("$KSPAN_TOP/tools/kernel.sh" "$kernel" "$flavour"); then
		row "$entry" build kernel 0 1 0 "the kernel did not build"
		return
	fi
	source=$("$KSPAN_TOP/tools/kernel.sh" --source "$kernel")
	[ ! -r "$source/.kspan-version" ] ||
		echo "$entry: $(cat "$source/.kspan-version")" >>"$RUN/kernels"
	if ! modules=$("$KSPAN_TOP/tools/build.sh" "$kernel" "$flavour"); then
		row "$entry" build modules 0 1 0 "the modules did not build"
		return
	fi
	if ! make_payload "$modules" "$kernel" "$entry"; then
		row "$entry" build kselftest 0 1 0 "the selftests did not build"
		KSELFTEST='' make_payload "$modules" "$kernel" "$entry"
	elif [ -n "$KSELFTEST" ]; then
		slot
		run_guest "$entry" kselftest "$kdir" "$source" &
	fi
	if [ -n "$KUNIT" ]; then
		slot
		run_guest "$entry" kunit "$kdir" "$source" &
	fi
}

run_style() {
	local rc=0
	"$KSPAN_TOP/tools/style.sh" || rc=$?
	if [ $rc -eq 0 ]; then
		row - style style 1 0 0
	else
		row - style style 0 1 0 "see above"
	fi
}

# The table, its totals, and the verdict of it all.
show() {
	echo
	[ ! -s "$RUN/kernels" ] || sort -u "$RUN/kernels"
	[ ! -s "$RUN/memory" ] || sort -V "$RUN/memory"
	echo
	sort -s -t"$(printf '\t')" -k1,1V -k2,2 "$RUN/rows" | awk -F'\t' '
	BEGIN {
		form = "%-12s %-10s %-26s %7s %7s %8s  %s\n"
		printf form, "kernel", "kind", "suite", "passed", "failed", "skipped", ""
	}
	{
		printf form, $1, $2, $3, $4, $5, $6, $7
		passed += $4; failed += $5; skipped += $6
		if (!($1 in p)) order[++n] = $1
		p[$1] += $4; f[$1] += $5; s[$1] += $6
	}
	END {
		print ""
		for (i = 1; i <= n; i++)
			printf form, order[i], "all", "", p[order[i]], f[order[i]], s[order[i]], ""
		if (failed) print "logs: " run
		print ""
		printf "%d passed, %d failed%s\n", passed, failed, \
			skipped ? ", " skipped " skipped" : ""
		exit failed > 0 || passed == 0
	}' run="$RUN"
}

main() {
	local entry start=$SECONDS
	choose_suites "$@"
	check_arguments
	mkdir -p "$RUN"
	: >"$RUN/rows"
	# All that is missing at once, while nothing else is under way.
	need_packages $KSPAN_NEEDS_BUILD $KSPAN_NEEDS_BOOT
	trap 'trap - INT TERM; kill $(jobs -p) 2>/dev/null || :; exit 130' INT TERM
	[ -z "$STYLE" ] || run_style
	if [ -n "$KUNIT$KSELFTEST" ]; then
		for entry in $(matrix); do
			test_kernel "$entry"
		done
		wait
	fi
	info "all of it took $((SECONDS - start)) s"
	find "$KSPAN_CACHE/check" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} + || :
	rm -rf "$RUN"/*-payload-*
	show
}

main "$@"
