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
#include "pages/hooks.h"
#include "pages/kept.h"
#include "pages/page_heap.h"
#include "pages/run.h"
#include "pages/source.h"

/* A span of free pages of a node, or NULL. */
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
 * The most pages that a new arena should have: kspan_arena_growth percent of what the node has
 * in arenas. For a large object it may have as many pages as four objects of that size, so that
 * a small part of the arena at most is left over.
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
 * Take a new arena from the page allocator, and the caller's run out of it at once. An arena
 * for small spans has room for many of them.
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
	/* The run starts where the block does, which is aligned to more than the request needs. */
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
 * kspan_nearest_node() - choose the next node to look for memory on
 * @nid:	node where memory would be best
 * @tried:	nodes that were tried; the result is added
 *
 * Return: the possible node nearest to @nid that was not tried, the one with the lowest number
 * among equals; or NUMA_NO_NODE when all were tried.
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

/* How many free runs of @npages there are from @first on, one behind another; at most @n. */
static unsigned int runs_from(const struct kspan_arena *arena, unsigned int first,
			      unsigned int npages, unsigned int align, unsigned int n)
{
	unsigned int runs = 1;

	/* The run behind the first one would not be aligned. */
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
 * @class:	size class of the spans that the runs become, not 0
 * @n:		most runs that the caller wants
 * @spans:	receives them, DETACHED
 *
 * It takes only pages that are free and descriptors that are spare, so it calls neither the
 * page allocator nor SLUB. A caller that gets none calls kspan_page_heap_alloc().
 *
 * Context: task, softirq, hardirq.
 * Return: number of runs in @spans.
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

/* Most requests in a row that do not look for an arena, because earlier ones looked in vain. */
#define KSPAN_SKIP_MOST	64

/*
 * Where memory is fragmented there is neither a new arena nor a block of the usual length. To
 * look for them each time takes several times as long as to allocate a span. So after a vain
 * look the next requests do not look, twice as many after each further vain look.
 *
 * The counters are hints: they change without a lock, and the worst result of a race is one
 * look more or less.
 */
static bool skips_arena(struct kspan_page_heap *ph)
{
	u8 skip = READ_ONCE(ph->skip);

	if (!skip)
		return false;
	WRITE_ONCE(ph->skip, skip - 1);
	return true;
}

/* A request has looked for an arena; @found: it got one. */
static void note_arena(struct kspan_page_heap *ph, bool found)
{
	u8 next = READ_ONCE(ph->skip_next);

	WRITE_ONCE(ph->skip, found ? 0 : next);
	WRITE_ONCE(ph->skip_next, found ? 1 : min(2 * next, KSPAN_SKIP_MOST));
	WRITE_ONCE(ph->loose_most, KSPAN_ARENA_ORDER);
}

/*
 * A span of a new arena, if that takes no effort. Only requests for small spans skip the look:
 * for a large object there is no other source without effort.
 */
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

/* Whether the page allocator may be called. */
static bool may_allocate(gfp_t gfp)
{
	return !(gfp & KSPAN_GFP_NOLOCK);
}

/* A large span of the right length that the node has kept. If there is none, others are freed. */
static struct kspan_span *alloc_kept(int nid, unsigned int npages, unsigned int align, gfp_t gfp)
{
	struct kspan_page_heap *ph = kspan_page_heaps[nid];
	struct kspan_span *span;
	unsigned long flags;

	kspan_page_heap_merge(ph, gfp);
	if (!kspan_glance(ph->nr_kept_large) || !kspan_lock(&ph->lock, &flags, gfp))
		return NULL;
	span = kspan_kept_take(ph, npages, align);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	if (!span && !(gfp & KSPAN_GFP_NOLOCK))
		kspan_kept_free(nid, KSPAN_KEPT_GIVEN, ULONG_MAX);
	return span;
}

/*
 * A span of idle pages of a node: of a large span that the node has kept, of free pages, or of
 * those that classes have in spans without an object.
 */
static struct kspan_span *alloc_idle(const struct kspan_request *rq, int nid)
{
	struct kspan_span *span = NULL;

	if (!rq->class)
		span = alloc_kept(nid, rq->npages, rq->align, rq->gfp);
	if (!span)
		span = alloc_from_arenas(nid, rq->npages, rq->align, rq->class, rq->gfp);
	if (!span && atomic_long_read(&kspan_page_heaps[nid]->kept) &&
	    kspan_relief.empty_spans(nid, rq->npages, rq->gfp))
		span = alloc_from_arenas(nid, rq->npages, rq->align, rq->class, rq->gfp);
	return span;
}

/* A span of idle pages of another node, the nearest that has some; or NULL. */
static struct kspan_span *alloc_from_other_nodes(const struct kspan_request *rq)
{
	nodemask_t tried = nodemask_of_node(rq->nid);
	struct kspan_span *span = NULL;
	int other;

	if (nr_node_ids == 1)
		return NULL;
	while (!span && (other = kspan_nearest_node(rq->nid, &tried)) != NUMA_NO_NODE)
		if (kspan_glance(kspan_page_heaps[other]->nr_arenas) && kspan_node_allowed(other))
			span = alloc_idle(rq, other);
	return span;
}

/* A span of idle pages of the node; also of those that others give up at the soft limit. */
static struct kspan_span *alloc_from_free_pages(const struct kspan_request *rq)
{
	struct kspan_span *span = alloc_idle(rq, rq->nid);

	if (!span && kspan_relief.soft_limit(rq->nid, rq->npages, rq->gfp))
		span = alloc_from_arenas(rq->nid, rq->npages, rq->align, rq->class, rq->gfp);
	return span;
}

/* The order of the longest block that is not longer than the span of the request. */
static unsigned int usual_order(const struct kspan_request *rq)
{
	return max_t(unsigned int, rq->least, KSPAN_PAGE_ORDER + ilog2(rq->npages));
}

/*
 * A span that is shorter than usual, but still longer than the smallest that holds an object:
 * free pages of the node first, then loose spans, the longest first.
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

/* A span of the smallest block that holds an object, with all that the caller's flags allow. */
static struct kspan_span *alloc_with_effort(const struct kspan_request *rq)
{
	if (rq->class)
		return kspan_loose_alloc(rq->nid, rq->least, rq->class, rq->gfp);
	return alloc_from_new_arena(rq->nid, rq->npages, 0, rq->gfp);
}

/**
 * kspan_page_heap_try() - allocate a run of pages from one source
 * @rq:		what the caller wants
 * @from:	the source
 *
 * Context: as @rq->gfp says; with KSPAN_GFP_NOLOCK only free pages are used.
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
		return rq->gfp & __GFP_THISNODE ? NULL : alloc_from_other_nodes(rq);
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
 * kspan_page_heap_alloc() - allocate a run of pages from the first source that has one
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @npages:	length, 1...KSPAN_ARENA_PAGES
 * @align:	alignment of the start in pages, a power of two of at most
 *		@npages rounded up to one
 * @class:	size class of the span that the run becomes, 0 for a large object
 * @gfp:	the caller's flags, used when memory must be taken from the page allocator.
 *		The caller must handle __GFP_NOFAIL itself.
 *
 * It tries all of enum kspan_source in turn. A span for a class may be loose, but not shorter.
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
