/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A table of debugfs in memory: "# kspan NAME vN: COLUMN...", and a line per row
 *
 * Columns are found by name, so a version of the module with more columns can be read, too.
 */
#ifndef KSPAN_TABLE_H
#define KSPAN_TABLE_H

#include "util.h"

/**
 * struct table - some rows
 * @text:	what the cells point into; empty of a table that was made here
 * @name:	of the table, for messages
 * @columns:	their names
 * @cells:	@nr_rows times @nr_columns, row by row
 * @own_cells:	each is to be freed
 */
struct table {
	struct text text;
	char *name;
	const char **columns;
	unsigned int nr_columns;
	char **cells;
	size_t nr_rows, room;
	bool own_cells;
};

void table_read(struct table *table, const char *dir, const char *file);
void table_free(struct table *table);
/* The number of a column; dies if there is none of that name. */
unsigned int table_column(const struct table *table, const char *name);
bool table_has(const struct table *table, const char *name);

static inline const char *table_cell(const struct table *table, size_t row, unsigned int column)
{
	return table->cells[row * table->nr_columns + column];
}

/* 0 where the cell is no number: "-" of a class that has no size. */
double table_value(const struct table *table, size_t row, unsigned int column);

/* debugfs/stats: "Name: value", and perhaps a unit */
struct stats {
	struct text text;
	struct stat_line {
		const char *name;
		uint64_t value;
	} *lines;
	size_t nr, room;
};

void stats_read(struct stats *stats, const char *dir);
void stats_free(struct stats *stats);
/* 0 if there is none of that name. */
uint64_t stats_value(const struct stats *stats, const char *name);

#endif
