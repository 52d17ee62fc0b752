// SPDX-License-Identifier: GPL-2.0
/*
 * Nodes: which node serves a request, to which node a free returns memory, and what is counted.
 *
 * The case runs on a CPU of the node home; other is another node with memory.
 */
#include <linux/cpu.h>
#include <linux/kspan.h>
#include <linux/nodemask.h>
#include <linux/string.h>
#include <linux/topology.h>
#include <linux/workqueue.h>

#include "kspan_kunit.h"

#define N	50
#define SIZE	1024
#define LARGE	100000

static int home, other;
static void **objects;
static struct kspan_stats before;

static int numa_init(struct kunit *test)
{
	kspan_kunit_init(test);
	home = kspan_home_node();
	other = kspan_kunit_other_node(home);
	objects = kunit_kcalloc(test, N, sizeof(*objects), GFP_KERNEL);
	kspan_stats_read(&before);
	return objects ? 0 : -ENOMEM;
}

static void needs_two_nodes(struct kunit *test)
{
	if (other == NUMA_NO_NODE)
		kunit_skip(test, "only one node has memory");
}

static struct kspan_central *central_of(int nid, size_t size)
{
	return kspan_heap_central(&kspan_default_heap, nid, kspan_size_class(size));
}

static int node_of(const void *p)
{
	return page_to_nid(virt_to_page(p));
}

static void *on_node(struct kunit *test, size_t size, int nid)
{
	void *p = kspan_malloc_node(size, GFP_KERNEL | __GFP_THISNODE, nid);

	KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu on node %d", size, nid);
	KUNIT_EXPECT_EQ_MSG(test, node_of(p), nid, "%zu", size);
	return p;
}

/* What was counted since the case began. Each allocation is of one of the three kinds. */
static void expect_allocs(struct kunit *test, u64 local, u64 remote, u64 fallback)
{
	struct kspan_stats now;

	kspan_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.alloc_local - before.alloc_local, local);
	KUNIT_EXPECT_EQ(test, now.alloc_remote - before.alloc_remote, remote);
	KUNIT_EXPECT_EQ(test, now.alloc_fallback - before.alloc_fallback, fallback);
	KUNIT_EXPECT_EQ(test, now.mallocs - before.mallocs, local + remote + fallback);
}

static void expect_remote_frees(struct kunit *test, u64 n)
{
	struct kspan_stats now;

	kspan_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.free_remote - before.free_remote, n);
}

static unsigned int nearest_distance(int nid)
{
	unsigned int least = UINT_MAX;
	int to;

	for_each_node_state(to, N_MEMORY)
		least = min_t(unsigned int, least, node_distance(nid, to));
	return least;
}

static void every_node_with_memory_serves(struct kunit *test)
{
	static const size_t sizes[] = { 8, 64, 4096, KSPAN_MAX_SMALL, LARGE, 1 << 20 };
	unsigned int i;
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			void *p = on_node(test, sizes[i], nid);

			KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(sizes[i]));
			kspan_free(p);
		}
	}
	kspan_verify(test, &kspan_default_heap);
}

static void caches_are_of_the_nearest_node_with_memory(struct kunit *test)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		int nid = per_cpu_ptr(kspan_default_heap.cpu, cpu)->nid;

		KUNIT_EXPECT_TRUE(test, node_state(nid, N_MEMORY));
		KUNIT_EXPECT_EQ_MSG(test, (unsigned int)node_distance(cpu_to_node(cpu), nid),
				    nearest_distance(cpu_to_node(cpu)), "CPU %u", cpu);
	}
}

/*
 * kspan_nearest_node() names each node once, from near to far, and by number where distances are
 * equal.
 */
static void nodes_are_tried_by_distance(struct kunit *test)
{
	int nid, last, next;

	for_each_node(nid) {
		nodemask_t tried = nodemask_of_node(nid);
		unsigned int count = 1;

		for (last = nid; (next = kspan_nearest_node(nid, &tried)) != NUMA_NO_NODE;
		     last = next, count++) {
			KUNIT_EXPECT_TRUE(test, node_isset(next, tried));
			KUNIT_EXPECT_NE(test, next, nid);
			if (last == nid)
				continue;
			KUNIT_EXPECT_LE(test, node_distance(nid, last), node_distance(nid, next));
			if (node_distance(nid, last) == node_distance(nid, next))
				KUNIT_EXPECT_LT(test, last, next);
		}
		KUNIT_EXPECT_EQ(test, count, (unsigned int)num_possible_nodes());
	}
}

static int memoryless_node(void)
{
	int nid;

	for_each_online_node(nid)
		if (!node_state(nid, N_MEMORY))
			return nid;
	return NUMA_NO_NODE;
}

static void node_without_memory_gives_null_or_its_neighbours(struct kunit *test)
{
	static const size_t sizes[] = { SIZE, LARGE };
	int nid = memoryless_node();
	unsigned int i;

	if (nid == NUMA_NO_NODE)
		kunit_skip(test, "all nodes have memory");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
		void *p;

		KUNIT_EXPECT_NULL(test, kspan_malloc_node(sizes[i], gfp | __GFP_THISNODE, nid));
		p = kspan_malloc_node(sizes[i], gfp, nid);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_EQ(test, (unsigned int)node_distance(nid, node_of(p)),
				nearest_distance(nid));
		kspan_free(p);
	}
	expect_allocs(test, 0, 0, 2);
}

static void node_that_is_none_gives_null_or_any(struct kunit *test)
{
	static const int none[] = { -5, MAX_NUMNODES, INT_MAX };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(none); i++) {
		void *p;

		KUNIT_EXPECT_NULL(test, kspan_malloc_node(SIZE, GFP_KERNEL | __GFP_THISNODE,
							  none[i]));
		p = kspan_malloc_node(SIZE, GFP_KERNEL, none[i]);
		KUNIT_EXPECT_EQ(test, kspan_size(p), (size_t)SIZE);
		kspan_free(p);
	}
}

static void allocations_of_the_own_node_are_local(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < N; i++)
		objects[i] = kspan_malloc(i % 2 ? SIZE : LARGE, GFP_KERNEL);
	expect_allocs(test, N, 0, 0);
	for (i = 0; i < N; i++)
		kspan_free(objects[i]);
	objects[0] = on_node(test, SIZE, home);
	objects[1] = on_node(test, LARGE, home);
	objects[2] = kspan_malloc_node(SIZE, GFP_KERNEL, NUMA_NO_NODE);
	KUNIT_EXPECT_EQ(test, node_of(objects[2]), home);
	expect_allocs(test, N + 3, 0, 0);
	kspan_free_bulk(3, objects);
	expect_remote_frees(test, 0);
}

/*
 * A request with __GFP_THISNODE does not use the cache, as the task may move to another node
 * meanwhile.
 */
static void thisnode_keeps_away_from_the_cache(struct kunit *test)
{
	u64 past_cache;
	void *p;

	kspan_kunit_warm(test, SIZE);
	past_cache = central_of(home, SIZE)->allocs;
	p = on_node(test, SIZE, home);
	KUNIT_EXPECT_EQ(test, central_of(home, SIZE)->allocs - past_cache, 1ULL);
	kspan_free(p);
}

static void allocations_of_another_node_are_remote(struct kunit *test)
{
	unsigned int i;

	needs_two_nodes(test);
	for (i = 0; i < N; i++) {
		objects[i] = kspan_malloc_node(i % 2 ? SIZE : LARGE, GFP_KERNEL, other);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
		KUNIT_EXPECT_EQ(test, node_of(objects[i]), other);
	}
	expect_allocs(test, 0, N, 0);
	for (i = 0; i < N; i++)
		kspan_free(objects[i]);
	/* A large object's pages always return to their own node, so such frees do not count. */
	expect_remote_frees(test, N / 2);
}

static void objects_of_another_node_go_home(struct kunit *test)
{
	struct kspan_central *theirs;
	unsigned int i;

	needs_two_nodes(test);
	theirs = central_of(other, SIZE);
	kspan_kunit_warm(test, SIZE);
	for (i = 0; i < N; i++)
		objects[i] = on_node(test, SIZE, other);
	KUNIT_EXPECT_EQ(test, theirs->nr_out, (unsigned long)N);
	kspan_free(objects[0]);
	kspan_free_sensitive(objects[1]);
	kspan_free_bulk(N - 2, objects + 2);
	KUNIT_EXPECT_EQ(test, theirs->nr_out, 0UL);
	for (i = 0; i < N; i++)
		KUNIT_EXPECT_FALSE(test, kspan_heap_caches(&kspan_default_heap,
							   kspan_size_class(SIZE), objects[i]));
	expect_remote_frees(test, N);
	kspan_verify(test, &kspan_default_heap);
}

static int cpu_of(int nid)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (per_cpu_ptr(kspan_default_heap.cpu, cpu)->nid == nid)
			return cpu;
	return -1;
}

static long allocate_there(void *unused)
{
	objects[0] = kspan_malloc(SIZE, GFP_KERNEL);
	objects[1] = kspan_tiny_alloc(3, GFP_KERNEL);
	return 0;
}

static long free_there(void *unused)
{
	kspan_free(objects[0]);
	kspan_free(objects[1]);
	return 0;
}

static void on_cpu(unsigned int cpu, long (*what)(void *))
{
	cpus_read_lock();
	work_on_cpu(cpu, what, NULL);
	cpus_read_unlock();
}

/* Allocate on a CPU of the other node and free on one of this node. Then the reverse. */
static void objects_go_home_from_any_cpu(struct kunit *test)
{
	int cpu;

	needs_two_nodes(test);
	cpu = cpu_of(other);
	if (cpu < 0)
		kunit_skip(test, "the other node has no CPU");
	on_cpu(cpu, allocate_there);
	KUNIT_ASSERT_NOT_NULL(test, objects[0]);
	KUNIT_ASSERT_NOT_NULL(test, objects[1]);
	KUNIT_EXPECT_EQ(test, node_of(objects[0]), other);
	KUNIT_EXPECT_EQ(test, node_of(objects[1]), other);
	free_there(NULL);
	KUNIT_EXPECT_FALSE(test, kspan_owns(objects[0]));
	expect_remote_frees(test, 1);
	allocate_there(NULL);
	KUNIT_EXPECT_EQ(test, node_of(objects[0]), home);
	on_cpu(cpu, free_there);
	KUNIT_EXPECT_FALSE(test, kspan_owns(objects[0]));
	expect_remote_frees(test, 2);
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(&kspan_default_heap, KSPAN_CLASS_TINY), 0UL);
}

static void large_objects_grow_and_shrink_on_their_node(struct kunit *test)
{
	void *p;

	needs_two_nodes(test);
	p = on_node(test, LARGE, other);
	memset(p, 'p', LARGE);
	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, 2 * LARGE, GFP_KERNEL), p);
	KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(2 * LARGE));
	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, LARGE / 2, GFP_KERNEL), p);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 'p', LARGE / 2));
	kspan_verify(test, &kspan_default_heap);
	kspan_free(p);
}

/* Node @full gets no arena, and node @rich has one with free pages. */
static void expect_fallback(struct kunit *test, size_t size, int full, int rich)
{
	void *keep = on_node(test, LARGE, rich), *none, *p, *q;

	kspan_stats_read(&before);
	kspan_kunit_fail_arenas(1, 1000);
	none = kspan_malloc_node(size, GFP_KERNEL | __GFP_THISNODE, full);
	p = kspan_malloc_node(size, GFP_KERNEL, full);
	q = kspan_malloc_node(size, GFP_KERNEL, full);
	kspan_kunit_stop_failing();
	KUNIT_EXPECT_NULL(test, none);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_EQ(test, node_of(p), rich);
	KUNIT_EXPECT_EQ(test, node_of(q), rich);
	KUNIT_EXPECT_PTR_NE(test, p, q);
	expect_allocs(test, 0, 0, 2);
	kspan_free(p);
	kspan_free(q);
	expect_remote_frees(test, size <= KSPAN_MAX_SMALL && rich != home ? 2 : 0);
	kspan_free(keep);
	kspan_kunit_settle();
}

static void full_node_falls_back_to_free_pages_of_others(struct kunit *test)
{
	needs_two_nodes(test);
	kspan_kunit_needs_faults(test);
	expect_fallback(test, SIZE, other, home);
	expect_fallback(test, SIZE, home, other);
	expect_fallback(test, LARGE, other, home);
	expect_fallback(test, LARGE, home, other);
}

/*
 * No page is free on any node, but the other node has free slots. Its arena is cut up like this:
 *	|slots|1|2|4|8|...|half of it|
 */
static void full_node_falls_back_to_free_slots_of_others(struct kunit *test)
{
	unsigned int n = 0, pages = kspan_size_classes[kspan_size_class(SIZE)].pages;
	void *keep, *p;

	needs_two_nodes(test);
	kspan_kunit_needs_faults(test);
	keep = on_node(test, SIZE, other);
	for (; pages < KSPAN_ARENA_PAGES; pages *= 2)
		objects[n++] = on_node(test, KSPAN_KUNIT_PAGES(pages), other);
	KUNIT_ASSERT_EQ(test, kspan_page_heap(other)->used, kspan_page_heap(other)->pages);
	kspan_stats_read(&before);
	kspan_kunit_fail_arenas(1, 1000);
	p = kspan_malloc(SIZE, GFP_KERNEL);
	kspan_kunit_stop_failing();
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, node_of(p), other);
	expect_allocs(test, 0, 0, 1);
	kspan_free(p);
	expect_remote_frees(test, 1);
	kspan_free_bulk(n, objects);
	kspan_free(keep);
}

/* Of several nodes with free pages the nearest one serves the request. */
static void nearest_node_with_free_pages_helps_out(struct kunit *test)
{
	unsigned int least = UINT_MAX, n = 0;
	void *p;
	int nid;

	needs_two_nodes(test);
	kspan_kunit_needs_faults(test);
	for_each_node_state(nid, N_MEMORY) {
		if (nid == home || n == N)
			continue;
		objects[n++] = on_node(test, LARGE, nid);
		least = min_t(unsigned int, least, node_distance(home, nid));
	}
	kspan_kunit_fail_arenas(1, 1000);
	p = kspan_malloc(SIZE, GFP_KERNEL);
	kspan_kunit_stop_failing();
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, (unsigned int)node_distance(home, node_of(p)), least);
	kspan_free(p);
	kspan_free_bulk(n, objects);
}

/*
 * A CPU's node gets memory after the default heap was made, and before a private heap is. Then the
 * CPU caches objects of one node for the default heap, and of another node for the private heap.
 */
static void cpu_that_found_another_home_sends_objects_home(struct kunit *test)
{
	u64 twice = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);
	unsigned int class = kspan_size_class(SIZE), i;
	struct kspan_cpu_cache *cache;
	struct kspan_heap *heap;

	needs_two_nodes(test);
	heap = kspan_heap_create("late", 0, 0);
	KUNIT_ASSERT_NOT_NULL(test, heap);
	kspan_kunit_pin(test);
	cache = raw_cpu_ptr(heap->cpu);
	cache->nid = other;
	/* The cache gets magazines for objects of that node. */
	for (i = 0; i < N; i++)
		objects[i] = kspan_heap_malloc(heap, SIZE, GFP_KERNEL);
	kspan_free_bulk(N, objects);
	for (i = 0; i < N; i++)
		objects[i] = kspan_heap_malloc_node(heap, SIZE, GFP_KERNEL | __GFP_THISNODE, home);
	kspan_free_bulk(N, objects);
	for (i = 0; i < N; i++)
		KUNIT_EXPECT_FALSE(test, kspan_heap_caches(heap, class, objects[i]));
	KUNIT_EXPECT_EQ(test, kspan_heap_central(heap, home, class)->nr_out, 0UL);
	kspan_heap_drain(heap);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE), twice);
	kspan_heap_destroy(heap);
}

static struct kunit_case numa_cases[] = {
	KUNIT_CASE(every_node_with_memory_serves),
	KUNIT_CASE(caches_are_of_the_nearest_node_with_memory),
	KUNIT_CASE(nodes_are_tried_by_distance),
	KUNIT_CASE(node_without_memory_gives_null_or_its_neighbours),
	KUNIT_CASE(node_that_is_none_gives_null_or_any),
	KUNIT_CASE(allocations_of_the_own_node_are_local),
	KUNIT_CASE(thisnode_keeps_away_from_the_cache),
	KUNIT_CASE(allocations_of_another_node_are_remote),
	KUNIT_CASE(objects_of_another_node_go_home),
	KUNIT_CASE(objects_go_home_from_any_cpu),
	KUNIT_CASE(large_objects_grow_and_shrink_on_their_node),
	KUNIT_CASE(cpu_that_found_another_home_sends_objects_home),
	KUNIT_CASE(full_node_falls_back_to_free_pages_of_others),
	KUNIT_CASE(full_node_falls_back_to_free_slots_of_others),
	KUNIT_CASE(nearest_node_with_free_pages_helps_out),
	{}
};

static struct kunit_suite numa_suite = {
	.name = "kspan_numa",
	.init = numa_init,
	.exit = kspan_kunit_exit,
	.test_cases = numa_cases,
};

kunit_test_suite(numa_suite);
