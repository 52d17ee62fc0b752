/* SPDX-License-Identifier: GPL-2.0 */
/* Buckets: the arenas of a node, sorted by their longest free run; see bucket.c. */
#ifndef KSPAN_BUCKET_H
#define KSPAN_BUCKET_H

#include <linux/log2.h>
#include <linux/minmax.h>

#include "types.h"

struct kspan_page_heap;

/*
 * The buckets hold arenas whose longest free run may have 1, 2, ..., 7, 8...9, 10...11,
 * 12...13, 14...15, 16...19, ... pages: four buckets for a power of two.
 */
#define KSPAN_NR_BUCKETS	(4 * (KSPAN_ARENA_SHIFT - KSPAN_PAGE_SHIFT - 1) + 1)

/* The bucket of arenas whose longest run has this many pages, of at least 1. */
static inline unsigned int kspan_bucket_of(unsigned int npages)
{
	unsigned int shift = max(ilog2(npages), 2) - 2;

	return 4 * shift + (npages >> shift);
}

void kspan_bucket_insert(struct kspan_page_heap *ph, struct kspan_arena *arena);
void kspan_bucket_remove(struct kspan_page_heap *ph, struct kspan_arena *arena);
void kspan_bucket_set_longest(struct kspan_page_heap *ph, struct kspan_arena *arena,
			      unsigned int longest);
struct kspan_arena *kspan_bucket_find_run(struct kspan_page_heap *ph, unsigned int npages,
					  unsigned int align, unsigned int *first);

#endif /* KSPAN_BUCKET_H */
