// SPDX-License-Identifier: GPL-2.0
/*
 * The page allocator's reserves.
 *
 * All ordinary attempts to get pages are made to fail. Then a caller that may use the reserves
 * must get a block of its own, and no other object may get a byte of that block.
 */
#include <linux/kspan.h>
#include <linux/sched/mm.h>

#include "kspan_kunit.h"

/* Ordinary attempts of one request: an arena, a loose block of two pages, and one of one page. */
#define SMALL_ATTEMPTS	3
/*
 * A request for a tiny object tries a block of its span, then a small object. The second attempt
 * looks for no arena, as the first has just done so. The span of tiny objects can't be a shorter
 * one.
 */
#define TINY_ATTEMPTS	(2 + SMALL_ATTEMPTS - 1)
#define LARGE_ATTEMPTS	2

static struct kspan_page_stats before, now;

static int emergency_init(struct kunit *test)
{
	kspan_kunit_init(test);
	kspan_kunit_needs_faults(test);
	kspan_page_stats_read(&before);
	return 0;
}

/* All pages of kspan have been released, so each request needs an arena. */
static void *alloc_failing(struct kunit *test, size_t size, gfp_t gfp, int attempts)
{
	void *p;

	kspan_kunit_fail_arenas(1, attempts);
	p = kspan_malloc(size, gfp | __GFP_NOWARN);
	kspan_kunit_stop_failing();
	return p;
}

static void expect_own_block(struct kunit *test, void *p, size_t bytes)
{
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, kspan_size(p), bytes);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_page_stats_read(&now);
	/* The page heap got no page that it could use for others. */
	KUNIT_EXPECT_EQ(test, now.arenas, before.arenas);
	KUNIT_EXPECT_EQ(test, now.pages, before.pages);
	KUNIT_EXPECT_EQ(test, now.loose - before.loose, bytes >> PAGE_SHIFT);
}

static void expect_all_gone(struct kunit *test)
{
	kspan_page_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.arenas, before.arenas);
	KUNIT_EXPECT_EQ(test, now.pages, before.pages);
	KUNIT_EXPECT_EQ(test, now.loose, before.loose);
}

static void caller_without_reserves_gets_nothing(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, alloc_failing(test, 64, GFP_NOWAIT, SMALL_ATTEMPTS));
	KUNIT_EXPECT_NULL(test, alloc_failing(test, 100000, GFP_NOWAIT, LARGE_ATTEMPTS));
	expect_all_gone(test);
}

static void memalloc_task_gets_a_block_of_its_own(struct kunit *test)
{
	unsigned int noreclaim = memalloc_noreclaim_save();
	void *p = alloc_failing(test, 64, GFP_NOWAIT, SMALL_ATTEMPTS);

	memalloc_noreclaim_restore(noreclaim);
	expect_own_block(test, p, PAGE_SIZE);
	kspan_free(p);
	expect_all_gone(test);
}

static void memalloc_flag_does_the_same(struct kunit *test)
{
	void *p = alloc_failing(test, 64, GFP_NOWAIT | __GFP_MEMALLOC, SMALL_ATTEMPTS);

	expect_own_block(test, p, PAGE_SIZE);
	kspan_free(p);
	expect_all_gone(test);
}

static void nomemalloc_flag_forbids_it(struct kunit *test)
{
	unsigned int noreclaim = memalloc_noreclaim_save();
	void *p = alloc_failing(test, 64, GFP_NOWAIT | __GFP_NOMEMALLOC, SMALL_ATTEMPTS);

	memalloc_noreclaim_restore(noreclaim);
	KUNIT_EXPECT_NULL(test, p);
}

static void large_object_takes_a_power_of_two(struct kunit *test)
{
	void *p = alloc_failing(test, KSPAN_KUNIT_PAGES(5), GFP_NOWAIT | __GFP_MEMALLOC,
				LARGE_ATTEMPTS);

	expect_own_block(test, p, KSPAN_KUNIT_PAGES(8));
	kspan_free(p);
	expect_all_gone(test);
}

static void zeroing_covers_the_whole(struct kunit *test)
{
	void *p = alloc_failing(test, 64, GFP_NOWAIT | __GFP_MEMALLOC | __GFP_ZERO,
				SMALL_ATTEMPTS);

	expect_own_block(test, p, PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(p, 0));
	kspan_free(p);
}

static void others_get_none_of_it(struct kunit *test)
{
	void *p = alloc_failing(test, 64, GFP_NOWAIT | __GFP_MEMALLOC, SMALL_ATTEMPTS);
	void *other;

	expect_own_block(test, p, PAGE_SIZE);
	kspan_kunit_fail_arenas(1, -1);
	other = kspan_malloc(64, GFP_NOWAIT | __GFP_NOWARN);
	kspan_kunit_stop_failing();
	KUNIT_EXPECT_NULL(test, other);
	kspan_free(other);
	kspan_free(p);
}

/* With interrupts off, as under a raw spinlock, the page allocator can't be called. */
static void freed_with_interrupts_off_nobody_gets_it_either(struct kunit *test)
{
	void *p = alloc_failing(test, 64, GFP_NOWAIT | __GFP_MEMALLOC, SMALL_ATTEMPTS);

	expect_own_block(test, p, PAGE_SIZE);
	local_irq_disable();
	kspan_free(p);
	local_irq_enable();
	expect_all_gone(test);
	kspan_page_heap_release_all();
}

static void tiny_object_comes_as_a_whole_page_then(struct kunit *test)
{
	void *p;

	kspan_kunit_fail_arenas(1, TINY_ATTEMPTS);
	p = kspan_tiny_alloc(3, GFP_NOWAIT | __GFP_MEMALLOC | __GFP_NOWARN);
	kspan_kunit_stop_failing();
	expect_own_block(test, p, PAGE_SIZE);
	kspan_free(p);
	expect_all_gone(test);
}

static void ordinary_memory_is_used_first(struct kunit *test)
{
	void *p = kspan_malloc(64, GFP_KERNEL | __GFP_MEMALLOC);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, kspan_size(p), (size_t)64);
	kspan_free(p);
}

static struct kunit_case emergency_cases[] = {
	KUNIT_CASE(caller_without_reserves_gets_nothing),
	KUNIT_CASE(memalloc_task_gets_a_block_of_its_own),
	KUNIT_CASE(memalloc_flag_does_the_same),
	KUNIT_CASE(nomemalloc_flag_forbids_it),
	KUNIT_CASE(large_object_takes_a_power_of_two),
	KUNIT_CASE(zeroing_covers_the_whole),
	KUNIT_CASE(others_get_none_of_it),
	KUNIT_CASE(freed_with_interrupts_off_nobody_gets_it_either),
	KUNIT_CASE(tiny_object_comes_as_a_whole_page_then),
	KUNIT_CASE(ordinary_memory_is_used_first),
	{}
};

static struct kunit_suite emergency_suite = {
	.name = "kspan_emergency",
	.init = emergency_init,
	.exit = kspan_kunit_exit,
	.test_cases = emergency_cases,
};

kunit_test_suite(emergency_suite);
