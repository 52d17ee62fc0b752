// SPDX-License-Identifier: GPL-2.0
/*
 * Regions: marks and releases
 *
 * A mark notes how full a region is: the count of its chunks and the address of the next object. A
 * release frees all objects that came after the mark, by popping chunks.
 *
 * A mark is stale if the region was released to a point before it since it was made. That can't be
 * seen from the two numbers, as the region may have been filled again. So the region notes the
 * points that it was released to, its landings, and numbers them by age. A landing that lies before
 * older ones takes their place. So the landings that stay are sorted by both age and depth. The
 * oldest landing that is newer than a mark is the lowest point where the region has been since the
 * mark was made. If it lies before the mark, the mark is stale.
 *
 * Context: as the region's functions. Only one user may work with a region at a time.
 */
#include <linux/kspan.h>
#include <linux/list.h>
#include <linux/string.h>

#include "kits/region.h"
#include "objects/refuse.h"

/* Whether the region was less full at @a than at @b. */
static bool is_below(const struct kspan_region_mark *a, const struct kspan_region_mark *b)
{
	return a->chunks != b->chunks ? a->chunks < b->chunks : a->next < b->next;
}

/* Notes a landing. Marks that were made before, and do not lie below it, are stale from here on. */
static void note_landing(struct kspan_region_body *r, struct kspan_region_mark landing)
{
	u32 nr = r->nr_landings;

	landing.releases = ++r->releases;
	while (nr && !is_below(&r->landings[nr - 1], &landing))
		nr--;
	/*
	 * There is no room: forget the oldest landing, which is the lowest. Only marks between it
	 * and the next landing can't be recognised as stale any more, and a release to such a low
	 * mark is the least likely.
	 */
	if (nr == KSPAN_REGION_LANDINGS) {
		nr--;
		memmove(&r->landings[0], &r->landings[1], nr * sizeof(r->landings[0]));
	}
	r->landings[nr] = landing;
	r->nr_landings = nr + 1;
}

/* Returns the chunk that was open when the region had @nr_chunks chunks, which is at least one. */
static struct kspan_chunk *open_chunk_among(const struct kspan_region_body *r, u32 nr_chunks)
{
	struct kspan_chunk *chunk = list_first_entry(&r->chunks, struct kspan_chunk, node);
	u32 nr;

	for (nr = r->nr_chunks; nr > nr_chunks; nr--)
		chunk = list_next_entry(chunk, node);
	return chunk->open;
}

/*
 * Whether the mark is a point inside of the region. It must be, whatever else a mark says, as a
 * release to any other point would corrupt the region.
 */
static bool is_inside(const struct kspan_region_body *r, const struct kspan_region_mark *mark)
{
	const struct kspan_chunk *open;

	if (mark->chunks > r->nr_chunks)
		return false;
	if (!mark->chunks)
		return !mark->next;
	open = open_chunk_among(r, mark->chunks);
	return mark->next >= open->start && mark->next <= open->fill;
}

static bool is_stale(const struct kspan_region_body *r, const struct kspan_region_mark *mark)
{
	u32 i = r->nr_landings;

	if (mark->region != r->number)
		return true;
	while (i && r->landings[i - 1].releases > mark->releases)
		i--;
	return i < r->nr_landings && is_below(&r->landings[i], mark);
}

/**
 * kspan_region_release_to() - free the objects that are newer than a mark, which is known to be
 * good
 * @r:		closed region
 * @mark:	point inside of @r
 *
 * Context: task, softirq and hardirq.
 */
void kspan_region_release_to(struct kspan_region_body *r, const struct kspan_region_mark *mark)
{
	struct kspan_chunk *open;

	while (r->nr_chunks > mark->chunks)
		kspan_region_pop_chunk(r);
	open = kspan_region_open_chunk(r);
	if (open)
		kspan_chunk_scrub(open, mark->next);
	kspan_region_open_at(r, open, mark->next);
	note_landing(r, *mark);
}

/**
 * kspan_region_mark() - note how full a region is
 * @r: region to look at
 *
 * Marks nest. A mark that is never released costs nothing.
 *
 * Context: as kspan_region_alloc().
 * Return: the mark. It is good for any number of releases, until @r is released to an older mark or
 * reset.
 */
struct kspan_region_mark kspan_region_mark(const struct kspan_region *r)
{
	const struct kspan_region_body *region = kspan_region_body(r);

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
 * @r:		region that nobody else uses meanwhile
 * @mark:	from kspan_region_mark() of the same region
 *
 * Newer marks are stale then. If @mark is stale, or a mark of another region, nothing is done, and
 * the first time there is a warning. A stale mark is always recognised as long as the marks that
 * the region was released to, with objects between them, lie at no more than 16 depths.
 *
 * Context: task, softirq and hardirq.
 */
void kspan_region_release(struct kspan_region *r, struct kspan_region_mark mark)
{
	struct kspan_region_body *region = kspan_region_body(r);

	kspan_region_close(region);
	if (likely(!is_stale(region, &mark) && is_inside(region, &mark)))
		kspan_region_release_to(region, &mark);
	else
		kspan_refuse(KSPAN_REFUSED_MARK,
			     "mark of a region is stale, or of the region with another number",
			     mark.region, 0);
}
EXPORT_SYMBOL_GPL(kspan_region_release);
