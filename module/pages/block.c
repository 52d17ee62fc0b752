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

/* Pages of the kernel in all blocks, those that are being allocated included. */
static atomic_long_t held = ATOMIC_LONG_INIT(0);

/** kspan_arena_bytes() - bytes of all arenas and loose spans */
unsigned long kspan_arena_bytes(void)
{
	return atomic_long_read(&held) << PAGE_SHIFT;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_bytes);

#ifdef CONFIG_FAULT_INJECTION
DECLARE_FAULT_ATTR(kspan_fail_arena);
KSPAN_EXPORT_FOR_KUNIT(kspan_fail_arena);

/* Whether fault injection wants the allocation of an arena or a block to fail. */
bool kspan_block_should_fail(void)
{
	/* should_fail() would return false, too, but it takes longer. */
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
 * Creates failkspan/, which makes allocations of arenas fail; the kernel's
 * Documentation/fault-injection explains its files. Creates nothing on kernels
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

/* Give pages that come from the page allocator the reference count of kspan's pages. */
static void claim_pages(struct page *page, unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		set_page_count(page + i, KSPAN_PAGE_REFS);
}

/* What others did to the counts of pages, as seen when these were given back, since load. */
static atomic_long_t stray_puts = ATOMIC_LONG_INIT(0);
static atomic_long_t stray_gets = ATOMIC_LONG_INIT(0);

/** kspan_arena_stray_puts() - number of kfree() and put_page() calls that hit kspan's pages */
unsigned long kspan_arena_stray_puts(void)
{
	return atomic_long_read(&stray_puts);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_stray_puts);

/**
 * kspan_arena_stray_gets() - number of references that others still held to kspan's pages when
 * these were given back
 */
unsigned long kspan_arena_stray_gets(void)
{
	return atomic_long_read(&stray_gets);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_arena_stray_gets);

/*
 * Give a page back that others hold @refs references to. Its count becomes @refs and one of
 * kspan's, which is put here. So the page is free when the others have put theirs.
 */
static void free_held_page(struct page *page, int refs)
{
	set_page_count(page, refs + 1);
	__free_page(page);
}

/*
 * Pages are about to be given back. Report what others did to their reference counts, and undo
 * puts. Returns false when others still have references: then each page is freed by itself.
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

/* Whether no other code has changed the reference counts of pages. */
static bool all_claimed(struct page *page, unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		if (page_count(page + i) != KSPAN_PAGE_REFS)
			return false;
	return true;
}

/* See kspan_block_free(). The block may also be a naturally aligned part of a larger one. */
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

/*
 * The most pages of the kernel that all blocks may have; 0 for no limit. A limit of less than a
 * page is a limit of one page, not none.
 */
static unsigned long limit_in_pages(void)
{
	unsigned long limit = READ_ONCE(kspan_hard_limit);

	return limit ? max(limit / PAGE_SIZE, 1UL) : 0;
}

/*
 * Whether the hard limit forbids a block of this order. arena.c asks before it allocates anything
 * for the block. The answer is a hint: __kspan_block_alloc() decides.
 */
bool kspan_block_at_limit(unsigned int order)
{
	unsigned long limit = limit_in_pages();

	return limit && atomic_long_read(&held) + (1L << order) > limit;
}

/*
 * The flags for the page allocator. A caller that may use the system's reserves must not
 * get an arena from them, because objects of other callers would be served from it, too. Such
 * a caller passes KSPAN_GFP_EMERGENCY when the block is for its object alone.
 */
static gfp_t block_gfp(gfp_t gfp)
{
	gfp_t passed = gfp & (KSPAN_GFP_PASSED | __GFP_NOMEMALLOC);

	if (gfp & KSPAN_GFP_EMERGENCY)
		return passed | __GFP_MEMALLOC;
	return kspan_may_use_reserves(gfp) ? passed | __GFP_NOMEMALLOC : passed;
}

/*
 * Take a block from the page allocator, if the hard limit allows it, and prepare the map for
 * it. NULL without memory. As kspan_block_alloc(), but without injected failures.
 */
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
 * kspan_block_alloc() - take a block from the page allocator
 * @nid:	preferred node; the only one with __GFP_THISNODE in @gfp
 * @order:	order of the block
 * @gfp:	the caller's flags; zone and zeroing flags are ignored. The system's reserves
 *		are used only with KSPAN_GFP_EMERGENCY: memory from them must not serve other
 *		callers. With __GFP_NOFAIL the hard limit does not count.
 *
 * Context: as @gfp says; no lock held.
 * Return: the first page, or NULL.
 */
struct page *kspan_block_alloc(int nid, unsigned int order, gfp_t gfp)
{
	return kspan_block_should_fail() ? NULL : __kspan_block_alloc(nid, order, gfp);
}

/**
 * kspan_block_free() - give a block back to the page allocator
 * @start:	address of its first byte
 * @order:	its order
 *
 * Context: where the page allocator may be called, see kspan_may_release(); no lock held.
 */
void kspan_block_free(unsigned long start, unsigned int order)
{
	__kspan_block_free(virt_to_page((void *)start), order);
}

/**
 * kspan_block_is_spare() - whether a node has memory to spare for a block
 * @nid:	the node
 * @order:	order of the block
 *
 * Below the low watermark the page allocator wakes kswapd, and tries other nodes first. An
 * attempt for a block that is larger than necessary must do neither, so it is made only where
 * this function returns true. Then only the attempt for the smallest block wakes kswapd.
 *
 * Context: any.
 * Return: whether, after the block is taken, a zone for kernel memory has more free pages than
 * its low watermark.
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
