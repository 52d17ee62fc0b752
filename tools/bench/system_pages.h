/* SPDX-License-Identifier: GPL-2.0 */
/* Free pages of the system, and pages of SLUB, as exactly as they are known. */
#ifndef KSPAN_SYSTEM_PAGES_H
#define KSPAN_SYSTEM_PAGES_H

#include <linux/mm.h>
#include <linux/nodemask.h>

static long zone_free_pages(struct zone *zone)
{
	long pages = zone_page_state_snapshot(zone, NR_FREE_PAGES);
	int cpu;

	for_each_online_cpu(cpu)
		pages += READ_ONCE(per_cpu_ptr(zone->per_cpu_pageset, cpu)->count);
	return pages;
}

/* Free pages, with those on the lists of CPUs. */
static long system_free_pages(void)
{
	long pages = 0;
	int nid, i;

	for_each_online_node(nid)
		for (i = 0; i < MAX_NR_ZONES; i++) {
			struct zone *zone = &NODE_DATA(nid)->node_zones[i];

			if (populated_zone(zone))
				pages += zone_free_pages(zone);
		}
	return pages;
}

/* Pages of a counter, with those that CPUs have not added yet. */
static long exact_node_pages(struct pglist_data *node, enum node_stat_item item)
{
	long pages = atomic_long_read(&node->vm_stat[item]);
	int cpu;

	for_each_online_cpu(cpu)
		pages += per_cpu_ptr(node->per_cpu_nodestats, cpu)->vm_node_stat_diff[item];
	return pages;
}

/* Pages of slabs. */
static long system_slab_pages(void)
{
	long pages = 0;
	int nid;

	for_each_online_node(nid) {
		pages += exact_node_pages(NODE_DATA(nid), NR_SLAB_RECLAIMABLE_B);
		pages += exact_node_pages(NODE_DATA(nid), NR_SLAB_UNRECLAIMABLE_B);
	}
	return pages;
}

#endif /* KSPAN_SYSTEM_PAGES_H */
