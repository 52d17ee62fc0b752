// SPDX-License-Identifier: GPL-2.0
/*
 * Runs of set bits
 *
 * A word is 64 pages. Where runs of n start in a word is found by shifting and
 * masking: after each step a bit is left where so many bits in a row were set, and
 * that number doubles, so it takes log2(n) steps whatever the word looks like. Of
 * these, alignment leaves those at multiples.
 *
 * Bits from @nbits on, up to the end of the last word, are 0.
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "base/kunit_export.h"
#include "pages/run.h"

/* Set bits at the high end of a word that is not all set. */
static unsigned int high_ones(unsigned long word)
{
	return BITS_PER_LONG - 1 - __fls(~word);
}

/* Bits of @low where @n set bits start, 1...64; @high is the word behind. */
static unsigned long starts_of(unsigned long low, unsigned long high, unsigned int n)
{
	unsigned int have = 1;

	while (low && have < n) {
		unsigned int step = min(have, n - have);

		low &= low >> step | high << (BITS_PER_LONG - step);
		high &= high >> step;
		have += step;
	}
	return low;
}

/* A bit at each multiple of @align within a word, a power of two. */
static unsigned long multiples(unsigned int align)
{
	static const u64 masks[] = {
		~0ULL, 0x5555555555555555, 0x1111111111111111, 0x0101010101010101,
		0x0001000100010001, 0x0000000100000001,
	};

	return align < BITS_PER_LONG ? masks[ilog2(align)] : 1;
}

static unsigned int find_short(const unsigned long *map, unsigned int nbits, unsigned int n,
			       unsigned int align)
{
	unsigned int words = BITS_TO_LONGS(nbits), stride = max(align / BITS_PER_LONG, 1U), word;
	unsigned long mask = multiples(align);

	for (word = 0; word < words; word += stride) {
		unsigned long found;

		if (!map[word])
			continue;
		found = starts_of(map[word], word + 1 < words ? map[word + 1] : 0, n) & mask;
		if (found)
			return word * BITS_PER_LONG + __ffs(found);
	}
	return KSPAN_NO_RUN;
}

static unsigned int find_long(const unsigned long *map, unsigned int nbits, unsigned int n,
			      unsigned int align)
{
	unsigned int first = 0, end;

	while ((first = ALIGN(find_next_bit(map, nbits, first), align)) + n <= nbits) {
		end = find_next_zero_bit(map, nbits, first);
		if (end - first >= n)
			return first;
		first = end;
	}
	return KSPAN_NO_RUN;
}

/**
 * kspan_run_find() - the first run that is long enough
 * @map:	bitmap
 * @nbits:	its length
 * @n:		length of the run, at least 1
 * @align:	alignment of its start, a power of two
 *
 * Return: its start or KSPAN_NO_RUN.
 */
unsigned int kspan_run_find(const unsigned long *map, unsigned int nbits, unsigned int n,
			    unsigned int align)
{
	if (n <= BITS_PER_LONG)
		return find_short(map, nbits, n, align);
	return find_long(map, nbits, n, align);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_run_find);

/* Set bits right before a bit. */
static unsigned int ones_before(const unsigned long *map, unsigned int bit)
{
	unsigned int ones = 0;

	while (bit) {
		unsigned int in_word = (bit - 1) % BITS_PER_LONG + 1;
		/* The bits before it, at the high end of a word. */
		unsigned long word = map[(bit - 1) / BITS_PER_LONG] << (BITS_PER_LONG - in_word);

		if (~word && high_ones(word) < in_word)
			return ones + high_ones(word);
		ones += in_word;
		bit -= in_word;
	}
	return ones;
}

/* kspan_run_around() where the run may reach beyond the word. */
static unsigned int run_across_words(const unsigned long *map, unsigned int nbits,
				     unsigned int first, unsigned int n)
{
	unsigned int end = find_next_zero_bit(map, nbits, first + n);

	return ones_before(map, first) + end - first;
}

/**
 * kspan_run_around() - length of the run that some bits belong to
 * @map:	bitmap
 * @nbits:	its length
 * @first:	first of the bits
 * @n:		how many, set or about to be
 *
 * Return: the length.
 */
unsigned int kspan_run_around(const unsigned long *map, unsigned int nbits, unsigned int first,
			      unsigned int n)
{
	unsigned int bit = first % BITS_PER_LONG;
	unsigned long zeroes, below, above;

	if (bit + n < BITS_PER_LONG) {
		zeroes = ~map[first / BITS_PER_LONG];
		below = zeroes & (BIT(bit) - 1);
		above = zeroes & (~0UL << (bit + n));
		/* A word that ends at @nbits has zeroes behind. */
		if (below && above)
			return __ffs(above) - __fls(below) - 1;
	}
	return run_across_words(map, nbits, first, n);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_run_around);

/* Runs that are walked one by one; when there are more, all are found at once. */
#define KSPAN_RUNS_WALKED	8

/* @to: bits of @from where another one is set @n bits above; whether there are any. */
static bool and_above(unsigned long *to, const unsigned long *from, unsigned int words,
		      unsigned int n)
{
	unsigned int skip = n / BITS_PER_LONG, shift = n % BITS_PER_LONG, i;
	unsigned long any = 0;

	for (i = 0; i < words; i++) {
		unsigned long low = i + skip < words ? from[i + skip] : 0;
		unsigned long high = i + skip + 1 < words ? from[i + skip + 1] : 0;

		to[i] = from[i] & (shift ? low >> shift | high << (BITS_PER_LONG - shift) : low);
		any |= to[i];
	}
	return any;
}

/*
 * Where many runs are: of those that have @len bits, the ones that have @step more are found
 * in all words at once, for steps that double as long as there are any, and then halve.
 */
static unsigned int longest_of_many(const unsigned long *map, unsigned int nbits)
{
	unsigned int words = BITS_TO_LONGS(nbits), len = 1, step;
	unsigned long one[BITS_TO_LONGS(KSPAN_ARENA_PAGES)];
	unsigned long other[BITS_TO_LONGS(KSPAN_ARENA_PAGES)];
	unsigned long *now = one, *next = other;

	memcpy(now, map, words * sizeof(*now));
	while (and_above(next, now, words, len)) {
		swap(now, next);
		len *= 2;
	}
	for (step = len / 2; step; step /= 2)
		if (and_above(next, now, words, step)) {
			swap(now, next);
			len += step;
		}
	return len;
}

/**
 * kspan_run_longest() - length of the longest run
 * @map:	bitmap
 * @nbits:	its length
 * @most:	no run is longer, so the first of this length is enough
 * Takes about the same time whatever the runs are.
 *
 * Return: the length, 0 when no bit is set.
 */
unsigned int kspan_run_longest(const unsigned long *map, unsigned int nbits, unsigned int most)
{
	unsigned int first, end = 0, longest = 0, walked = 0;

	while (longest < most && (first = find_next_bit(map, nbits, end)) < nbits) {
		if (walked++ == KSPAN_RUNS_WALKED)
			return longest_of_many(map, nbits);
		end = find_next_zero_bit(map, nbits, first);
		longest = max(longest, end - first);
	}
	return longest;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_run_longest);

/**
 * kspan_run_count() - number of runs
 * @map:	bitmap
 * @nbits:	its length
 * Return: how many there are.
 */
unsigned int kspan_run_count(const unsigned long *map, unsigned int nbits)
{
	unsigned int word, count = 0;
	unsigned long before = 0;	/* the bit before the word */

	for (word = 0; word < BITS_TO_LONGS(nbits); word++) {
		/* Bits that are set, while the one before is not. */
		count += hweight_long(map[word] & ~(map[word] << 1 | before));
		before = map[word] >> (BITS_PER_LONG - 1);
	}
	return count;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_run_count);
