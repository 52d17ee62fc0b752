// SPDX-License-Identifier: GPL-2.0
/*
 * Spans
 *
 * The descriptor of a span is not in the span's pages, so a wrong write to an object does
 * not reach it. Slots are taken lowest address first. The complement of a word of the
 * bitmap, the "alloc cache", has a bit for each free slot, and the number of its trailing
 * zeroes is the next one. No word below free_index has a free slot, so the search starts
 * there.
 *
 * Locking: the caller holds the lock of the span's central, which protects the slots.
 * Context: any; functions that allocate, as their gfp flags say.
 */
#include <linux/bitops.h>
#include <linux/rcupdate.h>

#include "base/kunit_export.h"
#include "pages/span.h"

/* A bitmap is freed by RCU: an NMI may still read it when its span is DEAD. */
union bitmap {
	struct rcu_head rcu;
	DECLARE_FLEX_ARRAY(u64, words);
};

static struct kmem_cache *span_cache;

/*
 * SLUB calls it for memory that it has just got: it sets what lookups of a span compare. The
 * memory may have been a descriptor before, and a lookup may still know that one. So the first
 * life is a number that no descriptor had lately.
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
 * kspan_span_cache_init() - make the slab cache of descriptors
 * Return: 0 or -ENOMEM.
 */
int kspan_span_cache_init(void)
{
	span_cache = kmem_cache_create("kspan_span", sizeof(struct kspan_span),
				       __alignof__(struct kspan_span), SLAB_TYPESAFE_BY_RCU,
				       init_descriptor);
	return span_cache ? 0 : -ENOMEM;
}

/** kspan_span_cache_exit() - destroy the slab cache; the caller has freed all descriptors */
void kspan_span_cache_exit(void)
{
	/* Callbacks that free bitmaps may be pending. */
	rcu_barrier();
	kmem_cache_destroy(span_cache);
}

/**
 * kspan_span_alloc_descriptor() - allocate a descriptor without a run
 * @gfp: flags for SLUB
 *
 * Its fields still have the values of its last use, for lookups that may still
 * read it. The caller sets every field before it puts the span into the map.
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
 * kspan_span_alloc_descriptors() - allocate some descriptors at once
 * @spans:	receives them, DEAD
 * @gfp:	flags for SLUB
 * Return: their number, at most KSPAN_SPAN_BATCH; 0 without memory.
 */
unsigned int kspan_span_alloc_descriptors(struct list_head *spans, gfp_t gfp)
{
	struct kspan_span *span;
	void *batch[KSPAN_SPAN_BATCH];
	unsigned int i;

	/* The bulk call needs enabled interrupts. It returns an int or, in 7.x, a bool. */
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
					    BIT(KSPAN_SPAN_LARGE_DEFERRED) |
					    BIT(KSPAN_SPAN_CHUNK),
		[KSPAN_SPAN_CHUNK]	= BIT(KSPAN_SPAN_LARGE_DEFERRED) |
					  BIT(KSPAN_SPAN_LARGE_CACHED),
	};

	VM_WARN_ON_ONCE(!(legal[from] & BIT(to)));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_check_states);
#endif

/* Whether it is the class of blocks that tiny objects are packed into. */
static bool is_tiny(const struct kspan_size_class *sc)
{
	return sc == &kspan_size_classes[KSPAN_CLASS_TINY];
}

/* Words of all bitmaps for so many slots: slots that are out, deferred frees, open blocks. */
static unsigned int bitmap_words(const struct kspan_size_class *sc, unsigned int slots)
{
	return DIV_ROUND_UP(slots, 64) * (is_tiny(sc) ? 3 : 2);
}

/*
 * Whether a span does without bits for deferred frees. A loose span may be a single page of the
 * kernel, and for the smallest objects each bit per slot is a 64th of the memory, so one bitmap
 * has to do. With kmemleak there are two, because kmemleak must be told of each deferred free.
 */
static bool has_one_bitmap(const struct kspan_span *span, const struct kspan_size_class *sc,
			   bool tracked)
{
	return kspan_span_is_loose(span) && kspan_span_words(span) > 1 && !is_tiny(sc) &&
	       !tracked && !IS_ENABLED(CONFIG_DEBUG_KMEMLEAK);
}

/* Size of the bitmap that has a bit for each byte of a span of tiny objects. */
static size_t starts_bytes(void)
{
	return (kspan_size_classes[KSPAN_CLASS_TINY].pages * KSPAN_PAGE_SIZE) / BITS_PER_BYTE;
}

/**
 * kspan_span_bitmap_bytes() - memory that the bitmaps of a span take
 * @sc: its size class
 * Return: bytes in addition to the descriptor.
 */
size_t kspan_span_bitmap_bytes(const struct kspan_size_class *sc)
{
	if (sc->slots <= 64)
		return 0;
	return bitmap_words(sc, sc->slots) * sizeof(u64) + (is_tiny(sc) ? starts_bytes() : 0);
}

/**
 * kspan_span_format() - divide a run into slots
 * @span:	a DETACHED run of the class's length, or a loose one, with room for fewer slots
 * @sc:		size class
 * @tracked:	make room for the call sites of its objects
 * @gfp:	for bitmaps of more than 64 slots, which are allocated; with KSPAN_GFP_NOLOCK that
 *		fails
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
		/*
		 * The rcu_head is behind the bitmap, not in place of it: when it is in use, a CPU
		 * may still clear a bit, see tiny.c.
		 */
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

/** kspan_span_clear() - make all slots of a SMALL span free, except those that are gone */
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

/* kfree_rcu() is no alternative: it allocates pages now and then, and preemption may be off. */
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

/** kspan_span_unformat() - free what kspan_span_format() allocated, after a grace period */
void kspan_span_unformat(struct kspan_span *span)
{
	if (span->alloc_bits != span->inline_bits) {
		free_bitmap(span->alloc_bits);
		if (span->class == KSPAN_CLASS_TINY)
			free_starts(span->starts);
	}
	/* An NMI that does not know yet that the span is gone reads a bitmap, whatever is in it. */
	WRITE_ONCE(span->alloc_bits, span->inline_bits);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_unformat);

/**
 * kspan_span_take() - take free slots, lowest address first
 * @span:	a SMALL span; its central is locked
 * @slots:	receives the addresses, from @slots[n - 1] downwards: the slot that is taken last
 *		stands lowest in the array
 * @n:		most slots that the caller wants
 *
 * A stack that is filled this way gives the objects out by rising address.
 *
 * Return: number of slots that were taken; they are at the end of @slots.
 */
unsigned int kspan_span_take(struct kspan_span *span, void **slots, unsigned int n)
{
	unsigned int size = span->size;
	unsigned int word = span->free_index / 64, index = 0;
	unsigned int left = min_t(unsigned int, n, span->nslots - span->used);
	unsigned int taken = left;

	/* A loose span of one slot is frequent: each large object of fragmented memory has one. */
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
		/* @left is at most the number of free slots, so no bit behind the last is taken. */
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
 * kspan_span_slot_state() - tell what an address is in a span
 * @span:	a SMALL span
 * @addr:	an address in its pages
 * @index:	set to the slot that contains it
 *
 * Without the lock of the central the result is only sure for a slot that is out and stays out.
 *
 * Return: enum kspan_slot_state.
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
 * kspan_span_defer() - note that a slot is to be returned later
 * @span:	a SMALL span
 * @addr:	address of a slot that is out
 *
 * Context: any, NMI included; the lock of the central need not be held.
 * Return: false when the slot was noted before: a double free.
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
 * kspan_span_recount() - count the deferred frees that are only seen in the bitmap
 * @span: a SMALL span with @recount; its central is locked
 * Return: number of slots that were freed.
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

/* A bit for each page that a slot touches. */
static unsigned int pages_of_slot(const struct kspan_span *span, unsigned int slot)
{
	unsigned long first = (unsigned long)slot * span->size;

	return GENMASK((first + span->size - 1) >> KSPAN_PAGE_SHIFT, first >> KSPAN_PAGE_SHIFT);
}

/**
 * kspan_span_slots_on() - find the slots that touch some pages
 * @span:	a span of at most 64 slots and KSPAN_HOLLOW_PAGES pages
 * @pages:	a bit for each of these pages
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
 * kspan_span_unused_pages() - find the pages that no slot touches which is out
 * @span: a SMALL span, as for kspan_span_slots_on(), with its bitmap inline
 * Return: a bit for each such page that the span still has.
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
 * kspan_span_hollow() - take away the slots that touch some pages
 * @span:	as for kspan_span_unused_pages()
 * @pages:	some of the pages that kspan_span_unused_pages() found
 *
 * These slots are never handed out again, and a free of one is a wrong free. The bits say so
 * before the page can belong to another span.
 *
 * Return: number of slots.
 */
unsigned int kspan_span_hollow(struct kspan_span *span, unsigned int pages)
{
	unsigned long *deferred = (unsigned long *)&span->inline_bits[1];
	u64 slots = kspan_span_slots_on(span, pages) & ~kspan_span_gone(span), left;

	/* Before the other bits: at no time may a slot seem to be out. */
	for (left = slots; left; left &= left - 1)
		set_bit(__ffs64(left), deferred);
	/*
	 * A CPU without the lock that sees the bit in alloc_bits must see the bit of the deferred
	 * free: at the latest in the atomic of kspan_span_defer(). Pairs with smp_rmb() in
	 * kspan_found_slot() of lookup.c.
	 */
	smp_wmb();
	span->inline_bits[0] |= slots;
	span->nslots -= hweight64(slots);
	return hweight64(slots);
}

/** kspan_span_is_out() - whether a slot is out; its free may be deferred */
bool kspan_span_is_out(const struct kspan_span *span, unsigned int slot)
{
	return slot_is_set(span->alloc_bits, slot) &&
	       !(span->gone_pages && pages_of_slot(span, slot) & span->gone_pages);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_span_is_out);

/** kspan_span_wipe() - zero the pages that a span has */
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
