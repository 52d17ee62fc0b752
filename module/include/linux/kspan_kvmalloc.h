/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects of any size: from kspan if it has contiguous pages, else from vmalloc()
 *
 * They are freed by kspan_free(), from any context, so that function stands for kvfree(), too.
 */
#ifndef _LINUX_KSPAN_KVMALLOC_H
#define _LINUX_KSPAN_KVMALLOC_H

#include <linux/gfp.h>
#include <linux/numa.h>
#include <linux/overflow.h>

struct kspan_heap;

void *kspan_heap_kvmalloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
	__must_check __alloc_size(2);

/* No __alloc_size(), as the object may still be @p. */
void *kspan_heap_kvrealloc(struct kspan_heap *heap, const void *p, size_t size, gfp_t gfp)
	__must_check __realloc_size(3);

/**
 * kspan_kvrealloc() - change the size of an object to any size
 * @p:		as for kspan_realloc(); it may be an object of kspan_kvmalloc()
 * @size:	as for kspan_realloc(); not limited
 * @gfp:	as for kspan_kvmalloc()
 *
 * Like kspan_realloc(), but a new object is one of kspan_kvmalloc().
 *
 * Context: as kspan_realloc().
 * Return: as kspan_realloc().
 */
static __always_inline __must_check __realloc_size(2)
void *kspan_kvrealloc(const void *p, size_t size, gfp_t gfp)
{
	return kspan_heap_kvrealloc(NULL, p, size, gfp);
}

/**
 * kspan_heap_kvmalloc() - allocate memory of any size from a heap
 * @heap:	as for kspan_heap_kvmalloc_node()
 * @size:	as for kspan_heap_kvmalloc_node()
 * @gfp:	as for kspan_heap_kvmalloc_node()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_kvmalloc_node().
 */
static __always_inline __must_check __alloc_size(2)
void *kspan_heap_kvmalloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	return kspan_heap_kvmalloc_node(heap, size, gfp, NUMA_NO_NODE);
}

/**
 * kspan_heap_kvzalloc_node() - allocate zeroed memory of any size from a heap and a NUMA node
 * @heap:	as for kspan_heap_kvmalloc_node()
 * @size:	as for kspan_heap_kvmalloc_node()
 * @gfp:	as for kspan_heap_kvmalloc_node()
 * @node:	as for kspan_heap_kvmalloc_node()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_kvmalloc_node().
 */
static __always_inline __must_check __alloc_size(2)
void *kspan_heap_kvzalloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	return kspan_heap_kvmalloc_node(heap, size, gfp | __GFP_ZERO, node);
}

/**
 * kspan_heap_kvzalloc() - allocate zeroed memory of any size from a heap
 * @heap:	as for kspan_heap_kvmalloc_node()
 * @size:	as for kspan_heap_kvmalloc_node()
 * @gfp:	as for kspan_heap_kvmalloc_node()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_kvmalloc_node().
 */
static __always_inline __must_check __alloc_size(2)
void *kspan_heap_kvzalloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	return kspan_heap_kvmalloc(heap, size, gfp | __GFP_ZERO);
}

/**
 * kspan_heap_kvmalloc_array_node() - allocate an array of any size from a heap and a NUMA node
 * @heap:	as for kspan_heap_kvmalloc_node()
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_heap_kvmalloc_node()
 * @node:	as for kspan_heap_kvmalloc_node()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_kvmalloc_node(); NULL also if @n * @size overflows a size_t.
 */
static __always_inline __must_check __alloc_size(2, 3)
void *kspan_heap_kvmalloc_array_node(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp,
				     int node)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return kspan_heap_kvmalloc_node(heap, bytes, gfp, node);
}

/**
 * kspan_heap_kvmalloc_array() - allocate an array of any size from a heap
 * @heap:	as for kspan_heap_kvmalloc_node()
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_heap_kvmalloc_node()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_kvmalloc_array_node().
 */
static __always_inline __must_check __alloc_size(2, 3)
void *kspan_heap_kvmalloc_array(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	return kspan_heap_kvmalloc_array_node(heap, n, size, gfp, NUMA_NO_NODE);
}

/**
 * kspan_heap_kvcalloc() - allocate a zeroed array of any size from a heap
 * @heap:	as for kspan_heap_kvmalloc_node()
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_heap_kvmalloc_node()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_kvmalloc_array_node().
 */
static __always_inline __must_check __alloc_size(2, 3)
void *kspan_heap_kvcalloc(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	return kspan_heap_kvmalloc_array(heap, n, size, gfp | __GFP_ZERO);
}

/**
 * kspan_kvmalloc_node() - allocate memory of any size from a NUMA node
 * @size:	as for kspan_kvmalloc()
 * @gfp:	as for kspan_kvmalloc()
 * @node:	as for kspan_heap_kvmalloc_node()
 *
 * Like kvmalloc_node().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_kvmalloc().
 */
static __always_inline __must_check __alloc_size(1)
void *kspan_kvmalloc_node(size_t size, gfp_t gfp, int node)
{
	return kspan_heap_kvmalloc_node(NULL, size, gfp, node);
}

/**
 * kspan_kvmalloc() - allocate memory of any size
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc(). If it does not allow to sleep, vmalloc() is not used.
 *
 * Like kvmalloc(): the memory may not be contiguous physically. kspan_heap_kvmalloc_node()
 * tells when vmalloc() is used.
 *
 * Context: as kspan_malloc().
 * Return: the memory, to be freed by kspan_free(); NULL if there is none.
 */
static __always_inline __must_check __alloc_size(1)
void *kspan_kvmalloc(size_t size, gfp_t gfp)
{
	return kspan_heap_kvmalloc(NULL, size, gfp);
}

/**
 * kspan_kvzalloc_node() - allocate zeroed memory of any size from a NUMA node
 * @size:	as for kspan_kvmalloc()
 * @gfp:	as for kspan_kvmalloc()
 * @node:	as for kspan_heap_kvmalloc_node()
 *
 * Like kvzalloc_node().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_kvmalloc().
 */
static __always_inline __must_check __alloc_size(1)
void *kspan_kvzalloc_node(size_t size, gfp_t gfp, int node)
{
	return kspan_heap_kvzalloc_node(NULL, size, gfp, node);
}

/**
 * kspan_kvzalloc() - allocate zeroed memory of any size
 * @size:	as for kspan_kvmalloc()
 * @gfp:	as for kspan_kvmalloc()
 *
 * Like kvzalloc().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_kvmalloc().
 */
static __always_inline __must_check __alloc_size(1)
void *kspan_kvzalloc(size_t size, gfp_t gfp)
{
	return kspan_heap_kvzalloc(NULL, size, gfp);
}

/**
 * kspan_kvmalloc_array() - allocate an array of any size
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_kvmalloc()
 *
 * Like kvmalloc_array().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_kvmalloc(); NULL also if @n * @size overflows a size_t.
 */
static __always_inline __must_check __alloc_size(1, 2)
void *kspan_kvmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	return kspan_heap_kvmalloc_array(NULL, n, size, gfp);
}

/**
 * kspan_kvmalloc_array_node() - allocate an array of any size from a NUMA node
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_kvmalloc()
 * @node:	as for kspan_heap_kvmalloc_node()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_kvmalloc_array().
 */
static __always_inline __must_check __alloc_size(1, 2)
void *kspan_kvmalloc_array_node(size_t n, size_t size, gfp_t gfp, int node)
{
	return kspan_heap_kvmalloc_array_node(NULL, n, size, gfp, node);
}

/**
 * kspan_kvcalloc() - allocate a zeroed array of any size
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_kvmalloc()
 *
 * Like kvcalloc().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_kvmalloc_array().
 */
static __always_inline __must_check __alloc_size(1, 2)
void *kspan_kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	return kspan_heap_kvcalloc(NULL, n, size, gfp);
}

/**
 * kspan_kvcalloc_node() - allocate a zeroed array of any size from a NUMA node
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_kvmalloc()
 * @node:	as for kspan_heap_kvmalloc_node()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_kvmalloc_array().
 */
static __always_inline __must_check __alloc_size(1, 2)
void *kspan_kvcalloc_node(size_t n, size_t size, gfp_t gfp, int node)
{
	return kspan_heap_kvmalloc_array_node(NULL, n, size, gfp | __GFP_ZERO, node);
}

#endif /* _LINUX_KSPAN_KVMALLOC_H */
