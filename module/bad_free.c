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

#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "bad_free.h"
#include "kunit_export.h"

static const char * const kind_names[KSPAN_NR_BAD_FREE_KINDS] = {
	[KSPAN_BAD_FREE_DOUBLE]		 = "double free",
	[KSPAN_BAD_FREE_INTERIOR]	 = "pointer into the inside of an object",
	[KSPAN_BAD_FREE_MISALIGNED]	 = "misaligned pointer",
	[KSPAN_BAD_FREE_NEVER_ALLOCATED] = "address that was never allocated",
	[KSPAN_BAD_FREE_FOREIGN]	 = "address that does not belong to kspan",
	[KSPAN_BAD_FREE_DESTROYED]	 = "address of a heap destroyed or reset",
	[KSPAN_BAD_FREE_OTHER_HEAP]	 = "object of another heap or cache",
	[KSPAN_BAD_FREE_SIZE]		 = "size that is not the object's",
	[KSPAN_BAD_FREE_REGION]		 = "address in a region, whose objects go together",
};

static atomic64_t counts[KSPAN_NR_BAD_FREE_KINDS];
static DEFINE_RAW_SPINLOCK(last_lock);
static struct kspan_bad_free last;

/* What is printed: ten reports in five seconds. */
#define REPORTS_AT_A_TIME	10

/* What a report says; @size is 0 where no class is known. */
struct report {
	enum kspan_bad_free_kind kind;
	unsigned int size;
	unsigned long addr;
	char heap[KSPAN_BAD_FREE_NAME];
};

/* Those to be printed by a work item; last_lock. */
static struct report late[REPORTS_AT_A_TIME];
static unsigned int nr_late;

/* Count it, and keep it as the last; returns whether it may be printed. */
static bool note(enum kspan_bad_free_kind kind, unsigned long addr, unsigned int class)
{
	/* It says nothing itself: a lock may be held. */
	static struct ratelimit_state limit =
		RATELIMIT_STATE_INIT_FLAGS(limit, 5 * HZ, REPORTS_AT_A_TIME,
					   RATELIMIT_MSG_ON_RELEASE);
	unsigned long flags;

	atomic64_inc(&counts[kind]);
	/* An NMI may have interrupted the owner of the lock; then the last stays. */
	if (kspan_lock(&last_lock, &flags, in_nmi() ? KSPAN_GFP_NOLOCK : 0)) {
		last = (struct kspan_bad_free) { .kind = kind, .addr = addr, .class = class };
		raw_spin_unlock_irqrestore(&last_lock, flags);
	}
	return __ratelimit(&limit);
}

static void print(const struct report *report, const char *when)
{
	if (report->size)
		pr_err("bad free of %p: %s, class %u, heap %s%s\n", (void *)report->addr,
		       kind_names[report->kind], report->size, report->heap, when);
	else
		pr_err("bad free of %p: %s\n", (void *)report->addr, kind_names[report->kind]);
}

static void print_late(struct work_struct *work)
{
	struct report report;
	unsigned long flags;
	bool any;

	do {
		raw_spin_lock_irqsave(&last_lock, flags);
		any = nr_late;
		if (any)
			report = late[--nr_late];
		raw_spin_unlock_irqrestore(&last_lock, flags);
		if (any)
			print(&report, ", found later");
	} while (any);
}

static DECLARE_WORK(late_work, print_late);

static void queue_late(struct irq_work *work)
{
	schedule_work(&late_work);
}

static struct irq_work late_irq_work = IRQ_WORK_INIT_LAZY(queue_late);

/**
 * kspan_bad_free_report_late() - kspan_bad_free_report_in(), of a free in the past
 * @kind:	what is wrong
 * @addr:	the pointer
 * @class:	as for kspan_bad_free_report_in()
 * @size:	likewise
 * @heap:	likewise
 *
 * Counted at once, printed by a work item, and without a call stack: the caller did
 * nothing wrong. So it takes little time even where a lock is held.
 *
 * Context: task, softirq, hardirq.
 */
void kspan_bad_free_report_late(enum kspan_bad_free_kind kind, unsigned long addr,
				unsigned int class, unsigned int size, const char *heap)
{
	struct report report = { .kind = kind, .addr = addr, .size = size };
	unsigned long flags;

	if (!note(kind, addr, class))
		return;
	strscpy(report.heap, heap, sizeof(report.heap));
	raw_spin_lock_irqsave(&last_lock, flags);
	if (nr_late < ARRAY_SIZE(late))
		late[nr_late++] = report;
	raw_spin_unlock_irqrestore(&last_lock, flags);
	irq_work_queue(&late_irq_work);
}

/** kspan_bad_free_exit() - print what is still to be told */
void kspan_bad_free_exit(void)
{
	irq_work_sync(&late_irq_work);
	flush_work(&late_work);
}

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
	struct report report = { .kind = kind, .addr = addr, .size = class ? size : 0 };

	if (!note(kind, addr, class))
		return;
	if (class)
		strscpy(report.heap, heap, sizeof(report.heap));
	print(&report, "");
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
