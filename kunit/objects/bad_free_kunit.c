// SPDX-License-Identifier: GPL-2.0
/*
 * Wrong frees. Each case commits one kind. kspan must report it as that kind, and the heap must be
 * consistent afterwards.
 *
 * A wrong address in a small span may get into a magazine. It is found at the latest when the
 * magazine is returned, so most cases drain the heap.
 */
#include <linux/kspan.h>
#include <linux/vmalloc.h>

#include "kspan_kunit.h"

static u64 counts[KSPAN_NR_BAD_FREE_KINDS];

static int bad_free_init(struct kunit *test)
{
	unsigned int kind;

	kspan_kunit_init(test);
	kspan_kunit_pin(test);
	kspan_kunit_warm(test, 64);
	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		counts[kind] = kspan_bad_free_count(kind);
	return 0;
}

static void *live(struct kunit *test, size_t size)
{
	void *p = kspan_malloc(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

/* There must be one report of @kind since the last call, and none of another kind. */
static void expect_report(struct kunit *test, enum kspan_bad_free_kind kind, const void *addr,
			  size_t size)
{
	struct kspan_bad_free last = kspan_bad_free_last();
	unsigned int i;

	for (i = 0; i < KSPAN_NR_BAD_FREE_KINDS; i++) {
		KUNIT_EXPECT_EQ_MSG(test, kspan_bad_free_count(i) - counts[i],
				    i == kind ? 1ULL : 0ULL, "kind %u", i);
		counts[i] = kspan_bad_free_count(i);
	}
	KUNIT_EXPECT_EQ(test, (int)last.kind, (int)kind);
	KUNIT_EXPECT_EQ(test, last.addr, (unsigned long)addr);
	KUNIT_EXPECT_EQ(test, last.class, size ? kspan_size_class(size) : 0);
	kspan_verify(test, &kspan_default_heap);
}

static void expect_no_report(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < KSPAN_NR_BAD_FREE_KINDS; i++)
		KUNIT_EXPECT_EQ_MSG(test, kspan_bad_free_count(i), counts[i], "kind %u", i);
}

static void drain(void)
{
	kspan_heap_drain(&kspan_default_heap);
}

static void double_free_at_once(struct kunit *test)
{
	void *p = live(test, 64);

	kspan_free(p);
	kspan_free(p);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p, 64);
}

/* The magazine has p and q when p is freed again. */
static void double_free_later(struct kunit *test)
{
	void *p = live(test, 64), *q = live(test, 64);

	kspan_free(p);
	kspan_free(q);
	kspan_free(p);
	drain();
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p, 64);
}

/* p is free in its span. The span stays because r is live. */
static void double_free_of_a_slot_in_its_span(struct kunit *test)
{
	void *p = live(test, 64), *r = live(test, 64);

	kspan_free(p);
	drain();
	KUNIT_ASSERT_TRUE(test, kspan_owns(r));
	kspan_free(p);
	drain();
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p, 64);
	KUNIT_EXPECT_TRUE(test, kspan_owns(r));
	kspan_free(r);
}

/* The span of p is retired, but its arena stays. */
static void double_free_of_an_object_whose_span_is_gone(struct kunit *test)
{
	void *p = live(test, 64), *keep = live(test, 100000);

	kspan_free(p);
	drain();
	kspan_free(p);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p, 0);
	kspan_free(keep);
}

static void double_free_of_an_object_past_the_cache(struct kunit *test)
{
	void *p = live(test, 64), *q = live(test, 64);
	struct kspan_cpu_cache *entered;

	KUNIT_ASSERT_TRUE(test, kspan_cpu_cache_enter(&kspan_default_heap, &entered));
	kspan_free(p);
	kspan_free(p);
	kspan_cpu_cache_leave(entered);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p, 64);
	kspan_free(q);
}

static void object_that_is_freed_twice_stays_in_place_once(struct kunit *test)
{
	void *p = live(test, 64), *q = live(test, 64), *r = live(test, 64);

	kspan_free(p);
	kspan_free(q);
	kspan_free(p);
	drain();
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(&kspan_default_heap, kspan_size_class(64)), 1UL);
	KUNIT_EXPECT_TRUE(test, kspan_owns(r));
	kspan_free(r);
}

static void interior_pointer(struct kunit *test)
{
	void *p = live(test, 256);

	kspan_free(p + 16);
	drain();
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, p + 16, 256);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
	drain();
	expect_no_report(test);
}

static void interior_pointer_into_a_later_page(struct kunit *test)
{
	void *p = live(test, 27264);

	kspan_free(p + KSPAN_PAGE_SIZE);
	drain();
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, p + KSPAN_PAGE_SIZE, 27264);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
}

static void misaligned_pointer(struct kunit *test)
{
	void *p = live(test, 64);

	kspan_free(p + 3);
	drain();
	expect_report(test, KSPAN_BAD_FREE_MISALIGNED, p + 3, 64);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
}

/* The last slot of a span whose slots behind the first were never taken. */
static void slot_that_was_never_allocated(struct kunit *test)
{
	unsigned int class = kspan_size_class(2304), last;
	struct kspan_span *span;
	void *p, *never;

	p = live(test, 2304);
	drain();
	span = kspan_map_span((unsigned long)p);
	last = kspan_size_classes[class].slots - 1;
	KUNIT_ASSERT_LT(test, (unsigned int)span->high, last);
	never = (void *)span->start + last * 2304;
	kspan_free(never);
	drain();
	expect_report(test, KSPAN_BAD_FREE_NEVER_ALLOCATED, never, 2304);
	kspan_free(p);
}

/* The span has 256 bytes behind its last slot. */
static void tail_of_a_span(struct kunit *test)
{
	const struct kspan_size_class *sc = &kspan_size_classes[kspan_size_class(2304)];
	void *p = live(test, 2304), *tail;

	tail = (void *)kspan_map_span((unsigned long)p)->start + sc->slots * 2304;
	kspan_free(tail);
	drain();
	expect_report(test, KSPAN_BAD_FREE_NEVER_ALLOCATED, tail, 2304);
	kspan_free(p);
}

static void page_of_an_arena_that_was_never_used(struct kunit *test)
{
	void *p = live(test, 100000), *never = p + 64 * KSPAN_PAGE_SIZE;

	kspan_free(never);
	expect_report(test, KSPAN_BAD_FREE_NEVER_ALLOCATED, never, 0);
	kspan_free(p);
}

static void large_double_free(struct kunit *test)
{
	void *p = live(test, 100000), *keep = live(test, 100000);

	kspan_free(p);
	kspan_free(p);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p, 0);
	kspan_free(keep);
}

static void large_interior_pointer(struct kunit *test)
{
	void *p = live(test, 100000);

	kspan_free(p + 64);
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, p + 64, 0);
	kspan_free(p + KSPAN_PAGE_SIZE * 5);
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, p + KSPAN_PAGE_SIZE * 5, 0);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
	expect_no_report(test);
}

static void large_misaligned_pointer(struct kunit *test)
{
	void *p = live(test, 100000);

	kspan_free(p + 5);
	expect_report(test, KSPAN_BAD_FREE_MISALIGNED, p + 5, 0);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
}

static void arena_that_is_gone(struct kunit *test)
{
	void *p = live(test, 100000);

	kspan_free(p);
	kspan_kunit_settle();
	kspan_free(p);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, p, 0);
}

static void object_of_kmalloc(struct kunit *test)
{
	char *p = kmalloc(64, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	strscpy(p, "untouched", 64);
	kspan_free(p);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, p, 0);
	KUNIT_EXPECT_STREQ(test, p, "untouched");
	kfree(p);
}

static void address_on_the_stack(struct kunit *test)
{
	int local = 4711;

	kspan_free(&local);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, &local, 0);
	KUNIT_EXPECT_EQ(test, local, 4711);
}

static void address_of_vmalloc(struct kunit *test)
{
	void *p = vmalloc(PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, p);
	kspan_free(p);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, p, 0);
	vfree(p);
}

static void address_of_nothing(struct kunit *test)
{
	void *wild = (void *)0x5a5a5a5a5a5a5a58UL;

	kspan_free(wild);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, wild, 0);
	kspan_free(ERR_PTR(-ENOMEM));
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, ERR_PTR(-ENOMEM), 0);
}

/* An address of the direct map that has no memory, and perhaps no struct page. */
static void address_in_a_hole_of_memory(struct kunit *test)
{
	unsigned long page;
	void *hole = NULL;

	for (page = 0; page < kspan_map.nr_pages && !hole; page += KSPAN_ARENA_PAGES) {
		unsigned long addr = kspan_map.base + KSPAN_KUNIT_PAGES(page);

		if (!pfn_valid(PHYS_PFN(__pa(addr))))
			hole = (void *)addr;
	}
	if (!hole)
		kunit_skip(test, "there is a struct page for all of the map");
	kspan_free(hole);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, hole, 0);
}

static void sensitive_free_of_a_wrong_pointer(struct kunit *test)
{
	char *p = kmalloc(64, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	strscpy(p, "untouched", 64);
	kspan_free_sensitive(p);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, p, 0);
	KUNIT_EXPECT_STREQ(test, p, "untouched");
	kfree(p);
}

static void realloc_of_a_wrong_pointer(struct kunit *test)
{
	void *p = live(test, 256);

	KUNIT_EXPECT_NULL(test, kspan_realloc(p + 16, 300, GFP_KERNEL));
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, p + 16, 256);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
}

/* The bulk has p, q, p. */
static void double_free_within_a_bulk(struct kunit *test)
{
	void *objects[3];

	objects[0] = live(test, 64);
	objects[1] = live(test, 64);
	objects[2] = objects[0];
	kspan_free_bulk(3, objects);
	drain();
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, objects[0], 64);
}

static void large_double_free_within_a_bulk(struct kunit *test)
{
	void *objects[3];

	objects[0] = live(test, 100000);
	objects[1] = live(test, 100000);
	objects[2] = objects[0];
	kspan_free_bulk(3, objects);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, objects[0], 0);
}

/* The object has moved, and the pages of its old place are free. */
static void object_that_was_reallocated(struct kunit *test)
{
	void *p = live(test, 100000), *behind = live(test, 100000), *moved;

	moved = kspan_realloc(p, 1000000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, moved);
	KUNIT_ASSERT_PTR_NE(test, moved, p);
	kspan_free(p);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p, 0);
	KUNIT_EXPECT_TRUE(test, kspan_owns(moved));
	kspan_free(moved);
	kspan_free(behind);
}

/* The pages that a large object lost when it shrank are free. */
static void tail_of_an_object_that_shrank(struct kunit *test)
{
	void *p = live(test, 100000), *tail;

	KUNIT_ASSERT_PTR_EQ(test, kspan_realloc(p, 50000, GFP_KERNEL), p);
	tail = p + kspan_size(p);
	kspan_free(tail);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, tail, 0);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
	expect_no_report(test);
}

static struct kunit_case bad_free_cases[] = {
	KUNIT_CASE(double_free_at_once),
	KUNIT_CASE(double_free_later),
	KUNIT_CASE(double_free_of_a_slot_in_its_span),
	KUNIT_CASE(double_free_of_an_object_whose_span_is_gone),
	KUNIT_CASE(double_free_of_an_object_past_the_cache),
	KUNIT_CASE(object_that_is_freed_twice_stays_in_place_once),
	KUNIT_CASE(interior_pointer),
	KUNIT_CASE(interior_pointer_into_a_later_page),
	KUNIT_CASE(misaligned_pointer),
	KUNIT_CASE(slot_that_was_never_allocated),
	KUNIT_CASE(tail_of_a_span),
	KUNIT_CASE(page_of_an_arena_that_was_never_used),
	KUNIT_CASE(large_double_free),
	KUNIT_CASE(large_interior_pointer),
	KUNIT_CASE(large_misaligned_pointer),
	KUNIT_CASE(arena_that_is_gone),
	KUNIT_CASE(object_of_kmalloc),
	KUNIT_CASE(address_on_the_stack),
	KUNIT_CASE(address_of_vmalloc),
	KUNIT_CASE(address_of_nothing),
	KUNIT_CASE(address_in_a_hole_of_memory),
	KUNIT_CASE(sensitive_free_of_a_wrong_pointer),
	KUNIT_CASE(realloc_of_a_wrong_pointer),
	KUNIT_CASE(double_free_within_a_bulk),
	KUNIT_CASE(large_double_free_within_a_bulk),
	KUNIT_CASE(object_that_was_reallocated),
	KUNIT_CASE(tail_of_an_object_that_shrank),
	{}
};

static struct kunit_suite bad_free_suite = {
	.name = "kspan_bad_free",
	.init = bad_free_init,
	.exit = kspan_kunit_exit,
	.test_cases = bad_free_cases,
};

kunit_test_suite(bad_free_suite);
