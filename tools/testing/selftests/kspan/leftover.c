// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_leftover - a module that forgets what it allocated
 *
 * Loading it allocates 3 objects of 64 bytes and 2 of 64 KiB, unloading it frees
 * none of them: module.sh looks at what kspan says of that when it is unloaded.
 */
#include <linux/kspan.h>
#include <linux/module.h>
#include <linux/sizes.h>

static void *objects[5];

static int __init leftover_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = kspan_malloc(i < 3 ? 64 : SZ_64K, GFP_KERNEL);
		if (objects[i])
			continue;
		while (i--)
			kspan_free(objects[i]);
		return -ENOMEM;
	}
	return 0;
}
module_init(leftover_init);

static void __exit leftover_exit(void)
{
}
module_exit(leftover_exit);

MODULE_DESCRIPTION("Leaves kspan objects behind, for kspan's selftests");
MODULE_LICENSE("GPL");
