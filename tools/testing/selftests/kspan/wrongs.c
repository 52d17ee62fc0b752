// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_wrongs - a module that frees what it should not
 *
 * Loading it frees an object of its private heap twice, with another free in between, and an
 * address inside of another object. wrong_frees.sh looks at what kspan says of that, and when.
 * The heap goes with the module.
 */
#include <linux/kspan.h>
#include <linux/module.h>

static struct kspan_heap *heap;

/* Not __init: what is gone after it has no name any more. */
static noinline void free_wrongly(void)
{
	void *a, *b, *c;

	a = kspan_heap_malloc(heap, 64, GFP_KERNEL);
	b = kspan_heap_malloc(heap, 64, GFP_KERNEL);
	c = kspan_heap_malloc(heap, 64, GFP_KERNEL);
	if (a && b && c) {
		kspan_free(a);
		kspan_free(b);
		kspan_free(a);
		kspan_free(c + 16);
	}
}

static int __init wrongs_init(void)
{
	heap = kspan_heap_create("wrongs", 0, KSPAN_HEAP_TRACK);
	if (!heap)
		return -ENOMEM;
	free_wrongly();
	return 0;
}
module_init(wrongs_init);

static void __exit wrongs_exit(void)
{
	kspan_heap_destroy(heap);
}
module_exit(wrongs_exit);

MODULE_DESCRIPTION("Frees wrongly, for kspan's selftests");
MODULE_LICENSE("GPL");
