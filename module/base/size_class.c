// SPDX-License-Identifier: GPL-2.0
/*
 * Size classes
 *
 * 67 classes for objects of up to 32 KiB, derived and proven by
 * tools/mksizeclasses.c; class 0 stands for everything else. The unit of the
 * index of kspan_size_to_class is 8 bytes, rounded up.
 */
#include "base/kunit_export.h"
#include "base/size_class.h"

const struct kspan_size_class kspan_size_classes[KSPAN_NR_CLASSES] = KSPAN_SIZE_CLASSES;
KSPAN_EXPORT_FOR_KUNIT(kspan_size_classes);

const u8 kspan_size_to_class[KSPAN_NR_SIZE_INDEX] = KSPAN_SIZE_TO_CLASS;
KSPAN_EXPORT_FOR_KUNIT(kspan_size_to_class);
