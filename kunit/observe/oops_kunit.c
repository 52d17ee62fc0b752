// SPDX-License-Identifier: GPL-2.0
/* What an oops prints of kspan, by registers that are made up. */
#include <linux/kspan.h>
#include <linux/ptrace.h>

#include "kspan_kunit.h"
#include "observe/oops.h"

#define SIZE	64

static struct pt_regs regs;
static struct kmsg_dump_iter logged;

static int oops_init(struct kunit *test)
{
	memset(&regs, 0, sizeof(regs));
	kspan_kunit_init(test);
	kspan_kunit_log_begin(&logged);
	return 0;
}

/* The first word of the registers, whatever its name is. */
static void hold(unsigned long value)
{
	*(unsigned long *)&regs = value;
}

static void expect_logged(struct kunit *test, const char *text)
{
	KUNIT_EXPECT_TRUE_MSG(test, kspan_kunit_logged(&logged, text), "%s", text);
}

static void registers_of_others_are_not_told(struct kunit *test)
{
	void *p = kmalloc(SIZE, GFP_KERNEL);

	KUNIT_EXPECT_EQ(test, kspan_oops_explain(&regs), 0U);
	hold((unsigned long)p);
	KUNIT_EXPECT_EQ(test, kspan_oops_explain(&regs), 0U);
	memset(&regs, 0xff, sizeof(regs));
	KUNIT_EXPECT_EQ(test, kspan_oops_explain(&regs), 0U);
	kfree(p);
}

static void live_object_is_told(struct kunit *test)
{
	char *p = kspan_malloc(SIZE, GFP_KERNEL);

	hold((unsigned long)p + 8);
	KUNIT_EXPECT_EQ(test, kspan_oops_explain(&regs), 1U);
	expect_logged(test, ": 8 bytes into live object of 64 bytes, heap default of kspan");
	kspan_free(p);
}

static void freed_object_is_told(struct kunit *test)
{
	char *p = kspan_malloc(SIZE, GFP_KERNEL);

	kspan_free(p);
	hold((unsigned long)p);
	KUNIT_EXPECT_EQ(test, kspan_oops_explain(&regs), 1U);
	expect_logged(test, ": 0 bytes into cached object of 64 bytes, heap default of kspan");
}

/* What a read of a freed object's first word gives. */
static void seal_is_told(struct kunit *test)
{
	char *p;

	if (!kspan_exact_frees)
		kunit_skip(test, "kspan was loaded with exact_frees=0");
	p = kspan_malloc(SIZE, GFP_KERNEL);
	hold(kspan_seal_of(p));
	KUNIT_EXPECT_EQ(test, kspan_oops_explain(&regs), 0U);
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, kspan_oops_explain(&regs), 1U);
	expect_logged(test, ": seal of a free object: 0 bytes into cached object of 64 bytes");
}

/* The code that oopsed may hold each lock. */
static void locks_are_only_tried(struct kunit *test)
{
	char *p = kspan_malloc(SIZE, GFP_KERNEL);
	int nid = page_to_nid(virt_to_page(p));
	struct kspan_central *central = kspan_heap_central(&kspan_default_heap, nid,
							   kspan_size_class(SIZE));
	struct kspan_page_heap *ph = kspan_page_heap(nid);
	unsigned long flags;
	unsigned int lines;

	if (!IS_ENABLED(CONFIG_SMP))
		kunit_skip(test, "a trylock always succeeds here");
	hold((unsigned long)p);
	raw_spin_lock_irqsave(&central->lock, flags);
	lines = kspan_oops_explain(&regs);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	KUNIT_EXPECT_EQ(test, lines, 1U);
	/* Of the map's range, and no object: the page heap is asked. */
	hold(kspan_map.base);
	raw_spin_lock_irqsave(&ph->lock, flags);
	kspan_oops_explain(&regs);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
	kspan_free(p);
}

static struct kunit_case oops_cases[] = {
	KUNIT_CASE(registers_of_others_are_not_told),
	KUNIT_CASE(live_object_is_told),
	KUNIT_CASE(freed_object_is_told),
	KUNIT_CASE(seal_is_told),
	KUNIT_CASE(locks_are_only_tried),
	{}
};

static struct kunit_suite oops_suite = {
	.name = "kspan_oops",
	.init = oops_init,
	.exit = kspan_kunit_exit,
	.test_cases = oops_cases,
};

kunit_test_suite(oops_suite);
