/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that nobody uses goes back to the page allocator. Stands above the layers, which
 * wake the scavenger, and ask for relief from limits, by pages/hooks.h.
 */
#ifndef KSPAN_RECLAIM_H
#define KSPAN_RECLAIM_H

#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/types.h>

#include "objects/heap.h"
#include "objects/limit.h"

struct shrinker;
struct shrink_control;

/* On whose behalf pages went back. */
enum kspan_reclaimer {
	KSPAN_BY_TRIM,
	KSPAN_BY_SHRINKER,
	KSPAN_BY_SCAVENGER,
	KSPAN_BY_LIMIT,
	KSPAN_NR_RECLAIMERS,
};

/* How kspan_reclaim() is to go about it. */
#define KSPAN_RECLAIM_HOLES	1U	/* holes in arenas in use, and caches of CPUs */
#define KSPAN_RECLAIM_WAITS	2U	/* depots, too, that may give little: somebody waits */
#define KSPAN_RECLAIM_ALL	4U	/* whatever that takes */

/* Time between two reliefs for which caches of CPUs are drained. */
#define KSPAN_RELIEF_JIFFIES	max(HZ / 10, 1)

/* Its free slots may still be looked at. */
static inline bool kspan_heap_is_typesafe(const struct kspan_heap *heap)
{
	return heap->private && (heap->private->flags & KSPAN_TYPESAFE_BY_RCU);
}

u64 kspan_reclaimed(enum kspan_reclaimer reclaimer);
void kspan_note_reclaimed(enum kspan_reclaimer reclaimer, int nid, unsigned long pages);

unsigned long kspan_node_free_pages(int nid);
unsigned long kspan_reclaim_sure_pages(const struct kspan_central *central);
unsigned long kspan_reclaim_most_pages(const struct kspan_central *central);
bool kspan_reclaim_is_worth(const struct kspan_heap *heap, struct kspan_central *central,
			    bool waits);

unsigned long kspan_reclaim_depots(int nid, unsigned long want, unsigned int how, bool *worked);
unsigned long kspan_reclaim_hollow(int nid, unsigned long want, unsigned long looks);
unsigned long kspan_reclaim_noting(int nid, unsigned long want, unsigned int how,
				   enum kspan_reclaimer reclaimer, bool *worked);
unsigned long kspan_reclaim(int nid, unsigned long want, unsigned int how,
			    enum kspan_reclaimer reclaimer);

unsigned long kspan_shrink_count(struct shrinker *shrinker, struct shrink_control *sc);
unsigned long kspan_shrink_scan(struct shrinker *shrinker, struct shrink_control *sc);

#endif /* KSPAN_RECLAIM_H */
