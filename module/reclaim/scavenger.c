// SPDX-License-Identifier: GPL-2.0
/*
 * The scavenger
 */
#include <linux/irq_work.h>
#include <linux/kspan.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "api/private.h"
#include "base/kunit_export.h"
#include "pages/hooks.h"
#include "pages/page_heap.h"
#include "pages/spare.h"
#include "reclaim/flush.h"
#include "reclaim/reclaim.h"
#include "reclaim/scavenger.h"

/* Pages that the scavenger leaves to every node: the smallest arena. */
#define KSPAN_RETAIN_LEAST	((unsigned long)KSPAN_ARENA_LEAST)
/* Nanoseconds of a look that may be work: who took longer than that had to wait. */
#define KSPAN_LOOK_MOST		(40 * NSEC_PER_MSEC)
/* Spans that the scavenger looks into for pages without an object, in a look. */
#define KSPAN_LOOKS_OF_SCAVENGER	4096UL

unsigned int kspan_scavenge_ms = 1000;
KSPAN_EXPORT_FOR_KUNIT(kspan_scavenge_ms);

struct workqueue_struct *kspan_scavenger_workqueue;

static void scavenger_look(struct work_struct *work);
static DECLARE_DELAYED_WORK(scavenge_work, scavenger_look);

static bool is_short(int nid)
{
	return kspan_is_short(nid, kspan_node_free_pages(nid));
}

/* Until its next look: what becomes empty stays, or nothing does that is beyond the reserve. */
void kspan_scavenger_keep_all(bool all)
{
	int nid;

	for_each_node(nid)
		WRITE_ONCE(kspan_page_heap(nid)->keep, all ? ULONG_MAX : 0);
}

static bool any_is_short(void)
{
	int nid;

	for_each_node(nid)
		if (is_short(nid))
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
	bool hurry = is_short(nid);
	bool worked = false;

	held = kspan_glance(ph->pages);
	if (hurry && held > goal)
		pages += kspan_reclaim_depots(nid, held - goal, 0, &worked);
	held = kspan_glance(ph->pages);
	if (held > (hurry ? goal : 2 * goal))
		kspan_reclaim_hollow(nid, held - goal, KSPAN_LOOKS_OF_SCAVENGER);
	do {
		/* One arena at a time. */
		held = kspan_glance(ph->pages);
		n = held > goal ? kspan_page_heap_release(nid, 1, hurry || held > 2 * goal) : 0;
		pages += n;
		cond_resched();
	} while (n && ktime_get_ns() < deadline);
	kspan_page_heap_report(ph);
	kspan_note_reclaimed(KSPAN_BY_SCAVENGER, nid, pages);
}

/* Counts the rounds of the scavenger through all heaps: one may take several looks. */
static unsigned int scavenge_round;

struct scavenge_visit {
	unsigned int left;
	u64 deadline;
	bool found;
};

static bool is_late(const struct scavenge_visit *visit)
{
	return ktime_get_ns() >= visit->deadline;
}

/* Caches that rest are emptied by their own CPUs. */
static void scavenge_heap(struct kspan_heap *heap, void *data)
{
	struct scavenge_visit *visit = data;
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
		if (!kspan_cpu_cache_rests(heap, cpu)) {
			rests = false;
		} else if (cpu_online(cpu)) {
			kspan_flush_want(heap, cpu);
			kspan_flush_queue(cpu);
		}
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
	       (pages > goal && (kspan_glance(ph->nr_empty) || is_short(ph->nid)));
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
	struct scavenge_visit visit = { .deadline = ktime_get_ns() + budget };
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

static void scavenger_look(struct work_struct *work)
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

void kspan_scavenger_let_wake(void)
{
	WRITE_ONCE(kspan_scavenger_hurried, !READ_ONCE(kspan_scavenge_ms));
	WRITE_ONCE(kspan_scavenger_awake, !READ_ONCE(kspan_scavenge_ms));
}

void kspan_scavenger_cancel(void)
{
	irq_work_sync(&kspan_scavenger_irq_work);
	cancel_delayed_work_sync(&scavenge_work);
}

int kspan_scavenger_init(void)
{
	kspan_scavenger_irq_work = IRQ_WORK_INIT_LAZY(wake_scavenger);
	kspan_scavenger_workqueue = alloc_workqueue("kspan_scavenger", WQ_UNBOUND, 1);
	return kspan_scavenger_workqueue ? 0 : -ENOMEM;
}

void kspan_scavenger_exit(void)
{
	if (kspan_scavenger_workqueue)
		destroy_workqueue(kspan_scavenger_workqueue);
	kspan_scavenger_workqueue = NULL;
}
