/* SPDX-License-Identifier: GPL-2.0 */
/* The caches of all CPUs: make and free them, drain them, look at them. */
#ifndef KSPAN_CPU_CACHES_H
#define KSPAN_CPU_CACHES_H

#include "objects/cpu_cache.h"

size_t kspan_cpu_cache_sizeof(unsigned int nr_classes);
int kspan_cpu_caches_init(struct kspan_heap *heap);
void kspan_cpu_caches_exit(struct kspan_heap *heap);
void kspan_cpu_caches_drain_locked(struct kspan_heap *heap);
void kspan_cpu_caches_drain(struct kspan_heap *heap);
bool kspan_cpu_cache_return_objects(struct kspan_heap *heap);
bool kspan_cpu_cache_drain_here(struct kspan_heap *heap, int nid);
bool kspan_cpu_cache_holds_any(const struct kspan_heap *heap, unsigned int cpu);
bool kspan_cpu_cache_rests(struct kspan_heap *heap, unsigned int cpu);
bool kspan_cpu_cache_large_rests(struct kspan_cpu_cache *cache);
void kspan_cpu_cache_drain_large_here(struct kspan_heap *heap);
void kspan_cpu_caches_drop(struct kspan_heap *heap);
void kspan_cpu_cache_prepare(struct kspan_heap *heap, unsigned int cpu);
void kspan_cpu_caches_learn(struct kspan_heap *heap);
void kspan_cpu_cache_drain(struct kspan_heap *heap, unsigned int cpu);
unsigned int kspan_cpu_cache_holds(const struct kspan_cpu_cache *cache, unsigned int class);
void kspan_cpu_caches_count_large(struct kspan_heap *heap, unsigned long *objects,
				  unsigned long *pages);
u64 kspan_cpu_caches_events(struct kspan_heap *heap, enum kspan_event event);
unsigned int kspan_cpu_caches_find(struct kspan_heap *heap, unsigned int class,
				   const void *object);
void kspan_cpu_caches_count(struct kspan_heap *heap, unsigned int class,
			    unsigned long *cached, u64 *allocs);
u64 kspan_cpu_cache_allocs(const struct kspan_cpu_cache *cache, unsigned int class);

#endif /* KSPAN_CPU_CACHES_H */
