/* SPDX-License-Identifier: GPL-2.0 */
/* Large objects that a CPU freed last, and keeps for its next requests. */
#ifndef KSPAN_LARGE_CACHE_H
#define KSPAN_LARGE_CACHE_H

#include "objects/budget.h"
#include "objects/large.h"

/* Most large objects that a CPU keeps. */
#define KSPAN_LARGE_CACHED	4

/**
 * struct kspan_large_cache - large objects that a CPU keeps
 * @span:	spans in state LARGE_CACHED, or NULL
 * @next:	index of the entry to be given up next
 * @count:	entries that are not NULL
 * @pages:	pages of these
 * @drawn:	pages that the cache may hold, drawn from the budget of caches
 * @lacks:	pages that the budget refused in the last free, for kspan_capacity_feed_large()
 *
 * It is a part of the CPU cache, and is used with that cache entered.
 */
struct kspan_large_cache {
	struct kspan_span *span[KSPAN_LARGE_CACHED];
	unsigned int next;
	unsigned int count;
	unsigned int pages;
	unsigned int drawn;
	unsigned int lacks;
};

/* Most bytes of large objects that a CPU keeps; a module parameter. */
extern unsigned int kspan_large_cache_bytes;

void *kspan_large_cache_take(struct kspan_large_cache *cache, size_t size);
bool kspan_large_cache_put(struct kspan_large_cache *cache, unsigned long addr, int nid,
			   struct kspan_span **evicted);
bool kspan_large_cache_draw(struct kspan_large_cache *cache, unsigned int npages);
void kspan_large_cache_return_budget(struct kspan_large_cache *cache);
void kspan_large_cache_drain(struct kspan_large_cache *cache);
void kspan_large_free_cached(struct kspan_span *span);

#endif /* KSPAN_LARGE_CACHE_H */
