/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heap profile: debugfs/samples in memory, scaled to what was allocated
 *
 * An object of size bytes is sampled with the probability 1 - exp(-size / rate). So each that
 * was stands for one divided by that.
 */
#ifndef KSPAN_SAMPLES_H
#define KSPAN_SAMPLES_H

#include "symbols.h"
#include "table.h"

enum sample_value {
	INUSE_SPACE, INUSE_OBJECTS, ALLOC_SPACE, ALLOC_OBJECTS, PEAK_SPACE, PEAK_OBJECTS,
	NR_VALUES
};

/* "inuse_space" and so on: pprof's names. */
extern const char * const sample_names[NR_VALUES];

static inline bool is_space(enum sample_value which)
{
	return which % 2 == INUSE_SPACE;
}

/**
 * struct sample - the objects of one size, node, heap and stack
 * @value:	what is in use, was allocated, and was in use at the peak
 * @old:	the same of the profile that this one is compared with
 * @size:	bytes that such an object was given
 * @stack:	return addresses, the innermost first
 */
struct sample {
	int64_t value[NR_VALUES], old[NR_VALUES];
	uint64_t size;
	unsigned int node;
	const char *heap;
	uint64_t *stack;
	unsigned int depth;
};

struct samples {
	struct text text, old_text;
	uint64_t rate, seconds;
	struct sample *samples;
	size_t nr, room;
	bool compared;
};

/* @file NULL: of debugfs in @dir. It may have no samples. */
void samples_read(struct samples *samples, const char *dir, const char *file);
/* Dies if the profile is off, with how to turn it on. */
void samples_need(const struct samples *samples);
/* Adds those of @file as @old. */
void samples_compare(struct samples *samples, const char *file);
void samples_free(struct samples *samples);

static inline int64_t sample_value(const struct sample *sample, enum sample_value which)
{
	return sample->value[which] - sample->old[which];
}

/*
 * The frame that asked kspan: the innermost that is not kspan's own. @addr is a return address,
 * of which the call is just before.
 */
uint64_t sample_site(const struct sample *sample, const struct symbols *symbols);
/* "words_add+0x1a [kspan_words]"; with @offset false "words_add [kspan_words]". To be freed. */
char *frame_name(const struct symbols *symbols, uint64_t addr, bool offset);

/* What top shows of them: site, heap, live_bytes, live, alloc_bytes, allocs */
void sites_read(struct table *table, const char *dir, const struct symbols *symbols);

#endif
