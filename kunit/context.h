/* SPDX-License-Identifier: GPL-2.0 */
/* Contexts in which kspan is called. See context.c. */
#ifndef KSPAN_KUNIT_CONTEXT_H
#define KSPAN_KUNIT_CONTEXT_H

#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>

#include "kspan_kunit.h"

/* Columns of the table of calls and contexts in context_kunit.c. */
#define IN_TASK		BIT(0)
#define PREEMPT_OFF	BIT(1)
#define SOFTIRQS_OFF	BIT(2)
#define IRQS_OFF	BIT(3)
#define IN_SOFTIRQ	BIT(4)
#define IN_HARDIRQ	BIT(5)
#define IN_NMI		BIT(6)
#define RAW_LOCK	BIT(7)

/**
 * struct context_job - a job that is done once, in a context
 * @fn:		does the job
 * @data:		is passed to @fn
 * @ran:		the job was done
 * @nmi:		in_nmi() was true then
 * @busy:		the interrupted code was using the CPU's cache then
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
 * struct context - a way into a context
 * @name:		for messages
 * @column:	bit of the table's column
 * @interrupts:	the context interrupts the task at any place
 * @start:	begin the job, without sleeping; false when the machine has no way into the
 *		context
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

bool context_free_in_nmi(const void *slot, unsigned int class);

int context_open(void);
void context_close(void);

bool context_has_nmi(void);
void context_send_nmi(unsigned int cpu, void (*handler)(void));

/* Whether the interrupted code uses this CPU's cache. */
static inline bool context_cache_is_busy(void)
{
	return READ_ONCE(raw_cpu_ptr(kspan_default_heap.cpu)->busy);
}

#endif /* KSPAN_KUNIT_CONTEXT_H */
