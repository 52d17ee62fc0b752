// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim
 *
 *	magazines -> depots -> spans -> arenas -> page allocator
 *
 * What nobody uses goes back on four occasions:
 *
 *	shrinker	the kernel wants memory: as much as it asks for, and for no more work
 *	soft limit	a new arena would be beyond it: before it is taken
 *	hard limit	a new arena would be beyond it: before the request fails
 *	kspan_trim()	somebody asks for it: everything, on all CPUs, and waits for that
 *
 * kspan_reclaim() is what the first three share. Its steps, each taken only if those before
 * it gave less than is wanted:
 *
 *	1. empty arenas: no later request has to rebuild anything
 *	2. depots, one after another, and spans without an object that private heaps keep
 *	3. free pages of arenas in use, as holes
 *	4. this CPU's caches, and those of others by work items that nobody waits for, ten
 *	   times a second at most
 *	5. pages of spans in use that no object is in, see hollow.c, as holes
 *
 * Steps 3 and 5 cost the kernel large blocks, and step 4 all users of the caches, so they are
 * for those who wait for memory: direct reclaim and the hard limit. kswapd and drop_caches
 * get that from nodes that use less than half of what they have, and depots of classes of
 * which more than half of the spans are not needed. Step 2
 * returns no more objects to their spans than would fill what is wanted, or half a MiB.
 *
 * The shrinker counts what kswapd may have for kswapd, and what waits for nobody at all
 * for direct reclaim. It reads counters that are kept anyway, without a lock.
 *
 * None but kspan_trim() sleeps, or waits for a lock under which memory is allocated:
 * kspan's raw spinlocks never are held then, and the list of private heaps is only tried.
 * So a task that enters reclaim from within kspan's own refill can run all of this.
 *
 * What may be idle
 * ----------------
 * A node keeps free pages in empty arenas for requests to come, but no more than
 * kspan_idle_percent of what the kernel has free there above its high watermarks:
 * kspan_idle_allowance(). An arena that becomes empty beyond that goes at once.
 *
 * The scavenger gives back more than that, in the background, and slowly, as Go's does: what
 * a node has beyond what it used lately and 10 % more, or a quarter of the allowance. What was
 * used lately is the most that was used since its last look, or 7/8 of what it took for that
 * then. Empty arenas go first, and of a node that has twice what it needs, or where the
 * kernel is short of memory, the sparsest others, too. It also returns what the caches of
 * CPUs hold that have not used them since the last look, what of depots was more than needed
 * since, and spans that private heaps keep without using the heap. A look takes 1 % of a CPU
 * at most, and leaves the rest to the next. Where more is idle than a quarter of what is to
 * spare it looks at once, empties depots, too, and looks again twenty times as soon. It
 * sleeps when there is nothing left to wait for, until somebody fills a cache or frees many
 * pages.
 */
#include <linux/kspan.h>
#include <linux/sched.h>

#include "api/malloc.h"
#include "api/private.h"
#include "base/kunit_export.h"
#include "kits/pool.h"
#include "pages/page_heap.h"
#include "reclaim/flush.h"
#include "reclaim/reclaim.h"

#define CREATE_TRACE_POINTS
#include "reclaim/trace.h"

/* Least bytes of objects that a call of kspan_reclaim() returns to their spans, if it must. */
#define KSPAN_DRAIN_LEAST	(512UL * 1024)
/* Spans that it looks into for pages without an object: at most so many, and more for each page. */
#define KSPAN_LOOKS_LEAST	256UL
#define KSPAN_LOOKS_PER_PAGE	8

static atomic64_t reclaimed[KSPAN_NR_RECLAIMERS];

/**
 * kspan_reclaimed() - bytes that went back to the page allocator
 * @reclaimer: on whose behalf
 * Return: bytes since load.
 */
u64 kspan_reclaimed(enum kspan_reclaimer reclaimer)
{
	return (u64)atomic64_read(&reclaimed[reclaimer]) << KSPAN_PAGE_SHIFT;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_reclaimed);

void kspan_note_reclaimed(enum kspan_reclaimer reclaimer, int nid, unsigned long pages)
{
	if (!pages)
		return;
	atomic64_add(pages, &reclaimed[reclaimer]);
	trace_kspan_reclaim(reclaimer, nid, pages << KSPAN_PAGE_SHIFT, kspan_arena_bytes());
}

/* What is done to each heap; @nid: only what is of that node. */
struct reclaim_visit {
	int nid;
	unsigned long pages;
	unsigned long want;
	unsigned long bytes;
	unsigned long looks;
	unsigned int how;
	bool worked;
};

unsigned long kspan_node_free_pages(int nid)
{
	const struct kspan_page_heap *ph = kspan_page_heap(nid);
	unsigned long pages = kspan_glance(ph->pages), used = kspan_glance(ph->used);

	return pages - min(used, pages);
}

/* The pages that spans have, hollow and short ones less. */
static unsigned long pages_of_spans(const struct kspan_central *central, unsigned long spans)
{
	return min(spans * central->sc->pages,
		   kspan_glance(central->base_pages) >> KSPAN_PAGE_ORDER);
}

/*
 * Pages that are free for sure once the depot's objects are back in their spans: each object
 * in use, or in the magazine of a CPU, needs one span at most.
 */
unsigned long kspan_reclaim_sure_pages(const struct kspan_central *central)
{
	unsigned long spans = kspan_glance(central->nr_spans), out = kspan_glance(central->nr_out);
	unsigned long depot = kspan_glance(central->nr_depot_objects);

	out -= min(out, depot);
	return pages_of_spans(central, spans - min(spans, out));
}

/* Pages that would be free then if the other spans were full. */
unsigned long kspan_reclaim_most_pages(const struct kspan_central *central)
{
	unsigned long spans = kspan_glance(central->nr_spans), out = kspan_glance(central->nr_out);
	unsigned long depot = kspan_glance(central->nr_depot_objects), full;

	full = DIV_ROUND_UP(out - min(out, depot), central->sc->slots);
	return pages_of_spans(central, spans - min(spans, full));
}

/* Whether to empty its depot, and of a private heap to give up spans without an object. */
bool kspan_reclaim_is_worth(const struct kspan_heap *heap, struct kspan_central *central,
			      bool waits)
{
	bool keeps = kspan_heap_is_typesafe(heap) ? kspan_glance(central->nr_depot_objects) :
					 kspan_central_keeps(central);

	if (!keeps)
		return false;
	/* For who can do without only where most of the spans are not needed. */
	return waits ? kspan_reclaim_most_pages(central) :
		       2 * kspan_reclaim_most_pages(central) >
		       pages_of_spans(central, kspan_glance(central->nr_spans));
}

static bool has_enough(const struct reclaim_visit *visit)
{
	unsigned long pages = visit->pages;

	if (visit->how & KSPAN_RECLAIM_HOLES)
		pages += kspan_node_free_pages(visit->nid);
	return pages >= visit->want;
}

static void drain_central(struct kspan_heap *heap, struct kspan_central *central,
			  struct reclaim_visit *visit)
{
	unsigned long bytes = kspan_glance(central->nr_depot_objects) * central->sc->size;

	visit->bytes -= min(visit->bytes, bytes);
	visit->worked = true;
	kspan_depot_flush(central);
	/* Else a grace period would have to be waited for. */
	if (heap->private && !kspan_heap_is_typesafe(heap))
		kspan_central_trim(central, false, visit->want - visit->pages);
	if (kspan_glance(kspan_page_heap(visit->nid)->empty_pages))
		visit->pages += kspan_page_heap_release(visit->nid, visit->want - visit->pages,
							false);
}

/* Large objects first: of these the fewest have to be returned for a page. */
static void drain_centrals(struct kspan_heap *heap, void *data)
{
	struct reclaim_visit *visit = data;
	struct kspan_central *central;
	unsigned int class;

	if (heap->private)
		kspan_large_merge(&heap->private->large);
	for (class = heap->nr_classes - 1; class && visit->bytes && !has_enough(visit); class--) {
		central = kspan_heap_central(heap, visit->nid, class);
		if (!central ||
		    !kspan_reclaim_is_worth(heap, central, visit->how & KSPAN_RECLAIM_WAITS))
			continue;
		drain_central(heap, central, visit);
		cond_resched();
	}
}

unsigned long kspan_reclaim_depots(int nid, unsigned long want, unsigned int how, bool *worked)
{
	unsigned long most = min(want, ULONG_MAX >> KSPAN_PAGE_SHIFT) << KSPAN_PAGE_SHIFT;
	struct reclaim_visit visit = {
		.nid = nid, .want = want, .how = how,
		.bytes = how & KSPAN_RECLAIM_ALL ? ULONG_MAX : max(most, KSPAN_DRAIN_LEAST),
	};

	kspan_try_visit_heaps(drain_centrals, &visit);
	*worked |= visit.worked;
	return visit.pages;
}

/* When the caches of a node's CPUs were last drained for memory. */
static unsigned long drained_at[MAX_NUMNODES];

static bool may_drain_cpus(int nid, unsigned int how)
{
	unsigned long before = READ_ONCE(drained_at[nid]);

	if (!(how & (KSPAN_RECLAIM_WAITS | KSPAN_RECLAIM_HOLES)))
		return false;
	if (!(how & KSPAN_RECLAIM_ALL) && before &&
	    time_before(jiffies, before + KSPAN_RELIEF_JIFFIES))
		return false;
	WRITE_ONCE(drained_at[nid], jiffies | 1);
	return true;
}

/* Of the node, or of all: pages of spans in use; what others may still look at stays. */
static void hollow_centrals(struct kspan_heap *heap, void *data)
{
	struct reclaim_visit *visit = data;
	struct kspan_central *central;
	unsigned int i = 0;

	if (kspan_heap_is_typesafe(heap))
		return;
	while (visit->pages < visit->want && visit->looks &&
	       (central = kspan_heap_next_central(heap, &i))) {
		if (visit->nid != NUMA_NO_NODE && central->nid != visit->nid)
			continue;
		visit->pages += kspan_central_hollow(central, visit->want - visit->pages,
						     &visit->looks);
		cond_resched();
	}
}

/* Returns how many more free pages there are now. */
unsigned long kspan_reclaim_hollow(int nid, unsigned long want, unsigned long looks)
{
	struct reclaim_visit visit = { .nid = nid, .want = want, .looks = looks };

	kspan_try_visit_heaps(hollow_centrals, &visit);
	return visit.pages;
}

/* Pages of a node that went back since load, those of loose spans, too. */
static u64 released_pages_of(int nid)
{
	struct kspan_page_heap *ph = kspan_page_heap(nid);

	return kspan_glance(ph->released) + (kspan_glance(ph->loose_released) >> KSPAN_PAGE_ORDER);
}

static u64 released_pages(void)
{
	u64 pages = 0;
	int nid;

	for_each_node(nid)
		pages += released_pages_of(nid);
	return pages;
}

/* kspan_reclaim(); @worked: objects went back to their spans, so it may go on. */
unsigned long kspan_reclaim_noting(int nid, unsigned long want, unsigned int how,
				   enum kspan_reclaimer reclaimer, bool *worked)
{
	unsigned long done = kspan_page_heap_release(nid, want, false), looks = ULONG_MAX;
	bool holes = how & KSPAN_RECLAIM_HOLES;
	u64 before = released_pages_of(nid) - done;

	if (done < want)
		done += kspan_reclaim_depots(nid, want - done, how, worked);
	if (done < want)
		done += kspan_page_heap_release(nid, want - done, holes);
	if (done < want && may_drain_cpus(nid, how) && kspan_flush_node(nid)) {
		*worked = true;
		done += kspan_reclaim_depots(nid, want - done, how, worked);
		done += kspan_page_heap_release(nid, want - min(want, done), holes);
	}
	if (holes && done < want) {
		if (!(how & KSPAN_RECLAIM_ALL))
			looks = KSPAN_LOOKS_LEAST + (want - done) * KSPAN_LOOKS_PER_PAGE;
		if (kspan_reclaim_hollow(nid, want - done, looks))
			done += kspan_page_heap_release(nid, want - done, true);
	}
	/* Loose spans went as soon as they were empty. */
	done = max_t(unsigned long, done, released_pages_of(nid) - before);
	kspan_note_reclaimed(reclaimer, nid, done);
	return done;
}

/**
 * kspan_reclaim() - give back what nobody uses, as much as is wanted
 * @nid:	node
 * @want:	pages of 8 KiB; somewhat more may go
 * @how:	KSPAN_RECLAIM_*
 * @reclaimer:	on whose behalf
 *
 * Context: task; does not sleep, but offers to be preempted.
 * Return: pages that went back.
 */
unsigned long kspan_reclaim(int nid, unsigned long want, unsigned int how,
			    enum kspan_reclaimer reclaimer)
{
	bool worked = false;

	return kspan_reclaim_noting(nid, want, how, reclaimer, &worked);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_reclaim);

/**
 * kspan_trim() - give back all memory that nobody uses
 *
 * What CPUs, depots and pools keep, spans without an object, empty arenas, and, as holes,
 * the free pages of arenas in use and the pages of spans in use that no object is in.
 *
 * Context: task; sleeps.
 * Return: bytes that went back to the page allocator meanwhile.
 */
unsigned long kspan_trim(void)
{
	struct reclaim_visit visit = {
		.nid = NUMA_NO_NODE, .want = ULONG_MAX, .looks = ULONG_MAX,
	};
	u64 before = released_pages(), pages;

	kspan_pool_trim();
	kspan_heap_flush(&kspan_default_heap);
	kspan_private_trim_all();
	kspan_visit_heaps(hollow_centrals, &visit);
	kspan_page_heap_trim();
	pages = released_pages() - before;
	kspan_note_reclaimed(KSPAN_BY_TRIM, NUMA_NO_NODE, pages);
	return pages << KSPAN_PAGE_SHIFT;
}
EXPORT_SYMBOL_GPL(kspan_trim);

/**
 * kspan_heap_trim() - give back what a private heap keeps without using it
 * @heap: the heap; NULL is kspan_trim(), as the default heap has nothing of its own
 *
 * Context: task; sleeps.
 * Return: bytes that it holds less.
 */
size_t kspan_heap_trim(struct kspan_heap *heap)
{
	return heap ? kspan_private_trim(heap) : kspan_trim();
}
EXPORT_SYMBOL_GPL(kspan_heap_trim);
