// SPDX-License-Identifier: GPL-2.0
/*
 * Arenas and the map
 *
 * An arena is one block of buddy pages. The largest order is tried first and
 * cheaply, without reclaim; then order by order down to the smallest that
 * serves the request, and only that one is asked for with all that the
 * caller's flags allow. What was taken whole goes back whole, except as the last
 * resort: split_page() makes a block single pages, some of which go back before the
 * others.
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

/* Whether not even the smallest block may be had: then nothing else need be prepared. */
static bool is_at_limit(unsigned int order)
{
	unsigned long limit = READ_ONCE(kspan_hard_limit) >> PAGE_SHIFT;

	return limit && atomic_long_read(&held) + (1L << order) > limit;
}

/* A block, if it may be had: @unlimited says that the limit does not count. */
static struct page *alloc_within_limit(int nid, unsigned int order, gfp_t gfp, bool unlimited)
{
	unsigned long limit = READ_ONCE(kspan_hard_limit) >> PAGE_SHIFT;
	struct page *page = NULL;

	if (atomic_long_add_return(1L << order, &held) <= limit || !limit || unlimited)
		page = alloc_pages_node(nid, gfp, order);
	if (!page)
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

static void free_block(struct page *page, unsigned int order)
{
	__free_pages(page, order);
	atomic_long_sub(1L << order, &held);
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

	if (fail_arena() || (!unlimited && is_at_limit(min)))
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
 * kspan_arena_split() - make single pages of a block
 * @arena: one that was not split, and can't be freed meanwhile
 */
void kspan_arena_split(struct kspan_arena *arena)
{
	split_page(virt_to_page((void *)arena->start), arena->order);
	arena->split = true;
}

/**
 * kspan_arena_free_pages() - give some pages back to the buddy allocator
 * @arena:	one that was split
 * @pages:	a bit for each of kspan's pages
 */
void kspan_arena_free_pages(struct kspan_arena *arena, const unsigned long *pages)
{
	unsigned int bit, i;

	for_each_set_bit(bit, pages, arena->npages) {
		unsigned long addr = arena->start + ((unsigned long)bit << KSPAN_PAGE_SHIFT);
		struct page *page = virt_to_page((void *)addr);

		for (i = 0; i < 1U << KSPAN_PAGE_ORDER; i++)
			free_block(page + i, 0);
	}
}

/**
 * kspan_arena_free() - give a block back to the buddy allocator
 * @arena: an arena without a used page, unlinked from its page heap
 */
void kspan_arena_free(struct kspan_arena *arena)
{
	DECLARE_BITMAP(present, KSPAN_ARENA_PAGES);

	if (arena->split) {
		bitmap_complement(present, arena->absent, KSPAN_ARENA_PAGES);
		kspan_arena_free_pages(arena, present);
	} else {
		free_block(virt_to_page((void *)arena->start), arena->order);
	}
	kfree(arena);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_free);
