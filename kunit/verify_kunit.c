// SPDX-License-Identifier: GPL-2.0
/* The consistency check itself: it sees what was broken on purpose. */
#include <linux/kspan.h>

#include "kspan_kunit.h"

static struct kspan_finding found;

/* Break a field, look, mend it. */
#define BREAK(test, field, bad, finding)			\
do {								\
	typeof(field) good = (field);				\
								\
	(field) = (bad);					\
	kspan_find_inconsistency(&kspan_default_heap, &found);	\
	(field) = good;						\
	KUNIT_ASSERT_NOT_NULL(test, found.what);		\
	KUNIT_EXPECT_STREQ(test, found.what, finding);		\
} while (0)

/* A live object; @span is set to the span it lies in. */
static void *live(struct kunit *test, size_t size, struct kspan_span **span)
{
	void *p = kspan_malloc(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	*span = kspan_map_span((unsigned long)p);
	KUNIT_ASSERT_NOT_NULL(test, *span);
	return p;
}

static void sees_wrong_page_counters(struct kunit *test)
{
	struct kspan_page_heap *ph;
	struct kspan_span *span;
	void *p = live(test, 64, &span);

	ph = kspan_page_heap(span->nid);
	BREAK(test, ph->used, ph->used + 1, "used pages");
	BREAK(test, ph->nr_runs, ph->nr_runs + 1, "runs in trees");
	BREAK(test, span->arena->used, 0, "used pages of arena");
	kspan_free(p);
}

static void sees_a_wrong_map(struct kunit *test)
{
	struct kspan_span *span;
	void *p = live(test, 64, &span);
	unsigned long page = kspan_map_page(span->start);

	BREAK(test, kspan_map.page_class[page], 0, "class of page");
	BREAK(test, *kspan_map_entry(span->start), NULL, "page has a run");
	kspan_free(p);
}

static void sees_wrong_slots(struct kunit *test)
{
	struct kspan_span *span;
	void *p = live(test, 64, &span);

	BREAK(test, span->used, span->used + 1, "used slots of span");
	BREAK(test, span->alloc_bits[1], BIT_ULL(63), "used slots of span");
	BREAK(test, span->free_index, span->nslots, "no slot below free_index is free");
	BREAK(test, span->high, 0, "no slot from high on is out");
	kspan_free(p);
}

static void sees_wrong_central_counters(struct kunit *test)
{
	struct kspan_central *central;
	struct kspan_span *span;
	void *p = live(test, 64, &span);

	central = span->central;
	BREAK(test, central->nr_out, central->nr_out + 1, "slots out");
	BREAK(test, central->nr_spans, central->nr_spans + 1, "spans of central");
	BREAK(test, central->nr_magazines, central->nr_magazines + 1, "magazines of central");
	kspan_free(p);
}

static void sees_an_object_cached_twice(struct kunit *test)
{
	unsigned int class = kspan_size_class(64);
	struct kspan_magazine *mag;

	kspan_kunit_pin(test);
	kspan_kunit_warm(test, 64);
	mag = raw_cpu_ptr(kspan_default_heap.cpu)->loaded[class];
	if (mag->count < 2)
		mag = raw_cpu_ptr(kspan_default_heap.cpu)->previous[class];
	KUNIT_ASSERT_GE(test, mag->count, 2U);
	BREAK(test, mag->slot[0], mag->slot[mag->count - 1], "object is cached once");
	BREAK(test, mag->slot[0], mag->slot[0] + 8, "cached object is out");
}

static void sees_free_neighbours(struct kunit *test)
{
	struct kspan_span *span;
	void *p = live(test, KSPAN_MAX_SMALL + 1, &span);
	void *q = live(test, KSPAN_MAX_SMALL + 1, &span);

	BREAK(test, span->state, KSPAN_SPAN_FREE, "neighbours coalesced");
	kspan_free(q);
	kspan_free(p);
}

static struct kunit_case verify_cases[] = {
	KUNIT_CASE(sees_wrong_page_counters),
	KUNIT_CASE(sees_a_wrong_map),
	KUNIT_CASE(sees_wrong_slots),
	KUNIT_CASE(sees_wrong_central_counters),
	KUNIT_CASE(sees_an_object_cached_twice),
	KUNIT_CASE(sees_free_neighbours),
	{}
};

static struct kunit_suite verify_suite = {
	.name = "kspan_verify",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = verify_cases,
};

kunit_test_suite(verify_suite);
