// SPDX-License-Identifier: GPL-2.0
/*
 * The scavenger
 *
 * It gives idle memory back in the background, and slowly, as Go's scavenger does. A look at all
 * nodes and heaps takes these steps:
 *
 *	1. Of each node, give back what it has beyond its goal. The goal is what the node has
 *	   used lately plus 10 %, but no more than what it uses now plus a quarter of
 *	   kspan_idle_allowance(). What it has used lately is the most that it has used since
 *	   the last look, or 7/8 of the value of that look if that is more.
 *	   Empty arenas go back first. Where a node has more than twice its goal, or the
 *	   kernel is short of memory, the free pages of the sparsest other arenas go back,
 *	   too, and so do pages of spans in use that no object is in. Large spans that the
 *	   node has kept without need become free pages.
 *	2. Of each heap, empty the CPU caches that were not used since the last look, or free
 *	   the large objects in them if only these were not used, and return what depots have
 *	   not needed since then. Classes of the default heap lose the empty spans that they
 *	   have not needed.
 *	3. Of each private heap whose CPUs have not used it since the last look, release the
 *	   spans without an object.
 *
 * Looks take 1 % of a CPU at most. A look that has used up its time leaves the rest to the next
 * one.
 *
 * Memory is short on a node if kspan has more idle pages there than a quarter of what the kernel
 * has free above its high watermarks: kspan_is_short(). Then the scavenger looks at once, retires
 * all empty spans, drains depots, too, and comes back twenty times as soon.
 *
 * The scavenger sleeps when nothing is left to wait for. It is woken by kspan_scavenger_wake() when
 * a CPU fills a cache or many pages become free (pages/hooks.h).
 *
 * Context: task, but for the irq_work that wakes it.
 */
#include <linux/irq_work.h>
#include <linux/kspan.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "api/heaps.h"
#include "api/private.h"
#include "base/kunit_export.h"
#include "objects/cpu_caches.h"
#include "objects/depot.h"
#include "objects/empty.h"
#include "pages/hooks.h"
#include "pages/kept.h"
#include "pages/page_heap.h"
#include "pages/spare.h"
#include "reclaim/reclaim.h"
#include "reclaim/scavenger.h"

/* Pages that the scavenger leaves to every node: as many as the smallest arena has. */
#define KSPAN_RETAIN_LEAST	((unsigned long)KSPAN_ARENA_LEAST)
/*
 * Nanoseconds of a look that count for the pause. A look ends soon after its deadline; one that
 * took longer than this waited for a processor.
 */
#define KSPAN_LOOK_MOST		(40 * NSEC_PER_MSEC)
/* Spans that a look may search for pages without an object. */
#define KSPAN_LOOKS_OF_SCAVENGER	4096UL

unsigned int kspan_scavenge_ms = 1000;
KSPAN_EXPORT_FOR_KUNIT(kspan_scavenge_ms);

/* Runs the scavenger and balance.c; NULL before kspan_scavenger_init(). */
struct workqueue_struct *kspan_scavenger_workqueue;

static void scavenger_look(struct work_struct *work);
static DECLARE_DELAYED_WORK(scavenge_work, scavenger_look);

/* Whether the kernel should have what is idle on the node soon. */
static bool is_short(int nid)
{
	return kspan_is_short(nid, kspan_node_free_pages(nid) + kspan_node_kept_pages(nid));
}

/* What all classes may keep in empty spans, in pages of the kernel's size; see empty.c. */
static unsigned long empty_most(int nid)
{
	unsigned long pages = min(kspan_idle_allowance(nid), LONG_MAX >> KSPAN_PAGE_ORDER);

	return pages << KSPAN_PAGE_ORDER;
}

/**
 * kspan_scavenger_keep_all() - set what nodes keep until the scavenger looks at them
 * @all: true: they keep all empty arenas, as the scavenger will come soon, and empty spans. false:
 *	they keep only their reserve.
 */
void kspan_scavenger_keep_all(bool all)
{
	int nid;

	for_each_node(nid) {
		struct kspan_page_heap *ph = kspan_page_heap(nid);

		WRITE_ONCE(ph->keep, all ? ULONG_MAX : 0);
		WRITE_ONCE(ph->kept_most, all ? empty_most(nid) : 0);
	}
}

static bool any_is_short(void)
{
	int nid;

	for_each_node(nid)
		if (is_short(nid))
			return true;
	return false;
}

/* Runs as irq_work kspan_scavenger_irq_work, which lower layers queue. */
static void wake_scavenger(struct irq_work *work)
{
	unsigned int ms = READ_ONCE(kspan_scavenge_ms);
	bool asleep = !READ_ONCE(kspan_scavenger_awake);

	if (!ms)
		return;
	if (asleep) {
		kspan_scavenger_keep_all(true);
		WRITE_ONCE(kspan_scavenger_awake, true);
	}
	if (READ_ONCE(kspan_scavenger_hurried))
		mod_delayed_work(kspan_scavenger_workqueue, &scavenge_work, 0);
	else if (asleep)
		queue_delayed_work(kspan_scavenger_workqueue, &scavenge_work, msecs_to_jiffies(ms));
}

static unsigned long with_tenth(unsigned long pages)
{
	return max(pages + pages / 10, KSPAN_RETAIN_LEAST);
}

/*
 * Sets what the node is to keep until the next look, in pages, and returns it. The head of this
 * file has the formula.
 */
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
	bool hurry = is_short(nid);
	bool worked = false;

	held = kspan_glance(ph->pages);
	WRITE_ONCE(ph->kept_most, hurry ? 0 : empty_most(nid));
	if (hurry)
		kspan_empty_release_all(nid, ULONG_MAX);
	if (hurry && held > goal)
		pages += kspan_reclaim_depots(nid, held - goal, 0, &worked);
	held = kspan_glance(ph->pages);
	if (held > (hurry ? goal : 2 * goal))
		kspan_reclaim_hollow(nid, held - goal, KSPAN_LOOKS_OF_SCAVENGER);
	kspan_kept_reap(nid);
	do {
		/*
		 * Arenas are given back one at a time, so that the deadline is met and others may
		 * run.
		 */
		held = kspan_glance(ph->pages);
		n = held > goal ? kspan_page_heap_release(nid, 1, hurry || held > 2 * goal) : 0;
		pages += n;
		cond_resched();
	} while (n && ktime_get_ns() < deadline);
	kspan_page_heap_report(ph);
	kspan_note_reclaimed(KSPAN_BY_SCAVENGER, nid, pages);
}

/* Number of the current round through all heaps. A round may take several looks. */
static unsigned int scavenge_round;

/*
 * What the visits to all heaps have in common.
 *
 *	left		private heaps that were left to the next look
 *	deadline	time in nanoseconds when the look has to end
 *	found		there is something that a later look may give back
 */
struct scavenge_visit {
	unsigned int left;
	u64 deadline;
	bool found;
};

static bool is_late(const struct scavenge_visit *visit)
{
	return ktime_get_ns() >= visit->deadline;
}

/*
 * A cache that was not used since the last look is emptied by its own CPU, or the large objects in
 * it are, if only these were not used. Returns whether the CPU uses the cache.
 */
static bool scavenge_cpu(struct kspan_heap *heap, unsigned int cpu)
{
	struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);
	bool large = kspan_cpu_cache_large_rests(cache), rests = kspan_cpu_cache_rests(heap, cpu);

	if (rests)
		kspan_drain_want(heap, cpu);
	else if (large)
		WRITE_ONCE(cache->drain_large, true);
	if ((rests || large) && cpu_online(cpu))
		kspan_drain_queue(cpu);
	return !rests;
}

static void scavenge_heap(struct kspan_heap *heap, void *data)
{
	struct scavenge_visit *visit = data;
	struct kspan_central *central;
	bool rests = true;
	unsigned int i = 0, cpu;

	/*
	 * A private heap that was visited in this round is not visited again, nor is any when time
	 * is up.
	 */
	if (heap->private && (heap->private->seen == scavenge_round || is_late(visit))) {
		visit->left += heap->private->seen != scavenge_round;
		return;
	}
	for_each_possible_cpu(cpu) {
		cond_resched();
		if (!kspan_cpu_cache_holds_any(heap, cpu))
			continue;
		visit->found = true;
		rests &= !scavenge_cpu(heap, cpu);
	}
	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_depot_reap(central);
		if (!heap->private)
			kspan_empty_reap(central);
		if (kspan_glance(central->nr_depot_full) ||
		    (!heap->private && kspan_glance(central->nr_empty)))
			visit->found = true;
		cond_resched();
	}
	if (heap->private) {
		heap->private->seen = scavenge_round;
		if (rests)
			kspan_trim_centrals(heap);
	}
}

/* The node keeps more than it would if its use stayed as it is, so another look is worth while. */
static bool is_unsettled(struct kspan_page_heap *ph)
{
	unsigned long pages = kspan_glance(ph->pages), recent = kspan_glance(ph->recent);
	unsigned long used = kspan_glance(ph->used), goal = kspan_glance(ph->keep);

	return kspan_glance(ph->nr_kept_large) || recent > max(used, KSPAN_RETAIN_LEAST) ||
	       pages > 2 * with_tenth(recent) ||
	       (pages > goal && (kspan_glance(ph->nr_empty) || is_short(ph->nid)));
}

/**
 * kspan_scavenge() - look at all nodes and heaps once
 * @budget: nanoseconds; once they are over, the rest is left to the next look
 *
 * Nodes come first: to free empty arenas takes the least time, and others may wait for the memory.
 *
 * Context: task; sleeps.
 * Return: whether there is something to look at again.
 */
bool kspan_scavenge(u64 budget)
{
	struct scavenge_visit visit = { .deadline = ktime_get_ns() + budget };
	int nid;

	for_each_node(nid)
		scavenge_node(nid, visit.deadline);
	kspan_visit_heaps(scavenge_heap, &visit);
	/* All heaps were visited, so the round is over. */
	if (!visit.left)
		scavenge_round++;
	visit.found |= visit.left;
	for_each_node(nid)
		visit.found |= is_unsettled(kspan_page_heap(nid));
	return visit.found;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_scavenge);

/**
 * kspan_scavenge_pause() - tell how long the scavenger is to pause
 * @ms:		milliseconds between two looks that cost little
 * @spent:	nanoseconds that the last look took
 *
 * Context: any.
 * Return: milliseconds. The pause is so long that looks take 1 % of a CPU at most.
 */
unsigned int kspan_scavenge_pause(unsigned int ms, u64 spent)
{
	spent = min_t(u64, spent, KSPAN_LOOK_MOST);
	return max_t(u64, ms, div_u64(spent * KSPAN_SCAVENGE_SHARE, NSEC_PER_MSEC));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_scavenge_pause);

static void scavenger_look(struct work_struct *work)
{
	unsigned int ms = READ_ONCE(kspan_scavenge_ms);
	u64 start = ktime_get_ns();
	bool again;

	if (!ms)
		return;
	/*
	 * Clear the mark before the look: a CPU that fills a cache from now on wakes the scavenger
	 * again. The barrier pairs with the READ_ONCE() in kspan_scavenger_wake() of pages/hooks.h.
	 * That side has no full barrier, so a CPU may still read the old value just after it filled
	 * a cache that this look finds empty. That is harmless: the next CPU that fills a cache
	 * wakes the scavenger.
	 */
	smp_store_mb(kspan_scavenger_awake, false);
	again = kspan_scavenge((u64)ms * NSEC_PER_MSEC / KSPAN_SCAVENGE_SHARE);
	if (!again) {
		WRITE_ONCE(kspan_scavenger_hurried, false);
		return;
	}
	WRITE_ONCE(kspan_scavenger_awake, true);
	WRITE_ONCE(kspan_scavenger_hurried, any_is_short());
	ms = kspan_scavenge_pause(ms, ktime_get_ns() - start);
	if (READ_ONCE(kspan_scavenger_hurried))
		ms = DIV_ROUND_UP(ms, KSPAN_HURRY);
	mod_delayed_work(kspan_scavenger_workqueue, &scavenge_work, msecs_to_jiffies(ms));
}

/**
 * kspan_scavenger_let_wake() - set the marks of pages/hooks.h for a scavenger that sleeps
 *
 * While kspan_scavenge_ms is 0 the scavenger counts as awake and hurried, so that nobody wakes it.
 */
void kspan_scavenger_let_wake(void)
{
	WRITE_ONCE(kspan_scavenger_hurried, !READ_ONCE(kspan_scavenge_ms));
	WRITE_ONCE(kspan_scavenger_awake, !READ_ONCE(kspan_scavenge_ms));
}

/**
 * kspan_scavenger_cancel() - cancel the next look, and wait for one that is under way
 *
 * Context: task; sleeps.
 */
void kspan_scavenger_cancel(void)
{
	irq_work_sync(&kspan_scavenger_irq_work);
	cancel_delayed_work_sync(&scavenge_work);
}

/**
 * kspan_scavenger_init() - make the irq_work that wakes the scavenger, and its workqueue
 * Return: 0 or -ENOMEM.
 */
int kspan_scavenger_init(void)
{
	kspan_scavenger_irq_work = IRQ_WORK_INIT_LAZY(wake_scavenger);
	/* Ordered: the scavenger and the balance both reap depots. */
	kspan_scavenger_workqueue = alloc_ordered_workqueue("kspan_scavenger", 0);
	return kspan_scavenger_workqueue ? 0 : -ENOMEM;
}

/**
 * kspan_scavenger_exit() - destroy the workqueue, if there is one; nothing is queued there any more
 */
void kspan_scavenger_exit(void)
{
	if (kspan_scavenger_workqueue)
		destroy_workqueue(kspan_scavenger_workqueue);
	kspan_scavenger_workqueue = NULL;
}
