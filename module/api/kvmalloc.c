// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_kvmalloc(): objects of any size
 *
 * The heap is asked first; for more than a page with little effort, as the kernel's kvmalloc()
 * does it. Then vmalloc() is asked.
 *
 * Context: as kspan_malloc(); vmalloc() is used only where the caller may sleep.
 */
#include <linux/kspan.h>
#include <linux/mm.h>

#include "api/alloc.h"
#include "objects/kv.h"
#include "objects/track.h"

/*
 * gfp flags for the attempt at the heap: as in the kernel's kvmalloc(), there is vmalloc() to
 * fall back on.
 */
static gfp_t first_attempt(size_t size, gfp_t gfp)
{
	if (size <= PAGE_SIZE)
		return gfp;
	gfp |= __GFP_NOWARN;
	if (!(gfp & __GFP_RETRY_MAYFAIL))
		gfp |= __GFP_NORETRY;
	return gfp & ~__GFP_NOFAIL;
}

static void *kvmalloc_of(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	bool tried = size <= KSPAN_MAX_SIZE;
	void *p = NULL;

	if (tried)
		p = kspan_malloc_node_of(heap, size, first_attempt(size, gfp), node);
	if (p || (tried && size <= PAGE_SIZE) || (gfp & KSPAN_GFP_REFUSED))
		return p ?: (tried ? NULL : kspan_refuse_zone(gfp));
	kspan_check_context(gfp);
	/* vmalloc() logs a request for more pages than there are: do not pass it on. */
	if (gfpflags_allow_blocking(gfp) && size >> PAGE_SHIFT < totalram_pages())
		p = kspan_kv_alloc(heap, size, gfp, node, tried);
	/* Count one failure for a request that failed, and none for one that vmalloc() served. */
	if (p && tried)
		atomic_long_dec(&heap->failures);
	else if (!p && !tried)
		atomic_long_inc(&heap->failures);
	if (!p)
		kspan_tell_failure(heap, size, gfp, node);
	return p;
}

/* Allocate with the heap's options. */
static void *kvmalloc_from(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	if (node == NUMA_NO_NODE && heap->private)
		node = heap->private->node;
	return kvmalloc_of(heap, size, kspan_heap_gfp(heap, gfp), node);
}

/* kspan_malloc_from() of any size. */
void *kspan_kvmalloc_from(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	return kvmalloc_from(heap, size, gfp, NUMA_NO_NODE);
}

/**
 * kspan_heap_kvmalloc_node() - allocate memory of any size from a heap and a NUMA node
 * @heap:	where the memory comes from; NULL for the default heap
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc(). If it does not allow to sleep, vmalloc() is not used.
 * @node:	the preferred node, or NUMA_NO_NODE; memory of vmalloc() is of that node if @gfp
 *		is GFP_KERNEL
 *
 * Like kvmalloc_node(). The heap is asked first if @size is at most kmalloc's limit, which is 4
 * MiB on x86-64. If the heap has no memory, or @size is larger, vmalloc() is asked. Memory of
 * vmalloc() consists of whole pages that are not contiguous physically, so it is not fit for
 * DMA. It counts to the heap and its limit.
 *
 * Context: as kspan_malloc().
 * Return: the memory, to be freed by kspan_free(); NULL if there is none.
 */
void *kspan_heap_kvmalloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	heap = kspan_heap_or_default(heap);
	return kspan_track(heap, kvmalloc_from(heap, size, gfp, node), _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_kvmalloc_node);
