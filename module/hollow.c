// SPDX-License-Identifier: GPL-2.0
/*
 * Hollow spans
 *
 *	pages:	|   0   |   1   |   2   |   3   |
 *	slots:	|  x  |  .  |  .  |  .  |  .  |		x out, . free
 *
 * A span of few slots in many pages stays whole for a single object. Where memory is to
 * go back, the pages that only free slots touch, here 1 to 3, are taken out of it: they
 * are free pages of their arena like any others, which may become another span, or a
 * hole. Slots that touch one of them are gone for good; when the last object is freed,
 * what is left of the span goes.
 *
 * A slot that is gone has its bit set, and that of a deferred free, too: so it is never
 * handed out, and its free is a double free to all who judge one. The span counts
 * neither among its slots nor as used.
 *
 * Slots and pages go at once, under the locks of the central and of the page heap, as the
 * last object of the span may be freed at any time. Both are held for KSPAN_HOLLOW_BATCH
 * spans at most.
 *
 * Context: task, softirq, hardirq.
 */
#include <linux/rcupdate.h>

#include "central.h"
#include "kunit_export.h"

/* Spans that are looked at under one lock. */
#define KSPAN_HOLLOW_BATCH	16

/* Bitmaps of one word are all that is prepared for it, and slots that are made anew. */
static bool may_be_hollow(const struct kspan_central *central)
{
	const struct kspan_size_class *sc = central->sc;

	return sc->slots > 1 && sc->slots <= 64 && sc->pages > 1 &&
	       sc->pages <= KSPAN_HOLLOW_PAGES && !central->tracked && !central->ctor;
}

/**
 * kspan_central_hollow_count() - about how many pages kspan_central_hollow() would free
 * @central: the central
 * Return: half of those that its free slots would fill.
 */
unsigned long kspan_central_hollow_count(const struct kspan_central *central)
{
	const struct kspan_size_class *sc = central->sc;
	unsigned long pages, out;

	if (!may_be_hollow(central))
		return 0;
	pages = READ_ONCE(central->nr_spans) * sc->pages - READ_ONCE(central->gone_pages);
	out = READ_ONCE(central->nr_out) * sc->size >> KSPAN_PAGE_SHIFT;
	return (pages - min(pages, out)) / 2;
}

static unsigned int hollow_locked(struct kspan_central *central, struct kspan_span *span)
{
	unsigned int pages, n;

	/* Whoever merges its deferred frees may free it. */
	if (!span->used || READ_ONCE(span->state) != KSPAN_SPAN_SMALL)
		return 0;
	/* Whoever writes to an object that he pinned must not find others there: lookup.h. */
	if (READ_ONCE(span->pins))
		return 0;
	pages = kspan_span_unused_pages(span);
	if (!pages)
		return 0;
	kspan_span_hollow(span, pages);
	kspan_page_heap_hollow(span, pages);
	if (span->used == span->nslots)
		list_move(&span->list, &central->full);
	n = hweight16(pages);
	central->gone_pages += n;
	kspan_account_uncharge(central->account, n);
	return n;
}

/* Some spans from @span on, or from the first; returns the one behind them, or NULL. */
static struct kspan_span *hollow_some(struct kspan_central *central, struct kspan_span *span,
				      unsigned long *pages)
{
	unsigned int left = KSPAN_HOLLOW_BATCH;
	struct kspan_span *next;

	if (!span)
		span = list_first_entry(&central->partial, struct kspan_span, list);
	list_for_each_entry_safe_from(span, next, &central->partial, list) {
		if (!left--)
			return span;
		*pages += hollow_locked(central, span);
	}
	return NULL;
}

/*
 * Let others have the lock. Returns the span, if it is still, or again, one to go on
 * with; else NULL.
 */
static struct kspan_span *pause_at(struct kspan_central *central, struct kspan_span *span,
				   unsigned long *flags)
{
	/* Its descriptor stays one. */
	rcu_read_lock();
	raw_spin_unlock_irqrestore(&central->lock, *flags);
	raw_spin_lock_irqsave(&central->lock, *flags);
	if (!kspan_span_is_small(READ_ONCE(span->state)) || span->central != central ||
	    span->used == span->nslots)
		span = NULL;
	rcu_read_unlock();
	return span;
}

/**
 * kspan_central_hollow() - take pages out of spans in use that only free slots touch
 * @central:	the central; not one whose objects may be looked at after they were freed
 * @want:	how many pages; somewhat more may go
 *
 * Where others free and allocate meanwhile, some spans may be left out.
 *
 * Return: how many pages are free now.
 */
unsigned long kspan_central_hollow(struct kspan_central *central, unsigned long want)
{
	unsigned long pages = 0, rounds, flags;
	struct kspan_span *span = NULL;

	if (!may_be_hollow(central))
		return 0;
	kspan_central_merge(central, 0);
	raw_spin_lock_irqsave(&central->lock, flags);
	rounds = DIV_ROUND_UP(central->nr_spans, KSPAN_HOLLOW_BATCH);
	while (rounds-- && pages < want) {
		span = hollow_some(central, span, &pages);
		if (!span)
			break;
		span = pause_at(central, span, &flags);
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return pages;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_hollow);
