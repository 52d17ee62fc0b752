// SPDX-License-Identifier: GPL-2.0
/*
 * Regions: their chunks
 *
 * A chunk is a run of pages from the region's heap. Chunks with objects are a stack. Ordinary
 * chunks without objects are kept as spares, up to KSPAN_REGION_SPARE bytes; other chunks go back
 * to the heap as soon as they have no object.
 *
 * The heap may be reset or destroyed while a region still has chunks of it. Such chunks are lost:
 * their pages may belong to anybody. So a chunk is checked before its memory is written to or
 * freed.
 *
 * Context: as the region's functions. Only one user may work with a region at a time.
 */
#include <linux/kmemleak.h>
#include <linux/kspan.h>
#include <linux/list.h>
#include <linux/moduleparam.h>
#include <linux/poison.h>
#include <linux/sched/mm.h>
#include <linux/string.h>

#include "api/alloc.h"
#include "api/free.h"
#include "base/kunit_export.h"
#include "kits/region.h"
#include "objects/bad_free.h"

bool kspan_region_poison = IS_ENABLED(CONFIG_DEBUG_VM);
KSPAN_EXPORT_FOR_KUNIT(kspan_region_poison);
module_param_named(region_poison, kspan_region_poison, bool, 0644);
MODULE_PARM_DESC(region_poison,
		 "whether memory of regions is overwritten with 0x6b when it is released (default: 1 where CONFIG_DEBUG_VM is on)");

/* A caller with __GFP_NOFAIL gets no NULL: wait a moment, and tell that it must try again. */
static bool chunk_must_retry(gfp_t gfp)
{
	if (likely(!(gfp & __GFP_NOFAIL)) || WARN_ON_ONCE(!gfpflags_allow_blocking(gfp)))
		return false;
	memalloc_retry_wait(gfp);
	return true;
}

static struct kspan_chunk *alloc_chunk(struct kspan_region_body *r, size_t size, gfp_t gfp)
{
	gfp_t quiet = gfp & __GFP_NOFAIL ? __GFP_NOWARN : 0;
	struct kspan_chunk *chunk;
	void *start;

	/* With __GFP_NOFAIL the caller tries again, so it is no failure. */
	chunk = kspan_malloc(sizeof(*chunk), kspan_gfp_metadata(gfp) | quiet);
	if (!chunk)
		return NULL;
	start = kspan_heap_alloc_chunk(r->heap, size, gfp);
	if (!start) {
		kspan_free(chunk);
		return NULL;
	}
	/*
	 * Objects of a region may have the only pointers to other objects, so kmemleak scans its
	 * chunks.
	 */
	kspan_remember(start, size, gfp);
	chunk->start = (unsigned long)start;
	chunk->size = size;
	chunk->id = kspan_large_chunk_id(chunk->start);
	return chunk;
}

/**
 * kspan_chunk_is_there() - tell whether a chunk still belongs to its region
 * @chunk: chunk of a region
 *
 * If the heap was reset or destroyed since the chunk came, its pages may be anybody's, even another
 * region's. Then they must be neither written to nor freed.
 *
 * Context: any.
 * Return: whether the pages are still the chunk's.
 */
bool kspan_chunk_is_there(const struct kspan_chunk *chunk)
{
	struct kspan_chunk_id id = kspan_large_chunk_id(chunk->start);

	return id.span == chunk->id.span && id.life == chunk->id.life;
}

/**
 * kspan_chunk_free() - give a chunk back to the heap, or report that the heap has lost it
 * @chunk: chunk without objects that is in no list
 *
 * Context: task, softirq and hardirq.
 */
void kspan_chunk_free(struct kspan_chunk *chunk)
{
	if (kspan_chunk_is_there(chunk)) {
		kmemleak_free((void *)chunk->start);
		kspan_heap_free_chunk((void *)chunk->start);
	} else {
		kspan_bad_free_report(KSPAN_BAD_FREE_DESTROYED, chunk->start);
	}
	kspan_free(chunk);
}

static struct kspan_chunk *take_spare_chunk(struct kspan_region_body *r)
{
	struct kspan_chunk *chunk;

	while (r->nr_spares) {
		chunk = list_first_entry(&r->spares, struct kspan_chunk, node);
		list_del(&chunk->node);
		r->nr_spares--;
		if (kspan_chunk_is_there(chunk))
			return chunk;
		kspan_chunk_free(chunk);
	}
	return NULL;
}

/**
 * kspan_chunk_get() - take a spare chunk, or a new one from the heap
 * @r:		region that gets the chunk
 * @size:	bytes
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: a chunk without objects that is in no list, or NULL.
 */
struct kspan_chunk *kspan_chunk_get(struct kspan_region_body *r, size_t size, gfp_t gfp)
{
	struct kspan_chunk *chunk = size == r->chunk ? take_spare_chunk(r) : NULL;

	if (chunk)
		return chunk;
	gfp = kspan_gfp_here(gfp);
	do {
		chunk = alloc_chunk(r, size, gfp);
	} while (!chunk && chunk_must_retry(gfp));
	return chunk;
}

static void put_chunk(struct kspan_region_body *r, struct kspan_chunk *chunk)
{
	if (chunk->size == r->chunk && r->nr_spares < r->max_spares &&
	    kspan_chunk_is_there(chunk)) {
		list_add(&chunk->node, &r->spares);
		r->nr_spares++;
	} else {
		kspan_chunk_free(chunk);
	}
}

/**
 * kspan_chunk_scrub() - overwrite the memory of objects that were freed, if that is wanted
 * @chunk:	chunk whose fill is up to date
 * @from:	address from which on the chunk has no objects any more
 *
 * Context: any.
 */
void kspan_chunk_scrub(const struct kspan_chunk *chunk, unsigned long from)
{
	bool poison = READ_ONCE(kspan_region_poison);

	if ((poison || want_init_on_free()) && kspan_chunk_is_there(chunk))
		memset((void *)from, poison ? POISON_FREE : 0, chunk->fill - from);
}

/**
 * kspan_region_push_chunk() - make a chunk the newest
 * @r:		region, which was closed if it had an open chunk
 * @chunk:	chunk whose fill is up to date
 * @open:	chunk that objects are put into from here on: @chunk, or the one that was open
 *
 * Context: any.
 */
void kspan_region_push_chunk(struct kspan_region_body *r, struct kspan_chunk *chunk,
			     struct kspan_chunk *open)
{
	chunk->open = open;
	list_add(&chunk->node, &r->chunks);
	r->nr_chunks++;
	if (open == chunk)
		kspan_region_open_at(r, chunk, chunk->fill);
}

/**
 * kspan_region_pop_chunk() - free the objects of the newest chunk; it becomes a spare, or is freed
 * @r: closed region with a chunk
 *
 * Context: task, softirq and hardirq.
 */
void kspan_region_pop_chunk(struct kspan_region_body *r)
{
	struct kspan_chunk *chunk = list_first_entry(&r->chunks, struct kspan_chunk, node);

	kspan_chunk_scrub(chunk, chunk->start);
	list_del(&chunk->node);
	r->nr_chunks--;
	put_chunk(r, chunk);
}
