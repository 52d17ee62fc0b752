// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that go with a device
 *
 * A device resource holds the address of the object, which is any other object: its size,
 * class and alignment are those of kspan_malloc().
 */
#include <linux/device.h>
#include <linux/kspan.h>
#include <linux/string.h>

#include "api/alloc.h"

static void release(struct device *dev, void *resource)
{
	kspan_free(*(void **)resource);
}

static int is_of(struct device *dev, void *resource, void *p)
{
	return *(void **)resource == p;
}

/* Have an object go with the device; frees it where that can't be. Returns it or NULL. */
static void *attach(struct device *dev, void *p, gfp_t gfp)
{
	void **resource;

	if (ZERO_OR_NULL_PTR(p))
		return p;
	resource = devres_alloc(release, sizeof(*resource), kspan_gfp_metadata(gfp));
	if (!resource) {
		kspan_free(p);
		return NULL;
	}
	*resource = p;
	devres_add(dev, resource);
	return p;
}

/**
 * devm_kspan_malloc() - allocate memory that is freed when a device goes
 * @dev:	the device
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * It is freed when the driver is unbound, or by devm_kspan_free() before; not by
 * kspan_free(). The kernel's SLUB has a few bytes for each object.
 *
 * Context: as kmalloc().
 * Return: the memory or NULL.
 */
void *devm_kspan_malloc(struct device *dev, size_t size, gfp_t gfp)
{
	return attach(dev, kspan_malloc(size, gfp), gfp);
}
EXPORT_SYMBOL_GPL(devm_kspan_malloc);

/**
 * devm_kspan_memdup() - copy memory; the copy goes with a device
 * @dev:	the device
 * @src:	bytes to copy
 * @len:	how many
 * @gfp:	as for kspan_malloc()
 *
 * Context: as devm_kspan_malloc().
 * Return: the copy or NULL.
 */
void *devm_kspan_memdup(struct device *dev, const void *src, size_t len, gfp_t gfp)
{
	return attach(dev, kspan_memdup(src, len, gfp), gfp);
}
EXPORT_SYMBOL_GPL(devm_kspan_memdup);

/**
 * devm_kspan_strdup() - copy a string; the copy goes with a device
 * @dev:	the device
 * @s:		string, or NULL
 * @gfp:	as for kspan_malloc()
 *
 * Context: as devm_kspan_malloc().
 * Return: the copy; NULL for NULL.
 */
char *devm_kspan_strdup(struct device *dev, const char *s, gfp_t gfp)
{
	return attach(dev, kspan_strdup(s, gfp), gfp);
}
EXPORT_SYMBOL_GPL(devm_kspan_strdup);

/**
 * devm_kspan_vasprintf() - format a string that goes with a device
 * @dev:	the device
 * @gfp:	as for kspan_malloc()
 * @fmt:	format
 * @args:	its arguments
 *
 * Context: as devm_kspan_malloc().
 * Return: the string or NULL.
 */
char *devm_kspan_vasprintf(struct device *dev, gfp_t gfp, const char *fmt, va_list args)
{
	return attach(dev, kspan_vasprintf(gfp, fmt, args), gfp);
}
EXPORT_SYMBOL_GPL(devm_kspan_vasprintf);

/**
 * devm_kspan_asprintf() - format a string that goes with a device
 * @dev:	the device
 * @gfp:	as for kspan_malloc()
 * @fmt:	format
 *
 * Context: as devm_kspan_malloc().
 * Return: the string or NULL.
 */
char *devm_kspan_asprintf(struct device *dev, gfp_t gfp, const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	s = devm_kspan_vasprintf(dev, gfp, fmt, args);
	va_end(args);
	return s;
}
EXPORT_SYMBOL_GPL(devm_kspan_asprintf);

/**
 * devm_kspan_free() - free what goes with a device before it does
 * @dev:	the device
 * @p:		from a devm_kspan_ function with @dev; NULL and ZERO_SIZE_PTR do nothing
 *
 * What does not go with the device is left alone, with a warning, as in devm_kfree().
 *
 * Context: as kfree().
 */
void devm_kspan_free(struct device *dev, const void *p)
{
	if (!ZERO_OR_NULL_PTR(p))
		WARN_ON(devres_release(dev, release, is_of, (void *)p));
}
EXPORT_SYMBOL_GPL(devm_kspan_free);
