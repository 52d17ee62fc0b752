/* SPDX-License-Identifier: GPL-2.0 */
/* The reserve of kspan_malloc_nolock(). */
#ifndef KSPAN_NOLOCK_H
#define KSPAN_NOLOCK_H

#include "heap.h"

void kspan_reserves_exit(struct kspan_heap *heap);

#endif /* KSPAN_NOLOCK_H */
