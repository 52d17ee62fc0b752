// SPDX-License-Identifier: GPL-2.0
/*
 * Page heap
 *
 *	arena:		|####......##..........########|
 *	runs[6]:	     \____/			free, trees by address
 *	runs[10]:	             \________/
 *
 * The unit is kspan's page. A node's free runs are kept in a tree for each
 * length, with a bitmap of the trees that are not empty: the next bit gives
 * the best fit, and the first of its tree is the lowest of its length. Both
 * ends of a run point to its descriptor in the map, so a freed run finds its
 * neighbours by two loads and coalesces. Runs do not cross arenas.
 *
 * Cost, with r free runs of the same length: finding a fit is O(1), a scan of
 * at most 9 words of bitmap; linking and unlinking a run O(log r). An aligned
 * request looks at the first run of up to KSPAN_ALIGN_PROBES lengths, then
 * takes one that is so long that alignment can't fail.
 *
 * An arena whose last page was freed goes back to buddy, except that a node
 * keeps kspan_arena_reserve of the largest ones against thrashing. Where the
 * page allocator can't be called, a work item does it later.
 *
 * Context: task, softirq, hardirq; never waits but for the node's lock and as
 * gfp flags say. In NMI: allocation with KSPAN_GFP_NOLOCK, and deferred frees,
 * which the next allocation on the node completes.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/irq_work.h>
#include <linux/kmemleak.h>
#include <linux/nodemask.h>
#include <linux/topology.h>
#include <linux/workqueue.h>

#include "kunit_export.h"
#include "page_heap.h"

#define KSPAN_ALIGN_PROBES	4
/* Most descriptors that one allocation can need: a cut on both sides. */
#define KSPAN_SPARES_MIN	2
/* Most that are kept, 20 KiB a node: else every split would go to SLUB. */
#define KSPAN_SPARES_MAX	256

unsigned int kspan_arena_reserve = 1;
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_reserve);

static struct kspan_page_heap *page_heaps[MAX_NUMNODES];

/**
 * kspan_page_heap() - page heap of a node
 * @nid: NUMA node
 * Return: the page heap.
 */
struct kspan_page_heap *kspan_page_heap(int nid)
{
	return page_heaps[nid];
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap);

static bool run_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct kspan_span, node)->start <
	       rb_entry(b, struct kspan_span, node)->start;
}

/* The lowest of the shortest runs of at least @npages pages. */
static struct kspan_span *best_fit(struct kspan_page_heap *ph, unsigned int npages)
{
	unsigned int length = find_next_bit(ph->lengths, KSPAN_ARENA_PAGES + 1, npages);

	if (length > KSPAN_ARENA_PAGES)
		return NULL;
	return rb_entry(rb_first_cached(&ph->runs[length]), struct kspan_span, node);
}

static unsigned long run_end(const struct kspan_span *run)
{
	return run->start + kspan_span_bytes(run);
}

static unsigned long aligned_start(const struct kspan_span *run, unsigned int align)
{
	return ALIGN(run->start, (unsigned long)align << KSPAN_PAGE_SHIFT);
}

static bool fits_aligned(const struct kspan_span *run, unsigned int npages, unsigned int align)
{
	return aligned_start(run, align) + ((unsigned long)npages << KSPAN_PAGE_SHIFT) <=
	       run_end(run);
}

static struct kspan_span *find_run(struct kspan_page_heap *ph, unsigned int npages,
				   unsigned int align)
{
	struct kspan_span *run = best_fit(ph, npages);
	unsigned int probes = KSPAN_ALIGN_PROBES;

	while (run && !fits_aligned(run, npages, align))
		run = best_fit(ph, --probes ? run->npages + 1 :
					      max(run->npages + 1, npages + align - 1));
	return run;
}

/* A run lies in one arena, so its entries in one leaf. */
static void set_ends(struct kspan_span *run, struct kspan_span *to)
{
	struct kspan_span **entry = kspan_map_entry(run->start);

	WRITE_ONCE(entry[0], to);
	WRITE_ONCE(entry[run->npages - 1], to);
}

static void insert_run(struct kspan_page_heap *ph, struct kspan_span *run)
{
	rb_add_cached(&run->node, &ph->runs[run->npages], run_less);
	__set_bit(run->npages, ph->lengths);
	set_ends(run, run);
	ph->nr_runs++;
}

static void remove_run(struct kspan_page_heap *ph, struct kspan_span *run)
{
	struct rb_root_cached *tree = &ph->runs[run->npages];

	rb_erase_cached(&run->node, tree);
	if (RB_EMPTY_ROOT(&tree->rb_root))
		__clear_bit(run->npages, ph->lengths);
	set_ends(run, NULL);
	ph->nr_runs--;
}

static void keep_spare(struct kspan_page_heap *ph, struct kspan_span *span)
{
	list_add(&span->list, &ph->spares);
	ph->nr_spares++;
}

static struct kspan_span *take_spare(struct kspan_page_heap *ph)
{
	struct kspan_span *span = list_first_entry(&ph->spares, struct kspan_span, list);

	list_del(&span->list);
	ph->nr_spares--;
	return span;
}

static void describe_run(struct kspan_span *run, struct kspan_arena *arena,
			 unsigned long start, unsigned long end)
{
	WRITE_ONCE(run->start, start);
	WRITE_ONCE(run->npages, (end - start) >> KSPAN_PAGE_SHIFT);
	run->class = 0;
	run->nid = arena->nid;
	run->arena = arena;
	run->central = NULL;
}

static void insert_rest(struct kspan_page_heap *ph, struct kspan_arena *arena,
			unsigned long start, unsigned long end)
{
	struct kspan_span *rest;

	if (start == end)
		return;
	rest = take_spare(ph);
	describe_run(rest, arena, start, end);
	kspan_span_set_state(rest, KSPAN_SPAN_FREE);
	insert_run(ph, rest);
}

/*
 * Small spans are found from all of their pages. Pages of tiny objects have no
 * class: such an object is no slot.
 */
static void map_small(struct kspan_span *span, struct kspan_span *to, u8 class)
{
	struct kspan_span **entry = kspan_map_entry(span->start);
	unsigned long page = kspan_map_page(span->start);
	unsigned int i;

	for (i = 0; i < span->npages; i++) {
		WRITE_ONCE(entry[i], to);
		WRITE_ONCE(kspan_map.page_class[page + i],
			   class == KSPAN_CLASS_TINY ? 0 : class);
	}
}

static void account_large(struct kspan_page_heap *ph, int pages)
{
	ph->large_pages += pages;
	if (pages > 0)
		ph->large_alloc_pages += pages;
}

static void account_alloc(struct kspan_page_heap *ph, struct kspan_span *span)
{
	struct kspan_arena *arena = span->arena;

	if (!arena->used)
		ph->nr_empty--;
	arena->used += span->npages;
	bitmap_set(arena->touched, (span->start - arena->start) >> KSPAN_PAGE_SHIFT,
		   span->npages);
	ph->used += span->npages;
	if (span->state == KSPAN_SPAN_LARGE) {
		ph->large++;
		ph->large_allocs++;
		account_large(ph, span->npages);
	}
}

/* Cut @npages pages out of a free run and put the rest back. */
static struct kspan_span *carve(struct kspan_page_heap *ph, struct kspan_span *run,
				unsigned int npages, unsigned int align, unsigned int class)
{
	unsigned long run_start = run->start, end = run_end(run);
	unsigned long start = aligned_start(run, align);
	unsigned long stop = start + ((unsigned long)npages << KSPAN_PAGE_SHIFT);

	remove_run(ph, run);
	insert_rest(ph, run->arena, run_start, start);
	insert_rest(ph, run->arena, stop, end);
	describe_run(run, run->arena, start, stop);
	run->class = class;
	if (class) {
		kspan_span_set_state(run, KSPAN_SPAN_DETACHED);
		map_small(run, run, class);
	} else {
		kspan_span_set_state(run, KSPAN_SPAN_LARGE);
		set_ends(run, run);
	}
	account_alloc(ph, run);
	return run;
}

/* Have descriptors at hand before the lock is taken. */
static bool ensure_spares(struct kspan_page_heap *ph, gfp_t gfp)
{
	unsigned long flags;

	while (READ_ONCE(ph->nr_spares) < KSPAN_SPARES_MIN) {
		struct kspan_span *span = NULL;

		if (!(gfp & KSPAN_GFP_NOLOCK))
			span = kspan_span_alloc_descriptor(kspan_gfp_metadata(gfp));
		if (!span)
			return false;
		raw_spin_lock_irqsave(&ph->lock, flags);
		keep_spare(ph, span);
		raw_spin_unlock_irqrestore(&ph->lock, flags);
	}
	return true;
}

static void move_excess_spares(struct kspan_page_heap *ph, struct list_head *excess)
{
	while (ph->nr_spares > KSPAN_SPARES_MAX) {
		struct kspan_span *span = take_spare(ph);

		list_add(&span->list, excess);
	}
}

/**
 * kspan_page_heap_merge() - complete the frees that NMIs left behind
 * @ph:		page heap, not locked
 * @gfp:	with KSPAN_GFP_NOLOCK they are left to others
 */
void kspan_page_heap_merge(struct kspan_page_heap *ph, gfp_t gfp)
{
	struct kspan_span *span, *next;

	if (likely(llist_empty(&ph->deferred)) || (gfp & KSPAN_GFP_NOLOCK))
		return;
	llist_for_each_entry_safe(span, next, llist_del_all(&ph->deferred), deferred) {
		if (span->state == KSPAN_SPAN_LARGE_DEFERRED)
			kmemleak_free((void *)span->start);
		kspan_page_heap_free(span, span->start, span->state);
	}
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_merge);

static struct kspan_span *alloc_from_runs(int nid, unsigned int npages, unsigned int align,
					  unsigned int class, gfp_t gfp)
{
	struct kspan_page_heap *ph = page_heaps[nid];
	struct kspan_span *span = NULL;
	unsigned long flags;
	bool retry;

	kspan_page_heap_merge(ph, gfp);
	do {
		if (!ensure_spares(ph, gfp) || !kspan_lock(&ph->lock, &flags, gfp))
			return NULL;
		/* Others may have used the spares up meanwhile. */
		retry = ph->nr_spares < KSPAN_SPARES_MIN;
		if (!retry) {
			struct kspan_span *run = find_run(ph, npages, align);

			if (run)
				span = carve(ph, run, npages, align, class);
		}
		raw_spin_unlock_irqrestore(&ph->lock, flags);
	} while (retry);
	return span;
}

static bool arena_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct kspan_arena, node)->start <
	       rb_entry(b, struct kspan_arena, node)->start;
}

/* Take a new arena in, and the caller's run out of it at once. */
static struct kspan_span *alloc_from_new_arena(int nid, unsigned int npages, unsigned int align,
					       unsigned int class, gfp_t gfp)
{
	struct kspan_arena *arena = kspan_arena_alloc(nid, npages, gfp);
	struct kspan_page_heap *ph;
	struct kspan_span *span;
	unsigned long flags;

	if (!arena)
		return NULL;
	ph = page_heaps[arena->nid];
	span = kspan_span_alloc_descriptor(kspan_gfp_metadata(gfp));
	if (!span)
		goto free_arena;
	do {
		if (!ensure_spares(ph, gfp))
			goto free_descriptor;
		raw_spin_lock_irqsave(&ph->lock, flags);
		if (ph->nr_spares >= KSPAN_SPARES_MIN)
			break;
		raw_spin_unlock_irqrestore(&ph->lock, flags);
	} while (true);
	rb_add(&arena->node, &ph->arenas, arena_less);
	ph->nr_arenas++;
	ph->nr_empty++;
	ph->pages += arena->npages;
	ph->peak = max(ph->peak, ph->pages);
	describe_run(span, arena, arena->start,
		     arena->start + ((unsigned long)arena->npages << KSPAN_PAGE_SHIFT));
	kspan_span_set_state(span, KSPAN_SPAN_FREE);
	insert_run(ph, span);
	carve(ph, span, npages, align, class);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return span;

free_descriptor:
	kspan_span_free_descriptor(span);
free_arena:
	kspan_arena_free(arena);
	return NULL;
}

/**
 * kspan_nearest_node() - next node to look for memory on
 * @nid:	where it would be best
 * @tried:	nodes that were tried; the result is added
 *
 * Return: the nearest possible node that was not tried, the one with the lowest
 * number among equals; or NUMA_NO_NODE.
 */
int kspan_nearest_node(int nid, nodemask_t *tried)
{
	int nearest = NUMA_NO_NODE, other;

	for_each_node(other)
		if (!node_isset(other, *tried) &&
		    (nearest == NUMA_NO_NODE ||
		     node_distance(nid, other) < node_distance(nid, nearest)))
			nearest = other;
	if (nearest != NUMA_NO_NODE)
		node_set(nearest, *tried);
	return nearest;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_nearest_node);

static struct kspan_span *alloc_from_other_nodes(int nid, unsigned int npages, unsigned int align,
						 unsigned int class, gfp_t gfp)
{
	nodemask_t tried = nodemask_of_node(nid);
	struct kspan_span *span = NULL;
	int other;

	while (!span && (other = kspan_nearest_node(nid, &tried)) != NUMA_NO_NODE)
		if (READ_ONCE(page_heaps[other]->nr_arenas))
			span = alloc_from_runs(other, npages, align, class, gfp);
	return span;
}

/**
 * kspan_page_heap_alloc() - allocate a run of pages
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @npages:	length, 1...KSPAN_ARENA_PAGES
 * @align:	alignment of the start in pages, a power of two of at most
 *		@npages rounded up to one
 * @class:	size class of the span that the run will be, 0 for a large one
 * @gfp:	the caller's flags, used when an arena must be taken from buddy.
 *		__GFP_NOFAIL is the caller's to care for.
 *
 * Tries free runs of the node, then a new arena on it without reclaim, then
 * free runs of other nodes by distance, then a new arena wherever @gfp allows;
 * with KSPAN_GFP_NOLOCK no new arena.
 *
 * Context: as @gfp says.
 * Return: a span, DETACHED for a @class and LARGE without one, or NULL.
 */
struct kspan_span *kspan_page_heap_alloc(int nid, unsigned int npages, unsigned int align,
					 unsigned int class, gfp_t gfp)
{
	bool nolock = gfp & KSPAN_GFP_NOLOCK;
	struct kspan_span *span;
	gfp_t here;

	gfp &= ~__GFP_MEMALLOC;
	here = (gfp & ~__GFP_RECLAIM) | __GFP_THISNODE | __GFP_NOWARN;
	span = alloc_from_runs(nid, npages, align, class, gfp);
	if (!span && !nolock)
		span = alloc_from_new_arena(nid, npages, align, class, here);
	if (!span && !(gfp & __GFP_THISNODE))
		span = alloc_from_other_nodes(nid, npages, align, class, gfp);
	if (!span && !nolock)
		span = alloc_from_new_arena(nid, npages, align, class, gfp);
	return span;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_alloc);

/**
 * kspan_page_heap_alloc_emergency() - allocate a run from the system's reserves
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @npages:	length, 1...KSPAN_ARENA_PAGES
 * @gfp:	flags of a caller who may use the reserves
 *
 * The run is a whole arena, so that nobody else gets any of it, and goes straight
 * back when it is freed.
 *
 * Context: as @gfp says.
 * Return: a LARGE span or NULL.
 */
struct kspan_span *kspan_page_heap_alloc_emergency(int nid, unsigned int npages, gfp_t gfp)
{
	return alloc_from_new_arena(nid, roundup_pow_of_two(npages), 1, 0, gfp | __GFP_MEMALLOC);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_alloc_emergency);

/* A free neighbour of the run, at the page that holds @addr, or NULL. */
static struct kspan_span *free_neighbour(struct kspan_span *run, unsigned long addr)
{
	struct kspan_arena *arena = run->arena;
	struct kspan_span *other;

	if (addr - arena->start >= (unsigned long)arena->npages << KSPAN_PAGE_SHIFT)
		return NULL;
	other = *kspan_map_entry(addr);
	return other && other->state == KSPAN_SPAN_FREE ? other : NULL;
}

static void absorb(struct kspan_page_heap *ph, struct kspan_span *run, struct kspan_span *other)
{
	unsigned long start = min(run->start, other->start);
	unsigned long end = max(run_end(run), run_end(other));

	remove_run(ph, other);
	kspan_span_set_state(other, KSPAN_SPAN_DEAD);
	keep_spare(ph, other);
	describe_run(run, run->arena, start, end);
}

static void account_free(struct kspan_page_heap *ph, struct kspan_span *span, bool large)
{
	span->arena->used -= span->npages;
	if (!span->arena->used)
		ph->nr_empty++;
	ph->used -= span->npages;
	if (large) {
		ph->large--;
		account_large(ph, -(int)span->npages);
	}
}

static void insert_coalesced(struct kspan_page_heap *ph, struct kspan_span *run)
{
	struct kspan_span *other;

	other = free_neighbour(run, run->start - 1);
	if (other)
		absorb(ph, run, other);
	other = free_neighbour(run, run_end(run));
	if (other)
		absorb(ph, run, other);
	insert_run(ph, run);
}

static void unlink_arena(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	struct kspan_span *run = *kspan_map_entry(arena->start);

	remove_run(ph, run);
	kspan_span_set_state(run, KSPAN_SPAN_DEAD);
	keep_spare(ph, run);
	rb_erase(&arena->node, &ph->arenas);
	ph->nr_arenas--;
	ph->nr_empty--;
	ph->pages -= arena->npages;
	ph->released += arena->npages;
}

static bool arena_is_surplus(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	return !arena->used && (arena->emergency || arena->order < KSPAN_ARENA_ORDER ||
				ph->nr_empty > READ_ONCE(kspan_arena_reserve));
}

static LLIST_HEAD(to_release);

static void release_listed(struct work_struct *work)
{
	struct kspan_arena *arena, *next;

	llist_for_each_entry_safe(arena, next, llist_del_all(&to_release), release)
		kspan_arena_free(arena);
}
static DECLARE_WORK(release_work, release_listed);

static void queue_release(struct irq_work *work)
{
	schedule_work(&release_work);
}
static DEFINE_IRQ_WORK(release_irq_work, queue_release);

/* An unlinked arena; from wherever a free may come, by way of an interrupt, to a task. */
static void release_arena(struct kspan_arena *arena, bool may_release)
{
	if (may_release) {
		kspan_arena_free(arena);
		return;
	}
	llist_add(&arena->release, &to_release);
	irq_work_queue(&release_irq_work);
}

/**
 * kspan_page_heap_free() - free a run of pages
 * @span:	the run; a DETACHED one belongs to the caller, of a LARGE one the
 *		caller may only know that it was there a moment ago
 * @start:	address of the run
 * @expected:	DETACHED, LARGE or LARGE_DEFERRED
 *
 * Context: task, softirq, hardirq.
 * Return: whether it was freed; false, and nothing done, when the span is no
 * longer what the caller took it for: somebody else freed it.
 */
bool kspan_page_heap_free(struct kspan_span *span, unsigned long start,
			  enum kspan_span_state expected)
{
	unsigned int nid = READ_ONCE(span->nid);
	struct kspan_page_heap *ph = page_heaps[nid];
	bool small = expected == KSPAN_SPAN_DETACHED;
	bool may_release = kspan_may_release();
	struct kspan_arena *surplus = NULL;
	LIST_HEAD(excess);
	unsigned long flags;

	raw_spin_lock_irqsave(&ph->lock, flags);
	if (span->nid != nid || span->start != start ||
	    !kspan_span_change_state(span, expected, KSPAN_SPAN_FREE)) {
		raw_spin_unlock_irqrestore(&ph->lock, flags);
		return false;
	}
	account_free(ph, span, !small);
	if (small)
		map_small(span, NULL, 0);
	else
		set_ends(span, NULL);
	span->class = 0;
	insert_coalesced(ph, span);
	if (arena_is_surplus(ph, span->arena)) {
		surplus = span->arena;
		unlink_arena(ph, surplus);
	}
	if (may_release)
		move_excess_spares(ph, &excess);
	raw_spin_unlock_irqrestore(&ph->lock, flags);

	if (surplus)
		release_arena(surplus, may_release);
	kspan_span_free_descriptors(&excess);
	return true;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_free);

/**
 * kspan_page_heap_defer() - leave the freeing of a run to the next allocation
 * @span: the caller's run, LARGE_DEFERRED, or DETACHED and without bitmaps
 *
 * Context: any, NMI included.
 */
void kspan_page_heap_defer(struct kspan_span *span)
{
	llist_add(&span->deferred, &page_heaps[span->nid]->deferred);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_defer);

/* The end of a large span moves; what lies behind is the caller's to care for. */
static void move_end(struct kspan_page_heap *ph, struct kspan_span *span, unsigned int npages)
{
	struct kspan_span **entry = kspan_map_entry(span->start);
	struct kspan_arena *arena = span->arena;
	int more = (int)npages - (int)span->npages;

	if (span->npages > 1)
		WRITE_ONCE(entry[span->npages - 1], NULL);
	WRITE_ONCE(span->npages, npages);
	WRITE_ONCE(entry[npages - 1], span);
	arena->used += more;
	ph->used += more;
	account_large(ph, more);
	bitmap_set(arena->touched, (span->start - arena->start) >> KSPAN_PAGE_SHIFT, npages);
}

static void shrink(struct kspan_page_heap *ph, struct kspan_span *span, unsigned int npages)
{
	unsigned long end = run_end(span);
	struct kspan_span *tail = take_spare(ph);

	move_end(ph, span, npages);
	describe_run(tail, span->arena, run_end(span), end);
	kspan_span_set_state(tail, KSPAN_SPAN_FREE);
	insert_coalesced(ph, tail);
}

static bool grow(struct kspan_page_heap *ph, struct kspan_span *span, unsigned int npages)
{
	struct kspan_span *next = free_neighbour(span, run_end(span));
	unsigned long end;

	if (!next || next->npages < npages - span->npages)
		return false;
	end = run_end(next);
	remove_run(ph, next);
	kspan_span_set_state(next, KSPAN_SPAN_DEAD);
	keep_spare(ph, next);
	move_end(ph, span, npages);
	insert_rest(ph, span->arena, run_end(span), end);
	return true;
}

/**
 * kspan_page_heap_resize() - make a large span shorter or longer where it is
 * @start:	its address; the span is the caller's
 * @npages:	wanted length, 1...KSPAN_ARENA_PAGES
 * @gfp:	the caller's flags
 *
 * It grows only into free pages right behind it.
 *
 * Return: whether it has the length now.
 */
bool kspan_page_heap_resize(unsigned long start, unsigned int npages, gfp_t gfp)
{
	struct kspan_page_heap *ph = page_heaps[page_to_nid(virt_to_page((void *)start))];
	struct kspan_span *span;
	unsigned long flags;
	bool done = false;

	if (!ensure_spares(ph, gfp) || !kspan_lock(&ph->lock, &flags, gfp))
		return false;
	span = *kspan_map_entry(start);
	if (ph->nr_spares && span && span->start == start && span->state == KSPAN_SPAN_LARGE) {
		done = true;
		if (npages < span->npages)
			shrink(ph, span, npages);
		else if (npages > span->npages)
			done = grow(ph, span, npages);
	}
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return done;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_resize);

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

static struct kspan_arena *arena_at(struct kspan_page_heap *ph, unsigned long addr)
{
	struct kspan_arena *arena = NULL;
	struct rb_node *node = ph->arenas.rb_node;

	while (node) {
		arena = rb_entry(node, struct kspan_arena, node);
		if (addr < arena->start)
			node = node->rb_left;
		else if (addr - arena->start >= PAGE_SIZE << arena->order)
			node = node->rb_right;
		else
			return arena;
	}
	return NULL;
}

/**
 * kspan_page_heap_was_used() - whether a page was ever part of a span
 * @addr: address of a page
 *
 * Return: whether it was, since its arena was taken from buddy; false when
 * there is no arena.
 */
bool kspan_page_heap_was_used(unsigned long addr)
{
	bool used = false;
	int nid;

	for_each_node(nid) {
		struct kspan_page_heap *ph = page_heaps[nid];
		struct kspan_arena *arena;
		unsigned long flags;

		raw_spin_lock_irqsave(&ph->lock, flags);
		arena = arena_at(ph, addr);
		if (arena)
			used |= test_bit((addr - arena->start) >> KSPAN_PAGE_SHIFT,
					 arena->touched);
		raw_spin_unlock_irqrestore(&ph->lock, flags);
	}
	return used;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_was_used);

/* One empty arena, unlinked, or NULL. */
static struct kspan_arena *take_empty_arena(struct kspan_page_heap *ph)
{
	struct kspan_arena *arena = NULL;
	struct rb_node *node;
	unsigned long flags;

	raw_spin_lock_irqsave(&ph->lock, flags);
	for (node = rb_last(&ph->arenas); node && ph->nr_empty; node = rb_prev(node)) {
		arena = rb_entry(node, struct kspan_arena, node);
		if (!arena->used) {
			unlink_arena(ph, arena);
			break;
		}
		arena = NULL;
	}
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return arena;
}

/** kspan_page_heap_trim() - give all empty arenas back, the reserve included */
void kspan_page_heap_trim(void)
{
	struct kspan_arena *arena;
	int nid;

	for_each_node(nid) {
		kspan_page_heap_merge(page_heaps[nid], 0);
		while ((arena = take_empty_arena(page_heaps[nid])))
			kspan_arena_free(arena);
	}
	release_listed(NULL);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_trim);

/**
 * kspan_page_heap_init() - make a page heap for every possible node
 * Return: 0 or -ENOMEM.
 */
int kspan_page_heap_init(void)
{
	int nid;

	for_each_node(nid) {
		/* A possible node that is not online has no memory of its own. */
		int home = node_online(nid) ? nid : NUMA_NO_NODE;
		struct kspan_page_heap *ph = kzalloc_node(sizeof(*ph), GFP_KERNEL, home);

		if (!ph) {
			kspan_page_heap_exit();
			return -ENOMEM;
		}
		raw_spin_lock_init(&ph->lock);
		ph->arenas = RB_ROOT;
		init_llist_head(&ph->deferred);
		INIT_LIST_HEAD(&ph->spares);
		page_heaps[nid] = ph;
	}
	return 0;
}

/* At unload: objects that nobody freed end here, also for kmemleak. */
static void drop_objects(struct kspan_span *span)
{
	unsigned int size = kspan_size_classes[span->class].size, i;

	if (span->state == KSPAN_SPAN_LARGE)
		kmemleak_free((void *)span->start);
	if (!kspan_span_is_small(span->state))
		return;
	for (i = 0; IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && i < span->nslots; i++)
		if (span->alloc_bits[i / 64] & BIT_ULL(i % 64))
			kmemleak_free((void *)(span->start + (unsigned long)i * size));
	kspan_span_unformat(span);
}

static void drop_arena(struct kspan_arena *arena)
{
	unsigned long end = arena->start + ((unsigned long)arena->npages << KSPAN_PAGE_SHIFT);
	unsigned long addr = arena->start;

	while (addr < end) {
		struct kspan_span *span = *kspan_map_entry(addr);

		addr = run_end(span);
		drop_objects(span);
		kspan_span_free_descriptor(span);
	}
	kspan_arena_free(arena);
}

/**
 * kspan_page_heap_exit() - give all arenas back, used or not
 *
 * Nobody uses kspan any more. Accepts half-built page heaps.
 */
void kspan_page_heap_exit(void)
{
	struct kspan_arena *arena, *next;
	int nid;

	irq_work_sync(&release_irq_work);
	cancel_work_sync(&release_work);
	release_listed(NULL);
	for_each_node(nid) {
		struct kspan_page_heap *ph = page_heaps[nid];

		if (!ph)
			continue;
		kspan_page_heap_merge(ph, 0);
		if (ph->large)
			pr_warn("%lu large objects, %lu KiB, were never freed\n", ph->large,
				ph->large_pages << (KSPAN_PAGE_SHIFT - 10));
		rbtree_postorder_for_each_entry_safe(arena, next, &ph->arenas, node)
			drop_arena(arena);
		kspan_span_free_descriptors(&ph->spares);
		kfree(ph);
		page_heaps[nid] = NULL;
	}
}
