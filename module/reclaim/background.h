/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Start and stop of reclaim and of its background work; see background.c. The functions of
 * balance.c are declared here, too.
 */
#ifndef KSPAN_BACKGROUND_H
#define KSPAN_BACKGROUND_H

void kspan_balance_reset(void);
void kspan_balance_cancel(void);
void kspan_balance_init(void);

void kspan_scavenger_restart(void);

int kspan_reclaim_init(void);
void kspan_reclaim_exit(void);

#endif /* KSPAN_BACKGROUND_H */
