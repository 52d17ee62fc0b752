/* SPDX-License-Identifier: GPL-2.0 */
/* Regions: objects that go together. */
#ifndef KSPAN_REGION_H
#define KSPAN_REGION_H

#include <linux/sizes.h>
#include <linux/types.h>

/* Where kspan_region_create() is not told how large a chunk is to be. */
#define KSPAN_REGION_CHUNK	SZ_32K

/* Bytes of chunks without objects that a region keeps, besides its first. */
#define KSPAN_REGION_SPARE	SZ_1M

/* Depths at which a stale mark is sure to be known as one. */
#define KSPAN_REGION_LANDINGS	16

/* Whether memory is overwritten when it is released; a module parameter. */
extern bool kspan_region_poison;

void kspan_cpu_region_exit(void);

#endif /* KSPAN_REGION_H */
