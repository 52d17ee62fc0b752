// SPDX-License-Identifier: GPL-2.0
/* Large objects: a span for each, in steps of 8 KiB, up to 4 MiB. */
#include <linux/kspan.h>
#include <linux/nodemask.h>
#include <linux/string.h>

#include "kspan_kunit.h"

#define FIRST	(KSPAN_MAX_SMALL + 1)

static void *large(struct kunit *test, size_t size)
{
	void *p = kspan_large_alloc(NULL, size, first_memory_node, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu", size);
	return p;
}

static void large_free(struct kunit *test, void *p)
{
	KUNIT_EXPECT_TRUE(test, kspan_large_free((unsigned long)p));
}

static unsigned long nr_large(void)
{
	struct kspan_page_stats stats;

	kspan_page_stats_read(&stats);
	return stats.large.in_use;
}

static void expect_size(struct kunit *test, size_t size)
{
	size_t usable = ALIGN(size, KSPAN_PAGE_SIZE);
	void *p = large(test, size);

	KUNIT_EXPECT_EQ(test, kspan_large_roundup(size), usable);
	KUNIT_EXPECT_EQ_MSG(test, kspan_large_size((unsigned long)p), usable, "%zu", size);
	KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED((unsigned long)p, kspan_kunit_align(size)),
			      "%zu at %p", size, p);
	large_free(test, p);
}

static void every_step_of_pages(struct kunit *test)
{
	size_t size;

	for (size = ALIGN(FIRST, KSPAN_PAGE_SIZE); size <= KSPAN_MAX_SIZE;
	     size += KSPAN_PAGE_SIZE) {
		expect_size(test, size - KSPAN_PAGE_SIZE + 1);
		expect_size(test, size - 8);
		expect_size(test, size);
	}
}

/*
 *	A|....		A keeps the free pages from starting aligned
 */
static void alignment_is_the_largest_power_of_two_that_divides(struct kunit *test)
{
	void *odd = large(test, 5 * KSPAN_PAGE_SIZE);
	size_t align, factor;

	for (align = KSPAN_PAGE_SIZE; align <= KSPAN_MAX_SIZE; align *= 2)
		for (factor = 1; factor <= 7 && factor * align <= KSPAN_MAX_SIZE; factor += 2)
			if (factor * align >= FIRST)
				expect_size(test, factor * align);
	large_free(test, odd);
}

static void whole_object_is_usable_and_its_own(struct kunit *test)
{
	size_t size = 6 * KSPAN_PAGE_SIZE;
	void *a = large(test, size), *b = large(test, size), *c = large(test, size);

	KUNIT_EXPECT_PTR_EQ(test, b, a + size);
	KUNIT_EXPECT_PTR_EQ(test, c, b + size);
	memset(a, 'a', size);
	memset(c, 'c', size);
	memset(b, 'b', size);
	KUNIT_EXPECT_NULL(test, memchr_inv(a, 'a', size));
	KUNIT_EXPECT_NULL(test, memchr_inv(b, 'b', size));
	KUNIT_EXPECT_NULL(test, memchr_inv(c, 'c', size));
	large_free(test, b);
	KUNIT_EXPECT_NULL(test, memchr_inv(a, 'a', size));
	KUNIT_EXPECT_NULL(test, memchr_inv(c, 'c', size));
	large_free(test, a);
	large_free(test, c);
}

static void hole_is_used_again(struct kunit *test)
{
	void *a = large(test, 6 * KSPAN_PAGE_SIZE), *b = large(test, 6 * KSPAN_PAGE_SIZE);

	large_free(test, a);
	KUNIT_EXPECT_PTR_EQ(test, large(test, 6 * KSPAN_PAGE_SIZE), a);
	large_free(test, a);
	large_free(test, b);
}

static void node_is_the_one_asked_for(struct kunit *test)
{
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		void *p = kspan_large_alloc(NULL, FIRST, nid, GFP_KERNEL | __GFP_THISNODE);

		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(p)), nid);
		large_free(test, p);
	}
}

static void only_the_start_has_a_size(struct kunit *test)
{
	void *p = large(test, FIRST);
	unsigned long addr = (unsigned long)p;

	KUNIT_EXPECT_EQ(test, kspan_large_size(addr + 8), (size_t)0);
	KUNIT_EXPECT_EQ(test, kspan_large_size(addr + KSPAN_PAGE_SIZE), (size_t)0);
	KUNIT_EXPECT_EQ(test, kspan_large_size(addr + KSPAN_KUNIT_PAGES(5)), (size_t)0);
	large_free(test, p);
	KUNIT_EXPECT_EQ(test, kspan_large_size(addr), (size_t)0);
}

static void largest_size_is_kmallocs(struct kunit *test)
{
	void *p = kspan_malloc(KSPAN_MAX_SIZE, GFP_KERNEL);

	KUNIT_EXPECT_EQ(test, (unsigned long)KSPAN_MAX_SIZE, (unsigned long)KMALLOC_MAX_SIZE);
	KUNIT_EXPECT_NOT_NULL(test, p);
	kspan_free(p);
}

static void larger_sizes_are_refused_and_counted(struct kunit *test)
{
	unsigned long refused = kspan_refused(KSPAN_REFUSED_SIZE);
	size_t size = KSPAN_MAX_SIZE + 1;

	OPTIMIZER_HIDE_VAR(size);
	KUNIT_EXPECT_NULL(test, kspan_malloc(size, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_malloc(size, GFP_KERNEL | __GFP_NOFAIL));
	KUNIT_EXPECT_NULL(test, kspan_zalloc(2 * size, GFP_KERNEL));
	size = SIZE_MAX;
	OPTIMIZER_HIDE_VAR(size);
	KUNIT_EXPECT_NULL(test, kspan_malloc(size, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_SIZE) - refused, 4UL);
}

static void address_of_nothing_is_not_ours_to_free(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, kspan_large_free(0));
	KUNIT_EXPECT_FALSE(test, kspan_large_free((unsigned long)test));
	KUNIT_EXPECT_EQ(test, nr_large(), 0UL);
}

static struct kunit_case large_cases[] = {
	KUNIT_CASE(every_step_of_pages),
	KUNIT_CASE(alignment_is_the_largest_power_of_two_that_divides),
	KUNIT_CASE(whole_object_is_usable_and_its_own),
	KUNIT_CASE(hole_is_used_again),
	KUNIT_CASE(node_is_the_one_asked_for),
	KUNIT_CASE(only_the_start_has_a_size),
	KUNIT_CASE(largest_size_is_kmallocs),
	KUNIT_CASE(larger_sizes_are_refused_and_counted),
	KUNIT_CASE(address_of_nothing_is_not_ours_to_free),
	{}
};

static struct kunit_suite large_suite = {
	.name = "kspan_large",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = large_cases,
};

kunit_test_suite(large_suite);
