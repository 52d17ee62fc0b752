// SPDX-License-Identifier: GPL-2.0
/*
 * Wrong frees
 *
 * A wrong free is counted, reported at a limited rate, and otherwise ignored:
 * the object that the pointer hits, if any, stays as it is.
 *
 * Context: any.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/ratelimit.h>

#include "bad_free.h"
#include "kunit_export.h"

static const char * const kind_names[KSPAN_NR_BAD_FREE_KINDS] = {
	[KSPAN_BAD_FREE_DOUBLE]		 = "double free",
	[KSPAN_BAD_FREE_INTERIOR]	 = "pointer into the inside of an object",
	[KSPAN_BAD_FREE_MISALIGNED]	 = "misaligned pointer",
	[KSPAN_BAD_FREE_NEVER_ALLOCATED] = "address that was never allocated",
	[KSPAN_BAD_FREE_FOREIGN]	 = "address that does not belong to kspan",
	[KSPAN_BAD_FREE_DESTROYED]	 = "address of a heap that was destroyed",
	[KSPAN_BAD_FREE_OTHER_HEAP]	 = "object of another heap or cache",
	[KSPAN_BAD_FREE_REGION]		 = "address in a region, whose objects go together",
};

static atomic64_t counts[KSPAN_NR_BAD_FREE_KINDS];
static DEFINE_RAW_SPINLOCK(last_lock);
static struct kspan_bad_free last;

/**
 * kspan_bad_free_report_in() - report a wrong free among objects of a heap
 * @kind:	what is wrong
 * @addr:	the pointer
 * @class:	size class of its page, as the heap counts them; 0 for none
 * @size:	bytes of an object of the class
 * @heap:	the heap's name
 *
 * At most ten reports in five seconds are printed, all are counted.
 */
void kspan_bad_free_report_in(enum kspan_bad_free_kind kind, unsigned long addr,
			      unsigned int class, unsigned int size, const char *heap)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 10);
	unsigned long flags;

	atomic64_inc(&counts[kind]);
	/* An NMI may have interrupted the owner of the lock; then the last stays. */
	if (kspan_lock(&last_lock, &flags, in_nmi() ? KSPAN_GFP_NOLOCK : 0)) {
		last = (struct kspan_bad_free) { .kind = kind, .addr = addr, .class = class };
		raw_spin_unlock_irqrestore(&last_lock, flags);
	}

	if (!__ratelimit(&limit))
		return;
	if (class)
		pr_err("bad free of %p: %s, class %u, heap %s\n", (void *)addr, kind_names[kind],
		       size, heap);
	else
		pr_err("bad free of %p: %s\n", (void *)addr, kind_names[kind]);
	dump_stack();
}

/**
 * kspan_bad_free_report() - report a wrong free where no heap is known
 * @kind:	what is wrong
 * @addr:	the pointer
 */
void kspan_bad_free_report(enum kspan_bad_free_kind kind, unsigned long addr)
{
	kspan_bad_free_report_in(kind, addr, 0, 0, NULL);
}

/**
 * kspan_bad_free_count() - wrong frees since load
 * @kind: what was wrong
 * Return: how many there were.
 */
u64 kspan_bad_free_count(enum kspan_bad_free_kind kind)
{
	return atomic64_read(&counts[kind]);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_bad_free_count);

/**
 * kspan_bad_free_last() - the last report, printed or not
 * Return: a copy of it; its address is 0 if there was none.
 */
struct kspan_bad_free kspan_bad_free_last(void)
{
	struct kspan_bad_free copy;
	unsigned long flags;

	raw_spin_lock_irqsave(&last_lock, flags);
	copy = last;
	raw_spin_unlock_irqrestore(&last_lock, flags);
	return copy;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_bad_free_last);
