/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the module for fragmented memory share. */
#ifndef KSPAN_FRAGMENTED_H
#define KSPAN_FRAGMENTED_H

#include <linux/types.h>

/* No state has a block above it: the largest that SLUB asks for, and then wants smaller ones. */
#define FRAGMENTED_ORDERS	4U

/**
 * struct fragmented_state - what of the main zone is free
 * @pages:	free pages, in blocks of any order
 * @blocks:	blocks by order
 * @larger:	blocks of a higher order
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
