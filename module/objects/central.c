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

/**
 * kspan_central_init() - an empty central
 * @central:	zeroed memory for it
 * @sc:		what its spans look like
 * @class:	size class, as the heap counts them
 * @nid:	node
 */
void kspan_central_init(struct kspan_central *central, const struct kspan_size_class *sc,
			unsigned int class, int nid)
{
	raw_spin_lock_init(&central->lock);
	central->sc = sc;
	central->class = class;
	central->page_class = class;
	central->nid = nid;
	central->budget = &kspan_no_budget;
	INIT_LIST_HEAD(&central->partial);
	INIT_LIST_HEAD(&central->full);
	INIT_LIST_HEAD(&central->depot_full);
	INIT_LIST_HEAD(&central->depot_empty);
	init_llist_head(&central->deferred);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_init);

/*
 * Fill @slots from its end on, so that a stack made of it gives the objects
 * out by rising address. To take from four spans takes three steps.
 */
unsigned int kspan_central_take_locked(struct kspan_central *central, void **slots,
				       unsigned int n, unsigned int steps)
{
	unsigned int left = n, spans = steps + steps / 3;
	struct kspan_span *span;

	lockdep_assert_held(&central->lock);
	while (left && spans-- && (span = kspan_central_first_partial(central))) {
		left -= kspan_span_take(span, slots, left);
		if (span->used == span->nslots)
			list_move(&span->list, &central->full);
	}
	central->nr_out += n - left;
	return n - left;
}

/* To be merged. */
void kspan_central_defer_span(struct kspan_span *span, struct kspan_central *central)
{
	if (kspan_span_change_state(span, KSPAN_SPAN_SMALL, KSPAN_SPAN_SMALL_DEFERRED))
		llist_add(&span->deferred, &central->deferred);
}

/*
 * A span in the deferred list stays, after wrong frees only, and one that is pinned, which
 * goes there; then the merge retires it.
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

/* Those that a private heap keeps are the last to be taken from; a hollow one is not kept. */
void kspan_central_retire_locked(struct kspan_span *span, struct list_head *retired)
{
	struct kspan_account *account = span->central->account;

	lockdep_assert_held(&span->central->lock);
	if (!account)
		kspan_central_detach_locked(span, retired);
	else if (!span->gone_pages)
		list_move_tail(&span->list, &span->central->partial);
	else if (kspan_central_detach_locked(span, retired))
		kspan_account_uncharge(account, kspan_span_nr_pages(span));
}

void kspan_central_free_spans(struct list_head *retired)
{
	struct kspan_span *span;

	list_for_each_entry(span, retired, list) {
		/* Of a hollow span the central may have gone: nothing else is looked at. */
		if (want_init_on_free())
			kspan_unseal_span(span, span->gone_pages ? 0 : span->central->seal_at);
		kspan_span_unformat(span);
	}
	kspan_page_heap_free_spans(retired, false);
}

/**
 * kspan_central_free_retired() - free what others have left to be freed
 * @retired: spans of one node; the list is empty afterwards
 *
 * Context: task, softirq, hardirq; with preemption on, if the caller has it on.
 */
void kspan_central_free_retired(struct list_head *retired)
{
	kspan_central_free_spans(retired);
	INIT_LIST_HEAD(retired);
}

/* Most spans that are made at once. */
#define KSPAN_GROW_MAX	16U
/* kspan_central_take_locked() comes by all of them: none is left without an object. */
static_assert(KSPAN_STEPS + KSPAN_STEPS / 3 >= KSPAN_GROW_MAX);

/**
 * kspan_central_make_spans() - make spans for so many objects of free pages of the node
 * @central:	the central
 * @n:		objects
 * @spans:	receives the spans, formatted, no more than need be; kspan_central_stock() is to
 *		take them in, or kspan_central_release() to give them back
 *
 * Only where that takes neither SLUB nor the page allocator. Context: task, softirq, hardirq.
 *
 * Return: whether there are any.
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
	}
	/* A private heap has those without an object at the end. */
	if (central->account)
		list_splice_tail(spans, &central->partial);
	else
		list_splice(spans, &central->partial);
}
