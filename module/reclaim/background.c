// SPDX-License-Identifier: GPL-2.0
/*
 * Start and stop of what gives memory back
 */
#include <linux/irq_work.h>
#include <linux/moduleparam.h>
#include <linux/shrinker.h>

#include "base/kunit_export.h"
#include "base/shrinker.h"
#include "objects/budget.h"
#include "pages/hooks.h"
#include "reclaim/background.h"
#include "reclaim/flush.h"
#include "reclaim/reclaim.h"
#include "reclaim/relief.h"
#include "reclaim/scavenger.h"

static struct shrinker *shrinker;

/* One that is turned off counts as awake, so that nobody tries to wake it. */
static void let_wake(void)
{
	kspan_scavenger_let_wake();
	kspan_balance_reset();
}

/* Whoever saw before that it is turned off has queued it by then. */
static void cancel_looks(void)
{
	kspan_scavenger_cancel();
	kspan_balance_cancel();
}

/** kspan_scavenger_restart() - kspan_scavenge_ms was changed; 0 stops it, and waits for that */
void kspan_scavenger_restart(void)
{
	/* Parameters are read before all else is there. */
	if (!kspan_scavenger_workqueue)
		return;
	cancel_looks();
	kspan_scavenger_keep_all(false);
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
	/* Nobody wakes it from here on. */
	let_wake();
	irq_work_sync(&kspan_scavenger_irq_work);
	irq_work_sync(&kspan_budget_exhausted);
	kspan_scavenger_exit();
	kernel_param_unlock(THIS_MODULE);
}

/**
 * kspan_reclaim_init() - start to give memory back
 * Return: 0 or a negative errno.
 */
int kspan_reclaim_init(void)
{
	kspan_relief_init();
	kspan_balance_init();
	if (kspan_scavenger_init() || kspan_flush_init())
		goto failed;
	shrinker = kspan_shrinker_open("kspan", SHRINKER_NUMA_AWARE, kspan_shrink_count,
				       kspan_shrink_scan);
	if (!shrinker)
		goto failed;
	let_wake();
	return 0;
failed:
	stop_scavenger();
	kspan_flush_exit();
	return -ENOMEM;
}

/** kspan_reclaim_exit() - undo kspan_reclaim_init(); nobody uses kspan any more */
void kspan_reclaim_exit(void)
{
	kspan_shrinker_close(shrinker);
	stop_scavenger();
	kspan_flush_exit();
}
