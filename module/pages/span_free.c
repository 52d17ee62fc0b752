// SPDX-License-Identifier: GPL-2.0
/*
 * Frees of spans
 *
 * The pages of a span that is freed become free pages of their arena. An arena whose last
 * used page was freed is given back to the page allocator, except for what the scavenger
 * lets the node keep, and kspan_arena_reserve times 4 MiB, which is kept against thrashing.
 * The scavenger gives that back later. Neither is more than kspan_idle_allowance(), less what
 * classes keep in empty spans.
 *
 * The page allocator can't be called with the lock held, and not everywhere without it. So a
 * free collects what it leaves over in a struct leftover while it has the lock. Afterwards it
 * gives that back itself, or a work item does so.
 *
 * An NMI can't take the lock. It leaves the whole span in a lock-free list; the next
 * allocation on the node frees it.
 *
 * Context: task, softirq, hardirq; NMI where a function says so.
 */
#include <linux/irq_work.h>
#include <linux/kmemleak.h>
#include <linux/workqueue.h>

#include "base/kunit_export.h"
#include "base/trace.h"
#include "pages/arena.h"
#include "pages/descriptor.h"
#include "pages/kept.h"
#include "pages/map.h"
#include "pages/page_heap.h"
#include "pages/run.h"
#include "pages/spare.h"

/*
 * Whether an arena is to be given back now: it is empty, and has holes, or is more than the node
 * keeps. An arena from which kspan_hole_release() is giving pages back stays.
 */
static bool arena_is_surplus(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	unsigned long most = (unsigned long)READ_ONCE(kspan_arena_reserve) * KSPAN_ARENA_PAGES;
	unsigned long idle = ph->empty_pages + (atomic_long_read(&ph->kept) >> KSPAN_PAGE_ORDER);

	lockdep_assert_held(&ph->lock);
	return !arena->used && !arena->releasing &&
	       (arena->holes ||
		(ph->empty_pages > most && ph->pages > kspan_glance(ph->keep)) ||
		idle > kspan_idle_allowance(ph->nid));
}

/* Arenas, and DEAD loose spans, that the work item gives back. */
static LLIST_HEAD(to_release);
static LLIST_HEAD(loose_to_release);

/* Give back what frees left in the two lists. Context: task. */
static void release_listed(struct work_struct *work)
{
	struct kspan_arena *arena, *next;
	struct kspan_span *span, *next_span;

	llist_for_each_entry_safe(arena, next, llist_del_all(&to_release), release)
		kspan_arena_free(arena);
	llist_for_each_entry_safe(span, next_span, llist_del_all(&loose_to_release), deferred)
		kspan_loose_release(span);
}

static DECLARE_WORK(release_work, release_listed);

static void queue_release(struct irq_work *work)
{
	schedule_work(&release_work);
}

/*
 * Lazy: other irq work interrupts the CPU at once, and the interrupt would prolong the time for
 * which kspan has preemption off.
 */
static struct irq_work release_irq_work = IRQ_WORK_INIT_LAZY(queue_release);

/**
 * kspan_page_heap_release_queued() - give back at once what frees left to the work item
 *
 * Context: task.
 */
void kspan_page_heap_release_queued(void)
{
	release_listed(NULL);
}

/**
 * kspan_page_heap_stop_releasing() - end the work item at unload
 *
 * The caller makes sure that there are no frees any more. Context: task; sleeps.
 */
void kspan_page_heap_stop_releasing(void)
{
	irq_work_sync(&release_irq_work);
	cancel_work_sync(&release_work);
	release_listed(NULL);
}

/**
 * struct leftover - what a free leaves to be done without the lock
 * @may_release: the context allows calls of the page allocator and SLUB
 * @dropped:	the span is of a heap that is being destroyed
 * @arenas:	arenas to be given back
 * @loose:	DEAD loose spans whose blocks are to be given back
 * @descriptors: DEAD descriptors to be freed
 */
struct leftover {
	bool may_release;
	bool dropped;
	struct llist_head arenas;
	struct llist_head loose;
	struct list_head descriptors;
};

static void leftover_init(struct leftover *leftover, bool dropped)
{
	leftover->dropped = dropped;
	leftover->may_release = kspan_may_release();
	init_llist_head(&leftover->arenas);
	init_llist_head(&leftover->loose);
	INIT_LIST_HEAD(&leftover->descriptors);
}

/*
 * Finish a free, without the lock. Where the page allocator can't be called, arenas and loose
 * spans are queued; an interrupt then queues the work item. That works from wherever a free
 * may come, while to queue the work item directly does not.
 */
static void leftover_release(struct leftover *leftover)
{
	struct llist_node *arenas = __llist_del_all(&leftover->arenas);
	struct llist_node *loose = __llist_del_all(&leftover->loose);
	struct kspan_span *span, *next_span;
	struct kspan_arena *arena, *next;

	if (!list_empty(&leftover->descriptors))
		kspan_span_free_descriptors(&leftover->descriptors);
	if (!arenas && !loose)
		return;
	llist_for_each_entry_safe(span, next_span, loose, deferred) {
		if (leftover->may_release)
			kspan_loose_release(span);
		else
			llist_add(&span->deferred, &loose_to_release);
	}
	llist_for_each_entry_safe(arena, next, arenas, release) {
		if (leftover->may_release)
			kspan_arena_free(arena);
		else
			llist_add(&arena->release, &to_release);
	}
	if (!leftover->may_release)
		irq_work_queue(&release_irq_work);
}

/* Free pages whose span is DEAD. The arena is unlinked if it is surplus now. */
static void free_pages_of_dead(struct kspan_page_heap *ph, struct kspan_arena *arena,
			       unsigned int first, unsigned int n, struct leftover *leftover)
{
	lockdep_assert_held(&ph->lock);
	kspan_page_heap_free_pages(ph, arena, first, n);
	if (leftover->dropped) {
		kspan_run_set(arena->dropped, first, n);
		arena->any_dropped = true;
	}
	if (!arena->used && arena_is_surplus(ph, arena)) {
		kspan_page_heap_unlink_arena(ph, arena);
		__llist_add(&arena->release, &leftover->arenas);
	}
}

/* Take a DEAD span out of the map, and keep its descriptor as a spare one. */
static void free_descriptor(struct kspan_page_heap *ph, struct kspan_span *span,
			    struct leftover *leftover)
{
	lockdep_assert_held(&ph->lock);
	trace_kspan_span_free(ph->nid, kspan_map_page(span->start), kspan_span_bytes(span),
			      span->class);
	if (unlikely(span->gone_pages))
		kspan_map_clear_pages(span, kspan_span_own_pages(span));
	else
		kspan_map_clear(span);
	kspan_descriptor_keep(ph, span);
	if (leftover->may_release)
		kspan_descriptor_move_excess(ph, &leftover->descriptors);
}

/* Free the pages that a DEAD span still had, which was hollow. */
static noinline void free_own_pages(struct kspan_page_heap *ph, struct kspan_span *span,
				    struct leftover *leftover)
{
	struct kspan_arena *arena = span->arena;
	unsigned int start = kspan_arena_page_of(arena, span->start);
	unsigned long pages = kspan_span_own_pages(span), first, end;

	for_each_set_bitrange(first, end, &pages, KSPAN_HOLLOW_PAGES)
		free_pages_of_dead(ph, arena, start + first, end - first, leftover);
}

/* Free all that belongs to a DEAD span. */
static void free_dead(struct kspan_page_heap *ph, struct kspan_span *span,
		      struct leftover *leftover)
{
	if (unlikely(kspan_span_is_loose(span)))
		return kspan_loose_unlink(ph, span, &leftover->loose);
	free_descriptor(ph, span, leftover);
	if (unlikely(span->gone_pages))
		free_own_pages(ph, span, leftover);
	else
		free_pages_of_dead(ph, span->arena, kspan_arena_page_of(span->arena, span->start),
				   kspan_span_npages(span), leftover);
}

/* See kspan_page_heap_free(); @dropped: the span is of a heap that is being destroyed. */
static bool free_span(struct kspan_span *span, unsigned long start,
		      enum kspan_span_state expected, bool dropped)
{
	unsigned int nid = READ_ONCE(span->nid);
	struct kspan_page_heap *ph = kspan_page_heaps[nid];
	struct leftover leftover;
	unsigned long flags;

	leftover_init(&leftover, dropped);
	raw_spin_lock_irqsave(&ph->lock, flags);
	if (span->nid != nid || span->start != start ||
	    !kspan_span_change_state(span, expected, KSPAN_SPAN_DEAD)) {
		raw_spin_unlock_irqrestore(&ph->lock, flags);
		return false;
	}
	if (expected != KSPAN_SPAN_DETACHED) {
		ph->large--;
		kspan_descriptor_account_large(ph, -(int)kspan_span_npages(span));
	}
	if (expected == KSPAN_SPAN_DETACHED || dropped || !kspan_kept_put(ph, span))
		free_dead(ph, span, &leftover);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	leftover_release(&leftover);
	return true;
}

/**
 * kspan_page_heap_free() - free a run of pages
 * @span:	descriptor of the run. A DETACHED span belongs to the caller. Of a LARGE span
 *		the caller may know only that it was there a moment ago.
 * @start:	address of the run
 * @expected:	state that the span should have: DETACHED, LARGE, LARGE_DEFERRED or LARGE_CACHED
 *
 * Context: task, softirq, hardirq.
 * Return: whether the span was freed. If it is no longer at @start or in the state @expected,
 * another CPU has freed it; then nothing is done.
 */
bool kspan_page_heap_free(struct kspan_span *span, unsigned long start,
			  enum kspan_span_state expected)
{
	return free_span(span, start, expected, false);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_free);

/**
 * kspan_page_heap_drop() - free a large object of a heap that is being destroyed
 * @span: a LARGE_DEFERRED span that belongs to the caller
 *
 * Context: task, softirq, hardirq.
 */
void kspan_page_heap_drop(struct kspan_span *span)
{
	free_span(span, span->start, KSPAN_SPAN_LARGE_DEFERRED, true);
}

/* Free DEAD spans that are kept no longer. */
static void free_evicted(struct kspan_page_heap *ph, struct list_head *spans,
			 struct leftover *leftover)
{
	struct kspan_span *span, *next;

	lockdep_assert_held(&ph->lock);
	list_for_each_entry_safe(span, next, spans, list)
		free_dead(ph, span, leftover);
}

/**
 * kspan_kept_free() - free large spans that the node keeps, of all lengths in turn
 * @nid:	node
 * @n:		most spans
 * @want:	stop after so many pages of 8 KiB, or a few more
 *
 * Context: task, softirq, hardirq.
 * Return: how many pages of 8 KiB became free.
 */
unsigned long kspan_kept_free(int nid, unsigned int n, unsigned long want)
{
	struct kspan_page_heap *ph = kspan_page_heaps[nid];
	unsigned long pages = 0, flags;
	struct leftover leftover;
	unsigned int some;

	/* Others may go on to free and keep some meanwhile. */
	n = min(n, kspan_glance(ph->nr_kept_large));
	while (n && pages < want && kspan_glance(ph->nr_kept_large)) {
		LIST_HEAD(spans);

		leftover_init(&leftover, false);
		some = min(n, KSPAN_KEPT_GIVEN);
		n -= some;
		raw_spin_lock_irqsave(&ph->lock, flags);
		for (; some && pages < want && ph->nr_kept_large; some--)
			pages += kspan_kept_evict(ph, &spans);
		free_evicted(ph, &spans, &leftover);
		raw_spin_unlock_irqrestore(&ph->lock, flags);
		leftover_release(&leftover);
	}
	return pages;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_kept_free);

/**
 * kspan_kept_free_at() - free the large span that the node keeps at an address
 * @ph:		the node's page heap, not locked
 * @addr:	address of a page of the node
 *
 * Context: task, softirq, hardirq.
 * Return: whether a kept span began there.
 */
bool kspan_kept_free_at(struct kspan_page_heap *ph, unsigned long addr)
{
	struct leftover leftover;
	struct kspan_span *span;
	unsigned long flags;
	bool kept;

	leftover_init(&leftover, false);
	raw_spin_lock_irqsave(&ph->lock, flags);
	span = kspan_map_span(addr);
	/* No other span is DEAD and in the map while the lock is free. */
	kept = span && span->start == addr && span->nid == ph->nid &&
	       span->state == KSPAN_SPAN_DEAD;
	if (kept) {
		kspan_kept_remove(ph, span);
		free_dead(ph, span, &leftover);
	}
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	leftover_release(&leftover);
	return kept;
}

/* kspan_kept_reap() of one length. */
static void reap_length(struct kspan_page_heap *ph, struct kspan_kept *kept, unsigned int npages)
{
	unsigned int n = kspan_glance(kept->low), i;
	struct leftover leftover;
	unsigned long flags;

	do {
		LIST_HEAD(spans);

		leftover_init(&leftover, false);
		raw_spin_lock_irqsave(&ph->lock, flags);
		n = min(n, kept->nr);
		for (i = 0; i < KSPAN_KEPT_GIVEN && n; i++, n--)
			kspan_kept_evict_length(ph, npages, &spans);
		free_evicted(ph, &spans, &leftover);
		kept->low = kept->nr;
		raw_spin_unlock_irqrestore(&ph->lock, flags);
		leftover_release(&leftover);
		cond_resched();
	} while (n);
}

/**
 * kspan_kept_reap() - free large spans that the node has not needed since the last call
 * @nid: node
 *
 * That is as many of each length as were kept all the time since then.
 *
 * Context: task.
 */
void kspan_kept_reap(int nid)
{
	struct kspan_page_heap *ph = kspan_page_heaps[nid];
	unsigned int npages;

	for (npages = 1; npages <= KSPAN_KEPT_PAGES; npages++)
		if (kspan_glance(ph->kept_large[npages - 1].nr))
			reap_length(ph, &ph->kept_large[npages - 1], npages);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_kept_reap);

/* Most runs, and most spans in all of these, that are freed while the lock is held once. */
#define KSPAN_RUNS_FREED	3
#define KSPAN_SPANS_FREED	10

/* Free the first spans of a list. Neighbours that follow one another are freed as one run. */
static void free_some_spans(struct kspan_page_heap *ph, struct list_head *spans,
			    struct leftover *leftover)
{
	unsigned int first = 0, end = 0, runs = 0, n = 0;
	struct kspan_arena *arena = NULL;
	struct kspan_span *span, *next;

	list_for_each_entry_safe(span, next, spans, list) {
		bool single = kspan_span_is_loose(span) || span->gone_pages;
		unsigned int page = single ? 0 : kspan_arena_page_of(span->arena, span->start);
		unsigned int npages = kspan_span_npages(span);
		bool behind = !single && span->arena == arena && page == end;
		bool before = !single && span->arena == arena && page + npages == first;

		if (n++ == KSPAN_SPANS_FREED || (!behind && !before && runs++ == KSPAN_RUNS_FREED))
			break;
		list_del(&span->list);
		kspan_span_set_state(span, KSPAN_SPAN_DEAD);
		if (unlikely(single)) {
			free_dead(ph, span, leftover);
			continue;
		}
		free_descriptor(ph, span, leftover);
		/* Extend the run, or free it and begin another one. */
		if (behind) {
			end += npages;
		} else if (before) {
			first = page;
		} else {
			if (arena)
				free_pages_of_dead(ph, arena, first, end - first, leftover);
			arena = span->arena;
			first = page;
			end = page + npages;
		}
	}
	if (arena)
		free_pages_of_dead(ph, arena, first, end - first, leftover);
}

/**
 * kspan_page_heap_free_spans() - free many runs of pages of one node
 * @spans:	list of DETACHED spans that belong to the caller; undefined afterwards
 * @dropped:	the spans are of a heap that is being destroyed
 *
 * Context: task, softirq, hardirq.
 */
void kspan_page_heap_free_spans(struct list_head *spans, bool dropped)
{
	struct kspan_page_heap *ph;
	struct leftover leftover;
	unsigned long flags;

	if (list_empty(spans))
		return;
	ph = kspan_page_heaps[list_first_entry(spans, struct kspan_span, list)->nid];
	while (!list_empty(spans)) {
		leftover_init(&leftover, dropped);
		raw_spin_lock_irqsave(&ph->lock, flags);
		free_some_spans(ph, spans, &leftover);
		raw_spin_unlock_irqrestore(&ph->lock, flags);
		leftover_release(&leftover);
	}
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_free_spans);

/**
 * kspan_page_heap_defer() - leave the freeing of a run to the next allocation on its node
 * @span: belongs to the caller; LARGE_DEFERRED, or DETACHED and without bitmaps
 *
 * Context: any, NMI included.
 */
void kspan_page_heap_defer(struct kspan_span *span)
{
	llist_add(&span->deferred, &kspan_page_heaps[span->nid]->deferred);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_defer);

/* Most deferred frees that one allocation completes. */
#define KSPAN_MERGES	4

/* Complete one deferred free. Returns whether there was one. */
static bool merge_one(struct kspan_page_heap *ph)
{
	struct llist_node *first;
	struct kspan_span *span;
	unsigned long flags;

	raw_spin_lock_irqsave(&ph->lock, flags);
	/* llist_del_first() needs one remover at a time, which the lock sees to. NMIs only add. */
	first = llist_del_first(&ph->deferred);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	if (!first)
		return false;
	span = llist_entry(first, struct kspan_span, deferred);
	if (span->state == KSPAN_SPAN_LARGE_DEFERRED)
		kmemleak_free((void *)span->start);
	kspan_page_heap_free(span, span->start, span->state);
	return true;
}

/**
 * kspan_page_heap_merge() - complete some of the frees that NMIs left behind
 * @ph:		page heap, not locked
 * @gfp:	flags of the allocation; with KSPAN_GFP_NOLOCK nothing is done
 */
void kspan_page_heap_merge(struct kspan_page_heap *ph, gfp_t gfp)
{
	unsigned int n = KSPAN_MERGES;

	if (likely(llist_empty(&ph->deferred)) || (gfp & KSPAN_GFP_NOLOCK))
		return;
	while (n-- && merge_one(ph))
		;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_merge);

/**
 * kspan_page_heap_merge_all() - complete all frees that NMIs left behind
 * @ph: page heap, not locked
 */
void kspan_page_heap_merge_all(struct kspan_page_heap *ph)
{
	while (!llist_empty(&ph->deferred) && merge_one(ph))
		;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_merge_all);
