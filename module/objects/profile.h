/* SPDX-License-Identifier: GPL-2.0 */
/* The heap profile: which objects are sampled, and what is known of them; see profile.c. */
#ifndef KSPAN_PROFILE_H
#define KSPAN_PROFILE_H

#include <linux/jump_label.h>
#include <linux/llist.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include "types.h"

/* Most frames of a stack that are kept. */
#define KSPAN_PROFILE_FRAMES	32

#define KSPAN_PROFILE_NAME	32

/* Objects until the next sample where nothing is sampled: a CPU never allocates so many. */
#define KSPAN_PROFILE_NEVER	((s64)BIT_ULL(62))

/**
 * struct kspan_profile_counts - sampled objects, as counted, not scaled
 * @live:	objects that were not freed yet
 * @live_bytes:	bytes that were requested for these
 * @allocs:	objects ever sampled
 * @alloc_bytes: bytes that were requested for these
 * @peak:	@live at the moment when the profile as a whole had most live bytes
 * @peak_bytes:	@live_bytes at that moment
 */
struct kspan_profile_counts {
	u64 live;
	u64 live_bytes;
	u64 allocs;
	u64 alloc_bytes;
	u64 peak;
	u64 peak_bytes;
};

/**
 * struct kspan_bucket - sampled objects of one stack, heap, size and node
 * @next:	the bucket that was made after this one, or NULL
 * @hash_next:	next bucket with the same hash, or NULL
 * @hash:	of @stack
 * @generation:	kspan_profile.generation that @counts is of; older counts are void
 * @round:	peak that @counts.peak is of; see kspan_profile_note_peak()
 * @size:	bytes that an object takes
 * @nid:	NUMA node of the objects
 * @nr:		number of frames
 * @heap:	name of the heap
 * @counts:	counters
 * @stack:	return addresses of the callers, the innermost first
 *
 * A bucket stays until the module is unloaded. All but @counts, @generation, @round and the links
 * is fixed.
 */
struct kspan_bucket {
	struct kspan_bucket *next;
	struct kspan_bucket *hash_next;
	u32 hash;
	u32 generation;
	u64 round;
	size_t size;
	s16 nid;
	u16 nr;
	char heap[KSPAN_PROFILE_NAME];
	struct kspan_profile_counts counts;
	unsigned long stack[];
};

/**
 * struct kspan_sample - an object that was sampled and is live
 * @next:	the sample that was made after this one, or NULL; fixed
 * @free_next:	next one in the list of free samples
 * @deferred:	in the list of samples whose objects were freed while the lock was not to be had
 * @bucket:	its bucket; NULL for a free sample
 * @generation:	kspan_profile.generation when the object was allocated
 * @object:	address of the object
 * @site:	call site, in a heap that is tracked
 * @born:	when it was allocated, in nanoseconds of the monotonic clock
 * @died:	when it was freed, for @deferred
 * @requested:	bytes that were requested
 * @cpu:	CPU that allocated it
 * @pid:	task that allocated it
 * @context:	0: task, 1: softirq, 2: hardirq, 3: NMI
 * @comm:	name of that task
 */
struct kspan_sample {
	struct kspan_sample *next;
	struct kspan_sample *free_next;
	struct llist_node deferred;
	struct kspan_bucket *bucket;
	u32 generation;
	unsigned long object;
	unsigned long site;
	u64 born;
	u64 died;
	size_t requested;
	u32 cpu;
	pid_t pid;
	u8 context;
	char comm[TASK_COMM_LEN];
};

/* Lifetimes are counted by the power of two of size and nanoseconds; the last entry is for more. */
#define KSPAN_PROFILE_SIZES	24
#define KSPAN_PROFILE_LIVES	44

/**
 * struct kspan_profile_summary - the profile as a whole
 * @rate:	mean number of bytes from one sample to the next; 1: every object; 0: none
 * @since:	when the counting began, in nanoseconds of the monotonic clock
 * @live_bytes:	estimate of the bytes that all live objects take
 * @peak_bytes:	the largest value of it
 * @alloc_bytes: estimate of the bytes ever allocated
 * @lost:	samples that were not taken, for want of memory or of a lock
 * @memory:	bytes that the profile takes
 */
struct kspan_profile_summary {
	unsigned long rate;
	u64 since;
	u64 live_bytes;
	u64 peak_bytes;
	u64 alloc_bytes;
	u64 lost;
	size_t memory;
};

extern unsigned long kspan_profile_rate;
extern unsigned long kspan_profile_bytes;

/* Enabled while objects are sampled. */
DECLARE_STATIC_KEY_FALSE(kspan_profiling);

/* Bytes until the next sample, of requests that no magazine serves. */
DECLARE_PER_CPU(s64, kspan_profile_left);

void kspan_profile_rewind(unsigned int cpu);

/*
 * Whether to sample an object of @size bytes that comes from no magazine. To be asked once for
 * each such object.
 */
static __always_inline bool kspan_profile_due(size_t size)
{
	if (!static_branch_unlikely(&kspan_profiling) ||
	    likely(this_cpu_sub_return(kspan_profile_left, (s64)size) > 0))
		return false;
	/* If the task has moved meanwhile, the CPU that it left samples one object more. */
	kspan_profile_rewind(raw_smp_processor_id());
	return true;
}

int kspan_profile_init(void);
void kspan_profile_exit(void);
int kspan_profile_set_rate(unsigned long rate);
void kspan_profile_reset(void);

s64 kspan_profile_gap(size_t size);
u64 kspan_profile_weight(size_t size);

struct kspan_sample *kspan_profile_add(const void *object, size_t size, size_t requested,
				       const char *heap, int nid, gfp_t gfp);
void kspan_profile_remove(struct kspan_sample *sample);
void kspan_profile_lost(void);

/* For readers, see observe/profile_files.c. */
struct kspan_bucket *kspan_profile_next_bucket(struct kspan_bucket *bucket);
bool kspan_profile_read_bucket(struct kspan_bucket *bucket, struct kspan_profile_counts *counts);
struct kspan_sample *kspan_profile_next_sample(struct kspan_sample *sample);
bool kspan_profile_read_sample(struct kspan_sample *sample, struct kspan_sample *copy);
void kspan_profile_summary_read(struct kspan_profile_summary *summary);
unsigned int kspan_profile_lifetimes(unsigned int size_log, unsigned int ns_log);

#endif /* KSPAN_PROFILE_H */
