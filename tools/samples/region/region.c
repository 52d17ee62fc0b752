// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_region: a tree of the settings written to /dev/kspan_region.
 *
 * What it shows
 *	A region: objects that are freed all together, by a reset, or as far back as a mark.
 *
 *		# sysctl -a > /dev/kspan_region
 *		# echo 'net.ipv4.ip_forward = 1' > /dev/kspan_region
 *		# cat /dev/kspan_region
 *		net
 *		  ipv4
 *		    ip_forward = 1
 *		...
 *		# echo reset > /dev/kspan_region
 *
 *	A line is "name.name.name = value" or "reset". The last value of a name is the one that is
 *	shown. A wrong line changes nothing: write() fails with EINVAL, and the names that the line
 *	has added go back by a mark. A read gives the tree, and after a '#' what it takes.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/list.h>

#include "../lines.h"

/**
 * struct node - a name in the tree
 * @siblings:	in the parent's @children
 * @children:	in the order in which they came
 * @parent:	NULL for the root
 * @depth:	0 for the root
 * @value:	or NULL
 * @name:	ends with a NUL
 */
struct node {
	struct list_head siblings;
	struct list_head children;
	struct node *parent;
	unsigned int depth;
	const char *value;
	char name[];
};

static DEFINE_MUTEX(tree_lock);
/* All that follows is under the lock. */
static struct kspan_region *tree;	/* nodes and values */
static struct node root = { .children = LIST_HEAD_INIT(root.children) };

static struct node *find_child(const struct node *parent, const char *name)
{
	struct node *node;

	list_for_each_entry(node, &parent->children, siblings)
		if (!strcmp(node->name, name))
			return node;
	return NULL;
}

static struct node *add_child(struct node *parent, const char *name)
{
	size_t size = strlen(name) + 1;
	struct node *node;

	node = kspan_region_zalloc(tree, struct_size(node, name, size), LINES_GFP);
	if (!node)
		return NULL;
	INIT_LIST_HEAD(&node->children);
	node->parent = parent;
	node->depth = parent->depth + 1;
	memcpy(node->name, name, size);
	list_add_tail(&node->siblings, &parent->children);
	return node;
}

/*
 * Goes from the root along @path, and adds what is not there. @added is the first of these: the
 * others are below it.
 */
static int walk(char *path, struct node **found, struct node **added)
{
	struct node *node = &root, *child;
	char *name;

	while ((name = strsep(&path, "."))) {
		if (!*name || strpbrk(name, " \t"))
			return -EINVAL;
		child = find_child(node, name);
		if (!child) {
			child = add_child(node, name);
			*added = *added ?: child;
		}
		if (!child)
			return -ENOMEM;
		node = child;
	}
	*found = node;
	return 0;
}

static int set(char *path, const char *value)
{
	struct kspan_region_mark before = kspan_region_mark(tree);
	struct node *node, *added = NULL;
	int err = walk(path, &node, &added);
	const char *copy;

	if (!err) {
		copy = kspan_region_strdup(tree, value, LINES_GFP);
		if (copy)
			node->value = copy;
		else
			err = -ENOMEM;
	}
	if (err) {
		if (added)
			list_del(&added->siblings);
		kspan_region_release(tree, before);
	}
	return err;
}

static int tree_take(char *line, size_t len)
{
	char *value = line, *path = strsep(&value, "=");
	int err = -EINVAL;

	mutex_lock(&tree_lock);
	if (value) {
		err = set(strim(path), strim(value));
	} else if (!strcmp(line, "reset")) {
		INIT_LIST_HEAD(&root.children);
		kspan_region_reset(tree);
		err = 0;
	}
	mutex_unlock(&tree_lock);
	return err;
}

static struct node *node_after(struct node *node)
{
	if (!list_empty(&node->children))
		return list_first_entry(&node->children, struct node, siblings);
	while (node->parent && list_is_last(&node->siblings, &node->parent->children))
		node = node->parent;
	return node->parent ? list_next_entry(node, siblings) : NULL;
}

static void tree_show(struct seq_file *m, unsigned int part)
{
	struct kspan_region_stats stats;
	unsigned int nr_names = 0;
	struct node *node;

	mutex_lock(&tree_lock);
	for (node = node_after(&root); node; node = node_after(node), nr_names++)
		seq_printf(m, "%*s%s%s%s\n", 2 * (node->depth - 1), "", node->name,
			   node->value ? " = " : "", node->value ?: "");
	kspan_region_stats_read(tree, &stats);
	mutex_unlock(&tree_lock);
	seq_printf(m, "# %u names, %zu bytes in %zu of chunks\n", nr_names, stats.used,
		   stats.held);
}

static struct lines_device tree_device = LINES_DEVICE(tree_take, tree_show, 1);

static int __init tree_init(void)
{
	int err;

	tree = kspan_region_create(NULL, 0, LINES_GFP);
	if (!tree)
		return -ENOMEM;
	err = misc_register(&tree_device.misc);
	if (err)
		kspan_region_destroy(tree);
	return err;
}

static void __exit tree_exit(void)
{
	misc_deregister(&tree_device.misc);
	kspan_region_destroy(tree);
}

module_init(tree_init);
module_exit(tree_exit);

MODULE_DESCRIPTION("A tree of settings written to /dev/kspan_region, in a kspan region");
MODULE_LICENSE("GPL");
