/* SPDX-License-Identifier: GPL-2.0 */
/* Typed caches: objects of one size, each in a slot of just that. */
#ifndef _LINUX_KSPAN_CACHE_H
#define _LINUX_KSPAN_CACHE_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/types.h>

struct kspan_cache;
struct module;

/* Aligned to a cache line, or what part of one an object fits into. */
#define KSPAN_HWCACHE_ALIGN	((__force unsigned int)SLAB_HWCACHE_ALIGN)
/* The memory of a freed object stays an object of the cache for a grace period. */
#define KSPAN_TYPESAFE_BY_RCU	((__force unsigned int)SLAB_TYPESAFE_BY_RCU)

/*
 * SLAB_HWCACHE_ALIGN and SLAB_TYPESAFE_BY_RCU are the same. SLAB_PANIC panics, too.
 * SLAB_ACCOUNT, SLAB_RECLAIM_ACCOUNT and SLAB_NO_MERGE are accepted, and mean nothing here:
 * nothing is charged, nothing merged. All others are refused.
 */
struct kspan_cache *__kspan_cache_create(const char *name, unsigned int size, unsigned int align,
					 unsigned long flags, void (*ctor)(void *object),
					 struct module *owner) __must_check;
/* A macro, as flags of SLUB's have a type of their own. */
#define kspan_cache_create(name, size, align, flags, ctor)			\
	kspan_cache_create_for(name, size, align, (__force unsigned long)(flags), ctor)
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
size_t kspan_cache_shrink(struct kspan_cache *cache);
int kspan_cache_destroy(struct kspan_cache *cache);

#endif /* _LINUX_KSPAN_CACHE_H */
