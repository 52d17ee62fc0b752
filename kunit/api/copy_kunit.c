// SPDX-License-Identifier: GPL-2.0
/* Copies of user memory and other memory, arrays on a node, and call sites of wrappers. */
#include <linux/kspan.h>
#include <linux/mman.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "kspan_kunit.h"
#include "objects/track.h"

static struct kspan_heap *heap;

static int copy_init(struct kunit *test)
{
	kspan_kunit_init(test);
	heap = kspan_heap_create("copies", 0, 0);
	return heap ? 0 : -ENOMEM;
}

static void copy_exit(struct kunit *test)
{
	kspan_heap_destroy(heap);
	heap = NULL;
	kspan_kunit_exit(test);
}

static void bytes_get_an_end(struct kunit *test)
{
	static const char text[4] = { 'a', 'b', 'c', 'd' };
	char *s = kspan_memdup_nul(text, sizeof(text), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_STREQ(test, s, "abcd");
	kspan_free(s);
	s = kspan_heap_memdup_nul(heap, text, 0, GFP_KERNEL);
	KUNIT_EXPECT_STREQ(test, s, "");
	KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(s), heap);
	kspan_free(s);
	KUNIT_EXPECT_NULL(test, kspan_memdup_nul(NULL, 4, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_memdup_nul(text, SIZE_MAX, GFP_KERNEL));
}

static void arrays_are_copied(struct kunit *test)
{
	static const u32 numbers[] = { 1, 2, 3, 5, 8 };
	u32 *copy = kspan_memdup_array(numbers, ARRAY_SIZE(numbers), sizeof(u32), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	KUNIT_EXPECT_EQ(test, memcmp(copy, numbers, sizeof(numbers)), 0);
	kspan_free(copy);
	copy = kspan_heap_memdup_array(heap, numbers, 2, sizeof(u32), GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(copy), heap);
	kspan_free(copy);
	KUNIT_EXPECT_NULL(test, kspan_memdup_array(numbers, SIZE_MAX / 2, 4, GFP_KERNEL));
}

/* The thread of a test has no user memory. So a copy from any user address must fail. */
static void addresses_that_are_no_user_s_fault(struct kunit *test)
{
	void __user *none = (void __user *)(TASK_SIZE_MAX - 8);

	KUNIT_EXPECT_EQ(test, PTR_ERR(kspan_memdup_user(none, 100)), (long)-EFAULT);
	KUNIT_EXPECT_EQ(test, PTR_ERR(kspan_memdup_user_nul(none, 100)), (long)-EFAULT);
	KUNIT_EXPECT_EQ(test, PTR_ERR(kspan_memdup_user_nul(none, SIZE_MAX)), (long)-ENOMEM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(kspan_memdup_array_user(none, 10, 10)), (long)-EFAULT);
	KUNIT_EXPECT_EQ(test, PTR_ERR(kspan_memdup_array_user(none, SIZE_MAX, 10)),
			(long)-EOVERFLOW);
	KUNIT_EXPECT_EQ(test, PTR_ERR(kspan_strndup_user((char __user *)none, 100)),
			(long)-EFAULT);
	KUNIT_EXPECT_EQ(test, PTR_ERR(kspan_heap_memdup_user(heap, none, 100)), (long)-EFAULT);
}

static void arrays_of_a_node(struct kunit *test)
{
	int nid = first_memory_node;
	size_t n = SIZE_MAX / 4;
	void *p[6];
	unsigned int i;

	p[0] = kspan_zalloc_node(100, GFP_KERNEL | __GFP_THISNODE, nid);
	p[1] = kspan_calloc_node(10, 10, GFP_KERNEL | __GFP_THISNODE, nid);
	p[2] = kspan_heap_zalloc_node(heap, 100, GFP_KERNEL | __GFP_THISNODE, nid);
	p[3] = kspan_heap_calloc_node(heap, 10, 10, GFP_KERNEL | __GFP_THISNODE, nid);
	p[4] = kspan_malloc_array_node(10, 10, GFP_KERNEL | __GFP_THISNODE, nid);
	p[5] = kspan_heap_malloc_array_node(heap, 10, 10, GFP_KERNEL | __GFP_THISNODE, nid);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		KUNIT_ASSERT_NOT_NULL_MSG(test, p[i], "%u", i);
		KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(p[i])), nid);
		if (i < 4)
			KUNIT_EXPECT_TRUE_MSG(test, kspan_kunit_filled(p[i], 0), "%u", i);
		memset(p[i], 0xd1, kspan_size(p[i]));
		kspan_free(p[i]);
	}
	OPTIMIZER_HIDE_VAR(n);
	KUNIT_EXPECT_NULL(test, kspan_malloc_array_node(n, 8, GFP_KERNEL, nid));
	KUNIT_EXPECT_NULL(test, kspan_calloc_node(n, 8, GFP_KERNEL, nid));
	KUNIT_EXPECT_NULL(test, kspan_heap_calloc_node(heap, n, 8, GFP_KERNEL, nid));
}

static noinline void *wrapper(struct kspan_heap *from)
{
	void *p = kspan_heap_malloc_track_caller(from, 100, GFP_KERNEL);

	/* Keep the compiler from making a tail call, which would have no call site here. */
	OPTIMIZER_HIDE_VAR(p);
	return p;
}

static noinline void *wrapper_of_a_node(struct kspan_heap *from)
{
	void *p = kspan_heap_malloc_node_track_caller(from, 100, GFP_KERNEL, NUMA_NO_NODE);

	OPTIMIZER_HIDE_VAR(p);
	return p;
}

/* Two calls of each of two wrappers have four call sites, all of them outside of the wrappers. */
static void sites_are_those_of_the_caller_s_caller(struct kunit *test)
{
	struct kspan_heap *tracked = kspan_heap_create("wrapped", 0, KSPAN_HEAP_TRACK);
	unsigned long wrappers[] = { (unsigned long)wrapper, (unsigned long)wrapper_of_a_node };
	unsigned int nr_sites, i, j;
	struct kspan_site *sites;
	void *p[4];

	KUNIT_ASSERT_NOT_NULL(test, tracked);
	p[0] = wrapper(tracked);
	p[1] = wrapper(tracked);
	p[2] = wrapper_of_a_node(tracked);
	p[3] = wrapper_of_a_node(tracked);
	sites = kspan_track_sum(tracked, &nr_sites);
	KUNIT_EXPECT_EQ(test, nr_sites, 4U);
	for (i = 0; sites && i < nr_sites; i++)
		for (j = 0; j < ARRAY_SIZE(wrappers); j++)
			KUNIT_EXPECT_GT(test, sites[i].site - wrappers[j], 64UL);
	kvfree(sites);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		kspan_free(p[i]);
	kspan_free(wrapper(NULL));
	p[0] = kspan_malloc_track_caller(64, GFP_KERNEL);
	p[1] = kspan_malloc_node_track_caller(64, GFP_KERNEL, NUMA_NO_NODE);
	KUNIT_EXPECT_EQ(test, kspan_size(p[0]) + kspan_size(p[1]), (size_t)128);
	kspan_free_bulk(2, p);
	kspan_heap_destroy(tracked);
}

static struct kunit_case copy_cases[] = {
	KUNIT_CASE(bytes_get_an_end),
	KUNIT_CASE(arrays_are_copied),
	KUNIT_CASE(addresses_that_are_no_user_s_fault),
	KUNIT_CASE(arrays_of_a_node),
	KUNIT_CASE(sites_are_those_of_the_caller_s_caller),
	{}
};

static struct kunit_suite copy_suite = {
	.name = "kspan_copy",
	.init = copy_init,
	.exit = copy_exit,
	.test_cases = copy_cases,
};

kunit_test_suite(copy_suite);
