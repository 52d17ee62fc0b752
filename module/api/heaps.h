/* SPDX-License-Identifier: GPL-2.0 */
/* The list of all private heaps and typed caches, and what is done to each of them. */
#ifndef KSPAN_HEAPS_H
#define KSPAN_HEAPS_H

#include "objects/heap.h"

void kspan_private_publish(struct kspan_heap *heap, unsigned long site);
void kspan_private_unpublish(struct kspan_heap *heap);
struct kspan_private *kspan_heaps_first(void);

void kspan_private_prepare_cpu(unsigned int cpu);
void kspan_private_drain_cpu(unsigned int cpu);
void kspan_private_trim_all(void);
void kspan_private_forget(const struct module *module);

int kspan_heaps_set_profile_rate(unsigned long rate);

typedef void (*kspan_heap_fn)(struct kspan_heap *heap, void *data);
void kspan_visit_heaps(kspan_heap_fn fn, void *data);
bool kspan_try_visit_heaps(kspan_heap_fn fn, void *data);
void kspan_peek_heaps(kspan_heap_fn fn, void *data);

#endif /* KSPAN_HEAPS_H */
