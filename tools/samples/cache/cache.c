// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_cache: counts the packets of flows that are written to /dev/kspan_cache.
 *
 * What it shows
 *	A typed cache with a constructor and KSPAN_TYPESAFE_BY_RCU, as connection tables use one:
 *	flows are found without a lock, and one that ends is freed without a grace period.
 *
 *		# echo "17 1500" > /dev/kspan_cache; cat /dev/kspan_cache
 *		17 1 1500
 *		# echo "17 end" > /dev/kspan_cache
 *
 * The rules of KSPAN_TYPESAFE_BY_RCU
 *	Under rcu_read_lock() a slot stays a flow, but may become another one, in another chain, at
 *	any time. So a lookup takes a reference, which a free slot refuses, looks again whether it
 *	has found the flow, and begins anew when it ends in another chain. The constructor makes
 *	what stays from flow to flow: the count of a free slot, and the lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
#include <linux/rculist.h>	/* for rculist_nulls.h of 6.1 */
#include <linux/rculist_nulls.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include "../lines.h"

#define FLOW_BITS	10

struct flow {
	struct hlist_nulls_node node;
	refcount_t ref;		/* one for the chain, one for each user; 0: a free slot */
	u32 id;			/* written before ref */
	spinlock_t lock;	/* for the counters; made by the constructor */
	u64 packets, bytes;
};

static struct kspan_cache *flow_cache;
static DEFINE_SPINLOCK(flows_lock);	/* for changes to the chains */
static struct hlist_nulls_head flows[BIT(FLOW_BITS)];

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

/* The flow, with a reference, or NULL. Takes no lock. */
static struct flow *flow_lookup(u32 id)
{
	u32 hash = hash_32(id, FLOW_BITS);
	struct hlist_nulls_node *pos;
	struct flow *flow;

	rcu_read_lock();
again:
	hlist_nulls_for_each_entry_rcu(flow, pos, &flows[hash], node) {
		if (READ_ONCE(flow->id) != id)
			continue;
		if (refcount_inc_not_zero(&flow->ref)) {
			/* Pairs with smp_wmb() in flow_lookup_or_begin(). */
			smp_acquire__after_ctrl_dep();
			if (READ_ONCE(flow->id) == id)
				goto found;
			flow_put(flow);
		}
		goto again;
	}
	/* This is the end of another chain. */
	if (get_nulls_value(pos) != hash)
		goto again;
	flow = NULL;
found:
	rcu_read_unlock();
	return flow;
}

/* The flow, with a reference; it begins if there is none. NULL without memory. */
static struct flow *flow_lookup_or_begin(u32 id)
{
	struct flow *flow = flow_lookup(id), *new;

	if (flow)
		return flow;
	new = kspan_cache_alloc(flow_cache, LINES_GFP);
	if (!new)
		return NULL;
	spin_lock(&flows_lock);
	/* Another writer may have been faster. */
	flow = flow_lookup(id);
	if (!flow) {
		WRITE_ONCE(new->id, id);
		new->packets = 0;
		new->bytes = 0;
		/* Pairs with flow_lookup(), which gets a reference only to what is complete. */
		smp_wmb();
		refcount_set(&new->ref, 2);
		hlist_nulls_add_head_rcu(&new->node, &flows[hash_32(id, FLOW_BITS)]);
		swap(flow, new);
	}
	spin_unlock(&flows_lock);
	kspan_cache_free(flow_cache, new);
	return flow;
}

/* Takes the flow out of its chain, unless another caller has. */
static void flow_end(struct flow *flow)
{
	spin_lock(&flows_lock);
	if (!hlist_nulls_unhashed(&flow->node)) {
		hlist_nulls_del_init_rcu(&flow->node);
		flow_put(flow);
	}
	spin_unlock(&flows_lock);
}

static int flow_take(char *line, size_t len)
{
	char *what = line, *number = strsep(&what, " ");
	bool end = what && !strcmp(what, "end");
	struct flow *flow;
	u32 id, bytes;

	if (kstrtou32(number, 10, &id) || !what || (!end && kstrtou32(what, 10, &bytes)))
		return -EINVAL;
	flow = end ? flow_lookup(id) : flow_lookup_or_begin(id);
	if (!flow)
		return end ? 0 : -ENOMEM;
	if (end) {
		flow_end(flow);
	} else {
		spin_lock(&flow->lock);
		flow->packets++;
		flow->bytes += bytes;
		spin_unlock(&flow->lock);
	}
	flow_put(flow);
	return 0;
}

/* A part is a chain. */
static void flow_show(struct seq_file *m, unsigned int part)
{
	struct hlist_nulls_node *pos;
	struct flow *flow;

	spin_lock(&flows_lock);
	hlist_nulls_for_each_entry(flow, pos, &flows[part], node) {
		spin_lock(&flow->lock);
		seq_printf(m, "%u %llu %llu\n", flow->id, flow->packets, flow->bytes);
		spin_unlock(&flow->lock);
	}
	spin_unlock(&flows_lock);
}

static struct lines_device flow_device = LINES_DEVICE(flow_take, flow_show, BIT(FLOW_BITS));

static int __init flow_init(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(flows); i++)
		INIT_HLIST_NULLS_HEAD(&flows[i], i);
	flow_cache = kspan_cache_create("flows", sizeof(struct flow), 0, KSPAN_TYPESAFE_BY_RCU,
					flow_construct);
	if (!flow_cache)
		return -ENOMEM;
	err = misc_register(&flow_device.misc);
	if (err)
		kspan_cache_destroy(flow_cache);
	return err;
}

static void __exit flow_exit(void)
{
	unsigned int i;

	misc_deregister(&flow_device.misc);
	for (i = 0; i < ARRAY_SIZE(flows); i++)
		while (!hlist_nulls_empty(&flows[i]))
			flow_end(hlist_nulls_entry(flows[i].first, struct flow, node));
	WARN_ON(kspan_cache_destroy(flow_cache));
}

module_init(flow_init);
module_exit(flow_exit);

MODULE_DESCRIPTION("Counts packets of flows written to /dev/kspan_cache, in a typed cache");
MODULE_LICENSE("GPL");
