// SPDX-License-Identifier: GPL-2.0
/*
 * Memory runs out at attempt k to get some, for every k.
 *
 * A script of calls runs until one fails. A failed call must return NULL and change nothing.
 * Earlier objects must be intact, and when they are freed no page may be left in use.
 */
#include <linux/kspan.h>
#include <linux/string.h>

#include "model.h"

#define NOWAIT	(GFP_NOWAIT | __GFP_NOWARN)
#define STEPS	24
#define MAX_K	2000

struct script {
	void *p[STEPS];
	size_t size[STEPS];
	unsigned int done;
	gfp_t gfp;
};

static struct script *script;

static int fault_init(struct kunit *test)
{
	kspan_kunit_init(test);
	kspan_kunit_needs_faults(test);
	/* Stay on one node. The others have no free runs that could serve this one. */
	kspan_kunit_pin(test);
	script = kunit_kzalloc(test, sizeof(*script), GFP_KERNEL);
	return script ? 0 : -ENOMEM;
}

/* Sizes from 8 bytes to 1.3 MiB, 6 MiB in all, in a fixed order. */
static size_t size_of_step(unsigned int step)
{
	static const size_t sizes[] = {
		24, 900 << 10, 3000, 32768, 1300 << 10, 64, 20480, 8192, 700 << 10, 1152, 8, 640,
	};

	return sizes[step % ARRAY_SIZE(sizes)] + step / ARRAY_SIZE(sizes) * 8;
}

/* Make the next call of the script. Some calls enlarge an earlier object. */
static bool take_step(unsigned int step)
{
	size_t size = size_of_step(step);
	void *p;

	switch (step % 4) {
	case 0:
		p = kspan_zalloc(size, script->gfp);
		break;
	case 3:
		size = 2 * script->size[step - 1] + 1;
		p = kspan_realloc(script->p[step - 1], size, script->gfp);
		if (p)
			script->p[step - 1] = NULL;
		break;
	default:
		p = kspan_malloc(size, script->gfp);
	}
	script->p[step] = p;
	script->size[step] = size;
	return p;
}

/* Run the script up to the first call that fails. Returns whether none failed. */
static bool run_script(gfp_t gfp)
{
	memset(script, 0, sizeof(*script));
	script->gfp = gfp;
	for (; script->done < STEPS; script->done++)
		if (!take_step(script->done))
			return false;
	return true;
}

static void check_objects(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < script->done; i++)
		if (script->p[i])
			model_stamp(script->p[i], script->size[i], i);
	for (i = 0; i < script->done; i++)
		if (script->p[i])
			KUNIT_EXPECT_TRUE_MSG(test,
					      model_stamped(script->p[i], script->size[i], i),
					      "step %u", i);
	kspan_verify(test, &kspan_default_heap);
}

static void free_objects(void)
{
	unsigned int i;

	for (i = 0; i < script->done; i++)
		kspan_free(script->p[i]);
}

static void expect_nothing_held(struct kunit *test, unsigned int k)
{
	struct kspan_page_stats stats;

	kspan_kunit_settle();
	kspan_page_stats_read(&stats);
	KUNIT_EXPECT_EQ_MSG(test, stats.used, 0UL, "k = %u", k);
	KUNIT_EXPECT_EQ_MSG(test, stats.arenas, 0UL, "k = %u", k);
}

/* Arena k and all later ones fail. The script ends there. */
static void no_arena_from_the_kth_on(struct kunit *test)
{
	unsigned int k, failed = 1;
	bool complete = false;

	for (k = 1; failed && k < MAX_K; k++) {
		kspan_kunit_fail_arenas(k, 1 << 20);
		complete = run_script(GFP_KERNEL);
		failed = kspan_kunit_stop_failing();
		KUNIT_EXPECT_EQ(test, complete, !failed);
		check_objects(test);
		free_objects();
		expect_nothing_held(test, k);
	}
	KUNIT_EXPECT_TRUE(test, complete);
	KUNIT_EXPECT_GT(test, k, 3U);
}

/* Only arena k fails. A second attempt may help; if it does not, the next call must work. */
static void one_arena_fails(struct kunit *test)
{
	unsigned int k, failed = 1;

	for (k = 1; failed && k < MAX_K; k++) {
		kspan_kunit_fail_arenas(k, 1);
		run_script(GFP_KERNEL);
		failed = kspan_kunit_stop_failing();
		check_objects(test);
		free_objects();
		expect_nothing_held(test, k);
	}
	KUNIT_EXPECT_GT(test, k, 3U);
	KUNIT_EXPECT_EQ(test, script->done, (unsigned int)STEPS);
}

/*
 * Allocation k of any kind fails: an arena, and on debug kernels blocks of pages, descriptors,
 * bitmaps, leaves of the map and magazines.
 */
static void any_allocation_fails(struct kunit *test)
{
	bool failed = true;
	unsigned int k;

	for (k = 1; failed && k < MAX_K; k++) {
		kspan_kunit_fail_nth(k);
		run_script(NOWAIT);
		failed = kspan_kunit_nth_failed();
		check_objects(test);
		free_objects();
		expect_nothing_held(test, k);
	}
	kunit_info(test, "%u kinds of failure\n", k - 2);
	KUNIT_EXPECT_GT(test, k, 3U);
	KUNIT_EXPECT_EQ(test, script->done, (unsigned int)STEPS);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE(no_arena_from_the_kth_on),
	KUNIT_CASE(one_arena_fails),
	KUNIT_CASE(any_allocation_fails),
	{}
};

static struct kunit_suite fault_suite = {
	.name = "kspan_fault",
	.init = fault_init,
	.exit = kspan_kunit_exit,
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
