// SPDX-License-Identifier: GPL-2.0
/*
 * Many objects at once
 *
 * A bulk allocation copies what magazines hold, whole ones as far as it goes,
 * and then takes slots right from the bitmaps of spans, without the way through
 * a magazine. A bulk free fills magazines. The CPU's cache is entered once for a
 * magazine's worth of objects, so that preemption is never off for long.
 */
#include <linux/kspan.h>

#include "api/alloc.h"
#include "base/kunit_export.h"
#include "objects/track.h"

/* Magazines, which may hold a single object, that are taken with preemption off. */
#define RELOADS_MAX	4

/* From the loaded magazine. */
static unsigned int pop_some(struct kspan_cpu_cache *cache, unsigned int class, unsigned int n,
			void **p)
{
	struct kspan_magazine *mag = cache->class[class].loaded;
	unsigned int taken = min(mag->count, n);

	if (!taken)
		return 0;
	mag->count -= taken;
	memcpy(p, mag->slot + mag->count, taken * sizeof(*p));
	return taken;
}

/* Up to a magazine of objects that this CPU or its node's central has. */
static unsigned int take_some(struct kspan_heap *heap, unsigned int class, gfp_t gfp, unsigned int n,
			 void **p)
{
	unsigned int taken = 0, reloads = RELOADS_MAX;
	struct kspan_central *central;
	struct kspan_cpu_cache *cache;

	if (!kspan_cpu_cache_enter(heap, &cache))
		return 0;
	n = min_t(unsigned int, n, KSPAN_MAGAZINE_MAX);
	do {
		taken += pop_some(cache, class, n - taken, p + taken);
	} while (taken < n && reloads-- && kspan_cpu_cache_reload(heap, cache, class, gfp));
	central = kspan_heap_central(heap, cache->nid, class);
	if (!taken && central)
		taken += kspan_central_take(central, p + taken, n - taken, gfp);
	cache->class[class].allocs += taken;
	kspan_cpu_cache_leave(cache);
	return taken;
}

static void initialise_all(struct kspan_heap *heap, unsigned int class, gfp_t gfp,
			   unsigned int n, void **p)
{
	unsigned int i;

	if (!want_init_on_alloc(gfp) && !IS_ENABLED(CONFIG_DEBUG_KMEMLEAK)) {
		for (i = 0; i < n; i++)
			kspan_unseal(p[i], heap->seal_at);
		return;
	}
	for (i = 0; i < n; i++)
		kspan_initialise_slot(heap, p[i], class, gfp);
}

/**
 * kspan_alloc_slots() - allocate objects of a class
 * @heap:	the heap
 * @class:	size class, not 0
 * @gfp:	the caller's flags, without zone flags
 * @n:		how many
 * @p:		receives them
 *
 * Return: how many there were.
 */
unsigned int kspan_alloc_slots(struct kspan_heap *heap, unsigned int class, gfp_t gfp,
			       unsigned int n, void **p)
{
	gfp_t here = kspan_gfp_here(gfp);
	unsigned int done = 0;

	while (done < n) {
		unsigned int taken = take_some(heap, class, here, n - done, p + done);

		initialise_all(heap, class, here, taken, p + done);
		/* Of a private heap, frees have no say in that. */
		if (heap->private && !(here & KSPAN_GFP_NOLOCK) && !in_hardirq())
			kspan_provision(heap, class, here);
		/* A new span, or whatever else there is; or the cache is busy. */
		if (!taken) {
			p[done] = kspan_malloc_slot(heap, class, gfp);
			if (!p[done])
				break;
			taken = 1;
		}
		done += taken;
	}
	return done;
}

/* Whole pages, sizes 0, what is refused, and a single one. */
static unsigned int alloc_others(struct kspan_heap *heap, size_t size, gfp_t gfp, unsigned int n,
				 void **p)
{
	unsigned int done;

	for (done = 0; done < n; done++) {
		p[done] = kspan_malloc_of(heap, size, gfp);
		if (!p[done])
			break;
	}
	return done;
}

/** kspan_heap_alloc_bulk() - kspan_alloc_bulk() from a heap; NULL: the default heap */
unsigned int kspan_heap_alloc_bulk(struct kspan_heap *heap, size_t size, gfp_t gfp,
				   unsigned int n, void **p)
{
	unsigned int class = size <= KSPAN_MAX_SMALL ? kspan_size_class(size) : 0;
	unsigned int done, i;

	heap = kspan_heap_or_default(heap);
	gfp = kspan_heap_gfp(heap, gfp);
	kspan_check_context(gfp);
	if (class && n > 1 && !(gfp & KSPAN_GFP_REFUSED))
		done = kspan_alloc_slots(heap, class, gfp, n, p);
	else
		done = alloc_others(heap, size, gfp, n, p);
	for (i = 0; heap->tracked && i < done; i++)
		__kspan_track(p[i], _RET_IP_);
	if (likely(done == n))
		return n;
	kspan_free_bulk(done, p);
	return 0;
}
EXPORT_SYMBOL_GPL(kspan_heap_alloc_bulk);

/**
 * kspan_alloc_bulk() - allocate objects of a size
 * @size:	bytes of an object
 * @gfp:	as for kspan_malloc()
 * @n:		how many
 * @p:		receives them
 *
 * Context: as kspan_malloc().
 * Return: @n; or 0, with nothing allocated and @p undefined.
 */
unsigned int kspan_alloc_bulk(size_t size, gfp_t gfp, unsigned int n, void **p)
{
	return kspan_heap_alloc_bulk(&kspan_default_heap, size, gfp, n, p);
}
EXPORT_SYMBOL_GPL(kspan_alloc_bulk);

/*
 * As kspan_free() pushes one, those that are of the first one's class, as long as they are
 * unsealed slots and there is room. Returns how many.
 */
static unsigned int push_run(struct kspan_cpu_cache *cache, unsigned int n, void **p)
{
	/* In registers: the stores below might change it, as far as the compiler knows. */
	struct kspan_class_map classes = cache->classes;
	unsigned long secret = cache->secret;
	unsigned int class = kspan_class_map_get(&classes, (unsigned long)p[0]), i;
	struct kspan_magazine *mag = cache->class[class].loaded;
	u32 magic = cache->class[class].magic, entry;
	unsigned int count = mag->count;
	void **slot = mag->slot + count;

	n = min(n, mag->cap - min(mag->cap, count));
	for (i = 0; i < n; i++) {
		unsigned long offset = (unsigned long)p[i] - classes.base, seal;
		unsigned long page = offset >> KSPAN_PAGE_SHIFT;

		if (page >= classes.nr_pages)
			break;
		entry = kspan_class_map_entry(&classes, page);
		if (kspan_entry_class(entry) != class ||
		    !kspan_is_slot_start(magic, kspan_entry_offset(entry, offset)))
			break;
		seal = kspan_seal_at(secret, offset);
		if (kspan_glance(*(unsigned long *)p[i]) == seal)
			break;
		WRITE_ONCE(*(unsigned long *)p[i], seal);
		slot[i] = p[i];
	}
	/* An interrupt that looks through the magazine sees objects only. */
	barrier();
	if (i)
		mag->count = count + i;
	return i;
}

/* Frees objects as long as they go into loaded magazines; returns how many. */
static unsigned int give_some(unsigned int n, void **p)
{
	unsigned int done = 0, pushed;
	struct kspan_cpu_cache *cache;

	if (!kspan_cpu_cache_enter(&kspan_default_heap, &cache))
		return 0;
	n = min_t(unsigned int, n, KSPAN_MAGAZINE_MAX);
	do {
		pushed = push_run(cache, n - done, p + done);
		done += pushed;
	} while (pushed && done < n);
	kspan_cpu_cache_leave(cache);
	return done;
}

/**
 * kspan_free_bulk() - free objects
 * @n:	how many
 * @p:	the objects, of any sizes; as for kspan_free()
 *
 * Context: as kspan_free().
 */
void kspan_free_bulk(unsigned int n, void **p)
{
	bool singly = static_branch_unlikely(&kspan_frees_otherwise) ||
		      IS_ENABLED(CONFIG_DEBUG_KMEMLEAK);
	unsigned int i = 0;

	while (i < n) {
		if (!singly && n - i > 1)
			i += give_some(n - i, p + i);
		/* What none of the loaded magazines took: it makes room for the next. */
		if (i < n)
			kspan_free(p[i++]);
	}
}
EXPORT_SYMBOL_GPL(kspan_free_bulk);
