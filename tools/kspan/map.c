// SPDX-License-Identifier: GPL-2.0
/*
 * kspan map: the pages of kspan as a picture
 *
 * The arenas of a node stand one behind the other in the order of their addresses, with a gap
 * between two of them, and fill row by row.
 */
#include "map.h"
#include "canvas.h"
#include "command.h"

#include <getopt.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char map_usage[] =
"usage: kspan map [--svg FILE] [--png FILE] [--pages N] [--width N] [--no-color] [--dir DIR]\n"
"\n"
"Shows the pages of kspan in the terminal, or as a picture: free ones, small objects by how full\n"
"their spans are, large objects, pages that were given back.\n"
"      --svg FILE    writes an SVG (-: to the standard output)\n"
"      --png FILE    writes a PNG\n"
"      --pages N     so many pages a cell (so many that the picture is of a handy size)\n"
"      --width N     so many cells a row (the terminal's width; 128 in a picture)\n"
"      --no-color    in the terminal, UTF-8 blocks alone\n"
"      --dir DIR     read the files of this directory (/sys/kernel/debug/kspan)\n";

#define TERMINAL_CELLS	8192
#define PICTURE_CELLS	65536
#define PICTURE_WIDTH	128
#define MAX_WIDTH	1024

/* From nearly empty to full. */
static const unsigned int small_colors[] = {
	0xb4d3ea, 0x9dc6e3, 0x86b9dc, 0x6eabd4, 0x569cca, 0x408cc0, 0x2b7ab4, 0x1a67a5,
	0x0d4f8c, 0x08306b,
};

static unsigned int color_of(struct cell cell)
{
	switch (cell.kind) {
	case PAGE_KEPT:
		return 0xb8e0b0;
	case PAGE_HOLE:
		return 0x5a5a5a;
	case PAGE_SMALL:
		return small_colors[cell.fill - 1];
	case PAGE_LARGE:
		return cell.fill == 10 ? 0xe6750c : 0xf5b26b;
	default:
		return 0xf3eddc;
	}
}

static bool same(struct cell a, struct cell b)
{
	return a.kind == b.kind && a.fill == b.fill;
}

/* In the terminal */

static const char *glyph_of(struct cell cell)
{
	static const char * const small[] = {
		"▁", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "▇", "█",
	};

	switch (cell.kind) {
	case PAGE_KEPT:
		return "░";
	case PAGE_HOLE:
		return "_";
	case PAGE_SMALL:
		return small[cell.fill - 1];
	case PAGE_LARGE:
		return "▓";
	default:
		return "·";
	}
}

static void put_glyph(struct cell cell, bool color)
{
	unsigned int rgb = color_of(cell);

	if (color && cell.fill)
		printf("\033[38;2;%u;%u;%um%s\033[0m", rgb >> 16, rgb >> 8 & 255, rgb & 255,
		       cell.kind == PAGE_LARGE ? "█" : glyph_of(cell));
	else
		fputs(glyph_of(cell), stdout);
}

/* The column behind @column, in the next line if this one is full. */
static unsigned int next_column(unsigned int column, unsigned int width)
{
	if (column + 1 < width)
		return column + 1;
	putchar('\n');
	return 0;
}

/* An arena and the gap behind it; returns the column behind that. */
static unsigned int put_arena(const struct arena *arena, unsigned int scale, unsigned int width,
			      unsigned int column, bool color)
{
	size_t i;

	for (i = 0; i < arena_cells(arena, scale); i++) {
		put_glyph(arena_cell(arena, scale, i), color);
		column = next_column(column, width);
	}
	if (!column)
		return 0;
	putchar(' ');
	return next_column(column, width);
}

static void put_node(const struct page_map *map, const struct node_pages *node, unsigned int scale,
		     unsigned int width, bool color)
{
	unsigned int column = 0;
	char text[512];
	size_t i;

	node_describe(map, node, text, sizeof(text));
	puts(text);
	node_describe_runs(node, text, sizeof(text));
	puts(text);
	for (i = 0; i < node->nr_arenas; i++)
		column = put_arena(&map->arenas[node->first_arena + i], scale, width, column,
				   color);
	if (column)
		putchar('\n');
}

static unsigned int terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return 80;
	return size.ws_col;
}

static void show(const struct page_map *map, unsigned int scale, unsigned int width, bool color)
{
	struct cell cell;
	size_t i;

	scale = scale ? scale : page_map_scale(map, TERMINAL_CELLS);
	width = width ? width : terminal_width();
	for (i = 0; i < map->nr_nodes; i++)
		put_node(map, &map->nodes[i], scale, width, color);
	printf("%u KiB a cell:", (unsigned int)(scale * map->page_size >> 10));
	for (cell.kind = 0; cell.kind < NR_PAGE_KINDS; cell.kind++) {
		putchar(' ');
		for (cell.fill = cell.kind == PAGE_SMALL ? 2 : cell.kind == PAGE_LARGE ? 10 : 0;
		     cell.fill <= 10; cell.fill += 4) {
			put_glyph(cell, color);
			if (cell.kind != PAGE_SMALL)
				break;
		}
		printf(" %s%s", page_kind_names[cell.kind],
		       cell.kind < NR_PAGE_KINDS - 1 ? "," : "\n");
	}
}

/* As a picture */

#define MARGIN		12
#define LINE		16
#define GAP		2	/* between two arenas */

struct layout {
	const struct page_map *map;
	unsigned int scale, width;
	int cell;		/* pixels */
};

/* A gap takes a cell. */
static size_t node_rows(const struct layout *layout, const struct node_pages *node)
{
	const struct arena *arena = &layout->map->arenas[node->first_arena];
	size_t cells = 0, i;

	for (i = 0; i < node->nr_arenas; i++)
		cells += arena_cells(&arena[i], layout->scale) + 1;
	return (cells + layout->width - 1) / layout->width;
}

static int picture_height(const struct layout *layout)
{
	int height = 2 * MARGIN + 2 * LINE;
	size_t i;

	for (i = 0; i < layout->map->nr_nodes; i++)
		height += 3 * LINE + node_rows(layout, &layout->map->nodes[i]) * layout->cell;
	return height;
}

static int picture_width(const struct layout *layout)
{
	int width = 2 * MARGIN + layout->width * layout->cell, least = 2 * MARGIN + 6 * 150;

	return width < least ? least : width;
}

/* Large objects that stand side by side are told apart. */
static bool starts_object(const struct arena *arena, unsigned int scale, size_t i)
{
	return scale == 1 && arena->signs[i] == 'L';
}

static void put_cells(struct canvas *canvas, const struct layout *layout, const struct arena *arena,
		      int top, size_t *place)
{
	size_t i, run, cells = arena_cells(arena, layout->scale);
	struct cell cell;
	char title[128];

	for (i = 0; i < cells; i += run, *place += run) {
		cell = arena_cell(arena, layout->scale, i);
		for (run = 1; i + run < cells && (*place + run) % layout->width &&
		     !starts_object(arena, layout->scale, i + run) &&
		     same(cell, arena_cell(arena, layout->scale, i + run)); run++)
			;
		if (cell.kind == PAGE_SMALL)
			snprintf(title, sizeof(title), "page 0x%lx: small objects, %u0 %% full",
				 arena->start + i * layout->scale, cell.fill);
		else
			snprintf(title, sizeof(title), "page 0x%lx: %s", arena->start +
				 i * layout->scale, page_kind_names[cell.kind]);
		canvas_rect(canvas, MARGIN + *place % layout->width * layout->cell,
			    top + *place / layout->width * layout->cell,
			    run * layout->cell - (cell.kind == PAGE_LARGE), layout->cell - 1,
			    color_of(cell), title);
	}
	*place += 1;
}

static int put_picture_node(struct canvas *canvas, const struct layout *layout,
			    const struct node_pages *node, int top)
{
	char text[512];
	size_t i, place = 0;

	node_describe(layout->map, node, text, sizeof(text));
	canvas_text(canvas, MARGIN, top, text);
	node_describe_runs(node, text, sizeof(text));
	canvas_text(canvas, MARGIN, top + LINE, text);
	top += 2 * LINE;
	for (i = 0; i < node->nr_arenas; i++)
		put_cells(canvas, layout, &layout->map->arenas[node->first_arena + i], top, &place);
	return top + node_rows(layout, node) * layout->cell + LINE;
}

static void put_legend(struct canvas *canvas, const struct layout *layout, int top)
{
	struct cell cell;
	char text[64];
	int x = MARGIN;

	for (cell.kind = 0; cell.kind < NR_PAGE_KINDS; cell.kind++) {
		for (cell.fill = cell.kind == PAGE_SMALL ? 1 : 10; cell.fill <= 10; cell.fill++) {
			canvas_rect(canvas, x, top, 10, 10, color_of(cell), NULL);
			x += cell.fill < 10 ? 10 : 14;
		}
		canvas_text(canvas, x, top - 1, page_kind_names[cell.kind]);
		x += 6 * strlen(page_kind_names[cell.kind]) + 16;
	}
	snprintf(text, sizeof(text), "a cell is %u KiB; a gap is between two arenas",
		 (unsigned int)(layout->scale * layout->map->page_size >> 10));
	canvas_text(canvas, x, top - 1, text);
}

static void put_picture(struct canvas *canvas, const struct layout *layout)
{
	int top = MARGIN;
	size_t i;

	put_legend(canvas, layout, top);
	top += 2 * LINE;
	for (i = 0; i < layout->map->nr_nodes; i++)
		top = put_picture_node(canvas, layout, &layout->map->nodes[i], top);
	canvas_end(canvas);
}

static struct layout lay_out(const struct page_map *map, unsigned int scale, unsigned int width)
{
	struct layout layout = { .map = map };

	layout.scale = scale ? scale : page_map_scale(map, PICTURE_CELLS);
	layout.width = width ? width : PICTURE_WIDTH;
	/* Wide enough to be seen, and no wider than a screen. */
	layout.cell = layout.width > 400 ? 3 : 1200 / layout.width;
	layout.cell = layout.cell > 12 ? 12 : layout.cell;
	return layout;
}

void map_put_svg(FILE *to, const struct page_map *map, unsigned int scale)
{
	struct layout layout = lay_out(map, scale, 0);
	struct canvas canvas;

	canvas_begin_svg(&canvas, to, picture_width(&layout), picture_height(&layout));
	put_picture(&canvas, &layout);
}

static void write_picture(const char *name, const struct layout *layout,
			  void (*begin)(struct canvas *canvas, FILE *to, int width, int height))
{
	FILE *to = open_output(name);
	struct canvas canvas;

	begin(&canvas, to, picture_width(layout), picture_height(layout));
	put_picture(&canvas, layout);
	close_output(to, name);
}

void map_command(int argc, char **argv)
{
	static const struct option options[] = {
		{ "svg", required_argument, NULL, 's' },
		{ "png", required_argument, NULL, 'p' },
		{ "pages", required_argument, NULL, 'n' },
		{ "width", required_argument, NULL, 'w' },
		{ "no-color", no_argument, NULL, 'c' },
		{ "dir", required_argument, NULL, 'D' },
		{ },
	};
	const char *svg = NULL, *png = NULL, *dir = NULL;
	unsigned int scale = 0, width = 0;
	bool color = isatty(STDOUT_FILENO);
	struct layout layout;
	struct page_map map;
	int option;

	while ((option = next_option(argc, argv, "", options)) != -1)
		switch (option) {
		case 's':
			svg = optarg;
			break;
		case 'p':
			png = optarg;
			break;
		case 'n':
			scale = option_number("--pages", optarg, 1, 1 << 20);
			break;
		case 'w':
			width = option_number("--width", optarg, 8, MAX_WIDTH);
			break;
		case 'c':
			color = false;
			break;
		case 'D':
			dir = optarg;
			break;
		}
	no_arguments(argc, argv);
	page_map_read(&map, dir);
	layout = lay_out(&map, scale, width);
	if (svg)
		write_picture(svg, &layout, canvas_begin_svg);
	if (png)
		write_picture(png, &layout, canvas_begin_png);
	if (!svg && !png)
		show(&map, scale, width, color);
	page_map_free(&map);
}
