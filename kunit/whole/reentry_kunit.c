// SPDX-License-Identifier: GPL-2.0
/*
 * Re-entry at every instruction.
 *
 * kspan's code runs through a story again and again. Each time a hardware breakpoint stands at
 * another instruction. Its exception is an NMI to kspan: in_nmi() is true. The handler makes all
 * calls that are allowed in an NMI, on the same classes.
 *
 *	story	malloc ... malloc ... free ... free
 *	             \                  \
 *	              +-- reenter()      +-- reenter()
 *
 * The suite finds the instructions by itself. First it single steps the story through kspan's text
 * and its own. When the story leaves both, a second breakpoint waits at the return address, so
 * that no code of the kernel is stepped through. The suite stops at each instruction in the first
 * story that passes it.
 *
 * A second handler only raises an interrupt, which comes before that instruction, or as soon as
 * interrupts are on. The interrupt frees a stale pointer to the memory that the story will get,
 * and allocates objects that may get the descriptor.
 *
 * perf owns the breakpoints. The suite changes their addresses without perf, since perf would take
 * milliseconds for each instruction.
 */
#include <linux/hw_breakpoint.h>
#include <linux/irq_work.h>
#include <linux/kdebug.h>
#include <linux/kspan.h>
#include <linux/perf_event.h>
#include <linux/random.h>
#include <linux/vmalloc.h>
#if defined(CONFIG_HAVE_HW_BREAKPOINT) && defined(CONFIG_X86)
#include <asm/debugreg.h>
#endif

#include "context.h"

#define SMALL	8192	/* four slots in a span, eight objects in a magazine */
#define MANY	22	/* more than two magazines hold */
#define OTHER	2048	/* of a class that takes capacity from that of SMALL */
#define OTHERS	70	/* more than two magazines hold */
#define WORDS	64	/* of a class with two words of bitmap */
#define LARGE	50000
#define TINY	5
#define RESERVE	300
#define VISITS	3	/* re-entries in a run of a story */
#define KEPT	(4 * VISITS)
#define DIRT	0xd1

/*
 * Interrupt every instruction. Where checks of a debug kernel make a run take tens of
 * milliseconds, interrupt a sample, another one each time.
 */
#define STRIDE	(IS_ENABLED(CONFIG_KASAN) ? 61 : \
		 IS_ENABLED(CONFIG_PROVE_LOCKING) || IS_ENABLED(CONFIG_KCSAN) ? 11 : 1)

#if defined(CONFIG_HAVE_HW_BREAKPOINT) && defined(CONFIG_X86)

/* With all checks of a debug kernel a story has more than 20000 steps. */
#define MAX_STEPS	60000
#define OUTSIDE_MAX	12

struct text {
	unsigned long start;
	unsigned long end;
};

struct breakpoint {
	struct perf_event *event;
	int index;	/* number of its debug register */
};

/* The text of kspan, and of this module. */
static struct text kspan_text, own_text;
/* State of each instruction, a byte for each byte of kspan's text. */
#define FOUND		1
#define INTERRUPTED	2
static u8 *known;
static unsigned long *steps;
static unsigned int nr_steps, sample;
static struct breakpoint target, way_back;

/* State of a run: objects that the handler frees, and objects that it allocates. */
static struct {
	struct task_struct *task;
	bool tracing;
	bool stepping;
	unsigned int outside;	/* instructions since the story left both texts */
	unsigned long way_back;
	unsigned int visits;
	void (*visit)(unsigned int visit);
	void *small[VISITS];
	void *large[VISITS];
	void *tiny[VISITS];
	void *words[VISITS];
	void *kept[KEPT];
	unsigned int nr_kept;
	unsigned long got;
	unsigned long none;
	const char *wrong;
} run;

static void expect(bool truth, const char *what)
{
	if (!truth && !run.wrong)
		run.wrong = what;
}

/* Keep an object that the handler allocated. The task frees it later. */
static void keep(void *p, size_t size)
{
	if (!p) {
		run.none++;
		return;
	}
	run.got++;
	expect(kspan_size(p) >= size, "size of what was allocated inside");
	memset(p, DIRT, size);
	run.kept[run.nr_kept++] = p;
}

static void reenter(unsigned int visit)
{
	void *p, *bulk[3];
	size_t small = SMALL;

	OPTIMIZER_HIDE_VAR(small);
	kspan_free(run.small[visit]);
	keep(kspan_malloc(small, GFP_ATOMIC), SMALL);
	kspan_free(run.words[visit]);
	keep(kspan_malloc_nolock(WORDS), WORDS);
	kspan_free(run.large[visit]);
	keep(kspan_malloc_nolock(LARGE), LARGE);
	kspan_free(run.tiny[visit]);
	keep(kspan_tiny_alloc(TINY, GFP_ATOMIC), TINY);
	p = kspan_malloc_nolock(RESERVE);
	expect(p, "prefilled object");
	kspan_free(p);
	if (kspan_alloc_bulk(SMALL, GFP_ATOMIC, ARRAY_SIZE(bulk), bulk))
		kspan_free_bulk(ARRAY_SIZE(bulk), bulk);
}

/*
 * A pointer to a freed object, whose memory the story gets next; and objects that the interrupt
 * allocates.
 */
static struct {
	void *p;
	bool freed;
	bool refused;
	void *others[4];
} stale;

/* These objects have more pages than the story's, so none gets its old place. */
static void free_stale(struct irq_work *work)
{
	u64 bad = kspan_bad_frees();
	unsigned int i;

	kspan_free(stale.p);
	stale.freed = true;
	stale.refused = kspan_bad_frees() != bad;
	for (i = 0; i < ARRAY_SIZE(stale.others); i++)
		stale.others[i] = kspan_malloc(2 * LARGE, GFP_ATOMIC | __GFP_NOWARN);
}

/* lockdep does not let a hard irq_work take SLUB's locks, as kmemleak does. See context.c. */
static struct irq_work stale_work =
	__IRQ_WORK_INIT(free_stale, IS_ENABLED(CONFIG_PREEMPT_RT) ? IRQ_WORK_HARD_IRQ : 0);

static void raise_free_stale(unsigned int visit)
{
	if (!visit)
		irq_work_queue(&stale_work);
}

static bool is_in(const struct text *text, unsigned long addr)
{
	return addr - text->start < text->end - text->start;
}

/* Move a breakpoint; 0 turns it off. */
static void move(const struct breakpoint *breakpoint, unsigned long addr)
{
	set_debugreg(addr, breakpoint->index);
}

static void at_target(struct perf_event *event, struct perf_sample_data *data,
		      struct pt_regs *regs)
{
	if (current == run.task && run.visits < VISITS && in_nmi())
		run.visit(run.visits++);
}

static void note_step(unsigned long addr)
{
	u8 *mark = &known[addr - kspan_text.start];

	if (*mark || nr_steps == MAX_STEPS)
		return;
	*mark = FOUND;
	steps[nr_steps++] = addr;
}

/*
 * The story is outside of both texts. Step along a short way, like that of a retpoline. Otherwise
 * wait at the return address.
 */
static void trace_outside(struct pt_regs *regs)
{
	if (!run.outside++)
		run.way_back = READ_ONCE_NOCHECK(*(unsigned long *)regs->sp);
	if (run.outside < OUTSIDE_MAX)
		return;
	regs->flags &= ~X86_EFLAGS_TF;
	move(&way_back, run.way_back);
}

/* Step to the next instruction, or to the return from code outside of both texts. */
static void trace(struct pt_regs *regs)
{
	regs->flags |= X86_EFLAGS_TF;
	if (!run.tracing || current != run.task) {
		regs->flags &= ~X86_EFLAGS_TF;
	} else if (is_in(&kspan_text, regs->ip)) {
		run.outside = 0;
		note_step(regs->ip);
	} else if (is_in(&own_text, regs->ip)) {
		run.outside = 0;
	} else {
		trace_outside(regs);
	}
}

static void at_way_back(struct perf_event *event, struct perf_sample_data *data,
			struct pt_regs *regs)
{
	if (run.tracing && current == run.task)
		trace(regs);
}

static int single_step(struct notifier_block *block, unsigned long event, void *data)
{
	struct die_args *args = data;

	if (event != DIE_DEBUG || user_mode(args->regs) ||
	    !(*(unsigned long *)args->err & DR_STEP) || !READ_ONCE(run.stepping))
		return NOTIFY_DONE;
	trace(args->regs);
	return NOTIFY_STOP;
}

static struct notifier_block single_step_block = {
	.notifier_call = single_step,
};

static void start_stepping(void)
{
	asm volatile("pushfq\n\torq %0, (%%rsp)\n\tpopfq" : : "i" (X86_EFLAGS_TF) : "memory", "cc");
}

/* Make objects of the stories' kinds, which reenter() frees. */
static void prepare(struct kunit *test)
{
	unsigned int i;

	run.visits = 0;
	for (i = 0; i < VISITS; i++) {
		run.small[i] = kspan_malloc(SMALL, GFP_KERNEL);
		run.words[i] = kspan_malloc(WORDS, GFP_KERNEL);
		run.large[i] = kspan_malloc(LARGE, GFP_KERNEL);
		run.tiny[i] = kspan_tiny_alloc(TINY, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, run.small[i]);
		KUNIT_ASSERT_NOT_NULL(test, run.words[i]);
		KUNIT_ASSERT_NOT_NULL(test, run.large[i]);
		KUNIT_ASSERT_NOT_NULL(test, run.tiny[i]);
	}
	KUNIT_ASSERT_EQ(test, kspan_prefill(RESERVE, VISITS, GFP_KERNEL), 0);
}

static void clean_up(void)
{
	unsigned int i;

	/* Free the objects that no re-entry has freed. */
	for (i = run.visits; i < VISITS; i++) {
		kspan_free(run.small[i]);
		kspan_free(run.words[i]);
		kspan_free(run.large[i]);
		kspan_free(run.tiny[i]);
	}
	while (run.nr_kept) {
		u8 *p = run.kept[--run.nr_kept];

		expect(*p == DIRT, "contents of what was allocated inside");
		kspan_free(p);
	}
}

static void fill(u8 *p, size_t size, unsigned int tag)
{
	if (p)
		memset(p, tag, size);
}

static void check(const u8 *p, size_t size, unsigned int tag)
{
	expect(p, "memory for the story");
	expect(!p || !memchr_inv(p, tag, size), "contents of the story's object");
}

/* Fast paths, magazines, depot, new spans, and spans that are retired. */
static void small_story(void)
{
	size_t size = SMALL;
	void *p[MANY];
	unsigned int i;

	OPTIMIZER_HIDE_VAR(size);
	for (i = 0; i < MANY; i++) {
		p[i] = i % 2 ? kspan_malloc(SMALL, GFP_KERNEL) : kspan_malloc(size, GFP_KERNEL);
		fill(p[i], SMALL, i);
	}
	for (i = 0; i < MANY; i++) {
		check(p[i], SMALL, i);
		kspan_free(p[i]);
	}
	p[0] = kspan_zalloc(size, GFP_KERNEL);
	check(p[0], SMALL, 0);
	kspan_free(p[0]);
}

/* Two classes take all capacity from each other in turn. */
static void adapt_story(void)
{
	u8 *p[OTHERS];
	unsigned int i;

	for (i = 0; i < OTHERS; i++) {
		p[i] = kspan_malloc(OTHER, GFP_KERNEL);
		fill(p[i], WORDS, i);
	}
	for (i = 0; i < OTHERS; i++) {
		check(p[i], WORDS, i);
		kspan_free(p[i]);
	}
	small_story();
}

/* A class with many slots in a span, and so a bitmap outside of the descriptor. */
static void bulk_story(void)
{
	void *p[70];
	unsigned int i;

	expect(kspan_alloc_bulk(WORDS, GFP_KERNEL, ARRAY_SIZE(p), p), "bulk");
	for (i = 0; i < ARRAY_SIZE(p); i++)
		fill(p[i], WORDS, i);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		check(p[i], WORDS, i);
	kspan_free_bulk(ARRAY_SIZE(p), p);
}

/* Runs are split, and coalesce. */
static void large_story(void)
{
	void *p = kspan_malloc(LARGE, GFP_KERNEL), *q = kspan_malloc(65536, GFP_KERNEL);

	fill(p, LARGE, 1);
	fill(q, 65536, 2);
	check(p, LARGE, 1);
	kspan_free(p);
	p = kspan_malloc_node(LARGE, GFP_KERNEL, kspan_home_node());
	check(q, 65536, 2);
	kspan_free(q);
	kspan_free(p);
}

static void realloc_story(void)
{
	void *p = kspan_malloc(1000, GFP_KERNEL), *q;

	fill(p, 1000, 3);
	q = kspan_realloc(p, SMALL, GFP_KERNEL);
	check(q, 1000, 3);
	fill(q, SMALL, 4);
	p = kspan_realloc(q, LARGE, GFP_KERNEL);
	check(p, SMALL, 4);
	fill(p, LARGE, 5);
	q = kspan_realloc(p, 2 * LARGE, GFP_KERNEL);
	check(q, LARGE, 5);
	p = kspan_realloc(q, LARGE, GFP_KERNEL);
	check(p, LARGE, 5);
	kspan_free_sensitive(p);
}

/* Tiny blocks are opened, filled, closed and freed. */
static void tiny_story(void)
{
	static const u8 sizes[] = { 5, 8, 3, 1, 15, 2, 4, 7, 9, 12, 6 };
	void *p[ARRAY_SIZE(sizes)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p[i] = kspan_tiny_alloc(sizes[i], GFP_KERNEL);
		fill(p[i], sizes[i], i);
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		check(p[i], sizes[i], i);
		expect(kspan_size(p[i]) >= sizes[i], "tiny size");
		kspan_free(p[i]);
	}
}

static void nolock_story(void)
{
	void *p[MANY];
	unsigned int i;

	expect(!kspan_prefill(SMALL, 3, GFP_KERNEL), "prefill");
	for (i = 0; i < MANY; i++) {
		p[i] = kspan_malloc_nolock(SMALL);
		fill(p[i], SMALL, i);
	}
	for (i = 0; i < MANY; i++) {
		if (p[i])
			check(p[i], SMALL, i);
		kspan_free(p[i]);
	}
	p[0] = kspan_malloc_nolock(LARGE);
	fill(p[0], LARGE, 6);
	kspan_free(p[0]);
	expect(!kspan_prefill(SMALL, 0, GFP_KERNEL), "giving the reserve back");
}

struct with_rcu {
	struct rcu_head rcu;
	u8 data[SMALL - sizeof(struct rcu_head)];
};

static void rcu_story(void)
{
	struct with_rcu *p = kspan_malloc(sizeof(*p), GFP_KERNEL);
	void *q = kspan_malloc(WORDS, GFP_KERNEL);

	expect(kspan_owns(p), "owns");
	kspan_free_rcu(p, rcu);
	kspan_free_rcu_mightsleep(q);
}

static void free_in_trap(void *object)
{
	kspan_free(object);
}

/* An NMI comes while the cache is busy. Other code completes its frees. */
static void deferred_story(void)
{
	static struct context_job job;
	void *p[4], *large;
	unsigned int i;

	job.fn = free_in_trap;
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = kspan_malloc(i % 2 ? SMALL : WORDS, GFP_KERNEL);
		fill(p[i], WORDS, i);
	}
	large = kspan_malloc(LARGE, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		check(p[i], WORDS, i);
		job.data = p[i];
		context_run_over_busy_cache(&context_trap, &job);
	}
	job.data = large;
	context_run(&context_trap, &job);
	small_story();
	large_story();
	bulk_story();
}

/* The CPU's cache is busy for all callers. They get and free single slots, of new spans, too. */
static void busy_story(void)
{
	struct kspan_cpu_cache *cache;
	void *p[12], *tiny[3];
	unsigned int i;

	if (!kspan_cpu_cache_enter(&kspan_default_heap, &cache))
		return expect(false, "a cache that is not busy");
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = kspan_malloc(i % 2 ? SMALL : WORDS, GFP_ATOMIC);
		fill(p[i], WORDS, i);
	}
	for (i = 0; i < ARRAY_SIZE(tiny); i++)
		tiny[i] = kspan_tiny_alloc(TINY, GFP_ATOMIC);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		if (p[i])
			check(p[i], WORDS, i);
		kspan_free(p[i]);
	}
	for (i = 0; i < ARRAY_SIZE(tiny); i++)
		kspan_free(tiny[i]);
	kspan_cpu_cache_leave(cache);
}

/* Arenas are allocated and released. */
static void arena_story(void)
{
	void *p = kspan_malloc(3 << 20, GFP_KERNEL), *q = kspan_malloc(3 << 20, GFP_KERNEL);

	fill(p, 64, 7);
	fill(q, 64, 8);
	if (p)
		check(p, 64, 7);
	kspan_free(p);
	if (q)
		check(q, 64, 8);
	kspan_free(q);
}

static bool symbol_at(unsigned long addr, const char *module, struct text *symbol)
{
	unsigned long offset, size;
	char name[KSYM_SYMBOL_LEN], *plus;

	sprint_symbol(name, addr);
	plus = strchr(name, '+');
	if (!plus || !strstr(name, module) ||
	    sscanf(plus, "+0x%lx/0x%lx", &offset, &size) != 2 || !size)
		return false;
	*symbol = (struct text) { .start = addr - offset, .end = addr - offset + size };
	return true;
}

/* Find the text of a module: the symbols side by side with one of its functions. */
static void find_text(const void *function, const char *module, struct text *text)
{
	struct text symbol;

	*text = (struct text) { .start = (unsigned long)function, .end = (unsigned long)function };
	while (symbol_at(text->end, module, &symbol) && symbol.end > text->end)
		text->end = symbol.end;
	while (symbol_at(text->start - 1, module, &symbol) && symbol.start < text->start)
		text->start = symbol.start;
}

static void nowhere(void)
{
}

static int open_breakpoint(struct breakpoint *breakpoint, unsigned long addr,
			   perf_overflow_handler_t handler)
{
	struct perf_event_attr attr;
	struct perf_event *event;

	hw_breakpoint_init(&attr);
	attr.bp_addr = addr;
	attr.bp_len = sizeof(long);
	attr.bp_type = HW_BREAKPOINT_X;
	event = perf_event_create_kernel_counter(&attr, raw_smp_processor_id(), NULL, handler,
						 NULL);
	if (IS_ERR(event))
		return PTR_ERR(event);
	breakpoint->event = event;
	return 0;
}

/* Find the debug register that perf has chosen. */
static int find_register(struct breakpoint *breakpoint, unsigned long addr)
{
	unsigned long value;

	for (breakpoint->index = 0; breakpoint->index < HBP_NUM; breakpoint->index++) {
		get_debugreg(value, breakpoint->index);
		if (value == addr)
			return 0;
	}
	return -ENODEV;
}

/* Open both breakpoints before either is moved: perf may write all registers when it opens one. */
static int open_breakpoints(void)
{
	unsigned long addr = (unsigned long)nowhere;
	int err;

	err = open_breakpoint(&target, addr, at_target);
	if (!err)
		err = open_breakpoint(&way_back, addr + 1, at_way_back);
	if (!err)
		err = find_register(&target, addr);
	if (!err)
		err = find_register(&way_back, addr + 1);
	if (err)
		return err;
	move(&target, 0);
	move(&way_back, 0);
	return 0;
}

static void close_breakpoint(struct breakpoint *breakpoint)
{
	if (breakpoint->event)
		perf_event_release_kernel(breakpoint->event);
	breakpoint->event = NULL;
}

static int reentry_suite_init(struct kunit_suite *suite)
{
	int err;

	find_text(kspan_free, " [kspan]", &kspan_text);
	find_text(reentry_suite_init, " [kspan_kunit]", &own_text);
	nr_steps = 0;
	sample = get_random_u32() % STRIDE;
	known = vzalloc(kspan_text.end - kspan_text.start);
	steps = vzalloc(array_size(MAX_STEPS, sizeof(*steps)));
	if (!known || !steps)
		return -ENOMEM;
	err = register_die_notifier(&single_step_block);
	return err ?: context_open();
}

static void reentry_suite_exit(struct kunit_suite *suite)
{
	context_close();
	unregister_die_notifier(&single_step_block);
	vfree(steps);
	vfree(known);
}

static u64 live_objects(void)
{
	struct kspan_stats stats;

	kspan_stats_read(&stats);
	return stats.heap_objects;
}

static void clear_state(void)
{
	run.wrong = NULL;
	run.got = 0;
	run.none = 0;
}

static void tell_traced(void (*story)(void))
{
	run.task = current;
	run.tracing = true;
	run.stepping = true;
	start_stepping();
	story();
	WRITE_ONCE(run.tracing, false);
	barrier();
	/* The single step behind this write ends the stepping. */
	WRITE_ONCE(run.stepping, false);
	move(&way_back, 0);
	run.task = NULL;
}

static void trace_story(struct kunit *test, void (*story)(void), bool cold)
{
	prepare(test);
	if (cold)
		kspan_kunit_settle();
	tell_traced(story);
	clean_up();
}

static void tell_interrupted(void (*story)(void), unsigned long addr)
{
	run.task = current;
	move(&target, addr);
	story();
	move(&target, 0);
	run.task = NULL;
}

static void interrupt_at(struct kunit *test, unsigned long addr, void (*story)(void), bool cold)
{
	prepare(test);
	if (cold)
		kspan_kunit_settle();
	tell_interrupted(story, addr);
	clean_up();
	KUNIT_EXPECT_NULL_MSG(test, run.wrong, "%pS: %s", (void *)addr, run.wrong);
	run.wrong = NULL;
	if (run.visits)
		known[addr - kspan_text.start] = INTERRUPTED;
}

static void expect_all_is_well(struct kunit *test, unsigned long addr, u64 live, u64 bad)
{
	struct kspan_finding finding = { };

	kspan_barrier();
	KUNIT_ASSERT_EQ(test, kspan_prefill(RESERVE, VISITS, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ_MSG(test, live_objects(), live, "%pS", (void *)addr);
	KUNIT_ASSERT_EQ_MSG(test, kspan_bad_frees(), bad, "%pS", (void *)addr);
	kspan_find_inconsistency(&kspan_default_heap, &finding);
	KUNIT_ASSERT_NULL_MSG(test, finding.what, "%pS: %s", (void *)addr, finding.what);
}

struct books {
	u64 live;
	u64 bad;
};

/* Interrupt all steps from @first on that were not interrupted before. Returns how many were. */
static unsigned int interrupt_all(struct kunit *test, unsigned int first, void (*story)(void),
				  bool cold, const struct books *books)
{
	unsigned int done = 0, tried = 0, i;

	for (i = first + sample; i < nr_steps; i += STRIDE) {
		u8 *mark = &known[steps[i] - kspan_text.start];

		if (*mark == INTERRUPTED)
			continue;
		interrupt_at(test, steps[i], story, cold);
		done += *mark == INTERRUPTED;
		if (++tried % 64 == 0)
			expect_all_is_well(test, steps[i], books->live, books->bad);
		cond_resched();
	}
	return done;
}

/*
 * A story takes other paths when nothing is cached and there is no arena, as at first. It takes
 * long to make it so. So only steps that the warm story does not pass are interrupted in the cold
 * one.
 */
static void interrupt_each_step(struct kunit *test, void (*story)(void))
{
	unsigned int first = nr_steps, warm, cold, new;
	struct books books = { .bad = kspan_bad_frees() };

	KUNIT_ASSERT_EQ(test, kspan_prefill(RESERVE, VISITS, GFP_KERNEL), 0);
	books.live = live_objects();
	clear_state();
	trace_story(test, story, true);
	trace_story(test, story, false);
	/* Begin with the steps of earlier stories that were not passed again there. */
	warm = interrupt_all(test, 0, story, false, &books);
	cold = interrupt_all(test, first, story, true, &books);
	expect_all_is_well(test, 0, books.live, books.bad);
	kspan_prefill(RESERVE, 0, GFP_KERNEL);
	new = nr_steps - first;
	kunit_info(test, "%u instructions, %u interrupted with memory at hand, %u without; %lu allocations, %lu got none\n",
		   new, warm, cold, run.got, run.none);
	KUNIT_EXPECT_GT(test, new, 0U);
	KUNIT_EXPECT_GE(test, warm + cold, new / STRIDE / 2);
	if (new >= STRIDE)
		KUNIT_EXPECT_GT(test, run.got, 0UL);
}

static void small_objects(struct kunit *test)
{
	kspan_depot_bytes = 0;
	interrupt_each_step(test, small_story);
}

static void capacity_that_moves(struct kunit *test)
{
	u64 before = kspan_cpu_caches_events(&kspan_default_heap, KSPAN_STEAL);

	kspan_depot_bytes = 0;
	kspan_cpu_cache_bytes = 160 << 10;
	interrupt_each_step(test, adapt_story);
	KUNIT_EXPECT_GT(test, kspan_cpu_caches_events(&kspan_default_heap, KSPAN_STEAL), before);
}

static void many_at_once(struct kunit *test)
{
	interrupt_each_step(test, bulk_story);
}

static void large_objects(struct kunit *test)
{
	interrupt_each_step(test, large_story);
}

static void changes_of_size(struct kunit *test)
{
	interrupt_each_step(test, realloc_story);
}

static void tiny_objects(struct kunit *test)
{
	interrupt_each_step(test, tiny_story);
}

static void nolock_and_reserves(struct kunit *test)
{
	interrupt_each_step(test, nolock_story);
}

static void frees_by_rcu(struct kunit *test)
{
	interrupt_each_step(test, rcu_story);
}

static void deferred_frees(struct kunit *test)
{
	interrupt_each_step(test, deferred_story);
}

static void busy_cache(struct kunit *test)
{
	interrupt_each_step(test, busy_story);
}

static void arenas(struct kunit *test)
{
	kspan_arena_reserve = 0;
	interrupt_each_step(test, arena_story);
}

/* The object that a story of stale pointers gets, and its heap. */
static struct {
	struct kspan_heap *heap;
	void *p;
} got;

static void get_large(void)
{
	got.p = kspan_malloc(LARGE, GFP_KERNEL);
}

static void get_large_of_heap(void)
{
	got.p = kspan_heap_malloc(got.heap, LARGE, GFP_KERNEL);
}

/* Run the story and free its object. The stale pointer has the address that the story gets next. */
static void free_what_is_next(void (*story)(void))
{
	story();
	stale.p = got.p;
	kspan_free(got.p);
}

/* Returns whether the stale pointer was freed during the story. */
static bool free_stale_at(struct kunit *test, unsigned long addr, void (*story)(void))
{
	unsigned int i;

	free_what_is_next(story);
	run.visits = 0;
	stale.freed = false;
	tell_interrupted(story, addr);
	irq_work_sync(&stale_work);
	KUNIT_EXPECT_PTR_EQ_MSG(test, got.p, stale.p, "%pS", (void *)addr);
	/* Unless the stale free hit the story's new object, that object is still live. */
	if (!stale.freed || stale.refused)
		kspan_free(got.p);
	for (i = 0; stale.freed && i < ARRAY_SIZE(stale.others); i++)
		kspan_free(stale.others[i]);
	return stale.freed;
}

/*
 * The story must get the object that was free before, even if a stale pointer to it is freed
 * meanwhile.
 */
static void free_stale_at_each_step(struct kunit *test, void (*story)(void))
{
	unsigned int refused = 0, accepted = 0, i;
	void *behind;

	story();
	/* This object keeps those of other sizes from the place of the story's. */
	behind = kspan_malloc(LARGE, GFP_KERNEL);
	kspan_free(got.p);
	free_what_is_next(story);
	tell_traced(story);
	kspan_free(got.p);
	run.visit = raise_free_stale;
	for (i = sample; i < nr_steps; i += STRIDE) {
		if (free_stale_at(test, steps[i], story))
			*(stale.refused ? &refused : &accepted) += 1;
		cond_resched();
	}
	run.visit = reenter;
	kspan_free(behind);
	kunit_info(test, "freed at %u instructions, refused before at %u\n", accepted, refused);
	KUNIT_EXPECT_GT(test, refused, 0U);
	if (STRIDE == 1)
		KUNIT_EXPECT_GT(test, accepted, 0U);
}

/* kmemleak turns itself off when it is told of an object twice. */
static void not_with_kmemleak(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		kunit_skip(test, "not with kmemleak");
}

static void stale_pointer_to_a_large_object(struct kunit *test)
{
	unsigned int bytes = kspan_large_cache_bytes;

	not_with_kmemleak(test);
	kspan_large_cache_bytes = 0;
	free_stale_at_each_step(test, get_large);
	kspan_large_cache_bytes = bytes;
}

static void stale_pointer_to_a_cached_one(struct kunit *test)
{
	not_with_kmemleak(test);
	free_stale_at_each_step(test, get_large);
}

static void stale_pointer_to_one_of_a_heap(struct kunit *test)
{
	not_with_kmemleak(test);
	got.heap = kspan_heap_create("reentry", 0, 0);
	KUNIT_ASSERT_NOT_NULL(test, got.heap);
	free_stale_at_each_step(test, get_large_of_heap);
	kspan_heap_destroy(got.heap);
}

#define FIRST_OF(function)	((const void *)(function))

/*
 * These functions must have been interrupted. kspan_depot_put_full() is not among them: only a CPU
 * without a second magazine calls it, and a story may have one when it runs again.
 */
static const void *const passed[] = {
	FIRST_OF(__kspan_malloc), FIRST_OF(kspan_malloc_class), FIRST_OF(kspan_free),
	FIRST_OF(kspan_tiny_alloc), FIRST_OF(kspan_alloc_bulk), FIRST_OF(kspan_free_bulk),
	FIRST_OF(kspan_malloc_nolock), FIRST_OF(kspan_prefill), FIRST_OF(kspan_realloc),
	FIRST_OF(kspan_call_free_rcu), FIRST_OF(kspan_size), FIRST_OF(kspan_owns),
	FIRST_OF(kspan_cpu_cache_refill), FIRST_OF(kspan_cpu_cache_spill),
	FIRST_OF(kspan_central_take), FIRST_OF(kspan_central_return_some),
	FIRST_OF(kspan_central_alloc),
	FIRST_OF(kspan_central_adopt), FIRST_OF(kspan_central_free_slot),
	FIRST_OF(kspan_central_load), FIRST_OF(kspan_depot_spill),
	FIRST_OF(kspan_depot_take_full),
	FIRST_OF(kspan_page_heap_alloc), FIRST_OF(kspan_page_heap_free),
	FIRST_OF(kspan_page_heap_resize), FIRST_OF(kspan_page_heap_alloc_spans),
	FIRST_OF(kspan_page_heap_free_spans),
	FIRST_OF(kspan_span_take), FIRST_OF(kspan_span_format),
	FIRST_OF(kspan_tiny_pack), FIRST_OF(kspan_tiny_open), FIRST_OF(kspan_tiny_free),
	FIRST_OF(kspan_large_alloc), FIRST_OF(kspan_large_free), FIRST_OF(kspan_arena_alloc),
};

/* The stories must have passed all functions of the list. */
static void all_paths_were_passed(struct kunit *test)
{
	unsigned int done = 0, i;

	for (i = 0; i < nr_steps; i++)
		done += known[steps[i] - kspan_text.start] == INTERRUPTED;
	kunit_info(test, "interrupted at %u of %u instructions\n", done, nr_steps);
	KUNIT_EXPECT_LT(test, nr_steps, (unsigned int)MAX_STEPS);
	/* A story may take another path than when it was traced. */
	KUNIT_EXPECT_GE(test, done, nr_steps / STRIDE * 8 / 10);
	for (i = 0; i < ARRAY_SIZE(passed); i++) {
		unsigned long offset = (unsigned long)passed[i] - kspan_text.start;

		KUNIT_EXPECT_GE_MSG(test, known[offset], STRIDE > 1 ? FOUND : INTERRUPTED, "%pS",
				    passed[i]);
	}
}

static unsigned int depot_bytes;

static int reentry_init(struct kunit *test)
{
	int err = kspan_kunit_init(test);

	depot_bytes = kspan_depot_bytes;
	run.visit = reenter;
	return err ?: open_breakpoints();
}

static void reentry_exit(struct kunit *test)
{
	close_breakpoint(&target);
	close_breakpoint(&way_back);
	kspan_depot_bytes = depot_bytes;
	kspan_kunit_exit(test);
}

static struct kunit_case reentry_cases[] = {
	KUNIT_CASE(small_objects),
	KUNIT_CASE(capacity_that_moves),
	KUNIT_CASE(many_at_once),
	KUNIT_CASE(large_objects),
	KUNIT_CASE(changes_of_size),
	KUNIT_CASE(tiny_objects),
	KUNIT_CASE(nolock_and_reserves),
	KUNIT_CASE(frees_by_rcu),
	KUNIT_CASE(deferred_frees),
	KUNIT_CASE(busy_cache),
	KUNIT_CASE(arenas),
	KUNIT_CASE(stale_pointer_to_a_large_object),
	KUNIT_CASE(stale_pointer_to_a_cached_one),
	KUNIT_CASE(stale_pointer_to_one_of_a_heap),
	KUNIT_CASE(all_paths_were_passed),
	{}
};

static struct kunit_suite reentry_suite = {
	.name = "kspan_reentry",
	.suite_init = reentry_suite_init,
	.suite_exit = reentry_suite_exit,
	.init = reentry_init,
	.exit = reentry_exit,
	.test_cases = reentry_cases,
};

kunit_test_suite(reentry_suite);

#else

static void each_step(struct kunit *test)
{
	kunit_skip(test, "needs hardware breakpoints on x86");
}

static struct kunit_case reentry_cases[] = {
	KUNIT_CASE(each_step),
	{}
};

static struct kunit_suite reentry_suite = {
	.name = "kspan_reentry",
	.test_cases = reentry_cases,
};

kunit_test_suite(reentry_suite);

#endif
