// SPDX-License-Identifier: GPL-2.0
/* Alignment, strings, mempools, scopes, constant sizes, and requests that must not fail. */
#include <linux/kspan.h>
#include <linux/mempool.h>
#include <linux/string.h>

#include "kspan_kunit.h"

static unsigned long in_use(size_t size)
{
	struct kspan_class_stats now;

	kspan_class_stats_read(kspan_size_class(size), &now);
	return now.in_use;
}

/* Allocate two objects, as one may be aligned by chance. */
static void expect_aligned(struct kunit *test, size_t size, size_t align)
{
	void *p = kspan_malloc_aligned(size, align, GFP_KERNEL);
	void *q = kspan_malloc_aligned(size, align, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu to %zu", size, align);
	KUNIT_ASSERT_NOT_NULL_MSG(test, q, "%zu to %zu", size, align);
	KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED((unsigned long)p, align), "%zu to %zu", size, align);
	KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED((unsigned long)q, align), "%zu to %zu", size, align);
	KUNIT_EXPECT_GE(test, kspan_size(p), size);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p) && kspan_owns(q));
	kspan_free(p);
	kspan_free(q);
}

static void every_alignment_of_sizes_around_it(struct kunit *test)
{
	size_t align;

	for (align = 1; align <= KSPAN_MAX_SIZE; align *= 2) {
		expect_aligned(test, 1, align);
		expect_aligned(test, align, align);
		if (align > 2)
			expect_aligned(test, align - 1, align);
		if (align < KSPAN_MAX_SIZE)
			expect_aligned(test, align + 1, align);
		if (3 * align <= KSPAN_MAX_SIZE)
			expect_aligned(test, 3 * align - 2, align);
		expect_aligned(test, 100, align);
		expect_aligned(test, 20000, align);
	}
}

static void alignment_of_size_0_is_zero_size_ptr(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, kspan_malloc_aligned(0, 64, GFP_KERNEL), ZERO_SIZE_PTR);
}

static void aligned_memory_is_zeroed_where_asked(struct kunit *test)
{
	void *p = kspan_malloc_aligned(3000, 4096, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	kspan_kunit_fill(p, 0xd1);
	kspan_free(p);
	p = kspan_malloc_aligned(3000, 4096, GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(p, 0));
	kspan_free(p);
}

static void wrong_alignments_are_refused_and_counted(struct kunit *test)
{
	static const size_t wrong[] = {
		0, 3, 12, KSPAN_MAX_SIZE - 1, 2 * KSPAN_MAX_SIZE, SIZE_MAX,
	};
	unsigned long refused = kspan_refused(KSPAN_REFUSED_ALIGN);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		KUNIT_EXPECT_NULL_MSG(test, kspan_malloc_aligned(64, wrong[i], GFP_KERNEL), "%zu",
				      wrong[i]);
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_ALIGN) - refused,
			(unsigned long)ARRAY_SIZE(wrong));
}

/* The size wraps around when it is rounded up, or it is too large. */
static void sizes_that_do_not_fit_give_null(struct kunit *test)
{
	unsigned long refused = kspan_refused(KSPAN_REFUSED_SIZE);
	size_t size = SIZE_MAX;

	OPTIMIZER_HIDE_VAR(size);
	KUNIT_EXPECT_NULL(test, kspan_malloc_aligned(size, 4096, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_malloc_aligned(size - 4094, 4096, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_SIZE), refused);
	KUNIT_EXPECT_NULL(test, kspan_malloc_aligned(size - 4095, 4096, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_malloc_aligned(KSPAN_MAX_SIZE - 10, 1, GFP_KERNEL | GFP_DMA));
	KUNIT_EXPECT_NULL(test, kspan_malloc_aligned(KSPAN_MAX_SIZE + 1, 8, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, kspan_refused(KSPAN_REFUSED_SIZE) - refused, 2UL);
}

static void expect_string(struct kunit *test, char *s, const char *want)
{
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_STREQ(test, s, want);
	KUNIT_EXPECT_EQ(test, kspan_size(s), kspan_size_roundup(strlen(want) + 1));
	kspan_free(s);
}

static void strndup_copies_the_start(struct kunit *test)
{
	static const char text[4] = { 'a', 'b', 'c', 'd' };

	expect_string(test, kspan_strndup("fifteen letters", 7, GFP_KERNEL), "fifteen");
	expect_string(test, kspan_strndup("fifteen letters", 15, GFP_KERNEL), "fifteen letters");
	expect_string(test, kspan_strndup("fifteen letters", SIZE_MAX, GFP_KERNEL),
		      "fifteen letters");
	expect_string(test, kspan_strndup("fifteen letters", 0, GFP_KERNEL), "");
	expect_string(test, kspan_strndup("", 5, GFP_KERNEL), "");
	expect_string(test, kspan_strndup(text, sizeof(text), GFP_KERNEL), "abcd");
	KUNIT_EXPECT_NULL(test, kspan_strndup(NULL, 5, GFP_KERNEL));
}

static void asprintf_formats(struct kunit *test)
{
	expect_string(test, kspan_asprintf(GFP_KERNEL, "%d of %s, %c%%", -42, "all", 'x'),
		      "-42 of all, x%");
	expect_string(test, kspan_asprintf(GFP_KERNEL, "%s", ""), "");
	expect_string(test, kspan_asprintf(GFP_KERNEL, "%s", "1234567"), "1234567");
	expect_string(test, kspan_asprintf(GFP_KERNEL, "%s", "12345678"), "12345678");
}

/* The string is longer than any small object. */
static void asprintf_formats_long_strings(struct kunit *test)
{
	int width = KSPAN_MAX_SMALL;
	char *s = kspan_asprintf(GFP_KERNEL, "%*d%*d", width, 1, width, 2);

	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_EQ(test, strlen(s), 2 * (size_t)width);
	KUNIT_EXPECT_EQ(test, kspan_size(s), kspan_size_roundup(2 * width + 1));
	KUNIT_EXPECT_EQ(test, s[width - 1], '1');
	KUNIT_EXPECT_EQ(test, s[2 * width - 1], '2');
	KUNIT_EXPECT_NULL(test, memchr_inv(s, ' ', width - 1));
	kspan_free(s);
}

static __printf(1, 2) char *format(const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	s = kspan_vasprintf(GFP_KERNEL, fmt, args);
	va_end(args);
	return s;
}

/* kspan_vasprintf() reads its arguments twice. */
static void vasprintf_formats(struct kunit *test)
{
	expect_string(test, format("%d %d %s %lx %d", 1, 2, "three", 4UL, 5), "1 2 three 4 5");
	expect_string(test, format("nothing"), "nothing");
}

static void strings_fail_as_malloc_does(struct kunit *test)
{
	char *dup, *formatted;

	kspan_kunit_needs_faults(test);
	kspan_kunit_fail_arenas(1, 1000);
	dup = kspan_strndup("abc", 2, GFP_KERNEL);
	formatted = kspan_asprintf(GFP_KERNEL, "%d", 1);
	kspan_kunit_stop_failing();
	KUNIT_EXPECT_NULL(test, dup);
	KUNIT_EXPECT_NULL(test, formatted);
}

static void memdup_copies_large_and_small(struct kunit *test)
{
	static const size_t sizes[] = { 1, 15, 64, 5000, 100000 };
	u8 *source = kspan_malloc(100000, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, source);
	for (i = 0; i < 100000; i++)
		source[i] = i * 7 + i / 256;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *p = kspan_memdup(source, sizes[i], GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_EQ(test, memcmp(p, source, sizes[i]), 0);
		kspan_free(p);
	}
	kspan_free(source);
}

static void mempool_takes_its_elements_from_kspan(struct kunit *test)
{
	mempool_t *pool = mempool_create(4, kspan_mempool_alloc, kspan_mempool_free,
					 (void *)(size_t)200);
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, pool);
	KUNIT_EXPECT_EQ(test, in_use(200), 4UL);
	p = mempool_alloc(pool, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(200));
	KUNIT_EXPECT_EQ(test, in_use(200), 5UL);
	mempool_free(p, pool);
	mempool_destroy(pool);
	KUNIT_EXPECT_EQ(test, in_use(200), 0UL);
}

/* Each element takes an arena, so no other memory is left when arenas fail. */
static void mempool_has_elements_when_kspan_has_none(struct kunit *test)
{
	mempool_t *pool;
	void *p[4];
	unsigned int n = 0;

	kspan_kunit_needs_faults(test);
	pool = mempool_create(3, kspan_mempool_alloc, kspan_mempool_free,
			      (void *)(size_t)KSPAN_MAX_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	kspan_kunit_fail_arenas(1, 1000);
	while (n < ARRAY_SIZE(p) && (p[n] = mempool_alloc(pool, GFP_NOWAIT)))
		n++;
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
	KUNIT_EXPECT_EQ(test, n, 3U);
	while (n--) {
		KUNIT_EXPECT_TRUE(test, kspan_owns(p[n]));
		mempool_free(p[n], pool);
	}
	mempool_destroy(pool);
}

#ifdef DEFINE_FREE

static unsigned long in_use_in_a_scope(bool early)
{
	void *p __free(kspan_free) = kspan_malloc(64, GFP_KERNEL);

	if (!p || early)
		return 0;
	return in_use(64);
}

static void *kept_beyond_a_scope(void)
{
	void *p __free(kspan_free) = kspan_malloc(64, GFP_KERNEL);

	return_ptr(p);
}

static void nothing_in_a_scope(void)
{
	void *none __free(kspan_free) = NULL;
	void *zero __free(kspan_free) = kspan_malloc(0, GFP_KERNEL);
	void *error __free(kspan_free) = ERR_PTR(-ENOMEM);
}

static void end_of_the_scope_frees(struct kunit *test)
{
	u64 foreign = kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN);
	void *kept;

	KUNIT_EXPECT_EQ(test, in_use_in_a_scope(false), 1UL);
	KUNIT_EXPECT_EQ(test, in_use(64), 0UL);
	KUNIT_EXPECT_EQ(test, in_use_in_a_scope(true), 0UL);
	KUNIT_EXPECT_EQ(test, in_use(64), 0UL);
	kept = kept_beyond_a_scope();
	KUNIT_EXPECT_TRUE(test, kspan_owns(kept));
	kspan_free(kept);
	nothing_in_a_scope();
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN), foreign);
}

#else

static void end_of_the_scope_frees(struct kunit *test)
{
	kunit_skip(test, "the kernel has no cleanup.h");
}

#endif

/* The compiler, the table and the object itself must agree on the class of a size. */
#define EXPECT_SAME_CLASS(test, size)						\
do {										\
	void *constant = kspan_malloc(size, GFP_KERNEL), *variable, *direct;	\
	size_t hidden = (size);							\
										\
	OPTIMIZER_HIDE_VAR(hidden);						\
	variable = kspan_malloc(hidden, GFP_KERNEL);				\
	direct = kspan_malloc_class((unsigned long)kspan_size_class(hidden) << KSPAN_CLASS_SHIFT, \
				    GFP_KERNEL, hidden);			\
	KUNIT_ASSERT_NOT_NULL(test, constant);					\
	KUNIT_EXPECT_EQ(test, kspan_object_class(constant), kspan_size_class(hidden)); \
	KUNIT_EXPECT_EQ(test, kspan_object_class(variable), kspan_size_class(hidden)); \
	KUNIT_EXPECT_EQ(test, kspan_object_class(direct), kspan_size_class(hidden)); \
	kspan_free(constant);							\
	kspan_free(variable);							\
	kspan_free(direct);							\
} while (0)

/* FORTIFY_SOURCE gets the length of an object from the compiler, as for kmalloc(). */
static void compiler_knows_how_long_objects_are(struct kunit *test)
{
#if __has_builtin(__builtin_dynamic_object_size)
	void *constant = kspan_malloc(100, GFP_KERNEL), *zeroed = kspan_zalloc(100, GFP_KERNEL);
	static const char from[1000];
	size_t size = sizeof(from);
	void *variable, *array, *copy, *grown;

	OPTIMIZER_HIDE_VAR(size);
	variable = kspan_malloc(size, GFP_KERNEL);
	array = kspan_calloc(size, 2, GFP_KERNEL);
	copy = kspan_memdup(from, size, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, __builtin_object_size(constant, 1), (size_t)100);
	KUNIT_EXPECT_EQ(test, __builtin_object_size(zeroed, 1), (size_t)100);
	KUNIT_EXPECT_EQ(test, __builtin_dynamic_object_size(variable, 1), size);
	KUNIT_EXPECT_EQ(test, __builtin_dynamic_object_size(array, 1), 2 * size);
	KUNIT_EXPECT_EQ(test, __builtin_dynamic_object_size(copy, 1), size);
	grown = kspan_realloc(variable, 2 * size, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, __builtin_dynamic_object_size(grown, 1), 2 * size);
	kspan_free(constant);
	kspan_free(zeroed);
	kspan_free(array);
	kspan_free(copy);
	kspan_free(grown);
#else
	kunit_skip(test, "the compiler has no __builtin_dynamic_object_size()");
#endif
}

static void constant_sizes_get_the_class_of_variable_ones(struct kunit *test)
{
	EXPECT_SAME_CLASS(test, 1);
	EXPECT_SAME_CLASS(test, 8);
	EXPECT_SAME_CLASS(test, 9);
	EXPECT_SAME_CLASS(test, 64);
	EXPECT_SAME_CLASS(test, 2552);
	EXPECT_SAME_CLASS(test, 2560);
}

static void larger_constant_sizes_do_so_too(struct kunit *test)
{
	EXPECT_SAME_CLASS(test, 4608);
	EXPECT_SAME_CLASS(test, 8193);
	EXPECT_SAME_CLASS(test, 27264);
	EXPECT_SAME_CLASS(test, KSPAN_MAX_SMALL);
}

static void constant_sizes_without_a_class(struct kunit *test)
{
	void *p = kspan_malloc(KSPAN_MAX_SMALL + 1, GFP_KERNEL);

	KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(KSPAN_MAX_SMALL + 1));
	kspan_free(p);
	KUNIT_EXPECT_PTR_EQ(test, kspan_malloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, kspan_zalloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
}

static void zalloc_of_a_constant_size_zeroes(struct kunit *test)
{
	void *p = kspan_malloc(1000, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	kspan_kunit_fill(p, 0xd1);
	kspan_free(p);
	p = kspan_zalloc(1000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(p, 0));
	kspan_free(p);
	KUNIT_EXPECT_NULL(test, kspan_malloc(64, GFP_KERNEL | GFP_DMA));
}

/* The request must succeed after any number of failures. Nothing is cached before it. */
static void expect_no_failure(struct kunit *test, void *(*call)(gfp_t gfp))
{
	unsigned int failures;
	void *p;

	kspan_kunit_needs_faults(test);
	for (failures = 1; failures <= 4; failures++) {
		kspan_kunit_settle();
		kspan_kunit_fail_arenas(1, failures);
		p = call(GFP_KERNEL | __GFP_NOFAIL);
		KUNIT_EXPECT_EQ(test, kspan_kunit_stop_failing(), failures);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_TRUE(test, kspan_owns(p));
		kspan_free(p);
	}
}

static void *small_object(gfp_t gfp)
{
	return kspan_malloc(64, gfp);
}

static void *zeroed_object(gfp_t gfp)
{
	return kspan_zalloc(KSPAN_MAX_SMALL, gfp);
}

static void *object_of_a_node(gfp_t gfp)
{
	return kspan_malloc_node(64, gfp | __GFP_THISNODE, first_memory_node);
}

static void *tiny_object(gfp_t gfp)
{
	return kspan_tiny_alloc(3, gfp);
}

static void *large_object(gfp_t gfp)
{
	return kspan_malloc(KSPAN_MAX_SIZE, gfp);
}

static void *aligned_object(gfp_t gfp)
{
	return kspan_malloc_aligned(100, 1 << 20, gfp);
}

static void *object_of_a_bulk(gfp_t gfp)
{
	void *p = NULL;

	return kspan_alloc_bulk(64, gfp, 1, &p) ? p : NULL;
}

static void small_objects_that_must_not_fail(struct kunit *test)
{
	expect_no_failure(test, small_object);
	expect_no_failure(test, zeroed_object);
	expect_no_failure(test, object_of_a_node);
	expect_no_failure(test, tiny_object);
	expect_no_failure(test, object_of_a_bulk);
}

static void large_objects_that_must_not_fail(struct kunit *test)
{
	expect_no_failure(test, large_object);
	expect_no_failure(test, aligned_object);
}

static struct kunit_case util_cases[] = {
	KUNIT_CASE(every_alignment_of_sizes_around_it),
	KUNIT_CASE(alignment_of_size_0_is_zero_size_ptr),
	KUNIT_CASE(aligned_memory_is_zeroed_where_asked),
	KUNIT_CASE(wrong_alignments_are_refused_and_counted),
	KUNIT_CASE(sizes_that_do_not_fit_give_null),
	KUNIT_CASE(strndup_copies_the_start),
	KUNIT_CASE(asprintf_formats),
	KUNIT_CASE(asprintf_formats_long_strings),
	KUNIT_CASE(vasprintf_formats),
	KUNIT_CASE(strings_fail_as_malloc_does),
	KUNIT_CASE(memdup_copies_large_and_small),
	KUNIT_CASE(mempool_takes_its_elements_from_kspan),
	KUNIT_CASE(mempool_has_elements_when_kspan_has_none),
	KUNIT_CASE(end_of_the_scope_frees),
	KUNIT_CASE(compiler_knows_how_long_objects_are),
	KUNIT_CASE(constant_sizes_get_the_class_of_variable_ones),
	KUNIT_CASE(larger_constant_sizes_do_so_too),
	KUNIT_CASE(constant_sizes_without_a_class),
	KUNIT_CASE(zalloc_of_a_constant_size_zeroes),
	KUNIT_CASE(small_objects_that_must_not_fail),
	KUNIT_CASE(large_objects_that_must_not_fail),
	{}
};

static struct kunit_suite util_suite = {
	.name = "kspan_util",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = util_cases,
};

kunit_test_suite(util_suite);
