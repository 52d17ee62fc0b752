// SPDX-License-Identifier: GPL-2.0
/*
 * what=rest: the memory that kspan keeps when all objects were freed, on many CPUs.
 *
 * Every CPU in turn allocates and frees some objects of many sizes, of the default heap, of four
 * private heaps, and of one with a limit of 1 MiB. There is a line right after that, and one for
 * each second from then on. Nothing is in use then, but the scavenger has not released all yet:
 *
 *	kspan-bench: pattern=rest cpus=64 after=0 arenas=... cached=... metadata=... limited=...
 *
 * arenas, cached and metadata are KiB. limited are the objects of 512 bytes that a CPU gets from
 * the limited heap when all others have used it.
 */
#include "bench.h"

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>

#define HEAPS		4
#define OBJECTS		200
#define SECONDS		8

static struct kspan_heap *heaps[HEAPS + 1];

static void use(struct kspan_heap *heap, unsigned int size, void **p)
{
	unsigned int n = min_t(unsigned int, OBJECTS, SZ_1M / size), round, i, got;

	for (round = 0; round < 4; round++) {
		for (i = 0; i < n; i++) {
			p[i] = heap ? kspan_heap_malloc(heap, size, GFP_KERNEL | __GFP_NOWARN) :
				      kspan_malloc(size, GFP_KERNEL | __GFP_NOWARN);
			if (!p[i])
				break;
		}
		for (got = i, i = 0; i < got; i++)
			kspan_free(p[i]);
	}
}

static long use_all(void *unused)
{
	unsigned int size, i;

	for (size = 8; size <= SZ_64K; size *= 2) {
		use(NULL, size, objects);
		for (i = 0; i <= HEAPS; i++)
			if (heaps[i])
				use(heaps[i], size, objects);
		cond_resched();
	}
	return 0;
}

/* Objects that a heap with 1 MiB can serve, while the caches of other CPUs keep some. */
static unsigned int fill_limited(void)
{
	unsigned int n, i;

	for (n = 0; n < SZ_1M / 512; n++) {
		objects[n] = kspan_heap_malloc(heaps[HEAPS], 512, GFP_KERNEL | __GFP_NOWARN);
		if (!objects[n])
			break;
	}
	for (i = 0; i < n; i++)
		kspan_free(objects[i]);
	return n;
}

static void show(unsigned int after, unsigned int limited)
{
	struct kspan_memory memory;

	kspan_memory_read(&memory);
	pr_info("pattern=rest cpus=%u heaps=%u after=%u arenas=%llu cached=%llu metadata=%llu limited=%u\n",
		num_online_cpus(), HEAPS + 1, after, (u64)memory.arenas >> 10,
		(u64)memory.cached >> 10, (u64)memory.metadata >> 10, limited);
}

int run_rest(void)
{
	unsigned int i, cpu, limited = 0;

	for (i = 0; i <= HEAPS; i++)
		heaps[i] = kspan_heap_create("rest", i == HEAPS ? SZ_1M : 0, 0);
	show(0, 0);
	cpus_read_lock();
	for_each_online_cpu(cpu)
		work_on_cpu(cpu, use_all, NULL);
	cpus_read_unlock();
	if (heaps[HEAPS])
		limited = fill_limited();
	for (i = 0; i <= SECONDS; i++) {
		show(i, limited);
		msleep(1000);
	}
	for (i = 0; i <= HEAPS; i++)
		kspan_heap_destroy(heaps[i]);
	return 0;
}
