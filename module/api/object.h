/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is at an address: whether it is an object, its size, heap and class. kspan_hold() keeps
 * an object from becoming other memory while it is read.
 */
#ifndef KSPAN_OBJECT_H
#define KSPAN_OBJECT_H

#include "objects/lookup.h"

struct kspan_heap;

unsigned int kspan_object_class(const void *p);
struct kspan_heap *kspan_object_heap(const void *p);
struct kspan_heap *kspan_small_heap(unsigned long addr, unsigned int *class);
bool kspan_object_is_out(const void *p, unsigned int page_class);

size_t kspan_hold(const void *p, struct kspan_found *held);
void kspan_let_go(const struct kspan_found *held);

#endif /* KSPAN_OBJECT_H */
