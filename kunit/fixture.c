// SPDX-License-Identifier: GPL-2.0
/*
 * Every case starts with drained caches and without empty arenas. It must leave as many pages in
 * use as it found, and a consistent heap.
 */
#include <linux/cpumask.h>
#include <linux/kspan.h>
#include <linux/nodemask.h>
#include <linux/random.h>
#include <linux/sched.h>

#include "api/private.h"
#include "api/heaps.h"
#include "kspan_kunit.h"
#include "objects/profile.h"

/* Cases run one after the other. */
static struct kspan_page_stats before;
static unsigned int reserve_before;
static unsigned int growth_before;
static unsigned int scavenge_ms_before;
static unsigned int idle_percent_before;
static unsigned int cache_bytes_before, cache_share_before;
static unsigned int large_bytes_before;
static struct kspan_heap *private_heap;

/**
 * kspan_kunit_settle() - drain the caches, and release empty arenas
 *
 * This makes no holes. After hundreds of cases the page allocator would have no block of 4 MiB
 * left.
 */
void kspan_kunit_settle(void)
{
	int nid;

	kspan_private_settle();
	kspan_heap_drain(&kspan_default_heap);
	if (private_heap)
		kspan_heap_drain(private_heap);
	for_each_node(nid)
		kspan_page_heap_release(nid, ULONG_MAX, false);
}

/**
 * kspan_kunit_forget_scarcity() - let the next request for a span try to allocate an arena
 */
void kspan_kunit_forget_scarcity(void)
{
	int nid;

	for_each_node(nid) {
		kspan_page_heap(nid)->skip = 0;
		kspan_page_heap(nid)->skip_next = 1;
	}
}

/* What the heap profile sampled before the first case. main.c restores it. */
unsigned long kspan_kunit_rate_before;

/* Most cases count spans, so nothing is sampled but in profile_kunit.c. */
static void stop_sampling(void)
{
	if (!kspan_profile_rate)
		return;
	kspan_kunit_rate_before = kspan_profile_rate;
	kspan_heaps_set_profile_rate(0);
}

/**
 * kspan_kunit_init() - the .init function of all suites
 * @test:	stays on one CPU, and so on one node, from here on
 *
 * Return: 0.
 */
int kspan_kunit_init(struct kunit *test)
{
	/*
	 * Log the begin of the case, so that a case that never ends is known by its name. KUnit
	 * itself logs parameters.
	 */
	if (!test->param_value)
		kunit_info(test, "begins");
	stop_sampling();
	kspan_kunit_pin(test);
	kspan_kunit_forget_scarcity();
	reserve_before = kspan_arena_reserve;
	kspan_arena_reserve = 1;
	/* Arenas have their full size. See reclaim_kunit.c for others. */
	growth_before = kspan_arena_growth;
	kspan_arena_growth = 0;
	scavenge_ms_before = kspan_scavenge_ms;
	kspan_scavenge_ms = 0;
	kspan_scavenger_restart();
	/* Idle memory has no bound. See reclaim_kunit.c for bounds. */
	idle_percent_before = kspan_idle_percent;
	kspan_idle_percent = 100;
	/* Magazines have their full size. See adapt_kunit.c for others. */
	cache_bytes_before = kspan_cpu_cache_bytes;
	kspan_cpu_cache_bytes = 0;
	cache_share_before = kspan_cache_share;
	kspan_cache_share = 0;
	/* CPUs keep no large objects. See large_cache_kunit.c for others. */
	large_bytes_before = kspan_large_cache_bytes;
	kspan_large_cache_bytes = 0;
	kspan_kunit_settle();
	kspan_page_stats_read(&before);
	return 0;
}

/**
 * kspan_kunit_heap() - make a heap for the case
 * @test:	fails when there is no memory
 *
 * Return: an empty heap. kspan_kunit_exit() ends it.
 */
struct kspan_heap *kspan_kunit_heap(struct kunit *test)
{
	struct kspan_heap *heap = kzalloc(sizeof(*heap), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, heap);
	if (kspan_heap_init(heap, "kunit")) {
		kfree(heap);
		KUNIT_FAIL(test, "no memory for a heap");
		return NULL;
	}
	private_heap = heap;
	return heap;
}

/**
 * kspan_kunit_out() - slots of a class that are out of their spans
 * @heap:		any heap
 * @class:	size class
 *
 * Return: number of slots on all nodes.
 */
unsigned long kspan_kunit_out(struct kspan_heap *heap, unsigned int class)
{
	unsigned long out = 0;
	int nid;

	for_each_node(nid)
		out += READ_ONCE(kspan_heap_central(heap, nid, class)->nr_out);
	return out;
}

static unsigned long all_out(struct kspan_heap *heap)
{
	unsigned long out = 0;
	unsigned int class;

	for (class = 1; class < KSPAN_NR_CLASSES; class++)
		out += kspan_kunit_out(heap, class);
	return out;
}

static void free_slots_of(struct kspan_span *span)
{
	unsigned int size = kspan_size_classes[span->class].size, class = span->class;
	unsigned int slot, nslots = kspan_span_all_slots(span);
	unsigned long start = span->start;

	/* The free of the last slot retires the span. */
	for (slot = 0; slot < nslots; slot++)
		if (kspan_central_peek(start + slot * size, class) == KSPAN_SLOT_OUT)
			kspan_central_free(start + slot * size, class);
}

/* Free the objects of a case that failed, so that the next cases do not fail, too. */
static void free_leftovers(struct kspan_heap *heap)
{
	struct kspan_central *central;
	struct kspan_span *span, *next;
	unsigned int class;
	int nid;

	for_each_node(nid) {
		for (class = 1; class < KSPAN_NR_CLASSES; class++) {
			central = kspan_heap_central(heap, nid, class);
			list_for_each_entry_safe(span, next, &central->full, list)
				free_slots_of(span);
			list_for_each_entry_safe(span, next, &central->partial, list)
				free_slots_of(span);
		}
	}
	kspan_kunit_settle();
}

/* A heap with objects left must not end: its spans would lose their owner. */
static void exit_private_heap(struct kunit *test)
{
	struct kspan_heap *heap = private_heap;

	private_heap = NULL;
	if (!heap)
		return;
	kspan_verify(test, heap);
	KUNIT_EXPECT_EQ(test, all_out(heap), 0UL);
	if (all_out(heap))
		free_leftovers(heap);
	if (all_out(heap))
		return;
	kspan_heap_exit(heap);
	kfree(heap);
}

/**
 * kspan_kunit_exit() - the .exit function of all suites
 * @test:	fails when the heap is inconsistent, or has other pages in use than before
 */
void kspan_kunit_exit(struct kunit *test)
{
	struct kspan_page_stats after;

	kspan_kunit_stop_failing();
	kspan_kunit_fail_nth(0);
	kspan_kunit_settle();
	exit_private_heap(test);
	kspan_verify(test, &kspan_default_heap);
	kspan_page_stats_read(&after);
	KUNIT_EXPECT_EQ(test, after.used, before.used);
	KUNIT_EXPECT_EQ(test, after.pages, before.pages);
	KUNIT_EXPECT_EQ(test, after.arenas, before.arenas);
	kspan_arena_reserve = reserve_before;
	kspan_arena_growth = growth_before;
	kspan_scavenge_ms = scavenge_ms_before;
	kspan_scavenger_restart();
	kspan_idle_percent = idle_percent_before;
	kspan_cpu_cache_bytes = cache_bytes_before;
	kspan_cache_share = cache_share_before;
	kspan_large_cache_bytes = large_bytes_before;
}

/**
 * kspan_kunit_pin() - keep the case on the CPU on which it runs
 * @test:	the running case
 *
 * Return: number of the CPU.
 */
int kspan_kunit_pin(struct kunit *test)
{
	int cpu = raw_smp_processor_id();

	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(cpu)), 0);
	return cpu;
}

/**
 * kspan_kunit_warm() - have this CPU cache objects of a size
 * @test:	the running case, which is pinned to a CPU
 * @size:	bytes, at most KSPAN_MAX_SMALL
 *
 * Afterwards the default heap has two magazines on this CPU. One of them has an object or more,
 * and room for some, unless the class is one of the largest.
 */
void kspan_kunit_warm(struct kunit *test, size_t size)
{
	void *objects[8];
	unsigned int round, i;

	/* The depot gets a magazine in each round in which one was missed. */
	for (round = 0; round < 4; round++) {
		for (i = 0; i < ARRAY_SIZE(objects); i++) {
			objects[i] = kspan_malloc(size, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, objects[i]);
		}
		for (i = 0; i < ARRAY_SIZE(objects); i++)
			kspan_free(objects[i]);
	}
}

/**
 * kspan_kunit_other_node() - find a node with memory
 * @nid:	not this node
 *
 * Return: a node, or NUMA_NO_NODE.
 */
int kspan_kunit_other_node(int nid)
{
	int other;

	for_each_node_state(other, N_MEMORY)
		if (other != nid)
			return other;
	return NUMA_NO_NODE;
}

/**
 * kspan_kunit_align() - alignment that a request is promised
 * @size:	bytes, not 0
 *
 * Return: bytes.
 */
size_t kspan_kunit_align(size_t size)
{
	return max_t(size_t, size & -size, 8);
}

/**
 * kspan_kunit_fill() - write all bytes that an object may use
 * @p:	object, which is longer than the request
 * @byte:	value to write
 *
 * CONFIG_FORTIFY_SOURCE knows the length of the request, and would refuse to write more. So this
 * function is not inlined.
 */
noinline void kspan_kunit_fill(void *p, int byte)
{
	memset(p, byte, kspan_size(p));
}

/**
 * kspan_kunit_filled() - compare all bytes that an object may use
 * @p:	object
 * @byte:	value that they must have
 *
 * Return: true if all have it.
 */
noinline bool kspan_kunit_filled(const void *p, int byte)
{
	return !memchr_inv(p, byte, kspan_size(p));
}

static char line[1024];

/**
 * kspan_kunit_log_begin() - begin to look at the kernel's log
 * @log:	set to the end of the log, for kspan_kunit_logged()
 */
void kspan_kunit_log_begin(struct kmsg_dump_iter *log)
{
	size_t len;

	kmsg_dump_rewind(log);
	while (kmsg_dump_get_line(log, false, line, sizeof(line), &len))
		;
}

/**
 * kspan_kunit_logged() - look for a line of the log
 * @log:	where to begin
 * @text:	part of the line
 *
 * Return: true if there is such a line.
 */
bool kspan_kunit_logged(const struct kmsg_dump_iter *log, const char *text)
{
	struct kmsg_dump_iter at = *log;
	size_t len;

	while (kmsg_dump_get_line(&at, false, line, sizeof(line) - 1, &len)) {
		line[len] = '\0';
		if (strstr(line, text))
			return true;
	}
	return false;
}

/**
 * kspan_kunit_random_seed() - choose the seed of a random sequence
 * @test:	its log shows the seed
 *
 * Return: the module parameter seed, or a random number when that is 0.
 */
u64 kspan_kunit_random_seed(struct kunit *test)
{
	u64 start = kspan_kunit_seed ?: get_random_u32() | 1;

	kunit_info(test, "seed=%llu\n", start);
	return start;
}
