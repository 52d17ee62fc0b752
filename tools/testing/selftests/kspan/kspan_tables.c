// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest.h"
#include "kspan_tables.h"
#include "kspan_test.h"

#define CLASSES_HEAD "# kspan classes v2: class size span_pages spans slots " \
		     "in_use cached allocs frees waste_bytes objects saved_bytes"
#define ARENAS_HEAD "# kspan arenas v2: node start order pages used_pages holes " \
		    "free_runs largest_run"
#define CPUS_HEAD "# kspan cpus v1: cpu node capacity_bytes cached_bytes " \
		  "large_objects large_bytes refills spills steals"
#define STATS_HEAD "# kspan stats v2: name value unit"
#define HEAPS_HEAD "# kspan heaps v2: name module kind limit_bytes held_bytes " \
	"in_use_bytes spans allocs frees failures peak_bytes"
#define MAP_HEAD "# kspan map v3: page_size %llu . free, k kept, _ given back, # full span, " \
		 "digits 1-9 tenths of a partly used span, L large, l large continued"

#define MAX_COLUMNS	16
#define MAP_LINE	64

/* A file, line by line. */
struct lines {
	const char *name;
	char *text;
	char *next;
	unsigned int nr;
};

static int bad(const struct lines *lines, const char *why)
{
	ksft_print_msg("%s, line %u: %s\n", lines->name, lines->nr, why);
	return -EPROTO;
}

static int lines_open(struct lines *lines, const char *name)
{
	char path[128];
	size_t len;

	snprintf(path, sizeof(path), KSPAN_DEBUGFS "%s", name);
	memset(lines, 0, sizeof(*lines));
	lines->name = name;
	lines->text = file_get(path, &len);
	lines->next = lines->text;
	if (!lines->text)
		return bad(lines, "cannot be read");
	if (!len || lines->text[len - 1] != '\n')
		return bad(lines, "the file does not end with a line");
	return 0;
}

static void lines_close(struct lines *lines)
{
	free(lines->text);
}

static char *lines_next(struct lines *lines)
{
	char *line = lines->next;
	char *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	*end = 0;
	lines->next = end + 1;
	lines->nr++;
	return line;
}

static int lines_head(struct lines *lines, const char *head)
{
	char *line = lines_next(lines);

	if (!line || strcmp(line, head))
		return bad(lines, "not the expected version and columns");
	return 0;
}

/* Cuts @line at its blanks; the number of columns, too many counting as one more. */
static unsigned int split(char *line, char **columns)
{
	unsigned int nr = 0;
	char *save = NULL;
	char *column;

	for (column = strtok_r(line, " \t", &save); column;
	     column = strtok_r(NULL, " \t", &save)) {
		if (nr == MAX_COLUMNS)
			return nr + 1;
		columns[nr++] = column;
	}
	return nr;
}

/* Decimal digits and nothing else, that fit. */
static bool number(const char *text, unsigned long long *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !*end && !errno;
}

/* stats */

static bool stats_has(const struct stats *stats, const char *name)
{
	size_t i;

	for (i = 0; i < stats->nr; i++)
		if (!strcmp(stats->lines[i].name, name))
			return true;
	return false;
}

static int stats_parse_line(struct lines *lines, char *text, struct stats *stats)
{
	struct stats_line *line = &stats->lines[stats->nr];
	char *colon = strchr(text, ':');
	char *columns[MAX_COLUMNS];

	if (!colon || colon == text || colon - text >= (ptrdiff_t)sizeof(line->name))
		return bad(lines, "no \"Name: value unit\"");
	*colon = 0;
	if (strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") !=
	    strlen(text))
		return bad(lines, "a name of other characters than letters, digits and _");
	if (stats_has(stats, text))
		return bad(lines, "a name that was there before");
	if (split(colon + 1, columns) != 2)
		return bad(lines, "no value and unit");
	if (!number(columns[0], &line->value))
		return bad(lines, "a value that is no number");
	memcpy(line->name, text, colon - text + 1);
	stats->nr++;
	return 0;
}

int stats_read(struct stats *stats)
{
	struct lines lines;
	char *line;
	int ret;

	stats->nr = 0;
	ret = lines_open(&lines, "stats");
	if (!ret)
		ret = lines_head(&lines, STATS_HEAD);
	while (!ret && (line = lines_next(&lines))) {
		if (stats->nr == ARRAY_SIZE(stats->lines))
			ret = bad(&lines, "more lines than expected");
		else
			ret = stats_parse_line(&lines, line, stats);
	}
	lines_close(&lines);
	return ret;
}

unsigned long long stats_value(const struct stats *stats, const char *name)
{
	size_t i;

	for (i = 0; i < stats->nr; i++)
		if (!strcmp(stats->lines[i].name, name))
			return stats->lines[i].value;
	ksft_print_msg("stats: there is no %s\n", name);
	return ~0ULL;
}

/* classes */

/* "large", "-" and "-" stand where a class has its number, size and pages. */
static int classes_parse_line(struct lines *lines, char *text, struct class_line *line,
			      unsigned int i)
{
	unsigned long long *values = &line->size;
	char *columns[MAX_COLUMNS];
	unsigned int column;
	char class[16];
	int end;

	if (split(text, columns) != 12)
		return bad(lines, "not 12 columns");
	snprintf(class, sizeof(class), "%u", i + 1);
	if (strcmp(columns[0], i == LARGE ? "large" : i == TINY ? "tiny" : class))
		return bad(lines, "not the next class");
	for (column = 1; column < 11; column++) {
		if (i == LARGE && column < 3) {
			if (strcmp(columns[column], "-"))
				return bad(lines, "large objects have no size and span_pages");
			values[column - 1] = 0;
		} else if (!number(columns[column], &values[column - 1])) {
			return bad(lines, "a column that is no number");
		}
	}
	if (sscanf(columns[11], "%lld%n", &line->saved_bytes, &end) != 1 || columns[11][end])
		return bad(lines, "saved_bytes is no number");
	if (i != TINY && (line->objects != line->in_use || line->saved_bytes))
		return bad(lines, "only tiny objects share blocks");
	return 0;
}

int classes_read(struct classes *classes)
{
	unsigned int i = 0;
	struct lines lines;
	char *line;
	int ret;

	ret = lines_open(&lines, "classes");
	if (!ret)
		ret = lines_head(&lines, CLASSES_HEAD);
	while (!ret && (line = lines_next(&lines))) {
		if (i > LARGE)
			ret = bad(&lines, "more lines than classes");
		else
			ret = classes_parse_line(&lines, line, &classes->lines[i], i);
		i++;
	}
	if (!ret && i != LARGE + 1)
		ret = bad(&lines, "fewer lines than classes");
	lines_close(&lines);
	return ret;
}

const struct class_line *classes_find(const struct classes *classes,
				      unsigned long long size)
{
	unsigned int i;

	for (i = 0; i < NR_CLASSES; i++)
		if (classes->lines[i].size >= size)
			return &classes->lines[i];
	return &classes->lines[LARGE];
}

/* arenas */

static int arenas_parse_line(struct lines *lines, char *text, struct arenas *arenas)
{
	unsigned long long node, order, pages, used, holes, runs, largest;
	char *columns[MAX_COLUMNS];

	if (split(text, columns) != 8)
		return bad(lines, "not 8 columns");
	if (!number(columns[0], &node) || !number(columns[2], &order) ||
	    !number(columns[3], &pages) || !number(columns[4], &used) ||
	    !number(columns[5], &holes) || !number(columns[6], &runs) ||
	    !number(columns[7], &largest))
		return bad(lines, "a column that is no number");
	if (columns[1][strspn(columns[1], "0123456789abcdefx")])
		return bad(lines, "a start that is not hexadecimal");
	if (!pages || used > pages || holes > pages - used)
		return bad(lines, "more pages used or given back than there are");
	arenas->pages += pages;
	arenas->holes += holes;
	arenas->used_pages += used;
	pages -= holes;
	if (largest > pages - used)
		return bad(lines, "more pages free than there are");
	if (!runs != !(pages - used) || !largest != !runs || runs > pages - used)
		return bad(lines, "as many free runs as this cannot be");
	arenas->nr++;
	return 0;
}

int arenas_read(struct arenas *arenas)
{
	struct lines lines;
	char *line;
	int ret;

	memset(arenas, 0, sizeof(*arenas));
	ret = lines_open(&lines, "arenas");
	if (!ret)
		ret = lines_head(&lines, ARENAS_HEAD);
	while (!ret && (line = lines_next(&lines)))
		ret = arenas_parse_line(&lines, line, arenas);
	lines_close(&lines);
	return ret;
}

/* cpus */

static int cpus_parse_line(struct lines *lines, char *text, struct cpus *cpus)
{
	unsigned long long value[9];
	char *columns[MAX_COLUMNS];
	unsigned int i;

	if (split(text, columns) != 9)
		return bad(lines, "not 9 columns");
	for (i = 0; i < 9; i++)
		if (!number(columns[i], &value[i]))
			return bad(lines, "a column that is no number");
	if (!value[4] != !value[5])
		return bad(lines, "large objects without bytes, or bytes without objects");
	cpus->nr++;
	if (value[2] > cpus->capacity)
		cpus->capacity = value[2];
	cpus->cached += value[3];
	cpus->large_bytes += value[5];
	cpus->refills += value[6];
	return 0;
}

int cpus_read(struct cpus *cpus)
{
	struct lines lines;
	char *line;
	int ret;

	memset(cpus, 0, sizeof(*cpus));
	ret = lines_open(&lines, "cpus");
	if (!ret)
		ret = lines_head(&lines, CPUS_HEAD);
	while (!ret && (line = lines_next(&lines)))
		ret = cpus_parse_line(&lines, line, cpus);
	lines_close(&lines);
	return ret;
}

/* heaps */

static int heaps_parse_line(struct lines *lines, char *text, struct heaps *heaps,
			    const char *name, bool *found)
{
	char *columns[MAX_COLUMNS];
	unsigned long long value[8];
	struct heap_line line;
	unsigned int i;

	if (split(text, columns) != 11)
		return bad(lines, "not 11 columns");
	if (strcmp(columns[2], "heap") && strcmp(columns[2], "cache"))
		return bad(lines, "neither a heap nor a cache");
	if (!heaps->nr != !strcmp(columns[0], "default"))
		return bad(lines, "the default heap is not the first");
	for (i = 0; i < 8; i++)
		if (!number(columns[3 + i], &value[i]))
			return bad(lines, "a column that is no number");
	line = (struct heap_line) {
		value[0], value[1], value[2], value[3], value[4], value[5], value[6],
		value[7],
	};
	if (line.in_use > line.held)
		return bad(lines, "more in use than held");
	if (line.frees > line.allocs)
		return bad(lines, "more frees than allocations");
	heaps->nr++;
	heaps->sum.held += line.held;
	heaps->sum.in_use += line.in_use;
	heaps->sum.spans += line.spans;
	heaps->sum.allocs += line.allocs;
	heaps->sum.frees += line.frees;
	if (!strcmp(columns[0], name)) {
		*found = true;
		heaps->named = line;
		snprintf(heaps->module, sizeof(heaps->module), "%s", columns[1]);
	}
	return 0;
}

int heaps_read(struct heaps *heaps, const char *name)
{
	struct lines lines;
	bool found = false;
	char *line;
	int ret;

	memset(heaps, 0, sizeof(*heaps));
	ret = lines_open(&lines, "heaps");
	if (!ret)
		ret = lines_head(&lines, HEAPS_HEAD);
	while (!ret && (line = lines_next(&lines)))
		ret = heaps_parse_line(&lines, line, heaps, name, &found);
	lines_close(&lines);
	return ret ?: found ? 0 : -ENOENT;
}

/* map */

static int map_parse_head(struct lines *lines, const char *text, struct map *map)
{
	char head[256];

	if (!text || sscanf(text, "# kspan map v3: page_size %llu ", &map->page_size) != 1)
		return bad(lines, "not the expected version");
	snprintf(head, sizeof(head), MAP_HEAD, map->page_size);
	if (strcmp(text, head))
		return bad(lines, "not the expected signs");
	if (map->page_size < 8192 || map->page_size & (map->page_size - 1))
		return bad(lines, "no page size");
	return 0;
}

static int map_parse_page(struct lines *lines, char c, char before, struct map *map)
{
	map->pages++;
	if (c == '.')
		map->free++;
	else if (c == 'k')
		map->kept++;
	else if (c == '_')
		map->holes++;
	else if (c == '#')
		map->full++;
	else if (c >= '1' && c <= '9')
		map->partial++;
	else if (c == 'L')
		map->large++;
	else if (c != 'l')
		return bad(lines, "a character that stands for nothing");
	else if (before != 'L' && before != 'l')
		return bad(lines, "an l that continues nothing");
	return 0;
}

int map_read(struct map *map)
{
	char *columns[MAX_COLUMNS], *line, *c;
	unsigned long long node;
	struct lines lines;
	char before = 0;
	int ret;

	memset(map, 0, sizeof(*map));
	ret = lines_open(&lines, "map");
	if (!ret)
		ret = map_parse_head(&lines, lines_next(&lines), map);
	while (!ret && (line = lines_next(&lines))) {
		if (split(line, columns) != 3 || !number(columns[0], &node) ||
		    strlen(columns[2]) > MAP_LINE)
			ret = bad(&lines, "not \"node start characters\"");
		for (c = columns[2]; !ret && *c; c++) {
			ret = map_parse_page(&lines, *c, before, map);
			before = *c;
		}
	}
	lines_close(&lines);
	return ret;
}
