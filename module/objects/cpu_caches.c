// SPDX-License-Identifier: GPL-2.0
/*
 * The CPU caches of a heap
 *
 * TODO
 */
#include <linux/cpu.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/topology.h>
#include <linux/workqueue.h>

#include "base/kunit_export.h"
#include "objects/capacity.h"
#include "objects/cpu_caches.h"

DEFINE_STATIC_KEY_FALSE(kspan_numa);

DEFINE_PER_CPU(struct kspan_default_cpu, kspan_default_cpu);
KSPAN_EXPORT_FOR_KUNIT(kspan_default_cpu);
struct kspan_heap kspan_default_heap;
KSPAN_EXPORT_FOR_KUNIT(kspan_default_heap);

/* What a cache had of a class. */
struct drained {
	struct kspan_central *central;
	struct kspan_magazine *mag[2];
};

static void take_out(struct kspan_magazine **where, struct kspan_magazine **mag)
{
	*mag = kspan_displaced(*where);
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
		kspan_capacity_set(heap, cache, class, 0);
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

static void drain_cache(struct kspan_heap *heap, struct kspan_cpu_cache *cache)
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
	drain_cache(heap, per_cpu_ptr(heap->cpu, cpu));
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
	kspan_capacity_return_surplus(cache, central, of_class->loaded, 0, &steps);
	kspan_capacity_return_surplus(cache, central, of_class->previous, 0, &steps);
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

static long flush_cpu_cache(void *heap)
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
		if (kspan_is_magazine(READ_ONCE(cache->class[class].loaded)))
			return true;
	return false;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_holds_any);

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
			work_on_cpu(cpu, flush_cpu_cache, heap);
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
	if (kspan_is_magazine(mag))
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
