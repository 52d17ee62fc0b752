// SPDX-License-Identifier: GPL-2.0
/*
 * Flushing the CPUs' caches for memory
 *
 * A CPU's cache is emptied by the CPU itself: a work item for each of the others.
 */
#include <linux/workqueue.h>

#include "api/private.h"
#include "reclaim/flush.h"

/* Has to be said since Linux 6.17. */
#ifdef KSPAN_HAS_WQ_PERCPU
#define KSPAN_WQ_PERCPU	WQ_PERCPU
#else
#define KSPAN_WQ_PERCPU	0
#endif

static struct workqueue_struct *workqueue;
static struct work_struct __percpu *flush_works;

struct flush_visit {
	int nid;
	unsigned int cpu;
	bool worked;
	bool found;
};

static void flush_here(struct kspan_heap *heap, void *data)
{
	struct flush_visit *visit = data;

	if (!kspan_cpu_cache_holds_any(heap, raw_smp_processor_id()))
		return;
	visit->worked |= kspan_cpu_cache_flush_here(heap, visit->nid);
}

static void flush_if_wanted(struct kspan_heap *heap, void *unused)
{
	if (READ_ONCE(raw_cpu_ptr(heap->cpu)->flush))
		kspan_cpu_cache_flush_here(heap, NUMA_NO_NODE);
}

static void flush_wanted_here(struct work_struct *work)
{
	kspan_visit_heaps(flush_if_wanted, NULL);
}

void kspan_flush_want(struct kspan_heap *heap, unsigned int cpu)
{
	WRITE_ONCE(per_cpu_ptr(heap->cpu, cpu)->flush, true);
}

void kspan_flush_queue(unsigned int cpu)
{
	queue_work_on(cpu, workqueue, per_cpu_ptr(flush_works, cpu));
}

static void want_flush_of_node(struct kspan_heap *heap, void *data)
{
	struct flush_visit *visit = data;

	if (READ_ONCE(per_cpu_ptr(heap->cpu, visit->cpu)->nid) != visit->nid ||
	    !kspan_cpu_cache_holds_any(heap, visit->cpu))
		return;
	kspan_flush_want(heap, visit->cpu);
	visit->found = true;
}

/* Not under cpus_read_lock(), for which reclaim must not wait. */
static void flush_queue_other_cpus(int nid)
{
	struct flush_visit visit = { .nid = nid };
	unsigned int here = raw_smp_processor_id();

	for_each_online_cpu(visit.cpu) {
		visit.found = false;
		if (visit.cpu != here)
			kspan_try_visit_heaps(want_flush_of_node, &visit);
		if (visit.found)
			kspan_flush_queue(visit.cpu);
	}
}

bool kspan_flush_node(int nid)
{
	struct flush_visit visit = { .nid = nid };

	flush_queue_other_cpus(nid);
	kspan_try_visit_heaps(flush_here, &visit);
	return visit.worked;
}

int kspan_flush_init(void)
{
	unsigned int cpu;

	workqueue = alloc_workqueue("kspan_reclaim", WQ_MEM_RECLAIM | KSPAN_WQ_PERCPU, 0);
	flush_works = alloc_percpu(struct work_struct);
	if (!workqueue || !flush_works)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		INIT_WORK(per_cpu_ptr(flush_works, cpu), flush_wanted_here);
	return 0;
}

void kspan_flush_exit(void)
{
	if (workqueue)
		destroy_workqueue(workqueue);
	workqueue = NULL;
	free_percpu(flush_works);
	flush_works = NULL;
}
