/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kspan: a general-purpose heap for kernel modules
 *
 * kspan_malloc() stands where kmalloc() stood; see Documentation/api.rst.
 * Pointers from here go back by kspan_free() and its kin only: kfree() of one,
 * also by way of kfree_rcu() or an skb, frees nothing. The object leaks, and kspan
 * tells of it when its pages go back.
 *
 * Unless a function says otherwise it may be called from task, softirq and
 * hardirq context, where gfp flags say what an allocation may do. A size is in
 * bytes. Memory is aligned to the largest power of two that divides the
 * requested size, at least to 8, as kmalloc's of Linux 6.12 is.
 */
#ifndef _LINUX_KSPAN_H
#define _LINUX_KSPAN_H

#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/stdarg.h>
#include <linux/types.h>
#ifdef __has_include
#if __has_include("linux/cleanup.h")
#include <linux/cleanup.h>
#endif
#endif

#include <linux/kspan_region.h>
#include <linux/kspan_size_class.h>
#include <linux/kspan_pool.h>

struct kspan_heap;
struct module;
struct rcu_head;

void kspan_free(const void *p);
void kspan_free_sensitive(const void *p);
void kspan_free_bulk(unsigned int n, void **p);

void *kspan_malloc(size_t size, gfp_t gfp) __alloc_size(1);
void *kspan_zalloc(size_t size, gfp_t gfp) __alloc_size(1);
void *kspan_malloc_node(size_t size, gfp_t gfp, int node) __alloc_size(1);
void *kspan_malloc_array(size_t n, size_t size, gfp_t gfp) __alloc_size(1, 2);
void *kspan_calloc(size_t n, size_t size, gfp_t gfp) __alloc_size(1, 2);
void *kspan_malloc_aligned(size_t size, size_t align, gfp_t gfp) __alloc_size(1);
void *kspan_tiny_alloc(size_t size, gfp_t gfp) __alloc_size(1);
/* Not __alloc_size(): the object may be @p still. */
void *kspan_realloc(const void *p, size_t size, gfp_t gfp) __realloc_size(2);
void *kspan_realloc_array(const void *p, size_t n, size_t size, gfp_t gfp) __realloc_size(2, 3);

unsigned int kspan_alloc_bulk(size_t size, gfp_t gfp, unsigned int n, void **p);

void *kspan_malloc_nolock(size_t size) __alloc_size(1);
int kspan_prefill(size_t size, unsigned int n, gfp_t gfp);

size_t kspan_size(const void *p);
size_t kspan_size_roundup(size_t size);
bool kspan_owns(const void *p);

void *kspan_memdup(const void *src, size_t len, gfp_t gfp) __alloc_size(2);
char *kspan_strdup(const char *s, gfp_t gfp);
char *kspan_strndup(const char *s, size_t max, gfp_t gfp);
char *kspan_tiny_strdup(const char *s, gfp_t gfp);
char *kspan_asprintf(gfp_t gfp, const char *fmt, ...) __printf(2, 3);
char *kspan_vasprintf(gfp_t gfp, const char *fmt, va_list args) __printf(2, 0);

/**
 * kspan_free_rcu() - free an object after a grace period
 * @p:			pointer to the object, or NULL; evaluated once
 * @rcu_head_field:	name of the struct rcu_head in *@p
 *
 * Returns at once. Objects are collected per CPU and freed in batches.
 *
 * Context: task, softirq and hardirq.
 */
#define kspan_free_rcu(p, rcu_head_field)					\
do {										\
	typeof(p) __kspan_p = (p);						\
										\
	if (__kspan_p)								\
		kspan_call_free_rcu(&__kspan_p->rcu_head_field, __kspan_p);	\
} while (0)

void kspan_call_free_rcu(struct rcu_head *head, void *p);
void kspan_free_rcu_mightsleep(const void *p);
void kspan_barrier(void);

/**
 * struct kspan_memory - what kspan takes from the system, in bytes
 * @arenas:	blocks of the page allocator; @arenas = @spans + free pages
 * @spans:	pages of spans that have objects, or keep room for them
 * @live:	slots and pages of objects that are in use
 * @cached:	objects that CPUs and depots keep for the next requests
 * @metadata:	all that is not arenas: descriptions of spans, bitmaps, magazines,
 *		per-CPU data, the map
 */
struct kspan_memory {
	u64 arenas;
	u64 spans;
	u64 live;
	u64 cached;
	u64 metadata;
};

void kspan_memory_read(struct kspan_memory *memory);
unsigned long kspan_trim(void);

/*
 * Private heaps. kspan_free() and its kin take their objects as any others; a
 * kspan_realloc() of one stays in its heap. NULL is the default heap to calls that allocate,
 * and kspan_heap_trim(NULL) is kspan_trim(). The default heap is neither reset nor put under
 * pressure: NULL does nothing there, but for a warning, the first time. kspan_heap_destroy()
 * of NULL does nothing.
 */
/*
 * Note where objects are allocated; what is live in the end is told by that. Flags of caches
 * are other bits: kspan_heap_create() refuses them, and kspan_cache_create() this one.
 */
#define KSPAN_HEAP_TRACK	0x1U

struct kspan_heap *__kspan_heap_create(const char *name, size_t limit, unsigned int flags,
				       struct module *owner);
static inline struct kspan_heap *kspan_heap_create(const char *name, size_t limit,
						   unsigned int flags)
{
	return __kspan_heap_create(name, limit, flags, THIS_MODULE);
}

void kspan_heap_set_pressure(struct kspan_heap *heap,
			     void (*pressure)(struct kspan_heap *heap, size_t size, void *data),
			     void *data);
void kspan_heap_reset(struct kspan_heap *heap);
size_t kspan_heap_trim(struct kspan_heap *heap);
void kspan_heap_destroy(struct kspan_heap *heap);

void *kspan_heap_malloc(struct kspan_heap *heap, size_t size, gfp_t gfp) __alloc_size(2);
void *kspan_heap_zalloc(struct kspan_heap *heap, size_t size, gfp_t gfp) __alloc_size(2);
void *kspan_heap_malloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
	__alloc_size(2);
void *kspan_heap_malloc_array(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
	__alloc_size(2, 3);
void *kspan_heap_calloc(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
	__alloc_size(2, 3);
void *kspan_heap_malloc_aligned(struct kspan_heap *heap, size_t size, size_t align, gfp_t gfp)
	__alloc_size(2);
void *kspan_heap_tiny_alloc(struct kspan_heap *heap, size_t size, gfp_t gfp) __alloc_size(2);
void *kspan_heap_realloc(struct kspan_heap *heap, const void *p, size_t size, gfp_t gfp)
	__realloc_size(3);
unsigned int kspan_heap_alloc_bulk(struct kspan_heap *heap, size_t size, gfp_t gfp,
				   unsigned int n, void **p);
void *kspan_heap_memdup(struct kspan_heap *heap, const void *src, size_t len, gfp_t gfp)
	__alloc_size(3);
char *kspan_heap_strdup(struct kspan_heap *heap, const char *s, gfp_t gfp);
char *kspan_heap_strndup(struct kspan_heap *heap, const char *s, size_t max, gfp_t gfp);
char *kspan_heap_tiny_strdup(struct kspan_heap *heap, const char *s, gfp_t gfp);
char *kspan_heap_asprintf(struct kspan_heap *heap, gfp_t gfp, const char *fmt, ...)
	__printf(3, 4);
char *kspan_heap_vasprintf(struct kspan_heap *heap, gfp_t gfp, const char *fmt, va_list args)
	__printf(3, 0);

/* Typed caches: objects of one size, each in a slot of just that. */
struct kspan_cache;

/* Aligned to a cache line, or what part of one an object fits into. */
#define KSPAN_HWCACHE_ALIGN	0x100U
/* The memory of a freed object stays an object of the cache for a grace period. */
#define KSPAN_TYPESAFE_BY_RCU	0x200U

struct kspan_cache *__kspan_cache_create(const char *name, unsigned int size, unsigned int align,
					 unsigned long flags, void (*ctor)(void *object),
					 struct module *owner);
static inline struct kspan_cache *kspan_cache_create(const char *name, unsigned int size,
						     unsigned int align, unsigned long flags,
						     void (*ctor)(void *object))
{
	return __kspan_cache_create(name, size, align, flags, ctor, THIS_MODULE);
}

void *kspan_cache_alloc(struct kspan_cache *cache, gfp_t gfp);
void *kspan_cache_zalloc(struct kspan_cache *cache, gfp_t gfp);
void *kspan_cache_alloc_node(struct kspan_cache *cache, gfp_t gfp, int node);
void kspan_cache_free(struct kspan_cache *cache, void *object);
unsigned int kspan_cache_alloc_bulk(struct kspan_cache *cache, gfp_t gfp, unsigned int n,
				    void **objects);
void kspan_cache_free_bulk(struct kspan_cache *cache, unsigned int n, void **objects);
unsigned int kspan_cache_size(const struct kspan_cache *cache);
size_t kspan_cache_shrink(struct kspan_cache *cache);
int kspan_cache_destroy(struct kspan_cache *cache);

/* For mempool_create(n, kspan_mempool_alloc, kspan_mempool_free, (void *)size). */
void *kspan_mempool_alloc(gfp_t gfp, void *size);
void kspan_mempool_free(void *element, void *size);

#ifdef DEFINE_FREE
/* void *p __free(kspan_free) = kspan_malloc(...): freed at the end of the scope. */
DEFINE_FREE(kspan_free, void *, if (!IS_ERR_OR_NULL(_T)) kspan_free(_T))
#endif

/* log2 of the bytes that a CPU's cache has for each class. */
#define KSPAN_CLASS_SHIFT	5

void *kspan_malloc_class(unsigned long offset, gfp_t gfp, size_t size) __alloc_size(3);

static __always_inline void *__kspan_malloc_constant(size_t size, gfp_t gfp) __alloc_size(1);
static __always_inline void *__kspan_malloc_constant(size_t size, gfp_t gfp)
{
	return kspan_malloc_class((unsigned long)kspan_constant_class(size) << KSPAN_CLASS_SHIFT,
				  gfp, size);
}

/* The class of a constant size is found by the compiler. */
#define kspan_malloc(size, gfp)							\
	(__builtin_constant_p(size) && (size_t)(size) <= KSPAN_MAX_SMALL ?	\
	 __kspan_malloc_constant(size, gfp) : kspan_malloc(size, gfp))

#define kspan_zalloc(size, gfp)							\
	(__builtin_constant_p(size) && (size_t)(size) <= KSPAN_MAX_SMALL ?	\
	 __kspan_malloc_constant(size, (gfp) | __GFP_ZERO) : kspan_zalloc(size, gfp))

#endif /* _LINUX_KSPAN_H */
