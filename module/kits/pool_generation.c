// SPDX-License-Identifier: GPL-2.0
/*
 * Pools: generations, and the clock that ends them
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

/* Work of a CPU: its caches of all pools. */
struct cpu_work {
	struct work_struct work;
	unsigned int cpu;
};

unsigned int kspan_pool_seconds = 60;
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_seconds);

/*
 * Protects the list and the end of a generation. Under it nothing is allocated, and
 * the shrinker only tries it.
 */
DEFINE_MUTEX(kspan_pools_mutex);
LIST_HEAD(kspan_pools);
/* When a generation ended last, in jiffies; kspan_pools_mutex. */
static unsigned long last_end;
/* Caches that are not closed, of all pools. */
static atomic_t nr_open = ATOMIC_INIT(0);
static struct cpu_work __percpu *cpu_works;

static void pool_clock_handler(struct work_struct *work);
static DECLARE_DELAYED_WORK(clock, pool_clock_handler);

/* An interval from now at the latest, unless it runs. */
static void start_clock(struct irq_work *work)
{
	unsigned int seconds = READ_ONCE(kspan_pool_seconds);

	if (seconds)
		schedule_delayed_work(&clock, seconds * HZ);
}

/* From wherever an object is put. */
static DEFINE_IRQ_WORK(clock_irq_work, start_clock);

void kspan_pool_stop_idle_clock(void)
{
	if (atomic_read(&nr_open))
		return;
	cancel_delayed_work(&clock);
	/* Whoever opened a cache before that may have found the clock running. */
	smp_mb();
	if (atomic_read(&nr_open))
		start_clock(NULL);
}

static bool pool_cache_is_closed(const struct kspan_pool_cache *cache)
{
	return !READ_ONCE(READ_ONCE(cache->primary)->cap);
}

static void pool_set_cap(struct kspan_pool_cache *cache, unsigned int cap)
{
	WRITE_ONCE(cache->primary->cap, cap);
	WRITE_ONCE(cache->victim->cap, cap);
}

void kspan_pool_cache_open(struct kspan_pool *pool, struct kspan_pool_cache *cache)
{
	if (!pool_cache_is_closed(cache))
		return;
	pool_set_cap(cache, pool->ops.cap);
	atomic_inc(&nr_open);
	irq_work_queue(&clock_irq_work);
}

void kspan_pool_cache_close(struct kspan_pool_cache *cache)
{
	if (pool_cache_is_closed(cache))
		return;
	pool_set_cap(cache, 0);
	atomic_dec(&nr_open);
}

/* The victims are gone: those that were not used become them. */
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
		kspan_pool_drop_objects(pool, dead, n);
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
		n = kspan_pool_stack_pop_some(pc->cache.victim, dead, ARRAY_SIZE(dead));
		if (!n)
			age(&pc->cache);
		kspan_pool_leave(pc);
		kspan_pool_drop_objects(pool, dead, n);
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
	/* A CPU that went offline meanwhile was drained. */
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

/* Not under cpus_read_lock(), which the shrinker must not wait for. */
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
 * At once for this CPU and the shared caches, soon for the other CPUs.
 *
 * Context: task; sleeps.
 * Return: objects that were destroyed at once.
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
	mutex_lock(&kspan_pools_mutex);
	rest = last_end + interval - now;
	/* It may have ended after @now was taken. */
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
 * kspan_pool_shrink_count() - objects that the shrinker could have destroyed
 * @shrinker:	not used
 * @sc:		not used
 * Return: how many; 0 also when somebody else is at work with the list of pools.
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

	if (!mutex_trylock(&kspan_pools_mutex))
		return SHRINK_STOP;
	/* Or it would be called again at once, for another part of them. */
	sc->nr_scanned = max(sc->nr_to_scan, count_all());
	sum = end_generation();
	last_end = jiffies;
	mutex_unlock(&kspan_pools_mutex);
	return sum;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pool_shrink_scan);

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

void kspan_pool_generations_exit(void)
{
	unsigned int cpu;

	/* Nothing starts the clock from now on. */
	WRITE_ONCE(kspan_pool_seconds, 0);
	irq_work_sync(&clock_irq_work);
	cancel_delayed_work_sync(&clock);
	for_each_possible_cpu(cpu)
		cancel_work_sync(&per_cpu_ptr(cpu_works, cpu)->work);
	free_percpu(cpu_works);
}
