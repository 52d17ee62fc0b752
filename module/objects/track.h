/* SPDX-License-Identifier: GPL-2.0 */
/* Where the live objects of a private heap were allocated. */
#ifndef KSPAN_TRACK_H
#define KSPAN_TRACK_H

#include "objects/heap.h"

/* Track all private heaps that are made from now on; a module parameter. */
extern bool kspan_track_heaps;

/**
 * struct kspan_site - live objects of one call site
 * @site:	return address of the call that allocated the objects
 * @objects:	number of objects
 * @bytes:	bytes of their slots, or pages if they are large
 */
struct kspan_site {
	unsigned long site;
	unsigned long objects;
	u64 bytes;
};

void __kspan_track(const void *object, unsigned long site);

/* Note the call site of a new object if its heap is tracked. Returns the object. */
static __always_inline void *kspan_track(const struct kspan_heap *heap, void *object,
					 unsigned long site)
{
	if (unlikely(heap->tracked))
		__kspan_track(object, site);
	return object;
}

struct kspan_site *kspan_track_sum(struct kspan_heap *heap, unsigned int *nr_sites);
void kspan_track_report(struct kspan_heap *heap);

#endif /* KSPAN_TRACK_H */
