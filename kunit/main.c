// SPDX-License-Identifier: GPL-2.0
/* kspan_kunit: a suite for each layer of kspan. KUnit runs them when the module is loaded. */
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "api/heaps.h"
#include "base/kunit_export.h"
#include "objects/profile.h"
#include "kspan_kunit.h"

unsigned long kspan_kunit_seed;
module_param_named(seed, kspan_kunit_seed, ulong, 0444);
MODULE_PARM_DESC(seed, "of the random sequences, printed by those that use it; 0: one at random (default 0)");

static unsigned long profile_rate;
module_param(profile_rate, ulong, 0444);
MODULE_PARM_DESC(profile_rate, "what the heap profile samples meanwhile, but for its own suite; with 1 each object is allocated in the rare way, and cases that count spans fail (default 0)");

static unsigned long rate_before;

/* The suites run after this. Most of them count spans, so nothing is sampled. */
static int __init stop_sampling(void)
{
	rate_before = kspan_profile_rate;
	return kspan_heaps_set_profile_rate(profile_rate);
}
module_init(stop_sampling);

static void __exit resume_sampling(void)
{
	kspan_heaps_set_profile_rate(rate_before);
}
module_exit(resume_sampling);

MODULE_DESCRIPTION("KUnit suites of kspan");
MODULE_LICENSE("GPL");
KSPAN_IMPORT_FOR_KUNIT();
