# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: dm-vdo, ported to kspan (tools/ports/dm-vdo), at work on a RAM disk. What is
# written is read again, also by the next one that opens the device; equal blocks are
# stored once; and kspan's heap tells of all memory that it takes. Prints KTAP.
# shellcheck disable=SC1091
. /guest/lib.sh
. /guest/ktap.sh

DISK=/dev/ram0
# In blocks of 4 KiB: the index of deduplication alone takes most of 3 GiB. A RAM disk has
# memory for those that were written.
DISK_BLOCKS=1048576
VDO=/dev/mapper/vdo
VDO_BLOCKS=262144
# Blocks of each kind of data, see make_data().
BLOCKS=1024

# There is no udev: dmsetup makes the device's node itself.
dmsetup() {
	DM_DISABLE_UDEV=1 /payload/dmsetup/ld-linux-x86-64.so.2 \
		--library-path /payload/dmsetup /payload/dmsetup/dmsetup "$@"
}

create() {
	dmsetup create vdo --table "0 $((8 * VDO_BLOCKS)) vdo V4 $DISK $DISK_BLOCKS 4096 4096 16380 \
		hash 1 logical 1 physical 1 slabSize 32768 compression on"
}

# value NAME: of the target's statistics, the first of that name
value() {
	dmsetup message vdo 0 stats | tr ',{}' '\n\n\n' |
		awk -v name="$1" '$1 == name && $2 == ":" && !found++ { print $3 }'
}

# heap COLUMN: of dm-vdo's heap, by the name that the table's head gives the column
heap() {
	awk -v column="$1" 'NR == 1 { for (i = 5; i <= NF; i++) if ($i == column) at = i - 4 }
		$1 == "dm-vdo" { print $at }' $DEBUGFS/heaps
}

# Three kinds: random blocks, the same again, and numbers, which compress well.
make_data() {
	dd if=/dev/urandom of=/tmp/random bs=4096 count=$BLOCKS 2>/dev/null &&
		seq 1000000000 1000500000 | head -c $((4096 * BLOCKS)) >/tmp/numbers &&
		cat /tmp/random /tmp/random /tmp/numbers >/tmp/data
}

write_data() {
	dd if=/tmp/data of=$VDO bs=65536 2>/dev/null && sync && blockdev --flushbufs $VDO
}

# From the device: no page of it is in memory any more.
data_is_there() {
	blockdev --flushbufs $VDO && cmp -n $((3 * 4096 * BLOCKS)) $VDO /tmp/data
}

memory_begin || exit 1
suite kspan_dm_vdo 18
load kspan.ko
result "kspan loads" $?
load brd.ko rd_nr=1 rd_size=$((4 * DISK_BLOCKS)) && load dm-vdo.ko
result "dm-vdo loads" $?
[ -n "$(heap in_use_bytes)" ] && [ "$(heap in_use_bytes)" -lt 65536 ]
result "its heap is there" $? "$(cat $DEBUGFS/heaps)"
create
result "a disk is formatted" $?
make_data && write_data
result "data is written" $?
data_is_there
result "what is read is what was written" $?
USED=$(heap in_use_bytes)
echo "# the heap has $USED bytes in use, $(heap held_bytes) held, $(heap allocs) allocations"
[ "$USED" -gt $((256 << 20)) ] && [ "$(heap failures)" = 0 ]
result "its memory is the heap's" $? "$USED bytes, $(heap failures) failures"
SAYS=$(value bytesUsed) PEAK=$(value peakBytesUsed)
echo "# dm-vdo says: $SAYS bytes used, $PEAK at most"
# Some of it comes and goes.
[ "$SAYS" -ge $((USED - 65536)) ] && [ "$SAYS" -le $((USED + 65536)) ] && [ "$PEAK" -ge "$SAYS" ]
result "dm-vdo tells what the heap tells" $? "$SAYS, the heap $USED, peak $PEAK"
# Blocks that are to be compressed wait until there are enough to fill one.
WAITING=$(value compressedFragmentsInPacker)
LOGICAL=$(value logicalBlocksUsed) DATA=$(value dataBlocksUsed)
echo "# $LOGICAL blocks are stored in $DATA: $(value dedupeAdviceValid) were known to the index," \
     "$(value concurrentDataMatches) were written at the same time as their like," \
     "$(value compressedFragmentsWritten) are compressed, $WAITING wait"
[ $((LOGICAL + WAITING)) = $((3 * BLOCKS)) ]
result "all blocks are known" $? "$LOGICAL and $WAITING"
# On a slow host not all of them: the index has 5 s to tell.
[ "$DATA" -ge $BLOCKS ] && [ "$DATA" -lt $((2 * BLOCKS)) ]
result "equal blocks are stored once" $? "$DATA"
[ "$(value compressedFragmentsWritten)" -gt 0 ]
result "blocks are compressed" $?
dmsetup remove vdo
result "the device is removed" $?
[ "$(heap in_use_bytes)" -lt 65536 ]
result "the heap is as it was" $? "$(heap in_use_bytes) bytes are left"
create && data_is_there
result "the next one finds the data" $?
dmsetup remove vdo && rmmod dm_vdo brd
result "dm-vdo unloads" $?
[ -z "$(heap in_use_bytes)" ] && ! dmesg | grep -E 'kspan: .*(dm-vdo|bad free|left)' && at_rest
result "nothing is left" $? "$(cat $DEBUGFS/heaps)"
rmmod kspan
result "kspan unloads" $?
rm -f /tmp/random /tmp/numbers /tmp/data
memory_end
result "memory comes back" $?
suite_end
