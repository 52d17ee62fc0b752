/* SPDX-License-Identifier: GPL-2.0 */
/* Reserves: objects that were set aside for allocation without locks. */
#ifndef KSPAN_RESERVE_H
#define KSPAN_RESERVE_H

#include <linux/gfp.h>

struct kspan_heap;

int kspan_prefill_class(struct kspan_heap *heap, unsigned int class, unsigned int n, gfp_t gfp);
void *kspan_reserve_take(struct kspan_heap *heap, unsigned int class);
void kspan_reserves_drop(struct kspan_heap *heap);

#endif /* KSPAN_RESERVE_H */
