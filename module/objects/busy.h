/* SPDX-License-Identifier: GPL-2.0 */
/* The mark that keeps interrupts away from what a CPU has. */
#ifndef KSPAN_BUSY_H
#define KSPAN_BUSY_H

#include <linux/compiler.h>
#include <linux/preempt.h>
#include <linux/types.h>

static __always_inline bool kspan_busy_mark(u8 *busy)
{
	/* Only this CPU writes the mark, an interrupt leaves it as it was: that is no data race. */
	if (unlikely(data_race(*busy)))
		return false;
	WRITE_ONCE(*busy, 1);
	/* To interrupts the mark stands before all that is done under it. */
	barrier();
	return true;
}

static __always_inline void kspan_busy_unmark(u8 *busy)
{
	barrier();
	WRITE_ONCE(*busy, 0);
}

static __always_inline void kspan_busy_leave(u8 *busy)
{
	kspan_busy_unmark(busy);
	preempt_enable();
}

#endif /* KSPAN_BUSY_H */
