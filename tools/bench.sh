#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kspan beside SLUB in exact instruction counts (QEMU's -icount), one boot a
# kernel. Usage: tools/bench.sh  (make bench)
#
# KERNEL= names one kernel (default: all three), BENCH= parameters of the
# module, for example BENCH="n=10000 rounds=5"; modinfo kspan_bench lists them.
# The raw lines are kept under the cache, where the last line says.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

run() {
	local kernel=$1 kdir modules out=$KSPAN_CACHE/bench/$1
	kdir=$("$KSPAN_TOP/tools/kernel.sh" "$kernel" plain)
	modules=$("$KSPAN_TOP/tools/build.sh" "$kernel" plain)
	mkdir -p "$out"
	"$KSPAN_TOP/tools/qemu.sh" --kernel "$kdir/arch/x86/boot/bzImage" --payload "$modules" \
		--guest bench.sh --env "BENCH=${BENCH:-}" --icount --out "$out" \
		--timeout "${TIMEOUT:-1200}" --label "$kernel bench"
	echo
	echo "$kernel, instructions per alloc+free pair, loop subtracted"
	show "$out/results.log"
	echo "raw lines: $out/results.log"
}

# Lines of key=value, made a table.
show() {
	grep '^seed=' "$1" || die "the benchmark printed nothing; see $1"
	printf '%-8s %8s %12s %12s %7s\n' pattern size kspan slub ratio
	awk '/^pattern=/ {
		for (i = 1; i <= NF; i++) {
			split($i, pair, "=")
			value[pair[1]] = pair[2]
		}
		printf "%-8s %8s %12s %12s %7s\n", value["pattern"], value["size"], \
			value["kspan"], value["slub"], value["ratio"]
	}' "$1"
}

main() {
	local kernel
	[ -z "${KERNEL:-}" ] || check_kernel "$KERNEL"
	# shellcheck disable=SC2086
	need_packages $KSPAN_NEEDS_BUILD $KSPAN_NEEDS_BOOT
	for kernel in ${KERNEL:-$KSPAN_KERNELS}; do run "$kernel"; done
}

main
