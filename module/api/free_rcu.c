// SPDX-License-Identifier: GPL-2.0
/*
 * Frees after a grace period
 *
 * A CPU has two batches of objects. One collects, while the other waits for a
 * grace period; then a work item frees that one, and what was collected meanwhile
 * becomes the next to wait. So a CPU asks RCU once per grace period, however many
 * objects there are.
 *
 * Objects are noted in blocks of pointers, so that one that is given twice is
 * found out when it is freed, as any double free is. Only without memory for a
 * block they are linked by their own rcu_head, or waited for at once.
 *
 * Context: task, softirq, hardirq. The lock of a CPU's batches is a raw one and
 * is held for a few stores and a call_rcu().
 */
#include <linux/cpumask.h>
#include <linux/kspan.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

#include "api/alloc.h"
#include "api/free.h"
#include "base/kunit_export.h"

#define KSPAN_RCU_BULK		32

/* 512 bytes. */
struct rcu_block {
	struct rcu_block *next;
	unsigned int n;
	void *object[62];
};

struct rcu_batch {
	struct rcu_head *heads;
	struct rcu_block *blocks;
};

/**
 * struct kspan_rcu_cpu - objects that wait for a grace period, of one CPU
 * @lock:	protects all other fields
 * @waiting:	being waited for, if @work is under way
 * @next:	to be waited for then
 * @drained:	@waiting and @next of who does not wait for @work; drain_mutex
 * @busy:	@work is under way
 * @work:	frees @waiting
 */
struct kspan_rcu_cpu {
	raw_spinlock_t lock;
	struct rcu_batch waiting;
	struct rcu_batch next;
	struct rcu_batch drained[2];
	bool busy;
	struct rcu_work work;
};

static struct kspan_rcu_cpu __percpu *rcu_cpus;
static struct workqueue_struct *rcu_workqueue;
/* Held from when the batches of a CPU are drained until they are freed. */
static DEFINE_MUTEX(drain_mutex);

static bool is_empty(const struct rcu_batch *batch)
{
	return !batch->heads && !batch->blocks;
}

static struct rcu_batch take_batch(struct rcu_batch *batch)
{
	struct rcu_batch taken = *batch;

	*batch = (struct rcu_batch) { };
	return taken;
}

/* A grace period for what was collected, unless one is being waited for. */
static void start_locked(struct kspan_rcu_cpu *rc)
{
	if (rc->busy || is_empty(&rc->next))
		return;
	rc->busy = true;
	rc->waiting = take_batch(&rc->next);
	queue_rcu_work(rcu_workqueue, &rc->work);
}

static struct rcu_head *free_heads(struct rcu_head *head)
{
	void *objects[KSPAN_RCU_BULK];
	unsigned int n = 0;

	for (; head && n < ARRAY_SIZE(objects); head = head->next)
		objects[n++] = (void *)head->func;
	kspan_free_bulk(n, objects);
	return head;
}

static void free_batch(struct rcu_batch batch)
{
	struct rcu_block *next;

	while (batch.heads) {
		batch.heads = free_heads(batch.heads);
		cond_resched();
	}
	for (; batch.blocks; batch.blocks = next) {
		next = batch.blocks->next;
		kspan_free_bulk(batch.blocks->n, batch.blocks->object);
		kspan_free(batch.blocks);
		cond_resched();
	}
}

static void work_handler(struct work_struct *work)
{
	struct kspan_rcu_cpu *rc = container_of(to_rcu_work(work), struct kspan_rcu_cpu, work);
	struct rcu_batch done;
	unsigned long flags;

	raw_spin_lock_irqsave(&rc->lock, flags);
	done = take_batch(&rc->waiting);
	rc->busy = false;
	start_locked(rc);
	raw_spin_unlock_irqrestore(&rc->lock, flags);
	free_batch(done);
}

/*
 * Note an object in the block that is being filled, or in @spare, which becomes
 * that and is set to NULL. Any CPU's will do.
 */
static bool add_to_block(const void *p, struct rcu_block **spare)
{
	struct kspan_rcu_cpu *rc = raw_cpu_ptr(rcu_cpus);
	struct rcu_block *block;
	unsigned long flags;
	bool room;

	raw_spin_lock_irqsave(&rc->lock, flags);
	block = rc->next.blocks;
	if ((!block || block->n == ARRAY_SIZE(block->object)) && *spare) {
		(*spare)->next = block;
		(*spare)->n = 0;
		block = *spare;
		rc->next.blocks = block;
		*spare = NULL;
	}
	room = block && block->n < ARRAY_SIZE(block->object);
	if (room) {
		block->object[block->n++] = (void *)p;
		start_locked(rc);
	}
	raw_spin_unlock_irqrestore(&rc->lock, flags);
	return room;
}

/* The same, with a new block if there is none; @gfp 0 waits for nothing. */
static bool note_object(const void *p, gfp_t gfp)
{
	struct rcu_block *spare = NULL;
	bool noted;

	while (!(noted = add_to_block(p, &spare)) && !spare) {
		spare = gfp ? kspan_malloc(sizeof(*spare), gfp) :
			      kspan_malloc_nolock(sizeof(*spare));
		if (!spare)
			break;
	}
	/* Somebody else may have brought one meanwhile. */
	if (spare)
		kspan_free(spare);
	return noted;
}

static void link_head(struct rcu_head *head, void *p)
{
	struct kspan_rcu_cpu *rc = raw_cpu_ptr(rcu_cpus);
	unsigned long flags;

	head->func = (rcu_callback_t)p;
	raw_spin_lock_irqsave(&rc->lock, flags);
	head->next = rc->next.heads;
	rc->next.heads = head;
	start_locked(rc);
	raw_spin_unlock_irqrestore(&rc->lock, flags);
}

/**
 * kspan_call_free_rcu() - what kspan_free_rcu() calls
 * @head:	in the object; its contents may be lost
 * @p:		the object
 *
 * Context: task, softirq and hardirq.
 */
void kspan_call_free_rcu(struct rcu_head *head, void *p)
{
	if (!note_object(p, 0))
		link_head(head, p);
}
EXPORT_SYMBOL_GPL(kspan_call_free_rcu);

/**
 * kspan_free_rcu_mightsleep() - free an object without an rcu_head after a grace period
 * @p: as for kspan_free()
 *
 * Returns at once as a rule; without memory to remember @p in, after the grace
 * period.
 *
 * Context: task; may sleep.
 */
void kspan_free_rcu_mightsleep(const void *p)
{
	might_sleep();
	if (ZERO_OR_NULL_PTR(p))
		return;
	if (note_object(p, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN))
		return;
	synchronize_rcu();
	kspan_free(p);
}
EXPORT_SYMBOL_GPL(kspan_free_rcu_mightsleep);

/* Take all that a CPU has; whether that is anything. */
static bool take_all(struct kspan_rcu_cpu *rc)
{
	unsigned long flags;

	lockdep_assert_held(&drain_mutex);
	raw_spin_lock_irqsave(&rc->lock, flags);
	rc->drained[0] = take_batch(&rc->waiting);
	rc->drained[1] = take_batch(&rc->next);
	raw_spin_unlock_irqrestore(&rc->lock, flags);
	return !is_empty(&rc->drained[0]) || !is_empty(&rc->drained[1]);
}

/* One grace period for all, and none where nothing is pending. */
static void drain_batches(const struct cpumask *cpus)
{
	struct kspan_rcu_cpu *rc;
	unsigned int cpu;
	bool any = false;

	mutex_lock(&drain_mutex);
	for_each_cpu(cpu, cpus)
		any |= take_all(per_cpu_ptr(rcu_cpus, cpu));
	if (any)
		synchronize_rcu();
	for_each_cpu(cpu, cpus) {
		rc = per_cpu_ptr(rcu_cpus, cpu);
		free_batch(take_batch(&rc->drained[0]));
		free_batch(take_batch(&rc->drained[1]));
	}
	mutex_unlock(&drain_mutex);
}

/**
 * kspan_barrier() - wait for pending frees
 *
 * When it returns, all objects that were given to kspan_free_rcu() and
 * kspan_free_rcu_mightsleep() before the call have been freed. That takes a grace period;
 * where there are none, nothing.
 *
 * Context: task; sleeps.
 */
void kspan_barrier(void)
{
	drain_batches(cpu_possible_mask);
	/* Some may be with a work item, whose grace period is over. */
	flush_workqueue(rcu_workqueue);
}
EXPORT_SYMBOL_GPL(kspan_barrier);

/**
 * kspan_free_rcu_drain() - free what a dead CPU collected
 * @cpu: the CPU
 *
 * Context: task; sleeps for a grace period if there is something to free.
 */
void kspan_free_rcu_drain(unsigned int cpu)
{
	drain_batches(cpumask_of(cpu));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_free_rcu_drain);

/**
 * kspan_free_rcu_init() - prepare the batches of all CPUs
 * Return: 0 or -ENOMEM.
 */
int kspan_free_rcu_init(void)
{
	unsigned int cpu;

	rcu_workqueue = alloc_workqueue("kspan_rcu", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!rcu_workqueue)
		return -ENOMEM;
	rcu_cpus = alloc_percpu(struct kspan_rcu_cpu);
	if (!rcu_cpus) {
		destroy_workqueue(rcu_workqueue);
		return -ENOMEM;
	}
	for_each_possible_cpu(cpu) {
		struct kspan_rcu_cpu *rc = per_cpu_ptr(rcu_cpus, cpu);

		raw_spin_lock_init(&rc->lock);
		INIT_RCU_WORK(&rc->work, work_handler);
	}
	return 0;
}

/** kspan_free_rcu_exit() - free what waits, and take the batches down */
void kspan_free_rcu_exit(void)
{
	kspan_barrier();
	/* Work items whose objects were drained are still to come. */
	rcu_barrier();
	destroy_workqueue(rcu_workqueue);
	free_percpu(rcu_cpus);
}
