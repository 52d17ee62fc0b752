// SPDX-License-Identifier: GPL-2.0
/*
 * The large objects that a CPU keeps
 *
 * A CPU keeps the few large objects that it freed last, KSPAN_LARGE_CACHED at most. A request for
 * the same number of pages gets one of them. So a buffer that is allocated and freed in turn needs
 * no visit to the page heap. Only the default heap has these caches in use.
 *
 * A kept span is in state LARGE_CACHED: to all other CPUs it is free memory. What the cache may
 * hold is drawn from the budget of caches, see budget.c.
 *
 * Context: any, NMI included. The caller has entered the CPU cache that the large cache is a part
 * of, but for kspan_large_free_cached().
 */

#include "base/kunit_export.h"
#include "objects/large_cache.h"
#include "objects/profile.h"

unsigned int kspan_large_cache_bytes = 1024 * 1024;
KSPAN_EXPORT_FOR_KUNIT(kspan_large_cache_bytes);

static void remove_entry(struct kspan_large_cache *cache, unsigned int i)
{
	WRITE_ONCE(cache->pages, cache->pages - kspan_span_npages(cache->span[i]));
	WRITE_ONCE(cache->count, cache->count - 1);
	cache->span[i] = NULL;
}

/**
 * kspan_large_cache_take() - allocate an object that the CPU has kept
 * @cache:	of an entered CPU cache
 * @size:	bytes, above KSPAN_MAX_SMALL
 *
 * Context: any, NMI included.
 * Return: an object of exactly as many pages as @size takes, aligned for @size; or NULL.
 */
void *kspan_large_cache_take(struct kspan_large_cache *cache, size_t size)
{
	unsigned int npages = kspan_large_pages(size), i;
	struct kspan_span *span;
	unsigned long start;

	for (i = 0; cache->count && i < KSPAN_LARGE_CACHED; i++) {
		span = cache->span[i];
		if (!span || kspan_span_npages(span) != npages)
			continue;
		start = span->start;
		if (start & ((size & -size) - 1))
			continue;
		remove_entry(cache, i);
		/* From here on the object is live: a stale pointer to it may free it. */
		kspan_span_set_state(span, KSPAN_SPAN_LARGE);
		return (void *)start;
	}
	return NULL;
}

/**
 * kspan_large_cache_draw() - draw pages from the budget of caches
 * @cache:	of an entered CPU cache
 * @npages:	how many more it may hold then
 *
 * The budget of a heap is no matter here: only the default heap has such caches, and its own
 * budget has no bound.
 *
 * Return: whether they were drawn.
 */
bool kspan_large_cache_draw(struct kspan_large_cache *cache, unsigned int npages)
{
	if (!kspan_budget_draw(&kspan_no_budget, (unsigned long)npages << KSPAN_PAGE_SHIFT))
		return false;
	WRITE_ONCE(cache->drawn, cache->drawn + npages);
	return true;
}

/**
 * kspan_large_cache_return_budget() - give the budget what the cache has drawn and does not use now
 * @cache: of an entered CPU cache
 */
void kspan_large_cache_return_budget(struct kspan_large_cache *cache)
{
	unsigned int unused = cache->drawn - min(cache->pages, cache->drawn);

	if (!unused)
		return;
	kspan_budget_return(&kspan_no_budget, (unsigned long)unused << KSPAN_PAGE_SHIFT);
	WRITE_ONCE(cache->drawn, cache->drawn - unused);
}

/*
 * Draw what an object of @npages needs. If all entries are taken, it gets the place of the one that
 * is evicted.
 */
static void draw_more(struct kspan_large_cache *cache, unsigned int npages)
{
	unsigned int most = READ_ONCE(kspan_large_cache_bytes) >> KSPAN_PAGE_SHIFT, wanted;

	if (npages > most)
		return;
	wanted = cache->pages + npages;
	if (cache->count == KSPAN_LARGE_CACHED)
		wanted -= kspan_span_npages(cache->span[cache->next]);
	wanted = min(wanted, most);
	if (wanted > cache->drawn && !kspan_large_cache_draw(cache, wanted - cache->drawn))
		cache->lacks = wanted - cache->drawn;
}

/*
 * Find an entry for a span of @npages. Draws from the budget and gives up one span, as need be.
 * Returns the index, or KSPAN_LARGE_CACHED if there is still no room.
 */
static noinline unsigned int large_cache_make_room(struct kspan_large_cache *cache,
						   unsigned int npages,
						   struct kspan_span **evicted)
{
	unsigned int i;

	draw_more(cache, npages);
	for (i = 0; i < KSPAN_LARGE_CACHED; i++)
		if (!cache->span[i] && cache->pages + npages <= cache->drawn)
			return i;
	/* To free a span takes the lock of the page heap, which an NMI can't wait for. */
	if (npages > cache->drawn || in_nmi())
		return KSPAN_LARGE_CACHED;
	do {
		i = cache->next;
		cache->next = (i + 1) % KSPAN_LARGE_CACHED;
	} while (!cache->span[i]);
	*evicted = cache->span[i];
	remove_entry(cache, i);
	/* A free gives up one span only. After the next free there may be room. */
	return cache->pages + npages <= cache->drawn ? i : KSPAN_LARGE_CACHED;
}

/* The first free entry if @npages fit; else the answer of large_cache_make_room(). */
static unsigned int find_room(struct kspan_large_cache *cache, unsigned int npages,
			      struct kspan_span **evicted)
{
	unsigned int i = 0;

	while (i < KSPAN_LARGE_CACHED && cache->span[i])
		i++;
	/* A lower kspan_large_cache_bytes takes effect when the cache is drained. */
	if (likely(i < KSPAN_LARGE_CACHED && cache->pages + npages <= cache->drawn))
		return i;
	return large_cache_make_room(cache, npages, evicted);
}

/**
 * kspan_large_cache_put() - free a large object, and keep it
 * @cache:	of an entered CPU cache
 * @addr:	any address
 * @nid:	node whose objects this CPU keeps
 * @evicted:	NULL when called; set to a span that had to give way. The caller frees it by
 *	kspan_large_free_cached() after it has left the CPU cache.
 *
 * Context: any, NMI included.
 * Return: true if @addr was a large object of the default heap, and is kept now.
 */
bool kspan_large_cache_put(struct kspan_large_cache *cache, unsigned long addr, int nid,
			   struct kspan_span **evicted)
{
	struct kspan_span *span = kspan_map_page_span(addr);
	union kspan_span_word word;
	unsigned int i;

	if (!span)
		return false;
	/*
	 * Acquire: pairs with the release in kspan_span_set_state() of pages/span.h, as in
	 * kspan_lookup(), but without a copy. The claim below fails if the fields were not of one
	 * span.
	 */
	word.word = smp_load_acquire(&span->word);
	if (word.state != KSPAN_SPAN_LARGE || READ_ONCE(span->start) != addr ||
	    READ_ONCE(span->nid) != nid || READ_ONCE(span->owner) ||
	    /* A loose span is a block of buddy, and is not kept. */
	    !READ_ONCE(span->arena))
		return false;
	i = find_room(cache, kspan_span_npages(span), evicted);
	/* The claim fails if somebody else frees the object at the same time. */
	if (i == KSPAN_LARGE_CACHED || !kspan_span_claim(span, word, KSPAN_SPAN_LARGE_CACHED))
		return false;
	if (unlikely(span->sample)) {
		kspan_profile_remove(span->sample);
		span->sample = NULL;
	}
	cache->span[i] = span;
	WRITE_ONCE(cache->count, cache->count + 1);
	WRITE_ONCE(cache->pages, cache->pages + kspan_span_npages(span));
	return true;
}

/**
 * kspan_large_free_cached() - free the span of an object that a CPU had kept
 * @span:	in state LARGE_CACHED, and in no cache any more
 *
 * Context: task, softirq, hardirq.
 */
void kspan_large_free_cached(struct kspan_span *span)
{
	kspan_page_heap_free(span, span->start, KSPAN_SPAN_LARGE_CACHED);
}

/**
 * kspan_large_cache_drain() - free all objects that a CPU has kept
 * @cache:	of an entered CPU cache, or of one that no CPU uses
 *
 * Context: task, softirq, hardirq.
 */
void kspan_large_cache_drain(struct kspan_large_cache *cache)
{
	struct kspan_span *span;
	unsigned int i;

	for (i = 0; i < KSPAN_LARGE_CACHED; i++) {
		span = cache->span[i];
		if (!span)
			continue;
		remove_entry(cache, i);
		kspan_large_free_cached(span);
	}
	kspan_budget_return(&kspan_no_budget, (unsigned long)cache->drawn << KSPAN_PAGE_SHIFT);
	WRITE_ONCE(cache->drawn, 0);
	cache->lacks = 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_cache_drain);
