// SPDX-License-Identifier: GPL-2.0
/*
 * A private heap at its limit
 *
 * A request that would go beyond the limit has the heap give up what it keeps without an
 * object: spans, and what its depots and the caches of CPUs hold. Then the pressure callback of
 * the heap's owner is called, once a request, and after that the heap gives up what was freed.
 *
 * Context: as the flags of the request say.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hashtable.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "objects/central.h"
#include "objects/cpu_caches.h"
#include "objects/limit.h"
#include "objects/refuse.h"

/**
 * kspan_trim_centrals() - give back the spans of a private heap without an object
 * @heap: the heap; those of KSPAN_TYPESAFE_BY_RCU wait for a grace period
 *
 * Return: their bytes.
 */
size_t kspan_trim_centrals(struct kspan_heap *heap)
{
	bool rcu = heap->private->flags & KSPAN_TYPESAFE_BY_RCU;
	struct kspan_central *central;
	unsigned long pages = 0;
	unsigned int i = 0;

	kspan_large_merge(&heap->private->large);
	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_depot_flush(central);
		pages += kspan_central_trim(central, rcu, ULONG_MAX);
	}
	return pages << KSPAN_PAGE_SHIFT;
}

/* Rounds for a request that can't wait, before the heap's owner is asked, and then again. */
#define KSPAN_GIVE_UPS		16U
#define KSPAN_ATTEMPTS		(2 * KSPAN_GIVE_UPS + 1)
/* Magazines of a depot that are emptied in a round for it. */
#define KSPAN_GIVE_UP_MAGAZINES	2U

/**
 * struct giving_up - what a heap is to give up
 * @want:	pages that are enough
 * @magazines:	most that are emptied of each depot
 * @pages:	that it gave up
 * @any:	it gave up something, be it objects to spans in use
 */
struct giving_up {
	unsigned long want;
	unsigned int magazines;
	unsigned long pages;
	bool any;
};

/* What a central keeps; with TYPESAFE_BY_RCU it would take a grace period. */
static void give_up_central(struct kspan_heap *heap, struct kspan_central *central,
			    struct giving_up *giving)
{
	unsigned long pages;

	if (!kspan_central_keeps(central) || (heap->private->flags & KSPAN_TYPESAFE_BY_RCU))
		return;
	giving->any |= kspan_glance(central->nr_depot_objects);
	kspan_depot_return(central, giving->magazines);
	pages = kspan_central_trim(central, false, giving->want - giving->pages);
	giving->pages += pages;
	giving->any |= pages;
}

static bool gave_enough(const struct giving_up *giving)
{
	return giving->pages >= giving->want;
}

static void give_up_centrals(struct kspan_heap *heap, struct giving_up *giving)
{
	struct kspan_central *central;
	unsigned int class;
	int nid;

	for_each_set_bit(class, heap->private->used, KSPAN_NR_CLASSES) {
		for_each_node(nid) {
			central = kspan_heap_central(heap, nid, class);
			if (central && !gave_enough(giving))
				give_up_central(heap, central, giving);
		}
	}
}

/*
 * Give up what the heap keeps. A request that fails at the limit is to cost little: where
 * there is nothing, that takes some loads for each class in use. Whoever can wait gives up
 * all of it, whoever can't, with interrupts off maybe, what it takes. Returns whether it
 * gave up anything.
 */
static bool give_up(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	bool waits = gfpflags_allow_blocking(gfp);
	struct giving_up giving = {
		.want = waits ? ULONG_MAX : DIV_ROUND_UP(size, KSPAN_PAGE_SIZE),
		.magazines = waits ? UINT_MAX : KSPAN_GIVE_UP_MAGAZINES,
	};
	unsigned int class;
	bool holds = false;

	/* What has only to be taken. */
	if (!waits)
		give_up_centrals(heap, &giving);
	if (gave_enough(&giving))
		return true;
	/* A hint: the task may move. */
	for_each_set_bit(class, heap->private->used, KSPAN_NR_CLASSES)
		holds |= kspan_cpu_cache_holds(raw_cpu_ptr(heap->cpu), class);
	if (holds)
		giving.any |= kspan_cpu_cache_empty(heap);
	give_up_centrals(heap, &giving);
	return giving.any;
}

/**
 * struct pressing - a call of a pressure callback
 * @node:	in kspan_private.pressing, by @task
 * @pressure:	the callback; NULL when its module goes, or is gone
 * @task:	that it is in, or that was interrupted, by
 * @level:	so many interrupts
 */
struct pressing {
	struct hlist_node node;
	void (*pressure)(struct kspan_heap *heap, size_t size, void *data);
	const struct task_struct *task;
	unsigned char level;
};

/* With PREEMPT_RT the preempt count does not tell of softirqs, which run in a task. */
static unsigned char level_here(void)
{
	return interrupt_context_level() ?: !!in_serving_softirq();
}

/* Begin a call, unless it would come out of another one of the same callback. */
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

static void end_pressing(struct kspan_private *private, struct pressing *mine)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&private->pressing_lock, flags);
	hash_del(&mine->node);
	raw_spin_unlock_irqrestore(&private->pressing_lock, flags);
}

/*
 * Call the callback. One that allocates from its heap, itself or by way of the callback of
 * another heap, would be called again and again until the stack ends. Returns whether it was
 * called.
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

/* Ask the heap's owner. What he frees may lie in magazines. */
static bool ask_owner(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	if (!READ_ONCE(heap->private->pressure) || !press(heap, size, gfp))
		return false;
	give_up(heap, size, gfp);
	return true;
}

/** __kspan_private_relieve() - kspan_private_relieve() of a private heap */
bool __kspan_private_relieve(struct kspan_heap *heap, size_t size, unsigned int *attempt,
			     gfp_t gfp)
{
	bool waits = gfpflags_allow_blocking(gfp);

	if (gfp & KSPAN_GFP_NOLOCK)
		return false;
	while (*attempt < KSPAN_ATTEMPTS) {
		unsigned int next = *attempt < KSPAN_GIVE_UPS ? KSPAN_GIVE_UPS : KSPAN_ATTEMPTS;

		if (*attempt == KSPAN_GIVE_UPS) {
			*attempt = waits ? KSPAN_ATTEMPTS : *attempt + 1;
			if (ask_owner(heap, size, gfp))
				return true;
			*attempt = KSPAN_ATTEMPTS;
			return false;
		}
		/* Whoever can wait gives up all at once. */
		*attempt = waits ? next : *attempt + 1;
		kspan_large_merge(&heap->private->large);
		if (give_up(heap, size, gfp))
			return true;
		*attempt = next;
	}
	return false;
}
