/* SPDX-License-Identifier: GPL-2.0 */
/* How much a CPU cache may hold, and what it draws from the budget for that. */
#ifndef KSPAN_CAPACITY_H
#define KSPAN_CAPACITY_H

#include "objects/cpu_cache.h"

/* Bytes of objects that the magazines of a CPU may hold; a module parameter. */
extern unsigned int kspan_cpu_cache_bytes;

/*
 * Steps that a visit to the central may spend on taking capacity from other classes. The visit
 * needs the rest for its own class.
 */
#define KSPAN_STEPS_STEAL	(KSPAN_STEPS / 4)

/* Whether a visit with so many steps left has spent what it may on other classes. */
static inline bool kspan_capacity_stole_enough(unsigned int steps)
{
	return steps <= KSPAN_STEPS - KSPAN_STEPS_STEAL;
}

unsigned long kspan_cpu_cache_drawn(const struct kspan_heap *heap,
				    const struct kspan_cpu_cache *cache);
void kspan_capacity_feed_large(struct kspan_heap *heap, struct kspan_cpu_cache *cache);
void kspan_capacity_set(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			unsigned int class, unsigned int limit);
void kspan_capacity_return_surplus(struct kspan_cpu_cache *cache, struct kspan_central *central,
				   struct kspan_magazine *mag, unsigned int limit,
				   unsigned int *steps);
void kspan_capacity_grow(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			 unsigned int class, unsigned int *steps);

#endif /* KSPAN_CAPACITY_H */
