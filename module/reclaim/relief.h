/* SPDX-License-Identifier: GPL-2.0 */
/* Limits of what all arenas may have, and relief for requests that would exceed one. */
#ifndef KSPAN_RELIEF_H
#define KSPAN_RELIEF_H

#include <linux/types.h>

enum kspan_limit {
	KSPAN_SOFT_LIMIT,
	KSPAN_HARD_LIMIT,
	KSPAN_NR_LIMITS,
};

/*
 * Bytes that all arenas may have before idle memory is given back first; 0 for no limit. A module
 * parameter. kspan_hard_limit is in pages/.
 */
extern unsigned long kspan_soft_limit;

u64 kspan_limit_hits(enum kspan_limit limit);
void kspan_relief_init(void);

#endif /* KSPAN_RELIEF_H */
