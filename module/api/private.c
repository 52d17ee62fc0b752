// SPDX-License-Identifier: GPL-2.0
/*
 * Private heaps
 *
 * A heap of a module's own: its objects have spans, magazines and slots that no other
 * heap shares, so the memory of one is not used for another while its span is the
 * heap's. Spans without an object stay with the heap, until it is trimmed, reaches its
 * limit, or goes.
 *
 * The map says KSPAN_CLASS_PRIVATE of the pages, which the fast path of kspan_free()
 * takes for a class whose magazine is full; the heap is then found by the span. So
 * private heaps cost the default heap nothing.
 *
 * A heap is destroyed span by span, without a look at its objects: spans are taken
 * from the centrals and freed. Whoever frees one of its objects meanwhile, wrongly, may
 * still find the heap; what is not pages therefore goes after a grace period, and
 * magazines are not emptied any more, as what they hold is worth nothing.
 *
 * Locks: heaps_mutex protects the list of heaps; it is taken within cpus_read_lock(),
 * as CPU hotplug callbacks do.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kspan.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "api/malloc.h"
#include "api/nolock.h"
#include "api/private.h"
#include "base/kunit_export.h"
#include "base/name.h"
#include "objects/track.h"

static LIST_HEAD(heaps);
static DEFINE_MUTEX(heaps_mutex);
static struct workqueue_struct *workqueue;
/* Heaps destroyed whose pages wait for a grace period. */
static atomic_t nr_late = ATOMIC_INIT(0);

/* One piece of memory. */
struct private_heap {
	struct kspan_heap heap;
	struct kspan_private private;
	char name[];
};

/**
 * kspan_private_create() - make a heap that nobody knows yet
 * @name:	shown in debugfs and reports, copied as name.c has it
 * @slot:	of a typed cache what its slots are; NULL for the usual size classes
 * @flags:	as in struct kspan_private
 * @ctor:	called once for every slot, or NULL
 * @owner:	the module that made it
 *
 * Context: task; sleeps.
 * Return: the heap or NULL.
 */
struct kspan_heap *kspan_private_create(const char *name, const struct kspan_size_class *slot,
					unsigned int flags, void (*ctor)(void *object),
					struct module *owner)
{
	const struct kspan_size_class *classes = kspan_size_classes;
	unsigned int nr_classes = KSPAN_NR_CLASSES;
	struct kspan_private *private;
	struct private_heap *memory;

	memory = kzalloc(struct_size(memory, name, kspan_name_bytes(name)), GFP_KERNEL);
	if (!memory)
		return NULL;
	kspan_name_copy(memory->name, name);
	private = &memory->private;
	private->heap = &memory->heap;
	private->flags = flags;
	private->node = NUMA_NO_NODE;
	private->ctor = ctor;
	strscpy(private->module, owner ? owner->name : "(built-in)", sizeof(private->module));
	private->handle.module = owner;
	INIT_LIST_HEAD(&private->list);
	hash_init(private->pressing);
	raw_spin_lock_init(&private->pressing_lock);
	kspan_large_owner_init(&private->large, &private->account);
	kspan_kv_owner_init(&private->kv);
	memory->heap.private = private;
	memory->heap.cache_most = KSPAN_PRIVATE_CACHE_BYTES;
	if (slot) {
		private->typed = true;
		private->slot[1] = *slot;
		classes = private->slot;
		nr_classes = ARRAY_SIZE(private->slot);
	}
	if (kspan_heap_build(&memory->heap, memory->name, classes, nr_classes)) {
		kfree(memory);
		return NULL;
	}
	return &memory->heap;
}

/**
 * kspan_private_handle() - the handle of a private heap or typed cache
 * @heap: any address; nothing of it is touched
 */
struct kspan_handle *kspan_private_handle(struct kspan_heap *heap)
{
	return &container_of(heap, struct private_heap, heap)->private.handle;
}

/**
 * kspan_private_publish() - have a heap take part in CPU hotplug, trim and debugfs
 * @heap: the heap
 * @site: return address of the call that made it
 */
void kspan_private_publish(struct kspan_heap *heap, unsigned long site)
{
	struct kspan_private *private = heap->private;
	unsigned int cpu;

	cpus_read_lock();
	mutex_lock(&heaps_mutex);
	/* A CPU may have come online on another node since the heap was made. */
	for_each_possible_cpu(cpu)
		kspan_cpu_cache_prepare(heap, cpu);
	list_add_tail_rcu(&private->list, &heaps);
	mutex_unlock(&heaps_mutex);
	cpus_read_unlock();
	kspan_handle_add(&private->handle, private->typed ? KSPAN_HANDLE_CACHE : KSPAN_HANDLE_HEAP,
			 heap->name, private->handle.module, site);
}

static void unpublish(struct kspan_heap *heap)
{
	mutex_lock(&heaps_mutex);
	/* kspan_peek_heaps() may be there; the heap goes after a grace period. */
	list_del_rcu(&heap->private->list);
	mutex_unlock(&heaps_mutex);
}

static bool are_valid(const struct kspan_heap_options *options)
{
	if (options->flags & ~(KSPAN_HEAP_TRACK | KSPAN_HEAP_ON_NODE) ||
	    ((options->gfp_on | options->gfp_off) & KSPAN_GFP_REFUSED))
		return false;
	return !(options->flags & KSPAN_HEAP_ON_NODE) ||
	       (options->node >= 0 && options->node < MAX_NUMNODES);
}

/* A heap with options; @site: where it is made. */
static struct kspan_heap *create(const char *name, const struct kspan_heap_options *options,
				 struct module *owner, unsigned long site)
{
	struct kspan_private *private;
	char brief[KSPAN_NAME_BRIEF];
	struct kspan_heap *heap;

	if (!name || !are_valid(options)) {
		pr_err("heap %s can't be made: flags %#x; see kspan_heap_create()\n",
		       kspan_name_brief(brief, name ?: "(null)"), options->flags);
		return NULL;
	}
	heap = kspan_private_create(name, NULL, options->flags, NULL, owner);
	if (!heap)
		return NULL;
	private = heap->private;
	if (options->flags & KSPAN_HEAP_ON_NODE)
		private->node = options->node;
	private->gfp_on = options->gfp_on;
	private->gfp_off = options->gfp_off;
	heap->tracked = (options->flags & KSPAN_HEAP_TRACK) || READ_ONCE(kspan_track_heaps);
	/* Then kspan_heap_malloc() has more to do than its fast path does. */
	if (heap->tracked || private->node != NUMA_NO_NODE || private->gfp_on || private->gfp_off)
		heap->most_at_once = 0;
	private->account.limit = options->limit / KSPAN_PAGE_SIZE +
				 !!(options->limit % KSPAN_PAGE_SIZE);
	/* What is kept is not to use up the limit, by whomever: those that need it have it. */
	if (options->limit)
		heap->budget.most = max_t(size_t, options->limit / 8, 1);
	kspan_private_publish(heap, site);
	return heap;
}

/**
 * __kspan_heap_create() - what kspan_heap_create() calls
 * @name:	shown in debugfs and in reports, copied; what is not printable ASCII, and the
 *		backslash, as \\ooo
 * @limit:	most bytes that the heap may hold, rounded up to pages of 8 KiB; 0 for no
 *		limit. What counts is spans, used or kept, so it takes some more than the
 *		objects.
 * @flags:	KSPAN_HEAP_TRACK to note where objects are allocated, which is told of
 *		those that are live when the heap is destroyed; or 0
 * @owner:	THIS_MODULE
 *
 * A request beyond the limit gets NULL, after the heap gave up what it only kept, and
 * its pressure callback had a try. __GFP_NOFAIL goes beyond.
 *
 * Context: task; sleeps.
 * Return: an empty heap, or NULL without memory, or for a wrong @name or @flags.
 */
struct kspan_heap *__kspan_heap_create(const char *name, size_t limit, unsigned int flags,
				       struct module *owner)
{
	struct kspan_heap_options options = {
		/* A node is no matter of this call: the flag is refused. */
		.limit = limit, .flags = flags, .node = NUMA_NO_NODE,
	};

	return create(name, &options, owner, _RET_IP_);
}
EXPORT_SYMBOL_GPL(__kspan_heap_create);

/**
 * __kspan_heap_create_with() - what kspan_heap_create_with() calls
 * @name:	as for kspan_heap_create()
 * @options:	what the heap does; copied
 * @owner:	THIS_MODULE
 *
 * Context: task; sleeps.
 * Return: an empty heap, or NULL without memory, or for a wrong @name or @options.
 */
struct kspan_heap *__kspan_heap_create_with(const char *name,
					    const struct kspan_heap_options *options,
					    struct module *owner)
{
	return create(name, options, owner, _RET_IP_);
}
EXPORT_SYMBOL_GPL(__kspan_heap_create_with);

/**
 * kspan_heap_name() - what a heap is called
 * @heap: the heap; NULL for the default heap
 * Return: its name, as it was copied, for as long as it lives.
 */
const char *kspan_heap_name(const struct kspan_heap *heap)
{
	return heap ? heap->name : kspan_default_heap.name;
}
EXPORT_SYMBOL_GPL(kspan_heap_name);

/* Where the default heap can't be meant: whether NULL was given, which is told then. */
static bool is_missing(const struct kspan_heap *heap)
{
	if (heap)
		return false;
	kspan_refuse(KSPAN_REFUSED_HEAP,
		     "NULL is no private heap: the default heap is neither reset nor put under pressure",
		     0, 0);
	return true;
}

/**
 * kspan_heap_set_pressure() - have a function called before a request fails
 * @heap:	the heap; NULL does nothing but warn the first time: the default heap has none
 * @pressure:	called once per request that can't be served, in the context of the
 *		request and with its locks held, with the bytes asked for; it may
 *		free objects of the heap, also by kspan_free_bulk(), and must not
 *		allocate from it: a request of its own that can't be served fails, with a
 *		warning the first time. NULL for none. It is not called any more when the
 *		module that has it was unloaded.
 * @data:	for @pressure
 *
 * To be called before the heap is used.
 */
void kspan_heap_set_pressure(struct kspan_heap *heap,
			     void (*pressure)(struct kspan_heap *heap, size_t size, void *data),
			     void *data)
{
	if (is_missing(heap))
		return;
	heap->private->data = data;
	heap->private->pressure = pressure;
}
EXPORT_SYMBOL_GPL(kspan_heap_set_pressure);

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

/**
 * kspan_private_trim() - give back what a heap keeps without using it
 * @heap: the heap
 *
 * Context: task; sleeps.
 * Return: bytes that it holds less.
 */
size_t kspan_private_trim(struct kspan_heap *heap)
{
	kspan_cpu_caches_flush(heap);
	return kspan_trim_centrals(heap);
}

/**
 * kspan_heap_trim() - give back what a private heap keeps without using it
 * @heap: the heap; NULL is kspan_trim(), as the default heap has nothing of its own
 *
 * Context: task; sleeps.
 * Return: bytes that it holds less.
 */
size_t kspan_heap_trim(struct kspan_heap *heap)
{
	return heap ? kspan_private_trim(heap) : kspan_trim();
}
EXPORT_SYMBOL_GPL(kspan_heap_trim);

/**
 * kspan_heap_reset() - free all objects of a private heap
 * @heap: the heap, which nobody uses meanwhile; NULL does nothing but warn the first time
 *
 * The heap keeps the spans of small objects for those to come. Objects that wait for a
 * grace period after kspan_free_rcu() are freed a second time when it ends: call
 * kspan_barrier() before, if there are any. What regions hold of the heap goes, too: they may
 * be reset or destroyed afterwards, which is reported, and nothing else.
 *
 * Context: task; sleeps.
 */
void kspan_heap_reset(struct kspan_heap *heap)
{
	struct kspan_central *central;
	unsigned int i = 0;
	u64 tiny;

	if (is_missing(heap))
		return;
	kspan_reserves_drop(heap);
	kspan_heap_flush(heap);
	while ((central = kspan_heap_next_central(heap, &i)))
		kspan_central_reset(central);
	kspan_large_drop(&heap->private->large);
	kspan_kv_drop(heap);
	/* Tiny objects are counted one by one, others by their slots. */
	tiny = kspan_cpu_caches_events(heap, KSPAN_TINY_ALLOC) -
	       kspan_cpu_caches_events(heap, KSPAN_TINY_FREE);
	this_cpu_add(heap->cpu->events[KSPAN_TINY_FREE], tiny);
}
EXPORT_SYMBOL_GPL(kspan_heap_reset);

/**
 * kspan_private_live() - objects of a heap that were not freed
 * @heap: the heap, which nobody uses meanwhile
 * Return: how many, blocks of tiny objects, large ones and those of vmalloc() included.
 */
unsigned long kspan_private_live(struct kspan_heap *heap)
{
	unsigned long live = kspan_glance(heap->private->large.objects) +
			     atomic_long_read(&heap->private->kv.live), cached;
	struct kspan_central *central;
	unsigned int i = 0;
	u64 allocs;

	while ((central = kspan_heap_next_central(heap, &i))) {
		kspan_central_merge_all(central);
		live += kspan_glance(central->nr_out) - kspan_glance(central->nr_depot_objects);
	}
	for (i = 1; i < heap->nr_classes; i++) {
		kspan_cpu_caches_count(heap, i, &cached, &allocs);
		live -= cached;
	}
	return live;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_live);

/* Of the class on all nodes; magazines still say what they hold. */
static void drop_class(struct kspan_heap *heap, unsigned int class)
{
	unsigned long live = 0, cached, depot = 0;
	struct kspan_central *central;
	u64 allocs;
	int nid;

	kspan_cpu_caches_count(heap, class, &cached, &allocs);
	for_each_node(nid) {
		central = kspan_heap_central(heap, nid, class);
		if (!central)
			continue;
		depot += kspan_glance(central->nr_depot_objects);
		live += kspan_central_drop(central);
	}
	kspan_heap_report_live(heap, class, live - min(live, cached + depot));
}

static void free_heap(struct work_struct *work)
{
	struct kspan_private *private = container_of(to_rcu_work(work), struct kspan_private, work);
	struct kspan_heap *heap = private->heap;

	kspan_cpu_caches_drop(heap);
	kspan_heap_unbuild(heap);
	kfree(container_of(heap, struct private_heap, heap));
}

/* Its pages at once, and the rest after a grace period. */
static void drop_heap(struct kspan_heap *heap)
{
	struct kspan_private *private = heap->private;
	unsigned long large, mapped;
	unsigned int class;

	kspan_reserves_drop(heap);
	if (heap->tracked)
		kspan_track_report(heap);
	for (class = 1; class < heap->nr_classes; class++)
		drop_class(heap, class);
	large = kspan_large_drop(&private->large);
	if (large)
		pr_warn("heap %s: %lu large objects were never freed\n", heap->name, large);
	mapped = kspan_kv_drop(heap);
	if (mapped)
		pr_warn("heap %s: %lu objects of vmalloc() were never freed\n", heap->name,
			mapped);
	INIT_RCU_WORK(&private->work, free_heap);
	queue_rcu_work(workqueue, &private->work);
}

static void drop_late(struct work_struct *work)
{
	drop_heap(container_of(to_rcu_work(work), struct kspan_private, work)->heap);
	atomic_dec(&nr_late);
}

/**
 * kspan_private_destroy() - destroy a heap with all that is in it
 * @heap: the heap, which nobody uses any more, and whose handle was taken
 *
 * With KSPAN_TYPESAFE_BY_RCU pages go after a grace period, which nobody waits for.
 *
 * Context: task; sleeps.
 */
void kspan_private_destroy(struct kspan_heap *heap)
{
	struct kspan_private *private = heap->private;

	unpublish(heap);
	if (private->flags & KSPAN_TYPESAFE_BY_RCU) {
		atomic_inc(&nr_late);
		INIT_RCU_WORK(&private->work, drop_late);
		queue_rcu_work(workqueue, &private->work);
	} else {
		drop_heap(heap);
	}
}

/**
 * kspan_private_settle() - wait until all heaps destroyed have given their pages back
 *
 * Context: task; sleeps.
 */
void kspan_private_settle(void)
{
	if (!atomic_read(&nr_late))
		return;
	rcu_barrier();
	flush_workqueue(workqueue);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_settle);

/**
 * kspan_heap_destroy() - destroy a private heap with all its objects
 * @heap: the heap, which nobody uses any more; NULL does nothing, as in kmem_cache_destroy()
 *
 * All its pages go back at once, at a cost that follows spans, not objects. What was
 * never freed is told by class. To free one of its objects afterwards is a wrong free
 * that is reported; kspan_barrier() before waits for those that were given to
 * kspan_free_rcu(). Regions of the heap are to be destroyed before. A heap that is destroyed
 * twice is reported, and nothing else.
 *
 * Context: task; sleeps.
 */
void kspan_heap_destroy(struct kspan_heap *heap)
{
	if (heap && kspan_handle_take(kspan_private_handle(heap), KSPAN_HANDLE_HEAP, heap))
		kspan_private_destroy(heap);
}
EXPORT_SYMBOL_GPL(kspan_heap_destroy);

static void forget_pressure(struct kspan_private *private, const struct module *module)
{
	unsigned long flags;

	if (!within_module((unsigned long)private->pressure, module))
		return;
	raw_spin_lock_irqsave(&private->pressing_lock, flags);
	WRITE_ONCE(private->pressure, NULL);
	raw_spin_unlock_irqrestore(&private->pressing_lock, flags);
	pr_warn("heap %s of module %s: its pressure callback goes with module %s, and is not called any more\n",
		private->heap->name, private->module, module->name);
}

static void forget_ctor(struct kspan_private *private, const struct module *module)
{
	if (private->ctor_gone || !within_module((unsigned long)private->ctor, module))
		return;
	WRITE_ONCE(private->ctor_gone, true);
	pr_warn("cache %s of module %s: its constructor goes with module %s, so it can't grow any more\n",
		private->heap->name, private->module, module->name);
}

static bool is_called_still(struct kspan_private *private)
{
	unsigned long flags;
	bool pressing;

	raw_spin_lock_irqsave(&private->pressing_lock, flags);
	pressing = !private->pressure && !hash_empty(private->pressing);
	raw_spin_unlock_irqrestore(&private->pressing_lock, flags);
	return pressing || (private->ctor_gone && atomic_read(&private->constructing));
}

static bool any_is_called_still(void)
{
	struct kspan_private *private;
	bool any = false;

	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list)
		any |= is_called_still(private);
	mutex_unlock(&heaps_mutex);
	return any;
}

/**
 * kspan_private_forget() - do not call functions of a module any more
 * @module: the module, which goes
 *
 * Waits for those that are under way.
 *
 * Context: task; sleeps.
 */
void kspan_private_forget(const struct module *module)
{
	struct kspan_private *private;

	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list) {
		forget_pressure(private, module);
		forget_ctor(private, module);
	}
	mutex_unlock(&heaps_mutex);
	/* Who does not see that a constructor is gone is seen by us; see construct_slots(). */
	smp_mb();
	/* Not under the mutex, which they may be waiting for. */
	while (any_is_called_still())
		usleep_range(1000, 2000);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_forget);

/** kspan_private_prepare_cpu() - kspan_cpu_cache_prepare() for all private heaps */
void kspan_private_prepare_cpu(unsigned int cpu)
{
	struct kspan_private *private;

	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list)
		kspan_cpu_cache_prepare(private->heap, cpu);
	mutex_unlock(&heaps_mutex);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_prepare_cpu);

/** kspan_private_drain_cpu() - kspan_cpu_cache_drain() for all private heaps */
void kspan_private_drain_cpu(unsigned int cpu)
{
	struct kspan_private *private;

	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list)
		kspan_cpu_cache_drain(private->heap, cpu);
	mutex_unlock(&heaps_mutex);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_drain_cpu);

/**
 * kspan_private_trim_all() - kspan_private_trim() for all private heaps
 *
 * Context: task; sleeps.
 */
void kspan_private_trim_all(void)
{
	struct kspan_private *private;

	cpus_read_lock();
	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list) {
		kspan_cpu_caches_flush_locked(private->heap);
		kspan_trim_centrals(private->heap);
		cond_resched();
	}
	mutex_unlock(&heaps_mutex);
	cpus_read_unlock();
}
KSPAN_EXPORT_FOR_KUNIT(kspan_private_trim_all);

/**
 * kspan_visit_heaps() - call a function for the default and all private heaps
 * @fn:		the function, which must neither create nor destroy a heap
 * @data:	for @fn
 *
 * Context: task; sleeps.
 */
void kspan_visit_heaps(kspan_heap_fn fn, void *data)
{
	struct kspan_private *private;

	fn(&kspan_default_heap, data);
	mutex_lock(&heaps_mutex);
	list_for_each_entry(private, &heaps, list)
		fn(private->heap, data);
	mutex_unlock(&heaps_mutex);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_visit_heaps);

struct heap_visitor {
	void (*fn)(struct kspan_heap *heap, void *data);
	void *data;
};

static void visit(struct kspan_heap *heap, void *data)
{
	const struct heap_visitor *visitor = data;

	/* As its users know it, the default heap is NULL. */
	if (!heap->private)
		visitor->fn(NULL, visitor->data);
	else if (!heap->private->typed)
		visitor->fn(heap, visitor->data);
}

/**
 * kspan_heap_for_each() - call a function for the default heap and all private heaps
 * @fn:		the function, called with NULL, which is the default heap, first; it may call
 *		kspan_heap_stats() and kspan_heap_name() of its heap, and must neither create,
 *		trim nor destroy one
 * @data:	for @fn
 *
 * Typed caches are left out. Heaps do not go meanwhile.
 *
 * Context: task; sleeps.
 */
void kspan_heap_for_each(void (*fn)(struct kspan_heap *heap, void *data), void *data)
{
	struct heap_visitor visitor = { fn, data };

	kspan_visit_heaps(visit, &visitor);
}
EXPORT_SYMBOL_GPL(kspan_heap_for_each);

/**
 * kspan_try_visit_heaps() - kspan_visit_heaps() for who must not wait
 * @fn:		the function
 * @data:	for @fn
 *
 * Return: false when somebody else is at work with the list of private heaps: then @fn
 * was called for the default heap only.
 */
bool kspan_try_visit_heaps(kspan_heap_fn fn, void *data)
{
	struct kspan_private *private;

	fn(&kspan_default_heap, data);
	if (!mutex_trylock(&heaps_mutex))
		return false;
	list_for_each_entry(private, &heaps, list)
		fn(private->heap, data);
	mutex_unlock(&heaps_mutex);
	return true;
}

/**
 * kspan_peek_heaps() - kspan_visit_heaps() for who only reads
 * @fn:		the function, which takes no lock and does not sleep
 * @data:	for @fn
 *
 * Context: any; takes no lock.
 */
void kspan_peek_heaps(kspan_heap_fn fn, void *data)
{
	struct kspan_private *private;

	fn(&kspan_default_heap, data);
	rcu_read_lock();
	list_for_each_entry_rcu(private, &heaps, list)
		fn(private->heap, data);
	rcu_read_unlock();
}

/**
 * kspan_private_init() - prepare for private heaps
 * Return: 0 or -ENOMEM.
 */
int kspan_private_init(void)
{
	workqueue = alloc_workqueue("kspan_heaps", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return workqueue ? 0 : -ENOMEM;
}

/** kspan_private_exit() - destroy the heaps that their modules left behind */
void kspan_private_exit(void)
{
	struct kspan_private *private, *next;

	list_for_each_entry_safe(private, next, &heaps, list) {
		pr_warn("heap %s of module %s was never destroyed\n", private->heap->name,
			private->module);
		kspan_private_destroy(private->heap);
	}
	/* What is not pages goes after another grace period. */
	kspan_private_settle();
	rcu_barrier();
	destroy_workqueue(workqueue);
}

/**
 * kspan_malloc_from() - kspan_malloc_of(), as the heap's options have it
 * @heap:	the heap
 * @size:	bytes
 * @gfp:	the caller's flags
 *
 * Return: the memory or NULL.
 */
void *kspan_malloc_from(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	if (!heap->private)
		return kspan_malloc_of(heap, size, gfp);
	return kspan_malloc_node_of(heap, size, kspan_heap_gfp(heap, gfp), heap->private->node);
}

/*
 * What the fast path of kspan_heap_malloc() does not serve. Of NULL, of large objects and of
 * heaps that are tracked or have options it knows by two compares.
 */
static noinline void *malloc_otherwise(struct kspan_heap *heap, size_t size, gfp_t gfp,
				       unsigned long site)
{
	heap = kspan_heap_or_default(heap);
	return kspan_track(heap, kspan_malloc_from(heap, size, gfp), site);
}

/**
 * kspan_heap_malloc() - kspan_malloc() from a private heap
 * @heap:	the heap; NULL for the default heap, as in all calls here that allocate
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the memory, to be freed by kspan_free() or with the heap; or NULL.
 */
void *kspan_heap_malloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	/* Else the rest would not be a tail call. */
	if (unlikely(!heap || size > heap->most_at_once))
		return malloc_otherwise(heap, size, gfp, _RET_IP_);
	return kspan_malloc_class_of(heap, kspan_size_class(size), gfp);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc);

/** kspan_heap_zalloc() - kspan_zalloc() from a heap; NULL: the default heap */
void *kspan_heap_zalloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	if (unlikely(!heap || size > heap->most_at_once))
		return malloc_otherwise(heap, size, gfp | __GFP_ZERO, _RET_IP_);
	return kspan_malloc_class_of(heap, kspan_size_class(size), gfp | __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(kspan_heap_zalloc);

/** kspan_heap_malloc_node() - kspan_malloc_node() from a heap; NULL: the default heap */
void *kspan_heap_malloc_node(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	return __kspan_heap_malloc_site(heap, size, gfp, node, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc_node);

/** __kspan_heap_malloc_site() - kspan_heap_malloc_node() in the name of a call site */
void *__kspan_heap_malloc_site(struct kspan_heap *heap, size_t size, gfp_t gfp, int node,
			       unsigned long site)
{
	void *p;

	heap = kspan_heap_or_default(heap);
	if (node == NUMA_NO_NODE)
		p = kspan_malloc_from(heap, size, gfp);
	else
		p = kspan_malloc_node_of(heap, size, kspan_heap_gfp(heap, gfp), node);
	return kspan_track(heap, p, site);
}
EXPORT_SYMBOL_GPL(__kspan_heap_malloc_site);

/** kspan_heap_malloc_array() - kspan_malloc_array() from a heap; NULL: the default heap */
void *kspan_heap_malloc_array(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return __kspan_heap_malloc_site(heap, bytes, gfp, NUMA_NO_NODE, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc_array);

/** kspan_heap_calloc() - kspan_calloc() from a heap; NULL: the default heap */
void *kspan_heap_calloc(struct kspan_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return __kspan_heap_malloc_site(heap, bytes, gfp | __GFP_ZERO, NUMA_NO_NODE, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_calloc);

/** kspan_heap_malloc_aligned() - kspan_malloc_aligned() from a heap; NULL: the default heap */
void *kspan_heap_malloc_aligned(struct kspan_heap *heap, size_t size, size_t align, gfp_t gfp)
{
	heap = kspan_heap_or_default(heap);
	return kspan_track(heap, kspan_malloc_aligned_of(heap, size, align, gfp), _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_malloc_aligned);

/** kspan_heap_tiny_alloc() - kspan_tiny_alloc() from a heap; NULL: the default heap */
void *kspan_heap_tiny_alloc(struct kspan_heap *heap, size_t size, gfp_t gfp)
{
	heap = kspan_heap_or_default(heap);
	gfp = kspan_heap_gfp(heap, gfp);
	return kspan_track(heap, kspan_tiny_alloc_of(heap, size, gfp), _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_tiny_alloc);
