/* SPDX-License-Identifier: GPL-2.0 */
/* Holes: pages of an arena that were given back before the rest; see hole.c. */
#ifndef KSPAN_HOLE_H
#define KSPAN_HOLE_H

#include "pages/page_heap.h"

void kspan_hole_fill(struct kspan_page_heap *ph, struct kspan_arena *host,
		     struct kspan_arena *arena);
unsigned int kspan_hole_release(struct kspan_page_heap *ph);

#endif /* KSPAN_HOLE_H */
