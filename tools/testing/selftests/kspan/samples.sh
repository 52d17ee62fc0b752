#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Each sample loads, does with a text what its demo says, checks what came of it,
# and unloads with all memory given back. KSPAN_MODULES is the directory of the
# .ko files (unset: that of kspan.ko).

DIR=$(dirname "$(readlink -f "$0")")
HELPERS=${KTAP_HELPERS:-$DIR/../kselftest/ktap_helpers.sh}
if [ ! -r "$HELPERS" ]; then
	echo "1..0 # SKIP no ktap_helpers.sh: it came with Linux 6.8"
	exit 4
fi
# shellcheck disable=SC1090
. "$HELPERS"

MODULES=${KSPAN_MODULES:-$(dirname "$(modinfo -n kspan 2>/dev/null)")}
LOG=$(mktemp)

# The demos' libraries are beside them, and they are the text, too.
export KSPAN_GUEST="$DIR/demos"
INPUT=$(mktemp)
export INPUT INPUT_NAME="demo.sh"

unload_all() {
	# Those that use others come first.
	for module in $(awk '$1 ~ /^kspan/ { print $1 }' /proc/modules); do
		rmmod "$module"
	done
}

test_sample() {
	if (cd "$MODULES" && sh "$DIR/demos/$1/demo.sh") >"$LOG" 2>&1; then
		ktap_print_msg "$(grep '^free pages' "$LOG")"
	else
		sed 's/^/# /' "$LOG"
		return 1
	fi
	! grep -q '^kspan' /proc/modules
}

# The heap sample has objects in its heap when it is unloaded, to have them told.
test_quiet_log() {
	local found
	found=$(dmesg | sed "1,/$MARK/d" | grep -v 'heap documents: ' |
		grep -E 'WARNING|BUG|Oops|never freed|Call Trace|bad (page|free)|refcount_t')
	[ -z "$found" ] || ktap_print_msg "$found"
	[ -z "$found" ]
}

ktap_print_header
if [ "$(id -u)" -ne 0 ]; then
	ktap_skip_all "not root"
	exit "$KSFT_SKIP"
fi
if [ ! -e "$MODULES/kspan.ko" ]; then
	ktap_skip_all "there is no kspan.ko (KSPAN_MODULES?)"
	exit "$KSFT_SKIP"
fi
unload_all

trap 'unload_all; rm -f "$LOG" "$INPUT"' EXIT
MARK="kspan-samples-test-$$"
echo "$MARK" >/dev/kmsg
cat "$DIR"/demos/*.sh "$DIR"/demos/*/demo.sh >"$INPUT"

SAMPLES=$(cd "$DIR/demos" && for demo in */demo.sh; do echo "${demo%/*}"; done)
# shellcheck disable=SC2086 # a word each
set -- $SAMPLES
ktap_set_plan $(($# + 1))
for sample; do
	ktap_test_result "$sample works, and leaves nothing" test_sample "$sample"
	unload_all
done
ktap_test_result "nothing to complain about in the kernel log" test_quiet_log
ktap_finished
