/* SPDX-License-Identifier: GPL-2.0 */
/* Frees of spans, those that an NMI leaves to others included; see span_free.c. */
#ifndef KSPAN_SPAN_FREE_H
#define KSPAN_SPAN_FREE_H

#include "pages/page_heap.h"

bool kspan_page_heap_free(struct kspan_span *span, unsigned long start,
			  enum kspan_span_state expected);
void kspan_page_heap_drop(struct kspan_span *span);
void kspan_page_heap_free_spans(struct list_head *spans, bool dropped);
void kspan_page_heap_defer(struct kspan_span *span);
void kspan_page_heap_merge(struct kspan_page_heap *ph, gfp_t gfp);
void kspan_page_heap_merge_all(struct kspan_page_heap *ph);
void kspan_page_heap_release_queued(void);
void kspan_page_heap_stop_releasing(void);

#endif /* KSPAN_SPAN_FREE_H */
