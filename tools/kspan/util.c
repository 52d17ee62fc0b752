// SPDX-License-Identifier: GPL-2.0
/* What all subcommands of kspan share: messages, memory, numbers, files */
#include "util.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Of debugfs: linux/magic.h has it, too. */
#define DEBUGFS_MAGIC	0x64626720

static void (*death)(void);

void at_death(void (*fn)(void))
{
	death = fn;
}

static void __attribute__((noreturn)) die_va(const char *format, va_list args)
{
	if (death)
		death();
	fflush(stdout);
	fputs("kspan: error: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	exit(BAD_INPUT);
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	die_va(format, args);
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p)
		die("no memory for %zu bytes", size);
	return p;
}

void *xzalloc(size_t size)
{
	return memset(xrealloc(NULL, size), 0, size);
}

char *xstrdup(const char *text)
{
	return strcpy(xrealloc(NULL, strlen(text) + 1), text);
}

char *xprintf(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		die("no memory for a text");
	va_end(args);
	return text;
}

bool parse_number(const char *text, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !*end && !errno;
}

unsigned int option_number(const char *option, const char *text, unsigned int least,
			   unsigned int most)
{
	uint64_t value;

	if (!parse_number(text, &value) || value < least || value > most)
		die("%s %s: must be a number, %u to %u", option, text, least, most);
	return value;
}

int next_option(int argc, char **argv, const char *letters, const struct option *options)
{
	int letter;

	opterr = 0;
	letter = getopt_long(argc, argv, letters, options, NULL);
	if (letter == '?')
		die("%s: no such option, or its value is missing; see kspan %s --help",
		    argv[optind - 1], argv[0]);
	return letter;
}

void no_arguments(int argc, char **argv)
{
	if (optind < argc)
		die("%s: is no option; see kspan %s --help", argv[optind], argv[0]);
}

char *printable(const char *text)
{
	char *copy = xrealloc(NULL, 4 * strlen(text) + 1), *to = copy;

	for (; *text; text++) {
		if (*text >= ' ' && *text <= '~' && *text != '\\')
			*to++ = *text;
		else
			to += sprintf(to, "\\%03o", (unsigned char)*text);
	}
	*to = '\0';
	return copy;
}

const char *human(double value, char *text, size_t size)
{
	static const char units[] = "KMGTPE";
	double most = value < 0 ? -value : value;
	unsigned int unit = 0;

	if (most < 10000) {
		snprintf(text, size, "%.0f", value);
		return text;
	}
	for (most /= 1024, value /= 1024; most >= 1000 && units[unit + 1]; unit++) {
		most /= 1024;
		value /= 1024;
	}
	snprintf(text, size, most < 99.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return text;
}

/* Files */

/* Files of debugfs and procfs have no size: they are read until they end. */
static int read_all(int fd, struct text *text)
{
	size_t room = 0;
	ssize_t n;

	do {
		if (room - text->len < 1 << 16) {
			room = 2 * room + (1 << 17);
			text->start = xrealloc(text->start, room);
		}
		n = read(fd, text->start + text->len, room - text->len - 1);
		if (n < 0 && errno != EINTR)
			return -errno;
		text->len += n > 0 ? n : 0;
	} while (n);
	text->start[text->len] = '\0';
	return 0;
}

/* What a terminal would obey, or what is no text at all, becomes '?'. */
static void make_harmless(struct text *text)
{
	unsigned char *byte = (unsigned char *)text->start, *end = byte + text->len;

	for (; byte < end; byte++)
		if ((*byte < ' ' && *byte != '\n' && *byte != '\t') || *byte > '~')
			*byte = '?';
}

int text_load_fd(struct text *text, int fd, const char *name)
{
	int err;

	memset(text, 0, sizeof(*text));
	err = read_all(fd, text);
	if (err) {
		text_free(text);
		return err;
	}
	make_harmless(text);
	text->name = xstrdup(name);
	text->next = text->start;
	return 0;
}

int text_load(struct text *text, const char *name)
{
	int fd, err;

	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = text_load_fd(text, fd, name);
	close(fd);
	return err;
}

void text_read(struct text *text, const char *name)
{
	int err = text_load(text, name);

	if (err)
		die("%s: cannot be read: %s", name, strerror(-err));
}

char *text_line(struct text *text)
{
	char *line = text->next, *end;

	if (!*line)
		return NULL;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	text->next = end ? end + 1 : line + strlen(line);
	text->line++;
	return line;
}

void text_free(struct text *text)
{
	free(text->name);
	free(text->start);
	memset(text, 0, sizeof(*text));
}

void text_bad(const struct text *text, const char *format, ...)
{
	va_list args;
	char *what;

	va_start(args, format);
	if (vasprintf(&what, format, args) < 0)
		what = "is not understood";
	va_end(args);
	die("%s, line %u: %s", text->name, text->line, what);
}

char *debugfs_path(const char *dir, const char *file)
{
	return xprintf("%s/%s", dir ? dir : DEBUGFS_KSPAN, file);
}

void debugfs_absent(const char *path, int err)
{
	struct statfs fs;

	if (strncmp(path, DEBUGFS_KSPAN "/", strlen(DEBUGFS_KSPAN "/")))
		die("%s: cannot be read: %s", path, strerror(err));
	if (err == EACCES || err == EPERM)
		die("%s: cannot be read: %s; be root", path, strerror(err));
	if (statfs("/sys/kernel/debug", &fs) || fs.f_type != DEBUGFS_MAGIC)
		die("%s: debugfs is not mounted; as root: "
		    "mount -t debugfs debugfs /sys/kernel/debug", path);
	if (access(DEBUGFS_KSPAN, F_OK))
		die("%s: the module kspan is not loaded; as root: modprobe kspan", path);
	die("%s: cannot be read: %s; this version of the module kspan may not have the file", path,
	    strerror(err));
}

void debugfs_read(struct text *text, const char *dir, const char *file)
{
	char *path = debugfs_path(dir, file);
	int err = text_load(text, path);

	if (err)
		debugfs_absent(path, -err);
	free(path);
}

bool debugfs_try(struct text *text, const char *dir, const char *file)
{
	char *path = debugfs_path(dir, file);
	int err = text_load(text, path);

	free(path);
	return !err;
}

FILE *open_output(const char *name)
{
	FILE *to = strcmp(name, "-") ? fopen(name, "we") : stdout;

	if (!to)
		die("%s: cannot be created: %s", name, strerror(errno));
	return to;
}

void close_output(FILE *to, const char *name)
{
	bool failed = ferror(to) || fflush(to);

	if (to != stdout && fclose(to))
		failed = true;
	if (failed)
		die("%s: cannot be written: %s", name, strerror(errno));
}

void put_svg_start(FILE *to, const char *attributes, int width, int height)
{
	fprintf(to, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\" font-family=\"monospace\" font-size=\"11\" %s>\n",
		width, height, width, height, attributes);
}

void put_xml(FILE *to, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			/* XML has no other control characters than these. */
			fputc((unsigned char)*text < ' ' && !strchr("\t\n", *text) ? '?' : *text,
			      to);
		}
}
