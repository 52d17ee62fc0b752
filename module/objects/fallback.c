// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation past the CPU cache: the ladder of places that a slot can come from
 *
 * kspan_heap_alloc_slot() tries one place after the other. The order puts first what costs others
 * least:
 *
 *  1. a free slot of the node's central
 *  2. a new span of free pages of the node; beyond the soft limit, after idle memory was
 *     given back
 *  3. a new span in a new arena, if buddy has the memory without effort
 *  4. a free slot of another node's central
 *  5. a new span on another node
 *  6. a shorter run, or a block of buddy that is a span by itself ("loose")
 *  7. the smallest block that holds the object, with all that the caller's gfp flags allow:
 *     to wait, to reclaim, to compact
 *  8. at the hard limit of all arenas: the same, after idle memory was given back
 *
 * The caller gets the first slot of a new span; the others serve the next refills.
 *
 * The reserves of the system are no step of the ladder: what they give is no slot. alloc.c
 * asks for them when the ladder has failed.
 *
 * Context: as the gfp flags say.
 */
#include <linux/nodemask.h>

#include "base/kunit_export.h"
#include "objects/cpu_cache.h"
#include "objects/heap.h"

/* Where memory is in pieces, a class with at most this many slots per span makes several spans. */
#define KSPAN_FEW_SLOTS	4U

/*
 * Call the user's constructor for all slots of a new span. Returns false when the module of the
 * constructor is going away: then the span can't be used.
 */
static bool construct_slots(struct kspan_private *private, struct kspan_span *span)
{
	unsigned int i;
	bool gone;

	atomic_inc(&private->constructing);
	/*
	 * Pairs with the smp_mb() in kspan_private_forget() of api/private.c: either that function
	 * sees @constructing, or @ctor_gone is seen here.
	 */
	smp_mb__after_atomic();
	gone = READ_ONCE(private->ctor_gone);
	for (i = 0; !gone && i < span->nslots; i++)
		private->ctor((void *)(span->start + (unsigned long)i * span->size));
	/*
	 * Pairs with kspan_private_forget() of api/private.c: when it sees @constructing drop, the
	 * constructor has finished its writes.
	 */
	smp_mb__before_atomic();
	atomic_dec(&private->constructing);
	return !gone;
}

/* The order of the smallest block of the page allocator that holds an object. */
static unsigned int least_order(const struct kspan_size_class *sc, unsigned int class)
{
	/* A block of tiny objects has bitmaps of the usual length, so its span is never shorter. */
	if (class == KSPAN_CLASS_TINY)
		return KSPAN_PAGE_ORDER + order_base_2(sc->pages);
	return get_order(sc->size);
}

/**
 * kspan_adopt_run() - make a run a span of a central
 * @central:	of the node of the run
 * @span:	DETACHED, of the central's class
 * @gfp:	the caller's flags
 *
 * Return: the first slot of the span, allocated and sealed; or NULL, and the caller keeps the run.
 */
void *kspan_adopt_run(struct kspan_central *central, struct kspan_span *span, gfp_t gfp)
{
	void *object = NULL;

	if (kspan_span_format(span, central->sc, central->tracked, gfp))
		return NULL;
	/*
	 * The slots keep their content over free and allocation, so init_on_alloc happens once,
	 * here.
	 */
	if (central->keeps_contents && want_init_on_alloc(0))
		kspan_span_wipe(span);
	kspan_seal_span(span, central->seal_at);
	if (!central->ctor || construct_slots(central->heap->private, span))
		object = kspan_central_adopt(central, span, gfp);
	if (!object) {
		kspan_unseal_span(span, central->seal_at);
		kspan_span_unformat(span);
	}
	return object;
}

/*
 * Charge the account for the pages that the span has. Before, it was charged for those that were
 * asked for.
 */
static bool charge_exactly(struct kspan_account *account, unsigned int *charged,
			   unsigned int npages, gfp_t gfp)
{
	if (npages > *charged && !kspan_account_charge(account, npages - *charged, gfp))
		return false;
	if (npages < *charged)
		kspan_account_uncharge(account, *charged - npages);
	*charged = npages;
	return true;
}

/*
 * A span with few objects costs as much work as one with many. After a loose span was made, this
 * takes some more loose blocks at once, if they are to be had without effort. Their objects fill
 * this CPU's empty magazine.
 */
static void stock_loose_spans(struct kspan_heap *heap, unsigned int class,
			      const struct kspan_request *rq, unsigned int order)
{
	struct kspan_central *central = kspan_heap_central(heap, rq->nid, class);
	unsigned int nslots = (PAGE_SIZE << order) / central->sc->size, n;
	struct kspan_span *span, *next;
	LIST_HEAD(spans);

	if (nslots > KSPAN_FEW_SLOTS || central->account || central->ctor || central->tracked)
		return;
	n = kspan_cpu_cache_room(heap, class, rq->nid) / nslots;
	kspan_page_heap_alloc_loose(rq, order, n, &spans);
	list_for_each_entry_safe(span, next, &spans, list) {
		if (kspan_span_format(span, central->sc, false, rq->gfp)) {
			list_del(&span->list);
			kspan_page_heap_free(span, span->start, KSPAN_SPAN_DETACHED);
		} else {
			kspan_seal_span(span, central->seal_at);
		}
	}
	if (!list_empty(&spans))
		kspan_cpu_cache_stock(heap, class, central, &spans, NULL);
}

/**
 * kspan_heap_refill_slot() - allocate from the node's free pages, and refill this CPU's cache
 * @heap:	heap to allocate from
 * @class:	size class, not 0
 * @nid:	node of the pages
 *
 * Makes as many spans as fill the CPU's magazine, which is empty. It calls neither SLUB nor the
 * page allocator, and makes nothing where that would be needed.
 *
 * Context: task, softirq, hardirq.
 * Return: an object or NULL.
 */
void *kspan_heap_refill_slot(struct kspan_heap *heap, unsigned int class, int nid)
{
	struct kspan_central *central = kspan_heap_central(heap, nid, class);
	unsigned int n = central ? kspan_cpu_cache_room(heap, class, nid) : 0;
	void *object = NULL;
	LIST_HEAD(spans);

	if (n && kspan_central_make_spans(central, n, &spans))
		kspan_cpu_cache_stock(heap, class, central, &spans, &object);
	return object;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_refill_slot);

/* Take pages from one step of the ladder, and make them a span. Returns its first slot, or NULL. */
static void *slot_of_new_span(struct kspan_heap *heap, unsigned int class,
			      struct kspan_account *account, const struct kspan_request *rq,
			      enum kspan_source from)
{
	unsigned int charged = rq->npages, order;
	struct kspan_central *central;
	struct kspan_span *span;
	void *object = NULL;
	bool loose;

	if (from >= KSPAN_FROM_SHORTER_RUNS)
		charged = max(1U << rq->least >> KSPAN_PAGE_ORDER, 1U);
	if (!kspan_account_charge(account, charged, rq->gfp))
		return NULL;
	span = kspan_page_heap_try(rq, from);
	if (!span)
		goto uncharge;
	loose = kspan_span_is_loose(span);
	order = ilog2(span->base_pages);
	/* The run may be of another node than @rq->nid. */
	central = kspan_heap_make_central(heap, span->nid, class, rq->gfp);
	if (central && charge_exactly(account, &charged, kspan_span_npages(span), rq->gfp))
		object = kspan_adopt_run(central, span, rq->gfp);
	if (object) {
		if (loose)
			stock_loose_spans(heap, class, rq, order);
		return object;
	}
	if (rq->gfp & KSPAN_GFP_NOLOCK)
		kspan_page_heap_defer(span);
	else
		kspan_page_heap_free(span, span->start, KSPAN_SPAN_DETACHED);
uncharge:
	kspan_account_uncharge(account, charged);
	return NULL;
}

static void *free_slot_elsewhere(struct kspan_heap *heap, unsigned int class, int nid, gfp_t gfp)
{
	nodemask_t tried = nodemask_of_node(nid);
	struct kspan_central *central;
	void *object = NULL;
	int other;

	if (nr_node_ids == 1 || (gfp & __GFP_THISNODE))
		return NULL;
	while (!object && (other = kspan_nearest_node(nid, &tried)) != NUMA_NO_NODE) {
		central = kspan_heap_central(heap, other, class);
		if (central && kspan_node_allowed(other))
			object = kspan_central_alloc(central, gfp);
	}
	return object;
}

/*
 * Whether new pages could become a span. Without memory for bitmaps, or without the constructor,
 * they would be taken in vain.
 */
static bool may_make_spans(const struct kspan_central *central, gfp_t gfp)
{
	if (central->ctor && READ_ONCE(central->heap->private->ctor_gone))
		return false;
	return !(gfp & KSPAN_GFP_NOLOCK) ||
	       !(kspan_span_bitmap_bytes(central->sc) || central->keeps_contents ||
		 central->tracked);
}

/**
 * kspan_heap_alloc_slot() - allocate past the CPU caches
 * @heap:	heap to allocate from
 * @class:	size class, not 0
 * @nid:	preferred node; with __GFP_THISNODE the only one
 * @gfp:	the caller's flags
 *
 * Called when no magazine has an object. It tries the steps of the ladder at the head of this
 * file. Waiting, reclaim and compaction are only for the smallest block that holds an object.
 *
 * Return: an object or NULL.
 */
void *kspan_heap_alloc_slot(struct kspan_heap *heap, unsigned int class, int nid, gfp_t gfp)
{
	const struct kspan_size_class *sc = &heap->classes[class];
	struct kspan_central *central = kspan_heap_make_central(heap, nid, class, gfp);
	struct kspan_account *account;
	struct kspan_request rq = {
		.nid = nid, .npages = sc->pages, .align = sc->align, .gfp = gfp,
		.least = least_order(sc, class),
	};
	void *object;

	if (!central)
		return free_slot_elsewhere(heap, class, nid, gfp);
	object = kspan_central_alloc(central, gfp);
	if (object)
		return object;
	if (!may_make_spans(central, gfp))
		return free_slot_elsewhere(heap, class, nid, gfp);
	account = central->account;
	rq.class = central->page_class;
	return slot_of_new_span(heap, class, account, &rq, KSPAN_FROM_FREE_PAGES) ?:
	       slot_of_new_span(heap, class, account, &rq, KSPAN_FROM_NEW_ARENA) ?:
	       free_slot_elsewhere(heap, class, nid, gfp) ?:
	       (nr_node_ids == 1 ? NULL :
		slot_of_new_span(heap, class, account, &rq, KSPAN_FROM_OTHER_NODES)) ?:
	       slot_of_new_span(heap, class, account, &rq, KSPAN_FROM_SHORTER_RUNS) ?:
	       slot_of_new_span(heap, class, account, &rq, KSPAN_WITH_EFFORT) ?:
	       slot_of_new_span(heap, class, account, &rq, KSPAN_BEYOND_LIMIT);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_alloc_slot);
