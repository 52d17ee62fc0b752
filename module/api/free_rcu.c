// SPDX-License-Identifier: GPL-2.0
/*
 * Frees after an RCU grace period
 *
 * A CPU has two batches of objects. One batch collects objects while the other waits for a
 * grace period. After the grace period a work item frees the batch that waited, and the batch
 * that collected starts to wait. So a CPU asks RCU for one grace period at a time, however many
 * objects there are.
 *
 * Objects are noted in blocks of pointers. An object that is given twice is therefore found
 * when it is freed, as any double free is. Where there is no memory for a block, the object is
 * linked by its own rcu_head, or its grace period is waited for at once.
 *
 * Context: task, softirq and hardirq. The lock of a CPU's batches is a raw spinlock, held with
 * interrupts off for a few stores and a call_rcu().
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

/* A block has 512 bytes. */
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
 * struct kspan_rcu_cpu - the objects of one CPU that wait for a grace period
 * @lock:	protects @waiting, @next and @busy
 * @waiting:	the batch that @work frees; empty if @work is not queued
 * @next:	the batch that collects objects
 * @drained:	what drain_batches() took of @waiting and @next; drain_mutex
 * @busy:	@work is queued or runs
 * @work:	frees @waiting after a grace period
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
/* Held from the time when batches are drained until their objects are freed. */
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

/* Start a grace period for the objects collected so far, unless another one is under way. */
static void start_locked(struct kspan_rcu_cpu *rc)
{
	lockdep_assert_held(&rc->lock);
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
 * Note an object in the newest block of a CPU's batch. If that is full, add @spare, which is
 * set to NULL then. Returns whether there was room. The CPU may be any: the task may move after
 * the choice.
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

/*
 * Note an object, in a new block if need be. With @gfp 0 the block comes from
 * kspan_malloc_nolock().
 */
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
	/* Another task or an interrupt has added a block meanwhile. */
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
 * kspan_call_free_rcu() - free an object after an RCU grace period
 * @head:	the rcu_head in the object; it may be overwritten
 * @p:		the object
 *
 * Call kspan_free_rcu() instead.
 *
 * Context: as kspan_free_rcu().
 */
void kspan_call_free_rcu(struct rcu_head *head, void *p)
{
	if (!note_object(p, 0))
		link_head(head, p);
}
EXPORT_SYMBOL_GPL(kspan_call_free_rcu);

/**
 * kspan_free_rcu_mightsleep() - free an object that has no rcu_head after a grace period
 * @p:		as for kspan_free()
 *
 * Like kfree_rcu_mightsleep(). As a rule it returns at once. Only if there is no memory to note
 * @p in, it waits for the grace period itself.
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

/* Take both batches of a CPU. Returns whether they had any object. */
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

/*
 * Free the batches of some CPUs after one grace period; without a grace period if all are
 * empty.
 */
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
 * kspan_barrier() - wait for all frees that wait for a grace period
 *
 * When this function returns, all objects that were given to kspan_free_rcu() and
 * kspan_free_rcu_mightsleep() before the call have been freed. A caller that resets or destroys
 * a heap calls it first if objects of the heap may be among them.
 *
 * Context: task; sleeps for a grace period, if there are such objects.
 */
void kspan_barrier(void)
{
	drain_batches(cpu_possible_mask);
	/* A work item may have taken objects before, whose grace period is over: wait for it. */
	flush_workqueue(rcu_workqueue);
}
EXPORT_SYMBOL_GPL(kspan_barrier);

/**
 * kspan_free_rcu_drain() - free the objects that a CPU collected before it went offline
 * @cpu:	the CPU, which is offline
 *
 * Context: task; sleeps for a grace period if there is an object.
 */
void kspan_free_rcu_drain(unsigned int cpu)
{
	drain_batches(cpumask_of(cpu));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_free_rcu_drain);

/**
 * kspan_free_rcu_init() - prepare the batches of all CPUs
 *
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

/* Free the objects that wait, then the batches. */
void kspan_free_rcu_exit(void)
{
	kspan_barrier();
	/* Wait for work items that are still queued though their objects were drained. */
	rcu_barrier();
	destroy_workqueue(rcu_workqueue);
	free_percpu(rcu_cpus);
}
