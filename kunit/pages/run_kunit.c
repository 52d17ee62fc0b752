// SPDX-License-Identifier: GPL-2.0
/* Searches for runs of set bits must agree with a search bit by bit. */
#include <linux/bitmap.h>

#include "kspan_kunit.h"
#include "pages/run.h"

#define NBITS	KSPAN_ARENA_PAGES

static DECLARE_BITMAP(map, NBITS);

static bool is_run(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (first + i >= NBITS || !test_bit(first + i, map))
			return false;
	return true;
}

static unsigned int slow_find(unsigned int n, unsigned int align)
{
	unsigned int first;

	for (first = 0; first + n <= NBITS; first += align)
		if (is_run(first, n))
			return first;
	return KSPAN_NO_RUN;
}

static unsigned int slow_around(unsigned int first, unsigned int n)
{
	unsigned int start = first, end = first + n;

	while (start && test_bit(start - 1, map))
		start--;
	while (end < NBITS && test_bit(end, map))
		end++;
	return end - start;
}

static void slow_runs(unsigned int *count, unsigned int *longest)
{
	unsigned int i, length = 0;

	*count = 0;
	*longest = 0;
	for (i = 0; i < NBITS; i++) {
		length = test_bit(i, map) ? length + 1 : 0;
		*count += length == 1;
		*longest = max(*longest, length);
	}
}

/* Fill the map with runs and gaps of 1 to @most bits. */
static void fill(struct rnd_state *rnd, unsigned int most)
{
	unsigned int i = 0, n;

	bitmap_zero(map, NBITS);
	while (i < NBITS) {
		n = min_t(unsigned int, 1 + kspan_kunit_below(rnd, most), NBITS - i);
		kspan_run_set(map, i, n);
		i += n + 1 + kspan_kunit_below(rnd, most);
	}
}

static void expect_as_slow(struct kunit *test, struct rnd_state *rnd)
{
	unsigned int count, longest, n, align, i;

	slow_runs(&count, &longest);
	KUNIT_EXPECT_EQ(test, kspan_run_count(map, NBITS), count);
	KUNIT_EXPECT_EQ(test, kspan_run_longest(map, NBITS, NBITS), longest);
	KUNIT_EXPECT_EQ(test, kspan_run_longest(map, NBITS, longest), longest);
	for (i = 0; i < 40; i++) {
		n = 1 + kspan_kunit_below(rnd, i % 2 ? 16 : 200);
		align = 1 << kspan_kunit_below(rnd, ilog2(roundup_pow_of_two(n)) + 1);
		KUNIT_ASSERT_EQ_MSG(test, kspan_run_find(map, NBITS, n, align),
				    slow_find(n, align), "%u aligned to %u", n, align);
	}
}

static void random_maps_agree_with_a_slow_search(struct kunit *test)
{
	static const unsigned int mosts[] = { 1, 3, 9, 40, 150, 500 };
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	for (i = 0; i < 60; i++) {
		fill(&rnd, mosts[i % ARRAY_SIZE(mosts)]);
		expect_as_slow(test, &rnd);
	}
}

static void edges_are_found(struct kunit *test)
{
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	bitmap_zero(map, NBITS);
	expect_as_slow(test, &rnd);
	bitmap_fill(map, NBITS);
	expect_as_slow(test, &rnd);
	/* A run across each border between two words, and a run that ends at the last bit. */
	for (i = BITS_PER_LONG; i <= NBITS; i += BITS_PER_LONG) {
		bitmap_zero(map, NBITS);
		kspan_run_set(map, i - 5, min(9U, NBITS - i + 5));
		expect_as_slow(test, &rnd);
		KUNIT_EXPECT_EQ(test, kspan_run_find(map, NBITS, 5, 1), i - 5);
	}
}

static void length_around_counts_both_sides(struct kunit *test)
{
	struct rnd_state rnd;
	unsigned int i, first, n;

	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	for (i = 0; i < 2000; i++) {
		if (i % 50 == 0)
			fill(&rnd, 1 + kspan_kunit_below(&rnd, 200));
		n = 1 + kspan_kunit_below(&rnd, 100);
		first = kspan_kunit_below(&rnd, NBITS - n);
		KUNIT_ASSERT_EQ_MSG(test, kspan_run_around(map, NBITS, first, n),
				    slow_around(first, n), "%u from %u on", n, first);
	}
}

/* The map of a small arena ends within a word. The bits behind the end are clear. */
static void length_around_in_a_map_of_any_length(struct kunit *test)
{
	unsigned int nbits, i, first, n;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	for (nbits = 1; nbits <= NBITS; nbits *= 2) {
		for (i = 0; i < 400; i++) {
			/*
			 * Every 80th map is all set: then the only clear bits are those behind the
			 * end.
			 */
			if (i % 40 == 0)
				fill(&rnd, i % 80 ? 1 + kspan_kunit_below(&rnd, nbits) : 600);
			bitmap_clear(map, nbits, NBITS - nbits);
			first = kspan_kunit_below(&rnd, nbits);
			n = 1 + kspan_kunit_below(&rnd, nbits - first);
			KUNIT_ASSERT_EQ_MSG(test, kspan_run_around(map, nbits, first, n),
					    slow_around(first, n), "%u from %u on of %u", n,
					    first, nbits);
		}
	}
}

static void expect_set_as_slow(struct kunit *test, unsigned int first, unsigned int n)
{
	KUNIT_ASSERT_EQ_MSG(test, kspan_run_is_set(map, first, n), is_run(first, n),
			    "%u from %u on", n, first);
}

static void all_set_is_all_set(struct kunit *test)
{
	unsigned int i, first, n;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	for (i = 0; i < 4000; i++) {
		if (i % 50 == 0)
			fill(&rnd, 1 + kspan_kunit_below(&rnd, 300));
		first = kspan_kunit_below(&rnd, NBITS);
		n = 1 + kspan_kunit_below(&rnd, NBITS - first);
		expect_set_as_slow(test, first, n);
		/* All bits of a run are set. With one bit more, at either end, they are not. */
		first = find_next_bit(map, NBITS, first);
		if (first == NBITS)
			continue;
		n = find_next_zero_bit(map, NBITS, first) - first;
		KUNIT_ASSERT_TRUE(test, kspan_run_is_set(map, first, n));
		expect_set_as_slow(test, first, n);
		if (first + n < NBITS)
			KUNIT_ASSERT_FALSE(test, kspan_run_is_set(map, first, n + 1));
		if (first)
			expect_set_as_slow(test, first - 1, n + 1);
	}
}

/* Runs that lie within a word, end at its last bit, or continue in the next word. */
static void all_set_across_words(struct kunit *test)
{
	unsigned int first, n;

	for (first = 0; first < 2 * BITS_PER_LONG; first++) {
		for (n = 1; n <= 2 * BITS_PER_LONG; n++) {
			bitmap_zero(map, NBITS);
			kspan_run_set(map, first, n);
			KUNIT_ASSERT_TRUE(test, kspan_run_is_set(map, first, n));
			KUNIT_ASSERT_EQ(test, kspan_run_around(map, NBITS, first, n), n);
			KUNIT_ASSERT_EQ(test, kspan_run_around(map, NBITS, first + n / 2, 1), n);
			__clear_bit(first + n - 1, map);
			KUNIT_ASSERT_FALSE(test, kspan_run_is_set(map, first, n));
			KUNIT_ASSERT_EQ(test, kspan_run_around(map, NBITS, first + n - 1, 1), n);
		}
	}
}

static void setting_and_clearing_touches_nothing_else(struct kunit *test)
{
	static DECLARE_BITMAP(want, NBITS);
	struct rnd_state rnd;
	unsigned int i, first, n;

	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	fill(&rnd, 30);
	bitmap_copy(want, map, NBITS);
	for (i = 0; i < 2000; i++) {
		n = 1 + kspan_kunit_below(&rnd, i % 2 ? 20 : 200);
		first = kspan_kunit_below(&rnd, NBITS - n + 1);
		if (i % 3) {
			kspan_run_set(map, first, n);
			bitmap_set(want, first, n);
		} else {
			kspan_run_clear(map, first, n);
			bitmap_clear(want, first, n);
		}
		KUNIT_ASSERT_TRUE_MSG(test, bitmap_equal(map, want, NBITS), "%u from %u on", n,
				      first);
	}
}

static struct kunit_case run_cases[] = {
	KUNIT_CASE(random_maps_agree_with_a_slow_search),
	KUNIT_CASE(edges_are_found),
	KUNIT_CASE(length_around_counts_both_sides),
	KUNIT_CASE(length_around_in_a_map_of_any_length),
	KUNIT_CASE(all_set_is_all_set),
	KUNIT_CASE(all_set_across_words),
	KUNIT_CASE(setting_and_clearing_touches_nothing_else),
	{}
};

static struct kunit_suite run_suite = {
	.name = "kspan_run",
	.test_cases = run_cases,
};

kunit_test_suite(run_suite);
