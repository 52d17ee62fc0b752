// SPDX-License-Identifier: GPL-2.0
/*
 * kspan report --html: one page with all there is, which needs no file besides
 *
 * Files that this version of the module has not, or that are empty, have no section.
 */
#include "map.h"
#include "profile.h"
#include "show.h"
#include "table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static const char style[] =
"<style>\n"
"body { font: 14px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #f6f6f4;\n"
"  margin: 0 auto; padding: 16px 24px 48px; max-width: 1280px }\n"
"h1 { font-size: 22px; margin: 8px 0 } h2 { font-size: 17px; margin: 28px 0 8px }\n"
"p.note { color: #555; margin: 4px 0 10px }\n"
".tiles { display: flex; flex-wrap: wrap; gap: 10px }\n"
".tile { background: #fff; border: 1px solid #ddd; border-radius: 6px; padding: 8px 14px;\n"
"  min-width: 110px }\n"
".tile b { display: block; font-size: 20px } .tile span { color: #555; font-size: 12px }\n"
".box { background: #fff; border: 1px solid #ddd; border-radius: 6px; overflow: auto;\n"
"  max-height: 560px }\n"
"table { border-collapse: collapse; width: 100%; font-size: 13px;\n"
"  font-variant-numeric: tabular-nums }\n"
"th { position: sticky; top: 0; background: #ececea; cursor: pointer; text-align: right;\n"
"  font-weight: 600 }\n"
"th, td { padding: 3px 10px; white-space: nowrap }\n"
"td { text-align: right; border-top: 1px solid #eee }\n"
"th.text, td.text { text-align: left } tr:hover td { background: #f3f7fb }\n"
"pre { margin: 0; padding: 10px 14px; font-size: 12px }\n"
"svg { max-width: none }\n"
"</style>\n";

/* A click on a column's head sorts by it, the other way round at the next. */
static const char script[] =
"<script>\n"
"for (const head of document.querySelectorAll('th'))\n"
"  head.addEventListener('click', () => {\n"
"    const body = head.closest('table').tBodies[0], column = head.cellIndex;\n"
"    const down = head.dataset.down = head.dataset.down === '1' ? '0' : '1';\n"
"    const key = row => row.cells[column].dataset.v ?? row.cells[column].textContent;\n"
"    const order = (a, b) => isNaN(key(a)) || isNaN(key(b)) ?\n"
"      key(a).localeCompare(key(b)) : key(b) - key(a);\n"
"    body.append(...[...body.rows].sort((a, b) => down === '1' ? order(a, b) : order(b, a)));\n"
"  });\n"
"</script>\n";

static void put_section(FILE *to, const char *id, const char *title, const char *note)
{
	fprintf(to, "<h2 id=\"%s\">%s</h2>\n", id, title);
	if (note)
		fprintf(to, "<p class=\"note\">%s</p>\n", note);
}

/* Totals */

static void put_tile(FILE *to, const struct stats *stats, const char *name, const char *says,
		     bool bytes)
{
	uint64_t value = stats_value(stats, name);
	char text[24];

	if (bytes)
		human(value, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%lu", value);
	fprintf(to, "<div class=\"tile\" title=\"%s\"><b>%s</b><span>%s</span></div>\n", name,
		text, says);
}

static void put_totals(FILE *to, const struct stats *stats)
{
	static const struct {
		const char *name, *says;
		bool bytes;
	} tiles[] = {
		{ "HeapSys", "held", true }, { "HeapPeak", "held at the peak", true },
		{ "HeapInuse", "in spans", true }, { "Alloc", "live", true },
		{ "HeapCached", "cached", true }, { "HeapEmpty", "kept empty", true },
		{ "HeapIdle", "idle", true }, { "HeapObjects", "live objects" },
		{ "Mallocs", "allocations" }, { "Frees", "frees" },
	};
	unsigned int i;

	fputs("<div class=\"tiles\">\n", to);
	for (i = 0; i < COUNT_OF(tiles); i++)
		put_tile(to, stats, tiles[i].name, tiles[i].says, tiles[i].bytes);
	fputs("</div>\n", to);
}

/* Tables */

static bool is_bytes(const char *column)
{
	size_t len = strlen(column);

	return len > 6 && !strcmp(column + len - 6, "_bytes");
}

static void put_cell(FILE *to, const char *column, const char *cell)
{
	uint64_t value;
	char text[16];

	if (!parse_number(cell, &value)) {
		fputs("<td class=\"text\">", to);
		put_xml(to, cell);
	} else if (is_bytes(column)) {
		fprintf(to, "<td data-v=\"%lu\" title=\"%lu\">%s", value, value,
			human(value, text, sizeof(text)));
	} else {
		fprintf(to, "<td>%lu", value);
	}
	fputs("</td>", to);
}

/* Whether a row has something but 0 in one of the columns from @first on. */
static bool is_used(const struct table *table, size_t row, unsigned int first)
{
	unsigned int i;

	for (i = first; i < table->nr_columns; i++)
		if (table_value(table, row, i))
			return true;
	return false;
}

/* Rows with nothing from column @first on are left out; none if @first is 0. */
static void put_rows(FILE *to, const struct table *table, unsigned int first)
{
	unsigned int i;
	size_t row;
	uint64_t value;

	fputs("<div class=\"box\"><table><thead><tr>", to);
	for (i = 0; i < table->nr_columns; i++) {
		bool text = table->nr_rows && !parse_number(table_cell(table, 0, i), &value);

		fprintf(to, "<th%s>", text ? " class=\"text\"" : "");
		put_xml(to, table->columns[i]);
		fputs("</th>", to);
	}
	fputs("</tr></thead><tbody>\n", to);
	for (row = 0; row < table->nr_rows; row++) {
		if (first && !is_used(table, row, first))
			continue;
		fputs("<tr>", to);
		for (i = 0; i < table->nr_columns; i++)
			put_cell(to, table->columns[i], table_cell(table, row, i));
		fputs("</tr>\n", to);
	}
	fputs("</tbody></table></div>\n", to);
}

static void put_table(FILE *to, const char *dir, const char *file, const char *title,
		      const char *note, unsigned int first)
{
	struct table table;
	struct text text;

	if (!debugfs_try(&text, dir, file))
		return;
	text_free(&text);
	table_read(&table, dir, file);
	if (table.nr_rows) {
		put_section(to, file, title, note);
		put_rows(to, &table, first);
	}
	table_free(&table);
}

static void put_file(FILE *to, const char *dir, const char *file, const char *title,
		     const struct symbols *symbols)
{
	char *names = NULL;
	struct text text;
	size_t len;
	FILE *memory;

	if (!debugfs_try(&text, dir, file))
		return;
	memory = open_memstream(&names, &len);
	if (!memory)
		die("no memory for %s", file);
	put_with_names(memory, text.start, symbols);
	fclose(memory);
	if (len) {
		put_section(to, file, title, NULL);
		fputs("<div class=\"box\"><pre>", to);
		put_xml(to, names);
		fputs("</pre></div>\n", to);
	}
	free(names);
	text_free(&text);
}

/* The profile */

static void put_sites(FILE *to, const char *dir, const struct symbols *symbols)
{
	struct table table;

	sites_read(&table, dir, symbols);
	put_section(to, "sites", "Sites", "Who asked for the memory, scaled from the samples.");
	put_rows(to, &table, 2);
	table_free(&table);
}

static void put_profile(FILE *to, const char *dir, const struct symbols *symbols)
{
	struct samples samples;
	struct text text;

	if (!debugfs_try(&text, dir, "samples"))
		return;
	text_free(&text);
	samples_read(&samples, dir, NULL);
	put_section(to, "profile", "Profile", samples.nr ?
		    "Stacks of what is in use. A click on a frame makes it wide." :
		    "The profile has no samples. As root: "
		    "echo 524288 &gt;/sys/module/kspan/parameters/profile_rate");
	if (samples.nr) {
		fputs("<div class=\"box\">\n", to);
		profile_put_flame(to, &samples, symbols, INUSE_SPACE);
		fputs("</div>\n", to);
		put_sites(to, dir, symbols);
	}
	samples_free(&samples);
}

/* The trend: a line for each of some keys of stats */

#define TREND_WIDTH	1180
#define TREND_HEIGHT	180
#define TREND_LEFT	60
#define TREND_TOP	14

static const struct {
	const char *name, *says, *color;
} trends[] = {
	{ "HeapSys", "held", "#555555" },
	{ "HeapInuse", "in spans", "#2b7ab4" },
	{ "Alloc", "live", "#e6750c" },
};

struct trend {
	unsigned int nr;
	double *values[COUNT_OF(trends)];
};

static void watch(struct trend *trend, const char *dir, unsigned int seconds)
{
	struct stats stats;
	unsigned int i;

	for (i = 0; i < COUNT_OF(trends); i++)
		trend->values[i] = xzalloc((seconds + 1) * sizeof(double));
	for (trend->nr = 0; trend->nr <= seconds; trend->nr++) {
		if (trend->nr)
			sleep(1);
		stats_read(&stats, dir);
		for (i = 0; i < COUNT_OF(trends); i++)
			trend->values[i][trend->nr] = stats_value(&stats, trends[i].name);
		stats_free(&stats);
		fprintf(stderr, "\rkspan: watching, %u of %u seconds", trend->nr, seconds);
	}
	fputc('\n', stderr);
}

static void put_line(FILE *to, const struct trend *trend, unsigned int which, double most)
{
	unsigned int i;

	fprintf(to, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" points=\"",
		trends[which].color);
	for (i = 0; i < trend->nr; i++)
		fprintf(to, "%.1f,%.1f ",
			TREND_LEFT + (double)i * (TREND_WIDTH - TREND_LEFT - 20) / (trend->nr - 1),
			TREND_TOP + TREND_HEIGHT * (1 - trend->values[which][i] / most));
	fprintf(to, "\"><title>%s</title></polyline>\n", trends[which].name);
	fprintf(to, "<text x=\"%u\" y=\"%d\" fill=\"%s\">%s</text>\n", TREND_LEFT + 90 * which,
		TREND_TOP + TREND_HEIGHT + 32, trends[which].color, trends[which].says);
}

static void put_trend(FILE *to, const struct trend *trend)
{
	double most = 1;
	char text[16];
	unsigned int i, j;

	for (i = 0; i < COUNT_OF(trends); i++)
		for (j = 0; j < trend->nr; j++)
			most = fmax(most, trend->values[i][j]);
	put_section(to, "trend", "Trend", NULL);
	fputs("<div class=\"box\">", to);
	put_svg_start(to, "class=\"trend\"", TREND_WIDTH, TREND_HEIGHT + 60);
	for (i = 0; i <= 4; i++) {
		int y = TREND_TOP + TREND_HEIGHT * (4 - (int)i) / 4;

		fprintf(to, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#ddd\"/>\n",
			TREND_LEFT, y, TREND_WIDTH - 20, y);
		fprintf(to, "<text x=\"6\" y=\"%d\">%s</text>\n", y + 4,
			human(most * i / 4, text, sizeof(text)));
	}
	for (i = 0; i < COUNT_OF(trends); i++)
		put_line(to, trend, i, most);
	fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%u seconds</text>\n</svg></div>\n",
		TREND_WIDTH - 20, TREND_TOP + TREND_HEIGHT + 16, trend->nr - 1);
}

static void put_map(FILE *to, const char *dir)
{
	struct page_map map;

	page_map_read(&map, dir);
	put_section(to, "map", "Map", "Every page of kspan, in the order of addresses. Free pages "
		    "between pages in use are what keeps an arena.");
	fputs("<div class=\"box\">\n", to);
	map_put_svg(to, &map, 0);
	fputs("</div>\n", to);
	page_map_free(&map);
}

static void put_top(FILE *to, const char *dir)
{
	struct utsname name;
	char date[64];
	time_t now = time(NULL);

	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S %z", localtime(&now));
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<title>kspan</title>\n", to);
	fputs(style, to);
	fprintf(to, "</head>\n<body>\n<h1>kspan</h1>\n<p class=\"note\">%s", date);
	if (dir) {
		fputs(", files of ", to);
		put_xml(to, dir);
	} else if (!uname(&name)) {
		fprintf(to, ", %s, Linux %s", name.nodename, name.release);
	}
	fputs("</p>\n", to);
}

void report_put_html(FILE *to, const char *dir, const struct symbols *symbols,
		     unsigned int seconds)
{
	struct trend trend = { };
	struct stats stats;
	unsigned int i;

	if (seconds)
		watch(&trend, dir, seconds);
	stats_read(&stats, dir);
	put_top(to, dir);
	put_totals(to, &stats);
	if (seconds)
		put_trend(to, &trend);
	put_map(to, dir);
	put_table(to, dir, "heaps", "Heaps", NULL, 0);
	put_profile(to, dir, symbols);
	put_table(to, dir, "classes", "Size classes",
		  "Those that have a span, or had an object.", 3);
	put_table(to, dir, "cpus", "CPUs", NULL, 0);
	put_table(to, dir, "pools", "Object pools", NULL, 2);
	put_table(to, dir, "reclaims", "Memory that went back", NULL, 0);
	put_file(to, dir, "leaks", "Old objects", symbols);
	put_file(to, dir, "bad_frees", "Wrong frees", symbols);
	put_file(to, dir, "report", "Report", symbols);
	fputs(script, to);
	fputs("</body>\n</html>\n", to);
	stats_free(&stats);
	for (i = 0; i < COUNT_OF(trends); i++)
		free(trend.values[i]);
}
