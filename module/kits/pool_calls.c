// SPDX-License-Identifier: GPL-2.0
/*
 * Pools: calls of the user's functions
 *
 * The user's functions belong to a module. If the module goes and leaves its pool behind, they are
 * not called any more: kspan_pools_forget() kills kspan_pool.calls, and each call takes a reference
 * of it first. Objects in the pool can still be got then, but none is made, cleaned or destroyed.
 * So objects leak for which the pool has no room.
 *
 * Context: as the user's functions.
 */
#include <linux/kspan.h>
#include <linux/percpu-refcount.h>

#include "kits/pool.h"

/* The destroy() of pools whose user gave none. */
void kspan_pool_default_destroy(void *object)
{
	kspan_free(object);
}

/**
 * kspan_pool_is_stuck() - tell whether objects of a pool can't be destroyed any more
 * @pool: pool in the list of all pools
 *
 * Context: any.
 * Return: whether the pool has a destroy() of its own that must not be called any more.
 */
bool kspan_pool_is_stuck(const struct kspan_pool *pool)
{
	return unlikely(percpu_ref_is_dying((struct percpu_ref *)&pool->calls)) &&
	       pool->ops.destroy != kspan_pool_default_destroy;
}

/**
 * kspan_pool_destroy_objects() - destroy objects
 * @pool:	pool that had them
 * @objects:	objects that nobody can reach any more
 * @n:		how many; 0 does nothing
 *
 * If the module with the pool's destroy() has gone, the objects leak.
 *
 * Context: as the pool's destroy().
 */
void kspan_pool_destroy_objects(struct kspan_pool *pool, void **objects, unsigned int n)
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

/**
 * kspan_pool_make() - make an object, as the pool has none
 * @pool:	pool that counts the miss
 * @gfp:	flags for the new object
 *
 * Context: as the pool's new() with @gfp; without a new(), as kspan_zalloc().
 * Return: the object or NULL.
 */
void *kspan_pool_make(struct kspan_pool *pool, gfp_t gfp)
{
	void *object;

	kspan_pool_count_events(pool, KSPAN_POOL_MISS, 1);
	object = pool->ops.new ? call_new(pool, gfp) : kspan_zalloc(pool->ops.size, gfp);
	if (!object)
		kspan_pool_count_events(pool, KSPAN_POOL_FAIL, 1);
	return object;
}

/**
 * kspan_pool_is_called() - tell whether a function of a module that goes is still running
 * @pool: pool whose functions are not called any more, or any other
 *
 * Context: any.
 * Return: whether a call is under way that began before the functions were forgotten.
 */
bool kspan_pool_is_called(struct kspan_pool *pool)
{
	return percpu_ref_is_dying(&pool->calls) && !percpu_ref_is_zero(&pool->calls);
}
