/* SPDX-License-Identifier: GPL-2.0 */
/* Statistics of heaps and of the pages below them; stats.c says how they are made. */
#ifndef KSPAN_STATS_H
#define KSPAN_STATS_H

#include "api/alloc.h"

/**
 * struct kspan_class_stats - a size class over all nodes and CPUs
 * @spans:	number of spans
 * @bytes:	bytes of the pages that small spans have
 * @slots:	slots of the spans: those of objects in use, cached objects and free slots, and the
 *		slots that hollow and short spans lack
 * @in_use:	live objects
 * @cached:	free objects in magazines
 * @allocs:	objects that were ever allocated
 * @frees:	objects that were ever freed: @allocs - @in_use
 * @magazines:	number of magazines
 */
struct kspan_class_stats {
	unsigned long spans;
	u64 bytes;
	unsigned long slots;
	unsigned long in_use;
	unsigned long cached;
	u64 allocs;
	u64 frees;
	unsigned long magazines;
};

/* Sums over the page heaps of all nodes, in the units of struct kspan_page_heap. */
struct kspan_page_stats {
	unsigned long arenas;
	unsigned long runs;
	unsigned long spares;
	unsigned long pages;
	unsigned long used;
	unsigned long peak;
	unsigned long holes;
	unsigned long loose;	/* in pages of the kernel */
	unsigned long kept;	/* in empty and in large spans, in pages of the kernel */
	unsigned long kept_large;	/* number of these large spans */
	unsigned long kept_large_pages;	/* in these, in pages of the kernel */
	u64 released;
	struct kspan_class_stats large;
	unsigned long large_pages;	/* pages of live large objects */
	unsigned long large_cached_pages;
	u64 large_alloc_pages;
};

/**
 * struct kspan_tiny_stats - tiny objects over all CPUs
 * @objects:	live objects
 * @allocs:	objects that were ever allocated
 * @frees:	objects that were ever freed
 * @saved:	bytes that all objects ever allocated would have taken in size classes, less the
 *		bytes of the blocks that they took
 */
struct kspan_tiny_stats {
	u64 objects;
	u64 allocs;
	u64 frees;
	s64 saved;
};

/**
 * struct kspan_cpu_stats - the caches that all heaps have of a CPU
 * @nid:	node whose objects the CPU caches
 * @capacity:	bytes of objects that its magazines may hold now
 * @cached:	bytes of objects that its magazines hold
 * @large_objects: large objects that the CPU keeps
 * @large_bytes: bytes of these
 * @refills:	magazines that the CPU got from centrals
 * @spills:	magazines that the CPU gave to centrals
 * @steals:	how often a class lost capacity to another
 */
struct kspan_cpu_stats {
	int nid;
	u64 capacity;
	u64 cached;
	unsigned int large_objects;
	u64 large_bytes;
	u64 refills;
	u64 spills;
	u64 steals;
};

void kspan_cpu_stats_read(unsigned int cpu, struct kspan_cpu_stats *stats);
void kspan_tiny_stats_read(struct kspan_tiny_stats *stats);
void kspan_heap_class_stats_read(struct kspan_heap *heap, unsigned int class,
				 struct kspan_class_stats *stats);
void kspan_heap_stats_read(struct kspan_heap *heap, struct kspan_heap_stats *stats);
void kspan_class_stats_read(unsigned int class, struct kspan_class_stats *stats);
void kspan_page_stats_read(struct kspan_page_stats *stats);

/*
 * Totals, named as in Go's runtime.MemStats. They are bytes, or counts of objects, arenas, runs and
 * calls.
 */
struct kspan_stats {
	u64 alloc;
	u64 total_alloc;
	u64 mallocs;
	u64 frees;
	u64 heap_objects;
	u64 heap_cached;
	u64 heap_sys;
	u64 heap_idle;
	u64 heap_inuse;
	u64 heap_released;
	u64 heap_peak;
	u64 heap_holes;
	u64 heap_loose;
	u64 heap_empty;
	u64 mspan_inuse;
	u64 mspan_sys;
	u64 mcache_sys;
	u64 other_sys;
	u64 sys;
	u64 arenas;
	u64 free_runs;
	u64 tiny_allocs;
	u64 alloc_local;
	u64 alloc_remote;
	u64 alloc_fallback;
	u64 free_remote;
	u64 vmalloc;
};

void kspan_stats_read(struct kspan_stats *stats);

#endif /* KSPAN_STATS_H */
