// SPDX-License-Identifier: GPL-2.0
/*
 * One user: it allocates and frees objects in waves, each full of a pattern.
 *
 * A user takes memory until a request fails, or until it has its share. Then it frees some, so
 * there is always a user that wants what others free. No two objects have the same pattern. So an
 * object with two owners, or one that was handed out while in use, is found when it is freed.
 */
#define pr_fmt(fmt) "kspan-pressure: " fmt

#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "pressure.h"

#define SMALLEST	8
/* Most lines in the log. The counter has all. */
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

/* Report the first wrong byte. */
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
 * pressure_user_init() - make a user that has no objects yet
 * @user:	zeroed
 * @kind:	how it allocates
 * @id:		tells its patterns from those of others
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
 * pressure_size() - choose the size of the next object
 * @user:	the user that will have it
 *
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
 * pressure_alloc() - allocate an object and fill it
 * @user:	gets the object
 * @slot:	empty slot for it
 * @size:	bytes
 *
 * Return: true if there is an object.
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
	/* Each word of a pattern has its own number. */
	user->tag += size / sizeof(u64) + 1;
	stamp(object);
	user->live += size;
	user->counts.allocs++;
	return true;
}

/**
 * pressure_free() - check an object and free it
 * @user:	has the object
 * @slot:	its slot, which may be empty
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
 * pressure_free_all() - check and free all objects of a user
 * @user:	has no objects afterwards
 */
void pressure_free_all(struct pressure_user *user)
{
	unsigned int slot;

	for (slot = 0; slot < PRESSURE_OBJECTS; slot++)
		pressure_free(user, slot);
}

/* In two of four seconds most users have a limit of 0, so that the other users get their memory. */
static size_t limit_of(const struct pressure_user *user)
{
	size_t share = READ_ONCE(pressure_mib) * SZ_1M / 16 * user->kind->share;

	if (!share)
		return PRESSURE_LITTLE;
	return ktime_get_seconds() & 2 ? share : 0;
}

/**
 * pressure_operate() - do the next operation of a user
 * @user:	a task
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
