/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kspan's debugfs tables, parsed as strictly as their first lines promise:
 * each function here returns 0, or -EPROTO after a message saying what is wrong.
 */
#ifndef KSPAN_TABLES_H
#define KSPAN_TABLES_H

#include <stddef.h>

/* stats: "Name: value unit" lines */

struct stats_line {
	char name[64];
	unsigned long long value;
};

struct stats {
	struct stats_line lines[128];
	size_t nr;
};

int stats_read(struct stats *stats);
/* A name that is not there is reported, and gives all ones. */
unsigned long long stats_value(const struct stats *stats, const char *name);

/* classes: one line per size class, then one for the blocks of tiny, one for large objects */

#define NR_CLASSES	67
#define TINY		NR_CLASSES
#define LARGE		(NR_CLASSES + 1)

struct class_line {
	unsigned long long size;	/* 0: large */
	unsigned long long span_pages;	/* 0: large */
	unsigned long long spans;
	unsigned long long slots;
	unsigned long long in_use;
	unsigned long long cached;
	unsigned long long allocs;
	unsigned long long frees;
	unsigned long long waste_bytes;
	unsigned long long objects;	/* in_use, but of tiny: in the blocks */
	long long saved_bytes;		/* by tiny objects, ever */
};

/* Class 1 is [0]. */
struct classes {
	struct class_line lines[LARGE + 1];
};

int classes_read(struct classes *classes);
const struct class_line *classes_find(const struct classes *classes,
				      unsigned long long size);

/* arenas: all lines added up */

struct arenas {
	size_t nr;
	unsigned long long pages;
	unsigned long long used_pages;
	unsigned long long holes;
};

int arenas_read(struct arenas *arenas);

/* map: one character a page */

struct map {
	unsigned long long page_size;
	unsigned long long pages;
	unsigned long long free;	/* '.' */
	unsigned long long kept;	/* 'k' */
	unsigned long long holes;	/* '_' */
	unsigned long long full;	/* '#' */
	unsigned long long partial;	/* '1' to '9' */
	unsigned long long large;	/* 'L': the first page of each */
};

int map_read(struct map *map);

/* debugfs/kspan/cpus: sums over the CPUs, and the highest capacity of one */
struct cpus {
	unsigned int nr;
	unsigned long long capacity;
	unsigned long long cached;
	unsigned long long large_bytes;
	unsigned long long refills;
};

int cpus_read(struct cpus *cpus);

/* debugfs/kspan/heaps: sums over all lines, and one of them */

struct heap_line {
	unsigned long long limit;
	unsigned long long held;
	unsigned long long in_use;
	unsigned long long spans;
	unsigned long long allocs;
	unsigned long long frees;
	unsigned long long failures;
	unsigned long long peak;
};

struct heaps {
	unsigned int nr;
	struct heap_line sum;
	struct heap_line named;		/* the line of the name that was asked for */
	char module[64];		/* who made that */
};

/* -ENOENT: there is no heap of that name. */
int heaps_read(struct heaps *heaps, const char *name);

#endif
