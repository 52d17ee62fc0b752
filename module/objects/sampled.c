// SPDX-License-Identifier: GPL-2.0
/*
 * Sampled objects
 *
 * A sampled small object is a slot of a span of its own kind: a heap has a second central for
 * each class, whose spans hold sampled objects only, and have a pointer to the sample of each
 * slot. The map gives their pages the class of private heaps, and no CPU cache takes their objects.
 * So the free of a sampled object leaves the fast path, and reaches its central, which looks at
 * the sample. A free of any other object does not know that there is a profile.
 *
 * An allocation knows by one counter, which it decrements anyway: @to_sample of the class, in the
 * CPU's cache, becomes -1 when the object is to be sampled. The fast path treats that as an empty
 * magazine. The slow path draws the next gap, and allocates here.
 *
 * A sampled object takes only memory that is to be had without effort. If there is none, the
 * object is an ordinary one, and the sample counts as lost.
 *
 * Context: as the gfp flags say.
 */
#include "base/kunit_export.h"
#include "objects/cpu_caches.h"
#include "objects/heap.h"
#include "objects/sampled.h"

/*
 * Set how many objects there are up to the next sample, while the number of objects that were
 * handed out stays as it is. The cache is entered, or no CPU uses it.
 */
static void set_to_sample(struct kspan_cpu_cache *cache, unsigned int class, s64 objects)
{
	struct kspan_cpu_class *of_class = &cache->class[class];

	WRITE_ONCE(cache->arming, cache->arming + 1);
	/* Pairs with the smp_rmb() in kspan_cpu_cache_allocs() of cpu_usage.c. */
	smp_wmb();
	WRITE_ONCE(cache->armed[class], cache->armed[class] + objects - of_class->to_sample);
	WRITE_ONCE(of_class->to_sample, objects);
	/* Pairs with the smp_load_acquire() there. */
	smp_store_release(&cache->arming, cache->arming + 1);
}

/* Objects up to the next sample. Tiny objects are counted in alloc_tiny.c. */
static s64 draw_gap(const struct kspan_heap *heap, unsigned int class)
{
	if (!class || class == KSPAN_CLASS_TINY)
		return KSPAN_PROFILE_NEVER;
	return kspan_profile_gap(heap->classes[class].size);
}

/**
 * kspan_sampled_begin() - make a class count to its first sample
 * @heap:	owner of the cache
 * @cache:	an entered cache
 * @class:	class that has not begun to count: @armed is 0
 * @counted:	the fast path has counted an object, but it will be counted again
 */
void kspan_sampled_begin(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			 unsigned int class, bool counted)
{
	cache->class[class].to_sample += counted;
	set_to_sample(cache, class, draw_gap(heap, class));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_sampled_begin);

/**
 * kspan_sampled_due() - whether the objects that were counted last are to be sampled
 * @heap:	owner of the cache
 * @cache:	an entered cache, which has begun to count
 * @class:	their class
 *
 * If so, the class counts to the next sample.
 *
 * Return: how many of them.
 */
unsigned int kspan_sampled_due(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			       unsigned int class)
{
	s64 left = cache->class[class].to_sample;
	unsigned int samples;

	if (likely(left >= 0))
		return 0;
	for (samples = 0; left < 0; samples++)
		left += 1 + draw_gap(heap, class);
	set_to_sample(cache, class, left);
	return samples;
}

/**
 * kspan_sampled_restart() - count to the next sample anew, after the rate has changed
 * @heap:	owner of the cache
 * @cache:	an entered cache, or one that no CPU uses
 * @class:	size class
 */
void kspan_sampled_restart(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			   unsigned int class)
{
	if (cache->armed[class])
		set_to_sample(cache, class, draw_gap(heap, class));
}

/**
 * kspan_sampled_restart_here() - kspan_sampled_restart() of all classes of this CPU's cache
 * @heap:	owner of the cache
 *
 * Context: task that stays on this CPU.
 */
void kspan_sampled_restart_here(struct kspan_heap *heap)
{
	struct kspan_cpu_cache *cache;
	unsigned int class;

	for (class = 1; class < heap->nr_classes; class++) {
		/* A task never finds the mark set; see kspan_cpu_cache_drain_here(). */
		if (WARN_ON_ONCE(!kspan_cpu_cache_enter(heap, &cache)))
			return;
		kspan_sampled_restart(heap, cache, class);
		kspan_cpu_cache_leave(cache);
	}
}

/* What the spans of sampled objects may take of the limit of a private heap: an eighth. */
#define SAMPLED_SHARE	8

/* Whether a heap may have another span of sampled objects. */
static bool may_grow(struct kspan_heap *heap, unsigned int pages)
{
	unsigned long limit = heap->private ? heap->private->account.limit : 0;
	struct kspan_central *central;
	unsigned int i = 0;

	if (!limit)
		return true;
	while ((central = kspan_heap_next_central(heap, &i)))
		if (central->sampled)
			pages += kspan_glance(central->base_pages) >> KSPAN_PAGE_ORDER;
	return pages <= limit / SAMPLED_SHARE;
}

/* Make a span for sampled objects, and allocate its first slot. */
static void *slot_of_sampled_span(struct kspan_central *central, gfp_t gfp)
{
	const struct kspan_size_class *sc = central->sc;
	struct kspan_request rq = {
		.nid = central->nid, .npages = sc->pages, .align = sc->align, .gfp = gfp,
		.least = get_order(sc->size), .class = central->page_class,
	};
	struct kspan_span *span;
	void *object;

	if (!may_grow(central->heap, sc->pages) ||
	    !kspan_account_charge(central->account, sc->pages, gfp))
		return NULL;
	span = kspan_page_heap_try(&rq, KSPAN_FROM_FREE_PAGES) ?:
	       kspan_page_heap_try(&rq, KSPAN_FROM_NEW_ARENA);
	object = span ? kspan_adopt_run(central, span, gfp) : NULL;
	if (object)
		return object;
	if (span)
		kspan_page_heap_free(span, span->start, KSPAN_SPAN_DETACHED);
	kspan_account_uncharge(central->account, sc->pages);
	return NULL;
}

/* Keep the sample of an object with its slot. */
static void attach(void *object, struct kspan_sample *sample)
{
	unsigned long addr = (unsigned long)object;
	struct kspan_found found;
	bool pinned, exact;
	unsigned int slot;

	/* Another caller may wrongly free the object meanwhile, so its span is looked up. */
	rcu_read_lock_sched();
	pinned = kspan_lookup_small(addr, KSPAN_CLASS_PRIVATE, &found) &&
		 found.central->sampled && kspan_found_pin(&found);
	rcu_read_unlock_sched();
	if (pinned) {
		slot = kspan_slot_index(found.span->magic, addr - found.span->start, &exact);
		/* If there is one still, its object was freed before it was attached. */
		sample = kspan_span_swap_sample(found.span, slot, sample);
		kspan_span_unpin(found.span);
	}
	if (sample)
		kspan_profile_remove(sample);
}

/* The caller counted the allocation already. Without the lock the statistics are off by one. */
static void uncount(struct kspan_central *central, gfp_t gfp)
{
	unsigned long flags;

	if (!kspan_lock(&central->lock, &flags, gfp))
		return;
	central->allocs--;
	raw_spin_unlock_irqrestore(&central->lock, flags);
}

/**
 * kspan_sampled_alloc() - allocate an object that is sampled
 * @heap:	where the object comes from
 * @class:	size class, not 0 and not that of tiny objects
 * @stands_for:	bytes by which the object was chosen: those that its kind of object takes
 * @nid:	node
 * @counted:	the caller has counted the allocation
 * @gfp:	the caller's flags
 *
 * Return: the object, still sealed, as a magazine would give it; or NULL, and the caller allocates
 * an ordinary object.
 */
void *kspan_sampled_alloc(struct kspan_heap *heap, unsigned int class, size_t stands_for, int nid,
			  bool counted, gfp_t gfp)
{
	struct kspan_central *central;
	struct kspan_sample *sample;
	void *object = NULL;

	/* To make a central and a span takes memory of SLUB, which these contexts can't have. */
	gfp = kspan_gfp_effortless(gfp);
	if (!(gfp & KSPAN_GFP_NOLOCK) && in_hardirq())
		gfp |= KSPAN_GFP_NOLOCK;
	central = kspan_heap_make_sampled(heap, nid, class, gfp);
	if (central)
		object = kspan_central_alloc(central, gfp);
	if (central && !object && !(gfp & KSPAN_GFP_NOLOCK))
		object = slot_of_sampled_span(central, gfp);
	if (!object) {
		kspan_profile_lost();
		return NULL;
	}
	if (counted)
		uncount(central, gfp);
	sample = kspan_profile_add(object, stands_for, heap->classes[class].size, heap->name, nid,
				   gfp);
	if (sample)
		attach(object, sample);
	return object;
}

/**
 * kspan_sampled_take() - allocate where the fast path has found that an object is to be sampled
 * @heap:	owner of the cache
 * @cache:	an entered cache. If there is no object, it is this CPU's cache, entered, or NULL if
 *		it can't be entered again; else it was left
 * @class:	class whose @to_sample is negative
 * @gfp:	the caller's flags; or KSPAN_GFP_NOLOCK, and no lock is waited for
 *
 * Return: the object, sealed; or NULL, and the caller allocates an ordinary object, which is not
 * counted yet.
 */
void *kspan_sampled_take(struct kspan_heap *heap, struct kspan_cpu_cache **cache,
			 unsigned int class, gfp_t gfp)
{
	int nid = (*cache)->nid;
	void *object;

	kspan_sampled_due(heap, *cache, class);
	kspan_cpu_cache_leave(*cache);
	if (!(gfp & KSPAN_GFP_NOLOCK))
		gfp = kspan_gfp_here(gfp);
	object = kspan_sampled_alloc(heap, class, heap->classes[class].size, nid, true, gfp);
	if (object)
		return object;
	if (kspan_cpu_cache_enter(heap, cache))
		(*cache)->class[class].to_sample++;
	else
		*cache = NULL;
	return NULL;
}

/**
 * kspan_sampled_refill() - kspan_cpu_cache_refill(), and whether the object is to be sampled
 * @heap:	owner of the cache
 * @cache:	an entered cache, which the caller leaves
 * @class:	size class
 * @gfp:	with KSPAN_GFP_NOLOCK no lock is waited for
 * @due:	set to whether the caller calls kspan_sampled_replace() after it has left the cache
 *
 * Return: an object, or NULL.
 */
void *kspan_sampled_refill(struct kspan_heap *heap, struct kspan_cpu_cache *cache,
			   unsigned int class, gfp_t gfp, bool *due)
{
	s64 before = cache->class[class].to_sample;
	void *object = kspan_cpu_cache_refill(heap, cache, class, gfp);

	/* An object of a magazine is counted by its class. */
	if (cache->class[class].to_sample != before)
		*due = kspan_sampled_due(heap, cache, class);
	else
		*due = object && class != KSPAN_CLASS_TINY &&
		       kspan_profile_due(heap->classes[class].size);
	return object;
}

/**
 * kspan_sampled_replace() - sample objects that were taken from magazines or spans
 * @heap:	heap of the objects
 * @class:	their size class
 * @gfp:	the caller's flags
 * @n:		how many objects to sample
 * @p:		objects, still sealed; each is replaced by another one, unless no lock may be waited
 *		for
 */
void kspan_sampled_replace(struct kspan_heap *heap, unsigned int class, gfp_t gfp,
			   unsigned int n, void **p)
{
	int nid = raw_cpu_ptr(heap->cpu)->nid;
	unsigned long addr;
	unsigned int i;
	void *object;

	/* To free an object takes locks. */
	if (gfp & KSPAN_GFP_NOLOCK) {
		kspan_profile_lost();
		return;
	}
	for (i = 0; i < n; i++) {
		object = kspan_sampled_alloc(heap, class, heap->classes[class].size, nid, true,
					     gfp);
		if (!object)
			continue;
		addr = (unsigned long)p[i];
		kspan_central_free(addr, kspan_map_entry_span(addr)->class);
		p[i] = object;
	}
}

/**
 * kspan_sampled_note_large() - note a large object or a chunk that is sampled
 * @heap:	heap of the object
 * @object:	a new object of the caller's
 * @requested:	bytes that were requested
 * @gfp:	the caller's flags; with KSPAN_GFP_NOLOCK no lock is waited for
 */
void kspan_sampled_note_large(struct kspan_heap *heap, void *object, size_t requested, gfp_t gfp)
{
	struct kspan_sample *sample;
	struct kspan_found found;
	bool held;

	gfp = kspan_gfp_here(gfp) | (gfp & KSPAN_GFP_NOLOCK);
	sample = kspan_profile_add(object, kspan_large_roundup(requested), requested, heap->name,
				   page_to_nid(virt_to_page(object)), gfp);
	if (!sample)
		return;
	/* Another caller may wrongly free the object meanwhile: hold it. */
	rcu_read_lock_sched();
	held = kspan_lookup((unsigned long)object, &found) &&
	       found.start == (unsigned long)object &&
	       (found.word.state == KSPAN_SPAN_LARGE || found.word.state == KSPAN_SPAN_CHUNK) &&
	       kspan_found_claim(&found, found.word.state, KSPAN_SPAN_LARGE_CACHED);
	rcu_read_unlock_sched();
	if (!held) {
		kspan_profile_remove(sample);
		return;
	}
	found.span->sample = sample;
	kspan_span_set_state(found.span, found.word.state);
}
