// SPDX-License-Identifier: GPL-2.0
/* Arenas, and the map from any address to its span. */
#include <linux/kspan.h>
#include <linux/net.h>
#include <linux/nodemask.h>
#include <linux/vmalloc.h>

#include "kspan_kunit.h"

/* The flags that arena.c uses for an attempt that may fail, because a smaller block follows. */
#define CHEAP	(__GFP_NOWARN | __GFP_NORETRY | __GFP_THISNODE | __GFP_NOMEMALLOC)

static unsigned long arena_bytes(const struct kspan_arena *arena)
{
	return KSPAN_KUNIT_PAGES(arena->npages);
}

static struct kspan_arena *arena_alloc(struct kunit *test, unsigned int npages)
{
	struct kspan_arena *arena = kspan_arena_alloc(first_memory_node, npages, KSPAN_ARENA_PAGES,
						      GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, arena);
	return arena;
}

static void block_is_naturally_aligned(struct kunit *test)
{
	struct kspan_arena *arena = arena_alloc(test, 1);

	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(arena->start, PAGE_SIZE << arena->order));
	KUNIT_EXPECT_EQ(test, arena_bytes(arena), PAGE_SIZE << arena->order);
	KUNIT_EXPECT_EQ(test, arena->used, 0U);
	KUNIT_EXPECT_EQ(test, arena->nid, page_to_nid(virt_to_page((void *)arena->start)));
	kspan_arena_free(arena);
}

static void block_holds_the_request_aligned(struct kunit *test)
{
	unsigned int npages, power;

	for (power = 1; power <= KSPAN_ARENA_PAGES; power *= 2) {
		for (npages = power / 2 + 1; npages <= power; npages += max(power / 2 - 1, 1U)) {
			struct kspan_arena *arena = arena_alloc(test, npages);

			KUNIT_EXPECT_GE_MSG(test, arena->npages, power, "%u pages", npages);
			kspan_arena_free(arena);
		}
	}
}

static void largest_order_is_tried_first(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL, KSPAN_ARENA_ORDER);
	struct kspan_arena *arena;

	KUNIT_ASSERT_NOT_NULL(test, page);
	__free_pages(page, KSPAN_ARENA_ORDER);
	arena = kspan_arena_alloc(page_to_nid(page), 1, KSPAN_ARENA_PAGES, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, arena);
	KUNIT_EXPECT_EQ(test, arena->order, (unsigned int)KSPAN_ARENA_ORDER);
	kspan_arena_free(arena);
}

/* Takes blocks until the node has none left, or until its free memory is down to a watermark. */
static unsigned int hoard(struct list_head *hoarded, int nid, unsigned int order)
{
	unsigned int count = 0;
	struct page *page;

	while ((page = alloc_pages_node(nid, CHEAP, order))) {
		list_add(&page->lru, hoarded);
		count++;
	}
	return count;
}

static void release(struct list_head *hoarded, unsigned int order)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, hoarded, lru) {
		list_del(&page->lru);
		__free_pages(page, order);
	}
}

/*
 * Break up two blocks: keep the first page of each, and free the rest as one block of every
 * smaller order. __free_pages() does that while the caller holds another reference to the first
 * page.
 */
static void break_up_two(struct list_head *hoarded, struct list_head *kept, unsigned int order)
{
	struct page *page;
	unsigned int i;

	for (i = 0; i < 2 && !list_empty(hoarded); i++) {
		page = list_first_entry(hoarded, struct page, lru);
		list_move(&page->lru, kept);
		get_page(page);
		__free_pages(page, order);
	}
}

static bool is_to_be_had(int nid, unsigned int order)
{
	struct page *page = alloc_pages_node(nid, CHEAP, order);

	if (page)
		__free_pages(page, order);
	return page;
}

/*
 * The arena must be the largest block that the node had: no larger one can be allocated now
 * without going below the watermark.
 */
static void expect_largest(struct kunit *test, struct kspan_arena *arena, int nid)
{
	unsigned int order;

	KUNIT_EXPECT_LT(test, arena->order, (unsigned int)KSPAN_ARENA_ORDER);
	for (order = arena->order + 1; order <= KSPAN_ARENA_ORDER; order++)
		KUNIT_EXPECT_FALSE_MSG(test, kspan_block_is_spare(nid, order) &&
				       is_to_be_had(nid, order),
				       "order %u instead of %u", arena->order, order);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(arena->start, arena_bytes(arena)));
}

/*
 * The node has these free blocks:
 *	order 10	none
 *	order 9...0	at least two
 * So a request for all pages of order 10 fails. Four other requests get arenas of order
 * 9, 9, 8 and 8, or larger ones where the node has more blocks.
 */
static void expect_smaller_arenas(struct kunit *test, int nid)
{
	struct kspan_arena *arenas[4];
	unsigned int i;

	KUNIT_EXPECT_NULL(test, kspan_arena_alloc(nid, KSPAN_ARENA_PAGES,
						  KSPAN_ARENA_PAGES, CHEAP));
	for (i = 0; i < ARRAY_SIZE(arenas); i++) {
		arenas[i] = kspan_arena_alloc(nid, 1, KSPAN_ARENA_PAGES, CHEAP);
		KUNIT_EXPECT_NOT_NULL(test, arenas[i]);
		if (!arenas[i])
			break;
		expect_largest(test, arenas[i], nid);
	}
	while (i--)
		kspan_arena_free(arenas[i]);
}

static void smaller_orders_serve_when_large_ones_are_gone(struct kunit *test)
{
	int nid = first_memory_node;
	LIST_HEAD(hoarded);
	LIST_HEAD(kept);

	if (IS_ENABLED(CONFIG_PAGE_POISONING))
		kunit_skip(test, "takes minutes with page poisoning");
	/* Pages on the lists of other CPUs can't be allocated here. */
	kspan_kunit_pin(test);
	hoard(&hoarded, nid, KSPAN_ARENA_ORDER);
	do {
		break_up_two(&hoarded, &kept, KSPAN_ARENA_ORDER);
	} while (hoard(&hoarded, nid, KSPAN_ARENA_ORDER));
	expect_smaller_arenas(test, nid);
	release(&hoarded, KSPAN_ARENA_ORDER);
	release(&kept, 0);
}

/* Only attempts that do not reclaim can be made to fail: all but the last one. */
static void next_order_serves_when_the_largest_fails(struct kunit *test)
{
	struct kspan_arena *arena;
	unsigned int order, tries = 3;

	if (!IS_ENABLED(CONFIG_FAIL_PAGE_ALLOC))
		kunit_skip(test, "CONFIG_FAIL_PAGE_ALLOC is off");
	/*
	 * The first allocation is the descriptor of the arena, the second its first block. SLUB
	 * may have to allocate pages for the descriptor; then the second is those pages, and the
	 * case tries again.
	 */
	do {
		kspan_kunit_fail_nth(2);
		arena = kspan_arena_alloc(first_memory_node, 1, KSPAN_ARENA_PAGES, GFP_KERNEL);
		KUNIT_EXPECT_TRUE(test, kspan_kunit_nth_failed());
		KUNIT_ASSERT_NOT_NULL(test, arena);
		order = arena->order;
		kspan_arena_free(arena);
	} while (order == KSPAN_ARENA_ORDER && --tries);
	KUNIT_EXPECT_EQ(test, order, (unsigned int)KSPAN_ARENA_ORDER - 1);
}

static void block_is_released(struct kunit *test)
{
	struct kspan_arena *arena = arena_alloc(test, KSPAN_ARENA_PAGES);
	struct page *page = virt_to_page((void *)arena->start);

	KUNIT_EXPECT_EQ(test, page_ref_count(page), KSPAN_PAGE_REFS);
	kspan_arena_free(arena);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 0);
}

/* kfree() calls put_page() for an address that it takes for a page of its own. */
static void stray_puts_free_nothing(struct kunit *test)
{
	struct kspan_arena *arena = arena_alloc(test, KSPAN_ARENA_PAGES);
	struct page *page = virt_to_page((void *)arena->start);
	unsigned long before = kspan_arena_stray_puts(), n = 1UL << arena->order;

	put_page(page);
	put_page(page);
	put_page(page + n - 1);
	KUNIT_EXPECT_LT(test, page_ref_count(page), 0);
	KUNIT_EXPECT_LT(test, page_ref_count(page + n - 1), 0);
	kspan_arena_free(arena);
	KUNIT_EXPECT_EQ(test, kspan_arena_stray_puts() - before, 3UL);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 0);
	KUNIT_EXPECT_EQ(test, page_ref_count(page + n - 1), 0);
}

static void gets_and_puts_are_no_harm(struct kunit *test)
{
	struct kspan_arena *arena = arena_alloc(test, KSPAN_ARENA_PAGES);
	struct page *page = virt_to_page((void *)arena->start) + 1;
	unsigned long puts = kspan_arena_stray_puts(), gets = kspan_arena_stray_gets();

	get_page(page);
	put_page(page);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), KSPAN_PAGE_REFS);
	kspan_arena_free(arena);
	KUNIT_EXPECT_EQ(test, kspan_arena_stray_puts(), puts);
	KUNIT_EXPECT_EQ(test, kspan_arena_stray_gets(), gets);
}

/*
 * A page with a stray reference stays allocated when its arena is freed. The last put_page() frees
 * it.
 */
static void page_with_a_reference_stays(struct kunit *test)
{
	struct kspan_arena *arena = arena_alloc(test, KSPAN_ARENA_PAGES);
	struct page *page = virt_to_page((void *)arena->start) + 5;
	unsigned long before = kspan_arena_stray_gets();

	get_page(page);
	kspan_arena_free(arena);
	KUNIT_EXPECT_EQ(test, kspan_arena_stray_gets() - before, 1UL);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	KUNIT_EXPECT_LE(test, page_ref_count(page - 1), 0);
	put_page(page);
}

static void no_page_is_for_zero_copy(struct kunit *test)
{
	struct kspan_arena *arena = arena_alloc(test, KSPAN_ARENA_PAGES);
	struct page *page = virt_to_page((void *)arena->start);
	unsigned long i, n = 1UL << arena->order;

	for (i = 0; i < n; i++)
		if (page_count(page + i) != KSPAN_PAGE_REFS)
			break;
	KUNIT_EXPECT_EQ(test, i, n);
	KUNIT_EXPECT_FALSE(test, sendpage_ok(page));
	KUNIT_EXPECT_FALSE(test, sendpage_ok(page + n - 1));
	kspan_arena_free(arena);
}

static void node_is_the_one_asked_for(struct kunit *test)
{
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		struct kspan_arena *arena = kspan_arena_alloc(nid, 1, KSPAN_ARENA_PAGES,
							      GFP_KERNEL | __GFP_THISNODE);

		KUNIT_ASSERT_NOT_NULL(test, arena);
		KUNIT_EXPECT_EQ(test, arena->nid, nid);
		kspan_arena_free(arena);
	}
}

static void failure_is_injected(struct kunit *test)
{
	struct kspan_arena *arena;

	kspan_kunit_needs_faults(test);
	kspan_kunit_fail_arenas(2, 1);
	arena = kspan_arena_alloc(first_memory_node, 1, KSPAN_ARENA_PAGES, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, arena);
	KUNIT_EXPECT_NULL(test, kspan_arena_alloc(first_memory_node, 1, KSPAN_ARENA_PAGES,
						  GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, kspan_kunit_stop_failing(), 1U);
	if (arena)
		kspan_arena_free(arena);
}

static void expect_nothing_there(struct kunit *test, unsigned long addr, const char *what)
{
	rcu_read_lock();
	KUNIT_EXPECT_NULL_MSG(test, kspan_map_span(addr), "%s %#lx", what, addr);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ_MSG(test, kspan_central_peek(addr, 1), -ENOENT, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, kspan_large_size(addr), (size_t)0, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, kspan_size((void *)addr), (size_t)0, "%s", what);
	KUNIT_EXPECT_FALSE_MSG(test, kspan_owns((void *)addr), "%s", what);
}

static void addresses_of_no_memory_are_nobodys(struct kunit *test)
{
	expect_nothing_there(test, 0, "NULL");
	expect_nothing_there(test, 8, "the NULL page");
	expect_nothing_there(test, (unsigned long)ZERO_SIZE_PTR, "ZERO_SIZE_PTR");
	expect_nothing_there(test, 0x400000, "user space");
	expect_nothing_there(test, TASK_SIZE - 1, "the end of user space");
	expect_nothing_there(test, 1UL << 62, "a non-canonical address");
	expect_nothing_there(test, (1UL << 63) + 4711, "a non-canonical address");
	expect_nothing_there(test, (unsigned long)ERR_PTR(-ENOMEM), "ERR_PTR");
	expect_nothing_there(test, ULONG_MAX, "ULONG_MAX");
}

static void addresses_of_other_kernel_memory_are_nobodys(struct kunit *test)
{
	static int data;
	void *mapped = vmalloc(PAGE_SIZE);
	void *object = kmalloc(100, GFP_KERNEL);
	int local;

	expect_nothing_there(test, (unsigned long)&local, "the stack");
	expect_nothing_there(test, (unsigned long)&data, "data of a module");
	expect_nothing_there(test, (unsigned long)&expect_nothing_there, "text of a module");
	expect_nothing_there(test, (unsigned long)&jiffies, "data of the kernel");
	expect_nothing_there(test, (unsigned long)&vfree, "text of the kernel");
	expect_nothing_there(test, (unsigned long)mapped, "vmalloc");
	expect_nothing_there(test, (unsigned long)object, "kmalloc");
	expect_nothing_there(test, (unsigned long)virt_to_page(object), "struct page");
	expect_nothing_there(test, (unsigned long)kspan_map.sector, "the map itself");
	expect_nothing_there(test, (unsigned long)raw_cpu_ptr(kspan_default_heap.cpu),
			     "per-CPU memory");
	kfree(object);
	vfree(mapped);
}

static void addresses_around_the_map_are_nobodys(struct kunit *test)
{
	unsigned long end = kspan_map.base + (kspan_map.nr_pages << KSPAN_PAGE_SHIFT);
	unsigned long step = max(1UL, kspan_map.nr_pages / 4096) << KSPAN_PAGE_SHIFT, addr;

	expect_nothing_there(test, kspan_map.base - 1, "below the map");
	expect_nothing_there(test, kspan_map.base - KSPAN_ARENA_SIZE, "below the map");
	expect_nothing_there(test, end, "above the map");
	expect_nothing_there(test, end + KSPAN_ARENA_SIZE, "above the map");
	/* The heap is empty, so no address in the map has a span, with memory or without. */
	for (addr = kspan_map.base; addr < end; addr += step)
		expect_nothing_there(test, addr, "in the map");
	expect_nothing_there(test, end - 1, "the last byte of the map");
}

/* Look up the first, a middle and the last byte of every page of a run: all find the same span. */
static void expect_span_of_all_pages(struct kunit *test, unsigned long start, unsigned int npages,
				     enum kspan_span_state state)
{
	unsigned long end = start + KSPAN_KUNIT_PAGES(npages), addr;

	for (addr = start; addr < end; addr += KSPAN_PAGE_SIZE / 2) {
		struct kspan_span *first = kspan_map_span(addr);
		struct kspan_span *last = kspan_map_span(addr + KSPAN_PAGE_SIZE / 2 - 1);

		KUNIT_ASSERT_NOT_NULL(test, first);
		KUNIT_ASSERT_PTR_EQ(test, first, last);
		KUNIT_ASSERT_EQ(test, first->start, start);
		KUNIT_ASSERT_EQ(test, kspan_span_npages(first), npages);
		KUNIT_ASSERT_EQ(test, (int)first->state, (int)state);
	}
}

static void every_page_of_a_small_span_finds_it(struct kunit *test)
{
	/* The class whose spans are longest: 10 pages for 3 slots. */
	void *p = kspan_malloc(27264, GFP_KERNEL);
	unsigned int class = kspan_size_class(27264);
	struct kspan_span *span;

	KUNIT_ASSERT_NOT_NULL(test, p);
	span = kspan_map_span((unsigned long)p);
	KUNIT_ASSERT_NOT_NULL(test, span);
	expect_span_of_all_pages(test, span->start, kspan_size_classes[class].pages,
				 KSPAN_SPAN_SMALL);
	kspan_free(p);
}

/* Leave the page heap one empty arena of the largest order, and no other arena. */
static void keep_largest_arena(struct kunit *test)
{
	/* This may reclaim: earlier cases leave memory in pieces. */
	void *p = kspan_malloc(KSPAN_ARENA_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	kspan_free(p);
}

static void expect_no_span(struct kunit *test, unsigned long start, unsigned int npages)
{
	unsigned int i;

	for (i = 0; i < npages; i++)
		KUNIT_EXPECT_NULL_MSG(test, kspan_map_span(start + KSPAN_KUNIT_PAGES(i)),
				      "page %u", i);
}

/*
 *	|L 5 pages|. 7 pages|L 100 pages|. the rest|
 */
static void every_page_of_large_runs_finds_them(struct kunit *test)
{
	unsigned long start;
	void *a, *hole, *b;

	keep_largest_arena(test);
	a = kspan_malloc(KSPAN_KUNIT_PAGES(5), GFP_KERNEL);
	hole = kspan_malloc(KSPAN_KUNIT_PAGES(7), GFP_KERNEL);
	b = kspan_malloc(KSPAN_KUNIT_PAGES(100) - 5, GFP_KERNEL);
	start = (unsigned long)a;

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_PTR_EQ(test, hole, a + KSPAN_KUNIT_PAGES(5));
	KUNIT_ASSERT_PTR_EQ(test, b, a + KSPAN_KUNIT_PAGES(12));
	kspan_free(hole);
	expect_span_of_all_pages(test, start, 5, KSPAN_SPAN_LARGE);
	expect_no_span(test, start + KSPAN_KUNIT_PAGES(5), 7);
	expect_span_of_all_pages(test, start + KSPAN_KUNIT_PAGES(12), 100, KSPAN_SPAN_LARGE);
	expect_no_span(test, start + KSPAN_KUNIT_PAGES(112), KSPAN_ARENA_PAGES - 112);
	kspan_free(a);
	kspan_free(b);
}

static void pages_of_a_released_arena_are_nobodys(struct kunit *test)
{
	void *p = kspan_malloc(KSPAN_KUNIT_PAGES(5), GFP_KERNEL);
	unsigned long addr = (unsigned long)p, i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	kspan_free(p);
	kspan_page_heap_release_all();
	for (i = 0; i < KSPAN_ARENA_PAGES; i++)
		expect_nothing_there(test, ALIGN_DOWN(addr, KSPAN_ARENA_SIZE) +
				     KSPAN_KUNIT_PAGES(i), "trimmed");
}

static void metadata_has_no_flags_of_the_object(struct kunit *test)
{
	gfp_t gfp = GFP_HIGHUSER_MOVABLE | __GFP_ZERO | __GFP_ACCOUNT | __GFP_COMP |
		    __GFP_NOFAIL | __GFP_THISNODE | __GFP_NOWARN | __GFP_NORETRY;

	KUNIT_EXPECT_TRUE(test, kspan_gfp_metadata(gfp) ==
			  (GFP_KERNEL | __GFP_HARDWALL | __GFP_NOWARN | __GFP_NORETRY));
	KUNIT_EXPECT_TRUE(test, kspan_gfp_metadata(GFP_ATOMIC) == GFP_ATOMIC);
	KUNIT_EXPECT_TRUE(test, kspan_gfp_metadata(GFP_NOIO) == GFP_NOIO);
}

static struct kunit_case arena_cases[] = {
	KUNIT_CASE(metadata_has_no_flags_of_the_object),
	KUNIT_CASE(block_is_naturally_aligned),
	KUNIT_CASE(block_holds_the_request_aligned),
	KUNIT_CASE(largest_order_is_tried_first),
	KUNIT_CASE(smaller_orders_serve_when_large_ones_are_gone),
	KUNIT_CASE(next_order_serves_when_the_largest_fails),
	KUNIT_CASE(block_is_released),
	KUNIT_CASE(stray_puts_free_nothing),
	KUNIT_CASE(gets_and_puts_are_no_harm),
	KUNIT_CASE(page_with_a_reference_stays),
	KUNIT_CASE(no_page_is_for_zero_copy),
	KUNIT_CASE(node_is_the_one_asked_for),
	KUNIT_CASE(failure_is_injected),
	KUNIT_CASE(addresses_of_no_memory_are_nobodys),
	KUNIT_CASE(addresses_of_other_kernel_memory_are_nobodys),
	KUNIT_CASE(addresses_around_the_map_are_nobodys),
	KUNIT_CASE(every_page_of_a_small_span_finds_it),
	KUNIT_CASE(every_page_of_large_runs_finds_them),
	KUNIT_CASE(pages_of_a_released_arena_are_nobodys),
	{}
};

static struct kunit_suite arena_suite = {
	.name = "kspan_arena",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = arena_cases,
};

kunit_test_suite(arena_suite);
