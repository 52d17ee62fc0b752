// SPDX-License-Identifier: GPL-2.0
/*
 * The longest time with interrupts or preemption off; see stretch.h
 */
#include <linux/jiffies.h>
#include <linux/timex.h>

static struct kspan_stretch longest;
static unsigned int depth;
static u64 start;
static unsigned long from, then;

/** kspan_stretch_begin() - interrupts or preemption were turned off */
noinline void kspan_stretch_begin(void)
{
	if (depth++)
		return;
	from = _RET_IP_;
	then = READ_ONCE(jiffies);
	start = get_cycles();
}

/** kspan_stretch_end() - they are about to be turned on */
noinline void kspan_stretch_end(void)
{
	u64 ticks = get_cycles() - start;

	if (--depth || ticks <= longest.ticks)
		return;
	/* What the timer's interrupt took, while only preemption was off, is not ours. */
	if (READ_ONCE(jiffies) == then)
		longest = (struct kspan_stretch) { ticks, from, _RET_IP_ };
}

/** kspan_stretch_reset() - forget the longest */
void kspan_stretch_reset(void)
{
	longest = (struct kspan_stretch) { };
}
EXPORT_SYMBOL_GPL(kspan_stretch_reset);

/** kspan_stretch_read() - the longest since it was reset */
struct kspan_stretch kspan_stretch_read(void)
{
	return longest;
}
EXPORT_SYMBOL_GPL(kspan_stretch_read);
