/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that nobody uses is given back to the page allocator; see reclaim.c.
 *
 * Reclaim stands above the layers. A layer that wants to wake the scavenger, or needs relief from a
 * limit, does so by pages/hooks.h.
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

/* The reason why pages went back to the page allocator; statistics keep them apart. */
enum kspan_reclaimer {
	KSPAN_BY_TRIM,
	KSPAN_BY_SHRINKER,
	KSPAN_BY_SCAVENGER,
	KSPAN_BY_LIMIT,
	KSPAN_NR_RECLAIMERS,
};

/*
 * What kspan_reclaim() may do, besides giving back empty arenas and emptying depots that hold much.
 */
#define KSPAN_RECLAIM_HOLES	1U	/* make holes in arenas in use, empty CPU caches */
#define KSPAN_RECLAIM_WAITS	2U	/* a task waits: drain depots that may give little, too */
#define KSPAN_RECLAIM_ALL	4U	/* do not bound the work */

/*
 * The caches of CPUs are emptied for memory at most once in this time, and requests get relief from
 * the soft limit at most once. A tenth of a second.
 */
#define KSPAN_RELIEF_JIFFIES	max(HZ / 10, 1)

/*
 * RCU readers of the heap may still look at its free slots, so pages of theirs go back only after a
 * grace period. Reclaim does not wait for one.
 */
static inline bool kspan_heap_is_typesafe(const struct kspan_heap *heap)
{
	return heap->private && (heap->private->flags & KSPAN_TYPESAFE_BY_RCU);
}

/* How many of the last notes are kept. */
#define KSPAN_RECLAIMS_NOTED	64

/**
 * struct kspan_reclaim_note - pages went back to the page allocator
 * @ns:		monotonic time, in nanoseconds
 * @by:		for which reason
 * @nid:	node, or NUMA_NO_NODE for several
 * @bytes:	how much
 * @held:	bytes of all arenas afterwards
 */
struct kspan_reclaim_note {
	u64 ns;
	enum kspan_reclaimer by;
	int nid;
	u64 bytes;
	u64 held;
};

/* history.c */
const char *kspan_reclaimer_word(enum kspan_reclaimer by);
void kspan_reclaim_note(enum kspan_reclaimer by, int nid, u64 bytes, u64 held);
bool kspan_reclaim_noted(unsigned int n, struct kspan_reclaim_note *note);

u64 kspan_reclaimed(enum kspan_reclaimer reclaimer);
void kspan_note_reclaimed(enum kspan_reclaimer reclaimer, int nid, unsigned long pages);

unsigned long kspan_node_free_pages(int nid);
unsigned long kspan_node_kept_pages(int nid);
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

/* drain.c: CPU caches that their own CPUs drain */
void kspan_drain_want(struct kspan_heap *heap, unsigned int cpu);
void kspan_drain_queue(unsigned int cpu);
bool kspan_drain_node(int nid);

int kspan_drain_init(void);
void kspan_drain_exit(void);

/* background.c and balance.c: reclaim and its background work, started and stopped */
void kspan_balance_reset(void);
void kspan_balance_cancel(void);
void kspan_balance_init(void);

void kspan_scavenger_restart(void);

int kspan_reclaim_init(void);
void kspan_reclaim_exit(void);

#endif /* KSPAN_RECLAIM_H */
