// SPDX-License-Identifier: GPL-2.0
/*
 * Private heaps: how one is made, emptied and destroyed
 *
 * A private heap belongs to a module. It has spans, magazines and slots of its own, so the
 * memory of one of its objects is never used for an object of another heap while the span is
 * the heap's. A span without an object stays with the heap until the heap is trimmed, reaches
 * its limit, or is destroyed. A typed cache, see cache.c, is a private heap with one size
 * class.
 *
 * For pages of private heaps the map says KSPAN_CLASS_PRIVATE. The fast path of kspan_free()
 * takes that for a class whose magazine is full, and goes on out of line, where the heap is
 * found by the span. So private heaps cost the default heap nothing.
 *
 * A heap is destroyed span by span; its objects are not looked at. Spans are taken from the
 * centrals and freed. A CPU that wrongly frees one of the objects at the same time may still
 * find the heap: all memory of the heap but its pages is therefore freed after an RCU grace
 * period. Magazines are not emptied, as the pages of their objects are free already.
 *
 * heaps.c has the list of all private heaps.
 *
 * Context: task, unless a function says otherwise.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kspan.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "api/heaps.h"
#include "api/private.h"
#include "api/reserve.h"
#include "base/kunit_export.h"
#include "base/name.h"
#include "objects/cpu_caches.h"
#include "objects/deferred.h"
#include "objects/large.h"
#include "objects/refuse.h"
#include "objects/track.h"

static struct workqueue_struct *heap_workqueue;
/* Number of destroyed heaps whose pages wait for a grace period. */
static atomic_t nr_late = ATOMIC_INIT(0);

/* A heap is one piece of memory. */
struct private_heap {
	struct kspan_heap heap;
	struct kspan_private private;
	char name[];
};

/**
 * kspan_private_create() - make a heap that is not in the list of heaps yet
 * @name:	shown in debugfs and reports; copied by the rules of name.c
 * @slot:	the only size class of a typed cache; NULL for the size classes of the default
 *		heap
 * @flags:	KSPAN_HEAP_* of a heap; KSPAN_TYPESAFE_BY_RCU and other flags of a typed cache
 * @ctor:	constructor, called once for every slot; or NULL
 * @owner:	the module that made it; NULL for code that is built in
 *
 * Context: task; sleeps.
 * Return: the heap, to be published and to be ended by kspan_private_destroy(); or NULL.
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
		private->sizes[1] = *slot;
		classes = private->sizes;
		nr_classes = ARRAY_SIZE(private->sizes);
	}
	if (kspan_heap_build(&memory->heap, memory->name, classes, nr_classes)) {
		kfree(memory);
		return NULL;
	}
	return &memory->heap;
}

/**
 * kspan_private_handle() - find the handle of a private heap or typed cache
 * @heap:	any address; it is not read, so it may be that of a destroyed heap
 *
 * Return: where the handle would be.
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

/* Make a heap with options. @site is the return address of the caller's call. */
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
	/* For such a heap kspan_heap_malloc() must not take its fast path, for any size. */
	if (heap->tracked || private->node != NUMA_NO_NODE || private->gfp_on || private->gfp_off)
		heap->most_at_once = 0;
	private->account.limit = options->limit / KSPAN_PAGE_SIZE +
				 !!(options->limit % KSPAN_PAGE_SIZE);
	/* What the CPUs keep must not use up the limit: it may be an eighth of it. */
	if (options->limit)
		heap->budget.most = max_t(size_t, options->limit / 8, 1);
	kspan_private_publish(heap, site);
	return heap;
}

/**
 * __kspan_heap_create() - make a private heap on behalf of a module
 * @name:	as for kspan_heap_create()
 * @limit:	as for kspan_heap_create()
 * @flags:	as for kspan_heap_create()
 * @owner:	THIS_MODULE of the caller
 *
 * Call kspan_heap_create() instead.
 *
 * Context: task; sleeps.
 * Return: as kspan_heap_create().
 */
struct kspan_heap *__kspan_heap_create(const char *name, size_t limit, unsigned int flags,
				       struct module *owner)
{
	struct kspan_heap_options options = {
		/* This call has no node, so it refuses KSPAN_HEAP_ON_NODE. */
		.limit = limit, .flags = flags, .node = NUMA_NO_NODE,
	};

	return create_heap(name, &options, owner, _RET_IP_);
}
EXPORT_SYMBOL_GPL(__kspan_heap_create);

/**
 * __kspan_heap_create_with() - make a private heap with options on behalf of a module
 * @name:	as for kspan_heap_create()
 * @options:	as for kspan_heap_create_with()
 * @owner:	THIS_MODULE of the caller
 *
 * Call kspan_heap_create_with() instead.
 *
 * Context: task; sleeps.
 * Return: as kspan_heap_create().
 */
struct kspan_heap *__kspan_heap_create_with(const char *name,
					    const struct kspan_heap_options *options,
					    struct module *owner)
{
	return create_heap(name, options, owner, _RET_IP_);
}
EXPORT_SYMBOL_GPL(__kspan_heap_create_with);

/**
 * kspan_heap_name() - tell the name of a heap
 * @heap:	a live heap; NULL for the default heap
 *
 * Context: any.
 * Return: the name that was given at creation, with unprintable characters escaped. The string
 * is the heap's, and valid until the heap is destroyed.
 */
const char *kspan_heap_name(const struct kspan_heap *heap)
{
	return heap ? heap->name : kspan_default_heap.name;
}
EXPORT_SYMBOL_GPL(kspan_heap_name);

/*
 * Whether NULL was given where the default heap is not allowed. The log tells that the first
 * time.
 */
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
 * kspan_heap_set_pressure() - set a function that is asked for memory before a request fails
 * @heap:	a private heap. NULL does nothing, and is reported the first time: the default
 *		heap has no such function.
 * @pressure:	the function; NULL for none. @size is the size in bytes of the request, @data
 *		the pointer given here.
 * @data:	passed to @pressure; kspan does not look at it
 *
 * When a request can't be served, because the heap is at its limit or the system has no memory,
 * the heap first gives up what it keeps unused. Then @pressure is called, once per request, in
 * the context of the request and with the locks of its caller held. It may free objects of the
 * heap, also by kspan_free_bulk(), and must not allocate from the heap: such a request fails if
 * the heap has nothing left, with a warning the first time. After it returns the request is
 * tried again.
 *
 * The function is not called any more once the module that contains it was unloaded.
 *
 * Context: any; call it before the heap is used.
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
 * kspan_private_trim() - give back the memory that a heap keeps unused
 * @heap:	a private heap or that of a typed cache
 *
 * Context: task; sleeps.
 * Return: the number of bytes given back.
 */
size_t kspan_private_trim(struct kspan_heap *heap)
{
	kspan_cpu_caches_drain(heap);
	return kspan_trim_centrals(heap);
}

/**
 * kspan_heap_reset() - free all objects of a private heap at once
 * @heap:	a private heap that nobody allocates from, and none of whose objects anybody
 *		uses or frees, during the call. NULL does nothing, and is reported the first
 *		time.
 *
 * The heap can be used as before. It keeps the spans of small objects for new ones;
 * kspan_heap_trim() gives them back.
 *
 * The caller must wait for objects that it gave to kspan_free_rcu(): call kspan_barrier()
 * first, or they are freed a second time after their grace period. Regions in the heap lose
 * their chunks: the caller may still reset or destroy such a region, which is reported and does
 * nothing else.
 *
 * Context: task; sleeps. The time it takes depends on the number of spans, not of objects.
 */
void kspan_heap_reset(struct kspan_heap *heap)
{
	struct kspan_central *central;
	unsigned int i = 0;
	u64 tiny;

	if (is_missing(heap))
		return;
	kspan_reserves_drop(heap);
	kspan_heap_drain(heap);
	while ((central = kspan_heap_next_central(heap, &i)))
		kspan_central_reset(central);
	kspan_large_drop(&heap->private->large);
	kspan_kv_drop(heap);
	/* Tiny objects are counted one by one; all others are counted by slots. */
	tiny = kspan_cpu_caches_events(heap, KSPAN_TINY_ALLOC) -
	       kspan_cpu_caches_events(heap, KSPAN_TINY_FREE);
	this_cpu_add(heap->cpu->events[KSPAN_TINY_FREE], tiny);
}
EXPORT_SYMBOL_GPL(kspan_heap_reset);

/**
 * kspan_private_live() - count the objects of a heap that were not freed
 * @heap:	a private heap or that of a typed cache, which nobody uses meanwhile
 *
 * Return: number of objects. All tiny objects in one block count as one; large objects and
 * those of vmalloc() are included.
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

/*
 * Free the spans of a class on all nodes, and report its live objects. The magazines still tell
 * how many of the objects that are out of their spans were free.
 */
static void drop_class(struct kspan_heap *heap, unsigned int class)
{
	unsigned long live = 0, cached, depot = 0;
	struct kspan_central *central;
	u64 allocs;
	int nid;

	kspan_cpu_caches_count(heap, class, &cached, &allocs);
	for_each_node(nid) {
		central = kspan_heap_central(heap, nid, class);
		if (central) {
			depot += kspan_glance(central->nr_depot_objects);
			live += kspan_central_drop(central);
		}
		central = kspan_heap_sampled(heap, nid, class);
		if (central)
			live += kspan_central_drop(central);
	}
	kspan_heap_report_live(heap, class, live - min(live, cached + depot));
}

static void free_heap(struct work_struct *work)
{
	struct kspan_private *private = container_of(to_rcu_work(work), struct kspan_private, work);
	struct kspan_heap *heap = private->heap;

	kspan_cpu_caches_drop(heap);
	kspan_heap_free_parts(heap);
	kfree(container_of(heap, struct private_heap, heap));
}

/* Free the pages of a heap now, and all other memory of it after a grace period. */
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
 * kspan_private_destroy() - destroy a heap with all its objects
 * @heap:	a published heap or that of a typed cache, which nobody uses any more, and whose
 *		handle the caller has taken
 *
 * With KSPAN_TYPESAFE_BY_RCU the pages are freed after a grace period, for which this function
 * does not wait.
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
 * kspan_private_settle() - wait until all destroyed heaps have given their pages back
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
 * @heap:	the heap, which nobody uses any more; NULL does nothing
 *
 * All pages of the heap are given back before this function returns. The log names the number
 * of objects of each size that were never freed, and with KSPAN_HEAP_TRACK where they were
 * allocated. An object that is freed afterwards is reported as a wrong free.
 *
 * Before: call kspan_barrier() if objects were given to kspan_free_rcu(), and destroy the
 * heap's regions. A heap that was destroyed before is reported, and nothing is done.
 *
 * Context: task; sleeps. The time it takes depends on the number of spans, not of objects.
 */
void kspan_heap_destroy(struct kspan_heap *heap)
{
	if (heap && kspan_handle_take(kspan_private_handle(heap), KSPAN_HANDLE_HEAP, heap))
		kspan_private_destroy(heap);
}
EXPORT_SYMBOL_GPL(kspan_heap_destroy);

/**
 * kspan_private_init() - prepare for private heaps
 *
 * Return: 0 or -ENOMEM.
 */
int kspan_private_init(void)
{
	heap_workqueue = alloc_workqueue("kspan_heaps", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return heap_workqueue ? 0 : -ENOMEM;
}

/* Destroy the heaps that modules left behind, with a warning for each. */
void kspan_private_exit(void)
{
	struct kspan_private *private;

	while ((private = kspan_heaps_first())) {
		pr_warn("heap %s of module %s was never destroyed\n", private->heap->name,
			private->module);
		kspan_private_destroy(private->heap);
	}
	/* The heaps' memory that is not pages is freed after one more grace period. */
	kspan_private_settle();
	rcu_barrier();
	destroy_workqueue(heap_workqueue);
}
