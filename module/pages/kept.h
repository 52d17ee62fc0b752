/* SPDX-License-Identifier: GPL-2.0 */
/* Large spans that a node keeps. */
#ifndef KSPAN_KEPT_H
#define KSPAN_KEPT_H

#include "pages/page_heap.h"

/* Kept spans that are freed while the lock is held once. */
#define KSPAN_KEPT_GIVEN	2U

/* The caller holds the lock. */
void kspan_kept_remove(struct kspan_page_heap *ph, struct kspan_span *span);
bool kspan_kept_put(struct kspan_page_heap *ph, struct kspan_span *span);
struct kspan_span *kspan_kept_take(struct kspan_page_heap *ph, unsigned int npages,
				   unsigned int align);
void kspan_kept_evict_length(struct kspan_page_heap *ph, unsigned int npages,
			     struct list_head *spans);
unsigned int kspan_kept_evict(struct kspan_page_heap *ph, struct list_head *spans);

/* It does not; span_free.c. */
unsigned long kspan_kept_free(int nid, unsigned int n, unsigned long want);
bool kspan_kept_free_at(struct kspan_page_heap *ph, unsigned long addr);
void kspan_kept_reap(int nid);

#endif /* KSPAN_KEPT_H */
