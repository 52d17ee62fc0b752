/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device of a sample, /dev/kspan_NAME: a program writes lines to it, and reads what the
 * sample shows.
 *
 * A line may go on in the next write() to the same open file; close() ends the last one. A longer
 * one than LINES_MAX is taken as several. A write() takes as many bytes as it can, and returns an
 * error if the first line has one. A line that failed with -ENOMEM may be written again; one with
 * another error is gone.
 */
#ifndef KSPAN_SAMPLES_LINES_H
#define KSPAN_SAMPLES_LINES_H

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <linux/kspan.h>

/* A writer that fills the memory gets an errno: it must not wake the OOM killer. */
#define LINES_GFP	(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Bytes of a line without its end, at most. */
#define LINES_MAX	1024

/**
 * struct lines_device - the device, by LINES_DEVICE()
 * @misc:	to be registered
 * @take:	takes a line, which ends with a NUL that @len does not count; returns 0 or an error.
 *		Two open files may be written at the same time.
 * @show:	shows a part of what a reader gets, possibly twice: seq_file calls it again when
 *		its buffer was too small
 * @nr_parts:	@show is called for each part from 0 on
 */
struct lines_device {
	struct miscdevice misc;
	int (*take)(char *line, size_t len);
	void (*show)(struct seq_file *m, unsigned int part);
	unsigned int nr_parts;
};

#define LINES_DEVICE(_take, _show, _nr_parts) {	\
	.misc = {				\
		.minor = MISC_DYNAMIC_MINOR,	\
		.name = KBUILD_MODNAME,		\
		.fops = &lines_fops,		\
	},					\
	.take = _take,				\
	.show = _show,				\
	.nr_parts = _nr_parts,			\
}

/**
 * struct lines_file - an open file
 * @lock:	held by the writer
 * @device:	that was opened
 * @len:	bytes in @line, LINES_MAX at most
 * @line:	a line whose end was not written yet
 */
struct lines_file {
	struct mutex lock;	/* one writer at a time */
	struct lines_device *device;
	size_t len;
	char line[LINES_MAX + 1];
};

/* Takes new bytes, of one line at most; returns how many or an error. */
static ssize_t lines_take(struct lines_file *lf, const char __user *from, size_t n)
{
	size_t before = lf->len, len;
	char *end;
	int err;

	n = min(n, sizeof(lf->line) - before);
	if (copy_from_user(lf->line + before, from, n))
		return -EFAULT;
	end = memchr(lf->line + before, '\n', n);
	if (!end && before + n <= LINES_MAX) {
		lf->len = before + n;
		return n;
	}
	len = end ? end - lf->line : LINES_MAX;
	lf->line[len] = '\0';
	err = lf->device->take(lf->line, len);
	lf->len = err == -ENOMEM ? before : 0;
	return err ?: len - before + !!end;
}

static ssize_t lines_write(struct file *file, const char __user *from, size_t len, loff_t *ppos)
{
	struct seq_file *m = file->private_data;
	struct lines_file *lf = m->private;
	ssize_t taken = 0;
	size_t done = 0;

	if (mutex_lock_interruptible(&lf->lock))
		return -ERESTARTSYS;
	while (done < len && taken >= 0) {
		taken = lines_take(lf, from + done, len - done);
		if (taken > 0)
			done += taken;
		if (taken >= 0 && signal_pending(current))
			taken = -ERESTARTSYS;
		cond_resched();
	}
	mutex_unlock(&lf->lock);
	return done ? done : taken;
}

static void *lines_seq_start(struct seq_file *m, loff_t *pos)
{
	struct lines_file *lf = m->private;

	return *pos < lf->device->nr_parts ? pos : NULL;
}

static void *lines_seq_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return lines_seq_start(m, pos);
}

static void lines_seq_stop(struct seq_file *m, void *v)
{
}

static int lines_seq_show(struct seq_file *m, void *v)
{
	struct lines_file *lf = m->private;

	lf->device->show(m, *(loff_t *)v);
	return 0;
}

static const struct seq_operations lines_seq_ops = {
	.start = lines_seq_start,
	.next = lines_seq_next,
	.stop = lines_seq_stop,
	.show = lines_seq_show,
};

static int lines_open(struct inode *inode, struct file *file)
{
	struct lines_device *device = container_of(file->private_data, struct lines_device, misc);
	struct lines_file *lf = kspan_zalloc(sizeof(*lf), LINES_GFP);
	struct seq_file *m;
	int err;

	if (!lf)
		return -ENOMEM;
	mutex_init(&lf->lock);
	lf->device = device;
	/* misc_open() left its device there, seq_open() wants it empty. */
	file->private_data = NULL;
	err = seq_open(file, &lines_seq_ops);
	if (err) {
		kspan_free(lf);
		return err;
	}
	m = file->private_data;
	m->private = lf;
	return 0;
}

static int lines_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct lines_file *lf = m->private;

	lf->line[lf->len] = '\0';
	if (lf->len && lf->device->take(lf->line, lf->len))
		pr_warn_ratelimited("lost the last line of a file\n");
	kspan_free(lf);
	return seq_release(inode, file);
}

static const struct file_operations lines_fops = {
	.owner = THIS_MODULE,
	.open = lines_open,
	.read = seq_read,
	.write = lines_write,
	.llseek = seq_lseek,
	.release = lines_release,
};

#endif /* KSPAN_SAMPLES_LINES_H */
