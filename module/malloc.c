// SPDX-License-Identifier: GPL-2.0
/*
 * The API: dispatch by size and address, gfp flags, initialisation
 *
 * The fast paths are kspan_malloc() and kspan_free() down to the magazine;
 * what is rare is out of line. What is built on these two, or beside them, is
 * in bulk.c, nolock.c, realloc.c, free_rcu.c and util.c. The kernel's
 * init_on_alloc= and init_on_free= are honoured. Where CONFIG_DEBUG_KMEMLEAK is
 * on, kmemleak knows every object, as it knows SLUB's.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kspan.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "arena.h"
#include "bad_free.h"
#include "kunit_export.h"
#include "kvmalloc.h"
#include "malloc.h"
#include "private.h"
#include "reclaim.h"

struct kspan_heap kspan_default_heap;
KSPAN_EXPORT_FOR_KUNIT(kspan_default_heap);

static atomic_long_t refusals[KSPAN_NR_REFUSALS];

/**
 * kspan_refused() - requests that were refused since load
 * @refusal: for what
 * Return: how many there were.
 */
unsigned long kspan_refused(enum kspan_refusal refusal)
{
	return atomic_long_read(&refusals[refusal]);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_refused);

/**
 * kspan_refuse() - count a request that can't be served, and tell the first
 * @refusal:	of which kind
 * @why:	what is wrong with it, and what to do instead
 * @value:	that is wrong
 * @gfp:	with __GFP_NOWARN nothing is told
 * Return: NULL.
 */
void *kspan_refuse(enum kspan_refusal refusal, const char *why, unsigned long value, gfp_t gfp)
{
	if (atomic_long_inc_return(&refusals[refusal]) == 1 && !(gfp & __GFP_NOWARN)) {
		pr_warn("request refused, said once: %s (%#lx)\n", why, value);
		dump_stack();
	}
	return NULL;
}

/** kspan_refuse_zone() - kspan_refuse() for a zone flag */
void *kspan_refuse_zone(gfp_t gfp)
{
	return kspan_refuse(KSPAN_REFUSED_ZONE,
			    "no memory of a zone to be had here, use kmalloc or the DMA API",
			    (__force unsigned long)(gfp & KSPAN_GFP_REFUSED), gfp);
}

static void *refuse_size(size_t size, gfp_t gfp)
{
	return kspan_refuse(KSPAN_REFUSED_SIZE, "larger than kmalloc's limit, use vmalloc", size,
			    gfp);
}

/*
 * As often as the page allocator tells. A private heap that often reaches its limit does not
 * keep a failure of the default heap from being told.
 */
struct ratelimit_state kspan_failure_limit[2] = {
	RATELIMIT_STATE_INIT(kspan_failure_limit[0], 10 * HZ, 1),
	RATELIMIT_STATE_INIT(kspan_failure_limit[1], 10 * HZ, 1),
};
KSPAN_EXPORT_FOR_KUNIT(kspan_failure_limit);

/**
 * kspan_tell_failure() - a request gets NULL: say whose it was and for how much
 * @heap:	the heap
 * @size:	bytes that were asked for, or of the slot that they would be in
 * @gfp:	the caller's flags; with __GFP_NOWARN nothing is told
 * @nid:	its node
 *
 * One line in ten seconds for the default heap, and one for all private heaps. Where the
 * page allocator had nothing, it tells of the system's memory first, with the stack.
 */
void kspan_tell_failure(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid)
{
	unsigned long held, most;

	if ((gfp & (__GFP_NOWARN | KSPAN_GFP_NOLOCK)) ||
	    !__ratelimit(&kspan_failure_limit[!!heap->private]))
		return;
	held = heap->private ? atomic_long_read(&heap->private->account.pages) << KSPAN_PAGE_SHIFT :
			       kspan_arena_bytes();
	most = heap->private ? heap->private->account.limit << KSPAN_PAGE_SHIFT :
			       READ_ONCE(kspan_hard_limit);
	gfp &= ~KSPAN_GFP_EMERGENCY;
	pr_warn("%s: no memory for %zu bytes of heap %s on node %d, which holds %lu KiB (limit %lu, 0 for none), flags %#x (%pGg)\n",
		current->comm, size, heap->name, nid, held >> 10, most >> 10,
		(__force unsigned int)gfp, &gfp);
}

static void note_failure(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid)
{
	atomic_long_inc(&heap->failures);
	kspan_tell_failure(heap, size, gfp, nid);
}

/* Whether a request that failed must be tried again; waits a little then. */
static bool must_retry(gfp_t gfp)
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
	} while (!object && must_retry(gfp));
	if (!object)
		note_failure(heap, heap->classes[class].size, gfp, nid);
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
	/* With __GFP_NOFAIL the caller tries again. */
	if (!chunk && !(gfp & __GFP_NOFAIL))
		note_failure(heap, size, gfp, nid);
	return chunk;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_alloc_chunk);

/**
 * kspan_heap_free_chunk() - undo kspan_heap_alloc_chunk()
 * @chunk: the chunk; that its heap was destroyed or reset meanwhile is reported
 */
void kspan_heap_free_chunk(void *chunk)
{
	if (!kspan_large_free_chunk((unsigned long)chunk))
		kspan_bad_free_report(KSPAN_BAD_FREE_DESTROYED, (unsigned long)chunk);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_free_chunk);

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
	} while (!object && must_retry(gfp));
	if (!object)
		note_failure(heap, size, gfp, nid);
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

/** kspan_tiny_alloc_of() - kspan_tiny_alloc() from a heap */
void *kspan_tiny_alloc_of(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	struct kspan_cpu_cache *cache;
	void *object = NULL, *block;

	kspan_check_context(gfp);
	if (unlikely(!size || size >= KSPAN_TINY_BLOCK))
		return kspan_malloc_of(heap, size, gfp);
	if (unlikely(gfp & KSPAN_GFP_REFUSED))
		return kspan_refuse_zone(gfp);
	if (likely(kspan_cpu_cache_enter(heap, &cache))) {
		object = kspan_tiny_pack(&cache->tiny, size);
		kspan_cpu_cache_leave(cache);
	}
	if (!object) {
		block = kspan_malloc_class_of(heap, KSPAN_CLASS_TINY, gfp);
		/* Without memory for blocks there may be some for an object. */
		if (!block)
			return kspan_malloc_of(heap, size, gfp);
		if (likely(kspan_cpu_cache_enter(heap, &cache))) {
			object = kspan_tiny_open(&cache->tiny, block, size);
			kspan_cpu_cache_leave(cache);
		} else {
			object = kspan_tiny_open(NULL, block, size);
		}
	}
	kspan_count(heap, KSPAN_TINY_ALLOC);
	this_cpu_add(heap->cpu->events[KSPAN_TINY_CLASS_BYTES],
		     size <= 8 ? 8 : KSPAN_TINY_BLOCK);
	if (want_init_on_alloc(gfp))
		memset(object, 0, size);
	return object;
}

/**
 * kspan_tiny_alloc() - allocate a small piece of a 16-byte block
 * @size:	bytes; 0 gives ZERO_SIZE_PTR, 16 and more is kspan_malloc()
 * @gfp:	as for kspan_malloc()
 *
 * For many objects of 5 bytes and less. Any object keeps its block, so objects of
 * like life should meet.
 *
 * Context: as kspan_malloc().
 * Return: the memory, aligned to 8, 4, 2 or 1 as @size is a multiple of; or NULL.
 */
void *kspan_tiny_alloc(size_t size, gfp_t gfp)
{
	return kspan_tiny_alloc_of(&kspan_default_heap, size, gfp);
}
EXPORT_SYMBOL_GPL(kspan_tiny_alloc);

/* The heap of a small object, which stays as long as RCU is read-locked; or NULL. */
static struct kspan_heap *heap_of(unsigned long addr, unsigned int *class)
{
	struct kspan_span *span = kspan_map_small_span(addr);
	struct kspan_central *central = span ? kspan_span_central(span) : NULL;

	if (!central)
		return NULL;
	*class = central->class;
	return central->heap;
}

/**
 * kspan_object_heap() - heap that a larger object in place of one is to be from
 * @p: an object, which is the caller's
 * Return: its heap, the default heap for one of a typed cache.
 */
struct kspan_heap *kspan_object_heap(const void *p)
{
	unsigned long addr = (unsigned long)p;
	struct kspan_heap *heap;
	unsigned int class;

	rcu_read_lock_sched();
	heap = heap_of(addr, &class) ?: kspan_large_heap(addr) ?: kspan_kv_heap(addr);
	if (!heap || (heap->private && heap->private->typed))
		heap = &kspan_default_heap;
	rcu_read_unlock_sched();
	return heap;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_object_heap);

static void free_block(struct kspan_heap *heap, const void *block);

static bool tiny_free(unsigned long addr)
{
	enum kspan_bad_free_kind kind;
	char heap[KSPAN_BAD_FREE_NAME];
	struct kspan_central *central;
	void *empty;
	int err;

	rcu_read_lock_sched();
	err = kspan_tiny_free(addr, &central, &empty, &kind);
	if (!err)
		kspan_count(central->heap, KSPAN_TINY_FREE);
	if (!err && empty)
		free_block(central->heap, empty);
	/* What is printed, with the stack, takes longer than preemption may be off. */
	if (err == -EINVAL)
		strscpy(heap, central->name, sizeof(heap));
	rcu_read_unlock_sched();
	if (err == -EINVAL)
		kspan_bad_free_report_in(kind, addr, KSPAN_CLASS_TINY, KSPAN_TINY_BLOCK, heap);
	return err != -ENOENT;
}

/* An address where no object is. */
static void report_nothing(unsigned long addr)
{
	enum kspan_page_state page = kspan_page_heap_state(addr);
	enum kspan_bad_free_kind kind = KSPAN_BAD_FREE_DOUBLE;

	if (page == KSPAN_PAGE_FOREIGN)
		kind = KSPAN_BAD_FREE_FOREIGN;
	else if (page == KSPAN_PAGE_DROPPED)
		kind = KSPAN_BAD_FREE_DESTROYED;
	else if (!IS_ALIGNED(addr, 8))
		kind = KSPAN_BAD_FREE_MISALIGNED;
	else if (page == KSPAN_PAGE_NEVER_USED)
		kind = KSPAN_BAD_FREE_NEVER_ALLOCATED;
	kspan_bad_free_report(kind, addr);
}

/**
 * kspan_object_class() - class of the page of any address, on any node
 * @p: address
 * Return: the class, 0 for none.
 */
unsigned int kspan_object_class(const void *p)
{
	struct kspan_span *span;
	unsigned int class = 0;

	rcu_read_lock_sched();
	span = kspan_map_small_span((unsigned long)p);
	if (span)
		class = READ_ONCE(span->class);
	rcu_read_unlock_sched();
	return class == KSPAN_CLASS_TINY ? 0 : class;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_object_class);

/* Whether the heap of a slot has it in a magazine; also when it is in none any more. */
static bool is_cached(const void *p)
{
	struct kspan_heap *heap;
	unsigned int class;
	bool cached;

	/* There may be many magazines to look into. */
	rcu_read_lock();
	heap = heap_of((unsigned long)p, &class);
	cached = !heap || kspan_heap_caches(heap, class, p);
	rcu_read_unlock();
	return cached;
}

static void report_double(const void *p)
{
	char name[KSPAN_BAD_FREE_NAME];
	struct kspan_heap *heap;
	unsigned int class, size = 0;

	rcu_read_lock_sched();
	heap = heap_of((unsigned long)p, &class);
	if (heap) {
		strscpy(name, heap->name, sizeof(name));
		size = heap->classes[class].size;
	}
	rcu_read_unlock_sched();
	if (heap)
		kspan_bad_free_report_in(KSPAN_BAD_FREE_DOUBLE, (unsigned long)p, class, size,
					 name);
	else
		kspan_bad_free_report(KSPAN_BAD_FREE_DOUBLE, (unsigned long)p);
}

/* A slot that is sealed, though out of its span, was freed before, and is in a magazine. */
static bool free_past_caches(const void *p, unsigned int page_class)
{
	int state = kspan_central_free_slot((unsigned long)p, page_class, false);

	if (unlikely(state == KSPAN_SLOT_SEALED))
		report_double(p);
	return state >= 0;
}

/* Objects past the CPU cache, and addresses that are none. */
static noinline void free_slow(const void *p, unsigned int page_class)
{
	unsigned long addr = (unsigned long)p;

	if (ZERO_OR_NULL_PTR(p))
		return;
	if (page_class && free_past_caches(p, page_class))
		return;
	if (!kspan_large_free(addr) && !tiny_free(addr) && !kspan_kv_free(addr))
		report_nothing(addr);
}

/*
 * What has no class to the CPU: large and tiny objects, and those of other nodes, which go
 * home. @cache is entered, and left here.
 */
static noinline void free_classless(struct kspan_cpu_cache *cache, const void *p)
{
	struct kspan_span *evicted = NULL;
	bool kept = kspan_large_cache_put(&cache->large, (unsigned long)p, cache->nid, &evicted);
	unsigned int class;

	/* An NMI leaves it to the next free. */
	if (unlikely(cache->large.lacks) && !in_nmi()) {
		kspan_cpu_cache_feed_large(&kspan_default_heap, cache);
		kspan_cpu_cache_finish(cache);
	} else {
		kspan_cpu_cache_leave(cache);
	}
	if (evicted)
		kspan_large_free_cached(evicted);
	if (!kept) {
		class = kspan_object_class(p);
		if (class)
			kspan_count(&kspan_default_heap, KSPAN_FREE_REMOTE);
		return free_slow(p, class);
	}
	/* It is to see when the CPU does not use it any more. */
	kspan_scavenger_wake();
}

/* The loaded magazine did not take @p; @cache is entered, and left here. */
static noinline void free_spill(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
				const void *p, unsigned int class, unsigned int page_class)
{
	const struct kspan_magazine *mag = cache->class[class].loaded;
	bool repeated, taken;

	repeated = kspan_magazine_newest(mag, mag->count) == p;
	taken = !repeated && kspan_cpu_cache_spill(heap, cache, class, (void *)p);
	kspan_cpu_cache_finish(cache);
	if (kspan_may_release())
		kspan_provision(heap, class, GFP_NOWAIT);
	if (repeated)
		kspan_bad_free_report_in(KSPAN_BAD_FREE_DOUBLE, (unsigned long)p, page_class,
					 heap->classes[class].size, heap->name);
	else if (!taken)
		free_slow(p, page_class);
}

/* Whether an address is a slot that is out of its span, or a tiny or large object. */
static bool is_out(const void *p, unsigned int page_class)
{
	unsigned long addr = (unsigned long)p;

	if (page_class)
		return kspan_central_peek(addr, page_class) == KSPAN_SLOT_OUT;
	return kspan_tiny_size(addr) || kspan_large_size(addr) || kspan_kv_size(addr);
}

/*
 * Have kmemleak forget an object; not what is not kspan's, nor what it can't
 * judge. Of tiny objects it knows the blocks.
 */
static void forget(const void *p, unsigned int page_class)
{
	struct kspan_found held;

	if (page_class == KSPAN_CLASS_TINY) {
		if (is_out(p, page_class))
			kmemleak_free(p);
	} else if (page_class) {
		/* One that was freed is none, be it out of its span. */
		if (!kspan_hold(p, &held))
			return;
		kspan_let_go(&held);
		kmemleak_free(p);
	} else if (kspan_large_size((unsigned long)p)) {
		kmemleak_free(p);
	}
}

/*
 * Free a slot of a heap that can't go away meanwhile; kmemleak has forgotten it. @class
 * is as the heap counts them.
 */
static void free_slot(struct kspan_heap *heap, const void *p, unsigned int class,
		      unsigned int page_class)
{
	struct kspan_cpu_cache *cache;

	if (unlikely(kspan_is_sealed(p, heap->seal_at)) ||
	    unlikely(!kspan_cpu_cache_enter(heap, &cache)))
		return free_slow(p, page_class);
	if (static_branch_unlikely(&kspan_numa) && page_to_nid(virt_to_page(p)) != cache->nid) {
		/* Objects of other nodes go home. */
		kspan_cpu_cache_leave(cache);
		kspan_count(heap, KSPAN_FREE_REMOTE);
		return free_slow(p, page_class);
	}
	if (unlikely(!kspan_cpu_cache_push(cache, class, (void *)p, heap->seal_at)))
		return free_spill(heap, cache, p, class, page_class);
	kspan_cpu_cache_leave(cache);
}

/* A block of tiny objects that has none any more. */
static void free_block(struct kspan_heap *heap, const void *block)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK)) {
		/* As may_use_cache(). */
		if (in_nmi())
			return free_slow(block, KSPAN_CLASS_TINY);
		forget(block, KSPAN_CLASS_TINY);
	}
	free_slot(heap, block, KSPAN_CLASS_TINY, KSPAN_CLASS_TINY);
}

/* Whether an address is the start of a slot, or of what is left behind the last, with its seal. */
static __always_inline bool may_be_private_slot(const struct kspan_span *span,
						const struct kspan_central *central, const void *p)
{
	unsigned long offset = (unsigned long)p - span->start;
	bool exact;

	if (!static_branch_likely(&kspan_frees_exactly))
		return true;
	kspan_slot_index(span->magic, offset, &exact);
	return exact && offset + central->seal_at + sizeof(long) <= kspan_span_bytes(span);
}

/* Give a slot of any heap to its cache, if that is of the central's node. */
static __always_inline bool push_private(const struct kspan_central *central,
					 struct kspan_cpu_cache *cache, const void *p,
					 unsigned long *where, unsigned long seal)
{
	/* Memory that came since may have made another node the CPU's to one of them. */
	if (unlikely(cache->nid != central->nid))
		return false;
	if (!static_branch_likely(&kspan_frees_exactly))
		return kspan_cpu_cache_push(cache, central->class, (void *)p, 0);
	return kspan_cpu_class_push_sealed(&cache->class[central->class], (void *)p, where, seal);
}

/*
 * Of a private heap, or of no heap any more; @cache is the default heap's, entered, and
 * left here. With preemption off the heap stays.
 */
static noinline void free_private(struct kspan_cpu_cache *cache, const void *p)
{
	/* The page had a class, so it has an entry. */
	struct kspan_span *span = kspan_map_entry_span((unsigned long)p);
	struct kspan_central *central = likely(span) ? kspan_span_central(span) : NULL;
	unsigned int page_class = central ? KSPAN_CLASS_PRIVATE : 0;
	unsigned long *where, seal;
	bool pushed;

	kspan_cpu_cache_unmark(cache);
	if (unlikely(!central || !may_be_private_slot(span, central, p)))
		goto wrong;
	where = (unsigned long *)(p + central->seal_at);
	seal = kspan_seal_of(p);
	if (likely(kspan_cpu_cache_mark(central->heap, &cache))) {
		pushed = push_private(central, cache, p, where, seal);
		kspan_cpu_cache_unmark(cache);
		if (likely(pushed)) {
			preempt_enable();
			return;
		}
	}
	if (likely(!kspan_is_sealed(p, central->seal_at))) {
		free_slot(central->heap, p, central->class, KSPAN_CLASS_PRIVATE);
		preempt_enable();
		return;
	}
wrong:
	/* What is told takes longer than preemption may be off. */
	preempt_enable();
	free_slow(p, page_class);
}

/*
 * Whether an address may be the start of a slot of the default heap. Then @entry is what the map
 * has of its page, and @seal what the slot's seal is; if that has a class, it is the start of one.
 */
static __always_inline bool may_be_slot(struct kspan_cpu_cache *cache, const void *p,
					u32 *entry, unsigned long *seal)
{
	unsigned long offset = (unsigned long)p - cache->classes.base;
	unsigned long page = offset >> KSPAN_PAGE_SHIFT;

	if (unlikely(page >= cache->classes.nr_pages))
		return false;
	/* Else the sector would be made of the offset, for which that would be copied. */
	OPTIMIZER_HIDE_VAR(page);
	*entry = kspan_class_map_entry(&cache->classes, page);
	if (unlikely(!kspan_is_slot_start(kspan_cpu_class_of_entry(cache, *entry)->magic,
					  kspan_entry_offset(*entry, offset))))
		return false;
	*seal = kspan_seal_at(cache->secret, offset);
	return true;
}

/* No object of the default heap: to be reported. @cache is entered, and left here. */
static noinline void free_wrong(struct kspan_cpu_cache *cache, const void *p, unsigned int class)
{
	kspan_cpu_cache_leave(cache);
	free_slow(p, class);
}

/* The default heap's cache did not take @p; @cache is entered, and left here. */
static noinline void free_other(const void *p, struct kspan_cpu_cache *cache)
{
	/* Looked up anew: so the fast path needs not keep it. */
	unsigned int class = kspan_class_map_get(&cache->classes, (unsigned long)p);
	unsigned long seal;
	u32 entry;

	if (class == KSPAN_CLASS_PRIVATE)
		free_private(cache, p);
	else if (class && static_branch_likely(&kspan_frees_exactly) &&
		 (!may_be_slot(cache, p, &entry, &seal) || kspan_is_sealed(p, 0)))
		free_wrong(cache, p, class);
	else if (class)
		free_spill(&kspan_default_heap, cache, p, class, class);
	else
		free_classless(cache, p);
}

/* The CPU's cache is somebody's: an interrupt came while he was at work with it. */
static noinline void free_past_cache(const void *p)
{
	free_slow(p, kspan_object_class(p));
}

/* kmemleak must forget an object before the cache knows it, which an NMI can't do. */
static __always_inline bool may_use_cache(const void *p)
{
	if (!IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		return true;
	if (in_nmi())
		return false;
	forget(p, kspan_object_class(p));
	return true;
}

static __always_inline void free_object(const void *p)
{
	struct kspan_cpu_cache *cache;
	unsigned long seal;
	u32 entry;

	if (!may_use_cache(p) || unlikely(!kspan_cpu_cache_enter(&kspan_default_heap, &cache)))
		return free_past_cache(p);
	if (unlikely(!may_be_slot(cache, p, &entry, &seal)) ||
	    unlikely(!kspan_cpu_class_push_sealed(kspan_cpu_class_of_entry(cache, entry),
						  (void *)p, (unsigned long *)p, seal)))
		return free_other(p, cache);
	kspan_cpu_cache_leave(cache);
}

/**
 * kspan_hold() - have an object stay one while it is read or written
 * @p:		any address
 * @held:	set to what kspan_let_go() wants
 *
 * Whoever frees it meanwhile, rightly or not, its memory stays kspan's, and no span of
 * others. A large object can't be freed by others, a slot may be handed out again.
 *
 * Context: any, NMI included; for as long as a copy of the object takes.
 * Return: its usable size; 0, and nothing to let go, when no object is at @p.
 */
size_t kspan_hold(const void *p, struct kspan_found *held)
{
	unsigned long addr = (unsigned long)p;
	size_t size = 0;
	bool pinned;

	rcu_read_lock_sched();
	pinned = kspan_lookup(addr, held) && kspan_span_is_small(held->word.state) &&
		 kspan_found_pin(held);
	rcu_read_unlock_sched();
	if (!pinned)
		return kspan_large_hold(addr, held) ?: kspan_kv_hold(addr, held);
	/* Only now: what was a slot before may have gone with its page. */
	if (held->class == KSPAN_CLASS_TINY)
		size = kspan_tiny_size(addr);
	else if (kspan_found_slot(held, addr) == KSPAN_SLOT_OUT &&
		 !kspan_is_sealed(p, held->central->seal_at))
		size = kspan_central_usable(held->central);
	if (!size)
		kspan_span_unpin(held->span);
	return size;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_hold);

/** kspan_let_go() - undo kspan_hold() */
void kspan_let_go(const struct kspan_found *held)
{
	if (kspan_span_is_small(held->word.state))
		kspan_span_unpin(held->span);
	else if (held->span)
		kspan_large_let_go(held);
	else
		kspan_kv_let_go(held);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_let_go);

static bool keeps_contents(const struct kspan_found *held)
{
	return held->class == KSPAN_CLASS_PRIVATE &&
	       kspan_heap_keeps_contents(held->central->heap);
}

/* As free_object(), by the class of the page alone: exact_frees=0. */
static void free_inexactly(const void *p)
{
	struct kspan_cpu_cache *cache;
	unsigned int class;

	if (!may_use_cache(p) || unlikely(!kspan_cpu_cache_enter(&kspan_default_heap, &cache)))
		return free_past_cache(p);
	class = kspan_class_map_get(&cache->classes, (unsigned long)p);
	if (unlikely(!kspan_cpu_cache_push(cache, class, (void *)p, 0)))
		return free_other(p, cache);
	kspan_cpu_cache_leave(cache);
}

static void free_unwiped(const void *p)
{
	if (static_branch_likely(&kspan_frees_exactly))
		free_object(p);
	else
		free_inexactly(p);
}

/* init_on_free: only what certainly is an object in use is overwritten. */
static noinline void wipe_and_free(const void *p)
{
	unsigned int class = kspan_object_class(p);
	struct kspan_found held;
	size_t size = kspan_hold(p, &held);

	if (!size)
		return free_slow(p, class);
	if (!keeps_contents(&held))
		memset((void *)p, 0, size);
	kspan_let_go(&held);
	free_unwiped(p);
}

/* What kspan_free() is where it is not the usual. */
static noinline void free_otherwise(const void *p)
{
	if (want_init_on_free())
		wipe_and_free(p);
	else
		free_unwiped(p);
}

/**
 * kspan_free() - free memory
 * @p: from any allocating function here; NULL and ZERO_SIZE_PTR do nothing
 *
 * A wrong pointer is reported, counted in debugfs and left alone: at once; with exact_frees=0
 * also when its magazine is returned to the span.
 *
 * Context: any, NMI included; never sleeps.
 */
void kspan_free(const void *p)
{
	if (static_branch_unlikely(&kspan_frees_otherwise))
		return free_otherwise(p);
	free_object(p);
}
EXPORT_SYMBOL_GPL(kspan_free);

/**
 * kspan_free_wrong() - report a pointer that has no size, and so is wrong
 * @p: the pointer, which is not put into a magazine, but judged at once
 */
void kspan_free_wrong(const void *p)
{
	free_slow(p, kspan_object_class(p));
}

/**
 * kspan_free_sensitive() - overwrite memory, then free it
 * @p: as for kspan_free()
 *
 * Context: as kspan_free().
 */
void kspan_free_sensitive(const void *p)
{
	struct kspan_found held;
	size_t size = kspan_hold(p, &held);

	if (!size) {
		kspan_free_wrong(p);
		return;
	}
	memzero_explicit((void *)p, size);
	kspan_let_go(&held);
	kspan_free(p);
}
EXPORT_SYMBOL_GPL(kspan_free_sensitive);

static size_t private_size(unsigned long addr)
{
	struct kspan_found found;
	size_t size = 0;

	rcu_read_lock_sched();
	if (kspan_lookup_small(addr, KSPAN_CLASS_PRIVATE, &found) &&
	    kspan_found_slot(&found, addr) == KSPAN_SLOT_OUT) {
		size = kspan_central_usable(found.central);
		if (!kspan_found_stays(&found))
			size = 0;
	}
	rcu_read_unlock_sched();
	return size;
}

/**
 * kspan_size() - usable size of an object
 * @p: a live object, NULL or ZERO_SIZE_PTR
 *
 * Not for whoever wants to use all of it, as with ksize(): for the compiler, and
 * CONFIG_FORTIFY_SOURCE, an object ends where the request did. Round up before, by
 * kspan_size_roundup(), and ask for that.
 *
 * Context: as kspan_free().
 * Return: bytes, at least what was asked for; 0 when no object is known to be
 * at @p.
 */
size_t kspan_size(const void *p)
{
	unsigned long addr = (unsigned long)p;
	unsigned int class = kspan_object_class(p);

	if (!class)
		return kspan_large_size(addr) ?: kspan_tiny_size(addr) ?: kspan_kv_size(addr);
	/* Out of its span: in use, or in a magazine. */
	if (class == KSPAN_CLASS_PRIVATE)
		return private_size(addr);
	return kspan_central_peek(addr, class) == KSPAN_SLOT_OUT ?
	       kspan_size_classes[class].size : 0;
}
EXPORT_SYMBOL_GPL(kspan_size);

/**
 * kspan_size_roundup() - usable size that a request would get
 * @size: bytes
 *
 * A request for that many bytes takes the same slot, and all of it may be used.
 *
 * Context: any.
 * Return: bytes; @size itself when it is 0 or too large to be served.
 */
size_t kspan_size_roundup(size_t size)
{
	if (size <= KSPAN_MAX_SMALL)
		return kspan_size_classes[kspan_size_class(size)].size;
	return size <= KSPAN_MAX_SIZE ? kspan_large_roundup(size) : size;
}
EXPORT_SYMBOL_GPL(kspan_size_roundup);

/**
 * kspan_owns() - whether an address is a live object
 * @p: any address
 *
 * For diagnosis: looks through the caches of all CPUs. The answer is exact
 * for an object that nobody is allocating or freeing meanwhile.
 *
 * Context: task, softirq and hardirq.
 * Return: whether kspan_free() would free it.
 */
bool kspan_owns(const void *p)
{
	unsigned int class = kspan_object_class(p);

	if (!is_out(p, class))
		return false;
	if (class == KSPAN_CLASS_PRIVATE)
		return !is_cached(p);
	return !class || !kspan_heap_caches(&kspan_default_heap, class, p);
}
EXPORT_SYMBOL_GPL(kspan_owns);
