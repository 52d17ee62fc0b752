/* SPDX-License-Identifier: GPL-2.0 */
/* Helpers of all suites: the consistency check, a clean start, and injected failures. */
#ifndef KSPAN_KUNIT_H
#define KSPAN_KUNIT_H

#include <kunit/test.h>
#include <linux/kmsg_dump.h>
#include <linux/prandom.h>

#include "api/alloc.h"
#include "api/object.h"
#include "objects/bad_free.h"
#include "objects/capacity.h"
#include "objects/cpu_caches.h"
#include "objects/deferred.h"
#include "objects/large.h"
#include "observe/stats.h"
#include "pages/hooks.h"
#include "pages/spare.h"
#include "reclaim/reclaim.h"
#include "reclaim/relief.h"
#include "reclaim/scavenger.h"

#define KSPAN_KUNIT_PAGES(n)	((unsigned long)(n) << KSPAN_PAGE_SHIFT)

extern unsigned long kspan_kunit_rate_before;

/* The module parameter seed. 0 is for random seeds. */
extern unsigned long kspan_kunit_seed;

/**
 * struct kspan_finding - the first error in a heap
 * @what:	what is wrong; NULL for no error
 * @addr:	of the page, object or structure that is wrong
 * @got:	value found
 * @want:	value expected
 */
struct kspan_finding {
	const char *what;
	unsigned long addr;
	u64 got;
	u64 want;
};

void kspan_find_inconsistency(struct kspan_heap *heap, struct kspan_finding *finding);
void kspan_verify(struct kunit *test, struct kspan_heap *heap);

int kspan_kunit_init(struct kunit *test);
void kspan_kunit_exit(struct kunit *test);
struct kspan_heap *kspan_kunit_heap(struct kunit *test);
void kspan_kunit_settle(void);
void kspan_kunit_forget_scarcity(void);
int kspan_kunit_pin(struct kunit *test);
void kspan_kunit_warm(struct kunit *test, size_t size);
int kspan_kunit_other_node(int nid);
size_t kspan_kunit_align(size_t size);
void kspan_kunit_fill(void *p, int byte);
bool kspan_kunit_filled(const void *p, int byte);
u64 kspan_kunit_random_seed(struct kunit *test);
unsigned long kspan_kunit_out(struct kspan_heap *heap, unsigned int class);

void kspan_kunit_log_begin(struct kmsg_dump_iter *log);
bool kspan_kunit_logged(const struct kmsg_dump_iter *log, const char *text);

void kspan_kunit_needs_faults(struct kunit *test);
void kspan_kunit_fail_arenas(unsigned int first, int times);
unsigned int kspan_kunit_stop_failing(void);
void kspan_kunit_fail_nth(unsigned int nth);
bool kspan_kunit_nth_failed(void);

/* The map's entry with the class of a page. A case may write it. */
static inline u16 *kspan_kunit_page_entry(unsigned long addr)
{
	struct kspan_class_map classes = kspan_map_classes(page_to_nid(virt_to_page((void *)addr)));
	unsigned long page = kspan_map_page(addr);

	return &classes.sector[page >> KSPAN_SECTOR_SHIFT][page % KSPAN_SECTOR_PAGES];
}

static inline unsigned int kspan_kunit_page_class(unsigned long addr)
{
	return kspan_entry_class(*kspan_kunit_page_entry(addr));
}

/* Most objects of a magazine of a class. */
static inline unsigned int kspan_kunit_cap(unsigned int class)
{
	return kspan_magazine_cap(&kspan_size_classes[class]);
}

/* A random number below @n. */
static inline u32 kspan_kunit_below(struct rnd_state *rnd, u32 n)
{
	return ((u64)prandom_u32_state(rnd) * n) >> 32;
}

#endif /* KSPAN_KUNIT_H */
