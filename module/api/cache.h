/* SPDX-License-Identifier: GPL-2.0 */
/* What cache.c and cache_free.c share of typed caches. */
#ifndef KSPAN_CACHE_H
#define KSPAN_CACHE_H

#include "objects/heap.h"

/* The only size class of a typed cache. */
#define KSPAN_CACHE_CLASS	1

struct kspan_cache {
	struct kspan_heap heap;
};

#endif /* KSPAN_CACHE_H */
