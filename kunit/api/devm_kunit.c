// SPDX-License-Identifier: GPL-2.0
/* Objects that are freed with a device, and mempools of a typed cache. */
#include <linux/device.h>
#include <linux/kspan.h>
#include <linux/string.h>

#include "api/private.h"
#include "kspan_kunit.h"

static struct device *device;

static void release(struct device *dev)
{
	kfree(dev);
}

static void let_go(void)
{
	if (device)
		put_device(device);
	device = NULL;
}

/* The device is not registered. The last reference to it frees its resources. */
static int devm_init(struct kunit *test)
{
	kspan_kunit_init(test);
	device = kzalloc(sizeof(*device), GFP_KERNEL);
	if (!device)
		return -ENOMEM;
	device_initialize(device);
	device->release = release;
	return 0;
}

static void devm_exit(struct kunit *test)
{
	let_go();
	kspan_kunit_exit(test);
}

static void objects_are_freed_with_the_device(struct kunit *test)
{
	size_t n = SIZE_MAX / 4;
	void *p[7];
	unsigned int i;

	p[0] = devm_kspan_malloc(device, 100, GFP_KERNEL);
	p[1] = devm_kspan_zalloc(device, 100000, GFP_KERNEL);
	p[2] = devm_kspan_malloc_array(device, 10, 10, GFP_KERNEL);
	p[3] = devm_kspan_calloc(device, 10, 10, GFP_KERNEL);
	p[4] = devm_kspan_strdup(device, "a string", GFP_KERNEL);
	p[5] = devm_kspan_asprintf(device, GFP_KERNEL, "%d of %s", 5, "six");
	p[6] = devm_kspan_memdup(device, "xyz", 4, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		KUNIT_ASSERT_TRUE_MSG(test, kspan_owns(p[i]), "%u", i);
	KUNIT_EXPECT_NULL(test, memchr_inv(p[1], 0, 100000));
	KUNIT_EXPECT_NULL(test, memchr_inv(p[3], 0, 100));
	KUNIT_EXPECT_STREQ(test, (char *)p[4], "a string");
	KUNIT_EXPECT_STREQ(test, (char *)p[5], "5 of six");
	KUNIT_EXPECT_STREQ(test, (char *)p[6], "xyz");
	OPTIMIZER_HIDE_VAR(n);
	KUNIT_EXPECT_NULL(test, devm_kspan_calloc(device, n, 8, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, devm_kspan_strdup(device, NULL, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, devm_kspan_malloc(device, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	let_go();
	for (i = 0; i < ARRAY_SIZE(p); i++)
		KUNIT_EXPECT_FALSE_MSG(test, kspan_owns(p[i]), "%u", i);
}

static void one_is_freed_before(struct kunit *test)
{
	void *first = devm_kspan_malloc(device, 100, GFP_KERNEL);
	void *second = devm_kspan_malloc(device, 100, GFP_KERNEL);
	u64 before = kspan_bad_frees();

	devm_kspan_free(device, first);
	KUNIT_EXPECT_FALSE(test, kspan_owns(first));
	KUNIT_EXPECT_TRUE(test, kspan_owns(second));
	devm_kspan_free(device, NULL);
	devm_kspan_free(device, ZERO_SIZE_PTR);
	let_go();
	KUNIT_EXPECT_FALSE(test, kspan_owns(second));
	KUNIT_EXPECT_EQ(test, kspan_bad_frees(), before);
}

static void mempool_takes_its_elements_from_a_cache(struct kunit *test)
{
	struct kspan_cache *cache = kspan_cache_create("elements", 200, 0, 0, NULL);
	mempool_t *pool, embedded;
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	pool = kspan_mempool_create_cache_pool(4, cache);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	p = mempool_alloc(pool, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, kspan_size(p), (size_t)200);
	mempool_free(p, pool);
	/* The mempool has set elements aside, which are objects of the cache. */
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), -EBUSY);
	mempool_destroy(pool);
	KUNIT_ASSERT_EQ(test, kspan_mempool_init_cache_pool(&embedded, 2, cache), 0);
	mempool_exit(&embedded);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
	pool = kspan_mempool_create_malloc_pool(3, 500);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	p = mempool_alloc(pool, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(500));
	mempool_free(p, pool);
	mempool_destroy(pool);
	KUNIT_ASSERT_EQ(test, kspan_mempool_init_malloc_pool(&embedded, 2, 100), 0);
	mempool_exit(&embedded);
}

static struct kunit_case devm_cases[] = {
	KUNIT_CASE(objects_are_freed_with_the_device),
	KUNIT_CASE(one_is_freed_before),
	KUNIT_CASE(mempool_takes_its_elements_from_a_cache),
	{}
};

static struct kunit_suite devm_suite = {
	.name = "kspan_devm",
	.init = devm_init,
	.exit = devm_exit,
	.test_cases = devm_cases,
};

kunit_test_suite(devm_suite);
