/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies of memory of user space and of the kernel, as by memdup_user() and its kin
 *
 * Functions that read user space return ERR_PTR() on failure, never NULL. All others return
 * NULL.
 */
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

/**
 * kspan_memdup_user() - copy memory of user space
 * @src:	address in user space
 * @len:	bytes
 *
 * Like memdup_user(); the copy comes from the default heap.
 *
 * Context: task; sleeps.
 * Return: as kspan_heap_memdup_user().
 */
static __always_inline __must_check
void *kspan_memdup_user(const void __user *src, size_t len)
{
	return kspan_heap_memdup_user(NULL, src, len);
}

/**
 * kspan_memdup_user_nul() - copy memory of user space and append a 0 byte
 * @src:	address in user space
 * @len:	bytes, without the 0 byte
 *
 * Like memdup_user_nul(); the copy comes from the default heap.
 *
 * Context: task; sleeps.
 * Return: as kspan_heap_memdup_user().
 */
static __always_inline __must_check
void *kspan_memdup_user_nul(const void __user *src, size_t len)
{
	return kspan_heap_memdup_user_nul(NULL, src, len);
}

/**
 * kspan_strndup_user() - copy a string of user space
 * @s:		address in user space
 * @n:		most bytes that the string may have, its 0 byte included
 *
 * Like strndup_user(); the copy comes from the default heap.
 *
 * Context: task; sleeps.
 * Return: as kspan_heap_strndup_user().
 */
static __always_inline __must_check
char *kspan_strndup_user(const char __user *s, long n)
{
	return kspan_heap_strndup_user(NULL, s, n);
}

/**
 * kspan_memdup_array_user() - copy an array of user space
 * @src:	address in user space
 * @n:		number of elements
 * @size:	bytes of one element
 *
 * Like memdup_array_user(); the copy comes from the default heap.
 *
 * Context: task; sleeps.
 * Return: as kspan_heap_memdup_array_user().
 */
static __always_inline __must_check
void *kspan_memdup_array_user(const void __user *src, size_t n, size_t size)
{
	return kspan_heap_memdup_array_user(NULL, src, n, size);
}

/**
 * kspan_memdup_nul() - copy bytes and append a 0 byte
 * @s:		the bytes, or NULL
 * @len:	number of bytes, without the 0 byte
 * @gfp:	as for kspan_malloc()
 *
 * Like kmemdup_nul(); the copy comes from the default heap.
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_memdup_nul().
 */
static __always_inline __must_check
char *kspan_memdup_nul(const char *s, size_t len, gfp_t gfp)
{
	return kspan_heap_memdup_nul(NULL, s, len, gfp);
}

/**
 * kspan_memdup_array() - copy an array
 * @src:	the array
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_malloc()
 *
 * Like kmemdup_array(); the copy comes from the default heap.
 *
 * Context: as kspan_malloc().
 * Return: as kspan_heap_memdup_array().
 */
static __always_inline __must_check __alloc_size(2, 3)
void *kspan_memdup_array(const void *src, size_t n, size_t size, gfp_t gfp)
{
	return kspan_heap_memdup_array(NULL, src, n, size, gfp);
}

#endif /* _LINUX_KSPAN_COPY_H */
