#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Say what secure boot wants of a module that was just installed; nothing where it is off.
# Usage: tools/secure-boot.sh make|dkms
set -euo pipefail

EFIVARS=/sys/firmware/efi/efivars
variable=$EFIVARS/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c

# Four bytes of attributes come before the value.
[ -r "$variable" ] && [ "$(od -An -tu1 -j4 -N1 "$variable" | tr -d ' ')" = 1 ] || exit 0

case ${1:-} in
make)
	echo "kspan: secure boot is on: the kernel will refuse kspan.ko unless a key that it trusts signed it." >&2
	echo "       make dkms-install has DKMS sign it, or sign it with a key of yours that is enrolled:" >&2
	echo "         scripts/sign-file of the kernel's build directory" >&2
	;;
dkms)
	echo "kspan: secure boot is on: the kernel will refuse kspan.ko until DKMS's key is enrolled." >&2
	echo "       Once, then reboot and confirm at the console:" >&2
	echo "         mokutil --import /var/lib/dkms/mok.pub" >&2
	;;
*)
	echo "usage: tools/secure-boot.sh make|dkms" >&2
	exit 2
	;;
esac
