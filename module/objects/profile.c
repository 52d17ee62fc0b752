// SPDX-License-Identifier: GPL-2.0
/*
 * The heap profile
 *
 * Of all bytes that are allocated, each is equally likely to be sampled. The gaps between two
 * samples are exponential, with a mean of kspan_profile_rate bytes, as in the profiles of Go and
 * TCMalloc. So an object of s bytes is sampled with probability 1 - exp(-s/rate), and one that is
 * sampled stands for 1 / (1 - exp(-s/rate)) objects of its size.
 *
 * Exponential gaps have no memory. Any number of counters may count down to the next sample, each
 * for a part of the objects, and together they still sample every byte with the same probability.
 * kspan has one for each size class of each CPU cache (struct kspan_cpu_class), which counts
 * objects, and one for each CPU, which counts the bytes of all other objects.
 *
 *	bucket	what is known of all sampled objects that have the same stack, heap, size and
 *		node: counters
 *	sample	an object that was sampled and is live: when, where and by whom it was allocated
 *
 * This file knows nothing of where objects are. A span of sampled objects has a pointer to the
 * sample of each slot, see sampled.c. Large objects and those of vmalloc() have one, too.
 *
 * Buckets and samples are cut from blocks that a work item allocates ahead of time. They stay
 * where they are until the module is unloaded, so a reader can follow their links without a lock.
 * To set the rate, or to reset the profile, begins a new generation: the counts of an older one
 * are void, and the samples of an older one only wait for their objects to be freed.
 *
 * Context: any, NMI included, unless a function says otherwise. In an NMI the lock is tried once.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/irq_work.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "base/context.h"
#include "base/kunit_export.h"
#include "objects/profile.h"

#define HASH_BITS	10

/* Memory is added in blocks of so many bytes. */
#define BLOCK_BYTES	(64U * 1024)

/* A stack begins with frames of kspan itself, which are left out. */
#define OWN_FRAMES	8

unsigned long kspan_profile_rate = 2 * 1024 * 1024;
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_rate);
unsigned long kspan_profile_bytes = 4 * 1024 * 1024;
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_bytes);

DEFINE_STATIC_KEY_FALSE(kspan_profiling);
DEFINE_PER_CPU(s64, kspan_profile_left);

static DEFINE_PER_CPU(struct rnd_state, profile_random);

/* The head of a block; what is cut from it comes behind. */
struct profile_block {
	struct profile_block *next;
};

/**
 * struct kspan_profile - state of the profile
 * @lock:	protects all of it
 * @rate:	kspan_profile_rate that the counts are of
 * @generation:	changes when the counts are void
 * @since:	when the generation began
 * @live:	estimate of the live bytes
 * @peak:	largest value of @live
 * @allocated:	estimate of the bytes ever allocated
 * @round:	number of times that @peak was raised
 * @lost:	samples that were not taken
 * @hash:	buckets by hash
 * @first_bucket: first of all buckets
 * @last_bucket: where the next one is linked
 * @first_sample: first of all samples
 * @last_sample: where the next one is linked
 * @free:	samples that no object has
 * @blocks:	all blocks
 * @cut:	free memory of the block in use
 * @left:	bytes from @cut on
 * @spare:	a block that is not in use yet, or NULL
 * @memory:	bytes of all blocks
 * @samples:	bytes of all samples
 * @lives:	lifetimes of freed objects by powers of two of size and nanoseconds
 * @deferred:	samples whose objects were freed while the lock was not to be had; lock-free
 */
static struct kspan_profile {
	raw_spinlock_t lock;
	unsigned long rate;
	u32 generation;
	u64 since;
	u64 live;
	u64 peak;
	u64 allocated;
	u64 round;
	atomic_long_t lost;
	struct kspan_bucket *hash[BIT(HASH_BITS)];
	struct kspan_bucket *first_bucket;
	struct kspan_bucket **last_bucket;
	struct kspan_sample *first_sample;
	struct kspan_sample **last_sample;
	struct kspan_sample *free;
	struct profile_block *blocks;
	void *cut;
	size_t left;
	struct profile_block *spare;
	size_t memory;
	size_t samples;
	u32 lives[KSPAN_PROFILE_SIZES][KSPAN_PROFILE_LIVES];
	struct llist_head deferred;
} profile = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(profile.lock),
	.generation = 1,
	.last_bucket = &profile.first_bucket,
	.last_sample = &profile.first_sample,
};

/* Serialises changes of the rate. */
static DEFINE_MUTEX(rate_mutex);

/*
 * A random number with exponential distribution and mean 1, times 65536: -ln(u), u uniform in
 * (0, 1]. The logarithm to base 2 is computed bit by bit: squaring a number doubles its logarithm.
 */
static u64 profile_exponential(void)
{
	u64 u = (u64)prandom_u32_state(raw_cpu_ptr(&profile_random)) + 1, log, mantissa;
	unsigned int bit;

	log = (u64)ilog2(u) << 16;
	mantissa = u << 31 >> ilog2(u);
	for (bit = 1U << 15; bit; bit >>= 1) {
		mantissa = mantissa * mantissa >> 31;
		if (mantissa >> 32) {
			log |= bit;
			mantissa >>= 1;
		}
	}
	/* ln(2) is 45426 / 65536. */
	return ((32ULL << 16) - log) * 45426 >> 16;
}

/* Bytes to the next sample. */
static u64 profile_gap_bytes(unsigned long rate)
{
	if (!rate)
		return KSPAN_PROFILE_NEVER;
	return rate > 1 ? mul_u64_u64_shr(profile_exponential(), rate, 16) : 0;
}

/**
 * kspan_profile_gap() - draw the number of objects up to the next sample
 * @size:	bytes that an object takes
 *
 * Context: preemption is off.
 * Return: the number of objects that are not sampled before one is; KSPAN_PROFILE_NEVER if
 * nothing is sampled.
 */
s64 kspan_profile_gap(size_t size)
{
	unsigned long rate = READ_ONCE(kspan_profile_rate);

	return rate ? div64_u64(profile_gap_bytes(rate), size) : KSPAN_PROFILE_NEVER;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_gap);

/**
 * kspan_profile_rewind() - begin to count to the next sample on a CPU; see kspan_profile_due()
 * @cpu: this CPU, or one that is offline
 */
void kspan_profile_rewind(unsigned int cpu)
{
	WRITE_ONCE(*per_cpu_ptr(&kspan_profile_left, cpu),
		   profile_gap_bytes(READ_ONCE(kspan_profile_rate)));
}

/* 1 / (1 - exp(-x)), times 65536; @x is times 2^24. */
static u64 profile_scale(u64 x)
{
	const u64 one = BIT_ULL(24);
	unsigned int halvings = 0;
	u64 scale, rest;

	if (x >= 16 * one)
		return BIT(16);
	for (; x > one / 2; x >>= 1)
		halvings++;
	x = max(x, 1ULL);
	/* The series 1/x + 1/2 + x/12 is exact to 2 parts in 10000 for x up to 1/2. */
	scale = div64_u64(BIT_ULL(40), x) + BIT(15) + div_u64(x >> 8, 12);
	/* If s is the scale of x, 1 - 1/s is exp(-x); its square is exp(-2x). */
	while (halvings--) {
		rest = BIT_ULL(32) - div64_u64(BIT_ULL(48), scale);
		rest = rest * (rest >> 16) >> 16;
		scale = div64_u64(BIT_ULL(48), BIT_ULL(32) - rest);
	}
	return scale;
}

/**
 * kspan_profile_weight() - how many objects a sampled one stands for
 * @size:	bytes that an object takes
 *
 * Return: the number of objects, times 65536.
 */
u64 kspan_profile_weight(size_t size)
{
	unsigned long rate = READ_ONCE(profile.rate);

	if (rate <= 1)
		return BIT(16);
	/* 1/x + 1/2 is exact to 1 part in 700 for x up to 1/64. */
	if (size <= rate / 64)
		return div64_u64((u64)rate << 16, size) + BIT(15);
	return profile_scale(div64_u64((u64)size << 24, rate));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_weight);

/* Bytes that a sampled object stands for. */
static u64 profile_bytes_of(size_t size)
{
	return kspan_profile_weight(size) * size >> 16;
}

static void profile_grow(struct work_struct *work)
{
	struct profile_block *block = NULL;
	unsigned long flags;

	if (READ_ONCE(profile.memory) + BLOCK_BYTES <= READ_ONCE(kspan_profile_bytes))
		block = kvzalloc(BLOCK_BYTES, GFP_KERNEL);
	if (!block)
		return;
	raw_spin_lock_irqsave(&profile.lock, flags);
	if (!profile.spare) {
		profile.spare = block;
		profile.memory += BLOCK_BYTES;
		block = NULL;
	}
	raw_spin_unlock_irqrestore(&profile.lock, flags);
	kvfree(block);
}

static DECLARE_WORK(grow_work, profile_grow);

static void profile_queue_grow(struct irq_work *work)
{
	schedule_work(&grow_work);
}

static struct irq_work grow_irq_work = IRQ_WORK_INIT(profile_queue_grow);

/* Cut memory from the blocks. It is zeroed. Returns NULL if there is none left. */
static void *profile_cut(size_t bytes)
{
	void *memory;

	lockdep_assert_held(&profile.lock);
	bytes = ALIGN(bytes, sizeof(u64));
	if (profile.left < bytes && profile.spare) {
		profile.spare->next = profile.blocks;
		profile.blocks = profile.spare;
		profile.spare = NULL;
		profile.cut = profile.blocks + 1;
		profile.left = BLOCK_BYTES - sizeof(struct profile_block);
	}
	if (!profile.spare && READ_ONCE(profile.memory) + BLOCK_BYTES <= kspan_profile_bytes)
		irq_work_queue(&grow_irq_work);
	if (profile.left < bytes)
		return NULL;
	memory = profile.cut;
	profile.cut += bytes;
	profile.left -= bytes;
	return memory;
}

/* Void what the bucket has counted in an older generation. */
static void profile_refresh(struct kspan_bucket *bucket)
{
	lockdep_assert_held(&profile.lock);
	if (bucket->generation == profile.generation)
		return;
	bucket->generation = profile.generation;
	memset(&bucket->counts, 0, sizeof(bucket->counts));
	bucket->round = profile.round;
}

/*
 * The counts of a bucket are about to change. If they have not changed since the last peak, they
 * are the counts at the peak.
 */
static void profile_note_peak(struct kspan_bucket *bucket)
{
	lockdep_assert_held(&profile.lock);
	if (bucket->round == profile.round)
		return;
	bucket->round = profile.round;
	bucket->counts.peak = bucket->counts.live;
	bucket->counts.peak_bytes = bucket->counts.live_bytes;
}

/* What tells one bucket from another. */
struct bucket_key {
	const unsigned long *stack;
	unsigned int nr;
	size_t size;
	const char *heap;
	int nid;
};

static bool profile_matches(const struct kspan_bucket *bucket, const struct bucket_key *key)
{
	return bucket->nr == key->nr && bucket->size == key->size && bucket->nid == key->nid &&
	       !memcmp(bucket->stack, key->stack, key->nr * sizeof(*key->stack)) &&
	       !strncmp(bucket->heap, key->heap, KSPAN_PROFILE_NAME - 1);
}

static struct kspan_bucket *profile_bucket(const struct bucket_key *key)
{
	u32 hash = jhash(key->stack, key->nr * sizeof(*key->stack), key->size);
	struct kspan_bucket **head = &profile.hash[hash >> (32 - HASH_BITS)], *bucket;

	lockdep_assert_held(&profile.lock);
	for (bucket = *head; bucket; bucket = bucket->hash_next)
		if (bucket->hash == hash && profile_matches(bucket, key))
			return bucket;
	bucket = profile_cut(struct_size(bucket, stack, key->nr));
	if (!bucket)
		return NULL;
	bucket->hash = hash;
	bucket->size = key->size;
	bucket->nid = key->nid;
	bucket->nr = key->nr;
	strscpy(bucket->heap, key->heap, sizeof(bucket->heap));
	memcpy(bucket->stack, key->stack, key->nr * sizeof(*key->stack));
	bucket->hash_next = *head;
	*head = bucket;
	/* Release: pairs with the acquire in kspan_profile_next_bucket(). */
	smp_store_release(profile.last_bucket, bucket);
	profile.last_bucket = &bucket->next;
	return bucket;
}

static struct kspan_sample *profile_take_sample(void)
{
	struct kspan_sample *sample = profile.free;

	lockdep_assert_held(&profile.lock);
	if (sample) {
		profile.free = sample->free_next;
		return sample;
	}
	/* The rest is for stacks that are still to come. */
	if (profile.samples + sizeof(*sample) > kspan_profile_bytes / 4 * 3)
		return NULL;
	sample = profile_cut(sizeof(*sample));
	if (!sample)
		return NULL;
	profile.samples += sizeof(*sample);
	/* Release: pairs with the acquire in kspan_profile_next_sample(). */
	smp_store_release(profile.last_sample, sample);
	profile.last_sample = &sample->next;
	return sample;
}

static void profile_count_life(const struct kspan_sample *sample, u64 died)
{
	u64 ns = max(died - min(sample->born, died), 1ULL);
	unsigned int size = ilog2(max_t(size_t, sample->bucket->size, 1));
	unsigned int life = ilog2(ns);

	size = min(size, KSPAN_PROFILE_SIZES - 1U);
	life = min(life, KSPAN_PROFILE_LIVES - 1U);
	profile.lives[size][life]++;
}

static void profile_remove_locked(struct kspan_sample *sample, u64 died)
{
	struct kspan_bucket *bucket = sample->bucket;

	lockdep_assert_held(&profile.lock);
	if (sample->generation == profile.generation) {
		profile_note_peak(bucket);
		bucket->counts.live--;
		bucket->counts.live_bytes -= sample->requested;
		profile.live -= min(profile.live, profile_bytes_of(bucket->size));
		profile_count_life(sample, died);
	}
	sample->bucket = NULL;
	sample->free_next = profile.free;
	profile.free = sample;
}

/* Most frees that are completed at a time, because interrupts are off. */
#define MERGED_AT_A_TIME	16

/* Complete frees that found the lock taken. Only the owner of the lock takes from the list. */
static void profile_merge(void)
{
	struct llist_node *first;
	struct kspan_sample *sample;
	unsigned int n;

	lockdep_assert_held(&profile.lock);
	for (n = 0; n < MERGED_AT_A_TIME && !llist_empty(&profile.deferred); n++) {
		first = llist_del_first(&profile.deferred);
		sample = llist_entry(first, struct kspan_sample, deferred);
		profile_remove_locked(sample, sample->died);
	}
}

static unsigned int profile_context(void)
{
	if (in_nmi())
		return 3;
	if (in_hardirq())
		return 2;
	return in_serving_softirq();
}

/* The stack of the caller of kspan. Returns the number of frames, which begin at *@from. */
static unsigned int profile_stack(unsigned long *stack, unsigned int *from)
{
	unsigned int nr = stack_trace_save(stack, KSPAN_PROFILE_FRAMES + OWN_FRAMES, 1), own = 0;

#ifdef MODULE
	while (own + 1 < nr && within_module(stack[own], THIS_MODULE))
		own++;
#endif
	*from = own;
	return min_t(unsigned int, nr - own, KSPAN_PROFILE_FRAMES);
}

static void profile_fill(struct kspan_sample *sample, const void *object, size_t requested)
{
	sample->generation = profile.generation;
	sample->object = (unsigned long)object;
	sample->site = 0;
	sample->born = ktime_get_mono_fast_ns();
	sample->requested = requested;
	sample->cpu = raw_smp_processor_id();
	sample->pid = current->pid;
	sample->context = profile_context();
	/* The task may be renamed meanwhile. A name of both parts is no harm. */
	memcpy(sample->comm, current->comm, sizeof(sample->comm));
	sample->comm[sizeof(sample->comm) - 1] = '\0';
}

/**
 * kspan_profile_add() - note an object that is sampled
 * @object:	its address
 * @size:	bytes that it takes
 * @requested:	bytes that were requested
 * @heap:	name of its heap
 * @nid:	NUMA node of it
 * @gfp:	with KSPAN_GFP_NOLOCK the lock is tried once
 *
 * Return: the sample, for kspan_profile_remove(); NULL if it can't be noted, which is counted.
 */
struct kspan_sample *kspan_profile_add(const void *object, size_t size, size_t requested,
				       const char *heap, int nid, gfp_t gfp)
{
	unsigned long stack[KSPAN_PROFILE_FRAMES + OWN_FRAMES], flags;
	struct bucket_key key = { .size = size, .heap = heap, .nid = nid };
	struct kspan_sample *sample = NULL;
	struct kspan_bucket *bucket;
	unsigned int from;

	key.nr = profile_stack(stack, &from);
	key.stack = stack + from;
	if (!kspan_lock(&profile.lock, &flags, in_nmi() ? KSPAN_GFP_NOLOCK : gfp)) {
		kspan_profile_lost();
		return NULL;
	}
	profile_merge();
	bucket = profile_bucket(&key);
	if (bucket)
		sample = profile_take_sample();
	if (sample) {
		profile_refresh(bucket);
		profile_note_peak(bucket);
		profile_fill(sample, object, requested);
		sample->bucket = bucket;
		bucket->counts.live++;
		bucket->counts.live_bytes += requested;
		bucket->counts.allocs++;
		bucket->counts.alloc_bytes += requested;
		profile.live += profile_bytes_of(size);
		profile.allocated += profile_bytes_of(size);
		if (profile.live > profile.peak) {
			profile.peak = profile.live;
			profile.round++;
		}
	}
	raw_spin_unlock_irqrestore(&profile.lock, flags);
	if (!sample)
		kspan_profile_lost();
	return sample;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_add);

/**
 * kspan_profile_remove() - the object of a sample was freed
 * @sample:	of kspan_profile_add(), which is not used any more
 *
 * It waits for no lock: if another CPU has it, that CPU or the next one completes the work.
 */
void kspan_profile_remove(struct kspan_sample *sample)
{
	u64 now = ktime_get_mono_fast_ns();
	unsigned long flags;

	if (!kspan_lock(&profile.lock, &flags, KSPAN_GFP_NOLOCK)) {
		sample->died = now;
		llist_add(&sample->deferred, &profile.deferred);
		return;
	}
	profile_merge();
	profile_remove_locked(sample, now);
	raw_spin_unlock_irqrestore(&profile.lock, flags);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_remove);

/* Count a sample that could not be taken. */
void kspan_profile_lost(void)
{
	atomic_long_inc(&profile.lost);
}

/**
 * kspan_profile_reset() - forget all samples, and begin to count anew
 *
 * Context: task, softirq, hardirq.
 */
void kspan_profile_reset(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&profile.lock, flags);
	profile_merge();
	profile.generation++;
	profile.rate = kspan_profile_rate;
	profile.since = ktime_get_mono_fast_ns();
	profile.live = 0;
	profile.peak = 0;
	profile.allocated = 0;
	atomic_long_set(&profile.lost, 0);
	memset(profile.lives, 0, sizeof(profile.lives));
	raw_spin_unlock_irqrestore(&profile.lock, flags);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_reset);

/**
 * kspan_profile_set_rate() - change how many objects are sampled
 * @rate:	mean number of bytes from one sample to the next; 1: every object; 0: none
 *
 * Begins to count anew. The caller makes the CPUs count to the next sample anew, see
 * kspan_sampled_restart() and kspan_profile_rewind().
 *
 * Context: task; sleeps.
 * Return: 0 or -ENOMEM.
 */
int kspan_profile_set_rate(unsigned long rate)
{
	mutex_lock(&rate_mutex);
	if (rate) {
		profile_grow(NULL);
		if (!profile.spare && !profile.blocks) {
			mutex_unlock(&rate_mutex);
			return -ENOMEM;
		}
	}
	WRITE_ONCE(kspan_profile_rate, rate);
	kspan_profile_reset();
	if (rate)
		static_branch_enable(&kspan_profiling);
	else
		static_branch_disable(&kspan_profiling);
	mutex_unlock(&rate_mutex);
	return 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_set_rate);

/**
 * kspan_profile_init() - prepare the profile; sampling begins as kspan_profile_rate says
 *
 * Return: 0 or -ENOMEM.
 */
int kspan_profile_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		prandom_seed_state(per_cpu_ptr(&profile_random, cpu), get_random_u64());
		*per_cpu_ptr(&kspan_profile_left, cpu) = profile_gap_bytes(kspan_profile_rate);
	}
	return kspan_profile_set_rate(kspan_profile_rate);
}

/* Free the memory of the profile. No object is left, and nobody reads the profile any more. */
void kspan_profile_exit(void)
{
	struct profile_block *block;

	irq_work_sync(&grow_irq_work);
	cancel_work_sync(&grow_work);
	kvfree(profile.spare);
	while ((block = profile.blocks)) {
		profile.blocks = block->next;
		kvfree(block);
	}
}

/**
 * kspan_profile_next_bucket() - iterate over all buckets
 * @bucket:	the last one, or NULL to begin
 * Return: the next one, or NULL at the end.
 */
struct kspan_bucket *kspan_profile_next_bucket(struct kspan_bucket *bucket)
{
	struct kspan_bucket **next = bucket ? &bucket->next : &profile.first_bucket;

	/* Pairs with the release in profile_bucket(). */
	return smp_load_acquire(next);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_next_bucket);

/**
 * kspan_profile_read_bucket() - read the counts of a bucket
 * @bucket:	any bucket
 * @counts:	set to its counts
 *
 * Context: task, softirq, hardirq.
 * Return: whether anything was counted since the counting began.
 */
bool kspan_profile_read_bucket(struct kspan_bucket *bucket, struct kspan_profile_counts *counts)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&profile.lock, flags);
	profile_merge();
	profile_refresh(bucket);
	*counts = bucket->counts;
	if (bucket->round != profile.round) {
		counts->peak = counts->live;
		counts->peak_bytes = counts->live_bytes;
	}
	raw_spin_unlock_irqrestore(&profile.lock, flags);
	return counts->allocs;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_read_bucket);

/**
 * kspan_profile_next_sample() - iterate over all samples, free ones included
 * @sample:	the last one, or NULL to begin
 * Return: the next one, or NULL at the end.
 */
struct kspan_sample *kspan_profile_next_sample(struct kspan_sample *sample)
{
	struct kspan_sample **next = sample ? &sample->next : &profile.first_sample;

	/* Pairs with the release in profile_take_sample(). */
	return smp_load_acquire(next);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_next_sample);

/**
 * kspan_profile_read_sample() - read what is known of a live object
 * @sample:	any sample
 * @copy:	set to a copy of it
 *
 * Context: task, softirq, hardirq.
 * Return: whether the object is live, and was sampled since the counting began.
 */
bool kspan_profile_read_sample(struct kspan_sample *sample, struct kspan_sample *copy)
{
	unsigned long flags;
	bool live;

	raw_spin_lock_irqsave(&profile.lock, flags);
	profile_merge();
	live = sample->bucket && sample->generation == profile.generation;
	if (live)
		*copy = *sample;
	raw_spin_unlock_irqrestore(&profile.lock, flags);
	return live;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_read_sample);

/** kspan_profile_summary_read() - read what is known of the profile as a whole */
void kspan_profile_summary_read(struct kspan_profile_summary *summary)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&profile.lock, flags);
	profile_merge();
	*summary = (struct kspan_profile_summary) {
		.rate = profile.rate,
		.since = profile.since,
		.live_bytes = profile.live,
		.peak_bytes = profile.peak,
		.alloc_bytes = profile.allocated,
		.lost = atomic_long_read(&profile.lost),
		.memory = profile.memory,
	};
	raw_spin_unlock_irqrestore(&profile.lock, flags);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_summary_read);

/**
 * kspan_profile_lifetimes() - how many objects lived so long
 * @size_log:	logarithm to base 2 of their size, below KSPAN_PROFILE_SIZES
 * @ns_log:	logarithm to base 2 of their life in nanoseconds, below KSPAN_PROFILE_LIVES
 *
 * Return: the number of sampled objects that were freed.
 */
unsigned int kspan_profile_lifetimes(unsigned int size_log, unsigned int ns_log)
{
	return READ_ONCE(profile.lives[size_log][ns_log]);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_profile_lifetimes);
