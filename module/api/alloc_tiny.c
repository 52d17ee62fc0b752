// SPDX-License-Identifier: GPL-2.0
/*
 * Objects of less than 16 bytes that share blocks
 */
#include <linux/kspan.h>
#include <linux/string.h>

#include "api/alloc.h"

/** kspan_tiny_alloc_of() - kspan_tiny_alloc() from a heap */
void *kspan_tiny_alloc_of(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	struct kspan_cpu_cache *cache;
	void *object = NULL, *block;

	kspan_check_context(gfp);
	if (unlikely(!size || size >= KSPAN_TINY_BLOCK))
		return kspan_malloc_of(heap, size, gfp);
	if (unlikely(gfp & KSPAN_GFP_REFUSED))
		return kspan_refuse_zone(gfp);
	if (likely(kspan_cpu_cache_enter(heap, &cache))) {
		object = kspan_tiny_pack(&cache->tiny, size);
		kspan_cpu_cache_leave(cache);
	}
	if (!object) {
		block = kspan_malloc_class_of(heap, KSPAN_CLASS_TINY, gfp);
		/* Without memory for blocks there may be some for an object. */
		if (!block)
			return kspan_malloc_of(heap, size, gfp);
		if (likely(kspan_cpu_cache_enter(heap, &cache))) {
			object = kspan_tiny_open(&cache->tiny, block, size);
			kspan_cpu_cache_leave(cache);
		} else {
			object = kspan_tiny_open(NULL, block, size);
		}
	}
	kspan_count(heap, KSPAN_TINY_ALLOC);
	this_cpu_add(heap->cpu->events[KSPAN_TINY_CLASS_BYTES],
		     size <= 8 ? 8 : KSPAN_TINY_BLOCK);
	if (want_init_on_alloc(gfp))
		memset(object, 0, size);
	return object;
}

/**
 * kspan_tiny_alloc() - allocate a small piece of a 16-byte block
 * @size:	bytes; 0 gives ZERO_SIZE_PTR, 16 and more is kspan_malloc()
 * @gfp:	as for kspan_malloc()
 *
 * For many objects of 5 bytes and less. Any object keeps its block, so objects of
 * like life should meet.
 *
 * Context: as kspan_malloc().
 * Return: the memory, aligned to 8, 4, 2 or 1 as @size is a multiple of; or NULL.
 */
void *kspan_tiny_alloc(size_t size, gfp_t gfp)
{
	return kspan_tiny_alloc_of(&kspan_default_heap, size, gfp);
}
EXPORT_SYMBOL_GPL(kspan_tiny_alloc);
