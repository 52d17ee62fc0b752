// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim: shrinker, scavenger, trim, limits, idle memory, and what the kernel is told.
 *
 * The scavenger's thread is off. A case calls kspan_scavenge() for each look.
 */
#include <linux/delay.h>
#include <linux/kspan.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>

#include "api/heaps.h"
#include "api/private.h"
#include "kspan_kunit.h"

/* The kernel's pages in one of kspan's. */
#define KERNEL_PAGES	BIT(KSPAN_PAGE_ORDER)
/* Sizes of large objects, and of small ones that fill magazines and a depot. */
#define LARGE		(256UL * 1024)
#define SMALL		512
#define MANY		4096

/* The node of this CPU. Its magazines hold objects of this node only. */
static int home;
static void **objects;
static unsigned long soft_before, hard_before;

static int reclaim_init(struct kunit *test)
{
	kspan_kunit_init(test);
	home = per_cpu_ptr(kspan_default_heap.cpu, raw_smp_processor_id())->nid;
	soft_before = kspan_soft_limit;
	hard_before = kspan_hard_limit;
	objects = kvcalloc(MANY, sizeof(*objects), GFP_KERNEL);
	return objects ? 0 : -ENOMEM;
}

static void reclaim_exit(struct kunit *test)
{
	kspan_soft_limit = soft_before;
	kspan_hard_limit = hard_before;
	kspan_spare_most = ULONG_MAX;
	kvfree(objects);
	objects = NULL;
	kspan_kunit_exit(test);
}

static struct kspan_page_heap *heap_of_node(void)
{
	return kspan_page_heap(home);
}

static void *alloc_on_node(size_t size)
{
	return kspan_malloc_node(size, GFP_KERNEL | __GFP_THISNODE, home);
}

static void fill(struct kunit *test, size_t size, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		objects[i] = alloc_on_node(size);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
	}
}

static void drop(unsigned int n)
{
	kspan_free_bulk(n, objects);
}

/* Call the shrinker as drop_caches does. That caller does not wait for the memory. */
static unsigned long count_for_nobody(void)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nid = home };
	unsigned long n = kspan_shrink_count(NULL, &sc);

	return n == SHRINK_EMPTY ? 0 : n;
}

static unsigned long scan_for_nobody(unsigned long want)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nid = home, .nr_to_scan = want };

	return kspan_shrink_scan(NULL, &sc);
}

/* Call the shrinker as direct reclaim does. */
static unsigned long count(void)
{
	unsigned int flags = memalloc_noreclaim_save();
	unsigned long n = count_for_nobody();

	memalloc_noreclaim_restore(flags);
	return n;
}

static unsigned long scan(unsigned long want)
{
	unsigned int flags = memalloc_noreclaim_save();
	unsigned long n = scan_for_nobody(want);

	memalloc_noreclaim_restore(flags);
	return n;
}

/* Call the shrinker as kswapd does: with the flag of direct reclaim, and one of its own. */
static unsigned long count_as_kswapd(void)
{
	unsigned long n;

	current->flags |= PF_KSWAPD;
	n = count();
	current->flags &= ~PF_KSWAPD;
	return n;
}

static unsigned long scan_as_kswapd(unsigned long want)
{
	unsigned long n;

	current->flags |= PF_KSWAPD;
	n = scan(want);
	current->flags &= ~PF_KSWAPD;
	return n;
}

static void nothing_is_empty(struct kunit *test)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nid = home, .nr_to_scan = 128 };

	KUNIT_EXPECT_EQ(test, kspan_shrink_count(NULL, &sc), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, kspan_shrink_scan(NULL, &sc), SHRINK_STOP);
}

static void shrinker_counts_free_pages(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();

	kspan_arena_reserve = 4;
	fill(test, LARGE, 32);
	KUNIT_EXPECT_EQ(test, count(), (ph->pages - ph->used) * KERNEL_PAGES);
	drop(32);
	KUNIT_EXPECT_EQ(test, count(), 2 * KSPAN_ARENA_PAGES * KERNEL_PAGES);
	KUNIT_EXPECT_EQ(test, ph->nr_arenas, 2UL);
}

static void shrinker_takes_what_is_wanted(struct kunit *test)
{
	u64 before = kspan_reclaimed(KSPAN_BY_SHRINKER);

	kspan_arena_reserve = 4;
	fill(test, LARGE, 64);
	drop(64);
	KUNIT_EXPECT_EQ(test, heap_of_node()->nr_arenas, 4UL);
	KUNIT_EXPECT_EQ(test, scan(128), KSPAN_ARENA_PAGES * KERNEL_PAGES);
	KUNIT_EXPECT_EQ(test, heap_of_node()->nr_arenas, 3UL);
	KUNIT_EXPECT_EQ(test, scan(2 * KSPAN_ARENA_PAGES * KERNEL_PAGES),
			2 * KSPAN_ARENA_PAGES * KERNEL_PAGES);
	KUNIT_EXPECT_EQ(test, scan(128), KSPAN_ARENA_PAGES * KERNEL_PAGES);
	KUNIT_EXPECT_EQ(test, scan(128), SHRINK_STOP);
	KUNIT_EXPECT_EQ(test, kspan_reclaimed(KSPAN_BY_SHRINKER) - before, 4 * KSPAN_ARENA_SIZE);
}

static void shrinker_drains_magazines_and_depot(struct kunit *test)
{
	unsigned int class = kspan_size_class(SMALL);
	struct kspan_central *central = kspan_heap_central(&kspan_default_heap, home, class);
	unsigned int i;

	kspan_cpu_cache_bytes = 2 * 1024 * 1024;
	fill(test, SMALL, MANY);
	drop(MANY);
	KUNIT_EXPECT_GT(test, kspan_kunit_out(&kspan_default_heap, class), 0UL);
	KUNIT_EXPECT_GT(test, central->nr_depot_full, 0U);
	KUNIT_EXPECT_GT(test, count(), 0UL);
	/*
	 * Each call returns a part of the objects, and drains CPU caches at most ten times a
	 * second.
	 */
	for (i = 0; i < 100 && kspan_kunit_out(&kspan_default_heap, class); i++)
		if (scan(128) == SHRINK_STOP)
			msleep(20);
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(&kspan_default_heap, class), 0UL);
	KUNIT_EXPECT_EQ(test, heap_of_node()->pages, 0UL);
	KUNIT_EXPECT_EQ(test, count(), 0UL);
}

static void shrinker_leaves_other_nodes_alone(struct kunit *test)
{
	int other = kspan_kunit_other_node(home);
	void *object;

	if (other == NUMA_NO_NODE) {
		kunit_skip(test, "one node has memory");
		return;
	}
	object = kspan_malloc_node(LARGE, GFP_KERNEL | __GFP_THISNODE, other);
	KUNIT_ASSERT_NOT_NULL(test, object);
	KUNIT_EXPECT_EQ(test, count(), 0UL);
	KUNIT_EXPECT_EQ(test, scan(128), SHRINK_STOP);
	KUNIT_EXPECT_EQ(test, kspan_page_heap(other)->holes, 0UL);
	kspan_free(object);
}

static void shrinker_makes_holes_last(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	unsigned int i;

	kspan_arena_reserve = 4;
	fill(test, LARGE, 48);
	/* Now one arena is empty, one is half used, and one is full. */
	for (i = 0; i < 24; i++)
		kspan_free(objects[i]);
	KUNIT_ASSERT_EQ(test, ph->nr_empty, 1UL);
	KUNIT_EXPECT_EQ(test, scan(128), KSPAN_ARENA_PAGES * KERNEL_PAGES);
	KUNIT_EXPECT_EQ(test, ph->holes, 0UL);
	KUNIT_EXPECT_EQ(test, scan(128), KSPAN_ARENA_PAGES / 2 * KERNEL_PAGES);
	KUNIT_EXPECT_EQ(test, ph->holes, KSPAN_ARENA_PAGES / 2UL);
	kspan_free_bulk(24, objects + 24);
}

/*
 * Spans of eight objects in four pages have one object left each. The shrinker must make them
 * hollow.
 */
static void shrinker_takes_pages_inside_spans(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	unsigned long used;
	unsigned int i;

	fill(test, 4096, 256);
	for (i = 0; i < 256; i++)
		if (i % 8)
			kspan_free(objects[i]);
	kspan_heap_drain(&kspan_default_heap);
	scan(128);
	used = ph->used;
	KUNIT_EXPECT_GE(test, used, 64UL);
	KUNIT_EXPECT_GE(test, count(), (ph->pages - used + used / 4) * KERNEL_PAGES);
	scan(KSPAN_ARENA_PAGES * KERNEL_PAGES);
	KUNIT_EXPECT_LE(test, ph->used, used / 2);
	for (i = 0; i < 256; i += 8)
		kspan_free(objects[i]);
}

/* Make a private heap that keeps many spans whose only object was freed. */
static struct kspan_heap *heap_with_kept_spans(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("kunit shrink", 0, 0);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	for (i = 0; i < 256; i++) {
		objects[i] = kspan_heap_malloc_node(heap, 4096, GFP_KERNEL | __GFP_THISNODE, home);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
	}
	kspan_free_bulk(256, objects);
	return heap;
}

static void shrinker_takes_spans_of_private_heaps(struct kunit *test)
{
	struct kspan_heap *heap;

	heap = heap_with_kept_spans(test);
	KUNIT_EXPECT_GE(test, heap_of_node()->used, 100UL);
	KUNIT_EXPECT_GT(test, count(), 0UL);
	scan(KSPAN_ARENA_PAGES * KERNEL_PAGES);
	KUNIT_EXPECT_EQ(test, heap_of_node()->used, 0UL);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&heap->private->account.pages), 0L);
	kspan_heap_destroy(heap);
}

static void scan_once(struct kspan_heap *heap, void *data)
{
	if (heap->private)
		*(unsigned long *)data = scan(128);
}

/*
 * This task holds the lock of the list of heaps, as it may when it enters reclaim. The shrinker
 * must still release the empty arenas, but leave the spans of the private heap.
 */
static void shrinker_waits_for_nobody(struct kunit *test)
{
	struct kspan_heap *heap;
	unsigned long got = 0;

	heap = heap_with_kept_spans(test);
	kspan_arena_reserve = 4;
	fill(test, LARGE, 16);
	drop(16);
	kspan_visit_heaps(scan_once, &got);
	KUNIT_EXPECT_GE(test, got, KERNEL_PAGES);
	KUNIT_EXPECT_NE(test, got, SHRINK_STOP);
	KUNIT_EXPECT_GE_MSG(test, heap_of_node()->used, 100UL, "its spans had to stay");
	kspan_heap_destroy(heap);
}

/*
 * The shrinker releases free pages of arenas in use to direct reclaim only. drop_caches and kswapd
 * get empty arenas.
 */
static void shrinker_leaves_arenas_in_use_to_kswapd(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	unsigned int i;

	kspan_arena_reserve = 4;
	fill(test, LARGE, 48);
	/* Now one arena is empty, one is half used, and one is full. */
	for (i = 0; i < 24; i++)
		kspan_free(objects[i]);
	KUNIT_EXPECT_EQ(test, count_for_nobody(), KSPAN_ARENA_PAGES * KERNEL_PAGES);
	KUNIT_EXPECT_EQ(test, count_as_kswapd(), KSPAN_ARENA_PAGES * KERNEL_PAGES);
	KUNIT_EXPECT_EQ(test, count(), 3 * KSPAN_ARENA_PAGES / 2 * KERNEL_PAGES);
	KUNIT_EXPECT_EQ(test, scan_for_nobody(128), KSPAN_ARENA_PAGES * KERNEL_PAGES);
	KUNIT_EXPECT_EQ(test, count_for_nobody(), 0UL);
	KUNIT_EXPECT_EQ(test, count_as_kswapd(), 0UL);
	KUNIT_EXPECT_EQ(test, scan_for_nobody(128), SHRINK_STOP);
	KUNIT_EXPECT_EQ(test, scan_as_kswapd(128), SHRINK_STOP);
	KUNIT_EXPECT_EQ(test, ph->holes, 0UL);
	/*
	 * When most of the node's memory is free, drop_caches gets free pages of arenas in use,
	 * too.
	 */
	kspan_free_bulk(20, objects + 24);
	KUNIT_EXPECT_GT(test, count_for_nobody(), 0UL);
	while (scan_for_nobody(128) != SHRINK_STOP)
		;
	KUNIT_EXPECT_LE(test, ph->pages, 2 * ph->used);
	kspan_free_bulk(4, objects + 44);
}

static unsigned long nr_in_depots(void)
{
	struct kspan_central *central;
	unsigned long n = 0;
	unsigned int i = 0;

	while ((central = kspan_heap_next_central(&kspan_default_heap, &i)))
		n += central->nr_depot_full;
	return n;
}

/*
 * Depots of six classes hold half a MiB or more each. The shrinker wants as much as one of them
 * has. It must drain about that much, and no CPU cache.
 */
static void shrinker_drains_no_more_than_is_wanted(struct kunit *test)
{
	static const size_t sizes[] = { 512, 768, 1024, 1536, 2048, 4096 };
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nid = home, .nr_to_scan = 128 };
	unsigned long before, held;
	unsigned int i, flags;

	kspan_arena_reserve = 0;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill(test, sizes[i], MANY / 2);
		drop(MANY / 2);
	}
	before = nr_in_depots();
	KUNIT_ASSERT_GT(test, before, 12UL);
	/* Release all free pages, so that the depots hold all that the shrinker can get. */
	kspan_page_heap_release(home, ULONG_MAX, true);
	held = kspan_arena_bytes();
	KUNIT_EXPECT_GT(test, count(), 128UL);
	flags = memalloc_noreclaim_save();
	KUNIT_EXPECT_NE(test, kspan_shrink_scan(NULL, &sc), SHRINK_STOP);
	memalloc_noreclaim_restore(flags);
	KUNIT_EXPECT_GE(test, sc.nr_scanned, 128UL);
	KUNIT_EXPECT_LT_MSG(test, nr_in_depots(), before, "it was to drain something");
	KUNIT_EXPECT_GE_MSG(test, nr_in_depots(), before / 2, "of %lu magazines", before);
	KUNIT_EXPECT_LE(test, kspan_arena_bytes(), held);
}

static void count_of_heap(struct kspan_heap *heap, void *data)
{
	if (heap->private)
		*(unsigned long *)data = count_for_nobody();
}

/*
 * The shrinker counts the pages of all heaps while another function holds the lock of their list.
 */
static void shrinker_counts_without_a_lock(struct kunit *test)
{
	struct kspan_heap *heap = heap_with_kept_spans(test);
	unsigned long pages = 0;

	kspan_heap_drain(heap);
	kspan_visit_heaps(count_of_heap, &pages);
	KUNIT_EXPECT_GE(test, pages, 100 * KERNEL_PAGES);
	KUNIT_EXPECT_EQ(test, pages, count_for_nobody());
	kspan_heap_destroy(heap);
}

static void trim_tells_how_much(struct kunit *test)
{
	unsigned long before;

	fill(test, LARGE, 32);
	drop(30);
	before = kspan_arena_bytes();
	KUNIT_EXPECT_EQ(test, kspan_trim(), before - 2 * LARGE);
	KUNIT_EXPECT_EQ(test, kspan_arena_bytes(), 2 * LARGE);
	KUNIT_EXPECT_EQ(test, kspan_trim(), 0UL);
	kspan_free(objects[30]);
	kspan_free(objects[31]);
}

/*
 * Let the scavenger look until it has nothing to do. Returns the number of looks, 0 if that is not
 * reached.
 */
static unsigned int look_until_settled(unsigned int most)
{
	unsigned int looks;

	for (looks = 1; looks <= most; looks++)
		if (!kspan_scavenge(NSEC_PER_SEC))
			return looks;
	return 0;
}

static void scavenger_keeps_a_tenth_of_recent_use(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	unsigned long recent, before;
	unsigned int looks;

	kspan_arena_reserve = 1024;
	kspan_scavenge(NSEC_PER_SEC);
	fill(test, LARGE, 256);
	/* What is kept as large spans counts as used. See empty_kunit.c for that. */
	ph->kept_most = 0;
	drop(256);
	KUNIT_ASSERT_EQ(test, ph->pages, 16UL * KSPAN_ARENA_PAGES);
	/* The first look takes all pages that were in use since the last one for recent use. */
	kspan_scavenge(NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, ph->recent, 16UL * KSPAN_ARENA_PAGES);
	KUNIT_EXPECT_EQ(test, ph->pages, 16UL * KSPAN_ARENA_PAGES);
	for (looks = 0; looks < 12; looks++) {
		recent = ph->recent;
		before = ph->pages;
		KUNIT_EXPECT_TRUE(test, kspan_scavenge(NSEC_PER_SEC));
		KUNIT_EXPECT_EQ(test, ph->recent, recent - DIV_ROUND_UP(recent, 8));
		KUNIT_EXPECT_LE(test, ph->pages, max(ph->recent * 11 / 10, 64UL));
		KUNIT_EXPECT_GT(test, ph->pages + KSPAN_ARENA_PAGES,
				min(before, ph->recent * 11 / 10));
	}
	looks = look_until_settled(100);
	kunit_info(test, "settled after %u looks\n", 12 + looks);
	KUNIT_EXPECT_GT(test, looks, 0U);
	KUNIT_EXPECT_EQ(test, ph->pages, 0UL);
}

static void scavenger_leaves_what_is_used(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();

	kspan_arena_reserve = 1024;
	fill(test, LARGE, 160);
	kspan_free_bulk(32, objects + 128);
	KUNIT_EXPECT_GT(test, look_until_settled(100), 0U);
	KUNIT_EXPECT_EQ(test, ph->pages, 8UL * KSPAN_ARENA_PAGES);
	KUNIT_EXPECT_EQ(test, ph->holes, 0UL);
	/* The scavenger makes no holes while free pages are no more than half of all. */
	kspan_free_bulk(48, objects + 64);
	KUNIT_EXPECT_GT(test, look_until_settled(100), 0U);
	KUNIT_EXPECT_EQ(test, ph->holes, 0UL);
	drop(64);
	kspan_free_bulk(16, objects + 112);
}

static void scavenger_makes_holes_where_most_is_free(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	unsigned int i;

	kspan_arena_reserve = 1024;
	fill(test, LARGE, 160);
	for (i = 0; i < 160; i++)
		if (i % 16)
			kspan_free(objects[i]);
	KUNIT_ASSERT_EQ(test, ph->nr_empty, 0UL);
	KUNIT_EXPECT_GT(test, look_until_settled(100), 0U);
	KUNIT_EXPECT_GT(test, ph->holes, 0UL);
	KUNIT_EXPECT_LE(test, ph->pages, max(2 * (ph->used * 11 / 10 + 1) + KSPAN_ARENA_PAGES / 16,
					     128UL));
	for (i = 0; i < 160; i += 16)
		kspan_free(objects[i]);
}

static void scavenger_keeps_to_its_budget(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	unsigned long before;

	kspan_arena_reserve = 1024;
	fill(test, LARGE, 256);
	drop(256);
	kspan_scavenge(0);
	/* From here on no use is recent. */
	ph->recent = 0;
	before = ph->nr_arenas;
	KUNIT_EXPECT_TRUE(test, kspan_scavenge(0));
	KUNIT_EXPECT_EQ_MSG(test, before - ph->nr_arenas, 1UL, "one arena a look");
	/*
	 * Looks may take 1 % of a CPU: the scavenger rests 100 times as long as the look took, but
	 * no less than its usual pause.
	 */
	KUNIT_EXPECT_EQ(test, kspan_scavenge_pause(1000, 5 * NSEC_PER_MSEC), 1000U);
	KUNIT_EXPECT_EQ(test, kspan_scavenge_pause(1000, 30 * NSEC_PER_MSEC), 3000U);
	KUNIT_EXPECT_EQ(test, kspan_scavenge_pause(10, NSEC_PER_MSEC), 100U);
	/*
	 * A look that lasted a second was preempted meanwhile. The scavenger does not count all of
	 * it as work.
	 */
	KUNIT_EXPECT_EQ(test, kspan_scavenge_pause(1000, NSEC_PER_SEC), 4000U);
}

static bool holds_any(void)
{
	return kspan_cpu_cache_holds_any(&kspan_default_heap, raw_smp_processor_id());
}

/* Wait until the CPU has drained its cache, which its worker does when it gets to run. */
static bool gets_empty(void)
{
	unsigned int ms;

	for (ms = 0; ms < 5000 && holds_any(); ms += 20)
		msleep(20);
	return !holds_any();
}

static void scavenger_drains_caches_that_rest(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 64; i++)
		objects[i] = kspan_malloc(SMALL, GFP_KERNEL);
	drop(64);
	KUNIT_ASSERT_TRUE(test, holds_any());
	/* The CPU uses its cache after each look. */
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_TRUE(test, kspan_scavenge(NSEC_PER_SEC));
		msleep(50);
		KUNIT_EXPECT_TRUE(test, holds_any());
		kspan_free(kspan_malloc(SMALL, GFP_KERNEL));
	}
	KUNIT_EXPECT_TRUE(test, kspan_scavenge(NSEC_PER_SEC));
	KUNIT_EXPECT_TRUE(test, kspan_scavenge(NSEC_PER_SEC));
	KUNIT_EXPECT_TRUE(test, gets_empty());
	KUNIT_EXPECT_GT(test, look_until_settled(100), 0U);
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(&kspan_default_heap, kspan_size_class(SMALL)), 0UL);
}

static void scavenger_reaps_depots_to_their_use(struct kunit *test)
{
	unsigned int class = kspan_size_class(SMALL);
	struct kspan_central *central = kspan_heap_central(&kspan_default_heap, home, class);
	struct kspan_magazine *mag, *other;
	unsigned int full;

	fill(test, SMALL, MANY);
	drop(MANY);
	kspan_depot_reap(central);
	full = central->nr_depot_full;
	KUNIT_ASSERT_GT(test, full, 3U);
	/* Take a full magazine and use its objects up. */
	mag = kspan_depot_take_full(central, NULL, 0);
	KUNIT_ASSERT_NOT_NULL(test, mag);
	kspan_central_return(central, mag->object, mag->count);
	mag->count = 0;
	/* Take another one, and put it back. The depot needed it. */
	other = kspan_depot_take_full(central, mag, 0);
	KUNIT_ASSERT_NOT_NULL(test, other);
	mag = kspan_depot_put_full(central, other, 0);
	KUNIT_ASSERT_NOT_NULL(test, mag);
	kspan_depot_return_magazine(central, mag);
	KUNIT_EXPECT_EQ(test, central->nr_depot_full, full - 1);
	kspan_depot_reap(central);
	KUNIT_EXPECT_EQ_MSG(test, central->nr_depot_full, 1U, "that one");
	kspan_depot_reap(central);
	KUNIT_EXPECT_EQ(test, central->nr_depot_full, 0U);
}

static void scavenger_trims_heaps_that_rest(struct kunit *test)
{
	struct kspan_heap *heap = heap_with_kept_spans(test);

	KUNIT_EXPECT_GE(test, heap_of_node()->used, 100UL);
	KUNIT_EXPECT_GT(test, look_until_settled(200), 0U);
	msleep(50);
	KUNIT_EXPECT_GT(test, look_until_settled(200), 0U);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&heap->private->account.pages), 0L);
	kspan_heap_destroy(heap);
}

static bool is_at_rest(void)
{
	return !READ_ONCE(kspan_scavenger_awake) && !READ_ONCE(heap_of_node()->pages) &&
	       !holds_any();
}

/* Frees wake the scavenger. It releases all that was freed, and sleeps again. */
static void scavenger_wakes_and_sleeps(struct kunit *test)
{
	u64 before = kspan_reclaimed(KSPAN_BY_SCAVENGER);
	unsigned int ms;

	kspan_arena_reserve = 1024;
	kspan_scavenge_ms = 10;
	kspan_scavenger_restart();
	fill(test, LARGE, 16);
	drop(16);
	kspan_free(kspan_malloc(SMALL, GFP_KERNEL));
	/*
	 * kspan_scavenger_awake is false during a look, too, so that other CPUs can wake the
	 * scavenger. So the case asks again below.
	 */
	for (ms = 0; ms < 60000 && !(is_at_rest() && kspan_reclaimed(KSPAN_BY_SCAVENGER) > before);
	     ms += 20)
		msleep(20);
	kunit_info(test, "at rest after %u ms\n", ms);
	KUNIT_EXPECT_EQ(test, heap_of_node()->pages, 0UL);
	KUNIT_EXPECT_GE(test, kspan_reclaimed(KSPAN_BY_SCAVENGER) - before, KSPAN_ARENA_SIZE);
	for (ms = 0; ms < 20000 && READ_ONCE(kspan_scavenger_awake); ms += 20)
		msleep(20);
	KUNIT_EXPECT_FALSE(test, kspan_scavenger_awake);
	kspan_scavenge_ms = 0;
	kspan_scavenger_restart();
}

static void hard_limit_holds(struct kunit *test)
{
	u64 hits = kspan_limit_hits(KSPAN_HARD_LIMIT);
	unsigned int n = 0;
	void *object;

	kspan_hard_limit = kspan_arena_bytes() + 2 * KSPAN_ARENA_SIZE + LARGE;
	while (n < MANY && (objects[n] = kspan_malloc(LARGE, GFP_KERNEL | __GFP_NOWARN)))
		n++;
	KUNIT_EXPECT_EQ(test, n, 2 * KSPAN_ARENA_SIZE / LARGE + 1);
	KUNIT_EXPECT_LE(test, kspan_arena_bytes(), kspan_hard_limit);
	KUNIT_EXPECT_GT(test, kspan_limit_hits(KSPAN_HARD_LIMIT), hits);
	/* A request may use free pages within the limit. */
	kspan_free(objects[0]);
	objects[0] = kspan_malloc(LARGE, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, objects[0]);
	object = kspan_malloc(LARGE, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_EXPECT_NOT_NULL(test, object);
	KUNIT_EXPECT_GT(test, kspan_arena_bytes(), kspan_hard_limit);
	KUNIT_EXPECT_NULL(test, kspan_malloc(KSPAN_ARENA_SIZE, GFP_ATOMIC | __GFP_NOWARN));
	kspan_hard_limit = 0;
	objects[n] = kspan_malloc(LARGE, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, objects[n]);
	kspan_free(object);
	drop(n + 1);
}

/* A hard limit of less than the kernel's page holds, too. */
static void least_hard_limit_is_one(struct kunit *test)
{
	static const unsigned long limits[] = { 1, PAGE_SIZE - 1, PAGE_SIZE };
	unsigned int i;
	void *object;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		kspan_hard_limit = limits[i];
		object = kspan_malloc(KSPAN_ARENA_SIZE, GFP_KERNEL | __GFP_NOWARN);
		kspan_hard_limit = 0;
		KUNIT_EXPECT_NULL_MSG(test, object, "limit %lu", limits[i]);
		kspan_free(object);
	}
	kspan_hard_limit = ULONG_MAX;
	object = kspan_malloc(KSPAN_ARENA_SIZE, GFP_KERNEL);
	kspan_hard_limit = 0;
	KUNIT_EXPECT_NOT_NULL(test, object);
	kspan_free(object);
}

static void idle_memory_is_released_before_a_request_fails(struct kunit *test)
{
	unsigned int i, n = 2 * KSPAN_ARENA_SIZE / LARGE;
	void *object;

	fill(test, LARGE, n);
	for (i = 0; i < n; i += 2)
		kspan_free(objects[i]);
	kspan_hard_limit = 2 * KSPAN_ARENA_SIZE;
	object = kspan_malloc(2 * LARGE, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_EXPECT_NOT_NULL(test, object);
	KUNIT_EXPECT_LE(test, kspan_arena_bytes(), kspan_hard_limit);
	kspan_free(object);
	for (i = 1; i < n; i += 2)
		kspan_free(objects[i]);
}

/*
 * CPU caches and depots keep freed objects of one class. A request of another class drains them at
 * the limit.
 */
static void caches_are_drained_before_a_request_fails(struct kunit *test)
{
	unsigned int n, left = 64;

	kspan_hard_limit = 2 * KSPAN_ARENA_SIZE;
	for (n = 0; n < MANY; n++) {
		objects[n] = kspan_malloc(4096, GFP_KERNEL | __GFP_NOWARN);
		if (!objects[n])
			break;
	}
	KUNIT_ASSERT_LT(test, n, (unsigned int)MANY);
	/* These requests fail, so the heap notes that relief was in vain. */
	KUNIT_EXPECT_NULL(test, kspan_malloc(8192, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_NULL(test, kspan_malloc(8192, GFP_KERNEL | __GFP_NOWARN));
	kspan_free_bulk(n - left, objects + left);
	KUNIT_ASSERT_GT(test, nr_in_depots(), 0UL);
	/* Release all free pages, so that only the caches have free memory. */
	kspan_page_heap_release(home, ULONG_MAX, true);
	kspan_hard_limit = kspan_arena_bytes();
	objects[left] = kspan_malloc(8192, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_EXPECT_NOT_NULL(test, objects[left]);
	kspan_hard_limit = 0;
	drop(left + 1);
}

static void failing_requests_leave_caches_alone(struct kunit *test)
{
	unsigned int i, failed = 0, drained = 0;

	kspan_hard_limit = kspan_arena_bytes() + KSPAN_ARENA_SIZE;
	fill(test, LARGE, KSPAN_ARENA_SIZE / LARGE);
	for (i = 0; i < 200; i++) {
		failed += !kspan_malloc(LARGE, GFP_KERNEL | __GFP_NOWARN);
		drained += !holds_any();
		/* Free slots of the last arena serve this request, if anything does. */
		kspan_free(kspan_malloc(SMALL, GFP_KERNEL | __GFP_NOWARN));
	}
	KUNIT_EXPECT_EQ(test, failed, 200U);
	kunit_info(test, "drained %u times\n", drained);
	KUNIT_EXPECT_LE(test, drained, 100U);
	kspan_hard_limit = 0;
	drop(KSPAN_ARENA_SIZE / LARGE);
}

/*
 * A full span of the class has seven pages. The limit leaves room for a block of two, which
 * becomes a shorter span.
 */
static void span_is_shorter_where_the_usual_one_does_not_fit(struct kunit *test)
{
	void *object;

	kspan_hard_limit = 2 * KSPAN_PAGE_SIZE;
	object = kspan_malloc(14336, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_ASSERT_NOT_NULL(test, object);
	KUNIT_EXPECT_EQ(test, kspan_size(object), (size_t)14336);
	KUNIT_EXPECT_EQ(test, kspan_arena_bytes(), 2 * KSPAN_PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)object, 2048));
	kspan_verify(test, &kspan_default_heap);
	KUNIT_EXPECT_NULL(test, kspan_malloc(14336, GFP_KERNEL | __GFP_NOWARN));
	kspan_free(object);
}

static void soft_limit_releases_first(struct kunit *test)
{
	u64 hits = kspan_limit_hits(KSPAN_SOFT_LIMIT);
	struct kspan_page_heap *ph = heap_of_node();
	unsigned int n = 4 * KSPAN_ARENA_SIZE / LARGE;

	/* Let the page heap keep empty arenas. */
	kspan_arena_reserve = 4;
	fill(test, LARGE, n);
	KUNIT_EXPECT_EQ(test, kspan_limit_hits(KSPAN_SOFT_LIMIT), hits);
	kspan_soft_limit = kspan_arena_bytes();
	objects[n] = alloc_on_node(LARGE);
	KUNIT_EXPECT_NOT_NULL_MSG(test, objects[n], "a soft limit lets pass");
	KUNIT_EXPECT_EQ(test, kspan_limit_hits(KSPAN_SOFT_LIMIT), hits + 1);
	KUNIT_EXPECT_EQ(test, ph->nr_arenas, 5UL);
	kspan_free(objects[n]);
	/*
	 * Wait until relief may drain the CPU caches again. Then the request beyond the soft limit
	 * does it.
	 */
	msleep(200);
	kspan_soft_limit = 1;
	objects[n] = alloc_on_node(KSPAN_ARENA_SIZE);
	KUNIT_EXPECT_NOT_NULL(test, objects[n]);
	drop(n + 1);
}

static unsigned long idle_pages(void)
{
	return heap_of_node()->pages - heap_of_node()->used;
}

/*
 * A burst frees 40 MiB while the system has 100 MiB to spare. kspan must release most of it at
 * once.
 */
static void idle_memory_follows_what_is_spare(struct kunit *test)
{
	kspan_arena_reserve = 1024;
	kspan_idle_percent = 5;
	kspan_spare_most = 100UL << (20 - KSPAN_PAGE_SHIFT);
	kspan_scavenge(NSEC_PER_SEC);
	/*
	 * Pretend that the scavenger will look soon. The page heap keeps idle pages for it until
	 * then.
	 */
	heap_of_node()->keep = ULONG_MAX;
	fill(test, LARGE, 160);
	drop(160);
	KUNIT_EXPECT_GT(test, idle_pages(), 0UL);
	KUNIT_EXPECT_LE(test, idle_pages(), kspan_spare_most / 20);
	kspan_scavenge(NSEC_PER_SEC);
	KUNIT_EXPECT_LE(test, idle_pages(), kspan_spare_most / 80 + KSPAN_ARENA_PAGES);
	KUNIT_EXPECT_GT(test, look_until_settled(100), 0U);
	KUNIT_EXPECT_LE(test, idle_pages(), kspan_spare_most / 80);
}

static void nothing_is_idle_where_nothing_is_spare(struct kunit *test)
{
	kspan_arena_reserve = 1024;
	kspan_idle_percent = 5;
	kspan_spare_most = 0;
	heap_of_node()->keep = ULONG_MAX;
	fill(test, LARGE, 160);
	kspan_free_bulk(152, objects + 8);
	KUNIT_EXPECT_LE(test, heap_of_node()->pages, (unsigned long)KSPAN_ARENA_PAGES);
	drop(8);
	KUNIT_EXPECT_EQ(test, heap_of_node()->pages, 0UL);
}

/*
 * Arenas with some objects left have half of their pages free, which is more than may be idle. The
 * scavenger must make holes.
 */
static void scavenger_makes_holes_where_memory_is_short(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	unsigned int i;

	kspan_arena_reserve = 1024;
	fill(test, LARGE, 160);
	for (i = 0; i < 160; i += 2)
		kspan_free(objects[i]);
	look_until_settled(100);
	KUNIT_ASSERT_EQ(test, ph->holes, 0UL);
	kspan_idle_percent = 5;
	kspan_spare_most = idle_pages();
	KUNIT_EXPECT_TRUE(test, kspan_scavenge(NSEC_PER_SEC) || ph->holes);
	look_until_settled(100);
	KUNIT_EXPECT_GT(test, ph->holes, 0UL);
	KUNIT_EXPECT_LE(test, idle_pages(), kspan_spare_most / 4);
	for (i = 1; i < 160; i += 2)
		kspan_free(objects[i]);
}

static void arenas_grow_with_the_heap(struct kunit *test)
{
	struct kspan_page_heap *ph = heap_of_node();
	struct kspan_span *run;
	unsigned long before;
	LIST_HEAD(taken);

	kspan_arena_growth = 12;
	while (ph->pages < 24 * KSPAN_ARENA_PAGES) {
		before = ph->pages;
		run = kspan_page_heap_alloc(home, 4, 1, 0, GFP_KERNEL | __GFP_THISNODE);
		KUNIT_ASSERT_NOT_NULL(test, run);
		list_add(&run->list, &taken);
		KUNIT_ASSERT_LE(test, ph->pages - before,
				clamp(before * 12 / 100, 16UL, (unsigned long)KSPAN_ARENA_PAGES));
	}
	kunit_info(test, "%lu arenas for %lu pages\n", ph->nr_arenas, ph->pages);
	KUNIT_EXPECT_LE(test, ph->nr_arenas, 100UL);
	kspan_verify(test, &kspan_default_heap);
	while (!list_empty(&taken)) {
		run = list_first_entry(&taken, struct kspan_span, list);
		list_del(&run->list);
		KUNIT_EXPECT_TRUE(test, kspan_page_heap_free(run, run->start, KSPAN_SPAN_LARGE));
	}
}

static void expect_arena(struct kunit *test, unsigned int npages, unsigned int class,
			 unsigned int expected)
{
	struct kspan_span *run;

	run = kspan_page_heap_alloc(home, npages, 1, class, GFP_KERNEL | __GFP_THISNODE);
	KUNIT_ASSERT_NOT_NULL(test, run);
	KUNIT_EXPECT_EQ_MSG(test, run->arena->npages, expected, "%u pages", npages);
	KUNIT_EXPECT_TRUE(test, kspan_page_heap_free(run, run->start, run->state));
	KUNIT_EXPECT_EQ(test, heap_of_node()->pages, 0UL);
}

static void large_objects_get_arenas_for_four(struct kunit *test)
{
	kspan_arena_growth = 1;
	kspan_arena_reserve = 0;
	expect_arena(test, 10, kspan_size_class(1024), 16);
	expect_arena(test, 1, 0, 16);
	expect_arena(test, 5, 0, 32);
	expect_arena(test, 33, 0, 256);
	expect_arena(test, 100, 0, KSPAN_ARENA_PAGES);
	expect_arena(test, 300, 0, KSPAN_ARENA_PAGES);
}

/* The kernel adds the counter of a CPU to this sum late. */
static unsigned long reclaimable(void)
{
	return global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE);
}

static void kernel_knows_what_is_free(struct kunit *test)
{
	unsigned long before = reclaimable(), slack = 128 + 2 * 125 * num_possible_cpus();
	unsigned int n = 8 * KSPAN_ARENA_SIZE / LARGE;

	kspan_arena_reserve = 1024;
	fill(test, LARGE, n);
	KUNIT_EXPECT_LE(test, abs((long)(reclaimable() - before)), (long)slack);
	drop(n);
	KUNIT_EXPECT_GE(test, reclaimable() + slack,
			before + 8 * KSPAN_ARENA_PAGES * KERNEL_PAGES);
	kspan_trim();
	KUNIT_EXPECT_LE(test, abs((long)(reclaimable() - before)), (long)slack);
	KUNIT_EXPECT_EQ(test, heap_of_node()->reported, 0UL);
}

static struct kunit_case reclaim_cases[] = {
	KUNIT_CASE(nothing_is_empty),
	KUNIT_CASE(shrinker_counts_free_pages),
	KUNIT_CASE(shrinker_takes_what_is_wanted),
	KUNIT_CASE(shrinker_drains_magazines_and_depot),
	KUNIT_CASE(shrinker_leaves_other_nodes_alone),
	KUNIT_CASE(shrinker_makes_holes_last),
	KUNIT_CASE(shrinker_takes_pages_inside_spans),
	KUNIT_CASE(shrinker_takes_spans_of_private_heaps),
	KUNIT_CASE(shrinker_waits_for_nobody),
	KUNIT_CASE(shrinker_leaves_arenas_in_use_to_kswapd),
	KUNIT_CASE(shrinker_drains_no_more_than_is_wanted),
	KUNIT_CASE(shrinker_counts_without_a_lock),
	KUNIT_CASE(trim_tells_how_much),
	KUNIT_CASE(scavenger_keeps_a_tenth_of_recent_use),
	KUNIT_CASE(scavenger_leaves_what_is_used),
	KUNIT_CASE(scavenger_makes_holes_where_most_is_free),
	KUNIT_CASE(scavenger_keeps_to_its_budget),
	KUNIT_CASE(scavenger_drains_caches_that_rest),
	KUNIT_CASE(scavenger_reaps_depots_to_their_use),
	KUNIT_CASE(scavenger_trims_heaps_that_rest),
	KUNIT_CASE(scavenger_wakes_and_sleeps),
	KUNIT_CASE(hard_limit_holds),
	KUNIT_CASE(least_hard_limit_is_one),
	KUNIT_CASE(idle_memory_is_released_before_a_request_fails),
	KUNIT_CASE(caches_are_drained_before_a_request_fails),
	KUNIT_CASE(failing_requests_leave_caches_alone),
	KUNIT_CASE(span_is_shorter_where_the_usual_one_does_not_fit),
	KUNIT_CASE(soft_limit_releases_first),
	KUNIT_CASE(idle_memory_follows_what_is_spare),
	KUNIT_CASE(nothing_is_idle_where_nothing_is_spare),
	KUNIT_CASE(scavenger_makes_holes_where_memory_is_short),
	KUNIT_CASE(arenas_grow_with_the_heap),
	KUNIT_CASE(large_objects_get_arenas_for_four),
	KUNIT_CASE(kernel_knows_what_is_free),
	{}
};

static struct kunit_suite reclaim_suite = {
	.name = "kspan_reclaim",
	.init = reclaim_init,
	.exit = reclaim_exit,
	.test_cases = reclaim_cases,
};

kunit_test_suite(reclaim_suite);
