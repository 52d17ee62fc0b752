// SPDX-License-Identifier: GPL-2.0
/*
 * Changes of an object's size: in its slot, into the pages behind it, or by a move.
 *
 * Every case starts without an arena, so large objects lie side by side:
 *	|AAAAAAAA|BBBBBBBB|................|
 */
#include <linux/kspan.h>
#include <linux/string.h>

#include "kspan_kunit.h"

#define DIRT		0xd1
#define PAGES(n)	KSPAN_KUNIT_PAGES(n)

static u64 counts[KSPAN_NR_BAD_FREE_KINDS];

static int realloc_init(struct kunit *test)
{
	unsigned int kind;

	kspan_kunit_init(test);
	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		counts[kind] = kspan_bad_free_count(kind);
	return 0;
}

static void expect_report(struct kunit *test, enum kspan_bad_free_kind kind, const void *addr)
{
	unsigned int i;

	for (i = 0; i < KSPAN_NR_BAD_FREE_KINDS; i++) {
		KUNIT_EXPECT_EQ_MSG(test, kspan_bad_free_count(i) - counts[i],
				    i == kind ? 1ULL : 0ULL, "kind %u", i);
		counts[i] = kspan_bad_free_count(i);
	}
	KUNIT_EXPECT_EQ(test, kspan_bad_free_last().addr, (unsigned long)addr);
	kspan_verify(test, &kspan_default_heap);
}

static noinline bool is_all(const void *p, int byte, size_t size)
{
	return !memchr_inv(p, byte, size);
}

/* The first @kept bytes must be unchanged. init_on_alloc=1 wipes the bytes behind them. */
static bool is_kept(const void *p, int byte, size_t kept, size_t size)
{
	return is_all(p, byte, kept) &&
	       is_all(p + kept, want_init_on_alloc(0) ? 0 : byte, size - kept);
}

/* Make an object and fill it with @byte. */
static void *filled(struct kunit *test, size_t size, int byte)
{
	void *p = kspan_malloc(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	kspan_kunit_fill(p, byte);
	return p;
}

/* Resize an object. The call must succeed. */
static void *resized(struct kunit *test, void *p, size_t size, gfp_t gfp)
{
	p = kspan_realloc(p, size, gfp);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_GE(test, kspan_size(p), size);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_verify(test, &kspan_default_heap);
	return p;
}

static struct kspan_page_stats pages(void)
{
	struct kspan_page_stats now;

	kspan_page_stats_read(&now);
	return now;
}

/* Make an object of eight pages with dirty free pages behind it. */
static void *before_dirt(struct kunit *test)
{
	void *dirty = filled(test, PAGES(64), DIRT), *a;

	kspan_free(dirty);
	a = filled(test, PAGES(8), 'a');
	KUNIT_ASSERT_PTR_EQ(test, a, dirty);
	return a;
}

static void every_slot_is_filled_in_place(struct kunit *test)
{
	unsigned int class;

	for (class = 2; class < KSPAN_CLASS_TINY; class++) {
		size_t slot = kspan_size_classes[class].size;
		void *p = filled(test, kspan_size_classes[class - 1].size + 1, 'p');

		KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, slot, GFP_KERNEL), p);
		KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, 1, GFP_KERNEL), p);
		KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, slot, GFP_KERNEL), p);
		KUNIT_EXPECT_TRUE(test, is_kept(p, 'p', 1, slot));
		kspan_free(p);
	}
}

/* The compiler must know that the result may be the old object. */
static noinline int written_by_the_old_name(u8 *p, size_t size)
{
	u8 *q = kspan_realloc(p, size, GFP_KERNEL), a;

	if (!q)
		return -ENOMEM;
	a = q[0];
	if (q == p)
		p[0] = a + 1;
	a = q[0] - a;
	kspan_free(q);
	return a;
}

static void object_in_place_is_the_same_object(struct kunit *test)
{
	u8 *p = filled(test, 40, 'p');

	KUNIT_EXPECT_EQ(test, written_by_the_old_name(p, 48), 1);
}

static void small_object_beyond_its_slot_moves(struct kunit *test)
{
	unsigned int class;

	for (class = 1; class < KSPAN_CLASS_TINY; class++) {
		size_t slot = kspan_size_classes[class].size;
		void *p = filled(test, slot, 'p'), *q;

		q = kspan_realloc(p, slot + 1, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, q);
		KUNIT_EXPECT_PTR_NE(test, q, p);
		KUNIT_EXPECT_FALSE(test, kspan_owns(p));
		KUNIT_EXPECT_EQ(test, kspan_size(q), kspan_size_roundup(slot + 1));
		KUNIT_EXPECT_TRUE(test, is_all(q, 'p', slot));
		kspan_free(q);
	}
}

/*
 *	|AAAAAAAA|........|	->	|AAAAAAAAAAAA|....|
 */
static void large_object_grows_into_free_pages(struct kunit *test)
{
	void *a = filled(test, PAGES(8), 'a'), *b = filled(test, PAGES(8), 'b');

	KUNIT_ASSERT_PTR_EQ(test, b, a + PAGES(8));
	kspan_free(b);
	KUNIT_EXPECT_PTR_EQ(test, resized(test, a, PAGES(12) - 100, GFP_KERNEL), a);
	KUNIT_EXPECT_EQ(test, kspan_size(a), PAGES(12));
	KUNIT_EXPECT_EQ(test, pages().used, 12UL);
	KUNIT_EXPECT_EQ(test, pages().large_pages, 12UL);
	KUNIT_EXPECT_TRUE(test, is_all(a, 'a', PAGES(8)));
	kspan_kunit_fill(a, 'A');
	b = filled(test, PAGES(5), 'b');
	KUNIT_EXPECT_PTR_EQ(test, b, a + PAGES(12));
	KUNIT_EXPECT_TRUE(test, is_all(a, 'A', PAGES(12)));
	kspan_free(b);
	kspan_free(a);
}

/*
 *	|AAAAAAAA|........|C|	->	|AAAAAAAAAAAAAAAA|C|
 */
static void large_object_fills_a_gap_to_the_last_page(struct kunit *test)
{
	void *a = filled(test, PAGES(8), 'a'), *b = filled(test, PAGES(8), 'b');
	void *c = filled(test, PAGES(5), 'c');

	kspan_free(b);
	KUNIT_EXPECT_PTR_EQ(test, resized(test, a, PAGES(16), GFP_KERNEL), a);
	KUNIT_EXPECT_TRUE(test, is_all(a, 'a', PAGES(8)));
	memset(a, 'A', PAGES(16));
	KUNIT_EXPECT_TRUE(test, is_all(c, 'c', PAGES(5)));
	kspan_free(a);
	kspan_free(c);
}

/* The object needs one page more than the gap has. */
static void large_object_moves_out_of_too_small_a_gap(struct kunit *test)
{
	void *a = filled(test, PAGES(8), 'a'), *b = filled(test, PAGES(8), 'b');
	void *c = filled(test, PAGES(5), 'c'), *moved;

	kspan_free(b);
	moved = resized(test, a, PAGES(17), GFP_KERNEL);
	KUNIT_EXPECT_PTR_NE(test, moved, a);
	KUNIT_EXPECT_FALSE(test, kspan_owns(a));
	KUNIT_EXPECT_TRUE(test, is_all(moved, 'a', PAGES(8)));
	KUNIT_EXPECT_EQ(test, pages().used, 17UL + 5);
	kspan_free(moved);
	kspan_free(c);
}

static void large_object_does_not_grow_into_another(struct kunit *test)
{
	void *a = filled(test, PAGES(8), 'a'), *b = filled(test, PAGES(8), 'b'), *moved;

	moved = resized(test, a, PAGES(9), GFP_KERNEL);
	KUNIT_EXPECT_PTR_NE(test, moved, a);
	KUNIT_EXPECT_TRUE(test, is_all(moved, 'a', PAGES(8)));
	memset(moved, 'A', PAGES(9));
	KUNIT_EXPECT_TRUE(test, is_all(b, 'b', PAGES(8)));
	kspan_free(moved);
	kspan_free(b);
}

/* Behind the arena is another one, or memory of other users. */
static void large_object_does_not_grow_out_of_its_arena(struct kunit *test)
{
	void *a = filled(test, KSPAN_ARENA_SIZE - PAGES(8), 'a');
	void *b = filled(test, PAGES(8), 'b'), *moved;

	KUNIT_ASSERT_PTR_EQ(test, b, a + KSPAN_ARENA_SIZE - PAGES(8));
	moved = resized(test, b, PAGES(9), GFP_KERNEL);
	KUNIT_EXPECT_PTR_NE(test, moved, b);
	KUNIT_EXPECT_TRUE(test, is_all(moved, 'b', PAGES(8)));
	kspan_free(a);
	kspan_free(moved);
}

/*
 *	|AAAAAAAAAAAAAAAA|B|	->	|AAAAAA|..........|B|	->	|AAAAAA|C|....|B|
 */
static void large_object_shrinks_and_frees_pages(struct kunit *test)
{
	void *a = filled(test, PAGES(16), 'a'), *b = filled(test, PAGES(5), 'b'), *c;

	KUNIT_EXPECT_PTR_EQ(test, resized(test, a, PAGES(6) - 5, GFP_KERNEL), a);
	KUNIT_EXPECT_EQ(test, kspan_size(a), PAGES(6));
	KUNIT_EXPECT_EQ(test, pages().used, 6UL + 5);
	KUNIT_EXPECT_TRUE(test, is_kept(a, 'a', PAGES(6) - 5, PAGES(6)));
	c = filled(test, PAGES(5), 'c');
	KUNIT_EXPECT_PTR_EQ(test, c, a + PAGES(6));
	KUNIT_EXPECT_TRUE(test, is_kept(a, 'a', PAGES(6) - 5, PAGES(6)));
	KUNIT_EXPECT_TRUE(test, is_all(b, 'b', PAGES(5)));
	kspan_free(c);
	kspan_free(b);
	kspan_free(a);
}

static void pages_freed_by_a_shrink_coalesce(struct kunit *test)
{
	void *a = filled(test, PAGES(16), 'a');

	KUNIT_EXPECT_EQ(test, pages().runs, 1UL);
	a = resized(test, a, PAGES(7), GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, pages().runs, 1UL);
	kspan_free(a);
	KUNIT_EXPECT_EQ(test, pages().runs, 1UL);
}

static void large_object_grows_again_after_it_shrank(struct kunit *test)
{
	void *a = filled(test, PAGES(16), 'a'), *b = filled(test, PAGES(5), 'b');
	unsigned int round;

	for (round = 0; round < 3; round++) {
		KUNIT_EXPECT_PTR_EQ(test, resized(test, a, PAGES(6), GFP_KERNEL), a);
		KUNIT_EXPECT_PTR_EQ(test, resized(test, a, PAGES(16), GFP_KERNEL), a);
	}
	KUNIT_EXPECT_TRUE(test, is_all(a, 'a', PAGES(6)));
	KUNIT_EXPECT_EQ(test, pages().used, 16UL + 5);
	kspan_free(a);
	kspan_free(b);
}

/* Below 32 KiB the object stays a large one. It gets as few pages as possible, down to one. */
static void large_object_shrinks_to_small_sizes_in_place(struct kunit *test)
{
	void *a = filled(test, PAGES(16), 'a');

	KUNIT_EXPECT_PTR_EQ(test, resized(test, a, PAGES(2) + 1, GFP_KERNEL), a);
	KUNIT_EXPECT_EQ(test, kspan_size(a), PAGES(3));
	KUNIT_EXPECT_PTR_EQ(test, resized(test, a, 10, GFP_KERNEL), a);
	KUNIT_EXPECT_EQ(test, kspan_size(a), PAGES(1));
	KUNIT_EXPECT_EQ(test, pages().used, 1UL);
	KUNIT_EXPECT_TRUE(test, is_kept(a, 'a', 10, PAGES(1)));
	KUNIT_EXPECT_PTR_EQ(test, resized(test, a, PAGES(3), GFP_KERNEL), a);
	KUNIT_EXPECT_EQ(test, kspan_size(a), PAGES(3));
	KUNIT_EXPECT_TRUE(test, is_kept(a, 'a', 10, PAGES(1)));
	kspan_free(a);
}

static void small_object_becomes_large_and_large_ones_larger(struct kunit *test)
{
	void *p = filled(test, 100, 'p'), *q, *r;

	q = resized(test, p, 100000, GFP_KERNEL);
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
	KUNIT_EXPECT_TRUE(test, is_all(q, 'p', 100));
	memset(q, 'q', 100000);
	r = resized(test, q, KSPAN_MAX_SIZE, GFP_KERNEL);
	KUNIT_EXPECT_FALSE(test, kspan_owns(q));
	KUNIT_EXPECT_TRUE(test, is_all(r, 'q', 100000));
	kspan_free(r);
}

/* Only __GFP_ZERO wipes the pages that an object grows into. */
static void grown_pages_are_zeroed_where_asked(struct kunit *test)
{
	void *a = before_dirt(test);

	KUNIT_EXPECT_PTR_EQ(test, resized(test, a, PAGES(32) - 1000, GFP_KERNEL | __GFP_ZERO), a);
	KUNIT_EXPECT_TRUE(test, is_all(a, 'a', PAGES(8)));
	KUNIT_EXPECT_TRUE(test, is_all(a + PAGES(8), 0, PAGES(24)));
	kspan_free(a);
}

static void grown_pages_are_left_alone_without_the_flag(struct kunit *test)
{
	void *a;

	if (want_init_on_alloc(0) || want_init_on_free())
		kunit_skip(test, "the kernel was booted to initialise memory");
	a = before_dirt(test);
	KUNIT_EXPECT_PTR_EQ(test, resized(test, a, PAGES(32), GFP_KERNEL), a);
	KUNIT_EXPECT_TRUE(test, is_all(a, 'a', PAGES(8)));
	KUNIT_EXPECT_FALSE(test, is_all(a + PAGES(8), 0, PAGES(24)));
	kspan_free(a);
}

static void init_on_alloc_zeroes_grown_pages(struct kunit *test)
{
	bool was_on = want_init_on_alloc(0);
	void *a, *b;

	if (want_init_on_free())
		kunit_skip(test, "init_on_free=1 makes init_on_alloc= void for pages");
	a = before_dirt(test);
	if (!was_on)
		static_branch_enable(&init_on_alloc);
	b = kspan_realloc(a, PAGES(32), GFP_KERNEL);
	if (!was_on)
		static_branch_disable(&init_on_alloc);
	KUNIT_EXPECT_PTR_EQ(test, b, a);
	KUNIT_EXPECT_TRUE(test, is_all(a, 'a', PAGES(8)));
	KUNIT_EXPECT_TRUE(test, is_all(a + PAGES(8), 0, PAGES(24)));
	kspan_free(a);
}

/*
 *	kept.....|zero.........|	when the object shrinks, stays, or moves
 */
static void what_is_not_kept_reads_as_zero(struct kunit *test)
{
	void *p = filled(test, 1000, 'p'), *a = filled(test, PAGES(16), 'a');
	gfp_t gfp = GFP_KERNEL | __GFP_ZERO;

	p = resized(test, p, 500, gfp);
	KUNIT_EXPECT_TRUE(test, is_all(p, 'p', 500));
	KUNIT_EXPECT_TRUE(test, is_all(p + 500, 0, kspan_size(p) - 500));
	kspan_free(filled(test, 5000, DIRT));
	p = resized(test, p, 5000, gfp);
	KUNIT_EXPECT_TRUE(test, is_all(p, 'p', 500));
	KUNIT_EXPECT_TRUE(test, is_all(p + 500, 0, kspan_size(p) - 500));
	a = resized(test, a, PAGES(6) - 3000, gfp);
	KUNIT_EXPECT_EQ(test, kspan_size(a), PAGES(6));
	KUNIT_EXPECT_TRUE(test, is_all(a, 'a', PAGES(6) - 3000));
	KUNIT_EXPECT_TRUE(test, is_all(a + PAGES(6) - 3000, 0, 3000));
	a = resized(test, a, PAGES(16), gfp);
	KUNIT_EXPECT_TRUE(test, is_all(a, 'a', PAGES(6) - 3000));
	KUNIT_EXPECT_TRUE(test, is_all(a + PAGES(6) - 3000, 0, PAGES(10) + 3000));
	kspan_free(a);
	kspan_free(p);
}

/*
 *	|AAAAAAAA...|B|		no room behind A, and no arena can be allocated
 */
static void failure_leaves_the_object_alone(struct kunit *test)
{
	size_t size = KSPAN_ARENA_SIZE - PAGES(64);
	struct kspan_page_stats was;
	void *a, *b, *moved;

	kspan_kunit_needs_faults(test);
	a = filled(test, size, 'a');
	b = filled(test, PAGES(64), 'b');
	was = pages();
	kspan_kunit_fail_arenas(1, 1000);
	moved = kspan_realloc(a, KSPAN_ARENA_SIZE, GFP_KERNEL | __GFP_ZERO);
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
	KUNIT_EXPECT_NULL(test, moved);
	KUNIT_EXPECT_TRUE(test, kspan_owns(a));
	KUNIT_EXPECT_EQ(test, kspan_size(a), size);
	KUNIT_EXPECT_TRUE(test, is_all(a, 'a', size));
	KUNIT_EXPECT_EQ(test, pages().used, was.used);
	KUNIT_EXPECT_NULL(test, kspan_realloc(a, KSPAN_MAX_SIZE + 1, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, is_all(a, 'a', size));
	kspan_free(a);
	kspan_free(b);
}

/* An object counts as allocated once. Its pages count when it gets and loses them. */
static void resizing_in_place_is_no_allocation(struct kunit *test)
{
	void *a = filled(test, PAGES(8), 'a');
	struct kspan_page_stats was = pages();

	a = resized(test, a, PAGES(20), GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, pages().large.allocs, was.large.allocs);
	KUNIT_EXPECT_EQ(test, pages().large.in_use, was.large.in_use);
	KUNIT_EXPECT_EQ(test, pages().large_pages, was.large_pages + 12);
	KUNIT_EXPECT_EQ(test, pages().large_alloc_pages, was.large_alloc_pages + 12);
	a = resized(test, a, PAGES(5), GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, pages().large_pages, was.large_pages - 3);
	KUNIT_EXPECT_EQ(test, pages().large_alloc_pages, was.large_alloc_pages + 12);
	KUNIT_EXPECT_EQ(test, pages().large.frees, was.large.frees);
	kspan_free(a);
}

/*
 *	|XXXXX|AAAAA|...	an object of 8 pages should be aligned to 8, but A grows in place
 */
static void in_place_the_alignment_stays_what_it_was(struct kunit *test)
{
	void *x = filled(test, PAGES(5), 'x'), *a = filled(test, PAGES(5), 'a'), *moved;
	void *b;

	KUNIT_ASSERT_FALSE(test, IS_ALIGNED((unsigned long)a, PAGES(8)));
	KUNIT_EXPECT_PTR_EQ(test, resized(test, a, PAGES(8), GFP_KERNEL), a);
	b = filled(test, PAGES(5), 'b');
	KUNIT_ASSERT_PTR_EQ(test, b, a + PAGES(8));
	moved = resized(test, a, PAGES(16), GFP_KERNEL);
	KUNIT_EXPECT_PTR_NE(test, moved, a);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)moved, PAGES(16)));
	kspan_free(moved);
	kspan_free(b);
	kspan_free(x);
}

static void array_is_resized_by_its_elements(struct kunit *test)
{
	u64 *p = kspan_realloc_array(NULL, 10, sizeof(*p), GFP_KERNEL), i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(80));
	for (i = 0; i < 10; i++)
		p[i] = i;
	p = kspan_realloc_array(p, 1000, sizeof(*p), GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(8000));
	for (i = 0; i < 1000; i++)
		KUNIT_EXPECT_EQ(test, p[i], i < 10 ? i : 0);
	KUNIT_EXPECT_PTR_EQ(test, (void *)kspan_realloc_array(p, 0, sizeof(*p), GFP_KERNEL),
			    ZERO_SIZE_PTR);
}

static void overflow_of_an_array_leaves_the_object_alone(struct kunit *test)
{
	void *p = filled(test, 100, 'p');
	size_t n = SIZE_MAX / 8 + 2;

	/* The product wraps around to 8. */
	OPTIMIZER_HIDE_VAR(n);
	KUNIT_EXPECT_NULL(test, kspan_realloc_array(p, n, 8, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_realloc_array(p, 8, n, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_realloc_array(NULL, n, 8, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	KUNIT_EXPECT_TRUE(test, is_all(p, 'p', 100));
	kspan_free(p);
}

static void wrong_pointers_give_null_and_a_report(struct kunit *test)
{
	void *p = filled(test, 256, 'p'), *a = filled(test, PAGES(8), 'a');
	void *gone = filled(test, PAGES(8), 'g'), *keep = filled(test, PAGES(8), 'k');
	int local;

	kspan_free(gone);
	KUNIT_EXPECT_NULL(test, kspan_realloc(p + 16, 10, GFP_KERNEL));
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, p + 16);
	KUNIT_EXPECT_NULL(test, kspan_realloc(p + 3, 10, GFP_KERNEL));
	expect_report(test, KSPAN_BAD_FREE_MISALIGNED, p + 3);
	KUNIT_EXPECT_NULL(test, kspan_realloc(a + PAGES(1), 10, GFP_KERNEL));
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, a + PAGES(1));
	KUNIT_EXPECT_NULL(test, kspan_realloc(gone, 10, GFP_KERNEL));
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, gone);
	KUNIT_EXPECT_NULL(test, kspan_realloc(&local, 10, GFP_KERNEL));
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, &local);
	KUNIT_EXPECT_NULL(test, kspan_realloc(p + 16, 0, GFP_KERNEL));
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, p + 16);
	KUNIT_EXPECT_TRUE(test, is_all(p, 'p', 256));
	KUNIT_EXPECT_TRUE(test, is_all(a, 'a', PAGES(8)));
	kspan_free(p);
	kspan_free(a);
	kspan_free(keep);
}

static struct kunit_case realloc_cases[] = {
	KUNIT_CASE(every_slot_is_filled_in_place),
	KUNIT_CASE(object_in_place_is_the_same_object),
	KUNIT_CASE(small_object_beyond_its_slot_moves),
	KUNIT_CASE(large_object_grows_into_free_pages),
	KUNIT_CASE(large_object_fills_a_gap_to_the_last_page),
	KUNIT_CASE(large_object_moves_out_of_too_small_a_gap),
	KUNIT_CASE(large_object_does_not_grow_into_another),
	KUNIT_CASE(large_object_does_not_grow_out_of_its_arena),
	KUNIT_CASE(large_object_shrinks_and_frees_pages),
	KUNIT_CASE(pages_freed_by_a_shrink_coalesce),
	KUNIT_CASE(large_object_grows_again_after_it_shrank),
	KUNIT_CASE(large_object_shrinks_to_small_sizes_in_place),
	KUNIT_CASE(small_object_becomes_large_and_large_ones_larger),
	KUNIT_CASE(grown_pages_are_zeroed_where_asked),
	KUNIT_CASE(grown_pages_are_left_alone_without_the_flag),
	KUNIT_CASE(init_on_alloc_zeroes_grown_pages),
	KUNIT_CASE(what_is_not_kept_reads_as_zero),
	KUNIT_CASE(failure_leaves_the_object_alone),
	KUNIT_CASE(resizing_in_place_is_no_allocation),
	KUNIT_CASE(in_place_the_alignment_stays_what_it_was),
	KUNIT_CASE(array_is_resized_by_its_elements),
	KUNIT_CASE(overflow_of_an_array_leaves_the_object_alone),
	KUNIT_CASE(wrong_pointers_give_null_and_a_report),
	{}
};

static struct kunit_suite realloc_suite = {
	.name = "kspan_realloc",
	.init = realloc_init,
	.exit = kspan_kunit_exit,
	.test_cases = realloc_cases,
};

kunit_test_suite(realloc_suite);
