// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of what users and others have
 *
 * As the kernel's memdup_user() and its kin, which say in an ERR_PTR() what went wrong.
 */
#include <linux/kspan.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "api/alloc.h"
#include "objects/track.h"

/* With @more bytes behind, which are the caller's to write. */
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
 * kspan_heap_memdup_user() - copy memory of a user
 * @heap:	the heap; NULL for the default heap
 * @src:	address in user space
 * @len:	bytes
 *
 * Context: task; sleeps.
 * Return: the copy; ERR_PTR(-EFAULT) or ERR_PTR(-ENOMEM), of which the log is not told.
 */
void *kspan_heap_memdup_user(struct kspan_heap *heap, const void __user *src, size_t len)
{
	return copy_user(heap, src, len, 0, GFP_USER | __GFP_NOWARN, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_memdup_user);

/**
 * kspan_heap_memdup_user_nul() - copy memory of a user, and end it with a 0
 * @heap:	the heap; NULL for the default heap
 * @src:	address in user space
 * @len:	bytes, without the 0
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
 * kspan_heap_strndup_user() - copy a string of a user
 * @heap:	the heap; NULL for the default heap
 * @s:		address in user space
 * @n:		most bytes, the terminating 0 counted
 *
 * Context: task; sleeps.
 * Return: the copy, terminated; ERR_PTR(-EINVAL) for a longer string, or as
 * kspan_heap_memdup_user().
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
	/* The user may have changed it. */
	if (!IS_ERR(p))
		p[len - 1] = '\0';
	return p;
}
EXPORT_SYMBOL_GPL(kspan_heap_strndup_user);

/**
 * kspan_heap_memdup_array_user() - copy an array of a user
 * @heap:	the heap; NULL for the default heap
 * @src:	address in user space
 * @n:		elements
 * @size:	bytes of an element
 *
 * Context: task; sleeps.
 * Return: as kspan_heap_memdup_user(); ERR_PTR(-EOVERFLOW) when @n * @size does not fit a
 * size_t.
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
 * kspan_heap_memdup_nul() - copy bytes, and end them with a 0
 * @heap:	the heap; NULL for the default heap
 * @s:		bytes, or NULL
 * @len:	how many, without the 0
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the copy; NULL for NULL.
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
 * @heap:	the heap; NULL for the default heap
 * @src:	the array
 * @n:		elements
 * @size:	bytes of an element
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the copy; NULL also when @n * @size does not fit a size_t.
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
