// SPDX-License-Identifier: GPL-2.0
/*
 * Large spans that a node keeps
 *
 *	5 pages:  span -> span -> ...
 *	6 pages:  span
 *	...
 *
 * To free a large span and to make one of its pages again takes three times as long as to pass it
 * on. So a node keeps large spans of up to KSPAN_KEPT_PAGES pages that were freed, in a list for
 * each length, and a request for the same number of pages gets the one that was freed last. The
 * caches of CPUs are in front of it, see objects/large_cache.c.
 *
 * A kept span is DEAD, so to all lookups it is no object. It still has its pages, its place in the
 * map and its descriptor. The pages are idle memory, bounded with the empty spans of classes by
 * @kept_most; objects/empty.c says how, and who gets them.
 *
 * A span in the middle of free pages keeps them from being used for longer objects. So lengths that
 * are asked for once must not fill the lists: a request that finds no span of its length has
 * KSPAN_KEPT_GIVEN others freed, of all lengths in turn (source.c).
 *
 * Context: the caller holds the lock of the page heap.
 */
#include "pages/descriptor.h"
#include "pages/hooks.h"
#include "pages/kept.h"
#include "pages/map.h"

/* The kernel is told when so many more or fewer pages are kept: 4 MiB. */
#define KSPAN_KEPT_STEP		(SZ_4M >> KSPAN_PAGE_SHIFT)
/* Spans that a request compares with the alignment that it needs. */
#define KSPAN_KEPT_LOOKS	4U

static struct kspan_kept *kept_of(struct kspan_page_heap *ph, unsigned int npages)
{
	return &ph->kept_large[npages - 1];
}

/* Count pages that are kept. They are idle: the kernel is told when many have changed. */
static void count_kept(struct kspan_page_heap *ph, long base_pages)
{
	long kept = atomic_long_add_return(base_pages, &ph->kept);

	lockdep_assert_held(&ph->lock);
	ph->kept_large_pages += base_pages;
	if (likely(abs(kept - ph->kept_told) < KSPAN_KEPT_STEP << KSPAN_PAGE_ORDER))
		return;
	ph->kept_told = kept;
	kspan_page_heap_idle_changed(ph);
}

/**
 * kspan_kept_remove() - take a kept span out of its list
 * @ph:		the caller holds its lock
 * @span:	DEAD, and still in the map
 */
void kspan_kept_remove(struct kspan_page_heap *ph, struct kspan_span *span)
{
	unsigned int npages = kspan_span_npages(span);
	struct kspan_kept *kept = kept_of(ph, npages);

	lockdep_assert_held(&ph->lock);
	list_del(&span->list);
	kept->nr--;
	kept->low = min(kept->low, kept->nr);
	ph->nr_kept_large--;
	if (!kept->nr)
		__clear_bit(npages - 1, ph->kept_lengths);
	count_kept(ph, -(long)span->base_pages);
}

/**
 * kspan_kept_put() - keep a large span that is being freed
 * @ph:		the caller holds its lock
 * @span:	DEAD, of this node, and in the map
 *
 * Return: false, and nothing is done, if the node may not keep it.
 */
bool kspan_kept_put(struct kspan_page_heap *ph, struct kspan_span *span)
{
	unsigned long most = READ_ONCE(ph->kept_most), now = atomic_long_read(&ph->kept);
	unsigned int npages = kspan_span_npages(span);
	struct kspan_kept *kept;

	lockdep_assert_held(&ph->lock);
	if (npages > KSPAN_KEPT_PAGES || kspan_span_is_loose(span) || now > most)
		return false;
	kept = kept_of(ph, npages);
	if ((kept->nr + 2UL) * span->base_pages > most - now)
		return false;
	list_add(&span->list, &kept->spans);
	kept->nr++;
	ph->nr_kept_large++;
	__set_bit(npages - 1, ph->kept_lengths);
	count_kept(ph, span->base_pages);
	/* Nothing but the scavenger frees the span if all rests from now on. */
	kspan_scavenger_wake();
	return true;
}

/* The span that was freed last among those that begin at a multiple of @align pages, or NULL. */
static struct kspan_span *find_aligned(struct kspan_kept *kept, unsigned int align)
{
	unsigned int looks = KSPAN_KEPT_LOOKS;
	struct kspan_span *span;

	list_for_each_entry(span, &kept->spans, list) {
		if (IS_ALIGNED(span->start, (unsigned long)align << KSPAN_PAGE_SHIFT))
			return span;
		if (!--looks)
			break;
	}
	return NULL;
}

/**
 * kspan_kept_take() - make a kept span a large object again
 * @ph:		the caller holds its lock
 * @npages:	length
 * @align:	alignment in pages, a power of two
 *
 * Return: a LARGE span whose owner is not known yet, or NULL.
 */
struct kspan_span *kspan_kept_take(struct kspan_page_heap *ph, unsigned int npages,
				   unsigned int align)
{
	struct kspan_span *span;

	lockdep_assert_held(&ph->lock);
	if (npages > KSPAN_KEPT_PAGES)
		return NULL;
	span = find_aligned(kept_of(ph, npages), align);
	if (!span)
		return NULL;
	kspan_kept_remove(ph, span);
	kspan_descriptor_revive_large(ph, span);
	return span;
}

/**
 * kspan_kept_evict_length() - take the span of a length out that was kept for longest
 * @ph:		the caller holds its lock
 * @npages:	the length, of which there is a kept span
 * @spans:	receives it, DEAD
 */
void kspan_kept_evict_length(struct kspan_page_heap *ph, unsigned int npages,
			     struct list_head *spans)
{
	struct kspan_span *span;

	lockdep_assert_held(&ph->lock);
	span = list_last_entry(&kept_of(ph, npages)->spans, struct kspan_span, list);
	kspan_kept_remove(ph, span);
	list_add(&span->list, spans);
}

/**
 * kspan_kept_evict() - kspan_kept_evict_length() of all lengths in turn
 * @ph:		the caller holds its lock; there is a kept span
 * @spans:	receives it, DEAD
 *
 * Return: pages of 8 KiB that it has.
 */
unsigned int kspan_kept_evict(struct kspan_page_heap *ph, struct list_head *spans)
{
	unsigned int bit = find_next_bit(ph->kept_lengths, KSPAN_KEPT_PAGES, ph->kept_next);

	lockdep_assert_held(&ph->lock);
	if (bit >= KSPAN_KEPT_PAGES)
		bit = find_first_bit(ph->kept_lengths, KSPAN_KEPT_PAGES);
	ph->kept_next = bit + 1;
	kspan_kept_evict_length(ph, bit + 1, spans);
	return bit + 1;
}
