/* SPDX-License-Identifier: GPL-2.0 */
/* Frees after a grace period. */
#ifndef KSPAN_FREE_RCU_H
#define KSPAN_FREE_RCU_H

int kspan_free_rcu_init(void);
void kspan_free_rcu_exit(void);
void kspan_free_rcu_drain(unsigned int cpu);

#endif /* KSPAN_FREE_RCU_H */
