// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation that a call makes fails in turn, for every call of the API.
 *
 * The first allocation fails, then the second one, and so on until the call makes no more. These
 * are blocks of pages of every order, and objects of SLUB, if the kernel can let them fail
 * (CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC). Otherwise they are arenas.
 *
 * An allocation fails alone, and the call may find another way. Or it fails with all that follow.
 * Each time the call must succeed, or fail as a whole. Then objects of others must be intact, and
 * no new object may be left. When the results are freed there must be as many pages and arenas as
 * before.
 *
 * The objects of others leave no free page, so that a call needs an arena of its own.
 */
#include <linux/debugfs.h>
#include <linux/kspan.h>
#include <linux/string.h>

#include "api/heaps.h"
#include "api/private.h"
#include "context.h"
#include "model.h"

/* No call makes more allocations than this. */
#define MAX_NTH		1000
#define BULK		16
#define WITNESSES	64

/* Results of the calls. All that are not NULL are freed after each attempt. */
static struct {
	struct kspan_heap *heap;
	struct kspan_cache *cache;
	struct kspan_region *region;
	struct kspan_cpu_region *cpu_region;
	struct kspan_pool *pool;
	struct kspan_fixed_pool *fixed;
	void *pooled;
	void *p;
	unsigned int n;
	void *bulk[BULK];
	size_t prefilled;
} made;

/* Objects of others. */
static struct {
	unsigned int n;
	void *p[WITNESSES];
	size_t size[WITNESSES];
} witnesses;

/**
 * struct nth_call - a call of the API
 * @name:		shown in the log
 * @prepare:	makes what the call needs, before any allocation fails; may be NULL
 * @call:		makes the call, and returns whether it succeeded
 * @always:	the call must succeed
 */
struct nth_call {
	const char *name;
	bool (*prepare)(void);
	bool (*call)(gfp_t gfp);
	bool always;
};

/* Keep an object, and write all of it. No other object may change by that. */
static bool filled(void *p, size_t size)
{
	made.p = p;
	if (p)
		memset(p, 0xa5, size);
	return p;
}

static bool malloc_8(gfp_t gfp)
{
	return filled(kspan_malloc(8, gfp), 8);
}

static bool malloc_100(gfp_t gfp)
{
	return filled(kspan_malloc(100, gfp), 100);
}

static bool malloc_class_of_many_pages(gfp_t gfp)
{
	return filled(kspan_malloc(6784, gfp), 6784);
}

static bool malloc_32k(gfp_t gfp)
{
	return filled(kspan_malloc(32768, gfp), 32768);
}

static bool malloc_large(gfp_t gfp)
{
	return filled(kspan_malloc(40000, gfp), 40000);
}

static bool malloc_largest(gfp_t gfp)
{
	return filled(kspan_malloc(KSPAN_MAX_SIZE, gfp), KSPAN_MAX_SIZE);
}

static bool zalloc(gfp_t gfp)
{
	made.p = kspan_zalloc(300, gfp);
	return made.p && !memchr_inv(made.p, 0, 300);
}

static bool malloc_node(gfp_t gfp)
{
	return filled(kspan_malloc_node(3000, gfp | __GFP_THISNODE, kspan_home_node()), 3000);
}

static bool malloc_aligned(gfp_t gfp)
{
	return filled(kspan_malloc_aligned(3000, 8192, gfp), 3000);
}

static bool tiny_alloc(gfp_t gfp)
{
	return filled(kspan_tiny_alloc(5, gfp), 5);
}

static bool strdup_text(gfp_t gfp)
{
	static const char text[] = "no other object has the class of this";

	made.p = kspan_strdup(text, gfp);
	return made.p && !strcmp(made.p, text);
}

static bool asprintf_text(gfp_t gfp)
{
	made.p = kspan_asprintf(gfp, "%0200d", 1);
	return made.p && strlen(made.p) == 200;
}

static bool mempool_alloc_element(gfp_t gfp)
{
	return filled(kspan_mempool_alloc(gfp, (void *)500UL), 500);
}

/* A bulk gets all objects or none. */
static bool bulk(gfp_t gfp)
{
	made.n = kspan_alloc_bulk(1700, gfp, BULK, made.bulk);
	return made.n == BULK;
}

static bool bulk_of_large(gfp_t gfp)
{
	made.n = kspan_alloc_bulk(300000, gfp, BULK, made.bulk);
	return made.n == BULK;
}

static bool make_old(void)
{
	made.p = kspan_malloc(100, GFP_KERNEL);
	if (made.p)
		model_stamp(made.p, 100, 'o');
	return made.p;
}

/* When realloc() fails, the old object must stay as it was. */
static bool grow(size_t size, gfp_t gfp)
{
	void *p = kspan_realloc(made.p, size, gfp);

	if (p)
		made.p = p;
	/* expect_old() fails the case if the pattern is wrong. */
	return p;
}

static bool realloc_small(gfp_t gfp)
{
	return grow(2000, gfp);
}

static bool realloc_large(gfp_t gfp)
{
	return grow(600000, gfp);
}

static bool free_many(gfp_t gfp)
{
	kspan_free_bulk(made.n, made.bulk);
	made.n = 0;
	return true;
}

static bool make_many(void)
{
	made.n = kspan_alloc_bulk(1700, GFP_KERNEL, BULK, made.bulk);
	return made.n;
}

struct rcu_object {
	u8 front[40];
	struct rcu_head rcu;
};

static bool free_rcu_many(gfp_t gfp)
{
	for (; made.n; made.n--) {
		struct rcu_object *object = made.bulk[made.n - 1];

		kspan_free_rcu(object, rcu);
	}
	kspan_barrier();
	return true;
}

static bool free_rcu_mightsleep(gfp_t gfp)
{
	kspan_free_rcu_mightsleep(made.p);
	made.p = NULL;
	kspan_barrier();
	return true;
}

/* Use another class each time, since the reserve of a class keeps what it once had. */
static bool prefill(gfp_t gfp)
{
	static unsigned int n;

	made.prefilled = kspan_size_classes[KSPAN_NR_CLASSES / 2 + n++ % 20].size;
	return !kspan_prefill(made.prefilled, 20, gfp);
}

static bool heap_create(gfp_t gfp)
{
	made.heap = kspan_heap_create("nth", SZ_16M, 0);
	return made.heap;
}

static bool heap_create_tracked(gfp_t gfp)
{
	made.heap = kspan_heap_create("nth", 0, KSPAN_HEAP_TRACK);
	return made.heap;
}

static bool make_heap(void)
{
	return heap_create(GFP_KERNEL);
}

static bool make_heap_tracked(void)
{
	return heap_create_tracked(GFP_KERNEL);
}

static bool heap_malloc(gfp_t gfp)
{
	return filled(kspan_heap_malloc(made.heap, 200, gfp), 200);
}

static bool heap_malloc_large(gfp_t gfp)
{
	return filled(kspan_heap_malloc(made.heap, 200000, gfp), 200000);
}

static bool heap_tiny_alloc(gfp_t gfp)
{
	return filled(kspan_heap_tiny_alloc(made.heap, 5, gfp), 5);
}

static bool heap_bulk(gfp_t gfp)
{
	made.n = kspan_heap_alloc_bulk(made.heap, 400, gfp, BULK, made.bulk);
	return made.n == BULK;
}

static bool make_heap_and_old(void)
{
	if (!make_heap())
		return false;
	made.p = kspan_heap_malloc(made.heap, 100, GFP_KERNEL);
	if (made.p)
		model_stamp(made.p, 100, 'o');
	return made.p;
}

static bool heap_realloc(gfp_t gfp)
{
	void *p = kspan_heap_realloc(made.heap, made.p, 5000, gfp);

	if (p)
		made.p = p;
	return p;
}

static void construct(void *object)
{
	memset(object, 0x77, 700);
}

static bool cache_create(gfp_t gfp)
{
	made.cache = kspan_cache_create("nth", 700, 64, KSPAN_TYPESAFE_BY_RCU, construct);
	return made.cache;
}

static bool make_cache(void)
{
	return cache_create(GFP_KERNEL);
}

static bool cache_alloc(gfp_t gfp)
{
	made.p = kspan_cache_alloc(made.cache, gfp);
	return made.p && !memchr_inv(made.p, 0x77, 700);
}

static bool cache_bulk(gfp_t gfp)
{
	made.n = kspan_cache_alloc_bulk(made.cache, gfp, BULK, made.bulk);
	return made.n == BULK;
}

static bool region_create(gfp_t gfp)
{
	made.region = kspan_region_create(NULL, 0, gfp);
	return made.region;
}

static bool make_region(void)
{
	return region_create(GFP_KERNEL);
}

/* A region gets its first chunk when it is created, and frees its objects when it is destroyed. */
static bool make_full_region(void)
{
	return make_region() && kspan_region_alloc(made.region, 30000, GFP_KERNEL);
}

static bool region_alloc(gfp_t gfp)
{
	void *p = kspan_region_alloc(made.region, 3000, gfp);

	if (p)
		memset(p, 0xa5, 3000);
	return p;
}

static bool region_alloc_large(gfp_t gfp)
{
	void *p = kspan_region_alloc(made.region, 500000, gfp);

	if (p)
		memset(p, 0xa5, 500000);
	return p;
}

static bool cpu_region_create(gfp_t gfp)
{
	made.cpu_region = kspan_cpu_region_create(NULL, 0, gfp);
	return made.cpu_region;
}

static bool pool_create(gfp_t gfp)
{
	static const struct kspan_pool_ops ops = { .name = "nth", .size = 600 };

	made.pool = kspan_pool_create(&ops, gfp);
	return made.pool;
}

static bool make_pool(void)
{
	return pool_create(GFP_KERNEL);
}

static bool pool_get(gfp_t gfp)
{
	made.pooled = kspan_pool_get_gfp(made.pool, gfp);
	return made.pooled;
}

static bool fixed_pool_create(gfp_t gfp)
{
	made.fixed = kspan_fixed_pool_create(5000, 64, 300, gfp);
	return made.fixed && kspan_fixed_pool_available(made.fixed) == 300;
}

static bool fixed_pool_create_over(gfp_t gfp)
{
	static u8 buffer[1000];

	made.fixed = kspan_fixed_pool_create_over(buffer, sizeof(buffer), 90, 0, gfp);
	return made.fixed;
}

static const struct nth_call calls[] = {
	{ "malloc of 8 bytes", NULL, malloc_8 },
	{ "malloc of 100 bytes", NULL, malloc_100 },
	{ "malloc of 6784 bytes", NULL, malloc_class_of_many_pages },
	{ "malloc of 32 KiB", NULL, malloc_32k },
	{ "malloc of 40000 bytes", NULL, malloc_large },
	{ "malloc of all that can be had", NULL, malloc_largest },
	{ "zalloc", NULL, zalloc },
	{ "malloc_node", NULL, malloc_node },
	{ "malloc_aligned", NULL, malloc_aligned },
	{ "tiny_alloc", NULL, tiny_alloc },
	{ "strdup", NULL, strdup_text },
	{ "asprintf", NULL, asprintf_text },
	{ "mempool_alloc", NULL, mempool_alloc_element },
	{ "alloc_bulk", NULL, bulk },
	{ "alloc_bulk of large objects", NULL, bulk_of_large },
	{ "realloc to another class", make_old, realloc_small },
	{ "realloc to a large object", make_old, realloc_large },
	{ "free_bulk", make_many, free_many, true },
	{ "free_rcu", make_many, free_rcu_many, true },
	{ "free_rcu_mightsleep", make_old, free_rcu_mightsleep, true },
	{ "prefill", NULL, prefill },
	{ "heap_create", NULL, heap_create },
	{ "heap_create, tracked", NULL, heap_create_tracked },
	{ "heap_malloc", make_heap, heap_malloc },
	{ "heap_malloc, tracked", make_heap_tracked, heap_malloc },
	{ "heap_malloc of a large object", make_heap, heap_malloc_large },
	{ "heap_tiny_alloc", make_heap, heap_tiny_alloc },
	{ "heap_alloc_bulk", make_heap, heap_bulk },
	{ "heap_realloc", make_heap_and_old, heap_realloc },
	{ "cache_create", NULL, cache_create },
	{ "cache_alloc", make_cache, cache_alloc },
	{ "cache_alloc_bulk", make_cache, cache_bulk },
	{ "region_create", NULL, region_create },
	{ "region_alloc", make_full_region, region_alloc },
	{ "region_alloc of a large object", make_region, region_alloc_large },
	{ "cpu_region_create", NULL, cpu_region_create },
	{ "pool_create", NULL, pool_create },
	{ "pool_get", make_pool, pool_get },
	{ "fixed_pool_create", NULL, fixed_pool_create },
	{ "fixed_pool_create_over", NULL, fixed_pool_create_over },
};

static void name_of_call(const struct nth_call *call, char *name)
{
	strscpy(name, call->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(call, calls, name_of_call);

/* Free the results of a call, and what was prepared for it. */
static void undo(void)
{
	kspan_free(made.p);
	kspan_free_bulk(made.n, made.bulk);
	if (made.prefilled)
		kspan_prefill(made.prefilled, 0, GFP_KERNEL);
	if (made.pooled)
		kspan_pool_put(made.pool, made.pooled);
	kspan_pool_destroy(made.pool);
	kspan_fixed_pool_destroy(made.fixed);
	kspan_region_destroy(made.region);
	kspan_cpu_region_destroy(made.cpu_region);
	kspan_cache_destroy(made.cache);
	kspan_private_settle();
	kspan_heap_destroy(made.heap);
	memset(&made, 0, sizeof(made));
}

/*
 * The kernel's own fault attributes. By default they let no allocation fail that may wait, and no
 * single page. With these values they let all allocations of a marked task fail, after fail_nth of
 * that task has let one fail.
 */
static struct knob {
	const char *dir;
	const char *name;
	size_t bytes;
	u64 value;
	u64 before;
	void *at;
} knobs[] = {
	{ "failslab", "ignore-gfp-wait", sizeof(bool), false },
	{ "failslab", "verbose", sizeof(unsigned long), 0 },
	{ "failslab", "task-filter", sizeof(bool), true },
	{ "failslab", "times", sizeof(atomic_t), -1 },
	{ "failslab", "probability", sizeof(unsigned long), 100 },
	{ "fail_page_alloc", "ignore-gfp-wait", sizeof(bool), false },
	{ "fail_page_alloc", "ignore-gfp-highmem", sizeof(bool), false },
	{ "fail_page_alloc", "min-order", sizeof(u32), 0 },
	{ "fail_page_alloc", "verbose", sizeof(unsigned long), 0 },
	{ "fail_page_alloc", "task-filter", sizeof(bool), true },
	{ "fail_page_alloc", "times", sizeof(atomic_t), -1 },
	{ "fail_page_alloc", "probability", sizeof(unsigned long), 100 },
};

/* The variable behind a file of debugfs, or NULL without such a file. */
static void *knob_address(const struct knob *knob)
{
	struct dentry *dir = debugfs_lookup(knob->dir, NULL), *file;
	void *at = NULL;

	if (IS_ERR_OR_NULL(dir))
		return NULL;
	file = debugfs_lookup(knob->name, dir);
	if (!IS_ERR_OR_NULL(file)) {
		at = d_inode(file)->i_private;
		dput(file);
	}
	dput(dir);
	return at;
}

static void turn_knobs(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(knobs); i++) {
		knobs[i].at = knob_address(&knobs[i]);
		if (!knobs[i].at)
			continue;
		memcpy(&knobs[i].before, knobs[i].at, knobs[i].bytes);
		/* The value's low bytes come first, as the kernel is little-endian. */
		memcpy(knobs[i].at, &knobs[i].value, knobs[i].bytes);
	}
}

static void turn_knobs_back(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(knobs); i++) {
		if (knobs[i].at)
			memcpy(knobs[i].at, &knobs[i].before, knobs[i].bytes);
		knobs[i].at = NULL;
	}
}

#ifdef CONFIG_FAULT_INJECTION
/* Set the module's own attribute likewise. Not every kernel has it in debugfs. */
static void turn_arena_knobs(bool on)
{
	kspan_fail_arena.task_filter = on;
	atomic_set(&kspan_fail_arena.times, on ? -1 : 1);
	kspan_fail_arena.probability = on ? 100 : 0;
}

/* Mark the running task, or remove the mark. */
static void fail_the_rest(bool on)
{
	current->make_it_fail = on;
}
#else
static void turn_arena_knobs(bool on)
{
}

static void fail_the_rest(bool on)
{
}
#endif

static void add_witness(void *p, size_t size)
{
	model_stamp(p, size, witnesses.n);
	witnesses.p[witnesses.n] = p;
	witnesses.size[witnesses.n++] = size;
}

/* Allocate objects of some sizes, and others that use up the rest of their arenas. */
static void make_witnesses(struct kunit *test)
{
	static const size_t sizes[] = { 16, 80, 1000, 5000, 150000 };
	struct kspan_page_stats stats;
	unsigned int i;
	size_t size;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = kspan_malloc(sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		add_witness(p, sizes[i]);
	}
	/* Drain the magazines. A call would get their objects before it needs an arena. */
	kspan_kunit_settle();
	for (size = KSPAN_MAX_SIZE; size >= KSPAN_PAGE_SIZE; size /= 2)
		while (witnesses.n < WITNESSES && (p = kspan_malloc_nolock(size)))
			add_witness(p, size);
	/* Make holes of the pages that could not be used up. */
	kspan_kunit_settle();
	kspan_page_heap_release_all();
	kspan_page_stats_read(&stats);
	KUNIT_ASSERT_EQ(test, stats.used, stats.pages);
}

static void check_witnesses(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < witnesses.n; i++)
		KUNIT_EXPECT_TRUE_MSG(test, model_stamped(witnesses.p[i], witnesses.size[i], i),
				      "an object of %zu bytes", witnesses.size[i]);
}

static void count_heap(struct kspan_heap *heap, void *n)
{
	++*(unsigned int *)n;
}

/* These must be the same after an attempt as before. */
struct held {
	struct kspan_page_stats pages;
	unsigned int heaps;
	u64 objects;
};

static void read_held(struct held *held)
{
	struct kspan_stats stats;

	kspan_page_stats_read(&held->pages);
	held->heaps = 0;
	kspan_visit_heaps(count_heap, &held->heaps);
	kspan_stats_read(&stats);
	held->objects = stats.heap_objects;
}

static void expect_held(struct kunit *test, const struct held *before, unsigned int nth)
{
	struct held now;

	kspan_kunit_settle();
	read_held(&now);
	KUNIT_EXPECT_EQ_MSG(test, now.pages.used, before->pages.used, "nth = %u", nth);
	KUNIT_EXPECT_EQ_MSG(test, now.pages.pages, before->pages.pages, "nth = %u", nth);
	KUNIT_EXPECT_EQ_MSG(test, now.pages.arenas, before->pages.arenas, "nth = %u", nth);
	KUNIT_EXPECT_EQ_MSG(test, now.heaps, before->heaps, "nth = %u", nth);
	KUNIT_EXPECT_EQ_MSG(test, now.objects, before->objects, "nth = %u", nth);
	kspan_verify(test, &kspan_default_heap);
	check_witnesses(test);
}

/* A call that failed must leave no object, and the old one unchanged. */
static void expect_nothing_done(struct kunit *test, const struct nth_call *call,
				const struct held *before, unsigned int nth)
{
	struct held now;

	KUNIT_EXPECT_FALSE_MSG(test, call->always, "nth = %u", nth);
	/* kspan_prefill() may leave some of the objects in the reserve. */
	if (call->call == prefill)
		return;
	read_held(&now);
	KUNIT_EXPECT_EQ_MSG(test, now.objects, before->objects, "nth = %u", nth);
	KUNIT_EXPECT_EQ_MSG(test, now.heaps, before->heaps, "nth = %u", nth);
	KUNIT_EXPECT_EQ_MSG(test, made.n, 0U, "nth = %u", nth);
}

static void expect_old(struct kunit *test, const struct nth_call *call, unsigned int nth)
{
	if (made.p && (call->prepare == make_old || call->prepare == make_heap_and_old))
		KUNIT_EXPECT_TRUE_MSG(test, model_stamped(made.p, 100, 'o'), "nth = %u", nth);
}

/*
 * Let allocation @nth fail, and with @all all that follow. Returns whether the call made that
 * many.
 */
static bool attempt(struct kunit *test, bool all, const struct held *at_first, unsigned int nth,
		    unsigned int *nulls)
{
	const struct nth_call *call = test->param_value;
	struct held before;
	bool ok, failed;

	if (call->prepare) {
		KUNIT_ASSERT_TRUE(test, call->prepare());
		/* Leave no free object of the preparation to the call. */
		kspan_kunit_settle();
	}
	read_held(&before);
	fail_the_rest(all);
	kspan_kunit_fail_nth(nth);
	ok = call->call(GFP_KERNEL | __GFP_NOWARN);
	failed = kspan_kunit_nth_failed();
	fail_the_rest(false);
	KUNIT_EXPECT_TRUE_MSG(test, ok || failed, "fails by itself, nth = %u", nth);
	if (!ok) {
		++*nulls;
		expect_nothing_done(test, call, &before, nth);
	}
	expect_old(test, call, nth);
	undo();
	expect_held(test, at_first, nth);
	return failed;
}

static void each_allocation_of(struct kunit *test, bool all)
{
	const struct nth_call *call = test->param_value;
	unsigned int nth = 1, nulls = 0;
	struct held at_first;

	kspan_kunit_settle();
	read_held(&at_first);
	while (nth < MAX_NTH && attempt(test, all, &at_first, nth, &nulls))
		nth++;
	KUNIT_EXPECT_LT(test, nth, MAX_NTH);
	kunit_info(test, "%s: %u failures, %u of them gave NULL\n", call->name, nth - 1, nulls);
	/* Otherwise the case has tried nothing. */
	if (IS_ENABLED(CONFIG_FAILSLAB) && !call->always)
		KUNIT_EXPECT_GT(test, nth, 1U);
}

static void one_allocation_fails(struct kunit *test)
{
	each_allocation_of(test, false);
}

static void all_fail_from_one_on(struct kunit *test)
{
	each_allocation_of(test, true);
}

static int nth_init(struct kunit *test)
{
	kspan_kunit_init(test);
	kspan_kunit_needs_faults(test);
	kspan_barrier();
	memset(&made, 0, sizeof(made));
	memset(&witnesses, 0, sizeof(witnesses));
	turn_knobs();
	turn_arena_knobs(true);
	make_witnesses(test);
	return 0;
}

static void nth_exit(struct kunit *test)
{
	unsigned int i;

	fail_the_rest(false);
	kspan_kunit_fail_nth(0);
	turn_knobs_back();
	turn_arena_knobs(false);
	undo();
	kspan_barrier();
	for (i = 0; i < witnesses.n; i++)
		kspan_free(witnesses.p[i]);
	witnesses.n = 0;
	kspan_kunit_exit(test);
}

static struct kunit_case nth_cases[] = {
	KUNIT_CASE_PARAM(one_allocation_fails, call_gen_params),
	KUNIT_CASE_PARAM(all_fail_from_one_on, call_gen_params),
	{}
};

static struct kunit_suite nth_suite = {
	.name = "kspan_fault_nth",
	.init = nth_init,
	.exit = nth_exit,
	.test_cases = nth_cases,
};

kunit_test_suite(nth_suite);
