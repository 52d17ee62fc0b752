/* SPDX-License-Identifier: GPL-2.0 */
/* Copies of memory of users and others. */
#ifndef _LINUX_KSPAN_COPY_H
#define _LINUX_KSPAN_COPY_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/types.h>

struct kspan_heap;

void *kspan_heap_memdup_user(struct kspan_heap *heap, const void __user *src, size_t len)
	__must_check;
void *kspan_heap_memdup_user_nul(struct kspan_heap *heap, const void __user *src, size_t len)
	__must_check;
char *kspan_heap_strndup_user(struct kspan_heap *heap, const char __user *s, long n) __must_check;
void *kspan_heap_memdup_array_user(struct kspan_heap *heap, const void __user *src, size_t n,
				   size_t size) __must_check;
char *kspan_heap_memdup_nul(struct kspan_heap *heap, const char *s, size_t len, gfp_t gfp)
	__must_check;
void *kspan_heap_memdup_array(struct kspan_heap *heap, const void *src, size_t n, size_t size,
			      gfp_t gfp) __must_check __alloc_size(3, 4);

/** kspan_memdup_user() - kspan_heap_memdup_user() from the default heap */
static __always_inline __must_check
void *kspan_memdup_user(const void __user *src, size_t len)
{
	return kspan_heap_memdup_user(NULL, src, len);
}

/** kspan_memdup_user_nul() - kspan_heap_memdup_user_nul() from the default heap */
static __always_inline __must_check
void *kspan_memdup_user_nul(const void __user *src, size_t len)
{
	return kspan_heap_memdup_user_nul(NULL, src, len);
}

/** kspan_strndup_user() - kspan_heap_strndup_user() from the default heap */
static __always_inline __must_check
char *kspan_strndup_user(const char __user *s, long n)
{
	return kspan_heap_strndup_user(NULL, s, n);
}

/** kspan_memdup_array_user() - kspan_heap_memdup_array_user() from the default heap */
static __always_inline __must_check
void *kspan_memdup_array_user(const void __user *src, size_t n, size_t size)
{
	return kspan_heap_memdup_array_user(NULL, src, n, size);
}

/** kspan_memdup_nul() - kspan_heap_memdup_nul() from the default heap */
static __always_inline __must_check
char *kspan_memdup_nul(const char *s, size_t len, gfp_t gfp)
{
	return kspan_heap_memdup_nul(NULL, s, len, gfp);
}

/** kspan_memdup_array() - kspan_heap_memdup_array() from the default heap */
static __always_inline __must_check __alloc_size(2, 3)
void *kspan_memdup_array(const void *src, size_t n, size_t size, gfp_t gfp)
{
	return kspan_heap_memdup_array(NULL, src, n, size, gfp);
}

#endif /* _LINUX_KSPAN_COPY_H */
