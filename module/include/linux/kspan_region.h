/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Regions: objects that are freed together
 *
 * A region takes chunks of pages from a heap and puts objects into them, one behind the other.
 * No object is freed by itself: kspan_region_release() frees all that were allocated after a
 * mark, kspan_region_reset() frees all.
 *
 * A region has no lock. A caller that shares one with others must hold a lock of its own around
 * every call.
 */
#ifndef _LINUX_KSPAN_REGION_H
#define _LINUX_KSPAN_REGION_H

#include <linux/compiler.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/sched/mm.h>
#include <linux/types.h>

struct kspan_cpu_region;
struct kspan_heap;
struct module;

/* Alignment of every object of a region, in bytes. */
#define KSPAN_REGION_ALIGN	8UL

/* gfp flags that kspan_region_alloc() can't serve inline. Internal. */
#define KSPAN_REGION_GFP_SLOW	(__GFP_ZERO | __GFP_DMA | __GFP_DMA32)

/**
 * struct kspan_region - the part of a region that kspan_region_alloc() reads inline
 * @next:	address where the next object starts
 * @end:	end of the room for it; the same as @next if memory must be initialised
 *
 * Callers must not touch the members. More of the region lies behind this structure.
 */
struct kspan_region {
	unsigned long next;
	unsigned long end;
};

/**
 * struct kspan_region_mark - how full a region was at some time
 * @next:	address of the next object at that time
 * @releases:	number of releases before that time
 * @chunks:	number of chunks at that time
 * @region:	number that identifies the region
 *
 * Made by kspan_region_mark() and used by kspan_region_release(). Callers must not touch the
 * members.
 */
struct kspan_region_mark {
	unsigned long next;
	u64 releases;
	u32 chunks;
	u32 region;
};

/**
 * struct kspan_region_stats - the memory of a region, in bytes
 * @used:	from the first object of each chunk to the end of its last object
 * @held:	all chunks, those in use and those kept for reuse
 * @spare:	the part of @held that is kept for reuse
 *
 * kspan_region_stats_read() fills it in.
 */
struct kspan_region_stats {
	size_t used;
	size_t held;
	size_t spare;
};

struct kspan_region *__kspan_region_create(struct kspan_heap *h, size_t chunk, gfp_t gfp,
					   struct module *owner) __must_check;
void kspan_region_destroy(struct kspan_region *r);

void *kspan_region_alloc_slow(struct kspan_region *r, size_t size, gfp_t gfp)
	__must_check __alloc_size(2);
void *kspan_region_zalloc(struct kspan_region *r, size_t size, gfp_t gfp)
	__must_check __alloc_size(2);
void *kspan_region_alloc_aligned(struct kspan_region *r, size_t size, size_t align, gfp_t gfp)
	__must_check __alloc_size(2);
void *kspan_region_memdup(struct kspan_region *r, const void *src, size_t len, gfp_t gfp)
	__must_check __alloc_size(3);
char *kspan_region_strdup(struct kspan_region *r, const char *s, gfp_t gfp) __must_check;

struct kspan_region_mark kspan_region_mark(const struct kspan_region *r);
void kspan_region_release(struct kspan_region *r, struct kspan_region_mark mark);
void kspan_region_reset(struct kspan_region *r);
void kspan_region_trim(struct kspan_region *r);
void kspan_region_stats_read(const struct kspan_region *r, struct kspan_region_stats *stats);

struct kspan_cpu_region *__kspan_cpu_region_create(struct kspan_heap *h, size_t chunk, gfp_t gfp,
						   struct module *owner) __must_check;
void kspan_cpu_region_destroy(struct kspan_cpu_region *cr);
struct kspan_region *kspan_cpu_region_get(struct kspan_cpu_region *cr, unsigned long *flags);
void kspan_cpu_region_put(struct kspan_cpu_region *cr, unsigned long flags);

/**
 * kspan_region_create() - make a region
 * @h:		heap that the chunks come from; the caller destroys it after the region; NULL
 *		for the default heap
 * @chunk:	bytes to take from @h at a time, rounded up to pages of 8 KiB, up to kmalloc's
 *		limit; 0 for 32 KiB
 * @gfp:	as for kspan_malloc()
 *
 * The first chunk is allocated here. The region belongs to the calling module; a region that
 * the module leaves behind is reported when the module is unloaded.
 *
 * Context: as kspan_malloc(), but not in an NMI.
 * Return: the region, to be ended by kspan_region_destroy(); NULL if there is no memory.
 */
static inline struct kspan_region *__must_check
kspan_region_create(struct kspan_heap *h, size_t chunk, gfp_t gfp)
{
	return __kspan_region_create(h, chunk, gfp, THIS_MODULE);
}

/**
 * kspan_cpu_region_create() - make a region for each CPU
 * @h:		as for kspan_region_create()
 * @chunk:	as for kspan_region_create()
 * @gfp:	as for kspan_region_create(); it must be one with which the caller may sleep, as
 *		GFP_KERNEL
 *
 * A CPU's first chunk is allocated with the first object on that CPU, on the CPU's node.
 *
 * Context: task; sleeps.
 * Return: the regions, to be ended by kspan_cpu_region_destroy(); NULL if there is no memory.
 */
static inline struct kspan_cpu_region *__must_check
kspan_cpu_region_create(struct kspan_heap *h, size_t chunk, gfp_t gfp)
{
	return __kspan_cpu_region_create(h, chunk, gfp, THIS_MODULE);
}

/**
 * kspan_region_alloc() - allocate an object of a region
 * @r:		the region; not NULL
 * @size:	bytes, up to kmalloc's limit; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * The object belongs to the region: it is freed when the region is released to an older mark,
 * reset or destroyed. kspan_free() of it is reported as a wrong free.
 *
 * Context: as kspan_malloc(), while nobody else uses @r. In an NMI only if @r is used by that
 * NMI alone.
 * Return: the object, aligned to 8 bytes; NULL if there is no memory, and @r is as it was.
 */
static __always_inline void *__must_check
kspan_region_alloc(struct kspan_region *r, size_t size, gfp_t gfp)
{
	unsigned long object = r->next;

	/* In other configurations might_alloc() checks nothing and only offers to be preempted. */
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP) || IS_ENABLED(CONFIG_LOCKDEP))
		might_alloc(gfp);
	/*
	 * Size 0 wraps to the largest one here. The room is a multiple of the alignment, so
	 * rounding up fits.
	 */
	if (unlikely(size - 1 >= r->end - object || (gfp & KSPAN_REGION_GFP_SLOW)))
		return kspan_region_alloc_slow(r, size, gfp);
	r->next = object + ((size + KSPAN_REGION_ALIGN - 1) & -KSPAN_REGION_ALIGN);
	return (void *)object;
}

#endif /* _LINUX_KSPAN_REGION_H */
