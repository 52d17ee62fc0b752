/* SPDX-License-Identifier: GPL-2.0 */
/* kspan_kvmalloc() for the rest of the API. */
#ifndef KSPAN_KVMALLOC_H
#define KSPAN_KVMALLOC_H

#include "objects/kv.h"

void *kspan_kvmalloc_from(struct kspan_heap *heap, size_t size, gfp_t gfp);

#endif /* KSPAN_KVMALLOC_H */
