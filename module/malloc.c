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
#include <linux/string.h>

#include "bad_free.h"
#include "kunit_export.h"
#include "malloc.h"

/* Here are the functions that these shorten for constant sizes. */
#undef kspan_malloc
#undef kspan_zalloc

struct kspan_heap kspan_default_heap;
KSPAN_EXPORT_FOR_KUNIT(kspan_default_heap);

/* Flags that need more than the fast path does. */
#define KSPAN_GFP_SPECIAL	(KSPAN_GFP_REFUSED | __GFP_ZERO)

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
 * @object:	the object
 * @wanted:	the node that was asked for
 */
void kspan_count_node(const void *object, int wanted)
{
	int nid;

	if (!static_branch_unlikely(&kspan_numa))
		return;
	nid = page_to_nid(virt_to_page(object));
	if (nid != wanted)
		kspan_count(KSPAN_ALLOC_FALLBACK);
	else if (nid != kspan_home_node())
		kspan_count(KSPAN_ALLOC_REMOTE);
}

static void *take_in(void *object, size_t size, gfp_t gfp, int nid)
{
	kspan_count_node(object, nid);
	return kspan_initialise(object, size, gfp, gfp);
}

/* When nothing else is left: an object of whole pages, whatever its size. */
static void *malloc_emergency(size_t size, gfp_t gfp, int nid)
{
	void *object = NULL;

	if (unlikely(kspan_may_use_reserves(gfp)))
		object = kspan_large_alloc_emergency(size, nid, gfp);
	return object ? take_in(object, kspan_size(object), gfp, nid) : NULL;
}

/* Small objects past the CPU cache; class 0 stands for size 0. */
static void *malloc_on_node(unsigned int class, gfp_t gfp, int nid)
{
	size_t size = kspan_size_classes[class].size;
	void *object;

	if (!class)
		return ZERO_SIZE_PTR;
	do {
		object = kspan_heap_alloc_slot(&kspan_default_heap, class, nid, gfp);
		if (object)
			return take_in(object, size, gfp, nid);
		/* A block of tiny objects has to be a slot. */
		if (class != KSPAN_CLASS_TINY)
			object = malloc_emergency(size, gfp, nid);
	} while (!object && must_retry(gfp));
	return object;
}

static noinline void *malloc_slow(unsigned int class, gfp_t gfp)
{
	return malloc_on_node(class, kspan_gfp_here(gfp), kspan_home_node());
}

/* Give the depot of this CPU's node a magazine, if somebody missed one there. */
static void provision(unsigned int class, gfp_t gfp)
{
	if (class)
		kspan_depot_provision(kspan_heap_central(&kspan_default_heap, kspan_home_node(),
							 class), gfp);
}

/* The loaded magazine is empty; @cache is entered, and left here. */
static noinline void *malloc_refill(struct kspan_cpu_cache *cache, unsigned int class, gfp_t gfp)
{
	int nid = cache->nid;
	void *object;

	/* Preemption is off in there for our own sake: for the rest it may be on. */
	object = kspan_cpu_cache_refill(&kspan_default_heap, cache, class,
					in_nmi() ? KSPAN_GFP_NOLOCK : 0);
	kspan_cpu_cache_leave(cache);
	gfp = kspan_gfp_here(gfp);
	/* Not from a hardirq, where SLUB's locks are not for everybody to take. */
	if (!(gfp & KSPAN_GFP_NOLOCK) && !in_hardirq())
		provision(class, gfp);
	if (!object && class) {
		object = kspan_heap_grow(&kspan_default_heap, class, nid, gfp);
		if (object)
			return take_in(object, kspan_size_classes[class].size, gfp, nid);
	}
	if (!object)
		return malloc_on_node(class, gfp, nid);
	return kspan_initialise(object, kspan_size_classes[class].size, gfp, gfp);
}

static void *malloc_large_on_node(size_t size, gfp_t gfp, int nid)
{
	void *object;

	if (gfp & KSPAN_GFP_REFUSED)
		return kspan_refuse_zone(gfp);
	if (size > KSPAN_MAX_SIZE)
		return refuse_size(size, gfp);
	gfp = kspan_gfp_here(gfp);
	do {
		object = kspan_large_alloc(size, nid, gfp);
		if (object)
			return take_in(object, kspan_large_roundup(size), gfp, nid);
		object = malloc_emergency(size, gfp, nid);
	} while (!object && must_retry(gfp));
	return object;
}

static noinline void *malloc_large(size_t size, gfp_t gfp)
{
	struct kspan_cpu_cache *cache;
	void *object = NULL;

	if (likely(!(gfp & KSPAN_GFP_REFUSED)) &&
	    likely(kspan_cpu_cache_enter(&kspan_default_heap, &cache))) {
		object = kspan_large_cache_take(&cache->large, size);
		if (object) {
			cache->events[KSPAN_LARGE_ALLOC]++;
			cache->events[KSPAN_LARGE_ALLOC_PAGES] +=
				kspan_large_roundup(size) >> KSPAN_PAGE_SHIFT;
		}
		kspan_cpu_cache_leave(cache);
	}
	if (object)
		return kspan_initialise(object, kspan_large_roundup(size), gfp, gfp);
	return malloc_large_on_node(size, gfp, kspan_home_node());
}

/*
 * Slow paths are tail calls, so that this needs no stack frame. @zero is what
 * @gfp says of __GFP_ZERO, as a constant where the caller knows it.
 */
static __always_inline void *malloc_class(unsigned int class, gfp_t gfp, gfp_t zero)
{
	struct kspan_cpu_cache *cache;
	void *object;

	if (unlikely(!kspan_cpu_cache_enter(&kspan_default_heap, &cache)))
		return malloc_slow(class, gfp);
	if (unlikely(!kspan_cpu_cache_pop(cache, class, &object)))
		return malloc_refill(cache, class, gfp);
	kspan_cpu_cache_leave(cache);
	return kspan_initialise(object, kspan_size_classes[class].size, zero, gfp);
}

static noinline void *malloc_special(unsigned int class, gfp_t gfp)
{
	if (gfp & KSPAN_GFP_REFUSED)
		return kspan_refuse_zone(gfp);
	return malloc_class(class, gfp, gfp);
}

/**
 * kspan_malloc() - allocate memory
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	what the allocation may do, as for kmalloc; __GFP_DMA and
 *		__GFP_DMA32 are refused
 *
 * Up to 32 KiB in 67 size classes, above in steps of 8 KiB, up to the limit of
 * kmalloc.
 *
 * Context: task, softirq and hardirq; sleeps if @gfp allows it. In an NMI, and
 * on PREEMPT_RT where preemption is off, it waits for nothing and may fail, as
 * kspan_malloc_nolock() may.
 * Return: the memory, aligned to the largest power of two that divides @size
 * and at least to 8; or NULL.
 */
void *kspan_malloc(size_t size, gfp_t gfp)
{
	unsigned int class;

	kspan_check_context(gfp);
	if (unlikely(size > KSPAN_MAX_SMALL))
		return malloc_large(size, gfp);
	class = kspan_size_class(size);
	if (unlikely(gfp & KSPAN_GFP_SPECIAL))
		return malloc_special(class, gfp);
	return malloc_class(class, gfp, 0);
}
EXPORT_SYMBOL_GPL(kspan_malloc);

/**
 * kspan_malloc_class() - what kspan_malloc() of a constant size is
 * @class:	size class, folded by the compiler
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the memory or NULL.
 */
void *kspan_malloc_class(unsigned int class, gfp_t gfp)
{
	kspan_check_context(gfp);
	if (unlikely(gfp & KSPAN_GFP_SPECIAL))
		return malloc_special(class, gfp);
	return malloc_class(class, gfp, 0);
}
EXPORT_SYMBOL_GPL(kspan_malloc_class);

/**
 * kspan_zalloc() - allocate zeroed memory
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the memory, zeroed up to kspan_size(), or NULL.
 */
void *kspan_zalloc(size_t size, gfp_t gfp)
{
	return kspan_malloc(size, gfp | __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(kspan_zalloc);

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
	/* With __GFP_THISNODE not by the cache: the task may move to another. */
	if (node == NUMA_NO_NODE || (node == kspan_home_node() && !(gfp & __GFP_THISNODE)))
		return kspan_malloc(size, gfp);
	if (node < 0 || node >= MAX_NUMNODES || !node_online(node))
		return gfp & __GFP_THISNODE ? NULL : kspan_malloc(size, gfp);
	kspan_check_context(gfp);
	if (size > KSPAN_MAX_SMALL)
		return malloc_large_on_node(size, gfp, node);
	if (gfp & KSPAN_GFP_REFUSED)
		return kspan_refuse_zone(gfp);
	return malloc_on_node(kspan_size_class(size), kspan_gfp_here(gfp), node);
}
EXPORT_SYMBOL_GPL(kspan_malloc_node);

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
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return kspan_malloc(bytes, gfp);
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
	size_t bytes;

	if (unlikely(!is_power_of_2(align) || align > KSPAN_MAX_SIZE))
		return kspan_refuse(KSPAN_REFUSED_ALIGN,
				    "alignment is not a power of two up to kmalloc's limit",
				    align, gfp);
	if (unlikely(check_add_overflow(size, align - 1, &bytes)))
		return NULL;
	return kspan_malloc(bytes & -align, gfp);
}
EXPORT_SYMBOL_GPL(kspan_malloc_aligned);

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
	struct kspan_cpu_cache *cache;
	void *object = NULL, *block;

	kspan_check_context(gfp);
	if (unlikely(!size || size >= KSPAN_TINY_BLOCK))
		return kspan_malloc(size, gfp);
	if (unlikely(gfp & KSPAN_GFP_REFUSED))
		return kspan_refuse_zone(gfp);
	if (likely(kspan_cpu_cache_enter(&kspan_default_heap, &cache))) {
		object = kspan_tiny_pack(&cache->tiny, size);
		kspan_cpu_cache_leave(cache);
	}
	if (!object) {
		block = kspan_malloc_class(KSPAN_CLASS_TINY, gfp);
		/* Without memory for blocks there may be some for an object. */
		if (!block)
			return kspan_malloc(size, gfp);
		if (likely(kspan_cpu_cache_enter(&kspan_default_heap, &cache))) {
			object = kspan_tiny_open(&cache->tiny, block, size);
			kspan_cpu_cache_leave(cache);
		} else {
			object = kspan_tiny_open(NULL, block, size);
		}
	}
	kspan_count(KSPAN_TINY_ALLOC);
	this_cpu_add(kspan_default_heap.cpu->events[KSPAN_TINY_CLASS_BYTES],
		     size <= 8 ? 8 : KSPAN_TINY_BLOCK);
	if (want_init_on_alloc(gfp))
		memset(object, 0, size);
	return object;
}
EXPORT_SYMBOL_GPL(kspan_tiny_alloc);

static bool tiny_free(unsigned long addr)
{
	void *empty;
	int err = kspan_tiny_free(addr, &empty);

	if (!err)
		kspan_count(KSPAN_TINY_FREE);
	if (empty)
		kspan_free_class(empty, KSPAN_CLASS_TINY);
	return err != -ENOENT;
}

/* An address where no object is. */
static void report_nothing(unsigned long addr)
{
	enum kspan_page_state page = kspan_page_heap_state(addr);
	enum kspan_bad_free_kind kind = KSPAN_BAD_FREE_DOUBLE;

	if (page == KSPAN_PAGE_FOREIGN)
		kind = KSPAN_BAD_FREE_FOREIGN;
	else if (!IS_ALIGNED(addr, 8))
		kind = KSPAN_BAD_FREE_MISALIGNED;
	else if (page == KSPAN_PAGE_NEVER_USED)
		kind = KSPAN_BAD_FREE_NEVER_ALLOCATED;
	kspan_bad_free_report(kind, addr, 0);
}

/* Objects past the CPU cache, and addresses that are none. */
static noinline void free_slow(const void *p, unsigned int class)
{
	unsigned long addr = (unsigned long)p;

	if (ZERO_OR_NULL_PTR(p))
		return;
	if (class && kspan_central_free(addr, class))
		return;
	if (!kspan_large_free(addr) && !tiny_free(addr))
		report_nothing(addr);
}

/* What has no class: large and tiny objects; @cache is entered, and left here. */
static void free_classless(struct kspan_cpu_cache *cache, const void *p)
{
	struct kspan_span *evicted = NULL;
	bool kept = kspan_large_cache_put(&cache->large, (unsigned long)p, cache->nid, &evicted);

	kspan_cpu_cache_leave(cache);
	if (evicted)
		kspan_large_free_cached(evicted);
	if (!kept)
		free_slow(p, 0);
}

/* The loaded magazine did not take @p; @cache is entered, and left here. */
static noinline void free_spill(struct kspan_cpu_cache *cache, const void *p, unsigned int class)
{
	const struct kspan_magazine *mag = cache->loaded[class];
	bool repeated, taken;

	if (!class)
		return free_classless(cache, p);
	repeated = kspan_magazine_newest(mag, mag->count) == p;
	taken = !repeated && kspan_cpu_cache_spill(&kspan_default_heap, cache, class, (void *)p);
	kspan_cpu_cache_leave(cache);
	if (kspan_may_release())
		provision(class, GFP_NOWAIT);
	if (repeated)
		kspan_bad_free_report(KSPAN_BAD_FREE_DOUBLE, (unsigned long)p, class);
	else if (!taken)
		free_slow(p, class);
}

/* Objects of other nodes go home. */
static noinline void free_remote(struct kspan_cpu_cache *cache, const void *p, unsigned int class)
{
	kspan_cpu_cache_leave(cache);
	kspan_count(KSPAN_FREE_REMOTE);
	free_slow(p, class);
}

/* Whether an address is a slot that is out of its span, or a tiny or large object. */
static bool is_out(const void *p, unsigned int class)
{
	unsigned long addr = (unsigned long)p;

	if (class)
		return kspan_central_peek(addr, class) == KSPAN_SLOT_OUT;
	return kspan_tiny_size(addr) || kspan_large_size(addr);
}

/*
 * Have kmemleak forget an object; not what is not kspan's, nor what it can't
 * judge. Of tiny objects it knows the blocks.
 */
static void forget(const void *p, unsigned int class)
{
	if (class ? is_out(p, class) : kspan_large_size((unsigned long)p))
		kmemleak_free(p);
}

static __always_inline void free_class(const void *p, unsigned int class)
{
	struct kspan_cpu_cache *cache;

	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK)) {
		/* kmemleak must forget before the cache knows, which an NMI can't do. */
		if (in_nmi())
			return free_slow(p, class);
		forget(p, class);
	}
	if (unlikely(!kspan_cpu_cache_enter(&kspan_default_heap, &cache)))
		return free_slow(p, class);
	if (kspan_is_remote(cache, p, class))
		return free_remote(cache, p, class);
	if (unlikely(!kspan_cpu_cache_push(cache, class, (void *)p)))
		return free_spill(cache, p, class);
	kspan_cpu_cache_leave(cache);
}

/**
 * kspan_free_class() - free a slot of a known class
 * @p:		the slot
 * @class:	its class
 */
void kspan_free_class(const void *p, unsigned int class)
{
	free_class(p, class);
}

/* init_on_free: only what certainly is an object in use is overwritten. */
static noinline void wipe_and_free(const void *p, unsigned int class)
{
	if (is_out(p, class))
		memset((void *)p, 0, kspan_size(p));
	free_class(p, class);
}

/**
 * kspan_free() - free memory
 * @p: from any allocating function here; NULL and ZERO_SIZE_PTR do nothing
 *
 * A wrong pointer is reported, counted in debugfs and left alone, at once or
 * when its magazine is returned to the span.
 *
 * Context: any, NMI included; never sleeps.
 */
void kspan_free(const void *p)
{
	unsigned long page = kspan_map_page((unsigned long)p);
	unsigned int class;

	if (unlikely(page >= kspan_map.nr_pages))
		return free_slow(p, 0);
	class = READ_ONCE(kspan_map.page_class[page]);
	if (want_init_on_free())
		return wipe_and_free(p, class);
	free_class(p, class);
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
	size_t size = kspan_size(p);

	if (!size) {
		kspan_free_wrong(p);
		return;
	}
	memzero_explicit((void *)p, size);
	kspan_free(p);
}
EXPORT_SYMBOL_GPL(kspan_free_sensitive);

/**
 * kspan_size() - usable size of an object
 * @p: a live object, NULL or ZERO_SIZE_PTR
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
		return kspan_large_size(addr) ?: kspan_tiny_size(addr);
	/* Out of its span: in use, or in a magazine. */
	return kspan_central_peek(addr, class) == KSPAN_SLOT_OUT ?
	       kspan_size_classes[class].size : 0;
}
EXPORT_SYMBOL_GPL(kspan_size);

/**
 * kspan_size_roundup() - usable size that a request would get
 * @size: bytes
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
	return !class || !kspan_heap_caches(&kspan_default_heap, class, p);
}
EXPORT_SYMBOL_GPL(kspan_owns);
