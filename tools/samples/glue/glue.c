// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_glue: keys and values written to /dev/kspan_glue, in kspan memory.
 *
 * What it is
 *	A sample of how kspan goes together with other parts of the kernel: a
 *	mempool of kspan objects, an rhashtable whose entries are freed by
 *	kspan_free_rcu(), and __free(kspan_free).
 *
 *		# echo "set colour dark green" > /dev/kspan_glue
 *		# cat /dev/kspan_glue
 *		colour dark green
 *		# exec 3<> /dev/kspan_glue; echo "get colour" >&3; cat <&3
 *		dark green
 *		# echo "del colour" > /dev/kspan_glue
 *
 * Writing
 *	A line is a request: "set KEY VALUE", "del KEY", or "get KEY", which
 *	says what the next read of the same open file gives. A key has no space.
 *
 *	A write() takes whole lines, and the beginning of one that goes on in
 *	the next write() to the same open file; the last one ends where the file
 *	is closed. What it returned as taken was understood:
 *		EINVAL		a line that is no request: it is forgotten
 *		EMSGSIZE	a line of more than 1022 bytes: what was read of
 *				it is forgotten
 *		EFAULT		a bad address
 *		ENOMEM		no memory for the key of a "get"
 *
 *	Requests are carried out in the background, in their order. close()
 *	waits for them, and says ENOMEM if there was no memory for a line's pair.
 *
 * Reading
 *	"KEY VALUE" lines, in the order of the keys' first "set"; after a "get"
 *	the value of its key, and nothing if there is no such key.
 *
 * Parameters
 *	scarce		write 1: pretend that there is no memory for a request,
 *			so that all have to do with the reserve of the mempool
 *	refusals	how many times there was none
 *
 * Locking
 *	Only the ordered workqueue changes the table and the list. Who reads them
 *	needs rcu_read_lock() and no lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/jhash.h>
#include <linux/mempool.h>
#include <linux/rculist.h>
#include <linux/rhashtable.h>
#include <linux/workqueue.h>

#include <linux/kspan.h>

#include "../lines.h"

/* Requests that can be under way when there is no memory. */
#define GLUE_RESERVE	4

static bool scarce;
static atomic_t refusals;

/**
 * struct glue_pair - a key and its value
 * @node:	in glue_table
 * @list:	in glue_list
 * @rcu:	for kspan_free_rcu()
 * @value:	behind the key
 * @key:	both end with a NUL
 */
struct glue_pair {
	struct rhash_head node;
	struct list_head list;
	struct rcu_head rcu;
	const char *value;
	char key[];
};

/**
 * struct glue_file - one open file
 * @lines:	its lock is held by who writes, and by who reads
 * @wanted:	key of the last "get", or NULL
 * @err:	of a request
 */
struct glue_file {
	struct lines lines;
	char *wanted;
	int err;
};

struct glue_request {
	struct work_struct work;
	struct glue_file *file;
	char line[LINES_MAX];
};

static struct workqueue_struct *glue_workqueue;
static mempool_t *glue_requests;
static struct rhashtable glue_table;
static LIST_HEAD(glue_list);

static u32 glue_key_hash(const void *data, u32 len, u32 seed)
{
	return jhash(data, strlen(data), seed);
}

static u32 glue_pair_hash(const void *data, u32 len, u32 seed)
{
	const struct glue_pair *pair = data;

	return glue_key_hash(pair->key, 0, seed);
}

static int glue_pair_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct glue_pair *pair = obj;

	return strcmp(pair->key, arg->key);
}

static const struct rhashtable_params glue_params = {
	.head_offset = offsetof(struct glue_pair, node),
	.hashfn = glue_key_hash,
	.obj_hashfn = glue_pair_hash,
	.obj_cmpfn = glue_pair_cmp,
	.automatic_shrinking = true,
};

/* The table */

static struct glue_pair *glue_pair_create(const char *key, const char *value)
{
	size_t key_size = strlen(key) + 1, value_size = strlen(value) + 1;
	struct glue_pair *pair;

	pair = kspan_malloc(sizeof(*pair) + key_size + value_size, LINES_GFP);
	if (!pair)
		return NULL;
	memcpy(pair->key, key, key_size);
	pair->value = memcpy(pair->key + key_size, value, value_size);
	return pair;
}

/* The pair with the key of @pair, or NULL after inserting @pair. */
static struct glue_pair *glue_lookup_insert(struct glue_pair *pair)
{
	struct glue_pair *old;
	int tries = 50;

	for (;;) {
		old = rhashtable_lookup_get_insert_key(&glue_table, pair->key, &pair->node,
						       glue_params);
		if (old != ERR_PTR(-EBUSY) || !tries--)
			return old;
		/* The table is being resized, and that is short. */
		msleep(20);
	}
}

/* Takes @pair over, unless it fails. */
static int glue_store(struct glue_pair *pair)
{
	struct glue_pair *old = glue_lookup_insert(pair);
	int err;

	if (IS_ERR(old))
		return PTR_ERR(old);
	if (!old) {
		list_add_tail_rcu(&pair->list, &glue_list);
		return 0;
	}
	err = rhashtable_replace_fast(&glue_table, &old->node, &pair->node, glue_params);
	if (err)
		return err;
	list_replace_rcu(&old->list, &pair->list);
	/* Somebody may be reading it. */
	kspan_free_rcu(old, rcu);
	return 0;
}

#ifdef DEFINE_FREE
static int glue_set(const char *key, const char *value)
{
	struct glue_pair *pair __free(kspan_free) = glue_pair_create(key, value);
	int err;

	if (!pair)
		return -ENOMEM;
	err = glue_store(pair);
	if (err)
		return err;
	/* The table's by now: not to be freed here. */
	pair = NULL;
	return 0;
}
#else
static int glue_set(const char *key, const char *value)
{
	struct glue_pair *pair = glue_pair_create(key, value);
	int err;

	if (!pair)
		return -ENOMEM;
	err = glue_store(pair);
	if (err)
		kspan_free(pair);
	return err;
}
#endif

static int glue_del(const char *key)
{
	struct glue_pair *pair;

	pair = rhashtable_lookup_fast(&glue_table, key, glue_params);
	if (!pair)
		return 0;
	rhashtable_remove_fast(&glue_table, &pair->node, glue_params);
	list_del_rcu(&pair->list);
	kspan_free_rcu(pair, rcu);
	return 0;
}

static void glue_free_pair(void *pair, void *unused)
{
	kspan_free(pair);
}

/* Requests */

/* What follows "@word " in @line, or NULL if that does not begin @line. */
static char *glue_after(char *line, const char *word)
{
	size_t len = strlen(word);

	return !strncmp(line, word, len) && line[len] == ' ' ? line + len + 1 : NULL;
}

/* Runs where nobody else changes the table, one request after the other. */
static void glue_carry_out(struct work_struct *work)
{
	struct glue_request *request = container_of(work, struct glue_request, work);
	char *args, *key;
	int err;

	args = glue_after(request->line, "set");
	if (args) {
		key = strsep(&args, " ");
		err = glue_set(key, args ?: "");
	} else {
		err = glue_del(glue_after(request->line, "del"));
	}
	if (err)
		WRITE_ONCE(request->file->err, err);
	mempool_free(request, glue_requests);
}

static void glue_submit(struct glue_file *gf)
{
	struct glue_request *request;

	/* Never fails: without memory it waits for a request to be carried out. */
	request = mempool_alloc(glue_requests, GFP_KERNEL);
	INIT_WORK(&request->work, glue_carry_out);
	request->file = gf;
	strscpy(request->line, gf->lines.line, sizeof(request->line));
	queue_work(glue_workqueue, &request->work);
}

static int glue_want(struct glue_file *gf, const char *key)
{
	char *wanted = kspan_strdup(key, LINES_GFP);

	if (!wanted)
		return -ENOMEM;
	kspan_free(gf->wanted);
	gf->wanted = wanted;
	return 0;
}

static int glue_take_line(struct lines *lines)
{
	struct glue_file *gf = container_of(lines, struct glue_file, lines);
	char *args;

	if (lines->len == LINES_MAX)
		return -EMSGSIZE;
	args = glue_after(lines->line, "get");
	if (args && *args)
		return glue_want(gf, args);
	args = args ?: glue_after(lines->line, "set") ?: glue_after(lines->line, "del");
	if (!args || !*args || *args == ' ')
		return -EINVAL;
	glue_submit(gf);
	return 0;
}

static ssize_t glue_write(struct file *file, const char __user *from, size_t len, loff_t *ppos)
{
	ssize_t taken = lines_write(file, from, len, glue_take_line);

	/* What is read next is read from its beginning. */
	*ppos = 0;
	return taken;
}

/* Reading */

static struct list_head *glue_wanted(struct glue_file *gf)
{
	struct glue_pair *pair = rhashtable_lookup(&glue_table, gf->wanted, glue_params);

	return pair ? &pair->list : NULL;
}

static void *glue_seq_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	struct glue_file *gf = m->private;

	mutex_lock(&gf->lines.lock);
	rcu_read_lock();
	if (gf->wanted)
		return *pos ? NULL : glue_wanted(gf);
	return seq_list_start_rcu(&glue_list, *pos);
}

static void *glue_seq_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct glue_file *gf = m->private;

	if (!gf->wanted)
		return seq_list_next_rcu(v, &glue_list, pos);
	++*pos;
	return NULL;
}

static void glue_seq_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	struct glue_file *gf = m->private;

	rcu_read_unlock();
	mutex_unlock(&gf->lines.lock);
}

static int glue_seq_show(struct seq_file *m, void *v)
{
	const struct glue_pair *pair = list_entry(v, struct glue_pair, list);
	struct glue_file *gf = m->private;

	if (!gf->wanted)
		seq_printf(m, "%s ", pair->key);
	seq_printf(m, "%s\n", pair->value);
	return 0;
}

static const struct seq_operations glue_seq_ops = {
	.start = glue_seq_start,
	.next = glue_seq_next,
	.stop = glue_seq_stop,
	.show = glue_seq_show,
};

static ssize_t glue_read(struct file *file, char __user *to, size_t len, loff_t *ppos)
{
	/* What was written is read. */
	if (!*ppos)
		flush_workqueue(glue_workqueue);
	return seq_read(file, to, len, ppos);
}

/* Opening and closing */

static int glue_open(struct inode *inode, struct file *file)
{
	return lines_open(file, &glue_seq_ops, sizeof(struct glue_file));
}

/* Each close() of the file. */
static int glue_flush(struct file *file, fl_owner_t id)
{
	struct glue_file *gf = lines_of(file);

	flush_workqueue(glue_workqueue);
	return xchg(&gf->err, 0);
}

/* The last one. */
static int glue_release(struct inode *inode, struct file *file)
{
	struct glue_file *gf = lines_of(file);

	gf->lines.line[gf->lines.len] = 0;
	if (gf->lines.len)
		glue_take_line(&gf->lines);
	flush_workqueue(glue_workqueue);
	kspan_free(gf->wanted);
	return lines_release(inode, file);
}

static const struct file_operations glue_fops = {
	.owner = THIS_MODULE,
	.open = glue_open,
	.read = glue_read,
	.write = glue_write,
	.llseek = seq_lseek,
	.flush = glue_flush,
	.release = glue_release,
};

static struct miscdevice glue_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &glue_fops,
};

/* The module */

/* kspan_mempool_alloc(), but for what parameter scarce pretends. */
static void *glue_request_alloc(gfp_t gfp, void *size)
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

static int __init glue_init(void)
{
	int err = -ENOMEM;

	glue_requests = mempool_create(GLUE_RESERVE, glue_request_alloc, kspan_mempool_free,
				       (void *)sizeof(struct glue_request));
	if (!glue_requests)
		return err;
	glue_workqueue = alloc_ordered_workqueue(KBUILD_MODNAME, WQ_MEM_RECLAIM);
	if (!glue_workqueue)
		goto err_mempool;
	err = rhashtable_init(&glue_table, &glue_params);
	if (err)
		goto err_workqueue;
	err = misc_register(&glue_device);
	if (err)
		goto err_table;
	return 0;

err_table:
	rhashtable_destroy(&glue_table);
err_workqueue:
	destroy_workqueue(glue_workqueue);
err_mempool:
	mempool_destroy(glue_requests);
	return err;
}

static void __exit glue_exit(void)
{
	misc_deregister(&glue_device);
	destroy_workqueue(glue_workqueue);
	rhashtable_free_and_destroy(&glue_table, glue_free_pair, NULL);
	/* What was replaced and deleted last is free by then, too. */
	kspan_barrier();
	mempool_destroy(glue_requests);
}

module_init(glue_init);
module_exit(glue_exit);

MODULE_DESCRIPTION("Keeps keys and values written to /dev/kspan_glue, in kspan memory");
MODULE_LICENSE("GPL");
