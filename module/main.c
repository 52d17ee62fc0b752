// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload; module parameters; CPUs, memory and modules that come and go
 *
 * Context: task, that may sleep.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/memory.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sizes.h>

#include "api/free.h"
#include "api/heaps.h"
#include "api/private.h"
#include "api/reserve.h"
#include "base/bytes.h"
#include "kits/fixed_pool.h"
#include "kits/pool.h"
#include "kits/region.h"
#include "objects/bad_free.h"
#include "objects/capacity.h"
#include "objects/cpu_caches.h"
#include "objects/handle.h"
#include "objects/kv.h"
#include "objects/large_cache.h"
#include "objects/profile.h"
#include "objects/seal.h"
#include "objects/track.h"
#include "observe/debugfs.h"
#include "observe/oops.h"
#include "observe/profile_files.h"
#include "pages/spare.h"
#include "reclaim/reclaim.h"
#include "reclaim/relief.h"
#include "reclaim/scavenger.h"

static int set_bytes(const char *value, const struct kernel_param *kp, u64 least, u64 most)
{
	u64 bytes;
	int err = kspan_bytes_parse(value, least, most, &bytes);

	if (!err)
		WRITE_ONCE(*(unsigned int *)kp->arg, bytes);
	return err;
}

static int set_limit(const char *value, const struct kernel_param *kp)
{
	u64 bytes;
	int err = kspan_bytes_parse(value, 0, ULONG_MAX, &bytes);

	if (!err)
		WRITE_ONCE(*(unsigned long *)kp->arg, bytes);
	return err;
}

static int set_arena_reserve(const char *value, const struct kernel_param *kp)
{
	return param_set_uint_minmax(value, kp, 0, 1024);
}

static int set_arena_growth(const char *value, const struct kernel_param *kp)
{
	return param_set_uint_minmax(value, kp, 0, 100);
}

static int set_idle_percent(const char *value, const struct kernel_param *kp)
{
	return param_set_uint_minmax(value, kp, 0, 100);
}

static int set_scavenge_ms(const char *value, const struct kernel_param *kp)
{
	int err = param_set_uint_minmax(value, kp, 0, 3600 * 1000);

	if (!err)
		kspan_scavenger_restart();
	return err;
}

static int set_magazine_bytes(const char *value, const struct kernel_param *kp)
{
	return set_bytes(value, kp, 16, SZ_1M);
}

static int set_depot_bytes(const char *value, const struct kernel_param *kp)
{
	return set_bytes(value, kp, 0, SZ_1G);
}

static int set_cpu_cache_bytes(const char *value, const struct kernel_param *kp)
{
	return set_bytes(value, kp, 0, SZ_1G);
}

static int set_cache_share(const char *value, const struct kernel_param *kp)
{
	return param_set_uint_minmax(value, kp, 0, 1000);
}

static int set_large_cache_bytes(const char *value, const struct kernel_param *kp)
{
	return set_bytes(value, kp, 0, SZ_1G);
}

static int set_pool_seconds(const char *value, const struct kernel_param *kp)
{
	int err = param_set_uint_minmax(value, kp, 0, 86400);

	if (!err)
		kspan_pool_restart_clock();
	return err;
}

static int set_pool_check(const char *value, const struct kernel_param *kp)
{
	bool check;
	int err = kstrtobool(value ?: "1", &check);

	if (!err && check)
		static_branch_enable(&kspan_pool_check);
	else if (!err)
		static_branch_disable(&kspan_pool_check);
	return err;
}

static int get_pool_check(char *value, const struct kernel_param *kp)
{
	return sysfs_emit(value, "%c\n", static_key_enabled(&kspan_pool_check) ? 'Y' : 'N');
}

/* Whether there are heaps; before, a parameter is only stored. */
static bool heaps_ready;

static int set_profile_rate(const char *value, const struct kernel_param *kp)
{
	u64 rate;
	int err = kspan_bytes_parse(value, 0, BIT_ULL(40), &rate);

	if (err)
		return err;
	if (!READ_ONCE(heaps_ready)) {
		kspan_profile_rate = rate;
		return 0;
	}
	/* The module must not begin to go away meanwhile. */
	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	err = kspan_heaps_set_profile_rate(rate);
	module_put(THIS_MODULE);
	return err;
}

static int set_profile_bytes(const char *value, const struct kernel_param *kp)
{
	u64 bytes;
	int err = kspan_bytes_parse(value, 128 * 1024, 64 << 20, &bytes);

	if (!err)
		WRITE_ONCE(kspan_profile_bytes, bytes);
	return err;
}

static const struct kernel_param_ops profile_rate_ops = {
	.set = set_profile_rate,
	.get = param_get_ulong,
};

static const struct kernel_param_ops profile_bytes_ops = {
	.set = set_profile_bytes,
	.get = param_get_ulong,
};

static const struct kernel_param_ops arena_reserve_ops = {
	.set = set_arena_reserve,
	.get = param_get_uint,
};

static const struct kernel_param_ops arena_growth_ops = {
	.set = set_arena_growth,
	.get = param_get_uint,
};

static const struct kernel_param_ops idle_percent_ops = {
	.set = set_idle_percent,
	.get = param_get_uint,
};

static const struct kernel_param_ops scavenge_ms_ops = {
	.set = set_scavenge_ms,
	.get = param_get_uint,
};

static const struct kernel_param_ops magazine_bytes_ops = {
	.set = set_magazine_bytes,
	.get = param_get_uint,
};

static const struct kernel_param_ops depot_bytes_ops = {
	.set = set_depot_bytes,
	.get = param_get_uint,
};

static const struct kernel_param_ops cpu_cache_bytes_ops = {
	.set = set_cpu_cache_bytes,
	.get = param_get_uint,
};

static const struct kernel_param_ops cache_share_ops = {
	.set = set_cache_share,
	.get = param_get_uint,
};

static const struct kernel_param_ops large_cache_bytes_ops = {
	.set = set_large_cache_bytes,
	.get = param_get_uint,
};

static const struct kernel_param_ops limit_ops = {
	.set = set_limit,
	.get = param_get_ulong,
};

static const struct kernel_param_ops pool_seconds_ops = {
	.set = set_pool_seconds,
	.get = param_get_uint,
};

static const struct kernel_param_ops pool_check_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = set_pool_check,
	.get = get_pool_check,
};

module_param_cb(large_cache_bytes, &large_cache_bytes_ops, &kspan_large_cache_bytes, 0644);
MODULE_PARM_DESC(large_cache_bytes,
		 "bytes of large objects that a CPU keeps for the next requests, 0...1073741824; at most 4 objects (default 1048576)");
module_param_cb(arena_reserve, &arena_reserve_ops, &kspan_arena_reserve, 0644);
MODULE_PARM_DESC(arena_reserve,
		 "most that a node keeps in empty arenas, in units of 4 MiB, 0...1024; the scavenger gives that back, too (default 1)");
module_param_cb(arena_growth, &arena_growth_ops, &kspan_arena_growth, 0644);
MODULE_PARM_DESC(arena_growth,
		 "percent by which a node's memory may grow with a new arena, 0...100; at least 128 KiB and four times a large object, at most 4 MiB; 0: always 4 MiB (default 1)");
module_param_cb(idle_percent, &idle_percent_ops, &kspan_idle_percent, 0644);
MODULE_PARM_DESC(idle_percent,
		 "most that a node keeps in empty arenas, in percent of what the kernel has free there above its high watermarks, 0...100; 100: no bound (default 5)");
module_param_cb(scavenge_ms, &scavenge_ms_ops, &kspan_scavenge_ms, 0644);
MODULE_PARM_DESC(scavenge_ms,
		 "milliseconds between two looks of the scavenger, 0...3600000; 0: no scavenger (default 1000)");
module_param_cb(soft_limit, &limit_ops, &kspan_soft_limit, 0644);
MODULE_PARM_DESC(soft_limit,
		 "bytes of arenas from which on what is idle goes back before another one is taken; 0: no limit (default 0)");
module_param_cb(hard_limit, &limit_ops, &kspan_hard_limit, 0644);
MODULE_PARM_DESC(hard_limit,
		 "bytes that all arenas may have, one page at least; requests that want more get NULL, unless with __GFP_NOFAIL; 0: no limit (default 0)");
module_param_named(track_heaps, kspan_track_heaps, bool, 0644);
MODULE_PARM_DESC(track_heaps,
		 "note where objects of private heaps that are made from now on are allocated, and tell it of those that are live when a heap is destroyed (default N)");
module_param_named(exact_frees, kspan_exact_frees, bool, 0444);
MODULE_PARM_DESC(exact_frees,
		 "refuse wrong frees at the call, which costs some instructions and a look at the object; N: what is freed twice, or is no start of an object, may be found later (default Y)");
module_param_cb(magazine_bytes, &magazine_bytes_ops, &kspan_magazine_bytes, 0444);
MODULE_PARM_DESC(magazine_bytes,
		 "bytes of objects in a magazine, of which a CPU has two per class, 16...1048576; at least 2 and at most 61 objects (default 131072)");
module_param_cb(cpu_cache_bytes, &cpu_cache_bytes_ops, &kspan_cpu_cache_bytes, 0644);
MODULE_PARM_DESC(cpu_cache_bytes,
		 "bytes of objects that all magazines of a CPU may hold, 0...1073741824; classes that miss take from those that don't; 0: no limit, and all magazines are of full size (default 2097152)");
module_param_cb(cache_share, &cache_share_ops, &kspan_cache_share, 0644);
MODULE_PARM_DESC(cache_share,
		 "thousandths of the memory present that the caches of all CPUs and heaps, and the depots, may hold, 0...1000; those that need it draw from that in steps; 0: no bound (default 5)");
module_param_cb(depot_bytes, &depot_bytes_ops, &kspan_depot_bytes, 0644);
MODULE_PARM_DESC(depot_bytes,
		 "bytes of objects in full magazines that a node keeps per class, 0...1073741824; at least 1 and at most 128 magazines (default 524288)");
module_param_cb(pool_seconds, &pool_seconds_ops, &kspan_pool_seconds, 0644);
MODULE_PARM_DESC(pool_seconds,
		 "seconds after which a generation of pools ends, 0...86400; what was not used for two is destroyed; 0: when memory is scarce only (default 60)");

module_param_cb(pool_check, &pool_check_ops, NULL, 0644);
MODULE_PARM_DESC(pool_check,
		 "whether an object that is put is looked for in all of its pool, and refused if it is there; always it is compared with those that the CPU was given last (default N)");

module_param_cb(profile_rate, &profile_rate_ops, &kspan_profile_rate, 0644);
MODULE_PARM_DESC(profile_rate,
		 "mean number of bytes from one object that the heap profile samples to the next, 0...2^40; 1: every object; 0: none; a new value begins to count anew (default 2097152)");
module_param_cb(profile_bytes, &profile_bytes_ops, &kspan_profile_bytes, 0644);
MODULE_PARM_DESC(profile_bytes,
		 "most memory that the heap profile takes, 131072...67108864; samples without room are counted as lost (default 4194304)");

module_param_named(leak_seconds, kspan_leak_seconds, uint, 0644);
MODULE_PARM_DESC(leak_seconds,
		 "seconds after which debugfs/kspan/leaks shows a sampled object that is still live (default 60)");

static enum cpuhp_state hotplug_state;

static int cpu_prepare(unsigned int cpu)
{
	kspan_cpu_cache_prepare(&kspan_default_heap, cpu);
	kspan_private_prepare_cpu(cpu);
	return 0;
}

static int cpu_dead(unsigned int cpu)
{
	kspan_pool_drain(cpu);
	kspan_free_rcu_drain(cpu);
	kspan_cpu_cache_drain(&kspan_default_heap, cpu);
	kspan_private_drain_cpu(cpu);
	return 0;
}

/* The default heap is complete: its caches may be told of memory that comes online. */
static bool caches_learn;

/*
 * Memory is about to come online. Add it to the map before the page allocator can hand it out, and
 * tell the CPUs' caches. The caller has cpus_read_lock(), so no CPU comes online meanwhile.
 */
static int memory_goes_online(struct notifier_block *block, unsigned long action, void *arg)
{
	const struct memory_notify *memory = arg;
	int err;

	if (action != MEM_GOING_ONLINE)
		return NOTIFY_DONE;
	err = kspan_map_add(page_to_nid(pfn_to_page(memory->start_pfn)), memory->start_pfn,
			    memory->start_pfn + memory->nr_pages);
	if (!err && READ_ONCE(caches_learn))
		kspan_cpu_caches_learn(&kspan_default_heap);
	return notifier_from_errno(err);
}

static struct notifier_block memory_notifier = {
	.notifier_call = memory_goes_online,
};

/*
 * A module is going away: its exit function, or an init function that failed, has returned. Its
 * code is still in memory.
 */
static int module_changes(struct notifier_block *block, unsigned long action, void *module)
{
	if (action != MODULE_STATE_GOING)
		return NOTIFY_DONE;
	kspan_pools_forget(module);
	kspan_private_forget(module);
	kspan_handles_forget(module);
	return NOTIFY_OK;
}

static struct notifier_block module_notifier = {
	.notifier_call = module_changes,
};

static int __init kspan_init(void)
{
	int err;

	kspan_seal_init();
	err = kspan_profile_init();
	if (err)
		return err;
	err = kspan_map_init();
	if (err)
		goto err_profile;
	err = register_memory_notifier(&memory_notifier);
	if (err)
		goto err_map;
	err = kspan_map_add_present();
	if (err)
		goto err_notifier;
	err = kspan_span_cache_init();
	if (err)
		goto err_notifier;
	err = kspan_page_heap_init();
	if (err)
		goto err_span_cache;
	err = kspan_heap_init(&kspan_default_heap, "default");
	if (err)
		goto err_page_heap;
	err = kspan_free_rcu_init();
	if (err)
		goto err_heap;
	err = kspan_private_init();
	if (err)
		goto err_free_rcu;
	err = kspan_pool_init();
	if (err)
		goto err_private;
	err = kspan_reclaim_init();
	if (err)
		goto err_pool;
	err = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "kspan:prepare", cpu_prepare,
					cpu_dead);
	if (err < 0)
		goto err_reclaim;
	hotplug_state = err;
	err = register_module_notifier(&module_notifier);
	if (err)
		goto err_hotplug;
	cpus_read_lock();
	WRITE_ONCE(caches_learn, true);
	kspan_cpu_caches_learn(&kspan_default_heap);
	cpus_read_unlock();
	WRITE_ONCE(heaps_ready, true);
	kspan_oops_init();
	kspan_debugfs_init();
	pr_info("loaded, map of %zu KiB\n", kspan_map_bytes() / 1024);
	return 0;

err_hotplug:
	cpuhp_remove_state_nocalls(hotplug_state);
err_reclaim:
	kspan_reclaim_exit();
err_pool:
	kspan_pool_exit();
err_private:
	kspan_private_exit();
err_free_rcu:
	kspan_free_rcu_exit();
err_heap:
	kspan_heap_exit(&kspan_default_heap);
err_page_heap:
	kspan_page_heap_exit();
err_span_cache:
	kspan_span_cache_exit();
err_notifier:
	unregister_memory_notifier(&memory_notifier);
err_map:
	kspan_map_exit();
	kspan_bad_free_exit();
err_profile:
	kspan_profile_exit();
	return err;
}

static void __exit kspan_exit(void)
{
	kspan_debugfs_exit();
	kspan_oops_exit();
	unregister_module_notifier(&module_notifier);
	unregister_memory_notifier(&memory_notifier);
	cpuhp_remove_state_nocalls(hotplug_state);
	kspan_reclaim_exit();
	/* These walk the table of handles. What is freed after them is not taken out of it. */
	kspan_fixed_pool_exit();
	kspan_cpu_region_exit();
	kspan_pool_exit();
	kspan_free_rcu_exit();
	kspan_private_exit();
	kspan_kv_exit();
	kspan_reserves_drop(&kspan_default_heap);
	kspan_heap_exit(&kspan_default_heap);
	kspan_page_heap_exit();
	kspan_span_cache_exit();
	kspan_map_exit();
	kspan_bad_free_exit();
	kspan_profile_exit();
	pr_info("unloaded\n");
}

module_init(kspan_init);
module_exit(kspan_exit);

MODULE_DESCRIPTION("General-purpose heap for modules, built as the Go runtime's allocator is");
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The kspan developers");
MODULE_VERSION(KSPAN_VERSION);
