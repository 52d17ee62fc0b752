// SPDX-License-Identifier: GPL-2.0
/*
 * Lookups by address: see lookup.h
 *
 * Context: any, NMI included, under RCU.
 */
#include <linux/rcupdate.h>

#include "base/kunit_export.h"
#include "objects/central.h"
#include "objects/lookup.h"

static union kspan_span_word read_word(const struct kspan_span *span)
{
	/* Pairs with the releases in kspan_span_set_state() and kspan_span_begin(), span.h. */
	return (union kspan_span_word) { .word = smp_load_acquire(&span->word) };
}

/* Read fields that may change meanwhile; kspan_found_stays() tells whether they belong together. */
static void copy(const struct kspan_span *span, struct kspan_found *found)
{
	found->start = kspan_glance(span->start);
	found->bytes = kspan_span_bytes(span);
	found->class = kspan_glance(span->class);
	found->recount = kspan_glance(span->recount);
	found->nid = kspan_glance(span->nid);
	found->gone_pages = kspan_glance(span->gone_pages);
	found->nslots = kspan_glance(span->nslots);
	found->high = kspan_glance(span->high);
	found->size = kspan_glance(span->size);
	found->magic = kspan_glance(span->magic);
	found->central = kspan_glance(span->central);
	found->alloc_bits = kspan_glance(span->alloc_bits);
	found->starts = kspan_glance(span->starts);
}

/* Whether @addr is in one of the pages that the span has; a hollow span has not all of them. */
static bool has(const struct kspan_found *found, unsigned long addr)
{
	unsigned long page = (addr - found->start) >> KSPAN_PAGE_SHIFT;

	return addr - found->start < found->bytes &&
	       !(page < KSPAN_HOLLOW_PAGES && found->gone_pages & BIT(page));
}

/**
 * kspan_lookup() - find the span that an address is in
 * @addr:	any address at all
 * @found:	set to a copy of the span, whose fields are all of one moment
 *
 * Context: any, NMI included; in an RCU read-side critical section, or with preemption or
 * interrupts off. The section must last as long as @found is used.
 * Return: false if the address is in no span, or its span is being freed.
 */
bool kspan_lookup(unsigned long addr, struct kspan_found *found)
{
	struct kspan_span *span;

	RCU_LOCKDEP_WARN(!rcu_read_lock_any_held(), "a lookup by address without RCU");
	span = kspan_map_span(addr);
	if (!span)
		return false;
	found->span = span;
	found->word = read_word(span);
	if (!kspan_span_is_small(found->word.state) && !kspan_span_is_large(found->word.state))
		return false;
	copy(span, found);
	return kspan_found_stays(found) && has(found, addr);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_lookup);

/**
 * kspan_found_stays() - whether a span that was found is still the same span
 * @found: set by kspan_lookup()
 *
 * If it is, all that the caller read of the span before, bitmaps included, was the span's.
 *
 * Context: any, NMI included, in the RCU section of the lookup.
 * Return: whether it is.
 */
bool kspan_found_stays(const struct kspan_found *found)
{
	union kspan_span_word word;

	/* Pairs with the smp_wmb() in kspan_span_begin(), span.h. */
	smp_rmb();
	word.word = READ_ONCE(found->span->word);
	return kspan_same_span(word, found->word);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_found_stays);

static bool is_set(const u64 *bits, unsigned int slot)
{
	return kspan_glance(bits[slot / 64]) & BIT_ULL(slot % 64);
}

/**
 * kspan_found_slot() - what an address is in a small span
 * @found:	set by kspan_lookup(), for a small span
 * @addr:	an address in it
 *
 * It answers as kspan_span_slot_state() does, but from the copy, without a lock.
 *
 * Context: any, NMI included, in the RCU section of the lookup or with the span pinned.
 * Return: enum kspan_slot_state.
 */
enum kspan_slot_state kspan_found_slot(const struct kspan_found *found, unsigned long addr)
{
	const u64 *deferred = found->alloc_bits + DIV_ROUND_UP(found->nslots, 64);
	unsigned int slot, bits = ALIGN(found->nslots, 64);
	bool exact;

	slot = kspan_slot_index(found->magic, addr - found->start, &exact);
	/* @nslots of a hollow span is less than the number of its last slot. */
	if (unlikely(slot >= found->nslots) &&
	    (slot >= bits || slot >= found->bytes / found->size))
		return KSPAN_SLOT_NEVER_OUT;
	if (unlikely(!exact))
		return KSPAN_SLOT_INSIDE;
	if (is_set(found->alloc_bits, slot)) {
		/* Pairs with the smp_wmb() in kspan_span_hollow(), span.c. */
		smp_rmb();
		if (found->recount || !is_set(deferred, slot))
			return KSPAN_SLOT_OUT;
	}
	return slot < found->high ? KSPAN_SLOT_FREE : KSPAN_SLOT_NEVER_OUT;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_found_slot);

/**
 * kspan_found_site() - where the object of a slot was allocated
 * @found:	set by kspan_lookup(), for a small span
 * @slot:	number of the slot
 *
 * Context: any, NMI included, in the RCU section of the lookup.
 * Return: return address of the call; 0 if the heap is not tracked, or there is no such slot.
 */
unsigned long kspan_found_site(const struct kspan_found *found, unsigned int slot)
{
	unsigned int bitmaps = found->class == KSPAN_CLASS_TINY ? 3 : 2;
	const u64 *sites = found->alloc_bits + bitmaps * DIV_ROUND_UP(found->nslots, 64);

	if (!found->central->tracked || slot >= found->nslots)
		return 0;
	return kspan_word_site(found->central, kspan_glance(sites[slot]));
}

/**
 * kspan_found_pin() - keep a small span from being freed
 * @found: set by kspan_lookup()
 *
 * From here on the caller may read the fields of the span itself instead of the copy, as the owner
 * of an object may. Other CPUs may still allocate and free slots of the span.
 *
 * Context: any, NMI included, in the RCU section of the lookup. While the span is pinned, RCU is
 * not needed any more.
 * Return: whether the span is pinned; then the caller must call kspan_span_unpin(). False if the
 * span was freed, or is pinned as often as can be counted.
 */
bool kspan_found_pin(const struct kspan_found *found)
{
	struct kspan_span *span = found->span;
	union kspan_span_word old = { .word = READ_ONCE(span->word) }, new;

	do {
		if (old.life != found->word.life || !kspan_span_is_small(old.state) ||
		    old.pins == U16_MAX)
			return false;
		new = old;
		new.pins++;
	} while (!try_cmpxchg(&span->word, &old.word, new.word));
	return true;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_found_pin);

/**
 * kspan_span_unpin() - undo kspan_found_pin()
 * @span: pinned by the caller
 *
 * Context: any, NMI included.
 */
void kspan_span_unpin(struct kspan_span *span)
{
	union kspan_span_word old = { .word = READ_ONCE(span->word) }, new;

	do {
		new = old;
		new.pins--;
	} while (!try_cmpxchg(&span->word, &old.word, new.word));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_unpin);

/**
 * kspan_found_claim() - change the state of a large span, if it is still the one that was found
 * @found:	set by kspan_lookup()
 * @from:	the state that the span must have
 * @to:		the state that it gets, in which it is the caller's alone
 *
 * Context: any, NMI included.
 * Return: whether the state was changed.
 */
bool kspan_found_claim(const struct kspan_found *found, enum kspan_span_state from,
		       enum kspan_span_state to)
{
	return found->word.state == from && kspan_span_claim(found->span, found->word, to);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_found_claim);
