// SPDX-License-Identifier: GPL-2.0
/*
 * Frees that tell the size
 *
 * What an object was asked for with is not kept anywhere. But a request for the size that
 * is told would have been given a certain slot, or number of pages, and that is what the
 * object must have.
 */
#include <linux/kspan.h>
#include <linux/log2.h>

#include "api/free.h"
#include "api/object.h"
#include "objects/bad_free.h"
#include "objects/heap.h"
#include "objects/kv.h"
#include "objects/large.h"

/* Of whole pages. What the system's reserves gave is a block of the page allocator's. */
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

static bool is_small_of(const void *p, size_t usable, size_t size)
{
	if (!size || size > usable)
		return false;
	/* Of a typed cache: how long its objects are is only known about. */
	if (kspan_object_class(p) == KSPAN_CLASS_PRIVATE &&
	    kspan_object_heap(p) == &kspan_default_heap)
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
 * kspan_free_sized() - free memory whose size the caller knows
 * @p:		as for kspan_free()
 * @size:	bytes that were asked for; of kspan_malloc_aligned() rounded up to the
 *		alignment; of what kspan_realloc() left where it was, kspan_size()
 *
 * A size that would have been given another slot, or another number of pages, is reported
 * as a wrong free, and nothing is freed. Of tiny objects and those of typed caches only a
 * size that is too large is known to be wrong.
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
