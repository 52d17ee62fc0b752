/* SPDX-License-Identifier: GPL-2.0 */
/* The default heap, and what the files of the API share. */
#ifndef KSPAN_MALLOC_H
#define KSPAN_MALLOC_H

#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "heap.h"
#include "large.h"

extern struct kspan_heap kspan_default_heap;

#define KSPAN_GFP_REFUSED	(__GFP_DMA | __GFP_DMA32)

/* Requests that got NULL for what they asked, whatever memory there was. */
enum kspan_refusal {
	KSPAN_REFUSED_ZONE,
	KSPAN_REFUSED_SIZE,
	KSPAN_REFUSED_ALIGN,
	KSPAN_NR_REFUSALS,
};

unsigned long kspan_refused(enum kspan_refusal refusal);
void *kspan_refuse(enum kspan_refusal refusal, const char *why, unsigned long value, gfp_t gfp);
void *kspan_refuse_zone(gfp_t gfp);

void kspan_count_node(const void *object, int wanted);
void kspan_free_class(const void *p, unsigned int class);
void kspan_free_wrong(const void *p);

/**
 * kspan_object_class() - class of the page of any address
 * @p: address
 * Return: the class, 0 for none.
 */
static __always_inline unsigned int kspan_object_class(const void *p)
{
	unsigned long page = kspan_map_page((unsigned long)p);

	return likely(page < kspan_map.nr_pages) ? READ_ONCE(kspan_map.page_class[page]) : 0;
}

static __always_inline void kspan_check_context(gfp_t gfp)
{
	/* Elsewhere it would only offer to be preempted. */
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP) || IS_ENABLED(CONFIG_LOCKDEP))
		might_alloc(gfp);
}

/* Node whose objects this CPU caches; a hint, the task may move. */
static inline int kspan_home_node(void)
{
	return raw_cpu_ptr(kspan_default_heap.cpu)->nid;
}

/* kmemleak spins on locks of its own, so it is not told of what NMIs allocate. */
static __always_inline void kspan_remember(void *object, size_t size, gfp_t gfp)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && !in_nmi() && !(gfp & KSPAN_GFP_NOLOCK))
		kmemleak_alloc(object, size, 1, gfp);
}

/* @zero is what @gfp says of __GFP_ZERO, as a constant where the caller knows it. */
static __always_inline void *kspan_initialise(void *object, size_t size, gfp_t zero, gfp_t gfp)
{
	if (want_init_on_alloc(zero))
		memset(object, 0, size);
	kspan_remember(object, size, gfp);
	return object;
}

/* Only an address with a class is sure to have a struct page. */
static __always_inline bool kspan_is_remote(const struct kspan_cpu_cache *cache, const void *p,
					    unsigned int class)
{
	return static_branch_unlikely(&kspan_numa) && class &&
	       page_to_nid(virt_to_page(p)) != cache->nid;
}

#define kspan_count(event)	this_cpu_inc(kspan_default_heap.cpu->events[event])

#endif /* KSPAN_MALLOC_H */
