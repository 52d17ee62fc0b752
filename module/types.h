/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kspan: the shared types, and how the layers work together
 *
 *	buddy allocator
 *	  map		tells what any address belongs to
 *	  arena		one aligned block of buddy pages, up to 4 MiB
 *	    page heap	per node: the free 8 KiB pages of all arenas
 *	      span	a run of pages in use: equal slots of one size class, or one
 *			large object
 *	        central	per heap, node and class: spans with free slots, full spans,
 *			and a depot of magazines
 *	          CPU cache	per heap and CPU: two magazines per class
 *	            kspan_malloc(), kspan_free()
 *
 * A layer knows only the layers above its own in this picture, and includes nothing below it.
 * The directories have the same order: base, pages, objects, api, kits, reclaim, observe, and then
 * main.c. A file calls only files of its own directory or of those named before.
 * tools/layers.sh proves that from the symbols of the objects.
 *
 * Words
 * -----
 * The code uses each of these words in one meaning, or in those that are listed.
 *
 * Memory, from large to small:
 *
 *	block		memory of the buddy allocator in one piece. (A tiny block is a slot of
 *			16 bytes that tiny objects share.)
 *	arena		a block that kspan cuts into pages
 *	page		kspan's page of 8 KiB, or the kernel's where that is larger. Text that
 *			means the kernel's page says so.
 *	run		adjacent pages: free ones of one arena, or those of a span
 *	hole		pages of an arena that went back to buddy before the rest of it
 *	span		pages in use for one purpose, with a descriptor outside of them
 *	loose span	a span that is a block by itself, in no arena
 *	hollow span	a span that has lost pages without objects, while others are in use
 *	chunk		a span that a region puts its objects into
 *	slot		memory for one object of a small span
 *	object		what a caller gets. A small one is a slot, a large one a span, and tiny
 *			ones share a slot.
 *
 * Users and owners:
 *
 *	size class	slots of one size, and the length of their spans
 *	central		the spans of one class on one node of one heap
 *	magazine	a bounded stack of free objects of one class
 *	depot		magazines of a central that no CPU has: full ones and empty ones
 *	CPU cache	magazines, tiny block and large objects that a CPU has of a heap
 *	heap		centrals and CPU caches: the default heap, or a private heap that a
 *			module made
 *	typed cache	a private heap with one size class
 *	region, pool	kits that are built on the API: objects that are freed together, and
 *			initialised objects that are used again
 *
 * What an object or slot is:
 *
 *	out		its bit is set in the span: live or cached
 *	live		handed to a caller, and not freed yet
 *	cached		free, in a magazine
 *	free		its bit is clear
 *	sealed		free, and marked by a secret word, so that a double free is found
 *
 * Bounds:
 *
 *	limit		pages that a private heap may hold; bytes of all arenas (soft, hard);
 *			objects that a magazine of a CPU may hold
 *	account		pages that a private heap holds, and its limit
 *	capacity	bytes of objects that the magazines of a CPU may hold
 *	budget		bytes that all caches together may hold: capacity, depots, and large
 *			objects that CPUs keep. Caches draw from it and return to it.
 *	step		a unit of work that is done with preemption or interrupts off
 *	reserve		of a node: empty arenas that it keeps. Of a heap: objects set aside for
 *			kspan_malloc_nolock(). Of the system: the page allocator's.
 *
 * Ownership:
 *
 *	busy mark	set by the code that owns the data of its CPU; see busy.h
 *	life		number that tells a span from earlier ones with the same descriptor
 *	pin		keep a small span from being detached for a moment
 *	claim		become the one that frees an object, by an atomic change of state
 *	hold		keep others from freeing an object while it is read or written
 *	defer, merge	leave a free to others because an NMI can't wait; complete such frees
 *
 * Verbs that move memory up, to callers:
 *
 *	pop		one object from the loaded magazine
 *	reload		make a magazine with objects the loaded one
 *	refill		fill a magazine from the bitmaps of spans
 *	stock		fill a magazine from spans that were just made
 *	take		slots out of the bitmaps of spans
 *	adopt		make detached pages a span of a central
 *
 * Verbs that move memory down, to buddy:
 *
 *	push		one object into the loaded magazine
 *	spill		pass a full magazine of a CPU on to the depot; what the depot does not
 *			take is returned
 *	return		objects to the bitmaps of their spans; bytes to a budget
 *	drain		return all that a CPU cache, a depot or a reserve holds
 *	reap		return what a depot has not needed lately
 *	retire		give a span without an object back to the page heap
 *	hollow		give the pages without objects of a span in use back to the page heap
 *	release		give free pages back to buddy. (A region releases objects: all that are
 *			younger than a mark.)
 *	trim		all of these: give back what an owner keeps without using it
 *
 * Verbs that end an owner:
 *
 *	destroy		what the API has created, by a call of its user
 *	exit		what a function of the same name in init has made
 *	drop		free an owner's memory with all live objects in it
 *
 * The life of one allocation, told upwards
 * ----------------------------------------
 *  1. The size gives the class by one table load.
 *  2. The CPU turns preemption off and sets the busy mark of its cache. It pops the newest object
 *     of the loaded magazine of the class.
 *  3. If that magazine is empty, it changes places with the CPU's other magazine. If both are
 *     empty, the CPU takes a full one from the depot of its node.
 *  4. If the depot has none, the magazine is refilled from the bitmaps of spans with free slots, in
 *     address order, under the central lock. How much a magazine takes grows with the visits to the
 *     central, as far as the budget of all caches allows.
 *  5. If the class has no free slot, runs of free pages of the node become spans, as many as the
 *     magazine takes.
 *  6. If there are no such runs, kspan_heap_alloc_slot() climbs the ladder of fallback.c: a new
 *     arena, if buddy has one without effort; other nodes; shorter runs, and loose spans, down to a
 *     page of the kernel; then the smallest block that holds the object, with all that the caller's
 *     gfp flags allow. The caller gets the first slot, and the others serve the next refill.
 *  7. If all of that fails, the result is NULL.
 *
 * The life of one free, told downwards
 * ------------------------------------
 *  1. The address gives the class of its page by two loads from the node's table.
 *  2. The CPU pushes the object on the loaded magazine of the class.
 *  3. If that magazine is full, it changes places with the other one. If both are full, one is
 *     passed on to the depot in exchange for an empty one.
 *  4. If the depot has no empty one, the oldest objects of the older magazine are returned to the
 *     bitmaps of their spans, as many as may be done with preemption off (KSPAN_STEPS). A wrong
 *     free is found here at the latest.
 *  5. A span without an object stays with its class for a while, within bounds (empty.c). Then its
 *     pages are returned to the page heap.
 *  6. An arena without a used page is returned to buddy.
 *
 * Large objects take no magazine. The few that a CPU of the default heap freed last stay with that
 * CPU; see large_cache.c.
 *
 * Where an object is
 * ------------------
 * A slot's bit in kspan_span.alloc_bits is set while the slot is out of the span: live, or cached
 * in a magazine. For every class of a node
 *
 *	slots = free + cached + live
 *
 * The central counts free, and out = cached + live, under its lock. Statistics sum cached over the
 * magazines, and derive live.
 *
 * Contexts
 * --------
 * A CPU cache belongs to the code that has set its busy mark, with preemption off. An interrupt
 * that finds the mark set does not wait: it takes or returns a single slot at the central, whose
 * lock is held only with interrupts off. An NMI that finds the mark set tries the lock once to
 * allocate, and frees by a bit of the span, which others merge. See busy.h and context.h.
 *
 * Lock order
 * ----------
 * All are taken with interrupts off. All are raw spinlocks but lock 8, which is a bit spinlock.
 * None is held while another one is taken, with two exceptions: lock 8 may be taken within any, and
 * lock 2 within lock 1 where a span becomes hollow. None is held across a call to the page
 * allocator or SLUB.
 *
 *	1. kspan_central.lock		slots of a class: bitmaps, span lists, depot
 *	2. kspan_page_heap.lock		free pages, arenas and page table of a node
 *	3. kspan_large_owner.lock	large objects of a private heap: @spans, counters
 *	4. free_rcu.c: kspan_rcu_cpu.lock  objects that wait for a grace period
 *	5. kspan_pool.lock		objects of a pool that all CPUs share: @shared
 *	6. bad_free.c: last_lock	the last report
 *	7. kspan_private.pressing_lock	pressure callbacks under way: @pressing
 *	8. handle.c: a bucket's lock	what modules have made; a bit spinlock
 *	9. history.c: notes_lock	the last reclaims
 *
 * kv.c has a plain spinlock, kv_lock, for tasks that may sleep. It is taken within none of these,
 * and none of these is taken within it.
 */
#ifndef KSPAN_TYPES_H
#define KSPAN_TYPES_H

#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/*
 * Read a word that others may write meanwhile, by plain writes of a word or less, because they own
 * it or have its lock. Use it for statistics and hints, and where a later check finds out whether
 * the value still holds.
 */
#define kspan_glance(x)		data_race(READ_ONCE(x))

#ifndef CONFIG_64BIT
#error "kspan needs a 64-bit kernel: every page it uses must be in the direct map"
#endif

/* kspan's page: 8 KiB, or the kernel's page where that is larger. */
#define KSPAN_PAGE_SHIFT	(PAGE_SHIFT > 13 ? PAGE_SHIFT : 13)
#define KSPAN_PAGE_SIZE		BIT(KSPAN_PAGE_SHIFT)
#define KSPAN_PAGE_ORDER	(KSPAN_PAGE_SHIFT - PAGE_SHIFT)

/* The largest arena is the largest block of the buddy allocator. */
#define KSPAN_ARENA_SHIFT	KMALLOC_SHIFT_MAX
#define KSPAN_ARENA_SIZE	BIT(KSPAN_ARENA_SHIFT)
#define KSPAN_ARENA_ORDER	(KSPAN_ARENA_SHIFT - PAGE_SHIFT)
#define KSPAN_ARENA_PAGES	(1U << (KSPAN_ARENA_SHIFT - KSPAN_PAGE_SHIFT))

#include "base/size_class_table.h"

/*
 * Class of the pages of a private heap, in the map. It is no size class of the default heap, whose
 * fast paths find no room in a magazine for such an object, and leave it to the slow paths.
 */
#define KSPAN_CLASS_PRIVATE	KSPAN_NR_CLASSES

/**
 * struct kspan_arena - one naturally aligned block of buddy pages
 * @node:	in kspan_page_heap.arenas, by address; page heap lock
 * @release:	in the page heap's list of arenas to be returned to buddy, in place of @node
 * @start:	address of the first byte
 * @in_bucket:	in kspan_page_heap.buckets, if @longest is not 0; page heap lock
 * @in_empty:	in kspan_page_heap.empty, if @used is 0; page heap lock
 * @nid:	NUMA node of the block
 * @order:	order of the block
 * @npages:	kspan pages in the block; @npages = used + free + holes
 * @holes:	pages in @absent; page heap lock
 * @used:	pages of spans in use, 0...@npages; page heap lock
 * @longest:	length of the longest free run, in pages; page heap lock
 * @misfits:	powers of two for which no run of that many pages is aligned to them; page heap
 *		lock
 * @first_word:	no word of @free below it has a bit set; page heap lock
 * @any_dropped: @dropped may have a bit set
 * @releasing:	pages are about to become holes, so the arena must not be freed meanwhile; page
 *		heap lock
 * @free:	a bit per free page; page heap lock
 * @touched:	pages that were ever part of a span; page heap lock
 * @dropped:	free pages that a private heap had when it was destroyed; page heap lock
 * @absent:	holes: pages that went back to buddy before the others; page heap lock
 */
struct kspan_arena {
	union {
		struct rb_node node;
		struct llist_node release;
	};
	unsigned long start;
	struct list_head in_bucket;
	struct list_head in_empty;
	int nid;
	unsigned int order;
	unsigned int npages;
	unsigned int holes;
	unsigned int used;
	unsigned int longest;
	unsigned int misfits;
	unsigned int first_word;
	bool any_dropped;
	bool releasing;
	DECLARE_BITMAP(free, KSPAN_ARENA_PAGES);
	DECLARE_BITMAP(touched, KSPAN_ARENA_PAGES);
	DECLARE_BITMAP(dropped, KSPAN_ARENA_PAGES);
	DECLARE_BITMAP(absent, KSPAN_ARENA_PAGES);
};

/*
 * States of a span. DEAD is a descriptor without pages. A DETACHED span lies between the page heap
 * and the central, on the way up and on the way down. A DEFERRED span has frees that an NMI left
 * behind: bits of a SMALL span, or the whole of a LARGE one. A LARGE_CACHED span was freed, and
 * stays in a CPU's cache. A CHUNK holds the objects of a region.
 */
enum kspan_span_state {
	KSPAN_SPAN_DEAD,
	KSPAN_SPAN_DETACHED,
	KSPAN_SPAN_SMALL,
	KSPAN_SPAN_SMALL_DEFERRED,
	/* kspan_span_is_large() is true from here on. */
	KSPAN_SPAN_LARGE,
	KSPAN_SPAN_LARGE_DEFERRED,
	KSPAN_SPAN_LARGE_CACHED,
	KSPAN_SPAN_CHUNK,
};

/*
 * The part of a span that changes by one atomic operation: its state; @pins, how many have it
 * pinned, see lookup.h; and the number of the life that began when it was made of free pages. The
 * life tells it from another span with the same descriptor.
 */
union kspan_span_word {
	u64 word;
	struct {
		u8 state;
		u16 pins;
		u32 life;
	};
};

static_assert(sizeof(union kspan_span_word) == sizeof(u64));

/**
 * struct kspan_span - a run of pages in use
 * @start:	address of the first byte
 * @base_pages:	length of the run in the kernel's pages
 * @gone_pages:	a bit for each kspan page that a hollow span has lost, see hollow.c; to set one
 *		takes the locks of central and page heap
 * @class:	class of its pages in the map: the size class of the slots, or
 *		KSPAN_CLASS_PRIVATE; 0 unless SMALL or DETACHED
 * @recount:	true for a loose span with a long bitmap: it has no bits for deferred frees.
 *		Such a free clears the slot's bit in @alloc_bits, which therefore changes
 *		atomically, and the merge counts anew.
 * @nslots:	slots of a SMALL span, without those that were lost with their pages
 * @used:	slots that are out, 0...@nslots; central lock
 * @free_index:	no slot below it is free; central lock
 * @high:	no slot from it on was ever handed out; central lock
 * @nid:	node of the run
 * @word:	@state, @pins and @life, as in union kspan_span_word
 * @state:	enum kspan_span_state; page heap lock, and central lock to and from SMALL
 * @pins:	how many have a SMALL span pinned: it does not become DETACHED meanwhile
 * @life:	number of spans that the descriptor has been; page heap lock
 * @size:	bytes of a slot of a SMALL span
 * @magic:	struct kspan_size_class.magic of the slots
 * @arena:	the arena that the run lies in; NULL for a loose span; fixed while not DEAD
 * @central:	owner of a SMALL span
 * @owner:	owner of a large span of a private heap; NULL in the default heap;
 *		KSPAN_OWNER_UNKNOWN until the object is complete
 * @list:	in a list of @central or @owner; in a list of spares while DEAD
 * @deferred:	in the deferred list of @central, @owner or the page heap
 * @alloc_bits:	a bit per slot, set while the slot is out; central lock. Then, unless @recount is
 *		set, as many bits for deferred frees; atomic. A slot that was lost with its
 *		page has both bits set. Then, in a span of tiny objects, a bit per block that is
 *		open, see tiny.c. Then a word per slot, in a heap that is tracked, see track.c, and
 *		for sampled objects, see sampled.c.
 * @site:	call site that allocated a large object, in a heap that is tracked
 * @inline_bits: memory of @alloc_bits for spans of up to 64 slots
 * @starts:	in a span of tiny objects, a bit per byte, set where an object starts; atomic
 * @sample:	sample of a large object, or NULL
 *
 * Descriptors are type-stable (SLAB_TYPESAFE_BY_RCU). So the span of an arbitrary address can be
 * looked up without a lock, and verified under one.
 */
struct kspan_span {
	unsigned long start;
	u16 base_pages;
	u16 gone_pages;
	u8 class;
	bool recount;
	u16 nslots;
	u16 used;
	u16 free_index;
	u16 high;
	u16 nid;
	union {
		u64 word;
		struct {
			u8 state;
			u16 pins;
			u32 life;
		};
	};
	u32 size;
	u32 magic;
	struct kspan_arena *arena;
	union {
		struct kspan_central *central;
		struct kspan_large_owner *owner;
	};
	struct list_head list;
	struct llist_node deferred;
	union {
		u64 *alloc_bits;
		unsigned long site;
	};
	union {
		u64 inline_bits[2];
		unsigned long *starts;
		struct kspan_sample *sample;
	};
};

/* Most pages of a span that can become hollow. */
#define KSPAN_HOLLOW_PAGES	16U

static_assert(KSPAN_ARENA_SIZE / PAGE_SIZE <= U16_MAX);

/**
 * struct kspan_magazine - a bounded stack of free objects of one class
 * @list:	in a list of the depot
 * @rcu:	frees the magazine, which statistics may still read
 * @count:	objects held, 0...@cap
 * @cap:	most objects that it may hold where it is now
 * @object:	the objects, newest last
 *
 * @count and @cap stand right before @object. So the word before the first object is never an
 * object's address, and the fast path may compare an object with the newest entry of an empty
 * magazine.
 */
struct kspan_magazine {
	union {
		struct list_head list;
		struct rcu_head rcu;
	};
	u32 count;
	u32 cap;
	void *object[];
};

/* Most objects of a magazine: with its header it then fits 512 bytes, a size of SLUB's. */
#define KSPAN_MAGAZINE_MAX	61

#endif /* KSPAN_TYPES_H */
