// SPDX-License-Identifier: GPL-2.0
/* Allocation by type: kspan_obj() and its variants. */
#include <linux/kspan.h>
#include <linux/string.h>

#include "kspan_kunit.h"

struct point {
	u64 x, y, z;
};

struct line {
	unsigned int nr_points;
	struct point points[];
};

/* The compiler computes the class, and checks the type. */
static void object_of_a_type_has_its_size(struct kunit *test)
{
	struct point *by_type = kspan_obj(struct point), *by_variable;

	by_variable = kspan_obj(*by_variable, GFP_ATOMIC);
	KUNIT_EXPECT_EQ(test, kspan_size(by_type), sizeof(struct point));
	KUNIT_EXPECT_EQ(test, kspan_size(by_variable), sizeof(struct point));
	kspan_free(by_type);
	kspan_free(by_variable);
}

static void array_of_a_type_has_its_size(struct kunit *test)
{
	struct point *points = kspan_objs(*points, 1000);
	size_t n = SIZE_MAX / sizeof(struct point) + 2;

	KUNIT_EXPECT_EQ(test, kspan_size(points), kspan_size_roundup(1000 * sizeof(*points)));
	kspan_free(points);
	OPTIMIZER_HIDE_VAR(n);
	/* The product wraps around to a few bytes. */
	KUNIT_EXPECT_NULL(test, kspan_objs(*points, n, GFP_KERNEL | __GFP_NOWARN));
}

static void structure_with_an_array_has_both(struct kunit *test)
{
	struct line *line = kspan_flex(*line, points, 100);
	size_t n = SIZE_MAX / sizeof(struct point) + 1;

	KUNIT_EXPECT_EQ(test, kspan_size(line), kspan_size_roundup(struct_size(line, points, 100)));
	kspan_free(line);
	OPTIMIZER_HIDE_VAR(n);
	KUNIT_EXPECT_NULL(test, kspan_flex(*line, points, n, GFP_KERNEL | __GFP_NOWARN));
}

static void expect_zeroed(struct kunit *test, void *p)
{
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(p, 0));
	memset(p, 0xd1, kspan_size(p));
	kspan_free(p);
}

/* In the second round the objects get the memory of the first one's. */
static void z_variants_are_zeroed(struct kunit *test)
{
	unsigned int round;

	for (round = 0; round < 2; round++) {
		expect_zeroed(test, kspan_zobj(struct point));
		expect_zeroed(test, kspan_zobjs(struct point, 5));
		expect_zeroed(test, kspan_zflex(struct line, points, 3, GFP_NOWAIT));
	}
}

static void other_names_are_the_same(struct kunit *test)
{
	expect_zeroed(test, kspan_zalloc_obj(struct point));
	expect_zeroed(test, kspan_zalloc_objs(struct point, 3, GFP_KERNEL));
	expect_zeroed(test, kspan_zalloc_flex(struct line, points, 3));
	kspan_free(kspan_malloc_obj(struct point));
	kspan_free(kspan_malloc_objs(struct point, 3));
	kspan_free(kspan_malloc_flex(struct line, points, 3, GFP_KERNEL));
}

static void variants_of_a_heap_are_of_the_heap(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("typed", 0, 0);
	struct point *made[4];
	struct line *lines[2];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	made[0] = kspan_heap_obj(heap, struct point);
	made[1] = kspan_heap_zobj(heap, struct point, GFP_ATOMIC);
	made[2] = kspan_heap_objs(heap, struct point, 3);
	made[3] = kspan_heap_zobjs(heap, struct point, 3);
	lines[0] = kspan_heap_flex(heap, struct line, points, 3);
	lines[1] = kspan_heap_zflex(heap, struct line, points, 3, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(made); i++)
		KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(made[i]), heap);
	for (i = 0; i < ARRAY_SIZE(lines); i++)
		KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(lines[i]), heap);
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(made[1], 0));
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(made[3], 0));
	KUNIT_EXPECT_TRUE(test, kspan_kunit_filled(lines[1], 0));
	made[0] = kspan_heap_obj(NULL, struct point);
	KUNIT_EXPECT_PTR_EQ(test, kspan_object_heap(made[0]), &kspan_default_heap);
	kspan_free(made[0]);
	for (i = 0; i < ARRAY_SIZE(made); i++)
		kspan_free(i ? made[i] : NULL);
	kspan_heap_reset(heap);
	kspan_heap_destroy(heap);
}

/* Some compilers know no __counted_by(). The counter is not set then. */
struct counted {
	unsigned int n;
	u32 word[] __counted_by(n);
};

static void counter_of_an_array_is_set(struct kunit *test)
{
	struct counted *counted = kspan_zflex(*counted, word, 7);

	KUNIT_ASSERT_NOT_NULL(test, counted);
#if __has_builtin(__builtin_counted_by_ref) && defined(__set_flex_counter)
	KUNIT_EXPECT_EQ(test, counted->n, 7U);
#else
	KUNIT_EXPECT_EQ(test, counted->n, 0U);
#endif
	kspan_free(counted);
}

/* A macro evaluates an argument once. It does not evaluate a variable that only names a type. */
static void arguments_are_evaluated_once(struct kunit *test)
{
	struct point *none = NULL, *points;
	struct line *line;
	unsigned int n = 1;

	points = kspan_objs(*none, n++);
	kspan_free(points);
	line = kspan_flex(*line, points, n++);
	kspan_free(line);
	KUNIT_EXPECT_EQ(test, n, 3U);
}

/* The calls are functions, too. */
static void malloc_is_a_function(struct kunit *test)
{
	void *(*alloc)(size_t size, gfp_t gfp) = kspan_malloc;
	void *(*zeroed)(size_t size, gfp_t gfp) = kspan_zalloc;
	void *p = alloc(100, GFP_KERNEL);

	KUNIT_EXPECT_EQ(test, kspan_size(p), kspan_size_roundup(100));
	kspan_free(p);
	expect_zeroed(test, zeroed(100, GFP_KERNEL));
}

static struct kunit_case obj_cases[] = {
	KUNIT_CASE(object_of_a_type_has_its_size),
	KUNIT_CASE(array_of_a_type_has_its_size),
	KUNIT_CASE(structure_with_an_array_has_both),
	KUNIT_CASE(z_variants_are_zeroed),
	KUNIT_CASE(other_names_are_the_same),
	KUNIT_CASE(variants_of_a_heap_are_of_the_heap),
	KUNIT_CASE(counter_of_an_array_is_set),
	KUNIT_CASE(arguments_are_evaluated_once),
	KUNIT_CASE(malloc_is_a_function),
	{}
};

static struct kunit_suite obj_suite = {
	.name = "kspan_obj",
	.init = kspan_kunit_init,
	.exit = kspan_kunit_exit,
	.test_cases = obj_cases,
};

kunit_test_suite(obj_suite);
