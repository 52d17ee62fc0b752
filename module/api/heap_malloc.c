// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_malloc() and its kin from a heap that the caller names
 *
 * Each function here notes the address of its caller for a heap that was made with
 * KSPAN_HEAP_TRACK.
 *
 * Context: as kspan_malloc().
 */
#include <linux/kspan.h>
#include <linux/overflow.h>

#include "api/alloc.h"
#include "objects/track.h"

/*
 * Serve what kspan_heap_malloc()'s fast path does not: heap NULL, large objects, and heaps that
 * are tracked or have options. Two compares tell them, as heap->most_at_once is 0 for the last
 * two.
 */
static noinline void *malloc_otherwise(struct kspan_heap *heap, size_t size, gfp_t gfp,
				       unsigned long site)
{
	heap = kspan_heap_or_default(heap);
	return kspan_track(heap, kspan_malloc_from(heap, size, gfp), site);
}

/**
 * kspan_heap_malloc() - allocate memory from a heap
 * @heap:	where the memory comes from; NULL for the default heap
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc(); the heap's gfp_on and gfp_off are applied to it
 *
 * Like kspan_malloc(). A request beyond the heap's limit fails, unless it has __GFP_NOFAIL.
 *
 * Context: as kspan_malloc().
 * Return: the memory, to be freed by kspan_free() or with the heap; NULL if there is none.
 */
void *kspan_heap_malloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	/* One test for all rare cases: only then the rest is a tail call. */
	if (unlikely(!heap || size > heap->most_at_once))
		return malloc_otherwise(heap, size, gfp, _RET_IP_);
	return kspan_malloc_class_of(heap, kspan_size_class(size), gfp);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc);

/**
 * kspan_heap_zalloc() - allocate zeroed memory from a heap
 * @heap:	where the memory comes from; NULL for the default heap
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_malloc().
 */
void *kspan_heap_zalloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	if (unlikely(!heap || size > heap->most_at_once))
		return malloc_otherwise(heap, size, gfp | __GFP_ZERO, _RET_IP_);
	return kspan_malloc_class_of(heap, kspan_size_class(size), gfp | __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(kspan_heap_zalloc);

/**
 * kspan_heap_malloc_node() - allocate memory from a heap and a NUMA node
 * @heap:	where the memory comes from; NULL for the default heap
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc(); with __GFP_THISNODE no other node is tried
 * @node:	the preferred node; NUMA_NO_NODE for the heap's own node, or that of this CPU if
 *		the heap has none
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_malloc().
 */
void *kspan_heap_malloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	return __kspan_heap_malloc_site(heap, size, gfp, node, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc_node);

/**
 * __kspan_heap_malloc_site() - kspan_heap_malloc_node() on behalf of another call site
 * @heap:	as for kspan_heap_malloc_node()
 * @size:	as for kspan_heap_malloc_node()
 * @gfp:	as for kspan_heap_malloc_node()
 * @node:	as for kspan_heap_malloc_node()
 * @site:	the code address that a heap with KSPAN_HEAP_TRACK notes for the object
 *
 * Call kspan_heap_malloc_track_caller() instead.
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_malloc().
 */
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

/**
 * kspan_heap_malloc_array() - allocate memory for an array from a heap
 * @heap:	where the memory comes from; NULL for the default heap
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_malloc(); NULL also if @n * @size overflows a size_t.
 */
void *kspan_heap_malloc_array(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return __kspan_heap_malloc_site(heap, bytes, gfp, NUMA_NO_NODE, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc_array);

/**
 * kspan_heap_calloc() - allocate zeroed memory for an array from a heap
 * @heap:	where the memory comes from; NULL for the default heap
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_malloc(); NULL also if @n * @size overflows a size_t.
 */
void *kspan_heap_calloc(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return __kspan_heap_malloc_site(heap, bytes, gfp | __GFP_ZERO, NUMA_NO_NODE, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_calloc);

/**
 * kspan_heap_malloc_aligned() - allocate memory with a given alignment from a heap
 * @heap:	where the memory comes from; NULL for the default heap
 * @size:	as for kspan_malloc_aligned()
 * @align:	as for kspan_malloc_aligned()
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_malloc_aligned().
 */
void *kspan_heap_malloc_aligned(struct kspan_heap *heap, size_t size, size_t align, gfp_t gfp)
{
	heap = kspan_heap_or_default(heap);
	return kspan_track(heap, kspan_malloc_aligned_of(heap, size, align, gfp), _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc_aligned);

/**
 * kspan_heap_tiny_alloc() - allocate a few bytes that share a slot of 16 bytes, from a heap
 * @heap:	where the memory comes from; NULL for the default heap
 * @size:	as for kspan_tiny_alloc()
 * @gfp:	as for kspan_malloc()
 *
 * A heap's option KSPAN_HEAP_ON_NODE has no effect here.
 *
 * Context: as kspan_malloc().
 * Return: as kspan_tiny_alloc().
 */
void *kspan_heap_tiny_alloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	heap = kspan_heap_or_default(heap);
	gfp = kspan_heap_gfp(heap, gfp);
	return kspan_track(heap, kspan_tiny_alloc_of(heap, size, gfp), _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_tiny_alloc);
