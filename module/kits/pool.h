/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pools of initialised objects: what a CPU has of a pool, generations, statistics.
 *
 * pool.c has the overview.
 */
#ifndef KSPAN_POOL_H
#define KSPAN_POOL_H

#include <linux/jump_label.h>
#include <linux/kspan.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "objects/busy.h"
#include "objects/handle.h"

struct seq_file;

/* Objects that a CPU keeps of each generation, unless the user says another number. */
#define KSPAN_POOL_CAP		32
/* An object that is put is always compared with so many of the CPU's newest objects. */
#define KSPAN_POOL_COMPARED	2
/*
 * Most objects that a CPU may keep of a generation. Half of them at most are moved at once, with
 * interrupts off.
 */
#define KSPAN_POOL_CAP_MAX	1024

/* Events that are counted besides the gets and puts of the fast path. */
enum kspan_pool_event {
	KSPAN_POOL_HIT,		/* a get that found an object, but not in the CPU's cache */
	KSPAN_POOL_MISS,	/* a get that found no object */
	KSPAN_POOL_FAIL,	/* a miss for which no new object could be made */
	KSPAN_POOL_PUT,		/* a put that did not go through the CPU's cache */
	KSPAN_POOL_DROP,	/* object destroyed: no room, or unused for two generations */
	KSPAN_POOL_NR_EVENTS,
};

/**
 * struct kspan_pool_stack - objects of one generation
 * @count:	objects in the stack
 * @cap:	most objects that may be in it; 0 in a closed cache
 * @none:	NULL, so that even an empty stack has newest objects to compare with
 * @object:	the objects, newest last
 *
 * The stack of a CPU belongs to the owner of that CPU's busy mark. The stacks of a shared cache are
 * protected by kspan_pool.lock. Others may read @count, @cap and @object without the lock, and take
 * what they find for a hint.
 */
struct kspan_pool_stack {
	u32 count;
	u32 cap;
	void *none[KSPAN_POOL_COMPARED];
	void *object[];
};

/**
 * struct kspan_pool_cache - objects of two generations
 * @primary:	objects that were put since the last generation ended
 * @victim:	objects that were not used since then
 *
 * A cache is closed when a generation ends while it is empty. Nothing can be put into a closed
 * cache, so the first put takes the slow path, which opens the cache and starts the clock.
 */
struct kspan_pool_cache {
	struct kspan_pool_stack *primary;
	struct kspan_pool_stack *victim;
};

/**
 * struct kspan_pool_cpu - what a CPU has of a pool
 * @busy:	the CPU's code is working with @cache
 * @cache:	objects that were put on the CPU
 * @hits:	gets that @cache served
 * @puts:	puts that @cache took
 * @events:	counts of kspan_pool_event, changed by this_cpu_add(), with or without the mark
 * @stacks:	memory of the stacks of @cache
 *
 * All but @events belongs to the code that has set @busy, on this CPU with preemption off. Other
 * CPUs only read, for statistics and to find objects that are put twice. kspan_pool_drain() writes
 * the cache of a dead CPU.
 */
struct kspan_pool_cpu {
	u8 busy;
	struct kspan_pool_cache cache;
	u64 hits;
	u64 puts;
	u64 events[KSPAN_POOL_NR_EVENTS];
	void *stacks;
};

/**
 * struct kspan_pool - a pool of objects
 * @cpu:	what each possible CPU has of it
 * @ops:	copy of the user's, with defaults filled in
 * @gfp:	flags that new objects are made with
 * @lock:	protects @shared
 * @shared:	objects for all CPUs: those beyond a CPU's cap, and those that interrupts put
 * @list:	in kspan_pools; kspan_pools_mutex
 * @generations: generations that ended since the pool was made; kspan_pools_mutex
 * @module:	name of the user's module
 * @handle:	entry in the table of what modules have made
 * @calls:	calls of the user's functions that are under way. It is dying when the functions
 *		must not be called any more, as their module goes.
 *
 * The two stacks of @shared lie behind the structure.
 */
struct kspan_pool {
	struct kspan_pool_cpu __percpu *cpu;
	struct kspan_pool_ops ops;
	gfp_t gfp;
	raw_spinlock_t lock;
	struct kspan_pool_cache shared;
	struct list_head list;
	u64 generations;
	const char *module;
	struct kspan_handle handle;
	struct percpu_ref calls;
};

/**
 * struct kspan_pool_stats - figures of a pool
 * @primary:	objects in the pool that were put since the last generation ended
 * @victim:	the other objects in the pool
 * @gets:	calls of kspan_pool_get() and kspan_pool_get_gfp()
 * @hits:	gets that were served by an object from the pool
 * @news:	objects that were made
 * @puts:	objects that came back
 * @drops:	objects that were destroyed
 * @generations: generations that ended
 */
struct kspan_pool_stats {
	unsigned long primary;
	unsigned long victim;
	u64 gets;
	u64 hits;
	u64 news;
	u64 puts;
	u64 drops;
	u64 generations;
};

/*
 * So many objects are destroyed between two looks at a cache, while nobody has its busy mark or
 * lock.
 */
#define KSPAN_POOL_BATCH	16

/*
 * All pools. The mutex protects the list and the end of a generation. No memory is allocated under
 * it, and the shrinker only tries to take it.
 */
extern struct mutex kspan_pools_mutex;
extern struct list_head kspan_pools;

/* Seconds from the end of a generation to the next end, 0 for no clock; a module parameter. */
extern unsigned int kspan_pool_seconds;

/* Whether each object that is put is looked for in the whole pool; a module parameter. */
DECLARE_STATIC_KEY_FALSE(kspan_pool_check);

/**
 * kspan_pool_enter() - make this CPU's cache one's own
 * @pool:	the pool
 * @pc:		set to what the CPU has of it
 *
 * As kspan_cpu_cache_enter().
 *
 * Context: any, NMI included.
 * Return: false, with nothing done, when the interrupted code is at work with
 * the cache.
 */
static __always_inline bool kspan_pool_enter(struct kspan_pool *pool, struct kspan_pool_cpu **pc)
{
	preempt_disable();
	*pc = this_cpu_ptr(pool->cpu);
	if (likely(kspan_busy_mark(&(*pc)->busy)))
		return true;
	preempt_enable();
	return false;
}

/** kspan_pool_leave() - undo kspan_pool_enter() */
static __always_inline void kspan_pool_leave(struct kspan_pool_cpu *pc)
{
	kspan_busy_leave(&pc->busy);
}

/* Takes the newest object, or returns NULL. The caller is the stack's owner or has its lock. */
static __always_inline void *kspan_pool_stack_pop(struct kspan_pool_stack *stack)
{
	u32 count = stack->count;

	if (unlikely(!count))
		return NULL;
	WRITE_ONCE(stack->count, count - 1);
	return stack->object[count - 1];
}

/* Returns false if there is no room. The caller is the stack's owner or has its lock. */
static __always_inline bool kspan_pool_stack_push(struct kspan_pool_stack *stack, void *object)
{
	u32 count = stack->count;

	if (unlikely(count >= stack->cap))
		return false;
	stack->object[count] = object;
	/*
	 * Pairs with the smp_load_acquire() in stack_has(), kits/pool.c: a CPU that sees the new
	 * count sees the object, too.
	 */
	smp_store_release(&stack->count, count + 1);
	return true;
}

/**
 * kspan_pool_stack_pop_some() - take the newest objects of a stack, in their order
 * @stack:	from here; the caller is its owner or has its lock
 * @objects:	has room for @n pointers
 * @n:		most objects to take
 *
 * Return: how many objects were taken.
 */
static inline unsigned int kspan_pool_stack_pop_some(struct kspan_pool_stack *stack,
						     void **objects, unsigned int n)
{
	n = min(n, stack->count);
	WRITE_ONCE(stack->count, stack->count - n);
	memcpy(objects, stack->object + stack->count, n * sizeof(*objects));
	return n;
}

/* How many objects a cache has. Without its mark or lock that is a hint. */
static inline unsigned int kspan_pool_cache_holds(const struct kspan_pool_cache *cache)
{
	return READ_ONCE(READ_ONCE(cache->primary)->count) +
	       READ_ONCE(READ_ONCE(cache->victim)->count);
}

static inline void kspan_pool_count_events(struct kspan_pool *pool, enum kspan_pool_event event,
					   unsigned int n)
{
	this_cpu_add(pool->cpu->events[event], n);
}

/* pool_calls.c: calls of the user's functions */
void kspan_pool_default_destroy(void *object);
bool kspan_pool_is_stuck(const struct kspan_pool *pool);
bool kspan_pool_is_called(struct kspan_pool *pool);
void *kspan_pool_make(struct kspan_pool *pool, gfp_t gfp);
void kspan_pool_destroy_objects(struct kspan_pool *pool, void **objects, unsigned int n);

/* pool_generation.c: open and closed caches, generations and their clock */
void kspan_pool_cache_open(struct kspan_pool *pool, struct kspan_pool_cache *cache);
void kspan_pool_cache_close(struct kspan_pool_cache *cache);
void kspan_pool_count_objects(struct kspan_pool *pool, unsigned long *primary,
			      unsigned long *victim);
void kspan_pool_stop_idle_clock(void);
int kspan_pool_generations_init(void);
void kspan_pool_generations_exit(void);

/* pools.c: creation and destruction */
int kspan_pool_init(void);
void kspan_pool_exit(void);
void kspan_pool_drain(unsigned int cpu);
void kspan_pools_forget(const struct module *module);

unsigned long kspan_pool_end_generation(void);
void kspan_pool_settle(void);
void kspan_pool_trim(void);
unsigned long kspan_pool_tick(unsigned long now);
bool kspan_pool_clock_runs(void);
void kspan_pool_restart_clock(void);

unsigned long kspan_pool_shrink_count(struct shrinker *shrinker, struct shrink_control *sc);
unsigned long kspan_pool_shrink_scan(struct shrinker *shrinker, struct shrink_control *sc);

void kspan_pool_stats_read(struct kspan_pool *pool, struct kspan_pool_stats *stats);
bool kspan_pool_has(struct kspan_pool *pool, const void *object);
bool kspan_pools_find(const void *object, char *name, size_t size);
void kspan_pools_show(struct seq_file *m, bool json);

#endif /* KSPAN_POOL_H */
