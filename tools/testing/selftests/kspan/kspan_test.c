// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "kspan_test.h"

/* Modules */

static const char * const module_names[] = { "kspan", "kspan_counter" };
static bool module_is_ours[2];
static pid_t main_pid;

static bool module_loaded(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

static int module_load_file(const char *dir, const char *name)
{
	char path[4096];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s.ko", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

static int module_load(const char *name)
{
	const char *dir = getenv("KSPAN_MODULES");
	char command[128];

	if (dir)
		return module_load_file(dir, name);
	snprintf(command, sizeof(command), "modprobe %s", name);
	return system(command) ? -ENOENT : 0;
}

static void __attribute__((constructor)) modules_begin(void)
{
	unsigned int i;
	int err;

	main_pid = getpid();
	/* A test's process leaves by _exit(): what it said must be out by then. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < ARRAY_SIZE(module_names); i++) {
		if (module_loaded(module_names[i]))
			continue;
		err = module_load(module_names[i]);
		if (err) {
			ksft_print_header();
			ksft_exit_skip("cannot load %s: %s (root? KSPAN_MODULES?)\n",
				       module_names[i], strerror(-err));
		}
		module_is_ours[i] = true;
	}
	if (access("/sys/kernel/debug/kspan", F_OK))
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
}

static void __attribute__((destructor)) modules_end(void)
{
	int i;

	if (getpid() != main_pid)
		return;
	for (i = ARRAY_SIZE(module_names) - 1; i >= 0; i--)
		if (module_is_ours[i])
			syscall(SYS_delete_module, module_names[i], O_NONBLOCK);
}

/* A kernel with kmemleak has the other detectors, too. */
unsigned int often(unsigned int n)
{
	return access("/sys/kernel/debug/kmemleak", F_OK) ? n : (n + 4) / 5;
}

/* Files */

int file_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ret = -errno;
	close(fd);
	return ret;
}

char *fd_get(int fd, size_t *len)
{
	size_t size = 0;
	char *text = NULL;
	ssize_t n;

	*len = 0;
	do {
		if (size - *len < 65536) {
			size = 2 * size + 131072;
			text = realloc(text, size);
			if (!text)
				return NULL;
		}
		n = read(fd, text + *len, size - *len - 1);
		if (n > 0)
			*len += n;
	} while (n > 0);
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[*len] = 0;
	return text;
}

char *file_get(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;

	if (fd < 0)
		return NULL;
	text = fd_get(fd, len);
	close(fd);
	return text;
}

/* Processors */

int run_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/* Random numbers */

uint64_t test_seed(void)
{
	const char *set = getenv("KSPAN_SEED");
	uint64_t seed = set ? strtoull(set, NULL, 0) : (uint64_t)time(NULL);

	ksft_print_msg("KSPAN_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

uint32_t random_below(uint64_t *state, uint32_t limit)
{
	/* splitmix64: any state is a good one */
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	z ^= z >> 31;
	return (z >> 32) * limit >> 32;
}

/* The words device */

bool is_word_byte(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (c >= 'a' && c <= 'z') || c >= 0x80;
}

int words_open(int flags)
{
	int fd = open(WORDS_DEVICE, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int words_reset(void)
{
	return file_put(WORDS_PARAMETERS "reset", "1");
}

int words_set_max_word(unsigned int max_word)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", max_word);
	return file_put(WORDS_PARAMETERS "max_word", text);
}

int words_write(int fd, const void *text, size_t len)
{
	const char *from = text;
	ssize_t n;

	while (len) {
		n = write(fd, from, len);
		if (n < 0)
			return -errno;
		from += n;
		len -= n;
	}
	return 0;
}

int words_put(const void *text, size_t len)
{
	int fd = words_open(O_WRONLY);
	int ret;

	if (fd < 0)
		return fd;
	ret = words_write(fd, text, len);
	close(fd);
	return ret;
}

static int line_compare_words(const struct words_line *a, const struct words_line *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int order = memcmp(a->bytes, b->bytes, len);

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static bool lines_in_order(const struct words_line *a, const struct words_line *b)
{
	return a->count > b->count ||
	       (a->count == b->count && line_compare_words(a, b) < 0);
}

/* One line at @at, "count word\n": what follows it, or NULL. */
static const char *line_parse(const char *at, struct words_line *line)
{
	const char *word;
	char *end;

	if (*at < '1' || *at > '9')
		return NULL;
	line->count = strtoull(at, &end, 10);
	if (*end != ' ')
		return NULL;
	word = end + 1;
	line->bytes = (const unsigned char *)word;
	while (is_word_byte(*word))
		word++;
	line->len = word - end - 1;
	return line->len && *word == '\n' ? word + 1 : NULL;
}

static int words_parse(struct words_table *table, size_t len)
{
	const char *at = table->text;
	struct words_line *line;
	size_t room = 0;

	while (at < table->text + len) {
		if (table->nr == room) {
			room = 2 * room + 1024;
			table->lines = realloc(table->lines, room * sizeof(*line));
			if (!table->lines)
				return -ENOMEM;
		}
		line = &table->lines[table->nr];
		at = line_parse(at, line);
		if (!at) {
			ksft_print_msg("line %zu is not \"count word\"\n", table->nr + 1);
			return -EPROTO;
		}
		if (table->nr && !lines_in_order(line - 1, line)) {
			ksft_print_msg("line %zu is out of order\n", table->nr + 1);
			return -EPROTO;
		}
		table->nr++;
	}
	return 0;
}

int words_read(int fd, struct words_table *table)
{
	size_t len;

	memset(table, 0, sizeof(*table));
	table->text = fd_get(fd, &len);
	if (!table->text)
		return -errno;
	return words_parse(table, len);
}

int words_get(struct words_table *table)
{
	int fd = words_open(O_RDONLY);
	int ret;

	if (fd < 0)
		return fd;
	ret = words_read(fd, table);
	close(fd);
	return ret;
}

void words_table_free(struct words_table *table)
{
	free(table->lines);
	free(table->text);
	memset(table, 0, sizeof(*table));
}

unsigned long long words_count(const struct words_table *table,
			       const void *word, size_t len)
{
	size_t i;

	for (i = 0; i < table->nr; i++)
		if (table->lines[i].len == len &&
		    !memcmp(table->lines[i].bytes, word, len))
			return table->lines[i].count;
	return 0;
}

unsigned long long words_total(const struct words_table *table)
{
	unsigned long long total = 0;
	size_t i;

	for (i = 0; i < table->nr; i++)
		total += table->lines[i].count;
	return total;
}

/* The load */

#define LOAD_MAX_LEN	300

/* Word @i: its number makes it unique, mostly short, of bytes of all kinds. */
static size_t load_make_word(unsigned char *word, unsigned int i)
{
	static const unsigned char bytes[] = "abcXYZ019_\x80\xc3\xa9\xff";
	uint64_t state = i;
	size_t len = sprintf((char *)word, "%u_", i);
	size_t more = random_below(&state, random_below(&state, 10) ? 12 : LOAD_MAX_LEN);

	while (more--)
		word[len++] = bytes[random_below(&state, sizeof(bytes) - 1)];
	return len;
}

int load_create(struct words_load *load, unsigned int nr)
{
	unsigned int i;

	load->nr = nr;
	load->words = calloc(nr, sizeof(*load->words));
	load->lens = calloc(nr, sizeof(*load->lens));
	load->written = mmap(NULL, nr * sizeof(*load->written), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!load->words || !load->lens || load->written == MAP_FAILED)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		load->words[i] = malloc(LOAD_MAX_LEN + 16);
		if (!load->words[i])
			return -ENOMEM;
		load->lens[i] = load_make_word(load->words[i], i);
	}
	return 0;
}

void load_destroy(struct words_load *load)
{
	unsigned int i;

	for (i = 0; i < load->nr; i++)
		free(load->words[i]);
	munmap(load->written, load->nr * sizeof(*load->written));
	free(load->words);
	free(load->lens);
}

static unsigned char random_separator(uint64_t *state)
{
	unsigned char c;

	do {
		c = random_below(state, 128);
	} while (is_word_byte(c));
	return c;
}

/* Writes @len bytes in pieces; ENOMEM is what some tests are after. */
static int load_write_pieces(int fd, const unsigned char *text, size_t len,
			     uint64_t *state)
{
	uint32_t limit = random_below(state, 2) ? 20000 : 50;
	size_t piece;
	ssize_t n;

	while (len) {
		piece = 1 + random_below(state, limit);
		n = write(fd, text, piece < len ? piece : len);
		if (n < 0 && errno != ENOMEM)
			return -errno;
		if (n > 0) {
			text += n;
			len -= n;
		}
	}
	return 0;
}

#define LOAD_TEXT	65536

int load_write(struct words_load *load, uint64_t seed, unsigned int picks)
{
	static unsigned char text[LOAD_TEXT];
	uint64_t state = seed;
	size_t len = 0;
	unsigned int i;
	int fd, ret = 0;

	fd = words_open(O_WRONLY);
	if (fd < 0)
		return fd;

	while (picks-- && !ret) {
		i = random_below(&state, load->nr);
		memcpy(text + len, load->words[i], load->lens[i]);
		len += load->lens[i];
		__atomic_add_fetch(&load->written[i], 1, __ATOMIC_RELAXED);
		/* The last word has none: close() ends it. */
		if (picks)
			text[len++] = random_separator(&state);
		if (!picks || len > LOAD_TEXT - LOAD_MAX_LEN - 32) {
			ret = load_write_pieces(fd, text, len, &state);
			len = 0;
		}
	}
	close(fd);
	return ret;
}

int load_fork(struct words_load *load, unsigned int writers, uint64_t seed,
	      unsigned int picks, pid_t *pids)
{
	unsigned int i;

	for (i = 0; i < writers; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return -errno;
		if (pids[i])
			continue;
		/* A test that fails takes its writers with it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(-load_write(load, seed + i, picks));
	}
	return 0;
}

int load_wait(const pid_t *pids, unsigned int writers)
{
	int status, ret = 0;
	unsigned int i;

	for (i = 0; i < writers; i++) {
		if (waitpid(pids[i], &status, 0) != pids[i])
			return -errno;
		if (!WIFEXITED(status) || WEXITSTATUS(status)) {
			ksft_print_msg("writer %u ended with status 0x%x\n", i, status);
			ret = -EIO;
		}
	}
	return ret;
}

bool load_matches(const struct words_load *load)
{
	unsigned long long total = 0, count;
	struct words_table table;
	bool ok = true;
	unsigned int i;

	if (words_get(&table))
		return false;
	for (i = 0; i < load->nr; i++) {
		count = words_count(&table, load->words[i], load->lens[i]);
		total += count;
		if (count != load->written[i]) {
			ksft_print_msg("word %u: %llu written, %llu counted\n", i,
				       load->written[i], count);
			ok = false;
		}
	}
	if (total != words_total(&table)) {
		ksft_print_msg("words counted that no one wrote\n");
		ok = false;
	}
	words_table_free(&table);
	return ok;
}

/* Failing page allocations */

#define FAIL	KSPAN_DEBUGFS "failkspan/"

bool fail_available(void)
{
	return !access(FAIL "probability", W_OK);
}

int fail_start(unsigned int percent)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", percent);
	if (file_put(FAIL "verbose", "0") || file_put(FAIL "interval", "1") ||
	    file_put(FAIL "space", "0") || file_put(FAIL "times", "-1"))
		return -EIO;
	return file_put(FAIL "probability", text);
}

int fail_stop(void)
{
	return file_put(FAIL "probability", "0");
}
