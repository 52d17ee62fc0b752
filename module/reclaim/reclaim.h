/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that nobody uses goes back to the page allocator. Stands above the layers, which
 * wake the scavenger, and ask for relief from limits, by pages/hooks.h.
 */
#ifndef KSPAN_RECLAIM_H
#define KSPAN_RECLAIM_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/types.h>

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

enum kspan_limit {
	KSPAN_SOFT_LIMIT,
	KSPAN_HARD_LIMIT,
	KSPAN_NR_LIMITS,
};

/* Bytes of arenas from which on what is idle goes back first, 0 for none; a parameter. */
extern unsigned long kspan_soft_limit;

/* Milliseconds between two looks of the scavenger, 0 for no scavenger; a parameter. */
extern unsigned int kspan_scavenge_ms;

u64 kspan_reclaimed(enum kspan_reclaimer reclaimer);
u64 kspan_limit_hits(enum kspan_limit limit);

/* How kspan_reclaim() is to go about it. */
#define KSPAN_RECLAIM_HOLES	1U	/* holes in arenas in use, and caches of CPUs */
#define KSPAN_RECLAIM_WAITS	2U	/* depots, too, that may give little: somebody waits */
#define KSPAN_RECLAIM_ALL	4U	/* whatever that takes */

unsigned long kspan_reclaim(int nid, unsigned long want, unsigned int how,
			    enum kspan_reclaimer reclaimer);
unsigned long kspan_shrink_count(struct shrinker *shrinker, struct shrink_control *sc);
unsigned long kspan_shrink_scan(struct shrinker *shrinker, struct shrink_control *sc);
bool kspan_scavenge(u64 budget);
unsigned int kspan_scavenge_pause(unsigned int ms, u64 spent);
void kspan_scavenger_restart(void);

int kspan_reclaim_init(void);
void kspan_reclaim_exit(void);

#endif /* KSPAN_RECLAIM_H */
