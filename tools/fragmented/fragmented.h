/* SPDX-License-Identifier: GPL-2.0 */
/* Declarations for the files of the module for fragmented memory. */
#ifndef KSPAN_FRAGMENTED_H
#define KSPAN_FRAGMENTED_H

#include <linux/types.h>

/*
 * No state has a free block of this order or above. SLUB asks for order 3 at most, and then for
 * smaller blocks.
 */
#define FRAGMENTED_ORDERS	4U

/**
 * struct fragmented_state - free memory of the main zone
 * @pages:	free pages, in blocks of any order
 * @blocks:	free blocks by order
 * @larger:	free blocks of higher orders
 */
struct fragmented_state {
	unsigned long pages;
	unsigned long blocks[FRAGMENTED_ORDERS];
	unsigned long larger;
};

/* memory.c */
int fragmented_begin(unsigned long free_pages);
void fragmented_make(unsigned int order, struct fragmented_state *state);
unsigned long fragmented_pages_for(const struct fragmented_state *state, unsigned int order);
unsigned long fragmented_relieve(void);
unsigned int fragmented_pages_in_lists(void);
void fragmented_end(void);

#endif /* KSPAN_FRAGMENTED_H */
