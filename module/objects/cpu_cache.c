// SPDX-License-Identifier: GPL-2.0
/*
 * The cache of one CPU
 *
 * Each CPU has two magazines for each size class, as Bonwick's magazine layer does
 * ("Magazines and Vmem", USENIX 2001). The CPU allocates from the loaded magazine and frees
 * into it. When the loaded magazine can't serve, the two magazines change places first. So
 * at least a magazine's worth of operations lies between two visits to the depot, whatever
 * the pattern of allocations and frees.
 *
 *	loaded   [ o o o . . . . ]	serves allocations and frees
 *	previous [ o o o o o o o ]	is full or empty
 *
 * Every class starts with kspan_no_magazine in both places. It looks empty to an allocation
 * and full to a free, so the fast paths need no test for it. Real magazines come from the
 * depot of the class.
 *
 * This file has the slow paths:
 *
 *	reload	an allocation found the loaded magazine empty: use the previous one, or take a
 *		full one from the depot
 *	refill	the same, and fill a magazine from spans if need be
 *	stock	fill an empty magazine from spans that were just made
 *	spill	a free found the loaded magazine full: use the previous one, or pass a magazine
 *		on to the depot or to the spans
 *
 * Each visit to the central moves at most KSPAN_STEPS steps of work, because preemption is
 * off. How much a magazine may hold is decided in capacity.c.
 *
 * Context: task, softirq, hardirq. Functions that get an entered cache run with preemption
 * off.
 */
#include "base/kunit_export.h"
#include "base/trace.h"
#include "objects/capacity.h"
#include "objects/cpu_cache.h"

static void show_magazine(struct kspan_magazine **where, struct kspan_magazine *mag)
{
	/*
	 * Release: a CPU that reads this pointer, in magazine_holds() and kspan_cpu_cache_holds()
	 * of cpu_caches.c, follows it by an address dependency and finds the magazine's fields
	 * set.
	 */
	smp_store_release(where, mag);
}

static void load(struct kspan_cpu_cache *cache, unsigned int class, struct kspan_magazine *mag)
{
	kspan_magazine_set_cap(mag, cache->class[class].limit);
	show_magazine(&cache->class[class].previous, cache->class[class].loaded);
	show_magazine(&cache->class[class].loaded, mag);
}

/* Put a magazine in place of the only one that the class has. */
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

	cache->class[class].to_sample--;
	return mag->object[--mag->count];
}

/**
 * kspan_cpu_cache_finish() - leave a cache after a visit to the central
 * @cache:	an entered cache
 *
 * Like kspan_cpu_cache_leave(). It also frees the spans that lost their last object during
 * the visit. It does that after leaving, so that this file does not keep preemption off for
 * it.
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
 * kspan_cpu_cache_reload() - find a magazine with objects for an empty class
 * @heap:	owner of the cache
 * @cache:	an entered cache, whose loaded magazine of the class is empty
 * @class:	size class, not 0
 * @gfp:	with KSPAN_GFP_NOLOCK no lock is waited for
 *
 * The magazine is the previous one, or a full one of the depot.
 *
 * Return: whether the loaded magazine has an object now.
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
 * @heap:	owner of the cache
 * @cache:	an entered cache, which the caller leaves by kspan_cpu_cache_finish()
 * @class:	size class
 * @gfp:	with KSPAN_GFP_NOLOCK no lock is waited for
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
	/* An object was to be sampled, but could not. */
	if (cache->class[class].loaded->count)
		return pop_loaded(cache, class);
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
	/* If other classes lost capacity at this visit, few steps are left: one slot has to do. */
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
	trace_kspan_refill(heap->name, central->sc->size, cache->nid, mag->count);
	return pop_loaded(cache, class);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_refill);

/* The loaded magazine of an entered cache if it is empty and for objects of @nid, else NULL. */
static struct kspan_magazine *empty_magazine(struct kspan_cpu_cache *cache, unsigned int class,
					     int nid)
{
	struct kspan_magazine *mag = cache->class[class].loaded;

	return kspan_is_magazine(mag) && !mag->count && cache->nid == nid ? mag : NULL;
}

/**
 * kspan_cpu_cache_room() - count the objects that kspan_cpu_cache_stock() has room for
 * @heap:	owner of the cache
 * @class:	size class, not 0
 * @nid:	node of the objects
 *
 * Context: task, softirq, hardirq.
 * Return: the number of objects. It may have changed by the time the caller uses it.
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

/*
 * Whether a magazine that takes @limit objects gets some of every span. Else the last span would
 * be made for nothing.
 */
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
 * kspan_cpu_cache_stock() - put the objects of new spans into this CPU's cache
 * @heap:	owner of the cache
 * @class:	size class, not 0
 * @central: of the class and of the spans' node
 * @spans:	as for kspan_central_stock(); their pages return to the page heap if the CPU has no
 *	room any more
 * @object: if not NULL, set to one of the objects. It counts as allocated, but not towards the
 *	next sample
 *
 * Context: task, softirq, hardirq.
 * Return: true if the cache took the objects; false if the spans were given back.
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
			trace_kspan_refill(heap->name, central->sc->size, cache->nid, mag->count);
			/* A CPU that has not begun to count does so with its next object. */
			if (object) {
				*object = mag->object[--mag->count];
				if (cache->armed[class])
					cache->armed[class]++;
				else
					cache->class[class].to_sample--;
			}
			taken = true;
		}
		kspan_cpu_cache_leave(cache);
	}
	if (!taken)
		kspan_central_retire_detached(central, spans, false);
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
 * The limit counts, not the magazine's @cap: the cap of a magazine that was emptied may still be
 * above the limit. load() sets it to the limit.
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
 * @heap:	owner of the cache
 * @cache:	an entered cache, which the caller leaves by kspan_cpu_cache_finish()
 * @class:	size class
 * @object: the object to free
 *
 * Return: true if the cache took the object. False for class 0, when there is no magazine to
 * be had, when this visit has no steps left, and when an NMI would have to take a lock.
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
	/* The capacity has grown, so the loaded magazine has room now. */
	if (loaded_has_room(cache, class)) {
		push_loaded(heap, cache, class, object);
		return true;
	}
	/*
	 * Other classes returned enough objects for one visit. The caller returns the slot
	 * itself.
	 */
	if (kspan_capacity_stole_enough(steps))
		return false;
	central = kspan_heap_central(heap, cache->nid, class);
	if (kspan_is_magazine(previous)) {
		trace_kspan_spill(heap->name, central->sc->size, cache->nid, previous->count);
		mag = kspan_depot_spill(central, previous, &steps, &cache->retired);
		load(cache, class, mag);
		cache->events[KSPAN_SPILL]++;
	} else {
		mag = kspan_depot_put_full(central, NULL, 0);
		if (mag) {
			load(cache, class, mag);
		} else if (kspan_is_magazine(cache->class[class].loaded)) {
			trace_kspan_spill(heap->name, central->sc->size, cache->nid,
					  cache->class[class].loaded->count);
			mag = kspan_depot_spill(central, cache->class[class].loaded, &steps,
						&cache->retired);
			reload_only(cache, class, mag);
			cache->events[KSPAN_SPILL]++;
		}
	}
	/*
	 * A magazine of a class that lost capacity has room only when it holds less than the new
	 * limit.
	 */
	if (!loaded_has_room(cache, class))
		return false;
	push_loaded(heap, cache, class, object);
	return true;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_spill);
