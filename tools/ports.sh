#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build what the suite ports boots with: modules of the kernel that were ported to kspan,
# and what they work with.
#
#   tools/ports.sh KERNEL MODULES PAYLOAD	MODULES has kspan.ko and Module.symvers of
#						KERNEL's flavour dm
#
# NATIVE=1 takes the modules as the kernel has them, to compare.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -eq 3 ] || die "usage: tools/ports.sh KERNEL MODULES PAYLOAD"
KERNEL=$1 MODULES=$2 PAYLOAD=$3
NEEDS="patch:patch dmsetup:dmsetup"

# A program and its libraries, for the guest to run by their own loader.
copy_program() {
	local program
	program=$(PATH=$PATH:/usr/sbin:/sbin command -v "$1")
	mkdir -p "$PAYLOAD/$1"
	cp "$program" "$PAYLOAD/$1/"
	ldd "$program" | grep -o '/[^ ]*' | xargs cp -Lt "$PAYLOAD/$1"
}

build_port() {
	local name=$1 kdir=$2 objects=$PAYLOAD.$1
	info "building the port of $name"
	make -s -C "$KSPAN_TOP/tools/ports/$name" -j"$KSPAN_JOBS" KDIR="$kdir" \
		KSRC="$("$KSPAN_TOP/tools/kernel.sh" --source "$KERNEL")" KSPAN="$MODULES" \
		OUTPUT="$objects" NATIVE="${NATIVE:-}" >"$objects.log" 2>&1 </dev/null ||
		die "the port of $name did not build." "The log: $objects.log"
	find "$objects" -name '*.ko' -exec cp -t "$PAYLOAD" {} +
	rm -rf "$objects"
}

main() {
	local kdir
	need_packages $NEEDS
	kdir=$("$KSPAN_TOP/tools/kernel.sh" "$KERNEL" dm)
	cp "$kdir/drivers/block/brd.ko" "$PAYLOAD/"
	copy_program dmsetup
	build_port dm-vdo "$kdir"
}

main
