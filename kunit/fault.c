// SPDX-License-Identifier: GPL-2.0
/*
 * Failures on demand.
 *
 * The module's own fault attribute lets arenas fail, with all gfp flags. The kernel's fail_nth
 * lets one allocation of the running task fail, counted over all that can fail: arenas, and with
 * CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC objects of SLUB and blocks of order 1 and up, unless
 * they may reclaim.
 */
#include <linux/fault-inject.h>
#include <linux/sched.h>

#include "kspan_kunit.h"

#ifdef CONFIG_FAULT_INJECTION

static int armed;

/**
 * kspan_kunit_needs_faults() - skip the case on a kernel without fault injection
 * @test:	the running case
 */
void kspan_kunit_needs_faults(struct kunit *test)
{
}

/**
 * kspan_kunit_fail_arenas() - let arena allocations fail
 * @first:	number of the first that fails, from 1
 * @times:	how many fail
 */
void kspan_kunit_fail_arenas(unsigned int first, int times)
{
	kspan_kunit_forget_scarcity();
	kspan_fail_arena.verbose = 0;
	kspan_fail_arena.interval = 1;
	/* Each call costs 1. The first call that finds 1 or less left fails. */
	atomic_set(&kspan_fail_arena.space, first);
	atomic_set(&kspan_fail_arena.times, times);
	kspan_fail_arena.probability = 100;
	armed = times;
}

/**
 * kspan_kunit_stop_failing() - undo kspan_kunit_fail_arenas()
 *
 * Return: how many arenas failed.
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
 * @nth:	number of the allocation, from 1; 0 for none
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
 *
 * Return: true if the allocation was reached, and failed.
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
