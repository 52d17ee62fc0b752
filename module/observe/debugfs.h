/* SPDX-License-Identifier: GPL-2.0 */
/* The files in /sys/kernel/debug/kspan/. */
#ifndef KSPAN_DEBUGFS_H
#define KSPAN_DEBUGFS_H

#include <linux/fs.h>
#include <linux/seq_file.h>

/*
 * Operations of the files arenas and map, from arena_map.c. A file with kspan_arena_file_fops has
 * its seq_operations as private data.
 */
extern const struct seq_operations kspan_arenas_sops, kspan_map_sops;
extern const struct file_operations kspan_arena_file_fops;

void kspan_debugfs_init(void);
void kspan_debugfs_exit(void);

#endif /* KSPAN_DEBUGFS_H */
