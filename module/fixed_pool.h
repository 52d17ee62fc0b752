/* SPDX-License-Identifier: GPL-2.0 */
/* Fixed pools: blocks of one size, all there from the beginning. */
#ifndef KSPAN_FIXED_POOL_H
#define KSPAN_FIXED_POOL_H

#include <linux/kspan.h>
#include <linux/percpu.h>
#include <linux/reciprocal_div.h>

#include "handle.h"

/**
 * struct kspan_fixed_cpu - what a CPU notes of a fixed pool
 * @hint:	word of the bitmap where it looks first
 * @frees:	blocks that it freed
 */
struct kspan_fixed_cpu {
	unsigned int hint;
	unsigned long frees;
};

/**
 * struct kspan_fixed_pool - blocks of one size
 * @bits:	a bit per block, set while it is out, and beyond the last; atomic
 * @nr_words:	of @bits
 * @cpu:	per CPU, changed by this_cpu_...() in any context
 * @size:	bytes of a block
 * @stride:	bytes from one block to the next
 * @per_chunk:	blocks of a chunk, of the last one maybe less
 * @chunk_bytes: of these
 * @by_stride:	divides by @stride
 * @by_chunk:	divides by @per_chunk
 * @count:	blocks
 * @nr_chunks:	of @chunks
 * @is_owner:	the chunks are the pool's, not the caller's
 * @handle:	whose it is
 * @chunks:	where the blocks are, by address
 *
 * Only @bits and @cpu change.
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

void kspan_fixed_pool_exit(void);

#endif /* KSPAN_FIXED_POOL_H */
