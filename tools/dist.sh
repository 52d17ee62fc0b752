#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Make a source tarball of the commit that is checked out, and its checksum: make dist.
# Prints the directory that has them. The same commit gives the same tarball, byte for byte.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -eq 0 ] || die "usage: tools/dist.sh"
need_packages git:git xz:xz-utils
cd "$KSPAN_TOP"
[ -e .git ] || die "this is no git checkout: the tarball is what you have."
[ -z "$(git status --porcelain)" ] ||
	die "there are changes that are not committed; the tarball would not have them." \
	    "Commit them, or stash them: git status"
version=$(tools/version.sh)
out=$KSPAN_CACHE/dist/$version
rm -rf "$out"
mkdir -p "$out"
# One thread, as blocks of several depend on their number.
git archive --prefix="kspan-$version/" HEAD | xz -T1 -6 >"$out/kspan-$version.tar.xz"
(cd "$out" && sha256sum "kspan-$version.tar.xz" >SHA256SUMS)
info "$(cat "$out/SHA256SUMS")"
echo "$out"
