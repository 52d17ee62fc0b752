// SPDX-License-Identifier: GPL-2.0
/* The heap profile: debugfs/samples in memory, scaled to what was allocated */
#include "samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VERSION		1
#define MAX_DEPTH	64

const char * const sample_names[NR_VALUES] = {
	"inuse_space", "inuse_objects", "alloc_space", "alloc_objects", "peak_space",
	"peak_objects",
};

/* The columns; the first are values, in the order of enum sample_value. */
enum { SIZE = NR_VALUES, NODE, HEAP, STACK, NR_COLUMNS };

static const char * const column_names[NR_COLUMNS] = {
	"live_bytes", "live", "alloc_bytes", "allocs", "peak_bytes", "peak", "size", "node",
	"heap", "stack",
};

/* Where each of them is in a line. */
struct layout {
	struct text *text;
	uint64_t rate;
	unsigned int place[NR_COLUMNS];
	unsigned int nr;
};

static uint64_t number(const struct text *text, const char *cell, const char *what)
{
	uint64_t value;

	if (!parse_number(cell, &value))
		text_bad(text, "%s is \"%s\", which is no number", what, cell);
	return value;
}

/* "samples version 1 rate 524288 seconds 12" */
static void read_first(struct samples *samples, struct text *text)
{
	char *line = text_line(text);
	unsigned int version;

	if (!line || sscanf(line, "samples version %u", &version) != 1)
		die("%s: is no profile of kspan: it does not begin with \"samples version\"",
		    text->name);
	if (version != VERSION)
		die("%s: has version %u of the format; this kspan reads version %u", text->name,
		    version, VERSION);
	if (sscanf(line, "samples version %*u rate %lu seconds %lu", &samples->rate,
		   &samples->seconds) != 2)
		text_bad(text, "names no rate and seconds");
}

/* Names of columns, with TABs between. */
static void read_layout(struct layout *layout)
{
	char *line = text_line(layout->text), *word;
	bool found[NR_COLUMNS] = { };
	unsigned int i;

	while (line && (word = strsep(&line, "\t"))) {
		for (i = 0; i < NR_COLUMNS; i++)
			if (!strcmp(word, column_names[i])) {
				layout->place[i] = layout->nr;
				found[i] = true;
			}
		layout->nr++;
	}
	for (i = 0; i < NR_COLUMNS; i++)
		if (!found[i])
			text_bad(layout->text, "has no column %s; "
				 "kspan and the module are of different versions",
				 column_names[i]);
}

static void read_stack(const struct text *text, struct sample *sample, char *cell)
{
	uint64_t stack[MAX_DEPTH];
	char *save, *word, *end;

	for (word = strtok_r(cell, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (sample->depth == MAX_DEPTH)
			text_bad(text, "has a stack of more than %u frames", MAX_DEPTH);
		stack[sample->depth++] = strtoull(word, &end, 16);
		if (strncmp(word, "0x", 2) || *end)
			text_bad(text, "\"%s\" is no address", word);
	}
	sample->stack = xrealloc(NULL, sample->depth * sizeof(*stack));
	memcpy(sample->stack, stack, sample->depth * sizeof(*stack));
}

static double scale_of(const struct layout *layout, uint64_t size)
{
	if (layout->rate <= 1 || !size)
		return 1;
	return -1 / expm1(-(double)size / layout->rate);
}

static void read_sample(const struct layout *layout, struct sample *sample, char *line)
{
	char *cells[32], *word;
	unsigned int nr = 0, i;
	double scale;

	while ((word = strsep(&line, "\t"))) {
		if (nr < COUNT_OF(cells))
			cells[nr] = word;
		nr++;
	}
	if (nr != layout->nr || nr > COUNT_OF(cells))
		text_bad(layout->text, "has %u fields, and the second line names %u", nr,
			 layout->nr);
	sample->size = number(layout->text, cells[layout->place[SIZE]], "size");
	sample->node = number(layout->text, cells[layout->place[NODE]], "node");
	sample->heap = cells[layout->place[HEAP]];
	scale = scale_of(layout, sample->size);
	for (i = 0; i < NR_VALUES; i++)
		sample->value[i] = llround(scale * number(layout->text, cells[layout->place[i]],
							  column_names[i]));
	read_stack(layout->text, sample, cells[layout->place[STACK]]);
}

static int by_identity(const void *a, const void *b)
{
	const struct sample *left = a, *right = b;
	int order = strcmp(left->heap, right->heap);

	if (order)
		return order;
	if (left->size != right->size)
		return left->size < right->size ? -1 : 1;
	if (left->node != right->node)
		return left->node < right->node ? -1 : 1;
	if (left->depth != right->depth)
		return left->depth < right->depth ? -1 : 1;
	return memcmp(left->stack, right->stack, left->depth * sizeof(*left->stack));
}

/* What is of one heap, size, node and stack becomes one. */
static void unite(struct samples *samples)
{
	struct sample *to = samples->samples, *from = to, *end = to + samples->nr;
	unsigned int i;

	qsort(samples->samples, samples->nr, sizeof(*samples->samples), by_identity);
	for (; from < end; from++) {
		if (to == samples->samples || by_identity(to - 1, from)) {
			*to++ = *from;
			continue;
		}
		for (i = 0; i < NR_VALUES; i++) {
			to[-1].value[i] += from->value[i];
			to[-1].old[i] += from->old[i];
		}
		free(from->stack);
	}
	samples->nr = to - samples->samples;
}

static void read_rows(struct samples *samples, struct text *text)
{
	struct layout layout = { .text = text };
	struct sample *sample;
	char *line;

	read_first(samples, text);
	layout.rate = samples->rate;
	read_layout(&layout);
	while ((line = text_line(text))) {
		GROW(samples->samples, samples->nr, samples->room);
		sample = &samples->samples[samples->nr++];
		memset(sample, 0, sizeof(*sample));
		read_sample(&layout, sample, line);
	}
}

void samples_read(struct samples *samples, const char *dir, const char *file)
{
	memset(samples, 0, sizeof(*samples));
	if (file)
		text_read(&samples->text, file);
	else
		debugfs_read(&samples->text, dir, "samples");
	read_rows(samples, &samples->text);
	unite(samples);
}

void samples_need(const struct samples *samples)
{
	if (!samples->nr && !samples->rate)
		die("%s: has no samples, as its rate is 0; to sample an object in 512 KiB, "
		    "as root: echo 524288 >/sys/module/kspan/parameters/profile_rate",
		    samples->text.name);
}

void samples_compare(struct samples *samples, const char *file)
{
	struct samples old = *samples;
	size_t i;

	text_read(&samples->old_text, file);
	i = old.nr;
	read_rows(&old, &samples->old_text);
	for (; i < old.nr; i++) {
		memcpy(old.samples[i].old, old.samples[i].value, sizeof(old.samples[i].old));
		memset(old.samples[i].value, 0, sizeof(old.samples[i].value));
	}
	samples->samples = old.samples;
	samples->nr = old.nr;
	samples->room = old.room;
	samples->compared = true;
	unite(samples);
}

void samples_free(struct samples *samples)
{
	size_t i;

	for (i = 0; i < samples->nr; i++)
		free(samples->samples[i].stack);
	free(samples->samples);
	text_free(&samples->text);
	text_free(&samples->old_text);
	memset(samples, 0, sizeof(*samples));
}

uint64_t sample_site(const struct sample *sample, const struct symbols *symbols)
{
	const struct symbol *symbol;
	unsigned int i;

	for (i = 0; i < sample->depth; i++) {
		symbol = symbols_find(symbols, sample->stack[i] - 1);
		if (!symbol || !symbol->module || strcmp(symbol->module, "kspan"))
			return sample->stack[i];
	}
	return sample->depth ? sample->stack[0] : 0;
}

char *frame_name(const struct symbols *symbols, uint64_t addr, bool offset)
{
	const struct symbol *symbol = addr ? symbols_find(symbols, addr - 1) : NULL;
	char where[32] = "";

	if (!symbol)
		return addr ? xprintf("0x%lx", addr) : xstrdup("unknown");
	if (offset)
		snprintf(where, sizeof(where), "+0x%lx", addr - symbol->addr);
	if (!symbol->module)
		return xprintf("%s%s", symbol->name, where);
	return xprintf("%s%s [%s]", symbol->name, where, symbol->module);
}

/* Sites, as a table */

struct site {
	uint64_t addr;
	const char *heap;
	int64_t value[NR_VALUES];
};

static int by_site(const void *a, const void *b)
{
	const struct site *left = a, *right = b;

	if (left->addr != right->addr)
		return left->addr < right->addr ? -1 : 1;
	return strcmp(left->heap, right->heap);
}

/* The largest first. */
static int by_space(const void *a, const void *b)
{
	const struct site *left = a, *right = b;

	if (left->value[INUSE_SPACE] != right->value[INUSE_SPACE])
		return left->value[INUSE_SPACE] > right->value[INUSE_SPACE] ? -1 : 1;
	return by_site(a, b);
}

static size_t unite_sites(struct site *sites, size_t nr)
{
	struct site *to = sites, *from;
	unsigned int i;

	qsort(sites, nr, sizeof(*sites), by_site);
	for (from = sites; from < sites + nr; from++) {
		if (to == sites || by_site(to - 1, from))
			*to++ = *from;
		else
			for (i = 0; i < NR_VALUES; i++)
				to[-1].value[i] += from->value[i];
	}
	qsort(sites, to - sites, sizeof(*sites), by_space);
	return to - sites;
}

static void put_site(struct table *table, const struct site *site, const struct symbols *symbols)
{
	char **cells = &table->cells[table->nr_rows++ * table->nr_columns];
	unsigned int i;

	cells[0] = frame_name(symbols, site->addr, true);
	cells[1] = xstrdup(site->heap);
	for (i = INUSE_SPACE; i <= ALLOC_OBJECTS; i++)
		cells[2 + i] = xprintf("%ld", site->value[i]);
}

void sites_read(struct table *table, const char *dir, const struct symbols *symbols)
{
	static const char * const columns[] = {
		"site", "heap", "live_bytes", "live", "alloc_bytes", "allocs",
	};
	struct samples samples;
	struct site *sites;
	size_t i, nr;

	samples_read(&samples, dir, NULL);
	samples_need(&samples);
	sites = xzalloc(samples.nr * sizeof(*sites));
	for (i = 0; i < samples.nr; i++) {
		sites[i].addr = sample_site(&samples.samples[i], symbols);
		sites[i].heap = samples.samples[i].heap;
		memcpy(sites[i].value, samples.samples[i].value, sizeof(sites[i].value));
	}
	nr = unite_sites(sites, samples.nr);
	memset(table, 0, sizeof(*table));
	table->name = xstrdup("sites");
	table->nr_columns = COUNT_OF(columns);
	table->columns = xrealloc(NULL, sizeof(columns));
	memcpy(table->columns, columns, sizeof(columns));
	table->cells = xzalloc(nr * sizeof(columns));
	table->own_cells = true;
	for (i = 0; i < nr; i++)
		put_site(table, &sites[i], symbols);
	free(sites);
	samples_free(&samples);
}
