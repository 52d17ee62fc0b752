// SPDX-License-Identifier: GPL-2.0
/* kspan_kunit: a suite for each layer of kspan. KUnit runs them when the module is loaded. */
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "api/heaps.h"
#include "base/kunit_export.h"
#include "kspan_kunit.h"

unsigned long kspan_kunit_seed;
module_param_named(seed, kspan_kunit_seed, ulong, 0444);
MODULE_PARM_DESC(seed, "of the random sequences, printed by those that use it; 0: one at random (default 0)");

static void __exit resume_sampling(void)
{
	kspan_heaps_set_profile_rate(kspan_kunit_rate_before);
}
module_exit(resume_sampling);

MODULE_DESCRIPTION("KUnit suites of kspan");
MODULE_LICENSE("GPL");
KSPAN_IMPORT_FOR_KUNIT();
