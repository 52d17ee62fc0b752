// SPDX-License-Identifier: GPL-2.0
/*
 * Spans that leave their central
 *
 * The pages of spans go back to the page heap: of spans without an object, when a private heap
 * gives up spans that it has kept; of all spans, when a private heap is destroyed. A
 * private heap that is reset frees all objects but keeps the spans.
 *
 * All that is done under the central lock at a time is bounded by KSPAN_STEPS.
 *
 * Context: each function says.
 */
#include <linux/kmemleak.h>
#include <linux/rcupdate.h>

#include "base/kunit_export.h"
#include "objects/central.h"
#include "objects/deferred.h"
#include "objects/seal.h"

/*
 * Detach spans from the end of a list on, some at a time; of @all, or as long as they
 * are without an object.
 */
static unsigned long detach_some(struct kspan_central *central, struct list_head *from, bool all,
				 struct list_head *detached)
{
	unsigned long n = 0, flags;
	struct kspan_span *span;

	raw_spin_lock_irqsave(&central->lock, flags);
	while (n < KSPAN_STEPS && !list_empty(from)) {
		span = list_last_entry(from, struct kspan_span, list);
		if (span->used && !all)
			break;
		if (!kspan_central_detach_locked(span, detached))
			break;
		central->nr_out -= span->used;
		n++;
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return n;
}

static void forget_objects(struct kspan_span *span)
{
	unsigned int i;

	for (i = 0; IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && i < kspan_span_all_slots(span); i++)
		if (kspan_span_is_out(span, i))
			kmemleak_free((void *)(span->start + (unsigned long)i * span->size));
}

/**
 * kspan_central_release() - give the pages of detached spans back
 * @central:	their central
 * @detached:	the spans; the list is undefined afterwards
 * @dropped:	they are of a heap that goes, whatever is in them
 *
 * Context: task, softirq, hardirq.
 * Return: how many pages there were.
 */
unsigned long kspan_central_release(struct kspan_central *central, struct list_head *detached,
				    bool dropped)
{
	struct kspan_span *span;
	unsigned long pages = 0;

	list_for_each_entry(span, detached, list) {
		if (dropped)
			forget_objects(span);
		if ((dropped || central->keeps_contents) && want_init_on_free())
			kspan_span_wipe(span);
		else
			kspan_unseal_span(span, central->seal_at);
		pages += kspan_span_nr_pages(span);
		kspan_span_unformat(span);
	}
	kspan_page_heap_free_spans(detached, dropped);
	kspan_account_uncharge(central->account, pages);
	return pages;
}

/**
 * kspan_central_trim() - give back the spans without an object
 * @central:	the central
 * @rcu:	after a grace period, which is waited for: then it sleeps
 * @most:	not many more pages than this
 *
 * Context: task, softirq, hardirq.
 * Return: how many pages they had.
 */
unsigned long kspan_central_trim(struct kspan_central *central, bool rcu, unsigned long most)
{
	unsigned long pages = 0, n;
	LIST_HEAD(detached);

	kspan_central_merge_all(central);
	while (pages < most && detach_some(central, &central->partial, false, &detached)) {
		if (rcu) {
			cond_resched();
			continue;
		}
		pages += kspan_central_release(central, &detached, false);
		INIT_LIST_HEAD(&detached);
	}
	if (!rcu || list_empty(&detached))
		return pages;
	synchronize_rcu();
	while (!list_empty(&detached)) {
		LIST_HEAD(some);

		for (n = 0; n < KSPAN_SPAN_BATCH && !list_empty(&detached); n++)
			list_move_tail(detached.next, &some);
		pages += kspan_central_release(central, &some, false);
		cond_resched();
	}
	return pages;
}

/**
 * kspan_central_keeps() - whether there is something that nobody uses
 * @central: the central, not locked
 *
 * Context: any.
 * Return: whether objects are in the depot, or a span of a private heap is without an
 * object; as it was a moment ago.
 */
bool kspan_central_keeps(struct kspan_central *central)
{
	struct list_head *last;
	bool keeps;

	if (kspan_glance(central->nr_depot_objects))
		return true;
	/* Whatever becomes of the span, its descriptor stays one. */
	rcu_read_lock();
	last = kspan_glance(central->partial.prev);
	keeps = last != &central->partial &&
		!kspan_glance(list_entry(last, struct kspan_span, list)->used);
	rcu_read_unlock();
	return keeps;
}

/**
 * kspan_central_drop() - give back all spans, whatever is in them
 * @central:	the central, of a heap that is being destroyed. What its magazines
 *		hold is worth nothing from here on.
 *
 * Context: task.
 * Return: how many slots were out.
 */
unsigned long kspan_central_drop(struct kspan_central *central)
{
	unsigned long out;

	kspan_central_merge_all(central);
	out = kspan_glance(central->nr_out);
	while (kspan_glance(central->nr_spans)) {
		LIST_HEAD(detached);

		if (detach_some(central, &central->full, true, &detached) ||
		    detach_some(central, &central->partial, true, &detached))
			kspan_central_release(central, &detached, true);
		/* A late free by an NMI keeps its span until it is merged. */
		kspan_central_merge_all(central);
		cond_resched();
	}
	return out;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_drop);

/* The next span with an object that is out, or NULL. */
static struct kspan_span *first_used(struct kspan_central *central)
{
	struct kspan_span *span;

	lockdep_assert_held(&central->lock);
	span = list_first_entry_or_null(&central->full, struct kspan_span, list);
	if (!span)
		span = kspan_central_first_partial(central);
	return span && span->used ? span : NULL;
}

/* A word of the objects of @span, if that is the next to be reset; else 0. */
static u64 out_of_word(struct kspan_central *central, struct kspan_span *span, unsigned int word)
{
	unsigned long flags;
	u64 out = 0;

	raw_spin_lock_irqsave(&central->lock, flags);
	if (span && first_used(central) == span && word < kspan_span_words(span))
		out = span->alloc_bits[word] & ~kspan_span_gone(span);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return out;
}

static void reset_object(const struct kspan_central *central, void *object)
{
	if (want_init_on_free())
		memset(object, 0, central->sc->size);
	kspan_seal(object, central->seal_at);
}

/*
 * Zero and seal the objects of the next span, without the lock: nobody uses them, and no page
 * is taken out of a span that an object is in. Another may become the next one meanwhile, as it
 * becomes hollow: then the rest is left. Returns the span.
 */
static struct kspan_span *reset_first_used(struct kspan_central *central)
{
	unsigned int word, words = DIV_ROUND_UP(central->sc->slots, 64);
	unsigned long flags, start = 0;
	size_t size = central->sc->size;
	struct kspan_span *span;

	raw_spin_lock_irqsave(&central->lock, flags);
	span = first_used(central);
	if (span)
		start = span->start;
	raw_spin_unlock_irqrestore(&central->lock, flags);
	for (word = 0; word < words; word++, start += 64 * size) {
		u64 out = out_of_word(central, span, word);

		for (; out; out &= out - 1)
			reset_object(central, (void *)(start + __ffs64(out) * size));
	}
	return span;
}

/**
 * kspan_central_reset() - free all objects, and keep the spans that are not hollow
 * @central:	the central, of a private heap that nobody uses meanwhile; all its
 *		magazines are empty
 *
 * Context: task.
 * Return: how many objects there were.
 */
unsigned long kspan_central_reset(struct kspan_central *central)
{
	bool singly = want_init_on_free() || static_branch_likely(&kspan_frees_exactly);
	struct kspan_span *span, *ready = NULL;
	unsigned long out = 0, flags;
	unsigned int steps;

	kspan_central_merge_all(central);
	do {
		LIST_HEAD(hollow);

		if (singly)
			ready = reset_first_used(central);
		raw_spin_lock_irqsave(&central->lock, flags);
		for (steps = singly ? 1 : KSPAN_STEPS;
		     steps && (span = first_used(central)); steps -= min(steps, 2U)) {
			/* Another one: that is to be made ready first. */
			if (singly && span != ready)
				break;
			forget_objects(span);
			central->nr_out -= span->used;
			out += span->used;
			kspan_span_clear(span);
			list_move_tail(&span->list, &central->partial);
			if (span->gone_pages)
				kspan_central_retire_locked(span, &hollow);
		}
		raw_spin_unlock_irqrestore(&central->lock, flags);
		kspan_central_free_spans(&hollow);
		cond_resched();
	} while (span);
	return out;
}
