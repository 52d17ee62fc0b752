#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# debugfs/whatis: what an address is. The addresses are those of kspan_asked.

# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/kspan_lib.sh"

WHATIS=$DEBUGFS/whatis
PARAMETERS=/sys/module/kspan_asked/parameters
# Of an object that was freed: in a magazine, or in its span.
FREE='state: \(cached\|free\)'

# hex NAME OFFSET: the address of an object of kspan_asked, and so many bytes more
hex() {
	printf '%x' "$(($(cat $PARAMETERS/$1) + $2))"
}

# ask FILE ADDRESS: the answer
ask() {
	exec 3<>"$1" || return 1
	echo "$2" >&3 && cat <&3
	exec 3>&-
}

# says LINE...: the answer has each line, which is a pattern
says() {
	local line
	for line; do
		echo "$answer" | grep -qx -- "$line" || {
			ktap_print_msg "no line $line in: $(echo "$answer" | tr '\n' ' ')"
			return 1
		}
	done
}

test_live() {
	answer=$(ask $WHATIS "$(hex live 8)")
	says 'kind: slot' 'state: live' 'offset: 8' 'size: 64' 'heap: asked\\040"here"' \
	     'module: kspan_asked' 'allocated_by: allocate+.*:\[kspan_asked\]' 'node: [0-9]*' \
	     'after: 0 bytes into .*'
}

test_freed() {
	answer=$(ask $WHATIS "0x$(hex freed 0)")
	says 'kind: slot' "$FREE" 'offset: 0' 'size: 128'
}

test_large() {
	answer=$(ask $WHATIS "$(hex large 99999)")
	says 'kind: large' 'state: live' 'offset: 99999' 'allocated_by: allocate+.*:\[kspan_asked\]'
}

test_others() {
	local address
	for address in 0 1 ffffffffffffffff 8000000000000000 7fffffff0000; do
		answer=$(ask $WHATIS $address)
		says 'kind: none' 'state: -' || return 1
	done
}

test_refused() {
	local text
	for text in "" nonsense 12345678901234567 "1 2"; do
		! echo "$text" 2>/dev/null >$WHATIS || return 1
	done
	! cat $WHATIS 2>/dev/null
}

# Two open files at once, and a second question by the same one.
test_own_answers() {
	(
		exec 3<>$WHATIS 4<>$WHATIS
		hex live 0 >&3 && hex large 0 >&4
		answer=$(cat <&3) && says 'kind: slot' || exit 1
		answer=$(cat <&4) && says 'kind: large' || exit 1
		hex freed 0 >&3 && answer=$(cat <&3) && says "$FREE"
	)
}

# The question had the address; the answer has none.
test_no_address() {
	local name
	for name in live freed large; do
		answer="$answer $(ask $WHATIS "$(hex $name 0)") $(ask $WHATIS.json "$(hex $name 0)")"
	done
	! echo "$answer" | grep -q 'ffff[0-9a-f]\{12\}'
}

test_json() {
	answer=$(ask $WHATIS.json "$(hex live 0)")
	says '{"table": "whatis", "version": 1, "rows": \[' \
	     '{"kind": "slot", "state": "live", "offset": 0, .*"heap": "asked \\u0022here\\u0022".*}' \
	     '\]}'
}

# 64 that ask at once, while objects come and go
test_many_at_once() {
	local i wrong=/tmp/kspan-whatis-$$
	rm -f $wrong
	for i in $(seq 64); do
		(
			answer=$(ask $WHATIS "$(hex live "$((i % 64))")")
			says 'state: live' "offset: $((i % 64))" || echo "$i" >>$wrong
		) &
	done
	seq 20000 >$DEVICE
	wait
	[ ! -e $wrong ]
}

begin
[ -z "$KSPAN_MODULES" ] || [ -e "$KSPAN_MODULES/kspan_asked.ko" ] ||
	skip_all "no kspan_asked.ko: kernel without KUnit"
need kspan kspan_counter kspan_asked
trap unload_all EXIT
mark_log

ktap_set_plan 10
ktap_test_result "a live object, by an address in it" test_live
ktap_test_result "a freed one" test_freed
ktap_test_result "a large one" test_large
ktap_test_result "addresses of others" test_others
ktap_test_result "what is no address is refused" test_refused
ktap_test_result "each open file has its own answer" test_own_answers
ktap_test_result "no address is told" test_no_address
ktap_test_result "the answer as JSON" test_json
ktap_test_result "64 that ask at once" test_many_at_once
ktap_test_result "nothing to complain about in the kernel log" test_quiet_log
ktap_finished
