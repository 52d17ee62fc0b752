/* SPDX-License-Identifier: GPL-2.0 */
/* The budget of caches: what all caches together may hold, and what each of them has of it. */
#ifndef KSPAN_BUDGET_H
#define KSPAN_BUDGET_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/irq_work.h>
#include <linux/types.h>

/**
 * struct kspan_budget - bytes that caches may hold
 * @drawn:	bytes that the caches may hold now; they never hold more
 * @most:	upper bound of @drawn, 0 for none; unused in the budget of all heaps, see
 *		kspan_budget_most()
 * @users:	CPU caches that have drawn from it
 * @wanted:	a CPU cache that has less than an equal share was refused
 * @exhausted:	a request was refused since balance() looked
 *
 * CPU caches and depots draw in steps, when they grow. They give back when others need it more,
 * when they rest, and when they are drained. So a CPU that is idle has nothing.
 */
struct kspan_budget {
	atomic_long_t drawn;
	unsigned long most;
	atomic_t users;
	bool wanted;
	bool exhausted;
};

/*
 * The budget of all heaps; and a budget without a bound, for caches that no heap has a budget
 * for.
 */
extern struct kspan_budget kspan_budget, kspan_no_budget;

/*
 * Queued when a budget refuses a request for the first time since kspan_budget_watch(true).
 * Depots then give back what they do not need; see balance.c.
 */
extern struct irq_work kspan_budget_exhausted;

/*
 * Thousandths of the memory present that the caches may hold, 0 for no bound; a module parameter.
 */
extern unsigned int kspan_cache_share;

void kspan_budget_watch(bool on);
unsigned long kspan_budget_most(void);
bool kspan_budget_try(struct kspan_budget *budget, unsigned long bytes);
bool kspan_budget_draw(struct kspan_budget *budget, unsigned long bytes);
void kspan_budget_return(struct kspan_budget *budget, unsigned long bytes);
void kspan_budget_drop(struct kspan_budget *budget);
void kspan_budget_add_user(struct kspan_budget *budget, int n);
void kspan_budget_want(struct kspan_budget *budget, unsigned long held);
bool kspan_budget_asks(struct kspan_budget *budget, unsigned long held);

#endif /* KSPAN_BUDGET_H */
