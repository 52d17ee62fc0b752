/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks: lower layers call the scavenger and reclaim by them; see hooks.c. */
#ifndef KSPAN_HOOKS_H
#define KSPAN_HOOKS_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/irq_work.h>
#include <linux/types.h>

extern bool kspan_scavenger_awake, kspan_scavenger_hurried;
extern struct irq_work kspan_scavenger_irq_work;

/**
 * kspan_scavenger_wake() - wake the scavenger: it may have something to do
 *
 * Context: any, NMI included.
 */
static inline void kspan_scavenger_wake(void)
{
	if (unlikely(!READ_ONCE(kspan_scavenger_awake)))
		irq_work_queue(&kspan_scavenger_irq_work);
}

void kspan_scavenger_hurry(void);

/**
 * struct kspan_relief - how a request is helped that finds no free pages
 * @empty_spans: has classes give up spans without an object; returns whether pages of the node
 *		became free
 * @soft_limit:	gives idle arenas back before a new one is taken; returns whether pages of the
 *		node may have become free
 * @hard_limit:	gives back what it can before the request fails; returns whether a new attempt
 *		may succeed
 *
 * All get the node, the pages of 8 KiB and the gfp flags of the request. They may sleep if the
 * flags allow it.
 */
struct kspan_relief {
	bool (*empty_spans)(int nid, unsigned int npages, gfp_t gfp);
	bool (*soft_limit)(int nid, unsigned int npages, gfp_t gfp);
	bool (*hard_limit)(int nid, unsigned int npages, gfp_t gfp);
};

extern struct kspan_relief kspan_relief;

#endif /* KSPAN_HOOKS_H */
