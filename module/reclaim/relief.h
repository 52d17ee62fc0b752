/* SPDX-License-Identifier: GPL-2.0 */
/* Limits of what arenas may have, and relief from them. */
#ifndef KSPAN_RELIEF_H
#define KSPAN_RELIEF_H

#include <linux/types.h>

enum kspan_limit {
	KSPAN_SOFT_LIMIT,
	KSPAN_HARD_LIMIT,
	KSPAN_NR_LIMITS,
};

/* Bytes of arenas from which on what is idle goes back first, 0 for none; a parameter. */
extern unsigned long kspan_soft_limit;

u64 kspan_limit_hits(enum kspan_limit limit);
void kspan_relief_init(void);

#endif /* KSPAN_RELIEF_H */
