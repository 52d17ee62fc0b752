// SPDX-License-Identifier: GPL-2.0
/*
 * kspan's debugfs files: each has the format it promises, at rest and under
 * load; at rest the sums of one agree with those of the others, and they follow
 * what was allocated and freed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "kspan_tables.h"
#include "kspan_test.h"

/* A heap in use: small objects of many classes, some of them freed, one large. */
FIXTURE(debugfs) {
	struct words_load load;
	struct stats stats;
	struct classes classes;
	struct arenas arenas;
	struct map map;
};

#define LARGE_WORD	100000

FIXTURE_SETUP(debugfs)
{
	char *word = malloc(LARGE_WORD);

	memset(word, 'x', LARGE_WORD);
	ASSERT_EQ(0, load_create(&self->load, 500));
	ASSERT_EQ(0, words_set_max_word(LARGE_WORD));
	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, load_write(&self->load, 1, often(3000)));
	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, load_write(&self->load, 2, 300));
	ASSERT_EQ(0, words_put(word, LARGE_WORD));
	free(word);
}

FIXTURE_TEARDOWN(debugfs)
{
	words_reset();
	words_set_max_word(65536);
	load_destroy(&self->load);
}

/* Formats. The readers complain about what they can't parse. */

TEST_F(debugfs, stats_format)
{
	EXPECT_EQ(0, stats_read(&self->stats));
}

/* Go's runtime.MemStats, as far as kspan has such a thing. */
TEST_F(debugfs, stats_names)
{
	static const char * const names[] = {
		"Alloc", "TotalAlloc", "Sys", "Mallocs", "Frees",
		"HeapAlloc", "HeapSys", "HeapIdle", "HeapInuse", "HeapReleased",
		"HeapObjects", "MSpanInuse",
	};
	unsigned int i;

	ASSERT_EQ(0, stats_read(&self->stats));
	for (i = 0; i < ARRAY_SIZE(names); i++)
		EXPECT_NE(~0ULL, stats_value(&self->stats, names[i]));
}

TEST_F(debugfs, classes_format)
{
	EXPECT_EQ(0, classes_read(&self->classes));
}

TEST_F(debugfs, arenas_format)
{
	EXPECT_EQ(0, arenas_read(&self->arenas));
	EXPECT_LT(0, self->arenas.nr);
}

/* The word that the fixture wrote came by a magazine; what is freed stays with a CPU. */
TEST_F(debugfs, cpus_follow)
{
	unsigned long long cached;
	struct cpus cpus;
	size_t len;
	char *limit = file_get("/sys/module/kspan/parameters/cpu_cache_bytes", &len);

	ASSERT_NE(NULL, limit);
	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, cpus_read(&cpus));
	ASSERT_EQ(0, stats_read(&self->stats));
	cached = stats_value(&self->stats, "HeapCached");
	EXPECT_LT(0, cpus.nr);
	EXPECT_LT(0, cpus.refills);
	EXPECT_LT(0, cpus.capacity);
	EXPECT_LE(cpus.capacity, strtoull(limit, NULL, 10));
	EXPECT_LE(LARGE_WORD, cpus.large_bytes);
	EXPECT_LE(cpus.cached + cpus.large_bytes, cached);
	free(limit);
}

/* What the default heap does not have, private heaps have: lines add up to the totals. */
TEST_F(debugfs, heaps_add_up)
{
	struct heaps heaps;

	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, heaps_read(&heaps, "default"));
	EXPECT_LT(1, heaps.nr);
	EXPECT_STREQ("kspan", heaps.module);
	ASSERT_EQ(0, stats_read(&self->stats));
	EXPECT_EQ(stats_value(&self->stats, "HeapInuse"), heaps.sum.held);
	EXPECT_EQ(stats_value(&self->stats, "HeapAlloc"), heaps.sum.in_use);
	EXPECT_EQ(stats_value(&self->stats, "Mallocs"), heaps.sum.allocs);
	EXPECT_EQ(stats_value(&self->stats, "Frees"), heaps.sum.frees);
}

TEST_F(debugfs, words_have_a_heap)
{
	struct heaps before, after;

	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, heaps_read(&before, "words"));
	EXPECT_STREQ("kspan_counter", before.module);
	ASSERT_EQ(0, words_put("one_more ", 9));
	ASSERT_EQ(0, heaps_read(&after, "words"));
	EXPECT_LT(before.named.allocs, after.named.allocs);
	EXPECT_LT(before.named.in_use, after.named.in_use);
	EXPECT_LT(0, after.named.spans);
	EXPECT_EQ(0, after.named.failures);
	EXPECT_LE(after.named.held, after.named.peak);
	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, heaps_read(&after, "words"));
	EXPECT_EQ(before.named.in_use, after.named.in_use);
}

TEST_F(debugfs, map_format)
{
	EXPECT_EQ(0, map_read(&self->map));
	EXPECT_LT(0, self->map.pages);
}

/*
 * Read a file byte by byte. Returns 1 if that gives the same text as one read of the whole, 0 if
 * not, -1 on error.
 */
static int bytes_are_the_whole(const char *path)
{
	char *text, c;
	size_t len, n;
	int fd, same;

	text = file_get(path, &len);
	if (!text)
		return -1;
	fd = open(path, O_RDONLY);
	if (fd < 0) {
		free(text);
		return -1;
	}
	for (n = 0; n < len && read(fd, &c, 1) == 1 && c == text[n]; n++)
		;
	same = n == len;
	close(fd);
	free(text);
	return same;
}

/*
 * A reader that takes a byte a time sees whole lines, too. The scavenger may change a number
 * between the two reads, but not each time.
 */
TEST_F(debugfs, short_reads)
{
	static const char * const names[] = { "stats", "classes", "heaps", "arenas", "map" };
	unsigned int i, tries;
	char path[64];
	int same;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), KSPAN_DEBUGFS "%s", names[i]);
		same = 0;
		for (tries = 0; !same && tries < 10; tries++)
			same = bytes_are_the_whole(path);
		EXPECT_EQ(1, same) {
			TH_LOG("%s differs", path);
		}
	}
}

/* They tell; they take nothing. */
TEST_F(debugfs, not_writable)
{
	static const char * const names[] = { "stats", "classes", "arenas", "map" };
	char path[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), KSPAN_DEBUGFS "%s", names[i]);
		EXPECT_GT(0, file_put(path, "1"));
	}
}

/* Classes */

/* Go's: from 8 bytes to 32 KiB, each larger than the one before. */
TEST_F(debugfs, class_sizes)
{
	const struct class_line *line = self->classes.lines;
	unsigned int i;

	ASSERT_EQ(0, classes_read(&self->classes));
	EXPECT_EQ(8, line[0].size);
	EXPECT_EQ(32768, line[NR_CLASSES - 1].size);
	for (i = 1; i < NR_CLASSES; i++)
		EXPECT_LT(line[i - 1].size, line[i].size);
}

/* slots = spans * slots of a span = in_use + cached + free, free not negative */
TEST_F(debugfs, class_slots)
{
	struct class_line *line;
	unsigned long long page_size;

	ASSERT_EQ(0, map_read(&self->map));
	page_size = self->map.page_size;
	ASSERT_EQ(0, classes_read(&self->classes));
	for (line = self->classes.lines; line->size; line++) {
		EXPECT_EQ(line->spans * (line->span_pages * page_size / line->size),
			  line->slots);
		EXPECT_LE(line->in_use + line->cached, line->slots);
	}
	EXPECT_EQ(line->in_use + line->cached, line->slots);
	EXPECT_EQ(line->slots, line->spans);
}

/* waste_bytes: what the spans have beyond live objects */
TEST_F(debugfs, class_waste)
{
	struct class_line *line;

	ASSERT_EQ(0, map_read(&self->map));
	ASSERT_EQ(0, classes_read(&self->classes));
	for (line = self->classes.lines; line->size; line++)
		EXPECT_EQ(line->spans * line->span_pages * self->map.page_size,
			  line->in_use * line->size + line->waste_bytes);
}

/* in_use = allocs - frees */
TEST_F(debugfs, class_counts)
{
	unsigned int i;

	ASSERT_EQ(0, classes_read(&self->classes));
	for (i = 0; i <= LARGE; i++)
		EXPECT_EQ(self->classes.lines[i].allocs - self->classes.lines[i].frees,
			  self->classes.lines[i].in_use) {
			TH_LOG("class %u", i + 1);
		}
}

/* Sums, at rest */

/* Objects: stats against stats, and against the sums of classes. */
TEST_F(debugfs, sum_of_objects)
{
	unsigned long long in_use = 0, allocs = 0, frees = 0;
	unsigned int i;

	ASSERT_EQ(0, stats_read(&self->stats));
	ASSERT_EQ(0, classes_read(&self->classes));
	for (i = 0; i <= LARGE; i++) {
		in_use += self->classes.lines[i].objects;
		if (i == TINY)
			continue;
		allocs += self->classes.lines[i].allocs;
		frees += self->classes.lines[i].frees;
	}
	EXPECT_EQ(0, self->classes.lines[TINY].in_use);
	EXPECT_EQ(0, stats_value(&self->stats, "TinyAllocs"));
	EXPECT_EQ(in_use, stats_value(&self->stats, "HeapObjects"));
	EXPECT_EQ(allocs, stats_value(&self->stats, "Mallocs"));
	EXPECT_EQ(frees, stats_value(&self->stats, "Frees"));
	EXPECT_EQ(allocs - frees, in_use);
}

/* Bytes in objects: Alloc is HeapAlloc, at least what the small ones have. */
TEST_F(debugfs, sum_of_bytes)
{
	const struct class_line *line;
	unsigned long long small = 0;

	ASSERT_EQ(0, stats_read(&self->stats));
	ASSERT_EQ(0, classes_read(&self->classes));
	for (line = self->classes.lines; line->size; line++)
		small += line->in_use * line->size;
	EXPECT_EQ(stats_value(&self->stats, "Alloc"), stats_value(&self->stats, "HeapAlloc"));
	EXPECT_LE(small + LARGE_WORD, stats_value(&self->stats, "Alloc"));
	EXPECT_GE(stats_value(&self->stats, "TotalAlloc"), stats_value(&self->stats, "Alloc"));
	EXPECT_LE(stats_value(&self->stats, "HeapAlloc"),
		  stats_value(&self->stats, "HeapInuse"));
}

/* Pages: stats against arenas, against map, against the spans of classes. */
TEST_F(debugfs, sum_of_pages)
{
	const struct class_line *line;
	unsigned long long small = 0, page_size;

	ASSERT_EQ(0, stats_read(&self->stats));
	ASSERT_EQ(0, arenas_read(&self->arenas));
	ASSERT_EQ(0, map_read(&self->map));
	ASSERT_EQ(0, classes_read(&self->classes));
	page_size = self->map.page_size;

	EXPECT_EQ(stats_value(&self->stats, "HeapSys"),
		  stats_value(&self->stats, "HeapInuse") +
		  stats_value(&self->stats, "HeapIdle"));
	EXPECT_EQ(stats_value(&self->stats, "HeapSys"),
		  (self->arenas.pages - self->arenas.holes) * page_size);
	EXPECT_EQ(stats_value(&self->stats, "HeapHoles"), self->arenas.holes * page_size);
	EXPECT_EQ(stats_value(&self->stats, "HeapInuse"),
		  self->arenas.used_pages * page_size);
	EXPECT_LE(stats_value(&self->stats, "HeapSys"), stats_value(&self->stats, "Sys"));

	EXPECT_EQ(self->arenas.pages, self->map.pages);
	EXPECT_EQ(self->arenas.holes, self->map.holes);
	EXPECT_EQ(self->arenas.pages - self->arenas.holes - self->arenas.used_pages,
		  self->map.free);

	for (line = self->classes.lines; line->size; line++)
		small += line->spans * line->span_pages;
	EXPECT_EQ(small, self->map.full + self->map.partial);
	EXPECT_EQ(line->spans, self->map.large);
	EXPECT_LE(self->map.kept * page_size, stats_value(&self->stats, "HeapEmpty"));
}

/* Following what happens */

#define WORDS		1000
#define WORD_LEN	100

/* 1000 new words of 100 bytes: 1000 objects of their class, 1000 nodes. */
TEST_F(debugfs, counts_follow_words)
{
	const struct class_line *line;
	unsigned long long before, strings;
	char *text = malloc(WORDS * (WORD_LEN + 1));
	int i;

	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, stats_read(&self->stats));
	before = stats_value(&self->stats, "HeapObjects");
	ASSERT_EQ(0, classes_read(&self->classes));
	strings = classes_find(&self->classes, WORD_LEN)->in_use;

	memset(text, 'x', WORDS * (WORD_LEN + 1));
	for (i = 0; i < WORDS; i++) {
		sprintf(text + i * (WORD_LEN + 1), "%d", 10000 + i);
		text[i * (WORD_LEN + 1) + 5] = '_';
		text[i * (WORD_LEN + 1) + WORD_LEN] = ' ';
	}
	ASSERT_EQ(0, words_put(text, WORDS * (WORD_LEN + 1)));
	ASSERT_EQ(0, stats_read(&self->stats));
	EXPECT_EQ(before + 2 * WORDS, stats_value(&self->stats, "HeapObjects"));
	ASSERT_EQ(0, classes_read(&self->classes));
	line = classes_find(&self->classes, WORD_LEN);
	EXPECT_EQ(112, line->size);
	EXPECT_EQ(strings + WORDS, line->in_use);

	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, stats_read(&self->stats));
	EXPECT_EQ(before, stats_value(&self->stats, "HeapObjects"));
	free(text);
}

/* One word of 100000 bytes is one large object of 13 pages. */
TEST_F(debugfs, counts_follow_large)
{
	unsigned long long inuse, pages;

	ASSERT_EQ(0, classes_read(&self->classes));
	ASSERT_EQ(0, stats_read(&self->stats));
	ASSERT_EQ(0, map_read(&self->map));
	EXPECT_EQ(1, self->classes.lines[LARGE].in_use);
	inuse = stats_value(&self->stats, "HeapAlloc");
	pages = (LARGE_WORD + self->map.page_size - 1) / self->map.page_size;

	ASSERT_EQ(0, words_reset());
	ASSERT_EQ(0, classes_read(&self->classes));
	ASSERT_EQ(0, stats_read(&self->stats));
	EXPECT_EQ(0, self->classes.lines[LARGE].in_use);
	EXPECT_LE(stats_value(&self->stats, "HeapAlloc") + pages * self->map.page_size, inuse);
}

/* Under load */

/* Writers and resets on all CPUs; what is read is well-formed all the time. */
TEST_F_TIMEOUT(debugfs, formats_under_load, KSPAN_TIMEOUT)
{
	uint64_t seed = test_seed();
	struct heaps heaps;
	pid_t pids[4];
	int i;

	ASSERT_EQ(0, load_fork(&self->load, 4, seed, 1000000000, pids));
	for (i = 0; i < (int)often(25); i++) {
		EXPECT_EQ(0, stats_read(&self->stats));
		EXPECT_EQ(0, classes_read(&self->classes));
		EXPECT_EQ(0, arenas_read(&self->arenas));
		EXPECT_EQ(0, map_read(&self->map));
		EXPECT_EQ(0, heaps_read(&heaps, "words"));
		ASSERT_EQ(0, words_reset());
	}
	for (i = 0; i < 4; i++) {
		kill(pids[i], SIGKILL);
		EXPECT_EQ(pids[i], waitpid(pids[i], NULL, 0));
	}

	/* At rest again, the objects add up again. */
	ASSERT_EQ(0, stats_read(&self->stats));
	EXPECT_EQ(stats_value(&self->stats, "Mallocs") - stats_value(&self->stats, "Frees"),
		  stats_value(&self->stats, "HeapObjects"));
}

TEST_HARNESS_MAIN
