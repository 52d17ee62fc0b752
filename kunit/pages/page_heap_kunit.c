// SPDX-License-Identifier: GPL-2.0
/*
 * The page heap.
 *
 * Cases draw one arena of 512 pages. A letter is a run in use, a dot a free page, and a number
 * below a free run is its length. Arenas are empty at first.
 */
#include <linux/bitmap.h>
#include <linux/kspan.h>
#include <linux/nodemask.h>

#include "kspan_kunit.h"
#include "pages/run.h"

#define NID	first_memory_node

static struct kspan_page_heap *heap_of_node(void)
{
	return kspan_page_heap(NID);
}

static struct kspan_span *run_alloc_aligned(struct kunit *test, unsigned int npages,
					    unsigned int align)
{
	struct kspan_span *run = kspan_page_heap_alloc(NID, npages, align, 0,
						       GFP_KERNEL | __GFP_THISNODE);

	KUNIT_ASSERT_NOT_NULL_MSG(test, run, "%u pages", npages);
	KUNIT_ASSERT_EQ(test, kspan_span_npages(run), npages);
	return run;
}

static struct kspan_span *run_alloc(struct kunit *test, unsigned int npages)
{
	return run_alloc_aligned(test, npages, 1);
}

static void run_free(struct kunit *test, struct kspan_span *run)
{
	KUNIT_ASSERT_TRUE(test, kspan_page_heap_free(run, run->start, KSPAN_SPAN_LARGE));
}

/*
 * Allocate @n spans, or as many as there are. One call looks at few runs only, so call until it
 * gets none.
 */
static unsigned int alloc_spans(int nid, unsigned int npages, unsigned int align,
				unsigned int class, unsigned int n, struct list_head *spans)
{
	unsigned int sum = 0, got;

	do {
		got = kspan_page_heap_alloc_spans(nid, npages, align, class, n - sum, spans);
		sum += got;
	} while (got && sum < n);
	return sum;
}

static unsigned long nr_runs(void)
{
	return kspan_page_heap_free_runs(heap_of_node());
}

static unsigned long run_end(const struct kspan_span *run)
{
	return run->start + kspan_span_bytes(run);
}

/* Leave the page heap one empty arena of the largest order, which is one free run. */
static void open_arena(struct kunit *test)
{
	run_free(test, run_alloc(test, KSPAN_ARENA_PAGES));
	KUNIT_ASSERT_EQ(test, heap_of_node()->nr_arenas, 1UL);
	KUNIT_ASSERT_EQ(test, nr_runs(), 1UL);
}

/* Fill a fresh arena from its start with runs side by side. */
static void lay_out(struct kunit *test, struct kspan_span **runs, const u8 *npages, unsigned int n)
{
	unsigned int i;

	open_arena(test);
	for (i = 0; i < n; i++) {
		runs[i] = run_alloc(test, npages[i]);
		if (i)
			KUNIT_ASSERT_EQ(test, runs[i]->start, run_end(runs[i - 1]));
	}
}

static void free_all(struct kunit *test, struct kspan_span **runs, unsigned int n)
{
	while (n--)
		if (runs[n])
			run_free(test, runs[n]);
}

/* Free a run between others. Returns its address. */
static unsigned long punch(struct kunit *test, struct kspan_span **runs, unsigned int i)
{
	unsigned long start = runs[i]->start;

	run_free(test, runs[i]);
	runs[i] = NULL;
	return start;
}

static unsigned int page_of(const struct kspan_arena *arena, unsigned long addr)
{
	return (addr - arena->start) >> KSPAN_PAGE_SHIFT;
}

static void expect_free_run(struct kunit *test, const struct kspan_arena *arena,
			    unsigned long start, unsigned int npages)
{
	unsigned int first = page_of(arena, start);

	KUNIT_EXPECT_EQ(test, find_next_bit(arena->free, arena->npages, first),
			(unsigned long)first);
	KUNIT_EXPECT_EQ(test, kspan_run_around(arena->free, arena->npages, first, 1), npages);
	KUNIT_EXPECT_TRUE(test, !first || !test_bit(first - 1, arena->free));
	KUNIT_EXPECT_GE(test, arena->longest, npages);
	KUNIT_EXPECT_NULL(test, kspan_map_span(start));
}

/*
 *	A.....B...C........D
 *	 5     3   8
 */
static void lowest_run_that_fits_is_taken(struct kunit *test)
{
	static const u8 npages[] = { 1, 5, 1, 3, 1, 8, 1 };
	struct kspan_span *runs[ARRAY_SIZE(npages)];
	struct kspan_span *one, *two, *three, *four, *six;
	unsigned long hole3, hole5, hole8;

	lay_out(test, runs, npages, ARRAY_SIZE(npages));
	hole5 = punch(test, runs, 1);
	hole3 = punch(test, runs, 3);
	hole8 = punch(test, runs, 5);
	three = run_alloc(test, 3);
	four = run_alloc(test, 4);
	six = run_alloc(test, 6);
	KUNIT_EXPECT_EQ(test, three->start, hole5);
	KUNIT_EXPECT_EQ(test, four->start, hole8);
	KUNIT_EXPECT_EQ(test, six->start, run_end(runs[6]));
	one = run_alloc(test, 1);
	two = run_alloc(test, 3);
	KUNIT_EXPECT_EQ(test, one->start, run_end(three));
	KUNIT_EXPECT_EQ(test, two->start, hole3);
	run_free(test, one);
	run_free(test, two);
	run_free(test, three);
	run_free(test, four);
	run_free(test, six);
	free_all(test, runs, ARRAY_SIZE(npages));
}

/*
 *	A...B...C...D		freed last to first, taken first to last
 */
static void lowest_address_among_equals(struct kunit *test)
{
	static const u8 npages[] = { 1, 3, 1, 3, 1, 3, 1 };
	struct kspan_span *runs[ARRAY_SIZE(npages)];
	unsigned long holes[3];
	int i;

	lay_out(test, runs, npages, ARRAY_SIZE(npages));
	for (i = 2; i >= 0; i--)
		holes[i] = punch(test, runs, 2 * i + 1);
	for (i = 0; i < 3; i++) {
		runs[2 * i + 1] = run_alloc(test, 3);
		KUNIT_EXPECT_EQ(test, runs[2 * i + 1]->start, holes[i]);
	}
	free_all(test, runs, ARRAY_SIZE(npages));
}

/*
 *	AAAA....  BBBBBB..  ->  AAAA....  BBBBBBC.	whichever lies lower
 */
static void fuller_arenas_are_taken_from_first(struct kunit *test)
{
	struct kspan_span *half[2], *more, *run;
	unsigned int i;

	for (i = 0; i < 2; i++)
		half[i] = run_alloc(test, KSPAN_ARENA_PAGES * 5 / 8);
	KUNIT_ASSERT_TRUE(test, half[0]->arena != half[1]->arena);
	/*
	 * The first run comes from the arena at the lower address. Then that arena is the fuller
	 * one, and serves the next run, too.
	 */
	more = run_alloc(test, KSPAN_ARENA_PAGES / 4);
	run = run_alloc(test, KSPAN_ARENA_PAGES / 16);
	KUNIT_EXPECT_PTR_EQ(test, run->arena, more->arena);
	run_free(test, run);
	run_free(test, more);
	run_free(test, half[0]);
	run_free(test, half[1]);
}

/* A request never looks into an arena that has no run of its length. */
static void longest_run_is_known(struct kunit *test)
{
	struct kspan_span *runs[KSPAN_ARENA_PAGES / 8], *single, *other;
	struct kspan_arena *arena;
	unsigned int i;

	open_arena(test);
	for (i = 0; i < ARRAY_SIZE(runs); i++)
		runs[i] = run_alloc(test, 8);
	arena = runs[0]->arena;
	KUNIT_EXPECT_EQ(test, arena->used, arena->npages);
	KUNIT_EXPECT_EQ(test, arena->longest, 0U);
	other = run_alloc(test, 1);
	KUNIT_EXPECT_TRUE(test, other->arena != arena);
	run_free(test, runs[3]);
	KUNIT_EXPECT_EQ(test, arena->longest, 8U);
	runs[3] = run_alloc(test, 4);
	KUNIT_EXPECT_EQ(test, arena->longest, 4U);
	single = run_alloc(test, 6);
	KUNIT_EXPECT_PTR_EQ(test, single->arena, other->arena);
	kspan_verify(test, &kspan_default_heap);
	run_free(test, single);
	run_free(test, other);
	free_all(test, runs, ARRAY_SIZE(runs));
}

static void spans_leave_an_exact_bound(struct kunit *test)
{
	struct kspan_span *span;

	open_arena(test);
	span = kspan_page_heap_alloc(NID, 3, 1, kspan_size_class(1024),
				     GFP_KERNEL | __GFP_THISNODE);
	KUNIT_ASSERT_NOT_NULL(test, span);
	KUNIT_EXPECT_EQ(test, span->arena->longest, KSPAN_ARENA_PAGES - 3);
	KUNIT_EXPECT_TRUE(test, kspan_page_heap_free(span, span->start, KSPAN_SPAN_DETACHED));
}

/*
 *	A.....B  ->  ACC...B
 */
static void rest_of_a_split_stays_free(struct kunit *test)
{
	static const u8 npages[] = { 1, 5, 1 };
	struct kspan_span *runs[ARRAY_SIZE(npages)];
	unsigned long hole;

	lay_out(test, runs, npages, ARRAY_SIZE(npages));
	hole = punch(test, runs, 1);
	runs[1] = run_alloc(test, 2);
	KUNIT_EXPECT_EQ(test, runs[1]->start, hole);
	expect_free_run(test, runs[0]->arena, hole + KSPAN_KUNIT_PAGES(2), 3);
	kspan_verify(test, &kspan_default_heap);
	free_all(test, runs, ARRAY_SIZE(npages));
}

/* A run that fits exactly leaves no free run. */
static void exact_fit_leaves_no_run(struct kunit *test)
{
	static const u8 npages[] = { 1, 5, 1 };
	struct kspan_span *runs[ARRAY_SIZE(npages)];
	unsigned long before;

	lay_out(test, runs, npages, ARRAY_SIZE(npages));
	before = nr_runs();
	punch(test, runs, 1);
	KUNIT_EXPECT_EQ(test, nr_runs(), before + 1);
	runs[1] = run_alloc(test, 5);
	KUNIT_EXPECT_EQ(test, nr_runs(), before);
	free_all(test, runs, ARRAY_SIZE(npages));
}

/* Free C of A[1] B[2] C[3] D[4] E[1]. @before tells whether B is free, @after whether D is. */
static void coalesce(struct kunit *test, bool before, bool after)
{
	static const u8 npages[] = { 1, 2, 3, 4, 1 };
	struct kspan_span *runs[ARRAY_SIZE(npages)];
	unsigned long left, start, count;

	lay_out(test, runs, npages, ARRAY_SIZE(npages));
	count = nr_runs();
	left = runs[1]->start;
	if (before)
		punch(test, runs, 1);
	if (after)
		punch(test, runs, 3);
	start = punch(test, runs, 2);
	expect_free_run(test, runs[0]->arena, before ? left : start,
			3 + (before ? 2 : 0) + (after ? 4 : 0));
	KUNIT_EXPECT_EQ(test, nr_runs(), count + 1);
	kspan_verify(test, &kspan_default_heap);
	free_all(test, runs, ARRAY_SIZE(npages));
}

/*
 *	AABBBCCCC  ->  AA...CCCC
 */
static void free_between_used_ones(struct kunit *test)
{
	coalesce(test, false, false);
}

/*
 *	..BBBCCCC  ->  .....CCCC
 */
static void free_coalesces_with_the_run_before(struct kunit *test)
{
	coalesce(test, true, false);
}

/*
 *	AABBB....  ->  AA.......
 */
static void free_coalesces_with_the_run_behind(struct kunit *test)
{
	coalesce(test, false, true);
}

/*
 *	..BBB....  ->  .........
 */
static void free_coalesces_on_both_sides(struct kunit *test)
{
	coalesce(test, true, true);
}

/*
 *	A..CCCC...		A keeps the free run from starting aligned
 */
static void aligned_runs_are_aligned(struct kunit *test)
{
	unsigned int align;

	for (align = 1; align <= KSPAN_ARENA_PAGES / 2; align *= 2) {
		struct kspan_span *odd, *run;

		open_arena(test);
		odd = run_alloc(test, 1);
		run = run_alloc_aligned(test, max(align / 2 + 1, 1U), align);
		KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED(run->start, KSPAN_KUNIT_PAGES(align)),
				      "%u pages at %#lx", align, run->start);
		KUNIT_EXPECT_PTR_EQ(test, run->arena, odd->arena);
		kspan_verify(test, &kspan_default_heap);
		run_free(test, run);
		run_free(test, odd);
	}
}

static void whole_arena_is_aligned_to_its_size(struct kunit *test)
{
	struct kspan_span *run = run_alloc_aligned(test, KSPAN_ARENA_PAGES, KSPAN_ARENA_PAGES);

	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(run->start, KSPAN_ARENA_SIZE));
	run_free(test, run);
}

/*
 *	ABB C DD E FF G HH ...	free runs of 2 pages, each at an odd page
 *
 * There are more of these than a search looks at. So the request takes the long free run behind
 * them.
 */
static void aligned_request_passes_short_runs_by(struct kunit *test)
{
	struct kspan_span *runs[1 + 2 * 12] = { NULL }, *run;
	unsigned int i;

	open_arena(test);
	runs[0] = run_alloc(test, 1);
	for (i = 1; i < ARRAY_SIZE(runs); i++)
		runs[i] = run_alloc(test, 2);
	for (i = 1; i < ARRAY_SIZE(runs); i += 2)
		punch(test, runs, i);
	run = run_alloc_aligned(test, 2, 2);
	KUNIT_EXPECT_EQ(test, run->start, run_end(runs[ARRAY_SIZE(runs) - 1]) + KSPAN_PAGE_SIZE);
	run_free(test, run);
	free_all(test, runs, ARRAY_SIZE(runs));
}

/*
 *	A..B...C  ->  A..BDD.C		the shorter hole is not aligned
 */
static void aligned_request_takes_the_next_length(struct kunit *test)
{
	static const u8 npages[] = { 1, 2, 1, 3, 1 };
	struct kspan_span *runs[ARRAY_SIZE(npages)];
	unsigned long even;

	lay_out(test, runs, npages, ARRAY_SIZE(npages));
	punch(test, runs, 1);
	even = punch(test, runs, 3);
	runs[3] = run_alloc_aligned(test, 2, 2);
	KUNIT_EXPECT_EQ(test, runs[3]->start, even);
	free_all(test, runs, ARRAY_SIZE(npages));
}

/* Buddy often allocates blocks side by side. Free runs of two arenas must not become one. */
static void runs_do_not_cross_arenas(struct kunit *test)
{
	struct kspan_span *runs[8];
	unsigned int i;

	kspan_arena_reserve = ARRAY_SIZE(runs);
	for (i = 0; i < ARRAY_SIZE(runs); i++)
		runs[i] = run_alloc(test, KSPAN_ARENA_PAGES);
	free_all(test, runs, ARRAY_SIZE(runs));
	KUNIT_EXPECT_EQ(test, heap_of_node()->nr_arenas, ARRAY_SIZE(runs));
	KUNIT_EXPECT_EQ(test, nr_runs(), ARRAY_SIZE(runs));
	kspan_verify(test, &kspan_default_heap);
	kspan_page_heap_release_all();
}

static void empty_arenas_but_the_reserve_are_released(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	struct kspan_span *runs[4];
	unsigned int i;
	u64 released = ph->released;

	kspan_arena_reserve = 2;
	for (i = 0; i < ARRAY_SIZE(runs); i++)
		runs[i] = run_alloc(test, KSPAN_ARENA_PAGES);
	KUNIT_EXPECT_EQ(test, ph->nr_empty, 0UL);
	free_all(test, runs, ARRAY_SIZE(runs));
	KUNIT_EXPECT_EQ(test, ph->nr_empty, 2UL);
	KUNIT_EXPECT_EQ(test, ph->nr_arenas, 2UL);
	KUNIT_EXPECT_EQ(test, ph->released - released, 2ULL * KSPAN_ARENA_PAGES);
	kspan_page_heap_release_all();
}

static void no_reserve_keeps_nothing(struct kunit *test)
{
	kspan_arena_reserve = 0;
	run_free(test, run_alloc(test, 1));
	KUNIT_EXPECT_EQ(test, heap_of_node()->nr_arenas, 0UL);
	KUNIT_EXPECT_EQ(test, heap_of_node()->pages, 0UL);
}

static void trim_takes_the_reserve_and_spares_what_is_used(struct kunit *test)
{
	struct kspan_span *whole = run_alloc(test, KSPAN_ARENA_PAGES);
	struct kspan_span *used = run_alloc(test, 1);

	run_free(test, whole);
	KUNIT_EXPECT_EQ(test, heap_of_node()->nr_arenas, 2UL);
	kspan_page_heap_release_all();
	KUNIT_EXPECT_EQ(test, heap_of_node()->nr_arenas, 1UL);
	KUNIT_EXPECT_EQ(test, heap_of_node()->used, 1UL);
	run_free(test, used);
	kspan_page_heap_release_all();
	KUNIT_EXPECT_EQ(test, heap_of_node()->nr_arenas, 0UL);
}

static void counters_follow_large_runs(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	u64 allocs = ph->large_allocs, pages = ph->large_alloc_pages;
	struct kspan_span *a = run_alloc(test, 5), *b = run_alloc(test, 7);

	KUNIT_EXPECT_EQ(test, ph->used, 12UL);
	KUNIT_EXPECT_EQ(test, ph->large, 2UL);
	KUNIT_EXPECT_EQ(test, ph->large_pages, 12UL);
	run_free(test, a);
	KUNIT_EXPECT_EQ(test, ph->used, 7UL);
	KUNIT_EXPECT_EQ(test, ph->large, 1UL);
	KUNIT_EXPECT_EQ(test, ph->large_pages, 7UL);
	KUNIT_EXPECT_EQ(test, ph->large_allocs - allocs, 2ULL);
	KUNIT_EXPECT_EQ(test, ph->large_alloc_pages - pages, 12ULL);
	run_free(test, b);
}

static void run_for_a_class_is_detached_and_mapped(struct kunit *test)
{
	unsigned int class = kspan_size_class(KSPAN_MAX_SMALL), i;
	const struct kspan_size_class *sc = &kspan_size_classes[class];
	struct kspan_span *run;

	run = kspan_page_heap_alloc(NID, sc->pages, sc->align, class, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, run);
	KUNIT_EXPECT_EQ(test, (int)run->state, (int)KSPAN_SPAN_DETACHED);
	for (i = 0; i < sc->pages; i++) {
		unsigned long addr = run->start + KSPAN_KUNIT_PAGES(i);

		KUNIT_EXPECT_PTR_EQ(test, *kspan_map_entry(addr), run);
		/* The map has no class before a central adopts the span. */
		KUNIT_EXPECT_EQ(test, kspan_kunit_page_class(addr), 0U);
	}
	KUNIT_EXPECT_TRUE(test, kspan_page_heap_free(run, run->start, KSPAN_SPAN_DETACHED));
}

/*
 * Another CPU has freed the span, or made another one of it: a free with another state or start
 * must do nothing.
 */
static void only_the_expected_span_is_freed(struct kunit *test)
{
	struct kspan_span *run = run_alloc(test, 5);

	KUNIT_EXPECT_FALSE(test, kspan_page_heap_free(run, run->start, KSPAN_SPAN_DETACHED));
	KUNIT_EXPECT_FALSE(test, kspan_page_heap_free(run, run->start + KSPAN_PAGE_SIZE,
						      KSPAN_SPAN_LARGE));
	KUNIT_EXPECT_EQ(test, heap_of_node()->used, 5UL);
	run_free(test, run);
	KUNIT_EXPECT_FALSE(test, kspan_page_heap_free(run, run->start, KSPAN_SPAN_LARGE));
}

static void touched_pages_are_remembered(struct kunit *test)
{
	struct kspan_span *low = run_alloc(test, 1), *run = run_alloc(test, 3);
	unsigned long start = run->start;

	run_free(test, run);
	KUNIT_EXPECT_EQ(test, kspan_page_heap_state(start), KSPAN_PAGE_WAS_USED);
	KUNIT_EXPECT_EQ(test, kspan_page_heap_state(start + KSPAN_KUNIT_PAGES(3) - 1),
			KSPAN_PAGE_WAS_USED);
	KUNIT_EXPECT_EQ(test, kspan_page_heap_state(start + KSPAN_KUNIT_PAGES(3)),
			KSPAN_PAGE_NEVER_USED);
	run_free(test, low);
	kspan_page_heap_release_all();
	KUNIT_EXPECT_EQ(test, kspan_page_heap_state(start), KSPAN_PAGE_FOREIGN);
}

static void arenas_are_walked_by_address(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	struct kspan_span *runs[3];
	struct kspan_arena *arena;
	unsigned long next = 0, flags;
	unsigned int count = 0, i;

	for (i = 0; i < ARRAY_SIZE(runs); i++)
		runs[i] = run_alloc(test, KSPAN_ARENA_PAGES);
	raw_spin_lock_irqsave(&ph->lock, flags);
	while ((arena = kspan_page_heap_next_arena(ph, next)) && arena->start >= next) {
		next = arena->start + 1;
		count++;
	}
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	KUNIT_EXPECT_EQ(test, count, 3U);
	KUNIT_EXPECT_NULL(test, arena);
	free_all(test, runs, ARRAY_SIZE(runs));
	kspan_page_heap_release_all();
}

/* Make @n spans of a class from free pages. Returns how many were made. */
static unsigned int spans_alloc(size_t size, unsigned int n, struct list_head *spans)
{
	unsigned int class = kspan_size_class(size);
	const struct kspan_size_class *sc = &kspan_size_classes[class];

	return alloc_spans(NID, sc->pages, sc->align, class, n, spans);
}

static struct kspan_span *first_of(struct list_head *spans)
{
	return list_first_entry(spans, struct kspan_span, list);
}

/* The spans must lie side by side, have their full length, be aligned, DETACHED, and in the map. */
static void expect_side_by_side(struct kunit *test, struct list_head *spans, unsigned long start,
				size_t size)
{
	unsigned int class = kspan_size_class(size), i;
	const struct kspan_size_class *sc = &kspan_size_classes[class];
	struct kspan_span *span;

	list_for_each_entry(span, spans, list) {
		KUNIT_EXPECT_EQ(test, span->start, start);
		KUNIT_EXPECT_EQ(test, kspan_span_npages(span), (u32)sc->pages);
		KUNIT_EXPECT_EQ(test, (int)span->state, (int)KSPAN_SPAN_DETACHED);
		KUNIT_EXPECT_EQ(test, (unsigned int)span->class, class);
		KUNIT_EXPECT_EQ(test, (int)span->nid, NID);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(span->start, KSPAN_KUNIT_PAGES(sc->align)));
		for (i = 0; i < sc->pages; i++) {
			unsigned long addr = start + KSPAN_KUNIT_PAGES(i);

			KUNIT_EXPECT_PTR_EQ(test, *kspan_map_entry(addr), span);
			/* The map has no class before a central adopts the span. */
			KUNIT_EXPECT_EQ(test, kspan_kunit_page_class(addr), 0U);
		}
		start += kspan_span_bytes(span);
	}
}

/*
 *	A.......  ->  AS1S2S3.
 */
static void spans_are_taken_side_by_side(struct kunit *test)
{
	static const size_t sizes[] = { 512, 1024, 4096, 24576, 28672 };
	struct kspan_page_heap *ph = heap_of_node();
	unsigned int spares, i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned int pages = kspan_size_classes[kspan_size_class(sizes[i])].pages;
		struct kspan_span *odd;
		LIST_HEAD(spans);

		open_arena(test);
		odd = run_alloc(test, 1);
		spares = ph->nr_spares;
		KUNIT_ASSERT_EQ(test, spans_alloc(sizes[i], 10, &spans), 10U);
		expect_side_by_side(test, &spans, run_end(odd), sizes[i]);
		KUNIT_EXPECT_EQ(test, ph->used, 1UL + 10 * pages);
		KUNIT_EXPECT_EQ(test, ph->nr_spares, spares - 10);
		kspan_verify(test, &kspan_default_heap);
		kspan_page_heap_free_spans(&spans, false);
		KUNIT_EXPECT_EQ(test, ph->used, 1UL);
		KUNIT_EXPECT_EQ(test, ph->nr_spares, spares);
		run_free(test, odd);
	}
}

/*
 *	A...S1S1S1S1S2S2S2S2	spans begin at the first aligned page, and follow side by side
 */
static void aligned_spans_are_side_by_side_too(struct kunit *test)
{
	static const size_t sizes[] = { 16384, KSPAN_MAX_SMALL };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned int align = kspan_size_classes[kspan_size_class(sizes[i])].align;
		struct kspan_span *odd;
		LIST_HEAD(spans);

		open_arena(test);
		odd = run_alloc(test, 1);
		KUNIT_ASSERT_EQ(test, align, (unsigned int)(sizes[i] / KSPAN_PAGE_SIZE));
		KUNIT_ASSERT_EQ(test, spans_alloc(sizes[i], 7, &spans), 7U);
		expect_side_by_side(test, &spans, odd->start + KSPAN_KUNIT_PAGES(align), sizes[i]);
		kspan_page_heap_free_spans(&spans, false);
		run_free(test, odd);
	}
}

/*
 * No class has spans whose length is no multiple of their alignment, but a class may have some
 * day.
 */
static void neighbours_that_are_not_aligned_are_not_taken(struct kunit *test)
{
	unsigned int class = kspan_size_class(1024), n = 0;
	struct kspan_span *span;
	unsigned long start;
	LIST_HEAD(spans);

	open_arena(test);
	KUNIT_ASSERT_EQ(test, alloc_spans(NID, 3, 4, class, 5, &spans), 5U);
	start = first_of(&spans)->start;
	list_for_each_entry(span, &spans, list)
		KUNIT_EXPECT_EQ(test, span->start, start + KSPAN_KUNIT_PAGES(4 * n++));
	kspan_page_heap_free_spans(&spans, false);
}

/*
 *	A..B.C.....D...		->	ASSB.CSSSS.DSS.
 */
static void spans_fill_holes_by_address(struct kunit *test)
{
	static const u8 npages[] = { 1, 2, 1, 1, 1, 5, 1 };
	struct kspan_span *runs[ARRAY_SIZE(npages)], *span;
	unsigned long want[4];
	unsigned int i = 0;
	LIST_HEAD(spans);

	lay_out(test, runs, npages, ARRAY_SIZE(npages));
	want[0] = punch(test, runs, 1);
	punch(test, runs, 3);
	want[1] = punch(test, runs, 5);
	want[2] = want[1] + KSPAN_KUNIT_PAGES(2);
	want[3] = run_end(runs[6]);
	KUNIT_ASSERT_EQ(test, spans_alloc(1024, 4, &spans), 4U);
	list_for_each_entry(span, &spans, list)
		KUNIT_EXPECT_EQ(test, span->start, want[i++]);
	kspan_verify(test, &kspan_default_heap);
	kspan_page_heap_free_spans(&spans, false);
	free_all(test, runs, ARRAY_SIZE(npages));
}

/* Spans leave four descriptors to NMIs, which can't allocate any. */
static void some_descriptors_are_left(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	struct kspan_span *run;
	unsigned int spares;
	LIST_HEAD(spans);
	LIST_HEAD(none);

	open_arena(test);
	spares = ph->nr_spares;
	KUNIT_ASSERT_GT(test, spares, 4U);
	KUNIT_ASSERT_LT(test, spares, KSPAN_ARENA_PAGES);
	KUNIT_EXPECT_EQ(test, spans_alloc(512, 1000, &spans), spares - 4);
	KUNIT_EXPECT_EQ(test, ph->nr_spares, 4U);
	KUNIT_EXPECT_EQ(test, spans_alloc(512, 1, &none), 0U);
	KUNIT_EXPECT_TRUE(test, list_empty(&none));
	run = kspan_page_heap_alloc(NID, 1, 1, 0, KSPAN_GFP_NOLOCK | __GFP_THISNODE);
	KUNIT_EXPECT_NOT_NULL(test, run);
	KUNIT_EXPECT_EQ(test, ph->nr_spares, 3U);
	KUNIT_EXPECT_EQ(test, spans_alloc(512, 1, &none), 0U);
	KUNIT_EXPECT_EQ(test, ph->nr_spares, 3U);
	if (run)
		run_free(test, run);
	kspan_page_heap_free_spans(&spans, false);
}

/*
 * Spans come from free pages only. The page heap allocates no arena when it has none, nor when its
 * arena has too few pages.
 */
static void spans_take_no_arena(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	struct kspan_span *runs[100];
	unsigned int i, want;
	LIST_HEAD(spans);

	KUNIT_ASSERT_EQ(test, ph->nr_arenas, 0UL);
	KUNIT_EXPECT_EQ(test, spans_alloc(1024, 5, &spans), 0U);
	KUNIT_EXPECT_TRUE(test, list_empty(&spans));
	KUNIT_EXPECT_EQ(test, ph->nr_arenas, 0UL);
	/* Allocating single pages makes enough descriptors. */
	for (i = 0; i < ARRAY_SIZE(runs); i++)
		runs[i] = run_alloc(test, 1);
	free_all(test, runs, ARRAY_SIZE(runs));
	KUNIT_ASSERT_EQ(test, ph->nr_arenas, 1UL);
	want = KSPAN_ARENA_PAGES / kspan_size_classes[kspan_size_class(28672)].pages;
	KUNIT_ASSERT_LT(test, want + 4, ph->nr_spares);
	KUNIT_EXPECT_EQ(test, spans_alloc(28672, want + 1, &spans), want);
	KUNIT_EXPECT_EQ(test, ph->nr_arenas, 1UL);
	kspan_verify(test, &kspan_default_heap);
	kspan_page_heap_free_spans(&spans, false);
	KUNIT_EXPECT_EQ(test, ph->used, 0UL);
}

#define MANY	24

/* Sort a list of MANY spans by an array of their places. */
static void sort_spans(struct list_head *spans, const u8 *order)
{
	struct kspan_span *span[MANY], *next;
	unsigned int i = 0;

	list_for_each_entry(next, spans, list)
		span[i++] = next;
	INIT_LIST_HEAD(spans);
	for (i = 0; i < MANY; i++)
		list_add_tail(&span[order[i]]->list, spans);
}

static void expect_one_run(struct kunit *test, const u8 *order, const char *what)
{
	unsigned int pages = MANY * kspan_size_classes[kspan_size_class(1024)].pages;
	struct kspan_span *odd, *rest;
	unsigned long start;
	LIST_HEAD(spans);
	LIST_HEAD(none);

	open_arena(test);
	odd = run_alloc(test, 1);
	KUNIT_ASSERT_EQ(test, spans_alloc(1024, MANY, &spans), (unsigned int)MANY);
	rest = run_alloc(test, KSPAN_ARENA_PAGES - 1 - pages);
	KUNIT_ASSERT_EQ(test, spans_alloc(512, 1, &none), 0U);
	KUNIT_ASSERT_EQ(test, odd->arena->longest, 0U);
	start = first_of(&spans)->start;
	sort_spans(&spans, order);
	kspan_page_heap_free_spans(&spans, false);
	KUNIT_EXPECT_EQ_MSG(test, heap_of_node()->used, (unsigned long)KSPAN_ARENA_PAGES - pages,
			    "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, nr_runs(), 1UL, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, odd->arena->longest, pages, "%s", what);
	expect_free_run(test, odd->arena, start, pages);
	kspan_verify(test, &kspan_default_heap);
	run_free(test, rest);
	run_free(test, odd);
}

static void spans_freed_in_any_order_make_one_run(struct kunit *test)
{
	u8 order[MANY];
	struct rnd_state rnd;
	unsigned int round, i, other;

	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	for (i = 0; i < MANY; i++)
		order[i] = i;
	expect_one_run(test, order, "ascending");
	for (i = 0; i < MANY; i++)
		order[i] = MANY - 1 - i;
	expect_one_run(test, order, "descending");
	/*
	 * From the middle to both sides in turn. Then all with even places, and all with odd ones.
	 */
	for (i = 0; i < MANY; i++)
		order[i] = i % 2 ? MANY / 2 + i / 2 : MANY / 2 - 1 - i / 2;
	expect_one_run(test, order, "to both sides");
	for (i = 0; i < MANY; i++)
		order[i] = i < MANY / 2 ? 2 * i : 2 * (i - MANY / 2) + 1;
	expect_one_run(test, order, "every other one");
	for (round = 0; round < 30; round++) {
		for (i = MANY - 1; i; i--) {
			other = kspan_kunit_below(&rnd, i + 1);
			swap(order[i], order[other]);
		}
		expect_one_run(test, order, "at random");
	}
}

/*
 *	S1S2S3S4S5S6  ->  S1....S4..S6		a part of them
 */
static void spans_between_those_freed_stay(struct kunit *test)
{
	struct kspan_span *span, *next;
	unsigned long used, runs;
	unsigned int i = 0;
	LIST_HEAD(spans);
	LIST_HEAD(some);

	open_arena(test);
	KUNIT_ASSERT_EQ(test, spans_alloc(1024, 6, &spans), 6U);
	used = heap_of_node()->used;
	runs = nr_runs();
	list_for_each_entry_safe(span, next, &spans, list)
		if (BIT(i++) & (BIT(1) | BIT(2) | BIT(4)))
			list_move(&span->list, &some);
	kspan_page_heap_free_spans(&some, false);
	KUNIT_EXPECT_EQ(test, heap_of_node()->used, used - 6);
	KUNIT_EXPECT_EQ(test, nr_runs(), runs + 2);
	kspan_verify(test, &kspan_default_heap);
	kspan_page_heap_free_spans(&spans, false);
	KUNIT_EXPECT_EQ(test, heap_of_node()->used, 0UL);
}

/*
 * Spans of 64 pages fill three arenas. They are freed together, arena by arena or in turn. Then
 * all arenas but the reserve are released.
 */
static void expect_arenas_released(struct kunit *test, unsigned int stride, unsigned int reserve)
{
	unsigned int class = kspan_size_class(1024), n = 3 * KSPAN_ARENA_PAGES / 64, i;
	struct kspan_page_heap *ph = heap_of_node();
	struct kspan_span *span[3 * KSPAN_ARENA_PAGES / 64];
	u64 released = ph->released;
	LIST_HEAD(spans);

	kspan_arena_reserve = reserve;
	for (i = 0; i < n; i++) {
		span[i] = kspan_page_heap_alloc(NID, 64, 1, class, GFP_KERNEL | __GFP_THISNODE);
		KUNIT_ASSERT_NOT_NULL(test, span[i]);
	}
	KUNIT_ASSERT_EQ(test, ph->nr_arenas, 3UL);
	KUNIT_ASSERT_EQ(test, ph->used, ph->pages);
	for (i = 0; i < n; i++)
		list_add_tail(&span[i * stride % n + (i * stride / n)]->list, &spans);
	kspan_page_heap_free_spans(&spans, false);
	KUNIT_EXPECT_EQ(test, ph->used, 0UL);
	KUNIT_EXPECT_EQ(test, ph->nr_arenas, (unsigned long)reserve);
	KUNIT_EXPECT_EQ(test, ph->nr_empty, (unsigned long)reserve);
	KUNIT_EXPECT_EQ(test, ph->released - released, (3ULL - reserve) * KSPAN_ARENA_PAGES);
	kspan_verify(test, &kspan_default_heap);
	kspan_page_heap_release_all();
}

static void spans_of_several_arenas_are_freed_together(struct kunit *test)
{
	unsigned int reserve;

	for (reserve = 0; reserve <= 2; reserve++) {
		expect_arenas_released(test, 1, reserve);
		expect_arenas_released(test, KSPAN_ARENA_PAGES / 64, reserve);
	}
}

static void no_spans_are_nothing_to_free(struct kunit *test)
{
	LIST_HEAD(spans);

	kspan_page_heap_free_spans(&spans, false);
	KUNIT_EXPECT_EQ(test, heap_of_node()->used, 0UL);
}

/*
 * No new arena can be allocated. A request gets a free run of another node, unless it has
 * __GFP_THISNODE.
 */
static void other_nodes_help_out(struct kunit *test)
{
	int other = kspan_kunit_other_node(NID);
	struct kspan_span *there, *run, *none;

	if (other == NUMA_NO_NODE)
		kunit_skip(test, "only one node has memory");
	kspan_kunit_needs_faults(test);
	there = kspan_page_heap_alloc(other, 1, 1, 0, GFP_KERNEL | __GFP_THISNODE);
	KUNIT_ASSERT_NOT_NULL(test, there);
	kspan_kunit_fail_arenas(1, 1000);
	none = kspan_page_heap_alloc(NID, 1, 1, 0, GFP_KERNEL | __GFP_THISNODE);
	run = kspan_page_heap_alloc(NID, 1, 1, 0, GFP_KERNEL);
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
	KUNIT_EXPECT_NULL(test, none);
	KUNIT_ASSERT_NOT_NULL(test, run);
	KUNIT_EXPECT_EQ(test, (int)run->nid, other);
	run_free(test, run);
	run_free(test, there);
}

static void no_memory_gives_null(struct kunit *test)
{
	struct kspan_span *run;

	kspan_kunit_needs_faults(test);
	kspan_kunit_fail_arenas(1, 1000);
	run = kspan_page_heap_alloc(NID, 1, 1, 0, GFP_KERNEL);
	KUNIT_EXPECT_NULL(test, run);
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
}

/* A bitmap of the pages of an arena in use, and the run that begins at each page. */
struct oracle {
	DECLARE_BITMAP(used, KSPAN_ARENA_PAGES);
	unsigned long start;
	struct kspan_span *run[KSPAN_ARENA_PAGES];
	struct rnd_state rnd;
};

/* The first page of the lowest free run of @npages, or -1. */
static int oracle_fit(struct oracle *oracle, unsigned int npages)
{
	unsigned int first = bitmap_find_next_zero_area(oracle->used, KSPAN_ARENA_PAGES, 0,
							npages, 0);

	return first < KSPAN_ARENA_PAGES ? first : -1;
}

static int oracle_page(struct oracle *oracle, const struct kspan_span *run)
{
	return (run->start - oracle->start) >> KSPAN_PAGE_SHIFT;
}

static void oracle_take(struct kunit *test, struct oracle *oracle, struct kspan_span *run,
			unsigned int npages)
{
	int page = oracle_page(oracle, run);

	KUNIT_ASSERT_EQ_MSG(test, run->arena->start, oracle->start, "a new arena was taken");
	KUNIT_ASSERT_GE(test, find_next_bit(oracle->used, KSPAN_ARENA_PAGES, page), page + npages);
	bitmap_set(oracle->used, page, npages);
	oracle->run[page] = run;
}

static void oracle_alloc(struct kunit *test, struct oracle *oracle)
{
	unsigned int npages = 1 + kspan_kunit_below(&oracle->rnd, 24);
	unsigned int align = 1;
	struct kspan_span *run;
	int page;

	if (!kspan_kunit_below(&oracle->rnd, 4))
		align = roundup_pow_of_two(npages);
	page = oracle_fit(oracle, npages + align - 1);
	if (page < 0)
		return;
	run = run_alloc_aligned(test, npages, align);
	if (align == 1)
		KUNIT_ASSERT_EQ(test, oracle_page(oracle, run), page);
	KUNIT_ASSERT_TRUE(test, IS_ALIGNED(run->start, KSPAN_KUNIT_PAGES(align)));
	oracle_take(test, oracle, run, npages);
}

static void oracle_free(struct kunit *test, struct oracle *oracle)
{
	int page = kspan_kunit_below(&oracle->rnd, KSPAN_ARENA_PAGES);
	struct kspan_span *run = NULL;

	for (; page >= 0 && !run; page--) {
		run = oracle->run[page];
		oracle->run[page] = NULL;
	}
	if (!run)
		return;
	bitmap_clear(oracle->used, page + 1, kspan_span_npages(run));
	run_free(test, run);
}

static void random_sequence_agrees_with_a_bitmap(struct kunit *test)
{
	struct oracle *oracle = kunit_kzalloc(test, sizeof(*oracle), GFP_KERNEL);
	struct kspan_span *first;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, oracle);
	prandom_seed_state(&oracle->rnd, kspan_kunit_random_seed(test));
	open_arena(test);
	first = run_alloc(test, 1);
	oracle->start = first->arena->start;
	oracle_take(test, oracle, first, 1);
	for (i = 0; i < 20000; i++) {
		if (kspan_kunit_below(&oracle->rnd, 100) < (i & 4096 ? 40 : 60))
			oracle_alloc(test, oracle);
		else
			oracle_free(test, oracle);
		KUNIT_ASSERT_EQ(test, heap_of_node()->used,
				(unsigned long)bitmap_weight(oracle->used, KSPAN_ARENA_PAGES));
		if (i % 500 == 0)
			kspan_verify(test, &kspan_default_heap);
	}
	free_all(test, oracle->run, KSPAN_ARENA_PAGES);
}

static struct kunit_case page_heap_cases[] = {
	KUNIT_CASE(lowest_run_that_fits_is_taken),
	KUNIT_CASE(lowest_address_among_equals),
	KUNIT_CASE(fuller_arenas_are_taken_from_first),
	KUNIT_CASE(longest_run_is_known),
	KUNIT_CASE(spans_leave_an_exact_bound),
	KUNIT_CASE(rest_of_a_split_stays_free),
	KUNIT_CASE(exact_fit_leaves_no_run),
	KUNIT_CASE(free_between_used_ones),
	KUNIT_CASE(free_coalesces_with_the_run_before),
	KUNIT_CASE(free_coalesces_with_the_run_behind),
	KUNIT_CASE(free_coalesces_on_both_sides),
	KUNIT_CASE(aligned_runs_are_aligned),
	KUNIT_CASE(whole_arena_is_aligned_to_its_size),
	KUNIT_CASE(aligned_request_passes_short_runs_by),
	KUNIT_CASE(aligned_request_takes_the_next_length),
	KUNIT_CASE(runs_do_not_cross_arenas),
	KUNIT_CASE(empty_arenas_but_the_reserve_are_released),
	KUNIT_CASE(no_reserve_keeps_nothing),
	KUNIT_CASE(trim_takes_the_reserve_and_spares_what_is_used),
	KUNIT_CASE(counters_follow_large_runs),
	KUNIT_CASE(run_for_a_class_is_detached_and_mapped),
	KUNIT_CASE(only_the_expected_span_is_freed),
	KUNIT_CASE(touched_pages_are_remembered),
	KUNIT_CASE(arenas_are_walked_by_address),
	KUNIT_CASE(spans_are_taken_side_by_side),
	KUNIT_CASE(aligned_spans_are_side_by_side_too),
	KUNIT_CASE(neighbours_that_are_not_aligned_are_not_taken),
	KUNIT_CASE(spans_fill_holes_by_address),
	KUNIT_CASE(some_descriptors_are_left),
	KUNIT_CASE(spans_take_no_arena),
	KUNIT_CASE(spans_freed_in_any_order_make_one_run),
	KUNIT_CASE(spans_between_those_freed_stay),
	KUNIT_CASE(spans_of_several_arenas_are_freed_together),
	KUNIT_CASE(no_spans_are_nothing_to_free),
	KUNIT_CASE(other_nodes_help_out),
	KUNIT_CASE(no_memory_gives_null),
	KUNIT_CASE(random_sequence_agrees_with_a_bitmap),
	{}
};

static struct kunit_suite page_heap_suite = {
	.name = "kspan_page_heap",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = page_heap_cases,
};

kunit_test_suite(page_heap_suite);
