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
 * not come by there any more are flushed by the scavenger. Within a CPU, classes and large
 * objects take from each other. When a budget refuses a request, the depots of its heaps soon
 * give up what they did not need lately.
 *
 * Context: any, NMI included; takes no lock.
 */
#include <linux/mm.h>

#include "budget.h"
#include "kunit_export.h"

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
/* The work was queued, or is not to be queued at all. */
static bool told = true;

/** kspan_budget_watch() - queue kspan_budget_exhausted at the next refusal, or never */
void kspan_budget_watch(bool on)
{
	WRITE_ONCE(told, !on);
}

static void tell(struct kspan_budget *budget)
{
	WRITE_ONCE(budget->exhausted, true);
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
 * kspan_budget_draw() - ask whether a cache may hold more
 * @budget:	of its heap
 * @bytes:	how many more
 * Return: whether it may; they are drawn then, from the budget of all heaps, too.
 */
bool kspan_budget_draw(struct kspan_budget *budget, unsigned long bytes)
{
	struct kspan_budget *refuses = refusing(budget, bytes);

	if (likely(!refuses))
		return true;
	tell(refuses);
	return false;
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
