// SPDX-License-Identifier: GPL-2.0
/*
 * What the CPU caches of a heap hold, as other CPUs see it
 *
 * A look at the cache of another CPU races with that CPU by intent. It reads single words, and
 * its result is a hint or a statistic. Magazines are freed by RCU, so a look under
 * rcu_read_lock() never reads freed memory.
 *
 * Context: any, NMI included.
 */
#include <linux/rcupdate.h>

#include "base/kunit_export.h"
#include "objects/cpu_caches.h"

static bool magazine_holds(const struct kspan_magazine *mag, const void *object)
{
	unsigned int count = min_t(unsigned int, kspan_glance(mag->count), kspan_glance(mag->cap));
	unsigned int i;

	for (i = 0; i < count; i++)
		if (kspan_glance(mag->object[i]) == object)
			return true;
	return false;
}

/**
 * kspan_cpu_caches_find() - which CPU caches an object
 * @heap:	owner of the caches
 * @class:	size class of the object
 * @object: address
 *
 * Return: a CPU that has it in a magazine; nr_cpu_ids for none. The answer may be outdated while
 * others allocate and free objects of the class.
 */
unsigned int kspan_cpu_caches_find(struct kspan_heap *heap, unsigned int class,
				   const void *object)
{
	unsigned int cpu;
	bool found;

	for_each_possible_cpu(cpu) {
		struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);

		/* Retired magazines stay readable under RCU. */
		rcu_read_lock();
		found = magazine_holds(READ_ONCE(cache->class[class].loaded), object) ||
			magazine_holds(READ_ONCE(cache->class[class].previous), object);
		rcu_read_unlock();
		if (found)
			return cpu;
	}
	return nr_cpu_ids;
}

/**
 * kspan_cpu_cache_holds() - count the objects in the magazines of a CPU
 * @cache:	cache of any CPU
 * @class:	size class
 *
 * Return: the number; close, but not exact, while the CPU uses the cache.
 */
unsigned int kspan_cpu_cache_holds(const struct kspan_cpu_cache *cache, unsigned int class)
{
	unsigned int count;

	/* Retired magazines stay readable under RCU. */
	rcu_read_lock();
	count = kspan_glance(READ_ONCE(cache->class[class].loaded)->count) +
		kspan_glance(READ_ONCE(cache->class[class].previous)->count);
	rcu_read_unlock();
	return count;
}

/**
 * kspan_cpu_cache_holds_any() - whether a cache has something to drain
 * @heap:	owner of the cache
 * @cpu:	any CPU
 *
 * Return: whether it had something at the time of the look.
 */
bool kspan_cpu_cache_holds_any(const struct kspan_heap *heap, unsigned int cpu)
{
	const struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);
	unsigned int class;

	/* What it has drawn for large objects, others lack even if it keeps none now. */
	if (kspan_glance(cache->tiny.block) || READ_ONCE(cache->large.drawn) ||
	    READ_ONCE(cache->capacity))
		return true;
	for (class = 1; class < heap->nr_classes; class++)
		if (kspan_is_magazine(READ_ONCE(cache->class[class].loaded)))
			return true;
	return false;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_holds_any);

/*
 * A number that changes when the cache is used. Two uses that give the same number are
 * possible, but most unlikely.
 */
static u64 use_of(const struct kspan_heap *heap, const struct kspan_cpu_cache *cache)
{
	u64 use = kspan_glance(cache->events[KSPAN_LARGE_ALLOC]) + READ_ONCE(cache->large.pages) +
		  kspan_glance(cache->events[KSPAN_TINY_ALLOC]) +
		  kspan_glance(cache->events[KSPAN_TINY_FREE]);
	unsigned int class;

	for (class = 1; class < heap->nr_classes; class++)
		use = use * 31 + kspan_glance(cache->class[class].to_sample) +
		      kspan_cpu_cache_holds(cache, class);
	return use;
}

/**
 * kspan_cpu_cache_rests() - whether a CPU has not used its cache since the last call
 * @heap:	owner of the cache
 * @cpu:	any CPU
 *
 * Only the scavenger may call it, because the cache remembers one earlier look, in @seen.
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

/**
 * kspan_cpu_cache_large_rests() - whether a CPU keeps large objects that it does not use
 * @cache:	cache of any CPU
 *
 * Only the scavenger may call it, because the cache remembers one earlier look, in @large_seen.
 *
 * Return: whether the CPU may keep some, and no request got one since the last call.
 */
bool kspan_cpu_cache_large_rests(struct kspan_cpu_cache *cache)
{
	u64 before = cache->large_seen;

	cache->large_seen = kspan_glance(cache->events[KSPAN_LARGE_ALLOC]);
	return READ_ONCE(cache->large.drawn) && cache->large_seen == before;
}

/**
 * kspan_cpu_cache_allocs() - count the objects that a CPU handed out
 * @cache:	cache of any CPU
 * @class:	size class
 *
 * Context: task.
 * Return: how many it were since the heap was made.
 */
u64 kspan_cpu_cache_allocs(const struct kspan_cpu_cache *cache, unsigned int class)
{
	u32 arming;
	u64 allocs;

	do {
		/* Pairs with the release in set_to_sample() of sampled.c. */
		arming = smp_load_acquire(&cache->arming);
		allocs = kspan_glance(cache->armed[class]) -
			 kspan_glance(cache->class[class].to_sample);
		/* Pairs with the smp_wmb() there. */
		smp_rmb();
	} while (arming & 1 || READ_ONCE(cache->arming) != arming);
	return allocs;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_allocs);

/**
 * kspan_cpu_caches_count() - statistics of a class over all CPUs
 * @heap:	owner of the caches
 * @class:	size class
 * @cached: set to the number of objects in magazines of CPUs
 * @allocs: set to the number of objects handed out since the heap was made
 *
 * Exact while nobody uses the class, close otherwise.
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
		*allocs += kspan_cpu_cache_allocs(cache, class);
	}
}

/**
 * kspan_cpu_caches_count_large() - statistics of the large objects that CPUs keep
 * @heap:	owner of the caches
 * @objects: set to the number of large objects
 * @pages:	set to their length in pages of kspan
 *
 * Exact while nobody allocates or frees large objects, close otherwise.
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
 * kspan_cpu_caches_events() - sum of an event counter over all CPUs
 * @heap:	owner of the caches
 * @event:	the counter
 * Return: how often the event happened since the heap was made.
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
