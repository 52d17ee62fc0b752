# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: load kspan and $MODULES, run $CMD, unload them; for make run. It fails where one of these
# fails, and where kspan warned of anything: a wrong free, or what was never freed.
#
# shellcheck disable=SC1091
. /guest/lib.sh
DEBUGFS=/sys/kernel/debug/kspan
FAILED=''
# What the kernel says of a module that is not its own.
OF_ANY_MODULE='taints kernel|module verification'

# step command...: shown, and remembered if it fails
step() {
	echo "# $*"
	"$@" || { echo "\"$*\" failed"; FAILED="$FAILED; $*"; }
}

# In the order in which they were loaded, the last one first.
reversed() {
	local word list=
	for word; do list="$word $list"; done
	echo "$list"
}

echo "KSPAN-RUN begin"
load kspan.ko || exit 1
for module in $MODULES; do
	echo "KSPAN-LOADING $module"
	step insmod "$module.ko"
done
[ -z "$CMD" ] || step sh -c "$CMD"
echo "# cat $DEBUGFS/heaps"
cat $DEBUGFS/heaps
wrong=$(grep -v '^#' $DEBUGFS/bad_frees)
# shellcheck disable=SC2086 # words
for module in $(reversed $MODULES); do
	step rmmod "$module"
done
step rmmod kspan
echo "# dmesg"
dmesg | grep -vE "$OF_ANY_MODULE" | sed -n '/kspan: loaded/,$p'
warned=$(dmesg -r | grep -vE "$OF_ANY_MODULE" | sed -nE 's/^<[0-4]>.*(kspan: .*)/\1/p' | head -n 1)
[ -z "$warned" ] || FAILED="$FAILED; $warned"
[ -z "$wrong" ] || FAILED="$FAILED; $(echo "$wrong" | wc -l) wrong frees"
[ -z "$FAILED" ] || echo "failed: ${FAILED#; }"
echo "KSPAN-RUN end"
[ -z "$FAILED" ]
