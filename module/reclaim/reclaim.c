// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim: memory that nobody uses is given back to the page allocator
 *
 *	magazines -> depots -> spans -> arenas -> page allocator
 *
 * There are four occasions besides the scavenger, which does it in the background (scavenger.c):
 *
 *	shrinker	The kernel wants memory. kspan gives as much as the kernel asks for,
 *			and does no more work than that takes (shrink.c).
 *	soft limit	A new arena would exceed it. kspan gives back first (relief.c).
 *	hard limit	A new arena would exceed it. kspan gives back before the request
 *			fails (relief.c).
 *	kspan_trim()	A user asks for it. Everything idle is given back, on all CPUs, and
 *			the caller waits until that is done.
 *
 * The first three share kspan_reclaim(). It takes these steps in order, until it has given back
 * what is wanted:
 *
 *	1. Free empty arenas. No later request has to rebuild anything. Then retire the empty
 *	   spans that classes of the default heap keep (objects/empty.c), which may leave more.
 *	2. Flush depots, one after another, and release the spans without an object that
 *	   private heaps keep.
 *	3. Give back free pages of arenas in use, as holes.
 *	4. Empty this CPU's caches. Have other CPUs empty theirs by work items, for which
 *	   nobody waits. This is done at most ten times a second.
 *	5. Give back pages of spans in use that no object is in (hollow.c), as holes.
 *
 * Steps 3 and 5 cost the kernel large blocks. Step 4 costs all users of the caches. So these steps
 * are for tasks that wait for memory: direct reclaim and requests at the hard limit. For kswapd and
 * drop_caches they are taken only on nodes that use less than half of their pages, and step 2
 * drains only depots of classes of which more than half of the spans are not needed. Step 2
 * returns at most as many bytes of objects to their spans as are wanted, or half a MiB if that is
 * more.
 *
 * Only kspan_trim() sleeps. The others wait for no lock under which memory is allocated: kspan's
 * raw spinlocks are never held across an allocation, and the list of private heaps is only tried.
 * So a task that enters reclaim from within kspan's own refill can run all of this.
 *
 * What may be idle
 * ----------------
 * A node keeps free pages in empty arenas for later requests, but no more than kspan_idle_percent
 * of what the kernel has free there above its high watermarks: kspan_idle_allowance(). An arena
 * that becomes empty beyond that is given back at once.
 */
#include <linux/kspan.h>
#include <linux/sched.h>

#include "api/alloc.h"
#include "api/heaps.h"
#include "api/private.h"
#include "base/kunit_export.h"
#include "kits/pool.h"
#include "objects/budget.h"
#include "objects/cpu_caches.h"
#include "objects/empty.h"
#include "pages/hooks.h"
#include "pages/page_heap.h"
#include "pages/source.h"
#include "pages/spare.h"
#include "reclaim/reclaim.h"

#define CREATE_TRACE_POINTS
#include "reclaim/trace.h"

/*
 * A call of kspan_reclaim() may return at least so many bytes of objects to their spans, even if
 * less is wanted.
 */
#define KSPAN_DRAIN_LEAST	(512UL * 1024)
/*
 * Spans that step 5 may search for pages without an object, unless KSPAN_RECLAIM_ALL is set: the
 * first number, and the second for each page that is wanted.
 */
#define KSPAN_LOOKS_LEAST	256UL
#define KSPAN_LOOKS_PER_PAGE	8

static atomic64_t reclaimed[KSPAN_NR_RECLAIMERS];

/**
 * kspan_reclaimed() - tell how much went back to the page allocator
 * @reclaimer: for which reason
 *
 * Context: any.
 * Return: bytes since the module was loaded.
 */
u64 kspan_reclaimed(enum kspan_reclaimer reclaimer)
{
	return (u64)atomic64_read(&reclaimed[reclaimer]) << KSPAN_PAGE_SHIFT;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_reclaimed);

/**
 * kspan_note_reclaimed() - count, note and trace pages that went back
 * @reclaimer:	for which reason
 * @nid:	node, or NUMA_NO_NODE for several
 * @pages:	pages of 8 KiB; 0 is none of these
 *
 * Context: any.
 */
void kspan_note_reclaimed(enum kspan_reclaimer reclaimer, int nid, unsigned long pages)
{
	unsigned long held = kspan_arena_bytes();

	if (!pages)
		return;
	atomic64_add(pages, &reclaimed[reclaimer]);
	kspan_reclaim_note(reclaimer, nid, (u64)pages << KSPAN_PAGE_SHIFT, held);
	trace_kspan_reclaim(reclaimer, nid, pages << KSPAN_PAGE_SHIFT, held);
}

/*
 * What the visits to all heaps have in common.
 *
 *	nid	only memory of this node counts; NUMA_NO_NODE for all nodes
 *	pages	pages of 8 KiB that became free or went back so far
 *	want	pages that are wanted
 *	bytes	bytes of objects that may still be returned to their spans
 *	looks	spans that may still be searched for pages without an object
 *	how	KSPAN_RECLAIM_*
 *	worked	objects were returned to their spans
 */
struct reclaim_visit {
	int nid;
	unsigned long pages;
	unsigned long want;
	unsigned long bytes;
	unsigned long looks;
	unsigned int how;
	bool worked;
};

/**
 * kspan_node_free_pages() - tell how many free pages the arenas of a node have
 * @nid: node
 *
 * Context: any. Takes no lock; the result may be slightly wrong.
 * Return: pages of 8 KiB.
 */
unsigned long kspan_node_free_pages(int nid)
{
	const struct kspan_page_heap *ph = kspan_page_heap(nid);
	unsigned long pages = kspan_glance(ph->pages), used = kspan_glance(ph->used);

	return pages - min(used, pages);
}

/**
 * kspan_node_kept_pages() - tell how many pages a node has in spans that are kept for a next use
 * @nid: node
 *
 * That is in empty spans of the default heap's classes, and in large spans.
 *
 * Context: any. Takes no lock.
 * Return: pages of 8 KiB.
 */
unsigned long kspan_node_kept_pages(int nid)
{
	return atomic_long_read(&kspan_page_heap(nid)->kept) >> KSPAN_PAGE_ORDER;
}

/*
 * Pages of @spans spans of the class. Hollow and short spans have fewer pages than others, so the
 * result is at most what the central's spans have together.
 */
static unsigned long pages_of_spans(const struct kspan_central *central, unsigned long spans)
{
	return min(spans * central->sc->pages,
		   kspan_glance(central->base_pages) >> KSPAN_PAGE_ORDER);
}

/* Spans of a central that step 2 is for. Empty ones of the default heap go in step 1. */
static unsigned long nr_spans(const struct kspan_central *central)
{
	unsigned long spans = kspan_glance(central->nr_spans);
	unsigned long empty = central->account ? 0 : kspan_glance(central->nr_empty);

	return spans - min(spans, empty);
}

/**
 * kspan_reclaim_sure_pages() - pages that draining a depot is certain to make free
 * @central: depot's central
 *
 * Each object that is in use, or in a magazine of a CPU, keeps one span at most. All other spans
 * are empty once the depot's objects are back in them.
 *
 * Context: any. Takes no lock; the result may be slightly wrong.
 * Return: pages of 8 KiB.
 */
unsigned long kspan_reclaim_sure_pages(const struct kspan_central *central)
{
	unsigned long spans = nr_spans(central), out = kspan_glance(central->nr_out);
	unsigned long depot = kspan_glance(central->nr_depot_objects);

	out -= min(out, depot);
	return pages_of_spans(central, spans - min(spans, out));
}

/**
 * kspan_reclaim_most_pages() - pages that draining a depot makes free at best
 * @central: depot's central
 *
 * That is so if the objects that are out besides fill the spans they are in.
 *
 * Context: any. Takes no lock; the result may be slightly wrong.
 * Return: pages of 8 KiB.
 */
unsigned long kspan_reclaim_most_pages(const struct kspan_central *central)
{
	unsigned long spans = nr_spans(central), out = kspan_glance(central->nr_out);
	unsigned long depot = kspan_glance(central->nr_depot_objects), full;

	full = DIV_ROUND_UP(out - min(out, depot), central->sc->slots);
	return pages_of_spans(central, spans - min(spans, full));
}

/**
 * kspan_reclaim_is_worth() - tell whether to drain a depot, and to release spans
 * @heap:	heap of the central
 * @central:	depot's central; if the heap is private, its spans without an object count, too
 * @waits:	a task waits for memory, so that little is worth it
 *
 * Context: any. Takes no lock.
 * Return: whether step 2 of kspan_reclaim() should take this central.
 */
bool kspan_reclaim_is_worth(const struct kspan_heap *heap, struct kspan_central *central,
			    bool waits)
{
	bool depot_only = !heap->private || kspan_heap_is_typesafe(heap);
	bool keeps = depot_only ? kspan_glance(central->nr_depot_objects) :
				  kspan_central_keeps(central);

	if (!keeps)
		return false;
	/*
	 * A caller that does not wait gets the depot only if more than half of the spans are not
	 * needed.
	 */
	return waits ? kspan_reclaim_most_pages(central) :
		       2 * kspan_reclaim_most_pages(central) >
		       pages_of_spans(central, nr_spans(central));
}

/* Free pages count as enough only where step 3 may make holes of them. */
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
	kspan_depot_drain(central);
	/* Spans of a typesafe heap could be released only after a grace period. */
	if (heap->private && !kspan_heap_is_typesafe(heap))
		kspan_central_trim(central, false, visit->want - visit->pages);
	if (kspan_glance(kspan_page_heap(visit->nid)->empty_pages))
		visit->pages += kspan_page_heap_release(visit->nid, visit->want - visit->pages,
							false);
}

/* Large classes first: for a free page the fewest large objects have to be returned. */
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

/**
 * kspan_reclaim_depots() - drain depots, and free the arenas that become empty
 * @nid:	node
 * @want:	pages of 8 KiB that are wanted
 * @how:	KSPAN_RECLAIM_*; with KSPAN_RECLAIM_ALL the work has no bound
 * @worked:	set if objects were returned to their spans; else left as it is
 *
 * While another task works with the list of private heaps, only depots of the default heap are
 * drained.
 *
 * Context: task; does not sleep, but offers to be preempted.
 * Return: pages that went back.
 */
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

/*
 * Time in jiffies, never 0, when the caches of a node's CPUs were last emptied for memory; 0 for
 * never. Written without a lock: two tasks may empty them at the same time, which is harmless.
 */
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

/*
 * Makes pages of spans in use free that no object is in, on one node or all. A typesafe heap is
 * left out, as RCU readers may still look at its free slots.
 */
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

/**
 * kspan_reclaim_hollow() - make pages of spans in use free that no object is in
 * @nid:	node, or NUMA_NO_NODE for all
 * @want:	pages of 8 KiB that are wanted
 * @looks:	spans that may be searched
 *
 * Context: task; does not sleep, but offers to be preempted.
 * Return: pages of 8 KiB that became free and are still in their arenas.
 */
unsigned long kspan_reclaim_hollow(int nid, unsigned long want, unsigned long looks)
{
	struct reclaim_visit visit = { .nid = nid, .want = want, .looks = looks };

	kspan_try_visit_heaps(hollow_centrals, &visit);
	return visit.pages;
}

/*
 * Pages of a node, in units of 8 KiB, that went back since the module was loaded, including those
 * of loose spans.
 */
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

/**
 * kspan_reclaim_noting() - kspan_reclaim() that also tells whether it did any work
 * @nid:	node
 * @want:	pages of 8 KiB; somewhat more may be given back
 * @how:	KSPAN_RECLAIM_*
 * @reclaimer:	for which reason
 * @worked:	set if objects were returned to their spans, so that another call may give pages
 *		back; else left as it is
 *
 * Context: task; does not sleep, but offers to be preempted.
 * Return: pages that went back.
 */
unsigned long kspan_reclaim_noting(int nid, unsigned long want, unsigned int how,
				   enum kspan_reclaimer reclaimer, bool *worked)
{
	unsigned long done = kspan_page_heap_release(nid, want, false), looks = ULONG_MAX;
	bool holes = how & KSPAN_RECLAIM_HOLES;
	u64 before = released_pages_of(nid) - done;

	/* What is drained from here on is not to be kept, until the scavenger looks. */
	if (done < want)
		WRITE_ONCE(kspan_page_heap(nid)->kept_most, 0);
	if (done < want && kspan_empty_release_all(nid, want - done)) {
		*worked = true;
		done += kspan_page_heap_release(nid, want - done, false);
	}
	if (done < want)
		done += kspan_reclaim_depots(nid, want - done, how, worked);
	if (done < want)
		done += kspan_page_heap_release(nid, want - done, holes);
	if (done < want && may_drain_cpus(nid, how) && kspan_drain_node(nid)) {
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
	/* A loose span goes back as soon as it is empty, without being counted in @done. */
	done = max_t(unsigned long, done, released_pages_of(nid) - before);
	kspan_note_reclaimed(reclaimer, nid, done);
	return done;
}

/**
 * kspan_reclaim() - give back what nobody uses, as much as is wanted
 * @nid:	node
 * @want:	pages of 8 KiB; somewhat more may be given back
 * @how:	KSPAN_RECLAIM_*
 * @reclaimer:	for which reason
 *
 * The head of this file lists the steps.
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
 * That is: objects that CPUs, depots and pools keep, spans without an object, and empty arenas.
 * Free pages of arenas in use, and pages of spans in use that no object is in, are given back as
 * holes.
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
	kspan_heap_drain(&kspan_default_heap);
	kspan_private_trim_all();
	kspan_visit_heaps(hollow_centrals, &visit);
	kspan_page_heap_release_all();
	pages = released_pages() - before;
	kspan_note_reclaimed(KSPAN_BY_TRIM, NUMA_NO_NODE, pages);
	return pages << KSPAN_PAGE_SHIFT;
}
EXPORT_SYMBOL_GPL(kspan_trim);

/**
 * kspan_heap_trim() - give back what a private heap keeps without using it
 * @heap: private heap; NULL is kspan_trim(), as the default heap has no pages of its own
 *
 * Context: task; sleeps.
 * Return: bytes that the heap holds less than before.
 */
size_t kspan_heap_trim(struct kspan_heap *heap)
{
	return heap ? kspan_private_trim(heap) : kspan_trim();
}
EXPORT_SYMBOL_GPL(kspan_heap_trim);
