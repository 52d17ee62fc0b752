#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# DKMS runs this after it has built kspan for a kernel, in the directory of the build:
# keep the headers and Module.symvers, which modules that use kspan are built against.
# Usage: tools/dkms-keep.sh DIR, the directory of this version and kernel in DKMS's tree
#
# DKMS has a link to that directory, kernel-RELEASE-MACHINE, while this version is the
# installed one. It stays right when a version is replaced or removed, and tools/kspan.mk
# goes by it.
set -e
[ $# -eq 1 ] || { echo "usage: tools/dkms-keep.sh DIR" >&2; exit 2; }
mkdir -p "$1/dependents/include"
cp -r module/include/linux "$1/dependents/include/"
cp Module.symvers "$1/dependents/"
