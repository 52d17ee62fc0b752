/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stretches: how long interrupts or preemption are off
 *
 * A build with KSPAN_STRETCH=1, and no other, includes this file before everything else. It
 * replaces what turns interrupts or preemption off in kspan, so that each time is noted. The
 * longest time until everything is on again is kept, with the places in the code where it
 * began and ended. It works for one CPU, and for tools/bench/stretch.c, which counts
 * instructions.
 */
#ifndef KSPAN_STRETCH_H
#define KSPAN_STRETCH_H

/* Included first, so that the kernel's own inline functions are compiled without the macros. */
#include <linux/cpu.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kmemleak.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

/**
 * struct kspan_stretch - the longest time with interrupts or preemption off
 * @ticks:	length in ticks of the TSC
 * @from:	address of the code where it began
 * @to:		address of the code where it ended
 */
struct kspan_stretch {
	u64 ticks;
	unsigned long from;
	unsigned long to;
};

void kspan_stretch_begin(void);
void kspan_stretch_end(void);
void kspan_stretch_reset(void);
struct kspan_stretch kspan_stretch_read(void);

static __always_inline unsigned long kspan_stretch_lock(raw_spinlock_t *lock)
{
	unsigned long flags;

	raw_spin_lock_irqsave(lock, flags);
	kspan_stretch_begin();
	return flags;
}

static __always_inline bool kspan_stretch_trylock(raw_spinlock_t *lock, unsigned long *flags)
{
	if (!raw_spin_trylock_irqsave(lock, *flags))
		return false;
	kspan_stretch_begin();
	return true;
}

static __always_inline void kspan_stretch_unlock(raw_spinlock_t *lock, unsigned long flags)
{
	kspan_stretch_end();
	raw_spin_unlock_irqrestore(lock, flags);
}

static __always_inline void kspan_stretch_preempt_disable(void)
{
	preempt_disable();
	kspan_stretch_begin();
}

static __always_inline void kspan_stretch_preempt_enable(void)
{
	kspan_stretch_end();
	preempt_enable();
}

static __always_inline void kspan_stretch_rcu_lock(void)
{
	rcu_read_lock_sched();
	kspan_stretch_begin();
}

static __always_inline void kspan_stretch_rcu_unlock(void)
{
	kspan_stretch_end();
	rcu_read_unlock_sched();
}

/* One of the headers above defined it; a file that prints defines its own. */
#undef pr_fmt

#undef raw_spin_lock_irqsave
#undef raw_spin_trylock_irqsave
#undef raw_spin_unlock_irqrestore
#undef preempt_disable
#undef preempt_enable
#define raw_spin_lock_irqsave(lock, flags)	((flags) = kspan_stretch_lock(lock))
#define raw_spin_trylock_irqsave(lock, flags)	kspan_stretch_trylock(lock, &(flags))
#define raw_spin_unlock_irqrestore		kspan_stretch_unlock
#define preempt_disable				kspan_stretch_preempt_disable
#define preempt_enable				kspan_stretch_preempt_enable
#define rcu_read_lock_sched			kspan_stretch_rcu_lock
#define rcu_read_unlock_sched			kspan_stretch_rcu_unlock

#endif /* KSPAN_STRETCH_H */
