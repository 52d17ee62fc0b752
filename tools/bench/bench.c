// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_bench - kspan beside SLUB, in the same boot and through the same loop
 *
 * Loading the module runs the benchmark and prints a line per measurement. All
 * costs are in TSC ticks, to 1/100, the minimum of the rounds, an empty loop
 * subtracted. Under QEMU's -icount shift=0 a tick is an instruction.
 *
 * what=pairs: kspan_malloc() and kspan_free() beside kmalloc() and kfree(), a
 * line per pattern, size and n, per alloc+free pair:
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
 * what=profile: the pairs again, once each, for tools/bench/profile.py to read the
 * instructions off QEMU's log.
 *
 * Parameters: what, rounds, seed, and the lists pattern, size, n.
 */
#include "bench.h"

#include <linux/math64.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/vmalloc.h>

static char what[16] = "all";
static bool loaded;
static int set_what(const char *text, const struct kernel_param *param);
static const struct kernel_param_ops what_ops = { .set = set_what, .get = param_get_string };
static struct kparam_string what_string = { sizeof(what), what };
module_param_cb(what, &what_ops, &what_string, 0644);
MODULE_PARM_DESC(what, "pairs, calls, profile, nothing or all, which is pairs and calls (default all); may be written, to run something else");

unsigned int rounds = 15;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "repetitions, of which the fastest counts (default 15)");

unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "of the random order (default 1)");

unsigned int counts[MAX_LIST], nr_counts;
module_param_array_named(n, counts, uint, &nr_counts, 0444);
MODULE_PARM_DESC(n, "objects allocated before the first is freed, a list (default 1000)");

unsigned int sizes[MAX_LIST], nr_sizes;
module_param_array_named(size, sizes, uint, &nr_sizes, 0444);
MODULE_PARM_DESC(size, "bytes of the objects of pairs, a list (default 8 to 65536)");

char *patterns[MAX_LIST];
unsigned int nr_patterns;
module_param_array_named(pattern, patterns, charp, &nr_patterns, 0444);
MODULE_PARM_DESC(pattern, "of pairs, a list of hot, fifo, lifo, random (default all)");

void **objects;
static u32 *order;

ALLOC(slub_alloc) { return kmalloc(size, gfp); }
FREE(slub_free) { kfree(p); }
ALLOC(kspan_alloc) { return kspan_malloc(size, gfp); }
FREE(kspan_give) { kspan_free(p); }

/* The cost of the loop and of the wrappers alone. */
ALLOC(empty_alloc) { return &rounds; }
FREE(empty_free) { barrier(); }

const struct allocator empty = { empty_alloc, empty_free };
const struct allocator slub = { slub_alloc, slub_free };
const struct allocator kspan = { kspan_alloc, kspan_give };

u64 run_hot(const struct allocator *a, const struct load *load)
{
	u64 start = get_cycles();
	unsigned int i;

	for (i = 0; i < load->loops; i++) {
		void *p = a->alloc(load->size, GFP_KERNEL);

		barrier_data(p);
		a->free(p);
	}
	return get_cycles() - start;
}

u64 run_batch(const struct allocator *a, const struct load *load)
{
	u64 start = get_cycles();
	unsigned int i, left;

	for (left = load->loops; left; left -= load->batch) {
		for (i = 0; i < load->batch; i++)
			objects[i] = a->alloc(load->size, GFP_KERNEL);
		for (i = 0; i < load->batch; i++)
			a->free(objects[load->order[i]]);
	}
	return get_cycles() - start;
}

u64 fastest(run_fn run, const struct allocator *a, const struct load *load)
{
	u64 best = U64_MAX;
	unsigned int i;

	for (i = 0; i < rounds; i++)
		best = min(best, run(a, load));
	return best;
}

u64 per_object(u64 cost, u64 none, unsigned int nr_objects)
{
	return div_u64((max(cost, none) - none) * 100, nr_objects);
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

/* The order in which a batch of @pattern is freed, up to the next call. */
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
		if (!find_pattern(patterns[i])) {
			pr_err("pattern=%s: must be hot, fifo, lifo or random\n", patterns[i]);
			return -EINVAL;
		}
	return 0;
}

static int dispatch(void)
{
	bool all = !strcmp(what, "all");
	int err = 0;

	if (!strcmp(what, "profile"))
		err = run_profile();
	if (all || !strcmp(what, "pairs"))
		err = run_pairs();
	if (!err && (all || !strcmp(what, "calls")))
		run_calls();
	return err;
}

static int run_what(void)
{
	unsigned int i, most = 1000;
	int err;

	for (i = 0; i < nr_counts; i++)
		most = max(most, counts[i]);
	objects = vcalloc(most, sizeof(*objects));
	order = vcalloc(most, sizeof(*order));
	if (objects && order) {
		pr_info("seed=%u rounds=%u; instructions under -icount, else TSC ticks\n",
			seed, rounds);
		err = dispatch();
	} else {
		pr_err("no memory for %u objects\n", most);
		err = -ENOMEM;
	}
	vfree(order);
	vfree(objects);
	return err;
}

static int set_what(const char *text, const struct kernel_param *param)
{
	static const char * const choices[] = { "all", "pairs", "calls", "profile", "nothing" };
	int i = sysfs_match_string(choices, text);

	if (i < 0) {
		pr_err("what=%s: must be pairs, calls, profile, nothing or all\n", text);
		return -EINVAL;
	}
	strscpy(what, choices[i], sizeof(what));
	return loaded ? run_what() : 0;
}

static int __init bench_init(void)
{
	int err = check_parameters();

	if (err)
		return err;
	/* SLUB draws the order of each new slab: until then at 10000 instructions. */
	err = wait_for_random_bytes();
	if (err)
		return err;
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
