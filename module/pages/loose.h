/* SPDX-License-Identifier: GPL-2.0 */
/* Loose spans: blocks of the page allocator that are spans by themselves; see loose.c. */
#ifndef KSPAN_LOOSE_H
#define KSPAN_LOOSE_H

#include <linux/llist.h>

#include "pages/page_heap.h"

struct kspan_span *kspan_loose_alloc(int nid, unsigned int order, unsigned int class, gfp_t gfp);
void kspan_page_heap_alloc_loose(const struct kspan_request *rq, unsigned int order,
				 unsigned int n, struct list_head *spans);
struct kspan_span *kspan_page_heap_alloc_emergency(int nid, size_t size, gfp_t gfp);
void kspan_loose_unlink(struct kspan_page_heap *ph, struct kspan_span *span,
			struct llist_head *freed);
void kspan_loose_release(struct kspan_span *span);

#endif /* KSPAN_LOOSE_H */
