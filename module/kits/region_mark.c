// SPDX-License-Identifier: GPL-2.0
/*
 * Regions: marks
 */
#include <linux/kspan.h>
#include <linux/list.h>
#include <linux/string.h>

#include "api/malloc.h"
#include "kits/region.h"

static bool is_below(const struct kspan_region_mark *a, const struct kspan_region_mark *b)
{
	return a->chunks != b->chunks ? a->chunks < b->chunks : a->next < b->next;
}

/* Marks that are newer and not below are stale from here on. */
static void note_landing(struct kspan_region_body *r, struct kspan_region_mark landing)
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
static struct kspan_chunk *open_chunk_among(const struct kspan_region_body *r, u32 nr_chunks)
{
	struct kspan_chunk *chunk = list_first_entry(&r->chunks, struct kspan_chunk, node);
	u32 nr;

	for (nr = r->nr_chunks; nr > nr_chunks; nr--)
		chunk = list_next_entry(chunk, node);
	return chunk->open;
}

/* Whatever a mark says, a region is only released to a point inside of it. */
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
