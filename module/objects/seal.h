/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Seals: how a free slot is told from an object
 *
 * A word of a slot that is not handed out is its seal: where the slot is, and a secret, added.
 * It is set when a span is made and when an object is freed, and broken when a slot is handed
 * out. So whoever frees an object sees whether it was freed before, however long ago, at the
 * price of a look at the object's own cache line. The word is the first one of the slot; where
 * what is in an object stays after it was freed, it lies behind the object.
 *
 * A seal that is met is believed: that an object begins with its own one is a chance of 2^-64.
 * That somebody has written to a free slot breaks its seal; then a wrong free of it is found as
 * it would be without: when its magazine is returned.
 *
 * SLUB (CONFIG_SLAB_FREELIST_HARDENED) and glibc's tcache have such words, too, for other ends.
 *
 * Context: any, NMI included.
 */
#ifndef KSPAN_SEAL_H
#define KSPAN_SEAL_H

#include <linux/jump_label.h>

#include "pages/map.h"

/* Wrong frees are refused at the call; a module parameter. */
extern bool kspan_exact_frees;
DECLARE_STATIC_KEY_TRUE(kspan_frees_exactly);

/* A free has more to do: init_on_free=1; or less: exact_frees=0. */
DECLARE_STATIC_KEY_FALSE(kspan_frees_otherwise);

extern unsigned long kspan_secret;

/*
 * By addition: whoever knows the address less something else, as the map's base, takes as much
 * more of the secret.
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

/* The slot is nobody's but the caller's. */
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

/* kspan_unseal() where nothing is kept in free slots: there it costs less than a test. */
static __always_inline void kspan_unseal_first(void *slot)
{
	WRITE_ONCE(*(unsigned long *)slot, 0);
}

void kspan_seal_init(void);
void kspan_seal_span(const struct kspan_span *span, unsigned int at);
void kspan_unseal_span(const struct kspan_span *span, unsigned int at);

#endif /* KSPAN_SEAL_H */
