// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs: /sys/kernel/debug/kspan/
 *
 *	stats		name: value; names of Go's runtime.MemStats where they fit
 *	classes		a line per size class
 *	cpus		a line per CPU that has used the heap: capacity and contents of its
 *			cache
 *	heaps		a line per heap and typed cache
 *	arenas		a line per arena; see arena_map.c
 *	map		a character per page of 8 KiB; see arena_map.c
 *	pools		a line per pool of objects
 *	bad_frees	the wrong frees that were reported last
 *	trim		writing 1 gives back all memory that nobody uses; reading tells how many
 *			bytes that was
 *
 * The first line of a table names its version and columns.
 *
 * Context: task; reading a file sleeps.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "api/heaps.h"
#include "api/private.h"
#include "base/name.h"
#include "kits/pool.h"
#include "objects/bad_free.h"
#include "observe/debugfs.h"
#include "observe/profile_files.h"
#include "observe/stats.h"
#include "reclaim/reclaim.h"
#include "reclaim/relief.h"

static struct dentry *directory;

static void show_u64(struct seq_file *m, const char *name, u64 value)
{
	seq_printf(m, "%s: %llu\n", name, value);
}

static int stats_show(struct seq_file *m, void *unused)
{
	struct kspan_stats stats;

	kspan_stats_read(&stats);
	show_u64(m, "Alloc", stats.alloc);
	show_u64(m, "TotalAlloc", stats.total_alloc);
	show_u64(m, "Sys", stats.sys);
	show_u64(m, "Mallocs", stats.mallocs);
	show_u64(m, "Frees", stats.frees);
	show_u64(m, "HeapAlloc", stats.alloc);
	show_u64(m, "HeapSys", stats.heap_sys);
	show_u64(m, "HeapIdle", stats.heap_idle);
	show_u64(m, "HeapInuse", stats.heap_inuse);
	show_u64(m, "HeapReleased", stats.heap_released);
	show_u64(m, "HeapObjects", stats.heap_objects);
	show_u64(m, "HeapCached", stats.heap_cached);
	show_u64(m, "HeapPeak", stats.heap_peak);
	show_u64(m, "HeapHoles", stats.heap_holes);
	show_u64(m, "HeapLoose", stats.heap_loose);
	show_u64(m, "HeapEmpty", stats.heap_empty);
	show_u64(m, "MSpanInuse", stats.mspan_inuse);
	show_u64(m, "MSpanSys", stats.mspan_sys);
	show_u64(m, "MCacheSys", stats.mcache_sys);
	show_u64(m, "OtherSys", stats.other_sys);
	show_u64(m, "Arenas", stats.arenas);
	show_u64(m, "FreeRuns", stats.free_runs);
	show_u64(m, "TinyAllocs", stats.tiny_allocs);
	show_u64(m, "AllocLocal", stats.alloc_local);
	show_u64(m, "AllocRemote", stats.alloc_remote);
	show_u64(m, "AllocFallback", stats.alloc_fallback);
	show_u64(m, "FreeRemote", stats.free_remote);
	show_u64(m, "Vmalloc", stats.vmalloc);
	show_u64(m, "ReleasedByTrim", kspan_reclaimed(KSPAN_BY_TRIM));
	show_u64(m, "ReleasedByShrinker", kspan_reclaimed(KSPAN_BY_SHRINKER));
	show_u64(m, "ReleasedByScavenger", kspan_reclaimed(KSPAN_BY_SCAVENGER));
	show_u64(m, "ReleasedByLimit", kspan_reclaimed(KSPAN_BY_LIMIT));
	show_u64(m, "CacheDrawn", atomic_long_read(&kspan_budget.drawn));
	show_u64(m, "CacheLimit", kspan_budget_most());
	show_u64(m, "SoftLimit", READ_ONCE(kspan_soft_limit));
	show_u64(m, "HardLimit", READ_ONCE(kspan_hard_limit));
	show_u64(m, "SoftLimitHits", kspan_limit_hits(KSPAN_SOFT_LIMIT));
	show_u64(m, "HardLimitHits", kspan_limit_hits(KSPAN_HARD_LIMIT));
	show_u64(m, "BadFreeDouble", kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE));
	show_u64(m, "BadFreeInterior", kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR));
	show_u64(m, "BadFreeMisaligned", kspan_bad_free_count(KSPAN_BAD_FREE_MISALIGNED));
	show_u64(m, "BadFreeNeverAllocated", kspan_bad_free_count(KSPAN_BAD_FREE_NEVER_ALLOCATED));
	show_u64(m, "BadFreeForeign", kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN));
	show_u64(m, "BadFreeDestroyed", kspan_bad_free_count(KSPAN_BAD_FREE_DESTROYED));
	show_u64(m, "BadFreeOtherHeap", kspan_bad_free_count(KSPAN_BAD_FREE_OTHER_HEAP));
	show_u64(m, "BadFreeRegion", kspan_bad_free_count(KSPAN_BAD_FREE_REGION));
	show_u64(m, "BadFreeHandle", kspan_bad_free_count(KSPAN_BAD_FREE_HANDLE));
	show_u64(m, "BadFreePooled", kspan_bad_free_count(KSPAN_BAD_FREE_POOLED));
	show_u64(m, "BadFreeSize", kspan_bad_free_count(KSPAN_BAD_FREE_SIZE));
	show_u64(m, "StrayPuts", kspan_arena_stray_puts());
	show_u64(m, "StrayGets", kspan_arena_stray_gets());
	show_u64(m, "RefusedZone", kspan_refused(KSPAN_REFUSED_ZONE));
	show_u64(m, "RefusedSize", kspan_refused(KSPAN_REFUSED_SIZE));
	show_u64(m, "RefusedAlign", kspan_refused(KSPAN_REFUSED_ALIGN));
	show_u64(m, "RefusedMark", kspan_refused(KSPAN_REFUSED_MARK));
	show_u64(m, "RefusedPressure", kspan_refused(KSPAN_REFUSED_PRESSURE));
	show_u64(m, "RefusedHeap", kspan_refused(KSPAN_REFUSED_HEAP));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/* Prints the columns that small and large objects share. */
static void show_class(struct seq_file *m, const struct kspan_class_stats *stats,
		       u64 span_bytes, u64 live_bytes, u64 objects, s64 saved)
{
	seq_printf(m, " %8lu %10lu %10lu %8lu %12llu %12llu %12llu %10llu %12lld\n",
		   stats->spans, stats->slots, stats->in_use, stats->cached, stats->allocs,
		   stats->frees, span_bytes - min(live_bytes, span_bytes), objects, saved);
}

static void show_small(struct seq_file *m, unsigned int class, const char *name,
		       const struct kspan_class_stats *stats, u64 objects, s64 saved)
{
	const struct kspan_size_class *sc = &kspan_size_classes[class];

	seq_printf(m, "%5s %6u %3u", name, sc->size, sc->pages);
	show_class(m, stats, stats->bytes,
		   (u64)stats->in_use * sc->size, objects, saved);
}

static int classes_show(struct seq_file *m, void *unused)
{
	struct kspan_class_stats stats;
	struct kspan_page_stats pages;
	struct kspan_tiny_stats tiny;
	unsigned int class;
	char name[8];

	seq_puts(m, "# kspan classes v2: class size span_pages spans slots in_use cached allocs frees waste_bytes objects saved_bytes\n");
	for (class = 1; class < KSPAN_CLASS_TINY; class++) {
		kspan_class_stats_read(class, &stats);
		snprintf(name, sizeof(name), "%u", class);
		show_small(m, class, name, &stats, stats.in_use, 0);
	}
	/*
	 * The line counts blocks of tiny objects. The objects in the blocks are counted in a column
	 * of their own.
	 */
	kspan_class_stats_read(KSPAN_CLASS_TINY, &stats);
	kspan_tiny_stats_read(&tiny);
	show_small(m, KSPAN_CLASS_TINY, "tiny", &stats, tiny.objects, tiny.saved);
	kspan_page_stats_read(&pages);
	seq_printf(m, "%5s %6s %3s", "large", "-", "-");
	show_class(m, &pages.large, 0, 0, pages.large.in_use, 0);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(classes);

static int cpus_show(struct seq_file *m, void *unused)
{
	struct kspan_cpu_stats stats;
	unsigned int cpu;

	seq_puts(m, "# kspan cpus v1: cpu node capacity_bytes cached_bytes large_objects large_bytes refills spills steals\n");
	for_each_possible_cpu(cpu) {
		kspan_cpu_stats_read(cpu, &stats);
		if (!stats.refills && !stats.large_objects)
			continue;
		seq_printf(m, "%3u %4d %14llu %12llu %13u %11llu %10llu %10llu %10llu\n", cpu,
			   stats.nid, stats.capacity, stats.cached, stats.large_objects,
			   stats.large_bytes, stats.refills, stats.spills, stats.steals);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(cpus);

static void show_heap(struct seq_file *m, const char *name, const char *module, const char *kind,
		      const struct kspan_heap_stats *stats)
{
	kspan_name_show(m, name);
	seq_printf(m, " %s %s %llu %llu %llu %llu %llu %llu %llu\n", module, kind, stats->limit,
		   stats->held, stats->bytes, stats->spans, stats->allocs, stats->frees,
		   stats->failures);
}

static void show_private(struct kspan_heap *heap, void *m)
{
	const struct kspan_private *private = heap->private;
	struct kspan_heap_stats stats;

	if (!private)
		return;
	kspan_heap_stats_read(heap, &stats);
	show_heap(m, heap->name, private->module, private->typed ? "cache" : "heap", &stats);
}

static int heaps_show(struct seq_file *m, void *unused)
{
	struct kspan_heap_stats stats;

	seq_puts(m, "# kspan heaps v1: name module kind limit_bytes held_bytes in_use_bytes spans allocs frees failures\n");
	kspan_heap_stats_read(&kspan_default_heap, &stats);
	show_heap(m, kspan_default_heap.name, "kspan", "heap", &stats);
	kspan_visit_heaps(show_private, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(heaps);

static int bad_frees_show(struct seq_file *m, void *unused)
{
	struct kspan_bad_free bad;
	unsigned int n;

	for (n = 0; kspan_bad_free_kept(n, &bad); n++)
		kspan_bad_free_show(m, &bad);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(bad_frees);

static int pools_show(struct seq_file *m, void *unused)
{
	kspan_pools_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pools);

/* Bytes that the last trim gave back. Two trims may overwrite each other's number. */
static unsigned long trimmed;

static int trim_get(void *unused, u64 *value)
{
	*value = READ_ONCE(trimmed);
	return 0;
}

static int trim_set(void *unused, u64 value)
{
	if (value != 1)
		return -EINVAL;
	trimmed = kspan_trim();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(trim_fops, trim_get, trim_set, "%llu\n");

/**
 * kspan_debugfs_init() - make the files
 *
 * If that fails, the module works without them, as is usual with debugfs.
 *
 * Context: task; sleeps.
 */
void kspan_debugfs_init(void)
{
	directory = debugfs_create_dir("kspan", NULL);
	debugfs_create_file("stats", 0444, directory, NULL, &stats_fops);
	debugfs_create_file("classes", 0444, directory, NULL, &classes_fops);
	debugfs_create_file("cpus", 0444, directory, NULL, &cpus_fops);
	debugfs_create_file("heaps", 0444, directory, NULL, &heaps_fops);
	debugfs_create_file("pools", 0444, directory, NULL, &pools_fops);
	/* These files tell where memory lies, so only root may read them. */
	debugfs_create_file("arenas", 0400, directory, (void *)&kspan_arenas_sops,
			    &kspan_arena_file_fops);
	debugfs_create_file("map", 0400, directory, (void *)&kspan_map_sops,
			    &kspan_arena_file_fops);
	debugfs_create_file("bad_frees", 0400, directory, NULL, &bad_frees_fops);
	debugfs_create_file_unsafe("trim", 0600, directory, NULL, &trim_fops);
	kspan_profile_files_init(directory);
	if (kspan_arena_debugfs_init(directory))
		pr_warn("no failkspan/ in debugfs\n");
}

/** kspan_debugfs_exit() - remove the files, and wait for their readers; sleeps */
void kspan_debugfs_exit(void)
{
	debugfs_remove_recursive(directory);
}
