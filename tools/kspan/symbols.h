/* SPDX-License-Identifier: GPL-2.0 */
/* Names of the kernel's functions: /proc/kallsyms and /proc/modules, or files like them */
#ifndef KSPAN_SYMBOLS_H
#define KSPAN_SYMBOLS_H

#include "util.h"

struct symbol {
	uint64_t addr;
	const char *name;
	const char *module;	/* NULL: the kernel itself */
};

struct module {
	const char *name;
	uint64_t start, size;
};

struct symbols {
	struct text kallsyms, proc_modules;
	struct symbol *symbols;
	size_t nr, room;
	struct module *modules;
	size_t nr_modules, modules_room;
	uint64_t text, etext;	/* of the kernel; 0 if not known */
};

/**
 * struct symbol_files - where to read from
 * @dir:	of --dir; NULL: the running kernel
 * @kallsyms:	NULL: kallsyms in @dir, or /proc/kallsyms
 * @modules:	NULL: modules in @dir, or /proc/modules
 */
struct symbol_files {
	const char *dir, *kallsyms, *modules;
};

/* Without symbols addresses stay numbers, and a warning says why. */
void symbols_load(struct symbols *symbols, const struct symbol_files *files);
void symbols_free(struct symbols *symbols);
/* NULL if no function is known there. */
const struct symbol *symbols_find(const struct symbols *symbols, uint64_t addr);
const struct module *symbols_module(const struct symbols *symbols, uint64_t addr);

#endif
