// SPDX-License-Identifier: GPL-2.0
/*
 * Object pools
 *
 * As Go's sync.Pool: objects that cost something to make are put back as they are,
 * and got again. What is not used for two generations is destroyed.
 *
 *	get	primary, victim -> shared cache -> new object
 *	put	primary         -> shared cache -> destroyed
 *
 *	a generation ends: the victims are destroyed, the primary objects become
 *	the victims; who gets one and puts it back saves it
 *
 * A CPU's cache is entered as that of kspan_malloc() is, without a lock, a locked
 * instruction, or interrupts off. An interrupt or NMI that finds the mark set
 * takes or gives a single object of the shared cache, whose lock is only held
 * with interrupts off; an NMI tries that once. Nobody looks into the cache of
 * another CPU: what one CPU gets and another puts goes by way of the shared
 * cache, half a stack at a time.
 *
 * So a generation ends on each CPU by itself. Whoever ends it does so for the shared
 * cache and the CPU that he runs on, and queues a work item for each other CPU that
 * has objects. A number of the generation, to be compared on the fast paths, would
 * make it end everywhere at once, but would cost them a load and a branch, have the
 * objects destroyed by whoever comes next, in his context, and still want the work
 * item for a CPU that nobody uses any more.
 *
 * Generations end by the shrinker, and by a clock. An empty cache is closed: its stack
 * has room for nothing, so that the first put takes the slow path, where the
 * clock is started if need be; it stops when all caches are closed.
 *
 * An object that is put twice would be in two hands. Nothing tells of an object where it is:
 * nothing of the pool's is in it. So it is compared with the newest two of the CPU, which
 * is where most of those are found that are put twice, and costs six instructions; where
 * it is asked for (pool_check), with all that the pool has, on all CPUs.
 *
 * The functions of the user are his module's. When that goes and leaves the pool behind, they
 * are not called any more: what is in the pool can still be got, but nothing is made,
 * cleaned or destroyed, so objects that there is no room for leak.
 *
 * Context: task, softirq, hardirq, NMI, as far as the functions of the user allow it.
 */
#include <linux/cpumask.h>
#include <linux/rcupdate.h>

#include "base/context.h"
#include "base/kunit_export.h"
#include "kits/pool.h"
#include "objects/bad_free.h"
#include "types.h"

DEFINE_STATIC_KEY_FALSE(kspan_pool_check);
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_check);

/* Below the oldest there is NULL. */
static __always_inline bool is_newest(const struct kspan_pool_stack *stack, const void *object)
{
	void * const *top = stack->object + stack->count;

	BUILD_BUG_ON(KSPAN_POOL_COMPARED != 2);
	return top[-1] == object || top[-2] == object;
}

/* Whether it is there now, or was a moment ago: others may be at work with the stack. */
static bool stack_has(const struct kspan_pool_stack *stack, const void *object)
{
	/* Pairs with the release in kspan_pool_stack_push(). */
	unsigned int count = smp_load_acquire(&stack->count), i;

	for (i = 0; i < count; i++)
		if (kspan_glance(stack->object[i]) == object)
			return true;
	return false;
}

static bool cache_has(const struct kspan_pool_cache *cache, const void *object)
{
	return stack_has(READ_ONCE(cache->primary), object) ||
	       stack_has(READ_ONCE(cache->victim), object);
}

/* What moves between a CPU's cache and the shared one. */
static unsigned int batch_of(const struct kspan_pool *pool)
{
	return max(pool->ops.cap / 2, 1U);
}

/* An NMI may have interrupted the owner of the lock. */
static gfp_t lock_flags(void)
{
	return in_nmi() ? KSPAN_GFP_NOLOCK : 0;
}

static void *take_shared(struct kspan_pool *pool)
{
	unsigned long flags;
	void *object;

	if (!kspan_pool_cache_holds(&pool->shared) ||
	    !kspan_lock(&pool->lock, &flags, lock_flags()))
		return NULL;
	object = kspan_pool_stack_pop(pool->shared.primary);
	if (!object)
		object = kspan_pool_stack_pop(pool->shared.victim);
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	return object;
}

static bool give_shared(struct kspan_pool *pool, void *object)
{
	unsigned long flags;
	bool given;

	if (!kspan_lock(&pool->lock, &flags, lock_flags()))
		return false;
	kspan_pool_cache_open(pool, &pool->shared);
	given = kspan_pool_stack_push(pool->shared.primary, object);
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	return given;
}

/* An object of the shared cache, and some more into the CPU's, which is empty. */
static void *fetch(struct kspan_pool *pool, struct kspan_pool_cpu *pc)
{
	struct kspan_pool_stack *to = pc->cache.primary;
	unsigned long flags;

	if (!kspan_pool_cache_holds(&pool->shared) ||
	    !kspan_lock(&pool->lock, &flags, lock_flags()))
		return NULL;
	WRITE_ONCE(to->count, kspan_pool_stack_pop_some(pool->shared.primary, to->object,
							batch_of(pool)));
	if (!to->count)
		/* What is a victim there is one no more only if it is used. */
		WRITE_ONCE(to->count,
			   kspan_pool_stack_pop_some(pool->shared.victim, to->object, 1));
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	if (to->count > 1)
		kspan_pool_cache_open(pool, &pc->cache);
	return kspan_pool_stack_pop(to);
}

/* Room in the CPU's stack, which is full, by moving objects to the shared cache. */
static bool unload(struct kspan_pool *pool, struct kspan_pool_cpu *pc)
{
	struct kspan_pool_stack *to;
	unsigned long flags;
	unsigned int n;

	if (!kspan_lock(&pool->lock, &flags, lock_flags()))
		return false;
	kspan_pool_cache_open(pool, &pool->shared);
	to = pool->shared.primary;
	n = kspan_pool_stack_pop_some(pc->cache.primary, to->object + to->count,
				      min(batch_of(pool), to->cap - to->count));
	WRITE_ONCE(to->count, to->count + n);
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	return n;
}

/* The interrupted code is at work with the CPU's cache. */
static noinline void *get_interrupting(struct kspan_pool *pool, gfp_t gfp)
{
	void *object = take_shared(pool);

	if (!object)
		return kspan_pool_make(pool, gfp);
	kspan_pool_count_events(pool, KSPAN_POOL_HIT, 1);
	return object;
}

/* The primary stack is empty; @pc is entered, and left here. */
static noinline void *get_slow(struct kspan_pool *pool, struct kspan_pool_cpu *pc, gfp_t gfp)
{
	void *object = kspan_pool_stack_pop(pc->cache.victim);

	if (!object)
		object = fetch(pool, pc);
	if (object)
		pc->hits++;
	kspan_pool_leave(pc);
	return object ?: kspan_pool_make(pool, gfp);
}

/* Slow paths are tail calls, so that this needs no stack frame. */
static __always_inline void *get(struct kspan_pool *pool, gfp_t gfp)
{
	struct kspan_pool_cpu *pc;
	void *object;

	if (unlikely(!kspan_pool_enter(pool, &pc)))
		return get_interrupting(pool, gfp);
	object = kspan_pool_stack_pop(pc->cache.primary);
	if (unlikely(!object))
		return get_slow(pool, pc, gfp);
	pc->hits++;
	kspan_pool_leave(pc);
	return object;
}

/**
 * kspan_pool_get() - get an object
 * @pool: the pool
 *
 * An object that was put, as it was put; only when there is none, a new one, made
 * with the flags that the pool was created with.
 *
 * Context: as the pool's new() with these flags; without one, as kspan_zalloc().
 * Return: the object; NULL when a new one was wanted, and not to be had.
 */
void *kspan_pool_get(struct kspan_pool *pool)
{
	return get(pool, pool->gfp);
}
EXPORT_SYMBOL_GPL(kspan_pool_get);

/**
 * kspan_pool_get_gfp() - the same with other flags
 * @pool:	the pool
 * @gfp:	for a new object
 *
 * Context: as the pool's new() with @gfp; without one, as kspan_zalloc().
 * Return: the object or NULL.
 */
void *kspan_pool_get_gfp(struct kspan_pool *pool, gfp_t gfp)
{
	return get(pool, gfp);
}
EXPORT_SYMBOL_GPL(kspan_pool_get_gfp);

static noinline void put_interrupting(struct kspan_pool *pool, void *object)
{
	kspan_pool_count_events(pool, KSPAN_POOL_PUT, 1);
	if (!give_shared(pool, object))
		kspan_pool_drop_objects(pool, &object, 1);
}

/* The stack is full or closed; @pc is entered, and left here. */
static noinline void put_slow(struct kspan_pool *pool, struct kspan_pool_cpu *pc, void *object)
{
	bool kept;

	pc->puts++;
	kspan_pool_cache_open(pool, &pc->cache);
	kept = kspan_pool_stack_push(pc->cache.primary, object) ||
	       (unload(pool, pc) && kspan_pool_stack_push(pc->cache.primary, object));
	kspan_pool_leave(pc);
	if (!kept)
		kspan_pool_drop_objects(pool, &object, 1);
}

/* @pc is entered, and left here. */
static noinline void put_twice(struct kspan_pool_cpu *pc, const void *object)
{
	kspan_pool_leave(pc);
	kspan_bad_free_report(KSPAN_BAD_FREE_POOLED, (unsigned long)object);
}

/* Whether an object, which is the caller's, is in the pool nevertheless; reports that. */
static noinline bool is_pooled(struct kspan_pool *pool, const void *object)
{
	unsigned long flags;
	unsigned int cpu;
	bool pooled;

	if (!kspan_lock(&pool->lock, &flags, lock_flags()))
		return false;
	pooled = cache_has(&pool->shared, object);
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	for_each_possible_cpu(cpu)
		pooled = pooled || cache_has(&per_cpu_ptr(pool->cpu, cpu)->cache, object);
	if (pooled)
		kspan_bad_free_report(KSPAN_BAD_FREE_POOLED, (unsigned long)object);
	return pooled;
}

/* Without a function of the user's called in the middle, this needs no stack frame either. */
static __always_inline void put(struct kspan_pool *pool, void *object)
{
	struct kspan_pool_cpu *pc;

	if (unlikely(!kspan_pool_enter(pool, &pc)))
		return put_interrupting(pool, object);
	if (unlikely(is_newest(pc->cache.primary, object)))
		return put_twice(pc, object);
	if (unlikely(!kspan_pool_stack_push(pc->cache.primary, object)))
		return put_slow(pool, pc, object);
	pc->puts++;
	kspan_pool_leave(pc);
}

static noinline void put_after_reset(struct kspan_pool *pool, void *object)
{
	bool gone;

	/* What was killed is waited for by a grace period, and so is this. */
	rcu_read_lock();
	gone = percpu_ref_is_dying(&pool->calls);
	if (likely(!gone))
		pool->ops.reset(object);
	rcu_read_unlock();
	if (likely(!gone))
		return put(pool, object);
	kspan_pool_count_events(pool, KSPAN_POOL_PUT, 1);
	kspan_pool_drop_objects(pool, &object, 1);
}

static noinline void put_checked(struct kspan_pool *pool, void *object)
{
	if (is_pooled(pool, object))
		return;
	if (pool->ops.reset)
		return put_after_reset(pool, object);
	put(pool, object);
}

/**
 * kspan_pool_put() - give an object back
 * @pool:	the pool
 * @object:	from kspan_pool_get() of the pool, or such as its new() makes; the
 *		caller must not touch it any more. NULL does nothing
 *
 * It stays as it is, but for what the pool's reset() does to it. When the CPU and the
 * cache that all CPUs share have as many as they may have, it is destroyed. One that was
 * put just before is refused, and reported; with the module parameter pool_check any that is
 * in the pool.
 *
 * Context: any, NMI included, where the pool's reset() and destroy() may be called.
 */
void kspan_pool_put(struct kspan_pool *pool, void *object)
{
	if (unlikely(!object))
		return;
	if (static_branch_unlikely(&kspan_pool_check))
		return put_checked(pool, object);
	if (pool->ops.reset)
		return put_after_reset(pool, object);
	put(pool, object);
}
EXPORT_SYMBOL_GPL(kspan_pool_put);
