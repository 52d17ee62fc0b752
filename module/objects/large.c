// SPDX-License-Identifier: GPL-2.0
/*
 * Large objects
 *
 * An object above 32 KiB is a run of pages of its own, in steps of 8 KiB. It has at most one arena
 * of the largest order, which is the limit of the kernel's own kmalloc. It is aligned as kmalloc's
 * objects are: to the largest power of two that divides the requested size.
 *
 * A large object of the default heap has no owner, and CPUs keep some after a free; see
 * large_cache.c. A private heap has a list of its large objects, struct kspan_large_owner, so
 * that it can free them all when it is destroyed.
 *
 * A chunk is a large object that a region puts its objects into. kspan_large_free() refuses it:
 * only kspan_large_free_chunk() frees it.
 *
 * Context: task, softirq, hardirq; allocation as the gfp flags say. In an NMI an allocation needs
 * KSPAN_GFP_NOLOCK, and a free leaves the span to the next merge.
 */
#include <linux/kmemleak.h>
#include <linux/rcupdate.h>

#include "base/kunit_export.h"
#include "objects/bad_free.h"
#include "objects/large.h"
#include "objects/profile.h"

/* Alignment in pages that a request asks for. */
static unsigned int size_to_align(size_t size)
{
	return max_t(size_t, (size & -size) >> KSPAN_PAGE_SHIFT, 1);
}

/*
 * Complete a new large object by naming its owner, which is NULL for the default heap. Until this
 * store nobody can free the object, not even with a stale pointer. From then on the descriptor may
 * become another span's, so this function returns the object's address.
 */
static void *large_publish(struct kspan_large_owner *owner, struct kspan_span *span, bool chunk)
{
	void *object = (void *)span->start;

	if (chunk)
		kspan_span_set_state(span, KSPAN_SPAN_CHUNK);
	/*
	 * Release: pairs with the read of the owner in kspan_lookup() of lookup.c, and in
	 * kspan_large_cache_put() of large_cache.c. A CPU that knows the owner finds the span in
	 * the owner's list, or waits for the lock of that list.
	 */
	smp_store_release(&span->owner, owner);
	return object;
}

static void *own(struct kspan_large_owner *owner, struct kspan_span *span, bool chunk)
{
	unsigned long flags;
	void *object;

	raw_spin_lock_irqsave(&owner->lock, flags);
	span->site = 0;
	/* A CPU that frees the object from here on waits for the lock. */
	object = large_publish(owner, span, chunk);
	list_add(&span->list, &owner->spans);
	owner->objects++;
	owner->pages += kspan_span_npages(span);
	owner->allocs++;
	raw_spin_unlock_irqrestore(&owner->lock, flags);
	return object;
}

static void disown_locked(struct kspan_large_owner *owner, struct kspan_span *span)
{
	lockdep_assert_held(&owner->lock);
	list_del(&span->list);
	owner->objects--;
	owner->pages -= kspan_span_npages(span);
	kspan_account_uncharge(owner->account, kspan_span_npages(span));
}

static void *alloc_owned(struct kspan_large_owner *owner, size_t size, int nid, gfp_t gfp,
			 bool chunk)
{
	unsigned int npages = kspan_large_pages(size);
	struct kspan_span *span;

	/* A request that may not wait for the owner's lock gets nothing. */
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
	span = kspan_page_heap_alloc(nid, kspan_large_pages(size), size_to_align(size), 0, gfp);
	return span ? large_publish(NULL, span, chunk) : NULL;
}

/**
 * kspan_large_alloc() - allocate a large object
 * @owner:	of the private heap; NULL for the default heap
 * @size:	bytes, above KSPAN_MAX_SMALL, at most KSPAN_MAX_SIZE
 * @nid:	preferred node; with __GFP_THISNODE the only one
 * @gfp:	the caller's flags; the caller zeroes the object itself
 *
 * Return: the object or NULL.
 */
void *kspan_large_alloc(struct kspan_large_owner *owner, size_t size, int nid, gfp_t gfp)
{
	return alloc(owner, size, nid, gfp, false);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_alloc);

/** kspan_large_alloc_chunk() - kspan_large_alloc() of a chunk */
void *kspan_large_alloc_chunk(struct kspan_large_owner *owner, size_t size, int nid, gfp_t gfp)
{
	return alloc(owner, size, nid, gfp, true);
}

/**
 * kspan_large_alloc_emergency() - allocate an object from the system's reserves
 * @owner:	of the private heap, whose limit does not count here; NULL for the default heap
 * @size:	bytes, of an object of any size
 * @nid:	preferred node; with __GFP_THISNODE the only one
 * @gfp:	flags of a caller that may use the reserves
 *
 * Return: the object, which takes a power of two of pages; or NULL.
 */
void *kspan_large_alloc_emergency(struct kspan_large_owner *owner, size_t size, int nid,
				  gfp_t gfp)
{
	struct kspan_span *span;

	span = kspan_page_heap_alloc_emergency(nid, size, gfp);
	if (!span)
		return NULL;
	if (!owner)
		return large_publish(NULL, span, false);
	kspan_account_charge(owner->account, kspan_span_npages(span), __GFP_NOFAIL);
	return own(owner, span, false);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_alloc_emergency);

/* The object is about to be freed, and belongs to the caller alone. */
static void forget_sample_of(struct kspan_span *span)
{
	if (unlikely(span->sample))
		kspan_profile_remove(span->sample);
	span->sample = NULL;
}

/* Leave a span to the next merge: of its owner, or without one of the page heap. */
static void defer(struct kspan_span *span)
{
	if (span->owner)
		llist_add(&span->deferred, &span->owner->deferred);
	else
		kspan_page_heap_defer(span);
}

/*
 * Free a LARGE_DEFERRED span that the caller has claimed, and that is in no list of deferred
 * ones.
 */
static void free_deferred(struct kspan_span *span)
{
	struct kspan_large_owner *owner = span->owner;
	unsigned long flags;

	forget_sample_of(span);
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
 * @addr:	any address
 *
 * If @addr lies inside of a large object, or in a chunk, a wrong free is reported instead.
 *
 * Context: any, NMI included.
 * Return: false, and nothing is done, when @addr is in no large object.
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
		/*
		 * The claim fails if somebody else frees the object at the same time. An owner
		 * that is not known yet means that the object is not complete. In both cases
		 * there is no object.
		 */
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
 * @addr:	any address
 *
 * Context: task, softirq, hardirq.
 * Return: false, and nothing is done, when @addr is not the start of a chunk.
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
 * kspan_large_chunk_id() - get the identity of the chunk at an address
 * @addr:	any address
 *
 * A private heap that is reset or destroyed frees its chunks, even if somebody still has their
 * addresses. The identity tells such a chunk from a later one at the same address.
 *
 * Context: any, NMI included.
 * Return: an identity that no other chunk has; all zeroes when @addr is not the start of a chunk.
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
 * kspan_large_hold() - keep others from freeing a large object while it is read or written
 * @addr:	any address
 * @found:	set to its span, for kspan_large_let_go() or kspan_large_free_held()
 *
 * To all others there is no object at @addr meanwhile.
 *
 * Context: any, NMI included.
 * Return: the usable size in bytes; 0 when @addr is not the start of a large object.
 */
size_t kspan_large_hold(unsigned long addr, struct kspan_found *found)
{
	bool held;

	rcu_read_lock_sched();
	held = kspan_lookup_large(addr, found) &&
	       kspan_found_claim(found, KSPAN_SPAN_LARGE, KSPAN_SPAN_LARGE_CACHED);
	rcu_read_unlock_sched();
	/*
	 * Nobody else changes its length while it is held, so read it now: it may have changed
	 * before.
	 */
	return held ? kspan_span_bytes(found->span) : 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_hold);

/** kspan_large_let_go() - undo kspan_large_hold() */
void kspan_large_let_go(const struct kspan_found *found)
{
	kspan_span_set_state(found->span, KSPAN_SPAN_LARGE);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_let_go);

/** kspan_large_free_held() - free an object that kspan_large_hold() returned */
void kspan_large_free_held(const struct kspan_found *found)
{
	rcu_read_lock();
	kspan_span_set_state(found->span, KSPAN_SPAN_LARGE_DEFERRED);
	free_deferred(found->span);
	rcu_read_unlock();
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_free_held);

/**
 * kspan_large_size() - usable size of a large object
 * @addr:	any address
 *
 * Context: any, NMI included.
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

/* The account is charged before the object grows, and uncharged after it has shrunk. */
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
 * kspan_large_resize() - change the size of a large object in place
 * @addr:	an object that belongs to the caller
 * @size:	bytes, 1...KSPAN_MAX_SIZE
 * @gfp:	the caller's flags; the caller zeroes new pages itself
 *
 * Return: whether the object has exactly the whole pages that @size takes now.
 */
bool kspan_large_resize(unsigned long addr, size_t size, gfp_t gfp)
{
	struct kspan_found held;
	bool done;

	/* If the object does not belong to the caller after all, nobody can free it meanwhile. */
	if (!kspan_large_hold(addr, &held))
		return false;
	if (held.owner)
		done = resize_owned(held.owner, held.span, kspan_large_pages(size), gfp);
	else
		done = kspan_page_heap_resize(addr, kspan_large_pages(size), gfp);
	kspan_large_let_go(&held);
	return done;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_large_resize);

/**
 * kspan_large_owner_init() - prepare the large objects of a private heap
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

/*
 * Take a span that an NMI freed, or NULL. Only the holder of the lock takes spans from the list, as
 * llist_del_first() demands; NMIs only add.
 */
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
 * @owner:	of a private heap
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

/* Take the first span of the list; NULL if the list is empty, or an NMI has just freed the span. */
static struct kspan_span *large_take_first(struct kspan_large_owner *owner)
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
 * kspan_large_drop() - free all large objects of a heap
 * @owner:	of a private heap that nobody uses any more
 *
 * Context: task; sleeps.
 * Return: how many there were.
 */
unsigned long kspan_large_drop(struct kspan_large_owner *owner)
{
	struct kspan_span *span;
	unsigned long n = 0;

	while (kspan_glance(owner->objects)) {
		kspan_large_merge(owner);
		span = large_take_first(owner);
		if (!span)
			continue;
		kmemleak_free((void *)span->start);
		forget_sample_of(span);
		if (want_init_on_free())
			memset((void *)span->start, 0, kspan_span_bytes(span));
		kspan_page_heap_drop(span);
		n++;
		cond_resched();
	}
	return n;
}
