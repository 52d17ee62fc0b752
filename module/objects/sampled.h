/* SPDX-License-Identifier: GPL-2.0 */
/* Objects that the heap profile samples: where they are, and how a CPU counts up to the next. */
#ifndef KSPAN_SAMPLED_H
#define KSPAN_SAMPLED_H

#include "objects/cpu_cache.h"
#include "objects/profile.h"

void kspan_sampled_begin(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			 unsigned int class, bool counted);
unsigned int kspan_sampled_due(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			       unsigned int class);
void kspan_sampled_restart(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			   unsigned int class);
void kspan_sampled_restart_here(struct kspan_heap *heap);
void *kspan_sampled_take(struct kspan_heap *heap, struct kspan_cpu_cache **cache,
			 unsigned int class, gfp_t gfp);
void *kspan_sampled_refill(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			   unsigned int class, gfp_t gfp, bool *due);
void kspan_sampled_replace(struct kspan_heap *heap, unsigned int class, gfp_t gfp,
			   unsigned int n, void **p);

void *kspan_sampled_alloc(struct kspan_heap *heap, unsigned int class, size_t stands_for, int nid,
			  bool counted, gfp_t gfp);
void kspan_sampled_note_large(struct kspan_heap *heap, void *object, size_t requested, gfp_t gfp);

/* Note a large object or a chunk of a region if it is to be sampled. It may be NULL. */
static inline void *kspan_sample_large(struct kspan_heap *heap, void *object, size_t requested,
				       gfp_t gfp)
{
	if (object && kspan_profile_due(kspan_large_roundup(requested)))
		kspan_sampled_note_large(heap, object, requested, gfp);
	return object;
}

#endif /* KSPAN_SAMPLED_H */
