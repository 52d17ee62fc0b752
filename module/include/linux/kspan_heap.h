/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private heaps: heaps that belong to one module
 *
 * A private heap shares no memory with others, may have a limit, tells in debugfs what it
 * holds, names what was leaked, and is destroyed with all its objects in one call. kspan_free()
 * and its kin free objects of any heap. kspan_realloc() of an object leaves it in its heap.
 *
 * A struct kspan_heap * that is NULL stands for the default heap, that of kspan_malloc(), in
 * all calls that allocate, and in kspan_heap_trim(), where it means kspan_trim(). The default
 * heap can be neither reset nor given a pressure function: there NULL does nothing, and is
 * reported the first time. kspan_heap_destroy(NULL) does nothing.
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
 * Flag of kspan_heap_create(): note where each object is allocated. When the heap is destroyed
 * the log names the places of the objects that were never freed. Its value is no flag of
 * kspan_cache_create(), and those are no flags of a heap: either call refuses the other's
 * flags.
 */
#define KSPAN_HEAP_TRACK	0x1U
/* Flag of struct kspan_heap_options: @node is valid. */
#define KSPAN_HEAP_ON_NODE	0x2U

/**
 * struct kspan_heap_options - what a heap does for all requests
 * @limit:	as for kspan_heap_create()
 * @flags:	as for kspan_heap_create(), and KSPAN_HEAP_ON_NODE
 * @node:	with KSPAN_HEAP_ON_NODE, the NUMA node of objects for which the caller names no
 *		node. Tiny objects and those of bulk calls are of the CPU's node nevertheless.
 * @gfp_on:	gfp flags that are added to all requests, for example __GFP_NOWARN
 * @gfp_off:	gfp flags that are removed from all requests: __GFP_FS makes all requests
 *		GFP_NOFS, __GFP_FS | __GFP_IO makes them GFP_NOIO
 *
 * A structure of zeroes makes the same heap as kspan_heap_create(name, 0, 0). Allocation takes
 * a few instructions more if one of the last three members is used.
 */
struct kspan_heap_options {
	size_t limit;
	unsigned int flags;
	int node;
	gfp_t gfp_on;
	gfp_t gfp_off;
};

/**
 * struct kspan_heap_stats - a heap, summed up over all size classes, nodes and CPUs
 * @limit:	most bytes that it may hold; 0 for no limit
 * @held:	bytes that it holds: pages divided into objects, used and free ones, large
 *		objects, and objects of vmalloc()
 * @peak:	highest value that @held had; for the default heap, that the arenas of all heaps
 *		had
 * @bytes:	bytes of objects in use, rounded up to slots and pages
 * @objects:	number of objects in use: @allocs - @frees
 * @spans:	number of spans: runs of pages that are divided into objects or hold a large one
 * @allocs:	number of objects ever allocated
 * @frees:	number of objects ever freed
 * @failures:	number of requests that got NULL
 *
 * kspan_heap_stats() fills it in.
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
/**
 * kspan_heap_create() - make a private heap
 * @name:	shown in debugfs and in the log; copied. Characters that are not printable
 *		ASCII, and the backslash, are copied as \\ooo.
 * @limit:	most bytes that the heap may hold, rounded up to pages of 8 KiB; 0 for no limit.
 *		It counts whole pages, also those that the heap keeps unused, so choose it
 *		somewhat larger than the objects.
 * @flags:	KSPAN_HEAP_TRACK, or 0
 *
 * A request beyond the limit makes the heap give up what it keeps unused, and then calls its
 * pressure function, if kspan_heap_set_pressure() set one. If that does not help the request
 * gets NULL. A request with __GFP_NOFAIL may exceed the limit.
 *
 * The heap belongs to the calling module. A heap that the module leaves behind is reported when
 * the module is unloaded.
 *
 * Context: task; sleeps.
 * Return: an empty heap, to be ended by kspan_heap_destroy(); NULL if there is no memory, or if
 * @name is NULL or @flags are wrong, which is logged.
 */
static inline struct kspan_heap *__must_check
kspan_heap_create(const char *name, size_t limit, unsigned int flags)
{
	return __kspan_heap_create(name, limit, flags, THIS_MODULE);
}

struct kspan_heap *__kspan_heap_create_with(const char *name,
					    const struct kspan_heap_options *options,
					    struct module *owner) __must_check;
/**
 * kspan_heap_create_with() - make a private heap with options
 * @name:	as for kspan_heap_create()
 * @options:	what the heap does for all requests; copied; not NULL
 *
 * Context: task; sleeps.
 * Return: as kspan_heap_create(); NULL also if @options has unknown flags, a zone flag, or a
 * node that does not exist.
 */
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

/**
 * kspan_heap_zalloc_node() - allocate zeroed memory from a heap and a NUMA node
 * @heap:	as for kspan_heap_malloc_node()
 * @size:	as for kspan_heap_malloc_node()
 * @gfp:	as for kspan_heap_malloc_node()
 * @node:	as for kspan_heap_malloc_node()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_malloc().
 */
static __always_inline __must_check __alloc_size(2)
void *kspan_heap_zalloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	return kspan_heap_malloc_node(heap, size, gfp | __GFP_ZERO, node);
}

/**
 * kspan_heap_malloc_array_node() - allocate an array from a heap and a NUMA node
 * @heap:	as for kspan_heap_malloc_node()
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_heap_malloc_node()
 * @node:	as for kspan_heap_malloc_node()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_malloc(); NULL also if @n * @size overflows a size_t.
 */
static __always_inline __must_check __alloc_size(2, 3)
void *kspan_heap_malloc_array_node(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp,
				   int node)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return kspan_heap_malloc_node(heap, bytes, gfp, node);
}

/**
 * kspan_heap_calloc_node() - allocate a zeroed array from a heap and a NUMA node
 * @heap:	as for kspan_heap_malloc_node()
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_heap_malloc_node()
 * @node:	as for kspan_heap_malloc_node()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_malloc_array_node().
 */
static __always_inline __must_check __alloc_size(2, 3)
void *kspan_heap_calloc_node(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp, int node)
{
	return kspan_heap_malloc_array_node(heap, n, size, gfp | __GFP_ZERO, node);
}

/**
 * kspan_heap_malloc_node_track_caller() - kspan_heap_malloc_node() on behalf of the caller's
 * caller
 * @heap:	as for kspan_heap_malloc_node()
 * @size:	as for kspan_heap_malloc_node()
 * @gfp:	as for kspan_heap_malloc_node()
 * @node:	as for kspan_heap_malloc_node()
 *
 * As kspan_heap_malloc_track_caller(), with a NUMA node.
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_malloc().
 */
static __always_inline __must_check __alloc_size(2)
void *kspan_heap_malloc_node_track_caller(struct kspan_heap *heap, size_t size, gfp_t gfp,
					  int node)
{
	return __kspan_heap_malloc_site(heap, size, gfp, node,
					(unsigned long)__builtin_return_address(0));
}

/**
 * kspan_heap_malloc_track_caller() - kspan_heap_malloc() on behalf of the caller's caller
 * @heap:	where the memory comes from; NULL for the default heap
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * Like kmalloc_track_caller(), for a function that allocates for its callers: a heap with
 * KSPAN_HEAP_TRACK notes the place from which that function was called.
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_malloc().
 */
static __always_inline __must_check __alloc_size(2)
void *kspan_heap_malloc_track_caller(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	return __kspan_heap_malloc_site(heap, size, gfp, NUMA_NO_NODE,
					(unsigned long)__builtin_return_address(0));
}

#endif /* _LINUX_KSPAN_HEAP_H */
