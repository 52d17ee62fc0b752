// SPDX-License-Identifier: GPL-2.0
/*
 * kspan record: the events of all CPUs become a trace
 *
 * Each CPU has its events in the order of time. They are merged by that, and an object gets a
 * number in place of its address, from its allocation to its free.
 */
#include "recorded.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

/* The same on Linux 6.1 to 7.3. */
#define GFP_RECLAIMABLE		0x10
#define GFP_ZERO		0x100
#define GFP_DIRECT_RECLAIM	0x400
#define GFP_ACCOUNT		0x400000

/* Objects by their addresses: open addressing, where a slot that was freed stays used. */

struct map {
	struct { uint64_t ptr; uint32_t slot; bool live; } *entry;
	size_t size, used;
};

static size_t map_place(const struct map *map, uint64_t ptr)
{
	size_t i = (ptr * 0x9e3779b97f4a7c15ULL >> 20) & (map->size - 1);

	while (map->entry[i].ptr && map->entry[i].ptr != ptr)
		i = (i + 1) & (map->size - 1);
	return i;
}

static void map_grow(struct map *map)
{
	struct map larger = { .size = map->size ? map->size * 2 : 1 << 16 };
	size_t i;

	larger.entry = xrealloc(NULL, larger.size * sizeof(*larger.entry));
	memset(larger.entry, 0, larger.size * sizeof(*larger.entry));
	for (i = 0; i < map->size; i++)
		if (map->entry[i].live) {
			larger.entry[map_place(&larger, map->entry[i].ptr)] = map->entry[i];
			larger.used++;
		}
	free(map->entry);
	*map = larger;
}

static bool map_live(const struct map *map, uint64_t ptr)
{
	size_t i = map->size ? map_place(map, ptr) : 0;

	return map->size && map->entry[i].ptr && map->entry[i].live;
}

static void map_set(struct map *map, uint64_t ptr, uint32_t slot)
{
	size_t i;

	if (map->used * 2 >= map->size)
		map_grow(map);
	i = map_place(map, ptr);
	map->used += !map->entry[i].ptr;
	map->entry[i].ptr = ptr;
	map->entry[i].slot = slot;
	map->entry[i].live = true;
}

/* Merging */

struct merge {
	struct trace *trace;
	struct raws *cpus;
	struct slots slots;
	struct map map;
	uint64_t start;
	size_t room;
};

/*
 * The next event of all CPUs. Of two at the same time, the one that fits what is
 * live comes first.
 */
static const struct raw *next_event(struct merge *merge, unsigned int *cpu)
{
	const struct raw *best = NULL, *raw;
	struct raws *cpus = merge->cpus;
	unsigned int i;

	for (i = 0; i < merge->trace->nr_cpus; i++) {
		if (cpus[i].next == cpus[i].nr)
			continue;
		raw = &cpus[i].events[cpus[i].next];
		if (best && (raw->time > best->time ||
			     (raw->time == best->time &&
			      map_live(&merge->map, raw->ptr) == !!raw->size)))
			continue;
		best = raw;
		*cpu = i;
	}
	if (best)
		cpus[*cpu].next++;
	return best;
}

static struct event *add_event(struct merge *merge, const struct raw *raw, unsigned int cpu)
{
	struct trace *trace = merge->trace;
	struct event *event;

	if (trace->nr_events == REPLAY_MAX_EVENTS)
		die("there are more than %u events; record for a shorter time", REPLAY_MAX_EVENTS);
	if (trace->nr_events == merge->room) {
		merge->room = merge->room * 2 + 65536;
		trace->events = xrealloc(trace->events, merge->room * sizeof(*trace->events));
	}
	event = &trace->events[trace->nr_events++];
	memset(event, 0, sizeof(*event));
	event->cpu = cpu;
	event->time = (raw->time - merge->start) / 1000;
	event->record.node = REPLAY_ANY_NODE;
	return event;
}

static void add_free(struct merge *merge, const struct raw *raw, unsigned int cpu)
{
	size_t i = map_place(&merge->map, raw->ptr);
	struct event *event = add_event(merge, raw, cpu);

	event->record.kind = REPLAY_FREE;
	event->record.slot = merge->map.entry[i].slot;
	merge->map.entry[i].live = false;
	slots_give(&merge->slots, event->record.slot);
}

static void add_alloc(struct merge *merge, const struct raw *raw, unsigned int cpu)
{
	struct event *event = add_event(merge, raw, cpu);

	event->record.kind = REPLAY_ALLOC;
	event->record.slot = slots_take(&merge->slots);
	event->record.size = raw->size;
	event->record.node = raw->node < 0 ? REPLAY_ANY_NODE : raw->node;
	event->record.flags = (raw->gfp & GFP_DIRECT_RECLAIM ? 0 : REPLAY_ATOMIC) |
			      (raw->gfp & GFP_ZERO ? REPLAY_ZEROED : 0) |
			      (raw->gfp & GFP_ACCOUNT ? REPLAY_ACCOUNTED : 0) |
			      (raw->gfp & GFP_RECLAIMABLE ? REPLAY_RECLAIMABLE : 0);
	map_set(&merge->map, raw->ptr, event->record.slot);
	merge->trace->nr_allocs++;
}

void merge(struct trace *trace, struct raws *cpus)
{
	struct merge merge = { .trace = trace, .cpus = cpus };
	const struct raw *raw;
	unsigned int cpu;

	while ((raw = next_event(&merge, &cpu))) {
		bool live = map_live(&merge.map, raw->ptr);

		if (!merge.start)
			merge.start = raw->time;
		if (!raw->size && !live) {
			/* NULL and ZERO_SIZE_PTR are nobody's. */
			trace->foreign += raw->ptr > 16;
			continue;
		}
		if (live)
			add_free(&merge, raw, cpu);
		if (raw->size) {
			trace->unseen += live;
			add_alloc(&merge, raw, cpu);
		}
	}
	trace->nr_slots = merge.slots.nr;
	free(merge.map.entry);
	free(merge.slots.free);
}
