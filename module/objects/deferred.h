/* SPDX-License-Identifier: GPL-2.0 */
/* Frees of slots that an NMI deferred, and how others complete them. */
#ifndef KSPAN_DEFERRED_H
#define KSPAN_DEFERRED_H

#include "base/context.h"
#include "objects/central.h"

bool __kspan_central_merge(struct kspan_central *central);
void kspan_central_merge_all(struct kspan_central *central);

/**
 * kspan_central_merge() - complete some of the frees that NMIs deferred
 * @central:	the caller does not hold its lock
 * @gfp:	with KSPAN_GFP_NOLOCK nothing is done, and other callers complete the frees
 *
 * Return: whether there were any; then the caller should do less work of its own.
 */
static inline bool kspan_central_merge(struct kspan_central *central, gfp_t gfp)
{
	if (likely(llist_empty(&central->deferred)) || (gfp & KSPAN_GFP_NOLOCK))
		return false;
	__kspan_central_merge(central);
	return true;
}

#endif /* KSPAN_DEFERRED_H */
