/* SPDX-License-Identifier: GPL-2.0 */
/* Per-CPU magazines: the fast paths, and what they fall back to. */
#ifndef KSPAN_CPU_CACHE_H
#define KSPAN_CPU_CACHE_H

#include <linux/jump_label.h>
#include <linux/percpu.h>
#include <linux/preempt.h>

#include "central.h"

/**
 * struct kspan_cpu_cache - the magazines of a heap on a CPU
 * @busy:	somebody on this CPU works with the cache
 * @nid:	node whose objects the cache holds: the CPU's, or the nearest
 *		that has memory
 * @loaded:	magazine to take from and give to, per class
 * @previous:	the one that was loaded before
 * @allocs:	objects handed out since load, per class
 *
 * Fields belong to whoever has set @busy, on the CPU itself with preemption
 * off; others may only read them, for statistics. Entry 0 of @loaded always
 * is kspan_no_magazine, which is empty and full at once.
 */
struct kspan_cpu_cache {
	u8 busy;
	int nid;
	struct kspan_magazine *loaded[KSPAN_NR_CLASSES];
	struct kspan_magazine *previous[KSPAN_NR_CLASSES];
	u64 allocs[KSPAN_NR_CLASSES];
};

/**
 * struct kspan_heap - a set of centrals and CPU caches
 * @name:	shown in reports
 * @cpu:	cache of each possible CPU
 * @node:	centrals of each possible node, one per class
 */
struct kspan_heap {
	const char *name;
	struct kspan_cpu_cache __percpu *cpu;
	struct kspan_central *node[MAX_NUMNODES];
};

extern struct kspan_magazine kspan_no_magazine;

/* More than one node may have memory. */
DECLARE_STATIC_KEY_FALSE(kspan_numa);

static inline struct kspan_central *kspan_heap_central(struct kspan_heap *heap, int nid,
						       unsigned int class)
{
	return &heap->node[nid][class];
}

/**
 * kspan_cpu_cache_enter() - make this CPU's cache one's own
 * @heap: the heap
 *
 * No locked instruction, and interrupts stay on: preemption is turned off, and
 * an interrupt that finds the mark set keeps away from the cache.
 *
 * Context: any, NMI included.
 * Return: the cache, or NULL when the interrupted code is at work with it.
 */
static __always_inline struct kspan_cpu_cache *kspan_cpu_cache_enter(struct kspan_heap *heap)
{
	struct kspan_cpu_cache *cache;

	preempt_disable();
	cache = this_cpu_ptr(heap->cpu);
	if (unlikely(READ_ONCE(cache->busy))) {
		preempt_enable();
		return NULL;
	}
	WRITE_ONCE(cache->busy, 1);
	/* To interrupts the mark stands before all that is done under it. */
	barrier();
	return cache;
}

/** kspan_cpu_cache_leave() - undo kspan_cpu_cache_enter() */
static __always_inline void kspan_cpu_cache_leave(struct kspan_cpu_cache *cache)
{
	barrier();
	WRITE_ONCE(cache->busy, 0);
	preempt_enable();
}

void *kspan_cpu_cache_refill(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			     unsigned int class);
bool kspan_cpu_cache_spill(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			   unsigned int class, void *object);

/**
 * kspan_cpu_cache_pop() - take an object
 * @heap:	the heap
 * @cache:	its entered cache
 * @class:	size class; 0 gives NULL
 *
 * Return: an object, or NULL when neither the cache nor the central has one.
 */
static __always_inline void *kspan_cpu_cache_pop(struct kspan_heap *heap,
						 struct kspan_cpu_cache *cache,
						 unsigned int class)
{
	struct kspan_magazine *mag = cache->loaded[class];

	if (unlikely(!mag->count))
		return kspan_cpu_cache_refill(heap, cache, class);
	cache->allocs[class]++;
	return mag->slot[--mag->count];
}

enum kspan_push {
	KSPAN_PUSHED,
	KSPAN_PUSH_REPEATED,	/* the newest object of the magazine again */
	KSPAN_PUSH_FULL,	/* class 0, or no magazine to be had */
};

/**
 * kspan_cpu_cache_push() - give an object
 * @heap:	the heap
 * @cache:	its entered cache
 * @class:	size class of the object's page; 0 gives KSPAN_PUSH_FULL
 * @object:	the object
 *
 * Return: enum kspan_push; the object was taken if KSPAN_PUSHED.
 */
static __always_inline enum kspan_push kspan_cpu_cache_push(struct kspan_heap *heap,
							    struct kspan_cpu_cache *cache,
							    unsigned int class, void *object)
{
	struct kspan_magazine *mag = cache->loaded[class];
	u32 count = mag->count;

	/* In an empty magazine this compares with count and cap. */
	if (unlikely(mag->slot[(long)count - 1] == object))
		return KSPAN_PUSH_REPEATED;
	if (unlikely(count == mag->cap))
		return kspan_cpu_cache_spill(heap, cache, class, object) ?
			KSPAN_PUSHED : KSPAN_PUSH_FULL;
	mag->slot[count] = object;
	mag->count = count + 1;
	return KSPAN_PUSHED;
}

int kspan_cpu_caches_init(struct kspan_heap *heap);
void kspan_cpu_caches_exit(struct kspan_heap *heap);
void kspan_cpu_caches_flush(struct kspan_heap *heap);
void kspan_cpu_cache_drain(struct kspan_heap *heap, unsigned int cpu);
bool kspan_cpu_caches_hold(struct kspan_heap *heap, unsigned int class, const void *object);
void kspan_cpu_caches_count(struct kspan_heap *heap, unsigned int class,
			    unsigned long *cached, u64 *allocs);

#endif /* KSPAN_CPU_CACHE_H */
