// SPDX-License-Identifier: GPL-2.0
/*
 * Stretches: the longest time with interrupts or preemption off; see stretch.h
 */
#include <linux/hardirq.h>
#include <linux/kernel_stat.h>
#include <linux/timex.h>

#include "base/stretch.h"

#ifndef CONFIG_X86
#error "KSPAN_STRETCH=1 needs x86: it counts by the TSC, and the interrupts that came"
#endif

static struct kspan_stretch longest;
static unsigned int depth;
static u64 start;
static unsigned long from, then;

/*
 * A number that changes with each interrupt. While only preemption is off, an interrupt may
 * come, of the timer for example, and its time is not kspan's: such a stretch is not counted.
 * The first word of irq_stat may have flags of softirqs, so it is left out.
 */
static unsigned long interrupts(void)
{
	const u32 *counts = (const u32 *)raw_cpu_ptr(&irq_stat);
	unsigned long sum = raw_cpu_read(kstat.irqs_sum);
	unsigned int i;

	for (i = 1; i < sizeof(irq_stat) / sizeof(*counts); i++)
		sum += READ_ONCE(counts[i]);
	return sum;
}

/** kspan_stretch_begin() - note that interrupts or preemption were turned off */
noinline void kspan_stretch_begin(void)
{
	if (depth++)
		return;
	from = _RET_IP_;
	then = interrupts();
	start = get_cycles();
}

/** kspan_stretch_end() - note that interrupts or preemption are about to be turned on */
noinline void kspan_stretch_end(void)
{
	u64 ticks = get_cycles() - start;

	if (--depth || ticks <= longest.ticks)
		return;
	if (interrupts() == then)
		longest = (struct kspan_stretch) { ticks, from, _RET_IP_ };
}

/** kspan_stretch_reset() - forget the longest stretch */
void kspan_stretch_reset(void)
{
	longest = (struct kspan_stretch) { };
}
EXPORT_SYMBOL_GPL(kspan_stretch_reset);

/** kspan_stretch_read() - the longest stretch since the last reset */
struct kspan_stretch kspan_stretch_read(void)
{
	return longest;
}
EXPORT_SYMBOL_GPL(kspan_stretch_read);
