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
 */
#include "trace.h"

#include <string.h>

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
	else if (strcmp(argv[1], "good"))
		die("%s is no kind of trace", argv[1]);
	trace_write(&trace, argv[2]);
	return 0;
}
