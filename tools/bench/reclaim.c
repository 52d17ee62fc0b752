// SPDX-License-Identifier: GPL-2.0
/*
 * what=reclaim: the cost to release memory, and to have none.
 *
 *	limit_heap	a request that fails at the limit of a private heap of n MiB
 *	limit_hard	a request that fails at kspan's hard_limit, with n MiB in use
 *	drop_caches	"echo 2 >/proc/sys/vm/drop_caches". Before it n MiB are allocated, a tenth
 *			of them is freed at random, and the last tenth as well, and some seconds
 *			pass. The peer has as many objects of kmalloc(). kspan releases what it
 *			kept; SLUB has kept nothing that it could release.
 *	drop_again	the same once more, when there is nothing left to release
 *
 * The cost of failing requests is the mean of some hundred. They have no peer.
 */
#include "bench.h"

#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#define DROP_CACHES	"/proc/sys/vm/drop_caches"
#define HARD_LIMIT	"/sys/module/kspan/parameters/hard_limit"

#define FAILURES	500U

static struct kspan_heap *heap;

ALLOC(by_heap) { return kspan_heap_malloc(heap, size, gfp); }

/* struct held - objects, and the allocator that they are of */
struct held {
	const struct allocator *allocator;
	unsigned long n;
	unsigned long room;
	void **object;
};

static int write_file(const char *name, const char *text)
{
	struct file *file = filp_open(name, O_WRONLY, 0);
	loff_t position = 0;
	ssize_t written;

	if (IS_ERR(file))
		return PTR_ERR(file);
	written = kernel_write(file, text, strlen(text), &position);
	filp_close(file, NULL);
	return min_t(ssize_t, written, 0);
}

static int set_hard_limit(unsigned long bytes)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", bytes);
	return write_file(HARD_LIMIT, text);
}

static void show(const char *name, size_t size, unsigned int mib, u64 ours, u64 theirs)
{
	pr_info("pattern=%s size=%zu n=%u kspan=%s slub=%s ratio=%s\n", name, size, mib,
		number_of(ours).text, number_of(theirs).text,
		theirs == U64_MAX ? "-" : ratio_of(ours, theirs).text);
}

static bool hold_open(struct held *held, const struct allocator *allocator, unsigned long room)
{
	*held = (struct held){ .allocator = allocator, .room = room };
	held->object = vcalloc(room, sizeof(*held->object));
	return held->object;
}

static void hold_close(struct held *held)
{
	unsigned long i;

	for (i = 0; i < held->n; i++) {
		held->allocator->free(held->object[i]);
		if (i % 1024 == 0)
			cond_resched();
	}
	vfree(held->object);
}

/* A random size from 64 to 8192 bytes, as many in each octave. */
static size_t random_size(struct rnd_state *rnd)
{
	size_t octave = 64UL << (prandom_u32_state(rnd) % 7);

	return octave + prandom_u32_state(rnd) % octave;
}

/* Allocate objects of @size, or of mixed sizes if it is 0, until one fails or @bytes are held. */
static void hold(struct held *held, size_t size, gfp_t gfp, u64 bytes)
{
	struct rnd_state rnd;
	size_t next;
	void *p;

	prandom_seed_state(&rnd, seed);
	while (held->n < held->room && bytes) {
		next = size ?: random_size(&rnd);
		p = held->allocator->alloc(next, gfp);
		if (!p)
			return;
		held->object[held->n++] = p;
		bytes -= min_t(u64, bytes, next);
		if (held->n % 1024 == 0)
			cond_resched();
	}
}

/* Free a tenth at random, and the last tenth. */
static void let_go(struct held *held)
{
	unsigned long i, kept = 0;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, seed);
	for (i = 0; i < held->n; i++) {
		if (i < held->n / 10 * 9 && prandom_u32_state(&rnd) % 10)
			held->object[kept++] = held->object[i];
		else
			held->allocator->free(held->object[i]);
		if (i % 1024 == 0)
			cond_resched();
	}
	held->n = kept;
}

static u64 cost_of_failures(const struct allocator *allocator, size_t size)
{
	u64 start = ticks();
	unsigned int i;

	for (i = 0; i < FAILURES; i++) {
		void *p = allocator->alloc(size, GFP_KERNEL | __GFP_NOWARN);

		if (p) {
			allocator->free(p);
			pr_err("there is no limit at size=%zu\n", size);
			return U64_MAX;
		}
	}
	return per_object(ticks() - start, 0, FAILURES);
}

static void fail_at_limit_of_heap(unsigned int mib, size_t size)
{
	static const struct allocator of_heap = { by_heap, NULL };
	struct allocator allocator = of_heap;
	struct held held;

	allocator.free = kspan.free;
	heap = kspan_heap_create("kspan_bench", (size_t)mib * SZ_1M, 0);
	if (!heap)
		return;
	if (hold_open(&held, &allocator, (unsigned long)mib * (SZ_1M / 256))) {
		hold(&held, 1024, GFP_KERNEL | __GFP_NOWARN, U64_MAX);
		/* The rest up to the limit serves smaller objects. */
		hold(&held, size, GFP_KERNEL | __GFP_NOWARN, U64_MAX);
		show("limit_heap", size, mib, cost_of_failures(&allocator, size), U64_MAX);
		hold_close(&held);
	}
	kspan_heap_destroy(heap);
}

static void fail_at_hard_limit(unsigned int mib, size_t size)
{
	struct held held;

	kspan_trim();
	if (!hold_open(&held, &kspan, (unsigned long)mib * (SZ_1M / 256)))
		return;
	if (!set_hard_limit((unsigned long)mib * SZ_1M)) {
		hold(&held, 1024, GFP_KERNEL | __GFP_NOWARN, U64_MAX);
		hold(&held, size, GFP_KERNEL | __GFP_NOWARN, U64_MAX);
		show("limit_hard", size, mib, cost_of_failures(&kspan, size), U64_MAX);
		set_hard_limit(0);
	}
	hold_close(&held);
}

static u64 cost_of_drop(void)
{
	u64 start = ticks();

	return write_file(DROP_CACHES, "2") ? U64_MAX : per_object(ticks() - start, 0, 1);
}

/* The cost of the first drop, and of the next ones. */
static void costs_of_drops(const struct allocator *allocator, unsigned int mib, u64 costs[2])
{
	struct held held;

	if (!hold_open(&held, allocator, (unsigned long)mib * (SZ_1M / 512)))
		return;
	hold(&held, 0, GFP_KERNEL, (u64)mib * SZ_1M);
	let_go(&held);
	/* Wait until the objects are at rest, at a time when the scavenger does not look. */
	msleep(5300);
	costs[0] = cost_of_drop();
	/* Take the least of three, as other tasks run, too. */
	costs[1] = min(cost_of_drop(), min(cost_of_drop(), cost_of_drop()));
	hold_close(&held);
}

static void drop_caches(unsigned int mib)
{
	u64 ours[2] = { U64_MAX, U64_MAX }, theirs[2] = { U64_MAX, U64_MAX };

	if (!fits_in_memory((u64)mib * SZ_1M))
		return;
	/* Drop the caches of others before. */
	if (write_file(DROP_CACHES, "2")) {
		pr_info("left out: %s, which this kernel has not\n", DROP_CACHES);
		return;
	}
	costs_of_drops(&slub, mib, theirs);
	costs_of_drops(&kspan, mib, ours);
	kspan_trim();
	show("drop_caches", 0, mib, ours[0], theirs[0]);
	show("drop_again", 0, mib, ours[1], theirs[1]);
}

int run_reclaim(void)
{
	static const unsigned int mibs[] = { 4, 256 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mibs); i++) {
		fail_at_limit_of_heap(mibs[i], 1024);
		fail_at_limit_of_heap(mibs[i], SZ_64K);
		fail_at_hard_limit(mibs[i], 1024);
		fail_at_hard_limit(mibs[i], SZ_64K);
	}
	drop_caches(nr_counts ? counts[0] : 600);
	return 0;
}
