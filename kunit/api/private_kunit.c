// SPDX-License-Identifier: GPL-2.0
/* Private heaps: isolation, limits, reset, destruction, and frees in each context. */
#include <linux/cpu.h>
#include <linux/interrupt.h>
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "api/heaps.h"
#include "api/private.h"
#include "context.h"
#include "kits/region.h"
#include "model.h"
#include "objects/track.h"

/* On a debug kernel each operation takes ten times as long. */
#define SLOW		IS_ENABLED(CONFIG_KASAN)
#define MANY		(SLOW ? 1000 : 4000)
#define HEAPS		(SLOW ? 200 : 1000)
#define MODEL_STEPS	(SLOW ? 6000 : 20000)

static struct kspan_heap *heap;
static void **objects;

static struct kspan_heap *make_heap(struct kunit *test, const char *name, size_t limit)
{
	struct kspan_heap *made = kspan_heap_create(name, limit, 0);

	KUNIT_ASSERT_NOT_NULL(test, made);
	return made;
}

static int private_init(struct kunit *test)
{
	kspan_kunit_init(test);
	objects = kvcalloc(2 * MANY, sizeof(*objects), GFP_KERNEL);
	heap = kspan_heap_create("kunit heap", 0, 0);
	return objects && heap ? 0 : -ENOMEM;
}

static void private_exit(struct kunit *test)
{
	kspan_kunit_stop_failing();
	if (heap)
		kspan_verify(test, heap);
	kspan_heap_destroy(heap);
	heap = NULL;
	kvfree(objects);
	objects = NULL;
	kspan_kunit_exit(test);
}

static unsigned long held(struct kspan_heap *of)
{
	return atomic_long_read(&of->private->account.pages);
}

static struct kspan_heap_stats stats_of(struct kspan_heap *of)
{
	struct kspan_heap_stats stats;

	kspan_heap_stats_read(of, &stats);
	return stats;
}

static void *make(struct kunit *test, struct kspan_heap *from, size_t size)
{
	void *p = kspan_heap_malloc(from, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu", size);
	return p;
}

static void make_many(struct kunit *test, struct kspan_heap *from, size_t size, void **p,
		      unsigned int n)
{
	while (n--)
		p[n] = make(test, from, size);
}

static void free_many(void **p, unsigned int n)
{
	while (n--)
		kspan_free(p[n]);
}

static void every_size_is_served(struct kunit *test)
{
	size_t size;
	void *p;

	for (size = 1; size <= 3 * KSPAN_MAX_SMALL; size += size / 7 + 1) {
		p = make(test, heap, size);
		memset(p, 0xa5, size);
		KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(size));
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p, kspan_kunit_align(size)));
		KUNIT_EXPECT_TRUE(test, kspan_owns(p));
		KUNIT_EXPECT_FALSE(test, kspan_owns(p + 1));
		kspan_free(p);
		KUNIT_EXPECT_FALSE(test, kspan_owns(p));
	}
	KUNIT_EXPECT_PTR_EQ(test, kspan_heap_malloc(heap, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(heap, KSPAN_MAX_SIZE + 1,
						  GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(heap, 64, GFP_DMA | __GFP_NOWARN));
}

static void variants_are_of_the_heap(struct kunit *test)
{
	int nid = page_to_nid(virt_to_page(heap));
	struct kspan_heap_stats stats;
	char *s;
	void *p;

	p = kspan_heap_zalloc(heap, 100, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(p, 0));
	p = kspan_heap_calloc(heap, 10, 30, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(p, 0));
	KUNIT_EXPECT_NULL(test, kspan_heap_calloc(heap, SIZE_MAX / 8, 30, GFP_KERNEL));
	KUNIT_EXPECT_NOT_NULL(test, kspan_heap_malloc_array(heap, 10, 30, GFP_KERNEL));
	p = kspan_heap_malloc_aligned(heap, 100, 512, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, p && IS_ALIGNED((unsigned long)p, 512));
	p = kspan_heap_malloc_node(heap, 100, GFP_KERNEL | __GFP_THISNODE, nid);
	KUNIT_EXPECT_TRUE(test, p && page_to_nid(virt_to_page(p)) == nid);
	KUNIT_EXPECT_NOT_NULL(test, kspan_heap_tiny_alloc(heap, 5, GFP_KERNEL));
	s = kspan_heap_strdup(heap, "a string of some length", GFP_KERNEL);
	KUNIT_EXPECT_STREQ(test, s, "a string of some length");
	s = kspan_heap_strndup(heap, "a string", 3, GFP_KERNEL);
	KUNIT_EXPECT_STREQ(test, s, "a s");
	s = kspan_heap_tiny_strdup(heap, "tiny", GFP_KERNEL);
	KUNIT_EXPECT_STREQ(test, s, "tiny");
	s = kspan_heap_asprintf(heap, GFP_KERNEL, "%d and %s", 5, "six");
	KUNIT_EXPECT_STREQ(test, s, "5 and six");
	p = kspan_heap_memdup(heap, "xyz", 4, GFP_KERNEL);
	KUNIT_EXPECT_STREQ(test, (char *)p, "xyz");
	stats = stats_of(heap);
	KUNIT_EXPECT_EQ(test, stats.allocs, 11ULL);
	KUNIT_EXPECT_EQ(test, stats.frees, 0ULL);
	KUNIT_EXPECT_EQ(test, stats.failures, 0ULL);
	KUNIT_EXPECT_EQ(test, (unsigned long)(stats.held >> KSPAN_PAGE_SHIFT), held(heap));
	/* The destruction of the heap frees all of them. */
}

static void realloc_stays_in_the_heap(struct kunit *test)
{
	static const size_t sizes[] = { 10, 3000, 50000, 90000, 300, 7 };
	char *p = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = kspan_heap_realloc(heap, p, sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(p), heap);
		if (i)
			KUNIT_EXPECT_EQ(test, p[6], 'x');
		p[6] = 'x';
	}
	p = kspan_realloc(p, 20000, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(p), heap);
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, kspan_private_live(heap), 0UL);
}

/* NULL stands for the default heap in all calls that name a heap. */
static void null_is_the_default_heap(struct kunit *test)
{
	struct kspan_cpu_region *regions = kspan_cpu_region_create(NULL, 0, GFP_KERNEL);
	struct kspan_region *region = kspan_region_create(NULL, 0, GFP_KERNEL), *here;
	void *made[20] = { };
	unsigned int n = 0, i;
	unsigned long flags;

	KUNIT_ASSERT_NOT_NULL(test, regions);
	KUNIT_ASSERT_NOT_NULL(test, region);
	KUNIT_EXPECT_NOT_NULL(test, kspan_region_alloc(region, 100, GFP_KERNEL));
	kspan_region_destroy(region);
	here = kspan_cpu_region_get(regions, &flags);
	made[0] = kspan_region_alloc(here, 100, GFP_ATOMIC);
	kspan_cpu_region_put(regions, flags);
	KUNIT_EXPECT_NOT_NULL(test, made[0]);
	kspan_cpu_region_destroy(regions);
	made[n++] = kspan_heap_malloc(NULL, 100, GFP_KERNEL);
	made[n++] = kspan_heap_malloc(NULL, 100000, GFP_KERNEL);
	made[n++] = kspan_heap_zalloc(NULL, 100, GFP_KERNEL);
	made[n++] = kspan_heap_malloc_node(NULL, 100, GFP_KERNEL, NUMA_NO_NODE);
	made[n++] = kspan_heap_malloc_array(NULL, 10, 30, GFP_KERNEL);
	made[n++] = kspan_heap_calloc(NULL, 10, 30, GFP_KERNEL);
	made[n++] = kspan_heap_malloc_aligned(NULL, 100, 512, GFP_KERNEL);
	made[n++] = kspan_heap_tiny_alloc(NULL, 5, GFP_KERNEL);
	made[n++] = kspan_heap_realloc(NULL, NULL, 100, GFP_KERNEL);
	made[n - 1] = kspan_heap_realloc(NULL, made[n - 1], 1000, GFP_KERNEL);
	made[n++] = kspan_heap_memdup(NULL, "xyz", 4, GFP_KERNEL);
	made[n++] = kspan_heap_strdup(NULL, "a string", GFP_KERNEL);
	made[n++] = kspan_heap_strndup(NULL, "a string", 3, GFP_KERNEL);
	made[n++] = kspan_heap_tiny_strdup(NULL, "tiny", GFP_KERNEL);
	made[n++] = kspan_heap_asprintf(NULL, GFP_KERNEL, "%d and %s", 5, "six");
	KUNIT_EXPECT_STREQ(test, (char *)made[n - 1], "5 and six");
	KUNIT_EXPECT_EQ(test, kspan_heap_alloc_bulk(NULL, 96, GFP_KERNEL, 2, &made[n]), 2U);
	n += 2;
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_NOT_NULL_MSG(test, made[i], "call %u", i);
		KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(made[i]), &kspan_default_heap);
		kspan_free(made[i]);
	}
	kspan_heap_trim(NULL);
}

/* The default heap has no limit, and can't be reset or destroyed. */
static void default_heap_is_not_reset(struct kunit *test)
{
	unsigned long before = kspan_refused(KSPAN_REFUSED_HEAP);
	void *p = kspan_malloc(100, GFP_KERNEL);

	kspan_heap_reset(NULL);
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_HEAP) - before, 1UL);
	kspan_heap_set_pressure(NULL, NULL, NULL);
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_HEAP) - before, 2UL);
	/* A destruction of NULL is allowed, for the sake of error paths. */
	kspan_heap_destroy(NULL);
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_HEAP) - before, 2UL);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
}

static int by_address(const void *a, const void *b)
{
	unsigned long left = *(unsigned long *)a, right = *(unsigned long *)b;

	return left < right ? -1 : left > right;
}

/* Count how many of @n sorted pages are among those of @m objects. */
static unsigned int common_pages(void **pages, unsigned int n, void **of, unsigned int m)
{
	unsigned int i, j = 0, common = 0;

	for (i = 0; i < m; i++)
		of[i] = (void *)ALIGN_DOWN((unsigned long)of[i], KSPAN_PAGE_SIZE);
	sort(of, m, sizeof(*of), by_address, NULL);
	for (i = 0; i < n; i++) {
		while (j < m && of[j] < pages[i])
			j++;
		common += j < m && of[j] == pages[i];
	}
	return common;
}

/*
 * Another heap, and the default heap, must not get memory that this heap has freed, for any size
 * and by any call.
 */
static void memory_of_a_heap_is_not_used_by_another(struct kunit *test)
{
	static const size_t sizes[] = { 8, 64, 1000, 4096, 20000 };
	struct kspan_heap *other = make_heap(test, "other", 0), *froms[2];
	unsigned int i, j, k, n;
	void **again;

	froms[0] = other;
	froms[1] = &kspan_default_heap;
	again = objects + MANY;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		n = min_t(size_t, MANY, SZ_2M / sizes[i]);
		make_many(test, heap, sizes[i], objects, n);
		free_many(objects, n);
		KUNIT_EXPECT_EQ(test, kspan_private_live(heap), 0UL);
		common_pages(NULL, 0, objects, n);
		for (j = 0; j < ARRAY_SIZE(froms); j++) {
			/* Try the same size, and another one. */
			for (k = i; k <= i + 2; k += 2) {
				size_t size = sizes[k % ARRAY_SIZE(sizes)];
				unsigned int m = min_t(size_t, MANY, SZ_2M / size);

				make_many(test, froms[j], size, again, m);
				free_many(again, m);
				KUNIT_EXPECT_EQ(test, common_pages(objects, n, again, m), 0U);
			}
		}
		/* The heap itself gets most of it again. */
		make_many(test, heap, sizes[i], again, n);
		free_many(again, n);
		KUNIT_EXPECT_GT(test, common_pages(objects, n, again, n), n * 4 / 5);
	}
	kspan_verify(test, other);
	kspan_heap_destroy(other);
}

static void limit_is_kept(struct kunit *test)
{
	static const size_t sizes[] = { 8, 100, 4096, 32768, 40000, 200000 };
	const size_t limit = SZ_512K;
	struct kspan_heap *small;
	struct kspan_heap_stats stats;
	unsigned int i, n;

	small = make_heap(test, "small", limit);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (n = 0; n < 2 * MANY; n++) {
			objects[n] = kspan_heap_malloc(small, sizes[i], GFP_KERNEL);
			if (!objects[n])
				break;
			KUNIT_ASSERT_LE(test, held(small), limit >> KSPAN_PAGE_SHIFT);
		}
		if (n < 2 * MANY) {
			/* Objects can use nearly all of the limit, but for a last span. */
			KUNIT_EXPECT_GE_MSG(test, n * kspan_size_roundup(sizes[i]),
					    sizes[i] == 200000 ? limit / 3 : limit * 4 / 5,
					    "%zu", sizes[i]);
			stats = stats_of(small);
			KUNIT_EXPECT_GT(test, stats.failures, 0ULL);
		}
		free_many(objects, n);
		/* The pages that this class keeps serve the next one. */
		kspan_verify(test, small);
	}
	stats = stats_of(small);
	KUNIT_EXPECT_EQ(test, stats.limit, (u64)limit);
	KUNIT_EXPECT_EQ(test, stats.frees, stats.allocs);
	kspan_heap_destroy(small);
}

static void request_that_must_not_fail_goes_beyond_the_limit(struct kunit *test)
{
	struct kspan_heap *small = make_heap(test, "small", 1);
	void *p, *q;

	p = make(test, small, 64);
	KUNIT_EXPECT_EQ(test, held(small), 1UL);
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(small, 8192, GFP_KERNEL));
	q = kspan_heap_malloc(small, 8192, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_EXPECT_NOT_NULL(test, q);
	kspan_free(q);
	q = kspan_heap_malloc(small, 40000, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_EXPECT_NOT_NULL(test, q);
	KUNIT_EXPECT_GT(test, held(small), 1UL);
	kspan_free(q);
	kspan_heap_trim(small);
	KUNIT_EXPECT_EQ(test, held(small), 1UL);
	kspan_free(p);
	kspan_heap_destroy(small);
}

struct hoard {
	void **p;
	unsigned int n;
	unsigned int calls;
	size_t size;
};

static void free_hoard(struct kspan_heap *of, size_t size, void *data)
{
	struct hoard *hoard = data;

	hoard->calls++;
	hoard->size = size;
	kspan_free_bulk(hoard->n, hoard->p);
	hoard->n = 0;
}

static void pressure_is_told_once_before_a_failure(struct kunit *test)
{
	struct hoard hoard = { .p = objects };
	struct kspan_heap *small = make_heap(test, "small", SZ_256K);
	void *p, *large;

	kspan_heap_set_pressure(small, free_hoard, &hoard);
	while (!hoard.calls) {
		p = make(test, small, 500);
		if (!hoard.calls)
			objects[hoard.n++] = p;
		KUNIT_ASSERT_LT(test, hoard.n, (unsigned int)MANY);
	}
	KUNIT_EXPECT_EQ(test, hoard.calls, 1U);
	KUNIT_EXPECT_EQ(test, hoard.size, kspan_size_roundup(500));
	kspan_free(p);
	/* The callback has nothing to free any more. It is called once, and the request fails. */
	large = make(test, small, SZ_256K - 2 * KSPAN_PAGE_SIZE);
	hoard.calls = 0;
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(small, SZ_64K, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, hoard.calls, 1U);
	KUNIT_EXPECT_EQ(test, hoard.size, (size_t)SZ_64K);
	/* The callback frees a large object for a small one. */
	objects[hoard.n++] = large;
	p = make(test, small, 32768);
	KUNIT_EXPECT_EQ(test, hoard.calls, 2U);
	kspan_free(p);
	kspan_heap_destroy(small);
}

struct greedy {
	struct kspan_heap *heap;
	unsigned int depth, deepest, calls;
	bool got;
};

static void want_more(struct kspan_heap *of, size_t size, void *data)
{
	struct greedy *greedy = data;

	greedy->calls++;
	greedy->depth++;
	greedy->deepest = max(greedy->deepest, greedy->depth);
	/* A recursion would stop long before the end of the stack. */
	if (greedy->depth < 20)
		greedy->got |= !!kspan_heap_malloc(greedy->heap, size, GFP_KERNEL);
	greedy->depth--;
}

/* While a callback runs, requests of its heap fail, also from the callback of another heap. */
static void pressure_does_not_call_itself(struct kunit *test)
{
	struct kspan_heap *small = make_heap(test, "small", SZ_256K);
	struct kspan_heap *other = make_heap(test, "other", SZ_256K);
	struct greedy first = { .heap = small }, second = { .heap = small };
	unsigned long before = kspan_refused(KSPAN_REFUSED_PRESSURE);

	kspan_heap_set_pressure(small, want_more, &first);
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(small, SZ_512K, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, first.deepest, 1U);
	KUNIT_EXPECT_FALSE(test, first.got);
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_PRESSURE) - before, 1UL);
	first = (struct greedy) { .heap = other };
	kspan_heap_set_pressure(other, want_more, &second);
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(small, SZ_512K, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, first.deepest, 1U);
	KUNIT_EXPECT_EQ(test, second.deepest, 1U);
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_PRESSURE) - before, 2UL);
	/* A second call after the first has ended is no recursion. */
	first.calls = 0;
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(small, SZ_512K, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, first.calls, 1U);
	kspan_heap_destroy(small);
	kspan_heap_destroy(other);
}

/*
 * A request with interrupts off retires as many kept spans as it needs. A request that can wait
 * retires all.
 */
static void atomic_request_takes_what_it_needs(struct kunit *test)
{
	struct kspan_heap *small = make_heap(test, "small", SZ_2M);
	unsigned long flags, limit = SZ_2M >> KSPAN_PAGE_SHIFT;
	unsigned int n;
	void *p;

	for (n = 0; n < 2 * MANY; n++) {
		objects[n] = kspan_heap_malloc(small, 2048, GFP_KERNEL | __GFP_NOWARN);
		if (!objects[n])
			break;
	}
	KUNIT_ASSERT_LT(test, n, 2U * MANY);
	free_many(objects, n);
	KUNIT_ASSERT_GE(test, held(small), limit * 7 / 8);
	/* With interrupts off a task of PREEMPT_RT takes no lock, and so retires nothing. */
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		local_irq_save(flags);
	p = kspan_heap_malloc(small, SZ_128K, GFP_ATOMIC);
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		local_irq_restore(flags);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_GE(test, held(small), limit * 3 / 4);
	kspan_free(p);
	p = kspan_heap_malloc(small, SZ_1M, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_LE(test, held(small), limit * 5 / 8);
	kspan_free(p);
	kspan_heap_destroy(small);
}

/* Objects of a heap at its limit. Its callback frees them in an order that scatters them. */
struct scattered {
	void **p;
	unsigned int n;
	unsigned int calls;
};

static void free_scattered(struct kspan_heap *heap, size_t size, void *data)
{
	struct scattered *objects = data;
	unsigned int i, j;

	objects->calls++;
	/* In this order each magazine gets an object of each span. */
	for (i = 0; i < 128; i++)
		for (j = i; j < objects->n; j += 128)
			kspan_free(objects->p[j]);
	objects->n = 0;
}

/* A depot gets a magazine when one was missed. So make it miss many. */
static void churn_heap(struct kspan_heap *heap, struct scattered *objects)
{
	unsigned int round, i, n = min(objects->n, 140U * KSPAN_MAGAZINE_MAX);

	for (round = 0; round < (SLOW ? 10 : 400); round++) {
		free_many(objects->p + objects->n - n, n);
		for (i = objects->n - n; i < objects->n; i++)
			objects->p[i] = kspan_heap_malloc(heap, 64, GFP_KERNEL | __GFP_NOFAIL);
		cond_resched();
	}
}

/*
 * The callback's objects are in magazines and the depot, which are drained in steps. All steps
 * together must serve the request.
 */
static void objects_that_the_callback_freed_serve_atomic_requests(struct kunit *test)
{
	struct kspan_heap *small = make_heap(test, "small", SZ_2M);
	unsigned int most = SZ_2M / 64;
	struct scattered scattered = {
		.p = kvmalloc_array(most, sizeof(void *), GFP_KERNEL),
	};
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, scattered.p);
	while (scattered.n < most) {
		p = kspan_heap_malloc(small, 64, GFP_KERNEL | __GFP_NOWARN);
		if (!p)
			break;
		scattered.p[scattered.n++] = p;
	}
	churn_heap(small, &scattered);
	kspan_heap_set_pressure(small, free_scattered, &scattered);
	p = kspan_heap_malloc(small, SZ_128K, GFP_NOWAIT | __GFP_NOWARN);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, scattered.calls, 1U);
	kspan_free(p);
	kspan_heap_destroy(small);
	kvfree(scattered.p);
}

/* A softirq interrupts the callback, and allocates from the same heap. */
struct interrupted {
	struct kspan_heap *heap;
	void *victims[2 * SZ_1M / SZ_128K];
	unsigned int n;
	unsigned int calls;
	bool got;
	struct tasklet_struct tasklet;
};

static void ask_in_softirq(struct tasklet_struct *tasklet)
{
	struct interrupted *state = container_of(tasklet, struct interrupted, tasklet);
	void *p = kspan_heap_malloc(state->heap, SZ_128K, GFP_ATOMIC | __GFP_NOWARN);

	state->got = p;
	kspan_free(p);
}

static void free_a_victim(struct kspan_heap *heap, size_t size, void *data)
{
	struct interrupted *state = data;

	state->calls++;
	if (!in_serving_softirq()) {
		/*
		 * The tasklet runs when softirqs are enabled. On PREEMPT_RT it runs in this task.
		 */
		local_bh_disable();
		tasklet_schedule(&state->tasklet);
		local_bh_enable();
	}
	kspan_free(state->victims[--state->n]);
}

static void softirq_within_the_callback_is_no_recursion(struct kunit *test)
{
	struct interrupted *state = kunit_kzalloc(test, sizeof(*state), GFP_KERNEL);
	unsigned long before = kspan_refused(KSPAN_REFUSED_PRESSURE);
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, state);
	state->heap = make_heap(test, "small", SZ_1M);
	tasklet_setup(&state->tasklet, ask_in_softirq);
	while (state->n < ARRAY_SIZE(state->victims)) {
		p = kspan_heap_malloc(state->heap, SZ_128K, GFP_KERNEL | __GFP_NOWARN);
		if (!p)
			break;
		state->victims[state->n++] = p;
	}
	KUNIT_ASSERT_LT(test, state->n, ARRAY_SIZE(state->victims));
	KUNIT_ASSERT_GT(test, state->n, 2U);
	kspan_heap_set_pressure(state->heap, free_a_victim, state);
	p = kspan_heap_malloc(state->heap, SZ_128K, GFP_KERNEL);
	tasklet_kill(&state->tasklet);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, state->got);
	KUNIT_EXPECT_EQ(test, state->calls, 2U);
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_PRESSURE), before);
	kspan_free(p);
	free_many(state->victims, state->n);
	kspan_heap_destroy(state->heap);
}

static void failures_leave_nothing_behind(struct kunit *test)
{
	unsigned int i;

	kspan_kunit_needs_faults(test);
	/* Use up the free pages first. */
	kspan_kunit_fail_arenas(1, 1000);
	for (i = 0; i < MANY; i++) {
		objects[i] = kspan_heap_malloc(heap, 16384, GFP_KERNEL | __GFP_NOWARN);
		if (!objects[i])
			break;
	}
	KUNIT_ASSERT_LT(test, i, (unsigned int)MANY);
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(heap, SZ_1M, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_EQ(test, stats_of(heap).failures, 2ULL);
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
	kspan_verify(test, heap);
	free_many(objects, i);
	kspan_heap_trim(heap);
	KUNIT_EXPECT_EQ(test, held(heap), 0UL);
}

static void failure_names_the_heap(struct kunit *test)
{
	struct kspan_heap *narrow = make_heap(test, "narrow", SZ_64K);
	gfp_t quiet = GFP_KERNEL | __GFP_NOWARN;
	struct kmsg_dump_iter log;

	kspan_kunit_log_begin(&log);
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(narrow, SZ_128K + 1, quiet));
	KUNIT_EXPECT_NULL(test, kspan_heap_kvmalloc(narrow, SZ_128K + 2, quiet));
	KUNIT_EXPECT_FALSE(test, kspan_kunit_logged(&log, "of heap narrow"));
	ratelimit_state_init(&kspan_failure_limit[1], HZ, 3);
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(narrow, SZ_128K + 3, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, kspan_kunit_logged(&log, "131075 bytes of heap narrow on node"));
	KUNIT_EXPECT_TRUE(test, kspan_kunit_logged(&log, "holds 0 KiB (limit 64,"));
	KUNIT_EXPECT_NULL(test, kspan_heap_kvmalloc(narrow, SZ_128K + 4, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, kspan_kunit_logged(&log, "131076 bytes of heap narrow on node"));
	while (kspan_heap_malloc(narrow, 3000, GFP_KERNEL))
		;
	KUNIT_EXPECT_TRUE(test, kspan_kunit_logged(&log, "3072 bytes of heap narrow on node"));
	ratelimit_state_init(&kspan_failure_limit[1], 10 * HZ, 1);
	kspan_heap_reset(narrow);
	kspan_heap_destroy(narrow);
}

static void trim_retires_what_is_kept(struct kunit *test)
{
	unsigned long before;
	void *p;

	make_many(test, heap, 256, objects, MANY);
	p = make(test, heap, 3000);
	before = held(heap);
	free_many(objects, MANY);
	KUNIT_EXPECT_EQ(test, held(heap), before);
	KUNIT_EXPECT_GE(test, kspan_heap_trim(heap), MANY * 256UL);
	KUNIT_EXPECT_EQ(test, held(heap),
			(unsigned long)kspan_size_classes[kspan_size_class(3000)].pages);
	KUNIT_EXPECT_EQ(test, kspan_heap_trim(heap), 0UL);
	kspan_free(p);
	kspan_heap_trim(heap);
	KUNIT_EXPECT_EQ(test, held(heap), 0UL);
}

static void fill_with_everything(struct kunit *test, struct kspan_heap *of)
{
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		objects[i] = make(test, of, 1 + i * 7 % 5000);
		objects[MANY + i] = kspan_heap_tiny_alloc(of, 1 + i % 15, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objects[MANY + i]);
	}
	for (i = 0; i < 10; i++)
		make(test, of, 40000 * (i + 1));
}

static void reset_frees_everything_and_keeps_spans(struct kunit *test)
{
	unsigned long spans, small;
	unsigned int round;

	for (round = 0; round < 3; round++) {
		fill_with_everything(test, heap);
		small = held(heap) - heap->private->large.pages;
		KUNIT_EXPECT_GT(test, kspan_private_live(heap), (unsigned long)MANY);
		kspan_heap_reset(heap);
		kspan_verify(test, heap);
		KUNIT_EXPECT_EQ(test, kspan_private_live(heap), 0UL);
		KUNIT_EXPECT_EQ(test, stats_of(heap).bytes, 0ULL);
		KUNIT_EXPECT_EQ(test, held(heap), small);
		/* The second and third round need no more pages than the first. */
		if (round)
			KUNIT_EXPECT_EQ(test, small, spans);
		spans = small;
	}
	KUNIT_EXPECT_EQ(test, stats_of(heap).frees, stats_of(heap).allocs);
	kspan_heap_trim(heap);
	KUNIT_EXPECT_EQ(test, held(heap), 0UL);
}

static void destroy_frees_everything(struct kunit *test)
{
	struct kspan_page_stats before, after;
	struct kspan_heap *doomed;

	kspan_page_stats_read(&before);
	doomed = make_heap(test, "doomed", 0);
	fill_with_everything(test, doomed);
	kspan_heap_destroy(doomed);
	kspan_page_stats_read(&after);
	KUNIT_EXPECT_EQ(test, after.used, before.used);
	KUNIT_EXPECT_EQ(test, after.large.spans, before.large.spans);
}

/* Each arena has an object of the default heap, so none is released. */
static void free_after_destroy_is_reported(struct kunit *test)
{
	u64 before = kspan_bad_free_count(KSPAN_BAD_FREE_DESTROYED);
	struct kspan_heap *doomed = make_heap(test, "doomed", 0);
	void *neighbour = make(test, &kspan_default_heap, 64), *small, *large, *tiny;

	small = make(test, doomed, 64);
	large = make(test, doomed, 40000);
	tiny = kspan_heap_tiny_alloc(doomed, 3, GFP_KERNEL);
	kspan_heap_destroy(doomed);
	kspan_free(small);
	kspan_free(large);
	kspan_free(tiny);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DESTROYED) - before, 3ULL);
	KUNIT_EXPECT_PTR_EQ(test, (void *)kspan_bad_free_last().addr, tiny);
	KUNIT_EXPECT_EQ(test, kspan_size(small), 0UL);
	KUNIT_EXPECT_FALSE(test, kspan_owns(small));
	kspan_free(neighbour);
}

static void wrong_frees_are_found(struct kunit *test)
{
	u64 twice = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);
	u64 inside = kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR);
	u64 crooked = kspan_bad_free_count(KSPAN_BAD_FREE_MISALIGNED);
	char *p = make(test, heap, 64), *q = make(test, heap, 64), *large, *live;

	live = make(test, heap, 64);
	large = make(test, heap, 40000);
	kspan_free(p);
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE) - twice, 1ULL);
	kspan_free(q);
	kspan_free(p);
	kspan_free(live + 16);
	kspan_free(live + 1);
	kspan_heap_drain(heap);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE) - twice, 2ULL);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR) - inside, 1ULL);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_MISALIGNED) - crooked, 1ULL);
	kspan_free(large + 8);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR) - inside, 2ULL);
	KUNIT_EXPECT_TRUE(test, kspan_owns(live));
	KUNIT_EXPECT_TRUE(test, kspan_owns(large));
	kspan_verify(test, heap);
	kspan_free(large);
	kspan_free(large);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE) - twice, 3ULL);
	kspan_free(live);
	KUNIT_EXPECT_EQ(test, kspan_private_live(heap), 0UL);
}

static void bulk_calls_mix_heaps(struct kunit *test)
{
	struct kspan_heap *other = make_heap(test, "other", 0);
	unsigned int i, n = 600;

	KUNIT_ASSERT_EQ(test, kspan_heap_alloc_bulk(heap, 96, GFP_KERNEL, n, objects), n);
	KUNIT_ASSERT_EQ(test, kspan_heap_alloc_bulk(other, 96, GFP_KERNEL, n, objects + n), n);
	KUNIT_ASSERT_EQ(test, kspan_alloc_bulk(96, GFP_KERNEL, n, objects + 2 * n), n);
	for (i = 0; i < n; i += 3) {
		swap(objects[i], objects[n + i]);
		swap(objects[i], objects[2 * n + i]);
	}
	kspan_free_bulk(3 * n, objects);
	KUNIT_EXPECT_EQ(test, kspan_private_live(heap), 0UL);
	KUNIT_EXPECT_EQ(test, kspan_private_live(other), 0UL);
	kspan_verify(test, other);
	kspan_heap_destroy(other);
}

static void regions_take_from_the_heap(struct kunit *test)
{
	u64 before = kspan_bad_free_count(KSPAN_BAD_FREE_REGION);
	struct kspan_heap *small = kspan_heap_create("small", SZ_256K, KSPAN_HEAP_TRACK);
	struct kspan_region *region = kspan_region_create(small, SZ_32K, GFP_KERNEL);
	unsigned int n = 0, nr_sites;
	struct kspan_site *sites;
	void *p, *last = NULL;

	KUNIT_ASSERT_NOT_NULL(test, region);
	while ((p = kspan_region_alloc(region, 1000, GFP_KERNEL))) {
		memset(p, n, 1000);
		last = p;
		KUNIT_ASSERT_LT(test, ++n, (unsigned int)MANY);
	}
	KUNIT_EXPECT_GT(test, n, SZ_256K / 1000 * 4U / 5);
	KUNIT_EXPECT_EQ(test, held(small), SZ_256K >> KSPAN_PAGE_SHIFT);
	KUNIT_EXPECT_GT(test, stats_of(small).failures, 0ULL);
	kspan_free(last);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_REGION) - before, 1ULL);
	kspan_verify(test, small);
	/* A chunk has no call site. */
	sites = kspan_track_sum(small, &nr_sites);
	KUNIT_ASSERT_NOT_NULL(test, sites);
	KUNIT_EXPECT_EQ(test, nr_sites, 1U);
	KUNIT_EXPECT_EQ(test, sites[0].site, 0UL);
	KUNIT_EXPECT_EQ(test, sites[0].bytes, (u64)SZ_256K);
	kvfree(sites);
	kspan_region_reset(region);
	KUNIT_EXPECT_NOT_NULL(test, kspan_region_alloc(region, 1000, GFP_KERNEL));
	kspan_region_destroy(region);
	KUNIT_EXPECT_EQ(test, held(small), 0UL);
	kspan_heap_destroy(small);
}

/* Fill a region with objects. Returns how many chunks it has. */
static unsigned int fill_region(struct kunit *test, struct kspan_region *region, u8 with)
{
	struct kspan_region_stats stats;
	unsigned int i;
	u8 *p;

	for (i = 0; i < 3 * SZ_32K / 1000; i++) {
		p = kspan_region_alloc(region, 1000, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		memset(p, with, 1000);
	}
	kspan_region_stats_read(region, &stats);
	return stats.held / SZ_32K;
}

/*
 * The reset of a heap frees the chunks of a region, and a new region gets them. Later calls with
 * the old region must be reported, and must not change the new one.
 */
static void region_that_outlives_a_reset_leaves_others_alone(struct kunit *test)
{
	u64 before = kspan_bad_free_count(KSPAN_BAD_FREE_DESTROYED);
	struct kspan_region *old, *new, *spare;
	bool poison = kspan_region_poison;
	unsigned int chunks;
	unsigned long pages;
	u8 *p;

	old = kspan_region_create(heap, SZ_32K, GFP_KERNEL);
	spare = kspan_region_create(heap, SZ_32K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, old);
	KUNIT_ASSERT_NOT_NULL(test, spare);
	chunks = fill_region(test, old, 'o') + fill_region(test, spare, 's');
	kspan_region_reset(spare);
	kspan_heap_reset(heap);
	KUNIT_EXPECT_EQ(test, held(heap), 0UL);
	new = kspan_region_create(heap, SZ_32K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, new);
	p = kspan_region_alloc(new, 1000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 'n', 1000);
	while (chunks > fill_region(test, new, 'n'))
		;
	pages = held(heap);
	kspan_region_poison = true;
	kspan_region_reset(old);
	kspan_region_destroy(old);
	kspan_region_reset(spare);
	/* The reset has made it an empty region. */
	KUNIT_EXPECT_NOT_NULL(test, kspan_region_alloc(spare, 1000, GFP_KERNEL));
	kspan_region_destroy(spare);
	kspan_region_poison = poison;
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DESTROYED) - before, (u64)chunks);
	KUNIT_EXPECT_EQ(test, held(heap), pages);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 'n', 1000));
	kspan_region_destroy(new);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DESTROYED) - before, (u64)chunks);
	KUNIT_EXPECT_EQ(test, held(heap), 0UL);
}

static noinline void *from_here(struct kspan_heap *from, size_t size)
{
	void *p = kspan_heap_malloc(from, size, GFP_KERNEL);

	/* Keep the compiler from making a tail call, so that the call site is here. */
	barrier();
	return p;
}

static noinline void *from_there(struct kspan_heap *from, size_t size)
{
	void *p = kspan_heap_zalloc(from, size, GFP_KERNEL);

	/* Keep the compiler from making a tail call, so that the call site is here. */
	barrier();
	return p;
}

static bool is_in(unsigned long site, const void *function)
{
	return site - (unsigned long)function < 256;
}

/* Freed objects do not count, even if they are cached. Blocks of tiny objects do. */
static void live_objects_are_told_by_call_site(struct kunit *test)
{
	struct kspan_heap *tracked = kspan_heap_create("tracked", 0, KSPAN_HEAP_TRACK);
	unsigned int i, nr_sites;
	struct kspan_site *sites;
	char *s;

	KUNIT_ASSERT_NOT_NULL(test, tracked);
	for (i = 0; i < 300; i++) {
		objects[i] = from_here(tracked, 64 + i % 2 * 1000);
		objects[300 + i] = from_there(tracked, 64 + i % 2 * 1000);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
		KUNIT_ASSERT_NOT_NULL(test, objects[300 + i]);
	}
	for (i = 0; i < 600; i += 3)
		kspan_free(objects[i]);
	KUNIT_ASSERT_NOT_NULL(test, from_there(tracked, 100000));
	s = kspan_heap_tiny_strdup(tracked, "tiny", GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s);
	kspan_verify(test, tracked);
	sites = kspan_track_sum(tracked, &nr_sites);
	KUNIT_ASSERT_NOT_NULL(test, sites);
	KUNIT_ASSERT_EQ(test, nr_sites, 3U);
	KUNIT_EXPECT_TRUE(test, is_in(sites[0].site, from_there));
	KUNIT_EXPECT_EQ(test, sites[0].objects, 201UL);
	KUNIT_EXPECT_EQ(test, sites[0].bytes, 100ULL * (64 + 1152) + kspan_size_roundup(100000));
	KUNIT_EXPECT_TRUE(test, is_in(sites[1].site, from_here));
	KUNIT_EXPECT_EQ(test, sites[1].objects, 200UL);
	KUNIT_EXPECT_EQ(test, sites[1].bytes, 100ULL * (64 + 1152));
	KUNIT_EXPECT_EQ(test, sites[2].objects, 1UL);
	KUNIT_EXPECT_EQ(test, sites[2].bytes, 16ULL);
	kvfree(sites);
	kspan_heap_reset(tracked);
	kvfree(kspan_track_sum(tracked, &nr_sites));
	KUNIT_EXPECT_EQ(test, nr_sites, 0U);
	/* There are more call sites than the table has room for. */
	for (i = 0; i < 1000; i++)
		__kspan_track(make(test, tracked, 64), 1000 + i);
	sites = kspan_track_sum(tracked, &nr_sites);
	KUNIT_ASSERT_NOT_NULL(test, sites);
	KUNIT_EXPECT_EQ(test, sites[0].site, 0UL);
	for (i = 0; nr_sites--;)
		i += sites[nr_sites].objects;
	KUNIT_EXPECT_EQ(test, i, 1000U);
	kvfree(sites);
	kspan_heap_destroy(tracked);
}

/*
 * An object was freed meanwhile, and its pages belong to a heap that is not tracked. Nothing may
 * be written to its span.
 */
static void other_spans_have_no_sites(struct kunit *test)
{
	u8 *p = kspan_malloc(1024, GFP_KERNEL);
	unsigned long *behind, before;
	struct kspan_span *span;

	KUNIT_ASSERT_NOT_NULL(test, p);
	span = kspan_map_span((unsigned long)p);
	behind = kspan_span_sites(span) + (p - (u8 *)span->start) / span->size;
	/* KASAN may have a redzone there. */
	before = READ_ONCE_NOCHECK(*behind);
	__kspan_track(p, ~before);
	KUNIT_EXPECT_EQ(test, READ_ONCE_NOCHECK(*behind), before);
	kspan_free(p);
	/* Now there is no object either. */
	__kspan_track(p, ~before);
	KUNIT_EXPECT_EQ(test, READ_ONCE_NOCHECK(*behind), before);
}

static void many_heaps_at_once(struct kunit *test)
{
	struct kspan_heap **heaps = kvcalloc(HEAPS, sizeof(*heaps), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, heaps);
	for (i = 0; i < HEAPS; i++) {
		heaps[i] = kspan_heap_create("one of many", SZ_1M, 0);
		if (!heaps[i])
			break;
		objects[i] = kspan_heap_malloc(heaps[i], 64, GFP_KERNEL);
		objects[HEAPS + i] = kspan_heap_malloc(heaps[i], 64, GFP_KERNEL);
	}
	KUNIT_EXPECT_EQ(test, i, (unsigned int)HEAPS);
	/* Every second heap has an object left. */
	while (i--) {
		KUNIT_EXPECT_NOT_NULL(test, objects[i]);
		kspan_free(objects[i]);
		kspan_free(objects[HEAPS + i]);
		KUNIT_EXPECT_EQ(test, kspan_private_live(heaps[i]), 0UL);
		if (i % 2)
			make(test, heaps[i], 100);
		kspan_heap_destroy(heaps[i]);
	}
	kvfree(heaps);
}

/* A name that a user chose must not forge a line of the log, nor a row of a table. */
static void names_are_printable(struct kunit *test)
{
	struct kspan_heap *odd = kspan_heap_create("a b\n\x1b[31m\\\xe9", 0, 0), *none, *forger;
	struct kmsg_dump_iter log;

	KUNIT_ASSERT_NOT_NULL(test, odd);
	KUNIT_EXPECT_STREQ(test, odd->name, "a b\\012\\033[31m\\134\\351");
	none = make_heap(test, "", 0);
	KUNIT_EXPECT_STREQ(test, none->name, "-");
	forger = make_heap(test, "x\nkspan: forged", 0);
	make(test, forger, 64);
	kspan_kunit_log_begin(&log);
	kspan_heap_destroy(forger);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_logged(&log, "heap x\\012kspan: forged: 1 objects"));
	KUNIT_EXPECT_NULL(test, kspan_heap_create("y\nkspan: z", 0, BIT(20)));
	KUNIT_EXPECT_TRUE(test, kspan_kunit_logged(&log, "heap y\\012kspan: z can't be made"));
	KUNIT_EXPECT_NULL(test, kspan_cache_create("y\nkspan: z", 0, 0, 0, NULL));
	KUNIT_EXPECT_TRUE(test, kspan_kunit_logged(&log, "cache y\\012kspan: z can't be made"));
	kspan_heap_destroy(odd);
	kspan_heap_destroy(none);
}

/*
 * The address of a call site may be without a name, as when its module is unloaded. The report
 * must not show it.
 */
static void site_without_a_name_is_hashed(struct kunit *test)
{
	struct kspan_heap *tracked = kspan_heap_create("tracked", 0, KSPAN_HEAP_TRACK);
	struct kmsg_dump_iter log;
	char raw[20];
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, tracked);
	p = make(test, tracked, 64);
	__kspan_track(p, (unsigned long)p);
	snprintf(raw, sizeof(raw), "%lx", (unsigned long)p);
	kspan_kunit_log_begin(&log);
	kspan_heap_destroy(tracked);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_logged(&log, "heap tracked: 1 objects, 64 bytes"));
	KUNIT_EXPECT_FALSE(test, kspan_kunit_logged(&log, raw));
}

static void wrong_arguments_make_no_heap(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, kspan_heap_create("flags", 0, BIT(20)));
	KUNIT_EXPECT_NULL(test, kspan_heap_create("flags", 0, KSPAN_HWCACHE_ALIGN));
	KUNIT_EXPECT_NULL(test, kspan_heap_create("flags", 0, KSPAN_TYPESAFE_BY_RCU));
	KUNIT_EXPECT_NULL(test, kspan_heap_create(NULL, 0, 0));
}

struct deed {
	void *p[4];
	bool frees_only;
	bool failed;
};

static void free_and_allocate(void *data)
{
	struct deed *deed = data;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(deed->p); i++) {
		size_t size = kspan_size(deed->p[i]);

		kspan_free(deed->p[i]);
		deed->p[i] = NULL;
		if (deed->frees_only)
			continue;
		/* An NMI may get no object, and never a large one. */
		deed->p[i] = kspan_heap_malloc(heap, size, GFP_ATOMIC | __GFP_NOWARN);
		deed->failed |= !deed->p[i] && !in_nmi() && !IS_ENABLED(CONFIG_PREEMPT_RT);
	}
}

static void every_context_may_free_and_allocate(struct kunit *test)
{
	static const struct context * const contexts[] = {
		&context_task, &context_preempt_off, &context_softirqs_off, &context_irqs_off,
		&context_raw_lock, &context_softirq, &context_hardirq, &context_nmi, &context_trap,
	};
	struct deed deed = { };
	unsigned int i, round;

	KUNIT_ASSERT_EQ(test, context_open(), 0);
	for (i = 0; i < ARRAY_SIZE(contexts); i++) {
		for (round = 0; round < 20; round++) {
			struct context_job job = { .fn = free_and_allocate, .data = &deed };

			deed.p[0] = deed.p[0] ?: make(test, heap, 64);
			deed.p[1] = deed.p[1] ?: make(test, heap, 3000);
			deed.p[2] = deed.p[2] ?: make(test, heap, 40000);
			deed.p[3] = deed.p[3] ?: kspan_heap_tiny_alloc(heap, 5, GFP_KERNEL);
			/* Under a raw spinlock the locks of SLUB must not be taken. */
			deed.frees_only = contexts[i] == &context_raw_lock;
			if (!context_run(contexts[i], &job))
				continue;
			KUNIT_EXPECT_TRUE_MSG(test, job.ran, "%s", contexts[i]->name);
		}
		kspan_verify(test, heap);
	}
	context_close();
	KUNIT_EXPECT_FALSE(test, deed.failed);
	free_many(deed.p, ARRAY_SIZE(deed.p));
	kspan_heap_drain(heap);
	KUNIT_EXPECT_EQ(test, kspan_private_live(heap), 0UL);
}

/* A thread makes, uses and destroys a heap again and again, while the case visits all heaps. */
struct life {
	struct rnd_state rnd;
	unsigned int rounds;
	unsigned int failed;
};

static int live_lives(void *data)
{
	struct life *life = data;
	unsigned int i, n;
	void *p[64];

	while (!kthread_should_stop()) {
		struct kspan_heap *own = kspan_heap_create("of a thread", SZ_4M, 0);

		if (!own) {
			life->failed++;
			continue;
		}
		n = 1 + kspan_kunit_below(&life->rnd, ARRAY_SIZE(p));
		for (i = 0; i < n; i++) {
			p[i] = kspan_heap_malloc(own, 1 + model_size(&life->rnd, 15), GFP_KERNEL);
			life->failed += !p[i];
		}
		/* Some objects are freed, some are left to a reset, and some to the destruction. */
		for (i = 0; i < n; i += 2)
			kspan_free(p[i]);
		if (kspan_kunit_below(&life->rnd, 2))
			kspan_heap_reset(own);
		life->failed += !kspan_heap_malloc(own, 1000, GFP_KERNEL);
		kspan_heap_destroy(own);
		life->rounds++;
		cond_resched();
	}
	return 0;
}

static void count_heap(struct kspan_heap *of, void *data)
{
	struct kspan_heap_stats stats;

	if (of->private)
		kspan_heap_stats_read(of, &stats);
	++*(unsigned int *)data;
}

static void heaps_come_and_go_as_others_look(struct kunit *test)
{
	struct task_struct *threads[2];
	unsigned int i, n, cpu = raw_smp_processor_id();
	unsigned long end = jiffies + HZ;
	struct kspan_stats stats;
	static struct life lives[2];

	memset(lives, 0, sizeof(lives));
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		prandom_seed_state(&lives[i].rnd, kspan_kunit_random_seed(test) + i);
		threads[i] = kthread_run(live_lives, &lives[i], "kspan_life/%u", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(threads[i]));
	}
	while (time_before(jiffies, end)) {
		kspan_stats_read(&stats);
		n = 0;
		kspan_visit_heaps(count_heap, &n);
		KUNIT_EXPECT_GE(test, n, 2U);
		kspan_private_trim_all();
		/* Do what CPU hotplug does when a CPU comes. */
		cpus_read_lock();
		kspan_private_prepare_cpu(cpu);
		cpus_read_unlock();
		cond_resched();
	}
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		kthread_stop(threads[i]);
		KUNIT_EXPECT_GT(test, lives[i].rounds, 0U);
		KUNIT_EXPECT_EQ(test, lives[i].failed, 0U);
		kunit_info(test, "%u lives\n", lives[i].rounds);
	}
}

#define SLOTS	200

struct model_slot {
	u8 *p;
	size_t size;
	u32 tag;
	unsigned int heap;
};

static void model_free(struct kunit *test, struct model_slot *slot)
{
	if (!slot->p)
		return;
	KUNIT_EXPECT_TRUE(test, model_stamped(slot->p, slot->size, slot->tag));
	kspan_free(slot->p);
	slot->p = NULL;
}

/*
 * Make random calls on some heaps. Contents must stay, and the live objects of each heap be as
 * many as in the model.
 */
static void random_calls_agree_with_a_model(struct kunit *test)
{
	struct model_slot *slots = kvcalloc(SLOTS, sizeof(*slots), GFP_KERNEL);
	struct kspan_heap *heaps[3];
	unsigned int i, step, live[3] = { };
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, slots);
	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	for (i = 0; i < ARRAY_SIZE(heaps); i++)
		heaps[i] = make_heap(test, "modelled", i ? SZ_4M << i : 0);
	for (step = 0; step < MODEL_STEPS; step++) {
		struct model_slot *slot = &slots[kspan_kunit_below(&rnd, SLOTS)];
		unsigned int h = kspan_kunit_below(&rnd, ARRAY_SIZE(heaps));

		if (slot->p)
			live[slot->heap]--;
		model_free(test, slot);
		if (kspan_kunit_below(&rnd, 3)) {
			slot->size = 1 + model_size(&rnd, 16);
			slot->p = make(test, heaps[h], slot->size);
			slot->heap = h;
			slot->tag = step;
			model_stamp(slot->p, slot->size, slot->tag);
			live[h]++;
		}
		if (kspan_kunit_below(&rnd, 2000) == 0) {
			for (i = 0; i < SLOTS; i++)
				if (slots[i].p && slots[i].heap == h)
					slots[i].p = NULL;
			kspan_heap_reset(heaps[h]);
			live[h] = 0;
		}
		if (kspan_kunit_below(&rnd, 500) == 0)
			kspan_heap_trim(heaps[h]);
		if (step % 2000 == 0)
			for (i = 0; i < ARRAY_SIZE(heaps); i++) {
				kspan_verify(test, heaps[i]);
				KUNIT_ASSERT_EQ(test, kspan_private_live(heaps[i]),
						(unsigned long)live[i]);
			}
	}
	for (i = 0; i < ARRAY_SIZE(heaps); i++)
		kspan_heap_destroy(heaps[i]);
	kvfree(slots);
}

static struct kunit_case private_cases[] = {
	KUNIT_CASE(every_size_is_served),
	KUNIT_CASE(variants_are_of_the_heap),
	KUNIT_CASE(realloc_stays_in_the_heap),
	KUNIT_CASE(null_is_the_default_heap),
	KUNIT_CASE(default_heap_is_not_reset),
	KUNIT_CASE(memory_of_a_heap_is_not_used_by_another),
	KUNIT_CASE(limit_is_kept),
	KUNIT_CASE(request_that_must_not_fail_goes_beyond_the_limit),
	KUNIT_CASE(pressure_is_told_once_before_a_failure),
	KUNIT_CASE(pressure_does_not_call_itself),
	KUNIT_CASE(atomic_request_takes_what_it_needs),
	KUNIT_CASE(objects_that_the_callback_freed_serve_atomic_requests),
	KUNIT_CASE(softirq_within_the_callback_is_no_recursion),
	KUNIT_CASE(failures_leave_nothing_behind),
	KUNIT_CASE(failure_names_the_heap),
	KUNIT_CASE(trim_retires_what_is_kept),
	KUNIT_CASE(reset_frees_everything_and_keeps_spans),
	KUNIT_CASE(destroy_frees_everything),
	KUNIT_CASE(free_after_destroy_is_reported),
	KUNIT_CASE(wrong_frees_are_found),
	KUNIT_CASE(bulk_calls_mix_heaps),
	KUNIT_CASE(regions_take_from_the_heap),
	KUNIT_CASE(region_that_outlives_a_reset_leaves_others_alone),
	KUNIT_CASE(live_objects_are_told_by_call_site),
	KUNIT_CASE(other_spans_have_no_sites),
	KUNIT_CASE(many_heaps_at_once),
	KUNIT_CASE(names_are_printable),
	KUNIT_CASE(site_without_a_name_is_hashed),
	KUNIT_CASE(wrong_arguments_make_no_heap),
	KUNIT_CASE(every_context_may_free_and_allocate),
	KUNIT_CASE(heaps_come_and_go_as_others_look),
	KUNIT_CASE(random_calls_agree_with_a_model),
	{}
};

static struct kunit_suite private_suite = {
	.name = "kspan_private",
	.init = private_init,
	.exit = private_exit,
	.test_cases = private_cases,
};

kunit_test_suite(private_suite);
