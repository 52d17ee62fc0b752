// SPDX-License-Identifier: GPL-2.0
/*
 * Memory whose free blocks are small, and stay so.
 *
 * The module takes every free page, and frees some: of each 2^(n + 1) aligned pages all but the
 * last. So free blocks are of order 0...n, and none has a free buddy. The other pages can be
 * neither moved nor reclaimed. The groups lie far apart. Each state is made of all free pages
 * again, so pages that others have freed meanwhile do no harm.
 *
 *	order 1:  f f f x  . . . .  . . . .  f f f x	f free, x and . taken
 *
 * This is done in the main zone, the one with most pages. In the others some single pages are
 * free, a few more than the watermark that wakes kswapd.
 *
 * No page may wait on the list of the CPU. The module takes the pages there by requests for blocks
 * of all orders and mobilities. Pages that it frees bypass the list, because it holds the list's
 * lock.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include "fragmented.h"

/* Pages that relief frees at once. */
#define RELIEF_PAGES	1024UL

/* A bit for each page frame, set while the module has the page. */
static unsigned long *ours;
static unsigned long end_pfn, wanted;
/* First of the pages that fragmented_relieve() can free in one block; 0 for none. */
static unsigned long relief;

static struct pglist_data *the_node(void)
{
	return NODE_DATA(first_online_node);
}

static struct zone *main_zone(void)
{
	struct zone *zone, *most = the_node()->node_zones;

	for (zone = most; zone < the_node()->node_zones + MAX_NR_ZONES; zone++)
		if (zone_managed_pages(zone) > zone_managed_pages(most))
			most = zone;
	return most;
}

static void take_blocks(gfp_t gfp, unsigned int order)
{
	struct page *page;

	while ((page = alloc_pages(gfp, order))) {
		if (order)
			split_page(page, order);
		bitmap_set(ours, page_to_pfn(page), 1UL << order);
	}
}

/* Use no reserves for larger blocks: the kernel would reserve more blocks of that kind then. */
static void take_mobilities(gfp_t gfp, unsigned int order)
{
	gfp |= __GFP_NOWARN;
	take_blocks(gfp, order);
	take_blocks(gfp | __GFP_RECLAIMABLE, order);
	take_blocks(gfp | __GFP_MOVABLE, order);
}

/* Take all pages, below all watermarks, without waking kswapd. */
static void take_all(void)
{
	unsigned int order;

	/* Blocks on the list of the CPU. */
	for (order = FRAGMENTED_ORDERS - 1; order; order--)
		take_mobilities(__GFP_NOMEMALLOC, order);
	take_mobilities(__GFP_MEMALLOC | __GFP_HIGH, 0);
}

static void give_pages(unsigned long pfn, unsigned long n)
{
	for (; n--; pfn++) {
		__clear_bit(pfn, ours);
		__free_page(pfn_to_page(pfn));
	}
}

/* A group at @pfn or above that the module has; 0 for none. */
static unsigned long next_group(struct zone *zone, unsigned long pfn, unsigned long pages)
{
	unsigned long end = min(zone_end_pfn(zone), end_pfn);

	for (pfn = ALIGN(max(pfn, zone->zone_start_pfn), pages); pfn + pages <= end; pfn += pages)
		if (relief && pfn + pages > relief && pfn < relief + RELIEF_PAGES)
			continue;
		else if (find_next_zero_bit(ours, pfn + pages, pfn) == pfn + pages)
			return pfn;
	return 0;
}

/* Free all pages but one of groups of 2^(order + 1), far apart, until @target pages are free. */
static void thin(struct zone *zone, unsigned int order, unsigned long target)
{
	unsigned long pages = 2UL << order, pfn, flags, i = 0, groups = 0, chosen;
	spinlock_t *lock = &per_cpu_ptr(zone->per_cpu_pageset, smp_processor_id())->lock;

	for (pfn = next_group(zone, 1, pages); pfn; pfn = next_group(zone, pfn + 1, pages))
		groups++;
	chosen = min(groups, target / (pages - 1));
	for (pfn = next_group(zone, 1, pages); pfn; pfn = next_group(zone, pfn + 1, pages)) {
		if (chosen * i / groups != chosen * (i + 1) / groups) {
			spin_lock_irqsave(lock, flags);
			give_pages(pfn, pages - 1);
			spin_unlock_irqrestore(lock, flags);
		}
		i++;
	}
}

static void read_state(struct zone *zone, struct fragmented_state *state)
{
	unsigned int order;

	*state = (struct fragmented_state){ };
	for (order = 0; order < ARRAY_SIZE(zone->free_area); order++) {
		unsigned long blocks = READ_ONCE(zone->free_area[order].nr_free);

		state->pages += blocks << order;
		if (order < FRAGMENTED_ORDERS)
			state->blocks[order] = blocks;
		else
			state->larger += blocks;
	}
}

/**
 * fragmented_make() - make free blocks of order 0...@order, and no others
 * @order:	of the largest blocks, below FRAGMENTED_ORDERS
 * @state:	set to the free blocks
 *
 * No other task may run meanwhile, as it could take pages.
 * Context: task, one CPU.
 */
void fragmented_make(unsigned int order, struct fragmented_state *state)
{
	struct zone *zone, *most = main_zone();

	preempt_disable();
	take_all();
	relief = 0;
	relief = next_group(most, 1, RELIEF_PAGES);
	for (zone = the_node()->node_zones; zone < the_node()->node_zones + MAX_NR_ZONES; zone++)
		if (zone != most && populated_zone(zone))
			thin(zone, 0, high_wmark_pages(zone) + 64);
	thin(most, order, wanted);
	preempt_enable();
	read_state(most, state);
}

/**
 * fragmented_pages_for() - pages that a caller that may wait will get
 * @state:	free blocks
 * @order:	least order of the blocks that the caller needs
 *
 * Return: pages, of which three quarters can be had without a look at reserves.
 */
unsigned long fragmented_pages_for(const struct fragmented_state *state, unsigned int order)
{
	unsigned long pages = 0, kept = high_wmark_pages(main_zone());
	unsigned int i;

	for (i = order; i < FRAGMENTED_ORDERS; i++)
		pages += state->blocks[i] << i;
	return min(pages, state->pages - min(state->pages, kept)) / 4 * 3;
}

/**
 * fragmented_pages_in_lists() - free pages of the main zone on the list of this CPU
 *
 * Return: pages, which are in no block.
 */
unsigned int fragmented_pages_in_lists(void)
{
	return READ_ONCE(raw_cpu_ptr(main_zone()->per_cpu_pageset)->count);
}

/**
 * fragmented_relieve() - free a large block, before the OOM killer kills a task
 *
 * Return: pages.
 */
unsigned long fragmented_relieve(void)
{
	if (!relief)
		return 0;
	give_pages(relief, RELIEF_PAGES);
	relief = 0;
	return RELIEF_PAGES;
}

/**
 * fragmented_begin() - prepare for fragmented_make()
 * @free_pages:	free pages of each state
 *
 * Return: 0 or -ENOMEM.
 */
int fragmented_begin(unsigned long free_pages)
{
	wanted = free_pages;
	end_pfn = pgdat_end_pfn(the_node());
	ours = vzalloc(BITS_TO_LONGS(end_pfn) * sizeof(long));
	return ours ? 0 : -ENOMEM;
}

/**
 * fragmented_end() - free all pages
 */
void fragmented_end(void)
{
	unsigned long pfn;

	if (!ours)
		return;
	for_each_set_bit(pfn, ours, end_pfn)
		give_pages(pfn, 1);
	vfree(ours);
	ours = NULL;
}
