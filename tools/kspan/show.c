// SPDX-License-Identifier: GPL-2.0
/* kspan leaks, whatis and report: text of debugfs, with names of functions */
#include "show.h"
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYMBOL_OPTIONS \
"      --kallsyms FILE   names of functions (/proc/kallsyms; with --dir, kallsyms in DIR)\n" \
"      --modules FILE    places of modules (/proc/modules; with --dir, modules in DIR)\n" \
"      --dir DIR         read the files of this directory (/sys/kernel/debug/kspan)\n"

const char leaks_usage[] =
"usage: kspan leaks [--kallsyms FILE] [--modules FILE] [--dir DIR]\n"
"\n"
"Shows the sampled objects that are old, debugfs/leaks, with names of functions.\n"
SYMBOL_OPTIONS;

const char whatis_usage[] =
"usage: kspan whatis ADDR [--kallsyms FILE] [--modules FILE] [--dir DIR]\n"
"\n"
"Tells what is at an address, in hexadecimal: heap, class, slot, and whether it is live.\n"
SYMBOL_OPTIONS;

const char report_usage[] =
"usage: kspan report [--html FILE [--seconds N]] [--kallsyms FILE] [--modules FILE] [--dir DIR]\n"
"\n"
"Shows all that a report of a bug needs, debugfs/report.\n"
"      --html FILE       writes a page for a browser instead: the map, heaps, classes, the\n"
"                        profile's flame graph\n"
"      --seconds N       watches for so long before, and has the trend on the page\n"
SYMBOL_OPTIONS;

#define ADDRESS_DIGITS	16

/* Sixteen digits, with or without 0x; *@end is set behind them. */
static bool is_address(const char *text, uint64_t *addr, const char **end)
{
	const char *digits = strncmp(text, "0x", 2) ? text : text + 2;
	char *behind;

	if (!isxdigit((unsigned char)*digits))
		return false;
	*addr = strtoull(digits, &behind, 16);
	*end = behind;
	return behind - digits == ADDRESS_DIGITS && !isalnum((unsigned char)*behind);
}

static void put_name(FILE *to, const struct symbols *symbols, uint64_t addr)
{
	const struct symbol *symbol = symbols_find(symbols, addr);

	if (!symbol)
		return;
	fprintf(to, " (%s+0x%lx", symbol->name, addr - symbol->addr);
	if (symbol->module)
		fprintf(to, " [%s]", symbol->module);
	fputc(')', to);
}

void put_with_names(FILE *to, const char *text, const struct symbols *symbols)
{
	const char *start = text, *end;
	uint64_t addr;

	while (*text) {
		if ((text > start && isalnum((unsigned char)text[-1])) ||
		    !is_address(text, &addr, &end)) {
			fputc(*text++, to);
			continue;
		}
		fwrite(text, 1, end - text, to);
		put_name(to, symbols, addr);
		text = end;
	}
}

/* The first two are of report alone. */
static const struct option report_options[] = {
	{ "html", required_argument, NULL, 'h' },
	{ "seconds", required_argument, NULL, 's' },
	{ "kallsyms", required_argument, NULL, 'k' },
	{ "modules", required_argument, NULL, 'm' },
	{ "dir", required_argument, NULL, 'D' },
	{ },
};

/* Takes the options of symbols; returns the letter of another one, or -1. */
static int symbol_option(int argc, char **argv, const struct option *options,
			 struct symbol_files *files)
{
	int option;

	while ((option = next_option(argc, argv, "", options)) != -1)
		switch (option) {
		case 'k':
			files->kallsyms = optarg;
			break;
		case 'm':
			files->modules = optarg;
			break;
		case 'D':
			files->dir = optarg;
			break;
		default:
			return option;
		}
	return -1;
}

static void show(const char *text, const struct symbol_files *files)
{
	struct symbols symbols;

	symbols_load(&symbols, files);
	put_with_names(stdout, text, &symbols);
	symbols_free(&symbols);
	close_output(stdout, "the standard output");
}

static void show_file(const char *file, const struct symbol_files *files)
{
	struct text text;

	debugfs_read(&text, files->dir, file);
	show(text.start, files);
	text_free(&text);
}

void leaks_command(int argc, char **argv)
{
	struct symbol_files files = { };

	symbol_option(argc, argv, report_options + 2, &files);
	no_arguments(argc, argv);
	show_file("leaks", &files);
}

/* whatis: each open file has an answer of its own. */

static void ask(struct text *answer, const char *path, uint64_t addr)
{
	char question[32];
	int fd = open(path, O_RDWR | O_CLOEXEC), len, err;

	if (fd < 0)
		debugfs_absent(path, errno);
	len = snprintf(question, sizeof(question), "0x%lx", addr);
	if (write(fd, question, len) != len)
		die("%s: takes no address: %s", path, strerror(errno));
	if (lseek(fd, 0, SEEK_SET))
		die("%s: gives no answer: %s", path, strerror(errno));
	err = text_load_fd(answer, fd, path);
	if (err)
		die("%s: gives no answer: %s", path, strerror(-err));
	close(fd);
}

void whatis_command(int argc, char **argv)
{
	struct symbol_files files = { };
	struct text answer;
	uint64_t addr;
	char *end, *path;

	symbol_option(argc, argv, report_options + 2, &files);
	if (optind != argc - 1)
		die("whatis wants one ADDR, in hexadecimal");
	errno = 0;
	addr = strtoull(argv[optind], &end, 16);
	if (errno || *end || !isxdigit((unsigned char)*argv[optind]))
		die("%s: is no address: hexadecimal digits are wanted, as 0xffff888004c81a40",
		    argv[optind]);
	path = debugfs_path(files.dir, "whatis");
	ask(&answer, path, addr);
	show(answer.start, &files);
	text_free(&answer);
	free(path);
}

void report_command(int argc, char **argv)
{
	struct symbol_files files = { };
	const char *html = NULL;
	unsigned int seconds = 0;
	struct symbols symbols;
	int option;
	FILE *to;

	while ((option = symbol_option(argc, argv, report_options, &files)) != -1) {
		if (option == 'h')
			html = optarg;
		else
			seconds = option_number("--seconds", optarg, 1, 3600);
	}
	no_arguments(argc, argv);
	if (seconds && !html)
		die("--seconds %u: is of --html FILE", seconds);
	if (!html) {
		show_file("report", &files);
		return;
	}
	symbols_load(&symbols, &files);
	to = open_output(html);
	report_put_html(to, files.dir, &symbols, seconds);
	close_output(to, html);
	symbols_free(&symbols);
	if (to != stdout)
		fprintf(stderr, "kspan: %s: open it in a browser\n", html);
}
