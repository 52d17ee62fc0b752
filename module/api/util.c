// SPDX-License-Identifier: GPL-2.0
/* Copies of memory and strings, formatted strings, and the callbacks of mempools */
#include <linux/kernel.h>
#include <linux/kspan.h>
#include <linux/string.h>

#include "api/alloc.h"
#include "objects/track.h"

/**
 * kspan_heap_memdup() - copy memory to a heap
 * @heap:	where the copy comes from; NULL for the default heap
 * @src:	the bytes to copy
 * @len:	number of bytes
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_memdup().
 */
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
 * @src:	the bytes to copy
 * @len:	number of bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * Like kmemdup().
 *
 * Context: as kspan_malloc().
 * Return: the copy, to be freed by kspan_free(); NULL if there is no memory.
 */
void *kspan_memdup(const void *src, size_t len, gfp_t gfp)
{
	return kspan_heap_memdup(&kspan_default_heap, src, len, gfp);
}
EXPORT_SYMBOL_GPL(kspan_memdup);

/**
 * kspan_heap_strdup() - copy a string to a heap
 * @heap:	where the copy comes from; NULL for the default heap
 * @s:		the string, or NULL
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_strdup().
 */
char *kspan_heap_strdup(struct kspan_heap *heap, const char *s, gfp_t gfp)
{
	char *copy = s ? kspan_heap_memdup(heap, s, strlen(s) + 1, gfp) : NULL;

	return kspan_track(kspan_heap_or_default(heap), copy, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kspan_heap_strdup);

/**
 * kspan_strdup() - copy a string
 * @s:		the string, or NULL
 * @gfp:	as for kspan_malloc()
 *
 * Like kstrdup().
 *
 * Context: as kspan_malloc().
 * Return: the copy, to be freed by kspan_free(); NULL if @s is NULL or there is no memory.
 */
char *kspan_strdup(const char *s, gfp_t gfp)
{
	return kspan_heap_strdup(&kspan_default_heap, s, gfp);
}
EXPORT_SYMBOL_GPL(kspan_strdup);

/**
 * kspan_heap_strndup() - copy the start of a string to a heap
 * @heap:	where the copy comes from; NULL for the default heap
 * @s:		the string, or NULL
 * @max:	as for kspan_strndup()
 * @gfp:	as for kspan_malloc()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_strndup().
 */
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
 * @s:		the string, or NULL; it need not end with a 0 byte within @max bytes
 * @max:	most bytes to copy, without the 0 byte
 * @gfp:	as for kspan_malloc()
 *
 * Like kstrndup().
 *
 * Context: as kspan_malloc().
 * Return: the copy, which ends with a 0 byte, to be freed by kspan_free(); NULL if @s is NULL
 * or there is no memory.
 */
char *kspan_strndup(const char *s, size_t max, gfp_t gfp)
{
	return kspan_heap_strndup(&kspan_default_heap, s, max, gfp);
}
EXPORT_SYMBOL_GPL(kspan_strndup);

/**
 * kspan_heap_vasprintf() - format a string into memory of a heap
 * @heap:	where the string comes from; NULL for the default heap
 * @gfp:	as for kspan_malloc()
 * @fmt:	format as for printf()
 * @args:	the arguments of @fmt
 *
 * Context: as kspan_malloc().
 * Return: as kspan_vasprintf().
 */
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
 * @fmt:	format as for printf()
 * @args:	the arguments of @fmt. They must not change meanwhile: the format is evaluated
 *		twice, and a different length is warned of.
 *
 * Like kvasprintf().
 *
 * Context: as kspan_malloc().
 * Return: the string, to be freed by kspan_free(); NULL if there is no memory.
 */
char *kspan_vasprintf(gfp_t gfp, const char *fmt, va_list args)
{
	return kspan_heap_vasprintf(&kspan_default_heap, gfp, fmt, args);
}
EXPORT_SYMBOL_GPL(kspan_vasprintf);

/**
 * kspan_heap_asprintf() - format a string into memory of a heap
 * @heap:	where the string comes from; NULL for the default heap
 * @gfp:	as for kspan_malloc()
 * @fmt:	format as for printf(), followed by its arguments
 *
 * Context: as kspan_malloc().
 * Return: as kspan_vasprintf().
 */
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
 * @fmt:	format as for printf(), followed by its arguments
 *
 * Like kasprintf().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_vasprintf().
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
 * kspan_heap_tiny_strdup() - copy a string that is likely to be short to a heap
 * @heap:	where the copy comes from; NULL for the default heap
 * @s:		the string, or NULL
 * @gfp:	as for kspan_malloc()
 *
 * Strings of up to 14 bytes share slots of 16 bytes, see kspan_tiny_alloc().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_strdup().
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
 * @s:		the string, or NULL
 * @gfp:	as for kspan_malloc()
 *
 * Strings of up to 14 bytes share slots of 16 bytes, see kspan_tiny_alloc().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_strdup().
 */
char *kspan_tiny_strdup(const char *s, gfp_t gfp)
{
	return kspan_heap_tiny_strdup(&kspan_default_heap, s, gfp);
}
EXPORT_SYMBOL_GPL(kspan_tiny_strdup);

/**
 * kspan_mempool_alloc() - allocate an element of a mempool by kspan_malloc()
 * @gfp:	as for kspan_malloc()
 * @size:	bytes of an element, cast to a pointer: the mempool's pool_data
 *
 * This is a mempool_alloc_t for mempool_create() and mempool_init().
 *
 * Context: as kspan_malloc().
 * Return: the element; NULL if there is no memory.
 */
void *kspan_mempool_alloc(gfp_t gfp, void *size)
{
	return kspan_malloc((size_t)size, gfp);
}
EXPORT_SYMBOL_GPL(kspan_mempool_alloc);

/**
 * kspan_mempool_free() - free an element of a mempool by kspan_free()
 * @element:	the element
 * @size:	the mempool's pool_data; not used
 *
 * This is a mempool_free_t for mempool_create() and mempool_init().
 *
 * Context: as kspan_free().
 */
void kspan_mempool_free(void *element, void *size)
{
	kspan_free(element);
}
EXPORT_SYMBOL_GPL(kspan_mempool_free);

/**
 * kspan_mempool_alloc_cache() - allocate an element of a mempool from a typed cache
 * @gfp:	as for kspan_cache_alloc()
 * @cache:	the struct kspan_cache: the mempool's pool_data
 *
 * This is a mempool_alloc_t for mempool_create() and mempool_init().
 *
 * Context: as kspan_malloc().
 * Return: the element; NULL if there is no memory.
 */
void *kspan_mempool_alloc_cache(gfp_t gfp, void *cache)
{
	return kspan_cache_alloc(cache, gfp);
}
EXPORT_SYMBOL_GPL(kspan_mempool_alloc_cache);

/**
 * kspan_mempool_free_cache() - free an element of a mempool to its typed cache
 * @element:	the element
 * @cache:	the struct kspan_cache: the mempool's pool_data
 *
 * This is a mempool_free_t for mempool_create() and mempool_init().
 *
 * Context: as kspan_free().
 */
void kspan_mempool_free_cache(void *element, void *cache)
{
	kspan_cache_free(cache, element);
}
EXPORT_SYMBOL_GPL(kspan_mempool_free_cache);
