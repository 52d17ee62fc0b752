/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixed pools: a number of blocks of one size, allocated when the pool is made. fixed_pool.c has
 * the overview.
 */
#ifndef KSPAN_FIXED_POOL_H
#define KSPAN_FIXED_POOL_H

#include <linux/kspan.h>
#include <linux/percpu.h>
#include <linux/reciprocal_div.h>

#include "objects/handle.h"

/**
 * struct kspan_fixed_cpu - what a CPU notes of a fixed pool
 * @hint:	index of the word of the bitmap where the CPU looks first
 * @frees:	count of blocks that the CPU freed
 *
 * Both are changed by this_cpu_...() in any context. Other CPUs read @frees.
 */
struct kspan_fixed_cpu {
	unsigned int hint;
	unsigned long frees;
};

/**
 * struct kspan_fixed_pool - blocks of one size
 * @bits:	a bit per block, set while the block is out, and for numbers beyond the last block;
 *		atomic
 * @nr_words:	length of @bits in words
 * @cpu:	what each possible CPU notes
 * @size:	bytes of a block
 * @stride:	bytes from the start of a block to the start of the next
 * @per_chunk:	blocks of a chunk; the last chunk may have less
 * @chunk_bytes: bytes of these
 * @by_stride:	divides by @stride
 * @by_chunk:	divides by @per_chunk
 * @count:	number of blocks
 * @nr_chunks:	number of chunks
 * @is_owner:	the pool allocated the chunks, and frees them; else they belong to the caller
 * @handle:	entry in the table of what modules have made
 * @chunks:	memory of the blocks, in the order of the addresses
 *
 * Only @bits and @cpu change during the life of the pool.
 */
struct kspan_fixed_pool {
	unsigned long *bits;
	unsigned int nr_words;
	struct kspan_fixed_cpu __percpu *cpu;
	size_t size;
	size_t stride;
	unsigned int per_chunk;
	size_t chunk_bytes;
	struct reciprocal_value by_stride;
	struct reciprocal_value by_chunk;
	unsigned int count;
	unsigned int nr_chunks;
	bool is_owner;
	struct kspan_handle handle;
	void *chunks[];
};

/**
 * struct kspan_fixed_place - where an address is in a fixed pool
 * @addr:	the address
 * @block:	number of the block
 * @start:	address of the block
 * @size:	bytes of the block
 * @out:	the block is in use
 */
struct kspan_fixed_place {
	unsigned long addr;
	unsigned int block;
	unsigned long start;
	size_t size;
	bool out;
};

bool kspan_fixed_pool_find(unsigned long addr, struct kspan_fixed_place *place);
void kspan_fixed_pool_exit(void);

#endif /* KSPAN_FIXED_POOL_H */
