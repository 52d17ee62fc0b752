// SPDX-License-Identifier: GPL-2.0
/*
 * Handles: things that a module leaves behind, and things that it destroys twice.
 *
 * The cases pretend that this module is unloaded. It is still there, so a function of it that is
 * called by mistake is counted, and does no other harm.
 */
#include <linux/completion.h>
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/string.h>

#include "api/heaps.h"
#include "api/private.h"
#include "objects/handle.h"
#include "kits/pool.h"
#include "kspan_kunit.h"

#define LEFT	4

static struct {
	atomic_t news;
	atomic_t resets;
	atomic_t destroys;
	atomic_t constructed;
	atomic_t presses;
	struct completion entered;
	struct completion leave;
	bool waits;
} calls;

static unsigned int seconds_before;
static u64 reports;

static void *new_object(gfp_t gfp)
{
	atomic_inc(&calls.news);
	if (calls.waits) {
		complete(&calls.entered);
		wait_for_completion(&calls.leave);
	}
	return kspan_malloc(64, gfp);
}

static void reset_object(void *object)
{
	atomic_inc(&calls.resets);
}

static void destroy_object(void *object)
{
	atomic_inc(&calls.destroys);
	kspan_free(object);
}

static void construct(void *object)
{
	atomic_inc(&calls.constructed);
	memset(object, 0x5a, 64);
}

static void press(struct kspan_heap *heap, size_t size, void *data)
{
	atomic_inc(&calls.presses);
}

static const struct kspan_pool_ops pool_ops = {
	.name = "left pool",
	.new = new_object,
	.reset = reset_object,
	.destroy = destroy_object,
	.cap = LEFT,
};

static const struct kspan_pool_ops sized_ops = {
	.name = "left sized", .size = 64, .cap = LEFT,
};

/* Only the case ends generations. */
static int handle_init(struct kunit *test)
{
	kspan_kunit_init(test);
	memset(&calls, 0, sizeof(calls));
	init_completion(&calls.entered);
	init_completion(&calls.leave);
	seconds_before = kspan_pool_seconds;
	kspan_pool_seconds = 0;
	reports = kspan_bad_free_count(KSPAN_BAD_FREE_HANDLE);
	return 0;
}

static void handle_exit(struct kunit *test)
{
	kspan_pool_seconds = seconds_before;
	kspan_private_settle();
	kspan_kunit_exit(test);
}

static struct kspan_pool *make_pool(struct kunit *test, const struct kspan_pool_ops *ops)
{
	struct kspan_pool *pool = kspan_pool_create(ops, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pool);
	return pool;
}

static void get_all(struct kunit *test, struct kspan_pool *pool, void **objects)
{
	unsigned int i;

	for (i = 0; i < LEFT; i++) {
		objects[i] = kspan_pool_get(pool);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
	}
}

static void put_all(struct kspan_pool *pool, void **objects)
{
	unsigned int i;

	for (i = 0; i < LEFT; i++)
		kspan_pool_put(pool, objects[i]);
}

/*
 * The objects of the pool can be got, but no function of the module is called. So the case must
 * free the objects that the pool can neither keep nor destroy.
 */
static void pool_calls_no_module_that_goes(struct kunit *test)
{
	struct kspan_pool *pool = make_pool(test, &pool_ops);
	void *objects[LEFT], *again[LEFT];
	unsigned int i;

	get_all(test, pool, objects);
	put_all(pool, objects);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls.resets), LEFT);
	kspan_pools_forget(THIS_MODULE);
	kspan_pool_trim();
	get_all(test, pool, again);
	KUNIT_EXPECT_NULL(test, kspan_pool_get(pool));
	put_all(pool, again);
	kspan_pool_trim();
	kspan_pool_destroy(pool);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls.news), LEFT);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls.resets), LEFT);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls.destroys), 0);
	for (i = 0; i < LEFT; i++)
		kspan_free(objects[i]);
}

static void pool_without_functions_goes_on(struct kunit *test)
{
	struct kspan_pool *pool = make_pool(test, &sized_ops);
	void *objects[LEFT];

	kspan_pools_forget(THIS_MODULE);
	get_all(test, pool, objects);
	put_all(pool, objects);
	kspan_pool_trim();
	KUNIT_EXPECT_FALSE(test, kspan_owns(objects[0]));
	kspan_pool_destroy(pool);
}

static int get_thread(void *pool)
{
	kspan_free(kspan_pool_get(pool));
	return 0;
}

static int forget_thread(void *unused)
{
	kspan_pools_forget(THIS_MODULE);
	complete(&calls.entered);
	return 0;
}

static void call_under_way_is_waited_for(struct kunit *test)
{
	struct kspan_pool *pool = make_pool(test, &pool_ops);
	struct task_struct *task;

	calls.waits = true;
	task = kthread_run(get_thread, pool, "kspan_get");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	wait_for_completion(&calls.entered);
	task = kthread_run(forget_thread, NULL, "kspan_forget");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&calls.entered, HZ / 5), 0UL);
	complete(&calls.leave);
	wait_for_completion(&calls.entered);
	kspan_pool_destroy(pool);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls.news), 1);
}

/* Constructed objects can be allocated, but no new one is constructed. */
static void cache_calls_no_module_that_goes(struct kunit *test)
{
	struct kspan_cache *cache = kspan_cache_create("left cache", 64, 0, 0, construct);
	unsigned int constructed, n = 0, max = 20000;
	void **objects = kvcalloc(max, sizeof(*objects), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, cache);
	KUNIT_ASSERT_NOT_NULL(test, objects);
	objects[n] = kspan_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objects[n++]);
	kspan_private_forget(THIS_MODULE);
	constructed = atomic_read(&calls.constructed);
	while (n < max && (objects[n] = kspan_cache_alloc(cache, GFP_KERNEL | __GFP_NOWARN))) {
		KUNIT_EXPECT_NULL(test, memchr_inv(objects[n], 0x5a, 64));
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, constructed);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls.constructed), constructed);
	kspan_cache_free_bulk(cache, n, objects);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
	kvfree(objects);
}

static void heap_calls_no_module_that_goes(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("left heap", SZ_64K, 0);

	KUNIT_ASSERT_NOT_NULL(test, heap);
	kspan_heap_set_pressure(heap, press, NULL);
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(heap, SZ_128K, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_EQ(test, atomic_read(&calls.presses), 1);
	kspan_private_forget(THIS_MODULE);
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(heap, SZ_128K, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_EQ(test, atomic_read(&calls.presses), 1);
	kspan_heap_destroy(heap);
}

/* One thing of each kind. */
struct made {
	struct kspan_heap *heap;
	struct kspan_cache *cache;
	struct kspan_pool *pool;
	struct kspan_fixed_pool *fixed;
	struct kspan_region *region;
	struct kspan_cpu_region *regions;
};

/* Reports name this function as the call site. */
static noinline struct made make_all(void)
{
	return (struct made) {
		.heap = kspan_heap_create("left heap", 0, 0),
		.cache = kspan_cache_create("left cache", 64, 0, 0, construct),
		.pool = kspan_pool_create(&sized_ops, GFP_KERNEL),
		.fixed = kspan_fixed_pool_create(64, 0, 64, GFP_KERNEL),
		.region = kspan_region_create(NULL, 0, GFP_KERNEL),
		.regions = kspan_cpu_region_create(NULL, 0, GFP_KERNEL),
	};
}

static void what_is_left_behind_is_told(struct kunit *test)
{
	struct made made = make_all();
	static const char * const told[] = {
		"leaves behind: heap left heap, made by make_all",
		"leaves behind: cache left cache, made by make_all",
		"leaves behind: pool left sized, made by make_all",
		"leaves behind: fixed pool, made by make_all",
		"leaves behind: region, made by make_all",
		"leaves behind: region for each CPU, made by make_all",
		"cache left cache of module kspan_kunit: its constructor goes",
	};
	struct kmsg_dump_iter log;
	unsigned int i;

	kspan_kunit_log_begin(&log);
	kspan_private_forget(THIS_MODULE);
	KUNIT_EXPECT_EQ(test, kspan_handles_forget(THIS_MODULE), 6U);
	for (i = 0; i < ARRAY_SIZE(told); i++)
		KUNIT_EXPECT_TRUE_MSG(test, kspan_kunit_logged(&log, told[i]), "%s", told[i]);
	KUNIT_EXPECT_EQ(test, kspan_handles_forget(THIS_MODULE), 0U);
	kspan_heap_destroy(made.heap);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(made.cache), 0);
	kspan_pool_destroy(made.pool);
	kspan_fixed_pool_destroy(made.fixed);
	kspan_region_destroy(made.region);
	kspan_cpu_region_destroy(made.regions);
}

static void what_was_destroyed_is_not_told(struct kunit *test)
{
	kspan_heap_destroy(kspan_heap_create("gone", 0, 0));
	kspan_region_destroy(kspan_region_create(NULL, 0, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, kspan_handles_forget(THIS_MODULE), 0U);
}

static void expect_reported(struct kunit *test, const void *what)
{
	struct kspan_bad_free last = kspan_bad_free_last();

	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_HANDLE), ++reports);
	KUNIT_EXPECT_EQ(test, (int)last.kind, (int)KSPAN_BAD_FREE_HANDLE);
	KUNIT_EXPECT_EQ(test, last.addr, (unsigned long)what);
}

static void second_destruction_is_reported(struct kunit *test)
{
	struct made made = make_all();
	u64 all = kspan_bad_frees();

	kspan_heap_destroy(made.heap);
	kspan_heap_destroy(made.heap);
	expect_reported(test, made.heap);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(made.cache), 0);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(made.cache), -EINVAL);
	expect_reported(test, made.cache);
	kspan_pool_destroy(made.pool);
	kspan_pool_destroy(made.pool);
	expect_reported(test, made.pool);
	kspan_fixed_pool_destroy(made.fixed);
	kspan_fixed_pool_destroy(made.fixed);
	expect_reported(test, made.fixed);
	kspan_region_destroy(made.region);
	kspan_region_destroy(made.region);
	expect_reported(test, made.region);
	kspan_cpu_region_destroy(made.regions);
	kspan_cpu_region_destroy(made.regions);
	expect_reported(test, made.regions);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - all, 6ULL);
}

/* kspan must not read or write these addresses. One is not even memory. */
static void what_never_was_is_reported(struct kunit *test)
{
	struct kspan_cache *cache = kspan_cache_create("cache", 64, 0, 0, NULL);
	void *wild = (void *)0xdead000000001230UL;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	kspan_heap_destroy(wild);
	expect_reported(test, wild);
	kspan_pool_destroy(wild);
	expect_reported(test, wild);
	kspan_heap_destroy(&kspan_default_heap);
	expect_reported(test, &kspan_default_heap);
	/* A cache is not a heap. */
	kspan_heap_destroy((struct kspan_heap *)cache);
	expect_reported(test, cache);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
}

/* A failed destruction leaves the cache as it was. */
static void cache_with_objects_can_be_destroyed_later(struct kunit *test)
{
	struct kspan_cache *cache = kspan_cache_create("busy", 64, 0, 0, NULL);
	void *object;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	object = kspan_cache_alloc(cache, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), -EBUSY);
	kspan_cache_free(cache, object);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_HANDLE), reports);
}

static void nothing_is_nothing_to_destroy(struct kunit *test)
{
	kspan_heap_destroy(NULL);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(NULL), 0);
	kspan_pool_destroy(NULL);
	kspan_fixed_pool_destroy(NULL);
	kspan_region_destroy(NULL);
	kspan_cpu_region_destroy(NULL);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_HANDLE), reports);
}

static struct kunit_case handle_cases[] = {
	KUNIT_CASE(pool_calls_no_module_that_goes),
	KUNIT_CASE(pool_without_functions_goes_on),
	KUNIT_CASE(call_under_way_is_waited_for),
	KUNIT_CASE(cache_calls_no_module_that_goes),
	KUNIT_CASE(heap_calls_no_module_that_goes),
	KUNIT_CASE(what_is_left_behind_is_told),
	KUNIT_CASE(what_was_destroyed_is_not_told),
	KUNIT_CASE(second_destruction_is_reported),
	KUNIT_CASE(what_never_was_is_reported),
	KUNIT_CASE(cache_with_objects_can_be_destroyed_later),
	KUNIT_CASE(nothing_is_nothing_to_destroy),
	{}
};

static struct kunit_suite handle_suite = {
	.name = "kspan_handle",
	.init = handle_init,
	.exit = handle_exit,
	.test_cases = handle_cases,
};

kunit_test_suite(handle_suite);
