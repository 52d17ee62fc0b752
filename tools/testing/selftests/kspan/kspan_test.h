/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of kspan share: modules, debugfs files, the words device, and
 * a load on it whose outcome is known.
 *
 * Before a program's tests, kspan and kspan_counter are loaded (exit 4 if that is
 * impossible); afterwards the modules that were loaded here are unloaded.
 */
#ifndef KSPAN_TEST_H
#define KSPAN_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KSPAN_DEBUGFS		"/sys/kernel/debug/kspan/"
#define WORDS_DEVICE		"/dev/kspan_counter"
#define WORDS_PARAMETERS	"/sys/module/kspan_counter/parameters/"

/* The least seconds any single test gets: emulated processors are slow. */
#define KSPAN_TIMEOUT		300

/*
 * @n of something that a test does often: a fifth of it in a kernel with
 * detectors, which is some ten times slower. Its detectors need no repetition.
 */
unsigned int often(unsigned int n);

/* Files. Errors are negative errnos. */

/* Writes @text by one write(). */
int file_put(const char *path, const char *text);
/* Reads all of it: malloc()ed, with a NUL behind it. NULL on an error. */
char *file_get(const char *path, size_t *len);
char *fd_get(int fd, size_t *len);

/* Leaves one CPU to the calling process. */
int run_on_cpu(int cpu);

/* Random numbers: the seed is printed, and KSPAN_SEED sets it. */
uint64_t test_seed(void);
uint32_t random_below(uint64_t *state, uint32_t limit);

/* The words device. */

struct words_line {
	unsigned long long count;
	const unsigned char *bytes;
	size_t len;
};

struct words_table {
	struct words_line *lines;
	size_t nr;
	char *text;
};

bool is_word_byte(unsigned char c);
int words_open(int flags);
int words_reset(void);
int words_set_max_word(unsigned int max_word);
/* Writes it all, by as many write()s as it takes; 0 or the first error. */
int words_write(int fd, const void *text, size_t len);
/* The same on a file of its own. */
int words_put(const void *text, size_t len);
/*
 * Reads all lines and checks that they are in order; -EPROTO, with a message,
 * if they are not what the device promises.
 */
int words_read(int fd, struct words_table *table);
int words_get(struct words_table *table);
void words_table_free(struct words_table *table);
/* 0 if the word is not there. */
unsigned long long words_count(const struct words_table *table,
			       const void *word, size_t len);
unsigned long long words_total(const struct words_table *table);

/*
 * The load: writers that pick words of a vocabulary at random, cut their text
 * into write()s at random, and add up what they wrote in shared memory.
 */
struct words_load {
	unsigned int nr;
	unsigned char **words;
	size_t *lens;
	unsigned long long *written;
};

int load_create(struct words_load *load, unsigned int nr);
void load_destroy(struct words_load *load);
/* One writer: one file, @picks words. Writes again what ENOMEM refused. */
int load_write(struct words_load *load, uint64_t seed, unsigned int picks);
/* @writers processes at once, each load_write(); 0 if all succeeded. */
int load_fork(struct words_load *load, unsigned int writers, uint64_t seed,
	      unsigned int picks, pid_t *pids);
int load_wait(const pid_t *pids, unsigned int writers);
/* Is the device's table exactly what was written? */
bool load_matches(const struct words_load *load);

/* Failing page allocations of kspan, where the kernel can inject failures. */
bool fail_available(void);
int fail_start(unsigned int percent);
int fail_stop(void);

#endif
