// SPDX-License-Identifier: GPL-2.0
/*
 * Wrong frees are refused at the call.
 *
 * The cases free each kind of object wrongly in each way, sooner or later after the right free.
 * The report must be there when the call returns, and the object must not get two owners.
 */
#include <linux/cpu.h>
#include <linux/kspan.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>

#include "api/private.h"
#include "kspan_kunit.h"
#include "objects/seal.h"

/* More objects than two magazines of a CPU hold. */
#define MANY	200U

static struct kspan_heap *private_heap;
static struct kspan_cache *plain, *constructed, *typesafe, *other;
static void **objects;

/**
 * struct kind - how objects are allocated
 * @name:	shown in the log
 * @alloc:	allocates one object
 * @size:	bytes of an object
 */
struct kind {
	const char *name;
	void *(*alloc)(size_t size);
	size_t size;
};

static void *alloc_default(size_t size)
{
	return kspan_malloc(size, GFP_KERNEL);
}

static void *alloc_tiny(size_t size)
{
	return kspan_tiny_alloc(size, GFP_KERNEL);
}

static void *alloc_private(size_t size)
{
	return kspan_heap_malloc(private_heap, size, GFP_KERNEL);
}

static void *alloc_plain(size_t size)
{
	return kspan_cache_alloc(plain, GFP_KERNEL);
}

static void *alloc_constructed(size_t size)
{
	return kspan_cache_alloc(constructed, GFP_KERNEL);
}

static void *alloc_typesafe(size_t size)
{
	return kspan_cache_alloc(typesafe, GFP_KERNEL);
}

static const struct kind kinds[] = {
	{ "8 bytes", alloc_default, 8 },
	{ "64 bytes", alloc_default, 64 },
	{ "640 bytes, whose spans have a tail", alloc_default, 640 },
	{ "8192 bytes", alloc_default, 8192 },
	{ "27264 bytes, of which a span has few", alloc_default, 27264 },
	{ "tiny object", alloc_tiny, 5 },
	{ "large object", alloc_default, 100000 },
	{ "private, 64 bytes", alloc_private, 64 },
	{ "private, 3000 bytes", alloc_private, 3000 },
	{ "private, large", alloc_private, 100000 },
	{ "typed cache", alloc_plain, 120 },
	{ "typed cache with constructor", alloc_constructed, 120 },
	{ "typed cache for readers under RCU", alloc_typesafe, 120 },
};

static void name_kind(const struct kind *kind, char *name)
{
	strscpy(name, kind->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kind, kinds, name_kind);

static void construct(void *object)
{
	memset(object, 0xc3, 120);
}

static int exact_init(struct kunit *test)
{
	kspan_kunit_init(test);
	kspan_kunit_pin(test);
	objects = kunit_kcalloc(test, 2 * MANY, sizeof(*objects), GFP_KERNEL);
	private_heap = kspan_heap_create("exact", 0, 0);
	plain = kspan_cache_create("exact_plain", 120, 0, 0, NULL);
	constructed = kspan_cache_create("exact_ctor", 120, 0, 0, construct);
	typesafe = kspan_cache_create("exact_rcu", 120, 0, KSPAN_TYPESAFE_BY_RCU, NULL);
	other = kspan_cache_create("exact_other", 120, 0, 0, NULL);
	if (!objects || !private_heap || !plain || !constructed || !typesafe || !other)
		return -ENOMEM;
	if (!kspan_exact_frees)
		kunit_skip(test, "kspan was loaded with exact_frees=0");
	return 0;
}

static void exact_exit(struct kunit *test)
{
	kspan_cache_destroy(other);
	kspan_cache_destroy(typesafe);
	kspan_cache_destroy(constructed);
	kspan_cache_destroy(plain);
	kspan_heap_destroy(private_heap);
	kspan_kunit_exit(test);
}

static void *live(struct kunit *test, const struct kind *kind)
{
	void *p = kind->alloc(kind->size);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static void alloc_many(struct kunit *test, const struct kind *kind, unsigned int n, void **p)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		p[i] = live(test, kind);
}

static void free_many(unsigned int n, void **p)
{
	while (n)
		kspan_free(p[--n]);
}

static void drain_all(void)
{
	kspan_heap_drain(&kspan_default_heap);
	kspan_heap_trim(private_heap);
	kspan_cache_trim(plain);
	kspan_cache_trim(constructed);
	kspan_cache_trim(typesafe);
}

/* Ways to free a wrong address, by each call that frees. */
static void free_singly(void *p)
{
	kspan_free(p);
}

static void free_in_bulk(void *p)
{
	kspan_free_bulk(1, &p);
}

static void free_two_in_bulk(void *p)
{
	void *two[] = { kspan_malloc(64, GFP_KERNEL), p };

	kspan_free_bulk(2, two);
}

static void free_by_sensitive(void *p)
{
	kspan_free_sensitive(p);
}

static long free_on_cpu(void *p)
{
	kspan_free(p);
	return 0;
}

static void free_elsewhere(void *p)
{
	unsigned int cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());

	work_on_cpu(cpu < nr_cpu_ids ? cpu : 0, free_on_cpu, p);
}

/* Free while this CPU's cache is busy, as from an interrupt of its owner. */
static void free_past_the_cache(void *p)
{
	struct kspan_cpu_cache *entered;
	bool mine = kspan_cpu_cache_enter(&kspan_default_heap, &entered);

	kspan_free(p);
	if (mine)
		kspan_cpu_cache_leave(entered);
}

static void free_with_interrupts_off(void *p)
{
	unsigned long flags;

	local_irq_save(flags);
	kspan_free(p);
	local_irq_restore(flags);
}

static const struct {
	const char *name;
	void (*call)(void *p);
} ways[] = {
	{ "kspan_free()", free_singly },
	{ "kspan_free_bulk() of one", free_in_bulk },
	{ "kspan_free_bulk() of two", free_two_in_bulk },
	{ "kspan_free_sensitive()", free_by_sensitive },
	{ "on another CPU", free_elsewhere },
	{ "past the cache", free_past_the_cache },
	{ "with interrupts off", free_with_interrupts_off },
};

/* The free must be reported once, before it returns. */
static void expect_refused(struct kunit *test, unsigned int way, void *p, const char *what)
{
	u64 before = kspan_bad_frees();
	struct kspan_bad_free last;

	ways[way].call(p);
	KUNIT_EXPECT_EQ_MSG(test, kspan_bad_frees() - before, 1ULL, "%s, %s", what,
			    ways[way].name);
	last = kspan_bad_free_last();
	KUNIT_EXPECT_EQ_MSG(test, last.addr, (unsigned long)p, "%s, %s", what, ways[way].name);
}

/* No object may be allocated twice. */
static void expect_each_once(struct kunit *test, const struct kind *kind, const char *what)
{
	unsigned int i, j, twice = 0;

	alloc_many(test, kind, MANY, objects);
	for (i = 0; i < MANY; i++)
		for (j = 0; j < i; j++)
			twice += objects[i] == objects[j];
	KUNIT_EXPECT_EQ_MSG(test, twice, 0U, "%s", what);
	free_many(MANY, objects);
}

static void double_free_at_once(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	unsigned int way;
	void *p;

	for (way = 0; way < ARRAY_SIZE(ways); way++) {
		p = live(test, kind);
		kspan_free(p);
		expect_refused(test, way, p, "at once");
	}
	expect_each_once(test, kind, "at once");
}

/* The magazine has q on top when p is freed again. */
static void double_free_after_others(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	unsigned int way;
	void *p, *q;

	for (way = 0; way < ARRAY_SIZE(ways); way++) {
		p = live(test, kind);
		q = live(test, kind);
		kspan_free(p);
		kspan_free(q);
		expect_refused(test, way, p, "after another");
	}
	expect_each_once(test, kind, "after another");
}

/* The magazine was spilled to the depot, or its objects were returned to their spans. */
static void double_free_after_many(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	unsigned int way;

	for (way = 0; way < ARRAY_SIZE(ways); way++) {
		alloc_many(test, kind, MANY, objects);
		free_many(MANY, objects);
		expect_refused(test, way, objects[MANY - 1], "after many");
		expect_refused(test, way, objects[MANY / 2], "after many");
		expect_refused(test, way, objects[0], "after many");
	}
	expect_each_once(test, kind, "after many");
}

/* p is free in its span. The span stays because q is live. */
static void double_free_of_what_is_back_in_its_span(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	unsigned int way;
	void *p, *q;

	for (way = 0; way < ARRAY_SIZE(ways); way++) {
		q = live(test, kind);
		p = live(test, kind);
		kspan_free(p);
		drain_all();
		expect_refused(test, way, p, "in its span");
		kspan_free(q);
	}
	expect_each_once(test, kind, "in its span");
}

/* Overwrite free pages, so that nothing of the old span is left in them. */
static void overwrite_free_pages(struct kunit *test)
{
	void **p = kunit_kcalloc(test, 4 * MANY, sizeof(*p), GFP_KERNEL);
	unsigned int n;

	KUNIT_ASSERT_NOT_NULL(test, p);
	for (n = 0; n < 4 * MANY; n++)
		p[n] = kspan_malloc(SZ_8K, GFP_KERNEL | __GFP_ZERO);
	free_many(n, p);
	drain_all();
	kunit_kfree(test, p);
}

/* The object's span was retired. A new span of the same kind has its pages. */
static void double_free_of_what_is_in_a_new_span(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	void *keep = kspan_malloc(200000, GFP_KERNEL);
	unsigned int way, i;
	bool handed_out;

	for (way = 0; way < ARRAY_SIZE(ways); way++) {
		alloc_many(test, kind, MANY, objects);
		free_many(MANY, objects);
		drain_all();
		overwrite_free_pages(test);
		/* Some of the slots are objects again. Free the address of one that is not. */
		alloc_many(test, kind, MANY / 2, objects + MANY);
		for (i = 0; i < MANY; i++) {
			unsigned int j;

			for (j = MANY, handed_out = false; j < MANY + MANY / 2; j++)
				handed_out |= objects[i] == objects[j];
			if (!handed_out)
				break;
		}
		if (i < MANY)
			expect_refused(test, way, objects[i], "in a new span");
		free_many(MANY / 2, objects + MANY);
	}
	kspan_free(keep);
	expect_each_once(test, kind, "in a new span");
}

static void address_in_an_object(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	size_t inside[] = { 1, 3, 4, 8, 16, kind->size / 2, kind->size - 1 };
	unsigned int way, i;
	void *p;

	for (way = 0; way < ARRAY_SIZE(ways); way++) {
		p = live(test, kind);
		memset(p, 0x11, kind->size);
		for (i = 0; i < ARRAY_SIZE(inside); i++)
			if (inside[i] < kind->size)
				expect_refused(test, way, p + inside[i], "inside");
		KUNIT_EXPECT_TRUE(test, kspan_owns(p));
		KUNIT_EXPECT_NULL(test, memchr_inv(p, 0x11, kind->size));
		kspan_free(p);
	}
	expect_each_once(test, kind, "inside");
}

/* A cache refuses any address that is not one of its objects. */
static void object_of_another_cache(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	void *p = live(test, kind), *mine = kspan_cache_alloc(other, GFP_KERNEL);
	void *two[] = { mine, p };
	u64 before = kspan_bad_frees();

	KUNIT_ASSERT_NOT_NULL(test, mine);
	kspan_cache_free(other, p);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - before, 1ULL);
	kspan_cache_free_bulk(other, 2, two);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - before, 2ULL);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	kspan_free(p);
	expect_each_once(test, kind, "of another cache");
}

/* Free twice by kspan_cache_free(), while the CPU remembers the object's span, and after that. */
static void double_free_by_the_cache(struct kunit *test)
{
	struct kspan_cache *caches[] = { plain, constructed, typesafe };
	unsigned int i, n;
	bool is_there;
	u64 before;
	void *p, *q;

	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		before = kspan_bad_frees();
		p = kspan_cache_alloc(caches[i], GFP_KERNEL);
		q = kspan_cache_alloc(caches[i], GFP_KERNEL);
		kspan_cache_free(caches[i], p);
		kspan_cache_free(caches[i], p);
		KUNIT_EXPECT_EQ(test, kspan_bad_frees() - before, 1ULL);
		kspan_cache_free(caches[i], q);
		kspan_cache_free(caches[i], p);
		KUNIT_EXPECT_EQ(test, kspan_bad_frees() - before, 2ULL);
		kspan_cache_free(caches[i], q + 8);
		KUNIT_EXPECT_EQ(test, kspan_bad_frees() - before, 3ULL);
		kspan_cache_trim(caches[i]);
		/* The span was retired. */
		kspan_cache_free(caches[i], p);
		KUNIT_EXPECT_EQ(test, kspan_bad_frees() - before, 4ULL);
		/* Another user's object lies at the address now. */
		for (n = 0, is_there = false; n < MANY && !is_there; n++) {
			objects[n] = kspan_malloc(SZ_8K, GFP_KERNEL | __GFP_ZERO);
			KUNIT_ASSERT_NOT_NULL(test, objects[n]);
			is_there = (unsigned long)p - (unsigned long)objects[n] < SZ_8K;
		}
		KUNIT_EXPECT_TRUE(test, is_there);
		kspan_cache_free(caches[i], p);
		KUNIT_EXPECT_EQ(test, kspan_bad_frees() - before, 5ULL);
		KUNIT_EXPECT_NULL(test, memchr_inv(objects[n - 1], 0, SZ_8K));
		free_many(n, objects);
	}
}

/*
 * A CPU remembers the span of the object that it freed last. Reclaim retires that span without a
 * look at the CPU's memory. The CPU must not take an old address for an object of the cache.
 */
static void retired_span_is_known_no_more(struct kunit *test)
{
	/* A typed cache is a heap. */
	struct kspan_heap *heap = (struct kspan_heap *)plain;
	u64 before = kspan_bad_frees();
	bool is_there = false;
	unsigned int i, n;
	void *p = NULL;

	/* Allocate and free until the CPU has a magazine. */
	for (i = 0; i < 10; i++) {
		p = kspan_cache_alloc(plain, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		kspan_cache_free(plain, p);
	}
	kspan_cpu_cache_return_objects(heap);
	kspan_reclaim(page_to_nid(virt_to_page(p)), 1000, 0, KSPAN_BY_SHRINKER);
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, kspan_map_span((unsigned long)p));
	rcu_read_unlock();
	for (n = 0; n < MANY && !is_there; n++) {
		objects[n] = kspan_malloc(SZ_8K, GFP_KERNEL | __GFP_ZERO);
		KUNIT_ASSERT_NOT_NULL(test, objects[n]);
		is_there = (unsigned long)p - (unsigned long)objects[n] < SZ_8K;
	}
	KUNIT_EXPECT_TRUE(test, is_there);
	kspan_cache_free(plain, p);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - before, 1ULL);
	KUNIT_EXPECT_NULL(test, memchr_inv(objects[n - 1], 0, SZ_8K));
	free_many(n, objects);
}

/*
 * A caller copies the seal of an address into the live object there. kspan takes it for a free
 * slot and refuses the free.
 */
static void seal_in_an_object_keeps_it(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	unsigned int way;
	unsigned long *p;

	if (kind->alloc != alloc_default || kind->size > KSPAN_MAX_SMALL)
		kunit_skip(test, "its seal is not there");
	for (way = 0; way < ARRAY_SIZE(ways); way++) {
		p = live(test, kind);
		*p = kspan_seal_of(p);
		expect_refused(test, way, p, "the seal in an object");
		*p = 0;
		KUNIT_EXPECT_TRUE(test, kspan_owns(p));
		kspan_free(p);
	}
	expect_each_once(test, kind, "the seal in an object");
}

static void construct_line(void *object)
{
	memset(object, 0xc3, 100);
}

/*
 * The tail behind the last slot of 112 bytes is shorter than a slot, so a seal in it would lie
 * beyond the span. A free of the tail must write nothing there.
 */
static void tail_of_a_constructed_span(struct kunit *test)
{
	struct kspan_cache *cache = kspan_cache_create("exact_tail", 100, 0, 0, construct_line);
	u64 before = kspan_bad_frees();
	struct kspan_span *span;
	unsigned long *behind, kept;
	void *p, *tail;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	p = kspan_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	rcu_read_lock();
	span = kspan_map_span((unsigned long)p);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, span);
	tail = (void *)span->start + (unsigned long)span->nslots * span->size;
	KUNIT_ASSERT_LT(test, (unsigned long)tail, span->start + kspan_span_bytes(span));
	behind = tail + ALIGN(100, sizeof(long));
	KUNIT_ASSERT_GE(test, (unsigned long)behind, span->start + kspan_span_bytes(span));
	kept = kspan_glance(*behind);
	kspan_cache_free(cache, kspan_cache_alloc(cache, GFP_KERNEL));
	kspan_cache_free(cache, tail);
	kspan_free(tail);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - before, 2ULL);
	KUNIT_EXPECT_EQ(test, kspan_glance(*behind), kept);
	kspan_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
}

/*
 * A write to a freed object destroys its seal, so that a second free passes. It is found when the
 * heap is drained.
 */
static void use_after_free_hides_a_double_free_until_the_drain(struct kunit *test)
{
	unsigned long *p = kspan_malloc(64, GFP_KERNEL), *q = kspan_malloc(64, GFP_KERNEL);
	u64 before = kspan_bad_frees();

	kspan_free(p);
	*p = 0;
	kspan_free(p);
	kspan_free(q);
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - before, 1ULL);
	kspan_verify(test, &kspan_default_heap);
}

/* No call hands out an object that still has its seal. */
static void what_is_handed_out_is_not_sealed(struct kunit *test)
{
	void *p[6], *bulk[2 * KSPAN_MAGAZINE_MAX];
	unsigned int i, round;

	for (round = 0; round < 2; round++) {
		p[0] = kspan_malloc(64, GFP_KERNEL);
		OPTIMIZER_HIDE_VAR(round);
		p[1] = kspan_malloc(64 + 0 * round, GFP_KERNEL);
		p[2] = kspan_malloc_node(64, GFP_KERNEL, numa_mem_id());
		p[3] = kspan_malloc_nolock(64);
		p[4] = kspan_heap_malloc(private_heap, 64, GFP_KERNEL);
		p[5] = kspan_cache_alloc(plain, GFP_KERNEL);
		KUNIT_ASSERT_EQ(test, kspan_alloc_bulk(64, GFP_KERNEL, ARRAY_SIZE(bulk), bulk),
				(unsigned int)ARRAY_SIZE(bulk));
		for (i = 0; i < ARRAY_SIZE(p); i++) {
			KUNIT_ASSERT_NOT_NULL(test, p[i]);
			KUNIT_EXPECT_FALSE_MSG(test, kspan_is_sealed(p[i], 0), "call %u", i);
			kspan_free(p[i]);
		}
		for (i = 0; i < ARRAY_SIZE(bulk); i++)
			KUNIT_EXPECT_FALSE_MSG(test, kspan_is_sealed(bulk[i], 0), "bulk %u", i);
		kspan_free_bulk(ARRAY_SIZE(bulk), bulk);
	}
}

static void contents_of_constructed_objects_stay(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		objects[i] = kspan_cache_alloc(constructed, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
		KUNIT_EXPECT_NULL(test, memchr_inv(objects[i], 0xc3, 120));
	}
	free_many(MANY, objects);
	KUNIT_EXPECT_NULL(test, memchr_inv(objects[0], 0xc3, 120));
	KUNIT_EXPECT_EQ(test, kspan_cache_size(constructed), 120U);
	objects[0] = kspan_cache_alloc(constructed, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, kspan_size(objects[0]), (size_t)120);
	kspan_free(objects[0]);
}

/* After a reset of their heap all its objects are free. A free of one is a double free. */
static void double_free_after_a_reset(struct kunit *test)
{
	u64 before = kspan_bad_frees();
	unsigned int i;

	for (i = 0; i < MANY; i++)
		objects[i] = kspan_heap_malloc(private_heap, 64, GFP_KERNEL);
	kspan_heap_reset(private_heap);
	/* The CPU gets a magazine, which could take the wrong addresses. */
	for (i = MANY; i < MANY + MANY / 2; i++)
		objects[i] = kspan_heap_malloc(private_heap, 64, GFP_KERNEL);
	free_many(MANY / 2, objects + MANY);
	for (i = 0; i < MANY; i++)
		kspan_free(objects[i]);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - before, (u64)MANY);
	KUNIT_EXPECT_EQ(test, kspan_private_live(private_heap), 0UL);
}

static struct kunit_case exact_cases[] = {
	KUNIT_CASE_PARAM(double_free_at_once, kind_gen_params),
	KUNIT_CASE_PARAM(double_free_after_others, kind_gen_params),
	KUNIT_CASE_PARAM(double_free_after_many, kind_gen_params),
	KUNIT_CASE_PARAM(double_free_of_what_is_back_in_its_span, kind_gen_params),
	KUNIT_CASE_PARAM(double_free_of_what_is_in_a_new_span, kind_gen_params),
	KUNIT_CASE_PARAM(address_in_an_object, kind_gen_params),
	KUNIT_CASE_PARAM(object_of_another_cache, kind_gen_params),
	KUNIT_CASE_PARAM(seal_in_an_object_keeps_it, kind_gen_params),
	KUNIT_CASE(tail_of_a_constructed_span),
	KUNIT_CASE(double_free_by_the_cache),
	KUNIT_CASE(retired_span_is_known_no_more),
	KUNIT_CASE(use_after_free_hides_a_double_free_until_the_drain),
	KUNIT_CASE(what_is_handed_out_is_not_sealed),
	KUNIT_CASE(contents_of_constructed_objects_stay),
	KUNIT_CASE(double_free_after_a_reset),
	{}
};

static struct kunit_suite exact_suite = {
	.name = "kspan_exact_free",
	.init = exact_init,
	.exit = exact_exit,
	.test_cases = exact_cases,
};

kunit_test_suite(exact_suite);
