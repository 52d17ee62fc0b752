// SPDX-License-Identifier: GPL-2.0
/*
 * The list of all private heaps and typed caches, and what is done to each of them
 *
 * CPU hotplug prepares and drains a CPU's cache of each heap; trim, statistics and the
 * scavenger visit each heap; and when a module is unloaded, its functions must not be called
 * for any heap any more.
 *
 * heaps_mutex protects the list. It is taken within cpus_read_lock(), as CPU hotplug callbacks
 * do. The list is also an RCU list: kspan_peek_heaps() walks it without the mutex, and a heap's
 * memory is freed a grace period after the heap was taken out.
 *
 * Context: task, unless a function says otherwise.
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
#include "objects/cpu_caches.h"
#include "objects/limit.h"
#include "objects/sampled.h"

static LIST_HEAD(heaps);
static DEFINE_MUTEX(heaps_mutex);

/**
 * kspan_private_publish() - put a heap into the list, and note who made it
 * @heap:	a private heap or that of a typed cache
 * @site:	return address of the call that made it
 *
 * From here on the heap takes part in CPU hotplug, trim and debugfs.
 *
 * Context: task; sleeps.
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

/**
 * kspan_private_unpublish() - take a heap out of the list
 * @heap:	a heap that was published. The caller has taken its handle, and frees the heap's
 *		memory after a grace period only.
 *
 * Context: task; sleeps.
 */
void kspan_private_unpublish(struct kspan_heap *heap)
{
	mutex_lock(&heaps_mutex);
	/*
	 * kspan_peek_heaps() may still be at this entry; the heap is freed after a grace
	 * period.
	 */
	list_del_rcu(&heap->private->list);
	mutex_unlock(&heaps_mutex);
}

/**
 * kspan_heaps_first() - find the oldest heap of the list
 *
 * Context: at module exit, when nobody else uses the list.
 * Return: what is private of the heap; NULL if the list is empty.
 */
struct kspan_private *kspan_heaps_first(void)
{
	return list_first_entry_or_null(&heaps, struct kspan_private, list);
}

static void forget_pressure(struct kspan_private *private, const struct module *module)
{
	unsigned long flags;

	lockdep_assert_held(&heaps_mutex);
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
	lockdep_assert_held(&heaps_mutex);
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

	lockdep_assert_held(&heaps_mutex);
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
 * kspan_private_forget() - stop calling the functions of a module
 * @module:	the module, which is being unloaded
 *
 * Afterwards neither a pressure callback nor a constructor that lies in the module is called.
 * Calls that are under way are waited for.
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
	/*
	 * Pairs with the barrier in construct_slots(), module/objects/heap.c: either that
	 * CPU sees ctor_gone, or the loop below sees its count in constructing.
	 */
	smp_mb();
	/* The mutex is released first: a callback may be waiting for it. */
	while (any_heap_is_called())
		usleep_range(1000, 2000);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_forget);

/* Prepare the cache that each private heap has for a CPU, which is coming online. */
void kspan_private_prepare_cpu(unsigned int cpu)
{
	struct kspan_private *private;

	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list)
		kspan_cpu_cache_prepare(private->heap, cpu);
	mutex_unlock(&heaps_mutex);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_prepare_cpu);

/* Empty the cache that each private heap has for a CPU, which is offline. */
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
 * kspan_private_trim_all() - give back the memory that private heaps keep unused
 *
 * Context: task; sleeps.
 */
void kspan_private_trim_all(void)
{
	struct kspan_private *private;

	cpus_read_lock();
	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list) {
		kspan_cpu_caches_drain_locked(private->heap);
		kspan_trim_centrals(private->heap);
		cond_resched();
	}
	mutex_unlock(&heaps_mutex);
	cpus_read_unlock();
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_trim_all);

/**
 * kspan_visit_heaps() - call a function for the default heap and all private heaps
 * @fn:		the function; heaps_mutex is held, so it must neither create nor destroy a heap
 * @data:	passed to @fn
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

	/* Callers of the API know the default heap as NULL. */
	if (!heap->private)
		visitor->fn(NULL, visitor->data);
	else if (!heap->private->typed)
		visitor->fn(heap, visitor->data);
}

/**
 * kspan_heap_for_each() - call a function for the default heap and all private heaps
 * @fn:		the function. It is called with NULL, the default heap, first, and with @data as
 *		its second argument. It may sleep and may call kspan_heap_stats() and
 *		kspan_heap_name() of the heap it is given. It must not create, trim or destroy a
 *		heap.
 * @data:	passed to @fn; kspan does not look at it
 *
 * Heaps of all modules are visited; typed caches are not. No heap is destroyed during the call.
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
 * kspan_try_visit_heaps() - kspan_visit_heaps() for a caller that must not wait
 * @fn:		as for kspan_visit_heaps()
 * @data:	passed to @fn
 *
 * Context: task.
 * Return: true if @fn was called for all heaps; false if another task held heaps_mutex. Then
 * @fn was called for the default heap only.
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
 * kspan_peek_heaps() - kspan_visit_heaps() for a caller that only reads
 * @fn:		the function, called within rcu_read_lock(); it must take no lock
 * @data:	passed to @fn
 *
 * A heap that is being destroyed meanwhile may or may not be visited.
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

static long restart_sampling_here(void *heap)
{
	kspan_sampled_restart_here(heap);
	return 0;
}

static long rewind_here(void *unused)
{
	kspan_profile_rewind(raw_smp_processor_id());
	return 0;
}

/* Make all CPUs count anew what no magazine serves. No CPU comes or goes meanwhile. */
static void rewind_all(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (cpu_online(cpu))
			work_on_cpu(cpu, rewind_here, NULL);
		else
			kspan_profile_rewind(cpu);
	}
}

/* Make all CPUs count to the next sample of a heap anew. No CPU comes or goes meanwhile. */
static void restart_sampling(struct kspan_heap *heap, void *unused)
{
	unsigned int cpu, class;

	for_each_possible_cpu(cpu) {
		if (cpu_online(cpu)) {
			work_on_cpu(cpu, restart_sampling_here, heap);
			continue;
		}
		for (class = 1; class < heap->nr_classes; class++)
			kspan_sampled_restart(heap, per_cpu_ptr(heap->cpu, cpu), class);
	}
}

/**
 * kspan_heaps_set_profile_rate() - change how many objects the heap profile samples
 * @rate:	mean number of bytes from one sample to the next; 1: every object; 0: none
 *
 * The profile begins to count anew.
 *
 * Context: task; sleeps.
 * Return: 0 or -ENOMEM.
 */
int kspan_heaps_set_profile_rate(unsigned long rate)
{
	int err = kspan_profile_set_rate(rate);

	if (err)
		return err;
	cpus_read_lock();
	rewind_all();
	kspan_visit_heaps(restart_sampling, NULL);
	cpus_read_unlock();
	/* Until then some CPUs counted by the old rate. */
	kspan_profile_reset();
	return 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heaps_set_profile_rate);
