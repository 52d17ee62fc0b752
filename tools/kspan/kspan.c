// SPDX-License-Identifier: GPL-2.0
/*
 * kspan - look into the heap of the module kspan
 *
 * Each subcommand is a file of its own. The manual page, kspan.1, has all of them.
 */
#include "command.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name, *does, *usage;
	void (*run)(int argc, char **argv);
} commands[] = {
	{ "top", "show heaps, classes or sites, and how fast they change", top_usage, top_command },
	{ "map", "show the pages as a picture", map_usage, map_command },
	{ "profile", "write the heap profile for pprof, or as a flame graph", profile_usage,
	  profile_command },
	{ "leaks", "show sampled objects that are old", leaks_usage, leaks_command },
	{ "whatis", "tell what is at an address", whatis_usage, whatis_command },
	{ "report", "show all that a report of a bug needs, or write it as a page", report_usage,
	  report_command },
	{ "record", "record what a kernel allocates and frees", record_usage, record_command },
	{ "replay", "replay a recording on kspan and on SLUB", replay_usage, replay_command },
	{ "info", "tell what is in a recording", info_usage, info_command },
};

static void put_commands(void)
{
	const struct command *command;

	fputs("usage: kspan COMMAND [ARGUMENT...]\n\n", stdout);
	for (command = commands; command < commands + COUNT_OF(commands); command++)
		printf("  %-8s %s\n", command->name, command->does);
	fputs("\nkspan COMMAND --help tells more, and man kspan all.\n", stdout);
}

static bool wants_help(const char *argument)
{
	return !strcmp(argument, "--help") || !strcmp(argument, "-h");
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2)
		die("a command is missing; kspan help lists them");
	if (!strcmp(argv[1], "help") || wants_help(argv[1])) {
		put_commands();
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("kspan " KSPAN_VERSION);
		return 0;
	}
	for (command = commands; command < commands + COUNT_OF(commands); command++) {
		if (strcmp(argv[1], command->name))
			continue;
		if (argc == 3 && wants_help(argv[2])) {
			fputs(command->usage, stdout);
			return 0;
		}
		command->run(argc - 1, argv + 1);
		return 0;
	}
	die("%s: no such command; kspan help lists them", argv[1]);
}
