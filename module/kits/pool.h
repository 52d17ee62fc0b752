/* SPDX-License-Identifier: GPL-2.0 */
/* Pools of initialised objects: what a CPU has, generations, statistics. */
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

#include "objects/handle.h"

struct seq_file;

/* Objects that a CPU keeps per generation, where the user does not say. */
#define KSPAN_POOL_CAP		32
/* The newest objects of a CPU, with which one that is put is always compared. */
#define KSPAN_POOL_COMPARED	2
/* What moves at once, with interrupts off, is half of it at most. */
#define KSPAN_POOL_CAP_MAX	1024

/* What is counted apart from gets and puts on the fast path. */
enum kspan_pool_event {
	KSPAN_POOL_HIT,		/* get past the CPU's cache, of an object that was put */
	KSPAN_POOL_MISS,	/* get that found none */
	KSPAN_POOL_FAIL,	/* of these, for which there was no new one either */
	KSPAN_POOL_PUT,		/* past the CPU's cache */
	KSPAN_POOL_DROP,	/* objects destroyed: no room, or unused for two generations */
	KSPAN_POOL_NR_EVENTS,
};

/**
 * struct kspan_pool_stack - objects of one generation
 * @count:	objects held
 * @cap:	most that may be put; 0 in a closed cache
 * @none:	NULL, so that there is always something to compare with
 * @object:	the objects, newest last
 */
struct kspan_pool_stack {
	u32 count;
	u32 cap;
	void *none[KSPAN_POOL_COMPARED];
	void *object[];
};

/**
 * struct kspan_pool_cache - objects of two generations
 * @primary:	put since the last generation ended
 * @victim:	not used since then
 *
 * A cache is closed while it is empty, and has been for a generation: then the
 * first put has to take the slow path, which starts the clock.
 */
struct kspan_pool_cache {
	struct kspan_pool_stack *primary;
	struct kspan_pool_stack *victim;
};

/**
 * struct kspan_pool_cpu - a pool on a CPU
 * @busy:	somebody on this CPU works with @cache
 * @cache:	objects that were put on the CPU
 * @hits:	gets that it served
 * @puts:	puts that it took
 * @events:	counted by this_cpu_add(), with or without the mark
 * @stacks:	memory of those of @cache
 *
 * All but @events belongs to whoever has set @busy, on the CPU itself with
 * preemption off; others may only read, for statistics.
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
 * @cpu:	what each possible CPU has
 * @ops:	a copy of the user's, with defaults filled in
 * @gfp:	what new objects are made with
 * @lock:	protects @shared
 * @shared:	objects for all CPUs: beyond a CPU's cap, and of interrupts
 * @list:	in the list of all pools
 * @generations: that ended since it was made
 * @module:	name of the user's module
 * @handle:	whose it is
 * @calls:	of the user's functions that are under way; it is dying when they are not to be
 *		called any more, as their module goes
 *
 * Behind it lie the two stacks of @shared.
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
 * @primary:	objects held that were put since the last generation ended
 * @victim:	other objects held
 * @gets:	that were asked for
 * @hits:	of these, served by an object that was put
 * @news:	objects made
 * @puts:	objects that came back
 * @drops:	objects destroyed
 * @generations: that ended
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

/* Objects that are destroyed at a time, after the cache was left. */
#define KSPAN_POOL_BATCH	16

/*
 * All pools. The mutex protects the list and the end of a generation. Under it nothing is
 * allocated, and the shrinker only tries it.
 */
extern struct mutex kspan_pools_mutex;
extern struct list_head kspan_pools;

/* Seconds after which a generation ends; a module parameter. */
extern unsigned int kspan_pool_seconds;

/* Objects that are put are looked for in all of the pool; a module parameter. */
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
	/* Only this CPU writes the mark, an interrupt leaves it as it was: that is no data race. */
	if (unlikely(data_race((*pc)->busy))) {
		preempt_enable();
		return false;
	}
	WRITE_ONCE((*pc)->busy, 1);
	/* To interrupts the mark stands before all that is done under it. */
	barrier();
	return true;
}

/** kspan_pool_leave() - undo kspan_pool_enter() */
static __always_inline void kspan_pool_leave(struct kspan_pool_cpu *pc)
{
	barrier();
	WRITE_ONCE(pc->busy, 0);
	preempt_enable();
}

static __always_inline void *kspan_pool_stack_pop(struct kspan_pool_stack *stack)
{
	u32 count = stack->count;

	if (unlikely(!count))
		return NULL;
	WRITE_ONCE(stack->count, count - 1);
	return stack->object[count - 1];
}

static __always_inline bool kspan_pool_stack_push(struct kspan_pool_stack *stack, void *object)
{
	u32 count = stack->count;

	if (unlikely(count >= stack->cap))
		return false;
	stack->object[count] = object;
	/* Pairs with the acquire in stack_has(). */
	smp_store_release(&stack->count, count + 1);
	return true;
}

/* The newest @n objects, as far as there are that many, in their order. */
static inline unsigned int kspan_pool_stack_pop_some(struct kspan_pool_stack *stack,
						     void **objects, unsigned int n)
{
	n = min(n, stack->count);
	WRITE_ONCE(stack->count, stack->count - n);
	memcpy(objects, stack->object + stack->count, n * sizeof(*objects));
	return n;
}

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

/* pool_calls.c */
void kspan_pool_default_destroy(void *object);
bool kspan_pool_is_stuck(const struct kspan_pool *pool);
bool kspan_pool_is_called(struct kspan_pool *pool);
void *kspan_pool_make(struct kspan_pool *pool, gfp_t gfp);
void kspan_pool_drop_objects(struct kspan_pool *pool, void **objects, unsigned int n);

/* pool_generation.c */
void kspan_pool_cache_open(struct kspan_pool *pool, struct kspan_pool_cache *cache);
void kspan_pool_cache_close(struct kspan_pool_cache *cache);
void kspan_pool_count_objects(struct kspan_pool *pool, unsigned long *primary,
			      unsigned long *victim);
void kspan_pool_stop_idle_clock(void);
int kspan_pool_generations_init(void);
void kspan_pool_generations_exit(void);

/* pools.c */
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
void kspan_pools_show(struct seq_file *m);

#endif /* KSPAN_POOL_H */
