// SPDX-License-Identifier: GPL-2.0
/*
 * The heap profile: what is sampled, what is counted, and that a sampled object is like any other.
 *
 * All other suites run without samples. Here most cases sample every object, so that each
 * allocation takes the path that is rare otherwise.
 */
#include <linux/kallsyms.h>
#include <linux/kspan.h>
#include <linux/sizes.h>
#include <linux/timekeeping.h>

#include "api/cache.h"
#include "api/free.h"
#include "api/heaps.h"
#include "context.h"
#include "kspan_kunit.h"
#include "objects/profile.h"
#include "objects/sampled.h"

#define EVERY	1UL
#define MANY	400U

static struct kspan_profile_counts sum(void)
{
	struct kspan_profile_counts all = {}, counts;
	struct kspan_bucket *bucket = NULL;

	while ((bucket = kspan_profile_next_bucket(bucket))) {
		if (!kspan_profile_read_bucket(bucket, &counts))
			continue;
		all.live += counts.live;
		all.live_bytes += counts.live_bytes;
		all.allocs += counts.allocs;
		all.alloc_bytes += counts.alloc_bytes;
		all.peak += counts.peak;
		all.peak_bytes += counts.peak_bytes;
	}
	return all;
}

static u64 lost(void)
{
	struct kspan_profile_summary summary;

	kspan_profile_summary_read(&summary);
	return summary.lost;
}

static void sample(struct kunit *test, unsigned long rate)
{
	KUNIT_ASSERT_EQ(test, kspan_heaps_set_profile_rate(rate), 0);
}

/* A class counts to a sample from its second allocation on. */
static void warm(size_t size)
{
	kspan_free(kspan_malloc(size, GFP_KERNEL));
	kspan_free(kspan_malloc(size, GFP_KERNEL));
}

static int profile_init(struct kunit *test)
{
	int err = kspan_kunit_init(test);

	return err ?: kspan_heaps_set_profile_rate(EVERY);
}

static void profile_exit(struct kunit *test)
{
	/* A case has freed all its objects: there must be no live sample. */
	KUNIT_EXPECT_EQ(test, sum().live, 0ULL);
	KUNIT_EXPECT_EQ(test, sum().live_bytes, 0ULL);
	kspan_heaps_set_profile_rate(0);
	kspan_kunit_exit(test);
}

/* Gaps have the mean of the rate, and exp(-1) of them are longer. */
static void gaps_are_exponential(struct kunit *test)
{
	const unsigned long rate = SZ_512K;
	const unsigned int n = 20000;
	unsigned int longer = 0, i;
	u64 bytes = 0;
	s64 gap;

	sample(test, rate);
	for (i = 0; i < n; i++) {
		preempt_disable();
		gap = kspan_profile_gap(1);
		preempt_enable();
		longer += gap > rate;
		bytes += gap;
	}
	kunit_info(test, "mean %llu, longer than the mean %u of %u\n", bytes / n, longer, n);
	/* Six standard deviations. */
	KUNIT_EXPECT_GT(test, bytes / n, (u64)rate * 95 / 100);
	KUNIT_EXPECT_LT(test, bytes / n, (u64)rate * 105 / 100);
	KUNIT_EXPECT_GT(test, longer, n * 346 / 1000);
	KUNIT_EXPECT_LT(test, longer, n * 390 / 1000);
	sample(test, 0);
	KUNIT_EXPECT_EQ(test, kspan_profile_gap(64), (s64)KSPAN_PROFILE_NEVER);
}

/* The weights are 1 / (1 - exp(-size/rate)), computed elsewhere, times 65536. */
static void weights_are_right(struct kunit *test)
{
	static const struct {
		size_t size;
		u64 weight;
	} known[] = {
		{ 8, 4295000064 }, { 64, 536903680 }, { 1024, 33587205 }, { 32768, 1081685 },
		{ 65536, 557739 }, { 262144, 166559 }, { 524288, 103676 }, { 1048576, 75794 },
		{ 4194304, 65558 }, { SZ_64M, 65536 },
	};
	unsigned int i;
	u64 weight;

	sample(test, SZ_512K);
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		weight = kspan_profile_weight(known[i].size);
		KUNIT_EXPECT_GE_MSG(test, weight, known[i].weight - known[i].weight / 2000,
				    "of %zu", known[i].size);
		KUNIT_EXPECT_LE_MSG(test, weight, known[i].weight + known[i].weight / 2000,
				    "of %zu", known[i].size);
	}
	sample(test, EVERY);
	KUNIT_EXPECT_EQ(test, kspan_profile_weight(8), 65536ULL);
}

static noinline void expect_live(struct kunit *test, u64 live, u64 bytes, const char *after)
{
	struct kspan_profile_counts now = sum();

	KUNIT_EXPECT_EQ_MSG(test, now.live, live, "after %s", after);
	KUNIT_EXPECT_GE_MSG(test, now.live_bytes, bytes, "after %s", after);
	if (!live)
		KUNIT_EXPECT_EQ_MSG(test, now.live_bytes, 0ULL, "after %s", after);
}

/* Allocate in one way: the object, which is @p, must be in the profile until it is freed. */
#define IS_SAMPLED(test, size, alloc, release)		\
do {								\
	void *p = alloc;					\
								\
	KUNIT_ASSERT_NOT_NULL(test, p);				\
	expect_live(test, 1, size, #alloc);			\
	release;						\
	expect_live(test, 0, 0, #release);			\
} while (0)

static void every_kind_is_sampled(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("sampled", 0, 0);
	struct kspan_cache *cache = kspan_cache_create("sampled", 200, 0, 0, NULL);
	gfp_t here = GFP_KERNEL | __GFP_THISNODE;
	size_t varies = 64;
	void *bulk[4];

	OPTIMIZER_HIDE_VAR(varies);
	KUNIT_ASSERT_NOT_NULL(test, heap);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	warm(64);
	KUNIT_ASSERT_NOT_NULL(test, kspan_heap_malloc(heap, 64, GFP_KERNEL));
	kspan_cache_free(cache, kspan_cache_alloc(cache, GFP_KERNEL));
	kspan_heap_reset(heap);
	IS_SAMPLED(test, 64, kspan_malloc(64, GFP_KERNEL), kspan_free(p));
	IS_SAMPLED(test, 64, kspan_malloc(varies, GFP_KERNEL), kspan_free(p));
	IS_SAMPLED(test, 64, kspan_zalloc(64, GFP_KERNEL), kspan_free(p));
	IS_SAMPLED(test, 64, kspan_malloc_node(64, here, NUMA_NO_NODE), kspan_free(p));
	IS_SAMPLED(test, 64, kspan_malloc_node(64, here, first_memory_node), kspan_free(p));
	IS_SAMPLED(test, 3, kspan_tiny_alloc(3, GFP_KERNEL), kspan_free(p));
	IS_SAMPLED(test, 200, kspan_cache_alloc(cache, GFP_KERNEL), kspan_cache_free(cache, p));
	IS_SAMPLED(test, 200, kspan_cache_alloc(cache, GFP_KERNEL), kspan_free(p));
	IS_SAMPLED(test, 64, kspan_heap_malloc(heap, 64, GFP_KERNEL), kspan_free(p));
	IS_SAMPLED(test, 64, kspan_heap_malloc(heap, 64, GFP_KERNEL), kspan_heap_reset(heap));
	IS_SAMPLED(test, SZ_64K, kspan_malloc(SZ_64K, GFP_KERNEL), kspan_free(p));
	IS_SAMPLED(test, SZ_64K, kspan_heap_malloc(heap, SZ_64K, GFP_KERNEL), kspan_free(p));
	IS_SAMPLED(test, SZ_64K, kspan_heap_malloc(heap, SZ_64K, GFP_KERNEL),
		   kspan_heap_reset(heap));
	IS_SAMPLED(test, SZ_8M, kspan_kvmalloc(SZ_8M, GFP_KERNEL), kspan_free(p));
	IS_SAMPLED(test, 8, kspan_heap_alloc_chunk(&kspan_default_heap, SZ_64K, GFP_KERNEL),
		   kspan_heap_free_chunk(p));
	KUNIT_ASSERT_EQ(test, kspan_alloc_bulk(64, GFP_KERNEL, 4, bulk), 4U);
	KUNIT_EXPECT_EQ(test, sum().live, 4ULL);
	kspan_free_bulk(4, bulk);
	KUNIT_EXPECT_EQ(test, sum().live, 0ULL);
	kspan_cache_destroy(cache);
	kspan_heap_destroy(heap);
}

/* Where no lock may be waited for, an object is sampled if there is a span for it. */
static void nolock_is_sampled(struct kunit *test)
{
	void *keep, *p;

	/* So the CPU has some ordinary objects, and there is a span with one sampled object. */
	sample(test, 0);
	kspan_kunit_warm(test, 64);
	sample(test, EVERY);
	keep = kspan_malloc(64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, keep);
	expect_live(test, 1, 64, "kspan_malloc()");
	p = kspan_malloc_nolock(64);
	KUNIT_EXPECT_NOT_NULL(test, p);
	expect_live(test, 2, 128, "kspan_malloc_nolock()");
	kspan_free(p);
	kspan_free(keep);
}

/* The heap's objects are gone with it, and so are their samples. */
static void samples_go_with_their_heap(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("short-lived", 0, 0);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	for (i = 0; i < MANY; i++) {
		KUNIT_ASSERT_NOT_NULL(test, kspan_heap_malloc(heap, 8 + 8 * (i % 200), GFP_KERNEL));
		if (i % 100 == 0)
			KUNIT_ASSERT_NOT_NULL(test, kspan_heap_malloc(heap, SZ_64K, GFP_KERNEL));
	}
	KUNIT_EXPECT_GE(test, sum().live, (u64)MANY / 2);
	kspan_heap_destroy(heap);
	KUNIT_EXPECT_EQ(test, sum().live, 0ULL);
	KUNIT_EXPECT_GE(test, sum().allocs, (u64)MANY / 2);
}

/* A sampled object has the size, the heap and the content of any other. */
static void sampled_objects_are_objects(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("ordinary", 0, 0);
	void *p, *q;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	warm(500);
	p = kspan_zalloc(500, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, sum().live, 1ULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(p, 0, 500), NULL);
	KUNIT_EXPECT_EQ(test, kspan_size(p), 512UL);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(p), &kspan_default_heap);
	kspan_kunit_fill(p, 0x5a);
	q = kspan_realloc(p, 5000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(q, 0x5a, 512), NULL);
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
	kspan_free(q);
	p = kspan_heap_malloc(heap, 500, GFP_KERNEL);
	kspan_free(p);
	p = kspan_heap_malloc(heap, 500, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, kspan_size(p), 512UL);
	KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(p), heap);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
	kspan_heap_destroy(heap);
}

static u64 reports(void)
{
	unsigned int kind;
	u64 n = 0;

	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		n += kspan_bad_free_count(kind);
	return n;
}

static void wrong_frees_are_refused(struct kunit *test)
{
	char *p, *q;
	u64 was;

	warm(512);
	p = kspan_malloc(512, GFP_KERNEL);
	q = kspan_malloc(512, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, sum().live, 2ULL);
	was = reports();
	kspan_free(p + 8);
	KUNIT_EXPECT_EQ(test, reports() - was, 1ULL);
	kspan_free(p + 1);
	KUNIT_EXPECT_EQ(test, reports() - was, 2ULL);
	KUNIT_EXPECT_EQ(test, sum().live, 2ULL);
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, sum().live, 1ULL);
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, reports() - was, 3ULL);
	KUNIT_EXPECT_EQ(test, sum().live, 1ULL);
	kspan_free(q);
	kspan_free(q);
	KUNIT_EXPECT_EQ(test, reports() - was, 4ULL);
}

/* The statistics count each object once, whichever way it came. */
static void statistics_are_exact(struct kunit *test)
{
	unsigned int class = kspan_size_class(512), i;
	struct kspan_class_stats before, now;
	void **p = kunit_kcalloc(test, MANY, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	warm(512);
	kspan_class_stats_read(class, &before);
	for (i = 0; i < MANY / 2; i++)
		p[i] = kspan_malloc(512, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, kspan_alloc_bulk(512, GFP_KERNEL, MANY / 2, p + MANY / 2), MANY / 2);
	kspan_class_stats_read(class, &now);
	KUNIT_EXPECT_EQ(test, now.allocs - before.allocs, (u64)MANY);
	KUNIT_EXPECT_EQ(test, now.in_use - before.in_use, (unsigned long)MANY);
	KUNIT_EXPECT_EQ(test, sum().live, (u64)MANY);
	for (i = 0; i < MANY; i++)
		kspan_free(p[i]);
	kspan_class_stats_read(class, &now);
	KUNIT_EXPECT_EQ(test, now.frees - before.frees, (u64)MANY);
	KUNIT_EXPECT_EQ(test, now.in_use, before.in_use);
}

/* An object that a CPU takes from a magazine before it has begun to count is counted once. */
static void first_object_counts_once(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("first", 0, 0);
	unsigned int class = kspan_size_class(640), i;
	struct kspan_cpu_cache *cache;
	u64 before;
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	sample(test, 0);
	for (i = 0; i < MANY; i++) {
		p = kspan_heap_malloc(heap, 640, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		kspan_free(p);
	}
	KUNIT_ASSERT_TRUE(test, kspan_cpu_cache_enter(heap, &cache));
	before = kspan_cpu_cache_allocs(cache, class);
	/* As if all objects so far had come in other ways. */
	cache->class[class].to_sample = 0;
	cache->armed[class] = 0;
	kspan_cpu_cache_leave(cache);
	KUNIT_EXPECT_GT(test, before, 0ULL);
	KUNIT_ASSERT_GT(test, cache->class[class].loaded->count, 0U);
	p = kspan_heap_malloc(heap, 640, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, kspan_cpu_cache_allocs(cache, class), 1ULL);
	kspan_heap_destroy(heap);
}

/* Of many objects of all sizes, the estimate is close to what was allocated. */
static void estimates_are_close(struct kunit *test)
{
	struct kspan_profile_summary summary;
	u64 seed = kspan_kunit_random_seed(test), bytes = 0;
	unsigned int i, n = 200000;
	struct rnd_state rnd;
	size_t size;
	void *p;

	prandom_seed_state(&rnd, seed);
	sample(test, SZ_16K);
	for (i = 0; i < n; i++) {
		/* The logarithm of the size is uniform from 8 bytes to 64 KiB. */
		size = kspan_kunit_below(&rnd, 8U << kspan_kunit_below(&rnd, 14)) + 1;
		p = kspan_malloc(size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		bytes += kspan_size(p);
		kspan_free(p);
		if (i % 1000 == 0)
			cond_resched();
	}
	kspan_profile_summary_read(&summary);
	kunit_info(test, "allocated %llu, estimated %llu, lost %llu\n", bytes, summary.alloc_bytes,
		   summary.lost);
	KUNIT_EXPECT_EQ(test, summary.lost, 0ULL);
	KUNIT_EXPECT_GT(test, summary.alloc_bytes, bytes / 100 * 95);
	KUNIT_EXPECT_LT(test, summary.alloc_bytes, bytes / 100 * 105);
	KUNIT_EXPECT_EQ(test, summary.live_bytes, 0ULL);
}

static noinline void *alloc_here(size_t size)
{
	void *p = kspan_malloc(size, GFP_KERNEL);

	/* No tail call: the frame must stay. */
	barrier();
	return p;
}

static void stacks_begin_with_the_caller(struct kunit *test)
{
	struct kspan_profile_counts counts;
	struct kspan_bucket *bucket = NULL;
	char name[KSYM_SYMBOL_LEN];
	unsigned int i, n = 0;

	warm(192);
	kspan_profile_reset();
	for (i = 0; i < 10; i++)
		kspan_free(alloc_here(192));
	/* Where the unwinder guesses, the callers far away may differ. */
	while ((bucket = kspan_profile_next_bucket(bucket))) {
		if (!kspan_profile_read_bucket(bucket, &counts) || bucket->size != 192)
			continue;
		n += counts.allocs;
		KUNIT_EXPECT_STREQ(test, bucket->heap, "default");
		KUNIT_ASSERT_GE(test, bucket->nr, 2U);
		snprintf(name, sizeof(name), "%ps", (void *)bucket->stack[0]);
		KUNIT_EXPECT_TRUE_MSG(test, strstarts(name, "alloc_here"), "%s", name);
		snprintf(name, sizeof(name), "%ps", (void *)bucket->stack[1]);
		KUNIT_EXPECT_TRUE_MSG(test, strstarts(name, "stacks_begin_with"), "%s", name);
	}
	KUNIT_EXPECT_EQ(test, n, 10U);
}

/* The peak is the state at the moment when most bytes were live. */
static void peak_is_of_one_moment(struct kunit *test)
{
	void **p = kunit_kcalloc(test, MANY, sizeof(*p), GFP_KERNEL);
	struct kspan_profile_counts all;
	unsigned int i;
	void *other;

	KUNIT_ASSERT_NOT_NULL(test, p);
	warm(1024);
	warm(64);
	kspan_profile_reset();
	for (i = 0; i < 100; i++)
		p[i] = kspan_malloc(1024, GFP_KERNEL);
	for (i = 0; i < 50; i++)
		kspan_free(p[i]);
	other = kspan_malloc(64, GFP_KERNEL);
	all = sum();
	KUNIT_EXPECT_EQ(test, all.live, 51ULL);
	KUNIT_EXPECT_EQ(test, all.peak, 100ULL);
	KUNIT_EXPECT_EQ(test, all.peak_bytes, 100ULL * 1024);
	for (i = 0; i < 60; i++)
		p[i % 50 + 100 + (i >= 50) * 50] = kspan_malloc(1024, GFP_KERNEL);
	all = sum();
	KUNIT_EXPECT_EQ(test, all.peak, 111ULL);
	for (i = 50; i < 150; i++)
		kspan_free(p[i]);
	for (i = 150; i < 160; i++)
		kspan_free(p[i]);
	kspan_free(other);
	KUNIT_EXPECT_EQ(test, sum().peak, 111ULL);
	KUNIT_EXPECT_EQ(test, sum().live, 0ULL);
}

/* A new rate begins anew; objects of before are freed without a trace. */
static void new_rate_begins_anew(struct kunit *test)
{
	void *p, *large;

	warm(64);
	p = kspan_malloc(64, GFP_KERNEL);
	large = kspan_malloc(SZ_128K, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, sum().live, 2ULL);
	sample(test, 0);
	KUNIT_EXPECT_EQ(test, sum().live, 0ULL);
	kspan_free(kspan_malloc(64, GFP_KERNEL));
	kspan_free(kspan_malloc(SZ_128K, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, sum().allocs, 0ULL);
	sample(test, EVERY);
	kspan_free(p);
	kspan_free(large);
	KUNIT_EXPECT_EQ(test, sum().live, 0ULL);
	KUNIT_EXPECT_EQ(test, sum().allocs, 0ULL);
	p = kspan_malloc(64, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, sum().live, 1ULL);
	kspan_free(p);
}

static void free_it(void *p)
{
	kspan_free(p);
}

/* The free of a sampled object in any context is counted. */
static void any_context_frees(struct kunit *test)
{
	static const struct context *const contexts[] = {
		&context_preempt_off, &context_irqs_off, &context_softirq, &context_hardirq,
		&context_nmi,
	};
	struct context_job job;
	unsigned int i;
	void *p;

	KUNIT_ASSERT_EQ(test, context_open(), 0);
	warm(64);
	for (i = 0; i < ARRAY_SIZE(contexts); i++) {
		p = kspan_malloc(i % 2 ? 64 : SZ_64K, GFP_KERNEL);
		KUNIT_EXPECT_EQ(test, sum().live, 1ULL);
		job = (struct context_job) { .fn = free_it, .data = p };
		if (!context_run(contexts[i], &job))
			kspan_free(p);
		KUNIT_EXPECT_EQ_MSG(test, sum().live, 0ULL, "%s", contexts[i]->name);
	}
	context_close();
}

static void alloc_it(void *p)
{
	*(void **)p = kspan_malloc(64, GFP_ATOMIC);
}

/* An object is allocated in any context, be it sampled or not. */
static void any_context_allocates(struct kunit *test)
{
	static const struct context *const contexts[] = {
		&context_preempt_off, &context_irqs_off, &context_softirq, &context_hardirq,
		&context_nmi,
	};
	struct context_job job;
	void *keep, *p = NULL;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, context_open(), 0);
	warm(64);
	/* A span of sampled objects: an NMI makes none. */
	keep = kspan_malloc(64, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(contexts); i++) {
		job = (struct context_job) { .fn = alloc_it, .data = &p };
		if (!context_run(contexts[i], &job))
			continue;
		KUNIT_EXPECT_NOT_NULL_MSG(test, p, "%s", contexts[i]->name);
		KUNIT_EXPECT_EQ_MSG(test, sum().live, 2ULL, "%s", contexts[i]->name);
		kspan_free(p);
	}
	kspan_free(keep);
	context_close();
}

static void lifetimes_are_counted(struct kunit *test)
{
	unsigned int ns, n = 0;
	u64 born;
	void *p;

	warm(256);
	kspan_profile_reset();
	p = kspan_malloc(256, GFP_KERNEL);
	/* By the clock of the profile: that of mdelay() may be another. */
	born = ktime_get_mono_fast_ns();
	while (ktime_get_mono_fast_ns() - born < 3 * NSEC_PER_MSEC)
		cpu_relax();
	kspan_free(p);
	for (ns = 0; ns < KSPAN_PROFILE_LIVES; ns++) {
		n += kspan_profile_lifetimes(8, ns);
		if (BIT_ULL(ns) < NSEC_PER_MSEC)
			KUNIT_EXPECT_EQ(test, kspan_profile_lifetimes(8, ns), 0U);
	}
	KUNIT_EXPECT_EQ(test, n, 1U);
}

/* Without memory for the profile, objects are allocated as ever, and the samples count as lost. */
static void memory_is_bounded(struct kunit *test)
{
	unsigned long bytes = kspan_profile_bytes;
	struct kspan_profile_summary summary;
	unsigned int i, n;
	void **p;

	warm(64);
	/* It keeps what it has, and gets no more. */
	WRITE_ONCE(kspan_profile_bytes, 0);
	kspan_profile_reset();
	kspan_profile_summary_read(&summary);
	n = summary.memory / sizeof(struct kspan_sample) + 1000;
	p = kvcalloc(n, sizeof(*p), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < n; i++) {
		p[i] = kspan_malloc(64, GFP_KERNEL);
		if (!p[i])
			break;
	}
	KUNIT_EXPECT_EQ(test, i, n);
	KUNIT_EXPECT_GE(test, lost(), 1000ULL);
	KUNIT_EXPECT_EQ(test, sum().live + lost(), (u64)n);
	while (i)
		kspan_free(p[--i]);
	WRITE_ONCE(kspan_profile_bytes, bytes);
	kvfree(p);
}

/* A heap at its limit serves ordinary objects if there is no room for a span of samples. */
static void limit_holds(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("limited", KSPAN_KUNIT_PAGES(1), 0);
	unsigned int slots = KSPAN_PAGE_SIZE / 512, i;
	void *p[KSPAN_PAGE_SIZE / 512 + 1];

	KUNIT_ASSERT_NOT_NULL(test, heap);
	for (i = 0; i < slots; i++) {
		p[i] = kspan_heap_malloc(heap, 512, GFP_KERNEL);
		KUNIT_EXPECT_NOT_NULL_MSG(test, p[i], "object %u", i);
	}
	KUNIT_EXPECT_NULL(test, kspan_heap_malloc(heap, 512, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_GT(test, lost() + sum().live, 0ULL);
	for (i = 0; i < slots; i++)
		kspan_free(p[i]);
	kspan_heap_destroy(heap);
}

static void make_a(void *object)
{
	memset(object, 0xa5, 120);
}

/* A constructor runs for sampled slots, too, and their content survives a free. */
static void content_is_kept(struct kunit *test)
{
	struct kspan_cache *cache = kspan_cache_create("made", 120, 0, 0, make_a);
	unsigned int i;
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	for (i = 0; i < 20; i++) {
		p = kspan_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_PTR_EQ(test, memchr_inv(p, 0xa5, 120), NULL);
		kspan_cache_free(cache, p);
	}
	KUNIT_EXPECT_GE(test, sum().allocs, 15ULL);
	kspan_cache_destroy(cache);
}

/* The spans of sampled objects take an eighth of a heap's limit at most. */
static void limit_is_shared(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("shared", KSPAN_KUNIT_PAGES(128), 0);
	struct kspan_central *central;
	unsigned long sampled = 0;
	unsigned int class, i = 0;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	for (class = 1; class < 40; class++)
		KUNIT_EXPECT_NOT_NULL(test, kspan_heap_malloc(heap, kspan_size_classes[class].size,
							      GFP_KERNEL));
	while ((central = kspan_heap_next_central(heap, &i)))
		if (central->sampled)
			sampled += central->base_pages >> KSPAN_PAGE_ORDER;
	KUNIT_EXPECT_GT(test, sampled, 0UL);
	KUNIT_EXPECT_LE(test, sampled, 128UL / 8);
	KUNIT_EXPECT_GT(test, lost(), 0ULL);
	kspan_heap_destroy(heap);
}

/* A private heap keeps the memory of its sampled objects, as it keeps that of others. */
static void memory_stays_with_its_heap(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("keeps", 0, 0);
	struct kspan_central *central;
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	p = kspan_heap_malloc(heap, 512, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	expect_live(test, 1, 512, "kspan_heap_malloc()");
	central = kspan_heap_sampled(heap, page_to_nid(virt_to_page(p)), kspan_size_class(512));
	KUNIT_ASSERT_NOT_NULL(test, central);
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, central->nr_spans, 1UL);
	kspan_heap_trim(heap);
	KUNIT_EXPECT_EQ(test, central->nr_spans, 0UL);
	kspan_heap_destroy(heap);
}

/* A sampled object of the default heap is told from one of a typed cache. */
static void wrong_size_is_refused(struct kunit *test)
{
	void *p = kspan_malloc(512, GFP_KERNEL);
	u64 was = kspan_bad_free_count(KSPAN_BAD_FREE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, p);
	expect_live(test, 1, 512, "kspan_malloc()");
	kspan_free_sized(p, 100);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_SIZE) - was, 1ULL);
	expect_live(test, 1, 512, "kspan_free_sized() of another size");
	kspan_free_sized(p, 500);
	expect_live(test, 0, 0, "kspan_free_sized()");
}

/* Samples leave room for stacks that come later. */
static void stacks_have_room(struct kunit *test)
{
	unsigned long bytes = kspan_profile_bytes;
	struct kspan_profile_summary summary;
	unsigned int i, n = 8000;
	u64 was;
	void **p;

	p = kvcalloc(n, sizeof(*p), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	kspan_profile_summary_read(&summary);
	WRITE_ONCE(kspan_profile_bytes, summary.memory);
	for (i = 0; i < n; i++)
		p[i] = kspan_malloc(64, GFP_KERNEL);
	while (i)
		kspan_free(p[--i]);
	was = lost();
	/* A size that no other case has is a new bucket. */
	p[0] = kspan_malloc(20480, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, lost(), was);
	kspan_free(p[0]);
	WRITE_ONCE(kspan_profile_bytes, bytes);
	kvfree(p);
}

/* Readers under RCU may still look at a sampled object of a type-stable cache that was freed. */
static void memory_stays_for_readers(struct kunit *test)
{
	struct kspan_cache *cache = kspan_cache_create("stable", 120, 0, KSPAN_TYPESAFE_BY_RCU,
						       NULL);
	struct kspan_central *central;
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	kspan_cache_free(cache, kspan_cache_alloc(cache, GFP_KERNEL));
	p = kspan_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	expect_live(test, 1, 120, "kspan_cache_alloc()");
	central = kspan_heap_sampled(&cache->heap, page_to_nid(virt_to_page(p)),
				     KSPAN_CACHE_CLASS);
	KUNIT_ASSERT_NOT_NULL(test, central);
	kspan_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, central->nr_spans, 1UL);
	kspan_cache_trim(cache);
	KUNIT_EXPECT_EQ(test, central->nr_spans, 0UL);
	kspan_cache_destroy(cache);
}

static struct kunit_case profile_cases[] = {
	KUNIT_CASE(gaps_are_exponential),
	KUNIT_CASE(weights_are_right),
	KUNIT_CASE(every_kind_is_sampled),
	KUNIT_CASE(nolock_is_sampled),
	KUNIT_CASE(samples_go_with_their_heap),
	KUNIT_CASE(sampled_objects_are_objects),
	KUNIT_CASE(wrong_frees_are_refused),
	KUNIT_CASE(statistics_are_exact),
	KUNIT_CASE(first_object_counts_once),
	KUNIT_CASE(estimates_are_close),
	KUNIT_CASE(stacks_begin_with_the_caller),
	KUNIT_CASE(peak_is_of_one_moment),
	KUNIT_CASE(new_rate_begins_anew),
	KUNIT_CASE(any_context_frees),
	KUNIT_CASE(any_context_allocates),
	KUNIT_CASE(lifetimes_are_counted),
	KUNIT_CASE(memory_is_bounded),
	KUNIT_CASE(limit_holds),
	KUNIT_CASE(content_is_kept),
	KUNIT_CASE(limit_is_shared),
	KUNIT_CASE(memory_stays_with_its_heap),
	KUNIT_CASE(wrong_size_is_refused),
	KUNIT_CASE(stacks_have_room),
	KUNIT_CASE(memory_stays_for_readers),
	{}
};

static struct kunit_suite profile_suite = {
	.name = "kspan_profile",
	.init = profile_init,
	.exit = profile_exit,
	.test_cases = profile_cases,
};

kunit_test_suite(profile_suite);
