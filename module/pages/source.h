/* SPDX-License-Identifier: GPL-2.0 */
/* Sources: where the pages of a request come from; see source.c. */
#ifndef KSPAN_SOURCE_H
#define KSPAN_SOURCE_H

#include <linux/nodemask.h>
#include <linux/sched.h>

#include "pages/page_heap.h"

/**
 * enum kspan_source - where a run may come from; the ones that cost others least are first
 * @KSPAN_FROM_FREE_PAGES: free pages of the node. At the soft limit, idle memory is given back
 *			first.
 * @KSPAN_FROM_NEW_ARENA: a new arena of the node, if the page allocator has one without effort
 * @KSPAN_FROM_OTHER_NODES: free pages of other nodes, the nearest first
 * @KSPAN_FROM_SHORTER_RUNS: for a class, a shorter run of the node's free pages, or a loose
 *			span, as long as there is one without effort; not yet the smallest
 * @KSPAN_WITH_EFFORT:	the smallest block that is long enough, with all that the flags allow
 * @KSPAN_BEYOND_LIMIT:	at the hard limit, idle memory is given back, and then free pages or
 *			the smallest block are tried again
 * @KSPAN_NR_SOURCES:	number of sources
 */
enum kspan_source {
	KSPAN_FROM_FREE_PAGES,
	KSPAN_FROM_NEW_ARENA,
	KSPAN_FROM_OTHER_NODES,
	KSPAN_FROM_SHORTER_RUNS,
	KSPAN_WITH_EFFORT,
	KSPAN_BEYOND_LIMIT,
	KSPAN_NR_SOURCES,
};

struct kspan_span *kspan_page_heap_try(const struct kspan_request *rq, enum kspan_source from);
struct kspan_span *kspan_page_heap_alloc(int nid, unsigned int npages, unsigned int align,
					 unsigned int class, gfp_t gfp);
unsigned int kspan_page_heap_alloc_spans(int nid, unsigned int npages, unsigned int align,
					 unsigned int class, unsigned int n,
					 struct list_head *spans);
int kspan_nearest_node(int nid, nodemask_t *tried);

/* Whether the cpuset of the current task allows the node's memory; yes outside of a task. */
static inline bool kspan_node_allowed(int nid)
{
#ifdef CONFIG_CPUSETS
	return !in_task() || node_isset(nid, current->mems_allowed);
#else
	return true;
#endif
}

#endif /* KSPAN_SOURCE_H */
