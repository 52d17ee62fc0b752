// SPDX-License-Identifier: GPL-2.0
/*
 * Objects, and the tables that exchange them.
 *
 *	slots	objects with a label, which tells all that must be true of them
 *	tiny	objects that are too small for a label; the table knows their size
 *	rcu	objects with a label. Readers look at them while others replace them, so they are
 *		freed after a grace period.
 *
 * Slots change by xchg() only. The worker that gets an object out of a slot owns it, checks it and
 * frees it, in any context and on any CPU.
 */
#define pr_fmt(fmt) "kspan-stress: " fmt

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "stress.h"

/* A pattern consists of 64-bit words: EDGE of them at either end, and every STRIDE-th between. */
#define EDGE		256
#define STRIDE		8
#define LABEL_BYTES	sizeof(struct stress_label)
/* Most lines in the log. The counter has all. */
#define MAX_REPORTS	100
#define ADDRESS_SHIFT	4
/* The slots are few, so that readers and writers meet. */
#define RCU_SLOTS	32

static struct stress_label **slots;
static struct stress_rcu_object *rcu_slots[RCU_SLOTS];
static u64 *tiny_slots;
static unsigned int window;

atomic_long_t stress_nr_broken;

/**
 * stress_broken() - report an error of an object
 * @what:	the error
 * @p:		address of the object
 * @size:	its bytes
 * @expected:	value expected
 * @found:	value found
 */
void stress_broken(const char *what, const void *p, size_t size, u64 expected, u64 found)
{
	long n = atomic_long_inc_return(&stress_nr_broken);

	if (n <= MAX_REPORTS)
		pr_err("broken: %s, object at %#lx of %zu bytes: expected %#llx, found %#llx\n",
		       what, (unsigned long)p, size, expected, found);
	if (n == MAX_REPORTS)
		pr_err("broken: what else is found is counted only\n");
}

/* Report @found if it is not @expected. Returns whether it is. */
bool stress_same(const char *what, const void *p, size_t size, u64 expected, u64 found)
{
	if (likely(expected == found))
		return true;
	stress_broken(what, p, size, expected, found);
	return false;
}

/**
 * stress_align() - alignment that a request is promised
 * @size:	bytes, not 0
 *
 * Return: bytes.
 */
size_t stress_align(size_t size)
{
	return max_t(size_t, size & -size, 8);
}

static u32 label_check(const struct stress_label *label)
{
	return hash_32(label->size ^ hash_32(label->tag ^ hash_32(label->align, 32), 32), 32);
}

static u64 word_pattern(u32 tag, size_t i)
{
	return (tag + i) * GOLDEN_RATIO_64;
}

static u8 byte_pattern(u32 tag, size_t offset)
{
	return tag * 7 + offset + 1;
}

/* The next word after @i of @n that is part of the pattern. */
static size_t next_word(size_t i, size_t n)
{
	if (i + 1 < EDGE || i + 1 + EDGE >= n)
		return i + 1;
	return min(ALIGN(i + 1, STRIDE), n - EDGE);
}

/**
 * stress_stamp() - write label and pattern
 * @worker:	its tag is used
 * @p:		the object
 * @size:	bytes, enough for a label
 * @align:	alignment that the object was promised
 * @from:	offset of the pattern, a multiple of 8
 */
void stress_stamp(struct stress_worker *worker, void *p, size_t size, size_t align, size_t from)
{
	struct stress_label *label = p;
	u32 tag = ++worker->tag;
	size_t i, n = size / 8;
	u64 *words = p;

	label->size = size;
	label->tag = tag;
	label->align = align;
	label->check = label_check(label);
	for (i = from / 8; i < n; i = next_word(i, n))
		words[i] = word_pattern(tag, i);
	for (i = max(n * 8, from); i < size; i++)
		((u8 *)p)[i] = byte_pattern(tag, i);
}

/**
 * stress_check_label() - check the label of an object, and kspan_size()
 * @label:	start of the object
 *
 * Return: true if they are right. Otherwise it was reported.
 */
bool stress_check_label(const struct stress_label *label)
{
	size_t size = label->size, usable;

	if (!stress_same("label", label, size, label_check(label), label->check))
		return false;
	usable = kspan_size(label);
	return stress_same("kspan_size()", label, size, max(size, usable), usable) &&
	       stress_same("alignment", label, size, 0, (unsigned long)label & (label->align - 1));
}

/**
 * stress_check_pattern() - check the contents of an object
 * @label:	start of the object, with a label that is right
 * @from:	as for stress_stamp()
 * @limit:	offset to check up to
 *
 * Return: true if they are right. Otherwise it was reported.
 */
bool stress_check_pattern(const struct stress_label *label, size_t from, size_t limit)
{
	const u64 *words = (const u64 *)label;
	size_t i, size = label->size, n = size / 8;
	const u8 *bytes = (const u8 *)label;

	for (i = from / 8; i < n && i < limit / 8; i = next_word(i, n))
		if (unlikely(words[i] != word_pattern(label->tag, i))) {
			stress_broken("a word", words + i, size, word_pattern(label->tag, i),
				      words[i]);
			return false;
		}
	for (i = max(n * 8, from); i < size && i < limit; i++)
		if (unlikely(bytes[i] != byte_pattern(label->tag, i))) {
			stress_broken("a byte", bytes + i, size, byte_pattern(label->tag, i),
				      bytes[i]);
			return false;
		}
	return true;
}

/*
 * Address and size in one word. kmemleak can't recognise such an address, so it can't be used
 * here.
 */
static u64 tiny_encode(const void *p, size_t size)
{
	return ((unsigned long)p - PAGE_OFFSET) << ADDRESS_SHIFT | size;
}

static void *tiny_decode(u64 word, size_t *size)
{
	*size = word & (BIT(ADDRESS_SHIFT) - 1);
	return *size ? (void *)((unsigned long)(word >> ADDRESS_SHIFT) + PAGE_OFFSET) : NULL;
}

static u8 tiny_pattern(unsigned int slot, size_t size, size_t offset)
{
	return hash_32(slot << ADDRESS_SHIFT | size, 8) + offset * 29;
}

static u64 tiny_stamp(unsigned int slot, u8 *p, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		p[i] = tiny_pattern(slot, size, i);
	return tiny_encode(p, size);
}

static void tiny_check(unsigned int slot, const u8 *p, size_t size)
{
	size_t i, usable = kspan_size(p);

	if (!stress_same("kspan_size()", p, size, max(size, usable), usable))
		return;
	for (i = 0; i < size; i++)
		if (!stress_same("a tiny byte", p + i, size, tiny_pattern(slot, size, i), p[i]))
			return;
}

/* Take the object out of a slot of the table tiny, and check it; NULL for none. */
static void *tiny_exchange(unsigned int slot, u64 word, size_t *size)
{
	void *p = tiny_decode(xchg(&tiny_slots[slot], word), size);

	if (p)
		tiny_check(slot, p, *size);
	return p;
}

/* Take the object out of a slot of the table slots, and check it; NULL for none. */
static void *label_exchange(unsigned int slot, struct stress_label *label, size_t *size)
{
	struct stress_label *old = xchg(&slots[slot], label);

	*size = 0;
	if (!old)
		return NULL;
	if (stress_check_label(old)) {
		stress_check_pattern(old, LABEL_BYTES, old->size);
		*size = old->size;
	}
	return old;
}

/**
 * stress_put() - put an object into a table, for any worker
 * @worker:	has the object
 * @p:		the object
 * @size:	its bytes, not 0
 * @align:	alignment it was promised
 *
 * The object that was there is freed.
 */
void stress_put(struct stress_worker *worker, void *p, size_t size, size_t align)
{
	unsigned int slot = stress_below(worker, READ_ONCE(window));
	void *old;

	if (size < LABEL_BYTES) {
		old = tiny_exchange(slot, tiny_stamp(slot, p, size), &size);
	} else {
		stress_stamp(worker, p, size, align, LABEL_BYTES);
		old = label_exchange(slot, p, &size);
	}
	stress_dispose(worker, old, size);
}

/**
 * stress_take() - take an object out of a random slot
 * @worker:	gets the object
 * @size:	set to its bytes; 0 when they are not known
 *
 * Return: the object, checked; or NULL.
 */
void *stress_take(struct stress_worker *worker, size_t *size)
{
	unsigned int slot = stress_below(worker, stress_live);

	if (stress_below(worker, 4))
		return label_exchange(slot, NULL, size);
	return tiny_exchange(slot, 0, size);
}

static bool free_after_grace_period(struct stress_worker *worker, void *p, size_t size)
{
	struct stress_rcu_object *object = p;

	if (worker->context == STRESS_NMI)
		return false;
	if (worker->context == STRESS_TASK && !stress_below(worker, 4))
		kspan_free_rcu_mightsleep(p);
	else if (size >= sizeof(*object))
		kspan_free_rcu(object, rcu);
	else
		return false;
	return true;
}

/**
 * stress_dispose() - free an object in a random way
 * @worker:	owns the object
 * @p:		the object, checked; or NULL
 * @size:	its bytes, 0 for unknown
 */
void stress_dispose(struct stress_worker *worker, void *p, size_t size)
{
	unsigned int how = stress_below(worker, 16);

	if (!p)
		return;
	worker->counts.frees++;
	/* A second owner of this object will find a wrong label. */
	if (size >= LABEL_BYTES)
		((struct stress_label *)p)->tag = 0;
	if (how == 0)
		kspan_free_sensitive(p);
	else if (how > 2 || !free_after_grace_period(worker, p, size))
		kspan_free(p);
}

/**
 * stress_replace_rcu() - publish an object, and free the one that was there
 * @worker:	has the object
 * @object:	stamped behind its rcu_head; or NULL
 */
void stress_replace_rcu(struct stress_worker *worker, struct stress_rcu_object *object)
{
	unsigned int slot = stress_below(worker, RCU_SLOTS);

	object = xchg(&rcu_slots[slot], object);
	if (!object)
		return;
	worker->counts.frees++;
	if (worker->context == STRESS_TASK && stress_below(worker, 2))
		kspan_free_rcu_mightsleep(object);
	else
		kspan_free_rcu(object, rcu);
}

static bool check_rcu_object(const struct stress_rcu_object *object)
{
	return stress_check_label(&object->label) &&
	       stress_check_pattern(&object->label, sizeof(*object), object->label.size);
}

/**
 * stress_read_rcu() - check an object that others may replace meanwhile
 * @worker:	the reader
 *
 * No grace period ends during the check. So the object must stay unchanged, and must not become
 * another one.
 */
void stress_read_rcu(struct stress_worker *worker)
{
	struct stress_rcu_object *object;
	struct stress_label first;

	rcu_read_lock();
	object = READ_ONCE(rcu_slots[stress_below(worker, RCU_SLOTS)]);
	if (object) {
		first = object->label;
		check_rcu_object(object);
		/* Wait long enough for others to free and allocate. */
		if (worker->context == STRESS_TASK)
			udelay(stress_below(worker, 100));
		stress_same("tag of one that is read", object, first.size, first.tag,
			    READ_ONCE(object->label.tag));
		check_rcu_object(object);
	}
	rcu_read_unlock();
}

/**
 * stress_set_window() - choose how many slots are filled
 * @n:	slots of each table, 1...stress_live; no object is put into the others
 */
void stress_set_window(unsigned int n)
{
	WRITE_ONCE(window, n);
}

/**
 * stress_free_all() - free the objects of all tables
 * @worker:	a task
 */
void stress_free_all(struct stress_worker *worker)
{
	unsigned int i;
	size_t size;
	void *p;

	for (i = 0; i < stress_live; i++) {
		p = label_exchange(i, NULL, &size);
		stress_dispose(worker, p, size);
		p = tiny_exchange(i, 0, &size);
		stress_dispose(worker, p, size);
		cond_resched();
	}
	for (i = 0; i < RCU_SLOTS; i++)
		if (rcu_slots[i]) {
			check_rcu_object(rcu_slots[i]);
			worker->counts.frees++;
			kspan_free(rcu_slots[i]);
			rcu_slots[i] = NULL;
		}
}

/**
 * stress_tables_init() - make empty tables
 *
 * Return: 0 or -ENOMEM.
 */
int stress_tables_init(void)
{
	stress_set_window(stress_live);
	slots = kvcalloc(stress_live, sizeof(*slots), GFP_KERNEL);
	tiny_slots = kvcalloc(stress_live, sizeof(*tiny_slots), GFP_KERNEL);
	if (slots && tiny_slots)
		return 0;
	stress_tables_exit();
	return -ENOMEM;
}

/**
 * stress_tables_exit() - free the tables, which are empty
 */
void stress_tables_exit(void)
{
	kvfree(slots);
	kvfree(tiny_slots);
}
