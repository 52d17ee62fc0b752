// SPDX-License-Identifier: GPL-2.0
/*
 * Holes
 *
 * As the last resort when memory is short, free pages of an arena in use are given back to
 * the page allocator, too. They become holes of the arena. When the page allocator gives
 * kspan a block in the place of a hole, the block fills it: runs are as long again as they
 * were before, and an arena without a hole is one block again.
 *
 * Context: task, softirq, hardirq.
 */
#include "pages/arena.h"
#include "pages/bucket.h"
#include "pages/page_heap.h"
#include "pages/run.h"

/* So many arenas of each bucket are compared for the one to make holes in. */
#define KSPAN_SPARSEST_OF	6

/*
 * The block of @arena, a new arena that is in no list, lies in holes of @host: its pages become
 * free pages of @host. The caller frees the struct.
 */
void kspan_hole_fill(struct kspan_page_heap *ph, struct kspan_arena *host,
		     struct kspan_arena *arena)
{
	unsigned int first = kspan_arena_page_of(host, arena->start), n = arena->npages;

	lockdep_assert_held(&ph->lock);
	kspan_run_clear(host->absent, first, n);
	if (!host->used)
		kspan_page_heap_remove_empty(ph, host);
	host->holes -= n;
	ph->holes -= n;
	ph->pages += n;
	kspan_page_heap_note_peak(ph);
	host->used += n;
	ph->used += n;
	kspan_page_heap_free_pages(ph, host, first, n);
}

static unsigned int nr_free(const struct kspan_arena *arena)
{
	return arena->npages - arena->holes - arena->used;
}

/*
 * The arena in use that has the most free pages, among the last KSPAN_SPARSEST_OF of each
 * bucket; or NULL.
 */
static struct kspan_arena *sparsest_arena(struct kspan_page_heap *ph)
{
	struct kspan_arena *arena, *sparsest = NULL;
	unsigned int bucket, most = 0, n;

	lockdep_assert_held(&ph->lock);
	for (bucket = 0; bucket < KSPAN_NR_BUCKETS; bucket++) {
		n = 0;
		list_for_each_entry_reverse(arena, &ph->buckets[bucket], in_bucket) {
			if (n++ == KSPAN_SPARSEST_OF)
				break;
			if (!arena->used || arena->releasing || nr_free(arena) <= most)
				continue;
			sparsest = arena;
			most = nr_free(arena);
		}
	}
	return sparsest;
}

/*
 * Make holes of all free pages of an arena. @pages receives a bit for each; the caller gives
 * these pages back. Returns their number.
 */
static unsigned int take_holes(struct kspan_page_heap *ph, struct kspan_arena *arena,
			       unsigned long *pages)
{
	unsigned int n = nr_free(arena);

	lockdep_assert_held(&ph->lock);
	bitmap_copy(pages, arena->free, KSPAN_ARENA_PAGES);
	bitmap_or(arena->absent, arena->absent, pages, KSPAN_ARENA_PAGES);
	bitmap_andnot(arena->touched, arena->touched, pages, KSPAN_ARENA_PAGES);
	bitmap_andnot(arena->dropped, arena->dropped, pages, KSPAN_ARENA_PAGES);
	bitmap_zero(arena->free, KSPAN_ARENA_PAGES);
	kspan_bucket_set_longest(ph, arena, 0);
	arena->holes += n;
	arena->releasing = true;
	ph->holes += n;
	ph->pages -= n;
	ph->released += n;
	kspan_page_heap_idle_changed(ph);
	return n;
}

/*
 * Give back the free pages of one arena in use, and return their number; 0 if there is no such
 * arena. The page allocator is called without the lock. The mark "releasing" keeps the arena
 * meanwhile, even if its last used page is freed. Context: task.
 */
unsigned int kspan_hole_release(struct kspan_page_heap *ph)
{
	DECLARE_BITMAP(pages, KSPAN_ARENA_PAGES);
	struct kspan_arena *arena;
	unsigned long flags;
	unsigned int n = 0;
	bool empty;

	raw_spin_lock_irqsave(&ph->lock, flags);
	arena = sparsest_arena(ph);
	if (arena)
		n = take_holes(ph, arena, pages);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	if (!arena)
		return 0;
	kspan_arena_free_pages(arena, pages);

	raw_spin_lock_irqsave(&ph->lock, flags);
	arena->releasing = false;
	empty = !arena->used;
	if (empty)
		kspan_page_heap_unlink_arena(ph, arena);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	if (empty)
		kspan_arena_free(arena);
	return n;
}
