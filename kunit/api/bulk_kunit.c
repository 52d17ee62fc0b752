// SPDX-License-Identifier: GPL-2.0
/*
 * Bulk calls: they get all objects or none, use whole magazines, and free objects of any kind.
 *
 * Magazines of class SIZE hold fewer objects than most bulks of the cases.
 */
#include <linux/kspan.h>
#include <linux/string.h>

#include "kspan_kunit.h"

#define SIZE	8192
#define N_MAX	1000
#define LIMIT	(16UL << 20)

static const size_t sizes[] = {
	1, 8, 64, 1024, SIZE, KSPAN_MAX_SMALL, KSPAN_MAX_SMALL + 1, 100000,
};

static const unsigned int counts[] = { 1, 2, 60, 61, 62, 63, 64, 65, 250, N_MAX };

static void **objects;
static struct kspan_cpu_cache *cache;
static struct kspan_central *central;
static unsigned int class, cap;
static struct kspan_class_stats before;

static int bulk_init(struct kunit *test)
{
	kspan_kunit_init(test);
	objects = kunit_kcalloc(test, N_MAX, sizeof(*objects), GFP_KERNEL);
	if (!objects)
		return -ENOMEM;
	class = kspan_size_class(SIZE);
	cap = kspan_kunit_cap(class);
	cache = raw_cpu_ptr(kspan_default_heap.cpu);
	central = kspan_heap_central(&kspan_default_heap, cache->nid, class);
	kspan_class_stats_read(class, &before);
	return 0;
}

static void alloc(struct kunit *test, size_t size, unsigned int n, void **p)
{
	KUNIT_ASSERT_EQ_MSG(test, kspan_alloc_bulk(size, GFP_KERNEL, n, p), n, "%zu", size);
}

/* Write the index of each object into its first and last word. */
static void label_all(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		u64 *words = objects[i];

		words[kspan_size(words) / sizeof(u64) - 1] = i;
		words[0] = i;
	}
}

static bool has_label(const u64 *words, u64 label)
{
	return words[0] == label && words[kspan_size(words) / sizeof(u64) - 1] == label;
}

/* Each object must have the size and alignment of a single one, and none may overlap another. */
static void expect_objects(struct kunit *test, size_t size, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		KUNIT_ASSERT_EQ_MSG(test, kspan_size(objects[i]), kspan_size_roundup(size),
				    "%u of %zu", i, size);
		KUNIT_ASSERT_TRUE_MSG(test, IS_ALIGNED((unsigned long)objects[i],
						       kspan_kunit_align(size)),
				      "%u of %zu", i, size);
	}
	label_all(n);
	for (i = 0; i < n; i++)
		KUNIT_ASSERT_TRUE_MSG(test, has_label(objects[i], i), "%u of %zu", i, size);
}

/* The class must have counted so many allocations and frees since the case began. */
static void expect_counted(struct kunit *test, u64 allocs, u64 frees)
{
	struct kspan_class_stats now;

	kspan_class_stats_read(class, &now);
	KUNIT_EXPECT_EQ(test, now.allocs - before.allocs, allocs);
	KUNIT_EXPECT_EQ(test, now.frees - before.frees, frees);
	KUNIT_EXPECT_EQ(test, (u64)now.in_use, before.in_use + allocs - frees);
}

static void every_count_of_every_size(struct kunit *test)
{
	unsigned int s, c;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (c = 0; c < ARRAY_SIZE(counts); c++) {
			if (counts[c] * sizes[s] > LIMIT)
				continue;
			alloc(test, sizes[s], counts[c], objects);
			expect_objects(test, sizes[s], counts[c]);
			kspan_free_bulk(counts[c], objects);
		}
	}
	kspan_verify(test, &kspan_default_heap);
}

static void none_is_nothing(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, kspan_alloc_bulk(SIZE, GFP_KERNEL, 0, objects), 0U);
	KUNIT_EXPECT_NULL(test, objects[0]);
	kspan_free_bulk(0, NULL);
	expect_counted(test, 0, 0);
}

static void size_0_is_zero_size_ptr(struct kunit *test)
{
	unsigned int i;

	alloc(test, 0, 100, objects);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_PTR_EQ(test, objects[i], ZERO_SIZE_PTR);
	KUNIT_EXPECT_NULL(test, objects[100]);
	kspan_free_bulk(100, objects);
}

static void fill_all(unsigned int n, int byte)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		kspan_kunit_fill(objects[i], byte);
}

static void expect_zeroes(struct kunit *test, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		KUNIT_EXPECT_TRUE_MSG(test, kspan_kunit_filled(objects[i], 0),
				      "%u", i);
}

static void make_dirty(struct kunit *test, size_t size, unsigned int n)
{
	alloc(test, size, n, objects);
	fill_all(n, 0xd1);
	kspan_free_bulk(n, objects);
}

static void zero_flag_zeroes_each(struct kunit *test)
{
	static const size_t some[] = { 8, SIZE, 100000 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		make_dirty(test, some[i], 100);
		KUNIT_ASSERT_EQ(test, kspan_alloc_bulk(some[i], GFP_KERNEL | __GFP_ZERO, 100,
						       objects), 100U);
		expect_zeroes(test, 100);
		kspan_free_bulk(100, objects);
	}
}

static void init_on_alloc_is_honoured(struct kunit *test)
{
	bool was_on = want_init_on_alloc(0);
	unsigned int n;

	if (want_init_on_free())
		kunit_skip(test, "init_on_free=1 makes init_on_alloc= void for pages");
	make_dirty(test, SIZE, 100);
	if (!was_on)
		static_branch_enable(&init_on_alloc);
	n = kspan_alloc_bulk(SIZE, GFP_KERNEL, 100, objects);
	if (!was_on)
		static_branch_disable(&init_on_alloc);
	KUNIT_ASSERT_EQ(test, n, 100U);
	expect_zeroes(test, 100);
	kspan_free_bulk(100, objects);
}

/* Two arenas can be allocated, the third can't. All objects of the two must be freed. */
static void expect_all_or_none(struct kunit *test, size_t size, unsigned int n)
{
	u64 bad = kspan_bad_frees();
	struct kspan_page_stats now;
	unsigned int got;

	kspan_kunit_fail_arenas(3, 1 << 20);
	got = kspan_alloc_bulk(size, GFP_KERNEL, n, objects);
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
	KUNIT_EXPECT_EQ(test, got, 0U);
	kspan_kunit_settle();
	kspan_page_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.used, 0UL);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees(), bad);
	kspan_verify(test, &kspan_default_heap);
}

static void small_objects_are_all_or_none(struct kunit *test)
{
	kspan_kunit_needs_faults(test);
	expect_all_or_none(test, KSPAN_MAX_SMALL, N_MAX);
}

static void large_objects_are_all_or_none(struct kunit *test)
{
	kspan_kunit_needs_faults(test);
	expect_all_or_none(test, 1000000, 50);
}

/* The objects of two arenas count as allocated, and then as freed. */
static void failure_counts_as_allocated_and_freed(struct kunit *test)
{
	unsigned int largest = kspan_size_class(KSPAN_MAX_SMALL);
	struct kspan_class_stats was, now;

	kspan_kunit_needs_faults(test);
	kspan_class_stats_read(largest, &was);
	kspan_kunit_fail_arenas(3, 1 << 20);
	KUNIT_EXPECT_EQ(test, kspan_alloc_bulk(KSPAN_MAX_SMALL, GFP_KERNEL, N_MAX, objects), 0U);
	kspan_kunit_stop_failing();
	kspan_class_stats_read(largest, &now);
	KUNIT_EXPECT_GE(test, now.allocs - was.allocs,
			2ULL * KSPAN_ARENA_SIZE / KSPAN_MAX_SMALL);
	KUNIT_EXPECT_EQ(test, now.allocs - was.allocs, now.frees - was.frees);
	KUNIT_EXPECT_EQ(test, now.in_use, was.in_use);
}

static void what_malloc_refuses_is_refused(struct kunit *test)
{
	unsigned long zone = kspan_refused(KSPAN_REFUSED_ZONE);
	unsigned long size = kspan_refused(KSPAN_REFUSED_SIZE);

	KUNIT_EXPECT_EQ(test, kspan_alloc_bulk(SIZE, GFP_KERNEL | GFP_DMA, 10, objects), 0U);
	KUNIT_EXPECT_EQ(test, kspan_alloc_bulk(KSPAN_MAX_SIZE + 1, GFP_KERNEL, 10, objects), 0U);
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_ZONE) - zone, 1UL);
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_SIZE) - size, 1UL);
}

/* Have @n objects cached in the CPU's magazines and those of the depot. */
static void stock(struct kunit *test, unsigned int n)
{
	unsigned int round;

	/* The depot gets a magazine in each round in which one was missed. */
	for (round = 0; round < 16; round++) {
		alloc(test, SIZE, n, objects);
		kspan_free_bulk(n, objects);
	}
}

static void keep_every_other(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n / 2; i++) {
		kspan_free(objects[2 * i + 1]);
		objects[i] = objects[2 * i];
	}
	kspan_heap_drain(&kspan_default_heap);
}

/* A bulk takes from bitmaps what is not cached, and no more than it needs. */
static void nothing_is_cached_on_the_way(struct kunit *test)
{
	alloc(test, SIZE, 400, objects);
	keep_every_other(400);
	KUNIT_ASSERT_EQ(test, kspan_kunit_out(&kspan_default_heap, class), 200UL);
	alloc(test, SIZE, 150, objects + 200);
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(&kspan_default_heap, class), 350UL);
	expect_objects(test, SIZE, 350);
	kspan_free_bulk(350, objects);
}

/*
 * A bulk that needs new spans fills a magazine from them. What is left of it is less than a
 * magazine.
 */
static void new_spans_leave_less_than_a_magazine(struct kunit *test)
{
	unsigned long out;

	alloc(test, SIZE, 200, objects);
	out = kspan_kunit_out(&kspan_default_heap, class);
	KUNIT_EXPECT_EQ(test, out - 200, (unsigned long)cache->class[class].loaded->count +
					 cache->class[class].previous->count);
	KUNIT_EXPECT_LT(test, out - 200, (unsigned long)cap);
	kspan_free_bulk(200, objects);
}

/*
 *	loaded [ o o o ]  previous [ o ... o ]  depot [ o ... o ]	->	objects
 */
static void magazines_are_taken_whole(struct kunit *test)
{
	struct kspan_magazine *loaded, *previous, *depot;
	void **want = kunit_kcalloc(test, 3 * cap, sizeof(*want), GFP_KERNEL);
	unsigned long out;
	unsigned int n, full;

	KUNIT_ASSERT_NOT_NULL(test, want);
	stock(test, 4 * cap + 3);
	loaded = cache->class[class].loaded;
	previous = cache->class[class].previous;
	depot = list_first_entry_or_null(&central->depot_full, struct kspan_magazine, list);
	KUNIT_ASSERT_NOT_NULL(test, depot);
	KUNIT_ASSERT_EQ(test, previous->count, cap);
	n = loaded->count + previous->count + depot->count;
	memcpy(want, loaded->object, loaded->count * sizeof(*want));
	memcpy(want + loaded->count, previous->object, previous->count * sizeof(*want));
	memcpy(want + loaded->count + previous->count, depot->object, depot->count * sizeof(*want));
	out = central->nr_out;
	full = central->nr_depot_full;
	alloc(test, SIZE, n, objects);
	KUNIT_EXPECT_EQ(test, memcmp(objects, want, n * sizeof(*want)), 0);
	KUNIT_EXPECT_EQ(test, central->nr_out, out);
	KUNIT_EXPECT_EQ(test, central->nr_depot_full, full - 1);
	KUNIT_EXPECT_PTR_EQ(test, cache->class[class].loaded, depot);
	KUNIT_EXPECT_EQ(test, depot->count, 0U);
	expect_objects(test, SIZE, n);
	kspan_free_bulk(n, objects);
}

/* When the CPU's two magazines have enough, the bulk does not visit the central. */
static void what_the_cpu_has_costs_no_visit_to_the_central(struct kunit *test)
{
	unsigned int depot, n;
	unsigned long out;

	stock(test, 4 * cap);
	depot = central->nr_depot_full;
	out = central->nr_out;
	central->wanted = false;
	n = cache->class[class].loaded->count + cache->class[class].previous->count;
	KUNIT_ASSERT_GE(test, n, cap);
	alloc(test, SIZE, n, objects);
	KUNIT_EXPECT_EQ(test, cache->class[class].loaded->count +
			      cache->class[class].previous->count, 0U);
	kspan_free_bulk(n, objects);
	KUNIT_EXPECT_EQ(test, cache->class[class].loaded->count +
			      cache->class[class].previous->count, n);
	KUNIT_EXPECT_EQ(test, central->nr_depot_full, depot);
	KUNIT_EXPECT_EQ(test, central->nr_out, out);
	KUNIT_EXPECT_FALSE(test, central->wanted);
}

/*
 *	loaded [ ]  previous [ ]  depot [ ] [ ] [ ] -> all full, without a look at a bitmap
 */
static void magazines_are_spilled_whole(struct kunit *test)
{
	unsigned long out, cached;

	stock(test, 5 * cap);
	out = central->nr_out;
	cached = central->nr_depot_objects;
	KUNIT_ASSERT_GE(test, central->nr_depot_full, 3U);
	KUNIT_ASSERT_EQ(test, cached, (unsigned long)cap * central->nr_depot_full);
	alloc(test, SIZE, 5 * cap, objects);
	KUNIT_EXPECT_LT(test, central->nr_depot_objects, cached);
	KUNIT_EXPECT_EQ(test, central->nr_out, out);
	kspan_free_bulk(5 * cap, objects);
	KUNIT_EXPECT_EQ(test, central->nr_depot_objects, cached);
	KUNIT_EXPECT_EQ(test, cached, (unsigned long)cap * central->nr_depot_full);
	KUNIT_EXPECT_EQ(test, central->nr_out, out);
	kspan_verify(test, &kspan_default_heap);
}

static void counts_are_exact(struct kunit *test)
{
	alloc(test, SIZE, 250, objects);
	expect_counted(test, 250, 0);
	kspan_free_bulk(100, objects);
	expect_counted(test, 250, 100);
	alloc(test, SIZE, 1, objects);
	expect_counted(test, 251, 100);
	kspan_free_bulk(1, objects);
	kspan_free_bulk(150, objects + 100);
	expect_counted(test, 251, 251);
}

static void busy_cache_is_passed_by(struct kunit *test)
{
	struct kspan_cpu_cache *entered;
	unsigned int n;
	u64 past_cache;

	stock(test, 4 * cap);
	kspan_class_stats_read(class, &before);
	KUNIT_ASSERT_TRUE(test, kspan_cpu_cache_enter(&kspan_default_heap, &entered));
	past_cache = central->allocs;
	n = kspan_alloc_bulk(SIZE, GFP_ATOMIC, 40, objects);
	past_cache = central->allocs - past_cache;
	kspan_cpu_cache_leave(entered);
	KUNIT_ASSERT_EQ(test, n, 40U);
	KUNIT_EXPECT_EQ(test, past_cache, 40ULL);
	expect_objects(test, SIZE, 40);
	KUNIT_ASSERT_TRUE(test, kspan_cpu_cache_enter(&kspan_default_heap, &entered));
	kspan_free_bulk(40, objects);
	kspan_cpu_cache_leave(entered);
	expect_counted(test, 40, 40);
	kspan_verify(test, &kspan_default_heap);
}

static void interrupts_may_be_off(struct kunit *test)
{
	unsigned long flags;
	unsigned int n;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "no new arena with interrupts off on PREEMPT_RT");
	local_irq_save(flags);
	n = kspan_alloc_bulk(SIZE, GFP_ATOMIC, 300, objects);
	local_irq_restore(flags);
	KUNIT_ASSERT_EQ(test, n, 300U);
	expect_objects(test, SIZE, 300);
	local_irq_save(flags);
	kspan_free_bulk(300, objects);
	local_irq_restore(flags);
	expect_counted(test, 300, 300);
}

/* Allocate objects of all kinds, in turn. Returns how many. */
static unsigned int mixed(struct kunit *test)
{
	int other = kspan_kunit_other_node(cache->nid);
	unsigned int n = 0, i;

	for (i = 0; i < 8; i++) {
		objects[n++] = kspan_malloc(64, GFP_KERNEL);
		objects[n++] = kspan_malloc(4096 + i * 500, GFP_KERNEL);
		objects[n++] = kspan_tiny_alloc(1 + i, GFP_KERNEL);
		objects[n++] = kspan_malloc(100000, GFP_KERNEL);
		if (other != NUMA_NO_NODE)
			objects[n++] = kspan_malloc_node(64, GFP_KERNEL | __GFP_THISNODE, other);
	}
	for (i = 0; i < n; i++)
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
	return n;
}

static void expect_freed(struct kunit *test, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		KUNIT_EXPECT_FALSE_MSG(test, kspan_owns(objects[i]), "%u", i);
}

static void objects_of_all_kinds_are_freed_together(struct kunit *test)
{
	u64 bad = kspan_bad_frees();
	unsigned int n = mixed(test);

	objects[n] = NULL;
	objects[n + 1] = ZERO_SIZE_PTR;
	objects[n + 2] = kspan_malloc(64, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, kspan_owns(objects[n + 2]));
	kspan_free_bulk(n + 3, objects);
	expect_freed(test, n + 3);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees(), bad);
	kspan_verify(test, &kspan_default_heap);
}

/* A pointer twice in a row, one into an object, and one to the stack, among good ones. */
static void wrong_pointers_are_counted_and_the_rest_is_freed(struct kunit *test)
{
	u64 doubles = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);
	u64 interior = kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR);
	u64 foreign = kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN), bad = kspan_bad_frees();
	unsigned int n = mixed(test), i;
	void *keep = kspan_malloc(256, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, keep);
	for (i = n; i-- > 10;)
		objects[i + 3] = objects[i];
	objects[10] = objects[9];
	objects[11] = keep + 16;
	objects[12] = &n;
	kspan_free_bulk(n + 3, objects);
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE) - doubles, 1ULL);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR) - interior, 1ULL);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN) - foreign, 1ULL);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - bad, 3ULL);
	expect_freed(test, n + 3);
	KUNIT_EXPECT_TRUE(test, kspan_owns(keep));
	kspan_free(keep);
	kspan_verify(test, &kspan_default_heap);
}

static struct kunit_case bulk_cases[] = {
	KUNIT_CASE(every_count_of_every_size),
	KUNIT_CASE(none_is_nothing),
	KUNIT_CASE(size_0_is_zero_size_ptr),
	KUNIT_CASE(zero_flag_zeroes_each),
	KUNIT_CASE(init_on_alloc_is_honoured),
	KUNIT_CASE(small_objects_are_all_or_none),
	KUNIT_CASE(large_objects_are_all_or_none),
	KUNIT_CASE(failure_counts_as_allocated_and_freed),
	KUNIT_CASE(what_malloc_refuses_is_refused),
	KUNIT_CASE(nothing_is_cached_on_the_way),
	KUNIT_CASE(new_spans_leave_less_than_a_magazine),
	KUNIT_CASE(magazines_are_taken_whole),
	KUNIT_CASE(what_the_cpu_has_costs_no_visit_to_the_central),
	KUNIT_CASE(magazines_are_spilled_whole),
	KUNIT_CASE(counts_are_exact),
	KUNIT_CASE(busy_cache_is_passed_by),
	KUNIT_CASE(interrupts_may_be_off),
	KUNIT_CASE(objects_of_all_kinds_are_freed_together),
	KUNIT_CASE(wrong_pointers_are_counted_and_the_rest_is_freed),
	{}
};

static struct kunit_suite bulk_suite = {
	.name = "kspan_bulk",
	.init = bulk_init,
	.exit = kspan_kunit_exit,
	.test_cases = bulk_cases,
};

kunit_test_suite(bulk_suite);
