// SPDX-License-Identifier: GPL-2.0
/* Frees with a size: a right size frees the object, a wrong one is reported and does not. */
#include <linux/kspan.h>
#include <linux/vmalloc.h>

#include "kspan_kunit.h"

static void expect_refused(struct kunit *test, void *p, size_t size)
{
	u64 before = kspan_bad_free_count(KSPAN_BAD_FREE_SIZE);

	kspan_free_sized(p, size);
	KUNIT_EXPECT_EQ_MSG(test, kspan_bad_free_count(KSPAN_BAD_FREE_SIZE), before + 1,
			    "%zu of %zu bytes", size, kspan_size(p));
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
}

static void expect_freed(struct kunit *test, void *p, size_t size)
{
	u64 before = kspan_bad_frees();

	KUNIT_ASSERT_NOT_NULL(test, p);
	kspan_free_sized(p, size);
	KUNIT_EXPECT_EQ_MSG(test, kspan_bad_frees(), before, "%zu bytes", size);
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
}

/* All sizes that have the same slot, or the same number of pages. */
static void size_of_the_request_frees(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= 4 * KSPAN_MAX_SMALL; size += size / 16 + 1) {
		expect_freed(test, kspan_malloc(size, GFP_KERNEL), size);
		expect_freed(test, kspan_malloc(size, GFP_KERNEL), kspan_size_roundup(size));
	}
	kspan_free_sized(NULL, 5);
	kspan_free_sized(ZERO_SIZE_PTR, 0);
}

static void wrong_sizes_are_refused(struct kunit *test)
{
	static const size_t sizes[] = { 8, 64, 100, 2560, KSPAN_MAX_SMALL, 100000, KSPAN_MAX_SIZE };
	unsigned int i;
	size_t usable;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = kspan_malloc(sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		usable = kspan_size(p);
		expect_refused(test, p, usable + 1);
		expect_refused(test, p, 0);
		expect_refused(test, p, SIZE_MAX);
		expect_refused(test, p, 2 * usable);
		if (usable > 8)
			expect_refused(test, p, usable / 2);
		expect_freed(test, p, sizes[i]);
	}
}

static void report_says_what_it_is(struct kunit *test)
{
	void *p = kspan_malloc(64, GFP_KERNEL);

	kspan_free_sized(p, 65);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_last().kind, KSPAN_BAD_FREE_SIZE);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_last().addr, (unsigned long)p);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_last().class, kspan_size_class(64));
	kspan_free(p);
}

static void pointers_that_are_wrong_are_reported_as_such(struct kunit *test)
{
	u64 foreign = kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN);
	u64 interior = kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR);
	void *p = kspan_malloc(64, GFP_KERNEL);
	u64 here;

	kspan_free_sized(&here, 8);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN), foreign + 1);
	kspan_free_sized(p + 8, 56);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR), interior + 1);
	expect_freed(test, p, 64);
}

static void objects_of_all_kinds(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("sized", 0, 0);
	struct kspan_cache *cache = kspan_cache_create("sized", 100, 64, 0, NULL);
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	p = kspan_heap_malloc(heap, 100, GFP_KERNEL);
	expect_refused(test, p, 300);
	expect_refused(test, p, 10);
	expect_freed(test, p, 100);
	p = kspan_heap_malloc(heap, 100000, GFP_KERNEL);
	expect_refused(test, p, 50000);
	expect_freed(test, p, 100000);
	p = kspan_cache_alloc(cache, GFP_KERNEL);
	expect_refused(test, p, 129);
	expect_freed(test, p, 100);
	p = kspan_tiny_alloc(5, GFP_KERNEL);
	expect_refused(test, p, 17);
	expect_freed(test, p, 5);
	p = kspan_malloc_aligned(100, 64, GFP_KERNEL);
	expect_freed(test, p, 128);
	p = kspan_kvmalloc(KSPAN_MAX_SIZE + 1, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(p));
	expect_refused(test, p, KSPAN_MAX_SIZE);
	expect_freed(test, p, KSPAN_MAX_SIZE + 1);
	p = kspan_realloc(kspan_malloc(100000, GFP_KERNEL), 50000, GFP_KERNEL);
	expect_freed(test, p, 50000);
	kspan_cache_destroy(cache);
	kspan_heap_destroy(heap);
}

static struct kunit_case sized_cases[] = {
	KUNIT_CASE(size_of_the_request_frees),
	KUNIT_CASE(wrong_sizes_are_refused),
	KUNIT_CASE(report_says_what_it_is),
	KUNIT_CASE(pointers_that_are_wrong_are_reported_as_such),
	KUNIT_CASE(objects_of_all_kinds),
	{}
};

static struct kunit_suite sized_suite = {
	.name = "kspan_sized",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = sized_cases,
};

kunit_test_suite(sized_suite);
