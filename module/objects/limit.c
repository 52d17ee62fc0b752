// SPDX-License-Identifier: GPL-2.0
/*
 * A private heap at its limit
 *
 * When a request would exceed the limit of its heap, the heap frees memory that it keeps without
 * a live object: spans without an object, and objects in its depots and CPU caches. If that
 * does not suffice, the pressure callback of the heap's owner is called, once for each request.
 * Then the heap frees what the owner has released.
 *
 * Context: as the flags of the request say.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hashtable.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "objects/central.h"
#include "objects/cpu_caches.h"
#include "objects/depot.h"
#include "objects/limit.h"
#include "objects/refuse.h"

/**
 * kspan_trim_centrals() - free the spans of a private heap that have no live object
 * @heap: a private heap. The objects in its depots are returned to their spans first, those
 *	  in CPU caches are not
 *
 * Context: task, softirq, hardirq. For a heap with KSPAN_TYPESAFE_BY_RCU it waits for a grace
 * period: task, and it sleeps.
 * Return: how many bytes the spans had.
 */
size_t kspan_trim_centrals(struct kspan_heap *heap)
{
	bool rcu = heap->private->flags & KSPAN_TYPESAFE_BY_RCU;
	struct kspan_central *central;
	unsigned long pages = 0;
	unsigned int i = 0;

	kspan_large_merge(&heap->private->large);
	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_depot_drain(central);
		pages += kspan_central_trim(central, rcu, ULONG_MAX);
	}
	return pages << KSPAN_PAGE_SHIFT;
}

/*
 * Rounds for a request that can't wait: so many before the owner is asked, and as many after
 * that. Each round frees about as much as the request needs.
 */
#define KSPAN_TRIMS		16U
#define KSPAN_ATTEMPTS		(2 * KSPAN_TRIMS + 1)
/* Magazines of a depot that are emptied in a round for a request that can't wait. */
#define KSPAN_TRIM_MAGAZINES	2U

/**
 * struct trimming - how much memory a heap should free, and how much it has freed
 * @want:	stop after so many pages, in units of KSPAN_PAGE_SIZE
 * @magazines:	most magazines that are emptied in each depot
 * @pages:	pages that were freed so far, in units of KSPAN_PAGE_SIZE
 * @any:	something was freed, if only objects that were returned to spans in use
 */
struct trimming {
	unsigned long want;
	unsigned int magazines;
	unsigned long pages;
	bool any;
};

/*
 * Free what a central keeps without a live object. A heap with KSPAN_TYPESAFE_BY_RCU would have to
 * wait for a grace period: there, nothing is done.
 */
static void trim_central_for_request(struct kspan_heap *heap, struct kspan_central *central,
				     struct trimming *trimming)
{
	unsigned long pages;

	if (!kspan_central_keeps(central) || (heap->private->flags & KSPAN_TYPESAFE_BY_RCU))
		return;
	trimming->any |= kspan_glance(central->nr_depot_objects);
	kspan_depot_return(central, trimming->magazines);
	pages = kspan_central_trim(central, false, trimming->want - trimming->pages);
	trimming->pages += pages;
	trimming->any |= pages;
}

static bool trimmed_enough(const struct trimming *trimming)
{
	return trimming->pages >= trimming->want;
}

static void trim_centrals_for_request(struct kspan_heap *heap, struct trimming *trimming)
{
	struct kspan_central *central;
	unsigned int class;
	int nid;

	for_each_set_bit(class, heap->private->used, KSPAN_NR_CLASSES) {
		for_each_node(nid) {
			central = kspan_heap_central(heap, nid, class);
			if (central && !trimmed_enough(trimming))
				trim_central_for_request(heap, central, trimming);
			central = kspan_heap_sampled(heap, nid, class);
			if (central && !trimmed_enough(trimming))
				trim_central_for_request(heap, central, trimming);
		}
	}
}

/*
 * Free what the heap keeps without a live object: all of it if the caller can wait; else, because
 * the caller may have interrupts off, as much as the request needs. A request that fails at the
 * limit must cost little: if there is nothing to free, this takes a few loads for each class in
 * use. Returns whether anything was freed.
 */
static bool trim_for_request(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	bool waits = gfpflags_allow_blocking(gfp);
	struct trimming trimming = {
		.want = waits ? ULONG_MAX : DIV_ROUND_UP(size, KSPAN_PAGE_SIZE),
		.magazines = waits ? UINT_MAX : KSPAN_TRIM_MAGAZINES,
	};
	unsigned int class;
	bool holds = false;

	/* First what takes least: to free it, no CPU cache need be emptied. */
	if (!waits)
		trim_centrals_for_request(heap, &trimming);
	if (trimmed_enough(&trimming))
		return true;
	/* This is a hint only: the task may move to another CPU meanwhile. */
	for_each_set_bit(class, heap->private->used, KSPAN_NR_CLASSES)
		holds |= kspan_cpu_cache_holds(raw_cpu_ptr(heap->cpu), class);
	if (holds)
		trimming.any |= kspan_cpu_cache_return_objects(heap);
	trim_centrals_for_request(heap, &trimming);
	return trimming.any;
}

/**
 * struct pressing - a call of a pressure callback that is under way
 * @node:	in kspan_private.pressing, hashed by @task
 * @pressure:	the callback; NULL if its module is being unloaded, or is gone
 * @task:	task that the callback runs in, or that was interrupted
 * @level:	number of interrupts, one within another, between the task and the callback
 */
struct pressing {
	struct hlist_node node;
	void (*pressure)(struct kspan_heap *heap, size_t size, void *data);
	const struct task_struct *task;
	unsigned char level;
};

/*
 * The level of the current context, as in struct pressing. With PREEMPT_RT, softirqs run in a task
 * and are not in the preempt count; they count as one.
 */
static unsigned char level_here(void)
{
	return interrupt_context_level() ?: !!in_serving_softirq();
}

/*
 * Note a call of the callback in @mine. Returns false, with nothing noted, if the call would come
 * from within a call of the same callback: one that is under way in the same task and level. If the
 * callback's module is gone, mine->pressure is NULL, and nothing is noted.
 */
static bool begin_pressing(struct kspan_private *private, struct pressing *mine)
{
	const struct pressing *other;
	unsigned long flags;
	bool within = false;

	raw_spin_lock_irqsave(&private->pressing_lock, flags);
	hash_for_each_possible(private->pressing, other, node, (unsigned long)mine->task)
		within |= other->task == mine->task && other->level == mine->level;
	mine->pressure = private->pressure;
	if (!within && mine->pressure)
		hash_add(private->pressing, &mine->node, (unsigned long)mine->task);
	raw_spin_unlock_irqrestore(&private->pressing_lock, flags);
	return !within;
}

/* The callback that begin_pressing() noted has returned. */
static void end_pressing(struct kspan_private *private, struct pressing *mine)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&private->pressing_lock, flags);
	hash_del(&mine->node);
	raw_spin_unlock_irqrestore(&private->pressing_lock, flags);
}

/*
 * Call the pressure callback. A callback that allocates from its own heap, directly or through
 * the callback of another heap, would be called again and again until the stack overflows; it
 * is not called from within itself. Returns whether it was called.
 */
static bool press(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	struct kspan_private *private = heap->private;
	struct pressing mine = { .task = current, .level = level_here() };

	if (!begin_pressing(private, &mine)) {
		kspan_refuse(KSPAN_REFUSED_PRESSURE,
			     "a pressure callback allocates from its own heap, which has nothing left",
			     size, gfp);
		return false;
	}
	if (!mine.pressure)
		return false;
	mine.pressure(heap, size, private->data);
	end_pressing(private, &mine);
	return true;
}

/*
 * Ask the owner of the heap to free objects. They may be in magazines then, so the heap frees what
 * it keeps once more. Returns whether the owner was asked.
 */
static bool ask_owner(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	if (!READ_ONCE(heap->private->pressure) || !press(heap, size, gfp))
		return false;
	trim_for_request(heap, size, gfp);
	return true;
}

/**
 * __kspan_private_relieve() - kspan_private_relieve() for a private heap
 * @heap:	a private heap
 * @size:	bytes of the request
 * @attempt:	as for kspan_private_relieve(). Numbers below KSPAN_TRIMS are rounds in
 *		which the heap frees what it keeps. At KSPAN_TRIMS the owner is asked. The
 *		numbers above it are rounds again
 * @gfp:	the caller's flags; with KSPAN_GFP_NOLOCK nothing is done
 *
 * Return: whether the caller should try the request again.
 */
bool __kspan_private_relieve(struct kspan_heap *heap, size_t size, unsigned int *attempt,
			     gfp_t gfp)
{
	bool waits = gfpflags_allow_blocking(gfp);

	if (gfp & KSPAN_GFP_NOLOCK)
		return false;
	while (*attempt < KSPAN_ATTEMPTS) {
		unsigned int next = *attempt < KSPAN_TRIMS ? KSPAN_TRIMS : KSPAN_ATTEMPTS;

		if (*attempt == KSPAN_TRIMS) {
			*attempt = waits ? KSPAN_ATTEMPTS : *attempt + 1;
			if (ask_owner(heap, size, gfp))
				return true;
			*attempt = KSPAN_ATTEMPTS;
			return false;
		}
		/* For a caller that can wait, one round frees all. */
		*attempt = waits ? next : *attempt + 1;
		kspan_large_merge(&heap->private->large);
		if (trim_for_request(heap, size, gfp))
			return true;
		*attempt = next;
	}
	return false;
}
