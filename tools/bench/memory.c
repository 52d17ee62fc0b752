// SPDX-License-Identifier: GPL-2.0
/*
 * what=memory: the memory that objects take, beside their requested bytes.
 *
 * kspan and SLUB do the same work by turns. Each begins when both have released all that is not in
 * use. Objects of random sizes are allocated (reading=filled). Random ones are replaced by new
 * ones, ten times as many as there are (churned). A random nine of ten are freed (freed). Both
 * allocators release what they can (shrunk), and once more after all is freed (empty):
 *
 *	kspan-bench: pattern=uniform reading=filled n=... requested=... kspan_held=... ...
 *
 *	uniform		1 to 32768 bytes
 *	powerlaw	8 bytes to 64 KiB, Pareto's distribution with exponent 1: half as
 *			many objects are of twice the size
 *	small		8 to 1024 bytes, as many in each octave
 *	mixed		1 byte to 128 KiB, as many in each octave
 *	large		33 KiB to 1 MiB, uniform
 *
 * pattern=drift: a long churn of objects of 32 MiB in all, whose sizes are within an octave. The
 * octave wanders from 16 bytes to 16 KiB and back, five times. The held bytes must not grow from
 * cycle to cycle.
 *
 * Amounts are in KiB, means of the repeats, each of which has its own seed. low and high are the
 * extremes of the ratio. Held are the free pages that the system has less than before; pages on
 * the lists of CPUs count as free. Beside it stand the allocators' own statistics.
 *
 * The work moves from CPU to CPU, so that the caches of all take part.
 */
#include "bench.h"
#include "shrink_kmalloc.h"
#include "system_pages.h"

#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

static unsigned int total;
module_param(total, uint, 0444);
MODULE_PARM_DESC(total, "MiB of the objects of memory (default 256; small and powerlaw 64, drift 32)");

static unsigned int repeats = 3;
module_param(repeats, uint, 0444);
MODULE_PARM_DESC(repeats, "of the patterns of memory, each with a seed of its own (default 3)");

static unsigned int operations = 10000000;
module_param(operations, uint, 0444);
MODULE_PARM_DESC(operations, "of memory's drift (default 10000000)");

/* Operations before the work moves to the next CPU. */
#define SLICE		1024U
/* Times that churn replaces each object, in the mean. */
#define REPLACEMENTS	10
/* Cycles of drift, up and down, and readings in each. */
#define CYCLES		5U
#define CYCLE_SAMPLES	10U
#define NR_SAMPLES	(CYCLES * CYCLE_SAMPLES)
/* The lowest octave of drift, and the number of octaves. */
#define DRIFT_LEAST	16U
#define DRIFT_OCTAVES	10U
/*
 * Mean size of drift's objects. Drift allocates as many bytes in each octave, so this is the
 * harmonic mean, 1.5 * 16 * 10 * ln(2) / (1 - 1 / 1024).
 */
#define DRIFT_MEAN	166U

enum { FILLED, CHURNED, FREED, SHRUNK, EMPTY, NR_READINGS };

static const char * const reading_names[] = { "filled", "churned", "freed", "shrunk", "empty" };

struct sizes {
	const char *name;
	u32 (*draw)(const struct sizes *sizes, struct rnd_state *rnd);
	u32 least;
	u32 most;
	unsigned int megabytes;
};

static u32 draw_uniform(const struct sizes *sizes, struct rnd_state *rnd)
{
	return sizes->least + prandom_u32_state(rnd) % (sizes->most - sizes->least + 1);
}

/* The inverse of the distribution: least / (1 - u * (1 - least / most)). */
static u32 draw_pareto(const struct sizes *sizes, struct rnd_state *rnd)
{
	u64 u = prandom_u32_state(rnd);

	return div64_u64((u64)sizes->least * sizes->most,
			 sizes->most - (u * (sizes->most - sizes->least) >> 32));
}

static u32 draw_octave(const struct sizes *sizes, struct rnd_state *rnd)
{
	u32 size = sizes->least << prandom_u32_state(rnd) % ilog2(sizes->most / sizes->least);

	return size + prandom_u32_state(rnd) % size;
}

static const struct sizes known[] = {
	{ "uniform", draw_uniform, 1, SZ_32K, 256 },
	{ "powerlaw", draw_pareto, 8, SZ_64K, 64 },
	{ "small", draw_octave, 8, SZ_1K, 64 },
	{ "mixed", draw_octave, 1, SZ_128K, 256 },
	{ "large", draw_uniform, 33 * SZ_1K, SZ_1M, 256 },
};

static const struct sizes drift = { "drift", draw_uniform, DRIFT_LEAST, 2 * DRIFT_LEAST, 32 };

/* The live objects, in no order, and their requested bytes. */
static struct object {
	void *p;
	u32 size;
} *live;

static u32 nr_live;
static u64 requested;

/**
 * struct reading - memory that is held at some point, in bytes
 * @nr_objects:	live objects
 * @requested:	their requested bytes
 * @held:		free pages that the system has less than at the start
 * @slabs:		pages of SLUB that it has more than at the start
 * @memory:		statistics of kspan
 */
struct reading {
	u64 nr_objects;
	u64 requested;
	u64 held;
	u64 slabs;
	struct kspan_memory memory;
};

/* Free pages, and pages of SLUB, at the start. */
static struct {
	long free;
	long slabs;
} start;

static void note_start(void)
{
	start.free = system_free_pages();
	start.slabs = system_slab_pages();
}

static u64 bytes_of(long pages)
{
	return (u64)max(pages, 0L) << PAGE_SHIFT;
}

static void take_reading(struct reading *reading)
{
	reading->nr_objects = nr_live;
	reading->requested = requested;
	reading->held = bytes_of(start.free - system_free_pages());
	reading->slabs = bytes_of(system_slab_pages() - start.slabs);
	kspan_memory_read(&reading->memory);
}

static void add_reading(struct reading *sum, const struct reading *reading)
{
	sum->nr_objects += reading->nr_objects;
	sum->requested += reading->requested;
	sum->held += reading->held;
	sum->slabs += reading->slabs;
	sum->memory.arenas += reading->memory.arenas;
	sum->memory.spans += reading->memory.spans;
	sum->memory.live += reading->memory.live;
	sum->memory.cached += reading->memory.cached;
	sum->memory.metadata += reading->memory.metadata;
}

/*
 * RCU frees descriptors of spans to their slabs, and then slabs to the page allocator. So wait
 * twice.
 */
static void settle(void)
{
	kspan_trim();
	rcu_barrier();
	shrink_kmalloc();
	rcu_barrier();
}

static void next_cpu(void)
{
	unsigned int cpu = cpumask_next(raw_smp_processor_id(), cpu_online_mask);

	if (cpu >= nr_cpu_ids)
		cpu = cpumask_first(cpu_online_mask);
	set_cpus_allowed_ptr(current, cpumask_of(cpu));
	cond_resched();
}

static int add_object(const struct allocator *a, u32 size)
{
	void *p = a->alloc(size, GFP_KERNEL | __GFP_NOWARN);

	if (!p)
		return -ENOMEM;
	live[nr_live].p = p;
	live[nr_live++].size = size;
	requested += size;
	return 0;
}

static void remove_object(const struct allocator *a, u32 i)
{
	a->free(live[i].p);
	requested -= live[i].size;
	live[i] = live[--nr_live];
}

static void remove_random(const struct allocator *a, struct rnd_state *rnd)
{
	remove_object(a, prandom_u32_state(rnd) % nr_live);
}

static void remove_all(const struct allocator *a)
{
	while (nr_live) {
		remove_object(a, nr_live - 1);
		if (nr_live % SLICE == 0)
			next_cpu();
	}
}

static u64 bytes_wanted(const struct sizes *sizes)
{
	return (u64)(total ?: sizes->megabytes) * SZ_1M;
}

/* Number of objects of a pattern. */
static u32 count_objects(const struct sizes *sizes, u32 with_seed)
{
	u64 bytes = 0, wanted = bytes_wanted(sizes);
	struct rnd_state rnd;
	u32 n = 0;

	prandom_seed_state(&rnd, with_seed);
	while (bytes < wanted) {
		bytes += sizes->draw(sizes, &rnd);
		n++;
	}
	return n;
}

static int make_room(const struct sizes *sizes, u32 n)
{
	live = vcalloc(n, sizeof(*live));
	if (live)
		return 0;
	pr_err("no memory for a table of %u objects of pattern=%s; give the machine more (MEM=), or lower total=\n",
	       n, sizes->name);
	return -ENOMEM;
}

static int fill(const struct sizes *sizes, const struct allocator *a, u32 n,
		struct rnd_state *rnd)
{
	int err = 0;

	while (!err && nr_live < n) {
		err = add_object(a, sizes->draw(sizes, rnd));
		if (nr_live % SLICE == 0)
			next_cpu();
	}
	return err;
}

static int churn(const struct sizes *sizes, const struct allocator *a, struct rnd_state *rnd)
{
	u64 left = (u64)nr_live * REPLACEMENTS;
	int err = 0;

	while (!err && left--) {
		remove_random(a, rnd);
		err = add_object(a, sizes->draw(sizes, rnd));
		if (left % SLICE == 0)
			next_cpu();
	}
	return err;
}

static void free_most(const struct allocator *a, struct rnd_state *rnd)
{
	u32 keep = nr_live / 10;

	while (nr_live > keep) {
		remove_random(a, rnd);
		if (nr_live % SLICE == 0)
			next_cpu();
	}
}

static void show_no_memory(const struct sizes *sizes)
{
	pr_err("no memory: pattern=%s has %u objects of %llu MiB, where it is to have %llu MiB; give the machine more (MEM=), or lower total=\n",
	       sizes->name, nr_live, requested / SZ_1M, bytes_wanted(sizes) / SZ_1M);
}

/* Allocate, replace and free the objects of a pattern, with a reading at each point. */
static int live_through(const struct sizes *sizes, const struct allocator *a, u32 with_seed,
			u32 n, struct reading *readings)
{
	struct rnd_state rnd;
	int err;

	settle();
	note_start();
	prandom_seed_state(&rnd, with_seed);
	err = fill(sizes, a, n, &rnd);
	if (!err) {
		take_reading(&readings[FILLED]);
		err = churn(sizes, a, &rnd);
	}
	if (!err) {
		take_reading(&readings[CHURNED]);
		free_most(a, &rnd);
		take_reading(&readings[FREED]);
		settle();
		take_reading(&readings[SHRUNK]);
	}
	if (err)
		show_no_memory(sizes);
	remove_all(a);
	settle();
	take_reading(&readings[EMPTY]);
	return err;
}

/* U64_MAX if @b is 0. */
static u64 thousandths_of(u64 a, u64 b)
{
	return b ? div64_u64(a * 1000 + b / 2, b) : U64_MAX;
}

/* "1.234", or "-" for U64_MAX. */
static struct number number_of_thousandths(u64 thousandths)
{
	struct number number = { "-" };

	if (thousandths != U64_MAX)
		snprintf(number.text, sizeof(number.text), "%llu.%03u",
			 div_u64(thousandths, 1000), (unsigned int)(thousandths % 1000));
	return number;
}

static struct number quotient(u64 a, u64 b)
{
	return number_of_thousandths(thousandths_of(a, b));
}

/**
 * struct result - both allocators at one point of a pattern
 * @ours:	sum of the readings of kspan
 * @theirs:	sum of the readings of SLUB
 * @low:	lowest ratio of two readings, in thousandths
 * @high:	highest ratio of two readings, in thousandths
 */
struct result {
	struct reading ours;
	struct reading theirs;
	u64 low;
	u64 high;
};

static void add_result(struct result *result, const struct reading *ours,
		       const struct reading *theirs)
{
	/* When all objects are freed the ratio is only noise. */
	u64 ratio = thousandths_of(ours->held, ours->requested ? theirs->held : 0);

	add_reading(&result->ours, ours);
	add_reading(&result->theirs, theirs);
	result->low = min(result->low, ratio);
	result->high = ratio == U64_MAX ? ratio : max(result->high, ratio);
}

/* Print the means of @n readings. @of is the begin of the line. */
static void show_result(const char *of, const struct result *result, unsigned int n)
{
	const struct reading *ours = &result->ours, *theirs = &result->theirs;
	const struct kspan_memory *memory = &ours->memory;
	u64 kib = (u64)n * SZ_1K;

	pr_info("%s n=%llu requested=%llu kspan_held=%llu slub_held=%llu kspan=%s slub=%s ratio=%s low=%s high=%s arenas=%llu spans=%llu live=%llu cached=%llu metadata=%llu cached_share=%s metadata_share=%s slub_slabs=%llu\n",
		of, div_u64(ours->nr_objects, n), div64_u64(ours->requested, kib),
		div64_u64(ours->held, kib), div64_u64(theirs->held, kib),
		quotient(ours->held, ours->requested).text,
		quotient(theirs->held, theirs->requested).text,
		quotient(ours->held, ours->requested ? theirs->held : 0).text,
		number_of_thousandths(result->low).text,
		number_of_thousandths(result->high).text,
		div64_u64(memory->arenas, kib), div64_u64(memory->spans, kib),
		div64_u64(memory->live, kib), div64_u64(memory->cached, kib),
		div64_u64(memory->metadata, kib),
		quotient(memory->cached * 100, memory->arenas).text,
		quotient(memory->metadata * 100, memory->arenas).text,
		div64_u64(theirs->slabs, kib));
}

static void clear_results(struct result *results, unsigned int n)
{
	memset(results, 0, n * sizeof(*results));
	while (n--)
		results[n].low = U64_MAX;
}

static int compare_once(const struct sizes *sizes, u32 with_seed, struct result *results)
{
	static struct reading ours[NR_READINGS], theirs[NR_READINGS];
	u32 n = count_objects(sizes, with_seed);
	unsigned int i;
	int err;

	err = make_room(sizes, n);
	if (err)
		return err;
	/* Each allocator is the first one every second time. */
	if (with_seed % 2)
		err = live_through(sizes, &kspan, with_seed, n, ours) ?:
		      live_through(sizes, &slub, with_seed, n, theirs);
	else
		err = live_through(sizes, &slub, with_seed, n, theirs) ?:
		      live_through(sizes, &kspan, with_seed, n, ours);
	vfree(live);
	for (i = 0; !err && i < NR_READINGS; i++)
		add_result(&results[i], &ours[i], &theirs[i]);
	return err;
}

static int compare(const struct sizes *sizes)
{
	static struct result results[NR_READINGS];
	unsigned int i;
	char of[64];
	int err = 0;

	clear_results(results, NR_READINGS);
	for (i = 0; !err && i < repeats; i++)
		err = compare_once(sizes, seed + i, results);
	for (i = 0; !err && i < NR_READINGS; i++) {
		snprintf(of, sizeof(of), "pattern=%s reading=%s", sizes->name, reading_names[i]);
		show_result(of, &results[i], repeats);
	}
	return err;
}

/* The least size of drift when @bytes of @all have been allocated. */
static u32 drift_least(u64 bytes, u64 all)
{
	/* In 1/1024 of an octave, up and down. */
	u32 turn = 2 * DRIFT_OCTAVES * SZ_1K, at = div64_u64(bytes * CYCLES * turn, all) % turn;

	at = min(at, turn - at);
	return (DRIFT_LEAST << at / SZ_1K) * (SZ_1K + at % SZ_1K) / SZ_1K;
}

static u32 draw_drift(struct rnd_state *rnd, u64 bytes, u64 all)
{
	u32 least = drift_least(bytes, all);

	return least + prandom_u32_state(rnd) % least;
}

/**
 * struct sample - a reading of drift
 * @reading:	memory that is held
 * @operations:	allocations before it, without those of the first objects
 * @least:	least size at that time
 */
struct sample {
	struct reading reading;
	u64 operations;
	u32 least;
};

static void take_sample(struct sample *sample, u64 done, u32 least)
{
	take_reading(&sample->reading);
	sample->operations = done;
	sample->least = least;
}

/* New objects replace random ones, until all bytes are used up. */
static int wander(const struct allocator *a, struct rnd_state *rnd, struct sample *samples)
{
	u64 all = (u64)operations * DRIFT_MEAN, bytes = 0, done = 0;
	unsigned int sample = 0;
	int err = 0;

	while (!err && sample < NR_SAMPLES) {
		u32 size = draw_drift(rnd, bytes, all);

		while (nr_live && requested + size > bytes_wanted(&drift))
			remove_random(a, rnd);
		err = add_object(a, size);
		bytes += size;
		if (++done % SLICE == 0)
			next_cpu();
		if (bytes * NR_SAMPLES >= all * (sample + 1))
			take_sample(&samples[sample++], done, drift_least(bytes, all));
	}
	return err;
}

static int start_drift(const struct allocator *a, struct rnd_state *rnd)
{
	int err = 0;

	while (!err && requested + 2 * DRIFT_LEAST <= bytes_wanted(&drift)) {
		err = add_object(a, drift.draw(&drift, rnd));
		if (nr_live % SLICE == 0)
			next_cpu();
	}
	return err;
}

/* @ends: readings after the end: shrunk, and empty. */
static int drift_through(const struct allocator *a, struct sample *samples, struct reading *ends)
{
	struct rnd_state rnd;
	int err;

	settle();
	note_start();
	prandom_seed_state(&rnd, seed);
	err = start_drift(a, &rnd) ?: wander(a, &rnd, samples);
	if (err)
		show_no_memory(&drift);
	settle();
	take_reading(&ends[0]);
	remove_all(a);
	settle();
	take_reading(&ends[1]);
	return err;
}

static void show_samples(const struct sample *ours, const struct sample *theirs)
{
	struct result result;
	unsigned int i;
	char of[96];

	for (i = 0; i < NR_SAMPLES; i++) {
		clear_results(&result, 1);
		add_result(&result, &ours[i].reading, &theirs[i].reading);
		snprintf(of, sizeof(of),
			 "pattern=drift reading=sample sample=%u operations=%llu size=%u", i + 1,
			 ours[i].operations, ours[i].least);
		show_result(of, &result, 1);
	}
}

/* The most bytes held in a cycle. The first cycle is 0. */
static u64 peak_of(const struct sample *samples, unsigned int cycle)
{
	u64 peak = 0;
	unsigned int i;

	for (i = 0; i < CYCLE_SAMPLES; i++)
		peak = max(peak, samples[cycle * CYCLE_SAMPLES + i].reading.held);
	return peak;
}

static void show_creep(const struct sample *ours, const struct sample *theirs)
{
	u64 our_first = peak_of(ours, 0), their_first = peak_of(theirs, 0);
	unsigned int i;

	for (i = 0; i < CYCLES; i++) {
		u64 our = peak_of(ours, i), their = peak_of(theirs, i);

		pr_info("pattern=drift reading=peak cycle=%u kspan_held=%llu slub_held=%llu kspan=%s slub=%s ratio=%s creep=%s slub_creep=%s\n",
			i + 1, our / SZ_1K, their / SZ_1K,
			quotient(our, bytes_wanted(&drift)).text,
			quotient(their, bytes_wanted(&drift)).text, quotient(our, their).text,
			quotient(our, our_first).text, quotient(their, their_first).text);
	}
}

static void show_ends(const struct reading *ours, const struct reading *theirs)
{
	static const char * const of[] = {
		"pattern=drift reading=shrunk", "pattern=drift reading=empty",
	};
	struct result result;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(of); i++) {
		clear_results(&result, 1);
		add_result(&result, &ours[i], &theirs[i]);
		show_result(of[i], &result, 1);
	}
}

static int compare_drift(void)
{
	struct sample *ours = vcalloc(NR_SAMPLES, sizeof(*ours));
	struct sample *theirs = vcalloc(NR_SAMPLES, sizeof(*theirs));
	static struct reading our_ends[2], their_ends[2];
	int err = -ENOMEM;

	if (ours && theirs)
		err = make_room(&drift, div_u64(bytes_wanted(&drift), DRIFT_LEAST) + 1);
	if (!err) {
		err = drift_through(&kspan, ours, our_ends) ?:
		      drift_through(&slub, theirs, their_ends);
		vfree(live);
	}
	if (!err) {
		show_samples(ours, theirs);
		show_creep(ours, theirs);
		show_ends(our_ends, their_ends);
	}
	vfree(theirs);
	vfree(ours);
	return err;
}

static bool wanted(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_patterns; i++)
		if (!strcmp(patterns[i], name))
			return true;
	return !nr_patterns;
}

bool is_memory_pattern(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(known[i].name, name))
			return true;
	return !strcmp(drift.name, name);
}

static int check_parameters(void)
{
	u64 memory = (u64)totalram_pages() << PAGE_SHIFT;

	if (!repeats) {
		pr_err("repeats=0: must be above 0\n");
		return -EINVAL;
	}
	/* With fewer operations there would be less between two samples than is live. */
	if (operations < NR_SAMPLES * SLICE) {
		pr_err("operations=%u: must be %u at least\n", operations, NR_SAMPLES * SLICE);
		return -EINVAL;
	}
	if ((u64)total * SZ_1M > memory / 2) {
		pr_err("total=%u: must be half of the memory at most, which is %llu MiB\n", total,
		       memory / 2 / SZ_1M);
		return -EINVAL;
	}
	return 0;
}

int run_memory(void)
{
	static struct cpumask allowed;
	int err = check_parameters();
	unsigned int i;

	if (err)
		return err;
	pr_info("seed=%u repeats=%u operations=%u unit=KiB\n", seed, repeats, operations);
	cpumask_copy(&allowed, current->cpus_ptr);
	for (i = 0; !err && i < ARRAY_SIZE(known); i++)
		if (wanted(known[i].name))
			err = compare(&known[i]);
	if (!err && wanted(drift.name))
		err = compare_drift();
	set_cpus_allowed_ptr(current, &allowed);
	return err;
}
