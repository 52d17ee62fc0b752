// SPDX-License-Identifier: GPL-2.0
/*
 * Tiny objects
 *
 * Objects below 16 bytes are packed into blocks of 16 bytes by Go's rule: the next object starts
 * right behind the last one, aligned to 8, 4, 2 or 1, as its size is a multiple of. Go's collector
 * frees a block as a whole. Here every object can be freed. So a span of blocks has a bit for each
 * of its bytes, and the bit is set where a live object starts:
 *
 *	block	a a a a a b b . c c c c - - - -
 *	starts	1         1     1       1 <- mark: where the CPU continues
 *
 * The block that a CPU packs into is open. One more bit, the highest, marks where the next object
 * will start. The mark keeps the block from becoming free when all its objects are freed, and it
 * bounds the size of the last object. A second bitmap has a bit per block that tells which ones
 * are open, so that the mark is not taken for an object. A block without any bit is free: it is a
 * slot of the class KSPAN_CLASS_TINY, and is freed as such.
 *
 * Bits change by atomic operations on the word that they are in. So any CPU can free an object
 * without a lock. kmemleak knows the blocks, not the objects.
 *
 * Context: any, NMI included.
 */
#include <linux/kmemleak.h>

#include "base/kunit_export.h"
#include "objects/lookup.h"
#include "objects/slot.h"
#include "objects/tiny.h"

/* The fields of a span by which its blocks are found. */
struct blocks {
	unsigned long start;
	unsigned long *starts;
	unsigned long *open;
};

/* The bits of one block: 16 bits of a word, from @shift on. */
struct bits {
	atomic64_t *word;
	unsigned int shift;
};

/* The blocks of a span in which the caller has a block, so that the span stays. */
static struct blocks blocks_of(const struct kspan_span *span)
{
	return (struct blocks) {
		.start = span->start,
		.starts = span->starts,
		.open = kspan_span_open_bits(span),
	};
}

/*
 * The blocks of a span that may be gone meanwhile: its bitmaps can still be read and changed,
 * under RCU.
 */
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

/* Returns the bits as they were before. */
static u16 clear_bits(struct bits bits, u16 mask)
{
	return atomic64_fetch_andnot((u64)mask << bits.shift, bits.word) >> bits.shift;
}

static void flip_bits(struct bits bits, u16 mask)
{
	atomic64_xor((u64)mask << bits.shift, bits.word);
}

/* Go's rule for the alignment of a tiny object. */
static unsigned int align_of(unsigned int size)
{
	return min(size & -size, 8U);
}

/**
 * kspan_tiny_pack() - allocate from the open block
 * @tiny:	of an entered CPU cache
 * @size:	bytes, 1...15
 *
 * Return: the object, or NULL when the block has no room for it.
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
	/* When only the mark is left, all objects have been freed: start from the beginning. */
	if (at + size > KSPAN_TINY_BLOCK && read_bits(bits) == BIT(tiny->offset))
		at = 0;
	end = at + size;
	if (end > KSPAN_TINY_BLOCK)
		return NULL;
	/*
	 * The mark turns into the start bit of the object, or moves there. Then it is set behind
	 * the object.
	 */
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
 * @tiny:	of an entered CPU cache; NULL if the object gets a block of its own
 * @block:	a slot of the class KSPAN_CLASS_TINY, which belongs to the caller
 * @size:	bytes, 1...15
 *
 * As in Go, of the new block and the open one, the one with more room is open afterwards.
 *
 * Return: the object, at the start of the block.
 */
void *kspan_tiny_open(struct kspan_tiny *tiny, void *block, unsigned int size)
{
	struct kspan_span *span;
	struct blocks blocks;
	struct bits bits;

	/* The block belongs to the caller, so its span stays. */
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
 * kspan_tiny_close() - close the open block
 * @tiny:	of an entered CPU cache, or of a dead CPU
 *
 * Frees the block if it has no object any more.
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
	/*
	 * Pairs with the smp_rmb() in object_bits(): the open bit goes first. Else a CPU that
	 * sees the mark gone and the block still open would take the last object for the mark.
	 */
	clear_bit(block_index(blocks, block), blocks.open);
	if (clear_bits(bits_of(blocks, block), mark) != mark)
		return;
	/* kmemleak takes locks: for a block that an NMI frees, the merge calls it later. */
	if (!in_nmi())
		kmemleak_free((void *)block);
	kspan_central_free(block, KSPAN_CLASS_TINY);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_tiny_close);

/*
 * The bits from an address on to the end of its block, if an object starts at the address; else
 * 0.
 */
static u16 object_bits(struct blocks blocks, unsigned long addr)
{
	u16 bits = read_bits(bits_of(blocks, addr)) >> addr % KSPAN_TINY_BLOCK;

	if (!(bits & 1))
		return 0;
	/*
	 * Pairs with kspan_tiny_close(), which clears the open bit and then, by the fully ordered
	 * clear_bits(), the mark.
	 */
	smp_rmb();
	/* The highest bit of an open block is the mark. */
	if (bits == 1 && test_bit(block_index(blocks, addr), blocks.open))
		return 0;
	return bits;
}

static enum kspan_bad_free_kind tiny_kind_of(const struct kspan_found *found, unsigned long addr)
{
	return block_index(blocks_found(found), addr) < found->high ?
	       KSPAN_BAD_FREE_DOUBLE : KSPAN_BAD_FREE_NEVER_ALLOCATED;
}

/**
 * kspan_tiny_free() - free a tiny object
 * @addr:	any address
 * @central: set to the central of its block, if the object was freed; it stays as long as
 *	preemption is off
 * @empty:	set to the block, if that was its last object: the caller frees it; else NULL
 * @kind:	set to what is wrong with the address: the caller reports it
 *
 * It is not known which places in a block once were the start of an object. So a free of any
 * place where no object starts is reported as a double free, if the block was ever handed out.
 *
 * Context: any, NMI included; preemption off.
 * Return: 0 when the object was freed; -ENOENT, and nothing is done, when @addr is not in a span
 * of tiny objects; -EINVAL for a wrong address.
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
		*kind = tiny_kind_of(&found, addr);
	return err;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_tiny_free);

/**
 * kspan_tiny_around() - find the tiny object that an address is in
 * @found:	set by kspan_lookup_small() for the address
 * @addr:	any address in the span
 * @size:	set to the bytes up to the next object, the mark or the end of the block
 *
 * An object is shorter than that if the next one is aligned.
 *
 * Context: any, NMI included, in the RCU section of the lookup.
 * Return: start of the last object of the block that starts at or below @addr; 0 if there is none.
 */
unsigned long kspan_tiny_around(const struct kspan_found *found, unsigned long addr,
				unsigned int *size)
{
	struct blocks blocks = blocks_found(found);
	unsigned int at = addr % KSPAN_TINY_BLOCK;
	unsigned long block = addr - at;
	u16 below = read_bits(bits_of(blocks, addr)) & GENMASK(at, 0), bits;

	if (!below)
		return 0;
	addr = block + __fls(below);
	/* This is 0 if the bit is the mark. */
	bits = object_bits(blocks, addr);
	*size = bits >> 1 ? ffs(bits >> 1) : KSPAN_TINY_BLOCK - addr % KSPAN_TINY_BLOCK;
	return bits ? addr : 0;
}

/**
 * kspan_tiny_size() - usable size of a tiny object
 * @addr:	any address
 *
 * Context: any, NMI included.
 * Return: bytes up to the next object, the mark or the end of the block; 0 when no tiny object
 * starts at @addr.
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
