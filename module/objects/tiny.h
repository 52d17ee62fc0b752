/* SPDX-License-Identifier: GPL-2.0 */
/* Tiny objects: below 16 bytes, several to a block of 16 bytes. */
#ifndef KSPAN_TINY_H
#define KSPAN_TINY_H

#include "objects/bad_free.h"
#include "objects/central.h"

struct kspan_found;

#define KSPAN_TINY_BLOCK	16

/**
 * struct kspan_tiny - the open block, which has room for more tiny objects
 * @block:	its address; NULL if no block is open
 * @span:	the span that the block lies in
 * @offset:	where the next object may start, 1...15 bytes from @block
 *
 * It is a part of the CPU cache, and is used with that cache entered.
 */
struct kspan_tiny {
	void *block;
	struct kspan_span *span;
	unsigned int offset;
};

void *kspan_tiny_pack(struct kspan_tiny *tiny, unsigned int size);
void *kspan_tiny_open(struct kspan_tiny *tiny, void *block, unsigned int size);
void kspan_tiny_close(struct kspan_tiny *tiny);

int kspan_tiny_free(unsigned long addr, struct kspan_central **central, void **empty,
		    enum kspan_bad_free_kind *kind);
unsigned long kspan_tiny_around(const struct kspan_found *found, unsigned long addr,
				unsigned int *size);
size_t kspan_tiny_size(unsigned long addr);

#endif /* KSPAN_TINY_H */
