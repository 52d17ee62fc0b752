// SPDX-License-Identifier: GPL-2.0
/*
 * what=remote and what=parallel: several CPUs at once.
 *
 *	remote		one CPU allocates, another one frees, with a ring between them
 *	parallel	all CPUs allocate and free objects of one size, PIECE at a time
 *
 * kspan and SLUB take turns, because the speed of an emulated CPU changes from one second to the
 * next. The median and the quartiles of the ratios of turns are printed. Costs are nanoseconds of
 * all CPUs together per object.
 */
#include "bench.h"

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sort.h>

static unsigned int turns = 15;
module_param(turns, uint, 0444);
MODULE_PARM_DESC(turns, "of each allocator in remote and parallel, at least 10 (default 15)");

#define MAX_TURNS	100
/* Objects of each CPU in a turn. */
#define TURN		100000
#define RING		1024

/* Objects on their way. A place is NULL once consume() has taken its object. */
static void *ring[RING];

static struct {
	const struct allocator *a;
	size_t size;
	atomic_t failed;
	atomic_t waiting;
	atomic_t running;
	unsigned int nr_threads;
	struct completion done;
} turn;

struct worker {
	void (*work)(void);
	struct task_struct *task;
};

static void produce(void)
{
	unsigned int i;

	for (i = 0; i < TURN; i++) {
		void *p = turn.a->alloc(turn.size, GFP_KERNEL);

		if (!p) {
			atomic_inc(&turn.failed);
			p = ZERO_SIZE_PTR;
		}
		while (READ_ONCE(ring[i % RING]))
			cond_resched();
		/*
		 * Pairs with smp_load_acquire() in consume(): the object is complete before it is
		 * seen.
		 */
		smp_store_release(&ring[i % RING], p);
	}
}

static void consume(void)
{
	unsigned int i;
	void *p;

	for (i = 0; i < TURN; i++) {
		/* Pairs with smp_store_release() in produce(). */
		while (!(p = smp_load_acquire(&ring[i % RING])))
			cond_resched();
		WRITE_ONCE(ring[i % RING], NULL);
		turn.a->free(p);
	}
}

static void alloc_and_free(void)
{
	void *mine[PIECE];
	unsigned int i, j;

	for (i = 0; i < TURN; i += PIECE) {
		for (j = 0; j < PIECE; j++)
			mine[j] = turn.a->alloc(turn.size, GFP_KERNEL);
		for (j = 0; j < PIECE; j++)
			turn.a->free(mine[j]);
		cond_resched();
	}
}

/* All threads begin when the last one has arrived. */
static int run_worker(void *data)
{
	struct worker *worker = data;

	atomic_dec(&turn.waiting);
	while (atomic_read(&turn.waiting))
		cond_resched();
	worker->work();
	if (atomic_dec_and_test(&turn.running))
		complete(&turn.done);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Nanoseconds of a turn; 0 if the threads could not be made. */
static u64 run_turn(const struct allocator *a, size_t size, struct worker *workers,
		    unsigned int nr_workers)
{
	unsigned int cpu, made = 0;
	u64 start;

	turn.a = a;
	turn.size = size;
	atomic_set(&turn.waiting, nr_workers);
	atomic_set(&turn.running, nr_workers);
	init_completion(&turn.done);
	for_each_online_cpu(cpu) {
		struct task_struct *task;

		if (made == nr_workers)
			break;
		task = kthread_create(run_worker, &workers[made], "kspan_bench/%u", cpu);
		if (IS_ERR(task))
			break;
		kthread_bind(task, cpu);
		workers[made++].task = task;
	}
	if (made < nr_workers) {
		while (made--)
			kthread_stop(workers[made].task);
		return 0;
	}
	start = ktime_get_ns();
	while (made--)
		wake_up_process(workers[made].task);
	wait_for_completion(&turn.done);
	start = ktime_get_ns() - start;
	for (made = 0; made < nr_workers; made++)
		kthread_stop(workers[made].task);
	return max_t(u64, start, 1);
}

static int compare_numbers(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static u64 costs[2][MAX_TURNS], ratios[MAX_TURNS];

/* The first turn fills the caches, and does not count. */
static int take_turns(const char *name, size_t size, struct worker *workers,
		      unsigned int nr_workers, u64 nr_objects)
{
	static const struct allocator * const both[] = { &kspan, &slub };
	int i, j;

	atomic_set(&turn.failed, 0);
	for (i = -1; i < (int)turns; i++) {
		for (j = 0; j < 2; j++) {
			/* Each allocator is the first one every second time. */
			int which = (i ^ j) & 1;
			u64 ns = run_turn(both[which], size, workers, nr_workers);

			if (!ns) {
				pr_err("%s: no memory for %u threads\n", name, nr_workers);
				return -ENOMEM;
			}
			if (i >= 0)
				costs[which][i] = div64_u64(ns * 100, nr_objects);
		}
		if (i >= 0)
			ratios[i] = div64_u64(costs[0][i] * 100, max_t(u64, costs[1][i], 1));
	}
	if (atomic_read(&turn.failed))
		pr_err("%s: %d allocations failed\n", name, atomic_read(&turn.failed));
	sort(costs[0], turns, sizeof(u64), compare_numbers, NULL);
	sort(costs[1], turns, sizeof(u64), compare_numbers, NULL);
	sort(ratios, turns, sizeof(u64), compare_numbers, NULL);
	pr_info("pattern=%s size=%zu n=%u kspan=%s slub=%s ratio=%s peer=kmalloc q1=%s q3=%s turns=%u\n",
		name, size, nr_workers, number_of(costs[0][turns / 2]).text,
		number_of(costs[1][turns / 2]).text, number_of(ratios[turns / 2]).text,
		number_of(ratios[turns / 4]).text, number_of(ratios[turns * 3 / 4]).text, turns);
	return 0;
}

static int check(unsigned int least)
{
	if (turns < 10 || turns > MAX_TURNS) {
		pr_err("turns=%u: must be 10 to %u\n", turns, MAX_TURNS);
		return -EINVAL;
	}
	if (num_online_cpus() < least) {
		pr_err("there are %u CPUs online, and this takes %u\n", num_online_cpus(), least);
		return -EINVAL;
	}
	return 0;
}

static const unsigned int usual_sizes[] = { 64, 1024, 4096 };

int run_remote(void)
{
	const unsigned int *size = nr_sizes ? sizes : usual_sizes;
	unsigned int i, to_size = nr_sizes ?: ARRAY_SIZE(usual_sizes);
	struct worker workers[2] = { { produce }, { consume } };
	int err = check(2);

	for (i = 0; !err && i < to_size; i++)
		err = take_turns("remote", size[i], workers, 2, TURN);
	return err;
}

int run_parallel(void)
{
	const unsigned int *size = nr_sizes ? sizes : usual_sizes;
	unsigned int i, n, to_size = nr_sizes ?: ARRAY_SIZE(usual_sizes);
	struct worker workers[8];
	int err = check(1);

	for (i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i].work = alloc_and_free;
	for (i = 0; !err && i < to_size; i++)
		for (n = 1; !err && n <= min(num_online_cpus(), 8U); n *= 2)
			err = take_turns("parallel", size[i], workers, n, (u64)n * TURN);
	return err;
}
