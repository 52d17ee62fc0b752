/* SPDX-License-Identifier: GPL-2.0 */
/* A private heap at its limit: how it gets room for a request. */
#ifndef KSPAN_LIMIT_H
#define KSPAN_LIMIT_H

#include "objects/heap.h"

size_t kspan_trim_centrals(struct kspan_heap *heap);

bool __kspan_private_relieve(struct kspan_heap *heap, size_t size, unsigned int *attempt,
			     gfp_t gfp);

/**
 * kspan_private_relieve() - make room for a request that a private heap could not serve
 * @heap:	any heap; the default heap has no limit, and nothing is done for it
 * @size:	bytes of the request
 * @attempt:	how far the attempts for this request have gone; the caller sets it to 0 before
 *		the first call and does not change it between calls
 * @gfp:	the caller's flags
 *
 * Context: as @gfp says; no lock held.
 * Return: whether the caller should try the request again.
 */
static inline bool kspan_private_relieve(struct kspan_heap *heap, size_t size,
					 unsigned int *attempt, gfp_t gfp)
{
	return heap->private && __kspan_private_relieve(heap, size, attempt, gfp);
}

#endif /* KSPAN_LIMIT_H */
