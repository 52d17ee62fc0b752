// SPDX-License-Identifier: GPL-2.0
/*
 * Central lists
 *
 *	partial: span -> span -> ...	take slots from the first
 *	full:    span -> span -> ...
 *
 * A central owns all spans of one size class of one heap on one node. Spans enter it with all
 * slots free and leave it when their last object is freed, or when their heap is destroyed.
 *
 *	central.c	lists of spans; to take slots from a span, to retire a span
 *	deferred.c	frees that an NMI left to others
 *	batch.c		many slots at once, from spans and back
 *	depot.c		magazines of slots, which CPUs exchange
 *	slot.c		one slot at a time, past the CPU caches
 *	central_trim.c	spans that leave the central
 *	hollow.c	pages that leave a span in use
 *
 * The work that is done under the lock at a time is bounded by KSPAN_STEPS, however long
 * the list or magazine is; a caller that has more to do drops the lock in between.
 *
 * Context: task, softirq, hardirq; the only wait is for the central lock. NMI: with
 * KSPAN_GFP_NOLOCK, which tries the lock once.
 */
#include "base/kunit_export.h"
#include "objects/central.h"
#include "objects/seal.h"
#include "pages/hooks.h"

/**
 * kspan_central_init() - make an empty central
 * @central:	zeroed memory; the heap sets the fields that are its own afterwards
 * @sc:		size, number of slots and alignment of the spans; must stay valid
 * @class:	size class, as the heap counts them; the map gives it for the pages, too
 * @nid:	node whose pages the spans are made of
 */
void kspan_central_init(struct kspan_central *central, const struct kspan_size_class *sc,
			unsigned int class, int nid)
{
	raw_spin_lock_init(&central->lock);
	central->sc = sc;
	central->class = class;
	central->page_class = class;
	central->cached_class = class;
	central->nid = nid;
	central->budget = &kspan_no_budget;
	INIT_LIST_HEAD(&central->partial);
	INIT_LIST_HEAD(&central->full);
	INIT_LIST_HEAD(&central->depot_full);
	INIT_LIST_HEAD(&central->depot_empty);
	init_llist_head(&central->deferred);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_init);

/**
 * kspan_central_take_locked() - take slots from the spans that have free ones
 * @central:	the caller holds its lock
 * @slots:	room for @n addresses; it is filled from the end on, so that a stack made of it
 *		hands out the objects by rising address
 * @n:		most slots to take
 * @steps:	work that may be done; three steps pay for four spans
 *
 * Return: how many slots were taken. They are the last of @slots.
 */
unsigned int kspan_central_take_locked(struct kspan_central *central, void **slots,
				       unsigned int n, unsigned int steps)
{
	unsigned int left = n, spans = steps + steps / 3;
	struct kspan_span *span;

	lockdep_assert_held(&central->lock);
	while (left && spans-- && (span = kspan_central_first_partial(central))) {
		if (!span->used)
			kspan_central_uncount_empty(central, span);
		left -= kspan_span_take(span, slots, left);
		if (span->used == span->nslots)
			list_move(&span->list, &central->full);
	}
	central->nr_out += n - left;
	return n - left;
}

/**
 * kspan_central_defer_span() - list a span that has deferred frees to be merged
 * @span:	SMALL, or SMALL_DEFERRED if it is listed already
 * @central:	the central of the span; its lock is not needed
 *
 * Context: any, NMI included. Unless the caller holds the lock, it has pinned the span.
 */
void kspan_central_defer_span(struct kspan_span *span, struct kspan_central *central)
{
	if (kspan_span_change_state(span, KSPAN_SPAN_SMALL, KSPAN_SPAN_SMALL_DEFERRED))
		llist_add(&span->deferred, &central->deferred);
}

/**
 * kspan_central_detach_locked() - remove a span from its central
 * @span:	the caller holds the lock of its central
 * @retired:	the span is moved to this list if it can leave
 *
 * A span without an object is not counted in @nr_empty, or the caller corrects that.
 *
 * A span can't leave while it is in the deferred list, which happens after wrong frees only,
 * or while it is pinned. A span that is pinned is put into the deferred list here. The merge
 * retires both later.
 *
 * Return: whether the span left the central. It is DETACHED then.
 */
bool kspan_central_detach_locked(struct kspan_span *span, struct list_head *retired)
{
	lockdep_assert_held(&span->central->lock);
	if (!kspan_span_change_state(span, KSPAN_SPAN_SMALL, KSPAN_SPAN_DETACHED)) {
		kspan_central_defer_span(span, span->central);
		return false;
	}
	list_move(&span->list, retired);
	span->central->nr_spans--;
	span->central->base_pages -= kspan_span_own_base_pages(span);
	kspan_central_note_gone(span->central);
	return true;
}

/* Whether a class of the default heap keeps a span without an object; see empty.c. */
static bool keeps_empty(const struct kspan_central *central, const struct kspan_span *span)
{
	const struct kspan_page_heap *ph = kspan_page_heap(central->nid);
	unsigned long most = READ_ONCE(ph->kept_most), kept = atomic_long_read(&ph->kept);
	unsigned int pages = central->sc->pages;

	lockdep_assert_held(&central->lock);
	if (kept >= most || kspan_span_is_loose(span) || kspan_span_npages(span) != pages ||
	    (central->nr_empty + 2UL) * pages > (most - kept) >> KSPAN_PAGE_ORDER)
		return false;
	/* Nothing but the scavenger gives the span back if all rests from now on. */
	kspan_scavenger_wake();
	return true;
}

/**
 * kspan_central_retire_locked() - handle a span whose last object was freed
 * @span:	not counted as empty yet; the caller holds the lock of its central
 * @retired:	receives the span if it is to be freed
 *
 * A private heap keeps its span, and so does the default heap within bounds, at the end of the
 * partial list, so that slots are taken from all others first. A hollow span leaves the central,
 * and so does one of sampled objects of the default heap. A span that can't leave stays for now,
 * too.
 */
void kspan_central_retire_locked(struct kspan_span *span, struct list_head *retired)
{
	struct kspan_central *central = span->central;

	lockdep_assert_held(&central->lock);
	if ((span->gone_pages || (central->sampled && !central->account) ||
	     !(central->account || keeps_empty(central, span))) &&
	    kspan_central_detach_locked(span, retired)) {
		kspan_account_uncharge(central->account, kspan_span_nr_pages(span));
		return;
	}
	kspan_central_count_empty(central, span);
	list_move_tail(&span->list, &central->partial);
}

/**
 * kspan_central_free_spans() - return the pages of retired spans to the page heap
 * @retired: DETACHED spans of one node; the list is undefined afterwards
 *
 * Context: task, softirq, hardirq; no lock held.
 */
void kspan_central_free_spans(struct list_head *retired)
{
	struct kspan_span *span;

	list_for_each_entry(span, retired, list) {
		/*
		 * The central of a hollow span may not exist any more: do not read it. All of
		 * a hollow span is wiped, wherever its seals are.
		 */
		if (want_init_on_free())
			kspan_unseal_span(span, span->gone_pages ? 0 : span->central->seal_at);
		kspan_span_unformat(span);
	}
	kspan_page_heap_free_spans(retired, false);
}

/**
 * kspan_central_free_retired() - kspan_central_free_spans(), and empty the list
 * @retired: DETACHED spans of one node, which a caller with preemption off left to be freed
 *
 * Context: task, softirq, hardirq. Preemption stays as the caller has it.
 */
void kspan_central_free_retired(struct list_head *retired)
{
	kspan_central_free_spans(retired);
	INIT_LIST_HEAD(retired);
}

/* Most spans that kspan_central_make_spans() makes. */
#define KSPAN_GROW_MAX	16U
/*
 * One kspan_central_take_locked() has the steps to visit all of them: no new span is left
 * without an object.
 */
static_assert(KSPAN_STEPS + KSPAN_STEPS / 3 >= KSPAN_GROW_MAX);

/**
 * kspan_central_make_spans() - make spans from free pages of the node
 * @central:	the caller does not hold its lock
 * @n:		objects that the spans should have room for; no more spans than that takes
 *		are made
 * @spans:	receives the spans, DETACHED and formatted. The caller passes them to
 *		kspan_central_stock(), or to kspan_central_retire_detached() to free them
 *
 * It makes no span where that would need SLUB or the page allocator.
 *
 * Context: task, softirq, hardirq.
 * Return: whether it made any.
 */
bool kspan_central_make_spans(struct kspan_central *central, unsigned int n,
			      struct list_head *spans)
{
	const struct kspan_size_class *sc = central->sc;
	unsigned int want = min(DIV_ROUND_UP(n, sc->slots), KSPAN_GROW_MAX), made;
	struct kspan_span *span;

	if (kspan_span_bitmap_bytes(sc) || central->keeps_contents || central->tracked ||
	    !kspan_account_charge(central->account, want * sc->pages, 0))
		return false;
	made = kspan_page_heap_alloc_spans(central->nid, sc->pages, sc->align,
					   central->page_class, want, spans);
	kspan_account_uncharge(central->account, (want - made) * sc->pages);
	list_for_each_entry(span, spans, list) {
		kspan_span_format(span, sc, false, KSPAN_GFP_NOLOCK);
		kspan_seal_span(span, central->seal_at);
	}
	return made;
}

/**
 * kspan_central_adopt_locked() - add new spans to the central
 * @central:	the caller holds its lock
 * @spans:	DETACHED spans of its class and node, formatted, with all slots free
 */
void kspan_central_adopt_locked(struct kspan_central *central, struct list_head *spans)
{
	struct kspan_span *span;

	lockdep_assert_held(&central->lock);
	list_for_each_entry(span, spans, list) {
		span->central = central;
		kspan_span_set_state(span, KSPAN_SPAN_SMALL);
		kspan_map_set_class(span);
		central->nr_spans++;
		central->base_pages += span->base_pages;
		kspan_central_count_empty(central, span);
	}
	/* A private heap has its spans without an object at the end of the list. */
	if (central->account)
		list_splice_tail(spans, &central->partial);
	else
		list_splice(spans, &central->partial);
}
