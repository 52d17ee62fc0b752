// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that get NULL
 *
 * A request is refused if it asks for something that kspan does not have, however much memory is
 * free. A request fails if there is no memory for it. Both are reported at a limited rate.
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
 * kspan_refused() - count requests that were refused since the module was loaded
 * @refusal: reason to count
 * Return: how many there were.
 */
unsigned long kspan_refused(enum kspan_refusal refusal)
{
	return atomic_long_read(&refusals[refusal]);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_refused);

/**
 * kspan_refuse() - count a request that can't be served, and report the first of its kind
 * @refusal:	reason
 * @why:	text for the report: what is wrong, and what the caller should do instead
 * @value:	the wrong value, for the report
 * @gfp:	the caller's flags; with __GFP_NOWARN nothing is printed
 *
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

/**
 * kspan_refuse_zone() - kspan_refuse() for a request for memory of a zone
 * @gfp: the caller's flags, with one of KSPAN_GFP_REFUSED
 *
 * Return: NULL.
 */
void *kspan_refuse_zone(gfp_t gfp)
{
	return kspan_refuse(KSPAN_REFUSED_ZONE,
			    "no memory of a zone to be had here, use kmalloc or the DMA API",
			    (__force unsigned long)(gfp & KSPAN_GFP_REFUSED), gfp);
}

/*
 * The page allocator limits its own reports to the same rate. A private heap that often reaches its
 * limit does not keep a failure of the default heap from being told.
 */
struct ratelimit_state kspan_failure_limit[2] = {
	RATELIMIT_STATE_INIT(kspan_failure_limit[0], 10 * HZ, 1),
	RATELIMIT_STATE_INIT(kspan_failure_limit[1], 10 * HZ, 1),
};
KSPAN_EXPORT_FOR_KUNIT(kspan_failure_limit);

/**
 * kspan_tell_failure() - report a request that gets NULL for lack of memory
 * @heap:	heap that the caller allocates from
 * @size:	bytes that the caller asked for, or bytes of the slot that would hold them
 * @gfp:	the caller's flags; with __GFP_NOWARN nothing is printed
 * @nid:	node that the memory should be from
 *
 * At most one line is printed in ten seconds for the default heap, and one for all private heaps.
 * It names the task, the heap and the node. If the page allocator had no memory, the page allocator
 * itself prints the state of the system's memory, and the call stack.
 */
void kspan_tell_failure(struct kspan_heap *heap, size_t size, gfp_t gfp, int nid)
{
	unsigned long held, most;

	if ((gfp & (__GFP_NOWARN | KSPAN_GFP_NOLOCK)) ||
	    !__ratelimit(&kspan_failure_limit[!!heap->private]))
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
