// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks of the page allocator
 *
 * All memory for objects comes from here and is given back here, as blocks of the buddy
 * allocator: naturally aligned, 2^order pages of the kernel. A block becomes an arena, see
 * arena.c, or a loose span, see loose.c.
 *
 * While a page is kspan's, its reference count is KSPAN_PAGE_REFS, far below zero. So a
 * kfree() or put_page() of an address in it frees nothing, and neither does a get_page()
 * with its put_page(). sendpage_ok() is false for such a page, and memory hotplug sees that
 * the page is in use. kspan looks at the count of each page before it gives the page back,
 * and reports what others did to it.
 *
 * A block is allocated without __GFP_COMP. To the page allocator such a block is any number
 * of smaller blocks, once the first page of each has a count of 1 and the others of 0. So
 * parts of a block can be given back before the rest.
 *
 * Context: allocation as the gfp flags say, from task, softirq and hardirq.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>

#include "base/kunit_export.h"
#include "pages/block.h"

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

bool kspan_block_should_fail(void)
{
	/* As should_fail() would say, which takes a while to. */
	if (likely(!READ_ONCE(kspan_fail_arena.probability) && !READ_ONCE(current->fail_nth)))
		return false;
	return should_fail(&kspan_fail_arena, 1);
}
#else
bool kspan_block_should_fail(void)
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
void __kspan_block_free(struct page *page, unsigned int order)
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

/* Pages that all blocks may have; 0: no limit, which a limit of less than a page is not. */
static unsigned long limit_in_pages(void)
{
	unsigned long limit = READ_ONCE(kspan_hard_limit);

	return limit ? max(limit / PAGE_SIZE, 1UL) : 0;
}

/* Whether not even the smallest block may be had: then nothing else need be prepared. */
bool kspan_block_at_limit(unsigned int order)
{
	unsigned long limit = limit_in_pages();

	return limit && atomic_long_read(&held) + (1L << order) > limit;
}

/*
 * What the page allocator is to be told. A caller who may use the system's reserves must not
 * get them here, as others would be served from them, too: he has KSPAN_GFP_EMERGENCY for it.
 */
static gfp_t block_gfp(gfp_t gfp)
{
	gfp_t passed = gfp & (KSPAN_GFP_PASSED | __GFP_NOMEMALLOC);

	if (gfp & KSPAN_GFP_EMERGENCY)
		return passed | __GFP_MEMALLOC;
	return kspan_may_use_reserves(gfp) ? passed | __GFP_NOMEMALLOC : passed;
}

/* A block that the map knows, if the limit allows it. */
struct page *__kspan_block_alloc(int nid, unsigned int order, gfp_t gfp)
{
	bool unlimited = gfp & (__GFP_NOFAIL | KSPAN_GFP_EMERGENCY);
	unsigned long limit = limit_in_pages();
	struct page *page = NULL;

	if (atomic_long_add_return(1L << order, &held) <= limit || !limit || unlimited)
		page = alloc_pages_node(nid, block_gfp(gfp), order);
	if (!page) {
		atomic_long_sub(1L << order, &held);
		return NULL;
	}
	claim_pages(page, 1UL << order);
	if (kspan_map_prepare(page_to_nid(page), (unsigned long)page_address(page),
			      PAGE_SIZE << order, kspan_gfp_metadata(gfp)))
		return page;
	__kspan_block_free(page, order);
	return NULL;
}

/**
 * kspan_block_alloc() - take a block from the buddy allocator
 * @nid:	preferred node; the only one with __GFP_THISNODE in @gfp
 * @order:	its order
 * @gfp:	the caller's flags; zone and zeroing flags are ignored. The system's reserves
 *		are used with KSPAN_GFP_EMERGENCY only: what they give must not be served
 *		to everybody. With __GFP_NOFAIL the limit does not count.
 *
 * Context: as @gfp says; no lock held.
 * Return: its first page, or NULL.
 */
struct page *kspan_block_alloc(int nid, unsigned int order, gfp_t gfp)
{
	return kspan_block_should_fail() ? NULL : __kspan_block_alloc(nid, order, gfp);
}

/**
 * kspan_block_free() - give a block back to the buddy allocator
 * @start:	address of its first byte
 * @order:	its order
 */
void kspan_block_free(unsigned long start, unsigned int order)
{
	__kspan_block_free(virt_to_page((void *)start), order);
}

/**
 * kspan_block_is_spare() - whether memory for a block is to spare on a node
 * @nid:	the node
 * @order:	order of the block
 *
 * Below the low watermark the page allocator wakes kswapd, and asks other nodes first.
 * An attempt that is not to make it do that, for a block larger than need be, is one that
 * must not be made there: so the one for the smallest block is what kswapd is woken for.
 *
 * Context: any.
 * Return: whether some zone that kernel memory is from stays above it.
 */
bool kspan_block_is_spare(int nid, unsigned int order)
{
	int i;

	for (i = ZONE_NORMAL; i >= 0 && node_online(nid); i--) {
		struct zone *zone = &NODE_DATA(nid)->node_zones[i];

		if (populated_zone(zone) && zone_page_state(zone, NR_FREE_PAGES) >
		    low_wmark_pages(zone) + zone->lowmem_reserve[ZONE_NORMAL] + (1UL << order))
			return true;
	}
	return false;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_block_is_spare);
