// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps
 *
 * A heap is a set of centrals, one per node and class, and a cache per CPU.
 * Pages come from the page heaps, which all heaps share. Here is what happens
 * when the CPU cache can't serve: a single slot from the node's central, from
 * a new span, or from another node.
 *
 * Context: allocation as the gfp flags say.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/nodemask.h>

#include "heap.h"
#include "kunit_export.h"

/**
 * kspan_heap_init() - make an empty heap
 * @heap:	zeroed memory for it
 * @name:	its name, which must live as long
 *
 * Return: 0 or -ENOMEM.
 */
int kspan_heap_init(struct kspan_heap *heap, const char *name)
{
	unsigned int class;
	int nid;

	heap->name = name;
	for_each_node(nid) {
		int home = node_online(nid) ? nid : NUMA_NO_NODE;

		heap->node[nid] = kcalloc_node(KSPAN_NR_CLASSES, sizeof(struct kspan_central),
					       GFP_KERNEL, home);
		if (!heap->node[nid])
			goto fail;
		for (class = 0; class < KSPAN_NR_CLASSES; class++)
			kspan_central_init(kspan_heap_central(heap, nid, class), class, nid);
	}
	if (kspan_cpu_caches_init(heap))
		goto fail;
	return 0;
fail:
	kspan_heap_exit(heap);
	return -ENOMEM;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_init);

static void flush_depots(struct kspan_heap *heap)
{
	unsigned int class;
	int nid;

	for_each_node(nid)
		for (class = 1; class < KSPAN_NR_CLASSES; class++)
			kspan_depot_flush(kspan_heap_central(heap, nid, class));
}

/**
 * kspan_heap_flush() - return all cached objects to their spans
 * @heap: the heap, in use or not
 *
 * Context: task; sleeps.
 */
void kspan_heap_flush(struct kspan_heap *heap)
{
	kspan_cpu_caches_flush(heap);
	flush_depots(heap);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_flush);

/**
 * kspan_heap_caches() - whether an object is in a magazine
 * @heap:	the heap
 * @class:	size class of the object
 * @object:	address
 *
 * Return: whether it is; may be outdated while others use the class.
 */
bool kspan_heap_caches(struct kspan_heap *heap, unsigned int class, const void *object)
{
	int nid;

	if (kspan_cpu_caches_hold(heap, class, object))
		return true;
	for_each_node(nid)
		if (kspan_depot_holds(kspan_heap_central(heap, nid, class), object))
			return true;
	return false;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_caches);

static void report_leftovers(struct kspan_heap *heap, unsigned int class)
{
	unsigned long live = 0;
	int nid;

	for_each_node(nid)
		live += kspan_heap_central(heap, nid, class)->nr_out;
	if (live)
		pr_warn("heap %s: %lu objects of class %u were never freed\n", heap->name, live,
			kspan_size_classes[class].size);
}

/**
 * kspan_heap_exit() - take a heap down
 * @heap: the heap, which nobody uses any more; may be half-built
 *
 * Reports live objects by class. Their spans stay with the page heap.
 */
void kspan_heap_exit(struct kspan_heap *heap)
{
	unsigned int class;
	int nid;

	if (heap->cpu) {
		kspan_cpu_caches_exit(heap);
		flush_depots(heap);
		for (class = 1; class < KSPAN_NR_CLASSES; class++)
			report_leftovers(heap, class);
	}
	for_each_node(nid) {
		if (!heap->node[nid])
			continue;
		for (class = 0; class < KSPAN_NR_CLASSES; class++)
			kspan_central_exit(kspan_heap_central(heap, nid, class));
		kfree(heap->node[nid]);
		heap->node[nid] = NULL;
	}
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_exit);

/* A slot of a new span, or NULL. */
static void *alloc_from_new_span(struct kspan_heap *heap, unsigned int class, int nid, gfp_t gfp)
{
	const struct kspan_size_class *sc = &kspan_size_classes[class];
	struct kspan_span *span;
	void *object;

	/* Pages would be taken in vain: there is no memory for the bitmaps. */
	if ((gfp & KSPAN_GFP_NOLOCK) && kspan_span_bitmap_bytes(class))
		return NULL;
	span = kspan_page_heap_alloc(nid, sc->pages, sc->align, class, gfp);
	if (!span)
		return NULL;
	if (!kspan_span_format(span, class, gfp)) {
		object = kspan_central_adopt(kspan_heap_central(heap, span->nid, class), span,
					     gfp);
		if (object)
			return object;
		kspan_span_unformat(span);
	}
	if (gfp & KSPAN_GFP_NOLOCK)
		kspan_page_heap_defer(span);
	else
		kspan_page_heap_free(span, span->start, KSPAN_SPAN_DETACHED);
	return NULL;
}

static void *alloc_from_other_centrals(struct kspan_heap *heap, unsigned int class, int nid,
				       gfp_t gfp)
{
	nodemask_t tried = nodemask_of_node(nid);
	void *object = NULL;
	int other;

	while (!object && (other = kspan_nearest_node(nid, &tried)) != NUMA_NO_NODE)
		object = kspan_central_alloc(kspan_heap_central(heap, other, class), gfp);
	return object;
}

/**
 * kspan_heap_grow() - allocate where a node's central has no free slot
 * @heap:	the heap
 * @class:	size class, not 0
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @gfp:	the caller's flags
 *
 * Return: an object of a new span, or one of another node's, or NULL.
 */
void *kspan_heap_grow(struct kspan_heap *heap, unsigned int class, int nid, gfp_t gfp)
{
	void *object = alloc_from_new_span(heap, class, nid, gfp);

	if (!object && !(gfp & __GFP_THISNODE))
		object = alloc_from_other_centrals(heap, class, nid, gfp);
	return object;
}

/**
 * kspan_heap_alloc_slot() - allocate past the CPU caches
 * @heap:	the heap
 * @class:	size class, not 0
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @gfp:	the caller's flags
 *
 * Return: an object or NULL.
 */
void *kspan_heap_alloc_slot(struct kspan_heap *heap, unsigned int class, int nid, gfp_t gfp)
{
	void *object = kspan_central_alloc(kspan_heap_central(heap, nid, class), gfp);

	return object ? object : kspan_heap_grow(heap, class, nid, gfp);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_alloc_slot);

/**
 * kspan_heap_alloc_chunk() - pages to put objects into that go together
 * @heap:	the heap that they are from
 * @size:	bytes, which are rounded up to whole pages, at most KSPAN_MAX_SIZE
 * @gfp:	the caller's flags, without zone flags; zeroing is left to the caller
 *
 * kspan_free() of an address in a chunk is reported as what it is.
 *
 * Return: the chunk, aligned to the largest power of two that divides @size and at
 * least to a page; or NULL.
 */
void *kspan_heap_alloc_chunk(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	void *chunk = kspan_large_alloc(size, raw_cpu_ptr(heap->cpu)->nid, kspan_gfp_here(gfp));

	if (chunk)
		kspan_span_set_state(kspan_map_span((unsigned long)chunk), KSPAN_SPAN_CHUNK);
	return chunk;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_alloc_chunk);

/** kspan_heap_free_chunk() - undo kspan_heap_alloc_chunk() */
void kspan_heap_free_chunk(void *chunk)
{
	kspan_span_set_state(kspan_map_span((unsigned long)chunk), KSPAN_SPAN_LARGE);
	kspan_large_free((unsigned long)chunk);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_free_chunk);
