/* SPDX-License-Identifier: GPL-2.0 */
/* A private heap at its limit: what it gives up, and whom it asks. */
#ifndef KSPAN_LIMIT_H
#define KSPAN_LIMIT_H

#include "objects/heap.h"

size_t kspan_trim_centrals(struct kspan_heap *heap);

bool __kspan_private_relieve(struct kspan_heap *heap, size_t size, unsigned int *attempt,
			     gfp_t gfp);

/**
 * kspan_private_relieve() - do something for a request that a private heap can't serve
 * @heap:	any heap
 * @size:	bytes of the request
 * @attempt:	how far it went for the request, 0 at first; is told
 * @gfp:	the caller's flags
 *
 * Return: whether it is worth a new attempt.
 */
static inline bool kspan_private_relieve(struct kspan_heap *heap, size_t size,
					 unsigned int *attempt, gfp_t gfp)
{
	return heap->private && __kspan_private_relieve(heap, size, attempt, gfp);
}

#endif /* KSPAN_LIMIT_H */
