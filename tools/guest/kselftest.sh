# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: run the installed selftests with the kernel's own runner. The tests
# load the modules themselves, from $KSPAN_MODULES.
# shellcheck disable=SC1091
. /guest/lib.sh

# The runner wants /usr/bin/timeout with an option that busybox has no need of.
mkdir -p /usr/bin
cat >/usr/bin/timeout <<'END'
#!/bin/sh
[ "$1" != --foreground ] || shift
exec /bin/timeout "$@"
END
chmod +x /usr/bin/timeout
ln -sf /bin/env /usr/bin/env

export KSPAN_MODULES=/payload/modules
echo "KSPAN-LOADING selftests"
log_mark "kselftest begin"
cd /payload/kselftest || exit 1
sh ./run_kselftest.sh 2>&1
log_mark "kselftest end"
cd /
# Those that use others come first.
for module in $(awk '$1 ~ /^kspan/ { print $1 }' /proc/modules); do
	echo "the tests left $module loaded"
	rmmod "$module" || exit 1
done
