// SPDX-License-Identifier: GPL-2.0
/* Typed caches: exact sizes, constructors, readers under RCU, and destruction. */
#include <linux/cache.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "api/private.h"
#include "context.h"

#define MANY	2000

static void **objects;

static int cache_init(struct kunit *test)
{
	kspan_kunit_init(test);
	objects = kvcalloc(MANY, sizeof(*objects), GFP_KERNEL);
	return objects ? 0 : -ENOMEM;
}

static void cache_exit(struct kunit *test)
{
	kvfree(objects);
	kspan_kunit_exit(test);
}

static struct kspan_heap *heap_of(struct kspan_cache *cache)
{
	return (struct kspan_heap *)cache;
}

static struct kspan_cache *make_cache(struct kunit *test, unsigned int size, unsigned int align,
				      unsigned long flags, void (*ctor)(void *))
{
	struct kspan_cache *cache = kspan_cache_create("kunit cache", size, align, flags, ctor);

	KUNIT_ASSERT_NOT_NULL_MSG(test, cache, "%u %u", size, align);
	return cache;
}

static void *make(struct kunit *test, struct kspan_cache *cache)
{
	void *p = kspan_cache_alloc(cache, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static void make_many(struct kunit *test, struct kspan_cache *cache, unsigned int n)
{
	while (n--)
		objects[n] = make(test, cache);
}

static void free_many(struct kspan_cache *cache, unsigned int n)
{
	while (n--)
		kspan_cache_free(cache, objects[n]);
}

static void finish(struct kunit *test, struct kspan_cache *cache)
{
	kspan_verify(test, heap_of(cache));
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
}

/*
 * Slots have the size of the objects, rounded up to the alignment. They are aligned and do not
 * overlap.
 */
static void try_geometry(struct kunit *test, unsigned int size, unsigned int align,
			 unsigned long flags, unsigned int want_align)
{
	struct kspan_cache *cache = make_cache(test, size, align, flags, NULL);
	unsigned int stride = ALIGN(size, want_align), n, i;
	const struct kspan_size_class *sc = &heap_of(cache)->classes[1];

	KUNIT_EXPECT_EQ(test, kspan_cache_size(cache), stride);
	KUNIT_EXPECT_LE(test, (unsigned long)sc->slots * stride, sc->pages * KSPAN_PAGE_SIZE);
	if (stride <= KSPAN_MAX_SMALL / 2)
		KUNIT_EXPECT_LE(test, sc->pages * KSPAN_PAGE_SIZE -
				(unsigned long)sc->slots * stride, sc->pages * KSPAN_PAGE_SIZE / 8);
	n = clamp_t(size_t, SZ_2M / stride, 2, MANY);
	n = min_t(unsigned int, n, 3 * sc->slots);
	for (i = 0; i < n; i++) {
		objects[i] = make(test, cache);
		KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED((unsigned long)objects[i], want_align),
				      "%u %u: %#lx", size, align, (unsigned long)objects[i]);
		KUNIT_EXPECT_EQ(test, kspan_size(objects[i]), (size_t)stride);
		memset(objects[i], i, size);
	}
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_NULL(test, memchr_inv(objects[i], i & 0xff, size));
		KUNIT_EXPECT_TRUE(test, kspan_owns(objects[i]));
	}
	free_many(cache, n);
	finish(test, cache);
}

static void sizes_are_exact(struct kunit *test)
{
	static const unsigned int sizes[] = {
		1, 7, 8, 9, 24, 40, 72, 100, 136, 200, 520, 1000, 1032, 2000, 3000, 4104, 5000,
		8192, 8200, 12000, 16400, 20008, 32768, 33000, 40000, 70000, 300000,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		try_geometry(test, sizes[i], 0, 0, 8);
}

static void alignments_are_kept(struct kunit *test)
{
	static const unsigned int sizes[] = { 1, 8, 60, 64, 100, 1000, 4096, 5000, 20000 };
	unsigned int i, align;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (align = 1; align <= SZ_64K; align *= 2)
			try_geometry(test, sizes[i], align, 0, max(align, 8U));
	try_geometry(test, KSPAN_MAX_SIZE, KSPAN_MAX_SIZE, 0, KSPAN_MAX_SIZE);
	try_geometry(test, 24, 0, KSPAN_HWCACHE_ALIGN, 32);
	try_geometry(test, 100, 0, KSPAN_HWCACHE_ALIGN, cache_line_size());
	try_geometry(test, 100, 256, KSPAN_HWCACHE_ALIGN, 256);
}

static void wrong_addresses_in_every_geometry(struct kunit *test)
{
	static const unsigned int sizes[] = { 24, 100, 1000, 5000, 33000, 40000, 300000 };
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct kspan_cache *cache = make_cache(test, sizes[i], 0, 0, NULL);
		char *p = make(test, cache);

		for (k = 1; k < sizes[i]; k += k / 3 + 1) {
			u64 before = kspan_bad_frees();

			kspan_cache_free(cache, p + k);
			kspan_heap_drain(heap_of(cache));
			KUNIT_EXPECT_EQ_MSG(test, kspan_bad_frees() - before, 1ULL, "%u + %u",
					    sizes[i], k);
			KUNIT_EXPECT_EQ(test, kspan_size(p + k), 0UL);
		}
		KUNIT_EXPECT_TRUE(test, kspan_owns(p));
		kspan_cache_free(cache, p);
		finish(test, cache);
	}
}

static unsigned int constructed;

static void construct(void *object)
{
	constructed++;
	memset(object, 0xc0, 64);
}

/* The constructor runs once for each slot of a span, however often the slot is allocated. */
static void constructor_runs_once_in_the_life_of_a_slot(struct kunit *test)
{
	struct kspan_cache *cache = make_cache(test, 64, 0, 0, construct);
	unsigned int round, i, first;

	constructed = 0;
	for (round = 0; round < 10; round++) {
		make_many(test, cache, MANY);
		for (i = 0; i < MANY; i++)
			KUNIT_EXPECT_NULL(test, memchr_inv(objects[i], 0xc0, 64));
		if (!round)
			first = constructed;
		free_many(cache, MANY);
	}
	KUNIT_EXPECT_GE(test, first, (unsigned int)MANY);
	KUNIT_EXPECT_LT(test, first, MANY + 2U * heap_of(cache)->classes[1].slots);
	KUNIT_EXPECT_EQ(test, constructed, first);
	KUNIT_EXPECT_GT(test, kspan_cache_trim(cache), 0UL);
	make_many(test, cache, MANY);
	KUNIT_EXPECT_EQ(test, constructed, 2 * first);
	free_many(cache, MANY);
	finish(test, cache);
}

static void state_is_kept_from_free_to_alloc(struct kunit *test)
{
	struct kspan_cache *cache = make_cache(test, 64, 0, 0, construct);
	unsigned int i, marked = 0;

	make_many(test, cache, MANY);
	for (i = 0; i < MANY; i++)
		memcpy(objects[i], &(u32){ 0x12345678 }, 4);
	free_many(cache, MANY);
	make_many(test, cache, MANY);
	for (i = 0; i < MANY; i++) {
		u32 *mark = objects[i];

		KUNIT_EXPECT_TRUE(test, *mark == 0x12345678 || *mark == 0xc0c0c0c0);
		marked += *mark == 0x12345678;
		KUNIT_EXPECT_NULL(test, memchr_inv(mark + 1, 0xc0, 60));
	}
	/* Some slots of the last span are allocated for the first time. */
	KUNIT_EXPECT_GT(test, marked, MANY * 4U / 5);
	free_many(cache, MANY);
	finish(test, cache);
}

static void zeroed_objects_are_zero(struct kunit *test)
{
	struct kspan_cache *cache = make_cache(test, 120, 0, 0, NULL);
	unsigned int i;

	make_many(test, cache, 300);
	for (i = 0; i < 300; i++)
		memset(objects[i], 0xff, 120);
	free_many(cache, 300);
	for (i = 0; i < 100; i++) {
		objects[i] = kspan_cache_zalloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
		KUNIT_EXPECT_NULL(test, memchr_inv(objects[i], 0, 120));
	}
	KUNIT_ASSERT_EQ(test, kspan_cache_alloc_bulk(cache, GFP_KERNEL | __GFP_ZERO, 200,
						     objects + 100), 200U);
	for (i = 100; i < 300; i++)
		KUNIT_EXPECT_NULL(test, memchr_inv(objects[i], 0, 120));
	kspan_cache_free_bulk(cache, 300, objects);
	KUNIT_EXPECT_NULL(test, kspan_cache_alloc(cache, GFP_DMA | __GFP_NOWARN));
	finish(test, cache);
}

static void bulk_is_all_or_nothing(struct kunit *test)
{
	struct kspan_cache *cache = make_cache(test, 5000, 0, 0, NULL);

	KUNIT_EXPECT_EQ(test, kspan_cache_alloc_bulk(cache, GFP_KERNEL, 0, objects), 0U);
	KUNIT_EXPECT_EQ(test, kspan_cache_alloc_bulk(cache, GFP_KERNEL, MANY, objects),
			(unsigned int)MANY);
	KUNIT_EXPECT_EQ(test, kspan_private_live(heap_of(cache)), (unsigned long)MANY);
	kspan_cache_free_bulk(cache, MANY, objects);
	KUNIT_EXPECT_EQ(test, kspan_private_live(heap_of(cache)), 0UL);
	kspan_cache_trim(cache);
	kspan_kunit_needs_faults(test);
	kspan_page_heap_release_all();
	kspan_kunit_fail_arenas(2, 1000);
	KUNIT_EXPECT_EQ(test, kspan_cache_alloc_bulk(cache, GFP_KERNEL | __GFP_NOWARN, MANY,
						     objects), 0U);
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
	KUNIT_EXPECT_EQ(test, kspan_private_live(heap_of(cache)), 0UL);
	finish(test, cache);
}

struct with_head {
	u64 data[10];
	struct rcu_head rcu;
};

static void other_frees_take_its_objects(struct kunit *test)
{
	struct kspan_cache *cache = make_cache(test, sizeof(struct with_head), 0, 0, NULL);
	unsigned int i;

	make_many(test, cache, 40);
	for (i = 0; i < 10; i++)
		kspan_free(objects[i]);
	kspan_free_bulk(10, objects + 10);
	for (i = 20; i < 30; i++)
		kspan_free_rcu((struct with_head *)objects[i], rcu);
	for (i = 30; i < 40; i++)
		kspan_free_rcu_mightsleep(objects[i]);
	/* finish() waits for the frees under RCU. */
	finish(test, cache);
}

static void objects_of_others_are_refused(struct kunit *test)
{
	u64 other = kspan_bad_free_count(KSPAN_BAD_FREE_OTHER_HEAP), all = kspan_bad_frees();
	struct kspan_cache *cache = make_cache(test, 64, 0, 0, NULL);
	struct kspan_cache *stranger = make_cache(test, 64, 0, 0, NULL);
	void *p = make(test, cache), *q = make(test, stranger), *r, *large;

	r = kspan_malloc(64, GFP_KERNEL);
	large = kspan_malloc(100000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r);
	KUNIT_ASSERT_NOT_NULL(test, large);
	/* First the CPU does not remember the span of its last free yet, and then it does. */
	kspan_cache_free(cache, q);
	kspan_cache_free(cache, make(test, cache));
	kspan_cache_free(cache, q);
	kspan_cache_free(cache, r);
	kspan_cache_free(cache, large);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_OTHER_HEAP) - other, 4ULL);
	kspan_cache_free(cache, &other);
	kspan_cache_free(cache, NULL);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - all, 5ULL);
	kspan_cache_free(cache, p);
	kspan_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - all, 6ULL);
	KUNIT_EXPECT_TRUE(test, kspan_owns(q));
	KUNIT_EXPECT_TRUE(test, kspan_owns(large));
	kspan_free(large);
	KUNIT_EXPECT_TRUE(test, kspan_owns(r));
	kspan_cache_free(stranger, q);
	kspan_free(r);
	finish(test, cache);
	finish(test, stranger);
}

static void cache_with_objects_is_not_destroyed(struct kunit *test)
{
	struct kspan_cache *cache = make_cache(test, 72, 0, 0, NULL);

	make_many(test, cache, 100);
	free_many(cache, 99);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), -EBUSY);
	/* After a destruction that failed, the cache works as before. */
	KUNIT_EXPECT_TRUE(test, kspan_owns(objects[99]));
	make_many(test, cache, 99);
	free_many(cache, 100);
	finish(test, cache);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(NULL), 0);
}

struct trimming {
	struct kspan_cache *cache;
	struct completion done;
	size_t bytes;
};

static int trim_cache(void *data)
{
	struct trimming *trimming = data;

	trimming->bytes = kspan_cache_trim(trimming->cache);
	complete(&trimming->done);
	return 0;
}

/*
 * An object that a reader under RCU has found stays an object of the cache until the reader has
 * left.
 */
static void freed_objects_stay_objects_for_readers(struct kunit *test)
{
	struct trimming trimming = {
		.done = COMPLETION_INITIALIZER_ONSTACK(trimming.done),
	};
	struct task_struct *task;
	struct kspan_span *span;
	bool stayed = true;
	unsigned int i;

	trimming.cache = make_cache(test, 1000, 0, KSPAN_TYPESAFE_BY_RCU, construct);
	make_many(test, trimming.cache, 100);
	rcu_read_lock();
	free_many(trimming.cache, 100);
	span = kspan_map_span((unsigned long)objects[0]);
	rcu_read_unlock();
	task = kthread_create(trim_cache, &trimming, "kspan_shrink");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	rcu_read_lock();
	wake_up_process(task);
	for (i = 0; i < 20; i++) {
		mdelay(1);
		stayed &= kspan_map_span((unsigned long)objects[0]) == span &&
			  span->state != KSPAN_SPAN_DEAD &&
			  *(u32 *)objects[0] == 0xc0c0c0c0;
	}
	stayed &= !completion_done(&trimming.done);
	rcu_read_unlock();
	wait_for_completion(&trimming.done);
	KUNIT_EXPECT_TRUE(test, stayed);
	KUNIT_EXPECT_GE(test, trimming.bytes, 100000UL);
	KUNIT_EXPECT_NULL(test, kspan_map_span((unsigned long)objects[0]));
	finish(test, trimming.cache);
}

static void wrong_arguments_are_refused(struct kunit *test)
{
	/* The first refusal is reported. */
	KUNIT_EXPECT_NULL(test, kspan_cache_create("none", 0, 0, 0, NULL));
	KUNIT_EXPECT_NULL(test, kspan_cache_create("crooked", 8, 24, 0, NULL));
	KUNIT_EXPECT_NULL(test, kspan_cache_create("huge", KSPAN_MAX_SIZE + 1, 0, 0, NULL));
	KUNIT_EXPECT_NULL(test, kspan_cache_create("flags", 8, 0, BIT(20), NULL));
	KUNIT_EXPECT_NULL(test, kspan_cache_create("flags", 8, 0, BIT(40), NULL));
	KUNIT_EXPECT_NULL(test, kspan_cache_create("flags", 8, 0, KSPAN_HEAP_TRACK, NULL));
	KUNIT_EXPECT_NULL(test, kspan_cache_create(NULL, 8, 0, 0, NULL));
}

static struct kspan_cache *shared;

static void alloc_and_free(void *data)
{
	void **kept = data;
	void *p;

	kspan_cache_free(shared, *kept);
	*kept = kspan_cache_alloc(shared, GFP_ATOMIC | __GFP_NOWARN);
	p = kspan_cache_alloc(shared, GFP_ATOMIC | __GFP_NOWARN);
	if (p)
		kspan_cache_free(shared, p);
}

static void every_context_may_use_it(struct kunit *test)
{
	static const struct context * const contexts[] = {
		&context_task, &context_preempt_off, &context_irqs_off, &context_softirq,
		&context_hardirq, &context_nmi, &context_trap,
	};
	void *kept = NULL;
	unsigned int i, round;

	shared = make_cache(test, 88, 0, 0, NULL);
	KUNIT_ASSERT_EQ(test, context_open(), 0);
	make_many(test, shared, 100);
	free_many(shared, 100);
	for (i = 0; i < ARRAY_SIZE(contexts); i++)
		for (round = 0; round < 50; round++) {
			struct context_job job = { .fn = alloc_and_free, .data = &kept };

			if (context_run(contexts[i], &job))
				KUNIT_EXPECT_TRUE_MSG(test, job.ran, "%s", contexts[i]->name);
		}
	context_close();
	kspan_cache_free(shared, kept);
	finish(test, shared);
}

struct cache_user {
	struct rnd_state rnd;
	unsigned int broken;
	unsigned int rounds;
};

static int use_cache(void *data)
{
	struct cache_user *user = data;
	void *p[50] = { };
	unsigned int i;

	while (!kthread_should_stop()) {
		i = kspan_kunit_below(&user->rnd, ARRAY_SIZE(p));
		if (p[i]) {
			user->broken += *(void **)p[i] != &p[i];
			kspan_cache_free(shared, p[i]);
		}
		p[i] = kspan_cache_alloc(shared, GFP_KERNEL);
		if (p[i])
			*(void **)p[i] = &p[i];
		else
			user->broken++;
		if (++user->rounds % 100 == 0)
			cond_resched();
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		if (p[i])
			kspan_cache_free(shared, p[i]);
	return 0;
}

static void many_use_it_as_it_is_trimmed(struct kunit *test)
{
	struct task_struct *threads[3];
	unsigned long end = jiffies + HZ / 2;
	static struct cache_user users[3];
	unsigned int i;

	memset(users, 0, sizeof(users));
	shared = make_cache(test, 88, 0, KSPAN_TYPESAFE_BY_RCU, NULL);
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		prandom_seed_state(&users[i].rnd, kspan_kunit_random_seed(test) + i);
		threads[i] = kthread_run(use_cache, &users[i], "kspan_user/%u", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(threads[i]));
	}
	while (time_before(jiffies, end)) {
		kspan_cache_trim(shared);
		cond_resched();
	}
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		kthread_stop(threads[i]);
		KUNIT_EXPECT_EQ(test, users[i].broken, 0U);
		KUNIT_EXPECT_GT(test, users[i].rounds, 0U);
	}
	finish(test, shared);
}

/* Free memory that is not zero, for the next span. */
static void make_dirt(struct kunit *test)
{
	void *p = kspan_malloc(SZ_1M, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0xdd, SZ_1M);
	kspan_free(p);
}

/*
 * Turn init_on_alloc on, unless the kernel was booted with it. Returns whether end_init_on_alloc()
 * must turn it off.
 */
static bool begin_init_on_alloc(struct kunit *test)
{
	if (want_init_on_free()) {
		kunit_skip(test, "init_on_free=1 makes init_on_alloc= void for pages");
		return false;
	}
	if (want_init_on_alloc(0))
		return false;
	static_branch_enable(&init_on_alloc);
	return true;
}

static void end_init_on_alloc(bool turned_on)
{
	if (turned_on)
		static_branch_disable(&init_on_alloc);
}

/*
 * A reader under RCU may look at a freed object. So init_on_alloc must not wipe the object when it
 * is allocated again.
 */
static void init_on_alloc_leaves_what_readers_see(struct kunit *test)
{
	bool turned_on = begin_init_on_alloc(test);
	struct kspan_cache *cache;
	unsigned int i;
	void *p, *bulk[2];

	make_dirt(test);
	cache = make_cache(test, 200, 0, KSPAN_TYPESAFE_BY_RCU, NULL);
	kspan_kunit_pin(test);
	make_many(test, cache, 100);
	for (i = 0; i < 100; i++) {
		KUNIT_EXPECT_NULL_MSG(test, memchr_inv(objects[i], 0, 200), "of a new span");
		memset(objects[i], 's', 200);
	}
	free_many(cache, 100);
	p = make(test, cache);
	KUNIT_EXPECT_NULL_MSG(test, memchr_inv(p, 's', 200), "taken again");
	KUNIT_ASSERT_EQ(test, kspan_cache_alloc_bulk(cache, GFP_KERNEL, 2, bulk), 2U);
	KUNIT_EXPECT_NULL_MSG(test, memchr_inv(bulk[1], 's', 200), "taken with others");
	kspan_cache_free(cache, p);
	p = kspan_cache_zalloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_NULL_MSG(test, memchr_inv(p, 0, 200), "zeroed, as was asked for");
	end_init_on_alloc(turned_on);
	kspan_cache_free(cache, p);
	kspan_cache_free_bulk(cache, 2, bulk);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
}

static void construct_a_word(void *object)
{
	*(unsigned long *)object = 1;
}

/* init_on_alloc wipes the bytes that the constructor does not write. */
static void init_on_alloc_comes_before_the_constructor(struct kunit *test)
{
	bool turned_on = begin_init_on_alloc(test);
	struct kspan_cache *cache;
	unsigned int i;

	make_dirt(test);
	cache = make_cache(test, 200, 0, 0, construct_a_word);
	make_many(test, cache, 100);
	end_init_on_alloc(turned_on);
	for (i = 0; i < 100; i++) {
		KUNIT_EXPECT_EQ(test, *(unsigned long *)objects[i], 1UL);
		KUNIT_EXPECT_NULL(test, memchr_inv(objects[i] + 8, 0, 192));
	}
	free_many(cache, 100);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
}

/* A cache that keeps the contents of free objects must wipe them when their pages leave it. */
static void init_on_free_leaves_nothing_of_a_cache(struct kunit *test)
{
	static const struct { unsigned long flags; void (*ctor)(void *object); } kinds[] = {
		{ 0, construct_a_word }, { KSPAN_TYPESAFE_BY_RCU, NULL },
		{ KSPAN_TYPESAFE_BY_RCU, construct_a_word }, { 0, NULL },
	};
	struct kspan_cache *cache;
	unsigned int i, j, ours;

	if (!want_init_on_free())
		kunit_skip(test, "the kernel was not booted with init_on_free=1");
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		cache = make_cache(test, 200, 0, kinds[i].flags, kinds[i].ctor);
		make_many(test, cache, MANY);
		for (j = 0; j < MANY; j++)
			memset(objects[j], 's', 200);
		free_many(cache, MANY);
		KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
		kspan_private_settle();
		/* The kernel itself wipes pages that were released. */
		for (j = ours = 0; j < MANY; j++) {
			if (kspan_page_heap_state((unsigned long)objects[j]) != KSPAN_PAGE_DROPPED)
				continue;
			ours++;
			KUNIT_EXPECT_NULL_MSG(test, memchr_inv(objects[j], 0, 200), "kind %u", i);
		}
		KUNIT_EXPECT_GT(test, ours, 0U);
	}
}

static struct kunit_case cache_cases[] = {
	KUNIT_CASE(sizes_are_exact),
	KUNIT_CASE(alignments_are_kept),
	KUNIT_CASE(wrong_addresses_in_every_geometry),
	KUNIT_CASE(constructor_runs_once_in_the_life_of_a_slot),
	KUNIT_CASE(state_is_kept_from_free_to_alloc),
	KUNIT_CASE(zeroed_objects_are_zero),
	KUNIT_CASE(bulk_is_all_or_nothing),
	KUNIT_CASE(other_frees_take_its_objects),
	KUNIT_CASE(objects_of_others_are_refused),
	KUNIT_CASE(cache_with_objects_is_not_destroyed),
	KUNIT_CASE(freed_objects_stay_objects_for_readers),
	KUNIT_CASE(wrong_arguments_are_refused),
	KUNIT_CASE(every_context_may_use_it),
	KUNIT_CASE(many_use_it_as_it_is_trimmed),
	KUNIT_CASE(init_on_alloc_leaves_what_readers_see),
	KUNIT_CASE(init_on_alloc_comes_before_the_constructor),
	KUNIT_CASE(init_on_free_leaves_nothing_of_a_cache),
	{}
};

static struct kunit_suite cache_suite = {
	.name = "kspan_cache",
	.init = cache_init,
	.exit = cache_exit,
	.test_cases = cache_cases,
};

kunit_test_suite(cache_suite);
