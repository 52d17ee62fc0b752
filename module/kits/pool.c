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
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "base/context.h"
#include "base/kunit_export.h"
#include "base/name.h"
#include "kits/pool.h"
#include "objects/bad_free.h"
#include "base/shrinker.h"
#include "types.h"

/* Objects that are destroyed at a time, after the cache was left. */
#define KSPAN_POOL_BATCH	16

/* Work of a CPU: its caches of all pools. */
struct cpu_work {
	struct work_struct work;
	unsigned int cpu;
};

unsigned int kspan_pool_seconds = 60;
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_seconds);

DEFINE_STATIC_KEY_FALSE(kspan_pool_check);
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_check);

/*
 * Protects the list and the end of a generation. Under it nothing is allocated, and
 * the shrinker only tries it.
 */
static DEFINE_MUTEX(pools_mutex);
static LIST_HEAD(pools);
/* When a generation ended last, in jiffies; pools_mutex. */
static unsigned long last_end;
/* Caches that are not closed, of all pools. */
static atomic_t nr_open = ATOMIC_INIT(0);
static struct cpu_work __percpu *cpu_works;

static void tick_handler(struct work_struct *work);
static DECLARE_DELAYED_WORK(clock, tick_handler);

/* An interval from now at the latest, unless it runs. */
static void start_clock(struct irq_work *work)
{
	unsigned int seconds = READ_ONCE(kspan_pool_seconds);

	if (seconds)
		schedule_delayed_work(&clock, seconds * HZ);
}

/* From wherever an object is put. */
static DEFINE_IRQ_WORK(clock_irq_work, start_clock);

static void stop_idle_clock(void)
{
	if (atomic_read(&nr_open))
		return;
	cancel_delayed_work(&clock);
	/* Whoever opened a cache before that may have found the clock running. */
	smp_mb();
	if (atomic_read(&nr_open))
		start_clock(NULL);
}

static bool is_closed(const struct kspan_pool_cache *cache)
{
	return !READ_ONCE(READ_ONCE(cache->primary)->cap);
}

static unsigned int holds(const struct kspan_pool_cache *cache)
{
	return READ_ONCE(READ_ONCE(cache->primary)->count) +
	       READ_ONCE(READ_ONCE(cache->victim)->count);
}

static void set_cap(struct kspan_pool_cache *cache, unsigned int cap)
{
	WRITE_ONCE(cache->primary->cap, cap);
	WRITE_ONCE(cache->victim->cap, cap);
}

static void open_cache(struct kspan_pool *pool, struct kspan_pool_cache *cache)
{
	if (!is_closed(cache))
		return;
	set_cap(cache, pool->ops.cap);
	atomic_inc(&nr_open);
	irq_work_queue(&clock_irq_work);
}

static void close_cache(struct kspan_pool_cache *cache)
{
	if (is_closed(cache))
		return;
	set_cap(cache, 0);
	atomic_dec(&nr_open);
}

static __always_inline void *pop(struct kspan_pool_stack *stack)
{
	u32 count = stack->count;

	if (unlikely(!count))
		return NULL;
	WRITE_ONCE(stack->count, count - 1);
	return stack->object[count - 1];
}

static __always_inline bool push(struct kspan_pool_stack *stack, void *object)
{
	u32 count = stack->count;

	if (unlikely(count >= stack->cap))
		return false;
	stack->object[count] = object;
	/* Pairs with the acquire in stack_has(). */
	smp_store_release(&stack->count, count + 1);
	return true;
}

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
	/* Pairs with the release in push(). */
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

/* The newest @n objects, as far as there are that many, in their order. */
static unsigned int pop_some(struct kspan_pool_stack *stack, void **objects, unsigned int n)
{
	n = min(n, stack->count);
	WRITE_ONCE(stack->count, stack->count - n);
	memcpy(objects, stack->object + stack->count, n * sizeof(*objects));
	return n;
}

/* What moves between a CPU's cache and the shared one. */
static unsigned int batch_of(const struct kspan_pool *pool)
{
	return max(pool->ops.cap / 2, 1U);
}

static void count_events(struct kspan_pool *pool, enum kspan_pool_event event, unsigned int n)
{
	this_cpu_add(pool->cpu->events[event], n);
}

static void default_destroy(void *object)
{
	kspan_free(object);
}

/* Whoever of the user's is to destroy objects is gone. */
static bool is_stuck(const struct kspan_pool *pool)
{
	return unlikely(percpu_ref_is_dying((struct percpu_ref *)&pool->calls)) &&
	       pool->ops.destroy != default_destroy;
}

static void drop_some(struct kspan_pool *pool, void **objects, unsigned int n)
{
	unsigned int i;
	bool called;

	if (!n)
		return;
	called = percpu_ref_tryget_live(&pool->calls);
	if (called || pool->ops.destroy == default_destroy)
		for (i = 0; i < n; i++)
			pool->ops.destroy(objects[i]);
	if (called)
		percpu_ref_put(&pool->calls);
	count_events(pool, KSPAN_POOL_DROP, n);
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

	if (!holds(&pool->shared) || !kspan_lock(&pool->lock, &flags, lock_flags()))
		return NULL;
	object = pop(pool->shared.primary);
	if (!object)
		object = pop(pool->shared.victim);
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	return object;
}

static bool give_shared(struct kspan_pool *pool, void *object)
{
	unsigned long flags;
	bool given;

	if (!kspan_lock(&pool->lock, &flags, lock_flags()))
		return false;
	open_cache(pool, &pool->shared);
	given = push(pool->shared.primary, object);
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	return given;
}

/* An object of the shared cache, and some more into the CPU's, which is empty. */
static void *fetch(struct kspan_pool *pool, struct kspan_pool_cpu *pc)
{
	struct kspan_pool_stack *to = pc->cache.primary;
	unsigned long flags;

	if (!holds(&pool->shared) || !kspan_lock(&pool->lock, &flags, lock_flags()))
		return NULL;
	WRITE_ONCE(to->count, pop_some(pool->shared.primary, to->object, batch_of(pool)));
	if (!to->count)
		/* What is a victim there is one no more only if it is used. */
		WRITE_ONCE(to->count, pop_some(pool->shared.victim, to->object, 1));
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	if (to->count > 1)
		open_cache(pool, &pc->cache);
	return pop(to);
}

/* Room in the CPU's stack, which is full, by moving objects to the shared cache. */
static bool unload(struct kspan_pool *pool, struct kspan_pool_cpu *pc)
{
	struct kspan_pool_stack *to;
	unsigned long flags;
	unsigned int n;

	if (!kspan_lock(&pool->lock, &flags, lock_flags()))
		return false;
	open_cache(pool, &pool->shared);
	to = pool->shared.primary;
	n = pop_some(pc->cache.primary, to->object + to->count,
		     min(batch_of(pool), to->cap - to->count));
	WRITE_ONCE(to->count, to->count + n);
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	return n;
}

static void *call_new(struct kspan_pool *pool, gfp_t gfp)
{
	void *object;

	if (!percpu_ref_tryget_live(&pool->calls))
		return NULL;
	object = pool->ops.new(gfp);
	percpu_ref_put(&pool->calls);
	return object;
}

static void *make_new(struct kspan_pool *pool, gfp_t gfp)
{
	void *object;

	count_events(pool, KSPAN_POOL_MISS, 1);
	object = pool->ops.new ? call_new(pool, gfp) : kspan_zalloc(pool->ops.size, gfp);
	if (!object)
		count_events(pool, KSPAN_POOL_FAIL, 1);
	return object;
}

/* The interrupted code is at work with the CPU's cache. */
static noinline void *get_interrupting(struct kspan_pool *pool, gfp_t gfp)
{
	void *object = take_shared(pool);

	if (!object)
		return make_new(pool, gfp);
	count_events(pool, KSPAN_POOL_HIT, 1);
	return object;
}

/* The primary stack is empty; @pc is entered, and left here. */
static noinline void *get_slow(struct kspan_pool *pool, struct kspan_pool_cpu *pc, gfp_t gfp)
{
	void *object = pop(pc->cache.victim);

	if (!object)
		object = fetch(pool, pc);
	if (object)
		pc->hits++;
	kspan_pool_leave(pc);
	return object ?: make_new(pool, gfp);
}

/* Slow paths are tail calls, so that this needs no stack frame. */
static __always_inline void *get(struct kspan_pool *pool, gfp_t gfp)
{
	struct kspan_pool_cpu *pc;
	void *object;

	if (unlikely(!kspan_pool_enter(pool, &pc)))
		return get_interrupting(pool, gfp);
	object = pop(pc->cache.primary);
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
	count_events(pool, KSPAN_POOL_PUT, 1);
	if (!give_shared(pool, object))
		drop_some(pool, &object, 1);
}

/* The stack is full or closed; @pc is entered, and left here. */
static noinline void put_slow(struct kspan_pool *pool, struct kspan_pool_cpu *pc, void *object)
{
	bool kept;

	pc->puts++;
	open_cache(pool, &pc->cache);
	kept = push(pc->cache.primary, object) ||
	       (unload(pool, pc) && push(pc->cache.primary, object));
	kspan_pool_leave(pc);
	if (!kept)
		drop_some(pool, &object, 1);
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
	if (unlikely(!push(pc->cache.primary, object)))
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
	count_events(pool, KSPAN_POOL_PUT, 1);
	drop_some(pool, &object, 1);
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

/* The victims are gone: those that were not used become them. */
static void age(struct kspan_pool_cache *cache)
{
	struct kspan_pool_stack *empty = cache->victim;

	WRITE_ONCE(cache->victim, cache->primary);
	WRITE_ONCE(cache->primary, empty);
	if (!holds(cache))
		close_cache(cache);
}

static unsigned long end_shared(struct kspan_pool *pool)
{
	void *dead[KSPAN_POOL_BATCH];
	unsigned long sum = 0, flags;
	unsigned int n;

	do {
		raw_spin_lock_irqsave(&pool->lock, flags);
		n = pop_some(pool->shared.victim, dead, ARRAY_SIZE(dead));
		if (!n)
			age(&pool->shared);
		raw_spin_unlock_irqrestore(&pool->lock, flags);
		drop_some(pool, dead, n);
		sum += n;
	} while (n);
	return sum;
}

/* On a CPU that the caller can't leave. */
static unsigned long end_here(struct kspan_pool *pool)
{
	void *dead[KSPAN_POOL_BATCH];
	struct kspan_pool_cpu *pc;
	unsigned long sum = 0;
	unsigned int n;

	do {
		/* What an interrupt does under the mark is over before a task runs. */
		if (WARN_ON_ONCE(!kspan_pool_enter(pool, &pc)))
			break;
		n = pop_some(pc->cache.victim, dead, ARRAY_SIZE(dead));
		if (!n)
			age(&pc->cache);
		kspan_pool_leave(pc);
		drop_some(pool, dead, n);
		sum += n;
	} while (n);
	return sum;
}

static unsigned long end_all_here(void)
{
	struct kspan_pool *pool;
	unsigned long sum = 0;

	lockdep_assert_held(&pools_mutex);
	list_for_each_entry(pool, &pools, list) {
		if (is_stuck(pool))
			continue;
		sum += end_here(pool);
		cond_resched();
	}
	return sum;
}

static void cpu_work_handler(struct work_struct *work)
{
	struct cpu_work *cpu_work = container_of(work, struct cpu_work, work);

	mutex_lock(&pools_mutex);
	migrate_disable();
	/* A CPU that went offline meanwhile was drained. */
	if (raw_smp_processor_id() == cpu_work->cpu)
		end_all_here();
	migrate_enable();
	mutex_unlock(&pools_mutex);
	stop_idle_clock();
}

static bool cpu_has_objects(unsigned int cpu)
{
	struct kspan_pool *pool;

	list_for_each_entry(pool, &pools, list)
		if (!is_stuck(pool) && !is_closed(&per_cpu_ptr(pool->cpu, cpu)->cache))
			return true;
	return false;
}

/* Not under cpus_read_lock(), which the shrinker must not wait for. */
static void queue_other_cpus(unsigned int here)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (cpu != here && cpu_has_objects(cpu))
			schedule_work_on(cpu, &per_cpu_ptr(cpu_works, cpu)->work);
}

static unsigned long end_generation(void)
{
	struct kspan_pool *pool;
	unsigned long sum = 0;

	lockdep_assert_held(&pools_mutex);
	list_for_each_entry(pool, &pools, list) {
		if (is_stuck(pool))
			continue;
		pool->generations++;
		sum += end_shared(pool);
		cond_resched();
	}
	migrate_disable();
	sum += end_all_here();
	queue_other_cpus(raw_smp_processor_id());
	migrate_enable();
	stop_idle_clock();
	return sum;
}

/**
 * kspan_pool_end_generation() - end a generation of all pools
 *
 * At once for this CPU and the shared caches, soon for the other CPUs.
 *
 * Context: task; sleeps.
 * Return: objects that were destroyed at once.
 */
unsigned long kspan_pool_end_generation(void)
{
	unsigned long sum;

	mutex_lock(&pools_mutex);
	sum = end_generation();
	last_end = jiffies;
	mutex_unlock(&pools_mutex);
	return sum;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_end_generation);

/**
 * kspan_pool_settle() - wait until a generation has ended on all CPUs
 *
 * Context: task; sleeps.
 */
void kspan_pool_settle(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		flush_work(&per_cpu_ptr(cpu_works, cpu)->work);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_settle);

/**
 * kspan_pool_trim() - destroy all objects that pools hold
 *
 * Context: task; sleeps.
 */
void kspan_pool_trim(void)
{
	unsigned int generation;

	for (generation = 0; generation < 2; generation++) {
		kspan_pool_end_generation();
		kspan_pool_settle();
	}
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_trim);

/**
 * kspan_pool_tick() - what the clock does
 * @now: jiffies
 *
 * Ends a generation if the last one ended long enough ago.
 *
 * Context: task; sleeps.
 * Return: jiffies after which it wants to be called again; 0 for not at all, as
 * there are no objects, or it is turned off.
 */
unsigned long kspan_pool_tick(unsigned long now)
{
	unsigned long interval = READ_ONCE(kspan_pool_seconds) * HZ, rest;

	if (!interval)
		return 0;
	mutex_lock(&pools_mutex);
	rest = last_end + interval - now;
	/* It may have ended after @now was taken. */
	if (time_after_eq(now, last_end + interval)) {
		end_generation();
		last_end = now;
		rest = interval;
	}
	mutex_unlock(&pools_mutex);
	return atomic_read(&nr_open) ? rest : 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_tick);

static void tick_handler(struct work_struct *work)
{
	unsigned long rest = kspan_pool_tick(jiffies);

	if (rest)
		schedule_delayed_work(&clock, rest);
}

/**
 * kspan_pool_clock_runs() - whether the clock will tick
 * Return: whether it will.
 */
bool kspan_pool_clock_runs(void)
{
	irq_work_sync(&clock_irq_work);
	return delayed_work_pending(&clock);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_clock_runs);

/** kspan_pool_restart_clock() - have the clock know of another interval */
void kspan_pool_restart_clock(void)
{
	if (!atomic_read(&nr_open))
		return;
	cancel_delayed_work(&clock);
	schedule_delayed_work(&clock, 0);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_restart_clock);

/* About, while the pool is in use. */
static void count_objects(struct kspan_pool *pool, unsigned long *primary, unsigned long *victim)
{
	unsigned int cpu;

	*primary = READ_ONCE(READ_ONCE(pool->shared.primary)->count);
	*victim = READ_ONCE(READ_ONCE(pool->shared.victim)->count);
	for_each_possible_cpu(cpu) {
		struct kspan_pool_cache *cache = &per_cpu_ptr(pool->cpu, cpu)->cache;

		*primary += READ_ONCE(READ_ONCE(cache->primary)->count);
		*victim += READ_ONCE(READ_ONCE(cache->victim)->count);
	}
}

static unsigned long count_all(void)
{
	unsigned long primary, victim, sum = 0;
	struct kspan_pool *pool;

	list_for_each_entry(pool, &pools, list) {
		if (is_stuck(pool))
			continue;
		count_objects(pool, &primary, &victim);
		sum += primary + victim;
	}
	return sum;
}

/**
 * kspan_pool_shrink_count() - objects that the shrinker could have destroyed
 * @shrinker:	not used
 * @sc:		not used
 * Return: how many; 0 also when somebody else is at work with the list of pools.
 */
unsigned long kspan_pool_shrink_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long sum;

	if (!atomic_read(&nr_open) || !mutex_trylock(&pools_mutex))
		return 0;
	sum = count_all();
	mutex_unlock(&pools_mutex);
	return sum;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_shrink_count);

/**
 * kspan_pool_shrink_scan() - end a generation, as memory is scarce
 * @shrinker:	not used
 * @sc:		that all objects were looked at is noted there
 *
 * Waits for nothing: while somebody else ends one, or a pool comes or goes, it
 * leaves things as they are.
 *
 * Return: objects destroyed, or SHRINK_STOP.
 */
unsigned long kspan_pool_shrink_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long sum;

	if (!mutex_trylock(&pools_mutex))
		return SHRINK_STOP;
	/* Or it would be called again at once, for another part of them. */
	sc->nr_scanned = max(sc->nr_to_scan, count_all());
	sum = end_generation();
	last_end = jiffies;
	mutex_unlock(&pools_mutex);
	return sum;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_shrink_scan);

/* A dead CPU's objects into the shared cache, or what does not fit there, out. */
static unsigned int move_some(struct kspan_pool *pool, struct kspan_pool_stack *from,
			      bool victims, void **rest, unsigned int most)
{
	struct kspan_pool_stack *to;
	unsigned long flags;
	unsigned int n;

	raw_spin_lock_irqsave(&pool->lock, flags);
	if (from->count)
		open_cache(pool, &pool->shared);
	to = victims ? pool->shared.victim : pool->shared.primary;
	n = pop_some(from, to->object + to->count, to->cap - to->count);
	WRITE_ONCE(to->count, to->count + n);
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	return pop_some(from, rest, most);
}

static void drain_stack(struct kspan_pool *pool, struct kspan_pool_stack *from, bool victims)
{
	void *dead[KSPAN_POOL_BATCH];
	unsigned int n;

	do {
		n = move_some(pool, from, victims, dead, ARRAY_SIZE(dead));
		drop_some(pool, dead, n);
	} while (n);
}

/**
 * kspan_pool_drain() - move the objects of a CPU to where others find them
 * @cpu: a CPU that is dead, or where nobody can be using a pool
 *
 * What the shared caches have no room for is destroyed.
 *
 * Context: task; sleeps.
 */
void kspan_pool_drain(unsigned int cpu)
{
	struct kspan_pool_cpu *pc;
	struct kspan_pool *pool;

	mutex_lock(&pools_mutex);
	list_for_each_entry(pool, &pools, list) {
		pc = per_cpu_ptr(pool->cpu, cpu);
		drain_stack(pool, pc->cache.primary, false);
		drain_stack(pool, pc->cache.victim, true);
		close_cache(&pc->cache);
	}
	mutex_unlock(&pools_mutex);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_drain);

static size_t stack_bytes(unsigned int cap)
{
	struct kspan_pool_stack *stack;

	return struct_size(stack, object, cap);
}

static void init_cache(struct kspan_pool_cache *cache, void *stacks, unsigned int cap)
{
	cache->primary = stacks;
	cache->victim = stacks + stack_bytes(cap);
}

/* Memory for the stacks of a CPU, near to it. */
static void *alloc_stacks(unsigned int cpu, unsigned int cap)
{
	int nid = cpu_to_node(cpu);

	if (nid != NUMA_NO_NODE && !node_online(nid))
		nid = NUMA_NO_NODE;
	return kcalloc_node(2, stack_bytes(cap), GFP_KERNEL, nid);
}

static char *copy_name(const char *name)
{
	char *to = kmalloc(kspan_name_bytes(name), GFP_KERNEL);

	return to ? kspan_name_copy(to, name) : NULL;
}

/* kspan_pools_forget() looks for itself. */
static void no_call_left(struct percpu_ref *calls)
{
}

static bool init_pool(struct kspan_pool *pool, const char *module)
{
	unsigned int cap = pool->ops.cap, cpu;

	raw_spin_lock_init(&pool->lock);
	init_cache(&pool->shared, pool + 1, cap);
	pool->ops.name = copy_name(pool->ops.name);
	pool->module = kstrdup(module, GFP_KERNEL);
	pool->cpu = alloc_percpu(struct kspan_pool_cpu);
	if (!pool->ops.name || !pool->module || !pool->cpu ||
	    percpu_ref_init(&pool->calls, no_call_left, 0, GFP_KERNEL))
		return false;
	for_each_possible_cpu(cpu) {
		struct kspan_pool_cpu *pc = per_cpu_ptr(pool->cpu, cpu);

		pc->stacks = alloc_stacks(cpu, cap);
		if (!pc->stacks)
			return false;
		init_cache(&pc->cache, pc->stacks, cap);
	}
	return true;
}

static void free_pool(struct kspan_pool *pool)
{
	unsigned int cpu;

	if (pool->cpu)
		for_each_possible_cpu(cpu)
			kfree(per_cpu_ptr(pool->cpu, cpu)->stacks);
	free_percpu(pool->cpu);
	percpu_ref_exit(&pool->calls);
	kfree(pool->module);
	kfree(pool->ops.name);
	kfree(pool);
}

/**
 * __kspan_pool_create() - what kspan_pool_create() calls
 * @ops:	as there
 * @gfp:	as there
 * @owner:	THIS_MODULE
 * Return: as there.
 */
struct kspan_pool *__kspan_pool_create(const struct kspan_pool_ops *ops, gfp_t gfp,
				       struct module *owner)
{
	unsigned int cap = ops->cap ?: KSPAN_POOL_CAP;
	struct kspan_pool *pool;

	if (cap > KSPAN_POOL_CAP_MAX || (!ops->new && !ops->size))
		return NULL;
	pool = kzalloc(sizeof(*pool) + 2 * stack_bytes(cap), GFP_KERNEL);
	if (!pool)
		return NULL;
	pool->ops = *ops;
	pool->ops.cap = cap;
	pool->ops.destroy = ops->destroy ?: default_destroy;
	pool->gfp = gfp;
	if (!init_pool(pool, owner ? owner->name : "(built-in)")) {
		free_pool(pool);
		return NULL;
	}
	mutex_lock(&pools_mutex);
	list_add_tail(&pool->list, &pools);
	mutex_unlock(&pools_mutex);
	kspan_handle_add(&pool->handle, KSPAN_HANDLE_POOL, pool->ops.name, owner, _RET_IP_);
	return pool;
}
EXPORT_SYMBOL_GPL(__kspan_pool_create);

static void destroy_stack(struct kspan_pool *pool, struct kspan_pool_stack *stack)
{
	void *dead[KSPAN_POOL_BATCH];
	unsigned int n;

	while ((n = pop_some(stack, dead, ARRAY_SIZE(dead))))
		drop_some(pool, dead, n);
}

static void destroy_all(struct kspan_pool *pool, struct kspan_pool_cache *cache)
{
	destroy_stack(pool, cache->primary);
	destroy_stack(pool, cache->victim);
	close_cache(cache);
}

static bool is_called_still(struct kspan_pool *pool)
{
	return percpu_ref_is_dying(&pool->calls) && !percpu_ref_is_zero(&pool->calls);
}

static void destroy_pool(struct kspan_pool *pool)
{
	unsigned int cpu;

	/* The module that has its functions goes just now. */
	while (is_called_still(pool))
		usleep_range(1000, 2000);
	mutex_lock(&pools_mutex);
	list_del(&pool->list);
	mutex_unlock(&pools_mutex);
	destroy_all(pool, &pool->shared);
	for_each_possible_cpu(cpu) {
		destroy_all(pool, &per_cpu_ptr(pool->cpu, cpu)->cache);
		cond_resched();
	}
	stop_idle_clock();
	free_pool(pool);
}

/**
 * kspan_pool_destroy() - destroy a pool and the objects in it
 * @pool: the pool, which nobody uses any more; NULL does nothing
 *
 * Objects that were got and not put are the caller's, who may keep them. A pool that is
 * destroyed twice is reported, and nothing else.
 *
 * Context: task; sleeps. Not from a function of a pool.
 */
void kspan_pool_destroy(struct kspan_pool *pool)
{
	if (pool && kspan_handle_take(&pool->handle, KSPAN_HANDLE_POOL, pool))
		destroy_pool(pool);
}
EXPORT_SYMBOL_GPL(kspan_pool_destroy);

static bool calls_into(const struct kspan_pool *pool, const struct module *module)
{
	return within_module((unsigned long)pool->ops.new, module) ||
	       within_module((unsigned long)pool->ops.reset, module) ||
	       within_module((unsigned long)pool->ops.destroy, module);
}

static void forget(struct kspan_pool *pool, const struct module *module)
{
	if (percpu_ref_is_dying(&pool->calls) || !calls_into(pool, module))
		return;
	percpu_ref_kill(&pool->calls);
	pr_warn("pool %s of module %s: its functions go with module %s, and are not called any more\n",
		pool->ops.name, pool->module, module->name);
}

static bool any_is_called_still(void)
{
	struct kspan_pool *pool;
	bool any = false;

	mutex_lock(&pools_mutex);
	list_for_each_entry(pool, &pools, list)
		any |= is_called_still(pool);
	mutex_unlock(&pools_mutex);
	return any;
}

/**
 * kspan_pools_forget() - do not call functions of a module any more
 * @module: the module, which goes
 *
 * Waits for those that are under way.
 *
 * Context: task; sleeps.
 */
void kspan_pools_forget(const struct module *module)
{
	struct kspan_pool *pool;

	mutex_lock(&pools_mutex);
	list_for_each_entry(pool, &pools, list)
		forget(pool, module);
	mutex_unlock(&pools_mutex);
	/* Not under the mutex, which they may be waiting for. */
	while (any_is_called_still())
		usleep_range(1000, 2000);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pools_forget);

static u64 events(struct kspan_pool *pool, enum kspan_pool_event event)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		sum += kspan_glance(per_cpu_ptr(pool->cpu, cpu)->events[event]);
	return sum;
}

/**
 * kspan_pool_stats_read() - read the figures of a pool
 * @pool:	the pool
 * @stats:	set to them: exact when nobody uses it, close otherwise
 */
void kspan_pool_stats_read(struct kspan_pool *pool, struct kspan_pool_stats *stats)
{
	unsigned int cpu;

	count_objects(pool, &stats->primary, &stats->victim);
	stats->hits = events(pool, KSPAN_POOL_HIT);
	stats->puts = events(pool, KSPAN_POOL_PUT);
	for_each_possible_cpu(cpu) {
		struct kspan_pool_cpu *pc = per_cpu_ptr(pool->cpu, cpu);

		stats->hits += kspan_glance(pc->hits);
		stats->puts += kspan_glance(pc->puts);
	}
	stats->gets = stats->hits + events(pool, KSPAN_POOL_MISS);
	stats->news = events(pool, KSPAN_POOL_MISS) - events(pool, KSPAN_POOL_FAIL);
	stats->drops = events(pool, KSPAN_POOL_DROP);
	stats->generations = kspan_glance(pool->generations);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_stats_read);

/**
 * kspan_pools_show() - print a line per pool
 * @m: where to
 */
void kspan_pools_show(struct seq_file *m)
{
	struct kspan_pool_stats stats;
	struct kspan_pool *pool;

	seq_puts(m, "# kspan pools v1: name module primary victim gets hits news puts drops generations\n");
	mutex_lock(&pools_mutex);
	list_for_each_entry(pool, &pools, list) {
		kspan_pool_stats_read(pool, &stats);
		kspan_name_show(m, pool->ops.name);
		seq_printf(m, " %s %lu %lu %llu %llu %llu %llu %llu %llu\n", pool->module,
			   stats.primary, stats.victim, stats.gets, stats.hits, stats.news,
			   stats.puts, stats.drops, stats.generations);
	}
	mutex_unlock(&pools_mutex);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pools_show);

static struct shrinker *shrinker;

/**
 * kspan_pool_init() - prepare for pools
 * Return: 0 or -ENOMEM.
 */
int kspan_pool_init(void)
{
	unsigned int cpu;

	cpu_works = alloc_percpu(struct cpu_work);
	if (!cpu_works)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct cpu_work *cpu_work = per_cpu_ptr(cpu_works, cpu);

		INIT_WORK(&cpu_work->work, cpu_work_handler);
		cpu_work->cpu = cpu;
	}
	last_end = jiffies;
	shrinker = kspan_shrinker_open("kspan-pools", 0, kspan_pool_shrink_count,
				       kspan_pool_shrink_scan);
	if (shrinker)
		return 0;
	free_percpu(cpu_works);
	return -ENOMEM;
}

/** kspan_pool_exit() - undo kspan_pool_init() */
void kspan_pool_exit(void)
{
	struct kspan_pool *pool, *next;
	unsigned int cpu;

	kspan_shrinker_close(shrinker);
	list_for_each_entry_safe(pool, next, &pools, list) {
		pr_warn("pool %s of module %s was never destroyed\n", pool->ops.name,
			pool->module);
		destroy_pool(pool);
	}
	/* Nothing starts the clock from now on. */
	WRITE_ONCE(kspan_pool_seconds, 0);
	irq_work_sync(&clock_irq_work);
	cancel_delayed_work_sync(&clock);
	for_each_possible_cpu(cpu)
		cancel_work_sync(&per_cpu_ptr(cpu_works, cpu)->work);
	free_percpu(cpu_works);
}
