/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The busy mark: how code on a CPU owns the data that this CPU has
 *
 * The owner turns preemption off and sets the mark. That takes no locked instruction, and
 * interrupts stay on. An interrupt or NMI that finds the mark set must not touch the data. It has
 * another way to do its work, as a CPU can't wait for the code that it has interrupted. An
 * interrupt that finds the mark clear may set it, and clears it before it returns. So the
 * interrupted code never sees a change, and no other CPU reads or writes the mark.
 *
 * CPU caches (cpu_cache.h) and pools (kits/pool.h) use it.
 */
#ifndef KSPAN_BUSY_H
#define KSPAN_BUSY_H

#include <linux/compiler.h>
#include <linux/preempt.h>
#include <linux/types.h>

/**
 * kspan_busy_mark() - become the owner of this CPU's data
 * @busy:	the mark, of this CPU; preemption is off
 *
 * Context: any, NMI included.
 * Return: false, and nothing is done, when the interrupted code is the owner.
 */
static __always_inline bool kspan_busy_mark(u8 *busy)
{
	/*
	 * Only this CPU writes the mark, and an interrupt leaves it as it was, so this is no data
	 * race.
	 */
	if (unlikely(data_race(*busy)))
		return false;
	WRITE_ONCE(*busy, 1);
	/*
	 * Pairs with the barrier() in kspan_busy_unmark(): an interrupt sees the mark set before
	 * it sees anything that the owner does. Both are for this CPU only, so the compiler's
	 * order is enough.
	 */
	barrier();
	return true;
}

/** kspan_busy_unmark() - undo kspan_busy_mark() */
static __always_inline void kspan_busy_unmark(u8 *busy)
{
	/* Pairs with the barrier() in kspan_busy_mark(). */
	barrier();
	WRITE_ONCE(*busy, 0);
}

/** kspan_busy_leave() - kspan_busy_unmark() for an owner that turned preemption off */
static __always_inline void kspan_busy_leave(u8 *busy)
{
	kspan_busy_unmark(busy);
	preempt_enable();
}

#endif /* KSPAN_BUSY_H */
