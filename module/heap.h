/* SPDX-License-Identifier: GPL-2.0 */
/* A heap: the centrals of all nodes, and a cache for every CPU. */
#ifndef KSPAN_HEAP_H
#define KSPAN_HEAP_H

#include "cpu_cache.h"

int kspan_heap_init(struct kspan_heap *heap, const char *name);
void kspan_heap_exit(struct kspan_heap *heap);
void kspan_heap_flush(struct kspan_heap *heap);

bool kspan_heap_caches(struct kspan_heap *heap, unsigned int class, const void *object);
void *kspan_heap_alloc_slot(struct kspan_heap *heap, unsigned int class, int nid, gfp_t gfp);
void *kspan_heap_grow(struct kspan_heap *heap, unsigned int class, int nid, gfp_t gfp);

void *kspan_heap_alloc_chunk(struct kspan_heap *heap, size_t size, gfp_t gfp);
void kspan_heap_free_chunk(void *chunk);

#endif /* KSPAN_HEAP_H */
