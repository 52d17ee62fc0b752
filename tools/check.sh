#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every check, on every kernel: make check, make kunit, make kselftest, make stress,
# make pressure.
#
#   tools/check.sh [SUITE...]		style kselftest kunit stress pressure fragmented hotplug
#					stray speed runner tool ports rust: all of these, if none is
#					named, ports and rust with MATRIX=all only;
#					manycpus: kunit and stress on 64 CPUs
#
# PLAN says which suites run on which kernel; MATRIX=all runs all of them on all
# kernels and flavours there are. KERNEL= or FLAVOUR= alone keeps the kernels that
# match; both name one kernel. A suite that the plan has on none of the kernels
# kept runs on each of them, if a suite or a kernel was named.
#
# The last line counts the test cases that ran: "N passed, N failed". Exit 0 only
# if something ran and nothing failed. JOBS= is how many guests may run at a time
# (default 2), MINUTES= how long stress goes on (default 1). A guest fails when it is
# silent for SILENCE= seconds (default 300 on plain kernels, 600 on others; a case of
# KUnit on a debug kernel may say nothing for minutes), however long it takes in all;
# TIMEOUT= is a backstop for a guest that goes on for ever, in seconds (default 4 hours).
#
# speed counts the instructions of some pairs of malloc and free, and fails where
# they are more than tools/bench/golden allows; and the most instructions with interrupts
# or preemption off, in what is hard on that, which must not be above the limit.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# What make check runs: a quarter of an hour on two processors, with kernels that are built. All
# suites on 6.12 plain but one; KUnit also with detectors, on PREEMPT_RT, with a distribution's
# hardening, and on the other kernels, with what differs there. make check-all runs the rest.
# The slowest first: the others run beside it. What has many boots comes last: its short ones fill
# the end.
PLAN="6.12/debug kunit
6.12/rt kunit
6.12/hardened kunit
6.1/plain kunit hotplug-added stray speed
7.3/plain kunit stray speed
6.12/plain runner stress stress-wrong kselftest kunit-numa kunit-init-alloc kunit-init-both pressure fragmented hotplug-added hotplug-far stray speed speed-stretch kunit-cpus64 stress-cpus64
7.3/dm ports
7.3/rust rust"
RUN=$KSPAN_CACHE/check/$(date +%Y%m%d-%H%M%S)-$$
JOBS=${JOBS:-2}
MINUTES=${MINUTES:-1}
# So many on few processors of the host can measure neither delays nor the TSC.
MANY_CPUS=(--cpus 64 --nodes 2 --mem 4096 --append "lpj=4000000 tsc=reliable nmi_watchdog=0")
# The cases that judge init_on_alloc= and init_on_free=. 6.1 can't choose: it runs all.
INIT_CASES='kunit.filter_glob=*.*init_*'
STYLE='' TOOL='' NAMED='' SUITES=() RUNNER=none
declare -A BOOTS

choose_suites() {
	NAMED=$*
	# The runner only waits, for minutes.
	[ $# -gt 0 ] || set -- style runner kselftest kunit stress pressure fragmented hotplug stray speed tool \
		${MATRIX:+ports rust}
	local suite
	for suite; do
		case $suite in
		style) STYLE=1 ;;
		tool) TOOL=1 ;;
		kunit) SUITES+=(kunit kunit-numa kunit-init-alloc kunit-init-both) ;;
		stress) SUITES+=(stress stress-wrong stress-wrong-init) ;;
		speed) SUITES+=(speed speed-stretch) ;;
		hotplug) SUITES+=(hotplug-added hotplug-far) ;;
		manycpus) SUITES+=(kunit-cpus64 stress-cpus64) ;;
		kselftest|pressure|fragmented|stray|runner|ports|rust) SUITES+=("$suite") ;;
		*) die "no such suite: $suite" "There are: style kselftest kunit stress pressure fragmented hotplug stray speed runner tool ports rust manycpus" ;;
		esac
	done
}

# Prints the kernels to choose from, KERNEL/FLAVOUR, the slowest flavours first.
all_kernels() {
	local kernel flavour
	if [ "${MATRIX:-}" != all ]; then
		echo "$PLAN" | cut -d' ' -f1
		return
	fi
	for flavour in $(flavours) plain; do
		for kernel in $KSPAN_KERNELS; do
			flavours_of "$kernel" | sed -n "s|^$flavour\$|$kernel/&|p"
		done
	done
}

# Prints the kernels to test.
matrix() {
	local entry
	if [ -n "${KERNEL:-}" ] && [ -n "${FLAVOUR:-}" ]; then
		echo "$KERNEL/$FLAVOUR"
		return
	fi
	for entry in $(all_kernels); do
		[ -z "${KERNEL:-}" ] || [ "${entry%/*}" = "$KERNEL" ] || continue
		[ -z "${FLAVOUR:-}" ] || [ "${entry#*/}" = "$FLAVOUR" ] || continue
		echo "$entry"
	done
}

# planned KERNEL/FLAVOUR SUITE
planned() {
	local entry suites
	[ "${MATRIX:-}" != all ] || return 0
	while read -r entry suites; do
		# shellcheck disable=SC2086
		if [ "$entry" = "$1" ] && one_of "$2" $suites; then return 0; fi
	done <<<"$PLAN"
	return 1
}

# Sets BOOTS[KERNEL/FLAVOUR]: the suites that run there, each in its own boot.
choose_boots() {
	local suite entry kept
	for suite in ${SUITES+"${SUITES[@]}"}; do
		kept=
		for entry in $(matrix); do
			! planned "$entry" "$suite" || kept+=" $entry"
		done
		[ -n "$kept$NAMED${KERNEL:-}${FLAVOUR:-}" ] || continue
		for entry in ${kept:-$(matrix)}; do
			# Flavours dm and rust are for the ports and for Rust alone, and have what
			# they need.
			case $suite/${entry#*/} in
			ports/dm|rust/rust) ;;
			ports/*|rust/*|*/dm|*/rust) continue ;;
			esac
			# What a debug kernel adds to a path is no matter of speed, page poisoning
			# takes precedence over the init options, and the runner's guests are
			# judged by seconds of silence.
			! one_of "$suite" speed speed-stretch fragmented hotplug-added hotplug-far stray runner kunit-init-alloc kunit-init-both ||
				[ "${entry#*/}" = plain ] || continue
			BOOTS[$entry]+=" $suite"
		done
	done
}

check_arguments() {
	[ -z "${KERNEL:-}" ] || check_kernel "$KERNEL"
	[ -z "${FLAVOUR:-}" ] || check_flavour "$FLAVOUR" "${KERNEL:-}"
	[ -z "${MATRIX:-}" ] || [ "$MATRIX" = all ] ||
		die "MATRIX=$MATRIX is not known." "Valid: MATRIX=all, or none for what make check runs by default."
	check_number MINUTES "$MINUTES" minutes
	check_number JOBS "$JOBS" guests
	[ -z "${SILENCE:-}" ] || check_number SILENCE "$SILENCE" seconds
	[ -z "${TIMEOUT:-}" ] || check_number TIMEOUT "$TIMEOUT" seconds
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

# judge_ktap KERNEL/FLAVOUR OUT KIND SOURCE: KUnit's KTAP is in the kernel's log, the rest
# among the results. What the parser says of it is in OUT/ktap.txt.
judge_ktap() {
	local entry=$1 out=$2 kind=$3 source=$4 log=$2/results.log option='' rc=0
	case $kind in
	kunit*)
		log=$out/kunit.log
		marked kunit "$out/console.log" >"$log"
		;;
	kselftest) option=--kselftest ;;
	esac
	"$KSPAN_TOP/tools/ktap.py" "$source" $option "$log" >"$out/suites" 2>"$out/ktap.txt" || rc=$?
	rows_of "$entry" "$kind" <"$out/suites"
	[ $rc -le 1 ] || row "$entry" "$kind" no-case-ran 0 1 0 "see $out"
}

# judge_speed KERNEL/FLAVOUR OUT KIND: why a pair or a stretch fails is in RUN/slow.
judge_speed() {
	local entry=$1 out=$2 kind=$3 what=pairs rc=0
	[ "$kind" = speed ] || what=stretches
	"$KSPAN_TOP/tools/speed.py" $what "${entry%/*}" "$out/results.log" >"$out/suites" 2>>"$RUN/slow" || rc=$?
	rows_of "$entry" "$kind" <"$out/suites"
	[ $rc -ne 2 ] || row "$entry" "$kind" none-is-golden 0 1 0 "tools/bench/golden has no line of $entry"
}

# Where there are selftests there is a heap profile, which pprof must be able to read.
judge_profile() {
	"$KSPAN_TOP/tools/kspan/judge-profile.sh" "$2/results.log" "$2" >"$2/pprof.suites" 2>>"$RUN/slow" || :
	rows_of "$1" "$3" <"$2/pprof.suites"
}

# The values of a column of tools/bench/golden, for the benchmark's list.
golden_list() {
	"$KSPAN_TOP/tools/speed.py" list "$1"
}

# What the guest itself told for people: free memory, and what the stress did.
told() {
	sed -n 's/^# kspan-\(stress\|wrong\|pressure\): //p; /^free pages (MemFree/p' "$1/results.log" | xargs -d '\n'
}

# One boot: run_guest KERNEL/FLAVOUR KIND KERNEL_BUILD SOURCE
run_guest() {
	local entry=$1 kind=$2 kdir=$3 source=$4 out=$RUN/${1/\//-}-$2 suite=${2%%-*} silence=300 start=$SECONDS
	local options=(--cpus 4 --nodes 2) guest=$suite.sh
	one_of "${entry#*/}" plain dm rust || silence=600
	case $kind in
	# Its time goes to waiting for RCU, at each module that comes or goes.
	kselftest) options=(--cpus 2 --nodes 2 --append rcupdate.rcu_expedited=1) ;;
	kunit-numa)
		options=(--cpus 4 --nodes 4 --memoryless 2 --append init_on_free=1)
		;;
	# As for the other two settings: kunit has neither option, kunit-numa has init_on_free=1.
	kunit-init-alloc) options+=(--append "init_on_alloc=1 $INIT_CASES") ;;
	kunit-init-both) options+=(--append "init_on_alloc=1 init_on_free=1 $INIT_CASES") ;;
	speed)
		options=(--icount --env BENCH_WHAT=pairs --env
			 "BENCH=rounds=5 pattern=$(golden_list 2) size=$(golden_list 3) n=$(golden_list 4)")
		guest=bench.sh
		;;
	kunit-cpus64)
		options=("${MANY_CPUS[@]}")
		silence=900
		;;
	speed-stretch)
		options=(--icount --env BENCH_WHAT=stretch --env BENCH_FROM=stretch)
		guest=bench.sh
		;;
	stress-wrong*)
		guest=wrong.sh
		options+=(--env "STRESS_SECONDS=$((60 * MINUTES))" --timeout $((14400 + 60 * MINUTES)))
		[ "$kind" != stress-wrong-init ] || options+=(--append init_on_free=1)
		;;
	stress*)
		[ "$kind" = stress ] || { options=("${MANY_CPUS[@]}"); silence=900; }
		options+=(--env "STRESS_SECONDS=$((60 * MINUTES))" --timeout $((14400 + 60 * MINUTES)))
		;;
	hotplug-added) options=(--cpus 2 --nodes 1 --mem 512 --plug 2048 --env HOTPLUG=added --env ADDED=2048) ;;
	hotplug-far)
		options=(--cpus 2 --nodes 1 --mem 640 --dimm 128@0x12000000000)
		options+=(--env HOTPLUG=far --env FAR=0x12000000000)
		;;
	stray) options=(--cpus 2 --nodes 1) ;;
	rust) options=(--cpus 2 --nodes 2) ;;
	# The index of dm-vdo takes 256 MiB, the disk what is written to it.
	ports) options=(--cpus 2 --nodes 1 --mem 2048) ;;
	fragmented) options=(--icount --mem 384 --env FRAGMENTED_JUDGE=1 --env "BENCH=free_mib=24") ;;
	# So little that all of it can be taken; the detectors want most of that themselves.
	pressure)
		options=(--cpus 2 --nodes 1 --mem 128)
		[ "${entry#*/}" = plain ] || options=(--cpus 2 --nodes 1 --mem 512)
		;;
	esac
	"$KSPAN_TOP/tools/qemu.sh" --kernel "$kdir/arch/x86/boot/bzImage" \
		--payload "$RUN/${entry/\//-}-payload-$suite" --guest "$guest" --out "$out" \
		"${options[@]}" --silence "${SILENCE:-$silence}" ${TIMEOUT:+--timeout "$TIMEOUT"} \
		--label "$entry $kind" || :
	case $suite in
	speed) judge_speed "$entry" "$out" "$kind" ;;
	*) judge_ktap "$entry" "$out" "$kind" "$source" ;;
	esac
	[ "$suite" != kselftest ] || judge_profile "$entry" "$out" "$kind"
	grep -q "^$entry	$kind	" "$RUN/rows" || row "$entry" "$kind" nothing-was-judged 0 1 0 "see $out"
	local verdict
	verdict=$(cat "$out/verdict" 2>/dev/null || echo "fail: the runner itself failed")
	case $verdict in
	pass) ;;
	pass*) row "$entry" "$kind" boot 0 0 0 "$verdict" ;;
	*) row "$entry" "$kind" kernel 0 1 0 "${verdict#fail: }; see $out" ;;
	esac
	printf '%-12s %-16s %4s s  %s\n' "$entry" "$kind" $((SECONDS - start)) "$(told "$out")" >>"$RUN/boots"
}

# run_runner KERNEL/FLAVOUR KERNEL_BUILD: guests that tools/qemu.sh is to fail, and not to.
run_runner() {
	local entry=$1 out=$RUN/${1/\//-}-runner start=$SECONDS
	"$KSPAN_TOP/tools/qemu-test.sh" "$2/arch/x86/boot/bzImage" "$out" "$entry runner" >"$out.suites" || :
	if [ -s "$out.suites" ]; then
		rows_of "$entry" runner <"$out.suites"
	else
		row "$entry" runner no-case-ran 0 1 0 "see above"
	fi
	printf '%-12s %-16s %4s s\n' "$entry" runner $((SECONDS - start)) >>"$RUN/boots"
}

# Waits until fewer than JOBS guests run, besides those of the runner, which only wait.
slot() {
	while [ "$(jobs -rp | grep -vcx "$RUNNER")" -ge "$JOBS" ]; do
		wait -n 2>/dev/null || :
	done
}

# make_payload KERNEL/FLAVOUR SUITE MODULES: what the boots of a kernel find in /payload: modules,
# the tests for kselftest.
make_payload() {
	local entry=$1 suite=$2 modules=$3 kernel=${1%/*} payload=$RUN/${1/\//-}-payload-$2
	[ ! -e "$payload" ] || return 0
	mkdir -p "$payload"
	case $suite in
	kselftest)
		mkdir "$payload/modules"
		cp "$modules"/*.ko "$payload/modules/"
		"$KSPAN_TOP/tools/kselftest.sh" "$kernel" "$payload/kselftest"
		;;
	speed)
		cp "$modules/kspan.ko" "$modules/kspan_bench.ko" "$payload/"
		# shellcheck disable=SC2086
		one_of speed-stretch ${BOOTS[$entry]} || return 0
		modules=$(KSPAN_STRETCH=1 "$KSPAN_TOP/tools/build.sh" "$kernel" plain) || return 1
		mkdir "$payload/stretch"
		cp "$modules/kspan.ko" "$modules/kspan_bench.ko" "$payload/stretch/"
		;;
	pressure)
		cp "$modules/kspan.ko" "$modules/kspan_pressure.ko" "$payload/"
		gcc -static -O2 -Wall -Wextra -Werror -o "$payload/kspan_hog" "$KSPAN_TOP/tools/pressure/hog.c"
		;;
	stress) cp "$modules"/kspan{,_stress,_wrong}.ko "$payload/" ;;
	ports)
		cp "$modules/kspan.ko" "$payload/"
		"$KSPAN_TOP/tools/ports.sh" "$kernel" "$modules" "$payload"
		;;
	rust)
		cp "$modules/kspan.ko" "$payload/"
		"$KSPAN_TOP/tools/rust.sh" "$kernel" "$modules" "$payload"
		;;
	*) cp "$modules/kspan.ko" "$modules/kspan_$suite.ko" "$payload/" ;;
	esac
}

# test_kernel KERNEL/FLAVOUR: its suites' boots are under way when it returns.
test_kernel() {
	local entry=$1 kernel=${1%/*} flavour=${1#*/} kdir modules source kind
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
	for kind in ${BOOTS[$entry]}; do
		if [ "$kind" = runner ]; then
			run_runner "$entry" "$kdir" &
			RUNNER=$!
			continue
		fi
		if ! make_payload "$entry" "${kind%%-*}" "$modules"; then
			row "$entry" build "$kind" 0 1 0 "what it boots with did not build"
			continue
		fi
		slot
		run_guest "$entry" "$kind" "$kdir" "$source" &
	done
}

# Prints what failed by the parser's report: each case after the first notes on it.
failed_cases() {
	sed -E 's/^\[[0-9:]+\] //' "$1" | awk '
		/^(\[(PASSED|SKIPPED)\]|=|Testing complete)/ { notes = ""; n = 0; next }
		/^\[/ { print notes $0; notes = ""; n = 0; next }
		n++ < 8 { notes = notes $0 "\n" }' |
		head -n 20 | cut -c1-160
}

# Prints the failures of all guests, as the last thing to be read.
show_failures() {
	local log out
	echo
	echo "what failed:"
	awk -F'\t' '$5 > 0 { print $1, $2 ":", $5, "of", $3 ($7 ? ": " $7 : "") }' "$RUN/rows"
	for log in "$RUN"/*/ktap.txt; do
		[ -r "$log" ] || continue
		out=$(failed_cases "$log") || :
		[ -z "$out" ] || printf '%s:\n%s\n' "$(basename "$(dirname "$log")")" "$out"
	done
	[ ! -s "$RUN/slow" ] || cat "$RUN/slow"
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

# The command kspan, on files that were taken from a guest.
run_tool() {
	need_packages $KSPAN_NEEDS_TOOL_TEST
	"$KSPAN_TOP/tools/kspan/test.sh" "$RUN/tool" >"$RUN/tool.suites" || :
	if [ -s "$RUN/tool.suites" ]; then
		rows_of - tool <"$RUN/tool.suites"
	else
		row - tool no-case-ran 0 1 0 "see above"
	fi
}

# The table, its totals, and the verdict of it all.
show() {
	echo
	[ ! -s "$RUN/kernels" ] || sort -u "$RUN/kernels"
	[ ! -s "$RUN/boots" ] || { echo; sort -V "$RUN/boots"; }
	echo
	sort -s -t"$(printf '\t')" -k1,1V -k2,2 "$RUN/rows" | awk -F'\t' '
	BEGIN {
		form = "%-12s %-16s %-26s %7s %7s %8s  %s\n"
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
	}'
	! awk -F'\t' '{ failed += $5 } END { exit !failed }' "$RUN/rows" || show_failures
	echo "logs: $RUN"
	echo
	awk -F'\t' '
	{ passed += $4; failed += $5; skipped += $6 }
	END {
		printf "%d passed, %d failed%s\n", passed, failed, \
			skipped ? ", " skipped " skipped" : ""
		exit failed > 0 || passed == 0
	}' "$RUN/rows"
}

main() {
	local entry start=$SECONDS
	choose_suites "$@"
	check_arguments
	choose_boots
	mkdir -p "$RUN"
	: >"$RUN/rows"
	# All that is missing at once, while nothing else is under way.
	need_packages $KSPAN_NEEDS_BUILD $KSPAN_NEEDS_BOOT $KSPAN_NEEDS_TOOL $KSPAN_NEEDS_PPROF
	trap 'trap - INT TERM; kill $(jobs -p) 2>/dev/null || :; exit 130' INT TERM
	[ -z "$STYLE" ] || run_style
	[ -z "$TOOL" ] || run_tool
	for entry in $(matrix); do
		[ -z "${BOOTS[$entry]:-}" ] || test_kernel "$entry"
	done
	wait
	info "all of it took $((SECONDS - start)) s"
	[ -s "$RUN/rows" ] || die "nothing was to be run: speed, fragmented, hotplug and stray are for FLAVOUR=plain, ports for FLAVOUR=dm, rust for FLAVOUR=rust."
	find "$KSPAN_CACHE/check" "$KSPAN_CACHE/modules" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} + || :
	rm -rf "$RUN"/*-payload-*
	show
}

main "$@"
