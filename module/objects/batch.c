// SPDX-License-Identifier: GPL-2.0
/*
 * Batches of slots
 *
 * A batch is an array of objects, mostly that of a magazine. Its objects are taken from or
 * returned to the bitmaps of their spans under one lock, as many as KSPAN_STEPS allow at a
 * time; a caller that has more drops the lock in between. Wrong frees that are found
 * under the lock are noted there, and reported after it is dropped.
 *
 * Context: task, softirq, hardirq. NMI: kspan_central_take() with KSPAN_GFP_NOLOCK.
 */
#include "base/kunit_export.h"
#include "objects/bad_free.h"
#include "objects/batch.h"
#include "objects/deferred.h"

/**
 * kspan_central_take() - take a batch of free slots
 * @central:	the caller does not hold its lock
 * @slots:	receives the addresses, from @slots[0] on; the last one should be used first
 * @n:		most slots to take, 1...KSPAN_MAGAZINE_MAX
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * Context: task, softirq, hardirq; NMI with KSPAN_GFP_NOLOCK.
 * Return: how many were taken; less than @n if the steps or the free slots were used up.
 */
unsigned int kspan_central_take(struct kspan_central *central, void **slots, unsigned int n,
				gfp_t gfp)
{
	unsigned int taken;
	unsigned long flags;

	kspan_central_merge(central, gfp);
	if (!kspan_lock(&central->lock, &flags, gfp))
		return 0;
	taken = kspan_central_take_locked(central, slots, n, KSPAN_STEPS);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	if (taken < n)
		memmove(slots, slots + n - taken, taken * sizeof(*slots));
	return taken;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_take);

/*
 * Free the first object of a batch, and with it the objects behind it that lie in the same word
 * of the same span: neighbours are often freed together. Returns how many were freed; 0 if
 * the first address is not that of a slot that is out.
 */
static __always_inline unsigned int return_some_locked(struct kspan_span *span, void **slots,
						       unsigned int n, u64 magic,
						       unsigned long word_bytes,
						       struct list_head *retired)
{
	unsigned long start = span->start;
	/* The same computation as in kspan_slot_index(), size_class.h. */
	u64 product = ((unsigned long)slots[0] - start) * magic, out, slot, given;
	unsigned int index = product >> 32, word = index / 64, i;

	/* A slot beyond the last one needs no test: its bit is not set. */
	if (unlikely((u32)product >= magic || word >= kspan_span_words(span)))
		return 0;
	out = kspan_span_out(span, word);
	given = BIT_ULL(index % 64);
	if (unlikely(!(out & given)))
		return 0;
	start += word * word_bytes;
	for (i = 1; i < n; i++) {
		unsigned long offset = (unsigned long)slots[i] - start;

		if (offset >= word_bytes)
			break;
		product = offset * magic;
		slot = BIT_ULL(product >> 32);
		if ((u32)product >= magic || !(out & ~given & slot))
			break;
		given |= slot;
	}
	kspan_central_return_word_locked(span, word, given, i, retired);
	return i;
}

/* Keep an address that is not that of a slot that is out, to be reported after the unlock. */
static noinline void note_wrong(struct kspan_given *given, struct kspan_span *span, void **slots,
				void *p)
{
	enum kspan_slot_state state = KSPAN_SLOT_FREE;
	unsigned int index;

	if (span)
		state = kspan_span_slot_state(span, (unsigned long)p, &index);
	slots[given->nr_wrong] = p;
	given->state[given->nr_wrong++] = state;
}

/**
 * kspan_batch_return_locked() - free objects of a batch, as far as the steps go
 * @central:	the caller holds its lock
 * @slots:	addresses of objects; the first of them are overwritten by wrong ones
 * @n:		how many, 1...KSPAN_MAGAZINE_MAX
 * @given:	set to the work that is left for kspan_batch_finish()
 * @steps:	work that may be done; reduced by the work that was done
 *
 * Return: how many addresses of @slots were handled, the first ones; at least one.
 */
unsigned int kspan_batch_return_locked(struct kspan_central *central, void **slots,
				       unsigned int n, struct kspan_given *given,
				       unsigned int *steps)
{
	const struct kspan_size_class *sc = central->sc;
	unsigned long word_bytes = 64UL * sc->size;
	u64 magic = sc->magic;
	unsigned int i = 0, done;

	lockdep_assert_held(&central->lock);
	INIT_LIST_HEAD(&given->retired);
	given->nr_wrong = 0;
	do {
		struct kspan_span *span = kspan_central_own_span(central, (unsigned long)slots[i]);

		done = span ? return_some_locked(span, slots + i, n - i, magic, word_bytes,
					       &given->retired) : 0;
		if (unlikely(!done)) {
			note_wrong(given, span, slots, slots[i]);
			done = 1;
		}
		kspan_steps_take(steps, 1);
		i += done;
	} while (i < n && *steps);
	return i;
}

/**
 * kspan_batch_finish() - complete kspan_batch_return_locked() after the unlock
 * @central:	the caller holds its lock no longer
 * @slots:	as passed before
 * @given:	as set before
 * @retired:	receives the spans that are to be freed; with NULL they are freed here
 */
void kspan_batch_finish(struct kspan_central *central, void **slots, struct kspan_given *given,
			struct list_head *retired)
{
	unsigned int i;

	if (retired)
		list_splice(&given->retired, retired);
	else
		kspan_central_free_spans(&given->retired);
	for (i = 0; i < given->nr_wrong; i++)
		kspan_bad_free_report_slot_late(given->state[i], (unsigned long)slots[i], central);
}

/**
 * kspan_central_return_some() - free objects of a batch, as many as the steps allow
 * @central:	the caller does not hold its lock
 * @slots:	addresses from magazines of the central's class and node. An address that is
 *		not that of a slot that is out is reported, and nothing else happens to it
 * @n:		how many, 1...KSPAN_MAGAZINE_MAX
 * @steps:	work that may be done; reduced by the work that was done
 * @retired:	receives the spans that have no object any more, for
 *		kspan_central_free_retired(); with NULL they are freed here
 *
 * Context: task, softirq, hardirq.
 * Return: how many addresses of @slots were handled, the first ones; at least one.
 */
unsigned int kspan_central_return_some(struct kspan_central *central, void **slots,
				       unsigned int n, unsigned int *steps,
				       struct list_head *retired)
{
	struct kspan_given given;
	unsigned long flags;
	unsigned int done;

	if (kspan_central_merge(central, 0))
		kspan_steps_leave_few(steps);
	raw_spin_lock_irqsave(&central->lock, flags);
	done = kspan_batch_return_locked(central, slots, n, &given, steps);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	kspan_batch_finish(central, slots, &given, retired);
	return done;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_return_some);

/**
 * kspan_central_return() - free all objects of a batch
 * @central:	the caller does not hold its lock, which is dropped in between
 * @slots:	as for kspan_central_return_some()
 * @n:		how many; any number
 *
 * Context: task, softirq, hardirq.
 */
void kspan_central_return(struct kspan_central *central, void **slots, unsigned int n)
{
	unsigned int done, steps;

	for (; n; n -= done, slots += done) {
		steps = KSPAN_STEPS;
		done = kspan_central_return_some(central, slots,
						 min_t(unsigned int, n, KSPAN_MAGAZINE_MAX), &steps,
						 NULL);
	}
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_return);
