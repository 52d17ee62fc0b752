/* SPDX-License-Identifier: GPL-2.0 */
/* The reserve of kspan_malloc_nolock(). */
#ifndef KSPAN_NOLOCK_H
#define KSPAN_NOLOCK_H

void kspan_reserves_exit(void);

#endif /* KSPAN_NOLOCK_H */
