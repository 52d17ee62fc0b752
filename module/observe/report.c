// SPDX-License-Identifier: GPL-2.0
/*
 * The file report of debugfs: all that a report of a bug needs, in one read
 *
 * It has the versions, the parameters, and each table as its own file has it, but for arenas and
 * map, which are long. A line "== NAME" begins each part. The parts are read one after another, so
 * they need not agree while others allocate and free.
 *
 * Context: task; sleeps.
 */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/nodemask.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/utsname.h>

#include "kits/pool.h"
#include "observe/report.h"
#include "observe/tables.h"
#include "types.h"

static void show_option(struct seq_file *m, const char *name, bool is_on)
{
	if (is_on)
		seq_printf(m, " %s", name);
}

static void print_versions(struct seq_file *m)
{
	seq_printf(m, "kspan: %s\n", THIS_MODULE->version);
	seq_printf(m, "kernel: %s %s %s\n", utsname()->release, utsname()->version,
		   utsname()->machine);
	seq_printf(m, "page_bytes: %lu, of kspan %lu\n", PAGE_SIZE, KSPAN_PAGE_SIZE);
	seq_printf(m, "cpus: %u online, %u possible\n", num_online_cpus(), num_possible_cpus());
	seq_printf(m, "nodes: %u online, %u possible\n", num_online_nodes(), num_possible_nodes());
	seq_printf(m, "memory_bytes: %llu\n", (u64)totalram_pages() << PAGE_SHIFT);
	seq_puts(m, "options:");
	show_option(m, "PREEMPT_RT", IS_ENABLED(CONFIG_PREEMPT_RT));
	show_option(m, "DEBUG_VM", IS_ENABLED(CONFIG_DEBUG_VM));
	show_option(m, "KASAN", IS_ENABLED(CONFIG_KASAN));
	show_option(m, "KMEMLEAK", IS_ENABLED(CONFIG_DEBUG_KMEMLEAK));
	show_option(m, "LOCKDEP", IS_ENABLED(CONFIG_PROVE_LOCKING));
	show_option(m, "init_on_alloc", want_init_on_alloc(0));
	show_option(m, "init_on_free", want_init_on_free());
	seq_putc(m, '\n');
}

/* Parameters as in /sys/module/kspan/parameters. A value ends with a newline. */
static int print_parameters(struct seq_file *m)
{
	char *value = (char *)get_zeroed_page(GFP_KERNEL);
	const struct kernel_param *kp = THIS_MODULE->kp;
	unsigned int i;

	if (!value)
		return -ENOMEM;
	kernel_param_lock(THIS_MODULE);
	for (i = 0; i < THIS_MODULE->num_kp; i++, kp++)
		if (kp->ops->get && kp->ops->get(value, kp) > 0)
			seq_printf(m, "%s: %s\n", kp->name, strim(value));
	kernel_param_unlock(THIS_MODULE);
	free_page((unsigned long)value);
	return 0;
}

static const struct {
	const char *name;
	void (*print)(struct seq_file *m, bool json);
} parts[] = {
	{ "stats", kspan_print_stats },
	{ "classes", kspan_print_classes },
	{ "cpus", kspan_print_cpus },
	{ "heaps", kspan_print_heaps },
	{ "pools", kspan_pools_show },
	{ "reclaims", kspan_print_reclaims },
	{ "bad_frees", kspan_print_bad_frees },
};

/**
 * kspan_print_report() - print all
 * @m: file that it is printed to
 *
 * Return: 0 or -ENOMEM.
 */
int kspan_print_report(struct seq_file *m)
{
	unsigned int i;
	int err;

	seq_puts(m, "# kspan report v1\n== versions\n");
	print_versions(m);
	seq_puts(m, "== parameters\n");
	err = print_parameters(m);
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		seq_printf(m, "== %s\n", parts[i].name);
		parts[i].print(m, false);
	}
	return 0;
}
