# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: kfree() and put_page() of what is kspan's (tools/stray) change nothing, and kspan
# tells of them when the arena goes back. Prints KTAP.
# shellcheck disable=SC1091
. /guest/lib.sh
. /guest/ktap.sh

# said NAME: the value of what the module said last
said() {
	dmesg | sed -n "s/.*kspan-stray: .*\b$1=\([0-9]*\).*/\1/p; s/.*kspan-stray: $1=\([0-9]*\).*/\1/p" |
		tail -n 1
}

# The kernel warns of a kfree(), once or each time, by its version.
for _ in 1 2 3 4; do
	echo "kspan-expect: free_large_kmalloc" >/dev/kmsg
done
memory_begin || exit 1
suite kspan_stray 9
load kspan.ko arena_growth=0
result "kspan loads" $?
load kspan_stray.ko
result "the module ends well" $?
dmesg | sed -n 's/.*kspan-stray: /# kspan-stray: /p; s/.*\(kspan: .*stray.*\)/# \1/p'
[ "$(said strays)" -ge 4 ]
result "references were taken" $? "$(said strays)"
[ "$(said sendable)" = 0 ]
result "no page passes for one that can be sent" $? "$(said sendable) do"
[ "$(said broken)" = 0 ] && [ "$(said refused)" = 0 ]
result "no object is given to others" $? "$(said broken) are broken, $(said refused) refused"
[ "$(said left)" = 0 ]
result "arenas go back" $? "$(said left) bytes are left"
dmesg | grep -q 'kspan: .*stray'
result "kspan tells of it" $?
rmmod kspan_stray && rmmod kspan
result "unloads" $?
memory_end
result "memory comes back" $?
suite_end
