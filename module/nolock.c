// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation that waits for nothing
 *
 * kspan_malloc_nolock() tries each lock once, and asks nobody for memory. When
 * that gives nothing, there is the reserve: per class a list of chunks of
 * pointers, which kspan_prefill() fills beforehand and anybody takes from by
 * one atomic exchange. Chunks stay until the heap goes, so the list needs no
 * lock either.
 *
 * Where to look is known about: the chunk that was taken from last, in a chunk the first
 * entry that may have an object, and how many have one, or are about to: the count rises
 * before an entry is filled, and falls after it was taken, so that a chunk with an object
 * never counts as empty.
 */
#include <linux/kspan.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "malloc.h"
#include "nolock.h"

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

static struct kspan_reserve *reserves[KSPAN_NR_CLASSES];

/* The chunks that were taken from last. */
static struct kspan_reserve *current_chunk[KSPAN_NR_CLASSES];

static void *take_from(struct kspan_reserve *chunk)
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
static void *take_between(unsigned int class, struct kspan_reserve *chunk,
			  const struct kspan_reserve *end)
{
	void *object;

	for (; chunk != end; chunk = chunk->next) {
		object = atomic_read(&chunk->filled) ? take_from(chunk) : NULL;
		if (!object)
			continue;
		WRITE_ONCE(current_chunk[class], chunk);
		return object;
	}
	return NULL;
}

static void *reserve_take(unsigned int class)
{
	struct kspan_reserve *last = READ_ONCE(current_chunk[class]);

	/* Where the last one was, and in those behind it; then in those before it. */
	return take_between(class, last, NULL) ?:
	       take_between(class, READ_ONCE(reserves[class]), last);
}

static struct kspan_reserve *add_chunk(unsigned int class, unsigned int n, gfp_t gfp)
{
	struct kspan_reserve *chunk, *first = READ_ONCE(reserves[class]);

	if (kspan_gfp_here(gfp) & KSPAN_GFP_NOLOCK)
		return NULL;
	chunk = kzalloc(struct_size(chunk, object, n), kspan_gfp_metadata(gfp));
	if (!chunk)
		return NULL;
	chunk->n = n;
	do {
		chunk->next = first;
	} while (!try_cmpxchg(&reserves[class], &first, chunk));
	return chunk;
}

/* Objects of a class that there are; about, while others take some. */
static unsigned int nr_filled(unsigned int class)
{
	struct kspan_reserve *chunk;
	unsigned int sum = 0;

	for (chunk = READ_ONCE(reserves[class]); chunk; chunk = chunk->next)
		sum += atomic_read(&chunk->filled);
	return sum;
}

/* Fill free entries of a chunk, as many as are missing; returns 0 or -ENOMEM. */
static int fill(struct kspan_reserve *chunk, unsigned int class, unsigned int *missing,
		gfp_t gfp)
{
	void *object = NULL;
	unsigned int i;

	if (atomic_read(&chunk->filled) >= (int)chunk->n)
		return 0;
	for (i = 0; i < chunk->n && *missing; i++) {
		if (READ_ONCE(chunk->object[i]))
			continue;
		object = object ?: kspan_malloc_class_of(&kspan_default_heap, class, gfp);
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

static void empty(unsigned int class)
{
	void *object;

	while ((object = reserve_take(class)))
		kspan_free(object);
}

/* The chunks that are there first; returns 0 or -ENOMEM. */
static int fill_up(unsigned int class, unsigned int n, gfp_t gfp)
{
	unsigned int have = nr_filled(class), missing = n - min(n, have);
	struct kspan_reserve *chunk;
	int err = 0;

	for (chunk = READ_ONCE(reserves[class]); !err && chunk && missing; chunk = chunk->next)
		err = fill(chunk, class, &missing, gfp);
	while (!err && missing) {
		chunk = add_chunk(class, min(missing, KSPAN_RESERVE_CHUNK), gfp);
		err = chunk ? fill(chunk, class, &missing, gfp) : -ENOMEM;
	}
	return err;
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
	unsigned int class;

	if (size > KSPAN_MAX_SMALL || n > INT_MAX || (gfp & KSPAN_GFP_REFUSED))
		return -EINVAL;
	class = kspan_size_class(size);
	if (!class)
		return 0;
	if (!n)
		empty(class);
	return fill_up(class, n, gfp);
}
EXPORT_SYMBOL_GPL(kspan_prefill);

/** kspan_reserves_exit() - free the reserves, which nobody uses any more */
void kspan_reserves_exit(void)
{
	unsigned int class;

	for (class = 1; class < KSPAN_NR_CLASSES; class++) {
		struct kspan_reserve *chunk = reserves[class];

		if (chunk)
			empty(class);
		reserves[class] = NULL;
		current_chunk[class] = NULL;
		while (chunk) {
			struct kspan_reserve *next = chunk->next;

			kfree(chunk);
			chunk = next;
		}
	}
}

/* What caches, central and page heap give without a wait. */
static void *take_small(unsigned int class)
{
	struct kspan_heap *heap = &kspan_default_heap;
	struct kspan_cpu_cache *cache;
	void *object = NULL;
	int nid;

	if (kspan_cpu_cache_enter(heap, &cache)) {
		if (!kspan_cpu_cache_pop(cache, class, &object))
			object = kspan_cpu_cache_refill(heap, cache, class, KSPAN_GFP_NOLOCK);
		kspan_cpu_cache_leave(cache);
	}
	if (object)
		return object;
	nid = kspan_home_node();
	object = kspan_heap_alloc_slot(heap, class, nid, KSPAN_GFP_NOLOCK);
	if (!object)
		return reserve_take(class);
	kspan_count_node(&kspan_default_heap, object, nid);
	return object;
}

/**
 * kspan_malloc_nolock() - allocate memory in any context
 * @size: bytes; 0 gives ZERO_SIZE_PTR
 *
 * Never sleeps, never waits for a lock, takes no memory from the system. After
 * kspan_prefill() it succeeds as often as was asked for there.
 *
 * Context: any, NMI included, with any locks held.
 * Return: the memory, aligned as kspan_malloc()'s; or NULL.
 */
void *kspan_malloc_nolock(size_t size)
{
	unsigned int class;
	size_t usable;
	void *object;
	int nid;

	if (size <= KSPAN_MAX_SMALL) {
		class = kspan_size_class(size);
		if (!class)
			return ZERO_SIZE_PTR;
		object = take_small(class);
		if (object)
			kspan_unseal_first(object);
		usable = kspan_size_classes[class].size;
	} else {
		if (size > KSPAN_MAX_SIZE)
			return NULL;
		nid = kspan_home_node();
		object = kspan_large_alloc(NULL, size, nid, KSPAN_GFP_NOLOCK);
		if (object)
			kspan_count_node(&kspan_default_heap, object, nid);
		usable = kspan_large_roundup(size);
	}
	return object ? kspan_initialise(object, usable, 0, KSPAN_GFP_NOLOCK) : NULL;
}
EXPORT_SYMBOL_GPL(kspan_malloc_nolock);
