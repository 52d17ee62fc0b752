#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Print the version of this source tree, as packages and DKMS name it.
# Usage: tools/version.sh
#
#   0.1                         a tarball, or a checkout of the tag v0.1: dkms.conf's version
#   0.1+git512.1234abc          commit 1234abc, the 512th, when dkms.conf says 0.1
#   0.1+git512.1234abc.5678def  the same with changes that were not committed: a hash of them
#
# Each of them sorts after those before it, by dpkg's rules and by DKMS's.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' dkms.conf)
# A tree that was copied into somebody else's repository has no history of its own.
if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ] &&
   [ "$(git describe --tags --exact-match --dirty 2>/dev/null)" != "v$version" ]; then
	version+=+git$(git rev-list --count HEAD).$(git rev-parse --short=7 HEAD)
	[ -z "$(git status --porcelain)" ] ||
		version+=.$({ git diff HEAD; git ls-files -o --exclude-standard -z | xargs -0 -r cat; } |
			sha256sum | cut -c1-7)
fi
echo "$version"
