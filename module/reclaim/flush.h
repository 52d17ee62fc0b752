/* SPDX-License-Identifier: GPL-2.0 */
/* CPU caches that their own CPUs empty, for reclaim and the scavenger. */
#ifndef KSPAN_FLUSH_H
#define KSPAN_FLUSH_H

#include <linux/types.h>

struct kspan_heap;

void kspan_flush_want(struct kspan_heap *heap, unsigned int cpu);
void kspan_flush_queue(unsigned int cpu);
bool kspan_flush_node(int nid);

int kspan_flush_init(void);
void kspan_flush_exit(void);

#endif /* KSPAN_FLUSH_H */
