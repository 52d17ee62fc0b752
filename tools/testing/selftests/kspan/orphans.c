// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_orphans - a module that destroys nothing of what it made
 *
 * Loading it makes one of each kind, with functions of its own and objects in use, and
 * unloading it destroys none of them: module.sh looks at what kspan says of that, and
 * has it do all that would call one of these functions.
 */
#include <linux/kspan.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/string.h>

static void *new_object(gfp_t gfp)
{
	return kspan_malloc(64, gfp);
}

static void reset_object(void *object)
{
	memset(object, 0, 64);
}

static void destroy_object(void *object)
{
	kspan_free(object);
}

static void construct(void *object)
{
	memset(object, 0x5a, 64);
}

static void press(struct kspan_heap *heap, size_t size, void *data)
{
	pr_info("kspan-orphans: pressed for %zu\n", size);
}

static const struct kspan_pool_ops ops = {
	.name = "orphan_pool",
	.new = new_object,
	.reset = reset_object,
	.destroy = destroy_object,
};

static int __init orphans_init(void)
{
	struct kspan_heap *heap = kspan_heap_create("orphan_heap", SZ_64K, 0);
	struct kspan_cache *cache = kspan_cache_create("orphan_cache", 64, 0, 0, construct);
	struct kspan_pool *pool = kspan_pool_create(&ops, GFP_KERNEL);
	struct kspan_fixed_pool *fixed = kspan_fixed_pool_create(64, 0, 64, GFP_KERNEL);
	struct kspan_region *region = kspan_region_create(NULL, 0, GFP_KERNEL);
	struct kspan_cpu_region *regions = kspan_cpu_region_create(NULL, 0, GFP_KERNEL);
	void *objects[20];
	unsigned int i;

	if (!heap || !cache || !pool || !fixed || !region || !regions)
		return -ENOMEM;
	kspan_heap_set_pressure(heap, press, NULL);
	/* Some stay out. */
	for (i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = kspan_pool_get(pool);
	for (i = 0; i < ARRAY_SIZE(objects) / 2; i++)
		kspan_pool_put(pool, objects[i]);
	if (!kspan_cache_alloc(cache, GFP_KERNEL) || !kspan_heap_malloc(heap, 64, GFP_KERNEL) ||
	    !kspan_region_alloc(region, 64, GFP_KERNEL) || !kspan_fixed_pool_alloc(fixed))
		return -ENOMEM;
	return 0;
}
module_init(orphans_init);

static void __exit orphans_exit(void)
{
}
module_exit(orphans_exit);

MODULE_DESCRIPTION("Leaves heaps, caches, pools and regions behind, for kspan's selftests");
MODULE_LICENSE("GPL");
