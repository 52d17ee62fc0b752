// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_fixed_pool: a log of what a timer interrupted.
 *
 * What it shows
 *	A fixed pool: an interrupt takes a block where it can't wait for memory. All blocks are
 *	there when the module is loaded.
 *
 *		# echo 500 > /dev/kspan_fixed_pool	(an interrupt every 500 us)
 *		# sleep 1; echo 0 > /dev/kspan_fixed_pool
 *		# head -n 1 /dev/kspan_fixed_pool
 *		123.456789012 cpu 0 late 1830 ns pid 0 swapper/0
 *
 *	A read gives a line for each record, the oldest first, and empties the log. A write() fails
 *	with EINVAL for an interval that is neither 0 nor 50 to 1000000.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "../lines.h"

struct record {
	struct list_head list;
	u64 time;
	u64 late;
	unsigned int cpu;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

static unsigned int records = 1024;
static atomic_long_t lost;

static struct kspan_fixed_pool *pool;
static DEFINE_RAW_SPINLOCK(log_lock);
static LIST_HEAD(log);

/* One writer at a time starts and stops the timer. */
static DEFINE_MUTEX(timer_lock);
static struct hrtimer timer;
static unsigned int interval_us;

static void note(ktime_t due)
{
	struct record *record = kspan_fixed_pool_alloc(pool);

	if (!record) {
		atomic_long_inc(&lost);
		return;
	}
	record->time = ktime_to_ns(due);
	record->late = ktime_to_ns(ktime_sub(ktime_get(), due));
	record->cpu = raw_smp_processor_id();
	record->pid = current->pid;
	strscpy(record->comm, current->comm, sizeof(record->comm));
	raw_spin_lock(&log_lock);
	list_add_tail(&record->list, &log);
	raw_spin_unlock(&log_lock);
}

static enum hrtimer_restart timer_handler(struct hrtimer *unused)
{
	note(hrtimer_get_expires(&timer));
	hrtimer_forward_now(&timer, ns_to_ktime(interval_us * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static void setup_timer(void)
{
#ifndef KSPAN_HAS_HRTIMER_SETUP
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	timer.function = timer_handler;
#else
	hrtimer_setup(&timer, timer_handler, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
#endif
}

/* A line is an interval. An interrupt every 50 us at most leaves time for other work. */
static int timer_take(char *line, size_t len)
{
	unsigned int us;
	int err = kstrtouint(line, 0, &us);

	if (err || us > USEC_PER_SEC || (us && us < 50))
		return -EINVAL;
	mutex_lock(&timer_lock);
	hrtimer_cancel(&timer);
	interval_us = us;
	if (us)
		hrtimer_start(&timer, ns_to_ktime(us * NSEC_PER_USEC), HRTIMER_MODE_REL_HARD);
	mutex_unlock(&timer_lock);
	return 0;
}

/* Moves all records of @from to the head of @to. One of both is the log. */
static void move_records(struct list_head *from, struct list_head *to)
{
	raw_spin_lock_irq(&log_lock);
	list_splice_init(from, to);
	raw_spin_unlock_irq(&log_lock);
}

static void log_show(struct seq_file *m, unsigned int part)
{
	struct record *record, *next;
	LIST_HEAD(taken);
	u64 seconds;
	u32 ns;

	move_records(&log, &taken);
	list_for_each_entry(record, &taken, list) {
		seconds = div_u64_rem(record->time, NSEC_PER_SEC, &ns);
		seq_printf(m, "%llu.%09u cpu %u late %llu ns pid %d %s\n", seconds, ns,
			   record->cpu, record->late, record->pid, record->comm);
	}
	/* seq_file calls again, with a larger buffer. */
	if (seq_has_overflowed(m)) {
		move_records(&taken, &log);
		return;
	}
	list_for_each_entry_safe(record, next, &taken, list)
		kspan_fixed_pool_free(pool, record);
}

static struct lines_device log_device = LINES_DEVICE(timer_take, log_show, 1);

static int records_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 1, 1 << 20);
}

static const struct kernel_param_ops records_ops = {
	.set = records_set,
	.get = param_get_uint,
};
module_param_cb(records, &records_ops, &records, 0444);
MODULE_PARM_DESC(records, "records in all, 1 to 1048576 (default 1024)");

static int lost_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&lost));
}

static const struct kernel_param_ops lost_ops = {
	.get = lost_get,
};
module_param_cb(lost, &lost_ops, NULL, 0444);
MODULE_PARM_DESC(lost, "interrupts for which there was no record");

static int __init log_init(void)
{
	int err;

	pool = kspan_fixed_pool_create(sizeof(struct record), 0, records, GFP_KERNEL);
	if (!pool)
		return -ENOMEM;
	setup_timer();
	err = misc_register(&log_device.misc);
	if (err)
		kspan_fixed_pool_destroy(pool);
	return err;
}

static void __exit log_exit(void)
{
	misc_deregister(&log_device.misc);
	hrtimer_cancel(&timer);
	/* With the records that nobody has read. */
	kspan_fixed_pool_destroy(pool);
}

module_init(log_init);
module_exit(log_exit);

MODULE_DESCRIPTION("A log of what a timer interrupted, in blocks of a kspan fixed pool");
MODULE_LICENSE("GPL");
