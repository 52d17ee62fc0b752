// SPDX-License-Identifier: GPL-2.0
/*
 * kspan-bad-trace KIND FILE - a trace whose checksums are right and whose content is
 * not, for the selftest
 *
 *	good	nothing is wrong with it: an object is allocated and freed
 *	size	an allocation of more than kmalloc() gives
 *	empty	an allocation of no bytes
 *	twice	an object is freed twice
 *	slots	the header has fewer objects than the events
 *	allocs	the header has more allocations than the events
 *	events	the header has no events at all
 *	flags	an allocation has flags that there are not
 *	claims	the header has far more events, in far more bytes
 *	many	a million events in some kilobytes: nothing is wrong with it
 *	texts	what a terminal would obey; nothing else is wrong with it
 */
#include "trace.h"
#include "util.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define MANY	1000000

static struct event events[4] = {
	{ .record = { .kind = REPLAY_ALLOC, .size = 64, .node = REPLAY_ANY_NODE } },
	{ .record = { .kind = REPLAY_ALLOC, .size = 100, .node = REPLAY_ANY_NODE, .slot = 1 } },
	{ .record = { .kind = REPLAY_FREE, .node = REPLAY_ANY_NODE }, .time = 7, .cpu = 1 },
	{ .record = { .kind = REPLAY_FREE, .node = REPLAY_ANY_NODE, .slot = 1 }, .time = 100 },
};

static struct trace trace = {
	.events = events, .nr_events = 4, .nr_allocs = 2, .nr_slots = 2, .nr_cpus = 2,
	.release = "bad", .clock = "global", .command = "bad",
};

static void allocate_and_free(uint32_t n)
{
	uint32_t i;

	trace.events = xrealloc(NULL, n * sizeof(*trace.events));
	/* All at once, on one CPU: so they compress well. */
	for (i = 0; i < n; i++)
		trace.events[i] = (struct event) { .record = events[i % 2 ? 2 : 0].record };
	trace.nr_events = n;
	trace.nr_allocs = n / 2;
	trace.nr_slots = 1;
}

static void put_le(uint8_t *to, uint64_t value, unsigned int bytes)
{
	for (; bytes--; value >>= 8)
		*to++ = value;
}

/* So many events and bytes in the header of a trace; its checksum is right again. */
static void claim(const char *name, uint32_t nr_events, uint64_t bytes)
{
	uint8_t header[4096];
	size_t len;
	int fd;

	fd = open(name, O_RDWR);
	if (fd < 0 || read(fd, header, sizeof(header)) < 92)
		die("%s cannot be changed", name);
	put_le(header + 16, nr_events, 4);
	put_le(header + 64, bytes, 8);
	len = header[12] | header[13] << 8;
	put_le(header + len - 4, crc32(0, header, len - 4), 4);
	if (pwrite(fd, header, len, 0) != (ssize_t)len || close(fd))
		die("%s cannot be changed", name);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		die("usage: kspan-bad-trace KIND FILE");
	if (!strcmp(argv[1], "size"))
		events[1].record.size = REPLAY_MAX_SIZE + 1;
	else if (!strcmp(argv[1], "empty"))
		events[1].record.size = 0;
	else if (!strcmp(argv[1], "twice"))
		events[3].record.slot = 0;
	else if (!strcmp(argv[1], "slots"))
		trace.nr_slots = 1;
	else if (!strcmp(argv[1], "allocs"))
		trace.nr_allocs = 3;
	else if (!strcmp(argv[1], "events"))
		trace.nr_events = 0;
	else if (!strcmp(argv[1], "flags"))
		events[1].record.flags = 0x80;
	else if (!strcmp(argv[1], "many"))
		allocate_and_free(MANY);
	else if (!strcmp(argv[1], "texts"))
		strcpy(trace.command, "\033]0;title\007 \302\233 a\\b\nframe");
	else if (strcmp(argv[1], "good") && strcmp(argv[1], "claims"))
		die("%s is no kind of trace", argv[1]);
	trace_write(&trace, argv[2]);
	if (!strcmp(argv[1], "claims"))
		claim(argv[2], REPLAY_MAX_EVENTS, 2ULL * REPLAY_MAX_EVENTS);
	return 0;
}
