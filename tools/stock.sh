#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Fetch the distribution's own kernel: its image, and the headers that modules
# for it are built against. Unpacked under the cache, not installed.
#
#   tools/stock.sh [KERNEL]     prints the directory; it holds vmlinuz and
#                               build (a link to the headers, ready for KDIR=)
#
# Without KERNEL it is the one linux-image-amd64 stands for on this machine;
# KERNEL=6.12 is that of linux-image-6.12-amd64, or the newest of its versions.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# The package that META depends on and whose name begins with PREFIX.
dependency() {
	apt_private machine apt-cache depends "$1" 2>/dev/null |
		awk -v p="$2" '$1 ~ /Depends:$/ && index($2, p) == 1 { print $2; exit }'
}

newest_image() {
	apt_private machine apt-cache pkgnames "linux-image-$1" |
		grep -E "^linux-image-$1\.[0-9.+a-z-]*-amd64$" |
		grep -vE -- '-(cloud|rt)-amd64$' | sort -V | tail -n 1
}

# The release of the kernel, such as 6.1.0-56-amd64.
resolve() {
	local image=
	if [ -z "$1" ]; then
		image=$(dependency linux-image-amd64 linux-image-)
	elif [ -n "$(apt_candidate machine "linux-image-$1-amd64")" ]; then
		image=$(dependency "linux-image-$1-amd64" linux-image-)
	else
		image=$(newest_image "$1")
	fi
	[ -n "$image" ] || {
		local known=''
		one_of "$1" $KSPAN_KERNELS && known="\`make kunit KERNEL=$1\` tests on a kernel built from source."
		die "this machine's release has no stock kernel ${1:-package linux-image-amd64}." \
		    "It has: $(apt_private machine apt-cache pkgnames linux-image- |
			sed -nE 's/^linux-image-([0-9]+\.[0-9]+)[.+0-9a-z-]*-amd64$/\1/p' | sort -uV | xargs)" \
		    ${known:+"$known"}
	}
	echo "${image#linux-image-}"
}

unpack() {
	local package=$1 dir=$2 deb
	shift 2
	deb=$(apt_fetch machine "$package" "$dir/debs")
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" "$@" ||
		die "cannot unpack $deb." "$(no_room "$dir")"
	rm -f "$deb"
}

# Absolute paths of the headers package, in its makefiles and links.
relocate() {
	local dir=$1 to=$2 file link target
	grep -rlIE '/usr/(src|lib)/linux-' "$dir"/usr/src/*/Makefile \
		"$dir"/usr/src/*/.kernelvariables 2>/dev/null | while read -r file; do
		sed -i -E "s,(^|[^.a-z])/usr/(src|lib)/linux-,\1$to/usr/\2/linux-,g" "$file"
	done
	find "$dir/usr" -type l -lname '/usr/*' | while read -r link; do
		target=$(readlink "$link")
		ln -sfn "$to$target" "$link"
	done
}

fetch() {
	local release=$1 to=$2 tmp headers=linux-headers-$1 package
	[ ! -e "$to/complete" ] || return 0
	tmp=$(mktemp -d "$KSPAN_CACHE/stock/tmp.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$tmp'" EXIT
	unpack "linux-image-$release" "$tmp" "./boot/vmlinuz-$release"
	unpack "$headers" "$tmp"
	for package in $(dependency "$headers" linux-headers-) $(dependency "$headers" linux-kbuild-); do
		unpack "$package" "$tmp"
	done
	[ -d "$tmp/usr/src/$headers" ] && [ -f "$tmp/boot/vmlinuz-$release" ] ||
		die "the packages of kernel $release hold no image and headers."
	relocate "$tmp" "$to"
	ln -s "boot/vmlinuz-$release" "$tmp/vmlinuz"
	ln -s "usr/src/$headers" "$tmp/build"
	echo "$release" >"$tmp/complete"
	rm -rf "$to"
	mv "$tmp" "$to"
	chmod 755 "$to"
	trap - EXIT
}

main() {
	local want=${1:-} release to known=$KSPAN_CACHE/stock/known-${1:-default}
	[ -z "$want" ] || [[ $want =~ ^[0-9]+\.[0-9]+$ ]] ||
		die "KERNEL=$want is no version of a stock kernel." "For example: KERNEL=6.12"
	need_packages gcc:gcc make:make dpkg-deb:dpkg
	mkdir -p "$KSPAN_CACHE/stock"
	# What was fetched once serves again, also without a network.
	release=$(cat "$known" 2>/dev/null || :)
	to=$KSPAN_CACHE/stock/$release
	if [ -z "$release" ] || [ ! -e "$to/complete" ]; then
		apt_ready machine || no_network "a stock kernel"
		release=$(resolve "$want")
		to=$KSPAN_CACHE/stock/$release
		with_lock "stock-$release" fetch "$release" "$to"
		echo "$release" >"$known"
	fi
	local compiler
	compiler=$(sed -nE 's/^CC *=.*(gcc-[0-9]+)$/\1/p' "$to"/build/.kernelvariables 2>/dev/null || :)
	[ -z "$compiler" ] || need_packages "$compiler:$compiler"
	# Headers that have vmlinux's types want those of modules, too.
	[ ! -e "$to/build/vmlinux" ] || need_packages pahole:pahole
	echo "$to"
}

main "$@"
