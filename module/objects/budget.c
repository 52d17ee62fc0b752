// SPDX-License-Identifier: GPL-2.0
/*
 * The budget of caches
 *
 *	budget of all heaps: a share of the memory present
 *	  budget of a heap: a share of its limit, if it has one
 *	    CPU caches: capacity of magazines, large objects	depots: full magazines
 *
 * However many CPUs, nodes and heaps there are, what their caches hold is no more than
 * kspan_cache_share thousandths of the memory. Whoever comes first gets most of it, but
 * not for long: a CPU that has less than an equal share and gets nothing says so, and each
 * CPU that has more gives up some of it at its next visit to the central. Those that do
 * not come by there any more are flushed by the scavenger. What a CPU needs no longer for
 * one class or large objects, it takes for another. Depots that hold more than they needed
 * lately give that up soon after the budget is exhausted.
 *
 * Context: any, NMI included; takes no lock.
 */
#include <linux/mm.h>

#include "base/kunit_export.h"
#include "objects/budget.h"

struct kspan_budget kspan_budget, kspan_no_budget;
KSPAN_EXPORT_FOR_KUNIT(kspan_budget);
unsigned int kspan_cache_share = 5;
KSPAN_EXPORT_FOR_KUNIT(kspan_cache_share);

/**
 * kspan_budget_most() - what the caches of all heaps may hold
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
/* It is known, or nobody wants to know. */
static bool told = true;

/** kspan_budget_watch() - be told from here on when the budget is exhausted, once; or not */
void kspan_budget_watch(bool on)
{
	WRITE_ONCE(told, !on);
}

static bool tell(void)
{
	if (!READ_ONCE(told)) {
		WRITE_ONCE(told, true);
		irq_work_queue(&kspan_budget_exhausted);
	}
	return false;
}

/**
 * kspan_budget_draw() - ask whether a cache may hold more
 * @budget:	of its heap
 * @bytes:	how many more
 * Return: whether it may; they are drawn then, from the budget of all heaps, too.
 */
bool kspan_budget_draw(struct kspan_budget *budget, unsigned long bytes)
{
	if (!draw(budget, bytes))
		return tell();
	if (draw(&kspan_budget, bytes))
		return true;
	atomic_long_sub(bytes, &budget->drawn);
	return tell();
}
KSPAN_EXPORT_FOR_KUNIT(kspan_budget_draw);

/**
 * kspan_budget_give() - undo kspan_budget_draw()
 * @budget:	of the heap
 * @bytes:	how many
 */
void kspan_budget_give(struct kspan_budget *budget, unsigned long bytes)
{
	atomic_long_sub(bytes, &budget->drawn);
	atomic_long_sub(bytes, &kspan_budget.drawn);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_budget_give);

/** kspan_budget_drop() - give back all that a heap has drawn, which goes with its caches */
void kspan_budget_drop(struct kspan_budget *budget)
{
	kspan_budget_give(budget, atomic_long_read(&budget->drawn));
	kspan_budget_add_user(budget, -atomic_read(&budget->users));
}

/** kspan_budget_add_user() - @n more caches have something, or less */
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
 * kspan_budget_want() - say that a CPU did not get anything
 * @budget:	of the heap
 * @held:	what the CPU has of it
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
	/* Whoever still wants it will say so again. */
	WRITE_ONCE(budget->wanted, false);
	return true;
}

/**
 * kspan_budget_asks() - whether a CPU is to give up some of what it has
 * @budget:	of the heap
 * @held:	what the CPU has of it
 * Return: whether others want it who have less.
 */
bool kspan_budget_asks(struct kspan_budget *budget, unsigned long held)
{
	return asks(budget, held) || asks(&kspan_budget, held);
}
