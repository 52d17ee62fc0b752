// SPDX-License-Identifier: GPL-2.0
/*
 * Tiny objects: where they lie in their blocks, and how each is freed alone.
 *
 *	block	a a a b b b b b c c . . d d d d
 *	offset	0     3         8       12
 *
 * Every case starts without an open block.
 */
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/string.h>

#include "kspan_kunit.h"

#define TINY	KSPAN_CLASS_TINY
#define BLOCK	KSPAN_TINY_BLOCK

static struct kspan_cpu_cache *cache;
static struct kspan_class_stats blocks_before;
static struct kspan_tiny_stats before;
static u64 counts[KSPAN_NR_BAD_FREE_KINDS];

static int tiny_init(struct kunit *test)
{
	unsigned int kind;

	kspan_kunit_init(test);
	cache = raw_cpu_ptr(kspan_default_heap.cpu);
	kspan_class_stats_read(TINY, &blocks_before);
	kspan_tiny_stats_read(&before);
	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		counts[kind] = kspan_bad_free_count(kind);
	return 0;
}

/* There must be one report of @kind since the last call, and none of another kind. */
static void expect_report(struct kunit *test, enum kspan_bad_free_kind kind, const void *addr,
			  unsigned int class)
{
	struct kspan_bad_free last = kspan_bad_free_last();
	unsigned int i;

	for (i = 0; i < KSPAN_NR_BAD_FREE_KINDS; i++) {
		KUNIT_EXPECT_EQ_MSG(test, kspan_bad_free_count(i) - counts[i],
				    i == kind ? 1ULL : 0ULL, "kind %u", i);
		counts[i] = kspan_bad_free_count(i);
	}
	KUNIT_EXPECT_EQ(test, (int)last.kind, (int)kind);
	KUNIT_EXPECT_EQ(test, last.addr, (unsigned long)addr);
	KUNIT_EXPECT_EQ(test, last.class, class);
	kspan_verify(test, &kspan_default_heap);
}

static void expect_no_report(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < KSPAN_NR_BAD_FREE_KINDS; i++)
		KUNIT_EXPECT_EQ_MSG(test, kspan_bad_free_count(i), counts[i], "kind %u", i);
}

static void drain(void)
{
	kspan_heap_drain(&kspan_default_heap);
}

static void *tiny(struct kunit *test, size_t size)
{
	void *p = kspan_tiny_alloc(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static void *block_of(const void *p)
{
	return (void *)ALIGN_DOWN((unsigned long)p, BLOCK);
}

static unsigned int offset_of(const void *p)
{
	return (unsigned long)p % BLOCK;
}

static unsigned long blocks_in_use(void)
{
	struct kspan_class_stats now;

	kspan_class_stats_read(TINY, &now);
	return now.in_use;
}

static noinline bool is_all(const void *p, int byte, size_t size)
{
	return !memchr_inv(p, byte, size);
}

#define MAX_STEPS	18

/* Sizes, and places as block * 16 + offset. Blocks are numbered in the order of their first use. */
struct sequence {
	u8 size[MAX_STEPS];
	u8 at[MAX_STEPS];
};

static const struct sequence sequences[] = {
	/* Each object lies right behind the last, up to the end of the block. */
	{ { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 },
	  { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
	/* A size that is a multiple of 8, 4 or 2 is aligned to that. */
	{ { 1, 8 },		{ 0, 8 } },
	{ { 1, 4, 4 },		{ 0, 4, 8 } },
	{ { 1, 12 },		{ 0, 4 } },
	{ { 1, 2, 6, 2 },	{ 0, 2, 4, 10 } },
	{ { 2, 10, 4 },		{ 0, 2, 12 } },
	{ { 1, 14, 1 },		{ 0, 2, 16 } },
	/* Odd sizes have no alignment. */
	{ { 3, 5, 7, 1 },	{ 0, 3, 8, 15 } },
	{ { 1, 3, 11, 1 },	{ 0, 1, 4, 15 } },
	{ { 4, 9, 3 },		{ 0, 4, 13 } },
	/* The block is full to the last byte: the next object gets a new block. */
	{ { 8, 8, 8, 8, 1 },	{ 0, 8, 16, 24, 32 } },
	{ { 15, 1, 1 },		{ 0, 15, 16 } },
	{ { 7, 4, 2, 1, 1, 5 },	{ 0, 8, 12, 14, 15, 16 } },
	{ { 3, 6, 6, 2 },	{ 0, 4, 10, 16 } },
	/*
	 * The open block has no room. The new block becomes the open one if it has more room
	 * left...
	 */
	{ { 12, 5, 2, 8 },	{ 0, 16, 22, 24 } },
	{ { 9, 8, 1 },		{ 0, 16, 24 } },
	/* ...or else the old block stays open. */
	{ { 5, 12, 3, 8 },	{ 0, 16, 5, 8 } },
	{ { 9, 9, 1 },		{ 0, 16, 9 } },
	{ { 2, 15, 15, 14 },	{ 0, 16, 32, 2 } },
};

static void walk(struct kunit *test, const struct sequence *sequence, unsigned int row)
{
	void *blocks[MAX_STEPS], *p[MAX_STEPS];
	unsigned int nr_blocks = 0, i, b;

	for (i = 0; i < MAX_STEPS && sequence->size[i]; i++) {
		p[i] = tiny(test, sequence->size[i]);
		for (b = 0; b < nr_blocks && blocks[b] != block_of(p[i]); b++)
			;
		if (b == nr_blocks)
			blocks[nr_blocks++] = block_of(p[i]);
		KUNIT_EXPECT_EQ_MSG(test, b * BLOCK + offset_of(p[i]),
				    (unsigned int)sequence->at[i], "row %u step %u", row, i);
	}
	KUNIT_EXPECT_EQ_MSG(test, blocks_in_use(), (unsigned long)nr_blocks, "row %u", row);
	kspan_verify(test, &kspan_default_heap);
	while (i--)
		kspan_free(p[i]);
	drain();
	KUNIT_EXPECT_EQ_MSG(test, blocks_in_use(), 0UL, "row %u", row);
}

static void objects_are_packed_by_the_rule_of_go(struct kunit *test)
{
	unsigned int row;

	for (row = 0; row < ARRAY_SIZE(sequences); row++)
		walk(test, &sequences[row], row);
	expect_no_report(test);
}

static void objects_do_not_meet(struct kunit *test)
{
	void **p = kunit_kcalloc(test, 1000, sizeof(*p), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < 1000; i++) {
		p[i] = tiny(test, 1 + i % 15);
		memset(p[i], i, 1 + i % 15);
	}
	for (i = 0; i < 1000; i++)
		KUNIT_EXPECT_TRUE_MSG(test, is_all(p[i], (u8)i, 1 + i % 15), "%u", i);
	kspan_verify(test, &kspan_default_heap);
	for (i = 0; i < 1000; i++)
		kspan_free(p[i]);
}

static const size_t four_sizes[] = { 3, 5, 2, 4 };

/*
 * Make four objects that fill a block, if @full. Otherwise make three, with the mark behind the
 * last.
 */
static unsigned int make_four(struct kunit *test, void **p, bool full)
{
	unsigned int n = full ? 4 : 3, i;

	for (i = 0; i < n; i++) {
		p[i] = tiny(test, four_sizes[i]);
		KUNIT_ASSERT_PTR_EQ(test, block_of(p[i]), block_of(p[0]));
		memset(p[i], 'a' + i, four_sizes[i]);
	}
	KUNIT_ASSERT_EQ(test, !cache->tiny.block, full);
	return n;
}

/* Make permutation @k of n numbers. */
static void permute(unsigned int *order, unsigned int n, unsigned int k)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		order[i] = i;
	for (i = n; i > 1; i--) {
		swap(order[i - 1], order[k % i]);
		k /= i;
	}
}

static void free_in_order(struct kunit *test, void **p, const unsigned int *order, unsigned int n)
{
	unsigned int done, i;

	for (done = 0; done < n; done++) {
		kspan_free(p[order[done]]);
		for (i = 0; i < n; i++) {
			unsigned int which = order[i];

			KUNIT_EXPECT_EQ(test, kspan_owns(p[which]), i > done);
			if (i > done)
				KUNIT_EXPECT_TRUE(test, is_all(p[which], 'a' + which,
							       four_sizes[which]));
		}
	}
}

static void every_object_is_freed_alone_in_every_order(struct kunit *test)
{
	unsigned int order[4], k, n;
	void *p[4];

	for (k = 0; k < 24; k++) {
		n = make_four(test, p, true);
		permute(order, n, k);
		free_in_order(test, p, order, n);
	}
	for (k = 0; k < 6; k++) {
		drain();
		n = make_four(test, p, false);
		permute(order, n, k);
		free_in_order(test, p, order, n);
	}
	drain();
	KUNIT_EXPECT_EQ(test, blocks_in_use(), 0UL);
	expect_no_report(test);
}

/*
 *	a a a a a a a a - . . .	->	- . . .		->	b b b b b b b b b b b b
 */
static void block_with_nothing_but_the_mark_is_used_again(struct kunit *test)
{
	void *a = tiny(test, 8), *b;

	kspan_free(a);
	b = tiny(test, 12);
	KUNIT_EXPECT_PTR_EQ(test, b, a);
	KUNIT_EXPECT_EQ(test, blocks_in_use(), 1UL);
	kspan_free(b);
}

static void block_with_an_object_is_not_used_again(struct kunit *test)
{
	void *a = tiny(test, 8), *b = tiny(test, 4), *c;

	kspan_free(a);
	c = tiny(test, 8);
	KUNIT_EXPECT_PTR_NE(test, block_of(c), block_of(b));
	kspan_free(b);
	kspan_free(c);
}

static void double_free_is_found(struct kunit *test)
{
	void *p[4];

	make_four(test, p, false);
	kspan_free(p[1]);
	kspan_free(p[1]);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p[1], TINY);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p[0]));
	KUNIT_EXPECT_TRUE(test, kspan_owns(p[2]));
	kspan_free(p[0]);
	kspan_free(p[2]);
	kspan_free(p[2]);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p[2], TINY);
}

/* All bits of the block are clear. Whether the block lies in a magazine makes no difference. */
static void double_free_is_found_when_the_block_is_cached(struct kunit *test)
{
	void *p[4], *again;
	unsigned int i;

	kspan_free(tiny(test, 15));
	kspan_free(tiny(test, 15));
	make_four(test, p, true);
	for (i = 0; i < 4; i++)
		kspan_free(p[i]);
	kspan_free(p[0]);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p[0], TINY);
	kspan_free(p[3]);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p[3], TINY);
	again = tiny(test, 15);
	KUNIT_EXPECT_TRUE(test, kspan_owns(again));
	kspan_free(again);
}

/* The block has another object now, which starts elsewhere than the one that was freed. */
static void double_free_is_found_when_the_block_has_others(struct kunit *test)
{
	void *p[4], *q;
	unsigned int i;

	make_four(test, p, true);
	for (i = 0; i < 4; i++)
		kspan_free(p[i]);
	for (i = 0; i < 4; i++) {
		q = tiny(test, 15);
		if (block_of(q) == block_of(p[0]))
			break;
		kspan_free(q);
	}
	KUNIT_ASSERT_PTR_EQ(test, block_of(q), block_of(p[0]));
	kspan_free(p[2]);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p[2], TINY);
	KUNIT_EXPECT_TRUE(test, kspan_owns(q));
	kspan_free(q);
}

/* First the pages of the span are free, then the arena is released. */
static void double_free_is_found_when_the_span_is_gone(struct kunit *test)
{
	void *keep = kspan_malloc(100000, GFP_KERNEL), *p = tiny(test, 3);

	kspan_free(p);
	drain();
	kspan_free(p);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p, 0);
	kspan_free(keep);
	kspan_kunit_settle();
	kspan_free(p);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, p, 0);
}

static void pointers_into_objects_are_reported(struct kunit *test)
{
	void *p[4];
	unsigned int i;

	make_four(test, p, true);
	for (i = 0; i < BLOCK; i++) {
		void *inside = p[0] + i;

		if (inside == p[1] || inside == p[2] || inside == p[3] || !i)
			continue;
		kspan_free(inside);
		expect_report(test, KSPAN_BAD_FREE_DOUBLE, inside, TINY);
	}
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_TRUE(test, is_all(p[i], 'a' + i, four_sizes[i]));
		KUNIT_EXPECT_TRUE(test, kspan_owns(p[i]));
		kspan_free(p[i]);
	}
	expect_no_report(test);
}

/* The mark is a bit where the next object will start. A free of that address must be refused. */
static void mark_is_not_an_object(struct kunit *test)
{
	void *p = tiny(test, 4), *q;

	kspan_free(p + 4);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p + 4, TINY);
	KUNIT_EXPECT_FALSE(test, kspan_owns(p + 4));
	q = tiny(test, 4);
	KUNIT_EXPECT_PTR_EQ(test, q, p + 4);
	kspan_free(p);
	kspan_free(p + 8);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p + 8, TINY);
	kspan_free(q);
	kspan_free(p + 8);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p + 8, TINY);
}

static void block_that_was_never_allocated_is_reported(struct kunit *test)
{
	void *p = tiny(test, 4), *never;
	struct kspan_span *span = kspan_map_span((unsigned long)p);

	KUNIT_ASSERT_NOT_NULL(test, span);
	KUNIT_ASSERT_LT(test, span->high, span->nslots);
	never = (void *)span->start + (span->nslots - 1) * BLOCK;
	kspan_free(never);
	expect_report(test, KSPAN_BAD_FREE_NEVER_ALLOCATED, never, TINY);
	kspan_free(never + 5);
	expect_report(test, KSPAN_BAD_FREE_NEVER_ALLOCATED, never + 5, TINY);
	kspan_free(p);
}

/*
 *	a a a b b b b b c c - .		up to the next object, the mark, or the end
 */
static void size_reaches_to_what_comes_next(struct kunit *test)
{
	void *p[4];

	make_four(test, p, false);
	KUNIT_EXPECT_EQ(test, kspan_size(p[0]), (size_t)3);
	KUNIT_EXPECT_EQ(test, kspan_size(p[1]), (size_t)5);
	KUNIT_EXPECT_EQ(test, kspan_size(p[2]), (size_t)2);
	KUNIT_EXPECT_EQ(test, kspan_size(p[0] + 1), (size_t)0);
	KUNIT_EXPECT_EQ(test, kspan_size(p[2] + 2), (size_t)0);
	kspan_free(p[1]);
	KUNIT_EXPECT_EQ(test, kspan_size(p[1]), (size_t)0);
	KUNIT_EXPECT_EQ(test, kspan_size(p[0]), (size_t)8);
	drain();
	KUNIT_EXPECT_EQ(test, kspan_size(p[2]), (size_t)8);
	kspan_free(p[0]);
	kspan_free(p[2]);
	KUNIT_EXPECT_EQ(test, kspan_size(p[2]), (size_t)0);
}

static void owns_what_is_live(struct kunit *test)
{
	void *p[4];
	unsigned int i;

	make_four(test, p, false);
	for (i = 0; i < BLOCK; i++)
		KUNIT_EXPECT_EQ_MSG(test, kspan_owns(p[0] + i), i == 0 || i == 3 || i == 8, "%u",
				    i);
	for (i = 0; i < 3; i++) {
		kspan_free(p[i]);
		KUNIT_EXPECT_FALSE(test, kspan_owns(p[i]));
	}
}

static void realloc_stays_within_its_bytes(struct kunit *test)
{
	void *p[4];

	make_four(test, p, false);
	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p[1], 2, GFP_KERNEL | __GFP_ZERO), p[1]);
	KUNIT_EXPECT_TRUE(test, is_all(p[1], 'b', 2));
	KUNIT_EXPECT_TRUE(test, is_all(p[1] + 2, 0, 3));
	KUNIT_EXPECT_TRUE(test, is_all(p[0], 'a', 3));
	KUNIT_EXPECT_TRUE(test, is_all(p[2], 'c', 2));
	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p[1], 5, GFP_KERNEL), p[1]);
	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p[1], 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_FALSE(test, kspan_owns(p[1]));
	kspan_free(p[0]);
	kspan_free(p[2]);
}

static void realloc_moves_what_has_no_room(struct kunit *test)
{
	void *p[4], *q;

	make_four(test, p, false);
	q = kspan_realloc(p[0], 100, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_TRUE(test, is_all(q, 'a', 3));
	KUNIT_EXPECT_EQ(test, kspan_size(q), kspan_size_roundup(100));
	KUNIT_EXPECT_FALSE(test, kspan_owns(p[0]));
	KUNIT_EXPECT_TRUE(test, is_all(p[1], 'b', 5));
	kspan_free(q);
	kspan_free(p[1]);
	kspan_free(p[2]);
	expect_no_report(test);
}

static void sensitive_free_leaves_the_neighbours_alone(struct kunit *test)
{
	void *p[4];

	make_four(test, p, true);
	kspan_free_sensitive(p[1]);
	KUNIT_EXPECT_TRUE(test, is_all(p[1], 0, 5));
	KUNIT_EXPECT_FALSE(test, kspan_owns(p[1]));
	kspan_free_sensitive(p[3]);
	KUNIT_EXPECT_TRUE(test, is_all(p[3], 0, 4));
	KUNIT_EXPECT_TRUE(test, is_all(p[0], 'a', 3));
	KUNIT_EXPECT_TRUE(test, is_all(p[2], 'c', 2));
	kspan_free_sensitive(p[0]);
	kspan_free_sensitive(p[0]);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, p[0], TINY);
	KUNIT_EXPECT_TRUE(test, is_all(p[2], 'c', 2));
	kspan_free(p[2]);
}

/* Make a block of which all bytes were written, and which has one object again. */
static void *make_dirty(struct kunit *test)
{
	void *p = tiny(test, 8), *q = tiny(test, 8), *first;

	memset(p, 0xd1, BLOCK);
	kspan_free(p);
	kspan_free(q);
	first = tiny(test, 2);
	memset(first, 'f', 2);
	return first;
}

static void zero_flag_zeroes_the_object_alone(struct kunit *test)
{
	void *first = make_dirty(test), *p;

	p = kspan_tiny_alloc(7, GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_PTR_EQ(test, p, first + 2);
	KUNIT_EXPECT_TRUE(test, is_all(p, 0, 7));
	KUNIT_EXPECT_TRUE(test, is_all(first, 'f', 2));
	kspan_free(first);
	kspan_free(p);
}

static void init_on_alloc_is_honoured(struct kunit *test)
{
	bool was_on = want_init_on_alloc(0);
	void *first, *p, *q;

	if (want_init_on_free())
		kunit_skip(test, "init_on_free=1 makes init_on_alloc= void for pages");
	first = make_dirty(test);
	if (!was_on)
		static_branch_enable(&init_on_alloc);
	p = kspan_tiny_alloc(7, GFP_KERNEL);
	q = kspan_tiny_alloc(15, GFP_KERNEL);
	if (!was_on)
		static_branch_disable(&init_on_alloc);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_TRUE(test, is_all(p, 0, 7));
	KUNIT_EXPECT_TRUE(test, is_all(q, 0, 15));
	KUNIT_EXPECT_TRUE(test, is_all(first, 'f', 2));
	kspan_free(first);
	kspan_free(p);
	kspan_free(q);
}

/* Each object gets a block for itself, since only the cache can have an open block. */
static void busy_cache_is_passed_by(struct kunit *test)
{
	void *first = tiny(test, 2), *p, *q, *open = cache->tiny.block;
	struct kspan_cpu_cache *entered;

	KUNIT_ASSERT_TRUE(test, kspan_cpu_cache_enter(&kspan_default_heap, &entered));
	p = kspan_tiny_alloc(2, GFP_ATOMIC);
	q = kspan_tiny_alloc(2, GFP_ATOMIC);
	kspan_cpu_cache_leave(entered);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_EQ(test, offset_of(p), 0U);
	KUNIT_EXPECT_EQ(test, offset_of(q), 0U);
	KUNIT_EXPECT_PTR_NE(test, p, q);
	KUNIT_EXPECT_PTR_EQ(test, cache->tiny.block, open);
	KUNIT_EXPECT_EQ(test, kspan_size(p), (size_t)BLOCK);
	kspan_verify(test, &kspan_default_heap);
	KUNIT_ASSERT_TRUE(test, kspan_cpu_cache_enter(&kspan_default_heap, &entered));
	kspan_free(p);
	kspan_free(first);
	kspan_free(q);
	kspan_cpu_cache_leave(entered);
	drain();
	KUNIT_EXPECT_EQ(test, blocks_in_use(), 0UL);
	expect_no_report(test);
}

static void drain_closes_the_open_block(struct kunit *test)
{
	void *p = tiny(test, 3), *q;

	KUNIT_EXPECT_PTR_EQ(test, cache->tiny.block, block_of(p));
	KUNIT_EXPECT_EQ(test, cache->tiny.offset, 3U);
	drain();
	KUNIT_EXPECT_NULL(test, cache->tiny.block);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	KUNIT_EXPECT_FALSE(test, kspan_owns(p + 3));
	q = tiny(test, 3);
	KUNIT_EXPECT_PTR_NE(test, block_of(q), block_of(p));
	kspan_free(p);
	kspan_free(q);
}

/* Only the mark kept the block in use. */
static void drain_frees_an_open_block_without_an_object(struct kunit *test)
{
	kspan_free(tiny(test, 3));
	KUNIT_EXPECT_EQ(test, blocks_in_use(), 1UL);
	drain();
	KUNIT_EXPECT_EQ(test, blocks_in_use(), 0UL);
	KUNIT_EXPECT_EQ(test, kspan_kunit_out(&kspan_default_heap, TINY), 0UL);
}

/*
 * 18 objects take two blocks. In the size classes 17 of them would take 8 bytes each, and one 16.
 */
static void objects_blocks_and_what_they_save_are_counted(struct kunit *test)
{
	struct kspan_class_stats blocks;
	struct kspan_tiny_stats now;
	void *p[18];
	unsigned int i;

	for (i = 0; i < 18; i++)
		p[i] = tiny(test, i < 16 ? 1 : 10 - (i - 16) * 6);
	kspan_tiny_stats_read(&now);
	kspan_class_stats_read(TINY, &blocks);
	KUNIT_EXPECT_EQ(test, now.allocs - before.allocs, 18ULL);
	KUNIT_EXPECT_EQ(test, now.objects - before.objects, 18ULL);
	KUNIT_EXPECT_EQ(test, now.frees - before.frees, 0ULL);
	KUNIT_EXPECT_EQ(test, blocks.allocs - blocks_before.allocs, 2ULL);
	KUNIT_EXPECT_EQ(test, blocks.in_use, 2UL);
	KUNIT_EXPECT_EQ(test, now.saved - before.saved, 16 * 8 + 16 + 8 - 2LL * BLOCK);
	for (i = 0; i < 18; i++)
		kspan_free(p[i]);
	kspan_tiny_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.frees - before.frees, 18ULL);
	KUNIT_EXPECT_EQ(test, now.objects, before.objects);
}

static void wrong_frees_do_not_count(struct kunit *test)
{
	void *p = tiny(test, 3);
	struct kspan_tiny_stats now;

	kspan_free(p + 1);
	kspan_free(p);
	kspan_free(p);
	kspan_tiny_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.frees - before.frees, 1ULL);
}

static void other_sizes_are_not_tiny(struct kunit *test)
{
	static const size_t sizes[] = { 16, 17, 1000, 100000 };
	struct kspan_tiny_stats now;
	unsigned int i;

	KUNIT_EXPECT_PTR_EQ(test, kspan_tiny_alloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *p = tiny(test, sizes[i]);

		KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(sizes[i]));
		kspan_free(p);
	}
	kspan_tiny_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.allocs, before.allocs);
}

static void zone_flags_are_refused_and_counted(struct kunit *test)
{
	unsigned long refused = kspan_refused(KSPAN_REFUSED_ZONE);

	KUNIT_EXPECT_NULL(test, kspan_tiny_alloc(4, GFP_KERNEL | GFP_DMA));
	KUNIT_EXPECT_NULL(test, kspan_tiny_alloc(4, GFP_KERNEL | GFP_DMA32));
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_ZONE) - refused, 2UL);
}

/* While no block can be allocated, the open one serves requests as long as it has room. */
static void no_memory_gives_null(struct kunit *test)
{
	struct kspan_tiny_stats now;
	void *p, *q;

	kspan_kunit_needs_faults(test);
	kspan_kunit_fail_arenas(1, 1000);
	p = kspan_tiny_alloc(4, GFP_KERNEL);
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
	KUNIT_EXPECT_NULL(test, p);
	kspan_tiny_stats_read(&now);
	KUNIT_EXPECT_EQ(test, now.allocs, before.allocs);
	p = tiny(test, 4);
	kspan_kunit_fail_arenas(1, 1000);
	q = kspan_tiny_alloc(4, GFP_KERNEL);
	kspan_kunit_stop_failing();
	KUNIT_EXPECT_PTR_EQ(test, q, p + 4);
	kspan_free(p);
	kspan_free(q);
}

#define OPERATIONS	12000
#define SLOTS		128

/* Two threads, on two CPUs if there are, that free each other's objects. */
struct worker {
	struct rnd_state rnd;
	u64 allocs;
	u64 failed;
	u64 broken;
	struct completion done;
};

static struct exchange {
	u8 *slots[SLOTS];
	struct worker workers[2];
} *exchange;

/* The first byte of an object is its size. The others depend on its address. */
static u8 pattern(const u8 *p, unsigned int i)
{
	return i ? ((unsigned long)p >> 1) * 13 + i * 29 : 0;
}

static u8 *make(struct worker *worker)
{
	unsigned int size = 1 + kspan_kunit_below(&worker->rnd, 15), i;
	u8 *p = kspan_tiny_alloc(size, GFP_KERNEL);

	if (!p) {
		worker->failed++;
		return NULL;
	}
	worker->allocs++;
	for (i = 0; i < size; i++)
		p[i] = pattern(p, i);
	p[0] = size;
	return p;
}

static void take_apart(struct worker *worker, u8 *p)
{
	bool intact;
	unsigned int i;

	if (!p)
		return;
	intact = p[0] >= 1 && p[0] <= 15 && kspan_size(p) >= p[0];
	for (i = 1; intact && i < p[0]; i++)
		intact = p[i] == pattern(p, i);
	worker->broken += !intact;
	kspan_free(p);
}

static int work(void *data)
{
	struct worker *worker = data;
	unsigned int i;

	for (i = 0; i < OPERATIONS; i++) {
		u8 **slot = &exchange->slots[kspan_kunit_below(&worker->rnd, SLOTS)];

		take_apart(worker, xchg(slot, kspan_kunit_below(&worker->rnd, 4) ? make(worker) :
					NULL));
		cond_resched();
	}
	complete(&worker->done);
	return 0;
}

static void start(struct kunit *test, struct worker *worker, unsigned int cpu, u64 seed)
{
	struct task_struct *task = kthread_create(work, worker, "kspan_kunit/%u", cpu);

	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	prandom_seed_state(&worker->rnd, seed);
	init_completion(&worker->done);
	kthread_bind(task, cpu);
	wake_up_process(task);
}

static unsigned int free_slots(struct worker *worker)
{
	unsigned int live = 0, i;

	for (i = 0; i < SLOTS; i++) {
		live += !!exchange->slots[i];
		take_apart(worker, exchange->slots[i]);
	}
	return live;
}

static void threads_free_the_objects_of_each_other(struct kunit *test)
{
	unsigned int first = cpumask_first(cpu_online_mask);
	unsigned int second = cpumask_next(first, cpu_online_mask), live;
	u64 seed = kspan_kunit_random_seed(test);
	struct kspan_tiny_stats now;

	exchange = kunit_kzalloc(test, sizeof(*exchange), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, exchange);
	start(test, &exchange->workers[0], first, seed);
	start(test, &exchange->workers[1], second < nr_cpu_ids ? second : first, seed + 1);
	wait_for_completion(&exchange->workers[0].done);
	wait_for_completion(&exchange->workers[1].done);
	kspan_tiny_stats_read(&now);
	kspan_verify(test, &kspan_default_heap);
	live = free_slots(&exchange->workers[0]);
	KUNIT_EXPECT_EQ(test, now.objects - before.objects, (u64)live);
	KUNIT_EXPECT_EQ(test, now.allocs - before.allocs,
			exchange->workers[0].allocs + exchange->workers[1].allocs);
	KUNIT_EXPECT_EQ(test, exchange->workers[0].broken + exchange->workers[1].broken, 0ULL);
	KUNIT_EXPECT_EQ(test, exchange->workers[0].failed + exchange->workers[1].failed, 0ULL);
	drain();
	KUNIT_EXPECT_EQ(test, blocks_in_use(), 0UL);
	expect_no_report(test);
}

static struct kunit_case tiny_cases[] = {
	KUNIT_CASE(objects_are_packed_by_the_rule_of_go),
	KUNIT_CASE(objects_do_not_meet),
	KUNIT_CASE(every_object_is_freed_alone_in_every_order),
	KUNIT_CASE(block_with_nothing_but_the_mark_is_used_again),
	KUNIT_CASE(block_with_an_object_is_not_used_again),
	KUNIT_CASE(double_free_is_found),
	KUNIT_CASE(double_free_is_found_when_the_block_is_cached),
	KUNIT_CASE(double_free_is_found_when_the_block_has_others),
	KUNIT_CASE(double_free_is_found_when_the_span_is_gone),
	KUNIT_CASE(pointers_into_objects_are_reported),
	KUNIT_CASE(mark_is_not_an_object),
	KUNIT_CASE(block_that_was_never_allocated_is_reported),
	KUNIT_CASE(size_reaches_to_what_comes_next),
	KUNIT_CASE(owns_what_is_live),
	KUNIT_CASE(realloc_stays_within_its_bytes),
	KUNIT_CASE(realloc_moves_what_has_no_room),
	KUNIT_CASE(sensitive_free_leaves_the_neighbours_alone),
	KUNIT_CASE(zero_flag_zeroes_the_object_alone),
	KUNIT_CASE(init_on_alloc_is_honoured),
	KUNIT_CASE(busy_cache_is_passed_by),
	KUNIT_CASE(drain_closes_the_open_block),
	KUNIT_CASE(drain_frees_an_open_block_without_an_object),
	KUNIT_CASE(objects_blocks_and_what_they_save_are_counted),
	KUNIT_CASE(wrong_frees_do_not_count),
	KUNIT_CASE(other_sizes_are_not_tiny),
	KUNIT_CASE(zone_flags_are_refused_and_counted),
	KUNIT_CASE(no_memory_gives_null),
	KUNIT_CASE(threads_free_the_objects_of_each_other),
	{}
};

static struct kunit_suite tiny_suite = {
	.name = "kspan_tiny",
	.init = tiny_init,
	.exit = kspan_kunit_exit,
	.test_cases = tiny_cases,
};

kunit_test_suite(tiny_suite);
