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
 * The chunks of a region are a stack. Objects are put into the open chunk, one behind the other.
 * The open chunk need not be the newest: an object that would leave much of the open chunk unused
 * gets a chunk of its own.
 *
 * Two numbers tell how full a region is: the count of its chunks, and the address of the next
 * object. Both only grow, except by a release, and the newest chunk knows which chunk is open since
 * it came. So a mark is these two numbers, and a release pops chunks off the stack (region_mark.c).
 *
 * Descriptors of regions and chunks are objects of the default heap, and do not lie in the chunks.
 * So a write beyond the end of an object does not hit them, and a chunk whose length is a power of
 * two has no rest when it is filled with objects of such a size. kspan_malloc() allocates them in
 * any context, which SLUB can't.
 *
 * Context: as each function says. Only one user may work with a region at a time.
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

#include "api/alloc.h"
#include "api/free.h"
#include "kits/region.h"
#include "objects/handle.h"

/* Numbers may be used again after 2^32 regions. Then a mark of an old region may fit a new one. */
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
 * Returns the bytes of the chunk for an object that the open one has no room for. If that is an
 * ordinary chunk, at most a quarter of the open chunk is left unused.
 */
static size_t chunk_for(const struct kspan_region_body *r, size_t size, size_t align)
{
	if (size <= r->chunk / 4 && align <= (r->chunk & -r->chunk))
		return r->chunk;
	return ALIGN(size, max_t(size_t, align, KSPAN_PAGE_SIZE));
}

/* Objects are put into the chunk that has more room left, the open one or the new one. */
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

/* noinline, so that the callers' usual paths need no stack frame. */
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
 * kspan_region_alloc_slow() - allocate an object that kspan_region_alloc() has no room for
 * @r:		region to allocate from
 * @size:	bytes
 * @gfp:	as for kspan_malloc()
 *
 * If memory has to be initialised, every object is allocated here, so this is to be fast, too.
 *
 * Context: as kspan_region_alloc().
 * Return: the object, aligned to 8; NULL if there is no memory, and @r is as it was.
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
 * @r:		region to allocate from
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_region_alloc().
 * Return: the object, aligned to 8; NULL if there is no memory, and @r is as it was.
 */
void *kspan_region_zalloc(struct kspan_region *r, size_t size, gfp_t gfp)
{
	return kspan_region_alloc(r, size, gfp | __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(kspan_region_zalloc);

/**
 * kspan_region_alloc_aligned() - allocate an object with a given alignment
 * @r:		region to allocate from
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @align:	power of two, at most 4 MiB on x86-64, as kmalloc's limit is
 * @gfp:	as for kspan_malloc()
 *
 * If @align is at most the alignment of a chunk, less than @align bytes are skipped. Otherwise the
 * object gets a chunk of its own, with a length that is a multiple of @align.
 *
 * Context: as kspan_region_alloc().
 * Return: the object, aligned to @align and at least to 8; NULL if there is no memory, or if @align
 * is not allowed, which the log tells.
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
 * @r:		region to allocate from
 * @src:	memory to copy
 * @len:	bytes to copy
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_region_alloc().
 * Return: the copy, aligned to 8; NULL if there is no memory.
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
 * @r:		region to allocate from
 * @s:		string, or NULL
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_region_alloc().
 * Return: the copy; NULL if @s is NULL or there is no memory.
 */
char *kspan_region_strdup(struct kspan_region *r, const char *s, gfp_t gfp)
{
	return s ? kspan_region_memdup(r, s, strlen(s) + 1, gfp) : NULL;
}
EXPORT_SYMBOL_GPL(kspan_region_strdup);

/*
 * Returns the mark that a reset releases to. The first chunk stays open, unless it is a chunk for
 * one object, which is of no use for others, or the heap has lost it.
 */
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
 * @r: region that nobody else uses meanwhile
 *
 * The first chunk and up to 1 MiB of other chunks are kept for the objects that come next. Chunks
 * that were lost when the region's heap was reset are reported and given up.
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
 * @r: region that nobody else uses meanwhile
 *
 * A region without an object gives back all its chunks.
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
 * kspan_region_stats_read() - tell what a region has
 * @r:		region to look at
 * @stats:	set to bytes of objects and of chunks
 *
 * The time it takes grows with the number of chunks, as it looks at each.
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

/**
 * kspan_region_create_empty() - make a region without a chunk and without a handle
 * @heap:	heap for the chunks; NULL for the default heap
 * @chunk:	bytes of a chunk; 0 for 32 KiB
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_region_create().
 * Return: the region or NULL.
 */
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
 * __kspan_region_create() - kspan_region_create() for a module
 * @h:		heap for the chunks; NULL for the default heap
 * @chunk:	bytes of a chunk; 0 for 32 KiB
 * @gfp:	as for kspan_malloc()
 * @owner:	module that the region is for, THIS_MODULE there
 *
 * Context: as kspan_region_create().
 * Return: as kspan_region_create().
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

/**
 * kspan_region_free() - free a region, whose handle is taken or was never added
 * @r: region that nobody uses any more
 *
 * Context: as kspan_region_release().
 */
void kspan_region_free(struct kspan_region_body *r)
{
	kspan_region_reset(&r->room);
	kspan_region_trim(&r->room);
	kspan_free(r);
}

/**
 * kspan_region_destroy() - free a region with all its objects
 * @r: region that nobody uses any more, or NULL
 *
 * Chunks that were lost when the region's heap was reset or destroyed are reported and left alone.
 * A region that is destroyed twice is reported, and nothing else is done.
 *
 * Context: as kspan_region_release().
 */
void kspan_region_destroy(struct kspan_region *r)
{
	if (r && kspan_handle_take(&kspan_region_body(r)->handle, KSPAN_HANDLE_REGION, r))
		kspan_region_free(kspan_region_body(r));
}
EXPORT_SYMBOL_GPL(kspan_region_destroy);
