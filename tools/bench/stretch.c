// SPDX-License-Identifier: GPL-2.0
/*
 * what=stretch: the longest time with interrupts or preemption off.
 *
 * The patterns are hard on all code that works in one go. kspan.ko notes the time when it is built
 * with KSPAN_STRETCH=1. There is a line for each pattern, with the function in which the time
 * ended:
 *
 *	kspan-bench: pattern=trim size=256 n=262144 kspan=3120 limit=4000 where=...
 *
 * Not measured are the kernel's own work, and the page allocator, which kspan calls with
 * preemption on.
 */
#include "bench.h"

#include <linux/delay.h>
#include <linux/hardirq.h>
#include <linux/kmod.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/umh.h>
#include <linux/vmalloc.h>

/* Most instructions with interrupts or preemption off, in any operation. */
#define LIMIT	4000

#ifdef KSPAN_STRETCH

static struct rnd_state rnd;
static struct kspan_heap *heap;
static struct kspan_cache *cache;

static void begin(void)
{
	kspan_stretch_reset();
	prandom_seed_state(&rnd, seed);
}

static void end(const char *name, size_t size, unsigned int n)
{
	struct kspan_stretch longest = kspan_stretch_read();

	pr_info("pattern=%s size=%zu n=%u kspan=%llu limit=%u from=%ps where=%ps\n", name, size, n,
		longest.ticks, LIMIT, (void *)longest.from, (void *)longest.to);
}

/* A process that reads or writes a file of kspan. */
static int shell(const char *command)
{
	char *argv[5] = { }, *envp[2] = { };
	int err;

	argv[0] = "/bin/busybox";
	argv[1] = "sh";
	argv[2] = "-c";
	argv[3] = (char *)command;
	envp[0] = "PATH=/bin";
	err = call_usermodehelper(argv[0], argv, envp, UMH_WAIT_PROC);
	if (err)
		pr_err("%s: %d\n", command, err);
	return err;
}

static void *alloc_of(size_t size)
{
	if (cache)
		return kspan_cache_alloc(cache, GFP_KERNEL);
	return heap ? kspan_heap_malloc(heap, size, GFP_KERNEL) : kspan_malloc(size, GFP_KERNEL);
}

/* Allocate @n objects, or as many as there are. */
static unsigned int fill(void **p, unsigned int n, size_t size)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		p[i] = alloc_of(size);
		if (!p[i])
			break;
		if (i % 1024 == 0)
			cond_resched();
	}
	return i;
}

static void shuffle(void **p, unsigned int n)
{
	unsigned int i, other;

	for (i = n; i > 1; i--) {
		other = prandom_u32_state(&rnd) % i;
		swap(p[i - 1], p[other]);
	}
}

/*
 * Free all objects but the first of each @group, and move those to the front. A @group of 0 frees
 * all.
 */
static unsigned int thin(void **p, unsigned int n, unsigned int group)
{
	unsigned int i, kept = 0;

	for (i = 0; i < n; i++) {
		if (group && i % group == 0)
			p[kept++] = p[i];
		else
			kspan_free(p[i]);
		if (i % 1024 == 0)
			cond_resched();
	}
	return kept;
}

/* A random size from 8 bytes to 64 KiB, as many in each octave. */
static size_t some_size(void)
{
	unsigned int shift = 3 + prandom_u32_state(&rnd) % 13;

	return BIT(shift) + prandom_u32_state(&rnd) % BIT(shift);
}

static unsigned int fill_mixed(void **p, unsigned int n, unsigned long bytes)
{
	unsigned int i;

	for (i = 0; i < n && bytes; i++) {
		size_t size = some_size();

		p[i] = alloc_of(size);
		if (!p[i])
			break;
		bytes -= min(bytes, size);
		if (i % 1024 == 0)
			cond_resched();
	}
	return i;
}

static void random_order(void **p, unsigned int most)
{
	static const unsigned int sizes_of[] = { 8, 64, 1024, 2048, 8192, 32768, SZ_64K };
	unsigned int i, n, round;

	for (i = 0; i < ARRAY_SIZE(sizes_of); i++) {
		begin();
		n = min_t(unsigned int, 20000, SZ_64M / sizes_of[i]);
		for (round = 0; round < 3; round++) {
			n = fill(p, n, sizes_of[i]);
			shuffle(p, n);
			thin(p, n, 0);
		}
		end("random", sizes_of[i], n);
	}
}

static void bulk(void **p, unsigned int most)
{
	static const unsigned int sizes_of[] = { 64, 1024, 8192 };
	unsigned int i, n, round;

	for (i = 0; i < ARRAY_SIZE(sizes_of); i++) {
		begin();
		n = 2000;
		for (round = 0; round < 5; round++) {
			if (!kspan_alloc_bulk(sizes_of[i], GFP_KERNEL, n, p))
				break;
			shuffle(p, n);
			kspan_free_bulk(n, p);
		}
		end("bulk", sizes_of[i], n);
	}
}

/* Free all objects but one of 64, and allocate as many again. */
static void sparse(void **p, unsigned int most)
{
	static const unsigned int sizes_of[] = { 16, 64, 512, 2048, 8192, 20480 };
	unsigned int i, n, kept;

	for (i = 0; i < ARRAY_SIZE(sizes_of); i++) {
		begin();
		n = fill(p, min_t(unsigned int, most, SZ_64M / sizes_of[i]), sizes_of[i]);
		kept = thin(p, n, 64);
		kept += fill(p + kept, n - kept, sizes_of[i]);
		shuffle(p, kept);
		thin(p, kept, 0);
		end("sparse", sizes_of[i], n);
	}
}

/* Classes miss in turn, and take their capacity from others. */
static void steal(void **p, unsigned int most)
{
	unsigned int round, size, n;

	begin();
	for (round = 0; round < 3; round++)
		for (size = 8; size <= 32768; size += max(8U, size / 8)) {
			n = min_t(unsigned int, 500, SZ_4M / size);
			n = fill(p, n, size);
			shuffle(p, n);
			thin(p, n, 0);
			/* A work item releases arenas. */
			msleep(20);
		}
	end("steal", 0, 3);
}

static void trim(void **p, unsigned int most)
{
	unsigned int n, kept;

	n = fill_mixed(p, most, SZ_128M);
	shuffle(p, n);
	kept = thin(p, n, 32);
	begin();
	kspan_trim();
	end("trim", 0, n);
	begin();
	thin(p, kept, 0);
	kspan_trim();
	end("trim_all", 0, n);
}

static int scavenge(void)
{
	/* Have the scavenger look by itself until nothing is left. */
	return shell("cd /sys/module/kspan/parameters; echo 50 >scavenge_ms; sleep 3") ?:
	       shell("echo 1000 >/sys/module/kspan/parameters/scavenge_ms");
}

static void scavenger(void **p, unsigned int most)
{
	unsigned int n, kept;

	n = fill_mixed(p, most, SZ_128M);
	shuffle(p, n);
	kept = thin(p, n, 32);
	begin();
	if (!scavenge())
		end("scavenge", 0, n);
	thin(p, kept, 0);
}

static void shrink(void **p, unsigned int most)
{
	unsigned int n, kept;

	n = fill_mixed(p, most, SZ_128M);
	shuffle(p, n);
	kept = thin(p, n, 32);
	begin();
	if (!shell("for i in 1 2 3; do echo 2 >/proc/sys/vm/drop_caches; done"))
		end("shrink", 0, n);
	thin(p, kept, 0);
	kspan_trim();
}

/*
 * Read the files while many objects are held, in many arenas with many free runs, and by many
 * heaps.
 */
static void stats(void **p, unsigned int most)
{
	static const char *const files[] = {
		"stats", "classes", "cpus", "heaps", "pools", "arenas", "map", "report",
	};
	struct kspan_heap *heaps[16];
	unsigned int n, kept, i, mixed = most / 2;
	char command[80];

	n = fill(p, SZ_256M / SZ_16K, SZ_16K);
	kept = thin(p, n, 2);
	for (i = 0; i < ARRAY_SIZE(heaps); i++) {
		heap = kspan_heap_create("stretch", 0, 0);
		heaps[i] = heap;
		if (heap)
			kept += fill_mixed(p + kept, mixed, SZ_4M);
	}
	heap = NULL;
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(command, sizeof(command), "cat /sys/kernel/debug/kspan/%s >/dev/null",
			 files[i]);
		begin();
		if (!shell(command))
			end(files[i], 0, kept);
	}
	begin();
	if (!shell("echo 1 >/sys/kernel/debug/kspan/trim"))
		end("trim_heaps", 0, kept);
	thin(p, kept, 0);
	for (i = 0; i < ARRAY_SIZE(heaps); i++)
		kspan_heap_destroy(heaps[i]);
	kspan_trim();
}

/* Make a private heap with many objects, and free half of them. */
static void fill_heap(void **p, unsigned int most, unsigned int flags)
{
	unsigned int n;

	heap = kspan_heap_create("stretch", 0, flags);
	if (!heap)
		return;
	n = fill_mixed(p, most, SZ_64M);
	shuffle(p, n);
	thin(p + n / 2, n - n / 2, 0);
}

static void destroy(void **p, unsigned int most)
{
	fill_heap(p, most, 0);
	begin();
	kspan_heap_destroy(heap);
	end("destroy", 0, most);
	fill_heap(p, most, KSPAN_HEAP_TRACK);
	begin();
	kspan_heap_destroy(heap);
	end("destroy_tracked", 0, most);
	fill_heap(p, most, 0);
	begin();
	kspan_heap_trim(heap);
	end("heap_trim", 0, most);
	begin();
	kspan_heap_reset(heap);
	end("reset", 0, most);
	begin();
	kspan_heap_trim(heap);
	end("heap_trim_all", 0, most);
	kspan_heap_destroy(heap);
	heap = NULL;
}

/* Requests fail at the heap's limit. Each one tries to use what the CPU keeps. */
static void limit(void **p, unsigned int most)
{
	unsigned int n, i;

	heap = kspan_heap_create("stretch", SZ_8M, 0);
	if (!heap)
		return;
	begin();
	n = fill_mixed(p, most, SZ_64M);
	shuffle(p, n);
	thin(p + n / 2, n - n / 2, 0);
	n = n / 2 + fill_mixed(p + n / 2, most - n / 2, SZ_64M);
	for (i = 0; i < 3; i++)
		kspan_free(kspan_heap_malloc(heap, SZ_1M, GFP_KERNEL | __GFP_NOWARN));
	end("limit", 0, n);
	kspan_heap_destroy(heap);
	heap = NULL;
}

/* With KSPAN_TYPESAFE_BY_RCU a work item frees the pages of a cache after a grace period. */
static void wait_for_spans(u64 bytes)
{
	struct kspan_memory memory;
	unsigned int tries = 500;

	do {
		msleep(20);
		kspan_memory_read(&memory);
	} while (memory.spans > bytes && --tries);
}

static void typed(void **p, unsigned int most, unsigned int size, unsigned long flags,
		  const char *name)
{
	struct kspan_memory before;
	unsigned int n;

	cache = kspan_cache_create("stretch", size, 0, flags, NULL);
	if (!cache)
		return;
	kspan_memory_read(&before);
	n = fill(p, min_t(unsigned int, most, SZ_128M / size), size);
	thin(p, n, 0);
	begin();
	kspan_cache_trim(cache);
	end(name, size, n);
	n = fill(p, min_t(unsigned int, most, SZ_128M / size), size);
	thin(p, n, 0);
	begin();
	kspan_cache_destroy(cache);
	wait_for_spans(before.spans);
	end("cache_destroy", size, n);
	cache = NULL;
}

static void caches(void **p, unsigned int most)
{
	typed(p, most, 256, 0, "cache");
	typed(p, most, 8192, 0, "cache");
	typed(p, most, 256, KSPAN_TYPESAFE_BY_RCU, "typesafe");
	typed(p, most, 8192, KSPAN_TYPESAFE_BY_RCU, "typesafe");
}

/* Free an object as an NMI does. Others complete the free. */
static void free_in_nmi(void *p)
{
	unsigned long flags;

	local_irq_save(flags);
	__preempt_count_add(NMI_OFFSET + HARDIRQ_OFFSET);
	kspan_free(p);
	__preempt_count_sub(NMI_OFFSET + HARDIRQ_OFFSET);
	local_irq_restore(flags);
}

static void deferred(void **p, unsigned int most)
{
	static const unsigned int sizes_of[] = { 8, 64, 1024, 8192, SZ_64K };
	unsigned int i, j, n, of_heap;

	for (of_heap = 0; of_heap < 2; of_heap++) {
		heap = of_heap ? kspan_heap_create("stretch", 0, 0) : NULL;
		for (i = 0; i < ARRAY_SIZE(sizes_of); i++) {
			n = fill(p, min_t(unsigned int, 10000, SZ_64M / sizes_of[i]), sizes_of[i]);
			shuffle(p, n);
			/* Nothing is measured here, as this function itself has interrupts off. */
			for (j = 0; j < n; j++)
				free_in_nmi(p[j]);
			begin();
			n = fill(p, 1000, sizes_of[i]);
			thin(p, n, 0);
			end(of_heap ? "deferred_heap" : "deferred", sizes_of[i], n);
		}
		kspan_heap_destroy(heap);
	}
	heap = NULL;
}

/* Free some objects twice. The second free is found when the magazine is returned. */
static void wrong(void **p, unsigned int most)
{
	unsigned int i, n;

	n = fill(p, 4000, 64);
	begin();
	for (i = 0; i < n; i++)
		kspan_free(p[i]);
	for (i = 0; i < n; i += 100)
		kspan_free(p[i]);
	kspan_trim();
	for (i = 0; i < n; i++)
		p[i] = kspan_malloc(64, GFP_KERNEL);
	for (i = 0; i < 20; i++) {
		free_in_nmi(p[i]);
		free_in_nmi(p[i]);
	}
	thin(p + 20, n - 20, 0);
	kspan_trim();
	end("wrong", 64, n);
}

static void rcu(void **p, unsigned int most)
{
	unsigned int i, n;

	begin();
	n = fill(p, 20000, 64);
	shuffle(p, n);
	for (i = 0; i < n; i++)
		kspan_free_rcu_mightsleep(p[i]);
	kspan_barrier();
	end("rcu", 64, n);
}

/* The cost per object must be the same for many as for few. */
static void prefill(void **p, unsigned int most)
{
	static const unsigned int many[] = { 1000, 40000 };
	unsigned int i, j;
	u64 start, filled, taken;

	for (i = 0; i < ARRAY_SIZE(many); i++) {
		begin();
		start = ticks();
		if (kspan_prefill(64, many[i], GFP_KERNEL))
			return;
		filled = ticks() - start;
		/* All objects but those that the CPU has come from the reserve. */
		start = ticks();
		for (j = 0; j < many[i]; j++)
			p[j] = kspan_malloc_nolock(64);
		taken = ticks() - start;
		end("prefill", 64, many[i]);
		pr_info("pattern=prefill_each size=64 n=%u kspan=%llu taken=%llu\n", many[i],
			div_u64(filled, many[i]), div_u64(taken, many[i]));
		for (j = 0; j < many[i]; j++)
			kspan_free(p[j]);
		kspan_prefill(64, 0, GFP_KERNEL);
	}
	kspan_trim();
}

int run_stretch(void)
{
	static void (*const patterns_of[])(void **p, unsigned int most) = {
		random_order, bulk, sparse, steal, trim, scavenger, shrink, stats, destroy,
		limit, caches, deferred, wrong, rcu, prefill,
	};
	unsigned int most = SZ_4M, i;
	void **p = vcalloc(most, sizeof(*p));

	if (!p)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(patterns_of); i++) {
		patterns_of[i](p, most);
		msleep(20);
	}
	vfree(p);
	return 0;
}

#else

int run_stretch(void)
{
	pr_err("what=stretch: kspan.ko notes it only where KSPAN_STRETCH=1 built it\n");
	return -EOPNOTSUPP;
}

#endif
