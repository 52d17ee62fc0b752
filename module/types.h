/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kspan: shared types, and how they work together
 *
 *	buddy allocator
 *	  map		what any address is
 *	  arena		one aligned block of buddy pages, up to 4 MiB
 *	    page heap	per node: the free 8 KiB pages of all arenas
 *	      span	a run in use: equal slots of one size class, or one
 *			large object
 *	        central	per heap, node and class: spans with free slots, full
 *			spans, and a depot of magazines
 *	          CPU cache	per heap and CPU: two magazines per class
 *	            kspan_malloc(), kspan_free()
 *
 * A layer knows the layers above its own in this picture only, and includes
 * nothing below it.
 *
 * The life of one allocation, told upwards
 * ----------------------------------------
 * The size gives the class by one table load. The newest object of this CPU's
 * magazine of the class is popped, with preemption off and the cache marked
 * busy. When the magazine is empty it changes places with the CPU's other
 * magazine; when both are empty, a full one is taken from the depot of the
 * CPU's node; when the depot has none, the magazine is refilled from the
 * bitmaps of spans with free slots, in address order, under the central lock.
 * When the class has no free slot, runs of free pages of the node become spans, as
 * many as the magazine takes. When there are none, kspan_heap_alloc_slot() has the
 * ladder: a new arena, if buddy has one without effort; other nodes; shorter runs, and
 * blocks of buddy that are spans by themselves, "loose", down to a page of the kernel;
 * the smallest block that holds the object, with all that the caller's gfp flags allow.
 * The caller gets the first slot, and the rest serves the next refill. Else the result
 * is NULL. How much a magazine takes grows with the visits to the central, as far as the
 * budget of all caches allows.
 *
 * The life of one free, told downwards
 * ------------------------------------
 * The address gives the class of its page by two loads from the node's table. The
 * object is pushed on this CPU's magazine of the class. When the magazine is
 * full it changes places with the other one; when both are full, one goes to
 * the depot in exchange for an empty one; when the depot has none to give, the
 * oldest objects of the older magazine are returned to their spans' bitmaps, as many
 * as may be done with preemption off (KSPAN_STEPS). This is
 * where a wrong free is found at the latest. The pages of a span without an
 * object go back to the page heap; an arena without a used page goes back to
 * buddy. The few large objects that were freed last stay with the CPU.
 *
 * Where an object is
 * ------------------
 * A slot's bit in kspan_span.alloc_bits is set while the slot is out of the
 * span: live, or cached in a magazine. For every class of a node
 *
 *	slots = free + cached + live
 *
 * with free and out = cached + live counted under the central lock, cached
 * summed over magazines, and live derived.
 *
 * Contexts
 * --------
 * A CPU cache belongs to whoever set its busy mark, with preemption off. An
 * interrupt that finds the mark set does not wait: it takes or returns a
 * single slot at the central, whose lock is only held with interrupts off. An
 * NMI that finds it set tries the lock once to allocate, and frees by a bit of
 * the span, which others merge; see central.c and context.h.
 *
 * Locks
 * -----
 * All are raw spinlocks taken with interrupts off. None is held while another
 * is taken, except that the last may be taken within any, and the second within the
 * first where a span becomes hollow; none is held across a call to the page
 * allocator or SLUB:
 *
 *	1. kspan_central.lock		slots of a class: bitmaps, span lists, depot
 *	2. kspan_page_heap.lock		free pages, arenas and page table of a node
 *	3. kspan_large_owner.lock	large objects of a private heap
 *	4. free_rcu.c: kspan_rcu_cpu.lock  objects that wait for a grace period
 *	5. kspan_pool.lock		objects of a pool that all CPUs share
 *	6. bad_free.c: last_lock	the last report
 *	7. kspan_private.pressing_lock	pressure callbacks under way
 *	8. handle.c: a bucket's lock	what modules have made; a bit spinlock
 *
 * kvmalloc.c has a lock for tasks that may sleep, which is taken within none of these.
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
 * Read what others may write meanwhile, by plain writes of a word or less: they own it or have
 * its lock. Good for statistics and hints, and where it is seen afterwards whether what was
 * read holds.
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
 * What the map says of a page of a private heap, in place of a size class. The
 * default heap has no objects of it, so its fast paths take those of others for
 * what no magazine has room for.
 */
#define KSPAN_CLASS_PRIVATE	KSPAN_NR_CLASSES

/**
 * struct kspan_arena - one naturally aligned block of buddy pages
 * @node:	in kspan_page_heap.arenas, by address; page heap lock
 * @in_bucket:	in kspan_page_heap.buckets, if @longest is not 0; page heap lock
 * @in_empty:	in kspan_page_heap.empty, if @used is 0; page heap lock
 * @start:	address of the first byte
 * @nid:	NUMA node of the block
 * @order:	order of the block
 * @npages:	kspan pages in the block; @npages = used + free + holes
 * @holes:	pages in @absent; page heap lock
 * @used:	pages of spans in use, 0...@npages; page heap lock
 * @longest:	no free run is longer; page heap lock
 * @misfits:	powers of two that no run of so many pages is aligned to; page heap
 *		lock
 * @first_word:	no word of @free below it has a bit set; page heap lock
 * @free:	a bit per free page; page heap lock
 * @touched:	pages that were ever part of a span; page heap lock
 * @dropped:	free pages that a private heap had when it was destroyed; page heap lock
 * @any_dropped: there may be a bit in @dropped
 * @absent:	holes: pages that went back to the page allocator before the others;
 *		page heap lock
 * @releasing:	pages are on their way to become holes: not to be freed meanwhile;
 *		page heap lock
 * @release:	in page_heap.c's list of arenas to be given back, in place of @node
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
 * Life of a run of pages. DETACHED lies between the page heap and the central,
 * on the way up and on the way down; DEAD is a descriptor without a run. A
 * DEFERRED span has frees that an NMI left behind, as bits of a SMALL span or of
 * the whole of a LARGE one. A LARGE_CACHED one was freed, and waits in a CPU's cache.
 * A CHUNK is what a region puts its objects into.
 */
enum kspan_span_state {
	KSPAN_SPAN_DEAD,
	KSPAN_SPAN_DETACHED,
	KSPAN_SPAN_SMALL,
	KSPAN_SPAN_SMALL_DEFERRED,
	/* From here on: see kspan_span_is_large(). */
	KSPAN_SPAN_LARGE,
	KSPAN_SPAN_LARGE_DEFERRED,
	KSPAN_SPAN_LARGE_CACHED,
	KSPAN_SPAN_CHUNK,
};

/*
 * What of a span changes at once: its state; how many hold it meanwhile, see lookup.h; and
 * the number of the life that began when it was made of free pages, which tells it from
 * another span with the same descriptor.
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
 * @gone_pages:	a bit for each page of kspan's that is not the span's any more: it is hollow
 *		then, see hollow.c; to set one takes the locks of central and page heap
 * @class:	what the map says of its pages: the size class of the slots, or
 *		KSPAN_CLASS_PRIVATE; 0 unless SMALL or DETACHED
 * @recount:	of a loose span with a long bitmap: it has no bits for deferred frees. They
 *		clear the slot's bit in @alloc_bits, which therefore changes atomically, and
 *		the merge counts anew
 * @word:	@state, @pins and @life, as union kspan_span_word has them
 * @state:	enum kspan_span_state; page heap lock, to and from SMALL the
 *		central lock
 * @pins:	of a SMALL span, how many hold it: it does not become DETACHED meanwhile
 * @life:	so many spans the descriptor was; page heap lock
 * @nslots:	slots of a SMALL span, but for those that went with their pages
 * @used:	slots that are out, 0...@nslots; central lock
 * @free_index:	no slot below it is free; central lock
 * @high:	no slot from it on was ever handed out; central lock
 * @nid:	node of the run
 * @size:	bytes of a slot of a SMALL span
 * @magic:	their struct kspan_size_class.magic
 * @arena:	the block the run lies in; NULL of a loose span, which is a block of its own;
 *		fixed while not DEAD
 * @central:	owner of a SMALL span
 * @owner:	of a large one, if it is of a private heap; else NULL; or
 *		KSPAN_OWNER_UNKNOWN until that is said
 * @list:	in a list of @central or @owner; DEAD: in a list of spares
 * @deferred:	in the deferred list of @central, @owner or the page heap
 * @alloc_bits:	a bit per slot, set while it is out, central lock; then as many
 *		bits for deferred frees, atomic, unless @recount is set. Of a slot that went
 *		with its page both are set. Of a span of tiny objects
 *		then a bit per block that is open, see tiny.c; of a heap that is
 *		tracked then a word per slot, see track.c
 * @site:	of a large object of such a heap, where it was allocated
 * @inline_bits: @alloc_bits of spans of up to 64 slots
 * @starts:	of a span of tiny objects, a bit per byte, set where an object
 *		starts; atomic
 *
 * Descriptors are type-stable (SLAB_TYPESAFE_BY_RCU), so that the span of an
 * arbitrary address can be looked up without a lock and verified under one.
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
	};
};

/* Most pages of a span that can be hollow. */
#define KSPAN_HOLLOW_PAGES	16U

static_assert(KSPAN_ARENA_SIZE / PAGE_SIZE <= U16_MAX);

/**
 * struct kspan_magazine - a bounded stack of free objects of one class
 * @list:	in a list of the depot
 * @rcu:	statistics may still look at a freed magazine
 * @count:	objects held, 0...@cap
 * @cap:	most that it may hold where it is now
 * @slot:	the objects, newest last
 *
 * @count and @cap stand right before @slot: the word before the first slot is
 * never an object's address, so that the newest entry of an empty magazine
 * can be compared with one.
 */
struct kspan_magazine {
	union {
		struct list_head list;
		struct rcu_head rcu;
	};
	u32 count;
	u32 cap;
	void *slot[];
};

/* Most objects of a magazine: it fits 512 bytes of SLUB's then. */
#define KSPAN_MAGAZINE_MAX	61

#endif /* KSPAN_TYPES_H */
