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

#include "bad_free.h"
#include "handle.h"
#include "kunit_export.h"
#include "malloc.h"
#include "region.h"

bool kspan_region_poison = IS_ENABLED(CONFIG_DEBUG_VM);
KSPAN_EXPORT_FOR_KUNIT(kspan_region_poison);
module_param_named(region_poison, kspan_region_poison, bool, 0644);
MODULE_PARM_DESC(region_poison,
		 "whether memory of regions is overwritten with 0x6b when it is released (default: 1 where CONFIG_DEBUG_VM is on)");

/**
 * struct chunk - pages that a region has from its heap
 * @node:	in region.chunks or region.spares
 * @open:	the chunk that objects go to while this one is the newest
 * @start:	address of the first byte
 * @fill:	where the last object ends; of the open chunk, up to date only in
 *		between close_chunk() and open_chunk_at()
 * @size:	bytes
 * @id:		tells it from chunks that have its pages when the heap has lost it
 */
struct chunk {
	struct list_head node;
	struct chunk *open;
	unsigned long start;
	unsigned long fill;
	size_t size;
	struct kspan_chunk_id id;
};

/**
 * struct region - a region
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
struct region {
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

static struct region *region_of(const struct kspan_region *r)
{
	return container_of((struct kspan_region *)r, struct region, room);
}

static u32 new_number(void)
{
	static atomic_t last;
	u32 number;

	do {
		number = atomic_inc_return(&last);
	} while (!number);
	return number;
}

/* Chunks */

static unsigned long end_of(const struct chunk *chunk)
{
	return chunk->start + chunk->size;
}

static struct chunk *open_chunk(const struct region *r)
{
	return r->nr_chunks ? list_first_entry(&r->chunks, struct chunk, node)->open : NULL;
}

/* Where memory is to be initialised, every object goes by kspan_region_alloc_slow(). */
static void set_next(struct region *r, unsigned long next)
{
	r->room.next = next;
	r->room.end = want_init_on_alloc(0) ? next : r->limit;
}

static void open_chunk_at(struct region *r, const struct chunk *open, unsigned long next)
{
	r->limit = open ? end_of(open) : 0;
	set_next(r, next);
}

static void close_chunk(struct region *r)
{
	struct chunk *open = open_chunk(r);

	if (open)
		open->fill = r->room.next;
}

static bool must_retry(gfp_t gfp)
{
	if (likely(!(gfp & __GFP_NOFAIL)) || WARN_ON_ONCE(!gfpflags_allow_blocking(gfp)))
		return false;
	memalloc_retry_wait(gfp);
	return true;
}

static struct chunk *alloc_chunk(struct region *r, size_t size, gfp_t gfp)
{
	gfp_t quiet = gfp & __GFP_NOFAIL ? __GFP_NOWARN : 0;
	struct chunk *chunk;
	void *start;

	/* With __GFP_NOFAIL get_chunk() tries again, so it is no failure. */
	chunk = kspan_malloc(sizeof(*chunk), kspan_gfp_metadata(gfp) | quiet);
	if (!chunk)
		return NULL;
	start = kspan_heap_alloc_chunk(r->heap, size, gfp);
	if (!start) {
		kspan_free(chunk);
		return NULL;
	}
	/* What objects of a region point to is found by way of its chunks. */
	kspan_remember(start, size, gfp);
	chunk->start = (unsigned long)start;
	chunk->size = size;
	chunk->id = kspan_large_chunk_id(chunk->start);
	return chunk;
}

/*
 * Whether the heap was neither reset nor destroyed since the chunk came. Else its pages may be
 * anybody's, another region's even: nothing is written to them, and they are not freed.
 */
static bool is_there(const struct chunk *chunk)
{
	struct kspan_chunk_id id = kspan_large_chunk_id(chunk->start);

	return id.span == chunk->id.span && id.life == chunk->id.life;
}

static void free_chunk(struct chunk *chunk)
{
	if (is_there(chunk)) {
		kmemleak_free((void *)chunk->start);
		kspan_heap_free_chunk((void *)chunk->start);
	} else {
		kspan_bad_free_report(KSPAN_BAD_FREE_DESTROYED, chunk->start);
	}
	kspan_free(chunk);
}

static struct chunk *take_spare(struct region *r)
{
	struct chunk *chunk;

	while (r->nr_spares) {
		chunk = list_first_entry(&r->spares, struct chunk, node);
		list_del(&chunk->node);
		r->nr_spares--;
		if (is_there(chunk))
			return chunk;
		free_chunk(chunk);
	}
	return NULL;
}

static struct chunk *get_chunk(struct region *r, size_t size, gfp_t gfp)
{
	struct chunk *chunk = size == r->chunk ? take_spare(r) : NULL;

	if (chunk)
		return chunk;
	gfp = kspan_gfp_here(gfp);
	do {
		chunk = alloc_chunk(r, size, gfp);
	} while (!chunk && must_retry(gfp));
	return chunk;
}

static void put_chunk(struct region *r, struct chunk *chunk)
{
	if (chunk->size == r->chunk && r->nr_spares < r->max_spares && is_there(chunk)) {
		list_add(&chunk->node, &r->spares);
		r->nr_spares++;
	} else {
		free_chunk(chunk);
	}
}

/* There is no object in a chunk from @from on, up to where it was filled. */
static void scrub(const struct chunk *chunk, unsigned long from)
{
	bool poison = READ_ONCE(kspan_region_poison);

	if ((poison || want_init_on_free()) && is_there(chunk))
		memset((void *)from, poison ? POISON_FREE : 0, chunk->fill - from);
}

/* @chunk is filled so far; objects go to @open from here on. */
static void push_chunk(struct region *r, struct chunk *chunk, struct chunk *open)
{
	chunk->open = open;
	list_add(&chunk->node, &r->chunks);
	r->nr_chunks++;
	if (open == chunk)
		open_chunk_at(r, chunk, chunk->fill);
}

static void pop_chunk(struct region *r)
{
	struct chunk *chunk = list_first_entry(&r->chunks, struct chunk, node);

	scrub(chunk, chunk->start);
	list_del(&chunk->node);
	r->nr_chunks--;
	put_chunk(r, chunk);
}

/* Objects */

static unsigned long round_up_object(unsigned long bytes)
{
	return ALIGN(bytes, KSPAN_REGION_ALIGN);
}

static void *alloc_from_open(struct region *r, size_t size, size_t align)
{
	unsigned long object = ALIGN(r->room.next, align);

	if (object > r->limit || size > r->limit - object)
		return NULL;
	set_next(r, object + round_up_object(size));
	return (void *)object;
}

/*
 * Bytes of the chunk for an object that the open one has no room for. What an
 * ordinary one leaves unused of the open one is no more than a quarter of it then.
 */
static size_t chunk_for(const struct region *r, size_t size, size_t align)
{
	if (size <= r->chunk / 4 && align <= (r->chunk & -r->chunk))
		return r->chunk;
	return ALIGN(size, max_t(size_t, align, KSPAN_PAGE_SIZE));
}

/* Objects go on to be put where there is more room left. */
static void *alloc_from_new(struct region *r, size_t size, size_t align, gfp_t gfp)
{
	struct chunk *chunk = get_chunk(r, chunk_for(r, size, align), gfp);
	struct chunk *open = open_chunk(r);

	if (!chunk)
		return NULL;
	chunk->fill = chunk->start + round_up_object(size);
	close_chunk(r);
	if (!open || r->limit - r->room.next < end_of(chunk) - chunk->fill)
		open = chunk;
	push_chunk(r, chunk, open);
	return (void *)chunk->start;
}

static void *initialise(void *object, size_t size, gfp_t gfp)
{
	if (want_init_on_alloc(gfp))
		memset(object, 0, size);
	return object;
}

/* noinline: what is rare must not cost the rest a stack frame. */
static noinline void *alloc_object(struct region *r, size_t size, size_t align, gfp_t gfp)
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
	struct region *region = region_of(r);
	unsigned long object = r->next;

	if (unlikely(size - 1 >= region->limit - object || (gfp & KSPAN_GFP_REFUSED)))
		return alloc_object(region, size, KSPAN_REGION_ALIGN, gfp);
	set_next(region, object + round_up_object(size));
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
	return alloc_object(region_of(r), size, max_t(size_t, align, KSPAN_REGION_ALIGN), gfp);
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

/* Marks */

static bool is_below(const struct kspan_region_mark *a, const struct kspan_region_mark *b)
{
	return a->chunks != b->chunks ? a->chunks < b->chunks : a->next < b->next;
}

/* Marks that are newer and not below are stale from here on. */
static void note_landing(struct region *r, struct kspan_region_mark landing)
{
	u32 nr = r->nr_landings;

	landing.releases = ++r->releases;
	while (nr && !is_below(&r->landings[nr - 1], &landing))
		nr--;
	/* The oldest is the lowest: what it tells of is furthest from being released. */
	if (nr == KSPAN_REGION_LANDINGS) {
		nr--;
		memmove(&r->landings[0], &r->landings[1], nr * sizeof(r->landings[0]));
	}
	r->landings[nr] = landing;
	r->nr_landings = nr + 1;
}

/* The chunk that was open when there were @nr_chunks, at least one. */
static struct chunk *open_chunk_among(const struct region *r, u32 nr_chunks)
{
	struct chunk *chunk = list_first_entry(&r->chunks, struct chunk, node);
	u32 nr;

	for (nr = r->nr_chunks; nr > nr_chunks; nr--)
		chunk = list_next_entry(chunk, node);
	return chunk->open;
}

/* Whatever a mark says, a region is only released to a point inside of it. */
static bool is_inside(const struct region *r, const struct kspan_region_mark *mark)
{
	const struct chunk *open;

	if (mark->chunks > r->nr_chunks)
		return false;
	if (!mark->chunks)
		return !mark->next;
	open = open_chunk_among(r, mark->chunks);
	return mark->next >= open->start && mark->next <= open->fill;
}

static bool is_stale(const struct region *r, const struct kspan_region_mark *mark)
{
	u32 i = r->nr_landings;

	if (mark->region != r->number)
		return true;
	while (i && r->landings[i - 1].releases > mark->releases)
		i--;
	return i < r->nr_landings && is_below(&r->landings[i], mark);
}

static void release_to(struct region *r, const struct kspan_region_mark *mark)
{
	struct chunk *open;

	while (r->nr_chunks > mark->chunks)
		pop_chunk(r);
	open = open_chunk(r);
	if (open)
		scrub(open, mark->next);
	open_chunk_at(r, open, mark->next);
	note_landing(r, *mark);
}

/* The first chunk stays open, unless it is one that nobody else has a use for. */
static struct kspan_region_mark bottom_of(const struct region *r)
{
	const struct chunk *first;

	if (r->nr_chunks) {
		first = list_last_entry(&r->chunks, struct chunk, node);
		if (first->size == r->chunk && is_there(first))
			return (struct kspan_region_mark) { .next = first->start, .chunks = 1 };
	}
	return (struct kspan_region_mark) { };
}

/**
 * kspan_region_mark() - note how full a region is
 * @r: the region
 *
 * Marks nest, and cost nothing to those who never release them.
 *
 * Context: as kspan_region_alloc().
 * Return: the mark, good for any number of releases until @r is released to
 * an older one, or reset.
 */
struct kspan_region_mark kspan_region_mark(const struct kspan_region *r)
{
	const struct region *region = region_of(r);

	return (struct kspan_region_mark) {
		.next = r->next,
		.releases = region->releases,
		.chunks = region->nr_chunks,
		.region = region->number,
	};
}
EXPORT_SYMBOL_GPL(kspan_region_mark);

/**
 * kspan_region_release() - free the objects that are newer than a mark
 * @r:		the region
 * @mark:	of it
 *
 * Marks that are newer are stale then. A stale mark, or one of another region, is
 * refused: nothing is done, but for a warning, the first time. That is sure where
 * marks with objects between them were released to at no more than 16 depths.
 *
 * Context: task, softirq and hardirq, while nobody else uses the region.
 */
void kspan_region_release(struct kspan_region *r, struct kspan_region_mark mark)
{
	struct region *region = region_of(r);

	close_chunk(region);
	if (likely(!is_stale(region, &mark) && is_inside(region, &mark)))
		release_to(region, &mark);
	else
		kspan_refuse(KSPAN_REFUSED_MARK,
			     "mark of a region is stale, or of the region with another number",
			     mark.region, 0);
}
EXPORT_SYMBOL_GPL(kspan_region_release);

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
	struct region *region = region_of(r);
	struct kspan_region_mark bottom = bottom_of(region);

	close_chunk(region);
	release_to(region, &bottom);
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
	struct region *region = region_of(r);
	struct chunk *chunk, *next;

	close_chunk(region);
	chunk = open_chunk(region);
	if (region->nr_chunks == 1 && chunk->fill == chunk->start)
		release_to(region, &bottom);
	list_for_each_entry_safe(chunk, next, &region->spares, node) {
		list_del(&chunk->node);
		free_chunk(chunk);
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
	const struct region *region = region_of(r);
	const struct chunk *chunk, *open = open_chunk(region);

	*stats = (struct kspan_region_stats) { .spare = region->nr_spares * region->chunk };
	list_for_each_entry(chunk, &region->chunks, node) {
		stats->held += chunk->size;
		stats->used += (chunk == open ? r->next : chunk->fill) - chunk->start;
	}
	stats->held += stats->spare;
}
EXPORT_SYMBOL_GPL(kspan_region_stats_read);

/* Regions */

static struct region *create_empty(struct kspan_heap *heap, size_t chunk, gfp_t gfp)
{
	struct region *r;

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
	struct region *r = create_empty(h, chunk, gfp);
	struct chunk *first;

	if (!r)
		return NULL;
	first = get_chunk(r, r->chunk, gfp);
	if (!first) {
		kspan_free(r);
		return NULL;
	}
	first->fill = first->start;
	push_chunk(r, first, first);
	kspan_handle_add(&r->handle, KSPAN_HANDLE_REGION, NULL, owner, _RET_IP_);
	return &r->room;
}
EXPORT_SYMBOL_GPL(__kspan_region_create);

static void destroy(struct region *r)
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
	if (r && kspan_handle_take(&region_of(r)->handle, KSPAN_HANDLE_REGION, r))
		destroy(region_of(r));
}
EXPORT_SYMBOL_GPL(kspan_region_destroy);

/* A region for each CPU */

/**
 * struct kspan_cpu_region - a region for each CPU
 * @regions:	of all CPUs that there may be; each has no handle
 * @handle:	whose they are
 */
struct kspan_cpu_region {
	struct kspan_region * __percpu *regions;
	struct kspan_handle handle;
};

static void destroy_all(struct kspan_cpu_region *cr)
{
	struct kspan_region *r;
	int cpu;

	if (cr->regions)
		for_each_possible_cpu(cpu) {
			r = *per_cpu_ptr(cr->regions, cpu);
			if (r)
				destroy(region_of(r));
		}
	free_percpu(cr->regions);
	kspan_free(cr);
}

/**
 * __kspan_cpu_region_create() - what kspan_cpu_region_create() calls
 * @h:		as there
 * @chunk:	as there
 * @gfp:	as there
 * @owner:	THIS_MODULE
 *
 * Return: as there.
 */
struct kspan_cpu_region *__kspan_cpu_region_create(struct kspan_heap *h, size_t chunk, gfp_t gfp,
						   struct module *owner)
{
	struct kspan_cpu_region *cr = kspan_malloc(sizeof(*cr), gfp | __GFP_ZERO);
	struct region *r;
	int cpu;

	if (!cr)
		return NULL;
	cr->regions = alloc_percpu_gfp(struct kspan_region *, gfp);
	if (!cr->regions)
		goto fail;
	for_each_possible_cpu(cpu) {
		r = create_empty(h, chunk, gfp);
		if (!r)
			goto fail;
		*per_cpu_ptr(cr->regions, cpu) = &r->room;
	}
	kspan_handle_add(&cr->handle, KSPAN_HANDLE_CPU_REGION, NULL, owner, _RET_IP_);
	return cr;
fail:
	destroy_all(cr);
	return NULL;
}
EXPORT_SYMBOL_GPL(__kspan_cpu_region_create);

/**
 * kspan_cpu_region_destroy() - free the regions of all CPUs with all objects
 * @cr: the regions, which nobody uses any more, or NULL
 *
 * Context: task.
 */
void kspan_cpu_region_destroy(struct kspan_cpu_region *cr)
{
	if (cr && kspan_handle_take(&cr->handle, KSPAN_HANDLE_CPU_REGION, cr))
		destroy_all(cr);
}
EXPORT_SYMBOL_GPL(kspan_cpu_region_destroy);

/**
 * kspan_cpu_region_exit() - free the per-CPU memory of regions that nobody destroyed
 *
 * All else that they have is in pages of kspan, which go when it is unloaded.
 *
 * Context: task.
 */
void kspan_cpu_region_exit(void)
{
	struct kspan_handle *handle;

	while ((handle = kspan_handle_take_any(KSPAN_HANDLE_CPU_REGION)))
		free_percpu(container_of(handle, struct kspan_cpu_region, handle)->regions);
}

/**
 * kspan_cpu_region_get() - use the region of this CPU
 * @cr:		the regions
 * @flags:	for kspan_cpu_region_put()
 *
 * Interrupts are off until kspan_cpu_region_put(), so what is allocated must not
 * sleep. Who interrupts another between the two calls would find the region in
 * the middle of something: that is an NMI alone, which gets none.
 *
 * Context: any.
 * Return: the region, which may be released and reset like any other; NULL in an
 * NMI, where kspan_cpu_region_put() must not be called.
 */
struct kspan_region *kspan_cpu_region_get(struct kspan_cpu_region *cr, unsigned long *flags)
{
	if (in_nmi())
		return NULL;
	local_irq_save(*flags);
	return *this_cpu_ptr(cr->regions);
}
EXPORT_SYMBOL_GPL(kspan_cpu_region_get);

/**
 * kspan_cpu_region_put() - undo kspan_cpu_region_get()
 * @cr:		the regions
 * @flags:	from there
 *
 * Context: that of kspan_cpu_region_get(), on the same CPU.
 */
void kspan_cpu_region_put(struct kspan_cpu_region *cr, unsigned long flags)
{
	local_irq_restore(flags);
}
EXPORT_SYMBOL_GPL(kspan_cpu_region_put);
