/* SPDX-License-Identifier: GPL-2.0 */
/* Regions: objects that go together. */
#ifndef KSPAN_REGION_H
#define KSPAN_REGION_H

#include <linux/kspan.h>
#include <linux/list.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include "objects/handle.h"
#include "objects/large.h"

/* Where kspan_region_create() is not told how large a chunk is to be. */
#define KSPAN_REGION_CHUNK	SZ_32K

/* Bytes of chunks without objects that a region keeps, besides its first. */
#define KSPAN_REGION_SPARE	SZ_1M

/* Depths at which a stale mark is sure to be known as one. */
#define KSPAN_REGION_LANDINGS	16

/* Whether memory is overwritten when it is released; a module parameter. */
extern bool kspan_region_poison;

/**
 * struct kspan_chunk - pages that a region has from its heap
 * @node:	in region.chunks or region.spares
 * @open:	the chunk that objects go to while this one is the newest
 * @start:	address of the first byte
 * @fill:	where the last object ends; of the open chunk, up to date only in
 *		between kspan_region_close() and kspan_region_open_at()
 * @size:	bytes
 * @id:		tells it from chunks that have its pages when the heap has lost it
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
 * struct kspan_region_body - a region
 * @room:	what kspan_region_alloc() knows of it
 * @heap:	where chunks are from
 * @chunk:	bytes of an ordinary chunk
 * @limit:	end of the open chunk, 0 if there is none
 * @chunks:	those with objects, newest first
 * @spares:	ordinary ones without
 * @nr_chunks:	how many @chunks
 * @nr_spares:	how many @spares
 * @max_spares:	how many are kept
 * @number:	no other region has it, never 0
 * @handle:	whose it is
 * @nr_landings: how many @landings
 * @releases:	so far
 * @landings:	where these led to, and which of them they were
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

static inline struct kspan_chunk *kspan_region_open_chunk(const struct kspan_region_body *r)
{
	return r->nr_chunks ? list_first_entry(&r->chunks, struct kspan_chunk, node)->open : NULL;
}

/* Where memory is to be initialised, every object goes by kspan_region_alloc_slow(). */
static inline void kspan_region_set_next(struct kspan_region_body *r, unsigned long next)
{
	r->room.next = next;
	r->room.end = want_init_on_alloc(0) ? next : r->limit;
}

static inline void kspan_region_open_at(struct kspan_region_body *r,
					const struct kspan_chunk *open, unsigned long next)
{
	r->limit = open ? kspan_chunk_end(open) : 0;
	kspan_region_set_next(r, next);
}

static inline void kspan_region_close(struct kspan_region_body *r)
{
	struct kspan_chunk *open = kspan_region_open_chunk(r);

	if (open)
		open->fill = r->room.next;
}

/* region_chunk.c */
bool kspan_chunk_is_there(const struct kspan_chunk *chunk);
struct kspan_chunk *kspan_chunk_get(struct kspan_region_body *r, size_t size, gfp_t gfp);
void kspan_chunk_free(struct kspan_chunk *chunk);
void kspan_chunk_scrub(const struct kspan_chunk *chunk, unsigned long from);
void kspan_region_push_chunk(struct kspan_region_body *r, struct kspan_chunk *chunk,
			     struct kspan_chunk *open);
void kspan_region_pop_chunk(struct kspan_region_body *r);

/* region_mark.c */
void kspan_region_release_to(struct kspan_region_body *r, const struct kspan_region_mark *mark);

/* region.c */
struct kspan_region_body *kspan_region_create_empty(struct kspan_heap *heap, size_t chunk,
						    gfp_t gfp);
void kspan_region_free(struct kspan_region_body *r);

#endif /* KSPAN_REGION_H */
