/* SPDX-License-Identifier: GPL-2.0 */
/* Requests that get NULL, and the messages about them. */
#ifndef KSPAN_REFUSE_H
#define KSPAN_REFUSE_H

#include <linux/gfp.h>
#include <linux/ratelimit.h>

struct kspan_heap;

#define KSPAN_GFP_REFUSED	(__GFP_DMA | __GFP_DMA32)

/* Reasons for which a request gets NULL however much memory is free. */
enum kspan_refusal {
	KSPAN_REFUSED_ZONE,
	KSPAN_REFUSED_SIZE,
	KSPAN_REFUSED_ALIGN,
	KSPAN_REFUSED_MARK,
	KSPAN_REFUSED_PRESSURE,
	KSPAN_REFUSED_HEAP,
	KSPAN_NR_REFUSALS,
};

unsigned long kspan_refused(enum kspan_refusal refusal);
void *kspan_refuse(enum kspan_refusal refusal, const char *why, unsigned long value, gfp_t gfp);
void *kspan_refuse_zone(gfp_t gfp);
/* Of the default heap, and of private heaps. */
extern struct ratelimit_state kspan_failure_limit[2];
void kspan_tell_failure(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid);

#endif /* KSPAN_REFUSE_H */
