/* SPDX-License-Identifier: GPL-2.0 */
/* Arenas: blocks of the buddy allocator that spans are made in; see arena.c. */
#ifndef KSPAN_ARENA_H
#define KSPAN_ARENA_H

#include "pages/block.h"

/* Number within the arena of the page of 8 KiB that an address of it lies in. */
static inline unsigned int kspan_arena_page_of(const struct kspan_arena *arena, unsigned long addr)
{
	return (addr - arena->start) >> KSPAN_PAGE_SHIFT;
}

struct kspan_arena *kspan_arena_alloc(int nid, unsigned int npages, unsigned int most,
				      gfp_t gfp);
void kspan_arena_free_pages(struct kspan_arena *arena, const unsigned long *pages);
void kspan_arena_free(struct kspan_arena *arena);

#endif /* KSPAN_ARENA_H */
