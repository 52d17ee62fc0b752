/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kspan_bench - what the measurements share: allocators, loops, rounds, numbers
 */
#ifndef KSPAN_BENCH_H
#define KSPAN_BENCH_H

#ifdef pr_fmt
#undef pr_fmt
#endif
#define pr_fmt(fmt) "kspan-bench: " fmt

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

/* Wrappers of one shape for all calls, so that one empty loop stands for all. */
#define ALLOC(name)	static noinline void *(name)(size_t size, gfp_t gfp)
#define FREE(name)	static noinline void name(const void *p)

extern const struct allocator empty, slub, kspan;

/* Parameters. A list that was not given is empty. */
extern unsigned int rounds, seed;
extern unsigned int counts[MAX_LIST], nr_counts;
extern unsigned int sizes[MAX_LIST], nr_sizes;
extern char *patterns[MAX_LIST];
extern unsigned int nr_patterns;

/**
 * struct load - what a run does
 * @size:	of each object
 * @loops:	objects in all, a multiple of @batch
 * @batch:	objects allocated before the first of them is freed
 * @order:	the order in which these are freed
 */
struct load {
	size_t size;
	unsigned int loops;
	unsigned int batch;
	const u32 *order;
};

typedef u64 (*run_fn)(const struct allocator *a, const struct load *load);

/* The objects of a batch. */
extern void **objects;

u64 run_hot(const struct allocator *a, const struct load *load);
u64 run_batch(const struct allocator *a, const struct load *load);
u64 fastest(run_fn run, const struct allocator *a, const struct load *load);

/* What remains of @cost above the empty loop's, in 1/100 per object. */
u64 per_object(u64 cost, u64 none, unsigned int nr_objects);

/* "12.34", or "-" for U64_MAX. */
struct number {
	char text[24];
};

struct number number_of(u64 hundredths);
struct number ratio_of(u64 ours, u64 theirs);

/**
 * struct pattern - an order of allocations and frees
 * @name:	as it is printed and asked for
 * @run:	the loop
 * @order:	in which a batch is freed
 */
struct pattern {
	const char *name;
	run_fn run;
	enum { ORDER_FIFO, ORDER_LIFO, ORDER_RANDOM } order;
};

const u32 *make_order(const struct pattern *pattern, unsigned int batch);
const struct pattern *find_pattern(const char *name);

int run_pairs(void);
int run_profile(void);
void run_calls(void);

/* rcu.c */
void run_rcu_calls(void);
void show_call(const char *name, const char *peer, size_t size, unsigned int batch,
	       u64 ours, u64 theirs);

#endif
