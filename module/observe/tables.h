/* SPDX-License-Identifier: GPL-2.0 */
/* The tables of debugfs that are printed as a whole. */
#ifndef KSPAN_TABLES_H
#define KSPAN_TABLES_H

#include <linux/types.h>

struct seq_file;

void kspan_print_stats(struct seq_file *m, bool json);
void kspan_print_classes(struct seq_file *m, bool json);
void kspan_print_cpus(struct seq_file *m, bool json);
void kspan_print_heaps(struct seq_file *m, bool json);
void kspan_print_bad_frees(struct seq_file *m, bool json);
void kspan_print_reclaims(struct seq_file *m, bool json);

#endif /* KSPAN_TABLES_H */
