/* SPDX-License-Identifier: GPL-2.0 */
/* Wrong frees: their kinds, and the reports of them. */
#ifndef KSPAN_BAD_FREE_H
#define KSPAN_BAD_FREE_H

#include <linux/sched.h>

#include "base/context.h"
#include "base/table.h"
#include "pages/span.h"
#include "types.h"

struct kspan_central;

enum kspan_bad_free_kind {
	KSPAN_BAD_FREE_DOUBLE,
	KSPAN_BAD_FREE_INTERIOR,
	KSPAN_BAD_FREE_MISALIGNED,
	KSPAN_BAD_FREE_NEVER_ALLOCATED,
	KSPAN_BAD_FREE_FOREIGN,
	KSPAN_BAD_FREE_DESTROYED,
	KSPAN_BAD_FREE_OTHER_HEAP,
	KSPAN_BAD_FREE_REGION,
	KSPAN_BAD_FREE_HANDLE,
	KSPAN_BAD_FREE_POOLED,
	KSPAN_BAD_FREE_SIZE,
	KSPAN_NR_BAD_FREE_KINDS,
};

/* Bytes of a heap's name in a report, with the zero at its end. */
#define KSPAN_BAD_FREE_NAME	32

/* How many of the last reports are kept for debugfs. */
#define KSPAN_BAD_FREES_KEPT	64
/* Most return addresses of the call stack in a report. */
#define KSPAN_BAD_FREE_STACK	12

/**
 * struct kspan_bad_free - report of a wrong free
 * @kind:	what was wrong
 * @addr:	pointer that the caller passed
 * @class:	size class of the page that @addr is in, 0 for none
 * @size:	bytes of an object of that class, 0 if no class is known
 * @heap:	name of the heap of the page, if @class is not 0
 * @ns:		monotonic time of the report, in nanoseconds
 * @late:	the wrong free was found some time after its call; the fields below are not
 *		known then
 * @cpu:	CPU that called free
 * @pid:	task that called free, or that an interrupt which did had interrupted
 * @comm:	name of that task
 * @context:	task, softirq, hardirq or nmi
 * @site:	return address of the call that allocated the object, if its heap is tracked;
 *		else 0
 * @nr_stack:	length of @stack
 * @stack:	return addresses, the innermost first
 */
struct kspan_bad_free {
	enum kspan_bad_free_kind kind;
	unsigned long addr;
	unsigned int class;
	unsigned int size;
	char heap[KSPAN_BAD_FREE_NAME];
	u64 ns;
	bool late;
	unsigned int cpu;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	const char *context;
	unsigned long site;
	unsigned int nr_stack;
	unsigned long stack[KSPAN_BAD_FREE_STACK];
};

void kspan_bad_free_report_late(enum kspan_bad_free_kind kind, unsigned long addr,
				unsigned int class, unsigned int size, const char *heap);
void kspan_bad_free_exit(void);
void kspan_bad_free_report_in(enum kspan_bad_free_kind kind, unsigned long addr,
			      unsigned int class, unsigned int size, const char *heap);
void kspan_bad_free_report_slot(enum kspan_slot_state state, unsigned long addr,
				const struct kspan_central *central);
void kspan_bad_free_report_slot_late(enum kspan_slot_state state, unsigned long addr,
				     const struct kspan_central *central);
void kspan_bad_free_report(enum kspan_bad_free_kind kind, unsigned long addr);
u64 kspan_bad_free_count(enum kspan_bad_free_kind kind);

/* How many wrong frees of all kinds there were since the module was loaded. */
static inline u64 kspan_bad_frees(void)
{
	unsigned int kind;
	u64 sum = 0;

	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		sum += kspan_bad_free_count(kind);
	return sum;
}

bool kspan_bad_free_kept(unsigned int n, struct kspan_bad_free *bad);
void kspan_bad_free_show(struct kspan_table *t, const struct kspan_bad_free *bad);

/* The newest report; its address is 0 if there was no wrong free yet. */
static inline struct kspan_bad_free kspan_bad_free_last(void)
{
	struct kspan_bad_free bad = { };

	kspan_bad_free_kept(0, &bad);
	return bad;
}

#endif /* KSPAN_BAD_FREE_H */
