// SPDX-License-Identifier: GPL-2.0
/*
 * Spans in use that lose pages, or get more
 *
 * A small span becomes hollow when pages that no object is on are taken out of it. A large
 * span becomes shorter, or grows into free pages right behind it.
 *
 * Context: task, softirq, hardirq; kspan_page_heap_resize() also NMI, with KSPAN_GFP_NOLOCK.
 */
#include "base/kunit_export.h"
#include "pages/descriptor.h"
#include "pages/kept.h"
#include "pages/map.h"
#include "pages/page_heap.h"

/**
 * kspan_page_heap_hollow() - take pages out of a small span in use, and free them
 * @span:	a SMALL span; the caller holds the lock of its central, so the span stays
 * @pages:	a bit for each page; no slot that may be out touches one of them
 */
void kspan_page_heap_hollow(struct kspan_span *span, unsigned int pages)
{
	struct kspan_page_heap *ph = kspan_page_heaps[span->nid];
	unsigned int start = kspan_arena_page_of(span->arena, span->start);
	unsigned long map = pages, first, end;

	raw_spin_lock(&ph->lock);
	/*
	 * The bits of gone_pages change before the map's entries. A lookup that finds no entry
	 * looks for the span below the page, in span_below() of map.c, and must then see that
	 * the page is gone.
	 */
	smp_store_mb(span->gone_pages, span->gone_pages | pages);
	kspan_map_clear_pages(span, pages);
	for_each_set_bitrange(first, end, &map, KSPAN_HOLLOW_PAGES)
		kspan_page_heap_free_pages(ph, span->arena, start + first, end - first);
	raw_spin_unlock(&ph->lock);
}

/*
 * See kspan_page_heap_resize(); the page heap is locked. If a page behind the span is not free,
 * @behind is set to its address.
 */
static bool resize_span(struct kspan_page_heap *ph, struct kspan_span *span, unsigned int npages,
			unsigned long *behind)
{
	unsigned int old = kspan_span_npages(span), first, old_end, new_end, busy;
	struct kspan_arena *arena = span->arena;

	lockdep_assert_held(&ph->lock);
	/* A loose span may be half a page, so the kernel's pages are compared. */
	if (kspan_span_is_loose(span))
		return npages << KSPAN_PAGE_ORDER == span->base_pages;
	first = kspan_arena_page_of(arena, span->start);
	old_end = first + old;
	new_end = first + npages;
	if (new_end > old_end) {
		if (new_end > arena->npages)
			return false;
		busy = find_next_zero_bit(arena->free, new_end, old_end);
		if (busy < new_end) {
			*behind = arena->start + ((unsigned long)busy << KSPAN_PAGE_SHIFT);
			return false;
		}
		kspan_page_heap_take_pages(ph, arena, old_end, new_end - old_end);
	} else if (new_end < old_end) {
		kspan_page_heap_free_pages(ph, arena, new_end, old_end - new_end);
	}
	kspan_descriptor_account_large(ph, (int)new_end - (int)old_end);
	WRITE_ONCE(span->base_pages, npages << KSPAN_PAGE_ORDER);
	return true;
}

static bool try_to_resize(struct kspan_page_heap *ph, unsigned long start, unsigned int npages,
			  gfp_t gfp, unsigned long *behind)
{
	struct kspan_span *span;
	unsigned long flags;
	bool done = false;

	if (!kspan_lock(&ph->lock, &flags, gfp))
		return false;
	span = kspan_map_span(start);
	if (span && span->start == start && kspan_span_is_large(span->state))
		done = resize_span(ph, span, npages, behind);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return done;
}

/**
 * kspan_page_heap_resize() - make a large span shorter or longer in place
 * @start:	its address; the caller owns the span, and nothing else can free it
 * @npages:	wanted length, 1...KSPAN_ARENA_PAGES
 * @gfp:	the caller's flags; with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * A span grows only into free pages right behind it, and into those of spans that the node keeps.
 *
 * Return: whether the span has the wanted length now.
 */
bool kspan_page_heap_resize(unsigned long start, unsigned int npages, gfp_t gfp)
{
	struct kspan_page_heap *ph = kspan_page_heaps[page_to_nid(virt_to_page((void *)start))];
	unsigned long behind;
	bool done;

	do {
		behind = 0;
		done = try_to_resize(ph, start, npages, gfp, &behind);
	} while (!done && behind && !(gfp & KSPAN_GFP_NOLOCK) && kspan_kept_free_at(ph, behind));
	return done;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_resize);
