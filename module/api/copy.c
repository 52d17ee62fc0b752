// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of memory of user space and of the kernel
 *
 * These functions are like the kernel's memdup_user() and its kin. Those that read user space
 * return ERR_PTR() and never NULL; the others return NULL on failure.
 */
#include <linux/kspan.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "api/alloc.h"
#include "objects/track.h"

/* Copy @len bytes of user space. @more bytes follow the copy; the caller writes to them. */
static void *copy_user(struct kspan_heap *heap, const void __user *src, size_t len, size_t more,
		       gfp_t gfp, unsigned long site)
{
	size_t bytes;
	void *p;

	if (check_add_overflow(len, more, &bytes))
		return ERR_PTR(-ENOMEM);
	p = __kspan_heap_malloc_site(heap, bytes, gfp, NUMA_NO_NODE, site);
	if (!p)
		return ERR_PTR(-ENOMEM);
	if (!copy_from_user(p, src, len))
		return p;
	kspan_free(p);
	return ERR_PTR(-EFAULT);
}

/**
 * kspan_heap_memdup_user() - copy memory of user space
 * @heap:	where the copy comes from; NULL for the default heap
 * @src:	address in user space
 * @len:	bytes
 *
 * Like memdup_user(). A failure is not logged.
 *
 * Context: task; sleeps.
 * Return: the copy, to be freed by kspan_free(); ERR_PTR(-EFAULT) if @src can't be read;
 * ERR_PTR(-ENOMEM) if there is no memory. Never NULL.
 */
void *kspan_heap_memdup_user(struct kspan_heap *heap, const void __user *src, size_t len)
{
	return copy_user(heap, src, len, 0, GFP_USER | __GFP_NOWARN, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_memdup_user);

/**
 * kspan_heap_memdup_user_nul() - copy memory of user space and append a 0 byte
 * @heap:	where the copy comes from; NULL for the default heap
 * @src:	address in user space
 * @len:	bytes, without the 0 byte
 *
 * Like memdup_user_nul().
 *
 * Context: task; sleeps.
 * Return: as kspan_heap_memdup_user().
 */
void *kspan_heap_memdup_user_nul(struct kspan_heap *heap, const void __user *src, size_t len)
{
	char *p = copy_user(heap, src, len, 1, GFP_USER | __GFP_NOWARN, _RET_IP_);

	if (!IS_ERR(p))
		p[len] = '\0';
	return p;
}
EXPORT_SYMBOL_GPL(kspan_heap_memdup_user_nul);

/**
 * kspan_heap_strndup_user() - copy a string of user space
 * @heap:	where the copy comes from; NULL for the default heap
 * @s:		address in user space
 * @n:		most bytes that the string may have, its 0 byte included
 *
 * Like strndup_user(): a longer string is an error and is not cut.
 *
 * Context: task; sleeps.
 * Return: the copy, which ends with a 0 byte, to be freed by kspan_free(); ERR_PTR(-EINVAL) if
 * the string is longer; else as kspan_heap_memdup_user().
 */
char *kspan_heap_strndup_user(struct kspan_heap *heap, const char __user *s, long n)
{
	long len = strnlen_user(s, n);
	char *p;

	if (!len)
		return ERR_PTR(-EFAULT);
	if (len > n)
		return ERR_PTR(-EINVAL);
	p = copy_user(heap, s, len, 0, GFP_USER | __GFP_NOWARN, _RET_IP_);
	/* User space may have overwritten the 0 byte meanwhile. */
	if (!IS_ERR(p))
		p[len - 1] = '\0';
	return p;
}
EXPORT_SYMBOL_GPL(kspan_heap_strndup_user);

/**
 * kspan_heap_memdup_array_user() - copy an array of user space
 * @heap:	where the copy comes from; NULL for the default heap
 * @src:	address in user space
 * @n:		number of elements
 * @size:	bytes of one element
 *
 * Like memdup_array_user().
 *
 * Context: task; sleeps.
 * Return: as kspan_heap_memdup_user(); ERR_PTR(-EOVERFLOW) if @n * @size overflows a size_t.
 */
void *kspan_heap_memdup_array_user(struct kspan_heap *heap, const void __user *src, size_t n,
				   size_t size)
{
	size_t bytes;

	if (check_mul_overflow(n, size, &bytes))
		return ERR_PTR(-EOVERFLOW);
	return copy_user(heap, src, bytes, 0, GFP_USER | __GFP_NOWARN, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_memdup_array_user);

/**
 * kspan_heap_memdup_nul() - copy bytes and append a 0 byte
 * @heap:	where the copy comes from; NULL for the default heap
 * @s:		the bytes, or NULL
 * @len:	number of bytes, without the 0 byte
 * @gfp:	as for kspan_malloc()
 *
 * Like kmemdup_nul().
 *
 * Context: as kspan_malloc().
 * Return: the copy, to be freed by kspan_free(); NULL if @s is NULL or there is no memory.
 */
char *kspan_heap_memdup_nul(struct kspan_heap *heap, const char *s, size_t len, gfp_t gfp)
{
	size_t bytes;
	char *p;

	if (!s || check_add_overflow(len, (size_t)1, &bytes))
		return NULL;
	p = __kspan_heap_malloc_site(heap, bytes, gfp, NUMA_NO_NODE, _RET_IP_);
	if (!p)
		return NULL;
	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}
EXPORT_SYMBOL_GPL(kspan_heap_memdup_nul);

/**
 * kspan_heap_memdup_array() - copy an array
 * @heap:	where the copy comes from; NULL for the default heap
 * @src:	the array
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_malloc()
 *
 * Like kmemdup_array().
 *
 * Context: as kspan_malloc().
 * Return: the copy, to be freed by kspan_free(); NULL if there is no memory or @n * @size
 * overflows a size_t.
 */
void *kspan_heap_memdup_array(struct kspan_heap *heap, const void *src, size_t n, size_t size,
			      gfp_t gfp)
{
	size_t bytes;
	void *p;

	if (check_mul_overflow(n, size, &bytes))
		return NULL;
	p = __kspan_heap_malloc_site(heap, bytes, gfp, NUMA_NO_NODE, _RET_IP_);
	return p ? memcpy(p, src, bytes) : NULL;
}
EXPORT_SYMBOL_GPL(kspan_heap_memdup_array);
