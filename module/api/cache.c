// SPDX-License-Identifier: GPL-2.0
/*
 * Typed caches
 *
 * A typed cache is a private heap with one size class of its own: slots are as large as
 * the objects, but for their alignment. Its alloc and free know the class, and so have
 * neither a table to look into nor a heap to look for; that an object is the cache's is
 * seen by its span, of which a CPU knows the last one.
 *
 * A constructor is called for all slots of a span when the span is made. Whatever the last
 * owner left in an object is there for the next one, and for readers under RCU: the seal of a
 * free slot lies behind the object then.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cache.h>
#include <linux/kspan.h>
#include <linux/log2.h>
#include <linux/panic.h>

#include "objects/kv.h"
#include "api/alloc.h"
#include "api/heaps.h"
#include "api/private.h"
#include "api/reserve.h"
#include "base/name.h"
#include "objects/bad_free.h"

/* The only class of a typed cache. */
#define ONLY_CLASS	1

/* Older kernels have no word for what is always so here. */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE	0
#endif

/* As long as flags are: the complement has all other bits. */
#define CACHE_FLAGS	((__force unsigned long)(SLAB_HWCACHE_ALIGN | SLAB_TYPESAFE_BY_RCU | \
						 SLAB_PANIC | SLAB_ACCOUNT |		    \
						 SLAB_RECLAIM_ACCOUNT | SLAB_NO_MERGE))

struct kspan_cache {
	struct kspan_heap heap;
};

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
 * As tools/mksizeclasses has it: at most an eighth of a span is left over; spans of few
 * slots are longer, up to 32 KiB.
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

/* Slots that are multiples of an alignment, in spans that are aligned to it. */
static struct kspan_size_class slot_class(unsigned int size, unsigned int align)
{
	struct kspan_size_class sc = { .size = ALIGN(size, align) };

	sc.pages = span_pages(sc.size);
	sc.slots = sc.pages * KSPAN_PAGE_SIZE / sc.size;
	/* kspan_slot_index() is exact as long as this fits 32 bits; a span of one slot ... */
	if ((u64)sc.pages * KSPAN_PAGE_SIZE * sc.size > U32_MAX) {
		sc.pages = DIV_ROUND_UP(sc.size, KSPAN_PAGE_SIZE);
		sc.slots = 1;
	}
	/* ... has index 0 throughout. */
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
	/* It may fit into what the alignment leaves anyway. */
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
 * __kspan_cache_create() - what kspan_cache_create() calls
 * @name:	as for kspan_heap_create()
 * @size:	bytes of an object, 1 to kmalloc's limit
 * @align:	a power of two up to kmalloc's limit, or 0 for 8
 * @flags:	KSPAN_HWCACHE_ALIGN, KSPAN_TYPESAFE_BY_RCU, and flags of kmem_cache_create()
 *		that the header tells of
 * @ctor:	called once for every slot before it is handed out for the first time, in
 *		the context of the allocation; or NULL
 * @owner:	THIS_MODULE
 *
 * Context: task; sleeps.
 * Return: the cache; or NULL without memory, or for a wrong argument.
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
	return kspan_malloc_slot(&cache->heap, ONLY_CLASS, gfp);
}

/**
 * kspan_cache_alloc() - allocate an object of a typed cache
 * @cache:	the cache
 * @gfp:	as for kspan_malloc(); __GFP_ZERO is not for caches with a constructor
 *
 * Context: as kspan_malloc().
 * Return: the object or NULL.
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
		return kspan_malloc_slow(ONLY_CLASS, gfp, heap);
	if (unlikely(!kspan_cpu_cache_pop(cpu_cache, ONLY_CLASS, &object)))
		return kspan_malloc_refill(ONLY_CLASS, gfp, heap, cpu_cache);
	kspan_cpu_cache_leave(cpu_cache);
	kspan_unseal(object, heap->seal_at);
	if (want_init_on_alloc(0) || IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		return kspan_initialise_slot(heap, object, ONLY_CLASS, gfp);
	return object;
}
EXPORT_SYMBOL_GPL(kspan_cache_alloc);

/** kspan_cache_zalloc() - kspan_cache_alloc() of zeroed memory */
void *kspan_cache_zalloc(struct kspan_cache *cache, gfp_t gfp)
{
	return kspan_cache_alloc(cache, gfp | __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(kspan_cache_zalloc);

/**
 * kspan_cache_alloc_node() - kspan_cache_alloc() from a NUMA node
 * @cache:	the cache
 * @gfp:	as for kspan_cache_alloc(); with __GFP_THISNODE no other node will do
 * @node:	preferred node, or NUMA_NO_NODE for that of this CPU
 *
 * Context: as kspan_malloc().
 * Return: the object or NULL.
 */
void *kspan_cache_alloc_node(struct kspan_cache *cache, gfp_t gfp, int node)
{
	if (gfp & KSPAN_GFP_REFUSED)
		return kspan_refuse_zone(gfp);
	if (WARN_ON_ONCE((gfp & __GFP_ZERO) && cache->heap.private->ctor))
		gfp &= ~__GFP_ZERO;
	return kspan_malloc_slot_node(&cache->heap, ONLY_CLASS, gfp, node);
}
EXPORT_SYMBOL_GPL(kspan_cache_alloc_node);

/**
 * kspan_cache_alloc_nolock() - allocate an object of a typed cache in any context
 * @cache: the cache
 *
 * Never sleeps, never waits for a lock, takes no memory from the system. After
 * kspan_cache_prefill() it succeeds as often as was asked for there.
 *
 * Context: any, NMI included, with any locks held.
 * Return: the object or NULL.
 */
void *kspan_cache_alloc_nolock(struct kspan_cache *cache)
{
	return kspan_malloc_class_nolock(&cache->heap, ONLY_CLASS);
}
EXPORT_SYMBOL_GPL(kspan_cache_alloc_nolock);

/**
 * kspan_cache_prefill() - make sure that kspan_cache_alloc_nolock() will succeed
 * @cache:	the cache
 * @n:		how many objects there are to be for it; 0 gives back what is left of them
 * @gfp:	as for kspan_cache_alloc()
 *
 * They are given back when the cache is destroyed.
 *
 * Context: as kspan_malloc(), but not in an NMI.
 * Return: 0; -ENOMEM with some of them there; -EINVAL for a zone flag.
 */
int kspan_cache_prefill(struct kspan_cache *cache, unsigned int n, gfp_t gfp)
{
	return kspan_prefill_class(&cache->heap, ONLY_CLASS, n, gfp & ~__GFP_ZERO);
}
EXPORT_SYMBOL_GPL(kspan_cache_prefill);

/*
 * Whether an object, which is in another span than the last one, may go into the CPU's cache:
 * if the span is the cache's, on the CPU's node. It is known then, until a span has gone.
 */
static bool learn_span(struct kspan_cache *cache, struct kspan_cpu_cache *cpu_cache,
		       const void *object)
{
	/* Before the look: a span that goes after it is seen to have gone. */
	int gone = atomic_read_acquire(&cache->heap.gone);
	const struct kspan_span *span = kspan_map_small_span((unsigned long)object);
	const struct kspan_central *central = span ? kspan_span_central(span) : NULL;

	if (!central || central->heap != &cache->heap || central->nid != cpu_cache->nid)
		return false;
	/* In the gaps of a hollow one there may be objects of others. */
	if (READ_ONCE(span->gone_pages))
		return false;
	cpu_cache->own_gone = gone;
	cpu_cache->own_start = span->start;
	/* Behind the last slot there may be no room for a seal. */
	cpu_cache->own_bytes = (unsigned long)span->nslots * span->size;
	return true;
}

/* Give an object of the span that is known to the CPU's magazine, if it is one of its slots. */
static __always_inline bool push_known(struct kspan_cache *cache,
				       struct kspan_cpu_cache *cpu_cache, void *object)
{
	struct kspan_cpu_class *of_class = kspan_cpu_class(cpu_cache, ONLY_CLASS);
	unsigned long offset = (unsigned long)object - cpu_cache->own_start, seal, *where;

	if (unlikely(offset >= cpu_cache->own_bytes) ||
	    unlikely(atomic_read(&cache->heap.gone) != cpu_cache->own_gone))
		return false;
	if (!static_branch_likely(&kspan_frees_exactly))
		return kspan_cpu_cache_push(cpu_cache, ONLY_CLASS, object, 0);
	seal = kspan_seal_of(object);
	where = object + cache->heap.seal_at;
	/* As kspan_slot_index(). */
	if (unlikely((u32)(offset * of_class->magic) >= of_class->magic))
		return false;
	return kspan_cpu_class_push_sealed(of_class, object, where, seal);
}

/* The same of another span than the last one. */
static noinline bool push_unknown(struct kspan_cache *cache, struct kspan_cpu_cache *cpu_cache,
				  void *object)
{
	return learn_span(cache, cpu_cache, object) && push_known(cache, cpu_cache, object);
}

/* An object that the CPU's cache did not take, or that is not the cache's. */
static noinline void cache_free_slow(struct kspan_cache *cache, void *object)
{
	const struct kspan_central *central;
	const struct kspan_span *span;
	bool other;

	if (ZERO_OR_NULL_PTR(object))
		return;
	rcu_read_lock_sched();
	span = kspan_map_small_span((unsigned long)object);
	central = span ? kspan_span_central(span) : NULL;
	other = central ? central->heap != &cache->heap :
			  kspan_large_size((unsigned long)object) ||
			  kspan_kv_size((unsigned long)object);
	rcu_read_unlock_sched();
	if (other)
		kspan_bad_free_report_in(KSPAN_BAD_FREE_OTHER_HEAP, (unsigned long)object,
					 ONLY_CLASS, cache->heap.classes[ONLY_CLASS].size,
					 cache->heap.name);
	else
		kspan_free(object);
}

/* An object that is not of the last span, or does not fit; @cpu_cache is entered, and left here. */
static noinline void free_unknown(struct kspan_cache *cache, struct kspan_cpu_cache *cpu_cache,
				  void *object)
{
	bool pushed = push_unknown(cache, cpu_cache, object);

	kspan_cpu_cache_leave(cpu_cache);
	if (!pushed)
		cache_free_slow(cache, object);
}

/* Whether frees have more to do than to put the object into a magazine. */
static __always_inline bool free_is_special(void)
{
	return IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) || want_init_on_free();
}

/**
 * kspan_cache_free() - free an object of a typed cache
 * @cache:	the cache
 * @object:	the object; NULL does nothing
 *
 * An object of something else is reported and left alone. kspan_free(),
 * kspan_free_bulk() and kspan_free_rcu() free the cache's objects, too.
 *
 * Context: as kspan_free().
 */
void kspan_cache_free(struct kspan_cache *cache, void *object)
{
	struct kspan_cpu_cache *cpu_cache;

	if (free_is_special() || unlikely(!kspan_cpu_cache_enter(&cache->heap, &cpu_cache)))
		return cache_free_slow(cache, object);
	if (unlikely(!push_known(cache, cpu_cache, object)))
		return free_unknown(cache, cpu_cache, object);
	kspan_cpu_cache_leave(cpu_cache);
}
EXPORT_SYMBOL_GPL(kspan_cache_free);

/**
 * kspan_cache_alloc_bulk() - allocate many objects of a typed cache
 * @cache:	the cache
 * @gfp:	as for kspan_cache_alloc()
 * @n:		how many
 * @objects:	receives them
 *
 * Context: as kspan_malloc().
 * Return: @n; or 0, with nothing allocated and @objects undefined.
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
	done = kspan_alloc_slots(&cache->heap, ONLY_CLASS, gfp, n, objects);
	if (likely(done == n))
		return n;
	kspan_cache_free_bulk(cache, done, objects);
	return 0;
}
EXPORT_SYMBOL_GPL(kspan_cache_alloc_bulk);

/* As push_known(), those of the span that is known; returns how many. */
static unsigned int push_some(struct kspan_cache *cache, struct kspan_cpu_cache *cpu_cache,
			      unsigned int n, void **objects)
{
	struct kspan_cpu_class *of_class = kspan_cpu_class(cpu_cache, ONLY_CLASS);
	unsigned long start = cpu_cache->own_start, bytes = cpu_cache->own_bytes;
	unsigned long secret = kspan_secret;
	unsigned int seal_at = cache->heap.seal_at, i;
	struct kspan_magazine *mag = of_class->loaded;
	unsigned int count = mag->count;
	u32 magic = of_class->magic;

	if (atomic_read(&cache->heap.gone) != cpu_cache->own_gone)
		return 0;
	n = min(n, mag->cap - min(mag->cap, count));
	for (i = 0; i < n; i++) {
		unsigned long offset = (unsigned long)objects[i] - start, seal, *where;

		if (offset >= bytes || (u32)(offset * magic) >= magic)
			break;
		seal = kspan_seal_at(secret, (unsigned long)objects[i]);
		where = objects[i] + seal_at;
		if (kspan_glance(*where) == seal)
			break;
		WRITE_ONCE(*where, seal);
		mag->slot[count + i] = objects[i];
	}
	/* An interrupt that looks through the magazine sees objects only. */
	barrier();
	if (i)
		mag->count = count + i;
	return i;
}

/* As long as the loaded magazine takes them; returns how many, of a magazine at most. */
static unsigned int push_magazine(struct kspan_cache *cache, unsigned int n, void **objects)
{
	struct kspan_cpu_cache *cpu_cache;
	unsigned int i = 0;

	if (free_is_special() || !static_branch_likely(&kspan_frees_exactly) ||
	    !kspan_cpu_cache_enter(&cache->heap, &cpu_cache))
		return 0;
	n = min_t(unsigned int, n, KSPAN_MAGAZINE_MAX);
	do {
		i += push_some(cache, cpu_cache, n - i, objects + i);
	} while (i < n && push_unknown(cache, cpu_cache, objects[i]) && ++i < n);
	kspan_cpu_cache_leave(cpu_cache);
	return i;
}

/**
 * kspan_cache_free_bulk() - free many objects of a typed cache
 * @cache:	the cache
 * @n:		how many
 * @objects:	the objects
 *
 * Context: as kspan_free().
 */
void kspan_cache_free_bulk(struct kspan_cache *cache, unsigned int n, void **objects)
{
	unsigned int i = 0;

	while (i < n) {
		i += push_magazine(cache, n - i, objects + i);
		/* It makes room for the next. */
		if (i < n)
			cache_free_slow(cache, objects[i++]);
	}
}
EXPORT_SYMBOL_GPL(kspan_cache_free_bulk);

/**
 * kspan_cache_size() - bytes of an object of a typed cache
 * @cache: the cache
 * Return: the size at creation, rounded up to the alignment, or to 8 bytes where what is in an
 * object stays after it was freed.
 */
unsigned int kspan_cache_size(const struct kspan_cache *cache)
{
	return cache->heap.seal_at ?: cache->heap.classes[ONLY_CLASS].size;
}
EXPORT_SYMBOL_GPL(kspan_cache_size);

/**
 * kspan_cache_shrink() - give back what a typed cache keeps without using it
 * @cache: the cache
 *
 * Context: task; sleeps, with KSPAN_TYPESAFE_BY_RCU for a grace period.
 * Return: bytes that it holds less.
 */
size_t kspan_cache_shrink(struct kspan_cache *cache)
{
	return kspan_private_trim(&cache->heap);
}
EXPORT_SYMBOL_GPL(kspan_cache_shrink);

/* Wait for objects that were given to kspan_free_rcu(), if any; how many are left. */
static unsigned long live_objects(struct kspan_cache *cache)
{
	if (!kspan_private_live(&cache->heap))
		return 0;
	kspan_barrier();
	return kspan_private_live(&cache->heap);
}

/**
 * kspan_cache_destroy() - destroy a typed cache
 * @cache: the cache, which nobody uses any more; NULL does nothing
 *
 * Waits for objects that were given to kspan_free_rcu(), a grace period at most; with
 * KSPAN_TYPESAFE_BY_RCU its pages go after one that it does not wait for. A cache that has
 * objects then is reported and stays. One that is destroyed twice is reported, and nothing
 * else.
 *
 * Context: task; sleeps.
 * Return: 0; -EBUSY with objects; -EINVAL for one that is destroyed.
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
