/* SPDX-License-Identifier: GPL-2.0 */
/* The subcommands; argv[0] is the subcommand's name. */
#ifndef KSPAN_COMMAND_H
#define KSPAN_COMMAND_H

extern const char top_usage[], map_usage[], profile_usage[];
extern const char leaks_usage[], whatis_usage[], report_usage[];
extern const char record_usage[], replay_usage[], info_usage[];

void top_command(int argc, char **argv);
void map_command(int argc, char **argv);
void profile_command(int argc, char **argv);
void leaks_command(int argc, char **argv);
void whatis_command(int argc, char **argv);
void report_command(int argc, char **argv);
void record_command(int argc, char **argv);
void replay_command(int argc, char **argv);
void info_command(int argc, char **argv);

#endif
