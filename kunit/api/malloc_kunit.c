// SPDX-License-Identifier: GPL-2.0
/* The API, call by call. */
#include <linux/kspan.h>
#include <linux/nodemask.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "kspan_kunit.h"

#define DIRT	0xd1

/* Small and large sizes, at the edges of classes and near them. */
static const size_t some_sizes[] = {
	1, 7, 8, 9, 16, 17, 100, 1000, 1024, 1025, 2048, 4000, 8192, 8193, 20000,
	KSPAN_MAX_SMALL, KSPAN_MAX_SMALL + 1, 100000, 1 << 20,
};

#define for_each_size(i)	for (i = 0; i < ARRAY_SIZE(some_sizes); i++)

static noinline bool is_all(const void *p, int byte, size_t size)
{
	return !memchr_inv(p, byte, size);
}

/* Check a new object of @size bytes. Returns it. */
static void *checked(struct kunit *test, void *p, size_t size)
{
	KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu", size);
	KUNIT_EXPECT_EQ_MSG(test, kspan_size(p), kspan_size_roundup(size), "%zu", size);
	KUNIT_EXPECT_GE_MSG(test, kspan_size(p), size, "%zu", size);
	KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED((unsigned long)p, kspan_kunit_align(size)),
			      "%zu at %p", size, p);
	KUNIT_EXPECT_TRUE_MSG(test, kspan_owns(p), "%zu", size);
	return p;
}

static void *allocated(struct kunit *test, size_t size)
{
	return checked(test, kspan_malloc(size, GFP_KERNEL), size);
}

/* Fill memory that the next object of this size is likely to get. */
static void make_dirty(struct kunit *test, size_t size)
{
	void *p = allocated(test, size);

	kspan_kunit_fill(p, DIRT);
	kspan_free(p);
}

static void every_small_size(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= KSPAN_MAX_SMALL; size += size < 2100 ? 1 : 7)
		kspan_free(allocated(test, size));
}

static void every_multiple_of_8_is_aligned(struct kunit *test)
{
	size_t size;

	for (size = 8; size <= KSPAN_MAX_SMALL; size += 8) {
		void *first = allocated(test, size), *second = allocated(test, size);

		kspan_free(first);
		kspan_free(second);
	}
}

static void whole_usable_size_is_ones_own(struct kunit *test)
{
	void *p[ARRAY_SIZE(some_sizes)];
	unsigned int i;

	for_each_size(i) {
		p[i] = allocated(test, some_sizes[i]);
		kspan_kunit_fill(p[i], i);
	}
	for_each_size(i)
		KUNIT_EXPECT_TRUE_MSG(test, kspan_kunit_filled(p[i], i), "%zu",
				      some_sizes[i]);
	for_each_size(i)
		kspan_free(p[i]);
}

static void size_0_is_zero_size_ptr(struct kunit *test)
{
	void *p = kspan_malloc(8, GFP_KERNEL);
	size_t zero = 0;

	OPTIMIZER_HIDE_VAR(zero);
	KUNIT_EXPECT_PTR_EQ(test, kspan_malloc(zero, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, kspan_zalloc(zero, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, kspan_malloc_node(zero, GFP_KERNEL, NUMA_NO_NODE),
			    ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, kspan_malloc_array(zero, 8, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, kspan_calloc(8, zero, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, kspan_memdup(p, zero, GFP_KERNEL), ZERO_SIZE_PTR);
	kspan_free(p);
}

static void null_and_zero_size_ptr_are_nothing_to_free(struct kunit *test)
{
	u64 before = 0, after = 0;
	unsigned int kind;

	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		before += kspan_bad_free_count(kind);
	kspan_free(NULL);
	kspan_free(ZERO_SIZE_PTR);
	kspan_free_sensitive(NULL);
	kspan_free_sensitive(ZERO_SIZE_PTR);
	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		after += kspan_bad_free_count(kind);
	KUNIT_EXPECT_EQ(test, after, before);
	KUNIT_EXPECT_EQ(test, kspan_size(NULL), (size_t)0);
	KUNIT_EXPECT_EQ(test, kspan_size(ZERO_SIZE_PTR), (size_t)0);
}

static void zalloc_zeroes_the_whole_usable_size(struct kunit *test)
{
	unsigned int i;

	for_each_size(i) {
		void *p;

		make_dirty(test, some_sizes[i]);
		p = checked(test, kspan_zalloc(some_sizes[i], GFP_KERNEL), some_sizes[i]);
		KUNIT_EXPECT_TRUE_MSG(test, kspan_kunit_filled(p, 0), "%zu", some_sizes[i]);
		kspan_free(p);
	}
}

static void zero_flag_zeroes(struct kunit *test)
{
	void *p;

	make_dirty(test, 1000);
	p = checked(test, kspan_malloc(1000, GFP_KERNEL | __GFP_ZERO), 1000);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(p, 0));
	kspan_free(p);
}

/* Without __GFP_ZERO malloc must not wipe memory. */
static void malloc_does_not_zero(struct kunit *test)
{
	void *p;

	if (want_init_on_alloc(0) || want_init_on_free())
		kunit_skip(test, "the kernel was booted to initialise memory");
	kspan_kunit_pin(test);
	kspan_kunit_warm(test, 1000);
	make_dirty(test, 1000);
	p = allocated(test, 1000);
	/* The first word may have been the seal. */
	KUNIT_EXPECT_TRUE(test, is_all(p + sizeof(long), DIRT, 1000 - sizeof(long)));
	kspan_free(p);
}

static void init_on_alloc_is_honoured(struct kunit *test)
{
	bool was_on = want_init_on_alloc(0);
	void *p, *q;

	if (want_init_on_free())
		kunit_skip(test, "init_on_free=1 makes init_on_alloc= void for pages");
	make_dirty(test, 1000);
	make_dirty(test, 100000);
	if (!was_on)
		static_branch_enable(&init_on_alloc);
	p = kspan_malloc(1000, GFP_KERNEL);
	q = kspan_malloc(100000, GFP_KERNEL);
	if (!was_on)
		static_branch_disable(&init_on_alloc);
	checked(test, p, 1000);
	checked(test, q, 100000);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(p, 0));
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(q, 0));
	kspan_free(p);
	kspan_free(q);
}

/* init_on_free can't be switched at run time, because the page allocator relies on it. */
static void init_on_free_is_honoured(struct kunit *test)
{
	void *p, *q;

	if (!want_init_on_free())
		kunit_skip(test, "the kernel was not booted with init_on_free=1");
	p = allocated(test, 1000);
	q = allocated(test, 100000);
	memset(p, DIRT, 1000);
	memset(q, DIRT, 100000);
	kspan_free(p);
	kspan_free(q);
	/* The first word is the seal. */
	KUNIT_EXPECT_TRUE(test, is_all(p + sizeof(long), 0, 1000 - sizeof(long)));
	KUNIT_EXPECT_TRUE(test, is_all(q, 0, 100000));
}

/* A request for a large object may get another node when this one has no block. */
static void malloc_node_prefers_the_node(struct kunit *test)
{
	unsigned int i;
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		for_each_size(i) {
			size_t size = some_sizes[i];
			void *p = kspan_malloc_node(size, GFP_KERNEL, nid);

			checked(test, p, size);
			if (size <= KSPAN_MAX_SMALL)
				KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(p)), nid);
			kspan_free(p);
		}
	}
	kspan_free(checked(test, kspan_malloc_node(64, GFP_KERNEL, NUMA_NO_NODE), 64));
}

static void thisnode_gets_that_node_or_nothing(struct kunit *test)
{
	int nid = first_memory_node;
	void *p;

	kspan_kunit_needs_faults(test);
	kspan_kunit_fail_arenas(1, 1000);
	p = kspan_malloc_node(64, GFP_KERNEL | __GFP_THISNODE, nid);
	kspan_kunit_stop_failing();
	KUNIT_EXPECT_NULL(test, p);
	p = kspan_malloc_node(64, GFP_KERNEL | __GFP_THISNODE, nid);
	checked(test, p, 64);
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(p)), nid);
	kspan_free(p);
}

static void array_is_as_large_as_its_elements(struct kunit *test)
{
	void *p = checked(test, kspan_malloc_array(13, 100, GFP_KERNEL), 1300);

	kspan_free(p);
}

static void calloc_zeroes(struct kunit *test)
{
	void *p;

	make_dirty(test, 1300);
	p = checked(test, kspan_calloc(13, 100, GFP_KERNEL), 1300);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(p, 0));
	kspan_free(p);
}

static void overflow_of_an_array_gives_null(struct kunit *test)
{
	unsigned long refused = kspan_refused(KSPAN_REFUSED_SIZE);
	size_t n = SIZE_MAX / 8 + 2;

	/* The product wraps around to 8. */
	OPTIMIZER_HIDE_VAR(n);
	KUNIT_EXPECT_NULL(test, kspan_malloc_array(n, 8, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_malloc_array(8, n, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_calloc(n, 8, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_SIZE), refused);
}

static void realloc_of_nothing_is_malloc(struct kunit *test)
{
	void *p = checked(test, kspan_realloc(NULL, 100, GFP_KERNEL), 100);
	void *q = checked(test, kspan_realloc(ZERO_SIZE_PTR, 100, GFP_KERNEL), 100);

	kspan_free(p);
	kspan_free(q);
}

static void realloc_to_nothing_is_free(struct kunit *test)
{
	void *p = allocated(test, 100);

	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
}

static void realloc_grows_in_place_where_the_slot_allows(struct kunit *test)
{
	void *p = allocated(test, 97);

	memset(p, 'p', 97);
	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, 112, GFP_KERNEL), p);
	KUNIT_EXPECT_TRUE(test, is_all(p, 'p', 97));
	kspan_free(p);
}

static void realloc_shrinks_in_place(struct kunit *test)
{
	void *p = allocated(test, 1000);

	memset(p, 'p', 1000);
	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, 500, GFP_KERNEL), p);
	KUNIT_EXPECT_TRUE(test, is_all(p, 'p', 500));
	KUNIT_EXPECT_EQ(test, kspan_size(p), (size_t)1024);
	kspan_free(p);
}

static void realloc_moves_the_contents(struct kunit *test)
{
	void *p = allocated(test, 100), *q, *r;

	memset(p, 'p', 100);
	q = checked(test, kspan_realloc(p, 5000, GFP_KERNEL), 5000);
	KUNIT_EXPECT_TRUE(test, is_all(q, 'p', 100));
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
	memset(q, 'q', 5000);
	r = checked(test, kspan_realloc(q, 300000, GFP_KERNEL), 300000);
	KUNIT_EXPECT_TRUE(test, is_all(r, 'q', 5000));
	KUNIT_EXPECT_FALSE(test, kspan_owns(q));
	kspan_free(r);
}

/*
 *	p: kept......|zero		q: kept......|zero.............
 */
static void realloc_zeroes_behind_what_is_kept(struct kunit *test)
{
	void *p = allocated(test, 1000), *q;

	kspan_kunit_fill(p, 'p');
	KUNIT_EXPECT_PTR_EQ(test, kspan_realloc(p, 900, GFP_KERNEL | __GFP_ZERO), p);
	KUNIT_EXPECT_TRUE(test, is_all(p, 'p', 900));
	KUNIT_EXPECT_TRUE(test, is_all(p + 900, 0, kspan_size(p) - 900));
	make_dirty(test, 3000);
	q = checked(test, kspan_realloc(p, 3000, GFP_KERNEL | __GFP_ZERO), 3000);
	KUNIT_EXPECT_TRUE(test, is_all(q, 'p', 900));
	KUNIT_EXPECT_TRUE(test, is_all(q + 900, 0, kspan_size(q) - 900));
	kspan_free(q);
}

/* No new arena can be allocated, and no arena is empty. */
static void realloc_that_fails_leaves_the_object_alone(struct kunit *test)
{
	void *p = allocated(test, 1000), *q;

	kspan_kunit_needs_faults(test);
	memset(p, 'p', 1000);
	kspan_kunit_fail_arenas(1, 1000);
	q = kspan_realloc(p, KSPAN_MAX_SIZE, GFP_KERNEL);
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
	KUNIT_EXPECT_NULL(test, q);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	KUNIT_EXPECT_TRUE(test, is_all(p, 'p', 1000));
	kspan_free(p);
}

static void realloc_beyond_the_limit_leaves_the_object_alone(struct kunit *test)
{
	void *p = allocated(test, 1000);
	size_t size = SIZE_MAX;

	OPTIMIZER_HIDE_VAR(size);
	memset(p, 'p', 1000);
	KUNIT_EXPECT_NULL(test, kspan_realloc(p, size, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	KUNIT_EXPECT_TRUE(test, is_all(p, 'p', 1000));
	kspan_free(p);
}

/* The case may read freed memory, as no other user allocates meanwhile. */
static void free_sensitive_overwrites(struct kunit *test)
{
	void *p = allocated(test, 1000), *q = allocated(test, 50000);

	kspan_kunit_fill(p, 's');
	kspan_kunit_fill(q, 's');
	kspan_free_sensitive(p);
	kspan_free_sensitive(q);
	/* The first word is the seal. */
	KUNIT_EXPECT_TRUE(test, is_all(p + sizeof(long), 0, 1000 - sizeof(long)));
	KUNIT_EXPECT_TRUE(test, is_all(q, 0, 50000));
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
	KUNIT_EXPECT_FALSE(test, kspan_owns(q));
}

static void roundup_is_what_one_gets(struct kunit *test)
{
	unsigned int i;

	for_each_size(i) {
		void *p = allocated(test, some_sizes[i]);

		KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(some_sizes[i]));
		KUNIT_EXPECT_EQ(test, kspan_size_roundup(kspan_size(p)), kspan_size(p));
		kspan_free(p);
	}
}

static void memdup_copies(struct kunit *test)
{
	void *src = allocated(test, 777), *p;
	unsigned int i;

	for (i = 0; i < 777; i++)
		((u8 *)src)[i] = i * 7;
	p = checked(test, kspan_memdup(src, 777, GFP_KERNEL), 777);
	KUNIT_EXPECT_PTR_NE(test, p, src);
	KUNIT_EXPECT_EQ(test, memcmp(p, src, 777), 0);
	kspan_free(p);
	kspan_free(src);
}

static void strdup_copies_the_end_too(struct kunit *test)
{
	char *p = kspan_strdup("fifteen letters", GFP_KERNEL), *empty;

	checked(test, p, 16);
	KUNIT_EXPECT_STREQ(test, p, "fifteen letters");
	empty = kspan_strdup("", GFP_KERNEL);
	checked(test, empty, 1);
	KUNIT_EXPECT_STREQ(test, empty, "");
	KUNIT_EXPECT_NULL(test, kspan_strdup(NULL, GFP_KERNEL));
	kspan_free(p);
	kspan_free(empty);
}

static void copies_fail_as_malloc_does(struct kunit *test)
{
	char *p, *q;

	kspan_kunit_needs_faults(test);
	kspan_kunit_fail_arenas(1, 1000);
	p = kspan_memdup("abc", 3, GFP_KERNEL);
	q = kspan_strdup("abc", GFP_KERNEL);
	kspan_kunit_stop_failing();
	KUNIT_EXPECT_NULL(test, p);
	KUNIT_EXPECT_NULL(test, q);
}

static void zone_flags_are_refused_and_counted(struct kunit *test)
{
	unsigned long refused = kspan_refused(KSPAN_REFUSED_ZONE);

	KUNIT_EXPECT_NULL(test, kspan_malloc(64, GFP_KERNEL | GFP_DMA));
	KUNIT_EXPECT_NULL(test, kspan_malloc(64, GFP_KERNEL | GFP_DMA32));
	KUNIT_EXPECT_NULL(test, kspan_zalloc(100000, GFP_KERNEL | GFP_DMA));
	KUNIT_EXPECT_NULL(test, kspan_malloc_node(64, GFP_KERNEL | GFP_DMA32, first_memory_node));
	KUNIT_EXPECT_NULL(test, kspan_memdup(test, 64, GFP_KERNEL | GFP_DMA));
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_ZONE) - refused, 5UL);
}

static void nofail_tries_again(struct kunit *test)
{
	void *p, *q;

	kspan_kunit_needs_faults(test);
	kspan_kunit_fail_arenas(1, 5);
	p = kspan_malloc(64, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_EXPECT_EQ(test, kspan_kunit_stop_failing(), 5U);
	kspan_kunit_fail_arenas(1, 5);
	q = kspan_zalloc(KSPAN_MAX_SIZE, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_EXPECT_EQ(test, kspan_kunit_stop_failing(), 5U);
	checked(test, p, 64);
	checked(test, q, KSPAN_MAX_SIZE);
	kspan_free(p);
	kspan_free(q);
}

static void atomic_allocations_work_under_a_spinlock(struct kunit *test)
{
	void *p[ARRAY_SIZE(some_sizes)];
	static DEFINE_SPINLOCK(lock);
	unsigned int i;

	spin_lock_irq(&lock);
	for_each_size(i)
		p[i] = kspan_malloc(some_sizes[i], i & 1 ? GFP_ATOMIC : GFP_NOWAIT);
	spin_unlock_irq(&lock);
	for_each_size(i)
		checked(test, p[i], some_sizes[i]);
	spin_lock_irq(&lock);
	for_each_size(i)
		kspan_free(p[i]);
	spin_unlock_irq(&lock);
}

static void owns_what_is_live(struct kunit *test)
{
	unsigned int i;

	for_each_size(i) {
		void *p = allocated(test, some_sizes[i]);

		KUNIT_EXPECT_TRUE(test, kspan_owns(p));
		KUNIT_EXPECT_FALSE(test, kspan_owns(p + 8));
		KUNIT_EXPECT_FALSE(test, kspan_owns(p + 1));
		kspan_free(p);
		KUNIT_EXPECT_FALSE(test, kspan_owns(p));
		kspan_kunit_settle();
		KUNIT_EXPECT_FALSE(test, kspan_owns(p));
	}
}

/* The object is in a magazine of this CPU: its slot is out, but it is not live. */
static void does_not_own_what_is_cached(struct kunit *test)
{
	void *p;

	kspan_kunit_pin(test);
	kspan_kunit_warm(test, 64);
	p = allocated(test, 64);
	kspan_free(p);
	KUNIT_EXPECT_TRUE(test, kspan_heap_caches(&kspan_default_heap, kspan_size_class(64), p));
	KUNIT_EXPECT_FALSE(test, kspan_owns(p));
}

static void does_not_own_what_is_foreign(struct kunit *test)
{
	void *object = kmalloc(64, GFP_KERNEL);
	int local;

	KUNIT_EXPECT_FALSE(test, kspan_owns(NULL));
	KUNIT_EXPECT_FALSE(test, kspan_owns(ZERO_SIZE_PTR));
	KUNIT_EXPECT_FALSE(test, kspan_owns(&local));
	KUNIT_EXPECT_FALSE(test, kspan_owns(object));
	KUNIT_EXPECT_FALSE(test, kspan_owns((void *)ULONG_MAX));
	kfree(object);
}

static struct kunit_case malloc_cases[] = {
	KUNIT_CASE(every_small_size),
	KUNIT_CASE(every_multiple_of_8_is_aligned),
	KUNIT_CASE(whole_usable_size_is_ones_own),
	KUNIT_CASE(size_0_is_zero_size_ptr),
	KUNIT_CASE(null_and_zero_size_ptr_are_nothing_to_free),
	KUNIT_CASE(zalloc_zeroes_the_whole_usable_size),
	KUNIT_CASE(zero_flag_zeroes),
	KUNIT_CASE(malloc_does_not_zero),
	KUNIT_CASE(init_on_alloc_is_honoured),
	KUNIT_CASE(init_on_free_is_honoured),
	KUNIT_CASE(malloc_node_prefers_the_node),
	KUNIT_CASE(thisnode_gets_that_node_or_nothing),
	KUNIT_CASE(array_is_as_large_as_its_elements),
	KUNIT_CASE(calloc_zeroes),
	KUNIT_CASE(overflow_of_an_array_gives_null),
	KUNIT_CASE(realloc_of_nothing_is_malloc),
	KUNIT_CASE(realloc_to_nothing_is_free),
	KUNIT_CASE(realloc_grows_in_place_where_the_slot_allows),
	KUNIT_CASE(realloc_shrinks_in_place),
	KUNIT_CASE(realloc_moves_the_contents),
	KUNIT_CASE(realloc_zeroes_behind_what_is_kept),
	KUNIT_CASE(realloc_that_fails_leaves_the_object_alone),
	KUNIT_CASE(realloc_beyond_the_limit_leaves_the_object_alone),
	KUNIT_CASE(free_sensitive_overwrites),
	KUNIT_CASE(roundup_is_what_one_gets),
	KUNIT_CASE(memdup_copies),
	KUNIT_CASE(strdup_copies_the_end_too),
	KUNIT_CASE(copies_fail_as_malloc_does),
	KUNIT_CASE(zone_flags_are_refused_and_counted),
	KUNIT_CASE(nofail_tries_again),
	KUNIT_CASE(atomic_allocations_work_under_a_spinlock),
	KUNIT_CASE(owns_what_is_live),
	KUNIT_CASE(does_not_own_what_is_cached),
	KUNIT_CASE(does_not_own_what_is_foreign),
	{}
};

static struct kunit_suite malloc_suite = {
	.name = "kspan_malloc",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = malloc_cases,
};

kunit_test_suite(malloc_suite);
