/* SPDX-License-Identifier: GPL-2.0 */
/* Spare descriptors of a node, and the spans that are made with them; see descriptor.c. */
#ifndef KSPAN_DESCRIPTOR_H
#define KSPAN_DESCRIPTOR_H

#include "pages/page_heap.h"

/* A caller that can have new descriptors made leaves so many spare ones to NMIs. */
#define KSPAN_SPARES_LEFT	4U

/* A DEAD descriptor becomes spare. */
static inline void kspan_descriptor_keep(struct kspan_page_heap *ph, struct kspan_span *span)
{
	lockdep_assert_held(&ph->lock);
	list_add(&span->list, &ph->spares);
	ph->nr_spares++;
}

/* Large spans have @pages more pages than before, or less if it is negative. */
static inline void kspan_descriptor_account_large(struct kspan_page_heap *ph, int pages)
{
	lockdep_assert_held(&ph->lock);
	ph->large_pages += pages;
	if (pages > 0)
		ph->large_alloc_pages += pages;
}

struct kspan_span *kspan_descriptor_make_at(struct kspan_page_heap *ph, struct kspan_arena *arena,
					    unsigned long start, unsigned int base_pages,
					    unsigned int class);
struct kspan_span *kspan_descriptor_make(struct kspan_page_heap *ph, struct kspan_arena *arena,
					 unsigned int first, unsigned int npages,
					 unsigned int class);
struct kspan_span *kspan_descriptor_take_span(struct kspan_page_heap *ph,
					      struct kspan_arena *arena, unsigned int first,
					      unsigned int npages, unsigned int class);
void kspan_descriptor_revive_large(struct kspan_page_heap *ph, struct kspan_span *span);
void kspan_descriptor_move_excess(struct kspan_page_heap *ph, struct list_head *excess);
void kspan_descriptor_trim(struct kspan_page_heap *ph);

bool __kspan_lock_with_descriptor(struct kspan_page_heap *ph, unsigned long *flags, gfp_t gfp);

/*
 * Lock the page heap when there is a spare descriptor. Returns false, and does not lock, when
 * there is no memory for one, or the lock can't be had with KSPAN_GFP_NOLOCK.
 */
#define kspan_lock_with_descriptor(ph, flags, gfp) ({				\
	struct kspan_page_heap *__ph = (ph);					\
										\
	__cond_lock(&__ph->lock, __kspan_lock_with_descriptor(__ph, flags, gfp)); \
})

#endif /* KSPAN_DESCRIPTOR_H */
