/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kspan replay writes to kspan_replay.ko: a record for each event of a trace
 */
#ifndef KSPAN_REPLAY_RECORD_H
#define KSPAN_REPLAY_RECORD_H

#include <linux/types.h>

#define REPLAY_ALLOC		1
#define REPLAY_FREE		2

/* Flags of an allocation. For the last two SLUB has caches of their own. */
#define REPLAY_ATOMIC		0x1
#define REPLAY_ZEROED		0x2
#define REPLAY_ACCOUNTED	0x4
#define REPLAY_RECLAIMABLE	0x8
#define REPLAY_FLAGS		0xf
#define REPLAY_PLAIN		(REPLAY_ATOMIC | REPLAY_ZEROED)

/* What a trace may have at most: kmalloc()'s limit, and 3 GiB of records. */
#define REPLAY_MAX_SIZE		(4U << 20)
#define REPLAY_MAX_EVENTS	(1U << 28)

#define REPLAY_ANY_NODE		(-1)

/**
 * struct replay_record - one allocation or free
 * @slot:	number of the object, below that of all objects that live at once
 * @size:	bytes requested, 1...REPLAY_MAX_SIZE; of a free 0
 * @node:	that was asked for, or REPLAY_ANY_NODE; of a free REPLAY_ANY_NODE
 * @kind:	REPLAY_ALLOC or REPLAY_FREE
 * @flags:	REPLAY_FLAGS; of a free 0
 */
struct replay_record {
	__u32 slot;
	__u32 size;
	__s16 node;
	__u8 kind;
	__u8 flags;
};

#endif
