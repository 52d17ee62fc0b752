// SPDX-License-Identifier: GPL-2.0
/*
 * Wrong frees
 *
 * A wrong free is counted and kept for debugfs, printed at a limited rate, and otherwise
 * ignored: if the pointer hits an object, the object stays as it is.
 *
 * Context: any.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/irq_work.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "base/kunit_export.h"
#include "base/name.h"
#include "base/trace.h"
#include "objects/bad_free.h"
#include "objects/central.h"
#include "objects/lookup.h"

/* For each kind, its name in the log, and the word for it in debugfs. */
static const struct {
	const char *name;
	const char *word;
} kinds[KSPAN_NR_BAD_FREE_KINDS] = {
	[KSPAN_BAD_FREE_DOUBLE]	    = { "double free", "double" },
	[KSPAN_BAD_FREE_INTERIOR]   = { "pointer into the inside of an object", "interior" },
	[KSPAN_BAD_FREE_MISALIGNED] = { "misaligned pointer", "misaligned" },
	[KSPAN_BAD_FREE_NEVER_ALLOCATED] = { "address that was never allocated",
					     "never_allocated" },
	[KSPAN_BAD_FREE_FOREIGN]    = { "address that does not belong to kspan", "foreign" },
	[KSPAN_BAD_FREE_DESTROYED]  = { "address of a heap destroyed or reset", "destroyed" },
	[KSPAN_BAD_FREE_OTHER_HEAP] = { "object of another heap or cache", "other_heap" },
	[KSPAN_BAD_FREE_SIZE]	    = { "size that is not the object's", "size" },
	[KSPAN_BAD_FREE_REGION]	    = { "address in a region, whose objects go together",
					"region" },
	[KSPAN_BAD_FREE_HANDLE]	    = { "heap, cache, pool or region that is destroyed, or none",
					"handle" },
	[KSPAN_BAD_FREE_POOLED]	    = { "object that is in its pool already", "pooled" },
};

static atomic64_t counts[KSPAN_NR_BAD_FREE_KINDS];
/* Protects kept, nr_kept, late and nr_late. */
static DEFINE_RAW_SPINLOCK(last_lock);

/* The last reports, as a ring: report number n is at n % KSPAN_BAD_FREES_KEPT. */
static struct kspan_bad_free kept[KSPAN_BAD_FREES_KEPT];
static u64 nr_kept;

/* Most reports that are printed in five seconds. */
#define REPORTS_AT_A_TIME	10

/* Reports that a work item has yet to print. */
static struct kspan_bad_free late[REPORTS_AT_A_TIME];
static unsigned int nr_late;

/* Return address of the call that allocated an object of a tracked heap; 0 if not known. */
static unsigned long site_of(unsigned long addr)
{
	struct kspan_found found;
	unsigned long site = 0;
	unsigned int slot;
	bool exact;

	rcu_read_lock_sched();
	if (kspan_lookup(addr, &found) && kspan_span_is_small(found.word.state)) {
		slot = kspan_slot_index(found.magic, addr - found.start, &exact);
		site = kspan_found_site(&found, slot);
		if (!kspan_found_stays(&found))
			site = 0;
	}
	rcu_read_unlock_sched();
	return site;
}

/* Most functions of this module on the stack, between the caller of free and save_stack(). */
#define OWN_FUNCTIONS	8

/*
 * Save the call stack from the caller of free on. How many functions of this module are above the
 * caller depends on what the compiler inlines, so they are told by their addresses.
 */
static void save_stack(struct kspan_bad_free *bad)
{
	unsigned long stack[OWN_FUNCTIONS + KSPAN_BAD_FREE_STACK];
	unsigned int n = stack_trace_save(stack, ARRAY_SIZE(stack), 0), own = 0;

	while (own < n && within_module(stack[own], THIS_MODULE))
		own++;
	bad->nr_stack = min_t(unsigned int, n - own, ARRAY_SIZE(bad->stack));
	memcpy(bad->stack, stack + own, bad->nr_stack * sizeof(*stack));
}

/* Note the CPU, the task, the context and the call stack of the free that is going on. */
static void describe_caller(struct kspan_bad_free *bad)
{
	bad->cpu = raw_smp_processor_id();
	bad->pid = task_pid_nr(current);
	strscpy(bad->comm, current->comm, sizeof(bad->comm));
	bad->context = in_nmi() ? "nmi" : in_hardirq() ? "hardirq" :
		       in_serving_softirq() ? "softirq" : "task";
	/* The stack trace takes too much time and stack for an NMI. */
	if (in_nmi())
		return;
	bad->site = site_of(bad->addr);
	save_stack(bad);
}

/* Count a report and keep it for debugfs. Returns whether it may be printed. */
static bool bad_free_note(struct kspan_bad_free *bad)
{
	/*
	 * RATELIMIT_MSG_ON_RELEASE: the limit itself must print nothing here, because the caller
	 * may hold a lock.
	 */
	static struct ratelimit_state limit =
		RATELIMIT_STATE_INIT_FLAGS(limit, 5 * HZ, REPORTS_AT_A_TIME,
					   RATELIMIT_MSG_ON_RELEASE);
	unsigned long flags;

	atomic64_inc(&counts[bad->kind]);
	trace_kspan_bad_free(kinds[bad->kind].word, (void *)bad->addr, bad->size,
			     bad->size ? bad->heap : "-", bad->late);
	bad->ns = ktime_get_mono_fast_ns();
	/*
	 * An NMI may have interrupted the owner of the lock. If it can't take the lock, the wrong
	 * free is counted but not kept.
	 */
	if (kspan_lock(&last_lock, &flags, in_nmi() ? KSPAN_GFP_NOLOCK : 0)) {
		kept[nr_kept++ % ARRAY_SIZE(kept)] = *bad;
		raw_spin_unlock_irqrestore(&last_lock, flags);
	}
	return __ratelimit(&limit);
}

static void print(const struct kspan_bad_free *bad)
{
	if (bad->size)
		pr_err("bad free of %p: %s, class %u, heap %s%s\n", (void *)bad->addr,
		       kinds[bad->kind].name, bad->size, bad->heap,
		       bad->late ? ", found later" : "");
	else
		pr_err("bad free of %p: %s\n", (void *)bad->addr, kinds[bad->kind].name);
}

static void print_late(struct work_struct *work)
{
	struct kspan_bad_free bad;
	unsigned long flags;
	bool any;

	do {
		raw_spin_lock_irqsave(&last_lock, flags);
		any = nr_late;
		if (any)
			bad = late[--nr_late];
		raw_spin_unlock_irqrestore(&last_lock, flags);
		if (any)
			print(&bad);
	} while (any);
}

static DECLARE_WORK(late_work, print_late);

static void queue_late(struct irq_work *work)
{
	schedule_work(&late_work);
}

static struct irq_work late_irq_work = IRQ_WORK_INIT_LAZY(queue_late);

/**
 * kspan_bad_free_report_late() - report a wrong free that was called some time ago
 * @kind:	what is wrong
 * @addr:	pointer that was freed
 * @class:	as for kspan_bad_free_report_in()
 * @size:	as for kspan_bad_free_report_in()
 * @heap:	as for kspan_bad_free_report_in()
 *
 * The report is counted at once and printed by a work item, so this takes little time even if
 * the caller holds a lock. It has no call stack, because the current caller did nothing wrong.
 *
 * Context: task, softirq, hardirq.
 */
void kspan_bad_free_report_late(enum kspan_bad_free_kind kind, unsigned long addr,
				unsigned int class, unsigned int size, const char *heap)
{
	struct kspan_bad_free bad = {
		.kind = kind, .addr = addr, .class = class, .size = size, .late = true,
	};
	unsigned long flags;

	strscpy(bad.heap, heap, sizeof(bad.heap));
	if (!bad_free_note(&bad))
		return;
	raw_spin_lock_irqsave(&last_lock, flags);
	if (nr_late < ARRAY_SIZE(late))
		late[nr_late++] = bad;
	raw_spin_unlock_irqrestore(&last_lock, flags);
	irq_work_queue(&late_irq_work);
}

/**
 * kspan_bad_free_exit() - wait until all late reports are printed
 *
 * Context: task, may sleep.
 */
void kspan_bad_free_exit(void)
{
	irq_work_sync(&late_irq_work);
	flush_work(&late_work);
}

/**
 * kspan_bad_free_report_in() - report a wrong free of an address in a page of a heap
 * @kind:	what is wrong
 * @addr:	pointer that the caller passed
 * @class:	size class of its page, as the heap counts them; 0 for none
 * @size:	bytes of an object of the class
 * @heap:	name of the heap; not read if @class is 0
 *
 * All reports are counted; at most ten in five seconds are printed.
 *
 * Context: any, NMI included.
 */
void kspan_bad_free_report_in(enum kspan_bad_free_kind kind, unsigned long addr,
			      unsigned int class, unsigned int size, const char *heap)
{
	struct kspan_bad_free bad = {
		.kind = kind, .addr = addr, .class = class, .size = class ? size : 0,
	};

	if (class)
		strscpy(bad.heap, heap, sizeof(bad.heap));
	describe_caller(&bad);
	if (!bad_free_note(&bad))
		return;
	print(&bad);
	dump_stack();
}

/* The kind of a wrong free of an address that is @state in its span. */
static enum kspan_bad_free_kind slot_kind(enum kspan_slot_state state, unsigned long addr)
{
	if (!IS_ALIGNED(addr, 8))
		return KSPAN_BAD_FREE_MISALIGNED;
	if (state == KSPAN_SLOT_INSIDE)
		return KSPAN_BAD_FREE_INTERIOR;
	if (state == KSPAN_SLOT_NEVER_OUT)
		return KSPAN_BAD_FREE_NEVER_ALLOCATED;
	return KSPAN_BAD_FREE_DOUBLE;
}

/**
 * kspan_bad_free_report_slot() - report a wrong free of an address in a span of slots
 * @state:	what the address is in the span; not KSPAN_SLOT_OUT
 * @addr:	pointer that the caller passed
 * @central:	central of the span
 *
 * Context: any, NMI included; no lock held.
 */
void kspan_bad_free_report_slot(enum kspan_slot_state state, unsigned long addr,
				const struct kspan_central *central)
{
	kspan_bad_free_report_in(slot_kind(state, addr), addr, central->class, central->sc->size,
				 central->name);
}

/**
 * kspan_bad_free_report_slot_late() - the same for a free that was called some time ago
 * @state:	as for kspan_bad_free_report_slot()
 * @addr:	pointer that was freed
 * @central:	central of the span; the caller may hold its lock
 *
 * The caller may have preemption off for kspan's own work; see kspan_bad_free_report_late().
 *
 * Context: task, softirq, hardirq.
 */
void kspan_bad_free_report_slot_late(enum kspan_slot_state state, unsigned long addr,
				     const struct kspan_central *central)
{
	kspan_bad_free_report_late(slot_kind(state, addr), addr, central->class, central->sc->size,
				   central->name);
}

/**
 * kspan_bad_free_report() - report a wrong free of an address whose heap is not known
 * @kind:	what is wrong
 * @addr:	pointer that the caller passed
 *
 * Context: any, NMI included.
 */
void kspan_bad_free_report(enum kspan_bad_free_kind kind, unsigned long addr)
{
	kspan_bad_free_report_in(kind, addr, 0, 0, NULL);
}

/**
 * kspan_bad_free_count() - count wrong frees since the module was loaded
 * @kind: kind to count
 * Return: how many there were, printed or not.
 */
u64 kspan_bad_free_count(enum kspan_bad_free_kind kind)
{
	return atomic64_read(&counts[kind]);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_bad_free_count);

/**
 * kspan_bad_free_kept() - get one of the last reports, printed or not
 * @n:		age of the report: 0 for the newest, below KSPAN_BAD_FREES_KEPT
 * @bad:	set to a copy of the report
 *
 * Return: false if there are no more than @n reports.
 */
bool kspan_bad_free_kept(unsigned int n, struct kspan_bad_free *bad)
{
	unsigned long flags;
	bool there;

	raw_spin_lock_irqsave(&last_lock, flags);
	there = n < min_t(u64, nr_kept, ARRAY_SIZE(kept));
	if (there)
		*bad = kept[(nr_kept - 1 - n) % ARRAY_SIZE(kept)];
	raw_spin_unlock_irqrestore(&last_lock, flags);
	return there;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_bad_free_kept);

/* Print what is known of the call that freed wrongly. */
static void show_caller(struct kspan_table *t, const struct kspan_bad_free *bad)
{
	char comm[KSPAN_NAME_BRIEF];

	kspan_table_key(t, "cpu");
	kspan_table_number(t, 0, bad->cpu);
	kspan_table_key(t, "context");
	kspan_table_word(t, 0, bad->context);
	kspan_table_key(t, "pid");
	kspan_table_number(t, 0, bad->pid);
	kspan_table_key(t, "comm");
	kspan_table_name(t, kspan_name_brief(comm, bad->comm));
	if (bad->site) {
		kspan_table_key(t, "allocated_by");
		kspan_table_code(t, bad->site);
	}
	if (bad->nr_stack) {
		kspan_table_key(t, "stack");
		kspan_table_codes(t, bad->stack, bad->nr_stack);
	}
}

/**
 * kspan_bad_free_show() - print a report as a row of debugfs/kspan/bad_frees
 * @t:		the table
 * @bad:	a copy from kspan_bad_free_kept()
 */
void kspan_bad_free_show(struct kspan_table *t, const struct kspan_bad_free *bad)
{
	char address[20];

	snprintf(address, sizeof(address), "%p", (void *)bad->addr);
	kspan_table_row(t);
	kspan_table_key(t, "time");
	kspan_table_time(t, bad->ns);
	kspan_table_key(t, "kind");
	kspan_table_word(t, 0, kinds[bad->kind].word);
	kspan_table_key(t, "address");
	kspan_table_word(t, 0, address);
	kspan_table_key(t, "size");
	kspan_table_number(t, 0, bad->size);
	kspan_table_key(t, "heap");
	kspan_table_name(t, bad->size ? bad->heap : "-");
	kspan_table_key(t, "found");
	kspan_table_word(t, 0, bad->late ? "later" : "at_call");
	if (!bad->late)
		show_caller(t, bad);
	kspan_table_end_row(t);
}
