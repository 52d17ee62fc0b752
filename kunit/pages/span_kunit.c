// SPDX-License-Identifier: GPL-2.0
/*
 * Spans: slots, their bitmap, and states.
 *
 * The spans have no memory: nobody reads or writes their addresses. Drawings show a character per
 * slot, slot 0 first: x for a slot that is out, a dot for a free one.
 */
#include <linux/bitmap.h>
#include <linux/panic.h>

#include "kspan_kunit.h"

#define BASE		BIT(40)
#define MAX_SLOTS	1024
/* The spans of this class have eight slots, as many as the drawings. */
#define SIZE		4096

/* Make a SMALL span of the class of @size. */
static struct kspan_span *span_new(struct kunit *test, size_t size)
{
	unsigned int class = kspan_size_class(size);
	struct kspan_span *span = kspan_span_alloc_descriptor(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, span);
	span->start = BASE;
	span->base_pages = kspan_size_classes[class].pages << KSPAN_PAGE_ORDER;
	span->class = class;
	kspan_span_set_state(span, KSPAN_SPAN_DETACHED);
	KUNIT_ASSERT_EQ(test, kspan_span_format(span, &kspan_size_classes[class], false,
						GFP_KERNEL), 0);
	kspan_span_set_state(span, KSPAN_SPAN_SMALL);
	return span;
}

static void span_drop(struct kspan_span *span)
{
	kspan_span_set_state(span, KSPAN_SPAN_DETACHED);
	kspan_span_unformat(span);
	kspan_span_set_state(span, KSPAN_SPAN_DEAD);
	kspan_span_free_descriptor(span);
}

static unsigned int slot_of(const struct kspan_span *span, const void *p)
{
	return ((unsigned long)p - BASE) / kspan_size_classes[span->class].size;
}

static unsigned long addr_of(const struct kspan_span *span, unsigned int slot)
{
	return BASE + (unsigned long)slot * kspan_size_classes[span->class].size;
}

static enum kspan_slot_state slot_state(const struct kspan_span *span, unsigned long addr)
{
	unsigned int index;

	return kspan_span_slot_state(span, addr, &index);
}

static void return_slot(struct kspan_span *span, unsigned int slot)
{
	kspan_span_return(span, slot / 64, BIT_ULL(slot % 64), 1);
}

/* Take @n slots, and forget them. */
static void take(struct kunit *test, struct kspan_span *span, unsigned int n)
{
	void **slots = kunit_kcalloc(test, n, sizeof(*slots), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, slots);
	KUNIT_ASSERT_EQ(test, kspan_span_take(span, slots, n), n);
}

/*
 *	........	used 0, free_index 0, high 0
 */
static void new_span_is_all_free(struct kunit *test)
{
	struct kspan_span *span = span_new(test, SIZE);

	KUNIT_EXPECT_EQ(test, (unsigned int)span->nslots, 8U);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->used, 0U);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->free_index, 0U);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->high, 0U);
	span_drop(span);
}

static void bitmap_is_inline_up_to_64_slots(struct kunit *test)
{
	unsigned int class;

	for (class = 1; class < KSPAN_NR_CLASSES; class++) {
		struct kspan_span *span = span_new(test, kspan_size_classes[class].size);

		KUNIT_EXPECT_EQ(test, span->alloc_bits == span->inline_bits, span->nslots <= 64);
		span_drop(span);
	}
}

/*
 *	slots[]	4 3 2 1 0	kspan_malloc() hands out the last one first
 */
static void slots_are_taken_lowest_first(struct kunit *test)
{
	struct kspan_span *span = span_new(test, SIZE);
	void *slots[5];
	unsigned int i;

	KUNIT_ASSERT_EQ(test, kspan_span_take(span, slots, 5), 5U);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, (unsigned long)slots[i], addr_of(span, 4 - i));
	KUNIT_EXPECT_EQ(test, (unsigned int)span->used, 5U);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->free_index, 5U);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->high, 5U);
	span_drop(span);
}

/*
 *	xxxxxx..  ->  x.xx.x..  ->  xxxxxxx.
 */
static void holes_are_filled_in_address_order(struct kunit *test)
{
	struct kspan_span *span = span_new(test, SIZE);
	void *slots[3];

	take(test, span, 6);
	return_slot(span, 4);
	return_slot(span, 1);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->free_index, 1U);
	KUNIT_ASSERT_EQ(test, kspan_span_take(span, slots, 3), 3U);
	KUNIT_EXPECT_EQ(test, slot_of(span, slots[2]), 1U);
	KUNIT_EXPECT_EQ(test, slot_of(span, slots[1]), 4U);
	KUNIT_EXPECT_EQ(test, slot_of(span, slots[0]), 6U);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->high, 7U);
	span_drop(span);
}

/* kspan_span_take() gets fewer slots than asked for, and puts them at the end of the array. */
static void what_is_left_is_taken(struct kunit *test)
{
	struct kspan_span *span = span_new(test, SIZE);
	void *slots[5] = { NULL };

	take(test, span, 6);
	KUNIT_EXPECT_EQ(test, kspan_span_take(span, slots, 5), 2U);
	KUNIT_EXPECT_NULL(test, slots[2]);
	KUNIT_EXPECT_EQ(test, (unsigned long)slots[4], addr_of(span, 6));
	KUNIT_EXPECT_EQ(test, (unsigned long)slots[3], addr_of(span, 7));
	KUNIT_EXPECT_EQ(test, kspan_span_take(span, slots, 5), 0U);
	span_drop(span);
}

/*
 *	word 0: 64 x	word 1: 63 x, and slot 95 free	class 64
 */
static void search_goes_on_in_the_next_word(struct kunit *test)
{
	struct kspan_span *span = span_new(test, 64);
	void *slot;

	take(test, span, 128);
	return_slot(span, 95);
	KUNIT_ASSERT_EQ(test, kspan_span_take(span, &slot, 1), 1U);
	KUNIT_EXPECT_EQ(test, slot_of(span, slot), 95U);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->used, 128U);
	span_drop(span);
}

/*
 *	xxx.....  ->  .xx.....  ->  xxx.....	high stays 3
 */
static void high_never_falls(struct kunit *test)
{
	struct kspan_span *span = span_new(test, SIZE);

	take(test, span, 3);
	return_slot(span, 0);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->used, 2U);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->free_index, 0U);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->high, 3U);
	take(test, span, 1);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->high, 3U);
	span_drop(span);
}

/*
 *	xx.xxx..	OUT, FREE below high, NEVER_OUT from it on
 */
static void slot_states(struct kunit *test)
{
	struct kspan_span *span = span_new(test, SIZE);

	take(test, span, 6);
	return_slot(span, 2);
	KUNIT_EXPECT_EQ(test, (int)slot_state(span, addr_of(span, 0)),
			(int)KSPAN_SLOT_OUT);
	KUNIT_EXPECT_EQ(test, (int)slot_state(span, addr_of(span, 2)),
			(int)KSPAN_SLOT_FREE);
	KUNIT_EXPECT_EQ(test, (int)slot_state(span, addr_of(span, 6)),
			(int)KSPAN_SLOT_NEVER_OUT);
	KUNIT_EXPECT_EQ(test, (int)slot_state(span, addr_of(span, 1) + 1),
			(int)KSPAN_SLOT_INSIDE);
	KUNIT_EXPECT_EQ(test, (int)slot_state(span, addr_of(span, 3) - 8),
			(int)KSPAN_SLOT_INSIDE);
	span_drop(span);
}

/* The state of a byte when half of the slots were taken, and every second of those was returned. */
static enum kspan_slot_state expected_state(const struct kspan_span *span, unsigned long offset)
{
	u32 size = kspan_size_classes[span->class].size;
	unsigned int slot = offset / size;

	if (slot >= span->nslots)
		return KSPAN_SLOT_NEVER_OUT;
	if (offset % size)
		return KSPAN_SLOT_INSIDE;
	if (slot >= (span->nslots + 1) / 2)
		return KSPAN_SLOT_NEVER_OUT;
	return slot % 2 ? KSPAN_SLOT_FREE : KSPAN_SLOT_OUT;
}

static void every_byte_of_every_class_has_its_state(struct kunit *test)
{
	unsigned int class, slot;

	for (class = 1; class < KSPAN_NR_CLASSES; class++) {
		struct kspan_span *span = span_new(test, kspan_size_classes[class].size);
		unsigned int half = (span->nslots + 1) / 2;
		unsigned long offset;

		take(test, span, half);
		for (slot = 1; slot < half; slot += 2)
			return_slot(span, slot);
		for (offset = 0; offset < kspan_span_bytes(span); offset++)
			if (slot_state(span, BASE + offset) !=
			    expected_state(span, offset))
				break;
		KUNIT_EXPECT_EQ_MSG(test, offset, kspan_span_bytes(span), "class %u",
				    kspan_size_classes[class].size);
		span_drop(span);
	}
}

struct oracle {
	DECLARE_BITMAP(out, MAX_SLOTS);
	unsigned int end;	/* one more than the highest slot that was ever out */
	struct rnd_state rnd;
};

static void oracle_take(struct kunit *test, struct oracle *oracle, struct kspan_span *span)
{
	unsigned int want = 1 + kspan_kunit_below(&oracle->rnd, KSPAN_MAGAZINE_MAX), got;
	void *slots[KSPAN_MAGAZINE_MAX];

	got = kspan_span_take(span, slots, want);
	KUNIT_ASSERT_EQ(test, got, min_t(unsigned int, want, span->nslots -
					 bitmap_weight(oracle->out, span->nslots)));
	for (; got; got--, want--) {
		unsigned int slot = find_first_zero_bit(oracle->out, span->nslots);

		KUNIT_ASSERT_EQ(test, slot_of(span, slots[want - 1]), slot);
		__set_bit(slot, oracle->out);
		oracle->end = max(oracle->end, slot + 1);
	}
}

static void oracle_return(struct oracle *oracle, struct kspan_span *span)
{
	unsigned int n = kspan_kunit_below(&oracle->rnd, KSPAN_MAGAZINE_MAX), slot;

	while (n--) {
		slot = kspan_kunit_below(&oracle->rnd, span->nslots);
		if (__test_and_clear_bit(slot, oracle->out))
			return_slot(span, slot);
	}
}

static void oracle_compare(struct kunit *test, struct oracle *oracle, struct kspan_span *span)
{
	unsigned int slot;

	KUNIT_ASSERT_EQ(test, (unsigned int)span->used,
			(unsigned int)bitmap_weight(oracle->out, span->nslots));
	KUNIT_ASSERT_EQ(test, (unsigned int)span->high, oracle->end);
	KUNIT_ASSERT_GE(test, (unsigned int)find_first_zero_bit(oracle->out, span->nslots),
			(unsigned int)span->free_index);
	for (slot = 0; slot < span->nslots; slot++)
		if ((slot_state(span, addr_of(span, slot)) == KSPAN_SLOT_OUT) !=
		    test_bit(slot, oracle->out))
			break;
	KUNIT_ASSERT_EQ(test, slot, (unsigned int)span->nslots);
}

static void random_sequence_agrees_with_a_bitmap(struct kunit *test)
{
	struct oracle *oracle = kunit_kzalloc(test, sizeof(*oracle), GFP_KERNEL);
	u64 seed = kspan_kunit_random_seed(test);
	unsigned int class, i;

	KUNIT_ASSERT_NOT_NULL(test, oracle);
	for (class = 1; class < KSPAN_NR_CLASSES; class++) {
		struct kspan_span *span = span_new(test, kspan_size_classes[class].size);

		memset(oracle, 0, sizeof(*oracle));
		prandom_seed_state(&oracle->rnd, seed + class);
		for (i = 0; i < 200; i++) {
			oracle_take(test, oracle, span);
			oracle_return(oracle, span);
			oracle_compare(test, oracle, span);
		}
		span_drop(span);
	}
}

/*
 *	DEAD -> DETACHED -> SMALL -> DETACHED -> DEAD -> LARGE -> DEAD
 */
static void life_of_a_span_is_legal(struct kunit *test)
{
	static const u8 life[] = {
		KSPAN_SPAN_DETACHED, KSPAN_SPAN_SMALL, KSPAN_SPAN_DETACHED, KSPAN_SPAN_DEAD,
		KSPAN_SPAN_LARGE, KSPAN_SPAN_DEAD,
	};
	struct kspan_span *span = kspan_span_alloc_descriptor(GFP_KERNEL);
	bool warned = test_taint(TAINT_WARN);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, span);
	KUNIT_EXPECT_EQ(test, (int)span->state, (int)KSPAN_SPAN_DEAD);
	for (i = 0; i < ARRAY_SIZE(life); i++) {
		kspan_span_set_state(span, life[i]);
		KUNIT_EXPECT_EQ(test, (int)span->state, (int)life[i]);
	}
	KUNIT_EXPECT_EQ(test, test_taint(TAINT_WARN), warned);
	kspan_span_free_descriptor(span);
}

/* A kernel with CONFIG_DEBUG_VM warns once, and the warning taints it. */
static void illegal_transition_is_warned_about(struct kunit *test)
{
	struct kspan_span *span;

	if (!IS_ENABLED(CONFIG_DEBUG_VM))
		kunit_skip(test, "CONFIG_DEBUG_VM is off");
	if (test_taint(TAINT_WARN))
		kunit_skip(test, "the kernel has warned before");
	span = kspan_span_alloc_descriptor(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, span);
	pr_info("kspan-expect: %s\n", "WARNING: ");
	kspan_span_set_state(span, KSPAN_SPAN_SMALL);
	KUNIT_EXPECT_TRUE(test, test_taint(TAINT_WARN));
	kspan_span_free_descriptor(span);
}

static struct kunit_case span_cases[] = {
	KUNIT_CASE(new_span_is_all_free),
	KUNIT_CASE(bitmap_is_inline_up_to_64_slots),
	KUNIT_CASE(slots_are_taken_lowest_first),
	KUNIT_CASE(holes_are_filled_in_address_order),
	KUNIT_CASE(what_is_left_is_taken),
	KUNIT_CASE(search_goes_on_in_the_next_word),
	KUNIT_CASE(high_never_falls),
	KUNIT_CASE(slot_states),
	KUNIT_CASE(every_byte_of_every_class_has_its_state),
	KUNIT_CASE(random_sequence_agrees_with_a_bitmap),
	KUNIT_CASE(life_of_a_span_is_legal),
	KUNIT_CASE(illegal_transition_is_warned_about),
	{}
};

static struct kunit_suite span_suite = {
	.name = "kspan_span",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = span_cases,
};

kunit_test_suite(span_suite);
