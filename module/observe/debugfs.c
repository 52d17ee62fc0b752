// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs: /sys/kernel/debug/kspan/
 *
 *	stats		name: value; names of Go's runtime.MemStats where they fit
 *	classes		a line per size class
 *	cpus		a line per CPU that has used the heap: capacity and contents of its
 *			cache
 *	heaps		a line per heap and typed cache
 *	arenas		a line per arena; see arena_map.c
 *	map		a character per page of 8 KiB; see arena_map.c
 *	pools		a line per pool of objects
 *	bad_frees	the wrong frees that were reported last
 *	reclaims	the last times that pages went back to the page allocator
 *	report		all that a report of a bug needs; see report.c
 *	whatis		writing an address; reading tells what it is; see whatis.c
 *	trim		writing 1 gives back all memory that nobody uses; reading tells how many
 *			bytes that was
 *
 * The first line of a table names its version and columns. Each table has a file NAME.json, too.
 *
 * Context: task; reading a file sleeps.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "api/heaps.h"
#include "kits/pool.h"
#include "observe/debugfs.h"
#include "observe/profile_files.h"
#include "observe/report.h"
#include "observe/tables.h"
#include "observe/whatis.h"
#include "pages/block.h"
#include "reclaim/reclaim.h"

static struct dentry *directory;

/* A table is printed as JSON if the private data of the inode are not NULL. */

static int stats_show(struct seq_file *m, void *unused)
{
	kspan_print_stats(m, m->private);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int classes_show(struct seq_file *m, void *unused)
{
	kspan_print_classes(m, m->private);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(classes);

static int cpus_show(struct seq_file *m, void *unused)
{
	kspan_print_cpus(m, m->private);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(cpus);

static int heaps_show(struct seq_file *m, void *unused)
{
	kspan_print_heaps(m, m->private);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(heaps);

static int pools_show(struct seq_file *m, void *unused)
{
	kspan_pools_show(m, m->private);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pools);

static int bad_frees_show(struct seq_file *m, void *unused)
{
	kspan_print_bad_frees(m, m->private);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(bad_frees);

static int reclaims_show(struct seq_file *m, void *unused)
{
	kspan_print_reclaims(m, m->private);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(reclaims);

static int report_show(struct seq_file *m, void *unused)
{
	return kspan_print_report(m);
}
DEFINE_SHOW_ATTRIBUTE(report);

/* Bytes that the last trim gave back. Two trims may overwrite each other's number. */
static unsigned long trimmed;

static int trim_get(void *unused, u64 *value)
{
	*value = READ_ONCE(trimmed);
	return 0;
}

static int trim_set(void *unused, u64 value)
{
	if (value != 1)
		return -EINVAL;
	trimmed = kspan_trim();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(trim_fops, trim_get, trim_set, "%llu\n");

/* Make the file NAME, and NAME.json for root, which has the same as JSON. */
static void create_both(const char *name, umode_t mode, const struct file_operations *fops)
{
	char json[16];

	snprintf(json, sizeof(json), "%s.json", name);
	debugfs_create_file(name, mode, directory, NULL, fops);
	debugfs_create_file(json, mode & 0600, directory, (void *)true, fops);
}

/**
 * kspan_debugfs_init() - make the files
 *
 * If that fails, the module works without them, as is usual with debugfs.
 *
 * Context: task; sleeps.
 */
void kspan_debugfs_init(void)
{
	directory = debugfs_create_dir("kspan", NULL);
	create_both("stats", 0444, &stats_fops);
	create_both("classes", 0444, &classes_fops);
	create_both("cpus", 0444, &cpus_fops);
	create_both("heaps", 0444, &heaps_fops);
	create_both("pools", 0444, &pools_fops);
	create_both("bad_frees", 0400, &bad_frees_fops);
	create_both("reclaims", 0400, &reclaims_fops);
	debugfs_create_file("report", 0400, directory, NULL, &report_fops);
	/* These files tell where memory lies, so only root may read them. */
	create_both("arenas", 0400, &kspan_arenas_fops);
	create_both("map", 0400, &kspan_map_fops);
	create_both("whatis", 0600, &kspan_whatis_fops);
	debugfs_create_file_unsafe("trim", 0600, directory, NULL, &trim_fops);
	kspan_profile_files_init(directory);
	if (kspan_arena_debugfs_init(directory))
		pr_warn("no failkspan/ in debugfs\n");
}

/** kspan_debugfs_exit() - remove the files, and wait for their readers; sleeps */
void kspan_debugfs_exit(void)
{
	debugfs_remove_recursive(directory);
}
