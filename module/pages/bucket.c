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
 * Arenas with free pages are in buckets, four to a power of two, by the longest free run that
 * they may have. Within a bucket, arenas at low addresses tend to be first. A request looks
 * at the first arenas of the lowest bucket that may hold a run of its length, then at the
 * buckets above, where every arena has one. So pages are taken from fuller arenas first and
 * from empty ones last, and short requests do not cut up long runs.
 *
 * The longest run is an upper bound. It rises when a free makes a longer run. It is measured,
 * and is exact then, when a search has failed, or a span was taken.
 *
 * Cost: a search reads at most the 8 words of an arena's bitmap. Apart from KSPAN_PROBES it
 * fails at most once for each time that a bound became wrong. To measure means to walk the
 * runs up to one that is as long as the bound. Everything else takes constant time.
 *
 * Locking: the caller holds the lock of the page heap.
 */
#include "pages/bucket.h"
#include "pages/page_heap.h"
#include "pages/run.h"

/* So many arenas are searched in a bucket where the request does not fit every arena. */
#define KSPAN_PROBES		4
/*
 * So many searches may fail under one lock in the buckets where the request may not fit, and
 * again so many in the buckets where it fits.
 */
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

/* Change the bound of an arena's longest free run; 0 for an arena without a free page. */
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

/* Make the bound of an arena's longest free run exact. */
void kspan_bucket_measure(struct kspan_page_heap *ph, struct kspan_arena *arena)
{
	kspan_bucket_set_longest(ph, arena,
				 kspan_run_longest(arena->free, arena->npages, arena->longest));
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

/* No aligned run of @npages was found. Returns whether the longest run is shorter now. */
static bool note_vain_search(struct kspan_page_heap *ph, struct kspan_arena *arena,
			     unsigned int npages, unsigned int align)
{
	unsigned int before = arena->longest;

	if (npages == align)
		arena->misfits |= align;
	kspan_bucket_measure(ph, arena);
	return arena->longest < before;
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
	struct kspan_arena *arena, *next;
	unsigned int probes = KSPAN_PROBES;

	list_for_each_entry_safe(arena, next, &ph->buckets[bucket], in_bucket) {
		if (may_fit(arena, npages, align)) {
			*first = find_in_arena(arena, npages, align);
			if (*first != KSPAN_NO_RUN)
				return arena;
			if (!--*tries)
				break;
			/*
			 * The bound was wrong, and is right now. That can happen only once for
			 * each free that raised it, so it does not count as a probe.
			 */
			if (note_vain_search(ph, arena, npages, align))
				continue;
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
		 * where every arena has such a run, as far as the bounds are right.
		 */
		if (!tries && bucket < sure) {
			bucket = sure;
			tries = KSPAN_TRIES;
		}
	}
	return arena;
}
