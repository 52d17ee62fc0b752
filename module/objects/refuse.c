// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that get NULL: for what they ask, whatever memory there is, or for lack of memory
 *
 * Context: any.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ratelimit.h>
#include <linux/sched.h>

#include "base/kunit_export.h"
#include "objects/heap.h"
#include "objects/refuse.h"
#include "pages/arena.h"

static atomic_long_t refusals[KSPAN_NR_REFUSALS];

/**
 * kspan_refused() - requests that were refused since load
 * @refusal: for what
 * Return: how many there were.
 */
unsigned long kspan_refused(enum kspan_refusal refusal)
{
	return atomic_long_read(&refusals[refusal]);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_refused);

/**
 * kspan_refuse() - count a request that can't be served, and tell the first
 * @refusal:	of which kind
 * @why:	what is wrong with it, and what to do instead
 * @value:	that is wrong
 * @gfp:	with __GFP_NOWARN nothing is told
 * Return: NULL.
 */
void *kspan_refuse(enum kspan_refusal refusal, const char *why, unsigned long value, gfp_t gfp)
{
	if (atomic_long_inc_return(&refusals[refusal]) == 1 && !(gfp & __GFP_NOWARN)) {
		pr_warn("request refused, said once: %s (%#lx)\n", why, value);
		dump_stack();
	}
	return NULL;
}

/** kspan_refuse_zone() - kspan_refuse() for a zone flag */
void *kspan_refuse_zone(gfp_t gfp)
{
	return kspan_refuse(KSPAN_REFUSED_ZONE,
			    "no memory of a zone to be had here, use kmalloc or the DMA API",
			    (__force unsigned long)(gfp & KSPAN_GFP_REFUSED), gfp);
}

/* As often as the page allocator tells. */
DEFINE_RATELIMIT_STATE(kspan_failure_limit, 10 * HZ, 1);
KSPAN_EXPORT_FOR_KUNIT(kspan_failure_limit);

/**
 * kspan_tell_failure() - a request gets NULL: say whose it was and for how much
 * @heap:	the heap
 * @size:	bytes that were asked for, or of the slot that they would be in
 * @gfp:	the caller's flags; with __GFP_NOWARN nothing is told
 * @nid:	its node
 *
 * One line in ten seconds. Where it was the page allocator that had nothing, it tells of the
 * system's memory, with the stack.
 */
void kspan_tell_failure(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid)
{
	unsigned long held, most;

	if ((gfp & (__GFP_NOWARN | KSPAN_GFP_NOLOCK)) || !__ratelimit(&kspan_failure_limit))
		return;
	held = heap->private ? atomic_long_read(&heap->private->account.pages) << KSPAN_PAGE_SHIFT :
			       kspan_arena_bytes();
	most = heap->private ? heap->private->account.limit << KSPAN_PAGE_SHIFT :
			       READ_ONCE(kspan_hard_limit);
	gfp &= ~KSPAN_GFP_EMERGENCY;
	pr_warn("%s: no memory for %zu bytes of heap %s on node %d, which holds %lu KiB (limit %lu, 0 for none), flags %#x (%pGg)\n",
		current->comm, size, heap->name, nid, held >> 10, most >> 10,
		(__force unsigned int)gfp, &gfp);
}
