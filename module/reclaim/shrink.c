// SPDX-License-Identifier: GPL-2.0
/*
 * The shrinker
 *
 * The kernel calls kspan_shrink_count() to learn what kspan could give back on a node, and
 * kspan_shrink_scan() to have it given back. Both depend on the task that asks:
 *
 *	direct reclaim	A task waits for memory. It gets the result of all steps of
 *			kspan_reclaim(), up to holes and the CPUs' caches.
 *	kswapd		It works ahead, and nobody waits. It gets only what costs the users of
 *			kspan little: empty arenas, and depots of classes of which more than
 *			half of the spans are not needed. From a node that uses less than half
 *			of its pages it gets holes and the CPUs' caches, too.
 *	drop_caches	as kswapd
 *
 * Counting takes no lock. It reads counters that are kept in any case, and may be slightly wrong.
 *
 * Context: task; does not sleep, but offers to be preempted.
 */
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/swap.h>

#include "api/heaps.h"
#include "api/private.h"
#include "base/kunit_export.h"
#include "objects/central.h"
#include "objects/cpu_cache.h"
#include "pages/page_heap.h"
#include "reclaim/reclaim.h"

/*
 * Sums over all heaps.
 *
 *	nid	node that is counted
 *	pages	pages of 8 KiB that are certain to become free
 *	want	most pages that could become free besides, if @bytes are in the right spans
 *	bytes	bytes of objects in depots and CPU caches
 *	how	KSPAN_RECLAIM_* of the calling task
 */
struct shrink_visit {
	int nid;
	unsigned long pages;
	unsigned long want;
	unsigned long bytes;
	unsigned int how;
};

/* Whether less than half of the node's pages are in use. */
static bool mostly_free(const struct kspan_page_heap *ph)
{
	unsigned long used = kspan_glance(ph->used), kept = kspan_node_kept_pages(ph->nid);

	return used - min(used, kept) < kspan_glance(ph->pages) / 2;
}

/*
 * Direct reclaim runs with PF_MEMALLOC set, and so does kswapd. A task that writes to drop_caches
 * runs without it.
 */
static unsigned int how_to_shrink(int nid)
{
	if ((current->flags & PF_MEMALLOC) && !current_is_kswapd())
		return KSPAN_RECLAIM_HOLES | KSPAN_RECLAIM_WAITS;
	return mostly_free(kspan_page_heap(nid)) ? KSPAN_RECLAIM_HOLES : 0;
}

/*
 * Adds what step 2 of kspan_reclaim() would give back of a heap. For a task in direct reclaim it
 * adds what steps 4 and 5 would give, too.
 */
static void count_cached(struct kspan_heap *heap, void *data)
{
	struct shrink_visit *visit = data;
	bool waits = visit->how & KSPAN_RECLAIM_WAITS;
	struct kspan_central *central;
	unsigned int class, cpu;

	for (class = 1; class < heap->nr_classes; class++) {
		central = kspan_heap_central(heap, visit->nid, class);
		if (!central || !kspan_reclaim_is_worth(heap, central, waits))
			continue;
		visit->pages += kspan_reclaim_sure_pages(central);
		visit->bytes += kspan_glance(central->nr_depot_objects) * central->sc->size;
		visit->want += kspan_reclaim_most_pages(central) -
			       min(kspan_reclaim_most_pages(central),
				   kspan_reclaim_sure_pages(central));
	}
	if (!waits)
		return;
	for (class = 1; class < heap->nr_classes && !kspan_heap_is_typesafe(heap); class++) {
		central = kspan_heap_central(heap, visit->nid, class);
		if (central)
			visit->pages += kspan_central_hollow_count(central);
	}
	for_each_online_cpu(cpu) {
		const struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);

		if (READ_ONCE(cache->nid) != visit->nid)
			continue;
		/* Magazines are half full on average. */
		visit->bytes += READ_ONCE(cache->capacity) / 2;
		visit->pages += READ_ONCE(cache->large.pages);
	}
}

/**
 * kspan_shrink_count() - tell what the shrinker could give back
 * @shrinker:	not used
 * @sc:		names the node
 *
 * The answer is what the calling task may have, as the head of this file says. Objects in depots
 * count as far as they could make spans empty. Pages that are certain to become free count in full.
 *
 * Context: task. Takes no lock.
 * Return: count of the kernel's pages, or SHRINK_EMPTY for none.
 */
unsigned long kspan_shrink_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct shrink_visit visit = { .nid = sc->nid, .how = how_to_shrink(sc->nid) };

	visit.pages = visit.how & KSPAN_RECLAIM_HOLES ?
		      kspan_node_free_pages(sc->nid) :
		      kspan_glance(kspan_page_heap(sc->nid)->empty_pages);
	visit.pages += kspan_node_kept_pages(sc->nid);
	kspan_peek_heaps(count_cached, &visit);
	visit.pages += min(visit.bytes >> KSPAN_PAGE_SHIFT, visit.want);
	return visit.pages << KSPAN_PAGE_ORDER ?: SHRINK_EMPTY;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_shrink_count);

/**
 * kspan_shrink_scan() - give back what the kernel asks for
 * @shrinker:	not used
 * @sc:		names the node and the kernel's pages that are wanted; nr_scanned is set to at least
 *		that, or to what was given back if that is more, as arenas are given back whole
 *
 * Context: task; does not sleep, but offers to be preempted.
 * Return: count of the kernel's pages that went back. It is 0 if only objects were returned to
 * their spans, so that another call may give pages. It is SHRINK_STOP if nothing was done.
 */
unsigned long kspan_shrink_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long want = DIV_ROUND_UP(sc->nr_to_scan, 1UL << KSPAN_PAGE_ORDER), pages;
	bool worked = false;

	pages = kspan_reclaim_noting(sc->nid, want, how_to_shrink(sc->nid), KSPAN_BY_SHRINKER,
				     &worked) << KSPAN_PAGE_ORDER;
	sc->nr_scanned = max(pages, sc->nr_to_scan);
	return pages || worked ? pages : SHRINK_STOP;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_shrink_scan);
