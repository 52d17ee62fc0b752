// SPDX-License-Identifier: GPL-2.0
/*
 * The tables of debugfs that are printed as a whole, as text or as JSON
 *
 * Context: task; sleeps.
 */
#include <linux/cpumask.h>
#include <linux/seq_file.h>

#include "api/heaps.h"
#include "api/private.h"
#include "base/table.h"
#include "objects/bad_free.h"
#include "objects/refuse.h"
#include "observe/stats.h"
#include "observe/tables.h"
#include "pages/block.h"
#include "reclaim/reclaim.h"
#include "reclaim/relief.h"

/* A line "NAME: VALUE UNIT". */
static void show_stat(struct kspan_table *t, const char *name, const char *unit, u64 value)
{
	kspan_table_row(t);
	kspan_table_label(t, name);
	kspan_table_number(t, 0, value);
	kspan_table_word(t, 0, unit);
	kspan_table_end_row(t);
}

static void show_memory(struct kspan_table *t, const struct kspan_stats *stats)
{
	show_stat(t, "Alloc", "bytes", stats->alloc);
	show_stat(t, "TotalAlloc", "bytes", stats->total_alloc);
	show_stat(t, "Sys", "bytes", stats->sys);
	show_stat(t, "Mallocs", "objects", stats->mallocs);
	show_stat(t, "Frees", "objects", stats->frees);
	show_stat(t, "HeapAlloc", "bytes", stats->alloc);
	show_stat(t, "HeapSys", "bytes", stats->heap_sys);
	show_stat(t, "HeapIdle", "bytes", stats->heap_idle);
	show_stat(t, "HeapInuse", "bytes", stats->heap_inuse);
	show_stat(t, "HeapReleased", "bytes", stats->heap_released);
	show_stat(t, "HeapObjects", "objects", stats->heap_objects);
	show_stat(t, "HeapCached", "bytes", stats->heap_cached);
	show_stat(t, "HeapPeak", "bytes", stats->heap_peak);
	show_stat(t, "HeapHoles", "bytes", stats->heap_holes);
	show_stat(t, "HeapLoose", "bytes", stats->heap_loose);
	show_stat(t, "HeapEmpty", "bytes", stats->heap_empty);
	show_stat(t, "MSpanInuse", "bytes", stats->mspan_inuse);
	show_stat(t, "MSpanSys", "bytes", stats->mspan_sys);
	show_stat(t, "MCacheSys", "bytes", stats->mcache_sys);
	show_stat(t, "OtherSys", "bytes", stats->other_sys);
}

static void show_events(struct kspan_table *t, const struct kspan_stats *stats)
{
	show_stat(t, "Arenas", "arenas", stats->arenas);
	show_stat(t, "FreeRuns", "runs", stats->free_runs);
	show_stat(t, "TinyAllocs", "objects", stats->tiny_allocs);
	show_stat(t, "AllocLocal", "objects", stats->alloc_local);
	show_stat(t, "AllocRemote", "objects", stats->alloc_remote);
	show_stat(t, "AllocFallback", "objects", stats->alloc_fallback);
	show_stat(t, "FreeRemote", "objects", stats->free_remote);
	show_stat(t, "Vmalloc", "bytes", stats->vmalloc);
}

static void show_limits(struct kspan_table *t)
{
	show_stat(t, "ReleasedByTrim", "bytes", kspan_reclaimed(KSPAN_BY_TRIM));
	show_stat(t, "ReleasedByShrinker", "bytes", kspan_reclaimed(KSPAN_BY_SHRINKER));
	show_stat(t, "ReleasedByScavenger", "bytes", kspan_reclaimed(KSPAN_BY_SCAVENGER));
	show_stat(t, "ReleasedByLimit", "bytes", kspan_reclaimed(KSPAN_BY_LIMIT));
	show_stat(t, "CacheDrawn", "bytes", atomic_long_read(&kspan_budget.drawn));
	show_stat(t, "CacheLimit", "bytes", kspan_budget_most());
	show_stat(t, "SoftLimit", "bytes", READ_ONCE(kspan_soft_limit));
	show_stat(t, "HardLimit", "bytes", READ_ONCE(kspan_hard_limit));
	show_stat(t, "SoftLimitHits", "events", kspan_limit_hits(KSPAN_SOFT_LIMIT));
	show_stat(t, "HardLimitHits", "events", kspan_limit_hits(KSPAN_HARD_LIMIT));
}

static void show_wrongs(struct kspan_table *t)
{
	show_stat(t, "BadFreeDouble", "events", kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE));
	show_stat(t, "BadFreeInterior", "events", kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR));
	show_stat(t, "BadFreeMisaligned", "events",
		  kspan_bad_free_count(KSPAN_BAD_FREE_MISALIGNED));
	show_stat(t, "BadFreeNeverAllocated", "events",
		  kspan_bad_free_count(KSPAN_BAD_FREE_NEVER_ALLOCATED));
	show_stat(t, "BadFreeForeign", "events", kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN));
	show_stat(t, "BadFreeDestroyed", "events", kspan_bad_free_count(KSPAN_BAD_FREE_DESTROYED));
	show_stat(t, "BadFreeOtherHeap", "events", kspan_bad_free_count(KSPAN_BAD_FREE_OTHER_HEAP));
	show_stat(t, "BadFreeRegion", "events", kspan_bad_free_count(KSPAN_BAD_FREE_REGION));
	show_stat(t, "BadFreeHandle", "events", kspan_bad_free_count(KSPAN_BAD_FREE_HANDLE));
	show_stat(t, "BadFreePooled", "events", kspan_bad_free_count(KSPAN_BAD_FREE_POOLED));
	show_stat(t, "BadFreeSize", "events", kspan_bad_free_count(KSPAN_BAD_FREE_SIZE));
	show_stat(t, "StrayPuts", "events", kspan_arena_stray_puts());
	show_stat(t, "StrayGets", "events", kspan_arena_stray_gets());
	show_stat(t, "RefusedZone", "requests", kspan_refused(KSPAN_REFUSED_ZONE));
	show_stat(t, "RefusedSize", "requests", kspan_refused(KSPAN_REFUSED_SIZE));
	show_stat(t, "RefusedAlign", "requests", kspan_refused(KSPAN_REFUSED_ALIGN));
	show_stat(t, "RefusedMark", "calls", kspan_refused(KSPAN_REFUSED_MARK));
	show_stat(t, "RefusedPressure", "requests", kspan_refused(KSPAN_REFUSED_PRESSURE));
	show_stat(t, "RefusedHeap", "calls", kspan_refused(KSPAN_REFUSED_HEAP));
}

/** kspan_print_stats() - print all totals */
void kspan_print_stats(struct seq_file *m, bool json)
{
	struct kspan_stats stats;
	struct kspan_table table;

	kspan_stats_read(&stats);
	kspan_table_begin(&table, m, json, "# kspan stats v2: name value unit\n");
	show_memory(&table, &stats);
	show_events(&table, &stats);
	show_limits(&table);
	show_wrongs(&table);
	kspan_table_end(&table);
}

/* Prints the columns that small and large objects share. */
static void show_class(struct kspan_table *t, const struct kspan_class_stats *stats,
		       u64 span_bytes, u64 live_bytes, u64 objects, s64 saved)
{
	kspan_table_number(t, 8, stats->spans);
	kspan_table_number(t, 10, stats->slots);
	kspan_table_number(t, 10, stats->in_use);
	kspan_table_number(t, 8, stats->cached);
	kspan_table_number(t, 12, stats->allocs);
	kspan_table_number(t, 12, stats->frees);
	kspan_table_number(t, 12, span_bytes - min(live_bytes, span_bytes));
	kspan_table_number(t, 10, objects);
	kspan_table_signed(t, 12, saved);
	kspan_table_end_row(t);
}

static void show_small(struct kspan_table *t, unsigned int class, const char *name,
		       const struct kspan_class_stats *stats, u64 objects, s64 saved)
{
	const struct kspan_size_class *sc = &kspan_size_classes[class];

	kspan_table_row(t);
	kspan_table_word(t, 5, name);
	kspan_table_number(t, 6, sc->size);
	kspan_table_number(t, 3, sc->pages);
	show_class(t, stats, stats->bytes, (u64)stats->in_use * sc->size, objects, saved);
}

static void show_small_classes(struct kspan_table *t)
{
	struct kspan_class_stats stats;
	struct kspan_tiny_stats tiny;
	unsigned int class;
	char name[8];

	for (class = 1; class < KSPAN_CLASS_TINY; class++) {
		kspan_class_stats_read(class, &stats);
		snprintf(name, sizeof(name), "%u", class);
		show_small(t, class, name, &stats, stats.in_use, 0);
	}
	/*
	 * The line counts blocks of tiny objects. The objects in the blocks are counted in a column
	 * of their own.
	 */
	kspan_class_stats_read(KSPAN_CLASS_TINY, &stats);
	kspan_tiny_stats_read(&tiny);
	show_small(t, KSPAN_CLASS_TINY, "tiny", &stats, tiny.objects, tiny.saved);
}

/** kspan_print_classes() - print a row per size class */
void kspan_print_classes(struct seq_file *m, bool json)
{
	struct kspan_page_stats pages;
	struct kspan_table table;

	kspan_table_begin(&table, m, json, "# kspan classes v2: class size span_pages spans slots in_use cached allocs frees waste_bytes objects saved_bytes\n");
	show_small_classes(&table);
	kspan_page_stats_read(&pages);
	kspan_table_row(&table);
	kspan_table_word(&table, 5, "large");
	kspan_table_none(&table, 6);
	kspan_table_none(&table, 3);
	show_class(&table, &pages.large, 0, 0, pages.large.in_use, 0);
	kspan_table_end(&table);
}

static void show_cpu(struct kspan_table *t, unsigned int cpu, const struct kspan_cpu_stats *stats)
{
	kspan_table_row(t);
	kspan_table_number(t, 3, cpu);
	kspan_table_signed(t, 4, stats->nid);
	kspan_table_number(t, 14, stats->capacity);
	kspan_table_number(t, 12, stats->cached);
	kspan_table_number(t, 13, stats->large_objects);
	kspan_table_number(t, 11, stats->large_bytes);
	kspan_table_number(t, 10, stats->refills);
	kspan_table_number(t, 10, stats->spills);
	kspan_table_number(t, 10, stats->steals);
	kspan_table_end_row(t);
}

/** kspan_print_cpus() - print a row per CPU that has used a heap */
void kspan_print_cpus(struct seq_file *m, bool json)
{
	struct kspan_cpu_stats stats;
	struct kspan_table table;
	unsigned int cpu;

	kspan_table_begin(&table, m, json, "# kspan cpus v1: cpu node capacity_bytes cached_bytes large_objects large_bytes refills spills steals\n");
	for_each_possible_cpu(cpu) {
		kspan_cpu_stats_read(cpu, &stats);
		if (stats.refills || stats.large_objects)
			show_cpu(&table, cpu, &stats);
	}
	kspan_table_end(&table);
}

static void show_heap(struct kspan_table *t, const char *name, const char *module,
		      const char *kind, const struct kspan_heap_stats *stats)
{
	kspan_table_row(t);
	kspan_table_name(t, name);
	kspan_table_word(t, 0, module);
	kspan_table_word(t, 0, kind);
	kspan_table_number(t, 0, stats->limit);
	kspan_table_number(t, 0, stats->held);
	kspan_table_number(t, 0, stats->bytes);
	kspan_table_number(t, 0, stats->spans);
	kspan_table_number(t, 0, stats->allocs);
	kspan_table_number(t, 0, stats->frees);
	kspan_table_number(t, 0, stats->failures);
	kspan_table_number(t, 0, stats->peak);
	kspan_table_end_row(t);
}

static void show_private(struct kspan_heap *heap, void *table)
{
	const struct kspan_private *private = heap->private;
	struct kspan_heap_stats stats;

	if (!private)
		return;
	kspan_heap_stats_read(heap, &stats);
	show_heap(table, heap->name, private->module, private->typed ? "cache" : "heap", &stats);
}

/** kspan_print_heaps() - print a row per heap and typed cache */
void kspan_print_heaps(struct seq_file *m, bool json)
{
	struct kspan_heap_stats stats;
	struct kspan_table table;

	kspan_table_begin(&table, m, json, "# kspan heaps v2: name module kind limit_bytes held_bytes in_use_bytes spans allocs frees failures peak_bytes\n");
	kspan_heap_stats_read(&kspan_default_heap, &stats);
	show_heap(&table, kspan_default_heap.name, "kspan", "heap", &stats);
	kspan_visit_heaps(show_private, &table);
	kspan_table_end(&table);
}

/** kspan_print_bad_frees() - print the wrong frees that were found last */
void kspan_print_bad_frees(struct seq_file *m, bool json)
{
	struct kspan_bad_free bad;
	struct kspan_table table;
	unsigned int n;

	kspan_table_begin_fields(&table, m, json, "bad_frees", 1);
	for (n = 0; kspan_bad_free_kept(n, &bad); n++)
		kspan_bad_free_show(&table, &bad);
	kspan_table_end(&table);
}

static void show_reclaim(struct kspan_table *t, const struct kspan_reclaim_note *note)
{
	kspan_table_row(t);
	kspan_table_time(t, note->ns);
	kspan_table_word(t, 0, kspan_reclaimer_word(note->by));
	kspan_table_signed(t, 0, note->nid);
	kspan_table_number(t, 0, note->bytes);
	kspan_table_number(t, 0, note->held);
	kspan_table_end_row(t);
}

/** kspan_print_reclaims() - print the last times that pages went back, the newest first */
void kspan_print_reclaims(struct seq_file *m, bool json)
{
	struct kspan_reclaim_note note;
	struct kspan_table table;
	unsigned int n;

	kspan_table_begin(&table, m, json, "# kspan reclaims v1: time by node bytes held_bytes\n");
	for (n = 0; kspan_reclaim_noted(n, &note); n++)
		show_reclaim(&table, &note);
	kspan_table_end(&table);
}
