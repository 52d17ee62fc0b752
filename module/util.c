// SPDX-License-Identifier: GPL-2.0
/*
 * Copies, strings and mempools
 */
#include <linux/kernel.h>
#include <linux/kspan.h>
#include <linux/string.h>

#include "malloc.h"

/**
 * kspan_memdup() - copy memory
 * @src:	bytes to copy
 * @len:	how many
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the copy or NULL.
 */
void *kspan_memdup(const void *src, size_t len, gfp_t gfp)
{
	void *object = kspan_malloc(len, gfp);

	if (object)
		memcpy(object, src, len);
	return object;
}
EXPORT_SYMBOL_GPL(kspan_memdup);

/**
 * kspan_strdup() - copy a string
 * @s:		string, or NULL
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the copy; NULL for NULL.
 */
char *kspan_strdup(const char *s, gfp_t gfp)
{
	return s ? kspan_memdup(s, strlen(s) + 1, gfp) : NULL;
}
EXPORT_SYMBOL_GPL(kspan_strdup);

/**
 * kspan_strndup() - copy the start of a string
 * @s:		string, or NULL
 * @max:	most bytes to copy, the terminating 0 not counted
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: the copy, terminated; NULL for NULL.
 */
char *kspan_strndup(const char *s, size_t max, gfp_t gfp)
{
	size_t len;
	char *copy;

	if (!s)
		return NULL;
	len = strnlen(s, max);
	copy = kspan_malloc(len + 1, gfp);
	if (copy) {
		memcpy(copy, s, len);
		copy[len] = '\0';
	}
	return copy;
}
EXPORT_SYMBOL_GPL(kspan_strndup);

/**
 * kspan_vasprintf() - format a string into new memory
 * @gfp:	as for kspan_malloc()
 * @fmt:	format
 * @args:	its arguments
 *
 * Context: as kspan_malloc().
 * Return: the string or NULL.
 */
char *kspan_vasprintf(gfp_t gfp, const char *fmt, va_list args)
{
	unsigned int first, second;
	va_list again;
	char *s;

	va_copy(again, args);
	first = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	s = kspan_malloc((size_t)first + 1, gfp);
	if (!s)
		return NULL;
	second = vsnprintf(s, (size_t)first + 1, fmt, args);
	WARN(first != second, "an argument of \"%s\" changed: %u bytes, then %u\n", fmt, first,
	     second);
	return s;
}
EXPORT_SYMBOL_GPL(kspan_vasprintf);

/**
 * kspan_asprintf() - format a string into new memory
 * @gfp:	as for kspan_malloc()
 * @fmt:	format
 *
 * Context: as kspan_malloc().
 * Return: the string or NULL.
 */
char *kspan_asprintf(gfp_t gfp, const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	s = kspan_vasprintf(gfp, fmt, args);
	va_end(args);
	return s;
}
EXPORT_SYMBOL_GPL(kspan_asprintf);

/**
 * kspan_mempool_alloc() - the mempool_alloc_t of kspan_malloc()
 * @gfp:	as for kspan_malloc()
 * @size:	bytes of an element, cast to a pointer
 *
 * Context: as kspan_malloc().
 * Return: the element or NULL.
 */
void *kspan_mempool_alloc(gfp_t gfp, void *size)
{
	return kspan_malloc((size_t)size, gfp);
}
EXPORT_SYMBOL_GPL(kspan_mempool_alloc);

/**
 * kspan_mempool_free() - the mempool_free_t of kspan_free()
 * @element:	the element
 * @size:	unused
 *
 * Context: as kspan_free().
 */
void kspan_mempool_free(void *element, void *size)
{
	kspan_free(element);
}
EXPORT_SYMBOL_GPL(kspan_mempool_free);
