// SPDX-License-Identifier: GPL-2.0
/*
 * The CPU caches of a heap: one per possible CPU
 *
 *	init, exit, drop	make the caches, and free them
 *	prepare, learn		CPUs and memory that come online
 *	drain			return all that the cache of a CPU holds, from any CPU, while no
 *				CPU uses that cache
 *	drain_here, and		have the CPUs return all that their caches hold, while they go on
 *	drain of all caches	using them
 *	return_objects		return the objects in this CPU's magazines, in small portions
 *
 * Context: as each function says; task where it says nothing.
 */
#include <linux/cpu.h>
#include <linux/nodemask.h>
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

/* The magazines of a class that were taken out of a cache. */
struct drained {
	struct kspan_central *central;
	struct kspan_magazine *mag[2];
};

static void take_out(struct kspan_magazine **where, struct kspan_magazine **mag)
{
	*mag = kspan_displaced(*where);
	WRITE_ONCE(*where, &kspan_no_magazine);
}

/* Take the magazines of a class out of a cache. The caller passes them on to return_drained(). */
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

static void return_drained(const struct drained *drained)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(drained->mag); i++)
		if (drained->mag[i])
			kspan_depot_return_magazine(drained->central, drained->mag[i]);
}

static void drain_classless(struct kspan_cpu_cache *cache)
{
	cache->own_bytes = 0;
	kspan_tiny_close(&cache->tiny);
	kspan_large_cache_drain(&cache->large);
	WRITE_ONCE(cache->drain_large, false);
}

static void drain_cache(struct kspan_heap *heap, struct kspan_cpu_cache *cache)
{
	struct drained drained;
	unsigned int class;

	drain_classless(cache);
	for (class = 1; class < heap->nr_classes; class++) {
		drained = drain_class(heap, cache, class);
		return_drained(&drained);
	}
}

/**
 * kspan_cpu_cache_drain() - return all that the cache of an idle CPU holds
 * @heap:	owner of the cache
 * @cpu:	a CPU that is dead, or on which nobody can use the heap
 */
void kspan_cpu_cache_drain(struct kspan_heap *heap, unsigned int cpu)
{
	drain_cache(heap, per_cpu_ptr(heap->cpu, cpu));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_drain);

/*
 * Return some objects of a class, as many as KSPAN_STEPS allows. Sets @any if the class had
 * objects. Returns whether it may have more.
 */
static bool return_some_of_class(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
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
 * kspan_cpu_cache_return_objects() - return the objects in this CPU's magazines to their spans
 * @heap:	owner of the cache
 *
 * Preemption is off for KSPAN_STEPS steps at a time.
 *
 * Context: task, softirq, hardirq.
 * Return: whether any objects were returned. If the interrupted code works with the cache,
 * nothing is done from there on.
 */
bool kspan_cpu_cache_return_objects(struct kspan_heap *heap)
{
	struct kspan_cpu_cache *cache;
	unsigned int class, tries;
	bool more, any = false;

	for (class = 1; class < heap->nr_classes; class++) {
		tries = 2 * KSPAN_MAGAZINE_MAX;
		do {
			if (!kspan_cpu_cache_enter(heap, &cache))
				return any;
			more = return_some_of_class(heap, cache, class, &any);
			kspan_cpu_cache_finish(cache);
			/*
			 * Others may refill the magazine between two portions, so the tries are
			 * bounded.
			 */
		} while (more && --tries);
	}
	return any;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_return_objects);

/**
 * kspan_cpu_cache_drain_here() - return all that the cache of this CPU holds
 * @heap:	owner of the cache
 * @nid:	drain only a cache that holds objects of this node; NUMA_NO_NODE for any
 *
 * Preemption is off only while the magazines of one class are taken out of the cache. A task
 * that moves to another CPU meanwhile continues with the cache of that CPU.
 *
 * Context: task.
 * Return: whether the cache was drained, that is, held objects of @nid.
 */
bool kspan_cpu_cache_drain_here(struct kspan_heap *heap, int nid)
{
	struct kspan_cpu_cache *cache;
	struct drained drained;
	unsigned int class;

	for (class = 1; class < heap->nr_classes; class++) {
		/*
		 * A task never finds the mark set: an interrupt that set it has finished before
		 * the task runs.
		 */
		if (WARN_ON_ONCE(!kspan_cpu_cache_enter(heap, &cache)))
			return false;
		if (nid != NUMA_NO_NODE && cache->nid != nid) {
			kspan_cpu_cache_leave(cache);
			return false;
		}
		WRITE_ONCE(cache->drain, false);
		drained = drain_class(heap, cache, class);
		/* A typed cache has one class, so this also forgets the span that it remembers. */
		if (class == heap->nr_classes - 1)
			drain_classless(cache);
		kspan_cpu_cache_leave(cache);
		return_drained(&drained);
		cond_resched();
	}
	return true;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_cpu_cache_drain_here);

/**
 * kspan_cpu_cache_drain_large_here() - free the large objects that this CPU keeps
 * @heap:	owner of the cache
 *
 * Context: task.
 */
void kspan_cpu_cache_drain_large_here(struct kspan_heap *heap)
{
	struct kspan_cpu_cache *cache;

	/* A task never finds the mark set; see kspan_cpu_cache_drain_here(). */
	if (WARN_ON_ONCE(!kspan_cpu_cache_enter(heap, &cache)))
		return;
	kspan_large_cache_drain(&cache->large);
	WRITE_ONCE(cache->drain_large, false);
	kspan_cpu_cache_leave(cache);
}

static long drain_cpu_cache(void *heap)
{
	kspan_cpu_cache_drain_here(heap, NUMA_NO_NODE);
	return 0;
}

/**
 * kspan_cpu_caches_drain_locked() - kspan_cpu_caches_drain() for a caller with cpus_read_lock()
 * @heap:	owner of the caches
 */
void kspan_cpu_caches_drain_locked(struct kspan_heap *heap)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (kspan_cpu_cache_holds_any(heap, cpu))
			work_on_cpu(cpu, drain_cpu_cache, heap);
}

/**
 * kspan_cpu_caches_drain() - return all that the caches of a live heap hold
 * @heap:	owner of the caches; CPUs may go on using it
 *
 * Context: task; sleeps.
 */
void kspan_cpu_caches_drain(struct kspan_heap *heap)
{
	cpus_read_lock();
	kspan_cpu_caches_drain_locked(heap);
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
 * @heap:	owner of the cache
 * @cpu:	the CPU. It may be on another node than when it was last online. Its cache is empty.
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
 * kspan_cpu_caches_learn() - tell the caches of memory that came online
 * @heap:	owner of the caches
 *
 * Until then the caches treat objects in that memory as objects of another node. The caller
 * has cpus_read_lock(), so that no CPU comes online meanwhile.
 */
void kspan_cpu_caches_learn(struct kspan_heap *heap)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct kspan_cpu_cache *cache = per_cpu_ptr(heap->cpu, cpu);
		struct kspan_class_map classes = kspan_map_classes(cache->nid);

		/*
		 * Here @nr_pages still is 0, so that no CPU reads @sector, or all this is set
		 * already.
		 */
		WRITE_ONCE(cache->classes.sector, classes.sector);
		/*
		 * Release: pairs with kspan_class_map_get() in pages/map.h, which reads @sector
		 * only for a page below @nr_pages.
		 */
		smp_store_release(&cache->classes.nr_pages, classes.nr_pages);
	}
}

/**
 * kspan_cpu_cache_sizeof() - memory that the cache of one CPU takes
 * @nr_classes: number of classes of the heap, class 0 included
 * Return: bytes, without the magazines. Behind the struct lies its array @armed.
 */
size_t kspan_cpu_cache_sizeof(unsigned int nr_classes)
{
	const struct kspan_cpu_cache *cache = NULL;

	return struct_size(cache, class, nr_classes + 1) + (nr_classes + 1) * sizeof(*cache->armed);
}

static void set_default_cache(unsigned int cpu, struct kspan_cpu_cache *cache)
{
	/* sparse loses the address space of a per-CPU variable that was declared in a header. */
	struct kspan_default_cpu __percpu *all =
		(struct kspan_default_cpu __percpu __force *)&kspan_default_cpu;

	per_cpu_ptr(all, cpu)->cache = cache;
}

/**
 * kspan_cpu_caches_init() - make empty caches for all possible CPUs
 * @heap:	owner of the caches; its classes are set
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
		cache->armed = (u64 *)&cache->class[heap->nr_classes + 1];
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
 * kspan_cpu_caches_drop() - free the caches with all that they hold
 * @heap:	owner of the caches, which may have none. Nobody can reach it any more, and its
 *		spans are gone, so the objects in the magazines are forgotten.
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
 * @heap:	owner of the caches, which may have none; nobody uses it any more
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
