// SPDX-License-Identifier: GPL-2.0
/* Options of heaps and caches, and queries about them. */
#include <linux/kspan.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "api/private.h"
#include "kspan_kunit.h"

static struct kspan_heap_stats stats_of(struct kspan_heap *heap)
{
	struct kspan_heap_stats stats;

	kspan_heap_stats(heap, &stats);
	return stats;
}

static void heap_tells_what_it_has(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("told", SZ_1M, 0);
	struct kspan_heap_stats stats;
	void *p[3];
	unsigned int i;
	u64 peak;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	KUNIT_EXPECT_STREQ(test, kspan_heap_name(heap), "told");
	stats = stats_of(heap);
	KUNIT_EXPECT_EQ(test, stats.limit, (u64)SZ_1M);
	KUNIT_EXPECT_EQ(test, stats.held | stats.peak | stats.bytes | stats.objects, 0ULL);
	p[0] = kspan_heap_malloc(heap, 64, GFP_KERNEL);
	p[1] = kspan_heap_malloc(heap, 100000, GFP_KERNEL);
	p[2] = kspan_heap_kvmalloc(heap, 200000, GFP_KERNEL);
	stats = stats_of(heap);
	KUNIT_EXPECT_EQ(test, stats.objects, 3ULL);
	KUNIT_EXPECT_EQ(test, stats.bytes,
			(u64)(64 + kspan_size_roundup(100000) + kspan_size_roundup(200000)));
	KUNIT_EXPECT_GE(test, stats.held, stats.bytes);
	KUNIT_EXPECT_EQ(test, stats.peak, stats.held);
	peak = stats.peak;
	for (i = 0; i < ARRAY_SIZE(p); i++)
		kspan_free(p[i]);
	kspan_heap_trim(heap);
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(heap, SZ_2M, GFP_KERNEL));
	stats = stats_of(heap);
	KUNIT_EXPECT_EQ(test, stats.objects | stats.bytes | stats.held, 0ULL);
	KUNIT_EXPECT_EQ(test, stats.frees, 3ULL);
	KUNIT_EXPECT_EQ(test, stats.failures, 1ULL);
	KUNIT_EXPECT_EQ(test, stats.peak, peak);
	kspan_heap_destroy(heap);
}

static void default_heap_tells_it_as_null(struct kunit *test)
{
	u64 before = stats_of(NULL).objects;
	void *p = kspan_malloc(64, GFP_KERNEL);

	KUNIT_EXPECT_STREQ(test, kspan_heap_name(NULL), "default");
	KUNIT_EXPECT_EQ(test, stats_of(NULL).objects, before + 1);
	KUNIT_EXPECT_GT(test, stats_of(NULL).peak, 0ULL);
	kspan_free(p);
}

struct visits {
	struct kspan_heap *first, *second;
	unsigned int defaults, firsts, seconds;
	u64 objects;
};

static void visit(struct kspan_heap *heap, void *data)
{
	struct visits *visits = data;

	visits->defaults += !heap;
	visits->firsts += heap && heap == visits->first;
	visits->seconds += heap && heap == visits->second;
	if (heap && heap == visits->first)
		visits->objects = stats_of(heap).objects;
}

static bool saw_cache;

static void look_for_cache(struct kspan_heap *heap, void *data)
{
	saw_cache |= !strcmp(kspan_heap_name(heap), "a cache");
}

static void each_heap_is_visited_once(struct kunit *test)
{
	struct kspan_cache *cache = kspan_cache_create("a cache", 64, 0, 0, NULL);
	struct visits visits = {
		.first = kspan_heap_create("first", 0, 0),
		.second = kspan_heap_create("second", 0, 0),
	};
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, visits.first);
	p = kspan_heap_malloc(visits.first, 64, GFP_KERNEL);
	kspan_heap_for_each(visit, &visits);
	KUNIT_EXPECT_EQ(test, visits.defaults, 1U);
	KUNIT_EXPECT_EQ(test, visits.firsts, 1U);
	KUNIT_EXPECT_EQ(test, visits.seconds, 1U);
	KUNIT_EXPECT_EQ(test, visits.objects, 1ULL);
	saw_cache = false;
	kspan_heap_for_each(look_for_cache, NULL);
	KUNIT_EXPECT_FALSE(test, saw_cache);
	kspan_free(p);
	kspan_heap_destroy(visits.first);
	kspan_heap_destroy(visits.second);
	kspan_cache_destroy(cache);
}

/* A request must work as if it had the heap's flags itself. */
static void flags_of_a_heap_are_those_of_its_requests(struct kunit *test)
{
	struct kspan_heap_options options = {
		.gfp_on = __GFP_ZERO, .gfp_off = __GFP_FS | __GFP_IO,
	};
	struct kspan_heap *heap = kspan_heap_create_with("flags", &options);
	unsigned int i, n = 0;
	void *p[12];

	KUNIT_ASSERT_NOT_NULL(test, heap);
	KUNIT_EXPECT_TRUE(test, kspan_heap_gfp(heap, GFP_KERNEL) == (GFP_NOIO | __GFP_ZERO));
	p[n++] = kspan_heap_malloc(heap, 100, GFP_KERNEL);
	p[n++] = kspan_heap_malloc(heap, 100000, GFP_KERNEL);
	p[n++] = kspan_heap_malloc_node(heap, 100, GFP_KERNEL, NUMA_NO_NODE);
	p[n++] = kspan_heap_malloc_node(heap, 100, GFP_KERNEL, first_memory_node);
	p[n++] = kspan_heap_malloc_array(heap, 10, 10, GFP_KERNEL);
	p[n++] = kspan_heap_malloc_aligned(heap, 100, 512, GFP_KERNEL);
	p[n++] = kspan_heap_realloc(heap, NULL, 100, GFP_KERNEL);
	p[n++] = kspan_heap_kvmalloc(heap, 100000, GFP_KERNEL);
	p[n++] = kspan_heap_malloc_track_caller(heap, 100, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, kspan_heap_alloc_bulk(heap, 100, GFP_KERNEL, 2, &p[n]), 2U);
	n += 2;
	for (i = 0; i < n; i++) {
		KUNIT_ASSERT_NOT_NULL_MSG(test, p[i], "call %u", i);
		KUNIT_EXPECT_TRUE_MSG(test, kspan_kunit_filled(p[i], 0), "call %u", i);
		memset(p[i], 0xd1, kspan_size(p[i]));
		KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(p[i]), heap);
	}
	kspan_free_bulk(n, p);
	kspan_heap_destroy(heap);
}

static void expect_on(struct kunit *test, struct kspan_heap *heap, int nid)
{
	char *s = kspan_heap_strdup(heap, "a string", GFP_KERNEL);
	void *p = kspan_heap_malloc(heap, 100, GFP_KERNEL);
	void *q = kspan_heap_zalloc(heap, 100000, GFP_KERNEL);

	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(s)), nid);
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(p)), nid);
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(q)), nid);
	kspan_free(s);
	kspan_free(p);
	kspan_free(q);
}

static void objects_come_from_the_node_of_a_heap(struct kunit *test)
{
	struct kspan_heap_options options = { .flags = KSPAN_HEAP_ON_NODE };
	struct kspan_heap *heap;

	for_each_node_state(options.node, N_MEMORY) {
		heap = kspan_heap_create_with("on a node", &options);
		KUNIT_ASSERT_NOT_NULL(test, heap);
		expect_on(test, heap, options.node);
		kspan_heap_destroy(heap);
	}
}

static void options_that_are_wrong_are_refused(struct kunit *test)
{
	struct kspan_heap_options zone = { .gfp_on = GFP_DMA }, flag = { .flags = 0x100 };
	struct kspan_heap_options node = { .flags = KSPAN_HEAP_ON_NODE, .node = NUMA_NO_NODE };
	struct kspan_heap_options none = { };
	struct kspan_heap *heap = kspan_heap_create_with("none", &none);

	KUNIT_EXPECT_NOT_NULL(test, heap);
	kspan_heap_destroy(heap);
	KUNIT_EXPECT_NULL(test, kspan_heap_create_with("zone", &zone));
	KUNIT_EXPECT_NULL(test, kspan_heap_create_with("flag", &flag));
	KUNIT_EXPECT_NULL(test, kspan_heap_create_with("node", &node));
	KUNIT_EXPECT_NULL(test, kspan_heap_create_with(NULL, &none));
}

static void flags_of_slab_are_those_of_caches(struct kunit *test)
{
	struct kspan_cache *cache;
	void *p;

	cache = kspan_cache_create("slab", 24, 0, SLAB_HWCACHE_ALIGN | SLAB_PANIC | SLAB_ACCOUNT |
				   SLAB_RECLAIM_ACCOUNT, NULL);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	KUNIT_EXPECT_EQ(test, kspan_cache_size(cache), 32U);
	kspan_cache_destroy(cache);
	cache = kspan_cache_create("slab", 24, 0, SLAB_TYPESAFE_BY_RCU, NULL);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	p = kspan_cache_zalloc(cache, GFP_KERNEL);
	/* The zero flag is ignored here: a free object keeps its contents. */
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, kspan_heap_keeps_contents((struct kspan_heap *)cache));
	kspan_cache_free(cache, p);
	kspan_cache_destroy(cache);
	KUNIT_EXPECT_NULL(test, kspan_cache_create("dma", 24, 0, SLAB_CACHE_DMA, NULL));
	KUNIT_EXPECT_NULL(test, kspan_cache_create("user", 24, 0, 1UL << 31, NULL));
}

#ifdef DEFINE_FREE

static unsigned int nr_heaps;

static void count(struct kspan_heap *heap, void *data)
{
	nr_heaps++;
}

static unsigned int heaps(void)
{
	nr_heaps = 0;
	kspan_heap_for_each(count, NULL);
	return nr_heaps;
}

static unsigned int heaps_in_a_scope(void)
{
	static const struct kspan_pool_ops ops = { .name = "scoped", .size = 64 };
	struct kspan_heap *heap __free(kspan_heap_destroy) = kspan_heap_create("scoped", 0, 0);
	struct kspan_cache *cache __free(kspan_cache_destroy) =
		kspan_cache_create("scoped", 64, 0, 0, NULL);
	struct kspan_region *region __free(kspan_region_destroy) =
		kspan_region_create(heap, 0, GFP_KERNEL);
	struct kspan_pool *pool __free(kspan_pool_destroy) = kspan_pool_create(&ops, GFP_KERNEL);
	struct kspan_fixed_pool *fixed __free(kspan_fixed_pool_destroy) =
		kspan_fixed_pool_create(64, 0, 10, GFP_KERNEL);
	struct kspan_cpu_region *regions __free(kspan_cpu_region_destroy) = NULL;

	return heap && cache && region && pool && fixed ? heaps() : 0;
}

/* The suite's exit function checks that all memory is free. */
static void end_of_the_scope_destroys(struct kunit *test)
{
	unsigned int before = heaps();

	KUNIT_EXPECT_EQ(test, heaps_in_a_scope(), before + 1);
	KUNIT_EXPECT_EQ(test, heaps(), before);
}

#else

static void end_of_the_scope_destroys(struct kunit *test)
{
	kunit_skip(test, "the kernel has no cleanup.h");
}

#endif

static struct kunit_case options_cases[] = {
	KUNIT_CASE(heap_tells_what_it_has),
	KUNIT_CASE(default_heap_tells_it_as_null),
	KUNIT_CASE(each_heap_is_visited_once),
	KUNIT_CASE(flags_of_a_heap_are_those_of_its_requests),
	KUNIT_CASE(objects_come_from_the_node_of_a_heap),
	KUNIT_CASE(options_that_are_wrong_are_refused),
	KUNIT_CASE(flags_of_slab_are_those_of_caches),
	KUNIT_CASE(end_of_the_scope_destroys),
	{}
};

static struct kunit_suite options_suite = {
	.name = "kspan_options",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = options_cases,
};

kunit_test_suite(options_suite);
