// SPDX-License-Identifier: GPL-2.0
/*
 * Frees of spans
 *
 * The pages of a span that is freed become free pages of their arena. An arena whose last
 * used page was freed is given back to the page allocator, except for what the scavenger
 * lets the node keep, and kspan_arena_reserve times 4 MiB, which is kept against thrashing.
 * The scavenger gives that back later. Neither is more than kspan_idle_allowance().
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
#include "pages/arena.h"
#include "pages/descriptor.h"
#include "pages/free.h"
#include "pages/loose.h"
#include "pages/map.h"
#include "pages/run.h"
#include "pages/spare.h"

static bool arena_is_surplus(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	unsigned long most = (unsigned long)READ_ONCE(kspan_arena_reserve) * KSPAN_ARENA_PAGES;

	return !arena->used && !arena->releasing &&
	       (arena->holes ||
		(ph->empty_pages > most && ph->pages > kspan_glance(ph->keep)) ||
		ph->empty_pages > kspan_idle_allowance(ph->nid));
}

/* Arenas, and DEAD loose spans, that a task is to give back. */
static LLIST_HEAD(to_release);
static LLIST_HEAD(loose_to_release);

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

/* Lazy: its interrupt would come at once, where preemption is off for our own sake. */
static struct irq_work release_irq_work = IRQ_WORK_INIT_LAZY(queue_release);

/** kspan_page_heap_release_queued() - do at once what frees left to a work item */
void kspan_page_heap_release_queued(void)
{
	release_listed(NULL);
}

/** kspan_page_heap_stop_releasing() - wait for the work item; nobody frees any more */
void kspan_page_heap_stop_releasing(void)
{
	irq_work_sync(&release_irq_work);
	cancel_work_sync(&release_work);
	release_listed(NULL);
}

/* What a free leaves to be done without the lock; @dropped: of a heap that goes. */
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

/* Arenas go by way of an interrupt to a task, from wherever a free may come. */
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

/* Pages of DEAD spans. */
static void free_pages_of_dead(struct kspan_page_heap *ph, struct kspan_arena *arena,
			       unsigned int first, unsigned int n, struct leftover *leftover)
{
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

/* The descriptor of a DEAD span. */
static void free_descriptor(struct kspan_page_heap *ph, struct kspan_span *span,
			    struct leftover *leftover)
{
	if (unlikely(span->gone_pages))
		kspan_map_clear_pages(span, kspan_span_own_pages(span));
	else
		kspan_map_clear(span);
	kspan_descriptor_keep(ph, span);
	if (leftover->may_release)
		kspan_descriptor_move_excess(ph, &leftover->descriptors);
}

/* What a DEAD span that was hollow still had. */
static noinline void free_own_pages(struct kspan_page_heap *ph, struct kspan_span *span,
				    struct leftover *leftover)
{
	struct kspan_arena *arena = span->arena;
	unsigned int start = kspan_arena_page_of(arena, span->start);
	unsigned long pages = kspan_span_own_pages(span), first, end;

	for_each_set_bitrange(first, end, &pages, KSPAN_HOLLOW_PAGES)
		free_pages_of_dead(ph, arena, start + first, end - first, leftover);
}

/* All that a DEAD span had. */
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
	free_dead(ph, span, &leftover);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	leftover_release(&leftover);
	return true;
}

/**
 * kspan_page_heap_free() - free a run of pages
 * @span:	the run; a DETACHED one belongs to the caller, of a LARGE one the
 *		caller may only know that it was there a moment ago
 * @start:	address of the run
 * @expected:	DETACHED, LARGE, LARGE_DEFERRED or LARGE_CACHED
 *
 * Context: task, softirq, hardirq.
 * Return: whether it was freed; false, and nothing done, when the span is no
 * longer what the caller took it for: somebody else freed it.
 */
bool kspan_page_heap_free(struct kspan_span *span, unsigned long start,
			  enum kspan_span_state expected)
{
	return free_span(span, start, expected, false);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_free);

/**
 * kspan_page_heap_drop() - free the run of a large object of a heap that goes
 * @span: LARGE_DEFERRED, the caller's
 *
 * Context: task, softirq, hardirq.
 */
void kspan_page_heap_drop(struct kspan_span *span)
{
	free_span(span, span->start, KSPAN_SPAN_LARGE_DEFERRED, true);
}

/* Runs, and spans of these, that are freed under one lock. */
#define KSPAN_RUNS_FREED	3
#define KSPAN_SPANS_FREED	10

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
		/* Neighbours are freed as one run. */
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
 * @spans:	DETACHED spans, the caller's; the list is undefined afterwards
 * @dropped:	they are of a heap that goes
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
 * kspan_page_heap_defer() - leave the freeing of a run to the next allocation
 * @span: the caller's run, LARGE_DEFERRED, or DETACHED and without bitmaps
 *
 * Context: any, NMI included.
 */
void kspan_page_heap_defer(struct kspan_span *span)
{
	llist_add(&span->deferred, &kspan_page_heaps[span->nid]->deferred);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_defer);

/* Frees of NMIs that an allocation completes. */
#define KSPAN_MERGES	4

static bool merge_one(struct kspan_page_heap *ph)
{
	struct llist_node *first;
	struct kspan_span *span;
	unsigned long flags;

	raw_spin_lock_irqsave(&ph->lock, flags);
	/* Whoever takes one holds the lock: NMIs only add. */
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
 * @gfp:	with KSPAN_GFP_NOLOCK they are left to others
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

/** kspan_page_heap_merge_all() - kspan_page_heap_merge() until nothing is left */
void kspan_page_heap_merge_all(struct kspan_page_heap *ph)
{
	while (!llist_empty(&ph->deferred) && merge_one(ph))
		;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_page_heap_merge_all);
