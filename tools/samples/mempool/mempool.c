// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_mempool: counts lines and words written to /dev/kspan_mempool, in the background.
 *
 * What it shows
 *	A mempool of the kernel's with elements of kspan: each line is a request, and work goes on
 *	with the mempool's reserve when there is no memory for requests.
 *
 *		# cat some.txt > /dev/kspan_mempool
 *		# echo 1 > /sys/module/kspan_mempool/parameters/scarce
 *		# cat some.txt > /dev/kspan_mempool
 *		# cat /dev/kspan_mempool
 *		lines 9422
 *		words 40834
 *		# cat /sys/module/kspan_mempool/parameters/refusals
 *		4711
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mempool.h>
#include <linux/workqueue.h>

#include "../lines.h"

/* Requests that can be under way when there is no memory. */
#define RESERVE	4

static bool scarce;
static atomic_t refusals;

struct request {
	struct work_struct work;
	char line[LINES_MAX + 1];
};

static mempool_t *requests;
/* Carries out one request after the other, so the counts need no lock. */
static struct workqueue_struct *workqueue;
static u64 nr_lines, nr_words;

static void carry_out(struct work_struct *work)
{
	struct request *request = container_of(work, struct request, work);
	char *rest = request->line, *word;

	nr_lines++;
	while ((word = strsep(&rest, " \t")))
		nr_words += *word != '\0';
	mempool_free(request, requests);
}

static int submit(char *line, size_t len)
{
	/* Never fails: without memory it waits until a request was carried out. */
	struct request *request = mempool_alloc(requests, GFP_KERNEL);

	INIT_WORK(&request->work, carry_out);
	memcpy(request->line, line, len + 1);
	queue_work(workqueue, &request->work);
	return 0;
}

static void show_counts(struct seq_file *m, unsigned int part)
{
	flush_workqueue(workqueue);
	seq_printf(m, "lines %llu\nwords %llu\n", READ_ONCE(nr_lines), READ_ONCE(nr_words));
}

static struct lines_device mempool_device = LINES_DEVICE(submit, show_counts, 1);

/* kspan_mempool_alloc() itself would do, but for the parameter scarce. */
static void *request_alloc(gfp_t gfp, void *size)
{
	if (!READ_ONCE(scarce))
		return kspan_mempool_alloc(gfp, size);
	atomic_inc(&refusals);
	return NULL;
}

module_param(scarce, bool, 0644);
MODULE_PARM_DESC(scarce, "pretend that there is no memory for a request (default 0)");

static int refusals_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(&refusals));
}

static const struct kernel_param_ops refusals_ops = {
	.get = refusals_get,
};
module_param_cb(refusals, &refusals_ops, NULL, 0444);
MODULE_PARM_DESC(refusals, "how many times there was no memory for a request");

static int __init mempool_sample_init(void)
{
	int err = -ENOMEM;

	requests = mempool_create(RESERVE, request_alloc, kspan_mempool_free,
				  (void *)sizeof(struct request));
	if (!requests)
		return err;
	workqueue = alloc_ordered_workqueue(KBUILD_MODNAME, WQ_MEM_RECLAIM);
	if (!workqueue)
		goto err_requests;
	err = misc_register(&mempool_device.misc);
	if (err)
		goto err_workqueue;
	return 0;

err_workqueue:
	destroy_workqueue(workqueue);
err_requests:
	mempool_destroy(requests);
	return err;
}

static void __exit mempool_sample_exit(void)
{
	misc_deregister(&mempool_device.misc);
	destroy_workqueue(workqueue);
	mempool_destroy(requests);
}

module_init(mempool_sample_init);
module_exit(mempool_sample_exit);

MODULE_DESCRIPTION("Counts lines written to /dev/kspan_mempool, in requests of a mempool");
MODULE_LICENSE("GPL");
