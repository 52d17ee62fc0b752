// SPDX-License-Identifier: GPL-2.0
/*
 * CPU caches
 *
 * Two magazines a class and CPU, as Bonwick's: whatever the pattern, at least
 * a magazine's worth of operations lies between two visits to the depot, since
 * the loaded and the previous one change places first.
 *
 *	loaded   [ o o o . . . . ]	alloc and free
 *	previous [ o o o o o o o ]	full or empty
 *
 * Every class starts with kspan_no_magazine, which is empty for allocations
 * and full for frees, so that the fast paths need no test for it; real ones
 * come from the depot.
 *
 * How much a magazine may hold follows the class's misses, as in TCMalloc's
 * per-CPU caches: it starts with some objects, and doubles each time the CPU has to
 * visit the central. All classes of a CPU share kspan_cpu_cache_bytes; when these
 * are given away, the other classes in turn lose half of theirs, and what they hold
 * beyond that goes back to its spans; at one visit no more than KSPAN_STEPS allows, the
 * rest at the next. All CPUs and heaps share a budget, from which capacity is drawn; see
 * budget.c.
 *
 * Context: task, softirq, hardirq; functions that take an entered cache run
 * with preemption off.
 */
#include "base/kunit_export.h"
#include "objects/capacity.h"
#include "objects/cpu_cache.h"

static void show_magazine(struct kspan_magazine **where, struct kspan_magazine *mag)
{
	/* Pairs with the address dependency of who looks into magazines of other CPUs. */
	smp_store_release(where, mag);
}

static void load(struct kspan_cpu_cache *cache, unsigned int class, struct kspan_magazine *mag)
{
	kspan_magazine_set_cap(mag, cache->class[class].limit);
	show_magazine(&cache->class[class].previous, cache->class[class].loaded);
	show_magazine(&cache->class[class].loaded, mag);
}

/* In place of the only magazine that the class has. */
static void reload_only(struct kspan_cpu_cache *cache, unsigned int class,
			struct kspan_magazine *mag)
{
	kspan_magazine_set_cap(mag, cache->class[class].limit);
	show_magazine(&cache->class[class].loaded, mag);
}

static void swap_magazines(struct kspan_cpu_cache *cache, unsigned int class)
{
	load(cache, class, cache->class[class].previous);
}

static void *pop_loaded(struct kspan_cpu_cache *cache, unsigned int class)
{
	struct kspan_magazine *mag = cache->class[class].loaded;

	cache->class[class].allocs++;
	return mag->slot[--mag->count];
}

/**
 * kspan_cpu_cache_finish() - kspan_cpu_cache_leave() after what may have visited the central
 * @cache:	an entered cache
 *
 * Spans that have no object any more are freed where preemption is not off for our own sake.
 */
void kspan_cpu_cache_finish(struct kspan_cpu_cache *cache)
{
	LIST_HEAD(retired);

	list_splice_init(&cache->retired, &retired);
	kspan_cpu_cache_leave(cache);
	if (!list_empty(&retired))
		kspan_central_free_retired(&retired);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_finish);

/**
 * kspan_cpu_cache_reload() - have a magazine with objects where it is empty
 * @heap:	the heap
 * @cache:	its entered cache
 * @class:	size class, not 0
 * @gfp:	with KSPAN_GFP_NOLOCK no lock is waited for
 *
 * Return: whether the loaded magazine has an object now: it is the one that was
 * loaded before, or one of the depot.
 */
bool kspan_cpu_cache_reload(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			    unsigned int class, gfp_t gfp)
{
	struct kspan_magazine *previous = cache->class[class].previous, *mag;
	struct kspan_central *central;

	if (previous->count) {
		swap_magazines(cache, class);
		return true;
	}
	central = kspan_heap_central(heap, cache->nid, class);
	mag = central ? kspan_depot_take_full(central, kspan_displaced(previous), gfp) : NULL;
	if (mag)
		load(cache, class, mag);
	return mag;
}

/**
 * kspan_cpu_cache_refill() - allocate where the loaded magazine is empty
 * @heap:	the heap
 * @cache:	its entered cache
 * @class:	size class
 * @gfp:	with KSPAN_GFP_NOLOCK no lock is waited for
 *
 * The cache is to be left by kspan_cpu_cache_finish().
 *
 * Return: an object, or NULL when the central of this node has none either.
 */
void *kspan_cpu_cache_refill(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			     unsigned int class, gfp_t gfp)
{
	struct kspan_magazine *previous = cache->class[class].previous, *mag;
	unsigned int limit, steps = KSPAN_STEPS;
	struct kspan_central *central;

	if (!class)
		return NULL;
	if (previous->count) {
		swap_magazines(cache, class);
		return pop_loaded(cache, class);
	}
	central = kspan_heap_central(heap, cache->nid, class);
	if (!central)
		return NULL;
	if (!(gfp & KSPAN_GFP_NOLOCK))
		kspan_capacity_grow(heap, cache, class, &steps);
	limit = cache->class[class].limit;
	/* One slot is enough where others have lost capacity at this visit. */
	if (limit && !kspan_capacity_stole_enough(steps))
		mag = kspan_central_load(central, kspan_displaced(previous), limit, &steps, gfp);
	else
		mag = NULL;
	if (!mag)
		return kspan_central_alloc(central, gfp);
	load(cache, class, mag);
	if (!mag->count)
		return NULL;
	cache->events[KSPAN_REFILL]++;
	return pop_loaded(cache, class);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_refill);

/* The loaded magazine of an entered cache, if it is an empty one, for objects of a node. */
static struct kspan_magazine *empty_magazine(struct kspan_cpu_cache *cache, unsigned int class,
					     int nid)
{
	struct kspan_magazine *mag = cache->class[class].loaded;

	return kspan_is_magazine(mag) && !mag->count && cache->nid == nid ? mag : NULL;
}

/**
 * kspan_cpu_cache_room() - how many objects kspan_cpu_cache_stock() has room for
 * @heap:	the heap
 * @class:	size class, not 0
 * @nid:	their node
 *
 * Context: task, softirq, hardirq.
 * Return: the number, as it was a moment ago.
 */
unsigned int kspan_cpu_cache_room(struct kspan_heap *heap, unsigned int class, int nid)
{
	struct kspan_cpu_cache *cache;
	unsigned int room = 0;

	if (!kspan_cpu_cache_enter(heap, &cache))
		return 0;
	if (empty_magazine(cache, class, nid))
		room = cache->class[class].limit;
	kspan_cpu_cache_leave(cache);
	return room;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_room);

/* Whether a magazine that holds @limit objects takes some of each span, so that none is unused. */
static bool takes_of_each(const struct list_head *spans, unsigned int limit)
{
	unsigned int slots = 0, last = 0;
	const struct kspan_span *span;

	list_for_each_entry(span, spans, list) {
		last = span->nslots;
		slots += last;
	}
	return slots - last < limit;
}

/**
 * kspan_cpu_cache_stock() - have this CPU cache the objects of new spans
 * @heap:	the heap
 * @class:	size class, not 0
 * @central:	its central, of the spans' node
 * @spans:	as for kspan_central_stock(); if the CPU has no room by now they go back
 * @object:	set to one of them, which is allocated; or NULL
 *
 * Context: task, softirq, hardirq.
 * Return: whether they did not go back.
 */
bool kspan_cpu_cache_stock(struct kspan_heap *heap, unsigned int class,
			   struct kspan_central *central, struct list_head *spans,
			   void **object)
{
	struct kspan_cpu_cache *cache;
	struct kspan_magazine *mag;
	bool taken = false;
	unsigned int limit;

	if (kspan_cpu_cache_enter(heap, &cache)) {
		limit = cache->class[class].limit;
		mag = empty_magazine(cache, class, central->nid);
		if (mag && takes_of_each(spans, limit)) {
			kspan_central_stock(central, mag, limit, spans);
			kspan_magazine_set_cap(mag, limit);
			cache->events[KSPAN_REFILL]++;
			if (object)
				*object = pop_loaded(cache, class);
			taken = true;
		}
		kspan_cpu_cache_leave(cache);
	}
	if (!taken)
		kspan_central_release(central, spans, false);
	return taken;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_stock);

static void push_loaded(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			unsigned int class, void *object)
{
	bool pushed = kspan_cpu_class_push(&cache->class[class], object);

	VM_WARN_ON_ONCE(!pushed);
	kspan_seal(object, heap->seal_at);
}

/*
 * The cap of a magazine that was emptied may be more than the limit; it won't be
 * any more when it is loaded.
 */
static bool previous_has_room(const struct kspan_cpu_cache *cache, unsigned int class)
{
	return kspan_is_magazine(cache->class[class].previous) &&
	       cache->class[class].previous->count < cache->class[class].limit;
}

static bool loaded_has_room(const struct kspan_cpu_cache *cache, unsigned int class)
{
	return cache->class[class].loaded->count < cache->class[class].loaded->cap;
}

/**
 * kspan_cpu_cache_spill() - free where the loaded magazine is full
 * @heap:	the heap
 * @cache:	its entered cache
 * @class:	size class
 * @object:	the object
 *
 * The cache is to be left by kspan_cpu_cache_finish().
 *
 * Return: whether the object was taken; not for class 0, nor when there is no
 * magazine to be had, nor when it takes a lock in an NMI.
 */
bool kspan_cpu_cache_spill(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			   unsigned int class, void *object)
{
	struct kspan_magazine *previous = cache->class[class].previous, *mag;
	unsigned int steps = KSPAN_STEPS;
	struct kspan_central *central;

	if (!class)
		return false;
	if (previous_has_room(cache, class)) {
		swap_magazines(cache, class);
		push_loaded(heap, cache, class, object);
		return true;
	}
	if (in_nmi())
		return false;
	kspan_capacity_grow(heap, cache, class, &steps);
	if (!cache->class[class].limit)
		return false;
	if (previous_has_room(cache, class)) {
		swap_magazines(cache, class);
		push_loaded(heap, cache, class, object);
		return true;
	}
	/* It has grown. */
	if (loaded_has_room(cache, class)) {
		push_loaded(heap, cache, class, object);
		return true;
	}
	/* Others have lost enough for one visit. */
	if (kspan_capacity_stole_enough(steps))
		return false;
	central = kspan_heap_central(heap, cache->nid, class);
	if (kspan_is_magazine(previous)) {
		mag = kspan_central_unload(central, previous, &steps, &cache->retired);
		load(cache, class, mag);
		cache->events[KSPAN_SPILL]++;
	} else {
		mag = kspan_depot_put_full(central, NULL, 0);
		if (mag) {
			load(cache, class, mag);
		} else if (kspan_is_magazine(cache->class[class].loaded)) {
			mag = kspan_central_unload(central, cache->class[class].loaded, &steps,
						   &cache->retired);
			reload_only(cache, class, mag);
			cache->events[KSPAN_SPILL]++;
		}
	}
	/* One that has lost capacity has room when it is down to that. */
	if (!loaded_has_room(cache, class))
		return false;
	push_loaded(heap, cache, class, object);
	return true;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_spill);
