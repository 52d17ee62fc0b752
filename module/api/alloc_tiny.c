// SPDX-License-Identifier: GPL-2.0
/*
 * Tiny objects: several in one slot of 16 bytes
 *
 * A CPU has one open block, a slot of the class for 16 bytes, per heap. Tiny objects are cut
 * from it one behind the other, until one does not fit. objects/tiny.c keeps the marks where
 * objects start, and frees the block with its last object.
 *
 * Context: as kspan_malloc().
 */
#include <linux/kspan.h>
#include <linux/string.h>

#include "api/alloc.h"
#include "objects/sampled.h"

/*
 * Tiny objects are sampled by their blocks. A block that is due is not made: the object that would
 * have been its first is a sampled slot of its own size. Returns the object or NULL.
 */
static void *alloc_sampled_tiny(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	unsigned int class = kspan_size_class(size);
	void *object;

	if (likely(!kspan_profile_due(KSPAN_TINY_BLOCK)))
		return NULL;
	gfp = kspan_gfp_here(gfp);
	object = kspan_sampled_alloc(heap, class, KSPAN_TINY_BLOCK, kspan_home_node(), false, gfp);
	return object ? kspan_initialise_slot(heap, object, class, gfp) : NULL;
}

/* kspan_tiny_alloc() from a heap with the classes of the default heap. */
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
		object = alloc_sampled_tiny(heap, size, gfp);
		if (unlikely(object))
			return object;
		block = kspan_malloc_class_of(heap, KSPAN_CLASS_TINY, gfp);
		/*
		 * There is no memory for a block of 16 bytes, but a smaller class may still
		 * have a slot.
		 */
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
 * kspan_tiny_alloc() - allocate a few bytes that share a slot of 16 bytes with others
 * @size:	bytes; 0 gives ZERO_SIZE_PTR; 16 and more are served by kspan_malloc()
 * @gfp:	as for kspan_malloc()
 *
 * This saves memory for many objects of up to 5 bytes, each of which takes 8 bytes of
 * kspan_malloc(). A slot is free again only when all its objects were freed: allocate objects
 * one after the other that will be freed at about the same time.
 *
 * Context: as kspan_malloc().
 * Return: the memory, to be freed by kspan_free(), aligned to 8, 4 or 2 if that divides @size;
 * NULL if there is none.
 */
void *kspan_tiny_alloc(size_t size, gfp_t gfp)
{
	return kspan_tiny_alloc_of(&kspan_default_heap, size, gfp);
}
EXPORT_SYMBOL_GPL(kspan_tiny_alloc);
