// SPDX-License-Identifier: GPL-2.0
/*
 * Buckets: the arenas of a node, sorted by their longest free run
 *
 *	arena:		|.####......##..........########|	. free
 *	longest:	10
 *
 * An arena has a bit for each free page of 8 KiB. A search finds the lowest free run in it,
 * so that the end of the arena stays free as long as possible. Runs do not cross arenas.
 *
 * Arenas with free pages are in buckets, four to a power of two, by their longest free run.
 * Within a bucket, arenas at low addresses tend to be first. A request looks
 * at the first arenas of the lowest bucket that may hold a run of its length, then at the
 * buckets above, where every arena has one. So pages are taken from fuller arenas first and
 * from empty ones last, and short requests do not cut up long runs.
 *
 * The length of the longest run is exact. A free compares it with the run that it made. When pages
 * are taken, it is measured anew: the runs are walked up to one that is as long as it was before.
 *
 * Cost: a search reads at most the 8 words of an arena's bitmap. It fails only where runs are long
 * enough but not aligned. Everything else takes constant time.
 *
 * Locking: the caller holds the lock of the page heap.
 */
#include "pages/bucket.h"
#include "pages/page_heap.h"
#include "pages/run.h"

/* So many arenas are searched in a bucket where the request does not fit every arena. */
#define KSPAN_PROBES		4
/* So many searches may fail under one lock, in the buckets where the request may not fit. */
#define KSPAN_TRIES		2

/*
 * Put an arena into the bucket of its longest run, if it has a free page. An arena at a lower
 * address than the first one of the bucket becomes the first; any other becomes the last.
 */
void kspan_bucket_insert(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	struct list_head *bucket;
	struct kspan_arena *first;

	lockdep_assert_held(&ph->lock);
	if (!arena->longest)
		return;
	bucket = &ph->buckets[kspan_bucket_of(arena->longest)];
	first = list_first_entry_or_null(bucket, struct kspan_arena, in_bucket);
	if (!first || arena->start < first->start)
		list_add(&arena->in_bucket, bucket);
	else
		list_add_tail(&arena->in_bucket, bucket);
	__set_bit(kspan_bucket_of(arena->longest), &ph->filled);
}

/* Take an arena out of its bucket, if it is in one. */
void kspan_bucket_remove(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	unsigned int bucket;

	lockdep_assert_held(&ph->lock);
	if (!arena->longest)
		return;
	bucket = kspan_bucket_of(arena->longest);
	list_del(&arena->in_bucket);
	if (list_empty(&ph->buckets[bucket]))
		__clear_bit(bucket, &ph->filled);
}

/* Change the length of an arena's longest free run; 0 for an arena without a free page. */
void kspan_bucket_set_longest(struct kspan_page_heap *ph, struct kspan_arena *arena,
			      unsigned int longest)
{
	lockdep_assert_held(&ph->lock);
	if (longest && arena->longest &&
	    kspan_bucket_of(longest) == kspan_bucket_of(arena->longest)) {
		arena->longest = longest;
		return;
	}
	kspan_bucket_remove(ph, arena);
	arena->longest = longest;
	kspan_bucket_insert(ph, arena);
}

/* The lowest aligned run of @npages in an arena, or KSPAN_NO_RUN. */
static unsigned int find_in_arena(struct kspan_arena *arena, unsigned int npages,
				  unsigned int align)
{
	unsigned int words = BITS_TO_LONGS(arena->npages), word = arena->first_word, found;

	while (word < words && !arena->free[word])
		word++;
	arena->first_word = word;
	/* Start at a multiple of @align: kspan_run_find() counts alignment from where it starts. */
	word = round_down(word, max(align / BITS_PER_LONG, 1U));
	if (word >= words)
		return KSPAN_NO_RUN;
	found = kspan_run_find(arena->free + word, arena->npages - word * BITS_PER_LONG, npages,
			       align);
	return found == KSPAN_NO_RUN ? found : found + word * BITS_PER_LONG;
}

/* Whether an arena may have an aligned run of @npages, by what is known without a search. */
static bool may_fit(const struct kspan_arena *arena, unsigned int npages, unsigned int align)
{
	return arena->longest >= npages && !(npages == align && arena->misfits & align);
}

/*
 * Find a run in one of the arenas of a bucket, in the order of the list. Gives up, and returns
 * NULL, after KSPAN_PROBES arenas that have no such run, or when @tries becomes 0; each search
 * that fails takes one off @tries.
 */
static struct kspan_arena *find_in_bucket(struct kspan_page_heap *ph, unsigned int bucket,
					  unsigned int npages, unsigned int align,
					  unsigned int *first, unsigned int *tries)
{
	unsigned int probes = KSPAN_PROBES;
	struct kspan_arena *arena;

	list_for_each_entry(arena, &ph->buckets[bucket], in_bucket) {
		if (may_fit(arena, npages, align)) {
			*first = find_in_arena(arena, npages, align);
			if (*first != KSPAN_NO_RUN)
				return arena;
			/* The arena has runs that are long enough, but none that is aligned. */
			if (npages == align)
				arena->misfits |= align;
			if (!--*tries)
				break;
		}
		if (!--probes)
			break;
	}
	return NULL;
}

/*
 * Find a free run of @npages at a multiple of @align. Returns its arena, with the run's first
 * page in @first; or NULL.
 */
struct kspan_arena *kspan_bucket_find_run(struct kspan_page_heap *ph, unsigned int npages,
					  unsigned int align, unsigned int *first)
{
	unsigned int bucket = kspan_bucket_of(npages), tries = KSPAN_TRIES;
	unsigned int sure = kspan_bucket_of(min(npages + align - 1, KSPAN_ARENA_PAGES)) + 1;
	struct kspan_arena *arena = NULL;

	lockdep_assert_held(&ph->lock);
	while (!arena && tries && (bucket = find_next_bit(&ph->filled, KSPAN_NR_BUCKETS, bucket)) <
				  KSPAN_NR_BUCKETS) {
		arena = find_in_bucket(ph, bucket++, npages, align, first, &tries);
		/*
		 * Searches have failed, and the lock was held for long. Go on with the buckets
		 * where every arena has such a run.
		 */
		if (!tries) {
			bucket = max(bucket, sure);
			tries = 1;
		}
	}
	return arena;
}
