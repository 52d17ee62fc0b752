// SPDX-License-Identifier: GPL-2.0
/* Large objects that a CPU keeps when they are freed. */
#include <linux/kspan.h>
#include <linux/string.h>

#include "kspan_kunit.h"

#define SIZE	(8 * KSPAN_PAGE_SIZE)

static struct kspan_large_cache *cache;

static int large_cache_init(struct kunit *test)
{
	kspan_kunit_init(test);
	kspan_large_cache_bytes = 1024 * 1024;
	cache = &raw_cpu_ptr(kspan_default_heap.cpu)->large;
	KUNIT_EXPECT_EQ(test, cache->count, 0U);
	return 0;
}

static void *make(struct kunit *test, size_t size)
{
	void *p = kspan_malloc(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu", size);
	return p;
}

static void expect_kept(struct kunit *test, unsigned int objects, unsigned int bytes)
{
	KUNIT_EXPECT_EQ(test, cache->count, objects);
	KUNIT_EXPECT_EQ(test, cache->pages << KSPAN_PAGE_SHIFT, bytes);
}

static void freed_object_comes_again(struct kunit *test)
{
	void *p = make(test, SIZE);

	kspan_free(p);
	expect_kept(test, 1, SIZE);
	KUNIT_EXPECT_PTR_EQ(test, make(test, SIZE), p);
	expect_kept(test, 0, 0);
	kspan_free(p);
}

static void only_the_same_number_of_pages_fits(struct kunit *test)
{
	void *p = make(test, SIZE), *less, *more;

	kspan_free(p);
	less = make(test, SIZE - KSPAN_PAGE_SIZE);
	more = make(test, SIZE + KSPAN_PAGE_SIZE);
	KUNIT_EXPECT_PTR_NE(test, less, p);
	KUNIT_EXPECT_PTR_NE(test, more, p);
	expect_kept(test, 1, SIZE);
	KUNIT_EXPECT_PTR_EQ(test, make(test, SIZE - KSPAN_PAGE_SIZE + 1), p);
	kspan_free(p);
	kspan_free(less);
	kspan_free(more);
}

/*
 *	A|BBBBBBBB|....		B is not aligned to its length
 */
static void alignment_counts(struct kunit *test)
{
	void *a = make(test, 5 * KSPAN_PAGE_SIZE), *b, *c;

	b = make(test, SIZE - 8);
	KUNIT_ASSERT_FALSE(test, IS_ALIGNED((unsigned long)b, SIZE));
	kspan_free(b);
	c = make(test, SIZE);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)c, SIZE));
	expect_kept(test, 1, SIZE);
	kspan_free(c);
	kspan_free(a);
}

static void objects_beyond_the_fourth_are_freed_to_the_page_heap(struct kunit *test)
{
	struct kspan_page_stats stats;
	void *p[KSPAN_LARGE_CACHED + 2];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = make(test, SIZE);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		kspan_free(p[i]);
	expect_kept(test, KSPAN_LARGE_CACHED, KSPAN_LARGE_CACHED * SIZE);
	kspan_page_stats_read(&stats);
	KUNIT_EXPECT_EQ(test, stats.large.spans, (unsigned long)KSPAN_LARGE_CACHED);
	KUNIT_EXPECT_EQ(test, stats.large.in_use, 0UL);
	/* The objects that were freed first are free pages now. */
	KUNIT_EXPECT_EQ(test, kspan_size(p[0]), 0UL);
	kspan_heap_drain(&kspan_default_heap);
	expect_kept(test, 0, 0);
	kspan_page_stats_read(&stats);
	KUNIT_EXPECT_EQ(test, stats.large.spans, 0UL);
}

static void bytes_are_limited(struct kunit *test)
{
	void *p = make(test, 1024 * 1024 - KSPAN_PAGE_SIZE), *q = make(test, SIZE);

	kspan_free(q);
	expect_kept(test, 1, SIZE);
	/* The larger object takes the place of the smaller one. */
	kspan_free(p);
	expect_kept(test, 1, 1024 * 1024 - KSPAN_PAGE_SIZE);
	p = make(test, 1024 * 1024 + 1);
	kspan_free(p);
	expect_kept(test, 1, 1024 * 1024 - KSPAN_PAGE_SIZE);
}

static void parameter_may_forbid_it(struct kunit *test)
{
	void *p = make(test, SIZE);

	kspan_large_cache_bytes = 0;
	kspan_free(p);
	expect_kept(test, 0, 0);
	kspan_large_cache_bytes = SIZE;
	p = make(test, SIZE);
	kspan_free(p);
	expect_kept(test, 1, SIZE);
}

static void kept_object_is_none(struct kunit *test)
{
	u64 bad = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);
	void *p = make(test, SIZE);

	kspan_free(p);
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
	KUNIT_EXPECT_EQ(test, kspan_size(p), 0UL);
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE), bad + 1);
	expect_kept(test, 1, SIZE);
	p = make(test, SIZE);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
}

static void inside_of_an_object_is_none(struct kunit *test)
{
	u64 bad = kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR);
	void *p = make(test, SIZE);

	kspan_free(p + KSPAN_PAGE_SIZE);
	kspan_free(p + 64);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR), bad + 2);
	expect_kept(test, 0, 0);
	kspan_free(p);
}

static void zeroing_covers_what_was_kept(struct kunit *test)
{
	void *p = make(test, SIZE), *q;

	memset(p, 'x', SIZE);
	kspan_free(p);
	q = kspan_zalloc(SIZE, GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, q, p);
	KUNIT_EXPECT_NULL(test, memchr_inv(q, 0, SIZE));
	kspan_free(q);
}

static void statistics_are_exact(struct kunit *test)
{
	struct kspan_stats before, after;
	void *p, *q;
	int i;

	kspan_stats_read(&before);
	p = make(test, SIZE);
	q = make(test, SIZE + 1);
	for (i = 0; i < 10; i++) {
		kspan_free(p);
		p = make(test, SIZE);
	}
	kspan_stats_read(&after);
	KUNIT_EXPECT_EQ(test, after.mallocs - before.mallocs, 12ULL);
	KUNIT_EXPECT_EQ(test, after.frees - before.frees, 10ULL);
	KUNIT_EXPECT_EQ(test, after.heap_objects - before.heap_objects, 2ULL);
	KUNIT_EXPECT_EQ(test, after.alloc - before.alloc, (u64)(2 * SIZE + KSPAN_PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, after.total_alloc - before.total_alloc,
			(u64)(12 * SIZE + KSPAN_PAGE_SIZE));
	kspan_free(p);
	kspan_free(q);
	kspan_stats_read(&after);
	KUNIT_EXPECT_EQ(test, after.alloc, before.alloc);
	KUNIT_EXPECT_EQ(test, after.heap_cached - before.heap_cached,
			(u64)(2 * SIZE + KSPAN_PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, after.mallocs - after.frees, before.mallocs - before.frees);
}

static void resized_object_is_kept_by_its_new_size(struct kunit *test)
{
	void *p = make(test, SIZE), *q = kspan_realloc(p, SIZE - KSPAN_PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_PTR_EQ(test, q, p);
	kspan_free(q);
	expect_kept(test, 1, SIZE - KSPAN_PAGE_SIZE);
	q = make(test, SIZE - KSPAN_PAGE_SIZE);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	kspan_free(q);
}

static struct kunit_case large_cache_cases[] = {
	KUNIT_CASE(freed_object_comes_again),
	KUNIT_CASE(only_the_same_number_of_pages_fits),
	KUNIT_CASE(alignment_counts),
	KUNIT_CASE(objects_beyond_the_fourth_are_freed_to_the_page_heap),
	KUNIT_CASE(bytes_are_limited),
	KUNIT_CASE(parameter_may_forbid_it),
	KUNIT_CASE(kept_object_is_none),
	KUNIT_CASE(inside_of_an_object_is_none),
	KUNIT_CASE(zeroing_covers_what_was_kept),
	KUNIT_CASE(statistics_are_exact),
	KUNIT_CASE(resized_object_is_kept_by_its_new_size),
	{}
};

static struct kunit_suite large_cache_suite = {
	.name = "kspan_large_cache",
	.init = large_cache_init,
	.exit = kspan_kunit_exit,
	.test_cases = large_cache_cases,
};

kunit_test_suite(large_cache_suite);
