// SPDX-License-Identifier: GPL-2.0
/*
 * Pools: calls of the user's functions
 *
 * The functions of the user are of a module, and are not called any more when it goes.
 */
#include <linux/kspan.h>
#include <linux/percpu-refcount.h>

#include "kits/pool.h"

void kspan_pool_default_destroy(void *object)
{
	kspan_free(object);
}

/* Whoever of the user's is to destroy objects is gone. */
bool kspan_pool_is_stuck(const struct kspan_pool *pool)
{
	return unlikely(percpu_ref_is_dying((struct percpu_ref *)&pool->calls)) &&
	       pool->ops.destroy != kspan_pool_default_destroy;
}

void kspan_pool_drop_objects(struct kspan_pool *pool, void **objects, unsigned int n)
{
	unsigned int i;
	bool called;

	if (!n)
		return;
	called = percpu_ref_tryget_live(&pool->calls);
	if (called || pool->ops.destroy == kspan_pool_default_destroy)
		for (i = 0; i < n; i++)
			pool->ops.destroy(objects[i]);
	if (called)
		percpu_ref_put(&pool->calls);
	kspan_pool_count_events(pool, KSPAN_POOL_DROP, n);
}

static void *call_new(struct kspan_pool *pool, gfp_t gfp)
{
	void *object;

	if (!percpu_ref_tryget_live(&pool->calls))
		return NULL;
	object = pool->ops.new(gfp);
	percpu_ref_put(&pool->calls);
	return object;
}

void *kspan_pool_make(struct kspan_pool *pool, gfp_t gfp)
{
	void *object;

	kspan_pool_count_events(pool, KSPAN_POOL_MISS, 1);
	object = pool->ops.new ? call_new(pool, gfp) : kspan_zalloc(pool->ops.size, gfp);
	if (!object)
		kspan_pool_count_events(pool, KSPAN_POOL_FAIL, 1);
	return object;
}

bool kspan_pool_is_called(struct kspan_pool *pool)
{
	return percpu_ref_is_dying(&pool->calls) && !percpu_ref_is_zero(&pool->calls);
}
