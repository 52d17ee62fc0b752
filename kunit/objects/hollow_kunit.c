// SPDX-License-Identifier: GPL-2.0
/*
 * Hollow spans: others use the pages of a span that only free slots touch.
 *
 * Spans of class 4096 have 8 slots in 4 pages, two in each.
 */
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/nodemask.h>

#include "api/heaps.h"
#include "api/private.h"
#include "context.h"
#include "model.h"

#define NID		first_memory_node
#define SIZE		4096
#define SLOTS		8
#define PAGES		4
/* Random patterns for each class with more than 8 slots. */
#define PATTERNS	(IS_ENABLED(CONFIG_KASAN) ? 6 : 40)

static struct kspan_heap *heap;

static int hollow_init(struct kunit *test)
{
	kspan_kunit_init(test);
	heap = kspan_kunit_heap(test);
	return heap ? 0 : -ENOMEM;
}

static struct kspan_central *central_of(size_t size)
{
	return kspan_heap_central(heap, NID, kspan_size_class(size));
}

/* Used pages of all nodes, as the case may run on another node than NID. */
static unsigned long used_pages(void)
{
	struct kspan_page_stats stats;

	kspan_page_stats_read(&stats);
	return stats.used;
}

static unsigned long hollow(struct kspan_central *central, unsigned long want)
{
	unsigned long looks = ULONG_MAX;

	return kspan_central_hollow(central, want, &looks);
}

/* Make a span with all slots out. @slots has them by rising address, stamped with their numbers. */
static struct kspan_span *full_span(struct kunit *test, struct kspan_central *central,
				    void **slots)
{
	const struct kspan_size_class *sc = central->sc;
	struct kspan_span *span;
	unsigned int i;

	span = kspan_page_heap_alloc(NID, sc->pages, sc->align, central->page_class,
				     GFP_KERNEL | __GFP_THISNODE);
	KUNIT_ASSERT_NOT_NULL(test, span);
	KUNIT_ASSERT_EQ(test, kspan_span_format(span, sc, false, GFP_KERNEL), 0);
	kspan_seal_span(span, central->seal_at);
	KUNIT_ASSERT_NOT_NULL(test, kspan_central_adopt(central, span, 0));
	for (i = 1; i < sc->slots; i++)
		KUNIT_ASSERT_NOT_NULL(test, kspan_central_alloc(central, 0));
	for (i = 0; i < sc->slots; i++) {
		slots[i] = (void *)(span->start + (unsigned long)i * sc->size);
		model_stamp(slots[i], sc->size, i + 1);
	}
	return span;
}

static void return_one(struct kspan_central *central, void *object)
{
	kspan_seal(object, central->seal_at);
	kspan_central_return(central, &object, 1);
}

static void keep_only(struct kspan_central *central, void **slots, u64 keep)
{
	unsigned int i;

	for (i = 0; i < central->sc->slots; i++)
		if (!(keep & BIT_ULL(i)))
			return_one(central, slots[i]);
}

/* Compute the pages that no kept slot touches, without kspan's code. */
static unsigned int unused_pages(const struct kspan_size_class *sc, u64 keep)
{
	unsigned int page, i, pages = 0;

	for (page = 0; page < sc->pages; page++) {
		unsigned long start = KSPAN_KUNIT_PAGES(page), end = start + KSPAN_PAGE_SIZE;
		bool used = false;

		for (i = 0; i < sc->slots; i++)
			if (keep & BIT_ULL(i) && i * (unsigned long)sc->size < end &&
			    (i + 1) * (unsigned long)sc->size > start)
				used = true;
		if (!used)
			pages |= BIT(page);
	}
	return pages;
}

static void expect_stamps(struct kunit *test, struct kspan_central *central, void **slots,
			  u64 keep)
{
	unsigned int i;

	for (i = 0; i < central->sc->slots; i++)
		if (keep & BIT_ULL(i))
			KUNIT_EXPECT_TRUE_MSG(test, model_stamped(slots[i], central->sc->size,
								  i + 1),
					      "slot %u of class %u", i, central->class);
}

/* Free the slots in @keep, in an order that depends on @order. */
static void free_kept(struct kspan_central *central, void **slots, u64 keep, u32 order)
{
	unsigned int n = central->sc->slots, i, at;

	for (i = 0; i < n; i++) {
		at = order & 1 ? (i + order) % n : n - 1 - (i + order) % n;
		if (keep & BIT_ULL(at))
			return_one(central, slots[at]);
	}
}

static void try_pattern(struct kunit *test, struct kspan_central *central, u64 keep, u32 order)
{
	const struct kspan_size_class *sc = central->sc;
	unsigned long used = used_pages();
	unsigned int pages = unused_pages(sc, keep), n = hweight32(pages), i;
	struct kspan_span *span;
	void *slots[64], *taken[64];

	span = full_span(test, central, slots);
	keep_only(central, slots, keep);
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), (unsigned long)n);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->gone_pages, pages);
	KUNIT_EXPECT_EQ(test, used_pages() - used, (unsigned long)sc->pages - n);
	KUNIT_EXPECT_EQ(test, central->nr_out, (unsigned long)hweight64(keep));
	KUNIT_EXPECT_EQ_MSG(test, hollow(central, ULONG_MAX), 0UL,
			    "there is nothing left");
	kspan_verify(test, heap);
	/* The free slots that are left lie on pages that the span still has. */
	n = kspan_central_take(central, taken, sc->slots, 0);
	KUNIT_EXPECT_EQ(test, n, span->nslots - hweight64(keep));
	for (i = 0; i < n; i++) {
		unsigned int slot = ((unsigned long)taken[i] - span->start) / sc->size;

		KUNIT_EXPECT_FALSE(test, keep & BIT_ULL(slot));
		KUNIT_EXPECT_FALSE(test, kspan_span_slots_on(span, pages) & BIT_ULL(slot));
		memset(taken[i], 0xaa, sc->size);
	}
	if (n)
		kspan_central_return(central, taken, n);
	expect_stamps(test, central, slots, keep);
	free_kept(central, slots, keep, order);
	KUNIT_EXPECT_EQ(test, used_pages(), used);
	KUNIT_EXPECT_EQ(test, central->nr_spans, 0UL);
	KUNIT_EXPECT_EQ(test, central->base_pages, 0UL);
}

static bool may_be_hollow(const struct kspan_size_class *sc)
{
	return sc->pages > 1 && sc->slots > 1 && sc->slots <= 64;
}

static void every_class(struct kunit *test)
{
	unsigned int class, hollow = 0;
	unsigned long patterns = 0;
	struct rnd_state rnd;
	u64 keep, all;

	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	for (class = 1; class < KSPAN_CLASS_TINY; class++) {
		struct kspan_central *central = kspan_heap_central(heap, NID, class);
		const struct kspan_size_class *sc = central->sc;
		unsigned int i;

		if (!may_be_hollow(sc))
			continue;
		KUNIT_ASSERT_LE(test, (unsigned int)sc->pages, KSPAN_HOLLOW_PAGES);
		hollow++;
		all = BIT_ULL(sc->slots) - 1;
		for (keep = 1; sc->slots <= 8 && keep <= all; keep++, patterns++)
			try_pattern(test, central, keep, prandom_u32_state(&rnd));
		for (i = 0; sc->slots > 8 && i < PATTERNS; i++, patterns++) {
			/* Mostly a few slots of many. */
			keep = prandom_u32_state(&rnd) & prandom_u32_state(&rnd) &
			       (i % 2 ? prandom_u32_state(&rnd) : ~0U) & all;
			try_pattern(test, central, keep ?: 1, prandom_u32_state(&rnd));
		}
	}
	kunit_info(test, "%u classes, %lu patterns\n", hollow, patterns);
	KUNIT_EXPECT_GT(test, hollow, 20U);
}

static void single_pages_stay_whole(struct kunit *test)
{
	struct kspan_central *central = central_of(512);
	void *slots[64];

	full_span(test, central, slots);
	keep_only(central, slots, 1);
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), 0UL);
	return_one(central, slots[0]);
}

static void no_more_than_wanted(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	static void *slots[80][SLOTS];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		full_span(test, central, slots[i]);
		keep_only(central, slots[i], 1);
	}
	KUNIT_EXPECT_EQ_MSG(test, hollow(central, 1), 3UL, "a span's");
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), 79UL * 3);
	kspan_verify(test, heap);
	for (i = 0; i < ARRAY_SIZE(slots); i++)
		return_one(central, slots[i][0]);
}

/*
 *	|x.|..|..|.x|	becomes		|x.|LL|s |.x|
 */
static void gap_is_used_again(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE), *other = central_of(512);
	struct kspan_span *span, *large, *small;
	void *slots[SLOTS], *others[64];
	unsigned long start;

	span = full_span(test, central, slots);
	start = span->start;
	keep_only(central, slots, BIT(0) | BIT(7));
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), 2UL);
	KUNIT_EXPECT_NULL(test, kspan_map_span(start + KSPAN_KUNIT_PAGES(1)));
	KUNIT_EXPECT_NULL(test, kspan_map_span(start + KSPAN_KUNIT_PAGES(3) - 1));
	KUNIT_EXPECT_PTR_EQ(test, kspan_map_span(start + KSPAN_KUNIT_PAGES(3)), span);
	small = full_span(test, other, others);
	KUNIT_EXPECT_EQ(test, small->start, start + KSPAN_KUNIT_PAGES(1));
	large = kspan_page_heap_alloc(NID, 1, 1, 0, GFP_KERNEL | __GFP_THISNODE);
	KUNIT_ASSERT_NOT_NULL(test, large);
	KUNIT_EXPECT_EQ(test, large->start, start + KSPAN_KUNIT_PAGES(2));
	memset((void *)large->start, 0x55, KSPAN_PAGE_SIZE);
	KUNIT_EXPECT_FALSE_MSG(test, kspan_page_heap_resize(large->start, 2, GFP_KERNEL),
			       "there is a page in use behind it");
	KUNIT_EXPECT_PTR_EQ(test, kspan_map_span(large->start + 100), large);
	KUNIT_EXPECT_PTR_EQ(test, kspan_map_span(small->start + 100), small);
	kspan_verify(test, heap);
	expect_stamps(test, central, slots, BIT(0) | BIT(7));
	expect_stamps(test, other, others, BIT(0) | BIT(15));
	/* When the last slot is freed the span is retired, and the spans in its gap stay. */
	return_one(central, slots[7]);
	kspan_verify(test, heap);
	return_one(central, slots[0]);
	kspan_verify(test, heap);
	KUNIT_EXPECT_NULL(test, kspan_map_span(start));
	KUNIT_EXPECT_PTR_EQ(test, kspan_map_span(large->start + 100), large);
	expect_stamps(test, other, others, BIT_ULL(16) - 1);
	KUNIT_EXPECT_FALSE(test, memchr_inv((void *)large->start, 0x55, KSPAN_PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, kspan_page_heap_resize(large->start, 2, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, kspan_page_heap_free(large, large->start, KSPAN_SPAN_LARGE));
	keep_only(other, others, 0);
}

/* The span loses its first pages. A large object before it grows into the first of them. */
static void gap_at_the_start(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	struct kspan_span *before, *span;
	void *slots[SLOTS];

	before = kspan_page_heap_alloc(NID, 1, 1, 0, GFP_KERNEL | __GFP_THISNODE);
	KUNIT_ASSERT_NOT_NULL(test, before);
	span = full_span(test, central, slots);
	KUNIT_ASSERT_EQ(test, span->start, before->start + KSPAN_PAGE_SIZE);
	keep_only(central, slots, BIT(7));
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), 3UL);
	KUNIT_EXPECT_TRUE(test, kspan_page_heap_resize(before->start, 3, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, kspan_map_span(span->start + KSPAN_PAGE_SIZE), before);
	KUNIT_EXPECT_NULL(test, kspan_map_span(span->start + KSPAN_KUNIT_PAGES(2)));
	kspan_verify(test, heap);
	expect_stamps(test, central, slots, BIT(7));
	return_one(central, slots[7]);
	KUNIT_EXPECT_TRUE(test, kspan_page_heap_free(before, before->start, KSPAN_SPAN_LARGE));
}

/* Free pages in the gap of a span become holes of the arena. */
static void gap_becomes_a_hole(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	u64 foreign = kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN);
	struct kspan_page_heap *ph = kspan_page_heap(NID);
	void *slots[SLOTS];

	full_span(test, central, slots);
	keep_only(central, slots, BIT(3));
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), 3UL);
	KUNIT_EXPECT_GE(test, kspan_page_heap_release(NID, ULONG_MAX, true), 3UL);
	KUNIT_EXPECT_EQ(test, ph->pages, ph->used);
	kspan_verify(test, heap);
	expect_stamps(test, central, slots, BIT(3));
	kspan_free(slots[0]);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN) - foreign, 1ULL);
	return_one(central, slots[3]);
}

static void expect_wrong(struct kunit *test, enum kspan_bad_free_kind kind, void *p,
			 unsigned int class)
{
	u64 before = kspan_bad_free_count(kind), all = kspan_bad_frees();

	/* Try the central first, as kspan_free() does with an object that no magazine takes. */
	if (!class || !kspan_central_free((unsigned long)p, class))
		kspan_free(p);
	KUNIT_EXPECT_EQ_MSG(test, kspan_bad_free_count(kind) - before, 1ULL, "kind %u", kind);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - all, 1ULL);
	kspan_verify(test, heap);
}

/* Slot 2 of class 3456 starts in page 0 and ends in page 1. */
static void wrong_frees_are_reported(struct kunit *test)
{
	struct kspan_central *central = central_of(3456);
	unsigned int class = central->class;
	struct kspan_span *span, *large;
	void *slots[8], *batch[2];
	u64 doubles;

	span = full_span(test, central, slots);
	KUNIT_ASSERT_EQ(test, (unsigned int)span->nslots, 7U);
	keep_only(central, slots, BIT(0) | BIT(1));
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), 2UL);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->nslots, 2U);
	KUNIT_EXPECT_EQ_MSG(test, kspan_central_take(central, batch, 2, 0), 0U, "slot 2 is gone");
	expect_wrong(test, KSPAN_BAD_FREE_DOUBLE, slots[2], class);
	expect_wrong(test, KSPAN_BAD_FREE_INTERIOR, slots[2] + 8, class);
	expect_wrong(test, KSPAN_BAD_FREE_INTERIOR, slots[0] + 8, class);
	/* Return a batch, as a magazine does. */
	doubles = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);
	batch[0] = slots[2];
	batch[1] = slots[1];
	kspan_seal(slots[1], central->seal_at);
	kspan_central_return(central, batch, 2);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE) - doubles, 1ULL);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->used, 1U);
	expect_wrong(test, KSPAN_BAD_FREE_DOUBLE, slots[1], class);
	/* Addresses in the gap: first its pages are free, then a large object has them. */
	expect_wrong(test, KSPAN_BAD_FREE_DOUBLE, slots[4], 0);
	large = kspan_page_heap_alloc(NID, 2, 1, 0, GFP_KERNEL | __GFP_THISNODE);
	KUNIT_ASSERT_NOT_NULL(test, large);
	KUNIT_ASSERT_EQ(test, large->start, span->start + KSPAN_PAGE_SIZE);
	expect_wrong(test, KSPAN_BAD_FREE_INTERIOR, slots[4], 0);
	KUNIT_EXPECT_TRUE(test, model_stamped(slots[0], 3456, 1));
	return_one(central, slots[0]);
	KUNIT_EXPECT_TRUE(test, kspan_page_heap_free(large, large->start, KSPAN_SPAN_LARGE));
}

static void frees_in_nmi(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	unsigned long used = used_pages();
	struct kspan_span *span;
	void *slots[SLOTS];
	u64 wrong;

	KUNIT_ASSERT_EQ(test, context_open(), 0);
	span = full_span(test, central, slots);
	keep_only(central, slots, BIT(0) | BIT(2) | BIT(7));
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), 1UL);
	if (!context_free_in_nmi(slots[2], central->class)) {
		free_kept(central, slots, BIT(0) | BIT(2) | BIT(7), 0);
		context_close();
		kunit_skip(test, "no NMI on this machine");
		return;
	}
	KUNIT_EXPECT_EQ(test, (int)span->state, (int)KSPAN_SPAN_SMALL_DEFERRED);
	wrong = kspan_bad_frees();
	/* The NMI can't defer the free twice: the second one is found at once. */
	KUNIT_EXPECT_TRUE(test, context_free_in_nmi(slots[2], central->class));
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - wrong, 1ULL);
	/* hollow() merges the deferred free before it looks at the span. */
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), 1UL);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->gone_pages, (unsigned int)(BIT(1) | BIT(2)));
	kspan_verify(test, heap);
	KUNIT_EXPECT_TRUE(test, context_free_in_nmi(slots[0], central->class));
	KUNIT_EXPECT_TRUE(test, context_free_in_nmi(slots[7], central->class));
	kspan_central_merge_all(central);
	KUNIT_EXPECT_EQ(test, used_pages(), used);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - wrong, 1ULL);
	context_close();
}

/* A task that allocates and frees objects of the default heap at random. */
struct party {
	struct task_struct *task;
	u64 seed;
	unsigned long rounds;
	unsigned long broken;
	unsigned long failed;
	struct { u8 *p; size_t size; } object[64];
};

static void exchange(struct party *user, unsigned int i, size_t size)
{
	if (user->object[i].p && !model_stamped(user->object[i].p, user->object[i].size, i))
		user->broken++;
	kspan_free(user->object[i].p);
	user->object[i].size = size;
	user->object[i].p = size ? kspan_malloc(size, GFP_KERNEL) : NULL;
	if (user->object[i].p)
		model_stamp(user->object[i].p, size, i);
	else if (size)
		user->failed++;
}

static int use_all_the_time(void *data)
{
	struct party *user = data;
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, user->seed);
	while (!kthread_should_stop()) {
		i = kspan_kunit_below(&rnd, ARRAY_SIZE(user->object));
		exchange(user, i, kspan_kunit_below(&rnd, 3) ?
			 0 : 1 + kspan_kunit_below(&rnd, 40000));
		user->rounds++;
		cond_resched();
	}
	for (i = 0; i < ARRAY_SIZE(user->object); i++)
		exchange(user, i, 0);
	return 0;
}

static void others_allocate_and_free(struct kunit *test)
{
	static struct party users[2];
	u64 wrong = kspan_bad_frees();
	unsigned long end, pages = 0;
	struct kspan_central *central;
	unsigned int i;

	memset(users, 0, sizeof(users));
	/* CPU caches hold hardly anything. */
	kspan_cpu_cache_bytes = 4096;
	for (i = 0; i < ARRAY_SIZE(users); i++) {
		users[i].seed = kspan_kunit_random_seed(test);
		users[i].task = kthread_run(use_all_the_time, &users[i], "kspan_hollow/%u", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(users[i].task));
	}
	for (end = jiffies + msecs_to_jiffies(1500); time_before(jiffies, end); cond_resched()) {
		i = 0;
		while ((central = kspan_heap_next_central(&kspan_default_heap, &i))) {
			kspan_depot_drain(central);
			pages += hollow(central, ULONG_MAX);
		}
		pages += kspan_reclaim(NID, 8, KSPAN_RECLAIM_HOLES | KSPAN_RECLAIM_WAITS,
				       KSPAN_BY_SHRINKER);
	}
	for (i = 0; i < ARRAY_SIZE(users); i++) {
		kthread_stop(users[i].task);
		kunit_info(test, "%lu rounds, %lu failed\n", users[i].rounds, users[i].failed);
		KUNIT_EXPECT_EQ(test, users[i].broken, 0UL);
		KUNIT_EXPECT_GT(test, users[i].rounds, 100UL);
	}
	kunit_info(test, "%lu pages\n", pages);
	KUNIT_EXPECT_GT(test, pages, 0UL);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - wrong, 0ULL);
	kspan_kunit_settle();
	kspan_verify(test, &kspan_default_heap);
}

#define OBJECTS	64
/* A typed cache with this size has spans of four slots in three pages. */
#define CACHE_SIZE	6000

static unsigned long held(struct kunit *test, struct kspan_heap *of)
{
	struct kspan_heap_stats stats;

	kspan_heap_stats_read(of, &stats);
	KUNIT_EXPECT_EQ(test, stats.held >> KSPAN_PAGE_SHIFT,
			(u64)atomic_long_read(&of->private->account.pages));
	return stats.held >> KSPAN_PAGE_SHIFT;
}

/* Keep one object of eight: one in a span of SLOTS, or one in two spans of half as many. */
static bool is_kept(unsigned int i)
{
	return i % SLOTS == 5;
}

static void free_others(void **objects)
{
	unsigned int i;

	for (i = 0; i < OBJECTS; i++)
		if (!is_kept(i))
			kspan_free(objects[i]);
}

static void make_sparse(struct kunit *test, struct kspan_heap *of, void **objects)
{
	unsigned int i;

	for (i = 0; i < OBJECTS; i++) {
		objects[i] = kspan_heap_malloc(of, SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
		model_stamp(objects[i], SIZE, i);
	}
	free_others(objects);
}

static void private_heap(struct kunit *test)
{
	struct kspan_heap *own = kspan_heap_create("hollow", 0, 0);
	unsigned long used = used_pages(), before;
	void *objects[OBJECTS];
	unsigned int i;
	u64 wrong;

	KUNIT_ASSERT_NOT_NULL(test, own);
	make_sparse(test, own, objects);
	kspan_heap_trim(own);
	before = held(test, own);
	kspan_trim();
	KUNIT_EXPECT_EQ(test, held(test, own), OBJECTS / SLOTS * 1UL);
	KUNIT_EXPECT_GT(test, before, held(test, own));
	kspan_verify(test, own);
	wrong = kspan_bad_frees();
	for (i = 0; i < OBJECTS; i++) {
		if (!is_kept(i))
			continue;
		KUNIT_EXPECT_TRUE(test, model_stamped(objects[i], SIZE, i));
		KUNIT_EXPECT_TRUE(test, kspan_owns(objects[i]));
		KUNIT_EXPECT_EQ(test, kspan_size(objects[i]), (size_t)SIZE);
		kspan_free(objects[i]);
	}
	kspan_heap_trim(own);
	KUNIT_EXPECT_EQ(test, kspan_bad_frees() - wrong, 0ULL);
	KUNIT_EXPECT_EQ(test, held(test, own), 0UL);
	/* A reset retires hollow spans, and keeps whole ones for later use. */
	make_sparse(test, own, objects);
	kspan_trim();
	KUNIT_EXPECT_GT(test, held(test, own), 0UL);
	kspan_heap_reset(own);
	KUNIT_EXPECT_EQ(test, held(test, own), 0UL);
	kspan_verify(test, own);
	/* A heap can be destroyed with hollow spans and live objects in it. */
	make_sparse(test, own, objects);
	kspan_trim();
	kspan_verify(test, own);
	kspan_heap_destroy(own);
	KUNIT_EXPECT_EQ(test, used_pages(), used);
}

static void construct(void *object)
{
	memset(object, 0x33, CACHE_SIZE);
}

/*
 * Trim all heaps, then free the kept objects. Returns the pages that the trim got out of spans in
 * use.
 */
static unsigned long trimmed_around(void **objects)
{
	unsigned long used, trimmed;
	unsigned int i;

	/* Retire the spans without an object first, so that they do not count. */
	kspan_private_trim_all();
	used = used_pages();
	kspan_trim();
	trimmed = used - used_pages();
	for (i = 0; i < OBJECTS; i++)
		if (is_kept(i))
			kspan_free(objects[i]);
	return trimmed;
}

static unsigned long trimmed_of_cache(struct kunit *test, unsigned long flags,
				      void (*ctor)(void *object))
{
	struct kspan_cache *cache = kspan_cache_create("kunit hollow", CACHE_SIZE, 0, flags, ctor);
	unsigned long trimmed;
	void *objects[OBJECTS];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	for (i = 0; i < OBJECTS; i++) {
		objects[i] = kspan_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
	}
	free_others(objects);
	trimmed = trimmed_around(objects);
	kspan_cache_destroy(cache);
	return trimmed;
}

/*
 * These spans stay whole: with TYPESAFE_BY_RCU, since readers may look at freed objects; with a
 * constructor; and in a heap that is tracked.
 */
static void some_stay_whole(struct kunit *test)
{
	struct kspan_heap *tracked = kspan_heap_create("tracked", 0, KSPAN_HEAP_TRACK);
	void *objects[OBJECTS];

	KUNIT_ASSERT_NOT_NULL(test, tracked);
	make_sparse(test, tracked, objects);
	KUNIT_EXPECT_EQ(test, trimmed_around(objects), 0UL);
	kspan_heap_destroy(tracked);
	KUNIT_EXPECT_EQ(test, trimmed_of_cache(test, 0, construct), 0UL);
	KUNIT_EXPECT_EQ(test, trimmed_of_cache(test, KSPAN_TYPESAFE_BY_RCU, NULL), 0UL);
	KUNIT_EXPECT_GT(test, trimmed_of_cache(test, 0, NULL), 0UL);
}

/* A span that is pinned stays whole, and one with frees that are still to be merged. */
static void spans_that_others_hold_stay_whole(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	struct kspan_found held;
	struct kspan_span *span;
	void *slots[SLOTS];

	span = full_span(test, central, slots);
	keep_only(central, slots, BIT(0));
	KUNIT_ASSERT_EQ(test, kspan_hold(slots[0], &held), (size_t)SIZE);
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), 0UL);
	kspan_let_go(&held);
	/* A span has this state between an NMI's free and the merge. */
	WRITE_ONCE(span->state, KSPAN_SPAN_SMALL_DEFERRED);
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), 0UL);
	WRITE_ONCE(span->state, KSPAN_SPAN_SMALL);
	KUNIT_EXPECT_EQ(test, (unsigned int)span->gone_pages, 0U);
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), 3UL);
	return_one(central, slots[0]);
}

/* A private heap keeps spans without an object for later use. They do not become hollow. */
static void empty_spans_stay_whole(struct kunit *test)
{
	struct kspan_heap *own = kspan_heap_create("kunit hollow", 0, 0);
	struct kspan_central *central;
	void *objects[OBJECTS];
	unsigned long before;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, own);
	for (i = 0; i < OBJECTS; i++) {
		objects[i] = kspan_heap_malloc_node(own, SIZE, GFP_KERNEL | __GFP_THISNODE, NID);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
	}
	kspan_free_bulk(OBJECTS, objects);
	kspan_heap_drain(own);
	before = held(test, own);
	KUNIT_ASSERT_GE(test, before, OBJECTS / SLOTS * PAGES * 1UL);
	central = kspan_heap_central(own, NID, kspan_size_class(SIZE));
	KUNIT_EXPECT_EQ(test, central->nr_out, 0UL);
	KUNIT_EXPECT_EQ(test, hollow(central, ULONG_MAX), 0UL);
	KUNIT_EXPECT_EQ(test, held(test, own), before);
	kspan_verify(test, own);
	kspan_heap_destroy(own);
}

/* Free all objects but the first one of some span. That span becomes hollow. */
static struct kspan_span *hollow_span_of(struct kunit *test, struct kspan_cache *cache,
					 void **first)
{
	struct kspan_heap *own = (struct kspan_heap *)cache;
	struct kspan_span *span;
	void *objects[OBJECTS];
	unsigned int i;

	for (i = 0; i < OBJECTS; i++) {
		objects[i] = kspan_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE, NID);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
	}
	span = kspan_map_span((unsigned long)objects[OBJECTS / 2]);
	*first = (void *)span->start;
	for (i = 0; i < OBJECTS; i++)
		if (objects[i] != *first)
			kspan_cache_free(cache, objects[i]);
	kspan_heap_drain(own);
	/* Spans without an object would not become hollow. Retire them first. */
	hollow(kspan_heap_central(own, NID, 1), ULONG_MAX);
	return span;
}

/* Make magazines of this CPU that have room. */
static void warm(struct kunit *test, struct kspan_cache *cache)
{
	void *objects[8];
	unsigned int round, i;

	for (round = 0; round < 4; round++) {
		for (i = 0; i < ARRAY_SIZE(objects); i++) {
			objects[i] = kspan_cache_alloc(cache, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, objects[i]);
		}
		kspan_cache_free_bulk(cache, ARRAY_SIZE(objects), objects);
	}
	kspan_cache_free(cache, kspan_cache_alloc(cache, GFP_KERNEL));
}

/*
 * The CPU remembers the span of the object that it freed last. An object of another heap that lies
 * in the gap of that span must not be taken for one of the cache.
 */
static void object_in_a_gap_is_not_the_caches(struct kunit *test)
{
	u64 others = kspan_bad_free_count(KSPAN_BAD_FREE_OTHER_HEAP);
	struct kspan_span *span, *other;
	struct kspan_cache *cache;
	void *first, *slots[64];

	/* A CPU takes only objects of its own node without a lookup. */
	if (cpumask_empty(cpumask_of_node(NID)) ||
	    set_cpus_allowed_ptr(current, cpumask_of_node(NID))) {
		kunit_skip(test, "the node has no CPU");
		return;
	}
	cache = kspan_cache_create("kunit hollow", CACHE_SIZE, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	kspan_kunit_pin(test);
	span = hollow_span_of(test, cache, &first);
	KUNIT_ASSERT_NE(test, (unsigned int)span->gone_pages, 0U);
	other = full_span(test, central_of(512), slots);
	KUNIT_EXPECT_LT(test, other->start - span->start, kspan_span_bytes(span));
	warm(test, cache);
	/* This makes the hollow span the one that the CPU remembers. */
	kspan_cache_free(cache, first);
	kspan_cache_free(cache, slots[3]);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_OTHER_HEAP) - others, 1ULL);
	kspan_heap_drain((struct kspan_heap *)cache);
	keep_only(central_of(512), slots, 0);
	KUNIT_EXPECT_EQ(test, kspan_cache_destroy(cache), 0);
}

#define MANY	2000

static void trim_hollows(struct kunit *test)
{
	unsigned long before, bytes = 0;
	struct rnd_state rnd;
	unsigned int i;
	size_t *sizes;
	u8 **objects;

	objects = kvcalloc(MANY, sizeof(*objects), GFP_KERNEL);
	sizes = kvcalloc(MANY, sizeof(*sizes), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, objects && sizes);
	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	before = kspan_arena_bytes();
	for (i = 0; i < MANY; i++) {
		sizes[i] = 1 + kspan_kunit_below(&rnd, 32768);
		objects[i] = kspan_malloc(sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objects[i]);
	}
	for (i = 0; i < MANY; i++) {
		if (kspan_kunit_below(&rnd, 10)) {
			kspan_free(objects[i]);
			objects[i] = NULL;
			continue;
		}
		model_stamp(objects[i], sizes[i], i);
		bytes += sizes[i];
	}
	kspan_trim();
	kspan_verify(test, &kspan_default_heap);
	kunit_info(test, "%lu KiB in %lu KiB\n", bytes >> 10,
		   (kspan_arena_bytes() - before) >> 10);
	KUNIT_EXPECT_LT(test, kspan_arena_bytes() - before, 17 * bytes / 10);
	for (i = 0; i < MANY; i++) {
		if (objects[i])
			KUNIT_EXPECT_TRUE(test, model_stamped(objects[i], sizes[i], i));
		kspan_free(objects[i]);
	}
	kvfree(objects);
	kvfree(sizes);
	kspan_trim();
}

static struct kunit_case hollow_cases[] = {
	KUNIT_CASE(every_class),
	KUNIT_CASE(single_pages_stay_whole),
	KUNIT_CASE(no_more_than_wanted),
	KUNIT_CASE(gap_is_used_again),
	KUNIT_CASE(gap_at_the_start),
	KUNIT_CASE(gap_becomes_a_hole),
	KUNIT_CASE(wrong_frees_are_reported),
	KUNIT_CASE(frees_in_nmi),
	KUNIT_CASE(others_allocate_and_free),
	KUNIT_CASE(private_heap),
	KUNIT_CASE(some_stay_whole),
	KUNIT_CASE(spans_that_others_hold_stay_whole),
	KUNIT_CASE(empty_spans_stay_whole),
	KUNIT_CASE(object_in_a_gap_is_not_the_caches),
	KUNIT_CASE(trim_hollows),
	{}
};

static struct kunit_suite hollow_suite = {
	.name = "kspan_hollow",
	.init = hollow_init,
	.exit = kspan_kunit_exit,
	.test_cases = hollow_cases,
};

kunit_test_suite(hollow_suite);
