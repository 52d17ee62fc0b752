// SPDX-License-Identifier: GPL-2.0
/*
 * Objects in memory of vmalloc(), for kspan_kvmalloc()
 *
 * kspan_kvmalloc() asks the heap first, without much effort for more than a page, and then
 * vmalloc(). Each object that vmalloc() gave has a record. An xarray finds the record by the number
 * of the object's first page, and of each multiple of ANCHOR pages within. So one look-up finds an
 * object by its start, and at most ANCHOR look-ups find it by any address inside. An address of
 * vmalloc() without a record is not kspan's.
 *
 * kspan_free() comes here when it knows nothing else of an address. The CPU that changes the
 * record's state from LIVE to FREED frees the object. That takes no lock. The rest needs a task
 * that may sleep: elsewhere it is left to a work item.
 *
 * Context: allocation, task that may sleep; free and look-ups, any, NMI included.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/irq_work.h>
#include <linux/kmemleak.h>
#include <linux/kspan.h>
#include <linux/overflow.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "base/kunit_export.h"
#include "objects/bad_free.h"
#include "objects/kv.h"
#include "objects/limit.h"
#include "objects/profile.h"

/* Pages from one entry of an object in the xarray to the next. */
#define ANCHOR	64UL

/* State of an object: LIVE changes to FREED once. HELD: kspan_hold() keeps it from being freed. */
enum kv_state {
	KV_LIVE,
	KV_HELD,
	KV_FREED,
};

/**
 * struct kv_object - the record of an object
 * @addr:	its first byte
 * @bytes:	its length, whole pages of the kernel
 * @size:	bytes that were asked for; no more may be used, as KASAN guards the rest
 * @heap:	heap that the object belongs to; stays while @list is not empty, and until the RCU
 *		readers of the record are done
 * @state:	enum kv_state
 * @sample:	its sample of the heap profile, or NULL; fixed
 * @list:	in kspan_kv_owner.objects; protected by kv_lock
 * @deferred:	in the list of objects that a work item is to free
 * @rcu:	frees the record, which others may still read, after a grace period
 */
struct kv_object {
	unsigned long addr;
	size_t bytes;
	size_t size;
	struct kspan_heap *heap;
	int state;
	struct kspan_sample *sample;
	struct list_head list;
	struct llist_node deferred;
	struct rcu_head rcu;
};

/* Protects the lists of all owners. Taken only where tasks may sleep, and within no other lock. */
static DEFINE_SPINLOCK(kv_lock);
static DEFINE_XARRAY(objects);
static struct kspan_kv_owner default_owner = {
	.objects = LIST_HEAD_INIT(default_owner.objects),
};

static LLIST_HEAD(deferred);

/** kspan_kv_owner_init() - prepare the zeroed owner of a private heap */
void kspan_kv_owner_init(struct kspan_kv_owner *owner)
{
	INIT_LIST_HEAD(&owner->objects);
}

/** kspan_kv_owner() - the objects of a heap in memory of vmalloc() */
struct kspan_kv_owner *kspan_kv_owner(struct kspan_heap *heap)
{
	return heap->private ? &heap->private->kv : &default_owner;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_kv_owner);

static struct kspan_account *account_of(struct kspan_heap *heap)
{
	return heap->private ? &heap->private->account : NULL;
}

/* Pages of kspan that an object counts as. */
static unsigned long pages_of(size_t bytes)
{
	return DIV_ROUND_UP(bytes, KSPAN_PAGE_SIZE);
}

static unsigned long next_anchor(unsigned long page)
{
	return ALIGN(page + 1, ANCHOR);
}

static void forget_pages(unsigned long addr, unsigned long end)
{
	unsigned long page;

	for (page = addr >> PAGE_SHIFT; page < end >> PAGE_SHIFT; page = next_anchor(page))
		xa_erase(&objects, page);
}

/* Enter the record of an object into the xarray. Returns 0 or -ENOMEM. */
static int record_pages(struct kv_object *object, gfp_t gfp)
{
	unsigned long end = object->addr + object->bytes, page;
	int err;

	for (page = object->addr >> PAGE_SHIFT; page < end >> PAGE_SHIFT;
	     page = next_anchor(page)) {
		err = xa_err(xa_store(&objects, page, object, kspan_gfp_metadata(gfp)));
		if (err) {
			forget_pages(object->addr, page << PAGE_SHIFT);
			return err;
		}
	}
	return 0;
}

/* The object that an address lies in, or NULL. Called under RCU. */
static struct kv_object *find(unsigned long addr)
{
	unsigned long page = addr >> PAGE_SHIFT;
	struct kv_object *object;

	if (!is_vmalloc_addr((void *)addr))
		return NULL;
	for (;; page--) {
		object = xa_load(&objects, page);
		if (object)
			return addr - object->addr < object->bytes ? object : NULL;
		if (page % ANCHOR == 0)
			return NULL;
	}
}

/* The live object that starts at an address, or NULL. Called under RCU. */
static struct kv_object *find_live(unsigned long addr)
{
	struct kv_object *object = find(addr);

	return object && object->addr == addr && READ_ONCE(object->state) == KV_LIVE ?
	       object : NULL;
}

/* Allocate from vmalloc(), on a node if possible: modules may name a node for GFP_KERNEL only. */
static void *map(size_t size, gfp_t gfp, int node)
{
	if (node == NUMA_NO_NODE || (gfp & ~(GFP_KERNEL | __GFP_ZERO)) ||
	    (gfp & GFP_KERNEL) != GFP_KERNEL)
		return __vmalloc(size, gfp);
	return gfp & __GFP_ZERO ? vzalloc_node(size, node) : vmalloc_node(size, node);
}

static void kv_publish(struct kv_object *object)
{
	struct kspan_kv_owner *owner = kspan_kv_owner(object->heap);

	atomic_long_inc(&owner->live);
	atomic_long_inc(&owner->allocs);
	atomic_long_add(pages_of(object->bytes), &owner->pages);
	spin_lock(&kv_lock);
	list_add(&object->list, &owner->objects);
	spin_unlock(&kv_lock);
}

/* Note an object that is to be sampled. */
static struct kspan_sample *kv_sample(const struct kv_object *object, gfp_t gfp)
{
	void *p = (void *)object->addr;

	if (likely(!kspan_profile_due(object->bytes)))
		return NULL;
	return kspan_profile_add(p, object->bytes, object->size, object->heap->name,
				 page_to_nid(vmalloc_to_page(p)), gfp);
}

/* Allocate an object and its record. The caller has charged the heap. */
static void *alloc_charged(struct kspan_heap *heap, size_t size, gfp_t gfp, int node)
{
	struct kv_object *object = kzalloc(sizeof(*object), kspan_gfp_metadata(gfp));
	void *p;

	if (!object)
		return NULL;
	/* The record has the object's address. That must not look like a reference to kmemleak. */
	kmemleak_no_scan(object);
	p = map(size, gfp, node);
	if (!p)
		goto err_object;
	object->addr = (unsigned long)p;
	object->bytes = PAGE_ALIGN(size);
	object->size = size;
	object->heap = heap;
	/* Once the record is entered a stale pointer may find it, so fill in all fields first. */
	INIT_LIST_HEAD(&object->list);
	object->state = KV_HELD;
	if (record_pages(object, gfp))
		goto err_map;
	object->sample = kv_sample(object, gfp);
	kv_publish(object);
	/*
	 * Release: pairs with the READ_ONCE() in find_live(), and with the cmpxchg() in claim()
	 * and in kspan_kv_hold(). A CPU that sees the object live sees it counted and in the
	 * owner's list.
	 */
	smp_store_release(&object->state, KV_LIVE);
	return p;

err_map:
	vfree(p);
err_object:
	/* Only look-ups by wrong addresses can have found the record. */
	kfree_rcu(object, rcu);
	return NULL;
}

/**
 * kspan_kv_alloc() - allocate an object from vmalloc()
 * @heap:	heap that is charged for it
 * @size:	bytes
 * @gfp:	the caller's flags
 * @node:	preferred node, or NUMA_NO_NODE
 * @tried:	the heap was asked for the object before, and has done all that it can
 *
 * Context: task that may sleep.
 * Return: the object or NULL.
 */
void *kspan_kv_alloc(struct kspan_heap *heap, size_t size, gfp_t gfp, int node, bool tried)
{
	unsigned long pages = pages_of(PAGE_ALIGN(size));
	unsigned int attempt = 0;
	void *p;

	while (!kspan_account_charge(account_of(heap), pages, gfp))
		if (tried || !kspan_private_relieve(heap, size, &attempt, gfp))
			return NULL;
	p = alloc_charged(heap, size, gfp, node);
	if (!p)
		kspan_account_uncharge(account_of(heap), pages);
	return p;
}

static void release_kv(struct kv_object *object)
{
	spin_lock(&kv_lock);
	list_del_init(&object->list);
	spin_unlock(&kv_lock);
	/* Remove the entries first: after vfree() others may get the same address. */
	forget_pages(object->addr, object->addr + object->bytes);
	vfree((void *)object->addr);
	kfree_rcu(object, rcu);
}

static void release_kv_deferred(struct work_struct *work)
{
	struct kv_object *object, *next;

	llist_for_each_entry_safe(object, next, llist_del_all(&deferred), deferred) {
		release_kv(object);
		cond_resched();
	}
}

static DECLARE_WORK(deferred_work, release_kv_deferred);

static void queue_deferred(struct irq_work *work)
{
	schedule_work(&deferred_work);
}

static struct irq_work deferred_irq_work = IRQ_WORK_INIT(queue_deferred);

/*
 * Free an object in any context. NMIs, and readers under RCU, which must not sleep, leave that to
 * a work item.
 */
static void release_kv_anywhere(struct kv_object *object)
{
	if (kspan_may_release() && !rcu_preempt_depth())
		release_kv(object);
	else if (llist_add(&object->deferred, &deferred))
		irq_work_queue(&deferred_irq_work);
}

/*
 * Whether the object is the caller's now, which has to free it. Called under RCU, so that the heap
 * stays.
 */
static bool claim(struct kv_object *object)
{
	struct kspan_kv_owner *owner = kspan_kv_owner(object->heap);
	unsigned long pages = pages_of(object->bytes);

	if (cmpxchg(&object->state, KV_LIVE, KV_FREED) != KV_LIVE)
		return false;
	if (unlikely(object->sample))
		kspan_profile_remove(object->sample);
	atomic_long_dec(&owner->live);
	atomic_long_sub(pages, &owner->pages);
	kspan_account_uncharge(account_of(object->heap), pages);
	return true;
}

/**
 * kspan_kv_free() - free an object, or report a wrong free
 * @addr:	an address of which kspan knows nothing else
 *
 * Context: any, NMI included.
 * Return: true if @addr lies in an object of this file, or did so a moment ago; false, and nothing
 * is done, else.
 */
bool kspan_kv_free(unsigned long addr)
{
	enum kspan_bad_free_kind kind = KSPAN_BAD_FREE_DOUBLE;
	struct kv_object *object;
	bool known, claimed;

	rcu_read_lock();
	object = find(addr);
	known = object;
	if (known && object->addr != addr)
		kind = IS_ALIGNED(addr, 8) ? KSPAN_BAD_FREE_INTERIOR : KSPAN_BAD_FREE_MISALIGNED;
	claimed = known && object->addr == addr && claim(object);
	rcu_read_unlock();
	if (claimed)
		release_kv_anywhere(object);
	else if (known)
		kspan_bad_free_report(kind, addr);
	return known;
}

/** kspan_kv_size() - usable size of the object that starts at @addr; 0 if none does */
size_t kspan_kv_size(unsigned long addr)
{
	struct kv_object *object;
	size_t size;

	rcu_read_lock();
	object = find_live(addr);
	size = object ? object->size : 0;
	rcu_read_unlock();
	return size;
}

/** kspan_kv_heap() - heap of the caller's object that starts at @addr; NULL if none does */
struct kspan_heap *kspan_kv_heap(unsigned long addr)
{
	struct kv_object *object;
	struct kspan_heap *heap;

	rcu_read_lock();
	object = find_live(addr);
	heap = object ? object->heap : NULL;
	rcu_read_unlock();
	return heap;
}

/**
 * kspan_kv_around() - find the object of this file that an address is in
 * @addr:	any address
 * @start:	set to the object's first byte
 * @size:	set to its usable size in bytes
 * @live:	set to whether it is not freed yet
 *
 * Context: any, NMI included, within rcu_read_lock(); the heap stays for as long.
 * Return: the object's heap; NULL if the address is in no such object.
 */
struct kspan_heap *kspan_kv_around(unsigned long addr, unsigned long *start, size_t *size,
				   bool *live)
{
	const struct kv_object *object = find(addr);

	if (!object)
		return NULL;
	*start = object->addr;
	*size = object->size;
	*live = READ_ONCE(object->state) != KV_FREED;
	return object->heap;
}

/**
 * kspan_kv_hold() - kspan_hold() of an object of this file
 * @addr:	any address
 * @held:	set for kspan_kv_let_go(); it names no span
 *
 * Return: the usable size in bytes; 0 when no live object starts at @addr.
 */
size_t kspan_kv_hold(unsigned long addr, struct kspan_found *held)
{
	struct kv_object *object;
	size_t size = 0;

	rcu_read_lock();
	object = find_live(addr);
	if (object && cmpxchg(&object->state, KV_LIVE, KV_HELD) == KV_LIVE)
		size = object->size;
	rcu_read_unlock();
	if (size)
		*held = (struct kspan_found) { .start = addr, .bytes = size };
	return size;
}

/** kspan_kv_let_go() - undo kspan_kv_hold() */
void kspan_kv_let_go(const struct kspan_found *held)
{
	struct kv_object *object;

	rcu_read_lock();
	object = find(held->start);
	/*
	 * Release: pairs with the cmpxchg() in claim() and in kspan_kv_hold(). What the holder
	 * wrote comes before any later free.
	 */
	smp_store_release(&object->state, KV_LIVE);
	rcu_read_unlock();
}

/** kspan_kv_settle() - wait for frees that were left to the work item. Context: task; sleeps. */
void kspan_kv_settle(void)
{
	irq_work_sync(&deferred_irq_work);
	flush_work(&deferred_work);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_kv_settle);

static struct kv_object *kv_take_first(struct kspan_kv_owner *owner)
{
	struct kv_object *object;

	spin_lock(&kv_lock);
	object = list_first_entry_or_null(&owner->objects, struct kv_object, list);
	if (object)
		list_del_init(&object->list);
	spin_unlock(&kv_lock);
	return object;
}

/**
 * kspan_kv_drop() - free all objects of a heap
 * @heap:	a heap that nobody uses meanwhile
 *
 * Context: task; sleeps.
 * Return: how many there were.
 */
unsigned long kspan_kv_drop(struct kspan_heap *heap)
{
	struct kspan_kv_owner *owner = kspan_kv_owner(heap);
	struct kv_object *object;
	unsigned long dropped = 0;

	if (list_empty(&owner->objects))
		return 0;
	kspan_kv_settle();
	while ((object = kv_take_first(owner))) {
		/*
		 * A wrong free at the same time may have claimed the object; then that free
		 * completes it.
		 */
		if (claim(object)) {
			release_kv(object);
			dropped++;
		}
		cond_resched();
	}
	return dropped;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_kv_drop);

/** kspan_kv_exit() - free what users of the default heap have not freed */
void kspan_kv_exit(void)
{
	unsigned long left;

	kspan_kv_settle();
	left = kspan_kv_drop(&kspan_default_heap);
	if (left)
		pr_warn("heap default: %lu objects of vmalloc() were never freed\n", left);
	xa_destroy(&objects);
}
