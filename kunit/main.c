// SPDX-License-Identifier: GPL-2.0
/* kspan_kunit - a suite per layer of kspan; loading the module runs them. */
#include <linux/module.h>

MODULE_DESCRIPTION("KUnit suites of kspan");
MODULE_LICENSE("GPL");
