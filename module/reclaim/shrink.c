// SPDX-License-Identifier: GPL-2.0
/*
 * Shrinker
 *
 * What the kernel is told that it could have, and what it takes.
 */
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/swap.h>

#include "api/private.h"
#include "base/kunit_export.h"
#include "pages/page_heap.h"
#include "reclaim/reclaim.h"

struct shrink_visit {
	int nid;
	unsigned long pages;
	unsigned long want;
	unsigned long bytes;
	unsigned int how;
};

static bool mostly_free(const struct kspan_page_heap *ph)
{
	return kspan_glance(ph->used) < kspan_glance(ph->pages) / 2;
}

/* Direct reclaim waits; kswapd and drop_caches, in nobody's name, do not. */
static unsigned int how_to_shrink(int nid)
{
	if ((current->flags & PF_MEMALLOC) && !current_is_kswapd())
		return KSPAN_RECLAIM_HOLES | KSPAN_RECLAIM_WAITS;
	return mostly_free(kspan_page_heap(nid)) ? KSPAN_RECLAIM_HOLES : 0;
}

/* What step 2 would give back, and for those who wait steps 4 and 5. */
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
		/* On average, magazines are half full. */
		visit->bytes += READ_ONCE(cache->capacity) / 2;
		visit->pages += READ_ONCE(cache->large.pages);
	}
}

/**
 * kspan_shrink_count() - what the shrinker could give back
 * @shrinker:	not used
 * @sc:		names the node
 *
 * What is there to be had by who asks, see above. Of depots: what they hold, as far as
 * that could make spans empty, and at least what is sure to.
 *
 * Takes no lock.
 *
 * Return: the kernel's pages, or SHRINK_EMPTY.
 */
unsigned long kspan_shrink_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct shrink_visit visit = { .nid = sc->nid, .how = how_to_shrink(sc->nid) };

	visit.pages = visit.how & KSPAN_RECLAIM_HOLES ?
		      kspan_node_free_pages(sc->nid) :
		      kspan_glance(kspan_page_heap(sc->nid)->empty_pages);
	kspan_peek_heaps(count_cached, &visit);
	visit.pages += min(visit.bytes >> KSPAN_PAGE_SHIFT, visit.want);
	return visit.pages << KSPAN_PAGE_ORDER ?: SHRINK_EMPTY;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_shrink_count);

/**
 * kspan_shrink_scan() - give back what the kernel asks for
 * @shrinker:	not used
 * @sc:		names the node, and how many of the kernel's pages; is told how many
 *		it was, as an arena may have more
 *
 * Return: the kernel's pages that went back; SHRINK_STOP when nothing was done.
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
