// SPDX-License-Identifier: GPL-2.0
/*
 * Every call in every context.
 *
 * The table tells where a call may be made. The cases run each cell with a mark:
 *
 *				task	preempt	softirqs irqs	soft-	hard-	NMI	raw
 *					off	off	off	irq	irq		lock
 *	malloc, zalloc, malloc_node,
 *	malloc_array, calloc,
 *	malloc_aligned, tiny_alloc,
 *	alloc_bulk, memdup, strdup,
 *	strndup, asprintf,
 *	mempool_alloc		 x	 a	 a	 a	 a	 a	 n	 rt
 *	realloc, realloc_array,
 *	prefill			 x	 a*	 a	 a*	 a	 a*
 *	malloc_nolock		 x	 x	 x	 x	 x	 x	 x	 x
 *	free, free_sensitive,
 *	free_bulk, mempool_free	 x	 x	 x	 x	 x	 x	 x	 x
 *	free_rcu		 x	 x	 x	 x	 x	 x		 x
 *	free_rcu_mightsleep,
 *	barrier			 x
 *	size, size_roundup	 x	 x	 x	 x	 x	 x	 x	 x
 *	owns			 x	 x	 x	 x	 x	 x		 x
 *
 *	a	with GFP_ATOMIC or the like
 *	*	not on PREEMPT_RT
 *	n	does not wait, and so may fail, like malloc_nolock
 *	rt	only on PREEMPT_RT, where it works as in an NMI; there the cells of preempt off,
 *		irqs off and hardirq do so, too
 *
 * The cells of interrupts are run twice: over code that does not use kspan, and over code that
 * uses the CPU's cache. A trap stands for an NMI, too. No call may fail here: there are free slots
 * and pages, and no lock is held.
 */
#include <linux/delay.h>
#include <linux/kspan.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "context.h"

#define SMALL	100
#define MORE	200
#define LARGE	40000
#define TINY	11
#define BULK	7
#define RESERVE	300	/* of a class that no other call uses */
#define DIRT	0xd1

/* With its final 0 the text is as large as the small objects. */
static char text[SMALL];

/* Objects for a call. A task makes them and frees what is left. */
struct cell {
	gfp_t gfp;
	const char *wrong;
	void *small;
	void *large;
	void *tiny;
	void *bulk[BULK];
};

struct call {
	const char *name;
	void (*make)(struct cell *cell);
	unsigned int where;
};

static void expect(struct cell *cell, bool truth, const char *what)
{
	if (!truth && !cell->wrong)
		cell->wrong = what;
}

/* Check a new object, and free it. */
static void used(struct cell *cell, void *p, size_t size)
{
	expect(cell, p, "no memory");
	if (!p)
		return;
	expect(cell, kspan_size(p) >= size, "size");
	expect(cell, size < KSPAN_TINY_BLOCK || kspan_size(p) == kspan_size_roundup(size),
	       "usable size");
	memset(p, DIRT, size);
	kspan_free(p);
}

static void used_zeroed(struct cell *cell, void *p, size_t size)
{
	expect(cell, !p || !memchr_inv(p, 0, size), "not zeroed");
	used(cell, p, size);
}

static void used_copy(struct cell *cell, void *p, const void *of, size_t size)
{
	expect(cell, !p || !memcmp(p, of, size), "not a copy");
	used(cell, p, size);
}

static void make_malloc(struct cell *cell)
{
	size_t small = SMALL, large = LARGE;

	OPTIMIZER_HIDE_VAR(small);
	OPTIMIZER_HIDE_VAR(large);
	used(cell, kspan_malloc(small, cell->gfp), small);
	used(cell, kspan_malloc(SMALL, cell->gfp), SMALL);
	used(cell, kspan_malloc(large, cell->gfp), large);
}

static void make_zalloc(struct cell *cell)
{
	used_zeroed(cell, kspan_zalloc(SMALL, cell->gfp), SMALL);
	used_zeroed(cell, kspan_zalloc(LARGE, cell->gfp), LARGE);
}

static void make_malloc_node(struct cell *cell)
{
	int here = kspan_home_node();

	used(cell, kspan_malloc_node(SMALL, cell->gfp, here), SMALL);
	used(cell, kspan_malloc_node(SMALL, cell->gfp | __GFP_THISNODE, here), SMALL);
	used(cell, kspan_malloc_node(LARGE, cell->gfp, here), LARGE);
}

static void make_malloc_array(struct cell *cell)
{
	used(cell, kspan_malloc_array(10, SMALL / 10, cell->gfp), SMALL);
}

static void make_calloc(struct cell *cell)
{
	used_zeroed(cell, kspan_calloc(10, SMALL / 10, cell->gfp), SMALL);
}

static void make_malloc_aligned(struct cell *cell)
{
	void *p = kspan_malloc_aligned(SMALL, 64, cell->gfp);

	expect(cell, IS_ALIGNED((unsigned long)p, 64), "not aligned");
	used(cell, p, 128);
}

static void make_tiny_alloc(struct cell *cell)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		used(cell, kspan_tiny_alloc(TINY + i, cell->gfp), TINY + i);
}

static void make_alloc_bulk(struct cell *cell)
{
	void *p[BULK];
	unsigned int i, n = kspan_alloc_bulk(SMALL, cell->gfp, BULK, p);

	expect(cell, n == BULK, "number of objects");
	for (i = 0; i < n; i++)
		used(cell, p[i], SMALL);
}

static void make_memdup(struct cell *cell)
{
	used_copy(cell, kspan_memdup(text, SMALL, cell->gfp), text, SMALL);
}

static void make_strdup(struct cell *cell)
{
	used_copy(cell, kspan_strdup(text, cell->gfp), text, SMALL);
}

static void make_strndup(struct cell *cell)
{
	used_copy(cell, kspan_strndup(text, 1000, cell->gfp), text, SMALL);
}

static void make_asprintf(struct cell *cell)
{
	used_copy(cell, kspan_asprintf(cell->gfp, "%s", text), text, SMALL);
}

static void make_mempool_alloc(struct cell *cell)
{
	used(cell, kspan_mempool_alloc(cell->gfp, (void *)SMALL), SMALL);
}

static void make_realloc(struct cell *cell)
{
	void *p;

	memset(cell->small, DIRT, SMALL);
	p = kspan_realloc(cell->small, MORE, cell->gfp);
	expect(cell, p && !memchr_inv(p, DIRT, SMALL), "contents after realloc");
	cell->small = p ?: cell->small;
	p = kspan_realloc(cell->large, LARGE / 2 + LARGE, cell->gfp);
	expect(cell, p, "larger object");
	cell->large = p ?: cell->large;
	p = kspan_realloc(cell->large, LARGE, cell->gfp);
	expect(cell, p == cell->large, "smaller object");
}

static void make_realloc_array(struct cell *cell)
{
	void *p = kspan_realloc_array(cell->small, 2, MORE / 2, cell->gfp);

	expect(cell, p && kspan_size(p) >= MORE, "array");
	cell->small = p ?: cell->small;
}

/* No other call uses this class. So the object comes from the reserve, or not at all. */
static void make_prefill(struct cell *cell)
{
	expect(cell, !kspan_prefill(RESERVE, 2, cell->gfp), "prefill");
	used(cell, kspan_malloc_nolock(RESERVE), RESERVE);
	expect(cell, !kspan_prefill(RESERVE, 0, cell->gfp), "giving the reserve back");
}

static void make_malloc_nolock(struct cell *cell)
{
	used(cell, kspan_malloc_nolock(SMALL), SMALL);
	used(cell, kspan_malloc_nolock(LARGE), LARGE);
}

static void make_free(struct cell *cell)
{
	kspan_free(cell->small);
	kspan_free(cell->large);
	kspan_free(cell->tiny);
	cell->small = NULL;
	cell->large = NULL;
	cell->tiny = NULL;
}

static void make_free_sensitive(struct cell *cell)
{
	kspan_free_sensitive(cell->small);
	kspan_free_sensitive(cell->large);
	kspan_free_sensitive(cell->tiny);
	cell->small = NULL;
	cell->large = NULL;
	cell->tiny = NULL;
}

static void make_mempool_free(struct cell *cell)
{
	kspan_mempool_free(cell->small, (void *)SMALL);
	cell->small = NULL;
}

/* Free objects of all kinds in bulk. */
static void make_free_bulk(struct cell *cell)
{
	swap(cell->bulk[1], cell->large);
	swap(cell->bulk[3], cell->tiny);
	kspan_free_bulk(BULK, cell->bulk);
	memset(cell->bulk, 0, sizeof(cell->bulk));
}

struct with_rcu {
	u64 data;
	struct rcu_head rcu;
};

static void make_free_rcu(struct cell *cell)
{
	struct with_rcu *small = cell->small, *large = cell->large;

	cell->small = NULL;
	cell->large = NULL;
	kspan_free_rcu(small, rcu);
	kspan_free_rcu(large, rcu);
}

static void make_free_rcu_mightsleep(struct cell *cell)
{
	kspan_free_rcu_mightsleep(cell->small);
	kspan_free_rcu_mightsleep(cell->tiny);
	cell->small = NULL;
	cell->tiny = NULL;
}

static void make_barrier(struct cell *cell)
{
	void *p = cell->small;

	make_free_rcu(cell);
	kspan_barrier();
	expect(cell, !kspan_owns(p), "not freed by the barrier");
}

static void make_size(struct cell *cell)
{
	expect(cell, kspan_size(cell->small) == 112, "small size");
	expect(cell, kspan_size(cell->large) == kspan_size_roundup(LARGE), "large size");
	expect(cell, kspan_size(cell->tiny) >= TINY, "tiny size");
	expect(cell, !kspan_size(&cell), "size of what is foreign");
}

static void make_size_roundup(struct cell *cell)
{
	expect(cell, kspan_size_roundup(SMALL) == 112, "small size");
	expect(cell, kspan_size_roundup(KSPAN_MAX_SMALL + 1) == KSPAN_MAX_SMALL + KSPAN_PAGE_SIZE,
	       "large size");
}

static void make_owns(struct cell *cell)
{
	expect(cell, kspan_owns(cell->small), "owns small");
	expect(cell, kspan_owns(cell->large), "owns large");
	expect(cell, kspan_owns(cell->tiny), "owns tiny");
	expect(cell, !kspan_owns(&cell), "owns what is foreign");
}

#define SLEEPING	(IN_TASK | SOFTIRQS_OFF | IN_SOFTIRQ)	/* on PREEMPT_RT */
#define INTERRUPTIBLE	(IN_TASK | PREEMPT_OFF | SOFTIRQS_OFF | IRQS_OFF | IN_SOFTIRQ | IN_HARDIRQ)
#define NO_NMI		(INTERRUPTIBLE | RAW_LOCK)
#define ANYWHERE	(NO_NMI | IN_NMI)
#ifdef CONFIG_PREEMPT_RT
#define WHERE_ALLOC	ANYWHERE
#define WHERE_REALLOC	SLEEPING
#else
#define WHERE_ALLOC	(INTERRUPTIBLE | IN_NMI)
#define WHERE_REALLOC	INTERRUPTIBLE
#endif

static const struct call calls[] = {
	{ "malloc", make_malloc, WHERE_ALLOC },
	{ "zalloc", make_zalloc, WHERE_ALLOC },
	{ "malloc_node", make_malloc_node, WHERE_ALLOC },
	{ "malloc_array", make_malloc_array, WHERE_ALLOC },
	{ "calloc", make_calloc, WHERE_ALLOC },
	{ "malloc_aligned", make_malloc_aligned, WHERE_ALLOC },
	{ "tiny_alloc", make_tiny_alloc, WHERE_ALLOC },
	{ "alloc_bulk", make_alloc_bulk, WHERE_ALLOC },
	{ "memdup", make_memdup, WHERE_ALLOC },
	{ "strdup", make_strdup, WHERE_ALLOC },
	{ "strndup", make_strndup, WHERE_ALLOC },
	{ "asprintf", make_asprintf, WHERE_ALLOC },
	{ "mempool_alloc", make_mempool_alloc, WHERE_ALLOC },
	{ "realloc", make_realloc, WHERE_REALLOC },
	{ "realloc_array", make_realloc_array, WHERE_REALLOC },
	{ "prefill", make_prefill, WHERE_REALLOC },
	{ "malloc_nolock", make_malloc_nolock, ANYWHERE },
	{ "free", make_free, ANYWHERE },
	{ "free_sensitive", make_free_sensitive, ANYWHERE },
	{ "free_bulk", make_free_bulk, ANYWHERE },
	{ "mempool_free", make_mempool_free, ANYWHERE },
	{ "free_rcu", make_free_rcu, NO_NMI },
	{ "free_rcu_mightsleep", make_free_rcu_mightsleep, IN_TASK },
	{ "barrier", make_barrier, IN_TASK },
	{ "size", make_size, ANYWHERE },
	{ "size_roundup", make_size_roundup, ANYWHERE },
	{ "owns", make_owns, NO_NMI },
};

static u64 live_objects(void)
{
	struct kspan_stats stats;

	kspan_stats_read(&stats);
	return stats.heap_objects;
}

static void fill_cell(struct kunit *test, struct cell *cell)
{
	unsigned int i;

	cell->small = kspan_malloc(SMALL, GFP_KERNEL);
	cell->large = kspan_malloc(LARGE, GFP_KERNEL);
	cell->tiny = kspan_tiny_alloc(TINY, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cell->small);
	KUNIT_ASSERT_NOT_NULL(test, cell->large);
	KUNIT_ASSERT_NOT_NULL(test, cell->tiny);
	for (i = 0; i < BULK; i++)
		cell->bulk[i] = kspan_malloc(i & 1 ? SMALL : MORE, GFP_KERNEL);
}

static void empty_cell(struct cell *cell)
{
	kspan_free(cell->small);
	kspan_free(cell->large);
	kspan_free(cell->tiny);
	kspan_free_bulk(BULK, cell->bulk);
}

/* Fill the caches, so that the calls need no lock that they must wait for. */
static void warm(struct kunit *test)
{
	void *tiny[40];
	unsigned int i;

	kspan_kunit_warm(test, SMALL);
	kspan_kunit_warm(test, 128);
	kspan_kunit_warm(test, MORE);
	for (i = 0; i < ARRAY_SIZE(tiny); i++)
		tiny[i] = kspan_tiny_alloc(15, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(tiny); i++)
		kspan_free(tiny[i]);
}

static void run_cell(void *data)
{
	void **call_and_cell = data;
	const struct call *call = call_and_cell[0];

	call->make(call_and_cell[1]);
}

static bool run_in(const struct context *context, bool over_busy, struct context_job *job)
{
	return over_busy ? context_run_over_busy_cache(context, job) :
			   context_run(context, job);
}

static void one_cell(struct kunit *test, const struct call *call, const struct context *context,
		     bool over_busy, gfp_t gfp)
{
	struct cell cell = { .gfp = gfp };
	void *call_and_cell[] = { (void *)call, &cell };
	struct context_job *job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);
	u64 live = live_objects();

	KUNIT_ASSERT_NOT_NULL(test, job);
	job->fn = run_cell;
	job->data = call_and_cell;
	fill_cell(test, &cell);
	KUNIT_EXPECT_TRUE(test, run_in(context, over_busy, job));
	KUNIT_EXPECT_TRUE_MSG(test, job->ran, "%s %s did not run", call->name, context->name);
	KUNIT_EXPECT_EQ(test, job->nmi, context->column == IN_NMI);
	if (over_busy && context->column != IN_SOFTIRQ)
		KUNIT_EXPECT_TRUE_MSG(test, job->busy, "%s %s", call->name, context->name);
	KUNIT_EXPECT_NULL_MSG(test, cell.wrong, "%s %s%s: %s", call->name, context->name,
			      over_busy ? ", cache busy" : "", cell.wrong);
	empty_cell(&cell);
	if (call->make == make_free_rcu || call->make == make_free_rcu_mightsleep)
		kspan_barrier();
	KUNIT_EXPECT_EQ_MSG(test, live_objects(), live, "%s %s", call->name, context->name);
}

static void every_call(struct kunit *test, const struct context *context, gfp_t gfp)
{
	unsigned int i, over_busy, run = 0;

	warm(test);
	for (over_busy = 0; over_busy <= context->interrupts; over_busy++)
		for (i = 0; i < ARRAY_SIZE(calls); i++)
			if (calls[i].where & context->column) {
				one_cell(test, &calls[i], context, over_busy, gfp);
				run++;
			}
	KUNIT_EXPECT_GE(test, run, 8U);
	kspan_verify(test, &kspan_default_heap);
}

static void every_call_in_a_task(struct kunit *test)
{
	every_call(test, &context_task, GFP_KERNEL);
	every_call(test, &context_task, GFP_ATOMIC);
}

static void every_call_with_preemption_off(struct kunit *test)
{
	every_call(test, &context_preempt_off, GFP_ATOMIC);
}

static void every_call_with_softirqs_off(struct kunit *test)
{
	every_call(test, &context_softirqs_off, GFP_ATOMIC);
}

static void every_call_with_interrupts_off(struct kunit *test)
{
	every_call(test, &context_irqs_off, GFP_NOWAIT);
}

static void every_call_in_a_softirq(struct kunit *test)
{
	every_call(test, &context_softirq, GFP_ATOMIC);
}

static void every_call_in_a_hardirq(struct kunit *test)
{
	every_call(test, &context_hardirq, GFP_ATOMIC);
}

static void every_call_in_an_nmi(struct kunit *test)
{
	if (!context_has_nmi())
		kunit_skip(test, "no way to send an NMI: the APIC's registers are not in memory");
	every_call(test, &context_nmi, GFP_ATOMIC);
}

static void every_call_in_a_trap(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_HAVE_HW_BREAKPOINT) || !IS_ENABLED(CONFIG_X86))
		kunit_skip(test, "needs hardware breakpoints on x86");
	every_call(test, &context_trap, GFP_ATOMIC);
}

static void every_call_under_a_raw_spinlock(struct kunit *test)
{
	every_call(test, &context_raw_lock, GFP_ATOMIC);
}

/* More objects than the magazines and the depot hold, so that some spans are retired. */
#define MANY	48

struct many {
	void *object[MANY];
	unsigned int n;
	bool released;
};

static void fill(struct kunit *test, struct many *many, size_t size)
{
	for (many->n = 0; many->n < MANY; many->n++) {
		many->object[many->n] = kspan_malloc(size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, many->object[many->n]);
	}
}

static void free_many(void *data)
{
	struct many *many = data;
	unsigned int i;

	for (i = 0; i < many->n; i++)
		kspan_free(many->object[i]);
}

static unsigned long arenas(void)
{
	struct kspan_page_stats stats;

	kspan_page_stats_read(&stats);
	return stats.arenas;
}

static struct context_job *job_of(struct kunit *test, void (*fn)(void *data), void *data)
{
	struct context_job *job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, job);
	job->fn = fn;
	job->data = data;
	return job;
}

/* Each span has one slot. A span is retired when no magazine has room for its object. */
static void last_object_of_a_span_is_freed_in(struct kunit *test, const struct context *context)
{
	struct many *many = kunit_kzalloc(test, sizeof(*many), GFP_KERNEL);
	unsigned int class = kspan_size_class(KSPAN_MAX_SMALL), depot_bytes = kspan_depot_bytes;
	struct kspan_class_stats before, after;

	KUNIT_ASSERT_NOT_NULL(test, many);
	KUNIT_ASSERT_EQ(test, (unsigned int)kspan_size_classes[class].slots, 1U);
	kspan_depot_bytes = 0;
	fill(test, many, KSPAN_MAX_SMALL);
	kspan_class_stats_read(class, &before);
	KUNIT_EXPECT_TRUE(test, context_run(context, job_of(test, free_many, many)));
	kspan_class_stats_read(class, &after);
	kspan_depot_bytes = depot_bytes;
	KUNIT_EXPECT_EQ_MSG(test, after.in_use, before.in_use - MANY, "%s", context->name);
	KUNIT_EXPECT_LE_MSG(test, after.spans, before.spans - MANY / 2, "%s", context->name);
}

/*
 * The arena is released at once where the page allocator may be called. Otherwise a work item does
 * it.
 */
static void last_object_of_an_arena_is_freed_in(struct kunit *test, const struct context *context)
{
	struct many many = { .n = 1 };
	unsigned long before, soon;
	unsigned int wait;

	kspan_arena_reserve = 0;
	kspan_kunit_settle();
	before = arenas();
	many.object[0] = kspan_malloc(1 << 20, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, many.object[0]);
	KUNIT_EXPECT_EQ(test, arenas(), before + 1);
	KUNIT_EXPECT_TRUE(test, context_run(context, job_of(test, free_many, &many)));
	soon = arenas();
	for (wait = 0; wait < 200 && soon > before; wait++) {
		msleep(20);
		soon = arenas();
	}
	KUNIT_EXPECT_EQ_MSG(test, soon, before, "%s", context->name);
}

static const struct context *const where_to_free[] = {
	&context_task, &context_preempt_off, &context_softirqs_off, &context_irqs_off,
	&context_softirq, &context_hardirq, &context_raw_lock,
};

static void last_object_of_a_span_is_freed_anywhere(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(where_to_free); i++)
		last_object_of_a_span_is_freed_in(test, where_to_free[i]);
}

static void last_object_of_an_arena_is_freed_anywhere(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(where_to_free); i++)
		last_object_of_an_arena_is_freed_in(test, where_to_free[i]);
}

/* An NMI can't retire the spans. The next use of the heap does it, here the read of statistics. */
static void last_object_of_a_span_is_freed_in_an_nmi(struct kunit *test)
{
	if (!context_has_nmi())
		kunit_skip(test, "no way to send an NMI");
	last_object_of_a_span_is_freed_in(test, &context_nmi);
	kspan_verify(test, &kspan_default_heap);
}

static void last_object_of_an_arena_is_freed_in_an_nmi(struct kunit *test)
{
	if (!context_has_nmi())
		kunit_skip(test, "no way to send an NMI");
	last_object_of_an_arena_is_freed_in(test, &context_nmi);
}

/* The page of an arena that is in use, or that waits to be released by a work item. */
static bool is_allocated(const void *p)
{
	return page_count(virt_to_page(p)) == KSPAN_PAGE_REFS;
}

static void free_and_look(void *data)
{
	struct many *many = data;

	free_many(many);
	many->released = !is_allocated(many->object[0]);
}

/* The page allocator takes spinlocks, which a task must not take under a raw spinlock. */
static void arena_is_released_after_the_raw_spinlock(struct kunit *test)
{
	struct many many = { .n = 1 };
	unsigned int wait;

	kspan_arena_reserve = 0;
	kspan_kunit_settle();
	many.object[0] = kspan_malloc(KSPAN_MAX_SIZE, GFP_KERNEL);
	if (!many.object[0])
		kunit_skip(test, "no block of the largest order left");
	KUNIT_ASSERT_TRUE(test, is_allocated(many.object[0]));
	context_run(&context_raw_lock, job_of(test, free_and_look, &many));
	KUNIT_EXPECT_FALSE(test, many.released);
	for (wait = 0; wait < 200 && is_allocated(many.object[0]); wait++)
		msleep(20);
	KUNIT_EXPECT_FALSE(test, is_allocated(many.object[0]));
}

/* Take all objects of a reserve, in a context where none can come from elsewhere. */
static void take_reserve(void *data)
{
	struct many *many = data;

	for (many->n = 0; many->n < MANY; many->n++) {
		many->object[many->n] = kspan_malloc_nolock(RESERVE);
		if (!many->object[many->n])
			break;
	}
}

static const struct context *const everywhere[] = {
	&context_task, &context_preempt_off, &context_softirqs_off, &context_irqs_off,
	&context_softirq, &context_hardirq, &context_raw_lock, &context_trap, &context_nmi,
};

static void prefilled_objects_are_there(struct kunit *test, const struct context *context)
{
	struct many *many = kunit_kzalloc(test, sizeof(*many), GFP_KERNEL);
	struct context_job *job = job_of(test, take_reserve, many);
	struct kspan_central *central;
	unsigned long flags;

	KUNIT_ASSERT_NOT_NULL(test, many);
	KUNIT_ASSERT_EQ(test, kspan_prefill(RESERVE, MANY, GFP_KERNEL), 0);
	central = kspan_heap_central(&kspan_default_heap, kspan_home_node(),
				     kspan_size_class(RESERVE));
	kspan_kunit_settle();
	if (context->column == IN_NMI) {
		/* Hold the central lock, as if the NMI had interrupted its owner. */
		raw_spin_lock_irqsave(&central->lock, flags);
		context->start(job);
		raw_spin_unlock_irqrestore(&central->lock, flags);
	} else {
		context_run(context, job);
	}
	KUNIT_EXPECT_EQ_MSG(test, many->n, (unsigned int)MANY, "%s", context->name);
	free_many(many);
	kspan_prefill(RESERVE, 0, GFP_KERNEL);
}

static void prefilled_objects_are_there_everywhere(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(everywhere); i++) {
		if (everywhere[i] == &context_nmi && !context_has_nmi())
			continue;
		if (everywhere[i] == &context_trap && !IS_ENABLED(CONFIG_X86))
			continue;
		prefilled_objects_are_there(test, everywhere[i]);
	}
}

static int context_init(struct kunit *test)
{
	int err = context_open();

	memset(text, 't', sizeof(text) - 1);
	return err ?: kspan_kunit_init(test);
}

static void context_exit(struct kunit *test)
{
	kspan_kunit_exit(test);
	context_close();
}

static struct kunit_case context_cases[] = {
	KUNIT_CASE(every_call_in_a_task),
	KUNIT_CASE(every_call_with_preemption_off),
	KUNIT_CASE(every_call_with_softirqs_off),
	KUNIT_CASE(every_call_with_interrupts_off),
	KUNIT_CASE(every_call_in_a_softirq),
	KUNIT_CASE(every_call_in_a_hardirq),
	KUNIT_CASE(every_call_in_an_nmi),
	KUNIT_CASE(every_call_in_a_trap),
	KUNIT_CASE(every_call_under_a_raw_spinlock),
	KUNIT_CASE(last_object_of_a_span_is_freed_anywhere),
	KUNIT_CASE(last_object_of_an_arena_is_freed_anywhere),
	KUNIT_CASE(last_object_of_a_span_is_freed_in_an_nmi),
	KUNIT_CASE(last_object_of_an_arena_is_freed_in_an_nmi),
	KUNIT_CASE(arena_is_released_after_the_raw_spinlock),
	KUNIT_CASE(prefilled_objects_are_there_everywhere),
	{}
};

static struct kunit_suite context_suite = {
	.name = "kspan_context",
	.init = context_init,
	.exit = context_exit,
	.test_cases = context_cases,
};

kunit_test_suite(context_suite);
