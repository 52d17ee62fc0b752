// SPDX-License-Identifier: GPL-2.0
/*
 * what=worst: the longest single allocation and the longest single free.
 *
 * n objects are allocated and freed in random order. The result is the median over the rounds of
 * the longest operation in each. An operation that the timer interrupted does not count. Other
 * interrupts come in fewer than half of the rounds, so they do not change the median. An operation
 * leaves preemption as it was, so preemption is off for no longer than this. stretch.c measures
 * for how long.
 */
#include "bench.h"

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/sort.h>

#define MAX_ROUNDS	100

struct worst {
	u64 alloc;
	u64 free;
};

static void note(u64 *most, u64 start, unsigned long then)
{
	u64 cost = ticks() - start;

	if (READ_ONCE(jiffies) == then && cost > *most)
		*most = cost;
}

static int compare_numbers(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static struct worst run_round(const struct allocator *a, const struct load *load)
{
	struct worst worst = { };
	unsigned long then;
	unsigned int i;
	u64 start;

	for (i = 0; i < load->batch; i++) {
		then = READ_ONCE(jiffies);
		start = ticks();
		objects[i] = a->alloc(load->size, load->gfp);
		note(&worst.alloc, start, then);
	}
	for (i = 0; i < load->batch; i++) {
		then = READ_ONCE(jiffies);
		start = ticks();
		a->free(objects[load->order[i]]);
		note(&worst.free, start, then);
	}
	return worst;
}

static struct worst run_worst(const struct allocator *a, const struct load *load)
{
	static u64 allocs[MAX_ROUNDS], frees[MAX_ROUNDS];
	unsigned int i, taken = min_t(unsigned int, rounds, MAX_ROUNDS);

	/* The first round gets the memory that the others use again. */
	run_round(a, load);
	for (i = 0; i < taken; i++) {
		struct worst worst = run_round(a, load);

		allocs[i] = worst.alloc;
		frees[i] = worst.free;
	}
	sort(allocs, taken, sizeof(u64), compare_numbers, NULL);
	sort(frees, taken, sizeof(u64), compare_numbers, NULL);
	return (struct worst){ allocs[taken / 2], frees[taken / 2] };
}

static void show(const char *name, const struct load *load, u64 ours, u64 theirs, u64 none)
{
	ours = per_object(ours, none, 1);
	theirs = per_object(theirs, none, 1);
	pr_info("pattern=%s size=%zu n=%u kspan=%s slub=%s ratio=%s peer=kmalloc\n", name,
		load->size, load->batch, number_of(ours).text, number_of(theirs).text,
		ratio_of(ours, theirs).text);
}

static void compare(const struct pattern *pattern, const struct load *load)
{
	struct worst none = run_worst(&empty, load);
	struct worst theirs = run_worst(&slub, load);
	struct worst ours = run_worst(&kspan, load);

	show("worst_alloc", load, ours.alloc, theirs.alloc, none.alloc);
	show("worst_free", load, ours.free, theirs.free, none.free);
}

int run_worst_operation(void)
{
	static const struct pattern random = { "random", run_batch, .order = ORDER_RANDOM };
	static const unsigned int usual[] = { 64, 1024, 4096, 32768, SZ_64K, SZ_256K };
	const unsigned int *size = nr_sizes ? sizes : usual;
	unsigned int i, to_size = nr_sizes ?: ARRAY_SIZE(usual);

	for (i = 0; i < to_size; i++)
		measure(compare, &random, size[i], nr_counts ? counts[0] : 1000);
	return 0;
}
