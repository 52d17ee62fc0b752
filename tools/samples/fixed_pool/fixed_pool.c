// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_fixed_pool: a log of what a timer interrupted, in blocks of a fixed pool.
 *
 * What it is
 *	A sample of how a module uses fixed pools: a high-resolution timer takes a
 *	record for each interrupt, in hardirq, where it may neither wait nor do
 *	without. All records are there when the module is loaded.
 *
 *		# echo 500 > /sys/module/kspan_fixed_pool/parameters/interval_us
 *		# sleep 1; echo 0 > /sys/module/kspan_fixed_pool/parameters/interval_us
 *		# head -2 /dev/kspan_fixed_pool
 *		123.456789012 cpu 0 late 1830 ns pid 0 swapper/0
 *		123.457289012 cpu 0 late 1711 ns pid 0 swapper/0
 *
 * Reading
 *	A line for each record, the oldest first; who reads it has it. Nothing is
 *	read where there is none. EINVAL: no room for a line. EFAULT: a bad address.
 *
 * Parameters
 *	records		how many there are (1024)
 *	interval_us	microseconds between two interrupts; 0: there are none
 *	lost		interrupts for which there was no record
 *
 * Locking
 *	records_lock protects the list. The pool needs no lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include <linux/kspan.h>

struct record {
	struct list_head list;
	u64 time;
	u64 late;
	unsigned int cpu;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

static unsigned int records = 1024;
static unsigned int interval_us;
static atomic_long_t lost;

static struct kspan_fixed_pool *pool;
static LIST_HEAD(log);
static DEFINE_RAW_SPINLOCK(records_lock);
static struct hrtimer timer;
/* For those who start and stop the timer; under it the pool is there or is not. */
static DEFINE_MUTEX(timer_mutex);

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
	memcpy(record->comm, current->comm, sizeof(record->comm));
	record->comm[sizeof(record->comm) - 1] = '\0';
	raw_spin_lock(&records_lock);
	list_add_tail(&record->list, &log);
	raw_spin_unlock(&records_lock);
}

static enum hrtimer_restart timer_handler(struct hrtimer *unused)
{
	unsigned int us = READ_ONCE(interval_us);

	note(hrtimer_get_expires(&timer));
	if (!us)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(&timer, ns_to_ktime(us * NSEC_PER_USEC));
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

/* Under timer_mutex, with a pool. */
static void restart_timer(void)
{
	hrtimer_cancel(&timer);
	if (interval_us)
		hrtimer_start(&timer, ns_to_ktime(interval_us * NSEC_PER_USEC),
			      HRTIMER_MODE_REL_HARD);
}

static struct record *take_oldest(void)
{
	struct record *record;
	unsigned long flags;

	raw_spin_lock_irqsave(&records_lock, flags);
	record = list_first_entry_or_null(&log, struct record, list);
	if (record)
		list_del(&record->list);
	raw_spin_unlock_irqrestore(&records_lock, flags);
	return record;
}

static void put_back(struct record *record)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&records_lock, flags);
	list_add(&record->list, &log);
	raw_spin_unlock_irqrestore(&records_lock, flags);
}

static int show(const struct record *record, char *line, size_t size)
{
	u32 ns;
	u64 seconds = div_u64_rem(record->time, NSEC_PER_SEC, &ns);

	return scnprintf(line, size, "%llu.%09u cpu %u late %llu ns pid %d %s\n", seconds, ns,
			 record->cpu, record->late, record->pid, record->comm);
}

/* Whole lines, as many as there is room for. */
static ssize_t log_read(struct file *file, char __user *to, size_t len, loff_t *ppos)
{
	struct record *record;
	size_t done = 0;
	char line[128];
	int n, err = 0;

	while ((record = take_oldest())) {
		n = show(record, line, sizeof(line));
		if (n > len - done)
			err = -EINVAL;
		else if (copy_to_user(to + done, line, n))
			err = -EFAULT;
		if (err) {
			put_back(record);
			break;
		}
		kspan_fixed_pool_free(pool, record);
		done += n;
	}
	return done ? done : err;
}

static const struct file_operations log_fops = {
	.owner = THIS_MODULE,
	.read = log_read,
};

static struct miscdevice log_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &log_fops,
};

/* An interrupt every 50 us at most leaves time for something else. */
static int interval_set(const char *val, const struct kernel_param *kp)
{
	unsigned int us;
	int err = kstrtouint(val, 0, &us);

	if (err)
		return err;
	if (us > 1000000 || (us && us < 50))
		return -EINVAL;
	mutex_lock(&timer_mutex);
	WRITE_ONCE(interval_us, us);
	if (pool)
		restart_timer();
	mutex_unlock(&timer_mutex);
	return 0;
}

static const struct kernel_param_ops interval_ops = {
	.set = interval_set,
	.get = param_get_uint,
};
module_param_cb(interval_us, &interval_ops, &interval_us, 0644);
MODULE_PARM_DESC(interval_us, "microseconds between two interrupts, 50 to 1000000; 0 for none (default 0)");

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

static void stop(void)
{
	mutex_lock(&timer_mutex);
	WRITE_ONCE(interval_us, 0);
	hrtimer_cancel(&timer);
	/* The records that nobody has read go with it. */
	kspan_fixed_pool_destroy(pool);
	pool = NULL;
	mutex_unlock(&timer_mutex);
}

static int __init log_init(void)
{
	int err;

	setup_timer();
	mutex_lock(&timer_mutex);
	pool = kspan_fixed_pool_create(sizeof(struct record), 0, records, GFP_KERNEL);
	if (pool)
		restart_timer();
	mutex_unlock(&timer_mutex);
	if (!pool)
		return -ENOMEM;
	err = misc_register(&log_device);
	if (err)
		stop();
	return err;
}

static void __exit log_exit(void)
{
	misc_deregister(&log_device);
	stop();
}

module_init(log_init);
module_exit(log_exit);

MODULE_DESCRIPTION("A log of what a timer interrupted, in blocks of a kspan fixed pool");
MODULE_LICENSE("GPL");
