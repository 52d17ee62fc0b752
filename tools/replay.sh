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
# tools/replay/traces), REPLAY= options of kspan-replay replay, for example
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
			die "there is no trace at $trace." "kspan-replay record makes one, make traces all of ours."
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
	make -s -C "$HERE" "OUTPUT=$out/payload" kspan-replay
	cp "$modules/kspan.ko" "$modules/kspan_replay.ko" "$out/payload/"
	traces | xargs -d '\n' cp -t "$out/payload"
	for trace in "$out"/payload/*.ktrace; do
		"$out/payload/kspan-replay" info "$trace" >"$out/$(basename "$trace" .ktrace).txt"
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

# What is held at the peak, the mean of the rounds; kernels in order, a line a trace.
table() {
	local kernel log
	for kernel in $KERNELS; do
		log=$(dir_of "$kernel")/results.log
		[ ! -r "$log" ] || tr -d '\r' <"$log" | awk -v kernel="$kernel" '
			function end_of_trace() {
				if (!trace) return
				for (heap in runs)
					for (i = 1; i <= 5; i++) mean[heap, i] = sum[heap, i] / runs[heap]
				k = mean["kspan", 1] / requested; s = mean["slub", 1] / requested
				print trace, kernel, events, sprintf("%.2f", requested / 1048576), \
					sprintf("%.2f", mean["kspan", 1] / 1048576), \
					sprintf("%.2f", mean["slub", 1] / 1048576), \
					sprintf("%.3f", k), sprintf("%.3f", s), \
					sprintf("%.3f", mean["kspan", 2] / requested), \
					s ? sprintf("%.2f", k / s) : "-", \
					mean["slub", 4] ? sprintf("%.2f", mean["kspan", 4] / mean["slub", 4]) : "-", \
					mean["slub", 5] ? sprintf("%.2f", mean["kspan", 5] / mean["slub", 5]) : "-", \
					sprintf("%.0f", mean["kspan", 3]), sprintf("%.0f", mean["slub", 3])
				split("", runs); split("", sum); split("", mean)
			}
			$1 == "trace:" { end_of_trace(); trace = $2 }
			$3 == "before" { fixed[$1] = $12 }
			$3 == "peak" {
				runs[$1]++; requested = $5
				sum[$1, 1] += $6; sum[$1, 2] += $11 + $12 - fixed[$1]; sum[$1, 4] += $8
			}
			$3 == "most" { sum[$1, 5] += $6 }
			$3 == "end" { events = $4 }
			$1 == "time:" {
				split($2, on, "="); split($6, ticks, "=")
				sum[on[2], 3] += ticks[2]
			}
			END { end_of_trace() }'
	done | sort -k1,1 -k2,2V
}

COLUMNS="trace kernel events requested kspan SLUB kspan/req SLUB/req spans/req ratio lost_ratio"
COLUMNS+=" most_ratio kspan_ticks SLUB_ticks"

show() {
	echo "At the peak: MiB requested; MiB held by each, and held / requested; kspan's spans and"
	echo "metadata / requested; kspan held / SLUB held, the same of what the system lost, and"
	echo "of the most that is held at any time; ticks of an event, an empty run subtracted."
	echo "Means of the rounds."
	{ echo "$COLUMNS"; table; } | awk '{
		for (i = 1; i <= NF; i++) printf "%*s%s", i == 1 ? -12 : 11, $i, i == NF ? "\n" : " "
	}'
}

rst() {
	{ echo "$COLUMNS"; table; } | awk '
		{
			for (i = 1; i <= NF; i++) {
				cell[NR, i] = $i
				if (length($i) > width[i]) width[i] = length($i)
			}
		}
		END {
			for (i = 1; i <= NF; i++) {
				bar = sprintf("%*s", width[i], "")
				gsub(/ /, "=", bar)
				rule = rule (i > 1 ? "  " : "") bar
			}
			for (row = 1; row <= NR; row++) {
				if (row < 3) print rule
				text = ""
				for (i = 1; i <= NF; i++)
					text = text sprintf("%*s  ", (i > 1 ? 1 : -1) * width[i], cell[row, i])
				sub(/ +$/, "", text)
				print text
			}
			print rule
		}'
}

tsv() {
	local kernel first=1
	for kernel in $KERNELS; do
		[ -r "$(dir_of "$kernel")/samples.tsv" ] || continue
		tail -n +$first "$(dir_of "$kernel")/samples.tsv"
		first=2
	done
}

# What Documentation/sphinx/plots.py draws, in MiB: the first round of each. Metadata that is
# there without an object is not held by objects.
curves() {
	echo "# SPDX-License-Identifier: GPL-2.0"
	tsv | awk -F '\t' -v OFS='\t' '
		NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
		$at["round"] != 1 { next }
		{
			key = $at["trace"] OFS $at["kernel"]
			if (!(key in seen)) { seen[key] = 1; keys[++nkeys] = key }
		}
		$at["on"] == "kspan" {
			n = ++samples[key]
			events[key, n] = $at["events"]
			requested[key, n] = $at["requested"]
			held[key, n] = $at["held"]
			spans[key, n] = $at["spans"] + $at["metadata"]
			rest = $at["metadata"] + $at["arenas"] - $at["held"]
			if (n == 1 || rest < fixed[key]) fixed[key] = rest
			next
		}
		{ slub[key, ++slubs[key]] = $at["held"] }
		END {
			print "trace", "kernel", "events", "requested", "kspan_held", "kspan_spans", "slub_held"
			for (k = 1; k <= nkeys; k++) {
				key = keys[k]
				for (n = 1; n <= samples[key]; n++)
					printf "%s\t%d\t%.2f\t%.2f\t%.2f\t%.2f\n", key, events[key, n],
						requested[key, n] / 1048576, held[key, n] / 1048576,
						(spans[key, n] - fixed[key]) / 1048576, slub[key, n] / 1048576
			}
		}'
}

main() {
	local kernel
	[ -z "${KERNEL:-}" ] || check_kernel "$KERNEL"
	one_of "$BENCH_ON" icount mttcg ||
		die "BENCH_ON=$BENCH_ON is no machine to replay on." "Valid: BENCH_ON=icount | mttcg"
	KERNELS=${KERNEL:-$KERNELS}
	case ${1:-} in
	table) show; return ;;
	rst) rst; return ;;
	tsv) tsv; return ;;
	curves) curves; return ;;
	esac
	[ $# -eq 0 ] || die "usage: tools/replay.sh [table | rst | tsv | curves]"
	check_traces
	# shellcheck disable=SC2086
	need_packages $KSPAN_NEEDS_REPLAY $KSPAN_NEEDS_BUILD $KSPAN_NEEDS_BOOT
	for kernel in $KERNELS; do
		run "$kernel"
	done
	show
	for kernel in $KERNELS; do
		echo "all readings, and samples: $(dir_of "$kernel")/results.log, samples.tsv"
	done
}

main "$@"
