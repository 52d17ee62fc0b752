/* SPDX-License-Identifier: GPL-2.0 */
/* Private heaps and typed caches: how one is made, trimmed and destroyed. */
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
unsigned long kspan_private_live(struct kspan_heap *heap);
size_t kspan_private_trim(struct kspan_heap *heap);
void kspan_private_destroy(struct kspan_heap *heap);
void kspan_private_settle(void);
struct kspan_handle *kspan_private_handle(struct kspan_heap *heap);

#endif /* KSPAN_PRIVATE_H */
