// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps: how they are made, drained and taken down
 *
 * A heap is a set of centrals, one per node and class, and a cache per CPU. The default heap has
 * all its centrals from the start. A private heap makes a central when the first object of that
 * class and node is allocated. Pages come from the page heaps, which all heaps share.
 *
 * Context: task, but for kspan_heap_make_central(), which is part of an allocation.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "base/kunit_export.h"
#include "objects/cpu_caches.h"
#include "objects/empty.h"
#include "objects/heap.h"

static struct kspan_central *make_central(struct kspan_heap *heap, int nid, unsigned int class,
					  bool sampled, gfp_t gfp)
{
	unsigned int row = sampled ? nr_node_ids + nid : nid;
	struct kspan_central **where = &heap->central[row * heap->nr_classes + class], *central;
	/* A possible node that is not online has no memory of its own. */
	int home = node_online(nid) ? nid : NUMA_NO_NODE;

	/* Pairs with the cmpxchg_release() below. */
	central = smp_load_acquire(where);
	if (central || (gfp & KSPAN_GFP_NOLOCK))
		return central;
	central = kzalloc_node(sizeof(*central), kspan_gfp_metadata(gfp), home);
	if (!central)
		return NULL;
	kspan_central_init(central, &heap->classes[class], class, nid);
	central->heap = heap;
	central->seal_at = heap->seal_at;
	if (heap->private && heap->private->typed)
		central->gone = &heap->gone;
	central->name = heap->name;
	central->budget = &heap->budget;
	if (heap->private) {
		central->account = &heap->private->account;
		central->ctor = heap->private->ctor;
		central->keeps_contents = kspan_heap_keeps_contents(heap);
		central->tracked = heap->tracked;
		if (class != KSPAN_CLASS_TINY)
			central->page_class = KSPAN_CLASS_PRIVATE;
	}
	if (sampled) {
		central->sampled = true;
		central->tracked = true;
		/* A free by way of a magazine would not look at the sample. */
		central->cached_class = 0;
		central->page_class = KSPAN_CLASS_PRIVATE;
	}
	/*
	 * Release: pairs with the acquire above, in kspan_heap_central() and in
	 * kspan_heap_next_central() of heap.h. A CPU that finds the central sees its fields set.
	 */
	if (!cmpxchg_release(where, NULL, central)) {
		if (heap->private)
			set_bit(class, heap->private->used);
		return central;
	}
	kfree(central);
	/* Pairs with the cmpxchg_release() above, on the CPU that was quicker. */
	return smp_load_acquire(where);
}

/**
 * kspan_heap_make_central() - get the central of a class on a node
 * @heap:	owner of the central
 * @nid:	any possible node
 * @class:	size class, not 0
 * @gfp:	for the memory of a new central; with KSPAN_GFP_NOLOCK none is made
 *
 * Context: as @gfp says.
 * Return: the central, which is made if it does not exist yet; or NULL.
 */
struct kspan_central *kspan_heap_make_central(struct kspan_heap *heap, int nid,
					      unsigned int class, gfp_t gfp)
{
	return make_central(heap, nid, class, false, gfp);
}

/** kspan_heap_make_sampled() - kspan_heap_make_central() of the class's sampled objects */
struct kspan_central *kspan_heap_make_sampled(struct kspan_heap *heap, int nid,
					      unsigned int class, gfp_t gfp)
{
	return make_central(heap, nid, class, true, gfp);
}

/**
 * kspan_heap_build() - make a heap without centrals
 * @heap:	zeroed memory for it
 * @name:	its name; the string must live as long as the heap
 * @classes:	its size classes; entry 0 is no class
 * @nr_classes:	length of @classes
 *
 * Return: 0 or -ENOMEM.
 */
int kspan_heap_build(struct kspan_heap *heap, const char *name,
		     const struct kspan_size_class *classes, unsigned int nr_classes)
{
	heap->name = name;
	heap->classes = classes;
	heap->nr_classes = nr_classes;
	heap->most_at_once = KSPAN_MAX_SMALL;
	heap->central = kcalloc(2 * nr_node_ids * nr_classes, sizeof(*heap->central), GFP_KERNEL);
	if (heap->central && !kspan_cpu_caches_init(heap))
		return 0;
	kspan_heap_exit(heap);
	return -ENOMEM;
}

/**
 * kspan_heap_init() - make an empty heap that has all its centrals
 * @heap:	zeroed memory for it
 * @name:	its name; the string must live as long as the heap
 *
 * Return: 0 or -ENOMEM.
 */
int kspan_heap_init(struct kspan_heap *heap, const char *name)
{
	unsigned int class;
	int nid;

	if (kspan_heap_build(heap, name, kspan_size_classes, KSPAN_NR_CLASSES))
		return -ENOMEM;
	for_each_node(nid)
		for (class = 1; class < heap->nr_classes; class++)
			if (!kspan_heap_make_central(heap, nid, class, GFP_KERNEL)) {
				kspan_heap_exit(heap);
				return -ENOMEM;
			}
	return 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_init);

static void drain_depots(struct kspan_heap *heap)
{
	struct kspan_central *central;
	unsigned int i = 0;
	int nid;

	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_depot_drain(central);
		/* Others may go on to free meanwhile. */
		if (!heap->private)
			kspan_central_trim(central, false, (unsigned long)central->sc->pages *
							   kspan_glance(central->nr_empty));
		cond_resched();
	}
	if (heap->private)
		return;
	for_each_node(nid) {
		kspan_page_heap_merge_all(kspan_page_heap(nid));
		kspan_empty_release_all(nid, ULONG_MAX);
	}
}

/**
 * kspan_heap_drain() - return all cached objects to their spans, and free empty spans
 * @heap:	any heap; CPUs may go on using it
 *
 * Context: task; sleeps.
 */
void kspan_heap_drain(struct kspan_heap *heap)
{
	kspan_cpu_caches_drain(heap);
	drain_depots(heap);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_drain);

/**
 * kspan_heap_depots_hold() - whether a magazine of a depot holds an object
 * @heap:	heap of the object
 * @class:	size class of the object
 * @object:	address
 * @gfp:	as for kspan_depot_holds()
 *
 * Return: whether one does, on any node.
 */
bool kspan_heap_depots_hold(struct kspan_heap *heap, unsigned int class, const void *object,
			    gfp_t gfp)
{
	struct kspan_central *central;
	unsigned int i = 0;

	while ((central = kspan_heap_next_central(heap, &i)))
		if (central->class == class && kspan_depot_holds(central, object, gfp))
			return true;
	return false;
}

/**
 * kspan_heap_caches() - whether a magazine holds an object
 * @heap:	heap of the object
 * @class:	size class of the object
 * @object:	address
 *
 * Return: whether a magazine of a CPU or of a depot holds it. The answer may be outdated while
 * others use the class.
 */
bool kspan_heap_caches(struct kspan_heap *heap, unsigned int class, const void *object)
{
	return kspan_cpu_caches_find(heap, class, object) < nr_cpu_ids ||
	       kspan_heap_depots_hold(heap, class, object, 0);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_caches);

/**
 * kspan_heap_report_live() - log objects that were never freed
 * @heap:	heap of the objects
 * @class:	size class of the objects
 * @live:	how many there are; for 0 nothing is logged
 */
void kspan_heap_report_live(const struct kspan_heap *heap, unsigned int class, unsigned long live)
{
	if (live)
		pr_warn("heap %s: %lu %s %u were never freed\n", heap->name, live,
			class == KSPAN_CLASS_TINY ? "blocks of tiny objects, of" :
						    "objects of class",
			heap->classes[class].size);
}

static void report_leftovers(struct kspan_heap *heap)
{
	struct kspan_central *central;
	unsigned int i = 0;

	while ((central = kspan_heap_next_central(heap, &i)))
		kspan_heap_report_live(heap, central->class, central->nr_out);
}

/**
 * kspan_heap_free_parts() - free the centrals, and what kspan_heap_build() allocated
 * @heap:	a heap that nobody uses any more, and whose CPU caches are gone
 */
void kspan_heap_free_parts(struct kspan_heap *heap)
{
	struct kspan_central *central;
	unsigned int i = 0;

	if (!heap->central)
		return;
	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_depot_exit(central);
		kfree(central);
	}
	kfree(heap->central);
	heap->central = NULL;
}

/**
 * kspan_heap_exit() - take a heap down
 * @heap:	a heap that nobody uses any more; it may be half-built
 *
 * Logs live objects by class. Their spans stay with the page heap.
 */
void kspan_heap_exit(struct kspan_heap *heap)
{
	if (heap->cpu) {
		kspan_cpu_caches_exit(heap);
		drain_depots(heap);
		report_leftovers(heap);
	}
	kspan_heap_free_parts(heap);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_exit);

/**
 * kspan_large_heap() - find the private heap of a large object
 * @addr:	any address
 *
 * Context: any, NMI included; as kspan_lookup().
 * Return: the heap; NULL when @addr is in no large object of a private heap.
 */
struct kspan_heap *kspan_large_heap(unsigned long addr)
{
	struct kspan_found found;

	if (!kspan_lookup(addr, &found) || !kspan_span_is_large(found.word.state) ||
	    !found.owner || found.owner == KSPAN_OWNER_UNKNOWN)
		return NULL;
	return container_of(found.owner, struct kspan_private, large)->heap;
}
