/* SPDX-License-Identifier: GPL-2.0 */
/* The arenas and free pages of a NUMA node. */
#ifndef KSPAN_PAGE_HEAP_H
#define KSPAN_PAGE_HEAP_H

#include <linux/numa.h>
#include <linux/rbtree.h>

#include "pages/arena.h"
#include "pages/bucket.h"
#include "pages/span.h"

/**
 * struct kspan_page_heap - arenas of one node, and their free pages
 * @lock:	protects all fields, the arenas, and the map's entries for them
 * @buckets:	arenas with free pages; lower ones tend to be first
 * @filled:	a bit for each bucket that is not empty
 * @arenas:	all arenas by address
 * @deferred:	spans to be freed, left behind by NMIs: LARGE_DEFERRED, or
 *		DETACHED and without bitmaps; lock-free
 * @spares:	DEAD descriptors for the next spans
 * @nr_spares:	length of @spares
 * @loose:	loose spans
 * @loose_pages: the kernel's pages of these
 * @skip:	requests for spans that ask for no arena, since there was none of late
 * @skip_next:	how many that are to be when there is none again
 * @loose_most:	meanwhile, order of the largest block that is asked for
 * @empty:	arenas without a used page
 * @nid:	the node
 * @nr_arenas:	arenas
 * @nr_empty:	length of @empty
 * @empty_pages: pages of these
 * @pages:	pages of all arenas; pages = used + free
 * @holes:	pages of arenas that went back to the page allocator before the others
 * @used:	pages of spans in use
 * @peak:	the kernel's pages, most that there were in arenas and loose spans
 * @most_used:	highest value of @used since the scavenger saw it
 * @recent:	pages that were in use lately, as the scavenger takes it
 * @keep:	pages that are not given back when an arena becomes empty: the scavenger
 *		does that later; 0 without one
 * @reported:	free pages that the kernel knows of, for MemAvailable
 * @wake_above:	free pages from which on the scavenger has something to do
 * @released:	pages of arenas given back to buddy since load
 * @loose_released: the kernel's pages of loose spans given back
 * @large:	large spans in use
 * @large_pages: pages of large spans in use
 * @large_allocs: large spans ever allocated
 * @large_alloc_pages: their pages
 */
struct kspan_page_heap {
	raw_spinlock_t lock;
	struct list_head buckets[KSPAN_NR_BUCKETS];
	unsigned long filled;
	struct rb_root arenas;
	struct llist_head deferred;
	struct list_head spares;
	unsigned int nr_spares;
	unsigned long loose;
	unsigned long loose_pages;
	u8 skip;
	u8 skip_next;
	u8 loose_most;
	struct list_head empty;
	int nid;
	unsigned long nr_arenas;
	unsigned long nr_empty;
	unsigned long empty_pages;
	unsigned long pages;
	unsigned long holes;
	unsigned long used;
	unsigned long peak;
	unsigned long most_used;
	unsigned long recent;
	unsigned long keep;
	unsigned long reported;
	unsigned long wake_above;
	u64 released;
	u64 loose_released;
	unsigned long large;
	unsigned long large_pages;
	u64 large_allocs;
	u64 large_alloc_pages;
} ____cacheline_aligned_in_smp;

/* What a node keeps in empty arenas at most, in units of 4 MiB; a module parameter. */
extern unsigned int kspan_arena_reserve;

/* Percent by which a new arena lets a node's memory grow; a module parameter. */
extern unsigned int kspan_arena_growth;

/* Free pages that the kernel is told late of. */
#define KSPAN_REPORT_STEP	64

/* Least pages of an arena that is more than a request needs: 128 KiB. */
#define KSPAN_ARENA_LEAST	16U

/**
 * kspan_map_small_span() - span of a small object
 * @addr:	any address
 *
 * Context: any, NMI included; the span is sure to stay one only under the lock of its
 * central.
 * Return: the span, or NULL when the address is in none that is SMALL.
 */
static __always_inline struct kspan_span *kspan_map_small_span(unsigned long addr)
{
	struct kspan_span *span = kspan_map_page_span(addr);

	/* Pairs with the release in kspan_span_set_state(). */
	if (unlikely(!span) || unlikely(!kspan_span_is_small(smp_load_acquire(&span->state))))
		return NULL;
	return span;
}

/**
 * struct kspan_request - a run of pages that is wanted
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @npages:	length, 1...KSPAN_ARENA_PAGES
 * @align:	alignment of the start in pages
 * @class:	size class of the span that it will be, 0 for a large one
 * @least:	order of the smallest block that will do; of a large one not used
 * @gfp:	the caller's flags
 */
struct kspan_request {
	int nid;
	unsigned int npages;
	unsigned int align;
	unsigned int class;
	unsigned int least;
	gfp_t gfp;
};

/* What a page without a span is. */
enum kspan_page_state {
	KSPAN_PAGE_FOREIGN,	/* in no arena */
	KSPAN_PAGE_NEVER_USED,
	KSPAN_PAGE_WAS_USED,
	KSPAN_PAGE_DROPPED,	/* last by a heap that was destroyed */
};

extern struct kspan_page_heap *kspan_page_heaps[MAX_NUMNODES];

int kspan_page_heap_init(void);
void kspan_page_heap_free_all(void);
struct kspan_page_heap *kspan_page_heap(int nid);
void kspan_page_heap_report(struct kspan_page_heap *ph);
enum kspan_page_state kspan_page_heap_state(unsigned long addr);
unsigned long kspan_page_heap_free_runs(struct kspan_page_heap *ph);
struct kspan_arena *kspan_page_heap_next_arena(struct kspan_page_heap *ph, unsigned long start);

/* The rest is for the files of pages/ alone; the caller holds the lock of the page heap. */
void kspan_page_heap_report_idle(struct kspan_page_heap *ph, unsigned long idle);
void kspan_page_heap_idle_changed(struct kspan_page_heap *ph);
void kspan_page_heap_remove_empty(struct kspan_page_heap *ph, struct kspan_arena *arena);
void kspan_page_heap_take_pages(struct kspan_page_heap *ph, struct kspan_arena *arena,
				unsigned int first, unsigned int n);
void kspan_page_heap_free_pages(struct kspan_page_heap *ph, struct kspan_arena *arena,
				unsigned int first, unsigned int n);
void kspan_page_heap_note_peak(struct kspan_page_heap *ph);
void kspan_page_heap_link_arena(struct kspan_page_heap *ph, struct kspan_arena *arena);
void kspan_page_heap_unlink_arena(struct kspan_page_heap *ph, struct kspan_arena *arena);
struct kspan_arena *kspan_page_heap_arena_at(struct kspan_page_heap *ph, unsigned long addr);

#endif /* KSPAN_PAGE_HEAP_H */
