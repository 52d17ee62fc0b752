// SPDX-License-Identifier: GPL-2.0
/*
 * what=pairs and what=profile: an allocation with its free, by pattern and size
 */
#include "bench.h"

#include <linux/kernel.h>
#include <linux/math.h>
#include <linux/string.h>

static const struct pattern known[] = {
	{ "hot", run_hot, ORDER_FIFO },
	{ "fifo", run_batch, ORDER_FIFO },
	{ "lifo", run_batch, ORDER_LIFO },
	{ "random", run_batch, ORDER_RANDOM },
};

static const unsigned int usual_sizes[] = {
	8, 64, 256, 1000, 2048, 4096, 8192, 16384, 32768, 65536,
};

static const unsigned int usual_counts[] = { 1000 };

const struct pattern *find_pattern(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(known[i].name, name))
			return &known[i];
	return NULL;
}

static bool wanted(const struct pattern *pattern)
{
	unsigned int i;

	for (i = 0; i < nr_patterns; i++)
		if (!strcmp(patterns[i], pattern->name))
			return true;
	return !nr_patterns;
}

typedef void (*measure_fn)(const struct pattern *pattern, const struct load *load);

/* Objects of a run: at least 1000, so that small batches are run several times. */
static void measure(measure_fn fn, const struct pattern *pattern, unsigned int size,
		    unsigned int n)
{
	struct load load = {
		.size = size,
		.batch = n,
		.loops = n * max(1U, 1000 / n),
		.order = make_order(pattern, n),
	};

	fn(pattern, &load);
}

static void each_pair(measure_fn fn)
{
	const unsigned int *size = nr_sizes ? sizes : usual_sizes;
	const unsigned int *n = nr_counts ? counts : usual_counts;
	unsigned int to_size = nr_sizes ?: ARRAY_SIZE(usual_sizes);
	unsigned int to_n = nr_counts ?: ARRAY_SIZE(usual_counts);
	unsigned int i, j, k;

	for (i = 0; i < to_size; i++)
		for (j = 0; j < ARRAY_SIZE(known); j++)
			for (k = 0; k < to_n; k++)
				/* Nothing is allocated n times where each is freed at once. */
				if (wanted(&known[j]) && (known[j].run != run_hot || !k))
					measure(fn, &known[j], size[i], n[k]);
}

static void compare(const struct pattern *pattern, const struct load *load)
{
	u64 none = fastest(pattern->run, &empty, load);
	u64 theirs = per_object(fastest(pattern->run, &slub, load), none, load->loops);
	u64 ours = per_object(fastest(pattern->run, &kspan, load), none, load->loops);

	pr_info("pattern=%s size=%zu n=%u kspan=%s slub=%s ratio=%s\n", pattern->name, load->size,
		load->batch, number_of(ours).text, number_of(theirs).text,
		ratio_of(ours, theirs).text);
}

int run_pairs(void)
{
	each_pair(compare);
	return 0;
}

/*
 * A profile: what runs between these two was asked for, and nothing else. They are
 * found by name in the log of instructions, so their code must differ; the lines are
 * printed in the same order.
 */
static noinline __noclone void bench_window_begin(void)
{
	asm volatile("# begin" ::: "memory");
}

static noinline __noclone void bench_window_end(void)
{
	asm volatile("# end" ::: "memory");
}

static void show_window(const struct pattern *pattern, const struct load *load,
			const struct allocator *a, const char *name)
{
	unsigned int i;

	/* Caches and spans as they are in the middle of a long run. */
	for (i = 0; i < rounds; i++)
		pattern->run(a, load);
	bench_window_begin();
	pattern->run(a, load);
	bench_window_end();
	pr_info("window=%s pattern=%s size=%zu n=%u operations=%u\n", name, pattern->name,
		load->size, load->batch, load->loops);
}

static void profile(const struct pattern *pattern, const struct load *load)
{
	show_window(pattern, load, &empty, "empty");
	show_window(pattern, load, &kspan, "kspan");
	show_window(pattern, load, &slub, "slub");
}

int run_profile(void)
{
	each_pair(profile);
	return 0;
}
