// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_wrong - wrong pointers of every kind, on all CPUs, in all contexts.
 *
 * The workers are those of kspan_stress. Most operations pass pointers to kspan that are no object
 * of the caller: to objects that were freed, into objects, misaligned ones, to memory that was
 * never kspan's, and to no memory at all. In between the workers allocate and free objects of all
 * kinds, so that spans, arenas, heaps and holes come and go beneath the pointers. They note the
 * addresses for others to misuse.
 *
 * A wrong pointer may hit an object that is live again. No allocator can tell. A wrong pointer
 * into a page of small objects may be handed out before it is found. So the objects that workers
 * allocate have no contents, and others may free them. And there are two modes, because kspan
 * itself keeps memory for regions and kspan_free_rcu() in the default heap:
 *
 *	frees	Stale pointers are freed, too. There are no regions, and no kspan_free_rcu().
 *	looks	Stale pointers are only looked at. The pointers that are freed can't become
 *		objects meanwhile.
 *
 * Bystanders are objects that are live all the time. No byte of them may change. Every free that
 * is surely refused must be counted in the end.
 *
 *	kspan-wrong: N wrong frees, M wrong looks (task a, softirq b, hardirq c, nmi d)
 *	kspan-wrong: verdict ok
 */
#define pr_fmt(fmt) "kspan-wrong: " fmt

#include <linux/debugfs.h>
#include <linux/kspan_region.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include "base/kunit_export.h"
#include "../../kunit/kspan_kunit.h"
#include "api/private.h"
#include "objects/bad_free.h"
#include "observe/stats.h"
#include "stress.h"

static unsigned int seconds = 60;
module_param(seconds, uint, 0444);
MODULE_PARM_DESC(seconds, "how long to work, 1...1000000 (default 60)");

unsigned long long stress_seed;
module_param_named(seed, stress_seed, ullong, 0444);
MODULE_PARM_DESC(seed, "of all random numbers; 0, the default, for a random one");

static bool looks;
module_param(looks, bool, 0444);
MODULE_PARM_DESC(looks, "whether stale pointers are only looked at, not freed (default N)");

/* Parameters that workers.c reads. */
unsigned int stress_max_shift = 16;
unsigned int stress_live = 16;

/* Pointers that an operation misuses. */
#define BURST		16
/* Addresses of objects that were freed lately. */
#define STALE		4096
/* Objects that a worker keeps for a while. */
#define KEPT		24
#define CACHE_SIZE	208
#define BYSTANDERS	48

/*
 * Sizes of spans with bitmaps of one word and of several, of spans of one page and of more, and of
 * large objects.
 */
static const unsigned int churned_sizes[] = {
	8, 16, 64, 192, 512, 1024, 2048, 4096, 8192, 16384, 16384, 16384, 24576, 32768,
	40960, 65536, 131072,
};

static unsigned long stale[STALE];
static struct kspan_heap *heap, *bystander_heap;
static struct kspan_cache *cache;
static time64_t end;
static struct dentry *file;
static struct kspan_stats before;
static u64 foreign_before, region_before, interior_before;

/* Wrong frees that can be counted as one kind only, by kind. */
static atomic64_t sure_foreign, sure_region, sure_interior;

struct bystander {
	u8 *p;
	unsigned int size;
	size_t usable;
};

static struct bystander bystanders[BYSTANDERS];
/* Some of the bystanders: a large object and a tiny one of 5 bytes, in each heap. */
static struct bystander *large_ones[2], *tiny_ones[2];
static struct kspan_region *region;
static u8 *region_object;
#define REGION_OBJECT	4000

static u8 *vmalloced, *kmalloced;
static unsigned long given_back;

bool stress_time_left(void)
{
	return ktime_get_seconds() < READ_ONCE(end);
}

static u8 pattern(const struct bystander *b, unsigned int i)
{
	return (b - bystanders) * 31 + i * 7 + 1;
}

atomic_long_t stress_nr_broken;

static void broken(const char *what, const void *p, u64 expected, u64 found)
{
	if (atomic_long_inc_return(&stress_nr_broken) <= 20)
		pr_err("not as it was: %s at %#lx: expected %#llx, found %#llx\n", what,
		       (unsigned long)p, expected, found);
}

static bool make_bystander(unsigned int i, void *p, unsigned int size)
{
	struct bystander *b = &bystanders[i];
	unsigned int at;

	if (!p)
		return false;
	*b = (struct bystander) { .p = p, .size = size, .usable = kspan_size(p) };
	for (at = 0; at < size; at++)
		b->p[at] = pattern(b, at);
	return true;
}

/* Make objects of all kinds that no worker frees. */
static bool make_bystanders(void)
{
	unsigned int i, n = 0, size;

	for (i = 0; i < ARRAY_SIZE(churned_sizes); i++) {
		size = churned_sizes[i];
		if (size <= 32768 &&
		    !make_bystander(n++, kspan_malloc(size, GFP_KERNEL), size))
			return false;
		if (!make_bystander(n++, kspan_heap_malloc(bystander_heap, size, GFP_KERNEL), size))
			return false;
	}
	large_ones[0] = &bystanders[n];
	large_ones[1] = &bystanders[n + 1];
	tiny_ones[0] = &bystanders[n + 2];
	tiny_ones[1] = &bystanders[n + 3];
	return make_bystander(n, kspan_malloc(100000, GFP_KERNEL), 100000) &&
	       make_bystander(n + 1, kspan_heap_malloc(bystander_heap, 70000, GFP_KERNEL), 70000) &&
	       make_bystander(n + 2, kspan_tiny_alloc(5, GFP_KERNEL), 5) &&
	       make_bystander(n + 3, kspan_heap_tiny_alloc(bystander_heap, 5, GFP_KERNEL), 5);
}

static void check_bystander(const struct bystander *b, bool owns)
{
	unsigned int i;

	if (!b->p)
		return;
	for (i = 0; i < b->size; i++)
		if (b->p[i] != pattern(b, i)) {
			broken("a byte", b->p + i, pattern(b, i), b->p[i]);
			break;
		}
	if (kspan_size(b->p) < b->size)
		broken("kspan_size()", b->p, b->usable, kspan_size(b->p));
	if (owns && !kspan_owns(b->p))
		broken("kspan_owns()", b->p, true, false);
}

static void free_bystanders(void)
{
	unsigned int i;

	for (i = 0; i < BYSTANDERS; i++) {
		check_bystander(&bystanders[i], true);
		kspan_free(bystanders[i].p);
		bystanders[i].p = NULL;
	}
}

static bool is_bystander(unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < BYSTANDERS; i++)
		if ((unsigned long)bystanders[i].p == addr)
			return true;
	return false;
}

static void note_stale(struct stress_worker *worker, const void *p)
{
	WRITE_ONCE(stale[stress_below(worker, STALE)], (unsigned long)p);
}

/* An address of a freed object, or one near it, but not the start of a bystander. */
static unsigned long stale_address(struct stress_worker *worker)
{
	unsigned long addr = READ_ONCE(stale[stress_below(worker, STALE)]);

	switch (stress_below(worker, 8)) {
	case 0:
		addr += stress_below(worker, 2048) * 8;
		break;
	case 1:
		addr += stress_below(worker, 32768);
		break;
	case 2:
		addr = ALIGN_DOWN(addr, PAGE_SIZE) + stress_below(worker, 16) * PAGE_SIZE;
		break;
	}
	return is_bystander(addr) ? addr + 1 : addr;
}

/* An address that was never kspan's. A free of it is refused at once. */
static unsigned long foreign_address(struct stress_worker *worker)
{
	u32 random = prandom_u32_state(&worker->rnd);
	u8 here;

	switch (stress_below(worker, 10)) {
	case 0:
		return (unsigned long)&here + random % 64;
	case 1:
		return (unsigned long)vmalloced + random % PAGE_SIZE;
	case 2:
		return (unsigned long)kmalloced + random % 1024;
	case 3:
		return 4096 + random;
	case 4:
		return BIT(63) + ((unsigned long)random << 20) + random;
	case 5:
		/* The direct map goes on beyond the end of memory. */
		return PAGE_OFFSET + BIT(45) + ((unsigned long)random << 8);
	case 6:
		return (unsigned long)foreign_address + random % 64;
	case 7:
		return -4096UL + random % 4096;
	case 8:
		return (unsigned long)worker + random % sizeof(*worker);
	default:
		return (unsigned long)THIS_MODULE + random % 256;
	}
}

/* An address that is surely refused. @sure is set to the counter of its kind. */
static unsigned long sure_address(struct stress_worker *worker, atomic64_t **sure)
{
	const struct bystander *b;

	switch (stress_below(worker, 4)) {
	case 0:
		if (!region) {
			*sure = &sure_foreign;
			return foreign_address(worker);
		}
		*sure = &sure_region;
		return (unsigned long)region_object + stress_below(worker, REGION_OBJECT);
	case 1:
		*sure = &sure_interior;
		b = large_ones[stress_below(worker, 2)];
		return (unsigned long)b->p + 8 + stress_below(worker, b->size / 8 - 1) * 8;
	case 2:
		/* These count as double frees, together with others. */
		*sure = NULL;
		b = tiny_ones[stress_below(worker, 2)];
		return (unsigned long)b->p + 1 + stress_below(worker, 4);
	default:
		*sure = &sure_foreign;
		return foreign_address(worker);
	}
}

static void free_by(struct stress_worker *worker, void *p)
{
	void *many[4] = { p, p, p, p };

	switch (stress_below(worker, 8)) {
	case 0:
		kspan_free_sensitive(p);
		break;
	case 1:
		kspan_free_bulk(ARRAY_SIZE(many), many);
		worker->counts.frees += ARRAY_SIZE(many) - 1;
		break;
	case 2:
		kspan_cache_free(cache, p);
		break;
	case 3:
		kspan_free(p);
		kspan_free(p);
		worker->counts.frees++;
		break;
	default:
		kspan_free(p);
	}
	worker->counts.frees++;
}

/*
 * Resize to a large size only. A magazine may hold a wrong pointer that was pushed, and realloc()
 * would write to that as a new object.
 */
static void resize_wrongly(struct stress_worker *worker, void *p)
{
	if (worker->context == STRESS_NMI)
		return;
	worker->counts.frees++;
	/*
	 * The pointer may have hit a live object. Then the result is free for this worker to free.
	 */
	p = kspan_realloc(p, (5 + stress_below(worker, 12)) * KSPAN_PAGE_SIZE,
			  GFP_ATOMIC | __GFP_NOWARN);
	if (p) {
		note_stale(worker, p);
		kspan_free(p);
	}
}

static void look(struct stress_worker *worker, const void *p)
{
	worker->counts.failed++;
	kspan_size(p);
	if (worker->context != STRESS_NMI)
		kspan_owns(p);
}

/* Free addresses that are surely refused. Each must be counted. */
static void free_surely(struct stress_worker *worker)
{
	void *many[3];
	atomic64_t *sure;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = (void *)sure_address(worker, &sure);
		if (sure)
			atomic64_inc(sure);
	}
	worker->counts.frees += ARRAY_SIZE(many);
	if (stress_below(worker, 2)) {
		kspan_free_bulk(ARRAY_SIZE(many), many);
		return;
	}
	kspan_free_sensitive(many[0]);
	kspan_free(many[1]);
	if (worker->context != STRESS_TASK || !looks || stress_below(worker, 64))
		kspan_free(many[2]);
	else
		kspan_free_rcu_mightsleep(many[2]);
}

static void misuse(struct stress_worker *worker)
{
	void *p = (void *)stale_address(worker);

	switch (stress_below(worker, 8)) {
	case 0 ... 1:
		look(worker, p);
		break;
	case 2:
		free_surely(worker);
		break;
	case 3:
		if (looks)
			look(worker, p);
		else
			resize_wrongly(worker, p);
		break;
	default:
		if (looks)
			look(worker, p);
		else
			free_by(worker, p);
	}
}

static void *allocate(struct stress_worker *worker)
{
	unsigned int n = stress_below(worker, ARRAY_SIZE(churned_sizes)), size;
	gfp_t gfp = (worker->context == STRESS_TASK ? GFP_KERNEL : GFP_ATOMIC) | __GFP_NOWARN;

	size = churned_sizes[n];
	if (worker->context == STRESS_NMI)
		return kspan_malloc_nolock(min(size, 16384U));
	switch (stress_below(worker, 8)) {
	case 0:
		return kspan_cache_alloc(cache, gfp);
	case 1:
		return kspan_tiny_alloc(1 + size % 15, gfp);
	case 2:
		return kspan_heap_tiny_alloc(heap, 1 + n % 15, gfp);
	case 3 ... 4:
		return kspan_heap_malloc(heap, size, gfp);
	default:
		return kspan_malloc(size, gfp);
	}
}

/*
 * Free kept objects and keep new ones. Workers do so with all of them in a row at times, so that
 * spans are retired.
 */
static void churn(struct stress_worker *worker)
{
	unsigned int n = worker->context == STRESS_TASK ? KEPT : 4, i;
	unsigned int way = stress_below(worker, 4);
	void *p;

	for (i = 0; i < n; i++) {
		void **kept = &worker->objects[way ? i : stress_below(worker, n)];

		p = xchg(kept, way == 1 ? NULL : allocate(worker));
		if (p) {
			note_stale(worker, p);
			kspan_free(p);
		}
		if (*kept)
			worker->counts.allocs++;
	}
}

/*
 * Allocate and free more objects of 16 KiB, of a page, or of five pages than magazines take. So
 * spans are made and retired.
 */
static void churn_spans(struct stress_worker *worker)
{
	static const unsigned int sizes[] = { 16384, 8192, 40960 };
	unsigned int i, size = sizes[stress_below(worker, ARRAY_SIZE(sizes))];
	void *p[20];

	if (worker->context == STRESS_NMI)
		return;
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = kspan_malloc(size, GFP_ATOMIC | __GFP_NOWARN);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		if (!p[i])
			continue;
		note_stale(worker, p[i]);
		kspan_free(p[i]);
	}
	worker->counts.allocs += ARRAY_SIZE(p);
}

/**
 * stress_operate() - misuse some pointers, or allocate and free
 * @worker:	runs in its context
 */
void stress_operate(struct stress_worker *worker)
{
	unsigned int i;

	switch (stress_below(worker, 8)) {
	case 0:
		churn(worker);
		break;
	case 1:
		churn_spans(worker);
		break;
	default:
		for (i = 0; i < BURST; i++)
			misuse(worker);
	}
	worker->counts.operations++;
}

static unsigned int churned_size(struct stress_worker *worker)
{
	return churned_sizes[stress_below(worker, ARRAY_SIZE(churned_sizes))];
}

/* Create a heap, use it, and end it by a reset and a destruction. */
static void churn_heap(struct stress_worker *worker)
{
	struct kspan_heap *own = kspan_heap_create("wrong own", 0, 0);
	unsigned int n = 1 + stress_below(worker, 64);
	void *p;

	if (!own)
		return;
	while (n--) {
		if (stress_below(worker, 3))
			p = kspan_heap_malloc(own, churned_size(worker), GFP_KERNEL | __GFP_NOWARN);
		else
			p = kspan_heap_tiny_alloc(own, 1 + stress_below(worker, 15), GFP_KERNEL);
		if (!p)
			continue;
		note_stale(worker, p);
		if (stress_below(worker, 2))
			kspan_free(p);
	}
	kspan_heap_reset(own);
	kspan_heap_destroy(own);
}

static void churn_region(struct stress_worker *worker)
{
	struct kspan_region *r = kspan_region_create(stress_below(worker, 2) ? heap : NULL, 0,
						     GFP_KERNEL);
	unsigned int n = 32;

	if (!r)
		return;
	while (n--) {
		void *p = kspan_region_alloc(r, 1 + stress_below(worker, 8000), GFP_KERNEL);

		if (p)
			note_stale(worker, p);
	}
	kspan_region_destroy(r);
}

/* Spans with few objects become hollow, and their pages are released. */
static void churn_hollow(struct stress_worker *worker)
{
	unsigned int n = 256, size = stress_below(worker, 2) ? 2048 : 1024, i;
	void **p = kvcalloc(n, sizeof(*p), GFP_KERNEL);

	if (!p)
		return;
	for (i = 0; i < n; i++)
		p[i] = kspan_malloc(size, GFP_KERNEL | __GFP_NOWARN);
	for (i = 0; i < n; i++)
		if (p[i] && i % 16) {
			note_stale(worker, p[i]);
			kspan_free(p[i]);
		}
	kspan_trim();
	for (i = 0; i < n; i += 16)
		kspan_free(p[i]);
	kvfree(p);
}

/**
 * stress_housekeep() - do an operation on a whole heap
 * @worker:	a task that is bound to no CPU
 */
void stress_housekeep(struct stress_worker *worker)
{
	struct kspan_stats stats;
	unsigned int i;

	switch (stress_below(worker, 12)) {
	case 0:
		kspan_stats_read(&stats);
		break;
	case 1:
		kspan_heap_drain(&kspan_default_heap);
		break;
	case 2:
		kspan_page_heap_release_all();
		break;
	case 3:
		kspan_heap_trim(heap);
		break;
	case 4:
		kspan_cache_trim(cache);
		break;
	case 5 ... 6:
		churn_heap(worker);
		break;
	case 7 ... 8:
		if (looks)
			churn_region(worker);
		else
			churn_heap(worker);
		break;
	case 9:
		churn_hollow(worker);
		break;
	case 10:
		if (looks)
			kspan_barrier();
		break;
	default:
		for (i = 0; i < BYSTANDERS; i++)
			check_bystander(&bystanders[i], true);
	}
	worker->counts.operations++;
}

static void sum_up(struct stress_counts *sums, struct stress_counts *total)
{
	enum stress_context context;

	memset(sums, 0, STRESS_NR_CONTEXTS * sizeof(*sums));
	memset(total, 0, sizeof(*total));
	for (context = 0; context < STRESS_NR_CONTEXTS; context++) {
		stress_sum(context, &sums[context]);
		total->operations += sums[context].operations;
		total->allocs += sums[context].allocs;
		total->frees += sums[context].frees;
		total->failed += sums[context].failed;
	}
}

static const char * const context_names[] = { "task", "softirq", "hardirq", "nmi" };

static int wrong_show(struct seq_file *m, void *unused)
{
	struct stress_counts sums[STRESS_NR_CONTEXTS], total;
	enum stress_context context;

	sum_up(sums, &total);
	seq_printf(m, "wrong_frees: %llu\n", total.frees);
	seq_printf(m, "wrong_looks: %llu\n", total.failed);
	for (context = 0; context < STRESS_NR_CONTEXTS; context++)
		seq_printf(m, "%s: %llu\n", context_names[context], sums[context].operations);
	seq_printf(m, "allocations: %llu\n", total.allocs);
	seq_printf(m, "broken: %ld\n", atomic_long_read(&stress_nr_broken));
	seq_printf(m, "seed: %llu\n", stress_seed);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(wrong);

/* Complete the frees that NMIs left, drain the caches, and release empty arenas. */
static void settle(struct kspan_stats *stats)
{
	kspan_barrier();
	/* Wait for typed caches for readers under RCU that were destroyed. */
	kspan_private_settle();
	kspan_heap_drain(&kspan_default_heap);
	/* Wait for the work items of heaps that were destroyed. */
	rcu_barrier();
	kspan_stats_read(stats);
	kspan_page_heap_release_all();
	kspan_heap_drain(&kspan_default_heap);
	kspan_page_heap_release_all();
	kspan_stats_read(stats);
}

static void clean_up(void)
{
	free_bystanders();
	if (region)
		kspan_region_destroy(region);
	kspan_heap_destroy(heap);
	kspan_heap_destroy(bystander_heap);
	kspan_cache_destroy(cache);
	vfree(vmalloced);
	kfree(kmalloced);
}

static bool make_region(void)
{
	region = kspan_region_create(bystander_heap, 0, GFP_KERNEL);
	region_object = region ? kspan_region_alloc(region, REGION_OBJECT, GFP_KERNEL) : NULL;
	if (!region_object)
		return false;
	memset(region_object, 0x5a, REGION_OBJECT);
	return true;
}

static int prepare(void)
{
	unsigned int i;

	heap = kspan_heap_create("wrong", 0, 0);
	bystander_heap = kspan_heap_create("wrong bystanders", 0, 0);
	cache = kspan_cache_create("wrong cache", CACHE_SIZE, 0, KSPAN_TYPESAFE_BY_RCU, NULL);
	vmalloced = vmalloc(PAGE_SIZE);
	kmalloced = kmalloc(1024, GFP_KERNEL);
	given_back = __get_free_page(GFP_KERNEL);
	if (!heap || !bystander_heap || !cache || !vmalloced || !kmalloced || !given_back)
		goto fail;
	free_page(given_back);
	if (!make_bystanders() || (looks && !make_region()))
		goto fail;
	for (i = 0; i < STALE; i++)
		stale[i] = given_back;
	return 0;
fail:
	clean_up();
	return -ENOMEM;
}

static int __init wrong_init(void)
{
	int err;

	if (!seconds || seconds > 1000000)
		return -EINVAL;
	if (!stress_seed)
		stress_seed = get_random_u32() | 1;
	settle(&before);
	err = prepare();
	if (err)
		return err;
	foreign_before = kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN);
	region_before = kspan_bad_free_count(KSPAN_BAD_FREE_REGION);
	interior_before = kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR);
	end = ktime_get_seconds() + seconds;
	err = stress_workers_start();
	if (err) {
		clean_up();
		return err;
	}
	file = debugfs_create_file("kspan_wrong", 0444, NULL, NULL, &wrong_fops);
	pr_info("seconds=%u seed=%llu looks=%d\n", seconds, stress_seed, looks);
	return 0;
}
module_init(wrong_init);

static void same(char *why, size_t size, const char *what, u64 found, u64 expected)
{
	if (found != expected && !*why)
		snprintf(why, size, "%s: %llu instead of %llu", what, found, expected);
}

/*
 * All sure frees must be counted. Some that are not sure may be counted as the same kind, if stale
 * pointers are freed.
 */
static void count_least(char *why, size_t size, const char *what, u64 found, u64 least)
{
	if ((found < least || (looks && found != least)) && !*why)
		snprintf(why, size, "%s: %llu instead of %llu", what, found, least);
}

static void check_heap(struct kspan_heap *checked, char *why, size_t size)
{
	struct kspan_finding finding;

	kspan_find_inconsistency(checked, &finding);
	if (finding.what && !*why)
		snprintf(why, size, "heap %s: %s at %#lx: %#llx instead of %#llx", checked->name,
			 finding.what, finding.addr, finding.got, finding.want);
}

static void free_kept(struct stress_worker *worker)
{
	unsigned int i;

	for (i = 0; i < KEPT; i++) {
		kspan_free(worker->objects[i]);
		worker->objects[i] = NULL;
	}
}

static void judge(char *why, size_t size, const struct stress_counts *sums)
{
	enum stress_context context;
	struct kspan_stats after;

	kspan_barrier();
	count_least(why, size, "foreign addresses",
		    kspan_bad_free_count(KSPAN_BAD_FREE_FOREIGN) - foreign_before,
		    atomic64_read(&sure_foreign));
	count_least(why, size, "addresses in a region",
		    kspan_bad_free_count(KSPAN_BAD_FREE_REGION) - region_before,
		    atomic64_read(&sure_region));
	count_least(why, size, "addresses inside of objects",
		    kspan_bad_free_count(KSPAN_BAD_FREE_INTERIOR) - interior_before,
		    atomic64_read(&sure_interior));
	if (region && memchr_inv(region_object, 0x5a, REGION_OBJECT))
		broken("object of a region", region_object, 0x5a, 0);
	kspan_heap_drain(&kspan_default_heap);
	check_heap(&kspan_default_heap, why, size);
	kspan_heap_drain(heap);
	check_heap(heap, why, size);
	/* A wrong free in the spans of this heap may lie in a magazine. */
	kspan_heap_drain(bystander_heap);
	check_heap(bystander_heap, why, size);
	kspan_heap_drain((struct kspan_heap *)cache);
	check_heap((struct kspan_heap *)cache, why, size);
	same(why, size, "objects left in the cache",
	     kspan_private_live((struct kspan_heap *)cache), 0);
	same(why, size, "objects left in the heap", kspan_private_live(heap), 0);
	clean_up();
	settle(&after);
	same(why, size, "broken", atomic_long_read(&stress_nr_broken), 0);
	check_heap(&kspan_default_heap, why, size);
	same(why, size, "objects in use", after.heap_objects, before.heap_objects);
	same(why, size, "bytes in use", after.alloc, before.alloc);
	same(why, size, "bytes of used pages", after.heap_inuse, before.heap_inuse);
	same(why, size, "bytes of arenas", after.heap_sys, before.heap_sys);
	for (context = 0; context < STRESS_NR_CONTEXTS; context++)
		if (!sums[context].operations && !*why &&
		    (context != STRESS_NMI || stress_has_nmis()))
			snprintf(why, size, "nothing was done in %s context",
				 context_names[context]);
}

static void __exit wrong_exit(void)
{
	struct stress_counts sums[STRESS_NR_CONTEXTS], total;
	char why[160] = "";

	WRITE_ONCE(end, 0);
	debugfs_remove(file);
	stress_workers_stop();
	sum_up(sums, &total);
	stress_visit_workers(free_kept);
	judge(why, sizeof(why), sums);
	stress_workers_exit();
	pr_info("%llu wrong frees, %llu wrong looks, %llu allocations (operations: task %llu, softirq %llu, hardirq %llu, nmi %llu), seed %llu\n",
		total.frees, total.failed, total.allocs, sums[STRESS_TASK].operations,
		sums[STRESS_SOFTIRQ].operations, sums[STRESS_HARDIRQ].operations,
		sums[STRESS_NMI].operations, stress_seed);
	if (*why)
		pr_err("verdict FAILED: %s\n", why);
	else
		pr_info("verdict ok\n");
}
module_exit(wrong_exit);

MODULE_DESCRIPTION("Wrong pointers from everywhere");
MODULE_LICENSE("GPL");
KSPAN_IMPORT_FOR_KUNIT();
