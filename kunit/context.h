/* SPDX-License-Identifier: GPL-2.0 */
/* Contexts to call kspan from: see context.c. */
#ifndef KSPAN_KUNIT_CONTEXT_H
#define KSPAN_KUNIT_CONTEXT_H

#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>

#include "kspan_kunit.h"

/* Columns of the table of calls and contexts. */
#define IN_TASK		BIT(0)
#define PREEMPT_OFF	BIT(1)
#define SOFTIRQS_OFF	BIT(2)
#define IRQS_OFF	BIT(3)
#define IN_SOFTIRQ	BIT(4)
#define IN_HARDIRQ	BIT(5)
#define IN_NMI		BIT(6)
#define RAW_LOCK	BIT(7)

/**
 * struct context_job - what is to be done once, in a context
 * @fn:		the deed
 * @data:	for it
 * @ran:	it was done, and
 * @nmi:	in_nmi() was true
 * @busy:	the interrupted code was at work with the CPU's cache
 */
struct context_job {
	void (*fn)(void *data);
	void *data;
	bool ran;
	bool nmi;
	bool busy;
	struct irq_work work;
	struct tasklet_struct tasklet;
	struct completion done;
};

/**
 * struct context - a way to get into a context
 * @name:	what it is called
 * @column:	in the table
 * @interrupts:	it comes on top of whatever the task is doing
 * @start:	get there; false when this machine has no way. Does not sleep.
 * @finish:	wait for the end of the job; may be NULL
 */
struct context {
	const char *name;
	unsigned int column;
	bool interrupts;
	bool (*start)(struct context_job *job);
	void (*finish)(struct context_job *job);
};

extern const struct context context_task;
extern const struct context context_preempt_off;
extern const struct context context_softirqs_off;
extern const struct context context_irqs_off;
extern const struct context context_raw_lock;
extern const struct context context_softirq;
extern const struct context context_hardirq;
extern const struct context context_nmi;
extern const struct context context_trap;

bool context_run(const struct context *context, struct context_job *job);
bool context_run_over_busy_cache(const struct context *context, struct context_job *job);

int context_open(void);
void context_close(void);

bool context_has_nmi(void);
void context_send_nmi(unsigned int cpu, void (*handler)(void));

/* The interrupted code is at work with this CPU's cache. */
static inline bool context_cache_is_busy(void)
{
	return READ_ONCE(raw_cpu_ptr(kspan_default_heap.cpu)->busy);
}

#endif /* KSPAN_KUNIT_CONTEXT_H */
