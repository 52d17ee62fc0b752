// SPDX-License-Identifier: GPL-2.0
/*
 * Frees after a grace period: no object is freed before it, and all are freed when the barrier
 * returns.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "api/free.h"
#include "api/private.h"
#include "kspan_kunit.h"

#define MANY	3000
#define SOME	100

/* The head is not the first field, so its address is not that of the object. */
struct item {
	u8 front[40];
	struct rcu_head rcu;
	u8 back[40];
};

static struct item **items;
static u64 counts[KSPAN_NR_BAD_FREE_KINDS];

static int free_rcu_init(struct kunit *test)
{
	unsigned int kind;

	kspan_barrier();
	kspan_kunit_init(test);
	items = kunit_kcalloc(test, max_t(unsigned int, MANY, 2 * SOME * num_possible_cpus()),
			      sizeof(*items), GFP_KERNEL);
	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		counts[kind] = kspan_bad_free_count(kind);
	return items ? 0 : -ENOMEM;
}

static void expect_reports(struct kunit *test, enum kspan_bad_free_kind kind, u64 n)
{
	unsigned int i;

	for (i = 0; i < KSPAN_NR_BAD_FREE_KINDS; i++)
		KUNIT_EXPECT_EQ_MSG(test, kspan_bad_free_count(i) - counts[i],
				    i == kind ? n : 0ULL, "kind %u", i);
}

static struct item *item_new(struct kunit *test)
{
	struct item *item = kspan_malloc(sizeof(*item), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, item);
	memset(item, 'i', sizeof(*item));
	return item;
}

static bool is_intact(const struct item *item)
{
	return kspan_owns(item) && !memchr_inv(item->front, 'i', sizeof(item->front)) &&
	       !memchr_inv(item->back, 'i', sizeof(item->back));
}

static void make_items(struct kunit *test, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		items[i] = item_new(test);
}

static unsigned long items_in_use(void)
{
	struct kspan_class_stats now;

	kspan_class_stats_read(kspan_size_class(sizeof(struct item)), &now);
	return now.in_use;
}

/* A task in a read-side section. There is one at a time. */
static struct reader {
	struct completion in;
	struct completion out;
	bool runs;
	bool leave;
	unsigned long leave_after;
} the_reader;

static bool is_to_leave(const struct reader *reader)
{
	unsigned long after = READ_ONCE(reader->leave_after);

	return READ_ONCE(reader->leave) || (after && time_after(jiffies, after));
}

static int read_side(void *data)
{
	struct reader *reader = data;

	rcu_read_lock();
	complete(&reader->in);
	while (!is_to_leave(reader))
		cpu_relax();
	rcu_read_unlock();
	complete(&reader->out);
	return 0;
}

static struct reader *reader_start(struct kunit *test)
{
	struct reader *reader = &the_reader;
	struct task_struct *task;

	memset(reader, 0, sizeof(*reader));
	init_completion(&reader->in);
	init_completion(&reader->out);
	task = kthread_create(read_side, reader, "kspan_kunit/reader");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	if (num_online_cpus() > 1)
		kthread_bind(task, cpumask_any_but(cpu_online_mask, raw_smp_processor_id()));
	reader->runs = true;
	wake_up_process(task);
	wait_for_completion(&reader->in);
	return reader;
}

static void reader_stop(struct reader *reader)
{
	WRITE_ONCE(reader->leave, true);
	wait_for_completion(&reader->out);
	reader->runs = false;
}

/*
 * A case that was aborted may leave its reader in the section, so that no grace period would end.
 */
static void free_rcu_exit(struct kunit *test)
{
	if (the_reader.runs)
		reader_stop(&the_reader);
	kspan_barrier();
	kspan_kunit_exit(test);
}

static void expect_freed_behind_a_reader(struct kunit *test, bool mightsleep)
{
	struct reader *reader = reader_start(test);
	struct item *first = item_new(test), *second = item_new(test);
	bool first_intact, second_intact;

	if (mightsleep) {
		kspan_free_rcu_mightsleep(first);
		kspan_free_rcu_mightsleep(second);
	} else {
		kspan_free_rcu(first, rcu);
		kspan_free_rcu(second, rcu);
	}
	msleep(50);
	first_intact = is_intact(first);
	second_intact = is_intact(second);
	reader_stop(reader);
	KUNIT_EXPECT_TRUE(test, first_intact);
	KUNIT_EXPECT_TRUE(test, second_intact);
	kspan_barrier();
	KUNIT_EXPECT_FALSE(test, kspan_owns(first));
	KUNIT_EXPECT_FALSE(test, kspan_owns(second));
	expect_reports(test, 0, 0);
}

static void object_stays_while_somebody_reads(struct kunit *test)
{
	expect_freed_behind_a_reader(test, false);
}

static void object_without_a_head_stays_while_somebody_reads(struct kunit *test)
{
	expect_freed_behind_a_reader(test, true);
}

/* The case itself is in the read-side section. */
static void object_is_intact_in_ones_own_read_section(struct kunit *test)
{
	struct item *item = item_new(test);
	bool intact;

	rcu_read_lock();
	kspan_free_rcu(item, rcu);
	mdelay(5);
	intact = is_intact(item);
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, intact);
	kspan_barrier();
	KUNIT_EXPECT_FALSE(test, kspan_owns(item));
}

static void barrier_waits_for_thousands(struct kunit *test)
{
	unsigned int i;

	make_items(test, MANY);
	for (i = 0; i < MANY; i++)
		kspan_free_rcu(items[i], rcu);
	kspan_barrier();
	KUNIT_EXPECT_EQ(test, items_in_use(), 0UL);
	expect_reports(test, 0, 0);
	kspan_verify(test, &kspan_default_heap);
}

/* A block holds 62 pointers, so there are many blocks. */
static void barrier_waits_for_thousands_without_a_head(struct kunit *test)
{
	struct kspan_stats was, now;
	unsigned int i;

	kspan_stats_read(&was);
	make_items(test, MANY);
	for (i = 0; i < MANY; i++)
		kspan_free_rcu_mightsleep(items[i]);
	kspan_barrier();
	KUNIT_EXPECT_EQ(test, items_in_use(), 0UL);
	kspan_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.heap_objects, was.heap_objects);
	expect_reports(test, 0, 0);
	kspan_verify(test, &kspan_default_heap);
}

static void barrier_with_nothing_pending_returns(struct kunit *test)
{
	kspan_barrier();
	kspan_barrier();
	KUNIT_EXPECT_EQ(test, items_in_use(), 0UL);
}

/* A batch waits for its grace period while more objects are queued, again and again. */
static void batches_follow_one_another(struct kunit *test)
{
	unsigned int round, i;

	for (round = 0; round < 5; round++) {
		make_items(test, SOME);
		for (i = 0; i < SOME; i++) {
			if (i % 2)
				kspan_free_rcu(items[i], rcu);
			else
				kspan_free_rcu_mightsleep(items[i]);
		}
		msleep(round * 5);
	}
	kspan_barrier();
	KUNIT_EXPECT_EQ(test, items_in_use(), 0UL);
}

static void softirqs_and_interrupts_may_be_off(struct kunit *test)
{
	struct item *in_bh, *in_irq;
	unsigned long flags;

	in_bh = item_new(test);
	in_irq = item_new(test);
	local_bh_disable();
	kspan_free_rcu(in_bh, rcu);
	local_bh_enable();
	local_irq_save(flags);
	kspan_free_rcu(in_irq, rcu);
	local_irq_restore(flags);
	KUNIT_EXPECT_TRUE(test, kspan_owns(in_irq));
	kspan_barrier();
	KUNIT_EXPECT_FALSE(test, kspan_owns(in_bh));
	KUNIT_EXPECT_FALSE(test, kspan_owns(in_irq));
}

/* Queue the frees of some items on the CPU that runs this. */
static long queue_some(void *first)
{
	struct item **own = first;
	unsigned int i;

	for (i = 0; i < SOME; i++)
		kspan_free_rcu(own[i], rcu);
	return 0;
}

static void queue_in_hardirq(void *first)
{
	queue_some(first);
}

static void barrier_waits_for_all_cpus(struct kunit *test)
{
	unsigned int n = num_online_cpus() * 2 * SOME, next = 0, cpu;

	make_items(test, n);
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		work_on_cpu(cpu, queue_some, items + next);
		smp_call_function_single(cpu, queue_in_hardirq, items + next + SOME, 1);
		next += 2 * SOME;
	}
	cpus_read_unlock();
	kspan_barrier();
	KUNIT_EXPECT_EQ(test, items_in_use(), 0UL);
	expect_reports(test, 0, 0);
}

/*
 * The object uses up its arena, and no other arena can be allocated. So the call can't note the
 * pointer. It must wait for the readers, and free the object before it returns.
 */
static void without_memory_it_waits(struct kunit *test)
{
	struct kspan_page_stats pages;
	struct reader *reader;
	void *p;

	kspan_kunit_needs_faults(test);
	reader = reader_start(test);
	p = kspan_malloc(KSPAN_MAX_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	kspan_page_stats_read(&pages);
	KUNIT_ASSERT_EQ(test, pages.used, pages.pages);
	kspan_kunit_fail_arenas(1, 1000);
	WRITE_ONCE(reader->leave_after, jiffies + msecs_to_jiffies(50));
	kspan_free_rcu_mightsleep(p);
	KUNIT_EXPECT_TRUE(test, time_after_eq(jiffies, reader->leave_after));
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
	reader_stop(reader);
	expect_reports(test, 0, 0);
}

/* With memory the call does not wait. The reader is still there when it returns. */
static void with_memory_it_does_not_wait(struct kunit *test)
{
	struct reader *reader = reader_start(test);
	struct item *item = item_new(test);
	bool intact;

	kspan_free_rcu_mightsleep(item);
	intact = is_intact(item);
	reader_stop(reader);
	KUNIT_EXPECT_TRUE(test, intact);
}

/* The CPU has a batch that waits, and one that collects objects, with heads and without. */
static void drain_frees_all_of_a_cpu(struct kunit *test)
{
	unsigned int cpu = raw_smp_processor_id(), i;

	make_items(test, SOME);
	for (i = 0; i < SOME; i++) {
		if (i % 3)
			kspan_free_rcu(items[i], rcu);
		else
			kspan_free_rcu_mightsleep(items[i]);
	}
	kspan_free_rcu_drain(cpu);
	KUNIT_EXPECT_EQ(test, items_in_use(), 0UL);
	kspan_free_rcu_drain(cpu);
	items[0] = item_new(test);
	kspan_free_rcu(items[0], rcu);
	kspan_barrier();
	KUNIT_EXPECT_FALSE(test, kspan_owns(items[0]));
	expect_reports(test, 0, 0);
}

/* The reader leaves after 50 ms. The drain must wait for it. */
static void drain_waits_for_readers(struct kunit *test)
{
	struct reader *reader = reader_start(test);
	struct item *item = item_new(test);

	WRITE_ONCE(reader->leave_after, jiffies + msecs_to_jiffies(50));
	kspan_free_rcu(item, rcu);
	kspan_free_rcu_drain(raw_smp_processor_id());
	KUNIT_EXPECT_TRUE(test, time_after_eq(jiffies, reader->leave_after));
	KUNIT_EXPECT_FALSE(test, kspan_owns(item));
	reader_stop(reader);
}

static void nothing_is_nothing_to_free(struct kunit *test)
{
	struct item *none = NULL;

	kspan_free_rcu(none, rcu);
	kspan_free_rcu_mightsleep(NULL);
	kspan_free_rcu_mightsleep(ZERO_SIZE_PTR);
	kspan_barrier();
	expect_reports(test, 0, 0);
}

static void pointer_is_evaluated_once(struct kunit *test)
{
	struct item **next = items;

	make_items(test, 2);
	kspan_free_rcu(*next++, rcu);
	KUNIT_EXPECT_PTR_EQ(test, next, items + 1);
	kspan_free(items[1]);
	kspan_barrier();
	KUNIT_EXPECT_EQ(test, items_in_use(), 0UL);
}

static void objects_of_all_kinds_are_freed(struct kunit *test)
{
	int other = kspan_kunit_other_node(kspan_home_node());
	struct item *large = kspan_malloc(100000, GFP_KERNEL);
	void *tiny = kspan_tiny_alloc(3, GFP_KERNEL);
	struct item *remote = NULL;

	if (other != NUMA_NO_NODE)
		remote = kspan_malloc_node(sizeof(*remote), GFP_KERNEL, other);
	KUNIT_ASSERT_NOT_NULL(test, large);
	KUNIT_ASSERT_NOT_NULL(test, tiny);
	kspan_free_rcu(large, rcu);
	kspan_free_rcu(remote, rcu);
	kspan_free_rcu_mightsleep(tiny);
	kspan_barrier();
	KUNIT_EXPECT_FALSE(test, kspan_owns(large));
	KUNIT_EXPECT_FALSE(test, kspan_owns(tiny));
	KUNIT_EXPECT_FALSE(test, kspan_owns(remote));
	expect_reports(test, 0, 0);
}

static void wrong_pointer_is_reported_once(struct kunit *test)
{
	struct item *item = kmalloc(sizeof(*item), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, item);
	kspan_free_rcu_mightsleep(item);
	kspan_barrier();
	expect_reports(test, KSPAN_BAD_FREE_FOREIGN, 1);
	kspan_free_rcu(item, rcu);
	kspan_barrier();
	expect_reports(test, KSPAN_BAD_FREE_FOREIGN, 2);
	kfree(item);
}

static void double_free_is_reported_once(struct kunit *test)
{
	struct item *item = item_new(test), *other;

	kspan_free_rcu_mightsleep(item);
	kspan_free_rcu_mightsleep(item);
	kspan_barrier();
	kspan_heap_drain(&kspan_default_heap);
	expect_reports(test, KSPAN_BAD_FREE_DOUBLE, 1);
	/* Free another object between the two frees, and use the rcu_head. */
	item = item_new(test);
	other = item_new(test);
	kspan_free_rcu(item, rcu);
	kspan_free_rcu(other, rcu);
	kspan_free_rcu(item, rcu);
	kspan_barrier();
	kspan_heap_drain(&kspan_default_heap);
	expect_reports(test, KSPAN_BAD_FREE_DOUBLE, 2);
	KUNIT_EXPECT_EQ(test, items_in_use(), 0UL);
	kspan_verify(test, &kspan_default_heap);
}

/*
 * No free is pending. A cache with KSPAN_TYPESAFE_BY_RCU frees its pages after a grace period, but
 * the destruction must not wait for that.
 */
static void destruction_waits_for_no_reader(struct kunit *test)
{
	struct reader *reader = reader_start(test);
	struct kspan_cache *cache;
	unsigned int i;

	WRITE_ONCE(reader->leave_after, jiffies + 5 * HZ);
	for (i = 0; i < 2; i++) {
		cache = kspan_cache_create("items", sizeof(struct item), 0,
					   i ? KSPAN_TYPESAFE_BY_RCU : 0, NULL);
		KUNIT_ASSERT_NOT_NULL(test, cache);
		kspan_cache_free(cache, kspan_cache_alloc(cache, GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
		kspan_barrier();
	}
	KUNIT_EXPECT_FALSE(test, completion_done(&reader->out));
	reader_stop(reader);
	kspan_private_settle();
}

/* Returns how many grace periods RCU counted meanwhile. */
static unsigned long destroy_with_pending_frees(struct kunit *test)
{
	struct kspan_cache *cache = kspan_cache_create("items", sizeof(struct item), 0, 0, NULL);
	unsigned long before;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	for (i = 0; i < SOME; i++) {
		items[i] = kspan_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, items[i]);
	}
	before = get_state_synchronize_rcu();
	for (i = 0; i < SOME; i++)
		kspan_free_rcu(items[i], rcu);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
	return get_state_synchronize_rcu() - before;
}

static unsigned long wait_once(void)
{
	unsigned long before = get_state_synchronize_rcu();

	synchronize_rcu();
	return get_state_synchronize_rcu() - before;
}

/* Other users of RCU start grace periods, too. So take the least of many tries. */
static void destruction_takes_one_grace_period(struct kunit *test)
{
	unsigned long destruction = ULONG_MAX, one = ULONG_MAX;
	unsigned long end = jiffies + 10 * HZ;
	unsigned int i;

	for (i = 0; i < 20 || (destruction > one && time_before(jiffies, end)); i++) {
		kspan_private_settle();
		destruction = min(destruction, destroy_with_pending_frees(test));
		kspan_private_settle();
		one = min(one, wait_once());
	}
	KUNIT_EXPECT_LE(test, destruction, one);
}

static struct kunit_case free_rcu_cases[] = {
	KUNIT_CASE(object_stays_while_somebody_reads),
	KUNIT_CASE(object_without_a_head_stays_while_somebody_reads),
	KUNIT_CASE(object_is_intact_in_ones_own_read_section),
	KUNIT_CASE(barrier_waits_for_thousands),
	KUNIT_CASE(barrier_waits_for_thousands_without_a_head),
	KUNIT_CASE(barrier_with_nothing_pending_returns),
	KUNIT_CASE(batches_follow_one_another),
	KUNIT_CASE(softirqs_and_interrupts_may_be_off),
	KUNIT_CASE(barrier_waits_for_all_cpus),
	KUNIT_CASE(without_memory_it_waits),
	KUNIT_CASE(with_memory_it_does_not_wait),
	KUNIT_CASE(drain_frees_all_of_a_cpu),
	KUNIT_CASE(drain_waits_for_readers),
	KUNIT_CASE(nothing_is_nothing_to_free),
	KUNIT_CASE(pointer_is_evaluated_once),
	KUNIT_CASE(objects_of_all_kinds_are_freed),
	KUNIT_CASE(wrong_pointer_is_reported_once),
	KUNIT_CASE(double_free_is_reported_once),
	KUNIT_CASE(destruction_waits_for_no_reader),
	KUNIT_CASE(destruction_takes_one_grace_period),
	{}
};

static struct kunit_suite free_rcu_suite = {
	.name = "kspan_free_rcu",
	.init = free_rcu_init,
	.exit = free_rcu_exit,
	.test_cases = free_rcu_cases,
};

kunit_test_suite(free_rcu_suite);
