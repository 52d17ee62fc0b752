// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_pressure - kspan while memory is scarce.
 *
 * A process (hog.c) takes all memory there is. Users of kspan go on meanwhile, with all kinds of
 * gfp flags. Files in /sys/kernel/debug/kspan_pressure control the module:
 *
 *	fill	allocates so many MiB, and frees them: kspan may keep them
 *	small	the same with objects of up to 1 KiB
 *	sparse	the same, but one of 64 objects stays; 0 frees those
 *	atomic	1 takes all pages that GFP_ATOMIC gets, and frees them
 *	run	1 starts the users, 0 stops them and frees all their objects
 *	check	1 checks every layer of the heap; -EBUSY while users run
 *	stats	counters, as name: value
 *
 * Errors are in the kernel's log. No other code may use kspan meanwhile.
 */
#define pr_fmt(fmt) "kspan-pressure: " fmt

#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>

#include "base/kunit_export.h"
#include "pressure.h"

#define MIN_MIB		16
#define MAX_MIB		4096

static int set_mib(const char *value, const struct kernel_param *kp)
{
	return param_set_uint_minmax(value, kp, MIN_MIB, MAX_MIB);
}

static const struct kernel_param_ops mib_ops = {
	.set = set_mib,
	.get = param_get_uint,
};

unsigned int pressure_mib = 32;
module_param_cb(mib, &mib_ops, &pressure_mib, 0644);
MODULE_PARM_DESC(mib, "MiB that all users may hold together, 16...4096 (default 32)");

static struct dentry *directory;
/* Serialises writes to the files. */
static DEFINE_MUTEX(mutex);
static bool runs;

#define FILL_LARGEST	SZ_256K

static void *by_malloc(size_t size, gfp_t gfp)
{
	return kspan_malloc(size, gfp);
}

static const struct pressure_kind filler = {
	"fill", by_malloc, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, FILL_LARGEST, 0
};

static const struct pressure_kind small_filler = {
	"small", by_malloc, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, SZ_1K, 0
};

/* The users that have the objects, up to the first that is NULL. */
struct fill {
	const struct pressure_kind *kind;
	struct pressure_user **users;
	unsigned int max;
};

/* The objects that stay, one of 64, of the last write to the file sparse. */
static struct fill sparse;

/* Make the user of the next objects. The slots of the previous one are all full. */
static struct pressure_user *next_filler(struct fill *fill, unsigned int n)
{
	struct pressure_user *user = kvzalloc(sizeof(*user), GFP_KERNEL);

	/* No running user has this number. */
	if (user)
		pressure_user_init(user, fill->kind, 1024 + n);
	fill->users[n] = user;
	return user;
}

static int fill(struct fill *fill, size_t bytes)
{
	struct pressure_user *user;
	unsigned int n, slot;

	for (n = 0; n < fill->max && bytes; n++) {
		user = next_filler(fill, n);
		if (!user)
			return -ENOMEM;
		for (slot = 0; slot < PRESSURE_OBJECTS && user->live < bytes; slot++) {
			if (!pressure_alloc(user, slot, pressure_size(user)))
				return -ENOMEM;
			cond_resched();
		}
		bytes -= min(bytes, user->live);
	}
	return 0;
}

static int fill_open(struct fill *fill, const struct pressure_kind *kind, size_t bytes)
{
	fill->kind = kind;
	/* The objects of each user have more than 1 MiB in sum, small ones more than 256 KiB. */
	fill->max = bytes / SZ_256K;
	fill->users = kvcalloc(fill->max, sizeof(*fill->users), GFP_KERNEL);
	return fill->users ? 0 : -ENOMEM;
}

static void fill_close(struct fill *fill)
{
	unsigned int n;

	for (n = 0; fill->users && n < fill->max && fill->users[n]; n++) {
		pressure_free_all(fill->users[n]);
		kvfree(fill->users[n]);
	}
	kvfree(fill->users);
	fill->users = NULL;
}

static void thin_out(struct fill *fill)
{
	unsigned int n, slot;

	for (n = 0; n < fill->max && fill->users[n]; n++)
		for (slot = 0; slot < PRESSURE_OBJECTS; slot++)
			if (slot % 64 && fill->users[n]->objects[slot].p)
				pressure_free(fill->users[n], slot);
}

static int fill_and_free(const struct pressure_kind *kind, size_t bytes)
{
	struct fill all;
	int err = fill_open(&all, kind, bytes);

	if (err)
		return err;
	err = fill(&all, bytes);
	fill_close(&all);
	return err;
}

static int fill_sparsely(size_t bytes)
{
	int err;

	fill_close(&sparse);
	if (!bytes)
		return 0;
	err = fill_open(&sparse, &small_filler, bytes) ?: fill(&sparse, bytes);
	if (err)
		fill_close(&sparse);
	else
		thin_out(&sparse);
	return err;
}

static int fill_set(void *unused, u64 value)
{
	int err;

	if (!value || value > MAX_MIB)
		return -EINVAL;
	mutex_lock(&mutex);
	err = fill_and_free(&filler, value * SZ_1M);
	mutex_unlock(&mutex);
	return err;
}
DEFINE_DEBUGFS_ATTRIBUTE(fill_fops, NULL, fill_set, "%llu\n");

static int small_set(void *unused, u64 value)
{
	int err;

	if (!value || value > MAX_MIB)
		return -EINVAL;
	mutex_lock(&mutex);
	err = fill_and_free(&small_filler, value * SZ_1M);
	mutex_unlock(&mutex);
	return err;
}
DEFINE_DEBUGFS_ATTRIBUTE(small_fops, NULL, small_set, "%llu\n");

static int sparse_set(void *unused, u64 value)
{
	int err;

	if (value > MAX_MIB)
		return -EINVAL;
	mutex_lock(&mutex);
	err = fill_sparsely(value * SZ_1M);
	mutex_unlock(&mutex);
	return err;
}
DEFINE_DEBUGFS_ATTRIBUTE(sparse_fops, NULL, sparse_set, "%llu\n");

/* Pages that take_all_atomic() got last. */
static unsigned long atomic_pages;

/*
 * Take all pages that GFP_ATOMIC gets, and free them. No other task runs on this CPU before all
 * are taken, unless PREEMPT_RT makes the page allocator's locks sleep. With KASAN it takes so long
 * that others must run. Each page has the address of the one before.
 */
static unsigned long take_all_atomic(void)
{
	const bool alone = !IS_ENABLED(CONFIG_PREEMPT_RT) && !IS_ENABLED(CONFIG_KASAN);
	unsigned long n = 0;
	void *last = NULL, *p;

	if (alone)
		preempt_disable();
	while ((p = (void *)__get_free_page(GFP_ATOMIC | __GFP_NOWARN))) {
		*(void **)p = last;
		last = p;
		n++;
		if (!alone)
			cond_resched();
	}
	if (alone)
		preempt_enable();
	while (last) {
		p = last;
		last = *(void **)p;
		free_page((unsigned long)p);
		cond_resched();
	}
	return n;
}

static int atomic_set_one(void *unused, u64 value)
{
	if (value != 1)
		return -EINVAL;
	mutex_lock(&mutex);
	atomic_pages = take_all_atomic();
	mutex_unlock(&mutex);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(atomic_fops, NULL, atomic_set_one, "%llu\n");

static int run_set(void *unused, u64 value)
{
	int err = 0;

	if (value > 1)
		return -EINVAL;
	mutex_lock(&mutex);
	if (value)
		err = pressure_users_start();
	else
		pressure_users_stop();
	runs = value && !err;
	mutex_unlock(&mutex);
	return err;
}
DEFINE_DEBUGFS_ATTRIBUTE(run_fops, NULL, run_set, "%llu\n");

static int check_set(void *unused, u64 value)
{
	const char *wrong = NULL;

	if (value != 1)
		return -EINVAL;
	mutex_lock(&mutex);
	if (runs) {
		mutex_unlock(&mutex);
		return -EBUSY;
	}
	wrong = pressure_users_wrong();
	mutex_unlock(&mutex);
	if (!wrong)
		return 0;
	pr_err("wrong: %s\n", wrong);
	return -EIO;
}
DEFINE_DEBUGFS_ATTRIBUTE(check_fops, NULL, check_set, "%llu\n");

static int stats_show(struct seq_file *m, void *unused)
{
	pressure_users_show(m);
	pressure_probes_show(m);
	seq_printf(m, "atomic_pages: %lu\n", atomic_pages);
	seq_printf(m, "broken: %ld\n", atomic_long_read(&pressure_nr_broken));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int __init pressure_init(void)
{
	int err = pressure_users_init();

	if (err)
		return err;
	pressure_probes_init();
	directory = debugfs_create_dir("kspan_pressure", NULL);
	debugfs_create_file_unsafe("fill", 0200, directory, NULL, &fill_fops);
	debugfs_create_file_unsafe("small", 0200, directory, NULL, &small_fops);
	debugfs_create_file_unsafe("sparse", 0200, directory, NULL, &sparse_fops);
	debugfs_create_file_unsafe("atomic", 0200, directory, NULL, &atomic_fops);
	debugfs_create_file_unsafe("run", 0200, directory, NULL, &run_fops);
	debugfs_create_file_unsafe("check", 0200, directory, NULL, &check_fops);
	debugfs_create_file("stats", 0444, directory, NULL, &stats_fops);
	return 0;
}
module_init(pressure_init);

static void __exit pressure_exit(void)
{
	debugfs_remove_recursive(directory);
	fill_close(&sparse);
	pressure_users_stop();
	pressure_probes_exit();
	pressure_users_exit();
}
module_exit(pressure_exit);

MODULE_DESCRIPTION("Users of kspan while memory is scarce");
MODULE_LICENSE("GPL");
KSPAN_IMPORT_FOR_KUNIT();
