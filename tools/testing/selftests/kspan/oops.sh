#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What the kernel's log says of kspan when a module follows a pointer in a freed object. The kernel
# is tainted afterwards, and lockdep is off: this test is the last.

# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/kspan_lib.sh"

PANIC=/proc/sys/kernel/panic_on_oops

# expect TEXT: a complaint in the log, which is this test's own crime
expect() {
	echo "kspan-expect: $1" >/dev/kmsg
}

# The pointer is the seal of the slot: as an address it is no canonical one, or nobody's.
test_oops() {
	expect "general protection fault"
	expect "BUG: unable to handle page fault"
	expect "Oops: "
	mark_log
	echo 1 >/sys/module/kspan_asked/parameters/oops || return 1
	log_since_mark | grep -E 'Oops|general protection' | while read -r line; do
		ktap_print_msg "$line"
	done
	log_since_mark | grep -q 'Oops\|general protection'
}

# said PATTERN: a line of the log since then
said() {
	local found
	found=$(log_since_mark | grep "kspan: $1" | head -n 1)
	ktap_print_msg "$found"
	[ -n "$found" ]
}

test_freed() {
	said '.*: 0 bytes into \(cached\|free\) object of 128 bytes, heap asked "here" of kspan_asked'
}

test_seal() {
	said '.*: seal of a free object: 0 bytes into \(cached\|free\) object of 128 bytes, heap asked "here"'
}

test_unload() {
	rmmod kspan_asked && rmmod kspan
}

begin
[ -z "$DETECTORS" ] || skip_all "an oops turns the detectors off"
[ -z "$KSPAN_MODULES" ] || [ -e "$KSPAN_MODULES/kspan_asked.ko" ] ||
	skip_all "no kspan_asked.ko: kernel without KUnit"
[ -w $PANIC ] || skip_all "no $PANIC"
need kspan kspan_asked
panic=$(cat $PANIC)
echo 0 >$PANIC
trap 'echo $panic >$PANIC; unload_all' EXIT

ktap_set_plan 4
ktap_test_result "a thread follows a pointer in a freed object" test_oops
ktap_test_result "the register with the object is told" test_freed
ktap_test_result "so is the one with the seal" test_seal
ktap_test_result "kspan goes on, and is unloaded" test_unload
ktap_finished
