/* SPDX-License-Identifier: GPL-2.0 */
/* kspan_bench - what the measurements share: allocators, loops, rounds, numbers. */
#ifndef KSPAN_BENCH_H
#define KSPAN_BENCH_H

#ifdef pr_fmt
#undef pr_fmt
#endif
#define pr_fmt(fmt) "kspan-bench: " fmt

#include <linux/jiffies.h>
#include <linux/kspan.h>
#include <linux/slab.h>
#include <linux/timex.h>
#include <linux/types.h>

#define MAX_BATCH	250
#define MAX_LIST	16

struct allocator {
	void *(*alloc)(size_t size, gfp_t gfp);
	void (*free)(const void *p);
};

/* The wrappers of all calls have one form, so that one empty loop stands for all. */
#define ALLOC(name)	static noinline void *(name)(size_t size, gfp_t gfp)
#define FREE(name)	static noinline void name(const void *p)

extern const struct allocator empty, slub, kspan;

/* Parameters. A list that is not set is empty. */
extern unsigned int rounds, seed;
extern unsigned int counts[MAX_LIST], nr_counts;
extern unsigned int sizes[MAX_LIST], nr_sizes;
extern char *patterns[MAX_LIST];
extern unsigned int nr_patterns;

/**
 * struct load - the work of a run
 * @size:	bytes of each object
 * @gfp:	of each allocation
 * @loops:	number of all objects, a multiple of @batch
 * @batch:	objects that are allocated before the first of them is freed
 * @order:	the order in which a batch is freed
 */
struct load {
	size_t size;
	gfp_t gfp;
	unsigned int loops;
	unsigned int batch;
	const u32 *order;
};

/* User Mode Linux has no get_cycles(), but can read the processor's TSC. */
static inline u64 ticks(void)
{
#ifdef CONFIG_UML
	u32 low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high));
	return (u64)high << 32 | low;
#else
	return get_cycles();
#endif
}

/**
 * struct stopwatch - ticks of pieces of work
 * @ticks:	of the pieces that count
 * @objects:	of the pieces that count
 * @start:	of the current piece
 * @jiffies:	at @start: a piece that the timer interrupted does not count
 */
struct stopwatch {
	u64 ticks;
	u64 objects;
	u64 start;
	unsigned long jiffies;
};

/* Objects of a piece. */
#define PIECE	64U

static inline void watch_start(struct stopwatch *watch)
{
	watch->jiffies = READ_ONCE(jiffies);
	watch->start = ticks();
}

static inline void watch_stop(struct stopwatch *watch, unsigned int nr_objects)
{
	u64 now = ticks();

	if (READ_ONCE(jiffies) != watch->jiffies)
		return;
	watch->ticks += now - watch->start;
	watch->objects += nr_objects;
}

/* Ticks for @nr_objects at the speed of the pieces that count; U64_MAX if none counts. */
u64 watch_total(const struct stopwatch *watch, u64 nr_objects);

typedef u64 (*run_fn)(const struct allocator *a, const struct load *load);

/* The objects of a batch. */
extern void **objects;

u64 run_hot(const struct allocator *a, const struct load *load);
u64 run_batch(const struct allocator *a, const struct load *load);
u64 fastest(run_fn run, const struct allocator *a, const struct load *load);

/* The cost without that of the empty loop, in 1/100 of the unit per object. */
u64 per_object(u64 cost, u64 none, u64 nr_objects);

/* In 1/100 of the unit: ticks, or nanoseconds under User Mode Linux. */
u64 units_of(u64 ticks);

/* "12.34", or "-" for U64_MAX. */
struct number {
	char text[24];
};

struct number number_of(u64 hundredths);
struct number ratio_of(u64 ours, u64 theirs);

/**
 * struct pattern - an order of allocations and frees
 * @name:	for output and parameters
 * @run:	the loop
 * @gfp:	of the allocations, besides GFP_KERNEL
 * @order:	in which a batch is freed
 */
struct pattern {
	const char *name;
	run_fn run;
	gfp_t gfp;
	enum { ORDER_FIFO, ORDER_LIFO, ORDER_RANDOM } order;
};

const u32 *make_order(const struct pattern *pattern, unsigned int batch);
const struct pattern *find_pattern(const char *name);
bool fits_in_memory(u64 bytes);

/* Measures a load of @pattern with @n objects at a time. */
typedef void (*measure_fn)(const struct pattern *pattern, const struct load *load);
void measure(measure_fn fn, const struct pattern *pattern, unsigned int size, unsigned int n);

int run_pairs(void);
int run_profile(void);
int run_calls(void);
int run_churn(void);
int run_large(void);
int run_scaling(void);
int run_heaps(void);
int run_memory(void);
int run_region(void);
int run_remote(void);
int run_parallel(void);
int run_pool(void);
int run_worst_operation(void);
int run_reclaim(void);
int run_stretch(void);
int run_rest(void);

/* memory.c */
bool is_memory_pattern(const char *name);

/* rcu.c */
void run_rcu_calls(void);
void show_call(const char *name, const char *peer, size_t size, unsigned int batch,
	       u64 ours, u64 theirs);

#endif
