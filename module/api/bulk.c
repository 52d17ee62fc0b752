// SPDX-License-Identifier: GPL-2.0
/*
 * Many objects in one call
 *
 * A bulk allocation copies objects out of magazines, whole magazines as far as possible, and
 * then takes slots right from the bitmaps of spans, without filling a magazine first. A bulk
 * free fills magazines. The CPU's cache is entered anew for each magazine's worth of objects,
 * so that preemption is never off for long.
 *
 * Context: as kspan_malloc() and kspan_free().
 */
#include <linux/kspan.h>

#include "api/alloc.h"
#include "base/kunit_export.h"
#include "objects/sampled.h"
#include "objects/track.h"

/* Most magazines that are taken with preemption off. A magazine may hold a single object. */
#define RELOADS_MAX	4

/* Most objects of a call with preemption off that are sampled. */
#define SAMPLES_MAX	16

/* Take up to @n objects from the loaded magazine. */
static unsigned int pop_run(struct kspan_cpu_cache *cache, unsigned int class, unsigned int n,
			    void **p)
{
	struct kspan_magazine *mag = cache->class[class].loaded;
	unsigned int taken = min(mag->count, n);

	if (!taken)
		return 0;
	mag->count -= taken;
	memcpy(p, mag->object + mag->count, taken * sizeof(*p));
	return taken;
}

/* Take up to a magazine's worth of objects from this CPU's cache or the central of its node. */
static unsigned int take_run(struct kspan_heap *heap, unsigned int class, gfp_t gfp,
			     unsigned int n, void **p)
{
	unsigned int taken = 0, reloads = RELOADS_MAX, samples;
	struct kspan_central *central;
	struct kspan_cpu_cache *cache;

	if (!kspan_cpu_cache_enter(heap, &cache))
		return 0;
	if (unlikely(!cache->armed[class]))
		kspan_sampled_begin(heap, cache, class, false);
	/* Each sample draws the next gap, with preemption off. */
	n = min3(n, (unsigned int)KSPAN_MAGAZINE_MAX,
		 (unsigned int)min(cache->class[class].to_sample, 1LL << 16) + SAMPLES_MAX);
	do {
		taken += pop_run(cache, class, n - taken, p + taken);
	} while (taken < n && reloads-- && kspan_cpu_cache_reload(heap, cache, class, gfp));
	if (unlikely(!taken)) {
		central = kspan_heap_central(heap, cache->nid, class);
		taken = central ? kspan_central_take(central, p, n, gfp) : 0;
	}
	cache->class[class].to_sample -= taken;
	samples = kspan_sampled_due(heap, cache, class);
	kspan_cpu_cache_leave(cache);
	if (unlikely(samples))
		kspan_sampled_replace(heap, class, gfp, min(samples, taken), p);
	return taken;
}

static void initialise_all(struct kspan_heap *heap, unsigned int class, gfp_t gfp,
			   unsigned int n, void **p)
{
	unsigned int i, seal_at = heap->seal_at;

	if (!want_init_on_alloc(gfp) && !IS_ENABLED(CONFIG_DEBUG_KMEMLEAK)) {
		for (i = 0; i < n; i++)
			kspan_unseal(p[i], seal_at);
		return;
	}
	for (i = 0; i < n; i++)
		kspan_initialise_slot(heap, p[i], class, gfp);
}

/**
 * kspan_alloc_slots() - allocate objects of a class
 * @heap:	any heap or that of a typed cache
 * @class:	size class as @heap counts classes, not 0
 * @gfp:	the caller's flags, without zone flags
 * @n:		number of objects wanted
 * @p:		array of @n pointers, which receives the objects
 *
 * Return: number of objects that were allocated, at the start of @p.
 */
unsigned int kspan_alloc_slots(struct kspan_heap *heap, unsigned int class, gfp_t gfp,
			       unsigned int n, void **p)
{
	gfp_t here = kspan_gfp_here(gfp);
	unsigned int done = 0;

	while (done < n) {
		unsigned int taken = take_run(heap, class, here, n - done, p + done);

		initialise_all(heap, class, here, taken, p + done);
		/*
		 * In a private heap only allocations give the depot the magazines that it
		 * lacks.
		 */
		if (heap->private && !(here & KSPAN_GFP_NOLOCK) && !in_hardirq())
			kspan_provision(heap, class, here);
		/*
		 * Nothing was taken: allocate a single object, which makes a new span if need
		 * be; or the cache is busy.
		 */
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

/* Allocate one by one: large objects, size 0, requests that are refused, and a single object. */
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

/**
 * kspan_heap_alloc_bulk() - allocate many objects of one size from a heap
 * @heap:	where the objects come from; NULL for the default heap
 * @size:	as for kspan_alloc_bulk()
 * @gfp:	as for kspan_alloc_bulk()
 * @n:		as for kspan_alloc_bulk()
 * @p:		as for kspan_alloc_bulk()
 *
 * A heap's option KSPAN_HEAP_ON_NODE has no effect here: objects are of this CPU's node.
 *
 * Context: as kspan_malloc().
 * Return: as kspan_alloc_bulk().
 */
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
 * kspan_alloc_bulk() - allocate many objects of one size
 * @size:	bytes of one object; 0 gives ZERO_SIZE_PTR @n times
 * @gfp:	as for kspan_malloc()
 * @n:		number of objects
 * @p:		array of @n pointers, which receives the objects
 *
 * All or nothing, as kmem_cache_alloc_bulk(). Each object is one of kspan_malloc(), and may be
 * freed by itself.
 *
 * Context: as kspan_malloc().
 * Return: @n; or 0 if there is not enough memory. Then nothing is allocated, and @p has no
 * meaning.
 */
unsigned int kspan_alloc_bulk(size_t size, gfp_t gfp, unsigned int n, void **p)
{
	return kspan_heap_alloc_bulk(&kspan_default_heap, size, gfp, n, p);
}
EXPORT_SYMBOL_GPL(kspan_alloc_bulk);

/*
 * Push objects of the class of the first one to the loaded magazine, as kspan_free() does with
 * one object. Stop at the first object that is of another class, is no slot or is sealed, and
 * where the magazine is full. Returns how many were pushed.
 */
static unsigned int push_run(struct kspan_cpu_cache *cache, unsigned int n, void **p)
{
	/*
	 * Copies, which the compiler keeps in registers: as far as it knows, the stores below
	 * might change the cache.
	 */
	struct kspan_class_map classes = cache->classes;
	unsigned long secret = cache->secret;
	unsigned int class = kspan_class_map_get(&classes, (unsigned long)p[0]), i;
	struct kspan_magazine *mag = cache->class[class].loaded;
	u32 magic = cache->class[class].magic, entry;
	unsigned int count = mag->count;
	void **slot = mag->object + count;

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

/* Free objects from the start of @p as long as loaded magazines take them. Returns how many. */
static unsigned int return_run(unsigned int n, void **p)
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
 * kspan_free_bulk() - free many objects
 * @n:		number of objects
 * @p:		array of @n objects, of any sizes and heaps; each as for kspan_free()
 *
 * Objects of one size class that stand together are freed fastest. The array is not changed.
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
			i += return_run(n - i, p + i);
		/* No loaded magazine took this object. Its free makes room for the next ones. */
		if (i < n)
			kspan_free(p[i++]);
	}
}
EXPORT_SYMBOL_GPL(kspan_free_bulk);
