/* SPDX-License-Identifier: GPL-2.0 */
/* Objects in memory of vmalloc(), which serve requests that kspan has no contiguous pages for. */
#ifndef KSPAN_KV_H
#define KSPAN_KV_H

#include "objects/lookup.h"

struct kspan_heap;

/**
 * struct kspan_kv_owner - objects of a heap in memory of vmalloc()
 * @objects:	all of them; protected by kv_lock of kv.c
 * @live:	how many there are
 * @pages:	pages of kspan that they count as
 * @allocs:	how many there ever were
 */
struct kspan_kv_owner {
	struct list_head objects;
	atomic_long_t live;
	atomic_long_t pages;
	atomic_long_t allocs;
};

void kspan_kv_owner_init(struct kspan_kv_owner *owner);
struct kspan_kv_owner *kspan_kv_owner(struct kspan_heap *heap);
void *kspan_kv_alloc(struct kspan_heap *heap, size_t size, gfp_t gfp, int node, bool tried);
size_t kspan_kv_size(unsigned long addr);
struct kspan_heap *kspan_kv_heap(unsigned long addr);
struct kspan_heap *kspan_kv_around(unsigned long addr, unsigned long *start, size_t *size,
				   bool *live);
bool kspan_kv_free(unsigned long addr);
size_t kspan_kv_hold(unsigned long addr, struct kspan_found *held);
void kspan_kv_let_go(const struct kspan_found *held);
unsigned long kspan_kv_drop(struct kspan_heap *heap);
void kspan_kv_settle(void);
void kspan_kv_exit(void);

#endif /* KSPAN_KV_H */
