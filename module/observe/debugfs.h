/* SPDX-License-Identifier: GPL-2.0 */
/* /sys/kernel/debug/kspan/ */
#ifndef KSPAN_DEBUGFS_H
#define KSPAN_DEBUGFS_H

void kspan_debugfs_init(void);
void kspan_debugfs_exit(void);

#endif /* KSPAN_DEBUGFS_H */
