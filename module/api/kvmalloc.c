// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_kvmalloc(): objects of any size
 *
 * The heap is asked first, without much effort for more than a page, and then vmalloc().
 *
 * Context: task that may sleep.
 */
#include <linux/kspan.h>
#include <linux/mm.h>

#include "api/alloc.h"
#include "objects/kv.h"
#include "objects/track.h"

/* Effort that is worth while when there is vmalloc(), as the kernel's kvmalloc() has it. */
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
	/* What vmalloc() would tell the log of, there is no use for. */
	if (gfpflags_allow_blocking(gfp) && size >> PAGE_SHIFT < totalram_pages())
		p = kspan_kv_alloc(heap, size, gfp, node, tried);
	/* That the heap failed was no failure of the request's, or the only one that counts. */
	if (p && tried)
		atomic_long_dec(&heap->failures);
	else if (!p && !tried)
		atomic_long_inc(&heap->failures);
	if (!p)
		kspan_tell_failure(heap, size, gfp, node);
	return p;
}

/* As the heap's options have it. */
static void *kvmalloc_from(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	if (node == NUMA_NO_NODE && heap->private)
		node = heap->private->node;
	return kvmalloc_of(heap, size, kspan_heap_gfp(heap, gfp), node);
}

/** kspan_kvmalloc_from() - kspan_malloc_from() of any size */
void *kspan_kvmalloc_from(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	return kvmalloc_from(heap, size, gfp, NUMA_NO_NODE);
}

/**
 * kspan_heap_kvmalloc_node() - allocate memory of any size
 * @heap:	the heap; NULL for the default heap
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 * @node:	preferred node, or NUMA_NO_NODE; what vmalloc() serves is from it where @gfp
 *		is GFP_KERNEL
 *
 * Up to kmalloc's limit the heap is asked first. Where it has nothing, and above, the
 * memory is vmalloc()'s: whole pages, not in a row physically, and not for DMA. It counts to
 * the heap and its limit. kspan_free() and its kin free it as any other object.
 *
 * Context: as kspan_malloc(); where @gfp does not let it sleep vmalloc() is not asked.
 * Return: the memory or NULL.
 */
void *kspan_heap_kvmalloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	heap = kspan_heap_or_default(heap);
	return kspan_track(heap, kvmalloc_from(heap, size, gfp, node), _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_kvmalloc_node);
