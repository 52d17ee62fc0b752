/* SPDX-License-Identifier: GPL-2.0 */
/* Single slots: allocated, looked at and freed one by one, past the CPU caches. */
#ifndef KSPAN_SLOT_H
#define KSPAN_SLOT_H

#include "objects/central.h"

void *kspan_central_alloc(struct kspan_central *central, gfp_t gfp);
void *kspan_central_adopt(struct kspan_central *central, struct kspan_span *span, gfp_t gfp);
int kspan_central_peek(unsigned long addr, unsigned int class);
int kspan_central_free_slot(unsigned long addr, unsigned int class, bool trusted);

/*
 * Free an object that the caller knows to be in no magazine. Returns whether its address is in a
 * span of the class.
 */
static inline bool kspan_central_free(unsigned long addr, unsigned int class)
{
	return kspan_central_free_slot(addr, class, true) >= 0;
}

#endif /* KSPAN_SLOT_H */
