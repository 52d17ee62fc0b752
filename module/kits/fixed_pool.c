// SPDX-License-Identifier: GPL-2.0
/*
 * Fixed pools
 *
 * A fixed pool has a number of blocks of one size. All of them are allocated when the pool is made.
 * So an allocation fails only if all blocks are out, in any context.
 *
 *	bits	[1101][1111][0000][0111]	a bit per block, set while it is out
 *	          ^ hint of a CPU		beyond the last block always set
 *	chunks	[block block ... ][block ...]	of at most 4 MiB each
 *
 * The pool writes nothing into its blocks. A block is taken and freed by an atomic operation on its
 * bit. No CPU waits for another, so an NMI may interrupt an allocation or a free anywhere. Each CPU
 * looks first where it took or freed a block last. That keeps the CPUs apart, and a CPU finds again
 * what it freed.
 *
 * A CPU that finds no free block has looked at one word after the other. Meanwhile another CPU may
 * have freed a block in a word that was passed already, and taken one in a word that was not. So
 * each CPU counts its frees, without a locked instruction. If the sum of all CPUs has not changed
 * during the search, all blocks were out when it ended. Otherwise another CPU made progress, and
 * the search begins anew.
 *
 * Context: task and softirq for creation and destruction; any, NMI included, for the other
 * functions.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/kmemleak.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/sort.h>

#include "api/alloc.h"
#include "api/free.h"
#include "base/kunit_export.h"
#include "kits/fixed_pool.h"
#include "objects/bad_free.h"

/* The bits of word @word for numbers beyond the last block; 0 in all words but the last. */
static unsigned long tail_bits(const struct kspan_fixed_pool *pool, unsigned int word)
{
	unsigned int in_last = pool->count % BITS_PER_LONG;

	return word == pool->nr_words - 1 && in_last ? ~0UL << in_last : 0;
}

static void *block_at(const struct kspan_fixed_pool *pool, unsigned int i)
{
	unsigned int chunk = 0;

	if (unlikely(pool->nr_chunks > 1)) {
		chunk = reciprocal_divide(i, pool->by_chunk);
		i -= chunk * pool->per_chunk;
	}
	return pool->chunks[chunk] + i * pool->stride;
}

static u64 count_frees(struct kspan_fixed_pool *pool)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		sum += kspan_glance(per_cpu_ptr(pool->cpu, cpu)->frees);
	return sum;
}

/* Takes a block of word @word of the bitmap, and sets @i to its number. */
static __always_inline bool take_block_from(struct kspan_fixed_pool *pool, unsigned int word,
					    unsigned int *i)
{
	unsigned long *bits = &pool->bits[word], seen;
	unsigned int bit;

	while (likely((seen = READ_ONCE(*bits)) != ~0UL)) {
		bit = ffz(seen);
		if (likely(!test_and_set_bit(bit, bits))) {
			*i = word * BITS_PER_LONG + bit;
			return true;
		}
	}
	return false;
}

static bool take_from_any(struct kspan_fixed_pool *pool, unsigned int first, unsigned int *i)
{
	unsigned int word = first;

	do {
		word = word + 1 < pool->nr_words ? word + 1 : 0;
		if (take_block_from(pool, word, i)) {
			this_cpu_write(pool->cpu->hint, word);
			return true;
		}
	} while (word != first);
	return false;
}

static noinline void *wiped(struct kspan_fixed_pool *pool, void *block)
{
	return memset(block, 0, pool->size);
}

static __always_inline void *initialised(struct kspan_fixed_pool *pool, unsigned int i)
{
	void *block = block_at(pool, i);

	return want_init_on_alloc(0) ? wiped(pool, block) : block;
}

static noinline void *alloc_slow(struct kspan_fixed_pool *pool, unsigned int first)
{
	unsigned int i;
	u64 frees;

	do {
		frees = count_frees(pool);
		/*
		 * Pairs with test_and_clear_bit() in fixed_pool_free_block() and xchg() in
		 * kspan_fixed_pool_free_all(), which are full barriers: if the sum counts a free,
		 * the search sees its clear bit.
		 */
		smp_mb();
		if (take_from_any(pool, first, &i))
			return initialised(pool, i);
		/*
		 * Pairs with test_and_set_bit() in take_block_from(), which is a full barrier: if
		 * the search found a block out that a CPU took after it had freed another, the sum
		 * counts that free.
		 */
		smp_mb();
	} while (count_frees(pool) != frees);
	return NULL;
}

/**
 * kspan_fixed_pool_alloc() - take a block
 * @pool: pool from kspan_fixed_pool_create() or kspan_fixed_pool_create_over()
 *
 * The block is not initialised, unless the kernel was booted with init_on_alloc=1.
 *
 * Context: any, NMI included.
 * Return: the block; NULL only if all blocks are out.
 */
void *kspan_fixed_pool_alloc(struct kspan_fixed_pool *pool)
{
	unsigned int first = raw_cpu_read(pool->cpu->hint), i;

	if (unlikely(!take_block_from(pool, first, &i)))
		return alloc_slow(pool, first);
	return initialised(pool, i);
}
EXPORT_SYMBOL_GPL(kspan_fixed_pool_alloc);

/* Returns the last chunk that begins at or below the address; the first if there is none. */
static noinline unsigned int find_chunk(const struct kspan_fixed_pool *pool, const void *p)
{
	unsigned int low = 0, high = pool->nr_chunks, middle;

	while (high - low > 1) {
		middle = (low + high) / 2;
		if (pool->chunks[middle] <= p)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/*
 * Returns the number of the block at @p. If no block starts there, the number is not less than the
 * number of blocks.
 */
static __always_inline unsigned int find_block(const struct kspan_fixed_pool *pool, const void *p)
{
	unsigned int chunk = likely(pool->nr_chunks == 1) ? 0 : find_chunk(pool, p), block;
	unsigned long offset = p - pool->chunks[chunk];

	if (unlikely(offset >= pool->chunk_bytes))
		return UINT_MAX;
	block = reciprocal_divide(offset, pool->by_stride);
	if (unlikely(block * pool->stride != offset))
		return UINT_MAX;
	return chunk * pool->per_chunk + block;
}

static noinline void report_no_block(const struct kspan_fixed_pool *pool, const void *p)
{
	unsigned int chunk = find_chunk(pool, p);
	unsigned int blocks = min(pool->per_chunk, pool->count - chunk * pool->per_chunk);
	enum kspan_bad_free_kind kind = KSPAN_BAD_FREE_INTERIOR;
	unsigned long offset = p - pool->chunks[chunk];

	if (offset >= blocks * pool->stride)
		kind = KSPAN_BAD_FREE_FOREIGN;
	else if (!IS_ALIGNED(offset, 8))
		kind = KSPAN_BAD_FREE_MISALIGNED;
	kspan_bad_free_report(kind, (unsigned long)p);
}

static __always_inline void fixed_pool_free_block(struct kspan_fixed_pool *pool, unsigned int i,
						  void *block)
{
	/*
	 * A full barrier, which pairs with test_and_set_bit() in take_block_from(): the next user
	 * of the block sees all that the last one did with it.
	 */
	if (unlikely(!test_and_clear_bit(i, pool->bits)))
		return kspan_bad_free_report(KSPAN_BAD_FREE_DOUBLE, (unsigned long)block);
	this_cpu_inc(pool->cpu->frees);
	this_cpu_write(pool->cpu->hint, i / BITS_PER_LONG);
}

static bool find_place(const struct kspan_handle *handle, void *data)
{
	const struct kspan_fixed_pool *pool = container_of(handle, struct kspan_fixed_pool, handle);
	struct kspan_fixed_place *place = data;
	unsigned int chunk = find_chunk(pool, (void *)place->addr);
	unsigned long offset = place->addr - (unsigned long)pool->chunks[chunk];

	if (offset >= pool->chunk_bytes)
		return false;
	place->block = chunk * pool->per_chunk + offset / pool->stride;
	if (place->block >= pool->count)
		return false;
	place->start = (unsigned long)block_at(pool, place->block);
	place->size = pool->size;
	place->out = test_bit(place->block, pool->bits);
	return true;
}

/**
 * kspan_fixed_pool_find() - find the block of a fixed pool that an address is in
 * @addr:	any address
 * @place:	set if there is one
 *
 * Context: any but NMI.
 * Return: whether there is one.
 */
bool kspan_fixed_pool_find(unsigned long addr, struct kspan_fixed_place *place)
{
	place->addr = addr;
	return kspan_handle_find(KSPAN_HANDLE_FIXED_POOL, find_place, place);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_fixed_pool_find);

/*
 * For init_on_free. A block that is not out may be taken at any moment, so it is not overwritten.
 */
static noinline void wipe_and_free_block(struct kspan_fixed_pool *pool, unsigned int i, void *block)
{
	if (test_bit(i, pool->bits))
		wiped(pool, block);
	fixed_pool_free_block(pool, i, block);
}

/**
 * kspan_fixed_pool_free() - give a block back
 * @pool:	pool that the block is from
 * @block:	from kspan_fixed_pool_alloc() of the same pool; NULL does nothing
 *
 * A wrong pointer is reported at once, counted in debugfs and left alone.
 *
 * Context: any, NMI included.
 */
void kspan_fixed_pool_free(struct kspan_fixed_pool *pool, void *block)
{
	unsigned int i;

	if (unlikely(!block))
		return;
	i = find_block(pool, block);
	if (unlikely(i >= pool->count))
		return report_no_block(pool, block);
	if (want_init_on_free())
		return wipe_and_free_block(pool, i, block);
	fixed_pool_free_block(pool, i, block);
}
EXPORT_SYMBOL_GPL(kspan_fixed_pool_free);

/* Overwrites the blocks that are out. */
static void wipe_taken(struct kspan_fixed_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->count; i++)
		if (test_bit(i, pool->bits))
			wiped(pool, block_at(pool, i));
}

/**
 * kspan_fixed_pool_free_all() - give all blocks back
 * @pool: pool whose blocks nobody uses any more
 *
 * The time it takes depends on the number of all blocks, 64 at a time, and not on the number that
 * is out.
 *
 * Context: any, NMI included.
 */
void kspan_fixed_pool_free_all(struct kspan_fixed_pool *pool)
{
	unsigned int word;

	if (want_init_on_free())
		wipe_taken(pool);
	for (word = 0; word < pool->nr_words; word++)
		xchg(&pool->bits[word], tail_bits(pool, word));
	this_cpu_inc(pool->cpu->frees);
}
EXPORT_SYMBOL_GPL(kspan_fixed_pool_free_all);

/**
 * kspan_fixed_pool_available() - count the blocks that are not out
 * @pool: pool to look at
 *
 * Context: any, NMI included.
 * Return: the number of blocks; it may be slightly wrong while others use the pool.
 */
unsigned int kspan_fixed_pool_available(struct kspan_fixed_pool *pool)
{
	unsigned int word, sum = 0;

	for (word = 0; word < pool->nr_words; word++)
		sum += hweight_long(~READ_ONCE(pool->bits[word]));
	return sum;
}
EXPORT_SYMBOL_GPL(kspan_fixed_pool_available);

static void fixed_pool_free_chunks(struct kspan_fixed_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->nr_chunks; i++) {
		kmemleak_free(pool->chunks[i]);
		kspan_heap_free_chunk(pool->chunks[i]);
	}
	pool->nr_chunks = 0;
}

/*
 * The size of a chunk is a multiple of the blocks' alignment, so the chunk has that alignment, too.
 */
static bool alloc_chunks(struct kspan_fixed_pool *pool, unsigned int nr_chunks, gfp_t gfp)
{
	size_t bytes = pool->chunk_bytes;
	void *chunk;

	while (pool->nr_chunks < nr_chunks) {
		chunk = kspan_heap_alloc_chunk(&kspan_default_heap, bytes, gfp);
		if (!chunk) {
			fixed_pool_free_chunks(pool);
			return false;
		}
		/* Blocks may have the only pointers to other objects, so kmemleak scans them. */
		kmemleak_alloc(chunk, bytes, 0, gfp);
		pool->chunks[pool->nr_chunks++] = chunk;
	}
	return true;
}

static int compare_chunks(const void *a, const void *b)
{
	const void *x = *(void * const *)a, *y = *(void * const *)b;

	return x < y ? -1 : x > y;
}

/* Has the CPUs begin their search in different parts of the bitmap. */
static void set_hints(struct kspan_fixed_pool *pool)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		per_cpu_ptr(pool->cpu, cpu)->hint = (u64)cpu * pool->nr_words / nr_cpu_ids;
}

static void fixed_pool_free_memory(struct kspan_fixed_pool *pool)
{
	if (pool->is_owner) {
		if (want_init_on_free())
			wipe_taken(pool);
		fixed_pool_free_chunks(pool);
	}
	free_percpu(pool->cpu);
	kspan_free(pool->bits);
	kspan_free(pool);
}

/* Makes a pool without its chunks. */
static struct kspan_fixed_pool *make_pool(size_t size, size_t stride, unsigned int count,
					  unsigned int per_chunk, gfp_t gfp)
{
	unsigned int nr_chunks = DIV_ROUND_UP(count, per_chunk), word;
	struct kspan_fixed_pool *pool;

	pool = kspan_zalloc(struct_size(pool, chunks, nr_chunks), gfp);
	if (!pool)
		return NULL;
	pool->size = size;
	pool->stride = stride;
	pool->count = count;
	pool->per_chunk = per_chunk;
	pool->chunk_bytes = per_chunk * stride;
	pool->by_stride = reciprocal_value(stride);
	pool->by_chunk = reciprocal_value(per_chunk);
	pool->nr_words = BITS_TO_LONGS(count);
	pool->bits = kspan_calloc(pool->nr_words, sizeof(long), gfp);
	pool->cpu = alloc_percpu_gfp(struct kspan_fixed_cpu, gfp);
	if (!pool->bits || !pool->cpu) {
		fixed_pool_free_memory(pool);
		return NULL;
	}
	for (word = 0; word < pool->nr_words; word++)
		pool->bits[word] = tail_bits(pool, word);
	set_hints(pool);
	return pool;
}

static struct kspan_fixed_pool *make_owner(size_t size, size_t stride, unsigned int count,
					   unsigned int per_chunk, gfp_t gfp)
{
	struct kspan_fixed_pool *pool = make_pool(size, stride, count, per_chunk, gfp);

	if (!pool)
		return NULL;
	pool->is_owner = true;
	if (!alloc_chunks(pool, DIV_ROUND_UP(count, per_chunk), gfp)) {
		fixed_pool_free_memory(pool);
		return NULL;
	}
	sort(pool->chunks, pool->nr_chunks, sizeof(void *), compare_chunks, NULL);
	return pool;
}

/*
 * Returns the bytes from the start of a block to the start of the next, or 0 if the size or
 * alignment is not possible. An alignment of 0 becomes 8.
 */
static size_t stride_of(size_t size, size_t *align)
{
	*align = *align ?: 8;
	if (!size || size > KSPAN_MAX_SIZE || !is_power_of_2(*align) || *align > KSPAN_MAX_SIZE)
		return 0;
	return round_up(size, *align);
}

/**
 * __kspan_fixed_pool_create() - kspan_fixed_pool_create() for a module
 * @size:	bytes of a block
 * @align:	alignment of the blocks, a power of two; 0 for 8
 * @count:	number of blocks
 * @gfp:	flags that the memory is allocated with
 * @owner:	module that the pool is for, THIS_MODULE there
 *
 * Context: task and softirq.
 * Return: as kspan_fixed_pool_create().
 */
struct kspan_fixed_pool *__kspan_fixed_pool_create(size_t size, size_t align, unsigned int count,
						   gfp_t gfp, struct module *owner)
{
	size_t stride = stride_of(size, &align);
	struct kspan_fixed_pool *pool = NULL;
	unsigned int per_chunk, next;

	if (!stride || !count || count > INT_MAX)
		return NULL;
	if (gfp & KSPAN_GFP_REFUSED)
		return kspan_refuse_zone(gfp);
	per_chunk = min_t(size_t, count, KSPAN_MAX_SIZE / stride);
	for (; !pool && per_chunk; per_chunk = next) {
		next = per_chunk * stride > KSPAN_PAGE_SIZE ? per_chunk / 2 : 0;
		/* As long as shorter chunks are possible, the page allocator need not try hard. */
		pool = make_owner(size, stride, count, per_chunk,
				  next ? gfp | __GFP_NOWARN | __GFP_NORETRY : gfp);
	}
	if (pool)
		kspan_handle_add(&pool->handle, KSPAN_HANDLE_FIXED_POOL, NULL, owner, _RET_IP_);
	return pool;
}
EXPORT_SYMBOL_GPL(__kspan_fixed_pool_create);

/**
 * __kspan_fixed_pool_create_over() - kspan_fixed_pool_create_over() for a module
 * @buffer:	memory for the blocks, which belongs to the caller
 * @bytes:	length of @buffer
 * @size:	bytes of a block
 * @align:	alignment of the blocks, a power of two; 0 for 8
 * @gfp:	flags that other memory is allocated with
 * @owner:	module that the pool is for, THIS_MODULE there
 *
 * Context: task and softirq.
 * Return: as kspan_fixed_pool_create_over().
 */
struct kspan_fixed_pool *__kspan_fixed_pool_create_over(void *buffer, size_t bytes, size_t size,
							size_t align, gfp_t gfp,
							struct module *owner)
{
	size_t stride = stride_of(size, &align), skip;
	struct kspan_fixed_pool *pool;
	unsigned int count;

	if (!stride)
		return NULL;
	skip = PTR_ALIGN(buffer, align) - buffer;
	if (skip >= bytes)
		return NULL;
	/* The last block need not be followed by the gap that its alignment makes. */
	count = min_t(size_t, bytes - skip + stride - size, U32_MAX) / stride;
	if (!count)
		return NULL;
	pool = make_pool(size, stride, count, count, gfp);
	if (!pool)
		return NULL;
	pool->chunks[pool->nr_chunks++] = buffer + skip;
	kspan_handle_add(&pool->handle, KSPAN_HANDLE_FIXED_POOL, NULL, owner, _RET_IP_);
	return pool;
}
EXPORT_SYMBOL_GPL(__kspan_fixed_pool_create_over);

/**
 * kspan_fixed_pool_destroy() - give all memory of a pool back
 * @pool: pool that nobody uses any more; NULL does nothing
 *
 * Blocks that are out are freed, too. A pool that is destroyed twice is reported, and nothing else
 * is done.
 *
 * Context: task and softirq.
 */
void kspan_fixed_pool_destroy(struct kspan_fixed_pool *pool)
{
	if (pool && kspan_handle_take(&pool->handle, KSPAN_HANDLE_FIXED_POOL, pool))
		fixed_pool_free_memory(pool);
}
EXPORT_SYMBOL_GPL(kspan_fixed_pool_destroy);

/**
 * kspan_fixed_pool_exit() - free the per-CPU memory of pools that nobody destroyed
 *
 * All other memory of them is in pages of kspan, which are freed when kspan is unloaded.
 *
 * Context: task.
 */
void kspan_fixed_pool_exit(void)
{
	struct kspan_handle *handle;

	while ((handle = kspan_handle_take_any(KSPAN_HANDLE_FIXED_POOL)))
		free_percpu(container_of(handle, struct kspan_fixed_pool, handle)->cpu);
}
