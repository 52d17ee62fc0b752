// SPDX-License-Identifier: GPL-2.0
/*
 * Central lists and the depot.
 *
 * The cases use a heap of their own, without its CPU caches. Spans of class 4096 have 8 slots.
 * Drawings show an x for a slot that is out.
 */
#include <linux/kspan.h>
#include <linux/nodemask.h>

#include "kspan_kunit.h"

#define SIZE	4096
#define SLOTS	8

static struct kspan_heap *heap;

static struct kspan_central *central_of(size_t size)
{
	return kspan_heap_central(heap, first_memory_node, kspan_size_class(size));
}

static const struct kspan_size_class *class_of(size_t size)
{
	return &kspan_size_classes[kspan_size_class(size)];
}

static int central_init(struct kunit *test)
{
	kspan_kunit_init(test);
	heap = kspan_kunit_heap(test);
	KUNIT_EXPECT_EQ(test, (unsigned int)class_of(SIZE)->slots, (unsigned int)SLOTS);
	return heap ? 0 : -ENOMEM;
}

/* Full magazines that the depot of the class may hold. */
static unsigned int depot_limit(const struct kspan_central *central)
{
	unsigned int bytes = kspan_kunit_cap(central->class) *
			     kspan_size_classes[central->class].size;

	return clamp(kspan_depot_bytes / bytes, 1U, KSPAN_DEPOT_MAX);
}

/* Have the central adopt a new span. Returns its first slot, which is out. */
static void *new_span(struct kunit *test, struct kspan_central *central)
{
	const struct kspan_size_class *sc = &kspan_size_classes[central->class];
	struct kspan_span *span;

	span = kspan_page_heap_alloc(central->nid, sc->pages, sc->align, central->class,
				     GFP_KERNEL | __GFP_THISNODE);
	KUNIT_ASSERT_NOT_NULL(test, span);
	KUNIT_ASSERT_EQ(test, kspan_span_format(span, sc, false, GFP_KERNEL), 0);
	kspan_seal_span(span, central->seal_at);
	return kspan_central_adopt(central, span, 0);
}

static void return_all(struct kspan_central *central, void **objects, unsigned int n)
{
	kspan_central_return(central, objects, n);
}

static void return_one(struct kspan_central *central, void *object)
{
	return_all(central, &object, 1);
}

/* Take @n objects, sorted by address. */
static void take(struct kunit *test, struct kspan_central *central, void **objects,
		 unsigned int n)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(test, kspan_central_take(central, objects, n, 0), n);
	for (i = 0; i < n / 2; i++)
		swap(objects[i], objects[n - 1 - i]);
}

static unsigned int list_length(const struct list_head *list)
{
	const struct list_head *entry;
	unsigned int length = 0;

	list_for_each(entry, list)
		length++;
	return length;
}

static void expect_lists(struct kunit *test, struct kspan_central *central,
			 unsigned int partial, unsigned int full)
{
	KUNIT_EXPECT_EQ(test, list_length(&central->partial), partial);
	KUNIT_EXPECT_EQ(test, list_length(&central->full), full);
	KUNIT_EXPECT_EQ(test, central->nr_spans, (unsigned long)partial + full);
}

/* Give the depot one more empty magazine. */
static void provide(struct kunit *test, struct kspan_central *central)
{
	unsigned int before = central->nr_magazines;

	central->wanted = true;
	kspan_depot_provision(central, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, central->nr_magazines, before + 1);
}

/* Take an empty magazine out of the depot. */
static struct kspan_magazine *empty_magazine(struct kunit *test, struct kspan_central *central)
{
	struct kspan_magazine *mag;

	provide(test, central);
	mag = kspan_depot_put_full(central, NULL, 0);
	KUNIT_ASSERT_NOT_NULL(test, mag);
	return mag;
}

/* Make a magazine with @n objects. */
static struct kspan_magazine *magazine_of(struct kunit *test, struct kspan_central *central,
					  unsigned int n)
{
	struct kspan_magazine *mag = empty_magazine(test, central);

	mag->count = kspan_central_take(central, mag->object, n, 0);
	KUNIT_ASSERT_EQ(test, mag->count, n);
	return mag;
}

/*
 *	partial: x.......
 */
static void adopted_span_is_partial(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	void *object = new_span(test, central);
	struct kspan_span *span = kspan_map_span((unsigned long)object);

	KUNIT_EXPECT_EQ(test, (unsigned long)object, span->start);
	KUNIT_EXPECT_EQ(test, (int)span->state, (int)KSPAN_SPAN_SMALL);
	KUNIT_EXPECT_PTR_EQ(test, span->central, central);
	expect_lists(test, central, 1, 0);
	KUNIT_EXPECT_EQ(test, central->nr_out, 1UL);
	KUNIT_EXPECT_EQ(test, central->allocs, 1ULL);
	kspan_verify(test, heap);
	return_one(central, object);
}

/*
 *	full: x		class 32768
 */
static void adopted_span_of_one_slot_is_full(struct kunit *test)
{
	struct kspan_central *central = central_of(KSPAN_MAX_SMALL);
	void *object = new_span(test, central);

	KUNIT_ASSERT_EQ(test, (unsigned int)class_of(KSPAN_MAX_SMALL)->slots, 1U);
	expect_lists(test, central, 0, 1);
	return_one(central, object);
	expect_lists(test, central, 0, 0);
}

static void batch_is_taken_in_address_order(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	void *objects[SLOTS], *first = new_span(test, central);
	unsigned int i;

	objects[0] = first;
	take(test, central, objects + 1, 5);
	for (i = 0; i < 6; i++)
		KUNIT_EXPECT_PTR_EQ(test, objects[i], first + i * SIZE);
	KUNIT_EXPECT_EQ(test, central->nr_out, 6UL);
	return_all(central, objects, 6);
}

/*
 *	partial: xx...... x.......  ->  full: xxxxxxxx  partial: xxxx....
 */
static void batch_goes_on_in_the_next_span(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	struct kspan_span *first, *last;
	void *objects[12];

	objects[0] = new_span(test, central);
	objects[1] = new_span(test, central);
	take(test, central, objects + 2, 10);
	expect_lists(test, central, 1, 1);
	first = kspan_map_span((unsigned long)objects[2]);
	last = kspan_map_span((unsigned long)objects[11]);
	KUNIT_EXPECT_PTR_NE(test, first, last);
	KUNIT_EXPECT_EQ(test, (unsigned int)first->used, (unsigned int)SLOTS);
	KUNIT_EXPECT_EQ(test, (unsigned int)last->used, 4U);
	kspan_verify(test, heap);
	return_all(central, objects, 12);
}

/*
 *	slots[]		o o o ? ? ? ?
 */
static void what_is_left_is_taken(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	void *objects[SLOTS], *batch[SLOTS] = { NULL };
	unsigned int i;

	objects[0] = new_span(test, central);
	take(test, central, objects + 1, 4);
	KUNIT_EXPECT_EQ(test, kspan_central_take(central, batch, 7, 0), 3U);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_PTR_EQ(test, batch[i], objects[0] + (7 - i) * SIZE);
	KUNIT_EXPECT_EQ(test, kspan_central_take(central, objects + 5, 1, 0), 0U);
	return_all(central, batch, 3);
	return_all(central, objects, 5);
}

/*
 *	full: xxxxxxxx  ->  partial: xxx.xxxx  ->  full: xxxxxxxx
 */
static void spans_move_between_the_lists(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	void *objects[SLOTS];

	objects[0] = new_span(test, central);
	take(test, central, objects + 1, SLOTS - 1);
	expect_lists(test, central, 0, 1);
	return_one(central, objects[3]);
	expect_lists(test, central, 1, 0);
	KUNIT_EXPECT_PTR_EQ(test, kspan_central_alloc(central, 0), objects[3]);
	expect_lists(test, central, 0, 1);
	return_all(central, objects, SLOTS);
}

static void span_without_an_object_is_retired(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	struct kspan_page_heap *ph = kspan_page_heap(central->nid);
	unsigned long used = ph->used;
	void *objects[SLOTS];
	struct kspan_span *span;

	objects[0] = new_span(test, central);
	take(test, central, objects + 1, SLOTS - 1);
	KUNIT_EXPECT_EQ(test, ph->used, used + class_of(SIZE)->pages);
	return_all(central, objects, SLOTS);
	expect_lists(test, central, 0, 0);
	KUNIT_EXPECT_EQ(test, ph->used, used);
	KUNIT_EXPECT_EQ(test, central->nr_out, 0UL);
	span = kspan_map_span((unsigned long)objects[0]);
	KUNIT_EXPECT_NULL(test, span);
}

static void batch_of_many_spans_retires_them_all(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	void *objects[KSPAN_MAGAZINE_MAX];
	unsigned int i;

	for (i = 0; i < 7; i++)
		objects[i] = new_span(test, central);
	take(test, central, objects + 7, 7 * (SLOTS - 1));
	expect_lists(test, central, 0, 7);
	return_all(central, objects, 7 * SLOTS);
	expect_lists(test, central, 0, 0);
}

static void alloc_counts_what_goes_past_the_caches(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	void *objects[3];

	objects[0] = new_span(test, central);
	objects[1] = kspan_central_alloc(central, 0);
	take(test, central, objects + 2, 1);
	KUNIT_EXPECT_EQ(test, central->allocs, 2ULL);
	KUNIT_EXPECT_EQ(test, central->nr_out, 3UL);
	return_all(central, objects, 3);
}

static void alloc_without_spans_gives_null(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);

	KUNIT_EXPECT_NULL(test, kspan_central_alloc(central, 0));
	KUNIT_EXPECT_EQ(test, central->allocs, 0ULL);
}

/*
 *	full: xxxxxxxx		depot: a magazine with one of them
 */
static void last_resort_of_alloc_is_the_depot(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	struct kspan_magazine *mag, *spare;
	void *objects[SLOTS], *cached;

	objects[0] = new_span(test, central);
	mag = magazine_of(test, central, 1);
	cached = mag->object[0];
	take(test, central, objects + 1, SLOTS - 2);
	provide(test, central);
	spare = kspan_depot_put_full(central, mag, 0);
	KUNIT_ASSERT_NOT_NULL(test, spare);
	objects[SLOTS - 1] = kspan_central_alloc(central, 0);
	KUNIT_EXPECT_PTR_EQ(test, objects[SLOTS - 1], cached);
	KUNIT_EXPECT_EQ(test, central->nr_depot_full, 0U);
	KUNIT_EXPECT_EQ(test, central->nr_depot_objects, 0UL);
	KUNIT_EXPECT_EQ(test, list_length(&central->depot_empty), 1U);
	kspan_depot_return_magazine(central, spare);
	return_all(central, objects, SLOTS);
}

/*
 *	batch: a, inside of b, a again, c, and a slot that was never out
 */
static void wrong_entries_of_a_batch_are_reported_and_the_rest_returned(struct kunit *test)
{
	u64 twice = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);
	u64 inside = kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR);
	u64 never = kspan_bad_free_count(KSPAN_BAD_FREE_NEVER_ALLOCATED);
	struct kspan_central *central = central_of(SIZE);
	void *objects[4], *batch[5];

	objects[0] = new_span(test, central);
	take(test, central, objects + 1, 3);
	batch[0] = objects[0];
	batch[1] = objects[1] + 16;
	batch[2] = objects[0];
	batch[3] = objects[2];
	batch[4] = objects[0] + 6 * SIZE;
	return_all(central, batch, 5);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE) - twice, 1ULL);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR) - inside, 1ULL);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_NEVER_ALLOCATED) - never, 1ULL);
	KUNIT_EXPECT_EQ(test, central->nr_out, 2UL);
	kspan_verify(test, heap);
	return_one(central, objects[1]);
	return_one(central, objects[3]);
}

/* The first entry retires the span. Then the second one is a double free. */
static void double_entry_of_a_retired_span_is_reported(struct kunit *test)
{
	u64 before = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);
	struct kspan_central *central = central_of(SIZE);
	void *batch[2];

	batch[0] = new_span(test, central);
	batch[1] = batch[0];
	return_all(central, batch, 2);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE) - before, 1ULL);
	KUNIT_EXPECT_EQ(test, central->nr_spans, 0UL);
}

/* An object of one heap is returned to the central of another heap, of the same class. */
static void object_of_another_heap_is_left_alone(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	struct kspan_central *other = kspan_heap_central(&kspan_default_heap, central->nid,
							 central->class);
	u64 before = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);
	void *object = new_span(test, central);

	return_one(other, object);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE) - before, 1ULL);
	KUNIT_EXPECT_EQ(test, central->nr_out, 1UL);
	return_one(central, object);
}

/* Reports of each kind when forget_reports() was called. */
static u64 reports[KSPAN_NR_BAD_FREE_KINDS];

static void forget_reports(void)
{
	unsigned int kind;

	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		reports[kind] = kspan_bad_free_count(kind);
}

static void expect_reports(struct kunit *test, enum kspan_bad_free_kind kind, u64 n)
{
	KUNIT_EXPECT_EQ_MSG(test, kspan_bad_free_count(kind) - reports[kind], n, "kind %u", kind);
	reports[kind] += n;
}

static void expect_no_other_reports(struct kunit *test)
{
	unsigned int kind;

	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		expect_reports(test, kind, 0);
}

/* Take all slots of a new span. Returns how many there are. */
static unsigned int take_span(struct kunit *test, struct kspan_central *central, void **objects)
{
	unsigned int n = kspan_size_classes[central->class].slots, i, some;

	objects[0] = new_span(test, central);
	for (i = 1; i < n; i += some) {
		some = min_t(unsigned int, n - i, KSPAN_MAGAZINE_MAX);
		take(test, central, objects + i, some);
	}
	return n;
}

static void **many_objects(struct kunit *test)
{
	void **objects = kunit_kcalloc(test, 1024, sizeof(*objects), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, objects);
	return objects;
}

static void shuffle(struct rnd_state *rnd, void **objects, unsigned int n)
{
	unsigned int other;

	for (; n > 1; n--) {
		other = kspan_kunit_below(rnd, n);
		swap(objects[n - 1], objects[other]);
	}
}

/* Return whole spans of every class in batches: by rising and by falling address, and at random. */
static void batches_of_every_class_retire_its_span(struct kunit *test)
{
	void **objects = many_objects(test);
	unsigned int class, order, n, i, some;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	forget_reports();
	for (class = 1; class < KSPAN_CLASS_TINY; class++) {
		struct kspan_central *central = kspan_heap_central(heap, first_memory_node, class);

		for (order = 0; order < 3; order++) {
			n = take_span(test, central, objects);
			for (i = 0; order == 1 && i < n / 2; i++)
				swap(objects[i], objects[n - 1 - i]);
			if (order == 2)
				shuffle(&rnd, objects, n);
			for (i = 0; i < n; i += some) {
				some = min_t(unsigned int, n - i, KSPAN_MAGAZINE_MAX);
				return_all(central, objects + i, some);
				KUNIT_ASSERT_EQ(test, central->nr_out, (unsigned long)n - i - some);
			}
			KUNIT_ASSERT_EQ(test, central->nr_spans, 0UL);
		}
	}
	expect_no_other_reports(test);
	kspan_verify(test, heap);
}

/*
 *	batch: a b a b b c c d	bits in one word, or in several
 */
static void expect_doubles_found(struct kunit *test, size_t size, unsigned int stride)
{
	static const u8 which[] = { 0, 1, 0, 1, 1, 2, 2, 3 };
	struct kspan_central *central = central_of(size);
	void **objects = many_objects(test), *batch[ARRAY_SIZE(which)];
	unsigned int n = take_span(test, central, objects), i;

	KUNIT_ASSERT_LT(test, 4 * stride, n);
	forget_reports();
	for (i = 0; i < ARRAY_SIZE(which); i++)
		batch[i] = objects[which[i] * stride];
	return_all(central, batch, ARRAY_SIZE(batch));
	expect_reports(test, KSPAN_BAD_FREE_DOUBLE, 4);
	expect_no_other_reports(test);
	KUNIT_EXPECT_EQ(test, central->nr_out, n - 4UL);
	kspan_verify(test, heap);
	for (i = 0; i < n; i++)
		if (i % stride || i / stride > 3)
			return_one(central, objects[i]);
	expect_no_other_reports(test);
	KUNIT_EXPECT_EQ(test, central->nr_spans, 0UL);
}

static void doubles_in_a_batch_are_found(struct kunit *test)
{
	expect_doubles_found(test, SIZE, 1);
	expect_doubles_found(test, 512, 3);
	/* The slots lie in one word, at both ends of words, and in a word each. */
	expect_doubles_found(test, 64, 1);
	expect_doubles_found(test, 8, 63);
	expect_doubles_found(test, 8, 64);
	expect_doubles_found(test, 8, 200);
}

/*
 *	batch: a, inside of b, c, b + 1, d, behind the last slot, e
 *
 * Right entries stand before and behind each wrong one. All of them must be returned, and no
 * other.
 */
static void expect_mixture_sorted_out(struct kunit *test, size_t size)
{
	struct kspan_central *central = central_of(size);
	u32 bytes = kspan_size_classes[central->class].size;
	unsigned long end, tail;
	void **objects = many_objects(test), *batch[9];
	unsigned int n = take_span(test, central, objects), i;

	KUNIT_ASSERT_GE(test, n, 8U);
	end = (unsigned long)objects[n - 1] + bytes;
	tail = (unsigned long)objects[0] +
	       KSPAN_KUNIT_PAGES(kspan_size_classes[central->class].pages) - end;
	forget_reports();
	batch[0] = objects[1];
	batch[1] = objects[2] + 8;
	batch[2] = objects[3];
	batch[3] = objects[4] + 1;
	batch[4] = objects[n - 2];
	batch[5] = tail ? (void *)end : objects[5] + bytes - 8;
	batch[6] = objects[n - 1];
	batch[7] = objects[n - 1] + bytes - 8;
	batch[8] = objects[0];
	return_all(central, batch, ARRAY_SIZE(batch));
	expect_reports(test, KSPAN_BAD_FREE_INTERIOR, tail ? 2 : 3);
	expect_reports(test, KSPAN_BAD_FREE_MISALIGNED, 1);
	expect_reports(test, KSPAN_BAD_FREE_NEVER_ALLOCATED, tail ? 1 : 0);
	expect_no_other_reports(test);
	KUNIT_EXPECT_EQ(test, central->nr_out, n - 5UL);
	kspan_verify(test, heap);
	for (i = 0; i < n; i++)
		if (i > 1 && i != 3 && i < n - 2)
			return_one(central, objects[i]);
	expect_no_other_reports(test);
	KUNIT_EXPECT_EQ(test, central->nr_spans, 0UL);
}

/*
 * Bitmaps of one word, with and without a tail behind the slots; of several words; and with a last
 * word that is not full.
 */
static void mixtures_are_sorted_out(struct kunit *test)
{
	static const size_t sizes[] = { SIZE, 512, 448, 640, 2304, 64, 48, 24, 96, 112, 128 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		expect_mixture_sorted_out(test, sizes[i]);
}

/* Return every address of the tail behind the last slot, right after a good object. */
static void tails_are_no_objects(struct kunit *test)
{
	static const size_t sizes[] = { 48, 448, 2304, 32 };
	void **objects = many_objects(test), *batch[2];
	unsigned int i, s;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct kspan_central *central = central_of(sizes[s]);
		const struct kspan_size_class *sc = &kspan_size_classes[central->class];
		unsigned int n = take_span(test, central, objects);
		void *start = objects[0], *addr = start + (unsigned long)n * sc->size;
		u64 before;

		/* The first entry of each batch is a good object. */
		for (i = 0; addr < start + KSPAN_KUNIT_PAGES(sc->pages); addr += 8, i++) {
			before = kspan_bad_free_count(KSPAN_BAD_FREE_NEVER_ALLOCATED);
			batch[0] = objects[n - 1 - i];
			batch[1] = addr;
			return_all(central, batch, 2);
			KUNIT_EXPECT_EQ(test, central->nr_out, n - i - 1UL);
			KUNIT_EXPECT_EQ(test, before + 1,
					kspan_bad_free_count(KSPAN_BAD_FREE_NEVER_ALLOCATED));
			if (i == n - 2)
				break;
		}
		while (central->nr_out)
			return_one(central, objects[central->nr_out - 1]);
	}
	kspan_verify(test, heap);
}

/*
 *	batch: right, of another class, right, of another heap, right, of another node,
 *	a large object, right
 */
static void spans_of_others_are_left_alone(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE), *other = central_of(512);
	struct kspan_central *theirs = kspan_heap_central(&kspan_default_heap, central->nid,
							  central->class);
	int nid = kspan_kunit_other_node(central->nid);
	struct kspan_central *remote = NULL;
	void *objects[SLOTS], *batch[8], *of_class, *of_heap, *of_node = NULL, *large;
	unsigned int n = 0;

	take_span(test, central, objects);
	of_class = new_span(test, other);
	of_heap = new_span(test, theirs);
	large = kspan_malloc(100000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, large);
	if (nid != NUMA_NO_NODE) {
		remote = kspan_heap_central(heap, nid, central->class);
		of_node = new_span(test, remote);
	}
	forget_reports();
	batch[n++] = objects[0];
	batch[n++] = of_class;
	batch[n++] = objects[1];
	batch[n++] = of_heap;
	batch[n++] = objects[2];
	if (remote)
		batch[n++] = of_node;
	batch[n++] = large;
	batch[n++] = objects[3];
	return_all(central, batch, n);
	expect_reports(test, KSPAN_BAD_FREE_DOUBLE, n - 4);
	expect_no_other_reports(test);
	KUNIT_EXPECT_EQ(test, central->nr_out, SLOTS - 4UL);
	KUNIT_EXPECT_EQ(test, other->nr_out, 1UL);
	KUNIT_EXPECT_EQ(test, theirs->nr_out, 1UL);
	KUNIT_EXPECT_TRUE(test, kspan_owns(large));
	kspan_verify(test, heap);
	kspan_verify(test, &kspan_default_heap);
	return_all(central, objects + 4, SLOTS - 4);
	return_one(other, of_class);
	return_one(theirs, of_heap);
	if (remote)
		return_one(remote, of_node);
	kspan_free(large);
	expect_no_other_reports(test);
}

/*
 *	xx......  ->  batch: a b | a, inside of b, c of another span
 *
 * b is the last object, so the central detaches the span, under its lock. The pages are not freed
 * before the end of the batch.
 */
static void span_that_is_retired_in_the_middle_is_no_longer_looked_at(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	void *a[2], *b, *batch[6];

	a[0] = new_span(test, central);
	take(test, central, a + 1, 1);
	b = new_span(test, central);
	KUNIT_ASSERT_EQ(test, central->nr_spans, 2UL);
	forget_reports();
	batch[0] = a[0];
	batch[1] = a[1];
	batch[2] = a[0];
	batch[3] = a[1] + 16;
	batch[4] = a[1] + 1;
	batch[5] = b;
	return_all(central, batch, 6);
	/* The span is detached, so an address inside of b is reported as a double free. */
	expect_reports(test, KSPAN_BAD_FREE_DOUBLE, 2);
	expect_reports(test, KSPAN_BAD_FREE_MISALIGNED, 1);
	expect_no_other_reports(test);
	KUNIT_EXPECT_EQ(test, central->nr_spans, 0UL);
	KUNIT_EXPECT_EQ(test, central->nr_out, 0UL);
	KUNIT_EXPECT_NULL(test, kspan_map_span((unsigned long)a[0]));
	kspan_verify(test, heap);
}

struct oracle {
	void *live[4 * 128];
	unsigned int n;
	void *batch[KSPAN_MAGAZINE_MAX];
	u64 want[KSPAN_NR_BAD_FREE_KINDS];
	struct rnd_state rnd;
};

/* Pick one more entry of a batch. It is right, or wrong in one of three ways. */
static void *next_entry(struct oracle *oracle, unsigned int nr_right)
{
	unsigned int what = kspan_kunit_below(&oracle->rnd, 8);
	void *live = oracle->live[kspan_kunit_below(&oracle->rnd, oracle->n)];

	switch (what) {
	case 0:
		oracle->want[KSPAN_BAD_FREE_INTERIOR]++;
		return live + 8;
	case 1:
		oracle->want[KSPAN_BAD_FREE_MISALIGNED]++;
		return live + 5;
	case 2:
		if (!nr_right)
			break;
		/* Entries that are in the batch already stand behind the live ones. */
		oracle->want[KSPAN_BAD_FREE_DOUBLE]++;
		return oracle->live[oracle->n + kspan_kunit_below(&oracle->rnd, nr_right)];
	}
	oracle->n--;
	/* The first eight objects stay live, so no span is retired. */
	what = 8 + kspan_kunit_below(&oracle->rnd, oracle->n - 7);
	swap(oracle->live[what], oracle->live[oracle->n]);
	return oracle->live[oracle->n];
}

static void expect_batch_as_oracle(struct kunit *test, struct kspan_central *central,
				   struct oracle *oracle)
{
	unsigned int n = 1 + kspan_kunit_below(&oracle->rnd, KSPAN_MAGAZINE_MAX), before, kind, i;

	before = oracle->n;
	memset(oracle->want, 0, sizeof(oracle->want));
	forget_reports();
	for (i = 0; i < n && oracle->n > 8; i++)
		oracle->batch[i] = next_entry(oracle, before - oracle->n);
	return_all(central, oracle->batch, i);
	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		expect_reports(test, kind, oracle->want[kind]);
	KUNIT_ASSERT_EQ(test, central->nr_out, (unsigned long)oracle->n);
}

/* Take four spans. Each has at least one of the first eight objects. */
static void take_four_spans(struct kunit *test, struct kspan_central *central,
			    struct oracle *oracle)
{
	unsigned int slots = kspan_size_classes[central->class].slots, i;

	oracle->n = 0;
	for (i = 0; i < 4; i++)
		oracle->n += take_span(test, central, oracle->live + oracle->n);
	KUNIT_ASSERT_LE(test, oracle->n, (unsigned int)ARRAY_SIZE(oracle->live));
	for (i = 1; i < 4; i++)
		swap(oracle->live[i], oracle->live[i * slots]);
}

static void random_batches_agree_with_an_oracle(struct kunit *test)
{
	static const size_t sizes[] = { 64, 80, 96, 128, 240, 512, 640, 1024, SIZE };
	struct oracle *oracle = kunit_kzalloc(test, sizeof(*oracle), GFP_KERNEL);
	unsigned int s, round, i;

	KUNIT_ASSERT_NOT_NULL(test, oracle);
	prandom_seed_state(&oracle->rnd, kspan_kunit_random_seed(test));
	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct kspan_central *central = central_of(sizes[s]);

		for (round = 0; round < 4; round++) {
			take_four_spans(test, central, oracle);
			while (oracle->n > 8)
				expect_batch_as_oracle(test, central, oracle);
			kspan_verify(test, heap);
			for (i = 0; i < 8; i++)
				return_one(central, oracle->live[i]);
			KUNIT_ASSERT_EQ(test, central->nr_spans, 0UL);
		}
	}
}

static void slot_tells_what_an_address_is(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	void *objects[3];
	unsigned int class = central->class;
	unsigned long base;

	objects[0] = new_span(test, central);
	take(test, central, objects + 1, 2);
	base = (unsigned long)objects[0];
	return_one(central, objects[1]);
	KUNIT_EXPECT_EQ(test, kspan_central_peek(base, class), (int)KSPAN_SLOT_OUT);
	KUNIT_EXPECT_EQ(test, kspan_central_peek(base + SIZE, class),
			(int)KSPAN_SLOT_FREE);
	KUNIT_EXPECT_EQ(test, kspan_central_peek(base + 3 * SIZE, class),
			(int)KSPAN_SLOT_NEVER_OUT);
	KUNIT_EXPECT_EQ(test, kspan_central_peek(base + 1, class),
			(int)KSPAN_SLOT_INSIDE);
	KUNIT_EXPECT_EQ(test, kspan_central_peek(base + SLOTS * SIZE, class), -ENOENT);
	KUNIT_EXPECT_EQ(test, kspan_central_peek(base, class + 1), -ENOENT);
	KUNIT_EXPECT_EQ(test, central->nr_out, 2UL);
	return_one(central, objects[0]);
	return_one(central, objects[2]);
}

static void free_of_the_last_slot_frees_the_span(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	unsigned long addr = (unsigned long)new_span(test, central);

	KUNIT_EXPECT_FALSE(test, kspan_central_free(addr, central->class + 1));
	KUNIT_EXPECT_EQ(test, central->nr_out, 1UL);
	KUNIT_EXPECT_TRUE(test, kspan_central_free(addr, central->class));
	KUNIT_EXPECT_EQ(test, central->nr_out, 0UL);
	KUNIT_EXPECT_FALSE(test, kspan_central_free(addr, central->class));
}

static void free_reports_a_slot_that_is_not_out(struct kunit *test)
{
	u64 before = kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE);
	struct kspan_central *central = central_of(SIZE);
	void *objects[2];

	objects[0] = new_span(test, central);
	take(test, central, objects + 1, 1);
	KUNIT_EXPECT_TRUE(test, kspan_central_free((unsigned long)objects[1], central->class));
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE), before);
	KUNIT_EXPECT_TRUE(test, kspan_central_free((unsigned long)objects[1], central->class));
	KUNIT_EXPECT_EQ(test, kspan_bad_free_count(KSPAN_BAD_FREE_DOUBLE), before + 1);
	KUNIT_EXPECT_TRUE(test, kspan_central_free((unsigned long)objects[0], central->class));
	KUNIT_EXPECT_FALSE(test, kspan_central_free((unsigned long)central, central->class));
}

static void magazines_are_bounded(struct kunit *test)
{
	unsigned int class;

	for (class = 1; class < KSPAN_CLASS_TINY; class++) {
		unsigned int cap = kspan_kunit_cap(class);

		KUNIT_EXPECT_GE(test, cap, 2U);
		KUNIT_EXPECT_LE(test, cap, (unsigned int)KSPAN_MAGAZINE_MAX);
		if (class > 1)
			KUNIT_EXPECT_LE(test, cap, kspan_kunit_cap(class - 1));
	}
}

/* A provision adds one magazine, and only after a CPU has found none. */
static void depot_is_provided_with_what_is_wanted(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);

	kspan_depot_provision(central, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, central->nr_magazines, 0U);
	KUNIT_EXPECT_NULL(test, kspan_depot_put_full(central, NULL, 0));
	KUNIT_EXPECT_TRUE(test, central->wanted);
	kspan_depot_provision(central, GFP_KERNEL);
	kspan_depot_provision(central, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, central->nr_magazines, 1U);
	KUNIT_EXPECT_FALSE(test, central->wanted);
	KUNIT_EXPECT_EQ(test, list_length(&central->depot_empty), 1U);
}

/*
 *	CPU: full, depot: empty -> CPU: empty, depot: full
 */
static void full_magazine_is_exchanged_for_an_empty_one(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	void *first = new_span(test, central);
	struct kspan_magazine *full = magazine_of(test, central, 3), *empty;

	provide(test, central);
	empty = kspan_depot_put_full(central, full, 0);
	KUNIT_ASSERT_NOT_NULL(test, empty);
	KUNIT_EXPECT_EQ(test, empty->count, 0U);
	KUNIT_EXPECT_EQ(test, central->nr_depot_full, 1U);
	KUNIT_EXPECT_EQ(test, central->nr_depot_objects, 3UL);
	KUNIT_EXPECT_TRUE(test, kspan_depot_holds(central, full->object[1], 0));
	KUNIT_EXPECT_FALSE(test, kspan_depot_holds(central, first, 0));
	KUNIT_EXPECT_PTR_EQ(test, kspan_depot_take_full(central, empty, 0), full);
	KUNIT_EXPECT_EQ(test, central->nr_depot_full, 0U);
	KUNIT_EXPECT_EQ(test, central->nr_depot_objects, 0UL);
	KUNIT_EXPECT_EQ(test, list_length(&central->depot_empty), 1U);
	kspan_depot_return_magazine(central, full);
	return_one(central, first);
}

static void empty_magazine_is_kept_when_there_is_no_full_one(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	struct kspan_magazine *empty = empty_magazine(test, central);

	KUNIT_EXPECT_NULL(test, kspan_depot_take_full(central, empty, 0));
	KUNIT_EXPECT_EQ(test, list_length(&central->depot_empty), 0U);
	kspan_depot_return_magazine(central, empty);
	KUNIT_EXPECT_EQ(test, central->nr_magazines, 0U);
}

static void full_magazine_is_kept_when_there_is_no_empty_one(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	void *first = new_span(test, central);
	struct kspan_magazine *full = magazine_of(test, central, 3);

	KUNIT_EXPECT_NULL(test, kspan_depot_put_full(central, full, 0));
	KUNIT_EXPECT_EQ(test, central->nr_depot_full, 0U);
	KUNIT_EXPECT_TRUE(test, central->wanted);
	kspan_depot_return_magazine(central, full);
	return_one(central, first);
}

/* Magazines of one object each that the depot of the class may hold. */
static unsigned int depot_objects(const struct kspan_central *central)
{
	return clamp(kspan_depot_bytes / kspan_size_classes[central->class].size, 1U,
		     KSPAN_DEPOT_MAX);
}

/*
 * Put magazines of @n objects each into the depot until it refuses one. Returns how many it took.
 */
static unsigned int fill_depot(struct kunit *test, struct kspan_central *central, unsigned int n,
			       struct kspan_magazine **refused)
{
	struct kspan_magazine *empty;
	unsigned int put = 0;

	for (;;) {
		*refused = magazine_of(test, central, n);
		provide(test, central);
		empty = kspan_depot_put_full(central, *refused, 0);
		if (!empty)
			return put;
		kspan_depot_return_magazine(central, empty);
		put++;
	}
}

static void expect_limit(struct kunit *test, size_t size, unsigned int n, unsigned int limit)
{
	struct kspan_central *central = central_of(size);
	struct kspan_magazine *refused;
	unsigned int nr_spans, i;
	void **spans;

	/* new_span() keeps one slot of each span. */
	nr_spans = DIV_ROUND_UP((limit + 1) * n, class_of(size)->slots - 1);
	spans = kunit_kcalloc(test, nr_spans, sizeof(*spans), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, spans);
	for (i = 0; i < nr_spans; i++)
		spans[i] = new_span(test, central);
	KUNIT_EXPECT_EQ(test, fill_depot(test, central, n, &refused), limit);
	KUNIT_EXPECT_EQ(test, central->nr_depot_full, limit);
	KUNIT_EXPECT_EQ(test, central->nr_depot_objects, (unsigned long)limit * n);
	/* A magazine more would not help, as the depot is at its limit. */
	KUNIT_EXPECT_FALSE(test, central->wanted);
	kspan_depot_return_magazine(central, refused);
	kspan_verify(test, heap);
	kspan_depot_drain(central);
	for (i = 0; i < nr_spans; i++)
		return_one(central, spans[i]);
}

/* The depot counts objects for classes of large size, and magazines for the others. */
static void depot_is_limited(struct kunit *test)
{
	static const size_t sizes[] = { 512, 1024, SIZE, 28672 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		expect_limit(test, sizes[i], 1, depot_objects(central_of(sizes[i])));
}

static void depot_of_full_magazines_is_limited(struct kunit *test)
{
	static const size_t sizes[] = { 512, 1024, SIZE, 28672 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct kspan_central *central = central_of(sizes[i]);

		expect_limit(test, sizes[i], kspan_kunit_cap(central->class),
			     depot_limit(central));
	}
}

/* A depot holds one full magazine, even when the bound is 0. */
static void depot_holds_one_magazine_at_least(struct kunit *test)
{
	unsigned int depot_bytes = kspan_depot_bytes;
	struct kspan_central *central = central_of(SIZE);

	kspan_depot_bytes = 0;
	expect_limit(test, SIZE, kspan_kunit_cap(central->class), 1);
	kspan_depot_bytes = depot_bytes;
}

static void magazines_wanted_are_limited(struct kunit *test)
{
	struct kspan_central *central = central_of(KSPAN_MAX_SMALL);
	unsigned int limit = 2 * nr_cpu_ids + depot_limit(central), i;
	LIST_HEAD(taken);
	struct kspan_magazine *mag, *next;

	for (i = 0; i < limit; i++) {
		KUNIT_EXPECT_NULL(test, kspan_depot_put_full(central, NULL, 0));
		kspan_depot_provision(central, GFP_KERNEL);
		mag = kspan_depot_put_full(central, NULL, 0);
		KUNIT_ASSERT_NOT_NULL(test, mag);
		list_add(&mag->list, &taken);
	}
	KUNIT_EXPECT_NULL(test, kspan_depot_put_full(central, NULL, 0));
	KUNIT_EXPECT_FALSE(test, central->wanted);
	list_for_each_entry_safe(mag, next, &taken, list)
		kspan_depot_return_magazine(central, mag);
}

static void returned_magazine_returns_its_objects(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	void *first = new_span(test, central);
	struct kspan_magazine *mag = magazine_of(test, central, 5);

	KUNIT_EXPECT_EQ(test, central->nr_out, 6UL);
	kspan_depot_return_magazine(central, mag);
	KUNIT_EXPECT_EQ(test, central->nr_out, 1UL);
	KUNIT_EXPECT_EQ(test, central->nr_magazines, 0U);
	return_one(central, first);
}

static void drained_depot_keeps_no_magazine(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	void *first = new_span(test, central);
	struct kspan_magazine *mag = magazine_of(test, central, 5), *empty;

	provide(test, central);
	empty = kspan_depot_put_full(central, mag, 0);
	KUNIT_ASSERT_NOT_NULL(test, empty);
	kspan_depot_drain(central);
	KUNIT_EXPECT_EQ(test, central->nr_out, 1UL);
	KUNIT_EXPECT_EQ(test, central->nr_depot_objects, 0UL);
	KUNIT_EXPECT_EQ(test, list_length(&central->depot_empty), 0U);
	KUNIT_EXPECT_EQ_MSG(test, central->nr_magazines, 1U, "the one that is here");
	kspan_depot_return_magazine(central, empty);
	KUNIT_EXPECT_EQ(test, central->nr_magazines, 0U);
	return_one(central, first);
}

#define DEFERRED	40

/* Free the only object of a span as an NMI does. */
static void defer(struct kunit *test, struct kspan_central *central, void *object)
{
	struct kspan_span *span = kspan_map_span((unsigned long)object);

	KUNIT_ASSERT_NOT_NULL(test, span);
	KUNIT_ASSERT_TRUE(test, kspan_span_defer(span, (unsigned long)object));
	KUNIT_ASSERT_TRUE(test, kspan_span_change_state(span, KSPAN_SPAN_SMALL,
							KSPAN_SPAN_SMALL_DEFERRED));
	llist_add(&span->deferred, &central->deferred);
}

/* A merge completes some of the frees that NMIs left, and the next merges the rest. */
static void deferred_frees_are_merged_in_steps(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	unsigned long out;
	unsigned int i;

	for (i = 0; i < DEFERRED; i++)
		defer(test, central, new_span(test, central));
	out = central->nr_out;
	KUNIT_EXPECT_TRUE(test, __kspan_central_merge(central));
	KUNIT_EXPECT_LT(test, central->nr_out, out);
	KUNIT_EXPECT_GE(test, central->nr_out, out - KSPAN_STEPS);
	kspan_central_merge_all(central);
	KUNIT_EXPECT_EQ(test, central->nr_out, out - DEFERRED);
	KUNIT_EXPECT_EQ(test, central->nr_spans, 0UL);
	kspan_verify(test, heap);
}

/* A span with a long bitmap needs several merges. No slot may be lost, and none returned twice. */
static void span_is_merged_word_by_word(struct kunit *test)
{
	const struct kspan_size_class *sc = class_of(8);
	struct kspan_central *central = central_of(8);
	unsigned int words = DIV_ROUND_UP(sc->slots, 64), i, n = 0, rounds = 0;
	unsigned long start = (unsigned long)new_span(test, central);
	struct kspan_span *span = kspan_map_span(start);
	void *object;

	for (i = 1; i < sc->slots; i++) {
		object = kspan_central_alloc(central, 0);
		KUNIT_ASSERT_NOT_NULL(test, object);
	}
	/* Free all slots but one of each word. */
	for (i = 0; i < sc->slots; i++)
		if (i % 64) {
			KUNIT_ASSERT_TRUE(test, kspan_span_defer(span, start + i * 8));
			n++;
		}
	KUNIT_ASSERT_TRUE(test, kspan_span_change_state(span, KSPAN_SPAN_SMALL,
							KSPAN_SPAN_SMALL_DEFERRED));
	llist_add(&span->deferred, &central->deferred);
	while (__kspan_central_merge(central) && ++rounds < words)
		;
	KUNIT_EXPECT_GT(test, rounds, 1U);
	KUNIT_EXPECT_EQ(test, central->nr_out, (unsigned long)sc->slots - n);
	expect_lists(test, central, 1, 0);
	kspan_verify(test, heap);
	for (i = 0; i < sc->slots; i += 64)
		return_one(central, (void *)(start + i * 8));
	KUNIT_EXPECT_EQ(test, central->nr_spans, 0UL);
}

/*
 * Each object is the last of its span. A return with preemption off returns some of them, and the
 * next one the rest.
 */
static void scattered_objects_are_returned_in_steps(struct kunit *test)
{
	struct kspan_central *central = central_of(SIZE);
	unsigned int steps = KSPAN_STEPS, done, i;
	void *objects[DEFERRED];

	/* Skip every second span, so that no two spans are neighbours. */
	for (i = 0; i < DEFERRED; i++) {
		objects[i] = new_span(test, central);
		new_span(test, central);
	}
	done = kspan_central_return_some(central, objects, DEFERRED, &steps, NULL);
	KUNIT_EXPECT_GE(test, done, 1U);
	KUNIT_EXPECT_LE(test, done, KSPAN_STEPS);
	KUNIT_EXPECT_EQ(test, steps, 0U);
	KUNIT_EXPECT_EQ(test, central->nr_out, 2UL * DEFERRED - done);
	return_all(central, objects + done, DEFERRED - done);
	KUNIT_EXPECT_EQ(test, central->nr_out, (unsigned long)DEFERRED);
	kspan_central_drop(central);
}

static struct kunit_case central_cases[] = {
	KUNIT_CASE(adopted_span_is_partial),
	KUNIT_CASE(adopted_span_of_one_slot_is_full),
	KUNIT_CASE(batch_is_taken_in_address_order),
	KUNIT_CASE(batch_goes_on_in_the_next_span),
	KUNIT_CASE(what_is_left_is_taken),
	KUNIT_CASE(spans_move_between_the_lists),
	KUNIT_CASE(span_without_an_object_is_retired),
	KUNIT_CASE(batch_of_many_spans_retires_them_all),
	KUNIT_CASE(alloc_counts_what_goes_past_the_caches),
	KUNIT_CASE(alloc_without_spans_gives_null),
	KUNIT_CASE(last_resort_of_alloc_is_the_depot),
	KUNIT_CASE(wrong_entries_of_a_batch_are_reported_and_the_rest_returned),
	KUNIT_CASE(double_entry_of_a_retired_span_is_reported),
	KUNIT_CASE(object_of_another_heap_is_left_alone),
	KUNIT_CASE(batches_of_every_class_retire_its_span),
	KUNIT_CASE(doubles_in_a_batch_are_found),
	KUNIT_CASE(mixtures_are_sorted_out),
	KUNIT_CASE(tails_are_no_objects),
	KUNIT_CASE(spans_of_others_are_left_alone),
	KUNIT_CASE(span_that_is_retired_in_the_middle_is_no_longer_looked_at),
	KUNIT_CASE(random_batches_agree_with_an_oracle),
	KUNIT_CASE(slot_tells_what_an_address_is),
	KUNIT_CASE(free_of_the_last_slot_frees_the_span),
	KUNIT_CASE(free_reports_a_slot_that_is_not_out),
	KUNIT_CASE(deferred_frees_are_merged_in_steps),
	KUNIT_CASE(span_is_merged_word_by_word),
	KUNIT_CASE(scattered_objects_are_returned_in_steps),
	KUNIT_CASE(magazines_are_bounded),
	KUNIT_CASE(depot_is_provided_with_what_is_wanted),
	KUNIT_CASE(full_magazine_is_exchanged_for_an_empty_one),
	KUNIT_CASE(empty_magazine_is_kept_when_there_is_no_full_one),
	KUNIT_CASE(full_magazine_is_kept_when_there_is_no_empty_one),
	KUNIT_CASE(depot_is_limited),
	KUNIT_CASE(depot_of_full_magazines_is_limited),
	KUNIT_CASE(depot_holds_one_magazine_at_least),
	KUNIT_CASE(magazines_wanted_are_limited),
	KUNIT_CASE(returned_magazine_returns_its_objects),
	KUNIT_CASE(drained_depot_keeps_no_magazine),
	{}
};

static struct kunit_suite central_suite = {
	.name = "kspan_central",
	.init = central_init,
	.exit = kspan_kunit_exit,
	.test_cases = central_cases,
};

kunit_test_suite(central_suite);
