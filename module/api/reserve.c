// SPDX-License-Identifier: GPL-2.0
/*
 * Reserves: objects that kspan_malloc_nolock() finds when nothing else has memory
 *
 * kspan_prefill() sets objects aside, per heap and size class. They are kept in chunks, arrays
 * of pointers in a list, which only grows until the heap ends. A taker exchanges an entry for
 * NULL by one atomic operation. Neither the list nor its entries therefore need a lock, and an
 * NMI may take objects, too. A private heap gets its struct kspan_reserves by the first
 * kspan_heap_prefill().
 *
 * To find an object soon, each class remembers the chunk from which an object was taken last,
 * and each chunk its first entry that may have an object and the number of its objects. The
 * number is raised before an entry is filled and lowered after the entry was emptied, so that a
 * chunk with an object never counts as empty.
 *
 * Context: any to take an object. To fill a reserve, as kspan_malloc(). To drop the reserves of
 * a heap, task; nobody else uses them.
 */
#include <linux/kspan.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "api/alloc.h"
#include "api/reserve.h"

/**
 * struct kspan_reserve - a chunk of the reserve of a class
 * @next:	the chunk that was made before this one
 * @filled:	number of entries that have an object; for moments higher, never lower
 * @from:	hint: no entry below this index has an object
 * @n:		length of @object
 * @object:	NULL where no object is
 */
struct kspan_reserve {
	struct kspan_reserve *next;
	atomic_t filled;
	unsigned int from;
	unsigned int n;
	void *object[] __counted_by(n);
};

/* Most entries of a chunk; with them it takes at most a page of 4 KiB. */
#define KSPAN_RESERVE_CHUNK	500U

/**
 * struct kspan_reserves - the reserves of a heap
 * @first:	for each class the newest chunk; NULL if there is none
 * @current_chunk: for each class the chunk from which an object was taken last
 */
struct kspan_reserves {
	struct kspan_reserve *first[KSPAN_NR_CLASSES];
	struct kspan_reserve *current_chunk[KSPAN_NR_CLASSES];
};

static struct kspan_reserves default_reserves;

/* NULL if the heap is a private one and was never prefilled. */
static struct kspan_reserves *reserves_of(struct kspan_heap *heap)
{
	/* Pairs with cmpxchg_release() in make_reserves(). */
	return heap->private ? smp_load_acquire(&heap->private->reserves) : &default_reserves;
}

static struct kspan_reserves *make_reserves(struct kspan_heap *heap, gfp_t gfp)
{
	struct kspan_reserves *made = reserves_of(heap);

	if (made || (kspan_gfp_here(gfp) & KSPAN_GFP_NOLOCK))
		return made;
	made = kzalloc(sizeof(*made), kspan_gfp_metadata(gfp));
	/* Release: a reader of the pointer, see reserves_of(), finds the memory zeroed. */
	if (made && cmpxchg_release(&heap->private->reserves, NULL, made))
		kfree(made);
	return reserves_of(heap);
}

static void *take_from_chunk(struct kspan_reserve *chunk)
{
	unsigned int first = READ_ONCE(chunk->from), i, n;
	void *object;

	/* Look at all entries, as the hint may be wrong; begin where it says. */
	for (i = first, n = 0; n < chunk->n; n++, i++) {
		if (i >= chunk->n)
			i = 0;
		if (!READ_ONCE(chunk->object[i]))
			continue;
		object = xchg(&chunk->object[i], NULL);
		if (!object)
			continue;
		WRITE_ONCE(chunk->from, i + 1);
		/* xchg() orders the entry before the count; see fill_chunk(). */
		atomic_dec(&chunk->filled);
		return object;
	}
	return NULL;
}

/* Take an object from one of the chunks from @chunk on, but not from @end or later ones. */
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
	/*
	 * Begin with the chunk that had an object last and go on to the older ones; then try
	 * the newer ones.
	 */
	return take_between(reserves, class, last, NULL) ?:
	       take_between(reserves, class, READ_ONCE(reserves->first[class]), last);
}

/**
 * kspan_reserve_take() - take an object from a reserve
 * @heap:	any heap or that of a typed cache
 * @class:	size class as @heap counts classes, not 0
 *
 * Context: any, NMI included.
 * Return: the object, not initialised; NULL if the reserve is empty.
 */
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
	/*
	 * try_cmpxchg() orders the chunk's contents before its publication. Readers, see
	 * take_between(), nr_filled() and fill_up(), follow the pointer that they read.
	 */
	do {
		chunk->next = first;
	} while (!try_cmpxchg(&reserves->first[class], &first, chunk));
	return chunk;
}

/* Number of objects that a reserve has; an estimate while others take some. */
static unsigned int nr_filled(const struct kspan_reserves *reserves, unsigned int class)
{
	struct kspan_reserve *chunk;
	unsigned int sum = 0;

	for (chunk = READ_ONCE(reserves->first[class]); chunk; chunk = chunk->next)
		sum += atomic_read(&chunk->filled);
	return sum;
}

/*
 * Fill free entries of a chunk with new objects, up to @missing, which is lowered. Returns 0 or
 * -ENOMEM.
 */
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
		/* cmpxchg() orders the count before the entry; see take_from_chunk(). */
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

static void drain_reserve(struct kspan_reserves *reserves, unsigned int class)
{
	void *object;

	while ((object = reserve_take(reserves, class)))
		kspan_free(object);
}

/*
 * Have a reserve hold @n objects: fill existing chunks, then make new ones. Returns 0 or
 * -ENOMEM.
 */
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
 * kspan_prefill_class() - have the reserve of a class hold a number of objects
 * @heap:	any heap or that of a typed cache
 * @class:	size class as @heap counts classes, not 0
 * @n:		number of objects; 0 frees all that are left
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
		drain_reserve(reserves, class);
	return fill_up(heap, reserves, class, n, gfp);
}

/**
 * kspan_prefill() - set objects aside for kspan_malloc_nolock()
 * @size:	bytes of an object, at most 32 KiB; 0 does nothing
 * @n:		number of objects to be in reserve afterwards, those that are there counted; 0
 *		frees all that are left. At most INT_MAX.
 * @gfp:	what this call may do to get memory, as for kspan_malloc()
 *
 * The next @n calls of kspan_malloc_nolock() for sizes of the same size class (see
 * kspan_size_roundup()) succeed, in any context and on any CPU. All users of a size class share
 * its reserve: a caller that relies on @n objects must count in the others. A reserve is not
 * refilled by itself: call this function again.
 *
 * Context: as kspan_malloc(), but not in an NMI.
 * Return: 0; -ENOMEM if there is not enough memory, with some of the objects in reserve;
 * -EINVAL if @size or @n is too large, or @gfp has a zone flag.
 */
int kspan_prefill(size_t size, unsigned int n, gfp_t gfp)
{
	return kspan_heap_prefill(&kspan_default_heap, size, n, gfp);
}
EXPORT_SYMBOL_GPL(kspan_prefill);

/**
 * kspan_heap_prefill() - set objects aside for kspan_heap_malloc_nolock()
 * @heap:	where the objects come from; NULL for the default heap
 * @size:	as for kspan_prefill()
 * @n:		as for kspan_prefill()
 * @gfp:	as for kspan_prefill()
 *
 * The objects in reserve count to the heap and its limit. kspan_heap_reset() and
 * kspan_heap_destroy() free them.
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

/* Free the chunks of a class whose reserve is empty and which nobody uses any more. */
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
 * kspan_reserves_drop() - free all objects that a heap has in reserve, and the reserves
 * @heap:	any heap; nobody allocates from it meanwhile
 *
 * Context: task.
 */
void kspan_reserves_drop(struct kspan_heap *heap)
{
	struct kspan_reserves *reserves = reserves_of(heap);
	unsigned int class;

	for (class = 1; reserves && class < KSPAN_NR_CLASSES; class++) {
		drain_reserve(reserves, class);
		free_reserve_chunks(reserves, class);
	}
	if (!heap->private)
		return;
	heap->private->reserves = NULL;
	kfree(reserves);
}
