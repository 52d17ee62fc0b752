// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations that never wait, and the reserve for them.
 *
 * The case itself holds the locks that a call might take, on the same CPU. A call that waited for
 * one would never return.
 */
#include <linux/kspan.h>
#include <linux/nodemask.h>
#include <linux/string.h>

#include "api/private.h"
#include "kspan_kunit.h"

#define SIZE	1024
#define N	70

static void **objects;
static struct kspan_cpu_cache *cache;
static struct kspan_page_heap *ph;

static int nolock_init(struct kunit *test)
{
	kspan_kunit_init(test);
	objects = kunit_kcalloc(test, 512, sizeof(*objects), GFP_KERNEL);
	cache = raw_cpu_ptr(kspan_default_heap.cpu);
	ph = kspan_page_heap(cache->nid);
	return objects ? 0 : -ENOMEM;
}

/* Lock by trylock, since lockdep reports a second lock of a class as a deadlock. */
static void hold(raw_spinlock_t *lock)
{
	while (!raw_spin_trylock(lock))
		cpu_relax();
	/* This is for sparse only. */
	__release(lock);
}

static void let_go(raw_spinlock_t *lock)
{
	/* This is for sparse only. */
	__acquire(lock);
	raw_spin_unlock(lock);
}

/* Hold the locks of a class and of the page heaps on all nodes. */
static unsigned long hold_all(unsigned int class)
{
	unsigned long flags;
	int nid;

	local_irq_save(flags);
	for_each_node(nid) {
		hold(&kspan_heap_central(&kspan_default_heap, nid, class)->lock);
		hold(&kspan_page_heap(nid)->lock);
	}
	return flags;
}

static void let_all_go(unsigned int class, unsigned long flags)
{
	int nid;

	for_each_node(nid) {
		let_go(&kspan_page_heap(nid)->lock);
		let_go(&kspan_heap_central(&kspan_default_heap, nid, class)->lock);
	}
	local_irq_restore(flags);
}

/* Returns how many of @max calls succeed while they can use only the reserve. */
static unsigned int take(size_t size, unsigned int max)
{
	unsigned int class = kspan_size_class(size), n = 0;
	unsigned long flags = hold_all(class);

	while (n < max && (objects[n] = kspan_malloc_nolock(size)))
		n++;
	let_all_go(class, flags);
	return n;
}

static void free_all(unsigned int n)
{
	while (n--)
		kspan_free(objects[n]);
}

static unsigned long in_use(size_t size)
{
	struct kspan_class_stats now;

	kspan_class_stats_read(kspan_size_class(size), &now);
	return now.in_use;
}

static void drain(void)
{
	kspan_heap_drain(&kspan_default_heap);
}

static void prefill(struct kunit *test, size_t size, unsigned int n)
{
	KUNIT_ASSERT_EQ_MSG(test, kspan_prefill(size, n, GFP_KERNEL), 0, "%u of %zu", n, size);
	drain();
}

/* No object may overlap another. */
static void expect_objects(struct kunit *test, size_t size, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ(test, kspan_size(objects[i]), kspan_size_roundup(size));
		kspan_kunit_fill(objects[i], i);
	}
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_TRUE_MSG(test, kspan_kunit_filled(objects[i], (u8)i),
				      "%u of %zu", i, size);
}

static void size_0_is_zero_size_ptr(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, kspan_malloc_nolock(0), ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ(test, kspan_prefill(0, 10, GFP_KERNEL), 0);
}

static void newest_object_of_the_magazine_comes_first(struct kunit *test)
{
	void *p, *q;

	kspan_kunit_warm(test, SIZE);
	p = kspan_malloc(SIZE, GFP_KERNEL);
	kspan_free(p);
	q = kspan_malloc_nolock(SIZE);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	kspan_free(q);
}

static void magazine_serves_while_locks_are_held(struct kunit *test)
{
	unsigned int class = kspan_size_class(SIZE), n, got;

	kspan_kunit_warm(test, SIZE);
	n = cache->class[class].loaded->count + cache->class[class].previous->count;
	KUNIT_ASSERT_GT(test, n, 0U);
	got = take(SIZE, N);
	KUNIT_EXPECT_EQ(test, got, n);
	expect_objects(test, SIZE, got);
	free_all(got);
}

/* There is no arena. The calls must not allocate one. */
static void system_is_asked_for_nothing(struct kunit *test)
{
	struct kspan_page_stats now;

	KUNIT_ASSERT_EQ(test, ph->nr_arenas, 0UL);
	KUNIT_EXPECT_NULL(test, kspan_malloc_nolock(8));
	KUNIT_EXPECT_NULL(test, kspan_malloc_nolock(SIZE));
	KUNIT_EXPECT_NULL(test, kspan_malloc_nolock(KSPAN_MAX_SMALL));
	KUNIT_EXPECT_NULL(test, kspan_malloc_nolock(100000));
	kspan_page_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.arenas, 0UL);
}

/* Make an arena with free pages and a live object, and spare descriptors for spans. */
static void *some_free_pages(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		objects[i] = kspan_malloc(100000, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
	}
	free_all(7);
	KUNIT_ASSERT_GE(test, ph->nr_spares, 4U);
	return objects[7];
}

/* Spans with a bitmap of one word need no memory besides their pages. */
static void free_pages_serve_classes_of_few_slots(struct kunit *test)
{
	void *keep = some_free_pages(test), *p, *q;

	p = kspan_malloc_nolock(SIZE);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, kspan_size(p), (size_t)SIZE);
	q = kspan_malloc_nolock(KSPAN_MAX_SMALL);
	KUNIT_EXPECT_NOT_NULL(test, q);
	KUNIT_EXPECT_TRUE(test, kspan_owns(q));
	kspan_free(p);
	kspan_free(q);
	kspan_free(keep);
}

/* Other spans need a bitmap from SLUB. So the calls must fail, and use up no pages. */
static void classes_of_many_slots_take_no_pages(struct kunit *test)
{
	void *keep = some_free_pages(test);
	unsigned long used = ph->used;
	unsigned int i;

	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_NULL(test, kspan_malloc_nolock(8));
	KUNIT_EXPECT_EQ(test, ph->used, used);
	kspan_free(keep);
}

static void slots_of_the_central_serve_all_classes(struct kunit *test)
{
	void *keep = kspan_malloc(8, GFP_KERNEL), *p;

	drain();
	p = kspan_malloc_nolock(8);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
	kspan_free(keep);
}

static void busy_cache_is_passed_by(struct kunit *test)
{
	struct kspan_cpu_cache *entered;
	struct kspan_central *central;
	u64 past_cache;
	void *p;

	kspan_kunit_warm(test, SIZE);
	central = kspan_heap_central(&kspan_default_heap, cache->nid, kspan_size_class(SIZE));
	KUNIT_ASSERT_TRUE(test, kspan_cpu_cache_enter(&kspan_default_heap, &entered));
	past_cache = central->allocs;
	p = kspan_malloc_nolock(SIZE);
	past_cache = central->allocs - past_cache;
	kspan_cpu_cache_leave(entered);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, past_cache, 1ULL);
	kspan_free(p);
}

/* There are free slots, but the owner of the lock may be changing their spans. */
static void held_locks_give_null_at_once(struct kunit *test)
{
	void *keep = kspan_malloc(SIZE, GFP_KERNEL);

	drain();
	KUNIT_EXPECT_EQ(test, take(SIZE, N), 0U);
	KUNIT_EXPECT_EQ(test, in_use(SIZE), 1UL);
	kspan_free(keep);
}

/* The page heaps are locked, and the central is not. Its free slots can be taken. */
static void lock_of_the_page_heap_keeps_no_slot_away(struct kunit *test)
{
	void *keep = kspan_malloc(SIZE, GFP_KERNEL);
	unsigned int n = 0, slots = kspan_size_classes[kspan_size_class(SIZE)].slots;
	unsigned long flags;
	void *large;
	int nid;

	drain();
	local_irq_save(flags);
	for_each_node(nid)
		hold(&kspan_page_heap(nid)->lock);
	while (n < N && (objects[n] = kspan_malloc_nolock(SIZE)))
		n++;
	large = kspan_malloc_nolock(100000);
	for_each_node(nid)
		let_go(&kspan_page_heap(nid)->lock);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, n, slots - 1);
	KUNIT_EXPECT_NULL(test, large);
	free_all(n);
	kspan_free(keep);
	kspan_verify(test, &kspan_default_heap);
}

static void prefill_is_good_for_as_many(struct kunit *test)
{
	static const size_t sizes[] = { 1, 8, 16, 64, 100, SIZE, 4096, 20000, KSPAN_MAX_SMALL };
	unsigned int i, got;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		prefill(test, sizes[i], N);
		got = take(sizes[i], N + 1);
		KUNIT_EXPECT_EQ_MSG(test, got, (unsigned int)N, "%zu", sizes[i]);
		expect_objects(test, sizes[i], got);
		free_all(got);
	}
}

static void every_class_can_be_prefilled(struct kunit *test)
{
	unsigned int class, got;

	for (class = 1; class < KSPAN_CLASS_TINY; class++) {
		u32 size = kspan_size_classes[class].size;

		prefill(test, size, 3);
		got = take(size, 4);
		KUNIT_EXPECT_EQ_MSG(test, got, 3U, "%u", size);
		free_all(got);
	}
}

/* A reserve serves all sizes of its class, and no other class. */
static void reserve_is_that_of_the_class(struct kunit *test)
{
	unsigned int got;

	prefill(test, 1000, 5);
	KUNIT_EXPECT_EQ(test, take(896, 1), 0U);
	KUNIT_EXPECT_EQ(test, take(1025, 1), 0U);
	got = take(1010, N);
	KUNIT_EXPECT_EQ(test, got, 5U);
	free_all(got);
}

/* The reserve serves only requests that can't be served otherwise. */
static void reserve_is_the_last_resort(struct kunit *test)
{
	void *p;
	unsigned int got;

	prefill(test, SIZE, 5);
	p = kspan_malloc_nolock(SIZE);
	KUNIT_ASSERT_NOT_NULL(test, p);
	drain();
	got = take(SIZE, N);
	KUNIT_EXPECT_EQ(test, got, 5U);
	free_all(got);
	kspan_free(p);
}

static void prefill_tops_up(struct kunit *test)
{
	unsigned int got;

	prefill(test, SIZE, 10);
	KUNIT_EXPECT_EQ(test, in_use(SIZE), 10UL);
	prefill(test, SIZE, 10);
	KUNIT_EXPECT_EQ(test, in_use(SIZE), 10UL);
	got = take(SIZE, 3);
	KUNIT_EXPECT_EQ(test, got, 3U);
	prefill(test, SIZE, 10);
	KUNIT_EXPECT_EQ(test, in_use(SIZE), 13UL);
	free_all(got);
	drain();
	prefill(test, SIZE, 40);
	KUNIT_EXPECT_EQ(test, in_use(SIZE), 40UL);
	got = take(SIZE, N);
	KUNIT_EXPECT_EQ(test, got, 40U);
	free_all(got);
}

static void prefill_of_less_takes_nothing_away(struct kunit *test)
{
	unsigned int got;

	prefill(test, SIZE, 10);
	prefill(test, SIZE, 4);
	got = take(SIZE, N);
	KUNIT_EXPECT_GE(test, got, 4U);
	free_all(got);
	prefill(test, SIZE, 0);
	KUNIT_EXPECT_EQ(test, in_use(SIZE), 0UL);
}

static void prefill_of_0_drains_the_reserve(struct kunit *test)
{
	prefill(test, SIZE, 10);
	prefill(test, SIZE, 0);
	KUNIT_EXPECT_EQ(test, in_use(SIZE), 0UL);
	KUNIT_EXPECT_EQ(test, take(SIZE, N), 0U);
}

static void prefill_refuses_what_has_no_class(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, kspan_prefill(KSPAN_MAX_SMALL + 1, 1, GFP_KERNEL), -EINVAL);
	KUNIT_EXPECT_EQ(test, kspan_prefill(SIZE_MAX, 1, GFP_KERNEL), -EINVAL);
	KUNIT_EXPECT_EQ(test, kspan_prefill(SIZE, 1, GFP_KERNEL | GFP_DMA), -EINVAL);
	KUNIT_EXPECT_EQ(test, kspan_prefill(SIZE, 1, GFP_KERNEL | GFP_DMA32), -EINVAL);
	KUNIT_EXPECT_EQ(test, kspan_prefill(SIZE, UINT_MAX, GFP_KERNEL), -EINVAL);
	KUNIT_EXPECT_EQ(test, in_use(SIZE), 0UL);
}

/*
 * The third arena can't be allocated. The objects of two arenas stay in the reserve, and can be
 * taken.
 */
static void prefill_that_fails_keeps_what_there_is(struct kunit *test)
{
	unsigned int n = 300, got;
	int err;

	kspan_kunit_needs_faults(test);
	kspan_kunit_fail_arenas(3, 1 << 20);
	err = kspan_prefill(KSPAN_MAX_SMALL, n, GFP_KERNEL);
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
	KUNIT_EXPECT_EQ(test, err, -ENOMEM);
	drain();
	kspan_verify(test, &kspan_default_heap);
	got = take(KSPAN_MAX_SMALL, n + 1);
	KUNIT_EXPECT_GT(test, got, 0U);
	KUNIT_EXPECT_LT(test, got, n);
	free_all(got);
	prefill(test, KSPAN_MAX_SMALL, n);
	got = take(KSPAN_MAX_SMALL, n + 1);
	KUNIT_EXPECT_EQ(test, got, n);
	free_all(got);
}

/*
 * Allocation k of any kind fails, for every k. Each k uses another class, which has no reserve
 * yet.
 */
static void any_failure_of_a_prefill_leaves_a_good_state(struct kunit *test)
{
	unsigned int k, got, n = 6;
	bool failed = true;
	int err;

	kspan_kunit_needs_faults(test);
	for (k = 1; failed && k + 1 < KSPAN_CLASS_TINY; k++) {
		u32 size = kspan_size_classes[k + 1].size;

		kspan_kunit_fail_nth(k);
		err = kspan_prefill(size, n, GFP_NOWAIT | __GFP_NOWARN);
		failed = kspan_kunit_nth_failed();
		drain();
		got = take(size, n + 1);
		KUNIT_EXPECT_EQ(test, got == n, !err);
		KUNIT_EXPECT_TRUE(test, !err || err == -ENOMEM);
		free_all(got);
		kspan_kunit_settle();
		KUNIT_EXPECT_EQ(test, in_use(size), 0UL);
	}
	KUNIT_EXPECT_FALSE(test, failed);
	KUNIT_EXPECT_GT(test, k, 2U);
}

static void large_objects_come_from_free_pages(struct kunit *test)
{
	void *keep = some_free_pages(test), *p, *q;

	p = kspan_malloc_nolock(300000);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(300000));
	q = kspan_malloc_nolock(1 << 20);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)q, 1 << 20));
	KUNIT_EXPECT_NULL(test, kspan_malloc_nolock(KSPAN_MAX_SIZE));
	KUNIT_EXPECT_NULL(test, kspan_malloc_nolock(KSPAN_MAX_SIZE + 1));
	KUNIT_EXPECT_NULL(test, kspan_malloc_nolock(SIZE_MAX));
	kspan_free(p);
	kspan_free(q);
	kspan_free(keep);
}

static void make_dirty(struct kunit *test)
{
	void *p;

	kspan_kunit_warm(test, SIZE);
	p = kspan_malloc(SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0xd1, SIZE);
	kspan_free(p);
}

static void memory_is_as_it_was_left(struct kunit *test)
{
	void *p;

	if (want_init_on_alloc(0) || want_init_on_free())
		kunit_skip(test, "the kernel was booted to initialise memory");
	make_dirty(test);
	p = kspan_malloc_nolock(SIZE);
	KUNIT_ASSERT_NOT_NULL(test, p);
	/* The first word may have been the seal. */
	KUNIT_EXPECT_NULL(test, memchr_inv(p + sizeof(long), 0xd1, SIZE - sizeof(long)));
	kspan_free(p);
}

/* init_on_alloc wipes objects of the reserve, too. */
static void init_on_alloc_is_honoured(struct kunit *test)
{
	bool was_on = want_init_on_alloc(0);
	unsigned int got;
	void *p;

	if (want_init_on_free())
		kunit_skip(test, "init_on_free=1 makes init_on_alloc= void for pages");
	prefill(test, SIZE, 1);
	make_dirty(test);
	if (!was_on)
		static_branch_enable(&init_on_alloc);
	p = kspan_malloc_nolock(SIZE);
	drain();
	got = take(SIZE, 1);
	if (!was_on)
		static_branch_disable(&init_on_alloc);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_EQ(test, got, 1U);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, SIZE));
	KUNIT_EXPECT_NULL(test, memchr_inv(objects[0], 0, SIZE));
	kspan_free(p);
	free_all(1);
}

/* Objects in the reserve count as allocated. To take one is no allocation. */
static void reserve_counts_as_in_use(struct kunit *test)
{
	struct kspan_class_stats was, now;
	unsigned int got;

	kspan_class_stats_read(kspan_size_class(SIZE), &was);
	prefill(test, SIZE, 10);
	got = take(SIZE, 4);
	kspan_class_stats_read(kspan_size_class(SIZE), &now);
	KUNIT_EXPECT_EQ(test, now.allocs - was.allocs, 10ULL);
	KUNIT_EXPECT_EQ(test, now.in_use, 10UL);
	free_all(got);
	prefill(test, SIZE, 0);
	kspan_class_stats_read(kspan_size_class(SIZE), &now);
	KUNIT_EXPECT_EQ(test, now.frees - was.frees, 10ULL);
}

/* Take all that a heap can serve, and free it. Returns how many objects. */
static unsigned int take_and_free_all(struct kunit *test, struct kspan_heap *heap)
{
	unsigned int n = 0;

	while (n < 2 * N && (objects[n] = kspan_heap_malloc_nolock(heap, SIZE))) {
		KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(objects[n]), heap);
		n++;
	}
	free_all(n);
	return n;
}

static void heaps_have_reserves_of_their_own(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("prefilled", N * SIZE, 0);
	struct kmsg_dump_iter log;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	KUNIT_EXPECT_EQ(test, kspan_heap_prefill(heap, SIZE, 0, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, kspan_heap_prefill(heap, SIZE, N / 4, GFP_KERNEL), 0);
	KUNIT_EXPECT_GE(test, kspan_private_live(heap), N / 4UL);
	KUNIT_EXPECT_GE(test, take_and_free_all(test, heap), N / 4U);
	KUNIT_EXPECT_EQ(test, kspan_heap_prefill(heap, SIZE, N / 4, GFP_KERNEL), 0);
	/* A reset frees the reserve. Another one can be made after it. */
	kspan_heap_reset(heap);
	KUNIT_EXPECT_EQ(test, kspan_private_live(heap), 0UL);
	KUNIT_EXPECT_EQ(test, kspan_heap_prefill(heap, SIZE, N / 4, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, kspan_heap_prefill(heap, KSPAN_MAX_SMALL + 1, 1, GFP_KERNEL),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, kspan_heap_prefill(heap, SIZE, 1, GFP_DMA), -EINVAL);
	KUNIT_EXPECT_EQ(test, kspan_heap_prefill(heap, SIZE, 4 * N, GFP_KERNEL), -ENOMEM);
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc_nolock(heap, KSPAN_MAX_SIZE + 1));
	KUNIT_EXPECT_PTR_EQ(test, kspan_heap_malloc_nolock(heap, 0), ZERO_SIZE_PTR);
	kspan_kunit_log_begin(&log);
	kspan_heap_destroy(heap);
	KUNIT_EXPECT_FALSE(test, kspan_kunit_logged(&log, "never freed"));
	KUNIT_EXPECT_EQ(test, kspan_heap_prefill(NULL, SIZE, 3, GFP_KERNEL), 0);
	objects[0] = kspan_heap_malloc_nolock(NULL, SIZE);
	KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(objects[0]), &kspan_default_heap);
	free_all(1);
	prefill(test, SIZE, 0);
}

static void caches_have_reserves_of_their_own(struct kunit *test)
{
	struct kspan_cache *typed = kspan_cache_create("prefilled", 1000, 0, 0, NULL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, typed);
	KUNIT_EXPECT_NULL(test, kspan_cache_alloc_nolock(typed));
	KUNIT_EXPECT_EQ(test, kspan_cache_prefill(typed, 50, GFP_DMA), -EINVAL);
	KUNIT_EXPECT_EQ(test, kspan_cache_prefill(typed, 50, GFP_KERNEL), 0);
	for (i = 0; i < 50; i++) {
		objects[i] = kspan_cache_alloc_nolock(typed);
		KUNIT_ASSERT_NOT_NULL_MSG(test, objects[i], "%u", i);
		KUNIT_EXPECT_EQ(test, kspan_size(objects[i]), (size_t)1000);
	}
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(typed), -EBUSY);
	for (i = 0; i < 50; i++)
		kspan_cache_free(typed, objects[i]);
	KUNIT_EXPECT_EQ(test, kspan_cache_prefill(typed, 50, GFP_KERNEL), 0);
	/* The destruction of a cache frees the rest of its reserve. */
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(typed), 0);
}

static struct kunit_case nolock_cases[] = {
	KUNIT_CASE(size_0_is_zero_size_ptr),
	KUNIT_CASE(newest_object_of_the_magazine_comes_first),
	KUNIT_CASE(magazine_serves_while_locks_are_held),
	KUNIT_CASE(system_is_asked_for_nothing),
	KUNIT_CASE(free_pages_serve_classes_of_few_slots),
	KUNIT_CASE(classes_of_many_slots_take_no_pages),
	KUNIT_CASE(slots_of_the_central_serve_all_classes),
	KUNIT_CASE(busy_cache_is_passed_by),
	KUNIT_CASE(held_locks_give_null_at_once),
	KUNIT_CASE(lock_of_the_page_heap_keeps_no_slot_away),
	KUNIT_CASE(any_failure_of_a_prefill_leaves_a_good_state),
	KUNIT_CASE(prefill_is_good_for_as_many),
	KUNIT_CASE(every_class_can_be_prefilled),
	KUNIT_CASE(reserve_is_that_of_the_class),
	KUNIT_CASE(reserve_is_the_last_resort),
	KUNIT_CASE(prefill_tops_up),
	KUNIT_CASE(prefill_of_less_takes_nothing_away),
	KUNIT_CASE(prefill_of_0_drains_the_reserve),
	KUNIT_CASE(prefill_refuses_what_has_no_class),
	KUNIT_CASE(prefill_that_fails_keeps_what_there_is),
	KUNIT_CASE(large_objects_come_from_free_pages),
	KUNIT_CASE(memory_is_as_it_was_left),
	KUNIT_CASE(init_on_alloc_is_honoured),
	KUNIT_CASE(reserve_counts_as_in_use),
	KUNIT_CASE(heaps_have_reserves_of_their_own),
	KUNIT_CASE(caches_have_reserves_of_their_own),
	{}
};

static struct kunit_suite nolock_suite = {
	.name = "kspan_nolock",
	.init = nolock_init,
	.exit = kspan_kunit_exit,
	.test_cases = nolock_cases,
};

kunit_test_suite(nolock_suite);
