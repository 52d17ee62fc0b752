// SPDX-License-Identifier: GPL-2.0
/*
 * Fixed pools: all blocks can be allocated without the page allocator; a model knows which blocks
 * are out; wrong frees are reported; and tasks, interrupts and NMIs use a pool at once.
 */
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kspan.h>
#include <linux/kthread.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "context.h"
#include "kits/fixed_pool.h"
#include "model.h"

static struct kspan_fixed_pool *pool;
static void **blocks;
static unsigned int nr_blocks;
static u64 counts[KSPAN_NR_BAD_FREE_KINDS];

static void create(struct kunit *test, size_t size, size_t align, unsigned int count)
{
	pool = kspan_fixed_pool_create(size, align, count, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	blocks = kunit_kcalloc(test, count + 1, sizeof(*blocks), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, blocks);
	nr_blocks = count;
}

static void destroy(void)
{
	kspan_fixed_pool_destroy(pool);
	pool = NULL;
}

static int fixed_pool_init(struct kunit *test)
{
	unsigned int kind;
	int err = context_open();

	if (err)
		return err;
	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		counts[kind] = kspan_bad_free_count(kind);
	return kspan_kunit_init(test);
}

static void fixed_pool_exit(struct kunit *test)
{
	destroy();
	kspan_kunit_exit(test);
	context_close();
}

static void take_all(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < nr_blocks; i++) {
		blocks[i] = kspan_fixed_pool_alloc(pool);
		KUNIT_ASSERT_NOT_NULL_MSG(test, blocks[i], "block %u of %u", i, nr_blocks);
	}
	KUNIT_EXPECT_NULL(test, kspan_fixed_pool_alloc(pool));
	KUNIT_EXPECT_EQ(test, kspan_fixed_pool_available(pool), 0U);
}

static void free_taken(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < nr_blocks; i++)
		kspan_fixed_pool_free(pool, blocks[i]);
	KUNIT_EXPECT_EQ(test, kspan_fixed_pool_available(pool), nr_blocks);
}

/* Write all of each block. Then each must be as it was written. */
static void expect_apart(struct kunit *test, size_t size, size_t align)
{
	unsigned int i, broken = 0;

	for (i = 0; i < nr_blocks; i++) {
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)blocks[i], align ?: 8));
		model_stamp(blocks[i], size, i + 1);
	}
	for (i = 0; i < nr_blocks; i++)
		broken += !model_stamped(blocks[i], size, i + 1);
	KUNIT_EXPECT_EQ(test, broken, 0U);
}

static void every_block_comes_once(struct kunit *test)
{
	static const struct {
		size_t size;
		size_t align;
		unsigned int count;
	} some[] = {
		{ 1, 0, 1 }, { 1, 1, 100 }, { 24, 0, 64 }, { 24, 0, 65 }, { 100, 64, 1000 },
		{ 4096, 4096, 40 }, { 5000, 0, 63 }, { 100, 16384, 20 }, { 40000, 0, 300 },
		{ SZ_1M, SZ_1M, 9 }, { KSPAN_MAX_SIZE, 0, 2 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		create(test, some[i].size, some[i].align, some[i].count);
		KUNIT_EXPECT_EQ(test, kspan_fixed_pool_available(pool), nr_blocks);
		take_all(test);
		expect_apart(test, some[i].size, some[i].align);
		free_taken(test);
		take_all(test);
		destroy();
	}
}

static void blocks_must_be_possible(struct kunit *test)
{
	u8 buffer[32];

	KUNIT_EXPECT_NULL(test, kspan_fixed_pool_create(0, 0, 10, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_fixed_pool_create(10, 0, 0, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_fixed_pool_create(10, 24, 10, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_fixed_pool_create(KSPAN_MAX_SIZE + 1, 0, 1, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_fixed_pool_create(8, 2 * KSPAN_MAX_SIZE, 1, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_fixed_pool_create_over(buffer, 32, 33, 1, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kspan_fixed_pool_create_over(buffer + 1, 7, 1, 8, GFP_KERNEL));
	kspan_fixed_pool_destroy(NULL);
}

/* The pool has all its memory: an allocation does not call the page allocator. */
static void blocks_are_guaranteed(struct kunit *test)
{
	kspan_kunit_needs_faults(test);
	create(test, 3000, 0, 2000);
	kspan_kunit_fail_arenas(1, 1000);
	take_all(test);
	free_taken(test);
	take_all(test);
	KUNIT_EXPECT_EQ(test, kspan_kunit_stop_failing(), 0U);
}

static void without_memory_there_is_no_pool(struct kunit *test)
{
	kspan_kunit_needs_faults(test);
	kspan_kunit_fail_arenas(1, 1000);
	KUNIT_EXPECT_NULL(test, kspan_fixed_pool_create(3000, 0, 5000, GFP_KERNEL));
	KUNIT_EXPECT_GT(test, kspan_kunit_stop_failing(), 0U);
}

/*
 * Each allocation of the creation fails in turn. The result is a pool, perhaps of shorter chunks,
 * or NULL without a leak.
 */
static void creation_survives_each_failure(struct kunit *test)
{
	unsigned int nth, made = 0;

	kspan_kunit_needs_faults(test);
	for (nth = 1; nth < 200; nth++) {
		kspan_kunit_settle();
		kspan_kunit_fail_nth(nth);
		pool = kspan_fixed_pool_create(SZ_64K, 0, 130, GFP_KERNEL);
		if (!kspan_kunit_nth_failed())
			break;
		if (!pool)
			continue;
		made++;
		KUNIT_EXPECT_EQ(test, kspan_fixed_pool_available(pool), 130U);
		destroy();
	}
	KUNIT_EXPECT_NOT_NULL(test, pool);
	KUNIT_EXPECT_GT(test, nth, 3U);
	kunit_info(test, "%u failures, %u pools all the same\n", nth - 1, made);
}

static void pool_over_a_buffer(struct kunit *test)
{
	u8 *buffer = kunit_kzalloc(test, 1003, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	memset(buffer, 0xee, 1003);
	/* The first block begins at 32. The blocks are 96 bytes apart. */
	pool = kspan_fixed_pool_create_over(buffer + 1, 7 + 10 * 96 - 1, 95, 32, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	nr_blocks = kspan_fixed_pool_available(pool);
	blocks = kunit_kcalloc(test, nr_blocks + 1, sizeof(*blocks), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, blocks);
	KUNIT_EXPECT_EQ(test, nr_blocks, 9U);
	take_all(test);
	for (i = 0; i < nr_blocks; i++) {
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)blocks[i], 32));
		KUNIT_EXPECT_GE(test, (unsigned long)blocks[i], (unsigned long)buffer + 1);
		KUNIT_EXPECT_LE(test, (unsigned long)blocks[i] + 95,
				(unsigned long)buffer + 7 + 10 * 96);
		memset(blocks[i], 0x11, 95);
	}
	KUNIT_EXPECT_EQ(test, buffer[0], 0xee);
	KUNIT_EXPECT_NULL(test, memchr_inv(buffer + 7 + 10 * 96, 0xee, 1003 - 7 - 10 * 96));
	free_taken(test);
	destroy();
}

/* The last block ends where the buffer does. */
static void last_block_of_a_buffer_is_no_longer_than_it_is(struct kunit *test)
{
	bool was_on = want_init_on_alloc(0);
	u8 buffer[24] __aligned(8);
	void *block;

	memset(buffer, 0xee, sizeof(buffer));
	pool = kspan_fixed_pool_create_over(buffer, 9, 1, 0, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	KUNIT_EXPECT_EQ(test, kspan_fixed_pool_available(pool), 2U);
	if (!was_on)
		static_branch_enable(&init_on_alloc);
	while ((block = kspan_fixed_pool_alloc(pool)))
		*(u8 *)block = 1;
	if (!was_on)
		static_branch_disable(&init_on_alloc);
	kspan_fixed_pool_free_all(pool);
	KUNIT_EXPECT_NULL(test, memchr_inv(buffer + 9, 0xee, sizeof(buffer) - 9));
	destroy();
}

static void init_on_free_leaves_nothing_of_a_pool(struct kunit *test)
{
	unsigned int i, ours = 0;

	if (!want_init_on_free())
		kunit_skip(test, "the kernel was not booted with init_on_free=1");
	create(test, 200, 0, 1000);
	take_all(test);
	for (i = 0; i < 1000; i++)
		memset(blocks[i], 's', 200);
	destroy();
	for (i = 0; i < 1000; i++) {
		if (kspan_page_heap_state((unsigned long)blocks[i]) != KSPAN_PAGE_WAS_USED)
			continue;
		ours++;
		KUNIT_EXPECT_NULL(test, memchr_inv(blocks[i], 0, 200));
	}
	KUNIT_EXPECT_GT(test, ours, 0U);
}

static void free_all_frees_all(struct kunit *test)
{
	unsigned int i;

	create(test, 200, 0, 777);
	take_all(test);
	kspan_fixed_pool_free_all(pool);
	KUNIT_EXPECT_EQ(test, kspan_fixed_pool_available(pool), 777U);
	take_all(test);
	expect_apart(test, 200, 0);
	for (i = 0; i < 777; i += 3)
		kspan_fixed_pool_free(pool, blocks[i]);
	kspan_fixed_pool_free_all(pool);
	kspan_fixed_pool_free_all(pool);
	KUNIT_EXPECT_EQ(test, kspan_fixed_pool_available(pool), 777U);
	take_all(test);
}

/* The model knows which blocks are out, and what is written in them. */
static void model_agrees(struct kunit *test)
{
	unsigned int step, n = 0, i, broken = 0;
	struct rnd_state rnd;
	void *block;

	prandom_seed_state(&rnd, kspan_kunit_random_seed(test));
	create(test, 72, 0, 300);
	for (step = 0; step < 100000; step++) {
		/*
		 * Phases with more allocations and phases with more frees fill and empty the pool.
		 */
		if (kspan_kunit_below(&rnd, 100) < (step / 1000 % 2 ? 30 : 70)) {
			block = kspan_fixed_pool_alloc(pool);
			broken += !block != (n == nr_blocks);
			if (!block)
				continue;
			blocks[n] = block;
			model_stamp(block, 64, n + 1);
			*(u64 *)(block + 64) = n++;
		} else if (n) {
			i = kspan_kunit_below(&rnd, n);
			block = blocks[i];
			broken += !model_stamped(block, 64, *(u64 *)(block + 64) + 1);
			kspan_fixed_pool_free(pool, block);
			blocks[i] = blocks[--n];
		}
		broken += kspan_fixed_pool_available(pool) != nr_blocks - n;
	}
	KUNIT_EXPECT_EQ(test, broken, 0U);
}

static void freed_block_comes_next(struct kunit *test)
{
	void *block;

	create(test, 64, 0, 1000);
	take_all(test);
	block = blocks[500];
	kspan_fixed_pool_free(pool, block);
	KUNIT_EXPECT_PTR_EQ(test, kspan_fixed_pool_alloc(pool), block);
}

/* There must be one report of @kind since the last call, and none of another kind. */
static void expect_report(struct kunit *test, enum kspan_bad_free_kind kind, const void *addr)
{
	unsigned int i;

	for (i = 0; i < KSPAN_NR_BAD_FREE_KINDS; i++) {
		KUNIT_EXPECT_EQ_MSG(test, kspan_bad_free_count(i) - counts[i],
				    i == kind ? 1ULL : 0ULL, "kind %u", i);
		counts[i] = kspan_bad_free_count(i);
	}
	KUNIT_EXPECT_EQ(test, (int)kspan_bad_free_last().kind, (int)kind);
	KUNIT_EXPECT_EQ(test, kspan_bad_free_last().addr, (unsigned long)addr);
}

static void wrong_frees_are_reported(struct kunit *test)
{
	void *foreign = kspan_malloc(96, GFP_KERNEL);
	struct kspan_fixed_pool *second;
	void *theirs, *wrong;

	KUNIT_ASSERT_NOT_NULL(test, foreign);
	create(test, 96, 0, 100);
	take_all(test);
	kspan_fixed_pool_free(pool, blocks[7]);
	kspan_fixed_pool_free(pool, blocks[7]);
	expect_report(test, KSPAN_BAD_FREE_DOUBLE, blocks[7]);
	wrong = blocks[8] + 8;
	kspan_fixed_pool_free(pool, wrong);
	expect_report(test, KSPAN_BAD_FREE_INTERIOR, wrong);
	wrong = blocks[8] + 3;
	kspan_fixed_pool_free(pool, wrong);
	expect_report(test, KSPAN_BAD_FREE_MISALIGNED, wrong);
	kspan_fixed_pool_free(pool, foreign);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, foreign);
	kspan_fixed_pool_free(pool, &second);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, &second);
	wrong = (void *)1;
	kspan_fixed_pool_free(pool, wrong);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, wrong);
	second = kspan_fixed_pool_create(96, 0, 10, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, second);
	theirs = kspan_fixed_pool_alloc(second);
	kspan_fixed_pool_free(pool, theirs);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, theirs);
	KUNIT_EXPECT_EQ(test, kspan_fixed_pool_available(second), 9U);
	kspan_fixed_pool_destroy(second);
	/* The wrong frees changed nothing in the pool. */
	KUNIT_EXPECT_EQ(test, kspan_fixed_pool_available(pool), 1U);
	KUNIT_EXPECT_PTR_EQ(test, kspan_fixed_pool_alloc(pool), blocks[7]);
	kspan_free(foreign);
}

static void address_behind_the_last_block_is_foreign(struct kunit *test)
{
	void *wrong;

	create(test, 1000, 0, 3);
	take_all(test);
	wrong = blocks[2] + 1000;
	kspan_fixed_pool_free(pool, wrong);
	expect_report(test, KSPAN_BAD_FREE_FOREIGN, wrong);
}

static void kspan_free_of_a_block_is_reported(struct kunit *test)
{
	create(test, 128, 0, 10);
	take_all(test);
	kspan_free(blocks[0]);
	expect_report(test, KSPAN_BAD_FREE_REGION, blocks[0]);
	kspan_free(blocks[3] + 24);
	expect_report(test, KSPAN_BAD_FREE_REGION, blocks[3] + 24);
	KUNIT_EXPECT_EQ(test, kspan_fixed_pool_available(pool), 0U);
	kspan_verify(test, &kspan_default_heap);
}

/* Contexts */

static void take_two_and_free_one(void *data)
{
	void **kept = data, *other;

	*kept = kspan_fixed_pool_alloc(pool);
	other = kspan_fixed_pool_alloc(pool);
	kspan_fixed_pool_free(pool, other);
	if (other == *kept || !other)
		*kept = NULL;
}

static void any_context_will_do(struct kunit *test)
{
	static const struct context * const contexts[] = {
		&context_task, &context_preempt_off, &context_softirqs_off, &context_irqs_off,
		&context_raw_lock, &context_softirq, &context_hardirq, &context_nmi, &context_trap,
	};
	void *kept;
	struct context_job job = { .fn = take_two_and_free_one, .data = &kept };
	unsigned int i;

	create(test, 64, 0, 100);
	for (i = 0; i < ARRAY_SIZE(contexts); i++) {
		if (!context_run(contexts[i], &job))
			continue;
		KUNIT_EXPECT_TRUE_MSG(test, job.ran, "%s", contexts[i]->name);
		KUNIT_EXPECT_NOT_NULL_MSG(test, kept, "%s", contexts[i]->name);
		KUNIT_EXPECT_EQ(test, kspan_fixed_pool_available(pool), 99U);
		kspan_fixed_pool_free(pool, kept);
	}
}

/*
 * Four parties use the pool at once. Each holds at most its share of the blocks, so no allocation
 * may fail, and no block may have two holders.
 */
#define OPERATIONS	(IS_ENABLED(CONFIG_KASAN) ? 30000 : 150000)
#define SHARE		48
#define NR_PARTIES	4

struct party {
	struct rnd_state rnd;
	u64 *held[SHARE];
	unsigned int nr_held;
	unsigned int most;
	u64 tag;
	unsigned long operations;
	unsigned long failed;
	unsigned long broken;
	struct completion done;
};

/* Two kthreads, the timer's hardirqs, and NMIs. */
static struct party *parties;
static struct hrtimer timer;
static unsigned int nmi_cpu;
static bool stop;

static void take(struct party *party)
{
	u64 *block = kspan_fixed_pool_alloc(pool);

	party->operations++;
	if (!block) {
		party->failed++;
		return;
	}
	/* The first word is zero while no party holds the block. */
	party->broken += xchg(block, party->tag) != 0;
	party->held[party->nr_held++] = block;
}

static void free_one(struct party *party, unsigned int i)
{
	u64 *block = party->held[i];

	party->operations++;
	party->broken += xchg(block, 0) != party->tag;
	kspan_fixed_pool_free(pool, block);
	party->held[i] = party->held[--party->nr_held];
}

static void take_and_free(struct party *party)
{
	while (party->nr_held < party->most)
		take(party);
	while (party->nr_held)
		free_one(party, 0);
}

static enum hrtimer_restart timer_handler(struct hrtimer *unused)
{
	take_and_free(&parties[2]);
	if (READ_ONCE(stop))
		return HRTIMER_NORESTART;
	hrtimer_forward_now(&timer, ns_to_ktime(30 * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static void nmi_handler(void)
{
	take_and_free(&parties[3]);
}

static int hammer(void *data)
{
	struct party *party = data;
	unsigned int i;

	for (i = 0; i < OPERATIONS; i++) {
		if (party->nr_held == party->most ||
		    (party->nr_held && kspan_kunit_below(&party->rnd, 2)))
			free_one(party, kspan_kunit_below(&party->rnd, party->nr_held));
		else
			take(party);
		/* The kthread of the other CPU sends the NMIs, and waits for the handler only. */
		if (party == &parties[1] && i % 16 == 0 && context_has_nmi() &&
		    num_online_cpus() > 1)
			context_send_nmi(nmi_cpu, nmi_handler);
		cond_resched();
	}
	while (party->nr_held)
		free_one(party, 0);
	complete(&party->done);
	return 0;
}

static void start_hammer(struct kunit *test, struct party *party, unsigned int cpu)
{
	struct task_struct *task = kthread_create(hammer, party, "kspan_kunit/fixed");

	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	kthread_bind(task, cpu);
	wake_up_process(task);
}

static void start_timer(enum hrtimer_restart (*handler)(struct hrtimer *), u64 ns)
{
#ifndef KSPAN_HAS_HRTIMER_SETUP
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	timer.function = handler;
#else
	hrtimer_setup(&timer, handler, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
#endif
	hrtimer_start(&timer, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED_HARD);
}

static void init_parties(struct kunit *test)
{
	u64 seed = kspan_kunit_random_seed(test);
	unsigned int i;

	parties = kunit_kcalloc(test, NR_PARTIES, sizeof(*parties), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, parties);
	for (i = 0; i < NR_PARTIES; i++) {
		prandom_seed_state(&parties[i].rnd, seed + i);
		parties[i].tag = i + 1;
		parties[i].most = i < 2 ? SHARE : 8;
		init_completion(&parties[i].done);
	}
}

static void no_party_is_refused_its_share(struct kunit *test)
{
	unsigned int cpu = raw_smp_processor_id(), other = cpumask_any_but(cpu_online_mask, cpu);
	unsigned long operations = 0, in_interrupts;
	unsigned int i;

	create(test, 64, 64, 2 * SHARE + 2 * 8);
	init_parties(test);
	for (i = 0; i < nr_blocks; i++) {
		blocks[i] = kspan_fixed_pool_alloc(pool);
		KUNIT_ASSERT_NOT_NULL(test, blocks[i]);
		memset(blocks[i], 0, 64);
	}
	kspan_fixed_pool_free_all(pool);
	nmi_cpu = cpu;
	stop = false;
	start_timer(timer_handler, 30 * NSEC_PER_USEC);
	start_hammer(test, &parties[0], cpu);
	start_hammer(test, &parties[1], other < nr_cpu_ids ? other : cpu);
	wait_for_completion(&parties[0].done);
	wait_for_completion(&parties[1].done);
	WRITE_ONCE(stop, true);
	hrtimer_cancel(&timer);
	for (i = 0; i < NR_PARTIES; i++) {
		operations += parties[i].operations;
		KUNIT_EXPECT_EQ_MSG(test, parties[i].failed, 0UL, "party %u", i);
		KUNIT_EXPECT_EQ_MSG(test, parties[i].broken, 0UL, "party %u", i);
	}
	in_interrupts = parties[2].operations + parties[3].operations;
	kunit_info(test, "%lu operations, %lu of them in hardirqs and NMIs\n", operations,
		   in_interrupts);
	KUNIT_EXPECT_GE(test, operations, 2UL * OPERATIONS);
	KUNIT_EXPECT_GT(test, parties[2].operations, 0UL);
	if (context_has_nmi() && other < nr_cpu_ids)
		KUNIT_EXPECT_GT(test, parties[3].operations, 0UL);
	KUNIT_EXPECT_EQ(test, kspan_fixed_pool_available(pool), nr_blocks);
	for (i = 0; i < KSPAN_NR_BAD_FREE_KINDS; i++)
		KUNIT_EXPECT_EQ(test, kspan_bad_free_count(i), counts[i]);
}

/*
 * A CPU looks for a free block. It has passed word 1 when a block of that word is freed. It has
 * not reached the last word when the only other free block, in the last word, is taken:
 *	word	  0	 1	2 ...  last
 *	before	| full | full | full | one  |
 *	after	| full | one  | full | full |
 */
#define NR_LONG		SZ_4M
#define TRIES		1000
#define HITS		5

static void *taken_ahead;

static enum hrtimer_restart free_behind_and_take_ahead(struct hrtimer *unused)
{
	kspan_fixed_pool_free(pool, pool->chunks[0] + BITS_PER_LONG);
	this_cpu_write(pool->cpu->hint, pool->nr_words - 1);
	taken_ahead = kspan_fixed_pool_alloc(pool);
	return HRTIMER_NORESTART;
}

/* Mark all blocks as out, and let the next look begin at word 0. */
static void take_all_bits(void)
{
	memset(pool->bits, 0xff, pool->nr_words * sizeof(long));
	this_cpu_write(pool->cpu->hint, 0);
}

static u64 time_of_a_look(struct kunit *test)
{
	u64 start;

	take_all_bits();
	start = ktime_get_ns();
	KUNIT_EXPECT_NULL(test, kspan_fixed_pool_alloc(pool));
	return ktime_get_ns() - start;
}

static void block_that_is_freed_behind_a_look_is_found(struct kunit *test)
{
	u8 *buffer = kvzalloc(NR_LONG, GFP_KERNEL), *block;
	unsigned int round, hits = 0, missed = 0;
	u64 ns;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	pool = kspan_fixed_pool_create_over(buffer, NR_LONG, 1, 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	ns = min(time_of_a_look(test), time_of_a_look(test));
	for (round = 0; round < TRIES && hits < HITS && !missed; round++) {
		take_all_bits();
		clear_bit(NR_LONG - 1, pool->bits);
		/* The timer fires when the look is half-way through. */
		start_timer(free_behind_and_take_ahead, ns / 2);
		block = kspan_fixed_pool_alloc(pool);
		hrtimer_cancel(&timer);
		missed += !block;
		hits += block == buffer + BITS_PER_LONG;
	}
	kunit_info(test, "a look takes %llu us, %u tries\n", ns / NSEC_PER_USEC, round);
	KUNIT_EXPECT_EQ(test, missed, 0U);
	KUNIT_EXPECT_GT(test, hits, 0U);
	destroy();
	kvfree(buffer);
}

static struct kunit_case fixed_pool_cases[] = {
	KUNIT_CASE(every_block_comes_once),
	KUNIT_CASE(blocks_must_be_possible),
	KUNIT_CASE(blocks_are_guaranteed),
	KUNIT_CASE(without_memory_there_is_no_pool),
	KUNIT_CASE(creation_survives_each_failure),
	KUNIT_CASE(pool_over_a_buffer),
	KUNIT_CASE(last_block_of_a_buffer_is_no_longer_than_it_is),
	KUNIT_CASE(init_on_free_leaves_nothing_of_a_pool),
	KUNIT_CASE(free_all_frees_all),
	KUNIT_CASE(model_agrees),
	KUNIT_CASE(freed_block_comes_next),
	KUNIT_CASE(wrong_frees_are_reported),
	KUNIT_CASE(address_behind_the_last_block_is_foreign),
	KUNIT_CASE(kspan_free_of_a_block_is_reported),
	KUNIT_CASE(any_context_will_do),
	KUNIT_CASE(no_party_is_refused_its_share),
	KUNIT_CASE(block_that_is_freed_behind_a_look_is_found),
	{}
};

static struct kunit_suite fixed_pool_suite = {
	.name = "kspan_fixed_pool",
	.init = fixed_pool_init,
	.exit = fixed_pool_exit,
	.test_cases = fixed_pool_cases,
};

kunit_test_suite(fixed_pool_suite);
