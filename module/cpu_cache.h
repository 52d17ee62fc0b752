/* SPDX-License-Identifier: GPL-2.0 */
/* Per-CPU magazines: the fast paths, and what they fall back to. */
#ifndef KSPAN_CPU_CACHE_H
#define KSPAN_CPU_CACHE_H

#include <linux/jump_label.h>
#include <linux/kspan.h>
#include <linux/percpu.h>
#include <linux/preempt.h>

#include "large.h"
#include "seal.h"
#include "tiny.h"

/* What is counted apart from allocations by class. */
enum kspan_event {
	KSPAN_ALLOC_REMOTE,	/* on the node asked for, which is not the CPU's */
	KSPAN_ALLOC_FALLBACK,	/* on another node than the one asked for */
	KSPAN_FREE_REMOTE,	/* of a small object of another node than the CPU's */
	KSPAN_TINY_ALLOC,
	KSPAN_TINY_FREE,
	KSPAN_TINY_CLASS_BYTES,	/* that tiny objects would have taken in size classes */
	KSPAN_REFILL,		/* magazines got from the central */
	KSPAN_SPILL,		/* magazines given to the central */
	KSPAN_STEAL,		/* classes that lost capacity to another */
	KSPAN_LARGE_ALLOC,	/* of an object that the CPU had kept */
	KSPAN_LARGE_ALLOC_PAGES,	/* of these */
	KSPAN_NR_EVENTS,
};

/**
 * struct kspan_cpu_class - what a CPU has of a size class
 * @loaded:	magazine to take from and give to
 * @previous:	the one that was loaded before
 * @allocs:	objects handed out since load
 * @limit:	objects that either magazine may hold
 * @magic:	the class's, see struct kspan_size_class; 0 where there is no class
 */
struct kspan_cpu_class {
	struct kspan_magazine *loaded;
	struct kspan_magazine *previous;
	u64 allocs;
	u8 limit;
	u32 magic;
};

/* log2 of its bytes: what an entry of the map has of a class is where a CPU has it, too. */
static_assert(sizeof(struct kspan_cpu_class) == BIT(KSPAN_CLASS_SHIFT));
static_assert(KSPAN_CLASS_SHIFT == KSPAN_ENTRY_SHIFT);

/**
 * struct kspan_cpu_cache - the magazines of a heap on a CPU
 * @busy:	somebody on this CPU works with the cache
 * @victim:	class that lost capacity last
 * @nid:	node whose objects the cache holds: the CPU's, or the nearest
 *		that has memory
 * @classes:	classes of the pages of that node
 * @secret:	kspan_secret, for addresses less @classes.base
 * @capacity:	bytes of objects that all magazines may hold; grows up to
 *		kspan_cpu_cache_bytes, unless that is 0
 * @tiny:	the block that tiny objects are packed into
 * @large:	large objects that the CPU freed last
 * @retired:	spans without an object, for kspan_cpu_cache_finish(); empty when nobody is at work
 * @own_start:	of a typed cache, a span on @nid that is its own, and
 * @own_bytes:	its length; 0 until an object was freed
 * @own_gone:	the heap's @gone then
 * @seen:	what the scavenger saw of its use last
 * @large_seen:	large objects that it had allocated from here when the scavenger saw it last
 * @flush:	somebody wants it to be flushed by its CPU; written by anybody
 * @flush_large: the same, of @large alone
 * @events:	counted by this_cpu_inc() with or without the mark, or always under it
 * @class:	one more than the heap has classes
 *
 * Fields belong to whoever has set @busy, on the CPU itself with preemption
 * off; others may only read them, for statistics. The magazines of class 0, and of
 * KSPAN_CLASS_PRIVATE in the default heap, always are kspan_no_magazine, which is
 * empty and full at once.
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
	bool flush;
	bool flush_large;
	u64 events[KSPAN_NR_EVENTS];
	struct kspan_cpu_class class[];
};

/**
 * struct kspan_heap - a set of centrals and CPU caches
 * @cpu:	cache of each possible CPU
 * @classes:	size classes, 0 of which is no class
 * @nr_classes:	length of @classes
 * @central:	for each possible node one per class; in a private heap NULL until the
 *		first object of that class and node is allocated
 * @name:	shown in reports
 * @cache_most: most bytes of objects that the magazines of a CPU may hold, besides
 *		kspan_cpu_cache_bytes; 0 for no such limit
 * @budget:	what its caches may hold, and do
 * @seal_at:	where the seal of a free slot is: 0, or behind the object
 * @gone:	of a typed cache, changes whenever a span or a page of one was given up
 * @tracked:	a private heap whose objects' call sites are noted
 * @most_at_once: largest size that kspan_heap_malloc() has nothing more to do for: 0 if
 *		@tracked, else KSPAN_MAX_SMALL
 * @failures:	requests that got NULL
 * @private:	what the default heap has not
 */
struct kspan_heap {
	struct kspan_cpu_cache __percpu *cpu;
	const struct kspan_size_class *classes;
	unsigned int nr_classes;
	struct kspan_central **central;
	const char *name;
	unsigned int cache_most;
	struct kspan_budget budget;
	unsigned int seal_at;
	atomic_t gone;
	bool tracked;
	size_t most_at_once;
	atomic_long_t failures;
	struct kspan_private *private;
};

extern struct kspan_magazine kspan_no_magazine;

/* Bytes of objects that the magazines of a CPU may hold; a module parameter. */
extern unsigned int kspan_cpu_cache_bytes;

/* More than one node may have memory. */
DECLARE_STATIC_KEY_FALSE(kspan_numa);

static inline struct kspan_central *kspan_heap_central(struct kspan_heap *heap, int nid,
						       unsigned int class)
{
	/* Pairs with the release of whoever makes it. */
	return smp_load_acquire(&heap->central[nid * heap->nr_classes + class]);
}

extern struct kspan_heap kspan_default_heap;

/* The cache that the default heap has of a CPU. */
struct kspan_default_cpu {
	struct kspan_cpu_cache *cache;
};

DECLARE_PER_CPU(struct kspan_default_cpu, kspan_default_cpu);

/* The cache of this CPU: of the default heap, where the compiler knows it, by one load. */
static __always_inline struct kspan_cpu_cache *kspan_cpu_cache_here(struct kspan_heap *heap)
{
	if (__builtin_constant_p(heap == &kspan_default_heap) && heap == &kspan_default_heap)
		return this_cpu_read(kspan_default_cpu.cache);
	return this_cpu_ptr(heap->cpu);
}

/* kspan_cpu_cache_enter() where preemption is off. */
static __always_inline bool kspan_cpu_cache_mark(struct kspan_heap *heap,
						 struct kspan_cpu_cache **cache)
{
	*cache = kspan_cpu_cache_here(heap);
	/* Only this CPU writes the mark, an interrupt leaves it as it was: that is no data race. */
	if (unlikely(data_race((*cache)->busy)))
		return false;
	WRITE_ONCE((*cache)->busy, 1);
	/* To interrupts the mark stands before all that is done under it. */
	barrier();
	return true;
}

/* kspan_cpu_cache_leave() where preemption stays off. */
static __always_inline void kspan_cpu_cache_unmark(struct kspan_cpu_cache *cache)
{
	barrier();
	WRITE_ONCE(cache->busy, 0);
}

/**
 * kspan_cpu_cache_enter() - make this CPU's cache one's own
 * @heap:	the heap
 * @cache:	set to the cache
 *
 * No locked instruction, and interrupts stay on: preemption is turned off, and
 * an interrupt that finds the mark set keeps away from the cache.
 *
 * Context: any, NMI included.
 * Return: false, with nothing done, when the interrupted code is at work with
 * the cache.
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
	kspan_cpu_cache_unmark(cache);
	preempt_enable();
}

/* What a CPU has of a class, in one register. */
static __always_inline struct kspan_cpu_class *
kspan_cpu_class(struct kspan_cpu_cache *cache, unsigned int class)
{
	struct kspan_cpu_class *of_class = &cache->class[class];

	if (!__builtin_constant_p(class))
		OPTIMIZER_HIDE_VAR(of_class);
	return of_class;
}

/* The same, by what the map has of a page of the class. */
static __always_inline struct kspan_cpu_class *
kspan_cpu_class_of_entry(struct kspan_cpu_cache *cache, u32 entry)
{
	unsigned long offset = entry & -KSPAN_ENTRY_PAGES;

	/* Used once or twice: cheaper as a part of the instruction that loads or stores. */
	OPTIMIZER_HIDE_VAR(offset);
	return (void *)cache->class + offset;
}

/* kspan_cpu_cache_pop() where the caller knows what the CPU has of the class. */
static __always_inline bool kspan_cpu_class_pop(struct kspan_cpu_class *of_class, void **object)
{
	struct kspan_magazine *mag = of_class->loaded;
	u32 count = mag->count;

	if (unlikely(!count))
		return false;
	*object = mag->slot[--count];
	mag->count = count;
	of_class->allocs++;
	return true;
}

/**
 * kspan_cpu_cache_pop() - take an object from the loaded magazine
 * @cache:	an entered cache
 * @class:	size class
 * @object:	set to the object
 *
 * Return: false when the magazine is empty, as it always is for class 0.
 */
static __always_inline bool kspan_cpu_cache_pop(struct kspan_cpu_cache *cache,
						unsigned int class, void **object)
{
	return kspan_cpu_class_pop(kspan_cpu_class(cache, class), object);
}

/* The newest object of a magazine; of an empty one, what is no object. */
static __always_inline void *kspan_magazine_newest(const struct kspan_magazine *mag, u32 count)
{
	return mag->slot[(long)count - 1];
}

/* kspan_cpu_cache_push() where the caller seals the object. */
static __always_inline bool kspan_cpu_class_push(struct kspan_cpu_class *of_class, void *object)
{
	struct kspan_magazine *mag = of_class->loaded;
	u32 count = mag->count;

	if (unlikely(count >= mag->cap))
		return false;
	mag->slot[count] = object;
	/* An interrupt that looks through the magazine sees objects only. */
	barrier();
	/* In memory: it takes an instruction where another register would take three. */
	mag->count++;
	return true;
}

/*
 * The same, and seal it. False also when it is sealed already, which is not looked at where there
 * is no room: as there never is for what has no class.
 */
static __always_inline bool kspan_cpu_class_push_sealed(struct kspan_cpu_class *of_class,
							void *object, unsigned long *where,
							unsigned long seal)
{
	struct kspan_magazine *mag = of_class->loaded;
	u32 count = mag->count;

	/* That somebody writes to the object meanwhile would be a data race of his. */
	if (unlikely(count >= mag->cap) || unlikely(data_race(*where) == seal))
		return false;
	mag->slot[count] = object;
	/* An interrupt that looks through the magazine sees objects only. */
	barrier();
	mag->count++;
	WRITE_ONCE(*where, seal);
	return true;
}

/**
 * kspan_cpu_cache_push() - give an object to the loaded magazine
 * @cache:	an entered cache
 * @class:	size class of the object's page
 * @object:	the object, which is not sealed
 * @seal_at:	where it will be
 *
 * Return: false when the magazine is full, as it always is for class 0; and, where seals are
 * not used, when @object is the newest in it already.
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

void kspan_cpu_cache_finish(struct kspan_cpu_cache *cache);
void kspan_cpu_cache_feed_large(struct kspan_heap *heap, struct kspan_cpu_cache *cache);
bool kspan_cpu_cache_reload(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			    unsigned int class, gfp_t gfp);
unsigned int kspan_cpu_cache_room(struct kspan_heap *heap, unsigned int class, int nid);
bool kspan_cpu_cache_stock(struct kspan_heap *heap, unsigned int class,
			   struct kspan_central *central, struct list_head *spans,
			   void **object);
void *kspan_cpu_cache_refill(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			     unsigned int class, gfp_t gfp);
bool kspan_cpu_cache_spill(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			   unsigned int class, void *object);

size_t kspan_cpu_cache_sizeof(unsigned int nr_classes);
int kspan_cpu_caches_init(struct kspan_heap *heap);
void kspan_cpu_caches_exit(struct kspan_heap *heap);
void kspan_cpu_caches_flush_locked(struct kspan_heap *heap);
void kspan_cpu_caches_flush(struct kspan_heap *heap);
bool kspan_cpu_cache_empty(struct kspan_heap *heap);
bool kspan_cpu_cache_flush_here(struct kspan_heap *heap, int nid);
bool kspan_cpu_cache_holds_any(const struct kspan_heap *heap, unsigned int cpu);
bool kspan_cpu_cache_rests(struct kspan_heap *heap, unsigned int cpu);
bool kspan_cpu_cache_large_rests(struct kspan_cpu_cache *cache);
void kspan_cpu_cache_drain_large_here(struct kspan_heap *heap);
void kspan_cpu_caches_drop(struct kspan_heap *heap);
void kspan_cpu_cache_prepare(struct kspan_heap *heap, unsigned int cpu);
void kspan_cpu_caches_learn(struct kspan_heap *heap);
void kspan_cpu_cache_drain(struct kspan_heap *heap, unsigned int cpu);
unsigned long kspan_cpu_cache_drawn(const struct kspan_heap *heap,
				    const struct kspan_cpu_cache *cache);
unsigned int kspan_cpu_cache_holds(const struct kspan_cpu_cache *cache, unsigned int class);
void kspan_cpu_caches_count_large(struct kspan_heap *heap, unsigned long *objects,
				  unsigned long *pages);
u64 kspan_cpu_caches_events(struct kspan_heap *heap, enum kspan_event event);
bool kspan_cpu_caches_hold(struct kspan_heap *heap, unsigned int class, const void *object);
void kspan_cpu_caches_count(struct kspan_heap *heap, unsigned int class,
			    unsigned long *cached, u64 *allocs);

#endif /* KSPAN_CPU_CACHE_H */
