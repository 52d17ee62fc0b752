// SPDX-License-Identifier: GPL-2.0
/* Size classes: the generated tables, seen from the kernel. */
#include <kunit/test.h>

#include "size_class.h"

static void every_size_fits_its_class(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= KSPAN_MAX_SMALL; size++)
		KUNIT_ASSERT_GE_MSG(test, kspan_size_classes[kspan_size_class(size)].size,
				    (u32)size, "size %zu", size);
}

static struct kunit_case size_class_cases[] = {
	KUNIT_CASE(every_size_fits_its_class),
	{}
};

static struct kunit_suite size_class_suite = {
	.name = "kspan_size_class",
	.test_cases = size_class_cases,
};

kunit_test_suite(size_class_suite);
