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
#include "pages/map.h"
#include "pages/reshape.h"

/**
 * kspan_page_heap_hollow() - take free pages out of a span in use
 * @span:	a SMALL span; the lock of its central is held, so it stays
 * @pages:	a bit for each page; no slot touches one that could be out
 *
 * From here on they are free pages like others.
 */
void kspan_page_heap_hollow(struct kspan_span *span, unsigned int pages)
{
	struct kspan_page_heap *ph = kspan_page_heaps[span->nid];
	unsigned int start = kspan_arena_page_of(span->arena, span->start);
	unsigned long map = pages, first, end;

	raw_spin_lock(&ph->lock);
	/* Before the entries: who finds none looks for the span below. */
	smp_store_mb(span->gone_pages, span->gone_pages | pages);
	kspan_map_clear_pages(span, pages);
	for_each_set_bitrange(first, end, &map, KSPAN_HOLLOW_PAGES)
		kspan_page_heap_free_pages(ph, span->arena, start + first, end - first);
	raw_spin_unlock(&ph->lock);
}

static bool resize_span(struct kspan_page_heap *ph, struct kspan_span *span, unsigned int npages)
{
	unsigned int old = kspan_span_npages(span), first, old_end, new_end;
	struct kspan_arena *arena = span->arena;

	/* Half a page is less than one. */
	if (kspan_span_is_loose(span))
		return npages << KSPAN_PAGE_ORDER == span->base_pages;
	first = kspan_arena_page_of(arena, span->start);
	old_end = first + old;
	new_end = first + npages;
	if (new_end > old_end) {
		if (new_end > arena->npages ||
		    find_next_zero_bit(arena->free, new_end, old_end) < new_end)
			return false;
		kspan_page_heap_take_pages(ph, arena, old_end, new_end - old_end);
	} else if (new_end < old_end) {
		kspan_page_heap_free_pages(ph, arena, new_end, old_end - new_end);
	}
	kspan_descriptor_account_large(ph, (int)new_end - (int)old_end);
	WRITE_ONCE(span->base_pages, npages << KSPAN_PAGE_ORDER);
	return true;
}

/**
 * kspan_page_heap_resize() - make a large span shorter or longer where it is
 * @start:	its address; the span is the caller's, and nobody else can free it
 * @npages:	wanted length, 1...KSPAN_ARENA_PAGES
 * @gfp:	the caller's flags
 *
 * It grows only into free pages right behind it.
 *
 * Return: whether it has the length now.
 */
bool kspan_page_heap_resize(unsigned long start, unsigned int npages, gfp_t gfp)
{
	struct kspan_page_heap *ph = kspan_page_heaps[page_to_nid(virt_to_page((void *)start))];
	struct kspan_span *span;
	unsigned long flags;
	bool done = false;

	if (!kspan_lock(&ph->lock, &flags, gfp))
		return false;
	span = kspan_map_span(start);
	if (span && span->start == start && kspan_span_is_large(span->state))
		done = resize_span(ph, span, npages);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return done;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_resize);
