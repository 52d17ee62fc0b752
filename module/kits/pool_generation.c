// SPDX-License-Identifier: GPL-2.0
/*
 * Pools: generations, and the clock that ends them
 *
 * When a generation ends, the victims of a cache are destroyed, and its primary objects become the
 * victims. Generations end for all pools at the same time, but on each CPU by itself, as only the
 * CPU may touch its caches. The task that ends a generation does so for the shared caches and for
 * the CPU that it runs on. It queues a work item for each other CPU that has objects.
 *
 * A number of the generation that is compared on the fast paths was considered instead. It would
 * end a generation everywhere at once. But it would cost the fast paths a load and a branch, the
 * next user of a CPU would have to destroy the objects in its own context, and a CPU that nobody
 * uses any more would need the work item all the same.
 *
 * Generations are ended by the shrinker and by a clock. A cache that is empty when a generation
 * ends is closed: its stacks have room for nothing. So the first put takes the slow path, which
 * opens the cache and starts the clock if need be. The clock stops when all caches are closed.
 *
 * Context: task, except kspan_pool_cache_open(), kspan_pool_cache_close() and the irq_work.
 */
#include <linux/cpumask.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "base/kunit_export.h"
#include "kits/pool.h"
#include "types.h"

/* Ends a generation on one CPU, in its caches of all pools. */
struct cpu_work {
	struct work_struct work;
	unsigned int cpu;
};

unsigned int kspan_pool_seconds = 60;
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_seconds);

/* Protects kspan_pools and the end of a generation; see pool.h. */
DEFINE_MUTEX(kspan_pools_mutex);
LIST_HEAD(kspan_pools);
/* Time in jiffies when a generation ended last; kspan_pools_mutex. */
static unsigned long last_end;
/* Count of the caches of all pools that are not closed. */
static atomic_t nr_open = ATOMIC_INIT(0);
static struct cpu_work __percpu *cpu_works;

static void pool_clock_handler(struct work_struct *work);
static DECLARE_DELAYED_WORK(clock, pool_clock_handler);

/* Starts the clock, unless it runs. It ticks after one interval then. */
static void start_clock(struct irq_work *work)
{
	unsigned int seconds = READ_ONCE(kspan_pool_seconds);

	if (seconds)
		schedule_delayed_work(&clock, seconds * HZ);
}

/* An object may be put in any context, and a delayed work can't be queued in all of them. */
static DEFINE_IRQ_WORK(clock_irq_work, start_clock);

/**
 * kspan_pool_stop_idle_clock() - stop the clock if all caches of all pools are closed
 *
 * Context: task.
 */
void kspan_pool_stop_idle_clock(void)
{
	if (atomic_read(&nr_open))
		return;
	cancel_delayed_work(&clock);
	/*
	 * Pairs with kspan_pool_cache_open(), which increments nr_open and then queues
	 * clock_irq_work by an atomic operation that is a full barrier. If its start_clock() found
	 * the clock running before the cancellation, nr_open is seen to be more than 0 here.
	 */
	smp_mb();
	if (atomic_read(&nr_open))
		start_clock(NULL);
}

/* Without the cache's mark or lock the result is a hint. */
static bool pool_cache_is_closed(const struct kspan_pool_cache *cache)
{
	return !READ_ONCE(READ_ONCE(cache->primary)->cap);
}

static void pool_set_cap(struct kspan_pool_cache *cache, unsigned int cap)
{
	WRITE_ONCE(cache->primary->cap, cap);
	WRITE_ONCE(cache->victim->cap, cap);
}

/**
 * kspan_pool_cache_open() - let objects be put into a cache, and start the clock if need be
 * @pool:	pool that has the cache
 * @cache:	shared cache, and the caller holds the pool's lock; or the cache of this CPU, and
 *		the caller has set its busy mark
 *
 * Context: any, NMI included.
 */
void kspan_pool_cache_open(struct kspan_pool *pool, struct kspan_pool_cache *cache)
{
	if (!pool_cache_is_closed(cache))
		return;
	pool_set_cap(cache, pool->ops.cap);
	atomic_inc(&nr_open);
	irq_work_queue(&clock_irq_work);
}

/**
 * kspan_pool_cache_close() - let nothing be put into a cache, which is empty, on the fast path
 * @cache: as for kspan_pool_cache_open(), or one that nobody uses
 *
 * Context: any.
 */
void kspan_pool_cache_close(struct kspan_pool_cache *cache)
{
	if (pool_cache_is_closed(cache))
		return;
	pool_set_cap(cache, 0);
	atomic_dec(&nr_open);
}

/*
 * Ends a generation in a cache whose victims are gone already. For a CPU's cache the caller has set
 * the busy mark, for the shared one it holds the pool's lock.
 */
static void age(struct kspan_pool_cache *cache)
{
	struct kspan_pool_stack *empty = cache->victim;

	WRITE_ONCE(cache->victim, cache->primary);
	WRITE_ONCE(cache->primary, empty);
	if (!kspan_pool_cache_holds(cache))
		kspan_pool_cache_close(cache);
}

static unsigned long end_shared(struct kspan_pool *pool)
{
	void *dead[KSPAN_POOL_BATCH];
	unsigned long sum = 0, flags;
	unsigned int n;

	do {
		raw_spin_lock_irqsave(&pool->lock, flags);
		n = kspan_pool_stack_pop_some(pool->shared.victim, dead, ARRAY_SIZE(dead));
		if (!n)
			age(&pool->shared);
		raw_spin_unlock_irqrestore(&pool->lock, flags);
		kspan_pool_destroy_objects(pool, dead, n);
		sum += n;
	} while (n);
	return sum;
}

/* Ends a generation in the cache of this CPU. The caller can't leave the CPU. */
static unsigned long end_here(struct kspan_pool *pool)
{
	void *dead[KSPAN_POOL_BATCH];
	struct kspan_pool_cpu *pc;
	unsigned long sum = 0;
	unsigned int n;

	do {
		/* An interrupt that set the mark has cleared it before a task runs again. */
		if (WARN_ON_ONCE(!kspan_pool_enter(pool, &pc)))
			break;
		n = kspan_pool_stack_pop_some(pc->cache.victim, dead, ARRAY_SIZE(dead));
		if (!n)
			age(&pc->cache);
		kspan_pool_leave(pc);
		kspan_pool_destroy_objects(pool, dead, n);
		sum += n;
	} while (n);
	return sum;
}

static unsigned long end_all_here(void)
{
	struct kspan_pool *pool;
	unsigned long sum = 0;

	lockdep_assert_held(&kspan_pools_mutex);
	list_for_each_entry(pool, &kspan_pools, list) {
		if (kspan_pool_is_stuck(pool))
			continue;
		sum += end_here(pool);
		cond_resched();
	}
	return sum;
}

static void cpu_work_handler(struct work_struct *work)
{
	struct cpu_work *cpu_work = container_of(work, struct cpu_work, work);

	mutex_lock(&kspan_pools_mutex);
	migrate_disable();
	/*
	 * If the CPU has gone offline, the work item runs elsewhere. Its caches were drained then.
	 */
	if (raw_smp_processor_id() == cpu_work->cpu)
		end_all_here();
	migrate_enable();
	mutex_unlock(&kspan_pools_mutex);
	kspan_pool_stop_idle_clock();
}

static bool cpu_has_objects(unsigned int cpu)
{
	struct kspan_pool *pool;

	lockdep_assert_held(&kspan_pools_mutex);
	list_for_each_entry(pool, &kspan_pools, list)
		if (!kspan_pool_is_stuck(pool) &&
		    !pool_cache_is_closed(&per_cpu_ptr(pool->cpu, cpu)->cache))
			return true;
	return false;
}

/* The caller may be the shrinker, which must not wait for cpus_read_lock(). */
static void end_on_other_cpus(unsigned int here)
{
	unsigned int cpu;

	lockdep_assert_held(&kspan_pools_mutex);
	for_each_online_cpu(cpu)
		if (cpu != here && cpu_has_objects(cpu))
			schedule_work_on(cpu, &per_cpu_ptr(cpu_works, cpu)->work);
}

static unsigned long end_generation(void)
{
	struct kspan_pool *pool;
	unsigned long sum = 0;

	lockdep_assert_held(&kspan_pools_mutex);
	list_for_each_entry(pool, &kspan_pools, list) {
		if (kspan_pool_is_stuck(pool))
			continue;
		pool->generations++;
		sum += end_shared(pool);
		cond_resched();
	}
	migrate_disable();
	sum += end_all_here();
	end_on_other_cpus(raw_smp_processor_id());
	migrate_enable();
	kspan_pool_stop_idle_clock();
	return sum;
}

/**
 * kspan_pool_end_generation() - end a generation of all pools
 *
 * The generation ends at once for this CPU and the shared caches, and soon for the other CPUs.
 *
 * Context: task; sleeps.
 * Return: count of objects that were destroyed at once.
 */
unsigned long kspan_pool_end_generation(void)
{
	unsigned long sum;

	mutex_lock(&kspan_pools_mutex);
	sum = end_generation();
	last_end = jiffies;
	mutex_unlock(&kspan_pools_mutex);
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
 * kspan_pool_trim() - destroy all objects that are in pools
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
 * kspan_pool_tick() - end a generation if the last one ended long enough ago
 * @now: time in jiffies
 *
 * This is what the clock does.
 *
 * Context: task; sleeps.
 * Return: jiffies after which the clock has to tick again; 0 if it need not, as there are no
 * objects, or it is turned off.
 */
unsigned long kspan_pool_tick(unsigned long now)
{
	unsigned long interval = READ_ONCE(kspan_pool_seconds) * HZ, rest;

	if (!interval)
		return 0;
	mutex_lock(&kspan_pools_mutex);
	rest = last_end + interval - now;
	/* A generation may have ended after @now was read. */
	if (time_after_eq(now, last_end + interval)) {
		end_generation();
		last_end = now;
		rest = interval;
	}
	mutex_unlock(&kspan_pools_mutex);
	return atomic_read(&nr_open) ? rest : 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_tick);

static void pool_clock_handler(struct work_struct *work)
{
	unsigned long rest = kspan_pool_tick(jiffies);

	if (rest)
		schedule_delayed_work(&clock, rest);
}

/**
 * kspan_pool_clock_runs() - tell whether the clock will tick
 *
 * Context: task; sleeps.
 * Return: whether it will.
 */
bool kspan_pool_clock_runs(void)
{
	irq_work_sync(&clock_irq_work);
	return delayed_work_pending(&clock);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_clock_runs);

/** kspan_pool_restart_clock() - have the clock act on a new value of kspan_pool_seconds */
void kspan_pool_restart_clock(void)
{
	if (!atomic_read(&nr_open))
		return;
	cancel_delayed_work(&clock);
	schedule_delayed_work(&clock, 0);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_restart_clock);

/**
 * kspan_pool_count_objects() - count the objects in a pool
 * @pool:	pool to look at
 * @primary:	set to those that were put since the last generation ended
 * @victim:	set to the others
 *
 * Both are exact while nobody uses the pool, and close otherwise.
 *
 * Context: any.
 */
void kspan_pool_count_objects(struct kspan_pool *pool, unsigned long *primary,
			      unsigned long *victim)
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

	lockdep_assert_held(&kspan_pools_mutex);
	list_for_each_entry(pool, &kspan_pools, list) {
		if (kspan_pool_is_stuck(pool))
			continue;
		kspan_pool_count_objects(pool, &primary, &victim);
		sum += primary + victim;
	}
	return sum;
}

/**
 * kspan_pool_shrink_count() - count the objects that the shrinker could have destroyed
 * @shrinker:	not used
 * @sc:		not used
 *
 * Context: task; does not sleep.
 * Return: how many; 0 also if another task works with the list of pools.
 */
unsigned long kspan_pool_shrink_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long sum;

	if (!atomic_read(&nr_open) || !mutex_trylock(&kspan_pools_mutex))
		return 0;
	sum = count_all();
	mutex_unlock(&kspan_pools_mutex);
	return sum;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_shrink_count);

/**
 * kspan_pool_shrink_scan() - end a generation, as memory is scarce
 * @shrinker:	not used
 * @sc:		nr_scanned is set to the count of all objects
 *
 * Does nothing if another task ends a generation, or makes or destroys a pool: the shrinker waits
 * for nobody.
 *
 * Context: task; may be preempted.
 * Return: count of objects that were destroyed, or SHRINK_STOP.
 */
unsigned long kspan_pool_shrink_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long sum;

	if (!mutex_trylock(&kspan_pools_mutex))
		return SHRINK_STOP;
	/*
	 * All objects were looked at. Otherwise the kernel would call at once for another part of
	 * them, and end the next generation.
	 */
	sc->nr_scanned = max(sc->nr_to_scan, count_all());
	sum = end_generation();
	last_end = jiffies;
	mutex_unlock(&kspan_pools_mutex);
	return sum;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_shrink_scan);

/**
 * kspan_pool_generations_init() - prepare the work items that end generations
 * Return: 0 or -ENOMEM.
 */
int kspan_pool_generations_init(void)
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
	return 0;
}

/** kspan_pool_generations_exit() - stop the clock for good, and free the work items; sleeps */
void kspan_pool_generations_exit(void)
{
	unsigned int cpu;

	/* With the interval 0 nothing starts the clock any more. */
	WRITE_ONCE(kspan_pool_seconds, 0);
	irq_work_sync(&clock_irq_work);
	cancel_delayed_work_sync(&clock);
	for_each_possible_cpu(cpu)
		cancel_work_sync(&per_cpu_ptr(cpu_works, cpu)->work);
	free_percpu(cpu_works);
}
