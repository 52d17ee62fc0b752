/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Typed caches: objects of one size, each in a slot of just that size
 *
 * They stand for the kernel's kmem_cache: many objects of one structure, with an alignment, a
 * constructor or KSPAN_TYPESAFE_BY_RCU if need be. Caches are never merged.
 */
#ifndef _LINUX_KSPAN_CACHE_H
#define _LINUX_KSPAN_CACHE_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/types.h>

struct kspan_cache;
struct module;

/*
 * Flag of kspan_cache_create(): align objects to a cache line, or smaller ones to the part of a
 * line, by halves, into which they fit.
 */
#define KSPAN_HWCACHE_ALIGN	((__force unsigned int)SLAB_HWCACHE_ALIGN)
/*
 * Flag of kspan_cache_create(): the memory of a freed object stays an object of this cache,
 * though perhaps another one, until an RCU grace period has passed. As SLAB_TYPESAFE_BY_RCU.
 */
#define KSPAN_TYPESAFE_BY_RCU	((__force unsigned int)SLAB_TYPESAFE_BY_RCU)

struct kspan_cache *__kspan_cache_create(const char *name, unsigned int size, unsigned int align,
					 unsigned long flags, void (*ctor)(void *object),
					 struct module *owner) __must_check;
/**
 * kspan_cache_create() - make a typed cache
 * @name:	shown in debugfs and in the log; copied. Characters that are not printable
 *		ASCII, and the backslash, are copied as \\ooo.
 * @size:	bytes of an object, 1 up to kmalloc's limit
 * @align:	alignment of an object in bytes, a power of two up to kmalloc's limit; 0 for 8
 * @flags:	KSPAN_HWCACHE_ALIGN and KSPAN_TYPESAFE_BY_RCU, or SLAB_HWCACHE_ALIGN and
 *		SLAB_TYPESAFE_BY_RCU, which mean the same. SLAB_PANIC panics if the cache can't
 *		be made. SLAB_ACCOUNT, SLAB_RECLAIM_ACCOUNT and SLAB_NO_MERGE are accepted and
 *		have no effect: nothing is charged, and nothing is merged. Other flags are an
 *		error. 0 for none.
 * @ctor:	constructor; called once for each slot before the slot is handed out for the
 *		first time, in the context of that allocation; or NULL. Once its module is
 *		unloaded the cache can't grow any more.
 *
 * Like kmem_cache_create(). The cache belongs to the calling module; a cache that the module
 * leaves behind is reported when the module is unloaded.
 *
 * Context: task; sleeps.
 * Return: the cache, to be ended by kspan_cache_destroy(); NULL if there is no memory, or for a
 * wrong argument, which is logged.
 */
#define kspan_cache_create(name, size, align, flags, ctor)			\
	kspan_cache_create_for(name, size, align, (__force unsigned long)(flags), ctor)
/**
 * kspan_cache_create_for() - kspan_cache_create() with flags as a number
 * @name:	as for kspan_cache_create()
 * @size:	as for kspan_cache_create()
 * @align:	as for kspan_cache_create()
 * @flags:	as for kspan_cache_create()
 * @ctor:	as for kspan_cache_create()
 *
 * Call kspan_cache_create() instead. That is a macro, as SLUB's flags have a type of their own.
 *
 * Context: task; sleeps.
 * Return: as kspan_cache_create().
 */
static inline struct kspan_cache *__must_check
kspan_cache_create_for(const char *name, unsigned int size, unsigned int align,
		       unsigned long flags, void (*ctor)(void *object))
{
	return __kspan_cache_create(name, size, align, flags, ctor, THIS_MODULE);
}

void *kspan_cache_alloc(struct kspan_cache *cache, gfp_t gfp) __must_check;
void *kspan_cache_zalloc(struct kspan_cache *cache, gfp_t gfp) __must_check;
void *kspan_cache_alloc_node(struct kspan_cache *cache, gfp_t gfp, int node) __must_check;
void *kspan_cache_alloc_nolock(struct kspan_cache *cache) __must_check;
int kspan_cache_prefill(struct kspan_cache *cache, unsigned int n, gfp_t gfp);
void kspan_cache_free(struct kspan_cache *cache, void *object);
unsigned int kspan_cache_alloc_bulk(struct kspan_cache *cache, gfp_t gfp, unsigned int n,
				    void **objects) __must_check;
void kspan_cache_free_bulk(struct kspan_cache *cache, unsigned int n, void **objects);
unsigned int kspan_cache_size(const struct kspan_cache *cache);
size_t kspan_cache_trim(struct kspan_cache *cache);
int kspan_cache_destroy(struct kspan_cache *cache);

#endif /* _LINUX_KSPAN_CACHE_H */
