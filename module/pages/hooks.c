// SPDX-License-Identifier: GPL-2.0
/*
 * What the layers ask of the scavenger and of reclaim, which stand above all of them
 *
 * A layer calls no file above it. What it needs from there is declared here, and reclaim.c
 * fills it in: two work items that layers queue, and two functions that they call.
 *
 * Context: any, NMI included, but for kspan_relief.
 */
#include "base/kunit_export.h"
#include "pages/hooks.h"

/* Nobody needs to wake the scavenger: it will look, or is turned off, or not there yet. */
bool kspan_scavenger_awake = true;
KSPAN_EXPORT_FOR_KUNIT(kspan_scavenger_awake);

/* Its next look is to be soon, since memory is short; or there is no scavenger. */
bool kspan_scavenger_hurried = true;

struct irq_work kspan_scavenger_irq_work;

/**
 * kspan_scavenger_hurry() - memory is short, and not all of it in use
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

static bool nothing(int nid, unsigned int npages, gfp_t gfp)
{
	return false;
}

struct kspan_relief kspan_relief = { .soft_limit = nothing, .hard_limit = nothing };
