// SPDX-License-Identifier: GPL-2.0
/* Names of the kernel's functions: /proc/kallsyms and /proc/modules, or files like them */
#include "symbols.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is further away from a function's start is not in it. */
#define MAX_FUNCTION	0x100000

/* "ffffffffc0a01230 t words_add	[kspan_words]" */
static void read_symbol(struct symbols *symbols, char *line)
{
	struct symbol symbol = { };
	char *save, *addr, *type, *end;

	addr = strtok_r(line, " \t", &save);
	type = strtok_r(NULL, " \t", &save);
	symbol.name = strtok_r(NULL, " \t", &save);
	if (!addr || !type || !symbol.name)
		text_bad(&symbols->kallsyms, "is not \"ADDRESS TYPE NAME\"");
	symbol.addr = strtoull(addr, &end, 16);
	if (*end)
		text_bad(&symbols->kallsyms, "\"%s\" is no address", addr);
	symbol.module = strtok_r(NULL, " \t[]", &save);
	if (!strcmp(symbol.name, "_stext"))
		symbols->text = symbol.addr;
	if (!strcmp(symbol.name, "_etext"))
		symbols->etext = symbol.addr;
	if (!symbol.addr || !strchr("tTwW", *type))
		return;
	GROW(symbols->symbols, symbols->nr, symbols->room);
	symbols->symbols[symbols->nr++] = symbol;
}

/* "kspan_words 16384 0 - Live 0xffffffffc0a00000 (O)" */
static void read_module(struct symbols *symbols, char *line)
{
	struct module module = { };
	char *save, *word, *end = "";
	unsigned int i;

	module.name = strtok_r(line, " ", &save);
	for (i = 1; (word = strtok_r(NULL, " ", &save)) && i < 6; i++) {
		if (i == 1)
			module.size = strtoull(word, &end, 10);
		if (i == 5)
			module.start = strtoull(word, &end, 16);
		if (*end)
			text_bad(&symbols->proc_modules, "\"%s\" is no number", word);
	}
	if (i < 6)
		text_bad(&symbols->proc_modules, "is not a line of /proc/modules");
	if (!module.start)
		return;
	GROW(symbols->modules, symbols->nr_modules, symbols->modules_room);
	symbols->modules[symbols->nr_modules++] = module;
}

/* Those of one address in the order of the file. */
static int by_address(const void *a, const void *b)
{
	const struct symbol *left = a, *right = b;

	if (left->addr != right->addr)
		return left->addr < right->addr ? -1 : 1;
	return left->name < right->name ? -1 : left->name > right->name;
}

/* The file to read; NULL if there is none. To be freed. */
static char *choose(const char *option, const char *dir, const char *file)
{
	char *path;

	if (option)
		return xstrdup(option);
	path = xprintf("%s/%s", dir ? dir : "/proc", file);
	if (!dir || !access(path, R_OK))
		return path;
	free(path);
	return NULL;
}

void symbols_load(struct symbols *symbols, const struct symbol_files *files)
{
	char *kallsyms = choose(files->kallsyms, files->dir, "kallsyms");
	char *modules = choose(files->modules, files->dir, "modules");
	char *line;

	memset(symbols, 0, sizeof(*symbols));
	if (kallsyms) {
		text_read(&symbols->kallsyms, kallsyms);
		while ((line = text_line(&symbols->kallsyms)))
			read_symbol(symbols, line);
	}
	if (modules) {
		text_read(&symbols->proc_modules, modules);
		while ((line = text_line(&symbols->proc_modules)))
			read_module(symbols, line);
	}
	qsort(symbols->symbols, symbols->nr, sizeof(*symbols->symbols), by_address);
	if (!kallsyms)
		fprintf(stderr, "kspan: no names: there is no %s/kallsyms; "
			"copy /proc/kallsyms there, or give --kallsyms FILE\n", files->dir);
	else if (!symbols->nr)
		fprintf(stderr, "kspan: no names: %s hides its addresses; "
			"be root, sysctl kernel.kptr_restrict=1\n", kallsyms);
	free(kallsyms);
	free(modules);
}

void symbols_free(struct symbols *symbols)
{
	text_free(&symbols->kallsyms);
	text_free(&symbols->proc_modules);
	free(symbols->symbols);
	free(symbols->modules);
	memset(symbols, 0, sizeof(*symbols));
}

const struct module *symbols_module(const struct symbols *symbols, uint64_t addr)
{
	const struct module *module;

	for (module = symbols->modules; module < symbols->modules + symbols->nr_modules; module++)
		if (addr - module->start < module->size)
			return module;
	return NULL;
}

/* A module that has gone has left its addresses to nobody. */
static bool holds(const struct symbols *symbols, const struct symbol *symbol, uint64_t addr)
{
	if (addr - symbol->addr >= MAX_FUNCTION)
		return false;
	if (!symbol->module)
		return !symbols->etext || symbol->addr >= symbols->etext || addr < symbols->etext;
	return !symbols->nr_modules || symbols_module(symbols, addr);
}

const struct symbol *symbols_find(const struct symbols *symbols, uint64_t addr)
{
	size_t low = 0, high = symbols->nr, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (symbols->symbols[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	/* The first of those of one address. */
	for (low--; low && symbols->symbols[low - 1].addr == symbols->symbols[low].addr;)
		low--;
	return holds(symbols, &symbols->symbols[low], addr) ? &symbols->symbols[low] : NULL;
}
