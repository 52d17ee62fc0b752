// SPDX-License-Identifier: GPL-2.0
/*
 * Page heap
 *
 * Each NUMA node has a page heap: all arenas of the node, with the pages that are free in
 * them. The unit is the page of 8 KiB. The other files of pages/ are the ways in and out:
 *
 *	bucket.c	finds a free run
 *	descriptor.c	makes a span of a run
 *	source.c	serves a request from one of several sources
 *	loose.c		spans that are a block of the page allocator each, in no arena
 *	free.c		frees spans
 *	reshape.c	changes the length of a span in use
 *	hole.c		gives the free pages of an arena in use back, and fills such holes
 *	release.c	gives arenas back
 *
 * Free pages are reported to the kernel as memory that it can have, in steps of
 * KSPAN_REPORT_STEP.
 *
 * Context: task, softirq, hardirq; nothing here waits, except for the node's lock.
 */
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/slab.h>

#include "base/kunit_export.h"
#include "pages/hooks.h"
#include "pages/page_heap.h"
#include "pages/run.h"
#include "pages/spare.h"

unsigned int kspan_arena_reserve = 1;
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_reserve);
unsigned int kspan_arena_growth = 1;
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_growth);

struct kspan_page_heap *kspan_page_heaps[MAX_NUMNODES];

/**
 * kspan_page_heap() - page heap of a node
 * @nid: NUMA node
 * Return: the page heap.
 */
struct kspan_page_heap *kspan_page_heap(int nid)
{
	return kspan_page_heaps[nid];
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap);

static bool arena_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct kspan_arena, node)->start <
	       rb_entry(b, struct kspan_arena, node)->start;
}

void kspan_page_heap_report_idle(struct kspan_page_heap *ph, unsigned long idle)
{
	long pages = (long)(idle - ph->reported) << KSPAN_PAGE_ORDER;

	mod_node_page_state(NODE_DATA(ph->nid), NR_KERNEL_MISC_RECLAIMABLE, pages);
	if (unlikely(idle > ph->reported && kspan_is_short(ph->nid, idle)))
		kspan_scavenger_hurry();
	ph->reported = idle;
}

/** kspan_page_heap_report() - tell the kernel exactly how many free pages there are */
void kspan_page_heap_report(struct kspan_page_heap *ph)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&ph->lock, flags);
	if (ph->pages - ph->used != ph->reported)
		kspan_page_heap_report_idle(ph, ph->pages - ph->used);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_report);

/* The node has more free pages than before, or less. */
void kspan_page_heap_idle_changed(struct kspan_page_heap *ph)
{
	unsigned long idle = ph->pages - ph->used;

	/* The kernel's counters are not for NMIs: somebody else will tell. */
	if (unlikely(abs((long)(idle - ph->reported)) >= KSPAN_REPORT_STEP) && !in_nmi())
		kspan_page_heap_report_idle(ph, idle);
	if (unlikely(idle > ph->wake_above))
		kspan_scavenger_wake();
}

static void add_empty(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	list_add(&arena->in_empty, &ph->empty);
	ph->nr_empty++;
	ph->empty_pages += arena->npages - arena->holes;
}

void kspan_page_heap_remove_empty(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	list_del(&arena->in_empty);
	ph->nr_empty--;
	ph->empty_pages -= arena->npages - arena->holes;
}

void kspan_page_heap_take_pages(struct kspan_page_heap *ph, struct kspan_arena *arena,
				unsigned int first, unsigned int n)
{
	kspan_run_clear(arena->free, first, n);
	kspan_run_set(arena->touched, first, n);
	if (unlikely(arena->any_dropped))
		kspan_run_clear(arena->dropped, first, n);
	if (!arena->used)
		kspan_page_heap_remove_empty(ph, arena);
	arena->used += n;
	ph->used += n;
	ph->most_used = max(ph->most_used, ph->used);
	kspan_page_heap_idle_changed(ph);
}

void kspan_page_heap_free_pages(struct kspan_page_heap *ph, struct kspan_arena *arena,
				unsigned int first, unsigned int n)
{
	kspan_run_set(arena->free, first, n);
	arena->first_word = min_t(unsigned int, arena->first_word, first / BITS_PER_LONG);
	arena->misfits = 0;
	arena->used -= n;
	ph->used -= n;
	if (!arena->used)
		add_empty(ph, arena);
	kspan_page_heap_idle_changed(ph);
	if (arena->longest < arena->npages) {
		unsigned int run = kspan_run_around(arena->free, arena->npages, first, n);

		if (run > arena->longest)
			kspan_bucket_set_longest(ph, arena, run);
	}
}

void kspan_page_heap_note_peak(struct kspan_page_heap *ph)
{
	ph->peak = max(ph->peak, (ph->pages << KSPAN_PAGE_ORDER) + ph->loose_pages);
}

void kspan_page_heap_link_arena(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	rb_add(&arena->node, &ph->arenas, arena_less);
	bitmap_set(arena->free, 0, arena->npages);
	arena->longest = arena->npages;
	arena->first_word = 0;
	kspan_bucket_insert(ph, arena);
	add_empty(ph, arena);
	ph->nr_arenas++;
	ph->pages += arena->npages;
	kspan_page_heap_note_peak(ph);
}

void kspan_page_heap_unlink_arena(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	unsigned int present = arena->npages - arena->holes;

	kspan_bucket_remove(ph, arena);
	rb_erase(&arena->node, &ph->arenas);
	kspan_page_heap_remove_empty(ph, arena);
	ph->nr_arenas--;
	ph->holes -= arena->holes;
	ph->pages -= present;
	ph->released += present;
	kspan_page_heap_idle_changed(ph);
}

/* The last arena that starts at an address or below. */
static struct kspan_arena *arena_below(struct kspan_page_heap *ph, unsigned long addr)
{
	struct rb_node *node = ph->arenas.rb_node;
	struct kspan_arena *best = NULL;

	while (node) {
		struct kspan_arena *arena = rb_entry(node, struct kspan_arena, node);

		if (arena->start <= addr) {
			best = arena;
			node = node->rb_right;
		} else {
			node = node->rb_left;
		}
	}
	return best;
}

/*
 * The arena whose block an address lies in, be it in a hole. Blocks are aligned to
 * their size, so what another one lies in the holes of starts in the same window.
 */
struct kspan_arena *kspan_page_heap_arena_at(struct kspan_page_heap *ph, unsigned long addr)
{
	unsigned long window = ALIGN_DOWN(addr, KSPAN_ARENA_SIZE);
	struct kspan_arena *arena = arena_below(ph, addr);

	while (arena && arena->start >= window && addr - arena->start >= PAGE_SIZE << arena->order)
		arena = rb_entry_safe(rb_prev(&arena->node), struct kspan_arena, node);
	return arena && arena->start >= window ? arena : NULL;
}

/**
 * kspan_page_heap_next_arena() - walk the arenas of a node by address
 * @ph:		page heap, locked
 * @start:	address
 *
 * Return: the first arena at or above @start, or NULL.
 */
struct kspan_arena *kspan_page_heap_next_arena(struct kspan_page_heap *ph, unsigned long start)
{
	struct rb_node *node = ph->arenas.rb_node;
	struct kspan_arena *best = NULL;

	lockdep_assert_held(&ph->lock);
	while (node) {
		struct kspan_arena *arena = rb_entry(node, struct kspan_arena, node);

		if (arena->start >= start) {
			best = arena;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return best;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_next_arena);

/**
 * kspan_page_heap_free_runs() - count the runs of free pages
 * @ph: page heap, not locked
 *
 * The lock is held for an arena at a time.
 *
 * Return: how many there are.
 */
unsigned long kspan_page_heap_free_runs(struct kspan_page_heap *ph)
{
	unsigned long runs = 0, start = 0, flags;
	struct kspan_arena *arena;

	do {
		raw_spin_lock_irqsave(&ph->lock, flags);
		arena = kspan_page_heap_next_arena(ph, start);
		if (arena) {
			runs += kspan_run_count(arena->free, arena->npages);
			/* Another one may lie in its holes. */
			start = arena->start + 1;
		}
		raw_spin_unlock_irqrestore(&ph->lock, flags);
	} while (arena);
	return runs;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_free_runs);

static enum kspan_page_state page_state(const struct kspan_arena *arena, unsigned int page)
{
	if (test_bit(page, arena->absent))
		return KSPAN_PAGE_FOREIGN;
	if (test_bit(page, arena->dropped))
		return KSPAN_PAGE_DROPPED;
	return test_bit(page, arena->touched) ? KSPAN_PAGE_WAS_USED : KSPAN_PAGE_NEVER_USED;
}

static enum kspan_page_state state_on_node(int nid, unsigned long addr)
{
	enum kspan_page_state state = KSPAN_PAGE_FOREIGN;
	struct kspan_page_heap *ph = kspan_page_heaps[nid];
	struct kspan_arena *arena;
	unsigned long flags;

	/* For a report only: an NMI that finds the lock taken does without. */
	if (!kspan_lock(&ph->lock, &flags, in_nmi() ? KSPAN_GFP_NOLOCK : 0))
		return state;
	arena = kspan_page_heap_arena_at(ph, addr);
	if (arena)
		state = page_state(arena, kspan_arena_page_of(arena, addr));
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return state;
}

/**
 * kspan_page_heap_state() - what a page is to kspan
 * @addr: any address
 *
 * Context: any, NMI included.
 * Return: whether it is in an arena, was ever part of a span since that was taken
 * from buddy, and was last of a heap that was destroyed.
 */
enum kspan_page_state kspan_page_heap_state(unsigned long addr)
{
	enum kspan_page_state state = KSPAN_PAGE_FOREIGN;
	int nid;

	for_each_node(nid)
		state = max(state, state_on_node(nid, addr));
	return state;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_state);

/** kspan_page_heap_free_all() - free the page heaps, which have neither arenas nor spares */
void kspan_page_heap_free_all(void)
{
	int nid;

	for_each_node(nid) {
		kfree(kspan_page_heaps[nid]);
		kspan_page_heaps[nid] = NULL;
	}
}

/**
 * kspan_page_heap_init() - make a page heap for every possible node
 * Return: 0 or -ENOMEM.
 */
int kspan_page_heap_init(void)
{
	unsigned int bucket;
	int nid;

	for_each_node(nid) {
		/* A possible node that is not online has no memory of its own. */
		int home = node_online(nid) ? nid : NUMA_NO_NODE;
		struct kspan_page_heap *ph = kzalloc_node(sizeof(*ph), GFP_KERNEL, home);

		if (!ph) {
			kspan_page_heap_free_all();
			return -ENOMEM;
		}
		raw_spin_lock_init(&ph->lock);
		ph->arenas = RB_ROOT;
		init_llist_head(&ph->deferred);
		INIT_LIST_HEAD(&ph->spares);
		INIT_LIST_HEAD(&ph->empty);
		for (bucket = 0; bucket < KSPAN_NR_BUCKETS; bucket++)
			INIT_LIST_HEAD(&ph->buckets[bucket]);
		ph->nid = nid;
		ph->skip_next = 1;
		ph->loose_most = KSPAN_ARENA_ORDER;
		kspan_page_heaps[nid] = ph;
	}
	return 0;
}
