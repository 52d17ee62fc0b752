/* SPDX-License-Identifier: GPL-2.0 */
/* Regions: objects that are freed together. region.c has the overview. */
#ifndef KSPAN_REGION_H
#define KSPAN_REGION_H

#include <linux/kspan.h>
#include <linux/list.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include "objects/handle.h"
#include "objects/large.h"

/* Bytes of a chunk if the caller of kspan_region_create() says 0. */
#define KSPAN_REGION_CHUNK	SZ_32K

/* Bytes of chunks without objects that a region keeps, besides its first chunk. */
#define KSPAN_REGION_SPARE	SZ_1M

/*
 * A region remembers so many points that it was released to. Stale marks are always recognised as
 * long as the marks that the region is released to lie at no more different depths than that.
 */
#define KSPAN_REGION_LANDINGS	16

/* Whether memory is overwritten with 0x6b when it is released; a module parameter. */
extern bool kspan_region_poison;

/**
 * struct kspan_chunk - pages that a region has from its heap
 * @node:	in chunks or spares of struct kspan_region_body
 * @open:	chunk that objects are put into while this one is the newest
 * @start:	address of the first byte
 * @fill:	address where the last object ends. The open chunk's is up to date only between
 *		kspan_region_close() and kspan_region_open_at().
 * @size:	bytes
 * @id:		tells the chunk from others that have its pages after the heap was reset or
 *		destroyed
 */
struct kspan_chunk {
	struct list_head node;
	struct kspan_chunk *open;
	unsigned long start;
	unsigned long fill;
	size_t size;
	struct kspan_chunk_id id;
};

/**
 * struct kspan_region_body - all of a region
 * @room:	the part that kspan_region_alloc() knows
 * @heap:	heap that the chunks are from
 * @chunk:	bytes of an ordinary chunk
 * @limit:	address where the open chunk ends, 0 if no chunk is open
 * @chunks:	chunks with objects, newest first
 * @spares:	ordinary chunks without objects
 * @nr_chunks:	number of chunks in @chunks
 * @nr_spares:	number of chunks in @spares
 * @max_spares:	most chunks that are kept in @spares
 * @number:	number that no other region has, never 0
 * @handle:	entry in the table of what modules have made
 * @nr_landings: number of entries in @landings
 * @releases:	number of releases so far
 * @landings:	points that releases led to, each with the number of its release; see region_mark.c
 *
 * Only one user may work with a region at a time, so nothing here has a lock.
 */
struct kspan_region_body {
	struct kspan_region room;
	struct kspan_heap *heap;
	size_t chunk;
	unsigned long limit;
	struct list_head chunks;
	struct list_head spares;
	u32 nr_chunks;
	u32 nr_spares;
	u32 max_spares;
	u32 number;
	struct kspan_handle handle;
	u32 nr_landings;
	u64 releases;
	struct kspan_region_mark landings[KSPAN_REGION_LANDINGS];
};

static inline struct kspan_region_body *kspan_region_body(const struct kspan_region *r)
{
	return container_of((struct kspan_region *)r, struct kspan_region_body, room);
}

static inline unsigned long kspan_chunk_end(const struct kspan_chunk *chunk)
{
	return chunk->start + chunk->size;
}

/* Returns the chunk that objects are put into, or NULL if there is none. */
static inline struct kspan_chunk *kspan_region_open_chunk(const struct kspan_region_body *r)
{
	return r->nr_chunks ? list_first_entry(&r->chunks, struct kspan_chunk, node)->open : NULL;
}

/*
 * If memory has to be initialised, @end is @next: then the inline kspan_region_alloc() has no room,
 * and every object is allocated by kspan_region_alloc_slow().
 */
static inline void kspan_region_set_next(struct kspan_region_body *r, unsigned long next)
{
	r->room.next = next;
	r->room.end = want_init_on_alloc(0) ? next : r->limit;
}

/* Objects are put into @open, or nowhere if it is NULL, from address @next on. */
static inline void kspan_region_open_at(struct kspan_region_body *r,
					const struct kspan_chunk *open, unsigned long next)
{
	r->limit = open ? kspan_chunk_end(open) : 0;
	kspan_region_set_next(r, next);
}

/* Notes in the open chunk where its last object ends, before another chunk may be opened. */
static inline void kspan_region_close(struct kspan_region_body *r)
{
	struct kspan_chunk *open = kspan_region_open_chunk(r);

	if (open)
		open->fill = r->room.next;
}

/* region_chunk.c: chunks come and go */
bool kspan_chunk_is_there(const struct kspan_chunk *chunk);
struct kspan_chunk *kspan_chunk_get(struct kspan_region_body *r, size_t size, gfp_t gfp);
void kspan_chunk_free(struct kspan_chunk *chunk);
void kspan_chunk_scrub(const struct kspan_chunk *chunk, unsigned long from);
void kspan_region_push_chunk(struct kspan_region_body *r, struct kspan_chunk *chunk,
			     struct kspan_chunk *open);
void kspan_region_pop_chunk(struct kspan_region_body *r);

/* region_mark.c: marks and releases */
void kspan_region_release_to(struct kspan_region_body *r, const struct kspan_region_mark *mark);

/* region.c: creation and destruction */
struct kspan_region_body *kspan_region_create_empty(struct kspan_heap *heap, size_t chunk,
						    gfp_t gfp);
void kspan_region_free(struct kspan_region_body *r);

void kspan_cpu_region_exit(void);

#endif /* KSPAN_REGION_H */
