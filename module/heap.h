/* SPDX-License-Identifier: GPL-2.0 */
/* A heap: the centrals of all nodes, and a cache for every CPU. */
#ifndef KSPAN_HEAP_H
#define KSPAN_HEAP_H

#include <linux/hashtable.h>
#include <linux/kspan.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include "cpu_cache.h"
#include "handle.h"
#include "kvmalloc.h"

struct kspan_reserves;

/**
 * struct kspan_private - what a private heap has, and a typed cache
 * @heap:	whose it is
 * @list:	in the list of all private heaps; its mutex
 * @account:	pages held, and how many may be
 * @large:	its large objects
 * @kv:	its objects in memory of vmalloc()
 * @pressure:	called before a request fails, or NULL
 * @data:	for @pressure
 * @pressing:	calls of @pressure that are under way; @pressing_lock
 * @pressing_lock: protects @pressing
 * @ctor:	called once for every slot, or NULL
 * @ctor_gone:	it is not to be called any more, as its module goes
 * @constructing: spans for which it is being called
 * @flags:	KSPAN_HEAP_*, or of a typed cache KSPAN_TYPESAFE_BY_RCU and others
 * @node:	node that objects come from, or NUMA_NO_NODE
 * @gfp_on:	flags that all requests have
 * @gfp_off:	flags that none has
 * @typed:	it is a typed cache, and
 * @slot:	its size classes: none, and one
 * @used:	a bit for each class that has a central
 * @module:	name of the module that made it
 * @handle:	whose it is
 * @reserves:	for those who wait for nothing; NULL until they are asked for
 * @seen:	the scavenger's last round through all heaps in which it looked at this one
 * @balanced:	the same of balance()
 * @work:	frees it after a grace period
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
	struct kspan_size_class slot[2];
	DECLARE_BITMAP(used, KSPAN_NR_CLASSES);
	char module[MODULE_NAME_LEN];
	struct kspan_handle handle;
	struct kspan_reserves *reserves;
	unsigned int seen;
	unsigned int balanced;
	struct rcu_work work;
};

/*
 * What is in an object stays when it is freed: what its constructor made for the next owner,
 * or what readers under RCU may look at.
 */
static inline bool kspan_heap_keeps_contents(const struct kspan_heap *heap)
{
	return heap->private &&
	       (heap->private->ctor || (heap->private->flags & KSPAN_TYPESAFE_BY_RCU));
}

/* Bytes of objects that a CPU may keep of each private heap at most. */
#define KSPAN_PRIVATE_CACHE_BYTES	(256 * 1024)

static inline struct kspan_large_owner *kspan_heap_large(struct kspan_heap *heap)
{
	return heap->private ? &heap->private->large : NULL;
}

/* The next central that is there; NULL behind the last. @i starts with 0. */
static inline struct kspan_central *kspan_heap_next_central(struct kspan_heap *heap,
							    unsigned int *i)
{
	struct kspan_central *central = NULL;

	for (; !central && *i < nr_node_ids * heap->nr_classes; ++*i)
		/* Pairs with the release of whoever makes it. */
		central = smp_load_acquire(&heap->central[*i]);
	return central;
}

int kspan_heap_build(struct kspan_heap *heap, const char *name,
		     const struct kspan_size_class *classes, unsigned int nr_classes);
void kspan_heap_unbuild(struct kspan_heap *heap);
int kspan_heap_init(struct kspan_heap *heap, const char *name);
void kspan_heap_exit(struct kspan_heap *heap);
void kspan_heap_flush(struct kspan_heap *heap);
void kspan_heap_report_live(const struct kspan_heap *heap, unsigned int class,
			    unsigned long live);

bool kspan_heap_caches(struct kspan_heap *heap, unsigned int class, const void *object);
void *kspan_heap_refill_slot(struct kspan_heap *heap, unsigned int class, int nid);
void *kspan_heap_alloc_slot(struct kspan_heap *heap, unsigned int class, int nid, gfp_t gfp);

struct kspan_heap *kspan_large_heap(unsigned long addr);

#endif /* KSPAN_HEAP_H */
