// SPDX-License-Identifier: GPL-2.0
/*
 * The map: the span and class of any address, and memory that is added to the map.
 *
 * The cases add addresses that have no memory. Nobody allocates there, and the entries stay until
 * the map is freed.
 */
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/nodemask.h>
#include <linux/vmalloc.h>

#include "kspan_kunit.h"

#define NID	first_memory_node

static struct kspan_span *span_alloc(struct kunit *test, size_t size)
{
	unsigned int class = kspan_size_class(size);
	const struct kspan_size_class *sc = &kspan_size_classes[class];
	struct kspan_span *span;

	span = kspan_page_heap_alloc(NID, sc->pages, sc->align, class, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, span);
	return span;
}

static void span_free(struct kunit *test, struct kspan_span *span)
{
	KUNIT_ASSERT_TRUE(test, kspan_page_heap_free(span, span->start, KSPAN_SPAN_DETACHED));
}

static unsigned int class_on(int nid, unsigned long addr)
{
	struct kspan_class_map map = kspan_map_classes(nid);

	return kspan_class_map_get(&map, addr);
}

static void expect_nobody(struct kunit *test, unsigned long addr, const char *what)
{
	int nid;

	KUNIT_EXPECT_NULL_MSG(test, kspan_map_page_span(addr), "%s", what);
	KUNIT_EXPECT_NULL_MSG(test, kspan_map_span(addr), "%s", what);
	for_each_node(nid)
		KUNIT_EXPECT_EQ_MSG(test, class_on(nid, addr), 0U, "%s, node %d", what, nid);
}

static void addresses_of_nobody_are_nobodys(struct kunit *test)
{
	unsigned long end = kspan_map.base + (kspan_map.nr_pages << KSPAN_PAGE_SHIFT);
	void *slub = kmalloc(64, GFP_KERNEL), *mapped = vmalloc(PAGE_SIZE);
	unsigned long page = __get_free_page(GFP_KERNEL);
	unsigned int bit;
	int here;

	KUNIT_EXPECT_TRUE(test, slub && mapped && page);
	expect_nobody(test, 0, "NULL");
	expect_nobody(test, (unsigned long)&here, "the stack");
	expect_nobody(test, (unsigned long)slub, "kmalloc()");
	expect_nobody(test, (unsigned long)mapped, "vmalloc()");
	expect_nobody(test, page, "a page");
	expect_nobody(test, (unsigned long)test->name, "a module");
	expect_nobody(test, (unsigned long)&kspan_map, "a module's data");
	expect_nobody(test, (unsigned long)raw_cpu_ptr(kspan_default_heap.cpu), "per-CPU data");
	expect_nobody(test, kspan_map.base - 1, "below the map");
	expect_nobody(test, end, "above the map");
	expect_nobody(test, end - 1, "the map's last byte");
	expect_nobody(test, ULONG_MAX, "the last address");
	/* Addresses of user space, non-canonical addresses, and gaps between the kernel's areas. */
	for (bit = 3; bit < BITS_PER_LONG; bit++) {
		expect_nobody(test, BIT(bit), "a bit");
		expect_nobody(test, BIT(bit) - 1, "all bits below");
		expect_nobody(test, kspan_map.base - BIT(bit), "that far below");
	}
	free_page(page);
	vfree(mapped);
	kfree(slub);
}

/*
 * Every page of a span tells the span, its class, and the page's place in the span. The addresses
 * next to the span do not.
 */
static void all_pages_of_a_small_span_tell_its_class(struct kunit *test)
{
	/* This span takes the start of the arena, so that no span of the loop begins there. */
	struct kspan_span *first = span_alloc(test, 64);
	unsigned int class, i;

	for (class = 1; class <= kspan_size_class(KSPAN_MAX_SMALL); class++) {
		struct kspan_span *span = span_alloc(test, kspan_size_classes[class].size);
		struct kspan_class_map map = kspan_map_classes(NID);
		unsigned long start = span->start, at;

		/*
		 * Before kspan_map_set_class() the map has the span but not its class: nobody may
		 * free a slot that is not sealed yet.
		 */
		KUNIT_EXPECT_PTR_EQ(test, kspan_map_page_span(start), span);
		KUNIT_EXPECT_EQ(test, class_on(NID, start), 0U);
		kspan_map_set_class(span);
		for (i = 0; i < kspan_span_npages(span); i++) {
			for (at = 0; at < KSPAN_PAGE_SIZE; at += KSPAN_PAGE_SIZE / 2 - 1) {
				unsigned long addr = start + KSPAN_KUNIT_PAGES(i) + at;
				u32 entry = kspan_class_map_entry(&map, kspan_map_page(addr));

				KUNIT_ASSERT_PTR_EQ(test, kspan_map_page_span(addr), span);
				KUNIT_ASSERT_PTR_EQ(test, kspan_map_span(addr), span);
				KUNIT_ASSERT_EQ(test, class_on(NID, addr), class);
				KUNIT_ASSERT_EQ(test, kspan_entry_offset(entry, addr - map.base),
						(u32)(addr - start));
			}
		}
		KUNIT_EXPECT_PTR_NE(test, kspan_map_span(start - 1), span);
		KUNIT_EXPECT_PTR_NE(test, kspan_map_span(start + kspan_span_bytes(span)), span);
		span_free(test, span);
		for (i = 0; i < kspan_size_classes[class].pages; i++)
			expect_nobody(test, start + KSPAN_KUNIT_PAGES(i), "a span that went");
	}
	span_free(test, first);
}

static void large_span_is_found_from_all_its_pages(struct kunit *test)
{
	char *p = kspan_malloc(300000, GFP_KERNEL);
	struct kspan_span *span;
	unsigned long i, bytes;

	KUNIT_ASSERT_NOT_NULL(test, p);
	span = kspan_map_page_span((unsigned long)p);
	KUNIT_ASSERT_NOT_NULL(test, span);
	bytes = kspan_span_bytes(span);
	for (i = 0; i < bytes; i += PAGE_SIZE) {
		KUNIT_EXPECT_PTR_EQ(test, kspan_map_span((unsigned long)p + i), span);
		KUNIT_EXPECT_EQ(test, class_on(NID, (unsigned long)p + i), 0U);
		if (i >= KSPAN_PAGE_SIZE)
			KUNIT_EXPECT_NULL(test, kspan_map_page_span((unsigned long)p + i));
	}
	KUNIT_EXPECT_PTR_NE(test, kspan_map_span((unsigned long)p + bytes), span);
	KUNIT_EXPECT_PTR_NE(test, kspan_map_span((unsigned long)p - 1), span);
	kspan_free(p);
}

/*
 * A span's class is in the table of its own node only. So one look in the table of a CPU's node
 * tells both: whether the address has a class, and whether it is of this node.
 */
static void other_nodes_know_no_class(struct kunit *test)
{
	struct kspan_span *span = span_alloc(test, 64);
	int nid;

	kspan_map_set_class(span);
	for_each_node(nid)
		KUNIT_EXPECT_EQ(test, class_on(nid, span->start),
				nid == NID ? kspan_size_class(64) : 0U);
	span_free(test, span);
}

static unsigned int nr_visited;

static void count_span(struct kspan_span *span)
{
	nr_visited++;
}

static void each_span_is_visited_once(struct kunit *test)
{
	static struct kspan_span *spans[40];
	unsigned int before, i;

	nr_visited = 0;
	kspan_map_visit_spans(count_span);
	before = nr_visited;
	for (i = 0; i < ARRAY_SIZE(spans); i++)
		spans[i] = span_alloc(test, kspan_size_classes[1 + i].size);
	nr_visited = 0;
	kspan_map_visit_spans(count_span);
	KUNIT_EXPECT_EQ(test, nr_visited - before, (unsigned int)ARRAY_SIZE(spans));
	for (i = 0; i < ARRAY_SIZE(spans); i++)
		span_free(test, spans[i]);
}

/* Pointers to sectors that one page of a directory holds. */
#define PER_PAGE	(PAGE_SIZE / sizeof(void *))
/*
 * Parts of the directories that the cases may divide. There are more than one run of the suite
 * needs, so that it can run again.
 */
#define PARTS		32U

/* The next part of the directories that no case has divided. What is added stays. */
static unsigned int next_part;

/*
 * The first page frame of sector @nr of a part. Parts are counted from the middle of all
 * addresses.
 */
static unsigned long empty_pfn(unsigned int part, unsigned int nr)
{
	unsigned long page = round_down(kspan_map.nr_pages / 2, PER_PAGE * KSPAN_SECTOR_PAGES);

	page += (part * PER_PAGE + nr) * KSPAN_SECTOR_PAGES;
	return PHYS_PFN(__pa(kspan_map.base)) + (page << KSPAN_PAGE_ORDER);
}

static int add(unsigned int part, unsigned int nr)
{
	unsigned long pfn = empty_pfn(part, nr);

	return kspan_map_add(NID, pfn, pfn + (KSPAN_SECTOR_PAGES << KSPAN_PAGE_ORDER));
}

/*
 * Add memory to a part, so that the directory has to divide it. The size of the map shows that it
 * did. Returns the part; -ENOMEM; or -ENOENT if no part without memory is left.
 */
static int new_part(void)
{
	size_t before = kspan_map_bytes();

	while (next_part < PARTS) {
		unsigned int part = next_part++;

		if (pfn_to_online_page(empty_pfn(part, 0)) ||
		    pfn_to_online_page(empty_pfn(part + 1, 0)))
			continue;
		if (add(part, 0))
			return -ENOMEM;
		if (kspan_map_bytes() != before)
			return part;
	}
	return -ENOENT;
}

static void memory_that_is_added_costs_once(struct kunit *test)
{
	const size_t sector = KSPAN_SECTOR_PAGES * sizeof(u16) +
			      PAGE_ALIGN(sizeof(struct kspan_map_sector));
	int part = new_part();
	size_t before = kspan_map_bytes();

	if (part == -ENOENT)
		kunit_skip(test, "no addresses without memory are left in the middle");
	KUNIT_ASSERT_GE(test, part, 0);
	KUNIT_EXPECT_EQ(test, add(part, 0), 0);
	KUNIT_EXPECT_EQ(test, kspan_map_bytes(), before);
	KUNIT_EXPECT_EQ(test, add(part, 1), 0);
	KUNIT_EXPECT_EQ(test, kspan_map_bytes(), before + sector);
	/* A few page frames need their whole sector. */
	KUNIT_EXPECT_EQ(test, kspan_map_add(NID, empty_pfn(part, 1) + 5,
					    empty_pfn(part, 1) + 6), 0);
	KUNIT_EXPECT_EQ(test, kspan_map_bytes(), before + sector);
	expect_nobody(test, (unsigned long)__va(PFN_PHYS(empty_pfn(part, 1))), "what was added");
}

static void memory_out_of_reach_is_left_alone(struct kunit *test)
{
	unsigned long end = PHYS_PFN(__pa(kspan_map.base)) +
			    (kspan_map.nr_pages << KSPAN_PAGE_ORDER);
	size_t before = kspan_map_bytes();

	KUNIT_EXPECT_EQ(test, kspan_map_add(NID, end, end + 1024), 0);
	KUNIT_EXPECT_EQ(test, kspan_map_add(NID, end - 1024, end + 1024), 0);
	KUNIT_EXPECT_EQ(test, kspan_map_bytes(), before);
}

static bool stop_looking;
static unsigned long nr_looks, nr_wrong_looks;

/*
 * Look a span up through a copy of the map's pointers that was made before memory was added, and
 * through the map itself.
 */
static int look_all_the_time(void *data)
{
	struct kspan_class_map old = kspan_map_classes(NID);
	struct kspan_span *span = data;

	while (!READ_ONCE(stop_looking)) {
		struct kspan_class_map now = kspan_map_classes(NID);

		nr_wrong_looks += kspan_class_map_get(&old, span->start) != kspan_size_class(64) ||
				  kspan_class_map_get(&now, span->start) != kspan_size_class(64) ||
				  kspan_map_page_span(span->start) != span;
		WRITE_ONCE(nr_looks, nr_looks + 1);
		cond_resched();
	}
	return 0;
}

static void wait_for_looks(void)
{
	unsigned long before = READ_ONCE(nr_looks);

	while (READ_ONCE(nr_looks) < before + 100)
		cond_resched();
}

/*
 * A task looks a span up while each new part divides both directories. The readers' directories
 * get new addresses, and every lookup must find the span.
 */
static void readers_go_on_while_memory_is_added(struct kunit *test)
{
	struct kspan_map_sector **sectors = kspan_map.sector;
	struct kspan_span *span = span_alloc(test, 64);
	u16 **classes = kspan_map_classes(NID).sector;
	struct task_struct *reader;
	unsigned int round;
	int part = 0;

	kspan_map_set_class(span);
	nr_looks = 0;
	nr_wrong_looks = 0;
	stop_looking = false;
	reader = kthread_run(look_all_the_time, span, "kspan_map_reader");
	KUNIT_ASSERT_FALSE(test, IS_ERR(reader));
	get_task_struct(reader);
	wait_for_looks();
	for (round = 0; round < 4; round++) {
		part = new_part();
		if (part < 0)
			break;
		KUNIT_EXPECT_PTR_NE(test, kspan_map.sector, sectors);
		KUNIT_EXPECT_PTR_NE(test, kspan_map_classes(NID).sector, classes);
		sectors = kspan_map.sector;
		classes = kspan_map_classes(NID).sector;
		wait_for_looks();
	}
	WRITE_ONCE(stop_looking, true);
	kthread_stop(reader);
	put_task_struct(reader);
	KUNIT_EXPECT_EQ(test, nr_wrong_looks, 0UL);
	span_free(test, span);
	KUNIT_EXPECT_NE(test, part, -ENOMEM);
	if (!round)
		kunit_skip(test, "no addresses without memory are left in the middle");
}

/*
 * The map may take 1 MiB and 0.05 % of memory; at most two leaves for each 4 MiB; for each node
 * the page tables of its directory, which cover all addresses; and what the cases have added.
 */
static void map_is_in_proportion(struct kunit *test)
{
	unsigned long pages = totalram_pages();
	unsigned long windows = pages / (KSPAN_ARENA_SIZE >> PAGE_SHIFT);
	size_t leaves = windows * 2 * sizeof(struct kspan_map_leaf);
	size_t tables = kspan_map.nr_pages / KSPAN_SECTOR_PAGES / PER_PAGE * 2 * sizeof(void *);
	size_t added = (next_part + 1) * (KSPAN_SECTOR_PAGES * sizeof(u16) + SZ_32K);

	KUNIT_EXPECT_LE(test, kspan_map_bytes(), pages * PAGE_SIZE / 2000 + SZ_1M + leaves +
			(num_possible_nodes() + 1) * (tables + SZ_64K) + added);
}

static struct kunit_case map_cases[] = {
	KUNIT_CASE(addresses_of_nobody_are_nobodys),
	KUNIT_CASE(all_pages_of_a_small_span_tell_its_class),
	KUNIT_CASE(large_span_is_found_from_all_its_pages),
	KUNIT_CASE(other_nodes_know_no_class),
	KUNIT_CASE(each_span_is_visited_once),
	KUNIT_CASE(memory_that_is_added_costs_once),
	KUNIT_CASE(memory_out_of_reach_is_left_alone),
	KUNIT_CASE(readers_go_on_while_memory_is_added),
	KUNIT_CASE(map_is_in_proportion),
	{}
};

static struct kunit_suite map_suite = {
	.name = "kspan_map",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = map_cases,
};

kunit_test_suite(map_suite);
