// SPDX-License-Identifier: GPL-2.0
/*
 * Emptying CPU caches to get memory back
 *
 * Only a CPU itself can empty its cache without disturbing kspan_malloc() and kspan_free() there.
 * So the caller marks the caches that it wants to be empty and queues a work item for each CPU that
 * has one. Nobody waits for the work items. The caller empties the caches of its own CPU by itself.
 *
 * Nothing here takes cpus_read_lock(): reclaim must not wait for CPU hotplug. If a CPU goes offline
 * after its work item was queued, the work item runs on another CPU, where it empties caches that
 * are marked there. The caches of a dead CPU are drained by hotplug.
 *
 * Context: task. Only kspan_drain_init(), kspan_drain_exit() and the work items sleep.
 */
#include <linux/workqueue.h>

#include "api/heaps.h"
#include "api/private.h"
#include "objects/cpu_caches.h"
#include "reclaim/reclaim.h"

/* Since Linux 6.17, alloc_workqueue() wants to be told that a workqueue is per CPU. */
#ifdef KSPAN_HAS_WQ_PERCPU
#define KSPAN_WQ_PERCPU	WQ_PERCPU
#else
#define KSPAN_WQ_PERCPU	0
#endif

static struct workqueue_struct *workqueue;
static struct work_struct __percpu *drain_works;

/*
 * What the visits to all heaps have in common.
 *
 *	nid	node whose CPU caches are to be emptied
 *	cpu	CPU that is looked at
 *	worked	a cache of this CPU was emptied
 *	found	a heap has objects in a cache of @cpu
 */
struct drain_visit {
	int nid;
	unsigned int cpu;
	bool worked;
	bool found;
};

static void drain_here(struct kspan_heap *heap, void *data)
{
	struct drain_visit *visit = data;

	if (!kspan_cpu_cache_holds_any(heap, raw_smp_processor_id()))
		return;
	visit->worked |= kspan_cpu_cache_drain_here(heap, visit->nid);
}

static void drain_if_wanted(struct kspan_heap *heap, void *unused)
{
	if (READ_ONCE(raw_cpu_ptr(heap->cpu)->drain))
		kspan_cpu_cache_drain_here(heap, NUMA_NO_NODE);
	else if (READ_ONCE(raw_cpu_ptr(heap->cpu)->drain_large))
		kspan_cpu_cache_drain_large_here(heap);
}

static void drain_wanted_here(struct work_struct *work)
{
	kspan_visit_heaps(drain_if_wanted, NULL);
}

/**
 * kspan_drain_want() - mark a CPU's cache, so that the next work item there empties it
 * @heap:	heap of the cache
 * @cpu:	possible CPU
 *
 * Context: any.
 */
void kspan_drain_want(struct kspan_heap *heap, unsigned int cpu)
{
	WRITE_ONCE(per_cpu_ptr(heap->cpu, cpu)->drain, true);
}

/**
 * kspan_drain_queue() - have a CPU empty those of its caches that are marked
 * @cpu: online CPU
 *
 * Context: any. The caller does not wait for it.
 */
void kspan_drain_queue(unsigned int cpu)
{
	queue_work_on(cpu, workqueue, per_cpu_ptr(drain_works, cpu));
}

static void want_drain_of_node(struct kspan_heap *heap, void *data)
{
	struct drain_visit *visit = data;

	if (READ_ONCE(per_cpu_ptr(heap->cpu, visit->cpu)->nid) != visit->nid ||
	    !kspan_cpu_cache_holds_any(heap, visit->cpu))
		return;
	kspan_drain_want(heap, visit->cpu);
	visit->found = true;
}

/*
 * The caller is in reclaim, which must not wait for cpus_read_lock(). A CPU that goes offline
 * meanwhile is drained by hotplug.
 */
static void drain_queue_other_cpus(int nid)
{
	struct drain_visit visit = { .nid = nid };
	unsigned int here = raw_smp_processor_id();

	for_each_online_cpu(visit.cpu) {
		visit.found = false;
		if (visit.cpu != here)
			kspan_try_visit_heaps(want_drain_of_node, &visit);
		if (visit.found)
			kspan_drain_queue(visit.cpu);
	}
}

/**
 * kspan_drain_node() - empty the caches that the CPUs of a node have of all heaps
 * @nid: node
 *
 * The caches of this CPU are empty on return, if it belongs to the node. The other CPUs empty
 * theirs by work items. While another task works with the list of private heaps, only those of the
 * default heap are emptied.
 *
 * Context: task; does not sleep.
 * Return: whether this CPU emptied a cache.
 */
bool kspan_drain_node(int nid)
{
	struct drain_visit visit = { .nid = nid };

	drain_queue_other_cpus(nid);
	kspan_try_visit_heaps(drain_here, &visit);
	return visit.worked;
}

/**
 * kspan_drain_init() - prepare the work items
 * Return: 0 or -ENOMEM; kspan_drain_exit() is needed then, too.
 */
int kspan_drain_init(void)
{
	unsigned int cpu;

	workqueue = alloc_workqueue("kspan_reclaim", WQ_MEM_RECLAIM | KSPAN_WQ_PERCPU, 0);
	drain_works = alloc_percpu(struct work_struct);
	if (!workqueue || !drain_works)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		INIT_WORK(per_cpu_ptr(drain_works, cpu), drain_wanted_here);
	return 0;
}

/** kspan_drain_exit() - undo kspan_drain_init(), also if it failed; waits for the work items */
void kspan_drain_exit(void)
{
	if (workqueue)
		destroy_workqueue(workqueue);
	workqueue = NULL;
	free_percpu(drain_works);
	drain_works = NULL;
}
