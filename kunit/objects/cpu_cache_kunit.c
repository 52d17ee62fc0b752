// SPDX-License-Identifier: GPL-2.0
/*
 * CPU caches.
 *
 * Most cases use the cache of one CPU of a heap of their own, which nobody else uses. Magazines of
 * class 4096 hold 16 objects, and spans 8. Drawings show an o for each object:
 *	loaded   [ o o o . . . ]
 *	previous [ o o o o o o ]
 */
#include <linux/cpu.h>
#include <linux/irq_work.h>
#include <linux/kspan.h>
#include <linux/nodemask.h>
#include <linux/workqueue.h>

#include "kspan_kunit.h"
#include "objects/sampled.h"

#define SIZE	4096

static struct kspan_heap *heap;
static struct kspan_cpu_cache *cache;
static struct kspan_central *central;
static unsigned int class, cap, slots;

static int cpu_cache_init(struct kunit *test)
{
	int cpu;

	kspan_kunit_init(test);
	heap = kspan_kunit_heap(test);
	if (!heap)
		return -ENOMEM;
	cpu = kspan_kunit_pin(test);
	cache = per_cpu_ptr(heap->cpu, cpu);
	class = kspan_size_class(SIZE);
	central = kspan_heap_central(heap, cache->nid, class);
	cap = kspan_kunit_cap(class);
	slots = kspan_size_classes[class].slots;
	return 0;
}

static struct kspan_cpu_cache *enter(struct kspan_heap *which)
{
	struct kspan_cpu_cache *entered;

	return kspan_cpu_cache_enter(which, &entered) ? entered : NULL;
}

/* Allocate as kspan_malloc() does, but never call the page allocator. */
static void *pop(void)
{
	struct kspan_cpu_cache *entered = enter(heap);
	void *object;

	if (!entered->armed[class])
		kspan_sampled_begin(heap, entered, class, false);
	if (!kspan_cpu_cache_pop(entered, class, &object))
		object = kspan_cpu_cache_refill(heap, entered, class, 0);
	kspan_cpu_cache_finish(entered);
	return object ?: kspan_heap_refill_slot(heap, class, cache->nid);
}

static bool push(void *object)
{
	struct kspan_cpu_cache *entered = enter(heap);
	bool taken;

	taken = kspan_cpu_cache_push(entered, class, object, heap->seal_at) ||
		kspan_cpu_cache_spill(heap, entered, class, object);
	kspan_cpu_cache_finish(entered);
	return taken;
}

static void drain(void)
{
	kspan_cpu_cache_drain(heap, raw_smp_processor_id());
}

/* Give the depot @n more empty magazines. */
static void provide(unsigned int n)
{
	while (n--) {
		central->wanted = true;
		kspan_depot_provision(central, GFP_KERNEL);
	}
}

/* Let the depot have exactly @n empty magazines. */
static void stock(unsigned int n)
{
	struct kspan_magazine *mag;

	while ((mag = kspan_depot_put_full(central, NULL, 0)))
		kspan_depot_return_magazine(central, mag);
	provide(n);
	central->wanted = false;
}

static void *alloc(struct kunit *test)
{
	void *object = pop();

	if (!object)
		object = kspan_heap_alloc_slot(heap, class, cache->nid, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, object);
	return object;
}

/* Allocate objects of this node. The first of each new span does not come from the cache. */
static void alloc_all(struct kunit *test, void **objects, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		objects[i] = alloc(test);
}

static void push_all(struct kunit *test, void **objects, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		KUNIT_ASSERT_TRUE(test, push(objects[i]));
}

/* An array for all objects that magazines hold. It is larger than any case needs. */
static void **some_objects(struct kunit *test)
{
	void **objects = kunit_kcalloc(test, 8 * KSPAN_MAGAZINE_MAX, sizeof(void *), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, objects);
	return objects;
}

/* Allocate @n objects, drain the cache, and let the depot have @magazines empty ones. */
static void **live_objects(struct kunit *test, unsigned int n, unsigned int magazines)
{
	void **objects = some_objects(test);

	alloc_all(test, objects, n);
	drain();
	stock(magazines);
	KUNIT_ASSERT_EQ(test, central->nr_out, (unsigned long)n);
	return objects;
}

static void expect_counts(struct kunit *test, unsigned int loaded, unsigned int previous)
{
	KUNIT_EXPECT_EQ(test, cache->class[class].loaded->count, loaded);
	KUNIT_EXPECT_EQ(test, cache->class[class].previous->count, previous);
}

static void new_cache_has_no_magazine(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < KSPAN_NR_CLASSES; i++) {
		KUNIT_EXPECT_PTR_EQ(test, cache->class[i].loaded, &kspan_no_magazine);
		KUNIT_EXPECT_PTR_EQ(test, cache->class[i].previous, &kspan_no_magazine);
	}
	KUNIT_EXPECT_EQ(test, kspan_no_magazine.count, 0U);
	KUNIT_EXPECT_EQ(test, kspan_no_magazine.cap, 0U);
}

static void magazine_that_is_missing_is_wanted(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, pop());
	KUNIT_EXPECT_TRUE(test, central->wanted);
	KUNIT_EXPECT_PTR_EQ(test, cache->class[class].loaded, &kspan_no_magazine);
}

static void free_without_a_magazine_is_not_taken(struct kunit *test)
{
	void *object = alloc(test);

	KUNIT_EXPECT_FALSE(test, push(object));
	KUNIT_EXPECT_TRUE(test, central->wanted);
	KUNIT_EXPECT_TRUE(test, kspan_central_free((unsigned long)object, class));
}

static void class_0_has_nothing_and_takes_nothing(struct kunit *test)
{
	struct kspan_cpu_cache *entered = enter(heap);
	void *object = NULL;
	bool popped = kspan_cpu_cache_pop(entered, 0, &object);
	bool pushed = kspan_cpu_cache_push(entered, 0, test, 0);
	bool spilled = kspan_cpu_cache_spill(heap, entered, 0, test);

	object = kspan_cpu_cache_refill(heap, entered, 0, 0);
	kspan_cpu_cache_finish(entered);
	KUNIT_EXPECT_FALSE(test, popped);
	KUNIT_EXPECT_NULL(test, object);
	KUNIT_EXPECT_FALSE(test, pushed);
	KUNIT_EXPECT_FALSE(test, spilled);
}

/*
 *	span x.......  ->  loaded [ 7 6 5 4 3 2 1 ]
 */
static void refill_gives_rising_addresses(struct kunit *test)
{
	void **objects = some_objects(test);
	unsigned int i;

	provide(1);
	objects[0] = kspan_heap_alloc_slot(heap, class, cache->nid, GFP_KERNEL);
	for (i = 1; i < slots; i++) {
		objects[i] = pop();
		KUNIT_EXPECT_PTR_EQ(test, objects[i], objects[0] + i * SIZE);
		KUNIT_EXPECT_EQ(test, central->nr_out, (unsigned long)slots);
	}
	KUNIT_EXPECT_EQ(test, kspan_cpu_cache_allocs(cache, class), slots - 1ULL);
	expect_counts(test, 0, 0);
	push_all(test, objects, slots);
}

/*
 *	span xxxxxxxx  ->  two more spans side by side, made of free pages
 *	span xxxxxxxx, span xxxxxxxx	loaded [ 15 14 ... 3 2 1 ]
 */
static void refill_makes_spans_of_free_pages(struct kunit *test)
{
	struct kspan_page_heap *ph = kspan_page_heap(cache->nid);
	unsigned int pages = kspan_size_classes[class].pages, i;
	void **objects = some_objects(test);
	unsigned long used, arenas;

	/* The first magazine is used up above. The free pages fill the second one. */
	provide(2);
	objects[0] = kspan_heap_alloc_slot(heap, class, cache->nid, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objects[0]);
	for (i = 1; i < slots; i++)
		objects[i] = pop();
	used = ph->used;
	arenas = ph->nr_arenas;
	for (; i < slots + cap; i++) {
		objects[i] = pop();
		KUNIT_ASSERT_PTR_EQ(test, objects[i], objects[0] + i * SIZE);
		KUNIT_EXPECT_EQ(test, central->nr_out, (unsigned long)slots + cap);
	}
	expect_counts(test, 0, 0);
	KUNIT_EXPECT_EQ(test, kspan_cpu_cache_allocs(cache, class), slots + cap - 1ULL);
	KUNIT_EXPECT_EQ(test, central->nr_spans, 1UL + DIV_ROUND_UP(cap, slots));
	KUNIT_EXPECT_EQ(test, ph->used - used, (unsigned long)pages * DIV_ROUND_UP(cap, slots));
	KUNIT_EXPECT_EQ(test, ph->nr_arenas, arenas);
	kspan_verify(test, heap);
	push_all(test, objects, slots + cap);
}

/*
 * When no page is free, a refill fails. The caller may call the page allocator after it has left
 * the cache.
 */
static void refill_asks_for_no_arena(struct kunit *test)
{
	struct kspan_page_heap *ph = kspan_page_heap(cache->nid);
	void **objects = some_objects(test), *run;
	unsigned int i, n = 0;

	provide(1);
	objects[0] = kspan_heap_alloc_slot(heap, class, cache->nid, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objects[0]);
	KUNIT_ASSERT_EQ(test, ph->nr_arenas, 1UL);
	/*
	 * Use up the arena. It is aligned to its size, so the rest of it is runs of doubling
	 * length.
	 */
	for (i = kspan_size_classes[class].pages; i < KSPAN_ARENA_PAGES; i *= 2) {
		run = kspan_page_heap_alloc(cache->nid, i, 1, 0, GFP_KERNEL | __GFP_THISNODE);
		KUNIT_ASSERT_NOT_NULL(test, run);
		objects[slots + n++] = run;
	}
	KUNIT_ASSERT_EQ(test, ph->used, ph->pages);
	for (i = 1; i < slots; i++)
		objects[i] = pop();
	KUNIT_EXPECT_NULL(test, pop());
	KUNIT_EXPECT_EQ(test, ph->nr_arenas, 1UL);
	KUNIT_EXPECT_EQ(test, central->nr_spans, 1UL);
	push_all(test, objects, slots);
	while (n--) {
		struct kspan_span *span = objects[slots + n];

		kspan_page_heap_free(span, span->start, KSPAN_SPAN_LARGE);
	}
}

static void newest_is_reused_first(struct kunit *test)
{
	void **objects = some_objects(test);

	provide(2);
	alloc_all(test, objects, 3);
	push_all(test, objects, 3);
	KUNIT_EXPECT_PTR_EQ(test, pop(), objects[2]);
	KUNIT_EXPECT_PTR_EQ(test, pop(), objects[1]);
	push_all(test, objects + 1, 2);
}

/* The fast path compares the object with the word before the first slot. That is no object. */
static void empty_magazine_takes_any_object(struct kunit *test)
{
	void *object = alloc(test);

	stock(1);
	KUNIT_EXPECT_TRUE(test, push(object));
	KUNIT_EXPECT_PTR_EQ(test, pop(), object);
	KUNIT_EXPECT_EQ(test, cache->class[class].loaded->count, 0U);
	KUNIT_EXPECT_TRUE(test, push(object));
}

/*
 *	loaded [ o ... o ]  previous none	->	loaded [ o ]  previous [ o ... o ]
 */
static void full_magazine_becomes_the_previous_one(struct kunit *test)
{
	void **objects = live_objects(test, cap + 1, 2);

	push_all(test, objects, cap);
	expect_counts(test, cap, 0);
	push_all(test, objects + cap, 1);
	expect_counts(test, 1, cap);
}

/*
 *	loaded [ ]  previous [ o ... o ]	->	loaded [ o ... ]  previous [ ]
 */
static void empty_magazine_changes_places_with_a_full_one(struct kunit *test)
{
	void **objects = live_objects(test, cap + 1, 2);

	push_all(test, objects, cap + 1);
	KUNIT_EXPECT_PTR_EQ(test, pop(), objects[cap]);
	expect_counts(test, 0, cap);
	KUNIT_EXPECT_PTR_EQ(test, pop(), objects[cap - 1]);
	expect_counts(test, cap - 1, 0);
	push_all(test, objects + cap - 1, 2);
}

/*
 *	loaded [ o ]  previous [ o ... o ]  <->  loaded [ o ... ]  previous [ ]
 *
 * A CPU that allocates and frees at the edge of a magazine does not visit the central.
 */
static void two_magazines_keep_from_going_to_and_fro(struct kunit *test)
{
	void **objects = live_objects(test, cap + 1, 2);
	unsigned int round;

	push_all(test, objects, cap + 1);
	for (round = 0; round < 3 * cap; round++) {
		KUNIT_ASSERT_PTR_EQ(test, pop(), objects[cap]);
		KUNIT_ASSERT_PTR_EQ(test, pop(), objects[cap - 1]);
		push_all(test, objects + cap - 1, 2);
	}
	expect_counts(test, 1, cap);
	KUNIT_EXPECT_FALSE(test, central->wanted);
	KUNIT_EXPECT_EQ(test, central->nr_out, cap + 1UL);
}

/*
 *	loaded and previous full, depot: an empty one -> depot: a full one
 */
static void spill_goes_to_the_depot(struct kunit *test)
{
	void **objects = live_objects(test, 2 * cap + 1, 2);

	push_all(test, objects, 2 * cap);
	provide(1);
	expect_counts(test, cap, cap);
	push_all(test, objects + 2 * cap, 1);
	expect_counts(test, 1, cap);
	KUNIT_EXPECT_EQ(test, central->nr_depot_full, 1U);
	KUNIT_EXPECT_EQ(test, central->nr_depot_objects, (unsigned long)cap);
	KUNIT_EXPECT_EQ(test, central->nr_out, 2UL * cap + 1);
	KUNIT_EXPECT_PTR_EQ(test, pop(), objects[2 * cap]);
	push(objects[2 * cap]);
}

/*
 *	loaded and previous full, depot: none -> the older objects are returned to their spans
 */
static void spill_without_a_depot_goes_to_the_spans(struct kunit *test)
{
	void **objects = live_objects(test, 2 * cap + 1, 2);

	push_all(test, objects, 2 * cap);
	push_all(test, objects + 2 * cap, 1);
	expect_counts(test, 1, cap);
	KUNIT_EXPECT_EQ(test, central->nr_out, cap + 1UL);
	KUNIT_EXPECT_TRUE(test, central->wanted);
	KUNIT_EXPECT_TRUE(test, kspan_heap_caches(heap, class, objects[2 * cap - 1]));
	KUNIT_EXPECT_FALSE(test, kspan_heap_caches(heap, class, objects[0]));
}

static void spill_with_one_magazine_returns_its_objects(struct kunit *test)
{
	void **objects = live_objects(test, cap + 1, 1);

	push_all(test, objects, cap);
	push_all(test, objects + cap, 1);
	expect_counts(test, 1, 0);
	KUNIT_EXPECT_EQ(test, central->nr_out, 1UL);
}

/*
 *	depot: a full one -> loaded, without a look at a bitmap
 */
static void refill_takes_a_full_magazine_of_the_depot(struct kunit *test)
{
	void **objects = live_objects(test, 2 * cap + 1, 2);
	unsigned int i;

	push_all(test, objects, 2 * cap);
	provide(1);
	push_all(test, objects + 2 * cap, 1);
	for (i = 0; i < cap + 1; i++)
		KUNIT_ASSERT_NOT_NULL(test, pop());
	expect_counts(test, 0, 0);
	KUNIT_EXPECT_PTR_EQ(test, pop(), objects[cap - 1]);
	KUNIT_EXPECT_EQ(test, central->nr_depot_full, 0U);
	KUNIT_EXPECT_EQ(test, central->nr_out, 2UL * cap + 1);
	push(objects[cap - 1]);
	push_all(test, objects + cap, cap + 1);
}

static void drain_returns_all(struct kunit *test)
{
	void **objects = live_objects(test, 2 * cap, 2);

	push_all(test, objects, 2 * cap - 1);
	drain();
	KUNIT_EXPECT_EQ(test, central->nr_out, 1UL);
	KUNIT_EXPECT_EQ(test, central->nr_magazines, 0U);
	KUNIT_EXPECT_PTR_EQ(test, cache->class[class].loaded, &kspan_no_magazine);
	KUNIT_EXPECT_PTR_EQ(test, cache->class[class].previous, &kspan_no_magazine);
	kspan_verify(test, heap);
	KUNIT_EXPECT_TRUE(test, kspan_central_free((unsigned long)objects[2 * cap - 1], class));
}

/* Cache 8 objects on the CPU that runs this. Returns how many its loaded magazine has. */
static long cache_some(void *unused)
{
	void *objects[8];
	unsigned int round, i;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(objects); i++)
			objects[i] = kspan_malloc(SIZE, GFP_KERNEL);
		for (i = 0; i < ARRAY_SIZE(objects); i++)
			kspan_free(objects[i]);
	}
	return raw_cpu_ptr(kspan_default_heap.cpu)->class[class].loaded->count;
}

static void drain_reaches_all_cpus(struct kunit *test)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu)
		KUNIT_EXPECT_GT(test, work_on_cpu(cpu, cache_some, NULL), 0L);
	cpus_read_unlock();
	KUNIT_EXPECT_GT(test, kspan_kunit_out(&kspan_default_heap, class), 0UL);
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(&kspan_default_heap, class), 0UL);
	for_each_possible_cpu(cpu) {
		struct kspan_cpu_cache *other = per_cpu_ptr(kspan_default_heap.cpu, cpu);

		KUNIT_EXPECT_PTR_EQ(test, other->class[class].loaded, &kspan_no_magazine);
	}
}

static void busy_cache_is_not_entered(struct kunit *test)
{
	struct kspan_cpu_cache *entered = enter(heap);
	struct kspan_cpu_cache *again = enter(heap);

	kspan_cpu_cache_leave(entered);
	KUNIT_EXPECT_PTR_EQ(test, entered, cache);
	KUNIT_EXPECT_NULL(test, again);
	KUNIT_EXPECT_EQ(test, (unsigned int)cache->busy, 0U);
}

/* An interrupt that comes while the owner of the default heap's cache uses it. */
struct interruption {
	struct irq_work work;
	bool in_hardirq;
	bool cached;
	u64 past_cache;
	void *object;
	size_t size;
};

static void malloc_and_free(struct interruption *in)
{
	struct kspan_central *home;

	home = kspan_heap_central(&kspan_default_heap, cache->nid, class);
	in->past_cache = home->allocs;
	in->object = kspan_malloc(SIZE, GFP_ATOMIC);
	in->past_cache = home->allocs - in->past_cache;
	in->size = kspan_size(in->object);
	kspan_free(in->object);
	in->cached = kspan_heap_caches(&kspan_default_heap, class, in->object);
}

static void expect_served_past_the_cache(struct kunit *test, const struct interruption *in)
{
	KUNIT_EXPECT_NOT_NULL(test, in->object);
	KUNIT_EXPECT_EQ(test, in->size, (size_t)SIZE);
	KUNIT_EXPECT_EQ(test, in->past_cache, 1ULL);
	KUNIT_EXPECT_FALSE(test, in->cached);
}

static void malloc_and_free_work_past_a_busy_cache(struct kunit *test)
{
	struct interruption in = { 0 };
	struct kspan_cpu_cache *entered;

	kspan_kunit_warm(test, SIZE);
	entered = enter(&kspan_default_heap);
	malloc_and_free(&in);
	kspan_cpu_cache_leave(entered);
	expect_served_past_the_cache(test, &in);
}

static void interrupt_handler(struct irq_work *work)
{
	struct interruption *in = container_of(work, struct interruption, work);

	in->in_hardirq = in_hardirq();
	malloc_and_free(in);
}

/* Preemption may be off, so wait for the interrupt without sleeping. */
static void interrupt(struct interruption *in)
{
	unsigned long end = jiffies + HZ;

	init_irq_work(&in->work, interrupt_handler);
	irq_work_queue(&in->work);
	while (irq_work_is_busy(&in->work) && time_before(jiffies, end))
		cpu_relax();
}

static struct interruption *interruption_new(struct kunit *test)
{
	struct interruption *in = kunit_kzalloc(test, sizeof(*in), GFP_KERNEL);

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "irq_work does not interrupt");
	KUNIT_ASSERT_NOT_NULL(test, in);
	kspan_kunit_warm(test, SIZE);
	return in;
}

static void interrupt_works_past_a_busy_cache(struct kunit *test)
{
	struct interruption *in = interruption_new(test);
	struct kspan_cpu_cache *entered;

	entered = enter(&kspan_default_heap);
	interrupt(in);
	kspan_cpu_cache_leave(entered);
	irq_work_sync(&in->work);
	KUNIT_EXPECT_TRUE(test, in->in_hardirq);
	expect_served_past_the_cache(test, in);
}

static void interrupt_of_an_idle_cache_uses_it(struct kunit *test)
{
	struct interruption *in = interruption_new(test);

	interrupt(in);
	irq_work_sync(&in->work);
	KUNIT_EXPECT_EQ(test, in->past_cache, 0ULL);
	KUNIT_EXPECT_TRUE(test, in->cached);
}

static void objects_of_other_nodes_go_home(struct kunit *test)
{
	int other = kspan_kunit_other_node(cache->nid);
	struct kspan_central *home;
	void *object;

	if (other == NUMA_NO_NODE)
		kunit_skip(test, "only one node has memory");
	kspan_kunit_warm(test, SIZE);
	home = kspan_heap_central(&kspan_default_heap, other, class);
	object = kspan_malloc_node(SIZE, GFP_KERNEL | __GFP_THISNODE, other);
	KUNIT_ASSERT_NOT_NULL(test, object);
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(object)), other);
	KUNIT_EXPECT_EQ(test, home->nr_out, 1UL);
	kspan_free(object);
	KUNIT_EXPECT_EQ(test, home->nr_out, 0UL);
	KUNIT_EXPECT_FALSE(test, kspan_heap_caches(&kspan_default_heap, class, object));
}

static struct kunit_case cpu_cache_cases[] = {
	KUNIT_CASE(new_cache_has_no_magazine),
	KUNIT_CASE(magazine_that_is_missing_is_wanted),
	KUNIT_CASE(free_without_a_magazine_is_not_taken),
	KUNIT_CASE(class_0_has_nothing_and_takes_nothing),
	KUNIT_CASE(refill_gives_rising_addresses),
	KUNIT_CASE(refill_makes_spans_of_free_pages),
	KUNIT_CASE(refill_asks_for_no_arena),
	KUNIT_CASE(newest_is_reused_first),
	KUNIT_CASE(empty_magazine_takes_any_object),
	KUNIT_CASE(full_magazine_becomes_the_previous_one),
	KUNIT_CASE(empty_magazine_changes_places_with_a_full_one),
	KUNIT_CASE(two_magazines_keep_from_going_to_and_fro),
	KUNIT_CASE(spill_goes_to_the_depot),
	KUNIT_CASE(spill_without_a_depot_goes_to_the_spans),
	KUNIT_CASE(spill_with_one_magazine_returns_its_objects),
	KUNIT_CASE(refill_takes_a_full_magazine_of_the_depot),
	KUNIT_CASE(drain_returns_all),
	KUNIT_CASE(drain_reaches_all_cpus),
	KUNIT_CASE(busy_cache_is_not_entered),
	KUNIT_CASE(malloc_and_free_work_past_a_busy_cache),
	KUNIT_CASE(interrupt_works_past_a_busy_cache),
	KUNIT_CASE(interrupt_of_an_idle_cache_uses_it),
	KUNIT_CASE(objects_of_other_nodes_go_home),
	{}
};

static struct kunit_suite cpu_cache_suite = {
	.name = "kspan_cpu_cache",
	.init = cpu_cache_init,
	.exit = kspan_kunit_exit,
	.test_cases = cpu_cache_cases,
};

kunit_test_suite(cpu_cache_suite);
