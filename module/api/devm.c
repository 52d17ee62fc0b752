// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that are freed when a driver is unbound from its device
 *
 * A device resource holds the address of an object, which is an ordinary one of kspan_malloc():
 * its size, class and alignment are those of kspan_malloc().
 */
#include <linux/device.h>
#include <linux/kspan.h>
#include <linux/string.h>

#include "api/alloc.h"

static void devm_release(struct device *dev, void *resource)
{
	kspan_free(*(void **)resource);
}

static int devm_is_of(struct device *dev, void *resource, void *p)
{
	return *(void **)resource == p;
}

/*
 * Tie an object to the device. Returns the object; or NULL, and the object is freed, if there
 * is no memory for the resource.
 */
static void *devm_attach(struct device *dev, void *p, gfp_t gfp)
{
	void **resource;

	if (ZERO_OR_NULL_PTR(p))
		return p;
	resource = devres_alloc(devm_release, sizeof(*resource), kspan_gfp_metadata(gfp));
	if (!resource) {
		kspan_free(p);
		return NULL;
	}
	*resource = p;
	devres_add(dev, resource);
	return p;
}

/**
 * devm_kspan_malloc() - allocate memory that is freed when the driver is unbound
 * @dev:	the device
 * @size:	bytes; 0 gives ZERO_SIZE_PTR
 * @gfp:	as for kspan_malloc()
 *
 * Like devm_kmalloc(). The memory belongs to @dev: it is freed when the driver is unbound from
 * the device, or before that by devm_kspan_free(), and must not be freed by kspan_free(). The
 * kernel's own allocator holds a few bytes for each object besides.
 *
 * Context: as kmalloc(): task, softirq and hardirq; sleeps if @gfp allows it.
 * Return: the memory; NULL if there is none.
 */
void *devm_kspan_malloc(struct device *dev, size_t size, gfp_t gfp)
{
	return devm_attach(dev, kspan_malloc(size, gfp), gfp);
}
EXPORT_SYMBOL_GPL(devm_kspan_malloc);

/**
 * devm_kspan_memdup() - copy memory; the copy is freed when the driver is unbound
 * @dev:	the device
 * @src:	the bytes to copy
 * @len:	number of bytes
 * @gfp:	as for kspan_malloc()
 *
 * Context: as devm_kspan_malloc().
 * Return: the copy; NULL if there is no memory.
 */
void *devm_kspan_memdup(struct device *dev, const void *src, size_t len, gfp_t gfp)
{
	return devm_attach(dev, kspan_memdup(src, len, gfp), gfp);
}
EXPORT_SYMBOL_GPL(devm_kspan_memdup);

/**
 * devm_kspan_strdup() - copy a string; the copy is freed when the driver is unbound
 * @dev:	the device
 * @s:		the string, or NULL
 * @gfp:	as for kspan_malloc()
 *
 * Context: as devm_kspan_malloc().
 * Return: the copy; NULL if @s is NULL or there is no memory.
 */
char *devm_kspan_strdup(struct device *dev, const char *s, gfp_t gfp)
{
	return devm_attach(dev, kspan_strdup(s, gfp), gfp);
}
EXPORT_SYMBOL_GPL(devm_kspan_strdup);

/**
 * devm_kspan_vasprintf() - format a string that is freed when the driver is unbound
 * @dev:	the device
 * @gfp:	as for kspan_malloc()
 * @fmt:	format as for printf()
 * @args:	the arguments of @fmt
 *
 * Context: as devm_kspan_malloc().
 * Return: the string; NULL if there is no memory.
 */
char *devm_kspan_vasprintf(struct device *dev, gfp_t gfp, const char *fmt, va_list args)
{
	return devm_attach(dev, kspan_vasprintf(gfp, fmt, args), gfp);
}
EXPORT_SYMBOL_GPL(devm_kspan_vasprintf);

/**
 * devm_kspan_asprintf() - format a string that is freed when the driver is unbound
 * @dev:	the device
 * @gfp:	as for kspan_malloc()
 * @fmt:	format as for printf(), followed by its arguments
 *
 * Context: as devm_kspan_malloc().
 * Return: the string; NULL if there is no memory.
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
 * devm_kspan_free() - free memory of a device before the driver is unbound
 * @dev:	the device
 * @p:		memory of a devm_kspan_ function with the same @dev; NULL and ZERO_SIZE_PTR do
 *		nothing
 *
 * Any other pointer is not freed, and a warning is printed, as by devm_kfree().
 *
 * Context: as kfree().
 */
void devm_kspan_free(struct device *dev, const void *p)
{
	if (!ZERO_OR_NULL_PTR(p))
		WARN_ON(devres_release(dev, devm_release, devm_is_of, (void *)p));
}
EXPORT_SYMBOL_GPL(devm_kspan_free);
