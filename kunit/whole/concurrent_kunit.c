// SPDX-License-Identifier: GPL-2.0
/*
 * Two kthreads and hardirqs use one heap.
 *
 *	kthread 0 --\                      /--> check, free
 *	kthread 1 ---+--> table of objects +--> check, free
 *	hardirq   --/                      \--> check, free
 *
 * Each of them puts a new object into a slot of the table, and frees the one that was there. So
 * most objects are freed in another context, or on another CPU, than they were allocated in.
 *
 * On two CPUs each thread interrupts the other at any instruction. On one CPU a timer interrupts
 * them. The interrupts queue an irq_work, because lockdep does not let an IPI take the locks of
 * the page allocator and SLUB.
 */
#include <linux/cpu.h>
#include <linux/irq_work.h>
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/smp.h>
#include <linux/timer.h>
#ifdef CONFIG_KCSAN
#include <trace/events/printk.h>
#endif

#include "model.h"

/* Operations of each kthread. There are fewer with KASAN, which is slow. */
#define OPERATIONS	(IS_ENABLED(CONFIG_KASAN) ? 20000 : 45000)
#define IRQ_INTERVAL	4	/* operations between two interrupts */
#define IRQ_OPERATIONS	4
#define SLOTS		256
#define MAX_SHIFT	14

/* Stands at the start of every object. */
struct label {
	u64 size;
	u32 tag;
};

/* A kthread that allocates and frees, or the hardirqs of a CPU. */
struct worker {
	struct rnd_state rnd;
	u32 tag;
	gfp_t gfp;
	u64 operations;
	u64 failed;
	u64 broken;
	u64 busy;
	u64 allocs[KSPAN_NR_CLASSES];
	struct task_struct *task;
	unsigned int cpu;
	unsigned int other_cpu;
	call_single_data_t ipi;
	struct completion done;
};

/* The hardirqs of a CPU. */
struct interrupter {
	struct irq_work work;
	struct worker worker;
};

struct exchange {
	struct label *slots[SLOTS];
	struct worker threads[2];
	struct interrupter *irqs;
	struct timer_list timer;
	bool stop;
};

static struct exchange *exchange;

static unsigned int class_of(size_t size)
{
	return size <= KSPAN_MAX_SMALL ? kspan_size_class(size) : 0;
}

static struct label *make(struct worker *worker)
{
	size_t size = sizeof(struct label) + model_size(&worker->rnd, MAX_SHIFT);
	struct label *object = kspan_malloc(size, worker->gfp);

	if (!object) {
		worker->failed++;
		return NULL;
	}
	worker->allocs[class_of(size)]++;
	object->size = size;
	object->tag = ++worker->tag;
	model_stamp((u8 *)(object + 1), size - sizeof(*object), object->tag);
	return object;
}

static void take_apart(struct worker *worker, struct label *object)
{
	if (!object)
		return;
	if (kspan_size(object) != kspan_size_roundup(object->size) ||
	    !IS_ALIGNED((unsigned long)object, kspan_kunit_align(object->size)) ||
	    !model_stamped((u8 *)(object + 1), object->size - sizeof(*object), object->tag))
		worker->broken++;
	object->tag = 0;
	kspan_free(object);
}

static void operate(struct worker *worker)
{
	struct label **slot = &exchange->slots[kspan_kunit_below(&worker->rnd, SLOTS)];
	struct label *object = NULL;

	worker->operations++;
	if (kspan_kunit_below(&worker->rnd, 4))
		object = make(worker);
	take_apart(worker, xchg(slot, object));
}

/* This may have interrupted the owner of the CPU's cache. */
static void irq_work_handler(struct irq_work *work)
{
	struct worker *worker = &container_of(work, struct interrupter, work)->worker;
	unsigned int i;

	worker->busy += raw_cpu_ptr(kspan_default_heap.cpu)->busy;
	for (i = 0; i < IRQ_OPERATIONS; i++)
		operate(worker);
}

static void interrupt_this_cpu(void *unused)
{
	irq_work_queue(&exchange->irqs[raw_smp_processor_id()].work);
}

static void timer_handler(struct timer_list *timer)
{
	interrupt_this_cpu(NULL);
	if (!READ_ONCE(exchange->stop))
		mod_timer(timer, jiffies + 1);
}

/* This never waits. It sends no interrupt while the last one is under way. */
static void interrupt_other_cpu(struct worker *worker)
{
	if (worker->other_cpu == worker->cpu)
		return;
	preempt_disable();
	smp_call_function_single_async(worker->other_cpu, &worker->ipi);
	preempt_enable();
}

static int thread(void *data)
{
	struct worker *worker = data;
	unsigned int i;

	for (i = 0; i < OPERATIONS; i++) {
		operate(worker);
		if (i % IRQ_INTERVAL == 0)
			interrupt_other_cpu(worker);
		cond_resched();
	}
	complete(&worker->done);
	return 0;
}

static void worker_init(struct worker *worker, u64 seed, gfp_t gfp)
{
	prandom_seed_state(&worker->rnd, seed);
	worker->tag = seed << 20;
	worker->gfp = gfp;
	INIT_CSD(&worker->ipi, interrupt_this_cpu, NULL);
	init_completion(&worker->done);
}

static int concurrent_init(struct kunit *test)
{
	u64 seed = kspan_kunit_random_seed(test);
	unsigned int cpu;

	kspan_kunit_init(test);
	exchange = kunit_kzalloc(test, sizeof(*exchange), GFP_KERNEL);
	if (!exchange)
		return -ENOMEM;
	exchange->irqs = kunit_kcalloc(test, nr_cpu_ids, sizeof(*exchange->irqs), GFP_KERNEL);
	if (!exchange->irqs)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		init_irq_work(&exchange->irqs[cpu].work, irq_work_handler);
		worker_init(&exchange->irqs[cpu].worker, seed + 2 + cpu,
			    GFP_ATOMIC | __GFP_NOWARN);
	}
	timer_setup(&exchange->timer, timer_handler, 0);
	worker_init(&exchange->threads[0], seed, GFP_KERNEL);
	worker_init(&exchange->threads[1], seed + 1, GFP_KERNEL);
	return 0;
}

static void start(struct kunit *test, unsigned int i, unsigned int cpu, unsigned int other_cpu)
{
	struct worker *worker = &exchange->threads[i];

	worker->cpu = cpu;
	worker->other_cpu = other_cpu;
	worker->task = kthread_create(thread, worker, "kspan_kunit/%u", i);
	KUNIT_ASSERT_FALSE(test, IS_ERR(worker->task));
	kthread_bind(worker->task, cpu);
}

/* Stop the interrupts, and wait for those that are under way. */
static void stop_interrupts(unsigned int first, unsigned int second)
{
	unsigned int cpu;

	WRITE_ONCE(exchange->stop, true);
	timer_delete_sync(&exchange->timer);
	/* A CPU serves IPIs in turn. So when these were served, those before them were. */
	smp_call_function_single(first, interrupt_this_cpu, NULL, 1);
	smp_call_function_single(second, interrupt_this_cpu, NULL, 1);
	for_each_possible_cpu(cpu)
		irq_work_sync(&exchange->irqs[cpu].work);
}

static void run(struct kunit *test)
{
	unsigned int first = cpumask_first(cpu_online_mask);
	unsigned int second = cpumask_next(first, cpu_online_mask);

	if (second >= nr_cpu_ids)
		second = first;
	start(test, 0, first, second);
	start(test, 1, second, first);
	mod_timer(&exchange->timer, jiffies + 1);
	wake_up_process(exchange->threads[0].task);
	wake_up_process(exchange->threads[1].task);
	wait_for_completion(&exchange->threads[0].done);
	wait_for_completion(&exchange->threads[1].done);
	stop_interrupts(first, second);
}

static void sum_up(const struct worker *worker, struct worker *sum)
{
	unsigned int class;

	sum->operations += worker->operations;
	sum->failed += worker->failed;
	sum->broken += worker->broken;
	sum->busy += worker->busy;
	for (class = 0; class < KSPAN_NR_CLASSES; class++)
		sum->allocs[class] += worker->allocs[class];
}

static void read_counts(u64 *allocs, unsigned long *in_use)
{
	struct kspan_class_stats stats;
	struct kspan_page_stats pages;
	unsigned int class;

	kspan_page_stats_read(&pages);
	allocs[0] = pages.large.allocs;
	in_use[0] = pages.large.in_use;
	for (class = 1; class < KSPAN_NR_CLASSES; class++) {
		kspan_class_stats_read(class, &stats);
		allocs[class] = stats.allocs;
		in_use[class] = stats.in_use;
	}
}

/* Count the objects of each class in the table. */
static void count_live(unsigned long *live)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		if (exchange->slots[i])
			live[class_of(exchange->slots[i]->size)]++;
}

static void free_slots(struct worker *worker)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		take_apart(worker, exchange->slots[i]);
}

struct counts {
	u64 before[KSPAN_NR_CLASSES];
	u64 after[KSPAN_NR_CLASSES];
	unsigned long in_use[KSPAN_NR_CLASSES];
	unsigned long live[KSPAN_NR_CLASSES];
	u64 bad_frees;
	struct worker sum;
};

static void sum_up_all(struct worker *sum)
{
	unsigned int cpu;

	sum_up(&exchange->threads[0], sum);
	sum_up(&exchange->threads[1], sum);
	for_each_possible_cpu(cpu)
		sum_up(&exchange->irqs[cpu].worker, sum);
}

static void expect_exact_counts(struct kunit *test, struct counts *counts)
{
	unsigned int class;

	for (class = 0; class < KSPAN_NR_CLASSES; class++) {
		KUNIT_EXPECT_EQ_MSG(test, counts->after[class] - counts->before[class],
				    counts->sum.allocs[class], "class %u", class);
		KUNIT_EXPECT_EQ_MSG(test, counts->in_use[class], counts->live[class],
				    "class %u", class);
	}
}

static void exchange_objects(struct kunit *test)
{
	struct counts *counts = kunit_kzalloc(test, sizeof(*counts), GFP_KERNEL);
	u64 bad_before = kspan_bad_frees();

	KUNIT_ASSERT_NOT_NULL(test, counts);
	read_counts(counts->before, counts->in_use);
	run(test);
	read_counts(counts->after, counts->in_use);
	count_live(counts->live);
	free_slots(&exchange->threads[0]);
	sum_up_all(&counts->sum);
	expect_exact_counts(test, counts);
	kunit_info(test, "%llu operations, %llu interrupts found the cache busy, %llu allocations failed\n",
		   counts->sum.operations, counts->sum.busy, counts->sum.failed);
	KUNIT_EXPECT_GT(test, counts->sum.operations, 2ULL * OPERATIONS);
	KUNIT_EXPECT_EQ(test, counts->sum.broken, 0ULL);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees(), bad_before);
	kspan_verify(test, &kspan_default_heap);
}

static void threads_and_hardirqs_exchange_objects(struct kunit *test)
{
	exchange_objects(test);
}

/* Capacity is small, so classes take it from each other all the time, in hardirqs, too. */
static void capacity_moves_meanwhile(struct kunit *test)
{
	u64 before = kspan_cpu_caches_events(&kspan_default_heap, KSPAN_STEAL);

	kspan_cpu_cache_bytes = 64 << 10;
	exchange_objects(test);
	KUNIT_EXPECT_GT(test, kspan_cpu_caches_events(&kspan_default_heap, KSPAN_STEAL), before);
}

#ifdef CONFIG_KCSAN

/* Most reports of one race: the kernel may report each pair of its accesses. */
#define REPORTS		8
#define RACE_SECONDS	30

static struct {
	unsigned long count;
	bool told;
} race;

static noinline void count_unmarked(void)
{
	race.count++;
	/* Keep the compiler from making one addition of the loop. */
	barrier();
}

static int race_thread(void *unused)
{
	while (!kthread_should_stop()) {
		count_unmarked();
		cond_resched();
	}
	return 0;
}

static void look_for_report(void *unused, const char *text, size_t len)
{
	if (strnstr(text, "KCSAN: data-race in count_unmarked", len))
		WRITE_ONCE(race.told, true);
}

/* Two tasks count without a lock. A kernel with KCSAN must report the race. */
static void data_race_is_told(struct kunit *test)
{
	unsigned long end = jiffies + RACE_SECONDS * HZ;
	struct task_struct *other;
	unsigned int i;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	for (i = 0; i < REPORTS; i++)
		pr_info("kspan-expect: %s\n", "data-race in count_unmarked");
	race.told = false;
	other = kthread_create(race_thread, NULL, "kspan_kunit/race");
	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	KUNIT_ASSERT_EQ(test, register_trace_console(look_for_report, NULL), 0);
	wake_up_process(other);
	while (!READ_ONCE(race.told) && time_before(jiffies, end)) {
		count_unmarked();
		cond_resched();
	}
	kthread_stop(other);
	unregister_trace_console(look_for_report, NULL);
	tracepoint_synchronize_unregister();
	KUNIT_EXPECT_TRUE(test, race.told);
}

#else

static void data_race_is_told(struct kunit *test)
{
	kunit_skip(test, "CONFIG_KCSAN is off");
}

#endif

static struct kunit_case concurrent_cases[] = {
	KUNIT_CASE(threads_and_hardirqs_exchange_objects),
	KUNIT_CASE(capacity_moves_meanwhile),
	KUNIT_CASE(data_race_is_told),
	{}
};

static struct kunit_suite concurrent_suite = {
	.name = "kspan_concurrent",
	.init = concurrent_init,
	.exit = kspan_kunit_exit,
	.test_cases = concurrent_cases,
};

kunit_test_suite(concurrent_suite);
