// SPDX-License-Identifier: GPL-2.0
/* Heaps: single slots without the CPU caches, drain, and where an object is cached. */
#include <linux/kspan.h>
#include <linux/nodemask.h>

#include "kspan_kunit.h"

static struct kspan_heap *heap;

static int heap_init(struct kunit *test)
{
	kspan_kunit_init(test);
	heap = kspan_kunit_heap(test);
	return heap ? 0 : -ENOMEM;
}

static void *slot(struct kunit *test, unsigned int class, int nid, gfp_t gfp)
{
	void *object = kspan_heap_alloc_slot(heap, class, nid, gfp);

	KUNIT_ASSERT_NOT_NULL(test, object);
	return object;
}

static void slot_free(struct kunit *test, void *object)
{
	KUNIT_EXPECT_TRUE(test, kspan_central_free((unsigned long)object,
						   kspan_object_class(object)));
}

static void slot_comes_from_the_central_first(struct kunit *test)
{
	unsigned int class = kspan_size_class(64);
	void *a = slot(test, class, first_memory_node, GFP_KERNEL);
	void *b = slot(test, class, first_memory_node, GFP_KERNEL);

	KUNIT_EXPECT_PTR_EQ(test, b, a + 64);
	KUNIT_EXPECT_EQ(test, kspan_heap_central(heap, first_memory_node, class)->nr_spans, 1UL);
	slot_free(test, a);
	slot_free(test, b);
}

static void spans_belong_to_their_heap(struct kunit *test)
{
	unsigned int class = kspan_size_class(64);
	void *ours = slot(test, class, first_memory_node, GFP_KERNEL);
	void *theirs = kspan_malloc(64, GFP_KERNEL);
	struct kspan_central *central = kspan_map_span((unsigned long)ours)->central;

	KUNIT_EXPECT_PTR_EQ(test, central, kspan_heap_central(heap, central->nid, class));
	KUNIT_EXPECT_PTR_NE(test, kspan_map_span((unsigned long)theirs)->central, central);
	kspan_verify(test, heap);
	kspan_verify(test, &kspan_default_heap);
	kspan_free(theirs);
	slot_free(test, ours);
}

static void slot_is_of_the_node_asked_for(struct kunit *test)
{
	unsigned int class = kspan_size_class(64);
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		void *object = slot(test, class, nid, GFP_KERNEL | __GFP_THISNODE);

		KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(object)), nid);
		slot_free(test, object);
	}
}

/*
 * No arena can be allocated. A request gets a slot of another node, unless it has __GFP_THISNODE.
 */
static void other_nodes_help_out(struct kunit *test)
{
	int nid = first_memory_node, other = kspan_kunit_other_node(nid);
	unsigned int class = kspan_size_class(4096);
	void *there, *none, *object;

	if (other == NUMA_NO_NODE)
		kunit_skip(test, "only one node has memory");
	kspan_kunit_needs_faults(test);
	there = slot(test, class, other, GFP_KERNEL | __GFP_THISNODE);
	kspan_kunit_fail_arenas(1, 1000);
	none = kspan_heap_alloc_slot(heap, class, nid, GFP_KERNEL | __GFP_THISNODE);
	object = kspan_heap_alloc_slot(heap, class, nid, GFP_KERNEL);
	kspan_kunit_stop_failing();
	KUNIT_EXPECT_NULL(test, none);
	KUNIT_ASSERT_NOT_NULL(test, object);
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(object)), other);
	slot_free(test, object);
	slot_free(test, there);
}

static void no_memory_gives_null(struct kunit *test)
{
	unsigned int class = kspan_size_class(64);

	kspan_kunit_needs_faults(test);
	kspan_kunit_fail_arenas(1, 1000);
	KUNIT_EXPECT_NULL(test, kspan_heap_alloc_slot(heap, class, first_memory_node, GFP_KERNEL));
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
}

/* All objects are live. Then some are cached in this CPU's magazines, and some in the depot. */
static void cached_objects_are_found_wherever_they_are(struct kunit *test)
{
	unsigned int class = kspan_size_class(2048), cap = kspan_kunit_cap(class), i;
	void **objects = kunit_kcalloc(test, 5 * cap, sizeof(void *), GFP_KERNEL);
	unsigned int cached = 0;

	KUNIT_ASSERT_NOT_NULL(test, objects);
	kspan_kunit_pin(test);
	kspan_kunit_warm(test, 2048);
	for (i = 0; i < 5 * cap; i++)
		objects[i] = kspan_malloc(2048, GFP_KERNEL);
	for (i = 0; i < 5 * cap; i++)
		KUNIT_EXPECT_FALSE(test, kspan_heap_caches(&kspan_default_heap, class, objects[i]));
	for (i = 0; i < 5 * cap; i++)
		kspan_free(objects[i]);
	for (i = 0; i < 5 * cap; i++)
		cached += kspan_heap_caches(&kspan_default_heap, class, objects[i]);
	KUNIT_EXPECT_GT(test, cached, cap);
	KUNIT_EXPECT_EQ(test, (unsigned long)cached, kspan_kunit_out(&kspan_default_heap, class));
}

static void drain_leaves_nothing_cached(struct kunit *test)
{
	unsigned int class = kspan_size_class(64);
	void *object;

	kspan_kunit_pin(test);
	kspan_kunit_warm(test, 64);
	object = kspan_malloc(64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, object);
	KUNIT_EXPECT_GT(test, kspan_kunit_out(&kspan_default_heap, class), 1UL);
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(&kspan_default_heap, class), 1UL);
	KUNIT_EXPECT_TRUE(test, kspan_owns(object));
	kspan_free(object);
}

static struct kunit_case heap_cases[] = {
	KUNIT_CASE(slot_comes_from_the_central_first),
	KUNIT_CASE(spans_belong_to_their_heap),
	KUNIT_CASE(slot_is_of_the_node_asked_for),
	KUNIT_CASE(other_nodes_help_out),
	KUNIT_CASE(no_memory_gives_null),
	KUNIT_CASE(cached_objects_are_found_wherever_they_are),
	KUNIT_CASE(drain_leaves_nothing_cached),
	{}
};

static struct kunit_suite heap_suite = {
	.name = "kspan_heap",
	.init = heap_init,
	.exit = kspan_kunit_exit,
	.test_cases = heap_cases,
};

kunit_test_suite(heap_suite);
