// SPDX-License-Identifier: GPL-2.0
/*
 * Large objects
 *
 * An object above 32 KiB is a run of pages of its own, in steps of 8 KiB, at
 * most one arena of the largest order: the limit of the kernel's own kmalloc.
 * It is aligned as kmalloc's objects are, to the largest power of two that
 * divides the requested size.
 *
 * A CPU keeps the few that it freed last, for the next requests of the same number of
 * pages: a buffer that is allocated and freed in turn costs no visit to the page
 * heap.
 *
 * Context: task, softirq, hardirq; allocation as the gfp flags say. In an NMI
 * an allocation needs KSPAN_GFP_NOLOCK, and a free is left to the page heap. What
 * takes a cache is called with the CPU's cache entered.
 */
#include <linux/kmemleak.h>
#include <linux/rcupdate.h>

#include "bad_free.h"
#include "kunit_export.h"
#include "large.h"

unsigned int kspan_large_cache_bytes = 1024 * 1024;
KSPAN_EXPORT_FOR_KUNIT(kspan_large_cache_bytes);

static unsigned int size_to_pages(size_t size)
{
	return kspan_large_roundup(size) >> KSPAN_PAGE_SHIFT;
}

/* Alignment in pages that a request asks for. */
static unsigned int size_to_align(size_t size)
{
	return max_t(size_t, (size & -size) >> KSPAN_PAGE_SHIFT, 1);
}

/*
 * The last that is said of a large object that is new: nobody could free it before, however
 * stale his pointer. From here on the descriptor may become another span's, so the object is
 * returned. @owner is NULL for the default heap.
 */
static void *publish(struct kspan_large_owner *owner, struct kspan_span *span, bool chunk)
{
	void *object = (void *)span->start;

	if (chunk)
		kspan_span_set_state(span, KSPAN_SPAN_CHUNK);
	/* Release: whoever knows the owner finds it in his list, or locks that. */
	smp_store_release(&span->owner, owner);
	return object;
}

static void *own(struct kspan_large_owner *owner, struct kspan_span *span, bool chunk)
{
	unsigned long flags;
	void *object;

	raw_spin_lock_irqsave(&owner->lock, flags);
	span->site = 0;
	/* Whoever frees it waits for the lock. */
	object = publish(owner, span, chunk);
	list_add(&span->list, &owner->spans);
	owner->objects++;
	owner->pages += kspan_span_npages(span);
	owner->allocs++;
	raw_spin_unlock_irqrestore(&owner->lock, flags);
	return object;
}

static void disown_locked(struct kspan_large_owner *owner, struct kspan_span *span)
{
	list_del(&span->list);
	owner->objects--;
	owner->pages -= kspan_span_npages(span);
	kspan_account_uncharge(owner->account, kspan_span_npages(span));
}

static void *alloc_owned(struct kspan_large_owner *owner, size_t size, int nid, gfp_t gfp,
			 bool chunk)
{
	unsigned int npages = size_to_pages(size);
	struct kspan_span *span;

	/* Whoever may not wait for the owner's lock does without. */
	if ((gfp & KSPAN_GFP_NOLOCK) || !kspan_account_charge(owner->account, npages, gfp))
		return NULL;
	kspan_large_merge(owner);
	span = kspan_page_heap_alloc(nid, npages, size_to_align(size), 0, gfp);
	if (span)
		return own(owner, span, chunk);
	kspan_account_uncharge(owner->account, npages);
	return NULL;
}

static void *alloc(struct kspan_large_owner *owner, size_t size, int nid, gfp_t gfp, bool chunk)
{
	struct kspan_span *span;

	if (owner)
		return alloc_owned(owner, size, nid, gfp, chunk);
	span = kspan_page_heap_alloc(nid, size_to_pages(size), size_to_align(size), 0, gfp);
	return span ? publish(NULL, span, chunk) : NULL;
}

/**
 * kspan_large_alloc() - allocate a large object
 * @owner:	of a private heap, or NULL
 * @size:	bytes, above KSPAN_MAX_SMALL, at most KSPAN_MAX_SIZE
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @gfp:	the caller's flags; zeroing is left to the caller
 *
 * Return: the object or NULL.
 */
void *kspan_large_alloc(struct kspan_large_owner *owner, size_t size, int nid, gfp_t gfp)
{
	return alloc(owner, size, nid, gfp, false);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_alloc);

/** kspan_large_alloc_chunk() - kspan_large_alloc() of what nobody can free as an object */
void *kspan_large_alloc_chunk(struct kspan_large_owner *owner, size_t size, int nid, gfp_t gfp)
{
	return alloc(owner, size, nid, gfp, true);
}

/**
 * kspan_large_alloc_emergency() - allocate an object from the system's reserves
 * @owner:	of a private heap, whose limit does not count, or NULL
 * @size:	bytes, of any object
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @gfp:	flags of a caller who may use the reserves
 *
 * Return: the object, a power of two of pages, or NULL.
 */
void *kspan_large_alloc_emergency(struct kspan_large_owner *owner, size_t size, int nid,
				  gfp_t gfp)
{
	struct kspan_span *span;

	span = kspan_page_heap_alloc_emergency(nid, size, gfp);
	if (!span)
		return NULL;
	if (!owner)
		return publish(NULL, span, false);
	kspan_account_charge(owner->account, kspan_span_npages(span), __GFP_NOFAIL);
	return own(owner, span, false);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_alloc_emergency);

/* To whoever merges: of a private heap its owner, else the page heap. */
static void defer(struct kspan_span *span)
{
	if (span->owner)
		llist_add(&span->deferred, &span->owner->deferred);
	else
		kspan_page_heap_defer(span);
}

/* Free a span that is LARGE_DEFERRED, in no list, and nobody's but the caller's. */
static void free_deferred(struct kspan_span *span)
{
	struct kspan_large_owner *owner = span->owner;
	unsigned long flags;

	if (in_nmi()) {
		defer(span);
		return;
	}
	if (owner) {
		raw_spin_lock_irqsave(&owner->lock, flags);
		disown_locked(owner, span);
		raw_spin_unlock_irqrestore(&owner->lock, flags);
	}
	kspan_page_heap_free(span, span->start, KSPAN_SPAN_LARGE_DEFERRED);
}

/**
 * kspan_large_free() - free a large object
 * @addr: any address
 *
 * Frees the object, or reports that the address lies inside of one, or in a chunk.
 *
 * Context: any, NMI included.
 * Return: false, and nothing done, when @addr is not in a large object.
 */
bool kspan_large_free(unsigned long addr)
{
	enum kspan_span_state state = KSPAN_SPAN_DEAD;
	struct kspan_found found;
	bool claimed = false;

	rcu_read_lock();
	if (kspan_lookup(addr, &found))
		state = found.word.state;
	if (state == KSPAN_SPAN_LARGE && found.start == addr) {
		claimed = found.owner != KSPAN_OWNER_UNKNOWN &&
			  kspan_found_claim(&found, KSPAN_SPAN_LARGE, KSPAN_SPAN_LARGE_DEFERRED);
		/* Not if somebody else frees it, too, or before it is one: then it is none. */
		if (!claimed)
			state = KSPAN_SPAN_DEAD;
	}
	if (claimed)
		free_deferred(found.span);
	rcu_read_unlock();
	if (state == KSPAN_SPAN_CHUNK)
		kspan_bad_free_report(KSPAN_BAD_FREE_REGION, addr);
	else if (state == KSPAN_SPAN_LARGE && !claimed)
		kspan_bad_free_report(IS_ALIGNED(addr, 8) ? KSPAN_BAD_FREE_INTERIOR :
							    KSPAN_BAD_FREE_MISALIGNED, addr);
	return state == KSPAN_SPAN_LARGE || state == KSPAN_SPAN_CHUNK;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_free);

/**
 * kspan_large_free_chunk() - undo kspan_large_alloc_chunk()
 * @addr: any address
 *
 * Context: task, softirq, hardirq.
 * Return: false, and nothing done, when it is no chunk's.
 */
bool kspan_large_free_chunk(unsigned long addr)
{
	struct kspan_found found;
	bool claimed;

	rcu_read_lock();
	claimed = kspan_lookup(addr, &found) && found.start == addr &&
		  found.owner != KSPAN_OWNER_UNKNOWN &&
		  kspan_found_claim(&found, KSPAN_SPAN_CHUNK, KSPAN_SPAN_LARGE_DEFERRED);
	if (claimed)
		free_deferred(found.span);
	rcu_read_unlock();
	return claimed;
}

/**
 * kspan_large_chunk_id() - which chunk there is
 * @addr: any address
 *
 * A private heap that is reset or destroyed takes its chunks with it, whoever still knows
 * their addresses.
 *
 * Context: any, NMI included.
 * Return: what no other chunk has; all zeroes when @addr is not the start of a chunk.
 */
struct kspan_chunk_id kspan_large_chunk_id(unsigned long addr)
{
	struct kspan_chunk_id id = { };
	struct kspan_found found;

	rcu_read_lock_sched();
	if (kspan_lookup(addr, &found) && found.start == addr &&
	    found.word.state == KSPAN_SPAN_CHUNK && found.owner != KSPAN_OWNER_UNKNOWN)
		id = (struct kspan_chunk_id) { .span = found.span, .life = found.word.life };
	rcu_read_unlock_sched();
	return id;
}

/**
 * kspan_large_hold() - have a large object stay one while it is read or written
 * @addr:	any address
 * @found:	set to its span, for kspan_large_let_go(), or kspan_large_free_held()
 *
 * To all others it is no object meanwhile. Context: any, NMI included.
 *
 * Return: its usable size; 0 when @addr is not the start of a large object.
 */
size_t kspan_large_hold(unsigned long addr, struct kspan_found *found)
{
	bool held;

	rcu_read_lock_sched();
	held = kspan_lookup_large(addr, found) &&
	       kspan_found_claim(found, KSPAN_SPAN_LARGE, KSPAN_SPAN_LARGE_CACHED);
	rcu_read_unlock_sched();
	/* Nobody changes its length now; others may have before. */
	return held ? kspan_span_bytes(found->span) : 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_hold);

/** kspan_large_let_go() - undo kspan_large_hold() */
void kspan_large_let_go(const struct kspan_found *found)
{
	kspan_span_set_state(found->span, KSPAN_SPAN_LARGE);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_let_go);

/** kspan_large_free_held() - free what kspan_large_hold() gave */
void kspan_large_free_held(const struct kspan_found *found)
{
	rcu_read_lock();
	kspan_span_set_state(found->span, KSPAN_SPAN_LARGE_DEFERRED);
	free_deferred(found->span);
	rcu_read_unlock();
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_free_held);

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
	unsigned int npages = size_to_pages(size), i;
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

/**
 * kspan_large_cache_draw() - draw pages from the budget of caches
 * @cache:	the CPU's, which the caller has entered
 * @npages:	how many more it may hold then
 *
 * Only the default heap has such caches, and the budget of its own has no bound.
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
 * kspan_large_cache_yield() - give the budget what the CPU drew and does not use now
 * @cache: the CPU's, which the caller has entered
 */
void kspan_large_cache_yield(struct kspan_large_cache *cache)
{
	unsigned int unused = cache->drawn - min(cache->pages, cache->drawn);

	kspan_budget_give(&kspan_no_budget, (unsigned long)unused << KSPAN_PAGE_SHIFT);
	WRITE_ONCE(cache->drawn, cache->drawn - unused);
}

/* For an object of so many pages, in place of the one that is evicted if all entries are taken. */
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

/* An entry that is free, or whose span is evicted; or KSPAN_LARGE_CACHED. */
static noinline unsigned int make_room(struct kspan_large_cache *cache, unsigned int npages,
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

/* The first entry that is free, if there is room for so many pages; else make_room(). */
static unsigned int find_room(struct kspan_large_cache *cache, unsigned int npages,
			      struct kspan_span **evicted)
{
	unsigned int i = 0;

	while (i < KSPAN_LARGE_CACHED && cache->span[i])
		i++;
	/* That the parameter is less now is seen when the cache was flushed. */
	if (likely(i < KSPAN_LARGE_CACHED && cache->pages + npages <= cache->drawn))
		return i;
	return make_room(cache, npages, evicted);
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
	    READ_ONCE(span->nid) != nid || READ_ONCE(span->owner) ||
	    /* A loose one goes straight back. */
	    !READ_ONCE(span->arena))
		return false;
	i = find_room(cache, kspan_span_npages(span), evicted);
	/* Not if somebody else frees it, too. */
	if (i == KSPAN_LARGE_CACHED || !kspan_span_claim(span, word, KSPAN_SPAN_LARGE_CACHED))
		return false;
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
	cache->lacks = 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_cache_drain);

/**
 * kspan_large_size() - usable size of a large object
 * @addr: any address
 * Return: bytes; 0 when @addr is not the start of a large object.
 */
size_t kspan_large_size(unsigned long addr)
{
	struct kspan_found found;
	size_t size = 0;

	rcu_read_lock_sched();
	if (kspan_lookup_large(addr, &found))
		size = found.bytes;
	rcu_read_unlock_sched();
	return size;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_size);

/* The owner answers for more pages before it has them, for less after it gave them. */
static bool resize_owned(struct kspan_large_owner *owner, struct kspan_span *span,
			 unsigned int npages, gfp_t gfp)
{
	unsigned int old = kspan_span_npages(span);
	unsigned long flags;
	bool done;

	if ((gfp & KSPAN_GFP_NOLOCK) ||
	    (npages > old && !kspan_account_charge(owner->account, npages - old, gfp)))
		return false;
	done = kspan_page_heap_resize(span->start, npages, gfp);
	if (done) {
		raw_spin_lock_irqsave(&owner->lock, flags);
		owner->pages += (long)npages - old;
		raw_spin_unlock_irqrestore(&owner->lock, flags);
	}
	if (npages > old && !done)
		kspan_account_uncharge(owner->account, npages - old);
	if (npages < old && done)
		kspan_account_uncharge(owner->account, old - npages);
	return done;
}

/**
 * kspan_large_resize() - change the size of a large object where it is
 * @addr:	the object, which is the caller's
 * @size:	bytes, 1...KSPAN_MAX_SIZE
 * @gfp:	the caller's flags; zeroing is left to the caller
 *
 * Return: whether it has whole pages for @size, and no more, now.
 */
bool kspan_large_resize(unsigned long addr, size_t size, gfp_t gfp)
{
	struct kspan_found held;
	bool done;

	/* Should the object not be the caller's, nobody frees it meanwhile. */
	if (!kspan_large_hold(addr, &held))
		return false;
	if (held.owner)
		done = resize_owned(held.owner, held.span, size_to_pages(size), gfp);
	else
		done = kspan_page_heap_resize(addr, size_to_pages(size), gfp);
	kspan_large_let_go(&held);
	return done;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_resize);

/**
 * kspan_large_owner_init() - prepare for the large objects of a private heap
 * @owner:	memory for it
 * @account:	the heap's
 */
void kspan_large_owner_init(struct kspan_large_owner *owner, struct kspan_account *account)
{
	*owner = (struct kspan_large_owner) { .account = account };
	raw_spin_lock_init(&owner->lock);
	INIT_LIST_HEAD(&owner->spans);
	init_llist_head(&owner->deferred);
}

/* One that an NMI freed, or NULL. Whoever takes one holds the lock: NMIs only add. */
static struct kspan_span *take_deferred(struct kspan_large_owner *owner)
{
	struct kspan_span *span = NULL;
	struct llist_node *first;
	unsigned long flags;

	raw_spin_lock_irqsave(&owner->lock, flags);
	first = llist_del_first(&owner->deferred);
	if (first) {
		span = llist_entry(first, struct kspan_span, deferred);
		disown_locked(owner, span);
	}
	raw_spin_unlock_irqrestore(&owner->lock, flags);
	return span;
}

/**
 * kspan_large_merge() - complete the frees that NMIs left behind
 * @owner: of a private heap
 *
 * Context: task, softirq, hardirq.
 */
void kspan_large_merge(struct kspan_large_owner *owner)
{
	struct kspan_span *span;

	while (unlikely(!llist_empty(&owner->deferred)) && (span = take_deferred(owner))) {
		kmemleak_free((void *)span->start);
		kspan_page_heap_free(span, span->start, KSPAN_SPAN_LARGE_DEFERRED);
	}
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_merge);

/* One that no NMI has freed meanwhile, or NULL. */
static struct kspan_span *take_first(struct kspan_large_owner *owner)
{
	struct kspan_span *span;
	unsigned long flags;

	raw_spin_lock_irqsave(&owner->lock, flags);
	span = list_first_entry_or_null(&owner->spans, struct kspan_span, list);
	if (span && (kspan_span_change_state(span, KSPAN_SPAN_LARGE, KSPAN_SPAN_LARGE_DEFERRED) ||
		     kspan_span_change_state(span, KSPAN_SPAN_CHUNK, KSPAN_SPAN_LARGE_DEFERRED)))
		disown_locked(owner, span);
	else
		span = NULL;
	raw_spin_unlock_irqrestore(&owner->lock, flags);
	return span;
}

/**
 * kspan_large_drop() - free all large objects
 * @owner: of a private heap that nobody uses any more
 *
 * Context: task.
 * Return: how many there were.
 */
unsigned long kspan_large_drop(struct kspan_large_owner *owner)
{
	struct kspan_span *span;
	unsigned long n = 0;

	while (kspan_glance(owner->objects)) {
		kspan_large_merge(owner);
		span = take_first(owner);
		if (!span)
			continue;
		kmemleak_free((void *)span->start);
		if (want_init_on_free())
			memset((void *)span->start, 0, kspan_span_bytes(span));
		kspan_page_heap_drop(span);
		n++;
		cond_resched();
	}
	return n;
}
