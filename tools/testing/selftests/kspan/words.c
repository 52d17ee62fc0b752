// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/kspan_counter: words of any bytes, cut by write() in any way, written by
 * many at once, while there is memory and while there is none, are counted
 * exactly. counter.c says what the device promises.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "kspan_test.h"

#define DEFAULT_MAX_WORD	65536
#define LARGEST_MAX_WORD	(1024 * 1024)

/* Each test starts with an empty table and one open file. */
FIXTURE(words) {
	int fd;
	struct words_table table;
};

FIXTURE_SETUP(words)
{
	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, words_set_max_word(DEFAULT_MAX_WORD));
	memset(&self->table, 0, sizeof(self->table));
	self->fd = words_open(O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(words)
{
	if (self->fd >= 0)
		close(self->fd);
	words_table_free(&self->table);
	words_set_max_word(DEFAULT_MAX_WORD);
	words_reset();
}

/* Ends the file's last word, and reads the table. */
#define CLOSE_AND_GET()							\
	do {								\
		close(self->fd);					\
		self->fd = -1;						\
		ASSERT_EQ(0, words_get(&self->table));			\
	} while (0)

#define WRITE(text)	write_text(self->fd, text)
#define COUNT(word)	count_of(&self->table, word)

static ssize_t write_text(int fd, const char *text)
{
	return write(fd, text, strlen(text));
}

static unsigned long long count_of(const struct words_table *table, const char *word)
{
	return words_count(table, word, strlen(word));
}

/* Formats */

/* "b a b c a b": 3 b, 2 a, 1 c. */
TEST_F(words, most_frequent_first)
{
	char *text;
	size_t len;

	ASSERT_EQ(0, words_put("b a b c a b", 11));
	text = fd_get(self->fd, &len);
	ASSERT_NE(NULL, text);
	EXPECT_STREQ("3 b\n2 a\n1 c\n", text);
	free(text);
}

/* Bytes compare unsigned, a word comes before the longer ones it begins. */
TEST_F(words, ties_by_bytes)
{
	char *text;
	size_t len;

	ASSERT_EQ(0, words_put("aa \xc3\xa9 _ a z Z 9 ab", 18));
	text = fd_get(self->fd, &len);
	ASSERT_NE(NULL, text);
	EXPECT_STREQ("1 9\n1 Z\n1 _\n1 a\n1 aa\n1 ab\n1 z\n1 \xc3\xa9\n", text);
	free(text);
}

TEST_F(words, empty_table_reads_empty)
{
	char c;

	EXPECT_EQ(0, read(self->fd, &c, 1));
}

/* A reader that takes 1 byte a time gets what one that takes all gets. */
TEST_F(words, short_reads)
{
	char *text, c;
	size_t len, i;

	ASSERT_EQ(0, words_put("a b a c a b ab ba", 17));
	text = file_get(WORDS_DEVICE, &len);
	ASSERT_NE(NULL, text);
	for (i = 0; i < len; i++) {
		ASSERT_EQ(1, read(self->fd, &c, 1));
		ASSERT_EQ(text[i], c);
	}
	EXPECT_EQ(0, read(self->fd, &c, 1));
	free(text);
}

/* What a word is */

/* "a<byte>c" is one word or two, for each of the 256 bytes. */
TEST_F_TIMEOUT(words, every_byte, KSPAN_TIMEOUT)
{
	char text[3] = "a?c";
	int c;

	for (c = 0; c < 256; c++) {
		text[1] = c;
		ASSERT_EQ(0, words_reset());
		ASSERT_EQ(0, words_put(text, 3));
		ASSERT_EQ(0, words_get(&self->table));
		if (is_word_byte(c)) {
			EXPECT_EQ(1, words_total(&self->table));
			EXPECT_EQ(1, words_count(&self->table, text, 3)) {
				TH_LOG("byte 0x%02x", c);
			}
		} else {
			EXPECT_EQ(2, words_total(&self->table));
			EXPECT_EQ(1, COUNT("a"));
			EXPECT_EQ(1, COUNT("c")) {
				TH_LOG("byte 0x%02x", c);
			}
		}
		words_table_free(&self->table);
	}
}

TEST_F(words, case_is_kept)
{
	ASSERT_EQ(11, WRITE("Word word W"));
	CLOSE_AND_GET();
	EXPECT_EQ(1, COUNT("Word"));
	EXPECT_EQ(1, COUNT("word"));
	EXPECT_EQ(3, self->table.nr);
}

/* Separators alone, in any number and at both ends, count nothing. */
TEST_F(words, separators_alone)
{
	static const char text[] = "\0\0 \t\r\n...\x1f\x7f{}--  ";

	ASSERT_EQ((ssize_t)sizeof(text), write(self->fd, text, sizeof(text)));
	CLOSE_AND_GET();
	EXPECT_EQ(0, self->table.nr);
}

/* Words across writes */

/* One byte a write(). */
TEST_F(words, byte_by_byte)
{
	static const char text[] = "to be or not to be";
	size_t i;

	for (i = 0; i < strlen(text); i++)
		ASSERT_EQ(1, write(self->fd, text + i, 1));
	CLOSE_AND_GET();
	EXPECT_EQ(2, COUNT("to"));
	EXPECT_EQ(2, COUNT("be"));
	EXPECT_EQ(1, COUNT("or"));
	EXPECT_EQ(1, COUNT("not"));
	EXPECT_EQ(4, self->table.nr);
}

/* A word is counted when its end is known, not before. */
TEST_F(words, unfinished_word_waits)
{
	ASSERT_EQ(3, WRITE("hel"));
	ASSERT_EQ(0, words_get(&self->table));
	EXPECT_EQ(0, self->table.nr);
	ASSERT_EQ(2, WRITE("lo"));
	CLOSE_AND_GET();
	EXPECT_EQ(1, COUNT("hello"));
	EXPECT_EQ(1, self->table.nr);
}

/* "left" and "right" in halves, in two files at a time, stay two words. */
TEST_F(words, files_are_texts_of_their_own)
{
	int other = words_open(O_WRONLY);

	ASSERT_LE(0, other);
	ASSERT_EQ(2, WRITE("le"));
	ASSERT_EQ(2, write(other, "ri", 2));
	ASSERT_EQ(2, WRITE("ft"));
	ASSERT_EQ(3, write(other, "ght", 3));
	close(other);
	CLOSE_AND_GET();
	EXPECT_EQ(1, COUNT("left"));
	EXPECT_EQ(1, COUNT("right"));
	EXPECT_EQ(2, self->table.nr);
}

/* A file that a child inherited ends with its last close(). */
TEST_F(words, forked_file_is_one_text)
{
	pid_t pid;
	int status;

	ASSERT_EQ(2, WRITE("on"));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(WRITE("ewor") != 4);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(1, WRITE("d"));
	CLOSE_AND_GET();
	EXPECT_EQ(1, COUNT("oneword"));
	EXPECT_EQ(1, self->table.nr);
}

/* write(fd, p, 0) is 0 and does not end the word. */
TEST_F(words, empty_write)
{
	ASSERT_EQ(2, WRITE("ab"));
	EXPECT_EQ(0, write(self->fd, "", 0));
	ASSERT_EQ(2, WRITE("cd"));
	CLOSE_AND_GET();
	EXPECT_EQ(1, COUNT("abcd"));
	EXPECT_EQ(1, self->table.nr);
}

/* Bad addresses */

static void *nowhere(void)
{
	return mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Nothing is taken, and the word that was begun can go on. */
TEST_F(words, bad_address)
{
	ASSERT_EQ(2, WRITE("ab"));
	EXPECT_EQ(-1, write(self->fd, nowhere(), 100));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(2, WRITE("cd"));
	CLOSE_AND_GET();
	EXPECT_EQ(1, COUNT("abcd"));
	EXPECT_EQ(1, self->table.nr);
}

TEST_F(words, bad_address_to_read_to)
{
	ASSERT_EQ(0, words_put("word", 4));
	EXPECT_EQ(-1, read(self->fd, nowhere(), 100));
	EXPECT_EQ(EFAULT, errno);
}

/*
 * | one two th|no access|: write() tells how much it took, then EFAULT; going on
 * from there gives each word once.
 */
TEST_F(words, half_bad_address)
{
	long page = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *text = map + page - 10;
	ssize_t taken;

	ASSERT_NE(MAP_FAILED, map);
	memcpy(text, "one two three ", 14);
	ASSERT_EQ(0, mprotect(map + page, page, PROT_NONE));

	taken = write(self->fd, text, 14);
	ASSERT_LT(0, taken);
	ASSERT_GE(10, taken);
	EXPECT_EQ(-1, write(self->fd, map + page, 4));
	EXPECT_EQ(EFAULT, errno);

	ASSERT_EQ(0, mprotect(map + page, page, PROT_READ));
	ASSERT_EQ(14 - taken, write(self->fd, text + taken, 14 - taken));
	CLOSE_AND_GET();
	EXPECT_EQ(1, COUNT("one"));
	EXPECT_EQ(1, COUNT("two"));
	EXPECT_EQ(1, COUNT("three"));
	EXPECT_EQ(3, self->table.nr);
	munmap(map, 2 * page);
}

/* Long words */

static char *long_word(size_t len)
{
	char *word = malloc(len + 1);

	memset(word, 'x', len);
	word[len] = 0;
	return word;
}

/* The largest limit there is: a word of it, in one write() and in many. */
TEST_F_TIMEOUT(words, longest_word, KSPAN_TIMEOUT)
{
	char *word = long_word(LARGEST_MAX_WORD);
	size_t i;

	ASSERT_EQ(0, words_set_max_word(LARGEST_MAX_WORD));
	ASSERT_EQ(LARGEST_MAX_WORD, write(self->fd, word, LARGEST_MAX_WORD));
	ASSERT_EQ(1, WRITE(" "));
	for (i = 0; i < LARGEST_MAX_WORD; i += 1024)
		ASSERT_EQ(1024, write(self->fd, word + i, 1024));
	CLOSE_AND_GET();
	EXPECT_EQ(2, words_count(&self->table, word, LARGEST_MAX_WORD));
	EXPECT_EQ(1, self->table.nr);
	free(word);
}

/*
 * max_word 8, "before xxxxxxxxx after": taken up to the long word, then
 * EMSGSIZE, then the rest; of the long word nothing is counted.
 */
TEST_F(words, too_long_is_told_once)
{
	static const char text[] = "before xxxxxxxxx after";

	ASSERT_EQ(0, words_set_max_word(8));
	EXPECT_EQ(7, WRITE(text));
	EXPECT_EQ(-1, WRITE(text + 7));
	EXPECT_EQ(EMSGSIZE, errno);
	EXPECT_EQ((ssize_t)strlen(text + 7), WRITE(text + 7));
	CLOSE_AND_GET();
	EXPECT_EQ(1, COUNT("before"));
	EXPECT_EQ(1, COUNT("after"));
	EXPECT_EQ(2, self->table.nr);
}

/* The same with the long word in pieces, its end in a third one. */
TEST_F(words, too_long_in_pieces)
{
	ASSERT_EQ(0, words_set_max_word(8));
	ASSERT_EQ(5, WRITE("xxxxx"));
	EXPECT_EQ(-1, WRITE("xxxxx"));
	EXPECT_EQ(EMSGSIZE, errno);
	EXPECT_EQ(5, WRITE("xxxxx"));
	EXPECT_EQ(7, WRITE("xx then"));
	CLOSE_AND_GET();
	EXPECT_EQ(1, COUNT("then"));
	EXPECT_EQ(1, self->table.nr);
}

/* The last word of a file can be too long, too: nothing is left of it. */
TEST_F(words, too_long_at_the_end)
{
	ASSERT_EQ(0, words_set_max_word(8));
	EXPECT_EQ(3, WRITE("ok xxxxxxxxx"));
	EXPECT_EQ(-1, WRITE("xxxxxxxxx"));
	EXPECT_EQ(EMSGSIZE, errno);
	CLOSE_AND_GET();
	EXPECT_EQ(1, COUNT("ok"));
	EXPECT_EQ(1, self->table.nr);
}

/* Many at once */

TEST_F_TIMEOUT(words, concurrent_files, KSPAN_TIMEOUT)
{
	struct words_load load;
	pid_t pids[8];

	ASSERT_EQ(0, load_create(&load, 1000));
	ASSERT_EQ(0, load_fork(&load, 8, test_seed(), often(5000), pids));
	ASSERT_EQ(0, load_wait(pids, 8));
	EXPECT_TRUE(load_matches(&load));
	load_destroy(&load);
}

/* Four writers of one word, all the time: none of their counts gets lost. */
TEST_F_TIMEOUT(words, concurrent_same_word, KSPAN_TIMEOUT)
{
	static char text[65536];
	size_t len = 2 * often(sizeof(text) / 2);
	pid_t pids[4];
	int i, status;

	for (i = 0; i < (int)len; i += 2)
		memcpy(text + i, "a ", 2);
	for (i = 0; i < 4; i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i])
			_exit(words_put(text, len) || words_put(text, len));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	CLOSE_AND_GET();
	EXPECT_EQ(4 * len, COUNT("a"));
}

#define THREADS		4
#define WRITES		20
#define LINES		1000
#define LINE		"never torn apart\n"
#define LINE_LEN	17

static void *write_lines(void *arg)
{
	int i, fd = *(int *)arg;
	char text[LINES * LINE_LEN + 1];

	for (i = 0; i < LINES; i++)
		memcpy(text + i * LINE_LEN, LINE, LINE_LEN);
	for (i = 0; i < (int)often(WRITES); i++)
		if (write(fd, text, LINES * LINE_LEN) != LINES * LINE_LEN)
			return arg;
	return NULL;
}

/* Threads that share one file: one write() is not mixed with another. */
TEST_F_TIMEOUT(words, concurrent_threads_one_file, KSPAN_TIMEOUT)
{
	pthread_t threads[THREADS];
	void *failed;
	int i;

	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, write_lines, &self->fd));
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &failed));
		EXPECT_EQ(NULL, failed);
	}
	CLOSE_AND_GET();
	EXPECT_EQ(THREADS * often(WRITES) * LINES, COUNT("never"));
	EXPECT_EQ(THREADS * often(WRITES) * LINES, COUNT("torn"));
	EXPECT_EQ(THREADS * often(WRITES) * LINES, COUNT("apart"));
	EXPECT_EQ(3, self->table.nr);
}

/* Writers of new words all the time, so that objects come and go. */
TEST_F_TIMEOUT(words, reset_while_writing, KSPAN_TIMEOUT)
{
	struct words_load load;
	unsigned int i, picks = often(5000);
	unsigned long long written = 0;
	pid_t pids[4];

	ASSERT_EQ(0, load_create(&load, 1000));
	ASSERT_EQ(0, load_fork(&load, 4, test_seed(), picks, pids));
	for (i = 0; i < often(100); i++) {
		ASSERT_EQ(0, words_reset());
		usleep(1000);
	}
	ASSERT_EQ(0, load_wait(pids, 4));

	/* What was written after the last reset, and no more than there was. */
	ASSERT_EQ(0, words_get(&self->table));
	for (i = 0; i < load.nr; i++)
		written += load.written[i];
	EXPECT_EQ(4 * picks, written);
	EXPECT_GE(written, words_total(&self->table));

	/* And from now on all is exact again. */
	ASSERT_EQ(0, words_reset());
	memset(load.written, 0, load.nr * sizeof(*load.written));
	ASSERT_EQ(0, load_write(&load, 1, picks));
	EXPECT_TRUE(load_matches(&load));
	load_destroy(&load);
}

/* The half of a word that was written before a reset is not forgotten. */
TEST_F(words, reset_inside_a_word)
{
	ASSERT_EQ(9, WRITE("gone half"));
	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(4, WRITE("way "));
	CLOSE_AND_GET();
	EXPECT_EQ(1, COUNT("halfway"));
	EXPECT_EQ(1, self->table.nr);
}

/* Snapshots */

/*
 * A writer counts "ping pong" in one piece: in no snapshot is there one without
 * the other, nor less than in the snapshot before.
 */
TEST_F_TIMEOUT(words, snapshot_is_one_moment, KSPAN_TIMEOUT)
{
	unsigned long long before = 0;
	struct words_load load;
	pid_t pids[2], pid;
	int i;

	/* Beside it, the table grows. */
	ASSERT_EQ(0, load_create(&load, 3000));
	ASSERT_EQ(0, load_fork(&load, 2, test_seed(), often(6000), pids));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		for (;;)
			WRITE("ping pong\n");

	/* On a busy machine the writer may come late. */
	for (i = 0; i < (int)often(50) || !before; i++) {
		ASSERT_EQ(0, words_get(&self->table));
		EXPECT_EQ(COUNT("ping"), COUNT("pong"));
		EXPECT_LE(before, COUNT("ping"));
		before = COUNT("ping");
		words_table_free(&self->table);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_EQ(0, load_wait(pids, 2));
	load_destroy(&load);
}

/* Half read, then reset and written again: the other half is of the old table. */
TEST_F(words, snapshot_outlives_reset)
{
	char text[32] = "";

	ASSERT_EQ(0, words_put("old old older", 13));
	ASSERT_EQ(2, read(self->fd, text, 2));
	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, words_put("new", 3));
	ASSERT_EQ(4, read(self->fd, text + 2, 4));
	ASSERT_EQ(8, read(self->fd, text + 6, sizeof(text) - 6));
	EXPECT_STREQ("2 old\n1 older\n", text);
}

TEST_F(words, rewinding_takes_a_new_snapshot)
{
	ASSERT_EQ(0, words_put("first", 5));
	ASSERT_EQ(0, words_read(self->fd, &self->table));
	EXPECT_EQ(1, self->table.nr);
	words_table_free(&self->table);

	ASSERT_EQ(0, words_put("second", 6));
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	ASSERT_EQ(0, words_read(self->fd, &self->table));
	EXPECT_EQ(2, self->table.nr);
}

/* No memory */

FIXTURE(exhaustion) {
	int fd;
	struct words_table table;
	char *text;
};

FIXTURE_SETUP(exhaustion)
{
	memset(self, 0, sizeof(*self));
	self->fd = -1;
	if (!fail_available())
		SKIP(return, "no " KSPAN_DEBUGFS "failkspan in this kernel");
	ASSERT_EQ(0, fail_stop());
	ASSERT_EQ(0, words_reset());
	self->fd = words_open(O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(exhaustion)
{
	if (!fail_available())
		return;
	fail_stop();
	if (self->fd >= 0)
		close(self->fd);
	words_table_free(&self->table);
	free(self->text);
	words_reset();
}

/* Text of @nr different words from the @first on, @len bytes each with its separator. */
static char *different_words(size_t first, size_t nr, size_t len)
{
	char *text = malloc(nr * len + 1);
	size_t i;

	memset(text, 'w', nr * len);
	for (i = 0; i < nr; i++) {
		sprintf(text + i * len, "%zu_%zu", first + i, len);
		text[i * len + strlen(text + i * len)] = '_';
		text[i * len + len - 1] = ' ';
	}
	return text;
}

/* Writes until ENOMEM; how much was taken by then, or -1. */
static ssize_t write_until_enomem(int fd, const char *text, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, text + done, len - done < 65536 ? len - done : 65536);
		if (n < 0)
			return errno == ENOMEM ? (ssize_t)done : -1;
		done += n;
	}
	return -1;
}

/* More bytes than kspan holds by then. */
#define FILL	(64 << 20)

/* New words of @len bytes, until there is no memory for one. */
static bool fill_up_with(size_t len)
{
	size_t first, nr = 1 + (1 << 20) / len;
	int fd = words_open(O_WRONLY);
	bool filled = false;
	char *text;

	for (first = 0; fd >= 0 && !filled && first * len < FILL; first += nr) {
		text = different_words(first, nr, len);
		filled = write_until_enomem(fd, text, nr * len) >= 0;
		free(text);
	}
	close(fd);
	return filled;
}

/* Uses up what kspan holds, the larger free pieces first. */
static bool fill_up(void)
{
	return fill_up_with(60000) && fill_up_with(16000) && fill_up_with(4000) &&
	       fill_up_with(1000) && fill_up_with(250);
}

#define FIRST	1000
#define MORE	100000
#define LEN	33

/*
 * With no page to be had, a write() ends in ENOMEM, and the table has just the
 * words of the bytes that were taken. With pages again, the rest is taken, and
 * each word was counted once.
 */
TEST_F_TIMEOUT(exhaustion, taken_is_counted, KSPAN_TIMEOUT)
{
	unsigned long long words, filled;
	ssize_t taken;

	self->text = different_words(0, FIRST + MORE, LEN);
	ASSERT_EQ(0, words_write(self->fd, self->text, FIRST * LEN));
	ASSERT_EQ(0, fail_start(100));
	ASSERT_TRUE(fill_up());
	ASSERT_EQ(0, words_read(self->fd, &self->table));
	filled = words_total(&self->table) - FIRST;
	words_table_free(&self->table);

	taken = write_until_enomem(self->fd, self->text + FIRST * LEN, MORE * LEN);
	ASSERT_LE(0, taken);
	taken += FIRST * LEN;
	words = taken / LEN;
	ksft_print_msg("ENOMEM after %llu words\n", words);

	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	ASSERT_EQ(0, words_read(self->fd, &self->table));
	EXPECT_EQ(words, words_total(&self->table) - filled);
	words_table_free(&self->table);

	ASSERT_EQ(0, fail_stop());
	ASSERT_EQ(0, words_write(self->fd, self->text + taken,
				 (words + FIRST) * LEN - taken));
	ASSERT_EQ(0, words_get(&self->table));
	EXPECT_EQ(words + FIRST, words_total(&self->table) - filled);
	EXPECT_EQ(self->table.nr, words_total(&self->table));
}

/*
 * A word is begun; then other files use up the memory of this CPU, at last with
 * words of the size of this one and of the table's nodes. Closing the first file
 * still counts its word.
 */
TEST_F_TIMEOUT(exhaustion, close_counts_the_last_word, KSPAN_TIMEOUT)
{
	static const char last[] = "the_last_word_is_32_bytes_long__";
	int other = words_open(O_WRONLY);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, run_on_cpu(0));
	self->text = different_words(0, FIRST + MORE, LEN);
	ASSERT_EQ(0, words_write(other, self->text, FIRST * LEN));
	ASSERT_EQ(32, WRITE(last));
	ASSERT_EQ(0, fail_start(100));
	ASSERT_TRUE(fill_up());
	ASSERT_LE(0, write_until_enomem(other, self->text + FIRST * LEN, MORE * LEN));

	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, fail_stop());
	close(other);
	ASSERT_EQ(0, words_get(&self->table));
	EXPECT_EQ(1, COUNT(last));
}

/* Failures now and then, four writers that write again: exact all the same. */
TEST_F_TIMEOUT(exhaustion, failures_now_and_then, KSPAN_TIMEOUT)
{
	struct words_load load;
	pid_t pids[4];

	ASSERT_EQ(0, load_create(&load, 3000));
	ASSERT_EQ(0, fail_start(50));
	ASSERT_EQ(0, load_fork(&load, 4, test_seed(), often(5000), pids));
	ASSERT_EQ(0, load_wait(pids, 4));
	ASSERT_EQ(0, fail_stop());
	EXPECT_TRUE(load_matches(&load));
	load_destroy(&load);
}

TEST_HARNESS_MAIN
