// SPDX-License-Identifier: GPL-2.0
/* Objects of any size: sizes that vmalloc() serves, frees in each context, and refused pointers. */
#include <linux/kspan.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "objects/kv.h"
#include "api/private.h"
#include "context.h"

/* A size above the largest of kspan, and not a multiple of a page. */
#define HUGE	(KSPAN_MAX_SIZE + PAGE_SIZE + 100)

static void *make(struct kunit *test, struct kspan_heap *heap, size_t size)
{
	void *p = kspan_heap_kvmalloc(heap, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu", size);
	return p;
}

/* Objects of the default heap in memory of vmalloc(). */
static long mapped(void)
{
	return atomic_long_read(&kspan_kv_owner(&kspan_default_heap)->live);
}

static void heap_serves_what_it_can(struct kunit *test)
{
	static const size_t sizes[] = { 1, 100, 5000, KSPAN_MAX_SMALL + 1, 200000 };
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = make(test, NULL, sizes[i]);
		KUNIT_EXPECT_FALSE(test, is_vmalloc_addr(p));
		KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(sizes[i]));
		kspan_free(p);
	}
	KUNIT_EXPECT_PTR_EQ(test, kspan_kvmalloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_NULL(test, kspan_kvmalloc(HUGE, GFP_DMA | __GFP_NOWARN));
}

static void vmalloc_serves_larger_sizes(struct kunit *test)
{
	u8 *p = make(test, NULL, HUGE);

	KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(p));
	KUNIT_EXPECT_EQ(test, kspan_size(p), HUGE);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	KUNIT_EXPECT_FALSE(test, kspan_owns(p + 8));
	KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(p), &kspan_default_heap);
	memset(p, 0xa5, HUGE);
	KUNIT_EXPECT_EQ(test, mapped(), 1L);
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, mapped(), 0L);
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
	KUNIT_EXPECT_EQ(test, kspan_size(p), (size_t)0);
}

static void variants_that_zero_and_count(struct kunit *test)
{
	size_t n = SIZE_MAX / 8 + 2;
	void *p[5];
	unsigned int i;

	p[0] = kspan_kvzalloc(HUGE, GFP_KERNEL);
	p[1] = kspan_kvcalloc(HUGE / 8, 8, GFP_KERNEL);
	p[2] = kspan_kvzalloc_node(HUGE, GFP_KERNEL, first_memory_node);
	p[3] = kspan_kvcalloc_node(HUGE / 8, 8, GFP_KERNEL | __GFP_NOWARN, first_memory_node);
	p[4] = kspan_kvzalloc(100, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		KUNIT_ASSERT_NOT_NULL_MSG(test, p[i], "%u", i);
		KUNIT_EXPECT_TRUE_MSG(test, kspan_kunit_filled(p[i], 0), "%u", i);
		kspan_free(p[i]);
	}
	p[0] = kspan_kvmalloc_array(3, HUGE, GFP_KERNEL);
	p[1] = kspan_kvmalloc_array_node(3, HUGE, GFP_KERNEL, first_memory_node);
	p[2] = kspan_kvmalloc_node(HUGE, GFP_KERNEL, first_memory_node);
	KUNIT_EXPECT_EQ(test, mapped(), 3L);
	kspan_free_bulk(3, p);
	OPTIMIZER_HIDE_VAR(n);
	KUNIT_EXPECT_NULL(test, kspan_kvmalloc_array(n, 8, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_kvcalloc(n, 8, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, mapped(), 0L);
}

static void atomic_request_gets_what_the_heap_has(struct kunit *test)
{
	void *p = kspan_kvmalloc(5000, GFP_ATOMIC);

	KUNIT_EXPECT_FALSE(test, is_vmalloc_addr(p));
	kspan_free(p);
	KUNIT_EXPECT_NULL(test, kspan_kvmalloc(HUGE, GFP_ATOMIC | __GFP_NOWARN));
	KUNIT_EXPECT_NULL(test, kspan_kvmalloc(SIZE_MAX, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_kvmalloc(SIZE_MAX - PAGE_SIZE, GFP_KERNEL));
}

/* Such a request does not count as a failure. */
static void vmalloc_serves_what_the_heap_has_not(struct kunit *test)
{
	long failures = atomic_long_read(&kspan_default_heap.failures);
	void *p;

	kspan_kunit_needs_faults(test);
	kspan_kunit_fail_arenas(1, 1000);
	p = kspan_kvmalloc(SZ_1M, GFP_KERNEL);
	kspan_kunit_stop_failing();
	KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(p));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&kspan_default_heap.failures), failures);
	/* Now the heap can serve the object. realloc() must copy its bytes. */
	memset(p, 0x5a, SZ_1M);
	p = kspan_realloc(p, 2 * SZ_1M, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_FALSE(test, is_vmalloc_addr(p));
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0x5a, SZ_1M));
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, mapped(), 0L);
}

static void realloc_leaves_it_or_fails(struct kunit *test)
{
	void *p = make(test, NULL, HUGE);

	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, KSPAN_MAX_SIZE + 1, GFP_KERNEL), p);
	KUNIT_EXPECT_NULL(test, kspan_realloc(p, 2 * HUGE, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, 100, GFP_KERNEL), p);
	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ(test, mapped(), 0L);
}

/*
 * An object grows from a slot to pages and to memory of vmalloc(). It must keep its bytes and its
 * heap.
 */
static void kvrealloc_goes_to_any_size(struct kunit *test)
{
	static const size_t sizes[] = { 100, 5000, SZ_1M, HUGE, 2 * HUGE, 10 };
	struct kspan_heap *heap = kspan_heap_create("kv", 0, 0);
	unsigned int i;
	char *p = NULL;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = kspan_heap_kvrealloc(heap, p, sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_GE(test, kspan_size(p), sizes[i]);
		KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(p), heap);
		if (i)
			KUNIT_EXPECT_EQ(test, p[9], 'x');
		p[9] = 'x';
	}
	kspan_verify(test, heap);
	KUNIT_EXPECT_PTR_EQ(test, kspan_heap_kvrealloc(heap, p, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ(test, kspan_private_live(heap), 0UL);
	kspan_heap_destroy(heap);
	p = kspan_kvrealloc(kspan_malloc(100, GFP_KERNEL), HUGE, GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_NULL(test, memchr_inv(p + 112, 0, HUGE - 112));
	kspan_free(p);
}

static void free_it(void *p)
{
	kspan_free(p);
}

static const struct context *const contexts[] = {
	&context_task, &context_preempt_off, &context_softirqs_off, &context_irqs_off,
	&context_raw_lock, &context_softirq, &context_hardirq, &context_nmi,
};

/* In a context that can't sleep the memory is freed later. But the object is free at once. */
static void freed_in_every_context(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(contexts); i++) {
		struct context_job job = { .fn = free_it };

		job.data = make(test, NULL, HUGE);
		if (!context_run(contexts[i], &job))
			kspan_free(job.data);
		KUNIT_EXPECT_EQ_MSG(test, mapped(), 0L, "%s", contexts[i]->name);
		KUNIT_EXPECT_FALSE(test, kspan_owns(job.data));
	}
	kspan_kv_settle();
}

/* The same holds with interrupts off, and in a read-side section of RCU. */
static void freed_in_other_ways(struct kunit *test)
{
	unsigned long flags;
	void *p;

	p = make(test, NULL, HUGE);
	local_irq_save(flags);
	kspan_free(p);
	local_irq_restore(flags);
	p = make(test, NULL, HUGE);
	rcu_read_lock();
	kspan_free(p);
	rcu_read_unlock();
	p = make(test, NULL, HUGE);
	kspan_free_sensitive(p);
	p = make(test, NULL, HUGE);
	kspan_free_rcu_mightsleep(p);
	kspan_barrier();
	kspan_kv_settle();
	KUNIT_EXPECT_EQ(test, mapped(), 0L);
}

static void expect_report(struct kunit *test, enum kspan_bad_free_kind kind, void *p)
{
	u64 before = kspan_bad_free_count(kind), all = kspan_bad_frees();

	kspan_free(p);
	KUNIT_EXPECT_EQ_MSG(test, kspan_bad_free_count(kind), before + 1, "kind %u", kind);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees(), all + 1);
}

/* kspan must recognise a pointer into an object, wherever it points. */
static void wrong_frees_are_refused_at_once(struct kunit *test)
{
	void *before = vmalloc(PAGE_SIZE), *p = make(test, NULL, HUGE), *after = vmalloc(PAGE_SIZE);
	unsigned long flags;

	KUNIT_ASSERT_NOT_NULL(test, before);
	KUNIT_ASSERT_NOT_NULL(test, after);
	memset(p, 0xa5, HUGE);
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, p + 8);
	expect_report(test, KSPAN_BAD_FREE_MISALIGNED, p + 3);
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, p + PAGE_SIZE);
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, p + 63 * PAGE_SIZE);
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, p + 64 * PAGE_SIZE);
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, p + ALIGN_DOWN(HUGE, PAGE_SIZE));
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, p + PAGE_ALIGN(HUGE));
	/* Memory of other users stays as it is. */
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, before);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, after);
	memset(before, 0, PAGE_SIZE);
	memset(after, 0, PAGE_SIZE);
	vfree(before);
	vfree(after);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0xa5, HUGE));
	/* At the first wrong free the memory is still mapped; at the second one it is not. */
	local_irq_save(flags);
	kspan_free(p);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p);
	local_irq_restore(flags);
	kspan_kv_settle();
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, p);
	KUNIT_EXPECT_EQ(test, mapped(), 0L);
}

static void cache_does_not_free_it(struct kunit *test)
{
	struct kspan_cache *cache = kspan_cache_create("kv", 100, 0, 0, NULL);
	u64 before = kspan_bad_free_count(KSPAN_BAD_FREE_OTHER_HEAP);
	void *p = make(test, NULL, HUGE);

	kspan_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_OTHER_HEAP), before + 1);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
	kspan_cache_destroy(cache);
}

static void counts_to_its_heap(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("kv", 2 * HUGE + SZ_64K, 0);
	struct kspan_heap_stats stats;
	void *p, *q;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	p = make(test, heap, HUGE);
	KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(p), heap);
	q = kspan_heap_kvzalloc(heap, HUGE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_EQ(test, mapped(), 0L);
	kspan_heap_stats_read(heap, &stats);
	KUNIT_EXPECT_EQ(test, stats.allocs, 2ULL);
	KUNIT_EXPECT_EQ(test, stats.frees, 0ULL);
	KUNIT_EXPECT_GE(test, stats.held, 2ULL * HUGE);
	KUNIT_EXPECT_EQ(test, stats.bytes, stats.held);
	kspan_verify(test, heap);
	KUNIT_EXPECT_NULL(test, kspan_heap_kvmalloc(heap, HUGE, GFP_KERNEL));
	kspan_heap_stats_read(heap, &stats);
	KUNIT_EXPECT_EQ(test, stats.failures, 1ULL);
	kspan_free(p);
	p = make(test, heap, HUGE);
	kspan_free(p);
	kspan_free(q);
	kspan_heap_stats_read(heap, &stats);
	KUNIT_EXPECT_EQ(test, stats.held, 0ULL);
	KUNIT_EXPECT_EQ(test, stats.frees, 3ULL);
	kspan_heap_destroy(heap);
}

static unsigned int pressed;

static void press(struct kspan_heap *heap, size_t size, void *data)
{
	void **object = data;

	pressed++;
	kspan_free(*object);
	*object = NULL;
}

static void pressure_helps_once(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("kv", HUGE + SZ_64K, 0);
	void *old, *p;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	pressed = 0;
	kspan_heap_set_pressure(heap, press, &old);
	old = make(test, heap, HUGE);
	p = make(test, heap, HUGE);
	KUNIT_EXPECT_NULL(test, old);
	KUNIT_EXPECT_EQ(test, pressed, 1U);
	KUNIT_EXPECT_NULL(test, kspan_heap_kvmalloc(heap, SZ_1M, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, pressed, 2U);
	kspan_free(p);
	kspan_heap_destroy(heap);
}

static void is_freed_with_its_heap(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("kv", 0, 0);
	struct kmsg_dump_iter log;
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	p = make(test, heap, HUGE);
	make(test, heap, 2 * HUGE);
	kspan_heap_reset(heap);
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
	KUNIT_EXPECT_EQ(test, kspan_private_live(heap), 0UL);
	kspan_verify(test, heap);
	p = make(test, heap, HUGE);
	kspan_kunit_log_begin(&log);
	kspan_heap_destroy(heap);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_logged(&log, "heap kv: 1 objects of vmalloc()"));
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
}

static void told_of_as_memory_of_the_system(struct kunit *test)
{
	struct kspan_memory before, after;
	void *p;

	kspan_memory_read(&before);
	p = make(test, NULL, HUGE);
	kspan_memory_read(&after);
	KUNIT_EXPECT_EQ(test, after.vmalloc - before.vmalloc, (u64)ALIGN(HUGE, KSPAN_PAGE_SIZE));
	kspan_free(p);
	kspan_memory_read(&after);
	KUNIT_EXPECT_EQ(test, after.vmalloc, before.vmalloc);
}

static int kvmalloc_init(struct kunit *test)
{
	kspan_kunit_init(test);
	return context_open();
}

static void kvmalloc_exit(struct kunit *test)
{
	context_close();
	kspan_kv_settle();
	kspan_kunit_exit(test);
}

static struct kunit_case kvmalloc_cases[] = {
	KUNIT_CASE(heap_serves_what_it_can),
	KUNIT_CASE(vmalloc_serves_larger_sizes),
	KUNIT_CASE(variants_that_zero_and_count),
	KUNIT_CASE(atomic_request_gets_what_the_heap_has),
	KUNIT_CASE(vmalloc_serves_what_the_heap_has_not),
	KUNIT_CASE(realloc_leaves_it_or_fails),
	KUNIT_CASE(kvrealloc_goes_to_any_size),
	KUNIT_CASE(freed_in_every_context),
	KUNIT_CASE(freed_in_other_ways),
	KUNIT_CASE(wrong_frees_are_refused_at_once),
	KUNIT_CASE(cache_does_not_free_it),
	KUNIT_CASE(counts_to_its_heap),
	KUNIT_CASE(pressure_helps_once),
	KUNIT_CASE(is_freed_with_its_heap),
	KUNIT_CASE(told_of_as_memory_of_the_system),
	{}
};

static struct kunit_suite kvmalloc_suite = {
	.name = "kspan_kvmalloc",
	.init = kvmalloc_init,
	.exit = kvmalloc_exit,
	.test_cases = kvmalloc_cases,
};

kunit_test_suite(kvmalloc_suite);
