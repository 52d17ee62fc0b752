/* SPDX-License-Identifier: GPL-2.0 */
/* Private heaps: how they come and go, and what is done to all of them. */
#ifndef KSPAN_PRIVATE_H
#define KSPAN_PRIVATE_H

#include <linux/kspan.h>

#include "objects/heap.h"
#include "objects/limit.h"

int kspan_private_init(void);
void kspan_private_exit(void);

struct kspan_heap *kspan_private_create(const char *name, const struct kspan_size_class *slot,
					unsigned int flags, void (*ctor)(void *object),
					struct module *owner);
void kspan_private_publish(struct kspan_heap *heap, unsigned long site);
unsigned long kspan_private_live(struct kspan_heap *heap);
size_t kspan_private_trim(struct kspan_heap *heap);
void kspan_private_destroy(struct kspan_heap *heap);
void kspan_private_settle(void);
struct kspan_handle *kspan_private_handle(struct kspan_heap *heap);
void kspan_private_forget(const struct module *module);

void kspan_private_prepare_cpu(unsigned int cpu);
void kspan_private_drain_cpu(unsigned int cpu);
void kspan_private_trim_all(void);

typedef void (*kspan_heap_fn)(struct kspan_heap *heap, void *data);
void kspan_visit_heaps(kspan_heap_fn fn, void *data);
bool kspan_try_visit_heaps(kspan_heap_fn fn, void *data);
void kspan_peek_heaps(kspan_heap_fn fn, void *data);

#endif /* KSPAN_PRIVATE_H */
