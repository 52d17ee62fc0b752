/* SPDX-License-Identifier: GPL-2.0 */
/* CPU caches that their own CPUs empty, for reclaim and the scavenger. */
#ifndef KSPAN_DRAIN_H
#define KSPAN_DRAIN_H

#include <linux/types.h>

struct kspan_heap;

void kspan_drain_want(struct kspan_heap *heap, unsigned int cpu);
void kspan_drain_queue(unsigned int cpu);
bool kspan_drain_node(int nid);

int kspan_drain_init(void);
void kspan_drain_exit(void);

#endif /* KSPAN_DRAIN_H */
