// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation that waits for nothing
 *
 * kspan_malloc_nolock() tries each lock once and calls neither the page allocator nor SLUB, as
 * it may have interrupted the owner of any lock. It asks the CPU's cache, then the central and
 * the page heap, and then the reserve that kspan_prefill() filled.
 *
 * Context: any, NMI included.
 */
#include <linux/kspan.h>

#include "api/alloc.h"
#include "api/reserve.h"
#include "objects/sampled.h"
#include "objects/track.h"

/* Take a small object from this CPU's cache or the central of its node. */
static void *take_cached(struct kspan_heap *heap, unsigned int class)
{
	struct kspan_cpu_cache *cache;
	void *object = NULL;
	bool due;

	if (!kspan_cpu_cache_enter(heap, &cache))
		return NULL;
	if (likely(kspan_cpu_cache_pop(cache, class, &object))) {
		kspan_cpu_cache_leave(cache);
		return object;
	}
	/* The fast path counts only where the magazine has an object. */
	if (unlikely(!cache->armed[class]))
		kspan_sampled_begin(heap, cache, class, cache->class[class].loaded->count);
	if (unlikely(cache->class[class].to_sample < 0)) {
		object = kspan_sampled_take(heap, &cache, class, KSPAN_GFP_NOLOCK);
		if (object || !cache)
			return object;
	}
	object = kspan_sampled_refill(heap, cache, class, KSPAN_GFP_NOLOCK, &due);
	kspan_cpu_cache_leave(cache);
	if (unlikely(due))
		kspan_sampled_replace(heap, class, KSPAN_GFP_NOLOCK, 1, &object);
	return object;
}

/* Take a small object from wherever there is one without waiting. It is not initialised. */
static void *take_small(struct kspan_heap *heap, unsigned int class)
{
	void *object = take_cached(heap, class);
	int nid;

	if (object)
		return object;
	nid = kspan_home_node();
	object = kspan_heap_alloc_slot(heap, class, nid, KSPAN_GFP_NOLOCK);
	if (!object)
		return kspan_reserve_take(heap, class);
	kspan_count_node(heap, object, nid);
	if (kspan_profile_due(heap->classes[class].size))
		kspan_sampled_replace(heap, class, KSPAN_GFP_NOLOCK, 1, &object);
	return object;
}

/* Allocate an object of a class of any heap, also of a typed cache, in any context. */
void *kspan_malloc_class_nolock(struct kspan_heap *heap, unsigned int class)
{
	void *object = take_small(heap, class);

	return object ? kspan_initialise_slot(heap, object, class, KSPAN_GFP_NOLOCK) : NULL;
}

static void *malloc_large_nolock(struct kspan_heap *heap, size_t size)
{
	int nid = kspan_home_node();
	void *object;

	if (size > KSPAN_MAX_SIZE)
		return NULL;
	object = kspan_large_alloc(kspan_heap_large(heap), size, nid, KSPAN_GFP_NOLOCK);
	if (!object)
		return NULL;
	kspan_count_node(heap, object, nid);
	kspan_initialise(object, kspan_large_roundup(size), 0, KSPAN_GFP_NOLOCK);
	return kspan_sample_large(heap, object, size, KSPAN_GFP_NOLOCK);
}

static __always_inline void *malloc_nolock(struct kspan_heap *heap, size_t size)
{
	unsigned int class;

	if (size > KSPAN_MAX_SMALL)
		return malloc_large_nolock(heap, size);
	class = kspan_size_class(size);
	return class ? kspan_malloc_class_nolock(heap, class) : ZERO_SIZE_PTR;
}

/**
 * kspan_malloc_nolock() - allocate memory in any context
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 *
 * This function never sleeps, never waits for a lock, and takes no memory from the system, so
 * it may fail at any time. After kspan_prefill() it succeeds for as many objects as are in
 * reserve.
 *
 * Context: any, NMI included, with any locks held.
 * Return: the memory, aligned as that of kspan_malloc(), to be freed by kspan_free(); NULL if
 * there is none at hand.
 */
void *kspan_malloc_nolock(size_t size)
{
	return malloc_nolock(&kspan_default_heap, size);
}
EXPORT_SYMBOL_GPL(kspan_malloc_nolock);

/**
 * kspan_heap_malloc_nolock() - allocate memory from a heap in any context
 * @heap:	where the object comes from; NULL for the default heap
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 *
 * Like kspan_malloc_nolock(); the reserve is that of kspan_heap_prefill(). A private heap
 * serves sizes of up to 32 KiB only.
 *
 * Context: any, NMI included, with any locks held.
 * Return: as kspan_malloc_nolock().
 */
void *kspan_heap_malloc_nolock(struct kspan_heap *heap, size_t size)
{
	heap = kspan_heap_or_default(heap);
	return kspan_track(heap, malloc_nolock(heap, size), _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc_nolock);
