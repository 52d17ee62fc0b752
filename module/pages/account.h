/* SPDX-License-Identifier: GPL-2.0 */
/* The pages that a private heap holds, and how many it may. */
#ifndef KSPAN_ACCOUNT_H
#define KSPAN_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/gfp.h>

#include "types.h"

/**
 * struct kspan_account - pages of a private heap
 * @pages:	held, in spans that are used or kept
 * @peak:	most that there ever were
 * @limit:	most of them, 0 for no limit; fixed
 *
 * The default heap has none, and passes NULL.
 */
struct kspan_account {
	atomic_long_t pages;
	atomic_long_t peak;
	unsigned long limit;
};

static inline void kspan_account_reach(struct kspan_account *account, long held)
{
	long peak = atomic_long_read(&account->peak);

	while (held > peak && !atomic_long_try_cmpxchg(&account->peak, &peak, held))
		;
}

/**
 * kspan_account_charge() - ask whether the heap may hold more pages
 * @account:	of the heap, or NULL
 * @pages:	how many more
 * @gfp:	with __GFP_NOFAIL the limit does not count
 *
 * Context: any.
 * Return: whether it may; they are counted then.
 */
static inline bool kspan_account_charge(struct kspan_account *account, unsigned long pages,
					gfp_t gfp)
{
	unsigned long held;

	if (!account)
		return true;
	held = atomic_long_add_return(pages, &account->pages);
	if (likely(!account->limit || held <= account->limit || (gfp & __GFP_NOFAIL))) {
		kspan_account_reach(account, held);
		return true;
	}
	atomic_long_sub(pages, &account->pages);
	return false;
}

/** kspan_account_uncharge() - pages that the heap holds no longer */
static inline void kspan_account_uncharge(struct kspan_account *account, unsigned long pages)
{
	if (account)
		atomic_long_sub(pages, &account->pages);
}

#endif /* KSPAN_ACCOUNT_H */
