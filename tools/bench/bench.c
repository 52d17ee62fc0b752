// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_bench - kspan beside SLUB, in the same boot and through the same loop
 *
 * Loading the module runs the benchmark and prints a line per measurement. All
 * costs are in TSC ticks, to 1/100, the minimum of the rounds, an empty loop
 * subtracted. Under QEMU's -icount shift=0 a tick is an instruction.
 *
 * what=pairs: kspan_malloc() and kspan_free() beside kmalloc() and kfree(), a
 * line per pattern and size, per alloc+free pair:
 *
 *	kspan-bench: pattern=hot size=64 n=1000 kspan=61.00 slub=179.00 ratio=0.34
 *
 *	hot	alloc and free one object
 *	fifo	alloc n objects, free them in the same order
 *	lifo	the same in reverse order
 *	random	the same in random order
 *
 * what=calls: each call beside its counterpart, a line per call and size; what
 * is measured of a call stands in calls[]:
 *
 *	kspan-bench: call=zalloc peer=kzalloc size=64 batch=1 kspan=... slub=... ratio=...
 *
 * Costs are per object. Where there is no counterpart, slub and ratio are "-".
 *
 * Parameters: what, rounds, n, seed.
 */
#define pr_fmt(fmt) "kspan-bench: " fmt

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/kspan.h>
#include <linux/math64.h>
#include <linux/mempool.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timex.h>
#include <linux/tracepoint.h>
#include <linux/vmalloc.h>

static char *what = "all";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "pairs, calls or all (default all)");

static unsigned int rounds = 15;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "repetitions, of which the fastest counts (default 15)");

static unsigned int n = 1000;
module_param(n, uint, 0444);
MODULE_PARM_DESC(n, "objects allocated before the first is freed (default 1000)");

static unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "of the random order (default 1)");

#define MAX_BATCH	250
#define MAX_TEXT	1024
#define CROWD		32

struct allocator {
	void *(*alloc)(size_t size, gfp_t gfp);
	void (*free)(const void *p);
};

/* Wrappers of one shape for all calls, so that one empty loop stands for all. */
#define ALLOC(name)	static noinline void *(name)(size_t size, gfp_t gfp)
#define FREE(name)	static noinline void name(const void *p)

ALLOC(slub_alloc) { return kmalloc(size, gfp); }
FREE(slub_free) { kfree(p); }
ALLOC(kspan_alloc) { return kspan_malloc(size, gfp); }
FREE(kspan_give) { kspan_free(p); }

/* The cost of the loop and of the wrappers alone. */
ALLOC(empty_alloc) { return &rounds; }
FREE(empty_free) { barrier(); }

static const struct allocator empty = { empty_alloc, empty_free };
static const struct allocator slub = { slub_alloc, slub_free };
static const struct allocator kspan = { kspan_alloc, kspan_give };

static void **objects;
static u32 *orders[3];

/* Of a run of run_hot() and run_free(). */
static unsigned int loops;

typedef u64 (*run_fn)(const struct allocator *a, size_t size, const u32 *order);

static u64 run_hot(const struct allocator *a, size_t size, const u32 *order)
{
	u64 start = get_cycles();
	unsigned int i;

	for (i = 0; i < loops; i++) {
		void *p = a->alloc(size, GFP_KERNEL);

		barrier_data(p);
		a->free(p);
	}
	return get_cycles() - start;
}

/* The free alone. */
static u64 run_free(const struct allocator *a, size_t size, const u32 *order)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < loops; i++) {
		void *p = a->alloc(size, GFP_KERNEL);
		u64 start = get_cycles();

		barrier_data(p);
		a->free(p);
		sum += get_cycles() - start;
	}
	return sum;
}

static u64 run_batch(const struct allocator *a, size_t size, const u32 *order)
{
	u64 start = get_cycles();
	unsigned int i;

	for (i = 0; i < n; i++)
		objects[i] = a->alloc(size, GFP_KERNEL);
	for (i = 0; i < n; i++)
		a->free(objects[order[i]]);
	return get_cycles() - start;
}

static u64 fastest(run_fn run, const struct allocator *a, size_t size, const u32 *order)
{
	u64 best = U64_MAX;
	unsigned int i;

	for (i = 0; i < rounds; i++)
		best = min(best, run(a, size, order));
	return best;
}

/* What remains of @cost above the empty loop's, in 1/100 per object. */
static u64 per_object(u64 cost, u64 none, unsigned int nr_objects)
{
	return div_u64((max(cost, none) - none) * 100, nr_objects);
}

/* "12.34", or "-" for U64_MAX. */
struct number {
	char text[24];
};

static struct number number_of(u64 hundredths)
{
	struct number number = { "-" };

	if (hundredths != U64_MAX)
		snprintf(number.text, sizeof(number.text), "%llu.%02u",
			 div_u64(hundredths, 100), (unsigned int)(hundredths % 100));
	return number;
}

static struct number ratio_of(u64 ours, u64 theirs)
{
	return number_of(theirs == U64_MAX ? U64_MAX :
			 div64_u64(ours * 100, max_t(u64, theirs, 1)));
}

/* Patterns of pairs */

static void compare(const char *pattern, run_fn run, size_t size, const u32 *order)
{
	u64 none = fastest(run, &empty, size, order);
	u64 theirs = per_object(fastest(run, &slub, size, order), none, n);
	u64 ours = per_object(fastest(run, &kspan, size, order), none, n);

	pr_info("pattern=%s size=%zu n=%u kspan=%s slub=%s ratio=%s\n", pattern, size, n,
		number_of(ours).text, number_of(theirs).text, ratio_of(ours, theirs).text);
}

static void run_pairs(void)
{
	static const size_t sizes[] = {
		8, 64, 256, 1000, 2048, 4096, 8192, 16384, 32768, 65536,
	};
	static const char * const patterns[] = { "fifo", "lifo", "random" };
	unsigned int i, j;

	loops = n;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		compare("hot", run_hot, sizes[i], NULL);
		for (j = 0; j < ARRAY_SIZE(patterns); j++)
			compare(patterns[j], run_batch, sizes[i], orders[j]);
	}
}

/* Each call */

/**
 * struct fixture - what a measurement of a call finds ready
 * @ours:	object of the size, of kspan
 * @theirs:	the same of SLUB
 * @cache:	of the size
 * @our_pool:	of elements of the size, of kspan
 * @their_pool:	the same of SLUB
 * @batch:	objects of a bulk call
 * @crowd:	objects of kspan of the size, between which are gaps of the size
 * @text:	a string that takes the size with its end
 */
static struct fixture {
	void *ours;
	void *theirs;
	struct kmem_cache *cache;
	mempool_t *our_pool;
	mempool_t *their_pool;
	unsigned int batch;
	void *crowd[CROWD];
	char text[MAX_TEXT];
} fixture;

ALLOC(k_const_64) { return kspan_malloc(64, gfp); }
ALLOC(s_const_64) { return kmalloc(64, gfp); }
ALLOC(k_const_1000) { return kspan_malloc(1000, gfp); }
ALLOC(s_const_1000) { return kmalloc(1000, gfp); }
ALLOC(s_cache) { return kmem_cache_alloc(fixture.cache, gfp); }
FREE(s_cache_free) { kmem_cache_free(fixture.cache, (void *)p); }

ALLOC(k_zalloc) { return kspan_zalloc(size, gfp); }
ALLOC(s_zalloc) { return kzalloc(size, gfp); }
ALLOC(k_node) { return kspan_malloc_node(size, gfp, numa_node_id()); }
ALLOC(s_node) { return kmalloc_node(size, gfp, numa_node_id()); }
ALLOC(k_array) { return kspan_malloc_array(size / 4, 4, gfp); }
ALLOC(s_array) { return kmalloc_array(size / 4, 4, gfp); }
ALLOC(k_calloc) { return kspan_calloc(size / 4, 4, gfp); }
ALLOC(s_calloc) { return kcalloc(size / 4, 4, gfp); }
ALLOC(k_aligned) { return kspan_malloc_aligned(size, 64, gfp); }
ALLOC(k_tiny) { return kspan_tiny_alloc(size, gfp); }
FREE(k_sensitive) { kspan_free_sensitive(p); }
FREE(s_sensitive) { kfree_sensitive(p); }

ALLOC(k_nolock) { return kspan_malloc_nolock(size); }
#ifdef kmalloc_nolock
#define NOLOCK_PEER	"kmalloc_nolock"
ALLOC(s_nolock) { return kmalloc_nolock(size, 0, NUMA_NO_NODE); }
FREE(s_nolock_free) { kfree_nolock(p); }
#else
#define NOLOCK_PEER	"kmalloc(GFP_NOWAIT)"
ALLOC(s_nolock) { return kmalloc(size, GFP_NOWAIT); }
FREE(s_nolock_free) { kfree(p); }
#endif

ALLOC(k_mempool) { return mempool_alloc(fixture.our_pool, gfp); }
FREE(k_mempool_free) { mempool_free((void *)p, fixture.our_pool); }
ALLOC(s_mempool) { return mempool_alloc(fixture.their_pool, gfp); }
FREE(s_mempool_free) { mempool_free((void *)p, fixture.their_pool); }

ALLOC(k_memdup) { return kspan_memdup(fixture.text, size, gfp); }
ALLOC(s_memdup) { return kmemdup(fixture.text, size, gfp); }
ALLOC(k_strdup) { return kspan_strdup(fixture.text, gfp); }
ALLOC(s_strdup) { return kstrdup(fixture.text, gfp); }
ALLOC(k_strndup) { return kspan_strndup(fixture.text, size - 1, gfp); }
ALLOC(s_strndup) { return kstrndup(fixture.text, size - 1, gfp); }
ALLOC(k_asprintf) { return kspan_asprintf(gfp, "%s.%zu", fixture.text, size); }
ALLOC(s_asprintf) { return kasprintf(gfp, "%s.%zu", fixture.text, size); }

/* In place; then moving, by 16 KiB and to the double size, with malloc and free. */
ALLOC(k_realloc) { return kspan_realloc(fixture.ours, size - 4, gfp); }
ALLOC(s_realloc) { return krealloc(fixture.theirs, size - 4, gfp); }
ALLOC(k_realloc_move) { return kspan_realloc(kspan_malloc(size, gfp), 4 * size, gfp); }
ALLOC(s_realloc_move) { return krealloc(kmalloc(size, gfp), 4 * size, gfp); }
ALLOC(k_realloc_step) { return kspan_realloc(kspan_malloc(size, gfp), size + SZ_16K, gfp); }
ALLOC(s_realloc_step) { return krealloc(kmalloc(size, gfp), size + SZ_16K, gfp); }
ALLOC(k_realloc_double) { return kspan_realloc(kspan_malloc(size, gfp), 2 * size, gfp); }
ALLOC(s_realloc_double) { return krealloc(kmalloc(size, gfp), 2 * size, gfp); }

ALLOC(k_size) { return (void *)kspan_size(fixture.ours); }
ALLOC(s_size) { return (void *)ksize(fixture.theirs); }
ALLOC(k_owns) { return (void *)(unsigned long)kspan_owns(fixture.ours); }

ALLOC(k_bulk)
{
	return kspan_alloc_bulk(size, gfp, fixture.batch, objects) ? objects : NULL;
}

/* Returns an int or, in 7.3, a bool. */
ALLOC(s_bulk)
{
	return kmem_cache_alloc_bulk(fixture.cache, gfp, fixture.batch, objects) ? objects : NULL;
}

FREE(k_bulk_free) { kspan_free_bulk(fixture.batch, objects); }
FREE(s_bulk_free) { kmem_cache_free_bulk(fixture.cache, fixture.batch, objects); }
FREE(s_kfree_bulk) { kfree_bulk(fixture.batch, objects); }

ALLOC(k_singly)
{
	unsigned int i;

	for (i = 0; i < fixture.batch; i++)
		objects[i] = kspan_malloc(size, gfp);
	return objects;
}

ALLOC(s_singly)
{
	unsigned int i;

	for (i = 0; i < fixture.batch; i++)
		objects[i] = kmalloc(size, gfp);
	return objects;
}

/**
 * struct call - a call and its counterpart
 * @name:	of the call, without kspan_, and what of it is measured
 * @peer:	name of the counterpart
 * @run:	loop
 * @kspan:	the call
 * @slub:	the counterpart; none where its alloc is NULL
 * @sizes:	up to the first 0
 * @align:	of the objects of the fixture's cache
 * @weight:	how many times fewer loops than n
 * @bulk:	measured for several objects at once
 * @crowded:	whether there is a crowd: an object has no free pages behind it
 */
struct call {
	const char *name;
	const char *peer;
	run_fn run;
	struct allocator kspan;
	struct allocator slub;
	size_t sizes[10];
	unsigned int align;
	unsigned int weight;
	bool bulk;
	bool crowded;
};

#define TINY_SIZES	{ 1, 2, 3, 5, 7, 8, 12, 15 }

static const struct call calls[] = {
	{ "malloc", "kmalloc", run_hot,
	  { kspan_alloc, kspan_give }, { slub_alloc, slub_free }, { 64, 1000 } },
	{ "malloc,constant", "kmalloc", run_hot,
	  { k_const_64, kspan_give }, { s_const_64, slub_free }, { 64 } },
	{ "malloc,constant", "kmalloc", run_hot,
	  { k_const_1000, kspan_give }, { s_const_1000, slub_free }, { 1000 } },
	{ "malloc,constant", "kmem_cache_alloc", run_hot,
	  { k_const_64, kspan_give }, { s_cache, s_cache_free }, { 64 } },
	{ "malloc,constant", "kmem_cache_alloc", run_hot,
	  { k_const_1000, kspan_give }, { s_cache, s_cache_free }, { 1000 } },
	{ "zalloc", "kzalloc", run_hot,
	  { k_zalloc, kspan_give }, { s_zalloc, slub_free }, { 64, 1000 } },
	{ "malloc_node", "kmalloc_node", run_hot,
	  { k_node, kspan_give }, { s_node, slub_free }, { 64, 1000 } },
	{ "malloc_array", "kmalloc_array", run_hot,
	  { k_array, kspan_give }, { s_array, slub_free }, { 64, 1000 } },
	{ "calloc", "kcalloc", run_hot,
	  { k_calloc, kspan_give }, { s_calloc, slub_free }, { 64, 1000 } },
	{ "malloc_aligned", "kmem_cache,align=64", run_hot,
	  { k_aligned, kspan_give }, { s_cache, s_cache_free }, { 100 }, .align = 64 },
	{ "malloc_nolock", NOLOCK_PEER, run_hot,
	  { k_nolock, kspan_give }, { s_nolock, s_nolock_free }, { 64, 1000 } },
	{ "mempool_alloc", "mempool_kmalloc", run_hot,
	  { k_mempool, k_mempool_free }, { s_mempool, s_mempool_free }, { 64, 1000 } },
	{ "free_sensitive", "kfree_sensitive", run_hot,
	  { kspan_alloc, k_sensitive }, { slub_alloc, s_sensitive }, { 64, 1000 } },
	{ "memdup", "kmemdup", run_hot,
	  { k_memdup, kspan_give }, { s_memdup, slub_free }, { 16, 64, 1000 } },
	{ "strdup", "kstrdup", run_hot,
	  { k_strdup, kspan_give }, { s_strdup, slub_free }, { 16, 64 } },
	{ "strndup", "kstrndup", run_hot,
	  { k_strndup, kspan_give }, { s_strndup, slub_free }, { 16, 64 } },
	{ "asprintf", "kasprintf", run_hot,
	  { k_asprintf, kspan_give }, { s_asprintf, slub_free }, { 16, 64 } },
	{ "realloc,in_place", "krealloc", run_hot,
	  { k_realloc, empty_free }, { s_realloc, empty_free }, { 64, 1000 } },
	{ "realloc,to_4_times", "krealloc", run_hot,
	  { k_realloc_move, kspan_give }, { s_realloc_move, slub_free }, { 64, 1000 } },
	{ "realloc,by_16_KiB", "krealloc", run_hot,
	  { k_realloc_step, kspan_give }, { s_realloc_step, slub_free },
	  { 40960, 65536 }, .weight = 100 },
	{ "realloc,by_16_KiB,crowded", "krealloc", run_hot,
	  { k_realloc_step, kspan_give }, { s_realloc_step, slub_free },
	  { 40960, 65536 }, .weight = 100, .crowded = true },
	{ "realloc,to_2_times", "krealloc", run_hot,
	  { k_realloc_double, kspan_give }, { s_realloc_double, slub_free },
	  { 65536, 262144 }, .weight = 100 },
	{ "realloc,to_2_times,crowded", "krealloc", run_hot,
	  { k_realloc_double, kspan_give }, { s_realloc_double, slub_free },
	  { 65536, 262144 }, .weight = 100, .crowded = true },
	{ "size", "ksize", run_hot,
	  { k_size, empty_free }, { s_size, empty_free }, { 64, 1000, 65536 } },
	{ "owns", "-", run_hot,
	  { k_owns, empty_free }, { }, { 64, 1000, 65536 } },
	{ "alloc_bulk+free_bulk", "kmem_cache_bulk", run_hot,
	  { k_bulk, k_bulk_free }, { s_bulk, s_bulk_free }, { 64, 1000 }, .bulk = true },
	{ "free_bulk", "kfree_bulk", run_free,
	  { k_singly, k_bulk_free }, { s_singly, s_kfree_bulk }, { 64, 1000 }, .bulk = true },
	{ "tiny_alloc", "kmalloc", run_hot,
	  { k_tiny, kspan_give }, { slub_alloc, slub_free }, TINY_SIZES },
	{ "tiny_alloc,fifo", "kmalloc", run_batch,
	  { k_tiny, kspan_give }, { slub_alloc, slub_free }, TINY_SIZES },
};

/* Gaps that fit an object exactly are what the next ones get. */
static void make_crowd(size_t size)
{
	unsigned int i;

	for (i = 0; i < CROWD; i++)
		fixture.crowd[i] = kspan_malloc(size, GFP_KERNEL);
	for (i = 0; i < CROWD; i += 2) {
		kspan_free(fixture.crowd[i]);
		fixture.crowd[i] = NULL;
	}
}

static void tear_down(void)
{
	kspan_free_bulk(CROWD, fixture.crowd);
	memset(fixture.crowd, 0, sizeof(fixture.crowd));
	mempool_destroy(fixture.our_pool);
	mempool_destroy(fixture.their_pool);
	kmem_cache_destroy(fixture.cache);
	kspan_free(fixture.ours);
	kfree(fixture.theirs);
}

static bool set_up(const struct call *call, size_t size, unsigned int batch)
{
	size_t len = min_t(size_t, size, MAX_TEXT);

	memset(fixture.text, 'x', len);
	fixture.text[len - 1] = '\0';
	fixture.batch = batch;
	if (call->crowded)
		make_crowd(size);
	fixture.ours = kspan_malloc(size, GFP_KERNEL);
	fixture.theirs = kmalloc(size, GFP_KERNEL);
	fixture.cache = kmem_cache_create("kspan_bench", size, call->align, 0, NULL);
	fixture.our_pool = mempool_create(1, kspan_mempool_alloc, kspan_mempool_free,
					  (void *)size);
	fixture.their_pool = mempool_create_kmalloc_pool(1, size);
	if (fixture.ours && fixture.theirs && fixture.cache && fixture.our_pool &&
	    fixture.their_pool)
		return true;
	pr_err("no memory for call=%s size=%zu\n", call->name, size);
	tear_down();
	return false;
}

static void show_call(const char *name, const char *peer, size_t size, unsigned int batch,
		      u64 ours, u64 theirs)
{
	pr_info("call=%s peer=%s size=%zu batch=%u kspan=%s slub=%s ratio=%s\n", name, peer,
		size, batch, number_of(ours).text, number_of(theirs).text,
		ratio_of(ours, theirs).text);
}

static void compare_call(const struct call *call, size_t size, unsigned int batch)
{
	unsigned int nr_objects;
	u64 none, theirs, ours;

	if (!set_up(call, size, batch))
		return;
	loops = max(1U, n / max(batch, call->weight));
	nr_objects = call->run == run_batch ? n : loops * batch;
	none = fastest(call->run, &empty, size, orders[0]);
	theirs = call->slub.alloc ? per_object(fastest(call->run, &call->slub, size, orders[0]),
					       none, nr_objects) : U64_MAX;
	ours = per_object(fastest(call->run, &call->kspan, size, orders[0]), none, nr_objects);
	tear_down();
	show_call(call->name, call->peer, size, batch, ours, theirs);
}

/* Frees after a grace period */

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
 * Freeing is done by work items and in RCU's softirq, some time later. Between
 * the tracepoints at their begin and end the ticks are counted; other work that
 * runs meanwhile is subtracted by a wait in which nothing was queued.
 */
static unsigned int depth;
static u64 entered;
static u64 deferred;

static void enter_deferred(void)
{
	if (!depth++)
		entered = get_cycles();
}

static void leave_deferred(void)
{
	if (depth && !--depth)
		deferred += get_cycles() - entered;
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

/* Begins come last, so that none is counted whose end is missed. */
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

/* SLUB's objects wait up to 5 s before a grace period is asked for. */
static void wait_for_frees(void)
{
	kspan_barrier();
	msleep(7000);
}

struct rcu_cost {
	u64 queued;
	u64 total;
};

static struct rcu_cost run_rcu(const struct allocator *a, size_t size, unsigned int nr_objects)
{
	struct rcu_cost cost;
	unsigned int i;
	u64 start;

	for (i = 0; i < nr_objects; i++)
		objects[i] = a->alloc(size, GFP_KERNEL);
	deferred = 0;
	start = get_cycles();
	for (i = 0; i < nr_objects; i++)
		a->free(objects[i]);
	cost.queued = get_cycles() - start;
	wait_for_frees();
	cost.total = cost.queued + deferred;
	return cost;
}

static struct rcu_cost fastest_rcu(const struct allocator *a, size_t size)
{
	struct rcu_cost best = { U64_MAX, U64_MAX };
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		struct rcu_cost cost = run_rcu(a, size, n);

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
	show_call(text, peer, size, 1, per_object(k.queued, none.queued, n),
		  per_object(s.queued, none.queued, n));
	snprintf(text, sizeof(text), "%s,total", name);
	show_call(text, peer, size, 1, per_object(k.total, none.total, n),
		  per_object(s.total, none.total, n));
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

static void run_rcu_calls(void)
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

static void run_calls(void)
{
	static const unsigned int batches[] = { 1, 8, 16, 64, MAX_BATCH };
	const struct call *call;
	const size_t *size;
	unsigned int i;

	for (call = calls; call < calls + ARRAY_SIZE(calls); call++)
		for (size = call->sizes; *size; size++)
			for (i = 0; i < (call->bulk ? ARRAY_SIZE(batches) : 1); i++)
				compare_call(call, *size, batches[i]);
	run_rcu_calls();
}

/* The module */

static void make_orders(void)
{
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, seed);
	for (i = 0; i < n; i++) {
		unsigned int j = prandom_u32_state(&rnd) % (i + 1);

		orders[0][i] = i;
		orders[1][i] = n - 1 - i;
		orders[2][i] = orders[2][j];
		orders[2][j] = i;
	}
}

static int __init bench_init(void)
{
	bool all = !strcmp(what, "all");
	bool pairs = all || !strcmp(what, "pairs"), each = all || !strcmp(what, "calls");
	unsigned int i;
	int err;

	if (!n || !rounds) {
		pr_err("n=%u rounds=%u: both must be above 0\n", n, rounds);
		return -EINVAL;
	}
	if (!pairs && !each) {
		pr_err("what=%s: must be pairs, calls or all\n", what);
		return -EINVAL;
	}
	/* SLUB draws the order of each new slab: until then at 10000 instructions. */
	err = wait_for_random_bytes();
	if (err)
		return err;
	err = -ENOMEM;
	objects = vcalloc(max_t(unsigned int, n, MAX_BATCH), sizeof(*objects));
	for (i = 0; i < ARRAY_SIZE(orders); i++)
		orders[i] = vcalloc(n, sizeof(*orders[i]));
	if (objects && orders[0] && orders[1] && orders[2]) {
		make_orders();
		pr_info("seed=%u rounds=%u n=%u; instructions under -icount, else TSC ticks\n",
			seed, rounds, n);
		if (pairs)
			run_pairs();
		if (each)
			run_calls();
		err = 0;
	} else {
		pr_err("no memory for %u objects\n", n);
	}
	for (i = 0; i < ARRAY_SIZE(orders); i++)
		vfree(orders[i]);
	vfree(objects);
	return err;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
}
module_exit(bench_exit);

MODULE_DESCRIPTION("kspan beside SLUB");
MODULE_LICENSE("GPL");
