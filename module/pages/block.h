/* SPDX-License-Identifier: GPL-2.0 */
/* Blocks of the page allocator, and how many bytes of them kspan may have. */
#ifndef KSPAN_BLOCK_H
#define KSPAN_BLOCK_H

/* 6.1 does not include it in fault-inject.h. */
#include <linux/types.h>
#include <linux/fault-inject.h>

#include "base/context.h"
#include "pages/map.h"

/* Reference count of a page of kspan's: no number of gets and puts that may come makes it 0. */
#define KSPAN_PAGE_REFS	(-(1 << 24))

/* Most bytes that all blocks may have, 0 for no limit; a module parameter. */
extern unsigned long kspan_hard_limit;

struct page *kspan_block_alloc(int nid, unsigned int order, gfp_t gfp);
struct page *__kspan_block_alloc(int nid, unsigned int order, gfp_t gfp);
/* For arena.c alone. */
bool kspan_block_should_fail(void);
bool kspan_block_at_limit(unsigned int order);
bool kspan_block_is_spare(int nid, unsigned int order);
void kspan_block_free(unsigned long start, unsigned int order);
void __kspan_block_free(struct page *page, unsigned int order);
unsigned long kspan_arena_bytes(void);
unsigned long kspan_arena_stray_puts(void);
unsigned long kspan_arena_stray_gets(void);

#ifdef CONFIG_FAULT_INJECTION
extern struct fault_attr kspan_fail_arena;
#endif

int kspan_arena_debugfs_init(struct dentry *dir);

#endif /* KSPAN_BLOCK_H */
