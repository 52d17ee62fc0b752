/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Regions: objects that go together
 *
 * A region takes chunks of pages from a heap and puts objects into them, one
 * behind the other. No object is freed by itself: kspan_region_release() frees
 * all that came after a mark, kspan_region_reset() all there are. A region is
 * used by one at a time: whoever shares one has a lock of his own around every
 * call.
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

/* Every object of a region is aligned to it. */
#define KSPAN_REGION_ALIGN	8UL

/* Flags that ask for more than room. */
#define KSPAN_REGION_GFP_SLOW	(__GFP_ZERO | __GFP_DMA | __GFP_DMA32)

/**
 * struct kspan_region - what kspan_region_alloc() has to know of a region
 * @next:	where the next object starts
 * @end:	of the room for it; @next where memory has to be initialised
 *
 * Neither is for users to touch. There is more behind it.
 */
struct kspan_region {
	unsigned long next;
	unsigned long end;
};

/**
 * struct kspan_region_mark - how full a region was
 * @next:	its next object
 * @releases:	how many times it had been released
 * @chunks:	its chunks
 * @region:	its number
 *
 * For kspan_region_release(), and nobody else.
 */
struct kspan_region_mark {
	unsigned long next;
	u64 releases;
	u32 chunks;
	u32 region;
};

/**
 * struct kspan_region_stats - what a region has, in bytes
 * @used:	from where the first object of each chunk starts to where the last
 *		one ends
 * @held:	chunks, and those that are kept for reuse
 * @spare:	of these, those that are kept for reuse
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
 * @h:		heap that its chunks are from, which must live longer; NULL for the
 *		default heap
 * @chunk:	bytes to take from @h at a time, rounded up to pages of 8 KiB, up to
 *		kmalloc's limit; 0 for 32 KiB
 * @gfp:	as for kspan_malloc()
 *
 * The first chunk is taken here.
 *
 * Context: as kspan_malloc(), but not in an NMI.
 * Return: the region or NULL.
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
 * @gfp:	as for kspan_region_create(), GFP_KERNEL
 *
 * A CPU's first chunk is taken when an object is first allocated there, and is of
 * its node.
 *
 * Context: task; sleeps.
 * Return: the regions or NULL.
 */
static inline struct kspan_cpu_region *__must_check
kspan_cpu_region_create(struct kspan_heap *h, size_t chunk, gfp_t gfp)
{
	return __kspan_cpu_region_create(h, chunk, gfp, THIS_MODULE);
}

/**
 * kspan_region_alloc() - allocate an object of a region
 * @r:		the region
 * @size:	bytes, up to kmalloc's limit; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * The object goes with the region, or when the region is released or reset.
 * kspan_free() of it is a wrong free.
 *
 * Context: as kspan_malloc(), while nobody else uses @r; in an NMI only where
 * @r is used by nobody but that NMI.
 * Return: the object, aligned to 8, or NULL; then @r is as it was.
 */
static __always_inline void *__must_check
kspan_region_alloc(struct kspan_region *r, size_t size, gfp_t gfp)
{
	unsigned long object = r->next;

	/* Elsewhere it would only offer to be preempted. */
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP) || IS_ENABLED(CONFIG_LOCKDEP))
		might_alloc(gfp);
	/* 0 is the largest size by this; room is a multiple of the alignment. */
	if (unlikely(size - 1 >= r->end - object || (gfp & KSPAN_REGION_GFP_SLOW)))
		return kspan_region_alloc_slow(r, size, gfp);
	r->next = object + ((size + KSPAN_REGION_ALIGN - 1) & -KSPAN_REGION_ALIGN);
	return (void *)object;
}

#endif /* _LINUX_KSPAN_REGION_H */
