// SPDX-License-Identifier: GPL-2.0
/*
 * Changing the size of an object
 *
 * An object stays where it is if its slot is large enough. A large object also stays if the
 * pages behind it are free, and if it shrinks; then it gives pages back. Otherwise the object
 * is copied to a new one.
 *
 * An object may be freed wrongly by another CPU at any time, so contents are read and written
 * only while the object is held (kspan_hold()).
 *
 * Context: as kspan_malloc(), but not in an NMI.
 */
#include <linux/kspan.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "api/alloc.h"
#include "api/free.h"
#include "api/object.h"
#include "objects/track.h"

static void wipe(const void *p, size_t from, size_t to)
{
	if (from < to)
		memset((char *)p + from, 0, to - from);
}

/* Wipe part of an object while it is held, up to the end of the object at most. */
static void wipe_held(const void *p, size_t from, size_t to)
{
	struct kspan_found held;
	size_t size = kspan_hold(p, &held);

	if (!size)
		return;
	wipe(p, from, min(to, size));
	kspan_let_go(&held);
}

/*
 * Change the number of pages of a large object. Pages that it leaves are wiped for
 * init_on_free=, as freed objects are. Returns whether the object has the pages that @size
 * needs, and no more.
 */
static bool resize_large(const void *p, size_t old, size_t size, gfp_t gfp)
{
	size_t keep = kspan_large_roundup(size);
	bool done;

	if (keep == old)
		return true;
	if (want_init_on_free())
		wipe_held(p, keep, old);
	/*
	 * kmemleak knows an object by its size: register it anew. It must forget the old size
	 * before others get the pages that the object leaves.
	 */
	kmemleak_free(p);
	done = kspan_large_resize((unsigned long)p, size, kspan_gfp_here(gfp));
	if (done && want_init_on_alloc(gfp))
		wipe_held(p, old, keep);
	/* Not if another CPU freed it, wrongly, meanwhile. */
	if (done || kspan_large_size((unsigned long)p))
		kspan_remember((void *)p, done ? keep : old, gfp);
	return done;
}

/*
 * Fit an object to @size where it is, as far as possible. Returns whether it has room for
 * @size.
 */
static bool resize_in_place(const void *p, size_t old, size_t size, gfp_t gfp)
{
	bool large = !kspan_object_class(p) && kspan_large_size((unsigned long)p);

	if (size > old && (!large || size > KSPAN_MAX_SIZE))
		return false;
	if (large && !resize_large(p, old, size, gfp) && size > old)
		return false;
	/* Wipe up to the end of the old size; more was wiped above. */
	if (want_init_on_alloc(gfp) && size < old)
		wipe_held(p, size, SIZE_MAX);
	return true;
}

/*
 * Copy an object to a new one and free it. Returns false if somebody else has freed it
 * meanwhile.
 */
static bool move_object(void *object, const void *p, size_t size)
{
	struct kspan_found held;
	size_t old = kspan_hold(p, &held);

	if (!old)
		return false;
	memcpy(object, p, min(old, size));
	kspan_let_go(&held);
	kspan_free(p);
	return true;
}

typedef void *(*alloc_fn)(struct kspan_heap *heap, size_t size, gfp_t gfp);

/* Change the size of an object, or make a new one. @alloc makes the new object. */
static __always_inline void *realloc_by(alloc_fn alloc, struct kspan_heap *heap, const void *p,
					size_t size, gfp_t gfp, unsigned long site)
{
	size_t old = kspan_size(p);
	void *object;

	heap = kspan_heap_or_default(heap);
	if (ZERO_OR_NULL_PTR(p))
		return kspan_track(heap, alloc(heap, size, gfp), site);
	if (!old) {
		kspan_free_wrong(p);
		return NULL;
	}
	if (!size) {
		kspan_free(p);
		return ZERO_SIZE_PTR;
	}
	if (resize_in_place(p, old, size, gfp))
		return (void *)p;
	heap = kspan_object_heap(p);
	object = alloc(heap, size, gfp);
	if (object && !move_object(object, p, size)) {
		kspan_free_wrong(p);
		kspan_free(object);
		return NULL;
	}
	return kspan_track(heap, object, site);
}

/**
 * kspan_realloc() - change the size of an object
 * @p:		an object of the caller's, of any heap; NULL and ZERO_SIZE_PTR stand for an
 *		object of 0 bytes
 * @size:	bytes wanted; 0 frees @p and gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc(), for the case that the object must move
 *
 * Like krealloc(). The first bytes, up to the smaller of both sizes, keep their contents. The
 * object stays where it is, with the alignment it has, if its slot is large enough; an object
 * of more than 32 KiB also if it shrinks or the pages behind it are free. Otherwise it moves to
 * another address in the same heap, and @p is freed.
 *
 * With __GFP_ZERO or init_on_alloc= all bytes beyond those that are kept read as zero.
 *
 * Context: as kspan_malloc(), but not in an NMI.
 * Return: the object, which may be at another address, to be freed by kspan_free(); NULL if
 * there is no memory, and @p is as it was; NULL also if @p is wrong, which is reported.
 */
void *kspan_realloc(const void *p, size_t size, gfp_t gfp)
{
	return kspan_heap_realloc(&kspan_default_heap, p, size, gfp);
}
EXPORT_SYMBOL_GPL(kspan_realloc);

/**
 * kspan_heap_realloc() - change the size of an object, or allocate one from a heap
 * @heap:	where a new object comes from if @p is NULL or ZERO_SIZE_PTR; NULL for the
 *		default heap
 * @p:		as for kspan_realloc()
 * @size:	as for kspan_realloc()
 * @gfp:	as for kspan_realloc()
 *
 * An existing object stays in the heap that it is from, whatever @heap is; one of a typed cache
 * that must move moves to the default heap.
 *
 * Context: as kspan_realloc().
 * Return: as kspan_realloc().
 */
void *kspan_heap_realloc(struct kspan_heap *heap, const void *p, size_t size, gfp_t gfp)
{
	return realloc_by(kspan_malloc_from, heap, p, size, gfp, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_realloc);

/**
 * kspan_heap_kvrealloc() - change the size of an object to any size
 * @heap:	as for kspan_heap_realloc()
 * @p:		as for kspan_heap_realloc(); it may be an object of kspan_kvmalloc()
 * @size:	as for kspan_heap_realloc(); not limited
 * @gfp:	as for kspan_kvmalloc()
 *
 * Like kspan_heap_realloc(), but a new object is one of kspan_kvmalloc().
 *
 * Context: as kspan_realloc().
 * Return: as kspan_realloc().
 */
void *kspan_heap_kvrealloc(struct kspan_heap *heap, const void *p, size_t size, gfp_t gfp)
{
	return realloc_by(kspan_kvmalloc_from, heap, p, size, gfp, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_kvrealloc);

/**
 * kspan_realloc_array() - change the size of an array
 * @p:		as for kspan_realloc()
 * @n:		number of elements wanted
 * @size:	bytes of one element
 * @gfp:	as for kspan_realloc()
 *
 * Like krealloc_array().
 *
 * Context: as kspan_realloc().
 * Return: as kspan_realloc(); NULL also if @n * @size overflows a size_t. Then @p is as it was.
 */
void *kspan_realloc_array(const void *p, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return kspan_realloc(p, bytes, gfp);
}
EXPORT_SYMBOL_GPL(kspan_realloc_array);
