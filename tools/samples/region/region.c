// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_region: a tree of settings, in regions of kspan.
 *
 * What it is
 *	A sample of how a module uses regions: one for what stays, whose last
 *	part is taken back by a mark when a message turns out to be wrong, and
 *	one for what a message needs while it is looked at, empty after each.
 *
 *		# sysctl -a > /dev/kspan_region
 *		# echo 'net.ipv4.ip_forward = 1' > /dev/kspan_region
 *		# cat /dev/kspan_region
 *		net
 *		  ipv4
 *		    ip_forward = 1
 *		...
 *		# echo 1 > /sys/module/kspan_region/parameters/reset
 *
 * What a setting is
 *	A line "name.name.name = value": names are of any bytes but blanks, '.'
 *	and '=', the value is of any bytes up to the end of the line. Blanks at
 *	both ends and around the '=' don't count; empty lines and lines that begin
 *	with '#' neither. The last value of a name is the one that is shown.
 *
 * Writing
 *	The lines that end in a write() are a message; the beginning of another
 *	waits for the next write() to the same open file, or ends where that is
 *	closed. A message changes all settings in it or none:
 *		EINVAL		a line that is no setting; the kernel's log says which
 *		EMSGSIZE	a line of more than 4095 bytes
 *		ENOMEM		no memory
 *		ENOSPC		the tree has max_bytes
 *		EFAULT		a bad address
 *	The beginning of a line that an earlier write() brought stays with all of
 *	these but EINVAL and EMSGSIZE.
 *
 * Reading
 *	The tree, a name a line, and last, after a '#', what it takes.
 *
 * Parameters
 *	reset		write 1: forget all settings
 *	max_bytes	of the tree; values that are written again take more
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <linux/kspan.h>

/* A writer that fills the memory gets an errno: it must not wake the OOM killer. */
#define REGION_GFP	(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

#define MAX_LINE	4096
#define MAX_WRITE	65536UL

static unsigned long max_bytes = 16 << 20;

/**
 * struct node - a name in the tree
 * @siblings:	in the parent's @children
 * @children:	in the order in which they came
 * @parent:	NULL for the root
 * @value:	or NULL
 * @len:	of @name
 * @name:	without a NUL
 */
struct node {
	struct list_head siblings;
	struct list_head children;
	struct node *parent;
	const char *value;
	u32 len;
	char name[];
};

/**
 * struct change - what a message has done so far, newest first
 * @older:	the one before
 * @node:	that was changed
 * @value:	that it had
 * @added:	whether it was not there at all
 */
struct change {
	struct change *older;
	struct node *node;
	const char *value;
	bool added;
};

/**
 * struct region_file - an open file
 * @rest:	the beginning of a line, MAX_LINE bytes of room
 * @len:	of it
 */
struct region_file {
	char *rest;
	size_t len;
};

struct text {
	const char *start;
	size_t len;
};

/* All that follows is under the lock. */
static DEFINE_MUTEX(region_lock);
static struct kspan_region *tree;	/* nodes and values */
static struct kspan_region *scratch;	/* a message, and what it changed */
static struct node root = { .children = LIST_HEAD_INIT(root.children) };
static unsigned int nr_nodes;

/* The tree */

static struct node *find_child(const struct node *parent, struct text name)
{
	struct node *node;

	list_for_each_entry(node, &parent->children, siblings)
		if (node->len == name.len && !memcmp(node->name, name.start, name.len))
			return node;
	return NULL;
}

static int note_change(struct change **changes, struct node *node, bool added)
{
	struct change *change = kspan_region_alloc(scratch, sizeof(*change), REGION_GFP);

	if (!change)
		return -ENOMEM;
	*change = (struct change) {
		.older = *changes,
		.node = node,
		.value = node->value,
		.added = added,
	};
	*changes = change;
	return 0;
}

static struct node *add_child(struct node *parent, struct text name, struct change **changes)
{
	struct node *node;

	node = kspan_region_zalloc(tree, struct_size(node, name, name.len), REGION_GFP);
	if (!node || note_change(changes, node, true))
		return NULL;
	INIT_LIST_HEAD(&node->children);
	node->parent = parent;
	node->len = name.len;
	memcpy(node->name, name.start, name.len);
	list_add_tail(&node->siblings, &parent->children);
	nr_nodes++;
	return node;
}

static int set_value(struct node *node, struct text text, struct change **changes)
{
	char *value = kspan_region_alloc(tree, text.len + 1, REGION_GFP);
	int err = value ? note_change(changes, node, false) : -ENOMEM;

	if (err)
		return err;
	memcpy(value, text.start, text.len);
	value[text.len] = '\0';
	node->value = value;
	return 0;
}

/* Only out of the tree: the release of the region frees it all. */
static void take_back(struct change *change)
{
	for (; change; change = change->older) {
		change->node->value = change->value;
		if (change->added) {
			list_del(&change->node->siblings);
			nr_nodes--;
		}
	}
}

static struct node *node_after(struct node *node)
{
	if (!list_empty(&node->children))
		return list_first_entry(&node->children, struct node, siblings);
	while (node->parent && list_is_last(&node->siblings, &node->parent->children))
		node = node->parent;
	return node->parent ? list_next_entry(node, siblings) : NULL;
}

/* Messages */

static struct text trimmed(struct text text)
{
	while (text.len && isspace(text.start[0])) {
		text.start++;
		text.len--;
	}
	while (text.len && isspace(text.start[text.len - 1]))
		text.len--;
	return text;
}

/* What is before the next @end of @text, or all; @text goes on behind it. */
static struct text cut(struct text *text, char end)
{
	const char *at = memchr(text->start, end, text->len);
	struct text first = { text->start, at ? at - text->start : text->len };
	size_t skip = first.len + !!at;

	text->start += skip;
	text->len -= skip;
	return first;
}

static bool is_name(struct text name)
{
	size_t i;

	for (i = 0; i < name.len; i++)
		if (isspace(name.start[i]) || !name.start[i])
			return false;
	return name.len;
}

static int apply_line(struct text line, struct change **changes)
{
	struct text value = trimmed(line), path, name;
	struct node *node = &root, *child;

	if (!value.len || value.start[0] == '#')
		return 0;
	if (!memchr(value.start, '=', value.len))
		return -EINVAL;
	path = trimmed(cut(&value, '='));
	do {
		name = cut(&path, '.');
		if (!is_name(name))
			return -EINVAL;
		child = find_child(node, name) ?: add_child(node, name, changes);
		if (!child)
			return -ENOMEM;
		node = child;
	} while (path.len);
	return set_value(node, trimmed(value), changes);
}

static bool tree_is_full(void)
{
	struct kspan_region_stats stats;

	kspan_region_stats_read(tree, &stats);
	return stats.used >= READ_ONCE(max_bytes);
}

/* All of the lines, or none; @message is in the scratch region. */
static int apply(struct text message)
{
	struct kspan_region_mark before = kspan_region_mark(tree);
	struct change *changes = NULL;
	struct text line;
	int err = 0;

	lockdep_assert_held(&region_lock);

	while (message.len && !err) {
		line = cut(&message, '\n');
		if (line.len >= MAX_LINE)
			err = -EMSGSIZE;
		else if (tree_is_full())
			err = -ENOSPC;
		else
			err = apply_line(line, &changes);
		if (err == -EINVAL)
			pr_info_ratelimited("no setting: %.*s\n", (int)min_t(size_t, line.len, 80),
					    line.start);
	}
	if (err) {
		take_back(changes);
		kspan_region_release(tree, before);
	}
	return err;
}

/* The lines that end in @text are taken, and what follows them is kept. */
static int take(struct region_file *rf, struct text text)
{
	size_t len = text.len;
	int err = 0;

	while (len && text.start[len - 1] != '\n')
		len--;
	if (text.len - len >= MAX_LINE)
		err = -EMSGSIZE;
	else if (len)
		err = apply((struct text) { text.start, len });
	if (err == -EINVAL || err == -EMSGSIZE)
		rf->len = 0;
	if (err)
		return err;
	rf->len = text.len - len;
	memcpy(rf->rest, text.start + len, rf->len);
	return 0;
}

static ssize_t region_write(struct file *file, const char __user *from, size_t len, loff_t *ppos)
{
	struct seq_file *m = file->private_data;
	struct region_file *rf = m->private;
	char *text;
	int err;

	len = min(len, MAX_WRITE);
	if (mutex_lock_interruptible(&region_lock))
		return -ERESTARTSYS;
	text = kspan_region_alloc(scratch, rf->len + len, REGION_GFP);
	err = text ? 0 : -ENOMEM;
	if (len && !err) {
		memcpy(text, rf->rest, rf->len);
		if (copy_from_user(text + rf->len, from, len))
			err = -EFAULT;
		else
			err = take(rf, (struct text) { text, rf->len + len });
	}
	/* Whatever became of the message, nothing of it is needed any more. */
	kspan_region_reset(scratch);
	mutex_unlock(&region_lock);
	return err ?: len;
}

/* Reading */

static void show_node(struct seq_file *m, const struct node *node)
{
	const struct node *parent;

	for (parent = node->parent; parent != &root; parent = parent->parent)
		seq_puts(m, "  ");
	seq_write(m, node->name, node->len);
	if (node->value)
		seq_printf(m, " = %s", node->value);
	seq_putc(m, '\n');
}

static int region_show(struct seq_file *m, void *unused)
{
	struct kspan_region_stats stats;
	struct node *node;

	mutex_lock(&region_lock);
	for (node = node_after(&root); node && !seq_has_overflowed(m); node = node_after(node))
		show_node(m, node);
	kspan_region_stats_read(tree, &stats);
	seq_printf(m, "# %u names, %zu bytes in %zu of chunks\n", nr_nodes, stats.used,
		   stats.held);
	mutex_unlock(&region_lock);
	return 0;
}

/* Opening and closing */

static int region_open(struct inode *inode, struct file *file)
{
	struct region_file *rf = kspan_zalloc(sizeof(*rf), REGION_GFP);
	int err = -ENOMEM;

	if (!rf)
		return -ENOMEM;
	rf->rest = kspan_malloc(MAX_LINE, REGION_GFP);
	if (!rf->rest)
		goto fail;
	/* misc_open() left its device there, seq_open() wants it empty. */
	file->private_data = NULL;
	err = single_open(file, region_show, rf);
	if (err)
		goto fail;
	return 0;
fail:
	kspan_free(rf->rest);
	kspan_free(rf);
	return err;
}

/* The end of the file ends its last line. */
static void finish(struct region_file *rf)
{
	int err;

	if (!rf->len)
		return;
	mutex_lock(&region_lock);
	err = apply((struct text) { rf->rest, rf->len });
	kspan_region_reset(scratch);
	mutex_unlock(&region_lock);
	if (err)
		pr_warn_ratelimited("lost the last line of a file: error %d\n", err);
}

static int region_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct region_file *rf = m->private;

	finish(rf);
	kspan_free(rf->rest);
	kspan_free(rf);
	return single_release(inode, file);
}

static const struct file_operations region_fops = {
	.owner = THIS_MODULE,
	.open = region_open,
	.read = seq_read,
	.write = region_write,
	.llseek = seq_lseek,
	.release = region_release,
};

static struct miscdevice region_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &region_fops,
};

/* The module */

static int reset_set(const char *val, const struct kernel_param *kp)
{
	bool reset;
	int err;

	err = kstrtobool(val, &reset);
	if (err || !reset)
		return err;
	mutex_lock(&region_lock);
	INIT_LIST_HEAD(&root.children);
	nr_nodes = 0;
	/* The parameter's file is there before the region, and after. */
	if (tree)
		kspan_region_reset(tree);
	mutex_unlock(&region_lock);
	return 0;
}

static const struct kernel_param_ops reset_ops = {
	.set = reset_set,
};
module_param_cb(reset, &reset_ops, NULL, 0200);
MODULE_PARM_DESC(reset, "write 1: forget all settings");

module_param(max_bytes, ulong, 0644);
MODULE_PARM_DESC(max_bytes, "bytes of the tree, above which nothing is taken (default 16777216)");

static void destroy_regions(void)
{
	mutex_lock(&region_lock);
	kspan_region_destroy(scratch);
	kspan_region_destroy(tree);
	tree = NULL;
	mutex_unlock(&region_lock);
}

static int __init region_init(void)
{
	int err = -ENOMEM;

	mutex_lock(&region_lock);
	tree = kspan_region_create(NULL, 0, REGION_GFP);
	scratch = kspan_region_create(NULL, 0, REGION_GFP);
	mutex_unlock(&region_lock);
	if (tree && scratch)
		err = misc_register(&region_device);
	if (err)
		destroy_regions();
	return err;
}

static void __exit region_exit(void)
{
	misc_deregister(&region_device);
	destroy_regions();
}

module_init(region_init);
module_exit(region_exit);

MODULE_DESCRIPTION("A tree of settings written to /dev/kspan_region, in regions of kspan");
MODULE_LICENSE("GPL");
