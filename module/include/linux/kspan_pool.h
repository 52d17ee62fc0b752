/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pools of prepared objects, and pools of a fixed number of blocks
 *
 * A struct kspan_pool keeps objects that were used and put back, prepared as they are, for the
 * next user, as long as there is memory. A struct kspan_fixed_pool has all its memory from the
 * beginning: an allocation fails only when all blocks are in use. Documentation/api.rst
 * describes both.
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
 * struct kspan_pool_ops - how the objects of a pool are made and undone
 * @name:	shown in debugfs; copied as the name of a heap is
 * @size:	bytes of an object, if @new is NULL: an object is then one of kspan_zalloc()
 * @new:	makes an object, or returns NULL; @gfp is that of the get. NULL for
 *		kspan_zalloc().
 * @reset:	called for each object that is put back; NULL for nothing
 * @destroy:	undoes @new; NULL for kspan_free()
 * @cap:	most objects that a CPU keeps per generation, and as many again that all CPUs
 *		share; 1...1024; 0 for 32
 *
 * @new runs in the context of kspan_pool_get(). @reset and @destroy run in the context of
 * kspan_pool_put(), so they must not sleep. @destroy is also called when memory is scarce; then
 * no lock is held that the pool's users could take. None of them is called any more once the
 * module that contains it was unloaded.
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
 * kspan_pool_create() - make a pool of prepared objects
 * @ops:	how objects are made and undone; copied; not NULL
 * @gfp:	gfp flags with which kspan_pool_get() makes new objects
 *
 * The pool belongs to the calling module. A pool that the module leaves behind is reported when
 * the module is unloaded.
 *
 * Context: task; sleeps.
 * Return: an empty pool, to be ended by kspan_pool_destroy(); NULL if there is no memory, if
 * @ops has neither @new nor @size, or if its @cap is too large.
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
 * kspan_fixed_pool_create() - make a pool of blocks, with memory for all of them
 * @size:	bytes of a block, 1 up to kmalloc's limit
 * @align:	alignment of a block in bytes, a power of two; 0 for 8
 * @count:	number of blocks, not 0
 * @gfp:	as for kspan_malloc(); zone flags are refused
 *
 * The memory comes in chunks of at most 4 MiB, and in smaller ones where there are none as
 * long.
 *
 * Context: task and softirq; sleeps if @gfp allows it.
 * Return: the pool, to be ended by kspan_fixed_pool_destroy(); NULL if there is not enough
 * memory for all blocks, or for a wrong argument.
 */
static inline struct kspan_fixed_pool *__must_check
kspan_fixed_pool_create(size_t size, size_t align, unsigned int count, gfp_t gfp)
{
	return __kspan_fixed_pool_create(size, align, count, gfp, THIS_MODULE);
}

/**
 * kspan_fixed_pool_create_over() - make a pool of blocks in memory of the caller
 * @buffer:	the memory; it stays the caller's, who keeps it until the pool is destroyed
 * @bytes:	length of @buffer; what is beyond 4 GiB is not used
 * @size:	bytes of a block, 1 up to kmalloc's limit
 * @align:	alignment of a block in bytes, a power of two; 0 for 8
 * @gfp:	as for kspan_malloc(), for the pool's own data
 *
 * Context: task and softirq; sleeps if @gfp allows it.
 * Return: a pool of as many blocks as @buffer has room for, to be ended by
 * kspan_fixed_pool_destroy(); NULL if there is no room for a block or no memory, or for a wrong
 * argument.
 */
static inline struct kspan_fixed_pool *__must_check
kspan_fixed_pool_create_over(void *buffer, size_t bytes, size_t size, size_t align, gfp_t gfp)
{
	return __kspan_fixed_pool_create_over(buffer, bytes, size, align, gfp, THIS_MODULE);
}

#endif /* _LINUX_KSPAN_POOL_H */
