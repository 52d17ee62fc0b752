/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cache that a CPU has of a heap: its magazines, and the fast paths
 *
 * cpu_cache.c has the slow paths, capacity.h decides how much the magazines may hold, and
 * cpu_caches.h has what concerns the caches of all CPUs.
 */
#ifndef KSPAN_CPU_CACHE_H
#define KSPAN_CPU_CACHE_H

#include <linux/jump_label.h>
#include <linux/kspan.h>
#include <linux/percpu.h>
#include <linux/preempt.h>

#include "objects/batch.h"
#include "objects/busy.h"
#include "objects/depot.h"
#include "objects/heap.h"
#include "objects/large.h"
#include "objects/large_cache.h"
#include "objects/seal.h"
#include "objects/slot.h"
#include "objects/tiny.h"

/* Events that a CPU counts, besides the allocations of each class. */
enum kspan_event {
	KSPAN_ALLOC_REMOTE,	/* got memory of the node it asked for, which is not the CPU's */
	KSPAN_ALLOC_FALLBACK,	/* got memory of another node than it asked for */
	KSPAN_FREE_REMOTE,	/* small object of another node than the CPU's */
	KSPAN_TINY_ALLOC,
	KSPAN_TINY_FREE,
	KSPAN_TINY_CLASS_BYTES,	/* bytes that these would have taken in size classes */
	KSPAN_REFILL,		/* a magazine came from the central */
	KSPAN_SPILL,		/* a magazine was passed on to the central */
	KSPAN_STEAL,		/* a class lost capacity to another */
	KSPAN_LARGE_ALLOC,	/* large object that the CPU had kept */
	KSPAN_LARGE_ALLOC_PAGES,	/* pages of these objects */
	KSPAN_NR_EVENTS,
};

/**
 * struct kspan_cpu_class - a size class on a CPU
 * @loaded:	magazine that serves allocations and frees
 * @previous:	magazine that was loaded before
 * @to_sample:	objects up to the next one that the heap profile samples, which makes it -1
 * @limit:	objects that either magazine may hold; see capacity.c
 * @magic:	struct kspan_size_class.magic of the class; 0 where there is no class
 */
struct kspan_cpu_class {
	struct kspan_magazine *loaded;
	struct kspan_magazine *previous;
	s64 to_sample;
	u8 limit;
	u32 magic;
};

/*
 * An entry of the map names a class by its upper bits. They are at the same time the offset of the
 * class in kspan_cpu_cache.class, so the size of this struct is fixed.
 */
static_assert(sizeof(struct kspan_cpu_class) == BIT(KSPAN_CLASS_SHIFT));
static_assert(KSPAN_CLASS_SHIFT == KSPAN_ENTRY_SHIFT);

/**
 * struct kspan_cpu_cache - the cache of a heap on a CPU
 * @busy:	mark of the code on this CPU that works with the cache; see busy.h
 * @victim:	class that lost capacity last
 * @nid:	node whose objects the cache holds: the CPU's, or the nearest that has memory
 * @classes:	classes of the pages of that node
 * @secret:	kspan_secret, for addresses less @classes.base
 * @capacity:	bytes of objects that all magazines together may hold; grows up to
 *		kspan_cpu_cache_bytes, unless that is 0
 * @tiny:	the block that tiny objects are packed into
 * @large:	large objects that the CPU freed last
 * @retired:	spans that lost their last object during this visit, for
 *		kspan_cpu_cache_finish(); empty while the mark is not set
 * @own_start:	in a typed cache: start of a span on @nid that belongs to the cache
 * @own_bytes:	length of that span; 0 until an object was freed
 * @own_gone:	kspan_heap.gone when that span was noted
 * @seen:	what kspan_cpu_cache_rests() saw at the last call
 * @large_seen:	KSPAN_LARGE_ALLOC when kspan_cpu_cache_large_rests() was called last
 * @drain:	asks the CPU to drain the cache; written by any CPU
 * @drain_large: the same, of @large alone
 * @events:	counted by this_cpu_inc() with or without the mark, or always with it
 * @arming:	odd while @armed and @to_sample of a class change together
 * @armed:	by size class: what @to_sample was set to, all in all; 0 until it was set first.
 *		So the class has handed out @armed - @to_sample objects since the heap was made.
 *		The array lies behind @class.
 * @class:	by size class; one more entry than the heap has classes
 *
 * The code that has set @busy owns the fields. It runs on the CPU itself, with preemption off.
 * Others may only read them, for statistics. Class 0, and KSPAN_CLASS_PRIVATE in the default
 * heap, always have kspan_no_magazine in both places, which is empty and full at once.
 */
struct kspan_cpu_cache {
	u8 busy;
	u8 victim;
	int nid;
	unsigned int capacity;
	struct kspan_class_map classes;
	unsigned long secret;
	struct kspan_tiny tiny;
	struct kspan_large_cache large;
	struct list_head retired;
	unsigned long own_start;
	unsigned long own_bytes;
	int own_gone;
	u64 seen;
	u64 large_seen;
	bool drain;
	bool drain_large;
	u64 events[KSPAN_NR_EVENTS];
	u32 arming;
	u64 *armed;
	struct kspan_cpu_class class[];
};

extern struct kspan_magazine kspan_no_magazine;

/* Enabled when the system may have memory on more than one node. */
DECLARE_STATIC_KEY_FALSE(kspan_numa);

/* The default heap's cache of a CPU, so that the fast paths reach it by one load. */
struct kspan_default_cpu {
	struct kspan_cpu_cache *cache;
};

DECLARE_PER_CPU(struct kspan_default_cpu, kspan_default_cpu);

/* The cache of this CPU. If the compiler knows that it is the default heap's, that is one load. */
static __always_inline struct kspan_cpu_cache *kspan_cpu_cache_here(struct kspan_heap *heap)
{
	if (__builtin_constant_p(heap == &kspan_default_heap) && heap == &kspan_default_heap)
		return this_cpu_read(kspan_default_cpu.cache);
	return this_cpu_ptr(heap->cpu);
}

/* kspan_cpu_cache_enter() for a caller that has preemption off. */
static __always_inline bool kspan_cpu_cache_mark(struct kspan_heap *heap,
						 struct kspan_cpu_cache **cache)
{
	*cache = kspan_cpu_cache_here(heap);
	return kspan_busy_mark(&(*cache)->busy);
}

/* kspan_cpu_cache_leave() for a caller that keeps preemption off. */
static __always_inline void kspan_cpu_cache_unmark(struct kspan_cpu_cache *cache)
{
	kspan_busy_unmark(&cache->busy);
}

/**
 * kspan_cpu_cache_enter() - make the caller the owner of this CPU's cache
 * @heap:	owner of the cache
 * @cache:	set to the cache
 *
 * This takes no locked instruction, and interrupts stay on. Preemption is turned off, and an
 * interrupt that finds the mark set does not touch the cache.
 *
 * Context: any, NMI included.
 * Return: false, and nothing is done, when the interrupted code works with the cache.
 */
static __always_inline bool kspan_cpu_cache_enter(struct kspan_heap *heap,
						  struct kspan_cpu_cache **cache)
{
	preempt_disable();
	if (likely(kspan_cpu_cache_mark(heap, cache)))
		return true;
	preempt_enable();
	return false;
}

/** kspan_cpu_cache_leave() - undo kspan_cpu_cache_enter() */
static __always_inline void kspan_cpu_cache_leave(struct kspan_cpu_cache *cache)
{
	kspan_busy_leave(&cache->busy);
}

/* A size class of the cache. The compiler is made to keep its address in one register. */
static __always_inline struct kspan_cpu_class *
kspan_cpu_class(struct kspan_cpu_cache *cache, unsigned int class)
{
	struct kspan_cpu_class *of_class = &cache->class[class];

	if (!__builtin_constant_p(class))
		OPTIMIZER_HIDE_VAR(of_class);
	return of_class;
}

/* The same, by the map's entry of a page of the class. */
static __always_inline struct kspan_cpu_class *
kspan_cpu_class_of_entry(struct kspan_cpu_cache *cache, u32 entry)
{
	unsigned long offset = entry & -KSPAN_ENTRY_PAGES;

	/* If the offset is used once or twice, it is cheaper as a part of the load or store. */
	OPTIMIZER_HIDE_VAR(offset);
	return (void *)cache->class + offset;
}

/*
 * The newest object of a magazine. If the magazine is empty, a value that is no object's address.
 */
static __always_inline void *kspan_magazine_newest(const struct kspan_magazine *mag, u32 count)
{
	return mag->object[(long)count - 1];
}

/* kspan_cpu_cache_pop() for a caller that has the CPU's class at hand. */
static __always_inline bool kspan_cpu_class_pop(struct kspan_cpu_class *of_class, void **object)
{
	struct kspan_magazine *mag = of_class->loaded;
	u32 count = mag->count;

	if (unlikely(!count) || unlikely(--of_class->to_sample < 0))
		return false;
	*object = kspan_magazine_newest(mag, count);
	/* Decremented in memory: that is one instruction less. */
	mag->count--;
	return true;
}

/**
 * kspan_cpu_cache_pop() - take an object from the loaded magazine
 * @cache:	an entered cache
 * @class:	size class
 * @object:	set to the object
 *
 * Return: false when the magazine is empty, as it always is for class 0; or when the object is
 * to be sampled, see sampled.h.
 */
static __always_inline bool kspan_cpu_cache_pop(struct kspan_cpu_cache *cache,
						unsigned int class, void **object)
{
	return kspan_cpu_class_pop(kspan_cpu_class(cache, class), object);
}

/* kspan_cpu_cache_push() for a caller that seals the object itself. */
static __always_inline bool kspan_cpu_class_push(struct kspan_cpu_class *of_class, void *object)
{
	struct kspan_magazine *mag = of_class->loaded;
	u32 count = mag->count;

	if (unlikely(count >= mag->cap))
		return false;
	mag->object[count] = object;
	/* An interrupt on this CPU may read the magazine: it must find objects only. */
	barrier();
	/*
	 * Incremented in memory: that is one instruction, where another register would take
	 * three.
	 */
	mag->count++;
	return true;
}

/*
 * kspan_cpu_class_push() that also seals the object. It returns false as well if the object is
 * sealed already. It does not look at the seal when the magazine has no room, and an address that
 * has no class never finds room.
 */
static __always_inline bool kspan_cpu_class_push_sealed(struct kspan_cpu_class *of_class,
							void *object, unsigned long *where,
							unsigned long seal)
{
	struct kspan_magazine *mag = of_class->loaded;
	u32 count = mag->count;

	/*
	 * Another CPU that writes to the freed object meanwhile is a bug of the module that uses
	 * kspan.
	 */
	if (unlikely(count >= mag->cap) || unlikely(data_race(*where) == seal))
		return false;
	mag->object[count] = object;
	/* An interrupt on this CPU may read the magazine: it must find objects only. */
	barrier();
	mag->count++;
	WRITE_ONCE(*where, seal);
	return true;
}

/**
 * kspan_cpu_cache_push() - put an object into the loaded magazine
 * @cache:	an entered cache
 * @class:	size class of the object's page
 * @object:	the object, which is not sealed yet
 * @seal_at:	offset of the seal in the object, in bytes
 *
 * Return: false when the magazine is full, as it always is for class 0. Where seals are not
 * used, also false when @object is the newest object of the magazine: a double free.
 */
static __always_inline bool kspan_cpu_cache_push(struct kspan_cpu_cache *cache,
						 unsigned int class, void *object,
						 unsigned int seal_at)
{
	struct kspan_magazine *mag = cache->class[class].loaded;

	if (!static_branch_likely(&kspan_frees_exactly) &&
	    kspan_magazine_newest(mag, mag->count) == object)
		return false;
	if (!kspan_cpu_class_push(&cache->class[class], object))
		return false;
	kspan_seal(object, seal_at);
	return true;
}

static inline bool kspan_is_magazine(const struct kspan_magazine *mag)
{
	return mag != &kspan_no_magazine;
}

/*
 * Set how much a magazine may hold. A magazine of another CPU may have more objects than this CPU's
 * limit: they stay until they are used.
 */
static inline void kspan_magazine_set_cap(struct kspan_magazine *mag, unsigned int limit)
{
	if (kspan_is_magazine(mag))
		WRITE_ONCE(mag->cap, max(mag->count, limit));
}

/* The magazine that has to give way to a new one; NULL when the place is free. */
static inline struct kspan_magazine *kspan_displaced(struct kspan_magazine *mag)
{
	return kspan_is_magazine(mag) ? mag : NULL;
}

void kspan_cpu_cache_finish(struct kspan_cpu_cache *cache);
bool kspan_cpu_cache_reload(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			    unsigned int class, gfp_t gfp);
void *kspan_cpu_cache_refill(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			     unsigned int class, gfp_t gfp);
unsigned int kspan_cpu_cache_room(struct kspan_heap *heap, unsigned int class, int nid);
bool kspan_cpu_cache_stock(struct kspan_heap *heap, unsigned int class,
			   struct kspan_central *central, struct list_head *spans,
			   void **object);
bool kspan_cpu_cache_spill(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			   unsigned int class, void *object);

#endif /* KSPAN_CPU_CACHE_H */
