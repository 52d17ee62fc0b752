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
 * It is one load from a table; a constant @size gives a constant.
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
 * kspan_slot_index() - slot that contains an offset
 * @magic:	multiplier of the slots' size, struct kspan_size_class.magic
 * @offset:	bytes from the start of the span, below its length
 * @exact:	set to whether @offset is the start of the slot
 *
 * It multiplies by a 32-bit reciprocal of the size. The high half of the product is the
 * quotient, and the low half is below the reciprocal exactly when the
 * remainder is 0 (Lemire, Kaser, Kurz: "Faster remainder by direct
 * computation", 2019). tools/mksizeclasses proves both for every offset.
 *
 * Return: the slot; .slots or more in the unused tail of the span.
 */
static inline unsigned int kspan_slot_index(u32 magic, unsigned long offset, bool *exact)
{
	u64 product = (u64)offset * magic;

	*exact = (u32)product < magic;
	return product >> 32;
}

/**
 * kspan_is_slot_start() - whether an offset is the start of a slot, for spans of the default heap
 * @magic:	multiplier of the slots' size, or 0 for no class
 * @offset:	bytes from the start of the span
 *
 * The result is @exact of kspan_slot_index(), but it compares with a constant: the reciprocal of
 * the largest class, which is the least of all. The low half of the product is below it for each
 * start of a slot, and for no other offset. tools/mksizeclasses proves that, too.
 *
 * Return: whether it is; true where there is no class.
 */
static __always_inline bool kspan_is_slot_start(u32 magic, u32 offset)
{
	return (u32)(offset * magic) < BIT_ULL(32) / KSPAN_MAX_SMALL;
}

#endif /* KSPAN_SIZE_CLASS_H */
