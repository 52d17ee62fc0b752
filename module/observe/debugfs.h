/* SPDX-License-Identifier: GPL-2.0 */
/* The files in /sys/kernel/debug/kspan/. */
#ifndef KSPAN_DEBUGFS_H
#define KSPAN_DEBUGFS_H

#include <linux/fs.h>
#include <linux/seq_file.h>

/* The files arenas and map, from arena_map.c; JSON if the inode's private data are not NULL. */
extern const struct file_operations kspan_arenas_fops, kspan_map_fops;

void kspan_debugfs_init(void);
void kspan_debugfs_exit(void);

#endif /* KSPAN_DEBUGFS_H */
