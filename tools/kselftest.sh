#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build and install the selftests for the guest, with the kernel's framework.
#
#   tools/kselftest.sh KERNEL DIR     DIR gets run_kselftest.sh and the tests
#
# The framework (lib.mk, headers, runner, shell helpers) is that of one source
# tree for all kernels: KSRC=, or the fetched 6.12, since 6.1's has no helpers
# for tests in shell. Nothing is written to it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

TESTS=tools/testing/selftests/kspan
FRAMEWORK=6.12

# Objects and the installed tests go to $2; the runner's parts beside them, as
# the selftests' top Makefile does.
install_tests() {
	local framework=$1/tools/testing/selftests to=$2/install
	local make=(make -C "$KSPAN_TOP/$TESTS" "KSRC=$1" "OUTPUT=$2/objects")
	mkdir -p "$to/kselftest" "$2/objects"
	"${make[@]}" INSTALL_PATH="$to/kspan" SRC_PATH="$KSPAN_TOP/${TESTS%/*}" \
		OBJ_PATH="$to" install
	cp "$framework"/kselftest/*.sh "$to/kselftest/"
	cp "$framework/run_kselftest.sh" "$to/"
	# memory_offline first: it wants memory that nobody has cut up yet. oops last: it taints.
	"${make[@]}" -s --no-print-directory COLLECTION=kspan emit_tests |
		awk '/memory_offline/ { print; next } /oops/ { last = $0; next } { rest = rest $0 "\n" }
		     END { printf "%s%s\n", rest, last }' >"$to/kselftest-list.txt"
}

build() {
	local kernel=$1 to=$2 source work
	source=$("$KSPAN_TOP/tools/kernel.sh" --source "$FRAMEWORK")
	work=$KSPAN_CACHE/kselftest/$kernel-$(echo "$KSPAN_TOP$source" | sha256sum | cut -c1-6)
	rm -rf "$work"
	mkdir -p "$work"
	if ! install_tests "$source" "$work" >"$work/build.log" 2>&1 </dev/null; then
		tail -n 20 "$work/build.log" >&2
		die "building the selftests for $kernel failed." "The log: $work/build.log"
	fi
	# Of kspan: see its Makefile.
	if grep 'warning:' "$work/build.log" | grep -v "warning: Using 'dlopen' in static" >&2; then
		die "the selftests built with the warnings above; none is allowed." \
		    "The log: $work/build.log"
	fi
	[ -s "$work/install/kselftest-list.txt" ] ||
		die "the selftests' Makefile names no test (TEST_PROGS, TEST_GEN_PROGS)."
	rm -rf "$to"
	mkdir -p "$(dirname "$to")"
	cp -r "$work/install" "$to"
}

main() {
	[ $# -eq 2 ] || die "usage: tools/kselftest.sh KERNEL DIR"
	check_kernel "$1"
	[ -d "$KSPAN_TOP/$TESTS" ] || die "there are no selftests in $TESTS."
	need_packages gcc:gcc make:make rsync:rsync -:libc6-dev -:libjansson-dev $KSPAN_NEEDS_TOOL
	with_lock "kselftest-$1" build "$1" "$2"
}

main "$@"
