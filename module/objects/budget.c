// SPDX-License-Identifier: GPL-2.0
/*
 * The budget of caches: how many bytes all caches together may hold
 *
 *	budget of all heaps: a share of the memory present
 *	  budget of a heap: a share of its limit, if it has one
 *	    CPU caches: capacity of magazines, large objects	depots: full magazines
 *
 * However many CPUs, nodes and heaps there are, their caches hold no more than kspan_cache_share
 * thousandths of the memory. A cache draws from the budget before it holds more, and gives back
 * what it does not need.
 *
 * The first CPUs that need much get most of the budget, but not for long:
 *
 *  - A CPU that has less than an equal share and is refused notes that in @wanted.
 *  - Each CPU that has more than an equal share then gives up some of it at its next visit to the
 *    central.
 *  - The scavenger drains the caches of CPUs that do not come to the central any more.
 *  - Within a CPU, classes and large objects take from each other.
 *  - When a budget refuses a request, the depots of its heaps soon give up what they did not need
 *    lately.
 *
 * Context: any, NMI included; takes no lock. All counters are atomic and order nothing.
 */
#include <linux/mm.h>

#include "base/kunit_export.h"
#include "objects/budget.h"

struct kspan_budget kspan_budget, kspan_no_budget;
KSPAN_EXPORT_FOR_KUNIT(kspan_budget);
unsigned int kspan_cache_share = 5;
KSPAN_EXPORT_FOR_KUNIT(kspan_cache_share);

/**
 * kspan_budget_most() - bytes that the caches of all heaps may hold
 * Return: bytes; 0 for no bound.
 */
unsigned long kspan_budget_most(void)
{
	return totalram_pages() * READ_ONCE(kspan_cache_share) / 1000 * PAGE_SIZE;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_budget_most);

static unsigned long most_of(const struct kspan_budget *budget)
{
	return budget == &kspan_budget ? kspan_budget_most() : READ_ONCE(budget->most);
}

static bool draw(struct kspan_budget *budget, unsigned long bytes)
{
	unsigned long most = most_of(budget);

	if (atomic_long_add_return(bytes, &budget->drawn) <= most || !most)
		return true;
	atomic_long_sub(bytes, &budget->drawn);
	return false;
}

struct irq_work kspan_budget_exhausted;
/* The work was queued, or is not to be queued at all. */
static bool told = true;

/**
 * kspan_budget_watch() - say whether to queue kspan_budget_exhausted
 * @on:	true to have it queued once, when a cache is refused next; false to stop that
 */
void kspan_budget_watch(bool on)
{
	WRITE_ONCE(told, !on);
}

static void budget_tell(struct kspan_budget *budget)
{
	WRITE_ONCE(budget->exhausted, true);
	/* Pairs with smp_mb() in balance(), balance.c: it sees the refusal, or is queued again. */
	smp_mb();
	if (READ_ONCE(told))
		return;
	WRITE_ONCE(told, true);
	irq_work_queue(&kspan_budget_exhausted);
}

/* The budget that refuses, or NULL: then @bytes are drawn from both. */
static struct kspan_budget *refusing(struct kspan_budget *budget, unsigned long bytes)
{
	if (!draw(budget, bytes))
		return budget;
	if (draw(&kspan_budget, bytes))
		return NULL;
	atomic_long_sub(bytes, &budget->drawn);
	return &kspan_budget;
}

/** kspan_budget_try() - kspan_budget_draw() of a caller that has another way if it is refused */
bool kspan_budget_try(struct kspan_budget *budget, unsigned long bytes)
{
	return !refusing(budget, bytes);
}

/**
 * kspan_budget_draw() - draw from the budget, so that a cache may hold more
 * @budget:	of the cache's heap
 * @bytes:	how many more
 *
 * Return: true if they were drawn, from the budget of all heaps, too; false if either budget
 * has not so many left.
 */
bool kspan_budget_draw(struct kspan_budget *budget, unsigned long bytes)
{
	struct kspan_budget *refuses = refusing(budget, bytes);

	if (likely(!refuses))
		return true;
	budget_tell(refuses);
	return false;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_budget_draw);

/**
 * kspan_budget_return() - give back what kspan_budget_draw() drew
 * @budget:	of the cache's heap
 * @bytes:	how many
 */
void kspan_budget_return(struct kspan_budget *budget, unsigned long bytes)
{
	atomic_long_sub(bytes, &budget->drawn);
	atomic_long_sub(bytes, &kspan_budget.drawn);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_budget_return);

/** kspan_budget_drop() - give back all that a heap has drawn, when it is destroyed */
void kspan_budget_drop(struct kspan_budget *budget)
{
	kspan_budget_return(budget, atomic_long_read(&budget->drawn));
	kspan_budget_add_user(budget, -atomic_read(&budget->users));
}

/** kspan_budget_add_user() - count @n more CPU caches that have capacity; @n may be negative */
void kspan_budget_add_user(struct kspan_budget *budget, int n)
{
	atomic_add(n, &budget->users);
	atomic_add(n, &kspan_budget.users);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_budget_add_user);

static bool is_less_than_equal_share(const struct kspan_budget *budget, unsigned long held)
{
	return held < most_of(budget) / (atomic_read(&budget->users) + 1);
}

/**
 * kspan_budget_want() - note that a CPU was refused
 * @budget:	of the CPU cache's heap
 * @held:	bytes of capacity that the CPU has, with those that it was refused
 */
void kspan_budget_want(struct kspan_budget *budget, unsigned long held)
{
	if (is_less_than_equal_share(budget, held))
		WRITE_ONCE(budget->wanted, true);
	if (is_less_than_equal_share(&kspan_budget, held))
		WRITE_ONCE(kspan_budget.wanted, true);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_budget_want);

static bool asks(struct kspan_budget *budget, unsigned long held)
{
	if (likely(!READ_ONCE(budget->wanted)))
		return false;
	if (is_less_than_equal_share(budget, held))
		return false;
	/* A CPU that still needs some will say so again. */
	WRITE_ONCE(budget->wanted, false);
	return true;
}

/**
 * kspan_budget_asks() - whether a CPU should give up some of its capacity
 * @budget:	of the CPU cache's heap
 * @held:	bytes of capacity that the CPU has
 *
 * Return: true if a CPU with less was refused, and this one has at least an equal share.
 */
bool kspan_budget_asks(struct kspan_budget *budget, unsigned long held)
{
	return asks(budget, held) || asks(&kspan_budget, held);
}
