/* SPDX-License-Identifier: GPL-2.0 */
/* What a recording holds before it is a trace: ring.c fills it, merge.c takes it. */
#ifndef KSPAN_RECORDED_H
#define KSPAN_RECORDED_H

#include "trace.h"

/**
 * struct raw - an event as the kernel tells it
 * @time:	in nanoseconds
 * @ptr:	address of the object
 * @size:	bytes requested; 0: it is freed
 * @gfp:	of an allocation
 * @node:	of an allocation
 */
struct raw {
	uint64_t time;
	uint64_t ptr;
	uint32_t size;
	uint32_t gfp;
	int16_t node;
};

/**
 * struct raws - the events of a CPU
 * @events:	in the order of time
 * @nr:		how many there are
 * @size:	for how many there is room
 * @next:	the first that is not merged yet
 */
struct raws {
	struct raw *events;
	size_t nr, size, next;
};

/* Makes @trace of the events of its CPUs, one of @cpus for each. */
void merge(struct trace *trace, struct raws *cpus);

#endif
