/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A heap: the centrals of all nodes, and a cache for every CPU
 *
 * There is one default heap, which serves kspan_malloc(), and any number of private heaps. A typed
 * cache is a private heap with a single size class. All heaps share the page heaps of the nodes.
 * heap.c makes heaps, fallback.c allocates where the CPU cache can't.
 */
#ifndef KSPAN_HEAP_H
#define KSPAN_HEAP_H

#include <linux/hashtable.h>
#include <linux/kspan.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include "objects/budget.h"
#include "objects/handle.h"
#include "objects/kv.h"
#include "objects/large.h"

struct kspan_reserves;

/**
 * struct kspan_heap - a set of centrals and CPU caches
 * @cpu:	cache of each possible CPU
 * @classes:	size classes; entry 0 is no class
 * @nr_classes:	length of @classes
 * @central:	for each possible node one pointer per class; then as many for the spans of
 *		sampled objects, see sampled.c. In a private heap, and for sampled objects in any
 *		heap, it is NULL until the first object of that class and node is allocated.
 * @name:	shown in reports
 * @cache_most: most bytes of objects that the magazines of a CPU may hold, besides
 *		kspan_cpu_cache_bytes; 0 for no such bound
 * @budget:	what its CPU caches and depots have drawn, and may draw
 * @seal_at:	offset of the seal in a free slot, in bytes: 0, or behind the object
 * @gone:	in a typed cache, changes whenever a span, or a page of a span, is given up
 * @tracked:	the call sites that allocate its objects are noted; private heaps only
 * @most_at_once: largest size for which an allocated object needs no further work in
 *		kspan_heap_malloc(): 0 if @tracked, else KSPAN_MAX_SMALL
 * @failures:	requests that got NULL
 * @private:	what only private heaps have; NULL in the default heap
 */
struct kspan_heap {
	struct kspan_cpu_cache __percpu *cpu;
	const struct kspan_size_class *classes;
	unsigned int nr_classes;
	struct kspan_central **central;
	const char *name;
	unsigned int cache_most;
	struct kspan_budget budget;
	unsigned int seal_at;
	atomic_t gone;
	bool tracked;
	size_t most_at_once;
	atomic_long_t failures;
	struct kspan_private *private;
};

extern struct kspan_heap kspan_default_heap;

/**
 * struct kspan_private - what a private heap, or a typed cache, has in addition
 * @heap:	the heap
 * @list:	in the list of all private heaps; protected by the mutex of that list
 * @account:	pages held, and their limit
 * @large:	its large objects
 * @kv:	its objects in memory of vmalloc()
 * @pressure:	function of the user, called before a request fails; or NULL
 * @data:	argument for @pressure
 * @pressing:	calls of @pressure under way; @pressing_lock
 * @pressing_lock: protects @pressing
 * @ctor:	function of the user, called once for every slot; or NULL
 * @ctor_gone:	the module that has @ctor is going away: do not call it any more
 * @constructing: number of spans for which @ctor is being called
 * @flags:	KSPAN_HEAP_*; in a typed cache KSPAN_TYPESAFE_BY_RCU and others
 * @node:	node that objects come from, or NUMA_NO_NODE
 * @gfp_on:	gfp flags added to every request
 * @gfp_off:	gfp flags removed from every request
 * @typed:	true for a typed cache
 * @sizes:	size classes of a typed cache: entry 0, which is no class, and the only one
 * @used:	a bit for each class that has a central on some node
 * @module:	name of the module that made the heap
 * @handle:	its entry in the table of what modules made
 * @reserves:	objects set aside by kspan_heap_prefill(); NULL before its first call
 * @seen:	number of the scavenger's last round through all heaps in which it looked at
 *		this one
 * @balanced:	number of the last round of balance.c in which the heap was served
 * @work:	frees the heap after a grace period
 */
struct kspan_private {
	struct kspan_heap *heap;
	struct list_head list;
	struct kspan_account account;
	struct kspan_large_owner large;
	struct kspan_kv_owner kv;
	void (*pressure)(struct kspan_heap *heap, size_t size, void *data);
	void *data;
	DECLARE_HASHTABLE(pressing, 4);
	raw_spinlock_t pressing_lock;
	void (*ctor)(void *object);
	bool ctor_gone;
	atomic_t constructing;
	unsigned int flags;
	int node;
	gfp_t gfp_on;
	gfp_t gfp_off;
	bool typed;
	struct kspan_size_class sizes[2];
	DECLARE_BITMAP(used, KSPAN_NR_CLASSES);
	char module[MODULE_NAME_LEN];
	struct kspan_handle handle;
	struct kspan_reserves *reserves;
	unsigned int seen;
	unsigned int balanced;
	struct rcu_work work;
};

/*
 * Whether the content of an object stays after a free: its constructor made it for the next owner,
 * or readers under RCU may still look at it.
 */
static inline bool kspan_heap_keeps_contents(const struct kspan_heap *heap)
{
	return heap->private &&
	       (heap->private->ctor || (heap->private->flags & KSPAN_TYPESAFE_BY_RCU));
}

/* Most bytes of objects that the magazines of a CPU may hold for a private heap. */
#define KSPAN_PRIVATE_CACHE_BYTES	(256 * 1024)

static inline struct kspan_large_owner *kspan_heap_large(struct kspan_heap *heap)
{
	return heap->private ? &heap->private->large : NULL;
}

static inline struct kspan_central *kspan_heap_central(struct kspan_heap *heap, int nid,
						       unsigned int class)
{
	/* Pairs with the cmpxchg_release() in kspan_heap_make_central() of heap.c. */
	return smp_load_acquire(&heap->central[nid * heap->nr_classes + class]);
}

/* The central of the sampled objects of a class on a node, or NULL. */
static inline struct kspan_central *kspan_heap_sampled(struct kspan_heap *heap, int nid,
						       unsigned int class)
{
	return kspan_heap_central(heap, nr_node_ids + nid, class);
}

/*
 * Iterate over the centrals that exist, those of sampled objects included. Start with *@i = 0.
 * Returns NULL at the end.
 */
static inline struct kspan_central *kspan_heap_next_central(struct kspan_heap *heap,
							    unsigned int *i)
{
	struct kspan_central *central = NULL;

	for (; !central && *i < 2 * nr_node_ids * heap->nr_classes; ++*i)
		/* Pairs with the cmpxchg_release() in kspan_heap_make_central() of heap.c. */
		central = smp_load_acquire(&heap->central[*i]);
	return central;
}

int kspan_heap_build(struct kspan_heap *heap, const char *name,
		     const struct kspan_size_class *classes, unsigned int nr_classes);
void kspan_heap_free_parts(struct kspan_heap *heap);
int kspan_heap_init(struct kspan_heap *heap, const char *name);
void kspan_heap_exit(struct kspan_heap *heap);
void kspan_heap_drain(struct kspan_heap *heap);
void kspan_heap_report_live(const struct kspan_heap *heap, unsigned int class,
			    unsigned long live);

struct kspan_central *kspan_heap_make_central(struct kspan_heap *heap, int nid,
					      unsigned int class, gfp_t gfp);
struct kspan_central *kspan_heap_make_sampled(struct kspan_heap *heap, int nid,
					      unsigned int class, gfp_t gfp);
bool kspan_heap_depots_hold(struct kspan_heap *heap, unsigned int class, const void *object,
			    gfp_t gfp);
bool kspan_heap_caches(struct kspan_heap *heap, unsigned int class, const void *object);
void *kspan_adopt_run(struct kspan_central *central, struct kspan_span *span, gfp_t gfp);
void *kspan_heap_refill_slot(struct kspan_heap *heap, unsigned int class, int nid);
void *kspan_heap_alloc_slot(struct kspan_heap *heap, unsigned int class, int nid, gfp_t gfp);

struct kspan_heap *kspan_large_heap(unsigned long addr);

#endif /* KSPAN_HEAP_H */
