// SPDX-License-Identifier: GPL-2.0
/* what=region: objects that are freed together, beside kmalloc() and kfree() of each. */
#include "bench.h"

#include <linux/kernel.h>

static struct kspan_region *region;

ALLOC(region_alloc) { return kspan_region_alloc(region, size, gfp); }
FREE(no_free) { barrier(); }

static const struct allocator of_region = { region_alloc, no_free };

/* For a region: what is done before the first object, and after the last. */
static struct kspan_region_mark mark;

static void take_mark(void)
{
	mark = kspan_region_mark(region);
}

static void release(void)
{
	kspan_region_release(region, mark);
}

static void create(void)
{
	region = kspan_region_create(NULL, 0, GFP_KERNEL | __GFP_NOFAIL);
}

static void destroy(void)
{
	kspan_region_destroy(region);
}

static void nothing(void)
{
}

static u64 run_all(const struct allocator *a, const struct load *load, void (*begin)(void),
		   void (*end)(void))
{
	struct stopwatch begins = { }, allocs = { }, ends = { };
	unsigned int i, j, left, piece;

	for (left = load->loops; left; left -= load->batch) {
		watch_start(&begins);
		begin();
		watch_stop(&begins, load->batch);
		for (i = 0; i < load->batch; i += piece) {
			piece = min(PIECE, load->batch - i);
			watch_start(&allocs);
			for (j = i; j < i + piece; j++)
				objects[j] = a->alloc(load->size, load->gfp);
			watch_stop(&allocs, piece);
		}
		watch_start(&ends);
		end();
		watch_stop(&ends, load->batch);
	}
	if (!begins.objects || !allocs.objects || !ends.objects)
		return U64_MAX;
	return watch_total(&begins, load->loops) + watch_total(&allocs, load->loops) +
	       watch_total(&ends, load->loops);
}

static u64 run_marked(const struct allocator *a, const struct load *load)
{
	return run_all(a, load, take_mark, release);
}

static u64 run_once(const struct allocator *a, const struct load *load)
{
	return run_all(a, load, create, destroy);
}

static u64 run_none(const struct allocator *a, const struct load *load)
{
	return run_all(a, load, nothing, nothing);
}

static void compare(const struct pattern *pattern, const struct load *load)
{
	u64 none = fastest(run_none, &empty, load);
	u64 ours = per_object(fastest(pattern->run, &of_region, load), none, load->loops);
	u64 theirs;

	none = fastest(run_batch, &empty, load);
	theirs = per_object(fastest(run_batch, &slub, load), none, load->loops);
	pr_info("pattern=%s size=%zu n=%u kspan=%s slub=%s ratio=%s peer=kmalloc\n",
		pattern->name, load->size, load->batch, number_of(ours).text,
		number_of(theirs).text, ratio_of(ours, theirs).text);
}

static void measure_all(const struct pattern *pattern)
{
	static const unsigned int usual_sizes[] = { 16, 64, 256, 1024 };
	static const unsigned int usual_counts[] = { 16, 256, 4096 };
	const unsigned int *size = nr_sizes ? sizes : usual_sizes;
	const unsigned int *count = nr_counts ? counts : usual_counts;
	unsigned int to_size = nr_sizes ?: ARRAY_SIZE(usual_sizes);
	unsigned int to_count = nr_counts ?: ARRAY_SIZE(usual_counts);
	unsigned int i, j;

	for (i = 0; i < to_size; i++)
		for (j = 0; j < to_count; j++)
			measure(compare, pattern, size[i], count[j]);
}

int run_region(void)
{
	static const struct pattern marked = { "region", run_marked };
	static const struct pattern once = { "region_once", run_once };

	create();
	measure_all(&marked);
	destroy();
	measure_all(&once);
	return 0;
}
