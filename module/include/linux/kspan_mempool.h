/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mempools whose elements are kspan's
 *
 * A module that calls the functions that make one has <linux/mempool.h> and the kernel's
 * mempools; kspan itself has no more of them than two pairs of functions.
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
 * kspan_mempool_create_malloc_pool() - as mempool_create_kmalloc_pool()
 * @min_nr:	elements that are set aside
 * @size:	bytes of an element
 *
 * Context: task; sleeps.
 * Return: the mempool or NULL.
 */
static inline __must_check mempool_t *kspan_mempool_create_malloc_pool(int min_nr, size_t size)
{
	return mempool_create(min_nr, kspan_mempool_alloc, kspan_mempool_free, (void *)size);
}

/** kspan_mempool_init_malloc_pool() - the same, as mempool_init_kmalloc_pool() */
static inline __must_check int kspan_mempool_init_malloc_pool(mempool_t *pool, int min_nr,
							      size_t size)
{
	return mempool_init(pool, min_nr, kspan_mempool_alloc, kspan_mempool_free, (void *)size);
}

/**
 * kspan_mempool_create_cache_pool() - as mempool_create_slab_pool()
 * @min_nr:	elements that are set aside
 * @cache:	they are its objects; it is destroyed after the mempool
 *
 * Context: task; sleeps.
 * Return: the mempool or NULL.
 */
static inline __must_check
mempool_t *kspan_mempool_create_cache_pool(int min_nr, struct kspan_cache *cache)
{
	return mempool_create(min_nr, kspan_mempool_alloc_cache, kspan_mempool_free_cache, cache);
}

/** kspan_mempool_init_cache_pool() - the same, as mempool_init_slab_pool() */
static inline __must_check int kspan_mempool_init_cache_pool(mempool_t *pool, int min_nr,
							     struct kspan_cache *cache)
{
	return mempool_init(pool, min_nr, kspan_mempool_alloc_cache, kspan_mempool_free_cache,
			    cache);
}

#endif /* _LINUX_KSPAN_MEMPOOL_H */
