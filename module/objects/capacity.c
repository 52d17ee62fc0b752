// SPDX-License-Identifier: GPL-2.0
/*
 * Capacity of CPU caches
 *
 * TODO
 */
#include "base/kunit_export.h"
#include "objects/capacity.h"
#include "pages/hooks.h"

/* Empty and full at once, so never written to. */
struct kspan_magazine kspan_no_magazine;
KSPAN_EXPORT_FOR_KUNIT(kspan_no_magazine);

/* What a class starts with, in bytes of objects; two objects at least. */
#define KSPAN_FIRST_BYTES	4096

unsigned int kspan_cpu_cache_bytes = 2 * 1024 * 1024;
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_bytes);

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
void kspan_capacity_set(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
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
	kspan_magazine_set_cap(cache->class[class].loaded, limit);
	kspan_magazine_set_cap(cache->class[class].previous, limit);
	if (limit < old)
		kspan_budget_give(&heap->budget, drawn_for(heap, class, old) -
						 drawn_for(heap, class, limit));
	if (had_any != !!cache->capacity)
		kspan_budget_add_user(&heap->budget, had_any ? -1 : 1);
}

/* Return objects beyond @limit, as far as the steps go. */
void kspan_capacity_return_surplus(struct kspan_cpu_cache *cache, struct kspan_central *central,
				   struct kspan_magazine *mag, unsigned int limit,
				   unsigned int *steps)
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
	kspan_capacity_return_surplus(cache, central, of_class->loaded, limit, &some);
	rest += some;
	kspan_capacity_return_surplus(cache, central, of_class->previous, limit, &rest);
	*steps += rest;
	held = max3(limit, of_class->loaded->count, of_class->previous->count);
	/* Even one that holds nothing takes two looks at the central. */
	kspan_steps_take(steps, 3);
	if (held >= of_class->limit)
		return;
	kspan_capacity_set(heap, cache, class, held);
	cache->events[KSPAN_STEAL]++;
}

/*
 * Whether there is capacity for so many bytes more, of @most, if need be from other
 * classes.
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

	if (likely(kspan_budget_draw(&heap->budget, more)))
		return true;
	kspan_budget_want(&heap->budget, cache->capacity + bytes);
	/* What the budget does not have, the scavenger may get from those that rest. */
	kspan_scavenger_wake();
	if (cache->capacity == capacity_of(heap, class, old))
		return false;
	capacity_make_room(heap, cache, class, bytes, cache->capacity, steps);
	return kspan_budget_draw(&heap->budget, more);
}

/**
 * kspan_cpu_cache_yield() - have classes of a CPU need less of the budget
 * @heap:	the heap
 * @cache:	its entered cache; kspan_cpu_cache_finish() is to leave it
 * @bytes:	that something else of this CPU could use; if they are not enough the next call
 *		goes on
 */
void kspan_cpu_cache_yield(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			   unsigned int bytes)
{
	unsigned int steps = KSPAN_STEPS;

	capacity_make_room(heap, cache, 0, bytes, cache->capacity, &steps);
}

/*
 * The class has to visit the central: with more capacity it will less often. What others
 * lose for that is bounded; if it is not enough, the next visit goes on.
 */
void kspan_capacity_grow(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			 unsigned int class, unsigned int *steps)
{
	unsigned int most = kspan_magazine_cap(&heap->classes[class]), limit;
	unsigned int old, bytes = most_bytes(heap);

	/* The next of the other classes, for another CPU. */
	if (unlikely(kspan_budget_asks(&heap->budget, cache->capacity)))
		capacity_make_room(heap, cache, 0, 1, cache->capacity, steps);
	old = cache->class[class].limit;
	if (likely(old >= most))
		return;
	limit = old ? 2 * old : max(KSPAN_FIRST_BYTES / heap->classes[class].size, 2U);
	if (limit > most || !bytes)
		limit = most;
	/* What never fits must not take from others for that. */
	if (bytes && (capacity_of(heap, class, limit) > bytes ||
		      !capacity_make_room(heap, cache, class,
					  capacity_of(heap, class, limit) -
					  capacity_of(heap, class, old),
					  bytes, steps)))
		return;
	if (draw_for(heap, cache, class, limit, steps))
		kspan_capacity_set(heap, cache, class, limit);
}
