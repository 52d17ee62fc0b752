/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private heaps. kspan_free() and its kin take their objects as any others; a
 * kspan_realloc() of one stays in its heap. NULL is the default heap to calls that allocate,
 * and kspan_heap_trim(NULL) is kspan_trim(). The default heap is neither reset nor put under
 * pressure: NULL does nothing there, but for a warning, the first time. kspan_heap_destroy()
 * of NULL does nothing.
 */
#ifndef _LINUX_KSPAN_HEAP_H
#define _LINUX_KSPAN_HEAP_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/numa.h>
#include <linux/overflow.h>
#include <linux/stdarg.h>
#include <linux/types.h>

struct kspan_heap;
struct module;

/*
 * Note where objects are allocated; what is live in the end is told by that. Flags of caches
 * are other bits: kspan_heap_create() refuses them, and kspan_cache_create() this one.
 */
#define KSPAN_HEAP_TRACK	0x1U
/* kspan_heap_options.node is to be used. */
#define KSPAN_HEAP_ON_NODE	0x2U

/**
 * struct kspan_heap_options - what a heap does without being told each time
 * @limit:	as for kspan_heap_create()
 * @flags:	likewise, and KSPAN_HEAP_ON_NODE
 * @node:	with KSPAN_HEAP_ON_NODE, the node that objects come from where no other is
 *		asked for; not tiny ones, and not those of bulk calls
 * @gfp_on:	gfp flags that all requests have, for example __GFP_NOWARN
 * @gfp_off:	gfp flags that no request has: __GFP_FS makes them GFP_NOFS, and
 *		__GFP_FS | __GFP_IO GFP_NOIO
 *
 * All zero is a heap of kspan_heap_create(name, 0, 0). Allocation takes some
 * instructions more where the last three say anything.
 */
struct kspan_heap_options {
	size_t limit;
	unsigned int flags;
	int node;
	gfp_t gfp_on;
	gfp_t gfp_off;
};

/**
 * struct kspan_heap_stats - a heap over all classes, nodes and CPUs
 * @limit:	bytes that it may hold, 0 for no limit
 * @held:	bytes of its spans, used or kept, large objects and those of vmalloc()
 * @peak:	highest value of @held; of the default heap, of the arenas of all heaps
 * @bytes:	of the slots and pages of live objects
 * @objects:	live ones: @allocs - @frees
 * @spans:	spans
 * @allocs:	objects ever handed out
 * @frees:	objects ever freed
 * @failures:	requests that got NULL
 */
struct kspan_heap_stats {
	u64 limit;
	u64 held;
	u64 peak;
	u64 bytes;
	u64 objects;
	u64 spans;
	u64 allocs;
	u64 frees;
	u64 failures;
};

struct kspan_heap *__kspan_heap_create(const char *name, size_t limit, unsigned int flags,
				       struct module *owner) __must_check;
static inline struct kspan_heap *__must_check
kspan_heap_create(const char *name, size_t limit, unsigned int flags)
{
	return __kspan_heap_create(name, limit, flags, THIS_MODULE);
}

struct kspan_heap *__kspan_heap_create_with(const char *name,
					    const struct kspan_heap_options *options,
					    struct module *owner) __must_check;
static inline struct kspan_heap *__must_check
kspan_heap_create_with(const char *name, const struct kspan_heap_options *options)
{
	return __kspan_heap_create_with(name, options, THIS_MODULE);
}

const char *kspan_heap_name(const struct kspan_heap *heap);
void kspan_heap_stats(struct kspan_heap *heap, struct kspan_heap_stats *stats);
void kspan_heap_for_each(void (*fn)(struct kspan_heap *heap, void *data), void *data);
void kspan_heap_set_pressure(struct kspan_heap *heap,
			     void (*pressure)(struct kspan_heap *heap, size_t size, void *data),
			     void *data);
void kspan_heap_reset(struct kspan_heap *heap);
size_t kspan_heap_trim(struct kspan_heap *heap);
void kspan_heap_destroy(struct kspan_heap *heap);

void *kspan_heap_malloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
	__must_check __alloc_size(2);
void *kspan_heap_zalloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
	__must_check __alloc_size(2);
void *kspan_heap_malloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
	__must_check __alloc_size(2);
void *kspan_heap_malloc_array(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
	__must_check __alloc_size(2, 3);
void *kspan_heap_calloc(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
	__must_check __alloc_size(2, 3);
void *kspan_heap_malloc_aligned(struct kspan_heap *heap, size_t size, size_t align, gfp_t gfp)
	__must_check __alloc_size(2);
void *kspan_heap_tiny_alloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
	__must_check __alloc_size(2);
void *kspan_heap_realloc(struct kspan_heap *heap, const void *p, size_t size, gfp_t gfp)
	__must_check __realloc_size(3);
void *__kspan_heap_malloc_site(struct kspan_heap *heap, size_t size, gfp_t gfp, int node,
			       unsigned long site) __must_check __alloc_size(2);
void *kspan_heap_malloc_nolock(struct kspan_heap *heap, size_t size)
	__must_check __alloc_size(2);
int kspan_heap_prefill(struct kspan_heap *heap, size_t size, unsigned int n, gfp_t gfp);
unsigned int kspan_heap_alloc_bulk(struct kspan_heap *heap, size_t size, gfp_t gfp,
				   unsigned int n, void **p) __must_check;
void *kspan_heap_memdup(struct kspan_heap *heap, const void *src, size_t len, gfp_t gfp)
	__must_check __alloc_size(3);
char *kspan_heap_strdup(struct kspan_heap *heap, const char *s, gfp_t gfp) __must_check;
char *kspan_heap_strndup(struct kspan_heap *heap, const char *s, size_t max, gfp_t gfp)
	__must_check;
char *kspan_heap_tiny_strdup(struct kspan_heap *heap, const char *s, gfp_t gfp) __must_check;
char *kspan_heap_asprintf(struct kspan_heap *heap, gfp_t gfp, const char *fmt, ...)
	__must_check __printf(3, 4);
char *kspan_heap_vasprintf(struct kspan_heap *heap, gfp_t gfp, const char *fmt, va_list args)
	__must_check __printf(3, 0);

/** kspan_heap_zalloc_node() - kspan_heap_malloc_node(), zeroed */
static __always_inline __must_check __alloc_size(2)
void *kspan_heap_zalloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	return kspan_heap_malloc_node(heap, size, gfp | __GFP_ZERO, node);
}

/** kspan_heap_malloc_array_node() - of an array; NULL also when the bytes overflow */
static __always_inline __must_check __alloc_size(2, 3)
void *kspan_heap_malloc_array_node(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp,
				   int node)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return kspan_heap_malloc_node(heap, bytes, gfp, node);
}

/** kspan_heap_calloc_node() - kspan_heap_malloc_array_node(), zeroed */
static __always_inline __must_check __alloc_size(2, 3)
void *kspan_heap_calloc_node(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp, int node)
{
	return kspan_heap_malloc_array_node(heap, n, size, gfp | __GFP_ZERO, node);
}

/** kspan_heap_malloc_node_track_caller() - kspan_malloc_node_track_caller() from a heap */
static __always_inline __must_check __alloc_size(2)
void *kspan_heap_malloc_node_track_caller(struct kspan_heap *heap, size_t size, gfp_t gfp,
					  int node)
{
	return __kspan_heap_malloc_site(heap, size, gfp, node,
					(unsigned long)__builtin_return_address(0));
}

/** kspan_heap_malloc_track_caller() - kspan_malloc_track_caller() from a heap */
static __always_inline __must_check __alloc_size(2)
void *kspan_heap_malloc_track_caller(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	return __kspan_heap_malloc_site(heap, size, gfp, NUMA_NO_NODE,
					(unsigned long)__builtin_return_address(0));
}

#endif /* _LINUX_KSPAN_HEAP_H */
