// SPDX-License-Identifier: GPL-2.0
/* what=calls: each call beside its counterpart. */
#include "bench.h"

#include <linux/kernel.h>
#include <linux/mempool.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/topology.h>

#define MAX_TEXT	1024
#define CROWD		32

/* Loops when n is not set. */
#define LOOPS		1000

ALLOC(slub_alloc) { return kmalloc(size, gfp); }
FREE(slub_free) { kfree(p); }
ALLOC(kspan_alloc) { return kspan_malloc(size, gfp); }
FREE(kspan_give) { kspan_free(p); }
FREE(empty_free) { barrier(); }

/**
 * struct fixture - what the calls of a measurement use
 * @ours:		object of the size, of kspan
 * @theirs:		object of the size, of SLUB
 * @cache:		for objects of the size
 * @our_pool:	elements of the size, of kspan
 * @their_pool:	elements of the size, of SLUB
 * @batch:		objects of a bulk call
 * @crowd:		objects of the size, of kspan, with gaps of the size between them
 * @text:		a string that takes the size with its final 0
 */
static struct fixture {
	void *ours;
	void *theirs;
	struct kmem_cache *cache;
	mempool_t *our_pool;
	mempool_t *their_pool;
	unsigned int batch;
	void *crowd[CROWD];
	char text[MAX_TEXT];
} fixture;

ALLOC(k_const_8) { return kspan_malloc(8, gfp); }
ALLOC(s_const_8) { return kmalloc(8, gfp); }
ALLOC(k_const_64) { return kspan_malloc(64, gfp); }
ALLOC(s_const_64) { return kmalloc(64, gfp); }
ALLOC(k_const_256) { return kspan_malloc(256, gfp); }
ALLOC(s_const_256) { return kmalloc(256, gfp); }
ALLOC(k_const_1000) { return kspan_malloc(1000, gfp); }
ALLOC(s_const_1000) { return kmalloc(1000, gfp); }
ALLOC(k_const_4096) { return kspan_malloc(4096, gfp); }
ALLOC(s_const_4096) { return kmalloc(4096, gfp); }
ALLOC(k_const_8192) { return kspan_malloc(8192, gfp); }
ALLOC(s_const_8192) { return kmalloc(8192, gfp); }
ALLOC(s_cache) { return kmem_cache_alloc(fixture.cache, gfp); }
FREE(s_cache_free) { kmem_cache_free(fixture.cache, (void *)p); }

ALLOC(k_zalloc) { return kspan_zalloc(size, gfp); }
ALLOC(s_zalloc) { return kzalloc(size, gfp); }
ALLOC(k_node) { return kspan_malloc_node(size, gfp, numa_node_id()); }
ALLOC(s_node) { return kmalloc_node(size, gfp, numa_node_id()); }
ALLOC(k_array) { return kspan_malloc_array(size / 4, 4, gfp); }
ALLOC(s_array) { return kmalloc_array(size / 4, 4, gfp); }
ALLOC(k_calloc) { return kspan_calloc(size / 4, 4, gfp); }
ALLOC(s_calloc) { return kcalloc(size / 4, 4, gfp); }
ALLOC(k_aligned) { return kspan_malloc_aligned(size, 64, gfp); }
ALLOC(k_tiny) { return kspan_tiny_alloc(size, gfp); }
FREE(k_sensitive) { kspan_free_sensitive(p); }
FREE(s_sensitive) { kfree_sensitive(p); }

ALLOC(k_nolock) { return kspan_malloc_nolock(size); }
#ifdef kmalloc_nolock
#define NOLOCK_PEER	"kmalloc_nolock"
ALLOC(s_nolock) { return kmalloc_nolock(size, 0, NUMA_NO_NODE); }
FREE(s_nolock_free) { kfree_nolock(p); }
#else
#define NOLOCK_PEER	"kmalloc(GFP_NOWAIT)"
ALLOC(s_nolock) { return kmalloc(size, GFP_NOWAIT); }
FREE(s_nolock_free) { kfree(p); }
#endif

ALLOC(k_mempool) { return mempool_alloc(fixture.our_pool, gfp); }
FREE(k_mempool_free) { mempool_free((void *)p, fixture.our_pool); }
ALLOC(s_mempool) { return mempool_alloc(fixture.their_pool, gfp); }
FREE(s_mempool_free) { mempool_free((void *)p, fixture.their_pool); }

ALLOC(k_memdup) { return kspan_memdup(fixture.text, size, gfp); }
ALLOC(s_memdup) { return kmemdup(fixture.text, size, gfp); }
ALLOC(k_strdup) { return kspan_strdup(fixture.text, gfp); }
ALLOC(s_strdup) { return kstrdup(fixture.text, gfp); }
ALLOC(k_strndup) { return kspan_strndup(fixture.text, size - 1, gfp); }
ALLOC(s_strndup) { return kstrndup(fixture.text, size - 1, gfp); }
ALLOC(k_asprintf) { return kspan_asprintf(gfp, "%s.%zu", fixture.text, size); }
ALLOC(s_asprintf) { return kasprintf(gfp, "%s.%zu", fixture.text, size); }

/*
 * realloc() in place; then with a move, by 16 KiB, and to the double size. These include malloc
 * and free.
 */
ALLOC(k_realloc) { return kspan_realloc(fixture.ours, size - 4, gfp); }
ALLOC(s_realloc) { return krealloc(fixture.theirs, size - 4, gfp); }
ALLOC(k_realloc_move) { return kspan_realloc(kspan_malloc(size, gfp), 4 * size, gfp); }
ALLOC(s_realloc_move) { return krealloc(kmalloc(size, gfp), 4 * size, gfp); }
ALLOC(k_realloc_step) { return kspan_realloc(kspan_malloc(size, gfp), size + SZ_16K, gfp); }
ALLOC(s_realloc_step) { return krealloc(kmalloc(size, gfp), size + SZ_16K, gfp); }
ALLOC(k_realloc_double) { return kspan_realloc(kspan_malloc(size, gfp), 2 * size, gfp); }
ALLOC(s_realloc_double) { return krealloc(kmalloc(size, gfp), 2 * size, gfp); }

ALLOC(k_size) { return (void *)kspan_size(fixture.ours); }
ALLOC(s_size) { return (void *)ksize(fixture.theirs); }
ALLOC(k_owns) { return (void *)(unsigned long)kspan_owns(fixture.ours); }

ALLOC(k_bulk)
{
	return kspan_alloc_bulk(size, gfp, fixture.batch, objects) ? objects : NULL;
}

/* kmem_cache_alloc_bulk() returns an int, or a bool since 7.3. */
ALLOC(s_bulk)
{
	return kmem_cache_alloc_bulk(fixture.cache, gfp, fixture.batch, objects) ? objects : NULL;
}

FREE(k_bulk_free) { kspan_free_bulk(fixture.batch, objects); }
FREE(s_bulk_free) { kmem_cache_free_bulk(fixture.cache, fixture.batch, objects); }
FREE(s_kfree_bulk) { kfree_bulk(fixture.batch, objects); }

ALLOC(k_singly)
{
	unsigned int i;

	for (i = 0; i < fixture.batch; i++)
		objects[i] = kspan_malloc(size, gfp);
	return objects;
}

ALLOC(s_singly)
{
	unsigned int i;

	for (i = 0; i < fixture.batch; i++)
		objects[i] = kmalloc(size, gfp);
	return objects;
}

/* Time the free only. */
static u64 run_free(const struct allocator *a, const struct load *load)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < load->loops; i++) {
		void *p = a->alloc(load->size, load->gfp);
		u64 start = ticks();

		barrier_data(p);
		a->free(p);
		sum += ticks() - start;
	}
	return sum;
}

/**
 * struct call - a call and its counterpart
 * @name:		of the call, without kspan_, and of what is measured
 * @peer:		name of the counterpart
 * @run:		the loop
 * @kspan:		the call
 * @slub:		the counterpart; there is none if its alloc is NULL
 * @sizes:		up to the first 0
 * @align:		of the objects of the fixture's cache
 * @weight:		n is divided by this
 * @bulk:		measured for several objects at once
 * @crowded:	a crowd keeps free pages from the end of an object
 */
struct call {
	const char *name;
	const char *peer;
	run_fn run;
	struct allocator kspan;
	struct allocator slub;
	size_t sizes[10];
	unsigned int align;
	unsigned int weight;
	bool bulk;
	bool crowded;
};

#define TINY_SIZES	{ 1, 2, 3, 5, 7, 8, 12, 15 }

static const struct call calls[] = {
	{ "malloc", "kmalloc", run_hot,
	  { kspan_alloc, kspan_give }, { slub_alloc, slub_free }, { 64, 1000 } },
	{ "malloc,constant", "kmalloc", run_hot,
	  { k_const_8, kspan_give }, { s_const_8, slub_free }, { 8 } },
	{ "malloc,constant", "kmalloc", run_hot,
	  { k_const_64, kspan_give }, { s_const_64, slub_free }, { 64 } },
	{ "malloc,constant", "kmalloc", run_hot,
	  { k_const_256, kspan_give }, { s_const_256, slub_free }, { 256 } },
	{ "malloc,constant", "kmalloc", run_hot,
	  { k_const_1000, kspan_give }, { s_const_1000, slub_free }, { 1000 } },
	{ "malloc,constant", "kmalloc", run_hot,
	  { k_const_4096, kspan_give }, { s_const_4096, slub_free }, { 4096 } },
	{ "malloc,constant", "kmalloc", run_hot,
	  { k_const_8192, kspan_give }, { s_const_8192, slub_free }, { 8192 } },
	{ "malloc,constant", "kmem_cache_alloc", run_hot,
	  { k_const_8, kspan_give }, { s_cache, s_cache_free }, { 8 } },
	{ "malloc,constant", "kmem_cache_alloc", run_hot,
	  { k_const_64, kspan_give }, { s_cache, s_cache_free }, { 64 } },
	{ "malloc,constant", "kmem_cache_alloc", run_hot,
	  { k_const_256, kspan_give }, { s_cache, s_cache_free }, { 256 } },
	{ "malloc,constant", "kmem_cache_alloc", run_hot,
	  { k_const_1000, kspan_give }, { s_cache, s_cache_free }, { 1000 } },
	{ "malloc,constant", "kmem_cache_alloc", run_hot,
	  { k_const_4096, kspan_give }, { s_cache, s_cache_free }, { 4096 } },
	{ "malloc,constant", "kmem_cache_alloc", run_hot,
	  { k_const_8192, kspan_give }, { s_cache, s_cache_free }, { 8192 } },
	{ "malloc,fifo", "kmem_cache_alloc", run_batch,
	  { kspan_alloc, kspan_give }, { s_cache, s_cache_free }, { 64, 256, 1000, 4096 } },
	{ "zalloc", "kzalloc", run_hot,
	  { k_zalloc, kspan_give }, { s_zalloc, slub_free }, { 64, 1000 } },
	{ "malloc_node", "kmalloc_node", run_hot,
	  { k_node, kspan_give }, { s_node, slub_free }, { 64, 1000 } },
	{ "malloc_array", "kmalloc_array", run_hot,
	  { k_array, kspan_give }, { s_array, slub_free }, { 64, 1000 } },
	{ "calloc", "kcalloc", run_hot,
	  { k_calloc, kspan_give }, { s_calloc, slub_free }, { 64, 1000 } },
	{ "malloc_aligned", "kmem_cache,align=64", run_hot,
	  { k_aligned, kspan_give }, { s_cache, s_cache_free }, { 100 }, .align = 64 },
	{ "malloc_nolock", NOLOCK_PEER, run_hot,
	  { k_nolock, kspan_give }, { s_nolock, s_nolock_free }, { 64, 1000 } },
	{ "mempool_alloc", "mempool_kmalloc", run_hot,
	  { k_mempool, k_mempool_free }, { s_mempool, s_mempool_free }, { 64, 1000 } },
	{ "free_sensitive", "kfree_sensitive", run_hot,
	  { kspan_alloc, k_sensitive }, { slub_alloc, s_sensitive }, { 64, 1000 } },
	{ "memdup", "kmemdup", run_hot,
	  { k_memdup, kspan_give }, { s_memdup, slub_free }, { 16, 64, 1000 } },
	{ "strdup", "kstrdup", run_hot,
	  { k_strdup, kspan_give }, { s_strdup, slub_free }, { 16, 64 } },
	{ "strndup", "kstrndup", run_hot,
	  { k_strndup, kspan_give }, { s_strndup, slub_free }, { 16, 64 } },
	{ "asprintf", "kasprintf", run_hot,
	  { k_asprintf, kspan_give }, { s_asprintf, slub_free }, { 16, 64 } },
	{ "realloc,in_place", "krealloc", run_hot,
	  { k_realloc, empty_free }, { s_realloc, empty_free }, { 64, 1000 } },
	{ "realloc,to_4_times", "krealloc", run_hot,
	  { k_realloc_move, kspan_give }, { s_realloc_move, slub_free }, { 64, 1000 } },
	{ "realloc,by_16_KiB", "krealloc", run_hot,
	  { k_realloc_step, kspan_give }, { s_realloc_step, slub_free },
	  { 40960, 65536 }, .weight = 100 },
	{ "realloc,by_16_KiB,crowded", "krealloc", run_hot,
	  { k_realloc_step, kspan_give }, { s_realloc_step, slub_free },
	  { 40960, 65536 }, .weight = 100, .crowded = true },
	{ "realloc,to_2_times", "krealloc", run_hot,
	  { k_realloc_double, kspan_give }, { s_realloc_double, slub_free },
	  { 65536, 262144 }, .weight = 100 },
	{ "realloc,to_2_times,crowded", "krealloc", run_hot,
	  { k_realloc_double, kspan_give }, { s_realloc_double, slub_free },
	  { 65536, 262144 }, .weight = 100, .crowded = true },
	{ "size", "ksize", run_hot,
	  { k_size, empty_free }, { s_size, empty_free }, { 64, 1000, 65536 } },
	{ "owns", "-", run_hot,
	  { k_owns, empty_free }, { }, { 64, 1000, 65536 } },
	{ "alloc_bulk+free_bulk", "kmem_cache_bulk", run_hot,
	  { k_bulk, k_bulk_free }, { s_bulk, s_bulk_free }, { 64, 1000 }, .bulk = true },
	{ "free_bulk", "kfree_bulk", run_free,
	  { k_singly, k_bulk_free }, { s_singly, s_kfree_bulk }, { 64, 1000 }, .bulk = true },
	{ "tiny_alloc", "kmalloc", run_hot,
	  { k_tiny, kspan_give }, { slub_alloc, slub_free }, TINY_SIZES },
	{ "tiny_alloc,fifo", "kmalloc", run_batch,
	  { k_tiny, kspan_give }, { slub_alloc, slub_free }, TINY_SIZES },
};

/* The next objects get the gaps, which fit them exactly. */
static void make_crowd(size_t size)
{
	unsigned int i;

	for (i = 0; i < CROWD; i++)
		fixture.crowd[i] = kspan_malloc(size, GFP_KERNEL);
	for (i = 0; i < CROWD; i += 2) {
		kspan_free(fixture.crowd[i]);
		fixture.crowd[i] = NULL;
	}
}

static void tear_down(void)
{
	kspan_free_bulk(CROWD, fixture.crowd);
	memset(fixture.crowd, 0, sizeof(fixture.crowd));
	mempool_destroy(fixture.our_pool);
	mempool_destroy(fixture.their_pool);
	kmem_cache_destroy(fixture.cache);
	kspan_free(fixture.ours);
	kfree(fixture.theirs);
}

static bool set_up(const struct call *call, size_t size, unsigned int batch)
{
	size_t len = min_t(size_t, size, MAX_TEXT);

	memset(fixture.text, 'x', len);
	fixture.text[len - 1] = '\0';
	fixture.batch = batch;
	if (call->crowded)
		make_crowd(size);
	fixture.ours = kspan_malloc(size, GFP_KERNEL);
	fixture.theirs = kmalloc(size, GFP_KERNEL);
	fixture.cache = kmem_cache_create("kspan_bench", size, call->align, 0, NULL);
	fixture.our_pool = mempool_create(1, kspan_mempool_alloc, kspan_mempool_free,
					  (void *)size);
	fixture.their_pool = mempool_create_kmalloc_pool(1, size);
	if (fixture.ours && fixture.theirs && fixture.cache && fixture.our_pool &&
	    fixture.their_pool)
		return true;
	pr_err("no memory for call=%s size=%zu\n", call->name, size);
	tear_down();
	return false;
}

void show_call(const char *name, const char *peer, size_t size, unsigned int batch,
	       u64 ours, u64 theirs)
{
	pr_info("call=%s peer=%s size=%zu batch=%u kspan=%s slub=%s ratio=%s\n", name, peer,
		size, batch, number_of(ours).text, number_of(theirs).text,
		ratio_of(ours, theirs).text);
}

static void compare_call(const struct call *call, size_t size, unsigned int batch)
{
	static const struct pattern fifo = { "fifo", run_batch };
	unsigned int n = nr_counts ? counts[0] : LOOPS;
	struct load load = { .size = size, .gfp = GFP_KERNEL, .batch = n, .loops = n };
	unsigned int nr_objects = n;
	u64 none, theirs, ours;

	if (!set_up(call, size, batch))
		return;
	if (call->run == run_batch) {
		load.order = make_order(&fifo, n);
	} else {
		load.loops = max(1U, n / max(batch, call->weight));
		nr_objects = load.loops * batch;
	}
	none = fastest(call->run, &empty, &load);
	theirs = call->slub.alloc ? per_object(fastest(call->run, &call->slub, &load),
					       none, nr_objects) : U64_MAX;
	ours = per_object(fastest(call->run, &call->kspan, &load), none, nr_objects);
	tear_down();
	show_call(call->name, call->peer, size, batch, ours, theirs);
}

int run_calls(void)
{
	static const unsigned int batches[] = { 1, 8, 16, 64, MAX_BATCH };
	const struct call *call;
	const size_t *size;
	unsigned int i;

	for (call = calls; call < calls + ARRAY_SIZE(calls); call++)
		for (size = call->sizes; *size; size++)
			for (i = 0; i < (call->bulk ? ARRAY_SIZE(batches) : 1); i++)
				compare_call(call, *size, batches[i]);
	run_rcu_calls();
	return 0;
}
