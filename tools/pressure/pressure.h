/* SPDX-License-Identifier: GPL-2.0 */
/* Declarations for the files of the pressure module. */
#ifndef KSPAN_PRESSURE_H
#define KSPAN_PRESSURE_H

#include <linux/kspan.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/types.h>

struct seq_file;
struct task_struct;

/* Most objects of a user. */
#define PRESSURE_OBJECTS	4096

/* Most bytes of a user whose requests must not fail. With more the OOM killer would be busy. */
#define PRESSURE_LITTLE		SZ_1M

/**
 * struct pressure_object - an object in use
 * @p:		the object, NULL for none
 * @size:	bytes
 * @tag:		start of its pattern; no two objects have the same
 */
struct pressure_object {
	void *p;
	size_t size;
	u64 tag;
};

/**
 * struct pressure_kind - a way to allocate
 * @name:	for tables
 * @alloc:	the call
 * @gfp:		its flags
 * @max:		bytes of the largest object
 * @share:	of the bytes that all users may hold, in 16ths; 0 for PRESSURE_LITTLE
 */
struct pressure_kind {
	const char *name;
	void *(*alloc)(size_t size, gfp_t gfp);
	gfp_t gfp;
	size_t max;
	unsigned int share;
};

/**
 * struct pressure_counts - counters of a user
 * @allocs:		objects that were allocated
 * @frees:		objects that were freed
 * @failed:		requests for small objects that got NULL
 * @failed_large:	requests for large objects, of many pages in a row, that got NULL
 * @smallest:		bytes of the smallest of all these requests, 0 for none
 */
struct pressure_counts {
	u64 allocs;
	u64 frees;
	u64 failed;
	u64 failed_large;
	u64 smallest;
};

/**
 * struct pressure_user - a task, or a context of one CPU, that allocates and frees
 * @kind:	how it allocates
 * @task:	the task; NULL for an interrupt
 * @inside:	the task is in a call of kspan that allocates
 * @growing:	it allocates until a request fails or its limit is reached; otherwise it frees
 * @target:	bytes that it frees down to
 * @live:	bytes that it holds
 * @rnd:		its random numbers
 * @tag:		of its newest object
 * @counts:	others read them
 * @objects:	its slots
 */
struct pressure_user {
	const struct pressure_kind *kind;
	struct task_struct *task;
	bool inside;
	bool growing;
	size_t target;
	size_t live;
	struct rnd_state rnd;
	u64 tag;
	struct pressure_counts counts;
	struct pressure_object objects[PRESSURE_OBJECTS];
};

/* pressure.c: MiB that all users together may hold */
extern unsigned int pressure_mib;

/* objects.c: patterns, and the operations of one user */
extern atomic_long_t pressure_nr_broken;

void pressure_user_init(struct pressure_user *user, const struct pressure_kind *kind,
			unsigned int id);
bool pressure_alloc(struct pressure_user *user, unsigned int slot, size_t size);
void pressure_free(struct pressure_user *user, unsigned int slot);
void pressure_free_all(struct pressure_user *user);
void pressure_operate(struct pressure_user *user);

/* A random number below @n. */
static inline u32 pressure_below(struct pressure_user *user, u32 n)
{
	return ((u64)prandom_u32_state(&user->rnd) * n) >> 32;
}

size_t pressure_size(struct pressure_user *user);

/* users.c: all users */
int pressure_users_init(void);
void pressure_users_exit(void);
int pressure_users_start(void);
void pressure_users_stop(void);
bool pressure_current_is_inside(void);
void pressure_users_show(struct seq_file *m);
const char *pressure_users_wrong(void);

/* probes.c: calls of memory reclaim */
void pressure_probes_init(void);
void pressure_probes_exit(void);
void pressure_probes_show(struct seq_file *m);

#endif /* KSPAN_PRESSURE_H */
