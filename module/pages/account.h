/* SPDX-License-Identifier: GPL-2.0 */
/* The account of a private heap: how many pages it holds, and how many it may hold. */
#ifndef KSPAN_ACCOUNT_H
#define KSPAN_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/gfp.h>

#include "types.h"

/**
 * struct kspan_account - pages of a private heap
 * @pages:	pages in spans that the heap uses or keeps
 * @peak:	highest value that @pages ever had
 * @limit:	most pages that the heap may hold, 0 for no limit; fixed
 *
 * The default heap has no account, and passes NULL.
 */
struct kspan_account {
	atomic_long_t pages;
	atomic_long_t peak;
	unsigned long limit;
};

/* Raise the peak, if @held is above it. */
static inline void kspan_account_reach(struct kspan_account *account, long held)
{
	long peak = atomic_long_read(&account->peak);

	while (held > peak && !atomic_long_try_cmpxchg(&account->peak, &peak, held))
		;
}

/**
 * kspan_account_charge() - charge pages that a heap is about to hold
 * @account:	of the heap, or NULL
 * @pages:	number of additional pages
 * @gfp:	with __GFP_NOFAIL the limit does not count
 *
 * Context: any.
 * Return: whether the heap may hold them; only then they are counted.
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

/** kspan_account_uncharge() - undo kspan_account_charge() for pages that the heap gave up */
static inline void kspan_account_uncharge(struct kspan_account *account, unsigned long pages)
{
	if (account)
		atomic_long_sub(pages, &account->pages);
}

#endif /* KSPAN_ACCOUNT_H */
