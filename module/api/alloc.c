// SPDX-License-Identifier: GPL-2.0
/*
 * The API: dispatch by size and address, gfp flags, initialisation
 */
#include <linux/kspan.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "api/alloc.h"
#include "api/object.h"
#include "base/kunit_export.h"
#include "objects/limit.h"

static void *refuse_size(size_t size, gfp_t gfp)
{
	return kspan_refuse(KSPAN_REFUSED_SIZE, "larger than kmalloc's limit, use vmalloc", size,
			    gfp);
}

static void alloc_note_failure(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid)
{
	atomic_long_inc(&heap->failures);
	kspan_tell_failure(heap, size, gfp, nid);
}

/* Whether a request that failed must be tried again; waits a little then. */
static bool alloc_must_retry(gfp_t gfp)
{
	if (likely(!(gfp & __GFP_NOFAIL)) || WARN_ON_ONCE(!gfpflags_allow_blocking(gfp)))
		return false;
	memalloc_retry_wait(gfp);
	return true;
}

/**
 * kspan_count_node() - count where an object is from that no CPU had cached
 * @heap:	the heap
 * @object:	the object
 * @wanted:	the node that was asked for
 */
void kspan_count_node(struct kspan_heap *heap, const void *object, int wanted)
{
	int nid;

	if (!static_branch_unlikely(&kspan_numa))
		return;
	nid = page_to_nid(virt_to_page(object));
	if (nid != wanted)
		kspan_count(heap, KSPAN_ALLOC_FALLBACK);
	else if (nid != kspan_home_node())
		kspan_count(heap, KSPAN_ALLOC_REMOTE);
}

/**
 * kspan_initialise_slot() - make a slot what the caller asked for
 * @heap:	its heap
 * @object:	the slot
 * @class:	its class
 * @gfp:	the caller's flags
 *
 * What a constructor has made of it stays. What readers under RCU may look at stays, too,
 * unless the caller himself wants it to be zeroed: for init_on_alloc= it was, once, with its
 * span.
 *
 * Return: @object.
 */
void *kspan_initialise_slot(const struct kspan_heap *heap, void *object, unsigned int class,
			    gfp_t gfp)
{
	size_t size = heap->classes[class].size;

	kspan_unseal(object, heap->seal_at);
	if (!kspan_heap_keeps_contents(heap))
		return kspan_initialise(object, size, gfp, gfp);
	if ((gfp & __GFP_ZERO) && !heap->private->ctor)
		memset(object, 0, heap->seal_at ?: size);
	kspan_remember(object, size, gfp);
	return object;
}

/* When nothing else is left: an object of whole pages, whatever its size. */
static void *malloc_emergency(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid)
{
	if (likely(!kspan_may_use_reserves(gfp)))
		return NULL;
	return kspan_large_alloc_emergency(kspan_heap_large(heap), size, nid, gfp);
}

/* Whether an object of a class may be one of whole pages: a slot has no such size. */
static bool must_be_slot(const struct kspan_heap *heap, unsigned int class)
{
	return class == KSPAN_CLASS_TINY || (heap->private && heap->private->typed);
}

static void *alloc_slot(struct kspan_heap *heap, unsigned int class, gfp_t gfp, int nid)
{
	void *object = kspan_heap_alloc_slot(heap, class, nid, gfp);
	unsigned int attempt = 0;

	while (!object && kspan_private_relieve(heap, heap->classes[class].size, &attempt, gfp))
		object = kspan_heap_alloc_slot(heap, class, nid, gfp);
	if (!object)
		return NULL;
	kspan_count_node(heap, object, nid);
	return kspan_initialise_slot(heap, object, class, gfp);
}

/* An object of pages that the reserves of the system gave, for one that is a slot else. */
static void *alloc_from_reserves(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid)
{
	void *object = malloc_emergency(heap, size, gfp, nid);

	if (!object)
		return NULL;
	kspan_count_node(heap, object, nid);
	return kspan_initialise(object, kspan_size(object), gfp, gfp);
}

/* Small objects past the CPU cache; class 0 stands for size 0. */
static void *malloc_on_node(struct kspan_heap *heap, unsigned int class, gfp_t gfp, int nid)
{
	void *object;

	if (!class)
		return ZERO_SIZE_PTR;
	do {
		object = alloc_slot(heap, class, gfp, nid);
		if (!object && !must_be_slot(heap, class))
			object = alloc_from_reserves(heap, heap->classes[class].size, gfp, nid);
	} while (!object && alloc_must_retry(gfp));
	if (!object)
		alloc_note_failure(heap, heap->classes[class].size, gfp, nid);
	return object;
}

/** kspan_malloc_slow() - kspan_malloc_class_of() where the CPU's cache is busy */
noinline void *kspan_malloc_slow(unsigned int class, gfp_t gfp, struct kspan_heap *heap)
{
	return malloc_on_node(heap, class, kspan_gfp_here(gfp), kspan_home_node());
}

/* Give the depot of this CPU's node a magazine, if somebody missed one there. */
void kspan_provision(struct kspan_heap *heap, unsigned int class, gfp_t gfp)
{
	struct kspan_central *central;

	if (!class)
		return;
	central = kspan_heap_central(heap, raw_cpu_ptr(heap->cpu)->nid, class);
	if (central)
		kspan_depot_provision(central, gfp);
}

/**
 * kspan_malloc_refill() - kspan_malloc_class_of() where the loaded magazine is empty
 * @class:	size class
 * @gfp:	the caller's flags
 * @heap:	the heap
 * @cache:	its entered cache, which is left here
 *
 * Return: the object, initialised; or NULL.
 */
noinline void *kspan_malloc_refill(unsigned int class, gfp_t gfp, struct kspan_heap *heap,
				   struct kspan_cpu_cache *cache)
{
	int nid = cache->nid;
	void *object;

	/* Preemption is off in there for our own sake: for the rest it may be on. */
	object = kspan_cpu_cache_refill(heap, cache, class, in_nmi() ? KSPAN_GFP_NOLOCK : 0);
	kspan_cpu_cache_finish(cache);
	gfp = kspan_gfp_here(gfp);
	/* Not from a hardirq, where SLUB's locks are not for everybody to take. */
	if (!(gfp & KSPAN_GFP_NOLOCK) && !in_hardirq())
		kspan_provision(heap, class, gfp);
	if (!object && !(gfp & KSPAN_GFP_NOLOCK))
		object = kspan_heap_refill_slot(heap, class, nid);
	if (!object)
		return malloc_on_node(heap, class, gfp, nid);
	return kspan_initialise_slot(heap, object, class, gfp);
}

typedef void *(*alloc_pages_fn)(struct kspan_large_owner *owner, size_t size, int nid, gfp_t gfp);

static void *alloc_pages_of(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid,
			    alloc_pages_fn alloc)
{
	struct kspan_large_owner *owner = kspan_heap_large(heap);
	void *object = alloc(owner, size, nid, gfp);
	unsigned int attempt = 0;

	while (!object && kspan_private_relieve(heap, size, &attempt, gfp))
		object = alloc(owner, size, nid, gfp);
	return object;
}

/**
 * kspan_heap_alloc_chunk() - pages to put objects into that go together
 * @heap:	the heap that they are from
 * @size:	bytes, which are rounded up to whole pages, at most KSPAN_MAX_SIZE
 * @gfp:	the caller's flags, without zone flags; zeroing is left to the caller
 *
 * kspan_free() of an address in a chunk is reported as what it is.
 *
 * Return: the chunk, aligned to the largest power of two that divides @size and at
 * least to a page; or NULL.
 */
void *kspan_heap_alloc_chunk(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	int nid = kspan_home_node();
	void *chunk;

	gfp = kspan_gfp_here(kspan_heap_gfp(heap, gfp));
	chunk = alloc_pages_of(heap, size, gfp, nid, kspan_large_alloc_chunk);
	if (!chunk)
		alloc_note_failure(heap, size, gfp, nid);
	return chunk;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_alloc_chunk);

static void *alloc_large(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid)
{
	void *object = alloc_pages_of(heap, size, gfp, nid, kspan_large_alloc);

	if (!object)
		return NULL;
	kspan_count_node(heap, object, nid);
	return kspan_initialise(object, kspan_large_roundup(size), gfp, gfp);
}

static void *malloc_large_on_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid)
{
	void *object;

	if (gfp & KSPAN_GFP_REFUSED)
		return kspan_refuse_zone(gfp);
	if (size > KSPAN_MAX_SIZE)
		return refuse_size(size, gfp);
	gfp = kspan_gfp_here(gfp);
	do {
		object = alloc_large(heap, size, gfp, nid);
		if (!object)
			object = alloc_from_reserves(heap, size, gfp, nid);
	} while (!object && alloc_must_retry(gfp));
	if (!object)
		alloc_note_failure(heap, size, gfp, nid);
	return object;
}

/** kspan_malloc_large() - kspan_malloc_of() above KSPAN_MAX_SMALL */
noinline void *kspan_malloc_large(size_t size, gfp_t gfp, struct kspan_heap *heap)
{
	size_t usable = kspan_large_roundup(size);
	struct kspan_cpu_cache *cache;
	void *object = NULL;

	if (likely(!(gfp & KSPAN_GFP_REFUSED)) && likely(kspan_cpu_cache_enter(heap, &cache))) {
		object = kspan_large_cache_take(&cache->large, size);
		if (object) {
			cache->events[KSPAN_LARGE_ALLOC]++;
			cache->events[KSPAN_LARGE_ALLOC_PAGES] += usable >> KSPAN_PAGE_SHIFT;
		}
		kspan_cpu_cache_leave(cache);
	}
	if (object)
		return kspan_initialise(object, usable, gfp, gfp);
	return malloc_large_on_node(heap, size, gfp, kspan_home_node());
}

/** kspan_clear_slot() - zero an object of a size class; returns it */
noinline void *kspan_clear_slot(void *object, unsigned int class)
{
	return memset(object, 0, kspan_size_classes[class].size);
}

/** kspan_malloc_slot() - an object of a class of any heap, which may be a typed cache */
void *kspan_malloc_slot(struct kspan_heap *heap, unsigned int class, gfp_t gfp)
{
	struct kspan_cpu_cache *cache;
	void *object;

	if (unlikely(!kspan_cpu_cache_enter(heap, &cache)))
		return kspan_malloc_slow(class, gfp, heap);
	if (unlikely(!kspan_cpu_cache_pop(cache, class, &object)))
		return kspan_malloc_refill(class, gfp, heap, cache);
	kspan_cpu_cache_leave(cache);
	return kspan_initialise_slot(heap, object, class, gfp);
}

/** kspan_malloc_special() - kspan_malloc_class_of() with KSPAN_GFP_SPECIAL flags */
noinline void *kspan_malloc_special(unsigned int class, gfp_t gfp, struct kspan_heap *heap)
{
	if (gfp & KSPAN_GFP_REFUSED)
		return kspan_refuse_zone(gfp);
	return __kspan_malloc_class_of(heap, class, gfp, gfp);
}

/** __kspan_malloc() - kspan_malloc() of a size that is no constant, or large */
void *__kspan_malloc(size_t size, gfp_t gfp)
{
	return kspan_malloc_of(&kspan_default_heap, size, gfp);
}
EXPORT_SYMBOL_GPL(__kspan_malloc);

/* Hidden, or it would be computed beforehand, where it is not needed yet. */
static __always_inline unsigned int class_at(unsigned long offset)
{
	OPTIMIZER_HIDE_VAR(offset);
	return offset >> KSPAN_CLASS_SHIFT;
}

/**
 * kspan_malloc_class() - what kspan_malloc() of a constant size is
 * @offset:	size class << KSPAN_CLASS_SHIFT, folded by the caller's compiler: where a CPU
 *		has the class
 * @gfp:	as for kspan_malloc()
 * @size:	bytes; not used here, but by it the caller's compiler, and so FORTIFY_SOURCE,
 *		knows how long the object is
 *
 * As kspan_malloc_class_of(), with the class at hand where it is rarely needed only.
 *
 * Context: as kspan_malloc().
 * Return: the memory or NULL.
 */
void *kspan_malloc_class(unsigned long offset, gfp_t gfp, size_t size)
{
	struct kspan_heap *heap = &kspan_default_heap;
	struct kspan_cpu_cache *cache;
	void *object;

	kspan_check_context(gfp);
	if (unlikely(gfp & KSPAN_GFP_SPECIAL))
		return kspan_malloc_special(class_at(offset), gfp, heap);
	if (unlikely(!kspan_cpu_cache_enter(heap, &cache)))
		return kspan_malloc_slow(class_at(offset), gfp, heap);
	if (unlikely(!kspan_cpu_class_pop((void *)cache->class + offset, &object)))
		return kspan_malloc_refill(class_at(offset), gfp, heap, cache);
	kspan_cpu_cache_leave(cache);
	kspan_unseal_first(object);
	kspan_remember(object, kspan_size_classes[class_at(offset)].size, gfp);
	return want_init_on_alloc(0) ? kspan_clear_slot(object, class_at(offset)) : object;
}
EXPORT_SYMBOL_GPL(kspan_malloc_class);

/** kspan_malloc_slot_node() - kspan_malloc_slot() from a NUMA node */
void *kspan_malloc_slot_node(struct kspan_heap *heap, unsigned int class, gfp_t gfp, int node)
{
	/* With __GFP_THISNODE not by the cache: the task may move to another. */
	if (node == NUMA_NO_NODE || (node == kspan_home_node() && !(gfp & __GFP_THISNODE)))
		return kspan_malloc_slot(heap, class, gfp);
	if (node < 0 || node >= MAX_NUMNODES || !node_online(node))
		return gfp & __GFP_THISNODE ? NULL : kspan_malloc_slot(heap, class, gfp);
	kspan_check_context(gfp);
	return malloc_on_node(heap, class, kspan_gfp_here(gfp), node);
}

/** kspan_malloc_node_of() - kspan_malloc_node() from a heap */
void *kspan_malloc_node_of(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	/* With __GFP_THISNODE not by the cache: the task may move to another. */
	if (node == NUMA_NO_NODE || (node == kspan_home_node() && !(gfp & __GFP_THISNODE)))
		return kspan_malloc_of(heap, size, gfp);
	if (node < 0 || node >= MAX_NUMNODES || !node_online(node))
		return gfp & __GFP_THISNODE ? NULL : kspan_malloc_of(heap, size, gfp);
	kspan_check_context(gfp);
	if (size > KSPAN_MAX_SMALL)
		return malloc_large_on_node(heap, size, gfp, node);
	if (gfp & KSPAN_GFP_REFUSED)
		return kspan_refuse_zone(gfp);
	return malloc_on_node(heap, kspan_size_class(size), kspan_gfp_here(gfp), node);
}

/**
 * kspan_malloc_node() - allocate memory of a NUMA node
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc(); with __GFP_THISNODE no other node will do
 * @node:	preferred node, or NUMA_NO_NODE for that of this CPU
 *
 * Context: as kspan_malloc().
 * Return: the memory or NULL.
 */
void *kspan_malloc_node(size_t size, gfp_t gfp, int node)
{
	return kspan_malloc_node_of(&kspan_default_heap, size, gfp, node);
}
EXPORT_SYMBOL_GPL(kspan_malloc_node);

/** kspan_malloc_array_of() - kspan_malloc_array() from a heap */
void *kspan_malloc_array_of(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return kspan_malloc_of(heap, bytes, gfp);
}

/**
 * kspan_malloc_array() - allocate memory for an array
 * @n:		elements
 * @size:	bytes of an element
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the memory; NULL also when @n * @size does not fit a size_t.
 */
void *kspan_malloc_array(size_t n, size_t size, gfp_t gfp)
{
	return kspan_malloc_array_of(&kspan_default_heap, n, size, gfp);
}
EXPORT_SYMBOL_GPL(kspan_malloc_array);

/**
 * kspan_calloc() - allocate zeroed memory for an array
 * @n:		elements
 * @size:	bytes of an element
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the memory; NULL also when @n * @size does not fit a size_t.
 */
void *kspan_calloc(size_t n, size_t size, gfp_t gfp)
{
	return kspan_malloc_array(n, size, gfp | __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(kspan_calloc);

/**
 * kspan_malloc_from() - kspan_malloc_of(), as the heap's options have it
 * @heap:	the heap
 * @size:	bytes
 * @gfp:	the caller's flags
 *
 * Return: the memory or NULL.
 */
void *kspan_malloc_from(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	if (!heap->private)
		return kspan_malloc_of(heap, size, gfp);
	return kspan_malloc_node_of(heap, size, kspan_heap_gfp(heap, gfp), heap->private->node);
}

/** kspan_malloc_aligned_of() - kspan_malloc_aligned() from a heap */
void *kspan_malloc_aligned_of(struct kspan_heap *heap, size_t size, size_t align, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(!is_power_of_2(align) || align > KSPAN_MAX_SIZE))
		return kspan_refuse(KSPAN_REFUSED_ALIGN,
				    "alignment is not a power of two up to kmalloc's limit",
				    align, gfp);
	if (unlikely(check_add_overflow(size, align - 1, &bytes)))
		return NULL;
	return kspan_malloc_from(heap, bytes & -align, gfp);
}

/**
 * kspan_malloc_aligned() - allocate memory of an alignment
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @align:	a power of two, at most 4 MiB on x86-64, as kmalloc's limit is
 * @gfp:	as for kspan_malloc()
 *
 * A size that is not a multiple of @align is rounded up to one.
 *
 * Context: as kspan_malloc().
 * Return: the memory, aligned to @align, or NULL.
 */
void *kspan_malloc_aligned(size_t size, size_t align, gfp_t gfp)
{
	return kspan_malloc_aligned_of(&kspan_default_heap, size, align, gfp);
}
EXPORT_SYMBOL_GPL(kspan_malloc_aligned);
