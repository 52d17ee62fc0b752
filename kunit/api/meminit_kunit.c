// SPDX-License-Identifier: GPL-2.0
/*
 * Contents of memory when it is allocated, and after it was freed.
 *
 * The kernel's lib/test_meminit.c tests init_on_alloc= and init_on_free= on the page allocator,
 * vmalloc() and SLUB. These cases make the same checks, and as many, with kspan's calls and with
 * SLUB's. The options that the kernel was booted with decide: with either one a new owner must not
 * see contents of an earlier one. Without any there must be garbage, as wiping costs time.
 *
 * Each place that wipes under init_on_free=1 only has a case of its own.
 */
#include <linux/kspan.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "api/private.h"
#include "kits/fixed_pool.h"
#include "kspan_kunit.h"
#include "objects/seal.h"

#define GARBAGE		0x9e
#define CTOR_WORD	0x41414141U
#define BULK		100
#define SMALL_BULK	10
#define ROUNDS		10
#define MANY_ROUNDS	1024
/* Sizes of typed objects: 8, 16, ... */
#define NR_SIZES	10
#define SIZE(i)		(8U << (i))
#define MAX_SIZE	SIZE(NR_SIZES - 1)

/* Calls that allocate and free objects of one kind. */
struct allocator {
	void *(*create)(unsigned int size, unsigned int align, bool rcu, void (*ctor)(void *));
	void *(*alloc)(void *cache, gfp_t gfp);
	bool (*alloc_bulk)(void *cache, gfp_t gfp, unsigned int n, void **objects);
	void (*free)(void *cache, void *object);
	void (*free_bulk)(void *cache, unsigned int n, void **objects);
	void (*destroy)(void *cache);
};

struct kind {
	unsigned int size;
	bool ctor;
	bool rcu;
	bool zero;
};

static void **objects;
static u8 *contents;

static int meminit_init(struct kunit *test)
{
	objects = kunit_kcalloc(test, MANY_ROUNDS, sizeof(*objects), GFP_KERNEL);
	contents = kunit_kzalloc(test, MAX_SIZE, GFP_KERNEL);
	if (!objects || !contents)
		return -ENOMEM;
	return kspan_kunit_init(test);
}

/* Whether an option keeps new owners from the contents of earlier ones. */
static bool memory_is_wiped(void)
{
	return want_init_on_alloc(0) || want_init_on_free();
}

static bool is_zero(const void *p, size_t size)
{
	return !memchr_inv(p, 0, size);
}

/* Whether a freed object is zero, but for its seal. */
static bool is_wiped(const void *p, size_t size)
{
	size_t skip = kspan_is_sealed(p, 0) ? sizeof(long) : 0;

	return is_zero(p + skip, size - skip);
}

static void *typed_create(unsigned int size, unsigned int align, bool rcu, void (*ctor)(void *))
{
	return kspan_cache_create("kunit meminit", size, align, rcu ? KSPAN_TYPESAFE_BY_RCU : 0,
				  ctor);
}

static void *typed_alloc(void *cache, gfp_t gfp)
{
	return kspan_cache_alloc(cache, gfp);
}

static bool typed_alloc_bulk(void *cache, gfp_t gfp, unsigned int n, void **p)
{
	return kspan_cache_alloc_bulk(cache, gfp, n, p);
}

static void typed_free(void *cache, void *object)
{
	kspan_cache_free(cache, object);
}

static void typed_free_bulk(void *cache, unsigned int n, void **p)
{
	kspan_cache_free_bulk(cache, n, p);
}

static void typed_destroy(void *cache)
{
	kspan_cache_destroy(cache);
}

static const struct allocator typed_cache = {
	.create = typed_create,
	.alloc = typed_alloc,
	.alloc_bulk = typed_alloc_bulk,
	.free = typed_free,
	.free_bulk = typed_free_bulk,
	.destroy = typed_destroy,
};

static void *slub_create(unsigned int size, unsigned int align, bool rcu, void (*ctor)(void *))
{
	return kmem_cache_create("kspan_kunit_meminit", size, align,
				 rcu ? SLAB_TYPESAFE_BY_RCU : 0, ctor);
}

static void *slub_alloc(void *cache, gfp_t gfp)
{
	return kmem_cache_alloc(cache, gfp);
}

static bool slub_alloc_bulk(void *cache, gfp_t gfp, unsigned int n, void **p)
{
	return kmem_cache_alloc_bulk(cache, gfp, n, p);
}

static void slub_free(void *cache, void *object)
{
	kmem_cache_free(cache, object);
}

static void slub_free_bulk(void *cache, unsigned int n, void **p)
{
	kmem_cache_free_bulk(cache, n, p);
}

static void slub_destroy(void *cache)
{
	kmem_cache_destroy(cache);
}

static const struct allocator slub = {
	.create = slub_create,
	.alloc = slub_alloc,
	.alloc_bulk = slub_alloc_bulk,
	.free = slub_free,
	.free_bulk = slub_free_bulk,
	.destroy = slub_destroy,
};

/*
 * Fill an object with garbage, free it, and allocate the next one. Returns whether that was wiped.
 */

static bool next_is_wiped(struct kunit *test, struct kspan_heap *heap, size_t size)
{
	bool wiped;
	void *p;

	p = kspan_heap_malloc(heap, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, GARBAGE, size);
	kspan_free(p);
	p = kspan_heap_malloc(heap, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	wiped = is_zero(p, size);
	memset(p, GARBAGE, size);
	kspan_free(p);
	return wiped;
}

static void init_options_hold_for_all_sizes(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("kunit meminit", 0, 0);
	unsigned int failures = 0, i;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	for (i = 0; i < 20; i++) {
		failures += !next_is_wiped(test, NULL, 1UL << i);
		failures += !next_is_wiped(test, heap, 1UL << i);
	}
	kspan_heap_destroy(heap);
	kunit_info(test, "%u of 40 read what was there before\n", failures);
	if (memory_is_wiped())
		KUNIT_EXPECT_EQ(test, failures, 0U);
	else
		KUNIT_EXPECT_GT(test, failures, 0U);
}

/* Typed caches, with and without a constructor, readers under RCU and the zero flag */

static void construct(void *object)
{
	*(u32 *)object = CTOR_WORD;
}

/* An object of a cache for RCU readers may contain anything, but for what its constructor wrote. */
static bool is_as_promised(const void *p, const struct kind *kind, bool zero)
{
	if (zero)
		return is_zero(p, kind->size);
	if (kind->ctor)
		return *(const u32 *)p == CTOR_WORD;
	return kind->rcu || is_zero(p, kind->size);
}

static void spoil(void *p, const struct kind *kind)
{
	unsigned int skip = kind->ctor ? sizeof(u32) : 0;

	memset(p + skip, GARBAGE, kind->size - skip);
}

static bool bulk_is_as_promised(const struct allocator *from, void *cache,
				const struct kind *kind, gfp_t gfp)
{
	bool good = true;
	unsigned int i;

	if (!from->alloc_bulk(cache, gfp, BULK, objects))
		return false;
	for (i = 0; i < BULK; i++)
		good &= is_as_promised(objects[i], kind, kind->zero);
	from->free_bulk(cache, BULK, objects);
	return good;
}

/* A free must not change the object while a reader may look at it. */
static bool free_leaves_it_to_readers(const struct allocator *from, void *cache, void *p,
				      const struct kind *kind)
{
	bool good;

	rcu_read_lock();
	memcpy(contents, p, kind->size);
	from->free(cache, p);
	good = is_as_promised(p, kind, false) && !memcmp(p, contents, kind->size);
	rcu_read_unlock();
	return good;
}

static bool one_is_as_promised(const struct allocator *from, void *cache,
			       const struct kind *kind, gfp_t gfp)
{
	void *p = from->alloc(cache, gfp);
	bool good;

	if (!p)
		return false;
	good = is_as_promised(p, kind, kind->zero);
	spoil(p, kind);
	if (kind->rcu)
		return free_leaves_it_to_readers(from, cache, p, kind) && good;
	from->free(cache, p);
	return good;
}

static bool kind_is_as_promised(struct kunit *test, const struct allocator *from,
				const struct kind *kind)
{
	void *cache = from->create(kind->size, 1, kind->rcu, kind->ctor ? construct : NULL);
	gfp_t gfp = GFP_KERNEL | (kind->zero ? __GFP_ZERO : 0);
	bool good = true;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	for (i = 0; i < ROUNDS; i++) {
		if (!kind->rcu && !kind->ctor)
			good &= bulk_is_as_promised(from, cache, kind, gfp);
		good &= one_is_as_promised(from, cache, kind, gfp);
	}
	from->destroy(cache);
	return good;
}

static bool small_bulk_is_zero(struct kunit *test, const struct allocator *from,
			       unsigned int size)
{
	void *cache = from->create(size, size, false, NULL);
	bool good = true;
	unsigned int i, k;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	for (i = 0; i < MANY_ROUNDS && good; i++) {
		KUNIT_ASSERT_TRUE(test, from->alloc_bulk(cache, GFP_KERNEL, SMALL_BULK, objects));
		for (k = 0; k < SMALL_BULK; k++) {
			good &= is_zero(objects[k], size);
			memset(objects[k], GARBAGE, size);
		}
		from->free_bulk(cache, SMALL_BULK, objects);
	}
	from->destroy(cache);
	return good;
}

/* @garbage: sizes whose memory keeps its garbage, if no option is set */
static void try_kinds(struct kunit *test, const struct allocator *from, unsigned int garbage)
{
	unsigned int i, flags, failures = 0, tests = 0;

	for (i = 0; i < NR_SIZES; i++) {
		for (flags = 0; flags < 8; flags++) {
			struct kind kind = { SIZE(i), flags & 1, flags & 2, flags & 4 };

			if (kind.ctor && kind.zero)
				continue;
			tests++;
			failures += !kind_is_as_promised(test, from, &kind);
		}
		tests++;
		failures += !small_bulk_is_zero(test, from, SIZE(i));
	}
	kunit_info(test, "%u of %u read what was there before\n", failures, tests);
	KUNIT_EXPECT_EQ(test, tests, 70U);
	/* In each size two kinds have no constructor, no readers and no zero flag. */
	KUNIT_EXPECT_EQ(test, failures, memory_is_wiped() ? 0 : 2 * garbage);
}

/* An object that is allocated again must be unchanged, as a reader may still look at it. */
static bool contents_persist(struct kunit *test, const struct allocator *from,
			     unsigned int size)
{
	void *cache = from->create(size, size, true, NULL), *p;
	unsigned int i, n = 0;
	bool good = true;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	p = from->alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, GARBAGE, size);
	from->free(cache, p);
	while (n < MANY_ROUNDS) {
		objects[n] = from->alloc(cache, GFP_KERNEL);
		if (!objects[n])
			break;
		if (objects[n++] == p) {
			good = !memchr_inv(p, GARBAGE, size);
			break;
		}
	}
	for (i = 0; i < n; i++)
		from->free(cache, objects[i]);
	from->destroy(cache);
	return good;
}

static void try_persistence(struct kunit *test, const struct allocator *from)
{
	unsigned int i, failures = 0;

	for (i = 0; i < NR_SIZES; i++)
		failures += !contents_persist(test, from, SIZE(i));
	KUNIT_EXPECT_EQ(test, failures, 0U);
}

static void init_options_hold_for_typed_caches(struct kunit *test)
{
	/*
	 * In an object of 8 bytes the seal overwrites all of the garbage, and is wiped at the
	 * allocation.
	 */
	try_kinds(test, &typed_cache, kspan_exact_frees ? NR_SIZES - 1 : NR_SIZES);
}

static void init_options_leave_what_readers_see(struct kunit *test)
{
	try_persistence(test, &typed_cache);
}

/* The kernel's test has these totals. So the checks are the same. */
static void init_options_hold_for_slub_alike(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_KASAN))
		kunit_skip(test, "KASAN keeps freed objects from being handed out again");
	try_kinds(test, &slub, NR_SIZES);
	try_persistence(test, &slub);
}

/* Memory that init_on_free=1 wipes */

static void needs_init_on_free(struct kunit *test)
{
	if (!want_init_on_free())
		kunit_skip(test, "the kernel was not booted with init_on_free=1");
}

static void *garbage(struct kunit *test, struct kspan_heap *heap, size_t size)
{
	void *p = kspan_heap_malloc(heap, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, GARBAGE, size);
	return p;
}

/*
 * Check the old addresses of objects while kspan has the pages. The kernel itself wipes released
 * ones.
 */
static void expect_wiped(struct kunit *test, void **p, unsigned int n, size_t size,
			 const char *what)
{
	unsigned int i, ours = 0;

	for (i = 0; i < n; i++) {
		if (kspan_page_heap_state((unsigned long)p[i]) != KSPAN_PAGE_WAS_USED &&
		    kspan_page_heap_state((unsigned long)p[i]) != KSPAN_PAGE_DROPPED)
			continue;
		ours++;
		KUNIT_EXPECT_TRUE_MSG(test, is_wiped(p[i], size), "%s, object %u", what, i);
	}
	KUNIT_EXPECT_GT_MSG(test, ours, 0U, "%s", what);
}

static void fill(struct kunit *test, struct kspan_heap *heap, unsigned int n, size_t size)
{
	while (n--)
		objects[n] = garbage(test, heap, size);
}

static void init_on_free_wipes_many_at_once(struct kunit *test)
{
	needs_init_on_free(test);
	fill(test, NULL, BULK, 200);
	kspan_free_bulk(BULK, objects);
	expect_wiped(test, objects, BULK, 200, "small ones");
	fill(test, NULL, SMALL_BULK, 100000);
	kspan_free_bulk(SMALL_BULK, objects);
	expect_wiped(test, objects, SMALL_BULK, 100000, "large ones");
}

static void init_on_free_wipes_typed_objects(struct kunit *test)
{
	struct kspan_cache *cache;
	unsigned int i;

	needs_init_on_free(test);
	cache = kspan_cache_create("kunit meminit", 200, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	KUNIT_ASSERT_EQ(test, kspan_cache_alloc_bulk(cache, GFP_KERNEL, BULK, objects),
			(unsigned int)BULK);
	for (i = 0; i < BULK; i++)
		memset(objects[i], GARBAGE, 200);
	kspan_cache_free(cache, objects[0]);
	KUNIT_EXPECT_TRUE(test, is_wiped(objects[0], 200));
	KUNIT_EXPECT_FALSE(test, is_wiped(objects[1], 200));
	kspan_cache_free_bulk(cache, BULK - 1, objects + 1);
	for (i = 1; i < BULK; i++)
		KUNIT_EXPECT_TRUE(test, is_wiped(objects[i], 200));
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
}

/* An object that shrinks in place loses its last pages. */
static void init_on_free_wipes_what_realloc_leaves(struct kunit *test)
{
	void *p, *tail;

	needs_init_on_free(test);
	p = garbage(test, NULL, KSPAN_KUNIT_PAGES(16));
	tail = p + KSPAN_KUNIT_PAGES(8);
	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, KSPAN_KUNIT_PAGES(8), GFP_KERNEL), p);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, GARBAGE, KSPAN_KUNIT_PAGES(8)));
	expect_wiped(test, &tail, 1, KSPAN_KUNIT_PAGES(8), "what it had before");
	kspan_free(p);
}

/* A reset keeps the spans of small objects, and frees large ones. */
static void init_on_free_wipes_what_a_heap_resets(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("kunit meminit", 0, 0);
	void *large, *kept;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	/* These have several words of bitmap, and several spans. */
	fill(test, heap, MANY_ROUNDS, 64);
	large = garbage(test, heap, 100000);
	kspan_heap_reset(heap);
	if (want_init_on_free()) {
		expect_wiped(test, objects, MANY_ROUNDS, 64, "small ones");
		expect_wiped(test, &large, 1, 100000, "a large one");
	}
	/* Without the option a reset must not wipe them. */
	kept = objects[MANY_ROUNDS / 2];
	KUNIT_EXPECT_EQ(test, is_wiped(kept, 64), want_init_on_free());
	kspan_heap_destroy(heap);
}

static void init_on_free_wipes_what_a_heap_drops(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("kunit meminit", 0, 0);
	void *large;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	fill(test, heap, MANY_ROUNDS, 64);
	large = garbage(test, heap, 100000);
	kspan_heap_destroy(heap);
	needs_init_on_free(test);
	expect_wiped(test, objects, MANY_ROUNDS, 64, "small ones");
	expect_wiped(test, &large, 1, 100000, "a large one");
}

/* The pool must wipe blocks that are out, and no others. */
static void init_on_free_wipes_blocks(struct kunit *test)
{
	struct kspan_fixed_pool *pool = kspan_fixed_pool_create(200, 0, BULK, GFP_KERNEL);
	bool wipes = want_init_on_free();
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, pool);
	for (i = 0; i < BULK; i++) {
		objects[i] = kspan_fixed_pool_alloc(pool);
		memset(objects[i], GARBAGE, 200);
	}
	kspan_fixed_pool_free(pool, objects[0]);
	KUNIT_EXPECT_EQ(test, is_zero(objects[0], 200), wipes);
	memset(objects[0], GARBAGE, 200);
	kspan_fixed_pool_free(pool, objects[0]);
	KUNIT_EXPECT_FALSE_MSG(test, is_zero(objects[0], 200), "it was not out");
	KUNIT_EXPECT_FALSE(test, is_zero(objects[1], 200));
	kspan_fixed_pool_free_all(pool);
	KUNIT_EXPECT_FALSE_MSG(test, is_zero(objects[0], 200), "it was not out");
	for (i = 1; i < BULK; i++)
		KUNIT_EXPECT_EQ(test, is_zero(objects[i], 200), wipes);
	kspan_fixed_pool_destroy(pool);
}

/* A wrong free must not wipe memory. */
static void init_on_free_wipes_no_wrong_address(struct kunit *test)
{
	u64 before = kspan_bad_frees();
	u8 *p = garbage(test, NULL, 200), *large = garbage(test, NULL, 100000);
	u8 ours[64] __aligned(8);

	memset(ours, GARBAGE, sizeof(ours));
	kspan_free(ours);
	kspan_free(p + 8);
	kspan_free(large + 4096);
	/* A wrong address may have been in a magazine until here. */
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - before, 3ULL);
	KUNIT_EXPECT_NULL(test, memchr_inv(ours, GARBAGE, sizeof(ours)));
	KUNIT_EXPECT_NULL(test, memchr_inv(p, GARBAGE, 200));
	KUNIT_EXPECT_NULL(test, memchr_inv(large, GARBAGE, 100000));
	kspan_free(p);
	kspan_free(large);
	KUNIT_EXPECT_EQ(test, is_wiped(p, 200), want_init_on_free());
}

static struct kunit_case meminit_cases[] = {
	KUNIT_CASE(init_options_hold_for_all_sizes),
	KUNIT_CASE(init_options_hold_for_typed_caches),
	KUNIT_CASE(init_options_leave_what_readers_see),
	KUNIT_CASE(init_options_hold_for_slub_alike),
	KUNIT_CASE(init_on_free_wipes_many_at_once),
	KUNIT_CASE(init_on_free_wipes_typed_objects),
	KUNIT_CASE(init_on_free_wipes_what_realloc_leaves),
	KUNIT_CASE(init_on_free_wipes_what_a_heap_resets),
	KUNIT_CASE(init_on_free_wipes_what_a_heap_drops),
	KUNIT_CASE(init_on_free_wipes_blocks),
	KUNIT_CASE(init_on_free_wipes_no_wrong_address),
	{}
};

static struct kunit_suite meminit_suite = {
	.name = "kspan_meminit",
	.init = meminit_init,
	.exit = kspan_kunit_exit,
	.test_cases = meminit_cases,
};

kunit_test_suite(meminit_suite);
