// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_rcu: keys and values written to /dev/kspan_rcu.
 *
 * What it shows
 *	kspan_free_rcu(): readers take no lock, and a pair that was replaced or deleted is freed
 *	after a grace period. kspan_barrier() waits for the last ones.
 *
 *		# echo "set colour dark green" > /dev/kspan_rcu
 *		# cat /dev/kspan_rcu
 *		colour dark green
 *		# echo "del colour" > /dev/kspan_rcu
 *
 *	A key has no space. A write() fails with EINVAL for a line that is neither "set KEY VALUE"
 *	nor "del KEY". A read gives "KEY VALUE" lines, in no order.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/rculist.h>

#include "../lines.h"

#define PAIRS_BITS	12

/**
 * struct pair - a key and its value
 * @node:	in pairs
 * @rcu:	for kspan_free_rcu()
 * @value:	behind the key
 * @key:	both end with a NUL
 */
struct pair {
	struct hlist_node node;
	struct rcu_head rcu;
	const char *value;
	char key[];
};

/* Writers hold the lock, readers rcu_read_lock(). */
static DEFINE_MUTEX(pairs_lock);
static DEFINE_HASHTABLE(pairs, PAIRS_BITS);

static u32 key_hash(const char *key)
{
	return jhash(key, strlen(key), 0);
}

static struct pair *pair_create(const char *key, const char *value)
{
	size_t key_size = strlen(key) + 1, value_size = strlen(value) + 1;
	struct pair *pair;

	pair = kspan_malloc(struct_size(pair, key, key_size + value_size), LINES_GFP);
	if (!pair)
		return NULL;
	memcpy(pair->key, key, key_size);
	pair->value = memcpy(pair->key + key_size, value, value_size);
	return pair;
}

static struct pair *pair_find(const char *key)
{
	struct pair *pair;

	lockdep_assert_held(&pairs_lock);

	hash_for_each_possible(pairs, pair, node, key_hash(key))
		if (!strcmp(pair->key, key))
			return pair;
	return NULL;
}

static int pair_set(const char *key, const char *value)
{
	struct pair *new = pair_create(key, value), *old;

	if (!new)
		return -ENOMEM;
	mutex_lock(&pairs_lock);
	old = pair_find(key);
	if (old)
		hlist_replace_rcu(&old->node, &new->node);
	else
		hash_add_rcu(pairs, &new->node, key_hash(key));
	mutex_unlock(&pairs_lock);
	/* A reader may be reading it. */
	if (old)
		kspan_free_rcu(old, rcu);
	return 0;
}

static void pair_del(const char *key)
{
	struct pair *pair;

	mutex_lock(&pairs_lock);
	pair = pair_find(key);
	if (pair)
		hash_del_rcu(&pair->node);
	mutex_unlock(&pairs_lock);
	if (pair)
		kspan_free_rcu(pair, rcu);
}

static int pairs_take(char *line, size_t len)
{
	const char *verb = strsep(&line, " "), *key = strsep(&line, " ");

	if (!key || !*key)
		return -EINVAL;
	if (!strcmp(verb, "set"))
		return pair_set(key, line ?: "");
	if (strcmp(verb, "del") || line)
		return -EINVAL;
	pair_del(key);
	return 0;
}

/* A part is a chain of the hash table. */
static void pairs_show(struct seq_file *m, unsigned int part)
{
	struct pair *pair;

	rcu_read_lock();
	hlist_for_each_entry_rcu(pair, &pairs[part], node)
		seq_printf(m, "%s %s\n", pair->key, pair->value);
	rcu_read_unlock();
}

static struct lines_device pairs_device = LINES_DEVICE(pairs_take, pairs_show, BIT(PAIRS_BITS));

static int __init pairs_init(void)
{
	return misc_register(&pairs_device.misc);
}

static void __exit pairs_exit(void)
{
	struct hlist_node *next;
	struct pair *pair;
	unsigned int i;

	misc_deregister(&pairs_device.misc);
	hash_for_each_safe(pairs, i, next, pair, node)
		kspan_free(pair);
	/* Waits for the frees of what was replaced and deleted last. */
	kspan_barrier();
}

module_init(pairs_init);
module_exit(pairs_exit);

MODULE_DESCRIPTION("Keeps keys and values written to /dev/kspan_rcu, read without a lock");
MODULE_LICENSE("GPL");
