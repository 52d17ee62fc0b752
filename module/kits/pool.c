// SPDX-License-Identifier: GPL-2.0
/*
 * Object pools: the way of an object
 *
 * A pool keeps objects that are costly to make, like Go's sync.Pool. The user puts an object into
 * the pool as it is, and gets it back like that. Objects that nobody used for two generations are
 * destroyed.
 *
 *	get	primary, victim -> shared cache -> new object
 *	put	primary         -> shared cache -> destroyed
 *
 *	When a generation ends, the victims are destroyed, and the primary objects become
 *	the victims. A victim that is got, and then put, is a primary object again.
 *
 * The parts of a pool:
 *
 *	pool.c			get and put
 *	pool_calls.c		calls of the user's functions
 *	pool_generation.c	generations, their clock, the shrinker
 *	pools.c			creation and destruction, CPUs and modules that go
 *	pool_stats.c		figures
 *
 * Each CPU has a cache. It is entered like that of kspan_malloc(): without a lock, without a locked
 * instruction, and with interrupts on. The code that works with the cache sets its busy mark. An
 * interrupt or NMI that finds the mark set takes or gives a single object of the shared cache. The
 * lock of the shared cache is only held with interrupts off, and an NMI tries it once. No CPU takes
 * objects from the cache of another. If one CPU only gets and another only puts, the objects move
 * by way of the shared cache, half a stack at a time.
 *
 * An object that is put twice would be handed to two users. The pool writes nothing into an object,
 * so the object itself does not tell whether it is in the pool. Therefore put compares it with the
 * newest two objects of the CPU, which takes six instructions and finds most objects that are put
 * twice. With the module parameter pool_check put compares it with all objects of the pool, on all
 * CPUs.
 *
 * Context: task, softirq, hardirq, NMI, as far as the user's functions allow it.
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

/* Below the oldest object of a stack there is NULL: kspan_pool_stack.none. */
static __always_inline bool is_newest(const struct kspan_pool_stack *stack, const void *object)
{
	void * const *top = stack->object + stack->count;

	BUILD_BUG_ON(KSPAN_POOL_COMPARED != 2);
	return top[-1] == object || top[-2] == object;
}

/*
 * Whether the object is in the stack, or was a moment ago. Other CPUs may be working with the
 * stack.
 */
static bool stack_has(const struct kspan_pool_stack *stack, const void *object)
{
	/* Pairs with the smp_store_release() in kspan_pool_stack_push(), kits/pool.h. */
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

/* How many objects are moved at once between a CPU's cache and the shared one. */
static unsigned int batch_of(const struct kspan_pool *pool)
{
	return max(pool->ops.cap / 2, 1U);
}

/* An NMI may have interrupted the owner of the lock, so it must not wait for it. */
static gfp_t lock_flags(void)
{
	return in_nmi() ? KSPAN_GFP_NOLOCK : 0;
}

/* The count is read without the lock, as a hint: usually there is nothing to take. */
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

static bool put_shared(struct kspan_pool *pool, void *object)
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

/*
 * Takes an object of the shared cache, and moves some more into the CPU's cache, which is empty.
 * The caller has set the CPU's busy mark.
 */
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
		/*
		 * Only one victim: the others are primary objects again only if somebody uses them.
		 */
		WRITE_ONCE(to->count,
			   kspan_pool_stack_pop_some(pool->shared.victim, to->object, 1));
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	if (to->count > 1)
		kspan_pool_cache_open(pool, &pc->cache);
	return kspan_pool_stack_pop(to);
}

/*
 * Makes room in the CPU's full stack by moving objects to the shared cache. The caller has set the
 * CPU's busy mark.
 */
static bool pool_spill(struct kspan_pool *pool, struct kspan_pool_cpu *pc)
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

/* Called when the interrupted code is working with the CPU's cache. */
static noinline void *get_interrupting(struct kspan_pool *pool, gfp_t gfp)
{
	void *object = take_shared(pool);

	if (!object)
		return kspan_pool_make(pool, gfp);
	kspan_pool_count_events(pool, KSPAN_POOL_HIT, 1);
	return object;
}

/*
 * Called when the primary stack is empty. The caller has entered @pc, and this function leaves it.
 */
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

/* The slow paths are tail calls, so this function needs no stack frame. */
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
 * @pool: pool from kspan_pool_create()
 *
 * If the pool has an object, it is returned as it was put. Otherwise a new one is made, with the
 * flags that the pool was created with.
 *
 * Context: as the pool's new() with these flags; without a new(), as kspan_zalloc().
 * Return: the object; NULL if a new one was needed and could not be made.
 */
void *kspan_pool_get(struct kspan_pool *pool)
{
	return get(pool, pool->gfp);
}
EXPORT_SYMBOL_GPL(kspan_pool_get);

/**
 * kspan_pool_get_gfp() - get an object, with flags for a new one
 * @pool:	pool from kspan_pool_create()
 * @gfp:	flags that a new object is made with, instead of those of the pool
 *
 * Context: as the pool's new() with @gfp; without a new(), as kspan_zalloc().
 * Return: the object; NULL if a new one was needed and could not be made.
 */
void *kspan_pool_get_gfp(struct kspan_pool *pool, gfp_t gfp)
{
	return get(pool, gfp);
}
EXPORT_SYMBOL_GPL(kspan_pool_get_gfp);

static noinline void put_interrupting(struct kspan_pool *pool, void *object)
{
	kspan_pool_count_events(pool, KSPAN_POOL_PUT, 1);
	if (!put_shared(pool, object))
		kspan_pool_destroy_objects(pool, &object, 1);
}

/*
 * Called when the stack is full or closed. The caller has entered @pc, and this function leaves it.
 */
static noinline void put_slow(struct kspan_pool *pool, struct kspan_pool_cpu *pc, void *object)
{
	bool kept;

	pc->puts++;
	kspan_pool_cache_open(pool, &pc->cache);
	kept = kspan_pool_stack_push(pc->cache.primary, object) ||
	       (pool_spill(pool, pc) && kspan_pool_stack_push(pc->cache.primary, object));
	kspan_pool_leave(pc);
	if (!kept)
		kspan_pool_destroy_objects(pool, &object, 1);
}

/* The caller has entered @pc, and this function leaves it. */
static noinline void put_twice(struct kspan_pool_cpu *pc, const void *object)
{
	kspan_pool_leave(pc);
	kspan_bad_free_report(KSPAN_BAD_FREE_POOLED, (unsigned long)object);
}

/**
 * kspan_pool_has() - whether an object is in a pool
 * @pool:	the pool
 * @object:	any address; it is only compared
 *
 * Context: any.
 * Return: whether it is, or was a moment ago. False to an NMI that can't have the pool's lock.
 */
bool kspan_pool_has(struct kspan_pool *pool, const void *object)
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
	return pooled;
}

/* Whether the pool has an object that its caller is about to put. If so, that is reported. */
static noinline bool is_pooled(struct kspan_pool *pool, const void *object)
{
	bool pooled = kspan_pool_has(pool, object);

	if (pooled)
		kspan_bad_free_report(KSPAN_BAD_FREE_POOLED, (unsigned long)object);
	return pooled;
}

/* No function of the user is called in the middle, so this function needs no stack frame either. */
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

	/*
	 * kspan_pools_forget() kills pool->calls. The count reaches zero only after an RCU grace
	 * period, and kspan_pools_forget() waits for that. So a reset() that is running here is
	 * over before the module goes.
	 */
	rcu_read_lock();
	gone = percpu_ref_is_dying(&pool->calls);
	if (likely(!gone))
		pool->ops.reset(object);
	rcu_read_unlock();
	if (likely(!gone))
		return put(pool, object);
	kspan_pool_count_events(pool, KSPAN_POOL_PUT, 1);
	kspan_pool_destroy_objects(pool, &object, 1);
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
 * @pool:	pool from kspan_pool_create()
 * @object:	from kspan_pool_get() of the same pool, or one like those that its new() makes; the
 *		caller must not touch it any more. NULL does nothing
 *
 * The object stays as it is, except for what the pool's reset() does to it. It is destroyed if
 * neither the CPU's cache nor the shared one has room for it. An object that was put just before is
 * refused and reported. With the module parameter pool_check this is done for any object that is in
 * the pool.
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
