// SPDX-License-Identifier: GPL-2.0
/*
 * Frees of objects of typed caches
 *
 * That an object belongs to the cache shows by its span. A CPU remembers the address range of
 * the span that it saw last, so most frees compare two numbers and need not look into the map.
 *
 * Context: any, NMI included.
 */
#include <linux/kspan.h>

#include "api/alloc.h"
#include "api/cache.h"
#include "objects/bad_free.h"
#include "objects/kv.h"

/*
 * Whether an object in another span than the last one may be put into the CPU's cache: its span
 * must be the cache's, and on the CPU's node. If so, the CPU remembers the span, until a span
 * of the cache is freed.
 */
static bool learn_span(struct kspan_cache *cache, struct kspan_cpu_cache *cpu_cache,
		       const void *object)
{
	/*
	 * Read before the span is looked at. Pairs with kspan_central_note_gone(), central.h: a
	 * span that is freed after the look makes the count differ from this one.
	 */
	int gone = atomic_read_acquire(&cache->heap.gone);
	const struct kspan_span *span = kspan_map_small_span((unsigned long)object);
	const struct kspan_central *central = span ? kspan_span_central(span) : NULL;

	if (!central || central->heap != &cache->heap || central->nid != cpu_cache->nid ||
	    central->sampled)
		return false;
	/* A hollow span has gaps, in which objects of others may lie. */
	if (READ_ONCE(span->gone_pages))
		return false;
	cpu_cache->own_gone = gone;
	cpu_cache->own_start = span->start;
	/* The bytes behind the last slot are excluded: there may be no room for a seal. */
	cpu_cache->own_bytes = (unsigned long)span->nslots * span->size;
	return true;
}

/* Push an object to the CPU's magazine if it is a slot of the span that the CPU remembers. */
static __always_inline bool push_known(struct kspan_cache *cache,
				       struct kspan_cpu_cache *cpu_cache, void *object)
{
	struct kspan_cpu_class *of_class = kspan_cpu_class(cpu_cache, KSPAN_CACHE_CLASS);
	unsigned long offset = (unsigned long)object - cpu_cache->own_start, seal, *where;

	if (unlikely(offset >= cpu_cache->own_bytes) ||
	    unlikely(atomic_read(&cache->heap.gone) != cpu_cache->own_gone))
		return false;
	if (!static_branch_likely(&kspan_frees_exactly))
		return kspan_cpu_cache_push(cpu_cache, KSPAN_CACHE_CLASS, object, 0);
	seal = kspan_seal_of(object);
	where = object + cache->heap.seal_at;
	/* The same test as in kspan_slot_index(). */
	if (unlikely((u32)(offset * of_class->magic) >= of_class->magic))
		return false;
	return kspan_cpu_class_push_sealed(of_class, object, where, seal);
}

/* Remember the object's span first, then push the object. */
static noinline bool push_unknown(struct kspan_cache *cache, struct kspan_cpu_cache *cpu_cache,
				  void *object)
{
	return learn_span(cache, cpu_cache, object) && push_known(cache, cpu_cache, object);
}

/* Free an object that the CPU's cache did not take; report it if it is not the cache's. */
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
					 KSPAN_CACHE_CLASS,
					 cache->heap.classes[KSPAN_CACHE_CLASS].size,
					 cache->heap.name);
	else
		kspan_free(object);
}

/*
 * Free an object that is not of the span that the CPU remembers, or for which there is no room.
 * @cpu_cache is entered and is left here.
 */
static noinline void free_unknown(struct kspan_cache *cache, struct kspan_cpu_cache *cpu_cache,
				  void *object)
{
	bool pushed = push_unknown(cache, cpu_cache, object);

	kspan_cpu_cache_leave(cpu_cache);
	if (!pushed)
		cache_free_slow(cache, object);
}

/* Whether a free does more than put the object into a magazine. */
static __always_inline bool free_is_special(void)
{
	return IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) || want_init_on_free();
}

/**
 * kspan_cache_free() - free an object of a typed cache
 * @cache:	the cache that the object is from; not NULL
 * @object:	the object; NULL does nothing
 *
 * An object of another cache or heap is reported as a wrong free and is not freed; so is any
 * other wrong pointer. The objects of a cache may also be freed by kspan_free(),
 * kspan_free_bulk() and kspan_free_rcu().
 *
 * Context: any, NMI included, with any locks held; never sleeps.
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

/*
 * Push objects from the start of @objects as long as push_known() would take them. Returns how
 * many.
 */
static unsigned int push_some(struct kspan_cache *cache, struct kspan_cpu_cache *cpu_cache,
			      unsigned int n, void **objects)
{
	struct kspan_cpu_class *of_class = kspan_cpu_class(cpu_cache, KSPAN_CACHE_CLASS);
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
		mag->object[count + i] = objects[i];
	}
	/*
	 * The objects are stored before the count: an interrupt that searches the magazine, see
	 * kspan_heap_caches(), finds objects only. Both run on this CPU, so no other barrier is
	 * needed.
	 */
	barrier();
	if (i)
		mag->count = count + i;
	return i;
}

/*
 * Push objects from the start of @objects as long as the loaded magazine takes them, a
 * magazine's worth at most. Returns how many.
 */
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
 * @cache:	the cache that all the objects are from; not NULL
 * @n:		number of objects
 * @objects:	array of @n objects, each as for kspan_cache_free()
 *
 * Context: as kspan_cache_free().
 */
void kspan_cache_free_bulk(struct kspan_cache *cache, unsigned int n, void **objects)
{
	unsigned int i = 0;

	while (i < n) {
		i += push_magazine(cache, n - i, objects + i);
		/* The free of this object makes room for the next ones. */
		if (i < n)
			cache_free_slow(cache, objects[i++]);
	}
}
EXPORT_SYMBOL_GPL(kspan_cache_free_bulk);
