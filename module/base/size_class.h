/* SPDX-License-Identifier: GPL-2.0 */
/* Size classes: size to class, and slot arithmetic within a span. */
#ifndef KSPAN_SIZE_CLASS_H
#define KSPAN_SIZE_CLASS_H

#include "types.h"

/**
 * struct kspan_size_class - what is fixed for all spans of a class
 * @size:	bytes of a slot
 * @magic:	2^32 / @size + 1, the multiplier that replaces a division
 * @slots:	slots of a span
 * @pages:	kspan pages of a span
 * @align:	alignment of a span's start, in kspan pages
 */
struct kspan_size_class {
	u32 size;
	u32 magic;
	u16 slots;
	u16 pages;
	u16 align;
};

extern const struct kspan_size_class kspan_size_classes[KSPAN_NR_CLASSES];
extern const u8 kspan_size_to_class[KSPAN_NR_SIZE_INDEX];

/**
 * kspan_size_class() - class that serves a request
 * @size: bytes, at most KSPAN_MAX_SMALL
 *
 * One table load; a constant @size folds to a constant.
 *
 * Return: 1...KSPAN_NR_CLASSES - 1, or 0 for @size 0.
 */
static __always_inline unsigned int kspan_size_class(size_t size)
{
	if (__builtin_constant_p(size))
		return kspan_constant_class(size);
	return kspan_size_to_class[(size + 7) >> 3];
}

/**
 * kspan_slot_index() - slot that an offset lies in
 * @magic:	the multiplier of the slots' size
 * @offset:	bytes from the start of the span, below its length
 * @exact:	set to whether @offset is the start of the slot
 *
 * Multiplies by a 32-bit reciprocal of the size: the high half of the product
 * is the quotient, and the low half is below the reciprocal exactly when the
 * remainder is 0 (Lemire, Kaser, Kurz: "Faster remainder by direct
 * computation", 2019). tools/mksizeclasses proves both for every offset.
 *
 * Return: the slot; at least .slots in the unused tail of the span.
 */
static inline unsigned int kspan_slot_index(u32 magic, unsigned long offset, bool *exact)
{
	u64 product = (u64)offset * magic;

	*exact = (u32)product < magic;
	return product >> 32;
}

/**
 * kspan_is_slot_start() - whether kspan_slot_index() is exact, in a span of the default heap
 * @magic:	the multiplier of the slots' size, or 0
 * @offset:	bytes from the start of the span
 *
 * The low half of the product is below the reciprocal of the largest class, which is the
 * least, for all starts of slots, and for no other offset: tools/mksizeclasses proves that,
 * too. So there is a constant to compare with.
 *
 * Return: whether it is; true where there is no class.
 */
static __always_inline bool kspan_is_slot_start(u32 magic, u32 offset)
{
	return (u32)(offset * magic) < BIT_ULL(32) / KSPAN_MAX_SMALL;
}

#endif /* KSPAN_SIZE_CLASS_H */
