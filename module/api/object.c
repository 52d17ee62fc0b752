// SPDX-License-Identifier: GPL-2.0
/*
 * What an address is
 */
#include <linux/kspan.h>

#include "api/object.h"
#include "base/kunit_export.h"
#include "objects/heap.h"
#include "objects/kv.h"
#include "objects/large.h"

/* The heap of a small object, which stays as long as RCU is read-locked; or NULL. */
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
 * kspan_object_heap() - heap that a larger object in place of one is to be from
 * @p: an object, which is the caller's
 * Return: its heap, the default heap for one of a typed cache.
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
 * kspan_object_class() - class of the page of any address, on any node
 * @p: address
 * Return: the class, 0 for none.
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
 * kspan_hold() - have an object stay one while it is read or written
 * @p:		any address
 * @held:	set to what kspan_let_go() wants
 *
 * Whoever frees it meanwhile, rightly or not, its memory stays kspan's, and no span of
 * others. A large object can't be freed by others, a slot may be handed out again.
 *
 * Context: any, NMI included; for as long as a copy of the object takes.
 * Return: its usable size; 0, and nothing to let go, when no object is at @p.
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
	/* Only now: what was a slot before may have gone with its page. */
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

/** kspan_let_go() - undo kspan_hold() */
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
 * kspan_size() - usable size of an object
 * @p: a live object, NULL or ZERO_SIZE_PTR
 *
 * Not for whoever wants to use all of it, as with ksize(): for the compiler, and
 * CONFIG_FORTIFY_SOURCE, an object ends where the request did. Round up before, by
 * kspan_size_roundup(), and ask for that.
 *
 * Context: as kspan_free().
 * Return: bytes, at least what was asked for; 0 when no object is known to be
 * at @p.
 */
size_t kspan_size(const void *p)
{
	unsigned long addr = (unsigned long)p;
	unsigned int class = kspan_object_class(p);

	if (!class)
		return kspan_large_size(addr) ?: kspan_tiny_size(addr) ?: kspan_kv_size(addr);
	/* Out of its span: in use, or in a magazine. */
	if (class == KSPAN_CLASS_PRIVATE)
		return private_size(addr);
	return kspan_central_peek(addr, class) == KSPAN_SLOT_OUT ?
	       kspan_size_classes[class].size : 0;
}
EXPORT_SYMBOL_GPL(kspan_size);

/**
 * kspan_size_roundup() - usable size that a request would get
 * @size: bytes
 *
 * A request for that many bytes takes the same slot, and all of it may be used.
 *
 * Context: any.
 * Return: bytes; @size itself when it is 0 or too large to be served.
 */
size_t kspan_size_roundup(size_t size)
{
	if (size <= KSPAN_MAX_SMALL)
		return kspan_size_classes[kspan_size_class(size)].size;
	return size <= KSPAN_MAX_SIZE ? kspan_large_roundup(size) : size;
}
EXPORT_SYMBOL_GPL(kspan_size_roundup);

/* Whether the heap of a slot has it in a magazine; also when it is in none any more. */
static bool is_cached(const void *p)
{
	struct kspan_heap *heap;
	unsigned int class;
	bool cached;

	/* There may be many magazines to look into. */
	rcu_read_lock();
	heap = kspan_small_heap((unsigned long)p, &class);
	cached = !heap || kspan_heap_caches(heap, class, p);
	rcu_read_unlock();
	return cached;
}

/* Whether an address is a slot that is out of its span, or a tiny or large object. */
bool kspan_object_is_out(const void *p, unsigned int page_class)
{
	unsigned long addr = (unsigned long)p;

	if (page_class)
		return kspan_central_peek(addr, page_class) == KSPAN_SLOT_OUT;
	return kspan_tiny_size(addr) || kspan_large_size(addr) || kspan_kv_size(addr);
}

/**
 * kspan_owns() - whether an address is a live object
 * @p: any address
 *
 * For diagnosis: looks through the caches of all CPUs. The answer is exact
 * for an object that nobody is allocating or freeing meanwhile.
 *
 * Context: task, softirq and hardirq.
 * Return: whether kspan_free() would free it.
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
