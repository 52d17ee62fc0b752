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
#include <linux/rcupdate.h>

#include "base/kunit_export.h"
#include "pages/span.h"

/* Bitmaps may still be read by an NMI when their span has gone. */
union bitmap {
	struct rcu_head rcu;
	DECLARE_FLEX_ARRAY(u64, words);
};

static struct kmem_cache *span_cache;

/*
 * Of memory that is SLUB's anew: what lookups of the span that it is to be compare. It may have
 * been a descriptor before, which somebody still knows: lives begin where none was lately.
 */
static void init_descriptor(void *descriptor)
{
	static atomic_t first_life = ATOMIC_INIT(0);
	struct kspan_span *span = descriptor;

	span->word = 0;
	span->life = atomic_add_return(1U << 20 | 1, &first_life);
	span->state = KSPAN_SPAN_DEAD;
}

/**
 * kspan_span_cache_init() - prepare for descriptors
 * Return: 0 or -ENOMEM.
 */
int kspan_span_cache_init(void)
{
	span_cache = kmem_cache_create("kspan_span", sizeof(struct kspan_span),
				       __alignof__(struct kspan_span), SLAB_TYPESAFE_BY_RCU,
				       init_descriptor);
	return span_cache ? 0 : -ENOMEM;
}

/** kspan_span_cache_exit() - the last descriptor was freed */
void kspan_span_cache_exit(void)
{
	/* Bitmaps are on their way. */
	rcu_barrier();
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

/**
 * kspan_span_alloc_descriptors() - some descriptors at once
 * @spans:	receives them, DEAD
 * @gfp:	flags for SLUB
 * Return: how many, KSPAN_SPAN_BATCH at most.
 */
unsigned int kspan_span_alloc_descriptors(struct list_head *spans, gfp_t gfp)
{
	struct kspan_span *span;
	void *batch[KSPAN_SPAN_BATCH];
	unsigned int i;

	/* The bulk call is for enabled interrupts; it returns an int or, in 7.x, a bool. */
	if (irqs_disabled() ||
	    !kmem_cache_alloc_bulk(span_cache, gfp | __GFP_NOWARN, KSPAN_SPAN_BATCH, batch)) {
		span = kspan_span_alloc_descriptor(gfp);
		if (!span)
			return 0;
		list_add(&span->list, spans);
		return 1;
	}
	for (i = 0; i < KSPAN_SPAN_BATCH; i++) {
		span = batch[i];
		WRITE_ONCE(span->state, KSPAN_SPAN_DEAD);
		list_add(&span->list, spans);
	}
	return KSPAN_SPAN_BATCH;
}

/** kspan_span_free_descriptors() - free a list of DEAD spans */
void kspan_span_free_descriptors(struct list_head *spans)
{
	struct kspan_span *span, *next;
	void *batch[KSPAN_SPAN_BATCH];
	unsigned int n = 0;

	list_for_each_entry_safe(span, next, spans, list) {
		batch[n++] = span;
		if (n == KSPAN_SPAN_BATCH) {
			kmem_cache_free_bulk(span_cache, n, batch);
			n = 0;
		}
	}
	if (n)
		kmem_cache_free_bulk(span_cache, n, batch);
}

#ifdef CONFIG_DEBUG_VM
/**
 * kspan_span_check_states() - warn when a span's next state is not a legal one
 * @from:	its state
 * @to:		the next one
 */
void kspan_span_check_states(enum kspan_span_state from, enum kspan_span_state to)
{
	static const u8 legal[] = {
		[KSPAN_SPAN_DEAD]	= BIT(KSPAN_SPAN_DETACHED) | BIT(KSPAN_SPAN_LARGE),
		[KSPAN_SPAN_DETACHED]	= BIT(KSPAN_SPAN_SMALL) | BIT(KSPAN_SPAN_DEAD),
		[KSPAN_SPAN_SMALL]	= BIT(KSPAN_SPAN_DETACHED) |
					  BIT(KSPAN_SPAN_SMALL_DEFERRED),
		[KSPAN_SPAN_SMALL_DEFERRED] = BIT(KSPAN_SPAN_SMALL),
		[KSPAN_SPAN_LARGE]	= BIT(KSPAN_SPAN_DEAD) |
					  BIT(KSPAN_SPAN_LARGE_DEFERRED) |
					  BIT(KSPAN_SPAN_LARGE_CACHED) |
					  BIT(KSPAN_SPAN_CHUNK),
		[KSPAN_SPAN_LARGE_DEFERRED] = BIT(KSPAN_SPAN_DEAD),
		[KSPAN_SPAN_LARGE_CACHED] = BIT(KSPAN_SPAN_LARGE) | BIT(KSPAN_SPAN_DEAD) |
					    BIT(KSPAN_SPAN_LARGE_DEFERRED),
		[KSPAN_SPAN_CHUNK]	= BIT(KSPAN_SPAN_LARGE_DEFERRED),
	};

	VM_WARN_ON_ONCE(!(legal[from] & BIT(to)));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_check_states);
#endif

static bool is_tiny(const struct kspan_size_class *sc)
{
	return sc == &kspan_size_classes[KSPAN_CLASS_TINY];
}

/* Words of the bitmaps of so many slots: those that are out, deferred frees, open blocks. */
static unsigned int bitmap_words(const struct kspan_size_class *sc, unsigned int slots)
{
	return DIV_ROUND_UP(slots, 64) * (is_tiny(sc) ? 3 : 2);
}

/*
 * A loose span may be all that a page of the kernel is for, and for the smallest objects
 * each bit per slot is a 64th of the memory: one is enough. kmemleak has to be told of
 * deferred frees one by one, so it has two.
 */
static bool has_one_bitmap(const struct kspan_span *span, const struct kspan_size_class *sc,
			   bool tracked)
{
	return kspan_span_is_loose(span) && kspan_span_words(span) > 1 && !is_tiny(sc) &&
	       !tracked && !IS_ENABLED(CONFIG_DEBUG_KMEMLEAK);
}

/* A bit for each byte of a span of tiny objects. */
static size_t starts_bytes(void)
{
	return (kspan_size_classes[KSPAN_CLASS_TINY].pages * KSPAN_PAGE_SIZE) / BITS_PER_BYTE;
}

/**
 * kspan_span_bitmap_bytes() - memory that the bitmaps of a span take
 * @sc: its size class
 * Return: bytes beyond the descriptor.
 */
size_t kspan_span_bitmap_bytes(const struct kspan_size_class *sc)
{
	if (sc->slots <= 64)
		return 0;
	return bitmap_words(sc, sc->slots) * sizeof(u64) + (is_tiny(sc) ? starts_bytes() : 0);
}

/**
 * kspan_span_format() - lay slots over a run
 * @span:	a DETACHED run of the class's length, or a loose one, with room for fewer slots
 * @sc:		size class
 * @tracked:	there is to be room for the call sites of its objects
 * @gfp:	for the bitmaps of classes with more than 64 slots, which can't
 *		be had with KSPAN_GFP_NOLOCK
 *
 * Return: 0 or -ENOMEM.
 */
int kspan_span_format(struct kspan_span *span, const struct kspan_size_class *sc, bool tracked,
		      gfp_t gfp)
{
	unsigned int words;
	u64 *bits;

	span->size = sc->size;
	span->magic = sc->magic;
	span->nslots = min_t(unsigned long, sc->slots, kspan_span_bytes(span) / sc->size);
	span->used = 0;
	span->free_index = 0;
	span->high = 0;
	span->inline_bits[0] = 0;
	span->inline_bits[1] = 0;
	span->alloc_bits = span->inline_bits;
	span->recount = has_one_bitmap(span, sc, tracked);
	if (kspan_span_words(span) == 1 && !tracked)
		return 0;
	if (gfp & KSPAN_GFP_NOLOCK)
		return -ENOMEM;
	gfp = kspan_gfp_metadata(gfp);
	words = span->recount ? kspan_span_words(span) : bitmap_words(sc, span->nslots);
	bits = kcalloc(words + (tracked ? span->nslots : 0), sizeof(u64), gfp);
	if (!bits)
		return -ENOMEM;
	if (is_tiny(sc)) {
		/* The end is for RCU, as somebody may still clear a bit then: see tiny.c. */
		span->starts = kzalloc(starts_bytes() + sizeof(struct rcu_head), gfp);
		if (!span->starts) {
			kfree(bits);
			return -ENOMEM;
		}
	}
	span->alloc_bits = bits;
	return 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_format);

/** kspan_span_clear() - make all slots of a SMALL span free, but for those that are gone */
void kspan_span_clear(struct kspan_span *span)
{
	unsigned int words = kspan_span_words(span) * (span->recount ? 1 : 2);

	if (span->class == KSPAN_CLASS_TINY) {
		words += kspan_span_words(span);
		memset(span->starts, 0, starts_bytes());
	}
	memset(span->alloc_bits, 0, words * sizeof(u64));
	if (span->gone_pages) {
		span->inline_bits[0] = kspan_span_gone(span);
		span->inline_bits[1] = span->inline_bits[0];
	}
	span->used = 0;
	span->free_index = 0;
}

static void free_bitmap_rcu(struct rcu_head *head)
{
	kfree(container_of(head, union bitmap, rcu));
}

/* Not by kfree_rcu(), which allocates pages now and then: preemption may be off. */
static void free_bitmap(void *bits)
{
	union bitmap *bitmap = bits;

	call_rcu(&bitmap->rcu, free_bitmap_rcu);
}

static void free_starts_rcu(struct rcu_head *head)
{
	kfree((void *)head - starts_bytes());
}

static void free_starts(void *starts)
{
	call_rcu((struct rcu_head *)(starts + starts_bytes()), free_starts_rcu);
}

/** kspan_span_unformat() - free what kspan_span_format() allocated, when nobody reads it */
void kspan_span_unformat(struct kspan_span *span)
{
	if (span->alloc_bits != span->inline_bits) {
		free_bitmap(span->alloc_bits);
		if (span->class == KSPAN_CLASS_TINY)
			free_starts(span->starts);
	}
	/* Whoever does not know yet that the span has gone reads something. */
	WRITE_ONCE(span->alloc_bits, span->inline_bits);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_unformat);

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
	unsigned int size = span->size;
	unsigned int word = span->free_index / 64, index = 0;
	unsigned int left = min_t(unsigned int, n, span->nslots - span->used);
	unsigned int taken = left;

	/* Of loose spans for large objects there are as many as objects. */
	if (left && span->nslots == 1 && !span->gone_pages) {
		span->alloc_bits[0] = 1;
		span->used = 1;
		span->free_index = 1;
		span->high = 1;
		slots[n - 1] = (void *)span->start;
		return 1;
	}
	for (slots += n; left; word++) {
		unsigned long start = span->start + (unsigned long)word * 64 * size;
		/* No bit beyond the last slot is taken: there are as many before it. */
		u64 found = ~READ_ONCE(span->alloc_bits[word]);
		u64 alloc_cache = found;

		for (; alloc_cache && left; left--) {
			index = __ffs64(alloc_cache);
			*--slots = (void *)(start + (unsigned long)index * size);
			alloc_cache &= alloc_cache - 1;
		}
		kspan_span_set_bits(span, word, found ^ alloc_cache);
		index += word * 64;
	}
	if (taken) {
		span->used += taken;
		span->free_index = index + 1;
		span->high = max_t(u16, span->high, index + 1);
	}
	return taken;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_take);

static bool slot_is_set(const u64 *bits, unsigned int index)
{
	return READ_ONCE(bits[index / 64]) & BIT_ULL(index % 64);
}

/**
 * kspan_span_slot_state() - what an address is to a span
 * @span:	a SMALL span
 * @addr:	an address in its pages
 * @index:	set to the slot it is in
 *
 * Return: enum kspan_slot_state; without the lock of the central only sure for
 * a slot that is out and stays so.
 */
enum kspan_slot_state kspan_span_slot_state(const struct kspan_span *span, unsigned long addr,
					    unsigned int *index)
{
	bool exact;
	unsigned int i = kspan_slot_index(span->magic, addr - span->start, &exact);

	*index = i;
	if (unlikely(i >= span->nslots) && i >= kspan_span_all_slots(span))
		return KSPAN_SLOT_NEVER_OUT;
	if (unlikely(!exact))
		return KSPAN_SLOT_INSIDE;
	if (likely(slot_is_set(span->alloc_bits, i) &&
		   (span->recount || !slot_is_set(kspan_span_deferred_bits(span), i))))
		return KSPAN_SLOT_OUT;
	return i < span->high ? KSPAN_SLOT_FREE : KSPAN_SLOT_NEVER_OUT;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_slot_state);

/**
 * kspan_span_defer() - note that a slot is to be returned
 * @span:	a SMALL span
 * @addr:	address of a slot that is out
 *
 * Context: any, NMI included; without the lock of the central.
 * Return: false when that was noted before.
 */
bool kspan_span_defer(struct kspan_span *span, unsigned long addr)
{
	bool exact;
	unsigned int slot = kspan_slot_index(span->magic, addr - span->start, &exact);

	if (span->recount)
		return test_and_clear_bit(slot, (unsigned long *)span->alloc_bits);
	return !test_and_set_bit(slot, (unsigned long *)kspan_span_deferred_bits(span));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_defer);

/**
 * kspan_span_recount() - have deferred frees be counted that left no other trace
 * @span: a SMALL span with @recount
 * Return: how many there were.
 */
unsigned int kspan_span_recount(struct kspan_span *span)
{
	unsigned int words = kspan_span_words(span), word, out = 0, freed;

	for (word = 0; word < words; word++)
		out += hweight64(READ_ONCE(span->alloc_bits[word]));
	freed = span->used - out;
	span->used = out;
	span->free_index = 0;
	return freed;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_recount);

/* Pages that a slot touches, as bits. */
static unsigned int pages_of_slot(const struct kspan_span *span, unsigned int slot)
{
	unsigned long first = (unsigned long)slot * span->size;

	return GENMASK((first + span->size - 1) >> KSPAN_PAGE_SHIFT, first >> KSPAN_PAGE_SHIFT);
}

/**
 * kspan_span_slots_on() - slots that touch pages
 * @span:	a span of at most 64 slots and KSPAN_HOLLOW_PAGES pages
 * @pages:	a bit for each of these
 * Return: a bit for each slot.
 */
u64 kspan_span_slots_on(const struct kspan_span *span, unsigned int pages)
{
	unsigned int n = kspan_span_all_slots(span), slot;
	u64 slots = 0;

	for (slot = 0; slot < n; slot++)
		if (pages_of_slot(span, slot) & pages)
			slots |= BIT_ULL(slot);
	return slots;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_slots_on);

/**
 * kspan_span_unused_pages() - pages that no slot touches that is out
 * @span: a SMALL span, as for kspan_span_slots_on(), with its bitmap inline
 * Return: a bit for each of the pages that it still has.
 */
unsigned int kspan_span_unused_pages(const struct kspan_span *span)
{
	u64 out = span->inline_bits[0] & ~kspan_span_gone(span);
	unsigned int used = 0;

	for (; out; out &= out - 1)
		used |= pages_of_slot(span, __ffs64(out));
	return kspan_span_own_pages(span) & ~used;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_unused_pages);

/**
 * kspan_span_hollow() - take the slots away that touch pages
 * @span:	as for kspan_span_unused_pages()
 * @pages:	some of these
 *
 * They are never handed out again, and a free of one is a wrong free: the bits say so
 * before the page can be somebody else's.
 *
 * Return: how many slots there were.
 */
unsigned int kspan_span_hollow(struct kspan_span *span, unsigned int pages)
{
	unsigned long *deferred = (unsigned long *)&span->inline_bits[1];
	u64 slots = kspan_span_slots_on(span, pages) & ~kspan_span_gone(span), left;

	/* First: nobody may take it for a slot that is out. */
	for (left = slots; left; left &= left - 1)
		set_bit(__ffs64(left), deferred);
	/* Whoever frees without the lock sees the bit of the deferred free, at the latest. */
	smp_wmb();
	span->inline_bits[0] |= slots;
	span->nslots -= hweight64(slots);
	return hweight64(slots);
}

/** kspan_span_is_out() - whether a slot is out, be it that its free is deferred */
bool kspan_span_is_out(const struct kspan_span *span, unsigned int slot)
{
	return slot_is_set(span->alloc_bits, slot) &&
	       !(span->gone_pages && pages_of_slot(span, slot) & span->gone_pages);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_is_out);

/** kspan_span_wipe() - zero the pages of a span, those that it still has */
void kspan_span_wipe(const struct kspan_span *span)
{
	unsigned long pages, first, end;

	if (likely(!span->gone_pages)) {
		memset((void *)span->start, 0, kspan_span_bytes(span));
		return;
	}
	pages = kspan_span_own_pages(span);
	for_each_set_bitrange(first, end, &pages, KSPAN_HOLLOW_PAGES)
		memset((void *)(span->start + (first << KSPAN_PAGE_SHIFT)), 0,
		       (end - first) << KSPAN_PAGE_SHIFT);
}
