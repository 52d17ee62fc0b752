// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_asked - a module whose objects are asked about
 *
 * Its parameters tell the addresses of objects of its private heap, for root: of a live one, of one
 * that was freed, and of a large one. whatis.sh asks kspan what these are.
 *
 * Writing 1 to the parameter oops makes a thread follow a pointer that it reads from the freed
 * object. oops.sh looks at what the kernel's log says then.
 */
#include <linux/delay.h>
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/module.h>

static struct kspan_heap *heap;

static unsigned long live, freed, large;
module_param(live, ulong, 0400);
MODULE_PARM_DESC(live, "address of a live object of 64 bytes");
module_param(freed, ulong, 0400);
MODULE_PARM_DESC(freed, "address of an object of 128 bytes that was freed");
module_param(large, ulong, 0400);
MODULE_PARM_DESC(large, "address of a live object of 100000 bytes");

/* The thread has no reference to the module, so that the module can be unloaded after the oops. */
static int follow(void *object)
{
	int **p = object;

	return **p;
}

static int make_oops(const char *value, const struct kernel_param *kp)
{
	struct task_struct *task = kthread_run(follow, (void *)freed, "kspan_oops");

	if (IS_ERR(task))
		return PTR_ERR(task);
	/* It is over by then. */
	msleep(1000);
	return 0;
}

static const struct kernel_param_ops oops_ops = {
	.set = make_oops,
};

module_param_cb(oops, &oops_ops, NULL, 0200);
MODULE_PARM_DESC(oops, "writing 1: a thread follows a pointer in the freed object");

/* Not __init: what is gone after it has no name any more. */
static noinline bool allocate(void)
{
	void *p = kspan_heap_malloc(heap, 128, GFP_KERNEL);

	live = (unsigned long)kspan_heap_malloc(heap, 64, GFP_KERNEL);
	large = (unsigned long)kspan_heap_malloc(heap, 100000, GFP_KERNEL);
	freed = (unsigned long)p;
	kspan_free(p);
	return live && large && freed;
}

static int __init asked_init(void)
{
	heap = kspan_heap_create("asked \"here\"", 0, KSPAN_HEAP_TRACK);
	if (!heap)
		return -ENOMEM;
	if (allocate())
		return 0;
	kspan_heap_destroy(heap);
	return -ENOMEM;
}
module_init(asked_init);

static void __exit asked_exit(void)
{
	kspan_free((void *)live);
	kspan_free((void *)large);
	kspan_heap_destroy(heap);
}
module_exit(asked_exit);

MODULE_DESCRIPTION("Objects that kspan's selftests ask about");
MODULE_LICENSE("GPL");
