// SPDX-License-Identifier: GPL-2.0
/*
 * Random sizes and patterns for comparisons with a model.
 *
 * A pattern covers the first and the last 32 bytes of an object, and one byte of every 500
 * between. That is enough to notice another object in the same place, and quick for large objects.
 */
#include "model.h"

#define EDGE	32
#define STRIDE	500

/* Sizes near the edges of classes, of small and large objects, and of alignment rules. */
static const u32 edge_sizes[] = {
	1, 7, 8, 9, 15, 16, 17, 24, 64, 1023, 1024, 1025, 2560, 2688, 4096, 8191, 8192, 8193,
	16384, 27264, 32767, 32768, 32769, 40960, 65536, 65537, 98304, 131072,
};

/**
 * model_size() - choose a random size
 * @rnd:		state of the generator
 * @max_shift:	sizes are below 2^@max_shift, but for edge cases
 *
 * Return: bytes. One of eight is an edge case. The others are spread evenly over their logarithms.
 */
size_t model_size(struct rnd_state *rnd, unsigned int max_shift)
{
	unsigned int shift;

	if (!kspan_kunit_below(rnd, 8))
		return edge_sizes[kspan_kunit_below(rnd, ARRAY_SIZE(edge_sizes))];
	shift = kspan_kunit_below(rnd, max_shift);
	return (1U << shift) + kspan_kunit_below(rnd, 1U << shift);
}

static u8 pattern(size_t offset, u32 tag)
{
	return tag + offset * 7 + (tag >> 8) * (offset >> 5);
}

/* The next offset that has a byte of the pattern. */
static size_t next(size_t offset, size_t size)
{
	if (offset + 1 < EDGE || offset + 1 + EDGE >= size)
		return offset + 1;
	return min(ALIGN(offset + 1, STRIDE), size - EDGE);
}

/**
 * model_stamp() - write a pattern
 * @p:	object
 * @size:	bytes
 * @tag:	tells this pattern from others
 */
void model_stamp(u8 *p, size_t size, u32 tag)
{
	size_t offset;

	for (offset = 0; offset < size; offset = next(offset, size))
		p[offset] = pattern(offset, tag);
}

/**
 * model_stamped() - look for a pattern
 * @p:	object
 * @size:	bytes, as for model_stamp()
 * @tag:	as for model_stamp()
 *
 * Return: true if the pattern is intact.
 */
bool model_stamped(const u8 *p, size_t size, u32 tag)
{
	size_t offset;

	for (offset = 0; offset < size; offset = next(offset, size))
		if (p[offset] != pattern(offset, tag))
			return false;
	return true;
}
