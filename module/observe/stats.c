// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics
 *
 * Nothing is counted twice on an object's way. A CPU counts the allocations that it serves. A
 * central counts slots when they leave it and return to it in batches. The page heap counts pages.
 * All other figures are derived here:
 *
 *	in use = out of spans - in magazines
 *	frees  = allocations - in use
 *
 * Each lock is held for a few loads only. The figures are exact while nobody allocates or frees. At
 * other times they are wrong by the objects that are on the move.
 *
 * Context: task; sleeps.
 */
#include <linux/cpumask.h>

#include "api/heaps.h"
#include "api/private.h"
#include "objects/cpu_caches.h"
#include "base/kunit_export.h"
#include "objects/deferred.h"
#include "observe/stats.h"

static void add_central(struct kspan_central *central, struct kspan_class_stats *stats,
			unsigned long *out)
{
	unsigned long flags;

	kspan_central_merge_all(central);
	raw_spin_lock_irqsave(&central->lock, flags);
	stats->spans += central->nr_spans;
	stats->bytes += (u64)central->base_pages << PAGE_SHIFT;
	stats->cached += central->nr_depot_objects;
	stats->allocs += central->allocs;
	stats->magazines += central->nr_magazines;
	*out += central->nr_out;
	raw_spin_unlock_irqrestore(&central->lock, flags);
}

/**
 * kspan_heap_class_stats_read() - read the statistics of a size class of a heap
 * @heap:	heap that is not destroyed meanwhile
 * @class:	size class, not 0
 * @stats:	result
 *
 * Context: task.
 */
void kspan_heap_class_stats_read(struct kspan_heap *heap, unsigned int class,
				 struct kspan_class_stats *stats)
{
	struct kspan_central *central;
	unsigned long out = 0;
	int nid;

	memset(stats, 0, sizeof(*stats));
	kspan_cpu_caches_count(heap, class, &stats->cached, &stats->allocs);
	for_each_node(nid) {
		central = kspan_heap_central(heap, nid, class);
		if (central)
			add_central(central, stats, &out);
		central = kspan_heap_sampled(heap, nid, class);
		if (central)
			add_central(central, stats, &out);
	}
	stats->slots = stats->spans * heap->classes[class].slots;
	/*
	 * An object that moves between a CPU and its span meanwhile may be counted twice, or not at
	 * all.
	 */
	stats->cached = min(stats->cached, out);
	stats->in_use = out - stats->cached;
	stats->frees = max_t(u64, stats->allocs, stats->in_use) - stats->in_use;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_class_stats_read);

/* A size class, and the sum over the heaps that were visited. */
struct class_sum {
	unsigned int class;
	struct kspan_class_stats *stats;
};

static void add_class_of_heap(struct kspan_heap *heap, void *data)
{
	struct class_sum *sum = data;
	struct kspan_class_stats stats;

	/* Objects of typed caches have other sizes than the size classes. */
	if (heap->private && heap->private->typed)
		return;
	kspan_heap_class_stats_read(heap, sum->class, &stats);
	sum->stats->spans += stats.spans;
	sum->stats->bytes += stats.bytes;
	sum->stats->slots += stats.slots;
	sum->stats->in_use += stats.in_use;
	sum->stats->cached += stats.cached;
	sum->stats->allocs += stats.allocs;
	sum->stats->frees += stats.frees;
	sum->stats->magazines += stats.magazines;
}

/**
 * kspan_class_stats_read() - read the statistics of a size class of all heaps
 * @class:	size class, not 0
 * @stats:	result, without typed caches
 *
 * Context: task; sleeps.
 */
void kspan_class_stats_read(unsigned int class, struct kspan_class_stats *stats)
{
	struct class_sum sum = { class, stats };

	memset(stats, 0, sizeof(*stats));
	kspan_visit_heaps(add_class_of_heap, &sum);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_class_stats_read);

static void add_page_heap(struct kspan_page_heap *ph, struct kspan_page_stats *stats)
{
	unsigned long flags;

	kspan_page_heap_merge_all(ph);
	stats->runs += kspan_page_heap_free_runs(ph);
	raw_spin_lock_irqsave(&ph->lock, flags);
	stats->arenas += ph->nr_arenas;
	stats->spares += ph->nr_spares;
	stats->pages += ph->pages;
	stats->used += ph->used;
	stats->peak += ph->peak;
	stats->holes += ph->holes;
	stats->released += (ph->released << KSPAN_PAGE_ORDER) + ph->loose_released;
	stats->loose += ph->loose_pages;
	stats->kept += atomic_long_read(&ph->kept);
	stats->kept_large += ph->nr_kept_large;
	stats->kept_large_pages += ph->kept_large_pages;
	stats->large.spans += ph->large;
	stats->large.allocs += ph->large_allocs;
	stats->large_pages += ph->large_pages;
	stats->large_alloc_pages += ph->large_alloc_pages;
	raw_spin_unlock_irqrestore(&ph->lock, flags);
}

/**
 * kspan_page_stats_read() - read the statistics of pages and large objects
 * @stats: result
 *
 * Context: task.
 */
void kspan_page_stats_read(struct kspan_page_stats *stats)
{
	struct kspan_heap *heap = &kspan_default_heap;
	int nid;

	memset(stats, 0, sizeof(*stats));
	for_each_node(nid)
		add_page_heap(kspan_page_heap(nid), stats);
	kspan_cpu_caches_count_large(heap, &stats->large.cached, &stats->large_cached_pages);
	stats->large.slots = stats->large.spans;
	/*
	 * An object that moves between a CPU and the page heap meanwhile may be counted twice, or
	 * not at all.
	 */
	stats->large.cached = min(stats->large.cached, stats->large.spans);
	stats->large.in_use = stats->large.spans - stats->large.cached;
	stats->large_pages -= min(stats->large_cached_pages, stats->large_pages);
	stats->large.allocs += kspan_cpu_caches_events(heap, KSPAN_LARGE_ALLOC);
	stats->large_alloc_pages += kspan_cpu_caches_events(heap, KSPAN_LARGE_ALLOC_PAGES);
	stats->large.frees = stats->large.allocs - stats->large.in_use;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_stats_read);

/* A CPU, and the sum over the heaps that were visited. */
struct cpu_sum {
	unsigned int cpu;
	struct kspan_cpu_stats *stats;
};

static void add_cache_of_heap(struct kspan_heap *heap, void *data)
{
	struct cpu_sum *sum = data;
	const struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, sum->cpu);
	struct kspan_cpu_stats *stats = sum->stats;
	unsigned int class;

	stats->capacity += READ_ONCE(cache->capacity);
	stats->large_objects += READ_ONCE(cache->large.count);
	stats->large_bytes += (u64)READ_ONCE(cache->large.pages) << KSPAN_PAGE_SHIFT;
	stats->refills += kspan_glance(cache->events[KSPAN_REFILL]);
	stats->spills += kspan_glance(cache->events[KSPAN_SPILL]);
	stats->steals += kspan_glance(cache->events[KSPAN_STEAL]);
	for (class = 1; class < heap->nr_classes; class++)
		stats->cached += (u64)kspan_cpu_cache_holds(cache, class) *
				 heap->classes[class].size;
}

/**
 * kspan_cpu_stats_read() - read the statistics of the caches that all heaps have of a CPU
 * @cpu:	possible CPU
 * @stats:	result
 *
 * Context: task; sleeps.
 */
void kspan_cpu_stats_read(unsigned int cpu, struct kspan_cpu_stats *stats)
{
	struct cpu_sum sum = { cpu, stats };

	memset(stats, 0, sizeof(*stats));
	stats->nid = READ_ONCE(per_cpu_ptr(kspan_default_heap.cpu, cpu)->nid);
	kspan_visit_heaps(add_cache_of_heap, &sum);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_stats_read);

static void add_tiny_of_heap(struct kspan_heap *heap, void *data)
{
	struct kspan_tiny_stats *stats = data;

	stats->allocs += kspan_cpu_caches_events(heap, KSPAN_TINY_ALLOC);
	stats->frees += kspan_cpu_caches_events(heap, KSPAN_TINY_FREE);
	stats->saved += kspan_cpu_caches_events(heap, KSPAN_TINY_CLASS_BYTES);
}

/**
 * kspan_tiny_stats_read() - read the statistics of tiny objects
 * @stats: result
 *
 * Context: task; sleeps.
 */
void kspan_tiny_stats_read(struct kspan_tiny_stats *stats)
{
	struct kspan_class_stats blocks;

	memset(stats, 0, sizeof(*stats));
	kspan_class_stats_read(KSPAN_CLASS_TINY, &blocks);
	kspan_visit_heaps(add_tiny_of_heap, stats);
	stats->objects = stats->allocs - min(stats->frees, stats->allocs);
	stats->saved -= blocks.allocs * KSPAN_TINY_BLOCK;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_tiny_stats_read);

/*
 * Adds the small objects of a class. Blocks of tiny objects count as objects here, but their
 * allocations and frees do not count: those of the tiny objects do, elsewhere.
 */
static void add_class_to_heap(struct kspan_heap *heap, unsigned int class,
			      struct kspan_heap_stats *total)
{
	const struct kspan_size_class *sc = &heap->classes[class];
	struct kspan_class_stats stats;

	kspan_heap_class_stats_read(heap, class, &stats);
	total->spans += stats.spans;
	total->held += stats.bytes;
	total->bytes += (u64)stats.in_use * sc->size;
	if (class == KSPAN_CLASS_TINY)
		return;
	total->allocs += stats.allocs;
	total->frees += stats.frees;
}

/* The page heaps count the large objects of all heaps. This subtracts those of a private heap. */
static void subtract_large(struct kspan_heap *heap, void *data)
{
	struct kspan_page_stats *pages = data;
	struct kspan_large_owner *owner = kspan_heap_large(heap);
	unsigned long flags;

	if (!owner)
		return;
	raw_spin_lock_irqsave(&owner->lock, flags);
	pages->large.spans -= min(owner->objects, pages->large.spans);
	pages->large.in_use -= min(owner->objects, pages->large.in_use);
	pages->large.allocs -= min(owner->allocs, pages->large.allocs);
	pages->large_pages -= min(owner->pages, pages->large_pages);
	raw_spin_unlock_irqrestore(&owner->lock, flags);
}

static void add_large_of_default(struct kspan_heap_stats *stats)
{
	struct kspan_page_stats pages;

	kspan_page_stats_read(&pages);
	kspan_visit_heaps(subtract_large, &pages);
	stats->spans += pages.large.spans;
	stats->peak = (u64)pages.peak << PAGE_SHIFT;
	stats->held += (u64)(pages.large_pages + pages.large_cached_pages) << KSPAN_PAGE_SHIFT;
	stats->held += (u64)pages.kept_large_pages << PAGE_SHIFT;
	stats->bytes += (u64)pages.large_pages << KSPAN_PAGE_SHIFT;
	stats->allocs += pages.large.allocs;
	stats->frees += pages.large.allocs - min_t(u64, pages.large.allocs, pages.large.in_use);
}

static void add_large_of_private(struct kspan_large_owner *owner, struct kspan_heap_stats *stats)
{
	unsigned long flags;

	kspan_large_merge(owner);
	raw_spin_lock_irqsave(&owner->lock, flags);
	stats->spans += owner->objects;
	stats->held += (u64)owner->pages << KSPAN_PAGE_SHIFT;
	stats->bytes += (u64)owner->pages << KSPAN_PAGE_SHIFT;
	stats->allocs += owner->allocs;
	stats->frees += owner->allocs - owner->objects;
	raw_spin_unlock_irqrestore(&owner->lock, flags);
}

/* Adds the heap's memory of vmalloc(), which is counted in pages of 8 KiB. */
static void add_mapped(struct kspan_heap *heap, struct kspan_heap_stats *stats)
{
	struct kspan_kv_owner *owner = kspan_kv_owner(heap);
	u64 bytes = (u64)atomic_long_read(&owner->pages) << KSPAN_PAGE_SHIFT;
	unsigned long live = atomic_long_read(&owner->live);

	stats->held += bytes;
	stats->bytes += bytes;
	stats->allocs += atomic_long_read(&owner->allocs);
	stats->frees += atomic_long_read(&owner->allocs) - live;
}

/**
 * kspan_heap_stats_read() - read the statistics of a heap
 * @heap:	heap that is not destroyed meanwhile
 * @stats:	result
 *
 * A function that is called for each of all heaps must not call this for the default heap, as this
 * visits all heaps then.
 *
 * Context: task; sleeps.
 */
void kspan_heap_stats_read(struct kspan_heap *heap, struct kspan_heap_stats *stats)
{
	unsigned int class;

	memset(stats, 0, sizeof(*stats));
	for (class = 1; class < heap->nr_classes; class++)
		add_class_to_heap(heap, class, stats);
	stats->allocs += kspan_cpu_caches_events(heap, KSPAN_TINY_ALLOC);
	stats->frees += kspan_cpu_caches_events(heap, KSPAN_TINY_FREE);
	stats->failures = atomic_long_read(&heap->failures);
	add_mapped(heap, stats);
	if (heap->private) {
		add_large_of_private(&heap->private->large, stats);
		stats->limit = (u64)heap->private->account.limit << KSPAN_PAGE_SHIFT;
		stats->peak = (u64)atomic_long_read(&heap->private->account.peak) <<
			      KSPAN_PAGE_SHIFT;
	} else {
		add_large_of_default(stats);
	}
	stats->objects = stats->allocs - min(stats->allocs, stats->frees);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_stats_read);

/**
 * kspan_heap_stats() - read the statistics of a heap
 * @heap:	heap to look at; NULL for the default heap
 * @stats:	result; exact while nobody allocates or frees
 *
 * kspan_heap_for_each() visits all heaps.
 *
 * Context: task; sleeps.
 */
void kspan_heap_stats(struct kspan_heap *heap, struct kspan_heap_stats *stats)
{
	kspan_heap_stats_read(kspan_heap_or_default(heap), stats);
}
EXPORT_SYMBOL_GPL(kspan_heap_stats);

/* Adds calls. Of tiny objects the objects in the blocks count, and not the blocks. */
static void add_objects(unsigned int class, const struct kspan_class_stats *stats,
			struct kspan_stats *total)
{
	struct kspan_tiny_stats tiny;

	if (class == KSPAN_CLASS_TINY) {
		kspan_tiny_stats_read(&tiny);
		total->tiny_allocs = tiny.allocs;
		total->mallocs += tiny.allocs;
		total->frees += tiny.allocs - tiny.objects;
	} else {
		total->mallocs += stats->allocs;
		total->frees += stats->frees;
	}
}

static void add_class(unsigned int class, struct kspan_stats *total, u64 *spans)
{
	u64 size = kspan_size_classes[class].size;
	struct kspan_class_stats stats;

	kspan_class_stats_read(class, &stats);
	total->alloc += stats.in_use * size;
	total->total_alloc += stats.allocs * size;
	add_objects(class, &stats, total);
	total->heap_cached += stats.cached * size;
	total->mcache_sys += stats.magazines * kspan_magazine_sizeof(&kspan_size_classes[class]);
	total->mspan_sys += stats.spans * kspan_span_bitmap_bytes(&kspan_size_classes[class]);
	*spans += stats.spans;
}

static void add_typed_cache(struct kspan_heap *heap, struct kspan_stats *total, u64 *spans)
{
	const struct kspan_size_class *sc = &heap->classes[1];
	struct kspan_class_stats stats;

	kspan_heap_class_stats_read(heap, 1, &stats);
	total->alloc += (u64)stats.in_use * sc->size;
	total->total_alloc += stats.allocs * sc->size;
	total->mallocs += stats.allocs;
	total->frees += stats.frees;
	total->heap_cached += (u64)stats.cached * sc->size;
	total->mcache_sys += stats.magazines * kspan_magazine_sizeof(sc);
	total->mspan_sys += stats.spans * kspan_span_bitmap_bytes(sc);
	*spans += stats.spans;
}

/* Sums over the heaps that were visited. */
struct heap_sum {
	struct kspan_stats *total;
	u64 spans;
};

/* Adds the memory of a heap's own structures, and of a typed cache its objects, too. */
static void add_heap(struct kspan_heap *heap, void *data)
{
	struct kspan_kv_owner *owner = kspan_kv_owner(heap);
	struct kspan_central *central;
	struct heap_sum *sum = data;
	unsigned int i = 0;

	while ((central = kspan_heap_next_central(heap, &i)))
		sum->total->other_sys += sizeof(*central);
	sum->total->other_sys += nr_node_ids * heap->nr_classes * sizeof(*heap->central);
	sum->total->mcache_sys += num_possible_cpus() * kspan_cpu_cache_sizeof(heap->nr_classes);
	if (heap->private && heap->private->typed)
		add_typed_cache(heap, sum->total, &sum->spans);
	sum->total->vmalloc += (u64)atomic_long_read(&owner->pages) << KSPAN_PAGE_SHIFT;
	sum->total->alloc_remote += kspan_cpu_caches_events(heap, KSPAN_ALLOC_REMOTE);
	sum->total->alloc_fallback += kspan_cpu_caches_events(heap, KSPAN_ALLOC_FALLBACK);
	sum->total->free_remote += kspan_cpu_caches_events(heap, KSPAN_FREE_REMOTE);
}

/**
 * kspan_stats_read() - read all totals
 * @total: result
 *
 * Context: task; sleeps.
 */
void kspan_stats_read(struct kspan_stats *total)
{
	struct kspan_page_stats pages;
	struct heap_sum sum = { .total = total };
	unsigned int class;
	u64 spans;

	memset(total, 0, sizeof(*total));
	for (class = 1; class < KSPAN_NR_CLASSES; class++)
		add_class(class, total, &sum.spans);
	kspan_visit_heaps(add_heap, &sum);
	spans = sum.spans;
	kspan_page_stats_read(&pages);
	total->alloc += (u64)pages.large_pages << KSPAN_PAGE_SHIFT;
	total->total_alloc += pages.large_alloc_pages << KSPAN_PAGE_SHIFT;
	total->heap_cached += (u64)pages.large_cached_pages << KSPAN_PAGE_SHIFT;
	total->mallocs += pages.large.allocs;
	total->frees += pages.large.frees;
	total->heap_objects = total->mallocs - total->frees;
	total->heap_loose = (u64)pages.loose << PAGE_SHIFT;
	total->heap_empty = (u64)pages.kept << PAGE_SHIFT;
	total->heap_sys = ((u64)pages.pages << KSPAN_PAGE_SHIFT) + total->heap_loose;
	total->heap_inuse = ((u64)pages.used << KSPAN_PAGE_SHIFT) + total->heap_loose;
	total->heap_idle = total->heap_sys - total->heap_inuse;
	total->heap_released = pages.released << PAGE_SHIFT;
	total->heap_holes = (u64)pages.holes << KSPAN_PAGE_SHIFT;
	total->heap_peak = (u64)pages.peak << PAGE_SHIFT;
	spans += pages.large.spans + pages.kept_large;
	total->mspan_inuse = spans * sizeof(struct kspan_span);
	total->mspan_sys += (spans + pages.spares) * sizeof(struct kspan_span);
	total->other_sys += kspan_map_bytes() + pages.arenas * sizeof(struct kspan_arena) +
			    num_possible_nodes() * sizeof(struct kspan_page_heap);
	total->sys = total->heap_sys + total->mspan_sys + total->mcache_sys + total->other_sys;
	total->alloc_local = total->mallocs -
			     min(total->mallocs, total->alloc_remote + total->alloc_fallback);
	total->arenas = pages.arenas;
	total->free_runs = pages.runs;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_stats_read);

/**
 * kspan_memory_read() - tell what kspan takes from the system
 * @memory: result; exact while nobody allocates or frees
 *
 * Context: task; sleeps.
 */
void kspan_memory_read(struct kspan_memory *memory)
{
	struct kspan_stats stats;

	kspan_stats_read(&stats);
	memory->arenas = stats.heap_sys;
	memory->spans = stats.heap_inuse;
	memory->live = stats.alloc;
	memory->cached = stats.heap_cached;
	memory->metadata = stats.sys - stats.heap_sys;
	memory->vmalloc = stats.vmalloc;
}
EXPORT_SYMBOL_GPL(kspan_memory_read);
