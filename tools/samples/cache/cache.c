// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_cache: counts the packets of flows that are written to /dev/kspan_cache.
 *
 * What it is
 *	A sample of a typed cache with a constructor and KSPAN_TYPESAFE_BY_RCU,
 *	as connection tables use one: flows are looked up without a lock, and one
 *	that ends is free at once, without a grace period.
 *
 *		# echo "10.0.0.1 1500" > /dev/kspan_cache
 *		# echo "10.0.0.1 40" > /dev/kspan_cache
 *		# cat /dev/kspan_cache
 *		10.0.0.1 2 1540
 *		# echo "10.0.0.1 end" > /dev/kspan_cache
 *
 * Writing
 *	A line "ADDRESS BYTES" is a packet of the flow from this address, which
 *	begins with its first packet; "ADDRESS end" ends it. A line may go on in
 *	the next write() to the same open file. A write() takes as many bytes as
 *	it can; what it did not take can be written again, but for
 *		EINVAL		a line that is neither: it is forgotten
 *		ENOMEM		no memory for another flow
 *		EFAULT		a bad address
 *
 * Reading
 *	"ADDRESS packets bytes" lines, in no order.
 *
 * The rules of KSPAN_TYPESAFE_BY_RCU
 *	Under rcu_read_lock() a slot stays a flow, but may become another one at
 *	any time. So a lookup takes a reference, which a free slot's count of 0
 *	refuses, and looks again whether it is the flow that was wanted. The chain
 *	it follows may become another's under its feet: a chain ends with the
 *	number of its bucket, and a lookup that ends elsewhere begins anew. What
 *	the constructor made, the lock, is never made again: somebody may hold it.
 *
 * Locking
 *	flow_bucket.lock is held by who changes a chain, or reads it aloud.
 *	flow.lock is for the counters, and nests inside.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
/* rculist_nulls.h of 6.1 needs it. */
#include <linux/rculist.h>
#include <linux/rculist_nulls.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include <linux/kspan.h>

#include "../lines.h"

#define FLOW_BITS	10
#define FLOW_BUCKETS	BIT(FLOW_BITS)

/* Flows that are freed at a time. */
#define FLOW_BATCH	32

/**
 * struct flow - the packets from one address
 * @node:	in its bucket
 * @ref:	one for the bucket, one for each user; 0: a free slot
 * @addr:	the address, written before @ref
 * @lock:	made by the constructor
 * @packets:	how many, under @lock
 * @bytes:	and what they had, under @lock
 */
struct flow {
	struct hlist_nulls_node node;
	refcount_t ref;
	u32 addr;
	spinlock_t lock;	/* for the counters */
	u64 packets;
	u64 bytes;
};

struct flow_bucket {
	spinlock_t lock;	/* for changes to the chain */
	struct hlist_nulls_head chain;
};

static struct flow_bucket flow_table[FLOW_BUCKETS];
static struct kspan_cache *flow_cache;

static void flow_construct(void *object)
{
	struct flow *flow = object;

	refcount_set(&flow->ref, 0);
	spin_lock_init(&flow->lock);
}

static void flow_put(struct flow *flow)
{
	if (refcount_dec_and_test(&flow->ref))
		kspan_cache_free(flow_cache, flow);
}

/* Finding */

static struct flow *flow_find_locked(struct flow_bucket *bucket, u32 addr)
{
	struct hlist_nulls_node *pos;
	struct flow *flow;

	hlist_nulls_for_each_entry(flow, pos, &bucket->chain, node)
		if (flow->addr == addr)
			return flow;
	return NULL;
}

/* A reference to @flow, if it is that of @addr now. */
static bool flow_get(struct flow *flow, u32 addr)
{
	if (!refcount_inc_not_zero(&flow->ref))
		return false;
	/* Pairs with the barrier in flow_begin(). */
	smp_acquire__after_ctrl_dep();
	if (READ_ONCE(flow->addr) == addr)
		return true;
	flow_put(flow);
	return false;
}

/* The flow, with a reference, or NULL. Takes no lock. */
static struct flow *flow_lookup(u32 addr)
{
	u32 hash = hash_32(addr, FLOW_BITS);
	struct hlist_nulls_node *pos;
	struct flow *flow;

	rcu_read_lock();
again:
	hlist_nulls_for_each_entry_rcu(flow, pos, &flow_table[hash].chain, node) {
		if (READ_ONCE(flow->addr) != addr)
			continue;
		if (!flow_get(flow, addr))
			goto again;
		rcu_read_unlock();
		return flow;
	}
	/* This is the end of another bucket's chain. */
	if (get_nulls_value(pos) != hash)
		goto again;
	rcu_read_unlock();
	return NULL;
}

/* Beginning and ending */

/* Puts @flow, which is a slot that was just allocated, into the chain. */
static void flow_begin(struct flow_bucket *bucket, struct flow *flow, u32 addr)
{
	WRITE_ONCE(flow->addr, addr);
	flow->packets = 0;
	flow->bytes = 0;
	/* A lookup that is still here gets a reference only to what is complete. */
	smp_wmb();
	refcount_set(&flow->ref, 1);
	hlist_nulls_add_head_rcu(&flow->node, &bucket->chain);
}

/* The flow, with a reference; it begins if there is none. NULL without memory. */
static struct flow *flow_lookup_or_begin(u32 addr)
{
	struct flow_bucket *bucket = &flow_table[hash_32(addr, FLOW_BITS)];
	struct flow *flow = flow_lookup(addr), *new;

	if (flow)
		return flow;
	new = kspan_cache_alloc(flow_cache, LINES_GFP);
	if (!new)
		return NULL;

	spin_lock(&bucket->lock);
	flow = flow_find_locked(bucket, addr);
	if (!flow) {
		flow_begin(bucket, new, addr);
		flow = new;
		new = NULL;
	}
	refcount_inc(&flow->ref);
	spin_unlock(&bucket->lock);
	/* Another writer was faster. */
	if (new)
		kspan_cache_free(flow_cache, new);
	return flow;
}

static void flow_end(u32 addr)
{
	struct flow_bucket *bucket = &flow_table[hash_32(addr, FLOW_BITS)];
	struct flow *flow;

	spin_lock(&bucket->lock);
	flow = flow_find_locked(bucket, addr);
	if (flow)
		hlist_nulls_del_rcu(&flow->node);
	spin_unlock(&bucket->lock);
	if (flow)
		flow_put(flow);
}

/* Takes the first flows of a chain out of it; nobody else uses the table. */
static unsigned int flows_take(struct flow_bucket *bucket, void **flows)
{
	struct flow *flow;
	unsigned int n = 0;

	while (n < FLOW_BATCH && !hlist_nulls_empty(&bucket->chain)) {
		flow = hlist_nulls_entry(bucket->chain.first, struct flow, node);
		hlist_nulls_del_rcu(&flow->node);
		flows[n++] = flow;
	}
	return n;
}

static void flows_free(void)
{
	void *flows[FLOW_BATCH];
	unsigned int i, n;

	for (i = 0; i < FLOW_BUCKETS; i++)
		while ((n = flows_take(&flow_table[i], flows)))
			kspan_cache_free_bulk(flow_cache, n, flows);
}

/* Writing */

static int flow_packet(u32 addr, u64 bytes)
{
	struct flow *flow = flow_lookup_or_begin(addr);

	if (!flow)
		return -ENOMEM;
	spin_lock(&flow->lock);
	flow->packets++;
	flow->bytes += bytes;
	spin_unlock(&flow->lock);
	flow_put(flow);
	return 0;
}

static int flow_take_line(struct lines *lines)
{
	const char *line = lines->line;
	u8 byte[4];
	u32 bytes;
	u32 addr;
	int end = 0;

	if (lines->len == LINES_MAX ||
	    sscanf(line, "%hhu.%hhu.%hhu.%hhu %n", &byte[0], &byte[1], &byte[2], &byte[3],
		   &end) != 4 || !end)
		return -EINVAL;
	addr = byte[0] << 24 | byte[1] << 16 | byte[2] << 8 | byte[3];
	if (!strcmp(line + end, "end")) {
		flow_end(addr);
		return 0;
	}
	return kstrtou32(line + end, 10, &bytes) ? -EINVAL : flow_packet(addr, bytes);
}

static ssize_t flow_write(struct file *file, const char __user *from, size_t len, loff_t *ppos)
{
	return lines_write(file, from, len, flow_take_line);
}

/* Reading: an entry of the file is a bucket. */

static struct flow_bucket *flow_seq_at(loff_t pos)
{
	return pos < FLOW_BUCKETS ? &flow_table[pos] : NULL;
}

static void *flow_seq_start(struct seq_file *m, loff_t *pos)
{
	return flow_seq_at(*pos);
}

static void *flow_seq_next(struct seq_file *m, void *v, loff_t *pos)
{
	return flow_seq_at(++*pos);
}

static void flow_seq_stop(struct seq_file *m, void *v)
{
}

static int flow_seq_show(struct seq_file *m, void *v)
{
	struct flow_bucket *bucket = v;
	struct hlist_nulls_node *pos;
	struct flow *flow;

	spin_lock(&bucket->lock);
	hlist_nulls_for_each_entry(flow, pos, &bucket->chain, node) {
		spin_lock(&flow->lock);
		seq_printf(m, "%u.%u.%u.%u %llu %llu\n", flow->addr >> 24,
			   flow->addr >> 16 & 0xff, flow->addr >> 8 & 0xff, flow->addr & 0xff,
			   flow->packets, flow->bytes);
		spin_unlock(&flow->lock);
	}
	spin_unlock(&bucket->lock);
	return 0;
}

static const struct seq_operations flow_seq_ops = {
	.start = flow_seq_start,
	.next = flow_seq_next,
	.stop = flow_seq_stop,
	.show = flow_seq_show,
};

static int flow_open(struct inode *inode, struct file *file)
{
	return lines_open(file, &flow_seq_ops, sizeof(struct lines));
}

static const struct file_operations flow_fops = {
	.owner = THIS_MODULE,
	.open = flow_open,
	.read = seq_read,
	.write = flow_write,
	.llseek = seq_lseek,
	.release = lines_release,
};

static struct miscdevice flow_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &flow_fops,
};

/* The module */

static int __init flow_init(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < FLOW_BUCKETS; i++) {
		spin_lock_init(&flow_table[i].lock);
		INIT_HLIST_NULLS_HEAD(&flow_table[i].chain, i);
	}
	flow_cache = kspan_cache_create("flows", sizeof(struct flow), __alignof__(struct flow),
					KSPAN_TYPESAFE_BY_RCU, flow_construct);
	if (!flow_cache)
		return -ENOMEM;
	err = misc_register(&flow_device);
	if (err)
		kspan_cache_destroy(flow_cache);
	return err;
}

static void __exit flow_exit(void)
{
	misc_deregister(&flow_device);
	flows_free();
	/* It refuses as long as there is a flow. */
	WARN_ON(kspan_cache_destroy(flow_cache));
}

module_init(flow_init);
module_exit(flow_exit);

MODULE_DESCRIPTION("Counts packets of flows written to /dev/kspan_cache, in a typed cache");
MODULE_LICENSE("GPL");
