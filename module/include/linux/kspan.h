/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kspan: a general-purpose heap for kernel modules
 *
 * kspan_malloc() is used as kmalloc() is, with the same gfp flags and the same alignment.
 * Documentation/api.rst tells how to begin; each function's comment tells what it does, in
 * which context it may be called, and what it returns. Comments of functions that are only
 * declared here stand at their definitions.
 *
 * What holds for all functions:
 *
 * - An object is freed by kspan_free() or another function of kspan, never by kfree() or by
 *   what calls kfree(), such as kfree_rcu() or the free of an skb. kfree() does not free it:
 *   the object leaks, and kspan reports that when the object's pages are given back.
 * - A size is in bytes. Size 0 gives ZERO_SIZE_PTR, which may be freed and must not be read.
 * - An object is aligned to the largest power of two that divides the requested size, at least
 *   to 8 bytes, as one of kmalloc() is since Linux 6.12.
 * - A function that allocates returns NULL on failure, unless its comment names ERR_PTR().
 *   The caller owns the object until it frees it.
 * - A function may be called from task, softirq and hardirq context unless its comment says
 *   otherwise; gfp flags say whether it may sleep.
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
/* No __alloc_size(), as the object may still be @p. */
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
 * kspan_free_rcu() - free an object after an RCU grace period
 * @p:		pointer to an object of any heap, of the structure's type; NULL does nothing;
 *		evaluated once
 * @rcu_head_field: name of the struct rcu_head in *@p
 *
 * Like kfree_rcu(). Returns at once; the caller must not use the object any more, except as a
 * reader under RCU. A CPU collects objects and frees them in batches. kspan_barrier() waits
 * until they are freed.
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
 * struct kspan_memory - the memory that kspan takes from the system, in bytes
 * @arenas:	blocks of the page allocator: @spans and free pages
 * @spans:	pages that are divided into objects, used and free ones
 * @live:	objects in use, rounded up to slots and pages
 * @cached:	free objects that CPUs and nodes keep for the next requests
 * @metadata:	everything beside @arenas: descriptors, bitmaps, magazines, per-CPU data and the
 *		map of addresses
 * @vmalloc:	objects of kspan_kvmalloc() that come from vmalloc(); neither in @arenas nor in
 *		@live
 *
 * kspan_memory_read() fills it in.
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
/*
 * For scope-based cleanup (linux/cleanup.h):
 *
 *	void *p __free(kspan_free) = kspan_malloc(size, GFP_KERNEL);
 *
 * frees the object at the end of the scope. The object may also be an ERR_PTR() or NULL.
 */
DEFINE_FREE(kspan_free, void *, if (!IS_ERR_OR_NULL(_T)) kspan_free(_T))
/* The same for what is destroyed with all that it contains. */
DEFINE_FREE(kspan_heap_destroy, struct kspan_heap *, kspan_heap_destroy(_T))
DEFINE_FREE(kspan_cache_destroy, struct kspan_cache *, kspan_cache_destroy(_T))
DEFINE_FREE(kspan_region_destroy, struct kspan_region *, kspan_region_destroy(_T))
DEFINE_FREE(kspan_cpu_region_destroy, struct kspan_cpu_region *, kspan_cpu_region_destroy(_T))
DEFINE_FREE(kspan_pool_destroy, struct kspan_pool *, kspan_pool_destroy(_T))
DEFINE_FREE(kspan_fixed_pool_destroy, struct kspan_fixed_pool *, kspan_fixed_pool_destroy(_T))
#endif

/* log2 of the number of bytes that a CPU's cache has for each size class. Internal. */
#define KSPAN_CLASS_SHIFT	5

void *kspan_malloc_class(unsigned long offset, gfp_t gfp, size_t size) __must_check __alloc_size(3);

/* Internal: kspan_malloc() of a size that is a constant of at most 32 KiB. */
static __always_inline __must_check __alloc_size(1)
void *__kspan_malloc_constant(size_t size, gfp_t gfp)
{
	return kspan_malloc_class((unsigned long)kspan_constant_class(size) << KSPAN_CLASS_SHIFT,
				  gfp, size);
}

/**
 * kspan_malloc() - allocate memory
 * @size:	bytes, up to kmalloc's limit, which is 4 MiB on x86-64; 0 gives ZERO_SIZE_PTR
 * @gfp:	what the allocation may do, as for kmalloc(). __GFP_ZERO zeroes the memory.
 *		__GFP_DMA and __GFP_DMA32 are not supported: such a request gets NULL and is
 *		logged.
 *
 * Like kmalloc(): the memory is contiguous physically. Up to 32 KiB it comes in one of 67 size
 * classes; kspan_size_roundup() tells which size a request gets. Above, it comes in steps of 8
 * KiB. The compiler finds the class of a constant size.
 *
 * Context: task, softirq and hardirq; sleeps if @gfp allows it. In an NMI, and on PREEMPT_RT
 * where preemption is off, it waits for nothing and may fail, as kspan_malloc_nolock() may.
 * Return: the memory, aligned to the largest power of two that divides @size and at least to 8,
 * to be freed by kspan_free(); NULL if there is none.
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
 * @size:	as for kspan_malloc()
 * @gfp:	as for kspan_malloc()
 *
 * Like kzalloc().
 *
 * Context: as kspan_malloc().
 * Return: the memory, zeroed up to kspan_size(), to be freed by kspan_free(); NULL if there is
 * none.
 */
static __always_inline __must_check __alloc_size(1)
void *kspan_zalloc(size_t size, gfp_t gfp)
{
	return kspan_malloc(size, gfp | __GFP_ZERO);
}

/**
 * kspan_zalloc_node() - allocate zeroed memory from a NUMA node
 * @size:	as for kspan_malloc_node()
 * @gfp:	as for kspan_malloc_node()
 * @node:	as for kspan_malloc_node()
 *
 * Like kzalloc_node().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_zalloc().
 */
static __always_inline __must_check __alloc_size(1)
void *kspan_zalloc_node(size_t size, gfp_t gfp, int node)
{
	return kspan_malloc_node(size, gfp | __GFP_ZERO, node);
}

/**
 * kspan_malloc_array_node() - allocate memory for an array from a NUMA node
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_malloc_node()
 * @node:	as for kspan_malloc_node()
 *
 * Like kmalloc_array_node().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_malloc_array().
 */
static __always_inline __must_check __alloc_size(1, 2)
void *kspan_malloc_array_node(size_t n, size_t size, gfp_t gfp, int node)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return kspan_malloc_node(bytes, gfp, node);
}

/**
 * kspan_calloc_node() - allocate zeroed memory for an array from a NUMA node
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_malloc_node()
 * @node:	as for kspan_malloc_node()
 *
 * Like kcalloc_node().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_malloc_array().
 */
static __always_inline __must_check __alloc_size(1, 2)
void *kspan_calloc_node(size_t n, size_t size, gfp_t gfp, int node)
{
	return kspan_malloc_array_node(n, size, gfp | __GFP_ZERO, node);
}

/**
 * kspan_malloc_track_caller() - allocate memory on behalf of the caller's caller
 * @size:	as for kspan_malloc()
 * @gfp:	as for kspan_malloc()
 *
 * Like kmalloc_track_caller(), for functions that allocate for others. The default heap does
 * not note where objects are allocated, so this is the same as kspan_malloc(); see
 * kspan_heap_malloc_track_caller().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_malloc().
 */
static __always_inline __must_check __alloc_size(1)
void *kspan_malloc_track_caller(size_t size, gfp_t gfp)
{
	return kspan_heap_malloc_track_caller(NULL, size, gfp);
}

/**
 * kspan_malloc_node_track_caller() - kspan_malloc_node() on behalf of the caller's caller
 * @size:	as for kspan_malloc_node()
 * @gfp:	as for kspan_malloc_node()
 * @node:	as for kspan_malloc_node()
 *
 * As kspan_malloc_track_caller(), with a NUMA node.
 *
 * Context: as kspan_malloc().
 * Return: as kspan_malloc_node().
 */
static __always_inline __must_check __alloc_size(1)
void *kspan_malloc_node_track_caller(size_t size, gfp_t gfp, int node)
{
	return kspan_heap_malloc_node_track_caller(NULL, size, gfp, node);
}

/* These use what is declared above. */
#include <linux/kspan_kvmalloc.h>
#include <linux/kspan_obj.h>

#endif /* _LINUX_KSPAN_H */
