// SPDX-License-Identifier: GPL-2.0
/*
 * Lookups by address, while the span is freed, or becomes another one.
 *
 * The case looks a span up, changes its state as another CPU would, and then uses what the lookup
 * found.
 */
#include <linux/kspan.h>
#include <linux/nodemask.h>

#include "kspan_kunit.h"
#include "objects/lookup.h"

#define NID	first_memory_node
/* A class whose spans have a bitmap of several words, and one with a bitmap of one word. */
#define MANY	64
#define FEW	16384

static bool look(unsigned long addr, struct kspan_found *found)
{
	bool is;

	rcu_read_lock();
	is = kspan_lookup(addr, found);
	rcu_read_unlock();
	return is;
}

static struct kspan_span *span_alloc(struct kunit *test, size_t size)
{
	unsigned int class = kspan_size_class(size);
	const struct kspan_size_class *sc = &kspan_size_classes[class];
	struct kspan_span *span;

	span = kspan_page_heap_alloc(NID, sc->pages, sc->align, class, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, span);
	KUNIT_ASSERT_EQ(test, kspan_span_format(span, sc, false, GFP_KERNEL), 0);
	kspan_span_set_state(span, KSPAN_SPAN_SMALL);
	return span;
}

static void span_free(struct kunit *test, struct kspan_span *span)
{
	KUNIT_ASSERT_TRUE(test, kspan_span_change_state(span, KSPAN_SPAN_SMALL,
							KSPAN_SPAN_DETACHED));
	kspan_span_unformat(span);
	KUNIT_ASSERT_TRUE(test, kspan_page_heap_free(span, span->start, KSPAN_SPAN_DETACHED));
}

static void copy_is_of_the_span(struct kunit *test)
{
	struct kspan_span *span = span_alloc(test, MANY);
	struct kspan_found found;
	void *slot;

	KUNIT_ASSERT_EQ(test, kspan_span_take(span, &slot, 1), 1U);
	KUNIT_ASSERT_TRUE(test, look(span->start + MANY + 8, &found));
	KUNIT_EXPECT_PTR_EQ(test, found.span, span);
	KUNIT_EXPECT_EQ(test, found.start, span->start);
	KUNIT_EXPECT_EQ(test, found.bytes, kspan_span_bytes(span));
	KUNIT_EXPECT_EQ(test, found.size, (u32)MANY);
	KUNIT_EXPECT_PTR_EQ(test, found.alloc_bits, span->alloc_bits);
	KUNIT_EXPECT_EQ(test, (int)kspan_found_slot(&found, (unsigned long)slot),
			(int)KSPAN_SLOT_OUT);
	KUNIT_EXPECT_EQ(test, (int)kspan_found_slot(&found, (unsigned long)slot + 8),
			(int)KSPAN_SLOT_INSIDE);
	KUNIT_EXPECT_EQ(test, (int)kspan_found_slot(&found, (unsigned long)slot + MANY),
			(int)KSPAN_SLOT_NEVER_OUT);
	if (look(span->start + kspan_span_bytes(span), &found))
		KUNIT_EXPECT_PTR_NE(test, found.span, span);
	kspan_span_return(span, 0, 1, 1);
	span_free(test, span);
}

/* A span that is DETACHED, on its way up or down, or DEAD has no object. */
static void span_on_its_way_is_none(struct kunit *test)
{
	unsigned int class = kspan_size_class(FEW);
	const struct kspan_size_class *sc = &kspan_size_classes[class];
	struct kspan_span *span = kspan_page_heap_alloc(NID, sc->pages, sc->align, class,
							GFP_KERNEL);
	struct kspan_found found, before;
	unsigned long start;

	KUNIT_ASSERT_NOT_NULL(test, span);
	start = span->start;
	KUNIT_EXPECT_FALSE(test, look(start, &found));
	KUNIT_EXPECT_NULL(test, kspan_span_central(span));
	KUNIT_ASSERT_EQ(test, kspan_span_format(span, sc, false, GFP_KERNEL), 0);
	KUNIT_EXPECT_FALSE(test, look(start, &found));
	kspan_span_set_state(span, KSPAN_SPAN_SMALL);
	KUNIT_EXPECT_TRUE(test, look(start, &before));
	kspan_span_set_state(span, KSPAN_SPAN_DETACHED);
	KUNIT_EXPECT_FALSE(test, look(start, &found));
	KUNIT_EXPECT_FALSE(test, kspan_found_stays(&before));
	KUNIT_EXPECT_FALSE(test, kspan_found_pin(&before));
	kspan_span_unformat(span);
	KUNIT_EXPECT_FALSE(test, look(start, &found));
	KUNIT_EXPECT_EQ(test, kspan_central_peek(start, class), -ENOENT);
	KUNIT_EXPECT_EQ(test, kspan_size((void *)start), (size_t)0);
	KUNIT_ASSERT_TRUE(test, kspan_page_heap_free(span, start, KSPAN_SPAN_DETACHED));
	KUNIT_EXPECT_FALSE(test, look(start, &found));
}

/* The same descriptor and the same pages become another span. Its life differs. */
static void next_life_is_another_span(struct kunit *test)
{
	struct kspan_span *span = span_alloc(test, MANY), *next;
	struct kspan_found found;

	KUNIT_ASSERT_TRUE(test, look(span->start, &found));
	span_free(test, span);
	next = span_alloc(test, FEW);
	/* The page heap uses the descriptor that was freed last. */
	KUNIT_ASSERT_PTR_EQ(test, next, span);
	KUNIT_EXPECT_EQ(test, (u32)next->life, found.word.life + 1);
	KUNIT_EXPECT_FALSE(test, kspan_found_stays(&found));
	KUNIT_EXPECT_FALSE(test, kspan_found_pin(&found));
	KUNIT_EXPECT_EQ(test, (int)next->pins, 0);
	span_free(test, next);
}

static void next_life_can_not_be_claimed(struct kunit *test)
{
	struct kspan_span *run = kspan_page_heap_alloc(NID, 5, 1, 0, GFP_KERNEL), *next;
	struct kspan_found found;
	bool same;

	KUNIT_ASSERT_NOT_NULL(test, run);
	KUNIT_ASSERT_TRUE(test, look(run->start, &found));
	KUNIT_ASSERT_TRUE(test, kspan_page_heap_free(run, run->start, KSPAN_SPAN_LARGE));
	next = kspan_page_heap_alloc(NID, 5, 1, 0, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, next);
	same = next == run;
	KUNIT_EXPECT_FALSE(test, kspan_found_claim(&found, KSPAN_SPAN_LARGE,
						   KSPAN_SPAN_LARGE_DEFERRED));
	KUNIT_EXPECT_EQ(test, (int)next->state, (int)KSPAN_SPAN_LARGE);
	KUNIT_ASSERT_TRUE(test, kspan_page_heap_free(next, next->start, KSPAN_SPAN_LARGE));
	KUNIT_EXPECT_TRUE(test, same);
}

static void pinned_span_stays_small(struct kunit *test)
{
	struct kspan_span *span = span_alloc(test, FEW);
	struct kspan_found found;

	KUNIT_ASSERT_TRUE(test, look(span->start, &found));
	KUNIT_ASSERT_TRUE(test, kspan_found_pin(&found));
	KUNIT_ASSERT_TRUE(test, kspan_found_pin(&found));
	KUNIT_EXPECT_FALSE(test, kspan_span_change_state(span, KSPAN_SPAN_SMALL,
							 KSPAN_SPAN_DETACHED));
	KUNIT_EXPECT_TRUE(test, kspan_span_change_state(span, KSPAN_SPAN_SMALL,
							KSPAN_SPAN_SMALL_DEFERRED));
	KUNIT_EXPECT_TRUE(test, kspan_span_change_state(span, KSPAN_SPAN_SMALL_DEFERRED,
							KSPAN_SPAN_SMALL));
	kspan_span_unpin(span);
	KUNIT_EXPECT_FALSE(test, kspan_span_change_state(span, KSPAN_SPAN_SMALL,
							 KSPAN_SPAN_DETACHED));
	kspan_span_unpin(span);
	span_free(test, span);
}

/* The last object is freed while the span is pinned. The next merge retires the span. */
static void pinned_span_is_retired_by_the_next_merge(struct kunit *test)
{
	struct kspan_found found;
	struct kspan_span *span;
	void *p = kspan_malloc(FEW, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_ASSERT_TRUE(test, look((unsigned long)p, &found));
	span = found.span;
	KUNIT_ASSERT_TRUE(test, kspan_found_pin(&found));
	kspan_free(p);
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_EXPECT_EQ(test, (int)kspan_span_is_small(span->state), true);
	KUNIT_EXPECT_EQ(test, (int)span->used, 0);
	KUNIT_EXPECT_EQ(test, kspan_size(p), (size_t)0);
	kspan_span_unpin(span);
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_EXPECT_FALSE(test, look((unsigned long)p, &found));
	kspan_verify(test, &kspan_default_heap);
}

/*
 * The pages of a large object are in the map before the object is complete. Till then it can't be
 * freed.
 */
static void large_object_is_none_before_it_is_published(struct kunit *test)
{
	struct kspan_span *run = kspan_page_heap_alloc(NID, 5, 1, 0, GFP_KERNEL);
	void *p;
	u64 wrong = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);

	KUNIT_ASSERT_NOT_NULL(test, run);
	p = (void *)run->start;
	KUNIT_EXPECT_EQ(test, kspan_size(p), (size_t)0);
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE) - wrong, 1ULL);
	KUNIT_EXPECT_EQ(test, (int)run->state, (int)KSPAN_SPAN_LARGE);
	KUNIT_ASSERT_TRUE(test, kspan_page_heap_free(run, run->start, KSPAN_SPAN_LARGE));
}

static void held_large_object_is_free_to_others(struct kunit *test)
{
	struct kspan_found held, other;
	void *p = kspan_malloc(100000, GFP_KERNEL);
	u64 wrong = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);
	size_t size;

	KUNIT_ASSERT_NOT_NULL(test, p);
	size = kspan_size(p);
	KUNIT_EXPECT_EQ(test, kspan_hold(p, &held), size);
	KUNIT_EXPECT_EQ(test, kspan_hold(p, &other), (size_t)0);
	KUNIT_EXPECT_EQ(test, kspan_size(p), (size_t)0);
	KUNIT_EXPECT_FALSE(test, kspan_large_resize((unsigned long)p, 50000, GFP_KERNEL));
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE) - wrong, 1ULL);
	kspan_let_go(&held);
	KUNIT_EXPECT_EQ(test, kspan_size(p), size);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE) - wrong, 1ULL);
}

/* Small and tiny objects can be held by their first byte only, and while they are out. */
static void what_can_be_held(struct kunit *test)
{
	u8 *small = kspan_malloc(200, GFP_KERNEL), *tiny = kspan_tiny_alloc(5, GFP_KERNEL);
	struct kspan_found held;

	KUNIT_ASSERT_NOT_NULL(test, small);
	KUNIT_ASSERT_NOT_NULL(test, tiny);
	KUNIT_EXPECT_EQ(test, kspan_hold(small, &held), kspan_size(small));
	kspan_let_go(&held);
	KUNIT_EXPECT_EQ(test, kspan_hold(small + 8, &held), (size_t)0);
	KUNIT_EXPECT_GE(test, kspan_hold(tiny, &held), (size_t)5);
	kspan_let_go(&held);
	KUNIT_EXPECT_EQ(test, kspan_hold(tiny + 1, &held), (size_t)0);
	KUNIT_EXPECT_EQ(test, kspan_hold(test, &held), (size_t)0);
	KUNIT_EXPECT_EQ(test, kspan_hold(NULL, &held), (size_t)0);
	KUNIT_EXPECT_EQ(test, (int)kspan_map_span((unsigned long)small)->pins, 0);
	KUNIT_EXPECT_EQ(test, (int)kspan_map_span((unsigned long)tiny)->pins, 0);
	kspan_free(small);
	kspan_free(tiny);
}

static struct kunit_case lookup_cases[] = {
	KUNIT_CASE(copy_is_of_the_span),
	KUNIT_CASE(span_on_its_way_is_none),
	KUNIT_CASE(next_life_is_another_span),
	KUNIT_CASE(next_life_can_not_be_claimed),
	KUNIT_CASE(pinned_span_stays_small),
	KUNIT_CASE(pinned_span_is_retired_by_the_next_merge),
	KUNIT_CASE(large_object_is_none_before_it_is_published),
	KUNIT_CASE(held_large_object_is_free_to_others),
	KUNIT_CASE(what_can_be_held),
	{}
};

static struct kunit_suite lookup_suite = {
	.name = "kspan_lookup",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = lookup_cases,
};

kunit_test_suite(lookup_suite);
