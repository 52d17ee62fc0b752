/* SPDX-License-Identifier: GPL-2.0 */
/* Objects above 32 KiB: a span each. */
#ifndef KSPAN_LARGE_H
#define KSPAN_LARGE_H

#include "objects/lookup.h"
#include "pages/account.h"
#include "pages/page_heap.h"

#define KSPAN_MAX_SIZE	KSPAN_ARENA_SIZE

/**
 * struct kspan_large_owner - the large objects of a private heap
 * @lock:	protects @spans and the counters
 * @spans:	LARGE ones, CHUNKs, and LARGE_DEFERRED ones that are in @deferred, too
 * @deferred:	those that an NMI freed; lock-free
 * @objects:	length of @spans
 * @pages:	of these
 * @allocs:	objects ever allocated
 * @account:	the heap's
 *
 * They are not kept by CPUs: their pages go back at once.
 */
struct kspan_large_owner {
	raw_spinlock_t lock;
	struct list_head spans;
	struct llist_head deferred;
	unsigned long objects;
	unsigned long pages;
	u64 allocs;
	struct kspan_account *account;
};

/**
 * struct kspan_chunk_id - what tells a chunk from others that had its pages, or have them now
 * @span:	its descriptor, only to be compared
 * @life:	of the descriptor, that the chunk is
 */
struct kspan_chunk_id {
	const struct kspan_span *span;
	u32 life;
};

/**
 * kspan_large_roundup() - what a request gets
 * @size: bytes, at most KSPAN_MAX_SIZE
 * Return: bytes.
 */
static inline size_t kspan_large_roundup(size_t size)
{
	return ALIGN(size, KSPAN_PAGE_SIZE);
}

static inline unsigned int kspan_large_pages(size_t size)
{
	return kspan_large_roundup(size) >> KSPAN_PAGE_SHIFT;
}

void *kspan_large_alloc(struct kspan_large_owner *owner, size_t size, int nid, gfp_t gfp);
void *kspan_large_alloc_chunk(struct kspan_large_owner *owner, size_t size, int nid, gfp_t gfp);
void *kspan_large_alloc_emergency(struct kspan_large_owner *owner, size_t size, int nid,
				  gfp_t gfp);
bool kspan_large_free(unsigned long addr);
bool kspan_large_free_chunk(unsigned long addr);
struct kspan_chunk_id kspan_large_chunk_id(unsigned long addr);
size_t kspan_large_hold(unsigned long addr, struct kspan_found *found);
void kspan_large_let_go(const struct kspan_found *found);
void kspan_large_free_held(const struct kspan_found *found);
size_t kspan_large_size(unsigned long addr);
bool kspan_large_resize(unsigned long addr, size_t size, gfp_t gfp);

void kspan_large_owner_init(struct kspan_large_owner *owner, struct kspan_account *account);
void kspan_large_merge(struct kspan_large_owner *owner);
unsigned long kspan_large_drop(struct kspan_large_owner *owner);

#endif /* KSPAN_LARGE_H */
