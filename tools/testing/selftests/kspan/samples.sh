#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Each sample loads, does with a text what its demo says, checks what came of it,
# and unloads with all memory given back. KSPAN_MODULES is the directory of the
# .ko files (unset: that of kspan.ko).

# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/kspan_lib.sh"

MODULES=${KSPAN_MODULES:-$(dirname "$(modinfo -n kspan 2>/dev/null)")}
LOG=$(mktemp)

# The demos' libraries are beside them, and they are the text, too.
export KSPAN_GUEST="$DIR/demos"
INPUT=$(mktemp)
export INPUT INPUT_NAME="demo.sh"

test_sample() {
	if (cd "$MODULES" && sh "$DIR/demos/$1/demo.sh") >"$LOG" 2>&1; then
		ktap_print_msg "$(grep '^free pages' "$LOG")"
	else
		sed 's/^/# /' "$LOG"
		return 1
	fi
	! grep -q '^kspan' /proc/modules
}

begin
[ -e "$MODULES/kspan.ko" ] || skip_all "there is no kspan.ko (KSPAN_MODULES?)"

trap 'unload_all; rm -f "$LOG" "$INPUT"' EXIT
mark_log
cat "$DIR"/demos/*.sh "$DIR"/demos/*/demo.sh >"$INPUT"

SAMPLES=$(cd "$DIR/demos" && for demo in */demo.sh; do echo "${demo%/*}"; done)
# shellcheck disable=SC2086 # a word each
set -- $SAMPLES
ktap_set_plan $(($# + 1))
for sample; do
	ktap_test_result "$sample works, and leaves nothing" test_sample "$sample"
	unload_all
done
# The heap sample has objects in its heap when it is unloaded, to have them told.
ktap_test_result "nothing to complain about in the kernel log" test_quiet_log 'heap log: '
ktap_finished
