/* SPDX-License-Identifier: GPL-2.0 */
/* The default heap, and what the files of the API share. */
#ifndef KSPAN_MALLOC_H
#define KSPAN_MALLOC_H

#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/ratelimit.h>
#include <linux/sched/mm.h>

#include "heap.h"
#include "large.h"

#define KSPAN_GFP_REFUSED	(__GFP_DMA | __GFP_DMA32)

/* Requests that got NULL for what they asked, whatever memory there was. */
enum kspan_refusal {
	KSPAN_REFUSED_ZONE,
	KSPAN_REFUSED_SIZE,
	KSPAN_REFUSED_ALIGN,
	KSPAN_REFUSED_MARK,
	KSPAN_REFUSED_PRESSURE,
	KSPAN_REFUSED_HEAP,
	KSPAN_NR_REFUSALS,
};

unsigned long kspan_refused(enum kspan_refusal refusal);
void *kspan_refuse(enum kspan_refusal refusal, const char *why, unsigned long value, gfp_t gfp);
void *kspan_refuse_zone(gfp_t gfp);
/* Of the default heap, and of private heaps. */
extern struct ratelimit_state kspan_failure_limit[2];
void kspan_tell_failure(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid);

/* NULL stands for the default heap in all calls that allocate from a heap. */
static inline struct kspan_heap *kspan_heap_or_default(struct kspan_heap *heap)
{
	/* A jump that is never taken: a conditional move would always be there. */
	if (unlikely(!heap))
		heap = &kspan_default_heap;
	return heap;
}

/* The flags of a request, as the heap has them. */
static inline gfp_t kspan_heap_gfp(const struct kspan_heap *heap, gfp_t gfp)
{
	if (!heap->private)
		return gfp;
	return (gfp | heap->private->gfp_on) & ~heap->private->gfp_off;
}

void *kspan_malloc_from(struct kspan_heap *heap, size_t size, gfp_t gfp);
void kspan_count_node(struct kspan_heap *heap, const void *object, int wanted);
void kspan_free_wrong(const void *p);
struct kspan_heap *kspan_object_heap(const void *p);
size_t kspan_hold(const void *p, struct kspan_found *held);
void kspan_let_go(const struct kspan_found *held);

unsigned int kspan_object_class(const void *p);

static __always_inline void kspan_check_context(gfp_t gfp)
{
	/* Elsewhere it would only offer to be preempted. */
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP) || IS_ENABLED(CONFIG_LOCKDEP))
		might_alloc(gfp);
}

/* Node whose objects this CPU caches; a hint, the task may move. */
static inline int kspan_home_node(void)
{
	return raw_cpu_ptr(kspan_default_heap.cpu)->nid;
}

/* kmemleak spins on locks of its own, so it is not told of what NMIs allocate. */
static __always_inline void kspan_remember(void *object, size_t size, gfp_t gfp)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && !in_nmi() && !(gfp & KSPAN_GFP_NOLOCK))
		kmemleak_alloc(object, size, 1, gfp);
}

/* @zero is what @gfp says of __GFP_ZERO, as a constant where the caller knows it. */
static __always_inline void *kspan_initialise(void *object, size_t size, gfp_t zero, gfp_t gfp)
{
	if (want_init_on_alloc(zero))
		memset(object, 0, size);
	kspan_remember(object, size, gfp);
	return object;
}

#define kspan_count(heap, event)	this_cpu_inc((heap)->cpu->events[event])

/* In this order the arguments are in place when a fast path goes on there. */
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

void *kspan_heap_alloc_chunk(struct kspan_heap *heap, size_t size, gfp_t gfp);
void kspan_heap_free_chunk(void *chunk);

/* Flags that need more than the fast path does. */
#define KSPAN_GFP_SPECIAL	(KSPAN_GFP_REFUSED | __GFP_ZERO)

/*
 * An object of a size class, from a heap with the classes of the default heap. Slow
 * paths are tail calls, so that this needs no stack frame. @zero is what @gfp says of
 * __GFP_ZERO, as a constant where the caller knows it.
 */
static __always_inline void *__kspan_malloc_class_of(struct kspan_heap *heap, unsigned int class,
						     gfp_t gfp, gfp_t zero)
{
	struct kspan_cpu_cache *cache;
	void *object;

	if (unlikely(!kspan_cpu_cache_enter(heap, &cache)))
		return kspan_malloc_slow(class, gfp, heap);
	if (unlikely(!kspan_cpu_cache_pop(cache, class, &object)))
		return kspan_malloc_refill(class, gfp, heap, cache);
	kspan_cpu_cache_leave(cache);
	kspan_unseal_first(object);
	kspan_remember(object, kspan_size_classes[class].size, gfp);
	/* Out of line, or the size would be loaded where it is not needed, too. */
	return want_init_on_alloc(zero) ? kspan_clear_slot(object, class) : object;
}

/* The same, with any flags. */
static __always_inline void *kspan_malloc_class_of(struct kspan_heap *heap, unsigned int class,
						   gfp_t gfp)
{
	kspan_check_context(gfp);
	if (unlikely(gfp & KSPAN_GFP_SPECIAL))
		return kspan_malloc_special(class, gfp, heap);
	return __kspan_malloc_class_of(heap, class, gfp, 0);
}

/* kspan_malloc() from such a heap. */
static __always_inline void *kspan_malloc_of(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	if (unlikely(size > KSPAN_MAX_SMALL)) {
		kspan_check_context(gfp);
		return kspan_malloc_large(size, gfp, heap);
	}
	return kspan_malloc_class_of(heap, kspan_size_class(size), gfp);
}

#endif /* KSPAN_MALLOC_H */
