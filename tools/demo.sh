#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Show kspan at work on the distribution's stock kernel, in QEMU: make demo.
#
#   tools/demo.sh      KERNEL=6.1|6.12 chooses the stock kernel (default: the
#                      one linux-image-amd64 stands for), INPUT=FILE the text
#                      (default: a large header of the kernel's), SAMPLE=NAME
#                      the module that uses kspan (default: words; all: one
#                      after the other)
#
# A sample is a directory of tools/samples: NAME/*.c is the module kspan_NAME.ko,
# and NAME/demo.sh shows it at work in the guest, with tools/guest/demo-lib.sh.
# Nothing is installed but missing tools; packages are unpacked in the cache.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

OUT=$KSPAN_CACHE/demo/$$
SAMPLE=${SAMPLE:-words}

samples() {
	(cd "$KSPAN_TOP/tools/samples" && for demo in */demo.sh; do echo "${demo%/*}"; done | xargs)
}

check_arguments() {
	local valid
	valid="$(samples) all"
	# shellcheck disable=SC2086
	one_of "$SAMPLE" $valid ||
		die "SAMPLE=$SAMPLE is not a sample of this project." "Valid: SAMPLE=${valid// / | }"
	[ "$SAMPLE" != all ] || SAMPLE=$(samples)
	[ -n "${INPUT:-}" ] || return 0
	[ -e "$INPUT" ] || die "INPUT=$INPUT: there is no such file." "Give a text file: make demo INPUT=/path/to/text"
	[ ! -d "$INPUT" ] || die "INPUT=$INPUT is a directory." "Give a text file: make demo INPUT=/path/to/text"
	[ -r "$INPUT" ] && head -c 1 "$INPUT" >/dev/null 2>&1 ||
		die "INPUT=$INPUT cannot be read by $(id -un)." "Give a file you may read, or change its mode."
	[ -s "$INPUT" ] || die "INPUT=$INPUT is empty." "Give a text file with words in it."
	local size
	size=$(stat -L -c %s "$INPUT")
	[ "$size" -le $((128 << 20)) ] ||
		die "INPUT=$INPUT has $((size >> 20)) MiB; it travels in the guest's memory, up to 128 MiB." \
		    "Give a smaller file, or part of it (head -c 128M)."
}

# The kernel's headers are a text that every run has: the one with most prose.
default_input() {
	local headers=$1 preferred
	preferred=$(find -L "$headers/" "$headers"/../*-common/ -maxdepth 4 \
		-path '*/include/uapi/linux/nl80211.h' 2>/dev/null | head -n 1)
	[ -n "$preferred" ] || preferred=$(find "$headers"/../*-common/include -name '*.h' \
		-printf '%s %p\n' | sort -rn | head -n 1 | cut -d' ' -f2-)
	echo "$preferred"
}

# make_payload MODULES INPUT: kspan, the samples, their demos, and the text.
make_payload() {
	local sample
	cp "$1/kspan.ko" "$OUT/payload/"
	cp "$2" "$OUT/payload/input"
	for sample in $SAMPLE; do
		cp "$1/kspan_$sample.ko" "$OUT/payload/"
		cp "$KSPAN_TOP/tools/samples/$sample/demo.sh" "$OUT/payload/$sample.sh"
	done
}

main() {
	local start=$SECONDS stock release modules input
	check_arguments
	need_packages $KSPAN_NEEDS_BUILD $KSPAN_NEEDS_BOOT
	stock=$("$KSPAN_TOP/tools/stock.sh" "${KERNEL:-}")
	release=$(cat "$stock/complete")
	[ $((SECONDS - start)) -lt 10 ] || start=$SECONDS
	modules=$(KSPAN_BUILD=samples "$KSPAN_TOP/tools/build.sh" --kdir "$stock/build" "stock-$release")
	input=${INPUT:-$(default_input "$(realpath "$stock/build")")}

	mkdir -p "$OUT/payload"
	trap 'rm -rf "$OUT/payload"' EXIT
	make_payload "$modules" "$input"
	info "booting Debian's $release; the demo of $SAMPLE works on $(basename "$input")"
	local rc=0
	"$KSPAN_TOP/tools/qemu.sh" --kernel "$stock/vmlinuz" --payload "$OUT/payload" \
		--guest demo.sh --out "$OUT" --label demo \
		--silence 120 --timeout $((1800 + 600 * $(wc -w <<<"$SAMPLE"))) --env "SAMPLES=$SAMPLE" \
		--env "INPUT_NAME=$(basename "$input")" || rc=$?
	sed -n '/^KSPAN-DEMO begin/,/^KSPAN-DEMO end/p' "$OUT/results.log" |
		grep -v -e '^KSPAN-' || :
	[ $rc -eq 0 ] || {
		grep -v '^KSPAN-' "$OUT/results.log" | tail -n 5 >&2
		die "the demo failed: $(cat "$OUT/verdict" 2>/dev/null || echo 'no verdict')" \
		    "The kernel's log: $OUT/console.log"
	}
	info "the demo took $((SECONDS - start)) s after the downloads; logs: $OUT"
}

main "$@"
