/* SPDX-License-Identifier: GPL-2.0 */
/* The spans of one size class of a heap on one node. */
#ifndef KSPAN_CENTRAL_H
#define KSPAN_CENTRAL_H

#include "objects/budget.h"
#include "objects/profile.h"
#include "pages/account.h"
#include "pages/map.h"
#include "pages/page_heap.h"
#include "pages/source.h"
#include "pages/span.h"

struct kspan_heap;

/**
 * struct kspan_central - one size class of a heap on one node
 * @lock:	protects all fields that are neither fixed nor lock-free, the slots and the
 *		list of the spans, and the magazines in the depot
 * @class:	size class, as the heap counts them; fixed
 * @page_class:	class that the map gives for the pages of the spans: @class, or
 *		KSPAN_CLASS_PRIVATE for a private heap unless the class is of tiny objects; fixed
 * @cached_class: class of the CPU caches that take a freed object: @class; or 0, which is none,
 *		for sampled objects; fixed
 * @sampled:	the objects are sampled by the heap profile; fixed
 * @tracked:	the spans have a word for each of their objects: its call site, or its sample; fixed
 * @seal_at:	offset of a slot's seal, as in the heap; fixed
 * @gone:	counter of the heap, incremented when a span or pages of one leave the central;
 *		NULL if the heap does not cache where its spans are; fixed
 * @nid:	node; fixed
 * @sc:		size, number of slots and alignment of the spans; fixed
 * @heap:	heap that the central is part of; fixed
 * @name:	name of the heap, for reports; fixed
 * @budget:	budget that the depot draws from: the heap's own, or the one of all heaps; fixed
 * @account:	page counter of a private heap, which keeps spans without an object; NULL for
 *		the default heap, which keeps them within bounds, see empty.c; fixed
 * @ctor:	function that is called once for every slot of a new span, or NULL; fixed
 * @keeps_contents: a free must not change the contents of a slot, because the next owner
 *		or readers under RCU rely on them; fixed
 * @partial:	spans with a free slot; slots are taken from the first span
 * @full:	spans without a free slot
 * @depot_full:	magazines that hold objects
 * @depot_empty: magazines that hold none
 * @deferred:	spans with a slot that an NMI freed; lock-free
 * @nr_spans:	spans on @partial and @full
 * @base_pages:	pages of these spans, in units of PAGE_SIZE
 * @nr_empty:	spans without an object, at the end of @partial
 * @empty_low:	lowest value of @nr_empty since the scavenger's last visit
 * @hollow_next: address of the span where the next kspan_central_hollow() starts, or 0
 * @nr_out:	slots that are out: cached + live
 * @nr_depot_full: magazines on @depot_full
 * @nr_depot_objects: objects in them
 * @depot_drawn: bytes that the depot has drawn from @budget for these
 * @depot_low:	lowest value of @nr_depot_full since the scavenger's last visit
 * @nr_magazines: magazines of this class and node, in the depot or with a CPU
 * @wanted:	a CPU found @depot_empty empty and @nr_magazines below its limit
 * @allocs:	slots that callers got one by one, past the CPU caches
 *
 * Nearly all code that takes @lock does a bounded amount of work under it; see KSPAN_STEPS.
 */
struct kspan_central {
	raw_spinlock_t lock;
	u8 class;
	u8 page_class;
	u8 cached_class;
	bool sampled;
	bool tracked;
	unsigned int seal_at;
	atomic_t *gone;
	int nid;
	const struct kspan_size_class *sc;
	struct kspan_heap *heap;
	const char *name;
	struct kspan_budget *budget;
	struct kspan_account *account;
	void (*ctor)(void *object);
	bool keeps_contents;
	struct list_head partial;
	struct list_head full;
	struct list_head depot_full;
	struct list_head depot_empty;
	struct llist_head deferred;
	unsigned long nr_spans;
	unsigned long base_pages;
	unsigned int nr_empty;
	unsigned int empty_low;
	unsigned long hollow_next;
	unsigned long nr_out;
	unsigned int nr_depot_full;
	unsigned long nr_depot_objects;
	unsigned long depot_drawn;
	unsigned int depot_low;
	unsigned int nr_magazines;
	bool wanted;
	u64 allocs;
} ____cacheline_aligned_in_smp;

/*
 * The work that may be done at a time while interrupts or preemption are off, in steps. One step
 * pays for a word of slots that enters or leaves its span, or for a span that moves from one
 * list to another. To free a span there takes KSPAN_STEPS_SPAN steps. Spans whose last
 * object a CPU returned from its cache cost no steps: the CPU frees them after it has left the
 * cache.
 */
#define KSPAN_STEPS		12U
#define KSPAN_STEPS_SPAN	4U

static inline void kspan_steps_take(unsigned int *steps, unsigned int n)
{
	*steps -= min(*steps, n);
}

/* The caller has used up most steps for other work; it may use only a few for its own. */
static inline void kspan_steps_leave_few(unsigned int *steps)
{
	*steps = min(*steps, KSPAN_STEPS / 4);
}

void kspan_central_init(struct kspan_central *central, const struct kspan_size_class *sc,
			unsigned int class, int nid);

bool kspan_central_make_spans(struct kspan_central *central, unsigned int n,
			      struct list_head *spans);
void kspan_central_free_spans(struct list_head *retired);
void kspan_central_free_retired(struct list_head *retired);

/* The caller of these holds the lock. */
void kspan_central_adopt_locked(struct kspan_central *central, struct list_head *spans);
unsigned int kspan_central_take_locked(struct kspan_central *central, void **slots,
				       unsigned int n, unsigned int steps);
void kspan_central_defer_span(struct kspan_span *span, struct kspan_central *central);
bool kspan_central_detach_locked(struct kspan_span *span, struct list_head *retired);
void kspan_central_retire_locked(struct kspan_span *span, struct list_head *retired);

/* central_trim.c */
unsigned long kspan_central_retire_detached(struct kspan_central *central,
					    struct list_head *detached, bool dropped);
unsigned long kspan_central_trim(struct kspan_central *central, bool rcu, unsigned long most);
bool kspan_central_keeps(struct kspan_central *central);
unsigned long kspan_central_drop(struct kspan_central *central);
unsigned long kspan_central_reset(struct kspan_central *central);

/* hollow.c */
unsigned long kspan_central_hollow_count(const struct kspan_central *central);
unsigned long kspan_central_hollow(struct kspan_central *central, unsigned long want,
				   unsigned long *looks);

/* A span or pages of one leave the central: the heap must look up anew where its spans are. */
static inline void kspan_central_note_gone(struct kspan_central *central)
{
	if (central->gone)
		atomic_inc(central->gone);
}

/* The call site by the word that a span of @central has for a slot; 0 if it is not known. */
static inline unsigned long kspan_word_site(const struct kspan_central *central,
					    unsigned long word)
{
	if (!central->sampled)
		return word;
	return word ? READ_ONCE(((struct kspan_sample *)word)->site) : 0;
}

/* Bytes of a slot that the object's owner may use; a seal behind the object takes the rest. */
static inline unsigned int kspan_central_usable(const struct kspan_central *central)
{
	return central->seal_at ?: central->sc->size;
}

/* A span without an object stays in the central, or enters it. The caller holds the lock. */
static inline void kspan_central_count_empty(struct kspan_central *central,
					     const struct kspan_span *span)
{
	central->nr_empty++;
	if (!central->account)
		atomic_long_add(span->base_pages, &kspan_page_heap(central->nid)->kept);
}

/* A span that had no object gets one, or leaves the central. The caller holds the lock. */
static inline void kspan_central_uncount_empty(struct kspan_central *central,
					       const struct kspan_span *span)
{
	central->nr_empty--;
	central->empty_low = min(central->empty_low, central->nr_empty);
	if (!central->account)
		atomic_long_sub(span->base_pages, &kspan_page_heap(central->nid)->kept);
}

static inline struct kspan_span *kspan_central_first_partial(struct kspan_central *central)
{
	return list_first_entry_or_null(&central->partial, struct kspan_span, list);
}

/*
 * Return the central's span that contains @addr, or NULL. The page of @addr had the central's
 * class when the address was put into a magazine, but the span may have been freed since.
 * The caller holds the lock of the central; then a span that is SMALL and names this
 * central stays what it is.
 */
static __always_inline struct kspan_span *
kspan_central_own_span(struct kspan_central *central, unsigned long addr)
{
	struct kspan_span *span = kspan_map_entry_span(addr);

	/* Pairs with the release in kspan_span_set_state(), span.h. */
	if (!span || !kspan_span_is_small(smp_load_acquire(&span->state)) ||
	    span->central != central)
		return NULL;
	return span;
}

/*
 * Free @n slots, the bits @slots of word @word, all of which are out. A span that has no object
 * any more is retired. The caller holds the lock of the central.
 */
static __always_inline void
kspan_central_return_word_locked(struct kspan_span *span, unsigned int word, u64 slots,
				 unsigned int n, struct list_head *retired)
{
	struct kspan_central *central = span->central;
	bool was_full = span->used == span->nslots;

	kspan_span_return(span, word, slots, n);
	central->nr_out -= n;
	if (was_full)
		list_move(&span->list, &central->partial);
	if (!span->used)
		kspan_central_retire_locked(span, retired);
}

#endif /* KSPAN_CENTRAL_H */
