// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_heap: keeps the last of the lines written to /dev/kspan_heap, as many as a limit allows.
 *
 * What it shows
 *	A heap with a limit, and the callback that makes room in it: the oldest lines go.
 *
 *		# cat README.md > /dev/kspan_heap
 *		# tail -n 1 /dev/kspan_heap
 *		124 A line of README.md
 *		# cat /sys/module/kspan_heap/parameters/evicted
 *		0
 *
 *	A read gives the number and the text of each line, the oldest first.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/list.h>

#include "../lines.h"

static unsigned int limit_kib = 1024;
static unsigned int evicted;

struct line {
	struct list_head list;
	unsigned int number;
	char text[];
};

static DEFINE_MUTEX(log_lock);
/* All that follows is under the lock. */
static LIST_HEAD(log);
static unsigned int nr_taken;
static struct kspan_heap *log_heap;

/*
 * The allocation of @size bytes would exceed the limit. Its caller holds the lock. A slot that is
 * free serves requests of its own size only, so more lines go than have @size bytes together.
 */
static void make_room(struct kspan_heap *heap, size_t size, void *unused)
{
	size_t wanted = max_t(size_t, size, limit_kib * 1024UL / 16), room = 0;
	struct line *line, *next;

	lockdep_assert_held(&log_lock);

	list_for_each_entry_safe(line, next, &log, list) {
		if (room >= wanted)
			break;
		room += kspan_size(line);
		list_del(&line->list);
		kspan_free(line);
		evicted++;
	}
}

/* Fails when no line is left that could make room. */
static struct line *line_alloc(size_t size)
{
	unsigned int before;
	struct line *line;

	do {
		before = evicted;
		line = kspan_heap_malloc(log_heap, size, LINES_GFP);
	} while (!line && evicted != before);
	return line;
}

static int log_take(char *text, size_t len)
{
	struct line *line;

	mutex_lock(&log_lock);
	line = line_alloc(struct_size(line, text, len + 1));
	if (line) {
		line->number = ++nr_taken;
		memcpy(line->text, text, len + 1);
		list_add_tail(&line->list, &log);
	}
	mutex_unlock(&log_lock);
	return line ? 0 : -ENOMEM;
}

static void log_show(struct seq_file *m, unsigned int part)
{
	struct line *line;

	mutex_lock(&log_lock);
	list_for_each_entry(line, &log, list)
		seq_printf(m, "%u %s\n", line->number, line->text);
	mutex_unlock(&log_lock);
}

static struct lines_device log_device = LINES_DEVICE(log_take, log_show, 1);

static int limit_kib_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 128, 1024 * 1024);
}

static const struct kernel_param_ops limit_kib_ops = {
	.set = limit_kib_set,
	.get = param_get_uint,
};
module_param_cb(limit_kib, &limit_kib_ops, &limit_kib, 0444);
MODULE_PARM_DESC(limit_kib, "the heap's limit in KiB, 128 to 1048576 (default 1024)");

module_param(evicted, uint, 0444);
MODULE_PARM_DESC(evicted, "how many lines had to make room");

static int __init log_init(void)
{
	int err;

	log_heap = kspan_heap_create("log", limit_kib * 1024UL, 0);
	if (!log_heap)
		return -ENOMEM;
	kspan_heap_set_pressure(log_heap, make_room, NULL);
	err = misc_register(&log_device.misc);
	if (err)
		kspan_heap_destroy(log_heap);
	return err;
}

static void __exit log_exit(void)
{
	misc_deregister(&log_device.misc);
	/* Frees all lines at once, and reports how many there were. */
	kspan_heap_destroy(log_heap);
}

module_init(log_init);
module_exit(log_exit);

MODULE_DESCRIPTION("Keeps the last of the lines written to /dev/kspan_heap, in a heap with a limit");
MODULE_LICENSE("GPL");
