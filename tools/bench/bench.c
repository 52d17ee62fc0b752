// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_bench - kspan beside SLUB, in the same boot and through the same loop
 *
 * Loading the module runs the benchmark and prints a line per pattern and
 * size:
 *
 *	kspan-bench: pattern=hot size=64 kspan=84 slub=191 ratio=0.44
 *
 * in units of 1/100 TSC tick per alloc+free pair, the minimum of the rounds,
 * an empty loop subtracted. Under QEMU's -icount shift=0 a tick is an
 * instruction. Patterns:
 *
 *	hot	alloc and free one object
 *	fifo	alloc n objects, free them in the same order
 *	lifo	the same in reverse order
 *	random	the same in random order
 *
 * Parameters: rounds, n, seed.
 */
#define pr_fmt(fmt) "kspan-bench: " fmt

#include <linux/kspan.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/timex.h>
#include <linux/vmalloc.h>

static unsigned int rounds = 15;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "repetitions, of which the fastest counts (default 15)");

static unsigned int n = 1000;
module_param(n, uint, 0444);
MODULE_PARM_DESC(n, "objects allocated before the first is freed (default 1000)");

static unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "of the random order (default 1)");

struct allocator {
	const char *name;
	void *(*alloc)(size_t size, gfp_t gfp);
	void (*free)(const void *p);
};

static noinline void *slub_alloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp);
}

static noinline void slub_free(const void *p)
{
	kfree(p);
}

static noinline void *kspan_alloc(size_t size, gfp_t gfp)
{
	return kspan_malloc(size, gfp);
}

static noinline void kspan_give(const void *p)
{
	kspan_free(p);
}

/* The cost of the loop and of the wrappers alone. */
static noinline void *empty_alloc(size_t size, gfp_t gfp)
{
	return &rounds;
}

static noinline void empty_free(const void *p)
{
	barrier();
}

static const struct allocator empty = { "empty", empty_alloc, empty_free };
static const struct allocator slub = { "slub", slub_alloc, slub_free };
static const struct allocator kspan = { "kspan", kspan_alloc, kspan_give };

static void **objects;
static u32 *orders[3];

static u64 run_hot(const struct allocator *a, size_t size, const u32 *order)
{
	u64 start = get_cycles();
	unsigned int i;

	for (i = 0; i < n; i++) {
		void *p = a->alloc(size, GFP_KERNEL);

		barrier_data(p);
		a->free(p);
	}
	return get_cycles() - start;
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

typedef u64 (*run_fn)(const struct allocator *a, size_t size, const u32 *order);

static u64 fastest(run_fn run, const struct allocator *a, size_t size, const u32 *order)
{
	u64 best = U64_MAX;
	unsigned int i;

	for (i = 0; i < rounds; i++)
		best = min(best, run(a, size, order));
	return best;
}

static void compare(const char *pattern, run_fn run, size_t size, const u32 *order)
{
	u64 none = fastest(run, &empty, size, order);
	u64 theirs = div_u64((fastest(run, &slub, size, order) - none) * 100, n);
	u64 ours = div_u64((fastest(run, &kspan, size, order) - none) * 100, n);
	u64 ratio = div64_u64(ours * 100, max_t(u64, theirs, 1));

	pr_info("pattern=%s size=%zu n=%u kspan=%llu.%02llu slub=%llu.%02llu ratio=%llu.%02llu\n",
		pattern, size, n, ours / 100, ours % 100, theirs / 100, theirs % 100,
		ratio / 100, ratio % 100);
}

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

static void run_all(void)
{
	static const size_t sizes[] = { 8, 64, 256, 1000, 4096, 8192, 16384, 32768, 65536 };
	static const char * const patterns[] = { "fifo", "lifo", "random" };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		compare("hot", run_hot, sizes[i], NULL);
		for (j = 0; j < ARRAY_SIZE(patterns); j++)
			compare(patterns[j], run_batch, sizes[i], orders[j]);
	}
}

static int __init bench_init(void)
{
	int err = -ENOMEM;
	unsigned int i;

	if (!n || !rounds) {
		pr_err("n=%u rounds=%u: both must be above 0\n", n, rounds);
		return -EINVAL;
	}
	objects = vcalloc(n, sizeof(*objects));
	for (i = 0; i < ARRAY_SIZE(orders); i++)
		orders[i] = vcalloc(n, sizeof(*orders[i]));
	if (objects && orders[0] && orders[1] && orders[2]) {
		make_orders();
		pr_info("seed=%u rounds=%u n=%u; instructions under -icount, else TSC ticks\n",
			seed, rounds, n);
		run_all();
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
