#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kspan by way of DKMS, which builds it for every kernel that the machine gets.
#
#   tools/dkms.sh install [KDIR]   build this version for every installed kernel that has headers,
#                                  or for that of KDIR alone; then put it in the place of
#                                  whichever version is installed  (make dkms-install)
#   tools/dkms.sh remove           all versions, from all kernels  (make dkms-remove)
#   tools/dkms.sh tree DIR         lay out in DIR/usr/src what DKMS builds from
#   tools/dkms.sh replace VERSION [KDIR]   what install does with a tree that is laid out
#
# The new version is built beside the old one. Where it does not build for one of the kernels it
# is taken away again, and the old one stays as it was. VERSION= names the version to lay out
# (default: tools/version.sh's).
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# What DKMS builds from, and what is needed to be rid of it.
SOURCES='^(Kbuild|Makefile|COPYING|dkms.conf|module/.*|tools/(dkms|dkms-keep|lib|secure-boot)\.sh)$'

# tree DIR VERSION
tree() {
	local to=$1/usr/src/kspan-$2
	rm -rf "$to"
	mkdir -p "$to"
	(cd "$KSPAN_TOP" && source_files "$SOURCES" | xargs -0 cp --parents -t "$to")
	sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$2\"/" "$to/dkms.conf"
}

# Prints the versions that DKMS knows of.
versions() {
	dkms status -m kspan 2>/dev/null | sed -nE 's|^kspan/([^,:]+)[,:].*|\1|p' | sort -u
}

# in_state VERSION STATE [KERNEL]: for that kernel, or for any
in_state() {
	dkms status -m kspan -v "$1" ${3:+-k "$3"} 2>/dev/null | grep -q ": $2"
}

# The kernels to build for: all that are installed with their headers.
kernels() {
	local dir
	for dir in /lib/modules/*/build/; do
		[ -e "$dir/Makefile" ] || continue
		dir=${dir#/lib/modules/}
		echo "${dir%/build/}"
	done
}

release_of() {
	sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$1/include/generated/utsrelease.h" 2>/dev/null ||
		die "KDIR=$1 holds no configured kernel build." \
		    "Give the directory of a built kernel, or of a linux-headers package."
}

# Sets VERSION, and lays it out. Sources that differ from those of the same version, as when somebody
# changed a tarball's, have a name of their own.
lay_out() {
	local new
	VERSION=${VERSION:-$("$KSPAN_TOP/tools/version.sh")}
	new=$(mktemp -d)
	tree "$new" "$VERSION"
	if [ -e "/usr/src/kspan-$VERSION" ] && ! diff -rq "$new/usr/src/kspan-$VERSION" "/usr/src/kspan-$VERSION" >/dev/null; then
		VERSION+=+$(cd "$new/usr/src" && find . -type f -print0 | sort -z | xargs -0 cat | sha256sum | cut -c1-7)
	fi
	rm -rf "$new"
	tree '' "$VERSION"
}

# forget VERSION: from DKMS, and its source, unless that is a package's.
forget() {
	dkms remove -m kspan -v "$1" --all >/dev/null 2>&1 || :
	rm -rf "/var/lib/dkms/kspan/$1"
	dpkg-query -S "/usr/src/kspan-$1" >/dev/null 2>&1 || rm -rf "/usr/src/kspan-$1"
}

# build VERSION [KDIR]: for each of KERNELS; leaves in KERNELS those that it is for.
build() {
	local kernel rc built=()
	for kernel in "${KERNELS[@]}"; do
		rc=0
		in_state "$1" '\(built\|installed\)' "$kernel" || {
			info "building kspan $1 for $kernel"
			dkms build -m kspan -v "$1" -k "$kernel" ${2:+--kernelsourcedir "$2"} >"$LOG" 2>&1 || rc=$?
		}
		case $rc in
		0) built+=("$kernel") ;;
		77) info "$kernel is no kernel for kspan: see BUILD_EXCLUSIVE in dkms.conf" ;;
		*)
			tail -n 20 "$LOG" "/var/lib/dkms/kspan/$1/build/make.log" >&2 2>/dev/null || :
			return 1 ;;
		esac
	done
	KERNELS=(${built+"${built[@]}"})
	[ ${#KERNELS[@]} -gt 0 ]
}

# install VERSION: each of KERNELS gets it. --force: an older version may follow a newer one.
install() {
	local kernel
	for kernel in "${KERNELS[@]}"; do
		in_state "$1" installed "$kernel" ||
			dkms install --force -m kspan -v "$1" -k "$kernel" >"$LOG" 2>&1 || {
			tail -n 20 "$LOG" >&2
			return 1
		}
	done
}

# Notes in ACTIVE which version each kernel has: "KERNEL VERSION" lines.
note_active() {
	ACTIVE=$(dkms status -m kspan 2>/dev/null | sed -nE 's|^kspan/([^,]+), ([^,]+), [^:]+: installed.*|\2 \1|p')
}

# What each kernel had before.
put_back() {
	local kernel version
	while read -r kernel version; do
		[ -n "$kernel" ] && ! in_state "$version" installed "$kernel" || continue
		dkms install --force -m kspan -v "$version" -k "$kernel" >/dev/null 2>&1 ||
			info "kspan $version could not be put back for $kernel"
	done <<<"$ACTIVE"
}

what_stays() {
	note_active
	if [ -n "$ACTIVE" ]; then
		awk '{ printf "%s has kspan %s as before. ", $1, $2 }' <<<"$ACTIVE"
	else
		echo "No kernel had kspan, and none has it now."
	fi
}

# replace VERSION [KDIR]
replace() {
	local version=$1 known old
	known=$(versions)
	if [ -n "${2:-}" ]; then
		KERNELS=("$(release_of "$2")")
	else
		mapfile -t KERNELS < <(kernels)
	fi
	if [ ${#KERNELS[@]} -eq 0 ] && [ -n "${DPKG_MAINTSCRIPT_PACKAGE:-}" ]; then
		one_of "$version" $known || dkms add -m kspan -v "$version" >/dev/null
		info "no kernel has headers here; DKMS will build kspan for those that come"
		return 0
	fi
	[ ${#KERNELS[@]} -gt 0 ] ||
		die "there are no headers of an installed kernel." \
		    "Debian: apt-get install linux-headers-\$(uname -r); or name a build: make dkms-install KDIR=DIR"
	note_active
	one_of "$version" $known || dkms add -m kspan -v "$version" >/dev/null
	if ! build "$version" "${2:-}"; then
		one_of "$version" $known || forget "$version"
		die "kspan $version did not build (above)." "$(what_stays)"
	fi
	if ! install "$version"; then
		one_of "$version" $known || forget "$version"
		put_back
		die "kspan $version could not be installed (above)." "$(what_stays)"
	fi
	# A kernel without headers, or one that was not asked for, keeps what it has.
	for old in $known; do
		[ "$old" = "$version" ] || in_state "$old" installed || forget "$old"
	done
	info "kspan $version is installed for ${KERNELS[*]}"
	"$KSPAN_TOP/tools/secure-boot.sh" dkms
}

need_root() {
	[ "$(id -u)" = 0 ] || die "this changes the system and must run as root."
	need_packages dkms:dkms
	! dpkg-query -W -f '${db:Status-Status}\n' kspan-dkms 2>/dev/null | grep -qx installed ||
		[ -n "${DPKG_MAINTSCRIPT_PACKAGE:-}" ] ||
		die "the package kspan-dkms is installed, and does this itself." "To be rid of it: apt-get remove kspan-dkms"
}

# For modules that use kspan, where make install has it, too.
DEPENDENTS=/usr/local/src/kspan

LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT
case ${1:-}/$# in
install/[12])
	need_root
	lay_out
	replace "$VERSION" "${2:-}"
	mkdir -p $DEPENDENTS
	cp "$KSPAN_TOP/tools/kspan.mk" $DEPENDENTS/
	;;
replace/[23])
	need_root
	replace "$2" "${3:-}"
	;;
remove/1)
	need_root
	for version in $(versions); do
		forget "$version"
		info "kspan $version is removed"
	done
	ls -d $DEPENDENTS/*/ >/dev/null 2>&1 || rm -rf $DEPENDENTS
	;;
tree/2) tree "$2" "${VERSION:-$("$KSPAN_TOP/tools/version.sh")}" ;;
*) die "usage: tools/dkms.sh install [KDIR] | remove | tree DIR | replace VERSION [KDIR]" ;;
esac
