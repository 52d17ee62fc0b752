/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Seals: how a free slot is told from an object
 *
 * A slot that is not handed out has a seal: one of its words holds the slot's address plus a
 * secret. kspan writes the seal when it makes a span and when an object is freed, and overwrites
 * it when it hands out the slot. So a free sees whether the object was freed before, however
 * long ago, and for that it reads only the object's own cache line. The seal is the first word of
 * the slot. If the contents of an object must survive its free, the seal lies behind the
 * object instead.
 *
 * A slot with the right seal is taken for a free one. The chance that an object holds just that
 * word is 2^-64. A write to a free slot may destroy its seal. A second free of the slot is then
 * found as it would be without seals: when its magazine is returned.
 *
 * SLUB (CONFIG_SLAB_FREELIST_HARDENED) and glibc's tcache have such words, too, for other
 * purposes.
 *
 * Context: any, NMI included.
 */
#ifndef KSPAN_SEAL_H
#define KSPAN_SEAL_H

#include <linux/jump_label.h>

#include "pages/map.h"

/* A free of an object that is free already is found by the call itself; a module parameter. */
extern bool kspan_exact_frees;
DECLARE_STATIC_KEY_TRUE(kspan_frees_exactly);

/* A free does more than usual, with init_on_free=1, or less, with exact_frees=0. */
DECLARE_STATIC_KEY_FALSE(kspan_frees_otherwise);

extern unsigned long kspan_secret;

/*
 * The seal is a sum, so that a caller that knows the address less an offset, for example less the
 * base of the map, can add the offset to the secret beforehand.
 */
static __always_inline unsigned long kspan_seal_at(unsigned long secret, unsigned long addr)
{
	return secret + addr;
}

static inline unsigned long kspan_seal_of(const void *slot)
{
	return kspan_seal_at(kspan_secret, (unsigned long)slot);
}

static inline bool kspan_is_sealed(const void *slot, unsigned int at)
{
	return static_branch_likely(&kspan_frees_exactly) &&
	       kspan_glance(*(unsigned long *)(slot + at)) == kspan_seal_of(slot);
}

/* Seal a slot that is the caller's alone. */
static inline void kspan_seal(void *slot, unsigned int at)
{
	if (static_branch_likely(&kspan_frees_exactly))
		WRITE_ONCE(*(unsigned long *)(slot + at), kspan_seal_of(slot));
}

static inline void kspan_unseal(void *slot, unsigned int at)
{
	if (static_branch_likely(&kspan_frees_exactly))
		WRITE_ONCE(*(unsigned long *)(slot + at), 0);
}

/*
 * kspan_unseal() for heaps whose seal is the first word, where the contents of free slots do not
 * matter. The write costs less than a test whether there are seals.
 */
static __always_inline void kspan_unseal_first(void *slot)
{
	WRITE_ONCE(*(unsigned long *)slot, 0);
}

void kspan_seal_init(void);
void kspan_seal_span(const struct kspan_span *span, unsigned int at);
void kspan_unseal_span(const struct kspan_span *span, unsigned int at);

#endif /* KSPAN_SEAL_H */
