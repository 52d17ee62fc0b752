// SPDX-License-Identifier: GPL-2.0
/*
 * Hollow spans
 *
 *	pages:	|   0   |   1   |   2   |   3   |
 *	slots:	|  x  |  .  |  .  |  .  |  .  |		x out, . free
 *
 * A span that has few slots in many pages stays allocated as a whole as long as it has a single
 * object. When the scavenger needs memory, it takes pages out of such spans: those that
 * only free slots touch, here pages 1 to 3. They become free pages of their arena like any
 * others, so that they may become part of another span, or a hole of the arena. The slots that
 * touch one of them are gone for good. When the last object is freed, the remaining pages
 * of the span are freed.
 *
 * A slot that is gone has two bits set: the one for a slot that is out, and the one for a deferred
 * free. So it is never handed out, and a free of it is found to be a double free. It
 * counts neither as one of the span's slots nor as used.
 *
 * The slots and the pages leave the span in one step, under the locks of the central and of the
 * page heap, because the last object of the span may be freed at any time. Both locks are
 * held for one span. The lock of the central is also held while the scavenger looks at a few
 * other spans, as many as a part of KSPAN_STEPS allows.
 *
 * Context: task, softirq, hardirq.
 */
#include <linux/rcupdate.h>

#include "base/kunit_export.h"
#include "objects/central.h"
#include "objects/deferred.h"
#include "objects/seal.h"

/* Steps to make a span hollow. To look at a span takes one step or more, by its objects. */
#define KSPAN_STEPS_HOLLOW	KSPAN_STEPS

/*
 * Whether spans of the central may become hollow. The code handles bitmaps of one word only, and
 * at most KSPAN_HOLLOW_PAGES pages. Spans with call sites of objects, or with slots that
 * a constructor has prepared, stay whole.
 */
static bool may_be_hollow(const struct kspan_central *central)
{
	const struct kspan_size_class *sc = central->sc;

	return sc->slots > 1 && sc->slots <= 64 && sc->pages > 1 &&
	       sc->pages <= KSPAN_HOLLOW_PAGES && !central->tracked && !central->ctor;
}

/**
 * kspan_central_hollow_count() - estimate how many pages kspan_central_hollow() would free
 * @central: its lock is not needed
 *
 * The estimate assumes that the objects are spread over the slots at random.
 *
 * Return: pages, in units of KSPAN_PAGE_SIZE.
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
	/*
	 * A page can leave if all slots that touch it are free. The share of such pages is the
	 * share of free slots to the power of the number of slots; both in units of 1/256.
	 */
	free = 256 - DIV_ROUND_UP(256 * out, slots);
	for (i = 0; i <= sc->slots / sc->pages; i++)
		share = share * free / 256;
	return pages * share / 256;
}

/* Clear the seals of free slots, given as the bits of a span's only word. */
static void unseal_slots(const struct kspan_central *central, const struct kspan_span *span,
			 u64 slots)
{
	for (; slots; slots &= slots - 1)
		kspan_unseal((void *)(span->start + (unsigned long)__ffs64(slots) * span->size),
			     central->seal_at);
}

/* Take the unused pages out of a span. Returns how many they are. */
static unsigned int hollow_locked(struct kspan_central *central, struct kspan_span *span)
{
	unsigned int pages, n;

	lockdep_assert_held(&central->lock);
	/* Leave a span with deferred frees alone: the merge may free all of it. */
	if (!span->used || READ_ONCE(span->state) != KSPAN_SPAN_SMALL ||
	    kspan_span_is_loose(span))
		return 0;
	/*
	 * A CPU that has pinned the span may be about to write to a slot. The slot's page must not
	 * become another span meanwhile; see lookup.h.
	 */
	if (READ_ONCE(span->pins))
		return 0;
	pages = kspan_span_unused_pages(span);
	if (!pages)
		return 0;
	/*
	 * With init_on_free=1, no seal may be left in free pages. The memory of slots that are
	 * gone already is not the span's any more: do not write there.
	 */
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
 * Look at some spans of the partial list, from @span on, or from the first if @span is NULL, and
 * make hollow those that can be. Adds the pages that were freed to @pages, and stops after
 * @left spans, which counts down. Returns the next span to look at; NULL at the end of the list.
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
		/* From here on all spans are empty. */
		if (!span->used)
			return NULL;
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
 * Drop the lock for a moment, so that other CPUs can take it. Returns @span if it is still, or
 * again, in the partial list; else NULL.
 */
static struct kspan_span *pause_at(struct kspan_central *central, struct kspan_span *span,
				   unsigned long *flags)
{
	lockdep_assert_held(&central->lock);
	/* The span may be freed meanwhile. RCU keeps its descriptor readable as one. */
	rcu_read_lock();
	raw_spin_unlock_irqrestore(&central->lock, *flags);
	raw_spin_lock_irqsave(&central->lock, *flags);
	if (!is_partial(central, span))
		span = NULL;
	rcu_read_unlock();
	return span;
}

/* Return the span where the last call stopped; NULL if it is not in the partial list any more. */
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
 * kspan_central_hollow() - take pages that only free slots touch out of spans in use
 * @central:	the caller does not hold its lock. It must not be of a heap whose objects are
 *		read after they were freed
 * @want:	stop after so many pages or a few more, in units of KSPAN_PAGE_SIZE
 * @looks:	most spans to look at; reduced by those that were looked at
 *
 * If other CPUs allocate and free meanwhile, some spans may be left out. The next call continues
 * where this one stops.
 *
 * Context: task, softirq, hardirq.
 * Return: how many pages were freed, in units of KSPAN_PAGE_SIZE.
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
		/* The call began in the middle of the list: go on with the first span. */
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
