// SPDX-License-Identifier: GPL-2.0
/*
 * Probes of memory reclaim.
 *
 * They count how often the page allocator began direct reclaim while a user was in a call of
 * kspan, and how often reclaim called kspan's shrinker from there. If kspan held a lock across a
 * call of the page allocator, this would be a deadlock.
 */
#define pr_fmt(fmt) "kspan-pressure: " fmt

#include <linux/atomic.h>
#include <linux/kprobes.h>
#include <linux/printk.h>
#include <linux/seq_file.h>

#include "pressure.h"

/**
 * struct probe - a function that is probed
 * @kprobe:	its probe
 * @name:	for the table
 * @inside:	calls by a task that was in a call of kspan
 * @others:	all other calls
 */
struct probe {
	struct kprobe kprobe;
	const char *name;
	atomic_long_t inside;
	atomic_long_t others;
};

static int probe_handler(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct probe *probe = container_of(kprobe, struct probe, kprobe);

	if (pressure_current_is_inside())
		atomic_long_inc(&probe->inside);
	else
		atomic_long_inc(&probe->others);
	return 0;
}

#define PROBE(title, function)						\
{									\
	.kprobe = { .symbol_name = (function), .pre_handler = probe_handler }, \
	.name = (title),						\
}

static struct probe probes[] = {
	PROBE("reclaim", "try_to_free_pages"),
	PROBE("shrink_count", "kspan_shrink_count"),
	PROBE("shrink_scan", "kspan_shrink_scan"),
};

/* A kernel may lack the function. Then it is not called either. */
static void open_probe(struct probe *probe)
{
	int err = register_kprobe(&probe->kprobe);

	if (!err)
		return;
	pr_info("%s() can't be watched: %d\n", probe->kprobe.symbol_name, err);
	probe->kprobe.symbol_name = NULL;
}

/**
 * pressure_probes_init() - probe all functions that the kernel has
 */
void pressure_probes_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		open_probe(&probes[i]);
}

/**
 * pressure_probes_exit() - remove the probes
 */
void pressure_probes_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (probes[i].kprobe.symbol_name)
			unregister_kprobe(&probes[i].kprobe);
}

/**
 * pressure_probes_show() - print the counters
 * @m:	output file
 */
void pressure_probes_show(struct seq_file *m)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		seq_printf(m, "%s_watched: %d\n", probes[i].name, !!probes[i].kprobe.symbol_name);
		seq_printf(m, "%s_inside: %ld\n", probes[i].name,
			   atomic_long_read(&probes[i].inside));
		seq_printf(m, "%s_others: %ld\n", probes[i].name,
			   atomic_long_read(&probes[i].others));
	}
}
