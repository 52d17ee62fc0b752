// SPDX-License-Identifier: GPL-2.0
/*
 * Size classes
 *
 * There are 67 classes, for objects of up to 32 KiB. tools/mksizeclasses.c derives them and
 * proves their arithmetic. Class 0 stands for every other size. The index of
 * kspan_size_to_class is the size in units of 8 bytes, rounded up.
 */
#include "base/kunit_export.h"
#include "base/size_class.h"

const struct kspan_size_class kspan_size_classes[KSPAN_NR_CLASSES] = KSPAN_SIZE_CLASSES;
KSPAN_EXPORT_FOR_KUNIT(kspan_size_classes);

const u8 kspan_size_to_class[KSPAN_NR_SIZE_INDEX] = KSPAN_SIZE_TO_CLASS;
KSPAN_EXPORT_FOR_KUNIT(kspan_size_to_class);
