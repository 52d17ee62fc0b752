// SPDX-License-Identifier: GPL-2.0
/*
 * Failures on demand
 *
 * Arenas alone by the module's own fault attributes, whatever the gfp flags;
 * or the n-th of all allocations that the running task makes and the kernel
 * can let fail: arenas, and with CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC
 * objects of SLUB and blocks of order 1 and up, as far as they may not reclaim.
 */
#include <linux/fault-inject.h>
#include <linux/sched.h>

#include "kspan_kunit.h"

#ifdef CONFIG_FAULT_INJECTION

static int armed;

/** kspan_kunit_needs_faults() - skip the case where nothing can be made to fail */
void kspan_kunit_needs_faults(struct kunit *test)
{
}

/**
 * kspan_kunit_fail_arenas() - let arena allocations fail
 * @first:	the first to fail, from 1
 * @times:	how many from then on
 */
void kspan_kunit_fail_arenas(unsigned int first, int times)
{
	kspan_kunit_forget_scarcity();
	kspan_fail_arena.verbose = 0;
	kspan_fail_arena.interval = 1;
	/* Each call costs 1; the first with not more than 1 left fails. */
	atomic_set(&kspan_fail_arena.space, first);
	atomic_set(&kspan_fail_arena.times, times);
	kspan_fail_arena.probability = 100;
	armed = times;
}

/**
 * kspan_kunit_stop_failing() - undo kspan_kunit_fail_arenas()
 * Return: how many arenas were made to fail.
 */
unsigned int kspan_kunit_stop_failing(void)
{
	int left = atomic_read(&kspan_fail_arena.times);
	unsigned int failed = armed - left;

	if (!armed)
		return 0;
	kspan_fail_arena.probability = 0;
	armed = 0;
	return failed;
}

/**
 * kspan_kunit_fail_nth() - let one allocation of the running task fail
 * @nth: which, from 1; 0 for none
 */
void kspan_kunit_fail_nth(unsigned int nth)
{
	if (nth)
		kspan_kunit_forget_scarcity();
	kspan_fail_arena.verbose = 0;
	WRITE_ONCE(current->fail_nth, nth);
}

/**
 * kspan_kunit_nth_failed() - stop kspan_kunit_fail_nth()
 * Return: whether it came to the failure.
 */
bool kspan_kunit_nth_failed(void)
{
	bool failed = !READ_ONCE(current->fail_nth);

	kspan_kunit_fail_nth(0);
	return failed;
}

#else

void kspan_kunit_needs_faults(struct kunit *test)
{
	kunit_skip(test, "CONFIG_FAULT_INJECTION is off");
}

void kspan_kunit_fail_arenas(unsigned int first, int times)
{
}

unsigned int kspan_kunit_stop_failing(void)
{
	return 0;
}

void kspan_kunit_fail_nth(unsigned int nth)
{
}

bool kspan_kunit_nth_failed(void)
{
	return false;
}

#endif /* CONFIG_FAULT_INJECTION */
