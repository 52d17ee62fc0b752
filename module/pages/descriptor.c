// SPDX-License-Identifier: GPL-2.0
/*
 * Spare descriptors of a node, and the spans that are made with them
 *
 * A span needs a descriptor, struct kspan_span, which comes from SLUB. SLUB can't be called
 * with the lock of a page heap held, nor from an NMI. So each page heap keeps spare
 * descriptors. A caller makes sure that there is one before it takes the lock.
 *
 * Context: task, softirq, hardirq; NMI with KSPAN_GFP_NOLOCK.
 */
#include <linux/list.h>

#include "base/trace.h"
#include "pages/bucket.h"
#include "pages/descriptor.h"
#include "pages/map.h"

/* So many spare descriptors there are before a caller locks: one for it, the rest for NMIs. */
#define KSPAN_SPARES_MIN	8
/* Most spare descriptors of a node, 28 KiB: without them each freed span would call SLUB. */
#define KSPAN_SPARES_MAX	256

/* Take one of the spare descriptors; there is one. */
static struct kspan_span *take_descriptor(struct kspan_page_heap *ph)
{
	struct kspan_span *span = list_first_entry(&ph->spares, struct kspan_span, list);

	list_del(&span->list);
	ph->nr_spares--;
	return span;
}

static void count_large(struct kspan_page_heap *ph, const struct kspan_span *span)
{
	lockdep_assert_held(&ph->lock);
	ph->large++;
	ph->large_allocs++;
	kspan_descriptor_account_large(ph, kspan_span_npages(span));
}

/*
 * Make a span of a run of the kernel's pages, and enter it into the map. There is a spare
 * descriptor. @arena is NULL for a loose span, @class 0 for a large object.
 */
struct kspan_span *kspan_descriptor_make_at(struct kspan_page_heap *ph, struct kspan_arena *arena,
					    unsigned long start, unsigned int base_pages,
					    unsigned int class)
{
	struct kspan_span *span;

	lockdep_assert_held(&ph->lock);
	span = take_descriptor(ph);
	kspan_span_begin(span);
	WRITE_ONCE(span->start, start);
	WRITE_ONCE(span->base_pages, base_pages);
	WRITE_ONCE(span->gone_pages, 0);
	span->class = class;
	span->nid = ph->nid;
	span->arena = arena;
	span->central = NULL;
	if (!class) {
		span->owner = KSPAN_OWNER_UNKNOWN;
		span->sample = NULL;
	}
	kspan_span_set_state(span, class ? KSPAN_SPAN_DETACHED : KSPAN_SPAN_LARGE);
	kspan_map_set(span);
	trace_kspan_span_new(ph->nid, kspan_map_page(start), kspan_span_bytes(span), class);
	if (!class)
		count_large(ph, span);
	return span;
}

/*
 * Make a DEAD span a large object again. It is still in the map, and its pages are not free.
 */
void kspan_descriptor_revive_large(struct kspan_page_heap *ph, struct kspan_span *span)
{
	lockdep_assert_held(&ph->lock);
	kspan_span_begin(span);
	span->owner = KSPAN_OWNER_UNKNOWN;
	span->sample = NULL;
	kspan_span_set_state(span, KSPAN_SPAN_LARGE);
	count_large(ph, span);
}

/* Make a span of pages of an arena that the caller took. There is a spare descriptor. */
struct kspan_span *kspan_descriptor_make(struct kspan_page_heap *ph, struct kspan_arena *arena,
					 unsigned int first, unsigned int npages,
					 unsigned int class)
{
	return kspan_descriptor_make_at(ph, arena,
					arena->start + ((unsigned long)first << KSPAN_PAGE_SHIFT),
					npages << KSPAN_PAGE_ORDER, class);
}

/* Take pages of an arena, and make a span of them. There is a spare descriptor. */
struct kspan_span *kspan_descriptor_take_span(struct kspan_page_heap *ph,
					      struct kspan_arena *arena, unsigned int first,
					      unsigned int npages, unsigned int class)
{
	kspan_page_heap_take_pages(ph, arena, first, npages);
	return kspan_descriptor_make(ph, arena, first, npages, class);
}

/* See to it that there are spare descriptors, before the lock is taken. Returns whether. */
static bool ensure_descriptor(struct kspan_page_heap *ph, gfp_t gfp)
{
	unsigned long flags;

	if (gfp & KSPAN_GFP_NOLOCK)
		return kspan_glance(ph->nr_spares);
	while (unlikely(kspan_glance(ph->nr_spares) < KSPAN_SPARES_MIN)) {
		LIST_HEAD(spans);
		unsigned int n = kspan_span_alloc_descriptors(&spans, kspan_gfp_metadata(gfp));

		if (!n)
			return kspan_glance(ph->nr_spares);
		raw_spin_lock_irqsave(&ph->lock, flags);
		list_splice(&spans, &ph->spares);
		ph->nr_spares += n;
		raw_spin_unlock_irqrestore(&ph->lock, flags);
	}
	return true;
}

bool __kspan_lock_with_descriptor(struct kspan_page_heap *ph, unsigned long *flags, gfp_t gfp)
{
	do {
		if (!ensure_descriptor(ph, gfp) || !kspan_lock(&ph->lock, flags, gfp))
			return false;
		if (ph->nr_spares)
			break;
		/* Other CPUs have used up the spare descriptors meanwhile. */
		raw_spin_unlock_irqrestore(&ph->lock, *flags);
	} while (true);
	/* Only for sparse, which counts the lock where kspan_lock_with_descriptor() stands. */
	__release(&ph->lock);
	return true;
}

/*
 * Where a node has a whole batch of spare descriptors too many, move them to @excess. The caller
 * frees them when it has unlocked the page heap.
 */
void kspan_descriptor_move_excess(struct kspan_page_heap *ph, struct list_head *excess)
{
	unsigned int n;

	lockdep_assert_held(&ph->lock);
	if (ph->nr_spares < KSPAN_SPARES_MAX + KSPAN_SPAN_BATCH)
		return;
	for (n = 0; n < KSPAN_SPAN_BATCH; n++) {
		struct kspan_span *span = take_descriptor(ph);

		list_add(&span->list, excess);
	}
}

/* Free all spare descriptors of a node that are too many. Context: task. */
void kspan_descriptor_trim(struct kspan_page_heap *ph)
{
	LIST_HEAD(excess);
	unsigned long flags;

	do {
		raw_spin_lock_irqsave(&ph->lock, flags);
		kspan_descriptor_move_excess(ph, &excess);
		raw_spin_unlock_irqrestore(&ph->lock, flags);
		kspan_span_free_descriptors(&excess);
		INIT_LIST_HEAD(&excess);
	} while (kspan_glance(ph->nr_spares) >= KSPAN_SPARES_MAX + KSPAN_SPAN_BATCH);
}
