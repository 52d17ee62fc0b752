// SPDX-License-Identifier: GPL-2.0
/*
 * Sources: where the pages of a request come from
 *
 * enum kspan_source lists them, the ones that cost others least first. The page heap tries
 * one source and answers yes or no; heap.c decides which source is next.
 *
 * A new arena is a fraction of the memory that the node has in arenas, up to 4 MiB. So the
 * memory that is taken in advance is such a fraction, too.
 *
 * Context: task, softirq, hardirq; waits only for the node's lock, and as the gfp flags say.
 * In NMI: allocation with KSPAN_GFP_NOLOCK.
 */
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "base/kunit_export.h"
#include "pages/arena.h"
#include "pages/bucket.h"
#include "pages/descriptor.h"
#include "pages/free.h"
#include "pages/hole.h"
#include "pages/hooks.h"
#include "pages/loose.h"
#include "pages/run.h"
#include "pages/source.h"

static struct kspan_span *alloc_from_arenas(int nid, unsigned int npages, unsigned int align,
					    unsigned int class, gfp_t gfp)
{
	struct kspan_page_heap *ph = kspan_page_heaps[nid];
	struct kspan_span *span = NULL;
	struct kspan_arena *arena;
	unsigned int first;
	unsigned long flags;

	kspan_page_heap_merge(ph, gfp);
	if (!kspan_glance(ph->filled))
		return NULL;
	if (!kspan_lock_with_descriptor(ph, &flags, gfp))
		return NULL;
	arena = kspan_bucket_find_run(ph, npages, align, &first);
	if (arena)
		span = kspan_descriptor_take_span(ph, arena, first, npages, class);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return span;
}

/*
 * Most pages of a new arena that are wanted: what the node may grow by, and for a large
 * object as much as four of its size take, so that little of an arena is left over.
 */
static unsigned int arena_most(const struct kspan_page_heap *ph, unsigned int npages,
			       unsigned int class)
{
	unsigned long pages;

	if (!READ_ONCE(kspan_arena_growth))
		return KSPAN_ARENA_PAGES;
	pages = kspan_glance(ph->pages) * READ_ONCE(kspan_arena_growth) / 100;
	if (!class)
		pages = max(pages, 4 * roundup_pow_of_two(npages));
	return rounddown_pow_of_two(clamp_t(unsigned long, pages, KSPAN_ARENA_LEAST,
					    KSPAN_ARENA_PAGES));
}

/*
 * Take a new arena in, and the caller's run out of it at once. Of small spans, an arena is to
 * have many.
 */
static struct kspan_span *alloc_from_new_arena(int nid, unsigned int npages, unsigned int class,
					       gfp_t gfp)
{
	unsigned int most = arena_most(kspan_page_heaps[nid], npages, class);
	unsigned int least = class ? max(npages, KSPAN_ARENA_LEAST) : npages;
	struct kspan_arena *arena = kspan_arena_alloc(nid, least, most, gfp);
	struct kspan_arena *host, *filler = NULL;
	struct kspan_page_heap *ph;
	struct kspan_span *span;
	unsigned long flags;
	unsigned int first;

	if (!arena)
		return NULL;
	ph = kspan_page_heaps[arena->nid];
	if (!kspan_lock_with_descriptor(ph, &flags, gfp)) {
		kspan_arena_free(arena);
		return NULL;
	}
	host = kspan_page_heap_arena_at(ph, arena->start);
	/* The run is where the block starts, which is aligned to more than it asks for. */
	first = host ? kspan_arena_page_of(host, arena->start) : 0;
	if (host) {
		kspan_hole_fill(ph, host, arena);
		filler = arena;
		arena = host;
	} else {
		kspan_page_heap_link_arena(ph, arena);
	}
	span = kspan_descriptor_take_span(ph, arena, first, npages, class);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	kfree(filler);
	return span;
}

/**
 * kspan_nearest_node() - next node to look for memory on
 * @nid:	where it would be best
 * @tried:	nodes that were tried; the result is added
 *
 * Return: the nearest possible node that was not tried, the one with the lowest
 * number among equals; or NUMA_NO_NODE.
 */
int kspan_nearest_node(int nid, nodemask_t *tried)
{
	int nearest = NUMA_NO_NODE, other;

	for_each_node(other)
		if (!node_isset(other, *tried) &&
		    (nearest == NUMA_NO_NODE ||
		     node_distance(nid, other) < node_distance(nid, nearest)))
			nearest = other;
	if (nearest != NUMA_NO_NODE)
		node_set(nearest, *tried);
	return nearest;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_nearest_node);

/* How many runs, of @n at most, are free from a free one on, one behind another. */
static unsigned int runs_from(const struct kspan_arena *arena, unsigned int first,
			      unsigned int npages, unsigned int align, unsigned int n)
{
	unsigned int runs = 1;

	/* Else the one behind is not aligned. */
	if (npages % align)
		return runs;
	n = min(n, (arena->npages - first) / npages);
	while (runs < n && kspan_run_is_set(arena->free, first + runs * npages, npages))
		runs++;
	return runs;
}

/**
 * kspan_page_heap_alloc_spans() - allocate several runs of a node at once
 * @nid:	node
 * @npages:	length of each, 1...KSPAN_ARENA_PAGES
 * @align:	alignment of their starts in pages, as for kspan_page_heap_alloc()
 * @class:	size class of the spans that they will be, not 0
 * @n:		how many at most
 * @spans:	receives them, DETACHED
 *
 * Takes pages that are free and descriptors that are spare, so it calls nobody
 * outside; whoever gets none asks kspan_page_heap_alloc().
 *
 * Context: task, softirq, hardirq.
 * Return: how many there are.
 */
unsigned int kspan_page_heap_alloc_spans(int nid, unsigned int npages, unsigned int align,
					 unsigned int class, unsigned int n,
					 struct list_head *spans)
{
	struct kspan_page_heap *ph = kspan_page_heaps[nid];
	unsigned int first, runs, taken = 0;
	struct kspan_arena *arena;
	struct kspan_span *span;
	unsigned long flags;

	kspan_page_heap_merge(ph, 0);
	if (!kspan_glance(ph->filled))
		return 0;
	raw_spin_lock_irqsave(&ph->lock, flags);
	n = min(n, ph->nr_spares - min(ph->nr_spares, KSPAN_SPARES_LEFT));
	arena = n ? kspan_bucket_find_run(ph, npages, align, &first) : NULL;
	if (arena) {
		taken = runs_from(arena, first, npages, align, n);
		kspan_page_heap_take_pages(ph, arena, first, taken * npages);
		for (runs = taken; runs--; first += npages) {
			span = kspan_descriptor_make(ph, arena, first, npages, class);
			list_add_tail(&span->list, spans);
		}
	}
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return taken;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_alloc_spans);

static struct kspan_span *alloc_from_other_nodes(int nid, unsigned int npages, unsigned int align,
						 unsigned int class, gfp_t gfp)
{
	nodemask_t tried = nodemask_of_node(nid);
	struct kspan_span *span = NULL;
	int other;

	if (nr_node_ids == 1)
		return NULL;
	while (!span && (other = kspan_nearest_node(nid, &tried)) != NUMA_NO_NODE)
		if (kspan_glance(kspan_page_heaps[other]->nr_arenas) && kspan_node_allowed(other))
			span = alloc_from_arenas(other, npages, align, class, gfp);
	return span;
}

/* Most requests that do not look for an arena, after others looked in vain. */
#define KSPAN_SKIP_MOST	64

/*
 * Where memory is in pieces there is no arena to be had, nor a usual block, and to look for
 * them each time takes several times what a span takes. So the next requests do without, more
 * with each vain look. The counters are hints: a race costs a look.
 */
static bool skips_arena(struct kspan_page_heap *ph)
{
	u8 skip = READ_ONCE(ph->skip);

	if (!skip)
		return false;
	WRITE_ONCE(ph->skip, skip - 1);
	return true;
}

static void note_arena(struct kspan_page_heap *ph, bool found)
{
	u8 next = READ_ONCE(ph->skip_next);

	WRITE_ONCE(ph->skip, found ? 0 : next);
	WRITE_ONCE(ph->skip_next, found ? 1 : min(2 * next, KSPAN_SKIP_MOST));
	WRITE_ONCE(ph->loose_most, KSPAN_ARENA_ORDER);
}

/* For a small span; for a large one there is nothing else. */
static struct kspan_span *alloc_from_effortless_arena(const struct kspan_request *rq)
{
	gfp_t gfp = kspan_gfp_effortless(rq->gfp) | __GFP_THISNODE;
	struct kspan_page_heap *ph = kspan_page_heaps[rq->nid];
	struct kspan_span *span;

	if (rq->class && skips_arena(ph))
		return NULL;
	if (!kspan_block_is_spare(rq->nid, KSPAN_PAGE_ORDER + order_base_2(rq->npages)))
		return NULL;
	span = alloc_from_new_arena(rq->nid, rq->npages, rq->class, gfp);
	if (rq->class)
		note_arena(ph, span);
	return span;
}

static bool may_allocate(gfp_t gfp)
{
	return !(gfp & KSPAN_GFP_NOLOCK);
}

/* Free pages of the node, also those that a limit makes others give up. */
static struct kspan_span *alloc_from_free_pages(const struct kspan_request *rq)
{
	struct kspan_span *span;

	span = alloc_from_arenas(rq->nid, rq->npages, rq->align, rq->class, rq->gfp);
	if (!span && kspan_relief.soft_limit(rq->nid, rq->npages, rq->gfp))
		span = alloc_from_arenas(rq->nid, rq->npages, rq->align, rq->class, rq->gfp);
	return span;
}

/* The order of the longest block that is no longer than the span is to be. */
static unsigned int usual_order(const struct kspan_request *rq)
{
	return max_t(unsigned int, rq->least, KSPAN_PAGE_ORDER + ilog2(rq->npages));
}

/*
 * Shorter and shorter, but longer than what holds an object has to be: free pages of the
 * node first.
 */
static struct kspan_span *alloc_shorter(const struct kspan_request *rq)
{
	struct kspan_page_heap *ph = kspan_page_heaps[rq->nid];
	unsigned int order = usual_order(rq), npages = rq->npages / 2;
	gfp_t gfp = kspan_gfp_effortless(rq->gfp);
	struct kspan_span *span = NULL;

	if (READ_ONCE(ph->skip))
		order = max(rq->least, min_t(unsigned int, order, READ_ONCE(ph->loose_most)));
	if (!kspan_glance(ph->filled))
		npages = 0;
	for (; !span && npages && npages << KSPAN_PAGE_ORDER >= 1U << rq->least; npages /= 2)
		span = alloc_from_arenas(rq->nid, npages, min(rq->align, npages), rq->class, gfp);
	while (!span && order > rq->least && may_allocate(rq->gfp) &&
	       kspan_block_is_spare(rq->nid, order)) {
		span = kspan_loose_alloc(rq->nid, order, rq->class, gfp);
		if (!span)
			WRITE_ONCE(ph->loose_most, --order);
	}
	return span;
}

/* The smallest block that holds an object, with all that the caller's flags allow. */
static struct kspan_span *alloc_with_effort(const struct kspan_request *rq)
{
	if (rq->class)
		return kspan_loose_alloc(rq->nid, rq->least, rq->class, rq->gfp);
	return alloc_from_new_arena(rq->nid, rq->npages, 0, rq->gfp);
}

/**
 * kspan_page_heap_try() - allocate a run of pages from one of the places there are
 * @rq:		what is wanted
 * @from:	the place
 *
 * Context: as @rq->gfp says; with KSPAN_GFP_NOLOCK free pages are all there is.
 * Return: a span, DETACHED for a class and LARGE without one, or NULL.
 */
struct kspan_span *kspan_page_heap_try(const struct kspan_request *rq, enum kspan_source from)
{
	switch (from) {
	case KSPAN_FROM_FREE_PAGES:
		return alloc_from_free_pages(rq);
	case KSPAN_FROM_NEW_ARENA:
		return !may_allocate(rq->gfp) ? NULL : alloc_from_effortless_arena(rq);
	case KSPAN_FROM_OTHER_NODES:
		return rq->gfp & __GFP_THISNODE ? NULL :
		       alloc_from_other_nodes(rq->nid, rq->npages, rq->align, rq->class, rq->gfp);
	case KSPAN_FROM_SHORTER_RUNS:
		return !rq->class ? NULL : alloc_shorter(rq);
	case KSPAN_WITH_EFFORT:
		return !may_allocate(rq->gfp) ? NULL : alloc_with_effort(rq);
	case KSPAN_BEYOND_LIMIT:
		return !kspan_relief.hard_limit(rq->nid, rq->npages, rq->gfp) ? NULL :
		       alloc_from_arenas(rq->nid, rq->npages, rq->align, rq->class, rq->gfp) ?:
		       alloc_with_effort(rq);
	default:
		return NULL;
	}
}

/**
 * kspan_page_heap_alloc() - allocate a run of pages from wherever there are some
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @npages:	length, 1...KSPAN_ARENA_PAGES
 * @align:	alignment of the start in pages, a power of two of at most
 *		@npages rounded up to one
 * @class:	size class of the span that the run will be, 0 for a large one
 * @gfp:	the caller's flags, used when an arena must be taken from buddy.
 *		__GFP_NOFAIL is the caller's to care for.
 *
 * All of enum kspan_source in turn; a span for a class may be loose, but not shorter.
 *
 * Context: as @gfp says.
 * Return: a span, DETACHED for a @class and LARGE without one, or NULL.
 */
struct kspan_span *kspan_page_heap_alloc(int nid, unsigned int npages, unsigned int align,
					 unsigned int class, gfp_t gfp)
{
	struct kspan_request rq = {
		.nid = nid, .npages = npages, .align = align, .class = class, .gfp = gfp,
		.least = KSPAN_PAGE_ORDER + order_base_2(npages),
	};
	struct kspan_span *span = NULL;
	enum kspan_source from;

	for (from = KSPAN_FROM_FREE_PAGES; !span && from < KSPAN_NR_SOURCES; from++)
		span = kspan_page_heap_try(&rq, from);
	return span;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_alloc);
