/* SPDX-License-Identifier: GPL-2.0 */
/* The spans of one class on one node, and the depot of magazines. */
#ifndef KSPAN_CENTRAL_H
#define KSPAN_CENTRAL_H

#include "objects/budget.h"
#include "pages/account.h"
#include "pages/free.h"
#include "pages/page_heap.h"
#include "pages/release.h"
#include "pages/reshape.h"
#include "pages/source.h"

struct kspan_heap;

/**
 * struct kspan_central - one size class of a heap on one node
 * @lock:	protects all fields, the slots of the spans, and the depot
 * @class:	size class, as the heap counts them; fixed
 * @page_class:	what the map is to say of the pages: @class, or of a private heap
 *		KSPAN_CLASS_PRIVATE unless it is of tiny objects; fixed
 * @nid:	node; fixed
 * @sc:		what spans look like; fixed
 * @heap:	whose it is; fixed
 * @name:	the heap's, for reports; fixed
 * @budget:	the heap's, or that of all; fixed
 * @account:	of a private heap, which keeps spans without an object; fixed
 * @seal_at:	the heap's; fixed
 * @gone:	the heap's; NULL for a heap that does not want to know; fixed
 * @tracked:	spans have room for the call sites of their objects; fixed
 * @ctor:	called once for every slot of a new span, or NULL; fixed
 * @keeps_contents: what is in a slot stays when it is freed, for the next owner or for
 *		readers under RCU; fixed
 * @partial:	spans with a free slot, the one to take from first
 * @full:	spans without
 * @depot_full:	magazines that hold objects
 * @depot_empty: magazines that hold none
 * @deferred:	spans that an NMI freed a slot of; lock-free
 * @nr_spans:	spans on both lists
 * @base_pages:	the kernel's pages of these
 * @hollow_next: address of the span that kspan_central_hollow() goes on with, or 0
 * @nr_out:	slots that are out: cached + live
 * @nr_depot_full: magazines on @depot_full
 * @nr_depot_objects: objects in them
 * @depot_drawn: bytes that the depot has drawn from @budget for these
 * @depot_low:	least value of @nr_depot_full since the scavenger saw it
 * @nr_magazines: magazines of this class and node, wherever they are
 * @wanted:	somebody found @depot_empty empty
 * @allocs:	slots handed to callers one by one, past the CPU caches
 */
struct kspan_central {
	raw_spinlock_t lock;
	u8 class;
	u8 page_class;
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
 * How much is done at a time where interrupts or preemption are off, in steps: a step
 * is a word of slots that goes into or out of its span, and a span on its way from one
 * list to another; a span that is freed there takes some. Those whose last object a CPU gave
 * back are freed after it has left its cache.
 */
#define KSPAN_STEPS		12U
#define KSPAN_STEPS_SPAN	4U

static inline void kspan_steps_take(unsigned int *steps, unsigned int n)
{
	*steps -= min(*steps, n);
}

/* Most full magazines of a depot. */
#define KSPAN_DEPOT_MAX		128U

/* Bytes of objects that a magazine, and that a depot, may hold; parameters. */
extern unsigned int kspan_magazine_bytes;
extern unsigned int kspan_depot_bytes;

void kspan_central_init(struct kspan_central *central, const struct kspan_size_class *sc,
			unsigned int class, int nid);
void kspan_central_exit(struct kspan_central *central);
unsigned long kspan_central_trim(struct kspan_central *central, bool rcu, unsigned long most);
bool kspan_central_keeps(struct kspan_central *central);
unsigned long kspan_central_drop(struct kspan_central *central);
unsigned long kspan_central_reset(struct kspan_central *central);
unsigned long kspan_central_hollow_count(const struct kspan_central *central);
unsigned long kspan_central_hollow(struct kspan_central *central, unsigned long want,
				   unsigned long *looks);

bool __kspan_central_merge(struct kspan_central *central);
void kspan_central_merge_all(struct kspan_central *central);

/**
 * kspan_central_merge() - complete some of the frees that NMIs left behind
 * @central:	the central, not locked
 * @gfp:	with KSPAN_GFP_NOLOCK they are left to others
 *
 * Return: whether there were any, for those who have other work to do.
 */
static inline bool kspan_central_merge(struct kspan_central *central, gfp_t gfp)
{
	if (likely(llist_empty(&central->deferred)) || (gfp & KSPAN_GFP_NOLOCK))
		return false;
	__kspan_central_merge(central);
	return true;
}

unsigned int kspan_central_take(struct kspan_central *central, void **slots, unsigned int n,
				gfp_t gfp);
unsigned int kspan_central_give_some(struct kspan_central *central, void **slots,
				     unsigned int n, unsigned int *steps,
				     struct list_head *retired);
void kspan_central_free_retired(struct list_head *retired);
void kspan_central_give(struct kspan_central *central, void **slots, unsigned int n);
void *kspan_central_alloc(struct kspan_central *central, gfp_t gfp);
void *kspan_central_adopt(struct kspan_central *central, struct kspan_span *span, gfp_t gfp);
int kspan_central_free_slot(unsigned long addr, unsigned int class, bool trusted);

/* The same by who knows that it is in no magazine; whether it was in a span of the class. */
static inline bool kspan_central_free(unsigned long addr, unsigned int class)
{
	return kspan_central_free_slot(addr, class, true) >= 0;
}

int kspan_central_peek(unsigned long addr, unsigned int class);
bool kspan_depot_holds(struct kspan_central *central, const void *object);

/* A span went, or pages of one: what was known of where the heap's spans are is out of date. */
static inline void kspan_central_note_gone(struct kspan_central *central)
{
	if (central->gone)
		atomic_inc(central->gone);
}

/* Bytes of a slot that are the object's. */
static inline unsigned int kspan_central_usable(const struct kspan_central *central)
{
	return central->seal_at ?: central->sc->size;
}

unsigned int kspan_magazine_cap(const struct kspan_size_class *sc);
size_t kspan_magazine_sizeof(const struct kspan_size_class *sc);
void kspan_depot_provision(struct kspan_central *central, gfp_t gfp);
struct kspan_magazine *kspan_depot_take_full(struct kspan_central *central,
					     struct kspan_magazine *empty, gfp_t gfp);
struct kspan_magazine *kspan_depot_put_full(struct kspan_central *central,
					    struct kspan_magazine *full, gfp_t gfp);
struct kspan_magazine *kspan_central_load(struct kspan_central *central,
					  struct kspan_magazine *empty, unsigned int n,
					  unsigned int *steps, gfp_t gfp);
bool kspan_central_make_spans(struct kspan_central *central, unsigned int n,
			      struct list_head *spans);
unsigned long kspan_central_release(struct kspan_central *central, struct list_head *detached,
				    bool dropped);
void kspan_central_stock(struct kspan_central *central, struct kspan_magazine *mag,
			 unsigned int n, struct list_head *spans);
struct kspan_magazine *kspan_central_unload(struct kspan_central *central,
					    struct kspan_magazine *full, unsigned int *steps,
					    struct list_head *retired);
void kspan_depot_retire(struct kspan_central *central, struct kspan_magazine *mag);
void kspan_depot_return(struct kspan_central *central, unsigned int n);
void kspan_depot_flush(struct kspan_central *central);
void kspan_depot_reap(struct kspan_central *central);

#endif /* KSPAN_CENTRAL_H */
