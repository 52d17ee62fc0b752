/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that nobody uses goes back to the page allocator. Stands beside the layers: they
 * wake the scavenger, and ask for relief from limits.
 */
#ifndef KSPAN_RECLAIM_H
#define KSPAN_RECLAIM_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/irq_work.h>
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

/* Percent of what a node has to spare that may be idle, 100 for no bound; a parameter. */
extern unsigned int kspan_idle_percent;

extern unsigned long kspan_spare_most;

unsigned long kspan_spare_pages(int nid);
unsigned long kspan_idle_allowance(int nid);
bool kspan_is_short(int nid);
void kspan_scavenger_hurry(void);

extern bool kspan_scavenger_awake;
extern struct irq_work kspan_scavenger_irq_work;

/**
 * kspan_scavenger_wake() - there may be something to do for the scavenger
 *
 * Context: any, NMI included.
 */
static inline void kspan_scavenger_wake(void)
{
	if (unlikely(!READ_ONCE(kspan_scavenger_awake)))
		irq_work_queue(&kspan_scavenger_irq_work);
}

bool kspan_relieve_soft_limit(int nid, unsigned int npages, gfp_t gfp);
bool kspan_relieve_hard_limit(int nid, unsigned int npages, gfp_t gfp);

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
