// SPDX-License-Identifier: GPL-2.0
/* what=calls, frees after a grace period: the call, and the work that follows it. */
#include "bench.h"

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

/* Objects queued when n is not set. */
#define QUEUED		1000

ALLOC(slub_alloc) { return kmalloc(size, gfp); }
ALLOC(kspan_alloc) { return kspan_malloc(size, gfp); }

struct rcu_object {
	struct rcu_head rcu;
};

FREE(k_rcu) { kspan_free_rcu((struct rcu_object *)p, rcu); }
FREE(s_rcu) { kfree_rcu((struct rcu_object *)p, rcu); }
#ifdef kfree_rcu_mightsleep
FREE(k_rcu_mightsleep) { kspan_free_rcu_mightsleep(p); }
FREE(s_rcu_mightsleep) { kfree_rcu_mightsleep(p); }
#endif

/*
 * Work items and RCU's softirq free the objects later. Ticks are counted between the tracepoints
 * at their begin and end. The ticks of a wait in which nothing was queued are subtracted, as they
 * are other work's.
 */
static unsigned int depth;
static u64 entered;
static u64 deferred;

static void enter_deferred(void)
{
	if (!depth++)
		entered = ticks();
}

static void leave_deferred(void)
{
	if (depth && !--depth)
		deferred += ticks() - entered;
}

static void work_start(void *data, struct work_struct *work)
{
	enter_deferred();
}

static void work_end(void *data, struct work_struct *work, work_func_t function)
{
	leave_deferred();
}

static void softirq_start(void *data, unsigned int vec)
{
	if (vec == RCU_SOFTIRQ)
		enter_deferred();
}

static void softirq_end(void *data, unsigned int vec)
{
	if (vec == RCU_SOFTIRQ)
		leave_deferred();
}

/* The tracepoints of begins are registered last, so no begin is counted without its end. */
static struct probe {
	const char *name;
	void *function;
	struct tracepoint *tp;
} probes[] = {
	{ "workqueue_execute_end", work_end },
	{ "softirq_exit", softirq_end },
	{ "workqueue_execute_start", work_start },
	{ "softirq_entry", softirq_start },
};

static void find_tracepoint(struct tracepoint *tp, void *unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (!strcmp(tp->name, probes[i].name))
			probes[i].tp = tp;
}

static void remove_probes(unsigned int nr_probes)
{
	while (nr_probes--)
		tracepoint_probe_unregister(probes[nr_probes].tp, probes[nr_probes].function, NULL);
	tracepoint_synchronize_unregister();
}

static bool add_probes(void)
{
	unsigned int i;

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		return false;
	for_each_kernel_tracepoint(find_tracepoint, NULL);
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		if (probes[i].tp &&
		    !tracepoint_probe_register(probes[i].tp, probes[i].function, NULL))
			continue;
		remove_probes(i);
		return false;
	}
	return true;
}

/* SLUB's objects wait up to 5 s before a grace period starts. */
static void wait_for_frees(void)
{
	kspan_barrier();
	msleep(7000);
}

struct rcu_cost {
	u64 queued;
	u64 total;
};

static unsigned int nr_objects(void)
{
	return nr_counts ? counts[0] : QUEUED;
}

static struct rcu_cost run_rcu(const struct allocator *a, size_t size, unsigned int n)
{
	struct rcu_cost cost;
	unsigned int i;
	u64 start;

	for (i = 0; i < n; i++)
		objects[i] = a->alloc(size, GFP_KERNEL);
	deferred = 0;
	start = ticks();
	for (i = 0; i < n; i++)
		a->free(objects[i]);
	cost.queued = ticks() - start;
	wait_for_frees();
	cost.total = cost.queued + deferred;
	return cost;
}

static struct rcu_cost fastest_rcu(const struct allocator *a, size_t size)
{
	struct rcu_cost best = { U64_MAX, U64_MAX };
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		struct rcu_cost cost = run_rcu(a, size, nr_objects());

		best.queued = min(best.queued, cost.queued);
		best.total = min(best.total, cost.total);
	}
	return best;
}

static void compare_rcu(const char *name, const char *peer, const struct allocator *ours,
			const struct allocator *theirs, size_t size)
{
	struct rcu_cost none = fastest_rcu(&empty, size);
	struct rcu_cost k = fastest_rcu(ours, size);
	struct rcu_cost s = fastest_rcu(theirs, size);
	char text[64];

	snprintf(text, sizeof(text), "%s,queue", name);
	show_call(text, peer, size, 1, per_object(k.queued, none.queued, nr_objects()),
		  per_object(s.queued, none.queued, nr_objects()));
	snprintf(text, sizeof(text), "%s,total", name);
	show_call(text, peer, size, 1, per_object(k.total, none.total, nr_objects()),
		  per_object(s.total, none.total, nr_objects()));
}

static void compare_rcu_calls(size_t size)
{
	static const struct allocator k = { kspan_alloc, k_rcu }, s = { slub_alloc, s_rcu };

	compare_rcu("free_rcu", "kfree_rcu", &k, &s, size);
}

#ifdef kfree_rcu_mightsleep
static void compare_rcu_mightsleep_calls(size_t size)
{
	static const struct allocator k = { kspan_alloc, k_rcu_mightsleep };
	static const struct allocator s = { slub_alloc, s_rcu_mightsleep };

	compare_rcu("free_rcu_mightsleep", "kfree_rcu_mightsleep", &k, &s, size);
}
#else
static void compare_rcu_mightsleep_calls(size_t size)
{
}
#endif

void run_rcu_calls(void)
{
	if (num_online_cpus() > 1) {
		pr_info("free_rcu is measured where there is one CPU\n");
		return;
	}
	if (!add_probes()) {
		pr_info("free_rcu is measured where there are tracepoints\n");
		return;
	}
	compare_rcu_calls(64);
	compare_rcu_calls(1000);
	compare_rcu_mightsleep_calls(64);
	compare_rcu_mightsleep_calls(1000);
	remove_probes(ARRAY_SIZE(probes));
}
