/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device of the samples heap, cache and glue: it takes lines, and shows as a seq_file what
 * became of them.
 *
 * A write() takes as many bytes as it can, and returns an error if the first line has one. A line
 * for which there was no memory, -ENOMEM, may be written again; one with another error is gone.
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

/* Bytes of a line with its end, at most. */
#define LINES_MAX	1024

/**
 * struct lines - an open file; a sample has it first in a structure of its own
 * @lock:	held by the writer
 * @len:	bytes in @line
 * @line:	one whose end was not written yet; a NUL follows it when it is taken
 */
struct lines {
	struct mutex lock;	/* one writer at a time */
	size_t len;
	char line[LINES_MAX + 1];
};

/* Takes @lines->line. It has LINES_MAX bytes if its end did not come in time. */
typedef int (*lines_taker)(struct lines *lines);

static inline void *lines_of(struct file *file)
{
	struct seq_file *m = file->private_data;

	return m->private;
}

/* Takes @n new bytes, up to the end of a line; returns how many or an error. */
static inline ssize_t lines_take(struct lines *lines, const char __user *from, size_t n,
				 lines_taker take)
{
	size_t before = lines->len;
	char *end, *at = lines->line + before;
	int err;

	if (copy_from_user(at, from, n))
		return -EFAULT;
	end = memchr(at, '\n', n);
	if (end)
		n = end + 1 - at;
	lines->len = end ? end - lines->line : before + n;
	if (!end && lines->len < LINES_MAX)
		return n;
	lines->line[lines->len] = 0;
	err = take(lines);
	lines->len = err == -ENOMEM ? before : 0;
	return err ?: n;
}

static inline ssize_t lines_write(struct file *file, const char __user *from, size_t len,
				  lines_taker take)
{
	struct lines *lines = lines_of(file);
	ssize_t taken = 0;
	size_t done = 0;

	if (mutex_lock_interruptible(&lines->lock))
		return -ERESTARTSYS;
	while (done < len && taken >= 0) {
		taken = lines_take(lines, from + done, min(len - done, LINES_MAX - lines->len),
				   take);
		if (taken > 0)
			done += taken;
		if (taken > 0 && signal_pending(current))
			taken = -ERESTARTSYS;
		cond_resched();
	}
	mutex_unlock(&lines->lock);
	return done ? done : taken;
}

/* @size: of the sample's structure, which is of the default heap, and zeroed */
static inline int lines_open(struct file *file, const struct seq_operations *ops, size_t size)
{
	struct lines *lines = kspan_zalloc(size, LINES_GFP);
	struct seq_file *m;
	int err;

	if (!lines)
		return -ENOMEM;
	mutex_init(&lines->lock);
	/* misc_open() left its device there, seq_open() wants it empty. */
	file->private_data = NULL;
	err = seq_open(file, ops);
	if (err) {
		kspan_free(lines);
		return err;
	}
	m = file->private_data;
	m->private = lines;
	return 0;
}

static inline int lines_release(struct inode *inode, struct file *file)
{
	kspan_free(lines_of(file));
	return seq_release(inode, file);
}

#endif
