// SPDX-License-Identifier: GPL-2.0
/*
 * Regions: where objects lie, marks, chunks that are used again, contents of memory, and failures.
 */
#include <linux/kspan.h>
#include <linux/poison.h>
#include <linux/string.h>

#include "kits/region.h"
#include "model.h"

#define CHUNK	(4 * KSPAN_PAGE_SIZE)

static struct kspan_region *make_region(struct kunit *test, size_t chunk)
{
	struct kspan_region *r = kspan_region_create(NULL, chunk, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	return r;
}

static u8 *object(struct kunit *test, struct kspan_region *r, size_t size)
{
	u8 *p = kspan_region_alloc(r, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu", size);
	memset(p, 0xd1, size);
	return p;
}

static struct kspan_region_stats stats_of(const struct kspan_region *r)
{
	struct kspan_region_stats stats;

	kspan_region_stats_read(r, &stats);
	return stats;
}

static unsigned long pages_in_use(void)
{
	struct kspan_page_stats stats;

	kspan_page_stats_read(&stats);
	return stats.used;
}

static unsigned long large_pages_in_use(void)
{
	struct kspan_page_stats stats;

	kspan_page_stats_read(&stats);
	return stats.large_pages;
}

static void objects_lie_one_behind_the_other(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);
	u8 *p = object(test, r, 1), *start = p;
	size_t size, used = 8;

	for (size = 1; size <= 200; size++) {
		u8 *next = object(test, r, size);

		KUNIT_EXPECT_PTR_EQ(test, next, p + ALIGN(size == 1 ? 1 : size - 1, 8));
		used += ALIGN(size, 8);
		p = next;
	}
	KUNIT_EXPECT_EQ(test, stats_of(r).used, used);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, (size_t)CHUNK);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)start, CHUNK));
	kspan_region_destroy(r);
}

static void chunk_is_used_to_its_last_byte(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);
	unsigned int i;
	u8 *first;

	first = object(test, r, 512);
	for (i = 1; i < CHUNK / 512; i++)
		KUNIT_EXPECT_PTR_EQ(test, object(test, r, 512), first + 512 * i);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, (size_t)CHUNK);
	object(test, r, 1);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, (size_t)2 * CHUNK);
	kspan_region_destroy(r);
}

static void size_0_takes_nothing(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);

	KUNIT_EXPECT_PTR_EQ(test, kspan_region_alloc(r, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, kspan_region_zalloc(r, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, kspan_region_alloc_aligned(r, 0, 4096, GFP_KERNEL),
			    ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, kspan_region_memdup(r, "", 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ(test, stats_of(r).used, (size_t)0);
	kspan_region_destroy(r);
}

static void expect_chunk(struct kunit *test, size_t asked, size_t got)
{
	struct kspan_region *r = make_region(test, asked);

	KUNIT_EXPECT_EQ_MSG(test, stats_of(r).held, got, "%zu", asked);
	KUNIT_EXPECT_EQ_MSG(test, stats_of(r).spare, (size_t)0, "%zu", asked);
	object(test, r, 8);
	KUNIT_EXPECT_EQ_MSG(test, stats_of(r).held, got, "%zu", asked);
	kspan_region_destroy(r);
}

static void chunk_is_what_was_asked_for(struct kunit *test)
{
	expect_chunk(test, 0, KSPAN_REGION_CHUNK);
	expect_chunk(test, 1, KSPAN_PAGE_SIZE);
	expect_chunk(test, KSPAN_PAGE_SIZE, KSPAN_PAGE_SIZE);
	expect_chunk(test, KSPAN_PAGE_SIZE + 1, 2 * KSPAN_PAGE_SIZE);
	expect_chunk(test, 5 * KSPAN_PAGE_SIZE, 5 * KSPAN_PAGE_SIZE);
	expect_chunk(test, KSPAN_MAX_SIZE, KSPAN_MAX_SIZE);
}

static void impossible_requests_are_refused(struct kunit *test)
{
	unsigned long zone = kspan_refused(KSPAN_REFUSED_ZONE);
	unsigned long size = kspan_refused(KSPAN_REFUSED_SIZE);
	unsigned long align = kspan_refused(KSPAN_REFUSED_ALIGN);
	struct kspan_region *r;

	KUNIT_EXPECT_NULL(test, kspan_region_create(NULL, KSPAN_MAX_SIZE + 1, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_region_create(NULL, SIZE_MAX, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_region_create(NULL, 0, GFP_KERNEL | GFP_DMA));
	r = make_region(test, CHUNK);
	KUNIT_EXPECT_NULL(test, kspan_region_alloc(r, 8, GFP_KERNEL | GFP_DMA32));
	KUNIT_EXPECT_NULL(test, kspan_region_alloc(r, KSPAN_MAX_SIZE + 1, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_region_alloc(r, SIZE_MAX, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_region_alloc(r, SIZE_MAX - 6, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_region_alloc_aligned(r, SIZE_MAX, 4096, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_region_alloc_aligned(r, 8, 0, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_region_alloc_aligned(r, 8, 24, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_region_alloc_aligned(r, 8, 2 * KSPAN_MAX_SIZE, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_ZONE) - zone, 2UL);
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_SIZE) - size, 6UL);
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_ALIGN) - align, 3UL);
	KUNIT_EXPECT_EQ(test, stats_of(r).used, (size_t)0);
	kspan_region_destroy(r);
}

/* Allocate between two objects of 40 bytes, so from an address that is not aligned. */
static void expect_aligned(struct kunit *test, size_t chunk, size_t size, size_t align)
{
	struct kspan_region *r = make_region(test, chunk);
	u8 *before = object(test, r, 40), *after, *p;

	p = kspan_region_alloc_aligned(r, size, align, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu, %zu", size, align);
	KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED((unsigned long)p, max_t(size_t, align, 8)),
			      "%zu aligned to %zu is at %p", size, align, p);
	after = object(test, r, 40);
	model_stamp(before, 40, 1);
	model_stamp(after, 40, 2);
	model_stamp(p, size, 3);
	KUNIT_EXPECT_TRUE(test, model_stamped(before, 40, 1));
	KUNIT_EXPECT_TRUE(test, model_stamped(after, 40, 2));
	KUNIT_EXPECT_TRUE(test, model_stamped(p, size, 3));
	kspan_region_destroy(r);
}

static void every_alignment(struct kunit *test)
{
	static const size_t sizes[] = { 1, 40, 4096, 8192, 10000, 40000, 100000 };
	static const size_t chunks[] = { KSPAN_PAGE_SIZE, 3 * KSPAN_PAGE_SIZE, CHUNK, 1 << 20 };
	unsigned int i, j;
	size_t align;

	for (align = 1; align <= KSPAN_MAX_SIZE; align *= 2)
		for (i = 0; i < ARRAY_SIZE(sizes); i++)
			for (j = 0; j < ARRAY_SIZE(chunks); j++)
				expect_aligned(test, chunks[j], sizes[i], align);
	expect_aligned(test, CHUNK, KSPAN_MAX_SIZE, KSPAN_MAX_SIZE);
	expect_aligned(test, KSPAN_MAX_SIZE, KSPAN_MAX_SIZE, 64);
}

/*
 *	|ooo......| |OOOOOOOOOOOOOOOOOOO...|	the next small object lies behind ooo
 */
static void larger_than_a_chunk(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);
	u8 *small = object(test, r, 64), *large;
	struct kspan_region_mark mark;
	unsigned long pages = large_pages_in_use();
	size_t size;

	for (size = CHUNK + 1; size <= KSPAN_MAX_SIZE; size = size * 3 / 2) {
		mark = kspan_region_mark(r);
		large = object(test, r, size);
		KUNIT_EXPECT_PTR_EQ(test, object(test, r, 64), small + 64);
		KUNIT_EXPECT_EQ(test, stats_of(r).held, CHUNK + ALIGN(size, KSPAN_PAGE_SIZE));
		KUNIT_EXPECT_EQ(test, stats_of(r).used, 128 + ALIGN(size, 8));
		model_stamp(large, size, size);
		KUNIT_EXPECT_TRUE(test, model_stamped(large, size, size));
		kspan_region_release(r, mark);
		KUNIT_EXPECT_EQ(test, stats_of(r).held, (size_t)CHUNK);
		KUNIT_EXPECT_EQ(test, large_pages_in_use(), pages);
	}
	kspan_region_destroy(r);
}

/* The region continues in the chunk with more free bytes, the open one or the new one. */
static void objects_go_where_there_is_more_room(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);
	u8 *small, *quarter, *more;

	object(test, r, CHUNK - 1024);
	/*
	 * An object of more than a quarter of a chunk gets pages of its own. They have 8 bytes
	 * left.
	 */
	more = object(test, r, 2 * KSPAN_PAGE_SIZE - 8);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, CHUNK + 2 * KSPAN_PAGE_SIZE);
	small = object(test, r, 512);
	KUNIT_EXPECT_TRUE(test, small < more || small > more + 2 * KSPAN_PAGE_SIZE);
	/* An object of more than a quarter. Its pages have more bytes left than the open chunk. */
	more = object(test, r, KSPAN_PAGE_SIZE + 8);
	KUNIT_EXPECT_PTR_EQ(test, object(test, r, 512), more + KSPAN_PAGE_SIZE + 8);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, CHUNK + 4 * KSPAN_PAGE_SIZE);
	/* An object of a quarter gets a chunk of the usual size. */
	quarter = object(test, r, KSPAN_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, 2 * CHUNK + 4 * KSPAN_PAGE_SIZE);
	KUNIT_EXPECT_PTR_EQ(test, object(test, r, 8), quarter + KSPAN_PAGE_SIZE);
	kspan_region_destroy(r);
}

/* The region leaves at most a quarter of each chunk unused, but for the last one. */
static void waste_is_bounded(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);
	struct rnd_state rnd;
	size_t total = 0, size;

	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	while (total < 100 * CHUNK) {
		size = 1 + kspan_kunit_below(&rnd, CHUNK / 4);
		object(test, r, size);
		total += ALIGN(size, 8);
	}
	KUNIT_EXPECT_EQ(test, stats_of(r).used, total);
	KUNIT_EXPECT_LE(test, stats_of(r).held, total / 3 * 4 + CHUNK);
	kunit_info(test, "%zu bytes held for %zu of objects\n", stats_of(r).held, total);
	kspan_region_destroy(r);
}

static void release_goes_back_to_the_mark(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);
	struct kspan_region_mark empty = kspan_region_mark(r), outer, inner;
	u8 *first = object(test, r, 100), *second, *third;
	unsigned int i;

	outer = kspan_region_mark(r);
	second = object(test, r, 3 * CHUNK);
	inner = kspan_region_mark(r);
	third = object(test, r, 24);
	for (i = 0; i < 1000; i++)
		object(test, r, 200);
	kspan_region_release(r, inner);
	KUNIT_EXPECT_PTR_EQ(test, object(test, r, 24), third);
	/* Release to the same mark again, and then to the outer one, without the inner. */
	kspan_region_release(r, inner);
	KUNIT_EXPECT_PTR_EQ(test, object(test, r, 24), third);
	KUNIT_EXPECT_EQ(test, stats_of(r).used, 104 + 3 * CHUNK + 24);
	kspan_region_release(r, outer);
	KUNIT_EXPECT_EQ(test, stats_of(r).used, (size_t)104);
	KUNIT_EXPECT_PTR_EQ(test, object(test, r, 8), first + 104);
	KUNIT_EXPECT_PTR_NE(test, second, first + 104);
	kspan_region_release(r, empty);
	KUNIT_EXPECT_EQ(test, stats_of(r).used, (size_t)0);
	kspan_region_destroy(r);
}

static bool refused(struct kspan_region *r, struct kspan_region_mark mark)
{
	unsigned long before = kspan_refused(KSPAN_REFUSED_MARK);
	struct kspan_region_stats old = stats_of(r);
	unsigned long next = r->next;

	kspan_region_release(r, mark);
	if (kspan_refused(KSPAN_REFUSED_MARK) == before)
		return false;
	/* A refused mark changes nothing. */
	return r->next == next && stats_of(r).used == old.used && stats_of(r).held == old.held;
}

static void stale_marks_are_refused(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);
	struct kspan_region_mark outer, inner, large, fresh;
	struct kmsg_dump_iter log;
	char raw[20];

	kspan_kunit_log_begin(&log);
	object(test, r, 8);
	outer = kspan_region_mark(r);
	object(test, r, 8);
	inner = kspan_region_mark(r);
	object(test, r, 2 * CHUNK);
	large = kspan_region_mark(r);
	kspan_region_release(r, outer);
	/*
	 * The mark is beyond the objects in use. Later new objects lie there, and the mark is
	 * inside of them.
	 */
	KUNIT_EXPECT_TRUE(test, refused(r, inner));
	/* The first refusal is reported, without the address. */
	snprintf(raw, sizeof(raw), "%lx", inner.next);
	KUNIT_EXPECT_FALSE(test, kspan_kunit_logged(&log, raw));
	KUNIT_EXPECT_TRUE(test, refused(r, large));
	object(test, r, 8);
	object(test, r, 2 * CHUNK);
	KUNIT_EXPECT_TRUE(test, refused(r, inner));
	KUNIT_EXPECT_TRUE(test, refused(r, large));
	fresh = kspan_region_mark(r);
	object(test, r, 64);
	KUNIT_EXPECT_FALSE(test, refused(r, fresh));
	KUNIT_EXPECT_TRUE(test, refused(r, inner));
	KUNIT_EXPECT_FALSE(test, refused(r, outer));
	KUNIT_EXPECT_TRUE(test, refused(r, fresh));
	kspan_region_reset(r);
	KUNIT_EXPECT_TRUE(test, refused(r, outer));
	object(test, r, 64);
	KUNIT_EXPECT_TRUE(test, refused(r, outer));
	kspan_region_destroy(r);
}

static void marks_of_other_regions_are_refused(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK), *other = make_region(test, CHUNK);
	struct kspan_region_mark empty = kspan_region_mark(other), none = { };

	object(test, r, 8);
	object(test, other, 8);
	KUNIT_EXPECT_TRUE(test, refused(r, empty));
	KUNIT_EXPECT_TRUE(test, refused(r, kspan_region_mark(other)));
	KUNIT_EXPECT_TRUE(test, refused(r, none));
	kspan_region_destroy(other);
	other = make_region(test, CHUNK);
	KUNIT_EXPECT_TRUE(test, refused(other, empty));
	kspan_region_destroy(other);
	kspan_region_destroy(r);
}

#define DEEP	(5 * KSPAN_REGION_LANDINGS)

/*
 * A region notes few of the depths that it was released to. No good mark may be refused for that.
 */
static void deep_nesting(struct kunit *test)
{
	struct kspan_region *r = make_region(test, KSPAN_PAGE_SIZE);
	struct kspan_region_mark *marks, stale;
	unsigned int i;

	marks = kunit_kcalloc(test, DEEP, sizeof(*marks), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, marks);
	for (i = 0; i < DEEP; i++) {
		object(test, r, 700);
		marks[i] = kspan_region_mark(r);
		object(test, r, 700);
		stale = kspan_region_mark(r);
		KUNIT_EXPECT_FALSE(test, refused(r, marks[i]));
		object(test, r, 800);
		KUNIT_EXPECT_TRUE(test, refused(r, stale));
	}
	while (i--) {
		KUNIT_EXPECT_FALSE(test, refused(r, marks[i]));
		KUNIT_EXPECT_LE(test, stats_of(r).used, (i + 1UL) * 704 + i * 800UL);
	}
	KUNIT_EXPECT_EQ(test, stats_of(r).used, (size_t)704);
	kspan_region_destroy(r);
}

/* A mark that no region made is refused, whatever its fields are. */
static void made_up_marks_do_no_harm(struct kunit *test)
{
	struct kspan_region *r = make_region(test, KSPAN_PAGE_SIZE);
	struct kspan_region_mark mark;
	unsigned int i;
	u8 *first;

	first = object(test, r, 2000);
	for (i = 0; i < 20; i++)
		object(test, r, 2000);
	mark = kspan_region_mark(r);
	mark.chunks++;
	KUNIT_EXPECT_TRUE(test, refused(r, mark));
	mark.chunks = 0;
	KUNIT_EXPECT_TRUE(test, refused(r, mark));
	mark.chunks = 1;
	mark.next = (unsigned long)first - 8;
	KUNIT_EXPECT_TRUE(test, refused(r, mark));
	mark.next = (unsigned long)first + KSPAN_PAGE_SIZE;
	KUNIT_EXPECT_TRUE(test, refused(r, mark));
	kspan_region_destroy(r);
}

/* Allocate objects of random sizes, which take about 20 chunks. */
static void work(struct kunit *test, struct kspan_region *r, u64 seed)
{
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, seed);
	for (i = 0; i < 150; i++)
		KUNIT_ASSERT_NOT_NULL(test, kspan_region_alloc(r, model_size(&rnd, 15),
							       GFP_KERNEL));
}

static void same_work_takes_no_more_pages(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);
	u64 seed = kspan_kunit_random_seed(test);
	struct kspan_region_mark mark;
	unsigned long pages = 0;
	unsigned int round;
	size_t held = 0;

	object(test, r, 1000);
	mark = kspan_region_mark(r);
	for (round = 0; round < (IS_ENABLED(CONFIG_KASAN) ? 200 : 1000); round++) {
		work(test, r, seed);
		if (!round) {
			held = stats_of(r).held;
			pages = large_pages_in_use();
		}
		KUNIT_ASSERT_EQ(test, stats_of(r).held, held);
		KUNIT_ASSERT_EQ(test, large_pages_in_use(), pages);
		kspan_region_release(r, mark);
		KUNIT_ASSERT_EQ(test, stats_of(r).used, (size_t)1000);
	}
	kspan_region_destroy(r);
}

static void reset_keeps_a_bounded_rest(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);
	struct kspan_region_mark mark;
	unsigned int i;
	u8 *first;

	first = object(test, r, 4096);
	for (i = 1; i < 4 * KSPAN_REGION_SPARE / 4096; i++)
		object(test, r, 4096);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, (size_t)4 * KSPAN_REGION_SPARE);
	kspan_region_reset(r);
	KUNIT_EXPECT_EQ(test, stats_of(r).used, (size_t)0);
	KUNIT_EXPECT_EQ(test, stats_of(r).spare, (size_t)KSPAN_REGION_SPARE);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, (size_t)KSPAN_REGION_SPARE + CHUNK);
	mark = kspan_region_mark(r);
	kspan_region_trim(r);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, (size_t)0);
	first = object(test, r, 8);
	KUNIT_EXPECT_TRUE(test, refused(r, mark));
	kspan_region_reset(r);
	KUNIT_EXPECT_PTR_EQ(test, object(test, r, 8), first);
	kspan_region_trim(r);
	KUNIT_EXPECT_PTR_EQ(test, object(test, r, 8), first + 8);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, (size_t)CHUNK);
	kspan_region_destroy(r);
}

static void chunks_larger_than_the_rest_are_not_kept(struct kunit *test)
{
	struct kspan_region *r = make_region(test, KSPAN_MAX_SIZE);

	object(test, r, KSPAN_MAX_SIZE);
	object(test, r, KSPAN_MAX_SIZE);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, (size_t)2 * KSPAN_MAX_SIZE);
	kspan_region_reset(r);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, (size_t)KSPAN_MAX_SIZE);
	kspan_region_destroy(r);
}

static void destroy_leaves_no_page(struct kunit *test)
{
	unsigned long pages = pages_in_use();
	struct kspan_region *r;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		r = make_region(test, CHUNK);
		work(test, r, i + 1);
		KUNIT_EXPECT_GT(test, pages_in_use(), pages);
		kspan_region_destroy(r);
	}
	kspan_kunit_settle();
	KUNIT_EXPECT_EQ(test, pages_in_use(), pages);
	kspan_region_destroy(NULL);
}

static void copies(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);
	u8 bytes[300];
	char *s;
	void *p;

	model_stamp(bytes, sizeof(bytes), 5);
	p = kspan_region_memdup(r, bytes, sizeof(bytes), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, memcmp(p, bytes, sizeof(bytes)), 0);
	s = kspan_region_strdup(r, "a string", GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_STREQ(test, s, "a string");
	KUNIT_EXPECT_PTR_EQ(test, (void *)s, p + 304);
	s = kspan_region_strdup(r, "", GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_STREQ(test, s, "");
	KUNIT_EXPECT_NULL(test, kspan_region_strdup(r, NULL, GFP_KERNEL));
	kspan_region_destroy(r);
}

static void chunks_are_from_the_heap(struct kunit *test)
{
	struct kspan_heap *heap = kspan_kunit_heap(test);
	struct kspan_region *r;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	r = kspan_region_create(heap, CHUNK, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r);
	work(test, r, 1);
	kspan_verify(test, heap);
	kspan_region_destroy(r);
}

static void free_of_an_object_is_reported(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);
	u64 before = kspan_bad_free_count(KSPAN_BAD_FREE_REGION), all = kspan_bad_frees();
	u8 *first = object(test, r, 100), *p = object(test, r, 64);
	u8 *large = object(test, r, 3 * CHUNK);
	void *bulk[] = { p, first };

	model_stamp(first, 100, 1);
	model_stamp(p, 64, 2);
	model_stamp(large, 3 * CHUNK, 3);
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_last().kind, KSPAN_BAD_FREE_REGION);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_last().addr, (unsigned long)p);
	kspan_free(first);
	kspan_free(p + 3);
	kspan_free(large);
	kspan_free(large + CHUNK);
	kspan_free_bulk(2, bulk);
	kspan_free_sensitive(p);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_REGION) - before, 8ULL);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - all, 8ULL);
	KUNIT_EXPECT_EQ(test, kspan_size(first), (size_t)0);
	KUNIT_EXPECT_FALSE(test, kspan_owns(first));
	KUNIT_EXPECT_TRUE(test, model_stamped(first, 100, 1));
	KUNIT_EXPECT_TRUE(test, model_stamped(p, 64, 2));
	KUNIT_EXPECT_TRUE(test, model_stamped(large, 3 * CHUNK, 3));
	KUNIT_EXPECT_PTR_EQ(test, object(test, r, 8), p + 64);
	kspan_region_destroy(r);
}

/* After a release all bytes of the objects must be @byte, and older objects unchanged. */
static void expect_scrubbed(struct kunit *test, u8 byte)
{
	struct kspan_region *r = make_region(test, CHUNK);
	u8 *kept = object(test, r, 1000), *p, *later;
	struct kspan_region_mark mark = kspan_region_mark(r);

	p = object(test, r, 3000 + CHUNK / 2);
	object(test, r, CHUNK / 4);
	later = object(test, r, CHUNK / 4);
	KUNIT_EXPECT_EQ(test, stats_of(r).held, (size_t)2 * CHUNK);
	kspan_region_release(r, mark);
	KUNIT_EXPECT_NULL(test, memchr_inv(kept, 0xd1, 1000));
	KUNIT_EXPECT_NULL(test, memchr_inv(p, byte, 3000 + CHUNK / 2));
	KUNIT_EXPECT_NULL(test, memchr_inv(later, byte, CHUNK / 4));
	kspan_region_reset(r);
	KUNIT_EXPECT_NULL(test, memchr_inv(kept, byte, 1000));
	kspan_region_destroy(r);
}

static void released_memory_is_poisoned(struct kunit *test)
{
	bool was = kspan_region_poison;

	kspan_region_poison = true;
	expect_scrubbed(test, POISON_FREE);
	kspan_region_poison = false;
	expect_scrubbed(test, want_init_on_free() ? 0 : 0xd1);
	kspan_region_poison = was;
}

static void expect_zeroed(struct kunit *test, gfp_t gfp)
{
	struct kspan_region *r = make_region(test, CHUNK);
	u8 *first, *p;

	object(test, r, CHUNK);
	kspan_region_reset(r);
	first = kspan_region_alloc(r, 1001, gfp);
	p = kspan_region_alloc(r, 1000, gfp);
	KUNIT_ASSERT_NOT_NULL(test, first);
	KUNIT_ASSERT_PTR_EQ(test, p, first + 1008);
	KUNIT_EXPECT_NULL(test, memchr_inv(first, 0, 1001));
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, 1000));
	p = kspan_region_alloc_aligned(r, 2000, 2048, gfp);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, 2000));
	p = kspan_region_alloc(r, 3 * CHUNK, gfp);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, 3 * CHUNK));
	kspan_region_destroy(r);
}

static void zeroed_memory_is_zeroed(struct kunit *test)
{
	struct kspan_region *r = make_region(test, CHUNK);
	u8 *p;

	object(test, r, 100);
	kspan_region_reset(r);
	p = kspan_region_zalloc(r, 100, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, 100));
	kspan_region_destroy(r);
	expect_zeroed(test, GFP_KERNEL | __GFP_ZERO);
}

static void init_on_alloc_is_honoured(struct kunit *test)
{
	bool was_on = want_init_on_alloc(0);

	if (want_init_on_free())
		kunit_skip(test, "init_on_free=1 makes init_on_alloc= void for pages");
	if (!was_on)
		static_branch_enable(&init_on_alloc);
	expect_zeroed(test, GFP_KERNEL);
	if (!was_on)
		static_branch_disable(&init_on_alloc);
}

/*
 * A failed allocation does not change the region. Allocations succeed again when there is memory.
 */
static void failure_changes_nothing(struct kunit *test)
{
	struct kspan_region_stats before, after;
	struct kspan_region *r;
	u8 *first;

	kspan_kunit_needs_faults(test);
	r = make_region(test, 1 << 20);
	first = object(test, r, 1000);
	before = stats_of(r);
	kspan_kunit_fail_arenas(1, 1 << 20);
	KUNIT_EXPECT_NULL(test, kspan_region_alloc(r, KSPAN_MAX_SIZE, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_region_alloc_aligned(r, 8, KSPAN_MAX_SIZE, GFP_KERNEL));
	after = stats_of(r);
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 1U);
	KUNIT_EXPECT_EQ(test, memcmp(&after, &before, sizeof(before)), 0);
	KUNIT_EXPECT_PTR_EQ(test, object(test, r, 8), first + 1000);
	object(test, r, KSPAN_MAX_SIZE);
	kspan_region_destroy(r);
}

/* Allocation @k of any kind fails, or all arenas from @k on. Returns false if one failed. */
static bool fill_until_failure(struct kunit *test, unsigned int k, bool any)
{
	gfp_t gfp = any ? GFP_NOWAIT | __GFP_NOWARN : GFP_KERNEL;
	struct kspan_region *r;
	unsigned int i = 0;
	u8 *p[24];
	bool failed;

	if (any)
		kspan_kunit_fail_nth(k);
	else
		kspan_kunit_fail_arenas(k, 1 << 20);
	r = kspan_region_create(NULL, 1 << 20, gfp);
	for (; r && i < ARRAY_SIZE(p); i++) {
		p[i] = kspan_region_alloc(r, 250000, gfp);
		if (!p[i])
			break;
		model_stamp(p[i], 250000, i);
	}
	failed = any ? kspan_kunit_nth_failed() : kspan_kunit_stop_failing() > 0;
	KUNIT_EXPECT_TRUE(test, failed || i == ARRAY_SIZE(p));
	if (r)
		KUNIT_EXPECT_EQ(test, stats_of(r).used, i * 250000UL);
	while (i--)
		KUNIT_EXPECT_TRUE(test, model_stamped(p[i], 250000, i));
	kspan_verify(test, &kspan_default_heap);
	kspan_region_destroy(r);
	kspan_kunit_settle();
	KUNIT_EXPECT_EQ(test, pages_in_use(), 0UL);
	return !failed;
}

static void memory_runs_out(struct kunit *test)
{
	unsigned int k = 1;

	kspan_kunit_needs_faults(test);
	while (k < 100 && !fill_until_failure(test, k, false))
		k++;
	KUNIT_EXPECT_GT(test, k, 2U);
	KUNIT_EXPECT_LT(test, k, 100U);
	for (k = 1; k < 1000 && !fill_until_failure(test, k, true); k++)
		;
	KUNIT_EXPECT_GT(test, k, 1U);
	KUNIT_EXPECT_LT(test, k, 1000U);
}

static void nofail_does_not_fail(struct kunit *test)
{
	struct kspan_region *r;

	kspan_kunit_needs_faults(test);
	r = make_region(test, CHUNK);
	kspan_kunit_fail_arenas(1, 12);
	KUNIT_EXPECT_NOT_NULL(test, kspan_region_alloc(r, KSPAN_MAX_SIZE,
						       GFP_KERNEL | __GFP_NOFAIL));
	KUNIT_EXPECT_EQ(test, kspan_kunit_stop_failing(), 12U);
	kspan_region_destroy(r);
}

static struct kunit_case region_cases[] = {
	KUNIT_CASE(objects_lie_one_behind_the_other),
	KUNIT_CASE(chunk_is_used_to_its_last_byte),
	KUNIT_CASE(size_0_takes_nothing),
	KUNIT_CASE(chunk_is_what_was_asked_for),
	KUNIT_CASE(impossible_requests_are_refused),
	KUNIT_CASE(every_alignment),
	KUNIT_CASE(larger_than_a_chunk),
	KUNIT_CASE(objects_go_where_there_is_more_room),
	KUNIT_CASE(waste_is_bounded),
	KUNIT_CASE(release_goes_back_to_the_mark),
	KUNIT_CASE(stale_marks_are_refused),
	KUNIT_CASE(marks_of_other_regions_are_refused),
	KUNIT_CASE(deep_nesting),
	KUNIT_CASE(made_up_marks_do_no_harm),
	KUNIT_CASE(same_work_takes_no_more_pages),
	KUNIT_CASE(reset_keeps_a_bounded_rest),
	KUNIT_CASE(chunks_larger_than_the_rest_are_not_kept),
	KUNIT_CASE(destroy_leaves_no_page),
	KUNIT_CASE(copies),
	KUNIT_CASE(chunks_are_from_the_heap),
	KUNIT_CASE(free_of_an_object_is_reported),
	KUNIT_CASE(released_memory_is_poisoned),
	KUNIT_CASE(zeroed_memory_is_zeroed),
	KUNIT_CASE(init_on_alloc_is_honoured),
	KUNIT_CASE(failure_changes_nothing),
	KUNIT_CASE(memory_runs_out),
	KUNIT_CASE(nofail_does_not_fail),
	{}
};

static struct kunit_suite region_suite = {
	.name = "kspan_region",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = region_cases,
};

kunit_test_suite(region_suite);
