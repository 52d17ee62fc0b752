// SPDX-License-Identifier: GPL-2.0
/*
 * Typed caches
 *
 * A typed cache is a private heap with one size class of its own: a slot is as large as the
 * object, rounded up to the alignment. Allocation and free know the class, so they look neither
 * into a size table nor for a heap. cache_free.c has the frees.
 *
 * A constructor is called for all slots of a span when the span is made. Whatever the last
 * owner left in an object is there for the next owner and for readers under RCU; the seal of a
 * free slot then lies behind the object.
 *
 * Context: as kspan_malloc() and kspan_free(), unless a function says otherwise.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cache.h>
#include <linux/kspan.h>
#include <linux/log2.h>
#include <linux/panic.h>

#include "api/alloc.h"
#include "api/cache.h"
#include "api/heaps.h"
#include "api/private.h"
#include "api/reserve.h"
#include "base/name.h"

/* Older kernels lack this flag. What it asks for is always so here: caches are never merged. */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE	0
#endif

/* As wide as flags, so that the complement has all other bits. */
#define CACHE_FLAGS	((__force unsigned long)(SLAB_HWCACHE_ALIGN | SLAB_TYPESAFE_BY_RCU | \
						 SLAB_PANIC | SLAB_ACCOUNT |		    \
						 SLAB_RECLAIM_ACCOUNT | SLAB_NO_MERGE))

static struct kspan_cache *cache_of(struct kspan_heap *heap)
{
	return container_of(heap, struct kspan_cache, heap);
}

static unsigned int slot_align(unsigned int size, unsigned int align, unsigned long flags)
{
	unsigned int line = cache_line_size();

	if (flags & KSPAN_HWCACHE_ALIGN) {
		while (size <= line / 2)
			line /= 2;
		align = max(align, line);
	}
	return max_t(unsigned int, align, sizeof(u64));
}

/*
 * Pages of KSPAN_PAGE_SIZE that a span has, by the same rule as in tools/mksizeclasses.c: at
 * most an eighth of a span is left over, and spans of fewer than 16 slots are longer, up to 32
 * KiB.
 */
static unsigned int span_pages(unsigned int size)
{
	unsigned int pages = DIV_ROUND_UP(size, KSPAN_PAGE_SIZE);

	while (pages * KSPAN_PAGE_SIZE % size * 8 > pages * KSPAN_PAGE_SIZE)
		pages++;
	while (pages * KSPAN_PAGE_SIZE / size < 16 && 2 * pages * KSPAN_PAGE_SIZE <= 32 * 1024)
		pages *= 2;
	return pages;
}

/*
 * The size class of a cache: slots are multiples of the alignment, in spans that are aligned to
 * it.
 */
static struct kspan_size_class slot_class(unsigned int size, unsigned int align)
{
	struct kspan_size_class sc = { .size = ALIGN(size, align) };

	sc.pages = span_pages(sc.size);
	sc.slots = sc.pages * KSPAN_PAGE_SIZE / sc.size;
	/*
	 * kspan_slot_index() is exact as long as this product fits 32 bits. Above, a span has
	 * one slot ...
	 */
	if ((u64)sc.pages * KSPAN_PAGE_SIZE * sc.size > U32_MAX) {
		sc.pages = DIV_ROUND_UP(sc.size, KSPAN_PAGE_SIZE);
		sc.slots = 1;
	}
	/* ... and every offset in it has index 0. */
	sc.magic = sc.slots == 1 ? 1 : BIT_ULL(32) / sc.size + 1;
	sc.align = max_t(unsigned int, align / KSPAN_PAGE_SIZE, 1);
	return sc;
}

static struct kspan_cache *create_cache(const char *name, unsigned int size, unsigned int align,
					unsigned long flags, void (*ctor)(void *object),
					struct module *owner, unsigned long site)
{
	bool keeps_contents = ctor || (flags & KSPAN_TYPESAFE_BY_RCU);
	unsigned int seal_at = 0, bytes = size;
	struct kspan_size_class slot;
	char brief[KSPAN_NAME_BRIEF];
	struct kspan_heap *heap;

	if (!name || !size || size > KSPAN_MAX_SIZE || align > KSPAN_MAX_SIZE ||
	    (align && !is_power_of_2(align)) || (flags & ~CACHE_FLAGS)) {
		pr_err("cache %s can't be made: size %u, alignment %u, flags %#lx; see kspan_cache_create()\n",
		       kspan_name_brief(brief, name ?: "(null)"), size, align, flags);
		return NULL;
	}
	align = slot_align(size, align, flags);
	/* The alignment may leave room for the seal anyway. */
	if (keeps_contents && kspan_exact_frees) {
		seal_at = ALIGN(size, sizeof(long));
		bytes = seal_at + sizeof(long);
	}
	if (bytes > KSPAN_MAX_SIZE) {
		pr_err("cache %s can't be made: an object of %u bytes with its seal is larger than kmalloc's limit\n",
		       kspan_name_brief(brief, name), size);
		return NULL;
	}
	slot = slot_class(bytes, align);
	heap = kspan_private_create(name, &slot, flags, ctor, owner);
	if (!heap)
		return NULL;
	heap->seal_at = seal_at;
	kspan_private_publish(heap, site);
	return cache_of(heap);
}

/**
 * __kspan_cache_create() - make a typed cache on behalf of a module
 * @name:	as for kspan_cache_create()
 * @size:	as for kspan_cache_create()
 * @align:	as for kspan_cache_create()
 * @flags:	as for kspan_cache_create()
 * @ctor:	as for kspan_cache_create()
 * @owner:	THIS_MODULE of the caller
 *
 * Call kspan_cache_create() instead.
 *
 * Context: task; sleeps.
 * Return: as kspan_cache_create().
 */
struct kspan_cache *__kspan_cache_create(const char *name, unsigned int size, unsigned int align,
					 unsigned long flags, void (*ctor)(void *object),
					 struct module *owner)
{
	struct kspan_cache *cache = create_cache(name, size, align, flags, ctor, owner, _RET_IP_);

	if (!cache && (flags & (__force unsigned long)SLAB_PANIC))
		panic("kspan: a cache with SLAB_PANIC can't be made");
	return cache;
}
EXPORT_SYMBOL_GPL(__kspan_cache_create);

static noinline void *alloc_special(struct kspan_cache *cache, gfp_t gfp)
{
	if (gfp & KSPAN_GFP_REFUSED)
		return kspan_refuse_zone(gfp);
	if (WARN_ON_ONCE(cache->heap.private->ctor))
		gfp &= ~__GFP_ZERO;
	return kspan_malloc_slot(&cache->heap, KSPAN_CACHE_CLASS, gfp);
}

/**
 * kspan_cache_alloc() - allocate an object of a typed cache
 * @cache:	the cache; not NULL
 * @gfp:	as for kspan_malloc(). __GFP_ZERO is not allowed for a cache with a constructor:
 *		it is ignored with a warning the first time.
 *
 * Like kmem_cache_alloc(). Without a constructor the object is not initialised, unless @gfp has
 * __GFP_ZERO.
 *
 * Context: as kspan_malloc().
 * Return: the object, to be freed by kspan_cache_free() or kspan_free(); NULL if there is no
 * memory.
 */
void *kspan_cache_alloc(struct kspan_cache *cache, gfp_t gfp)
{
	struct kspan_heap *heap = &cache->heap;
	struct kspan_cpu_cache *cpu_cache;
	void *object;

	kspan_check_context(gfp);
	if (unlikely(gfp & KSPAN_GFP_SPECIAL))
		return alloc_special(cache, gfp);
	if (unlikely(!kspan_cpu_cache_enter(heap, &cpu_cache)))
		return kspan_malloc_slow(KSPAN_CACHE_CLASS, gfp, heap);
	if (unlikely(!kspan_cpu_cache_pop(cpu_cache, KSPAN_CACHE_CLASS, &object)))
		return kspan_malloc_refill(KSPAN_CACHE_CLASS, gfp, heap, cpu_cache);
	kspan_cpu_cache_leave(cpu_cache);
	kspan_unseal(object, heap->seal_at);
	if (want_init_on_alloc(0) || IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		return kspan_initialise_slot(heap, object, KSPAN_CACHE_CLASS, gfp);
	return object;
}
EXPORT_SYMBOL_GPL(kspan_cache_alloc);

/**
 * kspan_cache_zalloc() - allocate a zeroed object of a typed cache
 * @cache:	the cache, which has no constructor; not NULL
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_cache_alloc().
 */
void *kspan_cache_zalloc(struct kspan_cache *cache, gfp_t gfp)
{
	return kspan_cache_alloc(cache, gfp | __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(kspan_cache_zalloc);

/**
 * kspan_cache_alloc_node() - allocate an object of a typed cache from a NUMA node
 * @cache:	the cache; not NULL
 * @gfp:	as for kspan_cache_alloc(); with __GFP_THISNODE no other node is tried
 * @node:	the preferred node, or NUMA_NO_NODE for the node of this CPU
 *
 * Context: as kspan_malloc().
 * Return: as kspan_cache_alloc().
 */
void *kspan_cache_alloc_node(struct kspan_cache *cache, gfp_t gfp, int node)
{
	if (gfp & KSPAN_GFP_REFUSED)
		return kspan_refuse_zone(gfp);
	if (WARN_ON_ONCE((gfp & __GFP_ZERO) && cache->heap.private->ctor))
		gfp &= ~__GFP_ZERO;
	return kspan_malloc_slot_node(&cache->heap, KSPAN_CACHE_CLASS, gfp, node);
}
EXPORT_SYMBOL_GPL(kspan_cache_alloc_node);

/**
 * kspan_cache_alloc_nolock() - allocate an object of a typed cache in any context
 * @cache:	the cache; not NULL
 *
 * This function never sleeps, never waits for a lock, and takes no memory from the system, so
 * it may fail at any time. After kspan_cache_prefill() it succeeds for as many objects as are
 * in reserve.
 *
 * Context: any, NMI included, with any locks held.
 * Return: as kspan_cache_alloc().
 */
void *kspan_cache_alloc_nolock(struct kspan_cache *cache)
{
	return kspan_malloc_class_nolock(&cache->heap, KSPAN_CACHE_CLASS);
}
EXPORT_SYMBOL_GPL(kspan_cache_alloc_nolock);

/**
 * kspan_cache_prefill() - set objects aside for kspan_cache_alloc_nolock()
 * @cache:	the cache; not NULL
 * @n:		number of objects to be in reserve afterwards, those that are there counted; 0
 *		frees all that are left
 * @gfp:	what this call may do to get memory, as for kspan_malloc(); __GFP_ZERO is
 *		ignored
 *
 * kspan_cache_destroy() frees objects in reserve.
 *
 * Context: as kspan_malloc(), but not in an NMI.
 * Return: 0; -ENOMEM if there is not enough memory, with some of the objects in reserve;
 * -EINVAL if @gfp has a zone flag or @n is more than INT_MAX.
 */
int kspan_cache_prefill(struct kspan_cache *cache, unsigned int n, gfp_t gfp)
{
	return kspan_prefill_class(&cache->heap, KSPAN_CACHE_CLASS, n, gfp & ~__GFP_ZERO);
}
EXPORT_SYMBOL_GPL(kspan_cache_prefill);

/**
 * kspan_cache_alloc_bulk() - allocate many objects of a typed cache
 * @cache:	the cache; not NULL
 * @gfp:	as for kspan_cache_alloc()
 * @n:		number of objects
 * @objects:	array of @n pointers, which receives the objects
 *
 * Context: as kspan_malloc().
 * Return: @n; or 0 if there is not enough memory. Then nothing is allocated, and @objects has
 * no meaning.
 */
unsigned int kspan_cache_alloc_bulk(struct kspan_cache *cache, gfp_t gfp, unsigned int n,
				    void **objects)
{
	unsigned int done;

	kspan_check_context(gfp);
	if (gfp & KSPAN_GFP_REFUSED) {
		kspan_refuse_zone(gfp);
		return 0;
	}
	if (WARN_ON_ONCE((gfp & __GFP_ZERO) && cache->heap.private->ctor))
		gfp &= ~__GFP_ZERO;
	done = kspan_alloc_slots(&cache->heap, KSPAN_CACHE_CLASS, gfp, n, objects);
	if (likely(done == n))
		return n;
	kspan_cache_free_bulk(cache, done, objects);
	return 0;
}
EXPORT_SYMBOL_GPL(kspan_cache_alloc_bulk);

/**
 * kspan_cache_size() - tell how many bytes of an object may be used
 * @cache:	the cache; not NULL
 *
 * Context: any.
 * Return: bytes: the size that was given at creation, rounded up to the alignment; for a cache
 * with a constructor or KSPAN_TYPESAFE_BY_RCU, rounded up to 8.
 */
unsigned int kspan_cache_size(const struct kspan_cache *cache)
{
	return cache->heap.seal_at ?: cache->heap.classes[KSPAN_CACHE_CLASS].size;
}
EXPORT_SYMBOL_GPL(kspan_cache_size);

/**
 * kspan_cache_trim() - give back the memory that a typed cache keeps unused
 * @cache:	the cache; not NULL
 *
 * Context: task; sleeps, with KSPAN_TYPESAFE_BY_RCU for an RCU grace period.
 * Return: the number of bytes given back.
 */
size_t kspan_cache_trim(struct kspan_cache *cache)
{
	return kspan_private_trim(&cache->heap);
}
EXPORT_SYMBOL_GPL(kspan_cache_trim);

/*
 * Count the objects that were not freed. If there are any, wait for kspan_free_rcu() and count
 * again.
 */
static unsigned long live_objects(struct kspan_cache *cache)
{
	if (!kspan_private_live(&cache->heap))
		return 0;
	kspan_barrier();
	return kspan_private_live(&cache->heap);
}

/**
 * kspan_cache_destroy() - destroy a typed cache
 * @cache:	the cache, which nobody uses any more; NULL does nothing
 *
 * Objects that were given to kspan_free_rcu() are waited for. If other objects were not freed,
 * the cache is not destroyed: the log names their number, and the caller may free them and call
 * this function again. With KSPAN_TYPESAFE_BY_RCU the pages are freed after an RCU grace
 * period, for which this function does not wait.
 *
 * Context: task; sleeps, for a grace period if there are objects left.
 * Return: 0; -EBUSY if there are objects, and the cache is as it was; -EINVAL if the cache was
 * destroyed before, which is reported.
 */
int kspan_cache_destroy(struct kspan_cache *cache)
{
	struct kspan_handle *handle = kspan_private_handle(&cache->heap);
	unsigned long live;

	if (!cache)
		return 0;
	if (!kspan_handle_claim(handle, KSPAN_HANDLE_CACHE, cache))
		return -EINVAL;
	kspan_reserves_drop(&cache->heap);
	live = live_objects(cache);
	if (live) {
		pr_err("cache %s is not destroyed: %lu objects of %u bytes were not freed\n",
		       cache->heap.name, live, kspan_cache_size(cache));
		dump_stack();
		kspan_handle_unclaim(handle);
		return -EBUSY;
	}
	kspan_handle_take(handle, KSPAN_HANDLE_CACHE, cache);
	kspan_private_destroy(&cache->heap);
	return 0;
}
EXPORT_SYMBOL_GPL(kspan_cache_destroy);
