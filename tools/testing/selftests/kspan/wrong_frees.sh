#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Wrong frees of a module, seen from user space: counters, debugfs/bad_frees, the log; at the
# call, and with exact_frees=0 when the magazine goes back.

# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/kspan_lib.sh"

# fresh [parameter=value...]: kspan with them, and what frees wrongly
fresh() {
	unload_all
	load kspan "$@" && load kspan_wrongs
}

# counted DOUBLE INTERIOR: so many
counted() {
	ktap_print_msg "double $(stat_of BadFreeDouble), interior $(stat_of BadFreeInterior)"
	[ "$(stat_of BadFreeDouble)" -eq "$1" ] && [ "$(stat_of BadFreeInterior)" -eq "$2" ]
}

test_at_the_call() {
	fresh && counted 1 1
}

# row PATTERN: a line of bad_frees that has it
row() {
	grep -q -- "$1" $DEBUGFS/bad_frees
}

test_rows() {
	ktap_print_msg "$(head -n 1 $DEBUGFS/bad_frees)"
	[ "$(wc -l <$DEBUGFS/bad_frees)" -eq 2 ] &&
		row 'kind=double .* size=64 heap=wrongs found=at_call .* context=task .*stack=.*free_wrongly+[^,]*:\[kspan_wrongs\]' &&
		row 'kind=interior .* allocated_by=free_wrongly+[^ ]*:\[kspan_wrongs\] '
}

# Neither the address of the object nor of code.
test_no_address() {
	! grep -q 'ffff[0-9a-f]\{12\}' $DEBUGFS/bad_frees
}

# The module goes: its functions have no name any more, and their addresses are hashed.
test_module_gone() {
	rmmod kspan_wrongs && [ "$(wc -l <$DEBUGFS/bad_frees)" -eq 2 ] && test_no_address
}

test_log() {
	dmesg | grep -q 'kspan: bad free of .*: double free, class 64, heap wrongs$'
}

test_later() {
	fresh exact_frees=0 && counted 0 0 || return 1
	echo 1 >$DEBUGFS/trim || return 1
	counted 1 1 && row 'kind=double .* heap=wrongs found=later$'
}

begin
[ -z "$KSPAN_MODULES" ] || [ -e "$KSPAN_MODULES/kspan_wrongs.ko" ] ||
	skip_all "no kspan_wrongs.ko: kernel without KUnit"
trap unload_all EXIT

ktap_set_plan 6
ktap_test_result "wrong frees are refused at the call" test_at_the_call
ktap_test_result "who did it is told, a line each" test_rows
ktap_test_result "no address is told" test_no_address
ktap_test_result "nor when the module has gone" test_module_gone
ktap_test_result "the log tells of it" test_log
ktap_test_result "with exact_frees=0 they are found later" test_later
ktap_finished
