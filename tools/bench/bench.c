// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_bench - kspan beside SLUB, in the same boot and through the same loop.
 *
 * Loading the module runs the benchmark and prints a line for each measurement. All costs are in
 * TSC ticks, to 1/100. They are the minimum of the rounds, without the cost of an empty loop. Under
 * QEMU's -icount shift=0 a tick is an instruction. Under User Mode Linux costs are nanoseconds.
 *
 * what=pairs: kspan_malloc() and kspan_free() beside kmalloc() and kfree(). There is a line for
 * each pattern, size and n, with the cost of an allocation and its free:
 *
 *	kspan-bench: pattern=hot size=64 n=1000 kspan=61.00 slub=179.00 ratio=0.34
 *
 *	hot	alloc and free one object
 *	fifo	alloc n objects, free them in the same order
 *	lifo	the same in reverse order
 *	random	the same in random order
 *	zeroed	hot, of zeroed objects
 *
 * what=large: the same for 33 KiB to 1 MiB, beside kmalloc() and alloc_pages().
 *
 * what=churn: n objects are live (default 8192), of sizes from 8 to size, as many in each octave.
 * A random one is freed, and another allocated in its place. The cost is the mean of all rounds.
 *
 * what=scaling: hot and fifo while ever more objects are held. held= is their size, live= their
 * number.
 *
 * what=calls: each call beside its counterpart, a line for each call and size. calls[] has the
 * measured part of each call:
 *
 *	kspan-bench: call=zalloc peer=kzalloc size=64 batch=1 kspan=... slub=... ratio=...
 *
 * Costs are per object. Without a counterpart slub and ratio are "-".
 *
 * what=heaps: pattern=cache,... beside kmem_cache; heap,... beside kmalloc(); life,... of an empty
 * heap; and destroy, which ends n objects at once, beside the free of each.
 *
 * what=memory: the memory that objects take, beside their requested bytes. See memory.c.
 *
 * what=region: n objects of a region. They are allocated and released by a mark, or the region is
 * created and destroyed for them (pattern=region_once). The peer frees each.
 *
 * what=worst: the longest single allocation and free, pattern=worst_alloc and worst_free.
 *
 * what=reclaim: requests that fail at a limit, and drop_caches. See reclaim.c.
 *
 * what=stretch: the longest time with interrupts or preemption off. See stretch.c.
 *
 * what=rest: the memory that is kept when all objects were freed, on many CPUs
 *
 * what=remote, what=parallel: two CPUs and more. See parallel.c.
 *
 * what=pool: object pools and fixed pools. See pool.c.
 *
 * what=profile: the pairs again, once each. tools/bench/profile.py reads their instructions from
 * QEMU's log.
 *
 * Parameters: what, rounds, seed, and the lists pattern, size, n.
 */
#include "bench.h"

#include <linux/cpumask.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>

static char what[16] = "all";
static bool loaded;
static int set_what(const char *text, const struct kernel_param *param);
static const struct kernel_param_ops what_ops = { .set = set_what, .get = param_get_string };
static struct kparam_string what_string = { sizeof(what), what };
module_param_cb(what, &what_ops, &what_string, 0644);
MODULE_PARM_DESC(what, "pairs, calls, large, churn, scaling, heaps, memory, region, pool, worst, stretch, rest, reclaim, remote, parallel, profile, nothing or all, which is pairs and calls (default all); may be written, to run something else");

unsigned int rounds = 15;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "repetitions, of which the fastest counts (default 15)");

unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "of the random order (default 1)");

unsigned int counts[MAX_LIST], nr_counts;
module_param_array_named(n, counts, uint, &nr_counts, 0444);
MODULE_PARM_DESC(n, "objects allocated before the first is freed, a list (default 16 to 10000)");

unsigned int sizes[MAX_LIST], nr_sizes;
module_param_array_named(size, sizes, uint, &nr_sizes, 0444);
MODULE_PARM_DESC(size, "bytes of the objects of pairs, a list (default 8 to 65536)");

char *patterns[MAX_LIST];
unsigned int nr_patterns;
module_param_array_named(pattern, patterns, charp, &nr_patterns, 0444);
MODULE_PARM_DESC(pattern, "of pairs, a list of hot, fifo, lifo, random, zeroed; of memory, of uniform, powerlaw, small, mixed, large, drift (default all)");

void **objects;
static u32 *order;

ALLOC(slub_alloc) { return kmalloc(size, gfp); }
FREE(slub_free) { kfree(p); }
ALLOC(kspan_alloc) { return kspan_malloc(size, gfp); }
FREE(kspan_give) { kspan_free(p); }

/* These cost as much as the loop and the wrappers alone. */
ALLOC(empty_alloc) { return &rounds; }
FREE(empty_free) { barrier(); }

const struct allocator empty = { empty_alloc, empty_free };
const struct allocator slub = { slub_alloc, slub_free };
const struct allocator kspan = { kspan_alloc, kspan_give };

u64 run_hot(const struct allocator *a, const struct load *load)
{
	u64 start = ticks();
	unsigned int i;

	for (i = 0; i < load->loops; i++) {
		void *p = a->alloc(load->size, load->gfp);

		barrier_data(p);
		a->free(p);
	}
	return ticks() - start;
}

/* The timer interrupts long runs. So each piece is timed by itself, allocations and frees apart. */
u64 run_batch(const struct allocator *a, const struct load *load)
{
	struct stopwatch allocs = { }, frees = { };
	unsigned int i, j, left, piece;

	for (left = load->loops; left; left -= load->batch) {
		for (i = 0; i < load->batch; i += piece) {
			piece = min(PIECE, load->batch - i);
			watch_start(&allocs);
			for (j = i; j < i + piece; j++)
				objects[j] = a->alloc(load->size, load->gfp);
			watch_stop(&allocs, piece);
		}
		for (i = 0; i < load->batch; i += piece) {
			piece = min(PIECE, load->batch - i);
			watch_start(&frees);
			for (j = i; j < i + piece; j++)
				a->free(objects[load->order[j]]);
			watch_stop(&frees, piece);
		}
	}
	if (!allocs.objects || !frees.objects)
		return U64_MAX;
	return watch_total(&allocs, load->loops) + watch_total(&frees, load->loops);
}

u64 watch_total(const struct stopwatch *watch, u64 nr_objects)
{
	return watch->objects ? div64_u64(watch->ticks * nr_objects, watch->objects) : U64_MAX;
}

u64 fastest(run_fn run, const struct allocator *a, const struct load *load)
{
	u64 best = U64_MAX;
	unsigned int i;

	for (i = 0; i < rounds; i++)
		best = min(best, run(a, load));
	return best;
}

/* Under User Mode Linux: the nanoseconds of a number of ticks. */
static u64 known_ns = 1, known_ticks = 1;

static void calibrate(void)
{
#ifdef CONFIG_UML
	u64 ns = ktime_get_ns(), from = ticks();

	while (ktime_get_ns() - ns < 50 * NSEC_PER_MSEC)
		cpu_relax();
	known_ticks = ticks() - from;
	known_ns = ktime_get_ns() - ns;
#endif
}

u64 units_of(u64 nr_ticks)
{
	return mul_u64_u64_div_u64(nr_ticks * 100, known_ns, known_ticks);
}

u64 per_object(u64 cost, u64 none, u64 nr_objects)
{
	return div64_u64(units_of(max(cost, none) - none), nr_objects);
}

/* Whether so many bytes of objects leave enough memory for everything else. */
bool fits_in_memory(u64 bytes)
{
	return bytes < (u64)totalram_pages() * PAGE_SIZE / 4 * 3;
}

struct number number_of(u64 hundredths)
{
	struct number number = { "-" };

	if (hundredths != U64_MAX)
		snprintf(number.text, sizeof(number.text), "%llu.%02u",
			 div_u64(hundredths, 100), (unsigned int)(hundredths % 100));
	return number;
}

struct number ratio_of(u64 ours, u64 theirs)
{
	return number_of(theirs == U64_MAX ? U64_MAX :
			 div64_u64(ours * 100, max_t(u64, theirs, 1)));
}

/* The order in which a batch of @pattern is freed. It is valid until the next call. */
const u32 *make_order(const struct pattern *pattern, unsigned int batch)
{
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, seed);
	for (i = 0; i < batch; i++) {
		unsigned int j = prandom_u32_state(&rnd) % (i + 1);

		if (pattern->order == ORDER_FIFO) {
			order[i] = i;
		} else if (pattern->order == ORDER_LIFO) {
			order[i] = batch - 1 - i;
		} else {
			order[i] = order[j];
			order[j] = i;
		}
	}
	return order;
}

static int check_parameters(void)
{
	unsigned int i;

	if (!rounds) {
		pr_err("rounds=0: must be above 0\n");
		return -EINVAL;
	}
	for (i = 0; i < nr_counts; i++)
		if (!counts[i]) {
			pr_err("n=%u: must be above 0\n", counts[i]);
			return -EINVAL;
		}
	for (i = 0; i < nr_sizes; i++)
		if (!sizes[i]) {
			pr_err("size=%u: must be above 0\n", sizes[i]);
			return -EINVAL;
		}
	for (i = 0; i < nr_patterns; i++)
		if (!find_pattern(patterns[i]) && !is_memory_pattern(patterns[i])) {
			pr_err("pattern=%s: must be hot, fifo, lifo, random or zeroed; of what=memory uniform, powerlaw, small, mixed, large or drift\n",
			       patterns[i]);
			return -EINVAL;
		}
	return 0;
}

static int run_nothing(void)
{
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
	bool in_all;
} measurements[] = {
	{ "pairs", run_pairs, true },
	{ "calls", run_calls, true },
	{ "large", run_large },
	{ "churn", run_churn },
	{ "scaling", run_scaling },
	{ "heaps", run_heaps },
	{ "memory", run_memory },
	{ "region", run_region },
	{ "worst", run_worst_operation },
	{ "reclaim", run_reclaim },
	{ "stretch", run_stretch },
	{ "rest", run_rest },
	{ "remote", run_remote },
	{ "parallel", run_parallel },
	{ "pool", run_pool },
	{ "profile", run_profile },
	{ "nothing", run_nothing },
};

static void show_configuration(void)
{
	pr_info("seed=%u rounds=%u unit=%s\n", seed, rounds,
		IS_ENABLED(CONFIG_UML) ? "ns" : "ticks,instructions_under_icount");
	pr_info("configuration kernel=%s cpus=%u hz=%u megabytes=%lu init_on_alloc=%d\n",
		init_utsname()->release, num_online_cpus(), HZ,
		totalram_pages() >> (20 - PAGE_SHIFT), want_init_on_alloc(GFP_KERNEL));
}

static int dispatch(void)
{
	bool all = !strcmp(what, "all");
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(measurements); i++)
		if (!strcmp(what, measurements[i].name) || (all && measurements[i].in_all))
			err = measurements[i].run();
	return err;
}

static int run_what(void)
{
	unsigned int i, most = 10000;
	int err;

	for (i = 0; i < nr_counts; i++)
		most = max(most, counts[i]);
	objects = vcalloc(most, sizeof(*objects));
	order = vcalloc(most, sizeof(*order));
	if (objects && order) {
		show_configuration();
		err = dispatch();
	} else {
		pr_err("no memory for n=%u objects\n", most);
		err = -ENOMEM;
	}
	vfree(order);
	vfree(objects);
	return err;
}

static int set_what(const char *text, const struct kernel_param *param)
{
	unsigned int i;

	if (sysfs_streq(text, "all")) {
		strscpy(what, "all", sizeof(what));
		return loaded ? run_what() : 0;
	}
	for (i = 0; i < ARRAY_SIZE(measurements); i++)
		if (sysfs_streq(text, measurements[i].name)) {
			strscpy(what, measurements[i].name, sizeof(what));
			return loaded ? run_what() : 0;
		}
	pr_err("what=%s: is nothing that can be measured; modinfo lists what can\n", text);
	return -EINVAL;
}

static int __init bench_init(void)
{
	int err = check_parameters();

	if (err)
		return err;
	/*
	 * SLUB draws the order of the objects of each new slab. Before the random numbers are
	 * ready that takes 10000 instructions.
	 */
	err = wait_for_random_bytes();
	if (err)
		return err;
	calibrate();
	err = run_what();
	loaded = !err;
	return err;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
}
module_exit(bench_exit);

MODULE_DESCRIPTION("kspan beside SLUB");
MODULE_LICENSE("GPL");
