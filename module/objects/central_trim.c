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
#include "objects/profile.h"
#include "objects/seal.h"

/*
 * Detach some spans, @most and KSPAN_STEPS at most, from the end of the list @from on. Unless @all
 * is set, stop at the first span that has an object: those without one are at the end. Returns how
 * many spans were added to @detached.
 */
static unsigned long detach_some(struct kspan_central *central, struct list_head *from, bool all,
				 unsigned long most, struct list_head *detached)
{
	unsigned long n = 0, flags;
	struct kspan_span *span;

	most = min_t(unsigned long, most, KSPAN_STEPS);
	raw_spin_lock_irqsave(&central->lock, flags);
	while (n < most && !list_empty(from)) {
		span = list_last_entry(from, struct kspan_span, list);
		if (span->used && !all)
			break;
		if (!kspan_central_detach_locked(span, detached))
			break;
		if (!span->used)
			kspan_central_uncount_empty(central, span);
		central->nr_out -= span->used;
		n++;
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return n;
}

/* A slot of a span of sampled objects is about to be freed. */
static void forget_sample(struct kspan_span *span, unsigned int slot)
{
	struct kspan_sample *sample = kspan_span_swap_sample(span, slot, NULL);

	if (sample)
		kspan_profile_remove(sample);
}

/* Forget the samples of a DETACHED span of sampled objects. */
static void forget_samples(struct kspan_span *span)
{
	unsigned int i;

	for (i = 0; i < span->nslots; i++)
		forget_sample(span, i);
}

/* Tell kmemleak that the objects of a span are freed. */
static void forget_objects(struct kspan_span *span)
{
	unsigned int i;

	for (i = 0; IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && i < kspan_span_all_slots(span); i++)
		if (kspan_span_is_out(span, i))
			kmemleak_free((void *)(span->start + (unsigned long)i * span->size));
}

/**
 * kspan_central_retire_detached() - return the pages of detached spans to the page heap
 * @central:	the central of the spans; the caller does not hold its lock
 * @detached:	DETACHED spans; the list is undefined afterwards
 * @dropped:	the spans are of a heap that is being destroyed, and may have objects
 *
 * Context: task, softirq, hardirq.
 * Return: how many pages the spans had, in units of KSPAN_PAGE_SIZE.
 */
unsigned long kspan_central_retire_detached(struct kspan_central *central,
					    struct list_head *detached, bool dropped)
{
	struct kspan_span *span;
	unsigned long pages = 0;

	list_for_each_entry(span, detached, list) {
		if (dropped)
			forget_objects(span);
		if (central->sampled)
			forget_samples(span);
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
 * kspan_central_trim() - free the spans without an object
 * @central:	the caller does not hold its lock
 * @rcu:	wait for a grace period before the spans are freed
 * @most:	stop after so many pages, or the span that makes it more, in units of
 *		KSPAN_PAGE_SIZE; with @rcu, all spans without an object are freed
 *
 * Context: task, softirq, hardirq; with @rcu, task, and it sleeps.
 * Return: how many pages were freed, in units of KSPAN_PAGE_SIZE.
 */
unsigned long kspan_central_trim(struct kspan_central *central, bool rcu, unsigned long most)
{
	unsigned long pages = 0, spans = ULONG_MAX, n;
	LIST_HEAD(detached);

	kspan_central_merge_all(central);
	while (pages < most) {
		if (!rcu)
			spans = 1 + (most - pages - 1) / central->sc->pages;
		if (!detach_some(central, &central->partial, false, spans, &detached))
			break;
		if (rcu) {
			cond_resched();
			continue;
		}
		pages += kspan_central_retire_detached(central, &detached, false);
		INIT_LIST_HEAD(&detached);
	}
	if (!rcu || list_empty(&detached))
		return pages;
	synchronize_rcu();
	while (!list_empty(&detached)) {
		LIST_HEAD(some);

		for (n = 0; n < KSPAN_SPAN_BATCH && !list_empty(&detached); n++)
			list_move_tail(detached.next, &some);
		pages += kspan_central_retire_detached(central, &some, false);
		cond_resched();
	}
	return pages;
}

/**
 * kspan_central_keeps() - whether the central keeps memory that no caller uses
 * @central: its lock is not needed
 *
 * Context: any.
 * Return: whether there are objects in the depot, or spans without an object. The
 * answer may be outdated when the caller gets it.
 */
bool kspan_central_keeps(struct kspan_central *central)
{
	return kspan_glance(central->nr_depot_objects) || kspan_glance(central->nr_empty);
}

/**
 * kspan_central_drop() - free all spans, with the objects in them
 * @central:	of a heap that is being destroyed. The objects in its magazines are invalid
 *		from here on
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

		if (detach_some(central, &central->full, true, ULONG_MAX, &detached) ||
		    detach_some(central, &central->partial, true, ULONG_MAX, &detached))
			kspan_central_retire_detached(central, &detached, true);
		/* A span with a late free by an NMI can't be detached before it is merged. */
		kspan_central_merge_all(central);
		cond_resched();
	}
	return out;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_drop);

/* The next span with a slot that is out, or NULL. */
static struct kspan_span *first_used(struct kspan_central *central)
{
	struct kspan_span *span;

	lockdep_assert_held(&central->lock);
	span = list_first_entry_or_null(&central->full, struct kspan_span, list);
	if (!span)
		span = kspan_central_first_partial(central);
	return span && span->used ? span : NULL;
}

/* The slots of word @word that are out, if @span is still the next one to be reset; else 0. */
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

/* Make an object look like a free slot. */
static void reset_object(const struct kspan_central *central, void *object)
{
	if (want_init_on_free())
		memset(object, 0, central->sc->size);
	kspan_seal(object, central->seal_at);
}

/*
 * Zero and seal the objects of the next span, without the lock. That is safe: no caller uses the
 * objects, and the scavenger takes no page out of a span that an object touches. The
 * scavenger may make the span hollow meanwhile, so that it moves to another place in the lists
 * and another span is the next one; then the rest of its objects is left for later. Returns the
 * span.
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

		for (; out; out &= out - 1) {
			if (central->sampled)
				forget_sample(span, word * 64 + __ffs64(out));
			reset_object(central, (void *)(start + __ffs64(out) * size));
		}
	}
	return span;
}

/**
 * kspan_central_reset() - free all objects, and keep the spans that are not hollow
 * @central:	of a private heap that no caller uses meanwhile; all its magazines are empty
 *
 * Context: task.
 * Return: how many objects there were.
 */
unsigned long kspan_central_reset(struct kspan_central *central)
{
	bool singly = want_init_on_free() || static_branch_likely(&kspan_frees_exactly) ||
		      central->sampled;
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
			/* The objects of this span are not zeroed and sealed yet. */
			if (singly && span != ready)
				break;
			forget_objects(span);
			central->nr_out -= span->used;
			out += span->used;
			kspan_span_clear(span);
			kspan_central_retire_locked(span, &hollow);
		}
		raw_spin_unlock_irqrestore(&central->lock, flags);
		kspan_central_free_spans(&hollow);
		cond_resched();
	} while (span);
	return out;
}
