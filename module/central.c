// SPDX-License-Identifier: GPL-2.0
/*
 * Central lists
 *
 *	partial: span -> span -> ...	take slots from the first
 *	full:    span -> span -> ...
 *	depot:   full magazines / empty magazines
 *
 * A central owns all spans of one class on one node of one heap. CPU caches
 * come here with a whole magazine: it changes places with one of the depot
 * (one lock, no object touched), or its objects are taken from and returned to
 * bitmaps in one batch under one lock.
 *
 * The depot holds at most kspan_depot_bytes of objects, and the number of
 * magazines in existence is limited to those and two a CPU. Who finds no empty
 * one does without, but notes that one is wanted; it is allocated by the next
 * who comes by outside of all locks and marks.
 *
 * A free in an NMI can't wait for the lock. It sets the slot's bit among the
 * span's deferred frees and puts the span, once, into the central's lock-free
 * list; whoever comes next by other ways returns the slots:
 *
 *	deferred: span -> span -> ...
 *
 * What is done under the lock at a time is bounded by KSPAN_STEPS, whatever the list or
 * magazine it is done to; who has more to do drops the lock in between. Wrong frees that
 * are found under it are counted there, and told later.
 *
 * Context: task, softirq, hardirq; waits for nothing but the central lock. NMI:
 * allocation with KSPAN_GFP_NOLOCK, kspan_central_free_slot().
 */
#include <linux/cpumask.h>
#include <linux/kmemleak.h>
#include <linux/rcupdate.h>

#include "bad_free.h"
#include "central.h"
#include "kunit_export.h"
#include "lookup.h"
#include "seal.h"

unsigned int kspan_magazine_bytes = 128 * 1024;
unsigned int kspan_depot_bytes = 512 * 1024;
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_bytes);

/**
 * kspan_central_init() - an empty central
 * @central:	zeroed memory for it
 * @sc:		what its spans look like
 * @class:	size class, as the heap counts them
 * @nid:	node
 */
void kspan_central_init(struct kspan_central *central, const struct kspan_size_class *sc,
			unsigned int class, int nid)
{
	raw_spin_lock_init(&central->lock);
	central->sc = sc;
	central->class = class;
	central->page_class = class;
	central->nid = nid;
	central->budget = &kspan_no_budget;
	INIT_LIST_HEAD(&central->partial);
	INIT_LIST_HEAD(&central->full);
	INIT_LIST_HEAD(&central->depot_full);
	INIT_LIST_HEAD(&central->depot_empty);
	init_llist_head(&central->deferred);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_init);

static void free_magazines(struct list_head *magazines)
{
	struct kspan_magazine *mag, *next;

	list_for_each_entry_safe(mag, next, magazines, list)
		kfree(mag);
	INIT_LIST_HEAD(magazines);
}

/**
 * kspan_central_exit() - free the depot
 * @central: nobody uses it any more; its depot was flushed. Spans that still
 *	     have live objects stay, kspan_page_heap_exit() drops them.
 */
void kspan_central_exit(struct kspan_central *central)
{
	free_magazines(&central->depot_full);
	free_magazines(&central->depot_empty);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_exit);

static struct kspan_span *first_partial(struct kspan_central *central)
{
	return list_first_entry_or_null(&central->partial, struct kspan_span, list);
}

/*
 * Fill @slots from its end on, so that a stack made of it gives the objects
 * out by rising address. To take from four spans takes three steps.
 */
static unsigned int take_locked(struct kspan_central *central, void **slots, unsigned int n,
				unsigned int steps)
{
	unsigned int left = n, spans = steps + steps / 3;
	struct kspan_span *span;

	while (left && spans-- && (span = first_partial(central))) {
		left -= kspan_span_take(span, slots, left);
		if (span->used == span->nslots)
			list_move(&span->list, &central->full);
	}
	central->nr_out += n - left;
	return n - left;
}

/* To be merged. */
static void defer_span(struct kspan_span *span, struct kspan_central *central)
{
	if (kspan_span_change_state(span, KSPAN_SPAN_SMALL, KSPAN_SPAN_SMALL_DEFERRED))
		llist_add(&span->deferred, &central->deferred);
}

/*
 * A span in the deferred list stays, after wrong frees only, and one that is pinned, which
 * goes there; then the merge retires it.
 */
static bool detach_locked(struct kspan_span *span, struct list_head *retired)
{
	if (!kspan_span_change_state(span, KSPAN_SPAN_SMALL, KSPAN_SPAN_DETACHED)) {
		defer_span(span, span->central);
		return false;
	}
	list_move(&span->list, retired);
	span->central->nr_spans--;
	span->central->base_pages -= kspan_span_own_base_pages(span);
	kspan_central_note_gone(span->central);
	return true;
}

/* Those that a private heap keeps are the last to be taken from; a hollow one is not kept. */
static void retire_locked(struct kspan_span *span, struct list_head *retired)
{
	struct kspan_account *account = span->central->account;

	if (!account)
		detach_locked(span, retired);
	else if (!span->gone_pages)
		list_move_tail(&span->list, &span->central->partial);
	else if (detach_locked(span, retired))
		kspan_account_uncharge(account, kspan_span_nr_pages(span));
}

/* Return slots that are out, of one word; a span without any goes to @retired. */
static __always_inline void give_word_locked(struct kspan_span *span, unsigned int word,
					     u64 slots, unsigned int n,
					     struct list_head *retired)
{
	struct kspan_central *central = span->central;
	bool was_full = span->used == span->nslots;

	kspan_span_give(span, word, slots, n);
	central->nr_out -= n;
	if (was_full)
		list_move(&span->list, &central->partial);
	if (!span->used)
		retire_locked(span, retired);
}

static void give_locked(struct kspan_span *span, unsigned int index, struct list_head *retired)
{
	give_word_locked(span, index / 64, BIT_ULL(index % 64), 1, retired);
}

static void free_spans(struct list_head *retired)
{
	struct kspan_span *span;

	list_for_each_entry(span, retired, list) {
		/* Of a hollow span the central may have gone: nothing else is looked at. */
		if (want_init_on_free())
			kspan_unseal_span(span, span->gone_pages ? 0 : span->central->seal_at);
		kspan_span_unformat(span);
	}
	kspan_page_heap_free_spans(retired, false);
}

static enum kspan_bad_free_kind kind_of(enum kspan_slot_state state, unsigned long addr)
{
	if (!IS_ALIGNED(addr, 8))
		return KSPAN_BAD_FREE_MISALIGNED;
	if (state == KSPAN_SLOT_INSIDE)
		return KSPAN_BAD_FREE_INTERIOR;
	if (state == KSPAN_SLOT_NEVER_OUT)
		return KSPAN_BAD_FREE_NEVER_ALLOCATED;
	return KSPAN_BAD_FREE_DOUBLE;
}

static void report_slot(enum kspan_slot_state state, unsigned long addr,
			const struct kspan_central *central)
{
	kspan_bad_free_report_in(kind_of(state, addr), addr, central->class, central->sc->size,
				 central->name);
}

/* Of a free that was a while ago, where preemption is off for our own sake. */
static void report_slot_late(enum kspan_slot_state state, unsigned long addr,
			     const struct kspan_central *central)
{
	kspan_bad_free_report_late(kind_of(state, addr), addr, central->class, central->sc->size,
				   central->name);
}

/*
 * The span of an address whose page had the central's class when it was put
 * into a magazine. With the central locked, a span that is SMALL and the
 * central's stays so.
 */
static __always_inline struct kspan_span *own_span(struct kspan_central *central,
						   unsigned long addr)
{
	struct kspan_span *span = kspan_map_entry_span(addr);

	/* Pairs with the release in kspan_span_set_state(). */
	if (!span || !kspan_span_is_small(smp_load_acquire(&span->state)) ||
	    span->central != central)
		return NULL;
	return span;
}

/* Return the deferred slots of a word. Only a wrong free makes one of them not out. */
static void merge_word(struct kspan_span *span, unsigned int word, u64 slots)
{
	unsigned long start = span->start + (unsigned long)word * 64 * span->size;
	u64 out = slots & span->alloc_bits[word], left;
	struct kspan_central *central = span->central;
	bool was_full = span->used == span->nslots;

	for (left = slots & ~out; left; left &= left - 1) {
		unsigned int bit = __ffs64(left);

		report_slot_late(word * 64 + bit < span->high ? KSPAN_SLOT_FREE :
				 KSPAN_SLOT_NEVER_OUT, start + (unsigned long)bit * span->size,
				 central);
	}
	for (left = out; IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && left; left &= left - 1)
		kmemleak_free((void *)(start + __ffs64(left) * span->size));
	if (!out)
		return;
	kspan_span_give(span, word, out, hweight64(out));
	central->nr_out -= hweight64(out);
	if (was_full)
		list_move(&span->list, &central->partial);
}

/* What NMIs freed of a span that has but one bitmap. */
static void merge_recounted(struct kspan_span *span)
{
	struct kspan_central *central = span->central;
	bool was_full = span->used == span->nslots;

	central->nr_out -= kspan_span_recount(span);
	if (was_full && span->used < span->nslots)
		list_move(&span->list, &central->partial);
}

/* Return the deferred slots of some words; false when there are no steps left for the others. */
static bool merge_words(struct kspan_span *span, unsigned int *steps, bool *merged)
{
	u64 *deferred = kspan_span_deferred_bits(span);
	unsigned int words = kspan_span_words(span), word;
	u64 gone = kspan_span_gone(span);

	for (word = 0; word < words; word++) {
		/* A hollow span has one word. */
		if (READ_ONCE(deferred[word]) == gone)
			continue;
		if (!*steps)
			return false;
		kspan_steps_take(steps, 1);
		merge_word(span, word, xchg(&deferred[word], gone) & ~gone);
		*merged = true;
	}
	return true;
}

/*
 * Whoever has no step left lists the span again, for the rest of its words. Returns false
 * where that changed nothing: its last object has gone, but it is pinned.
 */
static bool merge_span(struct kspan_span *span, struct list_head *retired, unsigned int *steps)
{
	bool merged = false, done = true;

	/* A full barrier: whoever finds the span SMALL from here on lists it again. */
	kspan_span_change_state(span, KSPAN_SPAN_SMALL_DEFERRED, KSPAN_SPAN_SMALL);
	if (unlikely(span->recount)) {
		merge_recounted(span);
		kspan_steps_take(steps, 1);
	} else {
		done = merge_words(span, steps, &merged);
	}
	if (!done) {
		defer_span(span, span->central);
	} else if (!span->used) {
		retire_locked(span, retired);
		kspan_steps_take(steps, KSPAN_STEPS_SPAN);
	}
	return merged || !done || READ_ONCE(span->state) != KSPAN_SPAN_SMALL_DEFERRED;
}

/**
 * __kspan_central_merge() - kspan_central_merge() where there is something to do
 * @central: the central, not locked
 *
 * It stops at a span that is pinned: whoever did that is done in a moment, but may be the one
 * that the caller has interrupted.
 *
 * Return: whether there is more that can be done now.
 */
bool __kspan_central_merge(struct kspan_central *central)
{
	unsigned int steps = KSPAN_STEPS / 2;
	struct llist_node *first;
	bool goes_on = true;
	LIST_HEAD(retired);
	unsigned long flags;

	raw_spin_lock_irqsave(&central->lock, flags);
	/* The lock is held by whoever takes from the list: NMIs only add to it. */
	while (goes_on && steps && (first = llist_del_first(&central->deferred))) {
		kspan_steps_take(&steps, 1);
		goes_on = merge_span(llist_entry(first, struct kspan_span, deferred), &retired,
				     &steps);
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	free_spans(&retired);
	return goes_on && !llist_empty(&central->deferred);
}
KSPAN_EXPORT_FOR_KUNIT(__kspan_central_merge);

/** kspan_central_merge_all() - kspan_central_merge() until nothing is left, but what is pinned */
void kspan_central_merge_all(struct kspan_central *central)
{
	while (!llist_empty(&central->deferred) && __kspan_central_merge(central))
		;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_merge_all);

/**
 * kspan_central_take() - take a batch of free slots
 * @central:	the central
 * @slots:	receives them, the one to be used first last
 * @n:		how many at most, 1...KSPAN_MAGAZINE_MAX
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * Return: how many were taken, from @slots[0] on.
 */
unsigned int kspan_central_take(struct kspan_central *central, void **slots, unsigned int n,
				gfp_t gfp)
{
	unsigned int taken;
	unsigned long flags;

	kspan_central_merge(central, gfp);
	if (!kspan_lock(&central->lock, &flags, gfp))
		return 0;
	taken = take_locked(central, slots, n, KSPAN_STEPS);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	if (taken < n)
		memmove(slots, slots + n - taken, taken * sizeof(*slots));
	return taken;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_take);

/**
 * struct given - what a batch of frees leaves to be done without the lock
 * @retired:	spans without an object
 * @nr_wrong:	addresses that are no object that is out; they are the first of
 *		the batch's slots now
 * @state:	what each of these is
 */
struct given {
	struct list_head retired;
	unsigned int nr_wrong;
	u8 state[KSPAN_MAGAZINE_MAX];
};

/*
 * Return an object, and those behind it in the batch that lie in the same word of
 * the same span: neighbours are often freed together. Returns how many that were,
 * 0 when the first is none that is out.
 */
static __always_inline unsigned int give_some_locked(struct kspan_span *span, void **slots,
						     unsigned int n, u64 magic,
						     unsigned long word_bytes,
						     struct list_head *retired)
{
	unsigned long start = span->start;
	/* As kspan_slot_index(). */
	u64 product = ((unsigned long)slots[0] - start) * magic, out, slot, given;
	unsigned int index = product >> 32, word = index / 64, i;

	/* Bits beyond the last slot are not set. */
	if (unlikely((u32)product >= magic || word >= kspan_span_words(span)))
		return 0;
	out = kspan_span_out(span, word);
	given = BIT_ULL(index % 64);
	if (unlikely(!(out & given)))
		return 0;
	start += word * word_bytes;
	for (i = 1; i < n; i++) {
		unsigned long offset = (unsigned long)slots[i] - start;

		if (offset >= word_bytes)
			break;
		product = offset * magic;
		slot = BIT_ULL(product >> 32);
		if ((u32)product >= magic || !(out & ~given & slot))
			break;
		given |= slot;
	}
	give_word_locked(span, word, given, i, retired);
	return i;
}

static noinline void note_wrong(struct given *given, struct kspan_span *span, void **slots,
				void *p)
{
	enum kspan_slot_state state = KSPAN_SLOT_FREE;
	unsigned int index;

	if (span)
		state = kspan_span_slot_state(span, (unsigned long)p, &index);
	slots[given->nr_wrong] = p;
	given->state[given->nr_wrong++] = state;
}

/* As far as the steps go; returns how many objects that were, at least one. */
static unsigned int give_batch_locked(struct kspan_central *central, void **slots,
				      unsigned int n, struct given *given, unsigned int *steps)
{
	const struct kspan_size_class *sc = central->sc;
	unsigned long word_bytes = 64UL * sc->size;
	u64 magic = sc->magic;
	unsigned int i = 0, done;

	INIT_LIST_HEAD(&given->retired);
	given->nr_wrong = 0;
	do {
		struct kspan_span *span = own_span(central, (unsigned long)slots[i]);

		done = span ? give_some_locked(span, slots + i, n - i, magic, word_bytes,
					       &given->retired) : 0;
		if (unlikely(!done)) {
			note_wrong(given, span, slots, slots[i]);
			done = 1;
		}
		kspan_steps_take(steps, 1);
		i += done;
	} while (i < n && *steps);
	return i;
}

/* Spans that are to be freed go to @retired, if there is such a list. */
static void finish_batch(struct kspan_central *central, void **slots, struct given *given,
			 struct list_head *retired)
{
	unsigned int i;

	if (retired)
		list_splice(&given->retired, retired);
	else
		free_spans(&given->retired);
	for (i = 0; i < given->nr_wrong; i++)
		report_slot_late(given->state[i], (unsigned long)slots[i], central);
}

/* Most of what may be done at a time was done for others. */
static void leave_few(unsigned int *steps)
{
	*steps = min(*steps, KSPAN_STEPS / 4);
}

/**
 * kspan_central_give_some() - return objects to their spans, not too many at once
 * @central:	the central
 * @slots:	objects from magazines of the central's class and node; what is
 *		not an object that is out is reported and left alone
 * @n:		how many, 1...KSPAN_MAGAZINE_MAX
 * @steps:	what may be done; less by what was
 * @retired:	receives the spans that have no object any more, for
 *		kspan_central_free_retired(); or NULL
 *
 * Return: how many were returned, the first of @slots; at least one.
 */
unsigned int kspan_central_give_some(struct kspan_central *central, void **slots,
				     unsigned int n, unsigned int *steps,
				     struct list_head *retired)
{
	struct given given;
	unsigned long flags;
	unsigned int done;

	if (kspan_central_merge(central, 0))
		leave_few(steps);
	raw_spin_lock_irqsave(&central->lock, flags);
	done = give_batch_locked(central, slots, n, &given, steps);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	finish_batch(central, slots, &given, retired);
	return done;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_give_some);

/**
 * kspan_central_free_retired() - free what others have left to be freed
 * @retired: spans of one node; the list is empty afterwards
 *
 * Context: task, softirq, hardirq; with preemption on, if the caller has it on.
 */
void kspan_central_free_retired(struct list_head *retired)
{
	free_spans(retired);
	INIT_LIST_HEAD(retired);
}

/**
 * kspan_central_give() - return a batch of objects to their spans
 * @central:	the central
 * @slots:	as for kspan_central_give_some()
 * @n:		how many
 *
 * The lock is dropped in between.
 */
void kspan_central_give(struct kspan_central *central, void **slots, unsigned int n)
{
	unsigned int done, steps;

	for (; n; n -= done, slots += done) {
		steps = KSPAN_STEPS;
		done = kspan_central_give_some(central, slots,
					       min_t(unsigned int, n, KSPAN_MAGAZINE_MAX), &steps,
					       NULL);
	}
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_give);

/*
 * Detach spans from the end of a list on, some at a time; of @all, or as long as they
 * are without an object.
 */
static unsigned long detach_some(struct kspan_central *central, struct list_head *from, bool all,
				 struct list_head *detached)
{
	unsigned long n = 0, flags;
	struct kspan_span *span;

	raw_spin_lock_irqsave(&central->lock, flags);
	while (n < KSPAN_STEPS && !list_empty(from)) {
		span = list_last_entry(from, struct kspan_span, list);
		if (span->used && !all)
			break;
		if (!detach_locked(span, detached))
			break;
		central->nr_out -= span->used;
		n++;
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return n;
}

static void forget_objects(struct kspan_span *span)
{
	unsigned int i;

	for (i = 0; IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && i < kspan_span_all_slots(span); i++)
		if (kspan_span_is_out(span, i))
			kmemleak_free((void *)(span->start + (unsigned long)i * span->size));
}

/**
 * kspan_central_release() - give the pages of detached spans back
 * @central:	their central
 * @detached:	the spans; the list is undefined afterwards
 * @dropped:	they are of a heap that goes, whatever is in them
 *
 * Context: task, softirq, hardirq.
 * Return: how many pages there were.
 */
unsigned long kspan_central_release(struct kspan_central *central, struct list_head *detached,
				    bool dropped)
{
	struct kspan_span *span;
	unsigned long pages = 0;

	list_for_each_entry(span, detached, list) {
		if (dropped)
			forget_objects(span);
		if ((dropped || central->keeps_contents) && want_init_on_free())
			kspan_span_wipe(span);
		else
			kspan_unseal_span(span, central->seal_at);
		pages += kspan_span_nr_pages(span);
		kspan_span_unformat(span);
	}
	kspan_page_heap_free_spans(detached, dropped);
	kspan_account_uncharge(central->account, pages);
	return pages;
}

/**
 * kspan_central_trim() - give back the spans without an object
 * @central:	the central
 * @rcu:	after a grace period, which is waited for: then it sleeps
 * @most:	not many more pages than this
 *
 * Context: task, softirq, hardirq.
 * Return: how many pages they had.
 */
unsigned long kspan_central_trim(struct kspan_central *central, bool rcu, unsigned long most)
{
	unsigned long pages = 0, n;
	LIST_HEAD(detached);

	kspan_central_merge_all(central);
	while (pages < most && detach_some(central, &central->partial, false, &detached)) {
		if (rcu) {
			cond_resched();
			continue;
		}
		pages += kspan_central_release(central, &detached, false);
		INIT_LIST_HEAD(&detached);
	}
	if (!rcu || list_empty(&detached))
		return pages;
	synchronize_rcu();
	while (!list_empty(&detached)) {
		LIST_HEAD(some);

		for (n = 0; n < KSPAN_SPAN_BATCH && !list_empty(&detached); n++)
			list_move_tail(detached.next, &some);
		pages += kspan_central_release(central, &some, false);
		cond_resched();
	}
	return pages;
}

/**
 * kspan_central_keeps() - whether there is something that nobody uses
 * @central: the central, not locked
 *
 * Context: any.
 * Return: whether objects are in the depot, or a span of a private heap is without an
 * object; as it was a moment ago.
 */
bool kspan_central_keeps(struct kspan_central *central)
{
	struct list_head *last;
	bool keeps;

	if (kspan_glance(central->nr_depot_objects))
		return true;
	/* Whatever becomes of the span, its descriptor stays one. */
	rcu_read_lock();
	last = kspan_glance(central->partial.prev);
	keeps = last != &central->partial &&
		!kspan_glance(list_entry(last, struct kspan_span, list)->used);
	rcu_read_unlock();
	return keeps;
}

/**
 * kspan_central_drop() - give back all spans, whatever is in them
 * @central:	the central, of a heap that is being destroyed. What its magazines
 *		hold is worth nothing from here on.
 *
 * Context: task.
 * Return: how many slots were out.
 */
unsigned long kspan_central_drop(struct kspan_central *central)
{
	unsigned long out;

	kspan_central_merge_all(central);
	out = kspan_glance(central->nr_out);
	while (kspan_glance(central->nr_spans)) {
		LIST_HEAD(detached);

		if (detach_some(central, &central->full, true, &detached) ||
		    detach_some(central, &central->partial, true, &detached))
			kspan_central_release(central, &detached, true);
		/* A late free by an NMI keeps its span until it is merged. */
		kspan_central_merge_all(central);
		cond_resched();
	}
	return out;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_drop);

/* The next span with an object that is out, or NULL. */
static struct kspan_span *first_used(struct kspan_central *central)
{
	struct kspan_span *span;

	span = list_first_entry_or_null(&central->full, struct kspan_span, list);
	if (!span)
		span = first_partial(central);
	return span && span->used ? span : NULL;
}

/* A word of the objects of @span, if that is the next to be reset; else 0. */
static u64 out_of_word(struct kspan_central *central, struct kspan_span *span, unsigned int word)
{
	unsigned long flags;
	u64 out = 0;

	raw_spin_lock_irqsave(&central->lock, flags);
	if (span && first_used(central) == span && word < kspan_span_words(span))
		out = span->alloc_bits[word] & ~kspan_span_gone(span);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return out;
}

static void reset_object(const struct kspan_central *central, void *object)
{
	if (want_init_on_free())
		memset(object, 0, central->sc->size);
	kspan_seal(object, central->seal_at);
}

/*
 * Zero and seal the objects of the next span, without the lock: nobody uses them, and no page
 * is taken out of a span that an object is in. Another may become the next one meanwhile, as it
 * becomes hollow: then the rest is left. Returns the span.
 */
static struct kspan_span *reset_first_used(struct kspan_central *central)
{
	unsigned int word, words = DIV_ROUND_UP(central->sc->slots, 64);
	unsigned long flags, start = 0;
	size_t size = central->sc->size;
	struct kspan_span *span;

	raw_spin_lock_irqsave(&central->lock, flags);
	span = first_used(central);
	if (span)
		start = span->start;
	raw_spin_unlock_irqrestore(&central->lock, flags);
	for (word = 0; word < words; word++, start += 64 * size) {
		u64 out = out_of_word(central, span, word);

		for (; out; out &= out - 1)
			reset_object(central, (void *)(start + __ffs64(out) * size));
	}
	return span;
}

/**
 * kspan_central_reset() - free all objects, and keep the spans that are not hollow
 * @central:	the central, of a private heap that nobody uses meanwhile; all its
 *		magazines are empty
 *
 * Context: task.
 * Return: how many objects there were.
 */
unsigned long kspan_central_reset(struct kspan_central *central)
{
	bool singly = want_init_on_free() || static_branch_likely(&kspan_frees_exactly);
	struct kspan_span *span, *ready = NULL;
	unsigned long out = 0, flags;
	unsigned int steps;

	kspan_central_merge_all(central);
	do {
		LIST_HEAD(hollow);

		if (singly)
			ready = reset_first_used(central);
		raw_spin_lock_irqsave(&central->lock, flags);
		for (steps = singly ? 1 : KSPAN_STEPS;
		     steps && (span = first_used(central)); steps -= min(steps, 2U)) {
			/* Another one: that is to be made ready first. */
			if (singly && span != ready)
				break;
			forget_objects(span);
			central->nr_out -= span->used;
			out += span->used;
			kspan_span_clear(span);
			list_move_tail(&span->list, &central->partial);
			if (span->gone_pages)
				retire_locked(span, &hollow);
		}
		raw_spin_unlock_irqrestore(&central->lock, flags);
		free_spans(&hollow);
		cond_resched();
	} while (span);
	return out;
}

/* What of the depot nobody took for a while is more than its users need. */
static void depot_lost_one(struct kspan_central *central)
{
	central->nr_depot_full--;
	central->depot_low = min(central->depot_low, central->nr_depot_full);
}

static void *pop_depot_locked(struct kspan_central *central)
{
	struct kspan_magazine *mag;
	void *object;

	mag = list_first_entry_or_null(&central->depot_full, struct kspan_magazine, list);
	if (!mag)
		return NULL;
	object = mag->slot[--mag->count];
	central->nr_depot_objects--;
	if (!mag->count) {
		list_move(&mag->list, &central->depot_empty);
		depot_lost_one(central);
	}
	return object;
}

/**
 * kspan_central_alloc() - allocate one slot past the CPU caches
 * @central:	the central
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * Return: the object or NULL.
 */
void *kspan_central_alloc(struct kspan_central *central, gfp_t gfp)
{
	void *object = NULL;
	unsigned long flags;

	kspan_central_merge(central, gfp);
	if (!kspan_lock(&central->lock, &flags, gfp))
		return NULL;
	if (!take_locked(central, &object, 1, 1))
		object = pop_depot_locked(central);
	if (object)
		central->allocs++;
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return object;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_alloc);

/**
 * kspan_central_peek() - what an address is to the small span it lies in
 * @addr:	any address
 * @class:	class of the page it lies in, or KSPAN_CLASS_TINY
 *
 * Takes no lock. Only of an object that is the caller's nothing changes
 * meanwhile.
 *
 * Context: any, NMI included.
 * Return: enum kspan_slot_state; -ENOENT when @addr is not in a span of @class.
 */
int kspan_central_peek(unsigned long addr, unsigned int class)
{
	struct kspan_found found;
	int state = -ENOENT;

	rcu_read_lock_sched();
	if (kspan_lookup_small(addr, class, &found)) {
		state = kspan_found_slot(&found, addr);
		if (!kspan_found_stays(&found))
			state = -ENOENT;
	}
	rcu_read_unlock_sched();
	return state;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_peek);

/* A slot that is out becomes a free one, unless it is sealed; returns what it was. */
static enum kspan_slot_state seal_slot(const struct kspan_central *central, unsigned long addr,
				       bool trusted)
{
	if (!trusted && kspan_is_sealed((void *)addr, central->seal_at))
		return KSPAN_SLOT_SEALED;
	kspan_seal((void *)addr, central->seal_at);
	return KSPAN_SLOT_OUT;
}

/*
 * Free the slot if it is out, or report what it is; returns that, as
 * kspan_central_peek() does, or KSPAN_SLOT_SEALED.
 */
static int free_slot(unsigned long addr, unsigned int class, bool trusted)
{
	struct kspan_span *span;
	int state = -ENOENT;
	unsigned int index;
	LIST_HEAD(retired);

	rcu_read_lock();
	while (state < 0 && (span = kspan_map_span(addr))) {
		struct kspan_central *central;
		unsigned long flags;

		central = kspan_span_central(span);
		if (!central || READ_ONCE(span->class) != class)
			break;
		raw_spin_lock_irqsave(&central->lock, flags);
		/* Else the span was somebody else's meanwhile: look again. */
		if (own_span(central, addr) == span) {
			state = kspan_span_slot_state(span, addr, &index);
			if (state == KSPAN_SLOT_OUT)
				state = seal_slot(central, addr, trusted);
			if (state == KSPAN_SLOT_OUT)
				give_locked(span, index, &retired);
		}
		raw_spin_unlock_irqrestore(&central->lock, flags);
		if (state >= 0 && state != KSPAN_SLOT_OUT && state != KSPAN_SLOT_SEALED)
			report_slot(state, addr, central);
	}
	rcu_read_unlock();
	free_spans(&retired);
	return state;
}

/*
 * free_slot() for an NMI, which may have interrupted the owner of the lock. A wrong free
 * must not leave its bit in a span that took the place of this one: it is pinned.
 */
static int defer_slot(unsigned long addr, unsigned int class, bool trusted)
{
	struct kspan_found found;
	int state;

	if (!kspan_lookup_small(addr, class, &found) || !kspan_found_pin(&found))
		return -ENOENT;
	state = kspan_found_slot(&found, addr);
	if (state == KSPAN_SLOT_OUT)
		state = seal_slot(found.central, addr, trusted);
	if (state == KSPAN_SLOT_OUT && !kspan_span_defer(found.span, addr))
		state = KSPAN_SLOT_FREE;
	if (state == KSPAN_SLOT_OUT)
		defer_span(found.span, found.central);
	kspan_span_unpin(found.span);
	if (state != KSPAN_SLOT_OUT && state != KSPAN_SLOT_SEALED)
		report_slot(state, addr, found.central);
	return state;
}

/**
 * kspan_central_free_slot() - free one object past the CPU caches
 * @addr:	any address
 * @class:	class of the page it lies in, or KSPAN_CLASS_TINY
 * @trusted:	that it is sealed does not matter
 *
 * Frees the small object, or reports what is wrong with the address.
 *
 * Context: any, NMI included.
 * Return: KSPAN_SLOT_OUT when it was freed; KSPAN_SLOT_SEALED, and nothing done, when it may
 * have been freed before; another enum kspan_slot_state that was reported; -ENOENT, and nothing
 * done, when @addr is not in a span of @class.
 */
int kspan_central_free_slot(unsigned long addr, unsigned int class, bool trusted)
{
	return in_nmi() ? defer_slot(addr, class, trusted) : free_slot(addr, class, trusted);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_free_slot);

/* Whether the @nth magazine holds an object; -ENOENT where there are less. */
static int nth_magazine_holds(struct kspan_central *central, unsigned int nth,
			      const void *object)
{
	struct kspan_magazine *mag;
	int found = -ENOENT;
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&central->lock, flags);
	list_for_each_entry(mag, &central->depot_full, list) {
		if (nth--)
			continue;
		for (found = 0, i = 0; !found && i < mag->count; i++)
			found = mag->slot[i] == object;
		break;
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return found;
}

/**
 * kspan_depot_holds() - whether an object is in a magazine of the depot
 * @central:	the central, not locked
 * @object:	address
 * Return: whether it is; while others use the depot, the answer may be outdated.
 */
bool kspan_depot_holds(struct kspan_central *central, const void *object)
{
	unsigned int nth = 0;
	int found;

	do {
		found = nth_magazine_holds(central, nth++, object);
	} while (!found);
	return found > 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_holds);

/**
 * kspan_magazine_cap() - most objects that a magazine of a class can hold
 * @sc: size class
 * Return: 2...KSPAN_MAGAZINE_MAX.
 */
unsigned int kspan_magazine_cap(const struct kspan_size_class *sc)
{
	return clamp_t(unsigned int, kspan_magazine_bytes / sc->size, 2, KSPAN_MAGAZINE_MAX);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_magazine_cap);

/**
 * kspan_magazine_sizeof() - memory that a magazine of a class takes
 * @sc: size class
 * Return: bytes.
 */
size_t kspan_magazine_sizeof(const struct kspan_size_class *sc)
{
	const struct kspan_magazine *mag = NULL;

	return struct_size(mag, slot, kspan_magazine_cap(sc));
}

/* Magazines of the most objects that the depot of a class may hold. */
static unsigned int depot_limit(const struct kspan_size_class *sc)
{
	unsigned int bytes = kspan_magazine_cap(sc) * sc->size;

	return clamp_t(unsigned int, kspan_depot_bytes / bytes, 1, KSPAN_DEPOT_MAX);
}

/* What the depot is to have drawn for so many magazines and objects. */
static unsigned long depot_needs(const struct kspan_central *central, unsigned int magazines,
				 unsigned long objects)
{
	return objects * central->sc->size + magazines * kspan_magazine_sizeof(central->sc);
}

/* Bytes that a depot draws at once. */
#define KSPAN_DEPOT_STEP	(32UL * 1024)

/* In steps, so that most exchanges do without; if that is too much, what it takes. */
static bool draw_for_depot(struct kspan_central *central, unsigned long bytes)
{
	unsigned long more = bytes - central->depot_drawn, step = round_up(more, KSPAN_DEPOT_STEP);

	if (!kspan_budget_try(central->budget, step)) {
		step = more;
		if (!kspan_budget_draw(central->budget, step))
			return false;
	}
	central->depot_drawn += step;
	return true;
}

/* Nobody draws for less; the lock is held. */
static void give_surplus_of_depot(struct kspan_central *central)
{
	unsigned long bytes = depot_needs(central, central->nr_depot_full,
					  central->nr_depot_objects);

	if (bytes >= central->depot_drawn)
		return;
	kspan_budget_give(central->budget, central->depot_drawn - bytes);
	central->depot_drawn = bytes;
}

static bool depot_has_room(struct kspan_central *central, unsigned int count)
{
	unsigned long objects = central->nr_depot_objects + count, bytes;

	if (central->nr_depot_full >= KSPAN_DEPOT_MAX ||
	    (central->nr_depot_full && objects * central->sc->size > kspan_depot_bytes))
		return false;
	bytes = depot_needs(central, central->nr_depot_full + 1, objects);
	return bytes <= central->depot_drawn || draw_for_depot(central, bytes);
}

/**
 * kspan_depot_provision() - add an empty magazine to the depot if one is wanted
 * @central:	the central
 * @gfp:	flags for SLUB
 *
 * Context: as @gfp says; no lock held, CPU cache not busy.
 */
void kspan_depot_provision(struct kspan_central *central, gfp_t gfp)
{
	struct kspan_magazine *mag;
	unsigned long flags;

	if (likely(!kspan_glance(central->wanted)))
		return;
	mag = kmalloc(kspan_magazine_sizeof(central->sc),
		      kspan_gfp_metadata(gfp) | __GFP_NOWARN);
	if (!mag)
		return;
	mag->count = 0;
	mag->cap = kspan_magazine_cap(central->sc);
	raw_spin_lock_irqsave(&central->lock, flags);
	/* Another may have been quicker. */
	if (central->wanted) {
		list_add(&mag->list, &central->depot_empty);
		central->nr_magazines++;
		central->wanted = false;
		mag = NULL;
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	kfree(mag);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_provision);

static struct kspan_magazine *take_first(struct list_head *magazines)
{
	struct kspan_magazine *mag;

	mag = list_first_entry_or_null(magazines, struct kspan_magazine, list);
	if (mag)
		list_del(&mag->list);
	return mag;
}

/* A magazine with objects in exchange for @empty, which may be NULL. */
static struct kspan_magazine *take_full_locked(struct kspan_central *central,
					       struct kspan_magazine *empty)
{
	struct kspan_magazine *mag = take_first(&central->depot_full);

	if (!mag)
		return NULL;
	depot_lost_one(central);
	central->nr_depot_objects -= mag->count;
	if (empty)
		list_add(&empty->list, &central->depot_empty);
	return mag;
}

/* An empty magazine; what is missing is noted. */
static struct kspan_magazine *take_empty_locked(struct kspan_central *central)
{
	struct kspan_magazine *mag = take_first(&central->depot_empty);

	if (!mag && central->nr_magazines < depot_limit(central->sc) + 2 * nr_cpu_ids)
		central->wanted = true;
	return mag;
}

/* An empty magazine in exchange for @full, if the depot may take that. */
static struct kspan_magazine *put_full_locked(struct kspan_central *central,
					      struct kspan_magazine *full)
{
	struct kspan_magazine *empty;

	if (!depot_has_room(central, full->count))
		return NULL;
	empty = take_empty_locked(central);
	if (!empty)
		return NULL;
	list_add(&full->list, &central->depot_full);
	central->nr_depot_full++;
	central->nr_depot_objects += full->count;
	return empty;
}

/**
 * kspan_depot_take_full() - take a magazine with objects
 * @central:	the central
 * @empty:	given to the depot in exchange; may be NULL
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * Return: a magazine with at least one object, or NULL with @empty kept.
 */
struct kspan_magazine *kspan_depot_take_full(struct kspan_central *central,
					     struct kspan_magazine *empty, gfp_t gfp)
{
	struct kspan_magazine *mag;
	unsigned long flags;

	if (!kspan_lock(&central->lock, &flags, gfp))
		return NULL;
	mag = take_full_locked(central, empty);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return mag;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_take_full);

/**
 * kspan_depot_put_full() - exchange a full magazine for an empty one
 * @central:	the central
 * @full:	given to the depot; may be NULL
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * Return: an empty magazine; or NULL with @full kept when the depot has none,
 * or has reached its limit.
 */
struct kspan_magazine *kspan_depot_put_full(struct kspan_central *central,
					    struct kspan_magazine *full, gfp_t gfp)
{
	struct kspan_magazine *empty;
	unsigned long flags;

	if (!kspan_lock(&central->lock, &flags, gfp))
		return NULL;
	empty = full ? put_full_locked(central, full) : take_empty_locked(central);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return empty;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_put_full);

/* Most spans that are made at once. */
#define KSPAN_GROW_MAX	16U
/* take_locked() comes by all of them: none is left without an object. */
static_assert(KSPAN_STEPS + KSPAN_STEPS / 3 >= KSPAN_GROW_MAX);

/**
 * kspan_central_make_spans() - make spans for so many objects of free pages of the node
 * @central:	the central
 * @n:		objects
 * @spans:	receives the spans, formatted, no more than need be; kspan_central_stock() is to
 *		take them in, or kspan_central_release() to give them back
 *
 * Only where that takes neither SLUB nor the page allocator. Context: task, softirq, hardirq.
 *
 * Return: whether there are any.
 */
bool kspan_central_make_spans(struct kspan_central *central, unsigned int n,
			      struct list_head *spans)
{
	const struct kspan_size_class *sc = central->sc;
	unsigned int want = min(DIV_ROUND_UP(n, sc->slots), KSPAN_GROW_MAX), made;
	struct kspan_span *span;

	if (kspan_span_bitmap_bytes(sc) || central->keeps_contents || central->tracked ||
	    !kspan_account_charge(central->account, want * sc->pages, 0))
		return false;
	made = kspan_page_heap_alloc_spans(central->nid, sc->pages, sc->align,
					   central->page_class, want, spans);
	kspan_account_uncharge(central->account, (want - made) * sc->pages);
	list_for_each_entry(span, spans, list) {
		kspan_span_format(span, sc, false, KSPAN_GFP_NOLOCK);
		kspan_seal_span(span, central->seal_at);
	}
	return made;
}

static void adopt_locked(struct kspan_central *central, struct list_head *spans)
{
	struct kspan_span *span;

	list_for_each_entry(span, spans, list) {
		span->central = central;
		kspan_span_set_state(span, KSPAN_SPAN_SMALL);
		kspan_map_set_class(span);
		central->nr_spans++;
		central->base_pages += span->base_pages;
	}
	/* A private heap has those without an object at the end. */
	if (central->account)
		list_splice_tail(spans, &central->partial);
	else
		list_splice(spans, &central->partial);
}

/* Fill a magazine with @n objects, or as many as there are. */
static void fill_locked(struct kspan_central *central, struct kspan_magazine *mag,
			unsigned int n, unsigned int steps)
{
	unsigned int taken = take_locked(central, mag->slot, n, steps);

	if (taken && taken < n)
		memmove(mag->slot, mag->slot + n - taken, taken * sizeof(*mag->slot));
	mag->count = taken;
}

/**
 * kspan_central_stock() - put the objects of new spans into a magazine
 * @central:	the central of their class and node
 * @mag:	a CPU's magazine, which is empty
 * @n:		how many objects it may hold
 * @spans:	DETACHED spans, formatted; no more than KSPAN_GROW_MAX
 */
void kspan_central_stock(struct kspan_central *central, struct kspan_magazine *mag,
			 unsigned int n, struct list_head *spans)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&central->lock, flags);
	adopt_locked(central, spans);
	fill_locked(central, mag, n, KSPAN_STEPS);
	raw_spin_unlock_irqrestore(&central->lock, flags);
}

/**
 * kspan_central_load() - a magazine with objects for a CPU that has none
 * @central:	the central
 * @empty:	an empty magazine of the CPU, or NULL
 * @n:		objects to put into it, 1...kspan_magazine_cap()
 * @steps:	what may be done yet
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * A full one of the depot in exchange for @empty; else @empty, or an empty one
 * of the depot, with @n objects of the spans, or as many as there are.
 *
 * Return: the magazine, which is empty when the central has no object; or NULL
 * when there is no magazine to fill.
 */
struct kspan_magazine *kspan_central_load(struct kspan_central *central,
					  struct kspan_magazine *empty, unsigned int n,
					  unsigned int *steps, gfp_t gfp)
{
	struct kspan_magazine *mag;
	unsigned long flags;

	if (kspan_central_merge(central, gfp))
		leave_few(steps);
	if (!kspan_lock(&central->lock, &flags, gfp))
		return NULL;
	mag = take_full_locked(central, empty);
	if (!mag) {
		mag = empty ?: take_empty_locked(central);
		if (mag)
			fill_locked(central, mag, n, max(*steps, 1U));
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return mag;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_load);

/**
 * kspan_central_adopt() - take in a new span and allocate its first slot
 * @central:	the central of the span's class and node
 * @span:	a DETACHED span, formatted
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * Return: the object; or NULL, and the span is still the caller's.
 */
void *kspan_central_adopt(struct kspan_central *central, struct kspan_span *span, gfp_t gfp)
{
	unsigned long flags;
	LIST_HEAD(spans);
	void *object;

	if (!kspan_lock(&central->lock, &flags, gfp))
		return NULL;
	list_add(&span->list, &spans);
	adopt_locked(central, &spans);
	take_locked(central, &object, 1, 1);
	central->allocs++;
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return object;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_adopt);

/**
 * kspan_central_unload() - a magazine with room for a CPU that has full ones only
 * @central:	the central
 * @full:	a full magazine of the CPU
 * @steps:	what may be done, at least one; less by what was
 * @retired:	as for kspan_central_give_some()
 *
 * An empty one of the depot in exchange for @full; else @full, of whose objects the
 * oldest are returned to their spans, as far as the steps go.
 *
 * Return: the magazine.
 */
struct kspan_magazine *kspan_central_unload(struct kspan_central *central,
					    struct kspan_magazine *full, unsigned int *steps,
					    struct list_head *retired)
{
	unsigned int count = full->count, done = 0;
	struct kspan_magazine *empty;
	struct given given;
	unsigned long flags;

	if (kspan_central_merge(central, 0))
		leave_few(steps);
	raw_spin_lock_irqsave(&central->lock, flags);
	empty = put_full_locked(central, full);
	if (!empty) {
		/* First, or kspan_owns() would find there what others allocate anew. */
		WRITE_ONCE(full->count, 0);
		done = give_batch_locked(central, full->slot, count, &given, steps);
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	if (empty)
		return empty;
	finish_batch(central, full->slot, &given, retired);
	memmove(full->slot, full->slot + done, (count - done) * sizeof(*full->slot));
	/* An interrupt that looks through the magazine sees objects only. */
	barrier();
	WRITE_ONCE(full->count, count - done);
	return full;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_unload);

/**
 * kspan_depot_retire() - free a magazine of a CPU
 * @central:	the central
 * @mag:	the magazine; its objects are returned
 */
void kspan_depot_retire(struct kspan_central *central, struct kspan_magazine *mag)
{
	unsigned long flags;

	kspan_central_give(central, mag->slot, mag->count);
	raw_spin_lock_irqsave(&central->lock, flags);
	central->nr_magazines--;
	raw_spin_unlock_irqrestore(&central->lock, flags);
	kfree_rcu(mag, rcu);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_retire);

/* Return the objects of @n magazines of the depot to their spans. */
static void flush_some(struct kspan_central *central, unsigned int n)
{
	struct kspan_magazine *mag;
	unsigned long flags;

	while (n-- && (mag = kspan_depot_take_full(central, NULL, 0))) {
		kspan_central_give(central, mag->slot, mag->count);
		mag->count = 0;
		raw_spin_lock_irqsave(&central->lock, flags);
		list_add(&mag->list, &central->depot_empty);
		raw_spin_unlock_irqrestore(&central->lock, flags);
	}
}

static struct kspan_magazine *remove_empty_magazine(struct kspan_central *central)
{
	struct kspan_magazine *mag;
	unsigned long flags;

	raw_spin_lock_irqsave(&central->lock, flags);
	mag = take_first(&central->depot_empty);
	if (mag)
		central->nr_magazines--;
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return mag;
}

static void free_empty_magazines(struct kspan_central *central)
{
	struct kspan_magazine *mag;

	while ((mag = remove_empty_magazine(central)))
		kfree_rcu(mag, rcu);
}

/**
 * kspan_depot_return() - return objects of the depot to their spans, and free its empty magazines
 * @central:	the central
 * @n:		full magazines that are emptied, at most
 *
 * Context: task, softirq, hardirq.
 */
void kspan_depot_return(struct kspan_central *central, unsigned int n)
{
	unsigned long flags;

	kspan_central_merge_all(central);
	flush_some(central, n);
	raw_spin_lock_irqsave(&central->lock, flags);
	give_surplus_of_depot(central);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	free_empty_magazines(central);
}

/**
 * kspan_depot_flush() - return all objects of the depot to their spans, and free its magazines
 * @central: the central
 *
 * Context: task, softirq, hardirq.
 */
void kspan_depot_flush(struct kspan_central *central)
{
	kspan_depot_return(central, UINT_MAX);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_flush);

/**
 * kspan_depot_reap() - shrink the depot to what its users need
 * @central: the central
 *
 * The magazines that were there all the time since the last call are more than that:
 * their objects go back to the spans, and with them the empty ones. This is the
 * working set of Bonwick and Adams, "Magazines and Vmem", USENIX 2001.
 *
 * Context: task.
 */
void kspan_depot_reap(struct kspan_central *central)
{
	unsigned int n = kspan_glance(central->depot_low);
	unsigned long flags;

	kspan_central_merge_all(central);
	flush_some(central, n);
	raw_spin_lock_irqsave(&central->lock, flags);
	central->depot_low = central->nr_depot_full;
	give_surplus_of_depot(central);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	if (n || !central->nr_depot_full)
		free_empty_magazines(central);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_reap);
