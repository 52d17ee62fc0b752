// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_stress - all calls at once, on all CPUs, in all contexts.
 *
 * Loading the module starts the workers and returns. They stop by themselves after a time, and the
 * module idles then. CPUs may come and go meanwhile, and memory may get scarce. Unloading the
 * module stops workers that still run, frees every object, checks every layer of the heap, and
 * logs the result:
 *
 *	kspan-stress: N operations (task a, softirq b, hardirq c, nmi d), ...
 *	kspan-stress: verdict ok
 *
 * or "verdict FAILED: " and the reason. No other code may use kspan meanwhile: its objects would
 * be taken for leaks.
 *
 * /sys/kernel/debug/kspan_stress shows the progress.
 */
#define pr_fmt(fmt) "kspan-stress: " fmt

#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>

#include "base/kunit_export.h"
#include "../../kunit/kspan_kunit.h"
#include "api/private.h"
#include "stress.h"

static unsigned int seconds = 60;
module_param(seconds, uint, 0444);
MODULE_PARM_DESC(seconds, "how long to work, 1...1000000 (default 60)");

unsigned long long stress_seed;
module_param_named(seed, stress_seed, ullong, 0444);
MODULE_PARM_DESC(seed, "of all random numbers; 0, the default, for a random one");

unsigned int stress_max_shift = 16;
module_param_named(max_shift, stress_max_shift, uint, 0444);
MODULE_PARM_DESC(max_shift,
		 "most objects are below 2^max_shift bytes, 5...20 (default 16); interrupts use smaller ones");

unsigned int stress_live = 2000;
module_param_named(live, stress_live, uint, 0444);
MODULE_PARM_DESC(live,
		 "slots of each of the two tables of objects in use, 16...1000000 (default 2000)");

static const char * const context_names[] = { "task", "softirq", "hardirq", "nmi" };

/* In seconds since boot; 0 to stop now. jiffies would lag when ticks are lost. */
static time64_t end;
static struct dentry *file;
static struct kspan_stats before;
static u64 bad_frees_before;

/**
 * stress_time_left() - whether workers go on
 */
bool stress_time_left(void)
{
	return ktime_get_seconds() < READ_ONCE(end);
}

static time64_t seconds_left(void)
{
	return max_t(time64_t, READ_ONCE(end) - ktime_get_seconds(), 0);
}

static void sum_up(struct stress_counts *sums, struct stress_counts *total)
{
	enum stress_context context;

	memset(sums, 0, STRESS_NR_CONTEXTS * sizeof(*sums));
	memset(total, 0, sizeof(*total));
	for (context = 0; context < STRESS_NR_CONTEXTS; context++) {
		stress_sum(context, &sums[context]);
		total->operations += sums[context].operations;
		total->allocs += sums[context].allocs;
		total->frees += sums[context].frees;
		total->failed += sums[context].failed;
	}
}

static int stress_show(struct seq_file *m, void *unused)
{
	struct stress_counts sums[STRESS_NR_CONTEXTS], total;
	enum stress_context context;

	sum_up(sums, &total);
	seq_printf(m, "operations: %llu\n", total.operations);
	for (context = 0; context < STRESS_NR_CONTEXTS; context++)
		seq_printf(m, "%s: %llu\n", context_names[context], sums[context].operations);
	seq_printf(m, "allocations: %llu\n", total.allocs);
	seq_printf(m, "frees: %llu\n", total.frees);
	seq_printf(m, "failed: %llu\n", total.failed);
	seq_printf(m, "live: %llu\n", total.allocs - min(total.allocs, total.frees));
	seq_printf(m, "broken: %ld\n", atomic_long_read(&stress_nr_broken));
	seq_printf(m, "seconds_left: %lld\n", seconds_left());
	seq_printf(m, "seed: %llu\n", stress_seed);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stress);

/* Complete the frees that NMIs left, drain the caches, and release empty arenas. */
static void settle(struct kspan_stats *stats)
{
	kspan_barrier();
	/* Wait for typed caches for readers under RCU that were destroyed. */
	kspan_private_settle();
	kspan_heap_drain(&kspan_default_heap);
	kspan_stats_read(stats);
	kspan_page_heap_release_all();
	kspan_stats_read(stats);
}

static bool parameter_ok(const char *name, unsigned int value, unsigned int min, unsigned int max)
{
	if (value >= min && value <= max)
		return true;
	pr_err("%s=%u: must be %u...%u\n", name, value, min, max);
	return false;
}

static int __init stress_init(void)
{
	struct kspan_finding finding;
	int err;

	if (!parameter_ok("seconds", seconds, 1, 1000000) ||
	    !parameter_ok("max_shift", stress_max_shift, 5, 20) ||
	    !parameter_ok("live", stress_live, 16, 1000000))
		return -EINVAL;
	if (!stress_seed)
		stress_seed = get_random_u32() | 1;
	err = stress_tables_init();
	if (err)
		return err;
	settle(&before);
	err = stress_operations_init();
	if (err) {
		stress_tables_exit();
		return err;
	}
	bad_frees_before = kspan_bad_frees();
	end = ktime_get_seconds() + seconds;
	err = stress_workers_start();
	if (err) {
		stress_operations_exit(&finding);
		stress_tables_exit();
		return err;
	}
	file = debugfs_create_file("kspan_stress", 0444, NULL, NULL, &stress_fops);
	pr_info("seconds=%u seed=%llu max_shift=%u live=%u\n", seconds, stress_seed,
		stress_max_shift, stress_live);
	return 0;
}
module_init(stress_init);

/* Note a difference as the reason, unless there is one already. */
static void same(char *why, size_t size, const char *what, u64 found, u64 expected)
{
	if (found != expected && !*why)
		snprintf(why, size, "%s: %llu instead of %llu", what, found, expected);
}

/* Set @why to the reason why the run has failed, or leave it empty. */
static void judge(char *why, size_t size, const struct stress_counts *sums,
		  const struct stress_counts *total)
{
	struct kspan_finding finding, of_heaps;
	enum stress_context context;
	struct kspan_stats after;

	stress_operations_exit(&of_heaps);
	settle(&after);
	same(why, size, "broken", atomic_long_read(&stress_nr_broken), 0);
	kspan_find_inconsistency(&kspan_default_heap, &finding);
	if (of_heaps.what)
		finding = of_heaps;
	if (finding.what && !*why)
		snprintf(why, size, "%s at %#lx: %#llx instead of %#llx", finding.what,
			 finding.addr, finding.got, finding.want);
	same(why, size, "frees", total->frees, total->allocs);
	same(why, size, "wrong frees", kspan_bad_frees() - bad_frees_before, 0);
	same(why, size, "objects in use", after.heap_objects, before.heap_objects);
	same(why, size, "bytes in use", after.alloc, before.alloc);
	same(why, size, "bytes of used pages", after.heap_inuse, before.heap_inuse);
	same(why, size, "bytes of arenas", after.heap_sys, before.heap_sys);
	for (context = 0; context < STRESS_NR_CONTEXTS; context++)
		if (!sums[context].operations && !*why &&
		    (context != STRESS_NMI || stress_has_nmis()))
			snprintf(why, size, "nothing was done in %s context",
				 context_names[context]);
}

static void __exit stress_exit(void)
{
	struct stress_counts sums[STRESS_NR_CONTEXTS], total;
	char why[160] = "";

	WRITE_ONCE(end, 0);
	debugfs_remove(file);
	stress_free_all(stress_workers_stop());
	sum_up(sums, &total);
	judge(why, sizeof(why), sums, &total);
	stress_workers_exit();
	stress_tables_exit();
	pr_info("%llu operations (task %llu, softirq %llu, hardirq %llu, nmi %llu), %llu allocations, %llu failed, %ld broken, seed %llu\n",
		total.operations, sums[STRESS_TASK].operations, sums[STRESS_SOFTIRQ].operations,
		sums[STRESS_HARDIRQ].operations, sums[STRESS_NMI].operations, total.allocs,
		total.failed, atomic_long_read(&stress_nr_broken), stress_seed);
	if (*why)
		pr_err("verdict FAILED: %s\n", why);
	else
		pr_info("verdict ok\n");
}
module_exit(stress_exit);

MODULE_DESCRIPTION("All calls of kspan at once, from everywhere");
MODULE_LICENSE("GPL");
KSPAN_IMPORT_FOR_KUNIT();
