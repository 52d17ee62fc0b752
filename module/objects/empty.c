// SPDX-License-Identifier: GPL-2.0
/*
 * Empty spans
 *
 * To make a span of free pages, and to give its pages back, takes several times as long as to take
 * slots from one that exists. So a class of the default heap keeps a span that lost its last
 * object, within a bound, as long as the scavenger runs, which gives back what was not needed since
 * its last look.
 *
 * All classes of a node may keep as much as kspan may keep idle there, kspan_idle_allowance(). One
 * class may keep as much as all classes together leave over. So a class alone has half, and there
 * is always room for one that begins to free; see "dynamic thresholds", Choudhury and Hahne, 1998.
 *
 * They are at the end of the partial list, so that they are used last, and the class takes only as
 * many of them as it needs. They are idle memory: a request that needs pages gets those of empty
 * spans before the node takes a new arena, the kernel counts them as available, and reclaim takes
 * them first.
 *
 * The node keeps large spans in the same way, and the bound is for both: see pages/kept.c.
 *
 * Loose, short and hollow spans are not kept: they exist because memory is short or in pieces.
 *
 * A private heap keeps its empty spans by other rules: they count to its limit.
 *
 * Context: task, softirq, hardirq.
 */
#include "base/kunit_export.h"
#include "objects/central.h"
#include "objects/empty.h"
#include "objects/heap.h"
#include "pages/hooks.h"
#include "pages/kept.h"

/* Pages that one request for pages makes free; more, if it needs more and may take its time. */
#define KSPAN_EMPTY_GIVEN	16U

/**
 * kspan_empty_reap() - give back the empty spans that the class did not need lately
 * @central: of the default heap; the caller does not hold its lock
 *
 * That is as many as it had all the time since the last call.
 *
 * Context: task.
 */
void kspan_empty_reap(struct kspan_central *central)
{
	unsigned int n = kspan_glance(central->empty_low), some;
	unsigned long flags;

	for (; n; n -= some) {
		some = min(n, KSPAN_EMPTY_GIVEN);
		kspan_central_trim(central, false, (unsigned long)some * central->sc->pages);
		cond_resched();
	}
	raw_spin_lock_irqsave(&central->lock, flags);
	central->empty_low = central->nr_empty;
	raw_spin_unlock_irqrestore(&central->lock, flags);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_empty_reap);

/* Return the pages of empty spans of one class. Returns how many pages became free. */
static unsigned long trim_class(int nid, unsigned int class, unsigned long want)
{
	struct kspan_central *central = kspan_heap_central(&kspan_default_heap, nid, class);

	return kspan_glance(central->nr_empty) ? kspan_central_trim(central, false, want) : 0;
}

/**
 * kspan_empty_release() - free the large spans that a node keeps, and then empty spans
 * @nid:	node
 * @want:	stop after so many pages of 8 KiB, or a few more
 *
 * Context: task, softirq, hardirq.
 * Return: how many pages of 8 KiB became free.
 */
unsigned long kspan_empty_release(int nid, unsigned long want)
{
	struct kspan_page_heap *ph = kspan_page_heap(nid);
	unsigned int class = READ_ONCE(ph->empty_class), i;
	unsigned long pages = kspan_kept_free(nid, UINT_MAX, want);

	/* Each call begins with the next class, so that all lose in turn. */
	for (i = 1; i < KSPAN_NR_CLASSES && pages < want && atomic_long_read(&ph->kept); i++) {
		class = class % (KSPAN_NR_CLASSES - 1) + 1;
		pages += trim_class(nid, class, want - pages);
	}
	WRITE_ONCE(ph->empty_class, class);
	return pages;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_empty_release);

/**
 * kspan_empty_release_all() - kspan_empty_release() of all that the node keeps now
 * @nid:	node
 * @want:	as for kspan_empty_release()
 *
 * Context: task; does not sleep, but offers to be preempted.
 * Return: how many pages of 8 KiB became free.
 */
unsigned long kspan_empty_release_all(int nid, unsigned long want)
{
	struct kspan_page_heap *ph = kspan_page_heap(nid);
	unsigned long kept = atomic_long_read(&ph->kept) >> KSPAN_PAGE_ORDER, pages = 0, some;

	want = min(want, kept);
	while (pages < want) {
		some = kspan_empty_release(nid, min(want - pages, 8UL * KSPAN_EMPTY_GIVEN));
		if (!some)
			break;
		pages += some;
		cond_resched();
	}
	return pages;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_empty_release_all);

/* A request found no free pages on the node. */
static bool serve_request(int nid, unsigned int npages, gfp_t gfp)
{
	unsigned int want = KSPAN_EMPTY_GIVEN;

	if (gfp & KSPAN_GFP_NOLOCK)
		return false;
	if (gfpflags_allow_blocking(gfp))
		want = max(npages, want);
	return kspan_empty_release(nid, want);
}

/** kspan_empty_init() - from now on requests for pages get those of empty spans */
void kspan_empty_init(void)
{
	kspan_relief.empty_spans = serve_request;
}
