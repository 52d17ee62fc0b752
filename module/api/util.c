// SPDX-License-Identifier: GPL-2.0
/*
 * Copies, strings and mempools
 */
#include <linux/kernel.h>
#include <linux/kspan.h>
#include <linux/string.h>

#include "api/alloc.h"
#include "objects/track.h"

/** kspan_heap_memdup() - kspan_memdup() from a heap; NULL: the default heap */
void *kspan_heap_memdup(struct kspan_heap *heap, const void *src, size_t len, gfp_t gfp)
{
	void *object;

	heap = kspan_heap_or_default(heap);
	object = kspan_track(heap, kspan_malloc_from(heap, len, gfp), _RET_IP_);
	if (object)
		memcpy(object, src, len);
	return object;
}
EXPORT_SYMBOL_GPL(kspan_heap_memdup);

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
	return kspan_heap_memdup(&kspan_default_heap, src, len, gfp);
}
EXPORT_SYMBOL_GPL(kspan_memdup);

/** kspan_heap_strdup() - kspan_strdup() from a heap; NULL: the default heap */
char *kspan_heap_strdup(struct kspan_heap *heap, const char *s, gfp_t gfp)
{
	char *copy = s ? kspan_heap_memdup(heap, s, strlen(s) + 1, gfp) : NULL;

	return kspan_track(kspan_heap_or_default(heap), copy, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_strdup);

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
	return kspan_heap_strdup(&kspan_default_heap, s, gfp);
}
EXPORT_SYMBOL_GPL(kspan_strdup);

/** kspan_heap_strndup() - kspan_strndup() from a heap; NULL: the default heap */
char *kspan_heap_strndup(struct kspan_heap *heap, const char *s, size_t max, gfp_t gfp)
{
	size_t len;
	char *copy;

	if (!s)
		return NULL;
	heap = kspan_heap_or_default(heap);
	len = strnlen(s, max);
	copy = kspan_malloc_from(heap, len + 1, gfp);
	if (copy) {
		memcpy(copy, s, len);
		copy[len] = '\0';
	}
	return kspan_track(heap, copy, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_strndup);

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
	return kspan_heap_strndup(&kspan_default_heap, s, max, gfp);
}
EXPORT_SYMBOL_GPL(kspan_strndup);

/** kspan_heap_vasprintf() - kspan_vasprintf() from a heap; NULL: the default heap */
char *kspan_heap_vasprintf(struct kspan_heap *heap, gfp_t gfp, const char *fmt, va_list args)
{
	unsigned int first, second;
	va_list again;
	char *s;

	heap = kspan_heap_or_default(heap);
	va_copy(again, args);
	first = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	s = kspan_malloc_from(heap, (size_t)first + 1, gfp);
	if (!s)
		return NULL;
	second = vsnprintf(s, (size_t)first + 1, fmt, args);
	WARN(first != second, "an argument of \"%s\" changed: %u bytes, then %u\n", fmt, first,
	     second);
	return kspan_track(heap, s, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_vasprintf);

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
	return kspan_heap_vasprintf(&kspan_default_heap, gfp, fmt, args);
}
EXPORT_SYMBOL_GPL(kspan_vasprintf);

/** kspan_heap_asprintf() - kspan_asprintf() from a heap; NULL: the default heap */
char *kspan_heap_asprintf(struct kspan_heap *heap, gfp_t gfp, const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	s = kspan_heap_vasprintf(heap, gfp, fmt, args);
	va_end(args);
	return kspan_track(kspan_heap_or_default(heap), s, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_asprintf);

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
 * kspan_heap_tiny_strdup() - copy a string that is likely to be short
 * @heap:	the heap; NULL for the default heap
 * @s:		string, or NULL
 * @gfp:	as for kspan_malloc()
 *
 * Strings of up to 14 bytes share blocks of 16 bytes, as kspan_tiny_alloc() has
 * it.
 *
 * Context: as kspan_malloc().
 * Return: the copy; NULL for NULL.
 */
char *kspan_heap_tiny_strdup(struct kspan_heap *heap, const char *s, gfp_t gfp)
{
	size_t size;
	char *copy;

	if (!s)
		return NULL;
	heap = kspan_heap_or_default(heap);
	size = strlen(s) + 1;
	copy = kspan_tiny_alloc_of(heap, size, kspan_heap_gfp(heap, gfp));
	if (copy)
		memcpy(copy, s, size);
	return kspan_track(heap, copy, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_tiny_strdup);

/**
 * kspan_tiny_strdup() - copy a string that is likely to be short
 * @s:		string, or NULL
 * @gfp:	as for kspan_malloc()
 *
 * As kspan_heap_tiny_strdup().
 *
 * Context: as kspan_malloc().
 * Return: the copy; NULL for NULL.
 */
char *kspan_tiny_strdup(const char *s, gfp_t gfp)
{
	return kspan_heap_tiny_strdup(&kspan_default_heap, s, gfp);
}
EXPORT_SYMBOL_GPL(kspan_tiny_strdup);

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

/**
 * kspan_mempool_alloc_cache() - the mempool_alloc_t of kspan_cache_alloc()
 * @gfp:	as for kspan_cache_alloc()
 * @cache:	the struct kspan_cache
 *
 * Context: as kspan_malloc().
 * Return: the element or NULL.
 */
void *kspan_mempool_alloc_cache(gfp_t gfp, void *cache)
{
	return kspan_cache_alloc(cache, gfp);
}
EXPORT_SYMBOL_GPL(kspan_mempool_alloc_cache);

/**
 * kspan_mempool_free_cache() - the mempool_free_t of kspan_cache_free()
 * @element:	the element
 * @cache:	the struct kspan_cache
 *
 * Context: as kspan_free().
 */
void kspan_mempool_free_cache(void *element, void *cache)
{
	kspan_cache_free(cache, element);
}
EXPORT_SYMBOL_GPL(kspan_mempool_free_cache);
