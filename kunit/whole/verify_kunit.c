// SPDX-License-Identifier: GPL-2.0
/* The consistency check must find what is broken on purpose. */
#include <linux/kspan.h>

#include "kspan_kunit.h"

static struct kspan_finding found;

/* Break a field, check the heap, and restore the field. */
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

/* Make a live object. @span is set to its span. */
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
	BREAK(test, ph->filled, ph->filled ^ 1, "bucket is marked");
	BREAK(test, span->arena->used, 0, "used pages of arena");
	kspan_free(p);
}

static void sees_a_wrong_map(struct kunit *test)
{
	struct kspan_span *span;
	void *p = live(test, 64, &span);

	BREAK(test, *kspan_kunit_page_entry(span->start), 0, "class of page");
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
	mag = raw_cpu_ptr(kspan_default_heap.cpu)->class[class].loaded;
	if (mag->count < 2)
		mag = raw_cpu_ptr(kspan_default_heap.cpu)->class[class].previous;
	KUNIT_ASSERT_GE(test, mag->count, 2U);
	BREAK(test, mag->object[0], mag->object[mag->count - 1], "object is cached once");
	BREAK(test, mag->object[0], mag->object[0] + 8, "cached object is out");
}

static void sees_wrong_capacity(struct kunit *test)
{
	unsigned int class = kspan_size_class(64);
	struct kspan_cpu_cache *cache;

	kspan_kunit_pin(test);
	kspan_kunit_warm(test, 64);
	cache = raw_cpu_ptr(kspan_default_heap.cpu);
	KUNIT_ASSERT_GT(test, (unsigned int)cache->class[class].limit, 0U);
	BREAK(test, cache->capacity, cache->capacity + 1, "capacity of cache");
	BREAK(test, cache->class[class].limit, cache->class[class].limit - 1, "capacity of cache");
	BREAK(test, cache->class[class].limit, 62, "limit of class");
	BREAK(test, cache->class[0].limit, 1, "limit of class 0");
	BREAK(test, cache->victim, KSPAN_NR_CLASSES, "victim is a class");
	BREAK(test, cache->class[class].loaded->cap, cache->class[class].limit - 1,
	      cache->class[class].loaded->count == cache->class[class].limit ?
	      "count of magazine" : "magazine has room for the limit");
	kspan_kunit_settle();
}

static void sees_wrong_free_pages(struct kunit *test)
{
	struct kspan_span *span;
	void *p = live(test, KSPAN_MAX_SMALL + 1, &span);
	struct kspan_arena *arena = span->arena;
	unsigned int first = (span->start - arena->start) >> KSPAN_PAGE_SHIFT;

	BREAK(test, arena->free[first / 64], arena->free[first / 64] | BIT(first % 64),
	      "map entry of free page");
	BREAK(test, arena->longest, 0, "longest run");
	kspan_free(p);
}

/* Make an object in the CPU's open block, with the mark at 8. */
static void *live_tiny(struct kunit *test, struct kspan_span **span, struct kspan_tiny **tiny)
{
	void *p = kspan_tiny_alloc(3, GFP_KERNEL), *q = kspan_tiny_alloc(4, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_PTR_EQ(test, q, p + 4);
	kspan_free(q);
	*tiny = &raw_cpu_ptr(kspan_default_heap.cpu)->tiny;
	KUNIT_ASSERT_PTR_EQ(test, (*tiny)->block, p);
	*span = (*tiny)->span;
	return p;
}

/* The word with the bits of a block's objects. */
static unsigned long *starts_of(struct kspan_span *span, const void *block)
{
	return &span->starts[((unsigned long)block - span->start) / BITS_PER_LONG];
}

static void sees_tiny_objects_in_free_blocks(struct kunit *test)
{
	struct kspan_span *span;
	struct kspan_tiny *tiny;
	void *p = live_tiny(test, &span, &tiny);
	unsigned int last = span->nslots * KSPAN_TINY_BLOCK / BITS_PER_LONG - 1;

	BREAK(test, span->starts[last], BIT(BITS_PER_LONG - 1), "free block has no object");
	kspan_free(p);
}

/* Cache a block in a magazine, which the CPU gets by the second one. */
static void sees_tiny_objects_in_cached_blocks(struct kunit *test)
{
	struct kspan_span *span;
	struct kspan_tiny *tiny;
	unsigned long *starts;
	void *p, *q[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(q); i++)
		q[i] = kspan_tiny_alloc(15, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(q); i++)
		kspan_free(q[i]);
	p = live_tiny(test, &span, &tiny);
	for (i = 0; i < ARRAY_SIZE(q); i++)
		if (kspan_heap_caches(&kspan_default_heap, KSPAN_CLASS_TINY, q[i]))
			break;
	KUNIT_ASSERT_LT(test, i, (unsigned int)ARRAY_SIZE(q));
	starts = starts_of(span, q[i]);
	BREAK(test, *starts, *starts | BIT(((unsigned long)q[i] - span->start) % BITS_PER_LONG),
	      "free block has no object");
	kspan_free(p);
}

static void sees_live_blocks_without_an_object(struct kunit *test)
{
	struct kspan_span *span;
	struct kspan_tiny *tiny;
	void *p = live_tiny(test, &span, &tiny);

	BREAK(test, *starts_of(span, p), 0, "live block has an object or a mark");
	kspan_free(p);
}

static void sees_wrong_open_bits(struct kunit *test)
{
	struct kspan_span *span;
	struct kspan_tiny *tiny;
	void *p = live_tiny(test, &span, &tiny);
	unsigned long *open = kspan_span_open_bits(span);

	BREAK(test, open[0], 0, "open block is a CPU's");
	BREAK(test, open[1], BIT(5), "open block is a CPU's");
	BREAK(test, tiny->block, NULL, "open block is a CPU's");
	BREAK(test, tiny->span, NULL, "span of open block");
	kspan_free(p);
}

static void sees_a_mark_that_is_not_the_highest_bit(struct kunit *test)
{
	struct kspan_span *span;
	struct kspan_tiny *tiny;
	void *p = live_tiny(test, &span, &tiny);
	unsigned int shift = ((unsigned long)p - span->start) % BITS_PER_LONG;
	unsigned long *starts = starts_of(span, p);

	BREAK(test, *starts, *starts | BIT(shift + 15), "mark is the highest bit");
	BREAK(test, tiny->offset, 5, "mark is the highest bit");
	kspan_free(p);
}

static struct kunit_case verify_cases[] = {
	KUNIT_CASE(sees_wrong_page_counters),
	KUNIT_CASE(sees_a_wrong_map),
	KUNIT_CASE(sees_wrong_slots),
	KUNIT_CASE(sees_wrong_central_counters),
	KUNIT_CASE(sees_an_object_cached_twice),
	KUNIT_CASE(sees_wrong_capacity),
	KUNIT_CASE(sees_wrong_free_pages),
	KUNIT_CASE(sees_tiny_objects_in_free_blocks),
	KUNIT_CASE(sees_tiny_objects_in_cached_blocks),
	KUNIT_CASE(sees_live_blocks_without_an_object),
	KUNIT_CASE(sees_wrong_open_bits),
	KUNIT_CASE(sees_a_mark_that_is_not_the_highest_bit),
	{}
};

static struct kunit_suite verify_suite = {
	.name = "kspan_verify",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = verify_cases,
};

kunit_test_suite(verify_suite);
