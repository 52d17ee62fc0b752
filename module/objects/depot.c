// SPDX-License-Identifier: GPL-2.0
/*
 * The depot
 *
 *	depot_full:  magazine -> magazine -> ...	hold objects
 *	depot_empty: magazine -> magazine -> ...	hold none
 *
 * A CPU cache comes here with a whole magazine. The magazine changes places with one of the
 * depot, which takes one lock and touches no object. If the depot has none to give, the
 * magazine is filled from the bitmaps of spans or emptied into them, in one batch under
 * the same lock; see batch.c.
 *
 * The depot holds at most kspan_depot_bytes of objects. The number of magazines in existence
 * is limited to the full ones that the depot may hold, and two for each CPU. A CPU that
 * finds no empty magazine does without one, but notes that one is wanted. The next CPU that
 * is outside of all locks and cache marks allocates it.
 *
 * kspan_central.lock protects the depot.
 *
 * Context: task, softirq, hardirq; the only wait is for the central lock. NMI: with
 * KSPAN_GFP_NOLOCK.
 */
#include <linux/cpumask.h>
#include <linux/rcupdate.h>

#include "base/kunit_export.h"
#include "objects/batch.h"
#include "objects/deferred.h"
#include "objects/depot.h"

unsigned int kspan_magazine_bytes = 128 * 1024;
unsigned int kspan_depot_bytes = 512 * 1024;
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_bytes);

/**
 * kspan_magazine_cap() - most objects that a magazine of a class can hold
 * @sc: size class; kspan_magazine_bytes are divided by its size
 * Return: 2...KSPAN_MAGAZINE_MAX.
 */
unsigned int kspan_magazine_cap(const struct kspan_size_class *sc)
{
	return clamp_t(unsigned int, kspan_magazine_bytes / sc->size, 2, KSPAN_MAGAZINE_MAX);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_magazine_cap);

/**
 * kspan_magazine_sizeof() - memory that a magazine of a class takes
 * @sc: size class, which says how many objects there must be room for
 * Return: bytes.
 */
size_t kspan_magazine_sizeof(const struct kspan_size_class *sc)
{
	const struct kspan_magazine *mag = NULL;

	return struct_size(mag, object, kspan_magazine_cap(sc));
}

/* Most full magazines that the depot of a class may hold. */
static unsigned int depot_limit(const struct kspan_size_class *sc)
{
	unsigned int bytes = kspan_magazine_cap(sc) * sc->size;

	return clamp_t(unsigned int, kspan_depot_bytes / bytes, 1, KSPAN_DEPOT_MAX);
}

/* Bytes that the depot must have drawn from its budget to hold so many magazines and objects. */
static unsigned long depot_needs(const struct kspan_central *central, unsigned int magazines,
				 unsigned long objects)
{
	return objects * central->sc->size + magazines * kspan_magazine_sizeof(central->sc);
}

/* Bytes that a depot draws from its budget at a time. */
#define KSPAN_DEPOT_STEP	(32UL * 1024)

/*
 * Draw from the budget until the depot may hold @bytes. It draws more than that, in units of
 * KSPAN_DEPOT_STEP, so that most exchanges need not draw; if the budget has less than a
 * unit, it draws just what is missing. Returns false if the budget has less than that, too.
 */
static bool draw_for_depot(struct kspan_central *central, unsigned long bytes)
{
	unsigned long more = bytes - central->depot_drawn, step = round_up(more, KSPAN_DEPOT_STEP);

	lockdep_assert_held(&central->lock);
	if (!kspan_budget_try(central->budget, step)) {
		step = more;
		if (!kspan_budget_draw(central->budget, step))
			return false;
	}
	central->depot_drawn += step;
	return true;
}

/* Give the budget back what the depot has drawn and does not need for its present contents. */
static void return_surplus_of_depot(struct kspan_central *central)
{
	unsigned long bytes = depot_needs(central, central->nr_depot_full,
					  central->nr_depot_objects);

	lockdep_assert_held(&central->lock);
	if (bytes >= central->depot_drawn)
		return;
	kspan_budget_return(central->budget, central->depot_drawn - bytes);
	central->depot_drawn = bytes;
}

/* Whether the depot may take in a magazine with @count objects. It draws from the budget for it. */
static bool depot_has_room(struct kspan_central *central, unsigned int count)
{
	unsigned long objects = central->nr_depot_objects + count, bytes;

	lockdep_assert_held(&central->lock);
	if (central->nr_depot_full >= KSPAN_DEPOT_MAX ||
	    (central->nr_depot_full && objects * central->sc->size > kspan_depot_bytes))
		return false;
	bytes = depot_needs(central, central->nr_depot_full + 1, objects);
	return bytes <= central->depot_drawn || draw_for_depot(central, bytes);
}

/**
 * kspan_depot_provision() - add an empty magazine to the depot if one is wanted
 * @central:	the caller does not hold its lock
 * @gfp:	the caller's flags, of which those that concern kspan's own data go to SLUB
 *
 * Context: as @gfp says; no lock held, and the CPU cache not marked busy.
 */
void kspan_depot_provision(struct kspan_central *central, gfp_t gfp)
{
	struct kspan_magazine *mag;
	unsigned long flags;

	if (likely(!kspan_glance(central->wanted)))
		return;
	mag = kmalloc(kspan_magazine_sizeof(central->sc),
		      kspan_gfp_metadata(gfp) | __GFP_NOWARN);
	if (!mag)
		return;
	mag->count = 0;
	mag->cap = kspan_magazine_cap(central->sc);
	raw_spin_lock_irqsave(&central->lock, flags);
	/* Another CPU may have added one meanwhile. */
	if (central->wanted) {
		list_add(&mag->list, &central->depot_empty);
		central->nr_magazines++;
		central->wanted = false;
		mag = NULL;
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	kfree(mag);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_provision);

static struct kspan_magazine *take_first_magazine(struct list_head *magazines)
{
	struct kspan_magazine *mag;

	mag = list_first_entry_or_null(magazines, struct kspan_magazine, list);
	if (mag)
		list_del(&mag->list);
	return mag;
}

/* Count off a full magazine. kspan_depot_reap() returns those that depot_low shows as unused. */
static void depot_lost_one(struct kspan_central *central)
{
	lockdep_assert_held(&central->lock);
	central->nr_depot_full--;
	central->depot_low = min(central->depot_low, central->nr_depot_full);
}

/**
 * kspan_depot_pop_locked() - take one object of a full magazine of the depot
 * @central: the caller holds its lock
 * Return: the object; NULL if the depot has none.
 */
void *kspan_depot_pop_locked(struct kspan_central *central)
{
	struct kspan_magazine *mag;
	void *object;

	lockdep_assert_held(&central->lock);
	mag = list_first_entry_or_null(&central->depot_full, struct kspan_magazine, list);
	if (!mag)
		return NULL;
	object = mag->object[--mag->count];
	central->nr_depot_objects--;
	if (!mag->count) {
		list_move(&mag->list, &central->depot_empty);
		depot_lost_one(central);
	}
	return object;
}

/* Take a magazine with objects, and leave @empty in exchange; @empty may be NULL. */
static struct kspan_magazine *take_full_locked(struct kspan_central *central,
					       struct kspan_magazine *empty)
{
	struct kspan_magazine *mag = take_first_magazine(&central->depot_full);

	lockdep_assert_held(&central->lock);
	if (!mag)
		return NULL;
	depot_lost_one(central);
	central->nr_depot_objects -= mag->count;
	if (empty)
		list_add(&empty->list, &central->depot_empty);
	return mag;
}

/* Take an empty magazine. If there is none and the limit allows one more, note that. */
static struct kspan_magazine *take_empty_locked(struct kspan_central *central)
{
	struct kspan_magazine *mag = take_first_magazine(&central->depot_empty);

	lockdep_assert_held(&central->lock);
	if (!mag && central->nr_magazines < depot_limit(central->sc) + 2 * nr_cpu_ids)
		central->wanted = true;
	return mag;
}

/* Take an empty magazine, and leave @full in exchange; NULL if the depot may not hold it. */
static struct kspan_magazine *put_full_locked(struct kspan_central *central,
					      struct kspan_magazine *full)
{
	struct kspan_magazine *empty;

	lockdep_assert_held(&central->lock);
	if (!depot_has_room(central, full->count))
		return NULL;
	empty = take_empty_locked(central);
	if (!empty)
		return NULL;
	list_add(&full->list, &central->depot_full);
	central->nr_depot_full++;
	central->nr_depot_objects += full->count;
	return empty;
}

/**
 * kspan_depot_take_full() - take a magazine with objects
 * @central:	the caller does not hold its lock
 * @empty:	magazine that the depot gets in exchange; may be NULL
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * Return: a magazine with at least one object; or NULL, and the caller keeps @empty.
 */
struct kspan_magazine *kspan_depot_take_full(struct kspan_central *central,
					     struct kspan_magazine *empty, gfp_t gfp)
{
	struct kspan_magazine *mag;
	unsigned long flags;

	if (!kspan_lock(&central->lock, &flags, gfp))
		return NULL;
	mag = take_full_locked(central, empty);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return mag;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_take_full);

/**
 * kspan_depot_put_full() - exchange a full magazine for an empty one
 * @central:	the caller does not hold its lock
 * @full:	magazine that the depot gets; NULL to take an empty one without exchange
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * Return: an empty magazine; or NULL, and the caller keeps @full, if the depot has no empty
 * magazine or may not hold more objects.
 */
struct kspan_magazine *kspan_depot_put_full(struct kspan_central *central,
					    struct kspan_magazine *full, gfp_t gfp)
{
	struct kspan_magazine *empty;
	unsigned long flags;

	if (!kspan_lock(&central->lock, &flags, gfp))
		return NULL;
	empty = full ? put_full_locked(central, full) : take_empty_locked(central);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return empty;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_put_full);

/* Fill a magazine with @n objects of the spans, or as many as the steps and the spans allow. */
static void fill_locked(struct kspan_central *central, struct kspan_magazine *mag,
			unsigned int n, unsigned int steps)
{
	unsigned int taken = kspan_central_take_locked(central, mag->object, n, steps);

	lockdep_assert_held(&central->lock);
	if (taken && taken < n)
		memmove(mag->object, mag->object + n - taken, taken * sizeof(*mag->object));
	mag->count = taken;
}

/**
 * kspan_central_stock() - add new spans, and put objects of them into a magazine
 * @central:	the central of their class and node; the caller does not hold its lock
 * @mag:	an empty magazine of the calling CPU
 * @n:		objects to put into it, 1...kspan_magazine_cap()
 * @spans:	DETACHED spans, formatted, as kspan_central_make_spans() gave them
 *
 * Context: task, softirq, hardirq.
 */
void kspan_central_stock(struct kspan_central *central, struct kspan_magazine *mag,
			 unsigned int n, struct list_head *spans)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&central->lock, flags);
	kspan_central_adopt_locked(central, spans);
	fill_locked(central, mag, n, KSPAN_STEPS);
	raw_spin_unlock_irqrestore(&central->lock, flags);
}

/**
 * kspan_central_load() - get a magazine with objects for a CPU that has no object
 * @central:	the caller does not hold its lock
 * @empty:	an empty magazine of the CPU, or NULL
 * @n:		objects to put into it, 1...kspan_magazine_cap()
 * @steps:	work that may still be done
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * If the depot has a magazine with objects, the CPU gets it in exchange for @empty. Else the
 * CPU gets @empty back, or an empty magazine of the depot if @empty is NULL, with @n
 * objects of the spans, or as many as there are.
 *
 * Return: the magazine, which is empty if the central has no object; or NULL if there is no
 * magazine to fill, or the lock was not to be had.
 */
struct kspan_magazine *kspan_central_load(struct kspan_central *central,
					  struct kspan_magazine *empty, unsigned int n,
					  unsigned int *steps, gfp_t gfp)
{
	struct kspan_magazine *mag;
	unsigned long flags;

	if (kspan_central_merge(central, gfp))
		kspan_steps_leave_few(steps);
	if (!kspan_lock(&central->lock, &flags, gfp))
		return NULL;
	mag = take_full_locked(central, empty);
	if (!mag) {
		mag = empty ?: take_empty_locked(central);
		if (mag)
			fill_locked(central, mag, n, max(*steps, 1U));
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return mag;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_central_load);

/**
 * kspan_depot_spill() - get a magazine with room for a CPU whose magazines are full
 * @central:	the caller does not hold its lock
 * @full:	a full magazine of the CPU
 * @steps:	work that may be done, at least one step; reduced by the work that was done
 * @retired:	as for kspan_central_return_some()
 *
 * If the depot takes @full, the CPU gets an empty magazine in exchange. Else it gets @full back,
 * and the oldest objects of it are returned to their spans, as far as the steps go.
 *
 * Context: task, softirq, hardirq.
 * Return: the magazine.
 */
struct kspan_magazine *kspan_depot_spill(struct kspan_central *central,
					 struct kspan_magazine *full, unsigned int *steps,
					 struct list_head *retired)
{
	unsigned int count = full->count, done = 0;
	struct kspan_magazine *empty;
	struct kspan_given given;
	unsigned long flags;

	if (kspan_central_merge(central, 0))
		kspan_steps_leave_few(steps);
	raw_spin_lock_irqsave(&central->lock, flags);
	empty = put_full_locked(central, full);
	if (!empty) {
		/*
		 * Before the objects are freed: else kspan_owns() would take an object that
		 * another CPU allocates meanwhile for one that is free in this magazine.
		 */
		WRITE_ONCE(full->count, 0);
		done = kspan_batch_return_locked(central, full->object, count, &given, steps);
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	if (empty)
		return empty;
	kspan_batch_finish(central, full->object, &given, retired);
	memmove(full->object, full->object + done, (count - done) * sizeof(*full->object));
	/*
	 * The objects are in place before the count says so. The partner is magazine_holds() in
	 * cpu_cache.c, in an interrupt of this CPU: it reads the count before the objects.
	 */
	barrier();
	WRITE_ONCE(full->count, count - done);
	return full;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_spill);

/*
 * Whether the @nth magazine of the depot holds an object; -ENOENT if there are fewer, or if the
 * lock was not to be had.
 */
static int nth_magazine_holds(struct kspan_central *central, unsigned int nth,
			      const void *object, gfp_t gfp)
{
	struct kspan_magazine *mag;
	int found = -ENOENT;
	unsigned long flags;
	unsigned int i;

	if (!kspan_lock(&central->lock, &flags, gfp))
		return found;
	list_for_each_entry(mag, &central->depot_full, list) {
		if (nth--)
			continue;
		for (found = 0, i = 0; !found && i < mag->count; i++)
			found = mag->object[i] == object;
		break;
	}
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return found;
}

/**
 * kspan_depot_holds() - whether an object is in a magazine of the depot
 * @central:	the caller does not hold its lock, which is dropped after each magazine
 * @object:	any address; it is only compared
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once for each magazine
 *
 * Return: whether it is; while other CPUs use the depot, the answer may be outdated. False if the
 * lock was not to be had.
 */
bool kspan_depot_holds(struct kspan_central *central, const void *object, gfp_t gfp)
{
	unsigned int nth = 0;
	int found;

	do {
		found = nth_magazine_holds(central, nth++, object, gfp);
	} while (!found);
	return found > 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_holds);

/**
 * kspan_depot_return_magazine() - free a magazine of a CPU
 * @central:	the caller does not hold its lock
 * @mag:	the magazine, which the CPU does not use any more; its objects are returned
 *		to their spans. It is freed after a grace period of RCU, because statistics may
 *		still read it
 */
void kspan_depot_return_magazine(struct kspan_central *central, struct kspan_magazine *mag)
{
	unsigned long flags;

	kspan_central_return(central, mag->object, mag->count);
	raw_spin_lock_irqsave(&central->lock, flags);
	central->nr_magazines--;
	raw_spin_unlock_irqrestore(&central->lock, flags);
	kfree_rcu(mag, rcu);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_return_magazine);

/* Return the objects of at most @n magazines of the depot to their spans. */
static void return_magazines(struct kspan_central *central, unsigned int n)
{
	struct kspan_magazine *mag;
	unsigned long flags;

	while (n-- && (mag = kspan_depot_take_full(central, NULL, 0))) {
		kspan_central_return(central, mag->object, mag->count);
		mag->count = 0;
		raw_spin_lock_irqsave(&central->lock, flags);
		list_add(&mag->list, &central->depot_empty);
		raw_spin_unlock_irqrestore(&central->lock, flags);
	}
}

/* Take an empty magazine out of the depot for good. */
static struct kspan_magazine *remove_empty_magazine(struct kspan_central *central)
{
	struct kspan_magazine *mag;
	unsigned long flags;

	raw_spin_lock_irqsave(&central->lock, flags);
	mag = take_first_magazine(&central->depot_empty);
	if (mag)
		central->nr_magazines--;
	raw_spin_unlock_irqrestore(&central->lock, flags);
	return mag;
}

static void free_empty_magazines(struct kspan_central *central)
{
	struct kspan_magazine *mag;

	while ((mag = remove_empty_magazine(central)))
		kfree_rcu(mag, rcu);
}

/**
 * kspan_depot_return() - return objects of the depot to their spans, and free its empty magazines
 * @central:	the caller does not hold its lock
 * @n:		most full magazines whose objects are returned
 *
 * Context: task, softirq, hardirq.
 */
void kspan_depot_return(struct kspan_central *central, unsigned int n)
{
	unsigned long flags;

	kspan_central_merge_all(central);
	return_magazines(central, n);
	raw_spin_lock_irqsave(&central->lock, flags);
	return_surplus_of_depot(central);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	free_empty_magazines(central);
}

/**
 * kspan_depot_drain() - return all objects of the depot to their spans, and free its magazines
 * @central: the caller does not hold its lock
 *
 * Context: task, softirq, hardirq.
 */
void kspan_depot_drain(struct kspan_central *central)
{
	kspan_depot_return(central, UINT_MAX);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_drain);

/**
 * kspan_depot_reap() - shrink the depot to the working set of its CPUs
 * @central: the caller does not hold its lock
 *
 * The CPUs did not need as many full magazines as were in the depot all the time since the last
 * call. The objects of so many magazines are returned to their spans, and the empty magazines
 * are freed. This is the working set of Bonwick and Adams, "Magazines and Vmem", USENIX
 * 2001.
 *
 * Context: task.
 */
void kspan_depot_reap(struct kspan_central *central)
{
	unsigned int n = kspan_glance(central->depot_low);
	unsigned long flags;

	kspan_central_merge_all(central);
	return_magazines(central, n);
	raw_spin_lock_irqsave(&central->lock, flags);
	central->depot_low = central->nr_depot_full;
	return_surplus_of_depot(central);
	raw_spin_unlock_irqrestore(&central->lock, flags);
	if (n || !central->nr_depot_full)
		free_empty_magazines(central);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_reap);

static void free_magazines(struct list_head *magazines)
{
	struct kspan_magazine *mag, *next;

	list_for_each_entry_safe(mag, next, magazines, list)
		kfree(mag);
	INIT_LIST_HEAD(magazines);
}

/**
 * kspan_depot_exit() - free the magazines of the depot
 * @central: no caller uses it any more, and its depot was drained. Spans that still have live
 *	     objects stay; kspan_page_heap_exit() drops them.
 */
void kspan_depot_exit(struct kspan_central *central)
{
	free_magazines(&central->depot_full);
	free_magazines(&central->depot_empty);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_depot_exit);
