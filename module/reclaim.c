// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim
 *
 * What caches hold goes to the spans, empty spans to arenas, empty arenas to the page
 * allocator.
 */
#include <linux/kspan.h>

#include "kunit_export.h"
#include "page_heap.h"
#include "pool.h"
#include "private.h"

static u64 released_pages(void)
{
	u64 pages = 0;
	int nid;

	for_each_node(nid)
		pages += READ_ONCE(kspan_page_heap(nid)->released);
	return pages;
}

/**
 * kspan_trim() - give back all memory that nobody uses
 *
 * Objects that CPUs, depots and pools keep, spans without an object, and free pages.
 *
 * Context: task; sleeps.
 * Return: bytes that went back to the page allocator.
 */
unsigned long kspan_trim(void)
{
	u64 before = released_pages();

	kspan_pool_trim();
	kspan_heap_flush(&kspan_default_heap);
	kspan_private_trim_all();
	kspan_page_heap_trim();
	return (released_pages() - before) << KSPAN_PAGE_SHIFT;
}
EXPORT_SYMBOL_GPL(kspan_trim);
