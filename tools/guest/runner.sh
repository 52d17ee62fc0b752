# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: what tools/qemu-test.sh wants to see tools/qemu.sh judge. It says something every
# $EVERY seconds, $TIMES times, and then, by $RUNNER,
#
#	talk	ends well
#	hang	hangs in a case without another word
#	stall	hangs, and the kernel reports a stall for ever
#	emulator	ends well, but the kernel reports what only an emulator does
#	race	ends well, but the kernel reports a data race in a list of kspan's
#	strange	ends well, but the kernel reports a data race of its own
#
# shellcheck disable=SC1091
. /guest/lib.sh
. /guest/ktap.sh

# races FUNCTION OTHER: KCSAN's report of two that race, both called by kspan
races() {
	local line
	for line in "BUG: KCSAN: data-race in $1 / $2" "" \
		    "write to 0xffff888003000000 of 8 bytes by task 1 on cpu 0:" \
		    " $1+0x10/0x80" " kspan_depot_reap+0x10/0x20 [kspan]" " kthread+0x10/0x20" "" \
		    "read to 0xffff888003000000 of 8 bytes by interrupt on cpu 1:" \
		    " $2+0x10/0x80" " kspan_depot_reap+0x10/0x20 [kspan]" " kthread+0x10/0x20" "" \
		    "Reported by Kernel Concurrency Sanitizer on:"; do
		echo "$line" >/dev/kmsg
	done
}

suite runner 2
# No boot of a guest that hangs is to be repeated.
echo "KSPAN-LOADING nothing"
for n in $(seq "$TIMES"); do
	sleep "$EVERY"
	echo "# said something $n times"
done
result "says something now and then" 0
case $RUNNER in
emulator) echo "WARNING: CPU: 0 PID: 1 at arch/x86/kernel/traps.c:1 exc_debug_kernel+0x1/0x2" >/dev/kmsg ;;
hang) sleep 100000 ;;
race) races __list_add_valid __list_del_entry_valid ;;
strange) races ktime_get_seconds timekeeping_advance ;;
stall)
	while :; do
		sleep 1
		echo "rcu: INFO: rcu_sched self-detected stall on CPU" >/dev/kmsg
		echo " kspan_malloc+0x10/0x20" >/dev/kmsg
	done ;;
esac
result "ends" 0
suite_end
