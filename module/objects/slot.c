// SPDX-License-Identifier: GPL-2.0
/*
 * Single slots
 *
 * Here slots are allocated and freed one by one, past the CPU caches: by an interrupt that finds
 * the cache of its CPU busy, for a request that no magazine can serve, and for an address that
 * may not be an object's at all.
 *
 * An NMI may have interrupted the owner of the central lock. To allocate, it tries the lock
 * once (KSPAN_GFP_NOLOCK). To free, it sets a bit of the span and leaves the rest to others;
 * see deferred.c.
 *
 * Context: each function says; none waits for anything but the central lock.
 */
#include <linux/rcupdate.h>

#include "base/kunit_export.h"
#include "objects/bad_free.h"
#include "objects/deferred.h"
#include "objects/depot.h"
#include "objects/lookup.h"
#include "objects/profile.h"
#include "objects/seal.h"
#include "objects/slot.h"

/**
 * kspan_central_alloc() - allocate one slot past the CPU caches
 * @central:	the caller does not hold its lock
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * The slot comes from a span, or from a magazine of the depot if no span has one.
 *
 * Context: task, softirq, hardirq; NMI with KSPAN_GFP_NOLOCK.
 * Return: the object; NULL if there is none, or the lock was not to be had.
 */
void *kspan_central_alloc(struct kspan_central *central, gfp_t gfp)
{
	void *object = NULL;
	unsigned long flags;

	kspan_central_merge(central, gfp);
	if (!kspan_lock(&central->lock, &flags, gfp))
		return NULL;
	if (!kspan_central_take_locked(central, &object, 1, 1))
		object = kspan_depot_pop_locked(central);
	if (object)
		central->allocs++;
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return object;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_alloc);

/**
 * kspan_central_adopt() - add a new span and allocate its first slot
 * @central:	the central of the span's class and node; the caller does not hold its lock
 * @span:	a DETACHED span, formatted
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * Context: task, softirq, hardirq; NMI with KSPAN_GFP_NOLOCK.
 * Return: the object; or NULL if the lock was not to be had, and the caller keeps the span.
 */
void *kspan_central_adopt(struct kspan_central *central, struct kspan_span *span, gfp_t gfp)
{
	unsigned long flags;
	LIST_HEAD(spans);
	void *object;

	if (!kspan_lock(&central->lock, &flags, gfp))
		return NULL;
	list_add(&span->list, &spans);
	kspan_central_adopt_locked(central, &spans);
	kspan_central_take_locked(central, &object, 1, 1);
	central->allocs++;
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return object;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_adopt);

/**
 * kspan_central_peek() - look up what an address is in its span of slots
 * @addr:	any address
 * @class:	class of the page it lies in, or KSPAN_CLASS_TINY
 *
 * It takes no lock. The answer stays true only if the caller owns the object; else other CPUs
 * may allocate or free it meanwhile.
 *
 * Context: any, NMI included.
 * Return: enum kspan_slot_state; -ENOENT if @addr is not in a span of @class.
 */
int kspan_central_peek(unsigned long addr, unsigned int class)
{
	struct kspan_found found;
	int state = -ENOENT;

	rcu_read_lock_sched();
	if (kspan_lookup_small(addr, class, &found)) {
		state = kspan_found_slot(&found, addr);
		if (!kspan_found_stays(&found))
			state = -ENOENT;
	}
	rcu_read_unlock_sched();
	return state;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_peek);

/*
 * Seal a slot that is out, because it is about to be freed. If it is sealed already, it may have
 * been freed before: then nothing is done, unless the caller says by @trusted that it was
 * not. Returns KSPAN_SLOT_OUT or KSPAN_SLOT_SEALED.
 */
static enum kspan_slot_state seal_slot(const struct kspan_central *central, unsigned long addr,
				       bool trusted)
{
	if (!trusted && kspan_is_sealed((void *)addr, central->seal_at))
		return KSPAN_SLOT_SEALED;
	kspan_seal((void *)addr, central->seal_at);
	return KSPAN_SLOT_OUT;
}

/* Free one slot that is out. Returns its sample, if it has one. */
static struct kspan_sample *return_slot_locked(struct kspan_span *span, unsigned int index,
					       struct list_head *retired)
{
	struct kspan_sample *sample = NULL;

	lockdep_assert_held(&span->central->lock);
	if (span->central->sampled)
		sample = kspan_span_swap_sample(span, index, NULL);
	kspan_central_return_word_locked(span, index / 64, BIT_ULL(index % 64), 1, retired);
	return sample;
}

/*
 * Free a slot under the lock of its central, or report what the address is if it is not that of
 * a slot that is out. Returns as kspan_central_free_slot().
 */
static int central_free_slot(unsigned long addr, unsigned int class, bool trusted)
{
	struct kspan_sample *sample = NULL;
	struct kspan_span *span;
	int state = -ENOENT;
	unsigned int index;
	LIST_HEAD(retired);

	rcu_read_lock();
	while (state < 0 && (span = kspan_map_span(addr))) {
		struct kspan_central *central;
		unsigned long flags;

		central = kspan_span_central(span);
		if (!central || READ_ONCE(span->class) != class)
			break;
		raw_spin_lock_irqsave(&central->lock, flags);
		/*
		 * If not, the span was freed before the lock was taken: look up the address
		 * again.
		 */
		if (kspan_central_own_span(central, addr) == span) {
			state = kspan_span_slot_state(span, addr, &index);
			if (state == KSPAN_SLOT_OUT)
				state = seal_slot(central, addr, trusted);
			if (state == KSPAN_SLOT_OUT)
				sample = return_slot_locked(span, index, &retired);
		}
		raw_spin_unlock_irqrestore(&central->lock, flags);
		if (state >= 0 && state != KSPAN_SLOT_OUT && state != KSPAN_SLOT_SEALED)
			kspan_bad_free_report_slot(state, addr, central);
	}
	rcu_read_unlock();
	kspan_central_free_spans(&retired);
	if (unlikely(sample))
		kspan_profile_remove(sample);
	return state;
}

/*
 * central_free_slot() for an NMI, which may have interrupted the owner of the lock. The span is
 * pinned meanwhile: else, after a wrong free, the bit could land in another span that
 * took the place of this one.
 */
static int central_defer_slot(unsigned long addr, unsigned int class, bool trusted)
{
	struct kspan_sample *sample = NULL;
	struct kspan_found found;
	unsigned int slot;
	bool exact;
	int state;

	if (!kspan_lookup_small(addr, class, &found) || !kspan_found_pin(&found))
		return -ENOENT;
	state = kspan_found_slot(&found, addr);
	if (state == KSPAN_SLOT_OUT)
		state = seal_slot(found.central, addr, trusted);
	/* Once the free is deferred the slot may be handed out again, with another sample. */
	if (state == KSPAN_SLOT_OUT && found.central->sampled) {
		slot = kspan_slot_index(found.magic, addr - found.start, &exact);
		sample = kspan_span_swap_sample(found.span, slot, NULL);
	}
	if (state == KSPAN_SLOT_OUT && !kspan_span_defer(found.span, addr))
		state = KSPAN_SLOT_FREE;
	if (state == KSPAN_SLOT_OUT)
		kspan_central_defer_span(found.span, found.central);
	kspan_span_unpin(found.span);
	if (sample)
		kspan_profile_remove(sample);
	if (state != KSPAN_SLOT_OUT && state != KSPAN_SLOT_SEALED)
		kspan_bad_free_report_slot(state, addr, found.central);
	return state;
}

/**
 * kspan_central_free_slot() - free one object past the CPU caches
 * @addr:	any address
 * @class:	class of the page it lies in, or KSPAN_CLASS_TINY
 * @trusted:	the caller knows that the object is in no magazine: free it even if it is sealed
 *
 * If the address is not that of a slot that is out, this is reported and nothing is freed.
 *
 * Context: any, NMI included; no lock held.
 * Return: KSPAN_SLOT_OUT if the object was freed; KSPAN_SLOT_SEALED, with nothing done, if it
 * may have been freed before; another enum kspan_slot_state, which was reported; -ENOENT, with
 * nothing done, if @addr is not in a span of @class.
 */
int kspan_central_free_slot(unsigned long addr, unsigned int class, bool trusted)
{
	return in_nmi() ? central_defer_slot(addr, class, trusted) :
			  central_free_slot(addr, class, trusted);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_free_slot);
