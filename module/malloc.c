// SPDX-License-Identifier: GPL-2.0
/*
 * The API: dispatch by size and address, gfp flags, initialisation
 *
 * The fast paths are kspan_malloc() and kspan_free() down to the magazine;
 * what is rare is out of line. The kernel's init_on_alloc= and init_on_free=
 * are honoured. Where CONFIG_DEBUG_KMEMLEAK is on, kmemleak knows every object,
 * as it knows SLUB's.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kmemleak.h>
#include <linux/kspan.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/string.h>

#include "bad_free.h"
#include "kunit_export.h"
#include "large.h"
#include "malloc.h"

struct kspan_heap kspan_default_heap;
KSPAN_EXPORT_FOR_KUNIT(kspan_default_heap);

#define KSPAN_GFP_REFUSED	(__GFP_DMA | __GFP_DMA32)
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

/* The first of its kind is told, with the way to its cause. */
static void *refuse(enum kspan_refusal refusal, const char *why, unsigned long value, gfp_t gfp)
{
	if (atomic_long_inc_return(&refusals[refusal]) == 1 && !(gfp & __GFP_NOWARN)) {
		pr_warn("request refused, said once: %s (%#lx)\n", why, value);
		dump_stack();
	}
	return NULL;
}

static void *refuse_zone(gfp_t gfp)
{
	return refuse(KSPAN_REFUSED_ZONE,
		      "no memory of a zone to be had here, use kmalloc or the DMA API",
		      (__force unsigned long)(gfp & KSPAN_GFP_REFUSED), gfp);
}

static void *refuse_size(size_t size, gfp_t gfp)
{
	return refuse(KSPAN_REFUSED_SIZE, "larger than kmalloc's limit, use vmalloc", size, gfp);
}

static __always_inline void check_context(gfp_t gfp)
{
	/* Elsewhere it would only offer to be preempted. */
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP) || IS_ENABLED(CONFIG_LOCKDEP))
		might_alloc(gfp);
}

static __always_inline void *initialise(void *object, size_t size, gfp_t zero, gfp_t gfp)
{
	if (want_init_on_alloc(zero))
		memset(object, 0, size);
	kmemleak_alloc(object, size, 1, gfp);
	return object;
}

/* Whether a request that failed must be tried again; waits a little then. */
static bool must_retry(gfp_t gfp)
{
	if (likely(!(gfp & __GFP_NOFAIL)) || WARN_ON_ONCE(!gfpflags_allow_blocking(gfp)))
		return false;
	memalloc_retry_wait(gfp);
	return true;
}

/* Node whose objects this CPU caches; a hint, the task may move. */
static int home_node(void)
{
	return raw_cpu_ptr(kspan_default_heap.cpu)->nid;
}

/* Small objects past the CPU cache; class 0 stands for size 0. */
static void *malloc_on_node(unsigned int class, gfp_t gfp, int nid)
{
	void *object;

	if (!class)
		return ZERO_SIZE_PTR;
	do {
		object = kspan_heap_alloc_slot(&kspan_default_heap, class, nid, gfp);
	} while (!object && must_retry(gfp));
	return object ? initialise(object, kspan_size_classes[class].size, gfp, gfp) : NULL;
}

static noinline void *malloc_slow(unsigned int class, gfp_t gfp)
{
	return malloc_on_node(class, gfp, home_node());
}

/*
 * Give the depot of this CPU's node a magazine, if somebody missed one there.
 * Not from a hardirq, where SLUB's locks are not for everybody to take.
 */
static void provision(unsigned int class, gfp_t gfp)
{
	if (class && !in_hardirq())
		kspan_depot_provision(kspan_heap_central(&kspan_default_heap, home_node(), class),
				      gfp);
}

/* The loaded magazine is empty; @cache is entered, and left here. */
static noinline void *malloc_refill(struct kspan_cpu_cache *cache, unsigned int class, gfp_t gfp)
{
	void *object = kspan_cpu_cache_refill(&kspan_default_heap, cache, class);

	kspan_cpu_cache_leave(cache);
	provision(class, gfp);
	if (!object && class)
		object = kspan_heap_grow(&kspan_default_heap, class, home_node(), gfp);
	if (!object)
		return malloc_slow(class, gfp);
	return initialise(object, kspan_size_classes[class].size, gfp, gfp);
}

static void *malloc_large_on_node(size_t size, gfp_t gfp, int nid)
{
	void *object;

	if (gfp & KSPAN_GFP_REFUSED)
		return refuse_zone(gfp);
	if (size > KSPAN_MAX_SIZE)
		return refuse_size(size, gfp);
	do {
		object = kspan_large_alloc(size, nid, gfp);
	} while (!object && must_retry(gfp));
	return object ? initialise(object, kspan_large_roundup(size), gfp, gfp) : NULL;
}

static noinline void *malloc_large(size_t size, gfp_t gfp)
{
	return malloc_large_on_node(size, gfp, home_node());
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
	return initialise(object, kspan_size_classes[class].size, zero, gfp);
}

static noinline void *malloc_special(unsigned int class, gfp_t gfp)
{
	if (gfp & KSPAN_GFP_REFUSED)
		return refuse_zone(gfp);
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
 * Context: task, softirq and hardirq; sleeps if @gfp allows it.
 * Return: the memory, aligned to the largest power of two that divides @size
 * and at least to 8; or NULL.
 */
void *kspan_malloc(size_t size, gfp_t gfp)
{
	unsigned int class;

	check_context(gfp);
	if (unlikely(size > KSPAN_MAX_SMALL))
		return malloc_large(size, gfp);
	class = kspan_size_class(size);
	if (unlikely(gfp & KSPAN_GFP_SPECIAL))
		return malloc_special(class, gfp);
	return malloc_class(class, gfp, 0);
}
EXPORT_SYMBOL_GPL(kspan_malloc);

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
	if (node == NUMA_NO_NODE || (node == home_node() && !(gfp & __GFP_THISNODE)))
		return kspan_malloc(size, gfp);
	if (node < 0 || node >= MAX_NUMNODES || !node_online(node))
		return gfp & __GFP_THISNODE ? NULL : kspan_malloc(size, gfp);
	check_context(gfp);
	if (size > KSPAN_MAX_SMALL)
		return malloc_large_on_node(size, gfp, node);
	if (gfp & KSPAN_GFP_REFUSED)
		return refuse_zone(gfp);
	return malloc_on_node(kspan_size_class(size), gfp, node);
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

/* Objects past the CPU cache, and addresses that are none. */
static noinline void free_slow(const void *p, unsigned int class)
{
	unsigned long addr = (unsigned long)p;

	if (ZERO_OR_NULL_PTR(p))
		return;
	if (class && kspan_central_free(addr))
		return;
	if (!kspan_large_free(addr))
		kspan_bad_free_report(KSPAN_BAD_FREE_FOREIGN, addr, 0);
}

/* The loaded magazine did not take @p; @cache is entered, and left here. */
static noinline void free_spill(struct kspan_cpu_cache *cache, const void *p, unsigned int class)
{
	const struct kspan_magazine *mag = cache->loaded[class];
	bool repeated = kspan_magazine_newest(mag, mag->count) == p;
	bool taken = !repeated && kspan_cpu_cache_spill(&kspan_default_heap, cache, class,
							(void *)p);

	kspan_cpu_cache_leave(cache);
	/* On PREEMPT_RT only the allocating side can go to SLUB from anywhere. */
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
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
	free_slow(p, class);
}

/* Only an address with a class is sure to have a struct page. */
static __always_inline bool is_remote(const struct kspan_cpu_cache *cache, const void *p,
				      unsigned int class)
{
	return static_branch_unlikely(&kspan_numa) && class &&
	       page_to_nid(virt_to_page(p)) != cache->nid;
}

/* Whether an address is a slot that is out of its span, or a large object. */
static bool is_out(const void *p)
{
	unsigned long addr = (unsigned long)p;
	unsigned int class;
	int state = kspan_central_slot(addr, false, &class);

	return state < 0 ? kspan_large_size(addr) : state == KSPAN_SLOT_OUT;
}

/* kmemleak is not to forget what is not kspan's, nor to meet what it can't judge. */
static __always_inline void forget(const void *p)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && is_out(p))
		kmemleak_free(p);
}

static __always_inline void free_class(const void *p, unsigned int class)
{
	struct kspan_cpu_cache *cache;

	forget(p);
	if (unlikely(!kspan_cpu_cache_enter(&kspan_default_heap, &cache)))
		return free_slow(p, class);
	if (is_remote(cache, p, class))
		return free_remote(cache, p, class);
	if (unlikely(!kspan_cpu_cache_push(cache, class, (void *)p)))
		return free_spill(cache, p, class);
	kspan_cpu_cache_leave(cache);
}

/* init_on_free: only what certainly is an object in use is overwritten. */
static noinline void wipe_and_free(const void *p, unsigned int class)
{
	if (is_out(p))
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
 * Context: task, softirq and hardirq; never sleeps.
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

/* Class of the page of any address, 0 for none. */
static unsigned int class_of(const void *p)
{
	unsigned long page = kspan_map_page((unsigned long)p);

	return page < kspan_map.nr_pages ? READ_ONCE(kspan_map.page_class[page]) : 0;
}

/* A pointer that has no size is wrong; told at once, not put into a magazine. */
static void free_wrong(const void *p)
{
	free_slow(p, class_of(p));
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
		free_wrong(p);
		return;
	}
	memzero_explicit((void *)p, size);
	kspan_free(p);
}
EXPORT_SYMBOL_GPL(kspan_free_sensitive);

static size_t small_size(unsigned long addr, unsigned int class)
{
	struct kspan_span *span;
	bool exact = false;

	rcu_read_lock();
	span = kspan_map_span(addr);
	/* The span of a live object does not change. */
	if (span && span->class == class &&
	    kspan_slot_index(class, addr - span->start, &exact) >= span->nslots)
		exact = false;
	rcu_read_unlock();
	return exact ? kspan_size_classes[class].size : 0;
}

/**
 * kspan_size() - usable size of an object
 * @p: a live object, NULL or ZERO_SIZE_PTR
 *
 * Context: as kspan_free().
 * Return: bytes, at least what was asked for; 0 when no object can start at @p.
 */
size_t kspan_size(const void *p)
{
	unsigned int class = class_of(p);

	return class ? small_size((unsigned long)p, class) : kspan_large_size((unsigned long)p);
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
 * Context: as kspan_free().
 * Return: whether kspan_free() would free it.
 */
bool kspan_owns(const void *p)
{
	unsigned int class;

	if (!is_out(p))
		return false;
	class = class_of(p);
	return !class || !kspan_heap_caches(&kspan_default_heap, class, p);
}
EXPORT_SYMBOL_GPL(kspan_owns);

/**
 * kspan_realloc() - change the size of an object
 * @p:		the object; NULL and ZERO_SIZE_PTR mean a new one
 * @size:	bytes wanted; 0 frees @p and gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc(), if the object must move
 *
 * An object stays where it is, with the alignment it has, when its slot is
 * large enough. With __GFP_ZERO, or init_on_alloc=, what lies beyond the bytes
 * that are kept reads as zero.
 *
 * Context: as kspan_malloc().
 * Return: the object; or NULL with @p as it was, also when @p is wrong.
 */
void *kspan_realloc(const void *p, size_t size, gfp_t gfp)
{
	size_t old = kspan_size(p);
	void *object;

	if (ZERO_OR_NULL_PTR(p))
		return kspan_malloc(size, gfp);
	if (!old) {
		free_wrong(p);
		return NULL;
	}
	if (!size) {
		kspan_free(p);
		return ZERO_SIZE_PTR;
	}
	if (size <= old) {
		if (want_init_on_alloc(gfp))
			memset((char *)p + size, 0, old - size);
		return (void *)p;
	}
	object = kspan_malloc(size, gfp);
	if (object) {
		memcpy(object, p, old);
		kspan_free(p);
	}
	return object;
}
EXPORT_SYMBOL_GPL(kspan_realloc);

/**
 * kspan_memdup() - copy memory
 * @src:	bytes to copy
 * @len:	how many
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the copy or NULL.
 */
void *kspan_memdup(const void *src, size_t len, gfp_t gfp)
{
	void *object = kspan_malloc(len, gfp);

	if (object)
		memcpy(object, src, len);
	return object;
}
EXPORT_SYMBOL_GPL(kspan_memdup);

/**
 * kspan_strdup() - copy a string
 * @s:		string, or NULL
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the copy; NULL for NULL.
 */
char *kspan_strdup(const char *s, gfp_t gfp)
{
	return s ? kspan_memdup(s, strlen(s) + 1, gfp) : NULL;
}
EXPORT_SYMBOL_GPL(kspan_strdup);
