/* SPDX-License-Identifier: GPL-2.0 */
/* What all subcommands of kspan share: messages, memory, numbers, files */
#ifndef KSPAN_UTIL_H
#define KSPAN_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define COUNT_OF(array)		(sizeof(array) / sizeof((array)[0]))

#define BAD_INPUT		2

/* Prints one line, "kspan: error: " before it, and exits with BAD_INPUT. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* die() calls @fn before it prints. */
void at_death(void (*fn)(void));

/* These never return NULL. */
void *xrealloc(void *p, size_t size);
void *xzalloc(size_t size);
char *xstrdup(const char *text);
char *xprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes room in @array for one element behind its @nr. */
#define GROW(array, nr, room) do {						\
	if ((nr) == (room)) {							\
		(room) = 2 * (room) + 16;					\
		(array) = xrealloc(array, (room) * sizeof(*(array)));		\
	}									\
} while (0)

/* Decimal digits and nothing else; false if they do not fit. */
bool parse_number(const char *text, uint64_t *value);
/* The same of an option's value, which must be @least to @most. */
unsigned int option_number(const char *option, const char *text, unsigned int least,
			   unsigned int most);
/* getopt_long() with one line for what is wrong. */
struct option;
int next_option(int argc, char **argv, const char *letters, const struct option *options);
/* Dies if something follows the options. */
void no_arguments(int argc, char **argv);

/* What others wrote, for a terminal: printable ASCII, and all else as \ooo. To be freed. */
char *printable(const char *text);

/* 1234 as "1234", 1234567 as "1.2M": of bytes, with powers of 1024. */
const char *human(double value, char *text, size_t size);

/**
 * struct text - a file in memory, that is taken line by line; it is printable ASCII
 * @name:	of the file, for messages
 * @start:	all of it, with a NUL behind it
 * @len:	bytes, without the NUL
 * @line:	number of the line that was taken last
 */
struct text {
	char *name;
	char *start;
	size_t len;
	char *next;
	unsigned int line;
};

/* Return -errno. */
int text_load(struct text *text, const char *name);
int text_load_fd(struct text *text, int fd, const char *name);
void text_read(struct text *text, const char *name);
/* Cuts the next line off and returns it; NULL at the end. */
char *text_line(struct text *text);
void text_free(struct text *text);
/* Dies with the file's name and the line's number. */
void text_bad(const struct text *text, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* The files of debugfs: --dir, or where debugfs is. */
#define DEBUGFS_KSPAN		"/sys/kernel/debug/kspan"

char *debugfs_path(const char *dir, const char *file);
/* Reads @dir/@file; dies with what there is to do if it is not there. */
void debugfs_read(struct text *text, const char *dir, const char *file);
/* Returns false if the file is not there, or cannot be read. */
bool debugfs_try(struct text *text, const char *dir, const char *file);
void debugfs_absent(const char *path, int err) __attribute__((noreturn));

/* @name "-" is stdout. close_output() dies if not all was written. */
FILE *open_output(const char *name);
void close_output(FILE *to, const char *name);
/* The start of an SVG, with @attributes of its own. */
void put_svg_start(FILE *to, const char *attributes, int width, int height);
/* &, <, > and " as XML has them. */
void put_xml(FILE *to, const char *text);

#endif
