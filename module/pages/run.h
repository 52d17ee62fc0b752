/* SPDX-License-Identifier: GPL-2.0 */
/* Runs of set bits in a bitmap of at most an arena's pages. */
#ifndef KSPAN_RUN_H
#define KSPAN_RUN_H

#include <linux/bitmap.h>
#include <linux/bits.h>

#include "types.h"

/* Result of a search that found nothing. */
#define KSPAN_NO_RUN	UINT_MAX

/* Set the bits of a run; most runs lie in one word. */
static inline void kspan_run_set(unsigned long *map, unsigned int first, unsigned int n)
{
	unsigned int bit = first % BITS_PER_LONG;

	if (bit + n <= BITS_PER_LONG)
		map[first / BITS_PER_LONG] |= GENMASK(bit + n - 1, bit);
	else
		bitmap_set(map, first, n);
}

/* Clear the bits of a run. */
static inline void kspan_run_clear(unsigned long *map, unsigned int first, unsigned int n)
{
	unsigned int bit = first % BITS_PER_LONG;

	if (bit + n <= BITS_PER_LONG)
		map[first / BITS_PER_LONG] &= ~GENMASK(bit + n - 1, bit);
	else
		bitmap_clear(map, first, n);
}

/* Whether all bits of a run are set. */
static inline bool kspan_run_is_set(const unsigned long *map, unsigned int first, unsigned int n)
{
	unsigned int bit = first % BITS_PER_LONG;

	if (bit + n <= BITS_PER_LONG)
		return !(~map[first / BITS_PER_LONG] & GENMASK(bit + n - 1, bit));
	return find_next_zero_bit(map, first + n, first) == first + n;
}

unsigned int kspan_run_find(const unsigned long *map, unsigned int nbits, unsigned int n,
			    unsigned int align);
unsigned int kspan_run_around(const unsigned long *map, unsigned int nbits, unsigned int first,
			      unsigned int n);
unsigned int kspan_run_longest(const unsigned long *map, unsigned int nbits, unsigned int most);
unsigned int kspan_run_count(const unsigned long *map, unsigned int nbits);

#endif /* KSPAN_RUN_H */
