/* SPDX-License-Identifier: GPL-2.0 */
/* Declarations for the files of the stress module. */
#ifndef KSPAN_STRESS_H
#define KSPAN_STRESS_H

#include <linux/bits.h>
#include <linux/kspan.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

enum stress_context {
	STRESS_TASK,
	STRESS_SOFTIRQ,
	STRESS_HARDIRQ,
	STRESS_NMI,
	STRESS_NR_CONTEXTS,
};

/* Most objects of a bulk call. */
#define STRESS_BULK	100

/**
 * struct stress_counts - counters of a worker
 * @operations:	operations done
 * @allocs:	objects that were allocated
 * @frees:	objects that were freed
 * @failed:	requests that got NULL
 */
struct stress_counts {
	u64 operations;
	u64 allocs;
	u64 frees;
	u64 failed;
};

/**
 * struct stress_worker - a worker in one context of one CPU
 * @rnd:		its random numbers
 * @context:	its context
 * @max_shift:	most objects are below 2^@max_shift bytes
 * @max_bulk:	most objects of one bulk call
 * @tag:		of its newest object
 * @counts:	others read them
 * @objects:	for bulk calls
 * @text:	for strings
 *
 * A context does not nest in itself, so a worker needs no lock.
 */
struct stress_worker {
	struct rnd_state rnd;
	enum stress_context context;
	unsigned int max_shift;
	unsigned int max_bulk;
	u32 tag;
	struct stress_counts counts;
	void *objects[STRESS_BULK];
	char text[256];
};

/* A random number below @n. */
static inline u32 stress_below(struct stress_worker *worker, u32 n)
{
	return ((u64)prandom_u32_state(&worker->rnd) * n) >> 32;
}

/* stress.c: parameters and the verdict */
extern unsigned int stress_max_shift;
extern unsigned int stress_live;
extern unsigned long long stress_seed;

bool stress_time_left(void);

/* objects.c: patterns, tables, and errors in them */

/* Stands at the start of every object that has room for it. */
struct stress_label {
	u32 size;
	u32 tag;
	u32 align;
	u32 check;
};

/* kspan_free_rcu() uses the rcu_head, which stands behind the label. */
struct stress_rcu_object {
	struct stress_label label;
	struct rcu_head rcu;
};

extern atomic_long_t stress_nr_broken;

void stress_broken(const char *what, const void *p, size_t size, u64 expected, u64 found);
bool stress_same(const char *what, const void *p, size_t size, u64 expected, u64 found);

int stress_tables_init(void);
void stress_tables_exit(void);
void stress_set_window(unsigned int window);

size_t stress_align(size_t size);
void stress_stamp(struct stress_worker *worker, void *p, size_t size, size_t align, size_t from);
bool stress_check_label(const struct stress_label *label);
bool stress_check_pattern(const struct stress_label *label, size_t from, size_t limit);

void stress_put(struct stress_worker *worker, void *p, size_t size, size_t align);
void *stress_take(struct stress_worker *worker, size_t *size);
void stress_dispose(struct stress_worker *worker, void *p, size_t size);
void stress_replace_rcu(struct stress_worker *worker, struct stress_rcu_object *object);
void stress_read_rcu(struct stress_worker *worker);
void stress_free_all(struct stress_worker *worker);

/* operations.c: calls of kspan */
void stress_operate(struct stress_worker *worker);
void stress_housekeep(struct stress_worker *worker);
struct kspan_finding;

int stress_operations_init(void);
void stress_operations_exit(struct kspan_finding *finding);

/* workers.c: the contexts */
int stress_workers_start(void);
struct stress_worker *stress_workers_stop(void);
typedef void (*stress_worker_fn)(struct stress_worker *worker);
void stress_visit_workers(stress_worker_fn fn);
void stress_workers_exit(void);
bool stress_has_nmis(void);
void stress_sum(enum stress_context context, struct stress_counts *sum);

#endif /* KSPAN_STRESS_H */
