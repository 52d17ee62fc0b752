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
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/kspan.h>
#include <linux/ktime.h>
#include <linux/mmzone.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

#include "budget.h"
#include "kunit_export.h"
#include "malloc.h"
#include "page_heap.h"
#include "pool.h"
#include "private.h"
#include "reclaim.h"
#include "shrinker.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* Pages that the scavenger leaves to every node: the smallest arena. */
#define KSPAN_RETAIN_LEAST	((unsigned long)KSPAN_ARENA_LEAST)
/* The scavenger's share of a CPU: one in so many. */
#define KSPAN_SCAVENGE_SHARE	100
/*
 * Nanoseconds of a look that count for the pause: a look ends soon after its deadline, and one
 * that took longer than this waited for a processor.
 */
#define KSPAN_LOOK_MOST		(40 * NSEC_PER_MSEC)
/* Spans that the scavenger looks into for pages without an object, in a look. */
#define KSPAN_LOOKS_OF_SCAVENGER	4096UL
/* Where memory is short it waits a part of the time only, and takes as much more of a CPU. */
#define KSPAN_HURRY		20
/* So many idle pages never are what memory is short for: 1 MiB. */
#define KSPAN_IDLE_LEAST	((1UL << 20) >> KSPAN_PAGE_SHIFT)
/* Time between two reliefs for which caches of CPUs are drained. */
#define KSPAN_RELIEF_JIFFIES	max(HZ / 10, 1)
/* Least bytes of objects that a call of kspan_reclaim() returns to their spans, if it must. */
#define KSPAN_DRAIN_LEAST	(512UL * 1024)
/* Spans that it looks into for pages without an object: at most so many, and more for each page. */
#define KSPAN_LOOKS_LEAST	256UL
#define KSPAN_LOOKS_PER_PAGE	8

unsigned int kspan_idle_percent = 5;
KSPAN_EXPORT_FOR_KUNIT(kspan_idle_percent);

/* Tests make memory scarce with it: pages of 8 KiB that a node has to spare at most. */
unsigned long kspan_spare_most = ULONG_MAX;
KSPAN_EXPORT_FOR_KUNIT(kspan_spare_most);

unsigned long kspan_soft_limit;
KSPAN_EXPORT_FOR_KUNIT(kspan_soft_limit);
unsigned int kspan_scavenge_ms = 1000;
KSPAN_EXPORT_FOR_KUNIT(kspan_scavenge_ms);

/* Has to be said since Linux 6.17. */
#ifdef KSPAN_HAS_WQ_PERCPU
#define KSPAN_WQ_PERCPU	WQ_PERCPU
#else
#define KSPAN_WQ_PERCPU	0
#endif

static atomic64_t reclaimed[KSPAN_NR_RECLAIMERS];
static atomic64_t limit_hits[KSPAN_NR_LIMITS];
static struct workqueue_struct *workqueue, *scavenger;
static struct work_struct __percpu *flush_works;
static struct shrinker *shrinker;

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

static void note_reclaimed(enum kspan_reclaimer reclaimer, int nid, unsigned long pages)
{
	if (!pages)
		return;
	atomic64_add(pages, &reclaimed[reclaimer]);
	trace_kspan_reclaim(reclaimer, nid, pages << KSPAN_PAGE_SHIFT, kspan_arena_bytes());
}

/**
 * kspan_spare_pages() - what the kernel can do without on a node
 * @nid: node
 *
 * Context: any.
 * Return: pages of 8 KiB that are free above the high watermarks of the zones that kernel
 * memory is from.
 */
unsigned long kspan_spare_pages(int nid)
{
	unsigned long spare = 0, free, kept;
	int i;

	if (!node_online(nid))
		return 0;
	for (i = 0; i <= ZONE_NORMAL; i++) {
		struct zone *zone = &NODE_DATA(nid)->node_zones[i];

		if (!populated_zone(zone))
			continue;
		free = zone_page_state(zone, NR_FREE_PAGES);
		kept = high_wmark_pages(zone);
		spare += free - min(free, kept);
	}
	return min(spare >> KSPAN_PAGE_ORDER, READ_ONCE(kspan_spare_most));
}

/**
 * kspan_idle_allowance() - what of a node may be idle
 * @nid: node
 *
 * Context: any.
 * Return: most pages that are kept in empty arenas.
 */
unsigned long kspan_idle_allowance(int nid)
{
	unsigned int percent = READ_ONCE(kspan_idle_percent);

	return percent < 100 ? kspan_spare_pages(nid) * percent / 100 : ULONG_MAX;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_idle_allowance);

/* What is done to each heap; @nid: only what is of that node. */
struct visit {
	int nid;
	unsigned int cpu;
	unsigned long pages;
	unsigned long want;
	unsigned long bytes;
	unsigned long looks;
	unsigned int how;
	unsigned int left;
	u64 deadline;
	bool worked;
	bool found;
};

static void flush_here(struct kspan_heap *heap, void *data)
{
	struct visit *visit = data;

	if (!kspan_cpu_cache_holds_any(heap, raw_smp_processor_id()))
		return;
	visit->worked |= kspan_cpu_cache_flush_here(heap, visit->nid);
}

static void flush_if_wanted(struct kspan_heap *heap, void *unused)
{
	if (READ_ONCE(raw_cpu_ptr(heap->cpu)->flush))
		kspan_cpu_cache_flush_here(heap, NUMA_NO_NODE);
	else if (READ_ONCE(raw_cpu_ptr(heap->cpu)->flush_large))
		kspan_cpu_cache_drain_large_here(heap);
}

static void flush_this_cpu(struct work_struct *work)
{
	kspan_visit_heaps(flush_if_wanted, NULL);
}

static void want_flush(struct kspan_heap *heap, unsigned int cpu)
{
	WRITE_ONCE(per_cpu_ptr(heap->cpu, cpu)->flush, true);
}

static void want_flush_of_node(struct kspan_heap *heap, void *data)
{
	struct visit *visit = data;

	if (READ_ONCE(per_cpu_ptr(heap->cpu, visit->cpu)->nid) != visit->nid ||
	    !kspan_cpu_cache_holds_any(heap, visit->cpu))
		return;
	want_flush(heap, visit->cpu);
	visit->found = true;
}

/* Not under cpus_read_lock(), for which reclaim must not wait. */
static void queue_other_cpus(int nid)
{
	struct visit visit = { .nid = nid };
	unsigned int here = raw_smp_processor_id();

	for_each_online_cpu(visit.cpu) {
		visit.found = false;
		if (visit.cpu != here)
			kspan_try_visit_heaps(want_flush_of_node, &visit);
		if (visit.found)
			queue_work_on(visit.cpu, workqueue, per_cpu_ptr(flush_works, visit.cpu));
	}
}

/* Its free slots may still be looked at. */
static bool is_typesafe(const struct kspan_heap *heap)
{
	return heap->private && (heap->private->flags & KSPAN_TYPESAFE_BY_RCU);
}

static unsigned long free_pages_of_node(int nid)
{
	const struct kspan_page_heap *ph = kspan_page_heap(nid);
	unsigned long pages = kspan_glance(ph->pages), used = kspan_glance(ph->used);

	return pages - min(used, pages);
}

static bool mostly_free(const struct kspan_page_heap *ph)
{
	return kspan_glance(ph->used) < kspan_glance(ph->pages) / 2;
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
static unsigned long sure_pages(const struct kspan_central *central)
{
	unsigned long spans = kspan_glance(central->nr_spans), out = kspan_glance(central->nr_out);
	unsigned long depot = kspan_glance(central->nr_depot_objects);

	out -= min(out, depot);
	return pages_of_spans(central, spans - min(spans, out));
}

/* Pages that would be free then if the other spans were full. */
static unsigned long most_pages(const struct kspan_central *central)
{
	unsigned long spans = kspan_glance(central->nr_spans), out = kspan_glance(central->nr_out);
	unsigned long depot = kspan_glance(central->nr_depot_objects), full;

	full = DIV_ROUND_UP(out - min(out, depot), central->sc->slots);
	return pages_of_spans(central, spans - min(spans, full));
}

/* Whether to empty its depot, and of a private heap to give up spans without an object. */
static bool is_worth_draining(const struct kspan_heap *heap, struct kspan_central *central,
			      bool waits)
{
	bool keeps = is_typesafe(heap) ? kspan_glance(central->nr_depot_objects) :
					 kspan_central_keeps(central);

	if (!keeps)
		return false;
	/* For who can do without only where most of the spans are not needed. */
	return waits ? most_pages(central) :
		       2 * most_pages(central) >
		       pages_of_spans(central, kspan_glance(central->nr_spans));
}

static bool has_enough(const struct visit *visit)
{
	unsigned long pages = visit->pages;

	if (visit->how & KSPAN_RECLAIM_HOLES)
		pages += free_pages_of_node(visit->nid);
	return pages >= visit->want;
}

static void drain_central(struct kspan_heap *heap, struct kspan_central *central,
			  struct visit *visit)
{
	unsigned long bytes = kspan_glance(central->nr_depot_objects) * central->sc->size;

	visit->bytes -= min(visit->bytes, bytes);
	visit->worked = true;
	kspan_depot_flush(central);
	/* Else a grace period would have to be waited for. */
	if (heap->private && !is_typesafe(heap))
		kspan_central_trim(central, false, visit->want - visit->pages);
	if (kspan_glance(kspan_page_heap(visit->nid)->empty_pages))
		visit->pages += kspan_page_heap_release(visit->nid, visit->want - visit->pages,
							false);
}

/* Large objects first: of these the fewest have to be returned for a page. */
static void drain_centrals(struct kspan_heap *heap, void *data)
{
	struct visit *visit = data;
	struct kspan_central *central;
	unsigned int class;

	if (heap->private)
		kspan_large_merge(&heap->private->large);
	for (class = heap->nr_classes - 1; class && visit->bytes && !has_enough(visit); class--) {
		central = kspan_heap_central(heap, visit->nid, class);
		if (!central ||
		    !is_worth_draining(heap, central, visit->how & KSPAN_RECLAIM_WAITS))
			continue;
		drain_central(heap, central, visit);
		cond_resched();
	}
}

static unsigned long drain_depots(int nid, unsigned long want, unsigned int how, bool *worked)
{
	unsigned long most = min(want, ULONG_MAX >> KSPAN_PAGE_SHIFT) << KSPAN_PAGE_SHIFT;
	struct visit visit = {
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

static bool drain_cpus(int nid)
{
	struct visit visit = { .nid = nid };

	queue_other_cpus(nid);
	kspan_try_visit_heaps(flush_here, &visit);
	return visit.worked;
}

/* Of the node, or of all: pages of spans in use; what others may still look at stays. */
static void hollow_centrals(struct kspan_heap *heap, void *data)
{
	struct visit *visit = data;
	struct kspan_central *central;
	unsigned int i = 0;

	if (is_typesafe(heap))
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
static unsigned long hollow_node(int nid, unsigned long want, unsigned long looks)
{
	struct visit visit = { .nid = nid, .want = want, .looks = looks };

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
static unsigned long reclaim(int nid, unsigned long want, unsigned int how,
			     enum kspan_reclaimer reclaimer, bool *worked)
{
	unsigned long done = kspan_page_heap_release(nid, want, false), looks = ULONG_MAX;
	bool holes = how & KSPAN_RECLAIM_HOLES;
	u64 before = released_pages_of(nid) - done;

	if (done < want)
		done += drain_depots(nid, want - done, how, worked);
	if (done < want)
		done += kspan_page_heap_release(nid, want - done, holes);
	if (done < want && may_drain_cpus(nid, how) && drain_cpus(nid)) {
		*worked = true;
		done += drain_depots(nid, want - done, how, worked);
		done += kspan_page_heap_release(nid, want - min(want, done), holes);
	}
	if (holes && done < want) {
		if (!(how & KSPAN_RECLAIM_ALL))
			looks = KSPAN_LOOKS_LEAST + (want - done) * KSPAN_LOOKS_PER_PAGE;
		if (hollow_node(nid, want - done, looks))
			done += kspan_page_heap_release(nid, want - done, true);
	}
	/* Loose spans went as soon as they were empty. */
	done = max_t(unsigned long, done, released_pages_of(nid) - before);
	note_reclaimed(reclaimer, nid, done);
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

	return reclaim(nid, want, how, reclaimer, &worked);
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
	struct visit visit = {
		.nid = NUMA_NO_NODE, .want = ULONG_MAX, .looks = ULONG_MAX,
	};
	u64 before = released_pages(), pages;

	kspan_pool_trim();
	kspan_heap_flush(&kspan_default_heap);
	kspan_private_trim_all();
	kspan_visit_heaps(hollow_centrals, &visit);
	kspan_page_heap_trim();
	pages = released_pages() - before;
	note_reclaimed(KSPAN_BY_TRIM, NUMA_NO_NODE, pages);
	return pages << KSPAN_PAGE_SHIFT;
}
EXPORT_SYMBOL_GPL(kspan_trim);

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
	struct visit *visit = data;
	bool waits = visit->how & KSPAN_RECLAIM_WAITS;
	struct kspan_central *central;
	unsigned int class, cpu;

	for (class = 1; class < heap->nr_classes; class++) {
		central = kspan_heap_central(heap, visit->nid, class);
		if (!central || !is_worth_draining(heap, central, waits))
			continue;
		visit->pages += sure_pages(central);
		visit->bytes += kspan_glance(central->nr_depot_objects) * central->sc->size;
		visit->want += most_pages(central) - min(most_pages(central), sure_pages(central));
	}
	if (!waits)
		return;
	for (class = 1; class < heap->nr_classes && !is_typesafe(heap); class++) {
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
	struct visit visit = { .nid = sc->nid, .how = how_to_shrink(sc->nid) };

	visit.pages = visit.how & KSPAN_RECLAIM_HOLES ?
		      free_pages_of_node(sc->nid) :
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

	pages = reclaim(sc->nid, want, how_to_shrink(sc->nid), KSPAN_BY_SHRINKER, &worked) <<
		KSPAN_PAGE_ORDER;
	sc->nr_scanned = max(pages, sc->nr_to_scan);
	return pages || worked ? pages : SHRINK_STOP;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_shrink_scan);

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
 * kspan_relieve_soft_limit() - give back what is idle before an arena is taken
 * @nid:	node of the request
 * @npages:	its pages
 * @gfp:	its flags
 *
 * As much as the arena is beyond the limit. Where the caller may not block, and more often
 * than ten times a second, it is left to the scavenger.
 *
 * Return: whether pages were made free, so that there may be some on the node.
 */
bool kspan_relieve_soft_limit(int nid, unsigned int npages, gfp_t gfp)
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
		pages += free_pages_of_node(nid);
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
 * kspan_relieve_hard_limit() - give back what is idle before a request fails
 * @nid:	node of the request
 * @npages:	its pages
 * @gfp:	its flags
 *
 * Return: whether it is worth a new attempt; false also when there is no such limit, or
 * it is not what the request failed for.
 */
bool kspan_relieve_hard_limit(int nid, unsigned int npages, gfp_t gfp)
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

/*
 * The scavenger
 */
/* It needs not be woken: it will look, it is turned off, or not there yet. */
bool kspan_scavenger_awake = true;
KSPAN_EXPORT_FOR_KUNIT(kspan_scavenger_awake);

static void scavenge(struct work_struct *work);
static DECLARE_DELAYED_WORK(scavenge_work, scavenge);

/* Until its next look: what becomes empty stays, or nothing does that is beyond the reserve. */
static void keep_all(bool all)
{
	int nid;

	for_each_node(nid)
		WRITE_ONCE(kspan_page_heap(nid)->keep, all ? ULONG_MAX : 0);
}

/* The next look is to be soon: memory is short; or there is no scavenger. */
static bool hurried = true;

/**
 * kspan_is_short() - whether the kernel should have what is idle
 * @nid: node
 *
 * Context: any.
 * Return: whether more is idle there than a quarter of what is to spare, and than 1 MiB.
 */
bool kspan_is_short(int nid)
{
	unsigned long idle = free_pages_of_node(nid);

	return idle > KSPAN_IDLE_LEAST && READ_ONCE(kspan_idle_percent) < 100 &&
	       idle > kspan_spare_pages(nid) / 4;
}

/**
 * kspan_scavenger_hurry() - memory is short, and not all of it in use
 *
 * Context: any, NMI included.
 */
void kspan_scavenger_hurry(void)
{
	if (READ_ONCE(hurried))
		return;
	WRITE_ONCE(hurried, true);
	irq_work_queue(&kspan_scavenger_irq_work);
}

static bool any_is_short(void)
{
	int nid;

	for_each_node(nid)
		if (kspan_is_short(nid))
			return true;
	return false;
}

static void wake_scavenger(struct irq_work *work)
{
	unsigned int ms = READ_ONCE(kspan_scavenge_ms);
	bool asleep = !READ_ONCE(kspan_scavenger_awake);

	if (!ms)
		return;
	if (asleep) {
		keep_all(true);
		WRITE_ONCE(kspan_scavenger_awake, true);
	}
	if (READ_ONCE(hurried))
		mod_delayed_work(scavenger, &scavenge_work, 0);
	else if (asleep)
		queue_delayed_work(scavenger, &scavenge_work, msecs_to_jiffies(ms));
}

struct irq_work kspan_scavenger_irq_work = IRQ_WORK_INIT_LAZY(wake_scavenger);

static unsigned long with_tenth(unsigned long pages)
{
	return max(pages + pages / 10, KSPAN_RETAIN_LEAST);
}

/* What a node is to keep, from what it used since the last look, and what there is to spare. */
static unsigned long goal_of(struct kspan_page_heap *ph)
{
	unsigned long flags, goal, idle = kspan_idle_allowance(ph->nid) / 4;

	raw_spin_lock_irqsave(&ph->lock, flags);
	ph->recent = max(ph->most_used, ph->recent - DIV_ROUND_UP(ph->recent, 8));
	ph->most_used = ph->used;
	goal = min(with_tenth(ph->recent), ph->used + idle);
	ph->keep = goal;
	ph->wake_above = goal - min(goal, ph->used);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return goal;
}

static void scavenge_node(int nid, u64 deadline)
{
	struct kspan_page_heap *ph = kspan_page_heap(nid);
	unsigned long goal = goal_of(ph), pages = 0, held, n;
	bool hurry = kspan_is_short(nid);
	bool worked = false;

	held = kspan_glance(ph->pages);
	if (hurry && held > goal)
		pages += drain_depots(nid, held - goal, 0, &worked);
	held = kspan_glance(ph->pages);
	if (held > (hurry ? goal : 2 * goal))
		hollow_node(nid, held - goal, KSPAN_LOOKS_OF_SCAVENGER);
	do {
		/* One arena at a time. */
		held = kspan_glance(ph->pages);
		n = held > goal ? kspan_page_heap_release(nid, 1, hurry || held > 2 * goal) : 0;
		pages += n;
		cond_resched();
	} while (n && ktime_get_ns() < deadline);
	kspan_page_heap_report(ph);
	note_reclaimed(KSPAN_BY_SCAVENGER, nid, pages);
}

/* Counts the rounds of the scavenger through all heaps: one may take several looks. */
static unsigned int scavenge_round;

static bool is_late(const struct visit *visit)
{
	return ktime_get_ns() >= visit->deadline;
}

/*
 * A CPU that did not use its cache, or the large objects in it, since the last look is to empty
 * it of them. Returns whether the CPU is in use.
 */
static bool is_in_use(struct kspan_heap *heap, unsigned int cpu)
{
	struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);
	bool large = kspan_cpu_cache_large_rests(cache), rests = kspan_cpu_cache_rests(heap, cpu);

	if (rests)
		WRITE_ONCE(cache->flush, true);
	else if (large)
		WRITE_ONCE(cache->flush_large, true);
	if ((rests || large) && cpu_online(cpu))
		queue_work_on(cpu, workqueue, per_cpu_ptr(flush_works, cpu));
	return !rests;
}

static void scavenge_heap(struct kspan_heap *heap, void *data)
{
	struct visit *visit = data;
	struct kspan_central *central;
	bool rests = true;
	unsigned int i = 0, cpu;

	/* What was looked at in this round waits, and so does all there is after the deadline. */
	if (heap->private && (heap->private->seen == scavenge_round || is_late(visit))) {
		visit->left += heap->private->seen != scavenge_round;
		return;
	}
	for_each_possible_cpu(cpu) {
		cond_resched();
		if (!kspan_cpu_cache_holds_any(heap, cpu))
			continue;
		visit->found = true;
		rests &= !is_in_use(heap, cpu);
	}
	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_depot_reap(central);
		if (kspan_glance(central->nr_depot_full))
			visit->found = true;
		cond_resched();
	}
	if (heap->private) {
		heap->private->seen = scavenge_round;
		if (rests)
			kspan_trim_centrals(heap);
	}
}

/* It keeps more than it would if nothing changed any more. */
static bool is_unsettled(struct kspan_page_heap *ph)
{
	unsigned long pages = kspan_glance(ph->pages), recent = kspan_glance(ph->recent);
	unsigned long used = kspan_glance(ph->used), goal = kspan_glance(ph->keep);

	return recent > max(used, KSPAN_RETAIN_LEAST) || pages > 2 * with_tenth(recent) ||
	       (pages > goal && (kspan_glance(ph->nr_empty) || kspan_is_short(ph->nid)));
}

/**
 * kspan_scavenge() - a look of the scavenger
 * @budget: nanoseconds after which it leaves the rest to the next
 *
 * Empty arenas go first: that takes the least, and others may be waiting for them.
 *
 * Context: task; sleeps.
 * Return: whether there is something to look at again.
 */
bool kspan_scavenge(u64 budget)
{
	struct visit visit = { .deadline = ktime_get_ns() + budget };
	int nid;

	for_each_node(nid)
		scavenge_node(nid, visit.deadline);
	kspan_visit_heaps(scavenge_heap, &visit);
	/* All were looked at. */
	if (!visit.left)
		scavenge_round++;
	visit.found |= visit.left;
	for_each_node(nid)
		visit.found |= is_unsettled(kspan_page_heap(nid));
	return visit.found;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_scavenge);

/**
 * kspan_scavenge_pause() - how long the scavenger is to wait
 * @ms:		between two looks, when they cost little
 * @spent:	nanoseconds that the last one took
 * Return: milliseconds.
 */
unsigned int kspan_scavenge_pause(unsigned int ms, u64 spent)
{
	spent = min_t(u64, spent, KSPAN_LOOK_MOST);
	return max_t(u64, ms, div_u64(spent * KSPAN_SCAVENGE_SHARE, NSEC_PER_MSEC));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_scavenge_pause);

static void scavenge(struct work_struct *work)
{
	unsigned int ms = READ_ONCE(kspan_scavenge_ms);
	u64 start = ktime_get_ns();
	bool again;

	if (!ms)
		return;
	/* Before the look: whoever fills a cache meanwhile wakes it again. */
	smp_store_mb(kspan_scavenger_awake, false);
	again = kspan_scavenge((u64)ms * NSEC_PER_MSEC / KSPAN_SCAVENGE_SHARE);
	if (!again) {
		WRITE_ONCE(hurried, false);
		return;
	}
	WRITE_ONCE(kspan_scavenger_awake, true);
	WRITE_ONCE(hurried, any_is_short());
	ms = kspan_scavenge_pause(ms, ktime_get_ns() - start);
	if (READ_ONCE(hurried))
		ms = DIV_ROUND_UP(ms, KSPAN_HURRY);
	mod_delayed_work(scavenger, &scavenge_work, msecs_to_jiffies(ms));
}

/*
 * A budget of caches has refused a request. Depots that were not needed since the last look
 * give up their part of it, sooner than the scavenger would see to that: those of the heap whose
 * own budget it was, or of all heaps. Like the scavenger it takes 1 % of a CPU at most.
 */
static unsigned int balance_ms;
/* Counts the rounds through all heaps: one may take several looks. */
static unsigned int balance_round = 1;

/* Milliseconds from a refusal to the look, if looks cost little. */
static unsigned int least_balance_ms(void)
{
	return max(READ_ONCE(kspan_scavenge_ms) / KSPAN_HURRY, 1U);
}

static void balance_heap(struct kspan_heap *heap, void *data)
{
	struct visit *visit = data;
	struct kspan_central *central;
	unsigned int i = 0;

	if (heap->private) {
		if (!READ_ONCE(heap->budget.exhausted) &&
		    !(visit->found && heap->private->balanced != balance_round))
			return;
		if (is_late(visit)) {
			visit->left++;
			return;
		}
		heap->private->balanced = balance_round;
	} else if (!visit->found) {
		return;
	}
	WRITE_ONCE(heap->budget.exhausted, false);
	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_depot_reap(central);
		cond_resched();
	}
}

static void balance(struct work_struct *work)
{
	unsigned int ms = least_balance_ms();
	u64 start = ktime_get_ns();
	struct visit visit = {
		.deadline = start + (u64)ms * NSEC_PER_MSEC / KSPAN_SCAVENGE_SHARE,
		.found = READ_ONCE(kspan_budget.exhausted),
	};

	/* Before the look: a refusal from here on is for the next one. */
	WRITE_ONCE(kspan_budget.exhausted, false);
	kspan_budget_watch(true);
	kspan_visit_heaps(balance_heap, &visit);
	if (visit.found && !visit.left)
		balance_round++;
	WRITE_ONCE(balance_ms, kspan_scavenge_pause(ms, ktime_get_ns() - start));
}

static DECLARE_DELAYED_WORK(balance_work, balance);

static void start_balance(struct irq_work *work)
{
	if (READ_ONCE(kspan_scavenge_ms))
		queue_delayed_work(scavenger, &balance_work,
				   msecs_to_jiffies(READ_ONCE(balance_ms)));
}

/* One that is turned off counts as awake, so that nobody tries to wake it. */
static void let_wake(void)
{
	WRITE_ONCE(hurried, !READ_ONCE(kspan_scavenge_ms));
	WRITE_ONCE(kspan_scavenger_awake, !READ_ONCE(kspan_scavenge_ms));
	WRITE_ONCE(balance_ms, least_balance_ms());
	kspan_budget_watch(READ_ONCE(kspan_scavenge_ms));
}

/* Ends the looks; the caller has written kspan_scavenge_ms. */
static void cancel_looks(void)
{
	/*
	 * Orders that write before the looks at the irq_works: wake_scavenger() and start_balance()
	 * either see it, or are waited for and have queued what is cancelled.
	 */
	smp_mb();
	irq_work_sync(&kspan_scavenger_irq_work);
	irq_work_sync(&kspan_budget_exhausted);
	cancel_delayed_work_sync(&scavenge_work);
	cancel_delayed_work_sync(&balance_work);
}

/** kspan_scavenger_restart() - kspan_scavenge_ms was changed; 0 stops it, and waits for that */
void kspan_scavenger_restart(void)
{
	/* Parameters are read before all else is there. */
	if (!scavenger)
		return;
	cancel_looks();
	keep_all(false);
	let_wake();
	kspan_scavenger_wake();
}
KSPAN_EXPORT_FOR_KUNIT(kspan_scavenger_restart);

/* For good: parameters can be written until the module has gone. */
static void stop_scavenger(void)
{
	kernel_param_lock(THIS_MODULE);
	WRITE_ONCE(kspan_scavenge_ms, 0);
	cancel_looks();
	/* Nobody queues any from here on; what was queued meanwhile ends. */
	let_wake();
	cancel_looks();
	if (scavenger)
		destroy_workqueue(scavenger);
	scavenger = NULL;
	kernel_param_unlock(THIS_MODULE);
}

/**
 * kspan_reclaim_init() - start to give memory back
 * Return: 0 or a negative errno.
 */
int kspan_reclaim_init(void)
{
	unsigned int cpu;

	/* Before a parameter can have it queued. */
	init_irq_work(&kspan_budget_exhausted, start_balance);
	workqueue = alloc_workqueue("kspan_reclaim", WQ_MEM_RECLAIM | KSPAN_WQ_PERCPU, 0);
	/* Ordered: the scavenger and balance() both reap depots. */
	scavenger = alloc_ordered_workqueue("kspan_scavenger", 0);
	flush_works = alloc_percpu(struct work_struct);
	if (!workqueue || !scavenger || !flush_works)
		goto failed;
	for_each_possible_cpu(cpu)
		INIT_WORK(per_cpu_ptr(flush_works, cpu), flush_this_cpu);
	shrinker = kspan_shrinker_open("kspan", SHRINKER_NUMA_AWARE, kspan_shrink_count,
				       kspan_shrink_scan);
	if (!shrinker)
		goto failed;
	let_wake();
	return 0;
failed:
	stop_scavenger();
	if (workqueue)
		destroy_workqueue(workqueue);
	free_percpu(flush_works);
	return -ENOMEM;
}

/** kspan_reclaim_exit() - undo kspan_reclaim_init(); nobody uses kspan any more */
void kspan_reclaim_exit(void)
{
	kspan_shrinker_close(shrinker);
	stop_scavenger();
	destroy_workqueue(workqueue);
	free_percpu(flush_works);
}
