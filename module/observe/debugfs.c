// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs
 *
 *	stats	name: value; names of Go's runtime.MemStats where they fit
 *	classes	a line per size class
 *	cpus	a line per CPU that has used the heap: what its cache may hold, and holds
 *	heaps	a line per heap and typed cache
 *	arenas	a line per arena
 *	map	a character per 8 KiB page
 *	pools	a line per pool of objects
 *	trim	writing 1 gives back all that nobody uses; reading tells how many bytes
 *
 * The first line of a table names its version and columns. An arena is named
 * by its first page's number in kspan's map, not by an address. Arenas are
 * shown one at a time from a copy that is made some pages at a time, as the page heap
 * lock must not be held for long; what changes in between shows as before or after.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "api/private.h"
#include "base/name.h"
#include "kits/pool.h"
#include "objects/bad_free.h"
#include "observe/debugfs.h"
#include "observe/stats.h"
#include "pages/run.h"
#include "reclaim/reclaim.h"
#include "reclaim/relief.h"

#define MAP_COLUMNS	64

static struct dentry *directory;

static void show(struct seq_file *m, const char *name, u64 value)
{
	seq_printf(m, "%s: %llu\n", name, value);
}

static int stats_show(struct seq_file *m, void *unused)
{
	struct kspan_stats stats;

	kspan_stats_read(&stats);
	show(m, "Alloc", stats.alloc);
	show(m, "TotalAlloc", stats.total_alloc);
	show(m, "Sys", stats.sys);
	show(m, "Mallocs", stats.mallocs);
	show(m, "Frees", stats.frees);
	show(m, "HeapAlloc", stats.alloc);
	show(m, "HeapSys", stats.heap_sys);
	show(m, "HeapIdle", stats.heap_idle);
	show(m, "HeapInuse", stats.heap_inuse);
	show(m, "HeapReleased", stats.heap_released);
	show(m, "HeapObjects", stats.heap_objects);
	show(m, "HeapCached", stats.heap_cached);
	show(m, "HeapPeak", stats.heap_peak);
	show(m, "HeapHoles", stats.heap_holes);
	show(m, "HeapLoose", stats.heap_loose);
	show(m, "MSpanInuse", stats.mspan_inuse);
	show(m, "MSpanSys", stats.mspan_sys);
	show(m, "MCacheSys", stats.mcache_sys);
	show(m, "OtherSys", stats.other_sys);
	show(m, "Arenas", stats.arenas);
	show(m, "FreeRuns", stats.free_runs);
	show(m, "TinyAllocs", stats.tiny_allocs);
	show(m, "AllocLocal", stats.alloc_local);
	show(m, "AllocRemote", stats.alloc_remote);
	show(m, "AllocFallback", stats.alloc_fallback);
	show(m, "FreeRemote", stats.free_remote);
	show(m, "Vmalloc", stats.vmalloc);
	show(m, "ReleasedByTrim", kspan_reclaimed(KSPAN_BY_TRIM));
	show(m, "ReleasedByShrinker", kspan_reclaimed(KSPAN_BY_SHRINKER));
	show(m, "ReleasedByScavenger", kspan_reclaimed(KSPAN_BY_SCAVENGER));
	show(m, "ReleasedByLimit", kspan_reclaimed(KSPAN_BY_LIMIT));
	show(m, "CacheDrawn", atomic_long_read(&kspan_budget.drawn));
	show(m, "CacheLimit", kspan_budget_most());
	show(m, "SoftLimit", READ_ONCE(kspan_soft_limit));
	show(m, "HardLimit", READ_ONCE(kspan_hard_limit));
	show(m, "SoftLimitHits", kspan_limit_hits(KSPAN_SOFT_LIMIT));
	show(m, "HardLimitHits", kspan_limit_hits(KSPAN_HARD_LIMIT));
	show(m, "BadFreeDouble", kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE));
	show(m, "BadFreeInterior", kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR));
	show(m, "BadFreeMisaligned", kspan_bad_free_count(KSPAN_BAD_FREE_MISALIGNED));
	show(m, "BadFreeNeverAllocated", kspan_bad_free_count(KSPAN_BAD_FREE_NEVER_ALLOCATED));
	show(m, "BadFreeForeign", kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN));
	show(m, "BadFreeDestroyed", kspan_bad_free_count(KSPAN_BAD_FREE_DESTROYED));
	show(m, "BadFreeOtherHeap", kspan_bad_free_count(KSPAN_BAD_FREE_OTHER_HEAP));
	show(m, "BadFreeRegion", kspan_bad_free_count(KSPAN_BAD_FREE_REGION));
	show(m, "BadFreeHandle", kspan_bad_free_count(KSPAN_BAD_FREE_HANDLE));
	show(m, "BadFreePooled", kspan_bad_free_count(KSPAN_BAD_FREE_POOLED));
	show(m, "BadFreeSize", kspan_bad_free_count(KSPAN_BAD_FREE_SIZE));
	show(m, "StrayPuts", kspan_arena_stray_puts());
	show(m, "StrayGets", kspan_arena_stray_gets());
	show(m, "RefusedZone", kspan_refused(KSPAN_REFUSED_ZONE));
	show(m, "RefusedSize", kspan_refused(KSPAN_REFUSED_SIZE));
	show(m, "RefusedAlign", kspan_refused(KSPAN_REFUSED_ALIGN));
	show(m, "RefusedMark", kspan_refused(KSPAN_REFUSED_MARK));
	show(m, "RefusedPressure", kspan_refused(KSPAN_REFUSED_PRESSURE));
	show(m, "RefusedHeap", kspan_refused(KSPAN_REFUSED_HEAP));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

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
	/* Blocks; the objects in them stand in their own column. */
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

/* What is shown of an arena; @page is the number of its first page. */
struct arena_copy {
	unsigned long page;
	int nid;
	unsigned int order;
	unsigned int npages;
	unsigned int used;
	unsigned int holes;
	unsigned int free_runs;
	unsigned int largest_run;
	DECLARE_BITMAP(free, KSPAN_ARENA_PAGES);
	char map[KSPAN_ARENA_PAGES];
};

static unsigned long page_address_of(unsigned long page)
{
	return kspan_map.base + (page << KSPAN_PAGE_SHIFT);
}

static char small_span_char(const struct kspan_span *span)
{
	unsigned int used = READ_ONCE(span->used);

	if (used == span->nslots)
		return '#';
	return '0' + clamp(used * 10 / span->nslots, 1U, 9U);
}

/* Pages that are copied under one lock. */
#define COPIED_PAGES	24U

/* A page in use; returns how many of the same span were copied. */
static unsigned int copy_used(struct arena_copy *copy, struct kspan_arena *arena,
			      unsigned int page)
{
	unsigned long addr = arena->start + ((unsigned long)page << KSPAN_PAGE_SHIFT);
	struct kspan_span *span = kspan_map_span(addr);
	unsigned int n;

	copy->map[page] = '1';
	if (!span)
		return 1;
	if (kspan_span_is_small(span->state))
		copy->map[page] = small_span_char(span);
	/* A small span is found from each of its pages, and may be hollow. */
	if (!kspan_span_is_large(span->state))
		return 1;
	n = kspan_span_npages(span) - ((addr - span->start) >> KSPAN_PAGE_SHIFT);
	n = min(n, copy->npages - page);
	memset(copy->map + page, 'l', n);
	if (span->start == addr)
		copy->map[page] = 'L';
	return n;
}

/* Some pages from @page on; returns the one behind them. */
static unsigned int copy_some(struct arena_copy *copy, struct kspan_arena *arena,
			      unsigned int page)
{
	unsigned int end = min(page + COPIED_PAGES, copy->npages);

	while (page < end) {
		if (test_bit(page, arena->free))
			copy->map[page++] = '.';
		else if (test_bit(page, arena->absent))
			copy->map[page++] = '_';
		else
			page += copy_used(copy, arena, page);
	}
	return page;
}

static void copy_pages(struct arena_copy *copy)
{
	unsigned long start = page_address_of(copy->page), flags;
	struct kspan_page_heap *ph = kspan_page_heap(copy->nid);
	struct kspan_arena *arena;
	unsigned int page = 0;
	bool there = true;

	copy->free_runs = kspan_run_count(copy->free, copy->npages);
	copy->largest_run = kspan_run_longest(copy->free, copy->npages, copy->npages);
	memset(copy->map, '.', copy->npages);
	while (there && page < copy->npages) {
		raw_spin_lock_irqsave(&ph->lock, flags);
		arena = kspan_page_heap_next_arena(ph, start);
		/* It may have gone meanwhile; another one starts elsewhere, or is as long. */
		there = arena && arena->start == start && arena->npages == copy->npages;
		if (there)
			page = copy_some(copy, arena, page);
		raw_spin_unlock_irqrestore(&ph->lock, flags);
	}
}

static void copy_arena(struct arena_copy *copy, struct kspan_arena *arena)
{
	copy->page = kspan_map_page(arena->start);
	copy->nid = arena->nid;
	copy->order = arena->order;
	copy->npages = arena->npages;
	copy->used = arena->used;
	copy->holes = arena->holes;
	bitmap_copy(copy->free, arena->free, KSPAN_ARENA_PAGES);
}

/* Copy the first arena of the node at or above @page, if it is below @copy. */
static void copy_next_of_node(struct arena_copy *copy, int nid, unsigned long page)
{
	struct kspan_page_heap *ph = kspan_page_heap(nid);
	struct kspan_arena *arena;
	unsigned long flags;

	raw_spin_lock_irqsave(&ph->lock, flags);
	arena = kspan_page_heap_next_arena(ph, page_address_of(page));
	if (arena && kspan_map_page(arena->start) < copy->page)
		copy_arena(copy, arena);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
}

/* Position 0 is the header, position p the first arena from page p - 1 on. */
static void *arena_start(struct seq_file *m, loff_t *pos)
{
	struct arena_copy *copy = m->private;
	int nid;

	if (!*pos)
		return SEQ_START_TOKEN;
	copy->page = ULONG_MAX;
	for_each_node(nid)
		copy_next_of_node(copy, nid, *pos - 1);
	if (copy->page == ULONG_MAX)
		return NULL;
	copy_pages(copy);
	return copy;
}

static void *arena_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct arena_copy *copy = m->private;

	/* Another one may lie in its holes. */
	*pos = v == SEQ_START_TOKEN ? 1 : copy->page + 2;
	return arena_start(m, pos);
}

static void arena_stop(struct seq_file *m, void *v)
{
}

static int arenas_show(struct seq_file *m, void *v)
{
	const struct arena_copy *copy = v;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "# kspan arenas v2: node start order pages used_pages holes free_runs largest_run\n");
		return 0;
	}
	seq_printf(m, "%d %#lx %u %u %u %u %u %u\n", copy->nid, copy->page, copy->order,
		   copy->npages, copy->used, copy->holes, copy->free_runs, copy->largest_run);
	return 0;
}

static int map_show(struct seq_file *m, void *v)
{
	const struct arena_copy *copy = v;
	unsigned int first;

	if (v == SEQ_START_TOKEN) {
		seq_printf(m, "# kspan map v2: page_size %lu . free, _ given back, # full span, digits 1-9 tenths of a partly used span, L large, l large continued\n",
			   KSPAN_PAGE_SIZE);
		return 0;
	}
	for (first = 0; first < copy->npages; first += MAP_COLUMNS)
		seq_printf(m, "%d %#lx %.*s\n", copy->nid, copy->page + first,
			   min_t(int, MAP_COLUMNS, copy->npages - first), copy->map + first);
	return 0;
}

static const struct seq_operations arenas_sops = {
	.start = arena_start,
	.next = arena_next,
	.stop = arena_stop,
	.show = arenas_show,
};

static const struct seq_operations map_sops = {
	.start = arena_start,
	.next = arena_next,
	.stop = arena_stop,
	.show = map_show,
};

/* The operations of the file are its private data. */
static int arena_file_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, inode->i_private, sizeof(struct arena_copy));
}

static const struct file_operations arena_file_fops = {
	.owner = THIS_MODULE,
	.open = arena_file_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

/* Bytes that the last trim gave back. */
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
 * As is usual with debugfs, a failure is no reason not to go on.
 */
void kspan_debugfs_init(void)
{
	directory = debugfs_create_dir("kspan", NULL);
	debugfs_create_file("stats", 0444, directory, NULL, &stats_fops);
	debugfs_create_file("classes", 0444, directory, NULL, &classes_fops);
	debugfs_create_file("cpus", 0444, directory, NULL, &cpus_fops);
	debugfs_create_file("heaps", 0444, directory, NULL, &heaps_fops);
	debugfs_create_file("pools", 0444, directory, NULL, &pools_fops);
	/* What they tell of the layout of memory is for root alone. */
	debugfs_create_file("arenas", 0400, directory, (void *)&arenas_sops, &arena_file_fops);
	debugfs_create_file("map", 0400, directory, (void *)&map_sops, &arena_file_fops);
	debugfs_create_file("bad_frees", 0400, directory, NULL, &bad_frees_fops);
	debugfs_create_file_unsafe("trim", 0600, directory, NULL, &trim_fops);
	if (kspan_arena_debugfs_init(directory))
		pr_warn("no failkspan/ in debugfs\n");
}

/** kspan_debugfs_exit() - remove the files; readers are waited for */
void kspan_debugfs_exit(void)
{
	debugfs_remove_recursive(directory);
}
