/* SPDX-License-Identifier: GPL-2.0 */
/* The file report of debugfs. */
#ifndef KSPAN_REPORT_H
#define KSPAN_REPORT_H

struct seq_file;

int kspan_print_report(struct seq_file *m);

#endif /* KSPAN_REPORT_H */
