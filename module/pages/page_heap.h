/* SPDX-License-Identifier: GPL-2.0 */
/* The arenas and free pages of a NUMA node. */
#ifndef KSPAN_PAGE_HEAP_H
#define KSPAN_PAGE_HEAP_H

#include <linux/numa.h>
#include <linux/rbtree.h>
#include <linux/sizes.h>

#include "pages/arena.h"
#include "pages/bucket.h"
#include "pages/span.h"

/* Most pages of a large span that a node keeps: 1 MiB. */
#define KSPAN_KEPT_PAGES	((unsigned int)(SZ_1M >> KSPAN_PAGE_SHIFT))

/**
 * struct kspan_kept - the large spans of one length that a node keeps
 * @spans:	DEAD spans; the one that was freed last is the first
 * @nr:		length of @spans
 * @low:	lowest value of @nr since the scavenger's last visit
 */
struct kspan_kept {
	struct list_head spans;
	unsigned int nr;
	unsigned int low;
};

/**
 * struct kspan_page_heap - page heap of one NUMA node
 * @lock:	protects all fields, the arenas, and the map's entries for their pages
 * @buckets:	arenas with free pages, see bucket.h; those at low addresses tend to be first
 * @filled:	a bit for each bucket that is not empty
 * @arenas:	all arenas by address
 * @deferred:	spans that an NMI left to be freed: LARGE_DEFERRED, or DETACHED and without
 *		bitmaps; lock-free
 * @spares:	DEAD descriptors for the next spans
 * @nr_spares:	length of @spares
 * @loose:	number of loose spans
 * @loose_pages: pages of these, of the kernel's size
 * @skip:	so many requests for small spans do not look for a new arena, because earlier
 *		ones looked in vain
 * @skip_next:	value that @skip gets when the next look is in vain
 * @loose_most:	order of the largest block that requests look for while @skip is not 0
 * @empty:	arenas without a used page
 * @nid:	the node
 * @nr_arenas:	number of arenas
 * @nr_empty:	length of @empty
 * @empty_pages: pages of these, without holes
 * @pages:	pages of all arenas, without holes; @pages = @used + free
 * @holes:	pages of arenas that were given back to the page allocator before the rest
 * @used:	pages of spans in use, in arenas
 * @peak:	most pages of arenas and loose spans that there ever were, of the kernel's size
 * @most_used:	highest value of @used since the scavenger last read it
 * @recent:	pages that were in use lately, by the scavenger's estimate
 * @keep:	while @pages is not above it, an arena that becomes empty is kept for the
 *		scavenger to give back later; 0 without a scavenger
 * @kept:	pages of the kernel's size in empty spans, which classes of the default heap
 *		keep, see empty.c, and in @kept_large; the former change with the class's lock
 * @kept_told:	value of @kept when @kept_large was last looked at for @reported
 * @kept_most:	while @kept is not above it, such spans are kept; 0 without a scavenger
 * @empty_class: class that gave up empty spans last
 * @kept_large:	large spans that are kept, by their number of pages less 1; see kept.c
 * @kept_lengths: a bit for each of these that is not empty
 * @kept_next:	bit from which on the next one that loses a span is looked for
 * @nr_kept_large: number of all these spans
 * @kept_large_pages: pages of the kernel's size in these spans; they are a part of @kept
 * @reported:	free pages, and those of @kept, that the kernel knows of, for MemAvailable
 * @wake_above:	with more free pages than this the scavenger has something to do
 * @released:	pages of arenas that were given back to the page allocator since load
 * @loose_released: the same of loose spans, in pages of the kernel's size
 * @large:	number of large spans in use
 * @large_pages: pages of these
 * @large_allocs: number of large spans ever allocated
 * @large_alloc_pages: pages of these
 *
 * Pages are of 8 KiB where nothing else is said.
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
	atomic_long_t kept;
	long kept_told;
	unsigned long kept_most;
	u8 empty_class;
	struct kspan_kept kept_large[KSPAN_KEPT_PAGES];
	DECLARE_BITMAP(kept_lengths, KSPAN_KEPT_PAGES);
	unsigned int kept_next;
	unsigned int nr_kept_large;
	unsigned long kept_large_pages;
	unsigned long reported;
	unsigned long wake_above;
	u64 released;
	u64 loose_released;
	unsigned long large;
	unsigned long large_pages;
	u64 large_allocs;
	u64 large_alloc_pages;
} ____cacheline_aligned_in_smp;

/* Most memory that a node keeps in empty arenas, in units of 4 MiB; a module parameter. */
extern unsigned int kspan_arena_reserve;

/*
 * Largest size of a new arena, in percent of the memory that the node has in arenas; 0 for
 * no such bound. A module parameter.
 */
extern unsigned int kspan_arena_growth;

/* The number of free pages is reported to the kernel when it has changed by so many. */
#define KSPAN_REPORT_STEP	64

/* An arena that is larger than the request needs has at least so many pages: 128 KiB. */
#define KSPAN_ARENA_LEAST	16U

/**
 * kspan_map_small_span() - find the small span that an address lies in
 * @addr:	any address
 *
 * The result stays a small span only while the lock of its central is held.
 *
 * Context: any, NMI included.
 * Return: the span, or NULL when the address is in no SMALL span.
 */
static __always_inline struct kspan_span *kspan_map_small_span(unsigned long addr)
{
	struct kspan_span *span = kspan_map_page_span(addr);

	/* Pairs with smp_store_release() in kspan_span_set_state() of span.h. */
	if (unlikely(!span) || unlikely(!kspan_span_is_small(smp_load_acquire(&span->state))))
		return NULL;
	return span;
}

/**
 * struct kspan_request - what a caller wants of the page heap: a run of pages
 * @nid:	preferred node, the only one with __GFP_THISNODE
 * @npages:	length, 1...KSPAN_ARENA_PAGES
 * @align:	alignment of the start in pages
 * @class:	size class of the span that the run becomes, 0 for a large object
 * @least:	order of the smallest block that is long enough; not used for a large object
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

/* What kspan knows of a page that belongs to no span. */
enum kspan_page_state {
	KSPAN_PAGE_FOREIGN,	/* in no arena */
	KSPAN_PAGE_NEVER_USED,
	KSPAN_PAGE_WAS_USED,
	KSPAN_PAGE_DROPPED,	/* was used; the last heap that had it was destroyed */
};

/**
 * struct kspan_page_look - a page of an arena, at one moment
 * @state:	enum kspan_page_state
 * @nid:	node of the arena
 * @page:	number of the page in the map
 * @is_free:	it is free
 * @kept:	it is not free, and the span that has it is a large one that was freed and is kept
 * @run:	length of the run of free pages that it is in
 */
struct kspan_page_look {
	enum kspan_page_state state;
	int nid;
	unsigned long page;
	bool is_free;
	bool kept;
	unsigned int run;
};

/* By NUMA node; for the files of pages/. Others call kspan_page_heap(). */
extern struct kspan_page_heap *kspan_page_heaps[MAX_NUMNODES];

int kspan_page_heap_init(void);
void kspan_page_heap_free_all(void);
struct kspan_page_heap *kspan_page_heap(int nid);
void kspan_page_heap_report(struct kspan_page_heap *ph);
bool kspan_page_heap_look(unsigned long addr, gfp_t gfp, struct kspan_page_look *look);
enum kspan_page_state kspan_page_heap_state(unsigned long addr);
unsigned long kspan_page_heap_free_runs(struct kspan_page_heap *ph);
struct kspan_arena *kspan_page_heap_next_arena(struct kspan_page_heap *ph, unsigned long start);

/* loose.c: blocks of the page allocator that are spans by themselves */
struct kspan_span *kspan_loose_alloc(int nid, unsigned int order, unsigned int class, gfp_t gfp);
void kspan_page_heap_alloc_loose(const struct kspan_request *rq, unsigned int order,
				 unsigned int n, struct list_head *spans);
struct kspan_span *kspan_page_heap_alloc_emergency(int nid, size_t size, gfp_t gfp);
void kspan_loose_unlink(struct kspan_page_heap *ph, struct kspan_span *span,
			struct llist_head *freed);
void kspan_loose_release(struct kspan_span *span);

/* span_free.c: frees of spans, those that an NMI leaves to others included */
bool kspan_page_heap_free(struct kspan_span *span, unsigned long start,
			  enum kspan_span_state expected);
void kspan_page_heap_drop(struct kspan_span *span);
void kspan_page_heap_free_spans(struct list_head *spans, bool dropped);
void kspan_page_heap_defer(struct kspan_span *span);
void kspan_page_heap_merge(struct kspan_page_heap *ph, gfp_t gfp);
void kspan_page_heap_merge_all(struct kspan_page_heap *ph);
void kspan_page_heap_release_queued(void);
void kspan_page_heap_stop_releasing(void);

/* reshape.c: spans in use lose pages, or get more */
void kspan_page_heap_hollow(struct kspan_span *span, unsigned int pages);
bool kspan_page_heap_resize(unsigned long start, unsigned int npages, gfp_t gfp);

/* hole.c: pages of an arena that are given back before the rest */
void kspan_hole_fill(struct kspan_page_heap *ph, struct kspan_arena *host,
		     struct kspan_arena *arena);
unsigned int kspan_hole_release(struct kspan_page_heap *ph);

/* release.c: arenas are given back to the page allocator */
unsigned long kspan_page_heap_release(int nid, unsigned long want, bool holes);
void kspan_page_heap_release_all(void);
void kspan_page_heap_exit(void);

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
