/* SPDX-License-Identifier: GPL-2.0 */
/* Objects above 32 KiB: a span each. */
#ifndef KSPAN_LARGE_H
#define KSPAN_LARGE_H

#include "page_heap.h"

#define KSPAN_MAX_SIZE	KSPAN_ARENA_SIZE

size_t kspan_large_roundup(size_t size);
void *kspan_large_alloc(size_t size, int nid, gfp_t gfp);
void *kspan_large_alloc_emergency(size_t size, int nid, gfp_t gfp);
bool kspan_large_free(unsigned long addr);
size_t kspan_large_size(unsigned long addr);
bool kspan_large_resize(unsigned long addr, size_t size, gfp_t gfp);

#endif /* KSPAN_LARGE_H */
