// SPDX-License-Identifier: GPL-2.0
/*
 * All of kspan against a simple model.
 *
 * Random calls are made, and a model has what a heap must have: a tree of disjoint intervals, each
 * with a size, a pattern and a class; and the number of allocated and of live objects of each
 * class. Objects that wait for a grace period are not in the tree, but count as live until the
 * next comparison.
 */
#include <linux/kspan.h>
#include <linux/nodemask.h>
#include <linux/string.h>

#include "model.h"

#define OPERATIONS	100000
#define SLOTS		1024
#define MAX_SHIFT	17
/* Operations between two comparisons of all counters. */
#define INTERVAL	5000
/* Most objects that are allocated or freed in bulk. */
#define BULK		24

#define RCU_BLOCK	512	/* bytes of a block of pointers in free_rcu.c */

struct object {
	struct rb_node node;
	u8 *p;
	size_t size;
	size_t usable;		/* for a tiny object the size asked for */
	unsigned int class;	/* 0: large; KSPAN_CLASS_TINY: tiny, not its block */
	u32 tag;
};

struct model {
	struct rnd_state rnd;
	struct object slots[SLOTS];
	struct rb_root by_address;
	u32 tag;
	unsigned long live;
	unsigned long live_of_class[KSPAN_NR_CLASSES];
	u64 allocs_of_class[KSPAN_NR_CLASSES];
	u64 allocs_before[KSPAN_NR_CLASSES];
	gfp_t gfp;
};

static struct model *model;

static u32 below(u32 n)
{
	return kspan_kunit_below(&model->rnd, n);
}

/* Class 0 is for large objects. */
static unsigned int class_of(size_t usable)
{
	return usable <= KSPAN_MAX_SMALL ? kspan_size_class(usable) : 0;
}

static u64 allocs_of(unsigned int class)
{
	struct kspan_class_stats stats;
	struct kspan_page_stats pages;
	struct kspan_tiny_stats tiny;

	if (class == KSPAN_CLASS_TINY) {
		kspan_tiny_stats_read(&tiny);
		return tiny.allocs;
	}
	if (class) {
		kspan_class_stats_read(class, &stats);
		return stats.allocs;
	}
	kspan_page_stats_read(&pages);
	return pages.large.allocs;
}

static unsigned long in_use_of(unsigned int class)
{
	struct kspan_class_stats stats;
	struct kspan_page_stats pages;
	struct kspan_tiny_stats tiny;

	if (class == KSPAN_CLASS_TINY) {
		kspan_tiny_stats_read(&tiny);
		return tiny.objects;
	}
	if (class) {
		kspan_class_stats_read(class, &stats);
		return stats.in_use;
	}
	kspan_page_stats_read(&pages);
	return pages.large.in_use;
}

static int model_init(struct kunit *test)
{
	unsigned int class;

	kspan_kunit_init(test);
	model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	if (!model)
		return -ENOMEM;
	model->by_address = RB_ROOT;
	model->gfp = GFP_KERNEL;
	for (class = 0; class < KSPAN_NR_CLASSES; class++)
		model->allocs_before[class] = allocs_of(class);
	return 0;
}

static struct object *neighbour(struct rb_node *node)
{
	return node ? rb_entry(node, struct object, node) : NULL;
}

static bool before(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct object, node)->p < rb_entry(b, struct object, node)->p;
}

/* Add a live interval. It must not meet any other. */
static void insert(struct kunit *test, struct object *object)
{
	struct object *left, *right;

	rb_add(&object->node, &model->by_address, before);
	left = neighbour(rb_prev(&object->node));
	right = neighbour(rb_next(&object->node));
	if (left)
		KUNIT_ASSERT_LE(test, (unsigned long)left->p + left->usable,
				(unsigned long)object->p);
	if (right)
		KUNIT_ASSERT_LE(test, (unsigned long)object->p + object->usable,
				(unsigned long)right->p);
	model->live++;
	model->live_of_class[object->class]++;
}

static void erase(struct object *object)
{
	rb_erase(&object->node, &model->by_address);
	model->live--;
	model->live_of_class[object->class]--;
}

static void note(struct kunit *test, struct object *object, void *p, size_t size,
		 unsigned int class)
{
	object->p = p;
	object->size = size;
	object->class = class;
	object->tag = ++model->tag;
	model->allocs_of_class[class]++;
	insert(test, object);
	model_stamp(p, size, object->tag);
}

/* Take a new object of @size bytes into the model. It must be what the API promises. */
static void take_in(struct kunit *test, struct object *object, void *p, size_t size)
{
	KUNIT_ASSERT_TRUE_MSG(test, IS_ALIGNED((unsigned long)p, kspan_kunit_align(size)),
			      "%zu at %p", size, p);
	KUNIT_ASSERT_EQ(test, kspan_size(p), kspan_size_roundup(size));
	KUNIT_ASSERT_EQ(test, kspan_object_class(p), class_of(kspan_size(p)));
	object->usable = kspan_size(p);
	note(test, object, p, size, kspan_object_class(p));
}

/* A tiny object may use more bytes as long as no other object lies behind it. */
static void take_in_tiny(struct kunit *test, struct object *object, void *p, size_t size)
{
	KUNIT_ASSERT_TRUE_MSG(test, IS_ALIGNED((unsigned long)p, min_t(size_t, size & -size, 8)),
			      "%zu at %p", size, p);
	KUNIT_ASSERT_GE(test, kspan_size(p), size);
	KUNIT_ASSERT_EQ(test, kspan_object_class(p), 0U);
	object->usable = size;
	note(test, object, p, size, KSPAN_CLASS_TINY);
}

static void expect_intact(struct kunit *test, const struct object *object)
{
	KUNIT_ASSERT_TRUE_MSG(test, model_stamped(object->p, object->size, object->tag),
			      "%zu bytes at %p", object->size, object->p);
}

enum call {
	MALLOC, ZALLOC, CALLOC, MALLOC_NODE, MALLOC_ARRAY, MEMDUP, ALIGNED, NOLOCK, TINY, NR_CALLS
};

/* Copy the object of a random slot if it is large enough. Otherwise allocate one. */
static void *copy(struct kunit *test, size_t size)
{
	struct object *source = &model->slots[below(SLOTS)];
	void *p;

	if (!source->p || source->size < size)
		return kspan_malloc(size, model->gfp);
	p = kspan_memdup(source->p, size, model->gfp);
	if (p)
		KUNIT_ASSERT_EQ(test, memcmp(p, source->p, size), 0);
	return p;
}

static int random_node(void)
{
	unsigned int n = below(num_node_state(N_MEMORY) + 1);
	int nid;

	for_each_node_state(nid, N_MEMORY)
		if (!n--)
			return nid;
	return NUMA_NO_NODE;
}

/* Allocate any size that is rounded up to @size. */
static void *aligned(size_t size)
{
	size_t align = size & -size;

	return kspan_malloc_aligned(size - below(align), align, model->gfp);
}

static void *call(struct kunit *test, enum call which, size_t size)
{
	switch (which) {
	case ALIGNED:
		return aligned(size);
	case NOLOCK:
		/* kspan_malloc_nolock() may fail. */
		return kspan_malloc_nolock(size) ?: kspan_malloc(size, model->gfp);
	case TINY:
		return kspan_tiny_alloc(size, model->gfp);
	case ZALLOC:
		return kspan_zalloc(size, model->gfp);
	case CALLOC:
		return kspan_calloc(1, size, model->gfp);
	case MALLOC_NODE:
		return kspan_malloc_node(size, model->gfp, random_node());
	case MALLOC_ARRAY:
		return kspan_malloc_array(size, 1, model->gfp);
	case MEMDUP:
		return copy(test, size);
	default:
		return kspan_malloc(size, model->gfp);
	}
}

static size_t size_for(enum call which)
{
	size_t size = model_size(&model->rnd, MAX_SHIFT), align = 1UL << below(14);

	switch (which) {
	case ALIGNED:
		return ALIGN(size, align);
	case TINY:
		return 1 + size % (KSPAN_TINY_BLOCK - 1);
	default:
		return size;
	}
}

static void allocate(struct kunit *test, struct object *object)
{
	enum call which = below(NR_CALLS);
	size_t size = size_for(which);
	void *p = call(test, which, size);

	KUNIT_ASSERT_NOT_NULL_MSG(test, p, "call %u of %zu", which, size);
	if (which == ZALLOC || which == CALLOC)
		KUNIT_ASSERT_TRUE_MSG(test, kspan_kunit_filled(p, 0), "%zu", size);
	if (which == TINY)
		take_in_tiny(test, object, p, size);
	else
		take_in(test, object, p, size);
}

/* Take an object out of the model. Returns the pointer to free. */
static void *let_go(struct kunit *test, struct object *object)
{
	void *p = object->p;

	expect_intact(test, object);
	erase(object);
	object->p = NULL;
	return p;
}

/* Stands at the start of an object that is freed after a grace period. */
struct doomed {
	struct rcu_head rcu;
};

static void release(struct kunit *test, struct object *object)
{
	bool has_room = object->usable >= sizeof(struct doomed);
	struct doomed *p = let_go(test, object);
	u32 way = below(16);

	if (way == 0)
		kspan_free_sensitive(p);
	else if (way < 4 && has_room)
		kspan_free_rcu(p, rcu);
	else
		kspan_free(p);
}

/* Find up to BULK slots, from a random one on, that are all free or all in use. */
static unsigned int some_slots(struct object **slots, bool used)
{
	unsigned int n = 1 + below(BULK), first = below(SLOTS), found = 0, i;

	for (i = 0; i < SLOTS && found < n; i++) {
		struct object *object = &model->slots[(first + i) % SLOTS];

		if (!!object->p == used)
			slots[found++] = object;
	}
	return found;
}

static void allocate_bulk(struct kunit *test)
{
	size_t size = model_size(&model->rnd, MAX_SHIFT - 3);
	struct object *slots[BULK];
	unsigned int n = some_slots(slots, false), i;
	void *p[BULK];

	KUNIT_ASSERT_EQ(test, kspan_alloc_bulk(size, model->gfp, n, p), n);
	for (i = 0; i < n; i++)
		take_in(test, slots[i], p[i], size);
}

/* Free objects of different sizes in bulk. */
static void release_bulk(struct kunit *test)
{
	struct object *slots[BULK];
	unsigned int n = some_slots(slots, true), i;
	void *p[BULK];

	for (i = 0; i < n; i++)
		p[i] = let_go(test, slots[i]);
	kspan_free_bulk(n, p);
}

/* The object was resized in place: a small one within its slot, a large one with other pages. */
static void take_in_place(struct kunit *test, struct object *object, size_t size)
{
	erase(object);
	object->size = size;
	if (!object->class)
		object->usable = kspan_large_roundup(size);
	if (object->class == KSPAN_CLASS_TINY)
		object->usable = size;
	else
		KUNIT_ASSERT_EQ(test, kspan_size(object->p), object->usable);
	insert(test, object);
	model_stamp(object->p, size, object->tag);
}

/*
 *	old	|pattern........|
 *	new	|pattern...|		or	|pattern........|........|
 */
static void resize(struct kunit *test, struct object *object)
{
	size_t size = model_size(&model->rnd, MAX_SHIFT), kept = min(size, object->size);
	size_t usable = kspan_size(object->p);
	void *p;

	expect_intact(test, object);
	model_stamp(object->p, kept, object->tag);
	p = kspan_realloc(object->p, size, model->gfp);
	KUNIT_ASSERT_NOT_NULL(test, p);
	/* A large object may also grow in place. */
	if (size <= usable || object->class)
		KUNIT_ASSERT_EQ(test, p == object->p, size <= usable);
	KUNIT_ASSERT_TRUE(test, model_stamped(p, kept, object->tag));
	if (p == object->p) {
		take_in_place(test, object, size);
	} else {
		erase(object);
		take_in(test, object, p, size);
	}
}

/* Phases of growth and of decay make the heap get and release spans and arenas. */
static void operate(struct kunit *test, unsigned int i)
{
	struct object *object = &model->slots[below(SLOTS)];
	bool growing = i / (OPERATIONS / 16) % 2 == 0;

	if (!below(64)) {
		if (growing)
			allocate_bulk(test);
		else
			release_bulk(test);
	} else if (!object->p) {
		if (growing || !below(3))
			allocate(test, object);
	} else if (!below(4)) {
		resize(test, object);
	} else if (!growing || !below(3)) {
		release(test, object);
	} else {
		expect_intact(test, object);
	}
}

/*
 * Compare live objects and allocations of every class with the model. kspan_verify() checks that
 * live + cached + free = slots.
 */
static void compare(struct kunit *test)
{
	unsigned int class;

	kspan_barrier();
	for (class = 0; class < KSPAN_NR_CLASSES; class++) {
		KUNIT_ASSERT_EQ_MSG(test, in_use_of(class), model->live_of_class[class],
				    "class %u", class);
		/* free_rcu.c allocates blocks of this class, too. They have been freed by now. */
		if (class == kspan_size_class(RCU_BLOCK))
			KUNIT_ASSERT_GE(test, allocs_of(class) - model->allocs_before[class],
					model->allocs_of_class[class]);
		else
			KUNIT_ASSERT_EQ_MSG(test, allocs_of(class) - model->allocs_before[class],
					    model->allocs_of_class[class], "class %u", class);
	}
	kspan_verify(test, &kspan_default_heap);
}

static void release_all(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		if (model->slots[i].p)
			release(test, &model->slots[i]);
	KUNIT_EXPECT_EQ(test, model->live, 0UL);
	compare(test);
}

static void random_sequence_agrees_with_the_oracle(struct kunit *test)
{
	unsigned int i;

	prandom_seed_state(&model->rnd, kspan_kunit_random_seed(test));
	for (i = 0; i < OPERATIONS; i++) {
		operate(test, i);
		if (i % INTERVAL == 0)
			compare(test);
	}
	release_all(test);
}

/* The capacity is less than the calls would use, so classes take it from each other. */
static void little_capacity_loses_nothing(struct kunit *test)
{
	u64 before = kspan_cpu_caches_events(&kspan_default_heap, KSPAN_STEAL);
	unsigned int i;

	kspan_cpu_cache_bytes = 100 << 10;
	prandom_seed_state(&model->rnd, kspan_kunit_random_seed(test));
	for (i = 0; i < OPERATIONS / 4; i++) {
		operate(test, i * 4);
		if (i % INTERVAL == 0)
			compare(test);
	}
	release_all(test);
	KUNIT_EXPECT_GT(test, kspan_cpu_caches_events(&kspan_default_heap, KSPAN_STEAL), before);
}

/* Drain and trim now and then. No object may get lost. */
static void draining_and_trimming_loses_nothing(struct kunit *test)
{
	unsigned int i;

	prandom_seed_state(&model->rnd, kspan_kunit_random_seed(test));
	for (i = 0; i < OPERATIONS / 10; i++) {
		operate(test, i * 10);
		if (i % 500 == 0) {
			kspan_kunit_settle();
			compare(test);
		}
	}
	release_all(test);
}

/* Move the task from CPU to CPU. Each finds objects that another one has cached. */
static void moving_from_cpu_to_cpu_loses_nothing(struct kunit *test)
{
	unsigned int i, cpu = 0;

	prandom_seed_state(&model->rnd, kspan_kunit_random_seed(test));
	for (i = 0; i < OPERATIONS / 5; i++) {
		if (i % 300 == 0) {
			cpu = cpumask_next(cpu, cpu_online_mask);
			if (cpu >= nr_cpu_ids)
				cpu = cpumask_first(cpu_online_mask);
			set_cpus_allowed_ptr(current, cpumask_of(cpu));
		}
		operate(test, i * 5);
	}
	release_all(test);
}

static struct kunit_case model_cases[] = {
	KUNIT_CASE(random_sequence_agrees_with_the_oracle),
	KUNIT_CASE(little_capacity_loses_nothing),
	KUNIT_CASE(draining_and_trimming_loses_nothing),
	KUNIT_CASE(moving_from_cpu_to_cpu_loses_nothing),
	{}
};

static struct kunit_suite model_suite = {
	.name = "kspan_model",
	.init = model_init,
	.exit = kspan_kunit_exit,
	.test_cases = model_cases,
};

kunit_test_suite(model_suite);
