// SPDX-License-Identifier: GPL-2.0
/* The pages of kspan in memory: debugfs/arenas and map */
#include "pages.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

#define VERSION		3

const char * const page_kind_names[NR_PAGE_KINDS] = {
	"free", "kept", "given back", "small objects", "large objects",
};

static struct cell cell_of(char sign)
{
	switch (sign) {
	case '.':
		return (struct cell){ PAGE_FREE, 0 };
	case 'k':
		return (struct cell){ PAGE_KEPT, 0 };
	case '_':
		return (struct cell){ PAGE_HOLE, 0 };
	case '#':
		return (struct cell){ PAGE_SMALL, 10 };
	case '1' ... '9':
		return (struct cell){ PAGE_SMALL, sign - '0' };
	case 'L':
	case 'l':
		return (struct cell){ PAGE_LARGE, 10 };
	}
	return (struct cell){ NR_PAGE_KINDS, 0 };
}

/* Reading */

static bool parse_hex(const char *text, uint64_t *value)
{
	char *end;

	*value = strtoull(text, &end, 16);
	return end > text && !*end;
}

/* Of the file arenas: where an arena begins that follows another without a gap, sorted. */
struct starts {
	uint64_t *pages;
	size_t nr;
};

static int by_page(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static void read_starts(struct starts *starts, const char *dir)
{
	struct table arenas;
	unsigned int column;

	table_read(&arenas, dir, "arenas");
	column = table_column(&arenas, "start");
	starts->pages = xzalloc(arenas.nr_rows * sizeof(*starts->pages));
	for (starts->nr = 0; starts->nr < arenas.nr_rows; starts->nr++)
		if (!parse_hex(table_cell(&arenas, starts->nr, column),
			       &starts->pages[starts->nr]))
			die("%s: \"%s\" is no number of a page", arenas.text.name,
			    table_cell(&arenas, starts->nr, column));
	qsort(starts->pages, starts->nr, sizeof(*starts->pages), by_page);
	table_free(&arenas);
}

static struct arena *arena_for(struct page_map *map, const struct starts *starts,
			       unsigned int node, uint64_t start)
{
	struct arena *arena = map->nr_arenas ? &map->arenas[map->nr_arenas - 1] : NULL;

	if (arena && arena->node == node && arena->start + arena->nr_pages == start &&
	    !bsearch(&start, starts->pages, starts->nr, sizeof(start), by_page))
		return arena;
	GROW(map->arenas, map->nr_arenas, map->room);
	arena = &map->arenas[map->nr_arenas++];
	*arena = (struct arena){ .node = node, .start = start };
	return arena;
}

/* "0 0x1390 ####3####" */
static void read_line(struct page_map *map, const struct starts *starts, const struct text *text,
		      char *line)
{
	char *save, *node = strtok_r(line, " ", &save), *start = strtok_r(NULL, " ", &save);
	char *signs = strtok_r(NULL, " ", &save);
	uint64_t node_value, start_value;
	struct arena *arena;

	if (!node || !start || !signs || !parse_number(node, &node_value) ||
	    !parse_hex(start, &start_value))
		text_bad(text, "is not \"NODE START PAGES\"");
	arena = arena_for(map, starts, node_value, start_value);
	for (; *signs; signs++) {
		if (cell_of(*signs).kind == NR_PAGE_KINDS)
			text_bad(text, "'%c' stands for no kind of page", *signs);
		GROW(arena->signs, arena->nr_pages, arena->room);
		arena->signs[arena->nr_pages++] = *signs;
	}
}

static void read_head(struct page_map *map, struct text *text)
{
	char *line = text_line(text);
	unsigned int version;

	if (!line || sscanf(line, "# kspan map v%u: page_size %lu", &version, &map->page_size) != 2)
		die("%s: does not begin with \"# kspan map v%u: page_size\"; "
		    "is it a file of kspan?", text->name, VERSION);
	if (version != VERSION)
		die("%s: has version %u; this kspan reads version %u", text->name, version,
		    VERSION);
}

static int by_place(const void *a, const void *b)
{
	const struct arena *left = a, *right = b;

	if (left->node != right->node)
		return left->node < right->node ? -1 : 1;
	return left->start < right->start ? -1 : left->start > right->start;
}

/* Sums */

static void add_run(struct node_pages *node, size_t length)
{
	if (!length)
		return;
	node->runs[63 - __builtin_clzll(length)]++;
	node->nr_runs++;
	if (length > node->longest)
		node->longest = length;
}

static void add_arena(struct node_pages *node, const struct arena *arena)
{
	size_t i, run = 0;
	struct cell cell;

	for (i = 0; i < arena->nr_pages; i++) {
		cell = cell_of(arena->signs[i]);
		node->pages[cell.kind]++;
		node->used += cell.fill;
		if (cell.kind == PAGE_FREE) {
			run++;
			continue;
		}
		add_run(node, run);
		run = 0;
	}
	add_run(node, run);
	node->total += arena->nr_pages;
	node->nr_arenas++;
}

static void sum_up(struct page_map *map)
{
	struct node_pages *node = NULL;
	size_t i;

	for (i = 0; i < map->nr_arenas; i++) {
		if (!node || node->node != map->arenas[i].node) {
			GROW(map->nodes, map->nr_nodes, map->nodes_room);
			node = &map->nodes[map->nr_nodes++];
			*node = (struct node_pages){
				.node = map->arenas[i].node, .first_arena = i,
			};
		}
		add_arena(node, &map->arenas[i]);
		map->total += map->arenas[i].nr_pages;
	}
}

void page_map_read(struct page_map *map, const char *dir)
{
	struct starts starts;
	struct text text;
	char *line;

	memset(map, 0, sizeof(*map));
	read_starts(&starts, dir);
	debugfs_read(&text, dir, "map");
	read_head(map, &text);
	while ((line = text_line(&text)))
		read_line(map, &starts, &text, line);
	qsort(map->arenas, map->nr_arenas, sizeof(*map->arenas), by_place);
	sum_up(map);
	free(starts.pages);
	text_free(&text);
}

void page_map_free(struct page_map *map)
{
	size_t i;

	for (i = 0; i < map->nr_arenas; i++)
		free(map->arenas[i].signs);
	free(map->arenas);
	free(map->nodes);
	memset(map, 0, sizeof(*map));
}

/* Cells */

unsigned int page_map_scale(const struct page_map *map, uint64_t cells)
{
	unsigned int scale = 1;

	while (map->total / scale > cells)
		scale *= 2;
	return scale;
}

/* The kind that most pages are of; with any object, one of those with objects. */
struct cell arena_cell(const struct arena *arena, unsigned int scale, size_t i)
{
	size_t first = i * scale, end = first + scale, page;
	unsigned int pages[NR_PAGE_KINDS] = { }, fill = 0, kind;
	struct cell cell, whole = { };

	if (end > arena->nr_pages)
		end = arena->nr_pages;
	for (page = first; page < end; page++) {
		cell = cell_of(arena->signs[page]);
		pages[cell.kind]++;
		fill += cell.fill;
	}
	whole.kind = fill ? PAGE_SMALL : PAGE_FREE;
	for (kind = whole.kind; kind < (fill ? NR_PAGE_KINDS : PAGE_SMALL); kind++)
		if (pages[kind] > pages[whole.kind])
			whole.kind = kind;
	whole.fill = fill / (end - first);
	if (fill && !whole.fill)
		whole.fill = 1;
	return whole;
}

/* Words */

void node_describe(const struct page_map *map, const struct node_pages *node, char *text,
		   size_t size)
{
	char total[16], free_bytes[16], longest[16], holes[16], kept[16];
	uint64_t here = node->total - node->pages[PAGE_HOLE];

	human((double)here * map->page_size, total, sizeof(total));
	human((double)node->pages[PAGE_FREE] * map->page_size, free_bytes, sizeof(free_bytes));
	human((double)node->longest * map->page_size, longest, sizeof(longest));
	human((double)node->pages[PAGE_HOLE] * map->page_size, holes, sizeof(holes));
	human((double)node->pages[PAGE_KEPT] * map->page_size, kept, sizeof(kept));
	snprintf(text, size,
		 "node %u: %s in %zu arenas, %.0f %% of it objects; "
		 "free %s in %lu runs, the longest %s; kept %s; given back %s",
		 node->node, total, node->nr_arenas, here ? 10.0 * node->used / here : 0,
		 free_bytes, node->nr_runs, longest, kept, holes);
}

void node_describe_runs(const struct node_pages *node, char *text, size_t size)
{
	unsigned int i;
	size_t len;

	len = snprintf(text, size, "free runs by pages:");
	for (i = 0; i < RUN_LENGTHS && len < size; i++)
		if (node->runs[i])
			len += snprintf(text + len, size - len, "  %u%s%.0u: %lu", 1U << i,
					i ? "-" : "", i ? (2U << i) - 1 : 0, node->runs[i]);
	if (!node->nr_runs && len < size)
		snprintf(text + len, size - len, " none");
}
