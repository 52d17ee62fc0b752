// SPDX-License-Identifier: GPL-2.0
/*
 * Frees that name the size
 *
 * The size that was asked for is not kept. But a request for the size that the caller names now
 * would get a slot of a certain size, or a certain number of pages; the object must have just
 * that.
 *
 * Context: as kspan_free().
 */
#include <linux/kspan.h>
#include <linux/log2.h>

#include "api/free.h"
#include "api/object.h"
#include "objects/bad_free.h"
#include "objects/heap.h"
#include "objects/kv.h"
#include "objects/large.h"
#include "objects/tiny.h"

/*
 * Whether a large object can be one of a request for @size bytes. Memory of the system's
 * reserves is one block of the page allocator, whose number of pages is a power of two.
 */
static bool is_large_of(unsigned long addr, size_t usable, size_t size)
{
	struct kspan_found found;
	size_t pages;
	bool loose;

	if (!size || size > usable)
		return false;
	pages = kspan_large_roundup(size);
	rcu_read_lock_sched();
	loose = kspan_lookup(addr, &found) && !READ_ONCE(found.span->arena);
	rcu_read_unlock_sched();
	return pages == usable || (loose && roundup_pow_of_two(pages) == usable);
}

static bool is_typed(const void *p)
{
	const struct kspan_heap *heap;
	unsigned int class;
	bool typed;

	rcu_read_lock_sched();
	heap = kspan_small_heap((unsigned long)p, &class);
	typed = heap && heap->private && heap->private->typed;
	rcu_read_unlock_sched();
	return typed;
}

static bool is_small_of(const void *p, size_t usable, size_t size)
{
	if (!size || size > usable)
		return false;
	/* For an object of a typed cache only a size that is too large is known to be wrong. */
	if (is_typed(p))
		return true;
	return kspan_size_classes[kspan_size_class(size)].size == usable;
}

static bool is_size_of(const void *p, size_t usable, size_t size)
{
	unsigned long addr = (unsigned long)p;

	if (kspan_object_class(p))
		return is_small_of(p, usable, size);
	if (kspan_tiny_size(addr))
		return size && size <= usable;
	if (kspan_kv_size(addr))
		return size == usable;
	return is_large_of(addr, usable, size);
}

/**
 * kspan_free_sized() - free memory of a size that the caller knows
 * @p:		as for kspan_free()
 * @size:	the bytes that were asked for. For kspan_malloc_aligned() that size rounded up
 *		to the alignment. For an object that kspan_realloc() has left where it was,
 *		kspan_size().
 *
 * Use this to find code that frees an object as something else than it was allocated as. If a
 * request for @size bytes would have got a slot of another size, or another number of pages,
 * the free is reported as wrong, and nothing is freed. For tiny objects and objects of typed
 * caches only a size that is too large is found.
 *
 * Context: as kspan_free().
 */
void kspan_free_sized(const void *p, size_t size)
{
	unsigned long addr = (unsigned long)p;
	size_t usable;

	if (ZERO_OR_NULL_PTR(p))
		return;
	usable = kspan_size(p);
	if (!usable)
		kspan_free_wrong(p);
	else if (is_size_of(p, usable, size))
		kspan_free(p);
	else
		kspan_bad_free_report_in(KSPAN_BAD_FREE_SIZE, addr, kspan_object_class(p), usable,
					 kspan_object_heap(p)->name);
}
EXPORT_SYMBOL_GPL(kspan_free_sized);
