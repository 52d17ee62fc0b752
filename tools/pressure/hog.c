// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_hog - take all memory there is, hold it, free it, and begin again.
 *
 * Usage: kspan_hog LEAVE_KB MOST_KB HOLD_MS REST_MS ROUNDS
 *
 * In each round the process touches memory, page by page, until no more than LEAVE_KB is free, or
 * it has MOST_KB. For HOLD_MS it also takes memory that gets free. Then it frees all, and rests
 * for REST_MS. It prints a line with the amount for each round. The OOM killer should choose this
 * process first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Bytes between two reads of /proc/meminfo. */
#define STEP	(256UL << 10)
#define LARGEST	1000000UL

static int meminfo;
static size_t page_size;

static void die(const char *what)
{
	fprintf(stderr, "kspan_hog: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* The file stays open: to open it again would take memory. */
static unsigned long kb_of(const char *name)
{
	static char text[4096];
	ssize_t n = pread(meminfo, text, sizeof(text) - 1, 0);
	char *line;

	if (n <= 0)
		die("cannot read /proc/meminfo");
	text[n] = '\0';
	line = strstr(text, name);
	if (!line) {
		fprintf(stderr, "kspan_hog: there is no \"%s\" in /proc/meminfo\n", name);
		exit(2);
	}
	return strtoul(line + strlen(name), NULL, 10);
}

static unsigned long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000UL + now.tv_nsec / 1000000;
}

static void sleep_ms(unsigned long ms)
{
	struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

/* Touch memory from @from on while more than @leave_kb is free. Returns where it ended. */
static size_t grow(char *memory, size_t from, size_t size, unsigned long leave_kb)
{
	size_t step;

	while (from < size && kb_of("MemFree:") > leave_kb)
		for (step = 0; step < STEP && from < size; step += page_size, from += page_size)
			memory[from] = 1;
	return from;
}

static void take_and_hold(char *memory, size_t size, unsigned long leave_kb, unsigned long hold_ms,
			  unsigned long round)
{
	size_t at_first = grow(memory, 0, size, leave_kb), in_the_end = at_first;
	unsigned long end = now_ms() + hold_ms;

	while (now_ms() < end) {
		sleep_ms(10);
		in_the_end = grow(memory, in_the_end, size, leave_kb);
	}
	printf("# hog: round %lu: %zu kB at first, %zu kB in the end\n", round, at_first >> 10,
	       in_the_end >> 10);
	if (madvise(memory, size, MADV_DONTNEED))
		die("cannot let go of memory");
}

static unsigned long parse(const char *what, const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *end || *text == '-' || value > LARGEST) {
		fprintf(stderr, "kspan_hog: %s is \"%s\": must be a number, 0...%lu\n", what, text,
			LARGEST);
		exit(2);
	}
	return value;
}

static void be_the_first_to_go(void)
{
	int file = open("/proc/self/oom_score_adj", O_WRONLY);

	if (file < 0 || write(file, "1000", 4) != 4)
		die("cannot write to /proc/self/oom_score_adj");
	close(file);
}

int main(int argc, char **argv)
{
	unsigned long leave_kb, most_kb, hold_ms, rest_ms, rounds, round;
	char *memory;
	size_t size;

	if (argc != 6) {
		fprintf(stderr, "usage: kspan_hog LEAVE_KB MOST_KB HOLD_MS REST_MS ROUNDS\n");
		return 2;
	}
	leave_kb = parse("LEAVE_KB", argv[1]);
	most_kb = parse("MOST_KB", argv[2]);
	hold_ms = parse("HOLD_MS", argv[3]);
	rest_ms = parse("REST_MS", argv[4]);
	rounds = parse("ROUNDS", argv[5]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	be_the_first_to_go();
	meminfo = open("/proc/meminfo", O_RDONLY);
	if (meminfo < 0)
		die("cannot open /proc/meminfo");
	page_size = sysconf(_SC_PAGESIZE);
	size = kb_of("MemTotal:");
	size = (most_kb < size ? most_kb : size) << 10;
	if (!size) {
		fprintf(stderr, "kspan_hog: MOST_KB is 0: there is nothing to take\n");
		return 2;
	}
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		die("cannot map as much as the machine has");
	/* Take single pages: the kernel would first have to find a huge one. */
	madvise(memory, size, MADV_NOHUGEPAGE);
	for (round = 1; round <= rounds; round++) {
		take_and_hold(memory, size, leave_kb, hold_ms, round);
		sleep_ms(rest_ms);
	}
	return 0;
}
