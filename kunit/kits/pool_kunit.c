// SPDX-License-Identifier: GPL-2.0
/*
 * Object pools. The case itself ends generations, and sets the clock. The shrinker is called
 * directly, and by the kernel. Interrupts get and put objects. At last all of these happen at
 * once, and no object may have two holders.
 */
#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "context.h"
#include "kits/pool.h"

#define CAP	4
#define MAGIC	0x600d600dU
#define DEAD	-1000

/**
 * struct thing - an object of a pool
 * @hands:	number of holders; DEAD when the object was destroyed
 * @magic:	set by the constructor
 * @uses:	gets since the object was made
 * @resets:	resets since the object was made
 */
struct thing {
	atomic_t hands;
	u32 magic;
	unsigned int uses;
	unsigned int resets;
};

static struct {
	struct kspan_pool *pool;
	unsigned int seconds_before;
	atomic_t news;
	atomic_t destroys;
	atomic_t broken;
	gfp_t gfp;
	bool fail;
} fixture;

static void *new_thing(gfp_t gfp)
{
	struct thing *thing;

	WRITE_ONCE(fixture.gfp, gfp);
	thing = fixture.fail ? NULL : kspan_malloc(sizeof(*thing), gfp);
	if (!thing)
		return NULL;
	*thing = (struct thing) { .magic = MAGIC };
	atomic_inc(&fixture.news);
	return thing;
}

static void reset_thing(void *object)
{
	struct thing *thing = object;

	thing->resets++;
}

static void destroy_thing(void *object)
{
	struct thing *thing = object;

	if (thing->magic != MAGIC || atomic_xchg(&thing->hands, DEAD))
		atomic_inc(&fixture.broken);
	atomic_inc(&fixture.destroys);
	kspan_free(thing);
}

static const struct kspan_pool_ops thing_ops = {
	.name = "things",
	.new = new_thing,
	.reset = reset_thing,
	.destroy = destroy_thing,
	.cap = CAP,
};

static struct kspan_pool *things(struct kunit *test)
{
	fixture.pool = kspan_pool_create(&thing_ops, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fixture.pool);
	return fixture.pool;
}

static struct thing *get(struct kunit *test)
{
	struct thing *thing = kspan_pool_get(fixture.pool);

	KUNIT_ASSERT_NOT_NULL(test, thing);
	KUNIT_EXPECT_EQ(test, thing->magic, MAGIC);
	return thing;
}

static void get_some(struct kunit *test, struct thing **some, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		some[i] = get(test);
}

static void put_some(struct thing **some, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		kspan_pool_put(fixture.pool, some[i]);
}

static struct kspan_pool_stats stats(void)
{
	struct kspan_pool_stats stats;

	kspan_pool_stats_read(fixture.pool, &stats);
	return stats;
}

static void end_generation(void)
{
	kspan_pool_end_generation();
	kspan_pool_settle();
}

static void expect_holds(struct kunit *test, unsigned long primary, unsigned long victim)
{
	KUNIT_EXPECT_EQ(test, stats().primary, primary);
	KUNIT_EXPECT_EQ(test, stats().victim, victim);
}

/* Only the case ends generations. */
static int pool_init(struct kunit *test)
{
	int err = context_open();

	if (err)
		return err;
	memset(&fixture, 0, sizeof(fixture));
	fixture.seconds_before = kspan_pool_seconds;
	kspan_pool_seconds = 0;
	return kspan_kunit_init(test);
}

static void pool_exit(struct kunit *test)
{
	kspan_pool_destroy(fixture.pool);
	fixture.pool = NULL;
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), atomic_read(&fixture.news));
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.broken), 0);
	kspan_pool_seconds = fixture.seconds_before;
	/* Let the clock count from now on. */
	kspan_pool_end_generation();
	kspan_kunit_exit(test);
	context_close();
}

static void new_object_only_when_there_is_none(struct kunit *test)
{
	struct thing *a, *b;

	things(test);
	a = get(test);
	b = get(test);
	KUNIT_EXPECT_PTR_NE(test, a, b);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.news), 2);
	kspan_pool_put(fixture.pool, a);
	kspan_pool_put(fixture.pool, b);
	KUNIT_EXPECT_PTR_EQ(test, get(test), b);
	KUNIT_EXPECT_PTR_EQ(test, get(test), a);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.news), 2);
	kspan_pool_put(fixture.pool, a);
	kspan_pool_put(fixture.pool, b);
}

static void object_stays_as_it_was_put(struct kunit *test)
{
	unsigned int i;

	things(test);
	for (i = 0; i < 10; i++) {
		struct thing *thing = get(test);

		KUNIT_EXPECT_EQ(test, thing->uses, i);
		KUNIT_EXPECT_EQ(test, thing->resets, i);
		thing->uses++;
		kspan_pool_put(fixture.pool, thing);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.news), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 0);
}

static void size_alone_gives_zeroed_objects(struct kunit *test)
{
	static const struct kspan_pool_ops plain = { .name = "plain", .size = 300 };
	u8 *p;

	fixture.pool = kspan_pool_create(&plain, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fixture.pool);
	p = kspan_pool_get(fixture.pool);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, 300));
	memset(p, 0x5a, 300);
	kspan_pool_put(fixture.pool, p);
	KUNIT_EXPECT_PTR_EQ(test, kspan_pool_get(fixture.pool), (void *)p);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0x5a, 300));
	kspan_pool_put(fixture.pool, p);
}

static void objects_must_be_described(struct kunit *test)
{
	static const struct kspan_pool_ops nothing = { .name = "nothing" };
	static const struct kspan_pool_ops too_many = {
		.name = "too_many", .size = 8, .cap = KSPAN_POOL_CAP_MAX + 1,
	};
	static const struct kspan_pool_ops most = {
		.name = "most", .size = 8, .cap = KSPAN_POOL_CAP_MAX,
	};

	KUNIT_EXPECT_NULL(test, kspan_pool_create(&nothing, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_pool_create(&too_many, GFP_KERNEL));
	fixture.pool = kspan_pool_create(&most, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, fixture.pool);
}

static void new_is_told_the_flags(struct kunit *test)
{
	struct thing *a, *b;

	fixture.pool = kspan_pool_create(&thing_ops, GFP_NOFS);
	KUNIT_ASSERT_NOT_NULL(test, fixture.pool);
	a = get(test);
	KUNIT_EXPECT_TRUE(test, fixture.gfp == GFP_NOFS);
	b = kspan_pool_get_gfp(fixture.pool, GFP_NOWAIT);
	KUNIT_EXPECT_TRUE(test, fixture.gfp == GFP_NOWAIT);
	kspan_pool_put(fixture.pool, a);
	kspan_pool_put(fixture.pool, b);
}

static void without_a_new_object_get_fails(struct kunit *test)
{
	struct thing *thing;

	things(test);
	thing = get(test);
	fixture.fail = true;
	KUNIT_EXPECT_NULL(test, kspan_pool_get(fixture.pool));
	kspan_pool_put(fixture.pool, NULL);
	kspan_pool_put(fixture.pool, thing);
	KUNIT_EXPECT_PTR_EQ(test, get(test), thing);
	kspan_pool_put(fixture.pool, thing);
	KUNIT_EXPECT_EQ(test, stats().gets, 3ULL);
	KUNIT_EXPECT_EQ(test, stats().hits, 1ULL);
	KUNIT_EXPECT_EQ(test, stats().news, 1ULL);
	KUNIT_EXPECT_EQ(test, stats().puts, 2ULL);
	KUNIT_EXPECT_EQ(test, stats().drops, 0ULL);
}

static void object_lives_through_one_generation(struct kunit *test)
{
	struct thing *thing;

	things(test);
	thing = get(test);
	kspan_pool_put(fixture.pool, thing);
	expect_holds(test, 1, 0);
	end_generation();
	expect_holds(test, 0, 1);
	KUNIT_EXPECT_PTR_EQ(test, get(test), thing);
	expect_holds(test, 0, 0);
	kspan_pool_put(fixture.pool, thing);
	expect_holds(test, 1, 0);
}

static void object_unused_for_two_generations_is_destroyed(struct kunit *test)
{
	things(test);
	kspan_pool_put(fixture.pool, get(test));
	end_generation();
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 0);
	end_generation();
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 1);
	expect_holds(test, 0, 0);
	KUNIT_EXPECT_EQ(test, stats().drops, 1ULL);
	KUNIT_EXPECT_EQ(test, stats().generations, 2ULL);
	kspan_pool_put(fixture.pool, get(test));
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.news), 2);
}

static void object_that_is_used_lives(struct kunit *test)
{
	struct thing *thing;
	unsigned int i;

	things(test);
	thing = get(test);
	for (i = 0; i < 8; i++) {
		kspan_pool_put(fixture.pool, thing);
		end_generation();
		KUNIT_EXPECT_PTR_EQ(test, get(test), thing);
	}
	kspan_pool_put(fixture.pool, thing);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.news), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 0);
}

/*
 * The pool holds four objects. In one generation one of them is used, in the next one the same and
 * one more. Objects that were not used for two generations are destroyed.
 */
static void only_unused_objects_are_destroyed(struct kunit *test)
{
	struct thing *some[CAP], *used[2];

	things(test);
	get_some(test, some, CAP);
	put_some(some, CAP);
	end_generation();
	get_some(test, used, 1);
	put_some(used, 1);
	expect_holds(test, 1, 3);
	end_generation();
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 3);
	expect_holds(test, 0, 1);
	get_some(test, used, 2);
	put_some(used, 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.news), CAP + 1);
	end_generation();
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 3);
	expect_holds(test, 0, 2);
}

/* A CPU keeps CAP objects, and the shared cache as many. */
static void put_beyond_the_cap_destroys(struct kunit *test)
{
	struct thing *some[2 * CAP + 2];

	things(test);
	get_some(test, some, 2 * CAP + 2);
	put_some(some, 2 * CAP);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 0);
	expect_holds(test, 2 * CAP, 0);
	put_some(some + 2 * CAP, 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 2);
	expect_holds(test, 2 * CAP, 0);
	KUNIT_EXPECT_EQ(test, stats().puts, 2ULL * CAP + 2);
	KUNIT_EXPECT_EQ(test, stats().drops, 2ULL);
	/* The objects that the pool kept come back. */
	get_some(test, some, 2 * CAP);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.news), 2 * CAP + 2);
	put_some(some, 2 * CAP);
}

/* Victims, which are objects that this generation has not used, do not count for the cap. */
static void cap_is_of_a_generation(struct kunit *test)
{
	struct thing *some[4 * CAP];

	things(test);
	get_some(test, some, 4 * CAP);
	put_some(some, 2 * CAP);
	end_generation();
	put_some(some + 2 * CAP, 2 * CAP);
	expect_holds(test, 2 * CAP, 2 * CAP);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 0);
	end_generation();
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 2 * CAP);
	expect_holds(test, 0, 2 * CAP);
}

static void cap_of_one(struct kunit *test)
{
	struct kspan_pool_ops ops = thing_ops;
	struct thing *some[3];

	ops.cap = 1;
	fixture.pool = kspan_pool_create(&ops, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fixture.pool);
	get_some(test, some, 3);
	put_some(some, 3);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 1);
	expect_holds(test, 2, 0);
	get_some(test, some, 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.news), 3);
	put_some(some, 2);
}

static void destroy_destroys_all(struct kunit *test)
{
	struct thing *some[3 * CAP];

	things(test);
	get_some(test, some, 3 * CAP);
	put_some(some, 2 * CAP);
	end_generation();
	put_some(some + 2 * CAP, CAP);
	expect_holds(test, CAP, 2 * CAP);
	kspan_pool_destroy(fixture.pool);
	fixture.pool = NULL;
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 3 * CAP);
	kspan_pool_destroy(NULL);
}

/* Other CPUs */

static unsigned int other_cpu(struct kunit *test)
{
	unsigned int cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());

	if (cpu >= nr_cpu_ids)
		kunit_skip(test, "needs another CPU");
	return cpu;
}

struct put_job {
	struct thing **some;
	unsigned int n;
};

static long put_job(void *data)
{
	struct put_job *job = data;

	put_some(job->some, job->n);
	return 0;
}

static void put_there(unsigned int cpu, struct thing **some, unsigned int n)
{
	struct put_job job = { some, n };

	work_on_cpu(cpu, put_job, &job);
}

static void generation_ends_on_other_cpus(struct kunit *test)
{
	unsigned int there = other_cpu(test);
	struct thing *some[2];

	things(test);
	get_some(test, some, 2);
	put_there(there, some, 2);
	expect_holds(test, 2, 0);
	end_generation();
	expect_holds(test, 0, 2);
	end_generation();
	expect_holds(test, 0, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 2);
}

/*
 * Objects that another CPU has no room for are in the shared cache. This CPU gets half a stack of
 * them at a time.
 */
static void surplus_of_another_cpu_is_found(struct kunit *test)
{
	unsigned int there = other_cpu(test), i;
	struct thing *some[CAP + CAP / 2];

	things(test);
	get_some(test, some, ARRAY_SIZE(some));
	put_there(there, some, ARRAY_SIZE(some));
	get_some(test, some, CAP / 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.news), CAP + CAP / 2);
	for (i = 0; i < CAP / 2; i++)
		KUNIT_EXPECT_EQ(test, some[i]->resets, 1U);
	put_some(some, CAP / 2);
}

/* One CPU gets, the other puts. The pool makes no more objects than its caches hold. */
static void objects_go_round_between_cpus(struct kunit *test)
{
	unsigned int there = other_cpu(test), round;
	struct thing *some[CAP / 2];

	things(test);
	for (round = 0; round < 50; round++) {
		get_some(test, some, CAP / 2);
		put_there(there, some, CAP / 2);
	}
	KUNIT_EXPECT_LE(test, atomic_read(&fixture.news), 2 * CAP);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 0);
}

static void objects_of_a_dead_cpu_are_found(struct kunit *test)
{
	unsigned int there = other_cpu(test), i;
	struct thing *some[CAP];

	things(test);
	get_some(test, some, CAP);
	put_there(there, some, CAP);
	kspan_pool_drain(there);
	expect_holds(test, CAP, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 0);
	for (i = 0; i < CAP; i++)
		some[i] = get(test);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.news), CAP);
	put_some(some, CAP);
}

/* Victims stay victims. Objects that the shared cache has no room for are destroyed. */
static void objects_of_a_dead_cpu_keep_their_generation(struct kunit *test)
{
	unsigned int there = other_cpu(test);
	struct thing *some[3 * CAP];

	things(test);
	get_some(test, some, 3 * CAP);
	put_there(there, some, CAP);
	end_generation();
	put_there(there, some + CAP, 2 * CAP);
	expect_holds(test, 2 * CAP, CAP);
	kspan_pool_drain(there);
	expect_holds(test, CAP, CAP);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), CAP);
	end_generation();
	expect_holds(test, 0, CAP);
}

/* Shrinker and clock */

static void shrinker_ends_generations(struct kunit *test)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nr_to_scan = 1 };
	struct thing *some[CAP];

	things(test);
	KUNIT_EXPECT_EQ(test, kspan_pool_shrink_count(NULL, &sc), 0UL);
	get_some(test, some, CAP);
	put_some(some, CAP);
	KUNIT_EXPECT_EQ(test, kspan_pool_shrink_count(NULL, &sc), 1UL * CAP);
	KUNIT_EXPECT_EQ(test, kspan_pool_shrink_scan(NULL, &sc), 0UL);
	KUNIT_EXPECT_EQ(test, sc.nr_scanned, 1UL * CAP);
	expect_holds(test, 0, CAP);
	KUNIT_EXPECT_EQ(test, kspan_pool_shrink_count(NULL, &sc), 1UL * CAP);
	KUNIT_EXPECT_EQ(test, kspan_pool_shrink_scan(NULL, &sc), 1UL * CAP);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), CAP);
	KUNIT_EXPECT_EQ(test, kspan_pool_shrink_count(NULL, &sc), 0UL);
}

/* Have the kernel call all shrinkers. */
static bool shrink_all(void)
{
	struct file *file = filp_open("/proc/sys/vm/drop_caches", O_WRONLY, 0);
	loff_t pos = 0;
	ssize_t done;

	if (IS_ERR(file))
		return false;
	done = kernel_write(file, "2\n", 2, &pos);
	filp_close(file, NULL);
	return done == 2;
}

static void memory_pressure_reaches_all_cpus(struct kunit *test)
{
	struct thing *some[2 * CAP];
	unsigned int i;

	things(test);
	get_some(test, some, 2 * CAP);
	put_there(other_cpu(test), some, CAP);
	put_some(some + CAP, CAP);
	for (i = 0; i < 4 && stats().drops < 2 * CAP; i++) {
		if (!shrink_all())
			kunit_skip(test, "no /proc/sys/vm/drop_caches");
		kspan_pool_settle();
	}
	KUNIT_EXPECT_GE(test, stats().generations, 2ULL);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 2 * CAP);
	expect_holds(test, 0, 0);
}

static void clock_ends_generations(struct kunit *test)
{
	unsigned long now, interval = 100 * HZ;

	kspan_pool_seconds = 100;
	things(test);
	kspan_pool_end_generation();
	now = jiffies;
	KUNIT_EXPECT_EQ(test, kspan_pool_tick(now), 0UL);
	kspan_pool_put(fixture.pool, get(test));
	KUNIT_EXPECT_GT(test, kspan_pool_tick(now + 1), interval - HZ);
	expect_holds(test, 1, 0);
	KUNIT_EXPECT_EQ(test, kspan_pool_tick(now + interval), interval);
	expect_holds(test, 0, 1);
	/* The clock is early, as after a generation that the shrinker ended. It must wait. */
	KUNIT_EXPECT_EQ(test, kspan_pool_tick(now + 2 * interval - 5), 5UL);
	expect_holds(test, 0, 1);
	KUNIT_EXPECT_EQ(test, kspan_pool_tick(now + 2 * interval), 0UL);
	expect_holds(test, 0, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 1);
}

static void clock_is_off_where_it_is_told_to(struct kunit *test)
{
	things(test);
	kspan_pool_put(fixture.pool, get(test));
	KUNIT_EXPECT_FALSE(test, kspan_pool_clock_runs());
	KUNIT_EXPECT_EQ(test, kspan_pool_tick(jiffies + 86400 * HZ), 0UL);
	expect_holds(test, 1, 0);
}

static void clock_sleeps_while_pools_are_empty(struct kunit *test)
{
	struct thing *thing;
	unsigned int i;

	kspan_pool_seconds = 1000;
	things(test);
	KUNIT_EXPECT_FALSE(test, kspan_pool_clock_runs());
	for (i = 0; i < 3; i++) {
		thing = get(test);
		KUNIT_EXPECT_FALSE(test, kspan_pool_clock_runs());
		kspan_pool_put(fixture.pool, thing);
		KUNIT_EXPECT_TRUE(test, kspan_pool_clock_runs());
		end_generation();
		KUNIT_EXPECT_TRUE(test, kspan_pool_clock_runs());
		end_generation();
		KUNIT_EXPECT_FALSE(test, kspan_pool_clock_runs());
	}
	kspan_pool_put(fixture.pool, get(test));
	KUNIT_EXPECT_TRUE(test, kspan_pool_clock_runs());
	kspan_pool_destroy(fixture.pool);
	fixture.pool = NULL;
	KUNIT_EXPECT_FALSE(test, kspan_pool_clock_runs());
}

static void clock_of_another_cpu_sleeps_too(struct kunit *test)
{
	unsigned int there = other_cpu(test);
	struct thing *thing;

	kspan_pool_seconds = 1000;
	things(test);
	thing = get(test);
	put_there(there, &thing, 1);
	KUNIT_EXPECT_TRUE(test, kspan_pool_clock_runs());
	kspan_pool_trim();
	KUNIT_EXPECT_FALSE(test, kspan_pool_clock_runs());
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 1);
}

static void file_has_a_line_per_pool(struct kunit *test)
{
	static const char first[] = "# kspan pools v1: name module primary victim ";
	struct seq_file m = { .size = 2048 };
	struct thing *some[3];

	m.buf = kunit_kzalloc(test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	things(test);
	get_some(test, some, 3);
	put_some(some, 3);
	end_generation();
	some[0] = get(test);
	put_some(some, 1);
	kspan_pools_show(&m, false);
	KUNIT_EXPECT_EQ(test, strncmp(m.buf, first, strlen(first)), 0);
	KUNIT_EXPECT_NOT_NULL_MSG(test,
				  strstr(m.buf, "\nthings kspan_kunit 1 2 4 1 3 4 0 1\n"),
				  "%s", m.buf);
}

/* Spaces and control characters in a name must not break the line of the table. */
static void name_is_a_word(struct kunit *test)
{
	struct kspan_pool_ops ops = { .name = "a b\nc\x1b", .size = 64 };
	struct seq_file m = { .size = 2048 };
	struct kspan_pool *pool;

	m.buf = kunit_kzalloc(test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	pool = kspan_pool_create(&ops, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	kspan_pools_show(&m, false);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(m.buf, "\na\\040b\\012c\\033 kspan_kunit 0 0 "),
				  "%s", m.buf);
	kspan_pool_destroy(pool);
}

/* Interrupts */

static void get_and_put(void *data)
{
	struct thing **found = data;

	*found = kspan_pool_get_gfp(fixture.pool, GFP_ATOMIC);
	kspan_pool_put(fixture.pool, *found);
}

static void any_context_will_do(struct kunit *test)
{
	static const struct context * const contexts[] = {
		&context_task, &context_preempt_off, &context_softirqs_off, &context_irqs_off,
		&context_raw_lock, &context_softirq, &context_hardirq, &context_nmi, &context_trap,
	};
	struct thing *mine, *found;
	struct context_job job = { .fn = get_and_put, .data = &found };
	unsigned int i, ran = 0;

	things(test);
	mine = get(test);
	kspan_pool_put(fixture.pool, mine);
	for (i = 0; i < ARRAY_SIZE(contexts); i++) {
		found = NULL;
		if (!context_run(contexts[i], &job))
			continue;
		ran++;
		KUNIT_EXPECT_TRUE_MSG(test, job.ran, "%s", contexts[i]->name);
		KUNIT_EXPECT_PTR_EQ_MSG(test, found, mine, "%s", contexts[i]->name);
	}
	KUNIT_EXPECT_EQ(test, stats().hits, (u64)ran);
	KUNIT_EXPECT_EQ(test, mine->resets, ran + 1);
}

/* Run a job in a context, while this CPU's cache of the pool is busy. */
static bool run_over_busy_pool(const struct context *context, struct context_job *job)
{
	struct kspan_pool_cpu *pc;
	bool started;

	job->ran = false;
	if (!kspan_pool_enter(fixture.pool, &pc))
		return false;
	started = context->start(job);
	kspan_pool_leave(pc);
	if (started && context->finish)
		context->finish(job);
	return started;
}

static const struct context * const interrupts[] = {
	&context_hardirq, &context_nmi, &context_trap,
};

/*
 * At first the interrupt makes a new object and puts it into the shared cache. The second time it
 * gets that object.
 */
static void interrupts_keep_away_from_a_busy_cache(struct kunit *test)
{
	struct thing *mine, *found;
	struct context_job job = { .fn = get_and_put, .data = &found };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(interrupts); i++) {
		things(test);
		mine = get(test);
		kspan_pool_put(fixture.pool, mine);
		found = NULL;
		if (run_over_busy_pool(interrupts[i], &job)) {
			struct thing *first = found;

			KUNIT_EXPECT_TRUE_MSG(test, job.ran, "%s", interrupts[i]->name);
			KUNIT_ASSERT_NOT_NULL(test, first);
			KUNIT_EXPECT_PTR_NE(test, first, mine);
			KUNIT_EXPECT_TRUE(test, run_over_busy_pool(interrupts[i], &job));
			KUNIT_EXPECT_PTR_EQ(test, found, first);
			KUNIT_EXPECT_EQ(test, stats().hits, 1ULL);
			KUNIT_EXPECT_EQ(test, stats().news, 2ULL);
			KUNIT_EXPECT_EQ(test, stats().puts, 3ULL);
			expect_holds(test, 2, 0);
		} else {
			kunit_info(test, "no way to be %s\n", interrupts[i]->name);
		}
		kspan_pool_destroy(fixture.pool);
		fixture.pool = NULL;
	}
}

static void nmi_waits_for_no_lock(struct kunit *test)
{
	struct thing *found = NULL;
	struct context_job job = { .fn = get_and_put, .data = &found };
	unsigned long flags;
	bool started;

	/* The NMI must make a new object and destroy it, as it can't take the lock. */
	kspan_kunit_warm(test, sizeof(struct thing));
	things(test);
	raw_spin_lock_irqsave(&fixture.pool->lock, flags);
	started = run_over_busy_pool(&context_trap, &job);
	raw_spin_unlock_irqrestore(&fixture.pool->lock, flags);
	if (!started)
		kunit_skip(test, "no way to be in a trap");
	KUNIT_EXPECT_EQ(test, stats().news, 1ULL);
	KUNIT_EXPECT_EQ(test, stats().drops, 1ULL);
}

/* All of it at once */

#define OPERATIONS	(IS_ENABLED(CONFIG_KASAN) ? 20000 : 60000)
#define HELD		(2 * CAP)

/* A party gets and puts objects. It is a kthread, or the interrupts of a CPU. */
struct party {
	struct rnd_state rnd;
	struct thing *held[HELD];
	unsigned int nr_held;
	unsigned long operations;	/* gets and puts */
	unsigned long failed;		/* gets without an object */
	gfp_t gfp;
	unsigned int cpu;
	unsigned int other_cpu;
	struct party *interrupts;	/* those of the same CPU */
	struct irq_work work;
	call_single_data_t ipi;
	struct completion done;
};

/* Two kthreads, the interrupts of their CPUs, and the case itself. */
static struct party *parties;

static void take(struct party *party)
{
	struct thing *thing = kspan_pool_get_gfp(fixture.pool, party->gfp);

	party->operations++;
	if (!thing) {
		party->failed++;
		return;
	}
	if (thing->magic != MAGIC || atomic_inc_return(&thing->hands) != 1)
		atomic_inc(&fixture.broken);
	thing->uses++;
	party->held[party->nr_held++] = thing;
}

static void put_one(struct party *party)
{
	struct thing *thing = party->held[--party->nr_held];

	party->operations++;
	if (atomic_dec_return(&thing->hands))
		atomic_inc(&fixture.broken);
	kspan_pool_put(fixture.pool, thing);
}

static void interrupt_handler(struct irq_work *work)
{
	struct party *party = container_of(work, struct party, work);

	take(party);
	take(party);
	while (party->nr_held)
		put_one(party);
}

static void queue_interrupt(void *data)
{
	struct party *party = data;

	irq_work_queue(&party->work);
}

/* Send this CPU an interrupt that comes while its cache is busy. */
static void interrupt_myself(struct party *party)
{
	struct kspan_pool_cpu *pc;

	if (!kspan_pool_enter(fixture.pool, &pc))
		return;
	queue_interrupt(party->interrupts);
	kspan_pool_leave(pc);
}

/* This never waits. It sends no interrupt while the last one is under way. */
static void interrupt_the_other(struct party *party)
{
	if (party->other_cpu == party->cpu)
		return;
	preempt_disable();
	smp_call_function_single_async(party->other_cpu, &party->ipi);
	preempt_enable();
}

static long put_all(void *data)
{
	struct party *party = data;

	while (party->nr_held)
		put_one(party);
	return 0;
}

static int thread(void *data)
{
	struct party *party = data;
	unsigned int i;

	for (i = 0; i < OPERATIONS; i++) {
		if (party->nr_held == HELD ||
		    (party->nr_held && kspan_kunit_below(&party->rnd, 2)))
			put_one(party);
		else
			take(party);
		if (i % 8 == 0)
			interrupt_the_other(party);
		if (i % 64 == 0)
			interrupt_myself(party);
		cond_resched();
	}
	put_all(party);
	complete(&party->done);
	return 0;
}

static void init_party(struct party *party, u64 seed, gfp_t gfp)
{
	prandom_seed_state(&party->rnd, seed);
	party->gfp = gfp;
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		party->work = IRQ_WORK_INIT_HARD(interrupt_handler);
	else
		init_irq_work(&party->work, interrupt_handler);
	init_completion(&party->done);
}

static void start_party(struct kunit *test, struct party *party, unsigned int cpu,
			struct party *other)
{
	struct task_struct *task;

	task = kthread_create(thread, party, "kspan_kunit/pool");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	INIT_CSD(&party->ipi, queue_interrupt, other->interrupts);
	kthread_bind(task, cpu);
	wake_up_process(task);
}

/* End generations, call the shrinker, and drain a third CPU, if there is one, as if it died. */
static void disturb(struct party *party, unsigned int third)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nr_to_scan = 128 };
	unsigned int round;

	for (round = 0; !completion_done(&parties[0].done) || !completion_done(&parties[1].done);
	     round++) {
		if (third < nr_cpu_ids) {
			while (party->nr_held < CAP)
				take(party);
			work_on_cpu(third, put_all, party);
		}
		if (round % 2)
			kspan_pool_end_generation();
		else if (kspan_pool_shrink_count(NULL, &sc))
			kspan_pool_shrink_scan(NULL, &sc);
		if (third < nr_cpu_ids)
			kspan_pool_drain(third);
		schedule_timeout_uninterruptible(1);
	}
}

static void stop_interrupts(struct party *party)
{
	/* A CPU serves IPIs in turn. So when this one was served, those before it were. */
	smp_call_function_single(party->cpu, queue_interrupt, party->interrupts, 1);
	irq_work_sync(&party->interrupts->work);
}

static void no_object_is_in_two_hands(struct kunit *test)
{
	u64 seed = kspan_kunit_random_seed(test);
	unsigned int first, second, third, i;
	struct kspan_pool_stats sum;
	unsigned long operations = 0;

	parties = kunit_kcalloc(test, 5, sizeof(*parties), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, parties);
	things(test);
	first = cpumask_first(cpu_online_mask);
	second = cpumask_next(first, cpu_online_mask);
	if (second >= nr_cpu_ids)
		second = first;
	third = cpumask_next(second, cpu_online_mask);
	for (i = 0; i < 5; i++)
		init_party(&parties[i], seed + i,
			   i == 2 || i == 3 ? GFP_ATOMIC | __GFP_NOWARN : GFP_KERNEL);
	for (i = 0; i < 2; i++) {
		parties[i].interrupts = &parties[2 + i];
		parties[i].cpu = i ? second : first;
		parties[i].other_cpu = i ? first : second;
	}
	for (i = 0; i < 2; i++)
		start_party(test, &parties[i], parties[i].cpu, &parties[1 - i]);
	disturb(&parties[4], third);
	for (i = 0; i < 2; i++)
		wait_for_completion(&parties[i].done);
	for (i = 0; i < 2; i++)
		stop_interrupts(&parties[i]);
	kspan_pool_settle();
	for (i = 0; i < 5; i++)
		operations += parties[i].operations;
	sum = stats();
	kunit_info(test, "%lu operations, %llu gets, %llu hits, %llu news, %llu drops, %llu generations\n",
		   operations, sum.gets, sum.hits, sum.news, sum.drops, sum.generations);
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.broken), 0);
	KUNIT_EXPECT_GE(test, operations, 2UL * OPERATIONS);
	KUNIT_EXPECT_GT(test, parties[2].operations + parties[3].operations, 0UL);
	KUNIT_EXPECT_GT(test, sum.drops, 0ULL);
	/* The number depends on the machine. */
	KUNIT_EXPECT_GT(test, sum.generations, 0ULL);
	KUNIT_EXPECT_EQ(test, sum.gets - parties[2].failed - parties[3].failed, sum.puts);
	KUNIT_EXPECT_EQ(test, sum.news, sum.drops + sum.primary + sum.victim);
	KUNIT_EXPECT_EQ(test, sum.news, (u64)atomic_read(&fixture.news));
	KUNIT_EXPECT_EQ(test, parties[0].failed + parties[1].failed, 0UL);
	kspan_verify(test, &kspan_default_heap);
}

static u64 pooled_reports(void)
{
	return kspan_bad_free_count(KSPAN_BAD_FREE_POOLED);
}

/* Put an object twice in a row, and then with another put between. */
static void object_put_twice_is_refused(struct kunit *test)
{
	struct thing *some[3];
	u64 before = pooled_reports();

	things(test);
	get_some(test, some, 2);
	kspan_pool_put(fixture.pool, some[0]);
	kspan_pool_put(fixture.pool, some[0]);
	KUNIT_EXPECT_EQ(test, pooled_reports() - before, 1ULL);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_last().addr, (unsigned long)some[0]);
	kspan_pool_put(fixture.pool, some[1]);
	kspan_pool_put(fixture.pool, some[0]);
	KUNIT_EXPECT_EQ(test, pooled_reports() - before, 2ULL);
	expect_holds(test, 2, 0);
	get_some(test, some, 3);
	KUNIT_EXPECT_PTR_NE(test, some[0], some[1]);
	KUNIT_EXPECT_PTR_NE(test, some[0], some[2]);
	KUNIT_EXPECT_PTR_NE(test, some[1], some[2]);
	put_some(some, 3);
	KUNIT_EXPECT_EQ(test, pooled_reports() - before, 2ULL);
}

/*
 * With pool_check a second put is found wherever the object is: below others, in the shared cache,
 * in a victim, or on another CPU.
 */
static void object_put_twice_is_found_in_all_of_the_pool(struct kunit *test)
{
	struct thing *some[2 * CAP];
	u64 before = pooled_reports();
	unsigned int i;

	things(test);
	get_some(test, some, ARRAY_SIZE(some));
	static_branch_enable(&kspan_pool_check);
	put_some(some, ARRAY_SIZE(some));
	KUNIT_EXPECT_EQ(test, pooled_reports(), before);
	for (i = 0; i < ARRAY_SIZE(some); i++)
		kspan_pool_put(fixture.pool, some[i]);
	KUNIT_EXPECT_EQ(test, pooled_reports() - before, (u64)ARRAY_SIZE(some));
	end_generation();
	for (i = 0; i < ARRAY_SIZE(some); i++)
		kspan_pool_put(fixture.pool, some[i]);
	KUNIT_EXPECT_EQ(test, pooled_reports() - before, 2ULL * ARRAY_SIZE(some));
	expect_holds(test, 0, ARRAY_SIZE(some));
	get_some(test, some, ARRAY_SIZE(some));
	put_some(some, ARRAY_SIZE(some));
	static_branch_disable(&kspan_pool_check);
	KUNIT_EXPECT_EQ(test, pooled_reports() - before, 2ULL * ARRAY_SIZE(some));
	KUNIT_EXPECT_EQ(test, atomic_read(&fixture.destroys), 0);
}

static struct kunit_case pool_cases[] = {
	KUNIT_CASE(new_object_only_when_there_is_none),
	KUNIT_CASE(object_stays_as_it_was_put),
	KUNIT_CASE(size_alone_gives_zeroed_objects),
	KUNIT_CASE(objects_must_be_described),
	KUNIT_CASE(new_is_told_the_flags),
	KUNIT_CASE(without_a_new_object_get_fails),
	KUNIT_CASE(object_lives_through_one_generation),
	KUNIT_CASE(object_unused_for_two_generations_is_destroyed),
	KUNIT_CASE(object_that_is_used_lives),
	KUNIT_CASE(only_unused_objects_are_destroyed),
	KUNIT_CASE(put_beyond_the_cap_destroys),
	KUNIT_CASE(cap_is_of_a_generation),
	KUNIT_CASE(cap_of_one),
	KUNIT_CASE(destroy_destroys_all),
	KUNIT_CASE(generation_ends_on_other_cpus),
	KUNIT_CASE(surplus_of_another_cpu_is_found),
	KUNIT_CASE(objects_go_round_between_cpus),
	KUNIT_CASE(objects_of_a_dead_cpu_are_found),
	KUNIT_CASE(objects_of_a_dead_cpu_keep_their_generation),
	KUNIT_CASE(shrinker_ends_generations),
	KUNIT_CASE(memory_pressure_reaches_all_cpus),
	KUNIT_CASE(clock_ends_generations),
	KUNIT_CASE(clock_is_off_where_it_is_told_to),
	KUNIT_CASE(clock_sleeps_while_pools_are_empty),
	KUNIT_CASE(clock_of_another_cpu_sleeps_too),
	KUNIT_CASE(file_has_a_line_per_pool),
	KUNIT_CASE(name_is_a_word),
	KUNIT_CASE(any_context_will_do),
	KUNIT_CASE(interrupts_keep_away_from_a_busy_cache),
	KUNIT_CASE(nmi_waits_for_no_lock),
	KUNIT_CASE(object_put_twice_is_refused),
	KUNIT_CASE(object_put_twice_is_found_in_all_of_the_pool),
	KUNIT_CASE(no_object_is_in_two_hands),
	{}
};

static struct kunit_suite pool_suite = {
	.name = "kspan_pool",
	.init = pool_init,
	.exit = pool_exit,
	.test_cases = pool_cases,
};

kunit_test_suite(pool_suite);
