// SPDX-License-Identifier: GPL-2.0
/*
 * The heap profile in debugfs
 *
 *	heap_profile	the text form of Go's profiles, which pprof reads
 *	samples		all that is counted, a line for each bucket, for the command kspan
 *	alloc_sites	the same for people: the stacks with most live bytes first
 *	leaks		the stacks of live objects that are older than leak_seconds
 *	lifetimes	how long objects lived, by size
 *	profile_reset	begin to count anew
 *
 * heap_profile and samples have what was counted: sampled objects. Their readers know how many
 * objects a sampled one stands for. alloc_sites and leaks show estimates of all objects.
 *
 * Readers need the addresses of the callers as they are, so only root may read the files.
 *
 * Context: task; sleeps.
 */
#include <linux/bsearch.h>
#include <linux/debugfs.h>
#include <linux/kallsyms.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/sort.h>

#include "base/name.h"
#include "objects/profile.h"
#include "observe/profile_files.h"

unsigned int kspan_leak_seconds = 60;

/**
 * struct site - a bucket as it was when the file was opened
 * @bucket:	the bucket
 * @counts:	its counts
 * @weight:	objects that a sampled one stands for, times 65536
 * @bytes:	estimate of the live bytes by which the sites are sorted
 * @objects:	live sampled objects that are old enough for the file
 * @youngest:	age of the youngest of them, in nanoseconds
 * @oldest:	age of the oldest
 * @ages:	sum of their ages
 */
struct site {
	struct kspan_bucket *bucket;
	struct kspan_profile_counts counts;
	u64 weight;
	u64 bytes;
	u64 objects;
	u64 youngest;
	u64 oldest;
	u64 ages;
};

/**
 * struct snapshot - the profile as it was when the file was opened
 * @summary:	the profile as a whole
 * @taken:	when that was
 * @nr:		number of @site
 * @site:	all buckets that have counted something
 */
struct snapshot {
	struct kspan_profile_summary summary;
	u64 taken;
	unsigned int nr;
	struct site site[];
};

/* What tells one file from another. */
struct view {
	const struct seq_operations ops;
	u64 (*least_age)(void);
};

static u64 scale(const struct site *site, u64 n)
{
	return mul_u64_u64_shr(n, site->weight, 16);
}

static int by_bucket(const void *a, const void *b)
{
	const struct site *left = a, *right = b;

	return left->bucket < right->bucket ? -1 : left->bucket > right->bucket;
}

static int by_live_bytes(const void *a, const void *b)
{
	const struct site *left = a, *right = b;

	return left->bytes > right->bytes ? -1 : left->bytes < right->bytes;
}

/* Add the ages of live samples to their sites, which are sorted by bucket. */
static void add_ages(struct snapshot *shot, u64 least_age)
{
	struct kspan_sample *sample = NULL, copy;
	struct site key, *site;
	u64 age;

	while ((sample = kspan_profile_next_sample(sample))) {
		cond_resched();
		if (!kspan_profile_read_sample(sample, &copy))
			continue;
		age = shot->taken - min(shot->taken, copy.born);
		key.bucket = copy.bucket;
		site = bsearch(&key, shot->site, shot->nr, sizeof(*site), by_bucket);
		if (!site || age < least_age)
			continue;
		site->youngest = site->objects ? min(site->youngest, age) : age;
		site->oldest = max(site->oldest, age);
		site->ages += age;
		site->objects++;
	}
}

static struct snapshot *take_snapshot(u64 least_age)
{
	struct kspan_bucket *bucket = NULL;
	struct snapshot *shot;
	unsigned int room = 0, i;

	while ((bucket = kspan_profile_next_bucket(bucket))) {
		cond_resched();
		room++;
	}
	shot = kvzalloc(struct_size(shot, site, room), GFP_KERNEL);
	if (!shot)
		return NULL;
	kspan_profile_summary_read(&shot->summary);
	shot->taken = ktime_get_mono_fast_ns();
	while (shot->nr < room && (bucket = kspan_profile_next_bucket(bucket))) {
		struct site *site = &shot->site[shot->nr];

		cond_resched();
		if (!kspan_profile_read_bucket(bucket, &site->counts))
			continue;
		site->bucket = bucket;
		site->weight = kspan_profile_weight(bucket->size);
		shot->nr++;
	}
	sort(shot->site, shot->nr, sizeof(*shot->site), by_bucket, NULL);
	add_ages(shot, least_age);
	for (i = 0; i < shot->nr; i++) {
		struct site *site = &shot->site[i];

		site->bytes = scale(site, (least_age ? site->objects : site->counts.live) *
					  site->bucket->size);
	}
	sort(shot->site, shot->nr, sizeof(*shot->site), by_live_bytes, NULL);
	return shot;
}

static void *profile_start(struct seq_file *m, loff_t *pos)
{
	struct snapshot *shot = m->private;

	if (!*pos)
		return SEQ_START_TOKEN;
	return *pos <= shot->nr ? &shot->site[*pos - 1] : NULL;
}

static void *profile_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return profile_start(m, pos);
}

static void profile_stop(struct seq_file *m, void *v)
{
}

/* The readers of both files for programs print addresses as they are: see the head of the file. */
static void show_addresses(struct seq_file *m, const struct kspan_bucket *bucket)
{
	unsigned int i;

	for (i = 0; i < bucket->nr; i++)
		seq_printf(m, "%s0x%lx", i ? " " : "", bucket->stack[i]);
	seq_putc(m, '\n');
}

static void show_header(struct seq_file *m, const struct snapshot *shot)
{
	struct kspan_profile_counts sum = {};
	unsigned int i;

	for (i = 0; i < shot->nr; i++) {
		const struct site *site = &shot->site[i];

		sum.live += site->counts.live;
		sum.live_bytes += site->counts.live * site->bucket->size;
		sum.allocs += site->counts.allocs;
		sum.alloc_bytes += site->counts.allocs * site->bucket->size;
	}
	seq_printf(m, "heap profile: %llu: %llu [%llu: %llu] @ heap_v2/%lu\n", sum.live,
		   sum.live_bytes, sum.allocs, sum.alloc_bytes, max(shot->summary.rate, 1UL));
}

static int show_heap_profile(struct seq_file *m, void *v)
{
	const struct site *site = v;

	if (v == SEQ_START_TOKEN) {
		show_header(m, m->private);
		return 0;
	}
	seq_printf(m, "%llu: %llu [%llu: %llu] @ ", site->counts.live,
		   site->counts.live * site->bucket->size, site->counts.allocs,
		   site->counts.allocs * site->bucket->size);
	show_addresses(m, site->bucket);
	return 0;
}

static int show_samples(struct seq_file *m, void *v)
{
	const struct snapshot *shot = m->private;
	const struct site *site = v;

	if (v == SEQ_START_TOKEN) {
		seq_printf(m, "samples version 1 rate %lu seconds %llu\n", shot->summary.rate,
			   div_u64(shot->taken - shot->summary.since, NSEC_PER_SEC));
		seq_puts(m, "live\tlive_bytes\tallocs\talloc_bytes\tpeak\tpeak_bytes\tsize\tnode\theap\tstack\n");
		return 0;
	}
	seq_printf(m, "%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%zu\t%d\t", site->counts.live,
		   site->counts.live_bytes, site->counts.allocs, site->counts.alloc_bytes,
		   site->counts.peak, site->counts.peak_bytes, site->bucket->size,
		   site->bucket->nid);
	kspan_name_show(m, site->bucket->heap);
	seq_putc(m, '\t');
	show_addresses(m, site->bucket);
	return 0;
}

/* The heap, size, node and callers of a site, in a form for people. */
static void show_site(struct seq_file *m, const struct site *site)
{
	char name[KSYM_SYMBOL_LEN];
	unsigned int i;

	seq_printf(m, " size=%zu node=%d heap=", site->bucket->size, site->bucket->nid);
	kspan_name_show(m, site->bucket->heap);
	seq_putc(m, '\n');
	for (i = 0; i < site->bucket->nr; i++)
		seq_printf(m, "\t%s\n",
			   kspan_name_of_code(name, sizeof(name), site->bucket->stack[i]));
}

static void show_ages(struct seq_file *m, const struct site *site)
{
	if (site->objects)
		seq_printf(m, " age_ms=%llu/%llu/%llu", div_u64(site->youngest, NSEC_PER_MSEC),
			   div64_u64(div_u64(site->ages, NSEC_PER_MSEC), site->objects),
			   div_u64(site->oldest, NSEC_PER_MSEC));
}

static int show_alloc_sites(struct seq_file *m, void *v)
{
	const struct snapshot *shot = m->private;
	const struct site *site = v;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "# kspan alloc_sites v1: live live_bytes allocs alloc_bytes peak age_ms size node heap\n");
		seq_printf(m, "rate=%lu seconds=%llu live_bytes=%llu peak_bytes=%llu alloc_bytes=%llu lost=%llu memory=%zu\n",
			   shot->summary.rate,
			   div_u64(shot->taken - shot->summary.since, NSEC_PER_SEC),
			   shot->summary.live_bytes, shot->summary.peak_bytes,
			   shot->summary.alloc_bytes, shot->summary.lost, shot->summary.memory);
		return 0;
	}
	seq_printf(m, "live=%llu live_bytes=%llu allocs=%llu alloc_bytes=%llu peak=%llu",
		   scale(site, site->counts.live), site->bytes, scale(site, site->counts.allocs),
		   scale(site, site->counts.allocs * site->bucket->size),
		   scale(site, site->counts.peak));
	show_ages(m, site);
	show_site(m, site);
	return 0;
}

static int show_leaks(struct seq_file *m, void *v)
{
	const struct snapshot *shot = m->private;
	const struct site *site = v;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "# kspan leaks v1: objects bytes age_ms size node heap\n");
		seq_printf(m, "rate=%lu leak_seconds=%u\n", shot->summary.rate,
			   READ_ONCE(kspan_leak_seconds));
		return 0;
	}
	if (!site->objects)
		return SEQ_SKIP;
	seq_printf(m, "objects=%llu bytes=%llu", scale(site, site->objects), site->bytes);
	show_ages(m, site);
	show_site(m, site);
	return 0;
}

static u64 any_age(void)
{
	return 0;
}

static u64 age_of_leaks(void)
{
	return max((u64)READ_ONCE(kspan_leak_seconds) * NSEC_PER_SEC, 1ULL);
}

#define VIEW(name, age)								\
	static const struct view name##_view = {				\
		.ops = {							\
			.start = profile_start,					\
			.next = profile_next,					\
			.stop = profile_stop,					\
			.show = show_##name,					\
		},								\
		.least_age = age,						\
	}

VIEW(heap_profile, any_age);
VIEW(samples, any_age);
VIEW(alloc_sites, any_age);
VIEW(leaks, age_of_leaks);

static int profile_open(struct inode *inode, struct file *file)
{
	const struct view *view = inode->i_private;
	struct snapshot *shot = take_snapshot(view->least_age());
	int err;

	if (!shot)
		return -ENOMEM;
	err = seq_open(file, &view->ops);
	if (err) {
		kvfree(shot);
		return err;
	}
	((struct seq_file *)file->private_data)->private = shot;
	return 0;
}

static int profile_release(struct inode *inode, struct file *file)
{
	kvfree(((struct seq_file *)file->private_data)->private);
	return seq_release(inode, file);
}

static const struct file_operations profile_fops = {
	.owner = THIS_MODULE,
	.open = profile_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = profile_release,
};

static int lifetimes_show(struct seq_file *m, void *unused)
{
	unsigned int size, ns, n;

	seq_puts(m, "# kspan lifetimes v1: size_from ns_from sampled_objects\n");
	for (size = 0; size < KSPAN_PROFILE_SIZES; size++) {
		for (ns = 0; ns < KSPAN_PROFILE_LIVES; ns++) {
			n = kspan_profile_lifetimes(size, ns);
			if (n)
				seq_printf(m, "%lu %llu %u\n", BIT(size), BIT_ULL(ns), n);
		}
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(lifetimes);

static int reset_set(void *unused, u64 value)
{
	if (value != 1)
		return -EINVAL;
	kspan_profile_reset();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(reset_fops, NULL, reset_set, "%llu\n");

/**
 * kspan_profile_files_init() - make the files
 * @directory:	of debugfs, which the caller removes with all that is in it
 */
void kspan_profile_files_init(struct dentry *directory)
{
	debugfs_create_file("heap_profile", 0400, directory, (void *)&heap_profile_view,
			    &profile_fops);
	debugfs_create_file("samples", 0400, directory, (void *)&samples_view, &profile_fops);
	debugfs_create_file("alloc_sites", 0400, directory, (void *)&alloc_sites_view,
			    &profile_fops);
	debugfs_create_file("leaks", 0400, directory, (void *)&leaks_view, &profile_fops);
	debugfs_create_file("lifetimes", 0400, directory, NULL, &lifetimes_fops);
	debugfs_create_file_unsafe("profile_reset", 0200, directory, NULL, &reset_fops);
}
