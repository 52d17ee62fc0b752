// SPDX-License-Identifier: GPL-2.0
/*
 * One user: objects that come and go in waves, each full of a pattern
 *
 * A user takes memory until it gets none, or has what it may, and then gives
 * some of it back: there is always somebody who wants what another one leaves.
 * The pattern of no two objects is the same, so that one that was given away
 * twice, or while it was in use, is found when it is freed.
 */
#define pr_fmt(fmt) "kspan-pressure: " fmt

#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "pressure.h"

#define SMALLEST	8
/* Lines in the log; the count goes on. */
#define MAX_REPORTS	20

atomic_long_t pressure_nr_broken;

static u64 word_pattern(u64 tag, size_t i)
{
	return (tag + i) * GOLDEN_RATIO_64;
}

static void stamp(const struct pressure_object *object)
{
	size_t i, n = object->size / sizeof(u64);
	u64 *words = object->p;

	for (i = 0; i < n; i++)
		words[i] = word_pattern(object->tag, i);
	memset(words + n, object->tag, object->size % sizeof(u64));
}

static void report(const struct pressure_object *object, size_t offset)
{
	if (atomic_long_inc_return(&pressure_nr_broken) <= MAX_REPORTS)
		pr_err("broken: object of %zu bytes at %#lx, tag %#llx, at offset %zu\n",
		       object->size, (unsigned long)object->p, object->tag, offset);
}

/* The first wrong byte is reported. */
static void check(const struct pressure_object *object)
{
	size_t i, n = object->size / sizeof(u64), usable = kspan_size(object->p);
	const u64 *words = object->p;
	const void *bad;

	if (usable < object->size) {
		report(object, usable);
		return;
	}
	for (i = 0; i < n; i++) {
		if (unlikely(words[i] != word_pattern(object->tag, i))) {
			report(object, i * sizeof(u64));
			return;
		}
	}
	bad = memchr_inv(words + n, (u8)object->tag, object->size % sizeof(u64));
	if (bad)
		report(object, bad - object->p);
}

/**
 * pressure_user_init() - make a user of nothing yet
 * @user:	zeroed
 * @kind:	how it allocates
 * @id:		what tells it from the others
 */
void pressure_user_init(struct pressure_user *user, const struct pressure_kind *kind,
			unsigned int id)
{
	user->kind = kind;
	user->growing = true;
	user->tag = (u64)(id + 1) << 48;
	prandom_seed_state(&user->rnd, id + 1);
}

/**
 * pressure_size() - how large the next object is to be
 * @user: whose object it is
 * Return: bytes, each power of two as likely as any other.
 */
size_t pressure_size(struct pressure_user *user)
{
	unsigned int shift = pressure_below(user, ilog2(user->kind->max / SMALLEST));
	size_t size = (size_t)SMALLEST << shift;

	return size + pressure_below(user, size + 1);
}

static void count_failure(struct pressure_counts *counts, size_t size)
{
	if (size <= KSPAN_MAX_SMALL)
		counts->failed++;
	else
		counts->failed_large++;
	if (!counts->smallest || counts->smallest > size)
		counts->smallest = size;
}

/**
 * pressure_alloc() - allocate an object, and fill it
 * @user:	who
 * @slot:	where it goes, which is empty
 * @size:	bytes
 * Return: whether there is one.
 */
bool pressure_alloc(struct pressure_user *user, unsigned int slot, size_t size)
{
	struct pressure_object *object = &user->objects[slot];

	WRITE_ONCE(user->inside, true);
	object->p = user->kind->alloc(size, user->kind->gfp);
	WRITE_ONCE(user->inside, false);
	if (!object->p) {
		count_failure(&user->counts, size);
		return false;
	}
	object->size = size;
	object->tag = user->tag;
	/* Each word of the pattern has a number of its own. */
	user->tag += size / sizeof(u64) + 1;
	stamp(object);
	user->live += size;
	user->counts.allocs++;
	return true;
}

/**
 * pressure_free() - check an object, and free it
 * @user:	who
 * @slot:	where it is, if there is one
 */
void pressure_free(struct pressure_user *user, unsigned int slot)
{
	struct pressure_object *object = &user->objects[slot];

	if (!object->p)
		return;
	check(object);
	kspan_free(object->p);
	object->p = NULL;
	user->live -= object->size;
	user->counts.frees++;
}

/**
 * pressure_free_all() - check and free all that a user has
 * @user: who
 */
void pressure_free_all(struct pressure_user *user)
{
	unsigned int slot;

	for (slot = 0; slot < PRESSURE_OBJECTS; slot++)
		pressure_free(user, slot);
}

/* For two seconds of four all but a few are content with nothing, and somebody else gets it. */
static size_t limit_of(const struct pressure_user *user)
{
	size_t share = READ_ONCE(pressure_mib) * SZ_1M / 16 * user->kind->share;

	if (!share)
		return PRESSURE_LITTLE;
	return ktime_get_seconds() & 2 ? share : 0;
}

/**
 * pressure_operate() - do the next thing
 * @user: a task
 */
void pressure_operate(struct pressure_user *user)
{
	unsigned int slot = pressure_below(user, PRESSURE_OBJECTS);
	size_t limit = limit_of(user);

	if (!limit) {
		pressure_free_all(user);
		return;
	}
	pressure_free(user, slot);
	if (!user->growing) {
		user->growing = user->live <= user->target;
		return;
	}
	if (!pressure_alloc(user, slot, pressure_size(user))) {
		user->growing = false;
		user->target = user->live - user->live / 8;
	} else if (user->live > limit) {
		user->growing = false;
		user->target = pressure_below(user, limit);
	}
}
