/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects of any size, which vmalloc() serves where kspan has no pages in a row
 *
 * They are freed by kspan_free(), from any context, so kvfree() is that, too.
 */
#ifndef _LINUX_KSPAN_KVMALLOC_H
#define _LINUX_KSPAN_KVMALLOC_H

#include <linux/gfp.h>
#include <linux/numa.h>
#include <linux/overflow.h>

struct kspan_heap;

void *kspan_heap_kvmalloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
	__must_check __alloc_size(2);

/* Not __alloc_size(): the object may be @p still. */
void *kspan_heap_kvrealloc(struct kspan_heap *heap, const void *p, size_t size, gfp_t gfp)
	__must_check __realloc_size(3);

/** kspan_kvrealloc() - kspan_heap_kvrealloc() from the default heap */
static __always_inline __must_check __realloc_size(2)
void *kspan_kvrealloc(const void *p, size_t size, gfp_t gfp)
{
	return kspan_heap_kvrealloc(NULL, p, size, gfp);
}

/** kspan_heap_kvmalloc() - kspan_heap_kvmalloc_node() of any node */
static __always_inline __must_check __alloc_size(2)
void *kspan_heap_kvmalloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	return kspan_heap_kvmalloc_node(heap, size, gfp, NUMA_NO_NODE);
}

/** kspan_heap_kvzalloc_node() - the same, zeroed */
static __always_inline __must_check __alloc_size(2)
void *kspan_heap_kvzalloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	return kspan_heap_kvmalloc_node(heap, size, gfp | __GFP_ZERO, node);
}

/** kspan_heap_kvzalloc() - kspan_heap_kvmalloc(), zeroed */
static __always_inline __must_check __alloc_size(2)
void *kspan_heap_kvzalloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	return kspan_heap_kvmalloc(heap, size, gfp | __GFP_ZERO);
}

/** kspan_heap_kvmalloc_array_node() - of an array; NULL also when the bytes overflow */
static __always_inline __must_check __alloc_size(2, 3)
void *kspan_heap_kvmalloc_array_node(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp,
				     int node)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return kspan_heap_kvmalloc_node(heap, bytes, gfp, node);
}

/** kspan_heap_kvmalloc_array() - kspan_heap_kvmalloc_array_node() of any node */
static __always_inline __must_check __alloc_size(2, 3)
void *kspan_heap_kvmalloc_array(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	return kspan_heap_kvmalloc_array_node(heap, n, size, gfp, NUMA_NO_NODE);
}

/** kspan_heap_kvcalloc() - kspan_heap_kvmalloc_array(), zeroed */
static __always_inline __must_check __alloc_size(2, 3)
void *kspan_heap_kvcalloc(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	return kspan_heap_kvmalloc_array(heap, n, size, gfp | __GFP_ZERO);
}

/**
 * kspan_kvmalloc_node() - allocate memory of any size
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 * @node:	as for kspan_heap_kvmalloc_node()
 *
 * Context: as kspan_malloc(); where @gfp does not let it sleep vmalloc() is not asked.
 * Return: the memory, for kspan_free(); or NULL.
 */
static __always_inline __must_check __alloc_size(1)
void *kspan_kvmalloc_node(size_t size, gfp_t gfp, int node)
{
	return kspan_heap_kvmalloc_node(NULL, size, gfp, node);
}

/** kspan_kvmalloc() - kspan_kvmalloc_node() of any node */
static __always_inline __must_check __alloc_size(1)
void *kspan_kvmalloc(size_t size, gfp_t gfp)
{
	return kspan_heap_kvmalloc(NULL, size, gfp);
}

/** kspan_kvzalloc_node() - kspan_kvmalloc_node(), zeroed */
static __always_inline __must_check __alloc_size(1)
void *kspan_kvzalloc_node(size_t size, gfp_t gfp, int node)
{
	return kspan_heap_kvzalloc_node(NULL, size, gfp, node);
}

/** kspan_kvzalloc() - kspan_kvmalloc(), zeroed */
static __always_inline __must_check __alloc_size(1)
void *kspan_kvzalloc(size_t size, gfp_t gfp)
{
	return kspan_heap_kvzalloc(NULL, size, gfp);
}

/** kspan_kvmalloc_array() - of an array; NULL also when the bytes overflow */
static __always_inline __must_check __alloc_size(1, 2)
void *kspan_kvmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	return kspan_heap_kvmalloc_array(NULL, n, size, gfp);
}

/** kspan_kvmalloc_array_node() - the same, of a node */
static __always_inline __must_check __alloc_size(1, 2)
void *kspan_kvmalloc_array_node(size_t n, size_t size, gfp_t gfp, int node)
{
	return kspan_heap_kvmalloc_array_node(NULL, n, size, gfp, node);
}

/** kspan_kvcalloc() - kspan_kvmalloc_array(), zeroed */
static __always_inline __must_check __alloc_size(1, 2)
void *kspan_kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	return kspan_heap_kvcalloc(NULL, n, size, gfp);
}

/** kspan_kvcalloc_node() - the same, of a node */
static __always_inline __must_check __alloc_size(1, 2)
void *kspan_kvcalloc_node(size_t n, size_t size, gfp_t gfp, int node)
{
	return kspan_heap_kvmalloc_array_node(NULL, n, size, gfp | __GFP_ZERO, node);
}

#endif /* _LINUX_KSPAN_KVMALLOC_H */
