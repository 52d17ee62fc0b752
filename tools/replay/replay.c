// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_replay - a recorded trace of allocations, on kspan and on SLUB
 *
 * tools/kspan/replay.c is what speaks to it, over debugfs/kspan_replay/:
 *
 *	control	takes one command a write:
 *		load EVENTS SLOTS	makes room for a trace of EVENTS records whose
 *					objects have the numbers 0...SLOTS - 1
 *		run WHERE SAMPLES	replays it on WHERE: kspan, slub or empty, and
 *					reads SAMPLES times on the way what is held
 *		clear			forgets the trace
 *	events	takes the records, struct replay_record, in writes of whole records
 *	result	of the last run, a line per figure: "name: value"
 *	samples	of the last run, a table; its first line names the columns
 *
 * The events are replayed in order by the process that writes "run", with the sizes,
 * lifetimes and flags of the records. Objects are not touched. Which CPU an event was on
 * is not replayed.
 *
 * Everything of this module's own is allocated when a trace is loaded, before the
 * first reading. Before it, kspan_trim() is called and kmalloc()'s caches are shrunk,
 * so that every run starts from the same.
 */
#define pr_fmt(fmt) "kspan-replay: " fmt

#include <linux/debugfs.h>
#include <linux/jiffies.h>
#include <linux/kspan.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timex.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "../bench/system_pages.h"
#include "record.h"

#define MAX_SAMPLES	100000U
#define MAX_COMMAND	64
/* Events that are timed at a stretch: the timer may interrupt some, not all. */
#define PIECE		64U

struct allocator {
	const char *name;
	void *(*alloc)(size_t size, gfp_t gfp, int node);
	void (*free)(const void *p);
	void (*trim)(void);
};

/**
 * struct reading - what is held after a number of events
 * @events:	events that were replayed by then
 * @requested:	bytes of the live objects, as they were requested
 * @kspan:	what kspan takes
 * @slab:	bytes of SLUB's slabs and of its large objects
 * @free:	bytes of free pages, with those on the lists of CPUs
 */
struct reading {
	u32 events;
	u64 requested;
	struct kspan_memory kspan;
	u64 slab;
	u64 free;
};

enum { BEFORE, AT_PEAK, AT_MOST, AT_END, FREED, TRIMMED, NR_READINGS };

static const char * const reading_names[] = {
	"before", "peak", "most", "end", "freed", "trimmed"
};

struct object {
	void *p;
	u32 size;
};

/* The trace, and what loading it has told of it. */
static struct {
	struct replay_record *records;
	struct object *objects;
	u32 nr_records;
	u32 nr_slots;
	u32 loaded;
	u32 used_slots;
	u32 allocs;
	u64 requested;
	u64 peak;
	u32 peak_events;
} trace;

/* The last run. */
static struct {
	const struct allocator *on;
	struct reading *samples;
	u32 nr_samples;
	struct reading reading[NR_READINGS];
	u64 requested;
	u64 ticks;
	u32 timed;
	u32 allocs;
	u32 frees;
	u32 live_at_end;
} run;

static DEFINE_MUTEX(lock);
static struct dentry *dir;

static noinline void *kspan_give(size_t size, gfp_t gfp, int node)
{
	return node == NUMA_NO_NODE ? kspan_malloc(size, gfp) : kspan_malloc_node(size, gfp, node);
}

static noinline void kspan_take(const void *p)
{
	kspan_free(p);
}

static void kspan_give_back(void)
{
	kspan_trim();
}

static noinline void *slub_give(size_t size, gfp_t gfp, int node)
{
	return node == NUMA_NO_NODE ? kmalloc(size, gfp) : kmalloc_node(size, gfp, node);
}

static noinline void slub_take(const void *p)
{
	kfree(p);
}

static void slub_give_back(void)
{
	unsigned int type, i;

	for (type = 0; type < NR_KMALLOC_TYPES; type++)
		for (i = 0; i <= KMALLOC_SHIFT_HIGH; i++)
			if (kmalloc_caches[type][i])
				kmem_cache_shrink(kmalloc_caches[type][i]);
}

/* What the loop costs alone. */
static noinline void *empty_give(size_t size, gfp_t gfp, int node)
{
	return &trace;
}

static noinline void empty_take(const void *p)
{
	barrier();
}

static void empty_give_back(void)
{
}

static const struct allocator allocators[] = {
	{ "kspan", kspan_give, kspan_take, kspan_give_back },
	{ "slub", slub_give, slub_take, slub_give_back },
	{ "empty", empty_give, empty_take, empty_give_back },
};

static u64 free_bytes(void)
{
	return (u64)system_free_pages() << PAGE_SHIFT;
}

static void read_all(struct reading *reading, u32 events)
{
	reading->events = events;
	reading->requested = run.requested;
	kspan_memory_read(&reading->kspan);
	reading->slab = (u64)system_slab_pages() << PAGE_SHIFT;
	reading->free = free_bytes();
}

/* What the allocator of this run takes more than before. */
static u64 held(const struct reading *reading)
{
	const struct reading *before = &run.reading[BEFORE];
	u64 now = reading->slab, then = before->slab;

	if (run.on->alloc == kspan_give) {
		now = reading->kspan.arenas + reading->kspan.metadata;
		then = before->kspan.metadata;
	}
	return max(now, then) - then;
}

/* Loading */

static void forget_trace(void)
{
	vfree(trace.records);
	vfree(trace.objects);
	memset(&trace, 0, sizeof(trace));
}

static void forget_run(void)
{
	vfree(run.samples);
	memset(&run, 0, sizeof(run));
}

static int make_room(u32 nr_records, u32 nr_slots)
{
	u64 bytes = (u64)nr_records * sizeof(*trace.records) +
		    (u64)nr_slots * sizeof(*trace.objects);

	if (!nr_records || nr_records > REPLAY_MAX_EVENTS) {
		pr_err("load: %u events: must be 1...%u\n", nr_records, REPLAY_MAX_EVENTS);
		return -EINVAL;
	}
	if (!nr_slots || nr_slots > nr_records) {
		pr_err("load: %u slots of %u events: must be 1...%u\n", nr_slots, nr_records,
		       nr_records);
		return -EINVAL;
	}
	forget_trace();
	if (bytes < free_bytes() / 2) {
		trace.records = vmalloc(array_size(nr_records, sizeof(*trace.records)));
		trace.objects = vzalloc(array_size(nr_slots, sizeof(*trace.objects)));
	}
	if (!trace.records || !trace.objects) {
		pr_err("load: no memory for %u events and %u slots, %llu bytes\n", nr_records,
		       nr_slots, bytes);
		forget_trace();
		return -ENOMEM;
	}
	trace.nr_records = nr_records;
	trace.nr_slots = nr_slots;
	return 0;
}

/* Why it cannot be what happens next, or NULL. */
static const char *what_is_wrong(const struct replay_record *record)
{
	bool live;

	if (record->slot >= trace.nr_slots)
		return "there is no such slot";
	live = trace.objects[record->slot].size;
	switch (record->kind) {
	case REPLAY_ALLOC:
		if (!record->size || record->size > REPLAY_MAX_SIZE)
			return "the size is 0 or above 4 MiB";
		if (record->flags & ~REPLAY_FLAGS)
			return "there are no such flags";
		if (record->node < REPLAY_ANY_NODE || record->node >= MAX_NUMNODES)
			return "there is no such node";
		return live ? "the slot has an object already" : NULL;
	case REPLAY_FREE:
		if (record->size || record->flags || record->node != REPLAY_ANY_NODE)
			return "a free has size, flags or node";
		return live ? NULL : "the slot has no object";
	}
	return "it is neither an allocation nor a free";
}

static void note(const struct replay_record *record)
{
	struct object *object = &trace.objects[record->slot];

	trace.loaded++;
	if (record->kind == REPLAY_FREE) {
		trace.requested -= object->size;
		object->size = 0;
		return;
	}
	trace.allocs++;
	trace.requested += record->size;
	object->size = record->size;
	if (trace.requested > trace.peak) {
		trace.peak = trace.requested;
		trace.peak_events = trace.loaded;
	}
}

static int check_records(u32 n)
{
	const struct replay_record *record;
	const char *wrong;

	while (n--) {
		record = &trace.records[trace.loaded];
		wrong = what_is_wrong(record);
		if (wrong) {
			pr_err("record %u is bad: %s (kind %u, slot %u, size %u, node %d, flags %#x)\n",
			       trace.loaded, wrong, record->kind, record->slot, record->size,
			       record->node, record->flags);
			return -EINVAL;
		}
		note(record);
	}
	return 0;
}

static int add_records(const char __user *from, size_t len)
{
	u32 n = len / sizeof(*trace.records);

	if (!trace.records) {
		pr_err("events: there is no room for any; write \"load EVENTS SLOTS\" to control first\n");
		return -EINVAL;
	}
	if (len % sizeof(*trace.records)) {
		pr_err("events: %zu bytes are no whole records of %zu\n", len,
		       sizeof(*trace.records));
		return -EINVAL;
	}
	if (n > trace.nr_records - trace.loaded) {
		pr_err("events: %u records, where %u of %u are missing\n", n,
		       trace.nr_records - trace.loaded, trace.nr_records);
		return -ENOSPC;
	}
	if (copy_from_user(&trace.records[trace.loaded], from, len))
		return -EFAULT;
	return check_records(n);
}

static ssize_t events_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	int err;

	/* So much at once that a signal does not wait for long. */
	len = min_t(size_t, len, 65536 * sizeof(*trace.records));
	mutex_lock(&lock);
	err = add_records(from, len);
	if (err)
		forget_trace();
	mutex_unlock(&lock);
	return err ?: len;
}

static const struct file_operations events_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = events_write,
	.llseek = noop_llseek,
};

/* Running */

static gfp_t gfp_of(u8 flags)
{
	gfp_t gfp = flags & REPLAY_ATOMIC ? GFP_ATOMIC : GFP_KERNEL;

	if (flags & REPLAY_ZEROED)
		gfp |= __GFP_ZERO;
	if (flags & REPLAY_ACCOUNTED)
		gfp |= __GFP_ACCOUNT;
	if (flags & REPLAY_RECLAIMABLE)
		gfp |= __GFP_RECLAIMABLE;
	return gfp | __GFP_NOWARN;
}

static int replay_alloc(const struct replay_record *record)
{
	struct object *object = &trace.objects[record->slot];
	int node = NUMA_NO_NODE;

	if (record->node != REPLAY_ANY_NODE && node_online(record->node))
		node = record->node;
	object->p = run.on->alloc(record->size, gfp_of(record->flags), node);
	if (unlikely(!object->p))
		return -ENOMEM;
	object->size = record->size;
	run.requested += record->size;
	run.allocs++;
	return 0;
}

static void replay_free(u32 slot)
{
	struct object *object = &trace.objects[slot];

	run.on->free(object->p);
	run.requested -= object->size;
	object->p = NULL;
	run.frees++;
}

/* Events @from to before @to, timed. */
static int replay_piece(u32 from, u32 to)
{
	unsigned long timer = READ_ONCE(jiffies);
	u64 start = get_cycles();
	int err = 0;
	u32 i;

	for (i = from; i < to && !err; i++) {
		if (trace.records[i].kind == REPLAY_ALLOC)
			err = replay_alloc(&trace.records[i]);
		else
			replay_free(trace.records[i].slot);
	}
	start = get_cycles() - start;
	if (READ_ONCE(jiffies) == timer) {
		run.ticks += start;
		run.timed += to - from;
	}
	if (err)
		pr_err("run %s: event %u: no memory for %u bytes, with %llu bytes live\n",
		       run.on->name, i - 1, trace.records[i - 1].size, run.requested);
	return err;
}

static int replay_until(u32 from, u32 to)
{
	int err = 0;
	u32 next;

	for (; from < to && !err; from = next) {
		next = min(to, from + PIECE);
		err = replay_piece(from, next);
		cond_resched();
		if (fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

static void sample(u32 events)
{
	struct reading *reading = &run.samples[run.nr_samples++];

	read_all(reading, events);
	if (events == trace.peak_events)
		run.reading[AT_PEAK] = *reading;
	if (held(reading) > held(&run.reading[AT_MOST]))
		run.reading[AT_MOST] = *reading;
}

/* At most @nr_samples at even distances, and one where most is requested. */
static int replay_all(u32 nr_samples)
{
	u32 step = DIV_ROUND_UP(trace.nr_records, nr_samples), from = 0, to;
	int err = 0;

	for (; from < trace.nr_records && !err; from = to) {
		to = min(trace.nr_records, from - from % step + step);
		if (from < trace.peak_events && to > trace.peak_events)
			to = trace.peak_events;
		err = replay_until(from, to);
		if (!err)
			sample(to);
	}
	return err;
}

static void free_all(void)
{
	u32 slot;

	for (slot = 0; slot < trace.nr_slots; slot++) {
		if (trace.objects[slot].p)
			replay_free(slot);
		if (slot % PIECE == 0)
			cond_resched();
	}
}

static int run_trace(const struct allocator *on, u32 nr_samples)
{
	struct reading *samples = vcalloc(nr_samples + 1, sizeof(*samples));
	int err;

	if (!samples) {
		pr_err("run: no memory for %u samples\n", nr_samples);
		return -ENOMEM;
	}
	forget_run();
	run.on = on;
	run.samples = samples;
	memset(trace.objects, 0, array_size(trace.nr_slots, sizeof(*trace.objects)));
	kspan_give_back();
	slub_give_back();
	read_all(&run.reading[BEFORE], 0);
	run.reading[AT_MOST] = run.reading[BEFORE];
	err = replay_all(nr_samples);
	run.live_at_end = run.allocs - run.frees;
	read_all(&run.reading[AT_END], trace.nr_records);
	free_all();
	read_all(&run.reading[FREED], trace.nr_records);
	on->trim();
	read_all(&run.reading[TRIMMED], trace.nr_records);
	if (err)
		forget_run();
	return err;
}

static int check_and_run(const char *where, u32 nr_samples)
{
	unsigned int i;

	if (trace.loaded < trace.nr_records || !trace.records) {
		pr_err("run: %u of %u events are loaded; write the others first\n", trace.loaded,
		       trace.nr_records);
		return -EINVAL;
	}
	if (!nr_samples || nr_samples > MAX_SAMPLES) {
		pr_err("run: %u samples: must be 1...%u\n", nr_samples, MAX_SAMPLES);
		return -EINVAL;
	}
	if (trace.peak > free_bytes() / 2) {
		pr_err("run: the trace has %llu bytes live at once, more than half of the %llu that are free\n",
		       trace.peak, free_bytes());
		return -ENOMEM;
	}
	for (i = 0; i < ARRAY_SIZE(allocators); i++)
		if (!strcmp(where, allocators[i].name))
			return run_trace(&allocators[i], nr_samples);
	pr_err("run: %s: must be kspan, slub or empty\n", where);
	return -EINVAL;
}

static int obey(char *command)
{
	u32 first, second;
	char where[16];
	int end = 0;

	if (sscanf(command, "load %u %u%n", &first, &second, &end) == 2 && !command[end])
		return make_room(first, second);
	if (sscanf(command, "run %15s %u%n", where, &first, &end) == 2 && !command[end])
		return check_and_run(where, first);
	if (!strcmp(command, "clear")) {
		forget_trace();
		forget_run();
		return 0;
	}
	pr_err("control: \"%s\": must be \"load EVENTS SLOTS\", \"run WHERE SAMPLES\" or \"clear\"\n",
	       command);
	return -EINVAL;
}

static ssize_t control_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	char command[MAX_COMMAND];
	int err;

	if (len >= sizeof(command)) {
		pr_err("control: a command of %zu bytes: must be below %zu\n", len,
		       sizeof(command));
		return -EINVAL;
	}
	if (copy_from_user(command, from, len))
		return -EFAULT;
	command[len] = '\0';
	mutex_lock(&lock);
	err = obey(strim(command));
	mutex_unlock(&lock);
	return err ?: len;
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = control_write,
	.llseek = noop_llseek,
};

/* Results */

static void show_reading(struct seq_file *m, const struct reading *reading)
{
	seq_printf(m, "%u\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%lld\n", reading->events,
		   reading->requested, held(reading), reading->kspan.arenas,
		   reading->kspan.spans, reading->kspan.metadata, reading->slab,
		   (s64)(run.reading[BEFORE].free - reading->free));
}

#define COLUMNS "events\trequested\theld\tarenas\tspans\tmetadata\tslab\tlost\n"

static int result_show(struct seq_file *m, void *unused)
{
	unsigned int i;

	mutex_lock(&lock);
	if (run.on) {
		seq_printf(m, "on: %s\n", run.on->name);
		seq_printf(m, "events: %u\n", trace.nr_records);
		seq_printf(m, "allocs: %u\n", run.allocs);
		seq_printf(m, "frees: %u\n", run.frees);
		seq_printf(m, "live_at_end: %u\n", run.live_at_end);
		seq_printf(m, "requested_at_peak: %llu\n", trace.peak);
		seq_printf(m, "ticks: %llu\n", run.ticks);
		seq_printf(m, "timed_events: %u\n", run.timed);
		seq_puts(m, "reading\t" COLUMNS);
		for (i = 0; i < NR_READINGS; i++) {
			seq_printf(m, "%s\t", reading_names[i]);
			show_reading(m, &run.reading[i]);
		}
	}
	mutex_unlock(&lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(result);

static int samples_show(struct seq_file *m, void *unused)
{
	u32 i;

	mutex_lock(&lock);
	seq_puts(m, COLUMNS);
	for (i = 0; i < run.nr_samples; i++)
		show_reading(m, &run.samples[i]);
	mutex_unlock(&lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(samples);

static int __init replay_init(void)
{
	BUILD_BUG_ON(sizeof(struct replay_record) != 12);
	dir = debugfs_create_dir("kspan_replay", NULL);
	if (IS_ERR(dir)) {
		pr_err("there is no debugfs in this kernel, or there is a kspan_replay in it\n");
		return PTR_ERR(dir);
	}
	debugfs_create_file("control", 0200, dir, NULL, &control_fops);
	debugfs_create_file("events", 0200, dir, NULL, &events_fops);
	debugfs_create_file("result", 0400, dir, NULL, &result_fops);
	debugfs_create_file("samples", 0400, dir, NULL, &samples_fops);
	return 0;
}
module_init(replay_init);

static void __exit replay_exit(void)
{
	debugfs_remove(dir);
	forget_trace();
	forget_run();
}
module_exit(replay_exit);

MODULE_DESCRIPTION("Recorded traces of allocations, on kspan and on SLUB");
MODULE_LICENSE("GPL");
