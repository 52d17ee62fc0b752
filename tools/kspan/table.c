// SPDX-License-Identifier: GPL-2.0
/* A table of debugfs in memory */
#include "table.h"

#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t";

static void read_head(struct table *table, char *line)
{
	char *save, *word, *colon = line ? strstr(line, ": ") : NULL;
	size_t room = 0, nr = 0;

	if (!colon || strncmp(line, "# kspan ", 8))
		text_bad(&table->text,
			 "is not \"# kspan NAME vN: COLUMN...\"; is it a file of kspan?");
	for (line = colon + 1; (word = strtok_r(line, blanks, &save)); line = NULL) {
		GROW(table->columns, nr, room);
		table->columns[nr++] = word;
	}
	table->nr_columns = nr;
	if (!nr)
		text_bad(&table->text, "names no columns");
}

static void read_row(struct table *table, char *line)
{
	unsigned int column = 0;
	char *save, *word;

	if (table->nr_rows == table->room) {
		table->room = 2 * table->room + 64;
		table->cells = xrealloc(table->cells, table->room * table->nr_columns *
					sizeof(*table->cells));
	}
	for (word = strtok_r(line, blanks, &save); word; word = strtok_r(NULL, blanks, &save)) {
		if (column < table->nr_columns)
			table->cells[table->nr_rows * table->nr_columns + column] = word;
		column++;
	}
	if (column != table->nr_columns)
		text_bad(&table->text, "has %u columns, and the first line names %u", column,
			 table->nr_columns);
	table->nr_rows++;
}

void table_read(struct table *table, const char *dir, const char *file)
{
	char *line;

	memset(table, 0, sizeof(*table));
	debugfs_read(&table->text, dir, file);
	table->name = xstrdup(file);
	read_head(table, text_line(&table->text));
	while ((line = text_line(&table->text)))
		read_row(table, line);
}

void table_free(struct table *table)
{
	size_t i;

	for (i = 0; table->own_cells && i < table->nr_rows * table->nr_columns; i++)
		free(table->cells[i]);
	text_free(&table->text);
	free(table->name);
	free(table->columns);
	free(table->cells);
	memset(table, 0, sizeof(*table));
}

/* @nr_columns if there is none */
static unsigned int find_column(const struct table *table, const char *name)
{
	unsigned int i;

	for (i = 0; i < table->nr_columns; i++)
		if (!strcmp(table->columns[i], name))
			break;
	return i;
}

bool table_has(const struct table *table, const char *name)
{
	return find_column(table, name) < table->nr_columns;
}

unsigned int table_column(const struct table *table, const char *name)
{
	unsigned int i = find_column(table, name);

	if (i < table->nr_columns)
		return i;
	die("%s: has no column %s; kspan and the module are of different versions", table->name,
	    name);
}

double table_value(const struct table *table, size_t row, unsigned int column)
{
	return strtod(table_cell(table, row, column), NULL);
}

/* stats */

static void read_stat(struct stats *stats, char *line)
{
	char *colon = strchr(line, ':'), *value;
	struct stat_line *stat;

	if (!colon)
		text_bad(&stats->text, "is not \"Name: value\"");
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, blanks);
	value[strcspn(value, blanks)] = '\0';
	GROW(stats->lines, stats->nr, stats->room);
	stat = &stats->lines[stats->nr];
	stat->name = line;
	if (!parse_number(value, &stat->value))
		text_bad(&stats->text, "%s: \"%s\" is no number", line, value);
	stats->nr++;
}

void stats_read(struct stats *stats, const char *dir)
{
	char *line;

	memset(stats, 0, sizeof(*stats));
	debugfs_read(&stats->text, dir, "stats");
	while ((line = text_line(&stats->text)))
		if (*line != '#')
			read_stat(stats, line);
}

void stats_free(struct stats *stats)
{
	text_free(&stats->text);
	free(stats->lines);
	memset(stats, 0, sizeof(*stats));
}

uint64_t stats_value(const struct stats *stats, const char *name)
{
	size_t i;

	for (i = 0; i < stats->nr; i++)
		if (!strcmp(stats->lines[i].name, name))
			return stats->lines[i].value;
	return 0;
}
