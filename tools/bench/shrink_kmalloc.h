/* SPDX-License-Identifier: GPL-2.0 */
/* Have SLUB release all slabs that kmalloc() does not need. */
#ifndef KSPAN_SHRINK_KMALLOC_H
#define KSPAN_SHRINK_KMALLOC_H

#include <linux/kernel.h>
#include <linux/slab.h>

static void shrink_kmalloc(void)
{
	unsigned int type, i;

	for (type = 0; type < NR_KMALLOC_TYPES; type++)
		for (i = 0; i < ARRAY_SIZE(kmalloc_caches[0]); i++)
			if (kmalloc_caches[type][i])
				kmem_cache_shrink(kmalloc_caches[type][i]);
}

#endif /* KSPAN_SHRINK_KMALLOC_H */
