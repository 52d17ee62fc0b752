// SPDX-License-Identifier: GPL-2.0
/* Size classes: the generated tables as the kernel sees them. */
#include <linux/kspan.h>
#include <linux/log2.h>

#include "kspan_kunit.h"

static u32 class_bytes(unsigned int class)
{
	return kspan_size_classes[class].size;
}

/* Alignment of the slots of a class. They start at multiples of the size in an aligned run. */
static size_t class_align(unsigned int class)
{
	size_t size = class_bytes(class);

	return min_t(size_t, size & -size,
		     KSPAN_KUNIT_PAGES(kspan_size_classes[class].align));
}

static void every_size_fits_its_class(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= KSPAN_MAX_SMALL; size++)
		KUNIT_ASSERT_GE_MSG(test, class_bytes(kspan_size_class(size)), (u32)size,
				    "size %zu", size);
}

static void size_zero_has_no_class(struct kunit *test)
{
	size_t zero = 0;

	OPTIMIZER_HIDE_VAR(zero);
	KUNIT_EXPECT_EQ(test, kspan_size_class(zero), 0U);
}

static void classes_rise(struct kunit *test)
{
	unsigned int class;

	for (class = 1; class < KSPAN_CLASS_TINY; class++)
		KUNIT_EXPECT_GT(test, class_bytes(class), class_bytes(class - 1));
	KUNIT_EXPECT_EQ(test, class_bytes(KSPAN_CLASS_TINY - 1), (u32)KSPAN_MAX_SMALL);
}

static void no_size_leads_to_tiny_blocks(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= KSPAN_MAX_SMALL; size++)
		KUNIT_ASSERT_LT(test, kspan_size_class(size), (unsigned int)KSPAN_CLASS_TINY);
	KUNIT_EXPECT_EQ(test, class_bytes(KSPAN_CLASS_TINY), (u32)KSPAN_TINY_BLOCK);
}

/* No smaller class is large enough and aligned as promised. */
static void smallest_conforming_class_is_chosen(struct kunit *test)
{
	size_t size;

	for (size = 8; size <= KSPAN_MAX_SMALL; size += 8) {
		unsigned int class = 1;

		while (class_bytes(class) < size || class_align(class) < kspan_kunit_align(size))
			class++;
		KUNIT_ASSERT_EQ_MSG(test, kspan_size_class(size), class, "size %zu", size);
	}
}

static void sizes_between_multiples_of_8_round_up(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= KSPAN_MAX_SMALL; size++)
		KUNIT_ASSERT_EQ_MSG(test, kspan_size_class(size),
				    kspan_size_class(ALIGN(size, 8)), "size %zu", size);
}

static void slots_are_aligned_as_promised(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= KSPAN_MAX_SMALL; size++)
		KUNIT_ASSERT_GE_MSG(test, class_align(kspan_size_class(size)),
				    kspan_kunit_align(size), "size %zu", size);
}

static void constants_fold_to_what_the_table_says(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= KSPAN_MAX_SMALL; size++)
		KUNIT_ASSERT_EQ_MSG(test, kspan_constant_class(size),
				    (unsigned int)kspan_size_to_class[(size + 7) >> 3],
				    "size %zu", size);
	/* The compiler alone computes this. */
	BUILD_BUG_ON(kspan_size_class(100) != 9);
}

/*
 *	slot	0      1      2          tail
 *		|size  |size  |size  ... |  |
 *	exact	^      ^      ^          ^
 */
static void slot_index_is_a_division(struct kunit *test)
{
	unsigned int class;

	for (class = 1; class < KSPAN_NR_CLASSES; class++) {
		unsigned long end = KSPAN_KUNIT_PAGES(kspan_size_classes[class].pages);
		u32 magic = kspan_size_classes[class].magic;
		u32 size = class_bytes(class);
		unsigned long offset;
		bool exact;

		for (offset = 0; offset < end; offset++)
			if (kspan_slot_index(magic, offset, &exact) != offset / size ||
			    exact != (offset % size == 0))
				break;
		KUNIT_EXPECT_EQ_MSG(test, offset, end, "class %u", size);
	}
}

static void slots_fill_the_span(struct kunit *test)
{
	unsigned int class;

	for (class = 1; class < KSPAN_NR_CLASSES; class++) {
		const struct kspan_size_class *sc = &kspan_size_classes[class];

		KUNIT_EXPECT_EQ_MSG(test, (unsigned long)sc->slots,
				    KSPAN_KUNIT_PAGES(sc->pages) / sc->size, "class %u", sc->size);
	}
}

/* The rest at the end of a span is at most an eighth of it. */
static void tails_are_short(struct kunit *test)
{
	unsigned int class;

	for (class = 1; class < KSPAN_NR_CLASSES; class++) {
		const struct kspan_size_class *sc = &kspan_size_classes[class];
		unsigned long bytes = KSPAN_KUNIT_PAGES(sc->pages);

		KUNIT_EXPECT_LE_MSG(test, (unsigned long)sc->slots * sc->size, bytes, "class %u",
				    sc->size);
		KUNIT_EXPECT_LE_MSG(test, bytes - sc->slots * sc->size, bytes / 8, "class %u",
				    sc->size);
	}
}

/*
 * A span of a class below 16 KiB has 16 objects, or is longer than half of 32 KiB. A span of
 * several pages has fewer than 32 objects.
 */
static void spans_have_some_objects(struct kunit *test)
{
	unsigned int class;

	for (class = 1; class < KSPAN_CLASS_TINY; class++) {
		const struct kspan_size_class *sc = &kspan_size_classes[class];

		if (sc->size < 16384)
			KUNIT_EXPECT_TRUE_MSG(test, sc->slots >= 16 ||
					      2 * KSPAN_KUNIT_PAGES(sc->pages) > 32768,
					      "class %u", sc->size);
		if (sc->pages > 1)
			KUNIT_EXPECT_LT_MSG(test, (unsigned int)sc->slots, 32U, "class %u",
					    sc->size);
	}
	KUNIT_EXPECT_EQ(test, (unsigned int)kspan_size_classes[KSPAN_CLASS_TINY - 1].slots, 1U);
}

/* Refills rely on this: spans that lie side by side are all aligned. */
static void spans_are_aligned_side_by_side(struct kunit *test)
{
	unsigned int class;

	for (class = 1; class < KSPAN_NR_CLASSES; class++) {
		const struct kspan_size_class *sc = &kspan_size_classes[class];

		KUNIT_EXPECT_EQ_MSG(test, (unsigned int)sc->pages % sc->align, 0U, "class %u",
				    sc->size);
		KUNIT_EXPECT_TRUE_MSG(test, is_power_of_2(sc->align), "class %u", sc->size);
		KUNIT_EXPECT_LE_MSG(test, (unsigned long)sc->align,
				    roundup_pow_of_two(sc->pages), "class %u", sc->size);
	}
}

static void roundup_tells_what_one_gets(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= KSPAN_MAX_SMALL; size++)
		KUNIT_ASSERT_EQ(test, kspan_size_roundup(size),
				(size_t)class_bytes(kspan_size_class(size)));
	KUNIT_EXPECT_EQ(test, kspan_size_roundup(0), (size_t)0);
	KUNIT_EXPECT_EQ(test, kspan_size_roundup(KSPAN_MAX_SMALL + 1),
			ALIGN(KSPAN_MAX_SMALL + 1, KSPAN_PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, kspan_size_roundup(KSPAN_MAX_SIZE), (size_t)KSPAN_MAX_SIZE);
	KUNIT_EXPECT_EQ(test, kspan_size_roundup(KSPAN_MAX_SIZE + 1), (size_t)KSPAN_MAX_SIZE + 1);
	KUNIT_EXPECT_EQ(test, kspan_size_roundup(SIZE_MAX), SIZE_MAX);
}

static struct kunit_case size_class_cases[] = {
	KUNIT_CASE(every_size_fits_its_class),
	KUNIT_CASE(size_zero_has_no_class),
	KUNIT_CASE(classes_rise),
	KUNIT_CASE(no_size_leads_to_tiny_blocks),
	KUNIT_CASE(smallest_conforming_class_is_chosen),
	KUNIT_CASE(sizes_between_multiples_of_8_round_up),
	KUNIT_CASE(slots_are_aligned_as_promised),
	KUNIT_CASE(constants_fold_to_what_the_table_says),
	KUNIT_CASE(slot_index_is_a_division),
	KUNIT_CASE(slots_fill_the_span),
	KUNIT_CASE(tails_are_short),
	KUNIT_CASE(spans_have_some_objects),
	KUNIT_CASE(spans_are_aligned_side_by_side),
	KUNIT_CASE(roundup_tells_what_one_gets),
	{}
};

static struct kunit_suite size_class_suite = {
	.name = "kspan_size_class",
	.test_cases = size_class_cases,
};

kunit_test_suite(size_class_suite);
