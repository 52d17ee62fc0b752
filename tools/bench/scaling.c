// SPDX-License-Identifier: GPL-2.0
/* what=scaling: whether an operation costs more when more objects are held. */
#include "bench.h"

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

/* Every GAP-th object is freed again, so that spans have gaps. */
#define GAP	16

static unsigned int live[MAX_LIST];
static unsigned int nr_live;
module_param_array(live, uint, &nr_live, 0444);
MODULE_PARM_DESC(live, "objects held by scaling, a list (default 1000 to 1000000)");

static const struct pattern hot = { "hot", run_hot };
static const struct pattern fifo = { "fifo", run_batch };

/* Costs of each load while objects of SLUB are held, and then of kspan. */
static struct {
	const struct allocator *now;
	unsigned int nr_costs, nr_shown;
	u64 costs[8];
	unsigned int held, nr_held;
} state;

static void show_cost(const struct pattern *pattern, const struct load *load)
{
	u64 none = fastest(pattern->run, &empty, load);
	u64 cost = per_object(fastest(pattern->run, state.now, load), none, load->loops);
	u64 theirs;

	if (state.now == &slub) {
		state.costs[state.nr_costs++] = cost;
		return;
	}
	theirs = state.costs[state.nr_shown++];
	pr_info("pattern=%s size=%zu n=%u kspan=%s slub=%s ratio=%s peer=kmalloc held=%u live=%u\n",
		pattern->name, load->size, load->batch, number_of(cost).text,
		number_of(theirs).text, ratio_of(cost, theirs).text, state.held, state.nr_held);
}

static void measure_all(void)
{
	measure(show_cost, &hot, 64, 1);
	measure(show_cost, &fifo, 64, 64);
	measure(show_cost, &fifo, 64, 1000);
	measure(show_cost, &fifo, 4096, 1000);
	measure(show_cost, &fifo, SZ_64K, 16);
}

static bool hold(const struct allocator *a, void **held, unsigned int size, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		held[i] = a->alloc(size, GFP_KERNEL | __GFP_NOWARN);
		if (!held[i])
			return false;
		if (!(i % 65536))
			cond_resched();
	}
	for (i = 0; i < n; i += GAP) {
		a->free(held[i]);
		held[i] = NULL;
	}
	return true;
}

static void let_go(const struct allocator *a, void **held, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && (held[i] || !(i % GAP)); i++) {
		a->free(held[i]);
		if (!(i % 65536))
			cond_resched();
	}
}

static int measure_with(unsigned int size, unsigned int n)
{
	static const struct allocator * const both[] = { &slub, &kspan };
	void **held = vcalloc(n, sizeof(*held));
	unsigned int i;
	bool enough = held;

	state.held = size;
	state.nr_held = n;
	state.nr_costs = 0;
	state.nr_shown = 0;
	for (i = 0; enough && i < ARRAY_SIZE(both); i++) {
		state.now = both[i];
		enough = hold(state.now, held, size, n);
		if (enough)
			measure_all();
		let_go(state.now, held, n);
		memset(held, 0, array_size(n, sizeof(*held)));
	}
	vfree(held);
	if (!enough)
		pr_info("left out for want of memory: %u objects of %u bytes held\n", n, size);
	return 0;
}

int run_scaling(void)
{
	static const unsigned int usual[] = { 1000, 10000, 100000, 1000000 };
	const unsigned int *n = nr_live ? live : usual;
	unsigned int i, arenas;

	for (i = 0; i < (nr_live ?: ARRAY_SIZE(usual)); i++)
		if (fits_in_memory((64ULL + sizeof(void *)) * n[i]))
			measure_with(64, n[i]);
		else
			pr_info("left out for want of memory: %u objects of 64 bytes held\n", n[i]);
	/* Arenas of 4 MiB, with four objects in each. */
	for (arenas = 1; arenas <= 4096 && fits_in_memory((u64)arenas * SZ_4M); arenas *= 4)
		measure_with(SZ_1M, 4 * arenas);
	return 0;
}
