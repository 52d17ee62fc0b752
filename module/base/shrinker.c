// SPDX-License-Identifier: GPL-2.0
/*
 * Shrinkers
 */
#include <linux/slab.h>

#include "base/shrinker.h"

static void set_functions(struct shrinker *shrinker, kspan_shrinker_fn count,
			  kspan_shrinker_fn scan)
{
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
}

#ifdef SHRINKER_ALLOCATED
/**
 * kspan_shrinker_open() - register a shrinker
 * @name:	its name in debugfs/shrinker
 * @flags:	SHRINKER_*
 * @count:	returns how much can be given back
 * @scan:	gives back some of it
 *
 * Context: task; sleeps.
 * Return: the shrinker or NULL.
 */
struct shrinker *kspan_shrinker_open(const char *name, unsigned int flags,
				     kspan_shrinker_fn count, kspan_shrinker_fn scan)
{
	struct shrinker *shrinker = shrinker_alloc(flags, "%s", name);

	if (!shrinker)
		return NULL;
	set_functions(shrinker, count, scan);
	shrinker_register(shrinker);
	return shrinker;
}

/**
 * kspan_shrinker_close() - unregister a shrinker and free it
 * @shrinker: from kspan_shrinker_open()
 *
 * Waits until no CPU calls its functions any more. Context: task; sleeps.
 */
void kspan_shrinker_close(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
#else
struct shrinker *kspan_shrinker_open(const char *name, unsigned int flags,
				     kspan_shrinker_fn count, kspan_shrinker_fn scan)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);

	if (!shrinker)
		return NULL;
	shrinker->flags = flags;
	set_functions(shrinker, count, scan);
	if (!register_shrinker(shrinker, "%s", name))
		return shrinker;
	kfree(shrinker);
	return NULL;
}

void kspan_shrinker_close(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#endif
