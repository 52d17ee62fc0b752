#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build a test kernel as User Mode Linux, which runs at the processor's own speed.
# Usage: tools/uml.sh KERNEL    print the build directory
#
# The source is that of tools/kernel.sh, the configuration tools/kernel/base.config
# as far as UML has its symbols, and tools/kernel/um/base.config. The directory holds
# the executable "linux" and all that a module's build with ARCH=um needs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

FRAGMENTS=("$KSPAN_TOP/tools/kernel/base.config" "$KSPAN_TOP/tools/kernel/um/base.config")

configure() {
	local src=$1 out=$2 line symbol lost=()
	cat "$src/kernel/configs/tiny.config" "${FRAGMENTS[@]}" >"$out/seed.config"
	{
		make -C "$src" O="$out" ARCH=um KCONFIG_ALLCONFIG="$out/seed.config" allnoconfig &&
		make -C "$src" O="$out" ARCH=um olddefconfig
	} >"$out/configure.log" 2>&1 </dev/null || {
		tail -n 20 "$out/configure.log" >&2
		die "configuring the kernel failed (log: $out/configure.log)"
	}
	while read -r line; do
		symbol=${line%%=*}
		case $line in
		*=n) ! grep -q "^$symbol=" "$out/.config" || lost+=("$line") ;;
		*) grep -qx "$line" "$out/.config" || lost+=("$line") ;;
		esac
	done < <(sed -nE 's/^(CONFIG_[A-Za-z0-9_]+=.*)$/\1/p;
		s/^# (CONFIG_[A-Za-z0-9_]+) is not set$/\1=n/p' "${FRAGMENTS[@]:1}")
	[ ${#lost[@]} -eq 0 ] ||
		die "the configuration did not become what was asked:" "${lost[@]}" \
		    "Correct tools/kernel/um/base.config."
}

compile() {
	local src=$1 out=$2
	nice make -C "$src" O="$out" ARCH=um -j"$KSPAN_JOBS" \
		KBUILD_BUILD_HOST=kspan KBUILD_BUILD_USER=kspan linux modules
	[ -s "$out/Module.symvers" ] || cp "$out/vmlinux.symvers" "$out/Module.symvers"
	[ -s "$out/Module.symvers" ]
}

build_kernel() {
	local kernel=$1 src=$2 out=$3 start=$SECONDS
	[ ! -e "$out/.kspan-complete" ] || return 0
	rm -rf "$out"
	mkdir -p "$out"
	need_packages $KSPAN_NEEDS_BUILD
	info "building kernel $kernel as User Mode Linux in $out"
	configure "$src" "$out"
	with_progress "$out/build.log" "kernel $kernel uml" \
		"echo \$(grep -cE '^ +(CC|AS|LD|AR) ' '$out/build.log') objects" compile "$src" "$out" ||
		die "building kernel $kernel as User Mode Linux failed." "The log: $out/build.log"
	touch "$out/.kspan-complete"
	info "kernel $kernel uml built in $((SECONDS - start)) s"
}

main() {
	local src out key
	[ $# -eq 1 ] || die "usage: tools/uml.sh KERNEL"
	check_kernel "$1"
	[ "$(uname -m)" = x86_64 ] ||
		die "User Mode Linux runs on x86 only, and this machine is $(uname -m)."
	[ ! -e "$KSPAN_TOP/tools/kernel/$1/um.config" ] ||
		FRAGMENTS+=("$KSPAN_TOP/tools/kernel/$1/um.config")
	src=$("$KSPAN_TOP/tools/kernel.sh" --source "$1")
	key=$({ cat "${FRAGMENTS[@]}"; make -s -C "$src" kernelversion; echo "$src"
		gcc -dumpfullversion; } | sha256sum | cut -c1-8)
	out=$KSPAN_CACHE/build/$1-uml-$key
	mkdir -p "$KSPAN_CACHE/build"
	[ -e "$out/.kspan-complete" ] || with_lock kernel-build build_kernel "$1" "$src" "$out"
	echo "$out"
}

main "$@"
