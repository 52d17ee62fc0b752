/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's mempools with elements of kspan
 *
 * The functions that make a mempool are inline and call the kernel's mempool_create() and
 * mempool_init() from the caller's module. kspan itself has only the functions that the mempool
 * calls.
 */
#ifndef _LINUX_KSPAN_MEMPOOL_H
#define _LINUX_KSPAN_MEMPOOL_H

#include <linux/gfp.h>
#include <linux/mempool.h>

struct kspan_cache;

void *kspan_mempool_alloc(gfp_t gfp, void *size);
void kspan_mempool_free(void *element, void *size);
void *kspan_mempool_alloc_cache(gfp_t gfp, void *cache);
void kspan_mempool_free_cache(void *element, void *cache);

/**
 * kspan_mempool_create_malloc_pool() - make a mempool of elements of kspan_malloc()
 * @min_nr:	number of elements that are set aside
 * @size:	bytes of one element
 *
 * Like mempool_create_kmalloc_pool().
 *
 * Context: task; sleeps.
 * Return: the mempool, to be ended by mempool_destroy(); NULL if there is no memory.
 */
static inline __must_check mempool_t *kspan_mempool_create_malloc_pool(int min_nr, size_t size)
{
	return mempool_create(min_nr, kspan_mempool_alloc, kspan_mempool_free, (void *)size);
}

/**
 * kspan_mempool_init_malloc_pool() - initialise a mempool of elements of kspan_malloc()
 * @pool:	the mempool, memory of the caller's
 * @min_nr:	number of elements that are set aside
 * @size:	bytes of one element
 *
 * Like mempool_init_kmalloc_pool().
 *
 * Context: task; sleeps.
 * Return: 0, and the mempool is to be ended by mempool_exit(); -ENOMEM.
 */
static inline __must_check int kspan_mempool_init_malloc_pool(mempool_t *pool, int min_nr,
							      size_t size)
{
	return mempool_init(pool, min_nr, kspan_mempool_alloc, kspan_mempool_free, (void *)size);
}

/**
 * kspan_mempool_create_cache_pool() - make a mempool of objects of a typed cache
 * @min_nr:	number of elements that are set aside
 * @cache:	the cache; the caller destroys it after the mempool; not NULL
 *
 * Like mempool_create_slab_pool().
 *
 * Context: task; sleeps.
 * Return: the mempool, to be ended by mempool_destroy(); NULL if there is no memory.
 */
static inline __must_check
mempool_t *kspan_mempool_create_cache_pool(int min_nr, struct kspan_cache *cache)
{
	return mempool_create(min_nr, kspan_mempool_alloc_cache, kspan_mempool_free_cache, cache);
}

/**
 * kspan_mempool_init_cache_pool() - initialise a mempool of objects of a typed cache
 * @pool:	the mempool, memory of the caller's
 * @min_nr:	number of elements that are set aside
 * @cache:	the cache; the caller destroys it after the mempool; not NULL
 *
 * Like mempool_init_slab_pool().
 *
 * Context: task; sleeps.
 * Return: 0, and the mempool is to be ended by mempool_exit(); -ENOMEM.
 */
static inline __must_check int kspan_mempool_init_cache_pool(mempool_t *pool, int min_nr,
							     struct kspan_cache *cache)
{
	return mempool_init(pool, min_nr, kspan_mempool_alloc_cache, kspan_mempool_free_cache,
			    cache);
}

#endif /* _LINUX_KSPAN_MEMPOOL_H */
