/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocation: the fast paths, which other files inline, and what the files of api/ call of
 * alloc.c.
 *
 * A heap with the classes of the default heap is the default heap itself or a private heap that
 * is not a typed cache. Names that end in _of() take such a heap.
 */
#ifndef KSPAN_ALLOC_H
#define KSPAN_ALLOC_H

#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "objects/cpu_cache.h"
#include "objects/heap.h"
#include "objects/large.h"
#include "objects/refuse.h"

/* A caller of the API means the default heap by NULL, in all calls that allocate from a heap. */
static inline struct kspan_heap *kspan_heap_or_default(struct kspan_heap *heap)
{
	/*
	 * The compiler makes a jump of this, which is never taken. A conditional move would be
	 * executed by every call.
	 */
	if (unlikely(!heap))
		heap = &kspan_default_heap;
	return heap;
}

/*
 * The caller's gfp flags, after those that the heap's creator had set or cleared for all
 * requests (struct kspan_heap_options).
 */
static inline gfp_t kspan_heap_gfp(const struct kspan_heap *heap, gfp_t gfp)
{
	if (!heap->private)
		return gfp;
	return (gfp | heap->private->gfp_on) & ~heap->private->gfp_off;
}

void *kspan_malloc_from(struct kspan_heap *heap, size_t size, gfp_t gfp);
void kspan_count_node(struct kspan_heap *heap, const void *object, int wanted);

static __always_inline void kspan_check_context(gfp_t gfp)
{
	/* In other configurations might_alloc() checks nothing and only offers to be preempted. */
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP) || IS_ENABLED(CONFIG_LOCKDEP))
		might_alloc(gfp);
}

/*
 * The NUMA node whose objects this CPU caches. This is a hint: the task may move to another CPU
 * at any time.
 */
static inline int kspan_home_node(void)
{
	return raw_cpu_ptr(kspan_default_heap.cpu)->nid;
}

/*
 * Tell kmemleak of a new object. kmemleak spins on locks of its own, which the interrupted code
 * may hold: it never learns of what an NMI allocates.
 */
static __always_inline void kspan_remember(void *object, size_t size, gfp_t gfp)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && !in_nmi() && !(gfp & KSPAN_GFP_NOLOCK))
		kmemleak_alloc(object, size, 1, gfp);
}

/*
 * Zero an object if the caller or init_on_alloc= asks for it, and tell kmemleak. @zero is what
 * @gfp says of __GFP_ZERO; it is a constant where the caller knows it at compile time.
 */
static __always_inline void *kspan_initialise(void *object, size_t size, gfp_t zero, gfp_t gfp)
{
	if (want_init_on_alloc(zero))
		memset(object, 0, size);
	kspan_remember(object, size, gfp);
	return object;
}

#define kspan_count(heap, event)	this_cpu_inc((heap)->cpu->events[event])

/*
 * The slow paths take their arguments in the order in which the fast paths have them in
 * registers, so that the jump there needs no moves.
 */
void *kspan_malloc_slow(unsigned int class, gfp_t gfp, struct kspan_heap *heap);
void *kspan_malloc_refill(unsigned int class, gfp_t gfp, struct kspan_heap *heap,
			  struct kspan_cpu_cache *cache);
void *kspan_clear_slot(void *object, unsigned int class);
void *kspan_malloc_special(unsigned int class, gfp_t gfp, struct kspan_heap *heap);
void *kspan_malloc_large(size_t size, gfp_t gfp, struct kspan_heap *heap);
void kspan_provision(struct kspan_heap *heap, unsigned int class, gfp_t gfp);
void *kspan_malloc_slot(struct kspan_heap *heap, unsigned int class, gfp_t gfp);
void *kspan_malloc_slot_node(struct kspan_heap *heap, unsigned int class, gfp_t gfp, int node);
void *kspan_initialise_slot(const struct kspan_heap *heap, void *object, unsigned int class,
			    gfp_t gfp);
unsigned int kspan_alloc_slots(struct kspan_heap *heap, unsigned int class, gfp_t gfp,
			       unsigned int n, void **p);
void *kspan_malloc_node_of(struct kspan_heap *heap, size_t size, gfp_t gfp, int node);
void *kspan_malloc_array_of(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp);
void *kspan_malloc_aligned_of(struct kspan_heap *heap, size_t size, size_t align, gfp_t gfp);
void *kspan_tiny_alloc_of(struct kspan_heap *heap, size_t size, gfp_t gfp);

void *kspan_kvmalloc_from(struct kspan_heap *heap, size_t size, gfp_t gfp);
void *kspan_malloc_class_nolock(struct kspan_heap *heap, unsigned int class);
void *kspan_heap_alloc_chunk(struct kspan_heap *heap, size_t size, gfp_t gfp);

/* gfp flags that the fast path can't serve: zones, which are refused, and zeroing. */
#define KSPAN_GFP_SPECIAL	(KSPAN_GFP_REFUSED | __GFP_ZERO)

/*
 * The class of an offset in kspan_cpu_cache.class. The offset is hidden from the compiler, which
 * otherwise computes the class on the fast path, where nothing needs it.
 */
static __always_inline unsigned int kspan_class_at(unsigned long offset)
{
	OPTIMIZER_HIDE_VAR(offset);
	return offset >> KSPAN_CLASS_SHIFT;
}

/*
 * Allocate an object of a size class, from a heap with the classes of the default heap. Slow
 * paths are tail calls, so this function needs no stack frame. @zero is what @gfp says of
 * __GFP_ZERO; it is a constant where the caller knows it at compile time.
 */
static __always_inline void *__kspan_malloc_class_of(struct kspan_heap *heap, unsigned int class,
						     gfp_t gfp, gfp_t zero)
{
	/* Of a class that is not known at compile time only the offset is kept. */
	unsigned long offset = (unsigned long)class << KSPAN_CLASS_SHIFT;
	struct kspan_cpu_cache *cache;
	void *object;

	if (unlikely(!kspan_cpu_cache_enter(heap, &cache)))
		return kspan_malloc_slow(kspan_class_at(offset), gfp, heap);
	if (unlikely(!kspan_cpu_class_pop((void *)cache->class + offset, &object)))
		return kspan_malloc_refill(kspan_class_at(offset), gfp, heap, cache);
	kspan_cpu_cache_leave(cache);
	kspan_unseal_first(object);
	kspan_remember(object, kspan_size_classes[kspan_class_at(offset)].size, gfp);
	/*
	 * The size is loaded out of line: inline, the load would also happen where nothing is
	 * zeroed.
	 */
	return want_init_on_alloc(zero) ? kspan_clear_slot(object, kspan_class_at(offset)) :
					  object;
}

/* The same as __kspan_malloc_class_of(), with any gfp flags. */
static __always_inline void *kspan_malloc_class_of(struct kspan_heap *heap, unsigned int class,
						   gfp_t gfp)
{
	kspan_check_context(gfp);
	if (unlikely(gfp & KSPAN_GFP_SPECIAL))
		return kspan_malloc_special(class, gfp, heap);
	return __kspan_malloc_class_of(heap, class, gfp, 0);
}

/* kspan_malloc() from a heap with the classes of the default heap. */
static __always_inline void *kspan_malloc_of(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	if (unlikely(size > KSPAN_MAX_SMALL)) {
		kspan_check_context(gfp);
		return kspan_malloc_large(size, gfp, heap);
	}
	return kspan_malloc_class_of(heap, kspan_size_class(size), gfp);
}

#endif /* KSPAN_ALLOC_H */
