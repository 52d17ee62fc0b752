/* SPDX-License-Identifier: GPL-2.0 */
/* Arenas: blocks of buddy pages, and the map from address to span. */
#ifndef KSPAN_ARENA_H
#define KSPAN_ARENA_H

#include <linux/fault-inject.h>

#include "context.h"
#include "size_class.h"

/* Spans of the pages of one naturally aligned window of KSPAN_ARENA_SIZE. */
struct kspan_map_leaf {
	struct kspan_span *span[KSPAN_ARENA_PAGES];
};

/**
 * struct kspan_map - what any address means to kspan
 * @base:	address of page 0, aligned to KSPAN_ARENA_SIZE
 * @nr_pages:	kspan pages from @base to the end of the highest node
 * @page_class:	class of the small span that a page belongs to, else 0;
 *		written under the page heap lock
 * @leaf:	page table, a leaf per KSPAN_ARENA_SIZE or NULL. In a leaf all
 *		pages of a small span, but only the first of a large one, point
 *		to the span; others are NULL. Written under the page heap lock.
 * @nr_leaves:	leaves present
 *
 * Fixed after init but for the contents of the tables. An address outside of
 * the direct map, whatever it is, gives a page number of at least @nr_pages.
 */
struct kspan_map {
	unsigned long base;
	unsigned long nr_pages;
	u8 *page_class;
	struct kspan_map_leaf **leaf;
	atomic_long_t nr_leaves;
};

extern struct kspan_map kspan_map;

int kspan_map_init(void);
void kspan_map_exit(void);
size_t kspan_map_bytes(void);

/**
 * kspan_map_page() - page number of an address
 * @addr: any address
 *
 * Return: below kspan_map.nr_pages if the address is in the direct map.
 */
static __always_inline unsigned long kspan_map_page(unsigned long addr)
{
	return (addr - kspan_map.base) >> KSPAN_PAGE_SHIFT;
}

/* Entry of a page of an existing arena in the page table. */
static inline struct kspan_span **kspan_map_entry(unsigned long addr)
{
	unsigned long page = kspan_map_page(addr);

	return &kspan_map.leaf[page / KSPAN_ARENA_PAGES]->span[page % KSPAN_ARENA_PAGES];
}

/* What that says now; for an address that was in an arena once. */
static inline struct kspan_span *kspan_map_entry_span(unsigned long addr)
{
	return READ_ONCE(*kspan_map_entry(addr));
}

struct kspan_span *kspan_map_span(unsigned long addr);

/* Most bytes that all arenas may have, 0 for no limit; a module parameter. */
extern unsigned long kspan_hard_limit;

struct kspan_arena *kspan_arena_alloc(int nid, unsigned int npages, unsigned int most,
				      gfp_t gfp);
void kspan_arena_split(struct kspan_arena *arena);
void kspan_arena_free_pages(struct kspan_arena *arena, const unsigned long *pages);
void kspan_arena_free(struct kspan_arena *arena);
unsigned long kspan_arena_bytes(void);

#ifdef CONFIG_FAULT_INJECTION
extern struct fault_attr kspan_fail_arena;
#endif

int kspan_arena_debugfs_init(struct dentry *dir);

#endif /* KSPAN_ARENA_H */
