// SPDX-License-Identifier: GPL-2.0
/*
 * Balance of the caches' budget
 */
#include <linux/irq_work.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "api/private.h"
#include "objects/budget.h"
#include "reclaim/background.h"
#include "reclaim/scavenger.h"

/*
 * The budget of caches is exhausted: depots that rest are to give up their part of it, sooner
 * than the scavenger looks at them. As that, it takes 1 % of a CPU at most.
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

	/* Before the look: who gets nothing from here on is the next one's. */
	kspan_budget_watch(true);
	kspan_visit_heaps(balance_heap, NULL);
	WRITE_ONCE(balance_ms, kspan_scavenge_pause(ms, ktime_get_ns() - start));
}

static DECLARE_DELAYED_WORK(balance_work, balance);

static void start_balance(struct irq_work *work)
{
	if (READ_ONCE(kspan_scavenge_ms))
		queue_delayed_work(kspan_scavenger_workqueue, &balance_work,
				   msecs_to_jiffies(READ_ONCE(balance_ms)));
}

void kspan_balance_reset(void)
{
	WRITE_ONCE(balance_ms, READ_ONCE(kspan_scavenge_ms) / KSPAN_HURRY);
	kspan_budget_watch(READ_ONCE(kspan_scavenge_ms));
}

void kspan_balance_cancel(void)
{
	irq_work_sync(&kspan_budget_exhausted);
	cancel_delayed_work_sync(&balance_work);
}

void kspan_balance_init(void)
{
	init_irq_work(&kspan_budget_exhausted, start_balance);
}
