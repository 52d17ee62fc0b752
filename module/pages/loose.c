// SPDX-License-Identifier: GPL-2.0
/*
 * Loose spans
 *
 * Where memory is fragmented, a span is a block of the page allocator by itself, in no arena,
 * and shorter than usual, down to a single page of the kernel. The block is given back when
 * the span is freed.
 *
 * Context: allocation as the gfp flags say, from task, softirq and hardirq.
 */
#include "base/kunit_export.h"
#include "base/trace.h"
#include "pages/block.h"
#include "pages/descriptor.h"
#include "pages/page_heap.h"

/* Make a loose span of a block. The page heap is locked, and there is a spare descriptor. */
static struct kspan_span *make_loose(struct kspan_page_heap *ph, unsigned long start,
				     unsigned int order, unsigned int class)
{
	struct kspan_span *span;

	/* The class of private heaps sends frees to a path that tells halves of a page apart. */
	if (class && order < KSPAN_PAGE_ORDER)
		class = KSPAN_CLASS_PRIVATE;
	span = kspan_descriptor_make_at(ph, NULL, start, 1U << order, class);
	ph->loose++;
	ph->loose_pages += 1UL << order;
	kspan_page_heap_note_peak(ph);
	return span;
}

/*
 * Take a block from the page allocator, and make a loose span of it. @class is 0 for a large
 * object. Returns NULL without memory. Context: as @gfp says.
 */
struct kspan_span *kspan_loose_alloc(int nid, unsigned int order, unsigned int class, gfp_t gfp)
{
	struct page *page = kspan_block_alloc(nid, order, gfp);
	struct kspan_page_heap *ph;
	struct kspan_span *span;
	unsigned long start, flags;

	if (!page)
		return NULL;
	ph = kspan_page_heaps[page_to_nid(page)];
	start = (unsigned long)page_address(page);
	if (!kspan_lock_with_descriptor(ph, &flags, gfp)) {
		kspan_block_free(start, order);
		return NULL;
	}
	span = make_loose(ph, start, order, class);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return span;
}

/* Most blocks that one call of kspan_page_heap_alloc_loose() takes. */
#define KSPAN_LOOSE_MOST	8U

/**
 * kspan_page_heap_alloc_loose() - allocate some loose spans of one node at once
 * @rq:		what the caller wants; the node and the class are used
 * @order:	order of the blocks
 * @n:		most spans that the caller wants; it never gets more than KSPAN_LOOSE_MOST
 * @spans:	receives them, DETACHED
 *
 * It takes only blocks that the page allocator has without effort, and not more than there are
 * spare descriptors, except for those that are left to NMIs.
 *
 * Context: as @rq->gfp says, without KSPAN_GFP_NOLOCK.
 */
void kspan_page_heap_alloc_loose(const struct kspan_request *rq, unsigned int order,
				 unsigned int n, struct list_head *spans)
{
	gfp_t gfp = kspan_gfp_effortless(rq->gfp) | __GFP_THISNODE;
	struct kspan_page_heap *ph = kspan_page_heaps[rq->nid];
	unsigned long start[KSPAN_LOOSE_MOST], flags;
	unsigned int got = 0, spares;
	struct page *page;

	spares = kspan_glance(ph->nr_spares);
	n = min3(n, KSPAN_LOOSE_MOST, spares - min(spares, KSPAN_SPARES_LEFT));
	if (!n || !kspan_block_is_spare(rq->nid, order + order_base_2(n)))
		return;
	while (got < n && (page = kspan_block_alloc(rq->nid, order, gfp)))
		start[got++] = (unsigned long)page_address(page);
	if (!got)
		return;
	raw_spin_lock_irqsave(&ph->lock, flags);
	/* Other CPUs may have used spare descriptors up meanwhile. */
	while (got && ph->nr_spares > KSPAN_SPARES_LEFT)
		list_add_tail(&make_loose(ph, start[--got], order, rq->class)->list, spans);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	while (got)
		kspan_block_free(start[--got], order);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_alloc_loose);

/**
 * kspan_page_heap_alloc_emergency() - allocate a run from the system's reserves
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @size:	bytes, at most KSPAN_ARENA_SIZE
 * @gfp:	flags of a caller that may use the reserves
 *
 * The run is a whole block, so no other allocation gets any part of the reserves. The block is
 * given back as soon as the run is freed.
 *
 * Context: as @gfp says.
 * Return: a LARGE span or NULL.
 */
struct kspan_span *kspan_page_heap_alloc_emergency(int nid, size_t size, gfp_t gfp)
{
	return kspan_loose_alloc(nid, get_order(size), 0, gfp | KSPAN_GFP_EMERGENCY);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_alloc_emergency);

/*
 * A loose span is DEAD: take it out of the map, and add it to @freed. The caller gives its block
 * back by kspan_loose_release(). The descriptor says where the block is, so it is no spare one.
 */
noinline void kspan_loose_unlink(struct kspan_page_heap *ph, struct kspan_span *span,
				 struct llist_head *freed)
{
	lockdep_assert_held(&ph->lock);
	trace_kspan_span_free(ph->nid, kspan_map_page(span->start), kspan_span_bytes(span),
			      span->class);
	kspan_map_clear(span);
	ph->loose--;
	ph->loose_pages -= span->base_pages;
	ph->loose_released += span->base_pages;
	__llist_add(&span->deferred, freed);
}

/* Give the block of a DEAD loose span back, and free its descriptor; the lock is not held. */
void kspan_loose_release(struct kspan_span *span)
{
	kspan_block_free(span->start, ilog2(span->base_pages));
	kspan_span_free_descriptor(span);
}
