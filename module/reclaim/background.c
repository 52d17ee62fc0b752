// SPDX-License-Identifier: GPL-2.0
/*
 * Start and stop of reclaim
 *
 * Two kinds of work run in the background: the scavenger (scavenger.c) and the balance of the
 * caches' budget (balance.c). Lower layers start both by irq_work. They share a workqueue and the
 * parameter scavenge_ms, so they are started and stopped together. This file also registers the
 * shrinker (shrink.c), relief from limits (relief.c) and the work items that empty CPU caches
 * (drain.c).
 *
 * Context: task.
 */
#include <linux/irq_work.h>
#include <linux/moduleparam.h>
#include <linux/shrinker.h>

#include "base/kunit_export.h"
#include "base/shrinker.h"
#include "objects/budget.h"
#include "objects/empty.h"
#include "pages/hooks.h"
#include "pages/page_heap.h"
#include "reclaim/reclaim.h"
#include "reclaim/relief.h"
#include "reclaim/scavenger.h"

static struct shrinker *shrinker;

/*
 * While scavenge_ms is 0, the scavenger counts as awake, so that lower layers do not try to wake
 * it.
 */
static void let_wake(void)
{
	kspan_scavenger_let_wake();
	kspan_balance_reset();
}

/*
 * The caller has written scavenge_ms. An irq_work that read it before has queued its delayed work
 * when irq_work_sync() returns. So the cancellation that follows finds that work.
 */
static void cancel_looks(void)
{
	/* Orders that write before the look at the irq_works: they see it, or are waited for. */
	smp_mb();
	kspan_scavenger_cancel();
	kspan_balance_cancel();
}

/* Without a scavenger nothing is kept: nobody would look at it again. */
static void release_kept(void)
{
	int nid;

	for_each_node(nid) {
		kspan_empty_release_all(nid, ULONG_MAX);
		kspan_page_heap_report(kspan_page_heap(nid));
	}
}

/**
 * kspan_scavenger_restart() - act on a new value of kspan_scavenge_ms
 *
 * The value 0 stops the scavenger and the balance, and the caller waits until they have stopped.
 *
 * Context: task; sleeps.
 */
void kspan_scavenger_restart(void)
{
	/* Module parameters are set before kspan_reclaim_init() is called. */
	if (!kspan_scavenger_workqueue)
		return;
	cancel_looks();
	kspan_scavenger_keep_all(false);
	let_wake();
	kspan_scavenger_wake();
	if (!READ_ONCE(kspan_scavenge_ms))
		release_kept();
}
KSPAN_EXPORT_FOR_KUNIT(kspan_scavenger_restart);

/*
 * Stops them for good. Parameters can still be written until the module is gone; the lock of
 * parameters keeps such a write from starting the work again in between.
 */
static void stop_scavenger(void)
{
	kernel_param_lock(THIS_MODULE);
	WRITE_ONCE(kspan_scavenge_ms, 0);
	cancel_looks();
	/* From here on nobody queues the irq_works; what was queued meanwhile ends. */
	let_wake();
	cancel_looks();
	kspan_scavenger_exit();
	kernel_param_unlock(THIS_MODULE);
}

/**
 * kspan_reclaim_init() - start to give memory back
 *
 * Context: task; sleeps.
 * Return: 0, or -ENOMEM with nothing left behind.
 */
int kspan_reclaim_init(void)
{
	kspan_empty_init();
	kspan_relief_init();
	kspan_balance_init();
	if (kspan_scavenger_init() || kspan_drain_init())
		goto failed;
	shrinker = kspan_shrinker_open("kspan", SHRINKER_NUMA_AWARE, kspan_shrink_count,
				       kspan_shrink_scan);
	if (!shrinker)
		goto failed;
	let_wake();
	return 0;
failed:
	stop_scavenger();
	kspan_drain_exit();
	return -ENOMEM;
}

/**
 * kspan_reclaim_exit() - undo kspan_reclaim_init()
 *
 * Nobody allocates from kspan or frees to it any more.
 *
 * Context: task; sleeps.
 */
void kspan_reclaim_exit(void)
{
	kspan_shrinker_close(shrinker);
	stop_scavenger();
	kspan_drain_exit();
}
