// SPDX-License-Identifier: GPL-2.0
/* Statistics are exact when no other code uses the heap. */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kspan.h>

#include "kspan_kunit.h"

#define N	100

static struct kspan_class_stats before[KSPAN_NR_CLASSES];
static struct kspan_stats total_before;

static int stats_init(struct kunit *test)
{
	unsigned int class;

	kspan_kunit_init(test);
	for (class = 1; class < KSPAN_NR_CLASSES; class++)
		kspan_class_stats_read(class, &before[class]);
	kspan_stats_read(&total_before);
	return 0;
}

static void **allocate(struct kunit *test, unsigned int n, size_t size)
{
	void **objects = kunit_kcalloc(test, n, sizeof(*objects), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, objects);
	for (i = 0; i < n; i++) {
		objects[i] = kspan_malloc(size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
	}
	return objects;
}

static void free_all(void **objects, unsigned int n)
{
	while (n--)
		kspan_free(objects[n]);
}

/* Count the free slots of a class's spans. */
static unsigned long free_slots(unsigned int class)
{
	unsigned long nr_free = 0;
	struct kspan_span *span;
	int nid;

	for_each_node(nid) {
		struct kspan_central *central;

		central = kspan_heap_central(&kspan_default_heap, nid, class);
		list_for_each_entry(span, &central->partial, list)
			nr_free += span->nslots - span->used;
	}
	return nr_free;
}

/* The class must have counted so many allocations and frees since the case began. */
static void expect_class(struct kunit *test, unsigned int class, u64 allocs, u64 frees)
{
	u32 size = kspan_size_classes[class].size;
	struct kspan_class_stats now;

	kspan_heap_class_stats_read(&kspan_default_heap, class, &now);
	KUNIT_EXPECT_EQ_MSG(test, now.allocs - before[class].allocs, allocs, "class %u", size);
	KUNIT_EXPECT_EQ_MSG(test, now.frees - before[class].frees, frees, "class %u", size);
	KUNIT_EXPECT_EQ_MSG(test, (u64)now.in_use, before[class].in_use + allocs - frees,
			    "class %u", size);
	KUNIT_EXPECT_EQ_MSG(test, now.slots, now.spans * kspan_size_classes[class].slots,
			    "class %u", size);
	KUNIT_EXPECT_EQ_MSG(test, now.in_use + now.cached + free_slots(class), now.slots,
			    "class %u", size);
}

static void every_class_counts(struct kunit *test)
{
	unsigned int class;

	for (class = 1; class < KSPAN_CLASS_TINY; class++) {
		void **objects = allocate(test, N, kspan_size_classes[class].size);

		expect_class(test, class, N, 0);
		free_all(objects, N / 2);
		expect_class(test, class, N, N / 2);
		free_all(objects + N / 2, N - N / 2);
		expect_class(test, class, N, N);
		kunit_kfree(test, objects);
	}
}

static void drain_moves_from_cached_to_free(struct kunit *test)
{
	unsigned int class = kspan_size_class(64);
	void **objects = allocate(test, N, 64);
	struct kspan_class_stats now;

	free_all(objects + 1, N - 1);
	kspan_heap_drain(&kspan_default_heap);
	kspan_class_stats_read(class, &now);
	KUNIT_EXPECT_EQ(test, now.cached, 0UL);
	KUNIT_EXPECT_EQ(test, now.in_use, 1UL);
	expect_class(test, class, N, N - 1);
	kspan_free(objects[0]);
}

static void class_counts_only_its_own(struct kunit *test)
{
	void **objects = allocate(test, N, 64);
	unsigned int class;

	for (class = 1; class < KSPAN_NR_CLASSES; class++)
		expect_class(test, class, class == kspan_size_class(64) ? N : 0, 0);
	free_all(objects, N);
}

static void allocations_past_the_cache_count(struct kunit *test)
{
	struct kspan_cpu_cache *entered;
	void *first, *p, *q;

	/*
	 * The span of this object has slots for the others. PREEMPT_RT gets no new span with
	 * preemption off.
	 */
	first = kspan_malloc(64, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, kspan_cpu_cache_enter(&kspan_default_heap, &entered));
	p = kspan_malloc(64, GFP_ATOMIC);
	q = kspan_malloc(64, GFP_ATOMIC);
	kspan_free(p);
	kspan_cpu_cache_leave(entered);
	expect_class(test, kspan_size_class(64), 3, 1);
	kspan_free(q);
	kspan_free(first);
	expect_class(test, kspan_size_class(64), 3, 3);
}

static void realloc_counts_when_it_moves(struct kunit *test)
{
	void *p = kspan_malloc(64, GFP_KERNEL);

	p = kspan_realloc(p, 60, GFP_KERNEL);
	expect_class(test, kspan_size_class(64), 1, 0);
	p = kspan_realloc(p, 1000, GFP_KERNEL);
	expect_class(test, kspan_size_class(64), 1, 1);
	expect_class(test, kspan_size_class(1000), 1, 0);
	kspan_free(p);
}

static void wrong_frees_do_not_count(struct kunit *test)
{
	void *p = kspan_malloc(64, GFP_KERNEL), *q = kspan_malloc(64, GFP_KERNEL);

	kspan_free(p);
	kspan_free(p);
	kspan_heap_drain(&kspan_default_heap);
	expect_class(test, kspan_size_class(64), 2, 1);
	kspan_free(q);
}

/* Three objects of 5 pages, and one of 13. */
static void large_objects_count(struct kunit *test)
{
	struct kspan_page_stats was, now;
	void **objects, *p;

	kspan_page_stats_read(&was);
	objects = allocate(test, 3, KSPAN_MAX_SMALL + 1);
	p = kspan_malloc(KSPAN_KUNIT_PAGES(13), GFP_KERNEL);
	kspan_page_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.large.allocs - was.large.allocs, 4ULL);
	KUNIT_EXPECT_EQ(test, now.large.in_use - was.large.in_use, 4UL);
	KUNIT_EXPECT_EQ(test, now.large_pages - was.large_pages, 28UL);
	KUNIT_EXPECT_EQ(test, now.large_alloc_pages - was.large_alloc_pages, 28ULL);
	KUNIT_EXPECT_EQ(test, now.used - was.used, 28UL);
	free_all(objects, 3);
	kspan_page_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.large.frees - was.large.frees, 3ULL);
	KUNIT_EXPECT_EQ(test, now.large_pages - was.large_pages, 13UL);
	kspan_free(p);
}

/*
 *	100 of 64, 100 of 1024, 1 of 40960 bytes; half of the 64s freed
 */
static void totals_are_the_sums(struct kunit *test)
{
	struct kspan_stats now;
	void **small, **medium, *large;

	small = allocate(test, N, 64);
	medium = allocate(test, N, 1000);
	large = kspan_malloc(KSPAN_KUNIT_PAGES(5), GFP_KERNEL);
	free_all(small, N / 2);
	kspan_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.mallocs - total_before.mallocs, 2ULL * N + 1);
	KUNIT_EXPECT_EQ(test, now.frees - total_before.frees, (u64)N / 2);
	KUNIT_EXPECT_EQ(test, now.heap_objects - total_before.heap_objects, N + N / 2 + 1ULL);
	KUNIT_EXPECT_EQ(test, now.total_alloc - total_before.total_alloc,
			N * 64 + N * 1024 + (u64)KSPAN_KUNIT_PAGES(5));
	KUNIT_EXPECT_EQ(test, now.alloc - total_before.alloc,
			N / 2 * 64 + N * 1024 + (u64)KSPAN_KUNIT_PAGES(5));
	free_all(small + N / 2, N / 2);
	free_all(medium, N);
	kspan_free(large);
}

/* Each of 30 tiny objects counts, and none of their 15 blocks. */
static void tiny_objects_count_and_not_their_blocks(struct kunit *test)
{
	struct kspan_stats now;
	void *objects[30];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = kspan_tiny_alloc(8, GFP_KERNEL);
	kspan_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.tiny_allocs - total_before.tiny_allocs, 30ULL);
	KUNIT_EXPECT_EQ(test, now.mallocs - total_before.mallocs, 30ULL);
	KUNIT_EXPECT_EQ(test, now.heap_objects - total_before.heap_objects, 30ULL);
	KUNIT_EXPECT_EQ(test, now.alloc - total_before.alloc, 15ULL * KSPAN_TINY_BLOCK);
	expect_class(test, KSPAN_CLASS_TINY, 15, 0);
	free_all(objects, ARRAY_SIZE(objects));
	kspan_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.frees - total_before.frees, 30ULL);
	KUNIT_EXPECT_EQ(test, now.heap_objects, total_before.heap_objects);
	expect_class(test, KSPAN_CLASS_TINY, 15, 15);
}

static void objects_count_until_their_grace_period_is_over(struct kunit *test)
{
	struct doomed {
		struct rcu_head rcu;
		u8 rest[48];
	} *p = kspan_malloc(sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	rcu_read_lock();
	kspan_free_rcu(p, rcu);
	expect_class(test, kspan_size_class(sizeof(*p)), 1, 0);
	rcu_read_unlock();
	kspan_barrier();
	expect_class(test, kspan_size_class(sizeof(*p)), 1, 1);
}

static void pages_are_used_or_idle(struct kunit *test)
{
	void *p = kspan_malloc(KSPAN_KUNIT_PAGES(5), GFP_KERNEL);
	struct kspan_stats now;

	kspan_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.heap_inuse - total_before.heap_inuse,
			(u64)KSPAN_KUNIT_PAGES(5));
	KUNIT_EXPECT_EQ(test, now.heap_sys, now.heap_inuse + now.heap_idle);
	KUNIT_EXPECT_GE(test, now.heap_peak, now.heap_sys);
	KUNIT_EXPECT_EQ(test, now.sys, now.heap_sys + now.mspan_sys + now.mcache_sys +
			now.other_sys);
	KUNIT_EXPECT_EQ(test, now.arenas, total_before.arenas + 1);
	kspan_free(p);
	kspan_page_heap_release_all();
	kspan_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.heap_sys, total_before.heap_sys);
	KUNIT_EXPECT_EQ(test, now.heap_released - total_before.heap_released,
			(u64)KSPAN_ARENA_SIZE);
}

static void cached_bytes_are_those_of_the_classes(struct kunit *test)
{
	struct kspan_class_stats now;
	struct kspan_stats total;
	unsigned int class;
	u64 cached = 0;

	kspan_kunit_pin(test);
	kspan_kunit_warm(test, 64);
	kspan_kunit_warm(test, 2048);
	for (class = 1; class < KSPAN_NR_CLASSES; class++) {
		kspan_class_stats_read(class, &now);
		cached += (u64)now.cached * kspan_size_classes[class].size;
	}
	kspan_stats_read(&total);
	KUNIT_EXPECT_GE(test, cached, 64ULL + 2048);
	KUNIT_EXPECT_EQ(test, total.heap_cached, cached);
}

static umode_t mode_of(struct kunit *test, struct dentry *dir, const char *name)
{
	struct dentry *file = debugfs_lookup(name, dir);
	umode_t mode;

	KUNIT_ASSERT_NOT_NULL_MSG(test, file, "%s", name);
	mode = d_inode(file)->i_mode & 0777;
	dput(file);
	return mode;
}

/* Other users than root need the layout of memory only for attacks. */
static void layout_is_for_root_alone(struct kunit *test)
{
	struct dentry *dir = debugfs_lookup("kspan", NULL);

	KUNIT_ASSERT_NOT_NULL(test, dir);
	KUNIT_EXPECT_EQ(test, mode_of(test, dir, "arenas"), (umode_t)0400);
	KUNIT_EXPECT_EQ(test, mode_of(test, dir, "map"), (umode_t)0400);
	KUNIT_EXPECT_EQ(test, mode_of(test, dir, "trim"), (umode_t)0600);
	KUNIT_EXPECT_EQ(test, mode_of(test, dir, "arenas.json"), (umode_t)0400);
	KUNIT_EXPECT_EQ(test, mode_of(test, dir, "whatis"), (umode_t)0600);
	KUNIT_EXPECT_EQ(test, mode_of(test, dir, "whatis.json"), (umode_t)0600);
	KUNIT_EXPECT_EQ(test, mode_of(test, dir, "report"), (umode_t)0400);
	KUNIT_EXPECT_EQ(test, mode_of(test, dir, "reclaims"), (umode_t)0400);
	KUNIT_EXPECT_EQ(test, mode_of(test, dir, "stats"), (umode_t)0444);
	KUNIT_EXPECT_EQ(test, mode_of(test, dir, "stats.json"), (umode_t)0400);
	dput(dir);
}

/* The newest is the first. */
static void reclaims_are_noted(struct kunit *test)
{
	void **objects = allocate(test, N, 30000);
	struct kspan_reclaim_note note = { };
	u64 now = ktime_get_ns();
	unsigned long bytes;

	free_all(objects, N);
	bytes = kspan_trim();
	KUNIT_ASSERT_LT(test, 0UL, bytes);
	KUNIT_ASSERT_TRUE(test, kspan_reclaim_noted(0, &note));
	KUNIT_EXPECT_EQ(test, (int)note.by, (int)KSPAN_BY_TRIM);
	KUNIT_EXPECT_EQ(test, note.bytes, (u64)bytes);
	KUNIT_EXPECT_LE(test, now, note.ns);
	KUNIT_EXPECT_FALSE(test, kspan_reclaim_noted(KSPAN_RECLAIMS_NOTED, &note));
}

static struct kunit_case stats_cases[] = {
	KUNIT_CASE(every_class_counts),
	KUNIT_CASE(drain_moves_from_cached_to_free),
	KUNIT_CASE(class_counts_only_its_own),
	KUNIT_CASE(allocations_past_the_cache_count),
	KUNIT_CASE(realloc_counts_when_it_moves),
	KUNIT_CASE(wrong_frees_do_not_count),
	KUNIT_CASE(large_objects_count),
	KUNIT_CASE(totals_are_the_sums),
	KUNIT_CASE(tiny_objects_count_and_not_their_blocks),
	KUNIT_CASE(objects_count_until_their_grace_period_is_over),
	KUNIT_CASE(pages_are_used_or_idle),
	KUNIT_CASE(cached_bytes_are_those_of_the_classes),
	KUNIT_CASE(layout_is_for_root_alone),
	KUNIT_CASE(reclaims_are_noted),
	{}
};

static struct kunit_suite stats_suite = {
	.name = "kspan_stats",
	.init = stats_init,
	.exit = kspan_kunit_exit,
	.test_cases = stats_cases,
};

kunit_test_suite(stats_suite);
