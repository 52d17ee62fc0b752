/* SPDX-License-Identifier: GPL-2.0 */
/* Allocation that waits for nothing, and the reserves for it. */
#ifndef KSPAN_NOLOCK_H
#define KSPAN_NOLOCK_H

#include <linux/gfp.h>

struct kspan_heap;

int kspan_prefill_class(struct kspan_heap *heap, unsigned int class, unsigned int n, gfp_t gfp);
void *kspan_malloc_class_nolock(struct kspan_heap *heap, unsigned int class);
void kspan_reserves_drop(struct kspan_heap *heap);

#endif /* KSPAN_NOLOCK_H */
