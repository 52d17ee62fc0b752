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
 * last object of the span may be freed at any time. Both are held for one span, and for as
 * many looks at others as some of KSPAN_STEPS allow.
 *
 * Context: task, softirq, hardirq.
 */
#include <linux/rcupdate.h>

#include "base/kunit_export.h"
#include "objects/central.h"
#include "objects/deferred.h"
#include "objects/seal.h"

/* Steps that it takes to make a span hollow; to look at one takes one, or some. */
#define KSPAN_STEPS_HOLLOW	KSPAN_STEPS

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
 * Return: as many as there would be if its objects were spread at random.
 */
unsigned long kspan_central_hollow_count(const struct kspan_central *central)
{
	const struct kspan_size_class *sc = central->sc;
	unsigned long slots, out, pages, free, share = 256;
	unsigned int i;

	if (!may_be_hollow(central))
		return 0;
	pages = kspan_glance(central->base_pages) >> KSPAN_PAGE_ORDER;
	slots = pages * sc->slots / sc->pages;
	if (!slots)
		return 0;
	out = min(kspan_glance(central->nr_out), slots);
	/* A page has no object if all slots that touch it are free, in 1/256. */
	free = 256 - DIV_ROUND_UP(256 * out, slots);
	for (i = 0; i <= sc->slots / sc->pages; i++)
		share = share * free / 256;
	return pages * share / 256;
}

/* Free ones, 64 at most. */
static void unseal_slots(const struct kspan_central *central, const struct kspan_span *span,
			 u64 slots)
{
	for (; slots; slots &= slots - 1)
		kspan_unseal((void *)(span->start + (unsigned long)__ffs64(slots) * span->size),
			     central->seal_at);
}

static unsigned int hollow_locked(struct kspan_central *central, struct kspan_span *span)
{
	unsigned int pages, n;

	lockdep_assert_held(&central->lock);
	/* Whoever merges its deferred frees may free it. */
	if (!span->used || READ_ONCE(span->state) != KSPAN_SPAN_SMALL ||
	    kspan_span_is_loose(span))
		return 0;
	/* Whoever writes to an object that he pinned must not find others there: lookup.h. */
	if (READ_ONCE(span->pins))
		return 0;
	pages = kspan_span_unused_pages(span);
	if (!pages)
		return 0;
	/* Nothing is to be left of seals; slots that are gone are in others' memory. */
	if (want_init_on_free())
		unseal_slots(central, span,
			     kspan_span_slots_on(span, pages) & ~kspan_span_gone(span));
	kspan_span_hollow(span, pages);
	kspan_page_heap_hollow(span, pages);
	kspan_central_note_gone(central);
	if (span->used == span->nslots)
		list_move(&span->list, &central->full);
	n = hweight16(pages);
	central->base_pages -= n << KSPAN_PAGE_ORDER;
	kspan_account_uncharge(central->account, n);
	return n;
}

/*
 * Some spans from @span on, or from the first; @left: how many of the list there may be
 * yet. Returns the one behind them, or NULL.
 */
static struct kspan_span *hollow_some(struct kspan_central *central, struct kspan_span *span,
				      unsigned long *pages, unsigned long *left)
{
	unsigned int steps = KSPAN_STEPS / 3, n;
	struct kspan_span *next;

	lockdep_assert_held(&central->lock);
	if (!span)
		span = list_first_entry(&central->partial, struct kspan_span, list);
	list_for_each_entry_safe_from(span, next, &central->partial, list) {
		if (!steps)
			return span;
		if (!*left)
			return span;
		--*left;
		kspan_steps_take(&steps, 1 + span->used / 4);
		n = hollow_locked(central, span);
		if (n)
			kspan_steps_take(&steps, KSPAN_STEPS_HOLLOW);
		*pages += n;
	}
	return NULL;
}

static bool is_partial(const struct kspan_central *central, const struct kspan_span *span)
{
	lockdep_assert_held(&central->lock);
	return kspan_span_is_small(READ_ONCE(span->state)) && span->central == central &&
	       span->used != span->nslots;
}

/*
 * Let others have the lock. Returns the span, if it is still, or again, one to go on
 * with; else NULL.
 */
static struct kspan_span *pause_at(struct kspan_central *central, struct kspan_span *span,
				   unsigned long *flags)
{
	lockdep_assert_held(&central->lock);
	/* Its descriptor stays one. */
	rcu_read_lock();
	raw_spin_unlock_irqrestore(&central->lock, *flags);
	raw_spin_lock_irqsave(&central->lock, *flags);
	if (!is_partial(central, span))
		span = NULL;
	rcu_read_unlock();
	return span;
}

/* The span to go on with, where the last call ended; or NULL. */
static struct kspan_span *resume(struct kspan_central *central)
{
	struct kspan_span *span;

	lockdep_assert_held(&central->lock);
	if (!central->hollow_next)
		return NULL;
	rcu_read_lock();
	span = kspan_map_span(central->hollow_next);
	if (span && !is_partial(central, span))
		span = NULL;
	rcu_read_unlock();
	return span;
}

/**
 * kspan_central_hollow() - take pages out of spans in use that only free slots touch
 * @central:	the central; not one whose objects may be looked at after they were freed
 * @want:	how many pages; somewhat more may go
 * @looks:	how many spans to look into at most; is told how many are left
 *
 * Where others free and allocate meanwhile, some spans may be left out. The next call goes
 * on where this one ends.
 *
 * Return: how many pages are free now.
 */
unsigned long kspan_central_hollow(struct kspan_central *central, unsigned long want,
				   unsigned long *looks)
{
	unsigned long pages = 0, left, flags;
	struct kspan_span *span;
	unsigned long looked;
	bool resumed;

	if (!may_be_hollow(central))
		return 0;
	kspan_central_merge_all(central);
	raw_spin_lock_irqsave(&central->lock, flags);
	looked = min(central->nr_spans, *looks);
	left = looked;
	span = resume(central);
	resumed = span;
	while (left && pages < want) {
		span = hollow_some(central, span, &pages, &left);
		/* From the first span on to where it started. */
		if (!span && !resumed)
			break;
		resumed &= !!span;
		if (span)
			span = pause_at(central, span, &flags);
	}
	*looks -= looked - left;
	central->hollow_next = span ? span->start : 0;
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return pages;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_hollow);
