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
#include <linux/numa.h>
#include <linux/overflow.h>
#include <linux/stdarg.h>
#include <linux/types.h>
#ifdef __has_include
#if __has_include("linux/cleanup.h")
#include <linux/cleanup.h>
#endif
#endif

#include <linux/kspan_cache.h>
#include <linux/kspan_copy.h>
#include <linux/kspan_devm.h>
#include <linux/kspan_heap.h>
#include <linux/kspan_mempool.h>
#include <linux/kspan_region.h>
#include <linux/kspan_size_class.h>
#include <linux/kspan_pool.h>

struct rcu_head;

void kspan_free(const void *p);
void kspan_free_sized(const void *p, size_t size);
void kspan_free_sensitive(const void *p);
void kspan_free_bulk(unsigned int n, void **p);

void *__kspan_malloc(size_t size, gfp_t gfp) __must_check __alloc_size(1);
void *kspan_malloc_node(size_t size, gfp_t gfp, int node) __must_check __alloc_size(1);
void *kspan_malloc_array(size_t n, size_t size, gfp_t gfp) __must_check __alloc_size(1, 2);
void *kspan_calloc(size_t n, size_t size, gfp_t gfp) __must_check __alloc_size(1, 2);
void *kspan_malloc_aligned(size_t size, size_t align, gfp_t gfp) __must_check __alloc_size(1);
void *kspan_tiny_alloc(size_t size, gfp_t gfp) __must_check __alloc_size(1);
/* Not __alloc_size(): the object may be @p still. */
void *kspan_realloc(const void *p, size_t size, gfp_t gfp) __must_check __realloc_size(2);
void *kspan_realloc_array(const void *p, size_t n, size_t size, gfp_t gfp)
	__must_check __realloc_size(2, 3);

unsigned int kspan_alloc_bulk(size_t size, gfp_t gfp, unsigned int n, void **p) __must_check;

void *kspan_malloc_nolock(size_t size) __must_check __alloc_size(1);
int kspan_prefill(size_t size, unsigned int n, gfp_t gfp);

size_t kspan_size(const void *p);
size_t kspan_size_roundup(size_t size);
bool kspan_owns(const void *p);

void *kspan_memdup(const void *src, size_t len, gfp_t gfp) __must_check __alloc_size(2);
char *kspan_strdup(const char *s, gfp_t gfp) __must_check;
char *kspan_strndup(const char *s, size_t max, gfp_t gfp) __must_check;
char *kspan_tiny_strdup(const char *s, gfp_t gfp) __must_check;
char *kspan_asprintf(gfp_t gfp, const char *fmt, ...) __must_check __printf(2, 3);
char *kspan_vasprintf(gfp_t gfp, const char *fmt, va_list args) __must_check __printf(2, 0);

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
 * @vmalloc:	objects of kspan_kvmalloc() that vmalloc() serves; neither @arenas nor
 *		@live
 */
struct kspan_memory {
	u64 arenas;
	u64 spans;
	u64 live;
	u64 cached;
	u64 metadata;
	u64 vmalloc;
};

void kspan_memory_read(struct kspan_memory *memory);
unsigned long kspan_trim(void);

#ifdef DEFINE_FREE
/* void *p __free(kspan_free) = kspan_malloc(...): freed at the end of the scope. */
DEFINE_FREE(kspan_free, void *, if (!IS_ERR_OR_NULL(_T)) kspan_free(_T))
/* The same of what goes with all that is in it. */
DEFINE_FREE(kspan_heap_destroy, struct kspan_heap *, kspan_heap_destroy(_T))
DEFINE_FREE(kspan_cache_destroy, struct kspan_cache *, kspan_cache_destroy(_T))
DEFINE_FREE(kspan_region_destroy, struct kspan_region *, kspan_region_destroy(_T))
DEFINE_FREE(kspan_cpu_region_destroy, struct kspan_cpu_region *, kspan_cpu_region_destroy(_T))
DEFINE_FREE(kspan_pool_destroy, struct kspan_pool *, kspan_pool_destroy(_T))
DEFINE_FREE(kspan_fixed_pool_destroy, struct kspan_fixed_pool *, kspan_fixed_pool_destroy(_T))
#endif

/* log2 of the bytes that a CPU's cache has for each class. */
#define KSPAN_CLASS_SHIFT	5

void *kspan_malloc_class(unsigned long offset, gfp_t gfp, size_t size) __must_check __alloc_size(3);

static __always_inline __must_check __alloc_size(1)
void *__kspan_malloc_constant(size_t size, gfp_t gfp)
{
	return kspan_malloc_class((unsigned long)kspan_constant_class(size) << KSPAN_CLASS_SHIFT,
				  gfp, size);
}

/**
 * kspan_malloc() - allocate memory
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	what the allocation may do, as for kmalloc; __GFP_DMA and
 *		__GFP_DMA32 are refused
 *
 * Up to 32 KiB in 67 size classes, above in steps of 8 KiB, up to the limit of
 * kmalloc. The class of a constant size is found by the compiler.
 *
 * Context: task, softirq and hardirq; sleeps if @gfp allows it. In an NMI, and
 * on PREEMPT_RT where preemption is off, it waits for nothing and may fail, as
 * kspan_malloc_nolock() may.
 * Return: the memory, aligned to the largest power of two that divides @size
 * and at least to 8; or NULL.
 */
static __always_inline __must_check __alloc_size(1)
void *kspan_malloc(size_t size, gfp_t gfp)
{
	if (__builtin_constant_p(size) && size <= KSPAN_MAX_SMALL)
		return __kspan_malloc_constant(size, gfp);
	return __kspan_malloc(size, gfp);
}

/**
 * kspan_zalloc() - allocate zeroed memory
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the memory, zeroed up to kspan_size(), or NULL.
 */
static __always_inline __must_check __alloc_size(1)
void *kspan_zalloc(size_t size, gfp_t gfp)
{
	return kspan_malloc(size, gfp | __GFP_ZERO);
}

/** kspan_zalloc_node() - kspan_malloc_node(), zeroed */
static __always_inline __must_check __alloc_size(1)
void *kspan_zalloc_node(size_t size, gfp_t gfp, int node)
{
	return kspan_malloc_node(size, gfp | __GFP_ZERO, node);
}

/** kspan_malloc_array_node() - kspan_malloc_node() of an array; NULL also for an overflow */
static __always_inline __must_check __alloc_size(1, 2)
void *kspan_malloc_array_node(size_t n, size_t size, gfp_t gfp, int node)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return kspan_malloc_node(bytes, gfp, node);
}

/** kspan_calloc_node() - kspan_malloc_array_node(), zeroed */
static __always_inline __must_check __alloc_size(1, 2)
void *kspan_calloc_node(size_t n, size_t size, gfp_t gfp, int node)
{
	return kspan_malloc_array_node(n, size, gfp | __GFP_ZERO, node);
}

/**
 * kspan_malloc_track_caller() - kspan_malloc() in the name of the caller's caller
 * @size:	as for kspan_malloc()
 * @gfp:	likewise
 *
 * For functions that allocate for others: where sites of allocations are noted, it is
 * theirs that is. As kmalloc_track_caller().
 *
 * Context: as kspan_malloc().
 * Return: the memory or NULL.
 */
static __always_inline __must_check __alloc_size(1)
void *kspan_malloc_track_caller(size_t size, gfp_t gfp)
{
	return kspan_heap_malloc_track_caller(NULL, size, gfp);
}

/** kspan_malloc_node_track_caller() - the same of kspan_malloc_node() */
static __always_inline __must_check __alloc_size(1)
void *kspan_malloc_node_track_caller(size_t size, gfp_t gfp, int node)
{
	return kspan_heap_malloc_node_track_caller(NULL, size, gfp, node);
}

/* Built on the above. */
#include <linux/kspan_kvmalloc.h>
#include <linux/kspan_obj.h>

#endif /* _LINUX_KSPAN_H */
