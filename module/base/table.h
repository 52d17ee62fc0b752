/* SPDX-License-Identifier: GPL-2.0 */
/* A table of debugfs, as text or as JSON; table.c has the two forms. */
#ifndef KSPAN_TABLE_H
#define KSPAN_TABLE_H

#include <linux/seq_file.h>
#include <linux/types.h>

/**
 * struct kspan_table - a table that is being printed
 * @m:		file that it is printed to
 * @json:	print JSON, not text
 * @parts:	text between the cells of a row
 * @before:	text before the value of a cell that has a key: "=" or ": "
 * @column:	names of the columns from the next cell on; NULL if each cell has a key
 * @columns:	names of all columns
 * @nr_rows:	rows so far
 * @nr_cells:	cells of this row so far
 */
struct kspan_table {
	struct seq_file *m;
	bool json;
	const char *parts;
	const char *before;
	const char *column;
	const char *columns;
	unsigned int nr_rows;
	unsigned int nr_cells;
};

void kspan_table_begin(struct kspan_table *table, struct seq_file *m, bool json, const char *head);
void kspan_table_begin_fields(struct kspan_table *table, struct seq_file *m, bool json,
			      const char *name, int version);
void kspan_table_begin_lines(struct kspan_table *table, struct seq_file *m, bool json,
			     const char *name, int version);
void kspan_table_end(struct kspan_table *table);

void kspan_table_row(struct kspan_table *table);
void kspan_table_end_row(struct kspan_table *table);

void kspan_table_key(struct kspan_table *table, const char *key);
void kspan_table_number(struct kspan_table *table, int width, u64 value);
void kspan_table_signed(struct kspan_table *table, int width, s64 value);
void kspan_table_hex(struct kspan_table *table, u64 value);
void kspan_table_time(struct kspan_table *table, u64 ns);
void kspan_table_word(struct kspan_table *table, int width, const char *word);
void kspan_table_label(struct kspan_table *table, const char *label);
void kspan_table_name(struct kspan_table *table, const char *name);
void kspan_table_text(struct kspan_table *table, const char *text);
void kspan_table_code(struct kspan_table *table, unsigned long addr);
void kspan_table_codes(struct kspan_table *table, const unsigned long *addrs, unsigned int n);
void kspan_table_none(struct kspan_table *table, int width);

#endif /* KSPAN_TABLE_H */
