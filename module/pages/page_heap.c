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
 *	span_free.c	frees spans
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
#include "base/trace.h"
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

/* Report to the kernel that there are @idle free pages; the page heap is locked, but at unload. */
void kspan_page_heap_report_idle(struct kspan_page_heap *ph, unsigned long idle)
{
	long pages = (long)(idle - ph->reported) << KSPAN_PAGE_ORDER;

	mod_node_page_state(NODE_DATA(ph->nid), NR_KERNEL_MISC_RECLAIMABLE, pages);
	if (unlikely(idle > ph->reported && kspan_is_short(ph->nid, idle)))
		kspan_scavenger_hurry();
	ph->reported = idle;
}

/* Free pages, and those of spans without an object that classes keep. */
static unsigned long idle_pages(struct kspan_page_heap *ph)
{
	lockdep_assert_held(&ph->lock);
	return ph->pages - ph->used + (atomic_long_read(&ph->kept) >> KSPAN_PAGE_ORDER);
}

/**
 * kspan_page_heap_report() - report to the kernel exactly how many free pages a node has
 * @ph: page heap, not locked
 *
 * Context: task, softirq, hardirq.
 */
void kspan_page_heap_report(struct kspan_page_heap *ph)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&ph->lock, flags);
	if (idle_pages(ph) != ph->reported)
		kspan_page_heap_report_idle(ph, idle_pages(ph));
	raw_spin_unlock_irqrestore(&ph->lock, flags);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_report);

/* The caller has changed the number of the node's free pages. */
void kspan_page_heap_idle_changed(struct kspan_page_heap *ph)
{
	unsigned long idle = idle_pages(ph);

	lockdep_assert_held(&ph->lock);
	/* An NMI can't change the kernel's counters: the next change outside of one reports. */
	if (unlikely(abs((long)(idle - ph->reported)) >= KSPAN_REPORT_STEP) && !in_nmi())
		kspan_page_heap_report_idle(ph, idle);
	if (unlikely(idle > ph->wake_above))
		kspan_scavenger_wake();
}

/* Put an arena that has no used page any more into the list of empty ones. */
static void add_empty(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	list_add(&arena->in_empty, &ph->empty);
	ph->nr_empty++;
	ph->empty_pages += arena->npages - arena->holes;
}

/* Take an arena out of the list of empty ones, before its pages or holes change. */
void kspan_page_heap_remove_empty(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	lockdep_assert_held(&ph->lock);
	list_del(&arena->in_empty);
	ph->nr_empty--;
	ph->empty_pages -= arena->npages - arena->holes;
}

/* Free pages of an arena become used. */
void kspan_page_heap_take_pages(struct kspan_page_heap *ph, struct kspan_arena *arena,
				unsigned int first, unsigned int n)
{
	lockdep_assert_held(&ph->lock);
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
	/* No other run is longer than the one that the pages were a part of. */
	kspan_bucket_set_longest(ph, arena, kspan_run_longest(arena->free, arena->npages,
							      arena->longest));
}

/* Used pages of an arena become free. */
void kspan_page_heap_free_pages(struct kspan_page_heap *ph, struct kspan_arena *arena,
				unsigned int first, unsigned int n)
{
	lockdep_assert_held(&ph->lock);
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

/* The node may have more memory than ever before. */
void kspan_page_heap_note_peak(struct kspan_page_heap *ph)
{
	lockdep_assert_held(&ph->lock);
	ph->peak = max(ph->peak, (ph->pages << KSPAN_PAGE_ORDER) + ph->loose_pages);
}

/* Add a new arena, all of whose pages are free. */
void kspan_page_heap_link_arena(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	lockdep_assert_held(&ph->lock);
	rb_add(&arena->node, &ph->arenas, arena_less);
	bitmap_set(arena->free, 0, arena->npages);
	arena->longest = arena->npages;
	arena->first_word = 0;
	kspan_bucket_insert(ph, arena);
	add_empty(ph, arena);
	trace_kspan_arena_new(arena->nid, kspan_map_page(arena->start), arena->order,
			      PAGE_SIZE << arena->order);
	ph->nr_arenas++;
	ph->pages += arena->npages;
	kspan_page_heap_note_peak(ph);
}

/* Take an empty arena out of the page heap, so that the caller can give its block back. */
void kspan_page_heap_unlink_arena(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	unsigned int present = arena->npages - arena->holes;

	lockdep_assert_held(&ph->lock);
	trace_kspan_arena_free(arena->nid, kspan_map_page(arena->start), arena->order,
			       (unsigned long)present << KSPAN_PAGE_SHIFT);
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
 * The arena whose block contains an address, which may be in a hole of it. Another arena may
 * lie in such a hole. Blocks are aligned to their size, so the larger arena starts in the same
 * window of KSPAN_ARENA_SIZE: the search goes back to there.
 */
struct kspan_arena *kspan_page_heap_arena_at(struct kspan_page_heap *ph, unsigned long addr)
{
	unsigned long window = ALIGN_DOWN(addr, KSPAN_ARENA_SIZE);
	struct kspan_arena *arena = arena_below(ph, addr);

	lockdep_assert_held(&ph->lock);
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
 * kspan_page_heap_free_runs() - count the runs of free pages of a node
 * @ph: page heap, not locked
 *
 * The lock is held for one arena at a time, so the sum is no snapshot.
 *
 * Return: number of runs.
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
			/* Another arena may lie in the holes of this one, so above its start. */
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

static void look_at_page(const struct kspan_arena *arena, unsigned long addr,
			 struct kspan_page_look *look)
{
	unsigned int page = kspan_arena_page_of(arena, addr), first, end;
	const struct kspan_span *span = kspan_map_span(addr);

	look->state = page_state(arena, page);
	look->nid = arena->nid;
	look->page = kspan_map_page(addr);
	look->kept = span && READ_ONCE(span->state) == KSPAN_SPAN_DEAD;
	look->is_free = test_bit(page, arena->free);
	if (!look->is_free)
		return;
	for (first = page; first && test_bit(first - 1, arena->free); first--)
		;
	end = find_next_zero_bit(arena->free, arena->npages, page);
	look->run = end - first;
}

/**
 * kspan_page_heap_look() - what kspan knows of the page of an address that is in no object
 * @addr:	any address
 * @gfp:	with KSPAN_GFP_NOLOCK each node's lock is tried once
 * @look:	set if the page is in an arena
 *
 * Context: any; NMI with KSPAN_GFP_NOLOCK.
 * Return: whether the page is in an arena, and was not given back to the page allocator. False if
 * the node's lock was not to be had.
 */
bool kspan_page_heap_look(unsigned long addr, gfp_t gfp, struct kspan_page_look *look)
{
	struct kspan_page_heap *ph;
	struct kspan_arena *arena;
	unsigned long flags;
	int nid;

	*look = (struct kspan_page_look) { .state = KSPAN_PAGE_FOREIGN };
	if (kspan_map_page(addr) >= kspan_map.nr_pages)
		return false;
	for_each_node(nid) {
		ph = kspan_page_heaps[nid];
		if (!kspan_lock(&ph->lock, &flags, gfp))
			continue;
		arena = kspan_page_heap_arena_at(ph, addr);
		if (arena)
			look_at_page(arena, addr, look);
		raw_spin_unlock_irqrestore(&ph->lock, flags);
		if (look->state != KSPAN_PAGE_FOREIGN)
			return true;
	}
	return false;
}

static enum kspan_page_state state_on_node(int nid, unsigned long addr)
{
	enum kspan_page_state state = KSPAN_PAGE_FOREIGN;
	struct kspan_page_heap *ph = kspan_page_heaps[nid];
	struct kspan_arena *arena;
	unsigned long flags;

	/* The answer is only for a report: an NMI that finds the lock taken does without it. */
	if (!kspan_lock(&ph->lock, &flags, in_nmi() ? KSPAN_GFP_NOLOCK : 0))
		return state;
	arena = kspan_page_heap_arena_at(ph, addr);
	if (arena)
		state = page_state(arena, kspan_arena_page_of(arena, addr));
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return state;
}

/**
 * kspan_page_heap_state() - what kspan knows of the page of an address
 * @addr: any address
 *
 * Context: any, NMI included.
 * Return: whether the page is in an arena, was part of a span since the arena was taken from
 * the page allocator, and belonged last to a heap that was destroyed. An NMI gets
 * KSPAN_PAGE_FOREIGN where it can't have a node's lock at once.
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
	unsigned int bucket, npages;
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
		for (npages = 0; npages < KSPAN_KEPT_PAGES; npages++)
			INIT_LIST_HEAD(&ph->kept_large[npages].spans);
		ph->nid = nid;
		ph->skip_next = 1;
		ph->loose_most = KSPAN_ARENA_ORDER;
		kspan_page_heaps[nid] = ph;
	}
	return 0;
}
