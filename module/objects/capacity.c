// SPDX-License-Identifier: GPL-2.0
/*
 * The capacity of CPU caches: how many objects a CPU's magazines may hold
 *
 * The limit of a class is the number of objects that either of its two magazines may hold.
 * Its capacity is 2 * limit * size, in bytes of objects. It follows the misses of the class,
 * as in TCMalloc's per-CPU caches:
 *
 *  - A class starts without capacity. Its first miss gives it KSPAN_FIRST_BYTES of objects per
 *    magazine, and each later visit to the central doubles the limit.
 *  - All classes of a CPU share kspan_cpu_cache_bytes. When these are given away, other
 *    classes lose half of their capacity, one after the other. Objects beyond the new limit
 *    return to their spans. One visit returns no more than KSPAN_STEPS_STEAL steps of them;
 *    the next visit continues.
 *  - All CPUs and heaps share a budget, see budget.c. A class draws its capacity from it before
 *    it may use it, and gives back what it loses. The memory of the magazines counts as well.
 *
 * Context: task, softirq, hardirq. All functions but kspan_cpu_cache_drawn() get an entered
 * cache, or the cache of a CPU that can't use it meanwhile.
 */
#include "base/kunit_export.h"
#include "objects/capacity.h"
#include "pages/hooks.h"

/*
 * The magazine of a class without capacity. It is empty and full at once, so nobody writes to it.
 */
struct kspan_magazine kspan_no_magazine;
KSPAN_EXPORT_FOR_KUNIT(kspan_no_magazine);

/* Bytes of objects of the first limit of a class; the limit is at least two objects. */
#define KSPAN_FIRST_BYTES	4096

unsigned int kspan_cpu_cache_bytes = 2 * 1024 * 1024;
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_bytes);

static unsigned int capacity_of(const struct kspan_heap *heap, unsigned int class,
				unsigned int limit)
{
	return 2 * limit * heap->classes[class].size;
}

/* Bytes that a class with this limit has drawn from the budget. Its magazines count, too. */
static unsigned long drawn_for(const struct kspan_heap *heap, unsigned int class,
			       unsigned int limit)
{
	return limit ? capacity_of(heap, class, limit) +
		       2 * kspan_magazine_sizeof(&heap->classes[class]) : 0;
}

/**
 * kspan_cpu_cache_drawn() - bytes that a CPU has drawn from the budget of its heap
 * @heap:	owner of the cache
 * @cache:	cache of any CPU
 *
 * Return: bytes, for magazines and large objects. The sum is exact while the CPU does not use
 * the cache, else close.
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

/* Most bytes of objects in the heap's magazines of one CPU; 0 for no bound. */
static unsigned int most_bytes(const struct kspan_heap *heap)
{
	return min_not_zero(READ_ONCE(kspan_cpu_cache_bytes), heap->cache_most);
}

/**
 * kspan_capacity_set() - change the limit of a class
 * @heap:	owner of the cache
 * @cache:	an entered cache, or one that no CPU uses
 * @class:	size class, not 0
 * @limit:	objects that either magazine may hold from now on
 *
 * If the limit grows, the caller has drawn the difference from the budget before. If it
 * shrinks, this function gives the difference back.
 */
void kspan_capacity_set(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			unsigned int class, unsigned int limit)
{
	unsigned int old = cache->class[class].limit;
	bool had_any = cache->capacity;

	/* The scavenger runs while a cache has capacity: it must notice when the cache rests. */
	if (!cache->capacity)
		kspan_scavenger_wake();
	WRITE_ONCE(cache->capacity, cache->capacity + capacity_of(heap, class, limit) -
				    capacity_of(heap, class, cache->class[class].limit));
	WRITE_ONCE(cache->class[class].limit, limit);
	kspan_magazine_set_cap(cache->class[class].loaded, limit);
	kspan_magazine_set_cap(cache->class[class].previous, limit);
	if (limit < old)
		kspan_budget_return(&heap->budget, drawn_for(heap, class, old) -
						 drawn_for(heap, class, limit));
	if (had_any != !!cache->capacity)
		kspan_budget_add_user(&heap->budget, had_any ? -1 : 1);
}

/**
 * kspan_capacity_return_surplus() - return the objects that a magazine has beyond a limit
 * @cache:	an entered cache, or one that no CPU uses
 * @central: of the objects
 * @mag:	a magazine of the cache
 * @limit:	objects that may stay
 * @steps:	how much work may be done; less what was used
 */
void kspan_capacity_return_surplus(struct kspan_cpu_cache *cache, struct kspan_central *central,
				   struct kspan_magazine *mag, unsigned int limit,
				   unsigned int *steps)
{
	unsigned int count = mag->count, n, done;

	if (count <= limit || !*steps)
		return;
	n = count - limit;
	/*
	 * Shorten the magazine first. Else kspan_owns() would find objects in it that others have
	 * allocated again meanwhile.
	 */
	WRITE_ONCE(mag->count, limit);
	done = kspan_central_return_some(central, mag->object + limit, n, steps, &cache->retired);
	memmove(mag->object + limit, mag->object + limit + done, (n - done) * sizeof(*mag->object));
	/* An interrupt on this CPU may read the magazine: it must find objects only. */
	barrier();
	WRITE_ONCE(mag->count, count - done);
}

/* Take half of the capacity from a class; less, if not all objects beyond it could be returned. */
static void halve(struct kspan_heap *heap, struct kspan_cpu_cache *cache, unsigned int class,
		  unsigned int *steps)
{
	struct kspan_central *central = kspan_heap_central(heap, cache->nid, class);
	struct kspan_cpu_class *of_class = &cache->class[class];
	unsigned int limit = of_class->limit / 2, held;
	unsigned int some = *steps - min(*steps, KSPAN_STEPS - KSPAN_STEPS_STEAL), rest;

	/* The limit holds for both magazines, so each gets half of the steps. */
	rest = some - some / 2;
	some /= 2;
	kspan_steps_take(steps, some + rest);
	kspan_capacity_return_surplus(cache, central, of_class->loaded, limit, &some);
	rest += some;
	kspan_capacity_return_surplus(cache, central, of_class->previous, limit, &rest);
	*steps += rest;
	held = max3(limit, of_class->loaded->count, of_class->previous->count);
	/* Even a class that holds nothing costs two lookups of its central. */
	kspan_steps_take(steps, 3);
	if (held >= of_class->limit)
		return;
	kspan_capacity_set(heap, cache, class, held);
	cache->events[KSPAN_STEAL]++;
}

/*
 * Make the cache's capacity fit into @most bytes with @bytes more for @class. Other classes lose
 * capacity if need be. Returns whether it fits.
 */
static bool capacity_make_room(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			       unsigned int class, unsigned int bytes, unsigned int most,
			       unsigned int *steps)
{
	unsigned int i;

	for (i = 1; i < heap->nr_classes && !kspan_capacity_stole_enough(*steps) &&
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
 * Draw the capacity from the budget that a class needs for a higher limit. When the budget is
 * exhausted, this CPU's large objects give up what they do not use, then other classes of this CPU
 * lose some of theirs. If they have little, other CPUs are asked to give some up.
 */
static bool draw_for(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
		     unsigned int class, unsigned int limit, unsigned int *steps)
{
	unsigned int old = cache->class[class].limit;
	unsigned int bytes = capacity_of(heap, class, limit) - capacity_of(heap, class, old);
	unsigned long more = drawn_for(heap, class, limit) - drawn_for(heap, class, old);

	if (likely(kspan_budget_try(&heap->budget, more)))
		return true;
	kspan_large_cache_return_budget(&cache->large);
	if (kspan_budget_try(&heap->budget, more))
		return true;
	kspan_budget_want(&heap->budget, held_by(cache) + bytes);
	/* What the budget lacks, the scavenger may get from caches that rest. */
	kspan_scavenger_wake();
	if (cache->capacity != capacity_of(heap, class, old))
		capacity_make_room(heap, cache, class, bytes, cache->capacity, steps);
	/* If the budget refuses again, this draw notes that. */
	return kspan_budget_draw(&heap->budget, more);
}

/**
 * kspan_capacity_feed_large() - have a CPU's classes give capacity to its large objects
 * @heap:	the default heap
 * @cache:	its entered cache, which the caller leaves by kspan_cpu_cache_finish()
 *
 * The budget refused pages that a large object needs, see struct kspan_large_cache. Classes lose
 * some, as they do to each other, while they have more than the large objects. If one call does
 * not free enough, the next free of a large object continues.
 *
 * Context: any but NMI.
 */
void kspan_capacity_feed_large(struct kspan_heap *heap, struct kspan_cpu_cache *cache)
{
	unsigned int lacks = cache->large.lacks, before = cache->capacity, steps = KSPAN_STEPS;

	cache->large.lacks = 0;
	kspan_budget_want(&heap->budget, held_by(cache));
	if (cache->capacity > cache->large.drawn << KSPAN_PAGE_SHIFT)
		capacity_make_room(heap, cache, 0, lacks << KSPAN_PAGE_SHIFT, before, &steps);
	/*
	 * Draw at once: another CPU may have the capacity by the next free. A class may have lost
	 * more than the object needs.
	 */
	kspan_large_cache_draw(&cache->large,
			       min(lacks, (before - cache->capacity) >> KSPAN_PAGE_SHIFT));
}

/**
 * kspan_capacity_grow() - raise the limit of a class that has to visit the central
 * @heap:	owner of the cache
 * @cache:	an entered cache
 * @class:	size class, not 0
 * @steps:	how much work may be done; less what was used to take capacity from others
 *
 * With more capacity the class visits the central less often. The work of a visit is bounded:
 * if other classes could not lose enough within it, the next visit continues.
 */
void kspan_capacity_grow(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			 unsigned int class, unsigned int *steps)
{
	unsigned int most = kspan_magazine_cap(&heap->classes[class]), limit;
	unsigned int old, bytes = most_bytes(heap);

	/* Another CPU lacks budget: the next class in turn loses some. */
	if (unlikely(kspan_budget_asks(&heap->budget, held_by(cache))))
		capacity_make_room(heap, cache, 0, 1, cache->capacity, steps);
	old = cache->class[class].limit;
	if (likely(old >= most))
		return;
	limit = old ? 2 * old : max(KSPAN_FIRST_BYTES / heap->classes[class].size, 2U);
	if (limit > most || !bytes)
		limit = most;
	/* A limit that can't fit at all must not cost other classes anything. */
	if (bytes && (capacity_of(heap, class, limit) > bytes ||
		      !capacity_make_room(heap, cache, class,
					  capacity_of(heap, class, limit) -
					  capacity_of(heap, class, old),
					  bytes, steps)))
		return;
	if (draw_for(heap, cache, class, limit, steps))
		kspan_capacity_set(heap, cache, class, limit);
}
