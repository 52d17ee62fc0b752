/* SPDX-License-Identifier: GPL-2.0 */
/* Large objects: above 32 KiB, a span each. */
#ifndef KSPAN_LARGE_H
#define KSPAN_LARGE_H

#include "objects/lookup.h"
#include "pages/account.h"
#include "pages/page_heap.h"
#include "pages/source.h"

#define KSPAN_MAX_SIZE	KSPAN_ARENA_SIZE

/**
 * struct kspan_large_owner - the large objects of a private heap
 * @lock:	protects @spans and the counters
 * @spans:	its LARGE spans and CHUNKs; LARGE_DEFERRED ones, too, until they are merged
 * @deferred:	spans that an NMI freed; lock-free
 * @objects:	length of @spans
 * @pages:	pages of these spans
 * @allocs:	objects ever allocated
 * @account:	the heap's
 *
 * CPUs do not keep large objects of private heaps: a free returns their pages at once.
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
 * struct kspan_chunk_id - identity of a chunk
 * @span:	its descriptor; only to be compared, never followed
 * @life:	life of the descriptor in which it is this chunk
 *
 * It differs from that of any other chunk that had the same pages before, or gets them later.
 */
struct kspan_chunk_id {
	const struct kspan_span *span;
	u32 life;
};

/**
 * kspan_large_roundup() - bytes that a large request gets
 * @size:	bytes, at most KSPAN_MAX_SIZE
 * Return: bytes, whole pages of kspan.
 */
static inline size_t kspan_large_roundup(size_t size)
{
	return ALIGN(size, KSPAN_PAGE_SIZE);
}

/* The same in pages of kspan. */
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
