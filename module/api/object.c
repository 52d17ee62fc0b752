// SPDX-License-Identifier: GPL-2.0
/*
 * What is at an address: an object's size, heap and class
 *
 * Any address may be asked about: that of an object in use, of a free one, or of memory that is
 * not kspan's at all. lookup.h tells how the answer is found without a lock and what may be
 * concluded from it. The answer is exact only for an object that nobody else frees meanwhile;
 * realloc.c, sized.c and free.c build on that.
 *
 * kspan_hold() is for code that reads or writes an object whose owner might free it wrongly
 * meanwhile.
 *
 * Context: any, NMI included, unless a function says otherwise.
 */
#include <linux/kspan.h>

#include "api/object.h"
#include "base/kunit_export.h"
#include "objects/central.h"
#include "objects/heap.h"
#include "objects/kv.h"
#include "objects/large.h"
#include "objects/seal.h"
#include "objects/slot.h"
#include "objects/tiny.h"

/**
 * kspan_small_heap() - find the heap of a small object
 * @addr:	any address
 * @class:	set to the class as the heap counts classes, if there is a heap
 *
 * Context: within rcu_read_lock() or with preemption off. The heap stays for as long.
 * Return: the heap, which may be a typed cache's; NULL if no span of small objects has the
 * address.
 */
struct kspan_heap *kspan_small_heap(unsigned long addr, unsigned int *class)
{
	struct kspan_span *span = kspan_map_small_span(addr);
	struct kspan_central *central = span ? kspan_span_central(span) : NULL;

	if (!central)
		return NULL;
	*class = central->class;
	return central->heap;
}

/**
 * kspan_object_heap() - find the heap that a larger object in place of this one should be from
 * @p:		an object of the caller's, of any size
 *
 * Return: the object's heap; the default heap if the object is of a typed cache, all of whose
 * objects have one size.
 */
struct kspan_heap *kspan_object_heap(const void *p)
{
	unsigned long addr = (unsigned long)p;
	struct kspan_heap *heap;
	unsigned int class;

	rcu_read_lock_sched();
	heap = kspan_small_heap(addr, &class) ?: kspan_large_heap(addr) ?: kspan_kv_heap(addr);
	if (!heap || (heap->private && heap->private->typed))
		heap = &kspan_default_heap;
	rcu_read_unlock_sched();
	return heap;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_object_heap);

/**
 * kspan_object_class() - find the class that the map has for an address
 * @p:		any address
 *
 * Return: the size class of the address's page; KSPAN_CLASS_PRIVATE for a page of a private
 * heap or typed cache; 0 if the page has no small objects, or tiny ones.
 */
unsigned int kspan_object_class(const void *p)
{
	struct kspan_span *span;
	unsigned int class = 0;

	rcu_read_lock_sched();
	span = kspan_map_small_span((unsigned long)p);
	if (span)
		class = READ_ONCE(span->class);
	rcu_read_unlock_sched();
	return class == KSPAN_CLASS_TINY ? 0 : class;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_object_class);

/**
 * kspan_hold() - keep an object's memory from being used otherwise
 * @p:		any address
 * @held:	what was found, for kspan_let_go()
 *
 * While the object is held its pages stay with kspan and with the same span, even if the
 * object's owner frees it, rightly or wrongly. A large object can't be freed by others. A small
 * one can be, and its slot may be handed out again.
 *
 * Context: any, NMI included. Hold an object only for as long as it takes to copy it.
 * Return: the object's usable size in bytes; 0 if no object is at @p. Then nothing is held.
 */
size_t kspan_hold(const void *p, struct kspan_found *held)
{
	unsigned long addr = (unsigned long)p;
	size_t size = 0;
	bool pinned;

	rcu_read_lock_sched();
	pinned = kspan_lookup(addr, held) && kspan_span_is_small(held->word.state) &&
		 kspan_found_pin(held);
	rcu_read_unlock_sched();
	if (!pinned)
		return kspan_large_hold(addr, held) ?: kspan_kv_hold(addr, held);
	/*
	 * The slot is looked at after the span was pinned: before that, the slot's page may
	 * have been given back.
	 */
	if (held->class == KSPAN_CLASS_TINY)
		size = kspan_tiny_size(addr);
	else if (kspan_found_slot(held, addr) == KSPAN_SLOT_OUT &&
		 !kspan_is_sealed(p, held->central->seal_at))
		size = kspan_central_usable(held->central);
	if (!size)
		kspan_span_unpin(held->span);
	return size;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_hold);

/* End kspan_hold(). */
void kspan_let_go(const struct kspan_found *held)
{
	if (kspan_span_is_small(held->word.state))
		kspan_span_unpin(held->span);
	else if (held->span)
		kspan_large_let_go(held);
	else
		kspan_kv_let_go(held);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_let_go);

static size_t private_size(unsigned long addr)
{
	struct kspan_found found;
	size_t size = 0;

	rcu_read_lock_sched();
	if (kspan_lookup_small(addr, KSPAN_CLASS_PRIVATE, &found) &&
	    kspan_found_slot(&found, addr) == KSPAN_SLOT_OUT) {
		size = kspan_central_usable(found.central);
		if (!kspan_found_stays(&found))
			size = 0;
	}
	rcu_read_unlock_sched();
	return size;
}

/**
 * kspan_size() - tell the usable size of an object
 * @p:		an object of the caller's, NULL or ZERO_SIZE_PTR
 *
 * Like ksize(), and with the same caveat: do not use the bytes beyond those that were asked
 * for. The compiler and CONFIG_FORTIFY_SOURCE take the requested size for the end of the
 * object. A caller that wants all bytes of a slot asks for kspan_size_roundup() bytes when it
 * allocates.
 *
 * Context: any, NMI included; never sleeps.
 * Return: bytes, at least those that were asked for; 0 for NULL, for ZERO_SIZE_PTR and where no
 * object is.
 */
size_t kspan_size(const void *p)
{
	unsigned long addr = (unsigned long)p;
	unsigned int class = kspan_object_class(p);

	if (!class)
		return kspan_large_size(addr) ?: kspan_tiny_size(addr) ?: kspan_kv_size(addr);
	/* The slot is out of its span: it is in use, or free in a magazine. */
	if (class == KSPAN_CLASS_PRIVATE)
		return private_size(addr);
	return kspan_central_peek(addr, class) == KSPAN_SLOT_OUT ?
	       kspan_size_classes[class].size : 0;
}
EXPORT_SYMBOL_GPL(kspan_size);

/**
 * kspan_size_roundup() - tell the usable size that a request would get
 * @size:	bytes
 *
 * Like kmalloc_size_roundup(). A request for the returned number of bytes takes no more memory
 * than one for @size, and the caller may use all of them.
 *
 * Context: any, NMI included.
 * Return: bytes; @size itself if it is 0 or larger than kspan_malloc() serves.
 */
size_t kspan_size_roundup(size_t size)
{
	if (size <= KSPAN_MAX_SMALL)
		return kspan_size_classes[kspan_size_class(size)].size;
	return size <= KSPAN_MAX_SIZE ? kspan_large_roundup(size) : size;
}
EXPORT_SYMBOL_GPL(kspan_size_roundup);

/* Whether a slot lies free in a magazine of its heap. Also true if the heap has gone meanwhile. */
static bool is_cached(const void *p)
{
	struct kspan_heap *heap;
	unsigned int class;
	bool cached;

	/* This section may be long, as there may be many magazines: it leaves preemption on. */
	rcu_read_lock();
	heap = kspan_small_heap((unsigned long)p, &class);
	cached = !heap || kspan_heap_caches(heap, class, p);
	rcu_read_unlock();
	return cached;
}

/**
 * kspan_object_is_out() - tell whether an address may be an object in use
 * @p:		any address
 * @page_class:	kspan_object_class(@p), or KSPAN_CLASS_TINY for a block of tiny objects
 *
 * Return: true for a slot that is out of its span, which may be in use or in a magazine, and
 * for a tiny, large or vmalloc() object.
 */
bool kspan_object_is_out(const void *p, unsigned int page_class)
{
	unsigned long addr = (unsigned long)p;

	if (page_class)
		return kspan_central_peek(addr, page_class) == KSPAN_SLOT_OUT;
	return kspan_tiny_size(addr) || kspan_large_size(addr) || kspan_kv_size(addr);
}

/**
 * kspan_owns() - tell whether an address is an object in use
 * @p:		any address
 *
 * For diagnosis only: it searches the caches of all CPUs. The answer is exact unless another
 * CPU allocates or frees the object at the same time.
 *
 * Context: task, softirq and hardirq; never sleeps.
 * Return: true if kspan_free() would free @p; false for NULL, for ZERO_SIZE_PTR, for an object
 * that was freed, and for memory that is not kspan's.
 */
bool kspan_owns(const void *p)
{
	unsigned int class = kspan_object_class(p);

	if (!kspan_object_is_out(p, class))
		return false;
	if (class == KSPAN_CLASS_PRIVATE)
		return !is_cached(p);
	return !class || !kspan_heap_caches(&kspan_default_heap, class, p);
}
EXPORT_SYMBOL_GPL(kspan_owns);
