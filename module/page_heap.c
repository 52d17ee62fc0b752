// SPDX-License-Identifier: GPL-2.0
/*
 * Page heap
 *
 *	arena:		|.####......##..........########|	. free
 *	longest:	10
 *
 * The unit is kspan's page. An arena has a bit for each free page; a run of free
 * pages is found in it by address, so that its end stays free as long as can be.
 * Runs do not cross arenas.
 *
 * Arenas with free pages are sorted by the longest run they may have, in buckets, four
 * to a power of two; in each, the lower ones tend to be first. A request looks at the first
 * arenas of the bucket it may fit into, then at the one above, where everything fits, so
 * fuller arenas are taken from first and empty ones last, and long runs are not cut for
 * short ones. The longest run is an upper bound: it rises when a free makes a longer one,
 * and is measured when a search has failed, or one span was taken.
 *
 * Cost: a search reads at most the 8 words of an arena's bitmap, and fails, apart
 * from KSPAN_PROBES, at most once for each time that a bound became wrong. Measuring
 * walks the runs up to one that is as long as the bound. All else is O(1).
 *
 * A new arena is a fraction of what the node has, up to 4 MiB, so that what is taken
 * in advance is one, too. An arena whose last page was freed goes back to buddy, except
 * for what the scavenger lets the node keep, and kspan_arena_reserve times 4 MiB, against
 * thrashing; it gives that back later. Neither is more than kspan_idle_allowance(). Where
 * the page allocator can't be called, a work item does it.
 *
 * Where memory is in pieces, a span is a block of its own, in no arena, and shorter than
 * usual, down to a single page of the kernel: a loose span. It goes back when it is freed.
 *
 * As the last resort free pages of an arena in use go back, too: they become holes. A
 * block that buddy gives in the place of a hole fills it, so that runs are as long as
 * they were, and an arena without a hole is one block again.
 *
 * Free pages are reported to the kernel as memory that can be had, in steps of
 * KSPAN_REPORT_STEP.
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
#include "reclaim.h"
#include "run.h"

/* Arenas that are looked at in a bucket where not everything fits. */
#define KSPAN_PROBES		4
/* Searches that may fail under one lock, where all runs fit and where they may not. */
#define KSPAN_TRIES		2
/* Descriptors at hand before a lock is taken: one for the caller, some for NMIs. */
#define KSPAN_SPARES_MIN	8
/* Of these, what is left for NMIs by whoever can have others made. */
#define KSPAN_SPARES_LEFT	4U
/* Most that are kept, 28 KiB a node: else every span would go to SLUB. */
#define KSPAN_SPARES_MAX	256

/* Arenas of each bucket that are compared for the one to make holes in. */
#define KSPAN_SPARSEST_OF	6

unsigned int kspan_arena_reserve = 1;
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_reserve);
unsigned int kspan_arena_growth = 1;
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_growth);

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

static bool arena_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct kspan_arena, node)->start <
	       rb_entry(b, struct kspan_arena, node)->start;
}

/* Lower than the first, it comes before that; else it is the last. */
static void insert_in_bucket(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	struct list_head *bucket;
	struct kspan_arena *first;

	if (!arena->longest)
		return;
	bucket = &ph->buckets[kspan_bucket_of(arena->longest)];
	first = list_first_entry_or_null(bucket, struct kspan_arena, in_bucket);
	if (!first || arena->start < first->start)
		list_add(&arena->in_bucket, bucket);
	else
		list_add_tail(&arena->in_bucket, bucket);
	__set_bit(kspan_bucket_of(arena->longest), &ph->filled);
}

static void remove_from_bucket(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	unsigned int bucket;

	if (!arena->longest)
		return;
	bucket = kspan_bucket_of(arena->longest);
	list_del(&arena->in_bucket);
	if (list_empty(&ph->buckets[bucket]))
		__clear_bit(bucket, &ph->filled);
}

static void set_longest(struct kspan_page_heap *ph, struct kspan_arena *arena,
			unsigned int longest)
{
	if (longest && arena->longest &&
	    kspan_bucket_of(longest) == kspan_bucket_of(arena->longest)) {
		arena->longest = longest;
		return;
	}
	remove_from_bucket(ph, arena);
	arena->longest = longest;
	insert_in_bucket(ph, arena);
}

/* Make the bound exact. */
static void measure(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	set_longest(ph, arena, kspan_run_longest(arena->free, arena->npages, arena->longest));
}

static unsigned int page_of(const struct kspan_arena *arena, unsigned long addr)
{
	return (addr - arena->start) >> KSPAN_PAGE_SHIFT;
}

static void report_idle(struct kspan_page_heap *ph, unsigned long idle)
{
	long pages = (long)(idle - ph->reported) << KSPAN_PAGE_ORDER;

	mod_node_page_state(NODE_DATA(ph->nid), NR_KERNEL_MISC_RECLAIMABLE, pages);
	if (unlikely(idle > ph->reported && kspan_is_short(ph->nid)))
		kspan_scavenger_hurry();
	ph->reported = idle;
}

/** kspan_page_heap_report() - tell the kernel exactly how many free pages there are */
void kspan_page_heap_report(struct kspan_page_heap *ph)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&ph->lock, flags);
	if (ph->pages - ph->used != ph->reported)
		report_idle(ph, ph->pages - ph->used);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_report);

/* The node has more free pages than before, or less. */
static void idle_changed(struct kspan_page_heap *ph)
{
	unsigned long idle = ph->pages - ph->used;

	/* The kernel's counters are not for NMIs: somebody else will tell. */
	if (unlikely(abs((long)(idle - ph->reported)) >= KSPAN_REPORT_STEP) && !in_nmi())
		report_idle(ph, idle);
	if (unlikely(idle > ph->wake_above))
		kspan_scavenger_wake();
}

static void add_empty(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	list_add(&arena->in_empty, &ph->empty);
	ph->nr_empty++;
	ph->empty_pages += arena->npages - arena->holes;
}

static void remove_empty(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	list_del(&arena->in_empty);
	ph->nr_empty--;
	ph->empty_pages -= arena->npages - arena->holes;
}

static void take_pages(struct kspan_page_heap *ph, struct kspan_arena *arena,
		       unsigned int first, unsigned int n)
{
	kspan_run_clear(arena->free, first, n);
	kspan_run_set(arena->touched, first, n);
	if (unlikely(arena->any_dropped))
		kspan_run_clear(arena->dropped, first, n);
	if (!arena->used)
		remove_empty(ph, arena);
	arena->used += n;
	ph->used += n;
	ph->most_used = max(ph->most_used, ph->used);
	idle_changed(ph);
}

static void free_pages_of(struct kspan_page_heap *ph, struct kspan_arena *arena,
			  unsigned int first, unsigned int n)
{
	kspan_run_set(arena->free, first, n);
	arena->first_word = min_t(unsigned int, arena->first_word, first / BITS_PER_LONG);
	arena->misfits = 0;
	arena->used -= n;
	ph->used -= n;
	if (!arena->used)
		add_empty(ph, arena);
	idle_changed(ph);
	if (arena->longest < arena->npages) {
		unsigned int run = kspan_run_around(arena->free, arena->npages, first, n);

		if (run > arena->longest)
			set_longest(ph, arena, run);
	}
}

static unsigned int find_in_arena(struct kspan_arena *arena, unsigned int npages,
				  unsigned int align)
{
	unsigned int words = BITS_TO_LONGS(arena->npages), word = arena->first_word, found;

	while (word < words && !arena->free[word])
		word++;
	arena->first_word = word;
	/* Alignment is counted from the arena's start. */
	word = round_down(word, max(align / BITS_PER_LONG, 1U));
	if (word >= words)
		return KSPAN_NO_RUN;
	found = kspan_run_find(arena->free + word, arena->npages - word * BITS_PER_LONG, npages,
			       align);
	return found == KSPAN_NO_RUN ? found : found + word * BITS_PER_LONG;
}

static bool may_fit(const struct kspan_arena *arena, unsigned int npages, unsigned int align)
{
	return arena->longest >= npages && !(npages == align && arena->misfits & align);
}

/* No aligned run of @npages was found. Returns whether the longest run is shorter now. */
static bool note_failure(struct kspan_page_heap *ph, struct kspan_arena *arena,
			 unsigned int npages, unsigned int align)
{
	unsigned int before = arena->longest;

	if (npages == align)
		arena->misfits |= align;
	measure(ph, arena);
	return arena->longest < before;
}

/*
 * A run in one of the arenas of a bucket, the lowest first; or NULL. No more than @tries
 * searches may fail.
 */
static struct kspan_arena *find_in_bucket(struct kspan_page_heap *ph, unsigned int bucket,
					  unsigned int npages, unsigned int align,
					  unsigned int *first, unsigned int *tries)
{
	struct kspan_arena *arena, *next;
	unsigned int probes = KSPAN_PROBES;

	list_for_each_entry_safe(arena, next, &ph->buckets[bucket], in_bucket) {
		if (may_fit(arena, npages, align)) {
			*first = find_in_arena(arena, npages, align);
			if (*first != KSPAN_NO_RUN)
				return arena;
			if (!--*tries)
				break;
			/* A bound that was wrong costs no probe: it is right from here on. */
			if (note_failure(ph, arena, npages, align))
				continue;
		}
		if (!--probes)
			break;
	}
	return NULL;
}

static struct kspan_arena *find_run(struct kspan_page_heap *ph, unsigned int npages,
				    unsigned int align, unsigned int *first)
{
	unsigned int bucket = kspan_bucket_of(npages), tries = KSPAN_TRIES;
	unsigned int sure = kspan_bucket_of(min(npages + align - 1, KSPAN_ARENA_PAGES)) + 1;
	struct kspan_arena *arena = NULL;

	while (!arena && tries && (bucket = find_next_bit(&ph->filled, KSPAN_NR_BUCKETS, bucket)) <
				  KSPAN_NR_BUCKETS) {
		arena = find_in_bucket(ph, bucket++, npages, align, first, &tries);
		/* The lock was held for long: from here on every run fits, if there is one. */
		if (!tries && bucket < sure) {
			bucket = sure;
			tries = KSPAN_TRIES;
		}
	}
	return arena;
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

static void account_large(struct kspan_page_heap *ph, int pages)
{
	ph->large_pages += pages;
	if (pages > 0)
		ph->large_alloc_pages += pages;
}

/* Make a span of a run of the kernel's pages; there is a spare descriptor. */
static struct kspan_span *make_span_at(struct kspan_page_heap *ph, struct kspan_arena *arena,
				       unsigned long start, unsigned int base_pages,
				       unsigned int class)
{
	struct kspan_span *span = take_spare(ph);

	kspan_span_begin(span);
	WRITE_ONCE(span->start, start);
	WRITE_ONCE(span->base_pages, base_pages);
	WRITE_ONCE(span->gone_pages, 0);
	span->class = class;
	span->nid = ph->nid;
	span->arena = arena;
	span->central = NULL;
	if (!class)
		span->owner = KSPAN_OWNER_UNKNOWN;
	kspan_span_set_state(span, class ? KSPAN_SPAN_DETACHED : KSPAN_SPAN_LARGE);
	kspan_map_set(span);
	if (!class) {
		ph->large++;
		ph->large_allocs++;
		account_large(ph, kspan_span_npages(span));
	}
	return span;
}

/* Make a span of pages that were taken. */
static struct kspan_span *make_span(struct kspan_page_heap *ph, struct kspan_arena *arena,
				    unsigned int first, unsigned int npages, unsigned int class)
{
	return make_span_at(ph, arena, arena->start + ((unsigned long)first << KSPAN_PAGE_SHIFT),
			    npages << KSPAN_PAGE_ORDER, class);
}

/* Take pages for a span; its descriptor is at hand. */
static struct kspan_span *take_span(struct kspan_page_heap *ph, struct kspan_arena *arena,
				    unsigned int first, unsigned int npages, unsigned int class)
{
	take_pages(ph, arena, first, npages);
	/* Spans stay. Large objects go and come again, mostly in the same place. */
	if (class)
		measure(ph, arena);
	return make_span(ph, arena, first, npages, class);
}

/* Have a descriptor at hand before the lock is taken. */
static bool ensure_spare(struct kspan_page_heap *ph, gfp_t gfp)
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

static bool __lock_with_spare(struct kspan_page_heap *ph, unsigned long *flags, gfp_t gfp)
{
	do {
		if (!ensure_spare(ph, gfp) || !kspan_lock(&ph->lock, flags, gfp))
			return false;
		if (ph->nr_spares)
			break;
		/* Others have used the spares up meanwhile. */
		raw_spin_unlock_irqrestore(&ph->lock, *flags);
	} while (true);
	/* Only for sparse, which counts the lock where lock_with_spare() stands. */
	__release(&ph->lock);
	return true;
}

/* Lock the page heap with a descriptor at hand; false, and not locked, without memory for one. */
#define lock_with_spare(ph, flags, gfp)	\
	__cond_lock(&(ph)->lock, __lock_with_spare(ph, flags, gfp))

static void move_excess_spares(struct kspan_page_heap *ph, struct list_head *excess)
{
	unsigned int n;

	if (ph->nr_spares < KSPAN_SPARES_MAX + KSPAN_SPAN_BATCH)
		return;
	for (n = 0; n < KSPAN_SPAN_BATCH; n++) {
		struct kspan_span *span = take_spare(ph);

		list_add(&span->list, excess);
	}
}

/* Frees of NMIs that an allocation completes. */
#define KSPAN_MERGES	4

static bool merge_one(struct kspan_page_heap *ph)
{
	struct llist_node *first;
	struct kspan_span *span;
	unsigned long flags;

	raw_spin_lock_irqsave(&ph->lock, flags);
	/* Whoever takes one holds the lock: NMIs only add. */
	first = llist_del_first(&ph->deferred);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	if (!first)
		return false;
	span = llist_entry(first, struct kspan_span, deferred);
	if (span->state == KSPAN_SPAN_LARGE_DEFERRED)
		kmemleak_free((void *)span->start);
	kspan_page_heap_free(span, span->start, span->state);
	return true;
}

/**
 * kspan_page_heap_merge() - complete some of the frees that NMIs left behind
 * @ph:		page heap, not locked
 * @gfp:	with KSPAN_GFP_NOLOCK they are left to others
 */
void kspan_page_heap_merge(struct kspan_page_heap *ph, gfp_t gfp)
{
	unsigned int n = KSPAN_MERGES;

	if (likely(llist_empty(&ph->deferred)) || (gfp & KSPAN_GFP_NOLOCK))
		return;
	while (n-- && merge_one(ph))
		;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_merge);

/** kspan_page_heap_merge_all() - kspan_page_heap_merge() until nothing is left */
void kspan_page_heap_merge_all(struct kspan_page_heap *ph)
{
	while (!llist_empty(&ph->deferred) && merge_one(ph))
		;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_merge_all);

static struct kspan_span *alloc_from_arenas(int nid, unsigned int npages, unsigned int align,
					    unsigned int class, gfp_t gfp)
{
	struct kspan_page_heap *ph = page_heaps[nid];
	struct kspan_span *span = NULL;
	struct kspan_arena *arena;
	unsigned int first;
	unsigned long flags;

	kspan_page_heap_merge(ph, gfp);
	if (!kspan_glance(ph->filled))
		return NULL;
	if (!lock_with_spare(ph, &flags, gfp))
		return NULL;
	arena = find_run(ph, npages, align, &first);
	if (arena)
		span = take_span(ph, arena, first, npages, class);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return span;
}

static void note_peak(struct kspan_page_heap *ph)
{
	ph->peak = max(ph->peak, (ph->pages << KSPAN_PAGE_ORDER) + ph->loose_pages);
}

static void link_arena(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	rb_add(&arena->node, &ph->arenas, arena_less);
	bitmap_set(arena->free, 0, arena->npages);
	arena->longest = arena->npages;
	arena->first_word = 0;
	insert_in_bucket(ph, arena);
	add_empty(ph, arena);
	ph->nr_arenas++;
	ph->pages += arena->npages;
	note_peak(ph);
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
static struct kspan_arena *arena_at(struct kspan_page_heap *ph, unsigned long addr)
{
	unsigned long window = ALIGN_DOWN(addr, KSPAN_ARENA_SIZE);
	struct kspan_arena *arena = arena_below(ph, addr);

	while (arena && arena->start >= window && addr - arena->start >= PAGE_SIZE << arena->order)
		arena = rb_entry_safe(rb_prev(&arena->node), struct kspan_arena, node);
	return arena && arena->start >= window ? arena : NULL;
}

/* The block of @arena, which is in no list, becomes part of the one it lies in. */
static void fill_hole(struct kspan_page_heap *ph, struct kspan_arena *host,
		      struct kspan_arena *arena)
{
	unsigned int first = page_of(host, arena->start), n = arena->npages;

	kspan_run_clear(host->absent, first, n);
	if (!host->used)
		remove_empty(ph, host);
	host->holes -= n;
	ph->holes -= n;
	ph->pages += n;
	note_peak(ph);
	host->used += n;
	ph->used += n;
	free_pages_of(ph, host, first, n);
}

/*
 * Most pages of a new arena that are wanted: what the node may grow by, and for a large
 * object as much as four of its size take, so that little of an arena is left over.
 */
static unsigned int arena_most(const struct kspan_page_heap *ph, unsigned int npages,
			       unsigned int class)
{
	unsigned long pages;

	if (!READ_ONCE(kspan_arena_growth))
		return KSPAN_ARENA_PAGES;
	pages = kspan_glance(ph->pages) * READ_ONCE(kspan_arena_growth) / 100;
	if (!class)
		pages = max(pages, 4 * roundup_pow_of_two(npages));
	return rounddown_pow_of_two(clamp_t(unsigned long, pages, KSPAN_ARENA_LEAST,
					    KSPAN_ARENA_PAGES));
}

/*
 * Take a new arena in, and the caller's run out of it at once. Of small spans, an arena is to
 * have many.
 */
static struct kspan_span *alloc_from_new_arena(int nid, unsigned int npages, unsigned int class,
					       gfp_t gfp)
{
	unsigned int most = arena_most(page_heaps[nid], npages, class);
	unsigned int least = class ? max(npages, KSPAN_ARENA_LEAST) : npages;
	struct kspan_arena *arena = kspan_arena_alloc(nid, least, most, gfp);
	struct kspan_arena *host, *filler = NULL;
	struct kspan_page_heap *ph;
	struct kspan_span *span;
	unsigned long flags;
	unsigned int first;

	if (!arena)
		return NULL;
	ph = page_heaps[arena->nid];
	if (!lock_with_spare(ph, &flags, gfp)) {
		kspan_arena_free(arena);
		return NULL;
	}
	host = arena_at(ph, arena->start);
	/* The run is where the block starts, which is aligned to more than it asks for. */
	first = host ? page_of(host, arena->start) : 0;
	if (host) {
		fill_hole(ph, host, arena);
		filler = arena;
		arena = host;
	} else {
		link_arena(ph, arena);
	}
	span = take_span(ph, arena, first, npages, class);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	kfree(filler);
	return span;
}

/* Make a span of a block; there is a spare descriptor. */
static struct kspan_span *make_loose(struct kspan_page_heap *ph, unsigned long start,
				     unsigned int order, unsigned int class)
{
	struct kspan_span *span;

	/* Frees into one that is half a page find it by the class of private heaps. */
	if (class && order < KSPAN_PAGE_ORDER)
		class = KSPAN_CLASS_PRIVATE;
	span = make_span_at(ph, NULL, start, 1U << order, class);
	ph->loose++;
	ph->loose_pages += 1UL << order;
	note_peak(ph);
	return span;
}

/* A block of the page allocator that is a span by itself. */
static struct kspan_span *alloc_loose(int nid, unsigned int order, unsigned int class, gfp_t gfp)
{
	struct page *page = kspan_block_alloc(nid, order, gfp);
	struct kspan_page_heap *ph;
	struct kspan_span *span;
	unsigned long start, flags;

	if (!page)
		return NULL;
	ph = page_heaps[page_to_nid(page)];
	start = (unsigned long)page_address(page);
	if (!lock_with_spare(ph, &flags, gfp)) {
		kspan_block_free(start, order);
		return NULL;
	}
	span = make_loose(ph, start, order, class);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return span;
}

/* Most blocks that kspan_page_heap_alloc_loose() takes. */
#define KSPAN_LOOSE_MOST	8U

/**
 * kspan_page_heap_alloc_loose() - some loose spans of the node at once
 * @rq:		what is wanted
 * @order:	of the blocks
 * @n:		how many at most; KSPAN_LOOSE_MOST are enough
 * @spans:	receives them, DETACHED
 *
 * What takes no effort, and as many as there are spare descriptors.
 *
 * Context: as @rq->gfp says, without KSPAN_GFP_NOLOCK.
 */
void kspan_page_heap_alloc_loose(const struct kspan_request *rq, unsigned int order,
				 unsigned int n, struct list_head *spans)
{
	gfp_t gfp = kspan_gfp_effortless(rq->gfp) | __GFP_THISNODE;
	struct kspan_page_heap *ph = page_heaps[rq->nid];
	unsigned long start[KSPAN_LOOSE_MOST], flags;
	unsigned int got = 0, spares;
	struct page *page;

	spares = kspan_glance(ph->nr_spares);
	n = min3(n, KSPAN_LOOSE_MOST, spares - min(spares, KSPAN_SPARES_LEFT));
	if (!n || !kspan_block_is_spare(rq->nid, order + order_base_2(n)))
		return;
	while (got < n && (page = kspan_block_alloc(rq->nid, order, gfp)))
		start[got++] = (unsigned long)page_address(page);
	if (!got)
		return;
	raw_spin_lock_irqsave(&ph->lock, flags);
	/* Others may have used spares up meanwhile. */
	while (got && ph->nr_spares > KSPAN_SPARES_LEFT)
		list_add_tail(&make_loose(ph, start[--got], order, rq->class)->list, spans);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	while (got)
		kspan_block_free(start[--got], order);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_alloc_loose);

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

/* How many runs, of @n at most, are free from a free one on, one behind another. */
static unsigned int runs_from(const struct kspan_arena *arena, unsigned int first,
			      unsigned int npages, unsigned int align, unsigned int n)
{
	unsigned int runs = 1;

	/* Else the one behind is not aligned. */
	if (npages % align)
		return runs;
	n = min(n, (arena->npages - first) / npages);
	while (runs < n && kspan_run_is_set(arena->free, first + runs * npages, npages))
		runs++;
	return runs;
}

/**
 * kspan_page_heap_alloc_spans() - allocate several runs of a node at once
 * @nid:	node
 * @npages:	length of each, 1...KSPAN_ARENA_PAGES
 * @align:	alignment of their starts in pages, as for kspan_page_heap_alloc()
 * @class:	size class of the spans that they will be, not 0
 * @n:		how many at most
 * @spans:	receives them, DETACHED
 *
 * Takes pages that are free and descriptors that are spare, so it calls nobody
 * outside; whoever gets none asks kspan_page_heap_alloc().
 *
 * Context: task, softirq, hardirq.
 * Return: how many there are.
 */
unsigned int kspan_page_heap_alloc_spans(int nid, unsigned int npages, unsigned int align,
					 unsigned int class, unsigned int n,
					 struct list_head *spans)
{
	struct kspan_page_heap *ph = page_heaps[nid];
	unsigned int first, runs, taken = 0;
	struct kspan_arena *arena;
	unsigned long flags;

	kspan_page_heap_merge(ph, 0);
	if (!kspan_glance(ph->filled))
		return 0;
	raw_spin_lock_irqsave(&ph->lock, flags);
	n = min(n, ph->nr_spares - min(ph->nr_spares, KSPAN_SPARES_LEFT));
	arena = n ? find_run(ph, npages, align, &first) : NULL;
	if (arena) {
		taken = runs_from(arena, first, npages, align, n);
		take_pages(ph, arena, first, taken * npages);
		for (runs = taken; runs--; first += npages)
			list_add_tail(&make_span(ph, arena, first, npages, class)->list, spans);
	}
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return taken;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_alloc_spans);

static struct kspan_span *alloc_from_other_nodes(int nid, unsigned int npages, unsigned int align,
						 unsigned int class, gfp_t gfp)
{
	nodemask_t tried = nodemask_of_node(nid);
	struct kspan_span *span = NULL;
	int other;

	if (nr_node_ids == 1)
		return NULL;
	while (!span && (other = kspan_nearest_node(nid, &tried)) != NUMA_NO_NODE)
		if (kspan_glance(page_heaps[other]->nr_arenas) && kspan_node_allowed(other))
			span = alloc_from_arenas(other, npages, align, class, gfp);
	return span;
}

/* Most requests that do not look for an arena, after others looked in vain. */
#define KSPAN_SKIP_MOST	64

/*
 * Where memory is in pieces there is no arena to be had, nor a usual block, and to look for
 * them each time takes several times what a span takes. So the next requests do without, more
 * with each vain look. The counters are hints: a race costs a look.
 */
static bool skips_arena(struct kspan_page_heap *ph)
{
	u8 skip = READ_ONCE(ph->skip);

	if (!skip)
		return false;
	WRITE_ONCE(ph->skip, skip - 1);
	return true;
}

static void note_arena(struct kspan_page_heap *ph, bool found)
{
	u8 next = READ_ONCE(ph->skip_next);

	WRITE_ONCE(ph->skip, found ? 0 : next);
	WRITE_ONCE(ph->skip_next, found ? 1 : min(2 * next, KSPAN_SKIP_MOST));
	WRITE_ONCE(ph->loose_most, KSPAN_ARENA_ORDER);
}

/* For a small span; for a large one there is nothing else. */
static struct kspan_span *alloc_from_effortless_arena(const struct kspan_request *rq)
{
	gfp_t gfp = kspan_gfp_effortless(rq->gfp) | __GFP_THISNODE;
	struct kspan_page_heap *ph = page_heaps[rq->nid];
	struct kspan_span *span;

	if (rq->class && skips_arena(ph))
		return NULL;
	if (!kspan_block_is_spare(rq->nid, KSPAN_PAGE_ORDER + order_base_2(rq->npages)))
		return NULL;
	span = alloc_from_new_arena(rq->nid, rq->npages, rq->class, gfp);
	if (rq->class)
		note_arena(ph, span);
	return span;
}

static bool may_allocate(gfp_t gfp)
{
	return !(gfp & KSPAN_GFP_NOLOCK);
}

/* Free pages of the node, also those that a limit makes others give up. */
static struct kspan_span *alloc_from_free_pages(const struct kspan_request *rq)
{
	struct kspan_span *span;

	span = alloc_from_arenas(rq->nid, rq->npages, rq->align, rq->class, rq->gfp);
	if (!span && kspan_relieve_soft_limit(rq->nid, rq->npages, rq->gfp))
		span = alloc_from_arenas(rq->nid, rq->npages, rq->align, rq->class, rq->gfp);
	return span;
}

/* The order of the longest block that is no longer than the span is to be. */
static unsigned int usual_order(const struct kspan_request *rq)
{
	return max_t(unsigned int, rq->least, KSPAN_PAGE_ORDER + ilog2(rq->npages));
}

/*
 * Shorter and shorter, but longer than what holds an object has to be: free pages of the
 * node first.
 */
static struct kspan_span *alloc_shorter(const struct kspan_request *rq)
{
	struct kspan_page_heap *ph = page_heaps[rq->nid];
	unsigned int order = usual_order(rq), npages = rq->npages / 2;
	gfp_t gfp = kspan_gfp_effortless(rq->gfp);
	struct kspan_span *span = NULL;

	if (READ_ONCE(ph->skip))
		order = max(rq->least, min_t(unsigned int, order, READ_ONCE(ph->loose_most)));
	if (!kspan_glance(ph->filled))
		npages = 0;
	for (; !span && npages && npages << KSPAN_PAGE_ORDER >= 1U << rq->least; npages /= 2)
		span = alloc_from_arenas(rq->nid, npages, min(rq->align, npages), rq->class, gfp);
	while (!span && order > rq->least && may_allocate(rq->gfp) &&
	       kspan_block_is_spare(rq->nid, order)) {
		span = alloc_loose(rq->nid, order, rq->class, gfp);
		if (!span)
			WRITE_ONCE(ph->loose_most, --order);
	}
	return span;
}

/* The smallest block that holds an object, with all that the caller's flags allow. */
static struct kspan_span *alloc_with_effort(const struct kspan_request *rq)
{
	if (rq->class)
		return alloc_loose(rq->nid, rq->least, rq->class, rq->gfp);
	return alloc_from_new_arena(rq->nid, rq->npages, 0, rq->gfp);
}

/**
 * kspan_page_heap_try() - allocate a run of pages from one of the places there are
 * @rq:		what is wanted
 * @from:	the place
 *
 * Context: as @rq->gfp says; with KSPAN_GFP_NOLOCK free pages are all there is.
 * Return: a span, DETACHED for a class and LARGE without one, or NULL.
 */
struct kspan_span *kspan_page_heap_try(const struct kspan_request *rq, enum kspan_source from)
{
	switch (from) {
	case KSPAN_FROM_FREE_PAGES:
		return alloc_from_free_pages(rq);
	case KSPAN_FROM_NEW_ARENA:
		return !may_allocate(rq->gfp) ? NULL : alloc_from_effortless_arena(rq);
	case KSPAN_FROM_OTHER_NODES:
		return rq->gfp & __GFP_THISNODE ? NULL :
		       alloc_from_other_nodes(rq->nid, rq->npages, rq->align, rq->class, rq->gfp);
	case KSPAN_FROM_SHORTER_RUNS:
		return !rq->class ? NULL : alloc_shorter(rq);
	case KSPAN_WITH_EFFORT:
		return !may_allocate(rq->gfp) ? NULL : alloc_with_effort(rq);
	case KSPAN_BEYOND_LIMIT:
		return !kspan_relieve_hard_limit(rq->nid, rq->npages, rq->gfp) ? NULL :
		       alloc_from_arenas(rq->nid, rq->npages, rq->align, rq->class, rq->gfp) ?:
		       alloc_with_effort(rq);
	default:
		return NULL;
	}
}

/**
 * kspan_page_heap_alloc() - allocate a run of pages from wherever there are some
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @npages:	length, 1...KSPAN_ARENA_PAGES
 * @align:	alignment of the start in pages, a power of two of at most
 *		@npages rounded up to one
 * @class:	size class of the span that the run will be, 0 for a large one
 * @gfp:	the caller's flags, used when an arena must be taken from buddy.
 *		__GFP_NOFAIL is the caller's to care for.
 *
 * All of enum kspan_source in turn; a span for a class may be loose, but not shorter.
 *
 * Context: as @gfp says.
 * Return: a span, DETACHED for a @class and LARGE without one, or NULL.
 */
struct kspan_span *kspan_page_heap_alloc(int nid, unsigned int npages, unsigned int align,
					 unsigned int class, gfp_t gfp)
{
	struct kspan_request rq = {
		.nid = nid, .npages = npages, .align = align, .class = class, .gfp = gfp,
		.least = KSPAN_PAGE_ORDER + order_base_2(npages),
	};
	struct kspan_span *span = NULL;
	enum kspan_source from;

	for (from = KSPAN_FROM_FREE_PAGES; !span && from < KSPAN_NR_SOURCES; from++)
		span = kspan_page_heap_try(&rq, from);
	return span;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_alloc);

/**
 * kspan_page_heap_alloc_emergency() - allocate a run from the system's reserves
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @size:	bytes, at most KSPAN_ARENA_SIZE
 * @gfp:	flags of a caller who may use the reserves
 *
 * The run is a whole block, so that nobody else gets any of it, and goes straight
 * back when it is freed.
 *
 * Context: as @gfp says.
 * Return: a LARGE span or NULL.
 */
struct kspan_span *kspan_page_heap_alloc_emergency(int nid, size_t size, gfp_t gfp)
{
	return alloc_loose(nid, get_order(size), 0, gfp | KSPAN_GFP_EMERGENCY);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_alloc_emergency);

static void unlink_arena(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	unsigned int present = arena->npages - arena->holes;

	remove_from_bucket(ph, arena);
	rb_erase(&arena->node, &ph->arenas);
	remove_empty(ph, arena);
	ph->nr_arenas--;
	ph->holes -= arena->holes;
	ph->pages -= present;
	ph->released += present;
	idle_changed(ph);
}

static bool arena_is_surplus(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	unsigned long most = (unsigned long)READ_ONCE(kspan_arena_reserve) * KSPAN_ARENA_PAGES;

	return !arena->used && !arena->releasing &&
	       (arena->holes ||
		(ph->empty_pages > most && ph->pages > kspan_glance(ph->keep)) ||
		ph->empty_pages > kspan_idle_allowance(ph->nid));
}

/* Arenas, and DEAD loose spans, that a task is to give back. */
static LLIST_HEAD(to_release);
static LLIST_HEAD(loose_to_release);

static void release_loose(struct kspan_span *span)
{
	kspan_block_free(span->start, ilog2(span->base_pages));
	kspan_span_free_descriptor(span);
}

static void release_listed(struct work_struct *work)
{
	struct kspan_arena *arena, *next;
	struct kspan_span *span, *next_span;

	llist_for_each_entry_safe(arena, next, llist_del_all(&to_release), release)
		kspan_arena_free(arena);
	llist_for_each_entry_safe(span, next_span, llist_del_all(&loose_to_release), deferred)
		release_loose(span);
}

static DECLARE_WORK(release_work, release_listed);

static void queue_release(struct irq_work *work)
{
	schedule_work(&release_work);
}

/* Lazy: its interrupt would come at once, where preemption is off for our own sake. */
static struct irq_work release_irq_work = IRQ_WORK_INIT_LAZY(queue_release);

/* What a free leaves to be done without the lock; @dropped: of a heap that goes. */
struct leftover {
	bool may_release;
	bool dropped;
	struct llist_head arenas;
	struct llist_head loose;
	struct list_head descriptors;
};

static void leftover_init(struct leftover *leftover, bool dropped)
{
	leftover->dropped = dropped;
	leftover->may_release = kspan_may_release();
	init_llist_head(&leftover->arenas);
	init_llist_head(&leftover->loose);
	INIT_LIST_HEAD(&leftover->descriptors);
}

/* Arenas go by way of an interrupt to a task, from wherever a free may come. */
static void leftover_release(struct leftover *leftover)
{
	struct llist_node *arenas = __llist_del_all(&leftover->arenas);
	struct llist_node *loose = __llist_del_all(&leftover->loose);
	struct kspan_span *span, *next_span;
	struct kspan_arena *arena, *next;

	if (!list_empty(&leftover->descriptors))
		kspan_span_free_descriptors(&leftover->descriptors);
	if (!arenas && !loose)
		return;
	llist_for_each_entry_safe(span, next_span, loose, deferred) {
		if (leftover->may_release)
			release_loose(span);
		else
			llist_add(&span->deferred, &loose_to_release);
	}
	llist_for_each_entry_safe(arena, next, arenas, release) {
		if (leftover->may_release)
			kspan_arena_free(arena);
		else
			llist_add(&arena->release, &to_release);
	}
	if (!leftover->may_release)
		irq_work_queue(&release_irq_work);
}

/* Pages of DEAD spans. */
static void free_run(struct kspan_page_heap *ph, struct kspan_arena *arena, unsigned int first,
		     unsigned int n, struct leftover *leftover)
{
	free_pages_of(ph, arena, first, n);
	if (leftover->dropped) {
		kspan_run_set(arena->dropped, first, n);
		arena->any_dropped = true;
	}
	if (!arena->used && arena_is_surplus(ph, arena)) {
		unlink_arena(ph, arena);
		__llist_add(&arena->release, &leftover->arenas);
	}
}

/* The descriptor of a DEAD span. */
static void free_descriptor(struct kspan_page_heap *ph, struct kspan_span *span,
			    struct leftover *leftover)
{
	if (unlikely(span->gone_pages))
		kspan_map_clear_pages(span, kspan_span_own_pages(span));
	else
		kspan_map_clear(span);
	keep_spare(ph, span);
	if (leftover->may_release)
		move_excess_spares(ph, &leftover->descriptors);
}

/* What a DEAD span that was hollow still had. */
static noinline void free_own_pages(struct kspan_page_heap *ph, struct kspan_span *span,
				    struct leftover *leftover)
{
	struct kspan_arena *arena = span->arena;
	unsigned int start = page_of(arena, span->start);
	unsigned long pages = kspan_span_own_pages(span), first, end;

	for_each_set_bitrange(first, end, &pages, KSPAN_HOLLOW_PAGES)
		free_run(ph, arena, start + first, end - first, leftover);
}

/* The block of a DEAD span; its descriptor goes with it, as it says where that is. */
static noinline void free_loose(struct kspan_page_heap *ph, struct kspan_span *span,
				struct leftover *leftover)
{
	kspan_map_clear(span);
	ph->loose--;
	ph->loose_pages -= span->base_pages;
	ph->loose_released += span->base_pages;
	__llist_add(&span->deferred, &leftover->loose);
}

/* All that a DEAD span had. */
static void free_dead(struct kspan_page_heap *ph, struct kspan_span *span,
		      struct leftover *leftover)
{
	if (unlikely(kspan_span_is_loose(span)))
		return free_loose(ph, span, leftover);
	free_descriptor(ph, span, leftover);
	if (unlikely(span->gone_pages))
		free_own_pages(ph, span, leftover);
	else
		free_run(ph, span->arena, page_of(span->arena, span->start),
			 kspan_span_npages(span), leftover);
}

static bool free_span(struct kspan_span *span, unsigned long start,
		      enum kspan_span_state expected, bool dropped)
{
	unsigned int nid = READ_ONCE(span->nid);
	struct kspan_page_heap *ph = page_heaps[nid];
	struct leftover leftover;
	unsigned long flags;

	leftover_init(&leftover, dropped);
	raw_spin_lock_irqsave(&ph->lock, flags);
	if (span->nid != nid || span->start != start ||
	    !kspan_span_change_state(span, expected, KSPAN_SPAN_DEAD)) {
		raw_spin_unlock_irqrestore(&ph->lock, flags);
		return false;
	}
	if (expected != KSPAN_SPAN_DETACHED) {
		ph->large--;
		account_large(ph, -(int)kspan_span_npages(span));
	}
	free_dead(ph, span, &leftover);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	leftover_release(&leftover);
	return true;
}

/**
 * kspan_page_heap_free() - free a run of pages
 * @span:	the run; a DETACHED one belongs to the caller, of a LARGE one the
 *		caller may only know that it was there a moment ago
 * @start:	address of the run
 * @expected:	DETACHED, LARGE, LARGE_DEFERRED or LARGE_CACHED
 *
 * Context: task, softirq, hardirq.
 * Return: whether it was freed; false, and nothing done, when the span is no
 * longer what the caller took it for: somebody else freed it.
 */
bool kspan_page_heap_free(struct kspan_span *span, unsigned long start,
			  enum kspan_span_state expected)
{
	return free_span(span, start, expected, false);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_free);

/**
 * kspan_page_heap_drop() - free the run of a large object of a heap that goes
 * @span: LARGE_DEFERRED, the caller's
 *
 * Context: task, softirq, hardirq.
 */
void kspan_page_heap_drop(struct kspan_span *span)
{
	free_span(span, span->start, KSPAN_SPAN_LARGE_DEFERRED, true);
}

/* Runs, and spans of these, that are freed under one lock. */
#define KSPAN_RUNS_FREED	3
#define KSPAN_SPANS_FREED	10

static void free_some_spans(struct kspan_page_heap *ph, struct list_head *spans,
			    struct leftover *leftover)
{
	unsigned int first = 0, end = 0, runs = 0, n = 0;
	struct kspan_arena *arena = NULL;
	struct kspan_span *span, *next;

	list_for_each_entry_safe(span, next, spans, list) {
		bool single = kspan_span_is_loose(span) || span->gone_pages;
		unsigned int page = single ? 0 : page_of(span->arena, span->start);
		unsigned int npages = kspan_span_npages(span);
		bool behind = !single && span->arena == arena && page == end;
		bool before = !single && span->arena == arena && page + npages == first;

		if (n++ == KSPAN_SPANS_FREED || (!behind && !before && runs++ == KSPAN_RUNS_FREED))
			break;
		list_del(&span->list);
		kspan_span_set_state(span, KSPAN_SPAN_DEAD);
		if (unlikely(single)) {
			free_dead(ph, span, leftover);
			continue;
		}
		free_descriptor(ph, span, leftover);
		/* Neighbours are freed as one run. */
		if (behind) {
			end += npages;
		} else if (before) {
			first = page;
		} else {
			if (arena)
				free_run(ph, arena, first, end - first, leftover);
			arena = span->arena;
			first = page;
			end = page + npages;
		}
	}
	if (arena)
		free_run(ph, arena, first, end - first, leftover);
}

/**
 * kspan_page_heap_free_spans() - free many runs of pages of one node
 * @spans:	DETACHED spans, the caller's; the list is undefined afterwards
 * @dropped:	they are of a heap that goes
 *
 * Context: task, softirq, hardirq.
 */
void kspan_page_heap_free_spans(struct list_head *spans, bool dropped)
{
	struct kspan_page_heap *ph;
	struct leftover leftover;
	unsigned long flags;

	if (list_empty(spans))
		return;
	ph = page_heaps[list_first_entry(spans, struct kspan_span, list)->nid];
	while (!list_empty(spans)) {
		leftover_init(&leftover, dropped);
		raw_spin_lock_irqsave(&ph->lock, flags);
		free_some_spans(ph, spans, &leftover);
		raw_spin_unlock_irqrestore(&ph->lock, flags);
		leftover_release(&leftover);
	}
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_free_spans);

/**
 * kspan_page_heap_hollow() - take free pages out of a span in use
 * @span:	a SMALL span; the lock of its central is held, so it stays
 * @pages:	a bit for each page; no slot touches one that could be out
 *
 * From here on they are free pages like others.
 */
void kspan_page_heap_hollow(struct kspan_span *span, unsigned int pages)
{
	struct kspan_page_heap *ph = page_heaps[span->nid];
	unsigned int start = page_of(span->arena, span->start);
	unsigned long map = pages, first, end;

	raw_spin_lock(&ph->lock);
	/* Before the entries: who finds none looks for the span below. */
	smp_store_mb(span->gone_pages, span->gone_pages | pages);
	kspan_map_clear_pages(span, pages);
	for_each_set_bitrange(first, end, &map, KSPAN_HOLLOW_PAGES)
		free_pages_of(ph, span->arena, start + first, end - first);
	raw_spin_unlock(&ph->lock);
}

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

static bool resize(struct kspan_page_heap *ph, struct kspan_span *span, unsigned int npages)
{
	unsigned int old = kspan_span_npages(span), first, old_end, new_end;
	struct kspan_arena *arena = span->arena;

	/* Half a page is less than one. */
	if (kspan_span_is_loose(span))
		return npages << KSPAN_PAGE_ORDER == span->base_pages;
	first = page_of(arena, span->start);
	old_end = first + old;
	new_end = first + npages;
	if (new_end > old_end) {
		if (new_end > arena->npages ||
		    find_next_zero_bit(arena->free, new_end, old_end) < new_end)
			return false;
		take_pages(ph, arena, old_end, new_end - old_end);
	} else if (new_end < old_end) {
		free_pages_of(ph, arena, new_end, old_end - new_end);
	}
	account_large(ph, (int)new_end - (int)old_end);
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
	struct kspan_page_heap *ph = page_heaps[page_to_nid(virt_to_page((void *)start))];
	struct kspan_span *span;
	unsigned long flags;
	bool done = false;

	if (!kspan_lock(&ph->lock, &flags, gfp))
		return false;
	span = kspan_map_span(start);
	if (span && span->start == start && kspan_span_is_large(span->state))
		done = resize(ph, span, npages);
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
	struct kspan_page_heap *ph = page_heaps[nid];
	struct kspan_arena *arena;
	unsigned long flags;

	/* For a report only: an NMI that finds the lock taken does without. */
	if (!kspan_lock(&ph->lock, &flags, in_nmi() ? KSPAN_GFP_NOLOCK : 0))
		return state;
	arena = arena_at(ph, addr);
	if (arena)
		state = page_state(arena, page_of(arena, addr));
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

/* One empty arena, unlinked, or NULL. */
static struct kspan_arena *take_empty_arena(struct kspan_page_heap *ph)
{
	struct kspan_arena *arena, *found = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&ph->lock, flags);
	list_for_each_entry(arena, &ph->empty, in_empty) {
		if (arena->releasing)
			continue;
		unlink_arena(ph, arena);
		found = arena;
		break;
	}
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return found;
}

static unsigned int nr_free(const struct kspan_arena *arena)
{
	return arena->npages - arena->holes - arena->used;
}

/* The arena in use with the most free pages, of some of each bucket; or NULL. */
static struct kspan_arena *sparsest_arena(struct kspan_page_heap *ph)
{
	struct kspan_arena *arena, *sparsest = NULL;
	unsigned int bucket, most = 0, n;

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

/* Make holes of all free pages of an arena; they are still to be given back. */
static unsigned int take_holes(struct kspan_page_heap *ph, struct kspan_arena *arena,
			       unsigned long *pages)
{
	unsigned int n = nr_free(arena);

	bitmap_copy(pages, arena->free, KSPAN_ARENA_PAGES);
	bitmap_or(arena->absent, arena->absent, pages, KSPAN_ARENA_PAGES);
	bitmap_andnot(arena->touched, arena->touched, pages, KSPAN_ARENA_PAGES);
	bitmap_andnot(arena->dropped, arena->dropped, pages, KSPAN_ARENA_PAGES);
	bitmap_zero(arena->free, KSPAN_ARENA_PAGES);
	set_longest(ph, arena, 0);
	arena->holes += n;
	arena->releasing = true;
	ph->holes += n;
	ph->pages -= n;
	ph->released += n;
	idle_changed(ph);
	return n;
}

/*
 * Give back the free pages of one arena in use. The page allocator is called without the
 * lock; the mark keeps the arena meanwhile, even if its last used page is freed.
 */
static unsigned int release_holes(struct kspan_page_heap *ph)
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
		unlink_arena(ph, arena);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	if (empty)
		kspan_arena_free(arena);
	return n;
}

/**
 * kspan_page_heap_release() - give free pages back to the page allocator
 * @nid:	node
 * @want:	how many; more go where an arena has more
 * @holes:	also those of arenas in use, the sparsest first, when empty arenas are
 *		not enough. That costs the rest of such a block its size for good, to
 *		the page allocator as to us.
 *
 * Context: task; does not sleep, and takes no lock that is held across an allocation.
 * Return: how many there were.
 */
unsigned long kspan_page_heap_release(int nid, unsigned long want, bool holes)
{
	struct kspan_page_heap *ph = page_heaps[nid];
	unsigned long done = 0, pages;
	struct kspan_arena *arena;

	kspan_page_heap_merge_all(ph);
	/* What frees left to a work item that may have to wait for memory. */
	release_listed(NULL);
	while (done < want && (arena = take_empty_arena(ph))) {
		done += arena->npages - arena->holes;
		kspan_arena_free(arena);
	}
	while (holes && done < want && (pages = release_holes(ph)))
		done += pages;
	return done;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_release);

static void trim_spares(struct kspan_page_heap *ph)
{
	struct leftover leftover;
	unsigned long flags;

	do {
		leftover_init(&leftover, false);
		raw_spin_lock_irqsave(&ph->lock, flags);
		move_excess_spares(ph, &leftover.descriptors);
		raw_spin_unlock_irqrestore(&ph->lock, flags);
		leftover_release(&leftover);
	} while (kspan_glance(ph->nr_spares) >= KSPAN_SPARES_MAX + KSPAN_SPAN_BATCH);
}

/** kspan_page_heap_trim() - give all free pages back, the reserve included */
void kspan_page_heap_trim(void)
{
	int nid;

	for_each_node(nid) {
		kspan_page_heap_release(nid, ULONG_MAX, true);
		trim_spares(page_heaps[nid]);
		kspan_page_heap_report(page_heaps[nid]);
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
	unsigned int bucket;
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
		INIT_LIST_HEAD(&ph->empty);
		for (bucket = 0; bucket < KSPAN_NR_BUCKETS; bucket++)
			INIT_LIST_HEAD(&ph->buckets[bucket]);
		ph->nid = nid;
		ph->skip_next = 1;
		ph->loose_most = KSPAN_ARENA_ORDER;
		page_heaps[nid] = ph;
	}
	return 0;
}

/* At unload: objects that nobody freed end here, also for kmemleak. */
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

/* The pages of a span, which is found from the first that it has. */
static void mark_dropped(struct kspan_arena *arena, struct kspan_span *span)
{
	unsigned int start = page_of(arena, span->start);
	unsigned long pages, i;

	if (!span->gone_pages) {
		bitmap_set(arena->free, start, kspan_span_npages(span));
		return;
	}
	pages = kspan_span_own_pages(span);
	for_each_set_bit(i, &pages, KSPAN_HOLLOW_PAGES)
		__set_bit(start + i, arena->free);
}

static void drop_loose(struct kspan_span *span)
{
	if (!kspan_span_is_loose(span))
		return;
	drop_objects(span);
	release_loose(span);
}

static void drop_arena(struct kspan_arena *arena)
{
	unsigned int page = 0;

	/* What is neither free nor a hole. */
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
 * kspan_page_heap_exit() - give all arenas back, used or not
 *
 * Nobody uses kspan any more. Accepts half-built page heaps.
 */
void kspan_page_heap_exit(void)
{
	struct kspan_arena *arena, *next;
	int nid;

	for_each_node(nid)
		if (page_heaps[nid])
			kspan_page_heap_merge_all(page_heaps[nid]);
	irq_work_sync(&release_irq_work);
	cancel_work_sync(&release_work);
	release_listed(NULL);
	kspan_map_visit_spans(drop_loose);
	for_each_node(nid) {
		struct kspan_page_heap *ph = page_heaps[nid];

		if (!ph)
			continue;
		if (ph->large)
			pr_warn("%lu large objects, %lu KiB, were never freed\n", ph->large,
				ph->large_pages << (KSPAN_PAGE_SHIFT - 10));
		rbtree_postorder_for_each_entry_safe(arena, next, &ph->arenas, node)
			drop_arena(arena);
		if (ph->reported)
			report_idle(ph, 0);
		kspan_span_free_descriptors(&ph->spares);
		kfree(ph);
		page_heaps[nid] = NULL;
	}
}
