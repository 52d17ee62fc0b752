/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A trace of allocations, in memory and in a file. Documentation/replay.rst has
 * the format of the file.
 */
#ifndef KSPAN_TRACE_H
#define KSPAN_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../replay/record.h"

/**
 * struct event - an event of a trace
 * @record:	what is replayed of it
 * @cpu:	that it happened on
 * @time:	in microseconds since the trace began
 */
struct event {
	struct replay_record record;
	uint16_t cpu;
	uint64_t time;
};

#define MAX_TEXT	1024

/**
 * struct trace - a trace
 * @events:	in the order in which they happened; NULL of one that was read, see trace_each()
 * @nr_events:	how many there are
 * @nr_allocs:	allocations among them
 * @nr_slots:	most objects that are live at once
 * @nr_cpus:	of the machine it was recorded on
 * @lost:	events that were lost; what follows from them is wrong
 * @foreign:	frees of objects that were not allocated in it, which are left out
 * @unseen:	objects whose address was allocated again, and whose free is put before
 * @own:	allocations of the recorder, which are left out
 * @release:	of the kernel it was recorded on
 * @clock:	of tracefs
 * @command:	that ran meanwhile
 * @name:	of the file that it was read from
 * @file:	what is in the file
 * @packed:	where in @file the body begins
 * @packed_len:	bytes of it
 * @body_len:	bytes that are packed there
 * @body_crc:	their checksum
 */
struct trace {
	struct event *events;
	uint32_t nr_events;
	uint32_t nr_allocs;
	uint32_t nr_slots;
	uint32_t nr_cpus;
	uint64_t lost;
	uint64_t foreign;
	uint64_t unseen;
	uint64_t own;
	char release[MAX_TEXT];
	char clock[MAX_TEXT];
	char command[MAX_TEXT];
	const char *name;
	uint8_t *file;
	const uint8_t *packed;
	size_t packed_len;
	uint64_t body_len;
	uint32_t body_crc;
};

/*
 * Numbers of objects: the one that was freed last is given first, so that a file
 * need not say the number of an object that is allocated.
 */
struct slots {
	uint32_t *free;
	uint32_t nr_free;
	uint32_t nr;
	uint32_t size;
};

uint32_t slots_take(struct slots *slots);
void slots_give(struct slots *slots, uint32_t slot);

/* These exit with a message if they cannot. */
void trace_write(const struct trace *trace, const char *name);

/*
 * Whatever its header says, a trace takes its file, and some bytes for each object that is
 * live in it at once: events are looked at one by one, here and then again by whoever wants
 * them.
 */
void trace_read(struct trace *trace, const char *name);
void trace_each(const struct trace *trace, void (*fn)(const struct event *event, void *data),
		void *data);
void trace_free(struct trace *trace);

/* kspan record */
struct recording {
	const char *output;
	unsigned int buffer_kb;
	bool allow_lost;
	char **command;
};

void record(const struct recording *recording);

#endif
