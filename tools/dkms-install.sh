#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Register, build and install kspan with DKMS.
# Usage: tools/dkms-install.sh [KDIR]     (make dkms-install [KDIR=DIR])
#
# Without KDIR it is built for the running kernel. DESTDIR= only lays out the
# source tree, for a packager.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

copy_tree() {
	local to=$1
	rm -rf "$to"
	mkdir -p "$to"
	cd "$KSPAN_TOP"
	cp -r --parents Kbuild Makefile COPYING dkms.conf module tools "$to/"
	[ ! -d kunit ] || cp -r kunit "$to/"
	find "$to" \( -name '*.o' -o -name '*.ko' -o -name '*.mod*' -o -name '.*.cmd' \) -delete
}

[ $# -le 1 ] || die "usage: tools/dkms-install.sh [KDIR]"
KDIR=${1:-}
VERSION=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' "$KSPAN_TOP/dkms.conf")
if [ -n "$KDIR" ]; then
	KERNEL_RELEASE=$(sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$KDIR/include/generated/utsrelease.h" 2>/dev/null) ||
		die "KDIR=$KDIR holds no configured kernel build." \
		    "Give the directory of a built kernel, or of a linux-headers package."
	set -- -k "$KERNEL_RELEASE" --kernelsourcedir "$KDIR"
else
	[ -n "${DESTDIR:-}" ] || [ -d "/lib/modules/$(uname -r)/build" ] ||
		die "there are no headers of the running kernel $(uname -r)." \
		    "Debian: apt-get install linux-headers-\$(uname -r); or name a build: make dkms-install KDIR=DIR"
	set --
fi
TREE=${DESTDIR:-}/usr/src/kspan-$VERSION
if [ -z "${DESTDIR:-}" ]; then
	[ "$(id -u)" = 0 ] || die "dkms-install changes the system and must run as root."
	need_packages dkms:dkms
	! dkms status -m kspan -v "$VERSION" 2>/dev/null | grep -q . ||
		dkms remove -m kspan -v "$VERSION" --all
fi
copy_tree "$TREE"
info "source in $TREE"
[ -z "${DESTDIR:-}" ] || exit 0
dkms add -m kspan -v "$VERSION"
dkms install -m kspan -v "$VERSION" "$@"
