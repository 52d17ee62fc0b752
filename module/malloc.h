/* SPDX-License-Identifier: GPL-2.0 */
/* The default heap, and what the API counts itself. */
#ifndef KSPAN_MALLOC_H
#define KSPAN_MALLOC_H

#include "heap.h"

extern struct kspan_heap kspan_default_heap;

/* Requests that got NULL for what they asked, whatever memory there was. */
enum kspan_refusal {
	KSPAN_REFUSED_ZONE,
	KSPAN_REFUSED_SIZE,
	KSPAN_NR_REFUSALS,
};

unsigned long kspan_refused(enum kspan_refusal refusal);

#endif /* KSPAN_MALLOC_H */
