// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks: how lower layers call the scavenger and reclaim
 *
 * A file calls no file above its own. So the calls that lower layers need are declared here,
 * and objects/ and reclaim/, which are above them, fill them in: an irq work that wakes the
 * scavenger, and the functions of kspan_relief.
 *
 * Context: any, NMI included, except for kspan_relief, which may sleep.
 */
#include "base/kunit_export.h"
#include "pages/hooks.h"

/* The scavenger needs no wake-up: it will run anyway, or is turned off, or not there yet. */
bool kspan_scavenger_awake = true;
KSPAN_EXPORT_FOR_KUNIT(kspan_scavenger_awake);

/* The scavenger is to run soon, because memory is short; or there is no scavenger. */
bool kspan_scavenger_hurried = true;

struct irq_work kspan_scavenger_irq_work;

/**
 * kspan_scavenger_hurry() - make the scavenger run soon: memory is short, and kspan has free pages
 *
 * Context: any, NMI included.
 */
void kspan_scavenger_hurry(void)
{
	if (READ_ONCE(kspan_scavenger_hurried))
		return;
	WRITE_ONCE(kspan_scavenger_hurried, true);
	irq_work_queue(&kspan_scavenger_irq_work);
}

/* What kspan_relief does until empty.c and relief.c fill it in. */
static bool nothing(int nid, unsigned int npages, gfp_t gfp)
{
	return false;
}

struct kspan_relief kspan_relief = {
	.empty_spans = nothing,
	.soft_limit = nothing,
	.hard_limit = nothing,
};
