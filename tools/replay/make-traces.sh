#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Record the traces of tools/replay/traces anew: make traces.
#
#   tools/replay/make-traces.sh     TRACE=NAME records one (default: all; short is that
#                                   of the selftest); KERNEL=6.1|6.12 chooses the stock
#                                   kernel (6.12)
#
# Debian's stock kernel does in QEMU what tools/replay/tasks/NAME.sh says, and
# kspan records it. No module of ours is loaded.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

HERE=$KSPAN_TOP/tools/replay
OUT=$KSPAN_CACHE/replay/record
TRACES="serve store containers short"

make_payload() {
	local source
	rm -rf "$OUT/payload"
	mkdir -p "$OUT/payload"
	make -s -C "$KSPAN_TOP/tools/kspan" "OUTPUT=$OUT/payload" kspan
	make -s -C "$HERE" "OUTPUT=$OUT/payload" kspan-load
	cp "$HERE"/tasks/*.sh "$OUT/payload/"
	# What the store stores: three of four files of a kernel's source.
	source=$("$KSPAN_TOP/tools/kernel.sh" --source 6.12)
	(cd "$source" && find . -type f -not -name '.kspan*' | sed 's,^\./,,' | sort) |
		awk 'NR % 4' >"$OUT/payload/list"
}

file_of() {
	case $1 in
	short) echo "$KSPAN_TOP/tools/testing/selftests/kspan/short.ktrace" ;;
	*) echo "$HERE/traces/$1.ktrace" ;;
	esac
}

# extract NAME: out of what the guest has printed
extract() {
	local file
	file=$(file_of "$1")
	tr -d '\r' <"$OUT/results.log" |
		sed -n "/^KSPAN-TRACE begin $1\$/,/^KSPAN-TRACE end $1\$/p" |
		grep -v '^KSPAN-TRACE' | base64 -d >"$file.new"
	"$OUT/payload/kspan" info "$file.new" >"$OUT/$1.txt" ||
		die "the trace did not arrive; see $OUT/results.log"
	mv "$file.new" "$file"
	echo "$file: $(stat -c %s "$file") bytes"
	cat "$OUT/$1.txt"
}

main() {
	local stock trace kernel=${KERNEL:-6.12}
	check_kernel "$kernel"
	TRACE=${TRACE:-$TRACES}
	# shellcheck disable=SC2086
	for trace in $TRACE; do
		one_of "$trace" $TRACES ||
			die "TRACE=$trace is no trace that is made here." "Valid: TRACE=${TRACES// / | }"
	done
	# shellcheck disable=SC2086
	need_packages gcc:gcc make:make -:libc6-dev $KSPAN_NEEDS_TOOL $KSPAN_NEEDS_BOOT
	stock=$("$KSPAN_TOP/tools/stock.sh" "$kernel")
	make_payload
	"$KSPAN_TOP/tools/qemu.sh" --kernel "$stock/vmlinuz" --guest record.sh --payload "$OUT/payload" \
		--out "$OUT" --env "TRACES=$TRACE" --cpus 2 --nodes 1 --mem 2048 --silence 600 \
		--label record
	for trace in $TRACE; do
		extract "$trace"
	done
}

main "$@"
