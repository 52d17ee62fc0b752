# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: run the KUnit suites, and see that unloading gives all memory back.
# The suites' KTAP is in the kernel's log, between two marks.
# shellcheck disable=SC1091
. /guest/lib.sh

memory_begin || exit 1
log_mark "kunit begin"
load kspan.ko || exit 1
load kspan_kunit.ko || exit 1
log_mark "kunit end"
rmmod kspan_kunit || exit 1
rmmod kspan || exit 1
if ! memory_end; then
	echo "unloading did not give all memory back"
	exit 1
fi
