// SPDX-License-Identifier: GPL-2.0
/*
 * Arenas and the map
 *
 * An arena is one block of buddy pages. The largest order is tried first and
 * cheaply, without reclaim; then order by order down to the smallest that
 * serves the request, and only that one is asked for with all that the
 * caller's flags allow. What was taken whole goes back whole, except as the last
 * resort: then runs of pages go back before the others, as the largest aligned blocks
 * that they have.
 *
 * While a page is kspan's, its reference count is KSPAN_PAGE_REFS, far below zero. So a
 * kfree() or put_page() of an address of ours frees nothing, nor does a get_page() with its
 * put_page(); sendpage_ok() is false, and whoever wants to offline the memory sees that the
 * page is in use. Each page is looked at when it goes back, and what was done to its count
 * is told. A block that was asked for without __GFP_COMP is any number of smaller ones to
 * the page allocator, once their first pages have a count of 1 and the others of 0.
 *
 * The map tells what any address is, in a bounded number of loads and without
 * touching struct page: a byte per 8 KiB page of the machine for the size
 * class (0.012 % of memory), and a two-level table for the span. The first
 * level covers all memory up to the highest page frame, leaves come with the
 * first arena of their window and stay until unload.
 *
 * Context: alloc as the gfp flags say, from task, softirq and hardirq.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/vmalloc.h>

#include "arena.h"
#include "kunit_export.h"

struct kspan_map kspan_map __read_mostly;
KSPAN_EXPORT_FOR_KUNIT(kspan_map);

unsigned long kspan_hard_limit;
KSPAN_EXPORT_FOR_KUNIT(kspan_hard_limit);

/* The kernel's pages of all arenas. */
static atomic_long_t held = ATOMIC_LONG_INIT(0);

/** kspan_arena_bytes() - bytes of all arenas */
unsigned long kspan_arena_bytes(void)
{
	return atomic_long_read(&held) << PAGE_SHIFT;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_bytes);

#ifdef CONFIG_FAULT_INJECTION
DECLARE_FAULT_ATTR(kspan_fail_arena);
KSPAN_EXPORT_FOR_KUNIT(kspan_fail_arena);

static bool fail_arena(void)
{
	return should_fail(&kspan_fail_arena, 1);
}
#else
static bool fail_arena(void)
{
	return false;
}
#endif

/**
 * kspan_arena_debugfs_init() - show the fault-injection attributes
 * @dir: debugfs directory of kspan
 *
 * Creates failkspan/ (Documentation/fault-injection of the kernel tells what
 * its files mean), which makes arena allocations fail; nothing on kernels
 * without CONFIG_FAULT_INJECTION_DEBUG_FS.
 *
 * Return: 0 or a negative errno.
 */
int kspan_arena_debugfs_init(struct dentry *dir)
{
#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
	return PTR_ERR_OR_ZERO(fault_create_debugfs_attr("failkspan", dir, &kspan_fail_arena));
#else
	return 0;
#endif
}

/* First and end page frame of all nodes. */
static void memory_range(unsigned long *first, unsigned long *end)
{
	int nid;

	*first = ULONG_MAX;
	*end = 0;
	for_each_online_node(nid) {
		pg_data_t *pgdat = NODE_DATA(nid);

		if (!pgdat->node_spanned_pages)
			continue;
		*first = min(*first, pgdat->node_start_pfn);
		*end = max(*end, pgdat_end_pfn(pgdat));
	}
}

static unsigned long nr_leaf_slots(void)
{
	return DIV_ROUND_UP(kspan_map.nr_pages, KSPAN_ARENA_PAGES);
}

/**
 * kspan_map_init() - size the map by the machine's memory
 *
 * Memory that comes online later above the highest page frame of today is not
 * used: its blocks are given back.
 *
 * Return: 0 or -ENOMEM.
 */
int kspan_map_init(void)
{
	unsigned long first, end;

	memory_range(&first, &end);
	kspan_map.base = ALIGN_DOWN((unsigned long)__va(PFN_PHYS(first)), KSPAN_ARENA_SIZE);
	kspan_map.nr_pages = ((unsigned long)__va(PFN_PHYS(end)) - kspan_map.base) >>
			     KSPAN_PAGE_SHIFT;
	kspan_map.page_class = vzalloc(kspan_map.nr_pages);
	kspan_map.leaf = vzalloc(array_size(nr_leaf_slots(), sizeof(*kspan_map.leaf)));
	if (!kspan_map.page_class || !kspan_map.leaf) {
		kspan_map_exit();
		return -ENOMEM;
	}
	return 0;
}

/**
 * kspan_map_exit() - free the map
 *
 * The caller has freed all arenas. Accepts a half-built map.
 */
void kspan_map_exit(void)
{
	unsigned long i;

	if (kspan_map.leaf)
		for (i = 0; i < nr_leaf_slots(); i++)
			kfree(kspan_map.leaf[i]);
	vfree(kspan_map.leaf);
	vfree(kspan_map.page_class);
	memset(&kspan_map, 0, sizeof(kspan_map));
}

/**
 * kspan_map_bytes() - memory that the map takes
 * Return: bytes.
 */
size_t kspan_map_bytes(void)
{
	return PAGE_ALIGN(kspan_map.nr_pages) +
	       PAGE_ALIGN(nr_leaf_slots() * sizeof(*kspan_map.leaf)) +
	       atomic_long_read(&kspan_map.nr_leaves) * sizeof(struct kspan_map_leaf);
}

/* The nearest entry below; NULL also when that is of a span whose page this was once. */
static struct kspan_span *span_below(struct kspan_map_leaf *leaf, unsigned long addr)
{
	long i = kspan_map_page(addr) % KSPAN_ARENA_PAGES - 1;
	struct kspan_span *span = NULL;
	unsigned long page;

	for (; i >= 0 && !span; i--)
		span = READ_ONCE(leaf->span[i]);
	if (!span)
		return NULL;
	page = (addr - READ_ONCE(span->start)) >> KSPAN_PAGE_SHIFT;
	return page < KSPAN_HOLLOW_PAGES && READ_ONCE(span->gone_pages) & BIT(page) ? NULL : span;
}

/**
 * kspan_map_span() - the run of pages that an address lies in
 * @addr: any address at all
 *
 * Pages of a large span but the first have no entry of their own; for them the
 * nearest entry below is looked up and its length compared; pages that a hollow
 * span has no longer are in none. The answer is
 * a hint unless the caller owns an object of the span: verify it under the
 * lock that protects the span. Call it with preemption or interrupts off, or
 * in an RCU read-side critical section; rcu_read_lock_sched() is the cheapest.
 *
 * Return: the span, or NULL when the address is in none.
 */
struct kspan_span *kspan_map_span(unsigned long addr)
{
	unsigned long page = kspan_map_page(addr);
	struct kspan_map_leaf *leaf;
	struct kspan_span *span;

	if (page >= kspan_map.nr_pages)
		return NULL;
	/* Pairs with the release in ensure_leaf(). */
	leaf = smp_load_acquire(&kspan_map.leaf[page / KSPAN_ARENA_PAGES]);
	if (!leaf)
		return NULL;
	span = READ_ONCE(leaf->span[page % KSPAN_ARENA_PAGES]);
	if (!span)
		span = span_below(leaf, addr);
	if (!span || addr - READ_ONCE(span->start) >=
		     (unsigned long)READ_ONCE(span->npages) << KSPAN_PAGE_SHIFT)
		return NULL;
	return span;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_map_span);

static bool ensure_leaf(unsigned long addr, gfp_t gfp)
{
	struct kspan_map_leaf **slot = &kspan_map.leaf[kspan_map_page(addr) / KSPAN_ARENA_PAGES];
	struct kspan_map_leaf *leaf;

	if (READ_ONCE(*slot))
		return true;
	leaf = kzalloc(sizeof(*leaf), gfp);
	if (!leaf)
		return false;
	/* Release: whoever sees the leaf sees its zeroes. */
	if (cmpxchg_release(slot, NULL, leaf))
		kfree(leaf);
	else
		atomic_long_inc(&kspan_map.nr_leaves);
	return true;
}

static bool block_is_mapped(unsigned long start, unsigned int order)
{
	return kspan_map_page(start + (PAGE_SIZE << order) - 1) < kspan_map.nr_pages;
}

static void claim_pages(struct page *page, unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		set_page_count(page + i, KSPAN_PAGE_REFS);
}

/* What others did to the counts of pages that went back, since load. */
static atomic_long_t stray_puts = ATOMIC_LONG_INIT(0);
static atomic_long_t stray_gets = ATOMIC_LONG_INIT(0);

/** kspan_arena_stray_puts() - kfree() and put_page() calls that hit pages of ours */
unsigned long kspan_arena_stray_puts(void)
{
	return atomic_long_read(&stray_puts);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_stray_puts);

/** kspan_arena_stray_gets() - references to pages of ours that were held when they went back */
unsigned long kspan_arena_stray_gets(void)
{
	return atomic_long_read(&stray_gets);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_stray_gets);

/*
 * Give a page back that somebody has references to: it is free with the last of them. The
 * count becomes theirs and ours, and ours is put.
 */
static void free_held_page(struct page *page, int refs)
{
	set_page_count(page, refs + 1);
	__free_page(page);
}

/*
 * Tell what was done to pages that are about to go back, which is told by their counts, and
 * make the counts right. Returns false when some page must go back by itself.
 */
static noinline bool report_strays(struct page *page, unsigned long n)
{
	unsigned long puts = 0, gets = 0, i;

	for (i = 0; i < n; i++) {
		int refs = page_count(page + i) - KSPAN_PAGE_REFS;

		if (refs > 0)
			gets += refs;
		else
			puts -= refs;
		if (refs < 0)
			set_page_count(page + i, KSPAN_PAGE_REFS);
	}
	atomic_long_add(puts, &stray_puts);
	atomic_long_add(gets, &stray_gets);
	if (puts)
		pr_warn_ratelimited("%lu stray kfree() or put_page() on the pages at %p: free memory of kspan by kspan_free(); nothing was lost\n",
				    puts, page_address(page));
	if (gets)
		pr_warn_ratelimited("%lu stray references to the pages at %p, whose objects were freed: they stay until these are put\n",
				    gets, page_address(page));
	return !gets;
}

static bool all_claimed(struct page *page, unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		if (page_count(page + i) != KSPAN_PAGE_REFS)
			return false;
	return true;
}

/* One aligned block, whole. */
static void free_block(struct page *page, unsigned int order)
{
	unsigned long n = 1UL << order, i;

	if (likely(all_claimed(page, n)) || report_strays(page, n)) {
		set_page_count(page, 1);
		for (i = 1; i < n; i++)
			set_page_count(page + i, 0);
		__free_pages(page, order);
	} else {
		for (i = 0; i < n; i++)
			free_held_page(page + i, page_count(page + i) - KSPAN_PAGE_REFS);
	}
	atomic_long_sub(n, &held);
}

/* A run of the kernel's pages, as the largest aligned blocks it has. */
static void free_run(unsigned long start, unsigned long n)
{
	unsigned long pfn = page_to_pfn(virt_to_page((void *)start));

	while (n) {
		unsigned int order = min_t(unsigned int, ilog2(n), KSPAN_ARENA_ORDER);

		if (pfn)
			order = min_t(unsigned int, order, __ffs(pfn));
		free_block(pfn_to_page(pfn), order);
		pfn += 1UL << order;
		n -= 1UL << order;
	}
}

/* A block, if it may be had: @unlimited says that the limit does not count. */
static struct page *alloc_within_limit(int nid, unsigned int order, gfp_t gfp, bool unlimited)
{
	unsigned long limit = READ_ONCE(kspan_hard_limit) >> PAGE_SHIFT;
	struct page *page = NULL;

	if (atomic_long_add_return(1L << order, &held) <= limit || !limit || unlimited)
		page = alloc_pages_node(nid, gfp, order);
	if (page)
		claim_pages(page, 1UL << order);
	else
		atomic_long_sub(1L << order, &held);
	return page;
}

/*
 * The largest block to be had, of @max down to @min order. Attempts that have a
 * smaller one to fall back to must be cheap and silent, and leave the reserve
 * for atomic allocations to those who have no choice.
 */
static struct page *alloc_block(int nid, unsigned int max, unsigned int min, gfp_t gfp,
				bool unlimited, unsigned int *order)
{
	gfp_t cheap = (gfp & ~(__GFP_RECLAIM | __GFP_RETRY_MAYFAIL | KSPAN_GFP_RESERVE)) |
		      __GFP_NOWARN | __GFP_NORETRY;
	struct page *page;

	for (*order = max; *order > min; --*order) {
		page = alloc_within_limit(nid, *order, cheap, unlimited);
		if (page)
			return page;
	}
	return alloc_within_limit(nid, min, gfp, unlimited);
}

/**
 * kspan_arena_alloc() - take a block from the buddy allocator
 * @nid:	preferred node; the only one with __GFP_THISNODE in @gfp
 * @npages:	kspan pages that the block must hold, as one run aligned to the
 *		next power of two; at most KSPAN_ARENA_PAGES
 * @most:	more are not wanted, if @npages is not
 * @gfp:	the caller's flags; zone and zeroing flags are ignored. Only with
 *		__GFP_MEMALLOC the system's reserves are used, and then for no
 *		more than @npages: what they give must not be served to
 *		everybody, as an ordinary arena is. With __GFP_NOFAIL the limit does
 *		not count.
 *
 * Context: as @gfp says; no lock held.
 * Return: an arena with a free and unlinked run of pages, or NULL.
 */
struct kspan_arena *kspan_arena_alloc(int nid, unsigned int npages, unsigned int most,
				      gfp_t gfp)
{
	unsigned int min = KSPAN_PAGE_ORDER + order_base_2(npages);
	unsigned int max = KSPAN_PAGE_ORDER + ilog2(most);
	bool unlimited = gfp & (__GFP_NOFAIL | __GFP_MEMALLOC);
	struct kspan_arena *arena;
	bool emergency;
	struct page *page;

	if (fail_arena())
		return NULL;
	emergency = gfp & __GFP_MEMALLOC;
	gfp = (gfp & KSPAN_GFP_PASSED) | (emergency ? __GFP_MEMALLOC : __GFP_NOMEMALLOC);
	arena = kzalloc(sizeof(*arena), kspan_gfp_metadata(gfp));
	if (!arena)
		return NULL;
	arena->emergency = emergency;
	page = alloc_block(nid, emergency ? min : max(min, max), min, gfp, unlimited,
			   &arena->order);
	if (!page)
		goto free_arena;
	arena->start = (unsigned long)page_address(page);
	arena->nid = page_to_nid(page);
	arena->npages = 1U << (arena->order - KSPAN_PAGE_ORDER);
	if (!block_is_mapped(arena->start, arena->order)) {
		pr_warn_once("a block at %p lies above the memory known at load and is not used; reload kspan to use memory that came online since\n",
			     (void *)arena->start);
		goto free_block;
	}
	if (!ensure_leaf(arena->start, kspan_gfp_metadata(gfp)))
		goto free_block;
	return arena;

free_block:
	free_block(page, arena->order);
free_arena:
	kfree(arena);
	return NULL;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_alloc);

/**
 * kspan_arena_free_pages() - give some pages back to the buddy allocator
 * @arena:	the arena, which can't be freed meanwhile
 * @pages:	a bit for each of kspan's pages
 */
void kspan_arena_free_pages(struct kspan_arena *arena, const unsigned long *pages)
{
	unsigned int first, end;

	for_each_set_bitrange(first, end, pages, arena->npages)
		free_run(arena->start + ((unsigned long)first << KSPAN_PAGE_SHIFT),
			 (unsigned long)(end - first) << KSPAN_PAGE_ORDER);
}

/**
 * kspan_arena_free() - give a block back to the buddy allocator
 * @arena: an arena without a used page, unlinked from its page heap
 */
void kspan_arena_free(struct kspan_arena *arena)
{
	DECLARE_BITMAP(present, KSPAN_ARENA_PAGES);

	if (arena->holes) {
		bitmap_complement(present, arena->absent, KSPAN_ARENA_PAGES);
		kspan_arena_free_pages(arena, present);
	} else {
		free_block(virt_to_page((void *)arena->start), arena->order);
	}
	kfree(arena);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_free);
