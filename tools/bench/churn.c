// SPDX-License-Identifier: GPL-2.0
/* what=churn: many live objects of mixed sizes, of which one is replaced at a time. */
#include "bench.h"

#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/prandom.h>
#include <linux/vmalloc.h>

#define STEPS	65536U
#define LEAST	8
/* Live objects when n is not set. */
#define LIVE	8192

/* The steps are drawn before, so that drawing is not measured. */
static struct step {
	u32 place;
	u32 size;
} *steps;

static void **live;

/* Draw as many sizes between 8 and 16 as between 1024 and 2048. */
static u32 draw_size(struct rnd_state *rnd, u32 most)
{
	u32 size = LEAST << prandom_u32_state(rnd) % (ilog2(most / LEAST) + 1);

	return min(size + prandom_u32_state(rnd) % size, most);
}

static void draw_steps(u32 most, unsigned int nr_live)
{
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, seed);
	for (i = 0; i < STEPS; i++) {
		steps[i].place = prandom_u32_state(&rnd) % nr_live;
		steps[i].size = draw_size(&rnd, most);
	}
}

/* Time all steps. Do them once before, so that the heap is in its usual state. */
static u64 churn(const struct allocator *a, unsigned int nr_live)
{
	struct stopwatch watch = { };
	unsigned int round, i, j;

	for (i = 0; i < nr_live; i++)
		live[i] = a->alloc(steps[i % STEPS].size, GFP_KERNEL);
	for (round = 0; round < 2; round++) {
		watch = (struct stopwatch){ };
		for (i = 0; i < STEPS; i += PIECE) {
			watch_start(&watch);
			for (j = i; j < i + PIECE; j++) {
				a->free(live[steps[j].place]);
				live[steps[j].place] = a->alloc(steps[j].size, GFP_KERNEL);
			}
			watch_stop(&watch, PIECE);
		}
	}
	for (i = 0; i < nr_live; i++)
		a->free(live[i]);
	return watch_total(&watch, STEPS);
}

static void compare(unsigned int most, unsigned int nr_live)
{
	u64 none, theirs, ours;

	draw_steps(most, nr_live);
	none = churn(&empty, nr_live);
	theirs = per_object(churn(&slub, nr_live), none, STEPS);
	ours = per_object(churn(&kspan, nr_live), none, STEPS);
	pr_info("pattern=churn size=%u n=%u kspan=%s slub=%s ratio=%s peer=kmalloc\n", most,
		nr_live, number_of(ours).text, number_of(theirs).text,
		ratio_of(ours, theirs).text);
}

int run_churn(void)
{
	static const unsigned int usual[] = { 128, 1024, 8192, 32768 };
	const unsigned int *most = nr_sizes ? sizes : usual;
	unsigned int to_size = nr_sizes ?: ARRAY_SIZE(usual);
	unsigned int nr_live = nr_counts ? counts[0] : LIVE;
	unsigned int i;
	int err = 0;

	steps = vcalloc(STEPS, sizeof(*steps));
	live = vcalloc(nr_live, sizeof(*live));
	if (steps && live) {
		for (i = 0; i < to_size; i++)
			compare(max(most[i], 2U * LEAST), nr_live);
	} else {
		pr_err("no memory for %u steps and %u live objects\n", STEPS, nr_live);
		err = -ENOMEM;
	}
	vfree(live);
	vfree(steps);
	return err;
}
