/* SPDX-License-Identifier: GPL-2.0 */
/* Objects that are freed when a driver is unbound from its device, as those of devm_kmalloc() */
#ifndef _LINUX_KSPAN_DEVM_H
#define _LINUX_KSPAN_DEVM_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/overflow.h>
#include <linux/stdarg.h>

struct device;

void *devm_kspan_malloc(struct device *dev, size_t size, gfp_t gfp) __must_check __alloc_size(2);
void *devm_kspan_memdup(struct device *dev, const void *src, size_t len, gfp_t gfp)
	__must_check __alloc_size(3);
char *devm_kspan_strdup(struct device *dev, const char *s, gfp_t gfp) __must_check;
char *devm_kspan_vasprintf(struct device *dev, gfp_t gfp, const char *fmt, va_list args)
	__must_check __printf(3, 0);
char *devm_kspan_asprintf(struct device *dev, gfp_t gfp, const char *fmt, ...)
	__must_check __printf(3, 4);
void devm_kspan_free(struct device *dev, const void *p);

/**
 * devm_kspan_zalloc() - allocate zeroed memory that is freed when the driver is unbound
 * @dev:	the device
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * Like devm_kzalloc().
 *
 * Context: as devm_kspan_malloc().
 * Return: as devm_kspan_malloc().
 */
static __always_inline __must_check __alloc_size(2)
void *devm_kspan_zalloc(struct device *dev, size_t size, gfp_t gfp)
{
	return devm_kspan_malloc(dev, size, gfp | __GFP_ZERO);
}

/**
 * devm_kspan_malloc_array() - allocate an array that is freed when the driver is unbound
 * @dev:	the device
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_malloc()
 *
 * Like devm_kmalloc_array().
 *
 * Context: as devm_kspan_malloc().
 * Return: as devm_kspan_malloc(); NULL also if @n * @size overflows a size_t.
 */
static __always_inline __must_check __alloc_size(2, 3)
void *devm_kspan_malloc_array(struct device *dev, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return devm_kspan_malloc(dev, bytes, gfp);
}

/**
 * devm_kspan_calloc() - allocate a zeroed array that is freed when the driver is unbound
 * @dev:	the device
 * @n:		number of elements
 * @size:	bytes of one element
 * @gfp:	as for kspan_malloc()
 *
 * Like devm_kcalloc().
 *
 * Context: as devm_kspan_malloc().
 * Return: as devm_kspan_malloc_array().
 */
static __always_inline __must_check __alloc_size(2, 3)
void *devm_kspan_calloc(struct device *dev, size_t n, size_t size, gfp_t gfp)
{
	return devm_kspan_malloc_array(dev, n, size, gfp | __GFP_ZERO);
}

#endif /* _LINUX_KSPAN_DEVM_H */
