// SPDX-License-Identifier: GPL-2.0
/*
 * what=heaps: typed caches beside kmem_cache, private heaps beside kmalloc(), and the end of many
 * objects at once beside the free of each.
 */
#include "bench.h"

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

static struct kspan_cache *our_cache;
static struct kmem_cache *their_cache;
static struct kspan_heap *heap;

ALLOC(k_cache) { return kspan_cache_alloc(our_cache, gfp); }
FREE(k_cache_free) { kspan_cache_free(our_cache, (void *)p); }
ALLOC(s_cache) { return kmem_cache_alloc(their_cache, gfp); }
FREE(s_cache_free) { kmem_cache_free(their_cache, (void *)p); }
ALLOC(k_heap) { return kspan_heap_malloc(heap, size, gfp); }
FREE(k_free) { kspan_free(p); }

static const struct allocator of_cache = { k_cache, k_cache_free };
static const struct allocator of_kmem_cache = { s_cache, s_cache_free };
static const struct allocator of_heap = { k_heap, k_free };

static void compare(const char *name, const char *peer, const struct allocator *ours,
		    const struct allocator *theirs, const struct pattern *pattern,
		    const struct load *load)
{
	u64 none = fastest(pattern->run, &empty, load);
	u64 us = per_object(fastest(pattern->run, ours, load), none, load->loops);
	u64 them = per_object(fastest(pattern->run, theirs, load), none, load->loops);

	pr_info("pattern=%s,%s size=%zu n=%u kspan=%s slub=%s ratio=%s peer=%s\n", name,
		pattern->name, load->size, load->batch, number_of(us).text,
		number_of(them).text, ratio_of(us, them).text, peer);
}

static void compare_cache(const struct pattern *pattern, const struct load *load)
{
	our_cache = kspan_cache_create("kspan_bench", load->size, 0, 0, NULL);
	their_cache = kmem_cache_create("kspan_bench", load->size, 0, 0, NULL);
	if (our_cache && their_cache)
		compare("cache", "kmem_cache", &of_cache, &of_kmem_cache, pattern, load);
	kmem_cache_destroy(their_cache);
	kspan_cache_destroy(our_cache);
}

static void compare_heap(const struct pattern *pattern, const struct load *load)
{
	heap = kspan_heap_create("kspan_bench", 0, 0);
	if (heap)
		compare("heap", "kmalloc", &of_heap, &slub, pattern, load);
	kspan_heap_destroy(heap);
}

static u64 bulk_of(bool ours, const struct load *load)
{
	struct stopwatch watch = { };
	unsigned int left;

	for (left = load->loops; left; left -= load->batch) {
		watch_start(&watch);
		if (ours) {
			if (kspan_cache_alloc_bulk(our_cache, load->gfp, load->batch, objects))
				kspan_cache_free_bulk(our_cache, load->batch, objects);
		} else if (kmem_cache_alloc_bulk(their_cache, load->gfp, load->batch, objects)) {
			kmem_cache_free_bulk(their_cache, load->batch, objects);
		}
		watch_stop(&watch, load->batch);
	}
	return watch_total(&watch, load->loops);
}

static void compare_bulk(const struct pattern *pattern, const struct load *load)
{
	u64 us = U64_MAX, them = U64_MAX;
	unsigned int i;

	our_cache = kspan_cache_create("kspan_bench", load->size, 0, 0, NULL);
	their_cache = kmem_cache_create("kspan_bench", load->size, 0, 0, NULL);
	for (i = 0; our_cache && their_cache && i < rounds; i++) {
		us = min(us, bulk_of(true, load));
		them = min(them, bulk_of(false, load));
	}
	us = per_object(us, 0, load->loops);
	them = per_object(them, 0, load->loops);
	pr_info("pattern=cache,bulk size=%zu n=%u kspan=%s slub=%s ratio=%s peer=kmem_cache_bulk\n",
		load->size, load->batch, number_of(us).text, number_of(them).text,
		ratio_of(us, them).text);
	kmem_cache_destroy(their_cache);
	kspan_cache_destroy(our_cache);
}

/* Ticks to end @n objects of a heap: by its destruction, or one by one. */
static u64 end_of_heap(size_t size, unsigned int n, void **p, bool each)
{
	unsigned int i;
	u64 start;

	heap = kspan_heap_create("kspan_bench", 0, 0);
	if (!heap)
		return U64_MAX;
	for (i = 0; i < n; i++) {
		p[i] = kspan_heap_malloc(heap, size, GFP_KERNEL);
		if (!p[i])
			break;
		if (i % 1024 == 0)
			cond_resched();
	}
	if (i < n)
		pr_err("no memory for n=%u objects of size=%zu\n", n, size);
	start = ticks();
	for (i = 0; each && i < n; i++)
		kspan_free(p[i]);
	/* A destruction with live objects includes their report. */
	kspan_heap_destroy(heap);
	return ticks() - start;
}

static u64 end_of_slub(size_t size, unsigned int n, void **p)
{
	unsigned int i;
	u64 start;

	for (i = 0; i < n; i++) {
		p[i] = kmalloc(size, GFP_KERNEL);
		if (i % 1024 == 0)
			cond_resched();
	}
	start = ticks();
	for (i = 0; i < n; i++)
		kfree(p[i]);
	return ticks() - start;
}

static void compare_end(size_t size, unsigned int n)
{
	u64 destroy = U64_MAX, each = U64_MAX, theirs = U64_MAX;
	void **p = vcalloc(n, sizeof(*p));
	unsigned int i;

	for (i = 0; p && i < 3; i++) {
		destroy = min(destroy, end_of_heap(size, n, p, false));
		each = min(each, end_of_heap(size, n, p, true));
		theirs = min(theirs, end_of_slub(size, n, p));
	}
	vfree(p);
	destroy = units_of(destroy) / n;
	each = units_of(each) / n;
	theirs = units_of(theirs) / n;
	pr_info("pattern=destroy size=%zu n=%u kspan=%s slub=%s ratio=%s peer=kspan_free_each\n",
		size, n, number_of(destroy).text, number_of(each).text,
		ratio_of(destroy, each).text);
	pr_info("pattern=destroy size=%zu n=%u kspan=%s slub=%s ratio=%s peer=kfree_each\n",
		size, n, number_of(destroy).text, number_of(theirs).text,
		ratio_of(destroy, theirs).text);
}

static u64 life_of_heap(bool used)
{
	u64 start = ticks();

	heap = kspan_heap_create("kspan_bench", 0, 0);
	if (!heap)
		return U64_MAX;
	if (used)
		kspan_free(kspan_heap_malloc(heap, 64, GFP_KERNEL));
	kspan_heap_destroy(heap);
	return ticks() - start;
}

static u64 life_of_kmem_cache(void)
{
	u64 start = ticks();

	their_cache = kmem_cache_create("kspan_bench", 64, 0, 0, NULL);
	kmem_cache_destroy(their_cache);
	return ticks() - start;
}

static u64 life_of_cache(void)
{
	u64 start = ticks();

	our_cache = kspan_cache_create("kspan_bench", 64, 0, 0, NULL);
	kspan_cache_destroy(our_cache);
	return ticks() - start;
}

static void show_lives(void)
{
	u64 empty_heap = U64_MAX, used_heap = U64_MAX, cache = U64_MAX, kmem_cache = U64_MAX;
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		empty_heap = min(empty_heap, life_of_heap(false));
		used_heap = min(used_heap, life_of_heap(true));
		cache = min(cache, life_of_cache());
		kmem_cache = min(kmem_cache, life_of_kmem_cache());
	}
	pr_info("pattern=life,heap size=0 n=1 kspan=%s slub=%s ratio=%s peer=kmem_cache\n",
		number_of(units_of(empty_heap)).text, number_of(units_of(kmem_cache)).text,
		ratio_of(empty_heap, kmem_cache).text);
	pr_info("pattern=life,used_heap size=64 n=1 kspan=%s slub=%s ratio=%s peer=kmem_cache\n",
		number_of(units_of(used_heap)).text, number_of(units_of(kmem_cache)).text,
		ratio_of(used_heap, kmem_cache).text);
	pr_info("pattern=life,cache size=64 n=1 kspan=%s slub=%s ratio=%s peer=kmem_cache\n",
		number_of(units_of(cache)).text, number_of(units_of(kmem_cache)).text,
		ratio_of(cache, kmem_cache).text);
}

int run_heaps(void)
{
	static const unsigned int usual_sizes[] = { 8, 64, 100, 256, 1000, 4096 };
	static const unsigned int ends[] = { 64, 256, 1024 };
	static const struct pattern hot = { "hot", run_hot };
	static const struct pattern fifo = { "fifo", run_batch, .order = ORDER_FIFO };
	static const struct pattern bulk = { "bulk", run_batch, .order = ORDER_FIFO };
	const unsigned int *size = nr_sizes ? sizes : usual_sizes;
	unsigned int n = nr_sizes ?: ARRAY_SIZE(usual_sizes), i;

	for (i = 0; i < n; i++) {
		measure(compare_cache, &hot, size[i], 1);
		measure(compare_cache, &fifo, size[i], 64);
		measure(compare_cache, &fifo, size[i], 1000);
		measure(compare_bulk, &bulk, size[i], 16);
		measure(compare_bulk, &bulk, size[i], 64);
		measure(compare_heap, &hot, size[i], 1);
		measure(compare_heap, &fifo, size[i], 1000);
	}
	show_lives();
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		u64 most = (u64)totalram_pages() * PAGE_SIZE / 4 / ends[i];

		compare_end(ends[i], min_t(u64, most, nr_counts ? counts[0] : 1000000));
	}
	return 0;
}
