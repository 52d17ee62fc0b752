// SPDX-License-Identifier: GPL-2.0
/*
 * kspan top: heaps, classes or sites, and how fast they change
 *
 * A view is a list of columns of a table. A column shows what the table has, or its change per
 * second since the reading before. A row is found again by the texts that name it.
 */
#include "command.h"
#include "samples.h"
#include "table.h"
#include "util.h"

#include <curses.h>
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char top_usage[] =
"usage: kspan top [heaps|classes|sites] [--sort KEY] [--reverse] [--delay SECONDS] [--lines N]\n"
"                 [--once] [--json] [--dir DIR]\n"
"\n"
"Shows heaps (the default), size classes, or the sites of the profile, and how fast they change.\n"
"  -s, --sort KEY        sort by this column; a key is a column's title in lower case\n"
"  -r, --reverse         the smallest first\n"
"  -d, --delay SECONDS   between two readings (2)\n"
"  -n, --lines N         so many rows at most\n"
"      --once            one table; rates need --delay, too, which waits that long\n"
"      --json            a JSON object a reading, a line each\n"
"      --dir DIR         read the files of this directory (/sys/kernel/debug/kspan)\n"
"On a terminal: h c s choose the view, < > the column to sort by, r reverses, arrows scroll,\n"
"space reads at once, q ends it.\n";

#define DEFAULT_DELAY	2

enum kind { TEXT, COUNT, BYTES, PERCENT };

/**
 * struct column - of a view
 * @title:	in lower case it is the key for --sort
 * @source:	column of the table
 * @of:		of PERCENT: the column that is 100 %
 * @rate:	the change of @source per second
 * @optional:	not all versions of the table have @source
 */
struct column {
	const char *title, *source, *of;
	enum kind kind;
	bool rate, optional;
};

#define MAX_COLUMNS	13

static const struct view {
	const char *name, *sort;
	char letter;
	unsigned int identity;	/* so many columns at the start name a row */
	struct column columns[MAX_COLUMNS];
} views[] = {
	{ "heaps", "held", 'h', 2, {
		{ "NAME", "name" },
		{ "MODULE", "module" },
		{ "HELD", "held_bytes", .kind = BYTES },
		{ "HELD/S", "held_bytes", .kind = BYTES, .rate = true },
		{ "PEAK", "peak_bytes", .kind = BYTES, .optional = true },
		{ "USED", "in_use_bytes", .kind = BYTES },
		{ "USED%", "in_use_bytes", "held_bytes", PERCENT },
		{ "SPANS", "spans", .kind = COUNT },
		{ "ALLOCS", "allocs", .kind = COUNT },
		{ "ALLOCS/S", "allocs", .kind = COUNT, .rate = true },
		{ "FREES/S", "frees", .kind = COUNT, .rate = true },
		{ "LIMIT", "limit_bytes", .kind = BYTES },
		{ "FAILED", "failures", .kind = COUNT },
	} },
	{ "classes", "waste", 'c', 1, {
		{ "CLASS", "class" },
		{ "SIZE", "size", .kind = COUNT },
		{ "SPANS", "spans", .kind = COUNT },
		{ "SLOTS", "slots", .kind = COUNT },
		{ "LIVE", "objects", .kind = COUNT },
		{ "LIVE/S", "objects", .kind = COUNT, .rate = true },
		{ "CACHED", "cached", .kind = COUNT },
		{ "USED%", "in_use", "slots", PERCENT },
		{ "WASTE", "waste_bytes", .kind = BYTES },
		{ "ALLOCS", "allocs", .kind = COUNT },
		{ "ALLOCS/S", "allocs", .kind = COUNT, .rate = true },
		{ "FREES/S", "frees", .kind = COUNT, .rate = true },
	} },
	{ "sites", "held", 's', 2, {
		{ "SITE", "site" },
		{ "HEAP", "heap" },
		{ "HELD", "live_bytes", .kind = BYTES },
		{ "HELD/S", "live_bytes", .kind = BYTES, .rate = true },
		{ "LIVE", "live", .kind = COUNT },
		{ "LIVE/S", "live", .kind = COUNT, .rate = true },
		{ "BYTES", "alloc_bytes", .kind = BYTES },
		{ "BYTES/S", "alloc_bytes", .kind = BYTES, .rate = true },
		{ "ALLOCS", "allocs", .kind = COUNT },
		{ "ALLOCS/S", "allocs", .kind = COUNT, .rate = true },
	} },
};

struct reading {
	struct table table;
	struct stats stats;
	double time;		/* seconds; 0: there is none */
};

/**
 * struct top - what is shown
 * @symbols:	read when sites are shown first
 * @before:	the last reading but one, of the same view
 * @values:	of the view's columns, row by row; NAN: none
 * @order:	rows of @now, sorted
 */
struct top {
	const char *dir;
	const struct view *view;
	unsigned int nr_columns, sort, lines, delay;
	bool reverse, has_symbols;
	struct symbols symbols;
	struct reading now, before;
	double *values;
	size_t *order;
	size_t first;
};

static double seconds_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Views and columns */

static unsigned int count_columns(const struct view *view)
{
	unsigned int n = 0;

	while (n < MAX_COLUMNS && view->columns[n].title)
		n++;
	return n;
}

/* The number of the column whose title is @key; -1: none */
static int find_key(const struct view *view, const char *key)
{
	unsigned int i;

	for (i = 0; i < count_columns(view); i++)
		if (!strcasecmp(view->columns[i].title, key))
			return i;
	return -1;
}

static void __attribute__((noreturn)) bad_key(const struct view *view, const char *key)
{
	char keys[256] = "";
	unsigned int i, n = count_columns(view);
	size_t len = 0, j;

	for (i = 0; i < n; i++)
		len += snprintf(keys + len, sizeof(keys) - len, " %s", view->columns[i].title);
	for (j = 0; j < len; j++)
		keys[j] = keys[j] >= 'A' && keys[j] <= 'Z' ? keys[j] | 0x20 : keys[j];
	die("--sort %s: no such column of %s; there are%s", key, view->name, keys);
}

static void reading_free(struct reading *reading)
{
	table_free(&reading->table);
	stats_free(&reading->stats);
	reading->time = 0;
}

static void choose_view(struct top *top, const struct view *view, const char *key)
{
	int sort = find_key(view, key ? key : view->sort);

	if (sort < 0)
		bad_key(view, key);
	top->view = view;
	top->nr_columns = count_columns(view);
	top->sort = sort;
	top->first = 0;
	reading_free(&top->now);
	reading_free(&top->before);
}

/* Readings */

static void load_symbols(struct top *top)
{
	struct symbol_files files = { .dir = top->dir };

	if (!top->has_symbols)
		symbols_load(&top->symbols, &files);
	top->has_symbols = true;
}

/* Whether there are sites: a profile that is off has none. */
static bool has_profile(const struct top *top)
{
	struct samples samples;
	struct text text;
	bool has;

	if (!debugfs_try(&text, top->dir, "samples"))
		return false;
	text_free(&text);
	samples_read(&samples, top->dir, NULL);
	has = samples.nr || samples.rate;
	samples_free(&samples);
	return has;
}

static void read_now(struct top *top)
{
	reading_free(&top->before);
	top->before = top->now;
	memset(&top->now, 0, sizeof(top->now));
	stats_read(&top->now.stats, top->dir);
	if (!strcmp(top->view->name, "sites")) {
		load_symbols(top);
		sites_read(&top->now.table, top->dir, &top->symbols);
	} else {
		table_read(&top->now.table, top->dir, top->view->name);
	}
	top->now.time = seconds_now();
}

static bool same_row(const struct top *top, size_t row, size_t before)
{
	unsigned int i, column;

	for (i = 0; i < top->view->identity; i++) {
		column = table_column(&top->now.table, top->view->columns[i].source);
		if (strcmp(table_cell(&top->now.table, row, column),
			   table_cell(&top->before.table, before, column)))
			return false;
	}
	return true;
}

/* The row of the reading before that is @row of now; -1: none. Most have kept their place. */
static ssize_t row_before(const struct top *top, size_t row)
{
	size_t i, nr = top->before.table.nr_rows;

	if (!top->before.time)
		return -1;
	if (row < nr && same_row(top, row, row))
		return row;
	for (i = 0; i < nr; i++)
		if (same_row(top, row, i))
			return i;
	return -1;
}

static double value_of(const struct top *top, const struct column *column, size_t row,
		       ssize_t before)
{
	const struct table *table = &top->now.table;
	unsigned int source;
	double value, all;

	if (column->optional && !table_has(table, column->source))
		return NAN;
	source = table_column(table, column->source);
	value = table_value(table, row, source);
	if (column->kind == PERCENT) {
		all = table_value(table, row, table_column(table, column->of));
		return all ? 100 * value / all : NAN;
	}
	if (!column->rate)
		return value;
	if (before < 0)
		return NAN;
	return (value - table_value(&top->before.table, before, source)) /
	       (top->now.time - top->before.time);
}

/* For compare(), as qsort_r() is not everywhere. */
static const struct top *sorted;

static int compare(const void *a, const void *b)
{
	size_t left = *(const size_t *)a, right = *(const size_t *)b;
	const struct column *column = &sorted->view->columns[sorted->sort];
	double x = sorted->values[left * sorted->nr_columns + sorted->sort];
	double y = sorted->values[right * sorted->nr_columns + sorted->sort];
	unsigned int source;
	int order;

	if (column->kind == TEXT) {
		source = table_column(&sorted->now.table, column->source);
		order = strverscmp(table_cell(&sorted->now.table, left, source),
				   table_cell(&sorted->now.table, right, source));
	} else {
		/* Without a value is last. */
		x = isnan(x) ? -INFINITY : x;
		y = isnan(y) ? -INFINITY : y;
		order = (x < y) - (x > y);
	}
	if (!order)
		order = left < right ? -1 : 1;
	return sorted->reverse ? -order : order;
}

static void sort_rows(struct top *top)
{
	size_t i;

	sorted = top;
	for (i = 0; i < top->now.table.nr_rows; i++)
		top->order[i] = i;
	qsort(top->order, top->now.table.nr_rows, sizeof(*top->order), compare);
}

/* Reads, calculates and sorts. */
static void update(struct top *top)
{
	size_t row, nr;
	unsigned int i;
	ssize_t before;

	read_now(top);
	nr = top->now.table.nr_rows;
	top->values = xrealloc(top->values, nr * top->nr_columns * sizeof(*top->values));
	top->order = xrealloc(top->order, nr * sizeof(*top->order));
	for (row = 0; row < nr; row++) {
		before = row_before(top, row);
		for (i = 0; i < top->nr_columns; i++)
			top->values[row * top->nr_columns + i] =
				value_of(top, &top->view->columns[i], row, before);
	}
	sort_rows(top);
}

static size_t rows_shown(const struct top *top)
{
	size_t nr = top->now.table.nr_rows;

	return top->lines && top->lines < nr ? top->lines : nr;
}

/* As a table */

#define CELL	128

static void format_cell(const struct top *top, size_t row, unsigned int i, char *cell)
{
	const struct column *column = &top->view->columns[i];
	const struct table *table = &top->now.table;
	double value = top->values[row * top->nr_columns + i];

	if (column->kind == TEXT)
		snprintf(cell, CELL, "%s",
			 table_cell(table, row, table_column(table, column->source)));
	else if (isnan(value))
		strcpy(cell, "-");
	else if (column->kind != BYTES)
		snprintf(cell, CELL, "%.0f", value);
	else
		human(value, cell, CELL);
}

static void measure(const struct top *top, int *widths)
{
	size_t row, len;
	char cell[CELL];
	unsigned int i;

	for (i = 0; i < top->nr_columns; i++) {
		/* The sign of the column that is sorted by. */
		widths[i] = strlen(top->view->columns[i].title) + (i == top->sort);
		for (row = 0; row < top->now.table.nr_rows; row++) {
			format_cell(top, row, i, cell);
			len = strlen(cell);
			if ((int)len > widths[i])
				widths[i] = len;
		}
	}
}

static size_t add_cell(char *line, size_t len, size_t size, bool left, int width, const char *cell)
{
	int n = snprintf(line + len, size - len, left ? "%-*s " : "%*s ", width, cell);

	return len + n < size ? len + n : size - 1;
}

/* Without the blank behind the last cell */
static void end_line(char *line, size_t len)
{
	if (len)
		line[len - 1] = '\0';
}

static void format_head(const struct top *top, const int *widths, char *line, size_t size)
{
	char title[CELL];
	unsigned int i;
	size_t len = 0;

	for (i = 0; i < top->nr_columns; i++) {
		snprintf(title, sizeof(title), "%s%s", top->view->columns[i].title,
			 i == top->sort ? "*" : "");
		len = add_cell(line, len, size, top->view->columns[i].kind == TEXT, widths[i],
			       title);
	}
	end_line(line, len);
}

static void format_row(const struct top *top, const int *widths, size_t row, char *line,
		       size_t size)
{
	char cell[CELL];
	unsigned int i;
	size_t len = 0;

	for (i = 0; i < top->nr_columns; i++) {
		format_cell(top, row, i, cell);
		len = add_cell(line, len, size, top->view->columns[i].kind == TEXT, widths[i],
			       cell);
	}
	end_line(line, len);
}

/* Two lines about all of kspan. */
static void format_stats(const struct top *top, char *first, char *second, size_t size)
{
	static const char * const names[] = {
		"HeapSys", "HeapInuse", "Alloc", "HeapCached", "HeapIdle", "HeapPeak",
	};
	char text[COUNT_OF(names)][16];
	unsigned int i;

	for (i = 0; i < COUNT_OF(names); i++)
		human(stats_value(&top->now.stats, names[i]), text[i], sizeof(text[i]));
	snprintf(first, size, "kspan holds %s, peak %s: %s in spans, %s idle", text[0], text[5],
		 text[1], text[4]);
	snprintf(second, size, "live %s in %lu objects, cached %s; %lu arenas, %lu free runs",
		 text[2], stats_value(&top->now.stats, "HeapObjects"), text[3],
		 stats_value(&top->now.stats, "Arenas"), stats_value(&top->now.stats, "FreeRuns"));
}

#define LINE	1024

static void print_table(const struct top *top)
{
	char line[LINE], second[LINE];
	int widths[MAX_COLUMNS];
	size_t i;

	measure(top, widths);
	format_stats(top, line, second, sizeof(line));
	printf("%s\n%s\n", line, second);
	format_head(top, widths, line, sizeof(line));
	puts(line);
	for (i = 0; i < rows_shown(top); i++) {
		format_row(top, widths, top->order[i], line, sizeof(line));
		puts(line);
	}
}

/* As JSON */

/* A number where it is one. */
static struct json_object *json_cell(const char *cell)
{
	uint64_t value;
	char *end;
	long long negative;

	if (parse_number(cell, &value))
		return json_object_new_uint64(value);
	negative = strtoll(cell, &end, 10);
	if (*cell == '-' && end > cell && !*end)
		return json_object_new_int64(negative);
	return strcmp(cell, "-") ? json_object_new_string(cell) : NULL;
}

static struct json_object *json_row(const struct top *top, size_t row)
{
	const struct table *table = &top->now.table;
	struct json_object *object = json_object_new_object();
	unsigned int i;
	char name[64];
	double value;

	for (i = 0; i < table->nr_columns; i++)
		json_object_object_add(object, table->columns[i],
				       json_cell(table_cell(table, row, i)));
	for (i = 0; i < top->nr_columns; i++) {
		value = top->values[row * top->nr_columns + i];
		if (!top->view->columns[i].rate || isnan(value))
			continue;
		snprintf(name, sizeof(name), "%s_per_second", top->view->columns[i].source);
		json_object_object_add(object, name, json_object_new_double(value));
	}
	return object;
}

static void print_json(const struct top *top)
{
	struct json_object *object = json_object_new_object();
	struct json_object *stats = json_object_new_object();
	struct json_object *rows = json_object_new_array();
	size_t i;

	for (i = 0; i < top->now.stats.nr; i++)
		json_object_object_add(stats, top->now.stats.lines[i].name,
				       json_object_new_uint64(top->now.stats.lines[i].value));
	for (i = 0; i < rows_shown(top); i++)
		json_object_array_add(rows, json_row(top, top->order[i]));
	json_object_object_add(object, "time", json_object_new_int64(time(NULL)));
	json_object_object_add(object, "stats", stats);
	json_object_object_add(object, top->view->name, rows);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
}

static void run_plain(struct top *top, bool once, bool wait, bool json)
{
	update(top);
	if (once && wait) {
		sleep(top->delay);
		update(top);
	}
	for (;;) {
		if (json)
			print_json(top);
		else
			print_table(top);
		if (fflush(stdout))
			die("the output cannot be written: %s", strerror(errno));
		if (once)
			return;
		sleep(top->delay);
		update(top);
		if (!json)
			putchar('\n');
	}
}

/* On a terminal */

#define HEAD_LINES	4

static void leave_screen(void)
{
	if (!isendwin())
		endwin();
}

static void draw(struct top *top)
{
	char line[LINE], second[LINE];
	int widths[MAX_COLUMNS], y;
	size_t i;

	erase();
	measure(top, widths);
	format_stats(top, line, second, sizeof(line));
	mvaddnstr(0, 0, line, COLS);
	mvaddnstr(1, 0, second, COLS);
	attron(A_DIM);
	mvaddnstr(2, 0, "h heaps  c classes  s sites  < > sort  r reverse  arrows scroll  q quit",
		  COLS);
	attroff(A_DIM);
	format_head(top, widths, line, sizeof(line));
	attron(A_REVERSE);
	mvaddnstr(3, 0, line, COLS);
	attroff(A_REVERSE);
	for (y = HEAD_LINES, i = top->first; y < LINES && i < rows_shown(top); y++, i++) {
		format_row(top, widths, top->order[i], line, sizeof(line));
		mvaddnstr(y, 0, line, COLS);
	}
	refresh();
}

static void scroll_rows(struct top *top, long by)
{
	long first = top->first + by, last = rows_shown(top) - 1;

	top->first = first < 0 || last < 0 ? 0 : first > last ? last : first;
}

static void sort_next(struct top *top, int by)
{
	top->sort = (top->sort + by + top->nr_columns) % top->nr_columns;
	sort_rows(top);
}

/* Returns whether a new reading is wanted. */
static bool take_view(struct top *top, int key)
{
	unsigned int i;

	for (i = 0; i < COUNT_OF(views); i++)
		if (views[i].letter == key) {
			/* Sites need a profile: without one the view stays. */
			if (views[i].letter == 's' && !has_profile(top)) {
				beep();
				return false;
			}
			choose_view(top, &views[i], NULL);
			return true;
		}
	return key == ' ';
}

static bool take_key(struct top *top, int key)
{
	switch (key) {
	case '<':
	case KEY_LEFT:
		sort_next(top, -1);
		break;
	case '>':
	case KEY_RIGHT:
		sort_next(top, 1);
		break;
	case 'r':
		top->reverse = !top->reverse;
		sort_rows(top);
		break;
	case KEY_UP:
		scroll_rows(top, -1);
		break;
	case KEY_DOWN:
		scroll_rows(top, 1);
		break;
	case KEY_PPAGE:
		scroll_rows(top, HEAD_LINES - LINES);
		break;
	case KEY_NPAGE:
		scroll_rows(top, LINES - HEAD_LINES);
		break;
	default:
		return take_view(top, key);
	}
	return false;
}

static void run_screen(struct top *top)
{
	double next;
	int key;

	update(top);
	/* Before the screen is curses': it may say that there are no names. */
	if (has_profile(top))
		load_symbols(top);
	initscr();
	at_death(leave_screen);
	cbreak();
	noecho();
	keypad(stdscr, true);
	curs_set(0);
	do {
		next = top->now.time + top->delay;
		draw(top);
		timeout(next > seconds_now() ? (next - seconds_now()) * 1000 : 0);
		key = getch();
		if (key == ERR || take_key(top, key))
			update(top);
		scroll_rows(top, 0);
	} while (key != 'q');
	leave_screen();
}

static const struct view *find_view(const char *name)
{
	unsigned int i;

	for (i = 0; i < COUNT_OF(views); i++)
		if (!strcmp(views[i].name, name))
			return &views[i];
	die("%s: no such view; there are heaps, classes and sites", name);
}

void top_command(int argc, char **argv)
{
	static const struct option options[] = {
		{ "sort", required_argument, NULL, 's' },
		{ "reverse", no_argument, NULL, 'r' },
		{ "delay", required_argument, NULL, 'd' },
		{ "lines", required_argument, NULL, 'n' },
		{ "once", no_argument, NULL, 'o' },
		{ "json", no_argument, NULL, 'j' },
		{ "dir", required_argument, NULL, 'D' },
		{ },
	};
	struct top top = { };
	bool once = false, json = false, wait;
	const char *key = NULL;
	int option;

	while ((option = next_option(argc, argv, "s:rd:n:", options)) != -1)
		switch (option) {
		case 's':
			key = optarg;
			break;
		case 'r':
			top.reverse = true;
			break;
		case 'd':
			top.delay = option_number("--delay", optarg, 1, 86400);
			break;
		case 'n':
			top.lines = option_number("--lines", optarg, 1, 1000000);
			break;
		case 'o':
			once = true;
			break;
		case 'j':
			json = true;
			break;
		case 'D':
			top.dir = optarg;
			break;
		}
	if (optind < argc - 1)
		die("%s: top shows one view at a time", argv[optind + 1]);
	choose_view(&top, find_view(optind < argc ? argv[optind] : "heaps"), key);
	setlocale(LC_CTYPE, "");
	wait = top.delay;
	top.delay = top.delay ? top.delay : DEFAULT_DELAY;
	if (once || json || !isatty(STDOUT_FILENO))
		run_plain(&top, once, wait, json);
	else
		run_screen(&top);
	reading_free(&top.now);
	reading_free(&top.before);
	symbols_free(&top.symbols);
	free(top.values);
	free(top.order);
}
