// SPDX-License-Identifier: GPL-2.0
/*
 * Tiny objects
 *
 * Objects below 16 bytes are packed into blocks of 16 by Go's rule: the next
 * one starts right behind the last, aligned to 8, 4, 2 or 1 as its size is a
 * multiple of. Go's collector frees a block as a whole; here every object can
 * be freed, so a span of blocks has a bit for each of its bytes, set where a
 * live object starts:
 *
 *	block	a a a a a b b . c c c c - - - -
 *	starts	1         1     1       1 <- mark: where the CPU goes on
 *
 * The block that a CPU packs into is open: one more bit, the highest, marks
 * where the next object goes. It keeps the block from being free when all its
 * objects are, and bounds the size of the last one. A bit per block tells open
 * ones, so that the mark is not taken for an object. A block without any bit is
 * free: it is a slot of the class KSPAN_CLASS_TINY and goes back as such.
 *
 * Bits change by atomic operations on the word they are in, so objects are
 * freed anywhere without a lock. kmemleak knows the blocks.
 *
 * Context: any, NMI included.
 */
#include <linux/kmemleak.h>

#include "base/kunit_export.h"
#include "objects/lookup.h"
#include "objects/slot.h"
#include "objects/tiny.h"

/* What of a span its blocks are found by. */
struct blocks {
	unsigned long start;
	unsigned long *starts;
	unsigned long *open;
};

/* The bits of one block. */
struct bits {
	atomic64_t *word;
	unsigned int shift;
};

/* Of a span with a block that is the caller's. */
static struct blocks blocks_of(const struct kspan_span *span)
{
	return (struct blocks) {
		.start = span->start,
		.starts = span->starts,
		.open = kspan_span_open_bits(span),
	};
}

/* Of one that may have gone meanwhile: its bitmaps can still be read, and be changed. */
static struct blocks blocks_found(const struct kspan_found *found)
{
	return (struct blocks) {
		.start = found->start,
		.starts = found->starts,
		.open = (unsigned long *)(found->alloc_bits +
					  2 * DIV_ROUND_UP(found->nslots, 64)),
	};
}

static unsigned int block_index(struct blocks blocks, unsigned long addr)
{
	return (addr - blocks.start) / KSPAN_TINY_BLOCK;
}

static struct bits bits_of(struct blocks blocks, unsigned long addr)
{
	unsigned int byte = block_index(blocks, addr) * KSPAN_TINY_BLOCK;

	return (struct bits) {
		.word = (atomic64_t *)blocks.starts + byte / 64,
		.shift = byte % 64,
	};
}

static u16 read_bits(struct bits bits)
{
	return atomic64_read(bits.word) >> bits.shift;
}

/* Returns the bits as they were. */
static u16 clear_bits(struct bits bits, u16 mask)
{
	return atomic64_fetch_andnot((u64)mask << bits.shift, bits.word) >> bits.shift;
}

static void flip_bits(struct bits bits, u16 mask)
{
	atomic64_xor((u64)mask << bits.shift, bits.word);
}

/* Go's rule. */
static unsigned int align_of(unsigned int size)
{
	return min(size & -size, 8U);
}

/**
 * kspan_tiny_pack() - allocate from the open block
 * @tiny:	of an entered CPU cache
 * @size:	bytes, 1...15
 *
 * Return: the object, or NULL when there is no room.
 */
void *kspan_tiny_pack(struct kspan_tiny *tiny, unsigned int size)
{
	unsigned long block = (unsigned long)tiny->block;
	struct blocks blocks;
	unsigned int at, end;
	struct bits bits;
	u16 flip;

	if (!block)
		return NULL;
	blocks = blocks_of(tiny->span);
	bits = bits_of(blocks, block);
	at = ALIGN(tiny->offset, align_of(size));
	/* When nothing but the mark is left, the block is as good as new. */
	if (at + size > KSPAN_TINY_BLOCK && read_bits(bits) == BIT(tiny->offset))
		at = 0;
	end = at + size;
	if (end > KSPAN_TINY_BLOCK)
		return NULL;
	/* The mark becomes the object's start, or moves there; then behind it. */
	flip = BIT(tiny->offset) ^ BIT(at);
	if (end < KSPAN_TINY_BLOCK)
		flip ^= BIT(end);
	flip_bits(bits, flip);
	tiny->offset = end;
	if (end == KSPAN_TINY_BLOCK) {
		clear_bit(block_index(blocks, block), blocks.open);
		tiny->block = NULL;
	}
	return (void *)(block + at);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_tiny_pack);

/**
 * kspan_tiny_open() - allocate from a new block
 * @tiny:	of an entered CPU cache; NULL if the object is to have the block
 *		for itself
 * @block:	a slot of the class KSPAN_CLASS_TINY
 * @size:	bytes, 1...15
 *
 * Of the new and the open block the one with more room is open afterwards, as
 * in Go.
 *
 * Return: the object, at the start of the block.
 */
void *kspan_tiny_open(struct kspan_tiny *tiny, void *block, unsigned int size)
{
	struct kspan_span *span;
	struct blocks blocks;
	struct bits bits;

	/* The block is the caller's, so its span stays. */
	rcu_read_lock_sched();
	span = kspan_map_span((unsigned long)block);
	rcu_read_unlock_sched();
	blocks = blocks_of(span);
	bits = bits_of(blocks, (unsigned long)block);
	if (!tiny || (tiny->block && tiny->offset <= size)) {
		flip_bits(bits, BIT(0));
		return block;
	}
	kspan_tiny_close(tiny);
	set_bit(block_index(blocks, (unsigned long)block), blocks.open);
	flip_bits(bits, BIT(0) | BIT(size));
	*tiny = (struct kspan_tiny) { .block = block, .span = span, .offset = size };
	return block;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_tiny_open);

/**
 * kspan_tiny_close() - let go of the open block
 * @tiny: of an entered CPU cache, or of a dead CPU
 */
void kspan_tiny_close(struct kspan_tiny *tiny)
{
	unsigned long block = (unsigned long)tiny->block;
	u16 mark = BIT(tiny->offset);
	struct blocks blocks;

	if (!block)
		return;
	tiny->block = NULL;
	blocks = blocks_of(tiny->span);
	/* In this order, or the last object would be taken for the mark. */
	clear_bit(block_index(blocks, block), blocks.open);
	if (clear_bits(bits_of(blocks, block), mark) != mark)
		return;
	/* What an NMI frees, the merge makes kmemleak forget. */
	if (!in_nmi())
		kmemleak_free((void *)block);
	kspan_central_free(block, KSPAN_CLASS_TINY);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_tiny_close);

/* Bits from an address on to the end of its block, if an object starts there; else 0. */
static u16 object_bits(struct blocks blocks, unsigned long addr)
{
	u16 bits = read_bits(bits_of(blocks, addr)) >> addr % KSPAN_TINY_BLOCK;

	if (!(bits & 1))
		return 0;
	/* Pairs with the clear_bits() of kspan_tiny_close(). */
	smp_rmb();
	/* The highest bit of an open block is the mark. */
	if (bits == 1 && test_bit(block_index(blocks, addr), blocks.open))
		return 0;
	return bits;
}

static enum kspan_bad_free_kind kind_of(const struct kspan_found *found, unsigned long addr)
{
	return block_index(blocks_found(found), addr) < found->high ?
	       KSPAN_BAD_FREE_DOUBLE : KSPAN_BAD_FREE_NEVER_ALLOCATED;
}

/**
 * kspan_tiny_free() - free a tiny object
 * @addr:	any address
 * @central:	set to that of its block, if the object was freed; it stays as long as
 *		preemption is off
 * @empty:	set to the block, if that was its last object: the caller frees it
 * @kind:	set to what is wrong with the address: the caller reports it
 *
 * Which of the places in a block where no object starts once were one is not known;
 * they are double frees.
 *
 * Context: any, NMI included; preemption off.
 * Return: -ENOENT, and nothing done, when @addr is not in a span of tiny
 * objects; 0 when the object was freed; -EINVAL for a wrong address.
 */
int kspan_tiny_free(unsigned long addr, struct kspan_central **central, void **empty,
		    enum kspan_bad_free_kind *kind)
{
	u16 bit = BIT(addr % KSPAN_TINY_BLOCK), old;
	struct kspan_found found;
	struct blocks blocks;
	int err = -EINVAL;

	*empty = NULL;
	if (!kspan_lookup_small(addr, KSPAN_CLASS_TINY, &found))
		return -ENOENT;
	blocks = blocks_found(&found);
	if (object_bits(blocks, addr)) {
		old = clear_bits(bits_of(blocks, addr), bit);
		if (old & bit)
			err = 0;
		if (old == bit)
			*empty = (void *)ALIGN_DOWN(addr, KSPAN_TINY_BLOCK);
	}
	*central = found.central;
	if (err)
		*kind = kind_of(&found, addr);
	return err;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_tiny_free);

/**
 * kspan_tiny_size() - usable size of a tiny object
 * @addr: any address
 *
 * Return: bytes up to the next object, the mark or the end of the block; 0 when
 * no tiny object starts at @addr.
 */
size_t kspan_tiny_size(unsigned long addr)
{
	struct kspan_found found;
	u16 bits = 0;

	rcu_read_lock_sched();
	if (kspan_lookup_small(addr, KSPAN_CLASS_TINY, &found)) {
		bits = object_bits(blocks_found(&found), addr);
		if (!kspan_found_stays(&found))
			bits = 0;
	}
	rcu_read_unlock_sched();
	if (!bits)
		return 0;
	bits >>= 1;
	return bits ? ffs(bits) : KSPAN_TINY_BLOCK - addr % KSPAN_TINY_BLOCK;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_tiny_size);
