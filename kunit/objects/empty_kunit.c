// SPDX-License-Identifier: GPL-2.0
/*
 * Empty spans: a class of the default heap keeps spans that lost their last object, and a node
 * keeps large spans.
 *
 * The cases set kept_most themselves, and use classes that nothing else does: spans of class 6784
 * have 6 slots in 5 pages, those of 27264 have 3 in 10. No scavenger runs meanwhile.
 */
#include <linux/kspan.h>
#include <linux/nodemask.h>
#include <linux/shrinker.h>

#include "context.h"
#include "kspan_kunit.h"
#include "objects/empty.h"
#include "pages/kept.h"
#include "reclaim/reclaim.h"
#include "reclaim/scavenger.h"

#define NID	first_memory_node
#define SIZE	6784
#define OTHER	27264

/* Most objects of a case. */
#define MOST	1200

static void **objects;

static struct kspan_page_heap *ph(void)
{
	return kspan_page_heap(NID);
}

static struct kspan_central *central_of(size_t size)
{
	return kspan_heap_central(&kspan_default_heap, NID, kspan_size_class(size));
}

static void may_keep(unsigned long pages)
{
	ph()->kept_most = pages << KSPAN_PAGE_ORDER;
}

static unsigned long kept(void)
{
	return atomic_long_read(&ph()->kept) >> KSPAN_PAGE_ORDER;
}

static int empty_init(struct kunit *test)
{
	kspan_kunit_init(test);
	objects = kunit_kcalloc(test, MOST, sizeof(*objects), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objects);
	KUNIT_ASSERT_LT(test, kspan_size_classes[kspan_size_class(SIZE)].pages,
			kspan_size_classes[kspan_size_class(OTHER)].pages);
	may_keep(LONG_MAX >> KSPAN_PAGE_SHIFT);
	return 0;
}

static void empty_exit(struct kunit *test)
{
	may_keep(0);
	kspan_kunit_exit(test);
}

/* Take all slots of @nr spans of a class, past the caches. Returns how many slots that are. */
static unsigned int take(struct kunit *test, size_t size, unsigned int nr, void **slots)
{
	unsigned int class = kspan_size_class(size), i, n = nr * kspan_size_classes[class].slots;

	KUNIT_ASSERT_LE(test, n, (unsigned int)MOST);
	for (i = 0; i < n; i++) {
		slots[i] = kspan_heap_alloc_slot(&kspan_default_heap, class, NID,
						 GFP_KERNEL | __GFP_THISNODE);
		KUNIT_ASSERT_NOT_NULL(test, slots[i]);
	}
	return n;
}

static void give(size_t size, void **slots, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		kspan_seal(slots[i], 0);
	kspan_central_return(central_of(size), slots, n);
}

/* Take and return so many spans. */
static void use(struct kunit *test, size_t size, unsigned int nr)
{
	give(size, objects, take(test, size, nr, objects));
}

static unsigned int nr_empty(size_t size)
{
	return central_of(size)->nr_empty;
}

static void class_keeps_spans_without_an_object(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	struct kspan_stats stats;
	unsigned long used;

	use(test, SIZE, 5);
	kspan_stats_read(&stats);
	KUNIT_EXPECT_EQ(test, stats.heap_empty, (u64)KSPAN_KUNIT_PAGES(5 * central->sc->pages));
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 5U);
	KUNIT_EXPECT_EQ(test, kept(), 5UL * central->sc->pages);
	kspan_verify(test, &kspan_default_heap);
	/* They are used again, and no other is made. */
	used = ph()->used;
	KUNIT_EXPECT_EQ(test, take(test, SIZE, 5, objects), 5U * central->sc->slots);
	KUNIT_EXPECT_EQ(test, ph()->used, used);
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 0U);
	KUNIT_EXPECT_EQ(test, kept(), 0UL);
	give(SIZE, objects, 5 * central->sc->slots);
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 0U);
	KUNIT_EXPECT_EQ(test, kept(), 0UL);
}

static void none_is_kept_without_a_scavenger(struct kunit *test)
{
	unsigned long used = ph()->used;

	may_keep(0);
	use(test, SIZE, 5);
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 0U);
	KUNIT_EXPECT_EQ(test, ph()->used, used);
}

/* As many as all together leave over: half of 100 pages, then a third of the other half. */
static void one_class_leaves_room_for_another(struct kunit *test)
{
	unsigned int pages = central_of(SIZE)->sc->pages, others = central_of(OTHER)->sc->pages;

	may_keep(100);
	use(test, SIZE, 20);
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 50 / pages);
	use(test, OTHER, 20);
	KUNIT_EXPECT_EQ(test, nr_empty(OTHER), (100 - nr_empty(SIZE) * pages) / 2 / others);
	kspan_verify(test, &kspan_default_heap);
}

static void loose_spans_are_not_kept(struct kunit *test)
{
	unsigned int class = kspan_size_class(SIZE);
	struct kspan_span *span;
	void *object;

	/* Nothing but a loose span is to be had. */
	kspan_arena_reserve = 0;
	kspan_kunit_settle();
	kspan_hard_limit = kspan_arena_bytes() + (PAGE_SIZE << get_order(SIZE));
	object = kspan_heap_alloc_slot(&kspan_default_heap, class, NID,
				       GFP_KERNEL | __GFP_THISNODE);
	kspan_hard_limit = 0;
	KUNIT_ASSERT_NOT_NULL(test, object);
	span = kspan_map_small_span((unsigned long)object);
	KUNIT_EXPECT_TRUE(test, kspan_span_is_loose(span));
	give(SIZE, &object, 1);
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 0U);
	KUNIT_EXPECT_EQ(test, ph()->loose, 0UL);
}

/* The pages of empty spans are used before the node takes a new arena. */
static void request_gets_pages_of_empty_spans(struct kunit *test)
{
	unsigned int n = central_of(SIZE)->sc->slots, npages = central_of(SIZE)->sc->pages, i = 0;
	unsigned long arenas, pages;

	/* The arenas have no room for another span. */
	do
		i += take(test, SIZE, 1, objects + i);
	while (ph()->pages - ph()->used >= npages && i + n <= MOST);
	KUNIT_ASSERT_LT(test, ph()->pages - ph()->used, (unsigned long)npages);
	arenas = ph()->nr_arenas;
	give(SIZE, objects, i);
	pages = kept();
	KUNIT_ASSERT_GT(test, pages, 2UL * central_of(OTHER)->sc->pages);
	i = take(test, OTHER, 2, objects);
	KUNIT_EXPECT_EQ(test, ph()->nr_arenas, arenas);
	KUNIT_EXPECT_LT(test, kept(), pages);
	/* A large object is served, too: here one that may begin with any page. */
	objects[i] = kspan_malloc_node(13 * KSPAN_PAGE_SIZE, GFP_KERNEL | __GFP_THISNODE, NID);
	KUNIT_EXPECT_NOT_NULL(test, objects[i]);
	KUNIT_EXPECT_EQ(test, ph()->nr_arenas, arenas);
	kspan_free(objects[i]);
	give(OTHER, objects, i);
	kspan_verify(test, &kspan_default_heap);
}

static void all_classes_give_in_turn(struct kunit *test)
{
	unsigned int pages = central_of(SIZE)->sc->pages, others = central_of(OTHER)->sc->pages;

	use(test, SIZE, 4);
	use(test, OTHER, 4);
	KUNIT_EXPECT_EQ(test, kspan_empty_release(NID, 1) + kspan_empty_release(NID, 1),
			(unsigned long)pages + others);
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 3U);
	KUNIT_EXPECT_EQ(test, nr_empty(OTHER), 3U);
	KUNIT_EXPECT_EQ(test, kspan_empty_release(NID, ULONG_MAX), 3UL * (pages + others));
	KUNIT_EXPECT_EQ(test, kept(), 0UL);
	KUNIT_EXPECT_EQ(test, kspan_empty_release(NID, 1), 0UL);
}

/* What a class did not need between two visits goes. */
static void reap_takes_what_was_not_needed(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);

	use(test, SIZE, 8);
	kspan_empty_reap(central);
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 8U);
	use(test, SIZE, 3);
	kspan_empty_reap(central);
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 3U);
	kspan_empty_reap(central);
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 0U);
	kspan_verify(test, &kspan_default_heap);
}

static void scavenger_reaps(struct kunit *test)
{
	unsigned int look;

	use(test, SIZE, 8);
	for (look = 0; look < 4 && nr_empty(SIZE); look++) {
		kspan_scavenge(NSEC_PER_SEC);
		/* A look sets the bound, too. Here memory has none. */
		KUNIT_EXPECT_GT(test, ph()->kept_most, 0UL);
	}
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 0U);
	KUNIT_EXPECT_GT(test, look, 1U);
}

/* Also for kswapd, which nobody waits for. */
static void reclaim_takes_empty_spans(struct kunit *test)
{
	unsigned long held;

	use(test, SIZE, 8);
	kspan_page_heap_release(NID, ULONG_MAX, false);
	held = ph()->pages;
	KUNIT_EXPECT_GT(test, kspan_reclaim(NID, ULONG_MAX, 0, KSPAN_BY_SHRINKER), 0UL);
	KUNIT_EXPECT_EQ(test, kept(), 0UL);
	KUNIT_EXPECT_LT(test, ph()->pages, held);
}

static void kernel_knows_of_empty_spans(struct kunit *test)
{
	unsigned long before;

	kspan_page_heap_report(ph());
	before = ph()->reported;
	use(test, SIZE, 8);
	kspan_page_heap_report(ph());
	KUNIT_EXPECT_EQ(test, ph()->reported, ph()->pages - ph()->used + kept());
	KUNIT_EXPECT_GT(test, ph()->reported, before);
}

/* A wrong free of an object of a span that is kept changes nothing, by an NMI neither. */
static void wrong_free_leaves_an_empty_span(struct kunit *test)
{
	u64 wrong = kspan_bad_frees();

	KUNIT_ASSERT_EQ(test, context_open(), 0);
	use(test, SIZE, 2);
	kspan_free(objects[0]);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - wrong, 1ULL);
	if (context_free_in_nmi(objects[1], kspan_size_class(SIZE))) {
		kspan_central_merge_all(central_of(SIZE));
		KUNIT_EXPECT_EQ(test, kspan_bad_frees() - wrong, 2ULL);
	}
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 2U);
	kspan_verify(test, &kspan_default_heap);
	context_close();
}

/* An NMI frees the last object of a span. The merge keeps the span. */
static void merge_keeps_an_empty_span(struct kunit *test)
{
	unsigned int n;
	bool ran;

	KUNIT_ASSERT_EQ(test, context_open(), 0);
	n = take(test, SIZE, 1, objects);
	give(SIZE, objects, n - 1);
	ran = context_free_in_nmi(objects[n - 1], kspan_size_class(SIZE));
	if (ran)
		kspan_central_merge_all(central_of(SIZE));
	else
		give(SIZE, objects + n - 1, 1);
	context_close();
	KUNIT_EXPECT_EQ(test, nr_empty(SIZE), 1U);
	kspan_verify(test, &kspan_default_heap);
	if (!ran)
		kunit_skip(test, "no NMI on this machine");
}

/* Large objects of 13 pages. */
#define LARGE	100000
#define NPAGES	13

static void *large(struct kunit *test, size_t size)
{
	void *p = kspan_malloc_node(size, GFP_KERNEL | __GFP_THISNODE, NID);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static void node_keeps_large_spans(struct kunit *test)
{
	unsigned long used = ph()->used, nr = ph()->large;
	u64 wrong = kspan_bad_frees();
	unsigned int i;
	void *p;

	for (i = 0; i < 3; i++)
		objects[i] = large(test, LARGE);
	for (i = 0; i < 3; i++)
		kspan_free(objects[i]);
	KUNIT_EXPECT_EQ(test, kept(), 3UL * NPAGES);
	KUNIT_EXPECT_EQ(test, ph()->used, used + 3 * NPAGES);
	KUNIT_EXPECT_EQ(test, ph()->large, nr);
	kspan_verify(test, &kspan_default_heap);
	/* They are no objects. */
	KUNIT_EXPECT_FALSE(test, kspan_owns(objects[1]));
	kspan_free(objects[1]);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - wrong, 1ULL);
	/* The one that was freed last is the next. */
	p = large(test, LARGE - 1);
	KUNIT_EXPECT_PTR_EQ(test, p, objects[2]);
	KUNIT_EXPECT_TRUE(test, kspan_owns(p));
	KUNIT_EXPECT_EQ(test, ph()->large, nr + 1);
	KUNIT_EXPECT_EQ(test, kept(), 2UL * NPAGES);
	kspan_verify(test, &kspan_default_heap);
	kspan_free(p);
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_EXPECT_EQ(test, kept(), 0UL);
	KUNIT_EXPECT_EQ(test, ph()->used, used);
}

/* A request that finds none of its length has others freed, or they would be there for ever. */
static void other_lengths_go(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		objects[i] = large(test, LARGE);
	for (i = 0; i < 5; i++)
		kspan_free(objects[i]);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 5U);
	objects[0] = large(test, 2 * LARGE);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 3U);
	objects[1] = large(test, LARGE);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 2U);
	kspan_free(objects[0]);
	kspan_free(objects[1]);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 4U);
	kspan_verify(test, &kspan_default_heap);
}

static void kept_span_is_aligned(struct kunit *test)
{
	void *p[2], *aligned;

	/* Two neighbours of 16 pages behind one of a page: neither is aligned to 128 KiB. */
	p[0] = large(test, KSPAN_MAX_SMALL + 1);
	p[1] = large(test, SZ_128K - 1);
	KUNIT_EXPECT_FALSE(test, IS_ALIGNED((unsigned long)p[1], SZ_128K));
	kspan_free(p[1]);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 1U);
	aligned = large(test, SZ_128K);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)aligned, SZ_128K));
	kspan_free(aligned);
	kspan_free(p[0]);
}

/* Heaps pass large spans on to each other. What a heap has when it ends is not kept. */
static void kept_span_changes_its_heap(struct kunit *test)
{
	struct kspan_heap *heap = kspan_heap_create("kept", 0, 0);
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	objects[0] = large(test, LARGE);
	kspan_free(objects[0]);
	p = kspan_heap_malloc_node(heap, LARGE, GFP_KERNEL, NID);
	KUNIT_EXPECT_PTR_EQ(test, p, objects[0]);
	KUNIT_EXPECT_PTR_EQ(test, kspan_map_span((unsigned long)p)->owner, &heap->private->large);
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 1U);
	KUNIT_EXPECT_PTR_EQ(test, large(test, LARGE), p);
	KUNIT_EXPECT_NULL(test, kspan_map_span((unsigned long)p)->owner);
	kspan_free(p);
	KUNIT_EXPECT_PTR_EQ(test, kspan_heap_malloc_node(heap, LARGE, GFP_KERNEL, NID), p);
	kspan_heap_destroy(heap);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 0U);
}

static void longest_spans_are_not_kept(struct kunit *test)
{
	void *p = large(test, SZ_1M + 1);

	kspan_free(p);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 0U);
	p = large(test, SZ_1M);
	kspan_free(p);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 1U);
	/* A length has half of what may be kept, as a class has. */
	may_keep(2 * NPAGES);
	kspan_heap_drain(&kspan_default_heap);
	kspan_free(large(test, LARGE));
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 1U);
	objects[0] = large(test, LARGE);
	objects[1] = large(test, LARGE);
	kspan_free(objects[0]);
	kspan_free(objects[1]);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 1U);
}

static void large_spans_are_reaped(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		objects[i] = large(test, LARGE);
	for (i = 0; i < 5; i++)
		kspan_free(objects[i]);
	kspan_kept_reap(NID);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 5U);
	objects[0] = large(test, LARGE);
	objects[1] = large(test, LARGE);
	kspan_free(objects[0]);
	kspan_free(objects[1]);
	kspan_kept_reap(NID);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 2U);
	kspan_verify(test, &kspan_default_heap);
	/* The scavenger does it. */
	KUNIT_EXPECT_TRUE(test, kspan_scavenge(NSEC_PER_SEC));
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 0U);
}

/* A small object's class gets the pages of large spans, as there are no others. */
static void classes_get_pages_of_large_spans(struct kunit *test)
{
	unsigned long arenas;
	unsigned int i, n = 0;

	for (i = 0; i < 5; i++)
		objects[i] = large(test, LARGE);
	for (; ph()->pages - ph()->used >= NPAGES && i < MOST; i++)
		objects[i] = large(test, LARGE);
	arenas = ph()->nr_arenas;
	while (n < 5)
		kspan_free(objects[n++]);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 5U);
	n = take(test, SIZE, 4, objects + MOST / 2);
	KUNIT_EXPECT_EQ(test, ph()->nr_arenas, arenas);
	KUNIT_EXPECT_LT(test, ph()->nr_kept_large, 5U);
	give(SIZE, objects + MOST / 2, n);
	while (i-- > 5)
		kspan_free(objects[i]);
	kspan_verify(test, &kspan_default_heap);
}

/* An object grows into the pages of a kept span. */
static void objects_grow_into_kept_spans(struct kunit *test)
{
	unsigned long pages = ph()->used;
	unsigned int i;
	void *p;

	/* One behind the other, in an arena that has nothing else. */
	kspan_arena_reserve = 0;
	kspan_kunit_settle();
	for (i = 0; i < 3; i++)
		objects[i] = large(test, LARGE);
	KUNIT_ASSERT_PTR_EQ(test, objects[1], objects[0] + KSPAN_KUNIT_PAGES(NPAGES));
	KUNIT_ASSERT_PTR_EQ(test, objects[2], objects[1] + KSPAN_KUNIT_PAGES(NPAGES));
	kspan_free(objects[1]);
	kspan_free(objects[2]);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 2U);
	p = kspan_realloc(objects[0], 3 * LARGE, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, p, objects[0]);
	KUNIT_EXPECT_EQ(test, ph()->nr_kept_large, 0U);
	kspan_verify(test, &kspan_default_heap);
	/* Where a live object is behind, nothing is freed for it. */
	objects[1] = large(test, LARGE);
	p = kspan_realloc(p, 4 * LARGE, GFP_KERNEL);
	KUNIT_EXPECT_PTR_NE(test, p, objects[0]);
	kspan_free(objects[1]);
	kspan_free(p);
	kspan_heap_drain(&kspan_default_heap);
	KUNIT_EXPECT_EQ(test, ph()->used, pages);
}

/* Many objects are free in the caches; reclaim does not keep what it drains. */
static void reclaim_keeps_nothing(struct kunit *test)
{
	unsigned int i, n = 4 * central_of(SIZE)->sc->slots;
	unsigned long held;

	for (i = 0; i < n; i++) {
		objects[i] = kspan_malloc_node(SIZE, GFP_KERNEL | __GFP_THISNODE, NID);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
	}
	for (i = 0; i < n; i++)
		kspan_free(objects[i]);
	kspan_empty_release(NID, ULONG_MAX);
	held = ph()->pages;
	KUNIT_EXPECT_GT(test, kspan_reclaim(NID, ULONG_MAX, KSPAN_RECLAIM_HOLES |
					    KSPAN_RECLAIM_WAITS | KSPAN_RECLAIM_ALL,
					    KSPAN_BY_LIMIT), 0UL);
	KUNIT_EXPECT_EQ(test, kept(), 0UL);
	KUNIT_EXPECT_LT(test, ph()->pages, held);
	/* The next look of the scavenger allows it again. */
	KUNIT_EXPECT_EQ(test, ph()->kept_most, 0UL);
	kspan_scavenge(NSEC_PER_SEC);
	KUNIT_EXPECT_GT(test, ph()->kept_most, 0UL);
}

/* A request at the hard limit gets the pages of what others have in their caches. */
static void request_at_the_hard_limit_gets_kept_pages(struct kunit *test)
{
	unsigned int i;
	void *p;

	kspan_arena_reserve = 0;
	kspan_kunit_settle();
	for (i = 0; i < 16; i++)
		objects[i] = large(test, LARGE);
	kspan_hard_limit = kspan_arena_bytes();
	for (i = 0; i < 16; i++)
		kspan_free(objects[i]);
	KUNIT_EXPECT_GT(test, kept(), 0UL);
	p = kspan_malloc_node(SZ_1M, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, NID);
	kspan_hard_limit = 0;
	KUNIT_EXPECT_NOT_NULL(test, p);
	kspan_free(p);
}

static void shrinker_counts_kept_spans(struct kunit *test)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nid = NID };
	unsigned long before, now;
	unsigned int i;

	use(test, SIZE, 8);
	for (i = 0; i < 5; i++)
		objects[i] = large(test, LARGE);
	before = kspan_shrink_count(NULL, &sc);
	before = before == SHRINK_EMPTY ? 0 : before;
	for (i = 0; i < 5; i++)
		kspan_free(objects[i]);
	now = kspan_shrink_count(NULL, &sc);
	KUNIT_EXPECT_EQ(test, now, before + (5 * NPAGES << KSPAN_PAGE_ORDER));
	sc.nr_to_scan = 16;
	/* Pages may become free without an arena that becomes empty. The next call goes on. */
	KUNIT_EXPECT_NE(test, kspan_shrink_scan(NULL, &sc), SHRINK_STOP);
	sc.nr_to_scan = ULONG_MAX >> KSPAN_PAGE_SHIFT;
	kspan_shrink_scan(NULL, &sc);
	KUNIT_EXPECT_EQ(test, kept(), 0UL);
}

static void nothing_is_kept_when_the_scavenger_stops(struct kunit *test)
{
	use(test, SIZE, 8);
	kspan_free(large(test, LARGE));
	KUNIT_EXPECT_GT(test, kept(), 0UL);
	kspan_scavenger_restart();
	KUNIT_EXPECT_EQ(test, kept(), 0UL);
	KUNIT_EXPECT_EQ(test, ph()->kept_most, 0UL);
}

/* A request of another node that finds no memory there gets the pages of this one. */
static void other_nodes_get_pages_of_empty_spans(struct kunit *test)
{
	int other = next_node(NID, node_states[N_MEMORY]);
	unsigned int class = kspan_size_class(OTHER);
	unsigned long pages;
	void *object;

	if (other >= MAX_NUMNODES) {
		kunit_skip(test, "there is one node");
		return;
	}
	kspan_arena_reserve = 0;
	kspan_kunit_settle();
	use(test, SIZE, 64);
	kspan_page_heap_release(NID, ULONG_MAX, true);
	KUNIT_EXPECT_EQ(test, ph()->pages - ph()->used, 0UL);
	pages = kept();
	kspan_hard_limit = kspan_arena_bytes();
	object = kspan_heap_alloc_slot(&kspan_default_heap, class, other,
				       GFP_ATOMIC | __GFP_NOWARN);
	kspan_hard_limit = 0;
	KUNIT_EXPECT_NOT_NULL(test, object);
	KUNIT_EXPECT_LT(test, kept(), pages);
	if (object)
		give(OTHER, &object, 1);
}

/* What an NMI freed is merged before a trim ends, and is not kept by it. */
static void trim_leaves_no_kept_span(struct kunit *test)
{
	void *p = large(test, SZ_1M);
	struct kspan_span *span = kspan_map_span((unsigned long)p);

	KUNIT_ASSERT_TRUE(test, kspan_span_change_state(span, KSPAN_SPAN_LARGE,
							KSPAN_SPAN_LARGE_DEFERRED));
	kspan_page_heap_defer(span);
	kspan_trim();
	KUNIT_EXPECT_EQ(test, kept(), 0UL);
}

static void statistics_have_descriptors_of_kept_spans(struct kunit *test)
{
	struct kspan_stats before, after;
	void *p = large(test, LARGE);

	kspan_stats_read(&before);
	kspan_free(p);
	kspan_stats_read(&after);
	KUNIT_EXPECT_EQ(test, after.mspan_sys, before.mspan_sys);
	KUNIT_EXPECT_EQ(test, after.mspan_inuse, before.mspan_inuse);
	KUNIT_EXPECT_EQ(test, after.heap_inuse, before.heap_inuse);
	KUNIT_EXPECT_EQ(test, after.heap_empty - before.heap_empty, (u64)KSPAN_KUNIT_PAGES(NPAGES));
	KUNIT_EXPECT_EQ(test, after.heap_objects, before.heap_objects - 1);
}

static struct kunit_case empty_cases[] = {
	KUNIT_CASE(class_keeps_spans_without_an_object),
	KUNIT_CASE(none_is_kept_without_a_scavenger),
	KUNIT_CASE(one_class_leaves_room_for_another),
	KUNIT_CASE(loose_spans_are_not_kept),
	KUNIT_CASE(request_gets_pages_of_empty_spans),
	KUNIT_CASE(all_classes_give_in_turn),
	KUNIT_CASE(reap_takes_what_was_not_needed),
	KUNIT_CASE(scavenger_reaps),
	KUNIT_CASE(reclaim_takes_empty_spans),
	KUNIT_CASE(kernel_knows_of_empty_spans),
	KUNIT_CASE(wrong_free_leaves_an_empty_span),
	KUNIT_CASE(merge_keeps_an_empty_span),
	KUNIT_CASE(node_keeps_large_spans),
	KUNIT_CASE(other_lengths_go),
	KUNIT_CASE(kept_span_is_aligned),
	KUNIT_CASE(kept_span_changes_its_heap),
	KUNIT_CASE(longest_spans_are_not_kept),
	KUNIT_CASE(large_spans_are_reaped),
	KUNIT_CASE(classes_get_pages_of_large_spans),
	KUNIT_CASE(objects_grow_into_kept_spans),
	KUNIT_CASE(reclaim_keeps_nothing),
	KUNIT_CASE(request_at_the_hard_limit_gets_kept_pages),
	KUNIT_CASE(shrinker_counts_kept_spans),
	KUNIT_CASE(nothing_is_kept_when_the_scavenger_stops),
	KUNIT_CASE(other_nodes_get_pages_of_empty_spans),
	KUNIT_CASE(trim_leaves_no_kept_span),
	KUNIT_CASE(statistics_have_descriptors_of_kept_spans),
	{}
};

static struct kunit_suite empty_suite = {
	.name = "kspan_empty",
	.init = empty_init,
	.exit = empty_exit,
	.test_cases = empty_cases,
};

kunit_test_suite(empty_suite);
