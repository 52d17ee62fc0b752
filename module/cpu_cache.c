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
#include <linux/cpu.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/topology.h>
#include <linux/workqueue.h>

#include "cpu_cache.h"
#include "kunit_export.h"
#include "reclaim.h"

DEFINE_STATIC_KEY_FALSE(kspan_numa);

DEFINE_PER_CPU(struct kspan_default_cpu, kspan_default_cpu);
KSPAN_EXPORT_FOR_KUNIT(kspan_default_cpu);

/* Empty and full at once, so never written to. */
struct kspan_magazine kspan_no_magazine;
KSPAN_EXPORT_FOR_KUNIT(kspan_no_magazine);

/* What a class starts with, in bytes of objects; two objects at least. */
#define KSPAN_FIRST_BYTES	4096

unsigned int kspan_cpu_cache_bytes = 2 * 1024 * 1024;
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_bytes);

static bool is_magazine(const struct kspan_magazine *mag)
{
	return mag != &kspan_no_magazine;
}

/* Objects beyond the limit, from a CPU that had more, stay until they are used. */
static void set_cap(struct kspan_magazine *mag, unsigned int limit)
{
	if (is_magazine(mag))
		WRITE_ONCE(mag->cap, max(mag->count, limit));
}

static void show(struct kspan_magazine **where, struct kspan_magazine *mag)
{
	/* Pairs with the address dependency of who looks into magazines of other CPUs. */
	smp_store_release(where, mag);
}

static void load(struct kspan_cpu_cache *cache, unsigned int class, struct kspan_magazine *mag)
{
	set_cap(mag, cache->class[class].limit);
	show(&cache->class[class].previous, cache->class[class].loaded);
	show(&cache->class[class].loaded, mag);
}

/* In place of the only magazine that the class has. */
static void reload_only(struct kspan_cpu_cache *cache, unsigned int class,
			struct kspan_magazine *mag)
{
	set_cap(mag, cache->class[class].limit);
	show(&cache->class[class].loaded, mag);
}

static void swap_magazines(struct kspan_cpu_cache *cache, unsigned int class)
{
	load(cache, class, cache->class[class].previous);
}

/* The magazine that a new one pushes out, or NULL when there is room for it. */
static struct kspan_magazine *displaced(struct kspan_magazine *mag)
{
	return is_magazine(mag) ? mag : NULL;
}

static void *pop_loaded(struct kspan_cpu_cache *cache, unsigned int class)
{
	struct kspan_magazine *mag = cache->class[class].loaded;

	cache->class[class].allocs++;
	return mag->slot[--mag->count];
}

static unsigned int capacity_of(const struct kspan_heap *heap, unsigned int class,
				unsigned int limit)
{
	return 2 * limit * heap->classes[class].size;
}

/* What is drawn from the budget for that: the magazines themselves count. */
static unsigned long drawn_for(const struct kspan_heap *heap, unsigned int class,
			       unsigned int limit)
{
	return limit ? capacity_of(heap, class, limit) +
		       2 * kspan_magazine_sizeof(&heap->classes[class]) : 0;
}

/**
 * kspan_cpu_cache_drawn() - what a CPU has drawn from the budget of its heap
 * @heap:	the heap
 * @cache:	its cache
 * Return: bytes, for magazines and large objects; close if the CPU is at work.
 */
unsigned long kspan_cpu_cache_drawn(const struct kspan_heap *heap,
				    const struct kspan_cpu_cache *cache)
{
	unsigned long sum = (unsigned long)READ_ONCE(cache->large.drawn) << KSPAN_PAGE_SHIFT;
	unsigned int class;

	for (class = 1; class < heap->nr_classes; class++)
		sum += drawn_for(heap, class, READ_ONCE(cache->class[class].limit));
	return sum;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_drawn);

/* Bytes that the heap's magazines of a CPU may hold, 0 for no limit. */
static unsigned int most_bytes(const struct kspan_heap *heap)
{
	return min_not_zero(READ_ONCE(kspan_cpu_cache_bytes), heap->cache_most);
}

/* More than before was drawn by the caller; less goes back. */
static void set_limit(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
		      unsigned int class, unsigned int limit)
{
	unsigned int old = cache->class[class].limit;
	bool had_any = cache->capacity;

	/* The scavenger is to see when nobody uses it any more. */
	if (!cache->capacity)
		kspan_scavenger_wake();
	WRITE_ONCE(cache->capacity, cache->capacity + capacity_of(heap, class, limit) -
				    capacity_of(heap, class, cache->class[class].limit));
	WRITE_ONCE(cache->class[class].limit, limit);
	set_cap(cache->class[class].loaded, limit);
	set_cap(cache->class[class].previous, limit);
	if (limit < old)
		kspan_budget_give(&heap->budget, drawn_for(heap, class, old) -
						 drawn_for(heap, class, limit));
	if (had_any != !!cache->capacity)
		kspan_budget_add_user(&heap->budget, had_any ? -1 : 1);
}

/* Return objects beyond @limit, as far as the steps go. */
static void return_surplus(struct kspan_cpu_cache *cache, struct kspan_central *central,
			   struct kspan_magazine *mag, unsigned int limit, unsigned int *steps)
{
	unsigned int count = mag->count, n, done;

	if (count <= limit || !*steps)
		return;
	n = count - limit;
	/* First, or kspan_owns() would find there what others allocate anew. */
	WRITE_ONCE(mag->count, limit);
	done = kspan_central_give_some(central, mag->slot + limit, n, steps, &cache->retired);
	memmove(mag->slot + limit, mag->slot + limit + done, (n - done) * sizeof(*mag->slot));
	/* An interrupt that looks through the magazine sees objects only. */
	barrier();
	WRITE_ONCE(mag->count, count - done);
}

/* For what others lose: the visit has more to do. */
#define KSPAN_STEPS_STEAL	(KSPAN_STEPS / 4)

static bool has_stolen_enough(unsigned int steps)
{
	return steps <= KSPAN_STEPS - KSPAN_STEPS_STEAL;
}

/* Half of the capacity, or as much less as could be returned now. */
static void halve(struct kspan_heap *heap, struct kspan_cpu_cache *cache, unsigned int class,
		  unsigned int *steps)
{
	struct kspan_central *central = kspan_heap_central(heap, cache->nid, class);
	struct kspan_cpu_class *of_class = &cache->class[class];
	unsigned int limit = of_class->limit / 2, held;
	unsigned int some = *steps - min(*steps, KSPAN_STEPS - KSPAN_STEPS_STEAL), rest;

	/* The limit is that of both, so both are to have less. */
	rest = some - some / 2;
	some /= 2;
	kspan_steps_take(steps, some + rest);
	return_surplus(cache, central, of_class->loaded, limit, &some);
	rest += some;
	return_surplus(cache, central, of_class->previous, limit, &rest);
	*steps += rest;
	held = max3(limit, of_class->loaded->count, of_class->previous->count);
	/* Even one that holds nothing takes two looks at the central. */
	kspan_steps_take(steps, 3);
	if (held >= of_class->limit)
		return;
	set_limit(heap, cache, class, held);
	cache->events[KSPAN_STEAL]++;
}

/*
 * Whether there is capacity for so many bytes more, of @most, if need be from other
 * classes.
 */
static bool make_room(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
		      unsigned int class, unsigned int bytes, unsigned int most,
		      unsigned int *steps)
{
	unsigned int i;

	for (i = 1; i < heap->nr_classes && !has_stolen_enough(*steps) &&
	     cache->capacity + bytes > most; i++) {
		cache->victim = cache->victim % (heap->nr_classes - 1) + 1;
		if (cache->victim == class || !cache->class[cache->victim].limit)
			continue;
		halve(heap, cache, cache->victim, steps);
	}
	return cache->capacity + bytes <= most;
}

/* Bytes of objects that a CPU may hold, large ones included. */
static unsigned long held_by(const struct kspan_cpu_cache *cache)
{
	return cache->capacity + ((unsigned long)cache->large.drawn << KSPAN_PAGE_SHIFT);
}

/*
 * Draw what a class is to have more. Where the budget has no more, other classes of this
 * CPU lose some of theirs; if they have little, other CPUs are asked to.
 */
static bool draw_for(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
		     unsigned int class, unsigned int limit, unsigned int *steps)
{
	unsigned int old = cache->class[class].limit;
	unsigned int bytes = capacity_of(heap, class, limit) - capacity_of(heap, class, old);
	unsigned long more = drawn_for(heap, class, limit) - drawn_for(heap, class, old);

	if (likely(kspan_budget_try(&heap->budget, more)))
		return true;
	kspan_budget_want(&heap->budget, held_by(cache) + bytes);
	kspan_large_cache_yield(&cache->large);
	if (kspan_budget_try(&heap->budget, more))
		return true;
	/* What the budget does not have, the scavenger may get from those that rest. */
	kspan_scavenger_wake();
	if (cache->capacity == capacity_of(heap, class, old))
		return false;
	make_room(heap, cache, class, bytes, cache->capacity, steps);
	return kspan_budget_draw(&heap->budget, more);
}

/**
 * kspan_cpu_cache_feed_large() - have a CPU's classes give capacity to its large objects
 * @heap:	the default heap
 * @cache:	its entered cache, which kspan_cpu_cache_finish() has to leave
 *
 * The budget refused pages that a large object needs, see struct kspan_large_cache. Classes
 * lose some, as they do to each other, while they have more than the large objects. What one
 * call gets may be too little: the next free of a large object goes on.
 *
 * Context: any but NMI.
 */
void kspan_cpu_cache_feed_large(struct kspan_heap *heap, struct kspan_cpu_cache *cache)
{
	unsigned int bytes = cache->large.lacks << KSPAN_PAGE_SHIFT, steps = KSPAN_STEPS;
	unsigned int before = cache->capacity;

	cache->large.lacks = 0;
	kspan_budget_want(&heap->budget, held_by(cache));
	if (cache->capacity > cache->large.drawn << KSPAN_PAGE_SHIFT)
		make_room(heap, cache, 0, bytes, before, &steps);
	/* At once, or another CPU may have them by the next free. */
	kspan_large_cache_draw(&cache->large, (before - cache->capacity) >> KSPAN_PAGE_SHIFT);
}

/*
 * The class has to visit the central: with more capacity it will less often. What others
 * lose for that is bounded; if it is not enough, the next visit goes on.
 */
static void grow(struct kspan_heap *heap, struct kspan_cpu_cache *cache, unsigned int class,
		 unsigned int *steps)
{
	unsigned int most = kspan_magazine_cap(&heap->classes[class]), limit;
	unsigned int old, bytes = most_bytes(heap);

	/* The next of the other classes, for another CPU. */
	if (unlikely(kspan_budget_asks(&heap->budget, held_by(cache))))
		make_room(heap, cache, 0, 1, cache->capacity, steps);
	old = cache->class[class].limit;
	if (likely(old >= most))
		return;
	limit = old ? 2 * old : max(KSPAN_FIRST_BYTES / heap->classes[class].size, 2U);
	if (limit > most || !bytes)
		limit = most;
	/* What never fits must not take from others for that. */
	if (bytes && (capacity_of(heap, class, limit) > bytes ||
		      !make_room(heap, cache, class,
				 capacity_of(heap, class, limit) - capacity_of(heap, class, old),
				 bytes, steps)))
		return;
	if (draw_for(heap, cache, class, limit, steps))
		set_limit(heap, cache, class, limit);
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
	mag = central ? kspan_depot_take_full(central, displaced(previous), gfp) : NULL;
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
		grow(heap, cache, class, &steps);
	limit = cache->class[class].limit;
	/* One slot is enough where others have lost capacity at this visit. */
	if (limit && !has_stolen_enough(steps))
		mag = kspan_central_load(central, displaced(previous), limit, &steps, gfp);
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

	return is_magazine(mag) && !mag->count && cache->nid == nid ? mag : NULL;
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
			set_cap(mag, limit);
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
	return is_magazine(cache->class[class].previous) &&
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
	grow(heap, cache, class, &steps);
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
	if (has_stolen_enough(steps))
		return false;
	central = kspan_heap_central(heap, cache->nid, class);
	if (is_magazine(previous)) {
		mag = kspan_central_unload(central, previous, &steps, &cache->retired);
		load(cache, class, mag);
		cache->events[KSPAN_SPILL]++;
	} else {
		mag = kspan_depot_put_full(central, NULL, 0);
		if (mag) {
			load(cache, class, mag);
		} else if (is_magazine(cache->class[class].loaded)) {
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

/* What a cache had of a class. */
struct drained {
	struct kspan_central *central;
	struct kspan_magazine *mag[2];
};

static void take_out(struct kspan_magazine **where, struct kspan_magazine **mag)
{
	*mag = displaced(*where);
	WRITE_ONCE(*where, &kspan_no_magazine);
}

/* The cache is without the class then; what it had is still to be retired. */
static struct drained drain_class(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
				  unsigned int class)
{
	struct drained drained = { .central = kspan_heap_central(heap, cache->nid, class) };

	take_out(&cache->class[class].loaded, &drained.mag[0]);
	take_out(&cache->class[class].previous, &drained.mag[1]);
	if (cache->class[class].limit)
		set_limit(heap, cache, class, 0);
	return drained;
}

static void retire(const struct drained *drained)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(drained->mag); i++)
		if (drained->mag[i])
			kspan_depot_retire(drained->central, drained->mag[i]);
}

static void drain_classless(struct kspan_cpu_cache *cache)
{
	cache->own_bytes = 0;
	kspan_tiny_close(&cache->tiny);
	kspan_large_cache_drain(&cache->large);
}

static void drain(struct kspan_heap *heap, struct kspan_cpu_cache *cache)
{
	struct drained drained;
	unsigned int class;

	drain_classless(cache);
	for (class = 1; class < heap->nr_classes; class++) {
		drained = drain_class(heap, cache, class);
		retire(&drained);
	}
}

/**
 * kspan_cpu_cache_drain() - return all that the cache of an idle CPU holds
 * @heap:	the heap
 * @cpu:	a CPU that is dead, or where nobody can be using the heap
 */
void kspan_cpu_cache_drain(struct kspan_heap *heap, unsigned int cpu)
{
	drain(heap, per_cpu_ptr(heap->cpu, cpu));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_drain);

/* Return some objects of a class, if there are @any; returns whether there are more. */
static bool empty_some(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
		       unsigned int class, bool *any)
{
	struct kspan_central *central = kspan_heap_central(heap, cache->nid, class);
	struct kspan_cpu_class *of_class = &cache->class[class];
	unsigned int steps = KSPAN_STEPS;

	if (!of_class->loaded->count && !of_class->previous->count)
		return false;
	*any = true;
	return_surplus(cache, central, of_class->loaded, 0, &steps);
	return_surplus(cache, central, of_class->previous, 0, &steps);
	return !steps;
}

/**
 * kspan_cpu_cache_empty() - return the objects that this CPU's cache holds
 * @heap: the heap
 *
 * Preemption is off for some steps at a time.
 *
 * Context: task, softirq, hardirq.
 * Return: whether any went; not where the interrupted code is at work with the cache.
 */
bool kspan_cpu_cache_empty(struct kspan_heap *heap)
{
	struct kspan_cpu_cache *cache;
	unsigned int class, tries;
	bool more, any = false;

	for (class = 1; class < heap->nr_classes; class++) {
		tries = 2 * KSPAN_MAGAZINE_MAX;
		do {
			if (!kspan_cpu_cache_enter(heap, &cache))
				return any;
			more = empty_some(heap, cache, class, &any);
			kspan_cpu_cache_finish(cache);
			/* Others may go on to fill it. */
		} while (more && --tries);
	}
	return any;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_empty);

/**
 * kspan_cpu_cache_flush_here() - return all that the cache of this CPU holds
 * @heap:	the heap
 * @nid:	only if it holds objects of that node; NUMA_NO_NODE for any
 *
 * Preemption is off while the magazines of a class are taken out of the cache. Whoever
 * moves to another CPU meanwhile goes on there.
 *
 * Context: task.
 * Return: whether it was flushed, that is of that node.
 */
bool kspan_cpu_cache_flush_here(struct kspan_heap *heap, int nid)
{
	struct kspan_cpu_cache *cache;
	struct drained drained;
	unsigned int class;

	for (class = 1; class < heap->nr_classes; class++) {
		/* What an interrupt does under the mark is over before a task runs. */
		if (WARN_ON_ONCE(!kspan_cpu_cache_enter(heap, &cache)))
			return false;
		if (nid != NUMA_NO_NODE && cache->nid != nid) {
			kspan_cpu_cache_leave(cache);
			return false;
		}
		WRITE_ONCE(cache->flush, false);
		drained = drain_class(heap, cache, class);
		/* A typed cache knows a span of its only class there. */
		if (class == heap->nr_classes - 1)
			drain_classless(cache);
		kspan_cpu_cache_leave(cache);
		retire(&drained);
		cond_resched();
	}
	return true;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_flush_here);

static long flush_this_cpu(void *heap)
{
	kspan_cpu_cache_flush_here(heap, NUMA_NO_NODE);
	return 0;
}

/**
 * kspan_cpu_cache_holds_any() - whether there is something to flush
 * @heap:	the heap
 * @cpu:	any CPU
 * Return: whether there was a moment ago.
 */
bool kspan_cpu_cache_holds_any(const struct kspan_heap *heap, unsigned int cpu)
{
	const struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);
	unsigned int class;

	if (kspan_glance(cache->tiny.block) || READ_ONCE(cache->large.count) ||
	    READ_ONCE(cache->capacity))
		return true;
	for (class = 1; class < heap->nr_classes; class++)
		if (is_magazine(READ_ONCE(cache->class[class].loaded)))
			return true;
	return false;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_holds_any);

/**
 * kspan_cpu_cache_large_rests() - whether a CPU keeps large objects that it does not use
 * @cache:	the cache of any CPU
 *
 * For the scavenger alone, which remembers what it saw.
 *
 * Return: whether some are kept, and none was allocated since the last call.
 */
bool kspan_cpu_cache_large_rests(struct kspan_cpu_cache *cache)
{
	u64 before = cache->large_seen;

	cache->large_seen = kspan_glance(cache->events[KSPAN_LARGE_ALLOC]);
	return READ_ONCE(cache->large.drawn) && cache->large_seen == before;
}

/** kspan_cpu_cache_drain_large_here() - free the large objects that this CPU keeps */
void kspan_cpu_cache_drain_large_here(struct kspan_heap *heap)
{
	struct kspan_cpu_cache *cache;

	/* What an interrupt does under the mark is over before a task runs. */
	if (WARN_ON_ONCE(!kspan_cpu_cache_enter(heap, &cache)))
		return;
	kspan_large_cache_drain(&cache->large);
	WRITE_ONCE(cache->flush_large, false);
	kspan_cpu_cache_leave(cache);
}

/* A number that is another one whenever the cache was used, as good as always. */
static u64 use_of(const struct kspan_heap *heap, const struct kspan_cpu_cache *cache)
{
	u64 use = kspan_glance(cache->events[KSPAN_LARGE_ALLOC]) + READ_ONCE(cache->large.pages) +
		  kspan_glance(cache->events[KSPAN_TINY_ALLOC]) +
		  kspan_glance(cache->events[KSPAN_TINY_FREE]);
	unsigned int class;

	for (class = 1; class < heap->nr_classes; class++)
		use = use * 31 + kspan_glance(cache->class[class].allocs) +
		      kspan_cpu_cache_holds(cache, class);
	return use;
}

/**
 * kspan_cpu_cache_rests() - whether a CPU has not used its cache for a while
 * @heap:	the heap
 * @cpu:	any CPU
 *
 * For the scavenger alone, which remembers what it saw.
 *
 * Return: whether the cache holds something, and was not used since the last call.
 */
bool kspan_cpu_cache_rests(struct kspan_heap *heap, unsigned int cpu)
{
	struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);
	u64 before = cache->seen;

	if (!kspan_cpu_cache_holds_any(heap, cpu))
		return false;
	cache->seen = use_of(heap, cache);
	return cache->seen == before;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_rests);

/** kspan_cpu_caches_flush_locked() - kspan_cpu_caches_flush() within cpus_read_lock() */
void kspan_cpu_caches_flush_locked(struct kspan_heap *heap)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (kspan_cpu_cache_holds_any(heap, cpu))
			work_on_cpu(cpu, flush_this_cpu, heap);
}

/**
 * kspan_cpu_caches_flush() - return all that the caches of a live heap hold
 * @heap: the heap
 *
 * Context: task; sleeps.
 */
void kspan_cpu_caches_flush(struct kspan_heap *heap)
{
	cpus_read_lock();
	kspan_cpu_caches_flush_locked(heap);
	cpus_read_unlock();
}

/* The node with memory that is nearest to a CPU. */
static int home_node(unsigned int cpu)
{
	int here = cpu_to_node(cpu), nearest = NUMA_NO_NODE, nid;

	if (here == NUMA_NO_NODE)
		here = first_memory_node;
	for_each_node_state(nid, N_MEMORY)
		if (nearest == NUMA_NO_NODE ||
		    node_distance(here, nid) < node_distance(here, nearest))
			nearest = nid;
	return nearest;
}

/**
 * kspan_cpu_cache_prepare() - prepare the cache of a CPU that comes online
 * @heap:	the heap
 * @cpu:	the CPU, which may be on another node than when it was last seen;
 *		its cache is empty
 */
void kspan_cpu_cache_prepare(struct kspan_heap *heap, unsigned int cpu)
{
	struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);

	cache->nid = home_node(cpu);
	INIT_LIST_HEAD(&cache->retired);
	cache->classes = kspan_map_classes(cache->nid);
	cache->secret = kspan_secret + cache->classes.base;
}

/**
 * kspan_cpu_caches_learn() - have the caches know memory that came online
 * @heap: the heap
 *
 * Until then they take its objects for those of another node. No CPU comes online meanwhile.
 */
void kspan_cpu_caches_learn(struct kspan_heap *heap)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);
		struct kspan_class_map classes = kspan_map_classes(cache->nid);

		/* The bounds were there before, or say that there is nothing. */
		WRITE_ONCE(cache->classes.sector, classes.sector);
		/* Pairs with the dependent load of the sector, once there are pages. */
		smp_store_release(&cache->classes.nr_pages, classes.nr_pages);
	}
}

/**
 * kspan_cpu_cache_sizeof() - memory that the cache of a CPU takes
 * @nr_classes: the heap's
 * Return: bytes, without the magazines.
 */
size_t kspan_cpu_cache_sizeof(unsigned int nr_classes)
{
	const struct kspan_cpu_cache *cache = NULL;

	return struct_size(cache, class, nr_classes + 1);
}

static void set_default_cache(unsigned int cpu, struct kspan_cpu_cache *cache)
{
	/* sparse has lost the address space of what was declared in a header. */
	struct kspan_default_cpu __percpu *all =
		(struct kspan_default_cpu __percpu __force *)&kspan_default_cpu;

	per_cpu_ptr(all, cpu)->cache = cache;
}

/**
 * kspan_cpu_caches_init() - make empty caches for all possible CPUs
 * @heap: the heap
 * Return: 0 or -ENOMEM.
 */
int kspan_cpu_caches_init(struct kspan_heap *heap)
{
	unsigned int cpu, class;

	heap->cpu = __alloc_percpu(kspan_cpu_cache_sizeof(heap->nr_classes),
				   __alignof__(struct kspan_cpu_cache));
	if (!heap->cpu)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);

		if (heap == &kspan_default_heap)
			set_default_cache(cpu, cache);
		kspan_cpu_cache_prepare(heap, cpu);
		for (class = 0; class <= heap->nr_classes; class++) {
			cache->class[class].loaded = &kspan_no_magazine;
			cache->class[class].previous = &kspan_no_magazine;
			if (class && class < heap->nr_classes)
				cache->class[class].magic = heap->classes[class].magic;
		}
	}
	if (num_possible_nodes() > 1)
		static_branch_enable(&kspan_numa);
	return 0;
}

static void drop_magazine(struct kspan_magazine *mag)
{
	if (is_magazine(mag))
		kfree(mag);
}

/**
 * kspan_cpu_caches_drop() - free the caches, whatever they hold
 * @heap: the heap, which nobody knows any more, and whose spans have gone; may lack
 *	  caches
 */
void kspan_cpu_caches_drop(struct kspan_heap *heap)
{
	unsigned int cpu, class;

	if (!heap->cpu)
		return;
	for_each_possible_cpu(cpu) {
		struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);

		for (class = 1; class < heap->nr_classes; class++) {
			drop_magazine(cache->class[class].loaded);
			drop_magazine(cache->class[class].previous);
		}
	}
	kspan_budget_drop(&heap->budget);
	free_percpu(heap->cpu);
	heap->cpu = NULL;
}

/**
 * kspan_cpu_caches_exit() - drain and free the caches
 * @heap: the heap, which nobody uses any more; may lack caches
 */
void kspan_cpu_caches_exit(struct kspan_heap *heap)
{
	unsigned int cpu;

	if (!heap->cpu)
		return;
	for_each_possible_cpu(cpu)
		kspan_cpu_cache_drain(heap, cpu);
	free_percpu(heap->cpu);
	heap->cpu = NULL;
}

static bool magazine_holds(const struct kspan_magazine *mag, const void *object)
{
	unsigned int count = min_t(unsigned int, kspan_glance(mag->count), kspan_glance(mag->cap));
	unsigned int i;

	for (i = 0; i < count; i++)
		if (kspan_glance(mag->slot[i]) == object)
			return true;
	return false;
}

/**
 * kspan_cpu_caches_hold() - whether an object is cached by some CPU
 * @heap:	the heap
 * @class:	size class of the object
 * @object:	address
 *
 * Return: whether it is; while others allocate and free objects of the class,
 * the answer may be outdated.
 */
bool kspan_cpu_caches_hold(struct kspan_heap *heap, unsigned int class, const void *object)
{
	unsigned int cpu;
	bool found = false;

	for_each_possible_cpu(cpu) {
		struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);

		/* Keeps retired magazines readable. */
		rcu_read_lock();
		found |= magazine_holds(READ_ONCE(cache->class[class].loaded), object) ||
			 magazine_holds(READ_ONCE(cache->class[class].previous), object);
		rcu_read_unlock();
	}
	return found;
}

/**
 * kspan_cpu_cache_holds() - objects in the magazines of a CPU
 * @cache:	the cache, of any CPU
 * @class:	size class
 * Return: how many there are, about, if the CPU is at work.
 */
unsigned int kspan_cpu_cache_holds(const struct kspan_cpu_cache *cache, unsigned int class)
{
	unsigned int count;

	/* Keeps retired magazines readable. */
	rcu_read_lock();
	count = kspan_glance(READ_ONCE(cache->class[class].loaded)->count) +
		kspan_glance(READ_ONCE(cache->class[class].previous)->count);
	rcu_read_unlock();
	return count;
}

/**
 * kspan_cpu_caches_count() - statistics of a class over all CPUs
 * @heap:	the heap
 * @class:	size class
 * @cached:	set to the objects in magazines of CPUs
 * @allocs:	set to the objects handed out since load
 *
 * Exact when nobody uses the class, close otherwise.
 */
void kspan_cpu_caches_count(struct kspan_heap *heap, unsigned int class,
			    unsigned long *cached, u64 *allocs)
{
	unsigned int cpu;

	*cached = 0;
	*allocs = 0;
	for_each_possible_cpu(cpu) {
		struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);

		*cached += kspan_cpu_cache_holds(cache, class);
		*allocs += kspan_glance(cache->class[class].allocs);
	}
}

/**
 * kspan_cpu_caches_count_large() - large objects that CPUs have kept
 * @heap:	the heap
 * @objects:	set to how many
 * @pages:	set to their pages
 *
 * Exact when nobody uses large objects, close otherwise.
 */
void kspan_cpu_caches_count_large(struct kspan_heap *heap, unsigned long *objects,
				  unsigned long *pages)
{
	unsigned int cpu;

	*objects = 0;
	*pages = 0;
	for_each_possible_cpu(cpu) {
		struct kspan_large_cache *large = &per_cpu_ptr(heap->cpu, cpu)->large;

		*objects += READ_ONCE(large->count);
		*pages += READ_ONCE(large->pages);
	}
}

/**
 * kspan_cpu_caches_events() - sum of a counter over all CPUs
 * @heap:	the heap
 * @event:	what is counted
 * Return: how often it happened since load.
 */
u64 kspan_cpu_caches_events(struct kspan_heap *heap, enum kspan_event event)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		sum += kspan_glance(per_cpu_ptr(heap->cpu, cpu)->events[event]);
	return sum;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_caches_events);
