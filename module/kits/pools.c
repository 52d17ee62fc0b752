// SPDX-License-Identifier: GPL-2.0
/*
 * All pools: creation and destruction, and what happens when a CPU or a module goes
 *
 * A pool is in the list kspan_pools from its creation to its destruction, so that generations end
 * in it. When a CPU is dead, its objects move to the shared caches. When a module goes, its
 * functions are not called any more (pool_calls.c).
 *
 * Context: task; sleeps.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "base/kunit_export.h"
#include "base/name.h"
#include "base/shrinker.h"
#include "kits/pool.h"

/*
 * Moves objects of a dead CPU into the shared cache. Those that do not fit there are taken into
 * @rest, @most at a time, and their count is returned.
 */
static unsigned int move_some(struct kspan_pool *pool, struct kspan_pool_stack *from,
			      bool victims, void **rest, unsigned int most)
{
	struct kspan_pool_stack *to;
	unsigned long flags;
	unsigned int n;

	raw_spin_lock_irqsave(&pool->lock, flags);
	if (from->count)
		kspan_pool_cache_open(pool, &pool->shared);
	to = victims ? pool->shared.victim : pool->shared.primary;
	n = kspan_pool_stack_pop_some(from, to->object + to->count, to->cap - to->count);
	WRITE_ONCE(to->count, to->count + n);
	raw_spin_unlock_irqrestore(&pool->lock, flags);
	return kspan_pool_stack_pop_some(from, rest, most);
}

static void drain_stack(struct kspan_pool *pool, struct kspan_pool_stack *from, bool victims)
{
	void *dead[KSPAN_POOL_BATCH];
	unsigned int n;

	do {
		n = move_some(pool, from, victims, dead, ARRAY_SIZE(dead));
		kspan_pool_destroy_objects(pool, dead, n);
	} while (n);
}

/**
 * kspan_pool_drain() - move the objects of a CPU to the shared caches
 * @cpu: dead CPU, or one where nobody can be using a pool
 *
 * Objects that do not fit into the shared caches are destroyed.
 *
 * Context: task; sleeps.
 */
void kspan_pool_drain(unsigned int cpu)
{
	struct kspan_pool_cpu *pc;
	struct kspan_pool *pool;

	mutex_lock(&kspan_pools_mutex);
	list_for_each_entry(pool, &kspan_pools, list) {
		pc = per_cpu_ptr(pool->cpu, cpu);
		drain_stack(pool, pc->cache.primary, false);
		drain_stack(pool, pc->cache.victim, true);
		kspan_pool_cache_close(&pc->cache);
	}
	mutex_unlock(&kspan_pools_mutex);
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

/* Allocates the stacks of a CPU on its node. */
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

/*
 * percpu_ref wants a function to call when the last call is over. kspan_pools_forget() looks for
 * itself.
 */
static void no_call_left(struct percpu_ref *calls)
{
}

static bool pool_init_memory(struct kspan_pool *pool, const char *module)
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

static void pool_free_memory(struct kspan_pool *pool)
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
 * __kspan_pool_create() - kspan_pool_create() for a module
 * @ops:	what the user gave
 * @gfp:	flags that new objects are made with
 * @owner:	module that the pool is for, THIS_MODULE there
 *
 * Context: task; sleeps.
 * Return: as kspan_pool_create().
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
	pool->ops.destroy = ops->destroy ?: kspan_pool_default_destroy;
	pool->gfp = gfp;
	if (!pool_init_memory(pool, owner ? owner->name : "(built-in)")) {
		pool_free_memory(pool);
		return NULL;
	}
	mutex_lock(&kspan_pools_mutex);
	list_add_tail(&pool->list, &kspan_pools);
	mutex_unlock(&kspan_pools_mutex);
	kspan_handle_add(&pool->handle, KSPAN_HANDLE_POOL, pool->ops.name, owner, _RET_IP_);
	return pool;
}
EXPORT_SYMBOL_GPL(__kspan_pool_create);

static void destroy_stack(struct kspan_pool *pool, struct kspan_pool_stack *stack)
{
	void *dead[KSPAN_POOL_BATCH];
	unsigned int n;

	while ((n = kspan_pool_stack_pop_some(stack, dead, ARRAY_SIZE(dead))))
		kspan_pool_destroy_objects(pool, dead, n);
}

static void destroy_cache(struct kspan_pool *pool, struct kspan_pool_cache *cache)
{
	destroy_stack(pool, cache->primary);
	destroy_stack(pool, cache->victim);
	kspan_pool_cache_close(cache);
}

static void destroy_pool(struct kspan_pool *pool)
{
	unsigned int cpu;

	/* Wait for functions of a module that is just going. */
	while (kspan_pool_is_called(pool))
		usleep_range(1000, 2000);
	mutex_lock(&kspan_pools_mutex);
	list_del(&pool->list);
	mutex_unlock(&kspan_pools_mutex);
	destroy_cache(pool, &pool->shared);
	for_each_possible_cpu(cpu) {
		destroy_cache(pool, &per_cpu_ptr(pool->cpu, cpu)->cache);
		cond_resched();
	}
	kspan_pool_stop_idle_clock();
	pool_free_memory(pool);
}

/**
 * kspan_pool_destroy() - destroy a pool and the objects in it
 * @pool: pool that nobody uses any more; NULL does nothing
 *
 * Objects that were got and not put belong to the caller, who may keep them. A pool that is
 * destroyed twice is reported, and nothing else is done.
 *
 * Context: task; sleeps. A function of the pool's user must not call it.
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

static void pool_forget(struct kspan_pool *pool, const struct module *module)
{
	lockdep_assert_held(&kspan_pools_mutex);
	if (percpu_ref_is_dying(&pool->calls) || !calls_into(pool, module))
		return;
	percpu_ref_kill(&pool->calls);
	pr_warn("pool %s of module %s: its functions go with module %s, and are not called any more\n",
		pool->ops.name, pool->module, module->name);
}

/**
 * kspan_pools_find() - find the pool that an object is in
 * @object:	any address; it is only compared
 * @name:	set to the name of the pool
 * @size:	bytes of @name
 *
 * Context: task; sleeps.
 * Return: whether there is one. While others use the pool, the answer may be outdated.
 */
bool kspan_pools_find(const void *object, char *name, size_t size)
{
	struct kspan_pool *pool;
	bool found = false;

	mutex_lock(&kspan_pools_mutex);
	list_for_each_entry(pool, &kspan_pools, list) {
		found = kspan_pool_has(pool, object);
		if (!found)
			continue;
		strscpy(name, pool->ops.name, size);
		break;
	}
	mutex_unlock(&kspan_pools_mutex);
	return found;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pools_find);

static bool any_pool_is_called(void)
{
	struct kspan_pool *pool;
	bool any = false;

	mutex_lock(&kspan_pools_mutex);
	list_for_each_entry(pool, &kspan_pools, list)
		any |= kspan_pool_is_called(pool);
	mutex_unlock(&kspan_pools_mutex);
	return any;
}

/**
 * kspan_pools_forget() - stop calling the functions of a module
 * @module: module that is going
 *
 * Calls that are under way are over on return.
 *
 * Context: task; sleeps.
 */
void kspan_pools_forget(const struct module *module)
{
	struct kspan_pool *pool;

	mutex_lock(&kspan_pools_mutex);
	list_for_each_entry(pool, &kspan_pools, list)
		pool_forget(pool, module);
	mutex_unlock(&kspan_pools_mutex);
	/* The functions that are running may wait for the mutex, so it is not held here. */
	while (any_pool_is_called())
		usleep_range(1000, 2000);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_pools_forget);

static struct shrinker *shrinker;

/**
 * kspan_pool_init() - prepare for pools
 *
 * Context: task; sleeps.
 * Return: 0 or -ENOMEM.
 */
int kspan_pool_init(void)
{
	int err = kspan_pool_generations_init();

	if (err)
		return err;
	shrinker = kspan_shrinker_open("kspan-pools", 0, kspan_pool_shrink_count,
				       kspan_pool_shrink_scan);
	if (shrinker)
		return 0;
	kspan_pool_generations_exit();
	return -ENOMEM;
}

/**
 * kspan_pool_exit() - undo kspan_pool_init(), and destroy pools that their users left behind
 *
 * Context: task; sleeps.
 */
void kspan_pool_exit(void)
{
	struct kspan_pool *pool, *next;

	kspan_shrinker_close(shrinker);
	list_for_each_entry_safe(pool, next, &kspan_pools, list) {
		pr_warn("pool %s of module %s was never destroyed\n", pool->ops.name,
			pool->module);
		destroy_pool(pool);
	}
	kspan_pool_generations_exit();
}
