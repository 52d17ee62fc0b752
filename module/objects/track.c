// SPDX-License-Identifier: GPL-2.0
/*
 * Call sites of live objects
 *
 * In a private heap that is tracked, each span has a word for each slot behind its bitmaps. The
 * word is the call site: the return address of the call that allocated the object. When the
 * heap is destroyed, or when its owner asks for it, the live objects are summed up by call
 * site.
 *
 * Tiny objects that share a block share its word, which is of the object that was allocated last.
 * Objects from bulk calls and objects of whole pages are tracked like any others.
 *
 * Context: to note a site, any; to sum up, task, while no other caller uses the heap.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
#include <linux/kspan.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>

#include "base/kunit_export.h"
#include "base/name.h"
#include "objects/tiny.h"
#include "objects/track.h"

#define TABLE_BITS	9
#define TABLE_SIZE	BIT(TABLE_BITS)

/* Most call sites that kspan_track_report() prints. */
#define SITES_TOLD	20

bool kspan_track_heaps;

/* Note the call site of a slot of a pinned span. */
static void track_note(const struct kspan_found *found, unsigned long addr, unsigned long site)
{
	struct kspan_span *span = found->span;
	struct kspan_sample *sample;
	unsigned long *word;
	bool exact;

	if (!found->central->tracked || kspan_found_slot(found, addr) != KSPAN_SLOT_OUT)
		return;
	word = &kspan_span_sites(span)[kspan_slot_index(span->magic, addr - span->start, &exact)];
	if (!found->central->sampled) {
		WRITE_ONCE(*word, site);
		return;
	}
	sample = (struct kspan_sample *)READ_ONCE(*word);
	if (sample)
		WRITE_ONCE(sample->site, site);
}

/**
 * __kspan_track() - note where an object was allocated
 * @object:	new object of a tracked heap; NULL and ZERO_SIZE_PTR are ignored
 * @site:	return address of the call that allocated it
 *
 * Another caller with a stale pointer to the address may wrongly free the object meanwhile, and
 * its span may become another one. So the span is looked up, and pinned or held.
 *
 * Context: any, NMI included.
 */
void __kspan_track(const void *object, unsigned long site)
{
	unsigned long addr = (unsigned long)object;
	struct kspan_found found;
	bool pinned;

	if (ZERO_OR_NULL_PTR(object))
		return;
	rcu_read_lock_sched();
	pinned = kspan_lookup(addr, &found) && kspan_span_is_small(found.word.state) &&
		 kspan_found_pin(&found);
	rcu_read_unlock_sched();
	if (pinned) {
		/* The call site of a tiny object is that of its block; it may start within it. */
		track_note(&found, found.class == KSPAN_CLASS_TINY ?
				   ALIGN_DOWN(addr, KSPAN_TINY_BLOCK) : addr, site);
		kspan_span_unpin(found.span);
	} else if (kspan_large_hold(addr, &found)) {
		found.span->site = site;
		kspan_large_let_go(&found);
	}
}
KSPAN_EXPORT_FOR_KUNIT(__kspan_track);

/*
 * Add an object to the entry of its call site. If the table has no room for another site, add it
 * to the last entry, which is for all others and has site 0.
 */
static void add(struct kspan_site *table, unsigned long site, u64 bytes)
{
	unsigned int i = hash_long(site, TABLE_BITS), tries;

	for (tries = 0; tries < TABLE_SIZE; tries++, i = (i + 1) % TABLE_SIZE)
		if (!table[i].objects || table[i].site == site)
			break;
	if (tries == TABLE_SIZE) {
		i = TABLE_SIZE;
		site = 0;
	}
	table[i].site = site;
	table[i].objects++;
	table[i].bytes += bytes;
}

static void add_spans(struct kspan_site *table, struct list_head *spans)
{
	struct kspan_span *span;
	unsigned int i;

	list_for_each_entry(span, spans, list)
		for (i = 0; i < span->nslots; i++)
			if (span->alloc_bits[i / 64] & BIT_ULL(i % 64))
				add(table, kspan_word_site(span->central,
							   kspan_span_sites(span)[i]), span->size);
}

static int by_bytes(const void *a, const void *b)
{
	const struct kspan_site *left = a, *right = b;

	return left->bytes < right->bytes ? 1 : -(left->bytes > right->bytes);
}

/**
 * kspan_track_sum() - sum up the live objects of a heap by call site
 * @heap:	a tracked heap, which no other caller uses meanwhile
 * @nr_sites:	set to the number of entries
 *
 * Context: task, may sleep.
 * Return: a table of call sites, those with most bytes first, which the caller frees by kvfree().
 * Site 0 stands for chunks of regions, and for all sites for which the table had no room.
 * NULL if there is no memory for the table.
 */
struct kspan_site *kspan_track_sum(struct kspan_heap *heap, unsigned int *nr_sites)
{
	struct kspan_site *table = kvcalloc(TABLE_SIZE + 1, sizeof(*table), GFP_KERNEL);
	struct kspan_central *central;
	struct kspan_span *span;
	unsigned int i = 0;

	*nr_sites = 0;
	if (!table)
		return NULL;
	/* After the drain no slot is in a magazine: every slot that is out is live. */
	kspan_heap_drain(heap);
	kspan_large_merge(&heap->private->large);
	while ((central = kspan_heap_next_central(heap, &i))) {
		add_spans(table, &central->full);
		add_spans(table, &central->partial);
	}
	list_for_each_entry(span, &heap->private->large.spans, list)
		add(table, span->site, kspan_span_bytes(span));
	sort(table, TABLE_SIZE + 1, sizeof(*table), by_bytes, NULL);
	while (*nr_sites <= TABLE_SIZE && table[*nr_sites].objects)
		++*nr_sites;
	return table;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_track_sum);

/**
 * kspan_track_report() - print the live objects of a heap by call site
 * @heap: a tracked heap, which no other caller uses meanwhile
 *
 * Context: task, may sleep.
 */
void kspan_track_report(struct kspan_heap *heap)
{
	unsigned int nr_sites, i;
	struct kspan_site *sites = kspan_track_sum(heap, &nr_sites);
	char name[128];

	if (!sites)
		pr_warn("heap %s: no memory to tell where its objects are from\n", heap->name);
	for (i = 0; i < min(nr_sites, SITES_TOLD); i++)
		if (sites[i].site)
			pr_warn("heap %s: %lu objects, %llu bytes, from %s were never freed\n",
				heap->name, sites[i].objects, sites[i].bytes,
				kspan_name_of_code(name, sizeof(name), sites[i].site));
		else
			pr_warn("heap %s: %lu objects, %llu bytes, of regions or other places were never freed\n",
				heap->name, sites[i].objects, sites[i].bytes);
	if (nr_sites > SITES_TOLD)
		pr_warn("heap %s: and those from %u other places\n", heap->name,
			nr_sites - SITES_TOLD);
	kvfree(sites);
}
