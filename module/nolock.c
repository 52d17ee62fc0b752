// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation that waits for nothing
 *
 * kspan_malloc_nolock() tries each lock once, and asks nobody for memory. When
 * that gives nothing, there is the reserve: per class a list of chunks of
 * pointers, which kspan_prefill() fills beforehand and anybody takes from by
 * one atomic exchange. Chunks stay until the heap goes, so the list needs no
 * lock either.
 */
#include <linux/kspan.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "malloc.h"
#include "nolock.h"

/**
 * struct kspan_reserve - a chunk of the reserve of a class
 * @next:	the chunk that was there before
 * @n:		entries of @object
 * @object:	NULL where it was taken
 */
struct kspan_reserve {
	struct kspan_reserve *next;
	unsigned int n;
	void *object[] __counted_by(n);
};

/* Most entries of a chunk: it fits a page. */
#define KSPAN_RESERVE_CHUNK	500

static struct kspan_reserve *reserves[KSPAN_NR_CLASSES];

static void *reserve_take(unsigned int class)
{
	struct kspan_reserve *chunk = READ_ONCE(reserves[class]);
	unsigned int i;

	for (; chunk; chunk = chunk->next)
		for (i = 0; i < chunk->n; i++)
			if (READ_ONCE(chunk->object[i])) {
				void *object = xchg(&chunk->object[i], NULL);

				if (object)
					return object;
			}
	return NULL;
}

static bool add_chunk(unsigned int class, unsigned int n, gfp_t gfp)
{
	struct kspan_reserve *chunk, *first = READ_ONCE(reserves[class]);

	if (kspan_gfp_here(gfp) & KSPAN_GFP_NOLOCK)
		return false;
	chunk = kzalloc(struct_size(chunk, object, n), kspan_gfp_metadata(gfp));
	if (!chunk)
		return false;
	chunk->n = n;
	do {
		chunk->next = first;
	} while (!try_cmpxchg(&reserves[class], &first, chunk));
	return true;
}

/* Fill free entries until @n are filled; returns how many are missing, or -ENOMEM. */
static int fill(unsigned int class, int n, gfp_t gfp)
{
	struct kspan_reserve *chunk = READ_ONCE(reserves[class]);
	void *object = NULL;
	unsigned int i;

	for (; chunk && n; chunk = chunk->next)
		for (i = 0; i < chunk->n && n; i++, n--) {
			if (READ_ONCE(chunk->object[i]))
				continue;
			object = object ?: kspan_malloc_class(class, gfp);
			if (!object)
				return -ENOMEM;
			if (!cmpxchg(&chunk->object[i], NULL, object))
				object = NULL;
		}
	kspan_free(object);
	return n;
}

static void empty(unsigned int class)
{
	void *object;

	while ((object = reserve_take(class)))
		kspan_free(object);
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
	int missing;

	if (size > KSPAN_MAX_SMALL || n > INT_MAX || (gfp & KSPAN_GFP_REFUSED))
		return -EINVAL;
	class = kspan_size_class(size);
	if (!class)
		return 0;
	if (!n)
		empty(class);
	while ((missing = fill(class, n, gfp)) > 0)
		if (!add_chunk(class, min(missing, KSPAN_RESERVE_CHUNK), gfp))
			return -ENOMEM;
	return missing;
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
