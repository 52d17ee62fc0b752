// SPDX-License-Identifier: GPL-2.0
/*
 * Release: arenas are given back to the page allocator
 *
 * The scavenger, reclaim and the unloading of the module ask for it. Empty arenas are given
 * back first; then, where the caller allows it, free pages of arenas in use, which become
 * holes. At unload everything is given back, used or not.
 *
 * Context: task.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kmemleak.h>
#include <linux/nodemask.h>
#include <linux/slab.h>

#include "base/kunit_export.h"
#include "pages/arena.h"
#include "pages/descriptor.h"
#include "pages/map.h"
#include "pages/page_heap.h"

/* Take one empty arena out of the page heap; NULL if there is none. */
static struct kspan_arena *take_empty_arena(struct kspan_page_heap *ph)
{
	struct kspan_arena *arena, *found = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&ph->lock, flags);
	list_for_each_entry(arena, &ph->empty, in_empty) {
		if (arena->releasing)
			continue;
		kspan_page_heap_unlink_arena(ph, arena);
		found = arena;
		break;
	}
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return found;
}

/**
 * kspan_page_heap_release() - give free pages back to the page allocator
 * @nid:	node
 * @want:	number of pages; more are given back where the last arena has more
 * @holes:	when empty arenas are not enough, also give back free pages of arenas in use,
 *		the sparsest arena first. Such a block is in pieces afterwards, for the page
 *		allocator and for kspan, until its holes are filled.
 *
 * Context: task; does not sleep, and takes no lock that is held across an allocation.
 * Return: number of pages that were given back.
 */
unsigned long kspan_page_heap_release(int nid, unsigned long want, bool holes)
{
	struct kspan_page_heap *ph = kspan_page_heaps[nid];
	unsigned long done = 0, pages;
	struct kspan_arena *arena;

	kspan_page_heap_merge_all(ph);
	/* The work item may have to wait for memory before it runs, so do its work here. */
	kspan_page_heap_release_queued();
	while (done < want && (arena = take_empty_arena(ph))) {
		done += arena->npages - arena->holes;
		kspan_arena_free(arena);
	}
	while (holes && done < want && (pages = kspan_hole_release(ph)))
		done += pages;
	return done;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_release);

/**
 * kspan_page_heap_release_all() - give all free pages of all nodes back, the reserve included
 *
 * Context: task.
 */
void kspan_page_heap_release_all(void)
{
	int nid;

	for_each_node(nid) {
		kspan_page_heap_release(nid, ULONG_MAX, true);
		kspan_descriptor_trim(kspan_page_heaps[nid]);
		kspan_page_heap_report(kspan_page_heaps[nid]);
	}
	kspan_page_heap_release_queued();
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_release_all);

/* At unload, objects that were never freed end here; kmemleak forgets them, too. */
static void drop_objects(struct kspan_span *span)
{
	unsigned int i;

	if (span->state == KSPAN_SPAN_LARGE || span->state == KSPAN_SPAN_CHUNK)
		kmemleak_free((void *)span->start);
	if (!kspan_span_is_small(span->state))
		return;
	for (i = 0; IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && i < kspan_span_all_slots(span); i++)
		if (kspan_span_is_out(span, i))
			kmemleak_free((void *)(span->start + (unsigned long)i * span->size));
	kspan_span_unformat(span);
}

/*
 * Mark the pages of a span as free, so that drop_arena() finds the span only once, from the
 * first page that it has.
 */
static void mark_dropped(struct kspan_arena *arena, struct kspan_span *span)
{
	unsigned int start = kspan_arena_page_of(arena, span->start);
	unsigned long pages, i;

	if (!span->gone_pages) {
		bitmap_set(arena->free, start, kspan_span_npages(span));
		return;
	}
	pages = kspan_span_own_pages(span);
	for_each_set_bit(i, &pages, KSPAN_HOLLOW_PAGES)
		__set_bit(start + i, arena->free);
}

/* At unload: give the block of a loose span back, with all objects; other spans stay. */
static void drop_loose(struct kspan_span *span)
{
	if (!kspan_span_is_loose(span))
		return;
	drop_objects(span);
	kspan_loose_release(span);
}

/* At unload: give an arena back, with all spans in it. */
static void drop_arena(struct kspan_arena *arena)
{
	unsigned int page = 0;

	/* Pages that are neither free nor holes belong to spans. */
	bitmap_or(arena->free, arena->free, arena->absent, KSPAN_ARENA_PAGES);
	while ((page = find_next_zero_bit(arena->free, arena->npages, page)) < arena->npages) {
		struct kspan_span *span;

		span = *kspan_map_entry(arena->start + ((unsigned long)page << KSPAN_PAGE_SHIFT));
		mark_dropped(arena, span);
		drop_objects(span);
		kspan_span_free_descriptor(span);
	}
	kspan_arena_free(arena);
}

/**
 * kspan_page_heap_exit() - give all arenas back, used or not, and free the page heaps
 *
 * The caller makes sure that nothing uses kspan any more. Some nodes may have no page heap, if
 * kspan_page_heap_init() failed.
 *
 * Context: task; sleeps.
 */
void kspan_page_heap_exit(void)
{
	struct kspan_arena *arena, *next;
	int nid;

	for_each_node(nid)
		if (kspan_page_heaps[nid])
			kspan_page_heap_merge_all(kspan_page_heaps[nid]);
	kspan_page_heap_stop_releasing();
	kspan_map_visit_spans(drop_loose);
	for_each_node(nid) {
		struct kspan_page_heap *ph = kspan_page_heaps[nid];

		if (!ph)
			continue;
		if (ph->large)
			pr_warn("%lu large objects, %lu KiB, were never freed\n", ph->large,
				ph->large_pages << (KSPAN_PAGE_SHIFT - 10));
		rbtree_postorder_for_each_entry_safe(arena, next, &ph->arenas, node)
			drop_arena(arena);
		if (ph->reported)
			kspan_page_heap_report_idle(ph, 0);
		kspan_span_free_descriptors(&ph->spares);
	}
	kspan_page_heap_free_all();
}
