// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation: from a size and gfp flags to memory
 *
 * kspan_malloc() down to the magazine is inline code of alloc.h and kspan_malloc_class() here;
 * all rare cases are out of line. A request takes the first of these that has memory:
 *
 *  1. this CPU's cache of the heap: a small object from a magazine, or a large one that was
 *     freed on this CPU a moment ago;
 *  2. the node: the depot, spans with free slots, new spans, a new arena; then other nodes and
 *     single pages (kspan_heap_alloc_slot() and kspan_large_alloc());
 *  3. for a private heap: what it gives up, and what its pressure callback frees
 *     (kspan_private_relieve());
 *  4. for a caller that may use the system's reserves: whole pages of them;
 *  5. with __GFP_NOFAIL: the same again, after a short wait.
 *
 * The files beside this one add to it: bulk.c (many objects at once), heap_malloc.c (from a
 * heap that the caller names), nolock.c (in any context), alloc_tiny.c (several objects in a
 * slot), realloc.c, kvmalloc.c, util.c and copy.c.
 *
 * The kernel's init_on_alloc= is honoured. With CONFIG_DEBUG_KMEMLEAK kmemleak knows every
 * object, as it knows SLUB's.
 *
 * Context: any. A caller in an NMI, or on PREEMPT_RT one with preemption off, waits for no
 * lock.
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
#include "objects/sampled.h"

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

/*
 * Whether a request that failed must be tried again because it has __GFP_NOFAIL. If so, wait a
 * little first.
 */
static bool alloc_must_retry(gfp_t gfp)
{
	if (likely(!(gfp & __GFP_NOFAIL)) || WARN_ON_ONCE(!gfpflags_allow_blocking(gfp)))
		return false;
	memalloc_retry_wait(gfp);
	return true;
}

/**
 * kspan_count_node() - count that an object came from a node other than the wanted one
 * @heap:	its counters of this CPU change
 * @object:	a new object that did not come from a CPU's cache
 * @wanted:	the NUMA node that was asked for
 *
 * An object of another node counts as KSPAN_ALLOC_FALLBACK. An object of the wanted node that
 * is not this CPU's node counts as KSPAN_ALLOC_REMOTE.
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
 * kspan_initialise_slot() - prepare a slot for its new owner
 * @heap:	where the slot is from; it says whether contents survive a free
 * @object:	the slot, which is out of its span and still sealed
 * @class:	the slot's class as @heap counts classes
 * @gfp:	the caller's flags
 *
 * Breaks the seal, zeroes the slot if the caller or init_on_alloc= asks for it, and tells
 * kmemleak. Two kinds of typed caches are treated differently. With a constructor the slot
 * keeps what the constructor made of it. With KSPAN_TYPESAFE_BY_RCU readers may still look at
 * the slot: it is zeroed only if the caller asks for it. For init_on_alloc= the slots of both
 * were zeroed once, when their span was made.
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

/*
 * The last resort: allocate whole pages from the system's reserves, whatever the size of the
 * object.
 */
static void *malloc_emergency(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid)
{
	if (likely(!kspan_may_use_reserves(gfp)))
		return NULL;
	return kspan_large_alloc_emergency(kspan_heap_large(heap), size, nid, gfp);
}

/*
 * Whether an object of a class must be a slot. A block of tiny objects must be, and so must an
 * object of a typed cache, whose size no number of pages matches.
 */
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

/* Allocate whole pages of the system's reserves in place of a slot or of a large object. */
static void *alloc_from_reserves(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid)
{
	void *object = malloc_emergency(heap, size, gfp, nid);

	if (!object)
		return NULL;
	kspan_count_node(heap, object, nid);
	return kspan_initialise(object, kspan_size(object), gfp, gfp);
}

/* Allocate a small object without the CPU's cache. Class 0 is that of size 0. */
static void *malloc_on_node(struct kspan_heap *heap, unsigned int class, gfp_t gfp, int nid)
{
	void *object;

	if (!class)
		return ZERO_SIZE_PTR;
	if (class != KSPAN_CLASS_TINY && kspan_profile_due(heap->classes[class].size)) {
		object = kspan_sampled_alloc(heap, class, heap->classes[class].size, nid, false,
					     gfp);
		if (object)
			return kspan_initialise_slot(heap, object, class, gfp);
	}
	do {
		object = alloc_slot(heap, class, gfp, nid);
		if (!object && !must_be_slot(heap, class))
			object = alloc_from_reserves(heap, heap->classes[class].size, gfp, nid);
	} while (!object && alloc_must_retry(gfp));
	if (!object)
		alloc_note_failure(heap, heap->classes[class].size, gfp, nid);
	return object;
}

/* kspan_malloc_class_of() where code that was interrupted is using the CPU's cache. */
noinline void *kspan_malloc_slow(unsigned int class, gfp_t gfp, struct kspan_heap *heap)
{
	return malloc_on_node(heap, class, kspan_gfp_here(gfp), kspan_home_node());
}

/* Give the depot of this CPU's node an empty magazine, if one was missing there lately. */
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
 * kspan_malloc_refill() - kspan_malloc_class_of() where the magazine is empty, or an object is to
 * be sampled
 * @class:	size class as @heap counts classes
 * @gfp:	the caller's flags
 * @heap:	where the object comes from
 * @cache:	the heap's cache of this CPU, entered by the caller; this function leaves it
 *
 * Return: the object, initialised; or NULL.
 */
noinline void *kspan_malloc_refill(unsigned int class, gfp_t gfp, struct kspan_heap *heap,
				   struct kspan_cpu_cache *cache)
{
	int nid = cache->nid;
	void *object;
	bool due;

	/* The fast path counts only where the magazine has an object. */
	if (unlikely(!cache->armed[class]))
		kspan_sampled_begin(heap, cache, class, cache->class[class].loaded->count);
	if (unlikely(cache->class[class].to_sample < 0)) {
		object = kspan_sampled_take(heap, &cache, class, gfp & ~KSPAN_GFP_NOLOCK);
		if (object)
			return kspan_initialise_slot(heap, object, class, gfp);
		if (!cache)
			return kspan_malloc_slow(class, gfp, heap);
	}
	/*
	 * The cache needs preemption off. The caller may allow more than that: its flags are
	 * used only after the cache was left.
	 */
	object = kspan_sampled_refill(heap, cache, class, in_nmi() ? KSPAN_GFP_NOLOCK : 0, &due);
	kspan_cpu_cache_finish(cache);
	gfp = kspan_gfp_here(gfp);
	/* A magazine comes from SLUB, whose locks a hardirq must not take on all kernels. */
	if (!(gfp & KSPAN_GFP_NOLOCK) && !in_hardirq())
		kspan_provision(heap, class, gfp);
	if (!object && !(gfp & KSPAN_GFP_NOLOCK)) {
		object = kspan_heap_refill_slot(heap, class, nid);
		due = object && class != KSPAN_CLASS_TINY &&
		      kspan_profile_due(heap->classes[class].size);
	}
	if (!object)
		return malloc_on_node(heap, class, gfp, nid);
	if (unlikely(due))
		kspan_sampled_replace(heap, class, gfp, 1, &object);
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
 * kspan_heap_alloc_chunk() - allocate pages for objects that are freed together
 * @heap:	where the pages are from; they count to its limit
 * @size:	bytes, rounded up to pages of 8 KiB; at most KSPAN_MAX_SIZE
 * @gfp:	the caller's flags, without zone flags; the caller zeroes the chunk itself
 *
 * A chunk is no object: kspan_free() of an address in it is reported as a wrong free.
 *
 * Return: the chunk, aligned to the largest power of two that divides @size, at least to a
 * page; or NULL.
 */
void *kspan_heap_alloc_chunk(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	int nid = kspan_home_node();
	void *chunk;

	gfp = kspan_gfp_here(kspan_heap_gfp(heap, gfp));
	chunk = alloc_pages_of(heap, size, gfp, nid, kspan_large_alloc_chunk);
	/* With __GFP_NOFAIL the caller tries again. */
	if (!chunk && !(gfp & __GFP_NOFAIL))
		alloc_note_failure(heap, size, gfp, nid);
	return kspan_sample_large(heap, chunk, size, gfp);
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
	return kspan_sample_large(heap, object, size, gfp);
}

/* kspan_malloc_of() of more than KSPAN_MAX_SMALL bytes. */
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
		return kspan_sample_large(heap, kspan_initialise(object, usable, gfp, gfp), size,
					  gfp & ~KSPAN_GFP_NOLOCK);
	return malloc_large_on_node(heap, size, gfp, kspan_home_node());
}

/* Zero an object of a size class of the default heap. Returns the object. */
noinline void *kspan_clear_slot(void *object, unsigned int class)
{
	return memset(object, 0, kspan_size_classes[class].size);
}

/* Allocate an object of a class of any heap, which may be a typed cache. */
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

/* kspan_malloc_class_of() with flags of KSPAN_GFP_SPECIAL. */
noinline void *kspan_malloc_special(unsigned int class, gfp_t gfp, struct kspan_heap *heap)
{
	if (gfp & KSPAN_GFP_REFUSED)
		return kspan_refuse_zone(gfp);
	return __kspan_malloc_class_of(heap, class, gfp, gfp);
}

/**
 * __kspan_malloc() - the part of kspan_malloc() that is not inline
 * @size:	as for kspan_malloc(); not known at compile time, or more than 32 KiB
 * @gfp:	as for kspan_malloc()
 *
 * Call kspan_malloc() instead.
 *
 * Context: as kspan_malloc().
 * Return: as kspan_malloc().
 */
void *__kspan_malloc(size_t size, gfp_t gfp)
{
	return kspan_malloc_of(&kspan_default_heap, size, gfp);
}
EXPORT_SYMBOL_GPL(__kspan_malloc);

/**
 * kspan_malloc_class() - kspan_malloc() of a size that is a constant
 * @offset:	the size class << KSPAN_CLASS_SHIFT: where the class stands in a CPU's cache.
 *		The caller's compiler computes it.
 * @gfp:	as for kspan_malloc()
 * @size:	bytes; the code does not use it. It tells the caller's compiler, and so
 *		CONFIG_FORTIFY_SOURCE, how long the object is.
 *
 * Call kspan_malloc() instead, which calls this function.
 *
 * The code is that of kspan_malloc_class_of(), except that the class itself is computed in slow
 * paths only.
 *
 * Context: as kspan_malloc().
 * Return: as kspan_malloc().
 */
void *kspan_malloc_class(unsigned long offset, gfp_t gfp, size_t size)
{
	struct kspan_heap *heap = &kspan_default_heap;
	struct kspan_cpu_cache *cache;
	void *object;

	kspan_check_context(gfp);
	if (unlikely(gfp & KSPAN_GFP_SPECIAL))
		return kspan_malloc_special(kspan_class_at(offset), gfp, heap);
	if (unlikely(!kspan_cpu_cache_enter(heap, &cache)))
		return kspan_malloc_slow(kspan_class_at(offset), gfp, heap);
	if (unlikely(!kspan_cpu_class_pop((void *)cache->class + offset, &object)))
		return kspan_malloc_refill(kspan_class_at(offset), gfp, heap, cache);
	kspan_cpu_cache_leave(cache);
	kspan_unseal_first(object);
	kspan_remember(object, kspan_size_classes[kspan_class_at(offset)].size, gfp);
	return want_init_on_alloc(0) ? kspan_clear_slot(object, kspan_class_at(offset)) : object;
}
EXPORT_SYMBOL_GPL(kspan_malloc_class);

/* kspan_malloc_slot() from a NUMA node. */
void *kspan_malloc_slot_node(struct kspan_heap *heap, unsigned int class, gfp_t gfp, int node)
{
	/*
	 * With __GFP_THISNODE the cache is not used: the task may have moved to a CPU of another
	 * node by then.
	 */
	if (node == NUMA_NO_NODE || (node == kspan_home_node() && !(gfp & __GFP_THISNODE)))
		return kspan_malloc_slot(heap, class, gfp);
	if (node < 0 || node >= MAX_NUMNODES || !node_online(node))
		return gfp & __GFP_THISNODE ? NULL : kspan_malloc_slot(heap, class, gfp);
	kspan_check_context(gfp);
	return malloc_on_node(heap, class, kspan_gfp_here(gfp), node);
}

/* kspan_malloc_node() from a heap with the classes of the default heap. */
void *kspan_malloc_node_of(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	/*
	 * With __GFP_THISNODE the cache is not used: the task may have moved to a CPU of another
	 * node by then.
	 */
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
 * kspan_malloc_node() - allocate memory from a NUMA node
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc(); with __GFP_THISNODE no other node is tried
 * @node:	the preferred node, or NUMA_NO_NODE for the node of this CPU
 *
 * Like kmalloc_node(). Without __GFP_THISNODE a request that @node can't serve, or that names a
 * node that is not online, is served by other nodes.
 *
 * Context: as kspan_malloc().
 * Return: the memory, to be freed by kspan_free(); NULL if there is none.
 */
void *kspan_malloc_node(size_t size, gfp_t gfp, int node)
{
	return kspan_malloc_node_of(&kspan_default_heap, size, gfp, node);
}
EXPORT_SYMBOL_GPL(kspan_malloc_node);

/* kspan_malloc_array() from a heap with the classes of the default heap. */
void *kspan_malloc_array_of(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return kspan_malloc_of(heap, bytes, gfp);
}

/**
 * kspan_malloc_array() - allocate memory for an array
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_malloc()
 *
 * Like kmalloc_array(). The elements are not initialised, unless @gfp has __GFP_ZERO.
 *
 * Context: as kspan_malloc().
 * Return: the memory, to be freed by kspan_free(); ZERO_SIZE_PTR if @n or @size is 0; NULL if
 * there is none, or if @n * @size overflows a size_t.
 */
void *kspan_malloc_array(size_t n, size_t size, gfp_t gfp)
{
	return kspan_malloc_array_of(&kspan_default_heap, n, size, gfp);
}
EXPORT_SYMBOL_GPL(kspan_malloc_array);

/**
 * kspan_calloc() - allocate zeroed memory for an array
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_malloc()
 *
 * Like kcalloc().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_malloc_array().
 */
void *kspan_calloc(size_t n, size_t size, gfp_t gfp)
{
	return kspan_malloc_array(n, size, gfp | __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(kspan_calloc);

/**
 * kspan_malloc_from() - kspan_malloc() from a heap with the heap's options
 * @heap:	a heap with the classes of the default heap; not NULL
 * @size:	bytes
 * @gfp:	the caller's flags; the heap's gfp_on and gfp_off are applied here
 *
 * Return: the memory, not yet tracked; or NULL.
 */
void *kspan_malloc_from(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	if (!heap->private)
		return kspan_malloc_of(heap, size, gfp);
	return kspan_malloc_node_of(heap, size, kspan_heap_gfp(heap, gfp), heap->private->node);
}

/* kspan_malloc_aligned() from a heap with the classes of the default heap. */
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
 * kspan_malloc_aligned() - allocate memory with a given alignment
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @align:	bytes, a power of two, at most kmalloc's limit, which is 4 MiB on x86-64
 * @gfp:	as for kspan_malloc()
 *
 * @size is rounded up to a multiple of @align. Memory of kspan_malloc() is already aligned to
 * the largest power of two that divides its size; this function is for other sizes.
 *
 * Context: as kspan_malloc().
 * Return: the memory, aligned to @align, to be freed by kspan_free(); NULL if there is none, or
 * if @align is not allowed, which the log tells.
 */
void *kspan_malloc_aligned(size_t size, size_t align, gfp_t gfp)
{
	return kspan_malloc_aligned_of(&kspan_default_heap, size, align, gfp);
}
EXPORT_SYMBOL_GPL(kspan_malloc_aligned);
