/* SPDX-License-Identifier: GPL-2.0 */
/* Batches of slots: from spans into arrays of object addresses, and back. */
#ifndef KSPAN_BATCH_H
#define KSPAN_BATCH_H

#include "objects/central.h"

/**
 * struct kspan_given - work that a batch of frees leaves for after the unlock
 * @retired:	spans without an object, to be freed
 * @nr_wrong:	addresses in the batch that are not the address of a slot that is out. They
 *		were moved to the start of the caller's array
 * @state:	enum kspan_slot_state of each of these addresses
 */
struct kspan_given {
	struct list_head retired;
	unsigned int nr_wrong;
	u8 state[KSPAN_MAGAZINE_MAX];
};

unsigned int kspan_batch_return_locked(struct kspan_central *central, void **slots,
				       unsigned int n, struct kspan_given *given,
				       unsigned int *steps);
void kspan_batch_finish(struct kspan_central *central, void **slots, struct kspan_given *given,
			struct list_head *retired);

unsigned int kspan_central_take(struct kspan_central *central, void **slots, unsigned int n,
				gfp_t gfp);
unsigned int kspan_central_return_some(struct kspan_central *central, void **slots,
				       unsigned int n, unsigned int *steps,
				       struct list_head *retired);
void kspan_central_return(struct kspan_central *central, void **slots, unsigned int n);

#endif /* KSPAN_BATCH_H */
