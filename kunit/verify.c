// SPDX-License-Identifier: GPL-2.0
/*
 * Is a heap consistent?
 *
 *	1. page heaps	Spans and free pages fill every arena. An arena is in the bucket of its
 *			longest run. The map says of each page what types.h and arena.h promise.
 *			Counters are the sums of what was found.
 *	2. centrals	Spans are on the right list. Bitmaps, @used, @free_index and @high agree.
 *			The sum of @used is nr_out.
 *	3. magazines	Their objects are out of the spans, of the right class and node, and held
 *			once. out = cached + live. Those of a CPU have room for the limit of the
 *			class, and limits add up to the CPU's capacity.
 *	4. tiny objects	They start in live blocks. Each live block has an object or a mark. A mark
 *			is the highest bit of an open block, and only CPUs have open blocks.
 *
 * Nobody may use the heap during the check. The check first completes the frees that NMIs left. It
 * takes locks where fields need them. It prints and asserts nothing under a lock, but notes the
 * first error.
 */
#include <linux/bitmap.h>
#include <linux/bsearch.h>
#include <linux/sort.h>

#include "kspan_kunit.h"
#include "objects/seal.h"
#include "pages/run.h"

struct check {
	struct kspan_finding *finding;
	struct kspan_heap *heap;
	unsigned int *small;	/* spans of @heap found in arenas, by node, class and @sampled */
	void **cached;		/* objects found in magazines of one central */
	unsigned int nr_cached;
	unsigned int nr_magazines;
	unsigned long drawn;	/* bytes drawn from the budget of caches */
};

/* Sums over the arenas of a node. */
struct page_sums {
	unsigned long arenas;
	unsigned long empty;
	unsigned long empty_pages;
	unsigned long pages;
	unsigned long holes;
	unsigned long used;
	unsigned long in_buckets;
	unsigned long large;
	unsigned long large_pages;
	unsigned long kept;	/* in large spans */
};

/* A depot of 64 magazines, two magazines for each CPU, and one more. */
static unsigned int max_cached(void)
{
	return (64 + 2 * nr_cpu_ids + 1) * KSPAN_MAGAZINE_MAX;
}

static bool same(struct check *check, const char *what, unsigned long addr, u64 got, u64 want)
{
	if (got == want)
		return true;
	if (!check->finding->what)
		*check->finding = (struct kspan_finding) {
			.what = what, .addr = addr, .got = got, .want = want,
		};
	return false;
}

static bool holds(struct check *check, const char *what, unsigned long addr, bool truth)
{
	return same(check, what, addr, truth, true);
}

static u64 id(const void *p)
{
	return (unsigned long)p;
}

/* The spans of a central. */
static unsigned int *small_count(struct check *check, const struct kspan_central *central)
{
	return &check->small[(2 * central->nid + central->sampled) * KSPAN_NR_CLASSES +
			     central->class];
}

/* Whether a hollow span has lost this page. */
static bool is_gone(const struct kspan_span *span, unsigned int page)
{
	return page < KSPAN_HOLLOW_PAGES && span->gone_pages & BIT(page);
}

/* Every page of a small span has an entry, and the first page of a large one. */
static void check_map_of_run(struct check *check, struct kspan_span *span)
{
	/* A span of another heap may have frees that are still to be merged. */
	bool small = kspan_span_is_small(span->state) || span->state == KSPAN_SPAN_DETACHED;
	unsigned int i;

	for (i = 0; i < kspan_span_npages(span); i++) {
		unsigned long addr = span->start + KSPAN_KUNIT_PAGES(i);
		bool entry = small || i == 0;

		if (is_gone(span, i)) {
			holds(check, "page that is gone", addr, *kspan_map_entry(addr) != span);
			continue;
		}
		same(check, "map entry", addr, id(*kspan_map_entry(addr)), entry ? id(span) : 0);
		/* The scavenger may be about to free a span of a private heap. */
		if (span->state == KSPAN_SPAN_DETACHED && span->class == KSPAN_CLASS_PRIVATE &&
		    kspan_kunit_page_class(addr) == KSPAN_CLASS_PRIVATE)
			continue;
		same(check, "class of page", addr, kspan_kunit_page_class(addr),
		     kspan_span_is_small(span->state) && span->class != KSPAN_CLASS_TINY ?
		     span->class : 0);
	}
}

static void check_small(struct check *check, struct kspan_span *span)
{
	struct kspan_central *central = span->central;
	const struct kspan_size_class *sc;

	if (!holds(check, "small span has an owner", span->start, central))
		return;
	sc = central->sc;
	holds(check, "pages of small span", span->start,
	      kspan_span_npages(span) <= sc->pages && span->base_pages << PAGE_SHIFT >= sc->size);
	holds(check, "alignment of small span", span->start,
	      IS_ALIGNED(span->start, min(KSPAN_KUNIT_PAGES(sc->align), kspan_span_bytes(span))));
	/* For half of a page the class only says that the span must be looked at. */
	same(check, "class of small span", span->start, span->class,
	     kspan_span_is_half(span) ? KSPAN_CLASS_PRIVATE : central->page_class);
	same(check, "node of owner", span->start, central->nid, span->nid);
	if (central->heap == check->heap)
		++*small_count(check, central);
}

static void check_touched(struct check *check, struct kspan_span *span)
{
	unsigned long first = (span->start - span->arena->start) >> KSPAN_PAGE_SHIFT;
	unsigned int i;

	for (i = 0; i < kspan_span_npages(span); i++)
		if (!is_gone(span, i))
			holds(check, "used page is marked as touched", span->start,
			      test_bit(first + i, span->arena->touched));
}

static void check_used(struct check *check, struct kspan_span *span, struct page_sums *sums)
{
	sums->used += kspan_span_nr_pages(span);
	check_touched(check, span);
	if (kspan_span_is_large(span->state)) {
		sums->large++;
		sums->large_pages += kspan_span_npages(span);
		same(check, "class of large span", span->start, span->class, 0);
		same(check, "pages of large span that are gone", span->start, span->gone_pages, 0);
	} else if (span->state == KSPAN_SPAN_SMALL) {
		check_small(check, span);
	} else if (span->state == KSPAN_SPAN_SMALL_DEFERRED) {
		holds(check, "frees into span are merged", span->start,
		      span->central->heap != check->heap);
	} else if (span->state == KSPAN_SPAN_DEAD) {
		/* The node keeps a large span. */
		sums->kept += kspan_span_npages(span);
		same(check, "class of kept span", span->start, span->class, 0);
	} else {
		same(check, "state of run", span->start, span->state, KSPAN_SPAN_DETACHED);
	}
}

/* The first page that a run still has. */
static unsigned int first_page(const struct kspan_span *span)
{
	unsigned int page = 0;

	while (is_gone(span, page))
		page++;
	return page;
}

/*
 * Check the run that has the page at @addr. Returns the end of a large run, or of this page of a
 * small one: the gaps of a hollow span may have free pages and other runs. Returns 0 when the map
 * makes no sense from there on.
 */
static unsigned long check_run(struct check *check, struct kspan_arena *arena,
			       unsigned long addr, struct page_sums *sums)
{
	unsigned long end = arena->start + KSPAN_KUNIT_PAGES(arena->npages);
	struct kspan_span *span = *kspan_map_entry(addr);
	unsigned long first;

	if (!holds(check, "page has a run", addr, span))
		return 0;
	first = span->start + KSPAN_KUNIT_PAGES(first_page(span));
	if (!holds(check, "start of run", addr, span->class ? first <= addr : first == addr) ||
	    !holds(check, "page is in its run", addr,
		   addr - span->start < kspan_span_bytes(span)) ||
	    !holds(check, "page is its run's", addr,
		   !is_gone(span, (addr - span->start) >> KSPAN_PAGE_SHIFT)) ||
	    !holds(check, "run is in its arena", addr, span->start >= arena->start &&
		   kspan_span_bytes(span) <= end - span->start))
		return 0;
	if (addr == first) {
		same(check, "arena of run", addr, id(span->arena), id(arena));
		same(check, "node of run", addr, span->nid, arena->nid);
		check_map_of_run(check, span);
		check_used(check, span, sums);
	}
	return span->class ? addr + KSPAN_PAGE_SIZE : addr + kspan_span_bytes(span);
}

static bool in_bucket(const struct list_head *bucket, const struct kspan_arena *wanted)
{
	const struct kspan_arena *arena;

	list_for_each_entry(arena, bucket, in_bucket)
		if (arena == wanted)
			return true;
	return false;
}

/* A free page has no span. */
static void check_free_page(struct check *check, unsigned long addr)
{
	same(check, "map entry of free page", addr, id(*kspan_map_entry(addr)), 0);
	same(check, "class of free page", addr, kspan_kunit_page_class(addr), 0);
}

/* A hole has no span, or a loose one that lies in it. */
static void check_hole(struct check *check, unsigned long addr)
{
	const struct kspan_span *span = kspan_map_span(addr) ?: kspan_map_span(addr + PAGE_SIZE);

	if (span && kspan_span_is_loose(span))
		return;
	check_free_page(check, addr);
}

static void check_longest(struct check *check, struct kspan_page_heap *ph,
			  struct kspan_arena *arena)
{
	same(check, "longest run", arena->start, arena->longest,
	     kspan_run_longest(arena->free, arena->npages, arena->npages));
	if (arena->longest)
		holds(check, "bucket of arena", arena->start,
		      in_bucket(&ph->buckets[kspan_bucket_of(arena->longest)], arena));
}

static void check_arena(struct check *check, struct kspan_page_heap *ph,
			struct kspan_arena *arena, struct page_sums *sums)
{
	unsigned long end = arena->start + KSPAN_KUNIT_PAGES(arena->npages);
	unsigned long addr = arena->start, used_before = sums->used;

	sums->arenas++;
	sums->pages += arena->npages - arena->holes;
	sums->holes += arena->holes;
	same(check, "pages of arena", addr, arena->npages, 1 << (arena->order - KSPAN_PAGE_ORDER));
	holds(check, "natural alignment of arena", addr,
	      IS_ALIGNED(addr, PAGE_SIZE << arena->order));
	while (addr < end) {
		unsigned int page = (addr - arena->start) >> KSPAN_PAGE_SHIFT;

		if (test_bit(page, arena->free) || test_bit(page, arena->absent)) {
			if (test_bit(page, arena->absent))
				check_hole(check, addr);
			else
				check_free_page(check, addr);
			addr += KSPAN_PAGE_SIZE;
			continue;
		}
		addr = check_run(check, arena, addr, sums);
		if (!addr)
			return;
	}
	same(check, "used pages of arena", arena->start, arena->used, sums->used - used_before);
	same(check, "free pages of arena", arena->start,
	     bitmap_weight(arena->free, KSPAN_ARENA_PAGES),
	     arena->npages - arena->used - arena->holes);
	same(check, "holes of arena", arena->start,
	     bitmap_weight(arena->absent, KSPAN_ARENA_PAGES), arena->holes);
	holds(check, "no free page is a hole", arena->start,
	      !bitmap_intersects(arena->free, arena->absent, KSPAN_ARENA_PAGES));
	check_longest(check, ph, arena);
	if (!arena->used) {
		sums->empty++;
		sums->empty_pages += arena->npages - arena->holes;
	}
	if (arena->longest)
		sums->in_buckets++;
	holds(check, "no empty arena of single pages stays", arena->start,
	      arena->used || !arena->holes);
}

static void check_buckets(struct check *check, struct kspan_page_heap *ph,
			  const struct page_sums *sums)
{
	unsigned long count = 0;
	unsigned int bucket;

	for (bucket = 0; bucket < KSPAN_NR_BUCKETS; bucket++) {
		const struct kspan_arena *arena;

		same(check, "bucket is marked", bucket, test_bit(bucket, &ph->filled),
		     !list_empty(&ph->buckets[bucket]));
		list_for_each_entry(arena, &ph->buckets[bucket], in_bucket)
			count++;
	}
	same(check, "arenas in buckets", id(ph), count, sums->in_buckets);
}

static void check_spares(struct check *check, struct kspan_page_heap *ph)
{
	struct kspan_span *span;
	unsigned int count = 0;

	list_for_each_entry(span, &ph->spares, list) {
		same(check, "state of spare", id(span), span->state, KSPAN_SPAN_DEAD);
		count++;
	}
	same(check, "spares", id(ph), count, ph->nr_spares);
}

static unsigned long kept_pages(struct kspan_page_heap *ph)
{
	return atomic_long_read(&ph->kept) >> KSPAN_PAGE_ORDER;
}

/* Pages of the kernel's size in spans that the classes of the default heap and the node keep. */
static unsigned long pages_of_kept_spans(struct check *check, struct kspan_page_heap *ph,
					 const struct page_sums *sums)
{
	unsigned int class, npages, nr, nr_large = 0;
	unsigned long pages = 0;
	struct kspan_span *span;

	for (npages = 1; npages <= KSPAN_KEPT_PAGES; npages++) {
		nr = 0;
		list_for_each_entry(span, &ph->kept_large[npages - 1].spans, list) {
			same(check, "state of kept span", span->start, span->state,
			     KSPAN_SPAN_DEAD);
			same(check, "length of kept span", span->start, kspan_span_npages(span),
			     npages);
			same(check, "map of kept span", span->start,
			     id(kspan_map_span(span->start)), id(span));
			nr++;
		}
		same(check, "kept spans of a length", npages, ph->kept_large[npages - 1].nr, nr);
		same(check, "bit of the length", npages, test_bit(npages - 1, ph->kept_lengths),
		     nr > 0);
		nr_large += nr;
		pages += (unsigned long)nr * npages;
	}
	same(check, "kept large spans", id(ph), ph->nr_kept_large, nr_large);
	same(check, "pages of kept large spans", id(ph), pages, sums->kept);
	same(check, "count of these pages", id(ph), ph->kept_large_pages,
	     pages << KSPAN_PAGE_ORDER);
	for (class = 1; class < KSPAN_NR_CLASSES; class++)
		pages += (unsigned long)kspan_size_classes[class].pages *
			 kspan_heap_central(&kspan_default_heap, ph->nid, class)->nr_empty;
	return pages << KSPAN_PAGE_ORDER;
}

static void check_page_sums(struct check *check, struct kspan_page_heap *ph,
			    const struct page_sums *sums)
{
	same(check, "arenas", id(ph), ph->nr_arenas, sums->arenas);
	same(check, "empty arenas", id(ph), ph->nr_empty, sums->empty);
	same(check, "pages", id(ph), ph->pages, sums->pages);
	same(check, "used pages", id(ph), ph->used, sums->used);
	same(check, "large spans", id(ph), ph->large, sums->large);
	same(check, "pages of large spans", id(ph), ph->large_pages, sums->large_pages);
	holds(check, "peak", id(ph), ph->peak >= (ph->pages << KSPAN_PAGE_ORDER) + ph->loose_pages);
	same(check, "pages of empty arenas", id(ph), ph->empty_pages, sums->empty_pages);
	same(check, "holes", id(ph), ph->holes, sums->holes);
	/* The scavenger releases the pages that are kept for it when it looks next. */
	holds(check, "reserve", id(ph),
	      READ_ONCE(kspan_scavenge_ms) ||
	      ph->empty_pages <= (unsigned long)kspan_arena_reserve * KSPAN_ARENA_PAGES ||
	      ph->pages - min(ph->pages, ph->keep) <= KSPAN_ARENA_PAGES);
	holds(check, "what the kernel knows", id(ph),
	      abs((long)(ph->pages - ph->used + kept_pages(ph) - ph->reported)) <=
	      10 * KSPAN_REPORT_STEP + (long)kept_pages(ph));
	if (check->heap == &kspan_default_heap)
		same(check, "pages that are kept", id(ph), atomic_long_read(&ph->kept),
		     pages_of_kept_spans(check, ph, sums));
}

/* Loose spans of a node, and the large ones of them, counted by the map. */
static struct {
	int nid;
	unsigned long spans;
	unsigned long base_pages;
	unsigned long large;
	unsigned long large_pages;
} loose;

static void count_loose(struct kspan_span *span)
{
	if (!kspan_span_is_loose(span) || span->nid != loose.nid)
		return;
	loose.spans++;
	loose.base_pages += span->base_pages;
	if (kspan_span_is_large(span->state)) {
		loose.large++;
		loose.large_pages += kspan_span_npages(span);
	}
}

static void check_page_heap(struct check *check, int nid)
{
	struct kspan_page_heap *ph = kspan_page_heap(nid);
	struct page_sums sums = { 0 };
	unsigned long end = 0, flags;
	struct rb_node *node;

	raw_spin_lock_irqsave(&ph->lock, flags);
	memset(&loose, 0, sizeof(loose));
	loose.nid = nid;
	kspan_map_visit_spans(count_loose);
	same(check, "loose spans", id(ph), ph->loose, loose.spans);
	same(check, "pages of loose spans", id(ph), ph->loose_pages, loose.base_pages);
	sums.large = loose.large;
	sums.large_pages = loose.large_pages;
	for (node = rb_first(&ph->arenas); node; node = rb_next(node)) {
		struct kspan_arena *arena = rb_entry(node, struct kspan_arena, node);

		holds(check, "order of arenas", arena->start, arena->start >= end);
		same(check, "node of arena", arena->start, arena->nid, nid);
		end = arena->start + KSPAN_KUNIT_PAGES(arena->npages);
		check_arena(check, ph, arena, &sums);
	}
	check_buckets(check, ph, &sums);
	check_spares(check, ph);
	check_page_sums(check, ph, &sums);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
}

static unsigned int first_free_slot(const struct kspan_span *span)
{
	unsigned int slot = 0;

	while (slot < kspan_span_all_slots(span) &&
	       span->alloc_bits[slot / 64] & BIT_ULL(slot % 64))
		slot++;
	return slot;
}

/* One more than the last slot that is out. */
static unsigned int end_of_out(const struct kspan_span *span)
{
	unsigned int slot = kspan_span_words(span) * 64;

	while (slot && (slot > kspan_span_all_slots(span) || !kspan_span_is_out(span, slot - 1)))
		slot--;
	return slot;
}

/* Slots that a span has room for. A short span has fewer than its class says. */
static unsigned int slots_of(const struct kspan_span *span)
{
	const struct kspan_size_class *sc = span->central->sc;

	return min_t(unsigned long, sc->slots, kspan_span_bytes(span) / sc->size);
}

/* Check the seal of a free slot. */
static void check_seal(struct check *check, const struct kspan_span *span, unsigned long slot)
{
	unsigned int at = span->central->seal_at;

	if (kspan_exact_frees)
		same(check, "seal of free slot", slot, *(unsigned long *)(slot + at),
		     kspan_seal_of((void *)slot));
}

static void check_seals(struct check *check, const struct kspan_span *span)
{
	u64 gone = kspan_span_gone(span);
	unsigned int i;

	for (i = 0; i < kspan_span_all_slots(span); i++)
		if (!(i < 64 && gone & BIT_ULL(i)) && !kspan_span_is_out(span, i))
			check_seal(check, span, span->start + (unsigned long)i * span->size);
}

static void check_slots(struct check *check, const struct kspan_span *span)
{
	unsigned int words = kspan_span_words(span), out = 0, i;
	u64 gone = kspan_span_gone(span);

	same(check, "slots of span", span->start, span->nslots + hweight64(gone),
	     slots_of(span));
	same(check, "slots from pages", span->start, kspan_span_all_slots(span),
	     slots_of(span));
	if (gone) {
		same(check, "slots that are gone are no free ones", span->start,
		     span->inline_bits[0] & gone, gone);
		same(check, "slots that are gone are deferred", span->start,
		     span->inline_bits[1], gone);
	}
	same(check, "size of slots", span->start, span->size, span->central->sc->size);
	if (words == 1 && !span->central->tracked)
		same(check, "bitmap of one word is inline", span->start, id(span->alloc_bits),
		     id(span->inline_bits));
	for (i = 0; i < words; i++)
		out += hweight64(span->alloc_bits[i] & ~gone);
	same(check, "used slots of span", span->start, span->used, out);
	holds(check, "no slot below free_index is free", span->start,
	      first_free_slot(span) >= span->free_index);
	holds(check, "no slot from high on is out", span->start, end_of_out(span) <= span->high);
	holds(check, "high is within the span", span->start,
	      span->high <= kspan_span_all_slots(span));
	check_seals(check, span);
}

/* Check a span that is a block by itself. */
static void check_loose(struct check *check, struct kspan_span *span)
{
	unsigned long last = span->start + kspan_span_bytes(span) - 1;

	holds(check, "length of loose span", span->start, is_power_of_2(span->base_pages));
	holds(check, "alignment of loose span", span->start,
	      IS_ALIGNED(span->start, kspan_span_bytes(span)));
	same(check, "end of loose span", span->start, id(kspan_map_span(last)), id(span));
	if (kspan_span_is_half(span))
		same(check, "class of divided page", span->start,
		     kspan_kunit_page_class(span->start), KSPAN_CLASS_PRIVATE);
	else
		check_map_of_run(check, span);
	check_small(check, span);
}

/* Check the spans of one list of a locked central. Returns how many. */
static unsigned long check_list(struct check *check, struct kspan_central *central,
				struct list_head *list, bool full, unsigned long *out,
				unsigned long *base_pages, unsigned int *empty)
{
	struct kspan_span *span;
	unsigned long count = 0;
	bool unused = false;

	list_for_each_entry(span, list, list) {
		same(check, "state of span on list", span->start, span->state, KSPAN_SPAN_SMALL);
		same(check, "owner of span on list", span->start, id(span->central), id(central));
		same(check, "map knows span on list", span->start,
		     id(kspan_map_span(span->start + KSPAN_KUNIT_PAGES(first_page(span)))),
		     id(span));
		if (kspan_span_is_loose(span))
			check_loose(check, span);
		*base_pages += kspan_span_own_base_pages(span);
		same(check, "span is on the list of full ones", span->start,
		     full, span->used == span->nslots);
		/* Spans without an object are at the end of the list. Hollow ones do not stay. */
		holds(check, "span in use has a slot out", span->start,
		      span->used || (!span->gone_pages &&
				     (central->account || !kspan_span_is_loose(span))));
		holds(check, "spans without a slot out are the last", span->start,
		      !unused || !span->used);
		unused = !span->used;
		*empty += unused;
		check_slots(check, span);
		*out += span->used;
		count++;
	}
	return count;
}

static void check_spans(struct check *check, struct kspan_central *central)
{
	unsigned long out = 0, base_pages = 0, spans;
	unsigned int empty = 0;

	spans = check_list(check, central, &central->partial, false, &out, &base_pages, &empty);
	spans += check_list(check, central, &central->full, true, &out, &base_pages, &empty);
	same(check, "spans without an object", id(central), central->nr_empty, empty);
	holds(check, "least of these", id(central), central->empty_low <= empty);
	same(check, "pages of central", id(central), central->base_pages, base_pages);
	same(check, "spans of central", id(central), spans, central->nr_spans);
	same(check, "spans of central in arenas", id(central),
	     *small_count(check, central), central->nr_spans);
	same(check, "slots out", id(central), central->nr_out, out);
}

/* Note the objects of a magazine, which must hold @min or more. */
static void collect(struct check *check, struct kspan_central *central,
		    struct kspan_magazine *mag, unsigned int min)
{
	unsigned int i;

	check->nr_magazines++;
	holds(check, "capacity of magazine", id(mag),
	      mag->cap <= kspan_magazine_cap(central->sc));
	if (!holds(check, "count of magazine", id(mag), mag->count >= min &&
		   mag->count <= mag->cap && check->nr_cached + mag->count <= max_cached()))
		return;
	for (i = 0; i < mag->count; i++)
		check->cached[check->nr_cached++] = mag->object[i];
}

static void collect_depot(struct check *check, struct kspan_central *central)
{
	unsigned int magazines = 0;
	struct kspan_magazine *mag;

	list_for_each_entry(mag, &central->depot_full, list) {
		collect(check, central, mag, 1);
		magazines++;
	}
	same(check, "full magazines of depot", id(central), magazines, central->nr_depot_full);
	same(check, "objects of depot", id(central), check->nr_cached, central->nr_depot_objects);
	list_for_each_entry(mag, &central->depot_empty, list) {
		same(check, "count of empty magazine", id(mag), mag->count, 0);
		collect(check, central, mag, 0);
	}
}

/* A magazine of a CPU has room for the limit. It may have more room if it came from a depot. */
static void collect_of_cpu(struct check *check, struct kspan_central *central,
			   struct kspan_magazine *mag, unsigned int limit)
{
	collect(check, central, mag, 0);
	holds(check, "magazine has room for the limit", id(mag), mag->cap >= limit);
}

static void collect_cpus(struct check *check, struct kspan_central *central)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct kspan_cpu_cache *cache = per_cpu_ptr(check->heap->cpu, cpu);
		struct kspan_cpu_class *of_class = &cache->class[central->cached_class];
		struct kspan_magazine *loaded = of_class->loaded, *previous = of_class->previous;

		same(check, "busy mark of idle cache", id(cache), cache->busy, 0);
		if (cache->nid != central->nid)
			continue;
		if (loaded != &kspan_no_magazine)
			collect_of_cpu(check, central, loaded, of_class->limit);
		if (previous != &kspan_no_magazine)
			collect_of_cpu(check, central, previous, of_class->limit);
		if (loaded != &kspan_no_magazine)
			holds(check, "magazines are two", id(loaded), loaded != previous);
	}
}

static int compare_addresses(const void *a, const void *b)
{
	unsigned long left = *(unsigned long *)a, right = *(unsigned long *)b;

	return left < right ? -1 : left > right;
}

static void check_cached_object(struct check *check, struct kspan_central *central,
				unsigned long addr)
{
	struct kspan_span *span = kspan_map_span(addr);
	unsigned int index;

	if (!holds(check, "cached object is in a small span", addr,
		   span && span->state == KSPAN_SPAN_SMALL))
		return;
	same(check, "owner of cached object", addr, id(span->central), id(central));
	same(check, "cached object is out", addr, kspan_span_slot_state(span, addr, &index),
	     KSPAN_SLOT_OUT);
	check_seal(check, span, addr);
}

static void check_cached(struct check *check, struct kspan_central *central)
{
	unsigned int i;

	sort(check->cached, check->nr_cached, sizeof(void *), compare_addresses, NULL);
	for (i = 0; i < check->nr_cached; i++) {
		unsigned long addr = (unsigned long)check->cached[i];

		holds(check, "object is cached once", addr,
		      !i || check->cached[i] != check->cached[i - 1]);
		check_cached_object(check, central, addr);
	}
	holds(check, "cached are out", id(central), check->nr_cached <= central->nr_out);
}

static bool is_cached(struct check *check, unsigned long addr)
{
	return bsearch(&addr, check->cached, check->nr_cached, sizeof(void *), compare_addresses);
}

/* The state of the CPU that packs into this block, or NULL. */
static const struct kspan_tiny *packer_of(struct check *check, unsigned long addr)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct kspan_tiny *tiny = &per_cpu_ptr(check->heap->cpu, cpu)->tiny;

		if ((unsigned long)tiny->block == addr)
			return tiny;
	}
	return NULL;
}

static void check_block(struct check *check, const struct kspan_span *span, unsigned int index)
{
	unsigned int byte = index * KSPAN_TINY_BLOCK;
	u16 starts = span->starts[byte / BITS_PER_LONG] >> byte % BITS_PER_LONG;
	bool out = span->alloc_bits[index / 64] & BIT_ULL(index % 64);
	unsigned long addr = span->start + byte;
	const struct kspan_tiny *tiny = packer_of(check, addr);

	if (out && !is_cached(check, addr))
		holds(check, "live block has an object or a mark", addr, starts);
	else
		same(check, "free block has no object", addr, starts, 0);
	same(check, "open block is a CPU's", addr, test_bit(index, kspan_span_open_bits(span)),
	     !!tiny);
	if (tiny)
		same(check, "mark is the highest bit", addr, fls(starts) - 1, tiny->offset);
}

static void check_blocks(struct check *check, struct list_head *list)
{
	struct kspan_span *span;
	unsigned int index;

	list_for_each_entry(span, list, list)
		for (index = 0; index < span->nslots; index++)
			check_block(check, span, index);
}

/* The cached blocks were collected before. */
static void check_tiny(struct check *check, struct kspan_central *central)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&central->lock, flags);
	check_blocks(check, &central->partial);
	check_blocks(check, &central->full);
	raw_spin_unlock_irqrestore(&central->lock, flags);
}

static void check_packers(struct check *check)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct kspan_tiny *tiny = &per_cpu_ptr(check->heap->cpu, cpu)->tiny;
		unsigned long addr = (unsigned long)tiny->block;
		struct kspan_span *span = kspan_map_span(addr);

		if (!addr || !holds(check, "open block is in a small span", addr,
				    span && span->state == KSPAN_SPAN_SMALL))
			continue;
		same(check, "class of open block", addr, span->class, KSPAN_CLASS_TINY);
		same(check, "span of open block", addr, id(tiny->span), id(span));
	}
}

static void check_capacity(struct check *check, struct kspan_cpu_cache *cache)
{
	const struct kspan_heap *heap = check->heap;
	unsigned int class, capacity = 0;

	same(check, "limit of class 0", id(cache), cache->class[0].limit, 0);
	for (class = 1; class < heap->nr_classes; class++) {
		holds(check, "limit of class", class,
		      cache->class[class].limit <= kspan_magazine_cap(&heap->classes[class]));
		capacity += 2 * cache->class[class].limit * heap->classes[class].size;
	}
	same(check, "capacity of cache", id(cache), cache->capacity, capacity);
	check->drawn += kspan_cpu_cache_drawn(heap, cache) -
			((unsigned long)cache->large.drawn << KSPAN_PAGE_SHIFT);
	holds(check, "victim is a class", id(cache), cache->victim < KSPAN_NR_CLASSES);
}

static void check_central(struct check *check, struct kspan_central *central)
{
	unsigned long flags;

	check->nr_cached = 0;
	check->nr_magazines = 0;
	raw_spin_lock_irqsave(&central->lock, flags);
	check_spans(check, central);
	collect_depot(check, central);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	collect_cpus(check, central);
	same(check, "magazines of central", id(central), check->nr_magazines,
	     central->nr_magazines);
	rcu_read_lock();
	check_cached(check, central);
	rcu_read_unlock();
	if (central->page_class == KSPAN_CLASS_TINY)
		check_tiny(check, central);
}

/* Pages that a private heap is charged for. Half of a page counts as one. */
static unsigned long pages_of_central(struct kspan_central *central)
{
	struct kspan_span *span;
	unsigned long pages = 0, flags;

	raw_spin_lock_irqsave(&central->lock, flags);
	list_for_each_entry(span, &central->partial, list)
		pages += kspan_span_nr_pages(span);
	list_for_each_entry(span, &central->full, list)
		pages += kspan_span_nr_pages(span);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return pages;
}

static void check_account(struct check *check)
{
	struct kspan_private *private = check->heap->private;
	struct kspan_large_owner *owner;
	unsigned long pages, large = 0, objects = 0, flags;
	struct kspan_central *central;
	struct kspan_span *span;
	unsigned int i = 0;

	if (!private)
		return;
	owner = &private->large;
	kspan_large_merge(owner);
	raw_spin_lock_irqsave(&owner->lock, flags);
	list_for_each_entry(span, &owner->spans, list) {
		holds(check, "large object of a heap", span->start,
		      kspan_span_is_large(span->state));
		same(check, "owner of large object", span->start, id(span->owner), id(owner));
		large += kspan_span_npages(span);
		objects++;
	}
	same(check, "pages of large objects", id(owner), owner->pages, large);
	same(check, "large objects", id(owner), owner->objects, objects);
	raw_spin_unlock_irqrestore(&owner->lock, flags);
	pages = large + atomic_long_read(&private->kv.pages);
	while ((central = kspan_heap_next_central(check->heap, &i)))
		pages += pages_of_central(central);
	same(check, "pages that the heap answers for", id(check->heap),
	     atomic_long_read(&private->account.pages), pages);
}

static void check_all(struct check *check)
{
	struct kspan_central *central;
	unsigned int i, cpu;
	int nid;

	for_each_possible_cpu(cpu)
		check_capacity(check, per_cpu_ptr(check->heap->cpu, cpu));
	for (i = 0; (central = kspan_heap_next_central(check->heap, &i));)
		kspan_central_merge_all(central);
	check_account(check);
	for (i = 0; (central = kspan_heap_next_central(check->heap, &i));)
		check->drawn += central->depot_drawn;
	same(check, "bytes drawn for caches", id(check->heap),
	     atomic_long_read(&check->heap->budget.drawn), check->drawn);
	for_each_node(nid) {
		kspan_page_heap_merge_all(kspan_page_heap(nid));
		check_page_heap(check, nid);
	}
	/* Do not follow lists when the map is wrong already. */
	for (i = 0; !check->finding->what &&
	     (central = kspan_heap_next_central(check->heap, &i));)
		check_central(check, central);
	rcu_read_lock();
	check_packers(check);
	rcu_read_unlock();
}

/**
 * kspan_find_inconsistency() - look for an error in a heap
 * @heap:		is not in use meanwhile; spans of other heaps are checked as runs of pages
 *		only
 * @finding:	set to the first error
 */
void kspan_find_inconsistency(struct kspan_heap *heap, struct kspan_finding *finding)
{
	struct check check = { .finding = finding, .heap = heap };

	memset(finding, 0, sizeof(*finding));
	check.small = kcalloc(2 * MAX_NUMNODES * KSPAN_NR_CLASSES, sizeof(*check.small),
			      GFP_KERNEL);
	check.cached = kmalloc_array(max_cached(), sizeof(void *), GFP_KERNEL);
	if (check.small && check.cached)
		check_all(&check);
	else
		finding->what = "no memory to check in";
	kfree(check.cached);
	kfree(check.small);
}

/**
 * kspan_verify() - expect no error in a heap
 * @test:	fails otherwise
 * @heap:	as for kspan_find_inconsistency()
 */
void kspan_verify(struct kunit *test, struct kspan_heap *heap)
{
	struct kspan_finding finding;

	kspan_find_inconsistency(heap, &finding);
	KUNIT_EXPECT_TRUE_MSG(test, !finding.what, "%s at %#lx: %#llx instead of %#llx",
			      finding.what, finding.addr, finding.got, finding.want);
}
