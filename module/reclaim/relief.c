// SPDX-License-Identifier: GPL-2.0
/*
 * Relief from limits
 *
 * A request needs a new arena, and with it the arenas would have more bytes than a limit allows.
 * The page heap asks here for relief, by the hooks of pages/hooks.h, before it takes the arena
 * (soft limit) or fails (hard limit). Idle memory is given back by kspan_reclaim():
 *
 *	soft limit	only what costs little. The arena is taken in any case.
 *	hard limit	all that can be had. The request fails if that is not enough.
 *
 * Context: any. Only a caller whose gfp flags allow it to block gets more than a wake-up of the
 * scavenger.
 */
#include <linux/kspan.h>
#include <linux/ktime.h>
#include <linux/log2.h>

#include "base/kunit_export.h"
#include "objects/cpu_cache.h"
#include "pages/hooks.h"
#include "pages/page_heap.h"
#include "reclaim/reclaim.h"
#include "reclaim/relief.h"
#include "reclaim/scavenger.h"
#include "reclaim/trace.h"

unsigned long kspan_soft_limit;
KSPAN_EXPORT_FOR_KUNIT(kspan_soft_limit);

static atomic64_t limit_hits[KSPAN_NR_LIMITS];

/**
 * kspan_limit_hits() - count of arenas that would have exceeded a limit
 * @limit: KSPAN_SOFT_LIMIT or KSPAN_HARD_LIMIT
 *
 * Context: any.
 * Return: how many since the module was loaded.
 */
u64 kspan_limit_hits(enum kspan_limit limit)
{
	return atomic64_read(&limit_hits[limit]);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_limit_hits);

/*
 * Returns by how many pages of 8 KiB a new arena for a request of @npages would exceed the limit of
 * @bytes, or 0. If it would, that is counted and traced.
 */
static unsigned long beyond(enum kspan_limit limit, unsigned long bytes, unsigned int npages)
{
	unsigned long wanted = roundup_pow_of_two(npages) << KSPAN_PAGE_SHIFT;
	unsigned long held = kspan_arena_bytes();

	if (!bytes || held + wanted <= bytes)
		return 0;
	atomic64_inc(&limit_hits[limit]);
	trace_kspan_limit(limit, bytes, held, wanted);
	return DIV_ROUND_UP(held + wanted - bytes, KSPAN_PAGE_SIZE);
}

/* Takes the node of the request last: its free pages may serve the request. */
static unsigned long reclaim_nodes(int nid, unsigned long want, unsigned int how)
{
	unsigned long done = 0;
	int other;

	for_each_node(other)
		if (other != nid && done < want)
			done += kspan_reclaim(other, want - done, how, KSPAN_BY_LIMIT);
	if (done < want)
		done += kspan_reclaim(nid, want - done, how, KSPAN_BY_LIMIT);
	return done;
}

/**
 * relieve_soft_limit() - give back what is idle before an arena is taken
 * @nid:	node of the request
 * @npages:	pages of 8 KiB that the request needs
 * @gfp:	gfp flags of the request
 *
 * Gives back as much as the arena would exceed the limit by. It does so at most ten times a second,
 * and only if the caller may block. Otherwise the scavenger, which is woken in any case, has to do
 * it.
 *
 * Context: any.
 * Return: whether pages of the node may have become free, so that the request may need no arena.
 */
static bool relieve_soft_limit(int nid, unsigned int npages, gfp_t gfp)
{
	static unsigned long last;
	unsigned long before = READ_ONCE(last), want;

	if (likely(!READ_ONCE(kspan_soft_limit)) || (gfp & KSPAN_GFP_NOLOCK))
		return false;
	want = beyond(KSPAN_SOFT_LIMIT, READ_ONCE(kspan_soft_limit), npages);
	if (!want)
		return false;
	kspan_scavenger_wake();
	if (!gfpflags_allow_blocking(gfp) ||
	    (before && time_before(jiffies, before + KSPAN_RELIEF_JIFFIES)))
		return false;
	WRITE_ONCE(last, jiffies | 1);
	/*
	 * Depots return objects to their spans meanwhile. Their pages may serve the request, so
	 * only empty arenas are given back.
	 */
	reclaim_nodes(nid, want, 0);
	return true;
}

/*
 * Relief from the hard limit must cost little when it has no chance, as requests that fail may be
 * many. Free pages of arenas are counted. If they are enough, and their count has changed since the
 * last attempt that gave too little, a new attempt is made. How many pages the objects in caches
 * would make free is not known. So after an attempt that gave too little, the caches are emptied
 * again only if
 *
 *	- this CPU's count of spilled magazines is not the noted one: it has spilled some since,
 *	  as it does after many frees, or another CPU made that attempt; or
 *	- a hundred times as long as that attempt took has passed.
 *
 * The three fields are written and read without a lock. A reader may see fields of two attempts;
 * then an attempt is made once too often or once too seldom, which is harmless.
 *
 *	idle		free pages of all arenas after the last attempt that gave too little
 *	spills		magazines that the CPU of that attempt had spilled by then
 *	not_before	time in nanoseconds from which on a new attempt may be made
 */
static struct {
	unsigned long idle;
	u64 spills;
	u64 not_before;
} vain = { .idle = ULONG_MAX };

static unsigned long free_pages_of_all(void)
{
	unsigned long pages = 0;
	int nid;

	for_each_node(nid)
		pages += kspan_node_free_pages(nid) + kspan_node_kept_pages(nid);
	return pages;
}

static u64 spills_here(void)
{
	return this_cpu_read(kspan_default_heap.cpu->events[KSPAN_SPILL]);
}

static bool is_in_vain(unsigned long want)
{
	unsigned long idle = free_pages_of_all();

	if (idle >= want && idle != READ_ONCE(vain.idle))
		return false;
	return READ_ONCE(vain.spills) == spills_here() &&
	       ktime_get_ns() < READ_ONCE(vain.not_before);
}

static void note_vain(u64 start)
{
	u64 now = ktime_get_ns();

	WRITE_ONCE(vain.idle, free_pages_of_all());
	WRITE_ONCE(vain.spills, spills_here());
	WRITE_ONCE(vain.not_before, now + (now - start) * KSPAN_SCAVENGE_SHARE);
}

/**
 * relieve_hard_limit() - give back what is idle before a request fails
 * @nid:	node of the request
 * @npages:	pages of 8 KiB that the request needs
 * @gfp:	gfp flags of the request
 *
 * Context: any. A caller that must not block gets no relief.
 * Return: whether the caller should try again. It is false, too, if there is no hard limit, or if
 * the limit is not the reason why the request fails.
 */
static bool relieve_hard_limit(int nid, unsigned int npages, gfp_t gfp)
{
	unsigned long want, done, held;
	u64 start;

	if (likely(!READ_ONCE(kspan_hard_limit)) || (gfp & KSPAN_GFP_NOLOCK))
		return false;
	want = beyond(KSPAN_HARD_LIMIT, READ_ONCE(kspan_hard_limit), npages);
	if (!want || !gfpflags_allow_blocking(gfp) || is_in_vain(want))
		return false;
	start = ktime_get_ns();
	held = kspan_arena_bytes();
	done = reclaim_nodes(nid, want, KSPAN_RECLAIM_HOLES | KSPAN_RECLAIM_WAITS |
					KSPAN_RECLAIM_ALL);
	if (done < want)
		note_vain(start);
	/*
	 * The request may fit even if no whole page of 8 KiB was counted: loose spans may be
	 * shorter.
	 */
	return done || kspan_arena_bytes() < held;
}

/** kspan_relief_init() - from now on requests get relief from limits */
void kspan_relief_init(void)
{
	kspan_relief.soft_limit = relieve_soft_limit;
	kspan_relief.hard_limit = relieve_hard_limit;
}
