// SPDX-License-Identifier: GPL-2.0
/*
 * The list of all private heaps and typed caches
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kspan.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>

#include "api/heaps.h"
#include "base/kunit_export.h"
#include "objects/limit.h"

static LIST_HEAD(heaps);
static DEFINE_MUTEX(heaps_mutex);

/**
 * kspan_private_publish() - have a heap take part in CPU hotplug, trim and debugfs
 * @heap: the heap
 * @site: return address of the call that made it
 */
void kspan_private_publish(struct kspan_heap *heap, unsigned long site)
{
	struct kspan_private *private = heap->private;
	unsigned int cpu;

	cpus_read_lock();
	mutex_lock(&heaps_mutex);
	/* A CPU may have come online on another node since the heap was made. */
	for_each_possible_cpu(cpu)
		kspan_cpu_cache_prepare(heap, cpu);
	list_add_tail_rcu(&private->list, &heaps);
	mutex_unlock(&heaps_mutex);
	cpus_read_unlock();
	kspan_handle_add(&private->handle, private->typed ? KSPAN_HANDLE_CACHE : KSPAN_HANDLE_HEAP,
			 heap->name, private->handle.module, site);
}

/** kspan_private_unpublish() - undo kspan_private_publish() but for the handle */
void kspan_private_unpublish(struct kspan_heap *heap)
{
	mutex_lock(&heaps_mutex);
	/* kspan_peek_heaps() may be there; the heap goes after a grace period. */
	list_del_rcu(&heap->private->list);
	mutex_unlock(&heaps_mutex);
}

/** kspan_heaps_first() - the oldest of the list, or NULL; nobody else changes it meanwhile */
struct kspan_private *kspan_heaps_first(void)
{
	return list_first_entry_or_null(&heaps, struct kspan_private, list);
}

static void forget_pressure(struct kspan_private *private, const struct module *module)
{
	unsigned long flags;

	if (!within_module((unsigned long)private->pressure, module))
		return;
	raw_spin_lock_irqsave(&private->pressing_lock, flags);
	WRITE_ONCE(private->pressure, NULL);
	raw_spin_unlock_irqrestore(&private->pressing_lock, flags);
	pr_warn("heap %s of module %s: its pressure callback goes with module %s, and is not called any more\n",
		private->heap->name, private->module, module->name);
}

static void forget_ctor(struct kspan_private *private, const struct module *module)
{
	if (private->ctor_gone || !within_module((unsigned long)private->ctor, module))
		return;
	WRITE_ONCE(private->ctor_gone, true);
	pr_warn("cache %s of module %s: its constructor goes with module %s, so it can't grow any more\n",
		private->heap->name, private->module, module->name);
}

static bool heap_is_called(struct kspan_private *private)
{
	unsigned long flags;
	bool pressing;

	raw_spin_lock_irqsave(&private->pressing_lock, flags);
	pressing = !private->pressure && !hash_empty(private->pressing);
	raw_spin_unlock_irqrestore(&private->pressing_lock, flags);
	return pressing || (private->ctor_gone && atomic_read(&private->constructing));
}

static bool any_heap_is_called(void)
{
	struct kspan_private *private;
	bool any = false;

	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list)
		any |= heap_is_called(private);
	mutex_unlock(&heaps_mutex);
	return any;
}

/**
 * kspan_private_forget() - do not call functions of a module any more
 * @module: the module, which goes
 *
 * Waits for those that are under way.
 *
 * Context: task; sleeps.
 */
void kspan_private_forget(const struct module *module)
{
	struct kspan_private *private;

	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list) {
		forget_pressure(private, module);
		forget_ctor(private, module);
	}
	mutex_unlock(&heaps_mutex);
	/* Who does not see that a constructor is gone is seen by us; see construct_slots(). */
	smp_mb();
	/* Not under the mutex, which they may be waiting for. */
	while (any_heap_is_called())
		usleep_range(1000, 2000);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_forget);

/** kspan_private_prepare_cpu() - kspan_cpu_cache_prepare() for all private heaps */
void kspan_private_prepare_cpu(unsigned int cpu)
{
	struct kspan_private *private;

	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list)
		kspan_cpu_cache_prepare(private->heap, cpu);
	mutex_unlock(&heaps_mutex);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_prepare_cpu);

/** kspan_private_drain_cpu() - kspan_cpu_cache_drain() for all private heaps */
void kspan_private_drain_cpu(unsigned int cpu)
{
	struct kspan_private *private;

	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list)
		kspan_cpu_cache_drain(private->heap, cpu);
	mutex_unlock(&heaps_mutex);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_drain_cpu);

/**
 * kspan_private_trim_all() - kspan_private_trim() for all private heaps
 *
 * Context: task; sleeps.
 */
void kspan_private_trim_all(void)
{
	struct kspan_private *private;

	cpus_read_lock();
	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list) {
		kspan_cpu_caches_flush_locked(private->heap);
		kspan_trim_centrals(private->heap);
		cond_resched();
	}
	mutex_unlock(&heaps_mutex);
	cpus_read_unlock();
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_trim_all);

/**
 * kspan_visit_heaps() - call a function for the default and all private heaps
 * @fn:		the function, which must neither create nor destroy a heap
 * @data:	for @fn
 *
 * Context: task; sleeps.
 */
void kspan_visit_heaps(kspan_heap_fn fn, void *data)
{
	struct kspan_private *private;

	fn(&kspan_default_heap, data);
	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list)
		fn(private->heap, data);
	mutex_unlock(&heaps_mutex);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_visit_heaps);

struct heap_visitor {
	void (*fn)(struct kspan_heap *heap, void *data);
	void *data;
};

static void visit_named(struct kspan_heap *heap, void *data)
{
	const struct heap_visitor *visitor = data;

	/* As its users know it, the default heap is NULL. */
	if (!heap->private)
		visitor->fn(NULL, visitor->data);
	else if (!heap->private->typed)
		visitor->fn(heap, visitor->data);
}

/**
 * kspan_heap_for_each() - call a function for the default heap and all private heaps
 * @fn:		the function, called with NULL, which is the default heap, first; it may call
 *		kspan_heap_stats() and kspan_heap_name() of its heap, and must neither create,
 *		trim nor destroy one
 * @data:	for @fn
 *
 * Typed caches are left out. Heaps do not go meanwhile.
 *
 * Context: task; sleeps.
 */
void kspan_heap_for_each(void (*fn)(struct kspan_heap *heap, void *data), void *data)
{
	struct heap_visitor visitor = { fn, data };

	kspan_visit_heaps(visit_named, &visitor);
}
EXPORT_SYMBOL_GPL(kspan_heap_for_each);

/**
 * kspan_try_visit_heaps() - kspan_visit_heaps() for who must not wait
 * @fn:		the function
 * @data:	for @fn
 *
 * Return: false when somebody else is at work with the list of private heaps: then @fn
 * was called for the default heap only.
 */
bool kspan_try_visit_heaps(kspan_heap_fn fn, void *data)
{
	struct kspan_private *private;

	fn(&kspan_default_heap, data);
	if (!mutex_trylock(&heaps_mutex))
		return false;
	list_for_each_entry(private, &heaps, list)
		fn(private->heap, data);
	mutex_unlock(&heaps_mutex);
	return true;
}

/**
 * kspan_peek_heaps() - kspan_visit_heaps() for who only reads
 * @fn:		the function, which takes no lock and does not sleep
 * @data:	for @fn
 *
 * Context: any; takes no lock.
 */
void kspan_peek_heaps(kspan_heap_fn fn, void *data)
{
	struct kspan_private *private;

	fn(&kspan_default_heap, data);
	rcu_read_lock();
	list_for_each_entry_rcu(private, &heaps, list)
		fn(private->heap, data);
	rcu_read_unlock();
}
