// SPDX-License-Identifier: GPL-2.0
/*
 * Holes: free pages that an arena in use has lost to buddy, and blocks of buddy that fill them
 * again.
 */
#include <linux/delay.h>
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/nodemask.h>
#include <linux/string.h>

#include "kspan_kunit.h"

#define NID	first_memory_node
/* An arena is filled with runs of 8 pages. */
#define RUN	8
#define RUNS	(KSPAN_ARENA_PAGES / RUN)

static struct kspan_span *runs[RUNS];

static struct kspan_page_heap *heap_of_node(void)
{
	return kspan_page_heap(NID);
}

static struct kspan_span *run_alloc(unsigned int npages)
{
	return kspan_page_heap_alloc(NID, npages, 1, 0, GFP_KERNEL | __GFP_THISNODE |
				     __GFP_NORETRY | __GFP_NOWARN);
}

static void run_free(struct kunit *test, struct kspan_span **run)
{
	if (*run)
		KUNIT_EXPECT_TRUE(test, kspan_page_heap_free(*run, (*run)->start,
							     KSPAN_SPAN_LARGE));
	*run = NULL;
}

static void stamp(struct kspan_span *run, u8 with)
{
	memset((void *)run->start, with, kspan_span_bytes(run));
}

static bool is_stamped(struct kspan_span *run, u8 with)
{
	return !memchr_inv((void *)run->start, with, kspan_span_bytes(run));
}

static void free_arena(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < RUNS; i++)
		run_free(test, &runs[i]);
}

/*
 * Skip the case unless buddy has a block of the largest order. It may have to move pages that
 * earlier cases left behind.
 */
static void need_block(struct kunit *test)
{
	struct page *page = alloc_pages_node(NID, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN |
					     __GFP_RETRY_MAYFAIL, KSPAN_ARENA_ORDER);

	if (!page)
		kunit_skip(test, "no free block of order %u on node %d", KSPAN_ARENA_ORDER, NID);
	else
		__free_pages(page, KSPAN_ARENA_ORDER);
}

static void fill_arena(struct kunit *test)
{
	unsigned int i;

	need_block(test);
	for (i = 0; i < RUNS; i++) {
		runs[i] = run_alloc(RUN);
		KUNIT_ASSERT_NOT_NULL(test, runs[i]);
		stamp(runs[i], i);
	}
	/* The block may have been taken by somebody else meanwhile. */
	if (heap_of_node()->nr_arenas != 1)
		kunit_skip(test, "node %d has its free memory in pieces", NID);
}

/* Free what a case that failed has left. */
static void holes_exit(struct kunit *test)
{
	free_arena(test);
	kspan_kunit_exit(test);
}

/* Make every second run free, and then a hole. */
static void make_holes(struct kunit *test)
{
	unsigned int i;

	fill_arena(test);
	for (i = 0; i < RUNS; i += 2)
		run_free(test, &runs[i]);
	KUNIT_ASSERT_EQ(test, kspan_page_heap_release(NID, ULONG_MAX, true),
			KSPAN_ARENA_PAGES / 2UL);
}

static void free_pages_become_holes(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	unsigned long bytes = kspan_arena_bytes();
	unsigned int i;

	fill_arena(test);
	KUNIT_EXPECT_EQ(test, kspan_arena_bytes() - bytes, KSPAN_ARENA_SIZE);
	for (i = 0; i < RUNS; i += 2)
		run_free(test, &runs[i]);
	KUNIT_EXPECT_EQ_MSG(test, kspan_page_heap_release(NID, ULONG_MAX, false), 0UL,
			    "an arena in use");
	KUNIT_EXPECT_EQ(test, kspan_page_heap_release(NID, ULONG_MAX, true),
			KSPAN_ARENA_PAGES / 2UL);
	KUNIT_EXPECT_EQ(test, kspan_arena_bytes() - bytes, KSPAN_ARENA_SIZE / 2);
	KUNIT_EXPECT_EQ(test, ph->holes, KSPAN_ARENA_PAGES / 2UL);
	KUNIT_EXPECT_EQ(test, ph->pages, KSPAN_ARENA_PAGES / 2UL);
	KUNIT_EXPECT_EQ(test, ph->used, ph->pages);
	kspan_verify(test, &kspan_default_heap);
	for (i = 1; i < RUNS; i += 2)
		KUNIT_EXPECT_TRUE_MSG(test, is_stamped(runs[i], i), "run %u", i);
	KUNIT_EXPECT_EQ_MSG(test, kspan_page_heap_release(NID, ULONG_MAX, true), 0UL,
			    "there is nothing left");
	free_arena(test);
	KUNIT_EXPECT_EQ_MSG(test, ph->nr_arenas, 0UL, "what was split is not kept as reserve");
	KUNIT_EXPECT_EQ(test, ph->holes, 0UL);
	KUNIT_EXPECT_EQ(test, kspan_arena_bytes(), bytes);
}

static void pages_of_a_split_arena_are_used_again(struct kunit *test)
{
	struct kspan_span *run;
	unsigned long start;

	make_holes(test);
	start = runs[1]->start;
	run_free(test, &runs[1]);
	KUNIT_EXPECT_EQ(test, heap_of_node()->pages - heap_of_node()->used, (unsigned long)RUN);
	run = run_alloc(RUN);
	KUNIT_ASSERT_NOT_NULL(test, run);
	KUNIT_EXPECT_EQ(test, run->start, start);
	run_free(test, &run);
	/* No run reaches across a hole. */
	run = run_alloc(RUN + 1);
	KUNIT_ASSERT_NOT_NULL(test, run);
	KUNIT_EXPECT_EQ(test, heap_of_node()->nr_arenas, 2UL);
	run_free(test, &run);
	kspan_verify(test, &kspan_default_heap);
	free_arena(test);
}

static void address_in_a_hole_is_foreign(struct kunit *test)
{
	u64 foreign = kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN);
	unsigned long addr;

	fill_arena(test);
	addr = runs[2]->start;
	run_free(test, &runs[2]);
	KUNIT_EXPECT_EQ(test, kspan_page_heap_state(addr), KSPAN_PAGE_WAS_USED);
	KUNIT_EXPECT_EQ(test, kspan_page_heap_release(NID, 1, true), (unsigned long)RUN);
	KUNIT_EXPECT_EQ(test, kspan_page_heap_state(addr), KSPAN_PAGE_FOREIGN);
	KUNIT_EXPECT_EQ(test, kspan_page_heap_state(runs[3]->start), KSPAN_PAGE_WAS_USED);
	KUNIT_EXPECT_FALSE(test, kspan_owns((void *)addr));
	kspan_free((void *)addr);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN) - foreign, 1ULL);
	free_arena(test);
}

/* Order of a block of RUN pages. */
#define ORDER	(ilog2(RUN) + KSPAN_PAGE_ORDER)

/* More single pages than the page allocator keeps on the list of a CPU. */
#define KEPT	16384

static void take_blocks(struct list_head *taken, unsigned int order, unsigned int most)
{
	gfp_t gfp = __GFP_NOWARN | __GFP_NORETRY | __GFP_THISNODE | __GFP_NOMEMALLOC;
	struct page *page;

	while (most-- && (page = alloc_pages_node(NID, gfp, order)))
		list_add_tail(&page->lru, taken);
}

static void free_block(struct page *page, unsigned int order)
{
	list_del(&page->lru);
	__free_pages(page, order);
}

static void free_blocks(struct list_head *taken, unsigned int order)
{
	while (!list_empty(taken))
		free_block(list_first_entry(taken, struct page, lru), order);
}

/*
 * Free every second page. That is much free memory, but hardly any block: the neighbours stay
 * taken.
 */
static void free_every_second(struct list_head *taken)
{
	struct page *page, *next;
	bool second = false;

	list_for_each_entry_safe(page, next, taken, lru) {
		if (second)
			free_block(page, 0);
		second = !second;
	}
}

static struct page *block_in(struct list_head *taken, const struct kspan_arena *arena)
{
	struct page *page;

	list_for_each_entry(page, taken, lru)
		if ((unsigned long)page_address(page) - arena->start < KSPAN_ARENA_SIZE)
			return page;
	return NULL;
}

/*
 * Allocate a run in a new block of its own. The limit forbids a longer block, which other users
 * may have freed meanwhile.
 */
static struct kspan_span *run_in_a_block(void)
{
	struct kspan_span *run;

	kspan_hard_limit = kspan_arena_bytes() + KSPAN_KUNIT_PAGES(RUN);
	run = kspan_page_heap_alloc(NID, RUN, 1, 0, GFP_ATOMIC | __GFP_THISNODE | __GFP_NOWARN);
	kspan_hard_limit = 0;
	return run;
}

/*
 * The case takes all blocks of a run's order but one in a hole. The next run must get that block,
 * and belong to the arena around the hole again.
 */
static void block_fills_a_hole(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	struct kspan_span *run = NULL, *other, *next;
	struct kspan_arena *arena;
	LIST_HEAD(elsewhere);
	struct page *page;
	LIST_HEAD(singles);
	LIST_HEAD(taken);
	unsigned int i;

	fill_arena(test);
	arena = runs[RUNS - 1]->arena;
	/*
	 * Free a quarter of the arena. The page allocator would keep half of it, a block of the
	 * size of a huge page, on the list of a CPU.
	 */
	for (i = 0; i < RUNS / 4; i++)
		run_free(test, &runs[i]);
	KUNIT_ASSERT_EQ(test, kspan_page_heap_release(NID, 1, true), KSPAN_ARENA_PAGES / 4UL);
	/*
	 * A CPU's list serves the page that was freed last, and passes the page that was freed
	 * first on to buddy. So move KEPT other pages through the list: then buddy has the pages
	 * of the hole.
	 */
	take_blocks(&taken, 0, KEPT);
	free_blocks(&taken, 0);
	take_blocks(&singles, 0, KEPT / 2);
	take_blocks(&taken, ORDER, UINT_MAX);
	free_every_second(&singles);
	page = block_in(&taken, arena);
	if (page)
		free_block(page, ORDER);
	while (page && (run = run_in_a_block()) && run->arena != arena)
		list_add(&run->list, &elsewhere);
	free_blocks(&taken, ORDER);
	free_blocks(&singles, 0);
	list_for_each_entry_safe(other, next, &elsewhere, list)
		KUNIT_EXPECT_TRUE(test, kspan_page_heap_free(other, other->start,
							     KSPAN_SPAN_LARGE));
	kspan_page_heap_release(NID, ULONG_MAX, false);
	if (!run) {
		free_arena(test);
		kunit_skip(test, "somebody else has the pages of the hole");
		return;
	}
	KUNIT_EXPECT_EQ(test, ph->nr_arenas, 1UL);
	KUNIT_EXPECT_EQ(test, ph->holes, KSPAN_ARENA_PAGES / 4UL - RUN);
	KUNIT_EXPECT_EQ(test, ph->pages, KSPAN_ARENA_PAGES / 4UL * 3 + RUN);
	KUNIT_EXPECT_EQ(test, ph->used, ph->pages);
	kspan_verify(test, &kspan_default_heap);
	for (i = RUNS / 4; i < RUNS; i++)
		KUNIT_EXPECT_TRUE_MSG(test, is_stamped(runs[i], i), "run %u", i);
	free_arena(test);
	KUNIT_EXPECT_EQ_MSG(test, ph->used, (unsigned long)RUN, "in what was a hole");
	run_free(test, &run);
	KUNIT_EXPECT_EQ(test, ph->nr_arenas, 0UL);
	KUNIT_EXPECT_EQ(test, ph->holes, 0UL);
}

static void sparsest_arena_is_split_first(struct kunit *test)
{
	struct kspan_span *sparse[RUNS], *keep[3];
	struct kspan_arena *arena;
	unsigned int i;

	fill_arena(test);
	for (i = 0; i < RUNS; i++) {
		sparse[i] = run_alloc(RUN);
		KUNIT_ASSERT_NOT_NULL(test, sparse[i]);
	}
	arena = sparse[0]->arena;
	KUNIT_ASSERT_PTR_NE(test, arena, runs[0]->arena);
	/*
	 * The longest free run of both arenas has 16 pages. One arena has one such run, the other
	 * has two.
	 */
	for (i = 0; i < 2; i++) {
		run_free(test, &runs[i]);
		run_free(test, &sparse[i]);
		run_free(test, &sparse[i + 4]);
	}
	KUNIT_EXPECT_EQ(test, kspan_page_heap_release(NID, 1, true), 4UL * RUN);
	KUNIT_EXPECT_EQ(test, arena->holes, 4U * RUN);
	KUNIT_EXPECT_EQ(test, runs[2]->arena->holes, 0U);
	for (i = 0; i < RUNS; i++)
		run_free(test, &sparse[i]);
	/* Only the other arena had no page left in use. So it alone was released. */
	KUNIT_EXPECT_EQ(test, heap_of_node()->nr_arenas, 1UL);
	for (i = 0; i < ARRAY_SIZE(keep); i++) {
		keep[i] = run_alloc(1);
		KUNIT_ASSERT_NOT_NULL(test, keep[i]);
	}
	for (i = 0; i < ARRAY_SIZE(keep); i++)
		run_free(test, &keep[i]);
	free_arena(test);
}

/* The task that makes holes while another task frees runs. */
struct releaser {
	struct task_struct *task;
	unsigned long pages;
};

static int release_all_the_time(void *data)
{
	struct releaser *releaser = data;

	while (!kthread_should_stop()) {
		releaser->pages += kspan_page_heap_release(NID, 1, true);
		cond_resched();
	}
	return 0;
}

static void arenas_empty_while_they_are_split(struct kunit *test)
{
	unsigned long end = jiffies + msecs_to_jiffies(500), rounds = 0;
	struct releaser releaser = { };
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	releaser.task = kthread_run(release_all_the_time, &releaser, "kspan_release");
	KUNIT_ASSERT_FALSE(test, IS_ERR(releaser.task));
	while (time_before(jiffies, end)) {
		i = kspan_kunit_below(&rnd, RUNS);
		if (runs[i]) {
			KUNIT_EXPECT_TRUE(test, is_stamped(runs[i], i));
			run_free(test, &runs[i]);
		} else {
			runs[i] = run_alloc(1 + kspan_kunit_below(&rnd, 3 * RUN));
			if (runs[i])
				stamp(runs[i], i);
		}
		/* Once in a thousand rounds free the whole arena. */
		if (!(++rounds % 1000))
			free_arena(test);
		cond_resched();
	}
	kthread_stop(releaser.task);
	kunit_info(test, "%lu rounds, %lu pages went back\n", rounds, releaser.pages);
	KUNIT_EXPECT_GT(test, releaser.pages, 0UL);
	kspan_verify(test, &kspan_default_heap);
	free_arena(test);
}

/* A request with __GFP_MEMALLOC gets a block of its own, which may lie in a hole. */
static void emergency_block_in_a_hole(struct kunit *test)
{
	struct kspan_span *run;

	make_holes(test);
	run = kspan_page_heap_alloc_emergency(NID, 1, GFP_KERNEL | __GFP_MEMALLOC);
	KUNIT_ASSERT_NOT_NULL(test, run);
	KUNIT_EXPECT_PTR_NE(test, run->arena, runs[1]->arena);
	KUNIT_EXPECT_PTR_EQ(test, kspan_map_span(run->start), run);
	kspan_verify(test, &kspan_default_heap);
	run_free(test, &run);
	free_arena(test);
}

static struct kunit_case holes_cases[] = {
	KUNIT_CASE(free_pages_become_holes),
	KUNIT_CASE(pages_of_a_split_arena_are_used_again),
	KUNIT_CASE(address_in_a_hole_is_foreign),
	KUNIT_CASE(block_fills_a_hole),
	KUNIT_CASE(sparsest_arena_is_split_first),
	KUNIT_CASE(arenas_empty_while_they_are_split),
	KUNIT_CASE(emergency_block_in_a_hole),
	{}
};

static struct kunit_suite holes_suite = {
	.name = "kspan_holes",
	.init = kspan_kunit_init,
	.exit = holes_exit,
	.test_cases = holes_cases,
};

kunit_test_suite(holes_suite);
