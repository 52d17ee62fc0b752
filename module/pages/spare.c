// SPDX-License-Identifier: GPL-2.0
/*
 * The memory that the kernel has to spare on a node, and how much of it kspan may keep idle
 *
 * Context: any.
 */
#include <linux/mmzone.h>
#include <linux/nodemask.h>

#include "base/kunit_export.h"
#include "pages/spare.h"
#include "types.h"

/* Idle memory that is never given back because the kernel is short of it: 1 MiB, in pages. */
#define KSPAN_IDLE_LEAST	((1UL << 20) >> KSPAN_PAGE_SHIFT)

unsigned int kspan_idle_percent = 5;
KSPAN_EXPORT_FOR_KUNIT(kspan_idle_percent);

/* For tests, which make memory scarce: most pages of 8 KiB that a node has to spare. */
unsigned long kspan_spare_most = ULONG_MAX;
KSPAN_EXPORT_FOR_KUNIT(kspan_spare_most);

/**
 * kspan_spare_pages() - memory that the kernel can do without on a node
 * @nid: node
 *
 * Context: any.
 * Return: pages of 8 KiB that are free above the high watermarks of the zones for kernel memory.
 */
unsigned long kspan_spare_pages(int nid)
{
	unsigned long spare = 0, free, kept;
	int i;

	if (!node_online(nid))
		return 0;
	for (i = 0; i <= ZONE_NORMAL; i++) {
		struct zone *zone = &NODE_DATA(nid)->node_zones[i];

		if (!populated_zone(zone))
			continue;
		free = zone_page_state(zone, NR_FREE_PAGES);
		kept = high_wmark_pages(zone);
		spare += free - min(free, kept);
	}
	return min(spare >> KSPAN_PAGE_ORDER, READ_ONCE(kspan_spare_most));
}

/**
 * kspan_idle_allowance() - memory of a node that kspan may keep idle
 * @nid: node
 *
 * Context: any.
 * Return: most pages of 8 KiB that kspan may keep in empty arenas there.
 */
unsigned long kspan_idle_allowance(int nid)
{
	unsigned int percent = READ_ONCE(kspan_idle_percent);

	return percent < 100 ? kspan_spare_pages(nid) * percent / 100 : ULONG_MAX;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_idle_allowance);

/**
 * kspan_is_short() - whether the kernel is short of memory that kspan has idle
 * @nid:	node
 * @idle:	free pages of 8 KiB that kspan has there
 *
 * Return: whether @idle is more than a quarter of the memory that the node has to spare, and
 * more than 1 MiB.
 */
bool kspan_is_short(int nid, unsigned long idle)
{
	return idle > KSPAN_IDLE_LEAST && READ_ONCE(kspan_idle_percent) < 100 &&
	       idle > kspan_spare_pages(nid) / 4;
}
