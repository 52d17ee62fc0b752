/* SPDX-License-Identifier: GPL-2.0 */
/* Frees: of pointers that are known to be wrong, of chunks, and after an RCU grace period. */
#ifndef KSPAN_FREE_H
#define KSPAN_FREE_H

void kspan_free_wrong(const void *p);
void kspan_heap_free_chunk(void *chunk);

int kspan_free_rcu_init(void);
void kspan_free_rcu_exit(void);
void kspan_free_rcu_drain(unsigned int cpu);

#endif /* KSPAN_FREE_H */
