// SPDX-License-Identifier: GPL-2.0
/*
 * All users: a thread for each kind of request that a task can make, and on each CPU a timer,
 * which is a softirq, and a hardirq that the timer raises. One more thread trims kspan.
 */
#define pr_fmt(fmt) "kspan-pressure: " fmt

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched/clock.h>
#include <linux/seq_file.h>
#include <linux/timer.h>

#include "../../kunit/kspan_kunit.h"
#include "api/private.h"
#include "pressure.h"

#define THREAD_OPERATIONS	32
#define CACHE_SIZE	1000
/* Most objects of a burst. */
#define BURST		256
/* Interrupts pause for this many times as long as they took. */
#define REST		4

static struct kspan_heap *heap;
static struct kspan_cache *cache;

static void *by_malloc(size_t size, gfp_t gfp)
{
	return kspan_malloc(size, gfp);
}

static void *by_heap(size_t size, gfp_t gfp)
{
	return kspan_heap_malloc(heap, size, gfp);
}

static void *by_cache(size_t size, gfp_t gfp)
{
	return kspan_cache_alloc(cache, gfp);
}

#define MAY_FAIL	(__GFP_NORETRY | __GFP_NOWARN)

/* Kinds of requests of tasks. Only the first kind may call the OOM killer. */
static const struct pressure_kind task_kinds[] = {
	{ "kernel", by_malloc, GFP_KERNEL | __GFP_NOWARN, SZ_256K, 0 },
	{ "noretry", by_malloc, GFP_KERNEL | MAY_FAIL, SZ_256K, 5 },
	{ "nofs", by_malloc, GFP_NOFS | MAY_FAIL, SZ_128K, 2 },
	{ "noio", by_malloc, GFP_NOIO | MAY_FAIL, SZ_32K, 2 },
	{ "nowait", by_malloc, GFP_NOWAIT | __GFP_NOWARN, SZ_64K, 3 },
	{ "heap", by_heap, GFP_KERNEL | MAY_FAIL, SZ_128K, 3 },
	{ "cache", by_cache, GFP_KERNEL | MAY_FAIL, CACHE_SIZE, 1 },
};

static const struct pressure_kind softirq_kind = {
	"softirq", by_malloc, GFP_ATOMIC | __GFP_NOWARN, SZ_64K, 0
};

static const struct pressure_kind hardirq_kind = {
	"hardirq", by_malloc, GFP_ATOMIC | __GFP_NOWARN, SZ_16K, 0
};

/**
 * struct pressure_cpu - the interrupts of a CPU
 * @softirq:	user that @timer runs
 * @hardirq:	user that @work runs
 * @timer:	queues @work, too
 * @work:	an irq_work
 */
struct pressure_cpu {
	struct pressure_user softirq;
	struct pressure_user hardirq;
	struct timer_list timer;
	struct irq_work work;
};

static struct pressure_user *tasks;
static struct task_struct *trimmer;
static struct pressure_cpu *cpus;
static bool running;

/**
 * pressure_current_is_inside() - whether the running task is in a call of kspan
 *
 * Context: any.
 * Return: true if it is one of the users, and allocates.
 */
bool pressure_current_is_inside(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(task_kinds); i++)
		if (READ_ONCE(tasks[i].task) == current)
			return READ_ONCE(tasks[i].inside);
	return false;
}

static int thread(void *data)
{
	struct pressure_user *user = data;
	unsigned int i;

	while (!kthread_should_stop()) {
		for (i = 0; i < THREAD_OPERATIONS; i++) {
			pressure_operate(user);
			cond_resched();
		}
		/* Let other tasks run, too. */
		usleep_range(500, 1500);
	}
	pressure_free_all(user);
	return 0;
}

static int trim_thread(void *unused)
{
	while (!kthread_should_stop()) {
		schedule_timeout_interruptible(HZ / 4);
		kspan_trim();
	}
	return 0;
}

/* Free the objects of the last burst, and allocate a new one. */
static void burst(struct pressure_user *user)
{
	unsigned int i, n = 1 + pressure_below(user, BURST);

	for (i = 0; i < BURST; i++)
		pressure_free(user, i);
	for (i = 0; i < n; i++)
		pressure_alloc(user, i, pressure_size(user));
}

static void timer_handler(struct timer_list *timer)
{
	struct pressure_cpu *c = container_of(timer, struct pressure_cpu, timer);
	u64 start = local_clock();

	burst(&c->softirq);
	irq_work_queue(&c->work);
	/* On a slow machine, too, interrupts must leave time for tasks. */
	mod_timer(timer, jiffies + 1 + HZ / 50 + nsecs_to_jiffies(REST * (local_clock() - start)));
}

static void work_handler(struct irq_work *work)
{
	burst(&container_of(work, struct pressure_cpu, work)->hardirq);
}

static void destroy_heaps(void)
{
	kspan_heap_destroy(heap);
	kspan_cache_destroy(cache);
	heap = NULL;
	cache = NULL;
}

/**
 * pressure_users_init() - prepare all users
 *
 * Return: 0 or -ENOMEM.
 */
int pressure_users_init(void)
{
	unsigned int i, cpu, id = 0;

	heap = kspan_heap_create("pressure", 0, 0);
	cache = kspan_cache_create("pressure", CACHE_SIZE, 0, 0, NULL);
	tasks = kvcalloc(ARRAY_SIZE(task_kinds), sizeof(*tasks), GFP_KERNEL);
	cpus = kvcalloc(nr_cpu_ids, sizeof(*cpus), GFP_KERNEL);
	if (!heap || !cache || !tasks || !cpus) {
		pressure_users_exit();
		return -ENOMEM;
	}
	for (i = 0; i < ARRAY_SIZE(task_kinds); i++)
		pressure_user_init(&tasks[i], &task_kinds[i], id++);
	for_each_possible_cpu(cpu) {
		pressure_user_init(&cpus[cpu].softirq, &softirq_kind, id++);
		pressure_user_init(&cpus[cpu].hardirq, &hardirq_kind, id++);
		timer_setup(&cpus[cpu].timer, timer_handler, TIMER_PINNED);
		init_irq_work(&cpus[cpu].work, work_handler);
	}
	return 0;
}

/**
 * pressure_users_exit() - undo pressure_users_init(); no user may have an object
 */
void pressure_users_exit(void)
{
	destroy_heaps();
	kvfree(tasks);
	kvfree(cpus);
}

/**
 * pressure_users_start() - start all users
 *
 * Return: 0 or an error; -EBUSY when they run already.
 */
int pressure_users_start(void)
{
	struct task_struct *task;
	unsigned int i, cpu;

	if (running)
		return -EBUSY;
	running = true;
	task = kthread_run(trim_thread, NULL, "kspan_trim");
	if (IS_ERR(task)) {
		pressure_users_stop();
		return PTR_ERR(task);
	}
	trimmer = task;
	for (i = 0; i < ARRAY_SIZE(task_kinds); i++) {
		task = kthread_create(thread, &tasks[i], "kspan_%s", task_kinds[i].name);
		if (IS_ERR(task)) {
			pressure_users_stop();
			return PTR_ERR(task);
		}
		WRITE_ONCE(tasks[i].task, get_task_struct(task));
		wake_up_process(task);
	}
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		cpus[cpu].timer.expires = jiffies + 1;
		add_timer_on(&cpus[cpu].timer, cpu);
	}
	cpus_read_unlock();
	return 0;
}

static void stop_interrupts(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		timer_delete_sync(&cpus[cpu].timer);
		irq_work_sync(&cpus[cpu].work);
		pressure_free_all(&cpus[cpu].softirq);
		pressure_free_all(&cpus[cpu].hardirq);
	}
}

/**
 * pressure_users_stop() - stop all users, and free their objects
 */
void pressure_users_stop(void)
{
	unsigned int i;

	if (!running)
		return;
	for (i = 0; i < ARRAY_SIZE(task_kinds); i++) {
		if (!tasks[i].task)
			continue;
		kthread_stop(tasks[i].task);
		put_task_struct(tasks[i].task);
		WRITE_ONCE(tasks[i].task, NULL);
	}
	stop_interrupts();
	if (trimmer)
		kthread_stop(trimmer);
	trimmer = NULL;
	running = false;
}

static void add(struct pressure_counts *sum, const struct pressure_counts *counts)
{
	sum->allocs += READ_ONCE(counts->allocs);
	sum->frees += READ_ONCE(counts->frees);
	sum->failed += READ_ONCE(counts->failed);
	sum->failed_large += READ_ONCE(counts->failed_large);
	if (!sum->smallest || (counts->smallest && counts->smallest < sum->smallest))
		sum->smallest = counts->smallest;
}

static void show(struct seq_file *m, const char *name, const struct pressure_counts *counts)
{
	seq_printf(m, "%s_allocs: %llu\n", name, counts->allocs);
	seq_printf(m, "%s_frees: %llu\n", name, counts->frees);
	seq_printf(m, "%s_failed: %llu\n", name, counts->failed);
	seq_printf(m, "%s_failed_large: %llu\n", name, counts->failed_large);
	seq_printf(m, "%s_smallest: %llu\n", name, counts->smallest);
}

/**
 * pressure_users_show() - print the counters of each kind
 * @m:	output file
 */
void pressure_users_show(struct seq_file *m)
{
	struct pressure_counts softirq = { 0 }, hardirq = { 0 };
	unsigned int i, cpu;

	for (i = 0; i < ARRAY_SIZE(task_kinds); i++)
		show(m, task_kinds[i].name, &tasks[i].counts);
	for_each_possible_cpu(cpu) {
		add(&softirq, &cpus[cpu].softirq.counts);
		add(&hardirq, &cpus[cpu].hardirq.counts);
	}
	show(m, softirq_kind.name, &softirq);
	show(m, hardirq_kind.name, &hardirq);
}

/**
 * pressure_users_wrong() - check the heaps when no user runs
 *
 * No other code may use kspan meanwhile.
 *
 * Return: the first error, or NULL.
 */
const char *pressure_users_wrong(void)
{
	struct kspan_finding finding;

	kspan_find_inconsistency(&kspan_default_heap, &finding);
	if (!finding.what)
		kspan_find_inconsistency(heap, &finding);
	if (!finding.what)
		kspan_find_inconsistency((struct kspan_heap *)cache, &finding);
	if (finding.what)
		return finding.what;
	if (kspan_private_live(heap) || kspan_private_live((struct kspan_heap *)cache))
		return "objects left in a heap";
	return NULL;
}
