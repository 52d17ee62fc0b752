#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Recorded traces of kernel work, replayed on kspan and on SLUB: make replay.
#
#	tools/replay.sh		boots each kernel, replays the traces in turns, and
#				prints what is held where most is requested
#	tools/replay.sh table	prints that of the last runs
#	tools/replay.sh rst	the same as the documentation has it
#	tools/replay.sh tsv	the samples of the last runs, a line each
#	tools/replay.sh curves	what make docs draws, as Documentation/benchmarks/replay.tsv has it
#
# KERNEL= names one kernel (default: 6.12 and 7.3), TRACE= one file (default: all of
# tools/replay/traces), REPLAY= options of kspan replay, for example
# REPLAY="--rounds 5 --on kspan". One CPU under -icount (BENCH_ON=icount, the default:
# times are exact numbers of instructions), or CPUS= CPUs (BENCH_ON=mttcg). MEM= is the
# guest's memory in MiB (1024), SILENCE= how many seconds it may print nothing (900), TIMEOUT=
# how many it may take in all. Raw lines are kept under the cache.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

RUNS=$KSPAN_CACHE/replay
HERE=$KSPAN_TOP/tools/replay
KERNELS="6.12 7.3"
BENCH_ON=${BENCH_ON:-icount}

# The directory of a kernel's results; other options have results of their own.
dir_of() {
	local dir=$RUNS/$1
	[ "$BENCH_ON" = icount ] || dir+=-$BENCH_ON
	[ -z "${REPLAY:-}" ] || dir+=$(printf %s "$REPLAY" | tr -cs '[:alnum:]' -)
	echo "$dir"
}

traces() {
	if [ -n "${TRACE:-}" ]; then
		echo "$TRACE"
	else
		printf '%s\n' "$HERE"/traces/*.ktrace
	fi
}

check_traces() {
	local trace
	traces | while read -r trace; do
		[ -r "$trace" ] ||
			die "there is no trace at $trace." "kspan record makes one, make traces all of ours."
	done
}

# run KERNEL: leaves results.log and samples.tsv there
run() {
	local kernel=$1 out kdir modules machine=(--icount)
	out=$(dir_of "$kernel")
	[ "$BENCH_ON" = icount ] || machine=(--cpus "${CPUS:-2}" --nodes 1)
	modules=$("$KSPAN_TOP/tools/build.sh" "$kernel" plain)
	kdir=$("$KSPAN_TOP/tools/kernel.sh" "$kernel" plain)
	rm -rf "$out"
	mkdir -p "$out/payload"
	make -s -C "$KSPAN_TOP/tools/kspan" "OUTPUT=$out/payload" kspan
	cp "$modules/kspan.ko" "$modules/kspan_replay.ko" "$out/payload/"
	traces | xargs -d '\n' cp -t "$out/payload"
	for trace in "$out"/payload/*.ktrace; do
		"$out/payload/kspan" info "$trace" >"$out/$(basename "$trace" .ktrace).txt"
	done
	"$KSPAN_TOP/tools/qemu.sh" --kernel "$kdir/arch/x86/boot/bzImage" --payload "$out/payload" \
		--guest replay.sh --env "REPLAY=${REPLAY:-}" --out "$out" "${machine[@]}" \
		--mem "${MEM:-1024}" --silence "${SILENCE:-900}" --timeout "${TIMEOUT:-28800}" \
		--label "$kernel replay" || {
		grep -E 'error:' "$out/results.log" >&2 || :
		die "the replay on $kernel failed; see $out/results.log"
	}
	rm -rf "$out/payload"
	tr -d '\r' <"$out/results.log" | awk -v kernel="$kernel" '
		/^sample\t/ { if ($3 != "on" || !head++) { $1 = $3 == "on" ? "kernel" : kernel; print } }
		' FS='\t' OFS='\t' | sed '1s/^kernel\t[^\t]*/kernel\ttrace/' >"$out/samples.tsv"
	sed -i '/^sample\t/d' "$out/results.log"
}

# tables COMMAND: of tools/tables.py, with the kernels and their results
tables() {
	local kernel runs=()
	for kernel in $KERNELS; do
		runs+=("$kernel" "$(dir_of "$kernel")")
	done
	python3 "$KSPAN_TOP/tools/tables.py" "$1" "${runs[@]}"
}

tsv() {
	local kernel first=1
	for kernel in $KERNELS; do
		[ -r "$(dir_of "$kernel")/samples.tsv" ] || continue
		tail -n +$first "$(dir_of "$kernel")/samples.tsv"
		first=2
	done
}

main() {
	local kernel
	[ -z "${KERNEL:-}" ] || check_kernel "$KERNEL"
	one_of "$BENCH_ON" icount mttcg ||
		die "BENCH_ON=$BENCH_ON is no machine to replay on." "Valid: BENCH_ON=icount | mttcg"
	KERNELS=${KERNEL:-$KERNELS}
	case ${1:-} in
	table) tables replay; return ;;
	rst) tables replay-rst; return ;;
	tsv) tsv; return ;;
	curves) tables curves; return ;;
	esac
	[ $# -eq 0 ] || die "usage: tools/replay.sh [table | rst | tsv | curves]"
	check_traces
	# shellcheck disable=SC2086
	need_packages $KSPAN_NEEDS_TOOL $KSPAN_NEEDS_BUILD $KSPAN_NEEDS_BOOT
	for kernel in $KERNELS; do
		run "$kernel"
	done
	tables replay
	for kernel in $KERNELS; do
		echo "all readings, and samples: $(dir_of "$kernel")/results.log, samples.tsv"
	done
}

main "$@"
