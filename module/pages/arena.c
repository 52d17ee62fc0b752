// SPDX-License-Identifier: GPL-2.0
/*
 * Arenas
 *
 * An arena is one block of the buddy allocator. The largest order that is wanted is tried
 * first and cheaply, without reclaim; then order by order down to the smallest that serves
 * the request. Only the smallest one is requested with all that the caller's flags allow.
 * A block that was taken whole is given back whole. There is one exception, the last resort
 * when memory is short: runs of pages are given back before the others, as the largest
 * aligned blocks that they contain.
 *
 * Context: allocation as the gfp flags say, from task, softirq and hardirq.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "base/kunit_export.h"
#include "pages/arena.h"

/* Give a run of @n pages of the kernel back, as the largest aligned blocks that it contains. */
static void free_arena_run(unsigned long start, unsigned long n)
{
	unsigned long pfn = page_to_pfn(virt_to_page((void *)start));

	while (n) {
		unsigned int order = min_t(unsigned int, ilog2(n), KSPAN_ARENA_ORDER);

		if (pfn)
			order = min_t(unsigned int, order, __ffs(pfn));
		__kspan_block_free(pfn_to_page(pfn), order);
		pfn += 1UL << order;
		n -= 1UL << order;
	}
}

/*
 * Take the largest block that the page allocator has, of @max down to @min order. An attempt that
 * has a smaller one to fall back to must not make the page allocator reclaim memory.
 */
static struct page *alloc_largest(int nid, unsigned int max, unsigned int min, gfp_t gfp,
				  unsigned int *order)
{
	struct page *page;

	for (*order = max; *order > min; --*order) {
		if (!kspan_block_is_spare(nid, *order))
			continue;
		page = __kspan_block_alloc(nid, *order, kspan_gfp_effortless(gfp));
		if (page)
			return page;
	}
	return __kspan_block_alloc(nid, min, gfp);
}

/**
 * kspan_arena_alloc() - make an arena of a block of the page allocator
 * @nid:	preferred node; the only one with __GFP_THISNODE in @gfp
 * @npages:	pages of 8 KiB that the block must hold, as one run aligned to the
 *		next power of two; at most KSPAN_ARENA_PAGES
 * @most:	the block is not larger than this, unless @npages is
 * @gfp:	as for kspan_block_alloc(), without KSPAN_GFP_EMERGENCY
 *
 * Context: as @gfp says; no lock held.
 * Return: an arena in no list, whose bitmaps are all 0, or NULL.
 */
struct kspan_arena *kspan_arena_alloc(int nid, unsigned int npages, unsigned int most,
				      gfp_t gfp)
{
	unsigned int min = KSPAN_PAGE_ORDER + order_base_2(npages);
	unsigned int max = KSPAN_PAGE_ORDER + ilog2(most);
	struct kspan_arena *arena;
	struct page *page;

	if (kspan_block_should_fail() || (!(gfp & __GFP_NOFAIL) && kspan_block_at_limit(min)))
		return NULL;
	arena = kzalloc(sizeof(*arena), kspan_gfp_metadata(gfp));
	if (!arena)
		return NULL;
	page = alloc_largest(nid, max(min, max), min, gfp, &arena->order);
	if (!page) {
		kfree(arena);
		return NULL;
	}
	arena->start = (unsigned long)page_address(page);
	arena->nid = page_to_nid(page);
	arena->npages = 1U << (arena->order - KSPAN_PAGE_ORDER);
	return arena;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_alloc);

/**
 * kspan_arena_free_pages() - give some pages of an arena back to the page allocator
 * @arena:	the arena; the caller makes sure that it is not freed meanwhile
 * @pages:	a bit for each page of 8 KiB
 */
void kspan_arena_free_pages(struct kspan_arena *arena, const unsigned long *pages)
{
	unsigned int first, end;

	for_each_set_bitrange(first, end, pages, arena->npages)
		free_arena_run(arena->start + ((unsigned long)first << KSPAN_PAGE_SHIFT),
			       (unsigned long)(end - first) << KSPAN_PAGE_ORDER);
}

/**
 * kspan_arena_free() - give an arena's block back to the page allocator
 * @arena: an arena without a used page, unlinked from its page heap; it is freed, too
 */
void kspan_arena_free(struct kspan_arena *arena)
{
	DECLARE_BITMAP(present, KSPAN_ARENA_PAGES);

	if (arena->holes) {
		bitmap_complement(present, arena->absent, KSPAN_ARENA_PAGES);
		kspan_arena_free_pages(arena, present);
	} else {
		__kspan_block_free(virt_to_page((void *)arena->start), arena->order);
	}
	kfree(arena);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_free);
