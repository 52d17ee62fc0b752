// SPDX-License-Identifier: GPL-2.0
/*
 * Balance of the caches' budget
 *
 * A budget bounds what all CPU caches and depots may hold, or those of one heap (objects/budget.h).
 * When it refuses a request, other depots may hold a part that they do not need. Such depots are
 * reaped: they return the magazines that they have not needed lately, and that part of the budget
 * with them. These are the depots of the heap whose own budget refused, or of all heaps.
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
#include "reclaim/reclaim.h"
#include "reclaim/scavenger.h"

/*
 * Milliseconds from the moment that the budget is exhausted to the next look at the depots. After
 * each look it is set so that looks take 1 % of a CPU at most.
 */
static unsigned int balance_ms;

/* Number of the current round through all heaps. A round may take several looks. */
static unsigned int balance_round = 1;

/*
 * What the visits to all heaps have in common.
 *
 *	left		private heaps that were left to the next look of this round
 *	again		private heaps whose budget has refused since this round served them
 *	done		private heaps that this look served
 *	deadline	time in nanoseconds when the look has to end
 *	all		the budget of all heaps has refused
 */
struct balance_visit {
	unsigned int left;
	unsigned int again;
	unsigned int done;
	u64 deadline;
	bool all;
};

/* Milliseconds from a refusal to the look, if looks cost little. */
static unsigned int least_ms(void)
{
	return max(READ_ONCE(kspan_scavenge_ms) / KSPAN_HURRY, 1U);
}

/* Whether the heap's depots are to be reaped in this look. */
static bool must_balance(struct kspan_heap *heap, struct balance_visit *visit)
{
	bool exhausted = READ_ONCE(heap->budget.exhausted);

	if (!heap->private)
		return visit->all;
	if (!exhausted && !visit->all)
		return false;
	/* Once a round, or heaps that are refused all the time would leave no time for others. */
	if (heap->private->balanced == balance_round) {
		visit->again += exhausted;
		return false;
	}
	/* One at least, or a look that is late from the beginning would leave all. */
	if (visit->done && ktime_get_ns() >= visit->deadline) {
		visit->left++;
		return false;
	}
	visit->done++;
	heap->private->balanced = balance_round;
	return true;
}

static void balance_heap(struct kspan_heap *heap, void *data)
{
	struct kspan_central *central;
	unsigned int i = 0;

	if (!must_balance(heap, data))
		return;
	WRITE_ONCE(heap->budget.exhausted, false);
	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_depot_reap(central);
		cond_resched();
	}
}

/*
 * Some heaps were left to another look. Queue it, as it may be that no budget refuses any more.
 * @all: the budget of all heaps has refused, and not all heaps were served.
 */
static void balance_go_on(struct work_struct *work, bool all)
{
	if (all)
		WRITE_ONCE(kspan_budget.exhausted, true);
	if (READ_ONCE(kspan_scavenge_ms))
		queue_delayed_work(kspan_scavenger_workqueue, to_delayed_work(work),
				   msecs_to_jiffies(READ_ONCE(balance_ms)));
}

static void balance(struct work_struct *work)
{
	unsigned int ms = least_ms();
	u64 start = ktime_get_ns();
	struct balance_visit visit = {
		.deadline = start + (u64)ms * NSEC_PER_MSEC / KSPAN_SCAVENGE_SHARE,
	};

	/*
	 * Watch from before the look on: a refusal from now on queues the next balance, as this one
	 * may have passed those depots already. This look serves a refusal just before.
	 */
	kspan_budget_watch(true);
	/* Pairs with smp_mb() in budget_tell() of budget.c. */
	smp_mb();
	visit.all = READ_ONCE(kspan_budget.exhausted);
	if (visit.all)
		WRITE_ONCE(kspan_budget.exhausted, false);
	kspan_visit_heaps(balance_heap, &visit);
	WRITE_ONCE(balance_ms, kspan_scavenge_pause(ms, ktime_get_ns() - start));
	if (visit.left || visit.again)
		balance_go_on(work, visit.all && visit.left);
	if (!visit.left)
		balance_round++;
}

static DECLARE_DELAYED_WORK(balance_work, balance);

/* Runs as irq_work kspan_budget_exhausted, which a budget queues that refuses. */
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
	WRITE_ONCE(balance_ms, least_ms());
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
