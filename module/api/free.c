// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_free()
 */
#include <linux/kspan.h>
#include <linux/string.h>

#include "api/alloc.h"
#include "api/free.h"
#include "api/object.h"
#include "base/kunit_export.h"
#include "objects/bad_free.h"
#include "objects/kv.h"
#include "pages/hooks.h"

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

/* A slot that is sealed, though out of its span, was freed before, and is in a magazine. */
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
	/* What is printed, with the stack, takes longer than preemption may be off. */
	if (err == -EINVAL)
		strscpy(heap, central->name, sizeof(heap));
	rcu_read_unlock_sched();
	if (err == -EINVAL)
		kspan_bad_free_report_in(kind, addr, KSPAN_CLASS_TINY, KSPAN_TINY_BLOCK, heap);
	return err != -ENOENT;
}

/* Objects past the CPU cache, and addresses that are none. */
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
		free_uncached(p, page_class);
}

/*
 * Have kmemleak forget an object; not what is not kspan's, nor what it can't
 * judge. Of tiny objects it knows the blocks.
 */
static void forget_object(const void *p, unsigned int page_class)
{
	struct kspan_found held;

	if (page_class == KSPAN_CLASS_TINY) {
		if (kspan_object_is_out(p, page_class))
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
static void free_to_cache(struct kspan_heap *heap, const void *p, unsigned int class,
		      unsigned int page_class)
{
	struct kspan_cpu_cache *cache;

	if (unlikely(kspan_is_sealed(p, heap->seal_at)) ||
	    unlikely(!kspan_cpu_cache_enter(heap, &cache)))
		return free_uncached(p, page_class);
	if (static_branch_unlikely(&kspan_numa) && page_to_nid(virt_to_page(p)) != cache->nid) {
		/* Objects of other nodes go home. */
		kspan_cpu_cache_leave(cache);
		kspan_count(heap, KSPAN_FREE_REMOTE);
		return free_uncached(p, page_class);
	}
	if (unlikely(!kspan_cpu_cache_push(cache, class, (void *)p, heap->seal_at)))
		return free_spill(heap, cache, p, class, page_class);
	kspan_cpu_cache_leave(cache);
}

/* A block of tiny objects that has none any more. */
static void free_tiny_block(struct kspan_heap *heap, const void *block)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK)) {
		/* As may_use_cache(). */
		if (in_nmi())
			return free_uncached(block, KSPAN_CLASS_TINY);
		forget_object(block, KSPAN_CLASS_TINY);
	}
	free_to_cache(heap, block, KSPAN_CLASS_TINY, KSPAN_CLASS_TINY);
}

/*
 * What has no class to the CPU: large and tiny objects, and those of other nodes, which go
 * home. @cache is entered, and left here.
 */
static noinline void free_classless(struct kspan_cpu_cache *cache, const void *p)
{
	struct kspan_span *evicted = NULL;
	bool kept = kspan_large_cache_put(&cache->large, (unsigned long)p, cache->nid, &evicted);
	unsigned int class, lacks = cache->large.lacks;

	/* The next one is to have room; not on a stack of which little may be left. */
	if (unlikely(lacks) && !in_nmi()) {
		cache->large.lacks = 0;
		kspan_cpu_cache_yield(&kspan_default_heap, cache, lacks << KSPAN_PAGE_SHIFT);
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
	/* It is to see when the CPU does not use it any more. */
	kspan_scavenger_wake();
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
		free_to_cache(central->heap, p, central->class, KSPAN_CLASS_PRIVATE);
		preempt_enable();
		return;
	}
wrong:
	/* What is told takes longer than preemption may be off. */
	preempt_enable();
	free_uncached(p, page_class);
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
	free_uncached(p, class);
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
	free_uncached(p, kspan_object_class(p));
}

/* kmemleak must forget an object before the cache knows it, which an NMI can't do. */
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

/* What kspan_free() is where it is not the usual. */
static noinline void free_otherwise(const void *p)
{
	if (want_init_on_free())
		wipe_and_free_object(p);
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
	free_uncached(p, kspan_object_class(p));
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
