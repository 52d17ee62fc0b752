// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_free(): from an address to a magazine, and what is done where that fails
 *
 * The common case is free_object(): the map gives the class of the address, the address is the
 * start of a slot, the slot has no seal yet, and this CPU's loaded magazine has room. All else
 * is out of line:
 *
 *	free_past_cache()	the CPU's cache is in use by the code that this one interrupted
 *	free_other()		the cache did not take the object, for one of these reasons:
 *	  free_private()	  it is an object of a private heap
 *	  free_spill()		  the loaded magazine is full
 *	  free_classless()	  it is a large or tiny object, or one of another node
 *	  free_wrong()		  it is no object, or a free one
 *	free_uncached()		frees past all caches, and reports what is no object
 *
 * A function that takes an entered cache finds preemption off and the cache marked busy; it
 * leaves the cache before it returns.
 *
 * With exact_frees=1, the default, a seal tells a free slot from an object, and a wrong pointer
 * is reported at once. With exact_frees=0 the cache looks at the class of the page only; some
 * wrong pointers are then found when their magazine is returned to the spans.
 *
 * The kernel's init_on_free= is honoured. With CONFIG_DEBUG_KMEMLEAK kmemleak forgets every
 * object before a cache has it.
 *
 * Context: any, NMI included. Where preemption is off nothing here calls the page allocator or
 * SLUB, as the caller may hold a raw spinlock.
 */
#include <linux/kspan.h>
#include <linux/string.h>

#include "api/alloc.h"
#include "api/free.h"
#include "api/object.h"
#include "base/kunit_export.h"
#include "objects/bad_free.h"
#include "objects/capacity.h"
#include "objects/kv.h"
#include "pages/hooks.h"

/*
 * Report a free of an address where no object is; the state of its page tells what kind of
 * mistake it is.
 */
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

static void report_double(const void *p)
{
	char name[KSPAN_BAD_FREE_NAME];
	struct kspan_heap *heap;
	unsigned int class, size = 0;

	rcu_read_lock_sched();
	heap = kspan_small_heap((unsigned long)p, &class);
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

/*
 * Free a slot to its span or central. A slot that is out of its span and still sealed was freed
 * before, and lies in a magazine.
 */
static bool free_past_caches(const void *p, unsigned int page_class)
{
	int state = kspan_central_free_slot((unsigned long)p, page_class, false);

	if (unlikely(state == KSPAN_SLOT_SEALED))
		report_double(p);
	return state >= 0;
}

static void free_tiny_block(struct kspan_heap *heap, const void *block);

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
		free_tiny_block(central->heap, empty);
	/*
	 * The report, with a stack trace, takes longer than preemption may be off: it comes
	 * later.
	 */
	if (err == -EINVAL)
		strscpy(heap, central->name, sizeof(heap));
	rcu_read_unlock_sched();
	if (err == -EINVAL)
		kspan_bad_free_report_in(kind, addr, KSPAN_CLASS_TINY, KSPAN_TINY_BLOCK, heap);
	return err != -ENOENT;
}

/*
 * Free an object without a CPU's cache; report an address that is no object. Class 0 stands for
 * all but slots.
 */
static noinline void free_uncached(const void *p, unsigned int page_class)
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
 * The loaded magazine has no room for @p, or @p is its newest entry. @cache is entered and is
 * left here.
 */
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
		free_uncached(p, page_class);
}

/*
 * Have kmemleak forget an object. Skip memory that is not kspan's, and what may be no object.
 * Of tiny objects kmemleak knows the block only.
 */
static void forget_object(const void *p, unsigned int page_class)
{
	struct kspan_found held;

	if (page_class == KSPAN_CLASS_TINY) {
		if (kspan_object_is_out(p, page_class))
			kmemleak_free(p);
	} else if (page_class) {
		/*
		 * An object that was freed is none any more, even while its slot is out of the
		 * span.
		 */
		if (!kspan_hold(p, &held))
			return;
		kspan_let_go(&held);
		kmemleak_free(p);
	} else if (kspan_large_size((unsigned long)p)) {
		kmemleak_free(p);
	}
}

/*
 * Free a slot of a heap that stays meanwhile, through the CPU's cache. kmemleak has forgotten
 * the slot already. @class is the class as @heap counts classes, @page_class what the map says
 * of the page.
 */
static void free_to_cache(struct kspan_heap *heap, const void *p, unsigned int class,
			  unsigned int page_class)
{
	struct kspan_cpu_cache *cache;

	if (unlikely(kspan_is_sealed(p, heap->seal_at)) ||
	    unlikely(!kspan_cpu_cache_enter(heap, &cache)))
		return free_uncached(p, page_class);
	if (static_branch_unlikely(&kspan_numa) && page_to_nid(virt_to_page(p)) != cache->nid) {
		/* An object of another node is returned to that node. */
		kspan_cpu_cache_leave(cache);
		kspan_count(heap, KSPAN_FREE_REMOTE);
		return free_uncached(p, page_class);
	}
	if (unlikely(!kspan_cpu_cache_push(cache, class, (void *)p, heap->seal_at)))
		return free_spill(heap, cache, p, class, page_class);
	kspan_cpu_cache_leave(cache);
}

/* Free a block whose last tiny object was freed. */
static void free_tiny_block(struct kspan_heap *heap, const void *block)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK)) {
		/*
		 * See may_use_cache(): in an NMI kmemleak can't forget the block, so no cache
		 * may have it.
		 */
		if (in_nmi())
			return free_uncached(block, KSPAN_CLASS_TINY);
		forget_object(block, KSPAN_CLASS_TINY);
	}
	free_to_cache(heap, block, KSPAN_CLASS_TINY, KSPAN_CLASS_TINY);
}

/*
 * Free an object that has no class in this CPU's map: it is a large or tiny object, or it is of
 * another node, to which it is returned. @cache is the default heap's, entered, and is left
 * here.
 */
static noinline void free_classless(struct kspan_cpu_cache *cache, const void *p)
{
	struct kspan_span *evicted = NULL;
	bool kept = kspan_large_cache_put(&cache->large, (unsigned long)p, cache->nid, &evicted);
	unsigned int class;

	/* An NMI leaves it to the next free. */
	if (unlikely(cache->large.lacks) && !in_nmi()) {
		kspan_capacity_feed_large(&kspan_default_heap, cache);
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
		return free_uncached(p, class);
	}
	/* The scavenger must look whether this CPU still uses what it keeps. */
	kspan_scavenger_wake();
}

/*
 * Whether an address may be a slot of a private heap: it lies at a multiple of the slot size,
 * and its seal lies within the span. The rest of the span behind the last slot is not excluded
 * if it has room for a seal.
 */
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

/* Push a slot to the cache of its heap, if the cache is of the same node as the slot. */
static __always_inline bool push_private(const struct kspan_central *central,
					 struct kspan_cpu_cache *cache, const void *p,
					 unsigned long *where, unsigned long seal)
{
	/* Memory hotplug may have changed the CPU's node after one of the two heaps was made. */
	if (unlikely(cache->nid != central->nid))
		return false;
	if (!static_branch_likely(&kspan_frees_exactly))
		return kspan_cpu_cache_push(cache, central->cached_class, (void *)p, 0);
	return kspan_cpu_class_push_sealed(&cache->class[central->cached_class], (void *)p, where,
					   seal);
}

/*
 * Free an object whose page has KSPAN_CLASS_PRIVATE: it is of a private heap, or its heap is
 * gone by now. @cache is the default heap's, entered, and is left here. The object's heap can't
 * go while preemption is off.
 */
static noinline void free_private(struct kspan_cpu_cache *cache, const void *p)
{
	/* The map had a class for the page, so it has an entry for it. */
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
		free_to_cache(central->heap, p, central->cached_class, KSPAN_CLASS_PRIVATE);
		preempt_enable();
		return;
	}
wrong:
	/* The report takes longer than preemption may be off. */
	preempt_enable();
	free_uncached(p, page_class);
}

/*
 * Whether an address may be the start of a slot of the default heap. If so, @entry is set to
 * what the map has of the page, and @seal to the seal that the slot has while it is free. If
 * the entry has a class, the address is the start of a slot.
 */
static __always_inline bool may_be_slot(struct kspan_cpu_cache *cache, const void *p,
					u32 *entry, unsigned long *seal)
{
	unsigned long offset = (unsigned long)p - cache->classes.base;
	unsigned long page = offset >> KSPAN_PAGE_SHIFT;

	if (unlikely(page >= cache->classes.nr_pages))
		return false;
	/*
	 * Without this the compiler computes the map's sector from the offset, and has to copy
	 * the offset first.
	 */
	OPTIMIZER_HIDE_VAR(page);
	*entry = kspan_class_map_entry(&cache->classes, page);
	if (unlikely(!kspan_is_slot_start(kspan_cpu_class_of_entry(cache, *entry)->magic,
					  kspan_entry_offset(*entry, offset))))
		return false;
	*seal = kspan_seal_at(cache->secret, offset);
	return true;
}

/* Report a pointer that is no object of the default heap. @cache is entered and is left here. */
static noinline void free_wrong(struct kspan_cpu_cache *cache, const void *p, unsigned int class)
{
	kspan_cpu_cache_leave(cache);
	free_uncached(p, class);
}

/* The default heap's cache did not take @p. @cache is entered and is left here. */
static noinline void free_other(const void *p, struct kspan_cpu_cache *cache)
{
	/* The class is looked up a second time, so that the fast path need not keep it. */
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

/*
 * Free past the cache: this is an interrupt, and the code that it interrupted is using the
 * CPU's cache.
 */
static noinline void free_past_cache(const void *p)
{
	free_uncached(p, kspan_object_class(p));
}

/*
 * Whether the CPU's cache may have the object. With kmemleak, kmemleak must forget the object
 * first, which it can't do in an NMI.
 */
static __always_inline bool may_use_cache(const void *p)
{
	if (!IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		return true;
	if (in_nmi())
		return false;
	forget_object(p, kspan_object_class(p));
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

static bool keeps_contents(const struct kspan_found *held)
{
	return held->class == KSPAN_CLASS_PRIVATE &&
	       kspan_heap_keeps_contents(held->central->heap);
}

/* free_object() with exact_frees=0: only the class of the page is looked at. */
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

/*
 * Overwrite an object before it is freed, for init_on_free=. Memory that may be no object in
 * use is not written to.
 */
static noinline void wipe_and_free_object(const void *p)
{
	unsigned int class = kspan_object_class(p);
	struct kspan_found held;
	size_t size = kspan_hold(p, &held);

	if (!size)
		return free_uncached(p, class);
	if (!keeps_contents(&held))
		memset((void *)p, 0, size);
	kspan_let_go(&held);
	free_unwiped(p);
}

/* kspan_free() with init_on_free=1 or exact_frees=0. */
static noinline void free_otherwise(const void *p)
{
	if (want_init_on_free())
		wipe_and_free_object(p);
	else
		free_unwiped(p);
}

/**
 * kspan_free() - free memory
 * @p:		an object from any allocating function of kspan, of any heap, typed caches and
 *		kspan_kvmalloc() included, but not of regions and pools; NULL and ZERO_SIZE_PTR
 *		are allowed and do nothing
 *
 * A wrong pointer (freed before, into the middle of an object, never allocated, not kspan's) is
 * reported in the log with a stack trace, counted in debugfs, and otherwise ignored. The report
 * comes in this call. With the module parameter exact_frees=0, some wrong pointers are found
 * only later, when the CPU's magazine is returned to its spans.
 *
 * Context: any, NMI included, with any locks held; never sleeps.
 */
void kspan_free(const void *p)
{
	if (static_branch_unlikely(&kspan_frees_otherwise))
		return free_otherwise(p);
	free_object(p);
}
EXPORT_SYMBOL_GPL(kspan_free);

/**
 * kspan_free_wrong() - free a pointer that has no size
 * @p:		the pointer, which is wrong or was freed by another CPU meanwhile
 *
 * The pointer bypasses the magazines, so it is judged and reported at once.
 */
void kspan_free_wrong(const void *p)
{
	free_uncached(p, kspan_object_class(p));
}

/**
 * kspan_free_sensitive() - overwrite memory with zeroes, then free it
 * @p:		as for kspan_free()
 *
 * Like kfree_sensitive(), for keys and the like. The compiler can't remove the write.
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

/**
 * kspan_heap_free_chunk() - free a chunk of kspan_heap_alloc_chunk()
 * @chunk:	the chunk. If its heap was destroyed or reset meanwhile, that is reported as a
 *		wrong free.
 */
void kspan_heap_free_chunk(void *chunk)
{
	if (!kspan_large_free_chunk((unsigned long)chunk))
		kspan_bad_free_report(KSPAN_BAD_FREE_DESTROYED, (unsigned long)chunk);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_heap_free_chunk);
