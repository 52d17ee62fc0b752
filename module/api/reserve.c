// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation that waits for nothing
 *
 * kspan_malloc_nolock() tries each lock once, and asks nobody for memory. When
 * that gives nothing, there is the reserve: per heap and class a list of chunks of
 * pointers, which kspan_prefill() fills beforehand and anybody takes from by
 * one atomic exchange. Chunks stay until the heap goes, so the list needs no
 * lock either. A private heap has reserves from the first kspan_heap_prefill() on.
 *
 * Where to look is known about: the chunk that was taken from last, in a chunk the first
 * entry that may have an object, and how many have one, or are about to: the count rises
 * before an entry is filled, and falls after it was taken, so that a chunk with an object
 * never counts as empty.
 */
#include <linux/kspan.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "api/alloc.h"
#include "api/reserve.h"

/**
 * struct kspan_reserve - a chunk of the reserve of a class
 * @next:	the chunk that was there before
 * @filled:	entries that have an object, or more
 * @from:	a hint: no entry below it has one
 * @n:		entries of @object
 * @object:	NULL where it was taken
 */
struct kspan_reserve {
	struct kspan_reserve *next;
	atomic_t filled;
	unsigned int from;
	unsigned int n;
	void *object[] __counted_by(n);
};

/* Most entries of a chunk: it fits a page. */
#define KSPAN_RESERVE_CHUNK	500U

/**
 * struct kspan_reserves - the reserves of a heap
 * @first:	chunks of each class
 * @current_chunk: those that were taken from last
 */
struct kspan_reserves {
	struct kspan_reserve *first[KSPAN_NR_CLASSES];
	struct kspan_reserve *current_chunk[KSPAN_NR_CLASSES];
};

static struct kspan_reserves default_reserves;

/* NULL of a private heap that nobody asked for any. */
static struct kspan_reserves *reserves_of(struct kspan_heap *heap)
{
	/* Pairs with the release in make_reserves(). */
	return heap->private ? smp_load_acquire(&heap->private->reserves) : &default_reserves;
}

static struct kspan_reserves *make_reserves(struct kspan_heap *heap, gfp_t gfp)
{
	struct kspan_reserves *made = reserves_of(heap);

	if (made || (kspan_gfp_here(gfp) & KSPAN_GFP_NOLOCK))
		return made;
	made = kzalloc(sizeof(*made), kspan_gfp_metadata(gfp));
	/* Release: whoever sees them sees them empty. */
	if (made && cmpxchg_release(&heap->private->reserves, NULL, made))
		kfree(made);
	return reserves_of(heap);
}

static void *take_from_chunk(struct kspan_reserve *chunk)
{
	unsigned int first = READ_ONCE(chunk->from), i, n;
	void *object;

	/* All of them, from the hint on, which may be wrong. */
	for (i = first, n = 0; n < chunk->n; n++, i++) {
		if (i >= chunk->n)
			i = 0;
		if (!READ_ONCE(chunk->object[i]))
			continue;
		object = xchg(&chunk->object[i], NULL);
		if (!object)
			continue;
		WRITE_ONCE(chunk->from, i + 1);
		atomic_dec(&chunk->filled);
		return object;
	}
	return NULL;
}

/* From the chunks from @chunk on, up to @end. */
static void *take_between(struct kspan_reserves *reserves, unsigned int class,
			  struct kspan_reserve *chunk, const struct kspan_reserve *end)
{
	void *object;

	for (; chunk != end; chunk = chunk->next) {
		object = atomic_read(&chunk->filled) ? take_from_chunk(chunk) : NULL;
		if (!object)
			continue;
		WRITE_ONCE(reserves->current_chunk[class], chunk);
		return object;
	}
	return NULL;
}

static void *reserve_take(struct kspan_reserves *reserves, unsigned int class)
{
	struct kspan_reserve *last;

	if (!reserves)
		return NULL;
	last = READ_ONCE(reserves->current_chunk[class]);
	/* Where the last one was, and in those behind it; then in those before it. */
	return take_between(reserves, class, last, NULL) ?:
	       take_between(reserves, class, READ_ONCE(reserves->first[class]), last);
}

/** kspan_reserve_take() - an object of a heap's reserve of a class, or NULL */
void *kspan_reserve_take(struct kspan_heap *heap, unsigned int class)
{
	return reserve_take(reserves_of(heap), class);
}

static struct kspan_reserve *add_chunk(struct kspan_reserves *reserves, unsigned int class,
				       unsigned int n, gfp_t gfp)
{
	struct kspan_reserve *chunk, *first = READ_ONCE(reserves->first[class]);

	if (kspan_gfp_here(gfp) & KSPAN_GFP_NOLOCK)
		return NULL;
	chunk = kzalloc(struct_size(chunk, object, n), kspan_gfp_metadata(gfp));
	if (!chunk)
		return NULL;
	chunk->n = n;
	do {
		chunk->next = first;
	} while (!try_cmpxchg(&reserves->first[class], &first, chunk));
	return chunk;
}

/* Objects of a class that there are; about, while others take some. */
static unsigned int nr_filled(const struct kspan_reserves *reserves, unsigned int class)
{
	struct kspan_reserve *chunk;
	unsigned int sum = 0;

	for (chunk = READ_ONCE(reserves->first[class]); chunk; chunk = chunk->next)
		sum += atomic_read(&chunk->filled);
	return sum;
}

/* Fill free entries of a chunk, as many as are missing; returns 0 or -ENOMEM. */
static int fill_chunk(struct kspan_heap *heap, struct kspan_reserve *chunk, unsigned int class,
		unsigned int *missing, gfp_t gfp)
{
	void *object = NULL;
	unsigned int i;

	if (atomic_read(&chunk->filled) >= (int)chunk->n)
		return 0;
	for (i = 0; i < chunk->n && *missing; i++) {
		if (READ_ONCE(chunk->object[i]))
			continue;
		object = object ?: kspan_malloc_slot(heap, class, gfp);
		if (!object)
			return -ENOMEM;
		atomic_inc(&chunk->filled);
		if (cmpxchg(&chunk->object[i], NULL, object)) {
			atomic_dec(&chunk->filled);
			continue;
		}
		object = NULL;
		--*missing;
		if (i < READ_ONCE(chunk->from))
			WRITE_ONCE(chunk->from, i);
	}
	kspan_free(object);
	if (gfpflags_allow_blocking(gfp))
		cond_resched();
	return 0;
}

static void empty_reserve(struct kspan_reserves *reserves, unsigned int class)
{
	void *object;

	while ((object = reserve_take(reserves, class)))
		kspan_free(object);
}

/* The chunks that are there first; returns 0 or -ENOMEM. */
static int fill_up(struct kspan_heap *heap, struct kspan_reserves *reserves, unsigned int class,
		   unsigned int n, gfp_t gfp)
{
	unsigned int have = nr_filled(reserves, class), missing = n - min(n, have);
	struct kspan_reserve *chunk;
	int err = 0;

	for (chunk = READ_ONCE(reserves->first[class]); !err && chunk && missing;
	     chunk = chunk->next)
		err = fill_chunk(heap, chunk, class, &missing, gfp);
	while (!err && missing) {
		chunk = add_chunk(reserves, class, min(missing, KSPAN_RESERVE_CHUNK), gfp);
		err = chunk ? fill_chunk(heap, chunk, class, &missing, gfp) : -ENOMEM;
	}
	return err;
}

/**
 * kspan_prefill_class() - have the reserve of a class of any heap hold @n objects
 * @heap:	the heap, or that of a typed cache
 * @class:	size class, not 0
 * @n:		how many; 0 frees what is left of them
 * @gfp:	as for kspan_malloc()
 *
 * Return: as kspan_prefill().
 */
int kspan_prefill_class(struct kspan_heap *heap, unsigned int class, unsigned int n, gfp_t gfp)
{
	struct kspan_reserves *reserves;

	kspan_check_context(gfp);
	if (n > INT_MAX || (gfp & KSPAN_GFP_REFUSED))
		return -EINVAL;
	reserves = n ? make_reserves(heap, gfp) : reserves_of(heap);
	if (!reserves)
		return n ? -ENOMEM : 0;
	if (!n)
		empty_reserve(reserves, class);
	return fill_up(heap, reserves, class, n, gfp);
}

/**
 * kspan_prefill() - make sure that kspan_malloc_nolock() will succeed
 * @size:	bytes of an object, at most 32 KiB
 * @n:		how many objects there are to be; 0 frees what is left of them
 * @gfp:	as for kspan_malloc()
 *
 * The next @n calls of kspan_malloc_nolock() for @size, or another size of its
 * class, succeed in any context and on any CPU. They are shared by all who
 * allocate from the class in that way: whoever relies on them counts in the
 * others.
 *
 * Context: as kspan_malloc(), but not in an NMI.
 * Return: 0; -ENOMEM with some of them there; -EINVAL for a size that has no
 * class, or a zone flag.
 */
int kspan_prefill(size_t size, unsigned int n, gfp_t gfp)
{
	return kspan_heap_prefill(&kspan_default_heap, size, n, gfp);
}
EXPORT_SYMBOL_GPL(kspan_prefill);

/**
 * kspan_heap_prefill() - make sure that kspan_heap_malloc_nolock() will succeed
 * @heap:	the heap; NULL for the default heap
 * @size:	as for kspan_prefill()
 * @n:		likewise
 * @gfp:	likewise
 *
 * The objects count to the heap. When it is reset or destroyed they are given back before.
 *
 * Context: as kspan_prefill().
 * Return: as kspan_prefill().
 */
int kspan_heap_prefill(struct kspan_heap *heap, size_t size, unsigned int n, gfp_t gfp)
{
	unsigned int class;

	if (size > KSPAN_MAX_SMALL || n > INT_MAX || (gfp & KSPAN_GFP_REFUSED))
		return -EINVAL;
	class = kspan_size_class(size);
	heap = kspan_heap_or_default(heap);
	return class ? kspan_prefill_class(heap, class, n, kspan_heap_gfp(heap, gfp)) : 0;
}
EXPORT_SYMBOL_GPL(kspan_heap_prefill);

/* A class without objects loses its chunks: nobody uses them any more. */
static void free_reserve_chunks(struct kspan_reserves *reserves, unsigned int class)
{
	struct kspan_reserve *chunk = reserves->first[class], *next;

	reserves->first[class] = NULL;
	reserves->current_chunk[class] = NULL;
	for (; chunk; chunk = next) {
		next = chunk->next;
		kfree(chunk);
	}
}

/**
 * kspan_reserves_drop() - give back the reserves of a heap
 * @heap: the heap, which nobody uses any more, or not meanwhile
 *
 * Context: task.
 */
void kspan_reserves_drop(struct kspan_heap *heap)
{
	struct kspan_reserves *reserves = reserves_of(heap);
	unsigned int class;

	for (class = 1; reserves && class < KSPAN_NR_CLASSES; class++) {
		empty_reserve(reserves, class);
		free_reserve_chunks(reserves, class);
	}
	if (!heap->private)
		return;
	heap->private->reserves = NULL;
	kfree(reserves);
}
