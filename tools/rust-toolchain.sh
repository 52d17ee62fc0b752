#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The Rust toolchain that Linux 7.3 wants, from Debian's packages.
#
#   tools/rust-toolchain.sh	print a directory to put first in PATH: it has rustc, rustfmt and bindgen
#
# They are of the release whose compiler Debian's own 7.3 is built with, and newer than
# this machine's libraries may be. So nothing is installed: the packages are unpacked
# under the cache with all libraries they need, the C library too, and the commands run by
# that library's own loader. What rustc links, it links by this machine's cc, and that
# runs here as any other program. It is fetched once, 150 MB, and takes 510 MB.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

SUITE=trixie
# Of the compiler's sources only the library core is wanted, which a kernel compiles anew,
# and what that includes.
SOURCE=rust-src
PACKAGES="rustc rustfmt libstd-rust-dev libstd-rust-1.85 libllvm19 bindgen libclang1-19
	libc6 libgcc-s1 libstdc++6 libbsd0 libedit2 libffi8 liblzma5 libmd0 libtinfo6
	libxml2 libz3-4 libzstd1 zlib1g"
COMMANDS="rustc rustfmt bindgen"
# By what it is made of: another list makes another toolchain.
RUST=$KSPAN_CACHE/rust/$SUITE-$(echo "$PACKAGES $SOURCE $COMMANDS" | sha256sum | cut -c1-6)

unpack() {
	local deb=$1 root=$2
	case ${deb##*/} in
	${SOURCE}_*)
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --wildcards \
			'./usr/lib/rustlib/src/rust' './usr/src/rustc-*/library/core' \
			'./usr/src/rustc-*/library/stdarch/crates/core_arch' \
			'./usr/src/rustc-*/library/portable-simd/crates/core_simd'
		;;
	*) dpkg-deb -x "$deb" "$root" ;;
	esac || die "cannot unpack $deb." "Is the disk full? $(df -h "$root" | tail -n 1)"
}

# command_of NAME ROOT: a script that runs ROOT's NAME.
command_of() {
	cat >"$2/bin/$1" <<-EOF
	#!/bin/sh
	# Made by tools/rust-toolchain.sh: $1 with the libraries it was packaged for.
	root=\${0%/*}/..
	lib=\$root/usr/lib/x86_64-linux-gnu
	LIBCLANG_PATH=\$lib exec "\$lib/ld-linux-x86-64.so.2" --library-path "\$lib" "\$root/usr/bin/$1" "\$@"
	EOF
	chmod +x "$2/bin/$1"
}

fetch() {
	[ ! -e "$RUST/.kspan-complete" ] || return 0
	need_packages dpkg-deb:dpkg
	apt_ready $SUITE || no_network rustc
	local tmp package deb command
	mkdir -p "${RUST%/*}"
	tmp=$(mktemp -d "${RUST%/*}/tmp.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$tmp'" EXIT
	mkdir -p "$tmp/deb" "$tmp/root/bin"
	for package in $PACKAGES $SOURCE; do
		deb=$(apt_fetch $SUITE "$package" "$tmp/deb")
		unpack "$deb" "$tmp/root"
		echo "$package $(dpkg-deb -f "$deb" Version)" >>"$tmp/root/.kspan-complete"
	done
	for command in $COMMANDS; do
		command_of "$command" "$tmp/root"
		"$tmp/root/bin/$command" --version >/dev/null ||
			die "$command of $SUITE does not run here (above)." \
			    "A library it needs may have another name now: correct PACKAGES in tools/rust-toolchain.sh."
	done
	rm -rf "$RUST"
	mv "$tmp/root" "$RUST"
	rm -rf "$tmp"
	trap - EXIT
}

[ $# -eq 0 ] || die "usage: tools/rust-toolchain.sh"
with_lock rust fetch >&2
echo "$RUST/bin"
