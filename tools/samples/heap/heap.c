// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_heap: keeps the documents written to /dev/kspan_heap, up to a limit.
 *
 * What it is
 *	A sample of a private heap: its limit, the callback that makes room, a
 *	reset, and the end of all its objects in one call.
 *
 *		# cat README.md > /dev/kspan_heap
 *		# cat /dev/kspan_heap
 *		1 124 7432 # kspan
 *		# echo 1 > /sys/module/kspan_heap/parameters/reset
 *
 * Writing
 *	What is written between open() and close() is a document, and is kept
 *	line by line. When the heap has reached its limit, the oldest documents
 *	that are closed make room. A write() fails with
 *		ENOMEM		the limit is too low for the documents that are
 *				open; what it returned as taken is kept
 *		EFAULT		a bad address
 *
 * Reading
 *	A line per document that is closed, the oldest first: its number, its
 *	lines, its bytes, and its first line.
 *
 * Parameters
 *	limit_kib	what the heap may take, in KiB; when the module is loaded
 *	reset		write 1: forget all documents; those that are open begin anew
 *	evicted		how many documents had to make room
 *
 * Locking
 *	docs_lock is held by all who use the documents. It nests inside
 *	docs_file.lock. The callback is called by an allocation, so under it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/list.h>

#include <linux/kspan.h>

#include "../lines.h"

static unsigned int limit_kib = 1024;
static unsigned int evicted;

struct line {
	struct line *next;
	char text[];
};

/**
 * struct document - what was written to one open file
 * @list:	in docs, once the file is closed
 * @id:		its number
 * @nr_lines:	how many
 * @bytes:	of the lines and their ends
 * @first:	its first line, or NULL
 * @last:	where the next one is noted
 */
struct document {
	struct list_head list;
	unsigned int id;
	unsigned int nr_lines;
	size_t bytes;
	struct line *first;
	struct line **last;
};

/**
 * struct docs_file - one open file
 * @lines:	the line that is written; a longer one becomes two
 * @doc:	its document, if that is of @generation, or NULL
 * @generation:	docs_generation when @doc was made
 */
struct docs_file {
	struct lines lines;
	struct document *doc;
	unsigned int generation;
};

static DEFINE_MUTEX(docs_lock);
static struct kspan_heap *docs_heap;
static LIST_HEAD(docs);
static unsigned int docs_last_id;
/* The reset that documents live after. */
static unsigned int docs_generation;

/* Making room */

static void doc_free(struct document *doc)
{
	struct line *line = doc->first, *next;

	for (; line; line = next) {
		next = line->next;
		kspan_free(line);
	}
	kspan_free(doc);
}

/*
 * An allocation of @size bytes would exceed the limit. Free slots are of use to
 * their own size only: some more than was asked for is likely to be of use.
 */
static void docs_pressure(struct kspan_heap *heap, size_t size, void *data)
{
	struct document *doc, *next;
	size_t room = 0;

	lockdep_assert_held(&docs_lock);

	size = max_t(size_t, size, limit_kib * 1024UL / 16);
	list_for_each_entry_safe(doc, next, &docs, list) {
		if (room >= size)
			break;
		room += doc->bytes;
		list_del(&doc->list);
		doc_free(doc);
		evicted++;
	}
}

/* Fails when there is no document left that could make room. */
static void *docs_alloc(size_t size)
{
	unsigned int before;
	void *p;

	lockdep_assert_held(&docs_lock);

	do {
		before = evicted;
		p = kspan_heap_zalloc(docs_heap, size, LINES_GFP);
	} while (!p && evicted != before);
	return p;
}

/* Writing */

/* The document of @df, made if it has none, or none that a reset has left. */
static struct document *docs_get(struct docs_file *df)
{
	if (df->doc && df->generation == docs_generation)
		return df->doc;
	df->doc = docs_alloc(sizeof(*df->doc));
	if (!df->doc)
		return NULL;
	df->generation = docs_generation;
	df->doc->id = ++docs_last_id;
	df->doc->last = &df->doc->first;
	return df->doc;
}

static int docs_add_line(struct lines *lines)
{
	struct docs_file *df = container_of(lines, struct docs_file, lines);
	struct document *doc;
	struct line *line;

	mutex_lock(&docs_lock);
	doc = docs_get(df);
	line = doc ? docs_alloc(sizeof(*line) + lines->len + 1) : NULL;
	if (line) {
		memcpy(line->text, lines->line, lines->len);
		*doc->last = line;
		doc->last = &line->next;
		doc->nr_lines++;
		doc->bytes += lines->len + 1;
	}
	mutex_unlock(&docs_lock);
	return line ? 0 : -ENOMEM;
}

static ssize_t docs_write(struct file *file, const char __user *from, size_t len, loff_t *ppos)
{
	return lines_write(file, from, len, docs_add_line);
}

/* Reading */

static void *docs_seq_start(struct seq_file *m, loff_t *pos)
{
	mutex_lock(&docs_lock);
	return seq_list_start(&docs, *pos);
}

static void *docs_seq_next(struct seq_file *m, void *v, loff_t *pos)
{
	return seq_list_next(v, &docs, pos);
}

static void docs_seq_stop(struct seq_file *m, void *v)
{
	mutex_unlock(&docs_lock);
}

static int docs_seq_show(struct seq_file *m, void *v)
{
	const struct document *doc = list_entry(v, struct document, list);

	seq_printf(m, "%u %u %zu %s\n", doc->id, doc->nr_lines, doc->bytes, doc->first->text);
	return 0;
}

static const struct seq_operations docs_seq_ops = {
	.start = docs_seq_start,
	.next = docs_seq_next,
	.stop = docs_seq_stop,
	.show = docs_seq_show,
};

/* Opening and closing */

static int docs_open(struct inode *inode, struct file *file)
{
	return lines_open(file, &docs_seq_ops, sizeof(struct docs_file));
}

static int docs_release(struct inode *inode, struct file *file)
{
	struct docs_file *df = lines_of(file);

	if (df->lines.len && docs_add_line(&df->lines))
		pr_warn_ratelimited("lost the last line of a document\n");

	mutex_lock(&docs_lock);
	if (df->doc && df->generation == docs_generation) {
		if (df->doc->nr_lines)
			list_add_tail(&df->doc->list, &docs);
		else
			doc_free(df->doc);
	}
	mutex_unlock(&docs_lock);
	return lines_release(inode, file);
}

static const struct file_operations docs_fops = {
	.owner = THIS_MODULE,
	.open = docs_open,
	.read = seq_read,
	.write = docs_write,
	.llseek = seq_lseek,
	.release = docs_release,
};

static struct miscdevice docs_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &docs_fops,
};

/* The module */

static int limit_kib_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 64, 1024 * 1024);
}

static const struct kernel_param_ops limit_kib_ops = {
	.set = limit_kib_set,
	.get = param_get_uint,
};
module_param_cb(limit_kib, &limit_kib_ops, &limit_kib, 0444);
MODULE_PARM_DESC(limit_kib, "what the heap may take in KiB, 64 to 1048576 (default 1024)");

module_param(evicted, uint, 0444);
MODULE_PARM_DESC(evicted, "how many documents had to make room");

static int reset_set(const char *val, const struct kernel_param *kp)
{
	bool reset;
	int err;

	err = kstrtobool(val, &reset);
	if (err || !reset)
		return err;
	mutex_lock(&docs_lock);
	/* The parameters' files outlive the heap on both ends. */
	if (docs_heap) {
		INIT_LIST_HEAD(&docs);
		docs_generation++;
		kspan_heap_reset(docs_heap);
	}
	mutex_unlock(&docs_lock);
	return 0;
}

static const struct kernel_param_ops reset_ops = {
	.set = reset_set,
};
module_param_cb(reset, &reset_ops, NULL, 0200);
MODULE_PARM_DESC(reset, "write 1: forget all documents");

static void docs_heap_destroy(void)
{
	struct kspan_heap *heap = docs_heap;

	mutex_lock(&docs_lock);
	docs_heap = NULL;
	mutex_unlock(&docs_lock);
	kspan_heap_destroy(heap);
}

static int __init docs_init(void)
{
	struct kspan_heap *heap;
	int err;

	heap = kspan_heap_create("documents", limit_kib * 1024UL, 0);
	if (!heap)
		return -ENOMEM;
	kspan_heap_set_pressure(heap, docs_pressure, NULL);
	mutex_lock(&docs_lock);
	docs_heap = heap;
	mutex_unlock(&docs_lock);

	err = misc_register(&docs_device);
	if (err)
		docs_heap_destroy();
	return err;
}

static void __exit docs_exit(void)
{
	misc_deregister(&docs_device);
	/* All documents at once. kspan tells how many objects there still were. */
	docs_heap_destroy();
}

module_init(docs_init);
module_exit(docs_exit);

MODULE_DESCRIPTION("Keeps the documents written to /dev/kspan_heap, in a private heap");
MODULE_LICENSE("GPL");
