/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kspan: a general-purpose heap for kernel modules
 *
 * kspan_malloc() stands where kmalloc() stood; see Documentation/api.rst.
 * Pointers from here go back by kspan_free() only: kfree() of one, also by
 * way of kfree_rcu() or an skb, corrupts memory.
 *
 * Unless a function says otherwise it may be called from task, softirq and
 * hardirq context, where gfp flags say what an allocation may do. A size is in
 * bytes. Memory is aligned to the largest power of two that divides the
 * requested size, at least to 8, as kmalloc's of Linux 6.12 is.
 */
#ifndef _LINUX_KSPAN_H
#define _LINUX_KSPAN_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/types.h>

void kspan_free(const void *p);
void kspan_free_sensitive(const void *p);

void *kspan_malloc(size_t size, gfp_t gfp) __alloc_size(1);
void *kspan_zalloc(size_t size, gfp_t gfp) __alloc_size(1);
void *kspan_malloc_node(size_t size, gfp_t gfp, int node) __alloc_size(1);
void *kspan_malloc_array(size_t n, size_t size, gfp_t gfp) __alloc_size(1, 2);
void *kspan_calloc(size_t n, size_t size, gfp_t gfp) __alloc_size(1, 2);
void *kspan_realloc(const void *p, size_t size, gfp_t gfp) __alloc_size(2);

size_t kspan_size(const void *p);
size_t kspan_size_roundup(size_t size);
bool kspan_owns(const void *p);

void *kspan_memdup(const void *src, size_t len, gfp_t gfp);
char *kspan_strdup(const char *s, gfp_t gfp);

#endif /* _LINUX_KSPAN_H */
