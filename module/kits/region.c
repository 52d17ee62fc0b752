// SPDX-License-Identifier: GPL-2.0
/*
 * Regions
 *
 *	chunks		+-------------+  +-----------------+  +-------------+
 *	in order	|oooooooooo...|  |OOOOOOOOOOOOOOO..|  |ooooo        |
 *			+-------------+  +-----------------+  +-------------+
 *			left: the rest	 a chunk of its own	    ^ next
 *			was too small	 for one object		  open
 *
 * Chunks are a stack, and objects go to the open one, which need not be the
 * newest: an object that would leave much of it unused gets a chunk of its own.
 * Where a region stands is told by the number of its chunks and the next
 * object's address: both only grow, but for a release, and the newest chunk
 * knows which one is open since it came. So a mark is these two numbers, and a
 * release pops chunks.
 *
 * Whether a mark is stale can't be seen from it: since it was made, the region
 * may have been released to a point before it and filled again. So the points
 * that it was released to are noted, in the order of their age; one that lies
 * before another and is newer takes its place. What stays is sorted by both, and the
 * oldest one that is newer than a mark is the lowest the region has been since.
 *
 * Descriptors of regions and chunks are objects of the default heap, not in the
 * chunks: an object that is written beyond its end does not hit them, a chunk of a
 * power of two holds as many objects of one, and they can be had in any context, as
 * SLUB's objects can't.
 *
 * Context: as each function says, and never two at a time with one region.
 */
#include <linux/kspan.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/poison.h>
#include <linux/string.h>

#include <linux/kspan.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/string.h>

#include "api/malloc.h"
#include "kits/region.h"
#include "objects/handle.h"

static u32 new_number(void)
{
	static atomic_t last;
	u32 number;

	do {
		number = atomic_inc_return(&last);
	} while (!number);
	return number;
}

static unsigned long round_up_object(unsigned long bytes)
{
	return ALIGN(bytes, KSPAN_REGION_ALIGN);
}

static void *alloc_from_open(struct kspan_region_body *r, size_t size, size_t align)
{
	unsigned long object = ALIGN(r->room.next, align);

	if (object > r->limit || size > r->limit - object)
		return NULL;
	kspan_region_set_next(r, object + round_up_object(size));
	return (void *)object;
}

/*
 * Bytes of the chunk for an object that the open one has no room for. What an
 * ordinary one leaves unused of the open one is no more than a quarter of it then.
 */
static size_t chunk_for(const struct kspan_region_body *r, size_t size, size_t align)
{
	if (size <= r->chunk / 4 && align <= (r->chunk & -r->chunk))
		return r->chunk;
	return ALIGN(size, max_t(size_t, align, KSPAN_PAGE_SIZE));
}

/* Objects go on to be put where there is more room left. */
static void *alloc_from_new(struct kspan_region_body *r, size_t size, size_t align, gfp_t gfp)
{
	struct kspan_chunk *chunk = kspan_chunk_get(r, chunk_for(r, size, align), gfp);
	struct kspan_chunk *open = kspan_region_open_chunk(r);

	if (!chunk)
		return NULL;
	chunk->fill = chunk->start + round_up_object(size);
	kspan_region_close(r);
	if (!open || r->limit - r->room.next < kspan_chunk_end(chunk) - chunk->fill)
		open = chunk;
	kspan_region_push_chunk(r, chunk, open);
	return (void *)chunk->start;
}

static void *initialise(void *object, size_t size, gfp_t gfp)
{
	if (want_init_on_alloc(gfp))
		memset(object, 0, size);
	return object;
}

/* noinline: what is rare must not cost the rest a stack frame. */
static noinline void *alloc_object(struct kspan_region_body *r, size_t size, size_t align,
				   gfp_t gfp)
{
	void *object;

	if (unlikely(gfp & KSPAN_GFP_REFUSED))
		return kspan_refuse_zone(gfp);
	if (unlikely(!size))
		return ZERO_SIZE_PTR;
	if (unlikely(size > KSPAN_MAX_SIZE))
		return kspan_refuse(KSPAN_REFUSED_SIZE,
				    "object of a region larger than kmalloc's limit, use vmalloc",
				    size, gfp);
	object = alloc_from_open(r, size, align);
	if (!object)
		object = alloc_from_new(r, size, align, gfp);
	return object ? initialise(object, size, gfp) : NULL;
}

/**
 * kspan_region_alloc_slow() - what kspan_region_alloc() has no room for
 * @r:		the region
 * @size:	bytes
 * @gfp:	as for kspan_malloc()
 *
 * Or has to have initialised: where that is every object, it is to be fast.
 *
 * Context: as kspan_region_alloc().
 * Return: the object or NULL.
 */
void *kspan_region_alloc_slow(struct kspan_region *r, size_t size, gfp_t gfp)
{
	struct kspan_region_body *region = kspan_region_body(r);
	unsigned long object = r->next;

	if (unlikely(size - 1 >= region->limit - object || (gfp & KSPAN_GFP_REFUSED)))
		return alloc_object(region, size, KSPAN_REGION_ALIGN, gfp);
	kspan_region_set_next(region, object + round_up_object(size));
	return initialise((void *)object, size, gfp);
}
EXPORT_SYMBOL_GPL(kspan_region_alloc_slow);

/**
 * kspan_region_zalloc() - allocate a zeroed object of a region
 * @r:		the region
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_region_alloc().
 * Return: the object, aligned to 8, or NULL.
 */
void *kspan_region_zalloc(struct kspan_region *r, size_t size, gfp_t gfp)
{
	return kspan_region_alloc(r, size, gfp | __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(kspan_region_zalloc);

/**
 * kspan_region_alloc_aligned() - allocate an object of an alignment
 * @r:		the region
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @align:	a power of two, at most 4 MiB on x86-64, as kmalloc's limit is
 * @gfp:	as for kspan_malloc()
 *
 * Up to the alignment of a chunk what is skipped is less than @align. Above, the
 * object gets a chunk of its own, as long as a multiple of @align.
 *
 * Context: as kspan_region_alloc().
 * Return: the object, aligned to @align and at least to 8, or NULL.
 */
void *kspan_region_alloc_aligned(struct kspan_region *r, size_t size, size_t align, gfp_t gfp)
{
	kspan_check_context(gfp);
	if (unlikely(!is_power_of_2(align) || align > KSPAN_MAX_SIZE))
		return kspan_refuse(KSPAN_REFUSED_ALIGN,
				    "alignment is not a power of two up to kmalloc's limit",
				    align, gfp);
	return alloc_object(kspan_region_body(r), size, max_t(size_t, align, KSPAN_REGION_ALIGN),
			    gfp);
}
EXPORT_SYMBOL_GPL(kspan_region_alloc_aligned);

/**
 * kspan_region_memdup() - copy memory into a region
 * @r:		the region
 * @src:	bytes to copy
 * @len:	how many
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_region_alloc().
 * Return: the copy or NULL.
 */
void *kspan_region_memdup(struct kspan_region *r, const void *src, size_t len, gfp_t gfp)
{
	void *object = kspan_region_alloc(r, len, gfp);

	if (object)
		memcpy(object, src, len);
	return object;
}
EXPORT_SYMBOL_GPL(kspan_region_memdup);

/**
 * kspan_region_strdup() - copy a string into a region
 * @r:		the region
 * @s:		string, or NULL
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_region_alloc().
 * Return: the copy; NULL for NULL.
 */
char *kspan_region_strdup(struct kspan_region *r, const char *s, gfp_t gfp)
{
	return s ? kspan_region_memdup(r, s, strlen(s) + 1, gfp) : NULL;
}
EXPORT_SYMBOL_GPL(kspan_region_strdup);

/* The first chunk stays open, unless it is one that nobody else has a use for. */
static struct kspan_region_mark bottom_of(const struct kspan_region_body *r)
{
	const struct kspan_chunk *first;

	if (r->nr_chunks) {
		first = list_last_entry(&r->chunks, struct kspan_chunk, node);
		if (first->size == r->chunk && kspan_chunk_is_there(first))
			return (struct kspan_region_mark) { .next = first->start, .chunks = 1 };
	}
	return (struct kspan_region_mark) { };
}

/**
 * kspan_region_reset() - free all objects of a region
 * @r: the region
 *
 * The first chunk and up to 1 MiB of others are kept for what comes next. Chunks that went
 * when the region's heap was reset are reported, and given up.
 *
 * Context: as kspan_region_release().
 */
void kspan_region_reset(struct kspan_region *r)
{
	struct kspan_region_body *region = kspan_region_body(r);
	struct kspan_region_mark bottom = bottom_of(region);

	kspan_region_close(region);
	kspan_region_release_to(region, &bottom);
}
EXPORT_SYMBOL_GPL(kspan_region_reset);

/**
 * kspan_region_trim() - give chunks without objects back to the heap
 * @r: the region
 *
 * Context: as kspan_region_release().
 */
void kspan_region_trim(struct kspan_region *r)
{
	struct kspan_region_mark bottom = { };
	struct kspan_region_body *region = kspan_region_body(r);
	struct kspan_chunk *chunk, *next;

	kspan_region_close(region);
	chunk = kspan_region_open_chunk(region);
	if (region->nr_chunks == 1 && chunk->fill == chunk->start)
		kspan_region_release_to(region, &bottom);
	list_for_each_entry_safe(chunk, next, &region->spares, node) {
		list_del(&chunk->node);
		kspan_chunk_free(chunk);
	}
	region->nr_spares = 0;
}
EXPORT_SYMBOL_GPL(kspan_region_trim);

/**
 * kspan_region_stats_read() - what a region has
 * @r:		the region
 * @stats:	filled in
 *
 * Looks at every chunk.
 *
 * Context: as kspan_region_alloc().
 */
void kspan_region_stats_read(const struct kspan_region *r, struct kspan_region_stats *stats)
{
	const struct kspan_region_body *region = kspan_region_body(r);
	const struct kspan_chunk *chunk, *open = kspan_region_open_chunk(region);

	*stats = (struct kspan_region_stats) { .spare = region->nr_spares * region->chunk };
	list_for_each_entry(chunk, &region->chunks, node) {
		stats->held += chunk->size;
		stats->used += (chunk == open ? r->next : chunk->fill) - chunk->start;
	}
	stats->held += stats->spare;
}
EXPORT_SYMBOL_GPL(kspan_region_stats_read);

struct kspan_region_body *kspan_region_create_empty(struct kspan_heap *heap, size_t chunk,
						    gfp_t gfp)
{
	struct kspan_region_body *r;

	kspan_check_context(gfp);
	if (gfp & KSPAN_GFP_REFUSED)
		return kspan_refuse_zone(gfp);
	if (chunk > KSPAN_MAX_SIZE)
		return kspan_refuse(KSPAN_REFUSED_SIZE,
				    "chunk of a region larger than kmalloc's limit", chunk, gfp);
	r = kspan_malloc(sizeof(*r), gfp | __GFP_ZERO);
	if (!r)
		return NULL;
	r->heap = heap ?: &kspan_default_heap;
	r->chunk = ALIGN(chunk ?: KSPAN_REGION_CHUNK, KSPAN_PAGE_SIZE);
	r->max_spares = KSPAN_REGION_SPARE / r->chunk;
	r->number = new_number();
	INIT_LIST_HEAD(&r->chunks);
	INIT_LIST_HEAD(&r->spares);
	return r;
}

/**
 * __kspan_region_create() - what kspan_region_create() calls
 * @h:		as there
 * @chunk:	as there
 * @gfp:	as there
 * @owner:	THIS_MODULE
 *
 * Return: as there.
 */
struct kspan_region *__kspan_region_create(struct kspan_heap *h, size_t chunk, gfp_t gfp,
					   struct module *owner)
{
	struct kspan_region_body *r = kspan_region_create_empty(h, chunk, gfp);
	struct kspan_chunk *first;

	if (!r)
		return NULL;
	first = kspan_chunk_get(r, r->chunk, gfp);
	if (!first) {
		kspan_free(r);
		return NULL;
	}
	first->fill = first->start;
	kspan_region_push_chunk(r, first, first);
	kspan_handle_add(&r->handle, KSPAN_HANDLE_REGION, NULL, owner, _RET_IP_);
	return &r->room;
}
EXPORT_SYMBOL_GPL(__kspan_region_create);

void kspan_region_free(struct kspan_region_body *r)
{
	kspan_region_reset(&r->room);
	kspan_region_trim(&r->room);
	kspan_free(r);
}

/**
 * kspan_region_destroy() - free a region with all its objects
 * @r: the region, or NULL
 *
 * Chunks that went when the region's heap was reset or destroyed are reported, and left alone;
 * and so is a region that is destroyed twice.
 *
 * Context: as kspan_region_release().
 */
void kspan_region_destroy(struct kspan_region *r)
{
	if (r && kspan_handle_take(&kspan_region_body(r)->handle, KSPAN_HANDLE_REGION, r))
		kspan_region_free(kspan_region_body(r));
}
EXPORT_SYMBOL_GPL(kspan_region_destroy);
