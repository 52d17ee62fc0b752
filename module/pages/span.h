/* SPDX-License-Identifier: GPL-2.0 */
/* Spans: their descriptors, their states, and the slots of small ones. */
#ifndef KSPAN_SPAN_H
#define KSPAN_SPAN_H

#include "base/context.h"
#include "base/size_class.h"

/* So many descriptors are allocated from SLUB, or freed to it, by one call. */
#define KSPAN_SPAN_BATCH	32

int kspan_span_cache_init(void);
void kspan_span_cache_exit(void);

struct kspan_span *kspan_span_alloc_descriptor(gfp_t gfp);
void kspan_span_free_descriptor(struct kspan_span *span);
unsigned int kspan_span_alloc_descriptors(struct list_head *spans, gfp_t gfp);
void kspan_span_free_descriptors(struct list_head *spans);

#ifdef CONFIG_DEBUG_VM
void kspan_span_check_states(enum kspan_span_state from, enum kspan_span_state to);
#else
static inline void kspan_span_check_states(enum kspan_span_state from, enum kspan_span_state to)
{
}
#endif

/**
 * kspan_span_set_state() - change the state of a span that no other CPU can change meanwhile
 * @span:	the span
 * @state:	its next state; debug kernels warn when the change is not a legal one
 */
static inline void kspan_span_set_state(struct kspan_span *span, enum kspan_span_state state)
{
	kspan_span_check_states(span->state, state);
	/*
	 * A CPU that sees the state must see the span's fields. Pairs with smp_load_acquire()
	 * in kspan_map_small_span() of page_heap.h, kspan_span_central() of lookup.h, the lookup
	 * in lookup.c, and kspan_central_own_span() of central.h.
	 */
	smp_store_release(&span->state, state);
}

/* Whether a span has slots; some of its frees may be deferred. */
static inline bool kspan_span_is_small(u8 state)
{
	return state == KSPAN_SPAN_SMALL || state == KSPAN_SPAN_SMALL_DEFERRED;
}

static inline bool kspan_span_is_large(u8 state)
{
	return state >= KSPAN_SPAN_LARGE;
}

/* The owner of a large object whose owner is not set yet: it can't be freed yet. */
#define KSPAN_OWNER_UNKNOWN	((struct kspan_large_owner *)1)

/**
 * kspan_span_begin() - begin a new life of a DEAD descriptor
 * @span: the descriptor; only lookups of an earlier life may still read it
 *
 * To be called before any field but @list changes. A lookup of the span that it was sees that
 * the life is another one, and does not trust what it has read.
 */
static inline void kspan_span_begin(struct kspan_span *span)
{
	/* A lookup that sees the new life must see the state DEAD, or a later one. */
	smp_store_release(&span->life, span->life + 1);
	/*
	 * A lookup that sees a new field must see the new life. Pairs with smp_rmb() in
	 * kspan_span_central() of lookup.h and kspan_found_stays() of lookup.c.
	 */
	smp_wmb();
}

/**
 * kspan_span_change_state() - change the state of a span that other CPUs may change, too
 * @span:	the span
 * @from:	the state that it should have
 * @to:		its next state
 *
 * A full barrier when it succeeds. While a CPU has a small span pinned, the span stays small.
 *
 * Return: whether the state was @from, and is @to now.
 */
static inline bool kspan_span_change_state(struct kspan_span *span, enum kspan_span_state from,
					   enum kspan_span_state to)
{
	union kspan_span_word old = { .word = READ_ONCE(span->word) }, new;

	kspan_span_check_states(from, to);
	do {
		if (old.state != from || (old.pins && !kspan_span_is_small(to)))
			return false;
		new = old;
		new.state = to;
	} while (!try_cmpxchg(&span->word, &old.word, new.word));
	return true;
}

size_t kspan_span_bitmap_bytes(const struct kspan_size_class *sc);
int kspan_span_format(struct kspan_span *span, const struct kspan_size_class *sc, bool tracked,
		      gfp_t gfp);
void kspan_span_unformat(struct kspan_span *span);
void kspan_span_clear(struct kspan_span *span);

unsigned int kspan_span_take(struct kspan_span *span, void **slots, unsigned int n);

enum kspan_slot_state {
	KSPAN_SLOT_OUT,			/* live, or in a magazine */
	KSPAN_SLOT_FREE,		/* it was out before; or its free is deferred */
	KSPAN_SLOT_NEVER_OUT,		/* or the unused tail of the span */
	KSPAN_SLOT_INSIDE,		/* not the start of a slot */
	KSPAN_SLOT_SEALED,		/* out, but sealed as a free one: see seal.h */
};

enum kspan_slot_state kspan_span_slot_state(const struct kspan_span *span, unsigned long addr,
					    unsigned int *index);
/* Mark slots of a word of the bitmap as out; the central is locked. */
static inline void kspan_span_set_bits(struct kspan_span *span, unsigned int word, u64 slots)
{
	if (likely(!span->recount))
		span->alloc_bits[word] |= slots;
	else
		atomic64_or(slots, (atomic64_t *)&span->alloc_bits[word]);
}

/* Mark slots of a word of the bitmap as free; the central is locked. */
static inline void kspan_span_clear_bits(struct kspan_span *span, unsigned int word, u64 slots)
{
	if (likely(!span->recount))
		span->alloc_bits[word] &= ~slots;
	else
		atomic64_andnot(slots, (atomic64_t *)&span->alloc_bits[word]);
}

/**
 * kspan_span_return() - return slots to their span
 * @span:	a SMALL span; its central is locked
 * @word:	word of the bitmap that has their bits
 * @slots:	their bits in that word; all of them are out
 * @n:		number of these bits, at least one
 */
static inline void kspan_span_return(struct kspan_span *span, unsigned int word, u64 slots,
				     unsigned int n)
{
	kspan_span_clear_bits(span, word, slots);
	span->used -= n;
	span->free_index = min_t(u16, span->free_index, word * 64 + __ffs64(slots));
}

bool kspan_span_defer(struct kspan_span *span, unsigned long addr);
unsigned int kspan_span_recount(struct kspan_span *span);

u64 kspan_span_slots_on(const struct kspan_span *span, unsigned int pages);
unsigned int kspan_span_unused_pages(const struct kspan_span *span);
unsigned int kspan_span_hollow(struct kspan_span *span, unsigned int pages);
bool kspan_span_is_out(const struct kspan_span *span, unsigned int slot);
void kspan_span_wipe(const struct kspan_span *span);

static inline unsigned int kspan_span_words(const struct kspan_span *span)
{
	return DIV_ROUND_UP(span->nslots, 64);
}

/* Bits of the deferred frees, one for each slot; not for a span with @recount. */
static inline u64 *kspan_span_deferred_bits(const struct kspan_span *span)
{
	return span->alloc_bits + kspan_span_words(span);
}

/* The slots of a word that are out and whose free is not deferred; the central is locked. */
static inline u64 kspan_span_out(const struct kspan_span *span, unsigned int word)
{
	u64 out = READ_ONCE(span->alloc_bits[word]);

	return likely(!span->recount) ? out & ~READ_ONCE(kspan_span_deferred_bits(span)[word]) :
					out;
}

/* For a span of tiny objects: bits of the blocks that CPUs pack objects into, see tiny.c. */
static inline unsigned long *kspan_span_open_bits(const struct kspan_span *span)
{
	return (unsigned long *)(span->alloc_bits + 2 * kspan_span_words(span));
}

/*
 * For a span of a heap that is tracked: where the object of each slot was allocated. For a span of
 * sampled objects: the sample of each, see kspan_span_swap_sample().
 */
static inline unsigned long *kspan_span_sites(const struct kspan_span *span)
{
	unsigned int bitmaps = span->class == KSPAN_CLASS_TINY ? 3 : 2;

	return (unsigned long *)(span->alloc_bits + bitmaps * kspan_span_words(span));
}

/* Set the sample of a slot in a span of sampled objects. Returns the one that it had, or NULL. */
static inline struct kspan_sample *kspan_span_swap_sample(struct kspan_span *span,
							  unsigned int slot,
							  struct kspan_sample *sample)
{
	return (struct kspan_sample *)xchg(&kspan_span_sites(span)[slot], (unsigned long)sample);
}

static inline unsigned long kspan_span_bytes(const struct kspan_span *span)
{
	return (unsigned long)READ_ONCE(span->base_pages) << PAGE_SHIFT;
}

/* Pages of 8 KiB that the span touches. If it is half a page, or hollow, not all are its own. */
static inline unsigned int kspan_span_npages(const struct kspan_span *span)
{
	return DIV_ROUND_UP(span->base_pages, 1U << KSPAN_PAGE_ORDER);
}

/* Whether it is a single page of the kernel, where a page of kspan's has two; it is loose. */
static inline bool kspan_span_is_half(const struct kspan_span *span)
{
	return KSPAN_PAGE_ORDER && span->base_pages == 1;
}

/* Whether the span is a block of the page allocator by itself, in no arena. */
static inline bool kspan_span_is_loose(const struct kspan_span *span)
{
	return !span->arena;
}

/* Number of slots that the span had when it was made; it may be hollow now. */
static inline unsigned int kspan_span_all_slots(const struct kspan_span *span)
{
	return kspan_span_bytes(span) / span->size;
}

/* A bit for each slot that was lost with a page when the span became hollow; central lock. */
static inline u64 kspan_span_gone(const struct kspan_span *span)
{
	return likely(!span->gone_pages) ? 0 : kspan_span_slots_on(span, span->gone_pages);
}

/* A bit for each page that a hollow span still has. */
static inline unsigned int kspan_span_own_pages(const struct kspan_span *span)
{
	return (BIT(kspan_span_npages(span)) - 1) & ~span->gone_pages;
}

/* Number of pages that the span has. */
static inline unsigned int kspan_span_nr_pages(const struct kspan_span *span)
{
	return kspan_span_npages(span) - hweight16(span->gone_pages);
}

/* The same in the kernel's pages. */
static inline unsigned int kspan_span_own_base_pages(const struct kspan_span *span)
{
	return span->base_pages - (hweight16(span->gone_pages) << KSPAN_PAGE_ORDER);
}

#endif /* KSPAN_SPAN_H */
