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
#include "objects/bad_free.h"
#include "objects/central.h"
#include "objects/lookup.h"

/* What a kind is called in the log, and as a word of a table. */
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
/* Protects all that follows. */
static DEFINE_RAW_SPINLOCK(last_lock);

/* The last ones, as a ring: the @n-th is at @n % KSPAN_BAD_FREES_KEPT. */
static struct kspan_bad_free kept[KSPAN_BAD_FREES_KEPT];
static u64 nr_kept;

/* What is printed: ten reports in five seconds. */
#define REPORTS_AT_A_TIME	10

/* Those to be printed by a work item. */
static struct kspan_bad_free late[REPORTS_AT_A_TIME];
static unsigned int nr_late;

/* Where an object of a tracked heap was allocated, or 0. */
static unsigned long site_of(unsigned long addr)
{
	struct kspan_found found;
	unsigned long site = 0;
	unsigned int slot;
	bool exact;

	rcu_read_lock_sched();
	if (kspan_lookup(addr, &found) && kspan_span_is_small(found.word.state) &&
	    found.central->tracked && kspan_found_pin(&found)) {
		slot = kspan_slot_index(found.span->magic, addr - found.span->start, &exact);
		if (slot < found.span->nslots)
			site = READ_ONCE(kspan_span_sites(found.span)[slot]);
		kspan_span_unpin(found.span);
	}
	rcu_read_unlock_sched();
	return site;
}

/* Most of our own functions that a free comes through. */
#define OWN_FUNCTIONS	8

/* The call stack from the caller on: how many of ours there are the compiler decides. */
static void save_stack(struct kspan_bad_free *bad)
{
	unsigned long stack[OWN_FUNCTIONS + KSPAN_BAD_FREE_STACK];
	unsigned int n = stack_trace_save(stack, ARRAY_SIZE(stack), 0), own = 0;

	while (own < n && within_module(stack[own], THIS_MODULE))
		own++;
	bad->nr_stack = min_t(unsigned int, n - own, ARRAY_SIZE(bad->stack));
	memcpy(bad->stack, stack + own, bad->nr_stack * sizeof(*stack));
}

/* Who frees, and where from; of a free in the past that is not known. */
static void describe_caller(struct kspan_bad_free *bad)
{
	bad->cpu = raw_smp_processor_id();
	bad->pid = task_pid_nr(current);
	strscpy(bad->comm, current->comm, sizeof(bad->comm));
	bad->context = in_nmi() ? "nmi" : in_hardirq() ? "hardirq" :
		       in_serving_softirq() ? "softirq" : "task";
	/* An NMI has neither the time nor the stack for that. */
	if (in_nmi())
		return;
	bad->site = site_of(bad->addr);
	save_stack(bad);
}

/* Count it, and keep it; returns whether it may be printed. */
static bool bad_free_note(struct kspan_bad_free *bad)
{
	/* It says nothing itself: a lock may be held. */
	static struct ratelimit_state limit =
		RATELIMIT_STATE_INIT_FLAGS(limit, 5 * HZ, REPORTS_AT_A_TIME,
					   RATELIMIT_MSG_ON_RELEASE);
	unsigned long flags;

	atomic64_inc(&counts[bad->kind]);
	bad->ns = ktime_get_mono_fast_ns();
	/* An NMI may have interrupted the owner of the lock; then it is only counted. */
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
 * @addr:	the pointer
 * @central:	the central of the span
 */
void kspan_bad_free_report_slot(enum kspan_slot_state state, unsigned long addr,
				const struct kspan_central *central)
{
	kspan_bad_free_report_in(slot_kind(state, addr), addr, central->class, central->sc->size,
				 central->name);
}

/**
 * kspan_bad_free_report_slot_late() - kspan_bad_free_report_slot() of a free in the past
 * @state:	as for kspan_bad_free_report_slot()
 * @addr:	the pointer
 * @central:	the central of the span
 *
 * Context: task, softirq, hardirq, with preemption off for kspan's own reasons, or a lock held.
 */
void kspan_bad_free_report_slot_late(enum kspan_slot_state state, unsigned long addr,
				     const struct kspan_central *central)
{
	kspan_bad_free_report_late(slot_kind(state, addr), addr, central->class, central->sc->size,
				   central->name);
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
 * kspan_bad_free_kept() - one of the last reports, printed or not
 * @n:		0 for the newest
 * @bad:	set to a copy of it
 *
 * Return: false when there are no more; KSPAN_BAD_FREES_KEPT at most.
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

static void show_code(struct seq_file *m, const char *before, unsigned long addr)
{
	char name[KSYM_SYMBOL_LEN];

	kspan_name_of_code(name, sizeof(name), addr);
	/* There is a blank before the module. */
	strreplace(name, ' ', ':');
	seq_printf(m, "%s%s", before, name);
}

/**
 * kspan_bad_free_show() - print a report as a line of debugfs/kspan/bad_frees
 * @m:		where to
 * @bad:	the report
 */
void kspan_bad_free_show(struct seq_file *m, const struct kspan_bad_free *bad)
{
	unsigned int i;

	seq_printf(m, "time=%llu.%06llu kind=%s address=%p size=%u heap=",
		   div_u64(bad->ns, NSEC_PER_SEC), div_u64(bad->ns, NSEC_PER_USEC) % USEC_PER_SEC,
		   kinds[bad->kind].word, (void *)bad->addr, bad->size);
	kspan_name_show(m, bad->size ? bad->heap : "-");
	if (bad->late) {
		seq_puts(m, " found=later\n");
		return;
	}
	seq_printf(m, " found=at_call cpu=%u context=%s pid=%d comm=", bad->cpu, bad->context,
		   bad->pid);
	kspan_name_show(m, bad->comm);
	if (bad->site)
		show_code(m, " allocated_by=", bad->site);
	for (i = 0; i < bad->nr_stack; i++)
		show_code(m, i ? "," : " stack=", bad->stack[i]);
	seq_putc(m, '\n');
}
