// SPDX-License-Identifier: GPL-2.0
/*
 * what=pool: pools beside a new object each time.
 *
 *	pool_lists	an object pool: get and put, beside allocating, initialising
 *			and freeing an object: half of it are list heads, and a lock
 *	pool_memset	the same, and the other half is zeroed
 *	fixed_pool	a fixed pool: alloc and free
 *
 * The patterns are hot and, with n above 1, fifo. The column slub has the peer, even if that is
 * kspan_malloc(). A memset may count as an instruction for each byte or word.
 */
#include "bench.h"

#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#define BATCH	16

struct thing {
	spinlock_t lock;	/* never taken */
	unsigned int users;
	struct list_head lists[];
};

static struct fixture {
	struct kspan_pool *pool;
	struct kspan_fixed_pool *fixed;
	mempool_t *mempool;
	size_t size;
	bool zeroing;
} fixture;

static void *initialised(void *p)
{
	struct thing *thing = p;
	unsigned int i, n = (fixture.size / 2 - sizeof(*thing)) / sizeof(struct list_head);

	if (!p)
		return NULL;
	spin_lock_init(&thing->lock);
	thing->users = 1;
	for (i = 0; i < n; i++)
		INIT_LIST_HEAD(&thing->lists[i]);
	if (fixture.zeroing)
		memset(p + fixture.size / 2, 0, fixture.size / 2);
	return p;
}

static void *new_thing(gfp_t gfp)
{
	return initialised(kspan_malloc(fixture.size, gfp));
}

ALLOC(pool_alloc) { return kspan_pool_get(fixture.pool); }
FREE(pool_free) { kspan_pool_put(fixture.pool, (void *)p); }
ALLOC(kspan_init_alloc) { return initialised(kspan_malloc(size, gfp)); }
FREE(kspan_init_free) { kspan_free(p); }
ALLOC(slub_init_alloc) { return initialised(kmalloc(size, gfp)); }
FREE(slub_init_free) { kfree(p); }
ALLOC(fixed_alloc) { return kspan_fixed_pool_alloc(fixture.fixed); }
FREE(fixed_free) { kspan_fixed_pool_free(fixture.fixed, (void *)p); }
ALLOC(mempool_get) { return mempool_alloc(fixture.mempool, gfp); }
FREE(mempool_put) { mempool_free((void *)p, fixture.mempool); }

static const struct allocator object_pool = { pool_alloc, pool_free };
static const struct allocator kspan_init = { kspan_init_alloc, kspan_init_free };
static const struct allocator slub_init = { slub_init_alloc, slub_init_free };
static const struct allocator fixed_pool = { fixed_alloc, fixed_free };
static const struct allocator mempool = { mempool_get, mempool_put };

static const struct pattern hot = { "hot", run_hot };
static const struct pattern fifo = { "fifo", run_batch };

static void show(const char *name, const char *peer, const struct load *load, u64 ours,
		 u64 theirs)
{
	pr_info("pattern=%s size=%zu n=%u kspan=%s slub=%s ratio=%s peer=%s\n", name, load->size,
		load->batch, number_of(ours).text, number_of(theirs).text,
		ratio_of(ours, theirs).text, peer);
}

static u64 cost_of(const struct allocator *a, const struct load *load)
{
	run_fn run = load->batch > 1 ? run_batch : run_hot;

	return per_object(fastest(run, a, load), fastest(run, &empty, load), load->loops);
}

static void compare_objects(const struct pattern *pattern, const struct load *load)
{
	const char *name = fixture.zeroing ? "pool_memset" : "pool_lists";
	u64 ours = cost_of(&object_pool, load);

	show(name, "kmalloc+init", load, ours, cost_of(&slub_init, load));
	show(name, "kspan_malloc+init", load, ours, cost_of(&kspan_init, load));
}

static void compare_blocks(const struct pattern *pattern, const struct load *load)
{
	u64 ours = cost_of(&fixed_pool, load);

	show("fixed_pool", "kmalloc", load, ours, cost_of(&slub, load));
	show("fixed_pool", "mempool", load, ours, cost_of(&mempool, load));
	show("fixed_pool", "kspan_malloc", load, ours, cost_of(&kspan, load));
}

static void tear_down(void)
{
	kspan_pool_destroy(fixture.pool);
	kspan_fixed_pool_destroy(fixture.fixed);
	mempool_destroy(fixture.mempool);
}

static bool set_up(size_t size, bool zeroing)
{
	static const struct kspan_pool_ops ops = { .name = "bench", .new = new_thing };

	fixture.size = size;
	fixture.zeroing = zeroing;
	fixture.pool = kspan_pool_create(&ops, GFP_KERNEL);
	fixture.fixed = kspan_fixed_pool_create(size, 0, 256, GFP_KERNEL);
	fixture.mempool = mempool_create_kmalloc_pool(256, size);
	if (fixture.pool && fixture.fixed && fixture.mempool)
		return true;
	pr_err("no memory for pools of size=%zu\n", size);
	tear_down();
	return false;
}

static void run_both(measure_fn fn, unsigned int size)
{
	measure(fn, &hot, size, 1);
	measure(fn, &fifo, size, BATCH);
}

int run_pool(void)
{
	static const unsigned int usual[] = { 256, 1024 };
	const unsigned int *size = nr_sizes ? sizes : usual;
	unsigned int i, zeroing, to_size = nr_sizes ?: ARRAY_SIZE(usual);

	for (i = 0; i < to_size; i++)
		for (zeroing = 0; zeroing < 2; zeroing++) {
			/* Half of the object has a lock and a list. */
			if (size[i] < 4 * sizeof(struct thing) || !set_up(size[i], zeroing))
				continue;
			run_both(compare_objects, size[i]);
			if (!zeroing)
				run_both(compare_blocks, size[i]);
			tear_down();
		}
	return 0;
}
