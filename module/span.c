// SPDX-License-Identifier: GPL-2.0
/*
 * Spans
 *
 * A span is described outside of its pages, so that no write to an object,
 * however wrong, reaches the allocator's own data. Slots are taken lowest
 * address first: a 64-bit allocCache, the complement of a word of the bitmap,
 * is read by counting trailing zeroes, and free_index keeps the search from
 * words that have nothing to give.
 *
 * Locks: slots are protected by the lock of the span's central, the caller
 * holds it. Context: any; allocating functions as their gfp flags say.
 */
#include <linux/bitops.h>

#include "kunit_export.h"
#include "span.h"

static struct kmem_cache *span_cache;

/**
 * kspan_span_cache_init() - prepare for descriptors
 * Return: 0 or -ENOMEM.
 */
int kspan_span_cache_init(void)
{
	span_cache = KMEM_CACHE(kspan_span, SLAB_TYPESAFE_BY_RCU);
	return span_cache ? 0 : -ENOMEM;
}

/** kspan_span_cache_exit() - the last descriptor was freed */
void kspan_span_cache_exit(void)
{
	kmem_cache_destroy(span_cache);
}

/**
 * kspan_span_alloc_descriptor() - a descriptor without a run
 * @gfp: flags for SLUB
 *
 * What it contains is left over from its last use, for lookups that may still
 * read it; every field is set before the span is put into the map.
 *
 * Return: a DEAD span or NULL.
 */
struct kspan_span *kspan_span_alloc_descriptor(gfp_t gfp)
{
	struct kspan_span *span = kmem_cache_alloc(span_cache, gfp);

	if (span)
		WRITE_ONCE(span->state, KSPAN_SPAN_DEAD);
	return span;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_alloc_descriptor);

/** kspan_span_free_descriptor() - free a DEAD span, or NULL */
void kspan_span_free_descriptor(struct kspan_span *span)
{
	if (span)
		kmem_cache_free(span_cache, span);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_free_descriptor);

/** kspan_span_free_descriptors() - free a list of DEAD spans */
void kspan_span_free_descriptors(struct list_head *spans)
{
	struct kspan_span *span, *next;

	list_for_each_entry_safe(span, next, spans, list)
		kspan_span_free_descriptor(span);
}

static const u8 legal_next_states[] = {
	[KSPAN_SPAN_DEAD]	= BIT(KSPAN_SPAN_FREE) | BIT(KSPAN_SPAN_DETACHED) |
				  BIT(KSPAN_SPAN_LARGE),
	[KSPAN_SPAN_FREE]	= BIT(KSPAN_SPAN_DEAD) | BIT(KSPAN_SPAN_DETACHED) |
				  BIT(KSPAN_SPAN_LARGE),
	[KSPAN_SPAN_DETACHED]	= BIT(KSPAN_SPAN_SMALL) | BIT(KSPAN_SPAN_FREE),
	[KSPAN_SPAN_SMALL]	= BIT(KSPAN_SPAN_DETACHED),
	[KSPAN_SPAN_LARGE]	= BIT(KSPAN_SPAN_FREE),
};

/**
 * kspan_span_set_state() - move a span on in its life
 * @span:	the span
 * @state:	its next state; debug kernels warn when it is not a legal one
 */
void kspan_span_set_state(struct kspan_span *span, enum kspan_span_state state)
{
	VM_WARN_ON_ONCE(!(legal_next_states[span->state] & BIT(state)));
	/* Pairs with the acquire of whoever looks a span up without a lock. */
	smp_store_release(&span->state, state);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_set_state);

/**
 * kspan_span_format() - lay slots over a run
 * @span:	a DETACHED run of the class's length
 * @class:	size class, not 0
 * @gfp:	for the bitmap of classes with more than 64 slots
 *
 * Return: 0 or -ENOMEM.
 */
int kspan_span_format(struct kspan_span *span, unsigned int class, gfp_t gfp)
{
	span->nslots = kspan_size_classes[class].slots;
	span->used = 0;
	span->free_index = 0;
	span->high = 0;
	span->inline_bits = 0;
	span->alloc_bits = &span->inline_bits;
	if (kspan_span_words(span) == 1)
		return 0;
	span->alloc_bits = kcalloc(kspan_span_words(span), sizeof(u64), gfp);
	return span->alloc_bits ? 0 : -ENOMEM;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_format);

/** kspan_span_unformat() - free what kspan_span_format() allocated */
void kspan_span_unformat(struct kspan_span *span)
{
	if (span->alloc_bits != &span->inline_bits)
		kfree(span->alloc_bits);
	span->alloc_bits = NULL;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_unformat);

/* Free slots of one word of the bitmap, as set bits. */
static u64 load_alloc_cache(const struct kspan_span *span, unsigned int word)
{
	u64 free = ~span->alloc_bits[word];
	unsigned int slots = span->nslots - word * 64;

	return slots < 64 ? free & GENMASK_ULL(slots - 1, 0) : free;
}

/**
 * kspan_span_take() - take free slots, lowest address first
 * @span:	a SMALL span
 * @slots:	receives the addresses in falling order from @slots[n - 1]
 *		downwards on: the last taken stands lowest in the array
 * @n:		how many at most
 *
 * A stack filled this way gives the objects out by rising address.
 *
 * Return: how many were taken; they are at the end of @slots.
 */
unsigned int kspan_span_take(struct kspan_span *span, void **slots, unsigned int n)
{
	unsigned int size = kspan_size_classes[span->class].size;
	unsigned int word = span->free_index / 64;
	unsigned int index = span->free_index;
	unsigned int left = min_t(unsigned int, n, span->nslots - span->used);
	unsigned int taken = left;

	for (; left; word++) {
		u64 alloc_cache = load_alloc_cache(span, word);

		while (alloc_cache && left) {
			index = word * 64 + __ffs64(alloc_cache);
			slots[--n] = (void *)(span->start + (unsigned long)index * size);
			alloc_cache &= alloc_cache - 1;
			left--;
			span->alloc_bits[word] |= BIT_ULL(index % 64);
		}
	}
	if (taken) {
		span->used += taken;
		span->free_index = index + 1;
		span->high = max_t(u16, span->high, index + 1);
	}
	return taken;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_take);

/**
 * kspan_span_slot_state() - what an address is to a span
 * @span:	a SMALL span
 * @addr:	an address in its pages
 *
 * Return: enum kspan_slot_state.
 */
enum kspan_slot_state kspan_span_slot_state(const struct kspan_span *span, unsigned long addr)
{
	bool exact;
	unsigned int index = kspan_slot_index(span->class, addr - span->start, &exact);

	if (index >= span->nslots)
		return KSPAN_SLOT_NEVER_OUT;
	if (!exact)
		return KSPAN_SLOT_INSIDE;
	if (span->alloc_bits[index / 64] & BIT_ULL(index % 64))
		return KSPAN_SLOT_OUT;
	return index < span->high ? KSPAN_SLOT_FREE : KSPAN_SLOT_NEVER_OUT;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_slot_state);

/**
 * kspan_span_give() - return a slot
 * @span:	a SMALL span
 * @addr:	address of a slot that is out
 */
void kspan_span_give(struct kspan_span *span, unsigned long addr)
{
	bool exact;
	unsigned int index = kspan_slot_index(span->class, addr - span->start, &exact);

	span->alloc_bits[index / 64] &= ~BIT_ULL(index % 64);
	span->used--;
	span->free_index = min_t(u16, span->free_index, index);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_give);
