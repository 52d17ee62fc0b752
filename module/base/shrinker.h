/* SPDX-License-Identifier: GPL-2.0 */
/* Shrinkers: the kernel's functions to register one are different ones from Linux 6.7 on. */
#ifndef KSPAN_SHRINKER_H
#define KSPAN_SHRINKER_H

#include <linux/shrinker.h>

typedef unsigned long (*kspan_shrinker_fn)(struct shrinker *shrinker, struct shrink_control *sc);

struct shrinker *kspan_shrinker_open(const char *name, unsigned int flags,
				     kspan_shrinker_fn count, kspan_shrinker_fn scan);
void kspan_shrinker_close(struct shrinker *shrinker);

#endif /* KSPAN_SHRINKER_H */
