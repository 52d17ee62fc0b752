// SPDX-License-Identifier: GPL-2.0
/* kspan_malloc() and its kin from a heap that the caller names. */
#include <linux/kspan.h>
#include <linux/overflow.h>

#include "api/alloc.h"
#include "objects/track.h"

/*
 * What the fast path of kspan_heap_malloc() does not serve. Of NULL, of large objects and of
 * heaps that are tracked or have options it knows by two compares.
 */
static noinline void *malloc_otherwise(struct kspan_heap *heap, size_t size, gfp_t gfp,
				       unsigned long site)
{
	heap = kspan_heap_or_default(heap);
	return kspan_track(heap, kspan_malloc_from(heap, size, gfp), site);
}

/**
 * kspan_heap_malloc() - kspan_malloc() from a private heap
 * @heap:	the heap; NULL for the default heap, as in all calls here that allocate
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the memory, to be freed by kspan_free() or with the heap; or NULL.
 */
void *kspan_heap_malloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	/* Else the rest would not be a tail call. */
	if (unlikely(!heap || size > heap->most_at_once))
		return malloc_otherwise(heap, size, gfp, _RET_IP_);
	return kspan_malloc_class_of(heap, kspan_size_class(size), gfp);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc);

/** kspan_heap_zalloc() - kspan_zalloc() from a heap; NULL: the default heap */
void *kspan_heap_zalloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	if (unlikely(!heap || size > heap->most_at_once))
		return malloc_otherwise(heap, size, gfp | __GFP_ZERO, _RET_IP_);
	return kspan_malloc_class_of(heap, kspan_size_class(size), gfp | __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(kspan_heap_zalloc);

/** kspan_heap_malloc_node() - kspan_malloc_node() from a heap; NULL: the default heap */
void *kspan_heap_malloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	return __kspan_heap_malloc_site(heap, size, gfp, node, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc_node);

/** __kspan_heap_malloc_site() - kspan_heap_malloc_node() in the name of a call site */
void *__kspan_heap_malloc_site(struct kspan_heap *heap, size_t size, gfp_t gfp, int node,
			       unsigned long site)
{
	void *p;

	heap = kspan_heap_or_default(heap);
	if (node == NUMA_NO_NODE)
		p = kspan_malloc_from(heap, size, gfp);
	else
		p = kspan_malloc_node_of(heap, size, kspan_heap_gfp(heap, gfp), node);
	return kspan_track(heap, p, site);
}
EXPORT_SYMBOL_GPL(__kspan_heap_malloc_site);

/** kspan_heap_malloc_array() - kspan_malloc_array() from a heap; NULL: the default heap */
void *kspan_heap_malloc_array(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return __kspan_heap_malloc_site(heap, bytes, gfp, NUMA_NO_NODE, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc_array);

/** kspan_heap_calloc() - kspan_calloc() from a heap; NULL: the default heap */
void *kspan_heap_calloc(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return __kspan_heap_malloc_site(heap, bytes, gfp | __GFP_ZERO, NUMA_NO_NODE, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_calloc);

/** kspan_heap_malloc_aligned() - kspan_malloc_aligned() from a heap; NULL: the default heap */
void *kspan_heap_malloc_aligned(struct kspan_heap *heap, size_t size, size_t align, gfp_t gfp)
{
	heap = kspan_heap_or_default(heap);
	return kspan_track(heap, kspan_malloc_aligned_of(heap, size, align, gfp), _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc_aligned);

/** kspan_heap_tiny_alloc() - kspan_tiny_alloc() from a heap; NULL: the default heap */
void *kspan_heap_tiny_alloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	heap = kspan_heap_or_default(heap);
	gfp = kspan_heap_gfp(heap, gfp);
	return kspan_track(heap, kspan_tiny_alloc_of(heap, size, gfp), _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_tiny_alloc);
