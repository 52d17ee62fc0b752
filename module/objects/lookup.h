/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lookups by address
 *
 * Any address may be passed to kspan: of an object, of one that was freed an hour ago, of
 * nothing at all. The map gives the descriptor of the span that has the address, or had it a
 * moment ago. Of an object that is the caller's that is its span, and nothing of it changes
 * meanwhile. Of any other address the span may be freed while it is looked at, its bitmaps
 * with it, and the descriptor may become another span, of other slots, or a large one. So:
 *
 *  1. Under what. In an RCU read-side critical section, or with preemption or interrupts off,
 *     from the look into the map on to the last look at anything that was found. That keeps
 *
 *	the descriptor	a descriptor: SLAB_TYPESAFE_BY_RCU
 *	bitmaps		readable: kspan_span_unformat() frees them by RCU
 *	centrals,	readable: a private heap goes a grace period after its spans
 *	owners, heaps
 *
 *     but neither the span nor its pages, and not the arena: span->arena is only for who
 *     holds, owns or locks the span.
 *
 *  2. What is read. kspan_lookup() makes a copy, in this order: the word (state, pins and
 *     life), the fields, the word again. A descriptor begins its next life
 *     (kspan_span_begin()) when it is DEAD, and only then its fields change, and its state
 *     is published last. So if the word was SMALL or LARGE in the same life twice, all
 *     fields are of one span, be it that it is gone now, and the bitmaps are its, and can
 *     still be read. If not, the address is no object's: there is none.
 *     kspan_span_central() is the same for the one field that the free path needs, and
 *     kspan_span_claim() for who claims a span by the word that he read before all else.
 *     Nobody else reads fields of a span that he does not own, hold or lock.
 *
 *  3. What may be done with it. A copy is good for an answer (kspan_size(), kspan_owns(), a
 *     report). To change something, and to read or write the object itself, one needs the span:
 *
 *	pinned		kspan_found_pin(): a small span does not become DETACHED, so its
 *			pages, bitmaps and central stay. In any context, for a few
 *			instructions, or as many as the object has bytes. Who would
 *			have detached it leaves that to the next merge.
 *	claimed		kspan_found_claim(): a large object in LARGE_CACHED is the caller's
 *			alone, to all others it is free. It is freed then, or becomes
 *			LARGE again.
 *	locked		with the lock of its central a SMALL span that names this central
 *			stays what it is; see central.c.
 *
 *     Pin and claim compare the life in the same atomic operation, so they fail for a span
 *     that is another one by now. What the object is (out, free, inside) is asked after.
 *
 * An object that is freed wrongly while it is another's, at the very address, can't be told
 * from a right free.
 */
#ifndef KSPAN_LOOKUP_H
#define KSPAN_LOOKUP_H

#include "pages/arena.h"
#include "pages/span.h"

/**
 * struct kspan_found - what a span was when it was looked up
 * @span:	its descriptor
 * @word:	the state then, and the life that all other fields are of
 * @start:	address of the first byte
 * @bytes:	length
 * @class:	what the map says of its pages
 * @recount:	as of struct kspan_span
 * @nid:	node
 * @gone_pages:	as of struct kspan_span
 * @nslots:	slots of a small one, without those that are gone
 * @high:	no slot from it on was ever handed out
 * @size:	bytes of a slot
 * @magic:	their struct kspan_size_class.magic
 * @central:	of a small one
 * @owner:	of a large one, NULL if it is the default heap's
 * @alloc_bits:	bitmaps of a small one; readable as long as the lookup's RCU section lasts
 * @starts:	of one of tiny objects
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
bool kspan_found_pin(const struct kspan_found *found);
void kspan_span_unpin(struct kspan_span *span);
bool kspan_found_claim(const struct kspan_found *found, enum kspan_span_state from,
		       enum kspan_span_state to);

/* Of two words of a span, whether it was the same span, and as small or as large as before. */
static inline bool kspan_same_span(union kspan_span_word a, union kspan_span_word b)
{
	return a.life == b.life && kspan_span_is_small(a.state) == kspan_span_is_small(b.state) &&
	       kspan_span_is_large(a.state) == kspan_span_is_large(b.state);
}

/*
 * Change the state of a span, if its word is what it was. Then what was read of it since is
 * of the same span.
 */
static __always_inline bool kspan_span_claim(struct kspan_span *span, union kspan_span_word word,
					     enum kspan_span_state to)
{
	u64 old = word.word;

	kspan_span_check_states(word.state, to);
	word.state = to;
	return try_cmpxchg(&span->word, &old, word.word);
}

/* A small span of pages that have a class. */
static inline bool kspan_lookup_small(unsigned long addr, unsigned int class,
				      struct kspan_found *found)
{
	return kspan_lookup(addr, found) && kspan_span_is_small(found->word.state) &&
	       found->class == class;
}

/* The start of a large object. */
static inline bool kspan_lookup_large(unsigned long addr, struct kspan_found *found)
{
	return kspan_lookup(addr, found) && found->word.state == KSPAN_SPAN_LARGE &&
	       found->start == addr && found->owner != KSPAN_OWNER_UNKNOWN;
}

/**
 * kspan_span_central() - the central of a span that may be anything by now
 * @span: what the map said
 *
 * Context: any, NMI included; as kspan_lookup().
 * Return: the central, which can be read until the RCU section ends; or NULL when the span
 * is not SMALL.
 */
static __always_inline struct kspan_central *kspan_span_central(const struct kspan_span *span)
{
	/* Pairs with the release in kspan_span_set_state(). */
	union kspan_span_word word = { .word = smp_load_acquire(&span->word) }, again;
	struct kspan_central *central;

	if (unlikely(!kspan_span_is_small(word.state)))
		return NULL;
	central = READ_ONCE(span->central);
	/* Pairs with the smp_wmb() in kspan_span_begin(). */
	smp_rmb();
	again.word = READ_ONCE(span->word);
	if (likely(again.word == word.word) || kspan_same_span(word, again))
		return central;
	return NULL;
}

#endif /* KSPAN_LOOKUP_H */
