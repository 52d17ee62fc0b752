// SPDX-License-Identifier: GPL-2.0
/*
 * The capacity of CPU caches.
 *
 * Whatever a case does to the cache of one CPU, in a heap of its own, this must hold:
 *	capacity = sum over classes of 2 * limit * size <= kspan_cpu_cache_bytes
 *
 * A and B are the sizes of two classes. A magazine of class A holds up to 16 objects, one of class
 * B up to 32: at most 128 KiB each.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kspan.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "kspan_kunit.h"
#include "objects/sampled.h"

#define A	8192
#define B	4096
#define FULL	(256U << 10)	/* bytes of two full magazines of A, or of B */
#define LIVE	400

static struct kspan_heap *heap;
static struct kspan_cpu_cache *cache;
static void **objects;
static u8 *classes;

/* What a case keeps all heaps from drawing; adapt_exit() returns it. */
static struct kspan_budget nobody;

static int adapt_init(struct kunit *test)
{
	kspan_kunit_init(test);
	heap = kspan_kunit_heap(test);
	objects = kunit_kcalloc(test, LIVE, sizeof(*objects), GFP_KERNEL);
	classes = kunit_kcalloc(test, LIVE, sizeof(*classes), GFP_KERNEL);
	if (!heap || !objects || !classes)
		return -ENOMEM;
	cache = per_cpu_ptr(heap->cpu, kspan_kunit_pin(test));
	KUNIT_EXPECT_EQ(test, 2 * A * kspan_kunit_cap(kspan_size_class(A)), FULL);
	KUNIT_EXPECT_EQ(test, 2 * B * kspan_kunit_cap(kspan_size_class(B)), FULL);
	return 0;
}

static void adapt_exit(struct kunit *test)
{
	kspan_budget_return(&nobody, atomic_long_read(&nobody.drawn));
	kspan_kunit_exit(test);
}

static struct kspan_central *central_of(unsigned int class)
{
	return kspan_heap_central(heap, cache->nid, class);
}

static unsigned int limit_of(size_t size)
{
	return cache->class[kspan_size_class(size)].limit;
}

static unsigned int bytes_of(unsigned int class)
{
	return 2 * cache->class[class].limit * kspan_size_classes[class].size;
}

static unsigned int cached_of(unsigned int class)
{
	return cache->class[class].loaded->count + cache->class[class].previous->count;
}

static bool magazine_holds(const struct kspan_magazine *mag, const void *object)
{
	unsigned int i;

	for (i = 0; i < mag->count; i++)
		if (mag->object[i] == object)
			return true;
	return false;
}

static bool holds(unsigned int class, const void *object)
{
	return magazine_holds(cache->class[class].loaded, object) ||
	       magazine_holds(cache->class[class].previous, object);
}

static u64 steals(void)
{
	return kspan_cpu_caches_events(heap, KSPAN_STEAL);
}

/* Allocate from @heap as kspan_malloc() does from the default heap. */
static void *alloc(struct kunit *test, unsigned int class)
{
	struct kspan_cpu_cache *entered;
	void *object;

	KUNIT_ASSERT_TRUE(test, kspan_cpu_cache_enter(heap, &entered));
	if (!entered->armed[class])
		kspan_sampled_begin(heap, entered, class, false);
	if (!kspan_cpu_cache_pop(entered, class, &object))
		object = kspan_cpu_cache_refill(heap, entered, class, 0);
	kspan_cpu_cache_finish(entered);
	kspan_depot_provision(central_of(class), GFP_KERNEL);
	if (!object)
		object = kspan_heap_alloc_slot(heap, class, cache->nid,
					       GFP_KERNEL | __GFP_THISNODE);
	KUNIT_ASSERT_NOT_NULL(test, object);
	return object;
}

/*
 * Free an object, but provide no magazine that is missing. Returns whether the cache took the
 * object.
 */
static bool push(struct kunit *test, unsigned int class, void *object)
{
	struct kspan_cpu_cache *entered;
	bool taken;

	KUNIT_ASSERT_TRUE(test, kspan_cpu_cache_enter(heap, &entered));
	taken = kspan_cpu_cache_push(entered, class, object, heap->seal_at) ||
		kspan_cpu_cache_spill(heap, entered, class, object);
	kspan_cpu_cache_finish(entered);
	return taken;
}

/* Free to @heap as kspan_free() does to the default heap. */
static void free_one(struct kunit *test, unsigned int class, void *object)
{
	bool taken = push(test, class, object);

	kspan_depot_provision(central_of(class), GFP_KERNEL);
	if (!taken)
		KUNIT_ASSERT_TRUE(test, kspan_central_free((unsigned long)object, class));
}

static void alloc_some(struct kunit *test, size_t size, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		objects[i] = alloc(test, kspan_size_class(size));
}

static void free_some(struct kunit *test, size_t size, unsigned int n)
{
	while (n--)
		free_one(test, kspan_size_class(size), objects[n]);
}

/* Use a class until it has the largest limit. */
static void grow_full(struct kunit *test, size_t size)
{
	unsigned int class = kspan_size_class(size), n = 6 * kspan_kunit_cap(class), round;

	for (round = 0; round < 10 && cache->class[class].limit < kspan_kunit_cap(class); round++) {
		alloc_some(test, size, n);
		free_some(test, size, n);
	}
	KUNIT_ASSERT_EQ(test, (unsigned int)cache->class[class].limit, kspan_kunit_cap(class));
}

static void drain(void)
{
	kspan_cpu_cache_drain(heap, raw_smp_processor_id());
}

static void expect_magazine(struct kunit *test, const struct kspan_magazine *mag,
			    unsigned int class)
{
	if (mag == &kspan_no_magazine)
		return;
	KUNIT_ASSERT_GE(test, mag->cap, (u32)cache->class[class].limit);
	KUNIT_ASSERT_GE(test, mag->cap, mag->count);
	KUNIT_ASSERT_LE(test, mag->cap, kspan_kunit_cap(class));
}

static void expect_books(struct kunit *test, unsigned int most)
{
	unsigned int class, sum = 0;

	for (class = 1; class < KSPAN_NR_CLASSES; class++) {
		KUNIT_ASSERT_LE(test, (unsigned int)cache->class[class].limit,
				kspan_kunit_cap(class));
		expect_magazine(test, cache->class[class].loaded, class);
		expect_magazine(test, cache->class[class].previous, class);
		sum += bytes_of(class);
	}
	KUNIT_ASSERT_EQ(test, sum, cache->capacity);
	KUNIT_ASSERT_LE(test, sum, most);
	KUNIT_ASSERT_EQ(test, (unsigned int)cache->class[0].limit, 0U);
}

static void new_cache_has_no_capacity(struct kunit *test)
{
	unsigned int class;

	for (class = 0; class < KSPAN_NR_CLASSES; class++)
		KUNIT_EXPECT_EQ(test, (unsigned int)cache->class[class].limit, 0U);
	KUNIT_EXPECT_EQ(test, cache->capacity, 0U);
}

/* Only a visit to the central changes the limit. It doubles it, up to the largest one. */
static void expect_next(struct kunit *test, unsigned int class, unsigned int before, bool miss)
{
	unsigned int cap = kspan_kunit_cap(class), limit = cache->class[class].limit;

	if (!miss)
		KUNIT_ASSERT_EQ(test, limit, before);
	else if (before)
		KUNIT_ASSERT_EQ(test, limit, min(2 * before, cap));
	else
		KUNIT_ASSERT_EQ(test, limit, clamp(4096 / kspan_size_classes[class].size, 2U,
						   cap));
	expect_books(test, kspan_cpu_cache_bytes);
}

static void expect_doubling(struct kunit *test, unsigned int class)
{
	unsigned int n = min(5 * kspan_kunit_cap(class), (unsigned int)LIVE), before, i;
	bool miss;

	for (i = 0; i < n; i++) {
		before = cache->class[class].limit;
		miss = !cached_of(class);
		objects[i] = alloc(test, class);
		expect_next(test, class, before, miss);
	}
	KUNIT_EXPECT_EQ(test, (unsigned int)cache->class[class].limit, kspan_kunit_cap(class));
	drain();
	while (n--) {
		before = cache->class[class].limit;
		miss = cached_of(class) == cache->class[class].loaded->cap +
					   cache->class[class].previous->cap;
		free_one(test, class, objects[n]);
		expect_next(test, class, before, miss);
	}
	KUNIT_EXPECT_EQ(test, (unsigned int)cache->class[class].limit, kspan_kunit_cap(class));
	drain();
}

static void capacity_doubles_with_each_miss(struct kunit *test)
{
	unsigned int class;

	kspan_cpu_cache_bytes = 1 << 20;
	for (class = 1; class < KSPAN_NR_CLASSES; class++)
		expect_doubling(test, class);
	KUNIT_EXPECT_EQ(test, steals(), 0ULL);
}

/* Fill both magazines of a class up to its limit. */
static void fill_magazines(struct kunit *test, size_t size)
{
	unsigned int class = kspan_size_class(size);

	grow_full(test, size);
	while (cached_of(class) < 2 * cache->class[class].limit)
		free_one(test, class, kspan_heap_alloc_slot(heap, class, cache->nid, GFP_KERNEL));
}

/*
 *	A [ o ... o ] 16, [ o ... o ] 16	B misses -> A [ o ... ], [ o ... ]
 *
 * A miss of B takes half of A's limit, or as much as one visit may return.
 */
static void class_takes_from_others(struct kunit *test)
{
	unsigned int class = kspan_size_class(A), i, limit, left = 0;
	struct kspan_magazine *mag[2];
	void *had[32], *object;
	unsigned long out;

	kspan_cpu_cache_bytes = FULL;
	fill_magazines(test, A);
	KUNIT_ASSERT_EQ(test, cache->capacity, FULL);
	mag[0] = cache->class[class].loaded;
	mag[1] = cache->class[class].previous;
	for (i = 0; i < 32; i++)
		had[i] = mag[i / 16]->object[i % 16];
	out = kspan_kunit_out(heap, class);
	object = alloc(test, kspan_size_class(B));
	KUNIT_EXPECT_EQ(test, steals(), 1ULL);
	limit = limit_of(A);
	KUNIT_EXPECT_GE(test, limit, 8U);
	KUNIT_EXPECT_LT(test, limit, 16U);
	KUNIT_EXPECT_EQ(test, limit_of(B), 2U);
	for (i = 0; i < 32; i++) {
		left += holds(class, had[i]);
		KUNIT_EXPECT_EQ(test, kspan_heap_caches(heap, class, had[i]),
				holds(class, had[i]));
	}
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(heap, class), out - (32 - left));
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_LE(test, mag[i]->count, limit);
		KUNIT_EXPECT_EQ(test, mag[i]->cap, limit);
	}
	KUNIT_EXPECT_EQ(test, mag[0]->count + mag[1]->count, left);
	expect_books(test, FULL);
	kspan_verify(test, heap);
	free_one(test, kspan_size_class(B), object);
}

/*
 * The objects that the class lost can be allocated elsewhere. The others come from its magazines,
 * each once.
 */
static void class_that_lost_some_has_the_rest(struct kunit *test)
{
	unsigned int class = kspan_size_class(A), i, j;
	void *object;

	kspan_cpu_cache_bytes = FULL;
	fill_magazines(test, A);
	object = alloc(test, kspan_size_class(B));
	KUNIT_ASSERT_LT(test, cached_of(class), 32U);
	alloc_some(test, A, 100);
	for (i = 0; i < 100; i++)
		for (j = 0; j < i; j++)
			KUNIT_ASSERT_PTR_NE(test, objects[i], objects[j]);
	free_some(test, A, 100);
	free_one(test, kspan_size_class(B), object);
	kspan_verify(test, heap);
}

/*
 *	A 16 8 4 2 1 0		B 0 2 4 ... 32
 */
static void class_that_lost_all_gets_some_again(struct kunit *test)
{
	unsigned int class = kspan_size_class(A);
	void *object;

	kspan_cpu_cache_bytes = FULL;
	fill_magazines(test, A);
	grow_full(test, B);
	KUNIT_ASSERT_EQ(test, cache->capacity, FULL);
	KUNIT_EXPECT_EQ(test, limit_of(A), 0U);
	KUNIT_EXPECT_EQ(test, cached_of(class), 0U);
	KUNIT_EXPECT_EQ(test, cache->class[class].loaded->cap, 0U);
	KUNIT_EXPECT_EQ(test, cache->class[class].previous->cap, 0U);
	kspan_depot_drain(central_of(class));
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(heap, class), 0UL);
	object = alloc(test, class);
	KUNIT_EXPECT_EQ(test, limit_of(A), 2U);
	KUNIT_EXPECT_LT(test, limit_of(B), 32U);
	expect_books(test, FULL);
	free_one(test, class, object);
	KUNIT_EXPECT_TRUE(test, holds(class, object));
	grow_full(test, A);
	KUNIT_EXPECT_EQ(test, limit_of(B), 0U);
	expect_books(test, FULL);
	kspan_verify(test, heap);
}

/* The first thing that the CPU does with the class is a free. */
static void class_that_lost_all_takes_frees(struct kunit *test)
{
	unsigned int class = kspan_size_class(A);

	kspan_cpu_cache_bytes = FULL;
	grow_full(test, A);
	grow_full(test, B);
	KUNIT_ASSERT_EQ(test, limit_of(A), 0U);
	objects[0] = kspan_heap_alloc_slot(heap, class, cache->nid, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objects[0]);
	free_one(test, class, objects[0]);
	KUNIT_EXPECT_EQ(test, limit_of(A), 2U);
	KUNIT_EXPECT_TRUE(test, holds(class, objects[0]));
	expect_books(test, FULL);
}

/* There is no capacity at all. Each object is taken from its span and returned to it alone. */
static void class_without_capacity_works(struct kunit *test)
{
	unsigned int class = kspan_size_class(KSPAN_MAX_SMALL), i;

	kspan_cpu_cache_bytes = 1;
	for (i = 0; i < 20; i++) {
		objects[i] = alloc(test, class);
		expect_books(test, 1);
	}
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(heap, class), 20UL);
	for (i = 0; i < 20; i++) {
		free_one(test, class, objects[i]);
		expect_books(test, 1);
	}
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(heap, class), 0UL);
	KUNIT_EXPECT_EQ(test, cache->capacity, 0U);
}

/*
 * A class whose smallest limit exceeds the capacity takes none from other classes. It would do so
 * at every miss, and never have enough.
 */
static void class_that_does_not_fit_takes_nothing(struct kunit *test)
{
	unsigned int class = kspan_size_class(KSPAN_MAX_SMALL), before;

	/* Two magazines of two objects need one byte more. */
	kspan_cpu_cache_bytes = 4 * KSPAN_MAX_SMALL - 1;
	alloc_some(test, A, 40);
	free_some(test, A, 40);
	before = cache->capacity;
	KUNIT_ASSERT_GT(test, before, 0U);
	objects[0] = alloc(test, class);
	objects[1] = alloc(test, class);
	KUNIT_EXPECT_EQ(test, steals(), 0ULL);
	KUNIT_EXPECT_EQ(test, cache->capacity, before);
	free_some(test, KSPAN_MAX_SMALL, 2);
	KUNIT_EXPECT_EQ(test, steals(), 0ULL);
	KUNIT_EXPECT_EQ(test, cache->capacity, before);
}

/* A miss works with preemption off. So it takes capacity from a few classes only. */
static void few_classes_lose_in_a_miss(struct kunit *test)
{
	unsigned int class = kspan_size_class(KSPAN_MAX_SMALL), i;
	u64 before;

	kspan_cpu_cache_bytes = 256 << 10;
	/* Each class gets a small limit, until the capacity is used up. */
	for (i = 1; i < class; i++) {
		objects[0] = alloc(test, i);
		free_one(test, i, objects[0]);
		expect_books(test, 256 << 10);
	}
	for (i = 0; i < 40; i++) {
		before = steals();
		objects[i] = alloc(test, class);
		KUNIT_EXPECT_LE(test, steals() - before, 4ULL);
		expect_books(test, 256 << 10);
	}
	KUNIT_EXPECT_GT(test, (unsigned int)cache->class[class].limit, 0U);
	free_some(test, KSPAN_MAX_SMALL, 40);
	kspan_verify(test, heap);
}

/*
 * When the depot takes no magazine, a spill returns some objects of a magazine, and the rest
 * stays.
 */
static void spill_returns_some(struct kunit *test)
{
	unsigned int class = kspan_size_class(64), n = 2 * kspan_kunit_cap(class) + 1, left = 0;
	unsigned int depot = kspan_depot_bytes, i, j;
	void *had[2 * KSPAN_MAGAZINE_MAX + 1], **next, **others = NULL;
	unsigned long out;

	kspan_cpu_cache_bytes = 0;
	grow_full(test, 64);
	kspan_cpu_cache_return_objects(heap);
	KUNIT_ASSERT_EQ(test, cached_of(class), 0U);
	kspan_depot_drain(central_of(class));
	/*
	 * Keep one object of each word of the bitmap, because a return takes all neighbours of a
	 * word at once. The others are kept in a list.
	 */
	for (i = 0; i < n; i++) {
		had[i] = kspan_heap_alloc_slot(heap, class, cache->nid, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, had[i]);
		for (j = 1; j < 64; j++) {
			next = kspan_heap_alloc_slot(heap, class, cache->nid, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, next);
			*next = others;
			others = next;
		}
	}
	for (i = 0; i < n - 1; i++)
		free_one(test, class, had[i]);
	KUNIT_ASSERT_EQ(test, cached_of(class), n - 1);
	/* A depot takes one magazine in any case. So pretend that it is full. */
	kspan_depot_bytes = 0;
	central_of(class)->nr_depot_full += KSPAN_DEPOT_MAX;
	out = kspan_kunit_out(heap, class);
	free_one(test, class, had[n - 1]);
	central_of(class)->nr_depot_full -= KSPAN_DEPOT_MAX;
	kspan_depot_bytes = depot;
	for (i = 0; i < n; i++)
		left += holds(class, had[i]);
	KUNIT_EXPECT_LT(test, left, n);
	KUNIT_EXPECT_GE(test, left, n - KSPAN_STEPS);
	KUNIT_EXPECT_EQ(test, out - kspan_kunit_out(heap, class), (unsigned long)n - left);
	kspan_verify(test, heap);
	while (others) {
		next = *others;
		KUNIT_ASSERT_TRUE(test, kspan_central_free((unsigned long)others, class));
		others = next;
	}
}

static unsigned long drawn(void)
{
	return atomic_long_read(&heap->budget.drawn);
}

/* The bytes that a heap has drawn are the sum of what its caches and depots have drawn. */
static void expect_drawn(struct kunit *test, unsigned long most)
{
	struct kspan_central *central;
	unsigned long sum = 0;
	unsigned int cpu, i = 0;

	for_each_possible_cpu(cpu)
		sum += kspan_cpu_cache_drawn(heap, per_cpu_ptr(heap->cpu, cpu));
	while ((central = kspan_heap_next_central(heap, &i)))
		sum += central->depot_drawn;
	KUNIT_ASSERT_EQ(test, sum, drawn());
	if (most)
		KUNIT_ASSERT_LE(test, sum, most);
}

/*
 * Use all classes with budgets of different size. The caches must never draw more than the budget.
 */
static void budget_is_never_exceeded(struct kunit *test)
{
	static const unsigned int budgets[] = { 1, 5000, 64 << 10, 1 << 20 };
	unsigned int i, class, n, j;

	kspan_cpu_cache_bytes = 4 << 20;
	for (i = 0; i < ARRAY_SIZE(budgets); i++) {
		heap->budget.most = budgets[i];
		for (class = 1; class < KSPAN_NR_CLASSES; class++) {
			n = min(3 * kspan_kunit_cap(class), (unsigned int)LIVE);
			for (j = 0; j < n; j++)
				objects[j] = alloc(test, class);
			expect_drawn(test, budgets[i]);
			while (n--)
				free_one(test, class, objects[n]);
			expect_drawn(test, budgets[i]);
			expect_books(test, 4 << 20);
		}
		kspan_verify(test, heap);
		drain();
		kspan_heap_drain(heap);
		KUNIT_EXPECT_EQ(test, drawn(), 0UL);
		KUNIT_EXPECT_EQ(test, atomic_read(&heap->budget.users), 0);
	}
}

/* A CPU that finds the budget used up gets bytes that another CPU returns later. */
static void cpu_gets_what_others_returned(struct kunit *test)
{
	unsigned int class = kspan_size_class(64);

	kspan_cpu_cache_bytes = 1 << 20;
	heap->budget.most = 64 << 10;
	/* Another CPU has drawn the whole budget. */
	KUNIT_ASSERT_TRUE(test, kspan_budget_draw(&heap->budget, 64 << 10));
	kspan_budget_add_user(&heap->budget, 1);
	alloc_some(test, 64, 100);
	KUNIT_EXPECT_EQ(test, cache->capacity, 0U);
	KUNIT_EXPECT_TRUE(test, heap->budget.wanted);
	free_some(test, 64, 100);
	KUNIT_EXPECT_EQ(test, cache->capacity, 0U);
	kspan_budget_return(&heap->budget, 64 << 10);
	kspan_budget_add_user(&heap->budget, -1);
	grow_full(test, 64);
	KUNIT_EXPECT_EQ(test, (unsigned int)cache->class[class].limit, kspan_kunit_cap(class));
	expect_drawn(test, 64 << 10);
}

/* While others want bytes, a CPU with more than an equal share returns some at each visit. */
static void cpu_yields_what_others_want(struct kunit *test)
{
	unsigned int before, round, i;

	kspan_cpu_cache_bytes = 1 << 20;
	heap->budget.most = 256 << 10;
	for (i = 0; i < 4; i++) {
		alloc_some(test, 1024 << i % 3, 100);
		free_some(test, 1024 << i % 3, 100);
	}
	KUNIT_ASSERT_GT(test, cache->capacity, 128U << 10);
	/*
	 * No limit of the largest class fits now, so it draws nothing. With seven other users a
	 * share is 32 KiB or less.
	 */
	kspan_cpu_cache_bytes = 4 * KSPAN_MAX_SMALL - 1;
	kspan_budget_add_user(&heap->budget, 7);
	for (round = 0; round < 200 && cache->capacity > 32 << 10; round++) {
		kspan_budget_want(&heap->budget, 0);
		before = cache->capacity;
		/* This class visits the central each time, since nothing was drawn for it. */
		objects[0] = alloc(test, kspan_size_class(KSPAN_MAX_SMALL));
		free_one(test, kspan_size_class(KSPAN_MAX_SMALL), objects[0]);
		KUNIT_ASSERT_LE(test, cache->capacity, before);
		expect_drawn(test, 256 << 10);
	}
	KUNIT_EXPECT_LE(test, cache->capacity, 32U << 10);
	KUNIT_EXPECT_GT(test, cache->capacity, 0U);
	kspan_budget_add_user(&heap->budget, -7);
}

/*
 * On a machine with any number of CPUs, a CPU that works may draw the whole budget of a limited
 * heap.
 */
static void limited_heap_has_magazines(struct kunit *test)
{
	struct kspan_heap *limited = kspan_heap_create("limited", 1 << 20, 0);
	struct kspan_cpu_cache *here;
	unsigned int i, round;

	KUNIT_ASSERT_NOT_NULL(test, limited);
	kspan_cpu_cache_bytes = 1 << 20;
	KUNIT_EXPECT_EQ(test, limited->budget.most, 128UL << 10);
	here = per_cpu_ptr(limited->cpu, raw_smp_processor_id());
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 200; i++) {
			objects[i] = kspan_heap_malloc(limited, 512, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, objects[i]);
		}
		while (i--)
			kspan_free(objects[i]);
	}
	KUNIT_EXPECT_EQ(test, (unsigned int)here->class[kspan_size_class(512)].limit,
			kspan_kunit_cap(kspan_size_class(512)));
	KUNIT_EXPECT_LE(test, atomic_long_read(&limited->budget.drawn), 128L << 10);
	kspan_heap_destroy(limited);
}

static void expect_budget(struct kunit *test, size_t limit, unsigned long most)
{
	struct kspan_heap *limited = kspan_heap_create("limited", limit, 0);

	KUNIT_ASSERT_NOT_NULL(test, limited);
	KUNIT_EXPECT_EQ(test, limited->budget.most, most);
	kspan_heap_destroy(limited);
}

/*
 * The budget is an eighth of the limit. It is 1 for the smallest limits, because 0 is for no
 * bound.
 */
static void budget_is_a_share_of_the_limit(struct kunit *test)
{
	expect_budget(test, 0, 0);
	expect_budget(test, 1, 1);
	expect_budget(test, 7, 1);
	expect_budget(test, 16, 2);
	expect_budget(test, 100 << 20, 100 << 17);
}

static struct kspan_magazine *empty_magazine(struct kunit *test, unsigned int class)
{
	struct kspan_central *central = central_of(class);
	struct kspan_magazine *mag;

	central->wanted = true;
	kspan_depot_provision(central, GFP_KERNEL);
	mag = kspan_depot_put_full(central, NULL, 0);
	KUNIT_ASSERT_NOT_NULL(test, mag);
	return mag;
}

static struct kspan_magazine *full_magazine(struct kunit *test, unsigned int class)
{
	struct kspan_magazine *mag = empty_magazine(test, class);

	for (; mag->count < kspan_kunit_cap(class); mag->count++) {
		mag->object[mag->count] = kspan_heap_alloc_slot(heap, class, cache->nid,
								GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, mag->object[mag->count]);
	}
	return mag;
}

/*
 * Put @n full magazines of 16 objects into the depot, as if a CPU with more capacity had filled
 * them.
 */
static void put_full_magazines(struct kunit *test, unsigned int class, unsigned int n)
{
	struct kspan_central *central = central_of(class);
	struct kspan_magazine *mag[2], *empty;
	unsigned int i;

	KUNIT_ASSERT_LE(test, n, (unsigned int)ARRAY_SIZE(mag));
	/* Fill all of them first: an allocation would take objects out of the depot. */
	for (i = 0; i < n; i++)
		mag[i] = full_magazine(test, class);
	for (i = 0; i < n; i++) {
		central->wanted = true;
		kspan_depot_provision(central, GFP_KERNEL);
		empty = kspan_depot_put_full(central, mag[i], 0);
		KUNIT_ASSERT_NOT_NULL(test, empty);
		kspan_depot_return_magazine(central, empty);
	}
}

/*
 *	depot [ o ... o ] 16 -> loaded [ o ... o . ] 16, limit 2
 */
static void objects_beyond_the_limit_are_used(struct kunit *test)
{
	unsigned int class = kspan_size_class(A), i;

	kspan_cpu_cache_bytes = FULL;
	put_full_magazines(test, class, 1);
	for (i = 0; i < 16; i++) {
		objects[i] = alloc(test, class);
		KUNIT_EXPECT_EQ(test, limit_of(A), 2U);
		KUNIT_EXPECT_EQ(test, cache->class[class].loaded->count, 15 - i);
		KUNIT_EXPECT_EQ(test, kspan_kunit_out(heap, class), 16UL);
		expect_books(test, FULL);
	}
	free_some(test, A, 16);
	expect_books(test, FULL);
	kspan_verify(test, heap);
}

/*
 *	loaded [ o ... o ] 16, limit 2: free one more -> loaded [ o ] 4
 *
 * There is no other magazine. So its objects are returned, and then it gets the size of the limit.
 */
static void magazine_without_objects_has_the_limit(struct kunit *test)
{
	unsigned int class = kspan_size_class(A);
	void *object, *more;

	kspan_cpu_cache_bytes = FULL;
	more = kspan_heap_alloc_slot(heap, class, cache->nid, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, more);
	put_full_magazines(test, class, 1);
	object = alloc(test, class);
	free_one(test, class, object);
	KUNIT_ASSERT_EQ(test, cache->class[class].loaded->count, 16U);
	KUNIT_ASSERT_PTR_EQ(test, cache->class[class].previous, &kspan_no_magazine);
	KUNIT_EXPECT_TRUE(test, push(test, class, more));
	KUNIT_EXPECT_EQ(test, limit_of(A), 4U);
	KUNIT_EXPECT_EQ(test, cache->class[class].loaded->count, 1U);
	KUNIT_EXPECT_EQ(test, cache->class[class].loaded->cap, 4U);
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(heap, class), 1UL);
	expect_books(test, FULL);
}

/*
 *	loaded [ o o ] 2: free one more -> loaded [ o o o . ] 4
 *
 * There is no other magazine, and the CPU needs none: the limit grows.
 */
static void magazine_that_grows_keeps_its_objects(struct kunit *test)
{
	unsigned int class = kspan_size_class(A), i;
	void *own[4];
	u64 spills;

	kspan_cpu_cache_bytes = FULL;
	for (i = 0; i < ARRAY_SIZE(own); i++) {
		own[i] = kspan_heap_alloc_slot(heap, class, cache->nid, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, own[i]);
	}
	central_of(class)->wanted = true;
	kspan_depot_provision(central_of(class), GFP_KERNEL);
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_TRUE(test, push(test, class, own[i]));
	KUNIT_ASSERT_PTR_EQ(test, cache->class[class].previous, &kspan_no_magazine);
	KUNIT_EXPECT_EQ(test, limit_of(A), 4U);
	KUNIT_EXPECT_EQ(test, cache->class[class].loaded->count, 3U);
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(heap, class), 4UL);
	/* The same holds for a magazine of a class that has lost its capacity. */
	grow_full(test, B);
	KUNIT_ASSERT_EQ(test, limit_of(A), 0U);
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(heap, class), 1UL);
	spills = kspan_cpu_caches_events(heap, KSPAN_SPILL);
	KUNIT_ASSERT_TRUE(test, push(test, class, own[3]));
	KUNIT_EXPECT_EQ(test, kspan_cpu_caches_events(heap, KSPAN_SPILL), spills);
	KUNIT_EXPECT_EQ(test, cache->class[class].loaded->count, 1U);
	expect_books(test, FULL);
	kspan_verify(test, heap);
}

/*
 *	loaded [ o ... o ] 16, previous [ ] 16, limit 0: free one more
 *
 * This is so after a bulk allocation has taken all objects of one magazine of the depot and some
 * of another, of a class without capacity.
 */
static void empty_magazine_beyond_the_limit_has_no_room(struct kunit *test)
{
	unsigned int class = kspan_size_class(A);

	heap = &kspan_default_heap;
	cache = raw_cpu_ptr(heap->cpu);
	kspan_cpu_cache_bytes = FULL;
	put_full_magazines(test, class, 2);
	KUNIT_ASSERT_EQ(test, kspan_alloc_bulk(A, GFP_KERNEL, 20, objects), 20U);
	KUNIT_ASSERT_EQ(test, limit_of(A), 0U);
	KUNIT_ASSERT_EQ(test, cache->class[class].loaded->count, 12U);
	KUNIT_ASSERT_EQ(test, cache->class[class].previous->count, 0U);
	KUNIT_ASSERT_PTR_NE(test, cache->class[class].previous, &kspan_no_magazine);
	kspan_free_bulk(5, objects);
	expect_books(test, FULL);
	kspan_verify(test, heap);
	kspan_free_bulk(15, objects + 5);
	expect_books(test, FULL);
	kspan_verify(test, heap);
}

static void drain_takes_all_capacity(struct kunit *test)
{
	unsigned int class;

	kspan_cpu_cache_bytes = 1 << 20;
	grow_full(test, A);
	grow_full(test, B);
	grow_full(test, 64);
	drain();
	for (class = 0; class < KSPAN_NR_CLASSES; class++)
		KUNIT_EXPECT_EQ(test, (unsigned int)cache->class[class].limit, 0U);
	KUNIT_EXPECT_EQ(test, cache->capacity, 0U);
	KUNIT_EXPECT_EQ(test, steals(), 0ULL);
	/* The class starts again with the first limit. */
	objects[0] = alloc(test, kspan_size_class(B));
	KUNIT_EXPECT_EQ(test, limit_of(B), 2U);
	free_some(test, B, 1);
}

/*
 * After the parameter was lowered, each miss takes capacity from a few classes, until the sum is
 * below it. The sum never grows meanwhile.
 */
static void lower_parameter_is_obeyed(struct kunit *test)
{
	static const size_t sizes[] = { A, B, 8192, 1024, 16384, 512, 3072, 28672 };
	unsigned int i, before, misses = 0;

	kspan_cpu_cache_bytes = 1 << 20;
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		grow_full(test, sizes[i]);
	KUNIT_ASSERT_GT(test, cache->capacity, 512U << 10);
	kspan_cpu_cache_bytes = 64 << 10;
	for (i = 1; i < KSPAN_CLASS_TINY && cache->capacity > 64 << 10; i++) {
		before = cache->capacity;
		objects[0] = alloc(test, i);
		free_one(test, i, objects[0]);
		KUNIT_ASSERT_LE(test, cache->capacity, before);
		expect_books(test, before);
		misses++;
	}
	kunit_info(test, "after misses of %u classes\n", misses);
	KUNIT_EXPECT_LE(test, cache->capacity, 64U << 10);
	kspan_verify(test, heap);
}

/* With the parameter 0 every class has the largest limit at once, and none loses any. */
static void no_limit_allows_all_at_once(struct kunit *test)
{
	unsigned int class;

	kspan_cpu_cache_bytes = 0;
	for (class = 1; class < KSPAN_NR_CLASSES; class++) {
		objects[0] = alloc(test, class);
		KUNIT_EXPECT_EQ(test, (unsigned int)cache->class[class].limit,
				kspan_kunit_cap(class));
		free_one(test, class, objects[0]);
		expect_books(test, UINT_MAX);
	}
	KUNIT_EXPECT_EQ(test, steals(), 0ULL);
	/*
	 * The parameter is a limit again. The caches are drained, and limits grow from the
	 * smallest.
	 */
	kspan_cpu_cache_bytes = FULL;
	drain();
	objects[0] = alloc(test, kspan_size_class(B));
	KUNIT_EXPECT_EQ(test, limit_of(B), 2U);
	free_some(test, B, 1);
	expect_books(test, FULL);
}

/* Pick one of three classes most of the time. The three change every 500 steps. */
static unsigned int pick_class(struct rnd_state *rnd, unsigned int step)
{
	unsigned int hot = 1 + step / 500 * 7 % (KSPAN_CLASS_TINY - 3);

	if (kspan_kunit_below(rnd, 8))
		return hot + kspan_kunit_below(rnd, 3);
	return 1 + kspan_kunit_below(rnd, KSPAN_CLASS_TINY - 1);
}

static void expect_random_steps(struct kunit *test, unsigned int bytes, u64 seed)
{
	struct rnd_state rnd;
	unsigned int step, i;

	prandom_seed_state(&rnd, seed);
	kspan_cpu_cache_bytes = bytes;
	for (step = 0; step < 4000; step++) {
		/* In some rounds there is more to allocate, in some more to free. */
		unsigned int share = step / 100 % 2 ? LIVE : LIVE / 4;

		i = kspan_kunit_below(&rnd, share);
		if (objects[i]) {
			free_one(test, classes[i], objects[i]);
			objects[i] = NULL;
		} else {
			classes[i] = pick_class(&rnd, step);
			objects[i] = alloc(test, classes[i]);
		}
		expect_books(test, bytes);
		if (step % 1000 == 0)
			kspan_verify(test, heap);
	}
	for (i = 0; i < LIVE; i++)
		if (objects[i])
			free_one(test, classes[i], objects[i]);
	memset(objects, 0, LIVE * sizeof(*objects));
	kspan_verify(test, heap);
	drain();
}

static void random_steps_keep_the_books(struct kunit *test)
{
	static const unsigned int most[] = { 16 << 10, 64 << 10, 200000, 1 << 20 };
	u64 seed = kspan_kunit_random_seed(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(most); i++)
		expect_random_steps(test, most[i], seed + i);
	KUNIT_EXPECT_GT(test, steals(), 0ULL);
}

/*
 * All CPUs allocate and free through the API. Frees of many objects bring full magazines into the
 * depot.
 */
static long churn(void *data)
{
	u64 *seed = data;
	void *own[64] = { NULL };
	struct rnd_state rnd;
	unsigned int step, i;
	long wrong = 0;

	prandom_seed_state(&rnd, *seed + raw_smp_processor_id());
	for (step = 0; step < 20000; step++) {
		size_t size = 1 + kspan_kunit_below(&rnd, step / 1000 % 2 ? 600 : 20000);

		i = kspan_kunit_below(&rnd, ARRAY_SIZE(own));
		if (own[i] && kspan_size(own[i]) < 8)
			wrong++;
		kspan_free(own[i]);
		own[i] = step % 3 ? kspan_malloc(size, GFP_KERNEL) : NULL;
		if (step % 3 && !own[i])
			wrong++;
		if (step % 1024 == 0)
			cond_resched();
	}
	for (i = 0; i < ARRAY_SIZE(own); i++)
		kspan_free(own[i]);
	return wrong;
}

static void all_cpus_keep_the_books(struct kunit *test)
{
	u64 seed = kspan_kunit_random_seed(test);
	u64 before = kspan_cpu_caches_events(&kspan_default_heap, KSPAN_STEAL);
	unsigned int cpu;
	long wrong = 0;

	kspan_cpu_cache_bytes = 64 << 10;
	cpus_read_lock();
	for_each_online_cpu(cpu)
		wrong += work_on_cpu(cpu, churn, &seed);
	cpus_read_unlock();
	KUNIT_EXPECT_EQ(test, wrong, 0L);
	for_each_possible_cpu(cpu) {
		cache = per_cpu_ptr(kspan_default_heap.cpu, cpu);
		expect_books(test, 64 << 10);
	}
	kspan_verify(test, &kspan_default_heap);
	KUNIT_EXPECT_GT(test, kspan_cpu_caches_events(&kspan_default_heap, KSPAN_STEAL), before);
}

#define HEAPS	4

/* Use four private heaps with objects of many sizes. Returns the bytes that their caches draw. */
static long drawn_by_heaps(struct kunit *test, struct kspan_heap **heaps)
{
	static const size_t sizes[] = { 64, 512, 1024, 2048, 4096, 8192, 16384, 32768 };
	long before = atomic_long_read(&kspan_budget.drawn);
	unsigned int round, h, i, k;

	for (round = 0; round < 8; round++)
		for (h = 0; h < HEAPS; h++)
			for (i = 0; i < ARRAY_SIZE(sizes); i++) {
				for (k = 0; k < 100; k++)
					objects[k] = kspan_heap_malloc(heaps[h], sizes[i],
								       GFP_KERNEL);
				kspan_free_bulk(k, objects);
			}
	if (READ_ONCE(kspan_cache_share))
		KUNIT_EXPECT_LE(test, (unsigned long)atomic_long_read(&kspan_budget.drawn),
				kspan_budget_most());
	return atomic_long_read(&kspan_budget.drawn) - before;
}

/* kspan_cache_share bounds the caches of all heaps together. */
static void share_of_memory_bounds_all_caches(struct kunit *test)
{
	struct kspan_heap *heaps[HEAPS];
	long drawn = atomic_long_read(&kspan_budget.drawn), unbounded, bounded;
	unsigned int round, h, i;

	for (round = 0; round < 2; round++) {
		for (h = 0; h < HEAPS; h++) {
			heaps[h] = kspan_heap_create("share", 0, 0);
			KUNIT_ASSERT_NOT_NULL(test, heaps[h]);
		}
		kspan_cache_share = round;
		if (round)
			bounded = drawn_by_heaps(test, heaps);
		else
			unbounded = drawn_by_heaps(test, heaps);
		for (h = 0; h < HEAPS; h++)
			kspan_heap_destroy(heaps[h]);
		/* The caches return their bytes when they are freed, after a grace period. */
		for (i = 0; i < 500 && atomic_long_read(&kspan_budget.drawn) != drawn; i++)
			msleep(20);
		KUNIT_EXPECT_EQ(test, atomic_long_read(&kspan_budget.drawn), drawn);
	}
	kunit_info(test, "drawn %ld without a bound, %ld of %lu with one\n", unbounded, bounded,
		   kspan_budget_most());
	KUNIT_EXPECT_GT(test, unbounded, (long)kspan_budget_most());
	KUNIT_EXPECT_GT(test, bounded, 0L);
}

/* Leave @bytes of the budget of all heaps to draw, whatever memory the machine has. */
static void make_budget_scarce(struct kunit *test, unsigned long bytes)
{
	unsigned long drawn = atomic_long_read(&kspan_budget.drawn);

	kspan_large_cache_bytes = SZ_1M;
	kspan_cpu_cache_bytes = SZ_1M;
	for (kspan_cache_share = 5; kspan_budget_most() < drawn + bytes; kspan_cache_share++)
		KUNIT_ASSERT_LT(test, kspan_cache_share, 1000U);
	KUNIT_ASSERT_TRUE(test, kspan_budget_draw(&nobody, kspan_budget_most() - drawn - bytes));
}

/* Leave nothing of the budget of all heaps to draw. */
static void exhaust_budget(struct kunit *test)
{
	unsigned long drawn = atomic_long_read(&kspan_budget.drawn);

	KUNIT_ASSERT_TRUE(test, kspan_budget_draw(&nobody, kspan_budget_most() - drawn));
}

static void use_small(struct kunit *test, size_t most)
{
	unsigned int i;
	size_t size;

	for (size = most; size >= 64; size /= 2) {
		for (i = 0; i < LIVE; i++)
			objects[i] = kspan_malloc(size, GFP_KERNEL);
		/* One CPU frees all of them: some objects stay in its magazines, some in depots. */
		for (i = 0; i < LIVE; i++)
			kspan_free(objects[i]);
	}
}

static void use_large(struct kunit *test, size_t size, unsigned int times)
{
	void *p;

	while (times--) {
		p = kspan_malloc(size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		kspan_free(p);
	}
}

/*
 * The classes of a CPU have drawn the whole budget. When the CPU begins to use large objects, the
 * classes must return some.
 */
static void classes_make_room_for_large_objects(struct kunit *test)
{
	struct kspan_cpu_cache *here = per_cpu_ptr(kspan_default_heap.cpu, kspan_kunit_pin(test));

	make_budget_scarce(test, SZ_1M);
	use_small(test, 8192);
	KUNIT_EXPECT_GT(test, here->capacity, (unsigned int)SZ_128K);
	KUNIT_EXPECT_GT(test, (unsigned long)atomic_long_read(&kspan_budget.drawn) + SZ_128K,
			kspan_budget_most());
	use_large(test, SZ_128K, 100);
	KUNIT_EXPECT_EQ(test, here->large.count, 1U);
	KUNIT_EXPECT_LE(test, (unsigned long)atomic_long_read(&kspan_budget.drawn),
			kspan_budget_most());
	kspan_verify(test, &kspan_default_heap);
}

/*
 * A CPU keeps large objects that it does not use any more. Its classes must get their share of the
 * budget.
 */
static void large_objects_make_room_for_classes(struct kunit *test)
{
	struct kspan_cpu_cache *here = per_cpu_ptr(kspan_default_heap.cpu, kspan_kunit_pin(test));
	unsigned int wait;
	void *p[2];

	make_budget_scarce(test, SZ_512K);
	p[0] = kspan_malloc(SZ_256K, GFP_KERNEL);
	p[1] = kspan_malloc(SZ_256K - KSPAN_PAGE_SIZE, GFP_KERNEL);
	kspan_free(p[0]);
	kspan_free(p[1]);
	KUNIT_EXPECT_EQ(test, here->large.count, 2U);
	/* Half of that is free to draw: an allocated object is not kept. */
	p[0] = kspan_malloc(SZ_256K, GFP_KERNEL);
	use_small(test, 1024);
	KUNIT_EXPECT_GT(test, here->capacity, (unsigned int)SZ_64K);
	kspan_free(p[0]);
	/* The scavenger drains large objects that were not used between two of its looks. */
	for (wait = 0; wait < 200 && here->large.drawn; wait++) {
		kspan_scavenge(NSEC_PER_SEC);
		use_small(test, 64);
		msleep(20);
	}
	KUNIT_EXPECT_EQ(test, here->large.drawn, 0U);
	KUNIT_EXPECT_EQ(test, here->large.count, 0U);
	KUNIT_EXPECT_GT(test, here->capacity, 0U);
	kspan_verify(test, &kspan_default_heap);
}

/* A class that loses capacity may lose more than the CPU may keep of large objects. */
static void large_objects_take_no_more_than_they_may(struct kunit *test)
{
	struct kspan_cpu_cache *here = per_cpu_ptr(kspan_default_heap.cpu, kspan_kunit_pin(test));
	size_t size = KSPAN_MAX_SMALL + KSPAN_PAGE_SIZE;

	make_budget_scarce(test, SZ_1M);
	kspan_large_cache_bytes = size;
	use_small(test, 8192);
	exhaust_budget(test);
	use_large(test, size, 100);
	KUNIT_EXPECT_EQ(test, here->large.count, 1U);
	KUNIT_EXPECT_EQ(test, (size_t)here->large.drawn << KSPAN_PAGE_SHIFT, size);
}

/* The object that gives way to another one makes room for it in the budget, too. */
static void full_large_cache_draws_no_more(struct kunit *test)
{
	struct kspan_cpu_cache *here = per_cpu_ptr(kspan_default_heap.cpu, kspan_kunit_pin(test));
	void *p[KSPAN_LARGE_CACHED + 1];
	unsigned int i;

	kspan_large_cache_bytes = SZ_1M;
	kspan_heap_drain(&kspan_default_heap);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = kspan_malloc(SZ_64K, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		kspan_free(p[i]);
	KUNIT_EXPECT_EQ(test, here->large.count, (unsigned int)KSPAN_LARGE_CACHED);
	KUNIT_EXPECT_EQ(test, here->large.drawn, here->large.pages);
}

/* An object that is too large to be kept takes no bytes from the classes. */
static void object_too_large_to_keep_takes_nothing(struct kunit *test)
{
	struct kspan_cpu_cache *here = per_cpu_ptr(kspan_default_heap.cpu, kspan_kunit_pin(test));
	unsigned int before;

	make_budget_scarce(test, SZ_512K);
	use_small(test, 4096);
	before = here->capacity;
	KUNIT_EXPECT_GT(test, before, 0U);
	use_large(test, SZ_2M, 20);
	KUNIT_EXPECT_EQ(test, here->capacity, before);
	KUNIT_EXPECT_EQ(test, here->large.drawn, 0U);
}

static unsigned int nr_full(struct kspan_heap *from, size_t size)
{
	struct kspan_central *central = kspan_heap_central(from, cache->nid,
							   kspan_size_class(size));

	return central ? central->nr_depot_full : 0;
}

static void alloc_and_free(struct kspan_heap *from, size_t size, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		objects[i] = kspan_heap_malloc(from, size, GFP_KERNEL);
	for (i = 0; i < n; i++)
		kspan_free(objects[i]);
}

/* A CPU without capacity is refused. The budget must note that, so that depots are looked at. */
static void first_refusal_of_a_cpu_is_noted(struct kunit *test)
{
	struct kspan_heap *own = kspan_heap_create("refused", 0, 0);

	KUNIT_ASSERT_NOT_NULL(test, own);
	own->budget.most = 1;
	alloc_and_free(own, A, 4);
	KUNIT_EXPECT_TRUE(test, own->budget.exhausted);
	kspan_heap_destroy(own);
}

/* A CPU keeps no large object, but still has drawn what it kept: a drain must return that. */
static void drawn_for_large_objects_is_returned(struct kunit *test)
{
	struct kspan_cpu_cache *here = per_cpu_ptr(kspan_default_heap.cpu, kspan_kunit_pin(test));
	void *p;

	kspan_large_cache_bytes = SZ_1M;
	kspan_heap_drain(&kspan_default_heap);
	p = kspan_malloc(SZ_256K, GFP_KERNEL);
	kspan_free(p);
	p = kspan_malloc(SZ_256K, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, here->large.count, 0U);
	KUNIT_EXPECT_GT(test, here->large.drawn, 0U);
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_EXPECT_EQ(test, here->large.drawn, 0U);
	kspan_free(p);
}

static void refuse(struct kunit *test, struct kspan_heap *from)
{
	KUNIT_EXPECT_FALSE(test, kspan_budget_draw(&from->budget, SZ_1M));
}

/*
 * Two heaps have much to look at, and a look has 10 microseconds. The budget of one of them refuses
 * all the time. The other one must be looked at, too.
 */
static void heap_that_is_always_refused_leaves_time_for_others(struct kunit *test)
{
	struct kspan_heap *heaps[2];
	unsigned int i, k, wait;
	size_t size;

	for (i = 0; i < 2; i++) {
		heaps[i] = kspan_heap_create("refused", 0, 0);
		KUNIT_ASSERT_NOT_NULL(test, heaps[i]);
		for (size = 8; size <= KSPAN_MAX_SMALL; size += max_t(size_t, size / 8, 8))
			kspan_free(kspan_heap_malloc(heaps[i], size, GFP_KERNEL));
		heaps[i]->budget.most = 1;
	}
	kspan_scavenge_ms = 20;
	kspan_scavenger_restart();
	for (i = 0; i < 2; i++) {
		refuse(test, heaps[!i]);
		for (k = 0; k < 5; k++) {
			refuse(test, heaps[i]);
			usleep_range(500, 1000);
		}
		for (wait = 0; wait < 2000 && READ_ONCE(heaps[!i]->budget.exhausted); wait++) {
			refuse(test, heaps[i]);
			usleep_range(500, 1000);
		}
		KUNIT_EXPECT_FALSE(test, heaps[!i]->budget.exhausted);
	}
	kspan_scavenge_ms = 0;
	kspan_scavenger_restart();
	for (i = 0; i < 2; i++)
		kspan_heap_destroy(heaps[i]);
}

/* A depot that nobody uses any more must make room in the budget for another one of the heap. */
static void depots_that_rest_make_room_for_others(struct kunit *test)
{
	struct kspan_heap *own = kspan_heap_create("rests", 0, 0);
	struct kspan_heap *other = kspan_heap_create("other", 0, 0);
	unsigned int round, kept;

	KUNIT_ASSERT_TRUE(test, own && other);
	for (round = 0; round < 10; round++)
		alloc_and_free(other, A, 200);
	kept = nr_full(other, A);
	KUNIT_EXPECT_GT(test, kept, 0U);
	own->budget.most = SZ_512K;
	/* A depot gets a magazine after a CPU has found none. */
	for (round = 0; round < 10; round++)
		alloc_and_free(own, A, 200);
	KUNIT_ASSERT_GT(test, nr_full(own, A), 0U);
	/* The scavenger's next look is 20 seconds away. It would reap the depot otherwise. */
	kspan_scavenge_ms = 20000;
	kspan_scavenger_restart();
	for (round = 0; round < 300 && !nr_full(own, B); round++) {
		alloc_and_free(own, B, 200);
		msleep(50);
	}
	kspan_scavenge_ms = 0;
	kspan_scavenger_restart();
	kunit_info(test, "after %u rounds\n", round);
	KUNIT_EXPECT_GT(test, nr_full(own, B), 0U);
	KUNIT_EXPECT_GT(test, round, 1U);
	/*
	 * Only the budget of that heap was used up. The depot of another heap keeps its magazines.
	 */
	KUNIT_EXPECT_EQ(test, nr_full(other, A), kept);
	KUNIT_EXPECT_LE(test, (unsigned long)atomic_long_read(&own->budget.drawn),
			(unsigned long)SZ_512K);
	kspan_heap_destroy(own);
	kspan_heap_destroy(other);
}

static struct kunit_case adapt_cases[] = {
	KUNIT_CASE(new_cache_has_no_capacity),
	KUNIT_CASE(capacity_doubles_with_each_miss),
	KUNIT_CASE(class_takes_from_others),
	KUNIT_CASE(class_that_lost_some_has_the_rest),
	KUNIT_CASE(class_that_lost_all_gets_some_again),
	KUNIT_CASE(class_that_lost_all_takes_frees),
	KUNIT_CASE(class_without_capacity_works),
	KUNIT_CASE(class_that_does_not_fit_takes_nothing),
	KUNIT_CASE(few_classes_lose_in_a_miss),
	KUNIT_CASE(spill_returns_some),
	KUNIT_CASE(budget_is_never_exceeded),
	KUNIT_CASE(cpu_gets_what_others_returned),
	KUNIT_CASE(cpu_yields_what_others_want),
	KUNIT_CASE(classes_make_room_for_large_objects),
	KUNIT_CASE(large_objects_make_room_for_classes),
	KUNIT_CASE(large_objects_take_no_more_than_they_may),
	KUNIT_CASE(full_large_cache_draws_no_more),
	KUNIT_CASE(object_too_large_to_keep_takes_nothing),
	KUNIT_CASE(first_refusal_of_a_cpu_is_noted),
	KUNIT_CASE(drawn_for_large_objects_is_returned),
	KUNIT_CASE(heap_that_is_always_refused_leaves_time_for_others),
	KUNIT_CASE(depots_that_rest_make_room_for_others),
	KUNIT_CASE(limited_heap_has_magazines),
	KUNIT_CASE(budget_is_a_share_of_the_limit),
	KUNIT_CASE(objects_beyond_the_limit_are_used),
	KUNIT_CASE(magazine_without_objects_has_the_limit),
	KUNIT_CASE(magazine_that_grows_keeps_its_objects),
	KUNIT_CASE(empty_magazine_beyond_the_limit_has_no_room),
	KUNIT_CASE(drain_takes_all_capacity),
	KUNIT_CASE(lower_parameter_is_obeyed),
	KUNIT_CASE(no_limit_allows_all_at_once),
	KUNIT_CASE(random_steps_keep_the_books),
	KUNIT_CASE(all_cpus_keep_the_books),
	KUNIT_CASE(share_of_memory_bounds_all_caches),
	{}
};

static struct kunit_suite adapt_suite = {
	.name = "kspan_adapt",
	.init = adapt_init,
	.exit = adapt_exit,
	.test_cases = adapt_cases,
};

kunit_test_suite(adapt_suite);
