// SPDX-License-Identifier: GPL-2.0
/*
 * Runs of set bits
 *
 * A word has the bits of 64 pages. Shifts and masks find the places in a word where runs of n
 * bits start. After each step, a bit is still set where a certain number of bits in a row were
 * set. That number doubles with each step, so it takes log2(n) steps whatever the word looks
 * like. Last, a mask leaves the places that are aligned.
 *
 * Bits from @nbits on, up to the end of the last word, are 0 in every bitmap.
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "base/kunit_export.h"
#include "pages/run.h"

/* Number of set bits at the high end of a word, which has a bit that is not set. */
static unsigned int high_ones(unsigned long word)
{
	return BITS_PER_LONG - 1 - __fls(~word);
}

/* The bits of @low where a run of @n set bits starts, 1...64; @high is the word behind @low. */
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

/* A word with a bit at each multiple of @align, a power of two. */
static unsigned long multiples(unsigned int align)
{
	static const u64 masks[] = {
		~0ULL, 0x5555555555555555, 0x1111111111111111, 0x0101010101010101,
		0x0001000100010001, 0x0000000100000001,
	};

	return align < BITS_PER_LONG ? masks[ilog2(align)] : 1;
}

/* kspan_run_find() for runs that are not longer than a word. */
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

/* kspan_run_find() for longer runs. */
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
 * kspan_run_find() - find the first run that is long enough
 * @map:	bitmap
 * @nbits:	bits of @map
 * @n:		length of the run, at least 1
 * @align:	alignment of its start, a power of two
 *
 * Return: the first bit of the run, or KSPAN_NO_RUN.
 */
unsigned int kspan_run_find(const unsigned long *map, unsigned int nbits, unsigned int n,
			    unsigned int align)
{
	if (n <= BITS_PER_LONG)
		return find_short(map, nbits, n, align);
	return find_long(map, nbits, n, align);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_run_find);

/* Number of set bits right before a bit. */
static unsigned int ones_before(const unsigned long *map, unsigned int bit)
{
	unsigned int ones = 0;

	while (bit) {
		unsigned int in_word = (bit - 1) % BITS_PER_LONG + 1;
		/* The bits of the word before @bit, shifted to the high end. */
		unsigned long word = map[(bit - 1) / BITS_PER_LONG] << (BITS_PER_LONG - in_word);

		if (~word && high_ones(word) < in_word)
			return ones + high_ones(word);
		ones += in_word;
		bit -= in_word;
	}
	return ones;
}

/* kspan_run_around() for a run that may reach beyond the word. */
static unsigned int run_across_words(const unsigned long *map, unsigned int nbits,
				     unsigned int first, unsigned int n)
{
	unsigned int end = find_next_zero_bit(map, nbits, first + n);

	return ones_before(map, first) + end - first;
}

/**
 * kspan_run_around() - length of the run that some bits belong to
 * @map:	bitmap
 * @nbits:	bits of @map
 * @first:	first of these bits
 * @n:		their number; all of them are set, or the caller is about to set them
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
		/* The last word has zeroes from @nbits on, so the run ends before them. */
		if (below && above)
			return __ffs(above) - __fls(below) - 1;
	}
	return run_across_words(map, nbits, first, n);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_run_around);

/* So many runs are walked one by one; where there are more, longest_of_many() is faster. */
#define KSPAN_RUNS_WALKED	8

/*
 * Set @to to the bits of @from for which the bit @n places above is set, too. Returns whether
 * there are any.
 */
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
 * The longest run where there are many. It works on all words at once: of the places where @len
 * bits in a row are set, it finds those where @len + @step bits are set. The step doubles as long
 * as there are such places, and then halves.
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
 * @nbits:	bits of @map
 * @most:	the caller knows that no run is longer; so the search ends at a run of this length
 *
 * It takes about the same time whatever the runs are.
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
 * kspan_run_count() - count the runs
 * @map:	bitmap
 * @nbits:	bits of @map
 * Return: their number.
 */
unsigned int kspan_run_count(const unsigned long *map, unsigned int nbits)
{
	unsigned int word, count = 0;
	unsigned long before = 0;	/* the highest bit of the word before */

	for (word = 0; word < BITS_TO_LONGS(nbits); word++) {
		/* A run starts at each bit that is set, while the bit before is not. */
		count += hweight_long(map[word] & ~(map[word] << 1 | before));
		before = map[word] >> (BITS_PER_LONG - 1);
	}
	return count;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_run_count);
