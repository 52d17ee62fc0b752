// SPDX-License-Identifier: GPL-2.0
/* What an address is: each kind in each of its states, and addresses of others. */
#include <linux/fs.h>
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/sizes.h>

#include "kits/fixed_pool.h"
#include "kits/pool.h"
#include "kspan_kunit.h"
#include "observe/whatis.h"

#define SIZE	64
#define ROUNDS	20000

static struct kspan_heap *heap;

static int whatis_init(struct kunit *test)
{
	kspan_kunit_init(test);
	heap = kspan_heap_create("asked", 0, KSPAN_HEAP_TRACK);
	return heap ? 0 : -ENOMEM;
}

static void whatis_exit(struct kunit *test)
{
	kspan_heap_destroy(heap);
	kspan_kunit_exit(test);
}

static struct kspan_what ask(const void *p)
{
	struct kspan_what what;

	kspan_whatis((unsigned long)p, 0, &what);
	return what;
}

static void expect(struct kunit *test, const void *p, enum kspan_what_kind kind,
		   enum kspan_what_state state)
{
	struct kspan_what what = ask(p);

	KUNIT_EXPECT_EQ(test, (int)what.kind, (int)kind);
	KUNIT_EXPECT_EQ(test, (int)what.state, (int)state);
}

static void slot_is_live_then_cached_then_free(struct kunit *test)
{
	char *p = kspan_malloc(SIZE, GFP_KERNEL), *first = kspan_malloc(SIZE, GFP_KERNEL);
	struct kspan_what what = ask(p + 5);

	KUNIT_EXPECT_EQ(test, (int)what.kind, (int)KSPAN_WHAT_SLOT);
	KUNIT_EXPECT_EQ(test, (int)what.state, (int)KSPAN_STATE_LIVE);
	KUNIT_EXPECT_EQ(test, what.start, (unsigned long)p);
	KUNIT_EXPECT_EQ(test, what.bytes, (unsigned long)SIZE);
	KUNIT_EXPECT_EQ(test, what.class, kspan_size_class(SIZE));
	KUNIT_EXPECT_EQ(test, what.span_start + what.slot * SIZE, (unsigned long)p);
	KUNIT_EXPECT_EQ(test, what.nid, page_to_nid(virt_to_page(p)));
	KUNIT_EXPECT_STREQ(test, what.heap, "default");
	KUNIT_EXPECT_STREQ(test, what.module, "kspan");
	kspan_free(p);
	what = ask(p + 5);
	KUNIT_EXPECT_EQ(test, (int)what.state, (int)KSPAN_STATE_CACHED);
	KUNIT_EXPECT_LT(test, what.cpu, nr_cpu_ids);
	KUNIT_EXPECT_FALSE(test, what.written);
	kspan_heap_drain(&kspan_default_heap);
	expect(test, p, KSPAN_WHAT_SLOT, KSPAN_STATE_FREE);
	kspan_free(first);
}

/* A class whose slots do not fill the span. */
static size_t size_with_tail(void)
{
	const struct kspan_size_class *sc = kspan_size_classes + 1;

	while (KSPAN_KUNIT_PAGES(sc->pages) % sc->size == 0)
		sc++;
	return sc->size;
}

/*
 *	span	| out | never ... | never | tail |
 */
static void slots_of_a_new_span(struct kunit *test)
{
	char *p = kspan_heap_malloc(heap, size_with_tail(), GFP_KERNEL);
	struct kspan_what what = ask(p), tail;
	char *end = (char *)what.span_start + what.span_bytes;

	KUNIT_EXPECT_EQ(test, (int)what.kind, (int)KSPAN_WHAT_SLOT);
	KUNIT_EXPECT_EQ(test, what.slot, 0U);
	KUNIT_EXPECT_EQ(test, what.nr_slots, (unsigned int)(what.span_bytes / what.bytes));
	tail = ask(end - 1);
	KUNIT_EXPECT_EQ(test, (int)tail.state, (int)KSPAN_STATE_TAIL);
	KUNIT_EXPECT_EQ(test, tail.start + tail.bytes, (unsigned long)end);
	expect(test, (char *)tail.start - 1, KSPAN_WHAT_SLOT, KSPAN_STATE_NEVER);
	kspan_free(p);
}

static void slot_written_to_after_its_free(struct kunit *test)
{
	struct kspan_what what;
	unsigned long *p;

	if (!kspan_exact_frees)
		kunit_skip(test, "kspan was loaded with exact_frees=0");
	p = kspan_malloc(SIZE, GFP_KERNEL);
	kspan_free(p);
	*p = 1;
	what = ask(p);
	KUNIT_EXPECT_EQ(test, (int)what.state, (int)KSPAN_STATE_CACHED);
	KUNIT_EXPECT_TRUE(test, what.written);
	/* The next one that gets the slot does not look at the seal. */
	KUNIT_EXPECT_PTR_EQ(test, kspan_malloc(SIZE, GFP_KERNEL), (void *)p);
	kspan_free(p);
}

static void depot_is_told_from_cpu(struct kunit *test)
{
	unsigned int n = 4 * KSPAN_MAGAZINE_MAX, i, states[KSPAN_NR_STATES] = { };
	void **objects = kunit_kcalloc(test, n, sizeof(*objects), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, objects);
	for (i = 0; i < n; i++)
		objects[i] = kspan_malloc(SIZE, GFP_KERNEL);
	for (i = 0; i < n; i++)
		kspan_free(objects[i]);
	for (i = 0; i < n; i++)
		states[ask(objects[i]).state]++;
	KUNIT_EXPECT_EQ(test, states[KSPAN_STATE_LIVE], 0U);
	KUNIT_EXPECT_LT(test, 0U, states[KSPAN_STATE_CACHED]);
	KUNIT_EXPECT_EQ(test, states[KSPAN_STATE_CACHED] + states[KSPAN_STATE_DEPOT] +
			      states[KSPAN_STATE_FREE], n);
}

static noinline void *from_here(size_t size)
{
	void *p = kspan_heap_malloc(heap, size, GFP_KERNEL);

	barrier();
	return p;
}

static void site_is_told(struct kunit *test)
{
	void *small = from_here(SIZE), *large = from_here(100000);
	struct kspan_what what = ask(small);
	char line[KSPAN_WHAT_LINE];

	KUNIT_EXPECT_LT(test, what.site - (unsigned long)from_here, 256UL);
	KUNIT_EXPECT_STREQ(test, what.heap, "asked");
	KUNIT_EXPECT_STREQ(test, what.module, "kspan_kunit");
	kspan_what_line(&what, line, sizeof(line));
	KUNIT_EXPECT_TRUE_MSG(test, strstarts(line, "0 bytes into live object of 64 bytes, heap "),
			      "%s", line);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(line, " heap asked of kspan_kunit, allocated by "),
				  "%s", line);
	what = ask(large + 99999);
	KUNIT_EXPECT_LT(test, what.site - (unsigned long)from_here, 256UL);
	kspan_free(small);
	kspan_free(large);
}

/*
 *	block	p p p p p q q q q q - - - - - -
 */
static void tiny_objects_of_a_block(struct kunit *test)
{
	char *p = kspan_tiny_alloc(5, GFP_KERNEL), *q = kspan_tiny_alloc(5, GFP_KERNEL);
	struct kspan_what what = ask(p + 4);

	KUNIT_ASSERT_PTR_EQ(test, q, p + 5);
	KUNIT_EXPECT_EQ(test, (int)what.kind, (int)KSPAN_WHAT_TINY);
	KUNIT_EXPECT_EQ(test, (int)what.state, (int)KSPAN_STATE_LIVE);
	KUNIT_EXPECT_EQ(test, what.start, (unsigned long)p);
	KUNIT_EXPECT_EQ(test, what.bytes, 5UL);
	KUNIT_EXPECT_EQ(test, ask(q + 4).start, (unsigned long)q);
	expect(test, q + 5, KSPAN_WHAT_TINY, KSPAN_STATE_FREE);
	kspan_free(p);
	expect(test, p + 4, KSPAN_WHAT_TINY, KSPAN_STATE_FREE);
	expect(test, q, KSPAN_WHAT_TINY, KSPAN_STATE_LIVE);
	kspan_free(q);
	expect(test, q, KSPAN_WHAT_TINY, KSPAN_STATE_FREE);
}

static void large_object_then_cached_then_pages(struct kunit *test)
{
	char *p = kspan_malloc(100000, GFP_KERNEL);
	struct kspan_what what = ask(p + 99999);

	kspan_large_cache_bytes = SZ_1M;
	KUNIT_EXPECT_EQ(test, (int)what.kind, (int)KSPAN_WHAT_LARGE);
	KUNIT_EXPECT_EQ(test, (int)what.state, (int)KSPAN_STATE_LIVE);
	KUNIT_EXPECT_EQ(test, what.start, (unsigned long)p);
	KUNIT_EXPECT_EQ(test, what.bytes, (unsigned long)kspan_size(p));
	kspan_free(p);
	expect(test, p + 99999, KSPAN_WHAT_LARGE, KSPAN_STATE_CACHED);
	kspan_heap_drain(&kspan_default_heap);
	what = ask(p + 99999);
	/* Another object may keep its arena, or not. */
	if (what.kind)
		KUNIT_EXPECT_EQ(test, (int)what.kind, (int)KSPAN_WHAT_PAGES);
	if (what.state != KSPAN_STATE_KEPT && what.kind)
		KUNIT_EXPECT_EQ(test, (int)what.state, (int)KSPAN_STATE_FREE);
}

static void chunk_of_a_region(struct kunit *test)
{
	struct kspan_region *region = kspan_region_create(heap, SZ_32K, GFP_KERNEL);
	struct kspan_what what;
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, region);
	p = kspan_region_alloc(region, 100, GFP_KERNEL);
	what = ask(p);
	KUNIT_EXPECT_EQ(test, (int)what.kind, (int)KSPAN_WHAT_CHUNK);
	KUNIT_EXPECT_EQ(test, what.bytes, (unsigned long)SZ_32K);
	KUNIT_EXPECT_STREQ(test, what.heap, "asked");
	kspan_region_destroy(region);
}

static void object_of_vmalloc(struct kunit *test)
{
	char *p = kspan_kvmalloc(2 * KSPAN_MAX_SIZE, GFP_KERNEL);
	struct kspan_what what;

	KUNIT_ASSERT_NOT_NULL(test, p);
	what = ask(p + KSPAN_MAX_SIZE);
	KUNIT_EXPECT_EQ(test, (int)what.kind, (int)KSPAN_WHAT_VMALLOC);
	KUNIT_EXPECT_EQ(test, (int)what.state, (int)KSPAN_STATE_LIVE);
	KUNIT_EXPECT_EQ(test, what.start, (unsigned long)p);
	KUNIT_EXPECT_EQ(test, what.bytes, (unsigned long)(2 * KSPAN_MAX_SIZE));
	kspan_free(p);
	expect(test, p, KSPAN_WHAT_NONE, KSPAN_STATE_NONE);
}

static void block_of_a_fixed_pool(struct kunit *test)
{
	struct kspan_fixed_pool *pool = kspan_fixed_pool_create(100, 8, 10, GFP_KERNEL);
	struct kspan_fixed_place place;
	char *block;

	KUNIT_ASSERT_NOT_NULL(test, pool);
	block = kspan_fixed_pool_alloc(pool);
	KUNIT_EXPECT_TRUE(test, kspan_fixed_pool_find((unsigned long)block + 99, &place));
	KUNIT_EXPECT_EQ(test, place.start, (unsigned long)block);
	KUNIT_EXPECT_TRUE(test, place.out);
	kspan_fixed_pool_free(pool, block);
	KUNIT_EXPECT_TRUE(test, kspan_fixed_pool_find((unsigned long)block, &place));
	KUNIT_EXPECT_FALSE(test, place.out);
	kspan_fixed_pool_destroy(pool);
	KUNIT_EXPECT_FALSE(test, kspan_fixed_pool_find((unsigned long)block, &place));
}

static void object_in_a_pool(struct kunit *test)
{
	struct kspan_pool_ops ops = { .name = "rests", .size = SIZE };
	struct kspan_pool *pool = kspan_pool_create(&ops, GFP_KERNEL);
	char name[KSPAN_WHAT_NAME] = "";
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, pool);
	p = kspan_pool_get(pool);
	KUNIT_EXPECT_FALSE(test, kspan_pools_find(p, name, sizeof(name)));
	kspan_pool_put(pool, p);
	KUNIT_EXPECT_TRUE(test, kspan_pools_find(p, name, sizeof(name)));
	KUNIT_EXPECT_STREQ(test, name, "rests");
	kspan_pool_destroy(pool);
}

static void addresses_of_others(struct kunit *test)
{
	static const unsigned long odd[] = { 0, 1, 16, ULONG_MAX, ULONG_MAX / 2, LONG_MIN };
	void *p = kmalloc(SIZE, GFP_KERNEL);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(odd); i++)
		expect(test, (void *)odd[i], KSPAN_WHAT_NONE, KSPAN_STATE_NONE);
	expect(test, p, KSPAN_WHAT_NONE, KSPAN_STATE_NONE);
	expect(test, &i, KSPAN_WHAT_NONE, KSPAN_STATE_NONE);
	expect(test, addresses_of_others, KSPAN_WHAT_NONE, KSPAN_STATE_NONE);
	expect(test, (void *)kspan_map.base - 1, KSPAN_WHAT_NONE, KSPAN_STATE_NONE);
	kfree(p);
}

/* The owner of a lock asks, as an oops may: nothing waits. */
static void locks_are_only_tried(struct kunit *test)
{
	void *p = kspan_malloc(SIZE, GFP_KERNEL);
	struct kspan_page_heap *ph = kspan_page_heap(page_to_nid(virt_to_page(p)));
	struct kspan_central *central;
	struct kspan_what what;
	unsigned long flags;

	if (!IS_ENABLED(CONFIG_SMP))
		kunit_skip(test, "a trylock always succeeds here");
	central = kspan_heap_central(&kspan_default_heap, page_to_nid(virt_to_page(p)),
				     kspan_size_class(SIZE));
	raw_spin_lock_irqsave(&central->lock, flags);
	kspan_whatis((unsigned long)p, KSPAN_GFP_NOLOCK, &what);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	KUNIT_EXPECT_EQ(test, (int)what.state, (int)KSPAN_STATE_LIVE);
	raw_spin_lock_irqsave(&ph->lock, flags);
	kspan_whatis((unsigned long)&what, KSPAN_GFP_NOLOCK, &what);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	KUNIT_EXPECT_EQ(test, (int)what.kind, (int)KSPAN_WHAT_NONE);
	kspan_free(p);
}

static int churn(void *unused)
{
	static const size_t sizes[] = { 7, 64, 3000, 100000 };
	unsigned int i = 0;
	void *p;

	while (!kthread_should_stop()) {
		p = kspan_malloc(sizes[i++ % ARRAY_SIZE(sizes)], GFP_KERNEL);
		kspan_free(p);
		if (i % 256 == 0)
			kspan_heap_drain(&kspan_default_heap);
		cond_resched();
	}
	return 0;
}

/* While others allocate and free, a live object is never said to be another thing. */
static void live_is_live_under_load(struct kunit *test)
{
	struct task_struct *task = kthread_run(churn, NULL, "kspan_churn");
	char *p = kspan_malloc(SIZE, GFP_KERNEL), *q = kspan_malloc(100000, GFP_KERNEL);
	unsigned int i, wrong = 0, slot = ask(p).slot;
	struct kspan_what what;

	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	for (i = 0; i < ROUNDS; i++) {
		what = ask(p + i % SIZE);
		wrong += what.state != KSPAN_STATE_LIVE || what.slot != slot;
		what = ask(q + i);
		wrong += what.state != KSPAN_STATE_LIVE || what.start != (unsigned long)q;
		/* What lies around changes all the time. */
		ask((char *)ALIGN_DOWN((unsigned long)p, SZ_4M) + i * 97UL % SZ_4M);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, wrong, 0U);
	kthread_stop(task);
	kspan_free(p);
	kspan_free(q);
}

static struct kunit_case whatis_cases[] = {
	KUNIT_CASE(slot_is_live_then_cached_then_free),
	KUNIT_CASE(slots_of_a_new_span),
	KUNIT_CASE(slot_written_to_after_its_free),
	KUNIT_CASE(depot_is_told_from_cpu),
	KUNIT_CASE(site_is_told),
	KUNIT_CASE(tiny_objects_of_a_block),
	KUNIT_CASE(large_object_then_cached_then_pages),
	KUNIT_CASE(chunk_of_a_region),
	KUNIT_CASE(object_of_vmalloc),
	KUNIT_CASE(block_of_a_fixed_pool),
	KUNIT_CASE(object_in_a_pool),
	KUNIT_CASE(addresses_of_others),
	KUNIT_CASE(locks_are_only_tried),
	KUNIT_CASE(live_is_live_under_load),
	{}
};

static struct kunit_suite whatis_suite = {
	.name = "kspan_whatis",
	.init = whatis_init,
	.exit = whatis_exit,
	.test_cases = whatis_cases,
};

kunit_test_suite(whatis_suite);
