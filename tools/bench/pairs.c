// SPDX-License-Identifier: GPL-2.0
/* what=pairs and what=profile: an allocation and its free, by pattern and size. */
#include "bench.h"

#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/string.h>

static const struct pattern known[] = {
	{ "hot", run_hot },
	{ "fifo", run_batch },
	{ "lifo", run_batch, .order = ORDER_LIFO },
	{ "random", run_batch, .order = ORDER_RANDOM },
	{ "zeroed", run_hot, .gfp = __GFP_ZERO },
};

static const unsigned int usual_sizes[] = {
	8, 64, 256, 1000, 2048, 4096, 8192, 16384, 32768, 65536,
};

static const unsigned int usual_counts[] = { 16, 64, 1000, 10000 };
#define NR_LARGE_COUNTS	2

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

/* A run has at least 1000 objects, so small batches are run several times. */
void measure(measure_fn fn, const struct pattern *pattern, unsigned int size, unsigned int n)
{
	struct load load = {
		.size = size,
		.gfp = GFP_KERNEL | pattern->gfp,
		.batch = n,
		.loops = n * max(1U, 1000 / n),
		.order = make_order(pattern, n),
	};

	if (pattern->run == run_hot) {
		load.batch = 1;
		load.loops = 1000;
	}
	if (fits_in_memory((u64)size * load.batch))
		fn(pattern, &load);
	else
		pr_info("left out for want of memory: %s of %u objects of %u bytes\n",
			pattern->name, n, size);
}

static void each_pair(measure_fn fn, const unsigned int *usual, unsigned int nr_usual,
		      unsigned int nr_usual_counts)
{
	const unsigned int *size = nr_sizes ? sizes : usual;
	const unsigned int *n = nr_counts ? counts : usual_counts;
	unsigned int to_size = nr_sizes ?: nr_usual;
	unsigned int to_n = nr_counts ?: nr_usual_counts;
	unsigned int i, j, k;

	for (i = 0; i < to_size; i++)
		for (j = 0; j < ARRAY_SIZE(known); j++)
			for (k = 0; k < to_n; k++)
				/*
				 * The pattern hot frees each object at once, so n does not matter.
				 */
				if (wanted(&known[j]) && (known[j].run != run_hot || !k))
					measure(fn, &known[j], size[i], n[k]);
}

static void compare_with(const struct pattern *pattern, const struct load *load,
			 const struct allocator *peer, const char *name)
{
	u64 none = fastest(pattern->run, &empty, load);
	u64 theirs = per_object(fastest(pattern->run, peer, load), none, load->loops);
	u64 ours = per_object(fastest(pattern->run, &kspan, load), none, load->loops);

	pr_info("pattern=%s size=%zu n=%u kspan=%s slub=%s ratio=%s peer=%s\n", pattern->name,
		load->size, load->batch, number_of(ours).text, number_of(theirs).text,
		ratio_of(ours, theirs).text, name);
}

static void compare(const struct pattern *pattern, const struct load *load)
{
	compare_with(pattern, load, &slub, "kmalloc");
}

int run_pairs(void)
{
	each_pair(compare, usual_sizes, ARRAY_SIZE(usual_sizes), ARRAY_SIZE(usual_counts));
	return 0;
}

/* The page allocator, which kmalloc() calls for large objects. */
static unsigned int page_order;

ALLOC(pages_alloc)
{
	struct page *page = alloc_pages(gfp | __GFP_COMP, page_order);

	return page ? page_address(page) : NULL;
}

FREE(pages_free)
{
	if (p)
		__free_pages(virt_to_page(p), page_order);
}

static void compare_large(const struct pattern *pattern, const struct load *load)
{
	static const struct allocator pages = { pages_alloc, pages_free };

	page_order = get_order(load->size);
	compare(pattern, load);
	compare_with(pattern, load, &pages, "alloc_pages");
}

int run_large(void)
{
	static const unsigned int large_sizes[] = {
		33 * SZ_1K, 40 * SZ_1K, 48 * SZ_1K, 64 * SZ_1K, 96 * SZ_1K, 128 * SZ_1K,
		160 * SZ_1K, 256 * SZ_1K, 384 * SZ_1K, 512 * SZ_1K, 768 * SZ_1K, SZ_1M,
	};

	each_pair(compare_large, large_sizes, ARRAY_SIZE(large_sizes), NR_LARGE_COUNTS);
	return 0;
}

/*
 * A profile reads the instructions between these two functions. They are found by name in the log
 * of instructions, so their code must differ. Lines are printed in the same order.
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

	/* Bring caches and spans into the state of a long run. */
	for (i = 0; i < rounds; i++)
		pattern->run(a, load);
	/* Keep other tasks away, and this one on its CPU. */
	sched_set_fifo(current);
	migrate_disable();
	bench_window_begin();
	pattern->run(a, load);
	bench_window_end();
	migrate_enable();
	sched_set_normal(current, 0);
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
	each_pair(profile, usual_sizes, ARRAY_SIZE(usual_sizes), ARRAY_SIZE(usual_counts));
	return 0;
}
