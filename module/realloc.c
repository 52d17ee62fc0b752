// SPDX-License-Identifier: GPL-2.0
/*
 * Changing the size of an object
 *
 * An object stays where it is if its slot is large enough; a large one also if
 * the pages behind it are free, or when it shrinks, and then gives pages back.
 */
#include <linux/kspan.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "kvmalloc.h"
#include "malloc.h"
#include "track.h"

static void wipe(const void *p, size_t from, size_t to)
{
	if (from < to)
		memset((char *)p + from, 0, to - from);
}

/* The same, no further than to the end of an object that is held. */
static void wipe_held(const void *p, size_t from, size_t to)
{
	struct kspan_found held;
	size_t size = kspan_hold(p, &held);

	if (!size)
		return;
	wipe(p, from, min(to, size));
	kspan_let_go(&held);
}

/* Pages that a shrinking object leaves are wiped as freed objects are. */
static bool resize_large(const void *p, size_t old, size_t size, gfp_t gfp)
{
	size_t keep = kspan_large_roundup(size);
	bool done;

	if (keep == old)
		return true;
	if (want_init_on_free())
		wipe_held(p, keep, old);
	/* For kmemleak it is another object then: others get the pages that it leaves. */
	kmemleak_free(p);
	done = kspan_large_resize((unsigned long)p, size, kspan_gfp_here(gfp));
	if (done && want_init_on_alloc(gfp))
		wipe_held(p, old, keep);
	/* Not if another CPU freed it, wrongly, meanwhile. */
	if (done || kspan_large_size((unsigned long)p))
		kspan_remember((void *)p, done ? keep : old, gfp);
	return done;
}

/* Whether the object has room for @size where it is, and no more than it needs. */
static bool resize(const void *p, size_t old, size_t size, gfp_t gfp)
{
	bool large = !kspan_object_class(p) && kspan_large_size((unsigned long)p);

	if (size > old && (!large || size > KSPAN_MAX_SIZE))
		return false;
	if (large && !resize_large(p, old, size, gfp) && size > old)
		return false;
	/* Up to what it had: what lies behind was wiped above. */
	if (want_init_on_alloc(gfp) && size < old)
		wipe_held(p, size, SIZE_MAX);
	return true;
}

/* To a new object; false if it is none any more, as somebody else freed it. */
static bool move(void *object, const void *p, size_t size)
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

/* @alloc makes a new object where there is none, or where it must move. */
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
	if (resize(p, old, size, gfp))
		return (void *)p;
	heap = kspan_object_heap(p);
	object = alloc(heap, size, gfp);
	if (object && !move(object, p, size)) {
		kspan_free_wrong(p);
		kspan_free(object);
		return NULL;
	}
	return kspan_track(heap, object, site);
}

/**
 * kspan_realloc() - change the size of an object
 * @p:		the object; NULL and ZERO_SIZE_PTR mean a new one
 * @size:	bytes wanted; 0 frees @p and gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc(), if the object must move
 *
 * An object stays where it is, with the alignment it has, when its slot is
 * large enough, or, for one above 32 KiB, when it shrinks or the pages behind it
 * are free. With __GFP_ZERO, or init_on_alloc=, what lies beyond the bytes that
 * are kept reads as zero.
 *
 * Context: as kspan_malloc(), but not in an NMI.
 * Return: the object; or NULL with @p as it was, also when @p is wrong.
 */
void *kspan_realloc(const void *p, size_t size, gfp_t gfp)
{
	return kspan_heap_realloc(&kspan_default_heap, p, size, gfp);
}
EXPORT_SYMBOL_GPL(kspan_realloc);

/**
 * kspan_heap_realloc() - change the size of an object, or allocate one from a heap
 * @heap:	where a new object comes from; NULL for the default heap
 * @p:		the object, of any heap; NULL and ZERO_SIZE_PTR mean a new one
 * @size:	as for kspan_realloc()
 * @gfp:	as for kspan_malloc()
 *
 * An object that must move stays in its heap; one of a typed cache moves to the
 * default heap.
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
 * kspan_heap_kvrealloc() - kspan_heap_realloc() to any size
 * @heap:	as for kspan_heap_realloc()
 * @p:		likewise; also of kspan_kvmalloc()
 * @size:	as for kspan_kvmalloc()
 * @gfp:	likewise
 *
 * Context: as kspan_realloc(); where @gfp does not let it sleep vmalloc() is not asked.
 * Return: as kspan_realloc().
 */
void *kspan_heap_kvrealloc(struct kspan_heap *heap, const void *p, size_t size, gfp_t gfp)
{
	return realloc_by(kspan_kvmalloc_from, heap, p, size, gfp, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_kvrealloc);

/**
 * kspan_realloc_array() - change the size of an array
 * @p:		the array; NULL and ZERO_SIZE_PTR mean a new one
 * @n:		elements
 * @size:	bytes of an element
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_realloc().
 * Return: as kspan_realloc(); NULL also when @n * @size does not fit a size_t.
 */
void *kspan_realloc_array(const void *p, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return kspan_realloc(p, bytes, gfp);
}
EXPORT_SYMBOL_GPL(kspan_realloc_array);
