#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build what the suite rust boots with: the sample that has kspan as an allocator of Rust's.
#
#   tools/rust.sh KERNEL MODULES PAYLOAD	MODULES has kspan.ko and Module.symvers of
#						KERNEL's flavour rust
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -eq 3 ] || die "usage: tools/rust.sh KERNEL MODULES PAYLOAD"
KERNEL=$1 MODULES=$2 PAYLOAD=$3

main() {
	local kdir objects=$PAYLOAD.objects
	use_toolchain rust
	kdir=$("$KSPAN_TOP/tools/kernel.sh" "$KERNEL" rust)
	rustfmt --check --edition 2021 \
		--config-path "$("$KSPAN_TOP/tools/kernel.sh" --source "$KERNEL")/.rustfmt.toml" \
		"$KSPAN_TOP"/tools/samples/rust/*.rs >&2 ||
		die "the sample in Rust is not written as rustfmt writes it (above)."
	info "building the sample in Rust"
	rm -rf "$objects"
	mkdir -p "$objects"
	cp "$KSPAN_TOP"/tools/samples/rust/{Kbuild,*.rs} "$objects/"
	make -C "$kdir" M="$objects" KRUSTFLAGS=-Dwarnings \
		KBUILD_EXTRA_SYMBOLS="$(realpath "$MODULES")/Module.symvers" modules \
		>"$objects.log" 2>&1 </dev/null || {
		grep -A 12 '^error' "$objects.log" | head -n 60 >&2
		die "the sample in Rust did not build." "The log: $objects.log"
	}
	cp "$objects/kspan_rust.ko" "$PAYLOAD/"
	rm -rf "$objects"
}

main
