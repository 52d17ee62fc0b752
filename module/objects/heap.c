// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps
 *
 * A heap is a set of centrals, one per node and class, and a cache per CPU.
 * Pages come from the page heaps, which all heaps share. Here is what happens
 * when the CPU cache can't serve: a single slot from the node's central, from
 * a new span, or from another node.
 *
 * Context: allocation as the gfp flags say.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "base/kunit_export.h"
#include "objects/cpu_caches.h"
#include "objects/heap.h"

/* Central of a class on a node, which is made if it is not there. */
struct kspan_central *kspan_heap_make_central(struct kspan_heap *heap, int nid,
					      unsigned int class, gfp_t gfp)
{
	struct kspan_central **where = &heap->central[nid * heap->nr_classes + class], *central;
	/* A possible node that is not online has no memory of its own. */
	int home = node_online(nid) ? nid : NUMA_NO_NODE;

	/* Pairs with the release below. */
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
	/* Release: whoever sees the central sees what is in it. */
	if (!cmpxchg_release(where, NULL, central)) {
		if (heap->private)
			set_bit(class, heap->private->used);
		return central;
	}
	kfree(central);
	/* Pairs with the release of whoever was quicker. */
	return smp_load_acquire(where);
}

/**
 * kspan_heap_build() - make a heap without centrals
 * @heap:	zeroed memory for it
 * @name:	its name, which must live as long
 * @classes:	its size classes, of which entry 0 is no class
 * @nr_classes:	how many
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
	heap->central = kcalloc(nr_node_ids * nr_classes, sizeof(*heap->central), GFP_KERNEL);
	if (heap->central && !kspan_cpu_caches_init(heap))
		return 0;
	kspan_heap_exit(heap);
	return -ENOMEM;
}

/**
 * kspan_heap_init() - make an empty heap that has all its centrals
 * @heap:	zeroed memory for it
 * @name:	its name, which must live as long
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

static void flush_depots(struct kspan_heap *heap)
{
	struct kspan_central *central;
	unsigned int i = 0;

	while ((central = kspan_heap_next_central(heap, &i)))
		kspan_depot_flush(central);
}

/**
 * kspan_heap_flush() - return all cached objects to their spans
 * @heap: the heap, in use or not
 *
 * Context: task; sleeps.
 */
void kspan_heap_flush(struct kspan_heap *heap)
{
	kspan_cpu_caches_flush(heap);
	flush_depots(heap);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_flush);

/**
 * kspan_heap_caches() - whether an object is in a magazine
 * @heap:	the heap
 * @class:	size class of the object
 * @object:	address
 *
 * Return: whether it is; may be outdated while others use the class.
 */
bool kspan_heap_caches(struct kspan_heap *heap, unsigned int class, const void *object)
{
	struct kspan_central *central;
	unsigned int i = 0;

	if (kspan_cpu_caches_hold(heap, class, object))
		return true;
	while ((central = kspan_heap_next_central(heap, &i)))
		if (central->class == class && kspan_depot_holds(central, object))
			return true;
	return false;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_caches);

/**
 * kspan_heap_report_live() - tell what was never freed
 * @heap:	the heap
 * @class:	size class of the objects
 * @live:	how many there are; 0 is not worth a word
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
 * kspan_heap_unbuild() - free what kspan_heap_build() and centrals take
 * @heap: the heap, which nobody uses any more, and whose caches have gone
 */
void kspan_heap_unbuild(struct kspan_heap *heap)
{
	struct kspan_central *central;
	unsigned int i = 0;

	if (!heap->central)
		return;
	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_central_exit(central);
		kfree(central);
	}
	kfree(heap->central);
	heap->central = NULL;
}

/**
 * kspan_heap_exit() - take a heap down
 * @heap: the heap, which nobody uses any more; may be half-built
 *
 * Reports live objects by class. Their spans stay with the page heap.
 */
void kspan_heap_exit(struct kspan_heap *heap)
{
	if (heap->cpu) {
		kspan_cpu_caches_exit(heap);
		flush_depots(heap);
		report_leftovers(heap);
	}
	kspan_heap_unbuild(heap);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_exit);

/**
 * kspan_large_heap() - private heap of a large object
 * @addr: any address
 *
 * Context: any, NMI included; as kspan_lookup().
 * Return: the heap, or NULL.
 */
struct kspan_heap *kspan_large_heap(unsigned long addr)
{
	struct kspan_found found;

	if (!kspan_lookup(addr, &found) || !kspan_span_is_large(found.word.state) ||
	    !found.owner || found.owner == KSPAN_OWNER_UNKNOWN)
		return NULL;
	return container_of(found.owner, struct kspan_private, large)->heap;
}
