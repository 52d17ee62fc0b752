// SPDX-License-Identifier: GPL-2.0
/*
 * Deferred frees of slots
 *
 * A free in an NMI can't wait for the lock of the central. The NMI sets the slot's bit among
 * the span's deferred frees and puts the span, once, into the central's lock-free list. Other
 * callers merge later: they take spans from the list and return the slots to the spans.
 *
 *	deferred: span -> span -> ...
 *
 * Context: task, softirq, hardirq.
 */
#include <linux/kmemleak.h>

#include "base/kunit_export.h"
#include "objects/bad_free.h"
#include "objects/deferred.h"

/*
 * Free @slots, bits of one word whose free was deferred. A slot that is not out was freed
 * wrongly: it is reported.
 */
static void merge_word(struct kspan_span *span, unsigned int word, u64 slots)
{
	unsigned long start = span->start + (unsigned long)word * 64 * span->size;
	u64 out = slots & span->alloc_bits[word], left;
	struct kspan_central *central = span->central;
	bool was_full = span->used == span->nslots;

	lockdep_assert_held(&central->lock);
	for (left = slots & ~out; left; left &= left - 1) {
		unsigned int bit = __ffs64(left);

		kspan_bad_free_report_slot_late(word * 64 + bit < span->high ?
						KSPAN_SLOT_FREE : KSPAN_SLOT_NEVER_OUT,
						start + (unsigned long)bit * span->size,
						central);
	}
	for (left = out; IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && left; left &= left - 1)
		kmemleak_free((void *)(start + __ffs64(left) * span->size));
	if (!out)
		return;
	kspan_span_return(span, word, out, hweight64(out));
	central->nr_out -= hweight64(out);
	if (was_full)
		list_move(&span->list, &central->partial);
}

/* Count the slots that NMIs freed of a span that has no bitmap of deferred frees. */
static void merge_recounted(struct kspan_span *span)
{
	struct kspan_central *central = span->central;
	bool was_full = span->used == span->nslots;

	lockdep_assert_held(&central->lock);
	central->nr_out -= kspan_span_recount(span);
	if (was_full && span->used < span->nslots)
		list_move(&span->list, &central->partial);
}

/*
 * Free the deferred slots of a span, word by word. Returns false if the steps were used up before
 * the last word. Sets @merged if there was a word with a deferred free.
 */
static bool merge_words(struct kspan_span *span, unsigned int *steps, bool *merged)
{
	u64 *deferred = kspan_span_deferred_bits(span);
	unsigned int words = kspan_span_words(span), word;
	u64 gone = kspan_span_gone(span);

	lockdep_assert_held(&span->central->lock);
	for (word = 0; word < words; word++) {
		/* @gone is of word 0: a hollow span has no other. */
		if (READ_ONCE(deferred[word]) == gone)
			continue;
		if (!*steps)
			return false;
		kspan_steps_take(steps, 1);
		merge_word(span, word, xchg(&deferred[word], gone) & ~gone);
		*merged = true;
	}
	return true;
}

/*
 * Complete the deferred frees of a span that was taken from the list. If the steps do not suffice
 * for all of its words, the span is listed again. Returns false if nothing can be done about the
 * span now: it had no deferred free and has no object, but it is pinned and was listed again.
 */
static bool merge_span(struct kspan_span *span, struct list_head *retired, unsigned int *steps)
{
	bool merged = false, done = true, was_empty = !span->used;

	lockdep_assert_held(&span->central->lock);
	/*
	 * A full barrier before the bitmaps are read. It pairs with the one in kspan_span_defer(),
	 * span.c: an NMI changes its bit first and looks at the state then. So either this
	 * merge sees the bit, or the NMI finds the span SMALL and lists it again.
	 */
	kspan_span_change_state(span, KSPAN_SPAN_SMALL_DEFERRED, KSPAN_SPAN_SMALL);
	if (unlikely(span->recount)) {
		merge_recounted(span);
		kspan_steps_take(steps, 1);
	} else {
		done = merge_words(span, steps, &merged);
	}
	/*
	 * A span may have been empty before: it could not leave, or a wrong free of one of its
	 * slots was deferred. While it waits for the next merge, it can't leave.
	 */
	if (!done)
		kspan_central_defer_span(span, span->central);
	if (!span->used) {
		if (was_empty)
			kspan_central_uncount_empty(span->central, span);
		kspan_central_retire_locked(span, retired);
		kspan_steps_take(steps, KSPAN_STEPS_SPAN);
	}
	return merged || !done || READ_ONCE(span->state) != KSPAN_SPAN_SMALL_DEFERRED;
}

/**
 * __kspan_central_merge() - kspan_central_merge() if spans are listed
 * @central: the caller does not hold its lock
 *
 * It does half of KSPAN_STEPS. It stops at a span that is pinned: the pin lasts for a moment
 * only, but its owner may be what the caller has interrupted, so waiting would be in vain.
 *
 * Context: task, softirq, hardirq.
 * Return: whether another call could do more now.
 */
bool __kspan_central_merge(struct kspan_central *central)
{
	unsigned int steps = KSPAN_STEPS / 2;
	struct llist_node *first;
	bool goes_on = true;
	LIST_HEAD(retired);
	unsigned long flags;

	raw_spin_lock_irqsave(&central->lock, flags);
	/* llist_del_first() needs a single consumer: the lock sees to that. NMIs only add. */
	while (goes_on && steps && (first = llist_del_first(&central->deferred))) {
		kspan_steps_take(&steps, 1);
		goes_on = merge_span(llist_entry(first, struct kspan_span, deferred), &retired,
				     &steps);
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	kspan_central_free_spans(&retired);
	return goes_on && !llist_empty(&central->deferred);
}
KSPAN_EXPORT_FOR_KUNIT(__kspan_central_merge);

/**
 * kspan_central_merge_all() - complete all frees that NMIs deferred
 * @central: the caller does not hold its lock
 *
 * A span that is pinned, and those listed behind it, may be left.
 *
 * Context: task, softirq, hardirq.
 */
void kspan_central_merge_all(struct kspan_central *central)
{
	while (!llist_empty(&central->deferred) && __kspan_central_merge(central))
		;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_merge_all);
