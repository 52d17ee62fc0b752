// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_hotplug - objects of kspan in memory that was added later, or lies far away.
 *
 *	serve	"COUNT SIZE normal|nofail ADDRESS" allocates, fills, checks and frees COUNT objects.
 *		-ENOMEM: kspan had none. -ENODATA: no object was at the physical ADDRESS or
 *		above. -EIO: an object had changed. The log has a line with the result.
 *	hold	MiB of memory below 4 GiB that the module holds until it is unloaded
 */
#define pr_fmt(fmt) "kspan-hotplug: " fmt

#include <linux/io.h>
#include <linux/kspan.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#define MAX_COUNT	1000000U

static LIST_HEAD(held);

static bool take_page(void)
{
	/* GFP_DMA32 memory is low, so it is none of the memory that was added. */
	struct page *page = alloc_pages(GFP_DMA32 | __GFP_NOWARN | __GFP_NORETRY |
					__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM, 0);

	if (page)
		list_add(&page->lru, &held);
	return page;
}

static int set_hold(const char *text, const struct kernel_param *param)
{
	unsigned long pages;
	unsigned int mib;
	int err = kstrtouint(text, 0, &mib);

	if (err)
		return err;
	for (pages = (unsigned long)mib << (20 - PAGE_SHIFT); pages; pages--) {
		if (!take_page())
			return -ENOMEM;
		cond_resched();
	}
	return 0;
}

static const struct kernel_param_ops hold_ops = { .set = set_hold };
module_param_cb(hold, &hold_ops, NULL, 0200);
MODULE_PARM_DESC(hold, "MiB below 4 GiB that are taken, more each time");

static void give_held(void)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &held, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

/**
 * struct order - a request to serve objects
 * @count:	objects
 * @size:	bytes of each
 * @gfp:	flags
 * @above:	some objects must be at this physical address or above
 */
struct order {
	unsigned int count;
	unsigned int size;
	gfp_t gfp;
	u64 above;
};

/* The tag stands at both ends of an object. */
static void stamp(u64 *p, unsigned int size, u64 tag)
{
	p[0] = tag;
	p[size / sizeof(*p) - 1] = tag;
}

static bool stamped(const u64 *p, unsigned int size, u64 tag)
{
	return p[0] == tag && p[size / sizeof(*p) - 1] == tag;
}

static unsigned int allocate(const struct order *order, u64 **objects, unsigned int *above)
{
	unsigned int n;

	for (n = 0; n < order->count; n++) {
		objects[n] = kspan_malloc(order->size, order->gfp);
		if (!objects[n])
			break;
		stamp(objects[n], order->size, (u64)n << 32 | 0x5a5a);
		if (virt_to_phys(objects[n]) >= order->above)
			(*above)++;
		cond_resched();
	}
	return n;
}

static unsigned int check_and_free(const struct order *order, u64 **objects, unsigned int n)
{
	unsigned int broken = 0;

	while (n--) {
		if (!stamped(objects[n], order->size, (u64)n << 32 | 0x5a5a))
			broken++;
		kspan_free(objects[n]);
		cond_resched();
	}
	return broken;
}

static int serve(const struct order *order)
{
	u64 **objects = vzalloc(array_size(order->count, sizeof(*objects)));
	unsigned int n, broken, above = 0;

	if (!objects)
		return -ENOMEM;
	n = allocate(order, objects, &above);
	broken = check_and_free(order, objects, n);
	vfree(objects);
	pr_info("size=%u gfp=%pGg served=%u of=%u above=%u broken=%u\n", order->size, &order->gfp,
		n, order->count, above, broken);
	if (broken)
		return -EIO;
	if (n < order->count)
		return -ENOMEM;
	return above ? 0 : -ENODATA;
}

static int set_serve(const char *text, const struct kernel_param *param)
{
	struct order order = { .gfp = GFP_KERNEL };
	char flags[8];

	if (sscanf(text, "%u %u %7s %lli", &order.count, &order.size, flags, &order.above) != 4 ||
	    !order.count || order.count > MAX_COUNT || order.size < sizeof(u64) ||
	    order.size > SZ_1M)
		return -EINVAL;
	if (!strcmp(flags, "nofail"))
		order.gfp |= __GFP_NOFAIL;
	else if (!strcmp(flags, "normal"))
		order.gfp |= __GFP_NORETRY | __GFP_NOWARN;
	else
		return -EINVAL;
	return serve(&order);
}

static const struct kernel_param_ops serve_ops = { .set = set_serve };
module_param_cb(serve, &serve_ops, NULL, 0200);
MODULE_PARM_DESC(serve, "COUNT SIZE normal|nofail ADDRESS: objects that are allocated and freed");

static int __init hotplug_init(void)
{
	return 0;
}
module_init(hotplug_init);

static void __exit hotplug_exit(void)
{
	give_held();
}
module_exit(hotplug_exit);

MODULE_DESCRIPTION("Objects of kspan's where memory came later, or lies far away");
MODULE_LICENSE("GPL");
