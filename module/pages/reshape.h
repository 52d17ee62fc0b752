/* SPDX-License-Identifier: GPL-2.0 */
/* Spans in use that lose pages, or get more; see reshape.c. */
#ifndef KSPAN_RESHAPE_H
#define KSPAN_RESHAPE_H

#include "pages/page_heap.h"

void kspan_page_heap_hollow(struct kspan_span *span, unsigned int pages);
bool kspan_page_heap_resize(unsigned long start, unsigned int npages, gfp_t gfp);

#endif /* KSPAN_RESHAPE_H */
