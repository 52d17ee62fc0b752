/* SPDX-License-Identifier: GPL-2.0 */
/* Release: arenas are given back to the page allocator; see release.c. */
#ifndef KSPAN_RELEASE_H
#define KSPAN_RELEASE_H

#include "pages/page_heap.h"

unsigned long kspan_page_heap_release(int nid, unsigned long want, bool holes);
void kspan_page_heap_release_all(void);
void kspan_page_heap_exit(void);

#endif /* KSPAN_RELEASE_H */
