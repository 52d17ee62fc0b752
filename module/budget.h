/* SPDX-License-Identifier: GPL-2.0 */
/* What all caches together may hold, and who has how much of it. */
#ifndef KSPAN_BUDGET_H
#define KSPAN_BUDGET_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/irq_work.h>
#include <linux/types.h>

/**
 * struct kspan_budget - bytes that caches may hold
 * @drawn:	that they may hold now; what they do hold is no more
 * @most:	of these, 0 for no bound; of the budget of all heaps not used
 * @users:	CPU caches that have drawn from it
 * @wanted:	somebody who has less than his share did not get any
 * @exhausted:	a request was refused since balance() looked
 *
 * CPU caches and depots draw what they may hold in steps, when they grow, and give it
 * back when others need it more, when they rest, and when they are flushed. So a CPU that
 * is idle has nothing.
 */
struct kspan_budget {
	atomic_long_t drawn;
	unsigned long most;
	atomic_t users;
	bool wanted;
	bool exhausted;
};

/* Of all heaps, and of whoever is of none. */
extern struct kspan_budget kspan_budget, kspan_no_budget;

/*
 * Queued when a budget refuses a request, once until kspan_budget_watch() asks for the next
 * time. reclaim.c says what runs then.
 */
extern struct irq_work kspan_budget_exhausted;

/* Thousandths of the memory present that it is, 0 for no bound; a module parameter. */
extern unsigned int kspan_cache_share;

void kspan_budget_watch(bool on);
unsigned long kspan_budget_most(void);
bool kspan_budget_try(struct kspan_budget *budget, unsigned long bytes);
bool kspan_budget_draw(struct kspan_budget *budget, unsigned long bytes);
void kspan_budget_give(struct kspan_budget *budget, unsigned long bytes);
void kspan_budget_drop(struct kspan_budget *budget);
void kspan_budget_add_user(struct kspan_budget *budget, int n);
void kspan_budget_want(struct kspan_budget *budget, unsigned long held);
bool kspan_budget_asks(struct kspan_budget *budget, unsigned long held);

#endif /* KSPAN_BUDGET_H */
