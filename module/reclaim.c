// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim
 *
 *	magazines -> depots -> spans -> arenas -> page allocator
 *
 * What nobody uses goes back on five occasions. kspan_reclaim() is what they share: empty
 * arenas go first, as that costs nothing; then what magazines and depots hold returns to
 * its spans, spans without an object to their arenas, and these go if they are empty now;
 * then free pages of arenas in use, as holes; then pages of spans in use that no object is
 * in, see hollow.c, as holes, too.
 *
 *	shrinker	the kernel wants memory. Counts per node, in the kernel's pages.
 *			Holes are for direct reclaim, where somebody waits; kswapd gets them
 *			from nodes that use less than half of what they have.
 *	OOM notifier	the kernel is about to kill: everything, holes included
 *	soft limit	a new arena would be beyond it: before it is taken
 *	hard limit	a new arena would be beyond it: before the request fails
 *	kspan_trim()	somebody asks for it: everything, on all CPUs, and waits for that
 *
 * None but kspan_trim() sleeps, or waits for a lock under which memory is allocated:
 * kspan's raw spinlocks never are held then, and the list of private heaps is only tried.
 * So a task that enters reclaim from within kspan's own refill can run all of this. What
 * other CPUs keep is returned by work items that nobody waits for; the kernel asks again.
 *
 * The scavenger works the other way round, in the background, and slowly, as Go's does: it
 * gives back what a node has beyond what it used lately and 10 % more. What was used
 * lately is the most that was used since its last look, or 7/8 of what it took for that
 * then. Empty arenas go first, and of a node that has twice what it needs the sparsest
 * others, too. It also returns what the caches of CPUs hold that have not used them since
 * the last look, what of depots was more than needed since, and spans that private heaps
 * keep without using the heap. It takes 1 % of a CPU at most, and sleeps when there is
 * nothing left to wait for, until somebody fills a cache or frees many pages.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/kspan.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/oom.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

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
/* Time between two reliefs from the soft limit, for which caches are drained. */
#define KSPAN_RELIEF_JIFFIES	max(HZ / 10, 1)

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

/* What is done to each heap; @nid: only what is of that node. */
struct visit {
	int nid;
	unsigned int cpu;
	unsigned long pages;
	unsigned long want;
	bool found;
};

static void flush_here(struct kspan_heap *heap, void *data)
{
	struct visit *visit = data;

	kspan_cpu_cache_flush_here(heap, visit->nid);
}

static void flush_if_wanted(struct kspan_heap *heap, void *unused)
{
	if (READ_ONCE(raw_cpu_ptr(heap->cpu)->flush))
		kspan_cpu_cache_flush_here(heap, NUMA_NO_NODE);
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

/* To their spans, and of private heaps the spans that have no object then. */
static void flush_centrals(struct kspan_heap *heap, void *data)
{
	struct visit *visit = data;
	struct kspan_central *central;
	unsigned int i = 0;

	if (heap->private)
		kspan_large_merge(&heap->private->large);
	while ((central = kspan_heap_next_central(heap, &i))) {
		if (central->nid != visit->nid)
			continue;
		kspan_depot_flush(central);
		/* Else a grace period would have to be waited for. */
		if (heap->private && !is_typesafe(heap))
			kspan_central_trim(central, false);
	}
}

static void drain_node(int nid)
{
	struct visit visit = { .nid = nid };

	queue_other_cpus(nid);
	kspan_try_visit_heaps(flush_here, &visit);
	kspan_try_visit_heaps(flush_centrals, &visit);
}

/* Of the node, or of all: pages of spans in use; what others may still look at stays. */
static void hollow_centrals(struct kspan_heap *heap, void *data)
{
	struct visit *visit = data;
	struct kspan_central *central;
	unsigned int i = 0;

	if (is_typesafe(heap))
		return;
	while ((central = kspan_heap_next_central(heap, &i)) && visit->pages < visit->want)
		if (visit->nid == NUMA_NO_NODE || central->nid == visit->nid)
			visit->pages += kspan_central_hollow(central, visit->want - visit->pages);
}

/* Returns whether there are more free pages now. */
static bool hollow_node(int nid, unsigned long want)
{
	struct visit visit = { .nid = nid, .want = want };

	kspan_try_visit_heaps(hollow_centrals, &visit);
	return visit.pages;
}

/**
 * kspan_reclaim() - give back what nobody uses, as much as is wanted
 * @nid:	node
 * @want:	pages of 8 KiB; somewhat more may go
 * @holes:	as the last resort make holes in arenas
 * @reclaimer:	on whose behalf
 *
 * Context: task; does not sleep.
 * Return: pages that went back.
 */
unsigned long kspan_reclaim(int nid, unsigned long want, bool holes,
			    enum kspan_reclaimer reclaimer)
{
	unsigned long done = kspan_page_heap_release(nid, want, false);

	if (done < want) {
		drain_node(nid);
		done += kspan_page_heap_release(nid, want - done, holes);
	}
	if (holes && done < want && hollow_node(nid, want - done))
		done += kspan_page_heap_release(nid, want - done, true);
	note_reclaimed(reclaimer, nid, done);
	return done;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_reclaim);

static u64 released_pages(void)
{
	u64 pages = 0;
	int nid;

	for_each_node(nid)
		pages += READ_ONCE(kspan_page_heap(nid)->released);
	return pages;
}

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
	struct visit visit = { .nid = NUMA_NO_NODE, .want = ULONG_MAX };
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

static void count_cached(struct kspan_heap *heap, void *data)
{
	struct visit *visit = data;
	struct kspan_central *central;
	unsigned long bytes = 0;
	unsigned int i = 0, cpu;

	for_each_online_cpu(cpu) {
		struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);

		if (READ_ONCE(cache->nid) != visit->nid)
			continue;
		/* On average, magazines are half full. */
		bytes += READ_ONCE(cache->capacity) / 2;
		visit->pages += READ_ONCE(cache->large.pages);
	}
	while ((central = kspan_heap_next_central(heap, &i))) {
		if (central->nid != visit->nid)
			continue;
		bytes += READ_ONCE(central->nr_depot_objects) * central->sc->size;
		if (heap->private)
			visit->pages += kspan_central_kept(central);
		if (!is_typesafe(heap))
			visit->pages += kspan_central_hollow_count(central);
	}
	visit->pages += bytes >> KSPAN_PAGE_SHIFT;
}

/**
 * kspan_shrink_count() - what the shrinker could give back
 * @shrinker:	not used
 * @sc:		names the node
 *
 * Free pages of arenas, and an estimate of what is kept in magazines and depots, and of
 * pages of spans in use that no object is in.
 *
 * Return: the kernel's pages, or SHRINK_EMPTY.
 */
unsigned long kspan_shrink_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct kspan_page_heap *ph = kspan_page_heap(sc->nid);
	unsigned long pages = READ_ONCE(ph->pages), used = READ_ONCE(ph->used);
	struct visit visit = { .nid = sc->nid, .pages = pages - min(used, pages) };

	kspan_try_visit_heaps(count_cached, &visit);
	return visit.pages << KSPAN_PAGE_ORDER ?: SHRINK_EMPTY;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_shrink_count);

static bool mostly_free(const struct kspan_page_heap *ph)
{
	return READ_ONCE(ph->used) < READ_ONCE(ph->pages) / 2;
}

/**
 * kspan_shrink_scan() - give back what the kernel asks for
 * @shrinker:	not used
 * @sc:		names the node, and how many of the kernel's pages
 *
 * Return: the kernel's pages that went back; SHRINK_STOP when there were none.
 */
unsigned long kspan_shrink_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	bool holes = !current_is_kswapd() || mostly_free(kspan_page_heap(sc->nid));
	unsigned long want = DIV_ROUND_UP(sc->nr_to_scan, 1UL << KSPAN_PAGE_ORDER);

	return kspan_reclaim(sc->nid, want, holes, KSPAN_BY_SHRINKER) << KSPAN_PAGE_ORDER ?:
	       SHRINK_STOP;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_shrink_scan);

/**
 * kspan_oom() - give back everything before the kernel kills for it
 * @block:	not used
 * @unused:	not used
 * @freed:	adds the kernel's pages that went back
 * Return: NOTIFY_OK.
 */
int kspan_oom(struct notifier_block *block, unsigned long unused, void *freed)
{
	unsigned long pages = 0;
	int nid;

	for_each_node(nid)
		pages += kspan_reclaim(nid, ULONG_MAX, true, KSPAN_BY_OOM);
	*(unsigned long *)freed += pages << KSPAN_PAGE_ORDER;
	return NOTIFY_OK;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_oom);

static struct notifier_block oom_notifier = {
	.notifier_call = kspan_oom,
};

/* Whether an arena for a request is beyond a limit; that is told then. */
static bool beyond(enum kspan_limit limit, unsigned long bytes, unsigned int npages)
{
	unsigned long wanted = roundup_pow_of_two(npages) << KSPAN_PAGE_SHIFT;
	unsigned long held = kspan_arena_bytes();

	if (!bytes || held + wanted <= bytes)
		return false;
	atomic64_inc(&limit_hits[limit]);
	trace_kspan_limit(limit, bytes, held, wanted);
	return true;
}

/**
 * kspan_relieve_soft_limit() - give back what is idle before an arena is taken
 * @nid:	node of the request
 * @npages:	its pages
 * @gfp:	its flags
 *
 * Where the caller may not block, and more often than ten times a second, it is left to
 * the scavenger.
 *
 * Return: whether pages were made free, so that there may be some on the node.
 */
bool kspan_relieve_soft_limit(int nid, unsigned int npages, gfp_t gfp)
{
	static unsigned long last;
	unsigned long before = READ_ONCE(last);
	int other;

	if (likely(!READ_ONCE(kspan_soft_limit)) || (gfp & KSPAN_GFP_NOLOCK) ||
	    !beyond(KSPAN_SOFT_LIMIT, READ_ONCE(kspan_soft_limit), npages))
		return false;
	kspan_scavenger_wake();
	if (!gfpflags_allow_blocking(gfp) ||
	    (before && time_before(jiffies, before + KSPAN_RELIEF_JIFFIES)))
		return false;
	WRITE_ONCE(last, jiffies | 1);
	/* What caches held may serve the request, so only empty arenas go. */
	for_each_node(other)
		kspan_reclaim(other, ULONG_MAX, false, KSPAN_BY_LIMIT);
	return true;
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
	unsigned long done = 0;
	int other;

	if (likely(!READ_ONCE(kspan_hard_limit)) || (gfp & KSPAN_GFP_NOLOCK) ||
	    !beyond(KSPAN_HARD_LIMIT, READ_ONCE(kspan_hard_limit), npages) ||
	    !gfpflags_allow_blocking(gfp))
		return false;
	for_each_node(other)
		done += kspan_reclaim(other, ULONG_MAX, true, KSPAN_BY_LIMIT);
	return done;
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

static void wake_scavenger(struct irq_work *work)
{
	unsigned int ms = READ_ONCE(kspan_scavenge_ms);

	if (!ms || READ_ONCE(kspan_scavenger_awake))
		return;
	keep_all(true);
	WRITE_ONCE(kspan_scavenger_awake, true);
	queue_delayed_work(scavenger, &scavenge_work, msecs_to_jiffies(ms));
}

struct irq_work kspan_scavenger_irq_work = IRQ_WORK_INIT_LAZY(wake_scavenger);

static unsigned long with_tenth(unsigned long pages)
{
	return max(pages + pages / 10, KSPAN_RETAIN_LEAST);
}

/* What a node is to keep, from what it used since the last look. */
static unsigned long goal_of(struct kspan_page_heap *ph)
{
	unsigned long flags, goal;

	raw_spin_lock_irqsave(&ph->lock, flags);
	ph->recent = max(ph->most_used, ph->recent - DIV_ROUND_UP(ph->recent, 8));
	ph->most_used = ph->used;
	goal = with_tenth(ph->recent);
	ph->keep = goal;
	ph->wake_above = goal - ph->used;
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	return goal;
}

static void scavenge_node(int nid, u64 deadline)
{
	struct kspan_page_heap *ph = kspan_page_heap(nid);
	unsigned long goal = goal_of(ph), pages = 0, n;

	if (READ_ONCE(ph->pages) > 2 * goal)
		hollow_node(nid, READ_ONCE(ph->pages) - goal);
	do {
		/* One arena at a time. */
		n = READ_ONCE(ph->pages) > goal ?
		    kspan_page_heap_release(nid, 1, READ_ONCE(ph->pages) > 2 * goal) : 0;
		pages += n;
		cond_resched();
	} while (n && ktime_get_ns() < deadline);
	kspan_page_heap_report(ph);
	note_reclaimed(KSPAN_BY_SCAVENGER, nid, pages);
}

/* Caches that rest are emptied by their own CPUs. */
static void scavenge_heap(struct kspan_heap *heap, void *data)
{
	struct visit *visit = data;
	struct kspan_central *central;
	bool rests = true;
	unsigned int i = 0, cpu;

	for_each_possible_cpu(cpu) {
		if (!kspan_cpu_cache_holds_any(heap, cpu))
			continue;
		visit->found = true;
		if (!kspan_cpu_cache_rests(heap, cpu)) {
			rests = false;
		} else if (cpu_online(cpu)) {
			want_flush(heap, cpu);
			queue_work_on(cpu, workqueue, per_cpu_ptr(flush_works, cpu));
		}
	}
	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_depot_reap(central);
		if (READ_ONCE(central->nr_depot_full))
			visit->found = true;
	}
	if (heap->private && rests)
		kspan_trim_centrals(heap);
}

/* It keeps more than it would if nothing changed any more. */
static bool is_unsettled(struct kspan_page_heap *ph)
{
	unsigned long pages = READ_ONCE(ph->pages), recent = READ_ONCE(ph->recent);
	unsigned long used = READ_ONCE(ph->used);

	return recent > max(used, KSPAN_RETAIN_LEAST) || pages > 2 * with_tenth(recent) ||
	       (READ_ONCE(ph->nr_empty) && pages > with_tenth(recent));
}

/**
 * kspan_scavenge() - a look of the scavenger
 * @budget: nanoseconds after which it leaves the rest to the next
 *
 * Context: task; sleeps.
 * Return: whether there is something to look at again.
 */
bool kspan_scavenge(u64 budget)
{
	u64 deadline = ktime_get_ns() + budget;
	struct visit visit = { };
	int nid;

	kspan_visit_heaps(scavenge_heap, &visit);
	for_each_node(nid) {
		scavenge_node(nid, deadline);
		visit.found |= is_unsettled(kspan_page_heap(nid));
	}
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
	if (!again)
		return;
	WRITE_ONCE(kspan_scavenger_awake, true);
	ms = kspan_scavenge_pause(ms, ktime_get_ns() - start);
	mod_delayed_work(scavenger, &scavenge_work, msecs_to_jiffies(ms));
}

/* One that is turned off counts as awake, so that nobody tries to wake it. */
static void let_wake(void)
{
	WRITE_ONCE(kspan_scavenger_awake, !READ_ONCE(kspan_scavenge_ms));
}

/** kspan_scavenger_restart() - kspan_scavenge_ms was changed; 0 stops it, and waits for that */
void kspan_scavenger_restart(void)
{
	/* Parameters are read before all else is there. */
	if (!scavenger)
		return;
	irq_work_sync(&kspan_scavenger_irq_work);
	cancel_delayed_work_sync(&scavenge_work);
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
	/* Who did not see that has queued it then. */
	irq_work_sync(&kspan_scavenger_irq_work);
	cancel_delayed_work_sync(&scavenge_work);
	/* Nobody wakes it from here on. */
	WRITE_ONCE(kspan_scavenger_awake, true);
	irq_work_sync(&kspan_scavenger_irq_work);
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

	workqueue = alloc_workqueue("kspan_reclaim", WQ_MEM_RECLAIM | KSPAN_WQ_PERCPU, 0);
	scavenger = alloc_workqueue("kspan_scavenger", WQ_UNBOUND, 1);
	flush_works = alloc_percpu(struct work_struct);
	if (!workqueue || !scavenger || !flush_works)
		goto failed;
	for_each_possible_cpu(cpu)
		INIT_WORK(per_cpu_ptr(flush_works, cpu), flush_this_cpu);
	shrinker = kspan_shrinker_open("kspan", SHRINKER_NUMA_AWARE, kspan_shrink_count,
				       kspan_shrink_scan);
	if (!shrinker)
		goto failed;
	register_oom_notifier(&oom_notifier);
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
	unregister_oom_notifier(&oom_notifier);
	kspan_shrinker_close(shrinker);
	stop_scavenger();
	destroy_workqueue(workqueue);
	free_percpu(flush_works);
}
