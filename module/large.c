// SPDX-License-Identifier: GPL-2.0
/*
 * Large objects
 *
 * An object above 32 KiB is a run of pages of its own, in steps of 8 KiB, at
 * most one arena of the largest order: the limit of the kernel's own kmalloc.
 * It is aligned as kmalloc's objects are, to the largest power of two that
 * divides the requested size.
 *
 * Context: task, softirq, hardirq; allocation as the gfp flags say. In an NMI
 * an allocation needs KSPAN_GFP_NOLOCK, and a free is left to the page heap.
 */
#include <linux/rcupdate.h>

#include "bad_free.h"
#include "kunit_export.h"
#include "large.h"

static unsigned int size_to_pages(size_t size)
{
	return (size + KSPAN_PAGE_SIZE - 1) >> KSPAN_PAGE_SHIFT;
}

/* Alignment in pages that a request asks for. */
static unsigned int size_to_align(size_t size)
{
	return max_t(size_t, (size & -size) >> KSPAN_PAGE_SHIFT, 1);
}

/**
 * kspan_large_roundup() - what a request gets
 * @size: bytes, at most KSPAN_MAX_SIZE
 * Return: bytes.
 */
size_t kspan_large_roundup(size_t size)
{
	return (size_t)size_to_pages(size) << KSPAN_PAGE_SHIFT;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_roundup);

/**
 * kspan_large_alloc() - allocate a large object
 * @size:	bytes, above KSPAN_MAX_SMALL, at most KSPAN_MAX_SIZE
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @gfp:	the caller's flags; zeroing is left to the caller
 *
 * Return: the object or NULL.
 */
void *kspan_large_alloc(size_t size, int nid, gfp_t gfp)
{
	struct kspan_span *span;

	span = kspan_page_heap_alloc(nid, size_to_pages(size), size_to_align(size), 0, gfp);
	return span ? (void *)span->start : NULL;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_alloc);

/**
 * kspan_large_alloc_emergency() - allocate an object from the system's reserves
 * @size:	bytes, of any object
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @gfp:	flags of a caller who may use the reserves
 *
 * Return: the object, a power of two of pages, or NULL.
 */
void *kspan_large_alloc_emergency(size_t size, int nid, gfp_t gfp)
{
	struct kspan_span *span;

	span = kspan_page_heap_alloc_emergency(nid, size_to_pages(size), gfp);
	return span ? (void *)span->start : NULL;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_alloc_emergency);

static bool defer(struct kspan_span *span)
{
	if (!kspan_span_change_state(span, KSPAN_SPAN_LARGE, KSPAN_SPAN_LARGE_DEFERRED))
		return false;
	kspan_page_heap_defer(span);
	return true;
}

/**
 * kspan_large_free() - free a large object
 * @addr: any address
 *
 * Frees the object, or reports that the address lies inside of one.
 *
 * Context: any, NMI included.
 * Return: false, and nothing done, when @addr is not in a large object.
 */
bool kspan_large_free(unsigned long addr)
{
	struct kspan_span *span;
	bool large, freed = false;

	rcu_read_lock();
	span = kspan_map_span(addr);
	large = span && READ_ONCE(span->state) == KSPAN_SPAN_LARGE;
	if (large && READ_ONCE(span->start) == addr) {
		/* Not if somebody else frees it, too: then it is none any more. */
		freed = in_nmi() ? defer(span) :
			kspan_page_heap_free(span, addr, KSPAN_SPAN_LARGE);
		large = freed;
	}
	rcu_read_unlock();
	if (large && !freed)
		kspan_bad_free_report(IS_ALIGNED(addr, 8) ? KSPAN_BAD_FREE_INTERIOR :
							    KSPAN_BAD_FREE_MISALIGNED, addr, 0);
	return large;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_free);

/**
 * kspan_large_size() - usable size of a large object
 * @addr: any address
 * Return: bytes; 0 when @addr is not the start of a large object.
 */
size_t kspan_large_size(unsigned long addr)
{
	struct kspan_span *span;
	size_t size = 0;

	rcu_read_lock_sched();
	span = kspan_map_span(addr);
	if (span && READ_ONCE(span->state) == KSPAN_SPAN_LARGE &&
	    READ_ONCE(span->start) == addr)
		size = kspan_span_bytes(span);
	rcu_read_unlock_sched();
	return size;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_size);

/**
 * kspan_large_resize() - change the size of a large object where it is
 * @addr:	the object, which is the caller's
 * @size:	bytes, 1...KSPAN_MAX_SIZE
 * @gfp:	the caller's flags; zeroing is left to the caller
 *
 * Return: whether it has whole pages for @size, and no more, now.
 */
bool kspan_large_resize(unsigned long addr, size_t size, gfp_t gfp)
{
	return kspan_page_heap_resize(addr, size_to_pages(size), gfp);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_resize);
