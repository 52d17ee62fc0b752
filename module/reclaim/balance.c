// SPDX-License-Identifier: GPL-2.0
/*
 * Balance of the caches' budget
 *
 * The budget bounds what all CPU caches and depots may hold (objects/budget.h). When a cache can
 * draw no more from it, other depots may hold a part that they do not need. Such depots are reaped:
 * they return the magazines that they have not needed lately, and that part of the budget with
 * them.
 *
 * The scavenger reaps depots, too, but a cache should not wait for its next look. The balance runs
 * KSPAN_HURRY times as soon. Like the scavenger it takes 1 % of a CPU at most.
 *
 * Context: task, but for the irq_work.
 */
#include <linux/irq_work.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "api/heaps.h"
#include "api/private.h"
#include "objects/budget.h"
#include "objects/depot.h"
#include "reclaim/background.h"
#include "reclaim/scavenger.h"

/*
 * Milliseconds from the moment that the budget is exhausted to the next look at the depots. After
 * each look it is set so that looks take 1 % of a CPU at most.
 */
static unsigned int balance_ms;

static void balance_heap(struct kspan_heap *heap, void *unused)
{
	struct kspan_central *central;
	unsigned int i = 0;

	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_depot_reap(central);
		cond_resched();
	}
}

static void balance(struct work_struct *work)
{
	unsigned int ms = READ_ONCE(kspan_scavenge_ms) / KSPAN_HURRY;
	u64 start = ktime_get_ns();

	/*
	 * Watch from before the look on: a cache that fails to draw from now on queues the next
	 * balance, as this one may have passed its depots already. If it fails just before, this
	 * look serves it.
	 */
	kspan_budget_watch(true);
	kspan_visit_heaps(balance_heap, NULL);
	WRITE_ONCE(balance_ms, kspan_scavenge_pause(ms, ktime_get_ns() - start));
}

static DECLARE_DELAYED_WORK(balance_work, balance);

/* Runs as irq_work kspan_budget_exhausted, which a cache queues that could not draw. */
static void start_balance(struct irq_work *work)
{
	if (READ_ONCE(kspan_scavenge_ms))
		queue_delayed_work(kspan_scavenger_workqueue, &balance_work,
				   msecs_to_jiffies(READ_ONCE(balance_ms)));
}

/**
 * kspan_balance_reset() - begin anew with the current kspan_scavenge_ms; 0 turns the balance off
 */
void kspan_balance_reset(void)
{
	WRITE_ONCE(balance_ms, READ_ONCE(kspan_scavenge_ms) / KSPAN_HURRY);
	kspan_budget_watch(READ_ONCE(kspan_scavenge_ms));
}

/** kspan_balance_cancel() - cancel what is queued, and wait for what runs; sleeps */
void kspan_balance_cancel(void)
{
	irq_work_sync(&kspan_budget_exhausted);
	cancel_delayed_work_sync(&balance_work);
}

/** kspan_balance_init() - make the irq_work, which lower layers queue */
void kspan_balance_init(void)
{
	init_irq_work(&kspan_budget_exhausted, start_balance);
}
