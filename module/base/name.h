/* SPDX-License-Identifier: GPL-2.0 */
/* Names that users give to heaps, caches and pools. */
#ifndef KSPAN_NAME_H
#define KSPAN_NAME_H

#include <linux/seq_file.h>
#include <linux/string.h>

/* Bytes that kspan_name_brief() needs: 32 escapes of 4 bytes, and the NUL. */
#define KSPAN_NAME_BRIEF	(4 * 32 + 1)

size_t kspan_name_bytes(const char *name);
char *kspan_name_copy(char *to, const char *name);
const char *kspan_name_of_code(char *text, size_t size, unsigned long addr);
char *kspan_name_brief(char *to, const char *name);
void kspan_name_show(struct seq_file *m, const char *name);

#endif /* KSPAN_NAME_H */
