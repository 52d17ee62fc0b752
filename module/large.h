/* SPDX-License-Identifier: GPL-2.0 */
/* Objects above 32 KiB: a span each. */
#ifndef KSPAN_LARGE_H
#define KSPAN_LARGE_H

#include "account.h"
#include "budget.h"
#include "lookup.h"
#include "page_heap.h"

#define KSPAN_MAX_SIZE	KSPAN_ARENA_SIZE

/* Large objects that a CPU keeps. */
#define KSPAN_LARGE_CACHED	4

/**
 * struct kspan_large_cache - large objects that a CPU freed last
 * @span:	their spans, LARGE_CACHED, or NULL
 * @next:	entry to be given up next
 * @count:	entries that are not NULL
 * @pages:	pages of these
 * @drawn:	pages that it may hold, drawn from the budget of caches
 * @lacks:	pages that the budget refused in the last free, for kspan_cpu_cache_feed_large()
 */
struct kspan_large_cache {
	struct kspan_span *span[KSPAN_LARGE_CACHED];
	unsigned int next;
	unsigned int count;
	unsigned int pages;
	unsigned int drawn;
	unsigned int lacks;
};

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

/* Bytes of large objects that a CPU may keep; a module parameter. */
extern unsigned int kspan_large_cache_bytes;

void *kspan_large_cache_take(struct kspan_large_cache *cache, size_t size);
bool kspan_large_cache_put(struct kspan_large_cache *cache, unsigned long addr, int nid,
			   struct kspan_span **evicted);
bool kspan_large_cache_draw(struct kspan_large_cache *cache, unsigned int npages);
void kspan_large_cache_yield(struct kspan_large_cache *cache);
void kspan_large_cache_drain(struct kspan_large_cache *cache);

/**
 * kspan_large_roundup() - what a request gets
 * @size: bytes, at most KSPAN_MAX_SIZE
 * Return: bytes.
 */
static inline size_t kspan_large_roundup(size_t size)
{
	return ALIGN(size, KSPAN_PAGE_SIZE);
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
void kspan_large_free_cached(struct kspan_span *span);
size_t kspan_large_size(unsigned long addr);
bool kspan_large_resize(unsigned long addr, size_t size, gfp_t gfp);

void kspan_large_owner_init(struct kspan_large_owner *owner, struct kspan_account *account);
void kspan_large_merge(struct kspan_large_owner *owner);
unsigned long kspan_large_drop(struct kspan_large_owner *owner);

#endif /* KSPAN_LARGE_H */
