/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pages of kspan in memory: debugfs/arenas and map
 *
 * A picture has a cell for each @scale pages of an arena.
 */
#ifndef KSPAN_PAGES_H
#define KSPAN_PAGES_H

#include "util.h"

enum page_kind {
	PAGE_FREE, PAGE_KEPT, PAGE_HOLE, PAGE_SMALL, PAGE_LARGE,
	NR_PAGE_KINDS
};

extern const char * const page_kind_names[NR_PAGE_KINDS];

/**
 * struct cell - some pages, as they are shown
 * @fill:	tenths of them that are in use, 0 to 10
 */
struct cell {
	enum page_kind kind;
	unsigned int fill;
};

struct arena {
	unsigned int node;
	uint64_t start;		/* number of the first page */
	char *signs;		/* one per page */
	size_t nr_pages, room;
};

/* By the power of two that is not longer. */
#define RUN_LENGTHS	24

/**
 * struct node_pages - the pages of a NUMA node
 * @pages:	of each kind
 * @used:	tenths of pages that objects are in
 * @runs:	runs of free pages by length
 * @longest:	pages of the longest
 */
struct node_pages {
	unsigned int node;
	size_t first_arena, nr_arenas;
	uint64_t pages[NR_PAGE_KINDS], total, used;
	uint64_t runs[RUN_LENGTHS], nr_runs, longest;
};

struct page_map {
	uint64_t page_size;
	struct arena *arenas;	/* by node and start */
	size_t nr_arenas, room;
	struct node_pages *nodes;
	size_t nr_nodes, nodes_room;
	uint64_t total;
};

void page_map_read(struct page_map *map, const char *dir);
void page_map_free(struct page_map *map);
/* So that all cells are @cells at most. */
unsigned int page_map_scale(const struct page_map *map, uint64_t cells);

static inline size_t arena_cells(const struct arena *arena, unsigned int scale)
{
	return (arena->nr_pages + scale - 1) / scale;
}

struct cell arena_cell(const struct arena *arena, unsigned int scale, size_t i);
/* "node 0: 43 arenas, 31.1M, 70 % in use; free: ..." */
void node_describe(const struct page_map *map, const struct node_pages *node, char *text,
		   size_t size);
/* "free runs of pages: 1: 20, 2-3: 4, ..." */
void node_describe_runs(const struct node_pages *node, char *text, size_t size);

#endif
