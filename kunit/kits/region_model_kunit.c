// SPDX-License-Identifier: GPL-2.0
/*
 * Regions against a model, on one and on two CPUs, and CPU regions.
 *
 * The model is a stack: the live objects in the order of their allocation. It knows for each mark
 * how many objects there were. A mark is stale if there were fewer at some time since.
 */
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "context.h"
#include "kits/region.h"
#include "model.h"

/* Fewer operations with KASAN, which is slow. */
#define OPERATIONS	(IS_ENABLED(CONFIG_KASAN) ? 6000 : 20000)
#define SEEDS		4
#define MAX_LIVE	512
#define MARKS		12
#define MAX_LANDINGS	1024

struct live {
	u8 *p;
	size_t size;
	u32 tag;
};

struct known_mark {
	struct kspan_region_mark mark;
	u64 made;
	u32 depth;
	bool there;
};

/* A release at the time @when left @depth objects. */
struct landing {
	u64 when;
	u32 depth;
};

/**
 * struct stack - the model of a region
 * @r:		the region
 * @rnd:		chooses the operations
 * @live:		objects, oldest first
 * @nr_live:	number of @live
 * @marks:		some of the marks that were made
 * @landings:	depths that releases led to, lowest first, without those that a later release
 *		went below
 * @nr_landings:	number of @landings
 * @now:		operations so far
 * @tag:		of the newest object
 * @released:	objects that were released
 * @refused:	releases that were refused
 * @wrong:		the first error, or NULL
 * @done:		completed by the thread
 */
struct stack {
	struct kspan_region *r;
	struct rnd_state rnd;
	struct live live[MAX_LIVE];
	u32 nr_live;
	struct known_mark marks[MARKS];
	struct landing landings[MAX_LANDINGS];
	u32 nr_landings;
	u64 now;
	u32 tag;
	u64 released;
	u64 refused;
	const char *wrong;
	struct completion done;
};

static void expect(struct stack *stack, bool truth, const char *what)
{
	if (!truth && !stack->wrong)
		stack->wrong = what;
}

static void check_object(struct stack *stack, const struct live *live)
{
	expect(stack, model_stamped(live->p, live->size, live->tag), "contents of an object");
}

static void check_all(struct stack *stack)
{
	u32 i;

	for (i = 0; i < stack->nr_live; i++)
		check_object(stack, &stack->live[i]);
}

static bool overlaps(const struct live *a, const struct live *b)
{
	return a->p < b->p + b->size && b->p < a->p + a->size;
}

static void expect_apart(struct stack *stack, const struct live *new)
{
	u32 i;

	for (i = 0; i < stack->nr_live; i++)
		expect(stack, !overlaps(&stack->live[i], new), "objects overlap");
}

/* One object of seventeen may be larger than a chunk. */
static size_t draw_size(struct stack *stack)
{
	return model_size(&stack->rnd, kspan_kunit_below(&stack->rnd, 16) ? 9 : 16);
}

static void allocate(struct stack *stack)
{
	struct live *live = &stack->live[stack->nr_live];
	size_t align = 8, size = draw_size(stack);

	if (stack->nr_live == MAX_LIVE)
		return;
	if (kspan_kunit_below(&stack->rnd, 4)) {
		live->p = kspan_region_alloc(stack->r, size, GFP_KERNEL);
	} else {
		align = 1UL << kspan_kunit_below(&stack->rnd, 15);
		live->p = kspan_region_alloc_aligned(stack->r, size, align, GFP_KERNEL);
	}
	expect(stack, live->p, "no memory");
	if (!live->p)
		return;
	expect(stack, IS_ALIGNED((unsigned long)live->p, max_t(size_t, align, 8)), "alignment");
	live->size = size;
	live->tag = ++stack->tag;
	expect_apart(stack, live);
	model_stamp(live->p, size, live->tag);
	stack->nr_live++;
}

static void mark(struct stack *stack)
{
	struct known_mark *mark = &stack->marks[kspan_kunit_below(&stack->rnd, MARKS)];

	*mark = (struct known_mark) {
		.mark = kspan_region_mark(stack->r),
		.made = stack->now,
		.depth = stack->nr_live,
		.there = true,
	};
}

static void land(struct stack *stack, u32 depth)
{
	stack->released += stack->nr_live - depth;
	while (stack->nr_live > depth)
		check_object(stack, &stack->live[--stack->nr_live]);
	while (stack->nr_landings && stack->landings[stack->nr_landings - 1].depth >= depth)
		stack->nr_landings--;
	stack->landings[stack->nr_landings++] = (struct landing) { stack->now, depth };
}

static bool is_stale(const struct stack *stack, const struct known_mark *mark, u32 newest)
{
	u32 i, first = stack->nr_landings - min(stack->nr_landings, newest);

	for (i = first; i < stack->nr_landings; i++)
		if (stack->landings[i].when > mark->made && stack->landings[i].depth < mark->depth)
			return true;
	return false;
}

static bool same_stats(const struct kspan_region_stats *a, const struct kspan_region_stats *b)
{
	return a->used == b->used && a->held == b->held && a->spare == b->spare;
}

/*
 * A good mark must work. A stale one must be refused if the region still notes the depth that made
 * it stale.
 */
static void release(struct stack *stack)
{
	struct known_mark *mark = &stack->marks[kspan_kunit_below(&stack->rnd, MARKS)];
	struct kspan_region_stats before, after;

	if (!mark->there)
		return;
	if (!is_stale(stack, mark, MAX_LANDINGS)) {
		land(stack, mark->depth);
		kspan_region_release(stack->r, mark->mark);
	} else if (is_stale(stack, mark, KSPAN_REGION_LANDINGS)) {
		kspan_region_stats_read(stack->r, &before);
		kspan_region_release(stack->r, mark->mark);
		kspan_region_stats_read(stack->r, &after);
		expect(stack, same_stats(&before, &after), "stale mark was taken");
		stack->refused++;
	}
}

static void reset(struct stack *stack)
{
	land(stack, 0);
	kspan_region_reset(stack->r);
}

static void check_used(struct stack *stack)
{
	struct kspan_region_stats stats;
	size_t used = 0;
	u32 i;

	for (i = 0; i < stack->nr_live; i++)
		used += ALIGN(stack->live[i].size, 8);
	kspan_region_stats_read(stack->r, &stats);
	expect(stack, stats.used >= used, "bytes used");
	expect(stack, used || !stats.used, "bytes used by nothing");
	expect(stack, stats.held >= stats.used + stats.spare, "bytes held");
}

static void operate(struct stack *stack)
{
	u32 what = kspan_kunit_below(&stack->rnd, 1000);

	stack->now++;
	if (what < 700)
		allocate(stack);
	else if (what < 950)
		mark(stack);
	else if (what < 998)
		release(stack);
	else
		reset(stack);
	if (!(stack->now % 64)) {
		check_all(stack);
		check_used(stack);
	}
}

static struct stack *make_stack(struct kunit *test, size_t chunk, u64 seed)
{
	struct stack *stack = kunit_kzalloc(test, sizeof(*stack), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, stack);
	stack->r = kspan_region_create(NULL, chunk, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stack->r);
	prandom_seed_state(&stack->rnd, seed);
	init_completion(&stack->done);
	return stack;
}

static void finish_stack(struct kunit *test, struct stack *stack)
{
	check_all(stack);
	KUNIT_EXPECT_NULL_MSG(test, stack->wrong, "%s", stack->wrong);
	KUNIT_EXPECT_GT(test, stack->released, stack->now / 4);
	kspan_region_destroy(stack->r);
}

static void random_operations(struct kunit *test)
{
	static const size_t chunks[SEEDS] = { 0, KSPAN_PAGE_SIZE, 3 * KSPAN_PAGE_SIZE, 1 << 18 };
	u64 seed = kspan_kunit_random_seed(test);
	unsigned int i, j;

	for (i = 0; i < SEEDS; i++) {
		struct stack *stack = make_stack(test, chunks[i], seed + i);

		for (j = 0; j < OPERATIONS && !stack->wrong; j++)
			operate(stack);
		kspan_verify(test, &kspan_default_heap);
		KUNIT_EXPECT_GT(test, stack->refused, 10ULL);
		kunit_info(test, "%llu objects released, %llu stale marks refused\n",
			   stack->released, stack->refused);
		finish_stack(test, stack);
	}
}

static int thread(void *data)
{
	struct stack *stack = data;
	unsigned int i;

	for (i = 0; i < OPERATIONS && !stack->wrong; i++) {
		operate(stack);
		cond_resched();
	}
	complete(&stack->done);
	return 0;
}

static void start_on(struct kunit *test, struct stack *stack, unsigned int cpu)
{
	struct task_struct *task = kthread_create(thread, stack, "kspan_kunit/%u", cpu);

	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	kthread_bind(task, cpu);
	wake_up_process(task);
}

/* Each CPU has a region of its own, of the same heap. */
static void two_cpus(struct kunit *test)
{
	unsigned int first = cpumask_first(cpu_online_mask);
	unsigned int second = cpumask_next(first, cpu_online_mask);
	u64 seed = kspan_kunit_random_seed(test);
	struct stack *a = make_stack(test, 0, seed), *b = make_stack(test, 0, seed + 1);

	start_on(test, a, first);
	start_on(test, b, second < nr_cpu_ids ? second : first);
	wait_for_completion(&a->done);
	wait_for_completion(&b->done);
	kspan_verify(test, &kspan_default_heap);
	finish_stack(test, a);
	finish_stack(test, b);
}

/* CPU regions */

static struct kspan_cpu_region *cpu_region;

/**
 * struct visit - a use of this CPU's region, in any context
 * @irqs_off:	interrupts were off during the use
 * @broken:	objects with wrong contents
 * @failed:	allocations that failed
 * @none:		there was no region
 */
struct visit {
	bool irqs_off;
	unsigned int broken;
	unsigned int failed;
	bool none;
};

/* Allocate some objects, check and release them. */
static void visit(void *data)
{
	struct visit *visit = data;
	struct kspan_region_mark mark;
	struct kspan_region *r;
	unsigned long flags;
	unsigned int i;
	u8 *p[20];

	r = kspan_cpu_region_get(cpu_region, &flags);
	visit->none = !r;
	if (!r)
		return;
	visit->irqs_off = irqs_disabled();
	mark = kspan_region_mark(r);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = kspan_region_alloc(r, 100 + 200 * i, GFP_ATOMIC);
		if (!p[i])
			visit->failed++;
		else
			model_stamp(p[i], 100 + 200 * i, i);
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		if (p[i] && !model_stamped(p[i], 100 + 200 * i, i))
			visit->broken++;
	kspan_region_release(r, mark);
	kspan_cpu_region_put(cpu_region, flags);
}

static size_t used_of_this_cpu(void)
{
	struct kspan_region_stats stats;
	unsigned long flags;

	kspan_region_stats_read(kspan_cpu_region_get(cpu_region, &flags), &stats);
	kspan_cpu_region_put(cpu_region, flags);
	return stats.used;
}

static void open_cpu_region(struct kunit *test)
{
	cpu_region = kspan_cpu_region_create(NULL, 0, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cpu_region);
}

/* Free pages and descriptors for the contexts that can't allocate any. */
static void warm_cpu_region(struct kunit *test)
{
	struct kspan_region *r = kspan_region_create(NULL, 1 << 20, GFP_KERNEL);
	struct visit warm = { };

	KUNIT_ASSERT_NOT_NULL(test, r);
	kspan_region_destroy(r);
	kspan_kunit_warm(test, 48);
	visit(&warm);
	KUNIT_ASSERT_EQ(test, warm.failed, 0U);
}

static void visit_in(struct kunit *test, const struct context *context)
{
	struct context_job *job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);
	struct visit result = { };

	KUNIT_ASSERT_NOT_NULL(test, job);
	job->fn = visit;
	job->data = &result;
	KUNIT_EXPECT_TRUE_MSG(test, context_run(context, job), "%s", context->name);
	KUNIT_EXPECT_TRUE_MSG(test, job->ran, "%s", context->name);
	KUNIT_EXPECT_FALSE_MSG(test, result.none, "%s", context->name);
	KUNIT_EXPECT_TRUE_MSG(test, result.irqs_off, "%s", context->name);
	KUNIT_EXPECT_EQ_MSG(test, result.broken, 0U, "%s", context->name);
	KUNIT_EXPECT_EQ_MSG(test, result.failed, 0U, "%s", context->name);
	KUNIT_EXPECT_EQ_MSG(test, used_of_this_cpu(), (size_t)0, "%s", context->name);
}

static void cpu_region_in_every_context(struct kunit *test)
{
	open_cpu_region(test);
	warm_cpu_region(test);
	visit_in(test, &context_task);
	visit_in(test, &context_preempt_off);
	visit_in(test, &context_softirqs_off);
	visit_in(test, &context_irqs_off);
	visit_in(test, &context_softirq);
	visit_in(test, &context_hardirq);
	visit_in(test, &context_raw_lock);
	kspan_cpu_region_destroy(cpu_region);
}

static unsigned int count_broken(u8 **p, unsigned int n)
{
	unsigned int i, broken = 0;
	unsigned long flags;

	kspan_cpu_region_get(cpu_region, &flags);
	for (i = 0; i < n; i++)
		broken += !model_stamped(p[i], 500, i);
	kspan_cpu_region_put(cpu_region, flags);
	return broken;
}

static bool add_object(u8 **p, unsigned int i)
{
	static struct kspan_region_mark base;
	struct kspan_region *r;
	unsigned long flags;

	r = kspan_cpu_region_get(cpu_region, &flags);
	if (!i)
		base = kspan_region_mark(r);
	p[i] = kspan_region_alloc(r, 500, GFP_ATOMIC);
	if (p[i])
		model_stamp(p[i], 500, i);
	if (i == 15)
		kspan_region_release(r, base);
	kspan_cpu_region_put(cpu_region, flags);
	return p[i];
}

/* A task has objects in the region. They must be intact after each interrupt that uses it. */
static void cpu_region_under_interrupts(struct kunit *test)
{
	struct context_job *job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);
	struct visit theirs = { };
	unsigned int i, broken = 0;
	u8 *p[16];

	KUNIT_ASSERT_NOT_NULL(test, job);
	open_cpu_region(test);
	warm_cpu_region(test);
	job->fn = visit;
	job->data = &theirs;
	for (i = 0; i < 2000; i++) {
		KUNIT_ASSERT_TRUE(test, add_object(p, i % 16));
		KUNIT_ASSERT_TRUE(test, context_run(&context_hardirq, job));
		if (i % 16 < 15)
			broken += count_broken(p, i % 16 + 1);
	}
	KUNIT_EXPECT_EQ(test, broken, 0U);
	KUNIT_EXPECT_EQ(test, theirs.broken, 0U);
	KUNIT_EXPECT_EQ(test, theirs.failed, 0U);
	KUNIT_EXPECT_EQ(test, used_of_this_cpu(), (size_t)0);
	kspan_cpu_region_destroy(cpu_region);
}

static void an_nmi_gets_no_region(struct kunit *test)
{
	struct context_job *job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);
	struct visit result = { };

	KUNIT_ASSERT_NOT_NULL(test, job);
	if (!context_has_nmi())
		kunit_skip(test, "no way to send an NMI: the APIC's registers are not in memory");
	open_cpu_region(test);
	job->fn = visit;
	job->data = &result;
	KUNIT_EXPECT_TRUE(test, context_run(&context_nmi, job));
	KUNIT_EXPECT_TRUE(test, job->nmi);
	KUNIT_EXPECT_TRUE(test, result.none);
	KUNIT_EXPECT_FALSE(test, irqs_disabled());
	kspan_cpu_region_destroy(cpu_region);
}

struct nmi_work {
	struct kspan_region *r;
	u8 *small;
	u8 *large;
};

static void allocate_in_nmi(void *data)
{
	struct nmi_work *work = data;

	work->small = kspan_region_alloc(work->r, 100, GFP_ATOMIC);
	work->large = kspan_region_alloc(work->r, 100000, GFP_ATOMIC);
}

/* An NMI has a region of its own. It may allocate as long as there are free pages. */
static void an_nmi_allocates_from_its_own(struct kunit *test)
{
	struct context_job *job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);
	struct nmi_work work = { };

	KUNIT_ASSERT_NOT_NULL(test, job);
	if (!context_has_nmi())
		kunit_skip(test, "no way to send an NMI: the APIC's registers are not in memory");
	work.r = kspan_region_create(NULL, 0, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, work.r);
	kspan_kunit_warm(test, 48);
	job->fn = allocate_in_nmi;
	job->data = &work;
	KUNIT_EXPECT_TRUE(test, context_run(&context_nmi, job));
	KUNIT_EXPECT_TRUE(test, job->nmi);
	KUNIT_EXPECT_NOT_NULL(test, work.small);
	KUNIT_EXPECT_NOT_NULL(test, work.large);
	kspan_region_destroy(work.r);
}

static void note_region(void *data)
{
	struct kspan_region **regions = data;
	unsigned long flags;

	regions[smp_processor_id()] = kspan_cpu_region_get(cpu_region, &flags);
	kspan_cpu_region_put(cpu_region, flags);
}

static void each_cpu_has_its_own(struct kunit *test)
{
	struct kspan_region **regions;
	unsigned int cpu, other;

	regions = kunit_kcalloc(test, nr_cpu_ids, sizeof(*regions), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, regions);
	open_cpu_region(test);
	on_each_cpu(note_region, regions, 1);
	for_each_online_cpu(cpu) {
		KUNIT_EXPECT_NOT_NULL(test, regions[cpu]);
		for_each_online_cpu(other)
			if (other != cpu)
				KUNIT_EXPECT_PTR_NE(test, regions[cpu], regions[other]);
	}
	kspan_cpu_region_destroy(cpu_region);
}

static long leave_objects(void *unused)
{
	struct kspan_region *r;
	unsigned long flags;
	bool all;

	r = kspan_cpu_region_get(cpu_region, &flags);
	all = kspan_region_alloc(r, 3000, GFP_ATOMIC) && kspan_region_alloc(r, 50000, GFP_ATOMIC);
	kspan_cpu_region_put(cpu_region, flags);
	return all ? 0 : -ENOMEM;
}

/* One call frees the objects of all CPUs. The suite's exit function finds a page that is left. */
static void destroy_takes_all_cpus(struct kunit *test)
{
	unsigned int cpu;

	open_cpu_region(test);
	warm_cpu_region(test);
	for_each_online_cpu(cpu)
		KUNIT_EXPECT_EQ(test, work_on_cpu(cpu, leave_objects, NULL), 0L);
	KUNIT_EXPECT_GE(test, used_of_this_cpu(), (size_t)53000);
	kspan_cpu_region_destroy(cpu_region);
	kspan_cpu_region_destroy(NULL);
}

static void impossible_cpu_regions_are_refused(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, kspan_cpu_region_create(NULL, KSPAN_MAX_SIZE + 1, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_cpu_region_create(NULL, 0, GFP_KERNEL | GFP_DMA));
}

static int region_model_init(struct kunit *test)
{
	kspan_kunit_init(test);
	return context_open();
}

static void region_model_exit(struct kunit *test)
{
	context_close();
	kspan_kunit_exit(test);
}

static struct kunit_case region_model_cases[] = {
	KUNIT_CASE(random_operations),
	KUNIT_CASE(two_cpus),
	KUNIT_CASE(cpu_region_in_every_context),
	KUNIT_CASE(cpu_region_under_interrupts),
	KUNIT_CASE(an_nmi_gets_no_region),
	KUNIT_CASE(an_nmi_allocates_from_its_own),
	KUNIT_CASE(each_cpu_has_its_own),
	KUNIT_CASE(destroy_takes_all_cpus),
	KUNIT_CASE(impossible_cpu_regions_are_refused),
	{}
};

static struct kunit_suite region_model_suite = {
	.name = "kspan_region_model",
	.init = region_model_init,
	.exit = region_model_exit,
	.test_cases = region_model_cases,
};

kunit_test_suite(region_model_suite);
