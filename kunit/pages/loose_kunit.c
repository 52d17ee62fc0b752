// SPDX-License-Identifier: GPL-2.0
/*
 * Loose spans: spans that are a block of buddy by themselves, down to a single page of the kernel.
 * The heap makes them when memory is in pieces.
 *
 * The cases set the hard limit in place of such memory. It leaves room for a few of the kernel's
 * pages, so no larger block can be allocated.
 */
#include <linux/delay.h>
#include <linux/kspan.h>

#include "context.h"

#define NID	first_memory_node

static struct kspan_page_stats stats;

static unsigned long nr_loose(void)
{
	kspan_page_stats_read(&stats);
	return stats.loose;
}

static void loose_exit(struct kunit *test)
{
	kspan_hard_limit = 0;
	kspan_kunit_exit(test);
}

/* Let the heap allocate @n more of the kernel's pages. */
static void allow_pages(unsigned long n)
{
	kspan_hard_limit = kspan_arena_bytes() + n * PAGE_SIZE;
}

/* Wait, as a work item may be the one that releases the pages. */
static void expect_all_released(struct kunit *test)
{
	unsigned int wait;

	for (wait = 0; wait < 200 && kspan_arena_bytes(); wait++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, kspan_arena_bytes(), 0UL);
	KUNIT_EXPECT_EQ(test, nr_loose(), 0UL);
}

static struct kspan_span *span_of(const void *p)
{
	return kspan_map_span((unsigned long)p);
}

static void small_objects_live_on_one_page_of_the_kernel(struct kunit *test)
{
	static const size_t sizes[] = { 8, 16, 24, 64, 100, 512, 1024, 1500, 2048, 4096 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *p;

		allow_pages(1);
		p = kspan_zalloc(sizes[i], GFP_KERNEL | __GFP_NOWARN);
		KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu bytes", sizes[i]);
		KUNIT_EXPECT_EQ(test, nr_loose(), 1UL);
		KUNIT_EXPECT_EQ(test, kspan_span_bytes(span_of(p)), PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(sizes[i]));
		KUNIT_EXPECT_TRUE(test, kspan_owns(p));
		kspan_kunit_fill(p, 0x5a);
		kspan_verify(test, &kspan_default_heap);
		kspan_free(p);
		KUNIT_EXPECT_FALSE(test, kspan_owns(p));
		kspan_kunit_settle();
		KUNIT_EXPECT_EQ_MSG(test, nr_loose(), 0UL, "%zu bytes", sizes[i]);
		expect_all_released(test);
	}
}

static void larger_objects_take_the_smallest_block_that_holds_them(struct kunit *test)
{
	static const size_t sizes[] = { 4864, 6144, 8192, 9472, 16384, 20480, 32768 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned long pages = 1UL << get_order(sizes[i]);
		void *p;

		allow_pages(pages - 1);
		KUNIT_EXPECT_NULL(test, kspan_malloc(sizes[i], GFP_KERNEL | __GFP_NOWARN));
		allow_pages(pages);
		p = kspan_malloc(sizes[i], GFP_KERNEL | __GFP_NOWARN);
		KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu bytes", sizes[i]);
		KUNIT_EXPECT_EQ(test, nr_loose(), pages);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p, kspan_kunit_align(sizes[i])));
		kspan_verify(test, &kspan_default_heap);
		kspan_free(p);
		kspan_kunit_settle();
		KUNIT_EXPECT_EQ(test, nr_loose(), 0UL);
	}
}

static void statistics_have_them(struct kunit *test)
{
	static void *p[64];
	struct kspan_stats before, now;
	unsigned int i;
	int nid;

	/* The peak is the highest value since the module was loaded. Let it begin here. */
	for_each_node(nid) {
		struct kspan_page_heap *ph = kspan_page_heap(nid);

		ph->peak = (ph->pages << KSPAN_PAGE_ORDER) + ph->loose_pages;
	}
	kspan_stats_read(&before);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		allow_pages(1);
		p[i] = kspan_malloc(4096, GFP_KERNEL | __GFP_NOWARN);
	}
	kspan_stats_read(&now);
	KUNIT_EXPECT_EQ(test, nr_loose(), (unsigned long)ARRAY_SIZE(p));
	KUNIT_EXPECT_EQ(test, now.heap_loose, (u64)ARRAY_SIZE(p) * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, now.heap_sys - before.heap_sys, now.heap_loose);
	KUNIT_EXPECT_EQ(test, now.heap_peak, now.heap_sys);
	KUNIT_EXPECT_EQ(test, now.mspan_inuse - before.mspan_inuse,
			(u64)ARRAY_SIZE(p) * sizeof(struct kspan_span));
	KUNIT_EXPECT_GE(test, now.mspan_sys, now.mspan_inuse);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		kspan_free(p[i]);
}

static void all_slots_of_a_page_are_served(struct kunit *test)
{
	unsigned int n = PAGE_SIZE / 64, i;
	void **p = kunit_kzalloc(test, (n + 1) * sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	allow_pages(1);
	for (i = 0; i < n; i++) {
		p[i] = kspan_malloc(64, GFP_KERNEL | __GFP_NOWARN);
		KUNIT_ASSERT_NOT_NULL_MSG(test, p[i], "object %u", i);
		memset(p[i], i, 64);
	}
	KUNIT_EXPECT_NULL(test, kspan_malloc(64, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_EQ(test, nr_loose(), 1UL);
	kspan_verify(test, &kspan_default_heap);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_NULL(test, memchr_inv(p[i], i, 64));
	kspan_free_bulk(n, p);
	kspan_verify(test, &kspan_default_heap);
}

/* Allocate every @step-th object of an array. Returns how many succeeded. */
static unsigned int fill(void **p, unsigned int n, unsigned int step, size_t size)
{
	unsigned int i, done = 0;

	for (i = 0; i < n; i += step) {
		p[i] = kspan_malloc(size, GFP_KERNEL | __GFP_NOWARN);
		done += !!p[i];
	}
	return done;
}

/* Objects of one page; a job in an NMI frees every third of them. */
struct nmi_frees {
	unsigned int n;
	void **p;
};

static void free_every_third(void *data)
{
	struct nmi_frees *frees = data;
	unsigned int i;

	for (i = 0; i < frees->n; i += 3)
		kspan_free(frees->p[i]);
}

static void free_the_first(void *data)
{
	struct nmi_frees *frees = data;

	kspan_free(frees->p[0]);
}

/* Run @fn in a context like an NMI's that finds the CPU cache busy. */
static void run_in_nmi(struct kunit *test, void (*fn)(void *data), struct nmi_frees *frees)
{
	struct context_job job = { .fn = fn, .data = frees };

	KUNIT_ASSERT_TRUE(test, context_run_over_busy_cache(&context_trap, &job));
	KUNIT_EXPECT_TRUE(test, job.nmi);
	KUNIT_EXPECT_TRUE(test, job.busy);
}

/* Fill one page of the kernel with objects. The caller has allowed one page. */
static void fill_page(struct kunit *test, struct nmi_frees *frees, size_t size)
{
	frees->n = PAGE_SIZE / size;
	frees->p = kunit_kzalloc(test, frees->n * sizeof(*frees->p), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, frees->p);
	if (fill(frees->p, frees->n, 1, size) != frees->n)
		KUNIT_FAIL(test, "a page serves less than %u objects", frees->n);
}

/*
 * A span of the smallest objects has a long bitmap, and so no bits for deferred frees. An NMI
 * frees every third object by clearing its bit. A second free of one of them is reported, and the
 * merge counts the slots anew.
 */
static void nmis_free_into_a_long_bitmap(struct kunit *test)
{
	unsigned int class = kspan_size_class(8), third;
	u64 twice = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);
	struct nmi_frees frees;
	struct kspan_span *span;

	KUNIT_ASSERT_EQ(test, context_open(), 0);
	allow_pages(1);
	fill_page(test, &frees, 8);
	third = DIV_ROUND_UP(frees.n, 3);
	span = span_of(frees.p[0]);
	KUNIT_EXPECT_EQ(test, span->recount, !IS_ENABLED(CONFIG_DEBUG_KMEMLEAK));
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(&kspan_default_heap, class), (unsigned long)frees.n);

	run_in_nmi(test, free_every_third, &frees);
	KUNIT_EXPECT_EQ(test, span->state, KSPAN_SPAN_SMALL_DEFERRED);
	KUNIT_EXPECT_FALSE(test, kspan_owns(frees.p[0]));
	KUNIT_EXPECT_TRUE(test, kspan_owns(frees.p[1]));
	run_in_nmi(test, free_the_first, &frees);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE), twice + 1);
	kspan_central_merge_all(span->central);
	KUNIT_EXPECT_EQ(test, span->used, frees.n - third);
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(&kspan_default_heap, class),
			(unsigned long)frees.n - third);
	kspan_verify(test, &kspan_default_heap);

	/* New objects get exactly the slots that the NMI freed. */
	KUNIT_EXPECT_EQ(test, fill(frees.p, frees.n, 3, 8), third);
	KUNIT_EXPECT_NULL(test, kspan_malloc(8, GFP_KERNEL | __GFP_NOWARN));
	kspan_verify(test, &kspan_default_heap);
	kspan_free_bulk(frees.n, frees.p);
	kspan_kunit_settle();
	KUNIT_EXPECT_EQ(test, nr_loose(), 0UL);
	kspan_verify(test, &kspan_default_heap);
	context_close();
}

/* NMIs free all objects of the page in three rounds. The merge releases the page. */
static void nmis_free_all_of_a_long_bitmap(struct kunit *test)
{
	unsigned int round;
	struct nmi_frees frees;

	KUNIT_ASSERT_EQ(test, context_open(), 0);
	allow_pages(1);
	fill_page(test, &frees, 16);
	for (round = 0; round < 3; round++) {
		run_in_nmi(test, free_every_third, &frees);
		frees.n--;
		frees.p++;
	}
	kspan_kunit_settle();
	KUNIT_EXPECT_EQ(test, nr_loose(), 0UL);
	kspan_verify(test, &kspan_default_heap);
	context_close();
}

/*
 * A visit to the page allocator costs the same for one page as for eight. So when spans are one
 * object long, a CPU that has used many gets eight at once.
 */
static void pages_of_one_object_come_some_at_a_time(struct kunit *test)
{
	unsigned int n = 32, class, i;
	void **p = kunit_kzalloc(test, n * sizeof(*p), GFP_KERNEL);
	unsigned long before;
	int nid;

	KUNIT_ASSERT_NOT_NULL(test, p);
	kspan_kunit_pin(test);
	nid = raw_cpu_ptr(kspan_default_heap.cpu)->nid;
	/* Each visit raises the number of objects that the CPU may keep. */
	for (i = 0; i < n - 1; i++) {
		allow_pages(1);
		p[i] = kspan_malloc(PAGE_SIZE, GFP_KERNEL | __GFP_NOWARN);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
	}
	before = nr_loose();
	/* Forbid blocks of two pages or more (loose_most), since such a block would be one span. */
	allow_pages(8);
	kspan_page_heap(nid)->skip = 2;
	kspan_page_heap(nid)->loose_most = 0;
	p[i] = kspan_malloc(PAGE_SIZE, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_ASSERT_NOT_NULL(test, p[i]);
	KUNIT_EXPECT_EQ(test, nr_loose(), before + 8);
	class = kspan_size_class(PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, kspan_heap_central(&kspan_default_heap, nid, class)->nr_out,
			before + 8);
	kspan_verify(test, &kspan_default_heap);
	kspan_free_bulk(n, p);
	kspan_kunit_settle();
	KUNIT_EXPECT_EQ(test, nr_loose(), 0UL);
	expect_all_released(test);
}

/* Four pages are stocked in a CPU cache without room for them. All must be released. */
static void pages_that_the_cpu_has_no_room_for_are_released(struct kunit *test)
{
	unsigned int class = kspan_size_class(PAGE_SIZE), n = 0;
	struct kspan_request rq = { .npages = 1, .align = 1, .class = class, .gfp = GFP_KERNEL };
	struct kspan_central *central;
	struct kspan_span *span;
	LIST_HEAD(spans);
	void *p;
	int nid;

	kspan_kunit_pin(test);
	nid = raw_cpu_ptr(kspan_default_heap.cpu)->nid;
	rq.nid = nid;
	allow_pages(1);
	p = kspan_malloc(PAGE_SIZE, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_ASSERT_NOT_NULL(test, p);
	central = kspan_heap_central(&kspan_default_heap, nid, class);
	allow_pages(4);
	kspan_page_heap_alloc_loose(&rq, 0, 4, &spans);
	list_for_each_entry(span, &spans, list) {
		KUNIT_EXPECT_EQ(test, kspan_span_format(span, central->sc, false, GFP_KERNEL), 0);
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, 4U);
	KUNIT_EXPECT_EQ(test, nr_loose(), 5UL);
	/* The CPU keeps the page in its magazine, or its magazine has room for none. */
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, kspan_cpu_cache_room(&kspan_default_heap, class, nid), 0U);
	kspan_cpu_cache_stock(&kspan_default_heap, class, central, &spans, NULL);
	KUNIT_EXPECT_LE(test, nr_loose(), 1UL);
	kspan_kunit_settle();
	expect_all_released(test);
}

/*
 * kspan's page is divided in two halves. The other half belongs to kspan, too, or to another user;
 * then a free of it is a foreign one.
 */
static void expect_other_half(struct kunit *test, const void *p)
{
	unsigned long addr = (unsigned long)p, other = addr ^ PAGE_SIZE;
	u64 foreign = kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN);
	struct kspan_span *span = kspan_map_span(other);

	KUNIT_EXPECT_EQ(test, span_of(p)->start, addr);
	KUNIT_EXPECT_EQ(test, kspan_kunit_page_class(addr), KSPAN_CLASS_PRIVATE);
	KUNIT_EXPECT_EQ(test, kspan_owns((void *)other), !!span);
	if (span) {
		KUNIT_EXPECT_EQ(test, span->start, other);
		return;
	}
	KUNIT_EXPECT_EQ(test, kspan_size((void *)other), (size_t)0);
	kspan_free((void *)other);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN), foreign + 1);
}

static unsigned int free_halves(unsigned int n, void **p, unsigned long half)
{
	unsigned int i, freed = 0;

	for (i = 0; i < n; i++) {
		if (!p[i] || ((unsigned long)p[i] & PAGE_SIZE) != half)
			continue;
		kspan_free(p[i]);
		p[i] = NULL;
		freed++;
	}
	kspan_kunit_settle();
	return freed;
}

static void halves_of_a_page_are_told_apart(struct kunit *test)
{
	unsigned int n = 64, i, freed;
	void **p = kunit_kzalloc(test, n * sizeof(*p), GFP_KERNEL);

	if (!KSPAN_PAGE_ORDER)
		kunit_skip(test, "a page of kspan is one of the kernel");
	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < n; i++) {
		allow_pages(1);
		p[i] = kspan_malloc(PAGE_SIZE, GFP_KERNEL | __GFP_NOWARN);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
	}
	for (i = 0; i < n; i++)
		expect_other_half(test, p[i]);
	kspan_verify(test, &kspan_default_heap);
	freed = free_halves(n, p, 0);
	KUNIT_EXPECT_GT(test, freed, 0U);
	for (i = 0; i < n; i++)
		if (p[i])
			expect_other_half(test, p[i]);
	kspan_verify(test, &kspan_default_heap);
	KUNIT_EXPECT_EQ(test, free_halves(n, p, PAGE_SIZE), n - freed);
	kspan_verify(test, &kspan_default_heap);
	KUNIT_EXPECT_EQ(test, nr_loose(), 0UL);
}

static void wrong_frees_are_found(struct kunit *test)
{
	u64 twice = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);
	u64 inside = kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR);
	char *p, *q;

	allow_pages(1);
	p = kspan_malloc(512, GFP_KERNEL | __GFP_NOWARN);
	q = kspan_malloc(512, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, q);
	kspan_free(p + 8);
	kspan_kunit_settle();
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR), inside + 1);
	kspan_free(p);
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE), twice + 1);
	kspan_verify(test, &kspan_default_heap);
	kspan_free(q);
}

static void tracked_heap_has_them_too(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("loose", 0, KSPAN_HEAP_TRACK);
	void *p, *q;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	allow_pages(1);
	p = kspan_heap_malloc(heap, 8, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_EXPECT_NOT_NULL(test, p);
	q = kspan_heap_malloc(heap, 8, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_EXPECT_NOT_NULL(test, q);
	KUNIT_EXPECT_EQ(test, nr_loose(), 1UL);
	kspan_verify(test, heap);
	kspan_free(q);
	kspan_free(p);
	kspan_verify(test, heap);
	kspan_heap_trim(heap);
	KUNIT_EXPECT_EQ(test, nr_loose(), 0UL);
	kspan_heap_destroy(heap);
}

static void fill_with_pattern(void *object)
{
	memset(object, 0x3c, 200);
}

static void typed_cache_has_them_too(struct kunit *test)
{
	struct kspan_cache *cache = kspan_cache_create("loose", 200, 0, 0, fill_with_pattern);
	/* Each slot has a seal behind the object. */
	unsigned int n = PAGE_SIZE / (200 + sizeof(long)), i;
	void **p = kunit_kzalloc(test, n * sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, cache);
	KUNIT_ASSERT_NOT_NULL(test, p);
	allow_pages(1);
	for (i = 0; i < n; i++) {
		p[i] = kspan_cache_alloc(cache, GFP_KERNEL | __GFP_NOWARN);
		KUNIT_ASSERT_NOT_NULL_MSG(test, p[i], "object %u", i);
		KUNIT_EXPECT_NULL(test, memchr_inv(p[i], 0x3c, 200));
	}
	KUNIT_EXPECT_EQ(test, nr_loose(), 1UL);
	for (i = 0; i < n; i++)
		kspan_cache_free(cache, p[i]);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
	KUNIT_EXPECT_EQ(test, nr_loose(), 0UL);
	expect_all_released(test);
}

static void heap_with_loose_spans_is_destroyed(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("loose", 0, 0);

	KUNIT_ASSERT_NOT_NULL(test, heap);
	allow_pages(1);
	KUNIT_EXPECT_NOT_NULL(test, kspan_heap_malloc(heap, 100, GFP_KERNEL | __GFP_NOWARN));
	allow_pages(2);
	KUNIT_EXPECT_NOT_NULL(test, kspan_heap_malloc(heap, 8192, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_EQ(test, nr_loose(), 3UL);
	kspan_heap_destroy(heap);
	KUNIT_EXPECT_EQ(test, nr_loose(), 0UL);
	KUNIT_EXPECT_EQ(test, kspan_arena_bytes(), 0UL);
}

/* With interrupts off the page allocator can't be called. A work item releases the block later. */
static void freed_with_interrupts_off_it_is_released_later(struct kunit *test)
{
	unsigned long then;
	void *p;

	allow_pages(1);
	p = kspan_malloc(4096, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_ASSERT_NOT_NULL(test, p);
	local_irq_disable();
	kspan_free(p);
	kspan_cpu_cache_return_objects(&kspan_default_heap);
	then = kspan_arena_bytes();
	local_irq_enable();
	KUNIT_EXPECT_EQ(test, then, PAGE_SIZE);
	expect_all_released(test);
}

static void resizing_works(struct kunit *test)
{
	char *p, *q;

	allow_pages(1);
	p = kspan_malloc(100, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, nr_loose(), 1UL);
	memset(p, 0x77, 100);
	kspan_hard_limit = 0;
	q = kspan_realloc(p, 5000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_NULL(test, memchr_inv(q, 0x77, 100));
	kspan_free(q);
}

/*
 * An object from the page allocator's reserves may have less than kspan's page. To grow, it moves.
 */
static void half_a_page_of_the_reserves_grows(struct kunit *test)
{
	char *p = kspan_large_alloc_emergency(NULL, 64, NID, GFP_KERNEL | __GFP_MEMALLOC), *q;

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, kspan_size(p), PAGE_SIZE);
	memset(p, 0x2e, PAGE_SIZE);
	q = kspan_realloc(p, 5000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_EQ(test, q == p, !KSPAN_PAGE_ORDER);
	KUNIT_EXPECT_GE(test, kspan_size(q), (size_t)5000);
	KUNIT_EXPECT_NULL(test, memchr_inv(q, 0x2e, min(PAGE_SIZE, 5000UL)));
	kspan_free(q);
}

/* A request with __GFP_NOFAIL exceeds the limit, but by one page only. */
static void nofail_takes_one_page_beyond_the_limit(struct kunit *test)
{
	unsigned long before = kspan_arena_bytes();
	void *p;

	kspan_hard_limit = max(before, PAGE_SIZE);
	p = kspan_malloc(16, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_LE(test, kspan_arena_bytes(), before + PAGE_SIZE);
	kspan_free(p);
}

/* At the limit a request for another size must get the loose span that the CPU caches. */
static void cached_pages_make_room_at_the_limit(struct kunit *test)
{
	void *p;

	allow_pages(1);
	p = kspan_malloc(PAGE_SIZE, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_ASSERT_NOT_NULL(test, p);
	kspan_free(p);
	/*
	 * The heap tries relief again only when this CPU has spilled a magazine since the last
	 * time.
	 */
	this_cpu_inc(kspan_default_heap.cpu->events[KSPAN_SPILL]);
	p = kspan_malloc(512, GFP_KERNEL | __GFP_NOWARN);
	KUNIT_EXPECT_NOT_NULL(test, p);
	kspan_free(p);
}

/* A free run of an arena that is too short for a full span becomes a shorter span. */
static void short_runs_of_arenas_are_used(struct kunit *test)
{
	unsigned int pages = kspan_size_classes[kspan_size_class(8192)].pages, i;
	struct kspan_span **runs = kunit_kzalloc(test, KSPAN_ARENA_PAGES * sizeof(*runs),
						 GFP_KERNEL);
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, runs);
	KUNIT_ASSERT_GT(test, pages, 1U);
	for (i = 0; i < KSPAN_ARENA_PAGES; i++) {
		runs[i] = kspan_page_heap_alloc(NID, 1, 1, 0, GFP_KERNEL | __GFP_THISNODE);
		KUNIT_ASSERT_NOT_NULL(test, runs[i]);
	}
	/* Every other page of the arena is free, and the heap may allocate no other memory. */
	allow_pages(0);
	for (i = 0; i < KSPAN_ARENA_PAGES; i += 2)
		kspan_page_heap_free(runs[i], runs[i]->start, KSPAN_SPAN_LARGE);
	p = kspan_malloc_node(8192, GFP_KERNEL | __GFP_NOWARN | __GFP_THISNODE, NID);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, kspan_span_npages(span_of(p)), 1U);
	KUNIT_EXPECT_FALSE(test, kspan_span_is_loose(span_of(p)));
	kspan_verify(test, &kspan_default_heap);
	kspan_free(p);
	for (i = 1; i < KSPAN_ARENA_PAGES; i += 2)
		kspan_page_heap_free(runs[i], runs[i]->start, KSPAN_SPAN_LARGE);
}

static struct kunit_case loose_cases[] = {
	KUNIT_CASE(small_objects_live_on_one_page_of_the_kernel),
	KUNIT_CASE(larger_objects_take_the_smallest_block_that_holds_them),
	KUNIT_CASE(statistics_have_them),
	KUNIT_CASE(all_slots_of_a_page_are_served),
	KUNIT_CASE(nmis_free_into_a_long_bitmap),
	KUNIT_CASE(nmis_free_all_of_a_long_bitmap),
	KUNIT_CASE(pages_of_one_object_come_some_at_a_time),
	KUNIT_CASE(pages_that_the_cpu_has_no_room_for_are_released),
	KUNIT_CASE(halves_of_a_page_are_told_apart),
	KUNIT_CASE(wrong_frees_are_found),
	KUNIT_CASE(tracked_heap_has_them_too),
	KUNIT_CASE(typed_cache_has_them_too),
	KUNIT_CASE(heap_with_loose_spans_is_destroyed),
	KUNIT_CASE(freed_with_interrupts_off_it_is_released_later),
	KUNIT_CASE(resizing_works),
	KUNIT_CASE(half_a_page_of_the_reserves_grows),
	KUNIT_CASE(nofail_takes_one_page_beyond_the_limit),
	KUNIT_CASE(cached_pages_make_room_at_the_limit),
	KUNIT_CASE(short_runs_of_arenas_are_used),
	{}
};

static struct kunit_suite loose_suite = {
	.name = "kspan_loose",
	.init = kspan_kunit_init,
	.exit = loose_exit,
	.test_cases = loose_cases,
};

kunit_test_suite(loose_suite);
