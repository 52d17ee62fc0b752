#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Fetch, configure and build a test kernel under the cache.
#
#   tools/kernel.sh KERNEL FLAVOUR    print the build directory
#   tools/kernel.sh --source KERNEL   print the source directory, build nothing
#
# KERNEL is 6.1, 6.12 or 7.3, FLAVOUR is plain or a fragment's name under
# tools/kernel/ (debug, rt). The source is Debian's package linux-source-KERNEL,
# from this machine's own apt sources or a neighbouring suite of the same
# mirror. KSRC=DIR uses a source tree of one's own instead. A build is keyed by
# the source's version, the flavour, the fragments' text and the compiler; it
# is made once and found again. The build directory holds bzImage,
# .config, Module.symvers and all that an external module's build needs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

FRAGMENTS=$KSPAN_TOP/tools/kernel

# Where a kernel's source package may be: machine's own first.
suites_of() {
	case $1 in
	6.1)  echo machine bookworm ;;
	6.12) echo machine trixie bookworm-backports ;;
	7.*)  echo machine trixie-backports ;;
	esac
}

# The newest linux-source-7.* of a suite, when the wanted one is gone.
newest_of() {
	apt_private "$1" apt-cache pkgnames "linux-source-$2." 2>/dev/null |
		grep -x "linux-source-$2\.[0-9]*" | sort -V | tail -n 1
}

# Prints "SUITE PACKAGE" for KERNEL.
find_source() {
	local kernel=$1 package=linux-source-$1 suite rc=0
	# shellcheck disable=SC2046
	suite=$(apt_find "$package" $(suites_of "$kernel")) || rc=$?
	[ $rc -ne 2 ] || exit 2		# it said why
	if [ $rc -eq 0 ]; then
		echo "$suite $package"
		return
	fi
	if [ "$kernel" = 7.3 ]; then
		package=$(newest_of trixie-backports 7)
		if [ -n "$package" ]; then
			info "linux-source-7.3 is gone from the mirror; $package stands for it"
			echo "trixie-backports $package"
			return
		fi
	fi
	die "no package $package in: $(suites_of "$kernel")." \
	    "Is the network up? Or set KSRC= to a kernel source tree of your own."
}

fetch_source() {
	local kernel=$1 dir=$KSPAN_CACHE/src/linux-$1 found suite package deb tmp
	[ ! -e "$dir/.kspan-version" ] || return 0
	need_packages dpkg-deb:dpkg xz:xz-utils
	found=$(find_source "$kernel")
	suite=${found% *} package=${found#* }
	tmp=$(mktemp -d "$KSPAN_CACHE/src/tmp.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$tmp'" EXIT
	deb=$(apt_fetch "$suite" "$package" "$tmp")
	info "unpacking $package"
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xO --wildcards "./usr/src/$package.tar.xz" | xz -dc -T0 |
		tar -x -C "$tmp" ||
		die "cannot unpack $deb." "Is the disk full? $(df -h "$tmp" | tail -n 1)"
	[ -f "$tmp/$package/Kconfig" ] && [ -f "$tmp/$package/Makefile" ] ||
		die "$package holds no kernel source." "Set KSRC= to a source tree of your own."
	echo "$package $(dpkg-deb -f "$deb" Version)" >"$tmp/$package/.kspan-version"
	rm -rf "$dir"
	mv "$tmp/$package" "$dir"
	rm -rf "$tmp"
	trap - EXIT
}

# Sets SRC, the source directory, and VERSION, a word that names it.
get_source() {
	if [ -n "${KSRC:-}" ]; then
		[ -f "$KSRC/Kconfig" ] && [ -f "$KSRC/Makefile" ] ||
			die "KSRC=$KSRC is not a kernel source tree: it has no Kconfig and Makefile." \
			    "Give the top directory of an unpacked kernel source."
		SRC=$(cd "$KSRC" && pwd)
		VERSION=$(make -s -C "$SRC" kernelversion)-$(echo "$SRC" | sha256sum | cut -c1-8)
		return
	fi
	mkdir -p "$KSPAN_CACHE/src"
	with_lock "src-$1" fetch_source "$1"
	SRC=$KSPAN_CACHE/src/linux-$1
	VERSION=$(sed 's/^linux-source-[0-9.]* //; s/[^A-Za-z0-9.+-]/_/g' "$SRC/.kspan-version")
}

# fragments_of KERNEL FLAVOUR: in the order they are merged.
fragments_of() {
	echo "$FRAGMENTS/base.config"
	[ "$2" = plain ] || echo "$FRAGMENTS/$2.config"
	[ ! -e "$FRAGMENTS/$1/$2.config" ] || echo "$FRAGMENTS/$1/$2.config"
}

wanted() {
	# A later fragment has the last word on a symbol.
	# shellcheck disable=SC2046
	sed -nE 's/^(CONFIG_[A-Za-z0-9_]+=.*)$/\1/p;
		 s/^# (CONFIG_[A-Za-z0-9_]+) is not set$/\1=n/p' $(fragments_of "$1" "$2") |
		awk -F= '{ v[$1] = $0 } END { for (s in v) print v[s] }' | sort
}

# Symbols that a version lacks or decides itself: see tools/kernel/exceptions.
excepted() {
	awk -v k="$1" -v s="$2" '
		/^[A-Z]/ && $1 == s { n = split($2, v, ","); for (i = 1; i <= n; i++) if (v[i] == k) found = 1 }
		END { exit !found }' "$FRAGMENTS/exceptions"
}

# What was asked for must be in .config, or be excepted by name.
verify_config() {
	local kernel=$1 flavour=$2 config=$3 line symbol lost=()
	while read -r line; do
		symbol=${line%%=*}
		case $line in
		*=n) ! grep -q "^$symbol=" "$config" && continue ;;
		*)   grep -qxF "$line" "$config" && continue ;;
		esac
		excepted "$kernel" "${symbol#CONFIG_}" ||
			lost+=("$line (got: $(grep -E "^$symbol=" "$config" || echo none))")
	done < <(wanted "$kernel" "$flavour")
	[ ${#lost[@]} -eq 0 ] ||
		die "the $kernel $flavour configuration did not become what was asked:" \
		    "${lost[@]}" "Correct tools/kernel/*.config, or name the exception in tools/kernel/exceptions."
}

configure() {
	local kernel=$1 flavour=$2 out=$3 seed=$3/seed.config
	# shellcheck disable=SC2046
	cat "$SRC/kernel/configs/tiny.config" $(fragments_of "$kernel" "$flavour") >"$seed"
	{
		make -C "$SRC" O="$out" ARCH=x86_64 CC="$COMPILER" KCONFIG_ALLCONFIG="$seed" allnoconfig &&
		make -C "$SRC" O="$out" ARCH=x86_64 CC="$COMPILER" olddefconfig
	} >"$out/configure.log" 2>&1 </dev/null || {
		tail -n 20 "$out/configure.log" >&2
		die "configuring $kernel $flavour failed (log: $out/configure.log)"
	}
	verify_config "$kernel" "$flavour" "$out/.config"
}

compile() {
	local out=$1
	nice make -C "$SRC" O="$out" ARCH=x86_64 CC="$COMPILER" -j"$KSPAN_JOBS" \
		KBUILD_BUILD_HOST=kspan KBUILD_BUILD_USER=kspan bzImage modules
	# With no module in the tree, modpost made no Module.symvers of its own.
	[ -s "$out/Module.symvers" ] || cp "$out/vmlinux.symvers" "$out/Module.symvers"
	[ -s "$out/Module.symvers" ]
}

build_kernel() {
	local kernel=$1 flavour=$2 out=$3
	[ ! -e "$out/.kspan-complete" ] || return 0
	local start=$SECONDS
	rm -rf "$out"
	mkdir -p "$out" "$KSPAN_CACHE/log"
	need_packages $KSPAN_NEEDS_BUILD
	info "building kernel $kernel $flavour ($VERSION) in $out"
	configure "$kernel" "$flavour" "$out"
	with_progress "$out/build.log" "kernel $kernel $flavour" \
		"echo \$(grep -cE '^ +(CC|AS|LD|AR) ' '$out/build.log') objects" compile "$out" ||
		die "building kernel $kernel $flavour failed." "The log: $out/build.log"
	echo "$VERSION $((SECONDS - start)) s" >"$out/.kspan-complete"
	info "kernel $kernel $flavour built in $((SECONDS - start)) s"
}

key_of() {
	# What is asked for, not how the fragments word it.
	{
		wanted "$1" "$2"
		compiler_version "$COMPILER"
		[ "$2" != rust ] || rustc --version
	} | sha256sum | cut -c1-8
}

main() {
	if [ "${1:-}" = --source ] && [ $# -eq 2 ]; then
		check_kernel "$2"
		get_source "$2"
		echo "$SRC"
		return
	fi
	[ $# -eq 2 ] || die "usage: tools/kernel.sh KERNEL FLAVOUR | --source KERNEL"
	check_kernel "$1"
	check_flavour "$2" "$1"
	need_packages gcc:gcc make:make
	COMPILER=$(compiler_of "$1" "$2")
	need_packages "$COMPILER:$COMPILER"
	use_toolchain "$2"
	get_source "$1"
	local out
	out=$KSPAN_CACHE/build/$1-$2-$VERSION-$(key_of "$1" "$2")
	mkdir -p "$KSPAN_CACHE/build"
	# One kernel build at a time: two would only share the same processors.
	[ -e "$out/.kspan-complete" ] || with_lock kernel-build build_kernel "$1" "$2" "$out"
	echo "$out"
}

main "$@"
