/* SPDX-License-Identifier: GPL-2.0 */
/* Names that users give to heaps, caches and pools. */
#ifndef KSPAN_NAME_H
#define KSPAN_NAME_H

#include <linux/seq_file.h>
#include <linux/string.h>

/* For "%*pEop" of a name that is not kept: as much of it as anybody reads. */
static inline int kspan_name_width(const char *name)
{
	return strnlen(name, 64);
}

size_t kspan_name_bytes(const char *name);
char *kspan_name_copy(char *to, const char *name);
const char *kspan_name_of_code(char *text, size_t size, unsigned long addr);
void kspan_name_show(struct seq_file *m, const char *name);

#endif /* KSPAN_NAME_H */
