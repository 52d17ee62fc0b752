// SPDX-License-Identifier: GPL-2.0
/*
 * Relief from limits
 *
 * A request wants an arena that would be beyond a limit: what is idle goes back first.
 */
#include <linux/kspan.h>
#include <linux/ktime.h>
#include <linux/log2.h>

#include "api/malloc.h"
#include "base/kunit_export.h"
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
 * kspan_limit_hits() - arenas that would have been beyond a limit
 * @limit: which
 * Return: how many since load.
 */
u64 kspan_limit_hits(enum kspan_limit limit)
{
	return atomic64_read(&limit_hits[limit]);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_limit_hits);

/* Pages that an arena for a request is beyond a limit, which is told then; or 0. */
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

/* Of all nodes, the one of the request last: what is free there may serve it. */
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
 * @npages:	its pages
 * @gfp:	its flags
 *
 * As much as the arena is beyond the limit. Where the caller may not block, and more often
 * than ten times a second, it is left to the scavenger.
 *
 * Return: whether pages were made free, so that there may be some on the node.
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
	/* What depots held may serve the request, so only empty arenas go. */
	reclaim_nodes(nid, want, 0);
	return true;
}

/*
 * Relief from the hard limit. A request that fails there is to cost little, and there
 * may be many of them. Free pages of arenas are counted, so it is known whether they are
 * enough. What caches hold is not: they are drained only if since that was last tried in
 * vain
 *
 *	- this CPU gave a magazine up, as many frees make it do, or
 *	- a hundred times as long as it took has passed.
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
		pages += kspan_node_free_pages(nid);
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
 * @npages:	its pages
 * @gfp:	its flags
 *
 * Return: whether it is worth a new attempt; false also when there is no such limit, or
 * it is not what the request failed for.
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
	/* Less than a page of kspan's may be enough. */
	return done || kspan_arena_bytes() < held;
}

/** kspan_relief_init() - relieve requests from limits from now on */
void kspan_relief_init(void)
{
	kspan_relief.soft_limit = relieve_soft_limit;
	kspan_relief.hard_limit = relieve_hard_limit;
}
