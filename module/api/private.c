// SPDX-License-Identifier: GPL-2.0
/*
 * Private heaps
 *
 * A heap of a module's own: its objects have spans, magazines and slots that no other
 * heap shares, so the memory of one is not used for another while its span is the
 * heap's. Spans without an object stay with the heap, until it is trimmed, reaches its
 * limit, or goes.
 *
 * The map says KSPAN_CLASS_PRIVATE of the pages, which the fast path of kspan_free()
 * takes for a class whose magazine is full; the heap is then found by the span. So
 * private heaps cost the default heap nothing.
 *
 * A heap is destroyed span by span, without a look at its objects: spans are taken
 * from the centrals and freed. Whoever frees one of its objects meanwhile, wrongly, may
 * still find the heap; what is not pages therefore goes after a grace period, and
 * magazines are not emptied any more, as what they hold is worth nothing.
 *
 * Locks: heaps_mutex protects the list of heaps; it is taken within cpus_read_lock(),
 * as CPU hotplug callbacks do.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kspan.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "api/heaps.h"
#include "api/private.h"
#include "api/reserve.h"
#include "base/kunit_export.h"
#include "base/name.h"
#include "objects/large.h"
#include "objects/refuse.h"
#include "objects/track.h"

static struct workqueue_struct *heap_workqueue;
/* Heaps destroyed whose pages wait for a grace period. */
static atomic_t nr_late = ATOMIC_INIT(0);

/* One piece of memory. */
struct private_heap {
	struct kspan_heap heap;
	struct kspan_private private;
	char name[];
};

/**
 * kspan_private_create() - make a heap that nobody knows yet
 * @name:	shown in debugfs and reports, copied as name.c has it
 * @slot:	of a typed cache what its slots are; NULL for the usual size classes
 * @flags:	as in struct kspan_private
 * @ctor:	called once for every slot, or NULL
 * @owner:	the module that made it
 *
 * Context: task; sleeps.
 * Return: the heap or NULL.
 */
struct kspan_heap *kspan_private_create(const char *name, const struct kspan_size_class *slot,
					unsigned int flags, void (*ctor)(void *object),
					struct module *owner)
{
	const struct kspan_size_class *classes = kspan_size_classes;
	unsigned int nr_classes = KSPAN_NR_CLASSES;
	struct kspan_private *private;
	struct private_heap *memory;

	memory = kzalloc(struct_size(memory, name, kspan_name_bytes(name)), GFP_KERNEL);
	if (!memory)
		return NULL;
	kspan_name_copy(memory->name, name);
	private = &memory->private;
	private->heap = &memory->heap;
	private->flags = flags;
	private->node = NUMA_NO_NODE;
	private->ctor = ctor;
	strscpy(private->module, owner ? owner->name : "(built-in)", sizeof(private->module));
	private->handle.module = owner;
	INIT_LIST_HEAD(&private->list);
	hash_init(private->pressing);
	raw_spin_lock_init(&private->pressing_lock);
	kspan_large_owner_init(&private->large, &private->account);
	kspan_kv_owner_init(&private->kv);
	memory->heap.private = private;
	memory->heap.cache_most = KSPAN_PRIVATE_CACHE_BYTES;
	if (slot) {
		private->typed = true;
		private->slot[1] = *slot;
		classes = private->slot;
		nr_classes = ARRAY_SIZE(private->slot);
	}
	if (kspan_heap_build(&memory->heap, memory->name, classes, nr_classes)) {
		kfree(memory);
		return NULL;
	}
	return &memory->heap;
}

/**
 * kspan_private_handle() - the handle of a private heap or typed cache
 * @heap: any address; nothing of it is touched
 */
struct kspan_handle *kspan_private_handle(struct kspan_heap *heap)
{
	return &container_of(heap, struct private_heap, heap)->private.handle;
}

static bool are_valid(const struct kspan_heap_options *options)
{
	if (options->flags & ~(KSPAN_HEAP_TRACK | KSPAN_HEAP_ON_NODE) ||
	    ((options->gfp_on | options->gfp_off) & KSPAN_GFP_REFUSED))
		return false;
	return !(options->flags & KSPAN_HEAP_ON_NODE) ||
	       (options->node >= 0 && options->node < MAX_NUMNODES);
}

/* A heap with options; @site: where it is made. */
static struct kspan_heap *create_heap(const char *name, const struct kspan_heap_options *options,
				 struct module *owner, unsigned long site)
{
	struct kspan_private *private;
	char brief[KSPAN_NAME_BRIEF];
	struct kspan_heap *heap;

	if (!name || !are_valid(options)) {
		pr_err("heap %s can't be made: flags %#x; see kspan_heap_create()\n",
		       kspan_name_brief(brief, name ?: "(null)"), options->flags);
		return NULL;
	}
	heap = kspan_private_create(name, NULL, options->flags, NULL, owner);
	if (!heap)
		return NULL;
	private = heap->private;
	if (options->flags & KSPAN_HEAP_ON_NODE)
		private->node = options->node;
	private->gfp_on = options->gfp_on;
	private->gfp_off = options->gfp_off;
	heap->tracked = (options->flags & KSPAN_HEAP_TRACK) || READ_ONCE(kspan_track_heaps);
	/* Then kspan_heap_malloc() has more to do than its fast path does. */
	if (heap->tracked || private->node != NUMA_NO_NODE || private->gfp_on || private->gfp_off)
		heap->most_at_once = 0;
	private->account.limit = options->limit / KSPAN_PAGE_SIZE +
				 !!(options->limit % KSPAN_PAGE_SIZE);
	/* What is kept is not to use up the limit, by whomever: those that need it have it. */
	if (options->limit)
		heap->budget.most = max_t(size_t, options->limit / 8, 1);
	kspan_private_publish(heap, site);
	return heap;
}

/**
 * __kspan_heap_create() - what kspan_heap_create() calls
 * @name:	shown in debugfs and in reports, copied; what is not printable ASCII, and the
 *		backslash, as \\ooo
 * @limit:	most bytes that the heap may hold, rounded up to pages of 8 KiB; 0 for no
 *		limit. What counts is spans, used or kept, so it takes some more than the
 *		objects.
 * @flags:	KSPAN_HEAP_TRACK to note where objects are allocated, which is told of
 *		those that are live when the heap is destroyed; or 0
 * @owner:	THIS_MODULE
 *
 * A request beyond the limit gets NULL, after the heap gave up what it only kept, and
 * its pressure callback had a try. __GFP_NOFAIL goes beyond.
 *
 * Context: task; sleeps.
 * Return: an empty heap, or NULL without memory, or for a wrong @name or @flags.
 */
struct kspan_heap *__kspan_heap_create(const char *name, size_t limit, unsigned int flags,
				       struct module *owner)
{
	struct kspan_heap_options options = {
		/* A node is no matter of this call: the flag is refused. */
		.limit = limit, .flags = flags, .node = NUMA_NO_NODE,
	};

	return create_heap(name, &options, owner, _RET_IP_);
}
EXPORT_SYMBOL_GPL(__kspan_heap_create);

/**
 * __kspan_heap_create_with() - what kspan_heap_create_with() calls
 * @name:	as for kspan_heap_create()
 * @options:	what the heap does; copied
 * @owner:	THIS_MODULE
 *
 * Context: task; sleeps.
 * Return: an empty heap, or NULL without memory, or for a wrong @name or @options.
 */
struct kspan_heap *__kspan_heap_create_with(const char *name,
					    const struct kspan_heap_options *options,
					    struct module *owner)
{
	return create_heap(name, options, owner, _RET_IP_);
}
EXPORT_SYMBOL_GPL(__kspan_heap_create_with);

/**
 * kspan_heap_name() - what a heap is called
 * @heap: the heap; NULL for the default heap
 * Return: its name, as it was copied, for as long as it lives.
 */
const char *kspan_heap_name(const struct kspan_heap *heap)
{
	return heap ? heap->name : kspan_default_heap.name;
}
EXPORT_SYMBOL_GPL(kspan_heap_name);

/* Where the default heap can't be meant: whether NULL was given, which is told then. */
static bool is_missing(const struct kspan_heap *heap)
{
	if (heap)
		return false;
	kspan_refuse(KSPAN_REFUSED_HEAP,
		     "NULL is no private heap: the default heap is neither reset nor put under pressure",
		     0, 0);
	return true;
}

/**
 * kspan_heap_set_pressure() - have a function called before a request fails
 * @heap:	the heap; NULL does nothing but warn the first time: the default heap has none
 * @pressure:	called once per request that can't be served, in the context of the
 *		request and with its locks held, with the bytes asked for; it may
 *		free objects of the heap, also by kspan_free_bulk(), and must not
 *		allocate from it: a request of its own that can't be served fails, with a
 *		warning the first time. NULL for none. It is not called any more when the
 *		module that has it was unloaded.
 * @data:	for @pressure
 *
 * To be called before the heap is used.
 */
void kspan_heap_set_pressure(struct kspan_heap *heap,
			     void (*pressure)(struct kspan_heap *heap, size_t size, void *data),
			     void *data)
{
	if (is_missing(heap))
		return;
	heap->private->data = data;
	heap->private->pressure = pressure;
}
EXPORT_SYMBOL_GPL(kspan_heap_set_pressure);

/**
 * kspan_private_trim() - give back what a heap keeps without using it
 * @heap: the heap
 *
 * Context: task; sleeps.
 * Return: bytes that it holds less.
 */
size_t kspan_private_trim(struct kspan_heap *heap)
{
	kspan_cpu_caches_flush(heap);
	return kspan_trim_centrals(heap);
}

/**
 * kspan_heap_reset() - free all objects of a private heap
 * @heap: the heap, which nobody uses meanwhile; NULL does nothing but warn the first time
 *
 * The heap keeps the spans of small objects for those to come. Objects that wait for a
 * grace period after kspan_free_rcu() are freed a second time when it ends: call
 * kspan_barrier() before, if there are any. What regions hold of the heap goes, too: they may
 * be reset or destroyed afterwards, which is reported, and nothing else.
 *
 * Context: task; sleeps.
 */
void kspan_heap_reset(struct kspan_heap *heap)
{
	struct kspan_central *central;
	unsigned int i = 0;
	u64 tiny;

	if (is_missing(heap))
		return;
	kspan_reserves_drop(heap);
	kspan_heap_flush(heap);
	while ((central = kspan_heap_next_central(heap, &i)))
		kspan_central_reset(central);
	kspan_large_drop(&heap->private->large);
	kspan_kv_drop(heap);
	/* Tiny objects are counted one by one, others by their slots. */
	tiny = kspan_cpu_caches_events(heap, KSPAN_TINY_ALLOC) -
	       kspan_cpu_caches_events(heap, KSPAN_TINY_FREE);
	this_cpu_add(heap->cpu->events[KSPAN_TINY_FREE], tiny);
}
EXPORT_SYMBOL_GPL(kspan_heap_reset);

/**
 * kspan_private_live() - objects of a heap that were not freed
 * @heap: the heap, which nobody uses meanwhile
 * Return: how many, blocks of tiny objects, large ones and those of vmalloc() included.
 */
unsigned long kspan_private_live(struct kspan_heap *heap)
{
	unsigned long live = kspan_glance(heap->private->large.objects) +
			     atomic_long_read(&heap->private->kv.live), cached;
	struct kspan_central *central;
	unsigned int i = 0;
	u64 allocs;

	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_central_merge_all(central);
		live += kspan_glance(central->nr_out) - kspan_glance(central->nr_depot_objects);
	}
	for (i = 1; i < heap->nr_classes; i++) {
		kspan_cpu_caches_count(heap, i, &cached, &allocs);
		live -= cached;
	}
	return live;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_live);

/* Of the class on all nodes; magazines still say what they hold. */
static void drop_class(struct kspan_heap *heap, unsigned int class)
{
	unsigned long live = 0, cached, depot = 0;
	struct kspan_central *central;
	u64 allocs;
	int nid;

	kspan_cpu_caches_count(heap, class, &cached, &allocs);
	for_each_node(nid) {
		central = kspan_heap_central(heap, nid, class);
		if (!central)
			continue;
		depot += kspan_glance(central->nr_depot_objects);
		live += kspan_central_drop(central);
	}
	kspan_heap_report_live(heap, class, live - min(live, cached + depot));
}

static void free_heap(struct work_struct *work)
{
	struct kspan_private *private = container_of(to_rcu_work(work), struct kspan_private, work);
	struct kspan_heap *heap = private->heap;

	kspan_cpu_caches_drop(heap);
	kspan_heap_unbuild(heap);
	kfree(container_of(heap, struct private_heap, heap));
}

/* Its pages at once, and the rest after a grace period. */
static void drop_heap(struct kspan_heap *heap)
{
	struct kspan_private *private = heap->private;
	unsigned long large, mapped;
	unsigned int class;

	kspan_reserves_drop(heap);
	if (heap->tracked)
		kspan_track_report(heap);
	for (class = 1; class < heap->nr_classes; class++)
		drop_class(heap, class);
	large = kspan_large_drop(&private->large);
	if (large)
		pr_warn("heap %s: %lu large objects were never freed\n", heap->name, large);
	mapped = kspan_kv_drop(heap);
	if (mapped)
		pr_warn("heap %s: %lu objects of vmalloc() were never freed\n", heap->name,
			mapped);
	INIT_RCU_WORK(&private->work, free_heap);
	queue_rcu_work(heap_workqueue, &private->work);
}

static void drop_late(struct work_struct *work)
{
	drop_heap(container_of(to_rcu_work(work), struct kspan_private, work)->heap);
	atomic_dec(&nr_late);
}

/**
 * kspan_private_destroy() - destroy a heap with all that is in it
 * @heap: the heap, which nobody uses any more, and whose handle was taken
 *
 * With KSPAN_TYPESAFE_BY_RCU pages go after a grace period, which nobody waits for.
 *
 * Context: task; sleeps.
 */
void kspan_private_destroy(struct kspan_heap *heap)
{
	struct kspan_private *private = heap->private;

	kspan_private_unpublish(heap);
	if (private->flags & KSPAN_TYPESAFE_BY_RCU) {
		atomic_inc(&nr_late);
		INIT_RCU_WORK(&private->work, drop_late);
		queue_rcu_work(heap_workqueue, &private->work);
	} else {
		drop_heap(heap);
	}
}

/**
 * kspan_private_settle() - wait until all heaps destroyed have given their pages back
 *
 * Context: task; sleeps.
 */
void kspan_private_settle(void)
{
	if (!atomic_read(&nr_late))
		return;
	rcu_barrier();
	flush_workqueue(heap_workqueue);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_settle);

/**
 * kspan_heap_destroy() - destroy a private heap with all its objects
 * @heap: the heap, which nobody uses any more; NULL does nothing, as in kmem_cache_destroy()
 *
 * All its pages go back at once, at a cost that follows spans, not objects. What was
 * never freed is told by class. To free one of its objects afterwards is a wrong free
 * that is reported; kspan_barrier() before waits for those that were given to
 * kspan_free_rcu(). Regions of the heap are to be destroyed before. A heap that is destroyed
 * twice is reported, and nothing else.
 *
 * Context: task; sleeps.
 */
void kspan_heap_destroy(struct kspan_heap *heap)
{
	if (heap && kspan_handle_take(kspan_private_handle(heap), KSPAN_HANDLE_HEAP, heap))
		kspan_private_destroy(heap);
}
EXPORT_SYMBOL_GPL(kspan_heap_destroy);

/**
 * kspan_private_init() - prepare for private heaps
 * Return: 0 or -ENOMEM.
 */
int kspan_private_init(void)
{
	heap_workqueue = alloc_workqueue("kspan_heaps", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return heap_workqueue ? 0 : -ENOMEM;
}

/** kspan_private_exit() - destroy the heaps that their modules left behind */
void kspan_private_exit(void)
{
	struct kspan_private *private;

	while ((private = kspan_heaps_first())) {
		pr_warn("heap %s of module %s was never destroyed\n", private->heap->name,
			private->module);
		kspan_private_destroy(private->heap);
	}
	/* What is not pages goes after another grace period. */
	kspan_private_settle();
	rcu_barrier();
	destroy_workqueue(heap_workqueue);
}
