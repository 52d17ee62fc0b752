/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lookups by address
 *
 * A caller may pass any address to kspan: that of an object, that of an object that was freed an
 * hour ago, or one that was never an object's. The map gives the descriptor of the span that
 * contains the address, or contained it a moment ago. If the caller owns the object at the
 * address, it is the object's span, and nothing that concerns the object changes meanwhile.
 * Else another CPU may free the span and its bitmaps while the caller reads them, and the
 * descriptor may become another span, with other slots, or a large one. Three rules follow:
 *
 *  1. What protects the lookup. The caller is in an RCU read-side critical section, or has
 *     preemption or interrupts off, from before it reads the map until it has read the last
 *     thing that it found. This keeps
 *
 *	the descriptor	a descriptor: its cache is SLAB_TYPESAFE_BY_RCU
 *	bitmaps		readable: kspan_span_unformat() frees them by RCU
 *	centrals,	readable: a private heap is freed a grace period after its spans
 *	owners, heaps
 *
 *     It keeps neither the span, nor its pages, nor the arena: only a caller that owns, holds
 *     (see rule 3) or locks the span may read span->arena.
 *
 *  2. How it is read. kspan_lookup() makes a copy, in this order: the word (state, pins and
 *     life), the fields, the word again. A descriptor begins its next life
 *     (kspan_span_begin()) while it is DEAD. Its fields change only after that, and its state
 *     is published last. So if the word was SMALL or LARGE both times, in the same life, all
 *     fields are those of one span, even if that span has been freed since, and its bitmaps
 *     can still be read. If not, there is no object at the address.
 *     kspan_span_central() does the same for the one field that the free path needs.
 *     kspan_span_claim() does it for a caller that reads the word first, then the fields, and
 *     then claims the span by that word. Nothing else reads fields of a span that it does
 *     not own, hold or lock.
 *
 *  3. What the caller may do. A copy suffices for an answer (kspan_size(), kspan_owns(), a
 *     report). To change something, or to read or write the object itself, the caller must hold
 *     the span in one of three ways:
 *
 *	pinned		kspan_found_pin(): a small span does not become DETACHED, so its
 *			pages, bitmaps and central stay. A caller in any context may pin
 *			a span, for a few instructions, or as many as it takes to copy an
 *			object. A CPU that finds a span pinned when it wants to detach it
 *			leaves that to the next merge.
 *	claimed		kspan_found_claim(): a large object in state LARGE_CACHED belongs to
 *			the caller alone, and is free for all others. The caller then
 *			frees it, or makes it LARGE again.
 *	locked		while the lock of a central is held, a SMALL span that names this
 *			central stays what it is; see central.h.
 *
 *     Pin and claim compare the life in the same atomic operation, so they fail if the
 *     descriptor has become another span. The caller asks what the object is (out, free,
 *     inside) after that.
 *
 * A wrong free of an address at which another owner has an object by now can't be told from a
 * right one.
 */
#ifndef KSPAN_LOOKUP_H
#define KSPAN_LOOKUP_H

#include "pages/arena.h"
#include "pages/span.h"

/**
 * struct kspan_found - copy of a span, as it was when it was looked up
 * @span:	descriptor of the span
 * @word:	state at that moment, and the life that all other fields are of
 * @start:	address of the first byte
 * @bytes:	length in bytes
 * @class:	class that the map gives for the pages
 * @recount:	as in struct kspan_span
 * @nid:	node of the pages
 * @gone_pages:	as in struct kspan_span
 * @nslots:	slots of a small span, without those that are gone
 * @high:	slots with this number or a higher one were never handed out
 * @size:	bytes of a slot
 * @magic:	struct kspan_size_class.magic of that size
 * @central:	central of a small span
 * @owner:	owner of a large span; NULL for the default heap
 * @alloc_bits:	bitmaps of a small span; readable as long as the lookup's RCU section lasts
 * @starts:	as in struct kspan_span, for a span of tiny objects
 */
struct kspan_found {
	struct kspan_span *span;
	union kspan_span_word word;
	unsigned long start;
	unsigned long bytes;
	u8 class;
	bool recount;
	u16 nid;
	u16 gone_pages;
	u16 nslots;
	u16 high;
	u32 size;
	u32 magic;
	union {
		struct kspan_central *central;
		struct kspan_large_owner *owner;
	};
	u64 *alloc_bits;
	unsigned long *starts;
};

bool kspan_lookup(unsigned long addr, struct kspan_found *found);
bool kspan_found_stays(const struct kspan_found *found);
enum kspan_slot_state kspan_found_slot(const struct kspan_found *found, unsigned long addr);
unsigned long kspan_found_site(const struct kspan_found *found, unsigned int slot);
bool kspan_found_pin(const struct kspan_found *found);
void kspan_span_unpin(struct kspan_span *span);
bool kspan_found_claim(const struct kspan_found *found, enum kspan_span_state from,
		       enum kspan_span_state to);

/* Whether two words of a descriptor are of the same span, small or large both times. */
static inline bool kspan_same_span(union kspan_span_word a, union kspan_span_word b)
{
	return a.life == b.life && kspan_span_is_small(a.state) == kspan_span_is_small(b.state) &&
	       kspan_span_is_large(a.state) == kspan_span_is_large(b.state);
}

/*
 * Change the state of a span if its word is still @word. If that succeeds, all fields that the
 * caller read since it read @word are of the same span.
 */
static __always_inline bool kspan_span_claim(struct kspan_span *span, union kspan_span_word word,
					     enum kspan_span_state to)
{
	u64 old = word.word;

	kspan_span_check_states(word.state, to);
	word.state = to;
	return try_cmpxchg(&span->word, &old, word.word);
}

/* Find the small span that an address is in, if its pages have the class @class. */
static inline bool kspan_lookup_small(unsigned long addr, unsigned int class,
				      struct kspan_found *found)
{
	return kspan_lookup(addr, found) && kspan_span_is_small(found->word.state) &&
	       found->class == class;
}

/* Find the large object that starts at an address, if its owner is known. */
static inline bool kspan_lookup_large(unsigned long addr, struct kspan_found *found)
{
	return kspan_lookup(addr, found) && found->word.state == KSPAN_SPAN_LARGE &&
	       found->start == addr && found->owner != KSPAN_OWNER_UNKNOWN;
}

/**
 * kspan_span_central() - read the central of a span that may have been freed since
 * @span: descriptor that the map gave for an address
 *
 * Context: any, NMI included; under RCU as kspan_lookup().
 * Return: the central, which can be read until the RCU section ends; NULL if the span is not
 * SMALL.
 */
static __always_inline struct kspan_central *kspan_span_central(const struct kspan_span *span)
{
	/* Pairs with the release in kspan_span_set_state(), span.h. */
	union kspan_span_word word = { .word = smp_load_acquire(&span->word) }, again;
	struct kspan_central *central;

	if (unlikely(!kspan_span_is_small(word.state)))
		return NULL;
	central = READ_ONCE(span->central);
	/* Pairs with the smp_wmb() in kspan_span_begin(), span.h. */
	smp_rmb();
	again.word = READ_ONCE(span->word);
	if (likely(again.word == word.word) || kspan_same_span(word, again))
		return central;
	return NULL;
}

#endif /* KSPAN_LOOKUP_H */
