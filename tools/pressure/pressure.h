/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the pressure module share. */
#ifndef KSPAN_PRESSURE_H
#define KSPAN_PRESSURE_H

#include <linux/kspan.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/types.h>

struct seq_file;
struct task_struct;

/* Most objects that a user has. */
#define PRESSURE_OBJECTS	4096

/* Bytes for a user whose requests must not fail: the OOM killer would be busy. */
#define PRESSURE_LITTLE		SZ_1M

/**
 * struct pressure_object - an object in use
 * @p:		the object, NULL for none
 * @size:	bytes
 * @tag:	what its pattern starts from; no two objects have the same
 */
struct pressure_object {
	void *p;
	size_t size;
	u64 tag;
};

/**
 * struct pressure_kind - a way to allocate
 * @name:	in tables
 * @alloc:	the call
 * @gfp:	its flags
 * @max:	bytes of the largest object
 * @share:	of what all may hold, in 16ths; 0 for PRESSURE_LITTLE
 */
struct pressure_kind {
	const char *name;
	void *(*alloc)(size_t size, gfp_t gfp);
	gfp_t gfp;
	size_t max;
	unsigned int share;
};

/**
 * struct pressure_counts - what was done
 * @allocs:	objects that were allocated
 * @frees:	objects that were freed
 * @failed:	requests for small objects that got NULL
 * @failed_large: requests for large ones, of many pages in a row, that did
 * @smallest:	bytes of the smallest request that did, 0 for none
 */
struct pressure_counts {
	u64 allocs;
	u64 frees;
	u64 failed;
	u64 failed_large;
	u64 smallest;
};

/**
 * struct pressure_user - who allocates and frees, in one context of one CPU or task
 * @kind:	how
 * @task:	who it is, NULL for an interrupt
 * @inside:	in a call of kspan's that allocates
 * @growing:	allocates, until something fails or it has all that it may; else it frees
 * @target:	bytes that it shrinks to
 * @live:	bytes that it holds
 * @rnd:	its random numbers
 * @tag:	of its newest object
 * @counts:	what it did; read by others
 * @objects:	what it has
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

/* pressure.c: MiB that all users may hold */
extern unsigned int pressure_mib;

/* objects.c: patterns, and what one user does */
extern atomic_long_t pressure_nr_broken;

void pressure_user_init(struct pressure_user *user, const struct pressure_kind *kind,
			unsigned int id);
bool pressure_alloc(struct pressure_user *user, unsigned int slot, size_t size);
void pressure_free(struct pressure_user *user, unsigned int slot);
void pressure_free_all(struct pressure_user *user);
void pressure_operate(struct pressure_user *user);

/* Uniform below @n. */
static inline u32 pressure_below(struct pressure_user *user, u32 n)
{
	return ((u64)prandom_u32_state(&user->rnd) * n) >> 32;
}

size_t pressure_size(struct pressure_user *user);

/* users.c: all of them */
int pressure_users_init(void);
void pressure_users_exit(void);
int pressure_users_start(void);
void pressure_users_stop(void);
bool pressure_current_is_inside(void);
void pressure_users_show(struct seq_file *m);
const char *pressure_users_wrong(void);

/* probes.c: what memory reclaim does */
void pressure_probes_init(void);
void pressure_probes_exit(void);
void pressure_probes_show(struct seq_file *m);

#endif /* KSPAN_PRESSURE_H */
