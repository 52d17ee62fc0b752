/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pools of objects that stay as they were put, and pools of a fixed number of blocks
 *
 * Both are described in Documentation/api.rst.
 */
#ifndef _LINUX_KSPAN_POOL_H
#define _LINUX_KSPAN_POOL_H

#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/types.h>

struct kspan_pool;
struct module;

/**
 * struct kspan_pool_ops - the objects of a pool
 * @name:	shown in debugfs, as the name of a heap is
 * @size:	of an object, used where @new is NULL: it is one of kspan_zalloc() then
 * @new:	makes an object
 * @reset:	called for each object that is put; may be NULL
 * @destroy:	undoes @new; NULL stands for kspan_free()
 * @cap:	objects that a CPU keeps per generation, and as many for all CPUs together,
 *		1...1024; 0 is 32
 *
 * @new is called in the context of a get, @reset and @destroy in that of a put, so
 * these two must not sleep. @destroy is also called when memory is scarce, with no
 * lock held that could be taken elsewhere. None is called any more when the module that has
 * it was unloaded.
 */
struct kspan_pool_ops {
	const char *name;
	size_t size;
	void *(*new)(gfp_t gfp);
	void (*reset)(void *object);
	void (*destroy)(void *object);
	unsigned int cap;
};

struct kspan_pool *__kspan_pool_create(const struct kspan_pool_ops *ops, gfp_t gfp,
				       struct module *owner) __must_check;
void *kspan_pool_get(struct kspan_pool *pool) __must_check;
void *kspan_pool_get_gfp(struct kspan_pool *pool, gfp_t gfp) __must_check;
void kspan_pool_put(struct kspan_pool *pool, void *object);
void kspan_pool_destroy(struct kspan_pool *pool);

/**
 * kspan_pool_create() - make a pool of objects
 * @ops:	what they are; copied
 * @gfp:	what kspan_pool_get() makes new ones with
 *
 * Context: task; sleeps.
 * Return: an empty pool; NULL without memory, or for @ops that say nothing of objects
 * or want more of them than a CPU can keep.
 */
static inline struct kspan_pool *__must_check
kspan_pool_create(const struct kspan_pool_ops *ops, gfp_t gfp)
{
	return __kspan_pool_create(ops, gfp, THIS_MODULE);
}

struct kspan_fixed_pool;

struct kspan_fixed_pool *__kspan_fixed_pool_create(size_t size, size_t align, unsigned int count,
						   gfp_t gfp, struct module *owner) __must_check;
struct kspan_fixed_pool *__kspan_fixed_pool_create_over(void *buffer, size_t bytes, size_t size,
							size_t align, gfp_t gfp,
							struct module *owner) __must_check;
void *kspan_fixed_pool_alloc(struct kspan_fixed_pool *pool) __must_check;
void kspan_fixed_pool_free(struct kspan_fixed_pool *pool, void *block);
void kspan_fixed_pool_free_all(struct kspan_fixed_pool *pool);
unsigned int kspan_fixed_pool_available(struct kspan_fixed_pool *pool);
void kspan_fixed_pool_destroy(struct kspan_fixed_pool *pool);

/**
 * kspan_fixed_pool_create() - make a pool of blocks, with all memory for them
 * @size:	bytes of a block, up to kspan_malloc()'s limit
 * @align:	of each block, a power of two; 0 is 8
 * @count:	blocks, not 0
 * @gfp:	as for kspan_malloc(); zone flags are refused
 *
 * Memory comes in chunks of at most 4 MiB, or less where there is none so long.
 *
 * Context: task and softirq; sleeps if @gfp allows it.
 * Return: the pool; NULL without memory for all of it, or if there can be no such
 * blocks.
 */
static inline struct kspan_fixed_pool *__must_check
kspan_fixed_pool_create(size_t size, size_t align, unsigned int count, gfp_t gfp)
{
	return __kspan_fixed_pool_create(size, align, count, gfp, THIS_MODULE);
}

/**
 * kspan_fixed_pool_create_over() - make a pool of blocks in memory of the caller's
 * @buffer:	the memory, which stays his
 * @bytes:	of it; what is beyond 4 GiB is not used
 * @size:	bytes of a block, up to kspan_malloc()'s limit
 * @align:	of each block, a power of two; 0 is 8
 * @gfp:	for the bitmap
 *
 * Context: task and softirq; sleeps if @gfp allows it.
 * Return: a pool of as many blocks as there is room for; NULL without memory for
 * the bitmap, or if there is no room for a block.
 */
static inline struct kspan_fixed_pool *__must_check
kspan_fixed_pool_create_over(void *buffer, size_t bytes, size_t size, size_t align, gfp_t gfp)
{
	return __kspan_fixed_pool_create_over(buffer, bytes, size, align, gfp, THIS_MODULE);
}

#endif /* _LINUX_KSPAN_POOL_H */
