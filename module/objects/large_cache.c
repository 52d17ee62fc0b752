// SPDX-License-Identifier: GPL-2.0
/*
 * TODO
 */

#include "base/kunit_export.h"
#include "objects/large_cache.h"

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
 * @cache:	the CPU's
 * @size:	bytes, above KSPAN_MAX_SMALL
 *
 * Context: any, NMI included.
 * Return: an object of as many pages as @size takes, or NULL.
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
		/* From here on whoever has a stale pointer may free it. */
		kspan_span_set_state(span, KSPAN_SPAN_LARGE);
		return (void *)start;
	}
	return NULL;
}

/*
 * Draw more of the budget of caches. No other heap than the default one has such a cache,
 * and its own budget has no bound.
 */
static void draw_more(struct kspan_large_cache *cache, unsigned int npages)
{
	unsigned int most = READ_ONCE(kspan_large_cache_bytes) >> KSPAN_PAGE_SHIFT;
	unsigned int wanted = min(cache->pages + npages, most), old = cache->drawn;

	if (wanted <= old)
		return;
	if (kspan_budget_draw(&kspan_no_budget, (unsigned long)(wanted - old) << KSPAN_PAGE_SHIFT))
		WRITE_ONCE(cache->drawn, wanted);
	else
		cache->lacks = wanted - old;
}

/* An entry that is free, or whose span is evicted; or KSPAN_LARGE_CACHED. */
static noinline unsigned int large_cache_make_room(struct kspan_large_cache *cache,
						   unsigned int npages,
						   struct kspan_span **evicted)
{
	unsigned int i;

	draw_more(cache, npages);
	for (i = 0; i < KSPAN_LARGE_CACHED; i++)
		if (!cache->span[i] && cache->pages + npages <= cache->drawn)
			return i;
	/* Its way to the page heap takes a lock. */
	if (npages > cache->drawn || in_nmi())
		return KSPAN_LARGE_CACHED;
	do {
		i = cache->next;
		cache->next = (i + 1) % KSPAN_LARGE_CACHED;
	} while (!cache->span[i]);
	*evicted = cache->span[i];
	remove_entry(cache, i);
	/* One is given up in a free; with the next free there may be room. */
	return cache->pages + npages <= cache->drawn ? i : KSPAN_LARGE_CACHED;
}

/* The first entry that is free, if there is room for so many pages; else large_cache_make_room(). */
static unsigned int find_room(struct kspan_large_cache *cache, unsigned int npages,
			      struct kspan_span **evicted)
{
	unsigned int i = 0;

	while (i < KSPAN_LARGE_CACHED && cache->span[i])
		i++;
	/* That the parameter is less now is seen when the cache was flushed. */
	if (likely(i < KSPAN_LARGE_CACHED && cache->pages + npages <= cache->drawn))
		return i;
	return large_cache_make_room(cache, npages, evicted);
}

/**
 * kspan_large_cache_put() - free a large object, and keep it
 * @cache:	the CPU's
 * @addr:	any address
 * @nid:	node whose objects are kept
 * @evicted:	NULL; set to a span that was kept, and that
 *		kspan_large_free_cached() is to free when the cache is left
 *
 * Context: any, NMI included.
 * Return: whether it was a large object, and is kept now.
 */
bool kspan_large_cache_put(struct kspan_large_cache *cache, unsigned long addr, int nid,
			   struct kspan_span **evicted)
{
	struct kspan_span *span = kspan_map_page_span(addr);
	union kspan_span_word word;
	unsigned int i;

	if (!span)
		return false;
	/* As kspan_lookup(), without a copy: the claim says whether all this was one span. */
	word.word = smp_load_acquire(&span->word);
	if (word.state != KSPAN_SPAN_LARGE || READ_ONCE(span->start) != addr ||
	    READ_ONCE(span->nid) != nid || READ_ONCE(span->owner))
		return false;
	i = find_room(cache, kspan_span_npages(span), evicted);
	/* Not if somebody else frees it, too. */
	if (i == KSPAN_LARGE_CACHED || !kspan_span_claim(span, word, KSPAN_SPAN_LARGE_CACHED))
		return false;
	/* It goes straight back: nobody else frees it from here on. */
	if (unlikely(kspan_span_is_loose(span))) {
		kspan_span_set_state(span, KSPAN_SPAN_LARGE);
		return false;
	}
	cache->span[i] = span;
	WRITE_ONCE(cache->count, cache->count + 1);
	WRITE_ONCE(cache->pages, cache->pages + kspan_span_npages(span));
	return true;
}

/**
 * kspan_large_free_cached() - free the span of an object that a CPU had kept
 * @span: LARGE_CACHED, and in no cache any more
 */
void kspan_large_free_cached(struct kspan_span *span)
{
	kspan_page_heap_free(span, span->start, KSPAN_SPAN_LARGE_CACHED);
}

/**
 * kspan_large_cache_drain() - free what a CPU has kept
 * @cache: the CPU's, which nobody uses meanwhile
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
	kspan_budget_give(&kspan_no_budget, (unsigned long)cache->drawn << KSPAN_PAGE_SHIFT);
	WRITE_ONCE(cache->drawn, 0);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_cache_drain);
